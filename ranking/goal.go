package ranking

import (
	"bytes"
	"cmp"
	"errors"
	"math/bits"
	"slices"
	"strconv"
	"strings"
)

// Goals, streaks, consistency, points and badges are functions of three things: the acts in the merged log, what the
// member committed to (Plan), and the company's GoalRules. Nothing else is remembered, so an act that was logged without
// signal on Sunday and arrives on Wednesday counts for Sunday, and mends what it mends.
//
// An act counts on the day of its event time in the member's home calendar. What becomes of a day:
//
//	acts of a day ── GoalRules.TallyDay ──> Tally       per metric, how much was done
//	all Tallies, Plan, Moment ── Keeper.At ──> Habit    ring, days, streak, weeks, badges, points, coaching line

// MaxMetrics and MaxBadges bound GoalRules, and with them what is kept of a day.
const (
	MaxMetrics = 16
	MaxBadges  = 32
	MaxLevels  = 8
)

// firstGoalDay and lastGoalDay bound the days that are looked at, 1990-01-01 to 2199-12-31: the years that a log entry
// can claim.
const (
	firstGoalDay Day = 7305
	lastGoalDay  Day = 84005
)

// Unit says how a metric counts.
type Unit uint8

// Units of a metric.
const (
	PerAct     Unit = iota // each act is one
	PerContact             // each contact is one, once a calendar day: three texts to Ana are one follow-up
	PerMinute              // the time spent, in whole minutes of the day's sum
	PerPiece               // the act's own count; an act without one is none
)

// Which says which touches of a contact a metric counts.
type Which uint8

// What makes an outreach new and a follow-up a follow-up. New is the first touch of a contact in the whole log, by event
// time and then by id; every other touch is a follow-up. It goes by the contact as it was logged: merging two cards
// of one person later takes no day back.
const (
	AllActs Which = iota
	NewOnly
	FollowUpsOnly
)

var (
	unitNames    = [...]string{"act", "contact", "minute", "piece"}
	whichNames   = [...]string{"all", "new", "follow_ups"}
	measureNames = [...]string{"total", "day", "goal_days", "streak", "good_weeks", "returns"}
)

func writeName[T ~uint8](names []string, v T) ([]byte, error) {
	if int(v) >= len(names) {
		return nil, errors.New("goal rules: number " + strconv.Itoa(int(v)) + " has no name")
	}
	return []byte(names[v]), nil
}

func readName[T ~uint8](dst *T, names []string, b []byte) error {
	v, ok := parse[T](names, string(b))
	if !ok {
		return errors.New("goal rules: " + strconv.Quote(string(b[:min(len(b), 40)])) + " is not known: want one of " + strings.Join(names, ", "))
	}
	*dst = v
	return nil
}

// MarshalText writes the stable name, such as "contact".
func (u Unit) MarshalText() ([]byte, error) { return writeName(unitNames[:], u) }

// UnmarshalText reads a stable name.
func (u *Unit) UnmarshalText(b []byte) error { return readName(u, unitNames[:], b) }

// MarshalText writes the stable name, such as "new".
func (w Which) MarshalText() ([]byte, error) { return writeName(whichNames[:], w) }

// UnmarshalText reads a stable name.
func (w *Which) UnmarshalText(b []byte) error { return readName(w, whichNames[:], b) }

// MarshalText writes the stable name, such as "streak".
func (m Measure) MarshalText() ([]byte, error) { return writeName(measureNames[:], m) }

// UnmarshalText reads a stable name.
func (m *Measure) UnmarshalText(b []byte) error { return readName(m, measureNames[:], b) }

