package automerge

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"
)

// MaxDocumentOps bounds the operations, the changes and the predecessors of one document chunk, each.
const MaxDocumentOps = 1 << 22

// Load reads a document: chunks end to end, each a change, a compressed change or a whole document, nested objects
// included. Chunks may repeat each other and come in any order; changes whose dependencies are missing wait in the result.
// Every checksum, and the heads of a document chunk, are verified. The first chunk that is wrong ends the reading with an
// error that says where it is.
//
// Load is for files that the caller chose. As in ParseChange, what a file takes is not bounded by its bytes: besides a few
// times these it is 170 bytes for each operation of a change, of which there may be MaxOps, and 256 bytes for each of the
// MaxDocumentOps rows that a document chunk may have, 1 GB, while the chunk is read. LoadLimit is for files of strangers.
func Load(b []byte) (*Doc, error) { return load(b, math.MaxInt) }

// LoadLimit is Load for files of strangers: one that has more than maxOps rows in all, which are its operations, or its
// predecessors or the changes of document chunks where these are more, is refused before memory is taken for them.
func LoadLimit(b []byte, maxOps int) (*Doc, error) { return load(b, max(maxOps, 0)) }

func load(b []byte, left int) (*Doc, error) {
	chunks, err := SplitChunks(b)
	if err != nil {
		return nil, err
	}
	d, off := NewDoc(), 0
	for _, chunk := range chunks {
		rows, err := d.loadChunk(chunk, left)
		if err != nil {
			return nil, fmt.Errorf("chunk at byte %d: %w", off, err)
		}
		left = max(left-rows, 0)
		off += len(chunk)
	}
	return d, nil
}

// loadChunk applies a chunk of up to limit rows and returns how many it had.
func (d *Doc) loadChunk(chunk []byte, limit int) (rows int, err error) {
	if ChunkType(chunk[8]) != ChunkDocument {
		c, err := ParseChangeLimit(chunk, limit)
		if err != nil {
			return 0, err
		}
		preds := 0
		for i := range c.Ops {
			preds += len(c.Ops[i].Pred)
		}
		return max(len(c.Ops), preds), d.Apply(c)
	}
	// What is wrong with a document may show in its last field. Its changes are applied by then; Load gives up d.
	if rows, err = d.loadDocument(chunk, min(limit, MaxDocumentOps)); err != nil {
		return 0, fmt.Errorf("document: %w", err)
	}
	return rows, nil
}

// loader rebuilds the changes of a document chunk. It reads the ids of the operations first, which say how many of them
// each change has, and then writes each row to its place.
type loader struct {
	limit   uint64
	actors  []ActorID
	heads   []Hash
	changes []loadedChange
	deps    []uint32  // of one change after the other
	ops     []Op      // likewise
	byActor [][]int32 // of each actor: its changes by sequence number
	keys    int       // keys of the root map, as far as their rows are together
	rows    []loadedID
	succs   []loadedSucc // by id, then by the id in row
	deletes []bool       // of each successor: it is the first of an operation without a row
}

type loadedChange struct {
	actor   int32
	seq     uint32
	maxOp   uint32
	opsFrom uint32 // where its operations start in loader.ops
	ops     uint32 // how many these are
	depsEnd uint32 // where its dependencies end in loader.deps
	time    int64
	message string
	extra   string
}

func (c *loadedChange) startOp() uint64 { return uint64(c.maxOp) + 1 - uint64(c.ops) }

// loadedID is the id of an operation: its counter, and its change in place of its actor.
type loadedID struct {
	change int32
	ctr    uint32
}

func (a loadedID) compare(b loadedID) int {
	return cmp.Or(cmp.Compare(a.change, b.change), cmp.Compare(a.ctr, b.ctr))
}

// loadedSucc says that the operation id overwrites the one in row.
type loadedSucc struct {
	id  loadedID
	row int32
}

// loadDocument applies the changes of a document chunk, in the order of the chunk, which is causal.
func (d *Doc) loadDocument(chunk []byte, limit int) (rows int, err error) {
	l, r, err := loadRows(chunk, limit)
	if err != nil {
		return 0, err
	}
	rows = max(len(l.ops), len(l.succs), len(l.changes), len(l.deps))
	d.grow(len(l.changes), l.keys)
	hashes, refused, err := l.seal(d)
	if err != nil {
		return 0, err
	}
	if err := l.checkHeads(hashes); err != nil {
		return 0, err
	}
	// The index of the heads may be missing in old files.
	if r.pos < len(r.s) {
		for _, head := range l.heads {
			i, err := r.uleb("index of heads", uint64(len(hashes)))
			if err != nil {
				return 0, err
			}
			if i == uint64(len(hashes)) || hashes[i] != head {
				return 0, r.fail("index of heads", errHeads)
			}
		}
	}
	if r.pos < len(r.s) {
		return 0, r.fail("index of heads", errors.New("bytes follow the chunk's last field"))
	}
	return rows, refused
}

