package store

import (
	"context"
	"database/sql/driver"
	"io"
	"path/filepath"
	"strings"
	"testing"

	"trio/crdt/wire"
)

// Every statement that reads finds its rows by a key or an index. A change of the schema that loses one would be felt
// only by a large store.
func TestPlans(t *testing.T) {
	s, err := Open(context.Background(), Config{Path: filepath.Join(t.TempDir(), "trio.db")})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	c, err := dial(s.cfg.Path, "", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	var w writer
	var r reader
	for _, tx := range append(w.texts(), r.texts()...) {
		if !strings.HasPrefix(tx.text, "SELECT") { // of what a SELECT within a SELECT does there are lines of its own
			continue
		}
		st, err := c.prepare("EXPLAIN QUERY PLAN " + tx.text)
		if err != nil {
			t.Fatal(err)
		}
		rows, err := st.s.(driver.StmtQueryContext).QueryContext(background, st.named(make([]driver.Value, strings.Count(tx.text, "?"))))
		if err != nil {
			t.Fatal(err)
		}
		row := make([]driver.Value, 4)
		for rows.Next(row) != io.EOF {
			step := row[3].(string)
			if !strings.HasPrefix(step, "SEARCH") && !strings.HasPrefix(step, "CORRELATED") && !strings.HasSuffix(tx.text, "sqlite_sequence WHERE name = 'feed'") {
				t.Errorf("%s\n\t%s", tx.text, step)
			}
		}
		if err := rows.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestPragmaIsVerified(t *testing.T) {
	c, err := dial(filepath.Join(t.TempDir(), "x.db"), "", []pragma{{"no_such_pragma", 1}})
	if err == nil {
		_ = c.Close()
		t.Fatal("a pragma that SQLite does not know was taken")
	}
}

func FuzzCursor(f *testing.F) {
	epoch := wire.Epoch{1, 2, 3}
	for _, pos := range []int64{0, 1, 1 << 40} {
		f.Add(formatCursor(epoch, 7, pos))
	}
	f.Add("")
	f.Add("AAAA")
	f.Add("\r\n" + formatCursor(epoch, 7, 1))
	f.Fuzz(func(t *testing.T, s string) {
		pos, err := parseCursor(s, epoch, 7)
		if err != nil || s == "" {
			return
		}
		if pos < 0 || formatCursor(epoch, 7, pos) != s {
			t.Errorf("cursor %q parses to %d, which has another spelling", s, pos)
		}
	})
}

// A code is read however a person writes it; what is read has one form.
func FuzzCode(f *testing.F) {
	for range 3 {
		f.Add(showCode(newCode()))
	}
	for _, s := range []string{"", "-", "oil0 O1L1 2345", "abcd\u2013efgh\u00a0jkmn", "UUUU-UUUU-UUUU", "0000-0000-0000-0", "\xff\xfe"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		code, ok := parseCode(s)
		if !ok {
			return
		}
		for _, form := range []string{code, showCode(code), strings.ToLower(showCode(code)), " " + code + "\n", strings.ReplaceAll(strings.ReplaceAll(code, "0", "o"), "1", "i")} {
			if again, ok := parseCode(form); !ok || again != code {
				t.Errorf("%q is %q, written as %q it is %q, %v", s, code, form, again, ok)
			}
		}
		if len(code) != codeLen || strings.Trim(code, codeDigits) != "" {
			t.Errorf("%q is read as %q", s, code)
		}
	})
}

func TestCodesDiffer(t *testing.T) {
	seen := map[string]bool{}
	digits := map[rune]bool{}
	for range 10_000 {
		code := newCode()
		if got, ok := parseCode(showCode(code)); !ok || got != code || seen[code] {
			t.Fatalf("code %q is read as %q, seen before: %v", code, got, seen[code])
		}
		seen[code] = true
		for _, r := range code {
			digits[r] = true
		}
	}
	if len(digits) != len(codeDigits) {
		t.Errorf("codes use %d digits of %d", len(digits), len(codeDigits))
	}
}
