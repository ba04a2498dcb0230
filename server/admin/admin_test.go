package admin_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"trio/clients/qr"
	"trio/crdt"
	"trio/crdt/automerge"
	"trio/ranking"
	"trio/replica"
	"trio/server"
	"trio/server/admin"
	"trio/server/ops"
	"trio/server/store"
	"trio/server/store/storetest"
)

// site is a server on loopback with one company, and a clock that can be put forward.
type site struct {
	*testing.T
	st     *store.SQLite
	url    string
	tenant store.Tenant
	key    string // with all scopes, companies included
	offset atomic.Int64
	log    locked
}

func newSite(t *testing.T) *site {
	t.Helper()
	plenty := ops.Rate{PerSecond: 1e4, Burst: 1e4}
	return newSiteWith(t, ops.Limits{Strangers: plenty, Device: plenty, Company: plenty})
}

func newSiteWith(t *testing.T, limits ops.Limits) *site {
	t.Helper()
	s := &site{T: t}
	now := func() time.Time { return time.Now().Add(time.Duration(s.offset.Load())) }
	var err error
	s.st, err = store.Open(t.Context(), store.Config{Path: filepath.Join(t.TempDir(), "trio.db"), Now: now})
	s.must(err)
	web := httptest.NewUnstartedServer(nil)
	s.url = "http://" + web.Listener.Addr().String()
	srv := server.New(server.Config{
		Store: s.st, Now: now, PublicURL: s.url + "/", Limits: limits, QR: qr.SVG,
		Log: slog.New(slog.NewJSONHandler(&s.log, nil)),
	})
	web.Config.Handler = srv
	web.Start()
	t.Cleanup(func() {
		srv.Shutdown(context.Background()) //nolint:errcheck // the test is over
		web.Close()
		s.st.Close()
	})
	s.tenant, s.key = s.newCompany("Verdant Trail", store.Scopes...)
	return s
}

// locked is what was logged. Connections log while a test reads it.
type locked struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *locked) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(b)
}

func (l *locked) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func (s *site) must(err error) {
	if err != nil {
		s.Helper()
		s.Fatal(err)
	}
}

func (s *site) newCompany(name string, scopes ...store.Scope) (store.Tenant, string) {
	s.Helper()
	t, err := s.st.CreateTenant(s.Context(), name)
	s.must(err)
	_, key, err := s.st.CreateAPIKey(s.Context(), t, "a key", scopes...)
	s.must(err)
	return t, key
}

// answer is what a request got.
type answer struct {
	*site
	asked  string
	status int
	header http.Header
	body   []byte
}

// ask sends a request with a token or key; a body is sent as it is when it is a text, else as JSON.
func (s *site) ask(method, path, token string, body any) *answer {
	s.Helper()
	var b []byte
	switch v := body.(type) {
	case nil:
	case string:
		b = []byte(v)
	default:
		var err error
		b, err = json.Marshal(v)
		s.must(err)
	}
	req, err := http.NewRequestWithContext(s.Context(), method, s.url+path, bytes.NewReader(b))
	s.must(err)
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	res, err := http.DefaultClient.Do(req)
	s.must(err)
	defer res.Body.Close()
	a := &answer{site: s, asked: fmt.Sprintf("%s %s %.200s", method, path, b), status: res.StatusCode, header: res.Header}
	a.body, err = io.ReadAll(res.Body)
	s.must(err)
	return a
}

// into wants a status and reads the answer.
func (a *answer) into(status int, v any) {
	a.Helper()
	if a.status != status {
		a.Fatalf("%s: %d %s, want %d", a.asked, a.status, a.body, status)
	}
	if v != nil {
		a.must(json.Unmarshal(a.body, v))
	}
}

// refused wants a refusal of a status and a code whose sentence has some texts.
func (a *answer) refused(status int, code string, texts ...string) {
	a.Helper()
	var e struct {
		Error struct{ Code, Message, Hint, Request string }
	}
	if a.status != status || json.Unmarshal(a.body, &e) != nil || e.Error.Code != code || e.Error.Message == "" || e.Error.Hint == "" ||
		e.Error.Request == "" || e.Error.Request != a.header.Get("X-Request-Id") {
		a.Errorf("%s: %d %s, want %d %s", a.asked, a.status, a.body, status, code)
		return
	}
	for _, t := range texts {
		if !strings.Contains(e.Error.Message, t) {
			a.Errorf("%s: says %q, want %q", a.asked, e.Error.Message, t)
		}
	}
}

type list[T any] struct {
	Items []T
	Next  string
}

// all reads a list page by page.
func all[T any](s *site, path, token string, limit int) (items []T) {
	s.Helper()
	sep := "?"
	if strings.Contains(path, "?") {
		sep = "&"
	}
	for after := ""; ; {
		var l list[T]
		s.ask("GET", fmt.Sprintf("%s%slimit=%d&after=%s", path, sep, limit, after), token, nil).into(200, &l)
		if len(l.Items) > limit {
			s.Fatalf("%s: %d items of %d", path, len(l.Items), limit)
		}
		items = append(items, l.Items...)
		if after = l.Next; after == "" {
			return items
		}
	}
}

func (s *site) newMember(name string) admin.Member {
	s.Helper()
	var m admin.Member
	s.ask("POST", "/v1/admin/members", s.key, map[string]any{"name": name}).into(201, &m)
	return m
}

func (s *site) member(id crdt.MemberID) (m admin.Member) {
	s.Helper()
	s.ask("GET", "/v1/admin/members/"+id.String(), s.key, nil).into(200, &m)
	return m
}

