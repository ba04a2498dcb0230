package ops

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"trio/crdt"
	"trio/crdt/wire"
	"trio/server/store"
)

// fake is a store that knows one company and three devices, and answers as it is told.
type fake struct {
	store.Store
	ack    store.Ack
	err    error
	health int // times asked
}

func (f *fake) Append(context.Context, crdt.MemberID, []store.Item) (store.Ack, error) {
	return f.ack, f.err
}

func (f *fake) Feed(context.Context, store.Tenant, string, int) ([]store.Activity, string, error) {
	return make([]store.Activity, 3), "", f.err
}

func (f *fake) Health(context.Context) error { f.health++; return f.err }

func (f *fake) APIKeyBySecret(_ context.Context, key string) (store.APIKey, error) {
	if f.err == nil && key != "key" {
		return store.APIKey{}, store.ErrNotFound
	}
	return store.APIKey{Tenant: 1, Scopes: []store.Scope{store.ScopeFeed}}, f.err
}

func (f *fake) DeviceByToken(_ context.Context, token string) (store.Device, error) {
	switch {
	case f.err != nil:
	case token == "other":
		return store.Device{ID: crdt.DeviceID{1}}, nil
	case token == "revoked":
		return store.Device{ID: crdt.DeviceID{2}, Revoked: true}, nil
	case token != "token":
		return store.Device{}, store.ErrNotFound
	}
	return store.Device{Name: "phone"}, f.err
}

func scrape(t *testing.T, m *Metrics) string {
	t.Helper()
	w := httptest.NewRecorder()
	m.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	return w.Body.String()
}

func wantMetrics(t *testing.T, m *Metrics, lines ...string) {
	t.Helper()
	got := scrape(t, m)
	for _, l := range lines {
		if !strings.Contains(got, "\n"+l+"\n") {
			t.Errorf("no line %q", l)
		}
	}
}

// TestMeter: every push and page is counted once, and passes as it is.
func TestMeter(t *testing.T) {
	m, f := NewMetrics(), &fake{}
	st := Meter(f, m)
	f.ack = store.Ack{New: 3, Dup: 2, Rejected: []store.Rejection{{Code: wire.CodeSequence}, {Code: wire.CodeDeps}, {Code: wire.CodeDeps}, {Code: 999}}}
	if ack, err := st.Append(t.Context(), crdt.MemberID{}, nil); err != nil || ack.New != 3 {
		t.Errorf("%v %v", ack, err)
	}
	st.Feed(t.Context(), 1, "", 10) //nolint:errcheck // the count is looked at
	for _, f.err = range []error{store.ErrBusy, fmt.Errorf("push: %w", store.ErrQuota), fmt.Errorf("write: %w", store.ErrFull), store.ErrClosed, io.ErrUnexpectedEOF} {
		if _, err := st.Append(t.Context(), crdt.MemberID{}, nil); !errors.Is(err, f.err) {
			t.Error(err)
		}
	}
	wantMetrics(t, m, "trio_changes_stored_total 3", "trio_changes_duplicate_total 2", `trio_changes_refused_total{code="dependencies"} 2`,
		`trio_changes_refused_total{code="sequence"} 1`, `trio_changes_refused_total{code="other"} 1`, "trio_feed_records_total 3",
		"trio_push_seconds_count 1", `trio_pushes_failed_total{reason="busy"} 1`, `trio_pushes_failed_total{reason="full"} 1`, `trio_pushes_failed_total{reason="quota"} 1`,
		`trio_pushes_failed_total{reason="other"} 2`)
}

