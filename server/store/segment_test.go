package store_test

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"trio/crdt"
	"trio/crdt/automerge"
	"trio/crdt/wire"
	"trio/server/store"
	"trio/server/store/storetest"
)

// execAll runs statements on the file of a closed store.
func execAll(t *testing.T, dir string, statements ...string) {
	t.Helper()
	db, err := raw(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	for _, q := range statements {
		if _, err := db.Exec(q); err != nil {
			t.Fatalf("%s: %v", q, err)
		}
	}
}

// Months that are over are folded by themselves when a store opens, few changes or many; those of this month are not.
func TestClosedMonthsAreFolded(t *testing.T) {
	for _, tc := range []struct {
		name string
		now  time.Time // the entries are of November 2026
		taps int
		want bool
	}{
		{"this month", time.Date(2026, 11, 30, 23, 0, 0, 0, time.UTC), 100, false},
		{"next month", time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC), 100, true},
		{"next month, too few", time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC), 60, false},
		{"this month, many", time.Date(2026, 11, 30, 23, 0, 0, 0, time.UTC), 1100, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			cfg := store.Config{Path: file(t.TempDir()), Now: func() time.Time { return tc.now }}
			s := open(t, cfg)
			d := newDevice(t, s, newTenant(t, s))
			a := storetest.NewAuthor(d, 1, rand.New(rand.NewPCG(1, 1)))
			var items []store.Item
			for range tc.taps {
				items = append(items, a.Tap(1))
			}
			if _, err := s.Append(t.Context(), d.Member, items); err != nil {
				t.Fatal(err)
			}
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			s = open(t, cfg)
			folded := false
			for deadline := time.Now().Add(20 * time.Second); !folded && time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
				p, err := s.Since(t.Context(), d.Member, 0, 0, 0)
				if err != nil {
					t.Fatal(err)
				}
				if folded = p.Segment != nil; !tc.want && !folded && time.Until(deadline) < 19800*time.Millisecond {
					break
				}
			}
			if folded != tc.want {
				t.Errorf("folded: %v", folded)
			}
		})
	}
}

// A segment whose bytes have changed on the disk is said to be damaged; nothing wrong is ever served as if it were right.
func TestDamagedSegment(t *testing.T) {
	dir := t.TempDir()
	s, err := store.Open(t.Context(), store.Config{Path: file(dir)})
	if err != nil {
		t.Fatal(err)
	}
	d := newDevice(t, s, newTenant(t, s))
	a := storetest.NewAuthor(d, 1, rand.New(rand.NewPCG(1, 1)))
	var items []store.Item
	for range 80 {
		items = append(items, a.Tap(1))
	}
	if _, err := s.Append(t.Context(), d.Member, items); err != nil {
		t.Fatal(err)
	}
	if n, err := s.Compact(t.Context(), d.Member, 1); err != nil || n != 80 {
		t.Fatal(n, err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	execAll(t, dir, "UPDATE segments SET data = CAST(substr(data, 1, length(data) - 300) || x'00' || substr(data, length(data) - 298) AS BLOB)")
	s = open(t, store.Config{Path: file(dir)})
	for name, ask := range map[string]func() error{
		"since": func() error {
			_, err := s.Since(t.Context(), d.Member, 10, 0, 0)
			return err
		},
		"receipt": func() error {
			_, _, err := s.ReceiptAt(t.Context(), d.Member, 10)
			return err
		},
	} {
		if err := ask(); err == nil || !strings.Contains(err.Error(), "damaged") || !strings.Contains(err.Error(), "backup") {
			t.Errorf("%s: %v", name, err)
		}
	}
	// What goes out whole is not opened here; the device, which computes every hash, finds the damage.
	p, err := s.Since(t.Context(), d.Member, 0, 0, 0)
	if err != nil || p.Segment == nil {
		t.Fatal(err)
	}
	frame, err := wire.EncodeSegment(s.Epoch(), p.Segment)
	if err != nil {
		t.Fatal(err)
	}
	if f, err := wire.Decode(frame); err == nil {
		chain := f.(*wire.Changes).From.Chain
		for _, it := range f.(*wire.Changes).Items {
			chain = chain.Next(it.Change.Hash())
		}
		if chain == f.(*wire.Changes).To.Chain {
			t.Error("a damaged segment reads as if it were whole")
		}
	}
	if n, err := s.Compact(t.Context(), d.Member, 1); err != nil || n != 0 {
		t.Error(n, err)
	}
}

// A change that builds on folded ones is looked up outside of the committer, once, and the segment stays open for the next.
func TestOverwriteFolded(t *testing.T) {
	s := open(t, store.Config{})
	d := newDevice(t, s, newTenant(t, s))
	a := storetest.NewAuthor(d, 1, rand.New(rand.NewPCG(1, 1)))
	book := a.Edit(500)
	push := []store.Item{book}
	for range 300 {
		push = append(push, a.Edit(2))
	}
	if ack, err := s.Append(t.Context(), d.Member, push); err != nil || ack.New != 301 {
		t.Fatal(ack, err)
	}
	if n, err := s.Compact(t.Context(), d.Member, 1); err != nil || n != 301 {
		t.Fatal(n, err)
	}
	for i := range 50 {
		from := push[i]
		j := len(from.Change.Ops) - 1
		it := a.Write(crdt.ContactsDoc, []automerge.Op{{
			Key: from.Change.Ops[j].Key, Action: automerge.Put, Pred: []automerge.OpID{from.Change.OpID(j)},
			Value: automerge.Value{Kind: automerge.KindInt, Num: int64(i)},
		}})
		if ack, err := s.Append(t.Context(), d.Member, []store.Item{it}); err != nil || ack.New != 1 {
			t.Fatal(ack, err)
		}
	}
	cs, _, _, err := storetest.Since(t.Context(), s, d.Member, 301, 0, 0)
	if err != nil || len(cs) != 50 || !slices.IsSortedFunc(cs, func(a, b store.Stored) int { return int(a.Seq) - int(b.Seq) }) {
		t.Fatal(len(cs), err)
	}
}