// loadRows reads a document chunk of up to limit rows up to the index of its heads, where r stands then.
func loadRows(chunk []byte, limit int) (l *loader, r *reader, err error) {
	h, err := readHeader(chunk)
	if err != nil {
		return nil, nil, err
	}
	if s := sum(chunk); string(s[:4]) != string(chunk[4:8]) {
		return nil, nil, errChecksum
	}
	l = &loader{limit: uint64(limit)}
	r = &reader{s: string(chunk), pos: h.contents}
	if l.actors, err = r.actors(nil, "actors"); err != nil {
		return nil, nil, err
	}
	if l.heads, err = r.hashes("heads", MaxDeps); err != nil {
		return nil, nil, err
	}
	changeSpecs, err := r.specs("change columns", true)
	if err != nil {
		return nil, nil, err
	}
	opSpecs, err := r.specs("operation columns", true)
	if err != nil {
		return nil, nil, err
	}
	room := MaxDocumentBytes
	changeCols, err := r.columns(changeSpecs, changeNames, &room)
	if err != nil {
		return nil, nil, err
	}
	opCols, err := r.columns(opSpecs, opNames, &room)
	if err != nil {
		return nil, nil, err
	}
	if err := l.readChanges(changeCols); err != nil {
		return nil, nil, err
	}
	if err := l.readIDs(opCols); err != nil {
		return nil, nil, err
	}
	if err := l.allot(); err != nil {
		return nil, nil, err
	}
	if err := l.readRows(opCols); err != nil {
		return nil, nil, err
	}
	l.addPreds()
	return l, r, nil
}

var errHeads = errors.New("changes do not have the heads that the document states")

var changeNames = map[uint64]string{
	chActor: "actor", chSeq: "sequence number", chMaxOp: "max op", chTime: "time", chMessage: "message",
	chDepsNum: "dependency group", chDepsIndex: "dependency index", chExtraMeta: "extra metadata", chExtra: "extra",
}

var opNames = map[uint64]string{
	opObjActor: "object actor", opObjCtr: "object counter", opKeyActor: "key actor", opKeyCtr: "key counter",
	opKeyStr: "key", opIDActor: "id actor", opIDCtr: "id counter", opInsert: "insert", opAction: "action",
	opValueMeta: "value metadata", opValue: "value", opSuccNum: "successor group", opSuccActor: "successor actor",
	opSuccCtr: "successor counter", opExpand: "expand", opMarkName: "mark name",
}

// columns cuts out and inflates columns; room is what they may still take. Columns that the format gained later are left
// out: if the changes had something in them, their hashes will not fit the heads.
func (r *reader) columns(specs []columnSpec, names map[uint64]string, room *int) (map[uint64]*column, error) {
	cols := make(map[uint64]*column, len(names))
	for spec, name := range names {
		cols[spec] = &column{name: name, base: r.pos}
	}
	for _, spec := range specs {
		base := r.pos
		s, err := r.take("columns", int(spec.n))
		if err != nil {
			return nil, err
		}
		c := cols[spec.spec&^colDeflate]
		if c == nil {
			continue
		}
		if spec.spec&colDeflate != 0 {
			size := 0
			if spec.spec&^colDeflate == opValue {
				size = valueBytes(cols[opValueMeta].s)
			}
			if s, err = inflateString(s, *room, size); err != nil {
				return nil, fmt.Errorf("column %s: %w", c.name, err)
			}
		}
		if *room -= len(s); *room < 0 {
			return nil, fmt.Errorf("columns inflate to more than %d bytes", MaxDocumentBytes)
		}
		c.s, c.base = s, base
	}
	return cols, nil
}