// TestPacer: a device that pushes more than its share waits for its turn, and no other does; together they wait for their
// company's. The rate holds in the long run, and nobody has to wait long once a rush is over.
func TestPacer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := NewPacer(Limits{Changes: Rate{PerSecond: 100, Burst: 5000}, CompanyChanges: Rate{PerSecond: 1000, Burst: 20000}})
		push := func(dev store.Device, changes int) (slept time.Duration) {
			for {
				wait, ok := p.Turn(dev, changes)
				time.Sleep(wait)
				if slept += wait; ok {
					return slept
				}
			}
		}
		dev := func(n byte, company store.Tenant) store.Device {
			return store.Device{ID: crdt.DeviceID{n}, Tenant: company}
		}
		for i := range 5 {
			if w := push(dev(1, 1), 1000); w != 0 {
				t.Fatalf("push %d within the burst waits %v", i, w)
			}
		}
		if w := push(dev(1, 1), 500); w != 5*time.Second {
			t.Errorf("500 changes beyond the burst wait %v, want 5s", w)
		}
		began := time.Now()
		for range 10 {
			push(dev(1, 1), 4000)
		}
		if took := time.Since(began); took < 390*time.Second || took > 410*time.Second {
			t.Errorf("40000 changes at 100/s take %v", took)
		}
		if w := push(dev(2, 1), 4000); w != 0 {
			t.Errorf("another device waits %v", w)
		}
		var rush sync.WaitGroup
		began = time.Now()
		for n := range byte(20) {
			rush.Go(func() { push(dev(10+n, 2), 4096) })
		}
		rush.Wait()
		if took := time.Since(began); took < 61*time.Second || took > 75*time.Second {
			t.Errorf("%d changes of a company at 1000/s, 20000 at once, take %v", 20*4096, took)
		}
		if w := push(dev(99, 2), 1); w > maxAhead+time.Second {
			t.Errorf("after the rush one change waits %v", w)
		}
		if w := push(dev(1, 3), 1); w > maxAhead {
			t.Errorf("another company waits %v", w)
		}
	})
}

// TestLimiter: turns come back with time, callers do not share them, and only so many callers are kept.
func TestLimiter(t *testing.T) {
	l := newLimiter[int](Rate{PerSecond: 2, Burst: 2})
	l.max = 3
	now := time.Now()
	take := func(k int, want bool, wantWait, pace time.Duration) {
		t.Helper()
		if wait, ok := l.take(k, now, pace); ok != want || wait.Round(time.Millisecond) != wantWait {
			t.Errorf("caller %d: %v, %v, want %v, %v", k, ok, wait, want, wantWait)
		}
	}
	take(1, true, 0, 0)
	take(1, true, 0, 0)
	take(1, false, 500*time.Millisecond, 0)
	take(1, false, 500*time.Millisecond, 0) // a refusal costs no turn
	take(1, true, 500*time.Millisecond, time.Second)
	take(2, true, 0, 0)
	now = now.Add(time.Second)
	take(1, true, 0, 0)
	take(1, false, 500*time.Millisecond, 0)
	for k := range 100 {
		take(k+10, true, 0, 0)
	}
	if len(l.callers) != 3 || l.recent.Len() != 3 {
		t.Errorf("%d callers are kept", len(l.callers))
	}
	take(1, true, 0, 0) // forgotten
	for wait, want := range map[time.Duration]string{0: "1", time.Millisecond: "1", 1001 * time.Millisecond: "2", time.Minute: "60"} {
		if got := retryAfter(wait); got != want {
			t.Errorf("Retry-After %s for %v, want %s", got, wait, want)
		}
	}
}

// TestStrangers: who has many networks gets no more than the wide one that they are in, and when more come than are
// remembered, they share; others of before keep their turns.
func TestStrangers(t *testing.T) {
	s, now := newStrangers(Rate{5, 100}), time.Now()
	at := func(n uint64) netip.Addr {
		var b [16]byte
		binary.BigEndian.PutUint64(b[:], n)
		return netip.AddrFrom16(b)
	}
	try := func(what string, want, n int, addr func(i int) netip.Addr) {
		t.Helper()
		passed := 0
		for i := range n {
			if _, ok := s.take(addr(i), now); ok {
				passed++
			}
		}
		if passed != want {
			t.Errorf("%s: %d of %d passed at once, want %d", what, passed, n, want)
		}
	}
	const site = 0x20010db8_0001_0000
	try("one /64", 100, 200, func(int) netip.Addr { return at(site) })
	try("its /48", 900, 1<<18, func(i int) netip.Addr { return at(site + uint64(i&0xffff)) })
	if n := len(s[2].callers); n > 1001 {
		t.Errorf("one /48 has %d places", n)
	}
	try("its /32", 9000, 1<<18, func(i int) netip.Addr { return at(0x20010db8<<32 + uint64(i&0xffff)<<16) })
	try("an IPv4 address", 100, 200, func(int) netip.Addr { return netip.MustParseAddr("203.0.113.9") })
	// More than are remembered, each but once: those that find no place have one bucket.
	seen := len(s[2].callers)
	try("many IPv4 addresses", maxCallers-seen+100, 1<<17, func(i int) netip.Addr {
		var b [4]byte
		binary.BigEndian.PutUint32(b[:], 10<<24+uint32(i))
		return netip.AddrFrom4(b)
	})
	try("the address of before", 0, 100, func(int) netip.Addr { return netip.MustParseAddr("203.0.113.9") })
	now = now.Add(time.Minute)
	try("a new address once the others are quiet", 100, 200, func(int) netip.Addr { return netip.MustParseAddr("203.0.113.10") })
}

