package repo

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fxamacker/cbor/v2"

	"trio/crdt"
	"trio/crdt/automerge"
	"trio/crdt/wire"
	"trio/server/store"
	"trio/server/store/storetest"
)

// place is a store with a member who has a device.
type place struct {
	testing.TB
	st   *store.SQLite
	dev  store.Device
	book *Book
}

func newPlace(tb testing.TB) *place {
	p := &place{TB: tb}
	ctx := tb.Context()
	st, err := store.Open(ctx, store.Config{Path: filepath.Join(tb.TempDir(), "trio.db"), Logger: slog.New(slog.DiscardHandler)})
	p.must(err)
	tb.Cleanup(func() { st.Close() })
	p.st = st
	tenant, err := st.CreateTenant(ctx, "Acme")
	p.must(err)
	m, err := st.CreateMember(ctx, store.Member{Tenant: tenant, Name: "Maya"})
	p.must(err)
	p.dev, _, err = st.CreateDevice(ctx, m, "device")
	p.must(err)
	p.book = NewBook(st, m)
	return p
}

func (p *place) must(err error) {
	if err != nil {
		p.Helper()
		p.Fatal(err)
	}
}

// stored gives changes to the store, as other connections do.
func (p *place) stored(items ...store.Item) {
	p.Helper()
	ack, err := p.st.Append(p.Context(), p.dev.Member, items)
	p.must(err)
	if len(ack.Rejected) > 0 {
		p.Fatalf("%+v", ack.Rejected)
	}
	p.book.Stale()
}

func (p *place) author(n uint32) *storetest.Author {
	return storetest.NewAuthor(p.dev, n, rand.New(rand.NewPCG(uint64(n), 1)))
}

// client is the other side of a session, with automerge's state machine and a graph of its own.
type client struct {
	*place
	*Session
	peer   string
	docs   map[string]*half
	told   []RefusedChange
	absent []string // documents that are unavailable
	errs   []string
}

type half struct {
	graph automerge.Graph
	sync  automerge.Sync
	raw   map[automerge.Hash][]byte
	told  []automerge.Hash // the heads that the session last said it has
}

func (p *place) session() *Session {
	return NewSession(SessionConfig{Store: p.st, Book: p.book, Device: p.dev, Conn: "test", Tells: "tells", Peer: "server", Log: slog.New(slog.DiscardHandler)})
}

func (p *place) client(peer string) *client {
	p.Helper()
	c := &client{place: p, Session: p.session(), peer: peer, docs: map[string]*half{}}
	p.must(c.give(&message{Type: kindJoin, Versions: []string{"1"}}))
	b, err := c.Next(p.Context())
	p.must(err)
	m, err := decode(b)
	p.must(err)
	if m.Type != kindPeer || m.Sender != "server" || m.Target != peer || m.Version != "1" || m.Metadata.StorageID == "" || m.Metadata.Ephemeral {
		p.Fatalf("%+v", m)
	}
	return c
}

func (c *client) give(m *message) error {
	c.Helper()
	m.Sender = c.peer
	if m.Type != kindJoin {
		m.Target = "server"
	}
	_, err := c.Receive(c.Context(), m.encode())
	return err
}

func (c *client) url(n crdt.DocName) string { return formatID(n.DocumentID(c.dev.Member)) }

func (c *client) half(id string) *half {
	h := c.docs[id]
	if h == nil {
		h = &half{raw: map[automerge.Hash][]byte{}}
		c.docs[id] = h
	}
	return h
}

// hold has the client hold a change.
func (c *client) hold(id string, x *automerge.Change) {
	c.Helper()
	h := c.half(id)
	ready, err := h.graph.Add(x)
	c.must(err)
	for _, r := range ready {
		h.raw[r.Hash()] = r.Raw()
	}
}

// say sends what the client has to say about a document.
func (c *client) say(id, kind string) bool {
	c.Helper()
	h := c.half(id)
	m, err := h.sync.Generate(&h.graph, func(x automerge.Hash) ([]byte, error) { return h.raw[x], nil })
	c.must(err)
	if m == nil {
		return false
	}
	c.must(c.give(&message{Type: kind, Doc: id, Data: m.Append(nil)}))
	return true
}

