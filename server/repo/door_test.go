package repo_test

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fxamacker/cbor/v2"
	"github.com/gorilla/websocket"

	"trio/crdt"
	"trio/crdt/automerge"
	"trio/server"
	"trio/server/live/livetest"
	"trio/server/ops"
	"trio/server/repo"
	"trio/server/store"
	"trio/server/store/storetest"
)

// entrance is a door on a real socket, with a member who has a device.
type entrance struct {
	testing.TB
	st    *store.SQLite
	door  *repo.Door
	url   string // http://host:port
	ways  websocket.Dialer
	dev   store.Device
	token string
	logs  *logs
}

func newEntrance(tb testing.TB, cfg repo.Config) *entrance {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	must(tb, err)
	return entranceAt(tb, cfg, ln, websocket.Dialer{})
}

// pipedEntrance is one whose connections are in memory, for tests in a bubble of synctest: on a real clock a machine that stands
// still for as long as a silent client is waited for has clients closed that are not silent.
func pipedEntrance(tb testing.TB, cfg repo.Config) *entrance {
	at := livetest.NewPipes()
	return entranceAt(tb, cfg, at, websocket.Dialer{NetDialContext: at.Dial})
}

func entranceAt(tb testing.TB, cfg repo.Config, ln net.Listener, ways websocket.Dialer) *entrance {
	ctx := tb.Context()
	e := &entrance{TB: tb, url: "http://" + ln.Addr().String(), ways: ways, logs: &logs{}}
	st, err := store.Open(ctx, store.Config{Path: filepath.Join(tb.TempDir(), "trio.db"), Logger: slog.New(slog.DiscardHandler)})
	must(tb, err)
	e.st, cfg.Store = st, st
	cfg.Log = slog.New(slog.NewTextHandler(e.logs, &slog.HandlerOptions{Level: slog.LevelDebug}))
	tenant, err := st.CreateTenant(ctx, "Acme")
	must(tb, err)
	m, err := st.CreateMember(ctx, store.Member{Tenant: tenant, Name: "Maya"})
	must(tb, err)
	e.dev, e.token, err = st.CreateDevice(ctx, m, "device")
	must(tb, err)
	e.door = repo.New(cfg)
	srv := &http.Server{Handler: e.door}
	go srv.Serve(ln) //nolint:errcheck // it ends with the test
	tb.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		defer cancel()
		must(tb, e.door.Shutdown(ctx))
		srv.Close()
		must(tb, st.Close())
	})
	return e
}

// said is a message as it comes over the socket.
type said struct {
	Type    string `cbor:"type"`
	Sender  string `cbor:"senderId"`
	Target  string `cbor:"targetId"`
	Doc     string `cbor:"documentId"`
	Data    []byte `cbor:"data"`
	Message string `cbor:"message"`
}

type socket struct {
	testing.TB
	*websocket.Conn
	server string     // its peer id
	came   chan frame // what was read as it came; nil: hear reads
}

// frame is what one read of a socket returned.
type frame struct {
	b   []byte
	err error
}

func (e *entrance) dial(query string, header http.Header) *socket {
	e.Helper()
	ws, _, err := e.ways.Dial("ws"+strings.TrimPrefix(e.url, "http")+"/"+query, header)
	must(e, err)
	e.Cleanup(func() { ws.Close() })
	s := &socket{TB: e.TB, Conn: ws}
	if e.ways.NetDialContext != nil { // pipes have no buffer: who does not read holds the door's locks
		s.came = make(chan frame, 100)
		go func() {
			for err := error(nil); err == nil; {
				var b []byte
				_, b, err = ws.ReadMessage()
				s.came <- frame{b, err}
			}
		}()
	}
	return s
}

func (s *socket) say(m map[string]any) {
	s.Helper()
	b, err := cbor.Marshal(m)
	must(s, err)
	must(s, s.WriteMessage(websocket.BinaryMessage, b))
}

