package desktop_test

import (
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"trio/crdt"
)

// invitation returns the code of a new invitation of the member, and its link.
func (s *site) invitation(m crdt.MemberID) (code, link string) {
	s.Helper()
	_, code, err := s.st.CreateInvite(s.Context(), m, crdt.DeviceID{}, time.Now().Add(time.Hour))
	if err != nil {
		s.Fatal(err)
	}
	return code, s.url + "/join#" + code
}

func find(t *testing.T, pattern, text string) string {
	t.Helper()
	m := regexp.MustCompile(pattern).FindStringSubmatch(text)
	if m == nil {
		t.Fatalf("%s is not in %s", pattern, text)
	}
	return m[1]
}

// TestDevicePair: a computer joins by the link of an invitation, a second one by the link that the first prints, a third by
// a code; each has the book, and a lost one loses its access.
func TestDevicePair(t *testing.T) {
	s := newSite(t)
	code, link := s.invitation(s.member)
	s.fails(cmd("join", s.url, "AAAA-AAAA-AAAA"), 1, true, "does not know this code", "new invitation")
	s.fails(cmd("join", s.url+"/join"), 2, true, "is not the link of an invitation", "put it in quotes")
	s.fails(cmd("join", "ftp://x/join#"+code), 2, true, "is not a URL")
	s.fails(cmd("join", "http://127.0.0.1:1/join#"+code), 1, true, "server not reached")
	if _, err := os.Stat(s.dir); err == nil {
		t.Error("a join that failed left a folder")
	}
	s.ok(cmd("join", link), "a device of Maya Reyes", "0 only on this device")
	s.ok(cmd("add", "Ana", "López", "+34612345678"))
	s.ok(cmd("sync"))
	first := s.dir
	s.fails(cmd("join", link), 1, true, "is a device already; the server was not asked", "choose another folder")

	out := s.ok(cmd("pair"), "On the other device, until ", "▀")
	second := filepath.Join(t.TempDir(), "second")
	s.dir = second
	s.fails(cmd("join", link), 1, true, "not good any more", "ask for a new one")
	s.ok(cmd("join", find(t, `join "(\S+)"`, out)), "a device of Maya Reyes")
	s.ok(cmd("list"), "Ana López")
	s.dir = first
	top := s.ok(cmd("top"))
	s.dir = second
	if got := s.ok(cmd("top")); got != top || !strings.Contains(top, "Ana") {
		t.Errorf("the first suggests\n%s\nthe second\n%s", top, got)
	}

	code = find(t, `code +(\S+)`, s.ok(cmd("pair")))
	third := filepath.Join(t.TempDir(), "third")
	s.dir = third
	s.ok(cmd("join", s.url, strings.ToLower(code)), "a device of Maya Reyes")
	s.ok(cmd("list"), "Ana López")

	host, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	out = s.ok(cmd("devices"), "DEVICE", "this one", host)
	if n := strings.Count(out, "\n"); n != 5 {
		t.Errorf("%d lines of devices: %s", n, out)
	}
	s.fails(cmd("revoke", host), 1, true, "is 3 of your devices")
	s.fails(cmd("revoke", "nobody's"), 1, true, "none of your devices")
	lost := find(t, `(?m)^(\S+) .* active `, out)
	s.ok(cmd("revoke", lost), "was taken back")
	s.fails(cmd("revoke", lost), 1, true, "none of your devices")
	s.ok(cmd("devices"), "revoked")
	s.ok(cmd("revoke", find(t, `(?m)^(\S+) .*this one`, out)), "this device is signed out")
	s.fails(cmd("pair"), 1, true, "was taken back", "ask for a new invitation")
	s.fails(cmd("devices"), 1, true, "was taken back")
}

// TestDeviceJoinCut: when the connection breaks after the code was redeemed, the computer is a device all the same, and has
// only to sync.
func TestDeviceJoinCut(t *testing.T) {
	s := newSite(t)
	to, err := url.Parse(s.url)
	if err != nil {
		t.Fatal(err)
	}
	pass := httputil.NewSingleHostReverseProxy(to)
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/v1/device" {
			panic(http.ErrAbortHandler)
		}
		pass.ServeHTTP(w, r)
	}))
	defer web.Close()
	code, _ := s.invitation(s.member)
	s.fails(cmd("join", web.URL+"/join#"+code), 1, true, "server not reached")
	s.ok(cmd("sync"), " 0 only on this device")
	s.ok(cmd("add", "Ana"))
	s.ok(cmd("sync"), " 0 only on this device")
}
