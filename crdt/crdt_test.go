package crdt

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"trio/crdt/automerge"
)

var update = flag.Bool("update", false, "write the golden files anew")

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := errors.Join(os.MkdirAll("testdata", 0o777), os.WriteFile(path, []byte(got), 0o666)); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s: got\n%s\nwant\n%s", path, got, want)
	}
}

func mustID(s string) uuid.UUID { return uuid.MustParse(s) }

var (
	member  = MemberID(mustID("6d0f6b1c-6f0e-4c3e-9d57-0a1b2c3d4e5f"))
	contact = ContactID(mustID("019ab6f2-4c00-7abc-8def-0123456789ab"))
	about   = EntryID(mustID("019ab6f2-4c01-7abc-8def-0123456789ab"))
)

// full has every field, with characters that JSON encoders like to escape.
func full() Entry {
	return Entry{
		Version: 1, Kind: Result, At: 1795305600123, Zone: -300, Skew: -42, Evidence: E2, Contact: contact, About: about,
		Channel: "whatsapp", Content: "shake-video", Outcome: "a<b & c>d", Stage: StageCustomer, Due: "2026-12-31", Trigger: "reorder",
		Choice: Taken, Reason: "price \"too\" high", Playbook: 7, Value: &Amount{Cents: 4500, Currency: "EUR", Minutes: 20, Count: 1},
		Event: "expo\u2028", Source: "csv:order:491725", Note: "Zoë 🙂\n\ttold me\\",
	}
}

// Derived ids are in every device's documents: they never change.
func TestDerivedIDsGolden(t *testing.T) {
	var b strings.Builder
	fmt.Fprintln(&b, "namespace", namespace)
	for _, n := range []DocName{ProfileDoc, ContactsDoc, "log-2026-11", "log-2026-12"} {
		fmt.Fprintln(&b, "document", n, n.DocumentID(member))
	}
	for _, key := range []string{"csv:customer:12346", "", "żółć"} {
		fmt.Fprintf(&b, "contact %q %s\nentry %q %s\n", key, SourceContactID(member, key), key, SourceEntryID(member, key))
	}
	fmt.Fprintln(&b, "another member", ContactsDoc.DocumentID(MemberID{1}), SourceContactID(MemberID{1}, ""))
	fmt.Fprintln(&b, "actor", NewActor(DeviceID(member), 258))
	golden(t, "ids.golden", b.String())
}

func TestNewIDs(t *testing.T) {
	a, b := NewContactID(), NewEntryID()
	if uuid.UUID(a).Version() != 7 || uuid.UUID(b).Version() != 7 || a.String() >= b.String() || a.IsZero() || !(ContactID{}).IsZero() {
		t.Error(a, b)
	}
}

func TestActor(t *testing.T) {
	d := DeviceID(member)
	for _, w := range []uint32{0, 1, 1<<32 - 1} {
		a := NewActor(d, w)
		got, ok := ActorDevice(a)
		if want := fmt.Sprintf("%x%08x", d[:], w); !ok || got != d || a.String() != want {
			t.Errorf("actor %s of device %s %v, want %s", a, got, ok, want)
		}
	}
	if d != DeviceID(member) {
		t.Error("the device id was written to")
	}
	for _, a := range []automerge.ActorID{"", "short", automerge.ActorID(make([]byte, 16)), automerge.ActorID(make([]byte, 21))} {
		if _, ok := ActorDevice(a); ok {
			t.Errorf("actor of %d bytes has a device", len(a))
		}
	}
}

