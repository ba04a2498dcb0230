//go:build !js

package replica

import (
	_ "time/tzdata" // home time zones, wherever the device has none

	_ "modernc.org/sqlite" // the "sqlite" driver
)

const (
	driverName = "sqlite"
	// readers is the number of connections that read while the one writer writes.
	readers = 3
)
