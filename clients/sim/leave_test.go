package sim_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"trio/crdt"
	"trio/crdt/automerge"
	"trio/crdt/wire"
	"trio/replica"
	"trio/server/store"
	"trio/server/store/storetest"
)

// TestRevokedDevicesLeave plays random histories in which devices are revoked with unsent work, and devices, server and
// connections die in between. In the end each revoked device is empty, what it had not sent is with the company and not in
// the member's documents, and the other devices agree.
func TestRevokedDevicesLeave(t *testing.T) {
	if *seedFlag != 0 {
		leaves(t, *seedFlag)
		return
	}
	n := *seedsFlag / 2
	if testing.Short() {
		n = min(n, 2)
	}
	for seed := uint64(1); seed <= uint64(n); seed++ {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			leaves(t, seed)
		})
	}
}

// leaver is what is known of a device in this test.
type leaver struct {
	*device
	n       int
	revoked bool
	told    bool // it met the server since
	hasLeft bool // the server heard it
}

type leaving struct {
	*world
	all      []*leaver
	restored bool
}

func leaves(t *testing.T, seed uint64) {
	w := &leaving{world: newWorld(t, "RevokedDevicesLeave", seed)}
	defer w.close()
	for i, d := range w.devs {
		w.all = append(w.all, &leaver{device: d, n: i})
	}
	for range 150 + w.rng.IntN(200) {
		w.step()
	}
	for _, d := range w.all[1:] {
		if !d.revoked && w.rng.IntN(2) == 0 {
			w.revoke(d)
		}
	}
	for range 60 {
		w.step()
	}
	w.say("heal")
	for _, d := range w.all {
		for tries := 0; ; tries++ {
			d.link = nil
			w.connect(d.device, d.n)
			for w.move(d) {
			}
			if !d.revoked || d.hasLeft {
				break
			}
			if tries == 5 {
				w.must(fmt.Errorf("device %d does not leave", d.n))
			}
		}
	}
	for moved := true; moved; {
		moved = false
		for _, d := range w.all {
			for w.move(d) {
				moved = true
			}
		}
	}
	w.check()
}

func (w *leaving) step() {
	d := w.all[w.rng.IntN(len(w.all))]
	st, err := d.r.Status(w.ctx)
	w.must(err)
	switch p := w.rng.IntN(100); {
	case p < 30:
		if st.Left.IsZero() {
			w.tap(d.device, d.n)
		}
	case p < 42:
		w.connect(d.device, d.n)
	case p < 48:
		w.say("%d: cut", d.n)
		d.link = nil
	case p < 86:
		w.move(d)
	case p < 90:
		_, err := d.r.Compact(w.ctx)
		w.must(err)
	case p < 93:
		w.say("%d: killed", d.n)
		w.reopenDevice(d.device, d.path)
	case p < 95:
		w.say("server: killed")
		w.reopenStore(w.path)
	case p < 97:
		// A server that is put back lost what it had kept apart since: not once somebody has been told to leave.
		switch {
		case slices.ContainsFunc(w.all, func(d *leaver) bool { return d.told }):
		case w.backup == "":
			w.say("server: backup")
			w.backup = w.file("backup")
			w.image(w.path, w.backup)
		default:
			w.say("server: put back from its backup")
			w.reopenStore(w.backup)
			w.backup, w.restored = "", true
			for _, d := range w.all {
				if d.revoked {
					w.must(w.store.RevokeDevice(w.ctx, d.id.ID))
				}
			}
		}
	default:
		if d.n > 0 && !d.revoked && w.rng.IntN(3) == 0 {
			w.revoke(d)
		}
	}
}

func (w *leaving) revoke(d *leaver) {
	unsent, err := d.r.UnsentCount(w.ctx)
	w.must(err)
	w.say("%d: revoked with %d unsent", d.n, unsent)
	w.must(w.store.RevokeDevice(w.ctx, d.id.ID))
	d.revoked = true
	if w.rng.IntN(2) == 0 { // at once, or with what is on its way
		d.link = nil
	}
}

// move moves one frame, as deliver does, and ends the connection when the server refuses.
func (w *leaving) move(d *leaver) bool {
	l := d.link
	if l == nil || len(l.up) == 0 || len(l.down) > 0 && w.rng.IntN(2) == 0 {
		return w.deliver(d.device)
	}
	f := l.up[0]
	l.up = l.up[1:]
	got, err := l.srv.Receive(w.ctx, f)
	d.told = d.told || d.revoked
	d.hasLeft = d.hasLeft || got.Left
	if e, ok := errors.AsType[*wire.Error](err); ok && d.hasLeft && e.Code == wire.CodeRevoked {
		w.say("%d: %v", d.n, e)
		d.link = nil
		return true
	}
	w.must(err)
	if got.Head > 0 {
		for _, o := range w.all {
			if o != d && o.link != nil {
				o.link.srv.Wake(got.Head)
			}
		}
	}
	return true
}

