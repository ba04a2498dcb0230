package ranking

import "math/bits"

// sieve is a lens with tables that spare a Ranker most of its work: what no contact's facts can change is decided once for
// a day. It leaves out only triggers that cannot open and steps that cannot win, so it finds what asking every trigger for
// everything would find, to the bit.
type sieve struct {
	lens

	// starts says, by an event and its age in days, which triggers it may open, as bits; -startLead is the first age, and
	// beyond both ends far stands.
	starts  [OrderDays][startSpan]uint32
	far     [OrderDays]uint32
	scores  [NumTriggers]scores
	replies [NumChannels][fewTries][fewTries]int64 // what answers returns for few touches, by tries and answers

	// Scratch of bestStep, so that it is not cleared for each contact.
	state   state
	opening opening
	own     ownContact
	found   candidate
}

const (
	startLead = 16
	startSpan = 144
	fewTries  = 8
	fewOrders = 12
)

// scores are a rule's staircases, laid flat, and what the best step could reach.
type scores struct {
	fixed   int64 // Base and Offset
	age     int64 // the most that the event's age adds, the form of a new lead included
	natural int64 // the least of Natural
	way     int64 // the greatest of ByWay
	tries   [len(Facts{}.Touches) + 1]int64
	heard   [3]int64
	signals [8]int64
	signal  int64 // the greatest of them
	orders  [fewOrders]int64
}

// set fills in the tables for a day and a list.
func (v *sieve) set(pb *Playbook, m *Member, today Day, list List) {
	v.lens.set(pb, m, today)
	clear(v.starts[:])
	clear(v.far[:])
	all := v.asks[Prospect]
	if list == Members {
		all = v.asks[Customer] | v.asks[Promoter]
	}
	for ; all != 0; all &= all - 1 {
		t := TriggerID(bits.TrailingZeros32(all))
		v.lay(t)
		v.start(t)
	}
	for ch := range NumChannels {
		for n := int64(1); n < fewTries; n++ {
			for a := range n + 1 {
				v.replies[ch][n][a] = pb.reply(ch, n, a)
			}
		}
	}
}

// lay fills in the scores of a rule.
func (v *sieve) lay(t TriggerID) {
	rule, sc := &v.Rules[t], &v.scores[t]
	sc.fixed = rule.Base + rule.Offset
	sc.age = highest(rule.Weights[Age])
	if t == NewLead {
		sc.age += max(v.Form, 0)
	}
	sc.natural = lowest(rule.Natural)
	sc.way = max(rule.ByWay[0], rule.ByWay[1], rule.ByWay[2], rule.ByWay[3])
	sc.signal = highest(rule.Weights[Signals])
	for n := range sc.tries {
		sc.tries[n] = stair(rule.Weights[TriesMade], int64(n))
	}
	for n := range sc.heard {
		sc.heard[n] = stair(rule.Weights[LastHeard], int64(n))
	}
	for n := range sc.signals {
		sc.signals[n] = stair(rule.Weights[Signals], int64(n))
	}
	for n := range sc.orders {
		sc.orders[n] = stair(rule.Weights[OrdersSo], int64(n))
	}
}

func highest(bins []Bin) (score int64) {
	for i := range bins {
		if i == 0 || bins[i].Score > score {
			score = bins[i].Score
		}
	}
	return score
}

func lowest(bins []Bin) (score int64) {
	for i := range bins {
		if i == 0 || bins[i].Score < score {
			score = bins[i].Score
		}
	}
	return score
}

// start marks when a trigger may open after its event.
func (v *sieve) start(t TriggerID) {
	rule := &v.Rules[t]
	within := func(of ...Quantity) {
		for _, q := range of {
			for i := int64(startLead); i < startSpan && i-startLead <= rule.Expiry; i++ {
				v.starts[q][i] |= 1 << t
			}
			if rule.Expiry >= startSpan-startLead {
				v.far[q] |= 1 << t
			}
		}
	}
	switch t {
	case NewLead:
		within(SinceCreated, SinceForm)
	case WebinarFollow:
		within(SinceAttended, SinceJoined)
	case WebinarAbsent:
		within(SinceWebinar)
	case NextStep:
		within(SinceReached)
	case Watched:
		within(SinceWatched, SinceClicked)
	case FirstOrder, AskPromote:
		within(SinceLastOrder)
	case Registered:
		within(SinceRegistered)
	default:
		if w := rule.When; t >= Own1 && w != nil && w.Since < OrderDays {
			for i := range v.starts[w.Since] {
				if w.mayOpen(int64(i) - startLead) {
					v.starts[w.Since][i] |= 1 << t
				}
			}
			v.far[w.Since] |= 1 << t
		}
	}
}

