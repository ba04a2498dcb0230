package sql

import (
	"context"
	"errors"
	"strings"
	"sync"
	"unsafe"
)

// ErrNoRows is what Scan says of a query of one row that found none.
var ErrNoRows = errors.New("sql: no rows in result set")

// errClosed is what closed things say.
var errClosed = errors.New("the database is closed")

// file is an open database: one connection of SQLite's for all who have it open here.
type file struct {
	path string
	id   int32
	refs int

	// turn is held by a transaction or a writing statement; who reads shares it. It guards what follows with, as all of it
	// is touched without waiting for anything, the one thread that there is.
	turn sync.RWMutex
	kept map[string]*statement // by query, for those that are not prepared by the caller
	bufs [][]byte
}

// maxKept bounds the statements that are kept prepared.
const maxKept = 200

var files = map[string]*file{}

// DB is an open database. Its statements run by themselves.
type DB struct{ f *file }

// Open opens the database at a path, and makes it when it is not there.
func Open(path string) (*DB, error) {
	f := files[path]
	if f == nil {
		id := jsOpen(path)
		if id < 0 {
			return nil, failed(id)
		}
		f = &file{path: path, id: id, kept: map[string]*statement{}}
		files[path] = f
	}
	f.refs++
	return &DB{f}, nil
}

// Close closes the database when all who opened it have.
func (db *DB) Close() error {
	f := db.f
	if f == nil {
		return nil
	}
	db.f = nil
	if f.refs--; f.refs > 0 {
		return nil
	}
	delete(files, f.path)
	for _, s := range f.kept {
		s.finalize()
	}
	if rc := jsClose(f.id); rc < 0 {
		return failed(rc)
	}
	return nil
}

// SetMaxOpenConns does nothing: there is one connection.
func (db *DB) SetMaxOpenConns(int) {}

// Conn returns the connection for transactions. There must be one at a time.
func (db *DB) Conn(context.Context) (*Conn, error) {
	if db.f == nil {
		return nil, errClosed
	}
	return &Conn{f: db.f}, nil
}

// ExecContext runs one or several statements.
func (db *DB) ExecContext(ctx context.Context, q string, args ...any) (Result, error) {
	c, err := db.Conn(ctx)
	if err != nil {
		return nil, err
	}
	return c.ExecContext(ctx, q, args...)
}

// Exec is ExecContext without a context.
func (db *DB) Exec(q string, args ...any) (Result, error) {
	return db.ExecContext(context.Background(), q, args...)
}

// QueryContext reads rows as they were committed. Until they are closed, no transaction begins.
func (db *DB) QueryContext(ctx context.Context, q string, args ...any) (*Rows, error) {
	return db.query(ctx, -1, q, args)
}

