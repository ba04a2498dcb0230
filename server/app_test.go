package server_test

import (
	"bytes"
	"compress/gzip"
	"io"
	"io/fs"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/andybalholm/brotli"

	"trio/clients/phone"
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
			!strings.HasPrefix(h.Get("Permissions-Policy"), "camera=(self), microphone=(), ") || !strings.Contains(h.Get("Content-Security-Policy"), "'wasm-unsafe-eval'") || strings.Contains(h.Get("Content-Security-Policy"), "unsafe-inline") {
			t.Errorf("%s: %s %q %v", c.path, res.Status, body, h)
		}
	}
	if res, body := get("/app"); res.StatusCode != 200 || body != "<title>Trio</title>" {
		t.Errorf("without the last stroke: %s %q", res.Status, body)
	}
	if res, err := http.Head(web.URL + "/app/sw.js"); err != nil || res.StatusCode != 200 || res.ContentLength != 4 {
		t.Errorf("who looks first: %v %v", res, err)
	}
	if _, page := get("/join"); !strings.Contains(page, `<a id="app" class="open" href="app/">`) {
		t.Errorf("an invitation does not lead to the app: %s", page)
	}
	for _, path := range []string{"/app/none.js", "/app/notes.txt", "/app/assets/", "/app/assets", "/app/../secret.js", "/app/%2e%2e/secret.js", "/app/..%2fsecret.js", "/app/link.js", "/app//sw.js"} {
		if res, body := get(path); res.StatusCode == 200 || strings.Contains(body, "secret") && !strings.Contains(body, "no such file") {
			t.Errorf("%s: %s %q", path, res.Status, body)
		}
	}
}

// TestBuiltInApp asks for the app that the program carries, in each form in which a browser takes files.
func TestBuiltInApp(t *testing.T) {
	st, err := store.Open(t.Context(), store.Config{Path: filepath.Join(t.TempDir(), "trio.db")})
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close() //nolint:errcheck
	web := httptest.NewServer(server.New(server.Config{Store: st, App: phone.App(), Log: slog.New(slog.DiscardHandler)}))
	defer web.Close()
	get := func(path, accept, none string) (*http.Response, []byte) {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, web.URL+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Accept-Encoding", accept)
		if none != "" {
			req.Header.Set("If-None-Match", none)
		}
		res, err := http.DefaultTransport.RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		b, err := io.ReadAll(res.Body)
		if err != nil {
			t.Fatal(err)
		}
		return res, b
	}
	unpack := func(b []byte, form string) []byte {
		t.Helper()
		var r io.Reader = bytes.NewReader(b)
		var err error
		switch form {
		case "br":
			r = brotli.NewReader(r)
		case "gzip":
			r, err = gzip.NewReader(r)
		}
		if err == nil {
			b, err = io.ReadAll(r)
		}
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	var names []string
	err = fs.WalkDir(phone.App(), ".", func(name string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			names = append(names, strings.TrimSuffix(name, ".br"))
		}
		return err
	})
	if err != nil || len(names) < 6 {
		t.Fatalf("the app has files %v, %v", names, err)
	}
	for _, name := range names {
		_, plain := get("/app/"+name, "identity", "")
		for _, c := range []struct{ accept, form string }{
			{"gzip, deflate, br, zstd", "br"}, {"gzip, deflate", "gzip"}, {"br;q=0, gzip", "gzip"}, {"br;q=0.5", "br"}, {"", ""}, {"gzip; q=0.0", ""}, {"xbr", ""},
		} {
			res, b := get("/app/"+name, c.accept, "")
			if res.StatusCode != 200 || res.Header.Get("Content-Encoding") != c.form || res.Header.Get("Vary") != "Accept-Encoding" || len(plain) == 0 || !bytes.Equal(unpack(b, c.form), plain) {
				t.Fatalf("%s for %q: %s %v", name, c.accept, res.Status, res.Header)
			}
			if again, b := get("/app/"+name, c.accept, res.Header.Get("ETag")); again.StatusCode != http.StatusNotModified || len(b) != 0 {
				t.Errorf("%s for %q asked again: %s", name, c.accept, again.Status)
			}
		}
	}
	if res, _ := get("/app/index.html.br", "br", ""); res.StatusCode != http.StatusNotFound {
		t.Errorf("a packed file by its own name: %s", res.Status)
	}
	// Who takes no packed form, and asks for the first byte again and again, has nothing unpacked again.
	core := names[slices.IndexFunc(names, func(n string) bool { return strings.HasSuffix(n, ".packed") })]
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range 30 {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, web.URL+"/app/"+core, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Accept-Encoding", "identity")
		req.Header.Set("Range", "bytes=0-0")
		res, err := http.DefaultTransport.RoundTrip(req)
		if err != nil || res.StatusCode != http.StatusPartialContent {
			t.Fatal(res, err)
		}
		res.Body.Close() //nolint:errcheck
	}
	if runtime.ReadMemStats(&after); after.TotalAlloc-before.TotalAlloc > 10<<20 {
		t.Errorf("30 requests for a byte of %s took %d MB", core, (after.TotalAlloc-before.TotalAlloc)>>20)
	}
}