func (w *leaving) check() {
	order := map[automerge.Hash]bool{}
	for more, after := true, uint64(0); more; {
		rows, at, m, err := storetest.Since(w.ctx, w.store, w.devs[0].id.Member, after, 500, 1<<30)
		w.must(err)
		for _, r := range rows {
			order[r.Hash] = true
		}
		more, after = m, at.Seq
	}
	saved := map[crdt.EntryID]bool{} // in the feed, or kept apart
	people := map[crdt.ContactID]bool{}
	for cursor := ""; ; {
		rs, next, err := w.store.Feed(w.ctx, w.tenant, cursor, 100)
		w.must(err)
		for _, r := range rs {
			saved[r.Entry] = true
		}
		if next == cursor {
			break
		}
		cursor = next
	}
	want := dump(w.world, w.devs[0].r)
	for _, d := range w.all {
		st, err := d.r.Status(w.ctx)
		w.must(err)
		if !d.revoked {
			if st.Unsent != 0 || dump(w.world, d.r) != want {
				w.must(fmt.Errorf("device %d: %d unsent, or it differs from device 0", d.n, st.Unsent))
			}
			continue
		}
		info, err := w.store.DeviceByID(w.ctx, d.id.ID)
		w.must(err)
		if _, err := d.r.Contacts(w.ctx, "", 0, 1); st.Left.IsZero() || info.Left.IsZero() || !errors.Is(err, replica.ErrLeft) {
			w.must(fmt.Errorf("device %d is not empty: %+v, %v", d.n, st, err))
		}
		for after := int64(0); ; {
			page, err := w.store.ParkedOf(w.ctx, d.id.ID, after, 7)
			w.must(err)
			for _, p := range page {
				after = p.ID
				if order[p.Item.Change.Hash()] && !w.restored {
					w.must(fmt.Errorf("a change of device %d is kept apart and in the member's documents", d.n))
				}
				for _, op := range p.Item.Change.Ops {
					if e, err := crdt.ParseEntryID(op.Key); err == nil && p.Item.Doc.IsLog() {
						saved[e] = true
					}
					if c, _, err := crdt.SplitContactKey(op.Key); err == nil && p.Item.Doc == crdt.ContactsDoc {
						people[c] = true
					}
				}
			}
			if len(page) == 0 {
				break
			}
		}
	}
	for id := range w.logged {
		if !saved[id] {
			w.must(fmt.Errorf("acknowledged action %s is lost", id))
		}
	}
	for _, c := range w.people {
		if _, err := w.devs[0].r.Contact(w.ctx, c); err != nil && !people[c] {
			w.must(fmt.Errorf("acknowledged contact %s is lost", c))
		}
	}
}

// TestTakenOver: what a device had not sent is in nobody's documents until somebody takes it over.
func TestTakenOver(t *testing.T) {
	g := newRig(t)
	lost, other := g.dev(), g.dev()
	a, b := g.replica(lost, ""), g.replica(other, "")
	g.ok(g.sync(a, lost, nil))
	_, err := a.AddContact(g.ctx, replica.Fields{crdt.FieldName: "Ana"})
	g.ok(err)
	g.ok(g.st.RevokeDevice(g.ctx, lost.ID))
	lost.Revoked = true
	err = g.sync(a, lost, nil)
	if e, ok := errors.AsType[*wire.Error](err); !ok || e.Code != wire.CodeRevoked || !strings.Contains(e.Text, "it is empty now") {
		t.Fatalf("the connection of a device that left ends with %v", err)
	}
	err = g.sync(a, lost, nil)
	if e, ok := errors.AsType[*wire.Error](err); !ok || e.Code != wire.CodeRevoked || e.Code.Retry() {
		t.Errorf("a second one is refused with %v", err)
	}
	g.ok(g.sync(b, other, nil))
	if cs, err := b.Contacts(g.ctx, "", 0, 10); err != nil || len(cs) != 0 {
		t.Errorf("the other device has %v, %v", cs, err)
	}
	kept, err := g.st.ParkedOf(g.ctx, lost.ID, 0, 10)
	g.ok(err)
	items := make([]store.Item, len(kept))
	ids := make([]int64, len(kept))
	for i, p := range kept {
		items[i], ids[i] = p.Item, p.ID
	}
	ack, err := g.st.Append(g.ctx, g.member, items)
	g.ok(err)
	g.ok(g.st.TakeParked(g.ctx, lost.ID, ids))
	if ack.New != 1 {
		t.Errorf("%d of 1 changes taken over: %+v", ack.New, ack)
	}
	g.ok(g.sync(b, other, nil))
	if cs, err := b.Contacts(g.ctx, "", 0, 10); err != nil || len(cs) != 1 || cs[0].Name != "Ana" {
		t.Errorf("taken over, the other device has %v, %v", cs, err)
	}
}

// TestRevokedWhileReconciling: a device that has dropped its receipts, to compare anew, and is revoked before it got them back
// sends everything. Only what the order has not is kept apart.
func TestRevokedWhileReconciling(t *testing.T) {
	g := newRig(t)
	lost := g.dev()
	r := g.replica(lost, "")
	for range 30 {
		_, err := r.Log(g.ctx, crdt.Entry{Kind: crdt.Share})
		g.ok(err)
	}
	g.ok(g.sync(r, lost, nil))
	_, err := r.Log(g.ctx, crdt.Entry{Kind: crdt.Share})
	g.ok(err)
	s := r.NewSession("t")
	_, err = s.Hello(g.ctx)
	g.ok(err)
	b, err := wire.Encode(&wire.Welcome{Version: wire.Version, Reconcile: true, Now: time.Now().UnixMilli()})
	g.ok(err)
	_, err = s.Receive(g.ctx, b)
	g.ok(err)
	if n, err := r.UnsentCount(g.ctx); err != nil || n != 31 {
		t.Fatalf("%d of 31 changes are without a receipt: %v", n, err)
	}
	g.ok(g.st.RevokeDevice(g.ctx, lost.ID))
	lost.Revoked = true
	if e, ok := errors.AsType[*wire.Error](g.sync(r, lost, nil)); !ok || e.Code != wire.CodeRevoked {
		t.Errorf("it ends with %v", e)
	}
	kept, err := g.st.ParkedOf(g.ctx, lost.ID, 0, 100)
	g.ok(err)
	if len(kept) != 1 {
		t.Errorf("%d changes are kept apart, want the one that the order has not", len(kept))
	}
}