// TestPace: a company that pulls too fast is slowed down first, and refused only beyond.
func TestPace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := NewGuard(GuardConfig{
			Store: &fake{}, Log: slog.New(slog.DiscardHandler), Metrics: NewMetrics(), Limits: Limits{Company: Rate{PerSecond: 1, Burst: 1}},
		})
		h := g.Wrap(Route{Name: "feed", Access: Companies}, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {}))
		answers := make(chan *httptest.ResponseRecorder)
		began := time.Now()
		for range 7 {
			go func() {
				w, r := httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/v1/feed", nil)
				r.Header.Set("Authorization", "Bearer key")
				h.ServeHTTP(w, r)
				answers <- w
			}()
		}
		served, refused := 0, 0
		for range 7 {
			if w := <-answers; w.Code == http.StatusOK {
				served++
			} else if refused++; w.Code != http.StatusTooManyRequests || w.Header().Get("Retry-After") != "6" {
				t.Errorf("%d %v", w.Code, w.Header())
			}
		}
		if took := time.Since(began).Round(time.Millisecond); served != 6 || refused != 1 || took != 5*time.Second {
			t.Errorf("%d served, %d refused in %v", served, refused, took)
		}
	})
}

// TestScope: a key that lacks the scope of a route is refused by a sentence that names it; the others are told to the route.
func TestScope(t *testing.T) {
	g := NewGuard(GuardConfig{Store: &fake{}, Log: slog.New(slog.DiscardHandler), Metrics: NewMetrics()})
	for _, tt := range []struct {
		key    string
		scope  store.Scope
		status int
		body   string
	}{
		{"key", store.ScopeFeed, http.StatusOK, "1 true"},
		{"key", "", http.StatusOK, "1 true"},
		{"key", store.ScopePeople, http.StatusForbidden, `the key lacks the scope \"people\"`},
		{"stranger", store.ScopePeople, http.StatusOK, "0 false"},
		{"", store.ScopePeople, http.StatusOK, "0 false"},
	} {
		w, r := httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/", nil)
		r.Header.Set("Authorization", "Bearer "+tt.key)
		g.Wrap(Route{Name: "x", Access: Companies, Scope: tt.scope}, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			k, ok := Key(r.Context())
			fmt.Fprint(w, k.Tenant, ok)
		})).ServeHTTP(w, r)
		if w.Code != tt.status || !strings.Contains(w.Body.String(), tt.body) {
			t.Errorf("%+v: %d %s", tt, w.Code, w.Body)
		}
	}
}

// TestTooLargeInPieces: whoever sends a body without saying how long it is is told that it is too large when it is, and not only once
// the body has ended.
func TestTooLargeInPieces(t *testing.T) {
	g := NewGuard(GuardConfig{Store: &fake{}, Log: slog.New(slog.DiscardHandler), Metrics: NewMetrics()})
	s := httptest.NewServer(g.Wrap(Route{Name: "x", Access: Devices, Body: 10}, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, err := io.ReadAll(r.Body); err != nil {
			Refuse(w, r, http.StatusRequestEntityTooLarge, "limit", "too large", "send less")
		}
	})))
	defer s.Close()
	c, err := net.Dial("tcp", s.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(20 * time.Second)) //nolint:errcheck // the read says it
	fmt.Fprintf(c, "POST / HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer token\r\nTransfer-Encoding: chunked\r\n\r\n14\r\n%s\r\n", strings.Repeat("x", 20))
	res, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatalf("no answer while the body goes on: %v", err)
	}
	if res.Body.Close(); res.StatusCode != http.StatusRequestEntityTooLarge || !res.Close {
		t.Errorf("%s, and the connection ends: %v", res.Status, res.Close)
	}
}

