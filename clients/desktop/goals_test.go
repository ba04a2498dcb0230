package desktop_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"trio/clients/desktop"
	"trio/crdt"
	"trio/replica"
)

var update = flag.Bool("update", false, "write the golden files anew")

// TestR44GoalsAreShown: six weeks of 2, 3, 3, 4, 4 and 5 goal days, then Monday morning, in both languages.
func TestR44GoalsAreShown(t *testing.T) {
	ctx := t.Context()
	now := time.Date(2026, 10, 5, 12, 0, 0, 0, time.UTC)
	r, err := replica.Open(ctx, replica.Config{
		Path: filepath.Join(t.TempDir(), "r.db"), Member: crdt.MemberID{1}, Device: crdt.DeviceID{1}, Now: func() time.Time { return now },
	})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	ok := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	ok(r.Commit(ctx, crdt.GoalLearn, 10))
	ok(r.Commit(ctx, crdt.GoalShare, 2))
	done := func(at time.Time, shares int) {
		t.Helper()
		_, err := r.Log(ctx, crdt.Entry{Kind: crdt.Learn, At: at.UnixMilli(), Value: &crdt.Amount{Minutes: 9, Seconds: 59}})
		ok(err)
		_, err = r.Log(ctx, crdt.Entry{Kind: crdt.Learn, At: at.UnixMilli(), Value: &crdt.Amount{Seconds: 1}})
		ok(err)
		for range shares {
			_, err = r.Log(ctx, crdt.Entry{Kind: crdt.Share, At: at.UnixMilli()})
			ok(err)
		}
	}
	monday := now
	for w, n := range []int{2, 3, 3, 4, 4, 5} {
		for d := range n {
			done(monday.AddDate(0, 0, 7*w+d), 2)
		}
	}
	ana, err := r.AddContact(ctx, replica.Fields{crdt.FieldName: "Ana"})
	ok(err)
	_, err = r.Log(ctx, crdt.Entry{Kind: crdt.Call, Contact: ana, At: monday.AddDate(0, 0, 41).UnixMilli()})
	ok(err)
	show := func(name string) {
		t.Helper()
		_, err := r.GiveAwards(ctx)
		ok(err)
		h, err := r.Habit(ctx)
		ok(err)
		got := desktop.RenderGoals(h, "en") + "\n" + desktop.RenderGoals(h, "es-MX")
		path := filepath.Join("testdata", name)
		if *update {
			ok(os.MkdirAll("testdata", 0o777))
			ok(os.WriteFile(path, []byte(got), 0o666))
		}
		want, err := os.ReadFile(path)
		if err != nil || string(want) != got {
			t.Errorf("%s (%v): got\n%s", path, err, got)
		}
	}
	now = monday.AddDate(0, 0, 42).Add(-11 * time.Hour) // one in the morning: Sunday is open a little longer
	show("goals_night.golden")
	now = monday.AddDate(0, 0, 42)
	done(now, 1)
	show("goals_monday.golden")
}

func TestDeviceGoals(t *testing.T) {
	s := newSite(t)
	s.ok(cmd("join", s.url, s.newDevice(s.member)))
	s.ok(cmd("goals"), "no goals yet", "STREAK  starts with your next goal day", "Mo Tu We Th Fr Sa Su")
	s.fails(cmd("goal", "dancing", "3"), 2, true, `"dancing" is not a goal`, "want one of outreach, followup, learn, share")
	s.fails(cmd("goal", "share", "many"), 2, true, `"many" is not how much`)
	s.fails(cmd("goal", "share", "-1"), 2, true, "0 to 10000")
	s.fails(cmd("done", "learn"), 2, true, "learn takes minutes")
	s.fails(cmd("done", "learn", "4:60"), 2, true, "such as 4:30")
	s.fails(cmd("done", "call"), 2, true, `"call" is not something to note`, "want one of learn, share, present, ask,")
	s.fails(cmd("done", "share", "7"), 2, true, "share takes no argument")
	s.fails(cmd("done", "outreach", "ana"), 2, true, "several ways")
	s.fails(cmd("done", "ask"), 2, true, "ask needs somebody")
	s.fails(cmd("done", "lessons", "0"), 2, true, "1 to 1000")
	s.ok(cmd("goal", "share", "1"), "shares                   ○          0 of 1", "under way")
	s.ok(cmd("goal", "learn", "5"))
	s.ok(cmd("done", "learn", "4:30"), "minutes of learning      ●●●●○      4 of 5")
	s.ok(cmd("done", "learn", "1"), "5 of 5")
	s.ok(cmd("done", "share"), "★ First goal day", "STREAK  1 goal day, on 20", "“your first goal day is done, great start”")
	if out := s.ok(cmd("goals"), "BADGES  First goal day"); len(out) == 0 || out[0] == 0xE2 {
		t.Errorf("celebrated twice: %s", out)
	}
	s.ok(cmd("profile", "language=es"))
	s.ok(cmd("goals"), "RACHA   1 día cumplido, el 20")
	// A move is from tomorrow on.
	s.ok(cmd("profile", "zone=Europe/Madrid"), "zone      Europe/Madrid\n")
	s.ok(cmd("profile", "zone=Asia/Tokyo"), "zone      Asia/Tokyo\n")
	s.fails(cmd("profile", "zone=Atlantis"), 1, false, "Atlantis")
}

