//go:build !linux

package bench

import (
	"errors"
	"time"
)

var errNotHere = errors.New("not measured on this system")

func cpuTime(int) (time.Duration, error) { return 0, errNotHere }

func resident(int) (int64, error) { return 0, errNotHere }
