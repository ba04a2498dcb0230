//go:build !js

package zone

import (
	"time"
	_ "time/tzdata" // wherever the machine has none
)

func load(name string) (*Zone, error) {
	l, err := time.LoadLocation(name)
	if err != nil {
		return nil, unknown(name)
	}
	return &Zone{name, func(ms int64) int {
		_, offset := time.UnixMilli(ms).In(l).Zone()
		return offset
	}}, nil
}

// Here returns how many seconds east of UTC the machine's own clock is at an instant (ms since 1970).
func Here(ms int64) int {
	_, offset := time.UnixMilli(ms).Zone()
	return offset
}
