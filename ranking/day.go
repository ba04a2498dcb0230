package ranking

import (
	"errors"
	"strconv"
)

const (
	maxDay = 1<<31 - 1
	minDay = -1 << 31
)

// DayOf returns the date on which an instant falls: unixMilli is milliseconds since 1970-01-01 UTC, zoneOffsetMinutes
// is local time minus UTC (New York in winter: -300). The caller takes the offset of the member's home time zone, not
// that of the device. Note that 1970-01-01 itself is Day 0, which Facts reads as "never".
func DayOf(unixMilli int64, zoneOffsetMinutes int) Day {
	const milliPerDay = 24 * 60 * 60 * 1000
	day, rest := unixMilli/milliPerDay, unixMilli%milliPerDay
	rest += int64(zoneOffsetMinutes) * 60 * 1000
	day += floorDiv(rest, milliPerDay)
	return clampDay(day)
}

func clampDay(n int64) Day { return Day(min(max(n, minDay), maxDay)) }

// Date is a Day as Facts keeps it, in 16 bits: 1 is 1990-01-01, the first that a log entry can claim, and 65,535 is
// 2169-06-05; days outside are taken for the nearer of the two. Zero is "never", which comes before every date.
type Date uint16

const neverDate Day = 7304 // the day before the first Date

// DateOf packs a day; Day 0 is never.
func DateOf(d Day) Date {
	if d == 0 {
		return 0
	}
	return Date(min(max(int64(d)-int64(neverDate), 1), 1<<16-1))
}

// Day unpacks a date; never is 0.
func (d Date) Day() Day {
	if d == 0 {
		return 0
	}
	return Day(d) + neverDate
}

// String returns the date as Day writes it.
func (d Date) String() string { return d.Day().String() }

// plus returns the day n days later, stopping at the ends of the calendar.
func (d Day) plus(n int64) Day { return clampDay(int64(d) + n) }

// since returns how many days after the given day d is; negative when it lies before.
func (d Day) since(earlier Day) int64 { return int64(d) - int64(earlier) }

// String returns the date as 2026-11-22; years beyond 9999 or below zero keep their digits and sign.
func (d Day) String() string {
	y, m, dd := d.civil()
	var b []byte
	if y < 0 {
		b, y = append(b, '-'), -y
	}
	b = appendPadded(b, y, 4)
	b = append(b, '-')
	b = appendPadded(b, m, 2)
	b = append(b, '-')
	b = appendPadded(b, dd, 2)
	return string(b)
}

func appendPadded(b []byte, n int64, width int) []byte {
	s := strconv.FormatInt(n, 10)
	for i := len(s); i < width; i++ {
		b = append(b, '0')
	}
	return append(b, s...)
}

var errDay = errors.New("a date is written year-month-day, as in 2026-11-22")

// ParseDay reads a date as String writes it, with four digits of the year: 0000-01-01 to 9999-12-31. It refuses days
// that the calendar does not have.
func ParseDay(s string) (Day, error) {
	if len(s) != 10 || s[4] != '-' || s[7] != '-' {
		return 0, errDay
	}
	y, ok1 := digits(s[:4])
	m, ok2 := digits(s[5:7])
	dd, ok3 := digits(s[8:])
	if !ok1 || !ok2 || !ok3 {
		return 0, errDay
	}
	d := fromCivil(y, m, dd)
	if y2, m2, d2 := d.civil(); y2 != y || m2 != m || d2 != dd {
		return 0, errDay
	}
	return d, nil
}

func digits(s string) (int64, bool) {
	var n int64
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return 0, false
		}
		n = n*10 + int64(s[i]-'0')
	}
	return n, true
}

// civil and fromCivil convert between days and the proleptic Gregorian calendar, counting years from March so that the
// leap day is the last of a year (H. Hinnant, "chrono-compatible low-level date algorithms").
func (d Day) civil() (y, m, dd int64) {
	z := int64(d) + 719468
	era := floorDiv(z, 146097)
	doe := z - era*146097
	yoe := (doe - doe/1460 + doe/36524 - doe/146096) / 365
	y = yoe + era*400
	doy := doe - (365*yoe + yoe/4 - yoe/100)
	mp := (5*doy + 2) / 153
	dd = doy - (153*mp+2)/5 + 1
	m = mp + 3
	if m > 12 {
		m -= 12
		y++
	}
	return y, m, dd
}

func fromCivil(y, m, dd int64) Day {
	if m <= 2 {
		y--
		m += 12
	}
	era := floorDiv(y, 400)
	yoe := y - era*400
	doy := (153*(m-3)+2)/5 + dd - 1
	doe := yoe*365 + yoe/4 - yoe/100 + doy
	return clampDay(era*146097 + doe - 719468)
}

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}
