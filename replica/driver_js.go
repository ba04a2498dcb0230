package replica

import (
	"context"
	"io"
	"sync"
	"syscall/js"
)

const (
	// inMemory is the path of a replica that is gone when it is closed: a sample to look around in.
	inMemory = ":memory:"
	readers  = 1
	foldMost = 1000 // a command waits for one segment to be folded, as there is one thread
)

// lockData keeps a second replica of this process off the data. Other tabs are kept off by the browser: only one can have
// its files open, and the leader does.
func lockData(_ context.Context, path string) (io.Closer, error) {
	opened.Lock()
	defer opened.Unlock()
	if opened.paths[path] {
		return nil, ErrInUse
	}
	opened.paths[path] = true
	return dataLock(path), nil
}

var opened = struct {
	sync.Mutex
	paths map[string]bool
}{paths: map[string]bool{}}

type dataLock string

// Close lets another replica open the data.
func (l dataLock) Close() error {
	opened.Lock()
	defer opened.Unlock()
	delete(opened.paths, string(l))
	return nil
}

var normalize = js.Global().Get("String").Get("prototype").Get("normalize")

// decomposed parts letters and their accents. The browser has the tables that this takes.
func decomposed(s string) string {
	if isASCII(s) {
		return s
	}
	return normalize.Call("call", s, "NFD").String()
}
