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
	"sync"

	"trio/crdt"
	"trio/crdt/automerge"
	"trio/crdt/wire"
)

// resolve finds out what a push builds on as far as the committer does not: whether the operations that its changes
// overwrite or work on are in their history, whether their writer's change before is, and, once the committer has asked,
// where all that they name is stored. Each segment is gone through once for changes and once for operations.
func (s *SQLite) resolve(ctx context.Context, p *push) error {
	refers := false
	for i := range p.items {
		refers = refers || p.items[i].code == 0 && p.items[i].Change.Refers()
	}
	if !refers && p.rounds == 0 {
		return nil
	}
	select { // some readers are left for others
	case s.resolving <- struct{}{}:
		defer func() { <-s.resolving }()
	case <-ctx.Done():
		return ctx.Err()
	case <-s.closing:
		return ErrClosed
	}
	return s.readAt(ctx, func(r *reader) error {
		member, head, folded, err := r.head(p.member)
		if err != nil {
			return err
		}
		l := &historian{
			ctx: ctx, s: s, r: r, member: member, folded: folded, push: p, fresh: map[automerge.Hash]int{}, states: map[crdt.DocName]*docState{},
			nodes: map[automerge.Hash]*node{}, opened: map[uint64]bool{}, roots: map[automerge.Hash]*past{{}: {upto: head.Seq}}, ops: map[docOp]*madeOp{}, scanned: map[uint64]bool{},
		}
		return l.check()
	})
}

// A historian answers for one push what is in the history of its changes.
type historian struct {
	ctx    context.Context
	s      *SQLite
	r      *reader
	member int64
	folded uint64
	push   *push
	fresh  map[automerge.Hash]int // items that are not stored
	states map[crdt.DocName]*docState
	nodes  map[automerge.Hash]*node // stored changes that were looked for; nil: there is none
	tail   bool                     // all that stand one by one are in nodes
	marks  []wire.Segment           // of all segments, without their data
	opened map[uint64]bool          // segments of which all changes are in nodes
	roots  map[automerge.Hash]*past // what is in the history of a stored change, itself included; of none: all that is stored
	pasts  []*itemPast              // of each item; nil: a dependency is not here
	steps  int

	ops     map[docOp]*madeOp // what was asked for; nil while it is not found
	all     bool              // elements of lists that were not asked for will be
	scanned map[uint64]bool   // segments that have answered with all
}

// docOp names an operation of a document.
type docOp struct {
	doc crdt.DocName
	id  automerge.OpID
}

// madeOp is an operation and the change that made it: the item of this push, or the place of a stored one.
type madeOp struct {
	automerge.Op
	item int // -1: stored
	at   uint64
}

// A node is a stored change.
type node struct {
	doc    crdt.DocName
	at     uint64 // in the member's order
	maxop  uint64
	whole  bool // it builds on all that is stored of the document before it
	deps   []automerge.Hash
	parsed bool // deps is valid
}

const (
	// maxSteps bounds the stored changes that are looked at one by one for a push, to see what was written at the same time.
	maxSteps = 1 << 16
	// maxRoots bounds the stored changes that the changes of a push build on, so many for each.
	maxRoots = 256
	// maxElements bounds what is looked up, one by one, to find that a mark ends behind its beginning.
	maxElements = 1 << 13
)

// errSteps is no verdict on the change.
var errSteps = errors.New("too much was written at the same time to see what this builds on: send fewer changes at once")

