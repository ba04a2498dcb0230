package storetest

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"trio/crdt"
	"trio/crdt/wire"
	"trio/server/store"
)

// A witness reads while others write, and remembers what it was shown until it is told to stop. What anybody was shown has to
// stay, acknowledged or not.
type witness struct {
	mu     sync.Mutex
	cut    bool // what comes now does not count
	feed   []store.Activity
	cursor string
	heads  map[crdt.MemberID][]wire.Receipt
	err    error
}

// watch reads a company's feed and the heads of its members, at any node, until ctx ends.
func (w *witness) watch(ctx context.Context, l *Load, nodes []store.Store, rnd *rand.Rand) {
	members := l.Members()
	for ctx.Err() == nil {
		s, m := nodes[rnd.IntN(len(nodes))], members[rnd.IntN(len(members))]
		head, err := s.Head(context.Background(), m)
		var rs []store.Activity
		next := ""
		if err == nil {
			rs, next, err = s.Feed(context.Background(), l.tenant, w.cursor, 1+rnd.IntN(100))
		}
		w.mu.Lock()
		switch {
		case w.cut:
			w.mu.Unlock()
			return
		case err != nil:
			w.err = err
			w.mu.Unlock()
			return
		}
		w.feed, w.cursor = append(w.feed, rs...), next
		if list := w.heads[m]; len(list) == 0 || list[len(list)-1] != head {
			w.heads[m] = append(list, head)
		}
		w.mu.Unlock()
		if len(rs) == 0 {
			time.Sleep(200 * time.Microsecond)
		}
	}
}

// check compares what the witness was shown with what a store shows now, and goes on reading to the end.
func (w *witness) check(s store.Store, l *Load, rnd *rand.Rand) error {
	rs, next, err := wholeFeed(s, l.tenant, w.cursor, rnd)
	if err != nil {
		return fmt.Errorf("the live reader's cursor: %w", err)
	}
	w.feed, w.cursor = append(w.feed, rs...), next
	all, _, err := wholeFeed(s, l.tenant, "", rnd)
	if err != nil {
		return err
	}
	if !slices.Equal(all, w.feed) {
		i := 0
		for i < len(all) && i < len(w.feed) && all[i] == w.feed[i] {
			i++
		}
		return fmt.Errorf("the live reader of the feed saw %d records, a later one %d: they differ from record %d on", len(w.feed), len(all), i+1)
	}
	for m, list := range w.heads {
		for _, r := range list {
			if got, ok, err := s.ReceiptAt(context.Background(), m, r.Seq); err != nil || !ok || got != r {
				return fmt.Errorf("member %s: receipt at %d is %+v %v %w, was shown as %+v", m, r.Seq, got, ok, err, r)
			}
		}
	}
	return nil
}

// fault has something happen to the store again and again while devices push and others read, and looks at what is left.
func (h Harness) fault(t *testing.T, f Fault) {
	if f == nil {
		t.Skip("the harness has no such fault")
	}
	rounds := 8
	if testing.Short() {
		rounds = 3
	}
	s := seed(t)
	rnd := rand.New(rand.NewPCG(s, 0))
	p := h.place(t)
	ctx := t.Context()
	l, err := NewLoad(ctx, p, 3, 3, s)
	p.check(err)
	w := &witness{heads: map[crdt.MemberID][]wire.Receipt{}}
	acked := 0
	for round := range rounds {
		nodes := p.nodes()
		running, stop := context.WithCancel(ctx)
		w.cut = false
		var reads sync.WaitGroup
		seen := rand.New(rand.NewPCG(s, uint64(round)<<32))
		reads.Go(func() { w.watch(running, l, nodes, seen) })
		before := l.Mark()
		writes := make(chan error, 1)
		go func() { writes <- l.Run(running, nodes...) }()
		for begun := time.Now(); l.Mark() < before+20; time.Sleep(time.Millisecond) {
			if len(writes) > 0 || time.Since(begun) > time.Minute {
				stop()
				p.t.Fatalf("round %d: %d pushes acknowledged: %v", round, l.Mark()-before, <-writes)
			}
		}
		time.Sleep(time.Duration(rnd.IntN(60_000)) * time.Microsecond)
		w.mu.Lock()
		w.cut = true
		mark := l.Mark()
		w.mu.Unlock()
		next, err := f(ctx, p.dir)
		p.check(err)
		stop()
		<-writes // what they say after the fault is of no weight
		reads.Wait()
		for _, n := range nodes {
			_ = n.Close()
		}
		p.Store, p.dir = nil, next
		p.open(h.Open)
		p.check(w.err)
		if lost, err := l.Check(p, mark); err != nil {
			t.Fatalf("round %d: %v; acknowledged changes that are gone: %d", round, err, lost)
		}
		if err := w.check(p, l, rnd); err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
		acked += l.Changes(mark) - l.Changes(before)
		l.Forget(mark)
		p.check(l.Again(p))
		if lost, err := l.Check(p, l.Mark()); err != nil {
			t.Fatalf("round %d, all pushed again: %v; acknowledged changes that are gone: %d", round, err, lost)
		}
		p.check(w.check(p, l, rnd))
	}
	t.Logf("%d changes acknowledged before %d faults, none lost", acked, rounds)
}

