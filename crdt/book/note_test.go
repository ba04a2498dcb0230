package book

import (
	"bytes"
	"encoding/binary"
	"slices"
	"strings"
	"testing"
	"unsafe"

	"trio/crdt"
	"trio/ranking"
)

// FuzzFold folds entries as a log may hold them, one a line, in two orders: whatever they say, nothing panics, and the facts are the same.
func FuzzFold(f *testing.F) {
	f.Add(`{"v":1,"kind":"call","at":1795341600000,"evidence":"E1","outcome":"answered","trigger":"new_lead","content":"playbook/1","p0":9,"p1":9}` + "\n" +
		`{"v":1,"kind":"result","at":1795341600001,"evidence":"E1","about":"00000000-0000-7000-8000-000000000000","outcome":"enrolled"}` + "\n" +
		`{"v":1,"kind":"order","at":1795341600002,"evidence":"E4","value":{"cents":-5}}` + "\n" + `{"v":1,"kind":"void","at":1795341600003,"evidence":"E1"}`)
	f.Add(`{"v":9,"kind":"suggestion","at":631152000000,"evidence":"E0","choice":"dismissed","trigger":"lapsed","due":"9999-12-31"}`)
	home := NewCalendar([]Field{{Key: crdt.ProfileZone}, {Key: crdt.ZoneKey("2026-11-25")}})
	f.Fuzz(func(t *testing.T, log string) {
		var notes []Note
		for i, line := range strings.Split(log, "\n") {
			e, err := crdt.ParseEntry(line)
			if err != nil {
				continue
			}
			id := crdt.EntryID{6: 0x70, 8: 0x80, 14: byte(i >> 8), 15: byte(i)}
			n := NewNote(id, &e)
			n.Event.Day = home.Day(n.At)
			notes = append(notes, n)
		}
		back := slices.Clone(notes)
		slices.Reverse(back)
		card := NewCard(crdt.ContactID{1})
		a, b := card.Person(home, Events(notes)), card.Person(home, Events(back))
		x := a.Encode()
		if y := b.Encode(); !bytes.Equal(x, y) {
			t.Fatalf("%+v\n%+v", a, b)
		}
		var p Person
		if err := p.Decode(x); err != nil || p.Facts != a.Facts || !slices.Equal(p.Acts, a.Acts) {
			t.Fatalf("%+v came back as %+v", a, p)
		}
		if a.Facts.Stage > ranking.Promoter {
			t.Fatalf("stage %v", a.Facts.Stage)
		}
	})
}

// FuzzPerson: what is no person is refused, and every field is in its place, as encoding/binary has it.
func FuzzPerson(f *testing.F) {
	b := (&Person{Acts: make([]ranking.Attempt, 2)}).Encode()
	f.Add(bytes.Clone(b))
	for i := range b {
		b[i] = byte(i + 1)
	}
	f.Add(bytes.Clone(b)) // with a truth that is none
	b[unsafe.Offsetof(ranking.Facts{}.Imported)] = 1
	for i := range 2 {
		b[FactsSize+i*ActSize+int(unsafe.Offsetof(ranking.Attempt{}.Won))] = byte(i)
	}
	f.Add(b)
	f.Add(b[:len(b)-1])
	f.Fuzz(func(t *testing.T, b []byte) {
		var p Person
		if p.Decode(b) != nil {
			return
		}
		want, err := binary.Append(nil, binary.NativeEndian, &p.Facts)
		if err == nil {
			want, err = binary.Append(want, binary.NativeEndian, p.Acts)
		}
		if again := p.Encode(); err != nil || !bytes.Equal(again, want) {
			t.Fatalf("%x is written as %x: want %x, %v", b, again, want, err)
		}
		var facts ranking.Facts
		n, err := binary.Decode(b, binary.NativeEndian, &facts)
		if err != nil || n != FactsSize || facts != p.Facts {
			t.Fatalf("%x is read as %+v: want %+v, %v", b, p.Facts, facts, err)
		}
		acts := make([]ranking.Attempt, len(p.Acts))
		if _, err := binary.Decode(b[n:], binary.NativeEndian, acts); err != nil || !slices.Equal(acts, p.Acts) || len(b) != n+ActSize*len(acts) {
			t.Fatalf("%x: acts are read as %+v: want %+v, %v", b[n:], p.Acts, acts, err)
		}
	})
}
