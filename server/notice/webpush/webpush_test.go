package webpush

import (
	"bytes"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"math/big"
	"strings"
	"testing"
	"time"
)

func unbase(t testing.TB, s string) []byte {
	t.Helper()
	b, err := base64.RawURLEncoding.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestExampleOfTheRFC is RFC 8291, appendix A, byte for byte.
func TestExampleOfTheRFC(t *testing.T) {
	const (
		plain   = "V2hlbiBJIGdyb3cgdXAsIEkgd2FudCB0byBiZSBhIHdhdGVybWVsb24"
		server  = "yfWPiYE-n46HLnH0KqZOF1fJJU3MYrct3AELtAQ-oRw"
		browser = "q1dXpw3UpT5VOmu_cf_v6ih07Aems3njxI-JWgLcM94"
		public  = "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4"
		secret  = "BTBZMqHH6r4Tts7J_aSIgg"
		salt    = "DGv6ra1nlYgDCS1FRnbzlw"
		body    = "DGv6ra1nlYgDCS1FRnbzlwAAEABBBP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWAmS6TlzAC8wEqKK6PBru3jl7A_" +
			"yl95bQpu6cVPTpK4Mqgkf1CXztLVBSt2Ks3oZwbuwXPXLWyouBWLVWGNWQexSgSxsj_Qulcy4a-fN"
	)
	keys, err := ParseKeys(unbase(t, public), unbase(t, secret))
	if err != nil {
		t.Fatal(err)
	}
	own, err := ecdh.P256().NewPrivateKey(unbase(t, server))
	if err != nil {
		t.Fatal(err)
	}
	got, err := keys.seal(unbase(t, plain), own, unbase(t, salt), 0)
	if err != nil || !bytes.Equal(got, unbase(t, body)) {
		t.Fatalf("sealed %x, %v", got, err)
	}
	b := &Browser{secret: unbase(t, secret)}
	if b.private, err = ecdh.P256().NewPrivateKey(unbase(t, browser)); err != nil {
		t.Fatal(err)
	}
	if open, err := b.Open(got); err != nil || string(open) != "When I grow up, I want to be a watermelon" {
		t.Errorf("opened %q, %v", open, err)
	}
}

// TestMessagesTellNothing: not by their length, and no two are alike.
func TestMessagesTellNothing(t *testing.T) {
	b, err := NewBrowser()
	if err != nil {
		t.Fatal(err)
	}
	keys, err := ParseKeys(b.Keys())
	if err != nil {
		t.Fatal(err)
	}
	length, seen := 0, map[string]bool{}
	for _, m := range []string{"", "1", "a longer one", strings.Repeat("x", padTo)} {
		body, err := keys.Seal([]byte(m))
		if err != nil || seen[string(body)] || length != 0 && len(body) != length {
			t.Fatalf("%q: %d bytes, others have %d, %v", m, len(body), length, err)
		}
		length, seen[string(body)] = len(body), true
		if got, err := b.Open(body); err != nil || string(got) != m {
			t.Errorf("%q came back as %q, %v", m, got, err)
		}
	}
	if body, err := keys.Seal(make([]byte, MaxMessage)); err != nil || len(body) != recordSize {
		t.Errorf("the longest: %d bytes, %v", len(body), err)
	}
	if _, err := keys.Seal(make([]byte, MaxMessage+1)); err == nil {
		t.Error("a message that no push service takes was sealed")
	}
	other, err := NewBrowser()
	if err != nil {
		t.Fatal(err)
	}
	body, err := keys.Seal([]byte("3"))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := other.Open(body); err == nil {
		t.Errorf("another browser reads %q", got)
	}
}

func TestProofOfTheSender(t *testing.T) {
	k, err := NewKey()
	if err != nil {
		t.Fatal(err)
	}
	raw, err := k.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	if k, err = ParseKey(raw); err != nil {
		t.Fatal(err)
	}
	now := time.Date(2026, 11, 24, 9, 0, 0, 0, time.UTC)
	h, err := k.Authorization("https://push.example.net", "mailto:ops@example.com", now)
	if err != nil {
		t.Fatal(err)
	}
	token, key, ok := strings.Cut(strings.TrimPrefix(h, "vapid t="), ", k=")
	parts := strings.Split(token, ".")
	if !ok || len(parts) != 3 {
		t.Fatalf("header %q", h)
	}
	var claims map[string]any
	if err := json.Unmarshal(unbase(t, parts[1]), &claims); err != nil {
		t.Fatal(err)
	}
	if claims["aud"] != "https://push.example.net" || claims["sub"] != "mailto:ops@example.com" || claims["exp"] != float64(now.Add(12*time.Hour).Unix()) {
		t.Errorf("claims %v", claims)
	}
	public, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), unbase(t, key))
	if err != nil {
		t.Fatal(err)
	}
	sig, sum := unbase(t, parts[2]), sha256.Sum256([]byte(parts[0]+"."+parts[1]))
	if !ecdsa.Verify(public, sum[:], new(big.Int).SetBytes(sig[:32]), new(big.Int).SetBytes(sig[32:])) {
		t.Error("the signature is not the key's")
	}
	if _, err := ParseKey(raw[1:]); err == nil {
		t.Error("31 bytes are a key")
	}
	if _, err := ParseKey(make([]byte, 32)); err == nil {
		t.Error("zero is a key")
	}
}

// FuzzKeys: a browser's keys are what they are, or are refused; what is taken can be sealed for.
func FuzzKeys(f *testing.F) {
	b, err := NewBrowser()
	if err != nil {
		f.Fatal(err)
	}
	public, secret := b.Keys()
	f.Add(public, secret)
	f.Add(public[:33], secret)
	f.Add(append([]byte{2}, public[1:]...), secret[:8])
	f.Add(make([]byte, PublicSize), make([]byte, SecretSize))
	f.Fuzz(func(t *testing.T, public, secret []byte) {
		k, err := ParseKeys(public, secret)
		if err != nil {
			return
		}
		if _, err := k.Seal([]byte("1")); err != nil {
			t.Fatalf("%x %x: %v", public, secret, err)
		}
	})
}

// FuzzOpen: what is no message is refused.
func FuzzOpen(f *testing.F) {
	b := &Browser{secret: make([]byte, SecretSize)}
	var err error
	if b.private, err = ecdh.P256().NewPrivateKey(bytes.Repeat([]byte{7}, 32)); err != nil {
		f.Fatal(err)
	}
	k, err := ParseKeys(b.Keys())
	if err != nil {
		f.Fatal(err)
	}
	for _, m := range []string{"", "3"} {
		body, err := k.Seal([]byte(m))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(body)
		f.Add(body[:len(body)-1])
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		if m, err := b.Open(body); err == nil && len(m) > MaxMessage {
			t.Fatalf("%d bytes", len(m))
		}
	})
}
