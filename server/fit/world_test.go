package fit

import (
	"encoding/binary"
	"math"
	"slices"

	"trio/ranking"
)

// world is a company of members and contacts whose truth is known, so that a policy's value can be: the expected, not the
// drawn, incremental value of each act. The truth is a playbook with other numbers than the default, and beside it what
// no playbook knows: how each member and each contact differ.
type world struct {
	truth   *ranking.Playbook
	seed    uint64
	members []*member
}

// How much the world differs from the default playbook and people from each other: standard deviations in nats. Messages
// differ as in the randomised test of mails, where the better one has odds higher by .28. What is private to contacts,
// and how rare success is, are set so that those who know all but that reach 82 % of the oracle: as in the prototype, which
// the targets come from.
const (
	sdBase, sdWay, sdWords, sdArm, sdAge             = .5, .4, .3, .15, .3
	sdSkill, sdMemberWay, sdMemberWords              = .3, .2, .15
	sdContact, sdTaste                               = .45, .45
	harder                                           = 800  // milli-nats: success is rarer than the default playbook has it
	silentFloor                                      = .004 // the chance of an order within a week of who has left
	simDays, simMembers, simContacts                 = 150, 100, 40
	simMore                                          = 200 // contacts of a member: 40 to 240
	simDone                                          = 70  // of 100 suggestions
	simDay0                              ranking.Day = 20_000
)

type member struct {
	id       MemberID
	dice     dice
	own      ranking.Member
	skill    float64
	past     []Orders // of its customers, before the first day
	way      [ranking.NumChannels]float64
	words    [ranking.NumTriggers][ranking.MaxContents]float64
	facts    []ranking.Facts
	contacts []contact
	waiting  []ranking.Attempt // whose window is open
	logged   []logged
	due      []control
}

// contact holds what nobody sees.
type contact struct {
	resp   float64
	taste  [ranking.NumChannels]float64
	cycle  float64 // days, mean of a gamma of shape 3
	alive  bool
	next   float64 // day of the next order that nobody asks for
	signal int     // chance of a signal a day, of 10,000
	asked  bool    // registered for a webinar of ...
	hosts  ranking.Day
}

type logged struct {
	tuple Tuple
	fact  int
	act   int
}

type control struct {
	Control
	fact int
}

func newWorld(seed uint64) *world {
	d := dice(seed)
	w := &world{seed: seed, truth: plainPlaybook()}
	noise := func(v *int64, sd float64) { *v += milli(sd * d.normal()) }
	for t := range w.truth.Rules {
		rule := &w.truth.Rules[t]
		rule.Base -= harder
		noise(&rule.Base, sdBase)
		for ch := range rule.ByWay {
			noise(&rule.ByWay[ch], sdWay)
		}
		for ct := range rule.Contents {
			words := sdWords * d.normal()
			for ch := range rule.Contents[ct].Arm {
				rule.Contents[ct].Arm[ch] = milli(words + sdArm*d.normal())
			}
		}
		for f := range rule.Weights {
			for b := range rule.Weights[f] {
				if b > 0 || f == int(ranking.Age) {
					noise(&rule.Weights[f][b].Score, sdAge)
				}
			}
		}
	}
	w.truth.AnswerSure = 1 << 40 // answers tell of people, they change nothing
	return w
}

// plainPlaybook is the default with seven of its triggers and three contents each that always suit.
func plainPlaybook() *ranking.Playbook {
	pb := ranking.DefaultPlaybook()
	for _, t := range []ranking.TriggerID{ranking.WebinarAbsent, ranking.NextStep, ranking.PromisedFollow, ranking.FirstOrder, ranking.AskPromote} {
		pb.Rules[t].Stages = 0
	}
	for t := range pb.Rules {
		pb.Rules[t].Contents = make([]ranking.Content, 3)
		for ct := range pb.Rules[t].Contents {
			pb.Rules[t].Contents[ct].Channels = 15
		}
	}
	return pb
}

