package ranking

import (
	"cmp"
	"slices"
	"strconv"
)

// Measure says what a badge looks at.
type Measure uint8

// Measures of a badge. Those of the first group only grow with each entry of the log, in whatever order it comes.
const (
	ByTotal  Measure = iota // units of the metric in all
	ByDay                   // units of the metric on one day
	ByGoals                 // goal days in all
	ByStreak                // goal days in a row
	ByWeeks                 // good weeks in a row (GoalRules.GoodWeek)
	ByReturn                // goal days after more than a week without one
)

// Badge is a rule over the log with levels.
//
// The log proves a level from the first day on whose end the measure had reached it. Each level is given once: its key
// names it, and an entry of the log with an id made from that key records that it was given. An entry that arrives late
// may move the day that is proved to an earlier one, or, of a measure that looks at how days follow each other, take the
// proof away: what was recorded stands all the same. Only a correction takes a badge back: when an entry is declared a
// slip and the log then no longer proves the level, the record is declared one too.
type Badge struct {
	Name    string // stable
	Label   Texts  // for people
	Measure Measure
	Metric  string  // of ByTotal and ByDay
	Levels  []int32 // ascending, in the measure's units
	Board   bool    // the company may show it to others
}

// Award is a level of a badge.
type Award struct {
	Badge string
	Level int // from 1 on
	Day   Day // on which it was reached
}

// Key names the award among all of a member's, for good: two replicas that give it give the same one.
func (a Award) Key() string { return "award:" + a.Badge + ":" + strconv.Itoa(a.Level) }

// Progress is how far a badge's next level is.
type Progress struct {
	Badge      string
	Level      int
	Done, Want int32
}

func defaultBadges() []Badge {
	tens := []int32{10, 50, 250, 1000}
	return []Badge{
		{Name: "first-call", Label: inBoth("First call", "Primera llamada"), Measure: ByTotal, Metric: "calls", Levels: []int32{1}, Board: true},
		{Name: "first-goal-day", Label: inBoth("First goal day", "Primer día cumplido"), Measure: ByGoals, Levels: []int32{1}, Board: true},
		{Name: "outreach", Label: inBoth("Door opener", "Abre puertas"), Measure: ByTotal, Metric: "outreach", Levels: tens, Board: true},
		{Name: "followup", Label: inBoth("Keeps in touch", "Siempre en contacto"), Measure: ByTotal, Metric: "followup", Levels: tens, Board: true},
		{Name: "learn", Label: inBoth("Learner", "Aprendiz"), Measure: ByTotal, Metric: "learn", Levels: []int32{60, 600, 3000, 6000}, Board: true},
		{Name: "share", Label: inBoth("Storyteller", "Cuentacuentos"), Measure: ByTotal, Metric: "share", Levels: tens, Board: true},
		{Name: "present", Label: inBoth("Host", "Anfitrión"), Measure: ByTotal, Metric: "present", Levels: []int32{1, 10, 50, 250}, Board: true},
		{Name: "ask", Label: inBoth("Asks the question", "Hace la pregunta"), Measure: ByTotal, Metric: "ask", Levels: []int32{1, 10, 50, 250}, Board: true},
		{Name: "goal-days", Label: inBoth("Goal days", "Días cumplidos"), Measure: ByGoals, Levels: []int32{10, 50, 250, 1000}, Board: true},
		{Name: "streak", Label: inBoth("In a row", "De seguido"), Measure: ByStreak, Levels: []int32{3, 7, 30, 100, 365}, Board: true},
		{Name: "good-weeks", Label: inBoth("Good weeks", "Buenas semanas"), Measure: ByWeeks, Levels: []int32{1, 4, 12, 26, 52}, Board: true},
		{Name: "comeback", Label: inBoth("Welcome back", "Qué bueno verte"), Measure: ByReturn, Levels: []int32{1}},
		{Name: "event-day", Label: inBoth("Event day", "Día de evento"), Measure: ByDay, Metric: "event", Levels: []int32{5, 15, 40}, Board: true},
	}
}