// hear takes in all that the session has to send, and reports whether that was anything.
func (c *client) hear() (any bool) {
	c.Helper()
	for {
		b, err := c.Next(c.Context())
		c.must(err)
		if b == nil {
			return any
		}
		any = true
		c.take(b)
	}
}

// take takes in what the session has sent.
func (c *client) take(b []byte) {
	c.Helper()
	m, err := decode(b)
	c.must(err)
	if m.Target != c.peer || m.Sender == c.peer {
		c.Fatalf("%+v", m)
	}
	switch m.Type {
	case kindSync:
		msg, err := automerge.ParseSyncMessage(m.Data)
		c.must(err)
		h := c.half(m.Doc)
		h.told = msg.Heads
		c.must(h.sync.Receive(&h.graph, msg, func(x *automerge.Change) error {
			c.hold(m.Doc, x)
			return nil
		}))
	case kindUnavailable:
		c.absent = append(c.absent, m.Doc)
	case kindEphemeral:
		var r Refusal
		if cbor.Unmarshal(m.Data, &r) == nil && r.Type == refusalType {
			c.told = append(c.told, r.Changes...)
		} else {
			c.errs = append(c.errs, string(m.Data))
		}
	}
}

// settle goes back and forth about a document until both are silent.
func (c *client) settle(id string) {
	c.Helper()
	for n := 0; ; n++ {
		said, heard := c.say(id, kindSync), c.hear()
		if !said && !heard {
			return
		}
		if n > 100 {
			c.Fatal("no silence")
		}
	}
}

func TestSessionReadsAndWrites(t *testing.T) {
	p := newPlace(t)
	native := p.author(1)
	for range 5 {
		p.stored(native.Tap(1), native.Edit(2))
	}
	c := p.client("a")
	doc := native.Tap(1)
	p.stored(doc)
	id := c.url(doc.Doc)
	if !c.say(id, kindRequest) {
		t.Fatal("nothing to say")
	}
	c.hear()
	c.settle(id)
	if n := c.half(id).graph.Len(); n != 6 {
		t.Fatalf("it has %d changes, want 6", n)
	}
	// A change of its own comes to be stored, and to others.
	own := p.author(2)
	own.See(doc.Doc, doc.Change)
	it := own.Tap(1)
	c.hold(id, it.Change)
	c.settle(id)
	head, err := p.st.Head(t.Context(), p.dev.Member)
	p.must(err)
	if head.Seq != 12 {
		t.Errorf("%d changes are stored", head.Seq)
	}
	feed, _, err := p.st.Feed(t.Context(), p.dev.Tenant, "", 100)
	p.must(err)
	if len(feed) != 7 {
		t.Errorf("the feed has %d records", len(feed))
	}
	// What others store comes as soon as it is known of.
	late := own.Tap(1)
	p.stored(late)
	if !c.hear() {
		t.Error("nothing is said of a stored change")
	}
	c.settle(id) // one in a hundred is taken for known by the filter, and comes when it is asked for
	if !c.half(id).graph.Has(late.Change.Hash()) {
		t.Error("a stored change did not come")
	}
	if c.say(id, kindSync) || c.hear() {
		t.Error("no silence")
	}
}

// TestSessionTellsWhatCame: a change of a client crosses one of another on its way, and the client has said that it has both
// before the session speaks again. It is told all the same that its own came: programs wait for that before they leave.
func TestSessionTellsWhatCame(t *testing.T) {
	p := newPlace(t)
	native, own := p.author(1), p.author(2)
	first := native.Tap(1)
	p.stored(first)
	c := p.client("a")
	id := c.url(first.Doc)
	c.say(id, kindRequest)
	c.hear()
	c.settle(id)
	own.See(first.Doc, first.Change)
	c.hold(id, own.Tap(1).Change)
	p.stored(native.Tap(1))
	crossing, err := c.Next(t.Context())
	p.must(err)
	if !c.say(id, kindSync) {
		t.Fatal("the client has nothing to say")
	}
	c.take(crossing)
	if !c.say(id, kindSync) {
		t.Fatal("the client does not say that it has both")
	}
	c.hear()
	if h := c.half(id); len(h.told) != 2 || !slices.Equal(h.told, h.graph.Heads()) {
		t.Errorf("the client has heads %v and was told %v", h.graph.Heads(), h.told)
	}
	if c.say(id, kindSync) || c.hear() {
		t.Error("no silence")
	}
}

