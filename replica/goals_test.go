package replica_test

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"trio/crdt"
	"trio/ranking"
	"trio/ranking/playbook"
	"trio/replica"
)

// look returns all that a screen shows of goals, as text.
func look(t testing.TB, r *replica.Replica) string {
	t.Helper()
	h, err := r.Habit(t.Context())
	ok(t, err)
	return fmt.Sprintf("%+v %+v", h.Habit, h.Held)
}

// TestR34CommitAndSee: a commitment holds from today on and shows at once; one to nothing that is tracked is refused.
func TestR34CommitAndSee(t *testing.T) {
	ctx := t.Context()
	c := &clock{noon}
	r := open(t, replica.Config{Now: c.now})
	ok(t, r.Commit(ctx, crdt.GoalShare, 2))
	ok(t, r.Commit(ctx, "present", 1))
	if err := r.Commit(ctx, "dancing", 1); err == nil || !strings.Contains(err.Error(), "want one of outreach, followup, learn, share, present") {
		t.Errorf("%v", err)
	}
	for range 2 {
		_, err := r.Log(ctx, crdt.Entry{Kind: crdt.Share})
		ok(t, err)
	}
	h, err := r.Habit(ctx)
	ok(t, err)
	if len(h.Ring) != 5 || h.Ring[3].Left != 0 || h.Ring[4].Left != 1 || h.State != ranking.Open {
		t.Errorf("%+v %v", h.Ring, h.State)
	}
	_, err = r.Log(ctx, crdt.Entry{Kind: crdt.Present})
	ok(t, err)
	if h, err = r.Habit(ctx); err != nil || h.State != ranking.Met || h.Streak.Days != 1 || h.Line.Code != ranking.FirstDayLine {
		t.Errorf("%v %+v %v, %v", h.State, h.Streak, h.Line, err)
	}
}

// TestR34MoreFromTomorrow: a commitment never undoes a day that was done; it holds the day after, and a newer one takes its
// place.
func TestR34MoreFromTomorrow(t *testing.T) {
	ctx := t.Context()
	c := &clock{noon}
	r := open(t, replica.Config{Now: c.now})
	today := r.Today()
	commit := func(d crdt.Dimension, n int64, want ranking.Day) {
		t.Helper()
		if from, err := r.CommitFrom(ctx, d, n); err != nil || from != want {
			t.Errorf("%d of %s counts from %s, %v; want %s", n, d, from, err, want)
		}
	}
	goals := func(want string) {
		t.Helper()
		h, err := r.Habit(ctx)
		ok(t, err)
		got := h.State.Words("en")
		for _, x := range h.Ring {
			if x.Want > 0 {
				got += fmt.Sprintf(", %s %d of %d", h.Rules.Metrics[x.Metric].Name, x.Done, x.Want)
			}
		}
		if got != want {
			t.Errorf("%s: %s, want %s", h.Now.Day, got, want)
		}
	}
	commit(crdt.GoalShare, 1, today)
	commit("present", 1, today)
	commit("present", 0, today) // not met yet
	_, err := r.Log(ctx, crdt.Entry{Kind: crdt.Share})
	ok(t, err)
	goals("done, share 1 of 1")
	before := look(t, r)
	commit("present", 1, today+1)
	commit(crdt.GoalShare, 3, today+1)
	commit(crdt.GoalLearn, 5, today+1)
	commit(crdt.GoalLearn, 0, today) // withdrawn
	if after := look(t, r); after != before {
		t.Errorf("today was\n%s, is\n%s", before, after)
	}
	c.t = c.t.AddDate(0, 0, 1)
	goals("under way, share 0 of 3, present 0 of 1")
	commit(crdt.GoalShare, 2, today+1)
	goals("under way, share 0 of 2, present 0 of 1")
	if _, err := r.CommitFrom(ctx, crdt.GoalShare, -1); err == nil || !strings.Contains(err.Error(), "want a whole number") {
		t.Error(err)
	}
}

