package automerge

import (
	"cmp"
	"slices"
	"strings"
)

// Save returns the document as one document chunk (type 0), in columns and deflated: the smallest form, which every
// Automerge engine loads. Changes that wait for others follow it as chunks of their own.
//
// A document chunk is made of flat documents only. Where an operation is not on the root map, where a change was packed by
// another engine in its own way or has columns that we do not know, where a predecessor is not there, and where the chunk
// would pass a limit of Load, Save returns the change chunks one after the other in causal order, deflated; that is a valid
// Automerge file too, and nothing is lost.
//
// The same history, applied in another order, may be saved as other bytes with the same meaning.
func (d *Doc) Save() ([]byte, error) {
	out, ok := d.saveColumns()
	if !ok {
		for _, c := range d.changes {
			out = append(out, Deflate(c.Raw())...)
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

// saver gathers the rows of a document chunk.
type saver struct {
	changes []*Change
	actors  []ActorID
	writer  []int32   // of each change: the index of its actor
	byActor [][]int32 // of each actor: its changes in order of their operations
	first   []int32   // of each change: the number of its first operation among all of the document
	rowOf   []int32   // of each operation: its row, or -1 for a delete
	rows    []docRow
	succs   []docSucc
}

// docRow is one row of the operation columns. Its id is (ctr, actor).
type docRow struct {
	op    *Op
	ctr   uint32
	actor int32
	n     int32 // number of the operation
}

// docSucc says that the operation (ctr, actor) overwrites the one in row.
type docSucc struct {
	row, actor int32
	ctr        uint32
}

// saveColumns returns the document chunk, or false where Save says that there is none.
func (d *Doc) saveColumns() ([]byte, bool) {
	s := &saver{changes: d.changes}
	for a := range d.graph.actors {
		s.actors = append(s.actors, a)
	}
	slices.Sort(s.actors)
	if len(s.actors) > MaxActors || len(d.graph.heads) > MaxDeps || len(s.changes) > MaxDocumentOps {
		return nil, false
	}
	if !s.gather() || !s.succeed() {
		return nil, false
	}
	body := appendUleb(nil, uint64(len(s.actors)))
	for _, a := range s.actors {
		body = appendText(body, string(a))
	}
	body = appendUleb(body, uint64(len(d.graph.heads)))
	for _, h := range d.graph.heads {
		body = append(body, h[:]...)
	}
	index := make(map[Hash]int32, len(s.changes))
	for i, c := range s.changes {
		index[c.hash] = int32(i)
	}
	var changes, ops encoder
	s.packChanges(&changes, index)
	s.packRows(&ops)
	body = appendSpecs(body, changes.specs)
	body = appendSpecs(body, ops.specs)
	body = append(body, changes.cols...)
	body = append(body, ops.cols...)
	for _, h := range d.graph.heads {
		body = appendUleb(body, uint64(index[h]))
	}
	// What we save, Load must take.
	inflated := changes.inflated + ops.inflated
	rows := max(len(s.rows), len(s.succs), len(s.changes), changes.deps)
	if len(body) > MaxDocumentBytes || inflated > MaxDocumentBytes || uint64(rows) > docLimit(len(body)) {
		return nil, false
	}
	chunk := append(appendHeader(make([]byte, 0, len(body)+16), ChunkDocument, len(body)), body...)
	seal(chunk)
	return chunk, true
}

// gather lists the rows in the order of the format: by key, then by id.
func (s *saver) gather() bool {
	s.byActor = make([][]int32, len(s.actors))
	s.writer = make([]int32, len(s.changes))
	s.first = make([]int32, len(s.changes))
	total := 0
	for i, c := range s.changes {
		if total+len(c.Ops) > MaxDocumentOps || !c.Canonical() {
			return false
		}
		a, _ := slices.BinarySearch(s.actors, c.Actor)
		s.writer[i] = int32(a)
		s.byActor[a] = append(s.byActor[a], int32(i))
		s.first[i] = int32(total)
		total += len(c.Ops)
	}
	s.rows = make([]docRow, 0, total)
	s.rowOf = make([]int32, total)
	for i, c := range s.changes {
		for j := range c.Ops {
			op := &c.Ops[j]
			if !op.Obj.IsRoot() || op.Action == Mark || op.Expand || op.Mark != "" {
				return false
			}
			n := s.first[i] + int32(j)
			if op.Action == Delete {
				// A delete has no row: it lives in the successors of what it deletes.
				if len(op.Pred) == 0 || op.Value != (Value{}) {
					return false
				}
				s.rowOf[n] = -1
				continue
			}
			s.rows = append(s.rows, docRow{op: op, ctr: uint32(c.StartOp) + uint32(j), actor: s.writer[i], n: n})
		}
	}
	slices.SortFunc(s.rows, func(a, b docRow) int {
		if c := strings.Compare(a.op.Key, b.op.Key); c != 0 {
			return c
		}
		if c := cmp.Compare(a.ctr, b.ctr); c != 0 {
			return c
		}
		return cmp.Compare(a.actor, b.actor)
	})
	for i, r := range s.rows {
		s.rowOf[r.n] = int32(i)
	}
	return true
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
	c := s.changes[list[i]]
	if id.Counter < c.StartOp || id.Counter > c.MaxOp() {
		return 0, false
	}
	row := s.rowOf[s.first[list[i]]+int32(id.Counter-c.StartOp)]
	return row, row >= 0
}

// succeed turns predecessors into successors, ordered by row and then by id.
func (s *saver) succeed() bool {
	for i, c := range s.changes {
		for j := range c.Ops {
			op := &c.Ops[j]
			for _, p := range op.Pred {
				row, ok := s.find(p)
				if !ok || s.rows[row].op.Key != op.Key {
					return false
				}
				s.succs = append(s.succs, docSucc{row, s.writer[i], uint32(c.StartOp) + uint32(j)})
			}
		}
	}
	if len(s.succs) > MaxDocumentOps {
		return false
	}
	slices.SortFunc(s.succs, func(a, b docSucc) int {
		return cmp.Or(cmp.Compare(a.row, b.row), cmp.Compare(a.ctr, b.ctr), cmp.Compare(a.actor, b.actor))
	})
	return true
}

func (s *saver) packChanges(e *encoder, index map[Hash]int32) {
	n := len(s.changes)
	e.u, e.i, e.s, e.n1 = resize(e.u, n), resize(e.i, n), resize(e.s, n), resize(e.n1, n)
	for i := range s.changes {
		e.u[i] = uint64(s.writer[i])
	}
	from := len(e.cols)
	e.cols = appendRLE(e.cols, e.u, nil, appendUleb)
	e.putDeflated(chActor, from)
	for i, c := range s.changes {
		e.i[i] = int64(c.Seq)
	}
	from = len(e.cols)
	e.cols = appendDelta(e.cols, e.i, nil)
	e.putDeflated(chSeq, from)
	for i, c := range s.changes {
		e.i[i] = int64(c.MaxOp())
	}
	from = len(e.cols)
	e.cols = appendDelta(e.cols, e.i, nil)
	e.putDeflated(chMaxOp, from)
	for i, c := range s.changes {
		e.i[i] = c.Time
	}
	from = len(e.cols)
	e.cols = appendDelta(e.cols, e.i, nil)
	e.putDeflated(chTime, from)
	for i, c := range s.changes {
		e.s[i], e.n1[i] = c.Message, c.Message == ""
	}
	from = len(e.cols)
	e.cols = appendRLE(e.cols, e.s, e.n1, appendText)
	e.putDeflated(chMessage, from)
	e.i = e.i[:0]
	for i, c := range s.changes {
		e.u[i] = uint64(len(c.Deps))
		for _, h := range c.Deps {
			e.i = append(e.i, int64(index[h]))
		}
	}
	e.deps = len(e.i)
	from = len(e.cols)
	e.cols = appendRLE(e.cols, e.u, nil, appendUleb)
	e.putDeflated(chDepsNum, from)
	from = len(e.cols)
	e.cols = appendDelta(e.cols, e.i, nil)
	e.putDeflated(chDepsIndex, from)
	for i, c := range s.changes {
		e.u[i] = uint64(len(c.Extra))<<4 | uint64(KindBytes)
	}
	from = len(e.cols)
	e.cols = appendRLE(e.cols, e.u, nil, appendUleb)
	e.putDeflated(chExtraMeta, from)
	from = len(e.cols)
	for _, c := range s.changes {
		e.cols = append(e.cols, c.Extra...)
	}
	e.putDeflated(chExtra, from)
}

func (s *saver) packRows(e *encoder) {
	n := len(s.rows)
	e.u, e.i, e.s, e.n1 = resize(e.u, n), resize(e.i, n), resize(e.s, n), resize(e.n1, n)
	for i := range s.rows {
		e.s[i] = s.rows[i].op.Key
	}
	from := len(e.cols)
	e.cols = appendRLE(e.cols, e.s, nil, appendText)
	e.putDeflated(opKeyStr, from)
	for i := range s.rows {
		e.u[i] = uint64(s.rows[i].actor)
	}
	from = len(e.cols)
	e.cols = appendRLE(e.cols, e.u, nil, appendUleb)
	e.putDeflated(opIDActor, from)
	for i := range s.rows {
		e.i[i] = int64(s.rows[i].ctr)
	}
	from = len(e.cols)
	e.cols = appendDelta(e.cols, e.i, nil)
	e.putDeflated(opIDCtr, from)
	clear(e.n1)
	from = len(e.cols)
	e.cols = appendBool(e.cols, e.n1)
	e.putDeflated(opInsert, from)
	for i := range s.rows {
		e.u[i] = uint64(s.rows[i].op.Action)
	}
	from = len(e.cols)
	e.cols = appendRLE(e.cols, e.u, nil, appendUleb)
	e.putDeflated(opAction, from)
	for i := range s.rows {
		e.u[i], e.valueBytes = appendValue(e.valueBytes, s.rows[i].op.Value)
	}
	from = len(e.cols)
	e.cols = appendRLE(e.cols, e.u, nil, appendUleb)
	e.putDeflated(opValueMeta, from)
	from = len(e.cols)
	e.cols = append(e.cols, e.valueBytes...)
	e.putDeflated(opValue, from)

	clear(e.u)
	for _, x := range s.succs {
		e.u[x.row]++
	}
	from = len(e.cols)
	e.cols = appendRLE(e.cols, e.u, nil, appendUleb)
	e.putDeflated(opSuccNum, from)
	e.u, e.i = e.u[:0], e.i[:0]
	for _, x := range s.succs {
		e.u = append(e.u, uint64(x.actor))
		e.i = append(e.i, int64(x.ctr))
	}
	from = len(e.cols)
	e.cols = appendRLE(e.cols, e.u, nil, appendUleb)
	e.putDeflated(opSuccActor, from)
	from = len(e.cols)
	e.cols = appendDelta(e.cols, e.i, nil)
	e.putDeflated(opSuccCtr, from)
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
