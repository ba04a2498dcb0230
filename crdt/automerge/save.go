package automerge

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Save returns the document as one document chunk (type 0), in columns and deflated: the smallest form, which every
// Automerge engine loads. Changes that wait for others follow it as chunks of their own.
//
// Where the history does not fit a document chunk, which SaveChanges says, Save returns the change chunks one after the
// other in causal order, deflated; that is a valid Automerge file too, and nothing is lost.
//
// Changes are saved in the order in which they were applied, as the official engine does. The same history, applied in
// another order, may be saved as other bytes with the same meaning.
func (d *Doc) Save() ([]byte, error) {
	var out []byte
	if !d.packed {
		changes := d.parsed()
		d.packed = !canonical(changes)
		if !d.packed {
			d.canonical = len(d.raws)
			// What keeps a history from a document chunk is no error here.
			out, _ = saveColumns(&d.graph, changes)
		}
	}
	if out == nil {
		for _, raw := range d.raws {
			out = append(out, Deflate([]byte(raw))...)
		}
	}
	var waiting []*Change
	for _, w := range d.graph.waiting {
		waiting = append(waiting, w.c)
	}
	slices.SortFunc(waiting, func(a, b *Change) int { return compareHashes(a.hash, b.hash) })
	for _, c := range waiting {
		out = append(out, Deflate(c.Raw())...)
	}
	return out, nil
}

func canonical(changes []Change) bool {
	for i := range changes {
		if !changes[i].Canonical() {
			return false
		}
	}
	return true
}

// SaveChanges returns changes, which are all of a document in causal order, as one document chunk. Lists, text, tables,
// nested maps and marks are saved as they are, in the order of rows and with the bytes of the official engine, a column's
// deflated form aside. Doc.Save saves the same changes in the same way.
//
// A document chunk has less in it than changes may have, and an error names the change that does not fit, or the limit:
//
//   - a change that another engine packed in its own way, or with columns that we do not know (see Change.Canonical)
//   - an operation whose object, element or predecessor is not there, is of another kind, or lies elsewhere
//   - a delete without predecessors or with a value: it is known from what it deletes alone
//   - what the official engine does not write and would read as something else: an update that is a mark, an insertion with
//     predecessors, a value on an object, a deletion or the end of a mark, an increment by an unsigned number
//   - times of changes whose differences do not fit in 64 bits
//   - what would pass a limit of Load: actors, heads, rows, bytes
//   - changes that are not in causal order or lack dependencies, as Graph.Add states
func SaveChanges(changes []*Change) ([]byte, error) {
	var g Graph
	g.grow(len(changes))
	slab := make([]Change, 0, len(changes))
	for i, c := range changes {
		if c == nil {
			return nil, fmt.Errorf("change %d is nil", i)
		}
		ready, err := g.Add(c)
		switch {
		case err != nil:
			return nil, err
		case len(ready) == 0 && g.Has(c.hash):
			continue
		case len(ready) == 0:
			return nil, &ChangeError{c.hash, errors.New("a change that it depends on does not come before it")}
		case !c.Canonical():
			return nil, &ChangeError{c.hash, errors.New("another engine packed its columns in its own way")}
		}
		slab = append(slab, Change{
			Actor: c.Actor, Seq: c.Seq, StartOp: c.StartOp, Time: c.Time, Message: c.Message, Ops: c.Ops, Extra: c.Extra, hash: c.hash,
		})
	}
	return saveColumns(&g, slab)
}

// saver gathers the rows of a document chunk. An operation has a number, counted over all changes in their order.
type saver struct {
	graph   *Graph
	changes []Change // by their number in graph
	actors  []ActorID
	writer  []int32   // of each change: the index of its actor
	byActor [][]int32 // of each actor: its changes in order of their operations
	first   []int32   // of each change: the number of its first operation
	rowOf   []int32   // of each operation: its row, or -1 for a delete
	rows    []docRow
	succs   []docSucc
	objects []docRow // the rows that make objects, by id; rows know an object by its place here + 1, the root map by 0
	nested  bool     // there are objects
	lists   bool     // there are lists or text
	maps    bool     // there are keys
	marks   bool
	expand  bool
}

