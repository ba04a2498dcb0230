package hub_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"trio/crdt"
	"trio/crdt/automerge"
	"trio/crdt/wire"
	"trio/server/hub"
	"trio/server/store"
	"trio/server/store/storetest"
)

// peer is a device's end of a session, moved by hand.
type peer struct {
	*testing.T
	*hub.Session
	store  *store.SQLite
	dev    store.Device
	author *storetest.Author
	pushes uint64
	at     wire.Receipt // as far as the device was sent the order
}

func newPeers(t *testing.T, n int) (*store.SQLite, []*peer) {
	t.Helper()
	ctx := t.Context()
	st, err := store.Open(ctx, store.Config{Path: filepath.Join(t.TempDir(), "trio.db")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { st.Close() })
	tenant, err := st.CreateTenant(ctx, "Acme")
	if err != nil {
		t.Fatal(err)
	}
	member, err := st.CreateMember(ctx, store.Member{Tenant: tenant, Name: "Maya"})
	if err != nil {
		t.Fatal(err)
	}
	var all []*peer
	for i := range n {
		d, _, err := st.CreateDevice(ctx, member, "device")
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, &peer{
			T: t, Session: hub.NewSession(st, d, "test", time.Now), store: st, dev: d,
			author: storetest.NewAuthor(d, 1, rand.New(rand.NewPCG(uint64(i), 1))),
		})
	}
	return st, all
}

// give hands a frame to the server's side.
func (p *peer) give(f wire.Frame) error {
	p.Helper()
	b, err := wire.Encode(f)
	if err != nil {
		p.Fatal(err)
	}
	_, err = p.Receive(p.Context(), b)
	return err
}

// take returns all that the server's side has to send, checking that pieces of the order continue each other.
func (p *peer) take() (fs []wire.Frame) {
	p.Helper()
	for {
		b, err := p.Next(p.Context())
		if err != nil {
			p.Fatal(err)
		}
		if b == nil {
			return fs
		}
		f, err := wire.Decode(b)
		if err != nil {
			p.Fatal(err)
		}
		if c, ok := f.(*wire.Changes); ok {
			if c.From.Seq != p.at.Seq || c.From.Chain != p.at.Chain {
				p.Errorf("a piece of the order from %d after %d", c.From.Seq, p.at.Seq)
			}
			p.at = c.To
		}
		fs = append(fs, f)
	}
}

func (p *peer) hello() {
	p.Helper()
	if err := p.give(&wire.Hello{Version: wire.Version, Member: p.dev.Member, Device: p.dev.ID, Receipt: p.at}); err != nil {
		p.Fatal(err)
	}
}

// push sends one logged action and returns its hash.
func (p *peer) push() automerge.Hash {
	p.Helper()
	it := p.author.Tap(1)
	p.pushes++
	if err := p.give(&wire.Push{ID: p.pushes, Items: []wire.Item{{Doc: it.Doc, Change: it.Change}}}); err != nil {
		p.Fatal(err)
	}
	return it.Change.Hash()
}

func kinds(fs []wire.Frame) string {
	var b strings.Builder
	for _, f := range fs {
		switch f := f.(type) {
		case *wire.Welcome:
			b.WriteString("welcome ")
		case *wire.Answer:
			b.WriteString("answer ")
		case *wire.Playbook:
			fmt.Fprintf(&b, "playbook %d ", f.Version)
		case *wire.Changes:
			for _, held := range f.Held {
				if held {
					b.WriteString("held ")
				} else {
					b.WriteString("change ")
				}
			}
		}
	}
	return strings.TrimSpace(b.String())
}