func TestParseUUID(t *testing.T) {
	s := contact.String()
	for _, bad := range []string{
		"", strings.ToUpper(s), "{" + s + "}", "urn:uuid:" + s, s[:35], s + " ", strings.ReplaceAll(s, "-", ""), s[:35] + "G",
		strings.Replace(s, "-", "0", 1), strings.Repeat("-", 36), s[:35] + "\x00",
	} {
		if id, err := ParseUUID(bad); err == nil {
			t.Errorf("%q is read as %s", bad, id)
		}
	}
	var ids struct {
		M MemberID
		D DeviceID
		C ContactID
		E EntryID
	}
	text := fmt.Sprintf(`{"M":%q,"D":%q,"C":%q,"E":%q}`, s, s, s, s)
	if err := json.Unmarshal([]byte(text), &ids); err != nil {
		t.Fatal(err)
	}
	if b, err := json.Marshal(ids); err != nil || string(b) != text {
		t.Errorf("%s, %v", b, err)
	}
	if err := json.Unmarshal([]byte(strings.ToUpper(text)), &ids); err == nil || ids.C != contact {
		t.Errorf("%v, %v", ids, err)
	}
	for _, parse := range []func(string) (fmt.Stringer, error){
		func(s string) (fmt.Stringer, error) { return ParseContactID(s) },
		func(s string) (fmt.Stringer, error) { return ParseEntryID(s) },
		func(s string) (fmt.Stringer, error) { return ParseMemberID(s) },
		func(s string) (fmt.Stringer, error) { return ParseDeviceID(s) },
	} {
		if id, err := parse(s); err != nil || id.String() != s {
			t.Error(id, err)
		}
		if _, err := parse(s[1:]); err == nil {
			t.Error("a short id is read")
		}
	}
}

func TestLogDoc(t *testing.T) {
	madrid := time.FixedZone("CET", 3600)
	for _, x := range []struct {
		at   time.Time
		want DocName
	}{
		{time.Date(2026, 11, 30, 23, 59, 59, 999e6, time.UTC), "log-2026-11"},
		{time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC), "log-2026-12"},
		{time.Date(2026, 12, 1, 0, 30, 0, 0, madrid), "log-2026-11"},
		{time.Date(2026, 12, 1, 1, 0, 0, 0, madrid), "log-2026-12"},
		{time.Date(2026, 12, 31, 20, 0, 0, 0, time.FixedZone("", -5*3600)), "log-2027-01"},
		{time.UnixMilli(MinTime), "log-1990-01"},
		{time.UnixMilli(MinTime - 1), "log-1989-12"},
		{time.UnixMilli(MaxTime), "log-2199-12"},
		{time.UnixMilli(MaxTime + 1), "log-2200-01"},
	} {
		if got := LogDoc(x.at); got != x.want || !got.IsLog() {
			t.Errorf("%v is in %s, want %s", x.at, got, x.want)
		}
	}
	// The month is that of the claim, not of the corrected time: both sides see the same bytes.
	e := Entry{At: time.Date(2026, 11, 30, 23, 59, 59, 0, time.UTC).UnixMilli(), Skew: 5000}
	if e.Doc() != "log-2026-11" || e.Time().UTC().Month() != time.December {
		t.Error(e.Doc(), e.Time())
	}
	for name, want := range map[DocName]bool{
		"profile": true, "contacts": true, "log-2026-11": true, "log-0000-01": true,
		"": false, "Profile": false, "log-2026-13": false, "log-2026-00": false, "log-2026-1": false, "log-+026-11": false, "log-2026-1١": false,
		"log-2026-111": false, "xog-2026-11": false, "playbook": false,
	} {
		if name.Valid() != want {
			t.Errorf("%q: valid %v", name, !want)
		}
	}
	// A log is what package time reads as a month and writes the same.
	for _, base := range []string{"log-2026-11", "log-0999-09", "log-9990-02"} {
		for i := range base {
			for c := range 256 {
				b := []byte(base)
				b[i] = byte(c)
				at, err := time.Parse("log-2006-01", string(b))
				if got, want := DocName(b).IsLog(), err == nil && LogDoc(at) == DocName(b); got != want {
					t.Errorf("%q: log %v", b, got)
				}
			}
		}
	}
}

func TestEntryGolden(t *testing.T) {
	least := Entry{Version: 1, Kind: Share, At: 1795305600123}
	all := full()
	text := ""
	for _, e := range []Entry{least, all} {
		s, err := e.Encode()
		if err != nil {
			t.Fatal(err)
		}
		text += s + "\n"
		back, err := ParseEntry(s)
		if err != nil {
			t.Fatal(err)
		}
		if again, err := back.Encode(); err != nil || again != s {
			t.Errorf("read and written again it is\n%s, was\n%s (%v)", again, s, err)
		}
		shown, err := e.ForCorporate()
		if err != nil {
			t.Fatal(err)
		}
		text += shown + "\n"
	}
	golden(t, "entry.golden", text)
	if all.Note == "" {
		t.Error("the caller's note is gone")
	}
}

