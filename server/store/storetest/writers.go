package storetest

import (
	"math/rand/v2"
	"strings"
	"testing"

	"trio/crdt"
	"trio/crdt/automerge"
	"trio/crdt/wire"
	"trio/server/store"
)

// carriers has devices bring what other programs wrote.
func (h Harness) carriers(t *testing.T) {
	p := h.place(t)
	rnd := rand.New(rand.NewPCG(8, seed(t)))
	tenant, d := p.newDevice()
	second, _ := p.device(d.Member)
	_, stranger := p.newDevice()
	a := NewProgram(d, rnd)
	carried := func(it store.Item, by crdt.DeviceID) store.Item {
		it.Carrier = by
		return it
	}
	expect := func(what string, it store.Item) {
		t.Helper()
		if got := p.refused(d.Member, it); got != wire.CodeActor {
			t.Errorf("%s: code %d, want %d", what, got, wire.CodeActor)
		}
	}
	for known := range 2 {
		next := a.Fork().Edit(1)
		what := []string{"of a new writer", "of a known writer"}[known]
		expect("nobody brings a change "+what, carried(next, crdt.DeviceID{}))
		expect("a device of another member brings a change "+what, carried(next, stranger.ID))
		expect("a device that nobody knows brings a change "+what, carried(next, crdt.DeviceID(a.uuid())))
		p.push(d.Member, a.Edit(1))
	}
	expect("a writer that looks like a device nobody knows", carried(NewAuthor(store.Device{ID: crdt.DeviceID(a.uuid())}, 1, rnd).Edit(1), d.ID))
	expect("a device of another member", carried(NewAuthor(stranger, 1, rnd).Edit(1), d.ID))

	for _, n := range []int{1, 15, 16, 17, 19, 21, 32, 64} {
		x := NewProgram(d, rnd)
		x.actor = automerge.ActorID(strings.Repeat("x", n))
		it := x.Tap(1)
		p.push(d.Member, it, x.Edit(1))
		if ack, err := p.Append(t.Context(), d.Member, []store.Item{carried(it, second.ID)}); err != nil || ack.Dup != 1 {
			t.Errorf("name of %d bytes, brought again by another device: %+v %v", n, ack, err)
		}
	}
	long := NewProgram(d, rnd)
	long.actor = automerge.ActorID(strings.Repeat("x", 65))
	expect("a name of 65 bytes", long.Edit(1))

	// Another device may bring what comes next, a revoked one too: that is for the caller to ask.
	p.check(p.RevokeDevice(t.Context(), second.ID))
	p.push(d.Member, carried(a.Edit(1), second.ID))

	// The feed names who brought it, and what programs and devices wrote builds on one another.
	b := NewAuthor(d, 1, rnd)
	tap := a.Tap(1)
	b.See(tap.Doc, tap.Change)
	p.push(d.Member, tap, b.Tap(1))
	rs, _, err := wholeFeed(p, tenant, "", rnd)
	p.check(err)
	for _, r := range rs {
		if r.Device != d.ID {
			t.Errorf("record %+v, want one of device %s", r, d.ID)
		}
	}
	_, err = history(p, d.Member, rnd)
	p.check(err)
}

// crowds has more writers than any push could look at write one document.
func (h Harness) crowds(t *testing.T) {
	n := 5000
	if testing.Short() {
		n = 500
	}
	p := h.place(t)
	rnd := rand.New(rand.NewPCG(9, seed(t)))
	_, d := p.newDevice()
	device := NewAuthor(d, 1, rnd) // sees all
	first := device.Edit(1)
	p.push(d.Member, first)
	var writers []*Author
	stored := []store.Item{first}
	for len(stored) < n {
		var items []store.Item
		for range 1 + rnd.IntN(200) {
			a := NewProgram(d, rnd)
			if len(items) > 0 && rnd.IntN(20) > 0 {
				for _, it := range items[max(0, len(items)-3):] { // it does not see all that is written at the same time
					a.See(it.Doc, it.Change)
				}
			} else {
				a.Load(device)
			}
			it := a.Edit(1)
			if rnd.IntN(10) == 0 { // over what somebody wrote long ago
				old := stored[rnd.IntN(len(stored))].Change
				device.See(it.Doc, it.Change)
				items = append(items, it)
				it = device.Write(crdt.ContactsDoc, []automerge.Op{{
					Key: old.Ops[0].Key, Action: automerge.Put, Pred: []automerge.OpID{old.OpID(0)},
					Value: automerge.Value{Kind: automerge.KindString, Str: "new"},
				}})
			}
			device.See(it.Doc, it.Change)
			items, writers = append(items, it), append(writers, a)
		}
		p.push(d.Member, items...)
		stored = append(stored, items...)
		if rnd.IntN(3) == 0 {
			_, err := p.Compact(t.Context(), d.Member, 200)
			p.check(err)
		}
	}
	for range 30 {
		// What is there is there, whoever wrote it and whenever.
		i := rnd.IntN(len(stored) - 50)
		ack, err := p.Append(t.Context(), d.Member, stored[i:i+50])
		p.check(err)
		if ack.Dup != 50 {
			t.Fatalf("pushed again from change %d on: %+v", i, ack)
		}
		// A writer of long ago goes on, on its own branch or on everything, and cannot write a number twice.
		a := writers[rnd.IntN(len(writers))]
		if f := a.Fork(); rnd.IntN(2) == 0 {
			p.push(d.Member, a.Edit(1))
			if code := p.refused(d.Member, f.Edit(1)); code != wire.CodeSequence {
				t.Fatalf("the same number twice: code %d", code)
			}
		}
	}
	_, err := history(p, d.Member, rnd)
	p.check(err)
}
