//go:build !cgo || !(linux || darwin) || !(amd64 || arm64)

package witness

import (
	"errors"
	"fmt"
	"os"
)

var errNone = errors.New("this build has no automerge-go in it, which is a library in C: on Linux or macOS, with a C compiler, build it by CGO_ENABLED=1 go build ./server/cmd/trio")

func available() error { return errNone }

// Main is the whole of the process: it never returns.
func Main() {
	fmt.Fprintln(os.Stderr, errNone)
	os.Exit(1)
}
