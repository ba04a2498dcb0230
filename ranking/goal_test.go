package ranking

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// habitBook is a member's log by hand.
type habitBook struct {
	acts []Act
	n    uint64
}

func (b *habitBook) add(a Act) ActID {
	b.n++
	binary.BigEndian.PutUint64(a.ID[8:], b.n)
	a.At = int64(a.Day)*86_400_000 + int64(a.Minute)*60_000
	switch a.Kind {
	case "call", "text", "email", "meet", "ask":
		a.Touch = true
	}
	b.acts = append(b.acts, a)
	return a.ID
}

func (b *habitBook) touch(kind string, d Day, minute int, who byte) ActID {
	return b.add(Act{Kind: kind, Day: d, Minute: int16(minute), Contact: ContactID{15: who}, Evidence: 1})
}

func (b *habitBook) learn(d Day, minute, seconds int) ActID {
	return b.add(Act{Kind: "learn", Day: d, Minute: int16(minute), Seconds: int64(seconds), Evidence: 2})
}

func (b *habitBook) share(d Day, minute int) ActID {
	return b.add(Act{Kind: "share", Day: d, Minute: int16(minute)})
}

func day(s string) Day {
	d, err := ParseDay(s)
	if err != nil {
		panic(s)
	}
	return d
}

// habitAt computes everything anew.
func habitAt(r *GoalRules, p Plan, acts []Act, now Moment) Habit {
	k := NewKeeper(r)
	p.Sort()
	k.SetPlan(p)
	for _, t := range r.Count(acts) {
		k.Put(t)
	}
	return k.At(now)
}

// shareDaily is the plan of one share a day from a day on: the simplest goal there is.
func shareDaily(from Day) Plan {
	return Plan{Goals: []Commitment{{From: from, Metric: MetricShare, Want: 1}}}
}

// monday2 is a Monday.
var monday2 = day("2026-10-05")

func states(w Week) string {
	var b strings.Builder
	for _, s := range w.Days {
		b.WriteByte(".>o~MRspb"[s])
	}
	return b.String()
}

func TestR34CommitmentsHoldFromTheirDayOn(t *testing.T) {
	r := DefaultGoalRules()
	var b habitBook
	for d := monday2; d < monday2+14; d++ {
		b.share(d, 600)
	}
	p := Plan{Goals: []Commitment{{monday2 + 2, MetricShare, 1}, {monday2 + 9, MetricShare, 2}, {monday2 + 11, MetricShare, 0}, {monday2 + 12, MetricShare, 1}}}
	h := habitAt(r, p, b.acts, Moment{monday2 + 13, 1200})
	if got := states(h.Weeks[0]) + " " + states(h.Weeks[1]); got != "..MMMMM MMss.MM" {
		t.Errorf("days %s", got)
	}
	if h.Weeks[0].Full || h.Weeks[1].Full {
		t.Error("weeks that began before the commitment, or had a day without one, are told as full ones")
	}
	if h.Ring[MetricShare] != (Ring{Metric: MetricShare, Want: 1, Done: 1}) || h.Ring[MetricOutreach].Want != 0 || len(h.Ring) != 4 {
		t.Errorf("ring %+v", h.Ring)
	}
	// Another metric that is committed to has a ring of its own (R78).
	p.Goals = append(p.Goals, Commitment{monday2 + 3, MetricPresent, 1})
	if h := habitAt(r, p, b.acts, Moment{monday2 + 13, 1200}); len(h.Ring) != 5 || h.Ring[4].Left != 1 || h.State != Open {
		t.Errorf("with a presentation a day: %+v", h.Ring)
	}
}

func TestR35FourDimensions(t *testing.T) {
	r := DefaultGoalRules()
	d := monday2
	var b habitBook
	b.touch("call", d, 600, 1)
	b.touch("text", d, 601, 1) // the same person again: a follow-up
	b.touch("text", d, 602, 1) // and that is still one
	b.touch("meet", d, 603, 2)
	b.touch("call", d-3, 600, 3)
	b.touch("call", d, 604, 3)
	b.learn(d, 700, 270)
	b.learn(d, 710, 95) // 6 minutes and 5 seconds together
	b.share(d, 720)
	b.share(d, 721)
	p := Plan{Goals: []Commitment{{d, MetricOutreach, 3}, {d, MetricFollowUp, 2}, {d, MetricLearn, 10}, {d, MetricShare, 1}}}
	h := habitAt(r, p, b.acts, Moment{d, 1200})
	want := []Ring{{0, 3, 2, 1, 2}, {1, 2, 2, 0, 2}, {2, 10, 6, 4, 6}, {3, 1, 2, 0, 0}}
	if !reflect.DeepEqual(h.Ring, want) || h.State != Open {
		t.Errorf("ring %+v, %v; want %+v", h.Ring, h.State, want)
	}

	// An earlier touch that arrives late makes today's a follow-up; together they are not fewer.
	b.touch("call", d-9, 600, 2)
	h = habitAt(r, p, b.acts, Moment{d, 1200})
	if h.Ring[0].Done != 1 || h.Ring[1].Done != 3 {
		t.Errorf("ring %+v", h.Ring[:2])
	}
	// Of two touches at the same time the smaller id is the first, on every device.
	x := []Act{{ID: ActID{2}, Day: d, At: 5, Kind: "call", Touch: true, Contact: ContactID{1}}, {ID: ActID{1}, Day: d, At: 5, Kind: "text", Touch: true, Contact: ContactID{1}}}
	for range 2 {
		if ts := r.Count(x); len(ts) != 1 || ts[0].Main[MetricOutreach]+ts[0].Early[MetricOutreach] != 1 || ts[0].Main[MetricCalls]+ts[0].Early[MetricCalls] != 1 {
			t.Errorf("%+v", ts)
		}
		x[0], x[1] = x[1], x[0]
	}
}

