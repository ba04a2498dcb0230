package wire

import (
	"bytes"
	"compress/flate"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"

	"github.com/google/uuid"

	"trio/crdt"
	"trio/crdt/automerge"
)

// MaxChange bounds the uncompressed chunk of one change that travels. Writers stay far below it.
const MaxChange = 1 << 20

// A bundle is many changes written as one, so that nothing travels that the receiver can compute: no chunk headers and
// checksums, no hash of a change that is in the bundle itself, no actor or UUID twice. The receiver rebuilds every change
// and computes its hash; a digest over all hashes proves that nothing was altered on the way.
//
//	bundle  = method size text-section raw-section sum
//	method  = 0 (text section as it is) or 1 (deflated)
//	size    = bytes of the text section once inflated
//	sum     = the first 8 bytes of SHA-256 over the change hashes in their order
//
// The text section holds tables (documents, actors) and one record a change; the raw section holds what does not
// compress: the random parts of UUIDs, hashes of changes that are not in the bundle, and changes that are carried whole
// (those that our own encoder would not write the same way). A UUID in a key or a value is written as a reference:
// 0 a new UUIDv7 (its time as a difference), 1 any other new UUID, else the UUID that came ref-1 new ones before.
const (
	methodPlain   = 0
	methodDeflate = 1

	formWhole = 0
	formParts = 1

	// In texts 0x01 stands for a UUID and 0x00 escapes the byte after it, so that both bytes can be written too.
	escByte  = 0
	uuidByte = 1
)

var (
	deflaters = sync.Pool{New: func() any {
		w, _ := flate.NewWriter(nil, flate.DefaultCompression)
		return w
	}}
	inflaters = sync.Pool{New: func() any { return flate.NewReader(bytes.NewReader(nil)) }}
)

// bundler writes the two sections of one bundle.
type bundler struct {
	text, raw []byte
	uuids     map[uuid.UUID]int
	lastTime  int64 // ms, of the last UUIDv7
	refs      []byte
	chars     []byte
}

type actorSeq struct {
	doc   int
	actor automerge.ActorID
}

func appendBundle(b []byte, items []Item) ([]byte, error) {
	if len(items) > MaxChanges {
		return nil, fmt.Errorf("bundle of %d changes: at most %d", len(items), MaxChanges)
	}
	w := &bundler{uuids: map[uuid.UUID]int{}}
	docs, actors := map[crdt.DocName]int{}, map[automerge.ActorID]int{}
	var docTable, actorTable []byte
	index := make(map[automerge.Hash]int, len(items))
	actorOf := func(a automerge.ActorID) int {
		i, ok := actors[a]
		if !ok {
			i = len(actors)
			actors[a] = i
			actorTable = putBytes(actorTable, []byte(a))
		}
		return i
	}
	lastSeq, lastOp := map[actorSeq]uint64{}, map[int]uint64{}
	var lastAt int64
	sum := sha256.New()
	total, left := 0, maxParts
	for i, it := range items {
		c := it.Change
		rawChunk := c.Raw()
		if len(rawChunk) > MaxChange {
			return nil, fmt.Errorf("change %s of %d bytes: at most %d", c.Hash(), len(rawChunk), MaxChange)
		}
		if total += len(rawChunk); total > MaxInflated {
			return nil, fmt.Errorf("bundle of more than %d bytes: cut it into several", MaxInflated)
		}
		h := c.Hash()
		sum.Write(h[:])
		doc, ok := docs[it.Doc]
		if !ok {
			if doc = len(docs); doc == maxDocs {
				return nil, fmt.Errorf("bundle of more than %d documents: cut it into several", maxDocs)
			}
			docs[it.Doc] = doc
			docTable = putText(docTable, string(it.Doc))
		}
		w.num(uint64(doc))
		n := parts(c)
		if n > 0 {
			if left -= n; left < 0 {
				n = 0
			}
		}
		if n == 0 {
			w.num(formWhole)
			w.num(uint64(len(rawChunk)))
			w.raw = append(w.raw, rawChunk...)
			index[h] = i
			continue
		}
		w.num(formParts)
		w.num(uint64(actorOf(c.Actor)))
		key := actorSeq{doc, c.Actor}
		w.int(int64(c.Seq - lastSeq[key] - 1))
		w.int(int64(c.StartOp - lastOp[doc] - 1))
		w.int(c.Time - lastAt)
		lastSeq[key], lastOp[doc], lastAt = c.Seq, c.MaxOp(), c.Time
		w.str(c.Message)
		w.num(uint64(len(c.Deps)))
		for _, d := range c.Deps {
			if j, ok := index[d]; ok {
				w.num(uint64(i - j))
			} else {
				w.num(0)
				w.raw = append(w.raw, d[:]...)
			}
		}
		index[h] = i
		w.num(uint64(len(c.Ops)))
		for j := range c.Ops {
			op := &c.Ops[j]
			w.str(op.Key)
			w.num(uint64(op.Action)<<8 | uint64(op.Value.Kind))
			switch op.Value.Kind {
			case automerge.KindUint, automerge.KindInt, automerge.KindCounter, automerge.KindTimestamp, automerge.KindFloat64:
				w.int(op.Value.Num)
			case automerge.KindNull, automerge.KindFalse, automerge.KindTrue:
			default:
				w.str(op.Value.Str)
			}
			w.num(uint64(len(op.Pred)))
			for _, p := range op.Pred {
				w.num(c.StartOp + uint64(j) - p.Counter)
				w.num(uint64(actorOf(p.Actor)))
			}
		}
	}

	head := binary.AppendUvarint(nil, uint64(len(docs)))
	head = append(head, docTable...)
	head = binary.AppendUvarint(head, uint64(len(actors)))
	head = append(head, actorTable...)
	head = binary.AppendUvarint(head, uint64(len(items)))
	text := append(head, w.text...)
	method, body := byte(methodPlain), text
	if len(text) > 64 {
		var z bytes.Buffer
		fw := deflaters.Get().(*flate.Writer)
		fw.Reset(&z)
		fw.Write(text) //nolint:errcheck // a bytes.Buffer takes all
		fw.Close()
		deflaters.Put(fw)
		if z.Len() < len(text) {
			method, body = methodDeflate, z.Bytes()
		}
	}
	b = append(b, method)
	b = binary.AppendUvarint(b, uint64(len(text)))
	b = putBytes(b, body)
	b = putBytes(b, w.raw)
	return append(b, sum.Sum(nil)[:8]...), nil
}

