package automerge

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
)

var errNotEncodable = errors.New("value of an unknown kind above 15")

// encoder holds the columns while they are gathered and the buffers that they are packed in. It is kept for the next
// change.
type encoder struct {
	u, v       []uint64
	i          []int64
	s          []string
	n1, n2     []bool
	actors     []ActorID
	cols       []byte // the packed columns, end to end
	specs      []columnSpec
	contents   []byte
	chunk      []byte
	valueBytes []byte
	inflated   int  // document chunks: bytes of the columns before they were deflated
	overflow   bool // likewise: a difference does not fit in 64 bits

	// Of a change: where in cols the keys are and where the values start.
	keyFrom, keyTo, valueFrom int
}

var encoders = sync.Pool{New: func() any { return new(encoder) }}

// keepBytes bounds what an encoder may hold on to between changes.
const keepBytes = 1 << 20

func getEncoder() *encoder { return encoders.Get().(*encoder) }

func (e *encoder) free() {
	// What was used is up to the length: an encoder takes each of these once for a change.
	clear(e.s)
	clear(e.actors)
	if cap(e.u)*8+cap(e.cols)+cap(e.contents)+cap(e.chunk)+cap(e.valueBytes) < keepBytes {
		encoders.Put(e)
	}
}

// put adds what was packed since from as a column; a column without bytes is omitted.
func (e *encoder) put(spec uint64, from int) {
	if n := len(e.cols) - from; n > 0 {
		e.specs = append(e.specs, columnSpec{spec, uint64(n)})
	}
}

// encode leaves the chunk of c's fields, its checksum set, in e.chunk and returns its hash. The fields have been checked.
func (e *encoder) encode(c *Change) Hash {
	e.cols, e.specs, e.contents = e.cols[:0], e.specs[:0], e.contents[:0]
	e.listActors(c)
	e.packOps(c)

	b := e.contents
	b = appendUleb(b, uint64(len(c.Deps)))
	for i := range c.Deps {
		b = append(b, c.Deps[i][:]...)
	}
	b = appendText(b, string(c.Actor))
	b = appendUleb(b, c.Seq)
	b = appendUleb(b, c.StartOp)
	b = appendLeb(b, c.Time)
	b = appendText(b, c.Message)
	b = appendUleb(b, uint64(len(e.actors)))
	for _, a := range e.actors {
		b = appendText(b, string(a))
	}
	b = appendSpecs(b, e.specs)
	b = append(b, e.cols...)
	b = append(b, c.Extra...)
	e.contents = b

	e.chunk = append(appendHeader(e.chunk[:0], ChunkChange, len(b)), b...)
	return seal(e.chunk)
}

func appendSpecs(b []byte, specs []columnSpec) []byte {
	b = appendUleb(b, uint64(len(specs)))
	for _, s := range specs {
		b = appendUleb(appendUleb(b, s.spec), s.n)
	}
	return b
}

// listActors gathers the other actors that c names, ascending.
func (e *encoder) listActors(c *Change) {
	e.actors = e.actors[:0]
	last := c.Actor
	add := func(id OpID) {
		if id.Counter == 0 || id.Actor == c.Actor || id.Actor == last {
			return
		}
		last = id.Actor
		e.actors = append(e.actors, id.Actor)
		if len(e.actors) > 2*MaxActors {
			e.compactActors()
		}
	}
	for i := range c.Ops {
		op := &c.Ops[i]
		add(op.Obj)
		add(op.Elem)
		for _, p := range op.Pred {
			add(p)
		}
	}
	e.compactActors()
}

func (e *encoder) compactActors() {
	slices.Sort(e.actors)
	e.actors = slices.Compact(e.actors)
}

// index returns the number of an actor within the change: 0 is its writer.
func (e *encoder) index(c *Change, a ActorID) uint64 {
	if a == c.Actor {
		return 0
	}
	i, _ := slices.BinarySearch(e.actors, a)
	return uint64(i) + 1
}

// resize returns s with n elements, whatever they hold.
func resize[T any](s []T, n int) []T { return slices.Grow(s[:0], n)[:n] }