// TestWatchStore: one look at the store makes all its metrics.
func TestWatchStore(t *testing.T) {
	m, looks := NewMetrics(), 0
	m.WatchStore(func() store.Stats {
		looks++
		return store.Stats{Queued: 3, Groups: 5, Pushes: 7, Changes: 11, Slowest: 250 * time.Millisecond}
	})
	wantMetrics(t, m, "trio_store_queue 3", "trio_store_commits_total 5", "trio_store_pushes_total 7", "trio_store_changes_total 11",
		"trio_store_slowest_commit_seconds 0.25")
	if looks != 1 {
		t.Errorf("%d looks", looks)
	}
}

// TestAddr: only what a trusted proxy says is believed, and only its last word.
func TestAddr(t *testing.T) {
	g := NewGuard(GuardConfig{Proxies: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("::1/128")}})
	for _, tt := range []struct {
		peer  string
		hops  []string
		want  string
		group string
	}{
		{"203.0.113.9:1", nil, "203.0.113.9", "203.0.113.9/32"},
		{"203.0.113.9:1", []string{"198.51.100.1"}, "203.0.113.9", "203.0.113.9/32"},
		{"10.0.0.1:1", nil, "10.0.0.1", "10.0.0.1/32"},
		{"10.0.0.1:1", []string{"198.51.100.1"}, "198.51.100.1", "198.51.100.1/32"},
		{"10.0.0.1:1", []string{"1.1.1.1, 198.51.100.1", "10.9.9.9"}, "198.51.100.1", "198.51.100.1/32"},
		{"10.0.0.1:1", []string{"198.51.100.1, rubbish"}, "10.0.0.1", "10.0.0.1/32"},
		{"[::1]:1", []string{"2001:db8:1:2:3::4"}, "2001:db8:1:2:3::4", "2001:db8:1:2::/64"},
		{"10.0.0.1:1", []string{"198.51.100.1:5678"}, "198.51.100.1", "198.51.100.1/32"},
		{"10.0.0.1:1", []string{"198.51.100.1:5678, 10.9.9.9:80"}, "198.51.100.1", "198.51.100.1/32"},
		{"10.0.0.1:1", []string{"[2001:db8:1:2:3::4]:5678"}, "2001:db8:1:2:3::4", "2001:db8:1:2::/64"},
		{"10.0.0.1:1", []string{"[2001:db8:1:2:3::4]"}, "2001:db8:1:2:3::4", "2001:db8:1:2::/64"},
		{"10.0.0.1:1", []string{"[::ffff:198.51.100.1]:1"}, "198.51.100.1", "198.51.100.1/32"},
		{"10.0.0.1:1", []string{"198.51.100.1:rubbish"}, "10.0.0.1", "10.0.0.1/32"},
		{"[::ffff:203.0.113.9]:1", nil, "203.0.113.9", "203.0.113.9/32"},
		{"[fe80::1%eth0]:1", nil, "fe80::1", "fe80::/64"},
		{"pipe", nil, "invalid IP", "invalid Prefix"},
	} {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.RemoteAddr = tt.peer
		r.Header["X-Forwarded-For"] = tt.hops
		if a := g.addr(r); a.String() != tt.want || network(a).String() != tt.group {
			t.Errorf("%s %q: %s in %s, want %s in %s", tt.peer, tt.hops, a, network(a), tt.want, tt.group)
		}
	}
}

