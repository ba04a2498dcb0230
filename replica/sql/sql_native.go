//go:build !js

package sql

import (
	"database/sql"

	_ "modernc.org/sqlite" // the "sqlite" driver
)

// What the replica uses of database/sql.
type (
	DB         = sql.DB
	Conn       = sql.Conn
	Stmt       = sql.Stmt
	Rows       = sql.Rows
	Result     = sql.Result
	NullInt64  = sql.NullInt64
	NullBool   = sql.NullBool
	NullString = sql.NullString
)

// ErrNoRows is what Scan says of a query of one row that found none.
var ErrNoRows = sql.ErrNoRows

// Open opens the database at a path, and makes it when something is asked of it.
func Open(path string) (*DB, error) { return sql.Open("sqlite", path) }
