package feed_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"trio/crdt"
	"trio/server/feed"
	"trio/server/ops"
	"trio/server/store"
	"trio/server/store/storetest"
)

// A site is a store that is served over loopback.
type site struct {
	t      *testing.T
	path   string
	store  *store.SQLite
	server *httptest.Server
	tenant store.Tenant
	key    string
}

func newSite(t *testing.T) *site {
	s := &site{t: t, path: filepath.Join(t.TempDir(), "trio.db")}
	s.start()
	t.Cleanup(func() { s.stop() })
	var err error
	if s.tenant, err = s.store.CreateTenant(t.Context(), "a company"); err == nil {
		_, s.key, err = s.store.CreateAPIKey(t.Context(), s.tenant, "a key", store.ScopeFeed)
	}
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func (s *site) start(options ...feed.Option) {
	s.t.Helper()
	var err error
	if s.store, err = store.Open(context.Background(), store.Config{Path: s.path}); err != nil {
		s.t.Fatal(err)
	}
	s.server = httptest.NewServer(handler(s.store, options...))
}

// handler is the feed behind its guard, which lets everybody come as often as they like.
func handler(st store.Store, options ...feed.Option) http.Handler {
	log := slog.New(slog.DiscardHandler)
	often := ops.Rate{PerSecond: 1e6, Burst: 1e6}
	guard := ops.NewGuard(ops.GuardConfig{
		Store: st, Log: log, Metrics: ops.NewMetrics(), Limits: ops.Limits{Strangers: often, Company: often},
	})
	return guard.Wrap(feed.Route, feed.Handler(st, append([]feed.Option{feed.Log(log)}, options...)...))
}

func (s *site) stop() {
	s.t.Helper()
	s.server.CloseClientConnections()
	s.server.Close()
	if err := s.store.Close(); err != nil {
		s.t.Fatal(err)
	}
}

func (s *site) author(seed uint64) (crdt.MemberID, *storetest.Author) {
	s.t.Helper()
	m, err := s.store.CreateMember(s.t.Context(), store.Member{Tenant: s.tenant, Name: "a member"})
	if err != nil {
		s.t.Fatal(err)
	}
	d, _, err := s.store.CreateDevice(s.t.Context(), m, "a phone")
	if err != nil {
		s.t.Fatal(err)
	}
	return m, storetest.NewAuthor(d, 1, rand.New(rand.NewPCG(1, seed)))
}

func (s *site) tap(m crdt.MemberID, a *storetest.Author) error {
	_, err := s.store.Append(context.Background(), m, []store.Item{a.Tap(1)})
	return err
}

func (s *site) get(key, query string) (*http.Response, error) {
	req, err := http.NewRequest(http.MethodGet, s.server.URL+feed.Path+"?"+query, nil)
	if err != nil {
		return nil, err
	}
	if key != "" {
		req.Header.Set("Authorization", "Bearer "+key)
	}
	return s.server.Client().Do(req)
}

type answer struct {
	records []string
	cursor  string
	more    bool
}

// page reads one page; an answer without a last line is an error.
func (s *site) page(query string) (answer, error) {
	resp, err := s.get(s.key, query)
	if err != nil {
		return answer{}, err
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK || resp.Header.Get("Content-Type") != "application/x-ndjson" {
		b, _ := io.ReadAll(resp.Body)
		return answer{}, fmt.Errorf("%s %s", resp.Status, b)
	}
	var a answer
	sc := bufio.NewScanner(resp.Body)
	for sc.Scan() {
		var last struct {
			Cursor *string
			More   bool
		}
		if err := json.Unmarshal(sc.Bytes(), &last); err != nil {
			return a, err
		}
		if last.Cursor != nil {
			a.cursor, a.more = *last.Cursor, last.More
			return a, nil
		}
		a.records = append(a.records, sc.Text())
	}
	return a, errors.Join(io.ErrUnexpectedEOF, sc.Err())
}

func query(cursor string, limit int) string {
	return url.Values{"cursor": {cursor}, "limit": {fmt.Sprint(limit)}}.Encode()
}

// A reader that keeps its cursor while members write and the server restarts sees every record once.
func TestOnceAcrossRestarts(t *testing.T) {
	s := newSite(t)
	const members, rounds, taps = 3, 4, 25
	type writer struct {
		m crdt.MemberID
		a *storetest.Author
	}
	var writers []writer
	for i := range members {
		m, a := s.author(uint64(i))
		writers = append(writers, writer{m, a})
	}
	rnd := rand.New(rand.NewPCG(1, 99))
	cursor, seen := "", map[string]bool{}
	var order []string
	read := func(a answer) {
		for _, r := range a.records {
			if seen[r] {
				t.Fatalf("twice: %s", r)
			}
			seen[r] = true
			order = append(order, r)
		}
		cursor = a.cursor
	}
	for range rounds {
		var wg sync.WaitGroup
		for _, w := range writers {
			wg.Go(func() {
				for range taps {
					if err := s.tap(w.m, w.a); err != nil {
						t.Error(err)
					}
				}
			})
		}
		for range 10 {
			a, err := s.page(query(cursor, 1+rnd.IntN(7)))
			if err != nil {
				t.Fatal(err)
			}
			read(a)
		}
		wg.Wait()
		s.stop()
		s.start()
	}
	for more := true; more; {
		a, err := s.page(query(cursor, 10))
		if err != nil {
			t.Fatal(err)
		}
		if more = a.more; more && len(a.records) != 10 {
			t.Fatalf("more after %d records of 10", len(a.records))
		}
		read(a)
	}
	if len(seen) != members*rounds*taps {
		t.Errorf("%d records, want %d", len(seen), members*rounds*taps)
	}
	a, err := s.page(query("", 10000))
	if err != nil {
		t.Fatal(err)
	}
	if strings.Join(a.records, "\n") != strings.Join(order, "\n") {
		t.Error("a reader from the start sees another order")
	}
	if strings.Contains(strings.Join(order, ""), "private words") {
		t.Error("a note is in the feed")
	}
}

func TestRecord(t *testing.T) {
	s := newSite(t)
	m, a := s.author(1)
	it := a.Tap(1)
	before := time.Now().UnixMilli()
	if _, err := s.store.Append(t.Context(), m, []store.Item{it}); err != nil {
		t.Fatal(err)
	}
	got, err := s.page("")
	if err != nil || len(got.records) != 1 || got.more {
		t.Fatalf("%+v %v", got, err)
	}
	var r struct {
		Entry   crdt.EntryID
		Member  crdt.MemberID
		Device  crdt.DeviceID
		Arrived int64
		Action  json.RawMessage
	}
	if err := json.Unmarshal([]byte(got.records[0]), &r); err != nil {
		t.Fatal(err)
	}
	f := it.Feed[0]
	if r.Entry != f.Entry || r.Member != m || r.Device != f.Device || string(r.Action) != f.Body || r.Arrived < before || r.Arrived > time.Now().UnixMilli() {
		t.Errorf("record %s, want that of %+v", got.records[0], f)
	}
}

func TestRefusals(t *testing.T) {
	s := newSite(t)
	other := newSite(t)
	m, a := other.author(1)
	if err := other.tap(m, a); err != nil {
		t.Fatal(err)
	}
	foreign, err := other.page("")
	if err != nil {
		t.Fatal(err)
	}
	_, reading, err := s.store.CreateAPIKey(t.Context(), s.tenant, "dashboard", store.ScopeRead, store.ScopePeople)
	if err != nil {
		t.Fatal(err)
	}
	gone, revoked, err := s.store.CreateAPIKey(t.Context(), s.tenant, "old", store.ScopeFeed)
	if err == nil {
		err = s.store.RevokeAPIKey(t.Context(), s.tenant, gone.ID)
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		key, query string
		status     int
		code       string
	}{
		{"", "", 401, "key"},
		{reading, "", 403, "scope"},
		{revoked, "", 401, "key"},
		{other.key, "", 401, "key"},
		{s.key + "x", "", 401, "key"},
		{"trio_d_x", "", 401, "key"},
		{s.key, "cursor=nonsense", 400, "cursor"},
		{s.key, "cursor=" + foreign.cursor, 400, "cursor"},
		{s.key, "limit=0", 400, "parameter"},
		{s.key, "limit=10001", 400, "parameter"},
		{s.key, "limit=many", 400, "parameter"},
		{s.key, "wait=31", 400, "parameter"},
		{s.key, "wait=-1", 400, "parameter"},
		{s.key, "format=xml", 400, "parameter"},
	} {
		resp, err := s.get(tc.key, tc.query)
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		var e struct {
			Error struct{ Code, Message, Hint string }
		}
		if err != nil || json.Unmarshal(b, &e) != nil {
			t.Fatalf("%+v: %s", tc, b)
		}
		if resp.StatusCode != tc.status || e.Error.Code != tc.code || e.Error.Message == "" || e.Error.Hint == "" {
			t.Errorf("%+v: %d %s", tc, resp.StatusCode, b)
		}
		if tc.status == 403 && !strings.Contains(e.Error.Message, `"feed"`) {
			t.Errorf("it does not name the scope that is missing: %s", b)
		}
		if strings.Contains(string(b), "SQLite") || strings.Contains(string(b), "store:") || tc.key != "" && strings.Contains(string(b), tc.key) {
			t.Errorf("%+v: the answer tells too much: %s", tc, b)
		}
	}
	resp, err := s.server.Client().Post(s.server.URL+feed.Path, "text/plain", nil)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusMethodNotAllowed || resp.Header.Get("Allow") != http.MethodGet {
		t.Errorf("POST: %s", resp.Status)
	}
	if err := s.store.Close(); err != nil {
		t.Fatal(err)
	}
	resp, err = s.get(s.key, "")
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("closed store: %s", resp.Status)
	}
}

func TestWait(t *testing.T) {
	s := newSite(t)
	m, a := s.author(1)
	start := time.Now()
	if got, err := s.page("wait=1"); err != nil || len(got.records) != 0 || time.Since(start) < time.Second {
		t.Errorf("waiting for nothing: %+v %v after %v", got, err, time.Since(start))
	}
	time.AfterFunc(100*time.Millisecond, func() {
		if err := s.tap(m, a); err != nil {
			t.Error(err)
		}
	})
	start = time.Now()
	got, err := s.page("wait=30")
	if err != nil || len(got.records) != 1 || time.Since(start) > 20*time.Second {
		t.Errorf("waiting for a record: %+v %v after %v", got, err, time.Since(start))
	}
	// A server that goes down sends the waiting ones away.
	s.stop()
	ctx, cancel := context.WithCancel(t.Context())
	s.start(feed.Until(ctx))
	time.AfterFunc(100*time.Millisecond, cancel)
	start = time.Now()
	again, err := s.page("wait=30&cursor=" + got.cursor)
	if err != nil || again.cursor != got.cursor || time.Since(start) > 20*time.Second {
		t.Errorf("waiting on a server that goes down: %+v %v after %v", again, err, time.Since(start))
	}
}

// corrupt is a store whose third record is not JSON.
type corrupt struct{ store.Store }

func (c corrupt) Feed(ctx context.Context, t store.Tenant, cursor string, limit int) ([]store.Activity, string, error) {
	rs, next, err := c.Store.Feed(ctx, t, cursor, limit)
	if len(rs) > 2 {
		rs[2].Body = "{"
	}
	return rs, next, err
}

// An answer that cannot be completed has no last line, so its reader keeps the old cursor.
func TestCut(t *testing.T) {
	s := newSite(t)
	m, a := s.author(1)
	for range 5 {
		if err := s.tap(m, a); err != nil {
			t.Fatal(err)
		}
	}
	s.server.Close()
	s.server = httptest.NewServer(handler(corrupt{s.store}))
	if got, err := s.page(""); err == nil {
		t.Errorf("an answer with a broken record was complete: %+v", got)
	}
}
