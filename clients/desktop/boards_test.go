package desktop_test

import (
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"sync/atomic"
	"testing"
	"time"

	"trio/server/board"
	"trio/server/store"
)

// TestDeviceBoards: boards and a team on a command line, with the server and without it, and for who wants to be on none.
func TestDeviceBoards(t *testing.T) {
	s := newSite(t)
	to, err := url.Parse(s.url)
	if err != nil {
		t.Fatal(err)
	}
	var away atomic.Bool
	pass := httputil.NewSingleHostReverseProxy(to)
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if away.Load() {
			panic(http.ErrAbortHandler)
		}
		pass.ServeHTTP(w, r)
	}))
	defer web.Close()
	s.ok(cmd("join", web.URL, s.newDevice(s.member)))
	maya := s.dir
	id, err := s.st.CreateMember(t.Context(), store.Member{Tenant: s.tenant, Name: "Ben Okafor", Sponsor: s.member})
	if err != nil {
		t.Fatal(err)
	}
	s.dir = t.TempDir() + "/ben"
	s.ok(cmd("join", web.URL, s.newDevice(id)))
	s.ok(cmd("goal", "share", "1"))
	s.ok(cmd("done", "share"))
	s.ok(cmd("sync"))
	fold := func() {
		t.Helper()
		if _, err := (&board.Boards{Store: s.st, Now: time.Now}).Fold(t.Context(), s.tenant); err != nil {
			t.Fatal(err)
		}
	}
	fold()
	s.dir = maya
	s.ok(cmd("boards"), "SHARES · company · week", "1  Ben O.", "GOAL DAYS", "RECOGNISED", "First goal day")
	s.ok(cmd("team"), "Ben Okafor", "shares 1/", "“Ben: the first goal day is done, great start”")
	away.Store(true)
	s.ok(cmd("boards"), "the server is not reached: this is as of 20", "1  Ben O.")
	s.ok(cmd("profile", "language=es"), "boards    -")
	s.ok(cmd("team"), "no se llega al servidor", "“Ben: primer día cumplido")
	away.Store(false)
	s.fails(cmd("profile", "boards=maybe"), 1, false, "want on or off")
	s.dir = t.TempDir() + "/nobody"
	away.Store(true)
	s.fails(cmd("team"), 1, true, "")
}
