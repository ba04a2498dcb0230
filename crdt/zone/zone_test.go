package zone_test

import (
	"math/rand/v2"
	"testing"
	"time"
	_ "time/tzdata"

	"trio/crdt/zone"
)

// TestOffsets holds what zones say against the table of Go, which in a browser is another source.
func TestOffsets(t *testing.T) {
	names := []string{
		"UTC", "Europe/Madrid", "Europe/London", "Europe/Dublin", "America/New_York", "America/Los_Angeles", "America/St_Johns", "Asia/Tokyo",
		"Asia/Kolkata", "Asia/Calcutta", "Asia/Kathmandu", "Australia/Lord_Howe", "Australia/Sydney", "Pacific/Kiritimati", "Etc/GMT+12",
		"America/Argentina/Buenos_Aires", "Africa/Lagos", "EST5EDT",
	}
	const from, to = 631152000000, 2145916800000 // 1990 to 2037
	for _, name := range names {
		want, err := time.LoadLocation(name)
		if err != nil {
			t.Fatal(err)
		}
		z, err := zone.Load(name)
		if err != nil {
			t.Fatal(err)
		}
		check := func(ms int64) {
			if _, offset := time.UnixMilli(ms).In(want).Zone(); z.Offset(ms) != offset {
				t.Fatalf("%s at %d: %d s, want %d", name, ms, z.Offset(ms), offset)
			}
		}
		rng := rand.New(rand.NewPCG(1, 2))
		for range 200 {
			check(from + rng.Int64N(to-from))
		}
		// Around each change of the clocks in some years, to the millisecond.
		for y := 2023; y < 2028; y++ {
			at := time.Date(y, 1, 1, 0, 0, 0, 0, want)
			for range 3 {
				_, end := at.ZoneBounds()
				if end.IsZero() {
					break
				}
				check(end.UnixMilli() - 1)
				check(end.UnixMilli())
				at = end
			}
		}
		check(-1)
		shown := time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC)
		if got := z.Instant(shown.UnixMilli()); got != time.Date(2026, 7, 1, 12, 0, 0, 0, want).UnixMilli() || z.String() != name {
			t.Fatalf("noon in %s is %d", z, got)
		}
	}
	for _, name := range []string{"", "Local", "Moon/Crater", "europe/madrid", "+05:30", "Europe/", "EUROPE/MADRID", "Mars"} {
		if zone.Known(name) {
			t.Errorf("%q is no zone", name)
		}
	}
}

// TestHere asks for the machine's own zone.
func TestHere(t *testing.T) {
	now := time.Now()
	if _, offset := now.Zone(); zone.Here(now.UnixMilli()) != offset {
		t.Errorf("%d s, want %d", zone.Here(now.UnixMilli()), offset)
	}
}
