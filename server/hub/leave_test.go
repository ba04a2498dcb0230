package hub_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"trio/crdt"
	"trio/crdt/wire"
	"trio/server/hub"
	"trio/server/store"
)

// revoke takes a peer's access back, and has it come again.
func (p *peer) revoke(st *store.SQLite) {
	p.Helper()
	if err := st.RevokeDevice(p.Context(), p.dev.ID); err != nil {
		p.Fatal(err)
	}
	p.dev.Revoked = true
	p.Session = hub.NewSession(st, p.dev, "test", time.Now)
	p.pushes = 0
}

func (p *peer) kept(st *store.SQLite) []store.Parked {
	p.Helper()
	kept, err := st.ParkedOf(p.Context(), p.dev.ID, 0, 0)
	if err != nil {
		p.Fatal(err)
	}
	return kept
}

func TestRevokedDeviceLeaves(t *testing.T) {
	st, ps := newPeers(t, 2)
	a, b := ps[0], ps[1]
	a.hello()
	a.take()
	a.push()
	a.take()
	b.hello()
	b.take()
	cut := a.author.Tap(1) // stored, but the answer does not come through
	if err := a.give(&wire.Push{ID: 9, Items: []wire.Item{{Doc: cut.Doc, Change: cut.Change}}}); err != nil {
		t.Fatal(err)
	}
	a.at = wire.Receipt{}
	a.revoke(st)
	a.hello()
	fs := a.take()
	w, ok := fs[0].(*wire.Welcome)
	if len(fs) != 1 || !ok || !w.Leave || w.Reconcile || w.Head.Seq != 2 {
		t.Fatalf("got %+v", fs)
	}
	a.Wake(3)
	if fs := a.take(); len(fs) != 0 {
		t.Errorf("a device that leaves is sent %q", kinds(fs))
	}
	items := []wire.Item{{Doc: cut.Doc, Change: cut.Change}}
	for range 3 {
		it := a.author.Tap(1)
		items = append(items, wire.Item{Doc: it.Doc, Change: it.Change})
	}
	for range 2 { // the second time after a kill, say
		a.pushes++
		if err := a.give(&wire.Push{ID: a.pushes, Items: items}); err != nil {
			t.Fatal(err)
		}
		var e *wire.Error
		if err := a.give(&wire.Push{ID: a.pushes + 1}); !errors.As(err, &e) || e.Code != wire.CodeOrder {
			t.Errorf("a push before the answer: %v", err)
		}
		if fs := a.take(); len(fs) != 1 || fs[0].(*wire.Answer).ID != a.pushes || len(fs[0].(*wire.Answer).Refused) > 0 {
			t.Errorf("answered %+v", fs)
		}
	}
	if kept := a.kept(st); len(kept) != 3 {
		t.Errorf("%d changes are kept, want the 3 that the order has not", len(kept))
	}
	if head, err := st.Head(t.Context(), a.dev.Member); err != nil || head.Seq != 2 {
		t.Errorf("the order goes up to %d, %v", head.Seq, err)
	}
	var e *wire.Error
	if err := a.give(&wire.Left{}); !errors.As(err, &e) || e.Code != wire.CodeRevoked || e.Code.Retry() {
		t.Errorf("left: %v", err)
	}
	if info, err := st.DeviceByID(t.Context(), a.dev.ID); err != nil || info.Left.IsZero() || info.Parked != 3 {
		t.Errorf("the store knows %+v, %v", info, err)
	}
	again := &peer{T: t, Session: hub.NewSession(st, a.dev, "test", time.Now), dev: a.dev}
	if err := again.give(&wire.Hello{Version: 2, Member: a.dev.Member, Device: a.dev.ID}); !errors.As(err, &e) || e.Code != wire.CodeRevoked || !strings.Contains(e.Text, "it left") {
		t.Errorf("a device that left comes again: %v", err)
	}
	// Another connection of it, that was there meanwhile, says so too.
	if err := a.give(&wire.Left{}); !errors.As(err, &e) || e.Code != wire.CodeRevoked {
		t.Errorf("left twice: %v", err)
	}
}

