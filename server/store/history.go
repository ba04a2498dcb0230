package store

import (
	"bytes"
	"context"
	"database/sql/driver"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"

	"trio/crdt"
	"trio/crdt/automerge"
	"trio/crdt/wire"
)

// resolve finds out what a push builds on as far as the committer does not: the places of the changes that it wanted,
// whether the operations that its changes overwrite or work on are in their history, and whether their writer's last
// change is, where that was asked.
func (s *SQLite) resolve(ctx context.Context, p *push) error {
	asked := len(p.wanted) > 0
	for i := range p.items {
		asked = asked || p.items[i].code == 0 && p.items[i].Change.Refers()
	}
	if !asked {
		return nil
	}
	return s.readAt(ctx, func(r *reader) error {
		member, _, folded, err := r.head(p.member)
		if err != nil {
			return err
		}
		l := &historian{s: s, r: r, member: member, folded: folded, push: p, fresh: map[automerge.Hash]*packed{}, states: map[crdt.DocName]*docState{}}
		for i := range p.items {
			if it := &p.items[i]; it.code == 0 {
				l.fresh[it.hash] = it
			}
		}
		for _, h := range p.wanted {
			n, err := l.stored(h)
			if err != nil {
				return err
			}
			if p.known == nil {
				p.known = map[automerge.Hash]place{}
			}
			p.known[h] = place{n.doc, n.maxop}
		}
		return l.check()
	})
}

// A historian answers for one push what is in the history of its changes.
type historian struct {
	s      *SQLite
	r      *reader
	member int64
	folded uint64
	push   *push
	fresh  map[automerge.Hash]*packed
	states map[crdt.DocName]*docState
	tail   map[automerge.Hash]node // of the changes that stand one by one
	marks  []wire.Segment          // of all segments, without their data
	ops    map[docOp]*madeOp       // what was asked for; nil while it is not found
	all    bool                    // what was not asked for will be
	steps  int
	last   *past
}

// docOp names an operation of a document.
type docOp struct {
	doc crdt.DocName
	id  automerge.OpID
}

// madeOp is an operation and the change that made it.
type madeOp struct {
	automerge.Op
	in node
}

// A node is a change: one that is stored, at a place in the member's order, or one of this push. The zero node is none.
type node struct {
	hash  automerge.Hash
	doc   crdt.DocName
	at    uint64 // 0: of this push
	maxop uint64
	whole bool // it builds on all that is stored of the document before it
	deps  []automerge.Hash
}

// maxSteps bounds the changes that are looked up, one by one, to see what is in the history of the changes of a push. An
// honest one needs as many as were written at the same time on several devices, or as a mark in a text spans.
const maxSteps = 1 << 16

var errSteps = errors.New("what the change builds on lies too far back among changes written at the same time")