// parts counts the operations, predecessors and dependencies of a change whose parts rebuild it byte for byte; it is 0
// for one that has to travel whole.
func parts(c *automerge.Change) int {
	if !c.Canonical() || len(c.Extra) > 0 || len(c.Message) > maxText || len(c.Ops) == 0 || len(c.Ops) > maxOps {
		return 0
	}
	n := len(c.Deps) + len(c.Ops)
	for i := range c.Ops {
		op := &c.Ops[i]
		if !op.Obj.IsRoot() || op.IsList || op.Insert || op.Expand || op.Mark != "" || op.Value.Kind > automerge.KindTimestamp {
			return 0
		}
		n += len(op.Pred)
	}
	return n
}

func (w *bundler) num(v uint64) { w.text = binary.AppendUvarint(w.text, v) }
func (w *bundler) int(v int64)  { w.text = putInt(w.text, v) }

// str writes a string: its length once the UUIDs are folded to one byte each, its bytes, then the references.
func (w *bundler) str(s string) {
	w.refs, w.chars = w.refs[:0], w.chars[:0]
	for i := 0; i < len(s); {
		if u, ok := uuidAt(s, i); ok {
			w.chars = append(w.chars, uuidByte)
			w.ref(u)
			i += 36
			continue
		}
		if s[i] == escByte || s[i] == uuidByte {
			w.chars = append(w.chars, escByte)
		}
		w.chars = append(w.chars, s[i])
		i++
	}
	w.num(uint64(len(w.chars)))
	w.text = append(w.text, w.chars...)
	w.text = append(w.text, w.refs...)
}

func (w *bundler) ref(u uuid.UUID) {
	n := len(w.uuids)
	if i, ok := w.uuids[u]; ok {
		w.refs = binary.AppendUvarint(w.refs, uint64(n-i+1))
		return
	}
	w.uuids[u] = n
	if u[6]>>4 != 7 {
		w.refs = append(w.refs, 1)
		w.raw = append(w.raw, u[:]...)
		return
	}
	w.refs = append(w.refs, 0)
	at := uuidTime(u)
	w.refs = putInt(w.refs, at-w.lastTime)
	w.lastTime = at
	w.raw = append(w.raw, u[6:]...)
}

func uuidTime(u uuid.UUID) int64 {
	return int64(binary.BigEndian.Uint64(append([]byte{0, 0}, u[:6]...)))
}

// uuidAt reads the canonical spelling of a UUID at s[i:].
func uuidAt(s string, i int) (u uuid.UUID, ok bool) {
	if len(s)-i < 36 || s[i+8] != '-' || s[i+13] != '-' || s[i+18] != '-' || s[i+23] != '-' {
		return u, false
	}
	n := 0
	for j := i; j < i+36; j++ {
		var d byte
		switch c := s[j]; {
		case c >= '0' && c <= '9':
			d = c - '0'
		case c >= 'a' && c <= 'f':
			d = c - 'a' + 10
		case c == '-' && (j-i == 8 || j-i == 13 || j-i == 18 || j-i == 23):
			continue
		default:
			return u, false
		}
		u[n/2] |= d << (4 * (1 - n%2))
		n++
	}
	return u, true
}

