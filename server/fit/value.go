package fit

import (
	"math"

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

// fewestStood is how many have to have stood at a stage before its chances are believed.
const fewestStood = 100

// Worth solves the chain of stages: V(s) = what a year there brings + sum of P(s→s')·V(s'). People only move on.
func (s *Stages) Worth() (worth [3]float64, known bool) {
	known = true
	for from := 2; from >= 0; from-- {
		worth[from] = s.Year[from]
		if s.Stood[from] < fewestStood {
			known = false
			continue
		}
		for to := from + 1; to < 3; to++ {
			worth[from] += s.Moved[from][to] / s.Stood[from] * worth[to]
		}
	}
	return worth, known
}

// Values sets what a success of each trigger is worth, from the chain of stages and the mean margin of an order, in cents.
// A success with a prospect is a step towards the next stage: its share of that worth is reach, the chance that whoever
// took a step arrives. Rules that the chain says nothing about keep the parent's value.
func Values(parent *ranking.Playbook, s *Stages, order, reach float64) *ranking.Playbook {
	pb := Copy(parent)
	worth, known := s.Worth()
	if !known || order <= 0 {
		return pb
	}
	set := func(v float64, triggers ...ranking.TriggerID) {
		for _, t := range triggers {
			if v >= 1 {
				pb.Rules[t].Value = int64(math.Round(min(v, 1e9)))
			}
		}
	}
	step := min(max(reach, 0), 1) * (worth[ranking.Customer] - worth[ranking.Prospect])
	set(step, ranking.NewLead, ranking.WebinarFollow, ranking.WebinarAbsent, ranking.NextStep, ranking.Watched, ranking.Nurture, ranking.PromisedFollow,
		ranking.Registered, ranking.Joined, ranking.Visiting)
	set(order, ranking.RefillDue, ranking.Lapsed, ranking.FirstOrder)
	set(worth[ranking.Promoter]-worth[ranking.Customer], ranking.AskPromote)
	return pb
}
