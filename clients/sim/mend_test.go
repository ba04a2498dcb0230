package sim_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"trio/crdt"
	"trio/crdt/automerge"
	"trio/crdt/wire"
	"trio/ranking"
	"trio/replica"
	"trio/replica/importer"
	"trio/server/hub"
	"trio/server/store"
)

// rig is a store and a member's devices, with frames moved in this process until nothing moves.
type rig struct {
	*testing.T
	ctx    context.Context
	path   string
	st     *store.SQLite
	tenant store.Tenant
	member crdt.MemberID
	clock  func() time.Time // the server's
}

func newRig(t *testing.T) *rig {
	g := &rig{T: t, ctx: t.Context(), path: filepath.Join(t.TempDir(), "s.db"), clock: time.Now}
	g.open()
	var err error
	g.tenant, err = g.st.CreateTenant(g.ctx, "A")
	g.ok(err)
	g.member, err = g.st.CreateMember(g.ctx, store.Member{Tenant: g.tenant, Name: "M"})
	g.ok(err)
	t.Cleanup(func() { g.st.Close() })
	return g
}

func (g *rig) open() {
	st, err := store.Open(g.ctx, store.Config{Path: g.path, Logger: slog.New(slog.DiscardHandler)})
	g.ok(err)
	g.st = st
}

func (g *rig) ok(err error) {
	if err != nil {
		g.Helper()
		g.Fatal(err)
	}
}

func (g *rig) dev() store.Device {
	d, _, err := g.st.CreateDevice(g.ctx, g.member, "d")
	g.ok(err)
	return d
}

func (g *rig) replica(d store.Device, path string) *replica.Replica {
	if path == "" {
		path = filepath.Join(g.TempDir(), "r.db")
	}
	r, err := replica.Open(g.ctx, replica.Config{Path: path, Member: d.Member, Device: d.ID})
	g.ok(err)
	g.Cleanup(func() { r.Close() })
	return r
}

// sync runs one connection until nothing moves; down is told before each frame to the device.
func (g *rig) sync(r *replica.Replica, d store.Device, down func(wire.Frame)) error {
	dv, sv := r.NewSession("t"), hub.NewSession(g.st, d, "c", g.clock)
	b, err := dv.Hello(g.ctx)
	g.ok(err)
	up := [][]byte{b}
	for {
		moved := false
		for len(up) > 0 {
			if _, err := sv.Receive(g.ctx, up[0]); err != nil {
				return fmt.Errorf("server: %w", err)
			}
			up, moved = up[1:], true
		}
		b, err := sv.Next(g.ctx)
		if err != nil {
			return fmt.Errorf("server next: %w", err)
		}
		if b != nil {
			moved = true
			if down != nil {
				f, err := wire.Decode(b)
				g.ok(err)
				down(f)
			}
			out, err := dv.Receive(g.ctx, b)
			if err != nil {
				return fmt.Errorf("device: %w", err)
			}
			up = append(up, out...)
		}
		n, err := dv.Next(g.ctx)
		if err != nil {
			return fmt.Errorf("device next: %w", err)
		}
		if n != nil {
			up, moved = append(up, n), true
		}
		if !moved {
			return nil
		}
	}
}

// sameAfterRebuild checks that rows kept change by change equal those made anew, and that the server reads the same facts as a
// device that is level with it.
func (g *rig) sameAfterRebuild(r *replica.Replica) {
	g.Helper()
	var x, y strings.Builder
	g.ok(r.Dump(g.ctx, &x))
	g.ok(r.Rebuild(g.ctx))
	g.ok(r.Dump(g.ctx, &y))
	if x.String() != y.String() {
		g.Errorf("rebuilt rows differ:\n%.600s", diff(x.String(), y.String()))
	}
	heads, err := g.st.Heads(g.ctx, []crdt.MemberID{r.Member()})
	g.ok(err)
	if st := status(g, r); st.Unsent > 0 || st.Receipt.Seq != heads[r.Member()] {
		return
	}
	if got, want := serverReads(g.ctx, g.st, r.Member(), g.ok), factsOf(x.String()); got != want {
		g.Errorf("the server reads other facts than the device:\n%.600s", diff(want, got))
	}
}

