package store

import (
	"bytes"
	"context"
	"crypto/sha256"
	"database/sql/driver"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"trio/crdt"
	"trio/crdt/automerge"
	"trio/crdt/wire"
)

const (
	// foldFrom is how many changes may stand one by one at the end of a member's order before they are folded. A change
	// takes some 400 bytes there, and some 35 in a segment.
	foldFrom = 1000
	// foldClosed is the same for a member who has changes of a month that is over.
	foldClosed = 64
	// segmentChanges bounds a segment. The larger, the smaller a change gets; what asks for one change opens all.
	segmentChanges = 4000
	// A segment of fewer than smallSegment changes is taken up by the next, when that makes one of mergedSegment at least.
	smallSegment  = 2000
	mergedSegment = 3000
	// tinySegment is taken up in any case.
	tinySegment = 500
	// openChanges bounds the changes of segments that are kept open.
	openChanges = 4 * segmentChanges
	// sweepEvery is how often members whose months have closed are looked for.
	sweepEvery = 6 * time.Hour
)

// A segment is a row of segments.
type segment struct {
	id int64
	wire.Segment
}

const segmentColumns = "id, after, before, chain, marks, data"

func scanSegment(row []driver.Value) *segment {
	g := &segment{id: row[0].(int64)}
	g.From.Seq, g.To.Seq = uint64(row[1].(int64)), uint64(g.id)&maxSeq
	copy(g.From.Chain[:], row[2].([]byte))
	copy(g.To.Chain[:], row[3].([]byte))
	g.Marks, g.Data = row[4].([]byte), row[5].([]byte)
	return g
}

// seqs returns the ids of a member's changes and segments: those above the first and up to the second.
func seqs(member int64) (after, upto int64) { return member << seqBits, member<<seqBits | maxSeq }

// segmentAfter returns the segment that holds the change after seq.
func (r *reader) segmentAfter(member int64, seq uint64) (*segment, error) {
	_, upto := seqs(member)
	row, err := r.segment.row(member<<seqBits|int64(seq), upto)
	if err != nil {
		return nil, err
	}
	if row == nil {
		return nil, fmt.Errorf("member %d, change %d is in no segment: restore the database from a backup", member, seq+1)
	}
	g := scanSegment(row)
	if g.From.Seq > seq {
		return nil, fmt.Errorf("member %d, change %d is in no segment: restore the database from a backup", member, seq+1)
	}
	return g, nil
}

// openSegments keeps the segments that were opened last.
type openSegments struct {
	mu   sync.Mutex
	list []openSegment // the last one was used last
	n    int           // changes
}

type openSegment struct {
	id    int64
	after uint64
	items []wire.Item
}

