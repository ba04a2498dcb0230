package hub_test

import (
	"bytes"
	"context"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"trio/crdt"
	"trio/crdt/automerge"
	"trio/crdt/wire"
	"trio/server/hub"
	"trio/server/store"
	"trio/server/store/storetest"
)

// served is a hub on a real socket, with a member who has a device.
type served struct {
	testing.TB
	st    *store.SQLite
	hub   *hub.Hub
	url   string
	dev   store.Device
	token string
	logs  logs
	wrote atomic.Int64 // how often the server wrote to a socket
}

// logs is what was logged.
type logs struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logs) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logs) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// countingListener counts the writes of the connections that come.
type countingListener struct {
	net.Listener
	n *atomic.Int64
}

type countingConn struct {
	net.Conn
	n *atomic.Int64
}

func (l *countingListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	return &countingConn{c, l.n}, err
}

func (c *countingConn) Write(b []byte) (int, error) {
	c.n.Add(1)
	return c.Conn.Write(b)
}

func newServed(tb testing.TB, cfg hub.Config) *served {
	tb.Helper()
	ctx := tb.Context()
	s := &served{TB: tb}
	must := func(err error) {
		tb.Helper()
		if err != nil {
			tb.Fatal(err)
		}
	}
	st, err := store.Open(ctx, store.Config{Path: filepath.Join(tb.TempDir(), "trio.db")})
	must(err)
	if cfg.Store == nil {
		cfg.Store = st
	}
	switch w := cfg.Store.(type) {
	case *whispering:
		w.SQLite = st
	case *endless:
		w.SQLite = st
	}
	s.st, cfg.Log = st, slog.New(slog.NewTextHandler(&s.logs, nil))
	tenant, err := st.CreateTenant(ctx, "Acme")
	must(err)
	m, err := st.CreateMember(ctx, store.Member{Tenant: tenant, Name: "Maya"})
	must(err)
	s.dev, s.token, err = st.CreateDevice(ctx, m, "device")
	must(err)
	s.hub = hub.New(cfg)
	srv := httptest.NewUnstartedServer(s.hub)
	srv.Listener = &countingListener{srv.Listener, &s.wrote}
	srv.Start()
	s.url = "ws" + strings.TrimPrefix(srv.URL, "http")
	tb.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		defer cancel()
		must(s.hub.Shutdown(ctx))
		srv.Close()
		must(st.Close())
	})
	return s
}

func (s *served) dial() *websocket.Conn {
	s.Helper()
	ws, _, err := websocket.DefaultDialer.Dial(s.url, http.Header{"Authorization": {"Bearer " + s.token}})
	if err != nil {
		s.Fatal(err)
	}
	s.Cleanup(func() { ws.Close() })
	return ws
}

func (s *served) say(ws *websocket.Conn, f wire.Frame) {
	s.Helper()
	b, err := wire.Encode(f)
	if err != nil {
		s.Fatal(err)
	}
	if err := ws.WriteMessage(websocket.BinaryMessage, b); err != nil {
		s.Fatal(err)
	}
}

func (s *served) hear(ws *websocket.Conn) wire.Frame {
	s.Helper()
	if err := ws.SetReadDeadline(time.Now().Add(30 * time.Second)); err != nil {
		s.Fatal(err)
	}
	_, b, err := ws.ReadMessage()
	if err != nil {
		s.Fatal(err)
	}
	f, err := wire.Decode(b)
	if err != nil {
		s.Fatal(err)
	}
	return f
}