func (s *site) invite(m crdt.MemberID) admin.NewInvite {
	s.Helper()
	var i admin.NewInvite
	s.ask("POST", "/v1/admin/members/"+m.String()+"/invites", s.key, nil).into(201, &i)
	return i
}

func (s *site) join(code, device string) admin.Joined {
	s.Helper()
	var j admin.Joined
	s.ask("POST", "/v1/join", "", map[string]any{"code": code, "device": device}).into(201, &j)
	return j
}

// offline makes a real device of what a join gave.
func (s *site) offline(j admin.Joined) *replica.Replica {
	s.Helper()
	r, err := replica.Open(s.Context(), replica.Config{Path: filepath.Join(s.TempDir(), "replica.db"), Member: j.Member, Device: j.Device})
	s.must(err)
	s.Cleanup(func() { r.Close() })
	return r
}

// online keeps a device in sync until it is stopped, or the test is over.
func (s *site) online(r *replica.Replica, j admin.Joined) (_ *replica.Syncer, stop func()) {
	sync := r.NewSyncer(replica.SyncerConfig{
		URL: j.URL, Token: j.Token, App: "trio test", Log: slog.New(slog.DiscardHandler), MinWait: 10 * time.Millisecond, MaxWait: 100 * time.Millisecond,
	})
	ctx, end := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		sync.Run(ctx) //nolint:errcheck // State tells
	}()
	stop = func() {
		end()
		<-done
	}
	s.Cleanup(stop)
	return sync, stop
}

// open is both.
func (s *site) open(j admin.Joined) (*replica.Replica, *replica.Syncer) {
	s.Helper()
	r := s.offline(j)
	sync, _ := s.online(r, j)
	return r, sync
}

func (s *site) eventually(what string, ok func() bool) {
	s.Helper()
	for end := time.Now().Add(30 * time.Second); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			s.Fatalf("not within 30 s: %s", what)
		}
	}
}

// three is what a device suggests, as a person reads it.
func (s *site) three(r *replica.Replica) (text string) {
	s.Helper()
	for _, l := range []ranking.List{ranking.Prospects, ranking.Members} {
		top, err := r.TopThree(s.Context(), l, "en")
		s.must(err)
		for _, x := range top {
			text += fmt.Sprintf("%v %+v\n", l, x)
		}
	}
	return text
}

// TestInvitePair: a company makes a member, the person joins by the link with a phone, pairs a laptop from it, and both
// suggest the same three. Then the laptop signs out.
func TestInvitePair(t *testing.T) {
	s := newSite(t)
	var made admin.NewCompany
	s.ask("POST", "/v1/admin/companies", s.key, map[string]any{"name": "Sol e Mar", "devices": 2}).into(201, &made)
	s.key = made.Key.Secret
	if !slices.Equal(made.Key.Scopes, []store.Scope{store.ScopeFeed, store.ScopeRead, store.ScopePeople, store.ScopePlaybook, store.ScopeKeys}) || made.Company.Quota.Devices != 2 {
		t.Errorf("%+v", made)
	}
	var rosa admin.InvitedMember
	s.ask("POST", "/v1/admin/members", s.key, map[string]any{"name": " Rosa Díaz ", "team": "North", "invite": true}).into(201, &rosa)
	if rosa.Name != "Rosa Díaz" || rosa.Team != "North" || rosa.Invite == nil {
		t.Fatalf("%+v", rosa)
	}
	i := *rosa.Invite
	if want := s.url + "/join#" + i.Code; i.Link != want || i.State != "open" || !strings.HasPrefix(i.QR, "<svg ") || time.Until(i.Expires) < 6*24*time.Hour {
		t.Errorf("link %s, want %s; %+v", i.Link, want, i.Invite)
	}

	j := s.join(strings.ToLower(strings.ReplaceAll(i.Code, "-", " ")), "phone")
	if j.Member != rosa.ID || j.Name != "Rosa Díaz" || j.URL != strings.Replace(s.url, "http", "ws", 1)+"/v1/sync" {
		t.Errorf("%+v", j)
	}
	phone, online := s.open(j)
	for _, name := range []string{"Ana", "Luis", "Kenji", "Aiko"} {
		id, err := phone.AddContact(t.Context(), replica.Fields{crdt.FieldName: name, crdt.FieldPhone + fmt.Sprintf("+3461234567%d", len(name)): "mobile"})
		s.must(err)
		if name == "Aiko" {
			_, err = phone.Log(t.Context(), crdt.Entry{Kind: crdt.Call, Contact: id, Evidence: crdt.E1})
			s.must(err)
		}
	}
	s.eventually("the phone is level", func() bool { return online.State().Level })

	var p admin.NewInvite
	s.ask("POST", "/v1/pair", j.Token, nil).into(201, &p)
	if d := time.Until(p.Expires); p.By != j.Device || d > 15*time.Minute || d < 14*time.Minute || p.Link != s.url+"/join#"+p.Code {
		t.Errorf("%+v in %v", p.Invite, d)
	}
	k := s.join(p.Code, "laptop")
	laptop, online := s.open(k)
	s.eventually("the laptop has the book", func() bool {
		n, err := laptop.Contacts(t.Context(), "", 0, 10)
		s.must(err)
		return len(n) == 4 && online.State().Level
	})
	if a, b := s.three(phone), s.three(laptop); a != b || a == "" {
		t.Errorf("the phone suggests\n%s\nthe laptop\n%s", a, b)
	}

	// Both stand in the lists of the company and of the member; the invitations say what became of them.
	for path, token := range map[string]string{"/v1/admin/members/" + rosa.ID.String() + "/devices": s.key, "/v1/devices": k.Token} {
		ds := all[admin.Device](s, path, token, 1)
		if len(ds) != 2 || ds[0].ID != j.Device || ds[0].Name != "phone" || ds[1].ID != k.Device || ds[1].By != j.Device || ds[0].State != "active" {
			t.Errorf("%s: %+v", path, ds)
		}
	}
	is := all[admin.Invite](s, "/v1/admin/members/"+rosa.ID.String()+"/invites", s.key, 1)
	if len(is) != 2 || is[0].State != "used" || is[0].Device != j.Device || is[1].Device != k.Device || is[1].By != j.Device {
		t.Errorf("%+v", is)
	}
	s.ask("POST", "/v1/pair", j.Token, nil).into(201, &p)
	s.ask("POST", "/v1/join", "", map[string]any{"code": p.Code, "device": "third"}).refused(409, "quota", "2 devices")

	var d admin.Device
	s.ask("POST", "/v1/devices/"+k.Device.String()+"/revoke", k.Token, nil).into(200, &d)
	if d.State != "revoked" || d.Revoked.IsZero() {
		t.Errorf("%+v", d)
	}
	for _, what := range []string{"POST /v1/pair", "GET /v1/devices", "POST /v1/devices/" + j.Device.String() + "/revoke"} {
		method, path, _ := strings.Cut(what, " ")
		s.ask(method, path, k.Token, nil).refused(403, "revoked")
	}
	s.ask("POST", "/v1/join", "", map[string]any{"code": p.Code, "device": "third"}).into(201, nil)

	// A device of the member is revoked from the phone; nobody else's is.
	stranger := s.join(s.invite(s.newMember("Iris").ID).Code, "phone")
	s.ask("POST", "/v1/devices/"+stranger.Device.String()+"/revoke", j.Token, nil).refused(404, "not-found")
	s.ask("POST", "/v1/devices/"+j.Device.String()+"/revoke", stranger.Token, nil).refused(404, "not-found")
	s.ask("GET", "/v1/devices", "trio_d_wrong", nil).refused(401, "device")

	// The log has who did what by ids, and nothing of anybody.
	log := s.log.String()
	for _, never := range []string{"Rosa", "Iris", "North", j.Token, k.Token, i.Code, p.Code, s.key, "laptop"} {
		if strings.Contains(log, never) {
			t.Errorf("%q is in the log", never)
		}
	}
	if !strings.Contains(log, fmt.Sprintf(`"route":"revoke","id":%q,"device":%q`, k.Device, k.Device)) {
		t.Error("the log does not say who signed out")
	}
	if !strings.Contains(log, `"msg":"request refused","request":"`) || !strings.Contains(log, `"route":"join","code":"quota"`) {
		t.Error("the log does not say who was refused what")
	}
	if !strings.Contains(log, fmt.Sprintf(`"route":"admin-members","company":%d,"key":%d,"made":%q`, made.Company.ID, made.Key.ID, rosa.ID)) {
		t.Error("the log does not say who made a member")
	}
}

