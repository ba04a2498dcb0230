//go:build !unix

package main

import (
	"errors"

	"trio/server/store"
)

// openFiles returns how many files this process may have open: here that is not known.
func openFiles() uint64 { return 0 }

// noSpace reports whether a disk is full, as far as that is known here.
func noSpace(err error) bool { return errors.Is(err, store.ErrFull) }
