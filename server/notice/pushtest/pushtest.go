// Package pushtest is a push service for tests: HTTPS on this machine, which opens what it is sent with the keys of the browsers that
// it made up, and answers as it is told.
package pushtest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"time"

	"trio/server/notice/webpush"
)

// Message is what was sent to a browser.
type Message struct {
	Browser int
	Header  http.Header
	TTL     time.Duration
	// What it says.
	Version int    `json:"v"`
	Kind    string `json:"kind"`
	Trigger string `json:"trigger"`
	List    string `json:"list"`
	Count   int    `json:"count"`
	Until   int64  `json:"until"`
}

// Service is a push service.
type Service struct {
	URL string

	srv      *httptest.Server
	mu       sync.Mutex
	browsers []*webpush.Browser
	messages []Message
	asked    int
	wrong    error
	answer   func(w http.ResponseWriter, browser, asked int) bool
}

// New starts a push service, which answers 201 to what it can open.
func New() *Service {
	s := &Service{}
	s.srv = httptest.NewTLSServer(s)
	s.URL = s.srv.URL
	return s
}

// Close ends it.
func (s *Service) Close() { s.srv.Close() }

// Transport trusts its certificate.
func (s *Service) Transport() *http.Transport { return s.srv.Client().Transport.(*http.Transport) }

// Answer has f answer for what asks the service the next times, counted from 1; where it returns false, the service does by itself.
func (s *Service) Answer(f func(w http.ResponseWriter, browser, asked int) bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answer, s.asked = f, 0
}

// Subscribe makes a browser up, and returns its subscription as PushSubscription.toJSON does.
func (s *Service) Subscribe() (browser int, endpoint string, public, secret []byte, err error) {
	b, err := webpush.NewBrowser()
	if err != nil {
		return 0, "", nil, nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.browsers = append(s.browsers, b)
	browser = len(s.browsers) - 1
	public, secret = b.Keys()
	return browser, fmt.Sprintf("%s/wpush/%d", s.URL, browser), public, secret, nil
}

// Messages returns what was sent to browsers so far, and what is wrong with what was sent, if anything.
func (s *Service) Messages() ([]Message, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Message(nil), s.messages...), s.wrong
}

// Asked returns how many requests came since Answer, whatever they were answered.
func (s *Service) Asked() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.asked
}

// ServeHTTP takes a message.
func (s *Service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 4096))
	n, numErr := strconv.Atoi(strings.TrimPrefix(r.URL.Path, "/wpush/"))
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked++
	if s.answer != nil && s.answer(w, n, s.asked) {
		return
	}
	if err == nil && (numErr != nil || n < 0 || n >= len(s.browsers)) {
		w.WriteHeader(http.StatusNotFound)
		return
	}
	var m Message
	if err == nil {
		m, err = s.read(r, s.browsers[n], body)
	}
	if err != nil {
		s.wrong = err
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	m.Browser = n
	s.messages = append(s.messages, m)
	w.WriteHeader(http.StatusCreated)
}

// read opens a message and checks what a push service checks.
func (s *Service) read(r *http.Request, b *webpush.Browser, body []byte) (m Message, err error) {
	if r.Method != http.MethodPost || r.Header.Get("Content-Encoding") != "aes128gcm" {
		return m, fmt.Errorf("%s with encoding %q", r.Method, r.Header.Get("Content-Encoding"))
	}
	ttl, err := strconv.Atoi(r.Header.Get("TTL"))
	if err != nil {
		return m, err
	}
	if err := proof(r.Header.Get("Authorization"), s.URL); err != nil {
		return m, err
	}
	text, err := b.Open(body)
	if err != nil {
		return m, err
	}
	d := json.NewDecoder(strings.NewReader(string(text)))
	d.DisallowUnknownFields()
	if err := d.Decode(&m); err != nil {
		return m, fmt.Errorf("message %s: %w", text, err)
	}
	m.Header, m.TTL = r.Header, time.Duration(ttl)*time.Second
	return m, nil
}

// proof checks VAPID's header.
func proof(header, origin string) error {
	token, key, ok := strings.Cut(strings.TrimPrefix(header, "vapid t="), ", k=")
	part := strings.Split(token, ".")
	enc := base64.RawURLEncoding
	raw, err := enc.DecodeString(key)
	if !ok || len(part) != 3 || err != nil {
		return fmt.Errorf("the header Authorization is %q", header)
	}
	public, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), raw)
	if err != nil {
		return err
	}
	sig, err := enc.DecodeString(part[2])
	sum := sha256.Sum256([]byte(part[0] + "." + part[1]))
	if err != nil || len(sig) != 64 || !ecdsa.Verify(public, sum[:], new(big.Int).SetBytes(sig[:32]), new(big.Int).SetBytes(sig[32:])) {
		return fmt.Errorf("the token is not the key's: %v", err)
	}
	text, err := enc.DecodeString(part[1])
	if err != nil {
		return err
	}
	var claims struct {
		Aud, Sub string
		Exp      int64
	}
	if err := json.Unmarshal(text, &claims); err != nil || claims.Aud != origin || claims.Sub == "" || claims.Exp == 0 {
		return fmt.Errorf("claims %s of %s, %v", text, origin, err)
	}
	return nil
}