// TestOneCodeOneDevice: of many that redeem one code at once one gets a device.
func TestOneCodeOneDevice(t *testing.T) {
	s := newSite(t)
	m := s.newMember("Maya")
	code := s.invite(m.ID).Code
	var wg sync.WaitGroup
	var got atomic.Int32
	for n := range 8 {
		wg.Go(func() {
			a := s.ask("POST", "/v1/join", "", map[string]any{"code": code, "device": fmt.Sprint("device ", n)})
			if a.status == 201 {
				got.Add(1)
			} else {
				a.refused(410, "expired")
			}
		})
	}
	wg.Wait()
	if ds := all[admin.Device](s, "/v1/admin/members/"+m.ID.String()+"/devices", s.key, 10); got.Load() != 1 || len(ds) != 1 {
		t.Errorf("%d got it, %d devices", got.Load(), len(ds))
	}
}

// TestCodes: what a code is not good for any more, and what is none.
func TestCodes(t *testing.T) {
	s := newSite(t)
	m := s.newMember("Maya")
	path := "/v1/admin/members/" + m.ID.String() + "/invites"
	join := func(code string) *answer {
		t.Helper()
		return s.ask("POST", "/v1/join", "", map[string]any{"code": code, "device": "phone"})
	}
	back := s.invite(m.ID)
	s.ask("DELETE", fmt.Sprintf("/v1/admin/invites/%d", back.ID), s.key, nil).into(204, nil)
	join(back.Code).refused(410, "expired")
	used := s.invite(m.ID)
	join(used.Code).into(201, nil)
	join(used.Code).refused(410, "expired", "not good any more")
	s.ask("DELETE", fmt.Sprintf("/v1/admin/invites/%d", used.ID), s.key, nil).refused(410, "expired")
	short := admin.NewInvite{}
	s.ask("POST", path, s.key, map[string]any{"days": 1}).into(201, &short)
	long := admin.NewInvite{}
	s.ask("POST", path, s.key, map[string]any{"days": admin.MaxInviteDays}).into(201, &long)
	s.offset.Store(int64(25 * time.Hour))
	join(short.Code).refused(410, "expired")
	join(long.Code).into(201, nil)
	for _, none := range []string{"0000-0000-0000", "x", "ABCD", used.Code + "0", strings.Repeat("A", 5000), "¡hola!", "trio_d_x"} {
		join(none).refused(404, "not-found")
	}
	want := []string{"revoked", "used", "expired", "used"}
	for i, v := range all[admin.Invite](s, path, s.key, 3) {
		if v.State != want[i] {
			t.Errorf("invitation %d is %s, want %s", i, v.State, want[i])
		}
	}
	// A paired device's code is worth nothing once that device was revoked.
	j := s.join(s.invite(m.ID).Code, "phone")
	var p admin.NewInvite
	s.ask("POST", "/v1/pair", j.Token, nil).into(201, &p)
	s.ask("POST", "/v1/admin/devices/"+j.Device.String()+"/revoke", s.key, nil).into(200, nil)
	join(p.Code).refused(410, "expired")
}

