package fit

import (
	"math"
	"slices"

	"trio/ranking"
)

// Orders are the order days of one customer, ascending, each day once.
type Orders []ranking.Day

// before returns those up to a day, that day included.
func (o Orders) before(until ranking.Day) Orders {
	n, _ := slices.BinarySearch(o, until+1)
	return o[:n]
}

// within says whether an order lies in the days after one.
func (o Orders) within(after ranking.Day, days int64) bool {
	n, _ := slices.BinarySearch(o, after+1)
	return n < len(o) && int64(o[n]-after) <= days
}

// facts folds them.
func (o Orders) facts() (f ranking.Facts) {
	for _, d := range o {
		f.Apply(ranking.Event{Kind: ranking.EventOrder, Day: d})
	}
	return f
}

// edges of the scorecard's bins; each begins a bin, the first of which begins at zero.
var edges = [ranking.NumRhythms][]int64{
	ranking.Repeats: {1, 2, 3, 5, 9, 17},
	ranking.Ratio:   {25, 50, 75, 100, 125, 150, 200, 300, 500},
	ranking.Elapsed: {4, 8, 15, 22, 31, 46, 61, 91, 121, 181, 366},
	ranking.Tenure:  {31, 61, 91, 181, 366},
	ranking.Recent:  {1, 2, 3, 4, 6, 8},
	ranking.RepeatsRatio: {
		50, 100, 150, 200, 300, 10_000, 10_050, 10_100, 10_150, 10_200, 10_300, 20_000, 20_050, 20_100, 20_150, 20_200, 20_300,
		30_000, 30_050, 30_100, 30_150, 30_200, 30_300, 40_000, 40_050, 40_100, 40_150, 40_200, 40_300,
		50_000, 50_050, 50_100, 50_150, 50_200, 50_300,
	},
}

// never is the end of the last bin.
const never = 1 << 62

// slot returns the bin that a value falls into.
func slot(edges []int64, v int64) int {
	n, found := slices.BinarySearch(edges, v)
	if found {
		n++
	}
	return n
}

// card is a fitted scorecard before it is rounded: an intercept, the bins of all rhythms, and the weight of the backbone.
type card struct{ beta []float64 }

// columns returns where a rhythm's bins begin; the intercept is column 0, the backbone the last.
func columns() (begin [ranking.NumRhythms]int, total int) {
	total = 1
	for r, e := range edges {
		begin[r] = total
		total += len(e) + 1
	}
	return begin, total + 1
}

// Reorder fits what a company knows of reordering to its customers' orders up to a day: gaps, the four numbers of the
// MBG/NBD model, and the scorecard for orders within parent.Horizon days. What is a rule and no measurement (DueFrom,
// LapseAt, LetGo, Horizon) is the parent's; where there is too little to fit, so is the rest.
func Reorder(parent ranking.Reorder, customers []Orders, until ranking.Day) ranking.Reorder {
	r, c := fitReorder(parent, customers, until)
	return c.round(r)
}

// fewest is the number of customers with repeat orders below which the parent's numbers stay.
const fewest = 50

func fitReorder(parent ranking.Reorder, customers []Orders, until ranking.Day) (ranking.Reorder, card) {
	var known []Orders
	repeated := 0
	for _, o := range customers {
		if o = o.before(until); len(o) > 0 {
			known = append(known, o)
			if len(o) > 1 {
				repeated++
			}
		}
	}
	r := parent
	if repeated < fewest {
		return r, card{}
	}
	fitGaps(&r, known)
	fitLives(&r, known, until)
	return r, fitCard(&r, customers, until)
}

// fitGaps estimates the usual gap M and its weight k from the variance of the logarithms of gaps, within customers and
// between them.
func fitGaps(r *ranking.Reorder, known []Orders) {
	var within, freedom float64
	type mean struct{ n, log float64 }
	var means []mean
	for _, o := range known {
		if len(o) < 2 {
			continue
		}
		n := float64(len(o) - 1)
		sum, squares := 0.0, 0.0
		for i := 1; i < len(o); i++ {
			l := math.Log(float64(o[i] - o[i-1]))
			sum += l
			squares += l * l
		}
		within += squares - sum*sum/n
		freedom += n - 1
		means = append(means, mean{n, sum / n})
	}
	if freedom < fewest {
		return
	}
	within = max(within/freedom, 1e-6)
	center, between := 0.0, 1.0
	for range 50 { // each mean weighs 1 / (between + within/n)
		sw, s := 0.0, 0.0
		for _, m := range means {
			w := 1 / (between + within/m.n)
			sw += w
			s += w * m.log
		}
		center = s / sw
		num, den := 0.0, 0.0
		for _, m := range means {
			w := 1 / (between + within/m.n)
			num += w * w * ((m.log-center)*(m.log-center) - within/m.n)
			den += w * w
		}
		between = max(num/den, within/1000)
	}
	r.MedianGap = max(int64(math.Round(math.Exp(center))), 1)
	r.Prior = max(int64(math.Round(256*within/between)), 1)
	r.OwnFrom = 0
}

// life is one customer as the model of four numbers sees it; several may look the same.
type life struct{ x, tx, t float64 }

// mostLives bounds the customers whose likelihood is summed: more do not move four numbers.
const mostLives = 6000

