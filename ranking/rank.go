package ranking

import (
	"bytes"
	"encoding/binary"
)

// Ranker computes the three. It keeps scratch memory between calls, so a warm one allocates nothing; the zero value is
// ready. It holds no state that could change a result. Not for use by two goroutines at once.
type Ranker struct {
	lens sieve
	list List
	best []candidate // by the place of the facts; fact < 0: none above the gate
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
// It is a pure function of the playbook, the member, the day, the list and the set of facts: their order does not matter.
// facts may hold contacts of both lists; each contact once.
//
// Of each contact the step with the highest expected value is taken; at most Playbook.PerTrigger of one trigger and one
// of a household are shown.
func (r *Ranker) Rank(pb *Playbook, m *Member, today Day, list List, facts []Facts, out *[3]Suggestion) int {
	r.lens.set(pb, m, today, list)
	r.list = list
	if cap(r.best) < len(facts) {
		r.best = make([]candidate, len(facts), len(facts)+len(facts)/4)
	}
	r.best = r.best[:len(facts)]
	for i := range facts {
		r.weigh(facts, i)
	}
	return r.pick(facts, out)
}

// Again ranks as Rank did the last time, after some of the facts have changed: only those in changed are weighed anew.
// The playbook, the member, the day and the list are those of that call. facts may have grown or shrunk at its end; what
// was added counts as changed.
func (r *Ranker) Again(facts []Facts, changed []int, out *[3]Suggestion) int {
	from := min(len(r.best), len(facts))
	r.best = r.best[:from]
	for i := from; i < len(facts); i++ {
		r.best = append(r.best, candidate{})
		r.weigh(facts, i)
	}
	for _, i := range changed {
		if i < from {
			r.weigh(facts, i)
		}
	}
	return r.pick(facts, out)
}

// weigh finds the best step of one contact.
func (r *Ranker) weigh(facts []Facts, i int) {
	f, c := &facts[i], &r.best[i]
	c.fact = -1
	if f.Stage <= Promoter && (r.list == Prospects) == (f.Stage == Prospect) && r.lens.bestStep(f, c) {
		c.fact = int32(i)
	}
}

// pick chooses the three among the best steps of all.
func (r *Ranker) pick(facts []Facts, out *[3]Suggestion) int {
	l := &r.lens.lens
	n := 0
	var picked [3]*candidate
	for n < len(picked) {
		var best *candidate
		for i := range r.best {
			c := &r.best[i]
			if c.fact < 0 || best != nil && (c.ev < best.ev && !c.pinned || !before(l.seed, l.today, facts, c, best)) {
				continue
			}
			if l.fits(facts, picked[:n], c) {
				best = c
			}
		}
		if best == nil {
			break
		}
		picked[n] = best
		l.suggest(r.list, &facts[best.fact], best, &out[n])
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

// begin fills in the state of a contact; it says false when nothing may be suggested at all.
func (l *lens) begin(f *Facts, s *state) bool {
	if !l.awake(f, s) {
		return false
	}
	l.weigh(l.today, f, s)
	return true
}

// awake is begin without what only an open trigger needs to know.
func (l *lens) awake(f *Facts, s *state) bool {
	if l.hushed(f) {
		return false
	}
	l.lookAt(l.today, f, s)
	s.capped = s.touches(l.today, f, l.CapDays) >= l.CapTouches
	return f.Promised != 0 || !s.capped && (s.sinceTouch >= l.Rest || f.Live != 0)
}

// hushed says whether the contact or the member wants no suggestion at all.
func (l *lens) hushed(f *Facts) bool {
	return f.Consent >= OptedOut || l.today < f.Snooze.Day() || f.Skipped != 0 && l.today == f.Skipped.Day()
}

// may says whether the rules about what was done lately let a trigger be asked.
func (l *lens) may(t TriggerID, f *Facts, s *state) bool {
	if s.sinceTouch < l.rest[t] || s.capped && t != PromisedFollow {
		return false
	}
	return l.rested(t, f)
}

// rested says whether a trigger was neither done within its cool-down nor dismissed lately.
func (l *lens) rested(t TriggerID, f *Facts) bool {
	if f.Used>>t&1 == 0 {
		return true
	}
	p := f.Past(t)
	return (p.Done == 0 || l.today.since(p.Done.Day()) >= l.Rules[t].Cooldown || ahead(l.today, p.Done)) && !l.dismissed(l.today, p)
}

// dismissed says whether the person's "do not suggest this" still holds: DismissDays, doubled with each repetition.
func (pb *Playbook) dismissed(today Day, p Past) bool {
	n := p.dismissals()
	return n > 0 && today.since(p.Dismissed.Day()) < min(max(pb.DismissDays, 0), maxSpan)<<min(n-1, 16)
}

// state is what several triggers need to know of a contact today. It is filled in two steps, as most contacts rest.
type state struct {
	capped     bool  // touched too often for anything but a promise
	sinceTouch int64 // days since the last touch; never when there was none
	heard      Date  // the last sign of life: reached, signal, order, captured
	touched    Date
	tries      int64 // touches since then
	optOut     int64 // cents: the cost of an opt-out times its chance
	hasCycle   bool
	cycle      Cycle // its chances are filled in when a trigger about a refill opens
}

// lookAt fills in what decides whether a contact rests.
func (pb *Playbook) lookAt(today Day, f *Facts, s *state) {
	s.sinceTouch, s.touched = never, 0
	for i := range known(f) {
		if !ahead(today, f.Touches[i]) {
			s.touched = f.Touches[i]
			s.sinceTouch = max(today.since(s.touched.Day()), 0)
			return
		}
	}
}

// ahead says whether a day is one that only a wrong clock can have given to something that was done: beyond tomorrow, which
// it may be already where another device is. Such a touch or conversation holds nothing back, or the contact would be
// silent until then.
func ahead(today Day, d Date) bool { return today.since(d.Day()) < -1 }

// weigh fills in the rest.
func (pb *Playbook) weigh(today Day, f *Facts, s *state) {
	s.heard = max(f.Created, f.StageDay, f.ReachedDay, f.FormDay, f.RegisteredDay, f.AttendedDay, f.WatchedDay, f.ClickedDay, f.VisitedDay, f.JoinedDay, f.LastOrder())
	if ahead(today, s.heard) {
		s.heard = 0
		for _, d := range [...]Date{f.Created, f.StageDay, f.ReachedDay, f.FormDay, f.RegisteredDay, f.AttendedDay, f.WatchedDay, f.ClickedDay, f.VisitedDay, f.JoinedDay, f.LastOrder()} {
			if !ahead(today, d) {
				s.heard = max(s.heard, d)
			}
		}
	}
	s.tries, s.hasCycle = 0, false
	for i := range known(f) {
		if f.Touches[i] >= s.heard && !(f.Touches[i] == f.ReachedDay && f.ReachedDay != 0) {
			s.tries++
		}
	}
	recent := s.touches(today, f, pb.OptOutDays)
	chance := pb.OptOut[min(recent, int64(len(pb.OptOut)-1))]
	s.optOut = (chance*clampCents(pb.Loss[f.Stage]) + One/2) >> 16
	if f.Stage != Prospect {
		s.hasCycle = pb.Reorder.pace(today, f, &s.cycle)
	}
}

// known returns how many entries of Facts.Touches are filled.
func known(f *Facts) int { return int(min(f.TouchCount, uint16(len(f.Touches)))) }

// touches counts those within the last so many days.
func (s *state) touches(today Day, f *Facts, days int64) (n int64) {
	if s.sinceTouch >= days {
		return 0
	}
	for i := range known(f) {
		if today.since(f.Touches[i].Day()) < days && !ahead(today, f.Touches[i]) {
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
	signalVisited
	signalJoined
)

// opening is an open trigger: why, since when, until when.
type opening struct {
	why      ReasonCode
	own      uint8 // signals that the reason already tells of
	pinned   bool
	filler   bool  // fills the list when nothing else does: worth the gate and no more
	age      int64 // the feature Age
	extra    int64 // milli-nats beside Base and Age that belong to the same reason
	args     [3]int64
	deadline Day
	expiry   Day
}

// open says whether a trigger's condition holds today, and if so fills in o.
func (l *lens) open(t TriggerID, f *Facts, s *state, o *opening) bool {
	pb, today := l.Playbook, l.today
	rule := &pb.Rules[t]
	switch t {
	case NewLead:
		// What an import brings is known to the member already: only a form makes a lead of it.
		day, why, own, extra := f.Created, CapturedAgo, 0, int64(0)
		if f.FormDay != 0 && f.FormDay >= f.Created {
			day, why, own, extra = f.FormDay, FormAgo, signalForm, pb.Form
		} else if f.Imported || f.WatchedDay != 0 || f.ClickedDay != 0 || f.AttendedDay != 0 || f.JoinedDay != 0 {
			return false // what the contact did says more than that there is a contact
		}
		// Whoever was reached on the day itself is no new lead any more.
		if f.ReachedDay != 0 && f.ReachedDay >= day || !rule.event(today, day, why, o) {
			return false
		}
		o.own, o.extra = uint8(own), extra
		return true
	case WebinarFollow:
		day, why := f.AttendedDay, AttendedAgo
		if f.JoinedDay > day && f.JoinedDay.Day() < today { // as far as is known, they stayed
			day, why = f.JoinedDay, JoinedAgo
		}
		if reachedSince(today, f, t, day) || !rule.event(today, day, why, o) {
			return false
		}
		o.own = signalRegistered | signalAttended | signalJoined
		return true
	case WebinarAbsent:
		if f.RegisteredDay == 0 || f.WebinarDay.Day() >= today || max(f.AttendedDay, f.JoinedDay) >= f.WebinarDay ||
			reachedSince(today, f, t, f.WebinarDay) || !rule.event(today, f.WebinarDay, AbsentAgo, o) {
			return false
		}
		o.own = signalRegistered
		return true
	case NextStep:
		// Whoever took the step since is asked about that.
		if f.Reached != NotReady || max(f.RegisteredDay, f.AttendedDay, f.JoinedDay, f.WatchedDay) > f.ReachedDay {
			return false
		}
		why := NotReadyAgo
		if f.AttendedDay != 0 || f.JoinedDay != 0 { // who has been at the webinar is not invited to it
			why = NotReadySeen
		}
		return rule.event(today, f.ReachedDay, why, o)
	case Watched:
		day, why := f.WatchedDay, WatchedAgo
		if f.ClickedDay > day {
			day, why = f.ClickedDay, ClickedAgo
		}
		if reachedSince(today, f, t, day) || !rule.event(today, day, why, o) {
			return false
		}
		o.own = signalWatched | signalClicked
		return true
	case PromisedFollow:
		late := today.since(f.Promised.Day())
		if f.Promised == 0 || late < 0 || late > pb.PromiseGrace || f.TouchCount > 0 && s.touched >= f.Promised {
			return false
		}
		*o = opening{
			why: PromisedAgo, args: [3]int64{late}, age: late, pinned: late == 0,
			deadline: f.Promised.Day(), expiry: f.Promised.Day().plus(pb.PromiseGrace),
		}
		return true
	case Nurture, CheckIn:
		since := max(s.heard, s.touched)
		quiet := max(today.since(since.Day()), 0)
		filler := t == Nurture && untouchedImport(f)
		if since == 0 || quiet < rule.Opens && !filler {
			return false
		}
		*o = opening{why: QuietDays, args: [3]int64{s.sinceTouch}, age: quiet, expiry: today.plus(rule.Expiry), filler: filler}
		if f.ReachedDay == 0 {
			o.why = NotReached
		}
		if s.sinceTouch == never {
			o.args[0] = quiet // nobody knows when they were last in touch
		}
		if f.TouchCount == 0 {
			o.why, o.args[0] = NeverContacted, quiet
			if f.Created != 0 {
				o.args[0] = max(today.since(f.Created.Day()), 0)
			}
		}
		if filler { // nothing tells how long they have known each other
			o.args[1], o.age = 1, rule.Opens
		}
		return true
	case RefillDue, Lapsed:
		return pb.reorder(t, today, f, s, o) && !l.silent(f)
	case FirstOrder:
		return f.Orders == 1 && !reachedSince(today, f, t, f.LastOrder()) && rule.event(today, f.LastOrder(), FirstOrderAgo, o)
	case AskPromote:
		// Who is due is asked about a refill, not about more.
		if int64(f.Orders) < rule.Opens || s.hasCycle && s.cycle.reached(pb.Reorder.DueFrom) || !rule.event(today, f.LastOrder(), LoyalOrders, o) {
			return false
		}
		o.args = [3]int64{int64(f.Orders), o.age}
		return true
	case Registered:
		// Who was spoken to since needs no confirmation, but on the day itself anybody is glad of the link.
		toGo := f.WebinarDay.Day().since(today)
		if f.WebinarDay == 0 || toGo < 0 || max(f.AttendedDay, f.JoinedDay) >= f.WebinarDay ||
			toGo > 0 && reachedSince(today, f, t, f.RegisteredDay) || !rule.event(today, f.RegisteredDay, RegisteredAgo, o) {
			return false
		}
		o.args[1], o.own = toGo, signalRegistered
		if toGo == 0 {
			o.why, o.args[1] = WebinarToday, 0
		}
		o.deadline = f.WebinarDay.Day()
		o.expiry = min(o.expiry, o.deadline)
		return true
	case Joined:
		if f.Live&signalJoined == 0 || f.AttendedDay >= f.JoinedDay {
			return false
		}
		o.live(today, f.JoinedDay, JoinedAgo, signalRegistered|signalAttended|signalJoined)
		return o.age == 0
	case Visiting:
		if f.Live&signalVisited == 0 {
			return false
		}
		o.live(today, f.VisitedDay, VisitedAgo, signalVisited|signalClicked)
		return o.age == 0
	}
	return pb.own(t, today, f, s, o)
}

// live opens a trigger for a single day.
func (o *opening) live(today Day, date Date, why ReasonCode, own uint8) {
	age := today.since(date.Day())
	*o = opening{why: why, args: [3]int64{age}, age: age, own: own, deadline: today, expiry: today}
}

// own opens a company's own trigger.
func (pb *Playbook) own(t TriggerID, today Day, f *Facts, s *state, o *opening) bool {
	rule := &pb.Rules[t]
	w := rule.When
	if w == nil {
		return false
	}
	date := w.Since.date(f)
	if date == 0 {
		return false
	}
	day := date.Day()
	age := today.since(day)
	due, expiry := day, today.plus(rule.Expiry)
	if len(w.Cadence) > 0 {
		step := w.step(age)
		if step < 0 {
			return false
		}
		due = day.plus(w.Cadence[step])
		expiry = due.plus(w.Open - 1)
		if done := f.Past(t).Done; today > expiry || done >= DateOf(due) && !ahead(today, done) {
			return false
		}
		if step+1 < len(w.Cadence) {
			expiry = min(expiry, day.plus(w.Cadence[step+1]-1))
		}
	}
	for i := range w.Tests {
		if n, known := w.Tests[i].Of.value(today, f, s); !known || n < w.Tests[i].Min || n > w.Tests[i].Max {
			return false
		}
	}
	*o = opening{why: OwnMoment, args: [3]int64{max(age, -age), int64(t-Own1) + 1}, age: age, expiry: expiry}
	if rule.Deadline > 0 {
		o.deadline = due.plus(rule.Deadline)
	}
	return true
}

// value returns a quantity on a day; of a day to come it is below zero. It is false for what never happened.
func (q Quantity) value(today Day, f *Facts, s *state) (n int64, known bool) {
	switch q {
	case OrderDays:
		return int64(f.Orders), true
	case SpentCents:
		return f.SpentCents, true
	case TouchesMade:
		return int64(f.TouchCount), true
	case TriesMadeSo:
		return s.tries, true
	}
	date := q.date(f)
	return today.since(date.Day()), date != 0
}

// date returns the day that a quantity of the first group counts from.
func (q Quantity) date(f *Facts) Date {
	switch q {
	case SinceCreated:
		return f.Created
	case SinceStage:
		return f.StageDay
	case SinceForm:
		return f.FormDay
	case SinceRegistered:
		return f.RegisteredDay
	case SinceWebinar:
		return f.WebinarDay
	case SinceAttended:
		return f.AttendedDay
	case SinceWatched:
		return f.WatchedDay
	case SinceClicked:
		return f.ClickedDay
	case SinceVisited:
		return f.VisitedDay
	case SinceJoined:
		return f.JoinedDay
	case SinceFirstOrder:
		return f.FirstOrder
	case SinceLastOrder:
		return f.LastOrder()
	case SinceTouched:
		return f.Touches[0]
	case SinceReached:
		return f.ReachedDay
	}
	return 0
}

// untouchedImport says whether all that is known of a contact is that it came with an address book.
func untouchedImport(f *Facts) bool {
	return f.Imported && f.TouchCount == 0 && f.FormDay|f.RegisteredDay|f.AttendedDay|f.WatchedDay|f.ClickedDay|f.VisitedDay|f.JoinedDay == 0
}

// event opens a trigger that starts with an event on a day and closes some days after.
func (rule *Rule) event(today Day, date Date, why ReasonCode, o *opening) bool {
	day := date.Day()
	age := today.since(day)
	if date == 0 || age < 0 || age > rule.Expiry {
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
func reachedSince(today Day, f *Facts, t TriggerID, day Date) bool {
	return f.ReachedDay > day && !ahead(today, f.ReachedDay) || f.ReachedDay == day && f.ReachedDay != 0 && f.Past(t).Done == day
}

// reorder opens RefillDue from three quarters of the cycle and Lapsed from twice the cycle, while there is life.
func (pb *Playbook) reorder(t TriggerID, today Day, f *Facts, s *state, o *opening) bool {
	c, p := &s.cycle, &pb.Reorder
	if !s.hasCycle || c.Elapsed >= maxSpan || !c.reached(p.DueFrom) || (t == Lapsed) != c.reached(p.LapseAt) {
		return false
	}
	if p.life(today, f, c); c.Alive < p.LetGo {
		return false
	}
	*o = opening{why: CompanyCycle, args: [3]int64{c.Gap, c.Elapsed, c.Gaps}, age: c.ratio()}
	if c.ownTells() {
		o.why, o.args = UsualCycle, [3]int64{c.Own, c.Elapsed}
	}
	if t == RefillDue {
		o.deadline = c.dayAt(f.LastOrder().Day(), p.LapseAt)
		o.expiry = o.deadline.plus(-1)
	} else {
		o.expiry = today.plus(pb.Rules[Lapsed].Expiry)
	}
	return true
}

// bestWay chooses channel and content by expected value and says whether the step stands above the gate. A step that
// could not be worth more than beat, by whatever channel, is none, unless it was promised for today. Of a channel only the
// likeliest content counts, and a channel that is neither likelier nor cheaper than the best so far is passed over
// unweighed: it could not be worth more. base is what score returns.
func (l *lens) bestWay(t TriggerID, f *Facts, s *state, o *opening, own *ownContact, base, beat int64, best *candidate) (ok bool) {
	rule := &l.Rules[t]
	channels := rule.ways(f)
	if channels == 0 {
		return false
	}
	value := clampCents(rule.Value)
	anyway := int64(0)
	if t == RefillDue || t == Lapsed {
		anyway = Sigmoid(l.unasked(t, s, o))
	}
	if !o.pinned {
		most := int64(-never)
		for ch := range NumChannels {
			if channels>>ch&1 == 1 {
				most = max(most, rule.ByWay[ch]+own.sum[ch])
			}
		}
		if p := max(sigmoidTop(base+most+l.most[t])-anyway, 0); (p*value+One/2)>>16-s.optOut <= beat {
			return false
		}
	}
	blocked := rule.blocked(f, t)
	bestCost := int64(0)
	for ch := range NumChannels {
		if channels>>ch&1 == 0 {
			continue
		}
		ct, words := int(l.plain[t][ch]), int64(0)
		if ct >= 0 && blocked == 0 {
			words = l.words[t][ch][ct]
		} else if ct, words = l.likeliest(t, ch, blocked, o); ct < 0 {
			continue
		}
		z, cost := base+rule.ByWay[ch]+own.sum[ch]+words, clampCents(l.Cost[ch])
		if ok && z <= best.z && cost >= bestCost {
			continue
		}
		if p := max(sigmoidTop(z)-anyway, 0); (p*value+One/2)>>16-s.optOut-cost <= beat && !o.pinned {
			continue
		}
		p := max(Sigmoid(z)-anyway, 0)
		ev := (p*value+One/2)>>16 - s.optOut - cost
		if ok && ev <= best.ev {
			continue
		}
		ok, bestCost, beat = true, cost, max(beat, ev)
		best.channel, best.content, best.ev, best.prob, best.z = ch, uint16(ct), ev, p, z
	}
	if !ok || best.ev < l.MinEV && !o.pinned {
		return false
	}
	if o.filler {
		best.ev = l.MinEV
	}
	best.trigger, best.pinned, best.deadline, best.expiry = t, o.pinned, o.deadline, o.expiry
	return true
}

// ways returns the channels, as bits, by which the contact may be reached for the step. Anybody can be met, which says
// nothing: only when there is no other way, or when meeting has worked before.
func (rule *Rule) ways(f *Facts) uint8 {
	channels := rule.Channels & f.Channels
	if channels != 1<<InPerson && f.Answers[InPerson] == 0 {
		channels &^= 1 << InPerson
	}
	return channels
}

// clampCents bounds money at a billion cents, so that no product with a probability overflows.
func clampCents(c int64) int64 { return min(max(c, 0), 1_000_000_000) }

// blocked returns the contents, as bits, that the rule's repetition forbids to send again.
func (rule *Rule) blocked(f *Facts, t TriggerID) uint8 {
	if f.Used>>t&1 == 0 || rule.Repeat == RepeatFree {
		return 0
	}
	switch p := f.Past(t); {
	case p.Sent == 0:
	case rule.Repeat == RepeatNever:
		return p.Sent
	case len(rule.Contents) > 1:
		return 1 << p.lastSent()
	}
	return 0
}

// likeliest returns the content with the highest score that may be sent by the channel and is true of the opening, and
// that score; -1 when there is none. Of equals it takes one that is written for such an opening, then the first.
func (l *lens) likeliest(t TriggerID, ch Channel, blocked uint8, o *opening) (best int, score int64) {
	rule := &l.Rules[t]
	best = -1
	for ct := range rule.Contents {
		c := &rule.Contents[ct]
		if ct >= MaxContents || !c.may(ct, ch, blocked, o) {
			continue
		}
		z := l.words[t][ch][ct]
		if best >= 0 && (z < score || z == score && (rule.Contents[best].special() || !c.special())) {
			continue
		}
		best, score = ct, z
	}
	return best, score
}

// may says whether a content, by its number, may be sent by a channel and is true of the opening.
func (c *Content) may(ct int, ch Channel, blocked uint8, o *opening) bool {
	return c.Channels>>ch&1 == 1 && blocked>>ct&1 == 0 && c.suits(o)
}

// Step is one thing that may be done for a contact today, and what the company knows about it.
type Step struct {
	Trigger  TriggerID
	Channel  Channel
	Content  uint16
	Features [NumFeatures]int64
	Z        int64 // the company's log-odds of success, milli-nats
	Unasked  int64 // of the reorder triggers: the log-odds of an order without the step
	OptOut   int64 // cents: the chance of an opt-out times its loss
}

// Steps calls yield with every step that the hard rules allow for one contact today, by every channel and with every
// content, worth the gate or not, until it returns false. It is for those who look at what could have been suggested:
// fitting, off-policy estimates, simulations. In a week in which the contact is left unasked it still yields the refill.
func (pb *Playbook) Steps(today Day, f *Facts, yield func(*Step) bool) {
	var l lens
	l.Playbook, l.today = pb, today
	l.rests()
	var s state
	if f.Stage > Promoter || !l.begin(f, &s) {
		return
	}
	for t := range NumTriggers {
		var o opening
		if pb.Rules[t].Stages>>f.Stage&1 == 0 || !l.may(t, f, &s) || !l.openAnyway(t, f, &s, &o) {
			continue
		}
		rule := &pb.Rules[t]
		channels, blocked := rule.ways(f), rule.blocked(f, t)
		step := Step{Trigger: t, OptOut: s.optOut}
		for ft := range NumFeatures {
			step.Features[ft] = pb.feature(ft, today, f, &s, &o)
		}
		if t == RefillDue || t == Lapsed {
			step.Unasked = pb.unasked(t, &s, &o)
		}
		base := pb.score(t, today, f, &s, &o, nil)
		for ch := range NumChannels {
			if channels>>ch&1 == 0 {
				continue
			}
			way := base + rule.ByWay[ch] + pb.answers(f, ch, nil)
			for ct := range rule.Contents {
				if !rule.Contents[ct].may(ct, ch, blocked, &o) {
					continue
				}
				step.Channel, step.Content, step.Z = ch, uint16(ct), way+rule.Contents[ct].Arm[ch]
				if !yield(&step) {
					return
				}
			}
		}
	}
}

// openAnyway is open, but for those who are left unasked.
func (l *lens) openAnyway(t TriggerID, f *Facts, s *state, o *opening) bool {
	if t == RefillDue || t == Lapsed {
		return l.reorder(t, l.today, f, s, o)
	}
	return l.open(t, f, s, o)
}