// TestGuessing: who tries codes is a stranger, and is soon told to come back later, with a good code too; keys and devices
// at the same address are not.
func TestGuessing(t *testing.T) {
	s := newSiteWith(t, ops.Limits{Strangers: ops.Rate{PerSecond: .001, Burst: 10}})
	i := s.invite(s.newMember("Maya").ID)
	j := s.join(i.Code, "phone")
	tries := 0
	for ; tries < 20; tries++ {
		a := s.ask("POST", "/v1/join", "", map[string]any{"code": fmt.Sprintf("AAAA-BBBB-%04d", tries), "device": "guess"})
		if a.status == 429 {
			a.refused(429, "limit")
			if a.header.Get("Retry-After") == "" {
				t.Error("it is not said when to come back")
			}
			break
		}
		a.refused(404, "not-found")
	}
	if tries != 9 {
		t.Errorf("%d guesses were answered, want 9 after one join", tries)
	}
	s.ask("POST", "/v1/pair", j.Token, nil).into(201, nil)
	s.ask("GET", "/v1/admin/company", s.key, nil).into(200, nil)
}

// TestScopes: every route of companies wants its scope and takes no other; a key makes no key with more than it has.
func TestScopes(t *testing.T) {
	s := newSite(t)
	svc, err := admin.New(admin.Config{Store: s.st})
	s.must(err)
	keys := map[store.Scope]string{}
	for _, sc := range store.Scopes {
		_, keys[sc], err = s.st.CreateAPIKey(t.Context(), s.tenant, string(sc), sc)
		s.must(err)
	}
	m := s.newMember("Maya")
	asked := 0
	for _, rt := range svc.Routes(slog.New(slog.DiscardHandler)) {
		if rt.Access != ops.Companies {
			continue
		}
		asked++
		if rt.Scope == "" {
			t.Errorf("%s %s wants no scope", rt.Method, rt.Path)
		}
		path := strings.Replace(rt.Path, "{id}", m.ID.String(), 1)
		for sc, key := range keys {
			a := s.ask(rt.Method, path, key, nil)
			if sc == rt.Scope {
				if a.status == 401 || a.status == 403 {
					t.Errorf("%s with %s: %d %s", a.asked, sc, a.status, a.body)
				}
				continue
			}
			a.refused(403, "scope", string(rt.Scope))
		}
		for _, key := range []string{"", "trio_k_wrong", "trio_d_wrong"} {
			s.ask(rt.Method, path, key, nil).refused(401, "key")
		}
	}
	if asked < 18 {
		t.Errorf("only %d routes", asked)
	}

	_, some, err := s.st.CreateAPIKey(t.Context(), s.tenant, "some", store.ScopeKeys, store.ScopeFeed)
	s.must(err)
	var k admin.NewKey
	s.ask("POST", "/v1/admin/keys", some, map[string]any{"name": "reports", "scopes": []string{"feed"}}).into(201, &k)
	s.ask("GET", "/v1/feed", k.Secret, nil).into(200, nil)
	s.ask("GET", "/v1/admin/company", k.Secret, nil).refused(403, "scope", `"read"`)
	s.ask("POST", "/v1/admin/keys", some, map[string]any{"name": "more", "scopes": []string{"feed", "people"}}).refused(403, "scope", `"people"`)
	s.ask("POST", "/v1/admin/keys", s.key, map[string]any{"name": "all", "scopes": []string{"companies"}}).refused(403, "scope", "own machine")
	s.ask("DELETE", fmt.Sprintf("/v1/admin/keys/%d", k.ID), some, nil).into(204, nil)
	s.ask("GET", "/v1/feed", k.Secret, nil).into(401, nil)
	// A key takes back no key that may more than itself, the operator any.
	op, _, err := s.st.CreateAPIKey(t.Context(), s.tenant, "operator", store.ScopeFeed, store.ScopeCompanies)
	s.must(err)
	s.ask("DELETE", fmt.Sprintf("/v1/admin/keys/%d", op.ID), some, nil).refused(403, "scope", `"companies"`)
	defer func() {
		s.must(svc.RevokeKey(t.Context(), admin.Operator(), s.tenant, op.ID))
		if ks, err := s.st.APIKeys(t.Context(), s.tenant); err != nil || ks[len(ks)-1].ID != op.ID || ks[len(ks)-1].Revoked.IsZero() {
			t.Errorf("%+v, %v", ks, err)
		}
	}()
	for _, v := range all[admin.Key](s, "/v1/admin/keys", s.key, 2) {
		if v.Revoked.IsZero() == (v.ID == k.ID) {
			t.Errorf("%+v", v)
		}
	}
	if strings.Contains(string(s.ask("GET", "/v1/admin/keys", s.key, nil).body), "trio_k_") {
		t.Error("the list of keys tells a secret")
	}
}