func (e *encoder) packOps(c *Change) {
	e.keyFrom, e.keyTo, e.valueFrom = 0, 0, 0
	n := len(c.Ops)
	if n == 0 {
		return
	}
	e.u, e.v, e.i, e.s = resize(e.u, n), resize(e.v, n), resize(e.i, n), resize(e.s, n)
	e.n1, e.n2 = resize(e.n1, n), resize(e.n2, n)

	nested := false
	for i := range c.Ops {
		id := c.Ops[i].Obj
		e.n1[i] = id.IsRoot()
		if e.n1[i] {
			continue
		}
		nested = true
		e.u[i], e.v[i] = e.index(c, id.Actor), id.Counter
	}
	if nested {
		from := len(e.cols)
		e.cols = appendRLE(e.cols, e.u, e.n1, appendUleb)
		e.put(opObjActor, from)
		from = len(e.cols)
		e.cols = appendRLE(e.cols, e.v, e.n1, appendUleb)
		e.put(opObjCtr, from)
	}

	lists, maps := false, false
	for i := range c.Ops {
		op := &c.Ops[i]
		e.n1[i], e.n2[i] = !op.IsList || op.Elem.Counter == 0, !op.IsList
		e.s[i] = op.Key
		lists, maps = lists || op.IsList, maps || !op.IsList
		if !e.n1[i] {
			e.u[i] = e.index(c, op.Elem.Actor)
		}
		e.i[i] = int64(op.Elem.Counter)
	}
	if lists {
		from := len(e.cols)
		e.cols = appendRLE(e.cols, e.u, e.n1, appendUleb)
		e.put(opKeyActor, from)
		from = len(e.cols)
		e.cols = appendDelta(e.cols, e.i, e.n2)
		e.put(opKeyCtr, from)
	}
	if maps {
		for i := range e.n2 {
			e.n2[i] = !e.n2[i]
		}
		from := len(e.cols)
		e.cols = appendRLE(e.cols, e.s, e.n2, appendText)
		e.put(opKeyStr, from)
		e.keyFrom, e.keyTo = from, len(e.cols)
	}

	marks, expand := false, false
	for i := range c.Ops {
		op := &c.Ops[i]
		e.n1[i] = op.Insert
		e.u[i] = uint64(op.Action)
		marks, expand = marks || op.Mark != "", expand || op.Expand
	}
	from := len(e.cols)
	e.cols = appendBool(e.cols, e.n1)
	e.put(opInsert, from)
	from = len(e.cols)
	e.cols = appendRLE(e.cols, e.u, nil, appendUleb)
	e.put(opAction, from)

	e.valueBytes = e.valueBytes[:0]
	for i := range c.Ops {
		e.u[i], e.valueBytes = appendValue(e.valueBytes, c.Ops[i].Value)
	}
	from = len(e.cols)
	e.cols = appendRLE(e.cols, e.u, nil, appendUleb)
	e.put(opValueMeta, from)
	from = len(e.cols)
	e.cols = append(e.cols, e.valueBytes...)
	e.put(opValue, from)
	e.valueFrom = from

	e.v, e.i = e.v[:0], e.i[:0]
	for i := range c.Ops {
		e.u[i] = uint64(len(c.Ops[i].Pred))
		for _, p := range c.Ops[i].Pred {
			e.v = append(e.v, e.index(c, p.Actor))
			e.i = append(e.i, int64(p.Counter))
		}
	}
	from = len(e.cols)
	e.cols = appendRLE(e.cols, e.u, nil, appendUleb)
	e.put(opPredNum, from)
	from = len(e.cols)
	e.cols = appendRLE(e.cols, e.v, nil, appendUleb)
	e.put(opPredActor, from)
	from = len(e.cols)
	e.cols = appendDelta(e.cols, e.i, nil)
	e.put(opPredCtr, from)

	if expand {
		for i := range c.Ops {
			e.n1[i] = c.Ops[i].Expand
		}
		from = len(e.cols)
		e.cols = appendBool(e.cols, e.n1)
		e.put(opExpand, from)
	}
	if marks {
		for i := range c.Ops {
			e.s[i] = c.Ops[i].Mark
			e.n1[i] = e.s[i] == ""
		}
		from = len(e.cols)
		e.cols = appendRLE(e.cols, e.s, e.n1, appendText)
		e.put(opMarkName, from)
	}
}

// appendValue appends the bytes of v and returns its metadata.
func appendValue(dst []byte, v Value) (uint64, []byte) {
	from := len(dst)
	switch v.Kind {
	case KindNull, KindFalse, KindTrue:
	case KindUint:
		dst = appendUleb(dst, uint64(v.Num))
	case KindInt, KindCounter, KindTimestamp:
		dst = appendLeb(dst, v.Num)
	case KindFloat64:
		dst = binary.LittleEndian.AppendUint64(dst, uint64(v.Num))
	default:
		dst = append(dst, v.Str...)
	}
	return uint64(len(dst)-from)<<4 | uint64(v.Kind), dst
}

