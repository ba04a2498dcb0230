package ranking

import (
	"math"
	"testing"
)

// The tests may use floating point: they compare the integers with it. The package itself may not.

func TestLog2IsWithinItsBound(t *testing.T) {
	worst := 0.0
	check := func(x int64) {
		worst = max(worst, math.Abs(float64(Log2(x))/One-math.Log2(float64(x))))
	}
	for x := int64(1); x < 1<<20; x++ {
		check(x)
	}
	for x := int64(1); x < 1<<62; x += x/1000 + 1 {
		check(x)
	}
	t.Logf("worst error of Log2 %.2e", worst)
	if worst > 1.1e-5 {
		t.Errorf("Log2 is off by %.2e, promised 1.1e-5", worst)
	}
	for e := range 63 {
		if got := Log2(1 << e); got != int64(e)*One {
			t.Errorf("Log2(2^%d) = %d, want %d", e, got, e*One)
		}
	}
	if Log2(0) != 0 || Log2(-5) != 0 || Log2(math.MinInt64) != 0 {
		t.Error("Log2 of nothing is not 0")
	}
}

func TestExp2IsWithinItsBound(t *testing.T) {
	worst := 0.0
	for q := int64(-20 * One); q < 30*One; q += 37 {
		got, want := float64(Exp2(q)), math.Exp2(float64(q)/One)*One
		if e := math.Abs(got-want) - want*1e-6; e > worst {
			worst = e
		}
	}
	t.Logf("worst error of Exp2 beside a 1e-6th part: %.3f units", worst)
	if worst > 0.51 {
		t.Errorf("Exp2 is off by %.3f units, promised 0.5 and a 1e-6th part", worst)
	}
	if Exp2(math.MaxInt64) != 1<<46 || Exp2(math.MinInt64) != 0 || Exp2(0) != One {
		t.Error("Exp2 does not saturate")
	}
}

func TestSigmoidIsWithinItsBoundAndSymmetric(t *testing.T) {
	worst := 0.0
	last := int64(-1)
	for z := int64(-21_000); z <= 21_000; z++ {
		p := Sigmoid(z)
		worst = max(worst, math.Abs(float64(p)/One-1/(1+math.Exp(-float64(z)/1000))))
		if p < last {
			t.Fatalf("Sigmoid falls at %d", z)
		}
		if p+Sigmoid(-z) != One {
			t.Fatalf("Sigmoid(%d) + Sigmoid(-%d) is not One", z, z)
		}
		last = p
	}
	t.Logf("worst error of Sigmoid %.2e", worst)
	if worst > 1.6e-5 {
		t.Errorf("Sigmoid is off by %.2e, promised 1.6e-5", worst)
	}
	if Sigmoid(math.MaxInt64) != One || Sigmoid(math.MinInt64) != 0 {
		t.Error("Sigmoid does not saturate")
	}
}

func TestLogitIsWithinItsBound(t *testing.T) {
	worst := 0.0
	for p := int64(1); p < One; p++ {
		q := float64(p) / One
		worst = max(worst, math.Abs(float64(Logit(p))-1000*math.Log(q/(1-q))))
	}
	t.Logf("worst error of Logit %.2f milli-nats", worst)
	if worst > 1 {
		t.Errorf("Logit is off by %.2f milli-nats, promised 1", worst)
	}
	if Logit(0) != Logit(1) || Logit(-9) != Logit(1) || Logit(One) != Logit(One-1) || Logit(1) != -Logit(One-1) {
		t.Error("Logit does not hold its ends")
	}
}

func TestIsqrtRoundsToTheNearest(t *testing.T) {
	for _, x := range []uint64{0, 1, 2, 3, 4, 6, 7, 8, 9, 1 << 40, 1<<40 + 1, 1<<62 - 1, 1 << 62, 1<<63 - 1} {
		want := uint64(math.Round(math.Sqrt(float64(x))))
		if got := isqrt(x); got != want {
			t.Errorf("isqrt(%d) = %d, want %d", x, got, want)
		}
	}
}
