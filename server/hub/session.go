package hub

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"strings"
	"sync"
	"time"
	"unique"

	"trio/crdt/automerge"
	"trio/crdt/wire"
	"trio/server/intake"
	"trio/server/store"
)

// Limits of one connection.
const (
	// pageChanges and pageBytes bound one Changes frame.
	pageChanges = 4000
	pageBytes   = 3 << 20
	// maxHave bounds what a device may name to reconcile: about 8 MB while it does.
	maxHave = 1 << 19
	// fewNamed is how many hashes a segment is looked through for; who has named more has it opened in any case.
	fewNamed = 64
	// maxApp bounds the name of a program that is kept, in bytes.
	maxApp = 100
)

// Session is the server's side of one connection.
type Session struct {
	store Store
	dev   store.Device
	conn  string
	now   func() time.Time

	mu        sync.Mutex // guards what follows; never held over I/O
	welcome   *wire.Welcome
	greeted   bool // the Welcome was sent
	reconcile bool // Have frames are still to come
	streaming bool
	sent      wire.Receipt                // how far the device was sent the order; Next's alone once streaming
	held      map[automerge.Hash]struct{} // what the device has pushed of what comes after sent; nil for nothing
	names     names                       // what it has named that it holds of that
	named     int                         // hashes in its Have frames; the reading side's alone
	answers   []answer
	underway  uint64 // changes of the push that the store has now
	known     uint64 // how far the order goes, as far as is known
	ask       bool   // it may go further: the store is to be asked
	leaving   bool   // names are what the order has after the device's receipt, once the reading side has read that
	orderRead bool

	books  *books
	newest uint32 // version of the company's newest playbook, as far as is known
	has    uint32 // version that the device holds or was sent; of one that is sent none, the highest number

	// what the store is told of the device
	app      unique.Handle[string]
	pending  uint64 // changes that are only on it: as its hello said, less what it has pushed since
	proved   uint64 // it holds the order up to here; see Sighting
	answered uint64 // how far it was sent the order before the last Answer
}

// Received is what came of one frame.
type Received struct {
	Hello   bool           // it was the first
	Changes int            // that it pushed
	Head    uint64         // how far the member's order goes, when it has grown; else 0
	Refused []wire.Refusal // changes of it that are not taken
	Proved  bool           // the device says how far it holds the order
	Left    bool           // the device says that it is empty
}

type answer struct {
	frame  wire.Answer
	after  wire.Receipt     // to be sent once the order was sent up to here
	hashes []automerge.Hash // what the push added, in order; nil when that is not known
}

// own makes the Changes frame of a push from what is known of it, when nothing else came between: a live tap then costs
// its sender's connection no read. The chain proves that it is so; ok is false otherwise.
func (a *answer) own(sent wire.Receipt) (f *wire.Changes, ok bool) {
	if len(a.hashes) == 0 || sent.Seq+uint64(len(a.hashes)) != a.after.Seq {
		return nil, false
	}
	f = &wire.Changes{From: sent, To: a.after, Held: make([]bool, len(a.hashes)), Hashes: a.hashes}
	chain := sent.Chain
	for i, h := range a.hashes {
		chain = chain.Next(h)
		f.Held[i] = true
	}
	return f, chain == a.after.Chain
}

// NewSession returns the state of a connection of a device that has proved who it is.
func NewSession(st Store, dev store.Device, conn string, now func() time.Time) *Session {
	return &Session{store: st, dev: dev, conn: conn, now: now, books: newBooks(st, slog.Default()), has: math.MaxUint32}
}

// Close gives back what the session has of what it shares with others. Receive is not to be called after it.
func (s *Session) Close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.names.drop()
}

// Wake tells the session that the member's order has grown to head, or, when that is 0, that it may have grown. It reports
// whether there may be something to send.
func (s *Session) Wake(head uint64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.known = max(s.known, head); head == 0 {
		s.ask = true
	}
	return s.behind()
}

// behind reports whether the store may have what the device was not sent. A hint of the store often comes before the
// answer to the push that it tells of: what a push under way explains is not asked for. The caller holds mu.
func (s *Session) behind() bool { return s.streaming && (s.ask || s.known > s.sent.Seq+s.underway) }