// people fills the world with members and their books, with a past of orders.
func (w *world) people(members int, salt uint64) {
	w.members = nil
	for i := range members {
		m := &member{dice: dice(w.seed<<32 + salt<<24 + uint64(i))}
		binary.BigEndian.PutUint64(m.id[:], w.seed<<32+salt<<24+uint64(i))
		m.own.Seed = m.dice.next()
		d := &m.dice
		m.skill = sdSkill * d.normal()
		for ch := range m.way {
			m.way[ch] = sdMemberWay * d.normal()
		}
		for t := range m.words {
			for ct := range m.words[t] {
				m.words[t][ct] = sdMemberWords * d.normal()
			}
		}
		n := simContacts + d.below(simMore+1)
		m.facts, m.contacts = make([]ranking.Facts, n), make([]contact, n)
		for k := range n {
			f, c := &m.facts[k], &m.contacts[k]
			binary.BigEndian.PutUint64(f.Contact[:], d.next())
			binary.BigEndian.PutUint64(f.Contact[8:], d.next())
			f.Channels = 1 << ranking.Call
			for ch := ranking.Text; ch < ranking.NumChannels; ch++ {
				if d.below(100) < 80 {
					f.Channels |= 1 << ch
				}
			}
			c.resp = sdContact * d.normal()
			for ch := range c.taste {
				c.taste[ch] = sdTaste * d.normal()
			}
			c.cycle = 35 * math.Exp(.4*d.normal())
			c.signal = 10 + d.below(80)
			c.alive = true
			f.Created = ranking.DateOf(simDay0 - ranking.Day(d.below(300)))
			if d.below(100) < 40 { // a customer, some of them promoters, with orders since
				f.Stage = ranking.Customer
				if d.below(4) == 0 {
					f.Stage = ranking.Promoter
				}
				c.order(d, f, f.Created.Day())
				past := Orders{f.Created.Day()}
				for c.alive && c.next < float64(simDay0) {
					past = append(past, ranking.Day(c.next))
					c.order(d, f, ranking.Day(c.next))
				}
				m.past = append(m.past, past)
			}
		}
		w.members = append(w.members, m)
	}
}

// gap draws the days to the next order.
func (c *contact) gap(d *dice) float64 {
	sum := 0.0
	for range 3 {
		sum -= math.Log(1 - d.unit())
	}
	return max(sum/3*c.cycle, 1)
}

// order happens on a day; after each one some leave for good.
func (c *contact) order(d *dice, f *ranking.Facts, day ranking.Day) {
	f.Apply(ranking.Event{Kind: ranking.EventOrder, Day: day, Cents: 4500})
	c.next = float64(day) + c.gap(d)
	if d.below(100) < 6 {
		c.alive = false
	}
}

// unasked is the true chance of an order within a week.
func (c *contact) unasked(f *ranking.Facts, today ranking.Day) float64 {
	if !c.alive {
		return silentFloor
	}
	still := func(t float64) float64 { // of a gamma of shape 3
		x := 3 * t / c.cycle
		return math.Exp(-x) * (1 + x + x*x/2)
	}
	t := float64(today - f.LastOrder().Day())
	return min(max(1-still(t+7)/max(still(t), 1e-12), silentFloor), .99)
}

// chance returns the true chance of success of a step of the truth, with or without what is private to the contact, and
// by how much the step raises it.
func (m *member) chance(k int, s *ranking.Step, today ranking.Day, private bool) (p, gain float64) {
	c, f := &m.contacts[k], &m.facts[k]
	z := float64(s.Z)/1000 + m.skill + m.way[s.Channel] + m.words[s.Trigger][s.Content]
	if private {
		z += c.resp + c.taste[s.Channel]
	}
	if s.Trigger != ranking.RefillDue && s.Trigger != ranking.Lapsed {
		p = sigmoid(z)
		return p, p
	}
	base := float64(s.Unasked) / 1000 // what orders alone tell
	if private {
		p0 := c.unasked(f, today)
		logit := math.Log(p0 / (1 - p0))
		p = sigmoid(z - base + logit)
		return p, p - p0
	}
	p = sigmoid(z)
	return p, p - sigmoid(base)
}

