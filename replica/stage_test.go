package replica_test

import (
	"strings"
	"testing"

	"trio/crdt"
	"trio/ranking"
	"trio/replica"
)

// stages returns what the log says of a contact's stages, the newest first.
func stages(t *testing.T, r *replica.Replica, c crdt.ContactID) string {
	t.Helper()
	tl, err := r.Timeline(t.Context(), c, 50)
	ok(t, err)
	var all []string
	for _, l := range tl {
		if l.Kind == crdt.StageChanged {
			all = append(all, l.Stage)
		}
	}
	return strings.Join(all, " ")
}

// TestStageOnThePageBeginsItsDays makes a contact a promoter on the contact's page: two days later the first step of a new
// promoter's weeks is there, and writing the page again begins nothing anew.
func TestStageOnThePageBeginsItsDays(t *testing.T) {
	ctx := t.Context()
	c := &clock{noon}
	r := open(t, replica.Config{Now: c.now})
	ana, err := r.AddContact(ctx, replica.Fields{crdt.FieldName: "Ana", crdt.FieldPhone + "+15550100001": "", crdt.FieldStage: crdt.StageCustomer})
	ok(t, err)
	own := func() bool {
		top, err := r.TopThree(ctx, ranking.Members, "en")
		ok(t, err)
		return len(top) > 0 && top[0].Trigger == ranking.Own1
	}
	if got := stages(t, r, ana); got != "" {
		t.Errorf("a capture logs the stages %q: nobody knows when they began", got)
	}
	page := replica.Fields{crdt.FieldNote: "starts today", crdt.FieldStage: crdt.StagePromoter}
	ok(t, r.EditContact(ctx, ana, page))
	c.t = c.t.AddDate(0, 0, 1)
	ok(t, r.EditContact(ctx, ana, page))
	if got := stages(t, r, ana); got != "promoter" {
		t.Errorf("stages in the log: %q, want one", got)
	}
	if own() {
		t.Error("the first step is there after a day")
	}
	c.t = c.t.AddDate(0, 0, 1)
	if !own() {
		t.Error("the first step of the first weeks is not there after two days")
	}
	// Back and forth: the days begin anew.
	ok(t, r.EditContact(ctx, ana, replica.Fields{crdt.FieldStage: ""}))
	ok(t, r.EditContact(ctx, ana, replica.Fields{crdt.FieldStage: ""}))
	c.t = c.t.AddDate(0, 0, 1)
	ok(t, r.EditContact(ctx, ana, page))
	if got := stages(t, r, ana); got != "promoter prospect promoter" {
		t.Errorf("stages in the log: %q", got)
	}
	if own() {
		t.Error("the first step is there on the day itself")
	}
	before := dump(t, r)
	if err := r.EditContact(ctx, ana, replica.Fields{crdt.FieldStage: "king"}); err == nil || !strings.Contains(err.Error(), "want one of") {
		t.Errorf("a stage that is none: %v", err)
	}
	if dump(t, r) != before {
		t.Error("it left something behind")
	}
	// An order made a customer already: the page says nothing new.
	ben, err := r.AddContact(ctx, replica.Fields{crdt.FieldName: "Ben", crdt.FieldPhone + "+15550100002": ""})
	ok(t, err)
	_, err = r.Log(ctx, crdt.Entry{Kind: crdt.Order, Contact: ben})
	ok(t, err)
	ok(t, r.EditContact(ctx, ben, replica.Fields{crdt.FieldStage: crdt.StageCustomer}))
	if got := stages(t, r, ben); got != "" {
		t.Errorf("stages in the log: %q", got)
	}
	rows := dump(t, r)
	ok(t, r.Rebuild(ctx))
	if got := dump(t, r); got != rows {
		t.Error("rebuilt rows differ")
	}
}

// TestStageOfTwoDevices has two devices that do not know of each other make a contact the same and something else.
func TestStageOfTwoDevices(t *testing.T) {
	for name, x := range map[string]struct {
		first, second string // stages given a day apart, on one device each
		due           int    // … so many days after the first one is the first step of a promoter's weeks there
	}{
		"the same":              {crdt.StagePromoter, crdt.StagePromoter, 2},
		"the later one is none": {crdt.StagePromoter, crdt.StageCustomer, 2},
		"the later one is":      {crdt.StageCustomer, crdt.StagePromoter, 3},
	} {
		t.Run(name, func(t *testing.T) {
			ctx := t.Context()
			c := &clock{noon}
			o := &order{clock: c}
			// At once, the writer with the greater id is kept: here the one that says promoter.
			ids := []crdt.DeviceID{{2}, {1}}
			if x.first != crdt.StagePromoter {
				ids = []crdt.DeviceID{{1}, {2}}
			}
			a := open(t, replica.Config{Member: crdt.MemberID{9}, Device: ids[0], Now: c.now})
			b := open(t, replica.Config{Member: crdt.MemberID{9}, Device: ids[1], Now: c.now})
			ana, err := a.AddContact(ctx, replica.Fields{crdt.FieldName: "Ana", crdt.FieldPhone + "+15550100001": "", crdt.FieldStage: crdt.StageProspect})
			ok(t, err)
			ok(t, o.sync(a))
			ok(t, o.sync(b))
			ok(t, a.EditContact(ctx, ana, replica.Fields{crdt.FieldStage: x.first}))
			c.t = c.t.AddDate(0, 0, 1)
			ok(t, b.EditContact(ctx, ana, replica.Fields{crdt.FieldStage: x.second}))
			for _, r := range []*replica.Replica{a, b, a} {
				ok(t, o.sync(r))
			}
			if x, y := dump(t, a), dump(t, b); x != y {
				t.Errorf("the devices differ:\n%s\n%s", x, y)
			}
			for day := 1; day <= x.due; day++ {
				c.t = noon.AddDate(0, 0, day)
				for _, r := range []*replica.Replica{a, b} {
					top, err := r.TopThree(ctx, ranking.Members, "en")
					ok(t, err)
					if got := len(top) > 0 && top[0].Trigger == ranking.Own1; got != (day == x.due) {
						t.Errorf("day %d: the first step of a promoter is there: %v", day, got)
					}
				}
			}
		})
	}
}