// mayOpen says whether the condition may hold so many days after its event, as far as the event alone tells.
func (w *When) mayOpen(age int64) bool {
	for i := range w.Tests {
		if q := &w.Tests[i]; q.Of == w.Since && (age < q.Min || age > q.Max) {
			return false
		}
	}
	if len(w.Cadence) == 0 {
		return true
	}
	step := w.step(age)
	if step < 0 {
		return false
	}
	due := w.Cadence[step]
	return due < -maxSpan || w.Open > maxSpan || age < due+w.Open
}

// step returns the step of the cadence that is due so many days after the event; -1 before the first.
func (w *When) step(age int64) int {
	step := -1
	for step+1 < len(w.Cadence) && w.Cadence[step+1] <= age {
		step++
	}
	return step
}

// startedBy returns the triggers that an event may open.
func (v *sieve) startedBy(q Quantity, date Date) uint32 {
	if date == 0 {
		return 0
	}
	if i := int64(v.today) - int64(neverDate) - int64(date) + startLead; uint64(i) < startSpan {
		return v.starts[q][i]
	}
	return v.far[q]
}

// started returns the triggers that what is known of a contact may open, as bits; all others stay shut.
func (v *sieve) started(f *Facts) uint32 {
	// These ask for more than the day of an event.
	ask := uint32(1<<Nurture | 1<<CheckIn)
	if f.Promised != 0 {
		ask |= 1 << PromisedFollow
	}
	if f.Live&signalJoined != 0 && f.JoinedDay.Day() == v.today {
		ask |= 1 << Joined
	}
	if f.Live&signalVisited != 0 && f.VisitedDay.Day() == v.today {
		ask |= 1 << Visiting
	}
	ask |= v.startedBy(SinceCreated, f.Created) | v.startedBy(SinceStage, f.StageDay) | v.startedBy(SinceTouched, f.Touches[0])
	if f.ReachedDay != 0 {
		reached := v.startedBy(SinceReached, f.ReachedDay)
		if f.Reached != NotReady {
			reached &^= 1 << NextStep
		}
		ask |= reached
	}
	if f.FormDay|f.RegisteredDay|f.WebinarDay|f.AttendedDay|f.WatchedDay|f.ClickedDay|f.VisitedDay|f.JoinedDay != 0 {
		ask |= v.startedBy(SinceForm, f.FormDay) | v.startedBy(SinceRegistered, f.RegisteredDay) |
			v.startedBy(SinceWebinar, f.WebinarDay) | v.startedBy(SinceAttended, f.AttendedDay) |
			v.startedBy(SinceWatched, f.WatchedDay) | v.startedBy(SinceClicked, f.ClickedDay) |
			v.startedBy(SinceVisited, f.VisitedDay) | v.startedBy(SinceJoined, f.JoinedDay)
		if f.WebinarDay.Day() < v.today {
			ask &^= 1 << Registered
		} else {
			ask &^= 1 << WebinarAbsent
		}
	}
	if f.FirstOrder|f.OrderDays[0] != 0 || f.Orders != 0 {
		ask |= 1<<RefillDue | 1<<Lapsed | v.startedBy(SinceFirstOrder, f.FirstOrder) | v.startedBy(SinceLastOrder, f.OrderDays[0])
		if f.Orders != 1 {
			ask &^= 1 << FirstOrder
		}
	}
	return ask & v.asks[f.Stage]
}