// Sighting returns what is known of the device, which was last heard of at; ok is false before its hello. The receipt is one
// that the device has proved to hold: by its hello, or by a push, as it pushes only after it has stored what came before
// the answer to its last one; a device that only listens pushes nothing, for that alone, now and then and when it leaves.
func (s *Session) Sighting(at time.Time) (x store.Sighting, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.welcome == nil {
		return x, false
	}
	return store.Sighting{Device: s.dev.ID, At: at, App: s.app.Value(), Receipt: s.proved, Pending: s.pending}, true
}

// Receive takes one frame. It returns what it came to once that is durable; an error ends the connection, and AsError says
// how to put it to the device.
func (s *Session) Receive(ctx context.Context, frame []byte) (got Received, err error) {
	f, err := wire.Decode(frame)
	if err != nil {
		return got, &wire.Error{Code: wire.CodeFrame, Text: err.Error()}
	}
	s.mu.Lock()
	state := struct{ hello, reconcile, leaving bool }{s.welcome != nil, s.reconcile, s.leaving}
	s.mu.Unlock()
	switch f := f.(type) {
	case *wire.Hello:
		if !state.hello {
			got.Hello = true
			return got, s.hello(ctx, f)
		}
	case *wire.Have:
		if state.reconcile {
			return got, s.have(f)
		}
	case *wire.Push:
		switch {
		case state.leaving:
			return s.park(ctx, f)
		case state.hello && !state.reconcile:
			return s.push(ctx, f)
		}
	case *wire.Left:
		if state.leaving {
			return s.left(ctx)
		}
	}
	return got, &wire.Error{Code: wire.CodeOrder, Text: fmt.Sprintf("%T is not expected now: start again with a hello", f)}
}