// valueBytes returns how many bytes a column of value metadata asks for. Where it is broken, the answer is too: it says what
// to make room for, and no more.
func valueBytes(meta string) int {
	total := uint64(0)
	for c := (column{s: meta}); c.pos < len(c.s) && total < MaxDocumentBytes; {
		if c.head() != nil {
			return 0
		}
		n := c.left
		c.left = 0
		switch c.mode {
		case runNull:
			continue
		case runSame:
			v, pos, err := readUleb(c.s, c.pos)
			if err != nil {
				return 0
			}
			c.pos = pos
			total += min(v>>4, MaxDocumentBytes) * n
		default:
			for ; n > 0; n-- {
				v, pos, err := readUleb(c.s, c.pos)
				if err != nil {
					return 0
				}
				c.pos = pos
				total += min(v>>4, MaxDocumentBytes)
			}
		}
	}
	return int(min(total, MaxDocumentBytes))
}

func (l *loader) readChanges(cols map[uint64]*column) error {
	n, err := cols[chActor].rows(l.limit)
	if err != nil {
		return err
	}
	deps, total, err := cols[chDepsNum].sum(l.limit)
	if err != nil {
		return err
	}
	if deps != n {
		return cols[chDepsNum].fail(fmt.Errorf("%d rows for %d changes", deps, n))
	}
	l.changes = make([]loadedChange, n)
	l.byActor = make([][]int32, len(l.actors))
	l.deps = make([]uint32, 0, total)
	for i := range l.changes {
		c := &l.changes[i]
		a, ok, err := cols[chActor].uint()
		if err != nil {
			return err
		}
		if !ok {
			return cols[chActor].fail(errColNull)
		}
		if _, err = actorAt(cols[chActor], l.actors, a); err != nil {
			return err
		}
		c.actor = int32(a)
		seq, ok, err := cols[chSeq].delta()
		if err != nil {
			return err
		}
		// A change comes after those that it depends on, its writer's own among them.
		if !ok || seq != int64(len(l.byActor[a])+1) {
			return cols[chSeq].fail(fmt.Errorf("change %d of its writer has the sequence number %d", len(l.byActor[a])+1, seq))
		}
		c.seq = uint32(seq)
		maxOp, ok, err := cols[chMaxOp].delta()
		if err != nil {
			return err
		}
		if !ok || maxOp < 0 || maxOp > MaxOp {
			return cols[chMaxOp].fail(fmt.Errorf("max op %d is not between 0 and %d", maxOp, MaxOp))
		}
		c.maxOp = uint32(maxOp)
		if prev := l.byActor[a]; len(prev) > 0 && l.changes[prev[len(prev)-1]].maxOp > c.maxOp {
			return cols[chMaxOp].fail(errNotAscending)
		}
		if c.time, _, err = cols[chTime].delta(); err != nil {
			return err
		}
		if c.message, _, err = cols[chMessage].text(); err != nil {
			return err
		}
		k, ok, err := cols[chDepsNum].uint()
		if err != nil {
			return err
		}
		if !ok {
			return cols[chDepsNum].fail(errColNull)
		}
		for ; k > 0; k-- {
			dep, ok, err := cols[chDepsIndex].delta()
			if err != nil {
				return err
			}
			if !ok || dep < 0 || dep >= int64(i) {
				return cols[chDepsIndex].fail(fmt.Errorf("change %d depends on change %d, which is not before it", i, dep))
			}
			l.deps = append(l.deps, uint32(dep))
		}
		c.depsEnd = uint32(len(l.deps))
		if cols[chExtraMeta].s != "" {
			v, err := readValue(cols[chExtraMeta], cols[chExtra])
			if err != nil {
				return err
			}
			switch {
			case v.Kind == KindBytes && v.Str != "":
				c.extra = v.Str
			case v.Kind != KindBytes && v.Kind != KindNull:
				return cols[chExtraMeta].fail(fmt.Errorf("value of kind %d where bytes belong", v.Kind))
			}
		}
		l.byActor[a] = append(l.byActor[a], int32(i))
	}
	return endAll(cols)
}

func endAll(cols map[uint64]*column) error {
	var first error
	for _, c := range cols {
		// The first by name, so that the message does not depend on the order of a map.
		if err := c.end(); err != nil && (first == nil || err.Error() < first.Error()) {
			first = err
		}
	}
	return first
}

// changeOf returns the change of an actor that made the operation with this counter.
func (l *loader) changeOf(actor int, ctr uint64) (int32, bool) {
	list := l.byActor[actor]
	i, _ := slices.BinarySearchFunc(list, ctr, func(i int32, ctr uint64) int { return cmp.Compare(uint64(l.changes[i].maxOp), ctr) })
	if i == len(list) {
		return 0, false
	}
	return list[i], true
}