// TestR37RestDays: they cost nothing, once or each week.
func TestR37RestDays(t *testing.T) {
	ctx := t.Context()
	c := &clock{time.Date(2026, 11, 2, 12, 0, 0, 0, time.UTC)} // a Monday
	r := open(t, replica.Config{Now: c.now})
	ok(t, r.Commit(ctx, crdt.GoalShare, 1))
	ok(t, r.SetWeeklyRest(ctx, time.Saturday, time.Sunday))
	ok(t, r.SetRest(ctx, "2026-11-04", true))
	ok(t, r.SetRest(ctx, "2026-11-03", true))
	ok(t, r.SetRest(ctx, "2026-11-03", false))
	if err := r.SetRest(ctx, "tomorrow", true); err == nil || !strings.Contains(err.Error(), "want rest/<YYYY-MM-DD>") {
		t.Error(err)
	}
	if err := r.SetWeeklyRest(ctx, 0, 1, 2, 3, 4, 5, 6); err == nil || !strings.Contains(err.Error(), "at most 6 days of a week") {
		t.Error(err)
	}
	c.t = c.t.AddDate(0, 0, 7)
	h, err := r.Habit(ctx)
	ok(t, err)
	if got := fmt.Sprint(h.Weeks[0].Days); got != "[skipped skipped rest blank blank rest rest]" || h.Weeks[0].Asked != 4 {
		t.Errorf("%s, %d days asked", got, h.Weeks[0].Asked)
	}
}

// TestR37TravelBreaksNoDay: days that were met stay so when the member moves east or west, and when clocks change; what is
// logged just after midnight still makes the day before.
func TestR37TravelBreaksNoDay(t *testing.T) {
	ctx := t.Context()
	madrid, err := time.LoadLocation("Europe/Madrid")
	ok(t, err)
	// 25 October 2026 has 25 hours in Madrid.
	c := &clock{time.Date(2026, 10, 19, 23, 59, 0, 0, madrid)}
	r := open(t, replica.Config{Now: c.now})
	ok(t, r.MoveHome(ctx, "Europe/Madrid"))
	ok(t, r.Commit(ctx, crdt.GoalShare, 1))
	share := func(y int, m time.Month, d, hour, minute int, zone *time.Location) {
		t.Helper()
		_, err := r.Log(ctx, crdt.Entry{Kind: crdt.Share, At: time.Date(y, m, d, hour, minute, 0, 0, zone).UnixMilli()})
		ok(t, err)
	}
	share(2026, 10, 19, 23, 59, madrid)
	share(2026, 10, 20, 0, 1, madrid)
	for d := 21; d <= 26; d++ {
		share(2026, 10, d, 23, 30, madrid)
	}
	want := func(streak int32, since string) {
		t.Helper()
		h, err := r.Habit(ctx)
		ok(t, err)
		if h.Streak.Days != streak || h.Streak.Since.String() != since {
			t.Errorf("on %s the streak is %d since %s, want %d since %s", h.Now.Day, h.Streak.Days, h.Streak.Since, streak, since)
		}
	}
	c.t = time.Date(2026, 10, 26, 23, 40, 0, 0, madrid)
	want(8, "2026-10-19")

	// To New York, where it is still afternoon: today ends as it began, tomorrow begins there.
	ok(t, r.MoveHome(ctx, "America/New_York"))
	want(8, "2026-10-19")
	york, err := time.LoadLocation("America/New_York")
	ok(t, err)
	for d := 27; d <= 30; d++ {
		share(2026, 10, d, 22, 30, york) // the next morning in Madrid
	}
	c.t = time.Date(2026, 10, 30, 23, 0, 0, 0, york)
	want(12, "2026-10-19")
	if r.HomeZone() != "America/New_York" {
		t.Error(r.HomeZone())
	}

	// On to Tokyo, thirteen hours ahead: the day is short, and is one.
	ok(t, r.MoveHome(ctx, "Asia/Tokyo"))
	tokyo, err := time.LoadLocation("Asia/Tokyo")
	ok(t, err)
	for d := 1; d <= 3; d++ {
		share(2026, 11, d, 9, 0, tokyo)
	}
	share(2026, 10, 31, 23, 0, tokyo)
	c.t = time.Date(2026, 11, 3, 20, 0, 0, 0, tokyo)
	want(16, "2026-10-19")
	before := look(t, r)
	ok(t, r.Rebuild(ctx))
	if after := look(t, r); after != before {
		t.Errorf("rebuilt it is\n%s\nwas\n%s", after, before)
	}
	// On a trip the entries carry the zone of the place; home stays home.
	c.t = time.Date(2026, 11, 4, 12, 0, 0, 0, tokyo)
	_, err = r.Log(ctx, crdt.Entry{Kind: crdt.Share, At: c.t.UnixMilli(), Zone: -300})
	ok(t, err)
	want(17, "2026-10-19")

	// An act within the grace after midnight makes the day before, which is open until then.
	c.t = time.Date(2026, 11, 6, 2, 0, 0, 0, tokyo)
	h, err := r.Habit(ctx)
	ok(t, err)
	if h.Weeks[len(h.Weeks)-1].Days[3] != ranking.Grace || len(h.Yesterday) == 0 {
		t.Errorf("%v", h.Weeks[len(h.Weeks)-1].Days)
	}
	share(2026, 11, 6, 2, 0, tokyo)
	want(18, "2026-10-19")
}