// Metric is one tracked action: a dimension that a member can commit to, or that only badges and boards count.
type Metric struct {
	Name  string   // stable, as in the register goal/<name>/<date>
	Label Texts    // for people, such as "new outreach"
	Kinds []string // kinds of log entries that count; also ones that a company made up itself
	Which Which
	Unit  Unit
	// Event counts only acts at an event.
	Event bool
	// MinEvidence is the lowest level of evidence that counts (0: typed afterwards … 4: system of record).
	MinEvidence uint8
	// Captured is the level from which the act was not reported by the member but captured as it happened. What was
	// captured is summed apart, so that a report can say how much of a number is someone's word (R46).
	Captured uint8
	// NeedsContact: there is something to do only when a contact is suggested (calls); otherwise it can always be done.
	NeedsContact bool
	// Points for each unit, up to PointsCap units a day.
	Points, PointsCap int32
}

// GoalRules is what a company decides about goals, badges and points. It becomes part of the playbook.
type GoalRules struct {
	Version uint32
	Metrics []Metric // a metric's place is its number: new ones go to the end
	// Core is how many of the metrics, from the first, every member's screen shows: the four dimensions.
	Core int
	// SkipsPerWeek is how many days of an ISO week may pass without the goals and leave the streak whole. They are spent
	// by themselves.
	SkipsPerWeek int
	// GraceMinutes after midnight an act may still count for the day before, if that makes the day; at most 360.
	GraceMinutes int
	// GoodWeek is how many goal days make a week that badges and lines call good.
	GoodWeek int
	// DayPoints are the points of a goal day.
	DayPoints int32
	Badges    []Badge
	// NudgeFrom is the minute of the day from which a nudge may be given; NudgeUntil ends it.
	NudgeFrom, NudgeUntil int
}

// Counting is what of the rules says how acts are counted, in bytes: rules that count alike have the same, whatever else they say.
func (r *GoalRules) Counting() []byte {
	var b []byte
	number := func(n int) { b = append(strconv.AppendInt(b, int64(n), 10), ' ') }
	text := func(s string) {
		number(len(s))
		b = append(b, s...)
	}
	number(r.GraceMinutes)
	for i := range r.Metrics {
		m := &r.Metrics[i]
		text(m.Name)
		number(len(m.Kinds))
		for _, k := range m.Kinds {
			text(k)
		}
		event := 0
		if m.Event {
			event = 1
		}
		for _, n := range [...]int{int(m.Which), int(m.Unit), event, int(m.MinEvidence), int(m.Captured)} {
			number(n)
		}
	}
	return b
}

// The numbers of the four dimensions in DefaultGoalRules.
const (
	MetricOutreach = iota
	MetricFollowUp
	MetricLearn
	MetricShare
	MetricPresent
	MetricAsk
	MetricCalls
	MetricTexts
	MetricLessons
	MetricEvent
)

// DefaultGoalRules returns the rules that a company starts with: a fresh copy at each call. The four dimensions of R35
// come first, then the other tracked actions of R73 to R77. Outreach and follow-ups count every personal touch, as the
// suggestions are texts as often as calls; a company that means calls alone takes the other kinds out.
func DefaultGoalRules() *GoalRules {
	touches := []string{"call", "text", "email", "meet", "ask"}
	return &GoalRules{
		Version: 1,
		Metrics: []Metric{
			{
				Name: "outreach", Label: inBoth("new outreach", "contactos nuevos"), Kinds: touches, Which: NewOnly, Unit: PerContact,
				Captured: 1, NeedsContact: true, Points: 10, PointsCap: 20,
			},
			{
				Name: "followup", Label: inBoth("follow-ups", "seguimientos"), Kinds: touches, Which: FollowUpsOnly, Unit: PerContact,
				Captured: 1, NeedsContact: true, Points: 8, PointsCap: 30,
			},
			{Name: "learn", Label: inBoth("minutes of learning", "minutos de aprendizaje"), Kinds: []string{"learn"}, Unit: PerMinute, Captured: 2, Points: 1, PointsCap: 60},
			{Name: "share", Label: inBoth("shares", "publicaciones"), Kinds: []string{"share"}, Unit: PerAct, Captured: 1, Points: 5, PointsCap: 5},
			{Name: "present", Label: inBoth("presentations", "presentaciones"), Kinds: []string{"present"}, Unit: PerAct, Captured: 3, Points: 25, PointsCap: 3},
			{Name: "ask", Label: inBoth("asks for the order", "propuestas de pedido"), Kinds: []string{"ask"}, Unit: PerContact, Captured: 1, NeedsContact: true, Points: 10, PointsCap: 10},
			{Name: "calls", Label: inBoth("calls", "llamadas"), Kinds: []string{"call"}, Unit: PerAct, Captured: 1, NeedsContact: true},
			{Name: "texts", Label: inBoth("texts", "mensajes"), Kinds: []string{"text"}, Unit: PerAct, Captured: 1, NeedsContact: true},
			{Name: "lessons", Label: inBoth("lessons finished", "lecciones terminadas"), Kinds: []string{"learn"}, Unit: PerPiece, Captured: 2, Points: 5, PointsCap: 5},
			{Name: "event", Label: inBoth("people met at an event", "personas en un evento"), Kinds: touches, Unit: PerContact, Event: true, Captured: 1, NeedsContact: true},
		},
		Core: 4, SkipsPerWeek: 2, GraceMinutes: 180, GoodWeek: 4, DayPoints: 20,
		Badges:    defaultBadges(),
		NudgeFrom: 17 * 60, NudgeUntil: 21 * 60,
	}
}

