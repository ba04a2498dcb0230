package replica

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"trio/crdt"
	"trio/crdt/automerge"
	"trio/crdt/book"
	"trio/crdt/wire"
	"trio/ranking"
	"trio/replica/sql"
)

// Contact is a person of the book as screens show them.
type Contact struct {
	ID       crdt.ContactID
	Name     string
	Stage    string
	Company  string
	Phones   []Labelled
	Emails   []Labelled
	Tags     []string
	Consent  string
	Snooze   string
	Birthday string
	Note     string
	Created  time.Time
}

// Display is what a screen calls the contact: the name, else what else is known. It is never empty: devices that took off one
// thing each leave nothing.
func (c *Contact) Display() string {
	name := cmp.Or(strings.TrimSpace(c.Name), c.Company)
	for _, l := range [][]Labelled{c.Phones, c.Emails} {
		if name == "" && len(l) > 0 {
			name = l[0].Value
		}
	}
	return cmp.Or(name, "?")
}

const contactColumns = `id, name, stage, company, phones, emails, tags, consent, snooze, birthday, note, created`

func scanContact(row interface{ Scan(...any) error }) (c Contact, err error) {
	var id []byte
	var phones, emails, tags string
	var created int64
	if err := row.Scan(&id, &c.Name, &c.Stage, &c.Company, &phones, &emails, &tags, &c.Consent, &c.Snooze, &c.Birthday, &c.Note, &created); err != nil {
		return c, err
	}
	c.ID = crdt.ContactID(id)
	if created > 0 {
		c.Created = time.UnixMilli(created)
	}
	var errs [3]error
	c.Phones, errs[0] = readLabelled(phones)
	c.Emails, errs[1] = readLabelled(emails)
	c.Tags, errs[2] = readTexts(tags)
	return c, errors.Join(errs[:]...)
}

// queryRow reads one row with one of the reading connections.
func (r *Replica) queryRow(ctx context.Context, dst []any, q string, args ...any) error {
	if err := r.here(); err != nil {
		return err
	}
	return r.rdb.QueryRowContext(ctx, q, args...).Scan(dst...)
}