func TestR36NudgeOnlyWithAnAction(t *testing.T) {
	r := DefaultGoalRules()
	d := monday2
	p := Plan{Goals: []Commitment{{d, MetricOutreach, 4}, {d, MetricFollowUp, 5}, {d, MetricLearn, 10}}}
	var b habitBook
	b.touch("call", d, 600, 1)
	b.learn(d, 700, 240)
	people := [MaxMetrics]int{MetricOutreach: 3, MetricFollowUp: 2}
	at := func(minute int) Habit { return habitAt(r, p, b.acts, Moment{d, minute}) }
	h := at(18 * 60)
	for _, c := range []struct {
		name     string
		h        Habit
		given    bool
		contacts [MaxMetrics]int
		metric   string // "": none
	}{
		{"the nearest by share: 6 of 10 minutes", h, false, people, "learn"},
		{"one was given today", h, true, people, ""},
		{"too early", at(17*60 - 1), false, people, ""},
		{"from five", at(17 * 60), false, people, "learn"},
		{"too late", at(21 * 60), false, people, ""},
		{"all done", Habit{Now: h.Now, State: Met, Ring: h.Ring}, false, people, ""},
		{"a rest day", Habit{Now: h.Now, State: Rest, Ring: h.Ring}, false, people, ""},
	} {
		n, ok := r.Nudge(&c.h, c.given, c.contacts)
		if ok != (c.metric != "") || ok && (n.Metric != c.metric || n.Left != 6 || n.Until != 21*60 || n.Key != "nudge:2026-10-05") {
			t.Errorf("%s: %+v, %v", c.name, n, ok)
		}
	}
	// R98: people must be there for what needs them.
	p.Goals = p.Goals[:2]
	h = at(18 * 60)
	if n, ok := r.Nudge(&h, false, [MaxMetrics]int{}); ok {
		t.Errorf("nudged to call nobody: %+v", n)
	}
	if n, ok := r.Nudge(&h, false, [MaxMetrics]int{MetricFollowUp: 1}); !ok || n.Metric != "followup" || n.Left != 5 {
		t.Errorf("%+v, %v", n, ok)
	}
}

func TestR37Streaks(t *testing.T) {
	r := DefaultGoalRules()
	for _, c := range []struct {
		name string
		days string // from a Monday on: x shared, - nothing, e within the grace after midnight, R a rest day, Q a rest day with a share
		now  Moment // Day counts from that Monday
		want string // states by week
		run  int32
		best int32
	}{
		{"three days, today still open", "xxx-", Moment{3, 700}, "MMMo>>>", 3, 3},
		{"two days off a week are free", "x-x-xxx x", Moment{7, 700}, "MsMsMMM M>>>>>>", 6, 6},
		{"the third is not", "x-x-x-x x", Moment{7, 700}, "MsMsMbM M>>>>>>", 2, 3},
		{"but each week has its own", "xxxxx-- --xx", Moment{10, 700}, "MMMMMss ssMM>>>", 7, 7},
		{"a rest day costs none", "xRR-Rxx", Moment{6, 700}, "MRRsRMM", 3, 3},
		{"a rest day with the goals reached counts", "xQ-----", Moment{2, 700}, "MMo>>>>", 2, 2},
		{"after midnight it is still time", "xx-", Moment{3, 10}, "MM~o>>>", 2, 2},
		{"until three", "xx-", Moment{3, 180}, "MMso>>>", 2, 2},
		{"and an act then makes the day before", "xx-e", Moment{3, 181}, "MMMo>>>", 3, 3},
		{"and counts for the new day when it is not needed", "xxxe", Moment{3, 181}, "MMMM>>>", 4, 4},
		{"an act counts once", "x-e-x", Moment{4, 700}, "MMssM>>", 3, 3},
		{"nothing yet", "---", Moment{2, 700}, "sso>>>>", 0, 0},
		{"the best one is kept", "xxxx--- ---xx", Moment{12, 700}, "MMMMssb ssbMMo>", 2, 4},
	} {
		var b habitBook
		p := shareDaily(monday2)
		d := monday2
		for _, x := range c.days {
			switch x {
			case ' ':
				continue
			case 'x', 'Q':
				b.share(d, 600)
			case 'e':
				b.share(d, 20)
			}
			if x == 'R' || x == 'Q' {
				p.Rest = append(p.Rest, d)
			}
			d++
		}
		h := habitAt(r, p, b.acts, Moment{monday2 + c.now.Day, c.now.Minute})
		var got []string
		for _, w := range h.Weeks {
			got = append(got, states(w))
		}
		if s := strings.Join(got, " "); s != c.want || h.Streak.Days != c.run || h.Best.Days != c.best {
			t.Errorf("%s: %s, streak %d, best %d; want %s, %d, %d", c.name, s, h.Streak.Days, h.Best.Days, c.want, c.run, c.best)
		}
	}
	// Since when: the first goal day of the run. Weekly rest days are rest days each week.
	var b habitBook
	p := shareDaily(monday2)
	p.Weekly = []WeeklyRest{{monday2, 1 << 6}, {monday2 + 14, 1 << 5}}
	for d := monday2; d < monday2+28; d++ {
		if (d-monday2)%7 < 5 {
			b.share(d, 600)
		}
	}
	h := habitAt(r, p, b.acts, Moment{monday2 + 27, 1300})
	var got []string
	for _, w := range h.Weeks {
		got = append(got, states(w))
	}
	if s := strings.Join(got, " "); s != "MMMMMsR MMMMMsR MMMMMRs MMMMMRo" || h.Streak != (Run{20, monday2, monday2 + 25}) || h.SkipsLeft != 2 {
		t.Errorf("%s, %+v", s, h.Streak)
	}
	// While yesterday is open, its ring is shown beside today's.
	h = habitAt(r, shareDaily(monday2), nil, Moment{monday2 + 1, 30})
	if len(h.Yesterday) != 4 || h.Yesterday[MetricShare].Left != 1 {
		t.Errorf("yesterday %+v", h.Yesterday)
	}
}

