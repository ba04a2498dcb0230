//go:build unix

package store_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"trio/crdt"
	"trio/crdt/automerge"
	"trio/crdt/crdttest"
	"trio/server/store"
	"trio/server/store/storetest"
)

func cpu(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkAppend: many writers, each with a member of its own, pushing one tap at a time and waiting for the receipt.
// cpu-µs/op is the CPU time of the process for one change, user and system; making the changes is not in it.
func BenchmarkAppend(b *testing.B) {
	for _, bc := range []struct{ writers, perPush int }{{1, 1}, {50, 1}, {256, 1}, {50, 10}} {
		b.Run(fmt.Sprintf("writers=%d/push=%d", bc.writers, bc.perPush), func(b *testing.B) {
			s := open(b, store.Config{})
			t := newTenant(b, s)
			pushes := max(1, b.N/bc.perPush)
			work := make([][][]store.Item, bc.writers)
			members := make([]crdt.MemberID, bc.writers)
			authors := make([]*storetest.Author, bc.writers)
			for i := range authors {
				d := newDevice(b, s, t)
				members[i] = d.Member
				authors[i] = storetest.NewAuthor(d, 1, rand.New(rand.NewPCG(1, uint64(i))))
			}
			for i := range pushes {
				w := i % bc.writers
				var items []store.Item
				for range bc.perPush {
					it := authors[w].Tap(1)
					if i%3 != 0 { // a third of the changes also write a feed record
						it.Feed = nil
					}
					items = append(items, it)
				}
				work[w] = append(work[w], items)
			}
			var wg sync.WaitGroup
			var failed atomic.Pointer[error]
			latencies := make([][]time.Duration, bc.writers)
			before := cpu(b)
			b.ResetTimer()
			for w := range bc.writers {
				wg.Go(func() {
					for _, items := range work[w] {
						start := time.Now()
						ack, err := s.Append(b.Context(), members[w], items)
						if err == nil && ack.New != len(items) {
							err = fmt.Errorf("ack %+v", ack)
						}
						if err != nil {
							failed.Store(&err)
							return
						}
						latencies[w] = append(latencies[w], time.Since(start))
					}
				})
			}
			wg.Wait()
			b.StopTimer()
			if err := failed.Load(); err != nil {
				b.Fatal(*err)
			}
			changes := float64(pushes * bc.perPush)
			b.ReportMetric(float64((cpu(b)-before).Microseconds())/changes, "cpu-µs/op")
			b.ReportMetric(changes/b.Elapsed().Seconds(), "changes/s")
			reportLatency(b, latencies)
		})
	}
}

// BenchmarkCrowd: one device pushes a change at a time to a document that so many have written before, one after the other,
// as a program does that draws a new name each time it loads the document.
func BenchmarkCrowd(b *testing.B) {
	for _, n := range []int{1, 16, 256, 10_000} {
		b.Run(fmt.Sprintf("writers=%d", n), func(b *testing.B) { benchCrowd(b, n) })
	}
}

func benchCrowd(b *testing.B, n int) {
	s := open(b, store.Config{})
	d := newDevice(b, s, newTenant(b, s))
	var last []automerge.Hash
	top, own := uint64(0), uint64(0)
	next := func(actor automerge.ActorID, seq uint64) store.Item {
		c := &automerge.Change{Actor: actor, Seq: seq, StartOp: top + 1, Time: 1, Deps: last, Ops: []automerge.Op{{
			Key: fmt.Sprintf("k%d", top), Action: automerge.Put, Value: automerge.Value{Kind: automerge.KindString, Str: "v"},
		}}}
		if err := c.Seal(); err != nil {
			b.Fatal(err)
		}
		top, last = c.MaxOp(), []automerge.Hash{c.Hash()}
		return store.Item{Doc: crdt.ContactsDoc, Change: c, Carrier: d.ID}
	}
	push := func(items ...store.Item) {
		if ack, err := s.Append(b.Context(), d.Member, items); err != nil || ack.New != len(items) {
			b.Fatal(ack, err)
		}
	}
	var items []store.Item
	for i := range n - 1 {
		items = append(items, next(automerge.ActorID(fmt.Sprintf("program %08d", i)), 1))
		if len(items) == 500 {
			push(items...)
			items = nil
		}
	}
	if len(items) > 0 {
		push(items...)
	}
	before := cpu(b)
	b.ResetTimer()
	for range b.N {
		own++
		push(next(crdt.NewActor(d.ID, 1), own))
	}
	b.ReportMetric(float64((cpu(b)-before).Microseconds())/float64(b.N), "cpu-µs/op")
}

func reportLatency(b *testing.B, latencies [][]time.Duration) {
	all := slices.Concat(latencies...)
	slices.Sort(all)
	b.ReportMetric(float64(all[len(all)/2].Microseconds())/1000, "p50-ms")
	b.ReportMetric(float64(all[len(all)*99/100].Microseconds())/1000, "p99-ms")
}

// fill stores n taps of one member, in pushes of 100.
func fill(b *testing.B, s store.Store, d store.Device, n int) {
	b.Helper()
	a := storetest.NewAuthor(d, 1, rand.New(rand.NewPCG(1, 1)))
	for done := 0; done < n; {
		var items []store.Item
		for range min(100, n-done) {
			items = append(items, a.Tap(1))
		}
		if _, err := s.Append(b.Context(), d.Member, items); err != nil {
			b.Fatal(err)
		}
		done += len(items)
	}
}

func BenchmarkSince(b *testing.B) {
	s := open(b, store.Config{})
	d := newDevice(b, s, newTenant(b, s))
	const n = 20000
	fill(b, s, d, n)
	for _, rows := range []int{0, 1, 200, 4096} {
		b.Run(fmt.Sprintf("rows=%d", rows), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				after := uint64(n - rows)
				if rows == 4096 {
					after = 0
				}
				cs, _, _, err := storetest.Since(b.Context(), s, d.Member, after, rows, 0)
				if err != nil || len(cs) != rows {
					b.Fatal(len(cs), err)
				}
			}
		})
	}
}

