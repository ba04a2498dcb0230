//go:build unix

package main

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"

	"trio/server/store"
)

// openFiles returns how many files this process may have open, or 0 when that is not known.
func openFiles() uint64 {
	var l syscall.Rlimit
	if syscall.Getrlimit(syscall.RLIMIT_NOFILE, &l) != nil {
		return 0
	}
	return uint64(l.Cur) //nolint:unconvert // signed on some systems
}

// noSpace reports whether a disk is full.
func noSpace(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) || errors.Is(err, store.ErrFull)
}

// mine reports whether a file belongs to the user of this process.
func mine(info os.FileInfo) bool {
	st, ok := info.Sys().(*syscall.Stat_t)
	return ok && int(st.Uid) == os.Geteuid()
}

// owner is whom the new files of a data folder are given to, if to anybody.
type owner struct {
	uid, gid int
	ok       bool
}

// ownerOf returns the owner of a data folder, or of its database where the folder is root's: a server that runs as that user
// has to be able to open what a command of root's makes there. A command of anybody else's gives nothing away.
func ownerOf(dir string) owner {
	if os.Geteuid() != 0 {
		return owner{}
	}
	for _, path := range []string{dir, filepath.Join(dir, dbName)} {
		if info, err := os.Stat(path); err == nil {
			if st, ok := info.Sys().(*syscall.Stat_t); ok && st.Uid != 0 {
				return owner{int(st.Uid), int(st.Gid), true}
			}
		}
	}
	return owner{}
}

// give gives a file or a folder that root has just made away. Links are left: whoever owns the folder could have put one
// there to a file that is root's.
func (o owner) give(path string) error {
	if !o.ok {
		return nil
	}
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok || st.Uid != 0 || !info.IsDir() && (!info.Mode().IsRegular() || st.Nlink != 1) {
		return nil
	}
	return f.Chown(o.uid, o.gid)
}