// Check says what is wrong with rules that a person wrote, or nil.
func (r *GoalRules) Check() error {
	bad := func(where string, i int, what string) error {
		return errors.New("goal rules: " + where + " " + strconv.Itoa(i+1) + ": " + what)
	}
	switch {
	case len(r.Metrics) == 0 || len(r.Metrics) > MaxMetrics:
		return errors.New("goal rules: want 1 to " + strconv.Itoa(MaxMetrics) + " metrics")
	case len(r.Badges) > MaxBadges:
		return errors.New("goal rules: want at most " + strconv.Itoa(MaxBadges) + " badges")
	case r.Core < 0 || r.Core > len(r.Metrics):
		return errors.New("goal rules: core counts the first metrics, so it is at most their number")
	case r.SkipsPerWeek < 0 || r.SkipsPerWeek > 6:
		return errors.New("goal rules: skips per week: want 0 to 6")
	case r.GraceMinutes < 0 || r.GraceMinutes > 360:
		return errors.New("goal rules: minutes of grace: want 0 to 360")
	case r.GoodWeek < 1 || r.GoodWeek > 7:
		return errors.New("goal rules: days of a good week: want 1 to 7")
	case r.NudgeFrom < 0 || r.NudgeFrom > r.NudgeUntil || r.NudgeUntil > 24*60:
		return errors.New("goal rules: nudge times: want minutes of a day, the first before the last")
	case r.DayPoints < 0 || r.DayPoints > maxPoints:
		return errors.New("goal rules: points of a goal day: want 0 to " + strconv.Itoa(maxPoints))
	}
	for i, m := range r.Metrics {
		switch {
		case !validName(m.Name):
			return bad("metric", i, "name: want a lower-case letter, then up to 31 letters, digits or hyphens")
		case slices.ContainsFunc(r.Metrics[:i], func(o Metric) bool { return o.Name == m.Name }):
			return bad("metric", i, "the name "+m.Name+" is there twice")
		case !m.Label.whole():
			return bad("metric", i, "label: want words, each with its language, such as \"en\"")
		case len(m.Kinds) == 0 || slices.Contains(m.Kinds, ""):
			return bad("metric", i, "kinds: say which log entries count")
		case m.Unit > PerPiece:
			return bad("metric", i, "unit is not known")
		case m.Which > FollowUpsOnly:
			return bad("metric", i, "which touches count is not known")
		case m.MinEvidence > 4 || m.Captured > 4:
			return bad("metric", i, "evidence: want 0 to 4")
		case m.Points < 0 || m.Points > maxPoints || m.PointsCap < 0 || m.PointsCap > maxPoints:
			return bad("metric", i, "points: want 0 to "+strconv.Itoa(maxPoints))
		}
	}
	for i := range r.Badges {
		if what := r.Badges[i].check(r, r.Badges[:i]); what != "" {
			return bad("badge", i, what)
		}
	}
	return nil
}