func TestR37LateSyncMendsTheStreak(t *testing.T) {
	r := DefaultGoalRules()
	l, k := NewGoalLog(r), NewKeeper(r)
	k.SetPlan(shareDaily(monday2))
	var b habitBook
	for i := Day(0); i < 10; i++ {
		if i != 4 && i != 5 && i != 6 {
			b.share(monday2+i, 600)
		}
	}
	for _, x := range l.Add(b.acts...) {
		k.Put(x)
	}
	wednesday := Moment{monday2 + 9, 1200}
	if h := k.At(wednesday); h.Streak.Days != 3 || states(h.Weeks[0]) != "MMMMssb" {
		t.Fatalf("before: %+v %s", h.Streak, states(h.Weeks[0]))
	}
	var late habitBook
	late.n = 100
	late.share(monday2+6, 1439) // logged on Sunday without signal
	changed := l.Add(late.acts...)
	if len(changed) != 1 || changed[0].Day != monday2+6 {
		t.Errorf("it concerns the days %v", changed)
	}
	for _, x := range changed {
		k.Put(x)
	}
	if h := k.At(wednesday); h.Streak != (Run{8, monday2, monday2 + 9}) || states(h.Weeks[0]) != "MMMMssM" {
		t.Errorf("after: %+v %s", h.Streak, states(h.Weeks[0]))
	}
}

func awardsOf(h Habit) string {
	var out []string
	for _, a := range h.Awards {
		out = append(out, fmt.Sprintf("%s/%d@%d", a.Badge, a.Level, a.Day-monday2))
	}
	return strings.Join(out, " ")
}

func TestR38Badges(t *testing.T) {
	r := DefaultGoalRules()
	var b habitBook
	b.touch("call", monday2, 600, 1)
	for i := range 5 {
		b.add(Act{Kind: "meet", Day: monday2 + 1, Minute: 700, Contact: ContactID{15: byte(10 + i)}, Event: true})
	}
	for i := Day(0); i < 28; i++ {
		if i%7 < 4 {
			b.share(monday2+i, 600)
		}
	}
	b.touch("text", monday2+40, 600, 1)
	b.share(monday2+40, 600)
	h := habitAt(r, shareDaily(monday2), b.acts, Moment{monday2 + 41, 1200})
	const want = "first-call/1@0 first-goal-day/1@0 event-day/1@1 streak/1@2 good-weeks/1@3 goal-days/1@15 share/1@15 good-weeks/2@24 comeback/1@40"
	if got := awardsOf(h); !sameWords(got, want) {
		t.Errorf("awards %s\nwant %s", got, want)
	}
	i := slices.IndexFunc(h.Next, func(p Progress) bool { return p.Badge == "goal-days" })
	if i < 0 || h.Next[i] != (Progress{"goal-days", 2, 17, 50}) {
		t.Errorf("next %+v", h.Next)
	}
	// Follow-ups: 10, 50, 250.
	b = habitBook{}
	b.touch("call", monday2, 1, 1)
	for i := range 60 {
		b.touch("text", monday2+Day(i)+1, 600, 1)
	}
	if got := awardsOf(habitAt(r, Plan{}, b.acts, Moment{monday2 + 70, 1})); got != "first-call/1@0 followup/1@10 followup/2@50" {
		t.Error(got)
	}
	// A slip is taken back with what it proved, whichever of the two arrives first.
	slip := b.acts[0]
	void := Act{ID: ActID{1}, Kind: KindVoid, About: slip.ID}
	for _, acts := range [][]Act{append(slices.Clone(b.acts), void), append([]Act{void}, b.acts...)} {
		if got := awardsOf(habitAt(r, Plan{}, acts, Moment{monday2 + 70, 1})); got != "followup/1@11 followup/2@51" {
			t.Error(got)
		}
	}
}

func sameWords(a, b string) bool {
	x, y := strings.Fields(a), strings.Fields(b)
	slices.Sort(x)
	slices.Sort(y)
	return slices.Equal(x, y)
}

func TestR39PointsAreCapped(t *testing.T) {
	r := DefaultGoalRules()
	var b habitBook
	for i := range 50 {
		b.share(monday2, 600+i)
	}
	b.touch("call", monday2, 900, 1)
	h := habitAt(r, shareDaily(monday2), b.acts, Moment{monday2 + 1, 600})
	if h.Points != 5*5+10+20 || h.Weeks[0].Points != 55 {
		t.Errorf("%d points, %d this week, want 55", h.Points, h.Weeks[0].Points)
	}
}

func TestR40RecognitionShowsOnlyWhatABoardMay(t *testing.T) {
	r := DefaultGoalRules()
	x, ok := r.Recognition(Award{"streak", 2, monday2})
	if !ok || x != (Recognition{"award:streak:2", "streak", 2, 7, monday2}) {
		t.Errorf("%+v, %v", x, ok)
	}
	for _, a := range []Award{{"comeback", 1, 0}, {"streak", 9, 0}, {"streak", 0, 0}, {"nothing", 1, 0}} {
		if x, ok := r.Recognition(a); ok {
			t.Errorf("a board shows %+v", x)
		}
	}
}

