package replica_test

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"trio/crdt"
	"trio/ranking"
	"trio/replica"
	"trio/replica/sql"
)

var growth = flag.Int("growth", 0, "actions that TestGrowth logs; 36500 is a year of 100 a day")

// TestGrowth measures what a logged action costs a device for good, and what folding takes, at once and as it goes.
func TestGrowth(t *testing.T) {
	ctx := t.Context()
	n := *growth
	if n == 0 {
		t.Skip("-growth says how many actions to log")
	}
	path := filepath.Join(t.TempDir(), "r.db")
	start := time.Date(2026, 1, 1, 8, 0, 0, 0, time.UTC)
	c := &clock{start}
	cfg := replica.Config{Path: path, Now: c.now, Member: crdt.MemberID{1}, Device: crdt.DeviceID{2}}
	r, err := replica.Open(ctx, cfg)
	ok(t, err)
	var people []crdt.ContactID
	for i := range 400 {
		id, err := r.AddContact(ctx, replica.Fields{
			crdt.FieldName: fmt.Sprintf("Contact %d", i), crdt.FieldPhone + fmt.Sprintf("+1555%07d", i): "mobile",
		})
		ok(t, err)
		people = append(people, id)
	}
	var o order
	ok(t, o.sync(r))
	empty := parts(t, path)
	path2 := filepath.Join(t.TempDir(), "r2.db")
	r2 := open(t, replica.Config{Path: path2, Now: c.now, Member: crdt.MemberID{1}, Device: crdt.DeviceID{3}})
	var longest time.Duration
	outcomes := []string{"no_answer", "answered", "replied", "not_ready", "moved"}
	for i := range n {
		c.t = start.Add(time.Duration(i) * 365 * 24 * time.Hour / 36500)
		e := crdt.Entry{
			Kind: []crdt.Kind{crdt.Call, crdt.Text, crdt.Suggestion}[i%3], Contact: people[i*7919%len(people)], Channel: "text",
			Outcome: outcomes[i%len(outcomes)], Evidence: crdt.E1, Zone: -300, Skew: int64(i%7) * 100, Trigger: "reorder", Playbook: 1,
			Content: fmt.Sprintf("playbook/%d", i%9), At: c.t.UnixMilli(),
		}
		if e.Kind == crdt.Suggestion {
			e.Choice, e.Reason, e.Outcome = crdt.Taken, "order_due", ""
		}
		_, err := r.Log(ctx, e)
		ok(t, err)
		if i%500 == 499 {
			ok(t, o.sync(r))
			ok(t, o.sync(r2))
			from := time.Now()
			_, err := r2.Compact(ctx)
			ok(t, err)
			longest = max(longest, time.Since(from))
		}
	}
	ok(t, r2.Close())
	t.Logf("folded as it goes: %s; longest Compact %v", describe(parts(t, path2), empty, n), longest.Round(time.Millisecond))
	ok(t, o.sync(r))
	before := dump(t, r)
	times := func(what string) {
		ok(t, r.Close())
		t.Logf("%s: %s", what, describe(parts(t, path), empty, n))
		best := time.Hour
		for range 5 {
			from := time.Now()
			r, err = replica.Open(ctx, cfg)
			ok(t, err)
			_, err = r.TopThree(ctx, ranking.Prospects, "en")
			ok(t, err)
			best = min(best, time.Since(from))
			ok(t, r.Close())
		}
		r, err = replica.Open(ctx, cfg)
		ok(t, err)
		from := time.Now()
		ok(t, r.Rebuild(ctx))
		t.Logf("%s: open to the first list %v, rebuild %v", what, best.Round(100*time.Microsecond), time.Since(from).Round(time.Millisecond))
		if dump(t, r) != before {
			t.Error("rebuilt rows differ")
		}
	}
	times("before")

	tap := func(done <-chan struct{}) (took []time.Duration) {
		for {
			select {
			case <-done:
				slices.Sort(took)
				return took
			default:
			}
			from := time.Now()
			if _, err := r.Log(context.Background(), crdt.Entry{Kind: crdt.Call, Contact: people[len(took)%400]}); err != nil {
				t.Error(err)
				return nil
			}
			took = append(took, time.Since(from))
			time.Sleep(2 * time.Millisecond)
		}
	}
	quiet := make(chan struct{})
	time.AfterFunc(2*time.Second, func() { close(quiet) })
	calm := tap(quiet)
	var wg sync.WaitGroup
	var busy []time.Duration
	done := make(chan struct{})
	wg.Go(func() { busy = tap(done) })
	from := time.Now()
	folded, err := r.Compact(ctx)
	ok(t, err)
	took := time.Since(from)
	close(done)
	wg.Wait()
	at := func(ds []time.Duration, share float64) time.Duration {
		if len(ds) == 0 {
			return 0
		}
		return ds[int(share*float64(len(ds)-1))].Round(10 * time.Microsecond)
	}
	t.Logf("folded %d in %v; taps meanwhile p50 %v p99 %v most %v (%d), without p50 %v p99 %v most %v", folded, took.Round(time.Millisecond),
		at(busy, .5), at(busy, .99), at(busy, 1), len(busy), at(calm, .5), at(calm, .99), at(calm, 1))
	before = dump(t, r)
	times("after")
	ok(t, r.Close())
	st, err := os.Stat(path)
	ok(t, err)
	db, err := sql.Open(path)
	ok(t, err)
	defer db.Close()
	_, err = db.Exec(`VACUUM`)
	ok(t, err)
	t.Logf("file %.1f MiB, %.1f after VACUUM", float64(st.Size())/(1<<20), float64(parts(t, path)["file"])/(1<<20))
}

// describe says how many bytes each of n actions takes.
func describe(b, empty map[string]int64, n int) string {
	line, all := "", 0.0
	for _, name := range sortedNames(b) {
		if each := float64(b[name]-empty[name]) / float64(n); name != "file" && each >= 0.5 {
			line += fmt.Sprintf(" %s %.0f", name, each)
			if name != "free" {
				all += each
			}
		}
	}
	return fmt.Sprintf("file %.1f MiB, %.0f bytes for each action:%s", float64(b["file"])/(1<<20), all, line)
}

func sortedNames(m map[string]int64) (ks []string) {
	for k := range m {
		ks = append(ks, k)
	}
	slices.Sort(ks)
	return ks
}

// parts returns the bytes of the database's tables and indexes, and of its file.
func parts(t testing.TB, path string) map[string]int64 {
	t.Helper()
	db, err := sql.Open(path)
	ok(t, err)
	defer db.Close()
	m := map[string]int64{}
	var pages, free int64
	ok(t, db.QueryRow(`SELECT (SELECT page_count FROM pragma_page_count), (SELECT freelist_count FROM pragma_freelist_count)`).Scan(&pages, &free))
	m["file"], m["free"] = pages*4096, free*4096
	rows, err := db.QueryContext(t.Context(), `SELECT name, sum(pgsize) FROM dbstat GROUP BY name`)
	ok(t, err)
	defer rows.Close()
	for rows.Next() {
		var name string
		var n int64
		ok(t, rows.Scan(&name, &n))
		m[name] = n
	}
	ok(t, rows.Err())
	return m
}
