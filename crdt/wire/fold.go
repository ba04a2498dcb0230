package wire

import (
	"encoding/binary"
	"fmt"
	"hash/maphash"
	"slices"
	"sync"
	"unicode/utf8"

	"github.com/google/uuid"

	"trio/crdt"
	"trio/crdt/automerge"
)

// folder writes one bundle. What it holds is kept for the next one.
type folder struct {
	cols    [columns][]byte
	raw     []byte
	docs    []foldedDoc
	seqs    []writerSeq
	actors  map[automerge.ActorID]int
	index   map[automerge.Hash]place
	ids     map[uuid.UUID]int // number of an id; of a whole key -1-number
	nids    int
	entries int
	last    uuid.UUID // the contact's id used last
	texts   [ofEnd]textTable
	chars   [2][]byte // a text, and of a key its tail
	proof   proof
	clocks
	bytes int // of chunks
	built int // bytes of strings that the receiver builds
	rows  int // operations, predecessors and dependencies that the receiver builds
}

// A change that could fill a frame by itself when its parts do not deflate is carried whole: what Fits then has a frame.
// Each byte of a text takes two at most, and each row rowBytes besides.
const (
	rowBytes    = 40
	foldedBytes = MaxFrame - 64<<10
)

type foldedDoc struct {
	name   crdt.DocName
	n      int // changes so far
	last   automerge.Hash
	lastOp uint64
}

type place struct{ doc, n int }

var folders = sync.Pool{New: func() any {
	return &folder{actors: map[automerge.ActorID]int{}, index: map[automerge.Hash]place{}, ids: map[uuid.UUID]int{}}
}}

func (w *folder) free() {
	size := cap(w.raw) + cap(w.chars[0]) + cap(w.chars[1])
	numbered := len(w.index) + len(w.ids)
	for i := range w.texts {
		numbered += len(w.texts[i].list)
	}
	for i := range w.cols {
		size += cap(w.cols[i])
		w.cols[i] = w.cols[i][:0]
	}
	// A big map is slow to clear: better none than one for each small bundle to come.
	if size > keepBytes || numbered > 256 {
		return
	}
	clear(w.actors)
	clear(w.index)
	clear(w.ids)
	clear(w.docs)
	for i := range w.texts {
		w.texts[i].reset()
	}
	w.raw, w.docs, w.seqs = w.raw[:0], w.docs[:0], w.seqs[:0]
	w.nids, w.entries, w.bytes, w.built, w.rows = 0, 0, 0, 0, 0
	w.clocks = clocks{}
	folders.Put(w)
}

// appendBundle appends a bundle. What it refuses is too large or not sealed.
func appendBundle(b []byte, items []Item) ([]byte, error) {
	if len(items) > MaxChanges {
		return nil, fmt.Errorf("%w: %d changes, at most %d", ErrTooLarge, len(items), MaxChanges)
	}
	b = binary.AppendUvarint(b, uint64(len(items)))
	if len(items) == 0 {
		return b, nil
	}
	w := folders.Get().(*folder)
	defer w.free()
	w.proof.reset()
	for i := range items {
		if err := w.add(&items[i], i+1 == len(items)); err != nil {
			return nil, err
		}
	}
	return w.finish(b)
}

func (w *folder) add(it *Item, last bool) error {
	c := it.Change
	if c == nil || c.Hash() == (automerge.Hash{}) {
		return fmt.Errorf("change of %.40q is not sealed", it.Doc)
	}
	if len(it.Doc) > maxText || !utf8.ValidString(string(it.Doc)) {
		return fmt.Errorf("document name %.40q: want text of at most %d bytes", it.Doc, maxText)
	}
	h := c.Hash()
	chunk := c.Raw()
	if len(chunk) > MaxChange {
		return fmt.Errorf("change %s of %d bytes: at most %d", h, len(chunk), MaxChange)
	}
	if w.bytes += len(chunk); w.bytes > MaxInflated {
		return fmt.Errorf("%w: changes of more than %d bytes", ErrTooLarge, MaxInflated)
	}
	w.proof.add(it.Doc, h)
	doc := 0
	for doc < len(w.docs) && w.docs[doc].name != it.Doc {
		doc++
	}
	w.num(colDoc, uint64(doc))
	if doc == len(w.docs) {
		if doc == maxDocs {
			return fmt.Errorf("%w: more than %d documents", ErrTooLarge, maxDocs)
		}
		w.docs = append(w.docs, foldedDoc{name: it.Doc})
		w.name(string(it.Doc))
	}
	d := &w.docs[doc]

	rows, built := weigh(c)
	if w.rows += rows; w.rows > MaxRows {
		return fmt.Errorf("%w: more than %d operations, predecessors and dependencies", ErrTooLarge, MaxRows)
	}
	// Keys that repeat weigh nothing in a chunk; written out they could weigh any multiple of it.
	if built <= 2*len(chunk)+maxRepeat && w.built+built <= MaxInflated && 2*built+rowBytes*rows <= foldedBytes && foldable(c) {
		w.built += built
		w.change(c, doc)
	} else {
		w.num(colForm, formWhole)
		w.num(colMore, uint64(len(chunk)))
		w.raw = append(w.raw, chunk...)
	}
	if !last {
		w.index[h] = place{doc, d.n}
	}
	d.n++
	d.last = h
	return nil
}

