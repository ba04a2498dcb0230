package sql_test

import (
	"context"
	"errors"
	"math"
	"path/filepath"
	"strings"
	"testing"

	"trio/replica/sql"
)

func ok(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// TestValues: what goes in comes out, to the bit, whatever its sort and size.
func TestValues(t *testing.T) {
	ctx := t.Context()
	db, err := sql.Open(filepath.Join(t.TempDir(), "v.db"))
	ok(t, err)
	defer db.Close() //nolint:errcheck
	_, err = db.ExecContext(ctx, `CREATE TABLE v(id INTEGER PRIMARY KEY, x ANY) STRICT`)
	ok(t, err)
	type name string
	large := strings.Repeat("é", 100_000)
	for _, x := range []any{
		int64(math.MinInt64), int64(math.MaxInt64), int64(1<<53 + 1), int64(-1), 0, true, uint8(200),
		"", "x", "naïve 😀\x00tail", large,
		[]byte{},
		[]byte{0, 255, 1},
		[]byte(large), nil, name("named"),
	} {
		_, err := db.ExecContext(ctx, `INSERT INTO v(id, x) VALUES(1, ?) ON CONFLICT(id) DO UPDATE SET x=excluded.x`, x)
		ok(t, err)
		var got any
		ok(t, db.QueryRowContext(ctx, `SELECT x FROM v`).Scan(&got))
		switch want := x.(type) {
		case int64:
			var n int64
			ok(t, db.QueryRowContext(ctx, `SELECT x FROM v`).Scan(&n))
			if got != want || n != want {
				t.Errorf("%d became %v and %d", want, got, n)
			}
		case string:
			var s string
			ok(t, db.QueryRowContext(ctx, `SELECT x FROM v`).Scan(&s))
			if got != want || s != want {
				t.Errorf("%.20q became %.20q", want, got)
			}
		case name:
			var s name
			ok(t, db.QueryRowContext(ctx, `SELECT x FROM v`).Scan(&s))
			if s != want {
				t.Errorf("%q became %q", want, s)
			}
		case []byte:
			var b []byte
			ok(t, db.QueryRowContext(ctx, `SELECT x FROM v`).Scan(&b))
			if string(b) != string(want) {
				t.Errorf("%d bytes became %d", len(want), len(b))
			}
		case nil:
			var s string
			var n sql.NullString
			if err := db.QueryRowContext(ctx, `SELECT x FROM v`).Scan(&s); err == nil {
				t.Error("NULL was read into a string")
			}
			ok(t, db.QueryRowContext(ctx, `SELECT x FROM v`).Scan(&n))
			if got != nil || n.Valid {
				t.Errorf("NULL became %v", got)
			}
		}
	}
	var b bool
	var n uint8
	ok(t, db.QueryRowContext(ctx, `SELECT 1, 200`).Scan(&b, &n))
	if !b || n != 200 {
		t.Error(b, n)
	}
	if err := db.QueryRowContext(ctx, `SELECT 300`).Scan(&n); err == nil {
		t.Error("300 was read into 8 bits")
	}
	if err := db.QueryRowContext(ctx, `SELECT x FROM v WHERE id=2`).Scan(&n); !errors.Is(err, sql.ErrNoRows) {
		t.Errorf("no row: %v", err)
	}
}

// TestRows reads more than one crossing brings, rows of all sizes among them, and gives up in the middle.
func TestRows(t *testing.T) {
	ctx := t.Context()
	db, err := sql.Open(filepath.Join(t.TempDir(), "r.db"))
	ok(t, err)
	defer db.Close() //nolint:errcheck
	const many = `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<?) SELECT i, zeroblob(i*37%200), CASE WHEN i%1000=0 THEN printf('%.*c', 300000, 'x') END FROM n`
	rows, err := db.QueryContext(ctx, many, 5000)
	ok(t, err)
	n := 0
	for rows.Next() {
		var i int
		var blob []byte
		var text sql.NullString
		ok(t, rows.Scan(&i, &blob, &text))
		if n++; i != n || len(blob) != i*37%200 || text.Valid != (i%1000 == 0) || text.Valid && len(text.String) != 300_000 {
			t.Fatalf("row %d: %d, %d bytes, %d letters", n, i, len(blob), len(text.String))
		}
	}
	ok(t, rows.Err())
	if n != 5000 {
		t.Errorf("%d rows", n)
	}
	for range 300 { // statements and buffers come back
		rows, err := db.QueryContext(ctx, many, 5000)
		ok(t, err)
		rows.Next()
		ok(t, rows.Close())
	}
	gone, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := db.QueryContext(gone, `SELECT 1`); !errors.Is(err, context.Canceled) {
		t.Errorf("after the end: %v", err)
	}
}

// TestTransactions: a reader beside the writing connection sees what was committed, an error says what SQLite says, and what
// is rolled back is gone.
func TestTransactions(t *testing.T) {
	ctx := t.Context()
	path := filepath.Join(t.TempDir(), "t.db")
	db, err := sql.Open(path)
	ok(t, err)
	conn, err := db.Conn(ctx)
	ok(t, err)
	exec := func(want, q string, args ...any) {
		t.Helper()
		_, err := conn.ExecContext(ctx, q, args...)
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Fatalf("%s: %v, want %q", q, err, want)
		}
	}
	exec("", `PRAGMA journal_mode=WAL`)
	exec("", `CREATE TABLE t(id INTEGER PRIMARY KEY, b BLOB); CREATE TABLE u(x)`)
	exec("no such table", `INSERT INTO w VALUES(1)`)
	exec("syntax error", `SELEC 1`)
	exec("", `INSERT INTO t VALUES(1, x'00')`)
	exec("UNIQUE constraint failed: t.id", `INSERT INTO t VALUES(1, x'01')`)
	exec("no transaction is active", `ROLLBACK`)
	exec("", `BEGIN IMMEDIATE`)
	exec("", `INSERT INTO t VALUES(2, ?)`, []byte{1})
	read := make(chan int)
	go func() {
		var n int
		if err := db.QueryRowContext(ctx, `SELECT count(*) FROM t`).Scan(&n); err != nil {
			n = -1
		}
		read <- n
	}()
	exec("", `ROLLBACK`)
	if n := <-read; n != 1 {
		t.Errorf("a reader beside a transaction that was rolled back saw %d rows", n)
	}
	s, err := conn.PrepareContext(ctx, `INSERT INTO t VALUES(?, ?)`)
	ok(t, err)
	for id := int64(10); id < 20; id++ {
		res, err := s.ExecContext(ctx, id, nil)
		ok(t, err)
		last, _ := res.LastInsertId()
		if n, _ := res.RowsAffected(); last != id || n != 1 {
			t.Errorf("%d rows, the last is %d", n, last)
		}
	}
	ok(t, s.Close())
	exec("", `PRAGMA max_page_count=1`)
	exec("database or disk is full (13)", `INSERT INTO t VALUES(100, zeroblob(1000000))`)
	ok(t, conn.Close())
	ok(t, db.Close())

	db, err = sql.Open(path)
	ok(t, err)
	var n int
	ok(t, db.QueryRowContext(ctx, `SELECT count(*) FROM t`).Scan(&n))
	if n != 11 {
		t.Errorf("%d rows after reopening", n)
	}
	ok(t, db.Close())
}

// TestLargeValues: what is bound may have SQLite's memory grow before the rest is.
func TestLargeValues(t *testing.T) {
	ctx := t.Context()
	db, err := sql.Open(filepath.Join(t.TempDir(), "v.db"))
	ok(t, err)
	defer db.Close() //nolint:errcheck
	large := strings.Repeat("x", 16<<20)
	var first, last, n int64
	var word string
	ok(t, db.QueryRowContext(ctx, `SELECT length(?1), length(?2), ?3, ?4`, large, []byte(large), int64(7), "seven").Scan(&first, &last, &n, &word))
	if first != 16<<20 || last != first || n != 7 || word != "seven" {
		t.Errorf("16 MB twice, 7 and seven became %d, %d, %d and %q", first, last, n, word)
	}
}
