package ranking

import (
	"cmp"
	"slices"
)

// Run is a number of goal days without a break between them. Rest days, skipped days and days without a goal are no
// break; they do not count either.
type Run struct {
	Days  int32
	Since Day // the first goal day; zero: none yet
	Last  Day // the newest
}

// Week is one ISO week of a member.
type Week struct {
	Monday Day
	Days   [7]DayState
	Met    int8 // goal days
	Asked  int8 // days that had begun, with a goal and no rest
	// Full: the week is over, something was committed to on each of its days, and not all of them were rest days. Only
	// such weeks are averaged or compared: one that began before the commitment did, or is not over, would look worse than
	// it is.
	Full     bool
	Want     [MaxMetrics]int32 // in units: what was committed to on the days asked
	Done     [MaxMetrics]int32
	Captured [MaxMetrics]int32 // of it, what was captured rather than reported
	Points   int32
}

// Ring is one metric of a day.
type Ring struct {
	Metric   int
	Want     int32 // 0: nothing committed to
	Done     int32 // in units; what the day before needed of the early acts is not in it
	Left     int32
	Captured int32 // of what was done that day, what was captured rather than reported
}

// Habit is all that a member's screen shows of goals.
type Habit struct {
	Now       Moment
	State     DayState // of today
	Ring      []Ring   // the core metrics, then others that are committed to
	Yesterday []Ring   // while yesterday is in its grace and not reached; else empty
	Streak    Run      // the one that goes on; no days when there is none
	Best      Run      // the longest, the first of several
	GoalDays  int32    // in all
	SkipsLeft int      // of this week
	Weeks     []Week   // the newest WeeksShown, ascending; the last is this one
	// Average is the goal days a week over the last AverageOf full weeks, in tenths, rounded to the nearest.
	Average, AverageOf int
	Points             int64 // in all
	Awards             []Award
	Next               []Progress // per badge with a level to come
	Line               Line       // NoLine: there is nothing that the log proves
}

// WeeksShown is how many weeks a Habit has; averageWeeks how many full ones are averaged.
const (
	WeeksShown   = 12
	averageWeeks = 8
)

// fold is where the computation stands between two days: all that the past can mean to the days to come.
type fold struct {
	goal, rest, weekly, tally int // next ones of plan and tallies
	want                      [MaxMetrics]int32
	restDays                  uint8
	lent                      [MaxMetrics]int32 // of the early acts of the next day, what this one needed
	skips, met                int8              // in this week
	days                      int32             // goal days in all
	goodWeeks                 int32             // in a row, before this week
	comebacks                 int32
	run, best                 Run
	back                      Day // the first goal day after the last long break; zero: none
	points                    int64
	total                     [MaxMetrics]int64 // as tallies sum
	bestDay                   [MaxMetrics]int32
	levels                    [MaxBadges]uint8
}

// mark is a week and where the computation stood before it.
type mark struct {
	before fold
	week   Week
	awards int // before it
}

// Keeper keeps a member's days and what follows from them. After a change it computes again only from the week concerned
// on. What it says depends on its tallies, plan and rules alone, not on the order in which they came. It is not safe for
// use by several goroutines.
type Keeper struct {
	rules  *GoalRules
	plan   Plan
	metric []int   // per badge, its metric's number
	days   []Tally // ascending, none of them zero
	marks  []mark  // from the first week on
	tail   fold    // where the computation stands after the last mark
	awards []Award // up to there
	start  Day     // Monday of the first mark
}

// NewKeeper returns a Keeper without days. The rules must have passed Check and stay as they are.
func NewKeeper(r *GoalRules) *Keeper {
	k := &Keeper{rules: r, metric: make([]int, len(r.Badges))}
	for i, b := range r.Badges {
		k.metric[i], _ = r.Metric(b.Metric)
	}
	return k
}

// SetPlan takes what the member committed to; p is sorted. Commitments to metrics that the rules do not have are left out.
func (k *Keeper) SetPlan(p Plan) {
	p.Goals = slices.DeleteFunc(slices.Clone(p.Goals), func(c Commitment) bool { return c.Metric < 0 || c.Metric >= len(k.rules.Metrics) })
	k.plan = p
	k.forget(firstGoalDay)
}

// Put takes the tally of a day, instead of what was there; a zero one takes the day away.
func (k *Keeper) Put(t Tally) {
	if t.Day < firstGoalDay || t.Day > lastGoalDay {
		return
	}
	i, there := slices.BinarySearchFunc(k.days, t.Day, func(x Tally, d Day) int { return cmp.Compare(x.Day, d) })
	switch {
	case there && k.days[i] == t, !there && t.Zero():
		return
	case there && t.Zero():
		k.days = slices.Delete(k.days, i, i+1)
	case there:
		k.days[i] = t
	default:
		k.days = slices.Insert(k.days, i, t)
	}
	k.forget(t.Day.plus(-1)) // which may need its early acts
}

