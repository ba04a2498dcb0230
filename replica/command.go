package replica

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"trio/crdt"
	"trio/crdt/automerge"
	"trio/crdt/book"
	"trio/crdt/zone"
	"trio/ranking"
	"trio/replica/importer"
	"trio/replica/sql"
)

// Fields of a contact to write, as text: the keys are those of crdt (crdt.FieldName, crdt.FieldPhone+"+34600…"). An empty
// string deletes a field; tags and the like are "yes" or empty.
type Fields map[string]string

// fieldValue turns the text of a field into what its register holds; nil deletes.
func fieldValue(field, text string) (*automerge.Value, error) {
	if text == "" && !strings.HasPrefix(field, crdt.FieldPhone) && !strings.HasPrefix(field, crdt.FieldEmail) {
		return nil, nil
	}
	v := automerge.Value{Kind: automerge.KindString, Str: strings.ToValidUTF8(text, "\uFFFD")}
	switch {
	case strings.HasPrefix(field, crdt.FieldTag), field == crdt.FieldDeleted:
		if text != "yes" {
			return nil, fmt.Errorf("contact field %.60s is %.20q: want yes or nothing", field, text)
		}
		v = automerge.Value{Kind: automerge.KindTrue}
	case strings.HasPrefix(field, crdt.FieldPhone), strings.HasPrefix(field, crdt.FieldEmail):
		if text == "-" { // a number without a label is still a number, so deleting one needs a sign of its own
			return nil, nil
		}
	}
	return &v, nil
}

// AddContact captures a person. A name or a phone number is enough; the rest can wait.
func (r *Replica) AddContact(ctx context.Context, f Fields) (crdt.ContactID, error) {
	id := crdt.NewContactID()
	if err := f.named(); err != nil {
		return id, err
	}
	return id, r.update(ctx, func(t *tx) error { return t.addContact(id, f) })
}

// named refuses the fields of somebody whom one could not call by anything.
func (f Fields) named() error {
	if strings.TrimSpace(f[crdt.FieldName]) == "" && !hasFamily(f, crdt.FieldPhone) && !hasFamily(f, crdt.FieldEmail) {
		return errors.New("a contact needs a name, a phone number or an e-mail address")
	}
	return nil
}

func (t *tx) addContact(id crdt.ContactID, f Fields) error {
	if err := t.putContact(id, f); err != nil {
		return err
	}
	return t.put(crdt.ContactsDoc, crdt.ContactKey(id, crdt.FieldCreated), automerge.Value{Kind: automerge.KindTimestamp, Num: t.now + t.skew})
}

func hasFamily(f Fields, family string) bool {
	for k := range f {
		if strings.HasPrefix(k, family) {
			return true
		}
	}
	return false
}

// EditContact writes some fields of a contact; the others stay as they are, here and on devices that write them now. A
// stage that the contact was not in is also logged, so that its days begin: a new promoter's first weeks, say. A contact that
// was deleted is not there, but to be brought back.
func (r *Replica) EditContact(ctx context.Context, id crdt.ContactID, f Fields) error {
	return r.update(ctx, func(t *tx) error {
		deleted, ok := f[crdt.FieldDeleted]
		if err := t.needContact(id, ok && deleted == ""); err != nil {
			return err
		}
		if _, ok := f[crdt.FieldStage]; ok {
			if err := t.logStage(id, cmp.Or(f[crdt.FieldStage], crdt.StageProspect)); err != nil {
				return err
			}
		}
		return t.putContact(id, f)
	})
}

// logStage logs that a contact changes its stage, unless it is in that already: as the member said, or by an order.
func (t *tx) logStage(id crdt.ContactID, stage string) error {
	var said, shown string
	if _, err := t.one([]any{&said, &shown}, `SELECT said, stage FROM contacts WHERE id=?`, id[:]); err != nil {
		return err
	}
	if stage == said || stage == shown || !slices.Contains(crdt.Stages, stage) { // what is no stage is refused as a field
		return nil
	}
	return t.log(crdt.NewEntryID(), crdt.Entry{Kind: crdt.StageChanged, Contact: id, Stage: stage})
}

