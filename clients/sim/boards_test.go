package sim_test

import (
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"trio/crdt"
	"trio/replica"
	"trio/server"
	"trio/server/board"
	"trio/server/store"
)

// promoter is a member with devices whose clock is the test's.
type promoter struct {
	*rig
	id     crdt.MemberID
	device store.Device
	token  string
	*replica.Replica
}

// field is a company whose boards are asked for over HTTP.
type field struct {
	*rig
	now    time.Time
	boards *board.Boards
	srv    *server.Server
}

func newField(t *testing.T) *field {
	f := &field{rig: newRig(t), now: time.Date(2026, 7, 31, 12, 0, 0, 0, time.UTC)}
	f.clock = func() time.Time { return f.now }
	f.boards = &board.Boards{Store: f.st, Now: f.clock}
	f.srv = server.New(server.Config{Store: f.st, Now: f.clock, Boards: f.boards, Log: slog.New(slog.DiscardHandler)})
	return f
}

func (f *field) promoter(name, zone string, sponsor crdt.MemberID) *promoter {
	f.Helper()
	p := &promoter{rig: f.rig}
	var err error
	p.id, err = f.st.CreateMember(f.ctx, store.Member{Tenant: f.tenant, Name: name, Sponsor: sponsor})
	f.ok(err)
	f.more(p)
	f.ok(p.SetProfile(f.ctx, crdt.ProfileZone, zone))
	return p
}

// more gives the member a further device, which is the one used from then on.
func (f *field) more(p *promoter) {
	f.Helper()
	var err error
	p.device, p.token, err = f.st.CreateDevice(f.ctx, p.id, "phone")
	f.ok(err)
	p.Replica, err = replica.Open(f.ctx, replica.Config{Path: filepath.Join(f.TempDir(), "r.db"), Member: p.id, Device: p.device.ID, Now: func() time.Time { return f.now }})
	f.ok(err)
	r := p.Replica
	f.Cleanup(func() { r.Close() })
}

func (p *promoter) share(key string, e crdt.Evidence) crdt.EntryID {
	p.Helper()
	id, err := p.LogOnce(p.ctx, key, crdt.Entry{Kind: crdt.Share, Evidence: e})
	p.ok(err)
	return id
}

func (f *field) meet(all ...*promoter) {
	f.Helper()
	for _, p := range all {
		f.ok(f.sync(p.Replica, p.device, nil))
	}
}

// get asks as a device or a company does, after the server has looked at what came.
func (f *field) get(path, token string, v any, header ...string) (int, http.Header) {
	f.Helper()
	f.now = f.now.Add(11 * time.Second)
	_, err := f.boards.Fold(f.ctx, f.tenant)
	f.ok(err)
	req := httptest.NewRequest(http.MethodGet, path, nil)
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	f.srv.ServeHTTP(w, req)
	body, err := io.ReadAll(w.Body)
	f.ok(err)
	if v != nil && w.Code == http.StatusOK {
		if err := json.Unmarshal(body, v); err != nil {
			f.Fatalf("%s: %v: %s", path, err, body)
		}
	}
	return w.Code, w.Header()
}

func (f *field) view(p *promoter) (v board.View) {
	f.Helper()
	if code, _ := f.get("/v1/boards", p.token, &v); code != http.StatusOK {
		f.Fatalf("boards: %d", code)
	}
	return v
}

// rows are the places of a board as name, captured and all that was done, and how the member stands.
func rows(v *board.View, scope, kind, from, metric string) (all []string, me board.Row) {
	for _, b := range v.Boards {
		if p := v.Periods[b.Period]; b.Scope != scope || p.Kind != kind || p.From != from || v.Metrics[b.Metric].Name != metric {
			continue
		}
		for _, r := range b.Rows {
			all = append(all, strings.Join([]string{digit(r[0]), v.People[r[1]], digit(r[3]), digit(r[2])}, " "))
		}
		if b.Me != nil {
			me = *b.Me
		}
	}
	slices.Sort(all) // who shares a rank stands in the order of ids
	return all, me
}

