package replica

import (
	"slices"
	"time"

	"trio/crdt"
	"trio/ranking"
)

// calendar is the member's home: the zone from the beginning, then those that the member moved to, each from a date on.
// It is never changed once it is made.
type calendar []home

type home struct {
	from ranking.Day
	zone *time.Location
}

// maxMoves bounds what placing an instant costs; of more moves the newest count.
const maxMoves = 64

// at returns the date of an instant (ms), and the minute of that day by the clock at home. A move changes no day before
// it: the new zone counts from the moment on which its date begins by the old one's clock. A day that is cut short or
// drawn out by a move is one day.
func (c calendar) at(ms int64) (ranking.Day, int) {
	day, minute := dayIn(c[0].zone, ms)
	for _, h := range c[1:] {
		if day < h.from {
			break
		}
		day, minute = dayIn(h.zone, ms)
		day = max(day, h.from)
	}
	return day, minute
}

// on returns the zone of a date.
func (c calendar) on(d ranking.Day) *time.Location {
	zone := c[0].zone
	for _, h := range c[1:] {
		if d >= h.from {
			zone = h.zone
		}
	}
	return zone
}

func (c calendar) equal(o calendar) bool {
	return slices.EqualFunc(c, o, func(a, b home) bool { return a.from == b.from && a.zone.String() == b.zone.String() })
}

func dayIn(zone *time.Location, ms int64) (ranking.Day, int) {
	_, offset := time.UnixMilli(ms).In(zone).Zone()
	offset /= 60
	day := ranking.DayOf(ms, offset)
	return day, int(floorDiv(ms, 60_000)+int64(offset)) - int(day)*24*60
}

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}

// loadHome reads the member's calendar from the profile. UTC is home when there is no zone, or one that this device does
// not know; a move to such a zone is none.
func (t *tx) loadHome() error {
	d, err := t.doc(crdt.ProfileDoc)
	if err != nil {
		return err
	}
	t.home = calendar{{zone: time.UTC}}
	keys, err := t.keys(d, crdt.ProfileZone, crdt.ProfileZone+"0")
	if err != nil {
		return err
	}
	for _, key := range keys { // the zone from the beginning first, then by date
		date, ok := crdt.SplitZoneKey(key)
		if !ok {
			continue
		}
		vs, err := t.visible(d, key)
		if err != nil {
			return err
		}
		name := vs[len(vs)-1].value.Str
		zone, err := time.LoadLocation(name)
		if err != nil || name == "Local" { // which would be each device's own
			continue
		}
		if date == "" {
			t.home[0].zone = zone
			continue
		}
		from, err := ranking.ParseDay(date)
		if err == nil {
			t.home = append(t.home, home{from, zone})
		}
	}
	if n := len(t.home) - 1; n > maxMoves {
		t.home = slices.Delete(t.home, 1, n-maxMoves+1)
	}
	return nil
}
