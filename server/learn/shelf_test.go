package learn

import (
	"context"
	"errors"
	"testing"
	"time"

	"trio/ranking"
	"trio/ranking/playbook"
	"trio/server/admin"
	"trio/server/fit"
	"trio/server/store"
)

// TestNightsOnTheStore: what people publish is fitted, what was fitted is followed by what was fitted to the same, until people publish again.
func TestNightsOnTheStore(t *testing.T) {
	c := newCompany(t)
	ctx := t.Context()
	for m := range uint64(20) {
		c.member(m, 20, false, twiceAsGood)
	}
	l := Learner{Store: c.st, Shelf: InStore(c.st, ByNight), Now: func() time.Time { return c.today }}
	night := func() *Report {
		r, err := l.Night(ctx, c.row, false)
		c.ok(err)
		return r
	}
	publish := func(d *playbook.Doc, after uint32) {
		b := d.Encode()
		_, err := c.st.PublishPlaybook(ctx, store.Playbook{Tenant: c.row.ID, Version: d.Version, Hash: d.Hash(), By: "A person", Doc: b}, after)
		c.ok(err)
	}
	newest := func() (store.Playbook, *playbook.Doc) {
		p, err := c.st.PlaybookOf(ctx, c.row.ID, 0)
		c.ok(err)
		d, err := playbook.Parse(p.Doc)
		c.ok(err)
		if d.Hash() != p.Hash || d.Version != p.Version || d.Fitted != p.Fitted {
			t.Errorf("version %d of hash %x holds version %d of %x", p.Version, p.Hash, d.Version, d.Hash())
		}
		return p, d
	}
	if r := night(); r.Outcome != NoPlaybook {
		t.Fatalf("%+v", r)
	}
	first := playbook.Default()
	first.Version = 1
	publish(first, 0)
	if r := night(); r.Outcome != Published || r.Version != 2 {
		t.Fatalf("%+v", r)
	}
	p, d := newest()
	if p.Version != 2 || p.Fitted != 1 || p.By != ByNight {
		t.Errorf("%+v", p)
	}
	if a := arms(d.Ranking); a[1] < a[2]+100 || a[1] < a[3]+100 {
		t.Errorf("arms %v", a)
	}
	l.Within = time.Hour
	l.Now = time.Now
	if r := night(); r.Outcome != Done {
		t.Errorf("again in the same night: %+v", r)
	}
	l.Within, l.Now = 0, func() time.Time { return c.today }
	for i := 0; ; i++ { // step by step
		if r := night(); r.Outcome == NothingNew {
			break
		} else if r.Outcome != Published || r.Written != 1 || i > 3 {
			t.Fatalf("%+v", r)
		}
	}
	p, _ = newest()
	second := playbook.Default()
	second.Version, second.Name = p.Version+1, "Spring"
	publish(second, p.Version)
	if r := night(); r.Outcome != Published || r.Written != second.Version || r.Newest != second.Version {
		t.Errorf("%+v", r)
	}
	if p, d := newest(); p.Fitted != second.Version || d.Name != "Spring" {
		t.Errorf("%+v", p)
	}

	// Somebody who publishes while a night runs is not overwritten.
	st, err := l.Shelf.Standing(ctx, c.row.ID)
	c.ok(err)
	c.ok(l.Shelf.Publish(ctx, c.row.ID, &st, asVersion(st.Written, st.Next)))
	if err := l.Shelf.Publish(ctx, c.row.ID, &st, asVersion(st.Written, st.Next)); err != ErrOvertaken { //nolint:errorlint // it is told as that
		t.Errorf("published twice: %v", err)
	}
}