// TestFailures: a panic is answered and logged with the request's id; a store that fails is not a caller's fault.
func TestFailures(t *testing.T) {
	var out bytes.Buffer
	f := &fake{}
	g := NewGuard(GuardConfig{Store: f, Log: slog.New(slog.NewTextHandler(&out, nil)), Metrics: NewMetrics()})
	ask := func(rt Route, h http.HandlerFunc) *httptest.ResponseRecorder {
		out.Reset()
		w, r := httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/", nil)
		r.Header.Set("Authorization", "Bearer token")
		r.Header.Set("X-Request-Id", "r1")
		g.Wrap(rt, h).ServeHTTP(w, r)
		return w
	}
	w := ask(Route{Name: "x"}, func(http.ResponseWriter, *http.Request) { panic("no") })
	if w.Code != http.StatusInternalServerError || !strings.Contains(w.Body.String(), `"request":"r1"`) || !strings.Contains(out.String(), `panic=no`) {
		t.Errorf("%d %s %s", w.Code, w.Body, out.String())
	}
	func() {
		defer func() {
			if recover() != http.ErrAbortHandler { //nolint:errorlint // net/http compares it so
				t.Error("an answer that was cut is not cut")
			}
		}()
		ask(Route{Name: "x"}, func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
	}()
	if w := ask(Route{Name: "x", Access: Devices}, func(w http.ResponseWriter, r *http.Request) {
		d, ok := Caller(r.Context())
		fmt.Fprint(w, d.Name, ok, RequestID(r.Context()))
	}); w.Body.String() != "phonetruer1" {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	f.err = errors.New("disk is gone")
	for _, a := range []Access{Devices, Companies} {
		w := ask(Route{Name: "x", Access: a}, func(http.ResponseWriter, *http.Request) { t.Error("it was let in") })
		if w.Code != http.StatusServiceUnavailable || w.Header().Get("Retry-After") == "" || strings.Contains(w.Body.String(), "disk") || !strings.Contains(out.String(), "disk is gone") {
			t.Errorf("%d %s %s", w.Code, w.Body, out.String())
		}
	}
}

// TestReady: the store is asked at most once a second, and not at all by a server that goes down.
func TestReady(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{}
		h := NewHealth(f, slog.New(slog.DiscardHandler))
		ready := func() (int, string) {
			w := httptest.NewRecorder()
			h.Ready(w, nil)
			return w.Code, strings.TrimSpace(w.Body.String())
		}
		for range 10 {
			if code, body := ready(); code != 200 {
				t.Error(code, body)
			}
		}
		f.err = store.ErrFull
		if code, _ := ready(); code != 200 || f.health != 1 {
			t.Errorf("status %d, asked %d times", code, f.health)
		}
		time.Sleep(2 * time.Second)
		if code, body := ready(); code != 503 || !strings.Contains(body, "does not take writes") || f.health != 2 {
			t.Errorf("status %d %s, asked %d times", code, body, f.health)
		}
		time.Sleep(2 * time.Second)
		h.Drain()
		if code, body := ready(); code != 503 || !strings.Contains(body, "draining") || f.health != 2 {
			t.Errorf("status %d %s, asked %d times", code, body, f.health)
		}
	})
}

// TestListener: what goes over a connection is counted, a crowd is told apart, and far beyond it nobody is read.
func TestListener(t *testing.T) {
	tcp, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	m := NewMetrics()
	l := Listen(tcp, m, ListenConfig{Connections: 2, Unknown: 100})
	defer l.Close()
	accepted := make(chan net.Conn, 100)
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			accepted <- c
		}
	}()
	var mine, theirs []net.Conn
	dial := func() net.Conn {
		c, err := net.Dial("tcp", tcp.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		mine = append(mine, c)
		return c
	}
	for i := range 18 {
		if crowded := l.Crowded(); crowded != (i > 2) {
			t.Errorf("%d connections: crowded is %v", i, crowded)
		}
		dial()
		theirs = append(theirs, <-accepted)
	}
	if _, err := dial().Read(make([]byte, 1)); err == nil {
		t.Error("the nineteenth was read")
	}
	if _, err := theirs[0].Write([]byte("hello")); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(mine[0], make([]byte, 5)); err != nil {
		t.Fatal(err)
	}
	if _, err := mine[0].Write([]byte("hi")); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(theirs[0], make([]byte, 2)); err != nil {
		t.Fatal(err)
	}
	wantMetrics(t, m, "trio_connections 18", "trio_connections_dropped_total 1", "trio_sent_bytes_total 5", "trio_received_bytes_total 2")
	for _, c := range append(theirs, theirs...) { // closing twice counts once
		c.Close()
	}
	if l.Crowded() {
		t.Error("crowded with nobody there")
	}
	wantMetrics(t, m, "trio_connections 0")
	for _, c := range mine {
		c.Close()
	}
}

