package store

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net/url"
	"path/filepath"
	"strings"
	"time"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// A conn is one connection with its prepared statements, for one goroutine at a time. It stands on the driver itself:
// the locks, copies and conversions of database/sql cost as much as the statements do, and its pool we do not need.
type conn struct {
	driver.Conn
	stmts []*stmt
}

// background is the context of every statement. A statement is short, or bounded in rows; no client may cancel a
// transaction that it shares with others.
var background = context.Background()

// A pragma is set on each new connection and read back: SQLite ignores what it does not know or cannot do.
type pragma struct {
	name  string
	value any // what is read back prints the same
}

// dial opens a connection to a file, by a VFS other than the system's if one is named.
func dial(path, vfs string, pragmas []pragma) (*conn, error) {
	uri := fileURI(path)
	if vfs != "" {
		uri += "?vfs=" + url.QueryEscape(vfs)
	}
	return dialURI(uri, pragmas)
}

func dialURI(uri string, pragmas []pragma) (*conn, error) {
	dc, err := new(sqlite.Driver).Open(uri)
	if err != nil {
		return nil, err
	}
	c := &conn{Conn: dc}
	for _, p := range pragmas {
		if err := c.set(p); err != nil {
			return nil, errors.Join(err, c.Close())
		}
	}
	return c, nil
}

// fileURI names a file, which has to be absolute, so that no byte of its path is taken for an option.
func fileURI(path string) string {
	path = filepath.ToSlash(path)
	if !strings.HasPrefix(path, "/") {
		path = "/" + path
	}
	return "file://" + (&url.URL{Path: path}).EscapedPath()
}

func (c *conn) set(p pragma) error {
	if err := c.exec(fmt.Sprintf("PRAGMA %s = %v", p.name, p.value)); err != nil {
		return fmt.Errorf("pragma %s: %w", p.name, err)
	}
	got, err := c.value("PRAGMA " + p.name)
	if err != nil {
		return fmt.Errorf("pragma %s: %w", p.name, err)
	}
	if fmt.Sprint(got) != fmt.Sprint(p.value) {
		return fmt.Errorf("pragma %s is %v after it was set to %v: the file system may not allow it", p.name, got, p.value)
	}
	return nil
}

// setWAL sets the journal mode. While another process has a new database open SQLite refuses that at once, whatever the busy
// timeout.
func (c *conn) setWAL() error {
	for until := time.Now().Add(busyTimeout * time.Millisecond); ; time.Sleep(5 * time.Millisecond) {
		if err := c.set(pragma{"journal_mode", "wal"}); !isBusy(err) || time.Now().After(until) {
			return err
		}
	}
}

// exec runs a text of one or more statements.
func (c *conn) exec(text string) error {
	_, err := c.Conn.(driver.ExecerContext).ExecContext(background, text, nil)
	return err
}

// value returns the first column of a query that always has a row.
func (c *conn) value(text string) (driver.Value, error) {
	st, err := c.prepare(text)
	if err != nil {
		return nil, err
	}
	row, err := st.row()
	if err == nil && row == nil {
		err = fmt.Errorf("%q gave no row", text)
	}
	if err != nil {
		return nil, err
	}
	return row[0], nil
}

func (c *conn) Close() error {
	var err error
	for _, st := range c.stmts {
		err = errors.Join(err, st.s.Close())
	}
	return errors.Join(err, c.Conn.Close())
}

// A stmt is a prepared statement. Its arguments are int64, []byte or string, as are the columns of its rows; blobs in a
// row are the caller's to keep.
type stmt struct {
	s    driver.Stmt
	args []driver.NamedValue
}

// prepare makes a statement that lives as long as the connection.
func (c *conn) prepare(text string) (*stmt, error) {
	s, err := c.Conn.(driver.ConnPrepareContext).PrepareContext(background, text)
	if err != nil {
		return nil, fmt.Errorf("preparing %q: %w", text, err)
	}
	st := &stmt{s: s}
	c.stmts = append(c.stmts, st)
	return st, nil
}

// A text is a statement to prepare and where to put it.
type text struct {
	stmt **stmt
	text string
}

func (c *conn) prepareAll(texts []text) error {
	for _, t := range texts {
		var err error
		if *t.stmt, err = c.prepare(t.text); err != nil {
			return err
		}
	}
	return nil
}

func (st *stmt) named(args []driver.Value) []driver.NamedValue {
	st.args = st.args[:0]
	for i, v := range args {
		st.args = append(st.args, driver.NamedValue{Ordinal: i + 1, Value: v})
	}
	return st.args
}

func (st *stmt) exec(args ...driver.Value) (driver.Result, error) {
	return st.s.(driver.StmtExecContext).ExecContext(background, st.named(args))
}

// row returns the first row, or nil when there is none.
func (st *stmt) row(args ...driver.Value) (row []driver.Value, err error) {
	err = st.each(func(r []driver.Value) bool { row = r; return false }, args...)
	return row, err
}

// each calls fn with each row until it returns false. The slice is used again for the next row, its values are not.
func (st *stmt) each(fn func(row []driver.Value) bool, args ...driver.Value) (err error) {
	rows, err := st.s.(driver.StmtQueryContext).QueryContext(background, st.named(args))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	row := make([]driver.Value, len(rows.Columns()))
	for {
		switch err := rows.Next(row); {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		}
		if !fn(row) {
			return nil
		}
	}
}

// resultCode returns SQLite's primary result code of an error, or 0.
func resultCode(err error) int {
	var e *sqlite.Error
	if errors.As(err, &e) {
		return e.Code() & 0xff
	}
	return 0
}

func isFull(err error) bool { return resultCode(err) == sqlite3.SQLITE_FULL }

func isBusy(err error) bool { return resultCode(err) == sqlite3.SQLITE_BUSY }

// translate gives an error of SQLite that callers tell apart its name here; the chain keeps the first voice.
func translate(err error) error {
	switch resultCode(err) {
	case sqlite3.SQLITE_FULL:
		return fmt.Errorf("%w (%w)", ErrFull, err)
	case sqlite3.SQLITE_BUSY:
		return fmt.Errorf("%w (%w)", ErrBusy, err)
	case sqlite3.SQLITE_NOTADB:
		return fmt.Errorf("not a database: name another file, or restore this one from a backup (%w)", err)
	case sqlite3.SQLITE_CANTOPEN:
		return fmt.Errorf("cannot be opened: see that it is a file, and that this user may read and write it and its folder (%w)", err)
	}
	return err
}

// ignoreNoTransaction drops the error of a ROLLBACK that SQLite has already done by itself.
func ignoreNoTransaction(err error) error {
	if resultCode(err) == sqlite3.SQLITE_ERROR {
		return nil
	}
	return err
}
