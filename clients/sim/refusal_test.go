package sim_test

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"trio/crdt"
	"trio/crdt/automerge"
	"trio/crdt/wire"
	"trio/replica"
	"trio/server"
	"trio/server/store"
)

// site is a server over a real socket with one member's device.
type site struct {
	t      *testing.T
	ctx    context.Context
	path   string
	st     *store.SQLite
	srv    *server.Server
	http   *httptest.Server
	member crdt.MemberID
	dev    store.Device
	token  string
}

func newSite(t *testing.T, maxPages int64) *site {
	t.Helper()
	s := &site{t: t, ctx: t.Context(), path: filepath.Join(t.TempDir(), "trio.db")}
	s.start(0)
	tenant, err := s.st.CreateTenant(s.ctx, "Acme")
	s.must(err)
	s.member, err = s.st.CreateMember(s.ctx, store.Member{Tenant: tenant, Name: "Maya"})
	s.must(err)
	s.dev, s.token, err = s.st.CreateDevice(s.ctx, s.member, "phone")
	s.must(err)
	if maxPages > 0 {
		s.stop()
		s.start(maxPages)
	}
	t.Cleanup(s.stop)
	return s
}

func (s *site) start(maxPages int64) {
	st, err := store.Open(s.ctx, store.Config{Path: s.path, MaxPages: maxPages})
	s.must(err)
	s.st = st
	s.srv = server.New(server.Config{Store: st, Log: slog.New(slog.DiscardHandler)})
	s.http = httptest.NewServer(s.srv)
}

func (s *site) stop() {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	s.must(s.srv.Shutdown(ctx))
	s.http.Close()
	s.must(s.st.Close())
}

func (s *site) must(err error) {
	if err != nil {
		s.t.Helper()
		s.t.Fatal(err)
	}
}

func (s *site) url() string { return "ws" + strings.TrimPrefix(s.http.URL, "http") + "/v1/sync" }

// dial opens a socket as a program of our own would.
func (s *site) dial(token string) *websocket.Conn {
	ws, _, err := websocket.DefaultDialer.Dial(s.url(), http.Header{"Authorization": {"Bearer " + token}})
	s.must(err)
	s.t.Cleanup(func() { ws.Close() })
	s.must(ws.SetReadDeadline(time.Now().Add(time.Minute)))
	return ws
}

func (s *site) send(ws *websocket.Conn, f wire.Frame) {
	b, err := wire.Encode(f)
	s.must(err)
	s.must(ws.WriteMessage(websocket.BinaryMessage, b))
}

// until reads frames up to one of a type.
func until[F wire.Frame](s *site, ws *websocket.Conn) F {
	s.t.Helper()
	for {
		_, b, err := ws.ReadMessage()
		s.must(err)
		f, err := wire.Decode(b)
		s.must(err)
		if want, ok := f.(F); ok {
			return want
		}
		if e, ok := f.(*wire.Error); ok {
			s.t.Fatalf("want another frame, got %v", e)
		}
	}
}

func (s *site) hello() *wire.Hello {
	return &wire.Hello{Version: wire.Version, Member: s.member, Device: s.dev.ID, App: "test"}
}

// refused expects an Error frame and the close code that goes with it.
func (s *site) refused(ws *websocket.Conn, code wire.Code, closed int, words string) {
	s.t.Helper()
	e := until[*wire.Error](s, ws)
	if e.Code != code || !strings.Contains(e.Text, words) {
		s.t.Errorf("got %v, want code %d with %q", e, code, words)
	}
	_, _, err := ws.ReadMessage()
	if !websocket.IsCloseError(err, closed) {
		s.t.Errorf("closed with %v, want %d", err, closed)
	}
}

func (s *site) replica() *replica.Replica {
	r, err := replica.Open(s.ctx, replica.Config{Path: filepath.Join(s.t.TempDir(), "replica.db"), Member: s.member, Device: s.dev.ID})
	s.must(err)
	s.t.Cleanup(func() { r.Close() })
	return r
}

