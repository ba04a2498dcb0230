package replica_test

import (
	"path/filepath"
	"testing"
	"time"

	"trio/crdt"
	"trio/ranking"
	"trio/replica"
)

// Who lives elsewhere is let sleep by the clock there, whatever the hour is at home.
func TestQuietHoursAreThoseOfWhereTheContactLives(t *testing.T) {
	ctx := t.Context()
	now := time.Date(2026, 3, 28, 9, 30, 0, 0, time.UTC)
	r, err := replica.Open(ctx, replica.Config{
		Path: filepath.Join(t.TempDir(), "r.db"), Member: crdt.MemberID{1}, Device: crdt.DeviceID{2}, Now: func() time.Time { return now },
	})
	ok(t, err)
	defer r.Close()
	ok(t, r.SetProfile(ctx, crdt.ProfileZone, "Europe/Madrid"))
	add := func(name, zone string) crdt.ContactID {
		f := replica.Fields{crdt.FieldName: name}
		if zone != "" {
			f[crdt.FieldZone] = zone
		}
		c, err := r.AddContact(ctx, f)
		ok(t, err)
		return c
	}
	home, lima, auckland := add("Ana", ""), add("Rosa", "America/Lima"), add("Tui", "Pacific/Auckland")
	for _, c := range []struct {
		at    time.Time
		quiet string
		who   crdt.ContactID
		until time.Time // zero: not quiet
	}{
		{now, "", home, time.Time{}},
		{now, "", lima, time.Date(2026, 3, 28, 13, 0, 0, 0, time.UTC)},     // 04:30 there
		{now, "", auckland, time.Date(2026, 3, 28, 19, 0, 0, 0, time.UTC)}, // 22:30 there
		// The night in which Madrid puts its clocks forward is an hour shorter.
		{time.Date(2026, 3, 28, 22, 0, 0, 0, time.UTC), "", home, time.Date(2026, 3, 29, 6, 0, 0, 0, time.UTC)},
		{time.Date(2026, 3, 29, 5, 59, 59, 0, time.UTC), "", home, time.Date(2026, 3, 29, 6, 0, 0, 0, time.UTC)},
		{time.Date(2026, 3, 29, 6, 0, 0, 0, time.UTC), "", home, time.Time{}},
		{now, "10:00-11:00", home, time.Date(2026, 3, 28, 10, 0, 0, 0, time.UTC)},
		{now, "10:31-11:00", home, time.Time{}},
		{now, "08:00-08:00", home, time.Time{}}, // none at all
	} {
		now = c.at
		ok(t, r.SetProfile(ctx, crdt.ProfileQuiet, c.quiet))
		if got, err := r.QuietUntil(ctx, c.who); err != nil || !got.Equal(c.until) {
			t.Errorf("at %v, quiet %q: until %v, %v; want %v", c.at, c.quiet, got.UTC(), err, c.until)
		}
	}
	if err := r.EditContact(ctx, home, replica.Fields{crdt.FieldZone: "Europe/Atlantis"}); err == nil {
		t.Error("a time zone that is not there is taken")
	}
}

// A card says what would take it off the list.
func TestEndsOfASuggestion(t *testing.T) {
	ctx := t.Context()
	r, err := replica.Open(ctx, replica.Config{Path: filepath.Join(t.TempDir(), "r.db"), Member: crdt.MemberID{1}, Device: crdt.DeviceID{2}})
	ok(t, err)
	defer r.Close()
	_, err = r.AddContact(ctx, replica.Fields{crdt.FieldName: "Ana", crdt.FieldPhone + "+34600111222": ""})
	ok(t, err)
	three, err := r.TopThree(ctx, ranking.Prospects, "en")
	ok(t, err)
	if len(three) != 1 {
		t.Fatalf("%d suggestions", len(three))
	}
	if ends := r.Ends(three[0]); len(ends) < 3 || ends[0].Code != ranking.EndTouch || ends[0].Days < 3 {
		t.Errorf("ends %v", ends)
	}
	if _, err := r.Act(ctx, three[0], ranking.NoAnswer); err != nil {
		t.Fatal(err)
	}
	if ends := r.Ends(three[0]); len(ends) != 0 {
		t.Errorf("a suggestion that was followed would still be ended by %v", ends)
	}
}