// Fits says why no frame can carry a change, be it alone; nil when one can.
func Fits(c *automerge.Change) error {
	if c.Len() > MaxChange {
		return fmt.Errorf("change has %d bytes, at most %d are carried: write less at once", c.Len(), MaxChange)
	}
	if rows := Rows(c); rows > MaxRows {
		return fmt.Errorf("change has %d operations, predecessors and dependencies, at most %d are carried: write less at once", rows, MaxRows)
	}
	return nil
}

// Rows returns what a change counts against MaxRows.
func Rows(c *automerge.Change) int {
	rows, _ := weigh(c)
	return rows
}

// weigh counts what a receiver builds of a change: rows, and bytes of strings.
func weigh(c *automerge.Change) (rows, built int) {
	rows, built = len(c.Deps)+len(c.Ops), len(c.Message)
	for i := range c.Ops {
		op := &c.Ops[i]
		rows += len(op.Pred)
		built += len(op.Key) + len(op.Value.Str)
	}
	return rows, built
}

// foldable reports whether the parts of a change that a bundle has columns for rebuild it byte for byte.
func foldable(c *automerge.Change) bool {
	if len(c.Extra) > 0 {
		return false
	}
	for i := range c.Ops {
		op := &c.Ops[i]
		if !op.Obj.IsRoot() || op.IsList || op.Insert || op.Expand || op.Mark != "" || op.Value.Kind > automerge.KindTimestamp {
			return false
		}
	}
	return c.Canonical()
}

func (w *folder) num(col int, v uint64) { w.cols[col] = binary.AppendUvarint(w.cols[col], v) }
func (w *folder) int(col int, v int64)  { w.cols[col] = putInt(w.cols[col], v) }

func (w *folder) name(s string) {
	w.num(colNames, uint64(len(s)))
	w.cols[colNames] = append(w.cols[colNames], s...)
}

func (w *folder) actor(col int, a automerge.ActorID) int {
	i, ok := w.actors[a]
	if !ok {
		i = len(w.actors)
		w.actors[a] = i
		w.name(string(a))
	}
	w.num(col, uint64(i))
	return i
}

func (w *folder) change(c *automerge.Change, doc int) {
	d := &w.docs[doc]
	seq := lastSeq(&w.seqs, doc, w.actor(colActor, c.Actor))
	form := uint64(0)
	set := func(bit uint64, on bool, v uint64) {
		if on {
			form |= bit
			w.num(colMore, v)
		}
	}
	set(formSeq, c.Seq != *seq+1, c.Seq)
	set(formStart, c.StartOp != d.lastOp+1, c.StartOp)
	set(formOps, len(c.Ops) != 1, uint64(len(c.Ops)))
	set(formDeps, len(c.Deps) != 1, uint64(len(c.Deps)))
	*seq, d.lastOp = c.Seq, c.MaxOp()
	for i := range c.Deps {
		h := &c.Deps[i]
		back := 0
		if d.n > 0 && d.last == *h {
			back = 1
		} else if at, ok := w.index[*h]; ok && at.doc == doc {
			back = d.n - at.n
		} else {
			w.raw = append(w.raw, h[:]...)
		}
		w.num(colDep, uint64(back))
	}
	if c.Message != "" {
		form |= formMessage
		w.text(ofValue, c.Message)
	}
	w.num(colForm, form)
	for j := range c.Ops {
		op := &c.Ops[j]
		w.num(colOp, uint64(op.Action)<<4|uint64(op.Value.Kind))
		w.text(ofKey, op.Key)
		switch op.Value.Kind {
		case automerge.KindUint, automerge.KindInt, automerge.KindCounter, automerge.KindFloat64:
			w.int(colNum, op.Value.Num)
		case automerge.KindTimestamp:
			w.int(colNum, op.Value.Num-w.clock)
			w.tick(op.Value.Num)
		case automerge.KindString, automerge.KindBytes:
			w.text(ofValue, op.Value.Str)
		}
		w.num(colPred, uint64(len(op.Pred)))
		for i := range op.Pred {
			w.num(colPred, c.StartOp+uint64(j)-op.Pred[i].Counter)
			w.actor(colPredBy, op.Pred[i].Actor)
		}
	}
	w.int(colTime, c.Time-w.expect())
	w.changed(c.Time)
}

