package automerge

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"unicode/utf8"
)

const (
	// MaxActorBytes bounds an actor id. The official engine makes 16 bytes.
	MaxActorBytes = 128

	// MaxActors bounds the other actors that one change names, and the actors of a document chunk.
	MaxActors = 1 << 16

	// MaxDeps bounds the dependencies of one change.
	MaxDeps = 4096

	// MaxMessageBytes bounds the message of a change.
	MaxMessageBytes = 64 << 10

	// MaxKeyBytes bounds a map key and the name of a mark. A value is bounded by its chunk.
	MaxKeyBytes = 64 << 10

	// MaxColumns bounds the columns of operations, or of changes, in one chunk. The format knows fewer than 20.
	MaxColumns = 64

	// MaxOps bounds the operations of one change, and their predecessors together. A run claims any number of rows in a few
	// bytes, and honest changes do: a long text that was deleted at once has next to none for each letter.
	MaxOps = 1 << 19

	// Memory of an Op and of an OpID.
	opBytes = 144
	idBytes = 24

	// MaxOp bounds the counter of an operation. The reference engine keeps counters in 32 bits; below 2^31 they are safe
	// there, in a signed 32-bit number and in a JavaScript number alike.
	MaxOp = 1<<31 - 1

	// MaxSeq bounds the sequence number of a change; each has an operation or costs its writer a chunk.
	MaxSeq = 1<<31 - 1
)

// reader reads the fixed part of a chunk. Strings are parts of s.
type reader struct {
	s   string
	pos int
}

func (r *reader) fail(what string, err error) error {
	return fmt.Errorf("%s, byte %d: %w", what, r.pos, err)
}

var errShort = errors.New("cut off")

func (r *reader) uleb(what string, limit uint64) (uint64, error) {
	v, pos, err := readUleb(r.s, r.pos)
	if err != nil {
		return 0, r.fail(what, err)
	}
	if v > limit {
		return 0, r.fail(what, fmt.Errorf("%d is over the limit of %d", v, limit))
	}
	r.pos = pos
	return v, nil
}

func (r *reader) leb(what string) (int64, error) {
	v, pos, err := readLeb(r.s, r.pos)
	if err != nil {
		return 0, r.fail(what, err)
	}
	r.pos = pos
	return v, nil
}

func (r *reader) take(what string, n int) (string, error) {
	if n > len(r.s)-r.pos {
		return "", r.fail(what, errShort)
	}
	v := r.s[r.pos : r.pos+n]
	r.pos += n
	return v, nil
}

func (r *reader) actor(what string) (ActorID, error) {
	n, err := r.uleb(what, MaxActorBytes)
	if err != nil {
		return "", err
	}
	if n == 0 {
		return "", r.fail(what, errors.New("an actor id has a byte at least"))
	}
	s, err := r.take(what, int(n))
	return ActorID(s), err
}

// hashes reads a counted list of hashes, which ascend without duplicates.
func (r *reader) hashes(what string, limit uint64) ([]Hash, error) {
	return r.hashesInto(nil, what, limit)
}

// hashesInto is hashes into dst, which has none, where it has room.
func (r *reader) hashesInto(dst []Hash, what string, limit uint64) ([]Hash, error) {
	n, err := r.uleb(what, limit)
	if err != nil || n == 0 {
		return dst, err
	}
	if n*32 > uint64(len(r.s)-r.pos) {
		return nil, r.fail(what, errShort)
	}
	list := slices.Grow(dst, int(n))[:n]
	for i := range list {
		r.pos += copy(list[i][:], r.s[r.pos:])
		if i > 0 && string(list[i-1][:]) >= string(list[i][:]) {
			return nil, r.fail(what, errNotAscending)
		}
	}
	return list, nil
}