// TestOtherCompany: nothing of another company is there, whatever a key may do in its own.
func TestOtherCompany(t *testing.T) {
	s := newSite(t)
	m := s.newMember("Maya")
	j := s.join(s.invite(m.ID).Code, "phone")
	open := s.invite(m.ID)
	var k admin.NewKey
	s.ask("POST", "/v1/admin/keys", s.key, map[string]any{"name": "mine", "scopes": []string{"feed"}}).into(201, &k)
	_, theirs := s.newCompany("Rival", store.ScopeFeed, store.ScopeRead, store.ScopePeople, store.ScopeKeys)
	for _, what := range []string{
		"GET /v1/admin/members/M", "PATCH /v1/admin/members/M", "GET /v1/admin/members/M/invites", "POST /v1/admin/members/M/invites",
		"GET /v1/admin/members/M/devices", "GET /v1/admin/devices/D", "POST /v1/admin/devices/D/revoke", "GET /v1/admin/devices/D/unsent",
		"POST /v1/admin/devices/D/unsent/accept", "DELETE /v1/admin/keys/K", "DELETE /v1/admin/invites/I", "GET /v1/admin/tree?root=M",
		"GET /v1/admin/tree?after=M", "GET /v1/admin/members?after=M",
	} {
		what = strings.NewReplacer("/M", "/"+m.ID.String(), "=M", "="+m.ID.String(), "/D", "/"+j.Device.String(), "/K", fmt.Sprint("/", k.ID), "/I", fmt.Sprint("/", open.ID)).Replace(what)
		method, path, _ := strings.Cut(what, " ")
		s.ask(method, path, theirs, nil).refused(404, "not-found")
	}
	s.ask("POST", "/v1/admin/members", theirs, map[string]any{"name": "Spy", "sponsor": m.ID}).refused(409, "sponsor")
	s.ask("GET", "/v1/admin/companies", theirs, nil).refused(403, "scope")
	var c admin.Company
	s.ask("GET", "/v1/admin/company", theirs, nil).into(200, &c)
	if c.Name != "Rival" || c.Members != 0 {
		t.Errorf("%+v", c)
	}
	for _, path := range []string{"/v1/admin/members", "/v1/admin/tree"} {
		if ms := all[admin.Member](s, path, theirs, 10); len(ms) != 0 {
			t.Errorf("%s: %+v", path, ms)
		}
	}
	s.ask("GET", "/v1/admin/company", s.key, nil).into(200, &c)
	if c.Name != "Verdant Trail" || c.Members != 1 || c.Devices != 1 {
		t.Errorf("%+v", c)
	}
	s.join(open.Code, "still good")
}

// TestQuotas are set over HTTP, and hold.
func TestQuotas(t *testing.T) {
	s := newSite(t)
	var c admin.Company
	path := fmt.Sprintf("/v1/admin/companies/%d", s.tenant)
	s.ask("PATCH", path, s.key, map[string]any{"members": 2, "bytes": 1 << 20}).into(200, &c)
	s.ask("PATCH", path, s.key, map[string]any{"devices": 1}).into(200, &c)
	if want := (admin.Quota{Members: 2, Devices: 1, Bytes: 1 << 20}); c.Quota != want {
		t.Errorf("%+v, want %+v", c.Quota, want)
	}
	m := s.newMember("Maya")
	s.newMember("Rosa")
	s.ask("POST", "/v1/admin/members", s.key, map[string]any{"name": "Iris"}).refused(409, "quota", "2 members")
	s.join(s.invite(m.ID).Code, "phone")
	i := s.invite(m.ID)
	s.ask("POST", "/v1/join", "", map[string]any{"code": i.Code, "device": "laptop"}).refused(409, "quota", "1 device")
	s.ask("PATCH", path, s.key, map[string]any{"devices": 0}).into(200, nil)
	s.join(i.Code, "laptop") // the refusal did not use it up
	s.ask("PATCH", path, s.key, map[string]any{"devices": -1, "bytes": 1.5, "members": 1e12}).refused(400, "field", "bytes")
	s.ask("PATCH", path, s.key, map[string]any{"devices": -1, "members": 1 << 40}).refused(400, "field", "devices: is -1", "members: is ")
	s.ask("PATCH", "/v1/admin/companies/999", s.key, map[string]any{"devices": 1}).refused(404, "not-found")
	for range store.MaxInvites {
		if a := s.ask("POST", "/v1/admin/members/"+m.ID.String()+"/invites", s.key, nil); a.status != 201 {
			a.refused(409, "quota", "open invitations")
			return
		}
	}
	s.ask("POST", "/v1/admin/members/"+m.ID.String()+"/invites", s.key, nil).refused(409, "quota", "open invitations")
}