// After a restore of the server the device's receipt proves nothing: it sends all, and only what the order lacks is kept
// apart; what is folded counts as well.
func TestRevokedDeviceOfAnotherOrder(t *testing.T) {
	st, ps := newPeers(t, 1)
	a := ps[0]
	a.hello()
	a.take()
	var items []wire.Item
	for range 80 {
		it := a.author.Tap(1)
		items = append(items, wire.Item{Doc: it.Doc, Change: it.Change})
	}
	if err := a.give(&wire.Push{ID: 1, Items: items[:70]}); err != nil {
		t.Fatal(err)
	}
	a.take()
	if n, err := st.Compact(t.Context(), a.dev.Member, 1); err != nil || n == 0 {
		t.Fatal(n, err)
	}
	a.at.Chain[0]++
	a.revoke(st)
	a.hello()
	if w := a.take()[0].(*wire.Welcome); !w.Leave || !w.Reconcile {
		t.Errorf("welcomed with %+v", w)
	}
	var e *wire.Error
	if err := a.give(&wire.Have{}); !errors.As(err, &e) || e.Code != wire.CodeOrder {
		t.Errorf("a device that leaves names what it has: %v", err)
	}
	if err := a.give(&wire.Push{ID: 1, Items: items}); err != nil {
		t.Fatal(err)
	}
	a.take()
	if kept := a.kept(st); len(kept) != 10 {
		t.Errorf("%d changes are kept, want 10", len(kept))
	}
}

func TestRevokedDeviceThatCannotLeave(t *testing.T) {
	st, ps := newPeers(t, 2)
	var e *wire.Error
	ps[0].revoke(st)
	if err := ps[0].give(&wire.Hello{Version: 1, Member: ps[0].dev.Member, Device: ps[0].dev.ID}); !errors.As(err, &e) || e.Code != wire.CodeRevoked {
		t.Errorf("version 1: %v", err)
	}
	ps[1].hello()
	ps[1].take()
	if err := ps[1].give(&wire.Left{}); !errors.As(err, &e) || e.Code != wire.CodeOrder {
		t.Errorf("left unasked: %v", err)
	}
	if info, err := st.DeviceByID(t.Context(), ps[1].dev.ID); err != nil || !info.Left.IsZero() {
		t.Errorf("a device that may sync left: %+v, %v", info, err)
	}
}

// A device that leaves is told by name of what nobody can keep, and of the rest nothing is lost.
func TestLeavingWithWhatCannotBeKept(t *testing.T) {
	st, ps := newPeers(t, 1)
	a := ps[0]
	a.revoke(st)
	a.hello()
	a.take()
	good, newer, odd := a.author.Tap(1), a.author.Tap(1), a.author.Tap(1)
	if err := a.give(&wire.Push{ID: 1, Items: []wire.Item{
		{Doc: good.Doc, Change: good.Change},
		{Doc: "diary", Change: newer.Change},
		{Doc: crdt.DocName(strings.Repeat("n", store.MaxParkedName+1)), Change: odd.Change},
	}}); err != nil {
		t.Fatal(err)
	}
	fs := a.take()
	if x, ok := fs[0].(*wire.Answer); !ok || len(x.Refused) != 1 || x.Refused[0].Code != wire.CodeDocument || x.Refused[0].Hash != odd.Change.Hash() {
		t.Errorf("answered %+v", fs[0])
	}
	if kept := a.kept(st); len(kept) != 2 || kept[1].Item.Doc != "diary" || kept[1].Item.Change.Hash() != newer.Change.Hash() {
		t.Errorf("kept %+v", kept)
	}
}

// A session that knows how far the order goes reads the store only for what is new.
func TestWokenForWhatWasSent(t *testing.T) {
	st, ps := newPeers(t, 2)
	reads := &counting{SQLite: st}
	a, b := ps[0], ps[1]
	for _, p := range ps {
		p.Session = hub.NewSession(reads, p.dev, "test", time.Now)
		p.hello()
		p.take()
	}
	if reads.n != 0 {
		t.Errorf("%d reads for devices that are level", reads.n)
	}
	for head := uint64(1); head <= 5; head++ {
		a.push()
		a.take()
		if a.Wake(head) {
			t.Error("the sender is woken for its own change")
		}
		if !b.Wake(head) {
			t.Error("the other one is not woken")
		}
		if got := kinds(b.take()); got != "change" {
			t.Errorf("the other one got %q", got)
		}
		if b.Wake(head) || head > 1 && b.Wake(head-1) {
			t.Error("woken for what it was sent")
		}
		a.take()
		b.take()
	}
	if reads.n != 5 {
		t.Errorf("%d reads for 5 changes", reads.n)
	}
	b.Wake(99) // of another incarnation, say
	if got := b.take(); len(got) != 0 || reads.n != 6 {
		t.Errorf("%q after a hint that is not so, %d reads", kinds(got), reads.n)
	}
	b.take()
	if reads.n != 6 {
		t.Error("it is read again and again")
	}
}

type counting struct {
	*store.SQLite
	n int
}

func (c *counting) Since(ctx context.Context, m crdt.MemberID, after uint64, limit, maxBytes int) (store.Page, error) {
	c.n++
	return c.SQLite.Since(ctx, m, after, limit, maxBytes)
}
