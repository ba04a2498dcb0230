package ranking

// LineCode names a coaching line. There are only good ones: when the log proves none of them, nothing is said.
type LineCode uint8

// Coaching lines; behind each, its arguments.
const (
	NoLine       LineCode = iota
	GainLine              // goal days of a week, goal days of a later one, weeks between (R44)
	LongestLine           // goal days in a row, the longest run so far
	SteadyLine            // full weeks in a row, goal days that each of them had at least
	WeekUpLine            // goal days of the last full week, how many more than in the one before
	BackLine              // goal days since the return
	FirstDayLine          // -
	NumLines
)

var lineNames = [NumLines]string{"none", "gain", "longest", "steady", "week_up", "back", "first_day"}

// String returns the stable name, such as "gain".
func (c LineCode) String() string { return nameOf(lineNames[:], c) }

// Line is what a coach would say now: a code with numbers that the log proves. From and To are the days that prove it.
type Line struct {
	Code     LineCode
	Args     [3]int32
	From, To Day
}

// A gain is told over four to eight full weeks, and from two goal days on.
const (
	shortGain = 4
	longGain  = 8
	leastGain = 2
)

// line picks what to say: the strongest that is proved.
func (k *Keeper) line(f *fold, h *Habit) Line {
	full := h.Weeks // the newest full weeks, without a gap
	for len(full) > 0 && !full[len(full)-1].Full {
		full = full[:len(full)-1]
	}
	if n := len(full); n > 0 && full[n-1].Monday.plus(14) < monday(h.Now.Day) {
		full = nil // of a time long past
	}
	for i := len(full) - 1; i >= 0; i-- {
		if !full[i].Full {
			full = full[i+1:]
			break
		}
	}
	if l := gain(full); l.Code != NoLine {
		return l
	}
	if r := f.run; r.Days >= 5 && r.Days == f.best.Days && f.days > r.Days {
		return Line{Code: LongestLine, Args: [3]int32{r.Days}, From: r.Since, To: r.Last}
	}
	if l := k.steady(full); l.Code != NoLine {
		return l
	}
	if n := len(full); n >= 2 && full[n-1].Met > full[n-2].Met && full[n-1].Met >= 2 {
		return Line{
			Code: WeekUpLine, Args: [3]int32{int32(full[n-1].Met), int32(full[n-1].Met - full[n-2].Met)},
			From: full[n-2].Monday, To: full[n-1].Monday.plus(6),
		}
	}
	switch {
	case f.back != 0 && f.run.Since == f.back && h.Now.Day.since(f.back) <= longBreak:
		return Line{Code: BackLine, Args: [3]int32{f.run.Days}, From: f.run.Since, To: f.run.Last}
	case f.days == 1 && h.Now.Day.since(f.run.Last) <= 1:
		return Line{Code: FirstDayLine, From: f.run.Last, To: f.run.Last}
	}
	return Line{}
}

// gain finds the greatest growth that ends with the last full week: from a week that no other of the span is below, to
// one that no other is above. Of equal ones it takes the quicker. A good week among poor ones proves nothing.
func gain(full []Week) (best Line) {
	for n := shortGain; n <= min(longGain, len(full)); n++ {
		span := full[len(full)-n:]
		from, to := span[0].Met, span[n-1].Met
		proved := from >= 1 && to-from >= leastGain
		for _, w := range span {
			proved = proved && w.Met >= from && w.Met <= to
		}
		early, late := 0, 0
		for i := range n / 2 {
			early += int(span[i].Met)
			late += int(span[n-1-i].Met)
		}
		if proved && late > early && int32(to-from) > best.Args[1]-best.Args[0] {
			best = Line{Code: GainLine, Args: [3]int32{int32(from), int32(to), int32(n - 1)}, From: span[0].Monday, To: span[n-1].Monday.plus(6)}
		}
	}
	return best
}

// steady looks for four or more good weeks in a row.
func (k *Keeper) steady(full []Week) Line {
	n, least := 0, int8(7)
	for n < len(full) && int(full[len(full)-1-n].Met) >= k.rules.GoodWeek {
		n++
		least = min(least, full[len(full)-n].Met)
	}
	if n < 4 {
		return Line{}
	}
	return Line{Code: SteadyLine, Args: [3]int32{int32(n), int32(least)}, From: full[len(full)-n].Monday, To: full[len(full)-1].Monday.plus(6)}
}

// Nudge is a reminder that has an action to it: do Left more of Metric today, until the minute of the day in Until.
type Nudge struct {
	Key    string // names it for good: two devices that give it give the same one
	Day    Day
	Metric string // its name, as the numbers of two playbooks differ
	Left   int32
	Until  int
}

// Nudge returns the nudge to give now; false when there is none. It is given only for what the member committed to, only
// on a day that is open, between the rules' hours, at most once a day (given: the log has one of today), and only when
// there is something to do: contacts says how many people the suggestions name for each metric that needs one. Of several
// metrics it takes the one that is nearest to its goal, by the share that is left; of equal ones the first.
func (r *GoalRules) Nudge(h *Habit, given bool, contacts [MaxMetrics]int) (Nudge, bool) {
	n := Nudge{Day: h.Now.Day, Until: r.NudgeUntil, Key: "nudge:" + h.Now.Day.String()}
	if given || h.State != Open || h.Now.Minute < r.NudgeFrom || h.Now.Minute >= r.NudgeUntil {
		return Nudge{}, false
	}
	var want int64
	for _, x := range h.Ring {
		if x.Left == 0 || r.Metrics[x.Metric].NeedsContact && contacts[x.Metric] == 0 {
			continue
		}
		if n.Metric == "" || int64(x.Left)*want < int64(n.Left)*int64(x.Want) {
			n.Metric, n.Left, want = r.Metrics[x.Metric].Name, x.Left, int64(x.Want)
		}
	}
	return n, n.Metric != ""
}
