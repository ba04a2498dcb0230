package main

import (
	"cmp"
	"crypto/tls"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/crypto/acme"
	"golang.org/x/crypto/acme/autocert"
)

// tlsConfig returns how the public listener speaks TLS, or nil when it does not. Versions below 1.2 are refused.
func tlsConfig(c *config, log *slog.Logger) (*tls.Config, error) {
	switch {
	case c.TLSCert != "":
		f := &certFile{cert: c.TLSCert, key: c.TLSKey, log: log}
		if err := f.load(); err != nil {
			return nil, err
		}
		return &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: f.get}, nil
	case len(c.ACMEHosts) > 0:
		m := &autocert.Manager{
			Prompt:     autocert.AcceptTOS,
			Cache:      autocert.DirCache(cmp.Or(c.ACMECache, filepath.Join(c.Data, "acme"))),
			HostPolicy: autocert.HostWhitelist(c.ACMEHosts...),
			Email:      c.ACMEEmail,
		}
		if c.ACMEDirectory != "" {
			m.Client = &acme.Client{DirectoryURL: c.ACMEDirectory}
		}
		t := m.TLSConfig()
		t.MinVersion = tls.VersionTLS12
		told := &failures{names: c.ACMEHosts, log: log}
		get := t.GetCertificate
		t.GetCertificate = func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
			cert, err := get(hello)
			told.note(hello.ServerName, err)
			return cert, err
		}
		return t, nil
	}
	return nil, nil
}

// failures has the log say why there is no certificate: callers are told nothing but that the handshake failed.
type failures struct {
	names []string
	log   *slog.Logger

	mu   sync.Mutex
	last time.Time
}

// note logs a failure to get a certificate for one of our names, once in failuresEvery: each caller starts another one.
func (f *failures) note(name string, err error) {
	if err == nil || !slices.ContainsFunc(f.names, func(n string) bool { return strings.EqualFold(n, strings.TrimSuffix(name, ".")) }) {
		return // strangers ask for any name
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if now := time.Now(); f.last.IsZero() || now.Sub(f.last) > failuresEvery {
		f.last = now
		f.log.Error("no certificate by ACME", "host", name, "err", err,
			"hint", "the authority must reach this server at port 443 under this name; it may refuse a while after many tries")
	}
}

const failuresEvery = 30 * time.Second

// certFile is a certificate that is read again when its file changes, as it is renewed every few weeks.
type certFile struct {
	cert, key string
	log       *slog.Logger

	mu      sync.Mutex
	pair    *tls.Certificate
	changed time.Time // of the file that pair is from
	looked  time.Time
}

// lookEvery is how often the file is looked at while connections come in.
const lookEvery = 30 * time.Second

func (f *certFile) load() error {
	info, err := os.Stat(f.cert)
	if err != nil {
		return err
	}
	pair, err := tls.LoadX509KeyPair(f.cert, f.key)
	if err != nil {
		return err
	}
	f.pair, f.changed = &pair, info.ModTime()
	return nil
}

func (f *certFile) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if now := time.Now(); now.Sub(f.looked) > lookEvery {
		f.looked = now
		info, err := os.Stat(f.cert)
		if err == nil && !info.ModTime().Equal(f.changed) {
			if err = f.load(); err == nil {
				f.log.Info("certificate read again", "ends", f.pair.Leaf.NotAfter.UTC().Format(time.DateOnly))
			}
		}
		if err != nil && !errors.Is(err, os.ErrNotExist) { // between removal and renewal it is not there
			f.log.Error("certificate not read again, the one before stays", "err", err)
		}
	}
	return f.pair, nil
}
