package book

import (
	"bytes"
	"slices"
	"strings"
	"testing"

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
		x, err := a.Encode()
		if err != nil {
			t.Fatal(err)
		}
		if y, err := b.Encode(); err != nil || !bytes.Equal(x, y) {
			t.Fatalf("%+v\n%+v %v", a, b, err)
		}
		p, err := DecodePerson(x)
		if err != nil || p.Facts != a.Facts || !slices.Equal(p.Acts, a.Acts) {
			t.Fatalf("%+v came back as %+v, %v", a, p, err)
		}
		if a.Facts.Stage > ranking.Promoter {
			t.Fatalf("stage %v", a.Facts.Stage)
		}
	})
}

// FuzzDecodePerson: what is no person is refused.
func FuzzDecodePerson(f *testing.F) {
	b, err := (&Person{Acts: make([]ranking.Attempt, 2)}).Encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Add(b[:len(b)-1])
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := DecodePerson(b)
		if err != nil {
			return
		}
		if again, err := p.Encode(); err != nil || len(again) != len(b) {
			t.Fatalf("%d bytes came back as %d, %v", len(b), len(again), err)
		}
	})
}