func image(t *testing.T, from, to string) {
	for _, e := range []string{"", "-wal"} {
		b, err := os.ReadFile(from + e)
		if os.IsNotExist(err) {
			os.Remove(to + e)
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(to+e, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func noise(n int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte('!' + rand.IntN(90))
	}
	return strings.ReplaceAll(string(b), "\\", "x")
}

// A phone that is put back from its backup and then writes far more than one change may hold.
func TestPutBackPhoneThatWroteMuch(t *testing.T) {
	if testing.Short() {
		t.Skip("long, and in one goroutine")
	}
	g := newRig(t)
	d := g.dev()
	path := filepath.Join(t.TempDir(), "r.db")
	r := g.replica(d, path)
	_, err := r.AddContact(g.ctx, replica.Fields{crdt.FieldName: "Ana"})
	g.ok(err)
	g.ok(g.sync(r, d, nil))
	backup := filepath.Join(t.TempDir(), "b.db")
	image(t, path, backup)
	_, err = r.AddContact(g.ctx, replica.Fields{crdt.FieldName: "Ben"}) // one tap after the backup, acknowledged
	g.ok(err)
	g.ok(g.sync(r, d, nil))
	r.Close()
	r = g.replica(d, backup)
	var people []importer.Person
	for i := range 4000 {
		people = append(people, importer.Person{Key: fmt.Sprint("k", i), Name: fmt.Sprint("Person ", i), Company: noise(20), Note: noise(300), Phones: []importer.Phone{{Number: fmt.Sprintf("+1555%07d", i), Label: "mobile"}}})
	}
	_, err = r.ImportPeople(g.ctx, people)
	g.ok(err)
	g.ok(g.sync(r, d, nil))
	n, err := r.UnsentCount(g.ctx)
	g.ok(err)
	cs, err := r.Contacts(g.ctx, "", 0, 10000)
	g.ok(err)
	if n != 0 || len(cs) != 4002 {
		t.Errorf("%d unsent, %d contacts of 4002", n, len(cs))
	}
}

// The same, while the order arrives in several frames and the person goes on tapping between them.
func TestPutBackPhoneTapsBetweenFrames(t *testing.T) {
	if testing.Short() {
		t.Skip("long, and in one goroutine")
	}
	g := newRig(t)
	d := g.dev()
	path := filepath.Join(t.TempDir(), "r.db")
	r := g.replica(d, path)
	_, err := r.AddContact(g.ctx, replica.Fields{crdt.FieldName: "Ana"})
	g.ok(err)
	g.ok(g.sync(r, d, nil))
	backup := filepath.Join(t.TempDir(), "b.db")
	image(t, path, backup)
	for range 1000 { // more than one page of the order
		_, err = r.AddContact(g.ctx, replica.Fields{crdt.FieldName: "Ben", crdt.FieldNote: noise(3900)})
		g.ok(err)
	}
	_, err = r.Log(g.ctx, crdt.Entry{Kind: crdt.Share})
	g.ok(err)
	g.ok(g.sync(r, d, nil))
	r.Close()
	r = g.replica(d, backup)
	_, err = r.AddContact(g.ctx, replica.Fields{crdt.FieldName: "Cid"})
	g.ok(err)
	_, err = r.Log(g.ctx, crdt.Entry{Kind: crdt.Share, Note: "tap before"})
	g.ok(err)
	pages := 0
	err = g.sync(r, d, func(f wire.Frame) {
		if _, ok := f.(*wire.Changes); ok {
			if pages++; pages == 2 {
				_, err := r.Log(g.ctx, crdt.Entry{Kind: crdt.Share, Note: "tap between"})
				g.ok(err)
			}
		}
	})
	g.ok(err)
	if pages < 2 {
		t.Fatalf("the order came in %d frames: the test wants more", pages)
	}
	us, err := r.Unsent(g.ctx)
	g.ok(err)
	for _, u := range us {
		t.Errorf("unsent for good: %+v", u)
	}
	_, err = r.Log(g.ctx, crdt.Entry{Kind: crdt.Share, Note: "later"})
	g.ok(err)
	g.ok(g.sync(r, d, nil))
	if us, err = r.Unsent(g.ctx); err != nil || len(us) > 0 {
		t.Errorf("after one more tap: %v, %v", us, err)
	}
}

// The server is put back from a backup that does not know a device: the operator adopts it, and nothing is missing.
func TestServerPutBackBeforeADeviceJoined(t *testing.T) {
	g := newRig(t)
	a := g.dev()
	ra := g.replica(a, "")
	ana, err := ra.AddContact(g.ctx, replica.Fields{crdt.FieldName: "Ana"})
	g.ok(err)
	g.ok(g.sync(ra, a, nil))
	backup := filepath.Join(t.TempDir(), "b.db")
	image(t, g.path, backup)
	b := g.dev()
	rb := g.replica(b, "")
	g.ok(g.sync(rb, b, nil))
	g.ok(rb.EditContact(g.ctx, ana, replica.Fields{crdt.FieldName: "Ana B"}))
	g.ok(g.sync(rb, b, nil))
	g.ok(g.sync(ra, a, nil))
	// restore
	g.st.Close()
	g.path = backup
	g.open()
	g.ok(ra.EditContact(g.ctx, ana, replica.Fields{crdt.FieldNote: "by A, after"}))
	g.ok(g.sync(ra, a, nil))
	us, err := ra.Unsent(g.ctx)
	g.ok(err)
	if len(us) == 0 || us[0].Refused != wire.CodeActor || !strings.Contains(us[0].Reason, b.ID.String()) {
		t.Errorf("an unknown device's change: %+v", us)
	}
	g.ok(g.st.AdoptDevice(g.ctx, g.member, b.ID))
	if err := g.st.AdoptDevice(g.ctx, crdt.MemberID{9}, b.ID); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("adopted for nobody: %v", err)
	}
	g.ok(g.sync(ra, a, nil))
	if us, err = ra.Unsent(g.ctx); err != nil || len(us) > 0 {
		t.Errorf("after the adoption: %+v, %v", us, err)
	}
}

// Contacts merged in a circle on several devices, and one merge taken back.
func TestMergeCircleOpened(t *testing.T) {
	g := newRig(t)
	d := g.dev()
	r := g.replica(d, "")
	bad := 0
	for range 8 {
		var c [3]crdt.ContactID
		for i := range c {
			id, err := r.AddContact(g.ctx, replica.Fields{crdt.FieldName: fmt.Sprint("P", i), crdt.FieldPhone + fmt.Sprintf("+1555%07d", rand.IntN(10000000)): ""})
			g.ok(err)
			c[i] = id
		}
		rand.Shuffle(3, func(i, j int) { c[i], c[j] = c[j], c[i] })
		for i := range c {
			g.ok(r.EditContact(g.ctx, c[i], replica.Fields{crdt.FieldMergedInto: c[(i+1)%3].String()}))
		}
		g.ok(r.EditContact(g.ctx, c[0], replica.Fields{crdt.FieldMergedInto: ""}))
		var x, y strings.Builder
		g.ok(r.Dump(g.ctx, &x))
		g.ok(r.Rebuild(g.ctx))
		g.ok(r.Dump(g.ctx, &y))
		if x.String() != y.String() {
			bad++
			if bad == 1 {
				t.Errorf("incremental != rebuilt:\n%.600s", diff(x.String(), y.String()))
			}
		}
	}
}

func (g *rig) push(d store.Device, doc crdt.DocName, writer uint32, ops []automerge.Op) {
	c := &automerge.Change{Actor: crdt.NewActor(d.ID, writer), Seq: 1, StartOp: 1, Time: 1795000000, Ops: ops}
	g.ok(c.Seal())
	if refused := g.send(d, wire.Item{Doc: doc, Change: c}); len(refused) > 0 {
		g.Fatalf("refused: %+v", refused)
	}
}

// send pushes changes as a program that is not ours may, and returns what was refused.
func (g *rig) send(d store.Device, items ...wire.Item) (refused []wire.Refusal) {
	sv := hub.NewSession(g.st, d, "c", time.Now)
	for _, f := range []wire.Frame{&wire.Hello{Version: 1, Member: d.Member, Device: d.ID}, &wire.Push{ID: 1, Items: items}} {
		b, err := wire.Encode(f)
		g.ok(err)
		_, err = sv.Receive(g.ctx, b)
		g.ok(err)
	}
	for {
		b, err := sv.Next(g.ctx)
		g.ok(err)
		if b == nil {
			return refused
		}
		f, err := wire.Decode(b)
		g.ok(err)
		if a, ok := f.(*wire.Answer); ok {
			refused = append(refused, a.Refused...)
		}
	}
}

// A small change that puts one key thousands of times would be as many conflicts for every device.
func TestManyValuesOfOneKeyAreRefused(t *testing.T) {
	g := newRig(t)
	evil, victim := g.dev(), g.dev()
	key := crdt.ContactKey(crdt.NewContactID(), crdt.FieldName)
	var ops []automerge.Op
	for i := range 4000 {
		ops = append(ops, automerge.Op{Key: key, Action: automerge.Put, Value: text(fmt.Sprint(i))})
	}
	c := &automerge.Change{Actor: crdt.NewActor(evil.ID, 1), Seq: 1, StartOp: 1, Time: 1795000000, Ops: ops}
	g.ok(c.Seal())
	if refused := g.send(evil, wire.Item{Doc: crdt.ContactsDoc, Change: c}); len(refused) != 1 || refused[0].Code != wire.CodeInvalid {
		t.Errorf("got %+v", refused)
	}
	g.ok(g.sync(g.replica(victim, ""), victim, nil))
}

// A chain of merges that no person makes: all devices agree on it, and it costs each no more than its length.
func TestLongChainOfMerges(t *testing.T) {
	if testing.Short() {
		t.Skip("long, and in one goroutine")
	}
	g := newRig(t)
	evil, victim := g.dev(), g.dev()
	var ops []automerge.Op
	id := crdt.NewContactID()
	for range 600 {
		next := crdt.NewContactID()
		ops = append(ops, automerge.Op{Key: crdt.ContactKey(id, crdt.FieldMergedInto), Action: automerge.Put, Value: text(next.String())})
		id = next
	}
	g.push(evil, crdt.ContactsDoc, 1, ops)
	r := g.replica(victim, "")
	start := time.Now()
	g.ok(g.sync(r, victim, nil))
	t.Logf("600 merges in a chain took %v", time.Since(start))
	g.sameAfterRebuild(r)
}

// Entries that a program of ours would not write must not break a screen.
func TestOddEntriesBreakNoScreen(t *testing.T) {
	now := time.Now().UnixMilli()
	g := newRig(t)
	evil, victim := g.dev(), g.dev()
	g.push(evil, crdt.LogDoc(time.Now()), 1, []automerge.Op{{Key: crdt.NewEntryID().String(), Action: automerge.Put, Value: text(
		fmt.Sprintf(`{"v":1,"kind":"learn","at":%d,"evidence":"E1","value":{"minutes":30},"x":%s%s}`, now, strings.Repeat("[", 1500), strings.Repeat("]", 1500)))}})
	c := &automerge.Change{Actor: crdt.NewActor(evil.ID, 2), Seq: 1, StartOp: 1, Ops: []automerge.Op{{Key: crdt.NewEntryID().String(), Action: automerge.Put, Value: text(
		fmt.Sprintf(`{"v":1,"kind":"learn","at":%d,"evidence":"E1","value":{"minutes":9223372036854775807}}`, now))}}}
	g.ok(c.Seal())
	if refused := g.send(evil, wire.Item{Doc: crdt.LogDoc(time.Now()), Change: c}); len(refused) != 1 || refused[0].Code != wire.CodeSchema {
		t.Errorf("endless minutes: %+v", refused)
	}
	r := g.replica(victim, "")
	g.ok(g.sync(r, victim, nil))
	gs, err := r.GoalsToday(g.ctx)
	g.ok(err)
	if gs[2].Dimension != crdt.GoalLearn || gs[2].Done != 30 {
		t.Errorf("goals: %+v", gs)
	}
}

func TestSecondProcessIsRefused(t *testing.T) {
	g := newRig(t)
	d := g.dev()
	path := filepath.Join(t.TempDir(), "r.db")
	r := g.replica(d, path)
	if _, err := replica.Open(g.ctx, replica.Config{Path: path, Member: d.Member, Device: d.ID}); !errors.Is(err, replica.ErrInUse) {
		t.Errorf("opened twice: %v", err)
	}
	g.ok(r.Close())
	g.replica(d, path)
}

// A peer that takes no bytes must not keep a syncer that is to end.
func TestRunEndsWithItsContext(t *testing.T) {
	g := newRig(t)
	d := g.dev()
	r := g.replica(d, "")
	for range 900 {
		_, err := r.AddContact(g.ctx, replica.Fields{crdt.FieldName: "Ana", crdt.FieldNote: noise(4000)})
		g.ok(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	g.ok(err)
	defer l.Close()
	release := make(chan struct{})
	defer close(release)
	greet(t, l, func(ws *websocket.Conn) {
		<-release // and reads nothing
	})
	ctx, cancel := context.WithCancel(g.ctx)
	y := r.NewSyncer(replica.SyncerConfig{URL: "ws://" + l.Addr().String(), Token: "x", Log: slog.New(slog.DiscardHandler), Dial: func(ctx context.Context, n, a string) (net.Conn, error) {
		c, err := net.Dial(n, a)
		if err == nil {
			c.(*net.TCPConn).SetWriteBuffer(8192)
		}
		return c, err
	}})
	done := make(chan struct{})
	go func() {
		defer close(done)
		y.Run(ctx) //nolint:errcheck // it is the end that counts
	}()
	time.Sleep(1500 * time.Millisecond)
	cancel()
	select {
	case <-done:
	case <-time.After(8 * time.Second):
		t.Error("Run still runs 8 s after its context ended")
	}
}

// greet is a server that welcomes devices and then does as it likes.
func greet(t *testing.T, l net.Listener, then func(*websocket.Conn)) {
	srv := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var up websocket.Upgrader
		ws, err := up.Upgrade(w, r, nil)
		if err != nil {
			return
		}
		defer ws.Close()
		if c, ok := ws.NetConn().(*net.TCPConn); ok {
			c.SetReadBuffer(4096) //nolint:errcheck // smaller is only faster
		}
		ws.ReadMessage() //nolint:errcheck // the hello
		b, err := wire.Encode(&wire.Welcome{Version: 1, Now: time.Now().UnixMilli(), Conn: "x"})
		if err == nil {
			ws.WriteMessage(websocket.BinaryMessage, b) //nolint:errcheck // the device may have left
		}
		then(ws)
	})}
	go srv.Serve(l) //nolint:errcheck // it ends with Close
	t.Cleanup(func() { srv.Close() })
}

// What fails each time after the welcome is tried ever more seldom.
func TestBackOffAfterTheWelcome(t *testing.T) {
	g := newRig(t)
	d := g.dev()
	r := g.replica(d, "")
	var n atomic.Int64
	l, err := net.Listen("tcp", "127.0.0.1:0")
	g.ok(err)
	greet(t, l, func(ws *websocket.Conn) {
		n.Add(1)
		b, err := wire.Encode(&wire.Error{Code: wire.CodeInternal, Text: "x"})
		if err == nil {
			ws.WriteMessage(websocket.BinaryMessage, b) //nolint:errcheck // the device may have left
		}
	})
	ctx, cancel := context.WithTimeout(g.ctx, 3*time.Second)
	defer cancel()
	y := r.NewSyncer(replica.SyncerConfig{
		URL: "ws://" + l.Addr().String(), Token: "x", Log: slog.New(slog.DiscardHandler), MinWait: 100 * time.Millisecond, MaxWait: time.Minute,
	})
	g.ok(y.Run(ctx))
	if n.Load() > 15 { // with pauses of 50 ms on average it would be sixty
		t.Errorf("%d connections in 3 s", n.Load())
	}
}

func TestServerClockOfNonsense(t *testing.T) {
	for name, at := range map[string]time.Time{"1970": time.UnixMilli(1000), "far": time.UnixMilli(1 << 62)} {
		t.Run(name, func(t *testing.T) {
			g := newRig(t)
			d := g.dev()
			r := g.replica(d, "")
			dv, sv := r.NewSession("t"), hub.NewSession(g.st, d, "c", func() time.Time { return at })
			b, err := dv.Hello(g.ctx)
			g.ok(err)
			_, err = sv.Receive(g.ctx, b)
			g.ok(err)
			b, err = sv.Next(g.ctx)
			g.ok(err)
			_, err = dv.Receive(g.ctx, b)
			g.ok(err)
			if _, err := r.Log(g.ctx, crdt.Entry{Kind: crdt.Share}); err != nil {
				t.Errorf("a tap: %v", err)
			}
			if got, want := r.Today(), ranking.DayOf(time.Now().UnixMilli(), 0); got != want {
				t.Errorf("today is %s, want %s", got, want)
			}
		})
	}
}

// The server and a device were put back; another device still holds what that one had written.
func TestServerAndAnotherDevicePutBack(t *testing.T) {
	g := newRig(t)
	a, b := g.dev(), g.dev()
	pa := filepath.Join(t.TempDir(), "a.db")
	ra, rb := g.replica(a, pa), g.replica(b, "")
	_, err := ra.AddContact(g.ctx, replica.Fields{crdt.FieldName: "Ana"})
	g.ok(err)
	g.ok(g.sync(ra, a, nil))
	g.ok(g.sync(rb, b, nil))
	ba, bs := filepath.Join(t.TempDir(), "ba.db"), filepath.Join(t.TempDir(), "bs.db")
	image(t, pa, ba)
	image(t, g.path, bs)
	_, err = ra.AddContact(g.ctx, replica.Fields{crdt.FieldName: "Ben"})
	g.ok(err)
	g.ok(g.sync(ra, a, nil))
	g.ok(g.sync(rb, b, nil))
	ra.Close()
	g.st.Close()
	g.path = bs
	g.open()
	ra = g.replica(a, ba)
	_, err = ra.AddContact(g.ctx, replica.Fields{crdt.FieldName: "Cid"})
	g.ok(err)
	g.ok(g.sync(ra, a, nil))
	if err := g.sync(rb, b, nil); err != nil { // its first hello proves nothing here, so all is compared
		g.ok(g.sync(rb, b, nil))
	}
	g.ok(g.sync(ra, a, nil))
	for _, r := range []*replica.Replica{ra, rb} {
		cs, err := r.Contacts(g.ctx, "", 0, 10)
		g.ok(err)
		if len(cs) != 3 {
			t.Errorf("%d contacts, want Ana, Ben and Cid: %v", len(cs), cs)
		}
	}
}

// Tiny changes that leap ahead would use up a document's counters and stop everybody from writing.
func TestCountersCannotBeUsedUp(t *testing.T) {
	g := newRig(t)
	evil, victim := g.dev(), g.dev()
	var items []wire.Item
	var deps []automerge.Hash
	op := uint64(0)
	for i := range 2048 {
		op += 1 << 20
		if op > 1<<31-1 {
			op = 1<<31 - 1
		}
		c := &automerge.Change{Actor: crdt.NewActor(evil.ID, 1), Seq: uint64(i + 1), StartOp: op, Deps: deps, Ops: []automerge.Op{{Key: "x", Action: automerge.Put, Value: text("")}}}
		g.ok(c.Seal())
		deps = []automerge.Hash{c.Hash()}
		items = append(items, wire.Item{Doc: crdt.ContactsDoc, Change: c})
	}
	if refused := g.send(evil, items...); len(refused) != len(items) || refused[0].Code != wire.CodeInvalid {
		t.Errorf("%d of %d refused", len(refused), len(items))
	}
	r := g.replica(victim, "")
	g.ok(g.sync(r, victim, nil))
	if _, err := r.AddContact(g.ctx, replica.Fields{crdt.FieldName: "Ana"}); err != nil {
		t.Errorf("a tap on another device: %v", err)
	}
}

func TestZoneOfTheDeviceIsNoHome(t *testing.T) {
	g := newRig(t)
	evil, victim := g.dev(), g.dev()
	g.push(evil, crdt.ProfileDoc, 1, []automerge.Op{{Key: crdt.ProfileZone, Action: automerge.Put, Value: text("Local")}, {Key: "goal/outreach/2026-01-01", Action: automerge.Put, Value: automerge.Value{Kind: automerge.KindInt, Num: 1 << 62}}})
	r := g.replica(victim, "")
	g.ok(g.sync(r, victim, nil))
	here := time.Local
	defer func() { time.Local = here }()
	var days []ranking.Day
	for _, h := range []int{14, -12} {
		time.Local = time.FixedZone("x", h*3600)
		days = append(days, r.Today())
	}
	if days[0] != days[1] {
		t.Errorf("the member's calendar is the device's: %v", days)
	}
	if _, err := r.GoalsToday(g.ctx); err != nil {
		t.Error(err)
	}
}

// An entry of a newer app that this build cannot read is stored and relayed.
func TestNextSchemaIsRelayed(t *testing.T) {
	g := newRig(t)
	newer, older := g.dev(), g.dev()
	key := crdt.NewEntryID().String()
	g.push(newer, crdt.LogDoc(time.Now()), 1, []automerge.Op{{Key: key, Action: automerge.Put, Value: text(
		fmt.Sprintf(`{"v":2,"kind":"call","at":%d,"evidence":"E5","value":[{"cents":1}]}`, time.Now().UnixMilli()))}})
	r := g.replica(older, "")
	g.ok(g.sync(r, older, nil))
	var x strings.Builder
	g.ok(r.Dump(g.ctx, &x))
	if !strings.Contains(x.String(), key) {
		t.Error("the entry did not arrive")
	}
}

// A change that the server will never take is shown with its reason, and what was written on top of it goes through.
func TestRefusedChangeDoesNotCloseItsDocument(t *testing.T) {
	g := newRig(t)
	d := g.dev()
	r := g.replica(d, "")
	ana, err := r.AddContact(g.ctx, replica.Fields{crdt.FieldName: "Ana"})
	g.ok(err)
	ben, err := r.AddContact(g.ctx, replica.Fields{crdt.FieldName: "Ben"})
	g.ok(err)
	g.ok(r.EditContact(g.ctx, ben, replica.Fields{crdt.FieldName: "Benjamin"}))

	// A server that refuses the first change, as one of another version may.
	s := r.NewSession("t")
	_, err = s.Hello(g.ctx)
	g.ok(err)
	give := func(f wire.Frame) {
		b, err := wire.Encode(f)
		g.ok(err)
		_, err = s.Receive(g.ctx, b)
		g.ok(err)
	}
	give(&wire.Welcome{Version: 1, Now: time.Now().UnixMilli(), Conn: "x"})
	b, err := s.Next(g.ctx)
	g.ok(err)
	f, err := wire.Decode(b)
	g.ok(err)
	push := f.(*wire.Push)
	a := &wire.Answer{ID: push.ID}
	for i, it := range push.Items {
		x := wire.Refusal{Hash: it.Change.Hash(), Code: wire.CodeDeps, Text: "a change on which this one builds is missing"}
		if i == 0 {
			x.Code, x.Text = wire.CodeInvalid, "names like this are not taken"
		}
		a.Refused = append(a.Refused, x)
	}
	give(a)

	g.ok(g.sync(r, d, nil))
	us, err := r.Unsent(g.ctx)
	g.ok(err)
	if len(us) != 1 || us[0].Refused != wire.CodeInvalid || us[0].Reason != "names like this are not taken" {
		t.Errorf("unsent: %+v", us)
	}
	if _, err := r.Contact(g.ctx, ana); err == nil {
		t.Error("the refused contact is still shown as if it would be saved")
	}
	c, err := r.Contact(g.ctx, ben)
	g.ok(err)
	if c.Name != "Benjamin" {
		t.Errorf("what was written on top: %+v", c)
	}
	g.sameAfterRebuild(r)
}

// After a restore the cursors of before are refused, as their places are used again.
func TestCursorOfBeforeARestoreIsRefused(t *testing.T) {
	g := newRig(t)
	d := g.dev()
	r := g.replica(d, "")
	_, err := r.Log(g.ctx, crdt.Entry{Kind: crdt.Share})
	g.ok(err)
	g.ok(g.sync(r, d, nil))
	_, cursor, err := g.st.Feed(g.ctx, g.tenant, "", 10)
	g.ok(err)
	g.ok(g.st.NewEpoch(g.ctx))
	g.ok(g.st.Close())
	g.open()
	if _, _, err := g.st.Feed(g.ctx, g.tenant, cursor, 10); !errors.Is(err, store.ErrCursor) {
		t.Errorf("the old cursor: %v", err)
	}
	g.ok(g.sync(r, d, nil)) // devices are proved by the chain, whatever the epoch
}

// Keys and values that no program of ours writes: every device shows the same, and no screen breaks.
func TestOddKeysAndValues(t *testing.T) {
	g := newRig(t)
	evil, v1, v2 := g.dev(), g.dev(), g.dev()
	var ops []automerge.Op
	put := func(k string, v automerge.Value) {
		ops = append(ops, automerge.Op{Key: k, Action: automerge.Put, Value: v})
	}
	var ids []crdt.ContactID
	for i, n := range []int64{math.MinInt64, math.MaxInt64, -1, 1 << 55, -62135596800000, -1 << 55} {
		for _, k := range []automerge.Kind{automerge.KindTimestamp, automerge.KindUint, automerge.KindFloat64, automerge.KindCounter} {
			id := crdt.NewContactID()
			ids = append(ids, id)
			put(crdt.ContactKey(id, "created"), automerge.Value{Kind: k, Num: n})
			put(crdt.ContactKey(id, "name"), text("x\x00y"))
			put(crdt.ContactKey(id, "phone/"), text("x"))
			put(crdt.ContactKey(id, "phone/\x00\x00"), text("x"))
			put(crdt.ContactKey(id, "\x00"), text("x"))
			put(crdt.ContactKey(id, "/"), text("x"))
			put(crdt.ContactKey(id, "//"), text("x"))
			put(crdt.ContactKey(id, "name/"), text("x"))
			put(crdt.ContactKey(id, "stage"), automerge.Value{Kind: automerge.Kind(10 + i), Str: "\xff\xfe"})
			put(crdt.ContactKey(id, "snooze"), text("9999-12-31"))
			put(crdt.ContactKey(id, "company"), automerge.Value{Kind: automerge.KindBytes, Str: "\xff\xfe\x00"})
			put(crdt.ContactKey(id, "merged-into"), text(id.String()))
			put(crdt.ContactKey(id, strings.Repeat("k", 60000)), text("x"))
			ops = append(ops, automerge.Op{Key: crdt.ContactKey(id, "note"), Action: automerge.MakeMap}, automerge.Op{Key: crdt.ContactKey(id, "email/a"), Action: automerge.MakeText})
		}
	}
	put("", text("x"))
	put("\x00", text(""))
	for i := range ids {
		put(crdt.ContactKey(ids[i], "household"), text(ids[(i+1)%len(ids)].String()))
	}
	g.push(evil, crdt.ContactsDoc, 1, ops[:len(ops)/2])
	g.push(evil, crdt.ContactsDoc, 2, ops[len(ops)/2:])
	ops = nil
	now := time.Now().UnixMilli()
	for _, kind := range []string{"order", "call", "promise", "suggestion", "webinar.registered", "stage", "result", "learn", "ask", "\u0000", "x"} {
		for _, c := range ids[:8] {
			put(crdt.NewEntryID().String(), text(fmt.Sprintf(`{"v":9223372036854775807,"kind":%q,"at":%d,"evidence":"E4","contact":%q,"content":"playbook/65535","outcome":"enrolled","stage":"promoter","due":"9999-12-31","trigger":"new_lead","choice":"dismissed","value":{"cents":-1000000000000,"count":-1000000000},"about":%q}`, kind, now, c.String(), c.String())))
		}
	}
	for i := range ops {
		ops[i].Value.Str = strings.ReplaceAll(ops[i].Value.Str, `"\x00"`, `"\u0000"`)
	}
	g.push(evil, crdt.LogDoc(time.Now()), 1, ops)
	var d []string
	for _, v := range []struct {
		r *replica.Replica
	}{{g.replica(v1, "")}, {g.replica(v2, "")}} {
		dev := v1
		if v.r.Device() == v2.ID {
			dev = v2
		}
		g.ok(g.sync(v.r, dev, nil))
		var a, b strings.Builder
		g.ok(v.r.Dump(g.ctx, &a))
		g.ok(v.r.Rebuild(g.ctx))
		g.ok(v.r.Dump(g.ctx, &b))
		if a.String() != b.String() {
			t.Error("rebuild differs")
		}
		d = append(d, a.String())
		for _, l := range []ranking.List{ranking.Prospects, ranking.Members} {
			_, err := v.r.TopThree(g.ctx, l, "en")
			if err != nil {
				t.Error(err)
			}
		}
		if _, err := v.r.Contacts(g.ctx, "x", 0, 100); err != nil {
			t.Error(err)
		}
		if _, err := v.r.GoalsToday(g.ctx); err != nil {
			t.Error("goals", err)
		}
		if _, err := v.r.Timeline(g.ctx, ids[0], 100); err != nil {
			t.Error(err)
		}
		if _, err := v.r.Merges(g.ctx, 100); err != nil {
			t.Error(err)
		}
	}
	if d[0] != d[1] {
		t.Error("devices differ")
	}
	if got, want := serverReads(g.ctx, g.st, v1.Member, g.ok), factsOf(d[0]); got != want || got == "" {
		t.Errorf("the server reads other facts than devices:\n%.600s", diff(want, got))
	}
}