// check sets what resolve says of the items.
func (l *historian) check() error {
	p := l.push
	var names []automerge.Hash // what is looked for among the stored changes
	for i := range p.items {
		if it := &p.items[i]; it.code == 0 {
			it.looked, it.refs, it.heir = false, nil, false
			names = append(append(names, it.hash), it.Change.Deps...)
			if err := l.learn(it.Doc, it.Change); err != nil {
				return err
			}
		}
	}
	if err := l.locate(names); err != nil {
		return err
	}
	p.known = map[automerge.Hash]place{}
	for _, h := range names {
		if n := l.nodes[h]; n != nil {
			p.known[h] = place{n.doc, n.maxop}
		} else {
			p.known[h] = place{}
		}
	}
	for i := range p.items {
		if it := &p.items[i]; it.code == 0 && l.nodes[it.hash] == nil {
			if _, twice := l.fresh[it.hash]; !twice {
				l.fresh[it.hash] = i
			}
			it.Change.Refs(func(id automerge.OpID) { l.ops[docOp{it.Doc, id}] = nil })
		}
	}
	for _, i := range l.fresh {
		l.answer(p.items[i].Doc, p.items[i].Change, i, 0)
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
	before := map[actorSeq]int{} // items by their place
	for _, i := range l.fresh {
		c := p.items[i].Change
		before[actorSeq{p.items[i].Doc, c.Actor, c.Seq}] = i
	}
	l.pasts = make([]*itemPast, len(p.items))
	for i := range p.items {
		it := &p.items[i]
		if at, ok := l.fresh[it.hash]; !ok || at != i {
			continue // stored, or refused already
		}
		past, err := l.past(i)
		if errors.Is(err, errSteps) {
			it.code, it.text = wire.CodeDeps, err.Error()
			continue
		}
		if err != nil {
			return err
		}
		if l.pasts[i] = past; past == nil {
			continue
		}
		c := it.Change
		st := l.states[it.Doc]
		w := st.writers[c.Actor]
		j, pushed := before[actorSeq{it.Doc, c.Actor, c.Seq - 1}]
		switch {
		case c.Seq == 1:
			it.heir = true
		case pushed:
			it.heir = past.has(j, 0)
		case w != nil && w.seq == c.Seq-1:
			it.heir = past.has(-1, w.at)
		default:
			continue // the change before it is not here
		}
		switch err := l.checkRefs(it, past); {
		case errors.Is(err, errSteps):
			it.code, it.text = wire.CodeDeps, err.Error()
		case err != nil:
			return err
		}
		it.looked = true
	}
	return nil
}

// actorSeq is the place of a change among those of its actor.
type actorSeq struct {
	doc   crdt.DocName
	actor automerge.ActorID
	seq   uint64
}

func (l *historian) checkRefs(it *packed, past *itemPast) (err error) {
	looked := 0
	// Whether its operations leave a gap is the committer's question, who knows the last one.
	it.refs = it.Change.CheckRefs(it.Change.StartOp-1, func(id automerge.OpID) (*automerge.Op, bool) {
		k := docOp{it.Doc, id}
		op, ok := l.ops[k]
		if !ok && err == nil { // the way to the beginning of a mark
			if looked++; looked > maxElements {
				err = errSteps
				return nil, false
			}
			l.all, l.ops[k] = true, nil
			err = l.find([]docOp{k})
			op = l.ops[k]
		}
		if op == nil || !past.has(op.item, op.at) {
			return nil, false
		}
		return &op.Op, true
	})
	return err
}

// A past is the history of a stored change in its document, itself included: all that is stored up to a place, and some
// more places.
type past struct {
	upto uint64
	more map[uint64]struct{}
}

// An itemPast is the history of an item: items of this push, as bits, and what the stored changes have that these build on.
type itemPast struct {
	items []uint64
	roots []automerge.Hash
	of    []*past
}

// has reports whether an item, or where that is -1 the stored change at a place, is in the history.
func (p *itemPast) has(item int, at uint64) bool {
	if item >= 0 {
		return p.items[item/64]&(1<<(item%64)) != 0
	}
	return slices.ContainsFunc(p.of, func(r *past) bool {
		_, ok := r.more[at]
		return ok || at <= r.upto
	})
}

// past returns the history of an item, nil when a dependency is neither stored nor before it in the push.
func (l *historian) past(i int) (*itemPast, error) {
	it := &l.push.items[i]
	p := &itemPast{items: make([]uint64, (len(l.push.items)+63)/64)}
	root := func(h automerge.Hash) error {
		if slices.Contains(p.roots, h) {
			return nil
		}
		if len(p.roots) == maxRoots {
			return errSteps
		}
		r, err := l.root(it.Doc, h)
		p.roots, p.of = append(p.roots, h), append(p.of, r)
		return err
	}
	if l.states[it.Doc].isWhole(it.Change.Deps) {
		// All that is stored, however many wrote at the same time.
		p.roots, p.of = append(p.roots, automerge.Hash{}), append(p.of, l.roots[automerge.Hash{}])
		return p, nil
	}
	for _, h := range it.Change.Deps {
		if j, ok := l.fresh[h]; ok {
			if j >= i || l.pasts[j] == nil {
				return nil, nil
			}
			for k, bits := range l.pasts[j].items {
				p.items[k] |= bits
			}
			p.items[j/64] |= 1 << (j % 64)
			for _, h := range l.pasts[j].roots {
				if err := root(h); err != nil {
					return nil, err
				}
			}
			continue
		}
		if n := l.nodes[h]; n == nil || n.doc != it.Doc {
			return nil, nil
		}
		if err := root(h); err != nil {
			return nil, err
		}
	}
	return p, nil
}

// root walks back from a stored change until it comes to changes that build on all before them.
func (l *historian) root(doc crdt.DocName, h automerge.Hash) (*past, error) {
	if p := l.roots[h]; p != nil {
		return p, nil
	}
	p := &past{more: map[uint64]struct{}{}}
	for level := []automerge.Hash{h}; len(level) > 0; {
		if err := l.locate(level); err != nil {
			return nil, err
		}
		var next []automerge.Hash
		for _, h := range level {
			if known := l.s.pasts.get(h); known != nil {
				p.add(known)
				continue
			}
			n := l.nodes[h]
			if n == nil || n.doc != doc {
				return nil, fmt.Errorf("change %s of %s is missing: restore the database from a backup", h, doc)
			}
			if n.whole {
				p.upto = max(p.upto, n.at)
				continue
			}
			if _, ok := p.more[n.at]; ok || n.at <= p.upto {
				continue
			}
			if l.steps++; l.steps > maxSteps {
				return nil, errSteps
			}
			p.more[n.at] = struct{}{}
			if err := l.parse(n); err != nil {
				return nil, err
			}
			next = append(next, n.deps...)
		}
		level = next
	}
	l.roots[h] = p
	if len(p.more) > 0 {
		l.s.pasts.put(h, p)
	}
	return p, nil
}

// add takes another history in.
func (p *past) add(q *past) {
	p.upto = max(p.upto, q.upto)
	for at := range q.more {
		p.more[at] = struct{}{}
	}
}

// pastCache keeps the histories that were found last, as a branch that is not merged is gone through by each push that
// goes on with it. What is in the history of a stored change does not change.
type pastCache struct {
	mu    sync.Mutex
	of    map[automerge.Hash]*past
	order []automerge.Hash // the oldest first
	size  int              // places in all
}

// maxCachedPlaces bounds the places in a pastCache, of some 20 bytes each.
const maxCachedPlaces = 1 << 20

func (c *pastCache) get(h automerge.Hash) *past {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.of[h]
}

func (c *pastCache) put(h automerge.Hash, p *past) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.of == nil {
		c.of = map[automerge.Hash]*past{}
	}
	if c.of[h] != nil {
		return
	}
	c.of[h] = p
	c.order = append(c.order, h)
	for c.size += len(p.more); c.size > maxCachedPlaces; c.order = c.order[1:] {
		c.size -= len(c.of[c.order[0]].more)
		delete(c.of, c.order[0])
	}
}