// actors reads a counted list of actors, which ascend without duplicates.
func (r *reader) actors(dst []ActorID, what string) ([]ActorID, error) {
	n, err := r.uleb(what, MaxActors)
	if err != nil {
		return nil, err
	}
	if 2*n > uint64(len(r.s)-r.pos) {
		return nil, r.fail(what, errShort)
	}
	dst = slices.Grow(dst, int(n))
	for i := range n {
		a, err := r.actor(what)
		if err != nil {
			return nil, err
		}
		// Those listed ascend; what dst began with stands apart.
		if i > 0 && dst[len(dst)-1] >= a {
			return nil, r.fail(what, errNotAscending)
		}
		dst = append(dst, a)
	}
	return dst, nil
}

// columnSpec is one entry of the column metadata.
type columnSpec struct{ spec, n uint64 }

// specs reads the column metadata. Columns ascend without duplicates, the deflate bit aside, which only a document chunk
// may set.
func (r *reader) specs(what string, deflated bool) ([]columnSpec, error) {
	n, err := r.uleb(what, MaxColumns)
	if err != nil || n == 0 {
		return nil, err
	}
	if 2*n > uint64(len(r.s)-r.pos) {
		return nil, r.fail(what, errShort)
	}
	list := make([]columnSpec, n)
	for i := range list {
		if list[i].spec, err = r.uleb(what, 1<<32-1); err != nil {
			return nil, err
		}
		if list[i].n, err = r.uleb(what, MaxDocumentBytes); err != nil {
			return nil, err
		}
		if !deflated && list[i].spec&colDeflate != 0 {
			return nil, r.fail(what, fmt.Errorf("column %d is deflated, which a change chunk may not have", list[i].spec))
		}
		if i > 0 && list[i-1].spec&^colDeflate >= list[i].spec&^colDeflate {
			return nil, r.fail(what, errNotAscending)
		}
	}
	return list, nil
}

var errNotAscending = errors.New("entries do not ascend")

// ParseChange reads exactly one change chunk, plain (type 1) or deflated (type 2), and keeps a private copy of its bytes;
// chunk stays the caller's. Checksum, every column and every reference are checked, as Check states. Columns that the
// format gained later are carried in the bytes. Strings of the result are parts of that copy: keeping a key for long
// keeps all of it.
//
// The memory that a change takes is not bounded by its bytes: besides a few times these it is 170 bytes for each operation
// with its predecessor, 90 MB for MaxOps of them. Who reads the bytes of strangers uses ParseChangeLimit.
func ParseChange(chunk []byte) (*Change, error) { return ParseChangeLimit(chunk, MaxOps) }

// ParseChangeLimit is ParseChange for chunks of strangers: a change of more operations than maxOps, or with more
// predecessors in all, is refused before memory is taken for them. What is left is 170 bytes for each of maxOps.
func ParseChangeLimit(chunk []byte, maxOps int) (*Change, error) {
	return ParseChangeUnless(chunk, maxOps, func(Hash, int) bool { return false })
}

// ParseChangeUnless is ParseChangeLimit for who may know the change already. skip is told its hash, which is proved, and
// the bytes of its uncompressed chunk; when it reports true nothing is parsed, and neither a change nor an error returned.
func ParseChangeUnless(chunk []byte, maxOps int, skip func(h Hash, bytes int) bool) (*Change, error) {
	raw, hash, contents, err := unpack(chunk)
	if err != nil {
		return nil, err
	}
	if skip(hash, len(raw)) {
		return nil, nil
	}
	c := &Change{hash: hash, raw: raw, parsed: true}
	if err := c.parse(raw, contents, uint64(min(max(maxOps, 0), MaxOps))); err != nil {
		return nil, fmt.Errorf("change %s: %w", hash, err)
	}
	if err := c.Check(); err != nil {
		return nil, fmt.Errorf("change %s: %w", hash, err)
	}
	return c, nil
}

// reparse reads the fields anew from raw, which was parsed or sealed before: nothing in it can be wrong. What c.Deps and
// c.Ops have room for is used.
func (c *Change) reparse() {
	// The length of the contents takes what ulebLen says; it was read without an overlong form.
	_, contents, err := readUleb(c.raw, 9)
	if err == nil {
		err = c.parse(c.raw, contents, MaxOps)
	}
	if err != nil {
		panic("automerge: a change that was read cannot be read again: " + err.Error())
	}
}