func TestPushComesBackInTheOrderBeforeItsAnswer(t *testing.T) {
	_, ps := newPeers(t, 2)
	a, b := ps[0], ps[1]
	a.hello()
	b.hello()
	if got := kinds(a.take()) + ", " + kinds(b.take()); got != "welcome, welcome" {
		t.Fatalf("got %s", got)
	}
	a.push()
	if got := kinds(a.take()); got != "held answer" {
		t.Errorf("the sender got %q", got)
	}
	// The other device writes before it was told: its own change stands behind in the order.
	b.push()
	if got := kinds(b.take()); got != "change held answer" {
		t.Errorf("the other one got %q", got)
	}
	a.Wake(0)
	if got := kinds(a.take()); got != "change" {
		t.Errorf("the first one, woken, got %q", got)
	}
	if a.at != b.at || a.at.Seq != 2 {
		t.Errorf("the two stand at %+v and %+v", a.at, b.at)
	}
	a.Wake(0)
	if got := a.take(); len(got) != 0 {
		t.Errorf("woken for nothing, got %q", kinds(got))
	}
}

func TestReceiptThatProvesNothingIsReconciled(t *testing.T) {
	_, ps := newPeers(t, 2)
	a, b := ps[0], ps[1]
	a.hello()
	a.take()
	first := a.push()
	a.take()
	a.push()
	a.take()

	b.at = a.at
	b.at.Chain[0]++ // of another order, as after a restore
	b.hello()
	fs := b.take()
	if len(fs) != 1 || !fs[0].(*wire.Welcome).Reconcile {
		t.Fatalf("got %q", kinds(fs))
	}
	var e *wire.Error
	if err := b.give(&wire.Push{ID: 1}); !errors.As(err, &e) || e.Code != wire.CodeOrder {
		t.Errorf("a push while comparing: %v", err)
	}
	b.at = wire.Receipt{}
	if err := b.give(&wire.Have{Hashes: []automerge.Hash{first, {7}}}); err != nil {
		t.Fatal(err)
	}
	if got := kinds(b.take()); got != "held change" {
		t.Errorf("a device that holds the first of two got %q", got)
	}
	if b.at != a.at {
		t.Errorf("it stands at %+v, want %+v", b.at, a.at)
	}
}

func TestFramesOutOfTurn(t *testing.T) {
	for name, play := range map[string]func(*peer) error{
		"push before hello": func(p *peer) error { return p.give(&wire.Push{ID: 1}) },
		"hello twice": func(p *peer) error {
			p.hello()
			return p.give(&wire.Hello{Version: 1, Member: p.dev.Member, Device: p.dev.ID})
		},
		"have unasked": func(p *peer) error {
			p.hello()
			return p.give(&wire.Have{})
		},
		"welcome from a device": func(p *peer) error {
			p.hello()
			return p.give(&wire.Welcome{Version: 1})
		},
		"push before the answer": func(p *peer) error {
			p.hello()
			p.push()
			return p.give(&wire.Push{ID: 2})
		},
	} {
		t.Run(name, func(t *testing.T) {
			_, ps := newPeers(t, 1)
			var e *wire.Error
			if err := play(ps[0]); !errors.As(err, &e) || e.Code != wire.CodeOrder {
				t.Errorf("got %v", err)
			}
		})
	}
}

