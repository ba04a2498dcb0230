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
				cs, _, _, err := s.Since(b.Context(), d.Member, after, rows, 0)
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