// sync runs a syncer until check holds.
func (s *site) sync(r *replica.Replica, token string, check func(replica.SyncState) bool) replica.SyncState {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.ctx, time.Minute)
	defer cancel()
	y := r.NewSyncer(replica.SyncerConfig{
		URL: s.url(), Token: token, Log: slog.New(slog.DiscardHandler), MinWait: 10 * time.Millisecond, MaxWait: 40 * time.Millisecond,
	})
	done := make(chan struct{})
	go func() {
		defer close(done)
		y.Run(ctx) //nolint:errcheck // State tells
	}()
	for !check(y.State()) {
		if ctx.Err() != nil {
			s.t.Fatalf("sync got no further than %+v", y.State())
		}
		time.Sleep(5 * time.Millisecond)
	}
	st := y.State()
	cancel()
	<-done
	return st
}

func level(st replica.SyncState) bool { return st.Level }
func final(st replica.SyncState) bool { return st.Final }

func TestWrongTokenIsToldAndKeepsItsData(t *testing.T) {
	s := newSite(t, 0)
	r := s.replica()
	_, err := r.AddContact(s.ctx, replica.Fields{crdt.FieldName: "Ana"})
	s.must(err)
	st := s.sync(r, "trio_d_wrong", final)
	var e *wire.Error
	if !errors.As(st.Err, &e) || e.Code != wire.CodeDevice || !strings.Contains(e.Text, "sign in again") {
		t.Errorf("wrong token: got %v", st.Err)
	}
	if n, err := r.UnsentCount(s.ctx); err != nil || n != 1 {
		t.Errorf("unsent: %d, %v", n, err)
	}
	s.sync(r, s.token, level)
	if n, err := r.UnsentCount(s.ctx); err != nil || n != 0 {
		t.Errorf("unsent after the right token: %d, %v", n, err)
	}
	s.must(s.st.RevokeDevice(s.ctx, s.dev.ID))
	if st := s.sync(r, s.token, final); !errors.As(st.Err, &e) || e.Code != wire.CodeRevoked {
		t.Errorf("revoked: got %v", st.Err)
	}
}

func TestHelloOfAnotherDeviceOrVersion(t *testing.T) {
	s := newSite(t, 0)
	other, _, err := s.st.CreateDevice(s.ctx, s.member, "tablet")
	s.must(err)
	ws := s.dial(s.token)
	h := s.hello()
	h.Device = other.ID
	s.send(ws, h)
	s.refused(ws, wire.CodeDevice, 4000+int(wire.CodeDevice), "another member or device")

	ws = s.dial(s.token)
	h = s.hello()
	h.Version = 0
	s.send(ws, h)
	s.refused(ws, wire.CodeVersion, 4000+int(wire.CodeVersion), "update the app")

	ws = s.dial(s.token)
	h = s.hello()
	h.Version = 99 // a newer app speaks our version with us
	s.send(ws, h)
	if w := until[*wire.Welcome](s, ws); w.Version != wire.Version {
		t.Errorf("welcome of version %d", w.Version)
	}
}

func TestDamagedFramesEndTheConnectionOnly(t *testing.T) {
	s := newSite(t, 0)
	good, err := wire.Encode(&wire.Push{ID: 1, Items: []wire.Item{s.entry(1, nil, `{"v":1,"kind":"share","at":1795000000000,"evidence":"E1"}`)}})
	s.must(err)
	flipped := append([]byte(nil), good...)
	flipped[len(flipped)/2] ^= 4
	for name, frame := range map[string][]byte{
		"truncated": good[:len(good)-3],
		"flipped":   flipped,
		"empty":     {},
		"unknown":   {99, 1, 2},
		"oversized": make([]byte, wire.MaxFrame+1),
	} {
		t.Run(name, func(t *testing.T) {
			ws := s.dial(s.token)
			s.send(ws, s.hello())
			until[*wire.Welcome](s, ws)
			if err := ws.WriteMessage(websocket.BinaryMessage, frame); err != nil {
				t.Fatal(err)
			}
			if name == "oversized" { // what comes first, our word or the broken pipe, is up to the network
				for err == nil {
					_, _, err = ws.ReadMessage()
				}
				return
			}
			s.refused(ws, wire.CodeFrame, websocket.CloseTryAgainLater, "frame")
		})
	}
	if head, err := s.st.Head(s.ctx, s.member); err != nil || head.Seq != 0 {
		t.Errorf("a damaged frame stored something: %+v, %v", head, err)
	}
	r := s.replica()
	_, err = r.AddContact(s.ctx, replica.Fields{crdt.FieldName: "Ana"})
	s.must(err)
	s.sync(r, s.token, level) // the server is as well as before
}

