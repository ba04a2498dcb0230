package replica

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"trio/crdt"
	"trio/crdt/automerge"
	"trio/crdt/book"
	"trio/ranking"
	"trio/replica/sql"
)

// maxMerges bounds the list of what came from elsewhere.
const maxMerges = 500

// project brings the rows that screens read up to what the registers say. It looks only at what was touched, and its
// result depends only on the registers: projecting twice, or all at once, gives the same rows.
func (t *tx) project() error {
	if t.rezone {
		t.rezone = false
		before := t.home
		if err := t.loadHome(); err != nil {
			return err
		}
		if !before.Equal(t.home) {
			if err := t.redate(); err != nil {
				return err
			}
		}
	}
	people := map[crdt.ContactID]struct{}{} // whose facts may differ now
	for _, k := range sortedKeysFunc(t.entries, func(a, b logKey) int { return cmp.Or(cmp.Compare(a.key, b.key), cmp.Compare(a.doc, b.doc)) }) {
		was, is, err := t.projectEntry(t.entries[k], k)
		if err != nil {
			return fmt.Errorf("project entry %s: %w", k.key, err)
		}
		for _, c := range []crdt.ContactID{was, is} {
			if !c.IsZero() {
				people[c] = struct{}{}
			}
		}
	}
	var moved []crdt.ContactID // ends of merges that were there or are there now
	for _, c := range sortedKeysFunc(t.contacts, book.CompareContacts) {
		old, root, err := t.projectContact(c)
		if err != nil {
			return fmt.Errorf("project contact %s: %w", c, err)
		}
		people[c] = struct{}{}
		if old != root {
			moved = append(moved, old, root)
		}
	}
	if err := t.projectGoals(); err != nil {
		return fmt.Errorf("count for goals: %w", err)
	}
	roots := rootCache{}
	for _, c := range moved { // all on the way may have another end now: a circle that was opened, say
		way, err := book.Merges(t.mergedInto).Way(c)
		if err != nil {
			return err
		}
		for _, x := range way {
			people[x] = struct{}{}
		}
	}
	for _, c := range sortedKeysFunc(people, book.CompareContacts) {
		root, err := t.rootOf(roots, c)
		if err != nil {
			return err
		}
		people[root] = struct{}{}
	}
	for _, c := range sortedKeysFunc(people, book.CompareContacts) {
		if err := t.refold(roots, c); err != nil {
			return fmt.Errorf("fold the facts of %s: %w", c, err)
		}
	}
	for _, k := range sortedKeysFunc(t.disputed, func(a, b contactField) int {
		return cmp.Or(book.CompareContacts(a.contact, b.contact), cmp.Compare(a.field, b.field))
	}) {
		if _, ok := t.edited[k]; !ok {
			continue
		}
		if err := t.noteConflict(k.contact, k.field); err != nil {
			return err
		}
	}
	clear(t.edited)
	clear(t.disputed)
	clear(t.contacts)
	clear(t.entries)
	if t.received != (received{}) {
		n := t.received
		t.received = received{}
		if err := t.note("received", crdt.ContactID{}, "contacts", "", "", n.contacts); err != nil {
			return err
		}
		return t.note("received", crdt.ContactID{}, "actions", "", "", n.actions)
	}
	return nil
}

func sortedKeys[K cmp.Ordered, V any](m map[K]V) []K { return slices.Sorted(maps.Keys(m)) }

func sortedKeysFunc[K comparable, V any](m map[K]V, compare func(a, b K) int) []K {
	return slices.SortedFunc(maps.Keys(m), compare)
}

// day returns the date of an instant (ms) in the member's home calendar.
func (t *tx) day(ms int64) ranking.Day { return t.home.Day(ms) }

// redate gives every entry its day in a new home calendar, and every contact its facts.
func (t *tx) redate() error {
	type dated struct {
		id  []byte
		day ranking.Day
	}
	var all []dated
	err := t.query(func(rows *sql.Rows) error {
		var id []byte
		var at int64
		var day ranking.Day
		if err := rows.Scan(&id, &at, &day); err != nil {
			return err
		}
		if d := t.day(at); d != day {
			all = append(all, dated{id, d})
		}
		return nil
	}, `SELECT id, at, day FROM entries`)
	if err != nil {
		return err
	}
	for _, d := range all {
		if err := t.exec(`UPDATE entries SET day=? WHERE id=?`, d.day, d.id); err != nil {
			return err
		}
	}
	t.goals.all = true // the minutes of days have moved too
	return t.refoldAll()
}

