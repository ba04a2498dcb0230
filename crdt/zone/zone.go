// Package zone knows the time zones of the world by their IANA names: from a table in the program natively, and in a
// browser from the browser, which has them anyway; the table would be 200 KB more to load there.
package zone

import (
	"fmt"
	"strings"
)

// Zone is a time zone. It is never changed once it is made, and may be used by many goroutines.
type Zone struct {
	name   string
	offset func(ms int64) int
}

// UTC has no offset.
var UTC = &Zone{"UTC", func(int64) int { return 0 }}

// Load returns the zone of an IANA name ("Europe/Madrid"). The machine's own zone ("Local") and no name are none.
func Load(name string) (*Zone, error) {
	if name == "UTC" {
		return UTC, nil
	}
	if !plausible(name) {
		return nil, unknown(name)
	}
	return load(name)
}

// Known reports whether a name is one of a zone.
func Known(name string) bool {
	_, err := Load(name)
	return err == nil
}

// String returns the name.
func (z *Zone) String() string { return z.name }

// Offset returns how many seconds east of UTC clocks are at an instant (ms since 1970).
func (z *Zone) Offset(ms int64) int { return z.offset(ms) }

// Instant returns when clocks show a date and time of day, given as if it was UTC (ms since 1970). Of a time that clocks show twice, or never, it
// returns one of the two instants around it, on every machine the same.
func (z *Zone) Instant(shown int64) int64 {
	at := shown - int64(z.offset(shown))*1000
	return shown - int64(z.offset(at))*1000
}

func unknown(name string) error { return fmt.Errorf("time zone %.60q is not known", name) }

// plausible keeps apart what only some machines take for a name: offsets, and names in other letters than their own.
func plausible(name string) bool {
	if name == "" || name == "Local" || len(name) > 60 {
		return false
	}
	for part := range strings.SplitSeq(name, "/") {
		if part == "" || part[0] < 'A' || part[0] > 'Z' {
			return false
		}
	}
	return true
}
