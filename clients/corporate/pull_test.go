package corporate_test

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"trio/clients/corporate"
	"trio/crdt"
	"trio/server/feed"
	"trio/server/ops"
	"trio/server/store"
	"trio/server/store/storetest"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"trio-pull": func() { os.Exit(corporate.PullMain(context.Background(), os.Args[1:], os.Stdout, os.Stderr)) },
	})
}

// A site is a company's server over loopback, with one member that logs.
type site struct {
	dir, addr, key string
	tenant         store.Tenant
	store          *store.SQLite
	server         *httptest.Server
	member         crdt.MemberID
	author         *storetest.Author
	// cut, if above zero, ends each answer after so many bytes.
	cut atomic.Int64
}

func newSite(dir string) (*site, error) {
	s := &site{dir: dir}
	if err := s.start(); err != nil {
		return nil, err
	}
	ctx := context.Background()
	var err error
	if s.tenant, err = s.store.CreateTenant(ctx, "a company"); err != nil {
		return nil, err
	}
	if _, s.key, err = s.store.CreateAPIKey(ctx, s.tenant, "a key", store.ScopeFeed); err != nil {
		return nil, err
	}
	if s.member, err = s.store.CreateMember(ctx, store.Member{Tenant: s.tenant, Name: "a member"}); err != nil {
		return nil, err
	}
	d, _, err := s.store.CreateDevice(ctx, s.member, "a phone")
	s.author = storetest.NewAuthor(d, 1, rand.New(rand.NewPCG(1, 1)))
	return s, err
}

func (s *site) start() (err error) {
	if s.store, err = store.Open(context.Background(), store.Config{Path: filepath.Join(s.dir, "trio.db")}); err != nil {
		return err
	}
	log := slog.New(slog.DiscardHandler)
	guard := ops.NewGuard(ops.GuardConfig{
		Store: s.store, Log: log, Metrics: ops.NewMetrics(), Limits: ops.Limits{Company: ops.Rate{PerSecond: 1e6, Burst: 1e6}},
	})
	h := guard.Wrap(feed.Route, feed.Handler(s.store, feed.Log(log)))
	s.server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if n := int(s.cut.Load()); n > 0 {
			w = &cutter{w, n}
		}
		h.ServeHTTP(w, r)
	}))
	if s.addr != "" { // a server that comes back has its address again
		l, err := net.Listen("tcp", s.addr)
		if err != nil {
			return err
		}
		_ = s.server.Listener.Close()
		s.server.Listener = l
	}
	s.server.Start()
	s.addr = s.server.Listener.Addr().String()
	return nil
}

func (s *site) stop() error {
	s.server.CloseClientConnections()
	s.server.Close()
	return s.store.Close()
}

func (s *site) tap(n int) error {
	var items []store.Item
	for range n {
		items = append(items, s.author.Tap(1))
	}
	_, err := s.store.Append(context.Background(), s.member, items)
	return err
}

// A cutter loses the connection in the middle of an answer.
type cutter struct {
	http.ResponseWriter
	left int
}

func (c *cutter) Write(p []byte) (int, error) {
	if len(p) > c.left {
		_, _ = c.ResponseWriter.Write(p[:c.left])
		_ = http.NewResponseController(c.ResponseWriter).Flush()
		panic(http.ErrAbortHandler)
	}
	c.left -= len(p)
	return c.ResponseWriter.Write(p)
}

func open(t *testing.T) *site {
	t.Helper()
	s, err := newSite(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.stop(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata",
		Setup: func(e *testscript.Env) error {
			s, err := newSite(filepath.Dir(e.WorkDir)) // beside the folder that the script sees
			if err != nil {
				return err
			}
			e.Values["site"] = s
			e.Defer(func() {
				if s.store != nil {
					_ = s.stop()
				}
			})
			e.Setenv("SERVER", s.server.URL)
			e.Setenv(corporate.KeyEnv, s.key)
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			// tap N: the member logs N entries
			"tap": func(ts *testscript.TestScript, _ bool, args []string) {
				n, err := strconv.Atoi(args[0])
				ts.Check(err)
				ts.Check(ts.Value("site").(*site).tap(n))
			},
			// server stop|start|cut N
			"server": func(ts *testscript.TestScript, _ bool, args []string) {
				s := ts.Value("site").(*site)
				switch args[0] {
				case "stop":
					ts.Check(s.stop())
					s.store = nil
				case "start":
					ts.Check(s.start())
				case "cut":
					n, err := strconv.Atoi(args[1])
					ts.Check(err)
					s.cut.Store(int64(n))
				}
			},
			// lines FILE N: the file has N lines, and no line twice
			"lines": func(ts *testscript.TestScript, _ bool, args []string) {
				text := ts.ReadFile(args[0])
				seen := map[string]bool{}
				for l := range strings.Lines(text) {
					if seen[l] {
						ts.Fatalf("twice: %s", l)
					}
					seen[l] = true
				}
				if fmt.Sprint(len(seen)) != args[1] {
					ts.Fatalf("%s has %d lines, want %s", args[0], len(seen), args[1])
				}
			},
			// damage FILE: bytes behind the end, as a run that was killed leaves them
			"damage": func(ts *testscript.TestScript, _ bool, args []string) {
				f, err := os.OpenFile(ts.MkAbs(args[0]), os.O_APPEND|os.O_WRONLY, 0)
				ts.Check(err)
				_, err = f.WriteString(`{"entry":"half of a`)
				ts.Check(errors.Join(err, f.Close()))
			},
		},
	})
}