// A member who comes again and again, and whose connections do not go when they are told to, has no more of them open than
// twice the bound, and the last that came are served.
func TestConnectionsOfOneMember(t *testing.T) {
	const most = 3
	s := newServed(t, hub.Config{Member: most})
	hello := &wire.Hello{Version: wire.Version, Member: s.dev.Member, Device: s.dev.ID}
	var all []*websocket.Conn
	for range 10 * most {
		ws := s.dial()
		s.say(ws, hello)
		if w := s.hear(ws).(*wire.Welcome); w.Leave {
			t.Fatal("told to leave")
		}
		all = append(all, ws) // from now on nobody reads from it, nor answers that it is closed
	}
	soon := time.Now().Add(1800 * time.Millisecond) // before who was told to go is given up, which takes two seconds
	for {
		late := time.Now().After(soon)
		if s.hub.Connections() <= 2*most {
			break
		}
		if late {
			t.Fatalf("%d connections, at most %d may be there", s.hub.Connections(), 2*most)
		}
		time.Sleep(10 * time.Millisecond)
	}
	for late := time.Now().Add(30 * time.Second); s.hub.Connections() > most; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(late) {
			t.Fatalf("%d connections stay, want %d", s.hub.Connections(), most)
		}
	}
	for i, ws := range all[len(all)-most:] {
		s.say(ws, &wire.Push{ID: 1})
		if f := s.hear(ws); f.(*wire.Answer).ID != 1 {
			t.Errorf("connection %d of the last %d is not served: %+v", i, most, f)
		}
	}
}

// What is refused is found in the log by its hash. What stands in it does not get there: it may be a number of somebody whom
// the member knows. The device is told in full.
func TestLogQuotesNoChange(t *testing.T) {
	s := newServed(t, hub.Config{})
	ws := s.dial()
	s.say(ws, &wire.Hello{Version: wire.Version, Member: s.dev.Member, Device: s.dev.ID})
	s.hear(ws)
	const number = "+15550123456"
	a := storetest.NewAuthor(s.dev, 1, rand.New(rand.NewPCG(1, 1)))
	text := automerge.Value{Kind: automerge.KindString, Str: number}
	put := func(doc crdt.DocName, ops ...automerge.Op) wire.Item {
		it := a.Fork().Write(doc, ops)
		return wire.Item{Doc: it.Doc, Change: it.Change}
	}
	tel := automerge.Op{Key: "tel:" + number, Action: automerge.Put, Value: text}
	push := &wire.Push{ID: 1, Items: []wire.Item{
		put(crdt.ContactsDoc, tel, tel),
		put("log-2026-11", automerge.Op{Key: number, Action: automerge.Put, Value: text}),
		put(number, tel),
	}}
	s.say(ws, push)
	answer := s.hear(ws).(*wire.Answer)
	if len(answer.Refused) != len(push.Items) || !strings.Contains(answer.Refused[0].Text, number) {
		t.Errorf("answered %+v", answer)
	}
	log := s.logs.String()
	for _, it := range push.Items {
		if !strings.Contains(log, it.Change.Hash().String()) {
			t.Errorf("refused change %s is not in the log", it.Change.Hash())
		}
	}
	if strings.Contains(log, number[1:]) {
		t.Errorf("the log quotes what was written:\n%s", log)
	}
}

// What a tap comes back as, its place in the order and the answer, leaves the server with one write; so does the largest
// page of the order before an answer, whose bytes all arrive.
func TestOneWriteForATap(t *testing.T) {
	s := newServed(t, hub.Config{})
	ws := s.dial()
	s.say(ws, &wire.Hello{Version: wire.Version, Member: s.dev.Member, Device: s.dev.ID})
	if _, ok := s.hear(ws).(*wire.Welcome); !ok {
		t.Fatal("no welcome")
	}
	a := storetest.NewAuthor(s.dev, 1, rand.New(rand.NewPCG(1, 1)))
	push := func(id uint64, n int) {
		var items []wire.Item
		for range n {
			it := a.Tap(1)
			items = append(items, wire.Item{Doc: it.Doc, Change: it.Change})
		}
		before := s.wrote.Load()
		s.say(ws, &wire.Push{ID: id, Items: items})
		c, ok := s.hear(ws).(*wire.Changes)
		if !ok || len(c.Held) != n {
			t.Fatalf("push %d: want a place in the order for each of %d changes first", id, n)
		}
		if x, ok := s.hear(ws).(*wire.Answer); !ok || x.ID != id || len(x.Refused) != 0 {
			t.Fatalf("push %d: want its answer", id)
		}
		if wrote := s.wrote.Load() - before; n == 1 && wrote != 1 {
			t.Errorf("push %d: the server wrote %d times", id, wrote)
		}
	}
	for id := range uint64(3) {
		push(id, 1)
	}
	push(3, 1000) // more than is held back
	push(4, 1)
}
