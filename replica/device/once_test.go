package device_test

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"trio/crdt"
	"trio/replica"
	"trio/replica/device"
)

// A command that comes late a second time, from a screen that did not hear of the first, overwrites nothing newer.
func TestWhatIsGivenAgainOverwritesNothing(t *testing.T) {
	ctx := t.Context()
	now := time.Date(2026, 5, 14, 12, 0, 0, 0, time.UTC)
	cfg := replica.Config{Path: filepath.Join(t.TempDir(), "r.db"), Member: crdt.MemberID{1}, Device: crdt.DeviceID{2}, Now: func() time.Time { return now }}
	r, err := replica.Open(ctx, cfg)
	if err != nil {
		t.Fatal(err)
	}
	d := &device.Device{R: r}
	call := func(key, method, args string) string {
		t.Helper()
		out, err := d.Call(ctx, key, method, args)
		if err != nil {
			t.Fatalf("%s %s: %v", method, args, err)
		}
		return out
	}
	id := call("a", "add", `{"fields":{"name":"Ana"}}`)[7:43]
	entry := call("l", "log", `{"entry":{"kind":"call","contact":"`+id+`"}}`)[7:43]
	zone := `{"zone":"%s"}`
	call("z", "moveHome", fmt.Sprintf(zone, "Europe/Madrid"))
	for _, c := range []struct{ method, first, second string }{
		{"edit", `{"id":"` + id + `","fields":{"note":"first"}}`, `{"id":"` + id + `","fields":{"note":"second"}}`},
		{"setProfile", `{"key":"name","value":"first"}`, `{"key":"name","value":"second"}`},
		{"commit", `{"dimension":"outreach","count":3}`, `{"dimension":"outreach","count":5}`},
		{"rest", `{"date":"2026-05-20","rest":true}`, `{"date":"2026-05-20","rest":false}`},
		{"moveHome", fmt.Sprintf(zone, "Europe/Paris"), fmt.Sprintf(zone, "Europe/Rome")},
		{"takeBack", `{"id":"` + entry + `"}`, ""},
	} {
		call("one", c.method, c.first) // the same key for different calls is a key of each
		if c.second != "" {
			call("two", c.method, c.second)
		}
		was := call("", "unsent", "")
		now = now.Add(time.Hour)
		if r.Close() != nil {
			t.Fatal("close")
		}
		if r, err = replica.Open(ctx, cfg); err != nil { // as after the leading tab was closed
			t.Fatal(err)
		}
		d.R = r
		call("one", c.method, c.first)
		if is := call("", "unsent", ""); is != was {
			t.Errorf("%s, given again, was written again:\n%s\nbefore\n%s", c.method, is, was)
		}
	}
	defer r.Close() //nolint:errcheck
	if got := call("", "contact", `{"id":"`+id+`"}`); !strings.Contains(got, "second") {
		t.Errorf("the newer note was overwritten: %s", got)
	}
	// What failed was not done, and may be tried again.
	if _, err := d.Call(ctx, "three", "edit", `{"id":"`+id+`","fields":{"stage":"nonsense"}}`); err == nil {
		t.Error("a stage that there is not was taken")
	}
	call("three", "edit", `{"id":"`+id+`","fields":{"note":"third"}}`)
	if got := call("", "contact", `{"id":"`+id+`"}`); !strings.Contains(got, "third") {
		t.Errorf("what had failed could not be tried again: %s", got)
	}
}
