package replica

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"trio/crdt"
	"trio/crdt/automerge"
	"trio/crdt/wire"
	"trio/replica/sql"
)

// Limits of one push: what a server stores as one, and what is lost to a cut connection at most.
const (
	pushChanges = 1000
	pushBytes   = 1 << 20
)

// maxRoundTrip (ms) bounds the round trip by which the server's clock is measured.
const maxRoundTrip = 10_000

// errDiverged: the server's order and ours do not meet. The cursor is put back to the start, so that the next connection
// proves everything anew; nothing is lost by it, and what both sides hold is not sent again in vain more than once.
var errDiverged = errors.New("the server's order does not continue ours: comparing everything at the next connection")

// Session is one connection's worth of the sync protocol, as a state machine: frames in, frames out, no goroutine and no
// socket. Its methods are called one at a time. After an error the connection is to be closed; a *wire.Error says
// whether to come back.
type Session struct {
	r         *Replica
	app       string
	helloAt   int64
	welcome   *wire.Welcome
	push      uint64 // id of the last push
	pushed    mark   // the last change in it
	underway  bool   // it has no answer yet
	proving   bool   // it is one of Prove
	answered  uint64 // how far the order was here at the last answer
	proved    uint64 // how far the server knows that it is here
	leaving   *leaving
	Connected string // the server's name for the connection, after the Welcome
}

// mark is how far a walk over what is only on this device has come.
type mark struct {
	id       int64  // of a row of changes
	rejected []byte // hash of a row of rejected, which come after all changes
}

// NewSession returns the state of a connection that is about to be made; app names the program.
func (r *Replica) NewSession(app string) *Session { return &Session{r: r, app: app} }

// Hello returns the first frame.
func (s *Session) Hello(ctx context.Context) ([]byte, error) {
	st, err := s.r.Status(ctx)
	if err != nil {
		return nil, err
	}
	s.helloAt, s.proved = s.r.now().UnixMilli(), st.Receipt.Seq
	return wire.Encode(&wire.Hello{
		Version: wire.Version, Member: s.r.member, Device: s.r.device, Receipt: st.Receipt, Pending: uint64(st.Unsent),
		Now: s.helloAt, App: s.app, Playbook: s.r.held.Load().newest(),
	})
}

// Receive takes a frame from the server and returns frames to send at once.
func (s *Session) Receive(ctx context.Context, frame []byte) ([][]byte, error) {
	f, err := wire.Decode(frame)
	if err != nil {
		return nil, fmt.Errorf("from the server: %w", err)
	}
	if e, ok := f.(*wire.Error); ok {
		return nil, e
	}
	if w, ok := f.(*wire.Welcome); ok && s.welcome == nil {
		return s.welcomed(ctx, w)
	}
	if s.welcome == nil {
		return nil, fmt.Errorf("from the server: %T before a welcome", f)
	}
	switch f := f.(type) {
	case *wire.Changes:
		if s.leaving != nil {
			break
		}
		err := s.r.update(ctx, func(t *tx) error { return t.merge(f) })
		if errors.Is(err, errDiverged) {
			err = errors.Join(err, s.r.update(ctx, func(t *tx) error { return t.forgetReceipts(wire.Epoch{}) }))
		}
		return nil, err
	case *wire.Playbook:
		if s.leaving != nil {
			break
		}
		return nil, s.r.takePlaybook(ctx, f, frame)
	case *wire.Answer:
		if !s.underway || f.ID != s.push {
			return nil, fmt.Errorf("from the server: answer to push %d, which is not under way", f.ID)
		}
		s.underway = false
		if s.leaving != nil {
			return s.kept(ctx, f)
		}
		s.answered = s.r.committed.Load().cursor.Seq
		if s.proving {
			s.proving = false
			return nil, nil
		}
		return nil, s.r.update(ctx, func(t *tx) error {
			for _, x := range f.Refused {
				if x.Code.Final() {
					if err := t.reject(x); err != nil {
						return err
					}
					continue
				}
				if err := t.exec(`UPDATE changes SET refused=?, reason=? WHERE hash=? AND receipt IS NULL`, int64(x.Code), x.Text, x.Hash[:]); err != nil {
					return err
				}
			}
			var open int
			_, err := t.one([]any{&open}, `SELECT count(*) FROM changes WHERE receipt IS NULL AND refused IS NULL AND id<=?`, s.pushed.id)
			if err == nil && open > 0 {
				err = fmt.Errorf("from the server: answer to a push leaves %d changes without a receipt or a reason", open)
			}
			return err
		})
	}
	return nil, fmt.Errorf("from the server: %T is not expected now", f)
}