func TestR41R42LeadersByRealActivity(t *testing.T) {
	m := func(n byte) [16]byte { return [16]byte{15: n} }
	all := []Standing{{m(1), 90, 0, 0}, {m(2), 30, 30, 0}, {m(3), 40, 30, 0}, {m(4), 0, 0, 0}, {m(5), 30, 30, 0}, {m(6), 20, 20, 0}}
	want := []Standing{{m(3), 40, 30, 1}, {m(2), 30, 30, 2}, {m(5), 30, 30, 2}, {m(6), 20, 20, 4}, {m(1), 90, 0, 5}}
	for range 20 {
		rand.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
		if got := Leaders(all, 9); !reflect.DeepEqual(got, want) {
			t.Fatalf("%+v", got)
		}
		if got := Leaders(all, 2); !reflect.DeepEqual(got, want[:3]) {
			t.Fatalf("the first two: %+v", got)
		}
	}
}

// weeksOf logs so many goal days in each week from monday2 on, on scattered days.
func weeksOf(rng *rand.Rand, counts ...int) []Act {
	var b habitBook
	for w, n := range counts {
		for _, d := range rng.Perm(7)[:n] {
			b.share(monday2+Day(7*w+d), 600)
		}
	}
	return b.acts
}

func TestR43WeeklyAverage(t *testing.T) {
	r := DefaultGoalRules()
	rng := rand.New(rand.NewPCG(1, 2))
	acts := weeksOf(rng, 2, 3, 3, 4, 4, 5, 7)
	for _, c := range []struct {
		from    Day
		now     Day
		average int
		of      int
	}{
		{0, 42, 35, 6},  // 21 goal days in six weeks; the seventh has just begun
		{0, 41, 32, 5},  // the sixth is not over
		{1, 42, 38, 5},  // committed on a Tuesday: the first week does not count
		{0, 49, 40, 7},  // 28 in seven
		{0, 70, 29, 8},  // the newest eight: 23 goal days, three of the weeks are empty
		{41, 42, 0, 0},  // nothing to average yet
		{42, 42, 0, 0},  //
		{400, 42, 0, 0}, // a commitment for later
	} {
		h := habitAt(r, shareDaily(monday2+c.from), acts, Moment{monday2 + c.now, 600})
		if h.Average != c.average || h.AverageOf != c.of {
			t.Errorf("committed on day %d, day %d: average %d of %d weeks, want %d of %d", c.from, c.now, h.Average, h.AverageOf, c.average, c.of)
		}
	}
	// A week of rest days is left out.
	p := shareDaily(monday2)
	for d := monday2 + 7; d < monday2+14; d++ {
		p.Rest = append(p.Rest, d)
	}
	if h := habitAt(r, p, weeksOf(rng, 4, 0, 4), Moment{monday2 + 21, 600}); h.Average != 40 || h.AverageOf != 2 || h.Weeks[1].Full {
		t.Errorf("with a week off: %d of %d", h.Average, h.AverageOf)
	}
}

func TestR44CoachingLine(t *testing.T) {
	r := DefaultGoalRules()
	rng := rand.New(rand.NewPCG(3, 4))
	for _, c := range []struct {
		weeks []int
		want  string
	}{
		{[]int{2, 3, 3, 4, 4, 5}, "2 days a week then, 5 days a week five weeks later, great work"},
		{[]int{0, 0, 2, 3, 3, 4, 4, 5}, "2 days a week then, 5 days a week five weeks later, great work"},
		{[]int{1, 1, 2, 3}, "1 day a week then, 3 days a week three weeks later, great work"},
		{[]int{2, 5, 1, 0, 0, 5}, "5 goal days last week, 5 more than the week before"}, // not a gain over six weeks
		{[]int{5, 4, 3, 2}, ""},
		{[]int{3, 3, 3, 3}, ""},
		{[]int{4, 5, 4, 4}, "4 or more goal days in each of the last four weeks: that is a habit"},
		{[]int{4, 5, 4, 4, 3}, ""},
		{[]int{0, 0, 0, 0, 0, 0}, ""},
		{[]int{2, 3}, "3 goal days last week, 1 more than the week before"},
	} {
		acts := weeksOf(rng, c.weeks...)
		now := Moment{monday2 + Day(7*len(c.weeks)), 600}
		h := habitAt(r, shareDaily(monday2), acts, now)
		got := h.Line.Sentence("en")
		if got != c.want {
			t.Errorf("weeks %v: %q, want %q", c.weeks, got, c.want)
		}
		if h.Line.Code == GainLine {
			proved := map[Day]int8{}
			for _, w := range h.Weeks {
				proved[w.Monday] = w.Met
			}
			if int32(proved[h.Line.From]) != h.Line.Args[0] || int32(proved[monday(h.Line.To)]) != h.Line.Args[1] || int64(h.Line.Args[2])*7 != monday(h.Line.To).since(h.Line.From) {
				t.Errorf("%+v is not what the weeks say: %v", h.Line, proved)
			}
		}
	}
	// Not while the sixth week goes on, not when the commitment came in its middle, and not from a log that lacks a day.
	acts := weeksOf(rng, 2, 3, 3, 4, 4, 5)
	for i, c := range []struct {
		from Day
		now  Day
		acts []Act
	}{{0, 41, acts}, {37, 42, acts}, {0, 42, acts[:len(acts)-2]}} {
		if got := habitAt(r, shareDaily(monday2+c.from), c.acts, Moment{monday2 + c.now, 600}).Line; got.Code == GainLine && got.Args[1] == 5 {
			t.Errorf("case %d: %+v", i, got)
		}
	}
	h := habitAt(r, shareDaily(monday2), acts, Moment{monday2 + 42, 600})
	if got := h.Line.ForCoach("en", "Ana"); got != "Ana: 2 days a week then, 5 days a week five weeks later. Great work, worth a call to say so" {
		t.Error(got)
	}
	if got := h.Line.Sentence("es-MX"); got != "antes 2 días por semana, cinco semanas después 5 días por semana: ¡gran trabajo!" {
		t.Error(got)
	}
}

