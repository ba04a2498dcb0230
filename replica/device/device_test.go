package device_test

import (
	"encoding/json"
	"path/filepath"
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
		"contact": s["contact"], "trigger": s["trigger"], "channel": s["channel"], "content": s["content"], "p0": s["p0"], "p1": s["p1"], "outcome": "no_answer",
	})
	want(call("", "ends", `{"lang":"en",`+string(shown[1:])), `{"code":"touch","days":`, `"text":"a touch: rests for `)
	acted := call("k4", "act", string(shown))
	if again := call("k4", "act", string(shown)); again != acted {
		t.Errorf("%s, given again %s", acted, again)
	}
	declined := strings.Replace(string(shown), `"outcome":"no_answer"`, `"choice":"skipped"`, 1)
	call("k5", "decline", declined)
	call("k5", "decline", declined)
	entry := `{"entry":{"kind":"call","contact":"` + ana.ID + `","outcome":"answered","note":"ok"}}`
	logged := call("k3", "log", entry)
	if again := call("k3", "log", entry); again != logged {
		t.Errorf("%s, given again %s", logged, again)
	}
	if got := call("", "timeline", `{"id":"`+ana.ID+`"}`); strings.Count(got, `"outcome":"answered"`) != 1 {
		t.Errorf("one call is in the timeline as %s", got)
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
	want(got, `"notice":"Ben has just filled in your form: a call now`, `"step":"Call Ben to say hello"`, `"contact":"`+ben.ID+`"`, `"until":1778774400000`, `"trigger":"new_lead"`)
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
	call("k6", "moveHome", `{"zone":"Europe/Madrid"}`)
	call("k7", "commit", `{"dimension":"outreach","count":5}`)
	call("k8", "rest", `{"date":"2026-05-20","rest":true}`)
	call("k9", "setProfile", `{"key":"name","value":"Eva"}`)
	want(call("", "profile", `{"key":"name"}`), `"Eva"`)
	want(call("", "status", ""), `"zone":"Europe/Madrid"`, `"connected":true`, `"today":"2026-05-14"`)
	want(call("", "goals", ""), `[`)
	want(call("", "unsent", ""), `"document":"contacts"`)
	call("", "merges", `{"limit":3}`)
	var id struct{ ID string }
	if err := json.Unmarshal([]byte(logged), &id); err != nil {
		t.Fatal(err)
	}
	call("k10", "takeBack", `{"id":"`+id.ID+`"}`)
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
		{"", "contacts", strings.Repeat(" ", 1<<20), "at most"},
	} {
		if out, err := d.Call(ctx, bad.key, bad.method, bad.args); err == nil || !strings.Contains(err.Error(), bad.says) {
			t.Errorf("%s %.60s: %s, %v; want %q", bad.method, bad.args, out, err, bad.says)
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
		for _, m := range []string{"contacts", "top", "status", "contact", "timeline", "log", "act", "alerts"} {
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