// TestPeopleAndNightsKeepEachOthersWork: who changes what is shown and publishes it has what was learnt after it, in no number twice; and the
// night that follows is held to what people wrote.
func TestPeopleAndNightsKeepEachOthersWork(t *testing.T) {
	c := newCompany(t)
	ctx := t.Context()
	for m := range uint64(20) {
		c.member(m, 20, false, twiceAsGood)
	}
	svc, err := admin.New(admin.Config{Store: c.st})
	c.ok(err)
	show := func(version uint32, learnt bool) *playbook.Doc {
		t.Helper()
		p, err := svc.PlaybookOf(ctx, admin.Operator(), c.row.ID, version, learnt)
		c.ok(err)
		d, err := playbook.Parse(p.Doc)
		c.ok(err)
		return d
	}
	publish := func(d *playbook.Doc) admin.Published {
		t.Helper()
		p, err := svc.PublishPlaybook(ctx, admin.Operator(), c.row.ID, d.Encode(), admin.Publishing{})
		c.ok(err)
		return p
	}
	l := Learner{Store: c.st, Shelf: InStore(c.st, ByNight), Now: func() time.Time { return c.today }}
	night := func() *Report {
		t.Helper()
		r, err := l.Night(ctx, c.row, false)
		c.ok(err)
		return r
	}
	first := playbook.Default()
	if p := publish(first); p.Carried != nil || p.NotCarried != "" {
		t.Fatalf("nothing is learnt, and carried is %+v", p)
	}
	written := show(0, false)
	if r := night(); r.Outcome != Published {
		t.Fatalf("%+v", r)
	}
	learnt := show(0, true)
	if learnt.Fitted != written.Version || show(0, false).Hash() != written.Hash() {
		t.Fatalf("version %d is fitted to %d; shown is version %d", learnt.Version, learnt.Fitted, show(0, false).Version)
	}

	// Their own file, with a change.
	first.Ranking.Rest, first.Ranking.Rules[ranking.NewLead].Base = 4, first.Ranking.Rules[ranking.NewLead].Base+100
	p := publish(first)
	if p.Carried == nil || p.Carried.Version != p.Version+1 || p.Carried.Fitted != p.Version {
		t.Fatalf("%+v", p)
	}
	at := show(0, true)
	want := fit.Copy(learnt.Ranking)
	want.Version, want.Rest, want.Rules[ranking.NewLead].Base = at.Version, 4, want.Rules[ranking.NewLead].Base+100
	if moves := fit.Moves(want, at.Ranking); at.Version != p.Carried.Version || at.Ranking.Rest != 4 || len(moves) > 0 {
		t.Errorf("version %d is not what was learnt with what was changed: %+v", at.Version, moves)
	}
	if w := show(0, false); w.Version != p.Version || w.Fitted != 0 || w.Ranking.Rules[ranking.NewLead].Base != first.Ranking.Rules[ranking.NewLead].Base {
		t.Errorf("people wrote version %d, fitted to %d", w.Version, w.Fitted)
	}

	// The one that carries over is no night's: the same night is not left out for it. It goes on from there.
	l.Within, l.Now = time.Hour, time.Now
	if r := night(); r.Outcome == Done {
		t.Errorf("%+v", r)
	}
	l.Within, l.Now = 0, func() time.Time { return c.today }
	if r := night(); r.Written != p.Version || r.Newest < p.Carried.Version {
		t.Errorf("%+v", r)
	}

	// What is shown, changed and published, any number of times, is written, and never what was learnt.
	for range 3 {
		d, before := show(0, false), show(0, true)
		d.Ranking.Rest++
		p := publish(d)
		if p.Carried == nil {
			t.Fatalf("%+v", p)
		}
		if after := show(0, true); len(fit.Moves(before.Ranking, after.Ranking)) > 0 || after.Ranking.Rest != d.Ranking.Rest {
			t.Errorf("version %d: %+v", after.Version, fit.Moves(before.Ranking, after.Ranking))
		}
	}
	if moves := fit.Moves(first.Ranking, show(0, false).Ranking); len(moves) > 0 {
		t.Errorf("what people wrote has %+v", moves)
	}
	_, err = svc.PublishPlaybook(ctx, admin.Operator(), c.row.ID, show(0, true).Encode(), admin.Publishing{})
	if e, ok := errors.AsType[*admin.Error](err); !ok || e.Code != "learnt" {
		t.Errorf("learnt numbers published as written ones: %v", err)
	}
}

// claiming is a store in which a device says before each publication that it holds that version already.
type claiming struct {
	*store.SQLite
	claims int
}

func (s *claiming) PublishPlaybook(ctx context.Context, p store.Playbook, after uint32) (store.Playbook, error) {
	if s.claims++; s.claims < 4 {
		if err := s.TakePlaybook(ctx, p.Tenant, p.Version); err != nil {
			return p, err
		}
	}
	return s.SQLite.PublishPlaybook(ctx, p, after)
}

// TestClaimed: a device that always claims the next version keeps no night from publishing.
func TestClaimed(t *testing.T) {
	c := newCompany(t)
	first := playbook.Default()
	first.Version = 1
	_, err := c.st.PublishPlaybook(t.Context(), store.Playbook{Tenant: c.row.ID, Version: 1, Hash: first.Hash(), By: "A person", Doc: first.Encode()}, 0)
	c.ok(err)
	shelf := InStore(&claiming{SQLite: c.st}, ByNight)
	st, err := shelf.Standing(t.Context(), c.row.ID)
	c.ok(err)
	doc := asVersion(st.Written, st.Next)
	c.ok(shelf.Publish(t.Context(), c.row.ID, &st, doc))
	p, err := c.st.PlaybookOf(t.Context(), c.row.ID, 0)
	c.ok(err)
	if p.Version != 5 || doc.Version != 5 || p.Fitted != 1 || p.Hash != doc.Hash() {
		t.Errorf("after three claims: %+v, told version %d", p, doc.Version)
	}
}

func asVersion(d *playbook.Doc, v uint32) *playbook.Doc {
	next := *d
	next.Version, next.Fitted = v, d.Version
	return &next
}