// check says what is wrong with a badge, or "".
func (b *Badge) check(r *GoalRules, before []Badge) string {
	_, known := r.Metric(b.Metric)
	switch {
	case !validName(b.Name):
		return "name: want a lower-case letter, then up to 31 letters, digits or hyphens"
	case slices.ContainsFunc(before, func(o Badge) bool { return o.Name == b.Name }):
		return "the name " + b.Name + " is there twice"
	case !b.Label.whole():
		return "label: want words, each with its language, such as \"en\""
	case b.Measure > ByReturn:
		return "measure is not known"
	case b.Measure <= ByDay && !known:
		return "metric " + strconv.Quote(b.Metric) + " is not one of the rules"
	case len(b.Levels) == 0 || len(b.Levels) > MaxLevels || b.Levels[0] < 1 || !slices.IsSorted(b.Levels) || len(slices.Compact(slices.Clone(b.Levels))) < len(b.Levels):
		return "levels: want 1 to " + strconv.Itoa(MaxLevels) + " ascending numbers from 1 on"
	}
	return ""
}

// measure returns how far a badge has come.
func (k *Keeper) measure(f *fold, i int) int32 {
	b := &k.rules.Badges[i]
	m := k.metric[i]
	switch b.Measure {
	case ByTotal:
		n := f.total[m]
		if k.rules.Metrics[m].Unit == PerMinute {
			n /= 60
		}
		return int32(min(n, maxTally))
	case ByDay:
		return k.rules.Metrics[m].units(f.bestDay[m])
	case ByGoals:
		return f.days
	case ByStreak:
		return f.best.Days
	case ByWeeks:
		if int(f.met) >= k.rules.GoodWeek {
			return f.goodWeeks + 1
		}
		return f.goodWeeks
	}
	return f.comebacks
}

// award adds the levels that a day reached.
func (k *Keeper) award(all []Award, f *fold, d Day) []Award {
	for i := range k.rules.Badges {
		b := &k.rules.Badges[i]
		level := int(f.levels[i])
		if level == len(b.Levels) {
			continue
		}
		for n := k.measure(f, i); level < len(b.Levels) && n >= b.Levels[level]; level++ {
			all = append(all, Award{Badge: b.Name, Level: level + 1, Day: d})
		}
		f.levels[i] = uint8(level)
	}
	return all
}

// next returns how far each badge's next level is.
func (k *Keeper) next(f *fold) []Progress {
	var out []Progress
	for i := range k.rules.Badges {
		b := &k.rules.Badges[i]
		if level := int(f.levels[i]); level < len(b.Levels) {
			out = append(out, Progress{Badge: b.Name, Level: level + 1, Done: min(k.measure(f, i), b.Levels[level]), Want: b.Levels[level]})
		}
	}
	return out
}

// Badge finds a badge by its name.
func (r *GoalRules) Badge(name string) (*Badge, bool) {
	i := slices.IndexFunc(r.Badges, func(b Badge) bool { return b.Name == name })
	if i < 0 {
		return nil, false
	}
	return &r.Badges[i], true
}

// Recognition is what a company's board may show of an award: who stands behind it the board knows, not this value.
type Recognition struct {
	Key   string // the award's: a board shows it once
	Badge string
	Level int
	Count int32 // what the level took, in the measure's units
	Day   Day
}

// Recognition returns what a board may show of an award; false when nothing: a comeback is the member's own business.
func (r *GoalRules) Recognition(a Award) (Recognition, bool) {
	b, ok := r.Badge(a.Badge)
	if !ok || !b.Board || a.Level < 1 || a.Level > len(b.Levels) {
		return Recognition{}, false
	}
	return Recognition{Key: a.Key(), Badge: a.Badge, Level: a.Level, Count: b.Levels[a.Level-1], Day: a.Day}, true
}

// Standing is one member on a leaderboard of one metric.
type Standing struct {
	Member   [16]byte
	Done     int64
	Captured int64 // of it, what was captured rather than reported
	Rank     int   // filled in: equal ones share it
}

// Leaders returns the first of a leaderboard, at most top and those who share the last one's rank. It goes by real activity: what was
// captured, then by what was done. Nobody stands on it with nothing.
func Leaders(all []Standing, top int) []Standing {
	var out []Standing
	for _, s := range all {
		if s.Done > 0 {
			out = append(out, s)
		}
	}
	slices.SortFunc(out, func(a, b Standing) int {
		return cmp.Or(cmp.Compare(b.Captured, a.Captured), cmp.Compare(b.Done, a.Done), slices.Compare(a.Member[:], b.Member[:]))
	})
	for i := range out {
		out[i].Rank = i + 1
		if i > 0 && out[i].Captured == out[i-1].Captured && out[i].Done == out[i-1].Done {
			out[i].Rank = out[i-1].Rank
		}
	}
	n := 0
	for n < len(out) && out[n].Rank <= top {
		n++
	}
	return out[:n]
}
