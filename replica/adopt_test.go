package replica_test

import (
	"errors"
	"math/rand/v2"
	"testing"

	"github.com/google/uuid"

	"trio/crdt"
	"trio/replica"
)

// A device that joined anew keeps its book: what the server had and what it had not, the latter under its new name.
func TestJoinedAnewKeepsTheBook(t *testing.T) {
	ctx := t.Context()
	cfg := replica.Config{Path: t.TempDir() + "/r.db", Member: crdt.MemberID(uuid.New()), Device: crdt.DeviceID(uuid.New())}
	r := open(t, cfg)
	rnd := rand.New(rand.NewPCG(3, 3))
	busy(t, r, rnd, 10)
	var o order
	ok(t, o.sync(r))
	synced := len(o.items)
	busy(t, r, rnd, 8)
	people, err := r.Contacts(ctx, "", 0, 1000)
	ok(t, err)
	goals, err := r.GoalsToday(ctx)
	ok(t, err)
	ok(t, r.Close())

	was := cfg.Device
	cfg.Device = crdt.DeviceID(uuid.New())
	if _, err := replica.Open(ctx, cfg); !errors.Is(err, replica.ErrOther) {
		t.Fatalf("without being told to: %v", err)
	}
	other := cfg
	other.Adopt, other.Member = true, crdt.MemberID(uuid.New())
	if _, err := replica.Open(ctx, other); !errors.Is(err, replica.ErrOther) {
		t.Fatalf("another member: %v", err)
	}
	cfg.Adopt = true
	for range 2 { // the second time it is its own already
		r = open(t, cfg)
		if r.Device() != cfg.Device {
			t.Errorf("it is device %s", r.Device())
		}
		now, err := r.Contacts(ctx, "", 0, 1000)
		ok(t, err)
		if len(now) != len(people) {
			t.Fatalf("%d people, were %d", len(now), len(people))
		}
		for i := range now {
			if now[i].ID != people[i].ID || now[i].Note != people[i].Note {
				t.Errorf("%+v was %+v", now[i], people[i])
			}
		}
		if g, err := r.GoalsToday(ctx); err != nil || len(g) != len(goals) {
			t.Errorf("goals %v, were %v, %v", g, goals, err)
		}
		file, head := export(t, r, false)
		if head.Changes == 0 || head.Device != cfg.Device {
			t.Errorf("%+v", head)
		}
		if _, err := replica.ReadFile(file, nil); err != nil {
			t.Error(err)
		}
		before := dump(t, r)
		ok(t, r.Rebuild(ctx))
		if dump(t, r) != before {
			t.Error("made anew it is another")
		}
		ok(t, r.Close())
	}
	r = open(t, cfg)
	ok(t, o.sync(r))
	if n, err := r.UnsentCount(ctx); err != nil || n != 0 {
		t.Errorf("%d changes are only here, %v", n, err)
	}
	for _, it := range o.items[synced:] {
		if by, _ := crdt.ActorDevice(it.Change.Actor); by == was {
			t.Error("what was not sent went out in the name of the device that nobody knows")
		}
	}
}