func TestR45R46ReportsSayWhatWasCaptured(t *testing.T) {
	r := DefaultGoalRules()
	var b habitBook
	b.touch("call", monday2, 600, 1)                                                                 // from the app
	b.add(Act{Kind: "call", Day: monday2, Minute: 601, Contact: ContactID{15: 2}})                   // typed in
	b.add(Act{Kind: "text", Day: monday2, Minute: 602, Contact: ContactID{15: 2}})                   // typed in …
	b.add(Act{Kind: "text", Day: monday2 + 1, Minute: 10, Contact: ContactID{15: 2}, Evidence: 1})   // … and once more, early
	b.add(Act{Kind: "text", Day: monday2 + 1, Minute: 800, Contact: ContactID{15: 2}, Evidence: 0})  // the same person
	b.add(Act{Kind: "learn", Day: monday2 + 2, Minute: 800, Seconds: 659, Pieces: 1, Evidence: 2})   // timed
	b.add(Act{Kind: "learn", Day: monday2 + 2, Minute: 800, Seconds: 600, Pieces: 1, Evidence: 1})   // typed in
	b.add(Act{Kind: "share", Day: monday2 + 9, Minute: 800, Evidence: 1, Contact: ContactID{15: 9}}) // next week
	p := shareDaily(monday2)
	p.Goals = append(p.Goals, Commitment{monday2 + 2, MetricFollowUp, 3})
	p.Rest = []Day{monday2 + 6}
	w := habitAt(r, p, b.acts, Moment{monday2 + 9, 900}).Weeks[0]
	if w.Want != [MaxMetrics]int32{MetricShare: 6, MetricFollowUp: 12} {
		t.Errorf("committed to %v", w.Want)
	}
	for m, want := range map[int][2]int32{
		MetricOutreach: {2, 1}, MetricFollowUp: {2, 1}, MetricLearn: {20, 10}, MetricShare: {0, 0}, MetricCalls: {2, 1}, MetricTexts: {3, 1}, MetricLessons: {2, 1},
	} {
		if w.Done[m] != want[0] || w.Captured[m] != want[1] {
			t.Errorf("%s: %d, captured %d; want %v", r.Metrics[m].Name, w.Done[m], w.Captured[m], want)
		}
	}
	for m := range r.Metrics {
		for _, lang := range []string{"en", "es"} {
			if r.Metrics[m].Capture(lang) == "" || r.Metrics[m].Words(lang) == "" {
				t.Errorf("%s does not say how it is captured", r.Metrics[m].Name)
			}
		}
	}
	// R78: a company counts what it likes, also of a kind that only it knows, and only what is proved.
	r.Metrics = append(r.Metrics, Metric{Name: "parties", Label: inBoth("parties", "fiestas"), Kinds: []string{"party"}, MinEvidence: 3, Captured: 4})
	if err := r.Check(); err != nil {
		t.Fatal(err)
	}
	x := []Act{{ID: ActID{1}, Day: monday2, Kind: "party", Evidence: 3}, {ID: ActID{2}, Day: monday2, Kind: "party", Evidence: 2}}
	if ts := r.Count(x); len(ts) != 1 || ts[0].Early[10] != 1 || ts[0].Captured[10] != 0 {
		t.Errorf("%+v", ts)
	}
}

// blame is what nobody wants to hear from an app, in both languages.
var blame = regexp.MustCompile(`(?i)\b(miss(ed|ing)?|los[te]|losing|broke(n)?|break(s|ing)?|fail(ed|s|ure)?|should(n't)?|must|only|but|lazy|behind|forg[eo]t|never|` +
	`don't|didn't|not|worse|bad|still|again|zero|late|hurry|warning|danger|last chance|or else|sorry|unfortunately|disappoint\w*|guilt\w*|excuse\w*|` +
	`perd\w+|falt\w+|fall(ó|aste|o)|rompi\w+|deber\w+|tienes que|solo|sólo|pero|nunca|no|atrás|peor|mal|tarde|olvid\w+|lástima|culpa|última oportunidad)\b`)

func allGoalTexts() []string {
	r := DefaultGoalRules()
	var out []string
	add := func(what, text string) { out = append(out, what+": "+text) }
	for _, lang := range []string{"en", "es"} {
		for c := GainLine; c < NumLines; c++ {
			for _, n := range []int32{1, 2, 5, 20} {
				l := Line{Code: c, Args: [3]int32{n, n + 1, n}}
				add(lang+" line "+c.String(), l.Sentence(lang))
				add(lang+" coach "+c.String(), l.ForCoach(lang, "Ana"))
			}
		}
		for s := range NumDayStates {
			add(lang+" day "+s.String(), s.Words(lang))
		}
		for m := range r.Metrics {
			add(lang+" metric "+r.Metrics[m].Name, r.Metrics[m].Words(lang)+", "+r.Metrics[m].Capture(lang))
			for _, n := range []int32{1, 4} {
				add(lang+" nudge "+r.Metrics[m].Name, r.NudgeSentence(Nudge{Metric: r.Metrics[m].Name, Left: n, Until: 21*60 + 5}, lang))
			}
		}
		for i := range r.Badges {
			add(lang+" badge "+r.Badges[i].Name, r.Badges[i].Words(lang))
		}
		add(lang+" coach of nobody", Line{Code: WeekUpLine, Args: [3]int32{3, 1}}.ForCoach(lang, ""))
	}
	return out
}

