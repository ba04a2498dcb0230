package learn

import (
	"context"
	"os"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"trio/crdt"
	"trio/crdt/automerge"
	"trio/crdt/crdttest"
	"trio/ranking"
	"trio/server/store"
)

// year makes members with a year of so many acts a day each, over a hundred contacts, folded as a store has them.
func (c *company) year(members, daily int) {
	for m := range members {
		c.member(uint64(m), 400, false, twiceAsGood)
		b := crdttest.NewBook(c, uint64(1000+m), 0)
		id, err := c.st.Members(c.Context(), c.row.ID, crdt.MemberID{}, 1000)
		c.ok(err)
		me := id[len(id)-1].ID
		d, _, err := c.st.CreateDevice(c.Context(), me, "desk")
		c.ok(err)
		b.Devices = []automerge.ActorID{crdt.NewActor(d.ID, 1)}
		b.Now = c.today.AddDate(-1, 0, 0)
		people := b.Import(100)
		b.Entries(365*daily-1000, 363, people)
		for from := 0; from < len(b.Items); from += 1000 {
			var push []store.Item
			for _, it := range b.Items[from:min(from+1000, len(b.Items))] {
				push = append(push, store.Item{Doc: it.Doc, Change: it.Change})
			}
			ack, err := c.st.Append(c.Context(), me, push)
			c.ok(err)
			if len(ack.Rejected) > 0 {
				c.Fatalf("%+v", ack.Rejected[0])
			}
		}
		for {
			n, err := c.st.Compact(c.Context(), me, 64)
			c.ok(err)
			if n == 0 {
				break
			}
		}
	}
}

// BenchmarkNight measures what a member with a year of acts costs a night, and what pushes take beside one.
//
//	go test -run '^$' -bench Night -benchtime 1x ./server/learn
func BenchmarkNight(b *testing.B) {
	b.Run("20 a day", func(b *testing.B) { nightOf(b, 20, 20) })
	b.Run("100 a day", func(b *testing.B) { nightOf(b, 4, 100) })
}

func nightOf(b *testing.B, members, daily int) {
	c := newCompany(b)
	c.year(members, daily)
	size := int64(0)
	if info, err := os.Stat(c.path); err == nil {
		size = info.Size()
	}
	l := Learner{Store: c.st, Shelf: c.shelf, Now: func() time.Time { return c.today }}
	cpu := func() time.Duration {
		var u syscall.Rusage
		c.ok(syscall.Getrusage(syscall.RUSAGE_SELF, &u))
		return time.Duration(u.Utime.Nano() + u.Stime.Nano())
	}
	for b.Loop() {
		began := cpu()
		r, err := l.Night(b.Context(), c.row, true)
		c.ok(err)
		b.ReportMetric((cpu()-began).Seconds()*1000/float64(r.Members), "cpu-ms/member")
		b.ReportMetric(r.Seconds-r.ReadSeconds, "s-of-fitting")
		b.ReportMetric(float64(r.Acts), "acts")
	}
	b.ReportMetric(float64(size)/float64(members), "bytes/member")

	// Pushes of one change, 20 writers who wait 20 ms between two: alone, and beside a night as the server runs it, by turns.
	var alone, beside []time.Duration
	l.Rest = Gently(3)
	for range 3 {
		alone = append(alone, c.pushes(b.Context(), time.Second)...)
		ctx, cancel := context.WithCancel(b.Context())
		var night sync.WaitGroup
		night.Go(func() {
			for ctx.Err() == nil {
				l.Night(ctx, c.row, true) //nolint:errcheck // it is cut off
			}
		})
		beside = append(beside, c.pushes(b.Context(), time.Second)...)
		cancel()
		night.Wait()
	}
	for name, took := range map[string][]time.Duration{"alone": alone, "beside": beside} {
		slices.Sort(took)
		b.ReportMetric(took[len(took)/2].Seconds()*1000, "p50-ms-"+name)
		b.ReportMetric(took[len(took)*99/100].Seconds()*1000, "p99-ms-"+name)
	}
}

// pushes returns how long pushes took.
func (c *company) pushes(ctx context.Context, long time.Duration) []time.Duration {
	var all []time.Duration
	var mu sync.Mutex
	var writers sync.WaitGroup
	until := time.Now().Add(long)
	for range 20 {
		id, err := c.st.CreateMember(ctx, store.Member{Tenant: c.row.ID, Name: "W"})
		c.ok(err)
		d, _, err := c.st.CreateDevice(ctx, id, "phone")
		c.ok(err)
		writers.Go(func() {
			b := crdttest.NewBook(c, 7, 0)
			b.Devices = []automerge.ActorID{crdt.NewActor(d.ID, 1)}
			person := b.Contacts(1)[0]
			for time.Now().Before(until) {
				b.Pass(time.Second)
				b.Log(crdt.Entry{Kind: crdt.Call, Contact: person, Outcome: ranking.Answered.String()})
				it := b.Items[len(b.Items)-1]
				began := time.Now()
				_, err := c.st.Append(ctx, id, []store.Item{{Doc: it.Doc, Change: it.Change}})
				c.ok(err)
				mu.Lock()
				all = append(all, time.Since(began))
				mu.Unlock()
				time.Sleep(20 * time.Millisecond)
			}
		})
	}
	writers.Wait()
	return all
}
