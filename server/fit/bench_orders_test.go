package fit

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"trio/ranking"
)

// business is a public set of orders and what the ranker should reach on it.
type business struct {
	name         string
	cutOffs      int
	p3, auc, due float64
}

var businesses = []business{
	{"grocery", 5, .885, .930, .54},
	{"online_retail_2", 5, .840, .795, .74},
	{"cdnow", 4, .470, .830, 1.02},
}

const (
	horizon    = 30
	portfolio  = 100
	partitions = 20
)

// Those who are compared.
const (
	ours = iota
	float
	backbone
	bg
	lr
	gbm
	random
	models
)

var modelNames = [models]string{"ours", "ours, in floats", "backbone alone", "BG/NBD", "logistic on RFM", "GBM", "random"}

// scores are the log-odds that each model gives the customers of one cut-off.
type scores struct {
	z       [models][]float64
	y       []bool
	overdue []bool
}

// boostRow is what gradient boosting sees of a customer.
func boostRow(r *ranking.Reorder, past Orders, day ranking.Day) []float64 {
	f := past.facts()
	c, _ := r.Cycle(day, &f)
	v := c.Rhythms(day, &f)
	return []float64{
		float64(v[ranking.Repeats]), float64(v[ranking.Ratio]), float64(v[ranking.Elapsed]), float64(v[ranking.Tenure]),
		float64(v[ranking.Recent]), float64(c.Gap), float64(c.Logit), float64(past[len(past)-1] - past[0]),
	}
}

func scoreCutOff(train, test []Orders, day ranking.Day, noise *dice) (s scores) {
	parent := ranking.DefaultPlaybook().Reorder
	parent.Horizon = horizon
	raw, c := fitReorder(parent, train, day)
	r := c.round(raw)
	begin, total := columns()
	m := fitBGNBD(train, day)
	l := fitLogit3(train, day, horizon)
	var x [][]float64
	var y, w []float64
	lookBack(train, day, horizon, func(d ranking.Day, past Orders, label, weight float64) {
		x, y, w = append(x, boostRow(&raw, past, d)), append(y, label), append(w, weight)
	})
	g := fitBoost(x, y, w, 100, .1)
	logit := func(p float64) float64 { p = min(max(p, 1e-5), 1-1e-5); return math.Log(p / (1 - p)) }
	for _, o := range test {
		past := o.before(day)
		if len(past) == 0 {
			continue
		}
		f := past.facts()
		cy, _ := r.Cycle(day, &f)
		exact := floatLogit(&r, past, day)
		z := c.beta[0] + c.beta[total-1]*exact
		for k, v := range cy.Rhythms(day, &f) {
			z += c.beta[begin[k]+slot(edges[k], v)]
		}
		for i, v := range [models]float64{
			float64(cy.Unasked) / 1000, z, float64(cy.Logit) / 1000, logit(m.buys(past, day, horizon)), l.z(past, day),
			g.z(boostRow(&raw, past, day)), noise.unit(),
		} {
			s.z[i] = append(s.z[i], v)
		}
		s.y = append(s.y, o.within(day, horizon))
		s.overdue = append(s.overdue, cy.Elapsed > cy.Gap)
	}
	return s
}

// floatLogit is Cycle.Logit in floating point.
func floatLogit(r *ranking.Reorder, past Orders, day ranking.Day) float64 {
	x, tx, t := float64(len(past)-1), float64(past[len(past)-1]-past[0]), float64(day-past[0])
	one := float64(ranking.One)
	alpha, rate := float64(r.Alpha)/256, float64(r.R)/one+x
	a, b := float64(r.A)/one, float64(r.B)/one
	alive := 1 / (1 + a/(b+x)*math.Pow((alpha+t)/(alpha+tx), rate))
	p := alive * (1 - math.Pow((alpha+t)/(alpha+t+float64(r.Horizon)), rate))
	p = min(max(p, 1/one), 1-1/one)
	return math.Log(p / (1 - p))
}

// precision draws portfolios and returns, for each model, the share of its top three that ordered. among says who may be
// picked; nil: anybody.
func precision(s *scores, d *dice, among []bool, hits, shown *[models]float64) {
	order := make([]int, len(s.y))
	for i := range order {
		order[i] = i
	}
	size := min(portfolio, len(order))
	for range partitions {
		shuffle(d, order)
		for from := 0; from+size <= len(order); from += size {
			for m := range models {
				var top [3]int
				n := 0
				for _, i := range order[from : from+size] {
					if among != nil && !among[i] {
						continue
					}
					k := n
					for k > 0 && s.z[m][i] > s.z[m][top[k-1]] {
						k--
					}
					if k < 3 {
						copy(top[k+1:], top[k:2])
						top[k] = i
						n = min(n+1, 3)
					}
				}
				for _, i := range top[:n] {
					shown[m]++
					if s.y[i] {
						hits[m]++
					}
				}
			}
		}
	}
}

