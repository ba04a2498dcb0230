package fit

import (
	"bytes"
	"cmp"
	"math"
	"slices"

	"trio/ranking"
)

// MemberID is the 16 bytes of a member's id.
type MemberID [16]byte

// Tuple is an act on a suggestion whose window is over, as it is learnt from: 72 bytes, as a company has millions.
type Tuple struct {
	Member   MemberID
	Contact  ranking.ContactID
	Day      ranking.Day
	Features [ranking.NumFeatures]int32
	Extra    int32  // milli-nats of the company's score that no weight stands for: a form, answers, an order unasked
	P0, P1   uint16 // Q16, as the act was logged
	Trigger  ranking.TriggerID
	Channel  ranking.Channel
	Content  uint8
	Won      bool
}

// Control is a contact-week without a suggestion, at the beginning of which one about a refill was due: what happens
// unasked. Who becomes due later in the week is none, as the week after is not silent.
type Control struct {
	Member  MemberID
	Day     ranking.Day // a Monday
	Trigger ranking.TriggerID
	Age     int64 // hundredths of the cycle
	Unasked int64 // milli-nats, as the playbook sees it without Rule.Natural
	Won     bool  // an order came within the trigger's window
}

// Contact is what the server knows of one: the fields of Facts that come from no event, and all events, sorted as
// Facts.Fold wants them.
type Contact struct {
	Member MemberID
	Seed   uint64 // of the member, see ranking.Member
	Facts  ranking.Facts
	Events []ranking.Event
}

// Observe replays a contact's log and appends the acts and controls of the days in [from, until] whose windows were over
// on until, as the playbook sees them: a suggestion that it would not have made teaches nothing.
func Observe(pb *ranking.Playbook, c *Contact, from, until ranking.Day, tuples []Tuple, controls []Control) ([]Tuple, []Control) {
	acts := ranking.AppendAttempts(nil, c.Events)
	f := c.begin()
	next := 0
	see := func(day ranking.Day) { // takes over what happened before a day
		for next < len(c.Events) && c.Events[next].Day < day {
			f.Apply(c.Events[next])
			next++
		}
	}
	for day, a := from, 0; day <= until; day++ {
		for a < len(acts) && acts[a].Day < day {
			a++
		}
		for ; a < len(acts) && acts[a].Day == day; a++ {
			if !acts[a].Closed(until) {
				continue
			}
			see(day)
			if t, ok := tupleOf(pb, c, &f, &acts[a]); ok {
				tuples = append(tuples, t)
			}
		}
		if !ControlDay(pb, c.Seed, day, c.Facts.Contact) {
			continue
		}
		see(day)
		pb.Steps(day, &f, func(s *ranking.Step) bool {
			if s.Trigger != ranking.RefillDue && s.Trigger != ranking.Lapsed {
				return true
			}
			act := ranking.Attempt{Day: day, Trigger: s.Trigger}
			if !act.Closed(until) {
				return false
			}
			won := false
			for _, e := range c.Events[next:] {
				won = won || e.Kind == ranking.EventOrder && int64(e.Day-day) <= s.Trigger.Window()
			}
			age := s.Features[ranking.Age]
			controls = append(controls, Control{
				Member: c.Member, Day: day, Trigger: s.Trigger, Age: age,
				Unasked: s.Unasked - look(pb.Rules[s.Trigger].Natural, age), Won: won,
			})
			return false
		})
	}
	return tuples, controls
}

// begin returns the facts of a contact of whom the log tells nothing yet: the stage given is today's; whom the log moves began
// as a prospect.
func (c *Contact) begin() ranking.Facts {
	f := c.Facts
	for _, e := range c.Events {
		if e.Kind == ranking.EventStage || e.Kind == ranking.EventOrder || e.Kind == ranking.EventTouch && e.Outcome >= ranking.Enrolled {
			f.Stage = ranking.Prospect
		}
	}
	f.Fold(nil)
	return f
}