// worth is the expected value of a step in cents, true when private is.
func (w *world) worth(m *member, k int, s *ranking.Step, today ranking.Day, private bool) float64 {
	_, gain := m.chance(k, s, today, private)
	return gain*float64(w.truth.Rules[s.Trigger].Value) - float64(s.OptOut) - float64(w.truth.Cost[s.Channel])
}

// pick is what a policy suggests.
type pick struct {
	fact   int
	step   ranking.Step
	p0, p1 int64
	ev     float64
}

// policy chooses at most three picks for a member on a day.
type policy func(w *world, m *member, today ranking.Day) []pick

// best returns the three steps of the highest worth above the gate, at most two of one trigger.
func best(w *world, m *member, today ranking.Day, gate float64, worth func(k int, s *ranking.Step) float64) (top []pick) {
	var all []pick
	for k := range m.facts {
		found := pick{ev: gate}
		ok := false
		w.truth.Steps(today, &m.facts[k], func(s *ranking.Step) bool {
			if v := worth(k, s); v > found.ev {
				found, ok = pick{fact: k, step: *s, ev: v}, true
			}
			return true
		})
		if ok {
			all = append(all, found)
		}
	}
	slices.SortFunc(all, func(a, b pick) int {
		if a.ev > b.ev {
			return -1
		} else if a.ev < b.ev {
			return 1
		}
		return a.fact - b.fact
	})
	used := map[ranking.TriggerID]int{}
	for _, p := range all {
		if used[p.step.Trigger] < 2 && len(top) < 3 {
			used[p.step.Trigger]++
			top = append(top, p)
		}
	}
	return top
}

func oracle(w *world, m *member, today ranking.Day) []pick {
	return best(w, m, today, float64(w.truth.MinEV), func(k int, s *ranking.Step) float64 { return w.worth(m, k, s, today, true) })
}

func informed(w *world, m *member, today ranking.Day) []pick {
	return best(w, m, today, float64(w.truth.MinEV), func(k int, s *ranking.Step) float64 { return w.worth(m, k, s, today, false) })
}

func atRandom(w *world, m *member, today ranking.Day) (top []pick) {
	var all [][]ranking.Step
	var who []int
	for k := range m.facts {
		var steps []ranking.Step
		w.truth.Steps(today, &m.facts[k], func(s *ranking.Step) bool {
			if s.Trigger != ranking.RefillDue && s.Trigger != ranking.Lapsed || !w.truth.Silenced(m.own.Seed, today, m.facts[k].Contact) {
				steps = append(steps, *s)
			}
			return true
		})
		if steps != nil {
			all, who = append(all, steps), append(who, k)
		}
	}
	used := map[ranking.TriggerID]int{}
	for tries := 0; tries < 20 && len(top) < 3 && len(all) > 0; tries++ {
		i := m.dice.below(len(all))
		s := all[i][m.dice.below(len(all[i]))]
		if used[s.Trigger] == 2 {
			continue
		}
		used[s.Trigger]++
		top = append(top, pick{fact: who[i], step: s})
		all, who = slices.Delete(all, i, i+1), slices.Delete(who, i, i+1)
	}
	return top
}

// naive takes the newest event first, asks about a refill after 45 days, and always sends a text.
func naive(w *world, m *member, today ranking.Day) []pick {
	return best(w, m, today, -1e9, func(k int, s *ranking.Step) float64 {
		f := &m.facts[k]
		newest := max(f.Created, f.FormDay, f.WebinarDay, f.AttendedDay, f.WatchedDay, f.ClickedDay).Day()
		switch {
		case s.Channel != ranking.Text && f.Channels>>ranking.Text&1 == 1 || s.Content != 0 && f.Past(s.Trigger).Sent == 0:
			return -1e9
		case s.Trigger == ranking.RefillDue || s.Trigger == ranking.Lapsed:
			if today-f.LastOrder().Day() < 45 {
				return -1e9
			}
			newest = f.LastOrder().Day() + 45
		}
		return -float64(today-newest) - float64(s.Content)/10
	})
}

