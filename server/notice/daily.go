package notice

import (
	"context"
	"time"

	"trio/crdt"
	"trio/server/store"
)

// daily gives the notices of the day for which it is time, and reads the documents of those whose hour comes next, until it is
// time for somebody else. What is read beforehand is used only if nothing was committed since.
func (s *Service) daily(ctx context.Context) {
	began := time.Now()
	now := s.cfg.Now()
	soon := map[crdt.MemberID]ready{}
	busy := func() bool { return ctx.Err() != nil || time.Since(began) > s.cfg.Tick }
	for after := (store.Reminder{}); ; {
		page, err := s.cfg.Store.Reminders(ctx, now.Add(lead), after, 500)
		if err != nil || len(page) == 0 {
			if err != nil {
				s.failed(ctx, "reminders not read", err)
			}
			break
		}
		after = page[len(page)-1]
		var members []crdt.MemberID // whose time it is
		for _, r := range page {
			if !r.Next.After(now) {
				members = append(members, r.Member)
			}
		}
		heads, err := s.cfg.Store.Heads(ctx, members)
		if err != nil {
			s.failed(ctx, "heads not read", err)
			break
		}
		for _, r := range page {
			has, ok := s.ready[r.Member]
			ok = ok && has.next.Equal(r.Next)
			if r.Next.After(now) {
				if !ok && r.Ignored < MaxIgnored && !busy() { // who let them pass is looked at only if something was committed
					has, ok = ready{s.mustLook(ctx, &r, r.Next), r.Next}, true
				}
				if ok {
					soon[r.Member] = has
				}
				continue
			}
			if ok = ok && has.news != nil && has.head == heads[r.Member]; !ok {
				has.news = nil
				if !paused(&r, heads[r.Member]) {
					has.news = s.mustLook(ctx, &r, now)
				}
			}
			if err := s.remind(ctx, &r, has.news, now); err != nil {
				s.failed(ctx, "reminder not set", err)
			}
			if ctx.Err() != nil {
				return
			}
			now = s.cfg.Now()
		}
	}
	s.ready = soon
}

// mustLook looks at a member, and rests. Who cannot be read is told nothing that day: nil.
func (s *Service) mustLook(ctx context.Context, r *store.Reminder, at time.Time) *news {
	began := time.Now()
	x, err := s.look(ctx, r.Member, r.Tenant, at)
	if err != nil {
		s.failed(ctx, "reminder not looked at", err)
		return nil
	}
	if s.cfg.Rest(ctx, time.Since(began)) != nil {
		return nil
	}
	return x
}

// paused says whether a member let so many notices pass that they stopped, and has committed nothing since: then there is nothing
// to look at.
func paused(r *store.Reminder, head uint64) bool {
	return !r.Next.IsZero() && r.Ignored >= MaxIgnored && r.Head == head
}

// remind decides whether a member is given the notice of the day and when to look again, and gives it, if it was this process
// that decided. Without news the member is looked at again the next day.
func (s *Service) remind(ctx context.Context, r *store.Reminder, x *news, now time.Time) error {
	next, give := decide(r, x, now)
	var n Notice
	var to []store.Subscription
	if give {
		_, ends := x.hours(now)
		var ok bool
		if n, ok = newDue(x.due, earlier(ends, now.Add(12*time.Hour))); ok {
			var err error
			if to, err = s.cfg.Store.Subscriptions(ctx, r.Member); err != nil {
				return err
			}
		}
	}
	ok, err := s.cfg.Store.SetReminder(ctx, next, r.Next)
	if err != nil || !ok {
		return err
	}
	s.noted(next)
	s.give(to, n)
	return nil
}

// decide is the rule: see the package comment. It returns the reminder as it is to be from now on.
func decide(r *store.Reminder, x *news, now time.Time) (next store.Reminder, give bool) {
	next = *r
	next.Next = now.Add(24 * time.Hour)
	if next.Given.After(now) { // by a clock that was ahead
		next.Given = time.Time{}
	}
	if x == nil {
		return next, false
	}
	next.Head = x.head
	if x.acted >= next.Given.UnixMilli() || next.Given.IsZero() {
		next.Ignored = 0
	}
	if !x.wanted {
		return next, false // a change of the profile brings the member here sooner
	}
	last, hour := x.hours(now)
	next.Next = hour
	today := x.home.Day(now.UnixMilli())
	switch {
	case r.Next.IsZero(): // has just subscribed, or changed the hour: the next one is the first
	case now.Sub(last) >= window || x.home.Day(last.UnixMilli()) != today: // nobody looked in time
	case !next.Given.IsZero() && x.home.Day(next.Given.UnixMilli()) >= today:
	case next.Ignored >= MaxIgnored:
	case x.resting(today):
	case x.acted != 0 && x.home.Day(x.acted) >= today:
	case len(x.due[0])+len(x.due[1]) == 0:
	default:
		if end := quietNow(x.quiet, x.home.On(today), now.UnixMilli()); !end.IsZero() {
			if end.Sub(last) < window {
				next.Next = end
			}
			return next, false
		}
		next.Given = now
		next.Ignored++
		return next, true
	}
	return next, false
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}
