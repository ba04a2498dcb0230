package ranking

import (
	"bytes"
	"encoding/binary"
)

// Ranker computes the three. It keeps scratch memory between calls, so a warm one allocates nothing; the zero value is
// ready. It holds no state that could change a result. Not for use by two goroutines at once.
type Ranker struct {
	found []candidate
}

// candidate is the best step for one contact.
type candidate struct {
	fact     int32
	trigger  TriggerID
	channel  Channel
	content  uint16
	pinned   bool // promised for today: above all scoring
	ev       int64
	prob     int64
	z        int64
	deadline Day
	expiry   Day
}

// Rank writes the best steps of one list to out, the best first, and returns how many there are: 0 to 3. Fewer than
// three stood above the gate when it is below three; with 0, nothing needs doing today.
//
// It is a pure function of the playbook, the seed, the day, the list and the set of facts: their order does not matter.
// The caller derives the seed from the member's id; it only decides between suggestions of equal worth and deadline.
// facts may hold contacts of both lists; each contact once.
//
// Of each contact the step with the highest expected value is taken; at most Playbook.PerTrigger of one trigger and one
// of a household are shown.
func (r *Ranker) Rank(pb *Playbook, seed uint64, today Day, list List, facts []Facts, out *[3]Suggestion) int {
	r.found = r.found[:0]
	var c candidate
	for i := range facts {
		f := &facts[i]
		if f.Stage <= Promoter && (list == Prospects) == (f.Stage == Prospect) && pb.bestStep(today, f, &c) {
			c.fact = int32(i)
			r.found = append(r.found, c)
		}
	}

	n := 0
	var picked [3]*candidate
	for n < len(picked) {
		var best *candidate
		for i := range r.found {
			c := &r.found[i]
			if best != nil && !before(seed, today, facts, c, best) {
				continue
			}
			if pb.fits(facts, picked[:n], c) {
				best = c
			}
		}
		if best == nil {
			break
		}
		picked[n] = best
		pb.suggest(today, list, &facts[best.fact], best, &out[n])
		n++
	}
	return n
}

// fits says whether a candidate may stand beside those already picked.
func (pb *Playbook) fits(facts []Facts, picked []*candidate, c *candidate) bool {
	same := 0
	f := &facts[c.fact]
	for _, p := range picked {
		g := &facts[p.fact]
		if f.Contact == g.Contact || household(f) == household(g) {
			return false
		}
		if p.trigger == c.trigger {
			same++
		}
	}
	return same < pb.PerTrigger
}

func household(f *Facts) ContactID {
	if f.Household == (ContactID{}) {
		return f.Contact
	}
	return f.Household
}

// before orders candidates: promised for today, expected value, the earlier deadline, then a hash of member, day and
// contact, so that equals take turns, then what they are. It is a total order on what the candidates say.
func before(seed uint64, today Day, facts []Facts, a, b *candidate) bool {
	if a.pinned != b.pinned {
		return a.pinned
	}
	if a.ev != b.ev {
		return a.ev > b.ev
	}
	if a.deadline != b.deadline {
		if a.deadline == 0 || b.deadline == 0 {
			return b.deadline == 0
		}
		return a.deadline < b.deadline
	}
	x, y := &facts[a.fact].Contact, &facts[b.fact].Contact
	if hx, hy := hash64(seed, today, x), hash64(seed, today, y); hx != hy {
		return hx < hy
	}
	if c := bytes.Compare(x[:], y[:]); c != 0 {
		return c < 0
	}
	if a.trigger != b.trigger {
		return a.trigger < b.trigger
	}
	if a.channel != b.channel {
		return a.channel < b.channel
	}
	if a.content != b.content {
		return a.content < b.content
	}
	if a.z != b.z {
		return a.z > b.z
	}
	return a.expiry < b.expiry
}

// hash64 mixes seed, day and contact with the finaliser of SplitMix64 (Steele, Lea, Flood 2014).
func hash64(seed uint64, today Day, c *ContactID) uint64 {
	h := mix(seed ^ uint64(uint32(today)))
	h = mix(h ^ binary.BigEndian.Uint64(c[:8]))
	return mix(h ^ binary.BigEndian.Uint64(c[8:]))
}

