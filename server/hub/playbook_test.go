package hub_test

import (
	"context"
	"crypto/sha256"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"trio/crdt/wire"
	"trio/server/hub"
	"trio/server/store"
)

// publish publishes a document of some length as the company's next version.
func publish(tb testing.TB, st *store.SQLite, t store.Tenant, text string) store.Playbook {
	tb.Helper()
	heads, err := st.PlaybookHeads(tb.Context(), []store.Tenant{t})
	if err != nil {
		tb.Fatal(err)
	}
	next := heads[t].Taken + 1
	doc := fmt.Appendf(nil, `{"version":%d,"words":%q}`, next, strings.Repeat(text, 100))
	p, err := st.PublishPlaybook(tb.Context(), store.Playbook{Tenant: t, Version: next, Hash: sha256.Sum256(doc), By: "Ann", Doc: doc}, heads[t].Version)
	if err != nil {
		tb.Fatal(err)
	}
	return p
}

func idOf(p store.Playbook) wire.PlaybookID { return wire.PlaybookID{Version: p.Version, Hash: p.Hash} }

// greet opens a connection of a device that speaks a version of the protocol and holds a playbook.
func (p *peer) greet(version uint64, has wire.PlaybookID) (w *wire.Welcome, rest string) {
	p.Helper()
	p.Session = hub.NewSession(p.store, p.dev, "test", time.Now)
	if err := p.give(&wire.Hello{Version: version, Member: p.dev.Member, Device: p.dev.ID, Receipt: p.at, Playbook: has}); err != nil {
		p.Fatal(err)
	}
	fs := p.take()
	return fs[0].(*wire.Welcome), kinds(fs[1:])
}

func TestPlaybookGoesToWhoNeedsIt(t *testing.T) {
	st, ps := newPeers(t, 2)
	a, b := ps[0], ps[1]
	company := a.dev.Tenant
	if w, rest := a.greet(3, wire.PlaybookID{}); w.Playbook != 0 || rest != "" {
		t.Errorf("with no playbook published: %+v, then %q", w, rest)
	}
	a.push()
	a.take()
	one := publish(t, st, company, "one ")
	two := publish(t, st, company, "two ")
	other := wire.PlaybookID{Version: 2, Hash: [32]byte{1}}
	for _, x := range []struct {
		what    string
		version uint64
		has     wire.PlaybookID
		want    string
	}{
		// What the order has goes first.
		{"a device without one", 3, wire.PlaybookID{}, "change playbook 2"},
		{"a device with an older one", 3, idOf(one), "playbook 2"},
		{"a device that has it", 3, idOf(two), ""},
		{"a device with other bytes of its number", 3, other, "playbook 2"},
		{"a device with a later one", 3, wire.PlaybookID{Version: 7, Hash: [32]byte{7}}, ""},
		{"a device of protocol 2", 2, wire.PlaybookID{}, ""},
		{"a device of protocol 1", 1, wire.PlaybookID{}, ""},
	} {
		w, rest := b.greet(x.version, x.has)
		if want := map[bool]uint32{true: 2}[x.version >= 3]; rest != x.want || w.Playbook != want || w.Version != x.version {
			t.Errorf("%s: %+v, then %q, want %q", x.what, w, rest, x.want)
		}
	}
	// The one that came with version 7: its number is taken.
	if three := publish(t, st, company, "three "); three.Version != 8 {
		t.Errorf("published as version %d, want 8", three.Version)
	}

	// Told of one that was published, it goes on its way once, and not to who speaks less.
	w, _ := a.greet(3, idOf(two))
	if w.Playbook != 8 {
		t.Fatalf("%+v", w)
	}
	four := publish(t, st, company, "four ")
	if !a.WakePlaybook(four.Version) {
		t.Error("a device is not told of a new playbook")
	}
	a.Session = hub.NewSession(st, a.dev, "test", time.Now)
	if a.WakePlaybook(four.Version) {
		t.Error("a device is to be sent a playbook before it has said hello")
	}
	b.greet(2, wire.PlaybookID{})
	if b.WakePlaybook(four.Version) || len(b.take()) > 0 {
		t.Error("a device of protocol 2 is sent a playbook")
	}

	// Whose receipt proves nothing names first what it holds, and gets the order before the playbook.
	b.at = wire.Receipt{Seq: 1}
	if w, rest := b.greet(3, wire.PlaybookID{}); !w.Reconcile || rest != "" {
		t.Errorf("to reconcile: %+v, %q", w, rest)
	}
	b.at = wire.Receipt{}
	if err := b.give(&wire.Have{}); err != nil {
		t.Fatal(err)
	}
	if got := kinds(b.take()); got != "change playbook 9" {
		t.Errorf("after it has named what it holds: %q", got)
	}

	b.revoke(st)
	if w, rest := b.greet(3, wire.PlaybookID{}); !w.Leave || w.Playbook != 0 || rest != "" || b.WakePlaybook(99) {
		t.Errorf("a device that is to leave: %+v, %q", w, rest)
	}
}