// next returns what is read next.
func (s *socket) next() ([]byte, error) {
	s.Helper()
	const patience = 30 * time.Second
	if s.came == nil {
		must(s, s.SetReadDeadline(time.Now().Add(patience)))
		_, b, err := s.ReadMessage()
		return b, err
	}
	select {
	case f := <-s.came:
		return f.b, f.err
	case <-time.After(patience):
		return nil, os.ErrDeadlineExceeded
	}
}

// hear returns the next message, or the code that the connection was closed with.
func (s *socket) hear() (m said, code int) {
	s.Helper()
	b, err := s.next()
	if c := (*websocket.CloseError)(nil); errors.As(err, &c) {
		return m, c.Code
	}
	must(s, err)
	must(s, cbor.Unmarshal(b, &m))
	return m, 0
}

func (s *socket) join() {
	s.Helper()
	s.say(map[string]any{"type": "join", "senderId": "me", "supportedProtocolVersions": []string{"1"}})
	m, _ := s.hear()
	if m.Type != "peer" || m.Target != "me" {
		s.Fatalf("%+v", m)
	}
	s.server = m.Sender
}

// refused reads an error and the end of the connection.
func (s *socket) refused(text string, code int) {
	s.Helper()
	m, _ := s.hear()
	if m.Type != "error" || !strings.Contains(m.Message, text) || !strings.Contains(m.Message, "(connection ") {
		s.Errorf("%+v, want an error: %s", m, text)
	}
	if _, got := s.hear(); got != code {
		s.Errorf("closed with %d, want %d", got, code)
	}
}

func TestWhoMayComeIn(t *testing.T) {
	e := newEntrance(t, repo.Config{Origins: []string{"https://app.example.com"}})
	query, cookie := "?token="+e.token, "trio_token="+e.token
	for what, x := range map[string]struct {
		query  string
		header http.Header
	}{
		"token in the URL":                      {query, nil},
		"token in the URL of any page":          {query, http.Header{"Origin": {"https://elsewhere.example.com"}}},
		"token in a header":                     {"", http.Header{"Authorization": {"Bearer " + e.token}}},
		"cookie of no page":                     {"", http.Header{"Cookie": {cookie}}},
		"cookie of our own page":                {"", http.Header{"Cookie": {cookie}, "Origin": {e.url}}},
		"cookie of a page that the setting has": {"", http.Header{"Cookie": {cookie}, "Origin": {"https://app.example.com"}}},
		"token beside a wrong cookie":           {query, http.Header{"Cookie": {"trio_token=x"}, "Origin": {"https://elsewhere.example.com"}}},
	} {
		t.Run(what, func(t *testing.T) {
			s := e.dial(x.query, x.header)
			s.TB = t
			s.join()
		})
	}
	for _, origin := range []string{"https://elsewhere.example.com", "null", "http://app.example.com"} {
		_, res, err := websocket.DefaultDialer.Dial("ws"+strings.TrimPrefix(e.url, "http"), http.Header{"Cookie": {cookie}, "Origin": {origin}})
		if err == nil || res.StatusCode != http.StatusForbidden {
			t.Errorf("a page of %s uses the cookie: %v", origin, err)
		}
	}
	e.dial("?token=x", nil).refused("not known here", 4003)
	e.dial("", nil).refused("not known here", 4003)
	if strings.Contains(e.logs.String(), e.token) {
		t.Error("a token stands in the log")
	}
}