// readID reads the id of an operation and finds its change.
func (l *loader) readID(actor, ctr *column) (loadedID, error) {
	a, ok, err := actor.uint()
	if err != nil {
		return loadedID{}, err
	}
	if !ok {
		return loadedID{}, actor.fail(errColNull)
	}
	v, ok, err := ctr.delta()
	if err != nil {
		return loadedID{}, err
	}
	if !ok {
		return loadedID{}, ctr.fail(errColNull)
	}
	n, err := counter(ctr, v)
	if err != nil {
		return loadedID{}, err
	}
	if _, err = actorAt(actor, l.actors, a); err != nil {
		return loadedID{}, err
	}
	change, ok := l.changeOf(int(a), n)
	if !ok {
		return loadedID{}, ctr.fail(fmt.Errorf("operation %d@%s is of no change", n, l.actors[a]))
	}
	return loadedID{change, uint32(n)}, nil
}

// readIDs reads the columns that say which operations there are: the rows' ids and those of their successors.
func (l *loader) readIDs(cols map[uint64]*column) error {
	n, err := cols[opAction].rows(l.limit)
	if err != nil {
		return err
	}
	groups, total, err := cols[opSuccNum].sum(l.limit)
	if err != nil {
		return err
	}
	if groups != n && groups != 0 {
		return cols[opSuccNum].fail(fmt.Errorf("%d rows for %d operations", groups, n))
	}
	l.rows = make([]loadedID, n)
	l.succs = make([]loadedSucc, 0, total)
	idActor, idCtr := cols[opIDActor], cols[opIDCtr]
	succNum, succActor, succCtr := cols[opSuccNum], cols[opSuccActor], cols[opSuccCtr]
	for i := range l.rows {
		if l.rows[i], err = l.readID(idActor, idCtr); err != nil {
			return err
		}
		k, _, err := succNum.uint()
		if err != nil {
			return err
		}
		for ; k > 0; k-- {
			id, err := l.readID(succActor, succCtr)
			if err != nil {
				return err
			}
			l.succs = append(l.succs, loadedSucc{id, int32(i)})
		}
	}
	slices.SortFunc(l.succs, func(a, b loadedSucc) int {
		return cmp.Or(a.id.compare(b.id), l.opID(a.row).Compare(l.opID(b.row)))
	})
	return nil
}

func (l *loader) opID(row int32) OpID {
	id := l.rows[row]
	return OpID{Counter: uint64(id.ctr), Actor: l.actors[l.changes[id.change].actor]}
}

// allot gives each change room for its operations: the rows, and the deletes, which are known from the successors alone.
// A change's operations are those up to its max op without a gap.
func (l *loader) allot() error {
	ids := slices.Clone(l.rows)
	slices.SortFunc(ids, loadedID.compare)
	for i := 1; i < len(ids); i++ {
		if ids[i] == ids[i-1] {
			return fmt.Errorf("two rows for operation %d of change %d", ids[i].ctr, ids[i].change)
		}
	}
	counts := make([]int32, len(l.changes))
	least := make([]uint32, len(l.changes))
	add := func(id loadedID) {
		if counts[id.change] == 0 || id.ctr < least[id.change] {
			least[id.change] = id.ctr
		}
		counts[id.change]++
	}
	for _, id := range ids {
		add(id)
	}
	total := len(ids)
	l.deletes = make([]bool, len(l.succs))
	for i, s := range l.succs {
		if i > 0 && l.succs[i-1].id == s.id {
			continue
		}
		if _, found := slices.BinarySearchFunc(ids, s.id, loadedID.compare); !found {
			add(s.id)
			l.deletes[i] = true
			total++
		}
	}
	l.ops = make([]Op, total)
	from := uint32(0)
	for i := range l.changes {
		c, n := &l.changes[i], counts[i]
		c.opsFrom, c.ops = from, uint32(n)
		if c.ops > c.maxOp || n > 0 && uint64(least[i]) != c.startOp() {
			return fmt.Errorf("change %d has %d operations from %d and the max op %d", i, n, least[i], c.maxOp)
		}
		from += c.ops
	}
	return nil
}

// op returns the place of an operation.
func (l *loader) op(id loadedID) *Op {
	c := &l.changes[id.change]
	return &l.ops[uint64(c.opsFrom)+uint64(id.ctr)-c.startOp()]
}

