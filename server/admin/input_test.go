package admin_test

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/mux"

	"trio/crdt"
	"trio/server/admin"
	"trio/server/ops"
	"trio/server/store"
)

// TestBadInput: all that is wrong is named, field by field, and nothing is done.
func TestBadInput(t *testing.T) {
	s := newSite(t)
	m := s.newMember("Maya")
	j := s.join(s.invite(m.ID).Code, "phone")
	long := strings.Repeat("x", 201)
	member := "/v1/admin/members/" + m.ID.String()
	for _, tt := range []struct {
		ask    string
		body   any
		status int
		code   string
		texts  []string
	}{
		{"POST /v1/admin/members", nil, 400, "field", []string{"name: is missing"}},
		{"POST /v1/admin/members", "[]", 400, "body", []string{"not a JSON object"}},
		{"POST /v1/admin/members", "null", 400, "body", []string{"not a JSON object"}},
		{"POST /v1/admin/members", `{"name":"x"`, 400, "body", []string{"not JSON"}},
		{"POST /v1/admin/members", `{"name":}`, 400, "body", []string{`"name": not JSON`}},
		{"POST /v1/admin/members", `{"name":"x"}{}`, 400, "body", []string{"something stands behind"}},
		{"POST /v1/admin/members", `{"name":"x","name":"y"}`, 400, "body", []string{`"name": is given twice`}},
		{"POST /v1/admin/members", "{\"name\":\"\xff\"}", 400, "body", []string{"not UTF-8"}},
		{"POST /v1/admin/members", "name=Maya", 400, "body", []string{"not a JSON object"}},
		{
			"POST /v1/admin/members",
			map[string]any{"name": 5, "team": long, "sponsor": "Maya", "invite": "yes", "Name": "x", "age": 9},
			400, "field",
			[]string{"name: 5: want a text", "team: has 201 bytes", `sponsor: "Maya": want a member's id`, `invite: "yes": want true or false`, `"Name": no field has this name: want name, team, sponsor, invite`, `"age": no field`},
		},
		{"POST /v1/admin/members", map[string]any{"name": "a\x1b[2Jb"}, 400, "field", []string{"name: has characters that cannot be seen"}},
		{"POST /v1/admin/members", map[string]any{"name": "Ma\u202eya", "team": "a\nb"}, 400, "field", []string{"name: has characters", "team: has characters"}},
		{"POST /v1/admin/members", map[string]any{"name": " \t "}, 400, "field", []string{"name: is missing"}},
		{"POST /v1/admin/members", map[string]any{"name": "x", "sponsor": j.Device}, 409, "sponsor", nil},
		{"PATCH " + member, map[string]any{"name": nil}, 400, "field", []string{"name: is missing"}},
		{"PATCH " + member, map[string]any{"nmae": "x"}, 400, "field", []string{`"nmae": no field has this name: want name, team, sponsor`}},
		{"PATCH /v1/admin/members/MAYA", map[string]any{"name": 1}, 400, "field", []string{"id in the path", "name: 1: want a text"}},
		{"GET /v1/admin/members/" + j.Device.String(), nil, 404, "not-found", nil},
		{"GET /v1/admin/members?limit=0&after=x&page=2&limit=1", nil, 400, "field", []string{`limit: "0": want a number from 1 to 1000`, `limit: is given twice`, `"page": no parameter has this name: want after, limit`}},
		{"GET /v1/admin/members?after=x", nil, 400, "parameter", []string{`after: "x"`}},
		{"GET /v1/admin/members?after=%zz", nil, 400, "parameter", []string{"query cannot be read"}},
		{"GET /v1/admin/members?limit=1001", nil, 400, "field", []string{"limit"}},
		{"GET /v1/admin/tree?depth=-1&root=x", nil, 400, "field", []string{`depth: "-1": want a number from 0 to 1000`, `root: "x"`}},
		{"GET /v1/admin/tree?root=" + m.ID.String() + "&after=" + m.ID.String(), nil, 200, "", nil},
		{"GET /v1/admin/company?x=1", nil, 400, "field", []string{`"x": no parameter is taken here`}},
		{"GET /v1/admin/keys?after=-1", nil, 400, "parameter", []string{"after"}},
		{"DELETE /v1/admin/keys/x", nil, 400, "field", []string{"id in the path"}},
		{"DELETE /v1/admin/keys/999", nil, 404, "not-found", nil},
		{"DELETE /v1/admin/invites/999", nil, 404, "not-found", nil},
		{"DELETE /v1/admin/invites/99999999999999999999", nil, 400, "field", []string{"id in the path"}},
		{"POST /v1/admin/keys", map[string]any{"name": "x", "scopes": "feed"}, 400, "field", []string{`scopes: "feed": want a list of feed, read, people, playbook, keys, companies`}},
		{"POST /v1/admin/keys", map[string]any{"name": "", "scopes": []any{}}, 400, "field", []string{"name: is missing"}},
		{"POST /v1/admin/keys", map[string]any{"name": "x"}, 400, "field", []string{"scopes: is missing"}},
		{"POST /v1/admin/keys", map[string]any{"name": "x", "scopes": []string{"feed", "rule"}}, 400, "field", []string{`scopes: "rule" is not one`}},
		{"POST " + member + "/invites", map[string]any{"days": 31}, 400, "field", []string{"days: is 31: want 1 to 30"}},
		{"POST " + member + "/invites", map[string]any{"days": 1 << 40}, 400, "field", []string{"days: is "}},
		{"POST " + member + "/invites", map[string]any{"days": 0}, 400, "field", []string{"days: is 0"}},
		{"POST /v1/admin/devices/" + m.ID.String() + "/revoke", nil, 404, "not-found", nil},
		{"POST /v1/admin/devices/" + j.Device.String() + "/revoke", map[string]any{"why": "lost"}, 400, "field", []string{`"why": no field is taken here`}},
		{"POST /v1/join", map[string]any{}, 400, "field", []string{"code: is missing", "device: is missing"}},
		{"POST /v1/join", map[string]any{"code": 5, "device": []int{1}}, 400, "field", []string{"code: 5: want a text", "device: [1]: want a text"}},
		{"POST /v1/join", strings.Repeat(" ", admin.MaxBody+1), 413, "limit", nil},
		{"GET /v1/join", nil, 405, "method", nil},
		{"PUT /v1/admin/members", nil, 405, "method", nil},
		{"POST /join", nil, 405, "method", nil},
		{"GET /v1/admin/nothing", nil, 404, "path", nil},
	} {
		method, path, _ := strings.Cut(tt.ask, " ")
		a := s.ask(method, path, s.key, tt.body)
		if tt.status == 200 {
			a.into(200, nil)
			continue
		}
		a.refused(tt.status, tt.code, tt.texts...)
		if want := map[string]string{"/v1/join": "POST", "/v1/admin/members": "GET, POST", "/join": "GET"}[path]; tt.status == 405 && a.header.Get("Allow") != want {
			t.Errorf("%s: allowed are %q, want %q", tt.ask, a.header.Get("Allow"), want)
		}
	}
	// A body whose length is not said is bounded all the same.
	req, err := http.NewRequestWithContext(t.Context(), "POST", s.url+"/v1/join", io.MultiReader(strings.NewReader(`{"code":"`), strings.NewReader(strings.Repeat("x", admin.MaxBody))))
	s.must(err)
	res, err := http.DefaultClient.Do(req)
	s.must(err)
	res.Body.Close()
	if res.StatusCode != 413 {
		t.Errorf("a long body in pieces: %s", res.Status)
	}
	var c admin.Company
	s.ask("GET", "/v1/admin/company", s.key, nil).into(200, &c)
	if c.Members != 1 || c.Devices != 1 || s.member(m.ID) != m && s.member(m.ID).Name != "Maya" {
		t.Errorf("something was done: %+v", c)
	}
}

