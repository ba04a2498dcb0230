package wire

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"trio/crdt"
	"trio/crdt/automerge"
)

// book makes the changes of a member as devices do: one change a tap, in several documents.
type book struct {
	tb      testing.TB
	rnd     *rand.Rand
	docs    map[crdt.DocName]*automerge.Doc
	items   []Item
	devices []automerge.ActorID
	now     time.Time
}

func newBook(tb testing.TB, seed uint64, devices int) *book {
	b := &book{tb: tb, rnd: rand.New(rand.NewPCG(seed, 1)), docs: map[crdt.DocName]*automerge.Doc{}}
	b.now = time.Date(2026, 11, 2, 7, 0, 0, 0, time.UTC)
	for range devices {
		b.devices = append(b.devices, crdt.NewActor(crdt.DeviceID(b.uuid(4)), b.rnd.Uint32()))
	}
	return b
}

// uuid returns a random id of a version; one of version 7 is of the book's now.
func (b *book) uuid(version byte) (u uuid.UUID) {
	for i := range u {
		u[i] = byte(b.rnd.Uint32())
	}
	if version == 7 {
		at := b.now.UnixMilli()
		for i := range 6 {
			u[i] = byte(at >> (8 * (5 - i)))
		}
	}
	u[6] = u[6]&15 | version<<4
	u[8] = u[8]&0x3f | 0x80
	return u
}

func (b *book) pass(d time.Duration) { b.now = b.now.Add(d) }

func (b *book) doc(name crdt.DocName) *automerge.Doc {
	if b.docs[name] == nil {
		b.docs[name] = automerge.NewDoc()
	}
	return b.docs[name]
}

// write makes one change by one of the devices.
func (b *book) write(name crdt.DocName, f func(t *automerge.Tx)) {
	b.tb.Helper()
	t := b.doc(name).Begin(pick(b.rnd, b.devices))
	f(t)
	c, err := t.Commit(b.now.Unix(), "")
	if err != nil {
		b.tb.Fatal(err)
	}
	b.items = append(b.items, Item{name, c})
}

func (b *book) log(e crdt.Entry) crdt.EntryID {
	b.tb.Helper()
	e.Version, e.At, e.Zone = crdt.EntryVersion, b.now.UnixMilli(), 60
	text, err := e.Encode()
	if err != nil {
		b.tb.Fatal(err)
	}
	b.pass(time.Duration(b.rnd.IntN(2)) * time.Millisecond)
	id := crdt.EntryID(b.uuid(7))
	b.write(e.Doc(), func(t *automerge.Tx) { b.put(t, id.String(), text) })
	return id
}

func (b *book) put(t *automerge.Tx, key, text string) {
	if err := t.Put(key, automerge.Value{Kind: automerge.KindString, Str: text}); err != nil {
		b.tb.Fatal(err)
	}
}

func pick[T any](r *rand.Rand, list []T) T { return list[r.IntN(len(list))] }

// contacts names n contacts, each made at its own time.
func (b *book) contacts(n int) []crdt.ContactID {
	list := make([]crdt.ContactID, n)
	for i := range list {
		b.pass(time.Duration(b.rnd.Int64N(int64(time.Minute))))
		list[i] = crdt.ContactID(b.uuid(7))
	}
	return list
}

// entries logs n taps over the contacts, at random minutes of so many days.
func (b *book) entries(n, days int, contacts []crdt.ContactID) {
	start := b.now
	at := make([]time.Duration, n)
	for i := range at {
		at[i] = time.Duration(b.rnd.IntN(days))*24*time.Hour + time.Duration(b.rnd.Int64N(int64(11*time.Hour)))
	}
	slices.Sort(at)
	for i := range n {
		b.now = start.Add(at[i])
		e := crdt.Entry{
			Kind: pick(b.rnd, []crdt.Kind{crdt.Call, crdt.Call, crdt.Text, crdt.Text, crdt.Meet}), Contact: pick(b.rnd, contacts),
			Evidence: crdt.Evidence(b.rnd.IntN(3)), Outcome: pick(b.rnd, []string{"", "", "talked", "no-answer", "interested", "call-back"}),
			Trigger: pick(b.rnd, []string{"", "reorder", "birthday", "webinar", "silent-30"}),
		}
		if e.Trigger != "" {
			e.Playbook = 7
		}
		b.log(e)
	}
}

// edits changes single fields of contacts.
func (b *book) edits(n int, contacts []crdt.ContactID) {
	for range n {
		b.pass(time.Duration(b.rnd.Int64N(int64(time.Hour))))
		field, text := b.field()
		b.write(crdt.ContactsDoc, func(t *automerge.Tx) { b.put(t, crdt.ContactKey(pick(b.rnd, contacts), field), text) })
	}
}