// Snooze hides a contact from the suggestions until a date (YYYY-MM-DD); "" ends it.
func (r *Replica) Snooze(ctx context.Context, id crdt.ContactID, until string) error {
	return r.EditContact(ctx, id, Fields{crdt.FieldSnooze: until})
}

// needContact fails where a contact is not in the book, or is deleted, unless that will do.
func (t *tx) needContact(id crdt.ContactID, evenDeleted bool) error {
	var deleted bool
	found, err := t.one([]any{&deleted}, `SELECT deleted FROM contacts WHERE id=?`, id[:])
	if err == nil && (!found || deleted && !evenDeleted) {
		return fmt.Errorf("contact %s is not in the book: it may have been deleted on another device", id)
	}
	return err
}

func (t *tx) putContact(id crdt.ContactID, f Fields) error {
	for _, field := range sortedKeys(f) {
		v, err := fieldValue(field, f[field])
		if err == nil {
			err = crdt.CheckContactField(field, v)
		}
		if err != nil {
			return err
		}
		if err := t.putOrDelete(crdt.ContactsDoc, crdt.ContactKey(id, field), v); err != nil {
			return err
		}
	}
	return nil
}

func (t *tx) putOrDelete(doc crdt.DocName, key string, v *automerge.Value) error {
	if v == nil {
		return t.del(doc, key)
	}
	return t.put(doc, key, *v)
}

// Log writes an entry of the action log and returns its id. Version, time, zone and skew are filled in when they are
// zero. A change of stage is also written to the contact; an order or an enrolment makes a prospect a customer by itself.
func (r *Replica) Log(ctx context.Context, e crdt.Entry) (crdt.EntryID, error) {
	id := crdt.NewEntryID()
	return id, r.update(ctx, func(t *tx) error { return t.log(id, e) })
}