// entry makes a change of the log, the seq-th of the site's device.
func (s *site) entry(seq uint64, deps []automerge.Hash, body string) wire.Item {
	return s.write(crdt.NewActor(s.dev.ID, 1), seq, deps, automerge.Op{Key: crdt.NewEntryID().String(), Action: automerge.Put, Value: text(body)})
}

func text(s string) automerge.Value { return automerge.Value{Kind: automerge.KindString, Str: s} }

func (s *site) write(a automerge.ActorID, seq uint64, deps []automerge.Hash, op automerge.Op) wire.Item {
	c := &automerge.Change{Actor: a, Seq: seq, StartOp: seq, Time: 1795000000, Deps: deps, Ops: []automerge.Op{op}}
	s.must(c.Seal())
	return wire.Item{Doc: "log-2026-11", Change: c}
}

func TestRefusedChangesAreNamedAndTheRestGoesThrough(t *testing.T) {
	const good = `{"v":1,"kind":"share","at":1795000000000,"evidence":"E1"}`
	s := newSite(t, 0)
	stranger := crdt.NewActor(crdt.DeviceID{1, 2, 3}, 1)
	first := s.entry(1, nil, good)
	second := s.entry(2, []automerge.Hash{first.Change.Hash()}, good)
	overwrite := s.write(crdt.NewActor(s.dev.ID, 2), 1, nil, automerge.Op{Key: first.Change.Ops[0].Key, Action: automerge.Put, Value: text(good)})
	overwrite.Change = &automerge.Change{
		Actor: crdt.NewActor(s.dev.ID, 2), Seq: 1, StartOp: 2, Deps: []automerge.Hash{first.Change.Hash()},
		Ops: []automerge.Op{{Key: first.Change.Ops[0].Key, Action: automerge.Put, Value: text(good), Pred: []automerge.OpID{first.Change.OpID(0)}}},
	}
	s.must(overwrite.Change.Seal())
	lost := s.write(crdt.NewActor(s.dev.ID, 3), 1, []automerge.Hash{{9}}, automerge.Op{Key: crdt.NewEntryID().String(), Action: automerge.Put, Value: text(good)})
	elsewhere := s.entry(1, nil, good)
	elsewhere.Doc = "secrets"
	again := s.entry(1, nil, good)
	later := s.write(crdt.NewActor(s.dev.ID, 4), 1, nil, automerge.Op{Key: crdt.NewEntryID().String(), Action: automerge.Put, Value: text(`{"v":2,"kind":"hologram","at":1795000000000,"evidence":"E1","shape":"cube"}`)})
	jump := s.write(crdt.NewActor(s.dev.ID, 7), 1, nil, automerge.Op{Key: crdt.NewEntryID().String(), Action: automerge.Put, Value: text(good)})
	jump.Change = &automerge.Change{Actor: jump.Change.Actor, Seq: 1, StartOp: 1 << 30, Ops: jump.Change.Ops}
	s.must(jump.Change.Seal())
	items := []wire.Item{
		s.write(stranger, 1, nil, automerge.Op{Key: crdt.NewEntryID().String(), Action: automerge.Put, Value: text(good)}),
		first,
		s.write(crdt.NewActor(s.dev.ID, 5), 1, nil, automerge.Op{Key: crdt.NewEntryID().String(), Action: automerge.Put, Value: text(`{"kind":`)}),
		s.write(crdt.NewActor(s.dev.ID, 6), 1, nil, automerge.Op{Key: "not-an-id", Action: automerge.Put, Value: text(good)}),
		second, overwrite, lost, elsewhere, again, later, jump,
	}
	ws := s.dial(s.token)
	s.send(ws, s.hello())
	until[*wire.Welcome](s, ws)
	s.send(ws, &wire.Push{ID: 7, Items: items})
	order := until[*wire.Changes](s, ws)
	if order.To.Seq != 3 {
		t.Errorf("stored up to %d, want the 3 good ones", order.To.Seq)
	}
	a := until[*wire.Answer](s, ws)
	got := map[automerge.Hash]wire.Refusal{}
	for _, x := range a.Refused {
		got[x.Hash] = x
	}
	for i, want := range map[int]wire.Code{
		0: wire.CodeActor, 2: wire.CodeSchema, 3: wire.CodeSchema, 5: wire.CodeSchema, 6: wire.CodeDeps, 7: wire.CodeDocument, 8: wire.CodeSequence, 10: wire.CodeInvalid,
	} {
		if x := got[items[i].Change.Hash()]; x.Code != want || len(x.Text) < 20 {
			t.Errorf("change %d: refused with %d %q, want code %d", i, x.Code, x.Text, want)
		}
	}
	if len(a.Refused) != 8 {
		t.Errorf("%d refused, want 8: %+v", len(a.Refused), a.Refused)
	}
}

