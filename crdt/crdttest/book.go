// Package crdttest makes documents as members' devices do, out of a seed, for tests, benchmarks and the load generator.
package crdttest

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"trio/crdt"
	"trio/crdt/automerge"
)

// An Item is one change of one document.
type Item struct {
	Doc    crdt.DocName
	Change *automerge.Change
}

// TB is what a book says its failures to: a testing.TB, or whoever runs it otherwise.
type TB interface {
	Helper()
	Fatal(args ...any) // does not return
}

// A Book is a member's documents: what its devices write, each change knowing all before it, comes to Items.
type Book struct {
	TB      TB
	Rnd     *rand.Rand
	Items   []Item
	Devices []automerge.ActorID
	Now     time.Time

	docs map[crdt.DocName]*automerge.Doc
}

// NewBook returns an empty book of a day in November 2026, written by random actors of so many devices.
func NewBook(tb TB, seed uint64, devices int) *Book {
	b := &Book{TB: tb, Rnd: rand.New(rand.NewPCG(seed, 1)), docs: map[crdt.DocName]*automerge.Doc{}}
	b.Now = time.Date(2026, 11, 2, 7, 0, 0, 0, time.UTC)
	for range devices {
		b.Devices = append(b.Devices, crdt.NewActor(crdt.DeviceID(b.UUID(4)), b.Rnd.Uint32()))
	}
	return b
}

// UUID returns a random id of a version; one of version 7 is of the book's now.
func (b *Book) UUID(version byte) (u uuid.UUID) {
	for i := range u {
		u[i] = byte(b.Rnd.Uint32())
	}
	if version == 7 {
		at := b.Now.UnixMilli()
		for i := range 6 {
			u[i] = byte(at >> (8 * (5 - i)))
		}
	}
	u[6] = u[6]&15 | version<<4
	u[8] = u[8]&0x3f | 0x80
	return u
}

// Pass lets time go by.
func (b *Book) Pass(d time.Duration) { b.Now = b.Now.Add(d) }

// Doc returns a document, made on first use.
func (b *Book) Doc(name crdt.DocName) *automerge.Doc {
	if b.docs[name] == nil {
		b.docs[name] = automerge.NewDoc()
	}
	return b.docs[name]
}

// Write makes one change by one of the devices.
func (b *Book) Write(name crdt.DocName, f func(t *automerge.Tx)) {
	b.TB.Helper()
	t := b.Doc(name).Begin(Pick(b.Rnd, b.Devices))
	f(t)
	c, err := t.Commit(b.Now.Unix(), "")
	if err != nil {
		b.TB.Fatal(err)
	}
	b.Items = append(b.Items, Item{name, c})
}

// Log writes an entry of now.
func (b *Book) Log(e crdt.Entry) crdt.EntryID {
	b.TB.Helper()
	e.Version, e.At, e.Zone = crdt.EntryVersion, b.Now.UnixMilli(), 60
	text, err := e.Encode()
	if err != nil {
		b.TB.Fatal(err)
	}
	b.Pass(time.Duration(b.Rnd.IntN(2)) * time.Millisecond)
	id := crdt.EntryID(b.UUID(7))
	b.Write(e.Doc(), func(t *automerge.Tx) { b.Put(t, id.String(), text) })
	return id
}

// Put sets a text.
func (b *Book) Put(t *automerge.Tx, key, text string) {
	if err := t.Put(key, automerge.Value{Kind: automerge.KindString, Str: text}); err != nil {
		b.TB.Fatal(err)
	}
}

// Pick returns one of a list.
func Pick[T any](r *rand.Rand, list []T) T { return list[r.IntN(len(list))] }

// Contacts names n contacts, each made at its own time.
func (b *Book) Contacts(n int) []crdt.ContactID {
	list := make([]crdt.ContactID, n)
	for i := range list {
		b.Pass(time.Duration(b.Rnd.Int64N(int64(time.Minute))))
		list[i] = crdt.ContactID(b.UUID(7))
	}
	return list
}

// Entries logs n taps over the contacts, at random minutes of so many days.
func (b *Book) Entries(n, days int, contacts []crdt.ContactID) {
	start := b.Now
	at := make([]time.Duration, n)
	for i := range at {
		at[i] = time.Duration(b.Rnd.IntN(days))*24*time.Hour + time.Duration(b.Rnd.Int64N(int64(11*time.Hour)))
	}
	slices.Sort(at)
	for i := range n {
		b.Now = start.Add(at[i])
		e := crdt.Entry{
			Kind: Pick(b.Rnd, []crdt.Kind{crdt.Call, crdt.Call, crdt.Text, crdt.Text, crdt.Meet}), Contact: Pick(b.Rnd, contacts),
			Evidence: crdt.Evidence(b.Rnd.IntN(3)), Outcome: Pick(b.Rnd, []string{"", "", "talked", "no-answer", "interested", "call-back"}),
			Trigger: Pick(b.Rnd, []string{"", "reorder", "birthday", "webinar", "silent-30"}),
		}
		if e.Trigger != "" {
			e.Playbook = 7
		}
		b.Log(e)
	}
}

