package device_test

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"trio/crdt"
	"trio/replica"
	"trio/replica/device"
)

// TestKeptBoards: what the server said of boards is there without it, with the time of it, and what is no answer changes nothing.
func TestKeptBoards(t *testing.T) {
	ctx := t.Context()
	now := time.Date(2026, 5, 14, 12, 0, 0, 0, time.UTC)
	path := filepath.Join(t.TempDir(), "r.db")
	open := func() (*replica.Replica, *device.Device) {
		r, err := replica.Open(ctx, replica.Config{Path: path, Member: crdt.MemberID{1}, Device: crdt.DeviceID{2}, Now: func() time.Time { return now }})
		if err != nil {
			t.Fatal(err)
		}
		return r, &device.Device{R: r}
	}
	r, d := open()
	defer func() { r.Close() }() //nolint:errcheck
	is := func(method, want string) {
		t.Helper()
		if got, err := d.Call(ctx, "", method, ""); err != nil || got != want {
			t.Errorf("%s: %s, %v; want %s", method, got, err, want)
		}
	}
	keep := func(args string) error {
		_, err := d.Call(ctx, "k", "keepBoards", args)
		return err
	}
	is("boards", "{}")
	if err := keep(`{"key":"boards","tag":"a"}`); err == nil {
		t.Error("nothing is still so")
	}
	if err := keep(`{"key":"boards","tag":"a","body":{"v":1,"people":["Ana \u00d1."]}}`); err != nil {
		t.Fatal(err)
	}
	first := `{"at":1778760000000,"tag":"a","body":{"v":1,"people":["Ana \u00d1."]}}`
	is("boards", first)
	is("team", "{}")
	now = now.Add(time.Hour)
	for args, want := range map[string]string{
		`{"key":"boards","tag":"b","body":{"v":2}}`:                                                    "update the app",
		`{"key":"boards","tag":"b","body":[1]}`:                                                        "cannot be read",
		`{"key":"boards","tag":"b","body":{"v":"one"}}`:                                                "cannot be read",
		`{"key":"boards","tag":"b"}`:                                                                   "is not here",
		`{"key":"boards","body":{"v":1}}`:                                                              "a tag",
		`{"key":"epoch","tag":"b","body":{"v":1}}`:                                                     "is not kept",
		`{"key":"boards","tag":"b","body":{"v":1,"x":"` + strings.Repeat("x", replica.MaxKept) + `"}}`: "at most",
	} {
		if err := keep(args); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.60s: %v, want %s", args, err, want)
		}
	}
	is("boards", first)
	if err := keep(`{"key":"boards","tag":"a"}`); err != nil {
		t.Fatal(err)
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	r, d = open()
	is("boards", strings.Replace(first, "1778760000000", "1778763600000", 1))
	if _, err := d.Call(ctx, "p", "setProfile", `{"key":"boards","value":"maybe"}`); err == nil {
		t.Error("boards may be on or off")
	}
	if _, err := d.Call(ctx, "p2", "setProfile", `{"key":"boards","value":"off"}`); err != nil {
		t.Fatal(err)
	}
	if got, err := d.Call(ctx, "", "member", ""); err != nil || !strings.Contains(got, `"boards":"off"`) {
		t.Errorf("%s, %v", got, err)
	}
}