// TestMembers: members are made, changed and listed, and stand in the tree of sponsors, page by page.
func TestMembers(t *testing.T) {
	s := newSite(t)
	seed := rand.Uint64()
	rnd := rand.New(rand.NewPCG(seed, 0))
	defer func() {
		if t.Failed() {
			t.Logf("seed %d", seed)
		}
	}()
	var made []admin.Member
	below := map[crdt.MemberID][]crdt.MemberID{}
	for n := range 30 {
		body := map[string]any{"name": fmt.Sprint("member ", n), "team": []string{"North", "South"}[n%2]}
		var up crdt.MemberID
		if n > 0 && rnd.IntN(4) > 0 {
			up = made[rnd.IntN(n)].ID
			body["sponsor"] = up
		}
		var m admin.Member
		s.ask("POST", "/v1/admin/members", s.key, body).into(201, &m)
		if m.Sponsor != up || m.Name != body["name"] || m.Team != body["team"] || m.Created.IsZero() {
			t.Fatalf("%+v of %v", m, body)
		}
		made = append(made, m)
		below[up] = append(below[up], m.ID)
	}
	if got := all[admin.Member](s, "/v1/admin/members", s.key, 7); !slices.Equal(got, made) {
		t.Errorf("%d members listed, %d made", len(got), len(made))
	}
	if got := all[admin.Member](s, "/v1/admin/members", s.key, 30); !slices.Equal(got, made) {
		t.Errorf("%d members listed on one page, %d made", len(got), len(made))
	}

	type branch struct {
		Depth int
		ID    crdt.MemberID
	}
	var want func(at crdt.MemberID, depth, most int) []branch
	want = func(at crdt.MemberID, depth, most int) (list []branch) {
		if at != (crdt.MemberID{}) {
			list = append(list, branch{depth, at})
		} else {
			depth--
		}
		if depth < most {
			for _, m := range below[at] {
				list = append(list, want(m, depth+1, most)...)
			}
		}
		return list
	}
	for _, root := range []crdt.MemberID{{}, made[0].ID, made[1].ID, made[29].ID} {
		for _, depth := range []int{0, 1, 2, admin.MaxDepth} {
			for _, limit := range []int{1, 3, 1000} {
				path := fmt.Sprintf("/v1/admin/tree?depth=%d", depth)
				if root != (crdt.MemberID{}) {
					path += "&root=" + root.String()
				}
				if got, want := all[branch](s, path, s.key, limit), want(root, 0, depth); !slices.Equal(got, want) {
					t.Errorf("%s by %d: %v, want %v", path, limit, got, want)
				}
			}
		}
	}

	m := made[0]
	s.ask("PATCH", "/v1/admin/members/"+m.ID.String(), s.key, map[string]any{"name": "Maya", "team": nil}).into(200, nil)
	m = s.member(m.ID)
	if m.Name != "Maya" || m.Team != "" {
		t.Errorf("%+v", m)
	}
	var child admin.Member
	s.ask("POST", "/v1/admin/members", s.key, map[string]any{"name": "child", "sponsor": m.ID}).into(201, &child)
	s.ask("PATCH", "/v1/admin/members/"+m.ID.String(), s.key, map[string]any{"sponsor": child.ID}).refused(409, "sponsor", "below")
	s.ask("PATCH", "/v1/admin/members/"+child.ID.String(), s.key, map[string]any{"sponsor": nil}).into(200, nil)
	if child = s.member(child.ID); child.Sponsor != (crdt.MemberID{}) {
		t.Errorf("%+v", child)
	}
	s.ask("PATCH", "/v1/admin/members/"+m.ID.String(), s.key, map[string]any{"sponsor": child.ID}).into(200, &m)
	if m.Sponsor != child.ID || m.Name != "Maya" {
		t.Errorf("%+v", m)
	}
}

// TestUnsent: what a revoked device had not sent is shown without names, taken over, and reaches the member's other devices
// and the feed, once.
func TestUnsent(t *testing.T) {
	s := newSite(t)
	seed := rand.Uint64()
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("seed %d", seed)
		}
	})
	m := s.newMember("Maya")
	j := s.join(s.invite(m.ID).Code, "phone")
	k := s.join(s.invite(m.ID).Code, "laptop")
	laptop, _ := s.open(k)
	s.ask("POST", "/v1/admin/devices/"+j.Device.String()+"/revoke", s.key, nil).into(200, nil)
	dev, err := s.st.DeviceByToken(t.Context(), j.Token)
	s.must(err)
	a := storetest.NewAuthor(dev, 1, rand.New(rand.NewPCG(seed, 0)))
	items := []store.Item{a.Tap(1), a.Edit(2), a.Tap(25), a.Tap(1)}
	lost := storetest.NewAuthor(dev, 2, rand.New(rand.NewPCG(seed, 1)))
	lost.Edit(1)                        // never came
	items = append(items, lost.Edit(1)) // and this builds on it
	for i := range items {
		items[i].Feed = nil
	}
	s.must(s.st.Park(t.Context(), dev.ID, items))

	path := "/v1/admin/devices/" + j.Device.String()
	var d admin.Device
	s.ask("GET", path, s.key, nil).into(200, &d)
	if d.State != "revoked" || d.Unsent != 5 {
		t.Errorf("%+v", d)
	}
	ks := all[admin.Kept](s, path+"/unsent", s.key, 2)
	if len(ks) != 5 || len(ks[0].Entries) != 1 || ks[0].Document != "log-2026-11" || !strings.HasPrefix(ks[0].What, "1 log entry: "+ks[0].Entries[0].Kind+" on ") ||
		ks[1].Contacts != 2 || ks[1].What != "2 contacts changed: name" || ks[2].Logged != 25 || len(ks[2].Entries) != admin.MaxKeptEntries ||
		!strings.HasSuffix(ks[2].What, ", 5 more (UTC)") || ks[3].Arrived.IsZero() || ks[3].Written.IsZero() || !ks[3].Taken.IsZero() {
		t.Errorf("%+v", ks)
	}
	if b := s.ask("GET", path+"/unsent", s.key, nil).body; bytes.Contains(b, []byte("person ")) || bytes.Contains(b, []byte("private words")) {
		t.Errorf("a company is told names or notes: %s", b)
	}
	s.ask("GET", path+"/unsent?after=x", s.key, nil).refused(400, "parameter", "after")

	for round := range 2 {
		var done admin.Accepted
		s.ask("POST", path+"/unsent/accept", s.key, nil).into(200, &done)
		if want := []int{4, 0}[round]; done.Taken != want || len(done.Refused) != 1 || done.Refused[0].ID != ks[4].ID || done.Refused[0].Why == "" || done.Next != "" {
			t.Errorf("round %d: %+v", round, done)
		}
	}
	s.ask("GET", path, s.key, nil).into(200, &d)
	if d.Unsent != 1 {
		t.Errorf("%+v", d)
	}
	for i, k := range all[admin.Kept](s, path+"/unsent", s.key, 10) {
		if k.Taken.IsZero() != (i == 4) {
			t.Errorf("%+v", k)
		}
	}
	// What stays is set aside by somebody's wish, for good, and is still shown.
	for _, want := range []int{1, 0} {
		var done admin.Discarded
		if s.ask("POST", path+"/unsent/discard", s.key, nil).into(200, &done); done.Discarded != want {
			t.Errorf("%+v, want %d", done, want)
		}
	}
	var done admin.Accepted
	if s.ask("POST", path+"/unsent/accept", s.key, nil).into(200, &done); done.Taken != 0 || len(done.Refused) != 0 {
		t.Errorf("what was set aside: %+v", done)
	}
	if ks := all[admin.Kept](s, path+"/unsent", s.key, 10); len(ks) != 5 || ks[4].Aside.IsZero() || !ks[4].Taken.IsZero() || !ks[3].Aside.IsZero() || ks[4].What == "" {
		t.Errorf("%+v", ks)
	}
	if d := (admin.Device{}); !strings.Contains(s.log.String(), `"route":"admin-discard","id":"`+j.Device.String()) {
		t.Errorf("not logged: %s", s.log.String())
	} else if s.ask("GET", path, s.key, nil).into(200, &d); d.Unsent != 0 {
		t.Errorf("%+v", d)
	}
	rs, _, err := s.st.Feed(t.Context(), s.tenant, "", 1000)
	s.must(err)
	if len(rs) != 27 {
		t.Errorf("%d entries in the feed, want 27", len(rs))
	}
	s.eventually("the laptop has what was taken over", func() bool {
		_, err := laptop.Log(t.Context(), crdt.Entry{Kind: crdt.Share, Evidence: crdt.E1}) // the hub looks at the store when it is pushed to
		s.must(err)
		cs, err := laptop.Contacts(t.Context(), "person", 0, 10)
		s.must(err)
		return len(cs) == 2
	})
}