// A run that is cut off at any byte of the answer leaves a file that the next run completes, each record once.
func TestCutAnywhere(t *testing.T) {
	for _, format := range []corporate.Format{corporate.NDJSON, corporate.CSV} {
		t.Run(string(format), func(t *testing.T) {
			s := open(t)
			check(t, s.tap(12))
			dir := t.TempDir()
			whole := corporate.PullOptions{URL: s.server.URL, Key: s.key, Format: format, Output: filepath.Join(dir, "whole"), PageSize: 3}
			check(t, corporate.Pull(t.Context(), whole, io.Discard))
			want, err := os.ReadFile(whole.Output)
			check(t, err)
			for cut := 1; cut < 1000; cut += 127 {
				opt := whole
				opt.Output = filepath.Join(dir, fmt.Sprint("cut", cut))
				s.cut.Store(int64(cut))
				if err := corporate.Pull(t.Context(), opt, io.Discard); err == nil {
					t.Fatalf("cut at %d: no error", cut)
				}
				s.cut.Store(0)
				check(t, corporate.Pull(t.Context(), opt, io.Discard))
				got, err := os.ReadFile(opt.Output)
				check(t, err)
				if !bytes.Equal(got, want) {
					t.Fatalf("cut at %d: the file differs from that of a run without a cut", cut)
				}
			}
		})
	}
}

// A run may be killed between any two of its steps: output written, synced, state replaced. What is then on the disk is
// an output that is longer than its state says.
func TestKilledBetweenSteps(t *testing.T) {
	s := open(t)
	opt := corporate.PullOptions{URL: s.server.URL, Key: s.key, Output: filepath.Join(t.TempDir(), "out"), PageSize: 2}
	var states [][]byte
	for range 4 {
		check(t, s.tap(3))
		check(t, corporate.Pull(t.Context(), opt, io.Discard))
		b, err := os.ReadFile(opt.Output + ".cursor")
		check(t, err)
		states = append(states, b)
	}
	want, err := os.ReadFile(opt.Output)
	check(t, err)
	for i, st := range states {
		check(t, os.WriteFile(opt.Output+".cursor", st, 0o600))
		check(t, os.WriteFile(opt.Output+".cursor.new", []byte("{"), 0o600))
		check(t, corporate.Pull(t.Context(), opt, io.Discard))
		if got, err := os.ReadFile(opt.Output); err != nil || !bytes.Equal(got, want) {
			t.Errorf("from state %d: the file differs (%v)", i, err)
		}
	}
}