// check sets refs and heir of the items.
func (l *historian) check() error {
	l.ops = map[docOp]*madeOp{}
	for i := range l.push.items {
		if it := &l.push.items[i]; it.code == 0 {
			it.Change.Refs(func(id automerge.OpID) { l.ops[docOp{it.Doc, id}] = nil })
		}
	}
	for _, it := range l.fresh {
		l.answer(it.Doc, it.Change, node{hash: it.hash})
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
	for i := range l.push.items {
		it := &l.push.items[i]
		if it.code != 0 || !it.asked && !it.Change.Refers() {
			continue
		}
		past, err := l.past(it)
		if err == nil && it.asked {
			it.heir, err = l.isHeir(it, past)
		}
		if err == nil {
			err = l.checkRefs(it, past)
		}
		if errors.Is(err, errSteps) {
			it.refs, err = err, nil
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (l *historian) checkRefs(it *packed, past *past) (err error) {
	// Whether its operations leave a gap is the committer's question, who knows the last one.
	it.refs = it.Change.CheckRefs(it.Change.StartOp-1, func(id automerge.OpID) (*automerge.Op, bool) {
		k := docOp{it.Doc, id}
		op, ok := l.ops[k]
		if !ok && err == nil { // the way to the beginning of a mark
			if err = l.step(); err == nil {
				l.all, l.ops[k] = true, nil
				err = l.find([]docOp{k})
				op = l.ops[k]
			}
		}
		if op == nil || err != nil || !past.has(op.in) {
			return nil, false
		}
		return &op.Op, true
	})
	return err
}

// isHeir reports whether the change before it of the same writer is in an item's history.
func (l *historian) isHeir(it *packed, past *past) (bool, error) {
	for _, x := range l.fresh {
		if x.Doc == it.Doc && x.Change.Actor == it.Change.Actor && x.Change.Seq == it.Change.Seq-1 {
			return past.has(node{hash: x.hash}), nil
		}
	}
	st, err := l.state(it.Doc)
	if err != nil {
		return false, err
	}
	w := st.writers[it.Change.Actor]
	return w != nil && w.seq == it.Change.Seq-1 && past.has(node{hash: w.last, at: w.at}), nil
}

func (l *historian) step() error {
	if l.steps++; l.steps > maxSteps {
		return errSteps
	}
	return nil
}

// A past is the history of a change in its document: all that is stored up to a place, and some more.
type past struct {
	of   automerge.Hash
	upto uint64
	more map[automerge.Hash]struct{}
}

func (p *past) has(n node) bool {
	_, ok := p.more[n.hash]
	return ok || n.at > 0 && n.at <= p.upto
}

// past walks back from an item until it comes to changes that build on all before them.
func (l *historian) past(it *packed) (*past, error) {
	if deps := it.Change.Deps; l.last != nil && len(deps) == 1 && deps[0] == l.last.of {
		l.last.of = it.hash // the next of a row of changes
		l.last.more[deps[0]] = struct{}{}
		return l.last, nil
	}
	p := &past{of: it.hash, more: map[automerge.Hash]struct{}{}}
	l.last = nil
	stack := slices.Clone(it.Change.Deps)
	for len(stack) > 0 {
		h := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		if _, ok := p.more[h]; ok {
			continue
		}
		if err := l.step(); err != nil {
			return nil, err
		}
		n, err := l.node(h)
		if err != nil {
			return nil, err
		}
		switch {
		case n.doc != it.Doc: // it is missing, and that is what the committer will say
		case n.whole:
			p.upto = max(p.upto, n.at)
		case n.at > 0 && n.at <= p.upto:
		default:
			p.more[h] = struct{}{}
			deps, err := l.deps(n)
			if err != nil {
				return nil, err
			}
			stack = append(stack, deps...)
		}
	}
	l.last = p
	return p, nil
}

func (l *historian) state(doc crdt.DocName) (*docState, error) {
	if st := l.states[doc]; st != nil {
		return st, nil
	}
	row, err := l.r.docID.row(string(doc))
	if err != nil {
		return nil, err
	}
	st := &docState{}
	if row != nil {
		if st, err = readState(l.r.writersOf, l.member, row[0].(int64)); err != nil {
			return nil, err
		}
	}
	l.states[doc] = st
	return st, nil
}

// node finds a change of the member or of this push.
func (l *historian) node(h automerge.Hash) (node, error) {
	if it := l.fresh[h]; it != nil {
		return node{hash: h, doc: it.Doc, maxop: it.Change.MaxOp(), deps: it.Change.Deps}, nil
	}
	return l.stored(h)
}

// stored finds a change of the member.
func (l *historian) stored(h automerge.Hash) (node, error) {
	for doc, st := range l.states {
		for _, w := range st.writers {
			if w.last == h {
				return node{hash: h, doc: doc, at: w.at, maxop: w.maxop, whole: w.whole}, nil
			}
		}
	}
	// The states of the documents of this push are read before the rows: most build on the last change of some writer.
	read := false
	for _, it := range l.fresh {
		if l.states[it.Doc] == nil {
			if _, err := l.state(it.Doc); err != nil {
				return node{}, err
			}
			read = true
		}
	}
	if read {
		return l.stored(h)
	}
	if l.tail == nil {
		if err := l.readTail(); err != nil {
			return node{}, err
		}
	}
	if n, ok := l.tail[h]; ok {
		return n, nil
	}
	if l.folded == 0 {
		return node{}, nil
	}
	if l.marks == nil {
		after, upto := seqs(l.member)
		if err := l.r.marks.each(func(row []driver.Value) bool {
			l.marks = append(l.marks, wire.Segment{From: wire.Receipt{Seq: uint64(row[1].(int64))}, Marks: row[2].([]byte)})
			return true
		}, after, upto); err != nil {
			return node{}, err
		}
	}
	for i := range l.marks {
		for _, place := range l.marks[i].Find(h) {
			g, err := l.r.segmentAfter(l.member, l.marks[i].From.Seq)
			if err != nil {
				return node{}, err
			}
			items, err := l.s.opened.open(g)
			if err != nil {
				return node{}, err
			}
			if c := items[place].Change; c.Hash() == h {
				return node{
					hash: h, doc: items[place].Doc, at: g.From.Seq + uint64(place) + 1, maxop: c.MaxOp(), whole: !g.isPartial(place), deps: c.Deps,
				}, nil
			}
		}
	}
	return node{}, nil
}

func (l *historian) readTail() error {
	l.tail = map[automerge.Hash]node{}
	_, upto := seqs(l.member)
	var bad error
	err := l.r.tail.each(func(row []driver.Value) bool {
		n := node{
			hash: automerge.Hash(row[1].([]byte)), at: uint64(row[0].(int64)) & maxSeq, maxop: uint64(row[3].(int64)), whole: row[4].(int64) != 0,
		}
		n.doc, bad = l.s.docName(l.r, row[2].(int64))
		l.tail[n.hash] = n
		return bad == nil
	}, l.member<<seqBits|int64(l.folded), upto)
	return errors.Join(err, bad)
}

// deps returns what a change builds on.
func (l *historian) deps(n node) ([]automerge.Hash, error) {
	if n.deps != nil || n.at == 0 {
		return n.deps, nil
	}
	if n.at <= l.folded {
		g, err := l.r.segmentAfter(l.member, n.at-1)
		if err != nil {
			return nil, err
		}
		items, err := l.s.opened.open(g)
		if err != nil {
			return nil, err
		}
		return items[n.at-g.From.Seq-1].Change.Deps, nil
	}
	row, err := l.r.change.row(l.member<<seqBits | int64(n.at))
	if err != nil {
		return nil, err
	}
	if row == nil {
		return nil, fmt.Errorf("change %d is missing: restore the database from a backup", n.at)
	}
	c, err := parseRow(row[1].([]byte), int(row[0].(int64)))
	if err != nil {
		return nil, fmt.Errorf("change %d: %w", n.at, err)
	}
	return c.Deps, nil
}

// answer notes what a change has made of what was asked for.
func (l *historian) answer(doc crdt.DocName, c *automerge.Change, in node) {
	for i := range c.Ops {
		k := docOp{doc, c.OpID(i)}
		if op, ok := l.ops[k]; (ok || l.all) && op == nil {
			// A copy that does not keep all of its change in memory.
			op := &madeOp{c.Ops[i], in}
			op.Key, op.Mark, op.Pred, op.Value = strings.Clone(op.Key), strings.Clone(op.Mark), nil, automerge.Value{}
			l.ops[k] = op
		}
	}
}

// find looks for operations among the changes that stand one by one, then in the segments that may have them.
func (l *historian) find(missing []docOp) error {
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
		if err := l.eachRow(k, x.doc, x.actor); err != nil {
			return err
		}
		if l.ops[k] == nil && l.folded > 0 {
			left = append(left, x)
		}
	}
	if len(left) == 0 {
		return nil
	}
	var froms []uint64
	after, upto := seqs(l.member)
	if err := l.r.spans.each(func(row []driver.Value) bool {
		if anySpan(row[1].([]byte), left) {
			froms = append(froms, uint64(row[0].(int64)))
		}
		return true
	}, after, upto); err != nil {
		return err
	}
	for _, from := range froms {
		g, err := l.r.segmentAfter(l.member, from)
		if err != nil {
			return err
		}
		items, err := l.s.opened.open(g)
		if err != nil {
			return err
		}
		for i, it := range items {
			l.answer(it.Doc, it.Change, node{hash: it.Change.Hash(), at: g.From.Seq + uint64(i) + 1})
		}
	}
	return nil
}

// eachRow has those of the changes that stand one by one answer that may have made an operation. Those of a log have no
// mark of their actor: there is next to never anything to look for.
func (l *historian) eachRow(k docOp, doc, actor int64) error {
	st, args := l.r.ops, []driver.Value{l.member, doc, actor, int64(k.id.Counter)}
	if k.doc.IsLog() {
		after, upto := seqs(l.member)
		st, args = l.r.logOps, []driver.Value{after, upto, doc, int64(k.id.Counter)}
	}
	var bad error
	err := st.each(func(row []driver.Value) bool {
		at := uint64(row[0].(int64)) & maxSeq
		var c *automerge.Change
		if c, bad = parseRow(row[2].([]byte), int(row[1].(int64))); bad != nil {
			bad = fmt.Errorf("change %d: %w", at, bad)
			return false
		}
		if c.Actor != k.id.Actor {
			return true
		}
		// The first of the actor that reaches the counter: if that one has not made it, none has.
		l.answer(k.doc, c, node{hash: c.Hash(), at: at})
		return l.ops[k] == nil && c.StartOp > k.id.Counter
	}, args...)
	return errors.Join(err, bad)
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

// The changes of a segment that do not build on all before them are a list of bits, of which what ends it in zeros is left
// off: nearly always nothing is left.
func packPartial(list []bool) []byte {
	b := make([]byte, (len(list)+7)/8)
	for i, partial := range list {
		if partial {
			b[i/8] |= 1 << (i % 8)
		}
	}
	return bytes.TrimRight(b, "\x00")
}

func (g *segment) isPartial(i int) bool {
	return i/8 < len(g.partial) && g.partial[i/8]&(1<<(i%8)) != 0
}
