// Package webpush makes what a push service of a browser is sent: a message that only the browser can open (RFC 8291 over RFC
// 8188's aes128gcm) and the proof of who sends it (VAPID, RFC 8292). Values in, values out: it sends nothing and reads no clock.
//
// It stands on the standard library alone. What there is for Go brings a library for tokens along, spoils subjects that begin with
// mailto: (Apple refuses them then), and cannot be held against the RFC's own example.
package webpush

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// Key is the key pair by which push services know a server. Browsers subscribe for one public key: another one makes all
// subscriptions void.
type Key struct{ private *ecdsa.PrivateKey }

// NewKey draws a key.
func NewKey() (Key, error) {
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	return Key{k}, err
}

// ParseKey reads what Bytes wrote.
func ParseKey(b []byte) (Key, error) {
	k, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), b)
	if err != nil {
		return Key{}, fmt.Errorf("key for web push: %w", err)
	}
	return Key{k}, nil
}

// Bytes returns the private key, 32 bytes.
func (k Key) Bytes() ([]byte, error) { return k.private.Bytes() }

// Public returns the public key, 65 bytes, as browsers take it.
func (k Key) Public() ([]byte, error) { return k.private.PublicKey.Bytes() }

// tokenLife is how long a proof is good: half of what push services take at most.
const tokenLife = 12 * time.Hour

// Authorization is the header that proves to the push service of an origin ("https://push.example.net") who sends. subject is
// where its operator may write to: mailto: or https:.
func (k Key) Authorization(origin, subject string, now time.Time) (string, error) {
	claims, err := json.Marshal(struct {
		Aud string `json:"aud"`
		Exp int64  `json:"exp"`
		Sub string `json:"sub"`
	}{origin, now.Add(tokenLife).Unix(), subject})
	if err != nil {
		return "", err
	}
	enc := base64.RawURLEncoding
	token := enc.EncodeToString([]byte(`{"typ":"JWT","alg":"ES256"}`)) + "." + enc.EncodeToString(claims)
	sum := sha256.Sum256([]byte(token))
	r, s, err := ecdsa.Sign(rand.Reader, k.private, sum[:])
	if err != nil {
		return "", err
	}
	var sig [64]byte
	r.FillBytes(sig[:32])
	s.FillBytes(sig[32:])
	public, err := k.Public()
	if err != nil {
		return "", err
	}
	return "vapid t=" + token + "." + enc.EncodeToString(sig[:]) + ", k=" + enc.EncodeToString(public), nil
}

// Lengths of what a browser's subscription brings, bytes.
const (
	PublicSize = 65 // p256dh: an uncompressed point of P-256
	SecretSize = 16 // auth
)

// Keys are those of a browser's subscription.
type Keys struct {
	public *ecdh.PublicKey
	secret []byte
}

// ParseKeys reads what a browser calls p256dh and auth.
func ParseKeys(public, secret []byte) (Keys, error) {
	p, err := ecdh.P256().NewPublicKey(public)
	if err != nil || len(public) != PublicSize {
		return Keys{}, errors.New("p256dh is no public key of P-256: want 65 bytes")
	}
	if len(secret) != SecretSize {
		return Keys{}, fmt.Errorf("auth has %d bytes: want %d", len(secret), SecretSize)
	}
	return Keys{p, append([]byte(nil), secret...)}, nil
}

const (
	saltSize   = 16
	headerSize = saltSize + 4 + 1 + PublicSize
	recordSize = 4096
	tagSize    = 16
	// padTo is the length that all messages have that are shorter, so that theirs tells nothing.
	padTo = 256
	// MaxMessage is the most bytes of a message: a body of 4096 bytes is what every push service takes.
	MaxMessage = recordSize - headerSize - tagSize - 1
)

