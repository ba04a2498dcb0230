package learn

import (
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"slices"
	"time"

	"trio/crdt"
	"trio/crdt/book"
	"trio/ranking"
	"trio/server/fit"
	"trio/server/store"
)

// Bounds of what is kept of all members of a company: of more a fair sample is taken, which tells as much about some hundred
// numbers.
const (
	maxActs      = 1_000_000 // 72 bytes each, and some 100 more while a trigger's are fitted
	maxControls  = 500_000   // 56 bytes
	maxCustomers = 500_000   // 80 bytes and 4 an order day
	maxCourses   = 100_000   // members, of 200 bytes
)

// customer is whoever ordered.
type customer struct {
	member  crdt.MemberID
	contact ranking.ContactID
	days    fit.Orders
	spent   int64 // cents on paid days, of the last priceDays, in one currency
	paid    int32
	in      book.Currency
}

// priceDays is how far back what orders cost is looked at: prices change.
const priceDays = 2 * 365

// gathered is what a company's members' documents tell.
type gathered struct {
	members, contacts int
	acts              sample[fit.Tuple]
	controls          sample[fit.Control]
	customers         sample[customer]
	courses           sample[fit.Course]
	unread            []Unread // the first maxUnread
	unreadN           int
	pause             func(context.Context) error
}

// maxUnread bounds how many documents a report names.
const maxUnread = 20

// paced rests before each page of a member's order, told how long was worked since the rest before.
type paced struct {
	Store
	rest  func(context.Context, time.Duration) error
	since time.Time
}

func (p *paced) Since(ctx context.Context, m crdt.MemberID, after uint64, limit, maxBytes int) (store.Page, error) {
	if err := p.rest(ctx, time.Since(p.since)); err != nil {
		return store.Page{}, err
	}
	p.since = time.Now()
	return p.Store.Since(ctx, m, after, limit, maxBytes)
}

// atOnce is how long is worked on what was read of a member before there is a rest, about.
const atOnce = 50 * time.Millisecond

// pause rests between two people of a member, if it was worked long enough.
func (p *paced) pause(ctx context.Context) error {
	worked := time.Since(p.since)
	if worked < atOnce {
		return nil
	}
	err := p.rest(ctx, worked)
	p.since = time.Now()
	return err
}

// gather reads all members of a company, as a playbook sees what they did up to a day. rest is called after each page with the
// time that it took; nil: nothing is.
func gather(ctx context.Context, st Store, t store.Tenant, pb *ranking.Playbook, until ranking.Day, rest func(context.Context, time.Duration) error) (*gathered, error) {
	salt := rand.Uint64() // so that nobody can have ids that are always taken
	g := &gathered{
		acts:      sample[fit.Tuple]{most: maxActs, key: actKey, salt: salt},
		controls:  sample[fit.Control]{most: maxControls, key: controlKey, salt: salt},
		customers: sample[customer]{most: maxCustomers, key: customerKey, salt: salt},
		courses:   sample[fit.Course]{most: maxCourses, key: courseKey, salt: salt},
		pause:     func(context.Context) error { return nil },
	}
	if rest != nil {
		p := &paced{st, rest, time.Now()}
		st, g.pause = p, p.pause
	}
	var after crdt.MemberID
	for {
		page, err := st.Members(ctx, t, after, store.MaxMembersPage)
		if err != nil || len(page) == 0 {
			return g, err
		}
		for _, m := range page {
			after = m.ID
			if err := g.member(ctx, st, m.ID, pb, until); err != nil {
				return nil, err
			}
		}
	}
}

