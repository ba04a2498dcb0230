//go:build !js

package replica

import (
	"context"
	"fmt"
	"io"
	"strings"

	"golang.org/x/text/unicode/norm"

	"trio/replica/sql"
)

const (
	inMemory = "" // a browser's alone, see driver_js.go
	// readers is the number of connections that read while the one writer writes.
	readers = 3
	// foldMost is how many changes one segment holds at most.
	foldMost = 4000
)

// lockData keeps other processes off the data while this one has it open, as what is kept in memory would not be theirs.
// The lock is an open transaction on a small database beside it, so that it works on every system and ends with the
// process, however that ends.
func lockData(ctx context.Context, path string) (io.Closer, error) {
	db, err := sql.Open(path + ".lock")
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(1)
	for _, q := range []string{`PRAGMA busy_timeout=1000`, `PRAGMA journal_mode=MEMORY`, `BEGIN EXCLUSIVE`} {
		if _, err := db.ExecContext(ctx, q); err != nil {
			db.Close()
			if strings.Contains(err.Error(), "database is locked") {
				return nil, ErrInUse
			}
			return nil, fmt.Errorf("lock the data: %w", full(err))
		}
	}
	return db, nil
}

// decomposed parts letters and their accents.
func decomposed(s string) string {
	if isASCII(s) {
		return s
	}
	return norm.NFD.String(s)
}