func (s *Session) welcomed(ctx context.Context, w *wire.Welcome) (out [][]byte, err error) {
	if w.Version < wire.MinVersion || w.Version > wire.Version {
		return nil, &wire.Error{Code: wire.CodeVersion, Text: fmt.Sprintf("server speaks version %d of the protocol, this app %d to %d: update the older one", w.Version, wire.MinVersion, wire.Version)}
	}
	s.welcome, s.Connected = w, w.Conn
	if w.Leave && s.r.here() != nil {
		s.leaving = &leaving{}
		return s.leave(ctx)
	}
	now := s.r.now().UnixMilli()
	skew := w.Now - (s.helloAt + (now-s.helloAt)/2)
	var hashes []automerge.Hash
	err = s.r.update(ctx, func(t *tx) error {
		// Half of the round trip is the error of the measurement: a slow one tells nothing, and small differences are
		// the network's.
		// A server whose own clock is nonsense tells nothing either.
		d := skew - t.skew
		if crdt.ValidTime(w.Now) && now-s.helloAt < maxRoundTrip && (d > 500 || d < -500) {
			if err := t.exec(`UPDATE meta SET value=? WHERE key='skew'`, skew); err != nil {
				return err
			}
			t.skew = skew
		}
		// A server that refused a change may have been mended since: it is offered once a connection.
		if err := t.exec(`UPDATE changes SET refused=NULL WHERE receipt IS NULL AND refused IS NOT NULL`); err != nil {
			return err
		}
		if w.Reconcile {
			s.proved = 0
			if err := t.forgetReceipts(w.Head.Epoch); err != nil {
				return err
			}
		}
		if w.Leave {
			s.leaving = &leaving{forgets: t.forgets, kept: mark{id: math.MinInt64}}
		}
		if w.Leave || !w.Reconcile {
			return nil
		}
		return t.query(func(rows *sql.Rows) error {
			var h []byte
			err := rows.Scan(&h)
			if err == nil {
				hashes = append(hashes, automerge.Hash(h))
			}
			return err
		}, `SELECT hash FROM changes ORDER BY id`)
	})
	switch {
	case err != nil:
		return nil, err
	case w.Leave:
		return s.leave(ctx)
	case !w.Reconcile:
		return nil, nil
	}
	for {
		n := min(len(hashes), wire.MaxHave)
		b, err := wire.Encode(&wire.Have{Hashes: hashes[:n], More: n < len(hashes)})
		if err != nil {
			return nil, err
		}
		out = append(out, b)
		if hashes = hashes[n:]; len(hashes) == 0 {
			return out, nil
		}
	}
}

// Level reports whether all that the server had when it welcomed us is here, the company's playbook included, and nothing
// waits to be sent.
func (s *Session) Level(ctx context.Context) (bool, error) {
	if s.welcome == nil || s.underway || s.leaving != nil {
		return false, nil
	}
	if s.r.committed.Load().cursor.Seq < s.welcome.Head.Seq || s.r.held.Load().newest().Version < s.welcome.Playbook {
		return false, nil
	}
	var open bool
	err := s.r.rdb.QueryRowContext(ctx, `SELECT EXISTS(SELECT 1 FROM changes WHERE receipt IS NULL AND refused IS NULL)`).Scan(&open)
	return err == nil && !open, err
}

// Next returns a push of what is only on this device, or nil when there is nothing to send now.
func (s *Session) Next(ctx context.Context) ([]byte, error) {
	if s.welcome == nil || s.underway || s.r.here() != nil {
		return nil, nil
	}
	var items []wire.Item
	var marks []mark
	var err error
	if s.leaving == nil {
		items, marks, err = s.unsent(ctx, `c.receipt IS NULL AND c.refused IS NULL`)
	} else {
		items, marks, err = s.onlyHere(ctx)
	}
	if err != nil || len(items) == 0 {
		return nil, err
	}
	s.push++
	b, err := wire.Encode(&wire.Push{ID: s.push, Items: items})
	for errors.Is(err, wire.ErrTooLarge) && len(items) > 1 {
		items = items[:len(items)/2] // what inflates to more than a frame may hold goes in smaller ones
		b, err = wire.Encode(&wire.Push{ID: s.push, Items: items})
	}
	s.pushed, s.underway = marks[len(items)-1], err == nil
	s.proved = max(s.proved, s.answered)
	return b, err
}

