//go:build js

package replica

// In a browser the SQLite of the page's worker stands behind this driver name; it has one connection
// for all.
const (
	driverName = "sqlite-wasm"
	readers    = 0
)