func TestForCorporateHasNoNote(t *testing.T) {
	for _, s := range []string{
		`{"v":1,"kind":"call","at":1795305600123,"evidence":"E0","note":"SECRET"}`,
		`{"v":1,"kind":"call","at":1795305600123,"evidence":"E0","Note":"SECRET"}`,
		`{"v":1,"kind":"call","at":1795305600123,"evidence":"E0","NOTE":"SECRET","note":"SECRET"}`,
		`{"v":9,"kind":"hug","at":1795305600123,"evidence":"E0","note":"SECRET","name":"SECRET","value":{"cents":1,"memo":"SECRET"}}`,
	} {
		e, err := ParseEntry(s)
		if err != nil {
			t.Errorf("%s: %v", s, err)
			continue
		}
		if out, err := e.ForCorporate(); err != nil || strings.Contains(out, "SECRET") || strings.Contains(strings.ToLower(out), "note") {
			t.Errorf("corporate sees %s, %v", out, err)
		}
	}
}

func TestEntryCheck(t *testing.T) {
	for _, x := range []struct {
		name string
		edit func(e *Entry)
		want string
	}{
		{"fine", func(*Entry) {}, ""},
		{"version", func(e *Entry) { e.Version = 2 }, "entry version 2: this build writes 1"},
		{"no kind", func(e *Entry) { e.Kind = "" }, "entry has no kind: say what happened"},
		{"nobody", func(e *Entry) { e.Kind, e.Contact = Call, ContactID{} }, `entry of kind "call" has no contact: say who was reached`},
		{"slip of nothing", func(e *Entry) { e.Kind, e.About = Void, EntryID{} }, "correction names no entry"},
		{"slip", func(e *Entry) { e.Kind = Void }, ""},
		{"award", func(e *Entry) { e.Kind, e.Content = Award, "" }, "say which badge"},
		{"nudge", func(e *Entry) { e.Kind, e.Content = Nudge, "" }, "which goal"},
		{"seconds", func(e *Entry) { e.Value = &Amount{Seconds: 60} }, "59 seconds"},
		{"fewer seconds", func(e *Entry) { e.Value = &Amount{Seconds: -1} }, "59 seconds"},
		{"most seconds", func(e *Entry) { e.Value = &Amount{Minutes: 4, Seconds: 59} }, ""},
		{"result of nothing", func(e *Entry) { e.About = EntryID{} }, "result names no action"},
		{"result without outcome", func(e *Entry) { e.Outcome = "" }, "result names no action or no outcome"},
		{"choice", func(e *Entry) { e.Kind, e.Choice = Suggestion, "maybe" }, `has choice "maybe"`},
		{"note", func(e *Entry) { e.Note = strings.Repeat("x", MaxNoteBytes+1) }, "note of 4097 bytes: shorten it to 4096"},
		{"longest note", func(e *Entry) { e.Note = strings.Repeat("x", MaxNoteBytes) }, ""},
		{"note not UTF-8", func(e *Entry) { e.Note = "\xff" }, "not UTF-8"},
		{"due", func(e *Entry) { e.Due = "2026-02-30" }, `due date "2026-02-30": want YYYY-MM-DD`},
		{"stage", func(e *Entry) { e.Stage = "boss" }, `stage "boss": want one of`},
		{"too early", func(e *Entry) { e.At = MinTime - 1 }, "outside the years 1990 to 2199: set the clock"},
		{"earliest", func(e *Entry) { e.At, e.Skew = MinTime, 0 }, ""},
		{"latest", func(e *Entry) { e.At, e.Skew = MaxTime, 0 }, ""},
		{"too late", func(e *Entry) { e.At = MaxTime + 1 }, "outside the years"},
		{"zone", func(e *Entry) { e.Zone = 1081 }, "entry zone 1081 minutes: want -1080 to 1080"},
		{"skew", func(e *Entry) { e.Skew = 1 << 62 }, "outside the years"},
		{"evidence", func(e *Entry) { e.Evidence = 5 }, "evidence level 5: want 0 to 4"},
		{"word", func(e *Entry) { e.Channel = strings.Repeat("w", maxWordBytes+1) }, "121 bytes: at most 120"},
		{"word not UTF-8", func(e *Entry) { e.Outcome = "a\xffb" }, "not UTF-8"},
		{"currency", func(e *Entry) { e.Value.Currency = strings.Repeat("w", maxWordBytes+1) }, "121 bytes: at most 120"},
		{"chance below zero", func(e *Entry) { e.P0 = -1 }, "want 0 to 65535"},
		{"certainty", func(e *Entry) { e.P1 = 1 << 16 }, "want 0 to 65535, in 65,536ths"},
		{"chances", func(e *Entry) { e.P0, e.P1 = 1, 1<<16-1 }, ""},
		{"too long once escaped", func(e *Entry) { e.Note = strings.Repeat("\x01", MaxNoteBytes) }, "at most 8192"},
	} {
		e := full()
		x.edit(&e)
		s, err := e.Encode()
		switch {
		case x.want == "" && err != nil, x.want != "" && (err == nil || !strings.Contains(err.Error(), x.want)):
			t.Errorf("%s: error %v, want %q", x.name, err, x.want)
		case err == nil:
			if _, err := ParseEntry(s); err != nil {
				t.Errorf("%s: what was written is not read: %v", x.name, err)
			}
		}
	}
}

