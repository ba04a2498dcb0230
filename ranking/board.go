package ranking

import (
	"errors"
	"slices"
)

// GoalDaysMetric names the board of goal days, which is no metric of its own: what counts is what a member committed to.
const GoalDaysMetric = "goal-days"

// MaxBoards bounds how many boards a company has.
const MaxBoards = 6

// usualBoards are the boards of a company that named none, as far as its rules count them: most calls, most shares, most minutes of
// training, most goal days.
var usualBoards = [...]string{"calls", "share", "learn", GoalDaysMetric}

// Boards returns the metrics of a company's boards: those that are named, or the usual ones, as numbers; -1 is that of goal days.
// Names that the rules do not have are left out.
func (r *GoalRules) Boards(names []string) []int {
	if len(names) == 0 {
		names = usualBoards[:]
	}
	var all []int
	for _, name := range names {
		m, ok := r.Metric(name)
		if name == GoalDaysMetric {
			m, ok = -1, true
		}
		if ok && !slices.Contains(all, m) && len(all) < MaxBoards {
			all = append(all, m)
		}
	}
	return all
}

// Counted returns how much of a metric was done on a day, in units, and how much of that was captured rather than reported.
func (r *GoalRules) Counted(t *Tally, metric int) (done, captured int32) {
	m := &r.Metrics[metric]
	done = m.units(t.Main[metric] + t.Early[metric])
	return done, min(m.units(t.Captured[metric]), done)
}

// WeekStart returns the Monday of a day's ISO week.
func (d Day) WeekStart() Day { return monday(d) }

// MonthSpan returns the first day of a day's month and the first of the next.
func (d Day) MonthSpan() (from, next Day) {
	y, m, _ := d.civil()
	from = fromCivil(y, m, 1)
	if m++; m > 12 {
		y, m = y+1, 1
	}
	return from, fromCivil(y, m, 1)
}

// GoalDays returns the goal days from a day on, ascending, as they will stand once the day after today is over.
func (k *Keeper) GoalDays(from, today Day) []Day {
	h := k.At(Moment{Day: today.plus(2)})
	var all []Day
	for i := range h.Weeks {
		for j, st := range h.Weeks[i].Days {
			if d := h.Weeks[i].Monday.plus(int64(j)); st == Met && d >= from {
				all = append(all, d)
			}
		}
	}
	return all
}

var (
	errWeek  = errors.New("a week is written year-Wweek, as in 2026-W47")
	errMonth = errors.New("a month is written year-month, as in 2026-11")
)

// ParseWeek returns the Monday of an ISO week, as Week writes it. It refuses weeks that the year does not have.
func ParseWeek(s string) (Day, error) {
	if len(s) != 8 || s[4:6] != "-W" {
		return 0, errWeek
	}
	y, ok1 := digits(s[:4])
	w, ok2 := digits(s[6:])
	if !ok1 || !ok2 {
		return 0, errWeek
	}
	d := monday(fromCivil(y, 1, 4)).plus((w - 1) * 7) // the fourth of January is in the first week
	if d.Week() != s {
		return 0, errWeek
	}
	return d, nil
}

// Week returns a day's ISO week, as 2026-W47.
func (d Day) Week() string {
	thursday := monday(d).plus(3)
	y, _, _ := thursday.civil()
	b := appendPadded(nil, y, 4)
	b = append(b, "-W"...)
	return string(appendPadded(b, thursday.since(fromCivil(y, 1, 1))/7+1, 2))
}

// ParseMonth returns the first day of a month that is written as 2026-11.
func ParseMonth(s string) (Day, error) {
	d, err := ParseDay(s + "-01")
	if err != nil {
		return 0, errMonth
	}
	return d, nil
}