func (c *Change) parse(s string, contents int, limit uint64) error {
	r := reader{s: s, pos: contents}
	actors, err := c.parseHead(&r)
	if err != nil {
		return err
	}
	var cols opColumns
	if err := cols.parse(&r); err != nil {
		return err
	}
	if c.Ops, err = cols.ops(c.Ops[:0], actors, limit); err != nil {
		return err
	}
	if r.pos < len(s) {
		c.Extra = []byte(s[r.pos:])
	}
	return nil
}

// parseHead reads what precedes the columns and returns the actors of the change: its writer, then the others.
func (c *Change) parseHead(r *reader) (actors []ActorID, err error) {
	if c.Deps, err = r.hashesInto(c.Deps, "dependencies", MaxDeps); err != nil {
		return nil, err
	}
	if c.Actor, err = r.actor("actor"); err != nil {
		return nil, err
	}
	if c.Seq, err = r.uleb("sequence number", MaxSeq); err != nil {
		return nil, err
	}
	if c.StartOp, err = r.uleb("start op", MaxOp); err != nil {
		return nil, err
	}
	if c.Time, err = r.leb("time"); err != nil {
		return nil, err
	}
	n, err := r.uleb("message", MaxMessageBytes)
	if err != nil {
		return nil, err
	}
	if c.Message, err = r.take("message", int(n)); err != nil {
		return nil, err
	}
	if !utf8.ValidString(c.Message) {
		return nil, r.fail("message", errColUTF8)
	}
	if actors, err = r.actors([]ActorID{c.Actor}, "other actors"); err != nil {
		return nil, err
	}
	if slices.Contains(actors[1:], c.Actor) {
		return nil, r.fail("other actors", errors.New("the writer is listed among the other actors"))
	}
	return actors, nil
}

// opColumns are the columns of the operations of a change.
type opColumns struct {
	objActor, objCtr, keyActor, keyCtr, keyStr column
	insert, action, valueMeta, value           column
	predNum, predActor, predCtr                column
	expand, markName                           column
}

func (o *opColumns) parse(r *reader) error {
	o.objActor.name, o.objCtr.name = "object actor", "object counter"
	o.keyActor.name, o.keyCtr.name, o.keyStr.name = "key actor", "key counter", "key"
	o.insert.name, o.action.name, o.valueMeta.name, o.value.name = "insert", "action", "value metadata", "value"
	o.predNum.name, o.predActor.name, o.predCtr.name = "predecessor group", "predecessor actor", "predecessor counter"
	o.expand.name, o.markName.name = "expand", "mark name"
	specs, err := r.specs("columns", false)
	if err != nil {
		return err
	}
	for _, spec := range specs {
		base := r.pos
		s, err := r.take("columns", int(spec.n))
		if err != nil {
			return err
		}
		var c *column
		switch spec.spec {
		case opObjActor:
			c = &o.objActor
		case opObjCtr:
			c = &o.objCtr
		case opKeyActor:
			c = &o.keyActor
		case opKeyCtr:
			c = &o.keyCtr
		case opKeyStr:
			c = &o.keyStr
		case opInsert:
			c = &o.insert
		case opAction:
			c = &o.action
		case opValueMeta:
			c = &o.valueMeta
		case opValue:
			c = &o.value
		case opPredNum:
			c = &o.predNum
		case opPredActor:
			c = &o.predActor
		case opPredCtr:
			c = &o.predCtr
		case opExpand:
			c = &o.expand
		case opMarkName:
			c = &o.markName
		default:
			continue // a column of the future: carried in raw
		}
		c.s, c.base = s, base
	}
	return nil
}

// count returns how many operations and predecessors there are. The action column has a row for each operation.
func (o *opColumns) count(limit uint64) (rows, preds uint64, err error) {
	if rows, err = o.action.rows(limit); err != nil {
		return 0, 0, err
	}
	predRows, preds, err := o.predNum.sum(limit)
	if err != nil {
		return 0, 0, err
	}
	// The official engine refuses operations without these columns, though their values may all be the usual ones.
	if rows > 0 && (o.insert.s == "" || o.valueMeta.s == "" || predRows != rows) {
		return 0, 0, errors.New(
			"a change with operations needs a row for each in the columns action, insert, value metadata and predecessor group")
	}
	return rows, preds, nil
}

