package fit

import (
	"math"
	"slices"

	"trio/ranking"
)

// The references of the benchmark: what a statistician would put beside the ranker. They live in tests only.

// bgnbd is the BG/NBD model (Fader, Hardie, Lee 2005): as the MBG/NBD, but nobody leaves before a second order.
type bgnbd struct{ r, alpha, a, b float64 }

func fitBGNBD(customers []Orders, until ranking.Day) bgnbd {
	count := map[life]float64{}
	var lives []life
	step := (len(customers) + mostLives - 1) / mostLives
	for i := 0; i < len(customers); i += step {
		if o := customers[i].before(until); len(o) > 0 {
			l := life{float64(len(o) - 1), float64(o[len(o)-1] - o[0]), float64(until - o[0])}
			if count[l] == 0 {
				lives = append(lives, l)
			}
			count[l]++
		}
	}
	cost := func(p []float64) float64 {
		cost := 0.0
		for i, v := range p {
			away := v - []float64{0, 4, -.5, .5}[i]
			cost += away * away / 8
		}
		r, alpha, a, b := math.Exp(p[0]), math.Exp(p[1]), math.Exp(p[2]), math.Exp(p[3])
		lr, _ := math.Lgamma(r)
		known := map[float64][3]float64{}
		for _, l := range lives {
			c, ok := known[l.x]
			if !ok {
				lg, _ := math.Lgamma(r + l.x)
				c = [3]float64{lg - lr, lbeta(a, b+l.x) - lbeta(a, b), math.Inf(-1)}
				if l.x > 0 {
					c[2] = lbeta(a+1, b+l.x-1) - lbeta(a, b)
				}
				known[l.x] = c
			}
			stays := c[1] - (r+l.x)*math.Log(alpha+l.t)
			left := c[2] - (r+l.x)*math.Log(alpha+l.tx)
			most := max(stays, left)
			cost -= count[l] * (c[0] + r*p[1] + most + math.Log(math.Exp(stays-most)+math.Exp(left-most)))
		}
		return cost
	}
	p := minimise(cost, []float64{0, math.Log(60), -.5, .5}, .7, 300)
	return bgnbd{math.Exp(p[0]), math.Exp(p[1]), math.Exp(p[2]), math.Exp(p[3])}
}

// buys is the chance of an order within so many days.
func (m bgnbd) buys(past Orders, today ranking.Day, horizon int64) float64 {
	x, tx, t := float64(len(past)-1), float64(past[len(past)-1]-past[0]), float64(today-past[0])
	alive := 1.0
	if x > 0 {
		alive = 1 / (1 + m.a/(m.b+x-1)*math.Pow((m.alpha+t)/(m.alpha+tx), m.r+x))
	}
	return alive * (1 - math.Pow((m.alpha+t)/(m.alpha+t+float64(horizon)), m.r+x))
}

// rfm are recency, frequency and age of a customer as numbers of a like size.
func rfm(past Orders, today ranking.Day) [3]float64 {
	return [3]float64{
		math.Log1p(float64(today - past[len(past)-1])), math.Log1p(float64(len(past) - 1)), math.Log1p(float64(today - past[0])),
	}
}

// logit3 is a logistic regression on recency, frequency and age: an intercept and three slopes, by Newton's method.
type logit3 [4]float64

func fitLogit3(customers []Orders, until ranking.Day, horizon int64) (m logit3) {
	type row struct {
		x    [4]float64
		y, w float64
	}
	var rows []row
	lookBack(customers, until, horizon, func(day ranking.Day, past Orders, y, w float64) {
		v := rfm(past, day)
		rows = append(rows, row{[4]float64{1, v[0], v[1], v[2]}, y, w})
	})
	for range 15 {
		hess, grad := make([]float64, 16), make([]float64, 4)
		for i := range 4 {
			hess[i*4+i], grad[i] = 1e-3, 1e-3*m[i]
		}
		for _, r := range rows {
			z := 0.0
			for i := range 4 {
				z += m[i] * r.x[i]
			}
			p := sigmoid(z)
			for i := range 4 {
				grad[i] += r.w * (p - r.y) * r.x[i]
				for j := 0; j <= i; j++ {
					hess[i*4+j] += r.w * p * (1 - p) * r.x[i] * r.x[j]
				}
			}
		}
		for i, s := range solve(hess, grad, 4) {
			m[i] -= s
		}
	}
	return m
}