// TestSessionTellsNobodyOfWhatIsNotStored: as long as a change is not durable, no message covers it.
func TestSessionTellsNobodyOfWhatIsNotStored(t *testing.T) {
	p := newPlace(t)
	a := p.author(1)
	p.stored(a.Tap(1))
	c := p.client("a")
	id := c.url("log-2026-11")
	c.settle(id)
	it := a.Tap(1)
	c.hold(id, it.Change)
	p.st.Close()
	h := c.half(id)
	m, err := h.sync.Generate(&h.graph, func(x automerge.Hash) ([]byte, error) { return h.raw[x], nil })
	p.must(err)
	if len(m.Changes) == 0 { // the server's filter holds it by mistake, one time in a hundred
		m.Changes = append(m.Changes, it.Change.Raw())
	}
	if err := c.give(&message{Type: kindSync, Doc: id, Data: m.Append(nil)}); err == nil {
		t.Fatal("a store that is closed took a change")
	}
	if b, err := c.Next(t.Context()); b != nil {
		t.Fatalf("it says %x, %v", b, err)
	}
}

func TestSessionAbsentDocumentComesOnceItIsWritten(t *testing.T) {
	p := newPlace(t)
	a := p.author(1)
	c := p.client("a")
	id := c.url(crdt.ContactsDoc)
	c.say(id, kindRequest)
	c.hear()
	if !slices.Equal(c.absent, []string{id}) {
		t.Fatalf("unavailable: %v", c.absent)
	}
	p.stored(a.Edit(1))
	if !c.hear() || c.half(id).sync.Save() == nil {
		t.Fatal("nothing came")
	}
	c.settle(id)
	if c.half(id).graph.Len() != 1 {
		t.Error("it did not come")
	}
	// One that nobody has is made by who writes it.
	log := a.Tap(1)
	own := c.url(log.Doc)
	c.hold(own, log.Change)
	c.settle(own)
	names, err := p.st.Documents(t.Context(), p.dev.Member)
	p.must(err)
	if !slices.Equal(names, []crdt.DocName{crdt.ContactsDoc, log.Doc}) {
		t.Errorf("stored are %v", names)
	}
}

// TestSessionAsksForWhatAFilterHid: a change that the filter held by mistake is asked for by name, and what came before it
// waits for it.
func TestSessionAsksForWhatAFilterHid(t *testing.T) {
	p := newPlace(t)
	a := p.author(1)
	first, second, third := a.Tap(1), a.Tap(1), a.Tap(1)
	p.stored(first)
	c := p.client("a")
	id := c.url(first.Doc)
	c.settle(id)
	send := func(heads []automerge.Hash, chunks ...store.Item) {
		t.Helper()
		m := automerge.SyncMessage{Heads: heads, Have: []automerge.SyncHave{{LastSync: []automerge.Hash{first.Change.Hash()}}}}
		for _, x := range chunks {
			m.Changes = append(m.Changes, x.Change.Raw())
		}
		p.must(c.give(&message{Type: kindSync, Doc: id, Data: m.Append(nil)}))
	}
	send([]automerge.Hash{third.Change.Hash()}, third)
	b, err := c.Next(t.Context())
	p.must(err)
	m, err := decode(b)
	p.must(err)
	msg, err := automerge.ParseSyncMessage(m.Data)
	p.must(err)
	if !slices.Equal(msg.Need, []automerge.Hash{second.Change.Hash()}) {
		t.Fatalf("it needs %v, want %v alone", msg.Need, second.Change.Hash())
	}
	send([]automerge.Hash{third.Change.Hash()}, second)
	head, err := p.st.Head(t.Context(), p.dev.Member)
	p.must(err)
	if head.Seq != 3 {
		t.Errorf("%d changes are stored", head.Seq)
	}
	if c.Session.waiting.changes != 0 || c.Session.waiting.bytes != 0 {
		t.Errorf("%+v are counted as waiting", c.Session.waiting)
	}
}

