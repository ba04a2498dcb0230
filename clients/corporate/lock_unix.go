//go:build unix

package corporate

import (
	"errors"
	"os"
	"syscall"
)

// lock keeps a second run from the output for as long as the file is open.
func lock(f *os.File) error {
	err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return &UserError{Message: "another run is writing " + f.Name(), Hint: "wait until it has ended", err: err}
	}
	// A file system that has no locks does not make this run fail.
	return nil
}