// queryRows reads rows with one of the reading connections.
func queryRows[T any](ctx context.Context, r *Replica, scan func(*sql.Rows) (T, error), q string, args ...any) ([]T, error) {
	if err := r.here(); err != nil {
		return nil, err
	}
	rows, err := r.rdb.QueryContext(ctx, q, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var all []T
	for rows.Next() {
		v, err := scan(rows)
		if err != nil {
			return nil, err
		}
		all = append(all, v)
	}
	return all, rows.Err()
}

// Contacts returns the living contacts whose name, company, number, address or tag holds every word of search, by name;
// at most limit from offset on. Case and accents do not matter.
func (r *Replica) Contacts(ctx context.Context, search string, offset, limit int) ([]Contact, error) {
	q := `SELECT ` + contactColumns + ` FROM contacts WHERE deleted=0 AND root IS NULL`
	var args []any
	for _, w := range strings.Fields(fold(search)) {
		q += ` AND instr(search, ?) > 0`
		args = append(args, w)
	}
	args = append(args, limit, offset)
	return queryRows(ctx, r, func(rows *sql.Rows) (Contact, error) { return scanContact(rows) }, q+` ORDER BY search, id LIMIT ? OFFSET ?`, args...)
}

// Met is a contact with what happened last.
type Met struct {
	Contact
	Last crdt.Kind // "": nothing yet
	At   time.Time
}

// beside scans columns that stand behind those of a contact.
type beside struct {
	row  interface{ Scan(...any) error }
	more []any
}

func (b beside) Scan(dst ...any) error { return b.row.Scan(append(dst, b.more...)...) }

// People returns a page of what Contacts returns, each with what happened last, and how many there are in all.
func (r *Replica) People(ctx context.Context, search string, offset, limit int) (page []Met, total int, err error) {
	where, args := `deleted=0 AND root IS NULL`, []any(nil)
	for _, w := range strings.Fields(fold(search)) {
		where += ` AND instr(search, ?) > 0`
		args = append(args, w)
	}
	if err := r.queryRow(ctx, []any{&total}, `SELECT count(*) FROM contacts WHERE `+where, args...); err != nil {
		return nil, 0, err
	}
	page, err = queryRows(ctx, r, func(rows *sql.Rows) (m Met, err error) {
		var last string
		if m.Contact, err = scanContact(beside{rows, []any{&last}}); err != nil || last == "" {
			return m, err
		}
		kind, at, _ := strings.Cut(last, " ")
		ms, err := strconv.ParseInt(at, 10, 64)
		m.Last, m.At = crdt.Kind(kind), time.UnixMilli(ms)
		return m, err
	}, `SELECT `+contactColumns+`, coalesce((SELECT e.kind || ' ' || e.at FROM entries e WHERE e.contact=p.id
			AND e.kind NOT IN ('void', 'suggestion') AND NOT EXISTS (SELECT 1 FROM voids WHERE about=e.id) ORDER BY e.at DESC, e.id DESC LIMIT 1), '')
		FROM (SELECT `+contactColumns+`, search FROM contacts WHERE `+where+` ORDER BY search, id LIMIT ? OFFSET ?) p ORDER BY search, id`,
		append(args, limit, offset)...)
	return page, total, err
}

// Contact returns one contact, also one that was deleted or merged.
func (r *Replica) Contact(ctx context.Context, id crdt.ContactID) (Contact, error) {
	if err := r.here(); err != nil {
		return Contact{}, err
	}
	c, err := scanContact(r.rdb.QueryRowContext(ctx, `SELECT `+contactColumns+` FROM contacts WHERE id=?`, id[:]))
	if errors.Is(err, sql.ErrNoRows) {
		return c, fmt.Errorf("contact %s is not in the book", id)
	}
	return c, err
}

// Logged is one entry of the log with its id and its day in the member's home calendar.
type Logged struct {
	ID  crdt.EntryID
	Day ranking.Day
	crdt.Entry
}

func scanLogged(rows *sql.Rows) (l Logged, err error) {
	var id []byte
	var body string
	if err := rows.Scan(&id, &l.Day, &body); err != nil {
		return l, err
	}
	l.ID = crdt.EntryID(id)
	l.Entry, err = crdt.ParseEntry(body)
	return l, err
}

// Timeline returns what happened with a contact (and with those merged into it), the newest first, at most limit.
// What was taken back is left out.
func (r *Replica) Timeline(ctx context.Context, id crdt.ContactID, limit int) ([]Logged, error) {
	return queryRows(ctx, r, scanLogged, `WITH RECURSIVE person(id) AS (
			SELECT ? UNION SELECT c.id FROM contacts c JOIN person p ON c.root=p.id)
		SELECT e.id, e.day, e.body FROM entries e JOIN person p ON e.contact=p.id
			WHERE e.kind<>'void' AND NOT EXISTS (SELECT 1 FROM voids WHERE about=e.id) ORDER BY e.at DESC, e.id DESC LIMIT ?`, id[:], limit)
}

// Suggestion is one of the three with what a screen shows.
type Suggestion struct {
	ranking.Suggestion
	Contact crdt.ContactID // the suggested person's id, in our own type
	Name    string
	First   string   // the name to address
	Phone   string   // E.164; "": none
	Email   string   // "": none
	Step    string   // what to do: "Text Joanna about a refill"
	Wording string   // what to say
	Message string   // the same to be written, where Wording is spoken; "": Wording is a message, or there is none
	Reasons []string // why, the first is the trigger's own sentence

	Playbook uint32 // version of the playbook that it was made by: the log has it
}

// TopThree returns today's three of a list, best first; fewer when fewer are worth doing, none when nothing needs doing.
// lang is the language of the sentences ("en", "es"). It is the same on every device with the same changes.
func (r *Replica) TopThree(ctx context.Context, list ranking.List, lang string) ([]Suggestion, error) {
	seed := book.Seed(r.member)
	pb := r.Playbook().Ranking
	picks := r.top.rank(pb, seed, r.Today(), list)
	sender, err := r.Profile(ctx, crdt.ProfileName)
	if err != nil {
		return nil, err
	}
	out := make([]Suggestion, len(picks))
	for i, p := range picks {
		if out[i], err = r.spell(ctx, pb, p, lang, sender); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// spell writes a suggestion out, with names and words; sender is the member's name.
func (r *Replica) spell(ctx context.Context, pb *ranking.Playbook, p ranking.Suggestion, lang, sender string) (Suggestion, error) {
	c, err := r.Contact(ctx, crdt.ContactID(p.Contact))
	if err != nil {
		return Suggestion{}, err
	}
	first := ranking.FirstName(c.Name)
	s := Suggestion{
		Suggestion: p, Contact: c.ID, Name: c.Display(), First: first, Playbook: pb.Version,
		Step:    pb.Step(p.Trigger, p.Channel, lang, first),
		Wording: pb.Wording(p.Trigger, p.Channel, p.Content, lang, first, ranking.FirstName(sender), p.Days()),
	}
	if p.Channel == ranking.Call || p.Channel == ranking.InPerson {
		s.Message = pb.Wording(p.Trigger, ranking.Text, p.Content, lang, first, ranking.FirstName(sender), p.Days())
	}
	if len(c.Phones) > 0 {
		s.Phone = c.Phones[0].Value
	}
	if len(c.Emails) > 0 {
		s.Email = c.Emails[0].Value
	}
	for _, reason := range p.Reasons[:p.NReasons] {
		s.Reasons = append(s.Reasons, pb.Sentence(reason, lang))
	}
	return s, nil
}

// Profile returns a text field of the profile (crdt.ProfileName, …), "" when it is not set.
func (r *Replica) Profile(ctx context.Context, key string) (string, error) {
	var s string
	err := r.queryRow(ctx, []any{&s}, `SELECT str FROM registers g JOIN documents d ON d.id=g.doc JOIN actors a ON a.id=g.actor
		WHERE d.name=? AND key=? ORDER BY ctr DESC, a.actor DESC LIMIT 1`, crdt.ProfileDoc, key)
	if errors.Is(err, sql.ErrNoRows) {
		return "", nil
	}
	return s, err
}

// Unsent is a change that no receipt covers: it is only on this device.
type Unsent struct {
	Doc     crdt.DocName
	At      time.Time
	Keys    int       // how many registers it writes
	Refused wire.Code // 0: not refused, only not sent yet
	Reason  string    // why the server refused it, for people
}

// Unsent returns what is only on this device, the oldest first: what waits to be sent, what was refused for now, and what
// the server will never take, each with the reason.
func (r *Replica) Unsent(ctx context.Context) ([]Unsent, error) {
	return queryRows(ctx, r, func(rows *sql.Rows) (u Unsent, err error) {
		var at int64
		var code sql.NullInt64
		var reason sql.NullString
		var chunk []byte
		if err := rows.Scan(&u.Doc, &at, &code, &reason, &chunk); err != nil {
			return u, err
		}
		c, err := automerge.ParseChange(chunk)
		if err != nil {
			return u, err
		}
		u.At, u.Keys, u.Refused, u.Reason = time.UnixMilli(at), len(c.Ops), wire.Code(code.Int64), reason.String
		return u, nil
	}, `SELECT d.name, c.at, c.refused, c.reason, c.chunk FROM changes c JOIN documents d ON d.id=c.doc WHERE c.receipt IS NULL
		UNION ALL SELECT d.name, j.at, j.code, j.reason, j.chunk FROM rejected j JOIN documents d ON d.id=j.doc ORDER BY 2`)
}

// UnsentCount is "N only on this phone".
func (r *Replica) UnsentCount(ctx context.Context) (n int, err error) {
	err = r.queryRow(ctx, []any{&n}, `SELECT (SELECT count(*) FROM changes WHERE receipt IS NULL) + (SELECT count(*) FROM rejected)`)
	return n, err
}

// Merge is one line of "what merged while you were away".
type Merge struct {
	At      time.Time
	What    string // "received": Count things of sort Field came; "conflict": two devices wrote Field of Contact
	Contact crdt.ContactID
	Field   string
	Kept    string
	Other   string
	Count   int64
}

// Merges returns what came from elsewhere, the newest first, at most limit.
func (r *Replica) Merges(ctx context.Context, limit int) ([]Merge, error) {
	return queryRows(ctx, r, func(rows *sql.Rows) (m Merge, err error) {
		var at int64
		var contact []byte
		err = rows.Scan(&at, &m.What, &contact, &m.Field, &m.Kept, &m.Other, &m.Count)
		m.At = time.UnixMilli(at)
		copy(m.Contact[:], contact)
		return m, err
	}, `SELECT at, what, contact, field, kept, other, n FROM merges ORDER BY id DESC LIMIT ?`, limit)
}

// Status says how far a replica has come.
type Status struct {
	Receipt wire.Receipt
	Unsent  int
	Changes int
	Folded  int // how many of them Compact put into segments
	Today   ranking.Day
	// Playbook says by which playbook the replica goes.
	Playbook PlaybookStatus
	Left     time.Time // when this device, whose access was taken back, emptied itself; zero: it has not
}

// Status returns how far the replica has come. It is of one moment: what the receipt covers is what other queries show, and
// what waits to be sent is beyond it.
func (r *Replica) Status(ctx context.Context) (s Status, err error) {
	r.turn.RLock()
	defer r.turn.RUnlock()
	st := r.committed.Load()
	s.Receipt, s.Left = st.cursor, st.left
	s.Today, s.Playbook = r.Today(), r.held.Load().status()
	if !s.Left.IsZero() {
		return s, nil
	}
	err = r.rdb.QueryRowContext(ctx, `SELECT (SELECT count(*) FROM changes), (SELECT coalesce(max(seq), 0) FROM segments)`).Scan(&s.Changes, &s.Folded)
	if err == nil {
		s.Changes += s.Folded
		s.Unsent, err = r.UnsentCount(ctx)
	}
	return s, err
}

// Heads returns the heads of every document, for comparing replicas.
func (r *Replica) Heads(ctx context.Context) (map[crdt.DocName][]automerge.Hash, error) {
	type doc struct {
		name  crdt.DocName
		heads []byte
	}
	docs, err := queryRows(ctx, r, func(rows *sql.Rows) (d doc, err error) {
		err = rows.Scan(&d.name, &d.heads)
		return d, err
	}, `SELECT name, heads FROM documents`)
	all := map[crdt.DocName][]automerge.Hash{}
	for _, d := range docs {
		for ; len(d.heads) >= 32; d.heads = d.heads[32:] {
			all[d.name] = append(all[d.name], automerge.Hash(d.heads[:32]))
		}
	}
	return all, err
}