func TestSessionRefusesWithWhatBuildsOnIt(t *testing.T) {
	p := newPlace(t)
	a := p.author(1)
	p.stored(a.Tap(1))
	c := p.client("a")
	id := c.url("log-2026-11")
	c.settle(id)
	bad := a.Write("log-2026-11", []automerge.Op{{Key: "no entry", Action: automerge.Put, Value: automerge.Value{Kind: automerge.KindString, Str: "x"}}})
	good := a.Tap(1)
	c.hold(id, bad.Change)
	c.settle(id)
	c.hold(id, good.Change)
	c.settle(id)
	if len(c.told) != 2 || c.told[0].Hash != bad.Change.Hash().String() || c.told[1].Hash != good.Change.Hash().String() ||
		c.told[0].Code != wire.CodeSchema || c.told[1].Code != wire.CodeDeps {
		t.Errorf("told %+v", c.told)
	}
	// What is stored meanwhile comes; the two stay apart by what was refused.
	b := p.author(9)
	other := b.Tap(1)
	p.stored(other)
	c.hear()
	c.settle(id)
	if !c.half(id).graph.Has(other.Change.Hash()) || len(c.told) != 2 {
		t.Errorf("after a refusal, nothing comes; told %d", len(c.told))
	}
	// Another connection offers it again: the same is said again, and nothing is stored.
	d := p.client("b")
	d.docs[id] = &half{graph: c.half(id).graph, raw: c.half(id).raw}
	d.settle(id)
	if len(d.told) != 2 {
		t.Errorf("told %+v", d.told)
	}
	head, err := p.st.Head(t.Context(), p.dev.Member)
	p.must(err)
	if head.Seq != 2 {
		t.Errorf("%d changes are stored", head.Seq)
	}
}

func TestSessionSaysWhatIsWrong(t *testing.T) {
	p := newPlace(t)
	p.stored(p.author(1).Edit(1))
	contacts := formatID(crdt.ContactsDoc.DocumentID(p.dev.Member))
	join := &message{Type: kindJoin, Sender: "a", Versions: []string{"1"}}
	empty := (&automerge.SyncMessage{}).Append(nil)
	many := &automerge.SyncMessage{Have: make([]automerge.SyncHave, maxHave+1)}
	for _, x := range []struct {
		what, want string
		say        []*message
		raw        []byte
	}{
		{what: "no CBOR", raw: []byte("hello"), want: "not one of automerge-repo's"},
		{what: "nothing", raw: []byte{}, want: "not one of automerge-repo's"},
		{what: "deep", raw: bytes.Repeat([]byte{0x81}, 1000), want: "nested"},
		{what: "no map", raw: []byte{0xf6}, want: "no type"},
		{what: "sync first", say: []*message{{Type: kindSync, Sender: "a", Target: "server", Doc: contacts, Data: empty}}, want: "want join first"},
		{what: "nobody joins", say: []*message{{Type: kindJoin}}, want: "no senderId"},
		{what: "version", say: []*message{{Type: kindJoin, Sender: "a", Versions: []string{"2", "3"}}}, want: `unsupported protocol version: this server speaks "1"`},
		{what: "joined twice", say: []*message{join, join}, want: "joined already"},
		{what: "another sender", say: []*message{join, {Type: kindSync, Sender: "b", Target: "server", Doc: contacts, Data: empty}}, want: `peer "b"`},
		{what: "another target", say: []*message{join, {Type: kindSync, Sender: "a", Target: "x", Doc: contacts, Data: empty}}, want: `for peer "x"`},
		{what: "long id", say: []*message{{Type: kindJoin, Sender: strings.Repeat("a", maxName+1)}}, want: "at most 256"},
		{what: "no document", say: []*message{join, {Type: kindSync, Sender: "a", Target: "server", Doc: "x0", Data: empty}}, want: "base58check"},
		{what: "no sync message", say: []*message{join, {Type: kindSync, Sender: "a", Target: "server", Doc: contacts, Data: []byte{1}}}, want: "sync message"},
		{what: "sync version", say: []*message{join, {Type: kindSync, Sender: "a", Target: "server", Doc: contacts, Data: []byte{0x43, 0, 0, 0, 0}}}, want: "version 2"},
		{what: "filters", say: []*message{join, {Type: kindSync, Sender: "a", Target: "server", Doc: contacts, Data: many.Append(nil)}}, want: "at most 4"},
		{what: "no change", say: []*message{join, {
			Type: kindSync, Sender: "a", Target: "server", Doc: contacts,
			Data: (&automerge.SyncMessage{Changes: [][]byte{bytes.Repeat([]byte("x"), 100)}}).Append(nil),
		}}, want: "change 1 of 1"},
	} {
		s := p.session()
		var err error
		if x.raw != nil {
			_, err = s.Receive(t.Context(), x.raw)
		}
		for i, m := range x.say {
			if err != nil {
				t.Errorf("%s: message %d: %v", x.what, i, err)
			}
			_, err = s.Receive(t.Context(), m.encode())
		}
		var e *wire.Error
		if !errors.As(err, &e) || !strings.Contains(e.Text, x.want) {
			t.Errorf("%s: %v, want %q", x.what, err, x.want)
		}
		s.Close()
	}
	// What is not known is passed over, and so is what is none of ours.
	s := p.session()
	for _, m := range []*message{
		join,
		{Type: "of a later version", Sender: "a", Target: "server"},
		{Type: "remote-subscription-change", Sender: "a", Target: "server"},
		{Type: kindUnavailable, Sender: "a", Target: "server", Doc: contacts},
		{Type: kindEphemeral, Sender: "c", Target: "server", Doc: contacts, Count: 1, Data: []byte{1}},
		{Type: kindEphemeral, Sender: "a", Target: "server", Doc: contacts, Count: 1, Data: []byte{1}}, // it is not open
	} {
		if e, err := s.Receive(t.Context(), m.encode()); err != nil || e.Relay != nil {
			t.Errorf("%s: %v", m.Type, err)
		}
	}
	if e, err := s.Receive(t.Context(), (&message{Type: kindLeave, Sender: "a"}).encode()); err != nil || !e.Left {
		t.Errorf("leave: %v", err)
	}
	s.Close()
	if len(p.book.open) > 0 {
		t.Errorf("%d documents are open and nobody has them", len(p.book.open))
	}
}

