package board

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"trio/crdt"
	"trio/crdt/book"
	"trio/ranking"
	"trio/ranking/playbook"
	"trio/server/store"
)

// kept is what a device keeps of an answer, in bytes (replica.MaxKept).
const kept = 192 << 10

// TestAnswersAreKept: a device can keep the boards of a company whose every board has other people on it, and the report on a team of a
// hundred who commit to everything.
func TestAnswersAreKept(t *testing.T) {
	h := newHall(t)
	ctx := t.Context()
	rnd := rand.New(rand.NewPCG(7, 7))
	d := playbook.Default()
	d.Version, d.Boards.Places, d.Boards.Names, d.Boards.Metrics = 9, playbook.MostPlaces, playbook.FullName, nil
	for i := range d.Goals.Metrics[:ranking.MaxBoards] {
		d.Boards.Metrics = append(d.Boards.Metrics, d.Goals.Metrics[i].Name)
	}
	h.publish(d)
	today := ranking.DayOf(h.now.UnixMilli(), 0)
	sheet := &Sheet{Plan: ranking.Plan{}}
	for m := range d.Goals.Metrics {
		sheet.Plan.Goals = append(sheet.Plan.Goals, ranking.Commitment{From: today - 100, Metric: m, Want: 1})
	}
	for day := today - 100; day < today; day++ {
		x := ranking.Tally{Day: day}
		for m := range d.Goals.Metrics {
			x.Main[m] = 1
		}
		sheet.Days = append(sheet.Days, x)
	}
	top, err := h.st.CreateMember(ctx, store.Member{Tenant: h.tenant, Name: "Rosa Delgado"})
	h.ok(err)
	var folds []store.Fold
	for i := range maxTeam {
		id, err := h.st.CreateMember(ctx, store.Member{Tenant: h.tenant, Name: fmt.Sprintf("Maximiliana Torres-Fernandez %d", i), Sponsor: top})
		h.ok(err)
		folds = append(folds, store.Fold{Member: id, Form: form(d.Goals), Data: sheet.Encode()})
	}
	h.ok(h.st.SaveFolds(ctx, folds))
	by := &Boards{Store: h.st, Now: func() time.Time { return h.now }}
	size := func(v any, err error) int {
		t.Helper()
		h.ok(err)
		b, err := json.Marshal(v)
		h.ok(err)
		return len(b)
	}
	team, err := by.Team(ctx, h.tenant, top)
	if n := size(team, err); n > kept || len(team.Rows) < 20 || len(team.Rows[0].Weeks) == 0 || team.More != (len(team.Rows) < maxTeam) {
		t.Errorf("a report of %d bytes on %d people, of which there are more: %v", n, len(team.Rows), team.More)
	}
	t.Logf("%d people in the report", len(team.Rows))

	c := by.companies[h.tenant]
	for i := range 6000 {
		p := &person{id: crdt.MemberID{1, byte(i), byte(i >> 8)}, name: fmt.Sprintf("Maximiliana %s %d", strings.Repeat("Torres-Fernandez", 8), i), read: true, home: book.NewCalendar(nil), up: c.of[top]}
		for day := today - 60; day <= today; day += 15 {
			p.days = append(p.days, day)
			for range c.metrics {
				n := rnd.Int32N(1_000_000)
				p.counts = append(p.counts, n, n/2)
			}
		}
		c.all, c.of[p.id] = append(c.all, p), p
		p.up.below = append(p.up.below, p)
	}
	c.cache = map[span][][]standing{}
	v, err := by.View(ctx, h.tenant, top)
	if n := size(v, err); n > kept || len(v.Boards[0].Rows) < playbook.LeastPlaces || len(v.Boards[0].Rows) >= playbook.MostPlaces || len(v.Metrics) != ranking.MaxBoards {
		t.Errorf("boards of %d bytes, %d rows on the first", n, len(v.Boards[0].Rows))
	}
	t.Logf("%d rows on a board", len(v.Boards[0].Rows))
}
