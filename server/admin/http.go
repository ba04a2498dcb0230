package admin

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"net/http"

	"github.com/gorilla/mux"

	"trio/crdt"
	"trio/ranking/playbook"
	"trio/server/ops"
	"trio/server/store"
)

// Route is an endpoint with its handler, to be put behind ops.Guard.
type Route struct {
	Method, Path string
	ops.Route
	http.Handler
}

// Routes returns what the service answers over HTTP. What is changed is logged with the ids of who and what.
func (s *Service) Routes(log *slog.Logger) []Route {
	const get, post, patch, del = http.MethodGet, http.MethodPost, http.MethodPatch, http.MethodDelete
	var all []Route
	add := func(method, path string, rt ops.Route, status int, ask func(*call) (any, error)) {
		document := rt.Body > 0
		if method != get && !document {
			rt.Body = MaxBody
		}
		all = append(all, Route{method, path, rt, &handler{rt, status, ask, log, method != get, document}})
	}
	company := func(method, path, name string, scope store.Scope, status int, ask func(*call) (any, error)) {
		add(method, "/v1/admin/"+path, ops.Route{Name: "admin-" + name, Access: ops.Companies, Scope: scope}, status, ask)
	}
	own := func(method, path, name string, status int, ask func(*call) (any, error)) {
		add(method, "/v1/"+path, ops.Route{Name: name, Access: ops.Devices}, status, ask)
	}

	company(get, "company", "company", store.ScopeRead, 200, s.getCompany)
	company(get, "companies", "companies", store.ScopeCompanies, 200, s.getCompanies)
	company(post, "companies", "companies", store.ScopeCompanies, 201, s.postCompanies)
	company(patch, "companies/{id}", "company", store.ScopeCompanies, 200, s.patchCompany)

	company(get, "keys", "keys", store.ScopeRead, 200, s.getKeys)
	company(post, "keys", "keys", store.ScopeKeys, 201, s.postKeys)
	company(del, "keys/{id}", "key", store.ScopeKeys, 204, s.deleteKey)

	company(get, "members", "members", store.ScopeRead, 200, s.getMembers)
	company(post, "members", "members", store.ScopePeople, 201, s.postMembers)
	company(get, "members/{id}", "member", store.ScopeRead, 200, s.getMember)
	company(patch, "members/{id}", "member", store.ScopePeople, 200, s.patchMember)
	company(get, "tree", "tree", store.ScopeRead, 200, s.getTree)

	company(get, "members/{id}/invites", "invites", store.ScopeRead, 200, s.getInvites)
	company(post, "members/{id}/invites", "invites", store.ScopePeople, 201, s.postInvites)
	company(del, "invites/{id}", "invite", store.ScopePeople, 204, s.deleteInvite)

	company(get, "members/{id}/devices", "devices", store.ScopeRead, 200, s.getDevices)
	company(get, "devices/{id}", "device", store.ScopeRead, 200, s.getDevice)
	company(post, "devices/{id}/revoke", "revoke", store.ScopePeople, 200, s.postRevoke)
	company(get, "devices/{id}/unsent", "unsent", store.ScopeRead, 200, s.getUnsent)
	company(post, "devices/{id}/unsent/accept", "accept", store.ScopePeople, 200, s.postAccept)
	company(post, "devices/{id}/unsent/discard", "discard", store.ScopePeople, 200, s.postDiscard)

	company(get, "playbook", "playbook", store.ScopePlaybook, 200, s.getPlaybook)
	company(get, "playbooks", "playbooks", store.ScopePlaybook, 200, s.getPlaybooks)
	add(post, "/v1/admin/playbook", ops.Route{
		Name: "admin-playbook", Access: ops.Companies, Scope: store.ScopePlaybook, Body: playbook.MaxBytes,
	}, 201, s.postPlaybook)

	own(post, "pair", "pair", 201, s.postPair)
	own(get, "devices", "devices", 200, s.getOwnDevices)
	own(post, "devices/{id}/revoke", "revoke", 200, s.postOwnRevoke)

	add(post, "/v1/join", ops.Route{Name: "join"}, 201, s.postJoin)
	return append(all, Route{get, JoinPagePath, ops.Route{Name: "join-page"}, joinPage(s.app)})
}

// handler answers one route.
type handler struct {
	route  ops.Route
	status int
	ask    func(*call) (any, error)
	log    *slog.Logger
	change bool // it changes something

	document bool // its body is one, not fields
}