// TestCrowded: a crowd does not keep out whose token is good; no stranger's connection stays open.
func TestCrowded(t *testing.T) {
	g := NewGuard(GuardConfig{Store: &fake{}, Log: slog.New(slog.DiscardHandler), Metrics: NewMetrics(), Crowded: func() bool { return true }})
	for _, tt := range []struct {
		rt     Route
		token  string
		status int
		close  bool
	}{
		{Route{Name: "x", Access: Devices}, "token", 200, false},
		{Route{Name: "x", Access: Companies}, "key", 200, false},
		{Route{Name: "x", Access: Companies}, "stranger", 503, true},
		{Route{Name: "x"}, "", 503, true},
		{Route{Name: "x", Quiet: true}, "", 200, true},
	} {
		w, r := httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/", nil)
		r.Header.Set("Authorization", "Bearer "+tt.token)
		g.Wrap(tt.rt, http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})).ServeHTTP(w, r)
		if w.Code != tt.status || (w.Header().Get("Connection") == "close") != tt.close {
			t.Errorf("%+v: %d %v", tt, w.Code, w.Header())
		}
	}
}

// TestOneToken: whoever has one token, good or taken back, holds few connections with it, and nobody else is kept out.
func TestOneToken(t *testing.T) {
	for _, tt := range []struct {
		access Access
		token  string
		limits Limits
		open   int // of 60 that were tried
	}{
		{Devices, "token", Limits{Device: Rate{1, 1000}}, kept},
		{Devices, "token", Limits{Device: Rate{0.001, 10}}, 10},
		{Devices, "revoked", Limits{Device: Rate{1, 1000}}, 0},
		{Companies, "key", Limits{Company: Rate{1, 1000}}, kept},
		{Devices, "stranger", Limits{}, 0},
	} {
		t.Run(tt.token, func(t *testing.T) {
			m := NewMetrics()
			var l *Listener
			guard := NewGuard(GuardConfig{
				Store: &fake{}, Log: slog.New(slog.DiscardHandler), Metrics: m, Limits: tt.limits, Crowded: func() bool { return l.Crowded() },
			})
			s := httptest.NewUnstartedServer(guard.Wrap(Route{Name: "x", Access: tt.access}, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				d, device := Caller(r.Context())
				_, company := Key(r.Context())
				switch {
				case r.Header.Get("Upgrade") != "":
					if _, _, err := http.NewResponseController(w).Hijack(); err != nil {
						t.Error(err)
					}
				case d.Revoked || !device && !company:
					w.WriteHeader(http.StatusUnauthorized)
				}
			})))
			defer s.Close()
			s.Config.ConnContext = ConnContext
			l = Listen(s.Listener, m, ListenConfig{Connections: 40, Unknown: 8})
			s.Listener = l
			s.Start()
			ask := func(token, header string) net.Conn {
				t.Helper()
				c, err := net.Dial("tcp", l.Addr().String())
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { c.Close() })
				c.SetDeadline(time.Now().Add(20 * time.Second)) //nolint:errcheck // the read says it
				fmt.Fprintf(c, "GET / HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\n%s\r\n", token, header)
				if header == "" {
					res, err := http.ReadResponse(bufio.NewReader(c), nil)
					if err != nil {
						t.Fatal(err)
					}
					res.Body.Close()
				}
				return c
			}
			open := func(what string, want int) {
				t.Helper()
				got := int64(-1)
				for range 10_000 {
					if got = l.open.Load(); got == int64(want) {
						return
					}
					time.Sleep(2 * time.Millisecond)
				}
				t.Errorf("%s: %d connections are open, want %d", what, got, want)
			}
			var all []net.Conn
			for range 60 {
				all = append(all, ask(tt.token, ""))
			}
			open("one token", tt.open)
			ask("other", "")
			if tt.access == Devices {
				open("another one's", tt.open+1)
				if tt.open == kept { // which others bound
					ask("token", "Upgrade: x\r\n")
					open("a WebSocket", tt.open+2)
					n := -1
					for range 10_000 {
						l.mu.Lock()
						n = len(l.networks)
						l.mu.Unlock()
						if n == 0 {
							break
						}
						time.Sleep(2 * time.Millisecond) // it is counted from when it is accepted until its request was read
					}
					if n != 0 {
						t.Error("a WebSocket of a good token counts among those that have shown none")
					}
				}
			}
			for _, c := range all {
				c.Close()
			}
			for range 10_000 {
				l.mu.Lock()
				n := len(l.callers)
				l.mu.Unlock()
				if n <= 1 {
					return
				}
				time.Sleep(2 * time.Millisecond)
			}
			t.Error("who has left is remembered")
		})
	}
}