func BenchmarkFeed(b *testing.B) {
	s := open(b, store.Config{})
	t := newTenant(b, s)
	fill(b, s, newDevice(b, s, t), 20000)
	_, middle, err := s.Feed(b.Context(), t, "", 10000)
	if err != nil {
		b.Fatal(err)
	}
	for _, rows := range []int{100, 1000} {
		b.Run(fmt.Sprintf("rows=%d", rows), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				rs, _, err := s.Feed(b.Context(), t, middle, rows)
				if err != nil || len(rs) != rows {
					b.Fatal(len(rs), err)
				}
			}
		})
	}
}

func BenchmarkReceiptAt(b *testing.B) {
	s := open(b, store.Config{})
	d := newDevice(b, s, newTenant(b, s))
	fill(b, s, d, 20000)
	for b.Loop() {
		if _, ok, err := s.ReceiptAt(b.Context(), d.Member, 10000); !ok || err != nil {
			b.Fatal(ok, err)
		}
	}
}

// pushAll stores what a book has written, 100 changes a push, with the feed records of its entries.
func pushAll(b testing.TB, s store.Store, d store.Device, items []crdttest.Item) {
	b.Helper()
	for len(items) > 0 {
		n := min(100, len(items))
		var push []store.Item
		for _, it := range items[:n] {
			p := store.Item{Doc: it.Doc, Change: it.Change}
			if it.Doc.IsLog() {
				id, err := crdt.ParseEntryID(it.Change.Ops[0].Key)
				if err != nil {
					b.Fatal(err)
				}
				e, err := crdt.ParseEntry(it.Change.Ops[0].Value.Str)
				if err != nil {
					b.Fatal(err)
				}
				body, err := e.ForCorporate()
				if err != nil {
					b.Fatal(err)
				}
				p.Feed = []store.FeedRecord{{Entry: id, Member: d.Member, Device: d.ID, Body: body}}
			}
			push = append(push, p)
		}
		items = items[n:]
		if ack, err := s.Append(b.Context(), d.Member, push); err != nil || ack.New != len(push) {
			b.Fatal(ack, err)
		}
	}
}