// ops reads the operations into dst, which has none, or where it has no room for them.
func (o *opColumns) ops(dst []Op, actors []ActorID, limit uint64) ([]Op, error) {
	rows, preds, err := o.count(limit)
	if err != nil {
		return nil, err
	}
	var allPreds []OpID
	ops := dst
	if uint64(cap(dst)) < rows {
		ops = make([]Op, rows)
	} else {
		ops = ops[:rows]
		clear(ops)
	}
	if preds > 0 {
		allPreds = make([]OpID, 0, preds)
	}
	for i := range ops {
		op := &ops[i]
		if op.Obj, err = readID(&o.objActor, &o.objCtr, actors); err != nil {
			return nil, err
		}
		if err = readKey(op, &o.keyActor, &o.keyCtr, &o.keyStr, actors); err != nil {
			return nil, err
		}
		if op.Insert, err = o.insert.bool(); err != nil {
			return nil, err
		}
		if op.Action, err = readAction(&o.action); err != nil {
			return nil, err
		}
		if op.Value, err = readValue(&o.valueMeta, &o.value); err != nil {
			return nil, err
		}
		n, ok, err := o.predNum.uint()
		if err != nil {
			return nil, err
		}
		if !ok {
			return nil, o.predNum.fail(errColNull)
		}
		if n > 0 {
			from := len(allPreds)
			if allPreds, err = readIDs(allPreds, n, &o.predActor, &o.predCtr, actors); err != nil {
				return nil, err
			}
			op.Pred = allPreds[from:len(allPreds):len(allPreds)]
		}
		if op.Expand, err = o.expand.bool(); err != nil {
			return nil, err
		}
		if op.Mark, _, err = o.markName.text(); err != nil {
			return nil, err
		}
	}
	for _, c := range []*column{
		&o.objActor, &o.objCtr, &o.keyActor, &o.keyCtr, &o.keyStr, &o.insert, &o.action, &o.valueMeta, &o.value,
		&o.predNum, &o.predActor, &o.predCtr, &o.expand, &o.markName,
	} {
		if err := c.end(); err != nil {
			return nil, err
		}
	}
	return ops, nil
}

// rows counts the rows of an unsigned column within limit.
func (c column) rows(limit uint64) (uint64, error) {
	var rows uint64
	for c.pos < len(c.s) {
		if err := c.head(); err != nil {
			return 0, err
		}
		if rows += c.left; rows > limit {
			return 0, c.fail(fmt.Errorf("more than the %d operations that it may have here", limit))
		}
		n := c.left
		if c.mode == runSame {
			n = 1
		} else if c.mode == runNull {
			n = 0
		}
		for ; n > 0; n-- {
			_, pos, err := readUleb(c.s, c.pos)
			if err != nil {
				return 0, c.fail(err)
			}
			c.pos = pos
		}
	}
	return rows, nil
}

func actorAt(c *column, actors []ActorID, i uint64) (ActorID, error) {
	if i >= uint64(len(actors)) {
		return "", c.fail(fmt.Errorf("no actor %d: there are %d", i, len(actors)))
	}
	return actors[i], nil
}

// counter checks what a column says is the counter of an operation other than the root.
func counter(c *column, v int64) (uint64, error) {
	if v < 1 || v > MaxOp {
		return 0, c.fail(fmt.Errorf("counter %d is not between 1 and %d", v, MaxOp))
	}
	return uint64(v), nil
}

// readID reads an object id; two nulls are the root.
func readID(actor, ctr *column, actors []ActorID) (OpID, error) {
	a, okA, err := actor.uint()
	if err != nil {
		return OpID{}, err
	}
	n, okN, err := ctr.uint()
	if err != nil {
		return OpID{}, err
	}
	if !okA && !okN {
		return OpID{}, nil
	}
	if !okA {
		return OpID{}, actor.fail(errColNull)
	}
	if !okN {
		return OpID{}, ctr.fail(errColNull)
	}
	id := OpID{}
	if id.Counter, err = counter(ctr, int64(min(n, MaxOp+1))); err != nil {
		return OpID{}, err
	}
	id.Actor, err = actorAt(actor, actors, a)
	return id, err
}

