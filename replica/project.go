package replica

import (
	"cmp"
	"database/sql"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode"

	"golang.org/x/text/unicode/norm"

	"trio/crdt"
	"trio/crdt/automerge"
	"trio/ranking"
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
		if !before.equal(t.home) {
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
	for _, c := range sortedKeysFunc(t.contacts, compareContacts) {
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
		way, err := t.wayOf(c)
		if err != nil {
			return err
		}
		for _, x := range way {
			people[x] = struct{}{}
		}
	}
	for _, c := range sortedKeysFunc(people, compareContacts) {
		root, err := t.rootOf(roots, c)
		if err != nil {
			return err
		}
		people[root] = struct{}{}
	}
	for _, c := range sortedKeysFunc(people, compareContacts) {
		if err := t.refold(roots, c); err != nil {
			return fmt.Errorf("fold the facts of %s: %w", c, err)
		}
	}
	for _, k := range sortedKeysFunc(t.edited, func(a, b contactField) int {
		return cmp.Or(compareContacts(a.contact, b.contact), cmp.Compare(a.field, b.field))
	}) {
		if err := t.noteConflict(k.contact, k.field); err != nil {
			return err
		}
	}
	clear(t.edited)
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

func compareContacts(a, b crdt.ContactID) int { return slices.Compare(a[:], b[:]) }

func sortedKeys[K cmp.Ordered, V any](m map[K]V) []K { return slices.Sorted(maps.Keys(m)) }

func sortedKeysFunc[K comparable, V any](m map[K]V, compare func(a, b K) int) []K {
	return slices.SortedFunc(maps.Keys(m), compare)
}

// day returns the date of an instant (ms) in the member's home calendar.
func (t *tx) day(ms int64) ranking.Day {
	d, _ := t.home.at(ms)
	return d
}

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

// Labelled is a phone number or an address with its label ("mobile"). In JSON it is a pair.
type Labelled struct{ Value, Label string }

// MarshalJSON writes a pair.
func (l Labelled) MarshalJSON() ([]byte, error) { return json.Marshal([2]string{l.Value, l.Label}) }

// UnmarshalJSON reads a pair.
func (l *Labelled) UnmarshalJSON(b []byte) error {
	var p [2]string
	err := json.Unmarshal(b, &p)
	l.Value, l.Label = p[0], p[1]
	return err
}

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

	c := Contact{ID: id, Stage: crdt.StageProspect, Phones: []Labelled{}, Emails: []Labelled{}, Tags: []string{}}
	var household crdt.ContactID
	var source string
	var deleted bool
	for i, f := range fields {
		if i+1 < len(fields) && fields[i+1].field == f.field {
			continue // the last one of a field wins
		}
		s := f.value.Str
		if f.value.Kind >= objectKind {
			continue
		}
		family, tail, _ := strings.Cut(f.field, "/")
		switch f.field[:min(len(family)+1, len(f.field))] {
		case crdt.FieldName:
			c.Name = s
		case crdt.FieldCompany:
			c.Company = s
		case crdt.FieldNote:
			c.Note = s
		case crdt.FieldBirthday:
			c.Birthday = s
		case crdt.FieldSource:
			source = s
		case crdt.FieldStage:
			if slices.Contains(crdt.Stages, s) {
				c.Stage = s
			}
		case crdt.FieldConsent:
			c.Consent = s
		case crdt.FieldSnooze:
			c.Snooze = s
		case crdt.FieldCreated:
			c.Created = time.UnixMilli(f.value.Num)
		case crdt.FieldDeleted:
			deleted = f.value.Kind == automerge.KindTrue
		case crdt.FieldHousehold:
			household, _ = crdt.ParseContactID(s)
		case crdt.FieldMergedInto:
			if root, _ = crdt.ParseContactID(s); root == id {
				root = crdt.ContactID{}
			}
		case crdt.FieldPhone:
			c.Phones = append(c.Phones, Labelled{tail, s})
		case crdt.FieldEmail:
			c.Emails = append(c.Emails, Labelled{tail, s})
		case crdt.FieldTag:
			c.Tags = append(c.Tags, tail)
		}
	}
	phones, emails, tags := mustJSON(c.Phones), mustJSON(c.Emails), mustJSON(c.Tags)
	words := []string{c.Name, c.Company}
	for _, p := range c.Phones {
		words = append(words, p.Value)
	}
	for _, e := range c.Emails {
		words = append(words, e.Value)
	}
	words = append(words, c.Tags...)
	created := int64(0)
	if !c.Created.IsZero() {
		created = c.Created.UnixMilli()
	}
	return old, root, t.exec(`INSERT INTO contacts(id, name, said, stage, company, phones, emails, tags, consent, snooze, birthday, note,
		household, root, source, created, deleted, search) VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)
		ON CONFLICT(id) DO UPDATE SET name=excluded.name, said=excluded.said, stage=excluded.stage, company=excluded.company, phones=excluded.phones,
		emails=excluded.emails, tags=excluded.tags, consent=excluded.consent, snooze=excluded.snooze, birthday=excluded.birthday,
		note=excluded.note, household=excluded.household, root=excluded.root, source=excluded.source, created=excluded.created, deleted=excluded.deleted,
		search=excluded.search`,
		id[:], c.Name, c.Stage, c.Stage, c.Company, phones, emails, tags, c.Consent, c.Snooze, c.Birthday, c.Note,
		nullID(household), nullID(root), source, created, deleted, fold(strings.Join(words, " ")))
}

func mustJSON(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err) // strings and pairs of strings only
	}
	return string(b)
}