// unbundler reads the two sections of one bundle.
type unbundler struct {
	text, raw reader
	uuids     []uuid.UUID
	lastTime  int64
	budget    int // bytes of strings and chunks that may still be built
	parts     int // operations, predecessors and dependencies that may still come
	sb        strings.Builder
}

// bundle reads a bundle; its changes are sealed, their hashes proved by the digest.
func (r *reader) bundle() []Item {
	method := r.take(1)
	size := r.count("bytes in a bundle", MaxInflated)
	body := r.bytes("a bundle's text", MaxFrame)
	raw := r.bytes("a bundle's raw part", MaxFrame)
	sum := r.take(8)
	if r.err != nil {
		return nil
	}
	text := body
	switch method[0] {
	case methodPlain:
		if len(text) != size {
			r.fail(fmt.Errorf("bundle states %d bytes and has %d", size, len(text)))
			return nil
		}
	case methodDeflate:
		var err error
		if text, err = inflate(body, size); err != nil {
			r.fail(err)
			return nil
		}
	default:
		r.fail(fmt.Errorf("bundle method %d is not known", method[0]))
		return nil
	}
	u := &unbundler{text: reader{b: text}, raw: reader{b: raw}, budget: 4 * MaxInflated, parts: maxParts}
	items, digest := u.items()
	switch {
	case u.text.err != nil:
		r.fail(fmt.Errorf("bundle: %w", u.text.err))
	case u.raw.err != nil:
		r.fail(fmt.Errorf("bundle: raw part: %w", u.raw.err))
	case len(u.text.b) > 0 || len(u.raw.b) > 0:
		r.fail(errors.New("bundle: bytes are left over"))
	case !bytes.Equal(digest[:8], sum):
		r.fail(errors.New("bundle: its changes were altered on the way (digest differs): send it again"))
	default:
		return items
	}
	return nil
}

func inflate(b []byte, size int) ([]byte, error) {
	fr := inflaters.Get().(io.ReadCloser)
	defer inflaters.Put(fr)
	if err := fr.(flate.Resetter).Reset(bytes.NewReader(b), nil); err != nil {
		return nil, err
	}
	var out bytes.Buffer
	out.Grow(min(size, 8*len(b))) // what a lying size may cost
	n, err := io.Copy(&out, io.LimitReader(fr, int64(size)+1))
	if err != nil {
		return nil, fmt.Errorf("bundle does not inflate: %w", err)
	}
	if n != int64(size) {
		return nil, fmt.Errorf("bundle states %d bytes and inflates to another size", size)
	}
	return out.Bytes(), nil
}