func TestSessionIsBounded(t *testing.T) {
	p := newPlace(t)
	empty := (&automerge.SyncMessage{}).Append(nil)
	// Documents.
	c := p.client("a")
	at := time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)
	var err error
	n := 0
	for ; err == nil && n < 1000; n++ {
		err = c.give(&message{Type: kindRequest, Doc: c.url(crdt.LogDoc(at.AddDate(0, n, 0))), Data: empty})
		c.hear()
	}
	if err == nil || !strings.Contains(err.Error(), "documents are open") || n != maxOpen+1 {
		t.Errorf("after %d documents: %v", n, err)
	}
	c.Close()
	if len(p.book.open) > 0 {
		t.Errorf("%d documents are open and nobody has them", len(p.book.open))
	}
	// Answers that nobody reads.
	c = p.client("a")
	for err, n = nil, 0; err == nil && n < 5000; n++ {
		err = c.give(&message{Type: kindRequest, Doc: c.url(crdt.ContactsDoc), Data: empty})
	}
	if err == nil || !strings.Contains(err.Error(), "does not read") {
		t.Errorf("after %d requests: %v", n, err)
	}
	// Ephemeral messages that nobody reads.
	for i := range 5 * maxRelayed {
		c.Relay(&Relayed{&message{Type: kindEphemeral, Sender: "b", Doc: c.url(crdt.ContactsDoc), Count: uint64(i + 1)}})
	}
	if len(c.relayed) != maxRelayed || c.relayed[maxRelayed-1].Count != 5*maxRelayed {
		t.Errorf("%d messages wait", len(c.relayed))
	}
	// By bytes too; and one has nothing but its data.
	for i := range maxRelayed {
		c.Relay(&Relayed{&message{Type: kindEphemeral, Sender: "b", Doc: c.url(crdt.ContactsDoc), Count: uint64(i + 1), Data: make([]byte, maxEphemeral)}})
	}
	if n := len(c.relayed); n != maxRelayedBytes/maxEphemeral || c.relayed[n-1].Count != maxRelayed {
		t.Errorf("%d large messages wait", n)
	}
	m := &message{Type: kindEphemeral, Sender: "a", Target: "server", Doc: c.url(crdt.ContactsDoc), Session: "s", Count: 1, Data: []byte{0xf6}}
	m.Message = strings.Repeat("x", maxRest/2)
	e, err := c.Receive(t.Context(), m.encode())
	if err != nil || e.Relay == nil || len(e.Relay.m.encode()) > 1000 {
		t.Errorf("a message with a field that is not its own: %v", err)
	}
	m.Message += m.Message
	if _, err = c.Receive(t.Context(), m.encode()); err == nil || !strings.Contains(err.Error(), "besides its data") {
		t.Errorf("a message with a long field that is not its own: %v", err)
	}
	// What the peer says that it has.
	c = p.client("a")
	var hashes []automerge.Hash
	for i := range 1 << 16 {
		hashes = append(hashes, automerge.Hash{byte(i), byte(i >> 8)})
	}
	slices.SortFunc(hashes, func(a, b automerge.Hash) int { return bytes.Compare(a[:], b[:]) })
	large := (&automerge.SyncMessage{Heads: hashes}).Append(nil)
	for err, n = nil, 0; err == nil && n < 100; n++ {
		err = c.give(&message{Type: kindSync, Doc: c.url(crdt.LogDoc(at.AddDate(0, n, 0))), Data: large})
	}
	if err == nil || !strings.Contains(err.Error(), "fewer documents") || n != maxKept/(32<<16)+1 {
		t.Errorf("after %d documents: %v", n, err)
	}
	// Changes that wait for what never comes.
	c = p.client("a")
	a := p.author(1)
	a.Tap(1)
	for err, n = nil, 0; err == nil && n < 2*maxWaiting; n += 512 {
		m := automerge.SyncMessage{}
		for range 512 {
			m.Changes = append(m.Changes, a.Tap(1).Change.Raw())
		}
		err = c.give(&message{Type: kindSync, Doc: c.url("log-2026-11"), Data: m.Append(nil)})
	}
	if err == nil || !strings.Contains(err.Error(), "wait for what they build on") || n > maxWaiting+512 {
		t.Errorf("after %d changes: %v", n, err)
	}
}

