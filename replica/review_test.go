package replica_test

import (
	"path/filepath"
	"testing"
	"time"

	"trio/crdt"
	"trio/ranking"
	"trio/replica"
)

// A talk had better end with a day for the next one, unless a day is known already, or what comes next is told by something else.
func TestUndated(t *testing.T) {
	ctx := t.Context()
	now := time.Date(2026, 5, 14, 12, 0, 0, 0, time.UTC)
	r := open(t, replica.Config{Path: filepath.Join(t.TempDir(), "r.db"), Member: crdt.MemberID{1}, Device: crdt.DeviceID{2}, Now: func() time.Time { return now }})
	defer r.Close() //nolint:errcheck
	add := func() crdt.ContactID {
		c, err := r.AddContact(ctx, replica.Fields{crdt.FieldName: "Ana"})
		ok(t, err)
		return c
	}
	day := func(n int) string { return now.AddDate(0, 0, n).Format(time.DateOnly) }
	log := func(e crdt.Entry) func(crdt.ContactID) {
		return func(c crdt.ContactID) {
			e.Contact = c
			_, err := r.Log(ctx, e)
			ok(t, err)
		}
	}
	edit := func(field, text string) func(crdt.ContactID) {
		return func(c crdt.ContactID) { ok(t, r.EditContact(ctx, c, replica.Fields{field: text})) }
	}
	asked := log(crdt.Entry{Kind: crdt.Call, Trigger: ranking.AskPromote.String(), Outcome: "answered"})
	order := log(crdt.Entry{Kind: crdt.Order, Value: &crdt.Amount{Cents: 4000, Currency: "EUR"}})
	for _, c := range []struct {
		what    string
		outcome ranking.Outcome
		before  []func(crdt.ContactID)
		want    bool
	}{
		{"a prospect", ranking.Answered, nil, true},
		{"one who wrote back", ranking.Replied, nil, true},
		{"one who took a step", ranking.Moved, nil, true},
		{"one who was not there", ranking.NoAnswer, nil, false},
		{"one who does not want to yet", ranking.NotReady, nil, false},
		{"nothing known yet", ranking.NoOutcome, nil, false},
		{"promised for tomorrow", ranking.Answered, []func(crdt.ContactID){log(crdt.Entry{Kind: crdt.Promise, Due: day(1)})}, false},
		{"promised for today, which this is", ranking.Answered, []func(crdt.ContactID){log(crdt.Entry{Kind: crdt.Promise, Due: day(0)})}, true},
		{"a pause", ranking.Answered, []func(crdt.ContactID){edit(crdt.FieldSnooze, day(9))}, false},
		{"a pause that is over", ranking.Answered, []func(crdt.ContactID){edit(crdt.FieldSnooze, day(0))}, true},
		{"who wants to hear nothing", ranking.Answered, []func(crdt.ContactID){edit(crdt.FieldConsent, "opted-out")}, false},
		{"a webinar ahead", ranking.Answered, []func(crdt.ContactID){log(crdt.Entry{Kind: crdt.WebinarRegistered, Due: day(3)})}, false},
		{"in the webinar now", ranking.Replied, []func(crdt.ContactID){log(crdt.Entry{Kind: crdt.WebinarJoined})}, false},
		{"back from today's webinar", ranking.Answered, []func(crdt.ContactID){log(crdt.Entry{Kind: crdt.WebinarRegistered, Due: day(0)}), log(crdt.Entry{Kind: crdt.WebinarAttended})}, true},
		{"a webinar of last week", ranking.Answered, []func(crdt.ContactID){log(crdt.Entry{Kind: crdt.WebinarRegistered, Due: day(-7)})}, true},
		{"a customer", ranking.Answered, []func(crdt.ContactID){order}, false},
		{"a customer asked to become a promoter", ranking.Answered, []func(crdt.ContactID){order, asked}, true},
		{"a promoter", ranking.Answered, []func(crdt.ContactID){edit(crdt.FieldStage, "promoter"), asked}, false},
	} {
		who := add()
		for _, f := range c.before {
			f(who)
		}
		if got := r.Undated(who, c.outcome); got != c.want {
			t.Errorf("%s: undated %v, want %v", c.what, got, c.want)
		}
	}
	if r.Undated(crdt.ContactID{9}, ranking.Answered) {
		t.Error("nobody is undated")
	}

	// The promise that was taken back is none; the day that it was for has come.
	who := add()
	id, err := r.Promise(ctx, who, r.Today()+1)
	ok(t, err)
	if r.Undated(who, ranking.Answered) {
		t.Error("undated with a promise")
	}
	ok(t, r.TakeBack(ctx, id))
	if !r.Undated(who, ranking.Answered) {
		t.Error("dated by a promise that was taken back")
	}
	_, err = r.Promise(ctx, who, r.Today()+1)
	ok(t, err)
	now = now.AddDate(0, 0, 1)
	if !r.Undated(who, ranking.Answered) {
		t.Error("dated by the promise that is kept")
	}
}
