package server

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/andybalholm/brotli"
	"github.com/gorilla/mux"

	"trio/server/ops"
)

// AppPath is where the app of phones is served, when there is one.
const AppPath = "/app/"

// appPolicy is what a browser may do with the app: what comes from here, WebAssembly, and pictures that lie in the page (a
// company's logo; a picture runs and loads nothing). Nobody may frame it.
const appPolicy = "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; img-src 'self' data:; object-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// appPermissions is what the app may ask a person for: the camera, to read a card. Nothing else.
const appPermissions = "camera=(self), microphone=(), geolocation=(), display-capture=(), payment=(), usb=(), serial=(), hid=(), midi=()"

// appTypes are the files that an app has; nothing else is served.
var appTypes = map[string]string{
	".html": "text/html; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8",
	".wasm": "application/wasm", ".packed": "application/octet-stream", ".svg": "image/svg+xml", ".png": "image/png", ".webmanifest": "application/manifest+json",
}

// packing is the end of the name of a file that is packed with Brotli.
const packing = ".br"

// app serves the files of a built app. Those in assets have names made of what is in them and are kept by browsers for good;
// the others are asked for anew each time, so that a new build is found. A file may be there packed instead, with .br after
// its name; packed files are those of this program and never change.
func app(files fs.FS) http.Handler {
	a := &appFiles{files: files, packed: map[string]*packed{}}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name := mux.Vars(r)["file"]
		if name == "" {
			name = "index.html"
		}
		kind := appTypes[path.Ext(name)]
		if kind == "" || !fs.ValidPath(name) {
			noFile(w, r)
			return
		}
		h := w.Header()
		serve, err := a.find(name, r.Header.Values("Accept-Encoding"), h)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			noFile(w, r)
			return
		case err != nil:
			ops.Refuse(w, r, http.StatusInternalServerError, "internal", "the app cannot be read", "tell support the request's id")
			return
		}
		defer serve.Close() //nolint:errcheck // it was only read
		h.Set("Content-Security-Policy", appPolicy)
		h.Set("Permissions-Policy", appPermissions)
		h.Set("Content-Type", kind)
		h.Set("Cache-Control", "no-cache")
		if strings.HasPrefix(name, "assets/") {
			h.Set("Cache-Control", "public, max-age=31536000, immutable")
		}
		http.ServeContent(w, r, name, serve.changed, serve)
	})
}

// appFiles finds files of an app in the form that a browser takes.
type appFiles struct {
	files fs.FS

	mu     sync.Mutex
	packed map[string]*packed
}

// packed is a file in the forms in which it was asked for. Each is made once, whoever asks for it, and without holding up the others.
type packed struct {
	brotli []byte
	hash   string                 // of what is in it
	gzip   func() ([]byte, error) // for browsers that take no Brotli: those that use plain HTTP
	plain  func() ([]byte, error) // for what takes neither
}

func newPacked(b []byte) *packed {
	sum := sha256.Sum256(b)
	return &packed{
		b, hex.EncodeToString(sum[:8]),
		sync.OnceValues(func() ([]byte, error) { return regzip(b) }),
		sync.OnceValues(func() ([]byte, error) { return io.ReadAll(brotli.NewReader(bytes.NewReader(b))) }),
	}
}

// content is a file on its way out.
type content struct {
	io.ReadSeeker
	io.Closer
	changed time.Time // zero: the ETag tells versions apart
}

// find opens a file and sets what the headers must say of its form.
func (a *appFiles) find(name string, accepts []string, h http.Header) (*content, error) {
	f, err := a.files.Open(name)
	if err == nil {
		info, err := f.Stat()
		seeker, ok := f.(io.ReadSeeker)
		if err != nil || !ok || info.IsDir() {
			return nil, errors.Join(fs.ErrNotExist, f.Close())
		}
		return &content{seeker, f, info.ModTime()}, nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	p, err := a.pack(name)
	if err != nil {
		return nil, err
	}
	h.Set("Vary", "Accept-Encoding")
	form, out := "", p.brotli
	switch {
	case takes(accepts, "br"):
		form = "br"
	case takes(accepts, "gzip"):
		form = "gzip"
		out, err = p.gzip()
	default:
		out, err = p.plain()
	}
	if err != nil {
		return nil, err
	}
	h.Set("ETag", `"`+p.hash+form+`"`)
	if form != "" {
		h.Set("Content-Encoding", form)
		h.Set("Content-Length", strconv.Itoa(len(out)))
	}
	return &content{bytes.NewReader(out), io.NopCloser(nil), time.Time{}}, nil
}

// pack returns a file that is there packed.
func (a *appFiles) pack(name string) (*packed, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	p := a.packed[name]
	if p == nil {
		b, err := fs.ReadFile(a.files, name+packing)
		if err != nil {
			return nil, err
		}
		p = newPacked(b)
		a.packed[name] = p
	}
	return p, nil
}

// regzip packs in gzip what is packed in Brotli.
func regzip(b []byte) ([]byte, error) {
	var out bytes.Buffer
	z, err := gzip.NewWriterLevel(&out, gzip.BestCompression)
	if err != nil {
		return nil, err
	}
	if _, err := io.Copy(z, brotli.NewReader(bytes.NewReader(b))); err != nil {
		return nil, err
	}
	err = z.Close()
	return out.Bytes(), err
}

// takes says whether a browser takes a form. It says so by name; with q=0 it says that it does not.
func takes(accepts []string, form string) bool {
	for _, line := range accepts {
		for one := range strings.SplitSeq(line, ",") {
			name, q, _ := strings.Cut(one, ";")
			if strings.TrimSpace(name) == form {
				return !strings.HasPrefix(strings.ReplaceAll(q, " ", ""), "q=0") || strings.Trim(q, " q=0.") != ""
			}
		}
	}
	return false
}

// toApp leads to the app who left the last stroke out; by a path of its own, as the server may lie behind another one.
func toApp(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Location", strings.TrimPrefix(AppPath, "/"))
	w.WriteHeader(http.StatusPermanentRedirect)
}

func noFile(w http.ResponseWriter, r *http.Request) {
	ops.Refuse(w, r, http.StatusNotFound, "path", "the app has no such file", "open "+AppPath)
}

// OpenApp opens the folder of a built app. Nothing outside of it is ever read.
func OpenApp(folder string) (fs.FS, error) {
	root, err := os.OpenRoot(folder)
	if err != nil {
		return nil, err
	}
	files := root.FS()
	if _, err := fs.Stat(files, "index.html"); err != nil {
		return nil, errors.Join(errors.New(folder+" is no built app: it has no index.html"), root.Close())
	}
	return files, nil
}