// TestJoinPage: the page is in the reader's language, and runs and loads nothing but its own style and script.
func TestJoinPage(t *testing.T) {
	s := newSite(t)
	for accept, want := range map[string]string{"": "en", "es-MX,es;q=0.9,en;q=0.5": "es", "de, es;q=0.1": "es", "fr": "en", "en-GB": "en", "??;;": "en"} {
		req, err := http.NewRequestWithContext(t.Context(), "GET", s.url+"/join", nil)
		s.must(err)
		req.Header.Set("Accept-Language", accept)
		res, err := http.DefaultClient.Do(req)
		s.must(err)
		b, err := io.ReadAll(res.Body)
		s.must(err)
		res.Body.Close()
		page, policy := string(b), res.Header.Get("Content-Security-Policy")
		if !strings.Contains(page, `<html lang="`+want+`">`) || res.StatusCode != 200 || res.Header.Get("Vary") != "Accept-Language" {
			t.Errorf("%q: %s, want %s: %.200s", accept, res.Status, want, page)
		}
		for tag, directive := range map[string]string{"style": "style-src", "script": "script-src"} {
			in := regexp.MustCompile(`(?s)<` + tag + `>(.*?)</` + tag + `>`).FindStringSubmatch(page)
			if in == nil {
				t.Fatalf("no %s: %s", tag, page)
			}
			h := sha256.Sum256([]byte(in[1]))
			if want := directive + " 'sha256-" + base64.StdEncoding.EncodeToString(h[:]) + "';"; !strings.Contains(policy, want) {
				t.Errorf("policy %q has no %q", policy, want)
			}
		}
		if !strings.HasPrefix(policy, "default-src 'none'; ") || !strings.Contains(policy, "frame-ancestors 'none'") || strings.Contains(policy, "unsafe") {
			t.Errorf("policy %q", policy)
		}
		if strings.Contains(page, `id="app"`) {
			t.Errorf("it leads to an app that nobody serves: %s", page)
		}
		if m := regexp.MustCompile(`(?i)\s(src|href|action|style|on[a-z]+)\s*=\s*["']|url\(|@import|//[a-z]`).FindString(page); m != "" {
			t.Errorf("the page reaches out: %q", m)
		}
	}
}