// bestStep finds the step of the highest expected value for one contact, if one stands above the gate.
func (v *sieve) bestStep(f *Facts, best *candidate) (ok bool) {
	s, o, own, c := &v.state, &v.opening, &v.own, &v.found
	if !v.awake(f, s) {
		return false
	}
	ask := v.started(f)
	if s.capped {
		ask &= 1 << PromisedFollow
	}
	if ask == 0 || f.Channels == 0 {
		return false
	}
	v.weigh(v.today, f, s)
	ask = v.due(ask, f, s)

	asked := false
	heard, signals, most := 0, uint8(0), int64(0)
	for ; ask != 0; ask &= ask - 1 {
		t := TriggerID(bits.TrailingZeros32(ask))
		if s.sinceTouch < v.rest[t] || f.Used>>t&1 == 1 && !v.rested(t, f) {
			continue
		}
		if !asked { // what all triggers share
			asked = true
			v.ownBy(f, own)
			most = own.most(f.Channels)
			heard = int(v.heard(v.today, f))
			if f.Stage == Prospect {
				signals = v.interests(v.today, f)
			}
		}
		beat := v.MinEV - 1
		if ok && !best.pinned {
			beat = max(beat, best.ev)
		}
		sc := &v.scores[t]
		shared := sc.fixed + sc.tries[s.tries] + sc.heard[heard]
		if f.Orders < fewOrders {
			shared += sc.orders[f.Orders]
		} else {
			shared += stair(v.Rules[t].Weights[OrdersSo], int64(f.Orders))
		}
		if t != PromisedFollow {
			top := shared + sc.age + sc.signal + sc.way + v.most[t] + most
			p := int64(0)
			if t != RefillDue && t != Lapsed {
				p = sigmoidTop(top)
			} else if lead := top - sc.natural; lead > 0 {
				// Two sigmoids so far apart differ most about zero; each is off by two units at most.
				p = 2*sigmoidTop((lead+1)/2) - One + 8
			}
			if (p*clampCents(v.Rules[t].Value)+One/2)>>16-s.optOut <= beat {
				continue
			}
		}
		if !v.open(t, f, s, o) {
			continue
		}
		base := shared + stair(v.Rules[t].Weights[Age], o.age) + o.extra + sc.signals[bits.OnesCount8(signals&^o.own)]
		if t == RefillDue || t == Lapsed {
			base += s.cycle.Unasked
		}
		if !v.bestWay(t, f, s, o, own, base, beat, c) {
			continue
		}
		if !ok || c.pinned && !best.pinned || c.pinned == best.pinned && c.ev > best.ev {
			*best, ok = *c, true
		}
	}
	return ok
}

// due leaves out what the state tells to be shut: of nurture and check-in those not quiet for long enough, of the two about
// a refill the one whose share of the cycle it is not, of a promotion those who order too seldom or are due.
func (v *sieve) due(ask uint32, f *Facts, s *state) uint32 {
	quiet := max(v.today.since(max(s.heard, s.touched).Day()), 0)
	if quiet < v.Rules[CheckIn].Opens {
		ask &^= 1 << CheckIn
	}
	if quiet < v.Rules[Nurture].Opens && !f.Imported {
		ask &^= 1 << Nurture
	}
	if ask&(1<<RefillDue|1<<Lapsed|1<<AskPromote) != 0 {
		due := s.hasCycle && s.cycle.reached(v.Reorder.DueFrom)
		if due || int64(f.Orders) < v.Rules[AskPromote].Opens {
			ask &^= 1 << AskPromote
		}
		switch {
		case !due:
			ask &^= 1<<RefillDue | 1<<Lapsed
		case s.cycle.reached(v.Reorder.LapseAt):
			ask &^= 1 << RefillDue
		default:
			ask &^= 1 << Lapsed
		}
	}
	return ask
}

// ownBy is ownOf with the table.
func (v *sieve) ownBy(f *Facts, own *ownContact) {
	v.outturns(f, own)
	for ch := range NumChannels {
		sum := v.way[ch] + own.all + own.way[ch]
		if n, answered := f.Tries[ch], f.Answers[ch]; n < fewTries && answered < fewTries {
			sum += v.replies[ch][n][answered]
		} else {
			sum += v.answers(f, ch, nil)
		}
		own.sum[ch] = sum
	}
}

// most returns the greatest sum by the channels that are open.
func (own *ownContact) most(channels uint8) int64 {
	most := int64(-1 << 40)
	for ch := range NumChannels {
		if channels>>ch&1 == 1 {
			most = max(most, own.sum[ch])
		}
	}
	return most
}

// tops holds sigmoids for sigmoidTop, the one of each greatest log-odds of 32.
var tops = func() (table [2 * topNats >> topBits]int64) {
	for i := range table {
		table[i] = Sigmoid(int64(i+1)<<topBits - 1 - topNats)
	}
	return table
}()

const (
	topBits = 5
	topNats = 12_000 // beyond, a sigmoid is 0 or One
)

// sigmoidTop returns a bound of Sigmoid: not below it, and above it by a thirtieth part at most.
func sigmoidTop(z int64) int64 {
	if z < -topNats {
		return 0
	}
	if z >= topNats {
		return One
	}
	return tops[uint64(z+topNats)>>topBits]
}
