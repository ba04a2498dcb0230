package fit

import "math"

// design is a sparse regression: each row has one for each of its columns, and possibly a number for the column that is
// dense. Rows have the same number of columns.
type design struct {
	cols  int // columns, the dense one included; it is the last
	per   int // columns a row
	at    []uint16
	dense []float64 // nil: there is none
	y     []float64 // 0 or 1
	w     []float64 // nil: all weigh 1
	off   []float64 // log-odds that are given; nil: none
}

func (d *design) rows() int { return len(d.y) }

func (d *design) weight(i int) float64 {
	if d.w == nil {
		return 1
	}
	return d.w[i]
}

// z returns the log-odds of a row.
func (d *design) z(i int, beta []float64) float64 {
	z := 0.0
	if d.off != nil {
		z = d.off[i]
	}
	for _, c := range d.at[i*d.per : (i+1)*d.per] {
		z += beta[c]
	}
	if d.dense != nil {
		z += beta[d.cols-1] * d.dense[i]
	}
	return z
}

func sigmoid(z float64) float64 { return 1 / (1 + math.Exp(-z)) }

// logLoss is what a row with log-odds z costs, in nats.
func logLoss(z, y float64) float64 {
	if z > 0 {
		return z*(1-y) + math.Log1p(math.Exp(-z))
	}
	return -z*y + math.Log1p(math.Exp(z))
}

// ridge fits a logistic regression by Newton's method: it minimises the weighted log-loss plus
// sum of lambda[c]/2 · (beta[c] - prior[c])². Every lambda is above zero, so the solution is one. It also returns how much
// each column was told, the sum of w·p·(1-p) over its rows.
func ridge(d *design, lambda, prior []float64) (beta, told []float64) {
	n := d.cols
	beta = append([]float64(nil), prior...)
	told = make([]float64, n)
	if d.rows() == 0 {
		return beta, told
	}
	cost := func(b []float64) float64 {
		sum := 0.0
		for i := range d.rows() {
			sum += d.weight(i) * logLoss(d.z(i, b), d.y[i])
		}
		for c := range b {
			sum += lambda[c] / 2 * (b[c] - prior[c]) * (b[c] - prior[c])
		}
		return sum
	}
	now := cost(beta)
	grad, hess := make([]float64, n), make([]float64, n*n)
	for range 25 {
		clear(hess)
		for c := range n {
			grad[c] = lambda[c] * (beta[c] - prior[c])
			hess[c*n+c] = lambda[c]
		}
		for i := range d.rows() {
			p := sigmoid(d.z(i, beta))
			g, h := d.weight(i)*(p-d.y[i]), d.weight(i)*p*(1-p)
			at := d.at[i*d.per : (i+1)*d.per]
			for j, c := range at {
				grad[c] += g
				row := hess[int(c)*n : int(c)*n+n]
				for _, e := range at[:j+1] { // both triangles are the same; solve reads one of them
					if e <= c {
						row[e] += h
					} else {
						hess[int(e)*n+int(c)] += h
					}
				}
			}
			if d.dense != nil {
				x := d.dense[i]
				grad[n-1] += g * x
				last := hess[(n-1)*n:]
				for _, c := range at {
					last[c] += h * x
				}
				last[n-1] += h * x * x
			}
		}
		for c := range n {
			told[c] = hess[c*n+c] - lambda[c]
		}
		step := solve(hess, grad, n)
		scale, moved := 1.0, false
		for range 12 {
			trial := make([]float64, n)
			for c := range trial {
				trial[c] = beta[c] - scale*step[c]
			}
			if next := cost(trial); next <= now {
				moved = now-next > 1e-9*(1+math.Abs(now))
				beta, now = trial, next
				break
			}
			scale /= 2
		}
		if !moved {
			break
		}
	}
	return beta, told
}

// solve returns x with a·x = b for a positive definite matrix of which the lower triangle is given, by Cholesky's way; it
// overwrites a.
func solve(a, b []float64, n int) []float64 {
	x := append([]float64(nil), b...)
	for i := range n {
		for j := 0; j <= i; j++ {
			sum := a[i*n+j]
			for k := range j {
				sum -= a[i*n+k] * a[j*n+k]
			}
			if i == j {
				a[i*n+i] = math.Sqrt(max(sum, 1e-12))
			} else {
				a[i*n+j] = sum / a[j*n+j]
			}
		}
	}
	for i := range n {
		for k := range i {
			x[i] -= a[i*n+k] * x[k]
		}
		x[i] /= a[i*n+i]
	}
	for i := n - 1; i >= 0; i-- {
		for k := i + 1; k < n; k++ {
			x[i] -= a[k*n+i] * x[k]
		}
		x[i] /= a[i*n+i]
	}
	return x
}

// falling makes values fall or stay, by pooling neighbours that do not, each by its weight.
func falling(values, weights []float64) {
	type pool struct {
		sum, weight float64
		n           int
	}
	var pools []pool
	for i, v := range values {
		p := pool{v * weights[i], weights[i], 1}
		for len(pools) > 0 && pools[len(pools)-1].sum/pools[len(pools)-1].weight < p.sum/p.weight {
			q := pools[len(pools)-1]
			p = pool{p.sum + q.sum, p.weight + q.weight, p.n + q.n}
			pools = pools[:len(pools)-1]
		}
		pools = append(pools, p)
	}
	i := 0
	for _, p := range pools {
		for range p.n {
			values[i] = p.sum / p.weight
			i++
		}
	}
}

// minimise finds a low point of f near start by the simplex method of Nelder and Mead, in at most so many steps.
func minimise(f func([]float64) float64, start []float64, size float64, steps int) []float64 {
	n := len(start)
	type corner struct {
		x []float64
		y float64
	}
	corners := make([]corner, n+1)
	for i := range corners {
		x := append([]float64(nil), start...)
		if i > 0 {
			x[i-1] += size
		}
		corners[i] = corner{x, f(x)}
	}
	sort := func() {
		for i := 1; i < len(corners); i++ {
			for j := i; j > 0 && corners[j].y < corners[j-1].y; j-- {
				corners[j], corners[j-1] = corners[j-1], corners[j]
			}
		}
	}
	for range steps {
		sort()
		worst := &corners[n]
		if worst.y-corners[0].y < 1e-7*(1+math.Abs(corners[0].y)) {
			break
		}
		along := func(t float64) corner {
			x := make([]float64, n)
			for d := range x {
				for i := range n {
					x[d] += corners[i].x[d] / float64(n)
				}
				x[d] += t * (worst.x[d] - x[d])
			}
			return corner{x, f(x)}
		}
		c := along(-1)
		switch {
		case c.y < corners[0].y:
			if e := along(-2); e.y < c.y {
				c = e
			}
			*worst = c
		case c.y < corners[n-1].y:
			*worst = c
		default:
			if c.y < worst.y {
				*worst = c
			}
			if c = along(.5); c.y < worst.y {
				*worst = c
				continue
			}
			for i := 1; i <= n; i++ {
				for d := range corners[i].x {
					corners[i].x[d] = (corners[i].x[d] + corners[0].x[d]) / 2
				}
				corners[i].y = f(corners[i].x)
			}
		}
	}
	sort()
	return corners[0].x
}