// TestR37OfflineOnSunday: what was logged without signal on Sunday and comes on Wednesday counts for Sunday.
func TestR37OfflineOnSunday(t *testing.T) {
	ctx := t.Context()
	monday := time.Date(2026, 11, 2, 12, 0, 0, 0, time.UTC)
	c := &clock{monday}
	desk := open(t, replica.Config{Now: c.now})
	phone := open(t, replica.Config{Member: desk.Member(), Device: crdt.DeviceID{7}, Now: c.now})
	o := order{clock: c}
	ok(t, desk.Commit(ctx, crdt.GoalShare, 1))
	ok(t, o.sync(desk))
	ok(t, o.sync(phone))
	for d := range 10 {
		if c.t = monday.AddDate(0, 0, d); d == 4 || d == 5 {
			continue
		}
		if d == 6 {
			_, err := phone.Log(ctx, crdt.Entry{Kind: crdt.Share})
			ok(t, err)
			continue
		}
		_, err := desk.Log(ctx, crdt.Entry{Kind: crdt.Share})
		ok(t, err)
	}
	h, err := desk.Habit(ctx)
	ok(t, err)
	if h.Streak.Days != 3 {
		t.Errorf("before: %+v", h.Streak)
	}
	for range 2 {
		ok(t, o.sync(phone))
		ok(t, o.sync(desk))
	}
	if h, err = desk.Habit(ctx); err != nil || h.Streak.Days != 8 || h.Streak.Since.String() != "2026-11-02" {
		t.Errorf("after: %+v, %v", h.Streak, err)
	}
	if a, b := look(t, desk), look(t, phone); a != b {
		t.Errorf("desk\n%s\nphone\n%s", a, b)
	}
}