// TestSessionCountsItsWork: who asks for everything again and again is seen to.
func TestSessionCountsItsWork(t *testing.T) {
	p := newPlace(t)
	a := p.author(1)
	var items []store.Item
	for range 1000 {
		items = append(items, a.Tap(1))
	}
	p.stored(items...)
	c := p.client("a")
	id := c.url("log-2026-11")
	c.Worked()
	for i := range 3 {
		// It has nothing, and asks for all.
		p.must(c.give(&message{Type: kindSync, Doc: id, Data: (&automerge.SyncMessage{Have: []automerge.SyncHave{{}}}).Append(nil)}))
		bytes := 0
		for {
			b, err := c.Next(t.Context())
			p.must(err)
			if b == nil {
				break
			}
			bytes += len(b)
		}
		if n := c.Worked(); n < int64(bytes) || bytes < 100_000 {
			t.Errorf("round %d: %d bytes went out, %d counted", i, bytes, n)
		}
	}
}

// TestBookReadsWhatItNeeds: documents that are opened early, late, and while the order grows, folded and not, are whole.
func TestBookReadsWhatItNeeds(t *testing.T) {
	seed := rand.Uint64()
	rng := rand.New(rand.NewPCG(seed, 1))
	p := newPlace(t)
	a := storetest.NewAuthor(p.dev, 1, rng)
	want := map[crdt.DocName]int{}
	write := func() {
		var items []store.Item
		for range 1 + rng.IntN(60) {
			doc := crdt.ContactsDoc
			if rng.IntN(2) == 0 {
				doc = crdt.LogDoc(time.Date(2026, time.Month(1+rng.IntN(12)), 1, 0, 0, 0, 0, time.UTC))
			}
			it := a.Write(doc, []automerge.Op{{Key: fmt.Sprint(rng.Uint64()), Action: automerge.Put, Value: automerge.Value{Kind: automerge.KindTrue}}})
			items = append(items, it)
			want[it.Doc]++
		}
		p.stored(items...)
	}
	open := map[crdt.DocName]*document{}
	for range 60 {
		switch rng.IntN(4) {
		case 0, 1:
			write()
		case 2:
			_, err := p.st.Compact(t.Context(), p.dev.Member, 1)
			p.must(err)
		case 3:
			for n := range want {
				if d := open[n]; d != nil {
					p.book.release(d)
					delete(open, n)
				} else {
					d, err := p.book.take(t.Context(), n)
					p.must(err)
					open[n] = d
				}
				break
			}
		}
		p.must(p.book.catchUp(t.Context()))
		for n, d := range open {
			if d.graph.Len() != want[n] || len(d.seqs) != want[n] {
				t.Fatalf("seed %d: %s has %d changes, %d places, want %d", seed, n, d.graph.Len(), len(d.seqs), want[n])
			}
			// Each chunk is found where the book says.
			hs := d.graph.Since(nil)
			if len(hs) == 0 {
				continue
			}
			i := rng.IntN(len(hs))
			chunks := map[automerge.Hash][]byte{}
			p.must(p.book.chunks(t.Context(), n, d.seqs[i], chunks))
			x, err := automerge.ParseChange(chunks[hs[i]])
			if err != nil || x.Hash() != hs[i] {
				t.Fatalf("seed %d: change %d of %s: %v", seed, i, n, err)
			}
		}
	}
}