// fold makes text comparable for a search: lower case, without accents, single spaces.
func fold(s string) string {
	var b strings.Builder
	space := false
	for _, c := range norm.NFD.String(s) {
		switch {
		case unicode.Is(unicode.Mn, c):
		case unicode.IsSpace(c):
			space = b.Len() > 0
		default:
			if space {
				b.WriteByte(' ')
				space = false
			}
			b.WriteRune(unicode.ToLower(c))
		}
	}
	return b.String()
}

// maxChain bounds how long a chain of merges may be: beyond, a contact stands for itself. No person makes such a chain.
const maxChain = 64

// rootCache remembers, within one projection, where chains of merges end.
type rootCache map[crdt.ContactID]crdt.ContactID

// wayOf follows "merged into" from a contact until it ends, comes back to where it was, or grows too long.
func (t *tx) wayOf(c crdt.ContactID) ([]crdt.ContactID, error) {
	if c.IsZero() {
		return nil, nil
	}
	way := []crdt.ContactID{c}
	for len(way) <= maxChain {
		var root []byte
		if _, err := t.one([]any{&root}, `SELECT root FROM contacts WHERE id=?`, c[:]); err != nil || root == nil {
			return way, err
		}
		copy(c[:], root)
		way = append(way, c)
		if slices.Contains(way[:len(way)-1], c) {
			break
		}
	}
	return way, nil
}

// rootOf returns the contact that a contact was merged into in the end. Should devices have merged in a circle, the
// smallest id of it is the end, so that all devices agree.
func (t *tx) rootOf(cache rootCache, c crdt.ContactID) (crdt.ContactID, error) {
	if root, ok := cache[c]; ok {
		return root, nil
	}
	way, err := t.wayOf(c)
	if err != nil {
		return c, err
	}
	root := way[len(way)-1]
	if i := slices.Index(way, root); i < len(way)-1 {
		root = slices.MinFunc(way[i:], compareContacts)
	} else if len(way) > maxChain {
		root = c
	}
	cache[c] = root
	return root, nil
}

// group returns the contact and all that were merged into it, directly or not, along chains that are not too long.
func (t *tx) group(c crdt.ContactID) ([]crdt.ContactID, error) {
	all, seen := []crdt.ContactID{c}, map[crdt.ContactID]bool{c: true}
	for depth, from := 0, 0; depth < maxChain && from < len(all); depth++ {
		to := len(all)
		for ; from < to; from++ {
			merged, err := t.contactIDs(`SELECT id FROM contacts WHERE root=?`, all[from][:])
			if err != nil {
				return nil, err
			}
			for _, m := range merged {
				if !seen[m] {
					seen[m] = true
					all = append(all, m)
				}
			}
		}
	}
	return all, nil
}

// refold computes what ranking knows of a contact from its row and all entries about it.
func (t *tx) refold(roots rootCache, c crdt.ContactID) error {
	var f ranking.Facts
	var said, consent, snooze, phones, emails, source string
	var household, root []byte
	var created int64
	var deleted bool
	found, err := t.one([]any{&said, &consent, &snooze, &phones, &emails, &household, &root, &source, &created, &deleted},
		`SELECT said, consent, snooze, phones, emails, household, root, source, created, deleted FROM contacts WHERE id=?`, c[:])
	if err != nil {
		return err
	}
	if found && root != nil { // a circle of merges has one end, which is ranked; so has a chain that is too long
		end, err := t.rootOf(roots, c)
		if err != nil {
			return err
		}
		if end == c {
			root = nil
		}
	}
	if !found || deleted || root != nil {
		t.people[c] = nil
		return t.exec(`DELETE FROM facts WHERE contact=?`, c[:])
	}
	f.Contact = ranking.ContactID(c)
	copy(f.Household[:], household)
	f.Stage, _ = ranking.ParseStage(said)
	f.Imported = source == sourceImport
	switch consent {
	case crdt.ConsentGiven:
		f.Consent = ranking.ConsentGiven
	case crdt.ConsentOut:
		f.Consent = ranking.OptedOut
	}
	f.Snooze, _ = ranking.ParseDay(snooze)
	f.Channels = 1 << ranking.InPerson
	if phones != "[]" {
		f.Channels |= 1<<ranking.Call | 1<<ranking.Text
	}
	if emails != "[]" {
		f.Channels |= 1 << ranking.Email
	}
	if created > 0 {
		f.Created = t.day(created)
	}
	ids, err := t.group(c)
	if err != nil {
		return err
	}
	log, err := t.events(ids)
	if err != nil {
		return err
	}
	// The stage is what the member says, which the log only dates; but an order or an enrolment makes a customer.
	stage := f.Stage
	for _, ev := range log {
		if ev.Kind == ranking.EventOrder || ev.Kind == ranking.EventTouch && ev.Outcome >= ranking.Enrolled {
			stage = max(stage, ranking.Customer)
		}
	}
	f.Fold(log)
	f.Stage = stage
	p := &person{facts: f, acts: ranking.AppendAttempts(nil, log)}
	if err := t.exec(`UPDATE contacts SET stage=? WHERE id=? AND stage<>?`, stage.String(), c[:], stage.String()); err != nil {
		return err
	}
	t.people[c] = p
	b, err := p.encode()
	if err != nil {
		return err
	}
	return t.exec(`INSERT INTO facts(contact, facts) VALUES(?,?) ON CONFLICT(contact) DO UPDATE SET facts=excluded.facts`, c[:], b)
}

