package board

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"trio/crdt"
	"trio/crdt/automerge"
	"trio/crdt/book"
	"trio/crdt/crdttest"
	"trio/ranking"
	"trio/ranking/playbook"
	"trio/server/store"
)

func some() *Sheet {
	s := &Sheet{
		Off:    true,
		Zones:  []book.Field{{Key: crdt.ProfileZone, Value: automerge.Value{Kind: automerge.KindString, Str: "Europe/Madrid"}}, {Key: crdt.ZoneKey("2026-11-25"), Value: automerge.Value{Kind: automerge.KindString, Str: "UTC"}}},
		Plan:   ranking.Plan{Goals: []ranking.Commitment{{From: 20000, Metric: 1, Want: 5}, {From: 20400, Metric: 3}}, Rest: []ranking.Day{20500}, Weekly: []ranking.WeeklyRest{{From: 20501, Days: 96}}},
		Awards: []ranking.Award{{Badge: "streak", Level: 2, Day: 20502}},
		Met:    []ranking.Day{20498, 20500, 20501},
	}
	for d := ranking.Day(20490); d < 20503; d += 3 {
		t := ranking.Tally{Day: d}
		t.Main[0], t.Early[2], t.Captured[15] = int32(d-20480), 1<<29, 7
		s.Days = append(s.Days, t)
	}
	return s
}

// TestSheetIsKept: what is kept is what was made, and anything cut or altered in its frame is none.
func TestSheetIsKept(t *testing.T) {
	for _, s := range []*Sheet{{}, {Unread: true}, some()} {
		b := s.Encode()
		again, err := DecodeSheet(b)
		if err != nil || !reflect.DeepEqual(again, s) {
			t.Fatalf("%+v came back as %+v, %v", s, again, err)
		}
		for n := range b {
			if _, err := DecodeSheet(b[:n]); err == nil {
				t.Fatalf("cut after %d of %d bytes it is still one", n, len(b))
			}
		}
		if _, err := DecodeSheet(append(b, 0)); err == nil {
			t.Fatal("with a byte more it is still one")
		}
	}
	rules := playbook.Default().Goals
	f := form(rules)
	rules.Metrics[0].Points++
	if form(rules) != f {
		t.Error("points do not change how days are summed")
	}
	if rules.GraceMinutes++; form(rules) == f {
		t.Error("the grace does")
	}
}

// FuzzDecodeSheet: what is read is written again as it was, and counts without harm.
func FuzzDecodeSheet(f *testing.F) {
	f.Add(some().Encode())
	f.Add((&Sheet{}).Encode())
	rules := playbook.Default().Goals
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := DecodeSheet(b)
		if err != nil {
			return
		}
		again, err := DecodeSheet(s.Encode())
		if err != nil || !reflect.DeepEqual(again, s) {
			t.Fatalf("%+v came back as %+v, %v", s, again, err)
		}
		if len(s.Days) < 100 {
			s.Keeper(rules).At(ranking.Moment{Day: 20500})
		}
		if s.Home() == nil {
			t.Fatal("nowhere at home")
		}
	})
}

// hall is a store with a company.
type hall struct {
	testing.TB
	st     *store.SQLite
	tenant store.Tenant
	now    time.Time
}

func newHall(t testing.TB) *hall {
	h := &hall{TB: t, now: time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)}
	var err error
	h.st, err = store.Open(t.Context(), store.Config{Path: filepath.Join(t.TempDir(), "trio.db"), Logger: slog.New(slog.DiscardHandler), Aside: true}) // what folds in the background would be in the way of who counts pages
	h.ok(err)
	t.Cleanup(func() { h.st.Close() })
	h.tenant, err = h.st.CreateTenant(t.Context(), "A")
	h.ok(err)
	return h
}

func (h *hall) ok(err error) {
	if err != nil {
		h.Helper()
		h.Fatal(err)
	}
}

// year makes a member with a year of so many entries a day, folded as a store has them.
func (h *hall) year(n uint64, daily int) crdt.MemberID {
	ctx := h.Context()
	id, err := h.st.CreateMember(ctx, store.Member{Tenant: h.tenant, Name: "Maya Torres"})
	h.ok(err)
	d, _, err := h.st.CreateDevice(ctx, id, "desk")
	h.ok(err)
	b := crdttest.NewBook(h, n, 0)
	b.Devices = []automerge.ActorID{crdt.NewActor(d.ID, 1)}
	b.Now = h.now.AddDate(-1, 0, 0)
	b.Entries(365*daily, 365, b.Import(200))
	for from := 0; from < len(b.Items); from += 1000 {
		var push []store.Item
		for _, it := range b.Items[from:min(from+1000, len(b.Items))] {
			push = append(push, store.Item{Doc: it.Doc, Change: it.Change})
		}
		_, err := h.st.Append(ctx, id, push)
		h.ok(err)
	}
	for {
		n, err := h.st.Compact(ctx, id, 64)
		h.ok(err)
		if n == 0 {
			return id
		}
	}
}

