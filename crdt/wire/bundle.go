package wire

import (
	"bytes"
	"compress/flate"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"io"
	"sync"

	"github.com/google/uuid"

	"trio/crdt"
	"trio/crdt/automerge"
)

// A bundle is many changes written as one, so that nothing travels that the receiver can compute: no chunk headers and
// checksums, no hash of a change that is in the bundle itself, no actor, UUID or text twice, no time that stands in an id
// already. The receiver rebuilds every change and computes its hash; a digest over documents and hashes proves that
// nothing was altered on the way.
//
//	bundle  = changes [method size text raw sum]    nothing follows when there are no changes
//	method  = 0 (the text as it is) or 1 (deflated)
//	size    = bytes of the text once inflated
//	text    = the length of each column, then the columns
//	raw     = what does not compress: the random parts of UUIDs, hashes of changes that are not in the bundle, and changes
//	          that are carried whole (those that our own encoder would not write the same way)
//	sum     = the first 8 bytes of SHA-256 over the documents' names and the change hashes in their order
//
// A text is 0 (new), 1 (new, and it begins with a digit or +) or 2+i (the i-th of its kind). In it 0x01 stands for a UUID,
// 0x02 for a time of 13 digits, 0x03, in keys, for what comes after the second slash, 0x00 ends it, and 0x04 comes before
// a byte that is to be taken as it is. Times are differences to the clock: the time read last, be it in the id of a log
// entry, in a text, in a value or of a change; ids of contacts have a clock of their own.
//
// A UUID is 0 (new, of version 7: its time as a difference and two of its random bits in a column, the others raw), 1 (new,
// raw), 2 (the contact's id used last), 3+2i (the i-th that came in another place than as a whole key) or 4+2d (the one
// that came as a whole key d new ones before).
const (
	methodPlain   = 0
	methodDeflate = 1

	byteEnd, byteUUID, byteTime, byteTail, byteEscape = 0, 1, 2, 3, 4

	textNew, textDigits, textFirst = 0, 1, 2

	idNew7, idNew, idLast, idFirst = 0, 1, 2, 3
)

// The columns of a bundle. A change has one number in colDoc and colForm, an operation one in colOp, colPred and colKey.
const (
	colNames      = iota // documents and actors, when they are first named
	colDoc               // number of the document; the next free one names a new one
	colForm              // bits of form…
	colActor             // as colDoc
	colMore              // what form says: length, sequence, first operation, numbers of operations and dependencies
	colDep               // 0: the hash is raw; else so many changes back in the document
	colTime              // seconds, as a difference
	colOp                // action<<4 | kind
	colPred              // number of predecessors, and how many operations back each is
	colPredBy            // the actor of each predecessor
	colKey               // the key's text
	colTail              // the text of what comes after a key's second slash
	colValue             // the text of a value or a message
	colKeyText           // new texts of keys
	colTailText          // of tails
	colTailDigits        // of tails that begin with a digit
	colText              // of values
	colDigits            // of values that begin with a digit
	colKeyID             // UUIDs in keys
	colID                // other UUIDs
	colIDTime            // times of UUIDs that are no whole key: difference<<2 | two random bits, without the lowest two bytes,
	colIDMid             // of which this is the upper
	colIDLow             // and this the lower
	colEntry             // times of UUIDs that are a whole key, likewise
	colEntryMid
	colEntryLow
	colStamp // times in texts
	colNum   // numeric values
	columns
)

// Bits of colForm: what is not as usual.
const (
	formWhole   = 1 << iota // the chunk itself, in raw
	formSeq                 // not the actor's next sequence number in this document
	formStart               // not the document's next operation
	formMessage             // a message
	formOps                 // not one operation
	formDeps                // not one dependency
	formEnd
)

const (
	// plainText is the size up to which a text is not worth deflating.
	plainText = 640
	// sectionBytes is the size from which a column is deflated with codes of its own.
	sectionBytes = 512
	// maxRepeat bounds the texts that are numbered, and so what one byte can stand for.
	maxRepeat = 512
	// keepBytes bounds the memory that is kept for the next bundle.
	keepBytes = 1 << 20

	clockEnd = 1 << 48 // ms; the times that a UUID can hold
)

// inflateLimit returns how many bytes n deflated ones may become.
func inflateLimit(n int) int { return min(MaxInflated, 64<<10+256*n) }

// proof computes the digest of a bundle.
type proof struct {
	sha hash.Hash
	buf []byte
}

func (p *proof) reset() {
	if p.sha == nil {
		p.sha = sha256.New()
	}
	p.sha.Reset()
}