// Seal encrypts a message for the browser; the result is the body of a request with Content-Encoding: aes128gcm.
func (k Keys) Seal(message []byte) ([]byte, error) {
	own, err := ecdh.P256().GenerateKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	var salt [saltSize]byte
	if _, err := rand.Read(salt[:]); err != nil {
		return nil, err
	}
	return k.seal(message, own, salt[:], max(0, padTo-len(message)))
}

func (k Keys) seal(message []byte, own *ecdh.PrivateKey, salt []byte, pad int) ([]byte, error) {
	if len(message) > MaxMessage {
		return nil, fmt.Errorf("a message of %d bytes: at most %d", len(message), MaxMessage)
	}
	shared, err := own.ECDH(k.public)
	if err != nil {
		return nil, err
	}
	gcm, nonce, err := contentKey(shared, k.secret, k.public.Bytes(), own.PublicKey().Bytes(), salt)
	if err != nil {
		return nil, err
	}
	body := make([]byte, 0, headerSize+len(message)+1+pad+tagSize)
	body = binary.BigEndian.AppendUint32(append(body, salt...), recordSize)
	body = append(append(body, PublicSize), own.PublicKey().Bytes()...)
	plain := append(append(make([]byte, 0, len(message)+1+pad), message...), 2) // 2: the last record
	plain = append(plain, make([]byte, pad)...)
	return gcm.Seal(body, nonce, plain, nil), nil
}

// contentKey derives the cipher of a message.
func contentKey(shared, secret, browser, server, salt []byte) (gcm cipher.AEAD, nonce []byte, err error) {
	info := "WebPush: info\x00" + string(browser) + string(server)
	ikm, err := hkdf.Key(sha256.New, shared, secret, info, 32)
	if err != nil {
		return nil, nil, err
	}
	key, err := hkdf.Key(sha256.New, ikm, salt, "Content-Encoding: aes128gcm\x00", 16)
	if err != nil {
		return nil, nil, err
	}
	if nonce, err = hkdf.Key(sha256.New, ikm, salt, "Content-Encoding: nonce\x00", 12); err != nil {
		return nil, nil, err
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, nil, err
	}
	gcm, err = cipher.NewGCM(block)
	return gcm, nonce, err
}

// Browser is the other side of a subscription: it opens what Seal made. Programs that take notices have one, and tests.
type Browser struct {
	private *ecdh.PrivateKey
	secret  []byte
}

// NewBrowser draws the keys of a subscription.
func NewBrowser() (*Browser, error) {
	p, err := ecdh.P256().GenerateKey(rand.Reader)
	secret := make([]byte, SecretSize)
	_, _ = rand.Read(secret) // never fails
	return &Browser{p, secret}, err
}

// Keys returns p256dh and auth.
func (b *Browser) Keys() (public, secret []byte) { return b.private.PublicKey().Bytes(), b.secret }

// Open decrypts the body of a request.
func (b *Browser) Open(body []byte) ([]byte, error) {
	if len(body) < headerSize+tagSize+1 || len(body) > recordSize || body[saltSize+4] != PublicSize {
		return nil, errors.New("not a message of one record: want salt, record size, a key of 65 bytes and the record")
	}
	from, err := ecdh.P256().NewPublicKey(body[saltSize+5 : headerSize])
	if err != nil {
		return nil, fmt.Errorf("the sender's key: %w", err)
	}
	shared, err := b.private.ECDH(from)
	if err != nil {
		return nil, err
	}
	gcm, nonce, err := contentKey(shared, b.secret, b.private.PublicKey().Bytes(), from.Bytes(), body[:saltSize])
	if err != nil {
		return nil, err
	}
	plain, err := gcm.Open(nil, nonce, body[headerSize:], nil)
	if err != nil {
		return nil, err
	}
	for end := len(plain) - 1; end >= 0; end-- {
		switch plain[end] {
		case 0:
			continue
		case 2:
			return plain[:end], nil
		}
		break
	}
	return nil, errors.New("the record has no end")
}