// ControlDay says whether a silent week of a contact begins.
func ControlDay(pb *ranking.Playbook, seed uint64, day ranking.Day, c ranking.ContactID) bool {
	return day.Monday() && pb.Silenced(seed, day, c) && pb.Silenced(seed, day+1, c)
}

// tupleOf looks at an act with the eyes of a playbook, on the facts of the morning.
func tupleOf(pb *ranking.Playbook, c *Contact, f *ranking.Facts, a *ranking.Attempt) (t Tuple, found bool) {
	pb.Steps(a.Day, f, func(s *ranking.Step) bool {
		found = s.Trigger == a.Trigger && s.Channel == a.Channel && s.Content == uint16(a.Content)
		if found {
			t = NewTuple(pb, c.Member, c.Facts.Contact, s, a)
		}
		return !found
	})
	return t, found
}

// NewTuple notes an act that was one of a playbook's steps on its day.
func NewTuple(pb *ranking.Playbook, m MemberID, contact ranking.ContactID, s *ranking.Step, a *ranking.Attempt) Tuple {
	t := Tuple{
		Member: m, Contact: contact, Day: a.Day, Trigger: a.Trigger, Channel: a.Channel, Content: a.Content,
		P0: a.P0, P1: a.P1, Won: a.Won,
	}
	for f, v := range s.Features {
		t.Features[f] = small(v)
	}
	t.Extra = small(s.Z - t.known(pb))
	return t
}

// small is a number in 32 bits: what is beyond has a meaning to nobody.
func small(v int64) int32 { return int32(min(max(v, math.MinInt32), math.MaxInt32)) }

// known is what a playbook's weights say of a tuple, in milli-nats.
func (t *Tuple) known(pb *ranking.Playbook) int64 {
	rule := &pb.Rules[t.Trigger]
	z := rule.Base + rule.Offset + rule.ByWay[t.Channel]
	if int(t.Content) < len(rule.Contents) {
		z += rule.Contents[t.Content].Arm[t.Channel]
	}
	for f, bins := range rule.Weights {
		z += look(bins, int64(t.Features[f]))
	}
	return z
}

// z is the company's log-odds of a tuple under a playbook, in nats.
func (t *Tuple) z(pb *ranking.Playbook) float64 { return float64(t.known(pb)+int64(t.Extra)) / 1000 }

func (t *Tuple) y() float64 { return truth(t.Won) }

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// binOf finds the bin of a value; look its score.
func binOf(bins []ranking.Bin, v int64) int {
	for i := range bins {
		if v < bins[i].Below {
			return i
		}
	}
	return max(len(bins)-1, 0)
}

func look(bins []ranking.Bin, v int64) int64 {
	if len(bins) == 0 {
		return 0
	}
	return bins[binOf(bins, v)].Score
}

const (
	// mostOfMember is the part of a trigger's weight that one member may have.
	mostOfMember = .05
	// FewestMembers and FewestActs: what fewer members or acts told of keeps the parent's value.
	FewestMembers, FewestActs = 20, 50
	// mostMove is how far a weight may move at a time, in milli-nats.
	mostMove = 500
	// weightRidge is what each deviation from the parent is held to zero with.
	weightRidge = 12
	// leastDoubt is what is not worth trying a message for, in milli-nats.
	leastDoubt = 60
)

// Level is the most that a member may weigh, so that nobody has more than a twentieth of what all weigh together, those who
// weigh too much already cut to it. Of fewer than twenty members nobody weighs more than twice the one in the middle. What each
// weighs is sorted in place.
func Level(sums []float64) float64 {
	slices.SortFunc(sums, func(a, b float64) int { return cmp.Compare(b, a) })
	if len(sums) == 0 {
		return 0
	}
	if len(sums) < FewestMembers {
		return 2 * sums[len(sums)/2]
	}
	rest := 0.0
	for _, x := range sums {
		rest += x
	}
	for cut, x := range sums[:FewestMembers-1] {
		if most := mostOfMember * rest / (1 - mostOfMember*float64(cut)); x <= most {
			return most
		}
		rest -= x
	}
	return sums[FewestMembers-1]
}