func (b *book) field() (field, text string) {
	switch b.rnd.IntN(6) {
	case 0:
		return crdt.FieldName, b.name()
	case 1:
		return crdt.FieldStage, pick(b.rnd, crdt.Stages)
	case 2:
		return crdt.FieldSnooze, b.now.AddDate(0, 0, b.rnd.IntN(40)).Format(time.DateOnly)
	case 3:
		return b.phone(), "mobile"
	case 4:
		return crdt.FieldNote, fmt.Sprintf("met %s at the %s, %s", b.name(), pick(b.rnd, places), pick(b.rnd, remarks))
	}
	return crdt.FieldEmail + strings.ToLower(strings.ReplaceAll(b.name(), " ", ".")) + "@example.com", "home"
}

var (
	given   = strings.Fields("Ana Luis María José Carmen Javier Elena Pablo Lucía Diego Rosa Iván Sara Óscar Nuria Hugo Marta Adrián Paula Rubén Irene Álvaro Clara Mario Alba Sergio Julia Raúl Eva Jorge")
	family  = strings.Fields("García López Martín Sánchez Pérez Gómez Ruiz Díaz Moreno Muñoz Álvarez Romero Alonso Navarro Torres Ramos Gil Serrano Blanco Molina Castro Ortega Rubio Sanz Iglesias Medina Cortés Garrido Castillo Santos Lozano Guerrero Cano Prieto Méndez Cruz Flores Vega León Peña")
	places  = strings.Fields("gym market school office party station beach")
	remarks = []string{"wants to lose weight", "asked about the price", "two children", "likes coffee", "works at night", "call after six"}
)

func (b *book) name() string { return pick(b.rnd, given) + " " + pick(b.rnd, family) }

func (b *book) phone() string {
	return fmt.Sprintf("%s+346%08d", crdt.FieldPhone, b.rnd.IntN(1e8))
}

// firstPull is a whole book: 2,000 contacts of 8 fields, 100 contacts a change, and 5,000 entries, one change each.
func firstPull(tb testing.TB) []Item {
	b := newBook(tb, 7, 2)
	ids := make([]crdt.ContactID, 2000)
	for i := 0; i < len(ids); i += 100 {
		b.pass(time.Second)
		b.write(crdt.ContactsDoc, func(t *automerge.Tx) {
			for j := i; j < i+100; j++ {
				b.pass(time.Duration(b.rnd.IntN(2)) * time.Millisecond)
				ids[j] = crdt.ContactID(b.uuid(7))
				name := b.name()
				put := func(field, text string) { b.put(t, crdt.ContactKey(ids[j], field), text) }
				put(crdt.FieldName, name)
				put(crdt.FieldStage, crdt.Stages[b.rnd.IntN(10)/7])
				put(b.phone(), "mobile")
				mail := strings.ToLower(strings.ReplaceAll(name, " ", "."))
				put(fmt.Sprintf("%s%s%d@example.com", crdt.FieldEmail, mail, b.rnd.IntN(100)), "home")
				put(crdt.FieldSource, "file:import-1.vcf")
				put(crdt.FieldBirthday, time.Date(1950+b.rnd.IntN(55), 1, 1+b.rnd.IntN(365), 0, 0, 0, 0, time.UTC).Format(time.DateOnly))
				if err := t.Put(crdt.ContactKey(ids[j], crdt.FieldTag+pick(b.rnd, places)), automerge.Value{Kind: automerge.KindTrue}); err != nil {
					tb.Fatal(err)
				}
				if err := t.Put(crdt.ContactKey(ids[j], crdt.FieldCreated), automerge.Value{Kind: automerge.KindTimestamp, Num: b.now.UnixMilli()}); err != nil {
					tb.Fatal(err)
				}
			}
		})
	}
	b.entries(5000, 300, ids)
	return b.items
}

// pages cuts items as a server does.
func pages(items []Item, n int) (list [][]Item) {
	for len(items) > 0 {
		n := min(n, len(items))
		list = append(list, items[:n])
		items = items[n:]
	}
	return list
}

func encoded(tb testing.TB, f Frame) []byte {
	tb.Helper()
	b, err := Encode(f)
	if err != nil {
		tb.Fatal(err)
	}
	return b
}

func entries200(tb testing.TB) []Item {
	b := newBook(tb, 1, 2)
	b.entries(200, 4, b.contacts(60))
	return b.items
}

func edits200(tb testing.TB) []Item {
	b := newBook(tb, 2, 2)
	contacts := b.contacts(60)
	b.edits(300, contacts)
	return b.items[100:] // of a book that has been edited before
}