func TestCSV(t *testing.T) {
	s := open(t)
	e := crdt.Entry{
		Version: 1, Kind: crdt.Order, At: 1793880000000, Zone: -90, Skew: 1500, Evidence: crdt.E4, Contact: crdt.ContactID{15: 1},
		Channel: "web, \"shop\"", Content: "=SUM(A1)", Outcome: "two\nlines", Reason: "-x", Playbook: 7,
		Value: &crdt.Amount{Cents: -1250, Currency: "EUR"}, Source: "order:1", Note: "private",
	}
	body, err := e.ForCorporate()
	check(t, err)
	it := s.author.Tap(2)
	it.Feed[0].Body = body
	it.Feed[1].Body = `{"v":9,"kind":["unknown form"]}`
	_, err = s.store.Append(t.Context(), s.member, []store.Item{it})
	check(t, err)
	var out, log bytes.Buffer
	check(t, corporate.Pull(t.Context(), corporate.PullOptions{URL: s.server.URL, Key: s.key, Format: corporate.CSV, Stdout: &out}, &log))
	rows, err := csv.NewReader(&out).ReadAll()
	check(t, err)
	if len(rows) != 3 || strings.Join(rows[0], ",") != strings.Join(corporate.Columns, ",") || log.String() != "2 new records\n" {
		t.Fatalf("%q %q", rows, log.String())
	}
	got := map[string]string{}
	for i, c := range corporate.Columns {
		got[c] = rows[1][i]
	}
	for c, want := range map[string]string{
		"entry": it.Feed[0].Entry.String(), "member": s.member.String(), "kind": "order", "evidence": "E4",
		"at": "2026-11-05T12:00:01.500Z", "at_local": "2026-11-05T10:30:00.000-01:30", "contact": "00000000-0000-0000-0000-000000000001",
		"channel": "web, \"shop\"", "content": " =SUM(A1)", "outcome": "two\nlines", "reason": " -x", "playbook": "7",
		"cents": "-1250", "currency": "EUR", "minutes": "", "count": "", "source": "order:1", "stage": "",
	} {
		if got[c] != want {
			t.Errorf("column %s is %q, want %q", c, got[c], want)
		}
	}
	if rows[2][0] != it.Feed[1].Entry.String() || rows[2][3] == "" || strings.Join(rows[2][4:], "") != "" {
		t.Errorf("an action of an unknown form gave %q", rows[2])
	}
}

func TestClient(t *testing.T) {
	s := open(t)
	check(t, s.tap(10))
	c := &corporate.Client{URL: s.server.URL, Key: s.key, HTTP: s.server.Client(), PageSize: 3}
	var got []corporate.Record
	keep := func(r corporate.Record) error {
		if e, err := r.Parse(); err != nil || e.Contact == (crdt.ContactID{}) || !json.Valid(r.Line) {
			t.Errorf("record %+v: %v", r, err)
		}
		got = append(got, r)
		return nil
	}
	cursor, err := c.Pull(t.Context(), "", keep)
	check(t, err)
	check(t, s.tap(1))
	_, err = c.Pull(t.Context(), cursor, keep)
	check(t, err)
	if len(got) != 11 {
		t.Errorf("%d records, want 11", len(got))
	}

	// An error of the function comes back with the cursor of the last whole page.
	stop := errors.New("stop")
	n := 0
	at, err := c.Pull(t.Context(), "", func(corporate.Record) error {
		if n++; n == 5 {
			return stop
		}
		return nil
	})
	if !errors.Is(err, stop) {
		t.Errorf("error %v, want %v", err, stop)
	}
	n = 0
	_, err = c.Pull(t.Context(), at, func(corporate.Record) error { n++; return nil })
	if err != nil || n != 11-3 {
		t.Errorf("from there: %d records, %v", n, err)
	}

	var e *corporate.Error
	if _, err := (&corporate.Client{URL: s.server.URL, Key: "trio_k_wrong"}).Pull(t.Context(), "", keep); !errors.As(err, &e) || e.Status != 401 || e.Code != "key" {
		t.Errorf("wrong key: %v", err)
	}
	if _, err := c.Pull(t.Context(), "nonsense", keep); !errors.As(err, &e) || e.Code != "cursor" || e.Hint == "" {
		t.Errorf("wrong cursor: %v", err)
	}
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/page/v1/feed":
			_, _ = io.WriteString(w, "<html>hello</html>\n")
		case "/json/v1/feed":
			_, _ = io.WriteString(w, "{}\n")
		case "/after/v1/feed":
			_, _ = io.WriteString(w, `{"cursor":"x"}`+"\n{}\n")
		case "/empty/v1/feed":
		default:
			http.NotFound(w, r)
		}
	}))
	defer other.Close()
	for _, path := range []string{"", "/page", "/json", "/after", "/empty"} {
		if _, err := (&corporate.Client{URL: other.URL + path, Key: s.key}).Pull(t.Context(), "", keep); err == nil || strings.Contains(err.Error(), s.key) {
			t.Errorf("a server that is not ours at %q: %v", path, err)
		}
	}
	for _, u := range []string{"", "sync.example.com", "ftp://x", "http://", "http://a b"} {
		if _, err := (&corporate.Client{URL: u, Key: s.key}).Pull(t.Context(), "", keep); err == nil {
			t.Errorf("address %q was taken", u)
		}
	}
}
