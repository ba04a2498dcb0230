package learn

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"trio/crdt"
	"trio/crdt/automerge"
	"trio/crdt/book"
	"trio/ranking"
	"trio/server/fit"
	"trio/server/ledger"
)

// Bounds of one member, far above what a person does in a life. Who is beyond is left out.
const (
	maxEntries = 400_000 // log entries: 70 MB of memory while the member is looked at
	maxFields  = 400_000 // values of contacts' fields
)

// errTooMuch: a member's documents hold more than a person's.
var errTooMuch = errors.New("more than a person logs")

// maxValue is how much of a value of the contacts or the profile is kept: those that ranking reads are shorter.
const maxValue = 64

// Unread is a document that could not be read.
type Unread struct {
	Member crdt.MemberID `json:"member"`
	Doc    crdt.DocName  `json:"document,omitempty"` // "": nothing of the member
	Why    string        `json:"why"`
}

// member is one member's documents while they are read.
type member struct {
	id       crdt.MemberID
	profile  map[string][]automerge.Entry
	contacts map[crdt.ContactID]map[string][]automerge.Entry
	fields   int
	logs     ledger.Log[book.Note]
	bad      map[crdt.DocName]string
	head     uint64

	// What is noted for Book alone.
	since   int64 // ms since 1970
	now     int64
	brought map[crdt.EntryID]bool
	acted   int64
}

// Person is somebody in a member's book, as a device has them.
type Person struct {
	book.Person
	Events []ranking.Event
	Spent  []Spent     // the orders that have an amount, by day
	Notes  []book.Note // that these come from, by time; to be kept by nobody
	Zone   string      // the contact's own time zone; "": not known
}

// Spent is what one order cost.
type Spent struct {
	Day      ranking.Day
	Currency book.Currency
	Cents    int64
}

// Contact is what fit learns from.
func (p *Person) Contact(m crdt.MemberID) *fit.Contact {
	return &fit.Contact{Member: fit.MemberID(m), Seed: book.Seed(m), Facts: p.Facts, Events: p.Events}
}

// Read calls f with everybody who is ranked in a member's book, in no order, each as a device shows them that holds what the
// store held when Read began. Documents that cannot be read are left out and returned; an error says that nothing of the member
// can be. An error of f ends it and is returned.
func Read(ctx context.Context, st ledger.Orders, id crdt.MemberID, f func(*Person) error) (unread []Unread, err error) {
	b, err := Open(ctx, st, id, math.MaxInt64, 0)
	if err != nil {
		return nil, err
	}
	if err := b.People(ctx, f); err != nil {
		return nil, err
	}
	return b.Unread(), nil
}

// Book is all that is read of a member's documents, as a device has them that holds what the store held when Open began.
type Book struct{ m *member }

// Open reads a member's documents; an error says that nothing of the member can be. What systems brought (see Brought) is
// noted from since on, and what the member did (see Acted) until now; ms since 1970.
func Open(ctx context.Context, st ledger.Orders, id crdt.MemberID, since, now int64) (*Book, error) {
	m := &member{
		since: since, now: now, brought: map[crdt.EntryID]bool{},
		id: id, profile: map[string][]automerge.Entry{}, contacts: map[crdt.ContactID]map[string][]automerge.Entry{}, bad: map[crdt.DocName]string{},
	}
	upto, err := ledger.Read(ctx, st, id, m.take, func(doc crdt.DocName, why string) { m.bad[doc] = why })
	if err != nil {
		return nil, err
	}
	m.head = upto
	for doc := range m.bad { // half a document says what is not so
		switch doc {
		case crdt.ProfileDoc:
			clear(m.profile)
		case crdt.ContactsDoc:
			clear(m.contacts)
		}
	}
	return &Book{m}, nil
}

// People calls f with everybody who is ranked, in no order. An error of f ends it and is returned.
func (b *Book) People(ctx context.Context, f func(*Person) error) error { return b.m.people(ctx, f) }

// Unread are the documents that could not be read.
func (b *Book) Unread() (unread []Unread) {
	m := b.m
	for _, doc := range slices.Sorted(func(yield func(crdt.DocName) bool) {
		for d := range m.bad {
			if !yield(d) {
				return
			}
		}
	}) {
		unread = append(unread, Unread{m.id, doc, m.bad[doc]})
	}
	return unread
}

