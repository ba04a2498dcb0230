package sim_test

import (
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"testing"
	"time"

	"trio/crdt"
	"trio/crdt/automerge"
	"trio/crdt/wire"
	"trio/replica"
	"trio/server/store"
	"trio/server/store/storetest"
)

// bring pushes what another program wrote, by a device.
func (g *rig) bring(d store.Device, items ...store.Item) {
	g.Helper()
	var push []wire.Item
	for _, it := range items {
		push = append(push, wire.Item{Doc: it.Doc, Change: it.Change})
	}
	if refused := g.send(d, push...); len(refused) > 0 {
		g.Fatalf("refused: %+v", refused)
	}
}

func putText(key, value string, pred ...automerge.OpID) []automerge.Op {
	return []automerge.Op{{Key: key, Action: automerge.Put, Pred: pred, Value: text(value)}}
}

// What a program that is none of ours wrote comes to the devices, is shown, is written over, and comes back by a device to a
// server that was put back from an older backup.
func TestProgramsChangesComeBack(t *testing.T) {
	g := newRig(t)
	one, two := g.dev(), g.dev()
	a := g.replica(one, "")
	g.ok(g.sync(a, one, nil))
	backup := filepath.Join(t.TempDir(), "backup.db")
	image(t, g.path, backup)

	p := storetest.NewProgram(one, rand.New(rand.NewPCG(1, 1)))
	contact := crdt.NewContactID()
	name := crdt.ContactKey(contact, crdt.FieldName)
	first := p.Write(crdt.ContactsDoc, putText(name, "Ada"))
	second := p.Write(crdt.ContactsDoc, putText(name, "Ada L.", first.Change.OpID(0)))
	tap := p.Tap(1)
	g.bring(one, first, second, tap)
	g.ok(g.sync(a, one, nil))
	shows := func(r *replica.Replica, want string) {
		t.Helper()
		c, err := r.Contact(g.ctx, contact)
		g.ok(err)
		if c.Name != want {
			t.Errorf("contact is %q, want %q", c.Name, want)
		}
		if list, err := r.Unsent(g.ctx); err != nil || len(list) > 0 {
			t.Errorf("unsent %+v %v", list, err)
		}
		g.sameAfterRebuild(r)
	}
	shows(a, "Ada L.")

	// The server forgets. Device one, which alone has it, writes on top of it and brings back both.
	g.st.Close()
	g.path = backup
	g.open()
	g.ok(a.EditContact(g.ctx, contact, replica.Fields{crdt.FieldName: "Ada Lovelace"}))
	g.ok(g.sync(a, one, nil))
	shows(a, "Ada Lovelace")
	b := g.replica(two, "")
	g.ok(g.sync(b, two, nil))
	shows(b, "Ada Lovelace")
	rs, _, err := g.st.Feed(g.ctx, g.tenant, "", 10)
	if err != nil || len(rs) != 1 || rs[0].Entry != tap.Feed[0].Entry || rs[0].Device != one.ID {
		t.Errorf("feed %+v %v, want the program's entry, brought by device one", rs, err)
	}

	// The program goes on where it was, after the other device has written.
	p.See(crdt.ContactsDoc, first.Change)
	third := p.Write(crdt.ContactsDoc, putText(crdt.ContactKey(contact, crdt.FieldNote), "met in London"))
	g.bring(two, third)
	g.ok(g.sync(a, one, nil))
	c, err := a.Contact(g.ctx, contact)
	g.ok(err)
	if c.Note != "met in London" {
		t.Errorf("note is %q", c.Note)
	}
}