func (s *Session) hello(ctx context.Context, h *wire.Hello) error {
	if h.Version < wire.MinVersion {
		return &wire.Error{Code: wire.CodeVersion, Text: fmt.Sprintf("app speaks version %d of the protocol, this server %d to %d: update the app; its data is safe", h.Version, wire.MinVersion, wire.Version)}
	}
	if h.Member != s.dev.Member || h.Device != s.dev.ID {
		return &wire.Error{Code: wire.CodeDevice, Text: "the token belongs to another member or device: sign in again on this device"}
	}
	if s.dev.Revoked {
		if err := s.mayLeave(ctx, h); err != nil {
			return err
		}
	}
	head, err := s.store.Head(ctx, s.dev.Member)
	if err != nil {
		return err
	}
	at, ok, err := s.store.ReceiptAt(ctx, s.dev.Member, h.Receipt.Seq)
	if err != nil {
		return err
	}
	proved := ok && at.Chain == h.Receipt.Chain
	newest, has := uint32(0), uint32(math.MaxUint32)
	if h.Version >= 3 && !s.dev.Revoked {
		if newest, has, err = s.playbookOf(ctx, h); err != nil {
			return err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.newest, s.has = max(s.newest, newest), has
	s.welcome = &wire.Welcome{
		Version: min(h.Version, wire.Version), Head: head, Now: s.now().UnixMilli(), Conn: s.conn, Reconcile: !proved, Leave: s.dev.Revoked,
		Playbook: newest,
	}
	s.app, s.pending, s.known = unique.Make(strings.ToValidUTF8(h.App[:min(len(h.App), maxApp)], "")), h.Pending, head.Seq
	if proved {
		s.sent, s.proved = at, at.Seq
	} else {
		s.sent = wire.Receipt{Epoch: head.Epoch}
	}
	s.leaving, s.streaming, s.reconcile = s.dev.Revoked, proved && !s.dev.Revoked, !proved && !s.dev.Revoked
	return nil
}

// have notes what the device says it holds, so that it is not sent that. It is a saving: whoever names more than there is
// room for is sent it in full.
func (s *Session) have(f *wire.Have) error {
	if s.named += len(f.Hashes); s.named > maxHave {
		return &wire.Error{Code: wire.CodeFrame, Text: fmt.Sprintf("device names more than %d changes to reconcile", maxHave)}
	}
	if s.named > fewNamed { // names are the reading side's alone until the stream begins
		s.names.add(f.Hashes)
	}
	if !f.More {
		s.names.sort()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.named <= fewNamed {
		s.hold(f.Hashes)
	}
	if !f.More {
		s.reconcile, s.streaming = false, true
		s.passed()
	}
	return nil
}

// hold notes hashes as ones that the device has. The caller holds mu.
func (s *Session) hold(list []automerge.Hash) {
	if s.held == nil {
		s.held = make(map[automerge.Hash]struct{}, len(list))
	}
	for _, h := range list {
		s.held[h] = struct{}{}
	}
}

// passed forgets what the device has named once the order was sent up to where it went when the device came: what it named
// beyond that, it pushes. The caller holds mu.
func (s *Session) passed() {
	if s.sent.Seq >= s.welcome.Head.Seq {
		s.names.drop()
	}
}

func (s *Session) push(ctx context.Context, f *wire.Push) (got Received, err error) {
	got.Changes = len(f.Items)
	s.mu.Lock()
	if len(s.answers) > 0 {
		s.mu.Unlock()
		return got, &wire.Error{Code: wire.CodeOrder, Text: "a push before the answer to the last one"}
	}
	if len(f.Items) == 0 {
		got.Proved = true
		s.proved = max(s.proved, min(f.ID, s.sent.Seq))
		s.answers = append(s.answers, answer{frame: wire.Answer{ID: f.ID}})
		s.mu.Unlock()
		return got, nil
	}
	hashes := make([]automerge.Hash, 0, len(f.Items))
	for _, it := range f.Items {
		hashes = append(hashes, it.Change.Hash())
	}
	s.hold(hashes)
	s.proved = max(s.proved, s.answered)
	s.underway = uint64(len(f.Items))
	s.mu.Unlock()

	out := answer{frame: wire.Answer{ID: f.ID}}
	refuse := func(it wire.Item, code wire.Code, text string) {
		out.frame.Refused = append(out.frame.Refused, wire.Refusal{Hash: it.Change.Hash(), Code: code, Text: text})
	}
	items := make([]store.Item, 0, len(f.Items))
	index := make([]int, 0, len(f.Items))
	for i, it := range f.Items {
		item, refused := intake.Item(s.dev.Member, s.dev.ID, it)
		if refused != nil {
			refuse(it, refused.Code, refused.Text)
			continue
		}
		items = append(items, item)
		index = append(index, i)
	}
	ack, err := s.store.Append(ctx, s.dev.Member, items)
	if err != nil {
		return got, err
	}
	for _, x := range ack.Rejected {
		refuse(f.Items[index[x.Index]], x.Code, x.Text)
	}
	out.after = ack.Receipt
	s.mu.Lock()
	defer s.mu.Unlock()
	s.underway = 0
	for _, x := range out.frame.Refused {
		delete(s.held, x.Hash)
	}
	if ack.Dup == 0 && len(ack.Rejected) == 0 {
		for _, it := range items {
			out.hashes = append(out.hashes, it.Change.Hash())
		}
	}
	s.answers = append(s.answers, out)
	s.known = max(s.known, ack.Receipt.Seq)
	s.pushed(len(f.Items) - len(out.frame.Refused))
	if got.Refused = out.frame.Refused; ack.New > 0 {
		got.Head = ack.Receipt.Seq
	}
	return got, nil
}

// pushed notes that so many changes are no longer only on the device. The caller holds mu.
func (s *Session) pushed(n int) { s.pending -= min(s.pending, uint64(n)) }

// Ready reports whether Next has a frame at hand that follows the last one at once: an answer.
func (s *Session) Ready() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ready()
}

// ready reports whether the device was sent all that comes before the answer to its push. The caller holds mu.
func (s *Session) ready() bool {
	return s.greeted && len(s.answers) > 0 && (s.leaving || s.answers[0].after.Seq <= s.sent.Seq)
}

// Next returns the next frame to send, or nil when there is nothing to send until Wake or Receive was called again. One
// goroutine at a time calls it.
func (s *Session) Next(ctx context.Context) ([]byte, error) {
	b, err := s.next(ctx)
	if b == nil && err == nil {
		b, err = s.playbook(ctx)
	}
	return b, err
}

// next is Next but for playbooks.
func (s *Session) next(ctx context.Context) ([]byte, error) {
	s.mu.Lock()
	switch {
	case s.welcome == nil:
		s.mu.Unlock()
		return nil, nil
	case !s.greeted:
		s.greeted = true
		s.mu.Unlock()
		return wire.Encode(s.welcome)
	case s.ready():
		a := s.answers[0]
		s.answers = s.answers[1:]
		if !s.leaving {
			s.held = nil // all that was pushed is below sent now
		}
		s.answered = s.sent.Seq
		s.mu.Unlock()
		return wire.Encode(&a.frame)
	case len(s.answers) > 0:
		if f, ok := s.answers[0].own(s.sent); ok {
			for _, h := range f.Hashes {
				delete(s.held, h)
			}
			s.sent = f.To
			s.mu.Unlock()
			return wire.Encode(f)
		}
	case !s.behind():
		s.mu.Unlock()
		return nil, nil
	}
	s.ask = false
	sent, known := s.sent, s.known
	s.mu.Unlock()

	for limit := pageChanges; ; {
		p, err := s.store.Since(ctx, s.dev.Member, sent.Seq, limit, pageBytes)
		if err != nil {
			return nil, err
		}
		if p.At.Seq == sent.Seq {
			s.read(known, sent.Seq)
			return nil, nil
		}
		n := int(p.At.Seq - sent.Seq)
		b, hashes, err := s.page(sent, &p)
		if errors.Is(err, wire.ErrTooLarge) && n > 1 {
			limit = n / 2 // what inflates to more than a frame may hold goes in smaller ones
			continue
		}
		if err != nil {
			return nil, err
		}
		s.mu.Lock()
		for _, h := range hashes {
			delete(s.held, h)
		}
		s.sent = p.At
		s.passed()
		s.mu.Unlock()
		if p.More {
			s.Wake(p.At.Seq + 1)
		} else {
			s.read(known, p.At.Seq)
		}
		return b, nil
	}
}

// read notes that the store had the order up to at, when it was known to go up to known: a hint may have said more than is
// so, after a restore.
func (s *Session) read(known, at uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.known == known {
		s.known = at
	}
	s.names.drop() // the order goes no further, whatever was said of it
}

// page makes a frame of a piece of the order: hashes alone for what the device holds. It returns these hashes.
func (s *Session) page(from wire.Receipt, p *store.Page) (b []byte, held []automerge.Hash, err error) {
	if p.Segment != nil && !s.holdsOf(p.Segment) {
		b, err = wire.EncodeSegment(p.At.Epoch, p.Segment)
		return b, nil, err
	}
	f := &wire.Changes{From: from, To: p.At}
	rows := 0
	add := func(h automerge.Hash, item func() (wire.Item, error)) error {
		s.mu.Lock()
		_, has := s.held[h]
		has = has || s.names.has(h)
		s.mu.Unlock()
		f.Held = append(f.Held, has)
		if has {
			f.Hashes = append(f.Hashes, h)
			return nil
		}
		it, err := item()
		if err != nil {
			return err
		}
		// A few bytes may be thousands of operations: no more of them are taken apart than a frame can hold.
		if rows += len(it.Change.Ops); rows > wire.MaxRows {
			return wire.ErrTooLarge
		}
		f.Items = append(f.Items, it)
		return nil
	}
	if p.Segment != nil {
		items, err := p.Segment.Open()
		if err != nil {
			return nil, nil, fmt.Errorf("stored changes of member %s: %w", s.dev.Member, err)
		}
		for _, it := range items {
			if err := add(it.Change.Hash(), func() (wire.Item, error) { return it, nil }); err != nil {
				return nil, nil, err
			}
		}
	}
	for _, row := range p.Changes {
		if err := add(row.Hash, func() (wire.Item, error) {
			c, err := automerge.ParseChange(row.Raw)
			if err != nil {
				err = fmt.Errorf("stored change %d of member %s: %w", row.Seq, s.dev.Member, err)
			}
			return wire.Item{Doc: row.Doc, Change: c}, err
		}); err != nil {
			return nil, nil, err
		}
	}
	b, err = wire.Encode(f)
	return b, f.Hashes, err
}

// holdsOf reports whether the device may hold some of a segment. After a restore it has named thousands of changes:
// then the segment is opened in any case.
func (s *Session) holdsOf(g *wire.Segment) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.held) > fewNamed || len(s.names.list) > 0 {
		return true
	}
	for h := range s.held {
		if len(g.Find(h)) > 0 {
			return true
		}
	}
	return false
}