func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c, answer, err := h.answer(r)
	if err != nil {
		h.refuse(w, r, err)
		return
	}
	if h.change {
		attrs := []any{"request", ops.RequestID(r.Context()), "route", h.route.Name}
		if id := mux.Vars(r)["id"]; id != "" {
			attrs = append(attrs, "id", id)
		}
		if h.route.Access == ops.Companies {
			attrs = append(attrs, "company", int64(c.by.tenant), "key", c.by.key)
		}
		if h.route.Access == ops.Devices {
			attrs = append(attrs, "device", c.device.ID.String())
		}
		if f, ok := answer.(interface{ failed() *Failure }); ok && f.failed() != nil {
			attrs = append(attrs, "failed", f.failed().Code)
			if f.failed().err != nil {
				attrs = append(attrs, "err", f.failed().err)
			}
		}
		if m, ok := answer.(interface{ made() any }); ok {
			attrs = append(attrs, "made", fmt.Sprint(m.made()))
		}
		h.log.Info("administered", attrs...)
	}
	if h.status == http.StatusNoContent {
		w.WriteHeader(h.status)
		return
	}
	if whole, ok := answer.(http.Handler); ok {
		whole.ServeHTTP(w, r)
		return
	}
	ops.Answer(w, h.status, answer)
}

// What is made, by its id, for the log.

func (n NewCompany) made() any    { return n.ID }
func (n NewKey) made() any        { return n.ID }
func (n InvitedMember) made() any { return n.ID }
func (n NewInvite) made() any     { return n.ID }
func (n Joined) made() any        { return n.Device }
func (p Playbook) made() any      { return p.Version }

func (n NewCompany) failed() *Failure    { return n.Failed }
func (n InvitedMember) failed() *Failure { return n.Failed }
func (a Accepted) failed() *Failure      { return a.Failed }
func (d Discarded) failed() *Failure     { return d.Failed }

// Failure is what became nothing of a request of which a part was done: the answer has both.
type Failure struct {
	Code    string `json:"code"`
	Message string `json:"message"`
	Hint    string `json:"hint"`
	err     error  // the server's, for the log
}

// failure tells what was not done. hint says how to do it alone.
func failure(err error, what, hint string) *Failure {
	if e, ok := errors.AsType[*Error](err); ok {
		return &Failure{e.Code, what + ": " + e.Message, cmp.Or(hint, e.Hint), nil}
	}
	_, code, message, then := sorry(err)
	return &Failure{code, what + ": " + message, cmp.Or(hint, then), err}
}

// sorry puts an error of the server's to whoever asked.
func sorry(err error) (status int, code, message, hint string) {
	switch {
	case errors.Is(err, store.ErrFull):
		code, message, hint = "full", "the server's storage is full", "come back when there is room"
	case errors.Is(err, store.ErrBusy):
		code, message, hint = "busy", "the server has too much to do", "come back in a moment"
	default:
		code, message, hint = "internal", "the server could not do that", "look whether it was done, then try again; if it stays so, tell support the request's id"
	}
	return http.StatusServiceUnavailable, code, message, hint
}

func (h *handler) answer(r *http.Request) (c *call, answer any, err error) {
	// Who asks goes before what is asked: a stranger is told nothing of how.
	c = &call{Request: r, document: h.document}
	switch h.route.Access {
	case ops.Companies:
		err = c.key()
	case ops.Devices:
		err = c.caller()
	}
	if err == nil {
		err = c.read()
	}
	if err == nil {
		answer, err = h.ask(c)
	}
	return c, answer, err
}

func (h *handler) refuse(w http.ResponseWriter, r *http.Request, err error) {
	if e, ok := errors.AsType[*Error](err); ok {
		// Not the sentence: it may repeat what was sent.
		h.log.Info("request refused", "request", ops.RequestID(r.Context()), "route", h.route.Name, "code", e.Code)
		if e.Status == http.StatusUnauthorized {
			w.Header().Set("WWW-Authenticate", "Bearer")
		}
		if bad, ok := errors.AsType[*BadPlaybook](err); ok {
			bad.answer(w, r)
			return
		}
		ops.Refuse(w, r, e.Status, e.Code, e.Message, e.Hint)
		return
	}
	if r.Context().Err() != nil {
		return // whoever asked has gone
	}
	h.log.Error("not administered", "request", ops.RequestID(r.Context()), "route", h.route.Name, "err", err)
	status, code, message, hint := sorry(err)
	if code != "internal" { // the store says that it stored nothing
		message += ": nothing was changed"
	}
	ops.Refuse(w, r, status, code, message, hint)
}