// projectEntry writes the row of one log entry. It returns the contacts that the entry was and is about, if any.
//
// Entries are immutable. Should two writers have made the same one (an import on two devices), they say the same; should
// they not, all devices agree all the same: within a document the winner of Automerge's rule counts, and of two months
// the earlier one (an export that was issued again with another date).
func (t *tx) projectEntry(id crdt.EntryID, k logKey) (was, is crdt.ContactID, err error) {
	var old []byte
	var doc int64
	found, err := t.one([]any{&old, &doc}, `SELECT contact, doc FROM entries WHERE id=?`, id[:])
	if err != nil {
		return was, is, err
	}
	copy(was[:], old)
	if found && doc != k.doc {
		var later bool
		_, err := t.one([]any{&later}, `SELECT a.name > b.name FROM documents a, documents b WHERE a.id=? AND b.id=?`, k.doc, doc)
		if err != nil || later {
			return was, was, err
		}
	}
	if found {
		if err := t.leaveGoals(id); err != nil {
			return was, is, err
		}
	}
	vs, err := t.visible(&document{id: k.doc}, k.key)
	if err != nil {
		return was, is, err
	}
	if len(vs) == 0 { // only while a fork is mended, or by a program that is not ours
		return was, is, t.exec(`DELETE FROM entries WHERE id=? AND doc=?`, id[:], k.doc)
	}
	win := vs[len(vs)-1]
	e, err := crdt.ParseEntry(win.value.Str)
	if err != nil || win.value.Kind != automerge.KindString { // kept and relayed, not shown
		return was, is, t.exec(`DELETE FROM entries WHERE id=? AND doc=?`, id[:], k.doc)
	}
	minutes := int64(0)
	if e.Value != nil {
		minutes = e.Value.Minutes
	}
	actor, err := t.actor(win.id.Actor)
	if err != nil {
		return was, is, err
	}
	at := e.Time().UnixMilli()
	about, err := t.enterGoals(id, &e)
	if err != nil {
		return was, is, err
	}
	if was.IsZero() {
		was = about
	}
	return was, e.Contact, t.exec(`INSERT INTO entries(id, doc, contact, at, day, kind, minutes, actor, body) VALUES(?,?,?,?,?,?,?,?,?)
		ON CONFLICT(id) DO UPDATE SET doc=excluded.doc, contact=excluded.contact, at=excluded.at, day=excluded.day,
		kind=excluded.kind, minutes=excluded.minutes, actor=excluded.actor, body=excluded.body`,
		id[:], k.doc, nullID(e.Contact), at, t.day(at), string(e.Kind), minutes, actor, win.value.Str)
}

func nullID(c crdt.ContactID) any {
	if c.IsZero() {
		return nil
	}
	return c[:]
}

// loadHome reads the member's calendar from the profile.
func (t *tx) loadHome() error {
	d, err := t.doc(crdt.ProfileDoc)
	if err != nil {
		return err
	}
	keys, err := t.keys(d, crdt.ProfileZone, crdt.ProfileZone+"0")
	if err != nil {
		return err
	}
	var zones []book.Field
	for _, key := range keys {
		vs, err := t.visible(d, key)
		if err != nil {
			return err
		}
		zones = append(zones, book.Field{Key: key, Value: vs[len(vs)-1].value})
	}
	t.home = book.NewCalendar(zones)
	return nil
}

// Labelled is a phone number or an address with its label ("mobile").
type Labelled struct{ Value, Label string }