// member takes in what one member's documents tell. What of it cannot be read is noted; an error ends the night.
func (g *gathered) member(ctx context.Context, st Store, m crdt.MemberID, pb *ranking.Playbook, until ranking.Day) error {
	var acts []fit.Tuple
	var controls []fit.Control
	var customers []customer
	course := fit.Course{Member: fit.MemberID(m)}
	contacts := 0
	unread, err := Read(ctx, st, m, func(p *Person) error {
		contacts++
		acts, controls = fit.Observe(pb, p.Contact(m), until-fit.MostDays, until, acts, controls)
		if pb.Margin > 0 {
			course.Follow(p.Contact(m), until)
		}
		var days fit.Orders
		for i := range p.Events {
			if ev := &p.Events[i]; ev.Kind == ranking.EventOrder && ev.Day <= until && (len(days) == 0 || days[len(days)-1] < ev.Day) {
				days = append(days, ev.Day)
			}
		}
		if len(days) > 0 {
			c := customer{member: m, contact: p.Facts.Contact, days: days}
			c.spend(p.Spent, until)
			customers = append(customers, c)
		}
		return g.pause(ctx)
	})
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(err, store.ErrClosed) || errors.Is(err, store.ErrBusy):
		return err
	case err != nil:
		unread = []Unread{{Member: m, Why: err.Error()}}
	default:
		g.members++
		g.contacts += contacts
	}
	g.unreadN += len(unread)
	g.unread = append(g.unread, unread[:min(len(unread), maxUnread-len(g.unread))]...)
	g.acts.add(acts)
	g.controls.add(controls)
	g.customers.add(customers)
	g.courses.add([]fit.Course{course})
	return nil
}

// spend sums what a customer's orders cost, in the currency of most of them, of two equal ones in the first by its code.
func (c *customer) spend(orders []Spent, until ranking.Day) {
	count := map[book.Currency]int{}
	for _, o := range orders {
		if o.Day > until-priceDays && o.Day <= until {
			count[o.Currency]++
		}
	}
	c.in = mostOf(count)
	last := ranking.Day(0)
	for _, o := range orders {
		if o.Currency != c.in || o.Day <= until-priceDays || o.Day > until {
			continue
		}
		c.spent += o.Cents
		if o.Day != last {
			c.paid++
		}
		last = o.Day
	}
}

// mostOf is the currency that is counted most, of equal ones the first by its code; none is taken only where no other is.
func mostOf(count map[book.Currency]int) (most book.Currency) {
	for c, n := range count {
		if c == (book.Currency{}) {
			continue
		}
		if m := count[most]; most == (book.Currency{}) || n > m || n == m && bytes.Compare(c[:], most[:]) < 0 {
			most = c
		}
	}
	return most
}

// currency is the one that customers of most members pay in: a member has one vote, that of most of its customers.
func (g *gathered) currency() book.Currency {
	of := map[crdt.MemberID]map[book.Currency]int{}
	for i := range g.customers.all {
		if c := &g.customers.all[i]; c.paid > 0 && c.in != (book.Currency{}) {
			if of[c.member] == nil {
				of[c.member] = map[book.Currency]int{}
			}
			of[c.member][c.in]++
		}
	}
	votes := map[book.Currency]int{}
	for _, count := range of {
		votes[mostOf(count)]++
	}
	return mostOf(votes)
}

// earned says what a success is worth by what was ordered in a currency, of a member no more than its part; nil when fewer than
// 20 members have customers of whom that is known.
func (g *gathered) earned(margin int64, in book.Currency) *fit.Earned {
	all := level(g.customers.all, func(c *customer) bool {
		return c.paid > 0 && c.spent > 0 && (c.in == in || c.in == book.Currency{})
	})
	if len(told(all, func(c *customer) crdt.MemberID { return c.member })) < fit.FewestMembers || len(all) < fit.FewestActs {
		return nil
	}
	buyers := make([]fit.Buyer, len(all))
	for i := range all {
		buyers[i] = fit.Buyer{Orders: int(all[i].paid), Mean: float64(all[i].spent) / float64(all[i].paid)}
	}
	return fit.Earn(margin, buyers, g.courses.all)
}

// told counts the members that some things are of.
func told[T any](all []T, member func(*T) crdt.MemberID) map[crdt.MemberID]int {
	n := map[crdt.MemberID]int{}
	for i := range all {
		n[member(&all[i])]++
	}
	return n
}

