package book

import (
	"slices"

	"trio/crdt"
	"trio/crdt/automerge"
	"trio/crdt/zone"
	"trio/ranking"
)

// Field is a register's key, or the part of it that names a contact's field, and the value that wins.
type Field struct {
	Key   string
	Value automerge.Value
}

// Calendar is the member's home: the zone from the beginning, then those that the member moved to, each from a date on.
// It is never empty, and never changed once it is made.
type Calendar []Home

// Home is a zone and the date from which it is home; of the first one the date says nothing.
type Home struct {
	From ranking.Day
	Zone *zone.Zone
}

// maxMoves bounds what placing an instant costs; of more moves the newest count.
const maxMoves = 64

// NewCalendar reads the registers of a profile, ascending by key; those that are no zones are passed over. UTC is home when
// there is no zone, or one that is not known here; a move to such a zone is none.
func NewCalendar(profile []Field) Calendar {
	c := Calendar{{Zone: zone.UTC}}
	for _, f := range profile { // the zone from the beginning comes first, then by date
		date, ok := crdt.SplitZoneKey(f.Key)
		if !ok {
			continue
		}
		z, err := zone.Load(f.Value.Str)
		if err != nil {
			continue
		}
		if date == "" {
			c[0].Zone = z
			continue
		}
		from, err := ranking.ParseDay(date)
		if err == nil {
			c = append(c, Home{from, z})
		}
	}
	if n := len(c) - 1; n > maxMoves {
		c = slices.Delete(c, 1, n-maxMoves+1)
	}
	return c
}

// At returns the date of an instant (ms), and the minute of that day by the clock at home. A move changes no day before
// it: the new zone counts from the moment on which its date begins by the old one's clock. A day that is cut short or
// drawn out by a move is one day.
func (c Calendar) At(ms int64) (ranking.Day, int) {
	day, minute := dayIn(c[0].Zone, ms)
	for _, h := range c[1:] {
		if day < h.From {
			break
		}
		day, minute = dayIn(h.Zone, ms)
		day = max(day, h.From)
	}
	return day, minute
}

// Day returns the date of an instant (ms).
func (c Calendar) Day(ms int64) ranking.Day {
	d, _ := c.At(ms)
	return d
}

// On returns the zone of a date.
func (c Calendar) On(d ranking.Day) *zone.Zone {
	z := c[0].Zone
	for _, h := range c[1:] {
		if d >= h.From {
			z = h.Zone
		}
	}
	return z
}

// Equal reports whether two calendars say the same.
func (c Calendar) Equal(o Calendar) bool {
	return slices.EqualFunc(c, o, func(a, b Home) bool { return a.From == b.From && a.Zone.String() == b.Zone.String() })
}

func dayIn(z *zone.Zone, ms int64) (ranking.Day, int) {
	offset := z.Offset(ms) / 60
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