// docRow is one row of the operation columns. Its id is (ctr, actor).
type docRow struct {
	op     *Op
	ctr    uint32
	actor  int32
	n      int32 // number of the operation
	object int32
}

// docSucc says that the operation (ctr, actor) overwrites the one in row.
type docSucc struct {
	row, actor int32
	ctr        uint32
}

// saveColumns returns the document chunk of the changes that g has applied, in its order; they are canonical.
func saveColumns(g *Graph, changes []Change) ([]byte, error) {
	s := &saver{graph: g, changes: changes}
	for i := range g.writers {
		s.actors = append(s.actors, g.writers[i].id)
	}
	slices.Sort(s.actors)
	heads := g.sortedHeads()
	switch {
	case len(s.actors) > MaxActors:
		return nil, fmt.Errorf("%d actors are over the limit of %d", len(s.actors), MaxActors)
	case len(heads) > MaxDeps:
		return nil, fmt.Errorf("%d heads are over the limit of %d", len(heads), MaxDeps)
	case len(changes) > MaxDocumentOps || len(g.deps) > MaxDocumentOps:
		return nil, fmt.Errorf("%d changes with %d dependencies are over the limit of %d", len(changes), len(g.deps), MaxDocumentOps)
	}
	for _, step := range []func() error{s.gather, s.place, s.sort, s.succeed} {
		if err := step(); err != nil {
			return nil, err
		}
	}
	body := appendUleb(nil, uint64(len(s.actors)))
	for _, a := range s.actors {
		body = appendText(body, string(a))
	}
	body = appendUleb(body, uint64(len(heads)))
	for _, h := range heads {
		body = append(body, h[:]...)
	}
	var meta, ops encoder
	s.packChanges(&meta)
	s.packRows(&ops)
	if meta.overflow || ops.overflow {
		return nil, fmt.Errorf("times of changes: %w", errColDelta) // nothing else comes near
	}
	body = appendSpecs(body, meta.specs)
	body = appendSpecs(body, ops.specs)
	body = append(body, meta.cols...)
	body = append(body, ops.cols...)
	for _, h := range heads {
		i, _ := g.find(h)
		body = appendUleb(body, uint64(i))
	}
	// What we save, Load must take.
	inflated := meta.inflated + ops.inflated
	if len(body) > MaxDocumentBytes || inflated > MaxDocumentBytes {
		return nil, fmt.Errorf("%d bytes are over the limit of %d", max(len(body), inflated), MaxDocumentBytes)
	}
	chunk := append(appendHeader(make([]byte, 0, len(body)+16), ChunkDocument, len(body)), body...)
	seal(chunk)
	return chunk, nil
}

// fail names the operation that a document chunk has no room for.
func (s *saver) fail(change int32, op uint64, why string) error {
	return &ChangeError{s.changes[change].hash, fmt.Errorf("operation %d does not fit a document chunk: %s", op, why)}
}

