package importer

import (
	"math"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// dates reads one column of dates. Its form is decided by the whole column: learn every value, decide, then read.
type dates struct {
	loc *time.Location

	order   string // "dmy" or "mdy" for 03/04/2026
	guessed bool   // the order is a convention, nothing in the column told it

	day1, day2     int // values whose first, second number can only be a day
	numeric        int
	plain, serial  int // values of any other form; bare numbers
	rising         [2]bool
	falling        [2]bool
	last           [2]int
	steps          int
	serialsAllowed bool
	clocks         int // values with a time of day other than midnight
}

// Bounds of what is believed to be an order's date, as crdt's log has them.
const minYear, maxYear = 1990, 2199

// parts is a date taken apart before anybody knows which number is the day.
type parts struct {
	form    byte // 'y' year, month, day; 'n' day and month by the column; '.' day, month, year; 's' a bare number
	n       [3]int
	number  float64
	short   bool // the year had two digits
	clock   bool
	h, m, s int
	zone    *time.Location
}

var monthNames = map[string]int{
	"jan": 1, "ene": 1, "feb": 2, "fev": 2, "mar": 3, "mrz": 3, "apr": 4, "abr": 4, "avr": 4, "may": 5, "mai": 5, "jun": 6, "juin": 6, "jul": 7,
	"juil": 7, "aug": 8, "ago": 8, "aou": 8, "sep": 9, "set": 9, "oct": 10, "okt": 10, "out": 10, "nov": 11, "dec": 12, "dic": 12, "dez": 12,
}

// fillers are words that dates are written with and that say nothing.
var fillers = map[string]bool{
	"de": true, "del": true, "of": true, "the": true, "th": true, "st": true, "nd": true, "rd": true, "e": true,
	"mon": true, "tue": true, "wed": true, "thu": true, "fri": true, "sat": true, "sun": true,
}

func monthOf(word string) int {
	w := fold(word)
	if len(w) > 4 {
		if m := monthNames[w[:4]]; m > 0 {
			return m
		}
	}
	if m := monthNames[w]; m > 0 {
		return m
	}
	if len(w) > 3 && len(w) < 12 {
		return monthNames[w[:3]]
	}
	return 0
}

// scanDate takes a date apart. It costs no allocation for the usual forms.
func scanDate(s string) (p parts, ok bool) {
	s = strings.TrimSpace(s)
	if s == "" || len(s) > 60 {
		return p, false
	}
	day := s
	if colon := strings.IndexByte(s, ':'); colon > 0 {
		h := colon
		for h > 0 && s[h-1] >= '0' && s[h-1] <= '9' {
			h--
		}
		if h == colon || colon-h > 2 || !p.scanClock(s[h:]) {
			return p, false
		}
		day = strings.TrimRight(s[:h], " ,T\t")
	} else if i := strings.IndexByte(s, 'T'); i >= 8 && len(s) >= i+5 && s[i-1] >= '0' && s[i-1] <= '9' {
		// 20260314T101500Z
		c := s[i+1:]
		n := 0
		for n < len(c) && c[n] >= '0' && c[n] <= '9' {
			n++
		}
		if n != 4 && n != 6 {
			return p, false
		}
		clock := c[:2] + ":" + c[2:4]
		if n == 6 {
			clock += ":" + c[4:6]
		}
		if !p.scanClock(clock + c[n:]) {
			return p, false
		}
		day = s[:i]
	}
	if v, err := strconv.ParseFloat(strings.Replace(day, ",", ".", 1), 64); err == nil && strings.Trim(day, "0123456789.,") == "" && strings.Count(day, ".") < 2 {
		if len(day) == 8 && (day[:2] == "19" || day[:2] == "20") {
			n, _ := strconv.Atoi(day)
			p.form, p.n = 'y', [3]int{n / 10000, n / 100 % 100, n % 100}
			return p, true
		}
		p.form, p.number = 's', v
		return p, !p.clock
	}
	return p, p.scanDay(day)
}

func (p *parts) scanDay(day string) bool {
	var n [3]int
	var width [3]int
	count, month, monthAt := 0, 0, 0
	dots := false
	for i := 0; i < len(day); {
		c := day[i]
		switch {
		case c >= '0' && c <= '9':
			j, v := i, 0
			for j < len(day) && day[j] >= '0' && day[j] <= '9' {
				if j-i >= 4 {
					return false
				}
				v = v*10 + int(day[j]-'0')
				j++
			}
			if count == 3 {
				return false
			}
			n[count], width[count] = v, j-i
			count++
			i = j
		case c == '.':
			dots = true
			i++
		case c == '/' || c == '-' || c == ' ' || c == ',':
			i++
		default:
			j := i
			for k, r := range day[i:] {
				if !unicode.IsLetter(r) {
					break
				}
				j = i + k + len(string(r))
			}
			if j == i {
				return false
			}
			word := day[i:j]
			if m := monthOf(word); m > 0 && month == 0 && !fillers[strings.ToLower(word)] {
				month, monthAt = m, count
			} else if w := strings.ToLower(word); !fillers[w] && (len(w) < 3 || !fillers[w[:3]] || !strings.HasSuffix(w, "day")) {
				return false
			}
			i = j
		}
	}
	if count > 0 {
		p.short = width[0] < 4 && width[count-1] == 2
	}
	switch {
	case month > 0 && count == 2 && monthAt <= 1:
		switch {
		case width[0] == 4:
			p.form, p.n = 'y', [3]int{n[0], month, n[1]}
		default:
			p.form, p.n = 'y', [3]int{fullYear(n[1], width[1]), month, n[0]}
		}
	case month > 0 || count != 3:
		return false
	case width[0] == 4:
		p.form, p.n = 'y', n
	case width[0] > 2 || width[1] > 2 || width[2] == 3 || width[2] == 1:
		return false
	case dots:
		p.form, p.n = '.', [3]int{n[0], n[1], fullYear(n[2], width[2])}
	default:
		p.form, p.n = 'n', [3]int{n[0], n[1], fullYear(n[2], width[2])}
	}
	return true
}

func fullYear(y, width int) int {
	switch {
	case width > 2:
		return y
	case y < 70:
		return 2000 + y
	}
	return 1900 + y
}

// scanClock reads "9:05", "21:05:10.250", "9:05 PM", each with a zone or none.
func (p *parts) scanClock(s string) bool {
	var n [3]int
	count, i := 0, 0
	for {
		j := i
		for j < len(s) && s[j] >= '0' && s[j] <= '9' {
			n[count] = n[count]*10 + int(s[j]-'0')
			j++
		}
		if j == i || j-i > 2 {
			return false
		}
		i = j
		if count++; count == 3 || i >= len(s) || s[i] != ':' {
			break
		}
		i++
	}
	if i < len(s) && (s[i] == '.' || s[i] == ',') {
		for i++; i < len(s) && s[i] >= '0' && s[i] <= '9'; i++ {
		}
	}
	rest := strings.TrimSpace(s[i:])
	if len(rest) >= 2 && rest[0] != 'Z' {
		// "PM", "p.m.", "p. m."
		half, tail := "", rest
		for tail != "" && len(half) < 2 {
			r, n := utf8.DecodeRuneInString(tail)
			if unicode.IsLetter(r) {
				half += string(unicode.ToLower(r))
			} else if r != '.' && !unicode.IsSpace(r) {
				break
			}
			tail = tail[n:]
		}
		if (half == "am" || half == "pm") && n[0] >= 1 && n[0] <= 12 {
			n[0] %= 12
			if half == "pm" {
				n[0] += 12
			}
			rest = strings.TrimLeft(tail, ".")
		}
	}
	if count < 2 || n[0] > 23 || n[1] > 59 || n[2] > 60 {
		return false
	}
	p.clock, p.h, p.m, p.s = true, n[0], n[1], min(n[2], 59)
	return p.scanZone(strings.TrimSpace(rest))
}

func (p *parts) scanZone(s string) bool {
	switch strings.ToUpper(s) {
	case "":
		return true
	case "Z", "UTC", "GMT", "+00", "+0000", "+00:00":
		p.zone = time.UTC
		return true
	}
	if s[0] != '+' && s[0] != '-' {
		return false
	}
	d := strings.Replace(s[1:], ":", "", 1)
	if len(d) != 2 && len(d) != 4 || strings.Trim(d, "0123456789") != "" {
		return false
	}
	h, _ := strconv.Atoi(d[:2])
	m := 0
	if len(d) == 4 {
		m, _ = strconv.Atoi(d[2:])
	}
	if h > 18 || m > 59 {
		return false
	}
	offset := h*3600 + m*60
	if s[0] == '-' {
		offset = -offset
	}
	p.zone = time.FixedZone("", offset)
	return true
}

// learn takes in one value of the column.
func (d *dates) learn(s string) {
	p, ok := scanDate(s)
	if !ok {
		return
	}
	if p.h+p.m+p.s > 0 {
		d.clocks++
	}
	switch p.form {
	case 's':
		d.serial++
		return
	case 'n':
	default:
		d.plain++
		return
	}
	d.numeric++
	if p.n[0] > 12 && p.n[0] <= 31 {
		d.day1++
	}
	if p.n[1] > 12 && p.n[1] <= 31 {
		d.day2++
	}
	days := [2]int{p.n[2]*10000 + p.n[1]*100 + p.n[0], p.n[2]*10000 + p.n[0]*100 + p.n[1]}
	if d.numeric == 1 {
		d.rising, d.falling = [2]bool{true, true}, [2]bool{true, true}
	} else {
		for i := range days {
			d.rising[i] = d.rising[i] && days[i] >= d.last[i]
			d.falling[i] = d.falling[i] && days[i] <= d.last[i]
		}
		if days != d.last {
			d.steps++
		}
	}
	d.last = days
}

// decide settles the order of day and month: a number above 12 tells, else rows that are sorted by date one way and not
// the other, else the custom of the country.
func (d *dates) decide(opt *Options) {
	sorted := func(i int) bool { return d.steps >= 3 && (d.rising[i] || d.falling[i]) }
	switch {
	case opt.DateOrder != "":
		d.order = opt.DateOrder
	case d.day1 != d.day2:
		d.order = "dmy"
		if d.day2 > d.day1 {
			d.order = "mdy"
		}
	case sorted(0) != sorted(1):
		d.order = "dmy"
		if sorted(1) {
			d.order = "mdy"
		}
	default:
		d.order, d.guessed = "dmy", d.numeric > 0
		if own, _ := callingDigits(opt.CallingCode); own == "1" {
			d.order = "mdy"
		}
	}
	// Bare numbers are dates when the column holds little else: days of a spreadsheet, seconds or milliseconds.
	d.serialsAllowed = d.serial > d.plain+d.numeric
}

// read returns the time of a value: in UTC when the value says its zone, else in the zone of the options, so that it
// shows the file's own clock. Without a time of day (or with midnight all down the column) it is noon.
func (d *dates) read(s string) (at time.Time, dateOnly, ok bool) {
	p, ok := scanDate(s)
	if !ok {
		return at, false, false
	}
	y, m, day := p.n[0], p.n[1], p.n[2]
	switch p.form {
	case 's':
		if !d.serialsAllowed {
			return at, false, false
		}
		return d.readNumber(p.number)
	case 'n', '.':
		day, m, y = p.n[0], p.n[1], p.n[2]
		if p.form == 'n' && d.order == "mdy" {
			day, m = m, day
		}
	}
	if !validDate(y, m, day) || y < minYear || y > maxYear {
		return at, false, false
	}
	if !p.clock || d.clocks == 0 {
		return time.Date(y, time.Month(m), day, 12, 0, 0, 0, d.loc), true, true
	}
	if p.zone != nil {
		return time.Date(y, time.Month(m), day, p.h, p.m, p.s, 0, p.zone).UTC(), false, true
	}
	return time.Date(y, time.Month(m), day, p.h, p.m, p.s, 0, d.loc), false, true
}

func (d *dates) readNumber(v float64) (at time.Time, dateOnly, ok bool) {
	switch {
	case v >= 32874 && v < 109936: // days of a spreadsheet from 1899-12-30: 1990 to 2199
		day := math.Floor(v)
		seconds := int(math.Round((v - day) * 86400))
		at = time.Date(1899, 12, 30+int(day), 0, 0, seconds, 0, d.loc)
		if seconds == 0 {
			return at.Add(12 * time.Hour), true, true
		}
		return at, false, true
	case v >= 631152000 && v < 7258118400:
		return time.Unix(int64(v), 0).UTC(), false, true
	case v >= 631152000e3 && v < 7258118400e3:
		return time.UnixMilli(int64(v)).UTC(), false, true
	}
	return at, false, false
}

func validDate(y, m, d int) bool {
	if m < 1 || m > 12 || d < 1 || d > 31 {
		return false
	}
	t := time.Date(y, time.Month(m), d, 0, 0, 0, 0, time.UTC)
	return t.Day() == d
}

// looksLikeDate reports whether a value alone, without its column, is surely a date.
func looksLikeDate(s string) bool {
	p, ok := scanDate(s)
	if !ok || p.form == 's' {
		return false
	}
	if p.form == 'y' {
		return validDate(p.n[0], p.n[1], p.n[2]) && p.n[0] >= 1900 && p.n[0] <= maxYear
	}
	return validDate(p.n[2], p.n[1], p.n[0]) || p.form == 'n' && validDate(p.n[2], p.n[0], p.n[1])
}