func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// bestStep finds the step of the highest expected value for one contact, if one stands above the gate.
func (pb *Playbook) bestStep(today Day, f *Facts, best *candidate) (ok bool) {
	if f.Consent >= OptedOut || today < f.Snooze || today == f.Skipped && f.Skipped != 0 {
		return false
	}
	var s state
	pb.lookAt(today, f, &s)
	resting := s.sinceTouch < pb.Rest || s.touches(today, f, pb.CapDays) >= pb.CapTouches
	if resting && f.Promised == 0 {
		return false
	}
	pb.weigh(today, f, &s)
	var o opening
	var c candidate
	for t := range NumTriggers {
		rule := &pb.Rules[t]
		if rule.Stages>>f.Stage&1 == 0 {
			continue
		}
		// A promise is what the contact asked for: it waits for no rest.
		if t != PromisedFollow && (resting || s.sinceTouch < rule.Rest) {
			continue
		}
		if f.Done[t] != 0 && today.since(f.Done[t]) < rule.Cooldown || f.Dismissals[t] != 0 && pb.dismissed(today, f, t) {
			continue
		}
		if !pb.open(t, today, f, &s, &o) || !pb.bestWay(t, today, f, &s, &o, &c) {
			continue
		}
		if !ok || c.pinned && !best.pinned || c.pinned == best.pinned && c.ev > best.ev {
			*best, ok = c, true
		}
	}
	return ok
}

// dismissed says whether the person's "do not suggest this" still holds: DismissDays, doubled with each repetition.
func (pb *Playbook) dismissed(today Day, f *Facts, t TriggerID) bool {
	n := f.Dismissals[t]
	return n > 0 && today.since(f.Dismissed[t]) < min(max(pb.DismissDays, 0), maxSpan)<<min(n-1, 16)
}

// state is what several triggers need to know of a contact today. It is filled in two steps, as most contacts rest.
type state struct {
	sinceTouch int64 // days since the last touch; never when there was none
	heard      Day   // the last sign of life: reached, signal, order, captured
	touched    Day
	tries      int64 // touches since then
	optOut     int64 // cents: the cost of an opt-out times its chance
	hasCycle   bool
	cycle      Cycle
}

// lookAt fills in what decides whether a contact rests.
func (pb *Playbook) lookAt(today Day, f *Facts, s *state) {
	s.sinceTouch = never
	if f.TouchCount > 0 {
		s.touched = f.Touches[0]
		s.sinceTouch = max(today.since(s.touched), 0)
	}
}

// weigh fills in the rest.
func (pb *Playbook) weigh(today Day, f *Facts, s *state) {
	s.heard = max(f.Created, f.StageDay, f.ReachedDay, f.FormDay, f.RegisteredDay, f.AttendedDay, f.WatchedDay, f.ClickedDay, f.LastOrder)
	for i := range known(f) {
		if f.Touches[i] >= s.heard && !(f.Touches[i] == f.ReachedDay && f.ReachedDay != 0) {
			s.tries++
		}
	}
	recent := s.touches(today, f, pb.OptOutDays)
	chance := pb.OptOut[min(recent, int64(len(pb.OptOut)-1))]
	s.optOut = (chance*clampCents(pb.Loss[f.Stage]) + One/2) >> 16
	if f.Stage != Prospect {
		s.cycle, s.hasCycle = pb.Reorder.Cycle(today, f)
	}
}

// known returns how many entries of Facts.Touches are filled.
func known(f *Facts) int { return int(min(max(f.TouchCount, 0), int32(len(f.Touches)))) }

// touches counts those within the last so many days.
func (s *state) touches(today Day, f *Facts, days int64) (n int64) {
	if s.sinceTouch >= days {
		return 0
	}
	for i := range known(f) {
		if today.since(f.Touches[i]) < days {
			n++
		}
	}
	return n
}

// Signals of interest, as bits, so that a trigger's own event is not counted twice.
const (
	signalForm = 1 << iota
	signalRegistered
	signalAttended
	signalWatched
	signalClicked
)

// opening is an open trigger: why, since when, until when.
type opening struct {
	why      ReasonCode
	own      uint8 // signals that the reason already tells of
	pinned   bool
	filler   bool  // fills the list when nothing else does: worth the gate and no more
	age      int64 // what Rule.Fresh is looked up by
	extra    int64 // milli-nats beside Base and Fresh that belong to the same reason
	args     [3]int64
	deadline Day
	expiry   Day
}