// forget drops what was computed from the week of a day on.
func (k *Keeper) forget(d Day) {
	n := 0
	if d >= k.start {
		n = int(d.since(k.start) / 7)
	}
	if n < len(k.marks) {
		k.tail = k.marks[n].before
		k.awards = k.awards[:k.marks[n].awards]
		k.marks = k.marks[:n]
	}
}

// first returns the first day that anything is known of.
func (k *Keeper) first(today Day) Day {
	d := today
	if len(k.days) > 0 {
		d = min(d, k.days[0].Day)
	}
	if len(k.plan.Goals) > 0 {
		d = min(d, max(k.plan.Goals[0].From, firstGoalDay))
	}
	return max(d, firstGoalDay)
}

// At says how things stand. Days after now have not begun, whatever is logged for them.
func (k *Keeper) At(now Moment) Habit {
	now.Day = min(max(now.Day, firstGoalDay+1), lastGoalDay)
	if start := monday(k.first(now.Day.plus(-1))); start != k.start {
		k.marks, k.awards, k.tail, k.start = nil, nil, fold{}, start
	}
	// Weeks before that of yesterday are closed whatever the hour is: they are computed once.
	live := monday(now.Day.plus(-1))
	n := int(live.since(k.start) / 7)
	for len(k.marks) < n {
		m := mark{before: k.tail, awards: len(k.awards)}
		k.tail, m.week = k.fold(k.tail, k.start.plus(int64(len(k.marks))*7), now, &k.awards, nil)
		k.marks = append(k.marks, m)
	}
	h := Habit{Now: now, Awards: slices.Clone(k.awards)}
	f := k.tail
	if n < len(k.marks) { // the clock was set back
		f, h.Awards = k.marks[n].before, h.Awards[:k.marks[n].awards]
	}
	for _, m := range k.marks[max(0, n-WeeksShown):n] {
		h.Weeks = append(h.Weeks, m.week)
	}
	for at := live; at <= now.Day; at = at.plus(7) {
		var w Week
		f, w = k.fold(f, at, now, &h.Awards, &h)
		h.Weeks = append(h.Weeks, w)
	}
	h.SkipsLeft = k.rules.SkipsPerWeek - int(f.skips)
	h.Streak, h.Best, h.GoalDays, h.Points = f.run, f.best, f.days, f.points
	h.average()
	h.Next = k.next(&f)
	h.Line = k.line(&f, &h)
	h.Weeks = h.Weeks[max(0, len(h.Weeks)-WeeksShown):]
	return h
}

// fold goes through one week, up to now. What it finds of today and yesterday goes into h, if there is one.
func (k *Keeper) fold(f fold, at Day, now Moment, awards *[]Award, h *Habit) (fold, Week) {
	w := Week{Monday: at, Full: at.plus(6) < now.Day}
	f.skips, f.met = 0, 0
	points := f.points
	for i := range w.Days {
		d := at.plus(int64(i))
		if d > now.Day {
			w.Days[i], w.Full = Ahead, false
			continue
		}
		st, ring := k.step(&f, d, now)
		w.Days[i] = st
		switch st {
		case NoGoal:
			w.Full = false
		case Grace:
			w.Asked++
			w.Full = false
		case Met:
			w.Met++
			w.Asked++
		case Rest:
		default:
			w.Asked++
		}
		t := &ring.tally
		for m := range k.rules.Metrics {
			if st != NoGoal && st != Rest {
				w.Want[m] = addTally(w.Want[m], int64(ring.want[m]))
			}
			w.Done[m] = addTally(w.Done[m], int64(k.rules.Metrics[m].units(t.Main[m]+t.Early[m])))
			w.Captured[m] = addTally(w.Captured[m], int64(k.rules.Metrics[m].units(t.Captured[m])))
		}
		*awards = k.award(*awards, &f, d)
		if h != nil && d == now.Day {
			h.State, h.Ring = st, k.ring(&ring)
		}
		if h != nil && st == Grace {
			h.Yesterday = k.ring(&ring)
		}
	}
	w.Full = w.Full && w.Asked > 0
	w.Points = int32(f.points - points)
	if at.plus(6) < now.Day {
		if int(w.Met) >= k.rules.GoodWeek {
			f.goodWeeks++
		} else if w.Asked > 0 {
			f.goodWeeks = 0
		}
		f.met = 0
	}
	return f, w
}

// dayRing is what a day came to.
type dayRing struct {
	tally Tally
	have  [MaxMetrics]int32 // as tallies sum
	want  [MaxMetrics]int32 // in units
}

