package book

import (
	"encoding/binary"
	"errors"
	"fmt"

	"trio/crdt"
	"trio/ranking"
)

// Person is what a member's documents tell of somebody: what is ranked, and the acts on suggestions, which the member's own
// experience is counted from.
type Person struct {
	Facts ranking.Facts
	Acts  []ranking.Attempt
}

// Encode returns the facts and then the acts, all of fixed size.
func (p *Person) Encode() ([]byte, error) {
	b, err := binary.Append(nil, binary.LittleEndian, &p.Facts)
	if err != nil {
		return nil, err
	}
	return binary.Append(b, binary.LittleEndian, p.Acts)
}

// DecodePerson reads what Encode wrote.
func DecodePerson(b []byte) (*Person, error) {
	var p Person
	n, err := binary.Decode(b, binary.LittleEndian, &p.Facts)
	size := binary.Size(ranking.Attempt{})
	if err != nil || (len(b)-n)%size != 0 {
		return nil, errors.Join(errors.New("facts of a contact cannot be read"), err)
	}
	if n < len(b) {
		p.Acts = make([]ranking.Attempt, (len(b)-n)/size)
		if _, err := binary.Decode(b[n:], binary.LittleEndian, p.Acts); err != nil {
			return nil, fmt.Errorf("acts of a contact cannot be read: %w", err)
		}
	}
	return &p, nil
}

// Seed is ranking.Member's of a member.
func Seed(m crdt.MemberID) uint64 {
	return binary.BigEndian.Uint64(m[:8]) ^ binary.BigEndian.Uint64(m[8:])
}