// open says whether a trigger's condition holds today, and if so fills in o.
func (pb *Playbook) open(t TriggerID, today Day, f *Facts, s *state, o *opening) bool {
	rule := &pb.Rules[t]
	switch t {
	case NewLead:
		// What an import brings is known to the member already: only a form makes a lead of it.
		day, why, own, extra := f.Created, CapturedAgo, 0, int64(0)
		if f.FormDay != 0 && f.FormDay >= f.Created {
			day, why, own, extra = f.FormDay, FormAgo, signalForm, pb.Form
		} else if f.Imported || f.WatchedDay != 0 || f.ClickedDay != 0 || f.AttendedDay != 0 {
			return false // what the contact did says more than that there is a contact
		}
		// Whoever was reached on the day itself is no new lead any more.
		if f.ReachedDay != 0 && f.ReachedDay >= day || !rule.event(today, day, why, o) {
			return false
		}
		o.own, o.extra = uint8(own), extra
		return true
	case WebinarFollow:
		if reachedSince(f, t, f.AttendedDay) || !rule.event(today, f.AttendedDay, AttendedAgo, o) {
			return false
		}
		o.own = signalRegistered | signalAttended
		return true
	case WebinarAbsent:
		if f.RegisteredDay == 0 || f.WebinarDay >= today || f.AttendedDay >= f.WebinarDay ||
			reachedSince(f, t, f.WebinarDay) || !rule.event(today, f.WebinarDay, AbsentAgo, o) {
			return false
		}
		o.own = signalRegistered
		return true
	case NextStep:
		return f.Reached == NotReady && rule.event(today, f.ReachedDay, NotReadyAgo, o)
	case Watched:
		day, why := f.WatchedDay, WatchedAgo
		if f.ClickedDay > day {
			day, why = f.ClickedDay, ClickedAgo
		}
		if reachedSince(f, t, day) || !rule.event(today, day, why, o) {
			return false
		}
		o.own = signalWatched | signalClicked
		return true
	case PromisedFollow:
		late := today.since(f.Promised)
		if f.Promised == 0 || late < 0 || late > pb.PromiseGrace || f.TouchCount > 0 && s.touched >= f.Promised {
			return false
		}
		*o = opening{
			why: PromisedAgo, args: [3]int64{late}, age: late, pinned: late == 0,
			deadline: f.Promised, expiry: f.Promised.plus(pb.PromiseGrace),
		}
		return true
	case Nurture, CheckIn:
		since := max(s.heard, s.touched)
		quiet := max(today.since(since), 0)
		filler := t == Nurture && untouchedImport(f)
		if since == 0 || quiet < rule.Opens && !filler {
			return false
		}
		*o = opening{why: QuietDays, args: [3]int64{s.sinceTouch}, age: quiet, expiry: today.plus(rule.Expiry), filler: filler}
		if f.TouchCount <= 0 {
			o.why, o.args[0] = NeverContacted, quiet
			if f.Created != 0 {
				o.args[0] = max(today.since(f.Created), 0)
			}
		}
		if filler { // nothing tells how long they have known each other
			o.args[1], o.age = 1, rule.Opens
		}
		return true
	case RefillDue, Lapsed:
		return pb.reorder(t, today, f, s, o)
	case FirstOrder:
		return f.Orders == 1 && !reachedSince(f, t, f.LastOrder) && rule.event(today, f.LastOrder, FirstOrderAgo, o)
	case AskPromote:
		// Who is due is asked about a refill, not about more.
		if int64(f.Orders) < rule.Opens || s.hasCycle && s.cycle.reached(pb.Reorder.DueFrom) || !rule.event(today, f.LastOrder, LoyalOrders, o) {
			return false
		}
		o.args = [3]int64{int64(f.Orders), o.age}
		return true
	}
	return false
}

// untouchedImport says whether all that is known of a contact is that it came with an address book.
func untouchedImport(f *Facts) bool {
	return f.Imported && f.TouchCount <= 0 && f.FormDay|f.RegisteredDay|f.AttendedDay|f.WatchedDay|f.ClickedDay == 0
}

// event opens a trigger that starts with an event on a day and closes some days after.
func (rule *Rule) event(today, day Day, why ReasonCode, o *opening) bool {
	age := today.since(day)
	if day == 0 || age < 0 || age > rule.Expiry {
		return false
	}
	*o = opening{why: why, args: [3]int64{age}, age: age, expiry: day.plus(rule.Expiry)}
	if rule.Deadline > 0 {
		o.deadline = day.plus(rule.Deadline)
	}
	return true
}