// TestPagesReadRefusals: a page of another origin reads that it came too often, and when it may come back, as it reads an answer.
func TestPagesReadRefusals(t *testing.T) {
	e := newEntrance(t, repo.Config{})
	trio := server.New(server.Config{Store: e.st, Log: slog.New(slog.DiscardHandler), Limits: ops.Limits{Device: ops.Rate{PerSecond: 0.01, Burst: 2}}})
	srv := httptest.NewServer(trio)
	defer srv.Close()
	defer func() { must(t, trio.Shutdown(context.Background())) }()
	ask := func(body string) *http.Response {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, srv.URL+repo.DocumentsPath, strings.NewReader(body))
		must(t, err)
		req.Header.Set("Authorization", "Bearer "+e.token)
		req.Header.Set("Origin", "https://elsewhere.example.com")
		res, err := http.DefaultClient.Do(req)
		must(t, err)
		res.Body.Close()
		h := res.Header
		if h.Get("Access-Control-Allow-Origin") != "*" || !strings.Contains(h.Get("Access-Control-Expose-Headers"), "Retry-After") || len(h.Values("Vary")) != 1 {
			t.Errorf("the page cannot read %s: %v", res.Status, h)
		}
		return res
	}
	if res := ask("too much"); res.StatusCode != http.StatusRequestEntityTooLarge {
		t.Errorf("a body: %s", res.Status)
	}
	for range 2 {
		if res := ask(""); res.StatusCode != http.StatusOK {
			t.Errorf("within the limit: %s", res.Status)
		}
	}
	if res := ask(""); res.StatusCode != http.StatusTooManyRequests || res.Header.Get("Retry-After") == "" {
		t.Errorf("beyond the limit: %s %v", res.Status, res.Header)
	}
}

// TestPagesOfOtherOrigins: what browsers ask before and with a page's request for the documents, and what they need for
// letting the page have the answer.
func TestPagesOfOtherOrigins(t *testing.T) {
	const ours, other = "https://app.example.com", "https://elsewhere.example.com"
	e := newEntrance(t, repo.Config{})
	trio := server.New(server.Config{Store: e.st, Log: slog.New(slog.DiscardHandler), Origins: []string{ours}})
	srv := httptest.NewServer(trio)
	defer srv.Close()
	defer func() { must(t, trio.Shutdown(context.Background())) }()
	cookie, bearer := http.Header{"Cookie": {"trio_token=" + e.token}}, http.Header{"Authorization": {"Bearer " + e.token}}
	asks := http.Header{"Access-Control-Request-Method": {"GET"}, "Access-Control-Request-Headers": {"authorization"}}
	for _, tt := range []struct {
		what, method, origin, query string
		header                      http.Header
		status                      int
		allowed, credentials        string
	}{
		{"preflight", http.MethodOptions, other, "", asks, 204, "*", ""},
		{"preflight of a page that the setting has", http.MethodOptions, ours, "", asks, 204, ours, "true"},
		{"token in a header", http.MethodGet, other, "", bearer, 200, "*", ""},
		{"token in the URL", http.MethodGet, other, "?token=" + e.token, nil, 200, "*", ""},
		{"token in a header, with cookies sent", http.MethodGet, ours, "", bearer, 200, ours, "true"},
		{"unknown token", http.MethodGet, other, "?token=x", nil, 401, "*", ""},
		{"cookie", http.MethodGet, ours, "", cookie, 200, ours, "true"},
		{"cookie of a stranger's page", http.MethodGet, other, "", cookie, 200, "", ""},
	} {
		req, err := http.NewRequestWithContext(t.Context(), tt.method, srv.URL+repo.DocumentsPath+tt.query, http.NoBody)
		must(t, err)
		for name, v := range tt.header {
			req.Header[name] = v
		}
		req.Header.Set("Origin", tt.origin)
		res, err := http.DefaultClient.Do(req)
		must(t, err)
		res.Body.Close()
		h := res.Header
		if res.StatusCode != tt.status || h.Get("Access-Control-Allow-Origin") != tt.allowed || h.Get("Access-Control-Allow-Credentials") != tt.credentials || h.Get("Vary") != "Origin" {
			t.Errorf("%s: %s %v", tt.what, res.Status, h)
		}
		if tt.method == http.MethodOptions && (h.Get("Access-Control-Allow-Headers") != "Authorization" || h.Get("Access-Control-Allow-Methods") != "GET") {
			t.Errorf("%s: the header is not allowed: %v", tt.what, h)
		}
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodOptions, srv.URL+"/v1/device", http.NoBody)
	must(t, err)
	res, err := http.DefaultClient.Do(req)
	must(t, err)
	res.Body.Close()
	if res.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("a preflight elsewhere: %s", res.Status)
	}
}

func TestWhoIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := pipedEntrance(t, repo.Config{Member: 2, Ping: 300 * time.Millisecond})
		query := "?token=" + e.token
		s := e.dial(query, nil)
		must(t, s.WriteMessage(websocket.TextMessage, []byte("hello")))
		s.refused("want binary messages", websocket.CloseTryAgainLater)
		s = e.dial(query, nil)
		s.say(map[string]any{"type": "join", "senderId": "me", "supportedProtocolVersions": []string{"2"}})
		s.refused("unsupported protocol version", 4002)
		s = e.dial(query, nil)
		s.join()
		s.say(map[string]any{"type": "sync", "senderId": "me", "targetId": s.server, "documentId": "nonsense", "data": []byte{1}})
		s.refused("base58check", websocket.CloseTryAgainLater)

		// Each has joined before the next comes: a handshake is answered before the connection is counted.
		oldest := e.dial(query, nil)
		oldest.join()
		kept := e.dial(query, nil)
		kept.join()
		last := e.dial(query, nil)
		last.join()
		oldest.refused("too many connections", websocket.CloseTryAgainLater)
		must(t, e.st.RevokeDevice(t.Context(), e.dev.ID))
		kept.refused("access was taken back", 4010)
		last.refused("access was taken back", 4010)
		e.dial(query, nil).refused("access was taken back", 4010)
	})
}

// TestAbandonedSockets: what npm's client leaves behind on a slow network goes by itself, and takes no place of those who
// are at work until then.
func TestAbandonedSockets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dial := func(e *entrance, join bool) *socket {
			s := e.dial("?token="+e.token, nil)
			if join {
				s.join()
			}
			return s
		}
		e := pipedEntrance(t, repo.Config{Member: 3, Join: 20 * time.Second})
		working := dial(e, true)
		var left []*socket
		for i := range 2 {
			left = append(left, dial(e, false))
			for e.door.Connections() < 2+i {
				time.Sleep(time.Millisecond)
			}
		}
		time.Sleep(2100 * time.Millisecond)
		for _, s := range left {
			dial(e, true)
			s.refused("never said who it is", websocket.CloseTryAgainLater)
		}
		dial(e, true)
		working.refused("too many connections", websocket.CloseTryAgainLater) // those who work give way to one another, the oldest first

		e = pipedEntrance(t, repo.Config{Join: 500 * time.Millisecond, Ping: 100 * time.Millisecond})
		working, last := dial(e, true), dial(e, false)
		heard := make(chan said, 1)
		go func() {
			m, _ := working.hear() // and answers pings until then
			heard <- m
		}()
		if _, code := last.hear(); code == 0 { // it answers pings
			t.Error("one that never joins is told something")
		}
		for e.door.Connections() > 1 {
			time.Sleep(time.Millisecond)
		}
		working.say(map[string]any{"type": "join", "senderId": "me"})
		if m := <-heard; !strings.Contains(m.Message, "joined already") {
			t.Errorf("one that has joined does not stay: %+v", m)
		}
	})
}

// TestWhoStays: a client that says nothing but pongs stays, its connection is ended by a shutdown, and nothing is left of it.
func TestWhoStays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := pipedEntrance(t, repo.Config{Ping: 100 * time.Millisecond})
		s := e.dial("?token="+e.token, nil)
		s.join()
		s.say(map[string]any{"type": "unknown", "senderId": "me"})
		quiet := make(chan said, 2)
		go func() {
			m, _ := s.hear()
			quiet <- m
		}()
		select {
		case m := <-quiet:
			t.Fatalf("%+v", m)
		case <-time.After(time.Second):
		}
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		defer cancel()
		must(t, e.door.Shutdown(ctx))
		if m := <-quiet; m.Type != "error" || !strings.Contains(m.Message, "the server restarts") {
			t.Errorf("%+v", m)
		}
		if n := e.door.Connections(); n != 0 {
			t.Errorf("%d connections are left", n)
		}
		e.dial("?token="+e.token, nil).refused("the server restarts", websocket.CloseServiceRestart)
	})
}

