package ranking

import "encoding/binary"

// rng is SplitMix64: the tests' dice, the same on every build.
type rng uint64

func (r *rng) next() uint64 {
	*r += 0x9e3779b97f4a7c15
	return mix(uint64(*r))
}

func (r *rng) below(n int) int        { return int(r.next() % uint64(n)) }
func (r *rng) percent(p int) bool     { return r.below(100) < p }
func (r *rng) between(lo, hi int) int { return lo + r.below(hi-lo+1) }
func shuffle[T any](r *rng, s []T) {
	for i := len(s) - 1; i > 0; i-- {
		j := r.below(i + 1)
		s[i], s[j] = s[j], s[i]
	}
}

func id(n uint64) (c ContactID) {
	binary.BigEndian.PutUint64(c[:8], mix(n))
	binary.BigEndian.PutUint64(c[8:], n)
	return c
}

// book is one member's world: contacts and their whole logs, from which Facts are folded anew after each change, as a
// replica does.
type book struct {
	dice  rng
	seed  uint64
	facts []Facts
	logs  [][]Event

	counted Day
	own     Member
}

// member counts the acts of the whole log whose window was over by a day, as a replica does.
func (b *book) member(today Day) *Member {
	m := &b.own
	if b.counted == today {
		return m
	}
	*m, b.counted = Member{Seed: b.seed}, today
	for i := range b.logs {
		for _, a := range AppendAttempts(nil, b.logs[i]) {
			if a.Closed(today) {
				m.Count(&a, 1)
			}
		}
	}
	return m
}

func newBook(seed uint64, contacts int, today Day) *book {
	b := &book{dice: rng(seed), seed: seed, facts: make([]Facts, contacts), logs: make([][]Event, contacts)}
	d := &b.dice
	for i := range b.facts {
		f := &b.facts[i]
		f.Contact = id(seed<<20 + uint64(i))
		if d.percent(15) {
			f.Household = id(seed<<20 + uint64(1<<19+d.below(contacts/8+1)))
		}
		f.Channels = uint8(d.below(16))
		f.Created = DateOf(today - Day(d.below(120)))
		if d.percent(5) {
			f.Consent = OptedOut
		}
		switch kind := d.below(10); {
		case kind < 4: // a customer, a third of them promoters
			f.Stage = Customer
			if kind == 0 {
				f.Stage = Promoter
			}
			cycle := d.between(15, 90)
			day := today - Day(d.below(400))
			f.Created = DateOf(day)
			for day <= today && d.percent(93) {
				b.logs[i] = append(b.logs[i], Event{Kind: EventOrder, Day: day, Cents: int64(d.between(500, 20_000))})
				day += Day(d.between(cycle*2/3, cycle*4/3))
			}
		default:
			for range d.below(3) {
				b.signal(i, today-Day(d.below(60)))
			}
			for x := 1; x < len(b.logs[i]); x++ { // sorted by day
				for y := x; y > 0 && b.logs[i][y].Day < b.logs[i][y-1].Day; y-- {
					b.logs[i][y], b.logs[i][y-1] = b.logs[i][y-1], b.logs[i][y]
				}
			}
		}
		f.Fold(b.logs[i])
	}
	return b
}

func (b *book) log(i int, ev Event) {
	b.logs[i] = append(b.logs[i], ev)
	b.facts[i].Fold(b.logs[i])
}

// signal lets a contact do something.
func (b *book) signal(i int, day Day) {
	kinds := [...]EventKind{EventForm, EventRegistered, EventAttended, EventWatched, EventClicked, EventVisited, EventJoined}
	ev := Event{Kind: kinds[b.dice.below(len(kinds))], Day: day}
	if ev.Kind == EventRegistered {
		ev.For = day + Day(b.dice.below(5))
	}
	b.logs[i] = append(b.logs[i], ev)
}

// live lets the world move on by a day, after look has seen the suggestions of the morning: contacts order, click and
// join; the promoter acts on some of the suggestions, dismisses or skips others, and calls people unasked.
func (b *book) live(pb *Playbook, r *Ranker, today Day, look func(list List, three []Suggestion)) {
	d := &b.dice
	m := b.member(today)
	for list := Prospects; list <= Members; list++ {
		var out [3]Suggestion
		n := r.Rank(pb, m, today, list, b.facts, &out)
		look(list, out[:n])
		for k := range n {
			s := &out[k]
			i := b.find(s.Contact)
			switch p := d.below(100); {
			case p < 65:
				ev := Event{
					Kind: EventTouch, Day: today, Channel: s.Channel, Outcome: Outcome(d.below(int(Enrolled))),
					Prompted: true, Trigger: s.Trigger, Content: s.Content, P0: uint16(s.P0), P1: uint16(s.P1),
				}
				if d.percent(2) {
					ev.Outcome = Enrolled
				}
				b.log(i, ev)
				if d.percent(5) {
					b.log(i, Event{Kind: EventPromise, Day: today, For: today + Day(d.between(1, 6))})
				}
				if d.percent(3) {
					b.log(i, ev) // the same act from a second device
				}
			case p < 70:
				b.log(i, Event{Kind: EventDismissed, Day: today, Trigger: s.Trigger})
			case p < 75:
				b.log(i, Event{Kind: EventSkipped, Day: today})
			case p < 77:
				b.facts[i].Snooze = DateOf(today + Day(d.between(1, 20)))
			}
		}
	}
	for range 2 {
		i := d.below(len(b.facts))
		switch p := d.below(100); {
		case p < 25 && b.facts[i].Stage == Prospect:
			b.signal(i, today)
			b.facts[i].Fold(b.logs[i])
		case p < 50 && b.facts[i].Stage != Prospect:
			b.log(i, Event{Kind: EventOrder, Day: today, Cents: 4000})
		case p < 60:
			b.log(i, Event{Kind: EventTouch, Day: today, Channel: Channel(d.below(int(NumChannels))), Outcome: Outcome(d.below(int(Enrolled)))})
		case p < 61:
			b.facts[i].Consent = OptedOut
		case p < 62:
			b.log(i, Event{Kind: EventStage, Day: today, Stage: Promoter})
		}
	}
}

func (b *book) find(c ContactID) int {
	for i := range b.facts {
		if b.facts[i].Contact == c {
			return i
		}
	}
	return -1
}
