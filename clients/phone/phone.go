// Package phone is the app of phones as it was built: what make app made of its screens and its core. Each file is packed with
// Brotli and has .br after its name, as that is how nearly all browsers take it.
package phone

import (
	"embed"
	"io/fs"
)

//go:embed app
var built embed.FS

// App returns the files of the app.
func App() fs.FS {
	app, err := fs.Sub(built, "app")
	if err != nil {
		panic(err) // a folder that was embedded is there
	}
	return app
}