// What would make a document useless to other programs is refused by name and reaches no other device; what came with it
// passes.
func TestPoisonIsNotRelayed(t *testing.T) {
	st, peers := newPeers(t, 2)
	writer, other := peers[0], peers[1]
	for _, p := range peers {
		p.hello()
		p.take()
	}
	text := automerge.Value{Kind: automerge.KindString, Str: "x"}
	nobody := automerge.OpID{Counter: 1, Actor: "nobody's"}
	for name, op := range map[string]automerge.Op{
		"delete of nothing":      {Key: "name", Action: automerge.Delete},
		"value of a delete":      {Key: "name", Action: automerge.Delete, Value: text, Pred: []automerge.OpID{nobody}},
		"overwrite of nothing":   {Key: "name", Action: automerge.Put, Value: text, Pred: []automerge.OpID{nobody}},
		"object that is nowhere": {Obj: nobody, Key: "name", Action: automerge.Put, Value: text},
		"mark on the root":       {Key: "name", Action: automerge.Mark, Mark: "bold", Value: text},
	} {
		// A change before it, so that its operations are greater than what they name.
		honest := writer.author.Edit(2)
		poison := writer.author.Fork().Write("contacts", []automerge.Op{op})
		writer.pushes++
		push := &wire.Push{ID: writer.pushes, Items: []wire.Item{{Doc: honest.Doc, Change: honest.Change}, {Doc: poison.Doc, Change: poison.Change}}}
		if err := writer.give(push); err != nil {
			t.Fatal(err)
		}
		fs := writer.take()
		a, ok := fs[len(fs)-1].(*wire.Answer)
		if !ok || len(a.Refused) != 1 || a.Refused[0].Hash != poison.Change.Hash() || a.Refused[0].Code != wire.CodeInvalid || a.Refused[0].Text == "" {
			t.Errorf("%s: answered %s %+v", name, kinds(fs), fs[len(fs)-1])
		}
		other.Wake(0)
		for _, f := range other.take() {
			for _, it := range f.(*wire.Changes).Items {
				if it.Change.Hash() == poison.Change.Hash() {
					t.Errorf("%s: it was relayed", name)
				}
			}
		}
	}
	head, err := st.Head(t.Context(), writer.dev.Member)
	if err != nil || head.Seq != 5 || other.at != head {
		t.Errorf("order ends at %d, the other device at %d, %v", head.Seq, other.at.Seq, err)
	}
}

// A member whose quota is used up is told so and comes back much later; what was stored is still answered for.
func TestQuota(t *testing.T) {
	st, ps := newPeers(t, 1)
	p := ps[0]
	p.hello()
	p.push()
	p.take()
	if err := st.SetQuota(t.Context(), p.dev.Tenant, store.Quota{Bytes: 1}.Edit()); err != nil {
		t.Fatal(err)
	}
	it := p.author.Tap(1)
	e := hub.AsError(p.give(&wire.Push{ID: 2, Items: []wire.Item{{Doc: it.Doc, Change: it.Change}}}))
	if e.Code != wire.CodeFull || e.Wait != 3_600_000 || !strings.Contains(e.Text, "ask your company") || !e.Code.Retry() {
		t.Errorf("%+v", e)
	}
}

// What a device names to reconcile costs its connection memory only until it has been sent the order, whether the order has
// it or not; and little even then.
func TestNamesAreForgotten(t *testing.T) {
	_, ps := newPeers(t, 2)
	author, p := ps[0], ps[1]
	author.hello()
	author.take()
	for range 3 {
		author.push()
		author.take()
	}
	rnd := rand.New(rand.NewPCG(1, 1))
	before := heap()
	p.at.Seq = 99
	p.hello()
	p.take()
	p.at = wire.Receipt{}
	const frames = 1 << 19 / wire.MaxHave
	var during uint64
	for i := range frames {
		hashes := make([]automerge.Hash, wire.MaxHave)
		for j := range hashes {
			for k := 0; k < len(hashes[j]); k += 8 {
				binary.BigEndian.PutUint64(hashes[j][k:], rnd.Uint64())
			}
		}
		if i == frames-1 {
			during = heap()
		}
		if err := p.give(&wire.Have{Hashes: hashes, More: i < frames-1}); err != nil {
			t.Fatal(err)
		}
	}
	if got := kinds(p.take()); got != "change change change" {
		t.Errorf("got %q", got)
	}
	after := heap()
	runtime.KeepAlive(p)
	if during > before+16<<20 || after > before+1<<20 {
		t.Errorf("%d kB while it names what it holds, %d kB when it is level", (int64(during)-int64(before))>>10, (int64(after)-int64(before))>>10)
	}
	t.Logf("%d kB while it names what it holds, %d kB when it is level", (int64(during)-int64(before))>>10, (int64(after)-int64(before))>>10)
	var e *wire.Error
	if err := p.give(&wire.Have{}); !errors.As(err, &e) || e.Code != wire.CodeOrder {
		t.Errorf("it names more: %v", err)
	}
}