// open returns the changes of a segment; they are shared and not to be modified.
func (o *openSegments) open(g *segment) ([]wire.Item, error) {
	o.mu.Lock()
	i := slices.IndexFunc(o.list, func(x openSegment) bool { return x.id == g.id && x.after == g.From.Seq })
	if i >= 0 {
		x := o.list[i]
		o.list = append(slices.Delete(o.list, i, i+1), x)
		o.mu.Unlock()
		return x.items, nil
	}
	o.mu.Unlock()
	items, err := g.Open()
	if err != nil {
		return nil, fmt.Errorf("member %d: %w: restore the database from a backup", g.id>>seqBits, err)
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.list = append(o.list, openSegment{g.id, g.From.Seq, items})
	for o.n += len(items); o.n > openChanges && len(o.list) > 1; {
		o.n -= len(o.list[0].items)
		o.list = slices.Delete(o.list, 0, 1)
	}
	return items, nil
}

// chainAt returns the chain of a member at a change that was folded.
func (s *SQLite) chainAt(r *reader, member int64, seq uint64) (wire.Chain, error) {
	g, err := r.segmentAfter(member, seq-1)
	if err != nil || g.To.Seq == seq {
		if err != nil {
			return wire.Chain{}, err
		}
		return g.To.Chain, nil
	}
	items, err := s.opened.open(g)
	if err != nil {
		return wire.Chain{}, err
	}
	chain := g.From.Chain
	for _, it := range items[:seq-g.From.Seq] {
		chain = chain.Next(it.Change.Hash())
	}
	return chain, nil
}

// folded returns a page out of a segment.
func (s *SQLite) folded(r *reader, member int64, after uint64, limit, maxBytes int) (Page, error) {
	g, err := r.segmentAfter(member, after)
	if err != nil {
		return Page{}, err
	}
	if g.From.Seq == after && g.Len() <= limit {
		return Page{Segment: &g.Segment, At: g.To}, nil
	}
	items, err := s.opened.open(g)
	if err != nil {
		return Page{}, err
	}
	p := Page{At: g.From}
	bytes := 0
	for _, it := range items {
		h := it.Change.Hash()
		if p.At.Seq >= after {
			if bytes += it.Change.Len(); len(p.Changes) == limit || len(p.Changes) > 0 && bytes > maxBytes {
				break
			}
			p.Changes = append(p.Changes, Stored{Seq: p.At.Seq + 1, Doc: it.Doc, Hash: h, Raw: it.Change.Raw()})
		}
		p.At.Seq++
		p.At.Chain = p.At.Chain.Next(h)
	}
	return p, nil
}

// actorMark stands for an actor where only few can be meant: the first bytes of its SHA-256.
func actorMark(a automerge.ActorID) int64 {
	h := sha256.Sum256([]byte(a))
	return int64(binary.BigEndian.Uint64(h[:]))
}

// A span says that a segment has operations of an actor in a document, and between which counters they lie.
type span struct {
	doc         int64
	actor       int64 // its mark
	first, last uint64
}

func (a *span) has(b span) bool {
	return a.doc == b.doc && a.actor == b.actor && a.first <= b.first && b.last <= a.last
}

func appendSpans(b []byte, list []span) []byte {
	for _, x := range list {
		b = binary.AppendUvarint(b, uint64(x.doc))
		b = binary.BigEndian.AppendUint64(b, uint64(x.actor))
		b = binary.AppendUvarint(b, x.first)
		b = binary.AppendUvarint(b, x.last)
	}
	return b
}

// anySpan reports whether one of the spans in b holds one of those in list.
func anySpan(b []byte, list []span) bool {
	for len(b) > 0 {
		var x span
		doc, n := binary.Uvarint(b)
		if n <= 0 || len(b) < n+8 {
			return false
		}
		x.doc, x.actor, b = int64(doc), int64(binary.BigEndian.Uint64(b[n:])), b[n+8:]
		for _, v := range []*uint64{&x.first, &x.last} {
			if *v, n = binary.Uvarint(b); n <= 0 {
				return false
			}
			b = b[n:]
		}
		if slices.ContainsFunc(list, func(y span) bool { return x.has(y) }) {
			return true
		}
	}
	return false
}

// resolve finds out what a push builds on as far as the committer does not: the places of the changes that it wanted, and
// whether the operations that its changes overwrite or work on are there.
func (s *SQLite) resolve(ctx context.Context, p *push) error {
	refs := false
	for i := range p.items {
		refs = refs || p.items[i].code == 0 && p.items[i].Change.Refers()
	}
	if !refs && len(p.wanted) == 0 {
		return nil
	}
	return s.readAt(ctx, func(r *reader) error {
		member, _, folded, err := r.head(p.member)
		if err != nil {
			return err
		}
		for _, h := range p.wanted {
			if p.known == nil {
				p.known = map[automerge.Hash]place{}
			}
			if p.known[h], err = s.find(r, member, folded, h); err != nil {
				return err
			}
		}
		if !refs {
			return nil
		}
		return s.checkRefs(r, member, folded, p)
	})
}

// find looks for a change among all of a member.
func (s *SQLite) find(r *reader, member int64, folded uint64, h automerge.Hash) (place, error) {
	after, upto := seqs(member)
	row, err := r.find.row(after, upto, h[:])
	if err != nil {
		return place{}, err
	}
	if row != nil {
		doc, err := s.docName(r, row[0].(int64))
		return place{doc, uint64(row[1].(int64))}, err
	}
	if folded == 0 {
		return place{}, nil
	}
	var ids []int64
	if err := r.marks.each(func(row []driver.Value) bool {
		if bytes.Contains(row[1].([]byte), h[:8]) {
			ids = append(ids, row[0].(int64))
		}
		return true
	}, after, upto); err != nil {
		return place{}, err
	}
	for _, id := range ids {
		g, err := r.segmentAfter(member, uint64(id)&maxSeq-1)
		if err != nil {
			return place{}, err
		}
		for _, i := range g.Find(h) {
			items, err := s.opened.open(g)
			if err != nil {
				return place{}, err
			}
			if items[i].Change.Hash() == h {
				return place{items[i].Doc, items[i].Change.MaxOp()}, nil
			}
		}
	}
	return place{}, nil
}

// docOp names an operation of a document.
type docOp struct {
	doc crdt.DocName
	id  automerge.OpID
}

// checkRefs sets refs of each item that builds on operations which are not there or are of another kind. What is read
// of the past is one row a change that is referred to, or one segment at a time.
func (s *SQLite) checkRefs(r *reader, member int64, folded uint64, p *push) error {
	l := &opFinder{s: s, r: r, member: member, folded: folded, ops: map[docOp]*automerge.Op{}}
	for i := range p.items {
		if it := &p.items[i]; it.code == 0 {
			it.Change.Refs(func(id automerge.OpID) { l.ops[docOp{it.Doc, id}] = nil })
		}
	}
	for i := range p.items {
		if it := &p.items[i]; it.code == 0 {
			l.answer(it.Doc, it.Change)
		}
	}
	var missing []docOp
	for k, op := range l.ops {
		if op == nil {
			missing = append(missing, k)
		}
	}
	if err := l.find(missing); err != nil {
		return err
	}
	for i := range p.items {
		it := &p.items[i]
		if it.code != 0 {
			continue
		}
		// Whether its operations leave a gap is the committer's question, who knows the last one.
		it.refs = it.Change.CheckRefs(it.Change.StartOp-1, func(id automerge.OpID) (*automerge.Op, bool) {
			k := docOp{it.Doc, id}
			op, ok := l.ops[k]
			if !ok && l.err == nil && l.steps < maxSteps { // the way to the beginning of a mark
				l.steps++
				l.all, l.ops[k] = true, nil
				l.err = l.find([]docOp{k})
				op = l.ops[k]
			}
			return op, op != nil
		})
	}
	return l.err
}

// An opFinder finds operations of one member.
type opFinder struct {
	s      *SQLite
	r      *reader
	member int64
	folded uint64
	ops    map[docOp]*automerge.Op // what was asked for; nil while it is not found
	all    bool                    // what was not asked for will be
	steps  int
	err    error
}

// maxSteps bounds the changes that are looked up, one by one, to find that a mark ends behind its beginning. Who marks a
// text of more changes at once is refused.
const maxSteps = 1 << 16

// answer notes what a change has made of what was asked for.
func (l *opFinder) answer(doc crdt.DocName, c *automerge.Change) {
	for i := range c.Ops {
		k := docOp{doc, c.OpID(i)}
		if op, ok := l.ops[k]; (ok || l.all) && op == nil {
			// A copy that does not keep all of its change in memory.
			op := c.Ops[i]
			op.Key, op.Mark, op.Pred, op.Value = strings.Clone(op.Key), strings.Clone(op.Mark), nil, automerge.Value{}
			l.ops[k] = &op
		}
	}
}

// find looks for operations among the changes that stand one by one, then in the segments that may have them.
func (l *opFinder) find(missing []docOp) error {
	var left []span
	for _, k := range missing {
		if l.ops[k] != nil {
			continue // it came with another one
		}
		row, err := l.r.docID.row(string(k.doc))
		if err != nil {
			return err
		}
		if row == nil {
			continue
		}
		x := span{row[0].(int64), actorMark(k.id.Actor), k.id.Counter, k.id.Counter}
		if err := l.s.eachRow(l.r, l.member, k, x, func(c *automerge.Change) bool {
			l.answer(k.doc, c)
			return l.ops[k] == nil
		}); err != nil {
			return err
		}
		if l.ops[k] == nil && l.folded > 0 {
			left = append(left, x)
		}
	}
	if len(left) == 0 {
		return nil
	}
	var ids []int64
	after, upto := seqs(l.member)
	if err := l.r.spans.each(func(row []driver.Value) bool {
		if anySpan(row[1].([]byte), left) {
			ids = append(ids, row[0].(int64))
		}
		return true
	}, after, upto); err != nil {
		return err
	}
	for _, id := range ids {
		g, err := l.r.segmentAfter(l.member, uint64(id)&maxSeq-1)
		if err != nil {
			return err
		}
		items, err := l.s.opened.open(g)
		if err != nil {
			return err
		}
		for i := range items {
			l.answer(items[i].Doc, items[i].Change)
		}
	}
	return nil
}

// eachRow calls fn with the changes that stand one by one and may have made an operation, until it returns false.
// Those of a log have no mark of their actor: there is next to never anything to look for.
func (s *SQLite) eachRow(r *reader, member int64, k docOp, x span, fn func(*automerge.Change) bool) error {
	st, args := r.ops, []driver.Value{member, x.doc, x.actor, int64(k.id.Counter)}
	if k.doc.IsLog() {
		after, upto := seqs(member)
		st, args = r.logOps, []driver.Value{after, upto, x.doc, int64(k.id.Counter)}
	}
	var bad error
	err := st.each(func(row []driver.Value) bool {
		var c *automerge.Change
		if c, bad = parseRow(row[2].([]byte), int(row[1].(int64))); bad != nil {
			bad = fmt.Errorf("member %d, change %d: %w", member, row[0].(int64)&maxSeq, bad)
			return false
		}
		if c.Actor == k.id.Actor {
			// The first of the actor that reaches the counter: if that one has not made it, none has.
			return fn(c) && c.StartOp > k.id.Counter
		}
		return true
	}, args...)
	return errors.Join(err, bad)
}

// Compact folds the end of a member's order; see Store.
func (s *SQLite) Compact(ctx context.Context, m crdt.MemberID, least int) (int, error) {
	n, err := s.compact(ctx, m, least)
	if err != nil {
		return 0, fmt.Errorf("store: compact: %w", err)
	}
	return n, nil
}

// A folding is a segment that is to take the place of rows.
type folding struct {
	member int64
	folded uint64 // what members.folded has to be still
	seg    *wire.Segment
	spans  []byte
}

func (s *SQLite) compact(ctx context.Context, m crdt.MemberID, least int) (n int, err error) {
	f := folding{}
	if err := s.readAt(ctx, func(r *reader) error {
		member, head, folded, err := r.head(m)
		if err != nil || head.Seq-folded < uint64(max(least, 1)) {
			return err
		}
		f.member, f.folded = member, folded
		f.seg, f.spans, n, err = s.gather(r, member, head.Seq, folded)
		return err
	}); err != nil || n == 0 {
		return 0, err
	}
	err = s.do(ctx, 1, func(w *writer) error { return w.replace(&f, &n) })
	if err != nil {
		return 0, err
	}
	return n, nil
}

// gather folds changes that stand one by one, and small segments before them, and says how many of the former.
func (s *SQLite) gather(r *reader, member int64, head, folded uint64) (seg *wire.Segment, spans []byte, n int, err error) {
	var rows []wire.Item
	var from wire.Receipt
	from.Seq = folded
	if folded > 0 {
		if from.Chain, err = s.chainAt(r, member, folded); err != nil {
			return nil, nil, 0, err
		}
	}
	page, err := s.rows(r, member, wire.Receipt{Seq: folded, Chain: from.Chain}, head, segmentChanges, wire.MaxInflated)
	if err != nil {
		return nil, nil, 0, err
	}
	for _, c := range page.Changes {
		ch, err := automerge.ParseChange(c.Raw)
		if err != nil {
			return nil, nil, 0, fmt.Errorf("member %d, change %d: %w", member, c.Seq, err)
		}
		rows = append(rows, wire.Item{Doc: c.Doc, Change: ch})
	}
	taken, takenFrom, err := s.takeUp(r, member, folded, len(rows))
	if err != nil {
		return nil, nil, 0, err
	}
	if len(taken) > 0 {
		seg, err = wire.NewSegment(takenFrom, append(taken, rows...))
		if err != nil && !errors.Is(err, wire.ErrTooLarge) {
			return nil, nil, 0, err
		}
	}
	items := slices.Concat(taken, rows)
	if seg == nil {
		items = rows
		for {
			seg, err = wire.NewSegment(from, items)
			if !errors.Is(err, wire.ErrTooLarge) || len(items) == 1 {
				break
			}
			items = items[:len(items)/2]
		}
		if err != nil {
			return nil, nil, 0, err
		}
	}
	spans, err = s.spansOf(r, items)
	return seg, spans, int(seg.To.Seq - folded), err
}

// takeUp returns the changes of the small segments at the end that are to be folded again with so many more.
func (s *SQLite) takeUp(r *reader, member int64, folded uint64, more int) (items []wire.Item, from wire.Receipt, err error) {
	var list []*segment
	total := more
	for at := folded; at > 0; {
		g, err := r.segmentAfter(member, at-1)
		if err != nil {
			return nil, from, err
		}
		if g.Len() >= smallSegment || total+g.Len() > segmentChanges {
			break
		}
		list = append(list, g)
		total += g.Len()
		at = g.From.Seq
	}
	if total < mergedSegment {
		if len(list) == 0 || list[0].Len() >= tinySegment {
			return nil, from, nil
		}
		list = list[:1]
	}
	for _, g := range slices.Backward(list) {
		if len(items) == 0 {
			from = g.From
		}
		opened, err := g.Open()
		if err != nil {
			return nil, from, fmt.Errorf("member %d: %w: restore the database from a backup", member, err)
		}
		items = append(items, opened...)
	}
	return items, from, nil
}

func (s *SQLite) spansOf(r *reader, items []wire.Item) ([]byte, error) {
	var list []span
	index := map[docOp]int{}
	for _, it := range items {
		c := it.Change
		if len(c.Ops) == 0 {
			continue
		}
		k := docOp{it.Doc, automerge.OpID{Actor: c.Actor}}
		i, ok := index[k]
		if !ok {
			row, err := r.docID.row(string(it.Doc))
			if err != nil || row == nil {
				return nil, errors.Join(err, fmt.Errorf("document %s has no number", it.Doc))
			}
			i = len(list)
			index[k] = i
			list = append(list, span{row[0].(int64), actorMark(c.Actor), c.StartOp, c.MaxOp()})
		}
		list[i].first, list[i].last = min(list[i].first, c.StartOp), max(list[i].last, c.MaxOp())
	}
	return appendSpans(nil, list), nil
}

// replace puts a segment in the place of its rows, unless another one has come first; then n becomes 0.
func (w *writer) replace(f *folding, n *int) error {
	row, err := w.folded.row(f.member)
	if err != nil {
		return err
	}
	if row == nil || uint64(row[0].(int64)) != f.folded {
		*n = 0
		return nil
	}
	from, to := f.member<<seqBits|int64(f.seg.From.Seq), f.member<<seqBits|int64(f.seg.To.Seq)
	for _, st := range []*stmt{w.dropSegments, w.dropChanges} {
		if _, err := st.exec(from, to); err != nil {
			return err
		}
	}
	if _, err := w.addSegment.exec(to, int64(f.seg.From.Seq), f.seg.From.Chain[:], f.seg.To.Chain[:], f.spans, f.seg.Marks, f.seg.Data); err != nil {
		return err
	}
	_, err = w.setFolded.exec(int64(f.seg.To.Seq), f.member)
	return err
}

// A folder folds in the background: members whose orders have grown, as Append says, and those whose months have closed.
type folder struct {
	mu   sync.Mutex
	set  map[crdt.MemberID]struct{}
	wake chan struct{}
	done chan struct{}
}

func (f *folder) want(m crdt.MemberID) {
	f.mu.Lock()
	f.set[m] = struct{}{}
	f.mu.Unlock()
	select {
	case f.wake <- struct{}{}:
	default:
	}
}

func (f *folder) take() (m crdt.MemberID, ok bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for m = range f.set {
		delete(f.set, m)
		return m, true
	}
	return m, false
}

// run ends when the store is closed.
func (f *folder) run(s *SQLite) {
	defer close(f.done)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go func() {
		<-s.closing
		cancel()
	}()
	sweep := time.NewTimer(0)
	defer sweep.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-sweep.C:
			s.sweep(ctx)
			sweep.Reset(sweepEvery)
		case <-f.wake:
			for m, ok := f.take(); ok && ctx.Err() == nil; m, ok = f.take() {
				s.foldAll(ctx, m, foldFrom)
			}
		}
	}
}

