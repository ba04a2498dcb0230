//go:build js

package replica

import (
	"context"
	"io"
)

// In a browser the SQLite of the page's worker stands behind this driver name. Its connections share the worker's one
// handle; as nothing there runs at the same time, a read sees what was committed.
const (
	driverName = "sqlite-wasm"
	readers    = 1
	foldMost   = 1000 // a command waits for one segment to be folded, as there is one thread
)

// lockData does nothing: in a browser the leader tab holds the lock.
func lockData(context.Context, string) (io.Closer, error) { return io.NopCloser(nil), nil }