// readKey reads what an operation addresses: a key, the head of a list (counter 0 without an actor) or an element.
func readKey(op *Op, actor, ctr, str *column, actors []ActorID) error {
	a, okA, err := actor.uint()
	if err != nil {
		return err
	}
	n, okN, err := ctr.delta()
	if err != nil {
		return err
	}
	key, okS, err := str.text()
	if err != nil {
		return err
	}
	switch {
	case okS && !okA && !okN:
		op.Key = key
		return nil
	case okS:
		return str.fail(errors.New("row addresses both a key and an element"))
	case !okN:
		return ctr.fail(errColNull)
	case !okA && n == 0:
		op.IsList = true
		return nil
	case !okA:
		return actor.fail(errColNull)
	}
	op.IsList = true
	if op.Elem.Counter, err = counter(ctr, n); err != nil {
		return err
	}
	op.Elem.Actor, err = actorAt(actor, actors, a)
	return err
}

func readAction(c *column) (Action, error) {
	a, ok, err := c.uint()
	if err != nil {
		return 0, err
	}
	if !ok {
		return 0, c.fail(errColNull)
	}
	if a > uint64(Mark) {
		return 0, c.fail(fmt.Errorf("unknown action %d", a))
	}
	return Action(a), nil
}

// readIDs appends n operation ids of grouped columns.
func readIDs(dst []OpID, n uint64, actor, ctr *column, actors []ActorID) ([]OpID, error) {
	for ; n > 0; n-- {
		a, ok, err := actor.uint()
		if err != nil {
			return nil, err
		}
		if !ok {
			return nil, actor.fail(errColNull)
		}
		v, ok, err := ctr.delta()
		if err != nil {
			return nil, err
		}
		if !ok {
			return nil, ctr.fail(errColNull)
		}
		var id OpID
		if id.Counter, err = counter(ctr, v); err != nil {
			return nil, err
		}
		if id.Actor, err = actorAt(actor, actors, a); err != nil {
			return nil, err
		}
		dst = append(dst, id)
	}
	return dst, nil
}

// readValue reads one value: the metadata says kind and length, the value column has the bytes.
func readValue(meta, value *column) (Value, error) {
	m, ok, err := meta.uint()
	if err != nil {
		return Value{}, err
	}
	if !ok {
		return Value{}, meta.fail(errColNull)
	}
	n := m >> 4
	if n > uint64(len(value.s)-value.pos) {
		return Value{}, value.fail(errColShort)
	}
	v := Value{Kind: Kind(m & 15)}
	s := value.s[value.pos : value.pos+int(n)]
	pos := len(s)
	switch v.Kind {
	case KindNull, KindFalse, KindTrue:
		if n != 0 {
			return Value{}, meta.fail(fmt.Errorf("a value of kind %d has no bytes, not %d", v.Kind, n))
		}
	case KindUint:
		var u uint64
		u, pos, err = readUleb(s, 0)
		v.Num = int64(u)
	case KindInt, KindCounter, KindTimestamp:
		v.Num, pos, err = readLeb(s, 0)
	case KindFloat64:
		if n != 8 {
			return Value{}, meta.fail(fmt.Errorf("a float has 8 bytes, not %d", n))
		}
		v.Num = int64(leUint64(s))
	case KindString:
		if !utf8.ValidString(s) {
			err = errColUTF8
		}
		v.Str = s
	default:
		v.Str = s
	}
	if err == nil && pos != len(s) {
		err = fmt.Errorf("number takes %d of %d bytes", pos, len(s))
	}
	if err != nil {
		return Value{}, value.fail(err)
	}
	value.pos += int(n)
	return v, nil
}

func leUint64(s string) uint64 {
	var b [8]byte
	copy(b[:], s)
	return binary.LittleEndian.Uint64(b[:])
}