// gather numbers the operations and lists the rows.
func (s *saver) gather() error {
	s.byActor = make([][]int32, len(s.actors))
	s.writer = make([]int32, len(s.changes))
	s.first = make([]int32, len(s.changes)+1)
	total := 0
	for i := range s.changes {
		c := &s.changes[i]
		a, _ := slices.BinarySearch(s.actors, c.Actor)
		s.writer[i] = int32(a)
		s.byActor[a] = append(s.byActor[a], int32(i))
		s.first[i] = int32(total)
		if total += len(c.Ops); total > MaxDocumentOps {
			return fmt.Errorf("more operations than the limit of %d", MaxDocumentOps)
		}
	}
	s.first[len(s.changes)] = int32(total)
	s.rows = make([]docRow, 0, total)
	s.rowOf = make([]int32, total)
	for i := range s.changes {
		c := &s.changes[i]
		for j := range c.Ops {
			op, n := &c.Ops[j], s.first[i]+int32(j)
			if why := misfit(op); why != "" {
				return s.fail(int32(i), c.StartOp+uint64(j), why)
			}
			if op.Action == Delete {
				// A delete has no row: it lives in the successors of what it deletes.
				s.rowOf[n] = -1
				continue
			}
			s.rowOf[n] = int32(len(s.rows))
			s.rows = append(s.rows, docRow{op: op, ctr: uint32(c.StartOp) + uint32(j), actor: s.writer[i], n: n})
			s.lists, s.maps = s.lists || op.IsList, s.maps || !op.IsList
			s.marks, s.expand = s.marks || op.Mark != "", s.expand || op.Expand
		}
	}
	return nil
}

// misfit says what an operation has that no document chunk can keep, or that the official engine would read from one as
// something else, so that the change would have another hash there.
func misfit(op *Op) string {
	switch {
	case op.Insert && len(op.Pred) > 0:
		return "an insertion with predecessors"
	case op.IsList && !op.Insert && op.Elem.IsRoot():
		return "an update of the head of a list"
	case op.Action == Mark && !op.Insert:
		return "a mark that is no insertion"
	case op.Action != Mark && (op.Mark != "" || op.Expand):
		return "the name or the expansion of a mark on what is no mark"
	}
	none := op.Value == Value{}
	switch op.Action {
	case Delete:
		if len(op.Pred) == 0 || op.Insert || !none {
			return "a delete without predecessors, with a value or of what it inserts"
		}
	case Increment:
		if op.Value.Kind != KindInt || op.Insert {
			return "an increment by an unsigned number, or one that is inserted"
		}
	case MakeMap, MakeList, MakeText, MakeTable:
		if !none {
			return "an object with a value"
		}
	case Mark:
		if op.Mark == "" && !none {
			return "the end of a mark with a value"
		}
	}
	return ""
}

// place finds the object of each operation: its kind must be that of the operation.
func (s *saver) place() error {
	for i := range s.rows {
		switch r := &s.rows[i]; r.op.Action {
		case MakeMap, MakeList, MakeText, MakeTable:
			s.objects = append(s.objects, *r)
		}
	}
	if len(s.objects) == 0 {
		// All that there is must be on the root map then.
		for i := range s.changes {
			for j := range s.changes[i].Ops {
				if !s.changes[i].Ops[j].Obj.IsRoot() {
					return s.fail(int32(i), s.changes[i].StartOp+uint64(j), "its object is not there")
				}
			}
		}
		return nil
	}
	slices.SortFunc(s.objects, compareIDs)
	number := make([]int32, len(s.rows)) // of a row that makes an object
	for i := range s.objects {
		number[s.rowOf[s.objects[i].n]] = int32(i) + 1
	}
	for i := range s.changes {
		c := &s.changes[i]
		for j := range c.Ops {
			op := &c.Ops[j]
			if op.Obj.IsRoot() {
				continue
			}
			at := c.StartOp + uint64(j)
			row, ok := s.find(op.Obj)
			if !ok || number[row] == 0 {
				return s.fail(int32(i), at, "its object is not there")
			}
			made := s.rows[row].op.Action
			if op.IsList != (made == MakeList || made == MakeText) {
				return s.fail(int32(i), at, "a key in a list or an element in a map")
			}
			if own := s.rowOf[s.first[i]+int32(j)]; own >= 0 {
				s.rows[own].object, s.nested = number[row], true
			}
		}
	}
	return nil
}

func compareIDs(a, b docRow) int {
	return cmp.Or(cmp.Compare(a.ctr, b.ctr), cmp.Compare(a.actor, b.actor))
}