// text writes a text: its number, and if it is new, itself.
func (w *folder) text(kind int, s string) {
	cols := &textCols[kind]
	chars := w.chars[kind&1][:0]
	slashes := 0
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case c > '9' && c < 'a' || c > 'f': // the most of all texts
		case c <= byteEscape:
			chars = append(chars, byteEscape)
		case c == '/' && kind == ofKey && i+1 < len(s):
			if slashes++; slashes == 2 {
				w.text(ofTail, s[i+1:])
				chars = append(chars, c)
				c = byteTail
				i = len(s)
			}
		case len(s)-i >= 36 && s[i+8] == '-':
			if u, ok := uuidAt(s[i : i+36]); ok {
				chars = append(chars, byteUUID)
				w.id(cols.id, &u, kind == ofKey && len(s) == 36)
				i += 35
				continue
			}
		case c >= '1' && c <= '9' && (i == 0 || !digit(s[i-1])) && len(s)-i >= 13:
			if at, ok := timeAt(s[i:]); ok {
				chars = append(chars, byteTime)
				w.int(colStamp, at-w.clock)
				w.tick(at)
				i += 12
				continue
			}
		}
		chars = append(chars, c)
	}
	w.chars[kind&1] = chars
	col, code := cols.text, uint64(textNew)
	if len(chars) > 0 && (digit(chars[0]) || chars[0] == '+') {
		col, code = cols.digits, textDigits
	}
	if len(chars) <= maxRepeat {
		n, ok := w.texts[kind].find(&w.cols, chars)
		if ok {
			w.num(cols.ref, uint64(n)+textFirst)
			return
		}
		w.texts[kind].add(span{col, len(w.cols[col]), len(chars)})
	}
	w.num(cols.ref, code)
	w.cols[col] = append(append(w.cols[col], chars...), byteEnd)
}

func (w *folder) id(col int, u *uuid.UUID, whole bool) {
	if !whole && w.nids > 0 && *u == w.last {
		w.num(col, idLast)
		return
	}
	n, ok := w.ids[*u]
	if ok {
		if n >= 0 {
			w.num(col, idFirst+2*uint64(n))
			w.last = *u
		} else {
			w.num(col, idFirst+1+2*uint64(w.entries+n))
		}
		return
	}
	if whole {
		w.entries++
		w.ids[*u] = -w.entries
	} else {
		w.ids[*u] = w.nids
		w.nids++
		w.last = *u
	}
	if u[6]>>4 != 7 || u[8]>>6 != 2 {
		w.num(col, idNew)
		w.raw = append(w.raw, u[:]...)
		return
	}
	w.num(col, idNew7)
	at, rest := uuidTime(u), uint64(u[8]>>4&3)
	delta := at - w.idClock
	if whole {
		delta = at - w.clock
		w.tick(at)
		col = colEntry
	} else {
		w.idClock = at
		col = colIDTime
	}
	v := (uint64(delta)<<1^uint64(delta>>63))<<2 | rest
	w.num(col, v>>16)
	w.cols[col+1] = append(w.cols[col+1], byte(v>>8))
	w.cols[col+2] = append(w.cols[col+2], byte(v))
	w.raw = append(w.raw, u[6]<<4|u[8]&15, u[7])
	w.raw = append(w.raw, u[9:]...)
}

func digit(c byte) bool { return c >= '0' && c <= '9' }

// timeAt reads a number of exactly 13 digits, as times in milliseconds have today.
func timeAt(s string) (at int64, ok bool) {
	if len(s) > 13 && digit(s[13]) {
		return 0, false
	}
	for i := range 13 {
		if !digit(s[i]) {
			return 0, false
		}
		at = 10*at + int64(s[i]-'0')
	}
	return at, true
}

