package ranking

import "math/bits"

// One is 1.0 in Q16, the fixed-point format of probabilities and of base-2 logarithms: the value times 65,536.
const One = 1 << 16

const (
	tableBits = 8
	tableSize = 1 << tableBits
)

// The tables are computed when the program starts, by integer squaring and integer square roots, so that no build can
// hold other values than the rest. Entries are Q32.
var (
	log2Table = buildLog2Table()
	exp2Table = buildExp2Table()
)

// buildLog2Table returns log2(1 + i/256) for i = 0..256. The bits of a logarithm come one by one: square the number; if
// the square has reached 2, the bit is 1 and the square is halved.
func buildLog2Table() (t [tableSize + 1]uint64) {
	for i := 0; i < tableSize; i++ {
		y := (tableSize + uint64(i)) << (63 - tableBits) // Q63, in [1, 2)
		var l uint64
		for range 34 {
			hi, lo := bits.Mul64(y, y)
			l <<= 1
			if hi>>63 == 1 {
				l |= 1
				y = hi
			} else {
				y = hi<<1 | lo>>63
			}
		}
		t[i] = (l + 2) >> 2
	}
	t[tableSize] = 1 << 32
	return t
}

// buildExp2Table returns 2^(i/256) for i = 0..256: the eight roots 2^(1/2), 2^(1/4) … 2^(1/256), multiplied as the bits
// of i say.
func buildExp2Table() (t [tableSize + 1]uint64) {
	var roots [tableBits]uint64 // Q31, the root for bit 7 first
	y := uint64(2) << 31
	for i := range roots {
		y = isqrt(y << 31)
		roots[i] = y
	}
	for i := range tableSize {
		p := uint64(1) << 31
		for b := range tableBits {
			if i>>(tableBits-1-b)&1 == 1 {
				p = (p*roots[b] + 1<<30) >> 31
			}
		}
		t[i] = p << 1
	}
	t[tableSize] = 2 << 32
	return t
}

// isqrt returns the square root of x, rounded to the nearest integer.
func isqrt(x uint64) uint64 {
	var root uint64
	rest := x
	for bit := uint64(1) << 62; bit != 0; bit >>= 2 {
		if rest >= root+bit {
			rest -= root + bit
			root = root>>1 + bit
		} else {
			root >>= 1
		}
	}
	if rest > root {
		root++
	}
	return root
}

// Log2 returns the base-2 logarithm of x in Q16, off by at most 1.1e-5 (0.7 units). Of x <= 0 it returns 0, as of 1:
// counts and day spans are at least one wherever a logarithm is taken.
func Log2(x int64) int64 {
	if x <= 1 {
		return 0
	}
	exp := bits.Len64(uint64(x)) - 1
	frac := uint64(x) << (63 - exp) << 1 // the digits behind the leading one, Q64
	i := frac >> (64 - tableBits)
	part := frac << tableBits >> 32 // how far between entries i and i+1, Q32
	l := log2Table[i] + (log2Table[i+1]-log2Table[i])*part>>32
	return int64(exp)<<16 + int64((l+1<<15)>>16)
}

// exp2Q32 returns 2^(q/65536) in Q32 for q in (-33, 30) << 16; smaller q give 0 and greater ones the value at 30.
func exp2Q32(q int64) uint64 {
	q = min(q, 30<<16)
	if q <= -33<<16 {
		return 0
	}
	whole := q >> 16 // towards minus infinity
	frac := uint64(q - whole<<16)
	i := frac >> (16 - tableBits)
	part := frac & (1<<(16-tableBits) - 1)
	m := exp2Table[i] + (exp2Table[i+1]-exp2Table[i])*part>>(16-tableBits)
	if whole >= 0 {
		return m << whole
	}
	return m >> -whole
}

// Exp2 returns 2^(q/65536) in Q16: off by at most half a unit and, for great results, a 1e-6th part. It saturates at
// 2^30 and rounds to zero below 2^-17.
func Exp2(q int64) int64 {
	return int64((exp2Q32(q) + 1<<15) >> 16)
}

// sigmoid2 returns 1/(1+2^-q) in Q16 for q in Q16, off by at most 0.6 units (1e-5).
func sigmoid2(q int64) int64 {
	neg := q < 0
	if neg {
		q = -q
	}
	if q > 32<<16 {
		q = 32 << 16
	}
	den := uint64(1)<<32 + exp2Q32(-q)
	p := int64((1<<48 + den/2) / den)
	if neg {
		return One - p
	}
	return p
}

// log2e and ln2 turn milli-nats into base-2 logarithms and back: log2(e) in Q32, ln(2) in Q32.
const (
	log2e = 6_196_328_019
	ln2   = 2_977_044_472
)

// maxNats bounds a log-odds: beyond 20 nats a probability is 0 or 1 in Q16.
const maxNats = 20_000

// Sigmoid returns the probability 1/(1+e^-z), in Q16, of log-odds z in milli-nats, off by at most 1.6e-5. It is 0 or
// One where the odds are below 1 to 65,536 or above its inverse.
func Sigmoid(z int64) int64 {
	z = min(max(z, -maxNats), maxNats)
	return sigmoid2((z*log2e/1000 + 1<<15) >> 16)
}

// Logit returns ln(p/(1-p)) in milli-nats of a probability p in Q16, off by at most 1 milli-nat. Probabilities outside
// [1, One-1] count as the nearest of these, so the result lies within ±11,091.
func Logit(p int64) int64 {
	p = min(max(p, 1), One-1)
	d := Log2(p) - Log2(One-p)                // Q16
	return (d*ln2/(1<<16)*1000 + 1<<31) >> 32 // d is below 17 << 16: no overflow
}