// LogAll writes many entries, as an import of a log or the end of an event does; it returns their ids in order. Should it
// fail, the entries whose ids it returns are written.
func (r *Replica) LogAll(ctx context.Context, es []crdt.Entry) ([]crdt.EntryID, error) {
	var ids []crdt.EntryID
	for batch := range slices.Chunk(es, importBatch) {
		made := make([]crdt.EntryID, len(batch))
		err := r.update(ctx, func(t *tx) error {
			for i := range batch {
				made[i] = crdt.NewEntryID()
				if err := t.log(made[i], batch[i]); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return ids, err
		}
		ids = append(ids, made...)
	}
	return ids, nil
}

func (t *tx) log(id crdt.EntryID, e crdt.Entry) error {
	e.Version = crdt.EntryVersion
	if e.At == 0 {
		e.At, e.Skew = t.claim()
		e.Zone = zone.Here(t.now) / 60
	}
	if e.Outcome != "" {
		if _, ok := ranking.ParseOutcome(e.Outcome); !ok {
			return fmt.Errorf("outcome %.30q is not one that this version knows: want no_answer, not_ready, answered, replied, moved or enrolled", e.Outcome)
		}
	}
	if (e.Kind.IsTouch() || e.Kind == crdt.StageChanged) && !e.Contact.IsZero() {
		if err := t.needContact(e.Contact, false); err != nil {
			return err
		}
	}
	if e.Kind == crdt.StageChanged && !e.Contact.IsZero() {
		if err := t.putContact(e.Contact, Fields{crdt.FieldStage: e.Stage}); err != nil {
			return err
		}
	}
	body, err := e.Encode()
	if err != nil {
		return err
	}
	return t.put(e.Doc(), id.String(), automerge.Value{Kind: automerge.KindString, Str: body})
}

// claim returns the time that an entry claims and its correction. A wrong clock never stops a tap: where the device's is
// nonsense the server's counts, and without one the earliest time that there is.
func (t *tx) claim() (at, skew int64) {
	switch {
	case crdt.ValidTime(t.now) && crdt.ValidTime(t.now+t.skew):
		return t.now, t.skew
	case crdt.ValidTime(t.now + t.skew):
		return t.now + t.skew, 0
	case crdt.ValidTime(t.now):
		return t.now, 0
	}
	return crdt.MinTime, 0
}

// Act logs that a suggestion was followed, from the app: the touch, and that the suggestion was taken, as one.
func (r *Replica) Act(ctx context.Context, s Suggestion, outcome ranking.Outcome) (crdt.EntryID, error) {
	id := crdt.NewEntryID()
	return id, r.update(ctx, func(t *tx) error { return t.act(id, s, outcome, crdt.E1) })
}

// Acted is Act for a touch that the member only tells of: typed afterwards, as its evidence says.
func (r *Replica) Acted(ctx context.Context, s Suggestion, outcome ranking.Outcome) (crdt.EntryID, error) {
	id := crdt.NewEntryID()
	return id, r.update(ctx, func(t *tx) error { return t.act(id, s, outcome, crdt.E0) })
}

// TouchKind returns the kind of entry that following the suggestion is.
func (s *Suggestion) TouchKind() crdt.Kind {
	for k, ch := range book.TouchChannels {
		if ch == s.Channel {
			return k
		}
	}
	return crdt.Call
}

func (t *tx) act(id crdt.EntryID, s Suggestion, outcome ranking.Outcome, known crdt.Evidence) error {
	touch := crdt.Entry{
		Kind: s.TouchKind(), Contact: s.Contact, Evidence: known, Content: book.ContentName(s.Content), Trigger: s.Trigger.String(),
		Playbook: s.Playbook, P0: s.P0, P1: s.P1,
	}
	if outcome != ranking.NoOutcome {
		touch.Outcome = outcome.String()
	}
	if err := t.log(id, touch); err != nil {
		return err
	}
	return t.log(crdt.NewEntryID(), s.choice(crdt.Taken))
}

// Decline logs that a suggestion was not wanted: skipped ("not today") or dismissed ("not this").
func (r *Replica) Decline(ctx context.Context, s Suggestion, c crdt.Choice) error {
	if err := declines(c); err != nil {
		return err
	}
	return r.update(ctx, func(t *tx) error { return t.log(crdt.NewEntryID(), s.choice(c)) })
}

func declines(c crdt.Choice) error {
	if c != crdt.Skipped && c != crdt.Dismissed {
		return fmt.Errorf("declining a suggestion is skipping or dismissing it, not %q", c)
	}
	return nil
}

func (s *Suggestion) choice(c crdt.Choice) crdt.Entry {
	e := crdt.Entry{
		Kind: crdt.Suggestion, Choice: c, Contact: s.Contact, Trigger: s.Trigger.String(), Channel: s.Channel.String(),
		Content: book.ContentName(s.Content), Evidence: crdt.E1, Playbook: s.Playbook,
	}
	if s.NReasons > 0 {
		e.Reason = s.Suggestion.Reasons[0].Code.String()
	}
	return e
}

// mostPromised bounds how far ahead a promise may be, in days.
const mostPromised = 365

// Promise logs that the member said to get back to somebody on a day, today or within a year.
func (r *Replica) Promise(ctx context.Context, contact crdt.ContactID, due ranking.Day) (crdt.EntryID, error) {
	id := crdt.NewEntryID()
	return id, r.update(ctx, func(t *tx) error { return t.promise(id, contact, due) })
}

func (t *tx) promise(id crdt.EntryID, contact crdt.ContactID, due ranking.Day) error {
	today := t.day(t.now + t.skew)
	if due < today || due > today+mostPromised {
		return fmt.Errorf("a promise for %s: want a day from today, %s, to a year from now", due, today)
	}
	if err := t.needContact(contact, false); err != nil {
		return err
	}
	return t.log(id, crdt.Entry{Kind: crdt.Promise, Contact: contact, Due: due.String(), Evidence: crdt.E0})
}

// Result logs what came of a touch, known later. Of several outcomes of one touch the greatest counts; taking a result back
// (TakeBack) leaves the others.
func (r *Replica) Result(ctx context.Context, touch crdt.EntryID, outcome ranking.Outcome) (crdt.EntryID, error) {
	id := crdt.NewEntryID()
	return id, r.update(ctx, func(t *tx) error { return t.result(id, touch, outcome) })
}

func (t *tx) result(id, touch crdt.EntryID, outcome ranking.Outcome) error {
	if outcome == ranking.NoOutcome {
		return errors.New("a result needs an outcome: no_answer, not_ready, answered, replied, moved or enrolled")
	}
	var kind crdt.Kind
	var contact []byte
	found, err := t.one([]any{&kind, &contact}, `SELECT kind, contact FROM entries WHERE id=? AND NOT EXISTS (SELECT 1 FROM voids WHERE about=entries.id)`, touch[:])
	switch {
	case err != nil:
		return err
	case !found:
		return fmt.Errorf("entry %s is not in the log, or was taken back: there is nothing to come of it", touch)
	case !kind.IsTouch():
		return fmt.Errorf("an entry of kind %q has no outcome: only a call, text, email, meeting or question has", kind)
	}
	e := crdt.Entry{Kind: crdt.Result, About: touch, Outcome: outcome.String(), Evidence: crdt.E0}
	copy(e.Contact[:], contact)
	return t.log(id, e)
}

// SetProfile writes a field of the profile; "" deletes it.
func (r *Replica) SetProfile(ctx context.Context, key, text string) error {
	var v *automerge.Value
	if text != "" {
		v = &automerge.Value{Kind: automerge.KindString, Str: text}
	}
	return r.setProfile(ctx, key, v)
}

// SetGoal commits the member to n a day of a dimension, from a date (YYYY-MM-DD) on.
func (r *Replica) SetGoal(ctx context.Context, d crdt.Dimension, from string, n int64) error {
	return r.setProfile(ctx, crdt.GoalKey(d, from), &automerge.Value{Kind: automerge.KindInt, Num: n})
}

func (r *Replica) setProfile(ctx context.Context, key string, v *automerge.Value) error {
	if err := crdt.CheckProfileField(key, v); err != nil {
		return err
	}
	return r.update(ctx, func(t *tx) error { return t.putOrDelete(crdt.ProfileDoc, key, v) })
}

// Imported counts what an import did.
type Imported struct {
	NewContacts, SameContacts int // people who were not in the book yet, and who were
	NewOrders, SameOrders     int
	Unknown                   int // orders whose customer is nobody in the book and came with nothing to make a contact of
}

// importBatch bounds the rows of one transaction, and so of one change: a change must travel in one piece.
const importBatch = 200

// ImportPeople brings people of a file into the book. A person who came before (same key) only gets fields that are not
// there yet: what the member wrote since is never overwritten, and the same file twice changes nothing.
func (r *Replica) ImportPeople(ctx context.Context, people []importer.Person) (Imported, error) {
	var sum Imported
	for batch := range slices.Chunk(people, importBatch) {
		n := sum
		err := r.update(ctx, func(t *tx) error {
			for i := range batch {
				isNew, err := t.importPerson(&batch[i])
				if err != nil {
					return fmt.Errorf("import %s: %w", batch[i].Key, err)
				}
				if isNew {
					n.NewContacts++
				} else {
					n.SameContacts++
				}
			}
			return nil
		})
		if err != nil {
			return sum, err
		}
		sum = n
	}
	return sum, nil
}

func (t *tx) importPerson(p *importer.Person) (isNew bool, err error) {
	id := crdt.SourceContactID(t.r.member, p.Key)
	has, err := t.fieldsOf(id)
	if err != nil {
		return false, err
	}
	f := Fields{
		crdt.FieldName: p.Name, crdt.FieldCompany: p.Company, crdt.FieldNote: p.Note, crdt.FieldBirthday: p.Birthday,
		crdt.FieldStage: p.Stage, crdt.FieldConsent: p.Consent, crdt.FieldSource: book.SourceImport,
	}
	for _, x := range p.Phones {
		f[crdt.FieldPhone+x.Number] = x.Label
	}
	for _, x := range p.Emails {
		f[crdt.FieldEmail+x.Address] = x.Label
	}
	for _, tag := range p.Tags {
		f[crdt.FieldTag+tag] = "yes"
	}
	target, created := id, len(has) == 0
	if created {
		same, err := t.samePerson(p)
		if err != nil {
			return false, err
		}
		if !same.IsZero() {
			// Under this key the person is new, but not in the book: what comes under the key from now on is that person's.
			if err := t.putContact(id, Fields{crdt.FieldMergedInto: same.String(), crdt.FieldSource: book.SourceImport}); err != nil {
				return false, err
			}
			if has, err = t.fieldsOf(same); err != nil {
				return false, err
			}
			target, created = same, false
			delete(f, crdt.FieldSource)
		}
	}
	for field, text := range f {
		family, _, isFamily := strings.Cut(field, "/")
		switch {
		case has[field], !isFamily && text == "":
			delete(f, field)
		case isFamily && !created && target == id:
			// A number that the member deleted must not come back with the next import of the same file.
			delete(f, field)
		case isFamily && !created && has[family+"/"] && family+"/" != crdt.FieldTag:
			delete(f, field) // the member has other ones
		}
	}
	if err := t.putContact(target, f); err != nil {
		return false, err
	}
	if created {
		return true, t.put(crdt.ContactsDoc, crdt.ContactKey(id, crdt.FieldCreated), automerge.Value{Kind: automerge.KindTimestamp, Num: t.now + t.skew})
	}
	return false, nil
}

// fieldsOf returns the fields that a contact has, and "phone/" for any phone, and so on.
func (t *tx) fieldsOf(id crdt.ContactID) (map[string]bool, error) {
	d, err := t.doc(crdt.ContactsDoc)
	if err != nil {
		return nil, err
	}
	has := map[string]bool{}
	prefix := crdt.ContactKey(id, "")
	err = t.query(func(rows *sql.Rows) error {
		var key string
		err := rows.Scan(&key)
		field := strings.TrimPrefix(key, prefix)
		has[field] = true
		if family, _, ok := strings.Cut(field, "/"); ok {
			has[family+"/"] = true
		}
		return err
	}, `SELECT key FROM registers WHERE doc=? AND key>=? AND key<?`, d.id, prefix, prefix[:len(prefix)-1]+"0")
	return has, err
}

// samePerson finds a person in the book who came under another key, or was captured: the same name with a number or
// address in common, or the only one of that name when either side has neither. Two of one number with different names
// are two people of one household.
func (t *tx) samePerson(p *importer.Person) (crdt.ContactID, error) {
	var all []Contact
	err := t.query(func(rows *sql.Rows) error {
		c, err := scanContact(rows)
		all = append(all, c)
		return err
	}, `SELECT `+contactColumns+` FROM contacts WHERE name=? AND deleted=0 AND root IS NULL ORDER BY id LIMIT 20`, p.Name)
	if err != nil || p.Name == "" {
		return crdt.ContactID{}, err
	}
	for _, c := range all {
		for _, x := range p.Phones {
			if slices.ContainsFunc(c.Phones, func(l Labelled) bool { return l.Value == x.Number }) {
				return c.ID, nil
			}
		}
		for _, x := range p.Emails {
			if slices.ContainsFunc(c.Emails, func(l Labelled) bool { return l.Value == x.Address }) {
				return c.ID, nil
			}
		}
	}
	bare := len(p.Phones)+len(p.Emails) == 0
	if len(all) == 1 && (bare || len(all[0].Phones)+len(all[0].Emails) == 0) {
		return all[0].ID, nil
	}
	return crdt.ContactID{}, nil
}

// ImportOrders brings orders of a system of record into the log, as entries of evidence E4. An order's entry has the id
// of its source key, so that the same file twice, or on two devices, is one order. Customers are found by the key that
// the file knows them by, their number or address; one who is not in the book is made a contact when the file says
// anything to call them by.
func (r *Replica) ImportOrders(ctx context.Context, orders []importer.Order) (Imported, error) {
	var sum Imported
	for batch := range slices.Chunk(orders, importBatch) {
		n := sum
		err := r.update(ctx, func(t *tx) error {
			seen := map[crdt.EntryID]bool{}
			for i := range batch {
				if err := t.importOrder(&batch[i], seen, &n); err != nil {
					return fmt.Errorf("import order %s: %w", batch[i].Key, err)
				}
			}
			return nil
		})
		if err != nil {
			return sum, err
		}
		sum = n
	}
	return sum, nil
}

func (t *tx) importOrder(o *importer.Order, seen map[crdt.EntryID]bool, n *Imported) error {
	id := crdt.SourceEntryID(t.r.member, "order:"+o.Key)
	at := o.At.UnixMilli()
	if o.DateOnly { // a date without a time is noon of that date in the member's calendar
		y, m, d := o.At.Date()
		noon := time.Date(y, m, d, 12, 0, 0, 0, time.UTC).UnixMilli()
		at = t.home.On(ranking.DayOf(noon, 0)).Instant(noon)
	}
	e := crdt.Entry{
		Version: crdt.EntryVersion, Kind: crdt.Order, At: at, Zone: t.home.On(t.day(at)).Offset(at) / 60, Evidence: crdt.E4,
		Value: &crdt.Amount{Cents: o.Cents, Currency: o.Currency, Count: o.Units}, Source: "import",
	}
	if *e.Value == (crdt.Amount{}) {
		e.Value = nil
	}
	var known int
	if _, err := t.one([]any{&known}, `SELECT count(*) FROM entries WHERE id=?`, id[:]); err != nil {
		return err
	}
	if known > 0 || seen[id] {
		n.SameOrders++
		return nil
	}
	seen[id] = true
	var err error
	if e.Contact, err = t.customerOf(o, n); err != nil {
		return err
	}
	if e.Contact.IsZero() {
		n.Unknown++
		return nil
	}
	n.NewOrders++
	body, err := e.Encode()
	if err != nil {
		return err
	}
	return t.put(e.Doc(), id.String(), automerge.Value{Kind: automerge.KindString, Str: body})
}

// customerOf finds or makes the contact of an order.
func (t *tx) customerOf(o *importer.Order, n *Imported) (crdt.ContactID, error) {
	p := o.Person
	if p == nil {
		p = &importer.Person{Key: o.PersonKey, Name: o.Customer}
	}
	if p.Key == "" || p.Name == "" && len(p.Phones) == 0 && len(p.Emails) == 0 {
		return crdt.ContactID{}, nil
	}
	if id, err := t.findPerson(p, o.Customer); err != nil || !id.IsZero() {
		return id, err
	}
	q := *p
	if q.Stage == "" {
		q.Stage = crdt.StageCustomer
	}
	isNew, err := t.importPerson(&q)
	if isNew {
		n.NewContacts++
	}
	return crdt.SourceContactID(t.r.member, q.Key), err
}

// findPerson looks a file's person up in the book: by source key, by number or address, by the exact name if only one
// contact has it.
func (t *tx) findPerson(p *importer.Person, customer string) (crdt.ContactID, error) {
	id := crdt.SourceContactID(t.r.member, p.Key)
	if _, ok := t.contacts[id]; ok {
		return id, nil
	}
	var n int
	if _, err := t.one([]any{&n}, `SELECT count(*) FROM contacts WHERE id=?`, id[:]); err != nil || n > 0 {
		return id, err
	}
	var wanted [][2]string // column, JSON start of a pair
	for _, x := range p.Phones {
		wanted = append(wanted, [2]string{"phones", `["` + x.Number + `"`})
	}
	for _, x := range p.Emails {
		wanted = append(wanted, [2]string{"emails", `["` + x.Address + `"`})
	}
	for _, w := range wanted {
		if id, err := t.onlyContact(`instr(`+w[0]+`, ?) > 0`, w[1]); err != nil || !id.IsZero() {
			return id, err
		}
	}
	if customer == "" {
		return crdt.ContactID{}, nil
	}
	return t.onlyContact(`name=?`, customer)
}

// onlyContact returns the one living contact that a condition holds for; zero when there are none or several.
func (t *tx) onlyContact(where string, arg any) (crdt.ContactID, error) {
	ids, err := t.contactIDs(`SELECT id FROM contacts WHERE deleted=0 AND root IS NULL AND `+where+` LIMIT 2`, arg)
	if err != nil || len(ids) != 1 {
		return crdt.ContactID{}, err
	}
	return ids[0], nil
}