// uuidAt reads the canonical spelling of a UUID, 36 bytes.
func uuidAt(s string) (u uuid.UUID, ok bool) {
	_ = s[35]
	if s[8] != '-' || s[13] != '-' || s[18] != '-' || s[23] != '-' {
		return u, false
	}
	for i, at := range uuidHex {
		hi, lo := unhex[s[at]], unhex[s[at+1]]
		if hi|lo > 15 {
			return u, false
		}
		u[i] = hi<<4 | lo
	}
	return u, true
}

// uuidHex says where the two digits of each byte of a UUID stand.
var uuidHex = [16]byte{0, 2, 4, 6, 9, 11, 14, 16, 19, 21, 24, 26, 28, 30, 32, 34}

const hexDigits = "0123456789abcdef"

// unhex holds the value of each lower-case digit and 255 for what is none.
var unhex = func() (t [256]byte) {
	for i := range t {
		t[i] = 255
	}
	for i := range len(hexDigits) {
		t[hexDigits[i]] = byte(i)
	}
	return t
}()

// finish appends the sections.
func (w *folder) finish(b []byte) ([]byte, error) {
	text := w.chars[0][:0]
	size := 0
	for i := range w.cols {
		text = binary.AppendUvarint(text, uint64(len(w.cols[i])))
		size += len(w.cols[i])
	}
	head := len(text)
	w.chars[0] = text
	if size += head; size > MaxInflated {
		return nil, fmt.Errorf("%w: text of %d bytes, at most %d", ErrTooLarge, size, MaxInflated)
	}
	if size > plainText {
		z := deflaters.Get().(*deflater)
		w.deflate(z, text)
		n := len(z.out)
		if n < size && size <= inflateLimit(n) {
			b = append(b, methodDeflate)
			b = binary.AppendUvarint(b, uint64(size))
			b = putBytes(b, z.out)
			size = 0
		}
		if cap(z.out) <= keepBytes {
			deflaters.Put(z)
		}
	}
	if size > 0 {
		b = slices.Grow(b, size+len(w.raw)+32)
		b = append(b, methodPlain)
		b = binary.AppendUvarint(b, uint64(size))
		b = binary.AppendUvarint(b, uint64(size))
		b = append(b, text...)
		for i := range w.cols {
			b = append(b, w.cols[i]...)
		}
	}
	b = putBytes(b, w.raw)
	return append(b, w.proof.sum()...), nil
}

// deflate deflates the columns. A big one gets codes of its own: a flush ends what came before.
func (w *folder) deflate(z *deflater, head []byte) {
	z.out = z.out[:0]
	z.w.Reset(z)
	// Writing to memory does not fail.
	_, _ = z.w.Write(head)
	section := len(head)
	for _, c := range w.cols {
		if len(c) >= sectionBytes && section > 0 || section >= sectionBytes {
			_ = z.w.Flush()
			section = 0
		}
		_, _ = z.w.Write(c)
		section += len(c)
	}
	_ = z.w.Close()
}

// textTable numbers the texts of a column: a hash table of places in its columns.
type textTable struct {
	slots []int32 // number+1 of a text; 0: free. A power of two.
	list  []span
}

// span is a part of a column.
type span struct{ col, from, n int }

var textSeed = maphash.MakeSeed()

func (t *textTable) reset() {
	clear(t.slots)
	t.list = t.list[:0]
}

func (t *textTable) slot(cols *[columns][]byte, text []byte) *int32 {
	mask := uint64(len(t.slots) - 1)
	for h := maphash.Bytes(textSeed, text); ; h++ {
		s := &t.slots[h&mask]
		if *s == 0 {
			return s
		}
		at := &t.list[*s-1]
		if string(cols[at.col][at.from:at.from+at.n]) == string(text) {
			return s
		}
	}
}

// find returns the number of a text. One that it does not find gets the next number: add is to follow.
func (t *textTable) find(cols *[columns][]byte, text []byte) (int, bool) {
	if len(t.slots) <= 2*len(t.list) {
		t.slots = make([]int32, max(16, 2*len(t.slots)))
		for i := range t.list {
			at := &t.list[i]
			*t.slot(cols, cols[at.col][at.from:at.from+at.n]) = int32(i) + 1
		}
	}
	s := t.slot(cols, text)
	if *s != 0 {
		return int(*s) - 1, true
	}
	*s = int32(len(t.list)) + 1
	return 0, false
}

func (t *textTable) add(at span) { t.list = append(t.list, at) }