func (u *unbundler) items() ([]Item, [32]byte) {
	var digest [32]byte
	t := &u.text
	docs := t.docs()
	var actors []automerge.ActorID
	for range t.count("actors", len(t.b)) {
		actors = append(actors, automerge.ActorID(t.bytes("an actor", automerge.MaxActorBytes)))
	}
	actor := func() automerge.ActorID {
		i := t.uint()
		if i >= uint64(len(actors)) {
			t.fail(fmt.Errorf("actor %d of %d", i, len(actors)))
			return ""
		}
		return actors[i]
	}
	n := t.count("changes", MaxChanges)
	items := make([]Item, 0, min(n, len(t.b)))
	lastSeq, lastOp := map[actorSeq]uint64{}, map[int]uint64{}
	var lastAt int64
	sum := sha256.New()
	for i := range n {
		d := t.uint()
		if d >= uint64(len(docs)) {
			t.fail(fmt.Errorf("document %d of %d", d, len(docs)))
		}
		form := t.uint()
		if t.err != nil || u.raw.err != nil {
			return nil, digest
		}
		doc := int(d)
		var c *automerge.Change
		var err error
		switch form {
		case formWhole:
			chunk := u.raw.take(t.count("bytes of a change", MaxChange))
			if t.err != nil || u.raw.err != nil {
				return nil, digest
			}
			if c, err = automerge.ParseChange(chunk); err == nil && !bytes.Equal(c.Raw(), chunk) {
				err = errors.New("travels compressed twice")
			}
		case formParts:
			c = &automerge.Change{Actor: actor()}
			key := actorSeq{doc, c.Actor}
			c.Seq = lastSeq[key] + 1 + uint64(t.int())
			c.StartOp = lastOp[doc] + 1 + uint64(t.int())
			c.Time = lastAt + t.int()
			c.Message = u.str()
			for range u.count("dependencies") {
				back := t.uint()
				var h automerge.Hash
				switch {
				case back == 0:
					u.raw.fixed(h[:])
				case back <= uint64(i):
					h = items[i-int(back)].Change.Hash()
				default:
					t.fail(fmt.Errorf("dependency %d changes back in change %d", back, i))
				}
				if t.err != nil || u.raw.err != nil {
					return nil, digest
				}
				c.Deps = append(c.Deps, h)
			}
			nops := u.count("operations")
			c.Ops = make([]automerge.Op, 0, nops)
			for j := range nops {
				var op automerge.Op
				op.Key = u.str()
				what := t.uint()
				op.Action, op.Value.Kind = automerge.Action(what>>8), automerge.Kind(what)
				switch op.Value.Kind {
				case automerge.KindUint, automerge.KindInt, automerge.KindCounter, automerge.KindTimestamp, automerge.KindFloat64:
					op.Value.Num = t.int()
				case automerge.KindNull, automerge.KindFalse, automerge.KindTrue:
				default:
					op.Value.Str = u.str()
				}
				for range u.count("predecessors") {
					p := automerge.OpID{Counter: c.StartOp + uint64(j) - t.uint(), Actor: actor()}
					if t.err != nil {
						return nil, digest
					}
					op.Pred = append(op.Pred, p)
				}
				if t.err != nil || u.raw.err != nil {
					return nil, digest
				}
				c.Ops = append(c.Ops, op)
			}
			lastSeq[key], lastOp[doc], lastAt = c.Seq, c.StartOp+uint64(len(c.Ops))-1, c.Time
			if t.err == nil && u.raw.err == nil {
				err = c.Seal()
			}
			if err == nil && len(c.Raw()) > MaxChange {
				err = fmt.Errorf("has %d bytes: at most %d", len(c.Raw()), MaxChange)
			}
		default:
			err = fmt.Errorf("form %d is not known", form)
		}
		if err != nil {
			t.fail(fmt.Errorf("change %d: %w", i, err))
		}
		if t.err != nil || u.raw.err != nil {
			return nil, digest
		}
		if u.budget -= len(c.Raw()); u.budget < 0 {
			t.fail(fmt.Errorf("bundle becomes more than %d bytes", 4*MaxInflated))
			return nil, digest
		}
		h := c.Hash()
		sum.Write(h[:])
		items = append(items, Item{Doc: docs[doc], Change: c})
	}
	sum.Sum(digest[:0])
	return items, digest
}

// count reads how many parts follow, against what the whole bundle may hold.
func (u *unbundler) count(what string) int {
	n := u.text.count(what, min(u.parts, len(u.text.b)))
	u.parts -= n
	return n
}

// str reads what bundler.str wrote.
func (u *unbundler) str() string {
	t := &u.text
	chars := t.bytes("a string", MaxChange)
	u.sb.Reset()
	for i := 0; i < len(chars) && t.err == nil && u.raw.err == nil; i++ {
		switch chars[i] {
		case escByte:
			if i++; i == len(chars) || chars[i] != escByte && chars[i] != uuidByte {
				t.fail(errors.New("string with a wrong escape"))
				return ""
			}
			u.sb.WriteByte(chars[i])
		case uuidByte:
			if u.budget -= 36; u.budget < 0 {
				t.fail(fmt.Errorf("bundle becomes more than %d bytes", 4*MaxInflated))
				return ""
			}
			var text [36]byte
			id := u.ref()
			encodeUUID(&text, id)
			u.sb.Write(text[:])
		default:
			u.sb.WriteByte(chars[i])
		}
	}
	return u.sb.String()
}

func (u *unbundler) ref() (id uuid.UUID) {
	t := &u.text
	switch ref := t.uint(); {
	case ref == 0:
		u.lastTime += t.int()
		var b [8]byte
		binary.BigEndian.PutUint64(b[:], uint64(u.lastTime))
		copy(id[:6], b[2:])
		u.raw.fixed(id[6:])
	case ref == 1:
		u.raw.fixed(id[:])
	case ref-2 < uint64(len(u.uuids)):
		return u.uuids[len(u.uuids)-int(ref)+1]
	default:
		t.fail(fmt.Errorf("reference to a UUID %d back of %d", ref-1, len(u.uuids)))
		return id
	}
	u.uuids = append(u.uuids, id)
	return id
}

const hexDigits = "0123456789abcdef"

func encodeUUID(dst *[36]byte, u uuid.UUID) {
	n := 0
	for i, x := range u {
		if i == 4 || i == 6 || i == 8 || i == 10 {
			dst[n] = '-'
			n++
		}
		dst[n], dst[n+1] = hexDigits[x>>4], hexDigits[x&15]
		n += 2
	}
}
