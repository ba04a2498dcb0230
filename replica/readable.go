package replica

import (
	"context"
	"slices"
	"strings"

	"trio/crdt"
	"trio/ranking"
	"trio/replica/importer"
	"trio/replica/sql"
)

// Person returns a contact as files hold people.
func (c *Contact) Person() importer.Person {
	p := importer.Person{Name: c.Display(), Company: c.Company, Note: c.Note, Birthday: c.Birthday, Tags: c.Tags, Stage: c.Stage, Consent: c.Consent}
	for _, x := range c.Phones {
		p.Phones = append(p.Phones, importer.Phone{Number: x.Value, Label: x.Label})
	}
	for _, x := range c.Emails {
		p.Emails = append(p.Emails, importer.Email{Address: x.Value, Label: x.Label})
	}
	return p
}

// Journal calls f with the whole log, the oldest first, but for what was taken back and for what the app noted itself of its
// suggestions.
func (r *Replica) Journal(ctx context.Context, f func(*Logged) error) error {
	if err := r.here(); err != nil {
		return err
	}
	rows, err := r.rdb.QueryContext(ctx, `SELECT id, day, body FROM entries e WHERE kind NOT IN ('void', 'suggestion', 'nudge')
		AND NOT EXISTS (SELECT 1 FROM voids WHERE about=e.id) ORDER BY at, id`)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		l, err := scanLogged(rows)
		if err == nil {
			err = f(&l)
		}
		if err != nil {
			return err
		}
	}
	return rows.Err()
}

// Step is something that is to be done on a day: a follow-up that was promised, or somebody who comes back from a pause.
type Step struct {
	Contact  Contact
	Date     string // YYYY-MM-DD
	Promised bool
}

// Steps returns what is to be done from today on, by date; at most limit.
func (r *Replica) Steps(ctx context.Context, limit int) ([]Step, error) {
	today := r.Today().String()
	due, err := queryRows(ctx, r, scanLogged, `SELECT id, day, body FROM entries e WHERE kind='promise' AND contact IS NOT NULL
		AND NOT EXISTS (SELECT 1 FROM voids WHERE about=e.id) ORDER BY at DESC, id DESC LIMIT 2000`)
	if err != nil {
		return nil, err
	}
	var all []Step
	seen := map[crdt.ContactID]bool{} // the newest promise counts
	for i := range due {
		if e := &due[i]; !seen[e.Contact] {
			seen[e.Contact] = true
			if e.Due < today {
				continue
			}
			c, err := r.Contact(ctx, e.Contact)
			if err != nil {
				continue // nobody any more
			}
			all = append(all, Step{c, e.Due, true})
		}
	}
	away, err := queryRows(ctx, r, scanStep, `SELECT `+contactColumns+` FROM contacts WHERE deleted=0 AND root IS NULL AND snooze>=? ORDER BY snooze, id LIMIT ?`, today, limit)
	all = append(all, away...)
	slices.SortStableFunc(all, func(a, b Step) int {
		return strings.Compare(a.Date, b.Date)
	})
	return all[:min(len(all), limit)], err
}

func scanStep(rows *sql.Rows) (Step, error) {
	c, err := scanContact(rows)
	return Step{Contact: c, Date: c.Snooze}, err
}

// Shared says how often pieces were shared from a day on, by name.
func (r *Replica) Shared(ctx context.Context, from ranking.Day) (map[string]int, error) {
	all, err := queryRows(ctx, r, scanLogged, `SELECT id, day, body FROM entries e WHERE day>=? AND kind='share'
		AND NOT EXISTS (SELECT 1 FROM voids WHERE about=e.id) LIMIT 5000`, int64(from))
	n := map[string]int{}
	for i := range all {
		n[all[i].Content]++
	}
	return n, err
}
