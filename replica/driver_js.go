//go:build js

package replica

// In a browser the SQLite of the page's worker stands behind this driver name. Its connections share the worker's one
// handle; as nothing there runs at the same time, a read sees what was committed.
const (
	driverName = "sqlite-wasm"
	readers    = 1
)
