package fit

import (
	"bytes"
	"cmp"
	"math"
	"slices"

	"trio/ranking"
)

// Buyer is what one customer spent: order days, and the mean of an order in cents.
type Buyer struct {
	Orders int
	Mean   float64
}

// Spend estimates the mean of a customer's orders in cents, by the Gamma-Gamma model (Fader, Hardie 2013): the mean of
// each is shrunk to the company's by how much orders of one customer differ. It returns the company's mean, and the
// weight of the company's mean in orders. Both are zero when nobody bought.
func Spend(buyers []Buyer) (mean, weight float64) {
	var logs []Buyer
	n := 0.0
	for _, b := range buyers {
		if b.Orders > 0 && b.Mean > 0 {
			logs = append(logs, b)
			mean += b.Mean
			n++
		}
	}
	if n == 0 {
		return 0, 0
	}
	mean /= n
	cost := func(p []float64) float64 { // logarithms of the model's p, q and gamma
		sp, sq, g := math.Exp(p[0]), math.Exp(p[1])+1, math.Exp(p[2])
		c := (p[0]*p[0] + p[1]*p[1]) / 20
		lq, _ := math.Lgamma(sq)
		for _, b := range logs {
			x, m := float64(b.Orders), b.Mean/mean
			lpq, _ := math.Lgamma(sp*x + sq)
			lp, _ := math.Lgamma(sp * x)
			c -= lpq - lp - lq + sq*math.Log(g) + (sp*x-1)*math.Log(m) + sp*x*math.Log(x) - (sp*x+sq)*math.Log(g+m*x)
		}
		return c
	}
	at := minimise(cost, []float64{1, 1, 0}, .5, 200)
	sp, q, g := math.Exp(at[0]), math.Exp(at[1])+1, math.Exp(at[2])
	return mean * sp * g / (q - 1), (q - 1) / sp
}

// Stages counts how people move: from each stage to each other one, and how many stood there long enough to have moved.
type Stages struct {
	Stood [3]float64
	Moved [3][3]float64
	// What a year of a customer and of a promoter brings, in cents of margin: own orders.
	Year [3]float64
}

// fewestStood is how many have to have stood at a stage before what is known of it is believed.
const fewestStood = 100

// Worth solves the chain of stages: V(s) = what a year there brings + sum of P(s→s')·V(s'). People only move on. Where little is
// known of a later stage, moving there adds nothing; but a prospect is worth what customers are, or nothing is known.
func (s *Stages) Worth() (worth [3]float64, known [3]bool) {
	for from := 2; from >= 0; from-- {
		known[from] = s.Stood[from] >= fewestStood && (from > 0 || known[1])
		if !known[from] {
			continue
		}
		worth[from] = s.Year[from]
		for to := from + 1; to < 3; to++ {
			worth[from] += s.Moved[from][to] / s.Stood[from] * worth[to]
		}
	}
	return worth, known
}

// Course is what the people of one member did in their first year at each stage, of those who came to it in the last three
// years. Who came with an address book is not known to have come to its first stage.
type Course struct {
	Member MemberID
	Came   [3]int64 // people
	Bought [3]int64 // of them, those who ordered on the day they came
	Days   [3]int64 // that they stood there
	Orders [3]int64 // later days with orders among these
	Moved  [3][3]int64
	// Prospects who took a step after a suggestion, and those of them who were customers within stepDays.
	Took, Arrived int64
}

const (
	stayDays   = 365
	courseDays = 3 * 365
	stepDays   = 90
)

// steps are the triggers whose success is a step of a prospect.
var steps = []ranking.TriggerID{
	ranking.NewLead, ranking.WebinarFollow, ranking.WebinarAbsent, ranking.NextStep, ranking.Watched, ranking.Nurture, ranking.PromisedFollow,
	ranking.Registered, ranking.Joined, ranking.Visiting,
}

