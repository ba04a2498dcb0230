package repo

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/fxamacker/cbor/v2"

	"trio/crdt/automerge"
	"trio/crdt/wire"
	"trio/server/intake"
	"trio/server/store"
)

// Limits of one connection.
const (
	// maxOpen bounds the documents that a connection has open: 20 years of months.
	maxOpen = 256
	// maxKept bounds what is kept of what the peer says it has and needs, in bytes, for all documents together: ten bits a
	// change in the peer's filters.
	maxKept = 8 << 20
	// maxHave bounds the filters of one sync message. Every engine known sends one or none.
	maxHave = 4
	// maxWaiting, maxWaitingBytes and maxWaitingRows bound the changes that wait for what they build on, for all documents
	// together. They wait as chunks: a few bytes may be thousands of operations.
	maxWaiting      = 4096
	maxWaitingBytes = 8 << 20
	maxWaitingRows  = wire.MaxRows
	// maxRefused bounds the refused changes that are remembered, so that what builds on them is refused too.
	maxRefused = 1 << 14
	// maxLogged is how many refused changes of a connection are logged one by one.
	maxLogged = 5
	// maxOut bounds the answers that wait to be sent, besides sync messages.
	maxOut = 1024
	// maxRelayed and maxRelayedBytes bound the ephemeral messages of others that wait to be sent; the oldest gives way.
	maxRelayed      = 64
	maxRelayedBytes = 1 << 20
	// pushChanges, pushBytes and pushRows bound what is given to the store at a time; rows are those of wire.MaxRows.
	pushChanges = 1000
	pushBytes   = 1 << 20
	pushRows    = wire.MaxRows / 4
	// A message may have wire.MaxRows of new rows and one more for each rowShare of its bytes, and may inflate to
	// inflated times its bytes and MaxMessage. Changes that programs write have 30 bytes a row and more.
	rowShare = 8
	inflated = 8
	// rowWork is what looking at a row counts as work.
	rowWork = 16
	// maxTold bounds the changes that one message about refusals names.
	maxTold = 64
)

// findWork is what finding out whose document an id is counts as work, see Session.Worked.
const findWork = 100_000

// SessionConfig of a Session. All fields are needed.
type SessionConfig struct {
	Store  store.Store
	Book   *Book
	Device store.Device // which has proved who it is
	Conn   string       // names the connection, in the log and to the peer
	Tells  string       // the session of our own ephemeral messages: one that no other connection ever has
	Peer   string       // the server's peer id; the same as long as it is the same database
	Log    *slog.Logger
}

// Session is the server's side of one connection. Receive and Next may run at the same time, each in one goroutine.
type Session struct {
	cfg     SessionConfig
	worked  atomic.Int64
	joined  atomic.Bool                        // peer is not "": mu may be held for long
	waiting struct{ changes, bytes, rows int } // Receive's alone, as are the next two
	kept    int
	refused int

	mu      sync.Mutex // guards what follows; never held over I/O
	peer    string     // the other side's peer id; "" before it has joined
	docs    map[string]*openDoc
	order   []*openDoc // in which documents get their turn
	turn    int
	out     []*message
	relayed []*message
	told    uint64 // messages about refusals
	session string // of the last ephemeral message
	count   uint64
	closed  bool
}

// openDoc is a document that the peer has open.
type openDoc struct {
	id  string // as messages name it
	doc *document
	// Receive's alone:
	waiting map[automerge.Hash]waiting // came before what they build on
	refused map[automerge.Hash]struct{}
	kept    int
	// Guarded by the Session's mu, sync by the Book's too:
	sync   automerge.Sync
	busy   bool                                // a message of the peer is worked in
	dirty  bool                                // there may be something to say
	absent bool                                // nobody has written it, and the peer was told so
	seen   int                                 // changes that the graph had when something was last said
	lacks  map[automerge.Hash][]automerge.Hash // what waits, with what it builds on; replaced as a whole
}

// waiting is a change that waits for what it builds on.
type waiting struct {
	chunk []byte
	deps  []automerge.Hash
	rows  int
}

