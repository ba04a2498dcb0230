package notice

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"trio/crdt"
	"trio/crdt/book"
	"trio/crdt/zone"
	"trio/ranking"
	"trio/ranking/playbook"
	"trio/server/learn"
	"trio/server/store"
)

// news is what a member could be told.
type news struct {
	home    book.Calendar
	quiet   string // setting of the profile
	minute  int    // of the day at which the day's notice is wanted
	wanted  bool
	acted   int64 // ms since 1970
	resting func(ranking.Day) bool
	head    uint64
	due     [2][]ranking.Suggestion // by list
	alerts  []ranking.Alert         // that may be given now
	asleep  time.Time               // when alerts are to be looked at again, which quiet hours keep back; zero: no need
}

// quietNow returns when the quiet hours end in which now lies, by the clock of a zone; zero: it is in none.
func quietNow(quiet string, z *zone.Zone, now int64) time.Time {
	const minute = 60_000
	shown := now + int64(z.Offset(now))*1000
	left := crdt.QuietLeft(quiet, int((shown/minute)%(24*60)))
	if left == 0 {
		return time.Time{}
	}
	return time.UnixMilli(z.Instant(shown - shown%minute + int64(left)*minute))
}

// maxAlerts bounds the alerts that are looked at of a member: more at once are an import.
const maxAlerts = 200

// look reads a member's documents as a device does, and ranks: what is due on the day of now, and which alerts. It is the
// same code over the same facts as on the device, so the two count alike.
func (s *Service) look(ctx context.Context, m crdt.MemberID, t store.Tenant, at time.Time) (*news, error) {
	pb, err := s.playbook(ctx, t)
	if err != nil {
		return nil, err
	}
	now := at.UnixMilli()
	longest := int64(0)
	for i := range pb.Rules {
		if n := pb.Rules[i].Notice; n != nil {
			longest = max(longest, n.Minutes)
		}
	}
	b, err := learn.Open(ctx, s.cfg.Store, m, now-min(longest, 366*24*60)*60_000, now)
	if err != nil {
		return nil, err
	}
	for _, u := range b.Unread() {
		if u.Doc == crdt.ProfileDoc { // it says when nothing is wanted
			return nil, fmt.Errorf("the profile of member %s cannot be read, so nothing is told: %s", m, u.Why)
		}
	}
	x := &news{home: b.Home(), quiet: b.Setting(crdt.ProfileQuiet), acted: b.Acted(), head: b.Head(), resting: b.Rests}
	x.minute, x.wanted = crdt.Remind(b.Setting(crdt.ProfileRemind))
	today := x.home.Day(now)
	home := x.home.On(today)
	own := ranking.Member{Seed: book.Seed(m)}
	var facts []ranking.Facts
	type event struct {
		facts int
		note  book.Note
		zone  string
	}
	var brought []event
	err = b.People(ctx, func(p *learn.Person) error {
		for i := range p.Acts {
			if p.Acts[i].Closed(today) {
				own.Count(&p.Acts[i], 1)
			}
		}
		touched := int64(-1 << 62)
		for i := range p.Notes {
			n := &p.Notes[i]
			if n.What == book.Event && n.Event.Kind == ranking.EventTouch {
				touched = max(touched, n.At)
			}
		}
		for i := range p.Notes {
			if n := &p.Notes[i]; n.What == book.Event && b.Brought(n.ID) && n.At > touched && n.Event.Kind != ranking.EventTouch {
				brought = append(brought, event{len(facts), *n, p.Zone})
			}
		}
		facts = append(facts, p.Facts)
		return ctx.Err()
	})
	if err != nil {
		return nil, err
	}
	var r ranking.Ranker
	for _, list := range []ranking.List{ranking.Prospects, ranking.Members} {
		var out [3]ranking.Suggestion
		n := r.Rank(pb, &own, today, list, facts, &out)
		x.due[list] = slices.Clone(out[:n])
	}
	slices.SortFunc(brought, func(a, b event) int {
		return cmp.Or(cmp.Compare(b.note.At, a.note.At), slices.Compare(a.note.ID[:], b.note.ID[:]))
	})
	wake := func(t, until time.Time) {
		if t.Before(until) && (x.asleep.IsZero() || t.Before(x.asleep)) {
			x.asleep = t
		}
	}
	atHome := quietNow(x.quiet, home, now)
	for _, e := range brought[:min(len(brought), maxAlerts)] {
		a, ok := pb.Alert(&own, &facts[e.facts], &e.note.Event, e.note.At, now)
		if !ok || slices.ContainsFunc(x.alerts, func(y ranking.Alert) bool { return y.Key == a.Key }) ||
			b.Has(crdt.SourceEntryID(m, a.Key)) { // a device has shown it
			continue
		}
		there := home
		if z, err := zone.Load(e.zone); e.zone != "" && err == nil {
			there = z
		}
		until := time.UnixMilli(a.Until)
		if end := quietNow(x.quiet, there, now); !atHome.IsZero() || !end.IsZero() {
			if end.Before(atHome) {
				end = atHome
			}
			wake(end, until)
			continue
		}
		x.alerts = append(x.alerts, a)
	}
	slices.SortFunc(x.alerts, func(a, b ranking.Alert) int { return cmp.Or(cmp.Compare(b.EV, a.EV), strings.Compare(a.Key, b.Key)) })
	return x, nil
}

// hours before and after an instant at which the clock at home shows a minute of the day: the last one that was, and the next.
func (x *news) hours(now time.Time) (last, next time.Time) {
	const day = 24 * 60 * 60_000
	today := x.home.Day(now.UnixMilli())
	for d := today - 2; d <= today+3; d++ {
		t := time.UnixMilli(x.home.On(d).Instant(int64(d)*day + int64(x.minute)*60_000))
		if t.After(now) {
			return last, t
		}
		last = t
	}
	return last, now.Add(24 * time.Hour) // no clock stands still for days
}

// playbook returns the one that the company's devices go by: the newest that can be read, or the one that every build brings.
func (s *Service) playbook(ctx context.Context, t store.Tenant) (*ranking.Playbook, error) {
	heads, err := s.cfg.Store.PlaybookHeads(ctx, []store.Tenant{t})
	if err != nil {
		return nil, err
	}
	version := heads[t].Version
	s.mu.Lock()
	held := s.books[t]
	s.mu.Unlock()
	if held.pb != nil && held.version == version {
		return held.pb, nil
	}
	if held.pb == nil {
		held.pb = playbook.Default().Ranking
	}
	held.version = version
	if version != 0 {
		p, err := s.cfg.Store.PlaybookOf(ctx, t, version)
		if err != nil {
			return nil, err
		}
		if doc, err := playbook.Parse(p.Doc); err == nil { // else the one before goes on, as on devices
			held.pb = doc.Ranking
		}
	}
	s.mu.Lock()
	s.books[t] = held
	s.mu.Unlock()
	return held.pb, nil
}