// foldAll folds as long as there is enough. What goes wrong is only said: the rows stay as they are.
func (s *SQLite) foldAll(ctx context.Context, m crdt.MemberID, least int) {
	for {
		n, err := s.Compact(ctx, m, least)
		switch {
		case ctx.Err() != nil || errors.Is(err, ErrClosed):
			return
		case err != nil:
			s.log.Warn("changes cannot be folded; they stay as they are", slog.String("member", m.String()), slog.Any("err", err))
			return
		case n == 0:
			return
		}
	}
}

// sweep folds what is left of months that are over, and what nobody folded before the store was last closed.
func (s *SQLite) sweep(ctx context.Context) {
	open := "log-" + s.cfg.Now().UTC().Format("2006-01")
	for member := int64(0); ctx.Err() == nil; {
		var list []crdt.MemberID
		err := s.read(ctx, func(r *reader) error {
			const page = 1000
			return r.unfolded.each(func(row []driver.Value) bool {
				member = row[0].(int64)
				list = append(list, crdt.MemberID(row[1].([]byte)))
				return true
			}, member, int64(foldFrom), int64(foldClosed), open, int64(page))
		})
		if err != nil || len(list) == 0 {
			if err != nil && ctx.Err() == nil && !errors.Is(err, ErrClosed) {
				s.log.Warn("looking for months to fold", slog.Any("err", err))
			}
			return
		}
		for _, m := range list {
			s.foldAll(ctx, m, foldClosed)
		}
	}
}
