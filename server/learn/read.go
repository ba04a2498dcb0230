package learn

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"trio/crdt"
	"trio/crdt/automerge"
	"trio/crdt/book"
	"trio/crdt/wire"
	"trio/ranking"
	"trio/server/fit"
	"trio/server/store"
)

// Orders is what is read of a member.
type Orders interface {
	Head(ctx context.Context, m crdt.MemberID) (wire.Receipt, error)
	Since(ctx context.Context, m crdt.MemberID, after uint64, limit, maxBytes int) (store.Page, error)
}

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
	logs     map[logKey]version
	notes    []book.Note
	actors   map[automerge.ActorID]uint32
	names    []automerge.ActorID // by number
	months   []crdt.DocName      // by number
	bad      map[crdt.DocName]string
}

// logKey is a key of a month's log.
type logKey struct {
	id    crdt.EntryID
	month uint16
}

// version is the value that wins.
type version struct {
	counter uint64
	actor   uint32
	note    int32 // -1: it cannot be read, and hides what it won against all the same
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
func Read(ctx context.Context, st Orders, id crdt.MemberID, f func(*Person) error) (unread []Unread, err error) {
	m := &member{
		id: id, profile: map[string][]automerge.Entry{}, contacts: map[crdt.ContactID]map[string][]automerge.Entry{},
		logs: map[logKey]version{}, actors: map[automerge.ActorID]uint32{}, bad: map[crdt.DocName]string{},
	}
	head, err := st.Head(ctx, id)
	if err != nil {
		return nil, err
	}
	for at := uint64(0); at < head.Seq; {
		page, err := st.Since(ctx, id, at, 0, 0)
		if err != nil {
			return nil, err
		}
		if page.At.Seq <= at {
			return nil, fmt.Errorf("nothing comes after change %d of %d: restore the database from a backup", at, head.Seq)
		}
		at = page.At.Seq
		if page.Segment != nil {
			items, err := page.Segment.Open()
			if err != nil {
				return nil, err
			}
			for i := range items {
				m.take(items[i].Doc, items[i].Change)
			}
		}
		for _, c := range page.Changes {
			change, err := automerge.ParseChange(c.Raw)
			if err != nil {
				m.bad[c.Doc] = fmt.Sprintf("change %d: %v", c.Seq, err)
				continue
			}
			m.take(c.Doc, change)
		}
		if max(len(m.notes), len(m.logs)) > maxEntries || m.fields > maxFields {
			return nil, fmt.Errorf("%w: over %d entries, or %d fields of contacts", errTooMuch, maxEntries, maxFields)
		}
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
func (m *member) take(doc crdt.DocName, c *automerge.Change) {
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
			m.entry(doc, c.OpID(i), op)
		}
	}
}

// put applies an operation to a register. Of its values only what is read is kept, and nothing of the change's bytes.
func (m *member) put(registers map[string][]automerge.Entry, key string, id automerge.OpID, op *automerge.Op, read bool) {
	o := automerge.Op{Action: op.Action, Pred: op.Pred, Value: op.Value}
	o.Value.Str = ""
	if read {
		o.Value.Str = strings.Clone(op.Value.Str[:min(len(op.Value.Str), maxValue)])
	}
	id.Actor = m.names[m.actor(id.Actor)]
	was, ok := registers[key]
	is := automerge.ApplyOp(was, id, &o)
	if !ok {
		key = strings.Clone(key)
	}
	registers[key] = is
	if m.fields += max(len(is)-len(was), 0); !ok {
		m.fields++ // it is held even if all values of it are gone
	}
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

// entry takes a log entry in. Entries are written once, which the server sees to: of several writers of one the greatest
// operation wins.
func (m *member) entry(doc crdt.DocName, id automerge.OpID, op *automerge.Op) {
	entry, err := crdt.ParseEntryID(op.Key)
	if err != nil || op.Action != automerge.Put {
		return
	}
	month := slices.Index(m.months, doc) // the last one, nearly always
	if month < 0 {
		month = len(m.months)
		m.months = append(m.months, doc)
	}
	k := logKey{entry, uint16(month)}
	v := version{id.Counter, m.actor(id.Actor), -1}
	was, ok := m.logs[k]
	if ok && (automerge.OpID{Counter: was.counter, Actor: m.names[was.actor]}).Compare(id) > 0 {
		return
	}
	if e, err := crdt.ParseEntry(op.Value.Str); err == nil && op.Value.Kind == automerge.KindString {
		v.note = int32(len(m.notes))
		m.notes = append(m.notes, book.NewNote(entry, &e))
	}
	m.logs[k] = v
}

// actor returns the number of a writer.
func (m *member) actor(a automerge.ActorID) uint32 {
	n, ok := m.actors[a]
	if !ok {
		a = automerge.ActorID(strings.Clone(string(a)))
		n = uint32(len(m.names))
		m.actors[a] = n
		m.names = append(m.names, a)
	}
	return n
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
	type won struct {
		note  int32
		month uint16
	}
	all := make([]won, 0, len(m.logs))
	for k, v := range m.logs {
		if _, bad := m.bad[m.months[k.month]]; v.note >= 0 && !bad {
			all = append(all, won{v.note, k.month})
		}
	}
	slices.SortFunc(all, func(a, b won) int {
		x, y := &m.notes[a.note].ID, &m.notes[b.note].ID
		return cmp.Or(slices.Compare(x[:], y[:]), cmp.Compare(m.months[a.month], m.months[b.month]))
	})
	all = slices.CompactFunc(all, func(a, b won) bool { return m.notes[a.note].ID == m.notes[b.note].ID })
	slips := map[crdt.EntryID]bool{}
	for _, w := range all {
		if n := &m.notes[w.note]; n.What == book.Slip {
			slips[n.About] = true
		}
	}
	log := make([]book.Note, 0, len(all))
	for _, w := range all {
		n := m.notes[w.note]
		if n.Contact.IsZero() || n.What == book.Nothing || n.What == book.Slip || slips[n.ID] {
			continue
		}
		n.Event.Day = home.Day(n.At)
		log = append(log, n)
	}
	slices.SortFunc(log, func(a, b book.Note) int { return book.CompareContacts(a.Contact, b.Contact) })
	return log
}
