package store

import (
	"errors"
	"fmt"
	"runtime"
)

// ErrDamaged: the database holds what nobody wrote into it.
var ErrDamaged = errors.New("database is damaged: trio verify says where; restore it from a backup")

// guard is deferred where rows are read. A damaged database gives values that its columns cannot hold, on which conversions
// fail that cannot fail otherwise: it turns that into an error, so that one bad page does not end the server.
func guard(err *error) {
	switch e := recover().(type) {
	case nil:
	case runtime.Error:
		*err = fmt.Errorf("%w (%w)", ErrDamaged, e)
	default:
		panic(e)
	}
}
