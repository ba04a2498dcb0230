package server

import (
	"errors"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path"
	"strings"

	"github.com/gorilla/mux"

	"trio/server/ops"
)

// AppPath is where the app of phones is served, when there is one.
const AppPath = "/app/"

// appPolicy is what a browser may do with the app: what comes from here, and WebAssembly. Nobody may frame it.
const appPolicy = "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; object-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// appTypes are the files that an app has; nothing else is served.
var appTypes = map[string]string{
	".html": "text/html; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8",
	".wasm": "application/wasm", ".svg": "image/svg+xml", ".png": "image/png", ".webmanifest": "application/manifest+json",
}

// app serves the files of a built app. Those in assets have names made of what is in them and are kept by browsers for good;
// the others are asked for anew each time, so that a new build is found.
func app(files fs.FS) http.Handler {
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
		f, err := files.Open(name)
		if errors.Is(err, fs.ErrNotExist) {
			noFile(w, r)
			return
		}
		if err != nil {
			ops.Refuse(w, r, http.StatusInternalServerError, "internal", "the app cannot be read", "tell support the request's id")
			return
		}
		defer f.Close() //nolint:errcheck // it was only read
		content, ok := f.(io.ReadSeeker)
		info, err := f.Stat()
		if !ok || err != nil || info.IsDir() {
			noFile(w, r)
			return
		}
		h := w.Header()
		h.Set("Content-Security-Policy", appPolicy)
		h.Set("Content-Type", kind)
		h.Set("Cache-Control", "no-cache")
		if strings.HasPrefix(name, "assets/") {
			h.Set("Cache-Control", "public, max-age=31536000, immutable")
		}
		http.ServeContent(w, r, name, info.ModTime(), content)
	})
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
