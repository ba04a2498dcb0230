package server_test

import (
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"trio/server"
	"trio/server/store"
)

// TestApp asks for the files of an app as a browser does, and as a stranger who looks for others.
func TestApp(t *testing.T) {
	dir := t.TempDir()
	folder := filepath.Join(dir, "dist")
	for name, text := range map[string]string{
		"dist/index.html": "<title>Trio</title>", "dist/assets/core-1a2b.wasm": "\x00asm\x01\x00\x00\x00", "dist/sw.js": "self", "dist/notes.txt": "secret", "secret.js": "secret",
	} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(filepath.Join(dir, "secret.js"), filepath.Join(folder, "link.js")); err != nil {
		t.Log(err) // the other cases stand
	}
	if _, err := server.OpenApp(dir); err == nil || !strings.Contains(err.Error(), "no index.html") {
		t.Errorf("a folder without an app: %v", err)
	}
	files, err := server.OpenApp(folder)
	if err != nil {
		t.Fatal(err)
	}
	st, err := store.Open(t.Context(), store.Config{Path: filepath.Join(dir, "trio.db")})
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close() //nolint:errcheck
	web := httptest.NewServer(server.New(server.Config{Store: st, App: files, Log: slog.New(slog.DiscardHandler)}))
	defer web.Close()
	get := func(path string) (*http.Response, string) {
		t.Helper()
		res, err := http.Get(web.URL + path)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		b, _ := io.ReadAll(res.Body)
		return res, string(b)
	}
	for _, c := range []struct{ path, body, kind, cache string }{
		{"/app/", "<title>Trio</title>", "text/html; charset=utf-8", "no-cache"},
		{"/app/sw.js", "self", "text/javascript; charset=utf-8", "no-cache"},
		{"/app/assets/core-1a2b.wasm", "\x00asm\x01\x00\x00\x00", "application/wasm", "public, max-age=31536000, immutable"},
	} {
		res, body := get(c.path)
		h := res.Header
		if res.StatusCode != 200 || body != c.body || h.Get("Content-Type") != c.kind || h.Get("Cache-Control") != c.cache ||
			!strings.Contains(h.Get("Content-Security-Policy"), "'wasm-unsafe-eval'") || strings.Contains(h.Get("Content-Security-Policy"), "unsafe-inline") {
			t.Errorf("%s: %s %q %v", c.path, res.Status, body, h)
		}
	}
	for _, path := range []string{"/app/none.js", "/app/notes.txt", "/app/assets/", "/app/assets", "/app/../secret.js", "/app/%2e%2e/secret.js", "/app/..%2fsecret.js", "/app/link.js", "/app//sw.js"} {
		if res, body := get(path); res.StatusCode == 200 || strings.Contains(body, "secret") && !strings.Contains(body, "no such file") {
			t.Errorf("%s: %s %q", path, res.Status, body)
		}
	}
}