// Unproved reports whether more of the order is stored here than the server knows of.
func (s *Session) Unproved() bool {
	return s.welcome != nil && s.leaving == nil && s.r.committed.Load().cursor.Seq > s.proved
}

// Prove returns a push of nothing, which tells the server how much of the order is stored here, or nil when it knows that, or
// is to answer a push first. A company sees by it that the device has what it shows; the next Hello says the same.
func (s *Session) Prove() ([]byte, error) {
	if s.underway || !s.Unproved() {
		return nil, nil
	}
	at := s.r.committed.Load().cursor.Seq
	b, err := wire.Encode(&wire.Push{ID: at})
	if err == nil {
		s.push, s.underway, s.proving, s.proved = at, true, true, at
	}
	return b, err
}

// unsent reads a push of changes that have no receipt.
func (s *Session) unsent(ctx context.Context, where string, args ...any) (items []wire.Item, marks []mark, err error) {
	return s.read(ctx, `SELECT c.id, x'', d.name, c.chunk FROM changes c JOIN documents d ON d.id=c.doc WHERE `+where+`
		ORDER BY c.id LIMIT ?`, append(args, pushChanges)...)
}

func (s *Session) read(ctx context.Context, q string, args ...any) (items []wire.Item, marks []mark, err error) {
	rows, err := s.r.rdb.QueryContext(ctx, q, args...)
	if err != nil {
		return nil, nil, err
	}
	defer rows.Close()
	for size := 0; rows.Next() && size < pushBytes; {
		var m mark
		var doc crdt.DocName
		var chunk []byte
		if err := rows.Scan(&m.id, &m.rejected, &doc, &chunk); err != nil {
			return nil, nil, err
		}
		c, err := automerge.ParseChange(chunk)
		if err != nil {
			return nil, nil, fmt.Errorf("a change of %s on this device cannot be read: %w", doc, err)
		}
		size += len(chunk)
		items, marks = append(items, wire.Item{Doc: doc, Change: c}), append(marks, m)
	}
	return items, marks, rows.Err()
}

// forgetReceipts makes everything "only on this device" again until the server proves otherwise.
func (t *tx) forgetReceipts(e wire.Epoch) error {
	t.cursor = wire.Receipt{Epoch: e}
	t.forgets++
	if err := t.unfold(); err != nil {
		return err
	}
	return t.exec(`UPDATE changes SET receipt=NULL WHERE receipt IS NOT NULL`)
}

// merge brings a piece of the member's order in: changes, receipts and cursor in one transaction.
func (t *tx) merge(f *wire.Changes) error {
	if f.From.Seq != t.cursor.Seq || f.From.Chain != t.cursor.Chain || f.To.Seq != f.From.Seq+uint64(len(f.Held)) {
		return errDiverged
	}
	seq, chain := f.From.Seq, f.From.Chain
	hashes, items := f.Hashes, f.Items
	for _, held := range f.Held {
		seq++
		var h automerge.Hash
		var it *wire.Item
		if held {
			h, hashes = hashes[0], hashes[1:]
		} else {
			it, items = &items[0], items[1:]
			h = it.Change.Hash()
		}
		chain = chain.Next(h)
		res, err := t.execResult(`UPDATE changes SET receipt=?, refused=NULL, reason=NULL WHERE hash=? AND receipt IS NULL`, int64(seq), h[:])
		if err != nil {
			return err
		}
		n, err := res.RowsAffected()
		switch {
		case err != nil:
			return err
		case n > 0:
		case held:
			return errDiverged
		default:
			if err := t.mergeChange(it, seq); err != nil {
				return err
			}
		}
	}
	if chain != f.To.Chain {
		return errDiverged
	}
	t.cursor = f.To
	return nil
}

func (t *tx) mergeChange(it *wire.Item, seq uint64) error {
	c := it.Change
	d, err := t.doc(it.Doc)
	if err != nil {
		return err
	}
	for _, dep := range c.Deps {
		if held, err := t.holds(d, dep); err != nil || !held {
			return cmp.Or(err, errDiverged)
		}
	}
	actor, err := t.actor(c.Actor)
	if err != nil {
		return err
	}
	var last int64
	if _, err := t.one([]any{&last}, `SELECT seq FROM writers WHERE doc=? AND actor=?`, d.id, actor); err != nil {
		return err
	}
	if uint64(last) >= c.Seq {
		if held, err := t.holds(d, c.Hash()); err != nil || held { // it has a place already
			return cmp.Or(err, errDiverged)
		}
		if err := t.fork(d, c); err != nil {
			return err
		}
		last = int64(c.Seq) - 1
	}
	if uint64(last)+1 != c.Seq {
		return errDiverged
	}
	for i := range c.Ops {
		if err := t.apply(d, c.OpID(i), &c.Ops[i], true); err != nil {
			return err
		}
	}
	return t.store(d, c, actor, int64(seq))
}

