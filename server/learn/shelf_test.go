package learn

import (
	"testing"
	"time"

	"trio/ranking/playbook"
	"trio/server/store"
)

// TestNightsOnTheStore: what people publish is fitted, what was fitted is followed by what was fitted to the same, until people publish again.
func TestNightsOnTheStore(t *testing.T) {
	c := newCompany(t)
	ctx := t.Context()
	for m := range uint64(20) {
		c.member(m, 20, false, twiceAsGood)
	}
	l := Learner{Store: c.st, Shelf: InStore(c.st), Now: func() time.Time { return c.today }}
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
	if p.Version != 2 || p.Fitted != 1 || p.By != publisher {
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

func asVersion(d *playbook.Doc, v uint32) *playbook.Doc {
	next := *d
	next.Version, next.Fitted = v, d.Version
	return &next
}
