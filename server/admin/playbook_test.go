package admin_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"trio/ranking"
	"trio/ranking/playbook"
	"trio/server/admin"
	"trio/server/fit"
	"trio/server/store"
)

// learnt publishes what a night would: a document with a number that was learnt.
func learnt(s *site, doc *playbook.Doc, after uint32) *playbook.Doc {
	s.Helper()
	next, err := playbook.Parse(doc.Encode())
	s.must(err)
	next.Version, next.Fitted = after+1, doc.Version
	next.Ranking.Rules[ranking.NewLead].Base += 200
	_, err = s.st.PublishPlaybook(s.Context(), store.Playbook{Tenant: s.tenant, Version: next.Version, Fitted: next.Fitted, Hash: next.Hash(), By: "a night", Doc: next.Encode()}, after)
	s.must(err)
	return next
}

// TestLearntOverHTTP: programs are given what people wrote, told of what adds to it, and have it carried over.
func TestLearntOverHTTP(t *testing.T) {
	s := newSite(t)
	const path = "/v1/admin/playbook"
	read := func(query string, learnt string) *playbook.Doc {
		t.Helper()
		a := s.ask("GET", path+query, s.key, nil)
		a.into(http.StatusOK, nil)
		d, err := playbook.Parse(a.body)
		s.must(err)
		if a.header.Get("X-Playbook-Version") != fmt.Sprint(d.Version) || a.header.Get("X-Playbook-Learnt") != learnt {
			t.Errorf("%s: %v", query, a.header)
		}
		return d
	}
	var p admin.Published
	s.ask("POST", path, s.key, string(playbook.Default().Encode())).into(http.StatusCreated, &p)
	if p.Carried != nil || p.Unchanged || len(p.Warnings) == 0 {
		t.Errorf("%+v", p)
	}
	written := read("", "")
	fitted := learnt(s, written, written.Version)
	if d := read("", fmt.Sprint(fitted.Version)); d.Hash() != written.Hash() {
		t.Errorf("version %d is shown", d.Version)
	}
	for _, query := range []string{"?learnt=true", fmt.Sprintf("?version=%d", fitted.Version)} {
		if d := read(query, ""); d.Hash() != fitted.Hash() {
			t.Errorf("%s: version %d is shown", query, d.Version)
		}
	}
	s.ask("GET", path+"?learnt=yes", s.key, nil).refused(http.StatusBadRequest, "field", "learnt")
	s.ask("POST", path, s.key, string(fitted.Encode())).refused(http.StatusConflict, "learnt", fmt.Sprintf("on top of version %d", written.Version))
	s.ask("POST", path, s.key, string(written.Encode())).into(http.StatusOK, &p)
	if !p.Unchanged || p.Version != written.Version {
		t.Errorf("%+v", p)
	}
	p = admin.Published{}
	s.ask("POST", fmt.Sprintf("%s?force=true&after=%d", path, written.Version), s.key, string(written.Encode())).into(http.StatusCreated, &p)
	if p.Version != fitted.Version+1 || p.Carried == nil || p.Carried.Version != p.Version+1 || p.Carried.Fitted != p.Version {
		t.Fatalf("%+v", p)
	}
	if d := read("?learnt=true", ""); d.Version != p.Carried.Version || d.Ranking.Rules[ranking.NewLead].Base != fitted.Ranking.Rules[ranking.NewLead].Base {
		t.Errorf("version %d lacks what was learnt", d.Version)
	}
	s.ask("POST", fmt.Sprintf("%s?after=%d", path, written.Version), s.key, strings.Replace(string(written.Encode()), "First", "Second", 1)).refused(http.StatusConflict, "overtaken")

	// What people write of boards, brand, links and margins stands in what devices go by, beside what was learnt.
	more := *written
	more.Brand.Name, more.Boards.Places, more.Boards.Metrics = "Sol", 5, []string{"calls"}
	more.Sharing = playbook.Sharing{Piece: "what"}
	more.Ranking = fit.Copy(written.Ranking)
	more.Ranking.Margin = 40
	s.ask("POST", path, s.key, string(more.Encode())).into(http.StatusCreated, &p)
	theirs, devices := read("", fmt.Sprint(p.Carried.Version)), read("?learnt=true", "")
	if devices.Brand.Name != "Sol" || devices.Boards.Places != 5 || devices.Sharing.Piece != "what" || devices.Ranking.Margin != 40 {
		t.Errorf("devices are given %+v, %+v, %+v, a margin of %d", devices.Brand, devices.Boards, devices.Sharing, devices.Ranking.Margin)
	}
	changes := playbook.Diff(theirs, devices)
	for _, d := range changes {
		if !d.Fitted && d.Path != "version" {
			t.Errorf("carrying over changed %+v", d)
		}
	}
	if len(changes) < 3 { // version, fitted, and what was learnt
		t.Errorf("%+v", changes)
	}
}

// secondFails is a store that takes one playbook.
type secondFails struct {
	store.Store
	err  error
	took int
}

func (f *secondFails) PublishPlaybook(ctx context.Context, p store.Playbook, after uint32) (store.Playbook, error) {
	if f.took++; f.took > 1 {
		return store.Playbook{}, f.err
	}
	return f.Store.PublishPlaybook(ctx, p, after)
}

// TestWhatCannotBeCarriedOverIsNoError: what people published stands, and they are told.
func TestWhatCannotBeCarriedOverIsNoError(t *testing.T) {
	for want, err := range map[string]error{"published meanwhile": store.ErrOvertaken, "could not be stored": store.ErrBusy} {
		s := newSite(t)
		svc, bad := admin.New(admin.Config{Store: s.st})
		s.must(bad)
		first := playbook.Default()
		p, bad := svc.PublishPlaybook(t.Context(), admin.Operator(), s.tenant, first.Encode(), admin.Publishing{})
		s.must(bad)
		first.Version = p.Version
		learnt(s, first, p.Version)
		svc, bad = admin.New(admin.Config{Store: &secondFails{Store: s.st, err: err}})
		s.must(bad)
		first.Name = "Second"
		p, bad = svc.PublishPlaybook(t.Context(), admin.Operator(), s.tenant, first.Encode(), admin.Publishing{})
		if bad != nil || p.Carried != nil || !strings.Contains(p.NotCarried, want) {
			t.Errorf("%+v: %v", p, bad)
		}
	}
}