// Hundreds write a document at the same time, more than one change can build on. A device still writes, and joins them.
func TestManyWriteAtOnce(t *testing.T) {
	const writers = 500
	g := newRig(t)
	one, two := g.dev(), g.dev()
	a, b := g.replica(one, ""), g.replica(two, "")
	mine, err := a.AddContact(g.ctx, replica.Fields{crdt.FieldName: "Mine"})
	g.ok(err)
	g.ok(g.sync(a, one, nil))
	rnd := rand.New(rand.NewPCG(2, 2))
	for range writers / 100 {
		var items []store.Item
		for range 100 {
			items = append(items, storetest.NewProgram(one, rnd).Edit(1))
		}
		g.bring(one, items...)
	}
	g.ok(a.EditContact(g.ctx, mine, replica.Fields{crdt.FieldNote: "before I heard of them"}))
	g.ok(g.sync(a, one, nil))
	heads := func(r *replica.Replica) int {
		all, err := r.Heads(g.ctx)
		g.ok(err)
		return len(all[crdt.ContactsDoc])
	}
	if n := heads(a); n != writers+1 {
		t.Fatalf("%d heads, want %d", n, writers+1)
	}
	for _, note := range []string{"after", "and again"} {
		g.ok(a.EditContact(g.ctx, mine, replica.Fields{crdt.FieldNote: note}))
		g.ok(g.sync(a, one, nil))
		if n := heads(a); n != 1 {
			t.Errorf("%d heads after writing, want 1", n)
		}
	}
	g.ok(g.sync(b, two, nil))
	for _, r := range []*replica.Replica{a, b} {
		list, err := r.Unsent(g.ctx)
		if err != nil || len(list) > 0 {
			t.Errorf("unsent: %+v %v", list, err)
		}
		c, err := r.Contact(g.ctx, mine)
		if err != nil || c.Note != "and again" {
			t.Errorf("contact %+v %v", c, err)
		}
		g.sameAfterRebuild(r)
	}
}

// A document that thousands of writers wrote, as another program draws a new name each time it loads it, is no slower to
// merge, to open, to fold and to make anew than what one writer wrote.
func TestThousandsOfWriters(t *testing.T) {
	if testing.Short() {
		t.Skip("it measures what one goroutine takes; without -short it runs")
	}
	const n = 5000
	took := map[string][2]time.Duration{}
	for i, many := range []bool{false, true} {
		g := newRig(t)
		one, two := g.dev(), g.dev()
		rnd := rand.New(rand.NewPCG(3, 3))
		all := storetest.NewAuthor(one, 1, rnd)
		step := func(what string, f func()) {
			start := time.Now()
			f()
			d := took[what]
			d[i] = time.Since(start)
			took[what] = d
		}
		step("push", func() {
			for done := 0; done < n; {
				var items []store.Item
				for range 500 {
					w := all
					if many {
						w = storetest.NewProgram(one, rnd)
						if len(items) > 0 {
							w.See(items[len(items)-1].Doc, items[len(items)-1].Change)
						} else {
							w.Load(all)
						}
					}
					it := w.Edit(1)
					all.See(it.Doc, it.Change)
					items = append(items, it)
				}
				g.bring(one, items...)
				done += len(items)
			}
		})
		step("compact", func() {
			for folded := 1; folded > 0; {
				var err error
				folded, err = g.st.Compact(g.ctx, g.member, 1)
				g.ok(err)
			}
		})
		path := filepath.Join(t.TempDir(), "r.db")
		r := g.replica(two, path)
		step("merge", func() { g.ok(g.sync(r, two, nil)) })
		step("rebuild", func() { g.ok(r.Rebuild(g.ctx)) })
		g.ok(r.Close())
		step("open", func() { r = g.replica(two, path) })
		step("write", func() {
			_, err := r.AddContact(g.ctx, replica.Fields{crdt.FieldName: "Ben"})
			g.ok(err)
			g.ok(g.sync(r, two, nil))
		})
		if unsent, err := r.UnsentCount(g.ctx); err != nil || unsent > 0 {
			t.Errorf("%d unsent, %v", unsent, err)
		}
	}
	for what, d := range took {
		line := fmt.Sprintf("%s of %d changes: %v by one writer, %v by as many writers", what, n, d[0].Round(time.Millisecond), d[1].Round(time.Millisecond))
		t.Log(line)
		if d[1] > 8*d[0]+5*time.Second {
			t.Error(line)
		}
	}
}