// TestNeighbours: however many connections one address opens, it keeps no other of its network out; and of its own those that
// say nothing give way before those that are slow.
func TestNeighbours(t *testing.T) {
	for _, v := range []struct{ flood, near, far string }{
		{"203.0.113.66", "203.0.113.%d", "203.0.114.%d"},
		{"2001:db8:1:2::66", "2001:db8:1:1%d::1", "2001:db8:2:%d::1"},
	} {
		t.Run(v.flood, func(t *testing.T) {
			const places = 64
			l := Listen(nil, NewMetrics(), ListenConfig{Unknown: places})
			now := time.Now()
			come := func(ip string) (c, late *countedConn, ok bool) {
				c = &countedConn{Conn: remote{addr: net.TCPAddrFromAddrPort(netip.AddrPortFrom(netip.MustParseAddr(ip), 1))}, l: l}
				late, ok = l.admit(c, now)
				return c, late, ok
			}
			served := 0
			for i := range 1000 { // 100 a second
				now = now.Add(10 * time.Millisecond)
				if _, _, ok := come(v.flood); ok {
					served++
				}
				if i%20 > 0 {
					continue
				}
				c, late, ok := come(fmt.Sprintf(v.near, i%200))
				if !ok || late != nil && late.address == c.address {
					t.Fatalf("after %d connections of one address another one is kept out", i+1)
				}
				l.forget(c) // it shows its token
			}
			if served < 900 {
				t.Errorf("%d of 1000 connections of one address were taken, of which each had given up its place long ago", served)
			}

			// All are young: the address keeps its share, others take the rest, and each other's only with time.
			now = now.Add(time.Hour)
			for range places {
				come(v.flood)
			}
			var spoke []*countedConn
			for i := range 100 {
				c, late, ok := come(fmt.Sprintf(v.near, 1+i%7))
				if want := i < 7*places/share; ok != want {
					t.Fatalf("connection %d of seven others: taken is %v", i, ok)
				}
				if late != nil && late.address == c.address {
					t.Error("one gives way to its own address")
				}
				if ok && i%7 == 0 {
					c.spoke.Store(true)
					spoke = append(spoke, c)
				}
			}
			now = now.Add(silence)
			for range 100 {
				c, late, ok := come(fmt.Sprintf(v.near, 1))
				if ok && late == nil || late != nil && late.spoke.Load() {
					t.Fatal("one that has begun to speak gives way to one that has not")
				}
				if ok {
					c.spoke.Store(true)
				}
			}
			if spoke[0].place == nil {
				t.Error("one that has begun to speak has lost its place")
			}
			now = now.Add(patience)
			if _, _, ok := come(v.flood); !ok {
				t.Error("who is slow for ever keeps its place")
			}
			if _, late, ok := come(fmt.Sprintf(v.far, 1)); !ok || late != nil {
				t.Error("another network is touched")
			}
		})
	}
}

// remote is a connection of an address.
type remote struct {
	net.Conn
	addr net.Addr
}

func (r remote) RemoteAddr() net.Addr { return r.addr }

