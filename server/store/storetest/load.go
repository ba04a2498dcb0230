package storetest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"trio/crdt"
	"trio/crdt/automerge"
	"trio/crdt/wire"
	"trio/server/store"
)

// A Load has devices push to a store, all at once, and remembers what was acknowledged: for tests that take the store away
// in the middle of it and look at what is left. Its methods may be called while it runs.
type Load struct {
	tenant  store.Tenant
	devices []store.Device
	seed    uint64
	runs    uint32

	mu     sync.Mutex
	pushes []*sent // all that were begun and not settled
	acks   []*sent // those of them that were acknowledged, in the order of that
}

// sent is one push.
type sent struct {
	member  crdt.MemberID
	items   []store.Item
	receipt wire.Receipt // once acknowledged
}

// NewLoad makes a company in the store with so many members of so many devices each.
func NewLoad(ctx context.Context, s store.Store, members, devices int, seed uint64) (*Load, error) {
	l := &Load{seed: seed}
	var err error
	if l.tenant, err = s.CreateTenant(ctx, "a company"); err != nil {
		return nil, err
	}
	for range members {
		m, err := s.CreateMember(ctx, store.Member{Tenant: l.tenant, Name: "a member"})
		if err != nil {
			return nil, err
		}
		for range devices {
			d, _, err := s.CreateDevice(ctx, m, "a phone")
			if err != nil {
				return nil, err
			}
			l.devices = append(l.devices, d)
		}
	}
	return l, nil
}

// Devices returns the devices, those of a member side by side.
func (l *Load) Devices() []store.Device { return l.devices }

// Members returns the members.
func (l *Load) Members() (list []crdt.MemberID) {
	for i, d := range l.devices {
		if i == 0 || d.Member != l.devices[i-1].Member {
			list = append(list, d.Member)
		}
	}
	return list
}

// Run pushes until ctx ends or the store is closed, to any of its nodes. Devices begin with what the store holds, each as a
// new writer, as one that was put back from a backup does. Now and then one pushes the same twice at once, or does not wait
// for the answer and pushes it again.
func (l *Load) Run(ctx context.Context, nodes ...store.Store) error {
	l.mu.Lock()
	l.runs++
	run := l.runs
	l.mu.Unlock()
	errs := make([]error, len(l.devices))
	var wg sync.WaitGroup
	for i, d := range l.devices {
		rnd := rand.New(rand.NewPCG(l.seed, uint64(run)<<32|uint64(i)))
		a := NewAuthor(d, run, rnd)
		cs, err := history(nodes[0], d.Member, rnd)
		if err != nil {
			errs[i] = err
			continue
		}
		for _, c := range cs {
			ch, err := automerge.ParseChange(c.Raw)
			must(err) // history did
			a.See(c.Doc, ch)
		}
		wg.Go(func() {
			for ctx.Err() == nil && errs[i] == nil {
				errs[i] = l.push(nodes, a)
			}
		})
	}
	wg.Wait()
	for i, err := range errs {
		if errors.Is(err, store.ErrClosed) {
			errs[i] = nil
		}
	}
	return errors.Join(errs...)
}

func (l *Load) push(nodes []store.Store, a *Author) error {
	p := &sent{member: a.member}
	for range 1 + a.rnd.IntN(4) {
		if a.rnd.IntN(3) == 0 {
			p.items = append(p.items, a.Edit(1+a.rnd.IntN(3)))
		} else {
			p.items = append(p.items, a.Tap(1+a.rnd.IntN(2)))
		}
	}
	l.mu.Lock()
	l.pushes = append(l.pushes, p)
	l.mu.Unlock()
	one, two := nodes[a.rnd.IntN(len(nodes))], nodes[a.rnd.IntN(len(nodes))]
	switch a.rnd.IntN(8) {
	case 0:
		ctx, cancel := context.WithTimeout(context.Background(), time.Duration(a.rnd.IntN(2000))*time.Microsecond)
		defer cancel()
		if err := l.send(ctx, two, p); err == nil || ctx.Err() == nil {
			return err
		}
	case 1:
		again := make(chan error)
		go func() {
			time.Sleep(100 * time.Microsecond)
			again <- l.send(context.Background(), two, p)
		}()
		err := l.send(context.Background(), one, p)
		return errors.Join(err, <-again)
	}
	return l.send(context.Background(), one, p)
}

// send pushes once, and counts the push as acknowledged with the first acknowledgement.
func (l *Load) send(ctx context.Context, s store.Store, p *sent) error {
	ack, err := s.Append(ctx, p.member, p.items)
	if err == nil && ack.New+ack.Dup != len(p.items) {
		err = fmt.Errorf("push of %d sound changes: %+v", len(p.items), ack)
	}
	if err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if p.receipt.Seq == 0 {
		p.receipt = ack.Receipt
		l.acks = append(l.acks, p)
	}
	return nil
}