// Head is the member's newest change that was read.
func (b *Book) Head() uint64 { return b.m.head }

// Home is the member's calendar.
func (b *Book) Home() book.Calendar { return b.m.home() }

// Setting is a text of the profile, "" for none; it is cut to what ranking reads of one.
func (b *Book) Setting(key string) string {
	v, ok := automerge.Winner(b.m.profile[key])
	if !ok || v.Value.Kind != automerge.KindString {
		return ""
	}
	return v.Value.Str
}

// Rests says whether a day is one of the member's rest days.
func (b *Book) Rests(d ranking.Day) bool {
	if v, ok := automerge.Winner(b.m.profile[crdt.RestKey(d.String())]); ok && v.Value.Kind == automerge.KindTrue {
		return true
	}
	newest, days := "", int64(0)
	for key, vs := range b.m.profile {
		date, ok := crdt.SplitWeeklyRestKey(key)
		if !ok || date > d.String() || date < newest {
			continue
		}
		if v, ok := automerge.Winner(vs); ok && v.Value.Kind == automerge.KindInt {
			newest, days = date, v.Value.Num
		}
	}
	const thursday = 3 // the first day of 1970; Monday is 0
	return days>>((int(d)%7+7+thursday)%7)&1 == 1
}

// Brought says whether systems brought an entry: it is of since or later, and its evidence says so.
func (b *Book) Brought(e crdt.EntryID) bool { return b.m.brought[e] }

// Has says whether there is an entry.
func (b *Book) Has(e crdt.EntryID) bool { return b.m.logs.Has(e) }

// Acted is when the member last logged something, or decided on a suggestion, ms since 1970; 0: never.
func (b *Book) Acted() int64 { return b.m.acted }

// take applies a change.
func (m *member) take(doc crdt.DocName, c *automerge.Change) error {
	for i := range c.Ops {
		op := &c.Ops[i]
		if !op.Obj.IsRoot() || op.IsList {
			continue // carried, and shown nowhere
		}
		switch {
		case doc == crdt.ProfileDoc:
			m.put(m.profile, op.Key, c.OpID(i), op, true)
		case doc == crdt.ContactsDoc:
			m.field(c.OpID(i), op)
		case doc.IsLog():
			m.logs.Take(doc, c.OpID(i), op, func(id crdt.EntryID, e *crdt.Entry) book.Note {
				m.note(id, e)
				return book.NewNote(id, e)
			})
		}
	}
	if m.logs.Len() > maxEntries || m.fields > maxFields {
		return fmt.Errorf("%w: over %d entries, or %d fields of contacts", errTooMuch, maxEntries, maxFields)
	}
	return nil
}

// put applies an operation to a register. Of its values only what is read is kept, and nothing of the change's bytes.
func (m *member) put(registers map[string][]automerge.Entry, key string, id automerge.OpID, op *automerge.Op, read bool) {
	keep := 0
	if read {
		keep = maxValue
	}
	m.fields += m.logs.Apply(registers, key, id, op, keep)
}

// field applies an operation to a contact's field.
func (m *member) field(id automerge.OpID, op *automerge.Op) {
	if len(op.Key) < 37 || op.Key[36] != '/' {
		return // not ours
	}
	c, err := crdt.ParseContactID(op.Key[:36])
	if err != nil {
		return
	}
	if m.contacts[c] == nil {
		m.contacts[c] = map[string][]automerge.Entry{}
	}
	field := op.Key[37:]
	read := false
	switch family, _ := book.Family(field); family {
	case crdt.FieldStage, crdt.FieldConsent, crdt.FieldSnooze, crdt.FieldSource, crdt.FieldCreated, crdt.FieldDeleted, crdt.FieldHousehold, crdt.FieldMergedInto, crdt.FieldZone:
		read = true
	}
	m.put(m.contacts[c], field, id, op, read)
}

// note takes in what an entry tells of when somebody did something.
func (m *member) note(id crdt.EntryID, e *crdt.Entry) {
	at := e.Time().UnixMilli()
	if e.Evidence >= crdt.E3 {
		if at >= m.since {
			m.brought[id] = true
		}
		return
	}
	switch e.Kind {
	case crdt.Award, crdt.Nudge, crdt.Void: // the app's, or they take something back
		return
	case crdt.Suggestion:
		if e.Choice == crdt.Shown {
			return
		}
	}
	if at <= m.now { // a clock that was ahead proves nothing
		m.acted = max(m.acted, at)
	}
}