func (p *proof) add(doc crdt.DocName, h automerge.Hash) {
	p.buf = binary.AppendUvarint(p.buf[:0], uint64(len(doc)))
	p.buf = append(p.buf, doc...)
	p.buf = append(p.buf, h[:]...)
	p.sha.Write(p.buf)
}

func (p *proof) sum() []byte {
	p.buf = p.sha.Sum(p.buf[:0])
	return p.buf[:8]
}

// clocks predict the times of a bundle, in the same way on both sides.
type clocks struct {
	clock   int64 // ms; what was read last, within 0 to clockEnd
	idClock int64 // likewise, of ids that are no whole key
	lastAt  int64 // seconds; of the change before
	touched bool  // the clock was set by the change at hand
}

func (k *clocks) tick(at int64) {
	if at >= 0 && at < clockEnd {
		k.clock, k.touched = at, true
	}
}

// expect returns what the time of the change at hand is likely to be.
func (k *clocks) expect() int64 {
	if k.touched {
		return k.clock / 1000
	}
	return k.lastAt
}

// changed ends a change.
func (k *clocks) changed(at int64) {
	if !k.touched && at >= 0 && at < clockEnd/1000 {
		k.tick(at * 1000)
	}
	k.lastAt, k.touched = at, false
}

// writerSeq is the last sequence number of an actor in a document.
type writerSeq struct {
	doc, actor int
	seq        uint64
}

// lastSeq finds or makes the place of an actor in a document; there are a few of them.
func lastSeq(list *[]writerSeq, doc, actor int) *uint64 {
	for i := len(*list) - 1; i >= 0; i-- {
		if w := &(*list)[i]; w.actor == actor && w.doc == doc {
			return &w.seq
		}
	}
	*list = append(*list, writerSeq{doc: doc, actor: actor})
	return &(*list)[len(*list)-1].seq
}

// Kinds of texts, each with its columns.
const (
	ofKey = iota
	ofTail
	ofValue
	ofEnd
)

var textCols = [ofEnd]struct{ ref, text, digits, id int }{
	ofKey:   {colKey, colKeyText, colKeyText, colKeyID},
	ofTail:  {colTail, colTailText, colTailDigits, colID},
	ofValue: {colValue, colText, colDigits, colID},
}

// uuidTime returns the milliseconds in a UUID of version 7.
func uuidTime(u *uuid.UUID) int64 {
	return int64(binary.BigEndian.Uint32(u[:4]))<<16 | int64(binary.BigEndian.Uint16(u[4:6]))
}

// deflater appends what it deflates to out.
type deflater struct {
	w   *flate.Writer
	out []byte
}

func (d *deflater) Write(b []byte) (int, error) {
	d.out = append(d.out, b...)
	return len(b), nil
}

var deflaters = sync.Pool{New: func() any {
	d := new(deflater)
	d.w, _ = flate.NewWriter(d, flate.DefaultCompression) // the level is one that flate knows
	return d
}}

// inflater reads deflated bytes from memory.
type inflater struct {
	src bytes.Reader
	r   io.ReadCloser
}

var inflaters = sync.Pool{New: func() any {
	z := new(inflater)
	z.r = flate.NewReader(&z.src)
	return z
}}

// inflate inflates b to dst[:0]: to size bytes, or it is an error. The buffer grows as bytes really come out.
func inflate(dst, b []byte, size int) ([]byte, error) {
	z := inflaters.Get().(*inflater)
	defer inflaters.Put(z)
	z.src.Reset(b)
	defer z.src.Reset(nil)
	if err := z.r.(flate.Resetter).Reset(&z.src, nil); err != nil {
		return dst[:0], err
	}
	dst = dst[:0]
	for {
		if len(dst) == cap(dst) {
			grown := make([]byte, len(dst), min(max(4*len(b), 2*cap(dst), 512), size+1))
			copy(grown, dst)
			dst = grown
		}
		n, err := z.r.Read(dst[len(dst):min(cap(dst), size+1)])
		dst = dst[:len(dst)+n]
		switch {
		case len(dst) > size:
			return dst, fmt.Errorf("bundle states %d bytes and inflates to more", size)
		case errors.Is(err, io.EOF):
			if len(dst) < size {
				return dst, fmt.Errorf("bundle states %d bytes and inflates to %d", size, len(dst))
			}
			if z.src.Len() > 0 {
				return dst, fmt.Errorf("%d bytes follow what is deflated", z.src.Len())
			}
			return dst, nil
		case err != nil:
			return dst, fmt.Errorf("bundle does not inflate: %w", err)
		}
	}
}
