package book

import (
	"math/rand/v2"
	"testing"
	"time"

	"trio/crdt/zone"
	"trio/ranking"
)

// TestCalendarGoesForward: whatever the moves, a later instant has no earlier day, its minute is one of a day, and a move
// changes no day before it.
func TestCalendarGoesForward(t *testing.T) {
	names := []string{"UTC", "Europe/Madrid", "America/Los_Angeles", "Asia/Tokyo", "Pacific/Kiritimati", "Etc/GMT+12", "Asia/Kathmandu", "America/St_Johns"}
	for seed := range uint64(300) {
		rng := rand.New(rand.NewPCG(seed, 24))
		draw := func() *zone.Zone {
			z, err := zone.Load(names[rng.IntN(len(names))])
			if err != nil {
				t.Fatal(err)
			}
			return z
		}
		start := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC).UnixMilli()
		c := Calendar{{Zone: draw()}}
		from := ranking.DayOf(start, 0)
		for range rng.IntN(6) {
			from += ranking.Day(1 + rng.IntN(10))
			c = append(c, Home{from, draw()})
		}
		last := ranking.Day(0)
		for ms := start - 3*86_400_000; ms < start+60*86_400_000; ms += int64(rng.IntN(7_200_000)) {
			day, minute := c.At(ms)
			if day < last || minute < 0 || minute >= 24*60 {
				t.Fatalf("seed %d: %v, minute %d, after %v", seed, day, minute, last)
			}
			last = day
			if n := len(c) - 1; n > 0 && day < c[n].From {
				if d, m := c[:n].At(ms); d != day || m != minute {
					t.Fatalf("seed %d: a move from %v on made %v of %v", seed, c[n].From, day, d)
				}
			}
		}
		if c.On(last).String() != c[len(c)-1].Zone.String() || !c.Equal(append(Calendar{}, c...)) || c.Equal(c[:len(c)-1]) {
			t.Fatalf("seed %d: the zone of %v is %v", seed, last, c.On(last))
		}
	}
	// Before 1970 too.
	if d, m := dayIn(zone.UTC, -1); d.String() != "1969-12-31" || m != 24*60-1 {
		t.Error(d, m)
	}
}