// Edits changes single fields of contacts.
func (b *Book) Edits(n int, contacts []crdt.ContactID) {
	for range n {
		b.Pass(time.Duration(b.Rnd.Int64N(int64(time.Hour))))
		field, text := b.field()
		b.Write(crdt.ContactsDoc, func(t *automerge.Tx) { b.Put(t, crdt.ContactKey(Pick(b.Rnd, contacts), field), text) })
	}
}

func (b *Book) field() (field, text string) {
	switch b.Rnd.IntN(6) {
	case 0:
		return crdt.FieldName, b.name()
	case 1:
		return crdt.FieldStage, Pick(b.Rnd, crdt.Stages)
	case 2:
		return crdt.FieldSnooze, b.Now.AddDate(0, 0, b.Rnd.IntN(40)).Format(time.DateOnly)
	case 3:
		return b.phone(), "mobile"
	case 4:
		return crdt.FieldNote, fmt.Sprintf("met %s at the %s, %s", b.name(), Pick(b.Rnd, places), Pick(b.Rnd, remarks))
	}
	return crdt.FieldEmail + strings.ToLower(strings.ReplaceAll(b.name(), " ", ".")) + "@example.com", "home"
}

var (
	given   = strings.Fields("Ana Luis María José Carmen Javier Elena Pablo Lucía Diego Rosa Iván Sara Óscar Nuria Hugo Marta Adrián Paula Rubén Irene Álvaro Clara Mario Alba Sergio Julia Raúl Eva Jorge")
	family  = strings.Fields("García López Martín Sánchez Pérez Gómez Ruiz Díaz Moreno Muñoz Álvarez Romero Alonso Navarro Torres Ramos Gil Serrano Blanco Molina Castro Ortega Rubio Sanz Iglesias Medina Cortés Garrido Castillo Santos Lozano Guerrero Cano Prieto Méndez Cruz Flores Vega León Peña")
	places  = strings.Fields("gym market school office party station beach")
	remarks = []string{"wants to lose weight", "asked about the price", "two children", "likes coffee", "works at night", "call after six"}
)

func (b *Book) name() string { return Pick(b.Rnd, given) + " " + Pick(b.Rnd, family) }

func (b *Book) phone() string {
	return fmt.Sprintf("%s+346%08d", crdt.FieldPhone, b.Rnd.IntN(1e8))
}

// Import writes contacts of 8 fields as an import does, 100 contacts a change.
func (b *Book) Import(n int) []crdt.ContactID {
	ids := make([]crdt.ContactID, n)
	for i := 0; i < len(ids); i += 100 {
		b.Pass(time.Second)
		b.Write(crdt.ContactsDoc, func(t *automerge.Tx) {
			for j := i; j < min(i+100, n); j++ {
				b.Pass(time.Duration(b.Rnd.IntN(2)) * time.Millisecond)
				ids[j] = crdt.ContactID(b.UUID(7))
				name := b.name()
				put := func(field, text string) { b.Put(t, crdt.ContactKey(ids[j], field), text) }
				put(crdt.FieldName, name)
				put(crdt.FieldStage, crdt.Stages[b.Rnd.IntN(10)/7])
				put(b.phone(), "mobile")
				mail := strings.ToLower(strings.ReplaceAll(name, " ", "."))
				put(fmt.Sprintf("%s%s%d@example.com", crdt.FieldEmail, mail, b.Rnd.IntN(100)), "home")
				put(crdt.FieldSource, "file:import-1.vcf")
				put(crdt.FieldBirthday, time.Date(1950+b.Rnd.IntN(55), 1, 1+b.Rnd.IntN(365), 0, 0, 0, 0, time.UTC).Format(time.DateOnly))
				if err := t.Put(crdt.ContactKey(ids[j], crdt.FieldTag+Pick(b.Rnd, places)), automerge.Value{Kind: automerge.KindTrue}); err != nil {
					b.TB.Fatal(err)
				}
				if err := t.Put(crdt.ContactKey(ids[j], crdt.FieldCreated), automerge.Value{Kind: automerge.KindTimestamp, Num: b.Now.UnixMilli()}); err != nil {
					b.TB.Fatal(err)
				}
			}
		})
	}
	return ids
}

// FirstPull writes what a new device of an established member has to fetch: 2,000 contacts and 5,000 entries.
func (b *Book) FirstPull() {
	b.Entries(5000, 300, b.Import(2000))
}