// shares returns by how much each of n things counts, 1 or less, so that no member has more than its part of what has the
// same kind: a member who says much, or makes it up, is one of many all the same. of tells kind and member of a thing, w what it weighs.
func shares(n int, of func(i int) (kind uint8, m MemberID), w func(i int) float64) []float64 {
	type who struct {
		kind uint8
		m    MemberID
	}
	sums := map[who]float64{}
	var order []who // no sum depends on the order of a map
	for i := range n {
		k, m := of(i)
		if _, ok := sums[who{k, m}]; !ok {
			order = append(order, who{k, m})
		}
		sums[who{k, m}] += w(i)
	}
	byKind := map[uint8][]float64{}
	for _, k := range order {
		byKind[k.kind] = append(byKind[k.kind], sums[k])
	}
	most := map[uint8]float64{}
	for k, all := range byKind {
		most[k] = Level(all)
	}
	out := make([]float64, n)
	for i := range out {
		k, m := of(i)
		out[i] = 1
		if sum := sums[who{k, m}]; sum > most[k] {
			out[i] = most[k] / sum
		}
	}
	return out
}

// fair is shares of the acts of a trigger, by age.
func fair(tuples []Tuple, today ranking.Day) []float64 {
	return shares(len(tuples), func(i int) (uint8, MemberID) { return uint8(tuples[i].Trigger), tuples[i].Member },
		func(i int) float64 { return fade(tuples[i].Day, today) })
}

// fade is what age leaves of a weight: half for each 90 days.
func fade(day, today ranking.Day) float64 { return math.Exp2(-max(float64(today-day), 0) / halfLife) }

// weigh gives each tuple its weight: by age, and no member more than its part of a trigger.
func weigh(tuples []Tuple, today ranking.Day) []float64 {
	w := fair(tuples, today)
	for i := range w {
		w[i] *= fade(tuples[i].Day, today)
	}
	return w
}

// Weights fits all that a rule's score is made of to what became of acts: each number deviates from the parent's as far as
// the tuples tell, by a ridge regression per trigger; cells that few told of have the parent's. From the old playbook no
// number moves by more than mostMove. Offset is the correction of the last days, see drift. The number of tries and the time since an event only make a step less likely. Doubt
// of each content is set.
//
// The parent is what people wrote, not what was fitted last night: a regression that is held to its own result each night
// is soon held to nothing. Both have the same contents and bins. The tuples' Extra must be those of the old playbook.
func Weights(parent, old *ranking.Playbook, tuples []Tuple, today ranking.Day) *ranking.Playbook {
	pb := Copy(old)
	tuples = sortTuples(tuples)
	if from, _ := slices.BinarySearchFunc(tuples, today-MostDays, func(t Tuple, d ranking.Day) int { return cmp.Compare(t.Day, d) }); from > 0 {
		tuples = tuples[from:]
	}
	w, share := weigh(tuples, today), fair(tuples, today)
	d := drift(old, tuples, share, today)
	for t := range ranking.NumTriggers {
		var of []int
		for i := range tuples {
			if tuples[i].Trigger == t {
				of = append(of, i)
			}
		}
		fitRule(pb, parent, old, t, tuples, of, w, &d)
	}
	now := drift(pb, tuples, share, today)
	for t := range ranking.NumTriggers {
		was := old.Rules[t].Offset
		pb.Rules[t].Offset = was + min(max(milli(now.on(t, today))-was, -mostMove), mostMove)
	}
	return pb
}

// cells tells where the numbers of a rule stand among the columns of its regression.
type cells struct {
	way, content, arm int
	feature           [ranking.NumFeatures]int
	total             int
}

func cellsOf(rule *ranking.Rule) (c cells) {
	c.total = 1
	take := func(n int) int { c.total += n; return c.total - n }
	c.way = take(int(ranking.NumChannels))
	c.content = take(len(rule.Contents))
	c.arm = take(len(rule.Contents) * int(ranking.NumChannels))
	for f, bins := range rule.Weights {
		c.feature[f] = take(max(len(bins), 1))
	}
	return c
}

