package learn

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"trio/crdt"
	"trio/ranking"
	"trio/ranking/playbook"
	"trio/server/fit"
	"trio/server/ledger"
	"trio/server/store"
)

// Store is what a night reads.
type Store interface {
	ledger.Orders
	Tenants(ctx context.Context) ([]store.Company, error)
	Members(ctx context.Context, t store.Tenant, after crdt.MemberID, limit int) ([]store.Member, error)
}

// Shelf holds the playbooks of companies.
type Shelf interface {
	// Standing returns where a company's playbook stands; ErrNone.
	Standing(ctx context.Context, t store.Tenant) (Standing, error)
	// Publish makes a document the company's newest, if the newest one is still that of the standing; ErrOvertaken. The
	// document's Version is the standing's Next; Publish gives it a higher one when devices took that meanwhile.
	Publish(ctx context.Context, t store.Tenant, s *Standing, doc *playbook.Doc) error
}

// Standing is where a company's playbook stands.
type Standing struct {
	Written *playbook.Doc // the newest that people wrote
	Newest  *playbook.Doc // the newest, fitted or written
	Fitted  time.Time     // when the newest was published, if it was fitted; zero: people published it, or it carries over what was learnt
	Next    uint32        // the version after it
}

// Errors of a Shelf.
var (
	// ErrNone: the company has published no playbook.
	ErrNone = errors.New("the company has published no playbook")
	// ErrOvertaken: another version was published meanwhile.
	ErrOvertaken = errors.New("another version was published meanwhile")
)

// clocks is how far the clocks of two servers of one store may differ.
const clocks = 5 * time.Minute

// Learner fits the playbooks of companies.
type Learner struct {
	Store Store
	Shelf Shelf
	Now   func() time.Time // nil: time.Now

	// Rest is called some times a second while members are read, with the time that was worked since the call before, so that a
	// night leaves room for others; nil: it takes what it gets.
	Rest func(ctx context.Context, worked time.Duration) error

	// Within has a night left out when a fitted version was published no longer ago: by another process, in the same night.
	// Zero: never.
	Within time.Duration
}