// TestOthersHaveRoom: there are rests within a member too, and one that is cut short ends the run with nothing half done.
func TestOthersHaveRoom(t *testing.T) {
	h := newHall(t)
	id := h.year(1, 14) // more than one page holds
	pages := 0
	for at := uint64(0); ; pages++ {
		p, err := h.st.Since(t.Context(), id, at, 0, 0)
		h.ok(err)
		if p.At.Seq == at {
			break
		}
		at = p.At.Seq
	}
	rests, left := 0, pages
	b := &Boards{Store: h.st, Now: func() time.Time { return h.now }, Rest: func(context.Context, time.Duration) error {
		if rests++; rests == left {
			return context.Canceled
		}
		return nil
	}}
	if r, err := b.Fold(t.Context(), h.tenant); !errors.Is(err, context.Canceled) || r.Folded != 0 || r.Unread != 0 || pages < 2 {
		t.Fatalf("ended at the last of %d pages: %+v, %v", pages, r, err)
	}
	if f, err := h.st.FoldOf(t.Context(), id); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("half of a member is kept: %d bytes, %v", len(f.Data), err)
	}
	rests, left = 0, -1
	if r, err := b.Fold(t.Context(), h.tenant); err != nil || r.Folded != 1 || rests != pages+1 {
		t.Errorf("%d rests for %d pages and the end of the member: %+v, %v", rests, pages, r, err)
	}
}

// TestEverySheetIsKeptOnce: two that look at a company at the same time keep the same, and rules that count in another way have
// all read again.
func TestEverySheetIsKeptOnce(t *testing.T) {
	h := newHall(t)
	ctx := t.Context()
	ids := []crdt.MemberID{h.year(1, 1), h.year(2, 1)}
	clock := func() time.Time { return h.now }
	a, b := &Boards{Store: h.st, Now: clock}, &Boards{Store: h.st, Now: clock}
	var both sync.WaitGroup
	for _, by := range []*Boards{a, b} {
		both.Go(func() {
			if _, err := by.Fold(ctx, h.tenant); err != nil {
				t.Error(err)
			}
		})
	}
	both.Wait()
	first := map[crdt.MemberID][]byte{}
	for _, id := range ids {
		f, err := h.st.FoldOf(ctx, id)
		h.ok(err)
		first[id] = f.Data
	}
	d := playbook.Default()
	d.Version, d.Goals.GraceMinutes = 9, 1
	h.publish(d)
	if r, err := a.Fold(ctx, h.tenant); err != nil || r.Folded != 2 {
		t.Errorf("by other rules: %+v, %v", r, err)
	}
	d.Version, d.Boards = 10, playbook.Boards{Metrics: []string{"texts"}, Places: 3, Names: playbook.FullName}
	h.publish(d)
	r, err := a.Fold(ctx, h.tenant)
	v, verr := a.Company(ctx, h.tenant, Choice{})
	if err != nil || verr != nil || r.Folded != 0 || len(v.Metrics) != 1 || v.Metrics[0].Name != "texts" || len(v.Boards[1].Rows) == 0 || v.People[0] != "Maya Torres" {
		t.Errorf("other boards of the same rules: %+v, %v %v: %+v", r, err, verr, v)
	}
	d.Version, d.Boards.Off, d.Boards.TeamOff = 11, true, true
	h.publish(d)
	h.now = h.now.Add(time.Minute)
	if v, err := a.View(ctx, h.tenant, ids[0]); err != nil || !v.Off || v.Boards != nil || v.Recognised != nil {
		t.Errorf("of a company that has none: %+v, %v", v, err)
	}
	if v, err := a.Team(ctx, h.tenant, ids[0]); err != nil || !v.Off || len(v.Rows) > 0 {
		t.Errorf("of a company that has none: %+v, %v", v, err)
	}
	if _, err := a.View(ctx, h.tenant, crdt.MemberID{1}); !errors.Is(err, ErrMember) {
		t.Errorf("for nobody: %v", err)
	}
	if bytes.Equal(first[ids[0]], nil) {
		t.Error("nothing was kept")
	}
}

func (h *hall) publish(d *playbook.Doc) {
	h.Helper()
	doc, err := playbook.Parse(d.Encode())
	h.ok(err)
	heads, err := h.st.PlaybookHeads(h.Context(), []store.Tenant{h.tenant})
	h.ok(err)
	_, err = h.st.PublishPlaybook(h.Context(), store.Playbook{Tenant: h.tenant, Version: doc.Version, Hash: doc.Hash(), By: "a test", Doc: doc.Encode()}, heads[h.tenant].Version)
	h.ok(err)
}