func fitRule(pb, parent, before *ranking.Playbook, t ranking.TriggerID, tuples []Tuple, of []int, w []float64, days *drifts) {
	rule, from, old := &pb.Rules[t], &parent.Rules[t], &before.Rules[t]
	if len(rule.Contents) == 0 || len(rule.Contents) != len(from.Contents) {
		return
	}
	c := cellsOf(rule)
	d := design{cols: c.total, per: 4 + int(ranking.NumFeatures), y: make([]float64, 0, len(of)), w: make([]float64, 0, len(of)), off: make([]float64, 0, len(of))}
	d.at = make([]uint16, 0, len(of)*d.per)
	members := make([]map[MemberID]float64, c.total) // what each weighs in a cell
	acts := make([]int, c.total)
	rows := make([]int, 0, len(of))
	for _, i := range of {
		tu := &tuples[i]
		if int(tu.Content) >= len(rule.Contents) {
			continue
		}
		begin := len(d.at)
		ct, ch := int(tu.Content), int(tu.Channel)
		d.at = append(d.at, 0, uint16(c.way+ch), uint16(c.content+ct), uint16(c.arm+ct*int(ranking.NumChannels)+ch))
		for f := range rule.Weights {
			d.at = append(d.at, uint16(c.feature[f]+binOf(rule.Weights[f], int64(tu.Features[f]))))
		}
		d.y, d.w, d.off = append(d.y, tu.y()), append(d.w, w[i]), append(d.off, float64(tu.known(parent)-from.Offset+int64(tu.Extra))/1000+days.on(t, tu.Day))
		for _, col := range d.at[begin:] {
			if members[col] == nil {
				members[col] = map[MemberID]float64{}
			}
			members[col][tu.Member] += w[i]
			acts[col]++
		}
		rows = append(rows, i)
	}
	// Nobody is more than its part of any cell that moves.
	most := make([]float64, c.total)
	for col, of := range members {
		most[col] = math.Inf(1)
		if len(of) >= FewestMembers {
			sums := make([]float64, 0, len(of))
			for _, sum := range of {
				sums = append(sums, sum)
			}
			most[col] = Level(sums)
		}
	}
	for row, i := range rows {
		share := 1.0
		for _, col := range d.at[row*d.per : (row+1)*d.per] {
			share = min(share, most[col]/members[col][tuples[i].Member])
		}
		d.w[row] *= share
	}
	lambda, prior := make([]float64, c.total), make([]float64, c.total)
	for col := range lambda {
		lambda[col] = weightRidge
		if acts[col] < FewestActs || len(members[col]) < FewestMembers {
			lambda[col] = 1e9 // stays where the parent has it
		}
	}
	if acts[0] >= FewestActs && len(members[0]) >= FewestMembers {
		lambda[0] = .1
	}
	for f, bins := range rule.Weights {
		if len(bins) == 0 {
			lambda[c.feature[f]] = 1e9
		}
	}
	delta, told := ridge(&d, lambda, prior)
	move := func(was, to int64) int64 { return was + min(max(to-was, -mostMove), mostMove) }
	rule.Base = move(old.Base, from.Base+milli(delta[0]))
	var above [ranking.NumChannels]int64 // no channel stands above zero: what is more is said of its contents
	for ch := range rule.ByWay {
		v := from.ByWay[ch] + milli(delta[c.way+ch])
		above[ch] = max(v, 0)
		rule.ByWay[ch] = move(old.ByWay[ch], v-above[ch])
	}
	for ct := range rule.Contents {
		content := &rule.Contents[ct]
		for ch := range content.Arm {
			// What a content does by all channels and what it does by one are held apart only here.
			content.Arm[ch] = move(old.Contents[ct].Arm[ch],
				from.Contents[ct].Arm[ch]+above[ch]+milli(delta[c.content+ct]+delta[c.arm+ct*int(ranking.NumChannels)+ch]))
		}
		content.Doubt = milli(1 / math.Sqrt(told[c.content+ct]+weightRidge))
		if content.Doubt < leastDoubt {
			content.Doubt = 0
		}
	}
	for f := range rule.Weights {
		bins := rule.Weights[f]
		values, weights := make([]float64, len(bins)), make([]float64, len(bins))
		for b := range bins {
			values[b] = float64(look(from.Weights[f], bins[b].Below-1)) + 1000*delta[c.feature[f]+b]
			weights[b] = told[c.feature[f]+b] + weightRidge
		}
		if f := ranking.Feature(f); f == ranking.TriesMade || f == ranking.Age && fades(t) {
			falling(values, weights)
		}
		for b := range bins {
			bins[b].Score = move(old.Weights[f][b].Score, int64(math.Round(values[b])))
		}
	}
}