// TestR38AwardsAreGivenOnce: two devices that find the same badge at the same time write one entry; what was given stays when
// an entry that arrives late takes the proof away, and goes when the member takes back what proved it.
func TestR38AwardsAreGivenOnce(t *testing.T) {
	ctx := t.Context()
	c := &clock{noon}
	desk := open(t, replica.Config{Now: c.now})
	phone := open(t, replica.Config{Member: desk.Member(), Device: crdt.DeviceID{7}, Now: c.now})
	o := order{clock: c}
	sync := func() {
		t.Helper()
		for range 2 {
			ok(t, o.sync(desk))
			ok(t, o.sync(phone))
		}
	}
	ana, err := desk.AddContact(ctx, replica.Fields{crdt.FieldName: "Ana"})
	ok(t, err)
	ok(t, desk.Commit(ctx, crdt.GoalOutreach, 1))
	call, err := desk.Log(ctx, crdt.Entry{Kind: crdt.Call, Contact: ana})
	ok(t, err)
	sync()
	names := func(as []ranking.Award) string {
		var out []string
		for _, x := range as {
			out = append(out, fmt.Sprintf("%s:%d", x.Badge, x.Level))
		}
		return strings.Join(out, " ")
	}
	held := func(r *replica.Replica) string {
		h, err := r.Habit(ctx)
		ok(t, err)
		return names(h.Held)
	}
	x, err := desk.GiveAwards(ctx)
	ok(t, err)
	c.t = c.t.Add(time.Hour)
	y, err := phone.GiveAwards(ctx) // it has not heard of it
	ok(t, err)
	const both = "first-call:1 first-goal-day:1"
	if names(x) != both || names(y) != both {
		t.Errorf("given: %s; %s", names(x), names(y))
	}
	sync()
	for _, r := range []*replica.Replica{desk, phone} {
		if again, err := r.GiveAwards(ctx); len(again) > 0 || err != nil {
			t.Errorf("given again: %v, %v", again, err)
		}
		if n := strings.Count(dump(t, r), `"kind":"award"`); n != 2 { // of entries; registers are in hexadecimal
			t.Errorf("%d awards in the log", n)
		}
		if got := held(r); got != both {
			t.Errorf("held: %s", got)
		}
	}

	// A call to Ana on the day before arrives late: today's was no outreach. The goal day that was given stays.
	_, err = phone.Log(ctx, crdt.Entry{Kind: crdt.Call, Contact: ana, At: noon.AddDate(0, 0, -1).UnixMilli()})
	ok(t, err)
	sync()
	for _, r := range []*replica.Replica{desk, phone} {
		if h, err := r.Habit(ctx); err != nil || h.GoalDays != 0 || names(h.Held) != both {
			t.Errorf("%d goal days, held %s, %v", h.GoalDays, names(h.Held), err)
		}
	}

	// Taking back today's call takes nothing back that it does not prove: yesterday's was the first call.
	ok(t, desk.TakeBack(ctx, call))
	sync()
	if held(desk) != both || held(phone) != both {
		t.Errorf("held: %s; %s", held(desk), held(phone))
	}
	tl, err := phone.Timeline(ctx, ana, 10)
	ok(t, err)
	if len(tl) != 1 {
		t.Errorf("the timeline shows %d entries", len(tl))
	}
	if s := look(t, desk); s != look(t, phone) {
		t.Error("devices differ")
	}
	if err := desk.TakeBack(ctx, crdt.SourceEntryID(desk.Member(), "award:first-call:1")); err == nil || !strings.Contains(err.Error(), "only what was logged by hand") {
		t.Errorf("an award was taken back by hand: %v", err)
	}
	if err := desk.TakeBack(ctx, crdt.NewEntryID()); err == nil || !strings.Contains(err.Error(), "not in the log") {
		t.Error(err)
	}
	ok(t, desk.TakeBack(ctx, tl[0].ID))
	sync()
	if held(desk) != "first-goal-day:1" || held(phone) != "first-goal-day:1" {
		t.Errorf("held without any call: %s; %s", held(desk), held(phone))
	}
	// Who was called by mistake is suggested as somebody who never was.
	top, err := phone.TopThree(ctx, ranking.Prospects, "en")
	ok(t, err)
	if len(top) != 1 || top[0].Name != "Ana" || top[0].Trigger != ranking.NewLead {
		t.Errorf("suggested: %+v", top)
	}
	before := dump(t, desk)
	ok(t, desk.Rebuild(ctx))
	if dump(t, desk) != before {
		t.Error("rebuilt rows differ")
	}
}