// BenchmarkYear stores a year of 100 actions a day and says what a logged action takes on the disk, while its changes
// stand one by one and once they are folded; the feed, which keeps its own copy for corporate, apart.
func BenchmarkYear(b *testing.B) {
	const perDay = 100
	for b.Loop() {
		dir := b.TempDir()
		s, err := store.Open(b.Context(), store.Config{Path: file(dir)})
		if err != nil {
			b.Fatal(err)
		}
		d := newDevice(b, s, newTenant(b, s))
		book := crdttest.NewBook(b, 1, 0)
		book.Devices = []automerge.ActorID{crdt.NewActor(d.ID, 1), crdt.NewActor(d.ID, 2)}
		book.Now = book.Now.AddDate(-1, 0, 0)
		contacts := book.Contacts(500)
		for range 12 {
			book.Entries(365*perDay/12, 30, contacts)
		}
		n := len(book.Items)
		pushAll(b, s, d, book.Items[:999]) // below what is folded by itself
		rows := sizes(b, dir)
		b.ReportMetric(float64(rows["changes"]+rows["changes_hash"]+rows["changes_ops"])/999, "B/action-rows")
		pushAll(b, s, d, book.Items[999:])
		for {
			k, err := s.Compact(b.Context(), d.Member, 1)
			if err != nil {
				b.Fatal(err)
			}
			if k == 0 {
				break
			}
		}
		if err := s.Close(); err != nil {
			b.Fatal(err)
		}
		db, err := raw(dir)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := db.Exec("VACUUM"); err != nil { // pages that the rows left are for the next ones
			b.Fatal(err)
		}
		_ = db.Close()
		size := sizes(b, dir)
		b.ReportMetric(float64(size["segments"]+size["changes"]+size["changes_hash"]+size["changes_ops"])/float64(n), "B/action-folded")
		b.ReportMetric(float64(size["feed"]+size["sqlite_autoindex_feed_1"]+size["feed_tenant"])/float64(n), "B/action-feed")
	}
}

// sizes returns the bytes of each table and index.
func sizes(b testing.TB, dir string) map[string]int64 {
	b.Helper()
	db, err := raw(dir)
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	rows, err := db.Query("SELECT name, sum(pgsize) FROM dbstat GROUP BY name")
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = rows.Close() }()
	size := map[string]int64{}
	for rows.Next() {
		var name string
		var n int64
		if err := rows.Scan(&name, &n); err != nil {
			b.Fatal(err)
		}
		size[name] = n
	}
	if err := rows.Err(); err != nil {
		b.Fatal(err)
	}
	return size
}

// BenchmarkPeople: what is asked of a company of 100,000 members with a device each.
func BenchmarkPeople(b *testing.B) {
	const members = 100_000
	s := open(b, store.Config{})
	ctx, t := b.Context(), newTenant(b, s)
	ids, tokens := make([]crdt.MemberID, members), make([]string, members)
	var wg sync.WaitGroup
	var failed atomic.Pointer[error]
	const workers = 200
	for w := range workers {
		wg.Go(func() {
			for i := w; i < members; i += workers {
				m := store.Member{Tenant: t, Name: fmt.Sprint("member ", i)}
				if i >= workers {
					m.Sponsor = ids[w] // the worker's first
				}
				var err error
				if ids[i], err = s.CreateMember(ctx, m); err == nil {
					_, tokens[i], err = s.CreateDevice(ctx, ids[i], "a phone")
				}
				if err != nil {
					failed.Store(&err)
					return
				}
			}
		})
	}
	wg.Wait()
	if err := failed.Load(); err != nil {
		b.Fatal(*err)
	}
	run := func(name string, f func(i int) error) {
		b.Run(name, func(b *testing.B) {
			for i := range b.N {
				if err := f(i * 7919 % members); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	run("Members=100", func(i int) error { _, err := s.Members(ctx, t, ids[i], 100); return err })
	run("Members=1000", func(i int) error { _, err := s.Members(ctx, t, ids[i], 1000); return err })
	run("Sponsored=64", func(i int) error { _, err := s.Sponsored(ctx, t, ids[i%workers], crdt.MemberID{}, 64); return err })
	run("Sponsored=nobody", func(i int) error {
		_, err := s.Sponsored(ctx, t, ids[max(i, workers)], crdt.MemberID{}, 64)
		return err
	})
	run("Sponsored=tops", func(i int) error { _, err := s.Sponsored(ctx, t, crdt.MemberID{}, ids[i%workers], 64); return err })
	run("MemberByID", func(i int) error { _, err := s.MemberByID(ctx, ids[i]); return err })
	run("Devices", func(i int) error { _, err := s.Devices(ctx, ids[i]); return err })
	run("DeviceByToken", func(i int) error { _, err := s.DeviceByToken(ctx, tokens[i]); return err })
	run("TenantByID", func(int) error { _, err := s.TenantByID(ctx, t); return err })
	run("CreateMember", func(i int) error {
		_, err := s.CreateMember(ctx, store.Member{Tenant: t, Name: "one more", Sponsor: ids[i]})
		return err
	})
	run("EditMember", func(i int) error {
		return s.EditMember(ctx, ids[max(i, workers)], store.MemberEdit{Sponsor: &ids[i%workers]})
	})
}