// events reads what the log tells of some contacts, as ranking wants it: sorted by time and id, results put into the
// touches that they belong to.
func (t *tx) events(ids []crdt.ContactID) ([]ranking.Event, error) {
	type logged struct {
		at int64
		id crdt.EntryID
		ev ranking.Event
	}
	var log []logged
	results := map[crdt.EntryID]ranking.Outcome{}
	for _, c := range ids {
		err := t.query(func(rows *sql.Rows) error {
			var id []byte
			var l logged
			var body string
			if err := rows.Scan(&id, &l.at, &l.ev.Day, &body); err != nil {
				return err
			}
			e, err := crdt.ParseEntry(body)
			if err != nil {
				return err // it was readable when it was projected
			}
			if e.Kind == crdt.Result {
				if o, ok := ranking.ParseOutcome(e.Outcome); ok {
					results[e.About] = max(results[e.About], o)
				}
				return nil
			}
			l.id = crdt.EntryID(id)
			if rankingEvent(&l.ev, &e) {
				log = append(log, l)
			}
			return nil
		}, `SELECT id, at, day, body FROM entries WHERE contact=? AND NOT EXISTS (SELECT 1 FROM voids WHERE about=entries.id)`, c[:])
		if err != nil {
			return nil, err
		}
	}
	slices.SortFunc(log, func(a, b logged) int {
		return cmp.Or(cmp.Compare(a.at, b.at), slices.Compare(a.id[:], b.id[:]))
	})
	evs := make([]ranking.Event, len(log))
	for i, l := range log {
		evs[i] = l.ev
		if l.ev.Kind == ranking.EventTouch {
			evs[i].Outcome = max(l.ev.Outcome, results[l.id])
		}
	}
	return evs, nil
}

var touchChannels = map[crdt.Kind]ranking.Channel{
	crdt.Call: ranking.Call, crdt.Text: ranking.Text, crdt.Email: ranking.Email, crdt.Meet: ranking.InPerson,
}

// rankingEvent translates an entry; false means that it tells ranking nothing. ev.Day is set already.
func rankingEvent(ev *ranking.Event, e *crdt.Entry) bool {
	ev.Outcome, _ = ranking.ParseOutcome(e.Outcome)
	ev.Trigger, ev.Prompted = ranking.ParseTrigger(e.Trigger)
	switch e.Kind {
	case crdt.Call, crdt.Text, crdt.Email, crdt.Meet:
		ev.Kind, ev.Channel = ranking.EventTouch, touchChannels[e.Kind]
		if n, ok := contentIndex(e.Content); ok {
			ev.Content = n
		} else {
			ev.Content = ranking.MaxContents // not one of the playbook's
		}
		ev.P0, ev.P1 = uint16(e.P0), uint16(e.P1)
	case crdt.Ask:
		ev.Kind = ranking.EventTouch
		if c, ok := ranking.ParseChannel(e.Channel); ok {
			ev.Channel = c
		} else {
			ev.Channel = ranking.InPerson
		}
		ev.Content = ranking.MaxContents
	case crdt.Order:
		ev.Kind = ranking.EventOrder
		if e.Value != nil {
			ev.Cents = e.Value.Cents
		}
	case crdt.FormSubmitted:
		ev.Kind = ranking.EventForm
	case crdt.WebinarRegistered:
		ev.Kind = ranking.EventRegistered
		ev.For, _ = ranking.ParseDay(e.Due)
	case crdt.WebinarAttended:
		ev.Kind = ranking.EventAttended
	case crdt.Watched:
		ev.Kind = ranking.EventWatched
	case crdt.Clicked:
		ev.Kind = ranking.EventClicked
	case crdt.Promise:
		ev.Kind = ranking.EventPromise
		ev.For, _ = ranking.ParseDay(e.Due)
	case crdt.StageChanged:
		st, ok := ranking.ParseStage(e.Stage)
		ev.Kind, ev.Stage = ranking.EventStage, st
		return ok
	case crdt.Suggestion:
		switch e.Choice {
		case crdt.Skipped:
			ev.Kind = ranking.EventSkipped
		case crdt.Dismissed:
			ev.Kind = ranking.EventDismissed
			return ev.Prompted
		default:
			return false
		}
	default:
		return false
	}
	return true
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