func TestParseEntry(t *testing.T) {
	const at = `"at":1795305600123,"evidence":"E1"`
	for _, x := range []struct{ text, want string }{
		{`{"v":1,"kind":"call",` + at + `}`, ""},
		{`{"v":1,"kind":"hug",` + at + `}`, ""}, // an unknown kind changes no fact
		{`{"v":2,"kind":"call",` + at + `,"mood":"good","nested":{"a":[1]}}`, ""},
		{`{"v":99999,` + at + `}`, ""},
		{`{"v":0,` + at + `}`, "entry version 0"},
		{`{` + at + `}`, "entry version 0"},
		{`{"v":1,"at":5,"evidence":"E1"}`, "outside the years"},
		{`{"v":1,"at":1795305600123,"skew":9223372036854775807,"evidence":"E1"}`, "outside the years"},
		{`{"v":1,"at":1e99,"evidence":"E1"}`, "not what a log holds"},
		{`{"v":1,"at":1795305600123,"evidence":"E9"}`, `evidence "E9"`},
		{`{"v":1,"at":1795305600123,"evidence":4}`, "not what a log holds"},
		{`{"v":1,` + at + `,"contact":"019AB6F2-4C00-7ABC-8DEF-0123456789AB"}`, "lower case"},
		{`{"v":1,` + at + `,"zone":-2000}`, "entry zone"},
		{`{"v":1,` + at + `,"trigger":"` + strings.Repeat("t", 121) + `"}`, "121 bytes"},
		{`{"v":1,` + at + `,"value":{"currency":"` + strings.Repeat("t", 121) + `"}}`, "121 bytes"},
		{`{"v":1,` + at + `,"p0":1,"p1":65535}`, ""},
		{`{"v":1,` + at + `,"p0":70000}`, "entry chances 70000 and 0"},
		{`{"v":1,` + at + `} x`, "not what a log holds"},
		{``, "not what a log holds"},
		{`null`, "entry version 0"},
		{`[]`, "not what a log holds"},
		{"{\"v\":1," + at + ",\"note\":\"\xff\"}", "not UTF-8"},
		{`{"v":1,` + at + `,"note":"` + strings.Repeat("n", MaxEntryBytes) + `"}`, "at most 8192"},
		{`{"v":1,` + at + `,"x":` + strings.Repeat("[", 4000) + strings.Repeat("]", 4000) + `}`, ""},
	} {
		e, err := ParseEntry(x.text)
		if x.want == "" && err != nil || x.want != "" && (err == nil || !strings.Contains(err.Error(), x.want)) {
			t.Errorf("%.120s: %+v, error %v, want %q", x.text, e, err, x.want)
		}
	}
}