// Night fits the playbook of one company to what its members' documents tell up to yesterday (UTC), and publishes the result,
// when it is worth a version, unless dry. The report says what became of it and why; an error that nothing could be said.
func (l *Learner) Night(ctx context.Context, c store.Company, dry bool) (*Report, error) {
	now := time.Now
	if l.Now != nil {
		now = l.Now
	}
	began := time.Now()
	today := ranking.DayOf(now().UnixMilli(), 0)
	r := report(c)
	r.Until = (today - 1).String()
	defer func() { r.Seconds = time.Since(began).Seconds() }()
	s, err := l.Shelf.Standing(ctx, c.ID)
	if errors.Is(err, ErrNone) {
		return r.end(NoPlaybook, "the company has published no playbook: publish one, then there is something to fit"), nil
	}
	if err != nil {
		return nil, err
	}
	ago := now().Sub(s.Fitted)
	if ago < -clocks { // it is fitted all the same: else a clock that was once set ahead ended all nights until then
		r.Warning = fmt.Sprintf("version %d was fitted %v from now: look whether the server's clock is right", s.Newest.Version, -ago.Round(time.Minute))
	}
	if -clocks <= ago && ago < l.Within {
		return r.end(Done, fmt.Sprintf("version %d was fitted %v ago", s.Newest.Version, ago.Round(time.Minute))), nil
	}
	parent, old := s.Written.Ranking, s.Newest.Ranking
	r.Written, r.Newest = s.Written.Version, s.Newest.Version
	if s.Newest.Fitted != 0 && (s.Newest.Fitted != s.Written.Version || !alike(parent, old)) {
		old = parent // what was fitted to another document says nothing of this one
	}
	g, err := gather(ctx, l.Store, c.ID, old, today-1, l.Rest)
	if err != nil {
		return nil, err
	}
	r.gathered(g)
	r.ReadSeconds = time.Since(began).Seconds()
	log := fit.Log{Tuples: g.acts.all, Controls: g.controls.all, Orders: g.orders(), Today: today}
	if r.ActMembers < fit.FewestMembers || r.Acts < fit.FewestActs {
		log.Tuples = nil
	}
	if margin := parent.Margin; margin > 0 {
		in := g.currency()
		log.Earned = g.earned(margin, in)
		r.earned(log.Earned, in, margin)
	}
	if log.Tuples == nil && log.Orders == nil && log.Earned == nil {
		return r.end(TooLittle, fmt.Sprintf("%s of %s, and customers who came back of %s: from fewer than %d acts and %d members nothing is learnt",
			count(r.Acts, "act"), count(r.ActMembers, "member"), count(r.OrderMembers, "member"), fit.FewestActs, fit.FewestMembers)), nil
	}
	candidate, orders := fit.GateOrders(old, fit.Night(parent, old, &log), log.Orders, today)
	r.gatedOrders(&orders)
	moves := fit.Moves(old, candidate)
	r.moved(moves)
	r.values(parent, old, candidate)
	r.GateActs, r.LossOld, r.LossNew = fit.Losses(old, candidate, log.Tuples, today)
	if len(moves) == 0 || moves[0].Far < 1 {
		if r.OrdersKept {
			return r.end(Worse, r.whyOrders()+", and no other number moved"), nil
		}
		return r.end(NothingNew, "no number moved by more than chance moves it from one night to the next"), nil
	}
	released, err := fit.Release(old, candidate, log.Tuples, today)
	if err != nil {
		return r.end(Worse, err.Error()), nil
	}
	next := *s.Written
	next.Version, next.Fitted, next.Ranking = s.Next, s.Written.Version, released
	doc, err := playbook.Parse(next.Encode())
	if err != nil {
		return r.end(Refused, fmt.Sprintf("the fitted playbook is none that devices take: %v", err)), nil
	}
	if dry {
		return r.end(DryRun, fmt.Sprintf("it would be version %d", s.Next)+r.butOrders()), nil
	}
	switch err := l.Shelf.Publish(ctx, c.ID, &s, doc); {
	case errors.Is(err, ErrOvertaken):
		return r.end(Overtaken, fmt.Sprintf("another version came after version %d while this night ran: the next one starts from that", s.Newest.Version)), nil
	case err != nil:
		return nil, err
	}
	r.Version = doc.Version
	return r.end(Published, fmt.Sprintf("version %d is out, fitted to version %d", r.Version, r.Written)+r.butOrders()), nil
}

// alike says whether two playbooks have the same contents and bins, so that numbers of one can be compared to those of the other.
func alike(a, b *ranking.Playbook) bool {
	for t := range a.Rules {
		x, y := &a.Rules[t], &b.Rules[t]
		if len(x.Contents) != len(y.Contents) {
			return false
		}
		for f := range x.Weights {
			if len(x.Weights[f]) != len(y.Weights[f]) {
				return false
			}
			for i := range x.Weights[f] {
				if x.Weights[f][i].Below != y.Weights[f][i].Below {
					return false
				}
			}
		}
	}
	return true
}

// All fits the playbooks of all companies, one after the other, or of those that are named, and calls told with each report. One
// that fails, by a panic too, does not keep the others from theirs: the first error is returned at the end.
func (l *Learner) All(ctx context.Context, only []store.Tenant, dry bool, told func(*Report)) error {
	companies, err := l.Store.Tenants(ctx)
	if err != nil {
		return err
	}
	var first error
	for _, c := range companies {
		if len(only) > 0 && !contains(only, c.ID) {
			continue
		}
		r, stack, err := l.guarded(ctx, c, dry)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err != nil:
			first = cmp.Or(first, fmt.Errorf("company %d: %w", c.ID, err))
			r = report(c).end(Failed, err.Error())
			r.Stack = stack
		}
		told(r)
	}
	return first
}

// guarded is Night, but that a panic is an error, with the stack.
func (l *Learner) guarded(ctx context.Context, c store.Company, dry bool) (r *Report, stack string, err error) {
	defer func() {
		if p := recover(); p != nil {
			r, stack, err = nil, string(debug.Stack()), fmt.Errorf("panic: %v", p)
		}
	}()
	r, err = l.Night(ctx, c, dry)
	return r, "", err
}