// NewSession returns the state of a connection that nothing was said on.
func NewSession(cfg SessionConfig) *Session {
	return &Session{cfg: cfg, docs: map[string]*openDoc{}}
}

// Effect is what a message did beyond its own connection.
type Effect struct {
	Stored int      // changes that are new and durable: others are to be woken
	Relay  *Relayed // for the member's other sessions
	Left   bool     // the peer says that it goes
}

// Relayed is an ephemeral message on its way to other sessions.
type Relayed struct{ m *message }

// Bytes returns the size of the message's data.
func (r *Relayed) Bytes() int { return len(r.m.Data) }

// Worked returns what the session cost since it was last asked: the bytes that came and went, those that came inflated, one
// for each change that was looked at, and rowWork for each operation, predecessor and dependency that was.
func (s *Session) Worked() int64 { return s.worked.Swap(0) }

// Close gives the documents back. No method is to be called after it.
func (s *Session) Close() {
	s.mu.Lock()
	s.closed = true
	order := s.order
	s.order, s.docs = nil, nil
	s.mu.Unlock()
	if s.refused > maxLogged {
		s.cfg.Log.Info("changes refused", "changes", s.refused)
	}
	for _, d := range order {
		s.cfg.Book.release(d.doc)
	}
}

func wrong(format string, args ...any) error {
	return &wire.Error{Code: wire.CodeFrame, Text: fmt.Sprintf(format, args...)}
}

// Receive takes one message. An error ends the connection, see AsError of package hub.
func (s *Session) Receive(ctx context.Context, frame []byte) (Effect, error) {
	s.worked.Add(int64(len(frame)))
	m, err := decode(frame)
	if err != nil {
		return Effect{}, wrong("%v", err)
	}
	s.mu.Lock()
	peer := s.peer
	s.mu.Unlock()
	switch {
	case peer == "":
		return Effect{}, s.join(m)
	case m.Type == kindJoin:
		return Effect{}, wrong("joined already: want one join on a connection")
	case m.Type == kindEphemeral && m.Sender != peer:
		return Effect{}, nil // what the peer relays of its own others; official servers drop it too
	case m.Sender != peer:
		return Effect{}, wrong("message of peer %.40q on the connection of %.40q", m.Sender, peer)
	}
	switch m.Type {
	case kindLeave, kindError:
		return Effect{Left: true}, nil
	case kindSync, kindRequest, kindEphemeral:
		if m.Target != s.cfg.Peer {
			return Effect{}, wrong("message is for peer %.40q, this is %.80q", m.Target, s.cfg.Peer)
		}
	default:
		return Effect{}, nil // unavailable, the gossip of remote heads, and kinds that are not known: nothing of ours
	}
	if m.Type == kindEphemeral {
		return s.ephemeral(m), nil
	}
	return s.sync(ctx, m)
}

// Joined reports whether the peer has said who it is.
func (s *Session) Joined() bool { return s.joined.Load() }

func (s *Session) join(m *message) error {
	if m.Type != kindJoin {
		return wrong("%.40q came before join: want join first", m.Type)
	}
	if m.Sender == "" {
		return wrong("join names no senderId")
	}
	// As official servers do, one that names no versions is taken to speak the first.
	if m.Versions != nil && !slices.Contains(m.Versions, protocolVersion) {
		return &wire.Error{Code: wire.CodeVersion, Text: fmt.Sprintf("unsupported protocol version: this server speaks %q", protocolVersion)}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.peer = m.Sender
	s.joined.Store(true)
	// The peer keeps what it knows of us as long as we are the same database.
	s.out = append(s.out, &message{
		Type: kindPeer, Sender: s.cfg.Peer, Target: s.peer, Version: protocolVersion, Metadata: &metadata{StorageID: s.cfg.Peer},
	})
	return nil
}

// ephemeral passes on what has not been passed on.
func (s *Session) ephemeral(m *message) Effect {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.docs[m.Doc] == nil || m.Session == s.session && m.Count <= s.count {
		return Effect{}
	}
	s.session, s.count = m.Session, m.Count
	// Nothing but what such a message has: the rest is not counted.
	return Effect{Relay: &Relayed{&message{
		Type: kindEphemeral, Sender: m.Sender, Doc: m.Doc, Session: m.Session, Count: m.Count, Data: m.Data,
	}}}
}

// Relay takes an ephemeral message of another session of the member, and reports whether there is something to send.
func (s *Session) Relay(r *Relayed) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.docs[r.m.Doc] == nil || s.peer == r.m.Sender {
		return false
	}
	n := len(r.m.Data)
	for _, w := range s.relayed {
		n += len(w.Data)
	}
	for len(s.relayed) > 0 && (len(s.relayed) == maxRelayed || n > maxRelayedBytes) {
		n -= len(s.relayed[0].Data)
		s.relayed = slices.Delete(s.relayed, 0, 1)
	}
	m := *r.m
	m.Target = s.peer
	s.relayed = append(s.relayed, &m)
	return true
}

