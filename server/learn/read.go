package learn

import (
	"cmp"
	"context"
	"errors"
	"fmt"
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
}

// Person is somebody in a member's book, as a device has them.
type Person struct {
	book.Person
	Events []ranking.Event
	Spent  []Spent // the orders that have an amount, by day
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
	m := &member{
		id: id, profile: map[string][]automerge.Entry{}, contacts: map[crdt.ContactID]map[string][]automerge.Entry{}, bad: map[crdt.DocName]string{},
	}
	_, err = ledger.Read(ctx, st, id, m.take, func(doc crdt.DocName, why string) { m.bad[doc] = why })
	if err != nil {
		return nil, err
	}
	if err := m.people(ctx, f); err != nil {
		return nil, err
	}
	for _, doc := range slices.Sorted(func(yield func(crdt.DocName) bool) {
		for d := range m.bad {
			if !yield(d) {
				return
			}
		}
	}) {
		unread = append(unread, Unread{id, doc, m.bad[doc]})
	}
	return unread, nil
}

// take applies a change.
func (m *member) take(doc crdt.DocName, c *automerge.Change) error {
	for i := range c.Ops {
		op := &c.Ops[i]
		if !op.Obj.IsRoot() || op.IsList {
			continue // carried, and shown nowhere
		}
		switch {
		case doc == crdt.ProfileDoc:
			if _, ok := crdt.SplitZoneKey(op.Key); ok {
				m.put(m.profile, op.Key, c.OpID(i), op, true)
			}
		case doc == crdt.ContactsDoc:
			m.field(c.OpID(i), op)
		case doc.IsLog():
			m.logs.Take(doc, c.OpID(i), op, func(id crdt.EntryID, e *crdt.Entry) book.Note { return book.NewNote(id, e) })
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
	case crdt.FieldStage, crdt.FieldConsent, crdt.FieldSnooze, crdt.FieldSource, crdt.FieldCreated, crdt.FieldDeleted, crdt.FieldHousehold, crdt.FieldMergedInto:
		read = true
	}
	m.put(m.contacts[c], field, id, op, read)
}

// people folds what was read, until ctx ends or f fails.
func (m *member) people(ctx context.Context, f func(*Person) error) error {
	for doc := range m.bad { // half a document says what is not so
		switch doc {
		case crdt.ProfileDoc:
			clear(m.profile)
		case crdt.ContactsDoc:
			clear(m.contacts)
		}
	}
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
		if err := f(&Person{Person: *card.Person(home, events), Events: events, Spent: spent}); err != nil {
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