// ranked is the shipped ranker with a playbook: the best three of both lists.
func ranked(pb **ranking.Playbook) policy {
	var r ranking.Ranker
	return func(w *world, m *member, today ranking.Day) (top []pick) {
		var out [3]ranking.Suggestion
		for list := ranking.Prospects; list <= ranking.Members; list++ {
			n := r.Rank(*pb, &m.own, today, list, m.facts, &out)
			for _, s := range out[:n] {
				k := slices.IndexFunc(m.facts, func(f ranking.Facts) bool { return f.Contact == s.Contact })
				top = append(top, pick{
					fact: k, step: ranking.Step{Trigger: s.Trigger, Channel: s.Channel, Content: s.Content}, p0: s.P0, p1: s.P1, ev: float64(s.EV),
				})
			}
		}
		slices.SortStableFunc(top, func(a, b pick) int { return int(b.ev - a.ev) })
		return top[:min(len(top), 3)]
	}
}

// tally is what a run brought.
type tally struct {
	value, early float64 // cents; of the first 50 days
	acts         int
}

// run lets the days pass. learn, if given, is called each evening with what closed.
func (w *world) run(days int, choose policy, pb **ranking.Playbook, learn func(today ranking.Day, tuples []Tuple, controls []Control)) (sum tally) {
	var tuples []Tuple
	var controls []Control
	for day := range days {
		today := simDay0 + ranking.Day(day)
		for _, m := range w.members {
			w.morning(m, today)
			closed := m.settle(today)
			if learn != nil {
				tuples = append(tuples, closed...)
				controls = m.controls(*pb, today, controls)
			}
			for _, p := range choose(w, m, today) {
				if m.dice.below(100) >= simDone {
					continue
				}
				v := w.act(m, &p, *pb, today)
				sum.value += v
				if day < 50 {
					sum.early += v
				}
				sum.acts++
			}
		}
		if learn != nil {
			learn(today, tuples, controls)
		}
	}
	return sum
}

// settle counts the acts whose window is over.
func (m *member) settle(today ranking.Day) (closed []Tuple) {
	acts, logs := m.waiting[:0], m.logged[:0]
	for i, a := range m.waiting {
		l := m.logged[i]
		if a.Closed(today) {
			m.own.Count(&a, 1)
			l.tuple.Won = a.Won
			closed = append(closed, l.tuple)
			continue
		}
		acts, logs = append(acts, a), append(logs, l)
	}
	m.waiting, m.logged = acts, logs
	return closed
}

// controls notes contact-weeks that are left unasked, and what came of those that were.
func (m *member) controls(pb *ranking.Playbook, today ranking.Day, done []Control) []Control {
	waiting := m.due[:0]
	for _, c := range m.due {
		act := ranking.Attempt{Day: c.Day, Trigger: c.Trigger}
		if !act.Closed(today) {
			waiting = append(waiting, c)
			continue
		}
		last := m.facts[c.fact].LastOrder().Day()
		c.Won = last >= c.Day && int64(last-c.Day) <= c.Trigger.Window()
		done = append(done, c.Control)
	}
	m.due = waiting
	for k := range m.facts {
		f := &m.facts[k]
		if f.Stage == ranking.Prospect || !ControlDay(pb, m.own.Seed, today, f.Contact) {
			continue
		}
		pb.Steps(today, f, func(s *ranking.Step) bool {
			if s.Trigger != ranking.RefillDue && s.Trigger != ranking.Lapsed {
				return true
			}
			age := s.Features[ranking.Age]
			m.due = append(m.due, control{Control{
				Member: m.id, Day: today, Trigger: s.Trigger, Age: age, Unasked: s.Unasked - look(pb.Rules[s.Trigger].Natural, age),
			}, k})
			return false
		})
	}
	return done
}