// say queues a message; for who holds mu.
func (s *Session) say(m *message) error {
	if len(s.out) == maxOut {
		return wrong("%d answers wait for this peer: it asks and does not read", maxOut)
	}
	m.Sender, m.Target = s.cfg.Peer, s.peer
	s.out = append(s.out, m)
	return nil
}

// opened returns the document of a message, nil when there is none that the member can have.
func (s *Session) opened(ctx context.Context, m *message) (*openDoc, error) {
	s.mu.Lock()
	d, n := s.docs[m.Doc], len(s.docs)
	s.mu.Unlock()
	if d != nil {
		return d, nil
	}
	id, err := parseID(m.Doc)
	if err != nil {
		return nil, wrong("%v", err)
	}
	s.worked.Add(findWork)
	name, ok := docOf(s.cfg.Device.Member, id)
	if !ok {
		return nil, nil
	}
	if n == maxOpen {
		return nil, wrong("%d documents are open on this connection, more may not be: use another connection", maxOpen)
	}
	doc, err := s.cfg.Book.take(ctx, name)
	if err != nil {
		return nil, err
	}
	d = &openDoc{id: m.Doc, doc: doc, waiting: map[automerge.Hash]waiting{}, refused: map[automerge.Hash]struct{}{}}
	d.sync.Waiting = func(h automerge.Hash) ([]automerge.Hash, bool) {
		deps, ok := d.lacks[h]
		return deps, ok
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.docs[m.Doc] = d
	s.order = append(s.order, d)
	return d, nil
}

func (s *Session) sync(ctx context.Context, m *message) (e Effect, err error) {
	d, err := s.opened(ctx, m)
	if err != nil {
		return e, err
	}
	if d == nil {
		s.mu.Lock()
		defer s.mu.Unlock()
		return e, s.say(&message{Type: kindUnavailable, Doc: m.Doc})
	}
	msg, err := automerge.ParseSyncMessage(m.Data)
	if err != nil {
		return e, wrong("%v", err)
	}
	if len(msg.Have) > maxHave {
		return e, wrong("sync message with %d filters, at most %d are taken", len(msg.Have), maxHave)
	}
	kept := 32 * (len(msg.Heads) + len(msg.Need))
	for i := range msg.Have {
		kept += 32*len(msg.Have[i].LastSync) + len(msg.Have[i].Bloom.Append(nil))
	}
	if s.kept+kept-d.kept > maxKept {
		return e, wrong("what this peer says that it has takes more than %d bytes: open fewer documents on a connection", maxKept)
	}
	s.kept += kept - d.kept
	d.kept = kept

	// What is stored comes into the graph by itself. Until the message is worked in it would look as if the peer lacked it.
	s.mu.Lock()
	d.busy = true
	s.mu.Unlock()
	in := incoming{Session: s, d: d, rowsLeft: wire.MaxRows + len(m.Data)/rowShare, bytesLeft: MaxMessage + inflated*len(m.Data)}
	err = in.store(ctx, msg.Changes)
	e.Stored = in.stored
	if err == nil {
		err = s.cfg.Book.catchUp(ctx)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	d.busy = false
	if err != nil {
		return e, err
	}
	d.lacks = map[automerge.Hash][]automerge.Hash{}
	for h, w := range d.waiting {
		d.lacks[h] = w.deps
	}
	b := s.cfg.Book
	b.mu.Lock()
	n := d.doc.graph.Len()
	d.sync.Received(&d.doc.graph, msg)
	b.mu.Unlock()
	s.worked.Add(int64(n) * int64(1+len(msg.Have)))
	d.dirty = true
	if d.absent = n == 0 && len(msg.Heads) == 0 && (d.absent || m.Type == kindRequest); d.absent && m.Type == kindRequest {
		err = s.say(&message{Type: kindUnavailable, Doc: d.id})
	}
	return e, errors.Join(err, s.tell(d, in.refusals))
}

// tell says to the peer which changes were refused; for who holds mu.
func (s *Session) tell(d *openDoc, list []RefusedChange) error {
	for part := range slices.Chunk(list, maxTold) {
		b, err := cbor.Marshal(Refusal{Type: refusalType, Conn: s.cfg.Conn, Changes: part})
		if err != nil {
			return err
		}
		s.told++
		if err := s.say(&message{Type: kindEphemeral, Doc: d.id, Session: s.cfg.Tells, Count: s.told, Data: b}); err != nil {
			return err
		}
	}
	return nil
}

// incoming is what comes of the changes of one message.
type incoming struct {
	*Session
	d                   *openDoc
	batch               []store.Item
	bytes, rows         int                         // of the batch
	rowsLeft, bytesLeft int                         // that the message may have
	added               map[automerge.Hash]struct{} // stored or in the batch
	stored              int
	refusals            []RefusedChange
}

// store makes durable what can be of changes that came and of those that waited for them. What was in order before an error
// is durable: who comes back with the same goes on from there.
func (in *incoming) store(ctx context.Context, chunks [][]byte) error {
	in.added = make(map[automerge.Hash]struct{}, len(chunks))
	var err error
	if len(chunks) > 0 {
		err = in.cfg.Book.catchUp(ctx) // what is known already is not looked at
	}
	if err == nil {
		err = in.takeAll(ctx, chunks)
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return errors.Join(err, in.flush(ctx))
}

func (in *incoming) takeAll(ctx context.Context, chunks [][]byte) error {
	for i, chunk := range chunks {
		if err := in.take(ctx, chunk); err != nil {
			if e := (*wire.Error)(nil); errors.As(err, &e) && e.Code == wire.CodeFrame {
				err = wrong("change %d of %d in a sync message: %s", i+1, len(chunks), e.Text)
			}
			return err
		}
	}
	if len(chunks) == 0 {
		return nil
	}
	return in.takeWaiting(ctx)
}

// takeWaiting takes the changes that wait for nothing any more, and those that waited for these.
func (in *incoming) takeWaiting(ctx context.Context) error {
	in.worked.Add(int64(len(in.d.waiting)))
	var ready []automerge.Hash
	lacks := make(map[automerge.Hash]int, len(in.d.waiting)) // how much each still waits for
	next := map[automerge.Hash][]automerge.Hash{}            // who waits for what is not known
	for h, w := range in.d.waiting {
		for _, dep := range w.deps {
			if !in.known(dep) {
				lacks[h]++
				next[dep] = append(next[dep], h)
			}
		}
		if lacks[h] == 0 {
			ready = append(ready, h)
		}
	}
	for len(ready) > 0 {
		if err := ctx.Err(); err != nil {
			return err
		}
		h := ready[len(ready)-1]
		ready = ready[:len(ready)-1]
		w := in.d.waiting[h]
		c, err := automerge.ParseChangeLimit(w.chunk, automerge.DefaultSyncOps)
		if err == nil {
			in.worked.Add(int64(rowWork * w.rows))
			err = in.place(ctx, c, w.rows)
		}
		if err != nil {
			return err
		}
		delete(in.d.waiting, h)
		in.waiting.changes--
		in.waiting.bytes -= len(w.chunk)
		in.waiting.rows -= w.rows
		for _, x := range next[h] {
			if lacks[x]--; lacks[x] == 0 {
				ready = append(ready, x)
			}
		}
	}
	return nil
}

// take takes a change: it is stored, refused, or waits.
func (in *incoming) take(ctx context.Context, chunk []byte) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	c, err := automerge.ParseChangeUnless(chunk, automerge.DefaultSyncOps, func(h automerge.Hash, bytes int) bool {
		in.worked.Add(int64(bytes))
		in.bytesLeft -= bytes
		_, waits := in.d.waiting[h]
		return in.bytesLeft < 0 || waits || in.known(h)
	})
	switch {
	case err != nil:
		return wrong("%v", err)
	case in.bytesLeft < 0:
		return wrong("the message inflates to more than a message of its size may: send fewer changes at a time")
	case c == nil:
		return nil
	}
	rows := wire.Rows(c)
	in.worked.Add(int64(rowWork * rows))
	if in.rowsLeft -= rows; in.rowsLeft < 0 {
		return wrong("the message has more operations, predecessors and dependencies than one of its size may: send fewer changes at a time")
	}
	if in.ready(c.Deps) {
		return in.place(ctx, c, rows)
	}
	w := waiting{chunk: c.Raw(), deps: c.Deps, rows: rows}
	if in.waiting.changes++; in.waiting.changes > maxWaiting {
		return wrong("%d changes wait for what they build on: send that first", maxWaiting)
	}
	if in.waiting.bytes += len(w.chunk); in.waiting.bytes > maxWaitingBytes {
		return wrong("changes of %d bytes wait for what they build on: send that first", maxWaitingBytes)
	}
	if in.waiting.rows += rows; in.waiting.rows > maxWaitingRows {
		return wrong("changes with %d operations, predecessors and dependencies wait for what they build on: send that first", maxWaitingRows)
	}
	in.d.waiting[c.Hash()] = w
	return nil
}

// ready reports whether all of these changes need nothing more.
func (in *incoming) ready(deps []automerge.Hash) bool {
	for _, h := range deps {
		if !in.known(h) {
			return false
		}
	}
	return true
}

// known reports whether a change needs nothing more: it is stored, on its way there, or refused.
func (in *incoming) known(h automerge.Hash) bool {
	if _, ok := in.added[h]; ok {
		return true
	}
	if _, ok := in.d.refused[h]; ok {
		return true
	}
	in.cfg.Book.mu.Lock()
	defer in.cfg.Book.mu.Unlock()
	return in.d.doc.graph.Has(h)
}

// place gives a change whose dependencies are ready to the batch, or refuses it.
func (in *incoming) place(ctx context.Context, c *automerge.Change, rows int) error {
	for _, h := range c.Deps {
		if _, ok := in.d.refused[h]; ok {
			return in.refuse(c.Hash(), wire.CodeDeps, fmt.Sprintf("it builds on change %.12s…, which was refused", h))
		}
	}
	item, refused := intake.Item(in.cfg.Device.Member, in.cfg.Device.ID, wire.Item{Doc: in.d.doc.name, Change: c})
	if refused != nil {
		return in.refuse(c.Hash(), refused.Code, refused.Text)
	}
	in.batch = append(in.batch, item)
	in.added[c.Hash()] = struct{}{}
	in.bytes += c.Len()
	in.rows += rows
	if len(in.batch) < pushChanges && in.bytes < pushBytes && in.rows < pushRows {
		return nil
	}
	return in.flush(ctx)
}

func (in *incoming) flush(ctx context.Context) error {
	if len(in.batch) == 0 {
		return nil
	}
	batch := in.batch
	in.batch, in.bytes, in.rows = nil, 0, 0
	ack, err := in.cfg.Store.Append(ctx, in.cfg.Device.Member, batch)
	if err != nil {
		return err
	}
	in.stored += ack.New
	in.cfg.Book.Stale()
	for _, x := range ack.Rejected {
		h := batch[x.Index].Change.Hash()
		delete(in.added, h)
		if err := in.refuse(h, x.Code, x.Text); err != nil {
			return err
		}
	}
	return nil
}

// refuse remembers that a change was refused, on this connection: what builds on it is too. It is not asked for again.
func (in *incoming) refuse(h automerge.Hash, code wire.Code, text string) error {
	if in.refused++; in.refused > maxRefused {
		return wrong("%d changes were refused on this connection", maxRefused)
	}
	in.d.refused[h] = struct{}{}
	in.refusals = append(in.refusals, RefusedChange{Hash: h.String(), Code: code, Text: text})
	if in.refused <= maxLogged { // its text may quote the change
		in.cfg.Log.Info("change refused", "doc", string(in.d.doc.name), "hash", h.String(), "code", code.String())
	}
	return nil
}

// errLacking says that the chunk of a change is to be read first.
var errLacking = errors.New("chunk is not read yet")

// Next returns the next message to send, or nil when there is nothing to send until the order has grown or Receive or
// Relay were called again.
func (s *Session) Next(ctx context.Context) ([]byte, error) {
	s.mu.Lock()
	var m *message
	switch {
	case len(s.out) > 0:
		m, s.out = s.out[0], s.out[1:]
	case len(s.relayed) > 0:
		m, s.relayed = s.relayed[0], s.relayed[1:]
	}
	none := len(s.docs) == 0
	s.mu.Unlock()
	switch {
	case m != nil:
		return s.sent(m), nil
	case none:
		return nil, nil
	}
	if err := s.cfg.Book.catchUp(ctx); err != nil {
		return nil, err
	}
	for {
		d, msg, err := s.turnOf(ctx)
		if err != nil || d == nil {
			return nil, err
		}
		if msg != nil {
			s.mu.Lock()
			m := &message{Type: kindSync, Sender: s.cfg.Peer, Target: s.peer, Doc: d.id, Data: msg.Append(nil)}
			s.mu.Unlock()
			return s.sent(m), nil
		}
	}
}

func (s *Session) sent(m *message) []byte {
	b := m.encode()
	s.worked.Add(int64(len(b)))
	return b
}

// pick picks the next document that may have something to say; nil when none has. For who holds mu.
func (s *Session) pick() *openDoc {
	b := s.cfg.Book
	b.mu.Lock()
	defer b.mu.Unlock()
	for range s.order {
		s.turn = (s.turn + 1) % len(s.order)
		d := s.order[s.turn]
		n := d.doc.graph.Len()
		if !d.busy && (d.dirty || n != d.seen) && (!d.absent || n > 0) {
			return d
		}
	}
	return nil
}

// maxChunks bounds the chunks that are read ahead for one message, in bytes.
const maxChunks = 16 << 20

// turnOf has the next document that may have something to say say it; nil when none has. What a message is to hold is read
// without the locks: Generate says what it lacks, and starts again once that is there.
func (s *Session) turnOf(ctx context.Context) (*openDoc, *automerge.SyncMessage, error) {
	b := s.cfg.Book
	s.mu.Lock()
	d := s.pick()
	s.mu.Unlock()
	if d == nil {
		return nil, nil, nil
	}
	chunks, used := map[automerge.Hash][]byte{}, map[automerge.Hash][]byte{}
	for {
		s.mu.Lock()
		if d.busy { // the peer has said more; its answer comes with ours
			s.mu.Unlock()
			return d, nil, nil
		}
		b.mu.Lock()
		n := d.doc.graph.Len()
		var lacking uint64
		msg, err := d.sync.Generate(&d.doc.graph, func(h automerge.Hash) ([]byte, error) {
			c, ok := used[h]
			if ok {
				return c, nil
			}
			if c, ok = chunks[h]; ok {
				used[h] = c
				return c, nil
			}
			i, _ := d.doc.graph.Place(h)
			lacking = d.doc.seqs[i]
			return nil, errLacking
		})
		b.mu.Unlock()
		s.worked.Add(int64(n))
		if err == nil {
			d.seen, d.dirty, d.absent = n, false, false
		}
		s.mu.Unlock()
		if err == nil {
			return d, msg, nil
		}
		if errors.Is(err, errLacking) {
			if s.worked.Add(pageChanges); len(chunks) > 0 && size(chunks) > maxChunks {
				clear(chunks)
			}
			err = b.chunks(ctx, d.doc.name, lacking, chunks)
		}
		if err != nil {
			return nil, nil, fmt.Errorf("%s of member %s: %w", d.doc.name, b.member, err)
		}
	}
}

func size(chunks map[automerge.Hash][]byte) (n int) {
	for _, c := range chunks {
		n += len(c)
	}
	return n
}
