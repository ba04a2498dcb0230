package ranking

import (
	"slices"
	"testing"
)

// TestWeeksAndMonths goes through all days of the years that a log can claim: each is in one week and one month, and both are read
// as they are written.
func TestWeeksAndMonths(t *testing.T) {
	for d := firstGoalDay; d <= lastGoalDay; d++ {
		start := d.WeekStart()
		if w, err := ParseWeek(d.Week()); err != nil || w != start || d < start || d > start+6 {
			t.Fatalf("%v is in week %s, which begins on %v: %v", d, d.Week(), w, err)
		}
		from, next := d.MonthSpan()
		if m, err := ParseMonth(d.String()[:7]); err != nil || m != from || d < from || d >= next {
			t.Fatalf("%v is in the month from %v to %v: %v", d, from, next, err)
		}
	}
	for s, want := range map[string]string{"2026-W01": "2025-12-29", "2026-W47": "2026-11-16", "2020-W53": "2020-12-28", "2021-W01": "2021-01-04"} {
		if d, err := ParseWeek(s); err != nil || d.String() != want {
			t.Errorf("%s begins on %v, %v; want %s", s, d, err, want)
		}
	}
	for _, s := range []string{"", "2026-W00", "2026-W54", "2021-W53", "2026-w01", "2026W01", "2026-W1", "26-W01", "2026-W-1"} {
		if d, err := ParseWeek(s); err == nil {
			t.Errorf("%q is read as %v", s, d)
		}
	}
	for _, s := range []string{"", "2026-13", "2026-00", "2026-1", "2026-11-1"} {
		if d, err := ParseMonth(s); err == nil {
			t.Errorf("%q is read as %v", s, d)
		}
	}
}

// TestBoardsOfRules: a company has the boards that it names, or the usual ones as far as its rules count them.
func TestBoardsOfRules(t *testing.T) {
	r := DefaultGoalRules()
	if got := r.Boards(nil); !slices.Equal(got, []int{MetricCalls, MetricShare, MetricLearn, -1}) {
		t.Errorf("the usual ones: %v", got)
	}
	if got := r.Boards([]string{"texts", "nothing", GoalDaysMetric, "texts"}); !slices.Equal(got, []int{MetricTexts, -1}) {
		t.Errorf("named ones: %v", got)
	}
	t1 := Tally{Day: 20000}
	t1.Main[MetricLearn], t1.Early[MetricLearn], t1.Captured[MetricLearn] = 100, 30, 120
	if done, captured := r.Counted(&t1, MetricLearn); done != 2 || captured != 2 {
		t.Errorf("130 s, 120 of them timed: %d %d minutes", done, captured)
	}
}