func benchOrders(t *testing.T, r *report) {
	var ratios []float64
	worst := [2]float64{} // integers against floats
	for _, b := range businesses {
		var hits, shown, lateHits, lateShown, area, lateArea, loss [models]float64
		due, seven, found := 0.0, 0.0, true
		d, noise := dice(1), dice(2)
		parts := folds
		if *testDir != "" {
			parts = 1
		}
		for i := range parts * b.cutOffs {
			fold, cut := i/b.cutOffs, i%b.cutOffs
			trainSheet, testSheet, ok := readSplit(t, fold, b.name, "customer_id")
			if found = ok; !ok {
				break
			}
			train, test := trainSheet.orders(t), testSheet.orders(t)
			end := ranking.Day(0)
			for _, o := range slices.Concat(train, test) {
				end = max(end, o[len(o)-1])
			}
			if cut == 0 {
				mean, within := dueError(train, test, end)
				due, seven = due+mean/float64(parts), seven+within/float64(parts)
			}
			day := end - 45 - ranking.Day(60*cut)
			s := scoreCutOff(train, test, day, &noise)
			precision(&s, &d, nil, &hits, &shown)
			precision(&s, &d, s.overdue, &lateHits, &lateShown)
			for m := range models {
				n := float64(parts * b.cutOffs)
				area[m] += auc(s.z[m], s.y) / n
				var lateZ []float64
				var lateY []bool
				for i, z := range s.z[m] {
					y := 0.0
					if s.y[i] {
						y = 1
					}
					loss[m] += logLoss(z, y) / float64(len(s.y)) / n
					if s.overdue[i] {
						lateZ, lateY = append(lateZ, z), append(lateY, s.y[i])
					}
				}
				lateArea[m] += auc(lateZ, lateY) / n
			}
		}
		if !found {
			r.note(b.name, "not there: skipped")
			continue
		}
		var p3, late [models]float64
		for m := range models {
			p3[m], late[m] = hits[m]/shown[m], lateHits[m]/lateShown[m]
			t.Logf("%-16s %-16s P@3 %.3f  AUC %.3f  log-loss %.3f  overdue: P@3 %.3f  AUC %.3f", b.name, modelNames[m], p3[m], area[m], loss[m], late[m], lateArea[m])
		}
		r.add(b.name+": P@3, 30 days", "%.3f", p3[ours], ">=", b.p3)
		r.add(b.name+": P@3 / BG/NBD", "%.3f", p3[ours]/p3[bg], ">=", 1)
		r.add(b.name+": P@3 / GBM", "%.3f", p3[ours]/p3[gbm], ">=", .97)
		r.add(b.name+": P@3 / logistic on RFM", "%.3f", p3[ours]/p3[lr], ">=", 1)
		r.add(b.name+": AUC", "%.3f", area[ours], ">=", b.auc)
		r.add(b.name+": log-loss, below BG/NBD", "%.3f", loss[ours], "<", loss[bg])
		r.add(b.name+": P@3 of the overdue / BG/NBD", "%.3f", late[ours]/late[bg], ">=", .99)
		ratios = append(ratios, p3[ours]/p3[bg])
		worst[0] = max(worst[0], math.Abs(p3[ours]-p3[float]))
		worst[1] = max(worst[1], math.Abs(area[ours]-area[float]))

		t.Logf("%-16s due day: mean |ln error| %.3f, within 7 days %.0f %%", b.name, due, 100*seven)
		r.add(b.name+": due date, mean |ln(predicted/actual)|", "%.3f", due, "<=", b.due)
	}
	if len(ratios) == 0 {
		return
	}
	mean := 0.0
	for _, v := range ratios {
		mean += v / float64(len(ratios))
	}
	r.add(fmt.Sprintf("P@3 / BG/NBD, mean of %d", len(ratios)), "%.3f", mean, ">=", 1.02)
	r.add("integers against floats: P@3", "%.4f", worst[0], "<=", .001)
	r.add("integers against floats: AUC", "%.4f", worst[1], "<=", .001)
}

// dueError predicts each gap that begins in the later 40 % of the calendar with what is fitted on the earlier 60 %.
func dueError(train, test []Orders, end ranking.Day) (mean, seven float64) {
	first := end
	for _, o := range train {
		first = min(first, o[0])
	}
	from := end - (end-first)*2/5
	parent := ranking.DefaultPlaybook().Reorder
	parent.Horizon = horizon
	r := Reorder(parent, train, from)
	n := 0.0
	for _, o := range test {
		var f ranking.Facts
		for i, d := range o {
			if last := f.LastOrder().Day(); i > 0 && last >= from {
				c, _ := r.Cycle(last, &f)
				mean += math.Abs(math.Log(float64(c.Gap) / float64(d-last)))
				if away := c.Gap - int64(d-last); away >= -7 && away <= 7 {
					seven++
				}
				n++
			}
			f.Apply(ranking.Event{Kind: ranking.EventOrder, Day: d})
		}
	}
	return mean / n, seven / n
}
