package device_test

import (
	"encoding/json"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"trio/crdt"
	"trio/replica"
	"trio/replica/device"
)

func TestCalls(t *testing.T) {
	ctx := t.Context()
	now := time.Date(2026, 5, 14, 12, 0, 0, 0, time.UTC)
	r, err := replica.Open(ctx, replica.Config{Path: filepath.Join(t.TempDir(), "r.db"), Member: crdt.MemberID{1}, Device: crdt.DeviceID{2}, Now: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close() //nolint:errcheck
	d := &device.Device{R: r, Sync: func() device.Sync { return device.Sync{Connected: true, Since: now} }}
	call := func(key, method, args string) string {
		t.Helper()
		out, err := d.Call(ctx, key, method, args)
		if err != nil {
			t.Fatalf("%s %s: %v", method, args, err)
		}
		if !json.Valid([]byte(out)) {
			t.Fatalf("%s %s: %s", method, args, out)
		}
		return out
	}
	want := func(got string, parts ...string) {
		t.Helper()
		for _, p := range parts {
			if !strings.Contains(got, p) {
				t.Errorf("%s\nlacks %s", got, p)
			}
		}
	}
	// A command that is given again, as after the leading tab was closed, is no second write.
	var ana struct{ ID string }
	first := call("k1", "add", `{"fields":{"name":"Ana \"<Peña>\"","phone/+34600000000":"mobile","tag/fair":"yes"}}`)
	if again := call("k1", "add", `{"fields":{"name":"Somebody else"}}`); again != first {
		t.Errorf("%s, given again %s", first, again)
	}
	if err := json.Unmarshal([]byte(first), &ana); err != nil {
		t.Fatal(err)
	}
	want(call("", "contacts", `{"search":"pena 600"}`), `"name":"Ana \"<Peña>\""`, `"phones":[["+34600000000","mobile"]]`, `"tags":["fair"]`)
	call("k2", "edit", `{"id":"`+ana.ID+`","fields":{"note":"met at the fair"}}`)
	want(call("", "contact", `{"id":"`+ana.ID+`"}`), `"note":"met at the fair"`, `"created":`)
	var three []map[string]any
	if err := json.Unmarshal([]byte(call("", "top", `{"list":"prospects","lang":"en"}`)), &three); err != nil || len(three) == 0 {
		t.Fatalf("%v: %v", three, err)
	}
	s := three[0]
	shown, _ := json.Marshal(map[string]any{
		"contact": s["contact"], "trigger": s["trigger"], "channel": s["channel"], "content": s["content"], "p0": s["p0"], "p1": s["p1"], "playbook": s["playbook"], "outcome": "no_answer",
	})
	want(call("", "ends", `{"lang":"en",`+string(shown[1:])), `{"code":"touch","days":`, `"text":"getting in touch: then `)
	acted := call("k4", "act", string(shown))
	if again := call("k4", "act", string(shown)); again != acted {
		t.Errorf("%s, given again %s", acted, again)
	}
	id, err := crdt.ParseContactID(ana.ID)
	if err != nil {
		t.Fatal(err)
	}
	log, err := r.Timeline(ctx, id, 10)
	if err != nil || len(log) == 0 {
		t.Fatalf("%v: %v", log, err)
	}
	for _, e := range log {
		if v := r.Playbook().Version; e.Playbook != v {
			t.Errorf("%v was suggested by playbook %d, the log says by %d", e.Kind, v, e.Playbook)
		}
	}
	declined := strings.Replace(string(shown), `"outcome":"no_answer"`, `"choice":"skipped"`, 1)
	call("k5", "decline", declined)
	call("k5", "decline", declined)
	entry := `{"entry":{"kind":"call","contact":"` + ana.ID + `","outcome":"answered","note":"ok"}}`
	logged := call("k3", "log", entry)
	want(logged, `"undated":true`) // they talked, and no day is known for the next time
	if again := call("k3", "log", entry); again != logged {
		t.Errorf("%s, given again %s", logged, again)
	}
	if got := call("", "timeline", `{"id":"`+ana.ID+`"}`); strings.Count(got, `"outcome":"answered"`) != 1 {
		t.Errorf("one call is in the timeline as %s", got)
	}
	// What becomes of it is known later, and what was promised for today stands first.
	var touch struct{ ID string }
	if err := json.Unmarshal([]byte(logged), &touch); err != nil {
		t.Fatal(err)
	}
	came := call("k20", "result", `{"id":"`+touch.ID+`","outcome":"moved"}`)
	if again := call("k20", "result", `{"id":"`+touch.ID+`","outcome":"moved"}`); again != came {
		t.Errorf("%s, given again %s", came, again)
	}
	if got := call("", "timeline", `{"id":"`+ana.ID+`"}`); strings.Count(got, `"outcome":"moved"`) != 1 {
		t.Errorf("one result is in the timeline as %s", got)
	}
	var cleo struct{ ID string }
	if err := json.Unmarshal([]byte(call("k25", "add", `{"fields":{"name":"Cleo","phone/+34600000009":""}}`)), &cleo); err != nil {
		t.Fatal(err)
	}
	kept := call("k21", "promise", `{"contact":"`+cleo.ID+`","date":"2026-05-14"}`)
	if again := call("k21", "promise", `{"contact":"`+cleo.ID+`","date":"2026-05-14"}`); again != kept {
		t.Errorf("%s, given again %s", kept, again)
	}
	want(call("", "top", `{"list":"prospects","lang":"en"}`), `[{"contact":"`+cleo.ID, `"trigger":"promised_follow"`, `"text":"you promised to get back today"`)
	// The day is asked for after a talk alone, and not where one is promised. A note of one's own is about nobody.
	for i, c := range []struct {
		entry string
		want  bool
	}{
		{`"kind":"call","contact":"` + cleo.ID + `","outcome":"no_answer"`, false},
		{`"kind":"call","contact":"` + cleo.ID + `"`, false},
		{`"kind":"meet","contact":"` + cleo.ID + `","outcome":"answered"`, true},
		{`"kind":"promise","contact":"` + cleo.ID + `","due":"2026-05-17"`, false},
		{`"kind":"meet","contact":"` + cleo.ID + `","outcome":"answered"`, false},
		{`"kind":"learn"`, false},
	} {
		if got := call("k26-"+strconv.Itoa(i), "log", `{"entry":{`+c.entry+`}}`); strings.Contains(got, `"undated":true`) != c.want {
			t.Errorf("log %s: %s, want undated %v", c.entry, got, c.want)
		}
	}
	for args, why := range map[string]string{
		`{"contact":"` + cleo.ID + `","date":"2026-05-13"}`:                      "want a day from today",
		`{"contact":"` + cleo.ID + `","date":"2028-05-13"}`:                      "want a day from today",
		`{"contact":"` + cleo.ID + `","date":"friday"}`:                          "written year-month-day",
		`{"contact":"00000000-0000-7000-8000-000000000001","date":"2026-05-15"}`: "is not in the book",
	} {
		if out, err := d.Call(ctx, "k22", "promise", args); err == nil || !strings.Contains(err.Error(), why) {
			t.Errorf("promise %s: %s, %v, want %s", args, out, err, why)
		}
	}
	var promised struct{ ID string }
	if err := json.Unmarshal([]byte(kept), &promised); err != nil {
		t.Fatal(err)
	}
	for args, why := range map[string]string{
		`{"id":"` + promised.ID + `","outcome":"moved"}`:                  `an entry of kind "promise" has no outcome`,
		`{"id":"` + touch.ID + `"}`:                                       "needs an outcome",
		`{"id":"` + touch.ID + `","outcome":"great"}`:                     "is not one of this app's",
		`{"id":"00000000-0000-7000-8000-000000000001","outcome":"moved"}`: "is not in the log",
	} {
		if out, err := d.Call(ctx, "k23", "result", args); err == nil || !strings.Contains(err.Error(), why) {
			t.Errorf("result %s: %s, %v, want %s", args, out, err, why)
		}
	}
	call("k24", "takeBack", `{"id":"`+promised.ID+`"}`)
	if got := call("", "top", `{"list":"prospects","lang":"en"}`); strings.Contains(got, "promised_follow") {
		t.Errorf("a promise that was taken back is on top: %s", got)
	}
	// What a system brings is a notice until it was shown.
	if got := call("", "alerts", `{"lang":"en"}`); got != "[]" {
		t.Errorf("alerts of nothing: %s", got)
	}
	var ben struct{ ID string }
	if err := json.Unmarshal([]byte(call("k11", "add", `{"fields":{"name":"Ben","phone/+34600000002":""}}`)), &ben); err != nil {
		t.Fatal(err)
	}
	call("k12", "log", `{"entry":{"kind":"form","contact":"`+ben.ID+`","evidence":"E3"}}`)
	got := call("", "alerts", `{"lang":"en"}`)
	want(got, `"notice":"Ben has just filled in your form: now is the best`, `"step":"Call Ben to say hello"`, `"contact":"`+ben.ID+`"`, `"until":1778774400000`, `"trigger":"new_lead"`)
	var due []struct{ Key string }
	if err := json.Unmarshal([]byte(got), &due); err != nil || len(due) != 1 {
		t.Fatalf("%s: %v", got, err)
	}
	for _, key := range []string{"notice:of:nothing", due[0].Key} {
		if got := call("", "alerts", ""); strings.Count(got, "until") != 1 {
			t.Errorf("before %s was shown: %s", key, got)
		}
		call("k13"+key, "alerted", `{"key":"`+key+`"}`)
	}
	if got := call("", "alerts", ""); got != "[]" {
		t.Errorf("it was shown: %s", got)
	}
	// Whom the member met, and what is next with one of them alone.
	want(call("", "captured", ""), `"day":"2026-05-14","contact":{`, `"name":"Ben"`, `"tags":["fair"]`)
	want(call("", "next", `{"lang":"es","id":"`+ben.ID+`"}`), `"contact":"`+ben.ID+`"`, `"step":"Llama a Ben para saludar"`, `"wording":"¡Hola, Ben!`, `"message":"¡Hola, Ben!`)
	if got := call("", "next", `{"id":"`+ana.ID+`"}`); got != "{}" {
		t.Errorf("Ana was reached a moment ago: %s", got)
	}
	// The company's face, and the first days of who has begun with a goal.
	if got := call("", "brand", ""); got != `{"version":6}` {
		t.Errorf("brand of nobody's: %s", got)
	}
	want(call("", "newcomer", `{"lang":"en"}`), `{"day":0,"last":90,"targets":[{"metric":"learn","daily":10}],"words":"Ten minutes`, `{"day":1,"learn":false,"title":"Write down why you are here"`, `"piece":"lesson-what-we-say"`)
	call("k6", "moveHome", `{"zone":"Europe/Madrid"}`)
	call("k7", "commit", `{"dimension":"outreach","count":5}`)
	want(call("", "newcomer", `{"lang":"es"}`), `{"day":1,`, `"title":"Escribe por qué estás aquí"`)
	call("k8", "rest", `{"date":"2026-05-20","rest":true}`)
	call("k9", "setProfile", `{"key":"name","value":"Eva"}`)
	want(call("", "profile", `{"key":"name"}`), `"Eva"`)
	want(call("", "member", ""), `"quiet":"21:00-08:00"`) // of who set none
	call("k26", "setProfile", `{"key":"quiet","value":"22:30-22:30"}`)
	want(call("", "member", ""), `"quiet":"22:30-22:30"`)
	want(call("", "status", ""), `"zone":"Europe/Madrid"`, `"connected":true`, `"today":"2026-05-14"`)
	want(call("", "goals", ""), `[`)
	want(call("", "unsent", ""), `"document":"contacts"`)
	call("", "merges", `{"limit":3}`)
	var entryID struct{ ID string }
	if err := json.Unmarshal([]byte(logged), &entryID); err != nil {
		t.Fatal(err)
	}
	now = now.Add(3 * 24 * time.Hour)
	want(call("", "newcomer", `{"lang":"en"}`), `{"day":4,`, `"title":"Write to one person"`, `"metric":"outreach"`)
	now = now.Add(12 * 24 * time.Hour)
	want(call("", "newcomer", `{"lang":"en"}`), `{"day":16,`, `"daily":2`, `{"day":15,`) // who missed a day finds it on the next
	if got := call("", "captured", ""); got != "[]" {
		t.Errorf("met weeks ago: %s", got)
	}
	now = now.Add(-15 * 24 * time.Hour)
	call("k10", "takeBack", `{"id":"`+entryID.ID+`"}`)
	for _, bad := range []struct{ key, method, args, says string }{
		{"", "add", `{"fields":{"name":"x"}}`, "needs a key"},
		{"", "dance", ``, `no call "dance"`},
		{"", "contacts", `{"serch":"x"}`, `"serch" is not an argument`},
		{"", "contacts", `{"search":5}`, "want a string"},
		{"", "top", `{"list":"all"}`, "want prospects or members"},
		{"", "contact", `{"id":"x"}`, "x"},
		{"k", "add", `{"fields":{}}`, "needs a name"},
		{"k", "log", `{"entry":{"kind":"call"}}`, "who was reached"},
		{"k", "log", `{}`, "want an object"},
		{"k", "act", `{"contact":"` + ana.ID + `","trigger":"x"}`, "not one of this app's"},
		{"k", "act", `{"contact":"` + ana.ID + `","trigger":"nurture","channel":"call","playbook":-1}`, "of playbook -1 is not"},
		{"", "contacts", strings.Repeat(" ", 1<<20), "at most"},
	} {
		if out, err := d.Call(ctx, bad.key, bad.method, bad.args); err == nil || !strings.Contains(err.Error(), bad.says) {
			t.Errorf("%s %.60s: %s, %v; want %q", bad.method, bad.args, out, err, bad.says)
		}
	}
}

// TestScreens asks what the screens of a phone ask, over days in which something happens.
func TestScreens(t *testing.T) {
	ctx := t.Context()
	now := time.Date(2026, 5, 14, 12, 0, 0, 0, time.UTC)
	r, err := replica.Open(ctx, replica.Config{Path: filepath.Join(t.TempDir(), "r.db"), Member: crdt.MemberID{1}, Device: crdt.DeviceID{2}, Now: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close() //nolint:errcheck
	var conn *device.Sync
	d := &device.Device{R: r}
	ask := func(key, method, args string, into any) string {
		t.Helper()
		out, err := d.Call(ctx, key, method, args)
		if err != nil {
			t.Fatalf("%s %s: %v", method, args, err)
		}
		if into != nil {
			if err := json.Unmarshal([]byte(out), into); err != nil {
				t.Fatalf("%s: %s: %v", method, out, err)
			}
		}
		return out
	}
	type contact struct {
		Name, Note, Consent string
		Phones              [][2]string
		Tags                []string
	}
	// Each keystroke is kept, and half a number does not stay beside the whole one.
	var made struct{ ID string }
	for i, typed := range []string{
		`"name":"N","phone":""`, `"name":"Nadia","phone":"+34"`, `"name":"Nadia","phone":"+346001112","tag/hot":"yes"`, `"name":"Nadia","phone":"+34 600 111 222"`,
	} {
		before := made.ID
		ask("draft", "capture", `{"fields":{`+typed+`,"note":"","consent":"given"}}`, &made)
		if i > 0 && made.ID != before {
			t.Fatalf("keystroke %d made another person", i)
		}
		var c contact
		ask("", "contact", `{"id":"`+made.ID+`"}`, &c)
		if typed := strings.Contains(c.Note, "+34"); typed != (i == 1 || i == 2) {
			t.Errorf("keystroke %d: note %q", i, c.Note)
		}
	}
	var c contact
	if ask("", "contact", `{"id":"`+made.ID+`"}`, &c); c.Name != "Nadia" || len(c.Phones) != 1 || c.Phones[0][0] != "+34600111222" || len(c.Tags) != 0 || c.Note != "" || c.Consent != "given" {
		t.Errorf("captured: %+v", c)
	}
	ask("n", "capture", `{"code":"+34","fields":{"phone":"600 333 444"}}`, &made)
	if ask("", "contact", `{"id":"`+made.ID+`"}`, &c); c.Phones[0][0] != "+34600333444" {
		t.Errorf("a number of the country: %+v", c)
	}
	if _, err := d.Call(ctx, "k", "capture", `{"fields":{"note":"x"}}`); err == nil || !strings.Contains(err.Error(), "needs a name") {
		t.Errorf("captured nobody: %v", err)
	}

	// A file; the same one again changes nothing.
	const cards = "BEGIN:VCARD\r\nVERSION:3.0\r\nFN:Zoë Last\r\nTEL:+34600000001\r\nEND:VCARD\r\nBEGIN:VCARD\r\nVERSION:3.0\r\nFN:Abel First\r\nTEL:600000002\r\nEND:VCARD\r\n"
	for i, want := range []string{`"newContacts":2,"sameContacts":0`, `"newContacts":0,"sameContacts":2`} {
		if got, err := d.Import(ctx, "people.vcf", "+34", []byte(cards)); err != nil || !strings.Contains(got, want) || !json.Valid([]byte(got)) {
			t.Errorf("import %d: %s, %v; want %s", i, got, err, want)
		}
	}
	if got, err := d.Import(ctx, "orders.csv", "", []byte("Customer,Phone,Date,Amount\nZoë Last,+34600000001,2026-04-01,64.50\n")); err != nil || !strings.Contains(got, `"newOrders":1`) {
		t.Errorf("orders: %s, %v", got, err)
	}
	for name, bad := range map[string]struct{ file, says string }{
		"photo.jpg": {"\xff\xd8\xff\xe0\x00\x10JFIF", "neither a vCard file"}, "big.vcf": {strings.Repeat("x", 17<<20), "at most 16"},
	} {
		if got, err := d.Import(ctx, name, "", []byte(bad.file)); err == nil || !strings.Contains(err.Error(), bad.says) {
			t.Errorf("import of %s: %s, %v; want %q", name, got, err, bad.says)
		}
	}

	// The book: everybody in order, a page at a time, with what happened last.
	call := ask("call", "log", `{"entry":{"kind":"call","contact":"`+made.ID+`","evidence":"E1","outcome":"answered"}}`, nil)
	var book struct {
		Total int
		Rows  []struct {
			ID, Name, Stage, Last string
			At                    int64
		}
	}
	if got := ask("", "people", `{"offset":1,"limit":2}`, &book); book.Total != 4 || len(book.Rows) != 2 || book.Rows[0].Name != "Abel First" || book.Rows[1].Name != "Nadia" {
		t.Errorf("the second page of two: %s", got)
	}
	if got := ask("", "people", `{"search":"600333"}`, &book); book.Total != 1 || book.Rows[0].Last != "call" || book.Rows[0].At != now.UnixMilli() {
		t.Errorf("one by a part of the number: %s", got)
	}
	if got := ask("", "people", `{"search":"zoe"}`, &book); book.Total != 1 || book.Rows[0].Last != "order" || book.Rows[0].Stage != "customer" {
		t.Errorf("one who ordered: %s", got)
	}
	var id struct{ ID string }
	if err := json.Unmarshal([]byte(call), &id); err != nil {
		t.Fatal(err)
	}
	ask("back", "takeBack", `{"id":"`+id.ID+`"}`, nil)
	var slip struct{ Rows []struct{ Last string } }
	if got := ask("", "people", `{"search":"600333"}`, &slip); slip.Rows[0].Last != "" {
		t.Errorf("a call that was taken back: %s", got)
	}

	// The habit, before and after a day's goal is met, and the badge that comes with it once.
	var h struct {
		Date, State, Line string
		Rings             []struct {
			Metric, Label    string
			Want, Done, Left int
		}
		Week   []struct{ Date, State string }
		Badges []struct {
			Name, Label           string
			Level, Of, Done, Want int
		}
		Streak, SkipsLeft, Average int
		Points                     int64
	}
	ask("goal", "commit", `{"dimension":"outreach","count":1}`, nil)
	if got := ask("", "habit", `{"lang":"es"}`, &h); h.Date != "2026-05-14" || h.State != "open" || h.Rings[0].Want != 1 || h.Rings[0].Left != 1 || len(h.Week) != 7 || h.Week[0].Date != "2026-05-11" {
		t.Errorf("habit of a morning: %s", got)
	}
	if es, en := ask("", "habit", `{"lang":"es"}`, nil), ask("", "habit", `{"lang":"en"}`, nil); es == en {
		t.Error("the habit is the same in both languages")
	}
	var three []struct {
		Contact, First, Phone, Trigger, Channel string
		Playbook                                int
	}
	if got := ask("", "top", `{"list":"prospects","lang":"en"}`, &three); len(three) == 0 || three[0].First == "" || three[0].Phone == "" {
		t.Fatalf("three: %s", got)
	}
	s := three[0]
	shown, _ := json.Marshal(map[string]any{"contact": s.Contact, "trigger": s.Trigger, "channel": s.Channel, "playbook": s.Playbook, "outcome": "answered"})
	ask("act", "act", string(shown), nil)
	if got := ask("", "habit", `{"lang":"en"}`, &h); h.State != "met" || h.Streak != 1 || h.Week[3].State != "met" || h.Points == 0 {
		t.Errorf("habit of a goal day: %s", got)
	}
	if won := ask("won", "celebrate", `{"lang":"en"}`, nil); !strings.Contains(won, `"first-goal-day"`) || ask("won2", "celebrate", `{"lang":"en"}`, nil) != "[]" {
		t.Errorf("celebrated: %s", won)
	}
	ask("order", "log", `{"entry":{"kind":"order","contact":"`+s.Contact+`","evidence":"E4","value":{"cents":4900,"currency":"EUR"}}}`, nil)
	if got := ask("", "timeline", `{"id":"`+s.Contact+`"}`, nil); !strings.Contains(got, `"own":true`) || !strings.Contains(got, `"own":false`) {
		t.Errorf("what the member did, and what a system brought: %s", got)
	}

	// Whose it is, and how safe.
	ask("name", "setProfile", `{"key":"name","value":"Eva"}`, nil)
	if got := ask("", "member", "", nil); !strings.Contains(got, `"name":"Eva"`) || !strings.Contains(got, `"member":"01000000`) {
		t.Errorf("member: %s", got)
	}
	d.Sync = func() device.Sync { return *conn }
	for want, st := range map[string]device.Sync{
		"connecting": {Trouble: "no network"}, "connected": {Connected: true, Level: true}, "ended": {Final: true, Trouble: "revoked"},
	} {
		conn = &st // unsent changes are never level
		if got := ask("", "sync", "", nil); !strings.Contains(got, `"state":"`+want+`"`) || !strings.Contains(got, st.Trouble) || strings.Contains(got, `"unsent":0`) {
			t.Errorf("sync is %s, want %s", got, want)
		}
	}
}

func FuzzCall(f *testing.F) {
	r, err := replica.Open(f.Context(), replica.Config{Path: filepath.Join(f.TempDir(), "r.db"), Member: crdt.MemberID{1}, Device: crdt.DeviceID{2}})
	if err != nil {
		f.Fatal(err)
	}
	d := &device.Device{R: r}
	for _, s := range []string{`{"search":"x","limit":-1,"offset":9}`, `{"list":"members"}`, `{"entry":{"kind":"call"}}`, `{"fields":{"name":""}}`, `{`, `[]`, `{"id":"01890000-0000-7000-8000-000000000001"}`} {
		for _, m := range []string{"contacts", "top", "status", "contact", "timeline", "log", "act", "people", "habit", "member", "sync", "capture", "celebrate", "alerts"} {
			f.Add(m, s)
		}
	}
	f.Fuzz(func(t *testing.T, method, args string) {
		out, err := d.Call(t.Context(), "", method, args)
		if err == nil && !json.Valid([]byte(out)) {
			t.Fatalf("%s %s: %s", method, args, out)
		}
	})
}
