//go:build unix

package main

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"syscall"
)

// lockName is the file in a data folder that whoever has its database open holds a lock on. A killed process holds none.
const lockName = "trio.lock"

// locksTell says that a lock that can be had is nobody else's.
const locksTell = true

// lockData takes a lock on a data folder: alone, or together with others who are not alone. ok is false when somebody's keeps
// it from that. Closing the file gives it back.
func lockData(dir string, alone bool) (f *os.File, ok bool, err error) {
	path := filepath.Join(dir, lockName)
	if f, err = os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600); err == nil {
		err = ownerOf(dir).give(path)
	} else if errors.Is(err, os.ErrExist) {
		f, err = os.OpenFile(path, os.O_RDWR, 0)
	}
	if err != nil {
		return nil, false, errors.Join(err, closeLock(f))
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

// inUse reports whether another process has a database open. It asks for the locks that SQLite holds, without taking one:
// opening and closing a database that a killed server left would change it. This process must not have it open: closing
// any descriptor of a file gives all of a process' locks on it back.
func inUse(path string) bool {
	for _, at := range []struct {
		file       string
		start, len int64
	}{
		{path, 0x40000000, 512},     // pending, reserved and shared: every reader of a database with a log has the last
		{path + "-shm", 120, 8 + 1}, // of the log's index
	} {
		f, err := os.Open(at.file)
		if err != nil {
			continue
		}
		l := syscall.Flock_t{Type: syscall.F_WRLCK, Whence: io.SeekStart, Start: at.start, Len: at.len}
		err = syscall.FcntlFlock(f.Fd(), syscall.F_GETLK, &l)
		f.Close()
		if err == nil && l.Type != syscall.F_UNLCK {
			return true
		}
	}
	return false
}