// projectContact writes the row of one contact. It returns the contacts that it was and is merged into, if any.
func (t *tx) projectContact(id crdt.ContactID) (old, root crdt.ContactID, err error) {
	d, err := t.doc(crdt.ContactsDoc)
	if err != nil {
		return old, root, err
	}
	type field struct {
		register
		field string
	}
	var fields []field
	prefix := crdt.ContactKey(id, "")
	err = t.query(func(rows *sql.Rows) error {
		var f field
		var key string
		v, err := scanRegister(t, rows, &key)
		f.register, f.field = v, key[len(prefix):]
		fields = append(fields, f)
		return err
	}, `SELECT key, ctr, actor, kind, num, str FROM registers WHERE doc=? AND key>=? AND key<?`,
		d.id, prefix, prefix[:len(prefix)-1]+"0") // '0' follows '/'
	if err != nil {
		return old, root, err
	}
	slices.SortFunc(fields, func(a, b field) int {
		return cmp.Or(cmp.Compare(a.field, b.field), a.id.Compare(b.id))
	})
	var was []byte
	if _, err := t.one([]any{&was}, `SELECT root FROM contacts WHERE id=?`, id[:]); err != nil {
		return old, root, err
	}
	copy(old[:], was)
	if len(fields) == 0 {
		return old, root, t.exec(`DELETE FROM contacts WHERE id=?`, id[:])
	}

	c := Contact{ID: id, Phones: []Labelled{}, Emails: []Labelled{}, Tags: []string{}}
	card := book.NewCard(id)
	for i, f := range fields {
		if i+1 < len(fields) && fields[i+1].field == f.field {
			t.disputed[contactField{id, f.field}] = struct{}{}
			continue // the last one of a field wins
		}
		s := f.value.Str
		if f.value.Kind >= objectKind {
			continue
		}
		card.Set(f.field, f.value)
		switch family, tail := book.Family(f.field); family {
		case crdt.FieldName:
			c.Name = s
		case crdt.FieldCompany:
			c.Company = s
		case crdt.FieldNote:
			c.Note = s
		case crdt.FieldBirthday:
			c.Birthday = s
		case crdt.FieldPhone:
			c.Phones = append(c.Phones, Labelled{tail, s})
		case crdt.FieldEmail:
			c.Emails = append(c.Emails, Labelled{tail, s})
		case crdt.FieldTag:
			c.Tags = append(c.Tags, tail)
		}
	}
	phones, emails, tags := labelledColumn(c.Phones), labelledColumn(c.Emails), textsColumn(c.Tags)
	words := []string{c.Name, c.Company}
	for _, p := range c.Phones {
		words = append(words, p.Value)
	}
	for _, e := range c.Emails {
		words = append(words, e.Value)
	}
	words = append(words, c.Tags...)
	return old, card.Into, t.exec(`INSERT INTO contacts(id, name, said, stage, company, phones, emails, tags, consent, snooze, birthday, note,
		household, root, source, created, deleted, search) VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)
		ON CONFLICT(id) DO UPDATE SET name=excluded.name, said=excluded.said, stage=excluded.stage, company=excluded.company, phones=excluded.phones,
		emails=excluded.emails, tags=excluded.tags, consent=excluded.consent, snooze=excluded.snooze, birthday=excluded.birthday,
		note=excluded.note, household=excluded.household, root=excluded.root, source=excluded.source, created=excluded.created, deleted=excluded.deleted,
		search=excluded.search`,
		id[:], c.Name, card.Stage, card.Stage, c.Company, phones, emails, tags, card.Consent, card.Snooze, c.Birthday, c.Note,
		nullID(card.Household), nullID(card.Into), card.Source, card.Created, card.Deleted, fold(strings.Join(words, " ")))
}

// rootCache remembers, within one projection, where chains of merges end.
type rootCache map[crdt.ContactID]crdt.ContactID

// mergedInto is book.Merges.
func (t *tx) mergedInto(c crdt.ContactID) (into crdt.ContactID, err error) {
	var root []byte
	_, err = t.one([]any{&root}, `SELECT root FROM contacts WHERE id=?`, c[:])
	copy(into[:], root)
	return into, err
}

// rootOf returns the contact that a contact was merged into in the end.
func (t *tx) rootOf(cache rootCache, c crdt.ContactID) (crdt.ContactID, error) {
	if root, ok := cache[c]; ok {
		return root, nil
	}
	root, err := book.Merges(t.mergedInto).Root(c)
	if err == nil {
		cache[c] = root
	}
	return root, err
}

