package wire

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"unicode/utf8"

	"github.com/google/uuid"

	"trio/crdt"
	"trio/crdt/automerge"
)

// unfolder reads one bundle. What it holds is kept for the next one. The first error sticks, and every later read gives
// zero values.
type unfolder struct {
	cols    [columns][]byte
	raw     []byte
	err     error
	text    []byte // what was inflated
	docs    []unfoldedDoc
	seqs    []writerSeq
	actors  []automerge.ActorID
	ids     []uuid.UUID
	entries []uuid.UUID
	last    uuid.UUID
	texts   [ofEnd][][]byte // by their numbers, parts of the columns
	proof   proof
	clocks
	bytes int // of chunks that may still come
	built int // bytes of strings that may still be built
	rows  int // operations, predecessors and dependencies that may still come

	// Of the change at hand.
	chars []byte
	spans []int // where key and value of each operation end in chars
	preds []automerge.OpID
	npred []int
}

type unfoldedDoc struct {
	name   crdt.DocName
	hashes []automerge.Hash
	lastOp uint64
}

var unfolders = sync.Pool{New: func() any { return new(unfolder) }}

func (u *unfolder) free() {
	size := cap(u.text) + cap(u.chars) + 24*(cap(u.preds)+cap(u.spans)) + 16*(cap(u.ids)+cap(u.entries))
	for i := range u.texts {
		size += 24 * cap(u.texts[i])
	}
	if size > keepBytes {
		return
	}
	for i := range u.texts {
		clear(u.texts[i])
		u.texts[i] = u.texts[i][:0]
	}
	clear(u.preds[:cap(u.preds)])
	clear(u.actors)
	clear(u.docs)
	u.cols, u.raw, u.err = [columns][]byte{}, nil, nil
	u.docs, u.seqs, u.actors, u.ids, u.entries = u.docs[:0], u.seqs[:0], u.actors[:0], u.ids[:0], u.entries[:0]
	u.clocks = clocks{}
	unfolders.Put(u)
}

// bundle reads a bundle; its changes are sealed, their hashes proved by the digest.
func (r *reader) bundle() []Item {
	n := r.count("changes", MaxChanges)
	if n == 0 {
		return nil
	}
	method := r.take(1)
	size := r.count("bytes in a bundle", MaxInflated)
	body := r.bytes("a bundle's text", MaxFrame)
	raw := r.bytes("a bundle's raw part", MaxFrame)
	sum := r.take(8)
	if r.err != nil {
		return nil
	}
	u := unfolders.Get().(*unfolder)
	defer u.free()
	switch method[0] {
	case methodPlain:
		if len(body) != size {
			r.fail(fmt.Errorf("bundle states %d bytes and has %d", size, len(body)))
			return nil
		}
	case methodDeflate:
		if limit := inflateLimit(len(body)); size > limit {
			r.fail(fmt.Errorf("bundle of %d bytes inflates to %d: at most %d", len(body), size, limit))
			return nil
		}
		var err error
		if u.text, err = inflate(u.text, body, size); err != nil {
			r.fail(err)
			return nil
		}
		body = u.text
	default:
		r.fail(fmt.Errorf("bundle method %d is not known", method[0]))
		return nil
	}
	u.raw, u.bytes, u.built, u.rows = raw, MaxInflated, MaxInflated, MaxRows
	u.proof.reset()
	items, err := u.items(body, n)
	switch {
	case err != nil:
		r.fail(fmt.Errorf("bundle: %w", err))
	case !bytes.Equal(u.proof.sum(), sum):
		r.fail(errors.New("bundle: its changes were altered on the way (digest differs): send it again"))
	default:
		return items
	}
	return nil
}

func (u *unfolder) items(text []byte, n int) ([]Item, error) {
	head := reader{b: text}
	var size [columns]int
	for i := range size {
		size[i] = head.count("bytes of a column", len(text))
	}
	for i := range size {
		u.cols[i] = head.take(size[i])
	}
	switch {
	case head.err != nil:
		return nil, fmt.Errorf("columns: %w", head.err)
	case len(head.b) > 0:
		return nil, fmt.Errorf("%d bytes follow the columns", len(head.b))
	case n > len(u.cols[colForm]):
		return nil, fmt.Errorf("%d changes: %w", n, errShort)
	}
	items := make([]Item, n)
	for i := range items {
		if err := u.item(&items[i]); err != nil {
			return nil, fmt.Errorf("change %d: %w", i, err)
		}
	}
	for i := range u.cols {
		if len(u.cols[i]) > 0 {
			return nil, fmt.Errorf("%d bytes of column %d are left over", len(u.cols[i]), i)
		}
	}
	if len(u.raw) > 0 {
		return nil, fmt.Errorf("%d bytes of the raw part are left over", len(u.raw))
	}
	return items, nil
}