// heap returns the bytes that are in use.
func heap() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// A device that holds a year of what the order has is sent none of it again, and then costs as little as any.
func TestManyNamesAreHeld(t *testing.T) {
	_, ps := newPeers(t, 1)
	p := ps[0]
	p.hello()
	p.take()
	const n = 5000
	var items []wire.Item
	var hashes []automerge.Hash
	for range n {
		it := p.author.Tap(1)
		items = append(items, wire.Item{Doc: it.Doc, Change: it.Change})
		hashes = append(hashes, it.Change.Hash())
	}
	for i := 0; i < n; i += 500 {
		p.pushes++
		if err := p.give(&wire.Push{ID: p.pushes, Items: items[i : i+500]}); err != nil {
			t.Fatal(err)
		}
		p.take()
	}
	p.Session = hub.NewSession(p.store, p.dev, "test", time.Now)
	p.at = wire.Receipt{Seq: n + 5}
	p.hello()
	p.take()
	p.at = wire.Receipt{}
	if err := p.give(&wire.Have{Hashes: hashes[:n/2], More: true}); err != nil {
		t.Fatal(err)
	}
	if err := p.give(&wire.Have{Hashes: hashes[n/2 : n-1]}); err != nil {
		t.Fatal(err)
	}
	held := 0
	for _, f := range p.take() {
		c := f.(*wire.Changes)
		held += len(c.Hashes)
		if len(c.Items) > 1 || len(c.Items) == 1 && c.Items[0].Change.Hash() != hashes[n-1] {
			t.Errorf("%d changes are sent to a device that lacks one", len(c.Items))
		}
	}
	if held != n-1 || p.at.Seq != n {
		t.Errorf("%d of %d are known to be held, it stands at %d", held, n-1, p.at.Seq)
	}
}

// early is a store whose hints of a push come before its answer, and which counts how often the order is read.
type early struct {
	hub.Store
	committed func(store.Ack)
	reads     int
}

func (e *early) Append(ctx context.Context, m crdt.MemberID, items []store.Item) (store.Ack, error) {
	ack, err := e.Store.Append(ctx, m, items)
	e.committed(ack)
	return ack, err
}

func (e *early) Since(ctx context.Context, m crdt.MemberID, after uint64, limit, maxBytes int) (store.Page, error) {
	e.reads++
	return e.Store.Since(ctx, m, after, limit, maxBytes)
}

// A device that taps costs no read of the order, even when the store's hint of its tap comes first. What others have written
// meanwhile is sent at once.
func TestHintOfTheOwnPushIsNotRead(t *testing.T) {
	st, all := newPeers(t, 2)
	a, b := all[0], all[1]
	e := &early{Store: st}
	a.Session = hub.NewSession(e, a.dev, "test", time.Now)
	a.hello()
	b.hello()
	a.take()
	for range 3 {
		e.committed = func(ack store.Ack) {
			if a.Wake(ack.Receipt.Seq) || len(a.take()) != 0 {
				t.Error("something of a push is sent before its answer is there")
			}
		}
		a.push()
		if got := kinds(a.take()); got != "held answer" || e.reads != 0 {
			t.Errorf("got %q, the order was read %d times", got, e.reads)
		}
	}
	// Before this push is answered, another device's change is stored too.
	e.committed = func(ack store.Ack) {
		b.push()
		if !a.Wake(ack.Receipt.Seq + 1) {
			t.Error("the other device's change waits")
		}
		if got := kinds(a.take()); got != "held change" {
			t.Errorf("before the answer, got %q", got)
		}
	}
	a.push()
	if got := kinds(a.take()); got != "answer" || a.at.Seq != 5 {
		t.Errorf("got %q, and the order up to change %d", got, a.at.Seq)
	}
}