// Follow adds one person, as known on a day.
func (c *Course) Follow(p *Contact, until ranking.Day) {
	f := p.begin()
	type stay struct {
		stage    ranking.Stage
		from, to ranking.Day // to: the day after the last
	}
	var stays []stay
	var orders []ranking.Day
	customer := ranking.Day(0) // the first day as one, or more
	come := func(s ranking.Stage, day ranking.Day) {
		if n := len(stays); n > 0 {
			stays[n-1].to = day
		}
		stays = append(stays, stay{s, day, until + 1})
		if s != ranking.Prospect && customer == 0 {
			customer = day
		}
	}
	first := f.Created.Day()
	if len(p.Events) > 0 && (f.Created == 0 || p.Events[0].Day < first) {
		first = p.Events[0].Day
	}
	if first == 0 || first > until {
		return
	}
	come(f.Stage, first)
	for i := range p.Events {
		ev := &p.Events[i]
		if ev.Day > until {
			break
		}
		if f.Apply(*ev); f.Stage != stays[len(stays)-1].stage {
			come(f.Stage, ev.Day)
		}
		if ev.Kind == ranking.EventOrder && (len(orders) == 0 || orders[len(orders)-1] < ev.Day) {
			orders = append(orders, ev.Day)
		}
	}
	for i, s := range stays {
		if s.to <= s.from || s.from < until-courseDays || i == 0 && f.Imported {
			continue // who is a customer from the first day on did not become one
		}
		c.Came[s.stage]++
		end := min(s.to, s.from+stayDays)
		c.Days[s.stage] += int64(end - s.from)
		for _, day := range orders {
			if day == s.from {
				c.Bought[s.stage]++
			} else if day > s.from && day < end {
				c.Orders[s.stage]++
			}
		}
		if i+1 < len(stays) && stays[i+1].stage > s.stage && s.to-s.from <= stayDays {
			c.Moved[s.stage][stays[i+1].stage]++
		}
	}
	for _, a := range ranking.AppendAttempts(nil, p.Events) {
		if a.Won && slices.Contains(steps, a.Trigger) && (customer == 0 || a.Day <= customer) {
			if a.Day >= until-courseDays && a.Day < until-stepDays {
				c.Took++
				if customer != 0 && customer-a.Day <= stepDays {
					c.Arrived++
				}
			}
			return // the first step; those that follow are the same way
		}
	}
}

// mostTimes is by how many times one's number may be that of the others.
const mostTimes = 4

// rate is how many of d are n, of all members together: nobody has more than a twentieth of d, nor a rate of more than
// mostTimes that of the others, so that one member moves it by 15 % and some.
func rate(courses []Course, of func(*Course) (n, d int64)) (r float64, known bool) {
	var ns, ds []float64
	for i := range courses {
		if n, d := of(&courses[i]); d > 0 {
			ns, ds = append(ns, float64(n)), append(ds, float64(d))
		}
	}
	if len(ds) < FewestMembers {
		return 0, false
	}
	most := Level(slices.Clone(ds))
	n, d := 0.0, 0.0
	for i := range ds {
		if share := most / ds[i]; share < 1 {
			ns[i], ds[i] = ns[i]*share, ds[i]*share
		}
		n, d = n+ns[i], d+ds[i]
	}
	sum := 0.0
	for i := range ds {
		sum += min(ns[i], mostTimes*max(n-ns[i], 0)/(d-ds[i])*ds[i])
	}
	return sum / d, true
}

// Earned is what a company's orders say that a success is worth, in cents of margin.
type Earned struct {
	Buyers int           `json:"customers"` // whose orders have an amount in the company's currency
	Order  float64       `json:"order"`     // the mean of an order, margin and all; 0: not known
	Margin float64       `json:"margin"`    // of an order
	People [3]float64    `json:"people"`    // who came to each stage in the last three years
	Year   [3]float64    `json:"year"`      // what the first year there brings by own orders
	Chance [3][3]float64 `json:"chance"`    // of coming from one stage to another within that year
	Stage  [3]float64    `json:"stage"`     // what somebody there is worth
	Known  [3]bool       `json:"known"`     // whether that is known
	Took   float64       `json:"took"`      // prospects who took a step after a suggestion
	Reach  float64       `json:"reach"`     // the chance that whoever took a step is a customer within 90 days; 0: not known
}

// mostBuyers bounds what Spend goes over some hundred times.
const mostBuyers = 20_000