// sort puts the rows in the order of the format: by object; in a map by key, then by id; in a list by place.
func (s *saver) sort() error {
	slices.SortFunc(s.rows, func(a, b docRow) int {
		if c := cmp.Compare(a.object, b.object); c != 0 {
			return c
		}
		// Those of a list have no key.
		if c := strings.Compare(a.op.Key, b.op.Key); c != 0 {
			return c
		}
		return compareIDs(a, b)
	})
	for i := range s.rows {
		s.rowOf[s.rows[i].n] = int32(i)
	}
	for from := 0; from < len(s.rows); {
		to := from + 1
		for to < len(s.rows) && s.rows[to].object == s.rows[from].object {
			to++
		}
		if s.rows[from].op.IsList {
			if err := s.sortList(from, to); err != nil {
				return err
			}
		}
		from = to
	}
	return nil
}

// sortList puts the rows of one list, which are in the order of their ids, in the order of the list. After an element come
// first the operations on it, by id, then what was inserted after it, the latest first, each with all that follows it.
func (s *saver) sortList(from, to int) error {
	rows := slices.Clone(s.rows[from:to])
	n := len(rows)
	// Of row i or, at n, of the head: the first insertion after it and the first operation on it; of each of these the next.
	inserts, updates, next := filled(n+1), filled(n+1), filled(n)
	elem := func(i int) (int32, error) {
		op := rows[i].op
		if op.Elem.IsRoot() {
			return int32(n), nil
		}
		row, ok := s.find(op.Elem)
		if !ok || int(row) < from || int(row) >= to || !rows[int(row)-from].op.Insert {
			return 0, s.failRow(&rows[i], "its element is not there")
		}
		return row - int32(from), nil
	}
	for i := range rows {
		if rows[i].op.Insert {
			e, err := elem(i)
			if err != nil {
				return err
			}
			inserts[e], next[i] = int32(i), inserts[e]
		}
	}
	for i := n - 1; i >= 0; i-- {
		if !rows[i].op.Insert {
			e, err := elem(i)
			if err != nil {
				return err
			}
			updates[e], next[i] = int32(i), updates[e]
		}
	}
	at := from
	put := func(i int32) {
		s.rows[at], s.rowOf[rows[i].n] = rows[i], int32(at)
		at++
	}
	// An element is older than what comes after it, so that there is no circle.
	stack := []int32{inserts[n]}
	for len(stack) > 0 {
		i := stack[len(stack)-1]
		if i < 0 {
			stack = stack[:len(stack)-1]
			continue
		}
		stack[len(stack)-1] = next[i]
		put(i)
		for u := updates[i]; u >= 0; u = next[u] {
			put(u)
		}
		stack = append(stack, inserts[i])
	}
	return nil
}

// filled returns n numbers that are no row.
func filled(n int) []int32 {
	list := make([]int32, n)
	for i := range list {
		list[i] = -1
	}
	return list
}

// failRow is fail for a row.
func (s *saver) failRow(r *docRow, why string) error {
	i, _ := slices.BinarySearch(s.first, r.n+1)
	return s.fail(int32(i-1), uint64(r.ctr), why)
}

// find returns the row of an operation.
func (s *saver) find(id OpID) (int32, bool) {
	a, ok := slices.BinarySearch(s.actors, id.Actor)
	if !ok {
		return 0, false
	}
	list := s.byActor[a]
	i, _ := slices.BinarySearchFunc(list, id.Counter, func(i int32, ctr uint64) int {
		return cmp.Compare(s.changes[i].MaxOp(), ctr)
	})
	// A change without operations may have the same MaxOp as the one before it, which comes first.
	if i == len(list) {
		return 0, false
	}
	c := &s.changes[list[i]]
	if id.Counter < c.StartOp || id.Counter > c.MaxOp() {
		return 0, false
	}
	row := s.rowOf[s.first[list[i]]+int32(id.Counter-c.StartOp)]
	return row, row >= 0
}