// maxPoints keeps sums of points far from the end of their range.
const maxPoints = 1000

// validName reports whether s can be the name of a metric or badge.
func validName(s string) bool {
	for i, c := range []byte(s) {
		if (c < 'a' || c > 'z') && (i == 0 || (c < '0' || c > '9') && c != '-') {
			return false
		}
	}
	return len(s) >= 1 && len(s) <= 32
}

// Metric finds a metric's number by its name.
func (r *GoalRules) Metric(name string) (int, bool) {
	i := slices.IndexFunc(r.Metrics, func(m Metric) bool { return m.Name == name })
	return i, i >= 0
}

// ActID is the 16 bytes of a log entry's UUID.
type ActID [16]byte

// Act is one entry of the log as far as goals care.
type Act struct {
	ID       ActID
	At       int64     // ms since 1970, the claim corrected by the measured skew
	Day      Day       // in the member's home calendar
	Minute   int16     // of that day, by the clock at home
	Kind     string    // as in the log
	Contact  ContactID // zero: nobody's
	Touch    bool      // the member reached out to the contact
	First    bool      // the first touch of the contact; see Count and GoalLog
	Event    bool      // at an event
	Evidence uint8
	Seconds  int64
	Pieces   int64
	About    ActID // of kind "void": the entry that did not happen
}

// KindVoid is the kind of an entry that says that another one was a slip. What it names counts for nothing, whichever
// arrives first.
const KindVoid = "void"

// Tally is what was done on one day: per metric, in units, of PerMinute in seconds. Sums that grow too great stay at
// maxTally.
type Tally struct {
	Day      Day
	Main     [MaxMetrics]int32 // by acts after the grace
	Early    [MaxMetrics]int32 // by acts within the grace after midnight, which the day before may need
	Captured [MaxMetrics]int32 // of both together, what was captured rather than reported
}

const maxTally = 1 << 29

// Zero reports whether nothing was done.
func (t *Tally) Zero() bool { return *t == Tally{Day: t.Day} }

// units turns a sum into units: seconds into whole minutes.
func (m *Metric) units(n int32) int32 {
	if m.Unit == PerMinute {
		return n / 60
	}
	return n
}

// sum turns units into what a tally sums.
func (m *Metric) sum(units int32) int32 {
	if m.Unit == PerMinute {
		return int32(min(int64(units)*60, maxTally))
	}
	return units
}

// TallyDay sums the acts of one day, in any order, without duplicates; First must be set. Acts of other days do not count.
func (r *GoalRules) TallyDay(day Day, acts []Act) Tally {
	t := Tally{Day: day}
	var kinds kindMemo
	// Per contact, the metrics that have it, and 32 bits higher those that have it as captured.
	var seen map[ContactID]uint64
	// Within the grace first: a contact who is touched in both parts of a day counts in the first.
	for _, early := range [2]bool{true, false} {
		sums := &t.Main
		if early {
			sums = &t.Early
		}
		for i := range acts {
			a := &acts[i]
			if a.Day != day || early != (int(a.Minute) < r.GraceMinutes) {
				continue
			}
			had := uint64(0)
			has := had
			once := a.Contact != (ContactID{})
			if once {
				had = seen[a.Contact]
				has = had
			}
			for left := kinds.metrics(r, a.Kind); left != 0; left &= left - 1 {
				m := bits.TrailingZeros32(left)
				n := r.Metrics[m].counts(a)
				captured := n
				if a.Evidence < r.Metrics[m].Captured {
					captured = 0
				}
				if n > 0 && once && r.Metrics[m].Unit == PerContact {
					has |= 1 << m
					if captured > 0 {
						has |= 1 << (m + 32)
					}
					if had>>m&1 == 1 {
						n = 0
					}
					if had>>(m+32)&1 == 1 {
						captured = 0
					}
				}
				sums[m] = addTally(sums[m], n)
				t.Captured[m] = addTally(t.Captured[m], captured)
			}
			if has != had {
				if seen == nil {
					seen = map[ContactID]uint64{}
				}
				seen[a.Contact] = has
			}
		}
	}
	return t
}

