package automerge_test

import (
	"fmt"
	"strings"
	"testing"

	"trio/crdt/automerge"
)

const (
	syncBenchChanges = 20_000
	syncBenchMissing = 200
)

// syncEngine makes a site that has the first changes of a log; where there is a C compiler the reference is another.
type syncEngine struct {
	name string
	site func(b *testing.B, log []*automerge.Change) syncSite
	free func(b *testing.B) // what a turn leaves behind, untimed
}

var syncEngines = []syncEngine{
	{"rows", func(b *testing.B, log []*automerge.Change) syncSite { return ourBenchSite(b, log, true) }, func(*testing.B) {}},
	{"ours", func(b *testing.B, log []*automerge.Change) syncSite { return ourBenchSite(b, log, false) }, func(*testing.B) {}},
}

// ourBenchSite keeps rows as a server does and, unless rowsOnly, the values too, as automerge-go does.
func ourBenchSite(b *testing.B, log []*automerge.Change, rowsOnly bool) *ourSync {
	s := newOurSync("x")
	s.timed, s.rowsOnly = true, rowsOnly
	for _, c := range log {
		if err := s.add(c); err != nil {
			b.Fatal(err)
		}
	}
	return s
}

// syncBenchLog is one writer's log: a key of its own and about 200 bytes for each change.
func syncBenchLog(b *testing.B, changes int) []*automerge.Change {
	d := automerge.NewDoc()
	for i := range changes {
		tx := d.Begin("0123456789abcdef")
		v := automerge.Value{Kind: automerge.KindString, Str: fmt.Sprint(i, strings.Repeat(" what was said", 10))}
		if err := tx.Put(fmt.Sprint("entry ", i), v); err != nil {
			b.Fatal(err)
		}
		if _, err := tx.Commit(int64(i), ""); err != nil {
			b.Fatal(err)
		}
	}
	return d.Changes()
}

// BenchmarkSync has two sites talk until they are silent: one has a log of 20,000 changes, the other nothing of it, or all
// but the last 200 (and no saved state: filters over everything), or all of it.
func BenchmarkSync(b *testing.B) {
	log := syncBenchLog(b, syncBenchChanges)
	for _, start := range []struct {
		name string
		has  int
	}{{"fresh", 0}, {"missing200", syncBenchChanges - syncBenchMissing}, {"equal", syncBenchChanges}} {
		for _, e := range syncEngines {
			b.Run(start.name+"/"+e.name, func(b *testing.B) {
				b.ReportAllocs()
				full := e.site(b, log)
				for b.Loop() {
					b.StopTimer()
					n := pair(full, e.site(b, log[:start.has]))
					n.connect(b, n.links[0])
					b.StartTimer()
					n.settle(b, 100)
					b.StopTimer()
					if len(n.sites[1].heads(b)) != 1 || n.sites[1].heads(b)[0] != log[len(log)-1].Hash().String() {
						b.Fatalf("heads %v", n.sites[1].heads(b))
					}
					b.ReportMetric(float64(n.messages), "messages")
					b.ReportMetric(float64(n.bytes), "bytes")
					n = nil
					e.free(b)
					b.StartTimer()
				}
			})
		}
	}
}