func (s *Service) getCompany(c *call) (any, error) {
	if err := c.done(); err != nil {
		return nil, err
	}
	return s.Company(c.Context(), c.by, c.by.tenant)
}

func (s *Service) getCompanies(c *call) (any, error) {
	p := c.page()
	if err := c.done(); err != nil {
		return nil, err
	}
	return s.Companies(c.Context(), c.by, p)
}

func (c *call) quota() QuotaEdit {
	return QuotaEdit{Members: c.number("members"), Devices: c.number("devices"), Bytes: c.number("bytes")}
}

// NewCompany is a company with its first key; or what of its quota and key failed.
type NewCompany struct {
	Company
	Key    *NewKey  `json:"key,omitempty"`
	Failed *Failure `json:"failed,omitempty"`
}

func (s *Service) postCompanies(c *call) (any, error) {
	name, q := c.named("name", true), c.quota()
	if err := c.done(); err != nil {
		return nil, err
	}
	made, err := s.CreateCompany(c.Context(), c.by, name, q)
	if err != nil && made.ID == 0 {
		return nil, err
	}
	if err != nil {
		return NewCompany{made, nil, failure(err, "quota not set, key not made", "set the quota; have the operator make a key: trio admin key")}, nil
	}
	k, err := s.FirstKey(c.Context(), c.by, made.ID)
	if err != nil {
		return NewCompany{made, nil, failure(err, "key not made", "have the operator make one: trio admin key")}, nil
	}
	return NewCompany{made, &k, nil}, nil
}

func (s *Service) patchCompany(c *call) (any, error) {
	id, q := c.idNumber(), c.quota()
	if err := c.done(); err != nil {
		return nil, err
	}
	return s.SetQuota(c.Context(), c.by, store.Tenant(id), q)
}

func (s *Service) getKeys(c *call) (any, error) {
	p := c.page()
	if err := c.done(); err != nil {
		return nil, err
	}
	return s.Keys(c.Context(), c.by, c.by.tenant, p)
}

func (s *Service) postKeys(c *call) (any, error) {
	name := c.named("name", true)
	var scopes []store.Scope
	c.field("scopes", "a list of "+words(store.Scopes), &scopes)
	if err := c.done(); err != nil {
		return nil, err
	}
	return s.CreateKey(c.Context(), c.by, c.by.tenant, name, scopes)
}

func (s *Service) deleteKey(c *call) (any, error) {
	id := c.idNumber()
	if err := c.done(); err != nil {
		return nil, err
	}
	return nil, s.RevokeKey(c.Context(), c.by, c.by.tenant, id)
}

func (s *Service) getMembers(c *call) (any, error) {
	p := c.page()
	if err := c.done(); err != nil {
		return nil, err
	}
	return s.Members(c.Context(), c.by, c.by.tenant, p)
}

// InvitedMember is a member with the invitation that was asked for with it, or why that failed.
type InvitedMember struct {
	Member
	Invite *NewInvite `json:"invite,omitempty"`
	Failed *Failure   `json:"failed,omitempty"`
}

func (s *Service) postMembers(c *call) (any, error) {
	n := NewMember{Name: c.named("name", true), Team: c.named("team", false), Sponsor: c.member("sponsor")}
	invite := c.flag("invite")
	if err := c.done(); err != nil {
		return nil, err
	}
	m, err := s.CreateMember(c.Context(), c.by, c.by.tenant, n)
	if err != nil || !invite {
		return InvitedMember{Member: m}, err
	}
	i, err := s.Invite(c.Context(), c.by, m.ID, 0)
	if err != nil {
		return InvitedMember{m, nil, failure(err, "the member was made, not invited", "invite the member by its id")}, nil
	}
	return InvitedMember{m, &i, nil}, nil
}

func (s *Service) getMember(c *call) (any, error) {
	var m crdt.MemberID
	c.id(&m)
	if err := c.done(); err != nil {
		return nil, err
	}
	return s.Member(c.Context(), c.by, m)
}

func (s *Service) patchMember(c *call) (any, error) {
	var m crdt.MemberID
	c.id(&m)
	var e store.MemberEdit
	if _, ok := c.fields["name"]; ok {
		name := c.named("name", true)
		e.Name = &name
	}
	if _, ok := c.fields["team"]; ok { // null or "": none
		team := c.named("team", false)
		e.Team = &team
	}
	if _, ok := c.fields["sponsor"]; ok { // null: none
		sponsor := c.member("sponsor")
		e.Sponsor = &sponsor
	}
	c.known = []string{"name", "team", "sponsor"}
	if err := c.done(); err != nil {
		return nil, err
	}
	return s.EditMember(c.Context(), c.by, m, e)
}

