package replica_test

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"trio/crdt"
	"trio/replica"
	"trio/replica/sql"
)

// TestVersion1Opens opens a database that a build of schema version 1 wrote: 120 changes of two devices that have their
// place in the order, and 12 that are only on this one.
func TestVersion1Opens(t *testing.T) {
	ctx := t.Context()
	b, err := os.ReadFile("testdata/version1.db.gz")
	ok(t, err)
	z, err := gzip.NewReader(bytes.NewReader(b))
	ok(t, err)
	b, err = io.ReadAll(z)
	ok(t, err)
	path := filepath.Join(t.TempDir(), "r.db")
	ok(t, os.WriteFile(path, b, 0o600))
	cfg := replica.Config{Path: path, Now: (&clock{noon}).now, FoldAt: 50}

	// Without room for the new index it is left as it was.
	small := cfg
	small.MaxPages = int64(len(b) / 4096)
	r, err := replica.Open(ctx, small)
	if err == nil {
		ok(t, r.Close())
	} else {
		t.Logf("without room: %v", err)
		ok(t, os.WriteFile(path, b, 0o600))
	}

	r, err = replica.Open(ctx, cfg)
	ok(t, err)
	const want = "3cc85e168f7df37090d44b2fc70d5c0585facd3640f88e1f58d8a2445b8aca08" // of what the old build showed, but for the facts
	folded := ""
	same := func(when string) {
		t.Helper()
		rows, facts, _ := strings.Cut(dump(t, r), "facts ")
		if got := fmt.Sprintf("%x", sha256.Sum256([]byte(rows))); got != want {
			t.Errorf("%s the rows are not those of the old build: %s", when, got)
		}
		if folded == "" {
			folded = facts // numbers in a form of their own, which is not that of the old build
		}
		if facts != folded || facts == "" {
			t.Errorf("%s the facts are others", when)
		}
		if st, err := r.Status(ctx); err != nil || st.Changes != 132 || st.Unsent != 12 || st.Receipt.Seq != 120 {
			t.Errorf("%s: %+v, %v", when, st, err)
		}
	}
	same("opened,")
	ok(t, r.Rebuild(ctx))
	same("rebuilt,")
	if n, err := r.Compact(ctx); n != 120 || err != nil {
		t.Errorf("folded %d, want 120: %v", n, err)
	}
	same("folded,")
	ok(t, r.Rebuild(ctx))
	same("folded and rebuilt,")
	ok(t, r.Close())
	r, err = replica.Open(ctx, cfg)
	ok(t, err)
	same("opened again,")

	// It brings a server that has nothing all it holds, and another device gets that.
	var o order
	ok(t, o.sync(r))
	if len(o.items) != 132 {
		t.Errorf("the server has %d changes", len(o.items))
	}
	r2 := open(t, replica.Config{Member: r.Member(), Device: crdt.DeviceID{9}, Now: (&clock{noon}).now})
	ok(t, o.sync(r2))
	if dump(t, r) != dump(t, r2) {
		t.Error("devices differ")
	}
	ok(t, r.Close())

	// Its tables and indexes are those of a new database.
	if old, made := schemaOf(t, path), schemaOf(t, filepath.Join(filepath.Dir(path), "new.db")); !slices.Equal(old, made) {
		t.Errorf("schema that was brought up:\n%v\nnew one:\n%v", old, made)
	}
}

func schemaOf(t *testing.T, path string) (all []string) {
	if _, err := os.Stat(path); os.IsNotExist(err) {
		ok(t, open(t, replica.Config{Path: path}).Close())
	}
	db, err := sql.Open(path)
	ok(t, err)
	defer db.Close()
	rows, err := db.QueryContext(t.Context(), `SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL UNION ALL SELECT user_version FROM pragma_user_version`)
	ok(t, err)
	defer rows.Close()
	for rows.Next() {
		var s string
		ok(t, rows.Scan(&s))
		all = append(all, s)
	}
	slices.Sort(all)
	return all
}