func TestDocumentIDs(t *testing.T) {
	// As npm's automerge-repo wrote them.
	for _, b := range npmFrames(t) {
		m, err := decode(b)
		if err != nil {
			t.Fatal(err)
		}
		if id, err := parseID(m.Doc); m.Doc != "" && (err != nil || formatID(id) != m.Doc) {
			t.Errorf("%s: %v, %v", m.Doc, id, err)
		}
	}
	rng := rand.New(rand.NewPCG(1, 1))
	for range 1000 {
		var id crdt.DocumentID
		for i := range id {
			id[i] = byte(rng.Uint32()) * byte(rng.IntN(2))
		}
		s := formatID(id)
		if got, err := parseID(s); err != nil || got != id {
			t.Fatalf("%v: %s: %v, %v", id, s, got, err)
		}
		b := []byte(s)
		b[rng.IntN(len(b))] = alphabet[rng.IntN(len(alphabet))]
		if got, err := parseID(string(b)); err == nil && string(b) != s {
			t.Fatalf("%s is read as %v", b, got)
		}
	}
	for _, s := range []string{"", "0", "1", strings.Repeat("z", 28), strings.Repeat("1", 28), "1" + formatID(crdt.DocumentID{1})} {
		if _, err := parseID(s); err == nil {
			t.Errorf("%q is taken for an id", s)
		}
	}
	p := newPlace(t)
	for _, n := range []crdt.DocName{crdt.ContactsDoc, crdt.ProfileDoc, "log-1990-01", "log-2026-11", "log-2199-12"} {
		if got, ok := docOf(p.dev.Member, n.DocumentID(p.dev.Member)); !ok || got != n {
			t.Errorf("%s is found as %q", n, got)
		}
		if got, ok := docOf(p.dev.Member, n.DocumentID(crdt.MemberID{1})); ok {
			t.Errorf("%s of another member is found as %q", n, got)
		}
	}
}

// npmFrames are messages of npm's automerge-repo.
func npmFrames(tb testing.TB) (list [][]byte) {
	text, err := os.ReadFile(filepath.Join("testdata", "npm-2.5.6.hex"))
	if err != nil {
		tb.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		b, err := hex.DecodeString(strings.TrimSpace(line))
		if err != nil {
			tb.Fatal(err)
		}
		list = append(list, b)
	}
	return list
}