func digit(n int64) string { return string(rune('0' + n)) }

func (f *field) stands(v board.View, scope, kind, from, metric string, want ...string) {
	f.Helper()
	if got, _ := rows(&v, scope, kind, from, metric); strings.Join(got, ", ") != strings.Join(want, ", ") {
		f.Errorf("%s of %s from %s, %s: %q, want %q", scope, kind, from, metric, got, want)
	}
}

// TestBoardsAcrossZones: what was done counts on its own day in the member's own calendar, once, whenever it arrives; what was taken
// back, and who wants to be seen by nobody, is gone.
func TestBoardsAcrossZones(t *testing.T) {
	f := newField(t)
	rosa := f.promoter("Rosa Delgado", "Europe/Madrid", crdt.MemberID{})
	maya := f.promoter("Maya Torres", "Pacific/Auckland", rosa.id)
	ben := f.promoter("Ben Okafor", "America/Los_Angeles", rosa.id)
	tom := f.promoter("Tom Ruiz", "UTC", maya.id)
	f.meet(rosa, maya, ben, tom)

	// Noon of 31 July in London: midnight in Auckland, five in the morning in Los Angeles.
	ben.share("ben 1", crdt.E1)
	maya.share("maya 1", crdt.E1) // 1 August there
	f.now = f.now.Add(-2 * time.Hour)
	late := maya.share("maya 2", crdt.E1) // 31 July, 22:00
	maya.share("maya 3", crdt.E0)
	phone := *maya
	f.more(maya) // offline too, and given the same command
	maya.share("maya 2", crdt.E1)
	rosa.share("rosa 1", crdt.E1)
	f.meet(rosa, ben)
	f.now = time.Date(2026, 8, 2, 9, 0, 0, 0, time.UTC)
	v := f.view(rosa)
	f.stands(v, "company", "month", "2026-07-01", "share", "1 Ben O. 1 1", "1 Rosa D. 1 1")

	f.meet(&phone, maya, &phone)
	v = f.view(rosa)
	f.stands(v, "company", "month", "2026-07-01", "share", "1 Maya T. 1 2", "2 Ben O. 1 1", "2 Rosa D. 1 1")
	f.stands(v, "company", "month", "2026-08-01", "share", "1 Maya T. 1 1")
	f.stands(v, "company", "week", "2026-07-27", "share", "1 Maya T. 2 3", "2 Ben O. 1 1", "2 Rosa D. 1 1")
	f.stands(f.view(maya), "team", "month", "2026-07-01", "share", "1 Maya T. 1 2", "2 Ben O. 1 1", "2 Rosa D. 1 1")
	f.stands(f.view(tom), "team", "month", "2026-07-01", "share", "1 Maya T. 1 2")
	f.stands(f.view(maya), "downline", "month", "2026-07-01", "share", "1 Maya T. 1 2")
	if got, _ := rows(&v, "team", "month", "2026-07-01", "share"); got != nil {
		t.Errorf("who has no sponsor has no team: %q", got)
	}
	_, me := func() ([]string, board.Row) {
		v := f.view(tom)
		return rows(&v, "company", "month", "2026-07-01", "share")
	}()
	if me != (board.Row{0, 0, 0, 0}) {
		t.Errorf("Tom, who did nothing, stands at %v", me)
	}

	f.ok(phone.TakeBack(f.ctx, late))
	f.meet(&phone)
	f.stands(f.view(rosa), "company", "month", "2026-07-01", "share", "1 Ben O. 1 1", "1 Rosa D. 1 1", "3 Maya T. 0 1")

	f.ok(ben.SetProfile(f.ctx, crdt.ProfileBoards, crdt.BoardsOff))
	f.meet(ben)
	f.stands(f.view(rosa), "company", "month", "2026-07-01", "share", "1 Rosa D. 1 1", "2 Maya T. 0 1")
	v = f.view(ben)
	f.stands(v, "company", "month", "2026-07-01", "share", "1 Rosa D. 1 1", "2 Maya T. 0 1")
	if _, me := rows(&v, "company", "month", "2026-07-01", "share"); !v.Hidden || me != (board.Row{0, int64(v.Me), 1, 1}) {
		t.Errorf("Ben sees %v of himself", me)
	}
}