// TestUnproved: a network whose addresses open connections and say nothing has so many and no more; it keeps out nobody of
// another network, nobody who has shown a token, and others of its own until they are slow. TestNeighbours says what one
// address can do.
func TestUnproved(t *testing.T) {
	for _, secure := range []bool{false, true} {
		t.Run(fmt.Sprint("tls ", secure), func(t *testing.T) {
			const places = 4
			m := NewMetrics()
			guard := NewGuard(GuardConfig{Store: &fake{}, Log: slog.New(slog.DiscardHandler), Metrics: m})
			s := httptest.NewUnstartedServer(guard.Wrap(Route{Name: "x", Access: Devices}, http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})))
			defer s.Close()
			s.Config.ConnContext = ConnContext
			l := Listen(s.Listener, m, ListenConfig{Connections: 1000, Unknown: places, Proxies: []netip.Prefix{netip.MustParsePrefix("127.0.9.0/24")}})
			l.patient, l.silent = time.Hour, time.Hour
			if s.Listener = l; secure {
				s.StartTLS()
			} else {
				s.Start()
			}
			// from opens a connection of an address; it ends with the test.
			from := func(ip string) net.Conn {
				t.Helper()
				d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(ip)}}
				c, err := d.Dial("tcp", s.Listener.Addr().String())
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { c.Close() })
				if secure {
					c = tls.Client(c, &tls.Config{InsecureSkipVerify: true}) //nolint:gosec // a test's own
				}
				return c
			}
			ask := func(c net.Conn, token string) (status int, err error) {
				c.SetDeadline(time.Now().Add(20 * time.Second)) //nolint:errcheck // the read says it
				if _, err := fmt.Fprintf(c, "GET / HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\n\r\n", token); err != nil {
					return 0, err
				}
				res, err := http.ReadResponse(bufio.NewReader(c), nil)
				if err != nil {
					return 0, err
				}
				return res.StatusCode, res.Body.Close()
			}
			served := func(what string, c net.Conn, token string) {
				t.Helper()
				if status, err := ask(c, token); err != nil || status != http.StatusOK {
					t.Errorf("%s: %d, %v", what, status, err)
				}
			}
			closed := func(what string, c net.Conn) {
				t.Helper()
				if status, err := ask(c, "token"); err == nil {
					t.Errorf("%s: served with %d", what, status)
				}
			}
			waiting := func(n int) {
				t.Helper()
				for range 2000 {
					l.mu.Lock()
					got := 0
					for _, all := range l.networks {
						got += all.Len()
					}
					l.mu.Unlock()
					if got == n {
						return
					}
					time.Sleep(5 * time.Millisecond)
				}
				t.Fatalf("never %d connections that have proved nothing", n)
			}

			// Who shows a token takes no place, however many there are.
			var devices []net.Conn
			for i := range 2 * places {
				c := from(fmt.Sprintf("127.0.1.%d", i+1))
				served("a device", c, "token")
				devices = append(devices, c)
			}
			waiting(0)
			var mute []net.Conn
			for i := range places {
				mute = append(mute, from(fmt.Sprintf("127.0.1.%d", 100+i)))
			}
			served("a caller with a wrong token", mute[0], "stranger")
			waiting(places)
			closed("one more while all are young", from("127.0.1.200"))
			served("another network's", from("127.0.2.1"), "token")
			served("a device that was there before", devices[0], "token")
			for range 3 * places {
				from("127.0.9.1") // a proxy
			}
			served("a proxy's", from("127.0.9.2"), "token")
			waiting(places)

			// Once they have had their time, the oldest give way.
			l.mu.Lock()
			l.patient = 0
			l.mu.Unlock()
			served("one more when the oldest has had its time", from("127.0.1.201"), "token")
			waiting(places - 1) // it took a place, and gave it back when it showed its token
			closed("the oldest", mute[0])
			served("the second", mute[1], "token")
			waiting(places - 2)
			for _, c := range mute[2:] {
				c.Close()
			}
			waiting(0)
			if len(l.networks) != 0 {
				t.Errorf("%d networks are remembered for nothing", len(l.networks))
			}
			wantMetrics(t, m, "trio_connections_unproved_total 2", "trio_connections_dropped_total 0")
		})
	}
}