// maxWant bounds what a day can ask for, whatever a foreign program wrote into the profile.
const maxWant = 1_000_000

// longBreak is how many days without a goal day make the next one a comeback.
const longBreak = 7

// step goes through one day.
func (k *Keeper) step(f *fold, d Day, now Moment) (DayState, dayRing) {
	r, p := k.rules, &k.plan
	for f.goal < len(p.Goals) && p.Goals[f.goal].From <= d {
		f.want[p.Goals[f.goal].Metric] = min(max(p.Goals[f.goal].Want, 0), maxWant)
		f.goal++
	}
	for f.weekly < len(p.Weekly) && p.Weekly[f.weekly].From <= d {
		f.restDays = p.Weekly[f.weekly].Days
		f.weekly++
	}
	for f.rest < len(p.Rest) && p.Rest[f.rest] < d {
		f.rest++
	}
	resting := f.rest < len(p.Rest) && p.Rest[f.rest] == d || f.restDays>>uint(d.since(monday(d)))&1 == 1
	for f.tally < len(k.days) && k.days[f.tally].Day < d {
		f.tally++
	}
	ring := dayRing{tally: Tally{Day: d}, want: f.want}
	next := f.tally
	if next < len(k.days) && k.days[next].Day == d {
		ring.tally = k.days[next]
		next++
	}
	t := &ring.tally
	asked, met, did := false, true, false
	var short [MaxMetrics]int32
	for m := range r.Metrics {
		ring.have[m] = max(t.Main[m]+t.Early[m]-f.lent[m], 0)
		if want := r.Metrics[m].sum(f.want[m]); want > 0 {
			asked = true
			did = did || ring.have[m] > 0
			if short[m] = max(want-ring.have[m], 0); short[m] > 0 {
				met = false
			}
		}
		if n := t.Main[m] + t.Early[m]; n > 0 {
			f.total[m] += int64(n)
			f.bestDay[m] = max(f.bestDay[m], n)
			f.points += int64(min(r.Metrics[m].units(n), r.Metrics[m].PointsCap)) * int64(r.Metrics[m].Points)
		}
	}
	f.lent = [MaxMetrics]int32{}
	// What was done within the grace of the next day makes this one, if it is enough for that; else it stays there.
	if asked && !met && !resting && d < now.Day && next < len(k.days) && k.days[next].Day == d.plus(1) {
		early := &k.days[next].Early
		enough := true
		for m := range r.Metrics {
			enough = enough && short[m] <= early[m]
		}
		if enough {
			f.lent, met = short, true
			for m := range r.Metrics {
				ring.have[m] += short[m]
			}
		}
	}
	switch {
	case !asked:
		return NoGoal, ring
	case met:
		f.reach(d)
		f.points += int64(r.DayPoints)
		return Met, ring
	case resting:
		return Rest, ring
	case d == now.Day:
		return Open, ring
	case d == now.Day.plus(-1) && now.Minute < r.GraceMinutes:
		return Grace, ring
	case int(f.skips) < r.SkipsPerWeek:
		f.skips++
		return Skipped, ring
	}
	f.run = Run{Last: f.run.Last}
	if did {
		return Partly, ring
	}
	return Blank, ring
}

// reach counts a goal day.
func (f *fold) reach(d Day) {
	if f.days > 0 && d.since(f.run.Last) > longBreak {
		f.comebacks++
		f.back = d
	}
	f.days++
	f.met++
	if f.run.Days++; f.run.Days == 1 {
		f.run.Since = d
	}
	f.run.Last = d
	if f.run.Days > f.best.Days {
		f.best = f.run
	}
}

// ring returns what a screen shows of a day: the core metrics, then others that are committed to.
func (k *Keeper) ring(r *dayRing) []Ring {
	var out []Ring
	for m := range k.rules.Metrics {
		if m >= k.rules.Core && r.want[m] == 0 {
			continue
		}
		metric := &k.rules.Metrics[m]
		x := Ring{Metric: m, Want: r.want[m], Done: metric.units(r.have[m]), Captured: metric.units(r.tally.Captured[m])}
		x.Captured = min(x.Captured, x.Done)
		x.Left = max(x.Want-x.Done, 0)
		out = append(out, x)
	}
	return out
}

// average fills in the average of the newest full weeks.
func (h *Habit) average() {
	met := 0
	for i := len(h.Weeks) - 1; i >= 0 && h.AverageOf < averageWeeks; i-- {
		if h.Weeks[i].Full {
			met += int(h.Weeks[i].Met)
			h.AverageOf++
		}
	}
	if h.AverageOf > 0 {
		h.Average = (met*20 + h.AverageOf) / (2 * h.AverageOf)
	}
}