func TestIsTouch(t *testing.T) {
	for k, want := range map[Kind]bool{Call: true, Text: true, Email: true, Meet: true, Ask: true, Share: false, Order: false, "": false} {
		if k.IsTouch() != want {
			t.Errorf("%s: %v", k, !want)
		}
	}
}

func str(s string) *automerge.Value { return &automerge.Value{Kind: automerge.KindString, Str: s} }

func TestContactField(t *testing.T) {
	yes, no, at := &automerge.Value{Kind: automerge.KindTrue}, &automerge.Value{Kind: automerge.KindFalse}, &automerge.Value{Kind: automerge.KindTimestamp, Num: 1}
	for _, x := range []struct {
		field string
		v     *automerge.Value
		want  string
	}{
		{FieldName, str("Zoë"), ""},
		{FieldName, nil, ""},
		{FieldName, yes, "contact field name: want text"},
		{FieldName, str(strings.Repeat("n", MaxFieldBytes)), ""},
		{FieldName, str(strings.Repeat("n", MaxFieldBytes+1)), "contact field name of 4097 bytes: shorten it to 4096"},
		{FieldName + "/x", str("n"), "not one that this version writes"},
		{FieldStage, str(StagePromoter), ""},
		{FieldStage, str("boss"), `contact field stage is "boss": want one of`},
		{FieldStage, at, "want text"},
		{FieldPhone + "+34600123456", str("mobile"), ""},
		{FieldPhone + "+34600123456", nil, ""},
		{FieldPhone + "+34600123456", at, "want text"},
		{FieldPhone + "600123456", str("mobile"), "want + and 7 to 15 digits"},
		{FieldPhone + "+34 600", str("mobile"), "want + and 7 to 15 digits"},
		{FieldPhone, str("mobile"), "part after the slash has 0 bytes"},
		{"phone", str("mobile"), "not one that this version writes"},
		{FieldEmail + "a@b.example", str("home"), ""},
		{FieldEmail + "A@b.example", str("home"), "want lower case with an @"},
		{FieldEmail + "b.example", str("home"), "want lower case with an @"},
		{FieldEmail + strings.Repeat("a", 255), str("home"), "255 bytes, want 1 to 254"},
		{FieldTag + "vip", yes, ""},
		{FieldTag + "vip", nil, ""},
		{FieldTag + "a/b", yes, ""},
		{FieldTag + "vip", no, "want true"},
		{FieldTag + "\xff", yes, "not UTF-8"},
		{FieldBirthday, str("1980-02-29"), ""},
		{FieldBirthday, str("--02-29"), ""},
		{FieldBirthday, str("--02-30"), "want YYYY-MM-DD"},
		{FieldBirthday, str("1981-02-29"), "want YYYY-MM-DD"},
		{FieldSnooze, str("2026-12-01"), ""},
		{FieldSnooze, str("--12-01"), "want YYYY-MM-DD"},
		{FieldSnooze, at, "want text"},
		{FieldConsent, str(ConsentOut), ""},
		{FieldConsent, str("maybe"), "want one of"},
		{FieldMergedInto, str(contact.String()), ""},
		{FieldMergedInto, str("somebody"), "is not an id"},
		{FieldHousehold, str(strings.ToUpper(contact.String())), "lower case"},
		{FieldHousehold, nil, ""},
		{FieldCompany, str("ACME"), ""},
		{FieldNote, str("n"), ""},
		{FieldNote, str("\xff"), `contact field "note": not UTF-8`},
		{FieldSource, str("csv:1"), ""},
		{FieldCreated, at, ""},
		{FieldCreated, str("today"), "want a time"},
		{FieldDeleted, yes, ""},
		{FieldDeleted, no, ""},
		{FieldDeleted, str("yes"), "want true or false"},
		{"shoe-size", str("43"), "not one that this version writes"},
		{"", str("43"), "not one that this version writes"},
	} {
		err := CheckContactField(x.field, x.v)
		if x.want == "" && err != nil || x.want != "" && (err == nil || !strings.Contains(err.Error(), x.want)) {
			t.Errorf("%s %v: error %v, want %q", x.field, x.v, err, x.want)
		}
	}
}

