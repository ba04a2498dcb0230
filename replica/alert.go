package replica

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"trio/crdt"
	"trio/crdt/book"
	"trio/ranking"
	"trio/replica/sql"
)

// Alert is a notice that is due, as screens show it: something has just happened that asks for a step.
type Alert struct {
	Suggestion           // the step; who follows it acts on it like on any other
	Notice     string    // what happened: "Priya has just filled in your form: now is the best time to call"
	Until      time.Time // from then on it is not given any more, or taken back
	Key        string    // names it on all the member's devices
}

// maxNews bounds how many of the newest entries are looked at for notices: more at once are an import.
const maxNews = 200

// Alerts returns the notices that are due now and were given on no device as far as this one knows, the most valuable
// first. It is to be asked when Watch tells of a change. Say so by Alerted when one was shown.
//
// Notices are of what contacts did and systems brought (evidence E3 and E4); what the promoter types in is no news to the
// promoter, nor is what was followed by a touch. In quiet hours there are none, at home as where the contact lives (QuietUntil): what is
// still news at their end is given then.
func (r *Replica) Alerts(ctx context.Context, lang string) ([]Alert, error) {
	quiet, err := r.Profile(ctx, crdt.ProfileQuiet)
	if err != nil || crdt.QuietLeft(quiet, r.moment().Minute) > 0 {
		return nil, err
	}
	pb := r.Playbook().Ranking
	longest := int64(0)
	for t := range pb.Rules {
		if n := pb.Rules[t].Notice; n != nil {
			longest = max(longest, n.Minutes)
		}
	}
	st := r.committed.Load()
	now := r.now().UnixMilli() + st.skew
	const day = 24 * 60 * 60_000
	from := now - min(longest, 366*24*60)*60_000
	type news struct {
		id  crdt.EntryID
		at  int64
		day ranking.Day
		e   crdt.Entry
	}
	all, err := queryRows(ctx, r, func(rows *sql.Rows) (n news, err error) {
		var id []byte
		var body string
		if err := rows.Scan(&id, &n.at, &n.day, &body); err != nil {
			return n, err
		}
		n.id = crdt.EntryID(id)
		n.e, err = crdt.ParseEntry(body)
		return n, err
	}, `SELECT id, at, day, body FROM entries e WHERE day>=? AND at>? AND contact IS NOT NULL
		AND kind NOT IN ('void','award','nudge','suggestion') AND kind NOT IN `+touchKinds+`
		AND NOT EXISTS (SELECT 1 FROM voids WHERE about=e.id) ORDER BY at DESC, id DESC LIMIT ?`,
		st.home.Day(from-day), from, maxNews)
	if err != nil {
		return nil, err
	}
	sender, err := r.Profile(ctx, crdt.ProfileName)
	if err != nil {
		return nil, err
	}
	var out []Alert
	for _, n := range all {
		note := book.NewNote(n.id, &n.e)
		if note.What != book.Event || n.e.Evidence < crdt.E3 {
			continue
		}
		c, err := book.Merges(func(c crdt.ContactID) (into crdt.ContactID, err error) {
			var b []byte
			err = r.queryRow(ctx, []any{&b}, `SELECT (SELECT root FROM contacts WHERE id=?)`, c[:])
			copy(into[:], b)
			return into, err
		}).Root(n.e.Contact)
		if err != nil {
			return nil, err
		}
		note.Event.Day = n.day
		a, ok := r.top.alert(pb, book.Seed(r.member), r.Today(), c, &note.Event, n.at, now)
		if !ok || slices.ContainsFunc(out, func(x Alert) bool { return x.Key == a.Key }) {
			continue
		}
		id := crdt.SourceEntryID(r.member, a.Key)
		var done bool
		err = r.queryRow(ctx, []any{&done}, `WITH RECURSIVE person(id) AS (SELECT ? UNION SELECT c.id FROM contacts c JOIN person p ON c.root=p.id)
			SELECT EXISTS (SELECT 1 FROM entries WHERE id=?) OR EXISTS (SELECT 1 FROM entries e JOIN person p ON e.contact=p.id
				WHERE e.kind IN `+touchKinds+` AND e.at>=? AND NOT EXISTS (SELECT 1 FROM voids WHERE about=e.id))`, c[:], id[:], n.at)
		if err != nil {
			return nil, err
		}
		if done {
			continue
		}
		if until, err := r.QuietUntil(ctx, c); err != nil || !until.IsZero() {
			if err != nil {
				return nil, err
			}
			continue
		}
		s, err := r.spell(ctx, pb, a.Suggestion, lang, sender)
		if err != nil {
			return nil, err
		}
		who, err := r.Contact(ctx, c)
		if err != nil {
			return nil, err
		}
		out = append(out, Alert{
			Suggestion: s, Notice: pb.NoticeWords(a.Trigger, lang, ranking.FirstName(who.Name)), Until: time.UnixMilli(a.Until), Key: a.Key,
		})
	}
	slices.SortFunc(out, func(a, b Alert) int { return cmp.Or(cmp.Compare(b.EV, a.EV), strings.Compare(a.Key, b.Key)) })
	return out, nil
}

// Alerted logs that a notice was shown, once for all devices: that the suggestion was, under an id made of its key.
func (r *Replica) Alerted(ctx context.Context, a Alert) error {
	if !strings.HasPrefix(a.Key, "notice:") { // ids of other entries are made of other keys
		return errors.New("this notice has no key: give back what Alerts returned")
	}
	id := crdt.SourceEntryID(r.member, a.Key)
	return r.update(ctx, func(t *tx) error {
		var given bool
		if _, err := t.one([]any{&given}, `SELECT EXISTS (SELECT 1 FROM entries WHERE id=?)`, id[:]); err != nil || given {
			return err
		}
		return t.log(id, a.choice(crdt.Shown))
	})
}

// alert asks the playbook for the notice that an event calls for.
func (s *topThree) alert(pb *ranking.Playbook, seed uint64, today ranking.Day, c crdt.ContactID, ev *ranking.Event, at, now int64) (ranking.Alert, bool) {
	s.Lock()
	defer s.Unlock()
	i, ok := s.at[ranking.ContactID(c)]
	if !ok {
		return ranking.Alert{}, false
	}
	s.on(today, seed)
	return pb.Alert(&s.member, &s.facts[i], ev, at, now)
}