// readRows reads what the operations do.
func (l *loader) readRows(cols map[uint64]*column) error {
	objActor, objCtr := cols[opObjActor], cols[opObjCtr]
	keyActor, keyCtr, keyStr := cols[opKeyActor], cols[opKeyCtr], cols[opKeyStr]
	insert, action, meta, value := cols[opInsert], cols[opAction], cols[opValueMeta], cols[opValue]
	expand, markName := cols[opExpand], cols[opMarkName]
	last := ""
	for i := range l.rows {
		op := l.op(l.rows[i])
		var err error
		if op.Obj, err = readID(objActor, objCtr, l.actors); err != nil {
			return err
		}
		if err = readKey(op, keyActor, keyCtr, keyStr, l.actors); err != nil {
			return err
		}
		if op.Obj.IsRoot() && (i == 0 || op.Key != last) {
			l.keys++
			last = op.Key
		}
		if op.Insert, err = insert.bool(); err != nil {
			return err
		}
		if op.Action, err = readAction(action); err != nil {
			return err
		}
		if op.Action == Delete {
			return action.fail(errors.New("a delete has no row in a document"))
		}
		if op.Value, err = readValue(meta, value); err != nil {
			return err
		}
		if op.Expand, err = expand.bool(); err != nil {
			return err
		}
		if op.Mark, _, err = markName.text(); err != nil {
			return err
		}
	}
	return endAll(cols)
}

// addPreds turns successors into predecessors and makes the deletes.
func (l *loader) addPreds() {
	preds := make([]OpID, 0, len(l.succs))
	for i := 0; i < len(l.succs); {
		id, from := l.succs[i].id, len(preds)
		op := l.op(id)
		if l.deletes[i] {
			row := l.succs[i].row
			target := l.op(l.rows[row])
			*op = Op{Obj: target.Obj, Key: target.Key, IsList: target.IsList, Elem: target.Elem, Action: Delete}
			if target.Insert {
				op.Elem = l.opID(row)
			}
		}
		for ; i < len(l.succs) && l.succs[i].id == id; i++ {
			preds = append(preds, l.opID(l.succs[i].row))
		}
		op.Pred = preds[from:len(preds):len(preds)]
	}
}

// seal encodes the changes in order, each after those that it depends on, applies them to d and returns their hashes and
// what d refused. It needs the rows no more and lets go of them.
func (l *loader) seal(d *Doc) (hashes []Hash, refused, err error) {
	l.rows, l.succs, l.deletes = nil, nil, nil
	hashes = make([]Hash, len(l.changes))
	var errs []error
	from := uint32(0)
	c := new(Change)
	for i := range l.changes {
		lc := &l.changes[i]
		*c = Change{
			Actor: l.actors[lc.actor], Seq: uint64(lc.seq), StartOp: lc.startOp(), Time: lc.time, Message: lc.message, Deps: c.Deps[:0],
		}
		if lc.ops > 0 {
			c.Ops = l.ops[lc.opsFrom : lc.opsFrom+lc.ops : lc.opsFrom+lc.ops]
		}
		if lc.extra != "" {
			c.Extra = []byte(lc.extra)
		}
		for _, dep := range l.deps[from:lc.depsEnd] {
			c.Deps = append(c.Deps, hashes[dep])
		}
		slices.SortFunc(c.Deps, compareHashes)
		from = lc.depsEnd
		if err := c.seal(true); err != nil {
			return nil, nil, fmt.Errorf("change %d: %w", i, err)
		}
		hashes[i] = c.hash
		if err := d.Apply(c); err != nil {
			errs = append(errs, err)
		}
		// A change that waits, because another before it was refused, is kept as it is; the next may not take its place.
		if d.graph.waiting[c.hash] != nil {
			c = new(Change)
		}
	}
	return hashes, errors.Join(errs...), nil
}

// checkHeads compares the changes that no other depends on with the heads that the document states. The hashes cover all of
// the history, so it is as it was written when they fit.
func (l *loader) checkHeads(hashes []Hash) error {
	covered := make([]bool, len(hashes))
	for _, dep := range l.deps {
		covered[dep] = true
	}
	var derived []Hash
	for i, h := range hashes {
		if !covered[i] {
			derived = append(derived, h)
		}
	}
	slices.SortFunc(derived, compareHashes)
	if !slices.Equal(derived, l.heads) {
		return errHeads
	}
	return nil
}