func TestR47NoTextBlames(t *testing.T) {
	all := allGoalTexts()
	for _, s := range all {
		_, text, _ := strings.Cut(s, ": ")
		if text == "" || flaws.MatchString(text) || strings.Contains(text, "{") {
			t.Errorf("%q is not finished", s)
		}
		if w := blame.FindString(text); w != "" {
			t.Errorf("%q says %q", s, w)
		}
	}
	if !blame.MatchString("You missed a day") || !blame.MatchString("perdiste tu racha") || !blame.MatchString("solo 2") {
		t.Error("the test does not see blame")
	}
	const path = "testdata/goal_texts.golden"
	got := strings.Join(all, "\n") + "\n"
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil || string(want) != got {
		t.Errorf("the texts are not those of %s (%v): -update writes them anew", path, err)
	}
	if (Line{}).Sentence("en") != "" || (Line{Code: 99}).Sentence("en") != "" || (Line{}).ForCoach("es", "A") != "" || DayState(99).Words("en") != "" {
		t.Error("words for nothing")
	}
}

func TestR48R49LinesOfADay(t *testing.T) {
	r := DefaultGoalRules()
	for _, c := range []struct {
		days string
		want LineCode
	}{
		{"x", FirstDayLine},
		{"x-", FirstDayLine},
		{"xxx", NoLine},
		{"xx---------x", BackLine},
		{"xxx---- xxxxx", LongestLine},
		{"xxxxx", NoLine}, // the longest of one is nothing to tell
	} {
		var b habitBook
		d := monday2
		for _, x := range c.days {
			if x == 'x' {
				b.share(d, 600)
			}
			if x != ' ' {
				d++
			}
		}
		if h := habitAt(r, shareDaily(monday2), b.acts, Moment{d - 1, 900}); h.Line.Code != c.want {
			t.Errorf("%s: %v, want %v", c.days, h.Line.Code, c.want)
		}
	}
}

// TestR99ANewcomerWhoFollowsANoticeIsRewarded: the step that a notice asks for fills the ring, gives points and the first badges, and is
// answered by a good word, on a newcomer's first day.
func TestR99ANewcomerWhoFollowsANoticeIsRewarded(t *testing.T) {
	lead := someone(4, Prospect, d0).with(Event{Kind: EventForm, Day: d0})
	a := wantNotice(t, lead, "Ana", 240, "Ana has just filled in your form: now is the best time to call", "Call Ana to say hello")
	r, plan := DefaultGoalRules(), Plan{Goals: []Commitment{{From: d0, Metric: MetricOutreach, Want: 1}}}
	if h := habitAt(r, plan, nil, Moment{d0, 600}); h.Points != 0 || len(h.Awards) != 0 || h.State != Open || h.Ring[MetricOutreach].Left != 1 {
		t.Errorf("before: %+v", h)
	}
	var b habitBook
	b.add(Act{Kind: a.Channel.String(), Day: d0, Minute: 605, Contact: a.Contact, Evidence: 1})
	h := habitAt(r, plan, b.acts, Moment{d0, 606})
	if h.State != Met || h.Points != 10+20 || h.Streak.Days != 1 || len(h.Awards) != 2 || !strings.HasPrefix(awardsOf(h), "first-call/1@") || !strings.Contains(awardsOf(h), " first-goal-day/1@") {
		t.Errorf("after: %v, %d points, %+v, %s", h.State, h.Points, h.Streak, awardsOf(h))
	}
	if got := h.Line.Sentence("en"); got != "your first goal day is done, great start" {
		t.Errorf("it is answered by %q", got)
	}
}

// randomLife draws a plan and a log of some weeks: with touches that repeat people, acts after midnight, slips, an event.
func randomLife(rng *rand.Rand) (Plan, []Act, Moment) {
	n := 5 + rng.IntN(40)
	start := monday2 + Day(rng.IntN(7))
	var p Plan
	for range 1 + rng.IntN(4) {
		c := Commitment{start + Day(rng.IntN(n)), rng.IntN(6), int32(rng.IntN(3))}
		if !slices.ContainsFunc(p.Goals, func(o Commitment) bool { return o.From == c.From && o.Metric == c.Metric }) {
			p.Goals = append(p.Goals, c)
		}
	}
	p.Goals = append(p.Goals, Commitment{start - 1, MetricShare, 1})
	for range rng.IntN(4) {
		if d := start + Day(rng.IntN(n)); !slices.Contains(p.Rest, d) {
			p.Rest = append(p.Rest, d)
		}
	}
	if rng.IntN(3) == 0 {
		p.Weekly = []WeeklyRest{{start, uint8(rng.IntN(64))}}
	}
	p.Sort()
	var b habitBook
	for d := start; d < start+Day(n); d++ {
		for range rng.IntN(5) {
			minute := rng.IntN(1440)
			if rng.IntN(4) == 0 {
				minute = rng.IntN(200)
			}
			kinds := []string{"call", "text", "meet", "share", "share", "learn", "ask", "present", "order"}
			a := Act{Kind: kinds[rng.IntN(len(kinds))], Day: d, Minute: int16(minute), Evidence: uint8(rng.IntN(5)), Event: rng.IntN(4) == 0}
			a.Contact[15] = byte(1 + rng.IntN(6))
			a.Seconds, a.Pieces = int64(rng.IntN(200)), int64(rng.IntN(2))
			b.add(a)
		}
	}
	for range rng.IntN(3) {
		if len(b.acts) > 0 {
			b.add(Act{Kind: KindVoid, Day: start, About: b.acts[rng.IntN(len(b.acts))].ID})
		}
	}
	return p, b.acts, Moment{start + Day(rng.IntN(n+10)), rng.IntN(1440)}
}