// succeed turns predecessors into successors, ordered by row and then by id.
func (s *saver) succeed() error {
	for i := range s.changes {
		c := &s.changes[i]
		for j := range c.Ops {
			op := &c.Ops[j]
			for _, p := range op.Pred {
				row, ok := s.find(p)
				if !ok || !s.overwrites(op, &s.rows[row]) {
					return s.fail(int32(i), c.StartOp+uint64(j), "a predecessor is not there, or lies elsewhere")
				}
				s.succs = append(s.succs, docSucc{row, s.writer[i], uint32(c.StartOp) + uint32(j)})
			}
		}
	}
	if len(s.succs) > MaxDocumentOps {
		return fmt.Errorf("%d predecessors are over the limit of %d", len(s.succs), MaxDocumentOps)
	}
	slices.SortFunc(s.succs, func(a, b docSucc) int {
		return cmp.Or(cmp.Compare(a.row, b.row), cmp.Compare(a.ctr, b.ctr), cmp.Compare(a.actor, b.actor))
	})
	return nil
}

// overwrites reports whether op works on the place of r.
func (s *saver) overwrites(op *Op, r *docRow) bool {
	if op.Obj != r.op.Obj || op.IsList != r.op.IsList {
		return false
	}
	if !op.IsList {
		return op.Key == r.op.Key
	}
	if r.op.Insert {
		return op.Elem == OpID{Counter: uint64(r.ctr), Actor: s.actors[r.actor]}
	}
	return op.Elem == r.op.Elem
}

// index returns the number of an actor.
func (s *saver) index(a ActorID) uint64 {
	i, _ := slices.BinarySearch(s.actors, a)
	return uint64(i)
}

// pack adds the column that add appends.
func (e *encoder) pack(spec uint64, add func(dst []byte) []byte) {
	from := len(e.cols)
	e.cols = add(e.cols)
	e.putDeflated(spec, from)
}

func (e *encoder) packUint(spec uint64, null []bool) {
	e.pack(spec, func(dst []byte) []byte { return appendRLE(dst, e.u, null, appendUleb) })
}

// packDelta overwrites e.i.
func (e *encoder) packDelta(spec uint64, null []bool) {
	e.overflow = e.overflow || deltaOverflows(e.i, null)
	e.pack(spec, func(dst []byte) []byte { return appendDelta(dst, e.i, null) })
}

func (e *encoder) packText(spec uint64, null []bool) {
	e.pack(spec, func(dst []byte) []byte { return appendRLE(dst, e.s, null, appendText) })
}

func (e *encoder) packBool(spec uint64) {
	e.pack(spec, func(dst []byte) []byte { return appendBool(dst, e.n1) })
}

func (s *saver) packChanges(e *encoder) {
	n := len(s.changes)
	e.u, e.i, e.s, e.n1 = resize(e.u, n), resize(e.i, n), resize(e.s, n), resize(e.n1, n)
	for i := range s.changes {
		e.u[i] = uint64(s.writer[i])
	}
	e.packUint(chActor, nil)
	for i := range s.changes {
		e.i[i] = int64(s.changes[i].Seq)
	}
	e.packDelta(chSeq, nil)
	for i := range s.changes {
		e.i[i] = int64(s.changes[i].MaxOp())
	}
	e.packDelta(chMaxOp, nil)
	for i := range s.changes {
		e.i[i] = s.changes[i].Time
	}
	e.packDelta(chTime, nil)
	for i := range s.changes {
		e.s[i], e.n1[i] = s.changes[i].Message, s.changes[i].Message == ""
	}
	e.packText(chMessage, e.n1)
	for i := range s.changes {
		e.u[i] = uint64(len(s.graph.depsOf(int32(i))))
	}
	e.packUint(chDepsNum, nil)
	e.i = resize(e.i, len(s.graph.deps))
	for i, dep := range s.graph.deps {
		e.i[i] = int64(dep)
	}
	e.packDelta(chDepsIndex, nil)
	for i := range s.changes {
		e.u[i] = uint64(len(s.changes[i].Extra))<<4 | uint64(KindBytes)
	}
	e.packUint(chExtraMeta, nil)
	e.pack(chExtra, func(dst []byte) []byte {
		for i := range s.changes {
			dst = append(dst, s.changes[i].Extra...)
		}
		return dst
	})
}

