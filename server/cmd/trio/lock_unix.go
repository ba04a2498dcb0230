//go:build unix

package main

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
)

// lockName is the file in a data folder that whoever has its database open holds a lock on. A killed process holds none.
const lockName = "trio.lock"

// lockData takes a lock on a data folder: alone, or together with others who are not alone. ok is false when somebody's keeps
// it from that. Closing the file gives it back.
func lockData(dir string, alone bool) (f *os.File, ok bool, err error) {
	if f, err = os.OpenFile(filepath.Join(dir, lockName), os.O_CREATE|os.O_RDWR, 0o600); err != nil {
		return nil, false, err
	}
	how := syscall.LOCK_SH
	if alone {
		how = syscall.LOCK_EX
	}
	switch err := syscall.Flock(int(f.Fd()), how|syscall.LOCK_NB); {
	case errors.Is(err, syscall.EWOULDBLOCK):
		return nil, false, f.Close()
	case err != nil && alone:
		return nil, false, errors.Join(err, f.Close())
	}
	// A file system without locks keeps nobody from serving.
	return f, true, nil
}