// kindMemo remembers which metrics count the kinds that were met, as bits.
type kindMemo struct {
	n     int
	kinds [8]string
	masks [8]uint32
}

func (k *kindMemo) metrics(r *GoalRules, kind string) uint32 {
	for i := range k.n {
		if k.kinds[i] == kind {
			return k.masks[i]
		}
	}
	mask := uint32(0)
	for m := range min(len(r.Metrics), MaxMetrics) {
		if slices.Contains(r.Metrics[m].Kinds, kind) {
			mask |= 1 << m
		}
	}
	if k.n < len(k.kinds) {
		k.kinds[k.n], k.masks[k.n] = kind, mask
		k.n++
	}
	return mask
}

func addTally(sum int32, n int64) int32 { return int32(min(int64(sum)+n, maxTally)) }

// counts returns how much an act of a kind that counts adds to a metric, apart from acts that it repeats.
func (m *Metric) counts(a *Act) int64 {
	switch {
	case a.Evidence < m.MinEvidence, m.Event && !a.Event,
		m.Which == NewOnly && !a.First, m.Which == FollowUpsOnly && (a.First || !a.Touch):
		return 0
	}
	switch m.Unit {
	case PerMinute:
		return min(max(a.Seconds, 0), 25*3600)
	case PerPiece:
		return min(max(a.Pieces, 0), 1000)
	}
	return 1
}

func compareActs(a, b Act) int {
	return cmp.Or(cmp.Compare(a.At, b.At), bytes.Compare(a.ID[:], b.ID[:]))
}

// Count is the whole computation: all acts of the log in any order, also several times, into the tallies of all days,
// ascending; days on which nothing was done are left out. First is found out here, and what a void names is left out.
func (r *GoalRules) Count(acts []Act) []Tally {
	acts = slices.Clone(acts)
	slices.SortFunc(acts, compareActs)
	acts = slices.CompactFunc(acts, func(a, b Act) bool { return a.ID == b.ID })
	void := map[ActID]bool{}
	for i := range acts {
		if acts[i].Kind == KindVoid {
			void[acts[i].About] = true
		}
	}
	acts = slices.DeleteFunc(acts, func(a Act) bool { return a.Kind == KindVoid || void[a.ID] })
	touched := map[ContactID]bool{}
	for i := range acts {
		a := &acts[i]
		a.First = a.Touch && !touched[a.Contact]
		touched[a.Contact] = touched[a.Contact] || a.Touch
	}
	slices.SortStableFunc(acts, func(a, b Act) int { return cmp.Compare(a.Day, b.Day) })
	var out []Tally
	for len(acts) > 0 {
		n := 1
		for n < len(acts) && acts[n].Day == acts[0].Day {
			n++
		}
		if t := r.TallyDay(acts[0].Day, acts[:n]); !t.Zero() {
			out = append(out, t)
		}
		acts = acts[n:]
	}
	return out
}

// GoalLog holds the acts of a member and keeps the tallies of days up to date, act by act. It looks only at the days
// that an arriving act concerns, and equals Count of the same acts, in whatever order and however often they came.
type GoalLog struct {
	rules   *GoalRules
	acts    map[ActID]Act
	voids   map[ActID]bool
	days    map[Day][]ActID
	touches map[ContactID][]ActID // by (time, id), without what did not happen
}

// NewGoalLog returns an empty log.
func NewGoalLog(r *GoalRules) *GoalLog {
	return &GoalLog{rules: r, acts: map[ActID]Act{}, voids: map[ActID]bool{}, days: map[Day][]ActID{}, touches: map[ContactID][]ActID{}}
}

