package replica_test

import (
	"fmt"
	"slices"
	"testing"

	"trio/crdt"
	"trio/ranking"
	"trio/replica"
)

// TestWhatBecomesOfSuggestionsIsLearntAlikeOnEveryDevice follows suggestions for three weeks on one device, with nothing
// coming of it, while a second one is told now and then: what they expect of the member falls, by the same on both, on one
// that was reopened and on one that came last.
func TestWhatBecomesOfSuggestionsIsLearntAlikeOnEveryDevice(t *testing.T) {
	if testing.Short() {
		t.Skip("long, and in one goroutine")
	}
	ctx := t.Context()
	c := &clock{noon}
	path := t.TempDir() + "/r.db"
	r := open(t, replica.Config{Path: path, Now: c.now})
	for i := range 80 {
		id, err := r.AddContact(ctx, replica.Fields{
			crdt.FieldName: fmt.Sprintf("Customer %d", i), crdt.FieldStage: crdt.StageCustomer, crdt.FieldPhone + fmt.Sprintf("+1555%07d", i): "mobile",
		})
		ok(t, err)
		_, err = r.Log(ctx, crdt.Entry{Kind: crdt.Order, Contact: id, At: noon.AddDate(0, 0, -44+i%3).UnixMilli(), Evidence: crdt.E4})
		ok(t, err)
	}
	o := order{clock: c}
	second := open(t, replica.Config{Member: r.Member(), Device: crdt.DeviceID{2}, Now: c.now})
	three := func(r *replica.Replica) (all []ranking.Suggestion) {
		for _, l := range []ranking.List{ranking.Prospects, ranking.Members} {
			top, err := r.TopThree(ctx, l, "en")
			ok(t, err)
			for _, s := range top {
				all = append(all, s.Suggestion)
			}
		}
		return all
	}
	first := ranking.Suggestion{}
	for day := range 21 {
		top, err := r.TopThree(ctx, ranking.Members, "en")
		ok(t, err)
		for i, s := range top {
			if first == (ranking.Suggestion{}) {
				first = s.Suggestion
				if s.P0 != s.P1 {
					t.Errorf("before anything is known of the member: %d and %d", s.P0, s.P1)
				}
			}
			if i < 2 {
				_, err := r.Act(ctx, s, ranking.NoAnswer)
				ok(t, err)
			}
		}
		if day%4 == 3 {
			ok(t, o.sync(r))
			ok(t, o.sync(second))
			if got, want := three(second), three(r); !slices.Equal(got, want) {
				t.Fatalf("day %d: %+v on the second device, %+v on the first", day, got, want)
			}
		}
		c.t = c.t.AddDate(0, 0, 1)
	}
	ok(t, o.sync(r))
	want := three(r)
	if len(want) == 0 || want[0].P1 >= want[0].P0 {
		t.Fatalf("three weeks in which nothing came of it: %+v", want)
	}
	last := open(t, replica.Config{Member: r.Member(), Device: crdt.DeviceID{3}, Now: c.now})
	for name, d := range map[string]*replica.Replica{"the second": second, "a new one": last} {
		ok(t, o.sync(d))
		if got := three(d); !slices.Equal(got, want) {
			t.Errorf("%s has %+v, want %+v", name, got, want)
		}
	}
	ok(t, last.Rebuild(ctx))
	if got := three(last); !slices.Equal(got, want) {
		t.Errorf("rebuilt: %+v, want %+v", got, want)
	}
	cfg := replica.Config{Path: path, Now: c.now, Member: r.Member(), Device: r.Device()}
	ok(t, r.Close())
	if got := three(open(t, cfg)); !slices.Equal(got, want) {
		t.Errorf("reopened: %+v, want %+v", got, want)
	}
}