// morning lets contacts do what they do by themselves.
func (w *world) morning(m *member, today ranking.Day) {
	d := &m.dice
	for k := range m.facts {
		f, c := &m.facts[k], &m.contacts[k]
		if f.Stage != ranking.Prospect {
			if c.alive && f.Orders > 0 && c.next < float64(today)+1 {
				m.bought(k, today)
			}
			continue
		}
		if c.asked && c.hosts == today && d.below(100) < 55 {
			f.Apply(ranking.Event{Kind: ranking.EventAttended, Day: today})
		}
		c.asked = c.asked && c.hosts > today
		if d.below(10_000) < c.signal {
			switch d.below(4) {
			case 0:
				f.Apply(ranking.Event{Kind: ranking.EventForm, Day: today})
			case 1:
				c.asked, c.hosts = true, today+ranking.Day(d.below(5))
				f.Apply(ranking.Event{Kind: ranking.EventRegistered, Day: today, For: c.hosts})
			case 2:
				f.Apply(ranking.Event{Kind: ranking.EventWatched, Day: today})
			case 3:
				f.Apply(ranking.Event{Kind: ranking.EventClicked, Day: today})
			}
		}
	}
}

func (m *member) bought(k int, today ranking.Day) {
	m.contacts[k].order(&m.dice, &m.facts[k], today)
	for i := range m.waiting {
		if a := &m.waiting[i]; m.logged[i].fact == k && int64(today-a.Day) <= a.Trigger.Window() {
			a.Won = true
		}
	}
}

// act does what was suggested and returns its true worth.
func (w *world) act(m *member, p *pick, pb *ranking.Playbook, today ranking.Day) (worth float64) {
	d := &m.dice
	f, c := &m.facts[p.fact], &m.contacts[p.fact]
	var step ranking.Step
	found := false
	same := func(s *ranking.Step) bool {
		return s.Trigger == p.step.Trigger && s.Channel == p.step.Channel && s.Content == p.step.Content
	}
	w.truth.Steps(today, f, func(s *ranking.Step) bool {
		found = same(s)
		step = *s
		return !found
	})
	if !found {
		panic("a policy suggests what the rules forbid")
	}
	worth = w.worth(m, p.fact, &step, today, true)
	_, gain := m.chance(p.fact, &step, today, true)
	refill := step.Trigger == ranking.RefillDue || step.Trigger == ranking.Lapsed
	if refill {
		gain = max(gain, 0) / max(1-c.unasked(f, today), 1e-3)
	}
	won := d.unit() < gain
	act := ranking.Attempt{
		Day: today, Trigger: step.Trigger, Channel: step.Channel, Content: uint8(step.Content), P0: uint16(p.p0), P1: uint16(p.p1), Won: won && !refill,
	}
	pb.Steps(today, f, func(s *ranking.Step) bool {
		if !same(s) {
			return true
		}
		if p.p0 == 0 { // a policy that is not the ranker's
			act.P0 = uint16(min(max(ranking.Sigmoid(s.Z), 1), ranking.One-1))
			act.P1 = act.P0
		}
		m.waiting = append(m.waiting, act)
		m.logged = append(m.logged, logged{NewTuple(pb, m.id, f.Contact, s, &act), p.fact, 0})
		return false
	})
	ev := ranking.Event{
		Kind: ranking.EventTouch, Day: today, Channel: step.Channel, Prompted: true, Trigger: step.Trigger, Content: step.Content,
		P0: act.P0, P1: act.P1, Outcome: ranking.NoAnswer,
	}
	rate := float64(w.truth.AnswerRate[step.Channel]) / ranking.One
	switch {
	case won && !refill:
		ev.Outcome = ranking.Moved
		if f.Stage == ranking.Prospect && d.below(4) == 0 {
			ev.Outcome = ranking.Enrolled
		}
	case won || d.unit() < sigmoid(math.Log(rate/(1-rate))+c.resp+c.taste[step.Channel]):
		ev.Outcome = ranking.Answered
		if f.Stage == ranking.Prospect && d.below(10) < 3 {
			ev.Outcome = ranking.NotReady
		}
	}
	chance := float64(step.OptOut) / float64(w.truth.Loss[f.Stage])
	f.Apply(ev)
	switch {
	case won && refill, won && step.Trigger == ranking.FirstOrder, ev.Outcome == ranking.Enrolled:
		c.alive = true
		m.bought(p.fact, today)
	case won && step.Trigger == ranking.AskPromote:
		f.Apply(ranking.Event{Kind: ranking.EventStage, Day: today, Stage: ranking.Promoter})
	}
	if d.unit() < chance {
		f.Consent = ranking.OptedOut
	}
	return worth
}