// people folds what was read, until ctx ends or f fails.
func (m *member) people(ctx context.Context, f func(*Person) error) error {
	home := m.home()
	cards, merged := m.cards()
	into := book.Merges(func(c crdt.ContactID) (crdt.ContactID, error) { return cards[c].Into, nil })
	log := m.log(home)
	of := func(c crdt.ContactID) []book.Note {
		from, _ := slices.BinarySearchFunc(log, c, func(n book.Note, c crdt.ContactID) int { return book.CompareContacts(n.Contact, c) })
		to := from
		for to < len(log) && log[to].Contact == c {
			to++
		}
		return log[from:to]
	}
	for c, card := range cards {
		if err := ctx.Err(); err != nil {
			return err
		}
		if card.Deleted {
			continue
		}
		if root, _ := into.Root(c); root != c {
			continue
		}
		group, _ := book.Group(c, func(c crdt.ContactID) ([]crdt.ContactID, error) { return merged[c], nil })
		notes := of(c)
		if len(group) > 1 {
			notes = slices.Clone(notes) // what is behind them in the log is others'
		}
		for _, other := range group[1:] {
			notes = append(notes, of(other)...)
		}
		events := book.Events(notes)
		var spent []Spent
		for i := range notes { // in their order now
			if n := &notes[i]; n.What == book.Event && n.Event.Kind == ranking.EventOrder && n.Event.Cents != 0 {
				spent = append(spent, Spent{n.Event.Day, n.Paid, n.Event.Cents})
			}
		}
		p := Person{Person: *card.Person(home, events), Events: events, Spent: spent, Notes: notes}
		if v, ok := automerge.Winner(m.contacts[c][crdt.FieldZone]); ok && v.Value.Kind == automerge.KindString {
			p.Zone = v.Value.Str
		}
		if err := f(&p); err != nil {
			return err
		}
	}
	return nil
}

func (m *member) home() book.Calendar {
	var zones []book.Field
	for key, vs := range m.profile {
		if v, ok := automerge.Winner(vs); ok {
			zones = append(zones, book.Field{Key: key, Value: v.Value})
		}
	}
	slices.SortFunc(zones, func(a, b book.Field) int { return cmp.Compare(a.Key, b.Key) })
	return book.NewCalendar(zones)
}

// cards reads the contacts, and says who was merged into each directly.
func (m *member) cards() (cards map[crdt.ContactID]book.Card, merged map[crdt.ContactID][]crdt.ContactID) {
	cards, merged = make(map[crdt.ContactID]book.Card, len(m.contacts)), map[crdt.ContactID][]crdt.ContactID{}
	for c, fields := range m.contacts {
		card, any, named := book.NewCard(c), false, false
		for field, vs := range fields {
			named = named || field != ""
			v, ok := automerge.Winner(vs)
			if any = any || ok; ok && !v.IsObject() {
				card.Set(field, v.Value)
			}
		}
		if !any || !named {
			continue
		}
		cards[c] = card
		if !card.Into.IsZero() {
			merged[card.Into] = append(merged[card.Into], c)
		}
	}
	return cards, merged
}

// log returns the notes that count, by contact: each entry once, of two months the earlier one that can be read, without slips
// and what is about nobody.
func (m *member) log(home book.Calendar) []book.Note {
	var all []*book.Note
	slips := map[crdt.EntryID]bool{}
	m.logs.All(func(doc crdt.DocName) bool { _, bad := m.bad[doc]; return bad }, func(_ crdt.EntryID, n *book.Note) {
		if all = append(all, n); n.What == book.Slip {
			slips[n.About] = true
		}
	})
	log := make([]book.Note, 0, len(all))
	for _, one := range all {
		n := *one
		if n.Contact.IsZero() || n.What == book.Nothing || n.What == book.Slip || slips[n.ID] {
			continue
		}
		n.Event.Day = home.Day(n.At)
		log = append(log, n)
	}
	slices.SortFunc(log, func(a, b book.Note) int { return book.CompareContacts(a.Contact, b.Contact) })
	return log
}