// fitLives maximises the likelihood of the MBG/NBD model (Batislam et al. 2007) of orders up to a day: customers order
// at a rate of their own (gamma: r, alpha) and leave after any order with a chance of their own (beta: a, b).
func fitLives(r *ranking.Reorder, known []Orders, until ranking.Day) {
	count := map[life]float64{}
	var lives []life
	step := (len(known) + mostLives - 1) / mostLives
	for i := 0; i < len(known); i += step {
		o := known[i]
		l := life{float64(len(o) - 1), float64(o[len(o)-1] - o[0]), float64(until - o[0])}
		if count[l] == 0 {
			lives = append(lives, l)
		}
		count[l]++
	}
	n := make([]float64, len(lives))
	for i, l := range lives {
		n[i] = count[l]
	}
	at := minimise(func(p []float64) float64 { return lifeCost(p, lives, n) }, []float64{0, math.Log(60), -.5, .5}, .7, 300)
	q16 := func(v float64) int64 { return min(max(int64(math.Round(math.Exp(v)*ranking.One)), 1), 1<<24) }
	r.R, r.A, r.B = q16(at[0]), q16(at[2]), q16(at[3])
	r.Alpha = min(max(int64(math.Round(math.Exp(at[1])*256)), 1), 1<<24)
}

// lifeCost is the negative log-likelihood, with a little that keeps the numbers from running away; p are logarithms.
func lifeCost(p []float64, lives []life, n []float64) float64 {
	cost := 0.0
	for i, v := range p {
		away := v - []float64{0, 4, -.5, .5}[i]
		cost += away * away / 8
	}
	r, alpha, a, b := math.Exp(p[0]), math.Exp(p[1]), math.Exp(p[2]), math.Exp(p[3])
	lgammas := map[float64][2]float64{}
	base := lbeta(a, b)
	for i, l := range lives {
		c, ok := lgammas[l.x]
		if !ok {
			lg, _ := math.Lgamma(r + l.x)
			lr, _ := math.Lgamma(r)
			c = [2]float64{lg - lr + lbeta(a+1, b+l.x) - base, lg - lr + lbeta(a, b+l.x+1) - base}
			lgammas[l.x] = c
		}
		left := c[0] - (r+l.x)*math.Log(alpha+l.tx)
		stays := c[1] - (r+l.x)*math.Log(alpha+l.t)
		most := max(left, stays)
		cost -= n[i] * (r*p[1] + most + math.Log(math.Exp(left-most)+math.Exp(stays-most)))
	}
	return cost
}

func lbeta(a, b float64) float64 {
	x, _ := math.Lgamma(a)
	y, _ := math.Lgamma(b)
	z, _ := math.Lgamma(a + b)
	return x + y - z
}

const (
	halfLife  = 90   // days after which what happened counts half
	every     = 10   // days between the days at which the scorecard looks back
	mostRows  = 2e5  // bounds the work
	cardRidge = 1.0  // what the bins of the scorecard are held to zero with, in rows of even odds times four
	backRidge = 50.0 // … and the backbone's weight to one
)

// lookBack calls yield with what was known of each customer on past days, every tenth, and whether an order came within
// the horizon; the last of these horizons ended with until. What is older weighs less.
func lookBack(customers []Orders, until ranking.Day, horizon int64, yield func(day ranking.Day, past Orders, y, weight float64)) {
	first := until
	for _, o := range customers {
		first = min(first, o[0])
	}
	last := until - ranking.Day(horizon)
	from := max(first+ranking.Day(horizon), last-4*halfLife) + 1
	skip := max(1, int(math.Ceil(float64(last-from+every)/every*float64(len(customers))/mostRows)))
	n := 0
	for day := last; day >= from; day -= every {
		weight := math.Exp2(-float64(last-day) / halfLife)
		for _, o := range customers {
			if n++; n%skip != 0 {
				continue
			}
			past := o.before(day)
			if len(past) == 0 {
				continue
			}
			y := 0.0
			if o.within(day, horizon) {
				y = 1
			}
			yield(day, past, y, weight)
		}
	}
}

// fitCard fits the scorecard on what was known on past days and who ordered in the days after.
func fitCard(r *ranking.Reorder, customers []Orders, until ranking.Day) card {
	begin, total := columns()
	d := design{cols: total, per: 1 + int(ranking.NumRhythms), dense: []float64{}}
	rows := 0.0
	lookBack(customers, until, r.Horizon, func(day ranking.Day, past Orders, y, weight float64) {
		f := past.facts()
		c, _ := r.Cycle(day, &f)
		d.add(&begin, &c, c.Rhythms(day, &f))
		d.y, d.w = append(d.y, y), append(d.w, weight)
		rows += weight
	})
	if rows < fewest {
		return card{}
	}
	lambda, prior := make([]float64, total), make([]float64, total)
	for i := range lambda {
		lambda[i] = cardRidge
	}
	lambda[0], lambda[total-1], prior[total-1] = 1e-3, backRidge, 1
	beta, _ := ridge(&d, lambda, prior)
	return card{beta}
}

// add appends what is known of a customer on a day, without its outcome.
func (d *design) add(begin *[ranking.NumRhythms]int, c *ranking.Cycle, values [ranking.NumRhythms]int64) {
	d.at = append(d.at, 0)
	for r, v := range values {
		d.at = append(d.at, uint16(begin[r]+slot(edges[r], v)))
	}
	d.dense = append(d.dense, float64(c.Logit)/1000)
}

// round writes the scorecard into what the ranker reads, in milli-nats.
func (c card) round(r ranking.Reorder) ranking.Reorder {
	if c.beta == nil {
		return r
	}
	begin, total := columns()
	r.Intercept, r.Weight = milli(c.beta[0]), milli(c.beta[total-1])
	for i := range r.Card {
		bins := make([]ranking.Bin, len(edges[i])+1)
		for j := range bins {
			bins[j] = ranking.Bin{Below: never, Score: milli(c.beta[begin[i]+j])}
			if j < len(edges[i]) {
				bins[j].Below = edges[i][j]
			}
		}
		r.Card[i] = bins
	}
	return r
}

func milli(nats float64) int64 { return int64(math.Round(nats * 1000)) }