func TestFullServerDiskLosesNothing(t *testing.T) {
	s := newSite(t, 60)
	r := s.replica()
	rng := rand.New(rand.NewPCG(1, 1))
	for range 300 {
		note := make([]byte, 2000) // that does not compress
		for i := range note {
			note[i] = byte('!' + rng.IntN(90))
		}
		_, err := r.AddContact(s.ctx, replica.Fields{crdt.FieldName: "Ana", crdt.FieldNote: string(note)})
		s.must(err)
	}
	full := func(st replica.SyncState) bool {
		var e *wire.Error
		return errors.As(st.Err, &e) && e.Code == wire.CodeFull
	}
	st := s.sync(r, s.token, full)
	if st.Final || !strings.Contains(st.Err.Error(), "stays on this device") {
		t.Errorf("full disk: got %+v", st)
	}
	n, err := r.UnsentCount(s.ctx)
	s.must(err)
	if n == 0 {
		t.Fatal("nothing is unsent although the server's disk is full")
	}
	s.stop()
	s.start(0)
	s.sync(r, s.token, level)
	head, err := s.st.Head(s.ctx, s.member)
	s.must(err)
	if head.Seq != 300 {
		t.Errorf("server has %d changes, want 300", head.Seq)
	}
}

func TestFullDeviceDiskRefusesTheTapOnly(t *testing.T) {
	s := newSite(t, 0)
	path := filepath.Join(t.TempDir(), "replica.db")
	cfg := replica.Config{Path: path, Member: s.member, Device: s.dev.ID, MaxPages: 60}
	r, err := replica.Open(s.ctx, cfg)
	s.must(err)
	kept := 0
	for {
		_, err = r.AddContact(s.ctx, replica.Fields{crdt.FieldName: "Ana", crdt.FieldNote: strings.Repeat("x", 2000)})
		if err != nil {
			break
		}
		kept++
	}
	if !errors.Is(err, replica.ErrFull) || !strings.Contains(err.Error(), "free some space and tap again") {
		t.Errorf("full disk: got %v", err)
	}
	s.must(r.Close())
	cfg.MaxPages = 0
	r, err = replica.Open(s.ctx, cfg)
	s.must(err)
	defer r.Close()
	cs, err := r.Contacts(s.ctx, "", 0, 1000)
	s.must(err)
	if len(cs) != kept || kept == 0 {
		t.Errorf("%d taps were acknowledged, %d contacts are there", kept, len(cs))
	}
	_, err = r.AddContact(s.ctx, replica.Fields{crdt.FieldName: "Ben"})
	s.must(err)
	s.sync(r, s.token, level)
}