func (s *Service) getTree(c *call) (any, error) {
	var root crdt.MemberID
	if id := c.parameter("root"); id != "" && root.UnmarshalText([]byte(id)) != nil {
		c.add("root", "%.40q: want a member's id", id)
	}
	depth := MaxDepth
	if d := c.parameter("depth"); d != "" {
		depth = c.digits("depth", d, 0, MaxDepth)
	}
	p := c.page()
	if err := c.done(); err != nil {
		return nil, err
	}
	return s.Tree(c.Context(), c.by, c.by.tenant, root, depth, p)
}

func (s *Service) getInvites(c *call) (any, error) {
	var m crdt.MemberID
	c.id(&m)
	p := c.page()
	if err := c.done(); err != nil {
		return nil, err
	}
	return s.Invites(c.Context(), c.by, m, p)
}

func (s *Service) postInvites(c *call) (any, error) {
	var m crdt.MemberID
	c.id(&m)
	days := 0
	if n := c.number("days"); n != nil {
		if days = int(*n); *n < 1 || *n > MaxInviteDays {
			c.add("days", "is %d: want 1 to %d", *n, MaxInviteDays)
		}
	}
	if err := c.done(); err != nil {
		return nil, err
	}
	return s.Invite(c.Context(), c.by, m, days)
}

func (s *Service) deleteInvite(c *call) (any, error) {
	id := c.idNumber()
	if err := c.done(); err != nil {
		return nil, err
	}
	return nil, s.RevokeInvite(c.Context(), c.by, c.by.tenant, id)
}

func (s *Service) getDevices(c *call) (any, error) {
	var m crdt.MemberID
	c.id(&m)
	p := c.page()
	if err := c.done(); err != nil {
		return nil, err
	}
	return s.Devices(c.Context(), c.by, m, p)
}

func (s *Service) getDevice(c *call) (any, error) {
	var d crdt.DeviceID
	c.id(&d)
	if err := c.done(); err != nil {
		return nil, err
	}
	return s.Device(c.Context(), c.by, d)
}

func (s *Service) postRevoke(c *call) (any, error) {
	var d crdt.DeviceID
	c.id(&d)
	if err := c.done(); err != nil {
		return nil, err
	}
	return s.Revoke(c.Context(), c.by, d)
}

func (s *Service) getUnsent(c *call) (any, error) {
	var d crdt.DeviceID
	c.id(&d)
	p := c.page()
	if err := c.done(); err != nil {
		return nil, err
	}
	return s.Unsent(c.Context(), c.by, d, p)
}

func (s *Service) postAccept(c *call) (any, error) {
	var d crdt.DeviceID
	c.id(&d)
	p := Page{After: c.parameter("after")}
	if err := c.done(); err != nil {
		return nil, err
	}
	done, err := s.Accept(c.Context(), c.by, d, p)
	if err != nil && done.Taken > 0 {
		done.Failed, err = failure(err, "the rest was not taken over", ""), nil
	}
	return done, err
}

func (s *Service) postDiscard(c *call) (any, error) {
	var d crdt.DeviceID
	c.id(&d)
	if err := c.done(); err != nil {
		return nil, err
	}
	done, err := s.Discard(c.Context(), c.by, d)
	if err != nil && done.Discarded > 0 {
		done.Failed, err = failure(err, "the rest was not set aside", ""), nil
	}
	return done, err
}

func (s *Service) postPair(c *call) (any, error) {
	if err := c.done(); err != nil {
		return nil, err
	}
	return s.Pair(c.Context(), c.device)
}

func (s *Service) getOwnDevices(c *call) (any, error) {
	p := c.page()
	if err := c.done(); err != nil {
		return nil, err
	}
	return s.OwnDevices(c.Context(), c.device, p)
}

func (s *Service) postOwnRevoke(c *call) (any, error) {
	var d crdt.DeviceID
	c.id(&d)
	if err := c.done(); err != nil {
		return nil, err
	}
	return s.RevokeOwn(c.Context(), c.device, d)
}

func (s *Service) postJoin(c *call) (any, error) {
	var code string
	before := len(c.wrong)
	c.field("code", "a text", &code)
	if code == "" && len(c.wrong) == before {
		c.add("code", "is missing: give the one of the invitation")
	}
	name := c.named("device", true)
	if err := c.done(); err != nil {
		return nil, err
	}
	return s.Join(c.Context(), code, name)
}