// fades says whether the chance of a trigger's step only falls with the time since its event.
func fades(t ranking.TriggerID) bool {
	switch t {
	case ranking.RefillDue, ranking.Lapsed, ranking.FirstOrder, ranking.AskPromote:
		return false
	}
	return t < ranking.Own1
}

// Copy returns a playbook that shares nothing with the one given but its words and conditions, which are only read.
func Copy(pb *ranking.Playbook) *ranking.Playbook {
	c := *pb
	for t := range c.Rules {
		rule := &c.Rules[t]
		rule.Contents = slices.Clone(rule.Contents)
		rule.Natural = slices.Clone(rule.Natural)
		for f := range rule.Weights {
			rule.Weights[f] = slices.Clone(rule.Weights[f])
		}
	}
	for r := range c.Reorder.Card {
		c.Reorder.Card[r] = slices.Clone(c.Reorder.Card[r])
	}
	return &c
}

// drifts are the offsets of each trigger that were in force on each day, in nats.
type drifts struct {
	first ranking.Day
	at    [ranking.NumTriggers][]float64
}

// on returns the offset of a day.
func (d *drifts) on(t ranking.TriggerID, day ranking.Day) float64 {
	i := int(day - d.first)
	if i < 0 || len(d.at[t]) == 0 {
		return 0
	}
	return d.at[t][min(i, len(d.at[t])-1)]
}

// drift replays the daily correction: each morning the offset of a trigger moves by the correction of the acts whose
// window ended the evening before, as a playbook without its own offset sees them. What the days taught is so a
// function of the acts, and the weights are fitted to what is left of them; fitted to all, they would take the correction
// back each night. The tuples are sorted by day; fair says by how much each counts.
func drift(pb *ranking.Playbook, tuples []Tuple, fair []float64, today ranking.Day) (d drifts) {
	if len(tuples) == 0 {
		return d
	}
	d.first = max(tuples[0].Day, today-MostDays)
	for t := range ranking.NumTriggers {
		var of []int
		for i := range tuples {
			if tuples[i].Trigger == t && tuples[i].Day >= d.first {
				of = append(of, i)
			}
		}
		at := make([]float64, max(int(today-d.first)+1, 1))
		next, now := 0, 0.0
		for i := range at {
			gain, info := 0.0, 0.0
			for ; next < len(of) && int64(tuples[of[next]].Day-d.first)+t.Window() < int64(i); next++ {
				tu, share := &tuples[of[next]], fair[of[next]]
				p := sigmoid(tu.z(pb) - float64(pb.Rules[t].Offset)/1000 + at[tu.Day-d.first])
				gain += share * (tu.y() - p)
				info += share * p * (1 - p)
			}
			now += correction(gain, info, t.Window())
			at[i] = now
		}
		d.at[t] = at
	}
	return d
}

// MostDays is how far back acts are looked at: five half-lives.
const MostDays = 5 * halfLife

// correction is the daily step of an offset, in nats. What is known only days later moves it less, by as much: with the
// whole step the offset would overshoot for as many days, and swing ever wider.
func correction(gain, info float64, late int64) float64 {
	return .7 * gain / (info + 8) / float64(1+late)
}

// naturalEdges are the ends of the bins of Rule.Natural, in hundredths of the cycle.
var naturalEdges = []int64{100, 125, 150, 200, 300, never}