// lostOp is an operation whose change was taken out.
type lostOp struct {
	doc crdt.DocName
	op  automerge.Op
}

// reject takes out a change that the server will never take, and keeps it for the person to see, with the reason. What
// this device wrote on top of it is written again without it: one refused change must not close its document.
func (t *tx) reject(x wire.Refusal) error {
	var d document
	var at int64
	var chunk []byte
	found, err := t.one([]any{&d.name, &at, &chunk}, `SELECT d.name, c.at, c.chunk FROM changes c JOIN documents d ON d.id=c.doc
		WHERE c.hash=? AND c.receipt IS NULL`, x.Hash[:])
	if err != nil || !found {
		return err
	}
	doc, err := t.doc(d.name)
	if err != nil {
		return err
	}
	if err := t.exec(`INSERT INTO rejected(hash, doc, at, code, reason, chunk) VALUES(?,?,?,?,?,?) ON CONFLICT DO NOTHING`,
		x.Hash[:], doc.id, at, int64(x.Code), x.Text, chunk); err != nil {
		return err
	}
	return t.takeOut(doc, x.Hash, func(c *automerge.Change) bool { return c.Hash() == x.Hash })
}

// fork mends what a backup that was put back breaks: the server has another change at a place of its writer that we hold
// one for. It may be our own writer (this device was put back, or copied) or another device's (that one and the server
// were put back, and we hold what it had written). What has no receipt is taken out and written again by a new writer of
// ours, so that nothing of it is lost.
func (t *tx) fork(d *document, c *automerge.Change) error {
	return t.takeOut(d, automerge.Hash{}, func(old *automerge.Change) bool { return old.Actor == c.Actor && old.Seq >= c.Seq })
}

// takeOut removes changes that have no receipt, and all that builds on them, from a document. What they wrote, but for
// one change, is written again by a new writer when the transaction ends.
func (t *tx) takeOut(d *document, but automerge.Hash, bad func(*automerge.Change) bool) error {
	gone := map[automerge.Hash]bool{}
	var ids []int64
	err := t.query(func(rows *sql.Rows) error {
		var id int64
		var chunk []byte
		if err := rows.Scan(&id, &chunk); err != nil {
			return err
		}
		c, err := automerge.ParseChange(chunk)
		if err != nil {
			return err
		}
		if !bad(c) && !slices.ContainsFunc(c.Deps, func(h automerge.Hash) bool { return gone[h] }) {
			return nil
		}
		gone[c.Hash()] = true
		ids = append(ids, id)
		if c.Hash() == but {
			return nil
		}
		for _, op := range c.Ops {
			if !op.Obj.IsRoot() {
				continue // its object has the name of the change that is gone
			}
			op.Pred = nil
			t.lost = append(t.lost, lostOp{d.name, op})
		}
		return nil
	}, `SELECT id, chunk FROM changes WHERE doc=? AND receipt IS NULL ORDER BY id`, d.id)
	if err != nil {
		return err
	}
	for _, id := range ids {
		if err := t.exec(`DELETE FROM changes WHERE id=?`, id); err != nil {
			return err
		}
	}
	w := newWriter()
	t.writer = crdt.NewActor(t.r.device, w)
	if err := t.exec(`UPDATE meta SET value=? WHERE key='writer'`, int64(w)); err != nil {
		return err
	}
	return t.replay(d)
}

// rewrite writes what was taken out again, over what is visible now, in changes that can travel.
func (t *tx) rewrite() error {
	size := 0
	for _, l := range t.lost {
		if l.doc.IsLog() { // entries are written once: what is there by another way is there
			d, err := t.doc(l.doc)
			if err != nil {
				return err
			}
			if vs, err := t.visible(d, l.op.Key); err != nil || len(vs) > 0 {
				if err != nil {
					return err
				}
				continue
			}
		}
		if err := t.write(l.doc, l.op); err != nil {
			return err
		}
		if size += len(l.op.Key) + len(l.op.Value.Str) + 64; size > 256<<10 {
			size = 0
			for _, name := range sortedKeys(t.docs) {
				if err := t.seal(t.docs[name]); err != nil {
					return err
				}
			}
		}
	}
	t.lost = nil
	return nil
}