func (db *DB) query(ctx context.Context, most int32, q string, args []any) (*Rows, error) {
	f := db.f
	if f == nil {
		return nil, errClosed
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	f.turn.RLock()
	s, err := f.keep(q)
	if err != nil {
		f.turn.RUnlock()
		return nil, err
	}
	return s.query(most, args, func(bool) {
		s.busy = false
		if f.kept[q] != s {
			s.finalize()
		}
		f.turn.RUnlock()
	})
}

// QueryRowContext reads one row.
func (db *DB) QueryRowContext(ctx context.Context, q string, args ...any) *Row {
	rows, err := db.query(ctx, 1, q, args)
	return &Row{rows, err}
}

// QueryRow is QueryRowContext without a context.
func (db *DB) QueryRow(q string, args ...any) *Row {
	return db.QueryRowContext(context.Background(), q, args...)
}

// Conn is the connection that writes. Its methods are called one at a time.
type Conn struct {
	f    *file
	held bool // turn, by a transaction
}

// enter takes the turn; the function it returns gives it back, unless a transaction is open then.
func (c *Conn) enter() (leave func(open bool)) {
	if !c.held {
		c.f.turn.Lock()
	}
	return func(open bool) {
		if c.held = open; !open {
			c.f.turn.Unlock()
		}
	}
}

// Close gives the connection back; a transaction that is open is rolled back.
func (c *Conn) Close() error {
	if c.f == nil || !c.held {
		return nil
	}
	_, err := c.ExecContext(context.Background(), `ROLLBACK`)
	return err
}

// PrepareContext returns a statement for life.
func (c *Conn) PrepareContext(_ context.Context, q string) (*Stmt, error) {
	s, err := c.f.prepare(q)
	return &Stmt{c, s}, err
}

// ExecContext runs one or several statements; several must have no arguments.
func (c *Conn) ExecContext(ctx context.Context, q string, args ...any) (Result, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if len(args) > 0 || !strings.Contains(strings.TrimRight(q, "; \n\t"), ";") {
		s, err := c.f.prepare(q)
		if err != nil {
			return nil, err
		}
		defer s.finalize()
		return (&Stmt{c, s}).ExecContext(ctx, args...)
	}
	leave := c.enter()
	rc := jsScript(c.f.id, q)
	var err error
	if rc < 0 {
		err = failed(rc)
	}
	leave(jsInTx(c.f.id) != 0)
	return &result{}, err
}

// QueryContext reads rows.
func (c *Conn) QueryContext(ctx context.Context, q string, args ...any) (*Rows, error) {
	return c.query(ctx, -1, q, args)
}

func (c *Conn) query(ctx context.Context, most int32, q string, args []any) (*Rows, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s, err := c.f.prepare(q)
	if err != nil {
		return nil, err
	}
	leave := c.enter()
	return s.query(most, args, func(open bool) {
		s.finalize()
		leave(open)
	})
}

// QueryRowContext reads one row.
func (c *Conn) QueryRowContext(ctx context.Context, q string, args ...any) *Row {
	rows, err := c.query(ctx, 1, q, args)
	return &Row{rows, err}
}

// BeginTx begins a transaction.
func (c *Conn) BeginTx(ctx context.Context, _ *TxOptions) (*Tx, error) {
	_, err := c.ExecContext(ctx, `BEGIN`)
	return &Tx{c}, err
}

// TxOptions are none.
type TxOptions struct{}

// Tx is a transaction of the writing connection.
type Tx struct{ c *Conn }

// ExecContext runs one or several statements in it.
func (t *Tx) ExecContext(ctx context.Context, q string, args ...any) (Result, error) {
	return t.c.ExecContext(ctx, q, args...)
}

// Commit ends it.
func (t *Tx) Commit() error { return t.end(`COMMIT`) }

// Rollback undoes it, unless it is over.
func (t *Tx) Rollback() error {
	if !t.c.held {
		return nil
	}
	return t.end(`ROLLBACK`)
}

func (t *Tx) end(q string) error {
	_, err := t.c.ExecContext(context.Background(), q)
	return err
}

// Stmt is a statement of the writing connection, prepared once.
type Stmt struct {
	c *Conn
	s *statement
}

// Close lets go of it.
func (s *Stmt) Close() error {
	s.s.finalize()
	return nil
}

// ExecContext runs it to its end.
func (s *Stmt) ExecContext(ctx context.Context, args ...any) (Result, error) {
	rows, err := s.query(ctx, 0, args)
	if err != nil {
		return nil, err
	}
	return &result{rows.last, rows.changes}, rows.Close()
}

// QueryContext reads rows.
func (s *Stmt) QueryContext(ctx context.Context, args ...any) (*Rows, error) {
	return s.query(ctx, -1, args)
}

// QueryRowContext reads one row.
func (s *Stmt) QueryRowContext(ctx context.Context, args ...any) *Row {
	rows, err := s.query(ctx, 1, args)
	return &Row{rows, err}
}

func (s *Stmt) query(ctx context.Context, most int32, args []any) (*Rows, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return s.s.query(most, args, s.c.enter())
}

// Result is what a statement did.
type Result interface {
	LastInsertId() (int64, error) // id of the row that was inserted last
	RowsAffected() (int64, error) // how many rows were written
}

type result struct{ last, changes int64 }

func (r *result) LastInsertId() (int64, error) { return r.last, nil }
func (r *result) RowsAffected() (int64, error) { return r.changes, nil }

// Row is the answer to a query of one row.
type Row struct {
	rows *Rows
	err  error
}

// Scan reads the row's columns; ErrNoRows says that there is none.
func (r *Row) Scan(dst ...any) error {
	if r.err != nil {
		return r.err
	}
	defer r.rows.Close()
	if !r.rows.Next() {
		if err := r.rows.Err(); err != nil {
			return err
		}
		return ErrNoRows
	}
	if err := r.rows.Scan(dst...); err != nil {
		return err
	}
	return r.rows.Close()
}

// statement is a prepared statement of SQLite's.
type statement struct {
	f    *file
	id   int32
	busy bool // it has rows that are being read
}

func (f *file) prepare(q string) (*statement, error) {
	id := jsPrepare(f.id, q)
	if id < 0 {
		return nil, failed(id)
	}
	return &statement{f: f, id: id}, nil
}

// keep returns the statement of a query, which is kept prepared unless it is being read just now.
func (f *file) keep(q string) (*statement, error) {
	s := f.kept[q]
	if s == nil || s.busy {
		busy := s != nil
		var err error
		if s, err = f.prepare(q); err != nil {
			return nil, err
		}
		if len(f.kept) >= maxKept {
			for q, old := range f.kept {
				if !old.busy {
					delete(f.kept, q)
					old.finalize()
				}
			}
		}
		if !busy {
			f.kept[q] = s
		}
	}
	s.busy = true
	return s, nil
}

func (s *statement) finalize() {
	if s.id != 0 {
		jsFinalize(s.id)
		s.id = 0
	}
}

// query runs the statement up to the first buffer of rows: most rows at most, or all with -1. over is called once, with
// whether a transaction is open, when the rows are closed or when there will be none.
func (s *statement) query(most int32, args []any, over func(open bool)) (*Rows, error) {
	buf := s.f.buf()
	in, err := appendArgs(buf[:0], args)
	if err != nil {
		s.f.free(buf)
		over(jsInTx(s.f.id) != 0)
		return nil, err
	}
	// The parameters are copied before the first row is, so both may lie in the same place.
	out := in[:cap(in)]
	rc := jsRun(s.id, unsafe.Pointer(unsafe.SliceData(in)), int32(len(in)), unsafe.Pointer(unsafe.SliceData(out)), int32(len(out)), most)
	r := &Rows{s: s, buf: out, over: over}
	r.took(rc)
	if r.err != nil {
		return nil, r.Close()
	}
	return r, nil
}

// buf returns a buffer that nobody uses.
func (f *file) buf() []byte {
	if n := len(f.bufs); n > 0 {
		b := f.bufs[n-1]
		f.bufs = f.bufs[:n-1]
		return b
	}
	return make([]byte, bufSize)
}

// free takes a buffer back; large ones and more than a few are let go.
func (f *file) free(b []byte) {
	if cap(b) <= 4*bufSize && cap(b) >= bufSize && len(f.bufs) < 8 {
		f.bufs = append(f.bufs, b[:cap(b)])
	}
}