func (s *saver) packRows(e *encoder) {
	n := len(s.rows)
	e.u, e.i, e.n1 = resize(e.u, n), resize(e.i, n), resize(e.n1, n)
	if s.nested {
		for i := range s.rows {
			r := &s.rows[i]
			if e.n1[i] = r.object == 0; !e.n1[i] {
				e.u[i] = uint64(s.objects[r.object-1].actor)
			}
		}
		e.packUint(opObjActor, e.n1)
		for i := range s.rows {
			if !e.n1[i] {
				e.u[i] = uint64(s.objects[s.rows[i].object-1].ctr)
			}
		}
		e.packUint(opObjCtr, e.n1)
	}
	if s.lists {
		e.n2 = resize(e.n2, n)
		for i := range s.rows {
			op := s.rows[i].op
			e.n1[i], e.n2[i] = !op.IsList || op.Elem.IsRoot(), !op.IsList
			if !e.n1[i] {
				e.u[i] = s.index(op.Elem.Actor)
			}
			e.i[i] = int64(op.Elem.Counter)
		}
		e.packUint(opKeyActor, e.n1)
		e.packDelta(opKeyCtr, e.n2)
	}
	if s.maps {
		e.s = resize(e.s, n)
		for i := range s.rows {
			e.s[i], e.n1[i] = s.rows[i].op.Key, s.rows[i].op.IsList
		}
		e.packText(opKeyStr, e.n1)
	}
	for i := range s.rows {
		e.u[i] = uint64(s.rows[i].actor)
	}
	e.packUint(opIDActor, nil)
	for i := range s.rows {
		e.i[i] = int64(s.rows[i].ctr)
	}
	e.packDelta(opIDCtr, nil)
	for i := range s.rows {
		e.n1[i] = s.rows[i].op.Insert
	}
	e.packBool(opInsert)
	for i := range s.rows {
		e.u[i] = uint64(s.rows[i].op.Action)
	}
	e.packUint(opAction, nil)
	for i := range s.rows {
		e.u[i], e.valueBytes = appendValue(e.valueBytes, s.rows[i].op.Value)
	}
	e.packUint(opValueMeta, nil)
	e.pack(opValue, func(dst []byte) []byte { return append(dst, e.valueBytes...) })

	clear(e.u)
	for _, x := range s.succs {
		e.u[x.row]++
	}
	e.packUint(opSuccNum, nil)
	e.u, e.i = resize(e.u, len(s.succs)), resize(e.i, len(s.succs))
	for i, x := range s.succs {
		e.u[i], e.i[i] = uint64(x.actor), int64(x.ctr)
	}
	e.packUint(opSuccActor, nil)
	e.packDelta(opSuccCtr, nil)

	if s.expand {
		for i := range s.rows {
			e.n1[i] = s.rows[i].op.Expand
		}
		e.packBool(opExpand)
	}
	if s.marks {
		e.s = resize(e.s, n)
		for i := range s.rows {
			e.s[i] = s.rows[i].op.Mark
			e.n1[i] = e.s[i] == ""
		}
		e.packText(opMarkName, e.n1)
	}
}

// putDeflated is put for document chunks: a column of more than 256 bytes is deflated where that makes it smaller, within
// the ratio that inflate allows.
func (e *encoder) putDeflated(spec uint64, from int) {
	e.inflated += len(e.cols) - from
	if n := len(e.cols) - from; n > deflateOver {
		small := deflate(make([]byte, 0, n/2), e.cols[from:])
		if len(small) < n && n <= inflateLimit(len(small)) {
			e.cols = append(e.cols[:from], small...)
			spec |= colDeflate
		}
	}
	e.put(spec, from)
}