// TestNewerApp: a revoked device whose app knows more documents than the server leaves all the same, and what the server
// does not know is shown, and refused with the reason when it is taken over.
func TestNewerApp(t *testing.T) {
	s := newSite(t)
	m := s.newMember("Maya")
	j := s.join(s.invite(m.ID).Code, "phone")
	path := "/v1/admin/devices/" + j.Device.String()
	s.ask("POST", path+"/revoke", s.key, nil).into(200, nil)
	dev, err := s.st.DeviceByToken(t.Context(), j.Token)
	s.must(err)
	a := storetest.NewAuthor(dev, 1, rand.New(rand.NewPCG(5, 0)))
	diary := a.Write("diary", []automerge.Op{{Key: "private", Action: automerge.Put, Value: automerge.Value{Kind: automerge.KindString, Str: "words"}}})
	tap := a.Tap(1)
	tap.Feed = nil
	s.must(s.st.Park(t.Context(), j.Device, []store.Item{diary, tap}))
	ks := all[admin.Kept](s, path+"/unsent", s.key, 10)
	if len(ks) != 2 || ks[0].Document != "diary" || !strings.Contains(ks[0].What, "does not know") || strings.Contains(ks[0].What, "private") {
		t.Errorf("%+v", ks)
	}
	var done admin.Accepted
	s.ask("POST", path+"/unsent/accept", s.key, nil).into(200, &done)
	if done.Taken != 1 || len(done.Refused) != 1 || done.Refused[0].ID != ks[0].ID || !strings.Contains(done.Refused[0].Why, `document "diary" is not one that a member has`) {
		t.Errorf("%+v", done)
	}
}

// TestThief: a revoked device that sends what it can takes no room from the member's other devices, and what is kept of it
// can be taken over as far as the quota goes.
func TestThief(t *testing.T) {
	s := newSite(t)
	m := s.newMember("Maya")
	thief, honest := s.join(s.invite(m.ID).Code, "phone"), s.join(s.invite(m.ID).Code, "laptop")
	path := "/v1/admin/devices/" + thief.Device.String()
	s.ask("POST", path+"/revoke", s.key, nil).into(200, nil)
	author := func(token string) *storetest.Author {
		dev, err := s.st.DeviceByToken(t.Context(), token)
		s.must(err)
		return storetest.NewAuthor(dev, 1, rand.New(rand.NewPCG(1, 0)))
	}
	a, b := author(thief.Token), author(honest.Token)
	var items []store.Item
	var size int64
	for range 600 { // more than one push takes over
		it := a.Tap(1)
		it.Feed = nil
		items, size = append(items, it), size+int64(it.Change.Len())
	}
	s.must(s.st.Park(t.Context(), thief.Device, items))
	mine := b.Tap(1)
	s.must(s.st.SetQuota(t.Context(), s.tenant, store.Quota{Bytes: size + int64(mine.Change.Len())}.Edit()))
	if err := s.st.Park(t.Context(), thief.Device, []store.Item{a.Tap(20)}); !errors.Is(err, store.ErrQuota) {
		t.Errorf("it keeps on: %v", err)
	}
	_, err := s.st.Append(t.Context(), m.ID, []store.Item{mine})
	s.must(err)
	var done admin.Accepted
	if s.ask("POST", path+"/unsent/accept", s.key, nil).into(200, &done); done.Taken != len(items) || len(done.Refused) != 0 {
		t.Errorf("%+v, want %d taken over", done, len(items))
	}
}