// TestGoalsAreAFunctionOfTheLog: any order, any duplication, any split of the same acts gives the same, computed only where
// something arrived, and equal to the whole computation.
func TestGoalsAreAFunctionOfTheLog(t *testing.T) {
	cases := 10_000
	if testing.Short() {
		cases = 1000
	}
	r := DefaultGoalRules()
	r.Badges[slices.IndexFunc(r.Badges, func(b Badge) bool { return b.Name == "followup" })].Levels = []int32{2, 5}
	for seed := range uint64(cases) {
		rng := rand.New(rand.NewPCG(seed, 36))
		p, acts, now := randomLife(rng)
		want := habitAt(r, p, acts, now)
		mixed := slices.Clone(acts)
		for range rng.IntN(5) {
			if len(acts) > 0 {
				mixed = append(mixed, acts[rng.IntN(len(acts))])
			}
		}
		rng.Shuffle(len(mixed), func(i, j int) { mixed[i], mixed[j] = mixed[j], mixed[i] })
		l, k := NewGoalLog(r), NewKeeper(r)
		planned := rng.IntN(2) == 0
		if planned {
			k.SetPlan(p)
		}
		for len(mixed) > 0 {
			n := 1 + rng.IntN(len(mixed))
			for _, x := range l.Add(mixed[:n]...) {
				k.Put(x)
			}
			mixed = mixed[n:]
			if rng.IntN(2) == 0 { // somebody looks, also with a clock that goes back
				k.At(Moment{now.Day + Day(rng.IntN(20)-10), rng.IntN(1440)})
			}
		}
		if !planned {
			k.SetPlan(p)
		}
		if got := k.At(now); fmt.Sprint(got) != fmt.Sprint(want) {
			t.Fatalf("seed %d: by and by\n%+v\nat once\n%+v", seed, got, want)
		}
		if all := r.Count(acts); !slices.Equal(k.days, all) {
			t.Fatalf("seed %d: tallies of days\n%v\nat once\n%v", seed, k.days, all)
		}
	}
}

// TestMoreActsTakeNothingBack: an act that does not depend on others, at daytime, never shortens the best run, never takes a goal
// day or a badge that only grows.
func TestMoreActsTakeNothingBack(t *testing.T) {
	r := DefaultGoalRules()
	for seed := range uint64(3000) {
		rng := rand.New(rand.NewPCG(seed, 38))
		p, acts, now := randomLife(rng)
		acts = slices.DeleteFunc(acts, func(a Act) bool { return a.Kind == KindVoid || a.Minute < 180 })
		before := habitAt(r, p, acts, now)
		more := Act{ID: ActID{9}, Kind: []string{"share", "learn", "present"}[rng.IntN(3)], Day: now.Day - Day(rng.IntN(30)), Minute: 600, Seconds: 600}
		after := habitAt(r, p, append(slices.Clone(acts), more), now)
		if after.Best.Days < before.Best.Days || after.GoalDays < before.GoalDays || after.Points < before.Points || after.Streak.Days < before.Streak.Days {
			t.Fatalf("seed %d: %+v, best %+v, %d goal days; before %+v, %+v, %d", seed, after.Streak, after.Best, after.GoalDays, before.Streak, before.Best, before.GoalDays)
		}
		// Touches too, for badges that count them.
		touch := Act{ID: ActID{8}, Kind: "call", Touch: true, Contact: ContactID{15: byte(1 + rng.IntN(8))}, Day: now.Day - Day(rng.IntN(30)), Minute: 600}
		touch.At = int64(touch.Day)*86_400_000 + 600*60_000
		late := habitAt(r, p, append(slices.Clone(acts), touch), now)
		for _, a := range before.Awards {
			b, _ := r.Badge(a.Badge)
			for _, h := range []Habit{after, late} {
				i := slices.IndexFunc(h.Awards, func(x Award) bool { return x.Badge == a.Badge && x.Level == a.Level })
				if b.Measure <= ByDay && b.Metric != "outreach" && (i < 0 || h.Awards[i].Day > a.Day) {
					t.Fatalf("seed %d: %+v is taken back or moved on", seed, a)
				}
			}
		}
	}
}

func TestGoalRulesAreChecked(t *testing.T) {
	if err := DefaultGoalRules().Check(); err != nil {
		t.Fatal(err)
	}
	for want, edit := range map[string]func(*GoalRules){
		"1 to 16 metrics":                   func(r *GoalRules) { r.Metrics = nil },
		"metric 2: name":                    func(r *GoalRules) { r.Metrics[1].Name = "Follow Up" },
		"metric 2: the name outreach":       func(r *GoalRules) { r.Metrics[1].Name = "outreach" },
		"metric 1: label":                   func(r *GoalRules) { r.Metrics[0].Label[1].Text = "" },
		"metric 1: kinds":                   func(r *GoalRules) { r.Metrics[0].Kinds = nil },
		"metric 3: unit":                    func(r *GoalRules) { r.Metrics[2].Unit = 9 },
		"metric 3: which":                   func(r *GoalRules) { r.Metrics[2].Which = 9 },
		"metric 3: evidence":                func(r *GoalRules) { r.Metrics[2].Captured = 5 },
		"metric 3: points":                  func(r *GoalRules) { r.Metrics[2].PointsCap = -1 },
		"core counts":                       func(r *GoalRules) { r.Core = 11 },
		"skips per week":                    func(r *GoalRules) { r.SkipsPerWeek = 7 },
		"minutes of grace":                  func(r *GoalRules) { r.GraceMinutes = 361 },
		"good week":                         func(r *GoalRules) { r.GoodWeek = 0 },
		"nudge times":                       func(r *GoalRules) { r.NudgeUntil = 0 },
		"points of a goal day":              func(r *GoalRules) { r.DayPoints = 1001 },
		"badge 1: metric \"cals\"":          func(r *GoalRules) { r.Badges[0].Metric = "cals" },
		"badge 1: name":                     func(r *GoalRules) { r.Badges[0].Name = "" },
		"badge 2: the name first-call":      func(r *GoalRules) { r.Badges[1].Name = "first-call" },
		"badge 1: label":                    func(r *GoalRules) { r.Badges[0].Label = nil },
		"badge 1: measure":                  func(r *GoalRules) { r.Badges[0].Measure = 77 },
		"badge 1: levels: want 1 to 8 asce": func(r *GoalRules) { r.Badges[0].Levels = []int32{3, 3} },
		"at most 32 badges":                 func(r *GoalRules) { r.Badges = make([]Badge, 33) },
	} {
		r := DefaultGoalRules()
		edit(r)
		if err := r.Check(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want an error with %q, got %v", want, err)
		}
	}
	for _, x := range []interface {
		MarshalText() ([]byte, error)
	}{PerPiece, FollowUpsOnly, ByReturn, Unit(9), Which(9), Measure(9)} {
		b, err := x.MarshalText()
		back := reflect.New(reflect.TypeOf(x))
		err2 := back.Interface().(interface{ UnmarshalText([]byte) error }).UnmarshalText(b)
		if known := err == nil && err2 == nil && back.Elem().Interface() == any(x); known != (reflect.ValueOf(x).Uint() < 9) {
			t.Errorf("%T %v is written as %q (%v) and read as %v (%v)", x, x, b, err, back.Elem(), err2)
		}
	}
	a, b := DefaultGoalRules(), DefaultGoalRules()
	if a.Metrics[0].Points++; len(a.Badges) == 0 || a.Metrics[0].Points == b.Metrics[0].Points {
		t.Error("the defaults are shared")
	}
}