func TestNpmFrames(t *testing.T) {
	var got []string
	for _, b := range npmFrames(t) {
		m, err := decode(b)
		if err != nil {
			t.Fatal(err)
		}
		if len(m.Data) > 0 && m.Type != kindEphemeral {
			if _, err := automerge.ParseSyncMessage(m.Data); err != nil {
				t.Error(err)
			}
		}
		got = append(got, fmt.Sprintf("%s %s %s %d", m.Type, m.Sender, m.Target, m.Count))
	}
	if want := []string{"join me  0", "request me s 0", "sync me s 0", "ephemeral me s 1", "remote-subscription-change me s 0"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

func FuzzMessage(f *testing.F) {
	for _, b := range npmFrames(f) {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := decode(b)
		if err != nil {
			return
		}
		again, err := decode(m.encode())
		if err != nil || !bytes.Equal(again.encode(), m.encode()) {
			t.Fatalf("%+v is read again as %+v, %v", m, again, err)
		}
	})
}

func FuzzDocumentID(f *testing.F) {
	f.Add("4NMNnkMhL8jXrdJ9jamS58PAVdXu")
	f.Fuzz(func(t *testing.T, s string) {
		if id, err := parseID(s); err == nil && formatID(id) != s {
			t.Fatalf("%q and %q are one id", s, formatID(id))
		}
	})
}

// FuzzSession has a peer say anything: pieces of the input are messages as they are, or what stands in one of the kinds.
func FuzzSession(f *testing.F) {
	p := newPlace(f)
	a := p.author(1)
	for range 20 {
		p.stored(a.Tap(1), a.Edit(1))
	}
	docs := []string{formatID(crdt.ContactsDoc.DocumentID(p.dev.Member)), formatID(crdt.DocName("log-2026-11").DocumentID(p.dev.Member)), "4NMNnkMhL8jXrdJ9jamS58PAVdXu"}
	next := a.Tap(1)
	piece := func(kind byte, b []byte) []byte { return append([]byte{kind, byte(len(b) >> 8), byte(len(b))}, b...) }
	all := (&automerge.SyncMessage{Have: []automerge.SyncHave{{}}}).Append(nil)
	f.Add(slices.Concat(piece(0, all), piece(1, all), piece(2, all), piece(3, all), piece(4, all), piece(7, []byte("x"))))
	f.Add(slices.Concat(piece(1, (&automerge.SyncMessage{Heads: []automerge.Hash{next.Change.Hash()}, Changes: [][]byte{next.Change.Raw()}}).Append(nil)), piece(1, all)))
	for _, b := range npmFrames(f) {
		f.Add(piece(9, b))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		s := p.session()
		defer s.Close()
		if _, err := s.Receive(t.Context(), (&message{Type: kindJoin, Sender: "me"}).encode()); err != nil {
			t.Fatal(err)
		}
		for len(b) >= 3 {
			n := min(int(b[1])<<8|int(b[2]), len(b)-3)
			kind, data := b[0], b[3:3+n]
			b = b[3+n:]
			frame := data
			if k := kind % 10; k < 9 {
				frame = (&message{
					Type: []string{kindSync, kindRequest, kindEphemeral}[k/3], Sender: "me", Target: "server", Doc: docs[k%3], Data: data, Count: uint64(len(b)),
				}).encode()
			}
			_, err := s.Receive(t.Context(), frame)
			var e *wire.Error
			if err != nil && !errors.As(err, &e) {
				t.Fatalf("the server is at fault: %v", err)
			}
			for i := 0; ; i++ {
				out, err := s.Next(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				if out == nil {
					break
				}
				if m, err := decode(out); err != nil || i > 200 {
					t.Fatalf("message %d: %+v, %v", i, m, err)
				}
			}
			if err != nil {
				return
			}
		}
	})
}

// TestSessionTakesWhatWaitedAtOnce: a chain of changes that came last first costs no more, once its first is there, than as
// many that came in their order.
func TestSessionTakesWhatWaitedAtOnce(t *testing.T) {
	p := newPlace(t)
	a := p.author(1)
	const n = maxWaiting
	items := make([]store.Item, n+1)
	for i := range items {
		items[i] = a.Tap(1)
	}
	c := p.client("a")
	id := c.url("log-2026-11")
	give := func(list []store.Item) {
		t.Helper()
		m := automerge.SyncMessage{}
		for _, it := range list {
			m.Changes = append(m.Changes, it.Change.Raw())
		}
		p.must(c.give(&message{Type: kindSync, Doc: id, Data: m.Append(nil)}))
		c.hear()
	}
	for end := n + 1; end > 1; {
		part := slices.Clone(items[max(1, end-512):end])
		end -= len(part)
		slices.Reverse(part)
		give(part)
	}
	c.Worked()
	give(items[:1])
	if head, err := p.st.Head(t.Context(), p.dev.Member); err != nil || head.Seq != n+1 || len(c.told) > 0 {
		t.Errorf("%d changes of %d are stored, %v, %d refused", head.Seq, n+1, err, len(c.told))
	}
	if worked := c.Worked(); worked > 100*n {
		t.Errorf("the last change cost %d", worked)
	}
}