// TestR36NudgeOnceADay: on all devices together, and only with something to do.
func TestR36NudgeOnceADay(t *testing.T) {
	ctx := t.Context()
	c := &clock{time.Date(2026, 11, 3, 18, 0, 0, 0, time.UTC)}
	r := open(t, replica.Config{Now: c.now})
	none := func(when string) {
		t.Helper()
		if n, given, err := r.Nudge(ctx); given || err != nil {
			t.Errorf("%s: %+v, %v", when, n, err)
		}
	}
	none("without a goal")
	ok(t, r.Commit(ctx, crdt.GoalOutreach, 2))
	none("nobody to call")
	_, err := r.AddContact(ctx, replica.Fields{crdt.FieldName: "Ana", crdt.FieldPhone + "+34600111222": ""})
	ok(t, err)
	n, given, err := r.Nudge(ctx)
	if !given || err != nil || n.Metric != "outreach" || n.Left != 2 {
		t.Fatalf("%+v, %v, %v", n, given, err)
	}
	ok(t, r.Nudged(ctx, n))
	none("given today")
	c.t = c.t.AddDate(0, 0, 1)
	if _, given, err := r.Nudge(ctx); !given || err != nil {
		t.Errorf("the next day: %v, %v", given, err)
	}
	if err := r.Nudged(ctx, ranking.Nudge{}); err == nil {
		t.Error("no nudge is logged")
	}

	// A playbook comes while it is shown that gives the metric another number, and the next day one that counts it no more.
	n, _, err = r.Nudge(ctx)
	ok(t, err)
	s, _ := talk(t, r)
	_, err = s.Receive(ctx, frameOf(t, published(texting(8))))
	ok(t, err)
	if m := r.Playbook().Goals.Metrics[ranking.MetricOutreach].Name; m == "outreach" {
		t.Fatalf("metric %d is %s as before", ranking.MetricOutreach, m)
	}
	if said := r.Playbook().Goals.NudgeSentence(n, "en"); !strings.HasPrefix(said, "new outreach: 2 to go") {
		t.Errorf("it says %q", said)
	}
	ok(t, r.Nudged(ctx, n))
	if all := dump(t, r); strings.Count(all, `"kind":"nudge"`) != 2 || strings.Contains(all, `"content":"followup"`) {
		t.Errorf("logged is %s", all)
	}
	gone := *r.Playbook().Goals
	gone.Metrics = gone.Metrics[:1]
	if said := gone.NudgeSentence(n, "en"); said != "" {
		t.Errorf("of a metric that is not counted it says %q", said)
	}
}

// TestGoalsOnDevices: random acts, logged on two devices in any order of time, synced in any split, some taken back: both show what
// the whole computation shows, so does a third that gets all at once, and so do they rebuilt and reopened.
func TestGoalsOnDevices(t *testing.T) {
	cases := 12
	if testing.Short() {
		cases = 2
	}
	for seed := range uint64(cases) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) { goalsOnDevices(t, seed) })
	}
}

