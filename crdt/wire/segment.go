package wire

import (
	"bytes"
	"errors"
	"fmt"

	"trio/crdt/automerge"
)

// segmentForm is the version of what a segment's data holds: 1 is a bundle as it travels in protocol version 1.
const segmentForm = 1

// markBytes is how much of each change's hash stands beside a segment, so that a change can be found without opening it.
const markBytes = 8

// A Segment is a piece of a member's order as it is stored for good: its changes folded into one bundle, from which each
// comes back with its hash. What is needed to answer for them stands beside it. It is what a device that lacks the piece is
// sent, byte for byte, so that serving old history costs no more than reading it.
type Segment struct {
	From, To Receipt // what it comes after, and its last change; the epochs say nothing here
	Marks    []byte  // the first 8 bytes of each change's hash, in order
	Data     []byte  // form (1 byte), then a bundle
}

// NewSegment folds changes that follow one another in a member's order after from. What it returns was opened again and
// every hash of it compared: whoever drops the changes afterwards can have them back. It fails with ErrTooLarge when fewer
// changes would do.
func NewSegment(from Receipt, items []Item) (*Segment, error) {
	if len(items) == 0 {
		return nil, errors.New("a segment has a change at least")
	}
	s := &Segment{From: from, To: from, Data: []byte{segmentForm}}
	for i := range items {
		h := items[i].Change.Hash()
		s.Marks = append(s.Marks, h[:markBytes]...)
		s.To.Seq++
		s.To.Chain = s.To.Chain.Next(h)
	}
	var err error
	if s.Data, err = appendBundle(s.Data, items); err != nil {
		return nil, err
	}
	if len(s.Data) > MaxFrame-1<<10 { // room for the other fields of a Changes frame
		return nil, fmt.Errorf("%w: segment of %d bytes", ErrTooLarge, len(s.Data))
	}
	if _, err := s.Open(); err != nil {
		return nil, fmt.Errorf("segment does not open again: %w", err)
	}
	return s, nil
}

// Len returns how many changes there are.
func (s *Segment) Len() int { return len(s.Marks) / markBytes }

// Open returns the changes, sealed. Their hashes are computed and folded from the chain of From to that of To, so what
// comes back is what was put in, or an error says that the segment is damaged.
func (s *Segment) Open() ([]Item, error) {
	if len(s.Data) == 0 || s.Data[0] != segmentForm {
		return nil, fmt.Errorf("segment of form %d is not known: run the newer build that wrote it", first(s.Data))
	}
	r := &reader{b: s.Data[1:]}
	items := r.bundle()
	if r.err == nil && len(r.b) > 0 {
		r.fail(fmt.Errorf("%d bytes follow the bundle", len(r.b)))
	}
	if r.err != nil {
		return nil, fmt.Errorf("segment %d to %d is damaged: %w", s.From.Seq+1, s.To.Seq, r.err)
	}
	at := s.From.Chain
	for i := range items {
		at = at.Next(items[i].Change.Hash())
	}
	if at != s.To.Chain || s.From.Seq+uint64(len(items)) != s.To.Seq || s.Len() != len(items) {
		return nil, fmt.Errorf("segment %d to %d is damaged: its %d changes do not lead from chain %s to %s",
			s.From.Seq+1, s.To.Seq, len(items), s.From.Chain, s.To.Chain)
	}
	return items, nil
}

func first(b []byte) int {
	if len(b) == 0 {
		return 0
	}
	return int(b[0])
}

// Find returns the places, from 0, of the changes whose hash begins as h does. There is one at most, unless somebody took
// the trouble to make two; only opening the segment tells.
func (s *Segment) Find(h automerge.Hash) (at []int) {
	for i := 0; i+markBytes <= len(s.Marks); i += markBytes {
		j := bytes.Index(s.Marks[i:], h[:markBytes])
		if j < 0 {
			break
		}
		i += j
		if i%markBytes == 0 {
			at = append(at, i/markBytes)
		} else {
			i -= i % markBytes // the bytes of two neighbours: go on with the next one
		}
	}
	return at
}

// EncodeSegment returns the Changes frame of a whole segment for a device of epoch e that holds none of it. Nothing is
// folded: the bytes are those that are stored.
func EncodeSegment(e Epoch, s *Segment) ([]byte, error) {
	if first(s.Data) != segmentForm {
		return nil, fmt.Errorf("segment of form %d is not known", first(s.Data))
	}
	b := make([]byte, 0, 128+s.Len()/8+len(s.Data))
	from, to := s.From, s.To
	from.Epoch, to.Epoch = e, e
	b = putChanges(append(b, kindChanges), &Changes{From: from, To: to, Held: make([]bool, s.Len())})
	b = append(b, s.Data[1:]...)
	if len(b) > MaxFrame {
		return nil, fmt.Errorf("%w: %d bytes, at most %d", ErrTooLarge, len(b), MaxFrame)
	}
	return b, nil
}