// FuzzHabit: whatever days, wishes and sums come, nothing panics and the numbers hang together.
func FuzzHabit(f *testing.F) {
	f.Add([]byte{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20}, int32(20000), 600)
	f.Add([]byte("\xff\xff\xff\xff\x7f\xff\xff\xff\x00\x00\x4e\x20"), int32(-1), -5)
	f.Fuzz(func(t *testing.T, b []byte, today int32, minute int) {
		r := DefaultGoalRules()
		k := NewKeeper(r)
		next := func() int32 {
			var x [4]byte
			n := copy(x[:], b)
			b = b[n:]
			return int32(binary.BigEndian.Uint32(x[:]))
		}
		var p Plan
		for range 4 {
			p.Goals = append(p.Goals, Commitment{Day(next()), int(next() % 20), next()})
			p.Rest = append(p.Rest, Day(next()))
			p.Weekly = append(p.Weekly, WeeklyRest{Day(next()), uint8(next())})
		}
		p.Sort()
		k.SetPlan(p)
		for len(b) > 0 {
			d := Day(next())
			k.Put(r.TallyDay(d, []Act{{Day: d, Kind: "learn", Seconds: int64(next()) << 20, Pieces: int64(next())}, {Day: d, Kind: "share", Minute: int16(next())}}))
			var x Tally
			x.Day, x.Main[next()&15] = Day(20000+next()%99), maxTally
			k.Put(x)
		}
		for range 2 {
			h := k.At(Moment{Day(today), minute})
			met := int32(0)
			for _, w := range h.Weeks {
				met += int32(w.Met)
				if w.Met > w.Asked || w.Asked > 7 || w.Points < 0 {
					t.Fatalf("week %+v", w)
				}
			}
			if h.GoalDays < met || h.Best.Days < h.Streak.Days || h.GoalDays < h.Best.Days || h.Points < 0 || h.Average > 70 || h.SkipsLeft < 0 || h.SkipsLeft > 2 {
				t.Fatalf("%+v", h)
			}
			for _, x := range h.Ring {
				if x.Left < 0 || x.Done < 0 || x.Captured > x.Done || x.Left == 0 != (x.Done >= x.Want) {
					t.Fatalf("ring %+v", x)
				}
			}
			today ^= 1 << 10
		}
	})
}

// fiveYears is a member who logs 100 acts a day for five years.
func fiveYears(r *GoalRules) (Plan, []Act, Day) {
	rng := rand.New(rand.NewPCG(5, 5))
	today := monday2 + 3
	p := Plan{Goals: []Commitment{{today - 1826, 0, 5}, {today - 1826, 1, 20}, {today - 1826, 2, 10}, {today - 1826, 3, 3}}}
	var b habitBook
	kinds := []string{"call", "text", "text", "meet", "share", "learn"}
	for d := today - 1825; d <= today; d++ {
		for range 100 {
			a := Act{Kind: kinds[rng.IntN(len(kinds))], Day: d, Minute: int16(480 + rng.IntN(720)), Seconds: 90, Evidence: 1}
			binary.BigEndian.PutUint16(a.Contact[14:], uint16(rng.IntN(5000)))
			b.add(a)
		}
	}
	return p, b.acts, today
}

// BenchmarkGoals of a member of five years with 100 acts a day: the screen from warm state, the same after an act that
// changes its day, and all of it anew from the tallies of the days.
func BenchmarkGoals(b *testing.B) {
	r := DefaultGoalRules()
	p, acts, today := fiveYears(r)
	l := NewGoalLog(r)
	all := l.Add(acts...)
	k := NewKeeper(r)
	k.SetPlan(p)
	for _, t := range all {
		k.Put(t)
	}
	now := Moment{today, 1200}
	k.At(now)
	b.Run("screen", func(b *testing.B) {
		for b.Loop() {
			k.At(now)
		}
	})
	b.Run("tap", func(b *testing.B) {
		day := slices.Clone(acts[len(acts)-100:])
		for i := int64(0); b.Loop(); i++ {
			day[99].Kind, day[99].Seconds = "learn", 60+i%60 // the sums change each time
			k.Put(r.TallyDay(today, day))
			k.At(now)
		}
	})
	b.Run("all days", func(b *testing.B) {
		for b.Loop() {
			k := NewKeeper(r)
			k.SetPlan(p)
			for _, t := range all {
				k.Put(t)
			}
			k.At(now)
		}
	})
}