func TestContactKey(t *testing.T) {
	for _, field := range []string{FieldName, FieldPhone + "+34600123456", FieldTag + "a/b"} {
		c, f, err := SplitContactKey(ContactKey(contact, field))
		if err != nil || c != contact || f != field {
			t.Errorf("%s: %s %s %v", field, c, f, err)
		}
	}
	for _, key := range []string{"", "name", contact.String(), contact.String() + "/", strings.ToUpper(contact.String()) + "/name", contact.String() + "-name"} {
		if c, f, err := SplitContactKey(key); err == nil {
			t.Errorf("%q is read as %s %s", key, c, f)
		}
	}
}

func TestIsE164(t *testing.T) {
	for s, want := range map[string]bool{
		"+3460012": true, "+346001234567890": true, "+346001": false, "+3460012345678901": false, "+0460012": false, "3460012345": false,
		"+34600a2": false, "": false, "+٣٤٦٠٠١٢٣٤": false,
	} {
		if IsE164(s) != want {
			t.Errorf("%q: %v", s, !want)
		}
	}
}

func TestProfileField(t *testing.T) {
	num := func(n int64) *automerge.Value { return &automerge.Value{Kind: automerge.KindInt, Num: n} }
	yes := &automerge.Value{Kind: automerge.KindTrue}
	for _, x := range []struct {
		key  string
		v    *automerge.Value
		want string
	}{
		{ProfileName, str("Zoë"), ""},
		{ProfileName, nil, ""},
		{ProfileName, num(1), "want text"},
		{ProfileName, str("\xff"), "not UTF-8"},
		{ProfileLanguage, str("es-MX"), ""},
		{ProfileLanguage, str(strings.Repeat("x", maxWordBytes+1)), "at most 120 bytes"},
		{ProfileZone, str("Europe/Madrid"), ""},
		{ProfileZone, str("Local"), "is not known"},
		{ProfileZone, str(""), "is not known"},
		{ProfileZone, str("../etc/passwd"), "is not known"},
		{ProfileQuiet, str("21:00-08:00"), ""},
		{ProfileQuiet, str("24:00-08:00"), "want HH:MM-HH:MM"},
		{ProfileQuiet, str("21:00-08:00\n"), "want HH:MM-HH:MM"},
		{GoalKey(GoalOutreach, "2026-11-01"), num(5), ""},
		{GoalKey(GoalOutreach, "2026-11-01"), num(0), ""},
		{GoalKey(GoalOutreach, "2026-11-01"), nil, ""},
		{GoalKey(GoalOutreach, "2026-11-01"), num(MaxGoal + 1), "whole number from 0 to 10000"},
		{GoalKey(GoalOutreach, "2026-11-01"), num(-1), "whole number"},
		{GoalKey(GoalOutreach, "2026-11-01"), str("5"), "whole number"},
		{GoalKey("Bad", "2026-11-01"), num(5), "want goal/<dimension>/<YYYY-MM-DD>"},
		{GoalKey("", "2026-11-01"), num(5), "want goal/"},
		{GoalKey(GoalLearn, "2026-11-31"), num(5), "want goal/"},
		{"goal/learn", num(5), "want goal/"},
		{"rest/2026-11-01", yes, ""},
		{"rest/2026-11-01", nil, ""},
		{"rest/2026-11-01", num(1), "want rest/<YYYY-MM-DD> and true"},
		{"rest/someday", yes, "want rest/"},
		{WeeklyRestKey("2026-11-02"), num(1 << 6), ""},
		{WeeklyRestKey("2026-11-02"), num(0), ""},
		{WeeklyRestKey("2026-11-02"), num(127), "at most 6 days of a week"},
		{WeeklyRestKey("2026-11-02"), num(1 << 32), "at most 6 days of a week"},
		{WeeklyRestKey("2026-11-02"), str("sunday"), "1 Monday"},
		{"weekly/sunday", num(1), "want weekly/"},
		{ZoneKey("2026-11-02"), str("Asia/Tokyo"), ""},
		{ZoneKey("2026-11-02"), str("Local"), "is not known"},
		{ZoneKey("2026-11-31"), str("Asia/Tokyo"), "want zone/<YYYY-MM-DD>"},
		{"zone/", str("Asia/Tokyo"), "want zone/<YYYY-MM-DD>"},
		{"theme", str("dark"), "not one that this version writes"},
	} {
		err := CheckProfileField(x.key, x.v)
		if x.want == "" && err != nil || x.want != "" && (err == nil || !strings.Contains(err.Error(), x.want)) {
			t.Errorf("%s %v: error %v, want %q", x.key, x.v, err, x.want)
		}
	}
	if d, date, ok := SplitGoalKey(GoalKey(GoalShare, "2026-11-01")); !ok || d != GoalShare || date != "2026-11-01" {
		t.Error(d, date, ok)
	}
	for key, want := range map[string]string{ProfileZone: "", ZoneKey("2026-11-02"): "2026-11-02", "zones": "no", "zone/x": "no", RestKey("2026-11-02"): "no"} {
		if date, ok := SplitZoneKey(key); ok != (want != "no") || ok && date != want {
			t.Errorf("%s: zone from %q, %v", key, date, ok)
		}
	}
	if date, ok := SplitRestKey(RestKey("2026-11-02")); !ok || date != "2026-11-02" {
		t.Error(date, ok)
	}
	if date, ok := SplitWeeklyRestKey(WeeklyRestKey("2026-11-02")); !ok || date != "2026-11-02" {
		t.Error(date, ok)
	}
	if _, _, ok := SplitGoalKey("goals/share/2026-11-01"); ok {
		t.Error("no goal is read as one")
	}
}