// orders returns the customers' orders, of a member no more than its part, in an order of their own; none when too few members have
// customers who came back.
func (g *gathered) orders() []fit.Orders {
	again := map[crdt.MemberID]bool{}
	for i := range g.customers.all {
		if c := &g.customers.all[i]; len(c.days) > 1 {
			again[c.member] = true
		}
	}
	if len(again) < fit.FewestMembers {
		return nil
	}
	var out []fit.Orders
	for _, c := range level(g.customers.all, func(*customer) bool { return true }) {
		out = append(out, c.days)
	}
	return out
}

// level returns those customers that are wanted, of a member no more than its part, in an order of their own.
func level(all []customer, want func(*customer) bool) (out []customer) {
	for i := range all {
		if want(&all[i]) {
			out = append(out, all[i])
		}
	}
	count := told(out, func(c *customer) crdt.MemberID { return c.member })
	sums := make([]float64, 0, len(count))
	for _, n := range count {
		sums = append(sums, float64(n))
	}
	most := max(int(fit.Level(sums)), 1)
	slices.SortFunc(out, func(a, b customer) int {
		return cmp.Or(bytes.Compare(a.member[:], b.member[:]), cmp.Compare(customerKey(0, &a), customerKey(0, &b)))
	})
	taken, kept := 0, out[:0]
	var last crdt.MemberID
	for _, c := range out {
		if c.member != last {
			last, taken = c.member, 0
		}
		if taken++; taken <= most {
			kept = append(kept, c)
		}
	}
	return kept
}

// A sample keeps so many things at most: of more those whose key begins with enough zeros, whatever the order in which they come.
type sample[T any] struct {
	most  int
	key   func(salt uint64, v *T) uint64
	salt  uint64 // of this night
	all   []T
	seen  int
	zeros uint
}

func (s *sample[T]) add(more []T) {
	s.seen += len(more)
	for i := range more {
		if s.in(&more[i]) {
			s.all = append(s.all, more[i])
		}
	}
	for len(s.all) > s.most && s.zeros < 64 {
		s.zeros++
		s.all = slices.DeleteFunc(s.all, func(v T) bool { return !s.in(&v) })
	}
}

func (s *sample[T]) in(v *T) bool { return s.zeros == 0 || s.key(s.salt, v)>>(64-s.zeros) == 0 }

func actKey(salt uint64, t *fit.Tuple) uint64 {
	return mix(salt, binary.LittleEndian.Uint64(t.Member[8:]), binary.LittleEndian.Uint64(t.Contact[:8]), binary.LittleEndian.Uint64(t.Contact[8:]),
		uint64(t.Day)<<24|uint64(t.Trigger)<<16|uint64(t.Channel)<<8|uint64(t.Content))
}

func controlKey(salt uint64, c *fit.Control) uint64 {
	return mix(salt, binary.LittleEndian.Uint64(c.Member[8:]), uint64(c.Day)<<8|uint64(c.Trigger), uint64(c.Age), uint64(c.Unasked))
}

func customerKey(salt uint64, c *customer) uint64 {
	return mix(salt, binary.LittleEndian.Uint64(c.member[8:]), binary.LittleEndian.Uint64(c.contact[:8]), binary.LittleEndian.Uint64(c.contact[8:]))
}

func courseKey(salt uint64, c *fit.Course) uint64 {
	return mix(salt, binary.LittleEndian.Uint64(c.Member[:8]), binary.LittleEndian.Uint64(c.Member[8:]))
}

// mix makes a number of some, in which each bit depends on all of theirs (the steps of SplitMix64).
func mix(words ...uint64) (h uint64) {
	for _, w := range words {
		h = (h ^ w) + 0x9e3779b97f4a7c15
		h = (h ^ h>>30) * 0xbf58476d1ce4e5b9
		h = (h ^ h>>27) * 0x94d049bb133111eb
		h ^= h >> 31
	}
	return h
}