// refold computes what ranking knows of a contact from its row and all entries about it.
func (t *tx) refold(roots rootCache, c crdt.ContactID) error {
	card := book.Card{Contact: c}
	var household, into []byte
	found, err := t.one([]any{&card.Stage, &card.Consent, &card.Snooze, &card.Phone, &card.Email, &household, &into, &card.Source, &card.Created, &card.Deleted},
		`SELECT said, consent, snooze, phones<>'[]', emails<>'[]', household, root, source, created, deleted FROM contacts WHERE id=?`, c[:])
	if err != nil {
		return err
	}
	root := c
	if found && into != nil { // a circle of merges has one end, which is ranked; so has a chain that is too long
		if root, err = t.rootOf(roots, c); err != nil {
			return err
		}
	}
	if !found || card.Deleted || root != c {
		t.people[c] = nil
		return t.exec(`DELETE FROM facts WHERE contact=?`, c[:])
	}
	copy(card.Household[:], household)
	ids, err := book.Group(c, func(c crdt.ContactID) ([]crdt.ContactID, error) {
		return t.contactIDs(`SELECT id FROM contacts WHERE root=?`, c[:])
	})
	if err != nil {
		return err
	}
	events, err := t.events(ids)
	if err != nil {
		return err
	}
	p := card.Person(t.home, events)
	stage := p.Facts.Stage.String()
	if err := t.exec(`UPDATE contacts SET stage=? WHERE id=? AND stage<>?`, stage, c[:], stage); err != nil {
		return err
	}
	t.people[c] = p
	return t.exec(`INSERT INTO facts(contact, facts) VALUES(?,?) ON CONFLICT(contact) DO UPDATE SET facts=excluded.facts`, c[:], p.Encode())
}

// events reads what the log tells of some contacts, as ranking wants it.
func (t *tx) events(ids []crdt.ContactID) ([]ranking.Event, error) {
	var notes []book.Note
	for _, c := range ids {
		err := t.query(func(rows *sql.Rows) error {
			var id []byte
			var day ranking.Day
			var body string
			if err := rows.Scan(&id, &day, &body); err != nil {
				return err
			}
			e, err := crdt.ParseEntry(body)
			if err != nil {
				return err // it was readable when it was projected
			}
			n := book.NewNote(crdt.EntryID(id), &e)
			n.Event.Day = day
			notes = append(notes, n)
			return nil
		}, `SELECT id, day, body FROM entries WHERE contact=? AND NOT EXISTS (SELECT 1 FROM voids WHERE about=entries.id)`, c[:])
		if err != nil {
			return nil, err
		}
	}
	return book.Events(notes), nil
}

// noted bounds how many other values of one field are noted.
const noted = 4

// noteConflict remembers that an edit from elsewhere met one made here, so that the person can be told what was kept.
func (t *tx) noteConflict(c crdt.ContactID, field string) error {
	d, err := t.doc(crdt.ContactsDoc)
	if err != nil {
		return err
	}
	vs, err := t.visible(d, crdt.ContactKey(c, field))
	if err != nil || len(vs) < 2 {
		return err
	}
	kept := vs[len(vs)-1]
	for _, v := range vs[max(0, len(vs)-1-noted) : len(vs)-1] {
		if v.value == kept.value {
			continue
		}
		if err := t.note("conflict", c, field, valueText(kept.value), valueText(v.value), 1); err != nil {
			return err
		}
	}
	return nil
}

func valueText(v automerge.Value) string {
	switch v.Kind {
	case automerge.KindString:
		return v.Str
	case automerge.KindTrue:
		return "yes"
	case automerge.KindFalse:
		return "no"
	case automerge.KindTimestamp:
		return time.UnixMilli(v.Num).UTC().Format(time.DateTime)
	}
	return fmt.Sprint(v.Num)
}

func (t *tx) note(what string, c crdt.ContactID, field, kept, other string, n int64) error {
	if n == 0 {
		return nil
	}
	err := t.exec(`INSERT INTO merges(at, what, contact, field, kept, other, n) VALUES(?,?,?,?,?,?,?)`,
		t.now, what, nullID(c), field, kept, other, n)
	if err != nil {
		return err
	}
	return t.exec(`DELETE FROM merges WHERE id <= (SELECT max(id) FROM merges) - ?`, maxMerges)
}