func FuzzParseEntry(f *testing.F) {
	for _, e := range []Entry{{Version: 1, Kind: Share, At: 1795305600123}, full()} {
		s, err := e.Encode()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(s)
	}
	f.Add(`{"v":2,"kind":"x","at":1795305600123,"evidence":"E4","NOTE":"n","new":[{}]}`)
	f.Fuzz(func(t *testing.T, s string) {
		e, err := ParseEntry(s)
		if err != nil {
			return
		}
		if !e.Doc().Valid() {
			t.Fatalf("%q is of document %q", s, e.Doc())
		}
		if y := e.Time().UTC().Year(); y < 1989 || y > 2200 {
			t.Fatalf("%q is of the year %d", s, y)
		}
		out, err := e.ForCorporate()
		if err != nil {
			return // escaped it may be too long
		}
		shown, err := ParseEntry(out)
		if err != nil || shown.Note != "" {
			t.Fatalf("%q is shown as %s: %v", s, out, err)
		}
		if again, err := shown.ForCorporate(); err != nil || again != out {
			t.Fatalf("%s, then %s: %v", out, again, err)
		}
	})
}

func FuzzContactKey(f *testing.F) {
	f.Add(ContactKey(contact, FieldName), "text", uint8(6))
	f.Add(ContactKey(contact, FieldPhone+"+34600123456"), "mobile", uint8(6))
	f.Add(ContactKey(contact, FieldBirthday), "--02-29", uint8(6))
	f.Add("goal/outreach/2026-11-01", "", uint8(4))
	f.Fuzz(func(t *testing.T, key, text string, kind uint8) {
		v := &automerge.Value{Kind: automerge.Kind(kind % 10), Str: text}
		_ = CheckProfileField(key, v)
		_, _ = DocName(key).Valid(), DocName(key).IsLog()
		if d, date, ok := SplitGoalKey(key); ok && GoalKey(d, date) != key {
			t.Fatalf("%q is goal %s of %s", key, d, date)
		}
		c, field, err := SplitContactKey(key)
		if err != nil {
			return
		}
		if ContactKey(c, field) != key {
			t.Fatalf("%q is %s of %s", key, field, c)
		}
		if CheckContactField(field, v) != nil {
			return
		}
		// What may be written can be sealed.
		if v.Kind != automerge.KindString {
			v.Str = ""
		}
		change := &automerge.Change{Actor: "a", Seq: 1, StartOp: 1, Ops: []automerge.Op{{Key: key, Action: automerge.Put, Value: *v}}}
		if err := change.Seal(); err != nil {
			t.Fatal(err)
		}
	})
}
