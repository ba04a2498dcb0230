package replica_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"trio/crdt"
	"trio/ranking"
	"trio/replica"
	"trio/replica/importer"
	"trio/replica/sql"
)

func open(t testing.TB, cfg replica.Config) *replica.Replica {
	t.Helper()
	if cfg.Path == "" {
		cfg.Path = filepath.Join(t.TempDir(), "replica.db")
	}
	if cfg.Member == (crdt.MemberID{}) {
		cfg.Member, cfg.Device = crdt.MemberID(uuid.New()), crdt.DeviceID(uuid.New())
	}
	r, err := replica.Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	return r
}

func dump(t testing.TB, r *replica.Replica) string {
	t.Helper()
	var b strings.Builder
	if err := r.Dump(context.Background(), &b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// clock is a device's clock that a test moves.
type clock struct{ t time.Time }

func (c *clock) now() time.Time { return c.t }

var noon = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)

func TestCaptureEditSearchTimeline(t *testing.T) {
	ctx := t.Context()
	c := &clock{noon}
	r := open(t, replica.Config{Now: c.now})
	ana, err := r.AddContact(ctx, replica.Fields{crdt.FieldName: "Ana Núñez", crdt.FieldPhone + "+34600000001": "mobile", crdt.FieldTag + "fair": "yes"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.AddContact(ctx, replica.Fields{crdt.FieldName: "Ben"}); err != nil {
		t.Fatal(err)
	}
	if err := r.EditContact(ctx, ana, replica.Fields{crdt.FieldCompany: "Sol", crdt.FieldEmail + "ana@example.com": ""}); err != nil {
		t.Fatal(err)
	}
	for _, q := range []string{"nunez", "NÚÑEZ sol", "600000001", "fair", "ana@ex"} {
		if got, err := r.Contacts(ctx, q, 0, 10); err != nil || len(got) != 1 || got[0].ID != ana {
			t.Errorf("search %q: got %v, %v", q, got, err)
		}
	}
	if got, _ := r.Contacts(ctx, "", 0, 10); len(got) != 2 || got[0].Name != "Ana Núñez" {
		t.Errorf("book: got %v", got)
	}
	call, err := r.Log(ctx, crdt.Entry{Kind: crdt.Call, Contact: ana, Outcome: "no_answer", Note: "asked for Tuesday"})
	if err != nil {
		t.Fatal(err)
	}
	c.t = c.t.Add(time.Minute)
	if _, err := r.Log(ctx, crdt.Entry{Kind: crdt.Text, Contact: ana}); err != nil {
		t.Fatal(err)
	}
	tl, err := r.Timeline(ctx, ana, 10)
	if err != nil || len(tl) != 2 || tl[0].Kind != crdt.Text || tl[1].ID != call || tl[1].Note != "asked for Tuesday" {
		t.Errorf("timeline: got %+v, %v", tl, err)
	}
	if err := r.EditContact(ctx, ana, replica.Fields{crdt.FieldDeleted: "yes"}); err != nil {
		t.Fatal(err)
	}
	if got, _ := r.Contacts(ctx, "nunez", 0, 10); len(got) != 0 {
		t.Errorf("deleted contact is still found: %v", got)
	}
	if err := r.EditContact(ctx, ana, replica.Fields{crdt.FieldName: "X"}); err == nil {
		t.Error("editing a deleted contact went through")
	}
	if c := (replica.Contact{}); c.Display() == "" {
		t.Error("of whom nothing is known is called nothing")
	}
	if err := r.EditContact(ctx, ana, replica.Fields{crdt.FieldDeleted: ""}); err != nil {
		t.Fatal(err)
	}
	if got, _ := r.Contacts(ctx, "nunez", 0, 10); len(got) != 1 {
		t.Errorf("a contact that was brought back is not found: %v", got)
	}
	if err := r.EditContact(ctx, ana, replica.Fields{crdt.FieldDeleted: "yes"}); err != nil {
		t.Fatal(err)
	}
	before := dump(t, r)
	if err := r.Rebuild(ctx); err != nil {
		t.Fatal(err)
	}
	if after := dump(t, r); after != before {
		t.Errorf("rebuilt rows differ:\n%s\nwas\n%s", after, before)
	}
}

func TestBadInputSaysWhatIsWrong(t *testing.T) {
	ctx := t.Context()
	r := open(t, replica.Config{Now: (&clock{noon}).now})
	ana, err := r.AddContact(ctx, replica.Fields{crdt.FieldName: "Ana"})
	if err != nil {
		t.Fatal(err)
	}
	before := dump(t, r)
	for want, f := range map[string]func() error{
		"needs a name":       func() error { _, err := r.AddContact(ctx, replica.Fields{crdt.FieldNote: "x"}); return err },
		"want + and 7 to 15": func() error { return r.EditContact(ctx, ana, replica.Fields{crdt.FieldPhone + "600": ""}) },
		"want one of":        func() error { return r.EditContact(ctx, ana, replica.Fields{crdt.FieldStage: "king"}) },
		"not one that this":  func() error { return r.EditContact(ctx, ana, replica.Fields{"shoe-size": "44"}) },
		"want YYYY-MM-DD":    func() error { return r.Snooze(ctx, ana, "tomorrow") },
		"is not in the book": func() error { return r.Snooze(ctx, crdt.NewContactID(), "2026-12-01") },
		"has no contact":     func() error { _, err := r.Log(ctx, crdt.Entry{Kind: crdt.Call}); return err },
		"time zone":          func() error { return r.SetProfile(ctx, crdt.ProfileZone, "Mars/Olympus") },
		"whole number":       func() error { return r.SetGoal(ctx, crdt.GoalShare, "2026-11-20", -3) },
		"outside the years":  func() error { _, err := r.Log(ctx, crdt.Entry{Kind: crdt.Share, At: 5}); return err },
		"shorten it to": func() error {
			return r.EditContact(ctx, ana, replica.Fields{crdt.FieldNote: strings.Repeat("x", 5000)})
		},
		"goal/<dimension>/<YY": func() error { return r.SetGoal(ctx, "Nice One", "2026-11-20", 3) },
	} {
		if err := f(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want an error with %q, got %v", want, err)
		}
	}
	if after := dump(t, r); after != before {
		t.Error("a refused command left something behind")
	}
}

func TestGoalsOfToday(t *testing.T) {
	ctx := t.Context()
	c := &clock{time.Date(2026, 11, 20, 23, 30, 0, 0, time.UTC)} // already the 21st in Madrid
	r := open(t, replica.Config{Now: c.now})
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(r.SetGoal(ctx, crdt.GoalOutreach, "2026-11-01", 3))
	must(r.SetGoal(ctx, crdt.GoalOutreach, "2026-11-21", 5))
	must(r.SetGoal(ctx, crdt.GoalOutreach, "2026-12-01", 9))
	ana, err := r.AddContact(ctx, replica.Fields{crdt.FieldName: "Ana"})
	must(err)
	log := func(e crdt.Entry) {
		t.Helper()
		c.t = c.t.Add(time.Second)
		_, err := r.Log(ctx, e)
		must(err)
	}
	log(crdt.Entry{Kind: crdt.Call, Contact: ana})
	log(crdt.Entry{Kind: crdt.Text, Contact: ana})
	log(crdt.Entry{Kind: crdt.Learn, Value: &crdt.Amount{Minutes: 15}})
	log(crdt.Entry{Kind: crdt.Share})
	got := func() map[crdt.Dimension][2]int64 {
		gs, err := r.GoalsToday(ctx)
		must(err)
		m := map[crdt.Dimension][2]int64{}
		for _, g := range gs {
			m[g.Dimension] = [2]int64{g.Want, g.Done}
		}
		return m
	}
	if g := got(); g[crdt.GoalOutreach] != [2]int64{3, 1} || g[crdt.GoalFollowUp] != [2]int64{0, 1} || g[crdt.GoalLearn][1] != 15 || g[crdt.GoalShare][1] != 1 {
		t.Errorf("goals in UTC: %v", g)
	}
	must(r.SetProfile(ctx, crdt.ProfileZone, "Europe/Madrid"))
	if r.Today().String() != "2026-11-21" {
		t.Errorf("today in Madrid is %s", r.Today())
	}
	if g := got(); g[crdt.GoalOutreach] != [2]int64{5, 1} {
		t.Errorf("goals in Madrid: %v", g)
	}
}

func TestJoannaOnTheDeviceAndAfterAReopen(t *testing.T) {
	ctx := t.Context()
	c := &clock{noon}
	path := filepath.Join(t.TempDir(), "r.db")
	r := open(t, replica.Config{Path: path, Now: c.now})
	joanna, err := r.AddContact(ctx, replica.Fields{crdt.FieldName: "Joanna Reyes", crdt.FieldStage: crdt.StageCustomer, crdt.FieldPhone + "+15550100001": "mobile"})
	if err != nil {
		t.Fatal(err)
	}
	orders := []importer.Order{{Key: "id:1", Customer: "Joanna Reyes", PersonKey: "p:x", At: noon.AddDate(0, 0, -44), Cents: 4500, Currency: "USD"}}
	n, err := r.ImportOrders(ctx, orders)
	if err != nil || n.NewOrders != 1 || n.NewContacts != 0 {
		t.Fatalf("import: %+v, %v", n, err)
	}
	top := func() []replica.Suggestion {
		t.Helper()
		s, err := r.TopThree(ctx, ranking.Members, "en")
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	refill := func() bool {
		for _, s := range top() {
			if s.Contact == joanna && s.Trigger == ranking.RefillDue {
				return true
			}
		}
		return false
	}
	if refill() {
		t.Fatalf("after 44 days: got %+v", top())
	}
	c.t = c.t.AddDate(0, 0, 1)
	if !refill() {
		t.Fatalf("after 45 days: got %+v", top())
	}
	s := top()[0]
	if !strings.Contains(s.Step, "Joanna") || s.Wording == "" || len(s.Reasons) == 0 || strings.Contains(s.Wording+s.Step, "{") {
		t.Errorf("suggestion is not ready to use: %+v", s)
	}
	r.Close()
	r = open(t, replica.Config{Path: path, Now: c.now, Member: r.Member(), Device: r.Device()})
	if !refill() {
		t.Fatal("the suggestion is gone after a reopen")
	}
	if _, err := r.Act(ctx, s, ranking.Answered); err != nil {
		t.Fatal(err)
	}
	if refill() {
		t.Fatal("still suggested after it was done")
	}
}

func TestSkippedComesBackTomorrowDismissedInTwoWeeks(t *testing.T) {
	ctx := t.Context()
	c := &clock{noon}
	r := open(t, replica.Config{Now: c.now})
	if _, err := r.AddContact(ctx, replica.Fields{crdt.FieldName: "Ana", crdt.FieldPhone + "+15550100001": ""}); err != nil {
		t.Fatal(err)
	}
	top := func() []replica.Suggestion {
		t.Helper()
		s, err := r.TopThree(ctx, ranking.Prospects, "es")
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	first := top()
	if len(first) != 1 || first[0].Trigger != ranking.NewLead {
		t.Fatalf("a new contact: got %+v", first)
	}
	if err := r.Decline(ctx, first[0], crdt.Shown); err == nil {
		t.Error("showing counted as declining")
	}
	if err := r.Decline(ctx, first[0], crdt.Skipped); err != nil {
		t.Fatal(err)
	}
	if s := top(); len(s) != 0 {
		t.Errorf("skipped, and still there: %+v", s)
	}
	c.t = c.t.AddDate(0, 0, 1)
	if s := top(); len(s) != 1 {
		t.Errorf("the day after: %+v", s)
	}
	if err := r.Decline(ctx, first[0], crdt.Dismissed); err != nil {
		t.Fatal(err)
	}
	c.t = c.t.AddDate(0, 0, 13)
	for _, s := range top() {
		if s.Trigger == ranking.NewLead {
			t.Errorf("dismissed 13 days ago: %+v", s)
		}
	}
}

func TestOpenRefusesWhatIsNotItsOwn(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "r.db")
	r := open(t, replica.Config{Path: path})
	r.Close()
	if _, err := replica.Open(t.Context(), replica.Config{Path: path, Member: crdt.MemberID(uuid.New()), Device: r.Device()}); !errors.Is(err, replica.ErrOther) {
		t.Errorf("another member: got %v", err)
	}
	if _, err := replica.Open(t.Context(), replica.Config{Path: filepath.Join(dir, "new.db")}); err == nil || !strings.Contains(err.Error(), "sign in") {
		t.Errorf("no owner: got %v", err)
	}
	text := filepath.Join(dir, "letter.txt")
	if err := os.WriteFile(text, []byte(strings.Repeat("Dear Ana, ", 500)), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := replica.Open(t.Context(), replica.Config{Path: text, Member: r.Member(), Device: r.Device()}); !errors.Is(err, replica.ErrForeign) {
		t.Errorf("a letter: got %v", err)
	}
}

func TestTheSameFileTwiceChangesNothing(t *testing.T) {
	ctx := t.Context()
	c := &clock{noon}
	r := open(t, replica.Config{Now: c.now})
	const cards = "BEGIN:VCARD\r\nVERSION:3.0\r\nUID:u-1\r\nFN:Ana Núñez\r\nTEL;TYPE=CELL:+34600000001\r\nEMAIL:ana@example.com\r\nEND:VCARD\r\n" +
		"BEGIN:VCARD\r\nVERSION:4.0\r\nFN:Ben Ode\r\nTEL;VALUE=uri:tel:+15550100002\r\nBDAY:--0229\r\nEND:VCARD\r\n"
	const orders = "Order No;Customer;E-mail;Date;Total\n17;Ana Núñez;ana@example.com;03.11.2026;\"1.049,50\"\n18;Carla Dee;carla@example.com;04.11.2026;20,00\n"
	bring := func() (replica.Imported, replica.Imported) {
		t.Helper()
		people, problems, err := importer.ReadVCards(strings.NewReader(cards), importer.Options{})
		if err != nil || len(problems) > 0 {
			t.Fatal(err, problems)
		}
		rows, problems, err := importer.ReadOrders(strings.NewReader(orders), importer.Options{Currency: "EUR"})
		if err != nil || len(problems) > 0 {
			t.Fatal(err, problems)
		}
		a, err := r.ImportPeople(ctx, people)
		if err != nil {
			t.Fatal(err)
		}
		b, err := r.ImportOrders(ctx, rows)
		if err != nil {
			t.Fatal(err)
		}
		return a, b
	}
	a, b := bring()
	if a.NewContacts != 2 || b.NewOrders != 2 || b.NewContacts != 1 {
		t.Errorf("first: %+v, %+v", a, b)
	}
	ana, err := r.Contacts(ctx, "ana", 0, 5)
	if err != nil || len(ana) != 1 {
		t.Fatal(ana, err)
	}
	tl, err := r.Timeline(ctx, ana[0].ID, 5)
	if err != nil || len(tl) != 1 || tl[0].Value.Cents != 104950 || tl[0].Value.Currency != "EUR" || tl[0].Evidence != crdt.E4 || tl[0].Day.String() != "2026-11-03" {
		t.Errorf("Ana's order: %+v, %v", tl, err)
	}
	// What the member changed since is the member's.
	if err := r.EditContact(ctx, ana[0].ID, replica.Fields{crdt.FieldName: "Ana N.", crdt.FieldPhone + "+34600000001": "-"}); err != nil {
		t.Fatal(err)
	}
	before, st := dump(t, r), status(t, r)
	c.t = c.t.Add(time.Hour)
	a, b = bring()
	if a.NewContacts != 0 || a.SameContacts != 2 || b.NewOrders != 0 || b.SameOrders != 2 || b.NewContacts != 0 {
		t.Errorf("second: %+v, %+v", a, b)
	}
	if dump(t, r) != before || status(t, r).Changes != st.Changes {
		t.Error("the same file twice wrote something")
	}
}

func status(t *testing.T, r *replica.Replica) replica.Status {
	t.Helper()
	st, err := r.Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return st
}

func TestNewerSchemaIsRefusedUntouched(t *testing.T) {
	path := filepath.Join(t.TempDir(), "r.db")
	r := open(t, replica.Config{Path: path})
	r.Close()
	db, err := sql.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.Exec(`PRAGMA user_version=99`); err != nil {
		t.Fatal(err)
	}
	db.Close()
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := replica.Open(t.Context(), replica.Config{Path: path, Member: r.Member(), Device: r.Device()}); !errors.Is(err, replica.ErrNewer) || !strings.Contains(err.Error(), "update the app") {
		t.Errorf("newer schema: got %v", err)
	}
	if after, err := os.ReadFile(path); err != nil || string(after) != string(before) {
		t.Error("the refused database was touched")
	}
}

// TestLogCutAnywhere cuts the write-ahead log where a crash may leave it. Whatever is left opens, and holds the first so
// many taps, whole: no tap by half, none out of turn.
func TestLogCutAnywhere(t *testing.T) {
	ctx := t.Context()
	dir := t.TempDir()
	path := filepath.Join(dir, "r.db")
	c := &clock{noon}
	r := open(t, replica.Config{Path: path, Now: c.now})
	member, device := r.Member(), r.Device()
	ana, err := r.AddContact(ctx, replica.Fields{crdt.FieldName: "Ana"})
	if err != nil {
		t.Fatal(err)
	}
	for range 12 {
		c.t = c.t.Add(time.Second)
		if _, err := r.Log(ctx, crdt.Entry{Kind: crdt.Call, Contact: ana}); err != nil {
			t.Fatal(err)
		}
	}
	db, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	wal, err := os.ReadFile(path + "-wal")
	if err != nil {
		t.Fatal(err)
	}
	const frame = 24 + 4096
	last := -1
	whole := 0
	var cuts []int
	step := frame * 7 / 5
	if testing.Short() {
		step *= 5
	}
	for cut := 32; cut < len(wal); cut += step {
		cuts = append(cuts, cut)
	}
	for _, cut := range append(cuts, len(wal)) {
		p := filepath.Join(dir, "cut.db")
		for _, f := range []struct {
			name string
			b    []byte
		}{{p, db}, {p + "-wal", wal[:cut]}} {
			if err := os.WriteFile(f.name, f.b, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		os.Remove(p + "-shm")
		r, err := replica.Open(ctx, replica.Config{Path: p, Member: member, Device: device, Now: c.now})
		if err != nil {
			t.Fatalf("cut at %d of %d: %v", cut, len(wal), err)
		}
		tl, err := r.Timeline(ctx, ana, 100)
		if err != nil {
			t.Fatal(err)
		}
		if len(tl) < last {
			t.Errorf("cut at %d: %d taps, a shorter log had %d", cut, len(tl), last)
		}
		last = len(tl)
		before := dump(t, r)
		if err := r.Rebuild(ctx); err != nil {
			t.Fatal(err)
		}
		if dump(t, r) != before {
			t.Errorf("cut at %d: rows and changes disagree", cut)
		}
		r.Close()
		whole++
	}
	if last != 12 || whole < 20 {
		t.Errorf("the whole log holds %d taps of 12, after %d cuts", last, whole)
	}
}

func TestStageIsOneOnScreenAndInTheLists(t *testing.T) {
	ctx := t.Context()
	c := &clock{noon}
	r := open(t, replica.Config{Now: c.now})
	ana, err := r.AddContact(ctx, replica.Fields{crdt.FieldName: "Ana", crdt.FieldPhone + "+15550100001": ""})
	if err != nil {
		t.Fatal(err)
	}
	stage := func(want string, list ranking.List) {
		t.Helper()
		got, err := r.Contact(ctx, ana)
		if err != nil || got.Stage != want {
			t.Errorf("stage %q, %v: want %q", got.Stage, err, want)
		}
		other := ranking.Members - list
		if s, err := r.TopThree(ctx, other, "en"); err != nil || len(s) > 0 {
			t.Errorf("a %s stands in list %s: %+v, %v", want, other, s, err)
		}
	}
	must := func(_ crdt.EntryID, err error) {
		t.Helper()
		c.t = c.t.Add(time.Hour)
		if err != nil {
			t.Fatal(err)
		}
	}
	stage(crdt.StageProspect, ranking.Prospects)
	must(r.Log(ctx, crdt.Entry{Kind: crdt.Call, Contact: ana, Outcome: "enrolled"}))
	stage(crdt.StageCustomer, ranking.Members)
	must(r.Log(ctx, crdt.Entry{Kind: crdt.StageChanged, Contact: ana, Stage: crdt.StageCustomer}))
	must(crdt.EntryID{}, r.EditContact(ctx, ana, replica.Fields{crdt.FieldStage: crdt.StagePromoter}))
	stage(crdt.StagePromoter, ranking.Members)
	tl, err := r.Timeline(ctx, ana, 10)
	if err != nil || len(tl) != 3 || tl[0].Stage != crdt.StagePromoter {
		t.Errorf("the history is kept: %v, %v", tl, err)
	}
	for want, e := range map[string]crdt.Entry{
		"outcome":            {Kind: crdt.Call, Contact: ana, Outcome: "banana"},
		"is not in the book": {Kind: crdt.Call, Contact: crdt.NewContactID()},
	} {
		if _, err := r.Log(ctx, e); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want an error with %q, got %v", want, err)
		}
	}
}

// Events that a company's system brings in as log entries open their moments on the device.
func TestWhoIsThereRightNowStandsInTheList(t *testing.T) {
	ctx := t.Context()
	c := &clock{noon}
	r := open(t, replica.Config{Now: c.now})
	tom, err := r.AddContact(ctx, replica.Fields{crdt.FieldName: "Tom Reed", crdt.FieldPhone + "+15550100": "mobile"})
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range []struct {
		kind crdt.Kind
		due  string
		want string // the step and its reason; "": nothing
	}{
		{crdt.Call, "", ""},
		{crdt.WebinarRegistered, noon.Add(48 * time.Hour).Format(time.DateOnly), ""},
		{crdt.SiteVisited, "", "Text Tom while the interest is fresh: was on your website today"},
		{crdt.WebinarJoined, "", "Text Tom while the webinar is on: joined the webinar today"},
		{crdt.Text, "", ""},
	} {
		c.t = c.t.Add(time.Minute)
		if _, err := r.Log(ctx, crdt.Entry{Kind: x.kind, Contact: tom, Due: x.due}); err != nil {
			t.Fatal(err)
		}
		s, err := r.TopThree(ctx, ranking.Prospects, "en")
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		if len(s) > 0 {
			got = s[0].Step + ": " + s[0].Reasons[0]
		}
		if got != x.want {
			t.Errorf("after %s: %q, want %q", x.kind, got, x.want)
		}
	}
}

func TestImportKnowsWhoIsInTheBook(t *testing.T) {
	ctx := t.Context()
	r := open(t, replica.Config{Now: (&clock{noon}).now})
	const cards = "BEGIN:VCARD\nVERSION:3.0\nFN:Ana Ruiz\nTEL:600 000 001\nEND:VCARD\n" +
		"BEGIN:VCARD\nVERSION:3.0\nFN:Leo Ruiz\nTEL:600 000 001\nEND:VCARD\n"
	bring := func(code string) replica.Imported {
		t.Helper()
		people, _, err := importer.ReadVCards(strings.NewReader(cards), importer.Options{CallingCode: code})
		if err != nil {
			t.Fatal(err)
		}
		n, err := r.ImportPeople(ctx, people)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	if n := bring(""); n.NewContacts != 2 {
		t.Errorf("without a calling code: %+v", n)
	}
	// The file again, as its own hint says: now the numbers can be read, and nobody stands twice.
	if n := bring("+34"); n.NewContacts != 0 || n.SameContacts != 2 {
		t.Errorf("with a calling code: %+v", n)
	}
	if n := bring("+34"); n.NewContacts != 0 || n.SameContacts != 2 {
		t.Errorf("once more: %+v", n)
	}
	cs, err := r.Contacts(ctx, "", 0, 10)
	if err != nil || len(cs) != 2 {
		t.Fatalf("book: %+v, %v", cs, err)
	}
	for _, c := range cs { // of one household, and still two people
		if len(c.Phones) != 1 || c.Phones[0].Value != "+34600000001" {
			t.Errorf("%s has %v", c.Name, c.Phones)
		}
	}
	orders := []importer.Order{{Key: "id:9", Customer: "Ana Ruiz", PersonKey: "p:other", At: noon, Cents: 100, Person: &importer.Person{
		Key: "p:other", Name: "Ana Ruiz", Phones: []importer.Phone{{Number: "+34600000001"}},
	}}}
	if n, err := r.ImportOrders(ctx, orders); err != nil || n.NewOrders != 1 || n.NewContacts != 0 {
		t.Errorf("her order: %+v, %v", n, err)
	}
}

func TestContactWithoutANameIsStillSomebody(t *testing.T) {
	ctx := t.Context()
	r := open(t, replica.Config{Now: (&clock{noon}).now})
	if _, err := r.AddContact(ctx, replica.Fields{crdt.FieldPhone + "+15550100001": "mobile"}); err != nil {
		t.Fatal(err)
	}
	top, err := r.TopThree(ctx, ranking.Prospects, "en")
	if err != nil || len(top) != 1 {
		t.Fatal(top, err)
	}
	if s := top[0]; s.Name != "+15550100001" || strings.Contains(s.Step+s.Wording, "  ") || strings.Contains(s.Wording, " ,") {
		t.Errorf("%+v", s)
	}
}

// TestUpdateOfTheAppProjectsAnew opens data whose rows another build made: they are made again from the changes.
func TestUpdateOfTheAppProjectsAnew(t *testing.T) {
	ctx := t.Context()
	c := &clock{noon}
	path := filepath.Join(t.TempDir(), "r.db")
	r := open(t, replica.Config{Path: path, Now: c.now})
	if err := r.SetProfile(ctx, crdt.ProfileZone, "Asia/Tokyo"); err != nil {
		t.Fatal(err)
	}
	ana, err := r.AddContact(ctx, replica.Fields{crdt.FieldName: "Ana", crdt.FieldPhone + "+15550100001": ""})
	if err != nil {
		t.Fatal(err)
	}
	ben, err := r.AddContact(ctx, replica.Fields{crdt.FieldName: "Ben", crdt.FieldMergedInto: ana.String()})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.Log(ctx, crdt.Entry{Kind: crdt.FormSubmitted, Contact: ben}); err != nil {
		t.Fatal(err)
	}
	want := dump(t, r)
	top, err := r.TopThree(ctx, ranking.Prospects, "en")
	if err != nil || len(top) != 1 {
		t.Fatal(top, err)
	}
	r.Close()
	db, err := sql.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, q := range []string{
		`UPDATE meta SET value='0' WHERE key='form'`, `UPDATE contacts SET name='old'`, `UPDATE facts SET facts=x'00'`, `DELETE FROM entries`,
	} {
		if _, err := db.Exec(q); err != nil {
			t.Fatal(err)
		}
	}
	db.Close()
	r = open(t, replica.Config{Path: path, Now: c.now, Member: r.Member(), Device: r.Device()})
	if got := dump(t, r); got != want {
		t.Errorf("rows made anew:\n%s\nwant\n%s", got, want)
	}
	again, err := r.TopThree(ctx, ranking.Prospects, "en")
	if err != nil || len(again) != 1 || again[0].Wording != top[0].Wording {
		t.Errorf("the list: %+v, %v", again, err)
	}
}
