package gen

import (
	"math/bits"
	"math/rand/v2"
)

// stream is a source of random choices that is the same on every machine: integers only.
type stream struct{ pcg *rand.PCG }

func newStream(seed, number uint64) *stream {
	return &stream{rand.NewPCG(seed, number)}
}

// n returns 0 to n-1.
func (s *stream) n(n int) int {
	hi, _ := bits.Mul64(s.pcg.Uint64(), uint64(n))
	return int(hi)
}

// between returns lo to hi, both included.
func (s *stream) between(lo, hi int) int { return lo + s.n(hi-lo+1) }

// chance is true in so many of 1,000 cases.
func (s *stream) chance(thousandths int) bool { return s.n(1000) < thousandths }

func pick[T any](s *stream, from []T) T { return from[s.n(len(from))] }

// weighted returns the place of a weight, drawn by weight.
func (s *stream) weighted(weights []int) int {
	total := 0
	for _, w := range weights {
		total += w
	}
	r := s.n(total)
	for i, w := range weights {
		if r -= w; r < 0 {
			return i
		}
	}
	panic("unreachable: r < total")
}

// quantiles holds the inverse of a distribution of positive numbers at (i+½)/33, in thousandths.
type quantiles [33]int

// own is log-normal with sigma 0.35: how a customer's cycle differs from the product's.
var own = quantiles{
	469, 553, 605, 646, 681, 713, 742, 770, 796, 822, 847, 873, 898, 923, 948, 974, 1000,
	1027, 1055, 1084, 1114, 1146, 1180, 1216, 1256, 1299, 1348, 1403, 1468, 1548, 1652, 1807, 2134,
}

// noise is gamma of shape 5 and mean 1: how a gap differs from the customer's cycle.
var noise = quantiles{
	284, 383, 446, 496, 539, 578, 614, 649, 682, 714, 746, 777, 808, 839, 870, 902, 934,
	967, 1001, 1036, 1073, 1112, 1152, 1196, 1243, 1294, 1350, 1414, 1488, 1578, 1694, 1861, 2199,
}

// draw returns one value in thousandths, straight between the points of the table.
func (s *stream) draw(q *quantiles) int {
	const steps = 1000
	r := s.n((len(q) - 1) * steps)
	i, f := r/steps, r%steps
	return q[i] + (q[i+1]-q[i])*f/steps
}