// Earn learns from orders: of buyers, of which no member has more than its part, and from the courses of all members' people.
// margin is what of an order is margin, in percent.
func Earn(margin int64, buyers []Buyer, courses []Course) *Earned {
	e := &Earned{Buyers: len(buyers)}
	courses = slices.Clone(courses)
	slices.SortFunc(courses, func(a, b Course) int { return bytes.Compare(a.Member[:], b.Member[:]) })
	e.Order, _ = Spend(tame(buyers))
	e.Margin = e.Order * float64(margin) / 100
	if e.Margin <= 0 {
		return e
	}
	var s Stages
	for i := range courses {
		for st := range s.Stood {
			s.Stood[st] += float64(courses[i].Came[st])
		}
		e.Took += float64(courses[i].Took)
	}
	e.People = s.Stood
	for st := range s.Stood {
		bought, ok1 := rate(courses, func(c *Course) (n, d int64) { return c.Bought[st], c.Came[st] })
		orders, ok2 := rate(courses, func(c *Course) (n, d int64) { return c.Orders[st], c.Days[st] })
		if !ok1 || !ok2 {
			s.Stood[st] = 0
			continue
		}
		s.Year[st] = e.Margin * (bought + orders*stayDays)
		var moves [3]float64
		all := 0.0
		for to := st + 1; to < 3; to++ {
			moves[to], _ = rate(courses, func(c *Course) (n, d int64) { return c.Moved[st][to], c.Days[st] })
			all += moves[to]
		}
		for to := st + 1; to < 3 && all > 0; to++ {
			e.Chance[st][to] = moves[to] / all * -math.Expm1(-all*stayDays)
			s.Moved[st][to] = s.Stood[st] * e.Chance[st][to]
		}
	}
	e.Year = s.Year
	e.Stage, e.Known = s.Worth()
	if reach, ok := rate(courses, func(c *Course) (n, d int64) { return c.Arrived, c.Took }); ok && e.Took >= FewestActs {
		e.Reach = reach
	}
	return e
}

// tame has no buyer's mean be further than mostTimes from that of the one in the middle, and takes a part of very many.
func tame(buyers []Buyer) []Buyer {
	out := make([]Buyer, 0, min(len(buyers), mostBuyers))
	for i := 0; i < len(buyers); i += 1 + len(buyers)/mostBuyers {
		out = append(out, buyers[i])
	}
	if len(out) == 0 {
		return nil
	}
	slices.SortFunc(out, func(a, b Buyer) int { return cmp.Or(cmp.Compare(a.Mean, b.Mean), cmp.Compare(a.Orders, b.Orders)) })
	middle := out[len(out)/2].Mean
	for i := range out {
		out[i].Mean = min(max(out[i].Mean, middle/mostTimes), middle*mostTimes)
	}
	return out
}

// Bounds of a learnt value: what it may move by in a night, and how many times what people wrote it may be, or a part of that.
const (
	nightPart  = .2
	mostWorths = 3
)

// Values sets what a success of each trigger is worth: a step towards what was earned, from the old playbook's value, within the
// bounds of the parent's, which people wrote. A success with a prospect is a step towards a customer: its share of what that is
// worth is the chance that whoever took a step arrives. What is not known has the parent's value as its aim.
func Values(pb, parent, old *ranking.Playbook, e *Earned) {
	for t := range pb.Rules {
		pb.Rules[t].Value = parent.Rules[t].Value
	}
	if parent.Margin == 0 || e == nil {
		return
	}
	aim := func(v float64, triggers ...ranking.TriggerID) {
		for _, t := range triggers {
			written, was := float64(parent.Rules[t].Value), float64(old.Rules[t].Value)
			to := v
			if v < 1 {
				to = written
			}
			to = min(max(to, was*(1-nightPart)), was*(1+nightPart))
			pb.Rules[t].Value = worthOf(parent.Rules[t].Value, int64(math.Round(to)))
		}
	}
	step := 0.0
	if e.Known[ranking.Prospect] {
		step = e.Reach * (e.Stage[ranking.Customer] - e.Stage[ranking.Prospect])
	}
	aim(step, steps...)
	aim(e.Margin, ranking.RefillDue, ranking.Lapsed, ranking.FirstOrder)
	promoter := 0.0
	if e.Known[ranking.Promoter] && e.Known[ranking.Customer] {
		// What a promoter's customers order stands in another member's book: own orders say what a promoter is worth at least.
		promoter = max(e.Stage[ranking.Promoter]-e.Stage[ranking.Customer], float64(parent.Rules[ranking.AskPromote].Value))
	}
	aim(promoter, ranking.AskPromote)
}

// worthOf holds a learnt value to what people wrote.
func worthOf(written, learnt int64) int64 {
	return min(max(learnt, (written+mostWorths-1)/mostWorths), written*mostWorths)
}