func (u *unfolder) fail(err error) {
	if u.err == nil {
		u.err = err
	}
}

func (u *unfolder) num(col int) uint64 {
	c := u.cols[col]
	if len(c) > 0 && c[0] < 0x80 && u.err == nil {
		u.cols[col] = c[1:]
		return uint64(c[0])
	}
	if u.err != nil {
		return 0
	}
	r := reader{b: c}
	v := r.uint()
	if r.err != nil {
		u.err = fmt.Errorf("column %d: %w", col, r.err)
		return 0
	}
	u.cols[col] = r.b
	return v
}

func (u *unfolder) byte(col int) byte {
	c := u.cols[col]
	if len(c) == 0 {
		u.fail(fmt.Errorf("column %d: %w", col, errShort))
	}
	if u.err != nil {
		return 0
	}
	u.cols[col] = c[1:]
	return c[0]
}

func (u *unfolder) int(col int) int64 {
	v := u.num(col)
	return int64(v>>1) ^ -int64(v&1)
}

// count reads how many rows follow: at most so many as the bundle may still have, and one a byte of their column.
func (u *unfolder) count(what string, v uint64, col int) int {
	limit := min(u.rows, len(u.cols[col]))
	if u.err == nil && v > uint64(limit) {
		u.fail(fmt.Errorf("%d %s: at most %d here", v, what, limit))
	}
	if u.err != nil {
		return 0
	}
	u.rows -= int(v)
	return int(v)
}

func (u *unfolder) take(n int) []byte {
	if n > len(u.raw) {
		u.fail(fmt.Errorf("raw part: %w", errShort))
	}
	if u.err != nil {
		return nil
	}
	b := u.raw[:n]
	u.raw = u.raw[n:]
	return b
}

func (u *unfolder) name(limit int) string {
	n := u.num(colNames)
	if n > uint64(min(limit, len(u.cols[colNames]))) {
		u.fail(fmt.Errorf("name of %d bytes: at most %d", n, limit))
	}
	if u.err != nil {
		return ""
	}
	s := string(u.cols[colNames][:n])
	u.cols[colNames] = u.cols[colNames][n:]
	return s
}

func (u *unfolder) actor(col int) (automerge.ActorID, int) {
	i := u.num(col)
	if u.err == nil && i > uint64(len(u.actors)) {
		u.fail(fmt.Errorf("actor %d of %d", i, len(u.actors)))
	}
	if u.err != nil {
		return "", 0
	}
	if i == uint64(len(u.actors)) {
		u.actors = append(u.actors, automerge.ActorID(u.name(automerge.MaxActorBytes)))
	}
	return u.actors[i], int(i)
}

func (u *unfolder) item(it *Item) error {
	doc := u.num(colDoc)
	if doc == uint64(len(u.docs)) && doc < maxDocs {
		name := u.name(maxText)
		if !utf8.ValidString(name) {
			u.fail(errors.New("a document's name is not UTF-8"))
		}
		u.docs = append(u.docs, unfoldedDoc{name: crdt.DocName(name)})
	}
	if doc >= uint64(len(u.docs)) {
		u.fail(fmt.Errorf("document %d of %d", doc, len(u.docs)))
	}
	form := u.num(colForm)
	if u.err != nil {
		return u.err
	}
	d := &u.docs[doc]
	var c *automerge.Change
	var err error
	switch {
	case form == formWhole:
		c, err = u.whole()
	case form < formEnd && form&formWhole == 0:
		c, err = u.change(int(doc), form)
	default:
		err = fmt.Errorf("form %d is not known", form)
	}
	if err != nil {
		return err
	}
	n := c.Len()
	if n > MaxChange {
		return fmt.Errorf("%d bytes: at most %d", n, MaxChange)
	}
	if u.bytes -= n; u.bytes < 0 {
		return fmt.Errorf("changes of more than %d bytes", MaxInflated)
	}
	h := c.Hash()
	d.hashes = append(d.hashes, h)
	u.proof.add(d.name, h)
	*it = Item{Doc: d.name, Change: c}
	return nil
}