// valueLen returns how many bytes v takes in the value column.
func valueLen(v Value) int {
	switch v.Kind {
	case KindNull, KindFalse, KindTrue:
		return 0
	case KindUint:
		return ulebLen(uint64(v.Num))
	case KindInt, KindCounter, KindTimestamp:
		return lebLen(v.Num)
	case KindFloat64:
		return 8
	}
	return len(v.Str)
}

// Encode returns the uncompressed chunk (type 1) of c: the bytes that ParseChange or Seal kept, else the canonical
// encoding of the fields, after Check. The slice is the caller's.
func (c *Change) Encode() ([]byte, error) {
	if c.raw != "" {
		return []byte(c.raw), nil
	}
	e := getEncoder()
	defer e.free()
	if _, err := e.checked(c); err != nil {
		return nil, err
	}
	return bytes.Clone(e.chunk), nil
}

func (e *encoder) checked(c *Change) (Hash, error) {
	if err := c.Check(); err != nil {
		return Hash{}, err
	}
	hash := e.encode(c)
	if n := len(e.chunk); n > MaxChunkBytes {
		return Hash{}, fmt.Errorf("change of %d bytes is over the limit of %d", n, MaxChunkBytes)
	}
	return hash, nil
}

// Seal finishes a change that was made here: it checks and encodes the fields and keeps the bytes and their hash. The
// fields are not to be modified afterwards. Sealing again, or sealing what was parsed, does nothing.
func (c *Change) Seal() error { return c.seal(false) }

// seal is Seal. With own, the operations are nobody else's: their keys and values become parts of the chunk, so that who
// keeps some of them keeps nothing besides.
func (c *Change) seal(own bool) error {
	if c.raw != "" {
		return nil
	}
	e := getEncoder()
	defer e.free()
	hash, err := e.checked(c)
	if err != nil {
		return err
	}
	c.raw, c.hash, c.canonical = string(e.chunk), hash, canonicalYes
	if own {
		// Behind the columns is Extra alone.
		cols := c.raw[len(c.raw)-len(c.Extra)-len(e.cols):]
		key, pos := column{s: cols[e.keyFrom:e.keyTo]}, e.valueFrom
		for i := range c.Ops {
			op := &c.Ops[i]
			op.Key, _, _ = key.text()
			n := valueLen(op.Value)
			if op.Value.Str != "" {
				op.Value.Str = cols[pos : pos+n]
			}
			pos += n
		}
		c.parsed = true
	}
	return nil
}

// Hash returns the hash of the change; before ParseChange or Seal it is zero.
func (c *Change) Hash() Hash { return c.hash }

// Raw returns a copy of the uncompressed chunk (type 1), nil before ParseChange or Seal.
func (c *Change) Raw() []byte {
	if c.raw == "" {
		return nil
	}
	return []byte(c.raw)
}

// Len returns the length of Raw, without a copy.
func (c *Change) Len() int { return len(c.raw) }

// States of Change.canonical.
const (
	canonicalUnknown = iota
	canonicalYes
	canonicalNo
)

// Canonical reports whether encoding the fields gives Raw byte for byte. It does not when the change has columns that we
// do not know, or when another engine packed its columns in another way; the bytes are carried then, and no matter. The
// first call for a parsed change encodes it; the answer is kept.
func (c *Change) Canonical() bool {
	if c.raw == "" {
		return false
	}
	if state := atomic.LoadUint32(&c.canonical); state != canonicalUnknown {
		return state == canonicalYes
	}
	e := getEncoder()
	defer e.free()
	e.encode(c)
	same := string(e.chunk) == c.raw
	state := uint32(canonicalNo)
	if same {
		state = canonicalYes
	}
	atomic.StoreUint32(&c.canonical, state)
	return same
}

// MaxOp returns the counter of the last operation, or StartOp-1 for a change without operations.
func (c *Change) MaxOp() uint64 { return c.StartOp + uint64(len(c.Ops)) - 1 }

// OpID returns the id of operation i.
func (c *Change) OpID(i int) OpID { return OpID{Counter: c.StartOp + uint64(i), Actor: c.Actor} }
