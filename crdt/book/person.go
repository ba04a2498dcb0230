package book

import (
	"encoding/binary"
	"errors"

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

// Encode returns the facts and then the acts, all of fixed size, as encoding/binary would in little-endian order. That goes
// over types at run time, which in a browser took a second of a first pull and a fifth of a start.
func (p *Person) Encode() []byte {
	c := column{b: make([]byte, FactsSize+ActSize*len(p.Acts)), write: true}
	c.facts(&p.Facts)
	for i := range p.Acts {
		c.act(&p.Acts[i])
	}
	return c.b
}

// Decode reads what Encode wrote. It keeps nothing of b.
func (p *Person) Decode(b []byte) error {
	if len(b) < FactsSize || (len(b)-FactsSize)%ActSize != 0 {
		return errors.New("facts of a contact cannot be read")
	}
	c := column{b: b}
	c.facts(&p.Facts)
	p.Acts = nil
	if n := (len(b) - FactsSize) / ActSize; n > 0 {
		p.Acts = make([]ranking.Attempt, n)
		for i := range p.Acts {
			c.act(&p.Acts[i])
		}
	}
	return nil
}

// column goes over numbers of fixed size, reading or writing them. It is given as many bytes as all of them take.
type column struct {
	b     []byte
	at    int
	write bool
}

func (c *column) next(n int) []byte {
	c.at += n
	return c.b[c.at-n : c.at]
}

func (c *column) id(id *ranking.ContactID) {
	if b := c.next(len(id)); c.write {
		copy(b, id[:])
	} else {
		copy(id[:], b)
	}
}

func (c *column) truth(v *bool) {
	if b := c.next(1); !c.write {
		*v = b[0] != 0
	} else if *v {
		b[0] = 1
	}
}

func number1[T ~uint8](c *column, vs ...*T) {
	b := c.next(len(vs))
	for i, v := range vs {
		if c.write {
			b[i] = byte(*v)
		} else {
			*v = T(b[i])
		}
	}
}

func number2[T ~uint16 | ~int16](c *column, vs ...*T) {
	for _, v := range vs {
		if b := c.next(2); c.write {
			binary.LittleEndian.PutUint16(b, uint16(*v))
		} else {
			*v = T(binary.LittleEndian.Uint16(b))
		}
	}
}

func number4[T ~uint32 | ~int32](c *column, v *T) {
	if b := c.next(4); c.write {
		binary.LittleEndian.PutUint32(b, uint32(*v))
	} else {
		*v = T(binary.LittleEndian.Uint32(b))
	}
}

func (c *column) facts(f *ranking.Facts) {
	c.id(&f.Contact)
	c.id(&f.Household)
	if b := c.next(8); c.write {
		binary.LittleEndian.PutUint64(b, uint64(f.SpentCents))
	} else {
		f.SpentCents = int64(binary.LittleEndian.Uint64(b))
	}
	number4(c, &f.GapLog2Sum)
	number4(c, &f.Used)
	for i := range f.Pasts {
		p := &f.Pasts[i]
		number2(c, &p.Done, &p.Dismissed)
		number1(c, &p.Sent, &p.Last)
	}
	number1(c, &f.Stage)
	number1(c, &f.Consent)
	number1(c, &f.Channels)
	c.truth(&f.Imported)
	number2(c, &f.Created, &f.StageDay, &f.Snooze, &f.Skipped, &f.Promised)
	number2(c, &f.Orders)
	number2(c, &f.FirstOrder)
	for i := range f.OrderDays {
		number2(c, &f.OrderDays[i])
	}
	number2(c, &f.TouchCount)
	for i := range f.Touches {
		number2(c, &f.Touches[i])
	}
	for i := range f.TouchOf {
		number1(c, &f.TouchOf[i])
	}
	number1(c, &f.Marks)
	number1(c, &f.Reached)
	number2(c, &f.ReachedDay)
	for i := range f.Tries {
		number1(c, &f.Tries[i])
	}
	for i := range f.Answers {
		number1(c, &f.Answers[i])
	}
	number2(c, &f.FormDay, &f.RegisteredDay, &f.WebinarDay, &f.AttendedDay, &f.WatchedDay, &f.ClickedDay, &f.VisitedDay, &f.JoinedDay)
	number1(c, &f.Live)
	for i := range f.Own {
		number2(c, &f.Own[i].Gain)
		number2(c, &f.Own[i].Info)
	}
	for i := range f.Waiting {
		w := &f.Waiting[i]
		number2(c, &w.Day)
		number2(c, &w.P1, &w.What)
	}
}

func (c *column) act(a *ranking.Attempt) {
	number4(c, &a.Day)
	number1(c, &a.Trigger)
	number1(c, &a.Channel)
	number1(c, &a.Content)
	c.truth(&a.Won)
	number2(c, &a.P0, &a.P1)
}

// Seed is ranking.Member's of a member.
func Seed(m crdt.MemberID) uint64 {
	return binary.BigEndian.Uint64(m[:8]) ^ binary.BigEndian.Uint64(m[8:])
}
