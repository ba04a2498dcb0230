package replica

import (
	"context"
	"errors"
	"time"

	"trio/crdt"
	"trio/crdt/zone"
	"trio/ranking"
	"trio/replica/sql"
)

// QuietUntil returns when a contact may be called or written to again, where it is now too late or too early for that by
// the contact's own clock: the field zone, or the member's home where that is not known. It is zero when now is fine. The
// hours are the profile's, from 21:00 to 08:00 when none are set. They hold for now: today's list names the contact all
// the same.
func (r *Replica) QuietUntil(ctx context.Context, c crdt.ContactID) (time.Time, error) {
	quiet, err := r.Profile(ctx, crdt.ProfileQuiet)
	if err != nil {
		return time.Time{}, err
	}
	name, err := r.contactText(ctx, c, crdt.FieldZone)
	if err != nil {
		return time.Time{}, err
	}
	st := r.committed.Load()
	now := r.now().UnixMilli() + st.skew
	z := st.home.On(st.home.Day(now))
	if name != "" {
		if there, err := zone.Load(name); err == nil { // what this device does not know is as if it were not said
			z = there
		}
	}
	const minute = 60_000
	shown := now + int64(z.Offset(now))*1000
	left := crdt.QuietLeft(quiet, int(shown/minute%(24*60)))
	if left == 0 {
		return time.Time{}, nil
	}
	return time.UnixMilli(z.Instant(shown - shown%minute + int64(left)*minute)), nil
}

// contactText returns a text field of a contact, "" when it is not set.
func (r *Replica) contactText(ctx context.Context, c crdt.ContactID, field string) (string, error) {
	var s string
	err := r.queryRow(ctx, []any{&s}, `SELECT str FROM registers g JOIN documents d ON d.id=g.doc JOIN actors a ON a.id=g.actor
		WHERE d.name=? AND key=? AND str IS NOT NULL ORDER BY ctr DESC, a.actor DESC LIMIT 1`, crdt.ContactsDoc, crdt.ContactKey(c, field))
	if errors.Is(err, sql.ErrNoRows) {
		return "", nil
	}
	return s, err
}

// Ends returns what would take a suggestion off the list: see ranking.Playbook.Ends. It is none where the suggestion does not
// stand any more.
func (r *Replica) Ends(s Suggestion) []ranking.End {
	pb, today := r.Playbook().Ranking, r.Today()
	r.top.Lock()
	i, ok := r.top.at[ranking.ContactID(s.Contact)]
	var f ranking.Facts
	if ok {
		f = r.top.facts[i]
	}
	r.top.Unlock()
	if !ok {
		return nil
	}
	return pb.Ends(today, &f, &s.Suggestion, nil)
}