func goalsOnDevices(t *testing.T, seed uint64) {
	ctx := t.Context()
	rng := rand.New(rand.NewPCG(seed, 34))
	zone, err := time.LoadLocation([]string{"UTC", "Europe/Madrid", "America/Los_Angeles", "Pacific/Kiritimati"}[rng.IntN(4)])
	ok(t, err)
	start := time.Date(2026, 10, 15, 0, 0, 0, 0, zone)
	c := &clock{start.AddDate(0, 0, 20).Add(time.Duration(rng.IntN(24)) * time.Hour)}
	path := filepath.Join(t.TempDir(), "a.db")
	a := open(t, replica.Config{Path: path, Now: c.now})
	b := open(t, replica.Config{Member: a.Member(), Device: crdt.DeviceID{7}, Now: c.now})
	o := order{clock: c}
	ok(t, a.MoveHome(ctx, zone.String()))
	plan := ranking.Plan{}
	rules := ranking.DefaultGoalRules()
	for _, d := range []crdt.Dimension{crdt.GoalShare, crdt.GoalOutreach, crdt.GoalLearn} {
		n, from := rng.IntN(3), start.AddDate(0, 0, rng.IntN(6))
		date := from.Format(time.DateOnly)
		ok(t, a.SetGoal(ctx, d, date, int64(n)))
		m, _ := rules.Metric(string(d))
		day, err := ranking.ParseDay(date)
		ok(t, err)
		plan.Goals = append(plan.Goals, ranking.Commitment{From: day, Metric: m, Want: int32(n)})
	}
	plan.Sort()
	var people []crdt.ContactID
	for i := range 4 {
		id, err := a.AddContact(ctx, replica.Fields{crdt.FieldName: fmt.Sprint("P", i)})
		ok(t, err)
		people = append(people, id)
	}
	ok(t, o.sync(a))
	ok(t, o.sync(b))

	var acts []ranking.Act
	kinds := []crdt.Kind{crdt.Call, crdt.Text, crdt.Share, crdt.Learn, crdt.Meet, crdt.Order}
	for range 30 + rng.IntN(60) {
		r := a
		if rng.IntN(2) == 0 {
			r = b
		}
		at := start.Add(time.Duration(rng.IntN(21*24*60)) * time.Minute)
		if rng.IntN(4) == 0 { // just after midnight
			at = start.AddDate(0, 0, rng.IntN(20)).Add(time.Duration(rng.IntN(200)) * time.Minute)
		}
		if rng.IntN(2) == 0 { // about now
			at = c.t.In(zone).Truncate(time.Minute).Add(time.Duration(rng.IntN(4*24*60)-3*24*60) * time.Minute)
		}
		e := crdt.Entry{Kind: kinds[rng.IntN(len(kinds))], At: at.UnixMilli(), Evidence: crdt.Evidence(rng.IntN(5)), Value: &crdt.Amount{Minutes: int64(rng.IntN(3)), Seconds: int64(rng.IntN(60))}}
		if e.Kind != crdt.Share && e.Kind != crdt.Learn {
			e.Contact = people[rng.IntN(len(people))]
		}
		id, err := r.Log(ctx, e)
		ok(t, err)
		acts = append(acts, ranking.Act{
			ID: ranking.ActID(id), At: e.At, Day: ranking.DayOf(e.At, zoneOf(at)), Minute: int16(at.Hour()*60 + at.Minute()), Kind: string(e.Kind),
			Contact: ranking.ContactID(e.Contact), Touch: e.Kind.IsTouch(), Evidence: uint8(e.Evidence), Seconds: e.Value.Minutes*60 + e.Value.Seconds,
		})
		switch rng.IntN(10) {
		case 0:
			ok(t, o.sync(r))
		case 1:
			if e.Kind != crdt.Order {
				ok(t, r.TakeBack(ctx, id))
				acts = append(acts, ranking.Act{ID: ranking.ActID{byte(len(acts) >> 8), byte(len(acts))}, Kind: ranking.KindVoid, About: ranking.ActID(id)})
			}
		case 2:
			_, err := r.Habit(ctx)
			ok(t, err)
		case 3, 4: // the days that are kept in memory move on
			c.t = start.AddDate(0, 0, rng.IntN(21)).Add(time.Duration(rng.IntN(24)) * time.Hour)
		}
	}
	for range 2 {
		ok(t, o.sync(a))
		ok(t, o.sync(b))
	}
	k := ranking.NewKeeper(rules)
	k.SetPlan(plan)
	for _, x := range rules.Count(acts) {
		k.Put(x)
	}
	local := c.t.In(zone)
	h := k.At(ranking.Moment{Day: ranking.DayOf(c.t.UnixMilli(), zoneOf(local)), Minute: local.Hour()*60 + local.Minute()})
	want := fmt.Sprintf("%+v", h)
	third := open(t, replica.Config{Member: a.Member(), Device: crdt.DeviceID{8}, Now: c.now})
	ok(t, o.sync(third))
	same := func(name string, r *replica.Replica) {
		t.Helper()
		h, err := r.Habit(ctx)
		ok(t, err)
		if got := fmt.Sprintf("%+v", h.Habit); got != want {
			t.Errorf("%s shows\n%s\nwant\n%s", name, got, want)
		}
	}
	same("the first", a)
	same("the second", b)
	same("the third", third)
	ok(t, b.Rebuild(ctx))
	same("the second, rebuilt,", b)
	cfg := replica.Config{Path: path, Now: c.now}
	ok(t, a.Close())
	a, err = replica.Open(ctx, cfg)
	ok(t, err)
	same("the first, reopened,", a)
	ok(t, a.Close())

	// Other rules sum anew at the next opening, and the old ones again.
	rules = ranking.DefaultGoalRules()
	rules.GraceMinutes = 0
	cfg.Playbook = playbook.Default()
	cfg.Playbook.Goals = rules
	a, err = replica.Open(ctx, cfg)
	ok(t, err)
	k = ranking.NewKeeper(rules)
	k.SetPlan(plan)
	for _, x := range rules.Count(acts) {
		k.Put(x)
	}
	if h, err := a.Habit(ctx); err != nil || fmt.Sprintf("%+v", h.Habit) != fmt.Sprintf("%+v", k.At(h.Now)) {
		t.Errorf("without grace: %+v, %v", h, err)
	}
	ok(t, a.Close())
}