// partition parts the nodes while devices push, heals them, and looks at whether all agree.
func (h Harness) partition(t *testing.T) {
	if h.Partition == nil {
		t.Skip("the harness cannot part nodes")
	}
	s := seed(t)
	p := h.place(t)
	ctx := t.Context()
	nodes := p.nodes()
	defer func() {
		for _, n := range nodes[1:] {
			p.check(n.Close())
		}
	}()
	l, err := NewLoad(ctx, p, 3, 3, s)
	p.check(err)
	for range 3 {
		running, stop := context.WithTimeout(ctx, time.Second)
		writes := make(chan error, 1)
		go func() { writes <- l.Run(running, nodes...) }()
		heal, err := h.Partition(ctx, p.dir)
		p.check(err)
		time.Sleep(500 * time.Millisecond)
		mark := l.Mark()
		p.check(heal())
		<-writes
		stop()
		for i, n := range nodes {
			if lost, err := l.Check(n, mark); err != nil {
				t.Fatalf("node %d: %v; acknowledged changes that are gone: %d", i, err, lost)
			}
		}
		p.check(l.Again(p))
		for i, n := range nodes {
			if lost, err := l.Check(n, l.Mark()); err != nil {
				t.Fatalf("node %d, all pushed again: %v; acknowledged changes that are gone: %d", i, err, lost)
			}
		}
	}
}

// retain empties what may be emptied: no number is given twice, and who has read everything is shown what comes next.
func (h Harness) retain(t *testing.T) {
	p := h.place(t)
	rnd := rand.New(rand.NewPCG(10, 10))
	tenant, d := p.newDevice()
	a := NewAuthor(d, 1, rnd)
	var head wire.Receipt
	taps := func(n int) (items []store.Item) {
		for range n {
			items = append(items, a.Tap(1))
		}
		head = p.push(d.Member, items...).Receipt
		return items
	}
	taps(7)
	_, cursor, err := wholeFeed(p, tenant, "", rnd)
	p.check(err)
	for range 3 {
		if _, err := p.Compact(t.Context(), d.Member, 1); err != nil {
			t.Fatal(err)
		}
		if h.Retain != nil {
			p.close()
			p.check(h.Retain(p.dir))
			p.open(h.Open)
		} else {
			p.reopen()
		}
		last := head
		if rs, _, err := p.Feed(t.Context(), tenant, cursor, 10); err != nil || len(rs) != 0 {
			t.Fatalf("a reader of all is shown %d records, %v", len(rs), err)
		}
		items := taps(3)
		if head.Seq != last.Seq+3 {
			t.Fatalf("three changes after number %d end at %d", last.Seq, head.Seq)
		}
		if r, ok, err := p.ReceiptAt(t.Context(), d.Member, last.Seq); err != nil || !ok || r != last {
			t.Fatalf("receipt at %d is %+v %v %v, was given out as %+v", last.Seq, r, ok, err, last)
		}
		rs, next, err := wholeFeed(p, tenant, cursor, rnd)
		p.check(err)
		if len(rs) != 3 {
			t.Fatalf("of three new records a reader of all that came before is shown %d", len(rs))
		}
		for i, r := range rs {
			if r.FeedRecord != items[i].Feed[0] {
				t.Fatalf("record %d is %+v, want %+v", i, r.FeedRecord, items[i].Feed[0])
			}
		}
		cursor = next
	}
	if h.Retain == nil {
		t.Log("the harness cannot empty the feed: only folding and restarts were tried")
	}
}
