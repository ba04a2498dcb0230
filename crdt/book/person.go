package book

import (
	"encoding/binary"
	"errors"
	"unsafe"

	"trio/crdt"
	"trio/ranking"
)

// Person is what a member's documents tell of somebody: what is ranked, and the acts on suggestions, which the member's own
// experience is counted from.
type Person struct {
	Facts ranking.Facts
	Acts  []ranking.Attempt
}

// FactsSize and ActSize are what facts and an act take on disk, bytes. A device whose rows have another size makes them anew.
const (
	FactsSize = 255
	ActSize   = 12
)

// Encode returns the facts and then the acts, all of fixed size, one number after the other as they lie in memory, and in the
// machine's own order of bytes, as nobody else reads them. A test holds it against encoding/binary.
func (p *Person) Encode() []byte {
	b := make([]byte, 0, FactsSize+ActSize*len(p.Acts))
	head, tail := factsBytes(&p.Facts)
	b = append(append(b, head...), tail...)
	for i := range p.Acts {
		b = append(b, actBytes(&p.Acts[i])...)
	}
	return b
}

// Decode reads what Encode wrote. It keeps nothing of b.
func (p *Person) Decode(b []byte) error {
	if len(b) < FactsSize || (len(b)-FactsSize)%ActSize != 0 {
		return errors.New("facts of a contact cannot be read")
	}
	if b[unsafe.Offsetof(p.Facts.Imported)] > 1 { // no truth
		return errors.New("facts of a contact are damaged")
	}
	head, tail := factsBytes(&p.Facts)
	copy(tail, b[copy(head, b):])
	p.Acts = nil
	if b = b[FactsSize:]; len(b) > 0 {
		p.Acts = make([]ranking.Attempt, len(b)/ActSize)
	}
	for i := range p.Acts {
		if b[unsafe.Offsetof(p.Acts[i].Won)] > 1 {
			return errors.New("acts of a contact are damaged")
		}
		b = b[copy(actBytes(&p.Acts[i]), b):]
	}
	return nil
}

// The bytes of numbers in memory. A start reads thousands of contacts: going over their fields one by one took a browser 60 ms
// for 5,000, and encoding/binary three times as long.
// There is one gap in memory, before what has two bytes again.
func factsBytes(f *ranking.Facts) (head, tail []byte) {
	b := unsafe.Slice((*byte)(unsafe.Pointer(f)), unsafe.Sizeof(*f))
	return b[:unsafe.Offsetof(f.Live)+1], b[unsafe.Offsetof(f.Own):]
}

func actBytes(a *ranking.Attempt) []byte { return unsafe.Slice((*byte)(unsafe.Pointer(a)), ActSize) }

// Seed is ranking.Member's of a member.
func Seed(m crdt.MemberID) uint64 {
	return binary.BigEndian.Uint64(m[:8]) ^ binary.BigEndian.Uint64(m[8:])
}