// TestBoardsPermissions: a device sees its own company and its own team, once, and nothing of what members hold.
func TestBoardsPermissions(t *testing.T) {
	f := newField(t)
	rosa := f.promoter("Rosa Delgado", "UTC", crdt.MemberID{})
	maya := f.promoter("Maya Torres", "UTC", rosa.id)
	ben := f.promoter("Ben Okafor", "UTC", rosa.id)
	for _, p := range []*promoter{maya, ben} {
		f.ok(p.Commit(f.ctx, "share", 1))
		_, err := p.Log(f.ctx, crdt.Entry{Kind: crdt.Share, Evidence: crdt.E1})
		f.ok(err)
		_, err = p.AddContact(f.ctx, replica.Fields{crdt.FieldName: "Secret Contact"})
		f.ok(err)
		_, err = p.GiveAwards(f.ctx)
		f.ok(err)
	}
	f.ok(ben.SetProfile(f.ctx, crdt.ProfileBoards, crdt.BoardsOff))
	f.meet(rosa, maya, ben)
	other, err := f.st.CreateTenant(f.ctx, "B")
	f.ok(err)
	stranger, err := f.st.CreateMember(f.ctx, store.Member{Tenant: other, Name: "Eve Other"})
	f.ok(err)
	_, theirs, err := f.st.CreateDevice(f.ctx, stranger, "phone")
	f.ok(err)
	_, reader, err := f.st.CreateAPIKey(f.ctx, f.tenant, "reads", store.ScopeRead)
	f.ok(err)
	_, feeder, err := f.st.CreateAPIKey(f.ctx, f.tenant, "feeds", store.ScopeFeed)
	f.ok(err)
	_, foreign, err := f.st.CreateAPIKey(f.ctx, other, "reads", store.ScopeRead)
	f.ok(err)

	var team board.Team
	if code, _ := f.get("/v1/team", rosa.token, &team); code != http.StatusOK || len(team.Rows) != 2 {
		t.Fatalf("%d %+v", code, team)
	}
	first, second := team.Rows[0], team.Rows[1]
	if first.Name != "Maya Torres" || first.Cheer != "badge" || !first.Today || len(first.Weeks) == 0 || first.Weeks[len(first.Weeks)-1].Met != 1 ||
		len(first.Goals) != 1 || first.Goals[0].Done != 1 || first.Line["en"] != "Maya: the first goal day is done, great start" || first.Say["en"] != "your first goal day is done, great start" {
		t.Errorf("%+v", first)
	}
	if second.Name != "Ben Okafor" || !second.Private || second.Goals != nil || second.Weeks != nil || second.Line != nil || second.Badges != nil {
		t.Errorf("Ben keeps the own numbers: %+v", second)
	}
	for _, p := range []*promoter{maya, ben} {
		if code, _ := f.get("/v1/team", p.token, &team); code != http.StatusOK || len(team.Rows) != 0 {
			t.Errorf("who sponsors nobody sees %d %+v", code, team)
		}
	}
	v := f.view(rosa)
	if len(v.Recognised) != 1 || v.People[v.Recognised[0].Person] != "Maya T." || v.Recognised[0].Badge != "first-goal-day" || !v.Recognised[0].Near {
		t.Errorf("recognised: %+v", v.Recognised)
	}
	f.stands(v, "company", "week", "2026-07-27", "goal-days", "1 Maya T. 1 1")
	all, err := json.Marshal(v)
	f.ok(err)
	for _, no := range []string{"Secret", "Eve", maya.id.String(), "Torres"} {
		if strings.Contains(string(all), no) {
			t.Errorf("boards tell %q: %s", no, all)
		}
	}
	_, err = f.boards.Fold(f.ctx, other)
	f.ok(err)
	var out board.View
	if code, _ := f.get("/v1/boards", theirs, &out); code != http.StatusOK || len(out.People) != 1 || out.People[0] != "Eve O." {
		t.Errorf("the other company's device sees %d %v", code, out.People)
	}

	for _, c := range []struct {
		path, token string
		want        int
	}{
		{"/v1/boards", "", 401},
		{"/v1/boards", "trio_d_nobody", 401},
		{"/v1/team", "", 401},
		{"/v1/boards", reader, 401},
		{"/v1/boards?week=2026-W31", rosa.token, 400},
		{"/v1/admin/boards?month=2026-11;team=x", reader, 400},
		{"/v1/admin/boards", "", 401},
		{"/v1/admin/boards", rosa.token, 401},
		{"/v1/admin/boards", feeder, 403},
		{"/v1/admin/boards", reader, 200},
		{"/v1/admin/boards?week=2026-W54", reader, 400},
		{"/v1/admin/boards?month=july", reader, 400},
		{"/v1/admin/boards?day=1", reader, 400},
		{"/v1/admin/boards?team=" + maya.id.String(), reader, 200},
		{"/v1/admin/boards?team=" + stranger.String(), reader, 404},
		{"/v1/admin/boards?team=" + maya.id.String(), foreign, 404},
	} {
		if code, _ := f.get(c.path, c.token, nil); code != c.want {
			t.Errorf("%s: %d, want %d", c.path, code, c.want)
		}
	}
	var corporate board.View
	f.get("/v1/admin/boards?week=2026-W31&month=2026-07", reader, &corporate)
	f.stands(corporate, "company", "week", "2026-07-27", "share", "1 Maya Torres 1 1")
	if len(corporate.IDs) != len(corporate.People) || corporate.Waiting != 0 {
		t.Errorf("%+v", corporate)
	}

	code, header := f.get("/v1/boards", rosa.token, nil)
	if code != http.StatusOK || header.Get("ETag") == "" {
		t.Fatalf("%d %v", code, header)
	}
	if code, _ := f.get("/v1/boards", rosa.token, nil, "If-None-Match", header.Get("ETag")); code != http.StatusNotModified {
		t.Errorf("the same again: %d", code)
	}
	f.ok(f.st.RevokeDevice(f.ctx, rosa.device.ID))
	if code, _ := f.get("/v1/boards", rosa.token, nil); code != http.StatusForbidden {
		t.Errorf("a revoked device: %d", code)
	}
}

// TestBoardsReadWhoActed: nobody is read twice for nothing, and another process has the sheets that one made.
func TestBoardsReadWhoActed(t *testing.T) {
	f := newField(t)
	a, b := f.promoter("A B", "UTC", crdt.MemberID{}), f.promoter("C D", "UTC", crdt.MemberID{})
	f.meet(a, b)
	read := func(by *board.Boards, want int) {
		t.Helper()
		f.now = f.now.Add(time.Minute)
		if r, err := by.Fold(f.ctx, f.tenant); err != nil || r.Folded != want || r.Unread != 0 {
			t.Errorf("%+v, %v; want %d read", r, err, want)
		}
	}
	read(f.boards, 2)
	read(f.boards, 0)
	another := &board.Boards{Store: f.st, Now: func() time.Time { return f.now }}
	read(another, 0)
	a.share("1", crdt.E1)
	f.meet(a)
	read(another, 1)
	read(f.boards, 0)
	f.stands(f.view(b), "company", "week", "2026-07-27", "share", "1 A B. 1 1")
}