// Natural fits how likely orders are that nobody asked for, as far as the controls tell.
func Natural(parent *ranking.Playbook, controls []Control, today ranking.Day) *ranking.Playbook {
	pb := Copy(parent)
	controls = sortControls(controls)
	share := shares(len(controls), func(i int) (uint8, MemberID) { return uint8(controls[i].Trigger), controls[i].Member },
		func(i int) float64 { return fade(controls[i].Day, today) })
	for _, t := range []ranking.TriggerID{ranking.RefillDue, ranking.Lapsed} {
		d := design{cols: 1 + len(naturalEdges), per: 2, w: []float64{}, off: []float64{}}
		members := map[MemberID]struct{}{}
		for i := range controls {
			c := &controls[i]
			if c.Trigger != t {
				continue
			}
			bin, _ := slices.BinarySearch(naturalEdges, c.Age+1)
			d.at = append(d.at, 0, uint16(1+min(bin, len(naturalEdges)-1)))
			d.y, d.off = append(d.y, truth(c.Won)), append(d.off, float64(c.Unasked)/1000)
			d.w = append(d.w, share[i]*fade(c.Day, today))
			members[c.Member] = struct{}{}
		}
		if d.rows() < FewestActs || len(members) < FewestMembers {
			continue
		}
		lambda, prior := make([]float64, d.cols), make([]float64, d.cols)
		for i := range lambda {
			lambda[i] = weightRidge
		}
		lambda[0] = .1
		beta, _ := ridge(&d, lambda, prior)
		rule := &pb.Rules[t]
		bins := make([]ranking.Bin, len(naturalEdges))
		for i, below := range naturalEdges {
			was := look(rule.Natural, below-1)
			bins[i] = ranking.Bin{Below: below, Score: was + min(max(milli(beta[0]+beta[1+i])-was, -mostMove), mostMove)}
		}
		rule.Natural = bins
	}
	return pb
}

// group sums what acts gained over what was expected of them, in nats and their information, and by how much chance alone
// makes the gain vary.
type group struct{ gain, info, noise float64 }

// spread estimates by moments how much the members of a level differ (tau², nats squared), beginning with .15 as forty
// of them would have told it, and returns what shrinks them, 1/tau², in Q16.
func spread(groups []group) int64 {
	num, den := 40*.15, 40.0
	for _, g := range groups {
		num += g.gain*g.gain - g.noise
		den += g.info * g.info
	}
	tau := max(num/den, 1e-3)
	return int64(math.Round(ranking.One / tau))
}