// learn reads what has to be known of a document to judge a change of it.
func (l *historian) learn(name crdt.DocName, c *automerge.Change) error {
	row, err := l.r.docID.row(string(name))
	if err != nil {
		return err
	}
	st := l.states[name]
	switch {
	case st == nil && row == nil:
		l.states[name] = newDocState()
	case st == nil:
		if st, err = l.r.read(l.member, row[0].(int64)); err != nil {
			return err
		}
		l.states[name] = st
	}
	if row == nil {
		return nil
	}
	if err := l.r.learn(st, l.member, row[0].(int64), c); err != nil {
		return err
	}
	note := func(h automerge.Hash) {
		if w := st.byLast[h]; w != nil && l.nodes[h] == nil {
			l.nodes[h] = &node{doc: name, at: w.at, maxop: w.maxop, whole: w.whole}
		}
	}
	note(c.Hash())
	for _, h := range c.Deps {
		note(h)
	}
	return nil
}

// locate looks for stored changes: among the last ones of each writer, which are in nodes already, those that stand one by
// one, and in segments.
func (l *historian) locate(list []automerge.Hash) error {
	var left []automerge.Hash
	for _, h := range list {
		if _, ok := l.nodes[h]; !ok {
			left = append(left, h)
		}
	}
	if len(left) > 0 && !l.tail {
		if err := l.readTail(); err != nil {
			return err
		}
		return l.locate(left)
	}
	if len(left) == 0 || l.folded == 0 {
		for _, h := range left {
			l.nodes[h] = nil
		}
		return nil
	}
	if l.marks == nil {
		after, upto := seqs(l.member)
		if err := l.r.marks.each(func(row []driver.Value) bool {
			l.marks = append(l.marks, wire.Segment{From: wire.Receipt{Seq: uint64(row[1].(int64))}, Marks: row[2].([]byte)})
			return true
		}, after, upto); err != nil {
			return err
		}
	}
	// One pass over the marks for all.
	wanted := map[[8]byte]struct{}{}
	for _, h := range left {
		wanted[[8]byte(h[:8])] = struct{}{}
	}
	for i := range l.marks {
		m := &l.marks[i]
		if l.opened[m.From.Seq] {
			continue
		}
		for b := m.Marks; len(b) >= 8; b = b[8:] {
			if _, ok := wanted[[8]byte(b)]; ok {
				if err := l.openNodes(m.From.Seq); err != nil {
					return err
				}
				break
			}
		}
	}
	for _, h := range left {
		if _, ok := l.nodes[h]; !ok {
			l.nodes[h] = nil
		}
	}
	return nil
}