// whole reads a change that came as its chunk.
func (u *unfolder) whole() (*automerge.Change, error) {
	n := u.num(colMore)
	if n > MaxChange {
		return nil, fmt.Errorf("%d bytes: at most %d", n, MaxChange)
	}
	chunk := u.take(int(n))
	if u.err != nil {
		return nil, u.err
	}
	if len(chunk) > 8 && automerge.ChunkType(chunk[8]) != automerge.ChunkChange {
		return nil, fmt.Errorf("chunk of type %d: want a change that is not compressed", chunk[8])
	}
	c, err := automerge.ParseChangeLimit(chunk, u.rows)
	if err != nil {
		return nil, err
	}
	rows, _ := weigh(c)
	if u.rows -= rows; u.rows < 0 {
		return nil, fmt.Errorf("more than %d operations, predecessors and dependencies", MaxRows)
	}
	return c, nil
}

// change reads a change in columns and seals it.
func (u *unfolder) change(doc int, form uint64) (*automerge.Change, error) {
	d := &u.docs[doc]
	c := new(automerge.Change)
	var actor int
	c.Actor, actor = u.actor(colActor)
	if u.err != nil {
		return nil, u.err
	}
	seq := lastSeq(&u.seqs, doc, actor)
	get := func(bit, usual uint64) uint64 {
		if form&bit != 0 {
			return u.num(colMore)
		}
		return usual
	}
	c.Seq = get(formSeq, *seq+1)
	c.StartOp = get(formStart, d.lastOp+1)
	nops, ndeps := get(formOps, 1), get(formDeps, 1)
	if n := u.count("dependencies", ndeps, colDep); n > 0 {
		c.Deps = make([]automerge.Hash, n)
	}
	for i := range c.Deps {
		switch back := u.num(colDep); {
		case back == 0:
			copy(c.Deps[i][:], u.take(32))
		case back <= uint64(len(d.hashes)):
			c.Deps[i] = d.hashes[len(d.hashes)-int(back)]
		default:
			u.fail(fmt.Errorf("dependency %d changes back of %d", back, len(d.hashes)))
		}
	}
	u.chars, u.spans, u.preds, u.npred = u.chars[:0], u.spans[:0], u.preds[:0], u.npred[:0]
	if form&formMessage != 0 {
		u.string(ofValue)
		c.Message = string(u.chars)
		u.chars, u.spans = u.chars[:0], u.spans[:0]
	}
	if n := u.count("operations", nops, colOp); n > 0 {
		c.Ops = make([]automerge.Op, n)
	}
	for j := range c.Ops {
		op := &c.Ops[j]
		what := u.num(colOp)
		op.Action, op.Value.Kind = automerge.Action(what>>4), automerge.Kind(what&15)
		if what >= 1<<7 || op.Value.Kind > automerge.KindTimestamp {
			u.fail(fmt.Errorf("operation %d: what %d is not known", j, what))
		}
		u.string(ofKey)
		switch op.Value.Kind {
		case automerge.KindUint, automerge.KindInt, automerge.KindCounter, automerge.KindFloat64:
			op.Value.Num = u.int(colNum)
		case automerge.KindTimestamp:
			op.Value.Num = u.clock + u.int(colNum)
			u.tick(op.Value.Num)
		case automerge.KindString, automerge.KindBytes:
			u.string(ofValue)
		}
		n := u.count("predecessors", u.num(colPred), colPredBy)
		u.npred = append(u.npred, n)
		for range n {
			p := automerge.OpID{Counter: c.StartOp + uint64(j) - u.num(colPred)} // wrapped is greater, which Seal refuses
			p.Actor, _ = u.actor(colPredBy)
			u.preds = append(u.preds, p)
		}
		if u.err != nil {
			return nil, u.err
		}
	}
	c.Time = u.expect() + u.int(colTime)
	u.changed(c.Time)
	if u.err != nil {
		return nil, u.err
	}
	*seq, d.lastOp = c.Seq, c.MaxOp()

	// Strings and predecessors of a change share their memory.
	all, spans := string(u.chars), u.spans
	from := 0
	next := func() string {
		s := all[from:spans[0]]
		from, spans = spans[0], spans[1:]
		return s
	}
	preds := append([]automerge.OpID(nil), u.preds...)
	for j := range c.Ops {
		op := &c.Ops[j]
		op.Key = next()
		if k := op.Value.Kind; k == automerge.KindString || k == automerge.KindBytes {
			op.Value.Str = next()
		}
		if n := u.npred[j]; n > 0 {
			op.Pred, preds = preds[:n:n], preds[n:]
		}
	}
	return c, c.Seal()
}

// string reads a key or a value to chars.
func (u *unfolder) string(kind int) {
	from := len(u.chars)
	u.expand(kind, u.template(kind), from+u.built)
	u.built -= len(u.chars) - from
	u.spans = append(u.spans, len(u.chars))
}