// Shrink fits what own experience may say, level by level: what all share, and what the level above explains, is taken out
// first.
func Shrink(parent *ranking.Playbook, tuples []Tuple) *ranking.Playbook {
	pb := Copy(parent)
	pb.Shared = ranking.Shared{}
	type cell struct {
		member  MemberID
		contact ranking.ContactID
		a, b    uint8
	}
	// sums groups the tuples; above says what is taken out of each, in nats.
	share := shares(len(tuples), func(i int) (uint8, MemberID) { return uint8(tuples[i].Trigger), tuples[i].Member }, func(int) float64 { return 1 })
	sums := func(chance func(*Tuple) uint16, key func(*Tuple) cell, above func(i int) float64) (groups []group, of []int) {
		at := map[cell]int{}
		of = make([]int, len(tuples))
		for i := range tuples {
			k := key(&tuples[i])
			g, ok := at[k]
			if !ok {
				g = len(groups)
				at[k] = g
				groups = append(groups, group{})
			}
			of[i] = g
			p := float64(chance(&tuples[i])) / ranking.One
			groups[g].gain += share[i] * (tuples[i].y() - p - p*(1-p)*above(i))
			groups[g].info += share[i] * p * (1 - p)
			groups[g].noise += share[i] * share[i] * p * (1 - p)
		}
		return groups, of
	}
	offset := func(g group, shrink int64) float64 { return g.gain / (g.info + float64(shrink)/ranking.One) }
	nothing := func(int) float64 { return 0 }
	p0 := func(t *Tuple) uint16 { return t.P0 }
	p1 := func(t *Tuple) uint16 { return t.P1 }
	byWay := func(t *Tuple) cell { return cell{a: uint8(t.Channel)} }
	byWords := func(t *Tuple) cell { return cell{a: uint8(t.Trigger), b: t.Content} }
	const firm = 20 * ranking.One // what all share is little doubted
	shared := func(chance func(*Tuple) uint16, key func(*Tuple) cell, put func(c cell, v int64)) []float64 {
		groups, of := sums(chance, key, nothing)
		out := make([]float64, len(tuples))
		for i := range tuples {
			v := milli(offset(groups[of[i]], firm))
			put(key(&tuples[i]), v)
			out[i] = float64(v) / 1000
		}
		return out
	}
	ways := shared(p0, byWay, func(c cell, v int64) { pb.Shared.Ways[c.a] = v })
	words := shared(p0, byWords, func(c cell, v int64) {
		if c.b < ranking.MaxContents {
			pb.Shared.Words[c.a][c.b] = v
		}
	})
	contacts := shared(p1, byWay, func(c cell, v int64) { pb.Shared.Contacts[c.a] = v })

	// A contact is taken with its member: two may know one person by the same id after an import.
	s := &pb.Shrink
	groups, of := sums(p0, func(t *Tuple) cell { return cell{member: t.Member} }, func(i int) float64 { return ways[i] })
	s.Member = spread(groups)
	own := make([]float64, len(tuples))
	for i := range own {
		own[i] = offset(groups[of[i]], s.Member)
	}
	groups, _ = sums(p0, func(t *Tuple) cell { return cell{member: t.Member, a: uint8(t.Channel)} },
		func(i int) float64 { return ways[i] + own[i] })
	s.Way = spread(groups)
	groups, _ = sums(p0, func(t *Tuple) cell { return cell{member: t.Member, a: uint8(t.Trigger), b: t.Content} },
		func(i int) float64 { return words[i] + own[i] })
	s.Words = spread(groups)
	groups, of = sums(p1, func(t *Tuple) cell { return cell{member: t.Member, contact: t.Contact} }, func(i int) float64 { return contacts[i] })
	s.Contact = spread(groups)
	for i := range own {
		own[i] = offset(groups[of[i]], s.Contact)
	}
	groups, _ = sums(p1, func(t *Tuple) cell { return cell{member: t.Member, contact: t.Contact, a: uint8(t.Channel)} },
		func(i int) float64 { return contacts[i] + own[i] })
	s.ContactWay = spread(groups)
	return pb
}

// sortControls puts them into an order of their own.
func sortControls(controls []Control) []Control {
	sorted := slices.Clone(controls)
	slices.SortFunc(sorted, func(a, b Control) int {
		return cmp.Or(
			cmp.Compare(a.Day, b.Day), bytes.Compare(a.Member[:], b.Member[:]), cmp.Compare(a.Trigger, b.Trigger),
			cmp.Compare(a.Age, b.Age), cmp.Compare(a.Unasked, b.Unasked), cmp.Compare(truth(a.Won), truth(b.Won)),
		)
	})
	return sorted
}

// sortTuples puts them into an order of their own, so that sums of floats do not depend on how they came. What is in that order already is not copied.
func sortTuples(tuples []Tuple) []Tuple {
	if slices.IsSortedFunc(tuples, compareTuples) {
		return tuples
	}
	sorted := slices.Clone(tuples)
	slices.SortFunc(sorted, compareTuples)
	return sorted
}

func compareTuples(a, b Tuple) int {
	if c := cmp.Or(cmp.Compare(a.Day, b.Day), bytes.Compare(a.Member[:], b.Member[:]), bytes.Compare(a.Contact[:], b.Contact[:])); c != 0 {
		return c
	}
	return cmp.Or(
		cmp.Compare(a.Trigger, b.Trigger), cmp.Compare(a.Channel, b.Channel), cmp.Compare(a.Content, b.Content),
		cmp.Compare(a.Extra, b.Extra), cmp.Compare(a.P0, b.P0), cmp.Compare(a.P1, b.P1), cmp.Compare(a.y(), b.y()),
	)
}
