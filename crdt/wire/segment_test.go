package wire

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"slices"
	"testing"

	"trio/crdt/automerge"
)

func segment(tb testing.TB, items []Item) *Segment {
	tb.Helper()
	s, err := NewSegment(Receipt{Epoch: Epoch{1}, Seq: 7, Chain: Chain{3}}, items)
	if err != nil {
		tb.Fatal(err)
	}
	return s
}

// A device that is sent a segment reads what it would read had each change been sent.
func TestSegmentIsSentAsItIs(t *testing.T) {
	epoch := Epoch{9}
	for seed := range uint64(40) {
		items := history(t, seed)
		s := segment(t, items)
		got, err := EncodeSegment(epoch, s)
		if err != nil {
			t.Fatal(err)
		}
		from, to := s.From, s.To
		from.Epoch, to.Epoch = epoch, epoch
		want := encoded(t, &Changes{From: from, To: to, Held: make([]bool, len(items)), Items: items})
		if !bytes.Equal(got, want) {
			t.Fatalf("seed %d: the frame of a segment is another than that of its changes", seed)
		}
		opened, err := s.Open()
		if err != nil {
			t.Fatal(err)
		}
		if err := same(items, opened); err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		for i, it := range items {
			if at := s.Find(it.Change.Hash()); !slices.Contains(at, i) {
				t.Fatalf("seed %d: change %d is found at %v", seed, i, at)
			}
		}
		if at := s.Find(automerge.Hash{1, 2, 3}); len(at) > 0 {
			t.Fatalf("seed %d: what is not there is found at %v", seed, at)
		}
	}
}

func TestSegmentMarks(t *testing.T) {
	h := automerge.Hash{1, 1, 1, 1, 1, 1, 1, 1}
	for _, c := range []struct {
		marks string
		want  []int
	}{
		{"", nil},
		{"\x01\x01\x01\x01\x01\x01\x01\x01", []int{0}},
		{"\x00\x00\x00\x00\x01\x01\x01\x01\x01\x01\x01\x01\x00\x00\x00\x00", nil}, // the bytes of two
		{"\x00\x00\x00\x00\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01", []int{1, 2}},
		{"\x01\x01\x01\x01\x01\x01\x01\x01\x02\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01", []int{0, 2}},
	} {
		if got := (&Segment{Marks: []byte(c.marks)}).Find(h); !slices.Equal(got, c.want) {
			t.Errorf("%x: found at %v, not %v", c.marks, got, c.want)
		}
	}
}

func TestSegmentLimits(t *testing.T) {
	if _, err := NewSegment(Receipt{}, nil); err == nil {
		t.Error("an empty segment was made")
	}
	one := entries200(t)[:1]
	if _, err := NewSegment(Receipt{}, slices.Repeat(one, MaxChanges+1)); !errors.Is(err, ErrTooLarge) {
		t.Errorf("too many changes: %v", err)
	}
	if _, err := NewSegment(Receipt{}, []Item{{"contacts", &automerge.Change{}}}); err == nil {
		t.Error("a change without a hash was folded")
	}
	s := segment(t, one)
	s.Data = append([]byte{2}, s.Data[1:]...)
	if _, err := s.Open(); err == nil {
		t.Error("a segment of another form was opened")
	}
	if _, err := EncodeSegment(Epoch{}, s); err == nil {
		t.Error("a segment of another form was sent")
	}
}

// TestSegmentDamage changes bytes anywhere in a segment: it opens as it was or not at all.
func TestSegmentDamage(t *testing.T) {
	items := entries200(t)[:40]
	whole := segment(t, items)
	r := rand.New(rand.NewPCG(1, 1))
	for range 3000 {
		s := *whole
		s.Data = bytes.Clone(s.Data)
		switch r.IntN(8) {
		case 0:
			s.Data = s.Data[:r.IntN(len(s.Data))]
		case 1:
			s.From.Chain[r.IntN(16)]++
		case 2:
			s.To.Seq++
		case 3:
			s.Marks = s.Marks[:len(s.Marks)-8]
		default:
			s.Data[r.IntN(len(s.Data))] ^= 1 << r.IntN(8)
		}
		opened, err := s.Open()
		if err != nil {
			continue
		}
		if err := same(items, opened); err != nil {
			t.Fatal(err)
		}
	}
}

func FuzzSegment(f *testing.F) {
	for _, items := range [][]Item{entries200(f)[:5], edits200(f)[:5], history(f, 3)[:9]} {
		f.Add(segment(f, items).Data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		s := &Segment{Data: data}
		r := &reader{b: data}
		if len(data) > 0 {
			r.b = data[1:]
		}
		// Make the rest fit, so that what the bundle says is believed as far as it can be.
		for _, it := range r.bundle() {
			h := it.Change.Hash()
			s.To.Seq++
			s.To.Chain = s.To.Chain.Next(h)
			s.Marks = append(s.Marks, h[:markBytes]...)
		}
		items, err := s.Open()
		if err != nil {
			return
		}
		frame, err := EncodeSegment(Epoch{1}, s)
		if err != nil {
			t.Fatal(err)
		}
		got, err := Decode(frame)
		if err != nil {
			t.Fatalf("a segment that opens is not read as a frame: %v", err)
		}
		if err := same(items, got.(*Changes).Items); err != nil {
			t.Fatal(err)
		}
	})
}
