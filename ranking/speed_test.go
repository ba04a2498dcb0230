package ranking

import (
	"flag"
	"fmt"
	"slices"
	"testing"
	"time"
)

var speed = flag.Bool("speed", false, "print how long ranking takes")

// TestSpeed prints the median and the least time, in microseconds, of ranking both lists of 5,000 contacts anew and after a tap, with
// all that fitting fills in, and what a warm ranker allocates.
func TestSpeed(t *testing.T) {
	if !*speed {
		t.Skip("-speed measures")
	}
	_, facts := portfolio()
	pb := fullPlaybook()
	m := &Member{Seed: 1}
	var rankers [2]Ranker
	var out [3]Suggestion
	all := func() {
		for l := range rankers {
			rankers[l].Rank(pb, m, firstDay, List(l), facts, &out)
		}
	}
	changed := []int{0}
	tap := func() {
		changed[0] = (changed[0] + 7919) % len(facts)
		for l := range rankers {
			rankers[l].Again(facts, changed, &out)
		}
	}
	p50 := func(f func()) (median, least float64) {
		times := make([]time.Duration, 101)
		for i := range times {
			const n = 10 // the clock of a browser is coarse
			start := time.Now()
			for range n {
				f()
			}
			times[i] = time.Since(start) / n
		}
		slices.Sort(times)
		return float64(times[50].Nanoseconds()) / 1000, float64(times[0].Nanoseconds()) / 1000
	}
	all()
	rank, fastRank := p50(all)
	again, fastAgain := p50(tap)
	fmt.Printf("speed: rank %.1f tap %.1f allocations %.0f bytes %d least %.1f %.1f\n", rank, again, testing.AllocsPerRun(10, all)+testing.AllocsPerRun(10, tap), factsBytes,
		fastRank, fastAgain)
}