// A playbook that is damaged in the store keeps nobody from the rest.
func TestDamagedPlaybookIsNotInTheWay(t *testing.T) {
	st, ps := newPeers(t, 1)
	a := ps[0]
	p := publish(t, st, a.dev.Tenant, "one ")
	a.Session = hub.NewSession(&unreadable{SQLite: st}, a.dev, "test", time.Now)
	a.hello()
	if got := kinds(a.take()); got != "welcome" {
		t.Errorf("got %q", got)
	}
	a.push()
	if got := kinds(a.take()); got != "held answer" {
		t.Errorf("got %q", got)
	}
	if _, rest := a.greet(3, wire.PlaybookID{}); rest != fmt.Sprintf("playbook %d", p.Version) {
		t.Errorf("mended, it got %q", rest)
	}
}

type unreadable struct{ *store.SQLite }

func (*unreadable) PlaybookOf(context.Context, store.Tenant, uint32) (store.Playbook, error) {
	return store.Playbook{}, fmt.Errorf("the playbook cannot be inflated")
}

// whispering has its hints of playbooks lost while mute, and counts how often one is read.
type whispering struct {
	*store.SQLite
	mute  atomic.Bool
	reads atomic.Int32
}

func (w *whispering) Watch(ctx context.Context, f func(store.Hint)) error {
	return w.SQLite.Watch(ctx, func(h store.Hint) {
		if !w.mute.Load() {
			f(h)
		}
	})
}

func (w *whispering) PlaybookOf(ctx context.Context, t store.Tenant, v uint32) (store.Playbook, error) {
	w.reads.Add(1)
	return w.SQLite.PlaybookOf(ctx, t, v)
}

// Whoever is connected is sent what is published, the same bytes all; a lost hint is made up for, and another process may
// publish. A company hears of its own alone.
func TestPublishedToAllWhoAreConnected(t *testing.T) {
	var w whispering
	s := newServed(t, hub.Config{Poll: 200 * time.Millisecond, Member: 100, Store: &w})
	other, err := s.st.CreateTenant(t.Context(), "Other")
	if err != nil {
		t.Fatal(err)
	}
	m, err := s.st.CreateMember(t.Context(), store.Member{Tenant: other, Name: "Noor"})
	if err != nil {
		t.Fatal(err)
	}
	stranger, token, err := s.st.CreateDevice(t.Context(), m, "phone")
	if err != nil {
		t.Fatal(err)
	}
	var all []*websocket.Conn
	connect := func(token string, d store.Device) *websocket.Conn {
		t.Helper()
		own := s.token
		defer func() { s.token = own }()
		s.token = token
		ws := s.dial()
		s.say(ws, &wire.Hello{Version: wire.Version, Member: d.Member, Device: d.ID})
		if f, ok := s.hear(ws).(*wire.Welcome); !ok {
			t.Fatalf("heard %+v", f)
		}
		return ws
	}
	for range 3*20 + 1 {
		all = append(all, connect(s.token, s.dev))
	}
	apart := connect(token, stranger)
	got := func(want store.Playbook) {
		t.Helper()
		for i, ws := range all {
			p, ok := s.hear(ws).(*wire.Playbook)
			if !ok || p.ID() != idOf(want) {
				t.Fatalf("connection %d heard %+v, want playbook %d", i, p, want.Version)
			}
		}
	}
	got(publish(t, s.st, s.dev.Tenant, "one "))
	if n := w.reads.Load(); n != 1 {
		t.Errorf("read %d times for %d connections", n, len(all))
	}
	w.mute.Store(true)
	got(publish(t, s.st, s.dev.Tenant, "two "))
	w.mute.Store(false)
	all = append(all, connect(s.token, s.dev)) // it came after the second one
	if p, ok := s.hear(all[len(all)-1]).(*wire.Playbook); !ok || p.Version != 2 {
		t.Errorf("who came later heard %+v", p)
	}
	got(publish(t, s.st, s.dev.Tenant, "three "))
	publish(t, s.st, other, "another company's ")
	if p, ok := s.hear(apart).(*wire.Playbook); !ok || p.Version != 1 || !strings.Contains(string(p.Doc), "another company's") {
		t.Errorf("the other company's device heard %+v", p)
	}
}