func zoneOf(t time.Time) int {
	_, offset := t.Zone()
	return offset / 60
}

func TestGoalRulesThatAreWrongAreRefused(t *testing.T) {
	doc := playbook.Default()
	doc.Goals.Metrics[0].Kinds = nil
	if _, err := replica.Open(t.Context(), replica.Config{Path: filepath.Join(t.TempDir(), "r.db"), Member: crdt.MemberID{1}, Device: crdt.DeviceID{1}, Playbook: doc}); err == nil ||
		!strings.Contains(err.Error(), "metric 1: kinds") {
		t.Error(err)
	}
}

// manyDays makes a replica of a member who logs 100 acts a day, for so many days.
var habitDays = flag.Int("habitdays", 365, "days of 100 acts each in BenchmarkHabit")

func manyDays(b *testing.B, path string, days int, now time.Time) *replica.Replica {
	c := &clock{now}
	r := open(b, replica.Config{Path: path, Now: c.now})
	ids := fill(b, r, 500)
	for _, g := range []struct {
		d crdt.Dimension
		n int64
	}{{crdt.GoalOutreach, 1}, {crdt.GoalFollowUp, 10}, {crdt.GoalLearn, 10}, {crdt.GoalShare, 3}} {
		ok(b, r.SetGoal(b.Context(), g.d, now.AddDate(0, 0, -days).Format(time.DateOnly), g.n))
	}
	rng := rand.New(rand.NewPCG(5, 5))
	var es []crdt.Entry
	for d := days - 1; d >= 0; d-- {
		for i := range 100 {
			e := crdt.Entry{Kind: []crdt.Kind{crdt.Call, crdt.Text, crdt.Meet, crdt.Share, crdt.Learn}[i%5], At: now.AddDate(0, 0, -d).Add(-time.Duration(i) * time.Minute).UnixMilli()}
			if e.Kind.IsTouch() {
				e.Contact = ids[rng.IntN(len(ids))]
			} else {
				e.Value = &crdt.Amount{Minutes: 1, Seconds: 30}
			}
			es = append(es, e)
		}
	}
	slices.SortFunc(es, func(x, y crdt.Entry) int { return int(x.At - y.At) })
	_, err := r.LogAll(b.Context(), es)
	ok(b, err)
	return r
}

// BenchmarkHabit of a member with 100 acts a day (-habitdays, five years take minutes to make): the screen from warm state, a
// tap with the screen after it beside one that counts for no goal, and the goals of a start.
func BenchmarkHabit(b *testing.B) {
	now := time.Date(2026, 11, 20, 18, 0, 0, 0, time.UTC)
	path := filepath.Join(b.TempDir(), "r.db")
	r := manyDays(b, path, *habitDays, now)
	ctx := b.Context()
	habit := func() {
		if _, err := r.Habit(ctx); err != nil {
			b.Fatal(err)
		}
	}
	b.Run("screen", func(b *testing.B) {
		for b.Loop() {
			habit()
		}
	})
	for _, kind := range []crdt.Kind{"other", crdt.Share} {
		b.Run("tap="+string(kind), func(b *testing.B) {
			for b.Loop() {
				if _, err := r.Log(ctx, crdt.Entry{Kind: kind}); err != nil {
					b.Fatal(err)
				}
				if kind == crdt.Share {
					habit()
				}
			}
		})
	}
	cfg := replica.Config{Path: path, Member: r.Member(), Device: r.Device(), Now: (&clock{now}).now}
	b.Run("open", func(b *testing.B) {
		for b.Loop() {
			ok(b, r.Close())
			var err error
			r, err = replica.Open(ctx, cfg)
			ok(b, err)
			habit()
		}
	})
	ok(b, r.Close())
}