// template reads a text as it was written: by its number, or a new one.
func (u *unfolder) template(kind int) []byte {
	col := textCols[kind].text
	switch n := u.num(textCols[kind].ref); {
	case u.err != nil:
		return nil
	case n >= textFirst:
		if n -= textFirst; n < uint64(len(u.texts[kind])) {
			return u.texts[kind][n]
		}
		u.fail(fmt.Errorf("text %d of %d", n, len(u.texts[kind])))
		return nil
	case n == textDigits:
		col = textCols[kind].digits
	}
	c := u.cols[col]
	for end := 0; end < len(c); end++ {
		switch c[end] {
		case byteEnd:
			u.cols[col] = c[end+1:]
			if end <= maxRepeat {
				u.texts[kind] = append(u.texts[kind], c[:end])
			}
			return c[:end]
		case byteEscape:
			if end++; end < len(c) && c[end] > byteEscape {
				u.fail(errors.New("text with a wrong escape"))
				return nil
			}
		}
	}
	u.fail(fmt.Errorf("text: %w", errShort))
	return nil
}

// expand appends a text with what its bytes stand for to chars, which it leaves shorter than limit or it is an error.
func (u *unfolder) expand(kind int, text []byte, limit int) {
	whole := kind == ofKey && len(text) == 1
	for i := 0; i < len(text) && u.err == nil; i++ {
		switch c := text[i]; c {
		case byteUUID:
			u.id(textCols[kind].id, whole)
		case byteTime:
			at := u.clock + u.int(colStamp)
			if at < 1e12 || at >= 1e13 {
				u.fail(fmt.Errorf("time %d in a text has not 13 digits", at))
				return
			}
			u.tick(at)
			u.chars = strconv.AppendInt(u.chars, at, 10)
		case byteTail:
			if kind != ofKey {
				u.fail(errors.New("tail in a text that is no key"))
				return
			}
			u.expand(ofTail, u.template(ofTail), limit)
		case byteEscape:
			i++
			u.chars = append(u.chars, text[i])
		default:
			u.chars = append(u.chars, c)
		}
		if len(u.chars) > limit {
			u.fail(fmt.Errorf("strings of more than %d bytes", MaxInflated))
		}
	}
}

// id reads a UUID to chars.
func (u *unfolder) id(col int, whole bool) {
	var id uuid.UUID
	switch code := u.num(col); {
	case u.err != nil:
		return
	case code == idNew7:
		if whole {
			col = colEntry
		} else {
			col = colIDTime
		}
		v := u.num(col)<<16 | uint64(u.byte(col+1))<<8 | uint64(u.byte(col+2))
		delta := int64(v>>3) ^ -int64(v>>2&1)
		at := u.idClock
		if whole {
			at = u.clock
		}
		if at += delta; at < 0 || at >= clockEnd {
			u.fail(fmt.Errorf("time %d of an id is out of range", at))
			return
		}
		if whole {
			u.tick(at)
		} else {
			u.idClock = at
		}
		rest := u.take(9)
		if u.err != nil {
			return
		}
		binary.BigEndian.PutUint32(id[:], uint32(at>>16))
		binary.BigEndian.PutUint16(id[4:], uint16(at))
		id[6], id[7], id[8] = 7<<4|rest[0]>>4, rest[1], 2<<6|byte(v&3)<<4|rest[0]&15
		copy(id[9:], rest[2:])
		u.named(id, whole)
	case code == idNew:
		copy(id[:], u.take(16))
		u.named(id, whole)
	case code == idLast && len(u.ids) > 0:
		id = u.last
	case code >= idFirst && code&1 != 0 && (code-idFirst)/2 < uint64(len(u.ids)):
		id = u.ids[(code-idFirst)/2]
		u.last = id
	case code > idFirst && code&1 == 0 && (code-idFirst-1)/2 < uint64(len(u.entries)):
		id = u.entries[len(u.entries)-1-int((code-idFirst-1)/2)]
	default:
		u.fail(fmt.Errorf("id %d of %d and %d", code, len(u.ids), len(u.entries)))
		return
	}
	n := len(u.chars)
	u.chars = append(u.chars, "00000000-0000-0000-0000-000000000000"...)
	dst := u.chars[n:]
	for i, at := range uuidHex {
		dst[at], dst[at+1] = hexDigits[id[i]>>4], hexDigits[id[i]&15]
	}
}

func (u *unfolder) named(id uuid.UUID, whole bool) {
	if whole {
		u.entries = append(u.entries, id)
		return
	}
	u.ids = append(u.ids, id)
	u.last = id
}