func (m logit3) z(past Orders, today ranking.Day) float64 {
	v := rfm(past, today)
	return m[0] + m[1]*v[0] + m[2]*v[1] + m[3]*v[2]
}

// boost is gradient boosting of trees of three questions deep on the logistic loss, with 32 bins a feature.
type boost struct {
	cuts  [][]float64
	start float64
	trees []tree
}

type tree struct {
	feature [7]int
	cut     [7]uint8 // values of a bin up to this one go left
	leaf    [8]float64
}

func (b *boost) bin(x []float64) []uint8 {
	out := make([]uint8, len(x))
	for f, v := range x {
		n, _ := slices.BinarySearch(b.cuts[f], v)
		out[f] = uint8(n)
	}
	return out
}

func fitBoost(x [][]float64, y, w []float64, trees int, rate float64) *boost {
	b := &boost{}
	nf := len(x[0])
	for f := range nf {
		all := make([]float64, 0, len(x))
		for i := 0; i < len(x); i += 1 + len(x)/20_000 {
			all = append(all, x[i][f])
		}
		slices.Sort(all)
		var cuts []float64
		for q := 1; q < 32; q++ {
			if v := all[len(all)*q/32]; len(cuts) == 0 || v > cuts[len(cuts)-1] {
				cuts = append(cuts, v)
			}
		}
		b.cuts = append(b.cuts, cuts)
	}
	binned := make([][]uint8, len(x))
	sy, sw := 0.0, 0.0
	for i := range x {
		binned[i] = b.bin(x[i])
		sy, sw = sy+w[i]*y[i], sw+w[i]
	}
	b.start = math.Log(sy / (sw - sy))
	z := make([]float64, len(x))
	for i := range z {
		z[i] = b.start
	}
	const ridge, least = 5, 20
	node := make([]int, len(x))
	for range trees {
		var t tree
		clear(node)
		grads, hesses := make([]float64, len(x)), make([]float64, len(x))
		for i := range x {
			p := sigmoid(z[i])
			grads[i], hesses[i] = w[i]*(y[i]-p), w[i]*p*(1-p)
		}
		for level := range 3 {
			nodes := 1 << level
			sums := make([][2]float64, nodes*nf*32)
			for i, row := range binned {
				base := node[i] * nf * 32
				for f, v := range row {
					s := &sums[base+f*32+int(v)]
					s[0] += grads[i]
					s[1] += hesses[i]
				}
			}
			for n := range nodes {
				best, at := 0.0, nodes-1+n
				t.cut[at] = 31
				for f := range nf {
					h := sums[(n*nf+f)*32:][:32]
					var all, left [2]float64
					for _, s := range h {
						all[0], all[1] = all[0]+s[0], all[1]+s[1]
					}
					for c := range 31 {
						left[0], left[1] = left[0]+h[c][0], left[1]+h[c][1]
						r0, r1 := all[0]-left[0], all[1]-left[1]
						if left[1] < least/4 || r1 < least/4 {
							continue
						}
						if gain := left[0]*left[0]/(left[1]+ridge) + r0*r0/(r1+ridge) - all[0]*all[0]/(all[1]+ridge); gain > best {
							best, t.feature[at], t.cut[at] = gain, f, uint8(c)
						}
					}
				}
			}
			for i, row := range binned {
				at := nodes - 1 + node[i]
				node[i] *= 2
				if row[t.feature[at]] > t.cut[at] {
					node[i]++
				}
			}
		}
		var g, h [8]float64
		for i := range x {
			g[node[i]] += grads[i]
			h[node[i]] += hesses[i]
		}
		for n := range t.leaf {
			t.leaf[n] = rate * g[n] / (h[n] + ridge)
		}
		for i := range z {
			z[i] += t.leaf[node[i]]
		}
		b.trees = append(b.trees, t)
	}
	return b
}

func (b *boost) z(x []float64) float64 {
	row, z := b.bin(x), b.start
	for i := range b.trees {
		t, n := &b.trees[i], 0
		for range 3 {
			right := 0
			if row[t.feature[n]] > t.cut[n] {
				right = 1
			}
			n = 2*n + 1 + right
		}
		z += t.leaf[n-7]
	}
	return z
}
