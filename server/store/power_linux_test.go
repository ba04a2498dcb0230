package store_test

import (
	"context"
	"database/sql"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"trio/server/store"
	"trio/server/store/powerloss"
	"trio/server/store/storetest"
)

// columns returns the columns of each table of ours in a database.
func columns(t *testing.T, db *sql.DB, schema string) map[string][]string {
	t.Helper()
	rows, err := db.Query("SELECT m.name, c.name FROM " + schema + ".sqlite_schema m, pragma_table_xinfo(m.name, '" + schema + "') c " +
		"WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite_%' AND c.hidden = 0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = rows.Close() }()
	all := map[string][]string{}
	for rows.Next() {
		var table, column string
		if err := rows.Scan(&table, &column); err != nil {
			t.Fatal(err)
		}
		all[table] = append(all[table], column)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return all
}

// older writes what a database holds into one of the first layout, which knows nothing of segments.
func older(t *testing.T, path, into string) {
	t.Helper()
	if err := store.MakeLayout(into, 1); err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("sqlite", into)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	db.SetMaxOpenConns(1) // ATTACH is of a connection
	if _, err := db.Exec("ATTACH ? AS newer", path); err != nil {
		t.Fatal(err)
	}
	newer := columns(t, db, "newer")
	for table, cols := range columns(t, db, "main") {
		cols = slices.DeleteFunc(cols, func(c string) bool { return !slices.Contains(newer[table], c) })
		list := strings.Join(cols, ", ")
		if _, err := db.Exec(fmt.Sprintf("INSERT OR REPLACE INTO main.%s (%s) SELECT %s FROM newer.%s", table, list, list, table)); err != nil {
			t.Fatal(table, err)
		}
	}
}

// TestPowerLossAtOpen: a store that is made, or brought to another layout, is there or was not touched, whenever the power
// fails.
func TestPowerLossAtOpen(t *testing.T) {
	seed := rand.Uint64()
	rnd := rand.New(rand.NewPCG(seed, 1))
	defer func() {
		if t.Failed() {
			t.Logf("seed %d", seed)
		}
	}()
	ctx := t.Context()
	from := t.TempDir()
	st := open(t, store.Config{Path: file(from)})
	load, err := storetest.NewLoad(ctx, st, 2, 2, seed)
	if err != nil {
		t.Fatal(err)
	}
	running, stop := context.WithTimeout(ctx, 200*time.Millisecond)
	defer stop()
	go func() { // a store of thousands is folded, and older layouts know of no such thing
		for running.Err() == nil && load.Changes(load.Mark()) < 500 {
			time.Sleep(2 * time.Millisecond)
		}
		stop()
	}()
	if err := load.Run(running, st); err != nil {
		t.Fatal(err)
	}
	mark := load.Mark()
	if err := st.Close(); err != nil {
		t.Fatal(err)
	}
	rounds, each, cuts := 6, 12, 0
	if testing.Short() {
		rounds, each = 2, 4
	}
	for round := range rounds {
		dir := t.TempDir()
		made := round%2 == 0
		if !made {
			older(t, file(from), file(dir))
		}
		disk, err := powerloss.New()
		if err != nil {
			t.Fatal(err)
		}
		var images []*powerloss.Image
		opened := make(chan struct{})
		var wg sync.WaitGroup
		wg.Go(func() {
			defer close(opened)
			st, err := store.Open(ctx, store.Config{Path: file(dir), VFS: disk.Name()})
			if err == nil {
				err = st.Close()
			}
			if err != nil {
				t.Error(err)
			}
		})
		for done := false; !done; {
			select {
			case <-opened:
				done = true
			case <-time.After(time.Duration(rnd.Int64N(int64(2 * time.Millisecond)))):
				images = append(images, disk.Cut(dir))
			}
		}
		wg.Wait()
		rnd.Shuffle(len(images), func(i, j int) { images[i], images[j] = images[j], images[i] })
		for _, im := range images[:min(len(images), each)] {
			cuts++
			left := filepath.Join(t.TempDir(), "left")
			s := rnd.Uint64()
			if err := im.Write(left, s); err != nil {
				t.Fatal(err)
			}
			if _, err := os.Stat(file(left)); !made && err != nil {
				continue // the cut came before SQLite had the file open
			}
			st, err := store.Open(ctx, store.Config{Path: file(left)})
			if err != nil {
				t.Fatalf("round %d, outcome %d: %v", round, s, err)
			}
			if made {
				err = st.Health(ctx)
			} else {
				_, err = load.Check(st, mark)
			}
			if err != nil {
				t.Fatalf("round %d, outcome %d: %v", round, s, err)
			}
			if err := st.Close(); err != nil {
				t.Fatal(err)
			}
		}
	}
	t.Logf("%d cuts, %d changes each", cuts, load.Changes(mark))
	if cuts < rounds {
		t.Error("too few cuts")
	}
}