// openNodes puts the changes of a segment into nodes.
func (l *historian) openNodes(from uint64) error {
	g, items, err := l.open(from)
	if err != nil {
		return err
	}
	l.opened[from] = true
	for i, it := range items {
		n := &node{doc: it.Doc, at: from + uint64(i) + 1, maxop: it.Change.MaxOp(), whole: !g.isPartial(i), parsed: true}
		if !n.whole {
			n.deps = it.Change.Deps
		}
		l.nodes[it.Change.Hash()] = n
	}
	return nil
}

func (l *historian) open(from uint64) (*segment, []wire.Item, error) {
	if err := l.ctx.Err(); err != nil {
		return nil, nil, err
	}
	if l.s.isClosed() {
		return nil, nil, ErrClosed
	}
	g, err := l.r.segmentAfter(l.member, from)
	if err != nil {
		return nil, nil, err
	}
	items, err := l.s.opened.open(g)
	return g, items, err
}

func (l *historian) readTail() error {
	l.tail = true
	_, upto := seqs(l.member)
	var bad error
	err := l.r.tail.each(func(row []driver.Value) bool {
		n := &node{at: uint64(row[0].(int64)) & maxSeq, maxop: uint64(row[3].(int64)), whole: row[4].(int64) != 0}
		n.doc, bad = l.s.docName(l.r, row[2].(int64))
		l.nodes[automerge.Hash(row[1].([]byte))] = n
		return bad == nil
	}, l.member<<seqBits|int64(l.folded), upto)
	return errors.Join(err, bad)
}

// parse reads what a stored change builds on.
func (l *historian) parse(n *node) error {
	if n.parsed {
		return nil
	}
	n.parsed = true
	if n.at <= l.folded {
		g, items, err := l.openAt(n.at)
		if err != nil {
			return err
		}
		n.deps = items[n.at-g.From.Seq-1].Change.Deps
		return nil
	}
	found := false
	err := l.rows(l.r.change, func(_ uint64, c *automerge.Change) bool {
		n.deps, found = c.Deps, true
		return false
	}, l.member<<seqBits|int64(n.at))
	if err == nil && !found {
		err = fmt.Errorf("change %d is missing: restore the database from a backup", n.at)
	}
	return err
}