// TestOddPaths: whatever path is asked for, the guard answers, and no answer repeats a token.
func TestOddPaths(t *testing.T) {
	s := newSite(t)
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	for _, path := range []string{"//v1/repo", "/v1//repo", "/v1/./repo", "/x/../v1/repo", "/v1/repo/", "//"} {
		res, err := client.Get(s.url + path + "?token=trio_d_secret")
		s.must(err)
		b, err := io.ReadAll(res.Body)
		s.must(errors.Join(err, res.Body.Close()))
		if res.StatusCode != 404 || res.Header.Get("X-Request-Id") == "" || res.Header.Get("Location") != "" || bytes.Contains(b, []byte("secret")) {
			t.Errorf("%s: %d %v %s", path, res.StatusCode, res.Header, b)
		}
	}
	if strings.Contains(s.log.String(), "trio_d_secret") {
		t.Error("the log has the token")
	}
}

// TestQuotaAtOnce: of two that change different bounds at one time both are heard.
func TestQuotaAtOnce(t *testing.T) {
	s := newSite(t)
	path := fmt.Sprintf("/v1/admin/companies/%d", s.tenant)
	for i := range 20 {
		var both sync.WaitGroup
		both.Go(func() { s.ask("PATCH", path, s.key, map[string]any{"members": 100 + i}).into(200, nil) })
		both.Go(func() { s.ask("PATCH", path, s.key, map[string]any{"bytes": 1000 + i}).into(200, nil) })
		both.Wait()
		c, err := s.st.TenantByID(t.Context(), s.tenant)
		if want := (store.Quota{Members: 100 + i, Bytes: int64(1000 + i)}); err != nil || c.Quota != want {
			t.Errorf("quota %+v, %v, want %+v", c.Quota, err, want)
		}
	}
}

// TestMisses: however many addresses guess, only so many codes are tried; then the time brings turns back.
func TestMisses(t *testing.T) {
	s := newSite(t)
	var late atomic.Int64
	now := time.Now()
	svc, err := admin.New(admin.Config{Store: s.st, Now: func() time.Time { return now.Add(time.Duration(late.Load())) }})
	s.must(err)
	m := s.newMember("Maya")
	join := func(code string) int {
		_, err := svc.Join(t.Context(), code, "phone")
		if e, ok := errors.AsType[*admin.Error](err); ok {
			return e.Status
		}
		s.must(err)
		return 200
	}
	good := s.invite(m.ID).Code
	for i := range admin.MissesAtOnce {
		if got := join(fmt.Sprintf("0000-0000-%04d", i)); got != 404 {
			t.Fatalf("miss %d: %d", i, got)
		}
	}
	if got := join("0000-0000-0000"); got != 429 {
		t.Errorf("one miss more: %d", got)
	}
	if got := join(good); got != 429 {
		t.Errorf("a good code: %d", got)
	}
	late.Store(int64(time.Second / admin.Misses))
	if got := join(good); got != 200 {
		t.Errorf("a good code, later: %d", got)
	}
	if got := join(good); got != 410 { // the one before took no turn
		t.Errorf("a used code: %d", got)
	}
}

// noInvites is a store that makes no invitations.
type noInvites struct{ store.Store }

func (noInvites) CreateInvite(context.Context, crdt.MemberID, crdt.DeviceID, time.Time) (store.Invite, string, error) {
	return store.Invite{}, "", fmt.Errorf("store: %w", store.ErrBusy)
}

// TestHalfDone: of what was done in part, the answer and the log tell what was done and what was not.
func TestHalfDone(t *testing.T) {
	s := newSite(t)
	var log bytes.Buffer
	web := httptest.NewServer(server.New(server.Config{Store: noInvites{s.st}, Log: slog.New(slog.NewJSONHandler(&log, nil))}))
	defer web.Close()
	url := s.url
	s.url = web.URL
	var m admin.InvitedMember
	s.ask("POST", "/v1/admin/members", s.key, map[string]any{"name": "Rosa", "invite": true}).into(201, &m)
	if m.Invite != nil || m.Failed == nil || m.Failed.Code != "busy" || strings.Contains(m.Failed.Message, "nothing was changed") {
		t.Errorf("%+v", m)
	}
	s.ask("POST", "/v1/admin/members/"+m.ID.String()+"/invites", s.key, nil).refused(503, "busy", "nothing was changed")
	s.url = url
	if got := s.member(m.ID); got.Name != "Rosa" {
		t.Errorf("%+v", got)
	}
	web.Close()
	if !strings.Contains(log.String(), `"failed":"busy"`) || !strings.Contains(log.String(), `"made":"`+m.ID.String()) {
		t.Errorf("not logged: %s", log.String())
	}

	// Room for some of what is kept: that is taken over, and why the rest is not is told.
	rosa := s.join(s.invite(m.ID).Code, "phone")
	dev, err := s.st.DeviceByToken(t.Context(), rosa.Token)
	s.must(err)
	s.must(s.st.RevokeDevice(t.Context(), dev.ID))
	a := storetest.NewAuthor(dev, 1, rand.New(rand.NewPCG(1, 0)))
	var items []store.Item
	var size int64
	for i := range 10 {
		it := a.Tap(1)
		it.Feed = nil
		if items = append(items, it); i < 7 {
			size += int64(it.Change.Len())
		}
	}
	s.must(s.st.Park(t.Context(), dev.ID, items))
	s.must(s.st.SetQuota(t.Context(), s.tenant, store.Quota{Bytes: size}.Edit()))
	path := "/v1/admin/devices/" + dev.ID.String() + "/unsent/accept"
	var done admin.Accepted
	if s.ask("POST", path, s.key, nil).into(200, &done); done.Taken != 7 || done.Failed == nil || done.Failed.Code != "quota" {
		t.Errorf("%+v", done)
	}
	s.ask("POST", path, s.key, nil).refused(409, "quota", fmt.Sprint(size))
}
