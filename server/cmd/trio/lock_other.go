//go:build !unix

package main

import (
	"os"
	"path/filepath"

	"trio/server/store"
)

const lockName = "trio.lock"

// locksTell says that a lock that can be had is nobody else's: here everybody can have it.
const locksTell = false

// lockData takes no lock where there are no advisory ones: SQLite's own, which store.InUse asks for, have to do.
func lockData(dir string, _ bool) (f *os.File, ok bool, err error) {
	f, err = os.OpenFile(filepath.Join(dir, lockName), os.O_CREATE|os.O_RDWR, 0o600)
	return f, err == nil, err
}

// inUse reports whether another program has a database open.
func inUse(path string) bool { return store.InUse(path) }