// openAt opens the segment that holds a place.
func (l *historian) openAt(at uint64) (*segment, []wire.Item, error) {
	g, err := l.r.segmentAfter(l.member, at-1)
	if err != nil {
		return nil, nil, err
	}
	return l.open(g.From.Seq)
}

// answer notes what a change has made of what was asked for.
func (l *historian) answer(doc crdt.DocName, c *automerge.Change, item int, at uint64) {
	for i := range c.Ops {
		k := docOp{doc, c.OpID(i)}
		if op, ok := l.ops[k]; (ok || l.all && c.Ops[i].IsList) && op == nil {
			// A copy that does not keep all of its change in memory.
			op := &madeOp{c.Ops[i], item, at}
			op.Key, op.Mark, op.Pred, op.Value = strings.Clone(op.Key), strings.Clone(op.Mark), nil, automerge.Value{}
			l.ops[k] = op
		}
	}
}

// find looks for operations among the changes that stand one by one, then in the segments that may have them.
func (l *historian) find(missing []docOp) error {
	var left []span
	logs := map[crdt.DocName]bool{}
	for _, k := range missing {
		if l.ops[k] != nil {
			continue // it came with another one
		}
		if err := l.ctx.Err(); err != nil {
			return err
		}
		row, err := l.r.docID.row(string(k.doc))
		if err != nil {
			return err
		}
		if row == nil {
			continue
		}
		x := span{row[0].(int64), actorMark(k.id.Actor), k.id.Counter, k.id.Counter}
		switch {
		case !k.doc.IsLog():
			err = l.eachRow(k, x.doc, x.actor)
		case !logs[k.doc]:
			logs[k.doc] = true
			err = l.logRows(k.doc, x.doc)
		}
		if err != nil {
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
		if from := uint64(row[0].(int64)); !l.scanned[from] && anySpan(row[1].([]byte), left) {
			froms = append(froms, from)
		}
		return true
	}, after, upto); err != nil {
		return err
	}
	for _, from := range froms {
		_, items, err := l.open(from)
		if err != nil {
			return err
		}
		l.scanned[from] = l.all
		for i, it := range items {
			l.answer(it.Doc, it.Change, -1, from+uint64(i)+1)
		}
	}
	return nil
}

// eachRow has those of the changes that stand one by one answer that may have made an operation.
func (l *historian) eachRow(k docOp, doc, actor int64) error {
	return l.rows(l.r.ops, func(at uint64, c *automerge.Change) bool {
		if c.Actor != k.id.Actor {
			return true
		}
		// The first of the actor that reaches the counter: if that one has not made it, none has.
		l.answer(k.doc, c, -1, at)
		return false
	}, l.member, doc, actor, int64(k.id.Counter))
}

// logRows has all changes of a log that stand one by one answer. They have no mark of their actor, as there is next to never
// anything to look for.
func (l *historian) logRows(name crdt.DocName, doc int64) error {
	after, upto := seqs(l.member)
	return l.rows(l.r.logOps, func(at uint64, c *automerge.Change) bool {
		l.answer(name, c, -1, at)
		return true
	}, after, upto, doc)
}

// rows calls fn with each change of a query for id, size and data, and its place, until it returns false.
func (l *historian) rows(st *stmt, fn func(at uint64, c *automerge.Change) bool, args ...driver.Value) error {
	var bad error
	err := st.each(func(row []driver.Value) bool {
		at := uint64(row[0].(int64)) & maxSeq
		var c *automerge.Change
		if c, bad = parseRow(row[2].([]byte), int(row[1].(int64))); bad != nil {
			bad = fmt.Errorf("change %d: %w", at, bad)
			return false
		}
		return fn(at, c)
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