// empty is a store in which there is nothing but whoever asks.
type empty struct {
	store.Store
}

func (empty) DeviceByToken(context.Context, string) (store.Device, error) {
	return store.Device{ID: crdt.DeviceID{1}, Member: crdt.MemberID{2}, Tenant: 1}, nil
}

func (empty) APIKeyBySecret(context.Context, string) (store.APIKey, error) {
	return store.APIKey{ID: 1, Tenant: 1, Scopes: store.Scopes}, nil
}
func (empty) Tenants(context.Context) ([]store.Company, error) { return nil, nil }
func (empty) CreateTenant(context.Context, string) (store.Tenant, error) {
	return 0, store.ErrBusy
}

func (empty) TenantByID(context.Context, store.Tenant) (store.Company, error) {
	return store.Company{}, store.ErrNotFound
}

func (empty) APIKeys(context.Context, store.Tenant) ([]store.APIKey, error) { return nil, nil }
func (empty) CreateAPIKey(context.Context, store.Tenant, string, ...store.Scope) (store.APIKey, string, error) {
	return store.APIKey{}, "", store.ErrFull
}
func (empty) RevokeAPIKey(context.Context, store.Tenant, int64) error { return store.ErrNotFound }
func (empty) Members(context.Context, store.Tenant, crdt.MemberID, int) ([]store.Member, error) {
	return nil, nil
}

func (empty) Sponsored(context.Context, store.Tenant, crdt.MemberID, crdt.MemberID, int) ([]store.Member, error) {
	return nil, nil
}

func (empty) CreateMember(context.Context, store.Member) (crdt.MemberID, error) {
	return crdt.MemberID{}, store.ErrSponsor
}

func (empty) MemberByID(_ context.Context, m crdt.MemberID) (store.Member, error) {
	return store.Member{ID: m, Tenant: 1}, nil
}
func (empty) EditMember(context.Context, crdt.MemberID, store.MemberEdit) error { return nil }
func (empty) SetQuota(context.Context, store.Tenant, store.QuotaEdit) error     { return nil }
func (empty) Invites(context.Context, crdt.MemberID) ([]store.Invite, error)    { return nil, nil }
func (empty) CreateInvite(context.Context, crdt.MemberID, crdt.DeviceID, time.Time) (store.Invite, string, error) {
	return store.Invite{}, "AAAA-BBBB-CCCC", nil
}
func (empty) RevokeInvite(context.Context, store.Tenant, int64) error { return store.ErrExpired }
func (empty) Redeem(context.Context, string, string) (store.Device, string, error) {
	return store.Device{}, "", store.ErrNotFound
}