// TestOneTooManyHoldsUpNobody: of a member with more than a person writes nothing is known, and all others are on the boards; the
// member is not read again before something is done.
func TestOneTooManyHoldsUpNobody(t *testing.T) {
	h := newHall(t)
	ctx := t.Context()
	ids := []crdt.MemberID{h.year(1, 1)}
	flood, err := h.st.CreateMember(ctx, store.Member{Tenant: h.tenant, Name: "Flo Od"})
	h.ok(err)
	d, _, err := h.st.CreateDevice(ctx, flood, "desk")
	h.ok(err)
	b := crdttest.NewBook(h, 3, 0)
	b.Devices = []automerge.ActorID{crdt.NewActor(d.ID, 1)}
	for day := range 14_000 { // zones of as many days: more than a sheet takes
		if day%2000 != 0 {
			continue
		}
		b.Write(crdt.ProfileDoc, func(tx *automerge.Tx) {
			for i := day; i < day+2000; i++ {
				b.Put(tx, crdt.ZoneKey(ranking.Day(i+11_000).String()), strings.Repeat("Z", 64))
			}
		})
	}
	for _, it := range b.Items {
		ack, err := h.st.Append(ctx, flood, []store.Item{{Doc: it.Doc, Change: it.Change}})
		h.ok(err)
		if len(ack.Rejected) > 0 {
			t.Fatalf("%+v", ack.Rejected[0])
		}
	}
	ids = append(ids, h.year(2, 1))
	by := &Boards{Store: h.st, Now: func() time.Time { return h.now }}
	r, err := by.Fold(ctx, h.tenant)
	if err != nil || r.Folded != 3 || r.Unread != 1 || !strings.Contains(r.Why, flood.String()) {
		t.Errorf("folded: %+v, %v", r, err)
	}
	for _, id := range ids {
		if _, err := h.st.FoldOf(ctx, id); err != nil {
			t.Errorf("beside the flood nothing is kept of member %s: %v", id, err)
		}
	}
	if r, err := by.Fold(ctx, h.tenant); err != nil || r.Folded != 0 {
		t.Errorf("once more: %+v, %v", r, err)
	}
	if v, err := by.Company(ctx, h.tenant, Choice{}); err != nil || v.Waiting != 0 || len(v.IDs) == 0 || slices.Contains(v.IDs, flood) {
		t.Errorf("corporate sees %+v, %v", v, err)
	}
}

// ending is a store that ends in the middle of what is asked of it.
type ending struct {
	Store
	now bool
}

func (e *ending) Members(ctx context.Context, t store.Tenant, after crdt.MemberID, limit int) ([]store.Member, error) {
	if e.now {
		return nil, errors.New("the disk is gone")
	}
	return e.Store.Members(ctx, t, after, limit)
}

// TestHalfRefreshed: what a look at a company left half done, as the store ended, is not answered from.
func TestHalfRefreshed(t *testing.T) {
	h := newHall(t)
	ctx := t.Context()
	id := h.year(1, 1)
	end := &ending{Store: h.st}
	by := &Boards{Store: end, Now: func() time.Time { return h.now }}
	_, err := by.Fold(ctx, h.tenant)
	h.ok(err)
	d := playbook.Default()
	d.Version, d.Boards.Metrics = 9, append([]string{ranking.GoalDaysMetric}, "texts", "calls")
	h.publish(d)
	end.now = true
	if _, err := by.Fold(ctx, h.tenant); err == nil {
		t.Error("folded without members")
	}
	if v, err := by.View(ctx, h.tenant, id); err == nil || errors.Is(err, ErrMember) {
		t.Errorf("answered from half a company: %+v, %v", v, err)
	}
	end.now = false
	if v, err := by.View(ctx, h.tenant, id); err != nil || len(v.Metrics) != 3 {
		t.Errorf("once the store is back: %+v, %v", v, err)
	}
}

// TestUnreadableProfileHides: of whom nothing can be read of the profile it is not known whether he or she wants to be seen.
func TestUnreadableProfileHides(t *testing.T) {
	h := newHall(t)
	id := h.year(1, 1)
	s, _, err := ReadSheet(t.Context(), &torn{h.st}, playbook.Default().Goals, id, h.now.UnixMilli())
	if err != nil || !s.Off || len(s.Days) == 0 {
		t.Errorf("off is %v, %d days, %v", s.Off, len(s.Days), err)
	}
}

// torn has a change of the profile behind all others that cannot be read.
type torn struct{ *store.SQLite }

func (x *torn) Since(ctx context.Context, m crdt.MemberID, after uint64, limit, size int) (store.Page, error) {
	p, err := x.SQLite.Since(ctx, m, after, limit, size)
	if err == nil && !p.More {
		p.Changes = append(p.Changes, store.Stored{Doc: crdt.ProfileDoc, Raw: []byte("torn")})
	}
	return p, err
}
