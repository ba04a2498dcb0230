package replica

import (
	"context"
	"slices"
	"time"

	"trio/crdt"
	"trio/crdt/book"
	"trio/ranking"
	"trio/replica/sql"
)

// NextStep returns the best step with one contact, as TopThree would suggest it if there were nobody else; false when
// nothing needs doing. It is for who looks at that person; what is to be done next of all, TopThree says.
func (r *Replica) NextStep(ctx context.Context, c crdt.ContactID, lang string) (Suggestion, bool, error) {
	pb := r.Playbook().Ranking
	p, ok := r.top.next(pb, book.Seed(r.member), r.Today(), c)
	if !ok {
		return Suggestion{}, false, nil
	}
	sender, err := r.Profile(ctx, crdt.ProfileName)
	if err != nil {
		return Suggestion{}, false, err
	}
	s, err := r.spell(ctx, pb, p, lang, sender)
	return s, err == nil, err
}

// next ranks one contact alone.
func (s *topThree) next(pb *ranking.Playbook, seed uint64, today ranking.Day, c crdt.ContactID) (ranking.Suggestion, bool) {
	s.Lock()
	defer s.Unlock()
	i, ok := s.at[ranking.ContactID(c)]
	if !ok {
		return ranking.Suggestion{}, false
	}
	s.on(today, seed)
	list := ranking.Members
	if s.facts[i].Stage == ranking.Prospect {
		list = ranking.Prospects
	}
	var one ranking.Ranker
	var out [3]ranking.Suggestion
	n := one.Rank(pb, &s.member, today, list, s.facts[i:i+1], &out)
	return out[0], n > 0
}

// Undated says whether a talk with somebody had better end with a day for the next one: it went on from there, and the list would
// let them rest for weeks. So it is with a prospect, and with a customer who was asked today to become a promoter, unless a day is
// known already: one that was promised, a webinar's, the end of a pause. Else a customer's next day is told by the orders, and
// a promoter's by the days since they began.
func (r *Replica) Undated(c crdt.ContactID, o ranking.Outcome) bool {
	if o != ranking.Answered && o != ranking.Replied && o != ranking.Moved {
		return false
	}
	today := r.Today()
	s := &r.top
	s.Lock()
	defer s.Unlock()
	i, ok := s.at[ranking.ContactID(c)]
	if !ok {
		return false
	}
	f := &s.facts[i]
	asked := f.Stage == ranking.Customer && f.Past(ranking.AskPromote).Done == ranking.DateOf(today)
	webinar := max(f.WebinarDay, f.JoinedDay)
	return (f.Stage == ranking.Prospect || asked) && f.Consent < ranking.OptedOut && max(f.Promised, f.Snooze).Day() <= today &&
		(webinar.Day() < today || f.AttendedDay >= webinar)
}

// Captured is a contact with the day on which it was captured, in the member's home calendar.
type Captured struct {
	Contact
	Day ranking.Day
}

// maxCaptured bounds what Captured returns: nobody meets more people in a few days.
const maxCaptured = 500

// Captured returns whom the member met on the last days, today included: the living contacts that were captured by hand
// and not brought by a file, in the order in which they were met.
func (r *Replica) Captured(ctx context.Context, days int) ([]Captured, error) {
	home := r.committed.Load().home
	first := r.Today() - ranking.Day(max(days, 1)-1)
	const day = 24 * time.Hour
	from := r.now().Add(-time.Duration(max(days, 1)+1) * day).UnixMilli() // a day has up to 25 hours
	all, err := queryRows(ctx, r, func(rows *sql.Rows) (c Captured, err error) {
		if c.Contact, err = scanContact(rows); err == nil {
			c.Day = home.Day(c.Created.UnixMilli())
		}
		return c, err
	}, `SELECT `+contactColumns+` FROM contacts WHERE deleted=0 AND root IS NULL AND created>=? AND source<>? ORDER BY created DESC, id DESC LIMIT ?`,
		from, book.SourceImport, maxCaptured)
	slices.Reverse(all)
	return slices.DeleteFunc(all, func(c Captured) bool { return c.Day < first }), err
}

// FirstGoalDay is the day of the member's first commitment, with which everything begins; false while there is none.
func (r *Replica) FirstGoalDay() (first ranking.Day, ok bool) {
	r.habits.Lock()
	defer r.habits.Unlock()
	for _, c := range r.habits.plan.Goals {
		if c.Want > 0 && (!ok || c.From < first) {
			first, ok = c.From, true
		}
	}
	return first, ok
}
