package storetest

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"trio/crdt"
	"trio/server/store"
)

// nodes returns the place's store, and another node of it if the engine has such.
func (p *place) nodes() []store.Store {
	p.t.Helper()
	if !p.h.Nodes {
		p.t.Log("the engine serves a store by one node only")
		return []store.Store{p.Store}
	}
	second, err := p.h.Open(p.t.Context(), p.dir)
	p.check(err)
	return []store.Store{p.Store, second}
}

// hintWithin is how long a hint, or All, may take.
const hintWithin = 10 * time.Second

// A listener is what one caller of Watch was told.
type listener struct {
	mu     sync.Mutex
	heads  map[crdt.MemberID]uint64
	all    bool
	people map[crdt.MemberID]bool
	busy   bool // f runs
	twice  bool // f was called while it ran
	news   chan struct{}
}

func newListener() *listener {
	return &listener{heads: map[crdt.MemberID]uint64{}, people: map[crdt.MemberID]bool{}, news: make(chan struct{}, 1)}
}

func listen(t *testing.T, ctx context.Context, s store.Store) *listener {
	t.Helper()
	l := newListener()
	if err := s.Watch(ctx, l.take); err != nil {
		t.Fatal(err)
	}
	return l
}

func (l *listener) take(h store.Hint) {
	l.mu.Lock()
	l.twice = l.twice || l.busy
	l.busy = true
	l.all = l.all || h.All
	l.heads[h.Member] = max(l.heads[h.Member], h.Head)
	l.people[h.Member] = l.people[h.Member] || h.People
	l.mu.Unlock()
	time.Sleep(time.Microsecond)
	l.mu.Lock()
	l.busy = false
	l.mu.Unlock()
	select {
	case l.news <- struct{}{}:
	default:
	}
}

// told waits until the listener has heard of all these heads, or of All.
func (l *listener) told(t *testing.T, who string, want map[crdt.MemberID]uint64) {
	t.Helper()
	late := time.After(hintWithin)
	for {
		l.mu.Lock()
		missing := 0
		for m, seq := range want {
			if l.heads[m] < seq {
				missing++
			}
		}
		all, twice := l.all, l.twice
		l.mu.Unlock()
		if twice {
			t.Fatalf("%s: the function was called while it ran", who)
		}
		if all || missing == 0 {
			return
		}
		select {
		case <-l.news:
		case <-late:
			t.Fatalf("%s: of %d members with new changes %d had no hint, and there was none of All, within %v", who, len(want), missing, hintWithin)
		}
	}
}

// nodes has two nodes, or one, serve the same members: what one acknowledges the other can read at once, and hears of.
func (h Harness) nodes(t *testing.T) {
	s := seed(t)
	p := h.place(t)
	ctx := t.Context()
	nodes := p.nodes()
	defer func() {
		for _, n := range nodes[1:] {
			p.check(n.Close())
		}
	}()
	tenant := p.tenant()
	var devices []store.Device
	for range 6 {
		d, _ := p.device(p.member(tenant))
		devices = append(devices, d)
	}
	var listeners []*listener
	for _, n := range nodes {
		listeners = append(listeners, listen(t, ctx, n), listen(t, ctx, n))
	}
	stopped, stop := context.WithCancel(ctx)
	silent := listen(t, stopped, p.Store)
	stop()

	var mu sync.Mutex
	want := map[crdt.MemberID]uint64{}
	var wg sync.WaitGroup
	for i, d := range devices {
		rnd := rand.New(rand.NewPCG(s, uint64(i)))
		wg.Go(func() {
			a := NewAuthor(d, 1, rnd)
			for range 30 {
				w, r := nodes[rnd.IntN(len(nodes))], nodes[rnd.IntN(len(nodes))]
				ack, err := w.Append(ctx, d.Member, []store.Item{a.Tap(1)})
				if err != nil || ack.New != 1 {
					t.Errorf("push: %+v %v", ack, err)
					return
				}
				heads, err := r.Heads(ctx, []crdt.MemberID{crdt.MemberID(a.uuid()), d.Member})
				if err != nil || len(heads) != 1 || heads[d.Member] != ack.Receipt.Seq {
					t.Errorf("heads are %v %v after change %d of %s was acknowledged", heads, err, ack.Receipt.Seq, d.Member)
					return
				}
				if head, err := r.Head(ctx, d.Member); err != nil || head != ack.Receipt {
					t.Errorf("head is %+v %v after %+v was acknowledged", head, err, ack.Receipt)
					return
				}
				mu.Lock()
				want[d.Member] = ack.Receipt.Seq
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	if t.Failed() {
		return
	}
	for i, l := range listeners {
		l.told(t, []string{"a node", "a second watcher of a node", "the other node", "a second watcher of the other node"}[i], want)
	}
	silent.mu.Lock()
	if n := len(silent.heads); n > 1 { // one may have been on its way
		t.Errorf("a watcher that has ended was told of %d members", n)
	}
	silent.mu.Unlock()

	// Whoever is slow is told later, and keeps nobody waiting.
	slow, block := newListener(), make(chan struct{})
	p.check(p.Store.Watch(ctx, func(h store.Hint) {
		<-block
		slow.take(h)
	}))
	want = map[crdt.MemberID]uint64{}
	for i, d := range devices {
		a := NewAuthor(d, 2, rand.New(rand.NewPCG(s, uint64(100+i))))
		for range 5 {
			want[d.Member] = p.push(d.Member, a.Tap(1)).Receipt.Seq
		}
	}
	close(block)
	slow.told(t, "a slow watcher", want)

	// So is what happens to devices.
	for what, f := range map[string]func(d store.Device) error{
		"made":    func(d store.Device) error { _, _, err := p.CreateDevice(ctx, d.Member, "a tablet"); return err },
		"revoked": func(d store.Device) error { return p.RevokeDevice(ctx, d.ID) },
		"left": func(d store.Device) error {
			return errors.Join(p.RevokeDevice(ctx, d.ID), p.LeaveDevice(ctx, d.ID))
		},
		"adopted": func(d store.Device) error {
			return p.AdoptDevice(ctx, d.Member, crdt.DeviceID(uuid.New()))
		},
		"paired": func(d store.Device) error {
			_, code, err := p.CreateInvite(ctx, d.Member, d.ID, time.Now().Add(time.Hour))
			if err == nil {
				_, _, err = p.Redeem(ctx, code, "a tablet")
			}
			return err
		},
	} {
		d, _ := p.device(p.member(tenant))
		l := listen(t, ctx, nodes[rand.IntN(len(nodes))])
		if err := f(d); err != nil {
			t.Fatalf("device %s: %v", what, err)
		}
		late := time.After(hintWithin)
		for told := false; !told; {
			l.mu.Lock()
			told = l.all || l.people[d.Member]
			l.mu.Unlock()
			select {
			case <-l.news:
			case <-late:
				t.Fatalf("device %s: no hint of it, and none of All, within %v", what, hintWithin)
			case <-time.After(time.Millisecond):
			}
		}
	}

	if heads, err := p.Store.Heads(ctx, nil); err != nil || len(heads) != 0 {
		t.Errorf("heads of nobody: %v %v", heads, err)
	}
	old := p.Store
	p.close()
	if err := old.Watch(ctx, func(store.Hint) {}); !errors.Is(err, store.ErrClosed) {
		t.Errorf("watching a closed store: %v", err)
	}
	if _, err := old.Heads(ctx, nil); !errors.Is(err, store.ErrClosed) {
		t.Errorf("heads of a closed store: %v", err)
	}
	p.open(h.Open)
}