// TestDeviceDoneDayStaysDone: whoever takes on more when the day is done keeps the day, the streak and the points.
func TestDeviceDoneDayStaysDone(t *testing.T) {
	s := newSite(t)
	s.ok(cmd("join", s.url, s.newDevice(s.member)))
	s.ok(cmd("add", "Ana", "López"))
	s.ok(cmd("goal", "share", "1"), "under way")
	s.ok(cmd("goal", "share", "2"), "0 of 2") // nothing is undone: from today
	s.ok(cmd("goal", "share", "1"), "0 of 1")
	day := s.ok(cmd("done", "share"), "1 of 1", "STREAK  1 goal day, on 20", "POINTS  ")
	points := find(t, `POINTS  (\d+)`, day)
	for _, more := range [][]string{cmd("goal", "ask", "1"), cmd("goal", "share", "9"), cmd("goal", "share", "0")} {
		s.ok(more, "from tomorrow, today is done", "1 of 1", "STREAK  1 goal day, on 20", "POINTS  "+points+",")
	}
	s.ok(cmd("goal", "share", "1"), "1 of 1", "POINTS  "+points+",")
	// What was to begin tomorrow is replaced, not only today's.
	s.ok(cmd("profile", "language=es"))
	s.ok(cmd("goal", "ask", "2"), "propuestas de pedido: desde mañana, hoy ya está cumplido")
	s.ok(cmd("profile", "language=en"))

	s.ok(cmd("done", "ask", "ana"), "ask with Ana López logged")
	s.ok(cmd("done", "event", "ana"), "meeting with Ana López logged")
	s.ok(cmd("done", "present"))
	s.ok(cmd("done", "lessons", "3"))
	s.ok(cmd("done", "lessons"))
	for metric, want := range map[string]string{"ask": "1 of 1", "event": "1 of 1", "present": "1 of 1", "lessons": "4 of 4"} {
		s.ok(cmd("goal", metric, want[:1]), want)
	}
	if _, log := s.timeline("ana"); len(log) != 2 || log[0].Event == "" {
		t.Errorf("the log says %+v", log)
	}
}

// TestDeviceRest: a day, and days of each week, by their names in either language.
func TestDeviceRest(t *testing.T) {
	s := newSite(t)
	s.ok(cmd("join", s.url, s.newDevice(s.member)))
	s.ok(cmd("goal", "share", "1"), "under way")
	today := time.Now().UTC().Format(time.DateOnly)
	s.ok(cmd("rest"), today+" is a rest day")
	s.ok(cmd("goals"), "TODAY  "+today+": rest day")
	s.ok(cmd("rest", "off", today), "is a day like others")
	s.ok(cmd("goals"), "under way")
	day := strings.ToLower(time.Now().UTC().Weekday().String())
	s.ok(cmd("rest", day[:2]), "rest days of each week: "+time.Now().UTC().Weekday().String())
	s.ok(cmd("goals"), "rest day")
	s.ok(cmd("rest", "none"), "no day of the week")
	s.ok(cmd("goals"), "under way")
	s.ok(cmd("rest", "domingo,sa"), "rest days of each week: Saturday, Sunday")
	s.ok(cmd("rest", "2199-01-02"), "2199-01-02 is a rest day")
	s.ok(cmd("rest", "tomorrow"), "is a rest day")
	s.ok(cmd("rest", "off", "mañana"), "is a day like others")
	for _, wrong := range [][]string{{"someday"}, {"2020-01-01"}, {"s"}, {"off"}, {"mo", "tu", "we", "th", "fr", "sa", "su"}, {"off", "mo"}} {
		s.fails(append(cmd("rest"), wrong...), 2, true, "want a date such as")
	}
}

// homeAt is a home in whose zone it is that hour now.
func homeAt(hour int) string {
	east := hour - time.Now().UTC().Hour()
	if east > 14 {
		east -= 24
	} else if east < -12 {
		east += 24
	}
	return fmt.Sprintf("zone=Etc/GMT%+d", -east) // its signs are those of old Unix
}

// TestR36DeviceNudge: at six in the evening, with a goal that is open, top or goals says what is left, once on all devices.
func TestR36DeviceNudge(t *testing.T) {
	s := newSite(t)
	s.ok(cmd("join", s.url, s.newDevice(s.member)))
	s.ok(cmd("profile", homeAt(18)))
	s.ok(cmd("goals"), "no goals yet")
	const nudge = "→ shares: 2 to go today, there is time until 21:00"
	s.ok(cmd("goal", "share", "2"), nudge)
	for _, again := range []string{"top", "goals"} {
		if out := s.ok(cmd(again)); strings.Contains(out, "→") {
			t.Errorf("%s says it again: %s", again, out)
		}
	}
	s.ok(cmd("sync"))
	s.dir = filepath.Join(t.TempDir(), "second")
	s.ok(cmd("join", s.url, s.newDevice(s.member)))
	if out := s.ok(cmd("top")); strings.Contains(out, "→") {
		t.Errorf("the other device says it again: %s", out)
	}
}