// TestWhoAsksTooMuchIsPaced: a peer that asks for a whole document again and again gets it more and more slowly.
func TestWhoAsksTooMuchIsPaced(t *testing.T) {
	e := newEntrance(t, repo.Config{Work: 1 << 20, WorkBurst: 1 << 20})
	a := storetest.NewAuthor(e.dev, 1, rand.New(rand.NewPCG(1, 1)))
	var items []store.Item
	for range 1000 {
		items = append(items, a.Tap(1))
	}
	_, err := e.st.Append(t.Context(), e.dev.Member, items)
	must(t, err)
	s := e.dial("?token="+e.token, nil)
	s.join()
	doc := strings.TrimPrefix(repo.URL(crdt.DocName("log-2026-11").DocumentID(e.dev.Member)), "automerge:")
	all := (&automerge.SyncMessage{Have: []automerge.SyncHave{{}}}).Append(nil)
	start, bytes := time.Now(), 0
	for range 10 {
		s.say(map[string]any{"type": "sync", "senderId": "me", "targetId": s.server, "documentId": doc, "data": all})
		m, _ := s.hear()
		bytes += len(m.Data)
	}
	took := time.Since(start)
	if want := time.Duration(float64(bytes-2<<20) / (1 << 20) * float64(time.Second)); bytes < 3<<20 || took < want {
		t.Errorf("%d bytes in %v, want %v at least", bytes, took, want)
	}
}

// TestLargeMessages: a message may be as large as is said and no larger; what is refused for it does not stop who comes after.
func TestLargeMessages(t *testing.T) {
	e := newEntrance(t, repo.Config{Message: 3 << 20})
	say := func(s *socket, n int) {
		s.say(map[string]any{"type": "of another kind", "senderId": "me", "targetId": s.server, "data": make([]byte, n)})
	}
	s := e.dial("?token="+e.token, nil)
	s.join()
	for _, n := range []int{1<<20 - 100, 1 << 20, 3<<20 - 100} {
		say(s, n)
	}
	s.say(map[string]any{"type": "request", "senderId": "me", "targetId": s.server, "documentId": "1", "data": []byte{1}})
	s.refused("base58check", websocket.CloseTryAgainLater)
	for range 6 {
		s = e.dial("?token="+e.token, nil)
		s.join()
		say(s, 3<<20)
		s.refused("larger than 3 MiB", websocket.CloseTryAgainLater)
	}
}

// TestSlowLargeMessages: whoever sends large messages slowly is in the way of their own member alone, however many
// connections they use, and not for long once they stop.
func TestSlowLargeMessages(t *testing.T) {
	e := newEntrance(t, repo.Config{})
	for range 6 {
		slow := e.dial("?token="+e.token, nil)
		slow.join()
		w, err := slow.NextWriter(websocket.BinaryMessage)
		must(t, err)
		_, err = w.Write(make([]byte, 2<<20)) // and never more
		must(t, err)
	}
	m, err := e.st.CreateMember(t.Context(), store.Member{Tenant: e.dev.Tenant, Name: "Ann"})
	must(t, err)
	_, token, err := e.st.CreateDevice(t.Context(), m, "device")
	must(t, err)
	start := time.Now()
	s := e.dial("?token="+token, nil)
	s.join()
	s.say(map[string]any{"type": "of another kind", "senderId": "me", "targetId": s.server, "data": make([]byte, 5<<20)})
	s.say(map[string]any{"type": "request", "senderId": "me", "targetId": s.server, "documentId": "1", "data": []byte{1}})
	s.refused("base58check", websocket.CloseTryAgainLater)
	if took := time.Since(start); took > 9*time.Second { // one of the slow ones alone is waited for ten
		t.Errorf("another member's large message waits %v", took)
	}
}