// reachedSince says whether the contact was spoken to after an event. A conversation on the day of the event may have
// come before it, so it only counts when it acted on the suggestion.
func reachedSince(f *Facts, t TriggerID, day Day) bool {
	return f.ReachedDay > day || f.ReachedDay == day && f.ReachedDay != 0 && f.Done[t] == day
}

// reorder opens RefillDue from three quarters of the cycle and Lapsed from twice the cycle, while there is life.
func (pb *Playbook) reorder(t TriggerID, today Day, f *Facts, s *state, o *opening) bool {
	c, p := &s.cycle, &pb.Reorder
	if !s.hasCycle || c.Alive < p.LetGo || c.Elapsed >= maxSpan || !c.reached(p.DueFrom) || (t == Lapsed) != c.reached(p.LapseAt) {
		return false
	}
	*o = opening{why: CompanyCycle, args: [3]int64{c.Gap, c.Elapsed, c.Gaps}, age: c.Elapsed * 100 / c.Gap}
	if c.ownTells() {
		o.why, o.args = UsualCycle, [3]int64{c.Own, c.Elapsed}
	}
	if t == RefillDue {
		o.deadline = c.dayAt(f.LastOrder, p.LapseAt)
		o.expiry = o.deadline.plus(-1)
	} else {
		o.expiry = today.plus(pb.Rules[Lapsed].Expiry)
	}
	return true
}

// bestWay chooses channel and content by expected value and says whether the step stands above the gate. Of a channel
// only the likeliest content counts, and a channel that is neither likelier nor cheaper than the best so far is passed
// over unweighed: it could not be worth more.
func (pb *Playbook) bestWay(t TriggerID, today Day, f *Facts, s *state, o *opening, best *candidate) (ok bool) {
	rule := &pb.Rules[t]
	channels := rule.Channels & f.Channels
	// Anybody can be met, which says nothing: only when there is no other way, or when meeting has worked before.
	if channels != 1<<InPerson && f.Answers[InPerson] == 0 {
		channels &^= 1 << InPerson
	}
	if channels == 0 {
		return false
	}
	base := pb.score(t, today, f, s, o, nil)
	value, blocked := clampCents(rule.Value), rule.blocked(f, t)
	bestCost := int64(0)
	for ch := range NumChannels {
		if channels>>ch&1 == 0 {
			continue
		}
		ct := rule.likeliest(ch, blocked, o)
		if ct < 0 {
			continue
		}
		z := base + pb.scoreWay(t, f, ch, nil) + rule.Contents[ct].Score
		cost := clampCents(pb.Cost[ch])
		if ok && z <= best.z && cost >= bestCost {
			continue
		}
		p := Sigmoid(z)
		if t == RefillDue || t == Lapsed {
			p = max(p-s.cycle.Buy, 0) // would have ordered anyway
		}
		ev := (p*value+One/2)>>16 - s.optOut - cost
		if ok && ev <= best.ev {
			continue
		}
		ok, bestCost = true, cost
		best.channel, best.content, best.ev, best.prob, best.z = ch, uint16(ct), ev, p, z
	}
	if !ok || best.ev < pb.MinEV && !o.pinned {
		return false
	}
	if o.filler {
		best.ev = pb.MinEV
	}
	best.trigger, best.pinned, best.deadline, best.expiry = t, o.pinned, o.deadline, o.expiry
	return true
}

// clampCents bounds money at a billion cents, so that no product with a probability overflows.
func clampCents(c int64) int64 { return min(max(c, 0), 1_000_000_000) }

// blocked returns the contents, as bits, that the rule's repetition forbids to send again.
func (rule *Rule) blocked(f *Facts, t TriggerID) uint8 {
	switch {
	case f.Sent[t] == 0 || rule.Repeat == RepeatFree:
		return 0
	case rule.Repeat == RepeatNever:
		return f.Sent[t]
	case len(rule.Contents) > 1:
		return 1 << f.LastSent[t]
	}
	return 0
}

// likeliest returns the content with the highest score that may be sent by the channel and is true of the opening, or
// -1. Of equals it takes one that is written for such an opening, then the first.
func (rule *Rule) likeliest(ch Channel, blocked uint8, o *opening) int {
	best := -1
	for ct := range rule.Contents {
		c := &rule.Contents[ct]
		if c.Channels>>ch&1 == 0 || blocked>>ct&1 != 0 || !c.suits(o) {
			continue
		}
		if best >= 0 {
			b := &rule.Contents[best]
			if c.Score < b.Score || c.Score == b.Score && (b.special() || !c.special()) {
				continue
			}
		}
		best = ct
	}
	return best
}