// Add takes acts in and returns the tallies of the days that they concern, ascending; some may be as they were, and one
// on which nothing is left is zero.
func (l *GoalLog) Add(acts ...Act) []Tally {
	var days []Day
	for _, a := range acts {
		if a.Kind == KindVoid {
			if l.voids[a.About] {
				continue
			}
			l.voids[a.About] = true
			if was, ok := l.acts[a.About]; ok {
				days = append(days, was.Day)
				days = append(days, l.retouch(was, false)...)
			}
			continue
		}
		if _, ok := l.acts[a.ID]; ok {
			continue
		}
		a.First = false
		l.acts[a.ID] = a
		l.days[a.Day] = append(l.days[a.Day], a.ID)
		days = append(days, a.Day)
		if !l.voids[a.ID] {
			days = append(days, l.retouch(a, true)...)
		}
	}
	slices.Sort(days)
	days = slices.Compact(days)
	out := make([]Tally, len(days))
	for i, d := range days {
		var of []Act
		for _, id := range l.days[d] {
			if !l.voids[id] {
				of = append(of, l.acts[id])
			}
		}
		out[i] = l.rules.TallyDay(d, of)
	}
	return out
}

// retouch puts a touch into the order of its contact, or takes it out, and returns the days whose first touch it changed.
func (l *GoalLog) retouch(a Act, in bool) (days []Day) {
	if !a.Touch {
		return nil
	}
	ids := l.touches[a.Contact]
	at, there := slices.BinarySearchFunc(ids, a, func(id ActID, a Act) int { return compareActs(l.acts[id], a) })
	var was ActID
	if len(ids) > 0 {
		was = ids[0]
	}
	switch {
	case in && !there:
		ids = slices.Insert(ids, at, a.ID)
	case !in && there:
		ids = slices.Delete(ids, at, at+1)
	}
	l.touches[a.Contact] = ids
	var is ActID
	if len(ids) > 0 {
		is = ids[0]
	}
	if was == is {
		return nil
	}
	for _, id := range [2]ActID{was, is} {
		if x, ok := l.acts[id]; ok {
			x.First = id == is
			l.acts[id] = x
			days = append(days, x.Day)
		}
	}
	return days
}

// Commitment is what a member wants to do of a metric each day, from a day on; 0 ends it.
type Commitment struct {
	From   Day
	Metric int
	Want   int32
}

// WeeklyRest says which days of the week are rest days, from a day on: bit 0 is Monday, bit 6 Sunday.
type WeeklyRest struct {
	From Day
	Days uint8
}

// Plan is what a member committed to. All three ascend by day, and hold one entry a day (and metric).
type Plan struct {
	Goals  []Commitment
	Rest   []Day
	Weekly []WeeklyRest
}

// Sort brings a plan into order.
func (p *Plan) Sort() {
	slices.SortStableFunc(p.Goals, func(a, b Commitment) int { return cmp.Or(cmp.Compare(a.From, b.From), cmp.Compare(a.Metric, b.Metric)) })
	slices.Sort(p.Rest)
	slices.SortStableFunc(p.Weekly, func(a, b WeeklyRest) int { return cmp.Compare(a.From, b.From) })
}

// Moment is now, in the member's home calendar.
type Moment struct {
	Day    Day
	Minute int // of the day
}

// DayState says what became of a day.
type DayState uint8

// States of a day.
const (
	NoGoal  DayState = iota // nothing was committed to: it counts neither way
	Ahead                   // has not begun
	Open                    // today, goals not reached yet
	Grace                   // yesterday, while an act can still make it
	Met                     // all goals reached
	Rest                    // a rest day, goals not reached: it counts neither way
	Skipped                 // goals not reached, and the streak stays whole
	Partly                  // something done, goals not reached, no skip left
	Blank                   // nothing done, no skip left
	NumDayStates
)

var dayStateNames = [NumDayStates]string{"no_goal", "ahead", "open", "grace", "met", "rest", "skipped", "partly", "blank"}

// String returns the stable name, such as "met".
func (s DayState) String() string { return nameOf(dayStateNames[:], s) }

// monday returns the first day of a day's ISO week.
func monday(d Day) Day { return Day(int64(d) - ((int64(d)+3)%7+7)%7) }