// TestConnectionsOfOneMember: a member whose programs come again and again, and do not go when they are told to, has no more
// connections than twice the bound, and the last that came are served.
func TestConnectionsOfOneMember(t *testing.T) {
	const most = 3
	e := newEntrance(t, repo.Config{Member: most})
	var all []*socket
	for range 10 * most {
		s := e.dial("?token="+e.token, nil)
		s.join()
		all = append(all, s) // from now on nobody reads from it, nor answers that it is closed
	}
	soon := time.Now().Add(1800 * time.Millisecond) // before who was told to go is given up, which takes two seconds
	for {
		late := time.Now().After(soon)
		if e.door.Connections() <= 2*most {
			break
		}
		if late {
			t.Fatalf("%d connections, at most %d may be there", e.door.Connections(), 2*most)
		}
		time.Sleep(10 * time.Millisecond)
	}
	for late := time.Now().Add(30 * time.Second); e.door.Connections() > most; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(late) {
			t.Fatalf("%d connections stay, want %d", e.door.Connections(), most)
		}
	}
	for _, s := range all[len(all)-most:] {
		s.say(map[string]any{"type": "request", "senderId": "me", "targetId": s.server, "documentId": "1", "data": []byte{1}})
		s.refused("base58check", websocket.CloseTryAgainLater)
	}
}

// TestWhoBringsMuchIsPaced: changes that a program brings are counted as those of the device are, and while its turn has not
// come no more is read from it.
func TestWhoBringsMuchIsPaced(t *testing.T) {
	type turn struct {
		device  crdt.DeviceID
		changes int
	}
	turns := make(chan turn, 10)
	asked := 0
	e := newEntrance(t, repo.Config{Pace: func(dev store.Device, changes int) (time.Duration, bool) {
		turns <- turn{dev.ID, changes}
		asked++
		return 300 * time.Millisecond, asked > 1
	}})
	s := e.dial("?token="+e.token, nil)
	s.join()
	a := storetest.NewAuthor(e.dev, 1, rand.New(rand.NewPCG(1, 1)))
	var chunks [][]byte
	var last automerge.Hash
	for range 3 {
		it := a.Tap(1)
		chunks, last = append(chunks, it.Change.Raw()), it.Change.Hash()
	}
	doc := strings.TrimPrefix(repo.URL(crdt.DocName("log-2026-11").DocumentID(e.dev.Member)), "automerge:")
	start := time.Now()
	s.say(map[string]any{
		"type": "sync", "senderId": "me", "targetId": s.server, "documentId": doc,
		"data": (&automerge.SyncMessage{Heads: []automerge.Hash{last}, Changes: chunks}).Append(nil),
	})
	s.say(map[string]any{"type": "request", "senderId": "me", "targetId": s.server, "documentId": "1", "data": []byte{1}})
	for {
		if m, _ := s.hear(); m.Type == "error" {
			break
		}
	}
	if took := time.Since(start); took < 600*time.Millisecond {
		t.Errorf("read on after %v, want 600 ms", took)
	}
	for range 2 {
		if got := <-turns; got != (turn{e.dev.ID, 3}) {
			t.Errorf("a turn is asked for %+v", got)
		}
	}
	if len(turns) > 0 {
		t.Errorf("more turns are asked for: %+v", <-turns)
	}
}

// TestConnectionIsTheRequest: the log's lines of a connection bear the id of the request that it came with.
func TestConnectionIsTheRequest(t *testing.T) {
	e := newEntrance(t, repo.Config{})
	m := ops.NewMetrics()
	srv := httptest.NewServer(ops.NewGuard(ops.GuardConfig{Store: e.st, Log: slog.New(slog.DiscardHandler), Metrics: m}).Wrap(
		ops.Route{Name: "repo", Access: ops.Devices, Token: repo.Token}, e.door))
	defer srv.Close()
	ws, res, err := websocket.DefaultDialer.Dial("ws"+strings.TrimPrefix(srv.URL, "http")+"/?token="+e.token, http.Header{"X-Request-Id": {"request-1"}})
	must(t, err)
	defer ws.Close()
	if res.StatusCode != http.StatusSwitchingProtocols {
		t.Fatal(res.Status)
	}
	s := &socket{TB: t, Conn: ws}
	s.join()
	s.say(map[string]any{"type": "request", "senderId": "me", "targetId": s.server, "documentId": "1", "data": []byte{1}})
	if m, _ := s.hear(); !strings.HasSuffix(m.Message, "(connection request-1)") {
		t.Errorf("%+v", m)
	}
	if !strings.Contains(e.logs.String(), "conn=request-1") {
		t.Errorf("the log does not name the request:\n%s", e.logs)
	}
}