func (empty) DeviceByID(_ context.Context, d crdt.DeviceID) (store.DeviceInfo, error) {
	return store.DeviceInfo{Device: store.Device{ID: d, Tenant: 1, Member: crdt.MemberID{2}}}, nil
}
func (empty) Devices(context.Context, crdt.MemberID) ([]store.DeviceInfo, error) { return nil, nil }
func (empty) RevokeDevice(context.Context, crdt.DeviceID) error                  { return nil }
func (empty) ParkedOf(context.Context, crdt.DeviceID, int64, int) ([]store.Parked, error) {
	return nil, nil
}
func (empty) DiscardParked(context.Context, crdt.DeviceID) (int, error) { return 0, nil }

// FuzzBody: no body and no query makes a handler panic; what is refused is refused with a sentence, and as it may be.
func FuzzBody(f *testing.F) {
	plenty := ops.Rate{PerSecond: 1e6, Burst: 1e6}
	quiet := slog.New(slog.DiscardHandler)
	guard := ops.NewGuard(ops.GuardConfig{
		Store: empty{}, Log: quiet, Metrics: ops.NewMetrics(), Limits: ops.Limits{Strangers: plenty, Device: plenty, Company: plenty},
	})
	svc, err := admin.New(admin.Config{Store: empty{}})
	if err != nil {
		f.Fatal(err)
	}
	routes := svc.Routes(quiet)
	srv := mux.NewRouter()
	for _, rt := range routes {
		srv.Handle(rt.Path, guard.Wrap(rt.Route, rt.Handler)).Methods(rt.Method)
	}
	const id = "0192f0c1-7a2b-7c3d-8e4f-5a6b7c8d9e0f"
	for i := range routes {
		for n, body := range []string{
			"", "{}", `{"name":"Maya","team":null,"sponsor":"` + id + `","invite":true}`, `{"name":"x","scopes":["feed","read"]}`, `{"members":1,"devices":-1,"bytes":1e3}`,
			`{"days":7}`, `{"code":"K7QF-9M2X-PD4R","device":"phone"}`, `{"name":"a","name":"b"}`, "[[[[", "\xff", `{"name":"\ud800"}`, `{"a":{"b":[1,2,{"c":null}]}}`,
		} {
			if n%2 == 0 {
				f.Add(uint8(i), id, "limit=10&after="+id, []byte(body))
			} else {
				f.Add(uint8(i), "7", "depth=2&root="+id, []byte(body))
			}
		}
	}
	f.Fuzz(func(t *testing.T, route uint8, id, query string, body []byte) {
		rt := routes[int(route)%len(routes)]
		if strings.ContainsFunc(id, func(r rune) bool { return r <= ' ' || r > '~' || strings.ContainsRune("/?#%.", r) }) || id == "" {
			id = "7"
		}
		req := httptest.NewRequestWithContext(t.Context(), rt.Method, "/", strings.NewReader(string(body)))
		req.URL.Path, req.URL.RawQuery = strings.Replace(rt.Path, "{id}", id, 1), query
		if rt.Method == http.MethodGet {
			req.Body, req.ContentLength = http.NoBody, 0
		}
		req.Header.Set("Authorization", "Bearer x")
		w := httptest.NewRecorder()
		srv.ServeHTTP(w, req)
		switch w.Code {
		case 200, 201, 204:
			return
		case 400, 404, 409, 410, 413, 503:
		default:
			t.Fatalf("%s %s?%s %q: %d %s", rt.Method, req.URL.Path, query, body, w.Code, w.Body)
		}
		var e struct {
			Error struct{ Code, Message, Hint, Request string }
		}
		if err := json.Unmarshal(w.Body.Bytes(), &e); err != nil || e.Error.Code == "" || e.Error.Message == "" || e.Error.Hint == "" || e.Error.Request == "" || e.Error.Code == "internal" {
			t.Fatalf("%s %s?%s %q: %d %s", rt.Method, req.URL.Path, query, body, w.Code, w.Body)
		}
		if w.Body.Len() > 8<<10+2*len(body) {
			t.Fatalf("%s %s: an answer of %d bytes to %d", rt.Method, req.URL.Path, w.Body.Len(), len(body))
		}
	})
}