// Forget has what was acknowledged after a mark not count: the store that did so was taken away before.
func (l *Load) Forget(mark int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, p := range l.acks[mark:] {
		p.receipt = wire.Receipt{}
	}
	l.acks = l.acks[:mark]
}

// Again pushes all that has no acknowledgement, as devices do when they come back: each push is stored now, whether it was
// or not.
func (l *Load) Again(s store.Store) error {
	l.mu.Lock()
	pushes := l.pushes[:len(l.pushes):len(l.pushes)]
	l.mu.Unlock()
	for _, p := range pushes {
		if p.receipt.Seq == 0 {
			if err := l.send(context.Background(), s, p); err != nil {
				return fmt.Errorf("pushed again after a fault: %w", err)
			}
		}
	}
	return nil
}

// Mark counts the pushes that are acknowledged by now, for Check.
func (l *Load) Mark() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.acks)
}

// Changes returns how many changes were acknowledged up to a mark.
func (l *Load) Changes(mark int) (n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, p := range l.acks[:mark] {
		n += len(p.items)
	}
	return n
}

// Check compares a store with what was acknowledged up to a mark: each of these changes is there under its receipt; of
// what was under way each push is there whole or not at all; nothing else is; each order is one; and the feed has the
// records of what is there, once. It returns how many acknowledged changes are gone, and the first thing that is wrong.
func (l *Load) Check(s store.Store, mark int) (lost int, err error) {
	first := func(e error) {
		if err == nil {
			err = e
		}
	}
	l.mu.Lock()
	pushes, acks := l.pushes[:len(l.pushes):len(l.pushes)], l.acks[:mark]
	l.mu.Unlock()
	acked := map[*sent]bool{}
	for _, p := range acks {
		acked[p] = true
	}
	rnd := rand.New(rand.NewPCG(l.seed, 1))
	have := map[crdt.MemberID]map[automerge.Hash]bool{}
	total, known := 0, 0
	for _, m := range l.Members() {
		cs, e := history(s, m, rnd)
		if e != nil {
			first(e)
		}
		have[m] = map[automerge.Hash]bool{}
		for _, c := range cs {
			have[m][c.Hash] = true
		}
		total += len(have[m])
	}
	want := map[entryKey]store.FeedRecord{}
	for _, p := range pushes {
		there := 0
		for _, it := range p.items {
			if have[p.member][it.Change.Hash()] {
				there++
				for _, f := range it.Feed {
					want[entryKey{f.Member, f.Entry}] = f
				}
			}
		}
		known += there
		switch {
		case acked[p] && there < len(p.items):
			lost += len(p.items) - there
			first(fmt.Errorf("member %s: %d changes were acknowledged with receipt %d, %d of them are there", p.member, len(p.items), p.receipt.Seq, there))
		case there != 0 && there != len(p.items):
			first(fmt.Errorf("member %s: of a push of %d changes %d are there", p.member, len(p.items), there))
		case acked[p]:
			got, ok, e := s.ReceiptAt(context.Background(), p.member, p.receipt.Seq)
			if e != nil || !ok || got != p.receipt {
				first(fmt.Errorf("member %s: receipt at %d is %+v %v %w, was given out as %+v", p.member, p.receipt.Seq, got, ok, e, p.receipt))
			}
		}
	}
	if known != total {
		first(fmt.Errorf("%d changes are there that nobody pushed", total-known))
	}
	rs, _, e := wholeFeed(s, l.tenant, "", rnd)
	if e == nil {
		e = checkFeed(rs, want)
	}
	if e != nil {
		first(e)
	}
	return lost, err
}

// Settle takes what a store holds as given, after a cut that the load goes on from: pushes that it does not have were never
// acknowledged, and those that it has are from now on.
func (l *Load) Settle(s store.Store) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	seqs := map[automerge.Hash]uint64{}
	for _, m := range l.Members() {
		cs, err := history(s, m, rand.New(rand.NewPCG(l.seed, 2)))
		if err != nil {
			return err
		}
		for _, c := range cs {
			seqs[c.Hash] = c.Seq
		}
	}
	var left []*sent
	for _, p := range l.pushes {
		seq, ok := seqs[p.items[len(p.items)-1].Change.Hash()]
		if !ok {
			continue
		}
		if p.receipt.Seq == 0 {
			r, _, err := s.ReceiptAt(context.Background(), p.member, seq)
			if err != nil {
				return err
			}
			p.receipt = r
		}
		left = append(left, p)
	}
	l.pushes, l.acks = left, append([]*sent(nil), left...)
	return nil
}
