package sim_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gorilla/websocket"

	"trio/crdt"
	"trio/crdt/wire"
	"trio/replica"
	"trio/replica/importer"
	"trio/server"
	"trio/server/live/livetest"
	"trio/server/ops"
	"trio/server/store"
	"trio/server/store/storetest"
)

// The tests here run the real server, syncer, sockets and databases on a clock of their own, which stands still while
// anybody works: minutes pass in milliseconds, and a goroutine that is left behind fails the test. Connections are pipes.

// shell is a server in a bubble of synctest, with a member.
type shell struct {
	*testing.T
	ctx    context.Context
	dir    string
	st     *store.SQLite
	member crdt.MemberID
	node   *node
	at     atomic.Pointer[node] // the same, for devices
	logs   lockedBuffer
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// node is one process that serves a store.
type node struct {
	s    *shell
	srv  *server.Server
	http *http.Server
	at   *livetest.Pipes
}

// inShell runs a test in a bubble. The bubble's clock begins in the year 2000, the members' some decades later.
func inShell(t *testing.T, f func(*shell)) {
	synctest.Test(t, func(t *testing.T) {
		s := &shell{T: t, ctx: t.Context(), dir: t.TempDir()}
		s.st = s.open()
		tenant, err := s.st.CreateTenant(s.ctx, "Acme")
		s.must(err)
		s.member, err = s.st.CreateMember(s.ctx, store.Member{Tenant: tenant, Name: "Maya"})
		s.must(err)
		s.use(s.serve(s.st, ops.Limits{}))
		f(s)
		s.node.stop()
		s.must(s.st.Close())
	})
}

func (s *shell) open() *store.SQLite {
	st, err := store.Open(s.ctx, store.Config{Path: filepath.Join(s.dir, "trio.db"), Logger: slog.New(slog.DiscardHandler)})
	s.must(err)
	return st
}

func now() time.Time { return time.Now().AddDate(26, 10, 0) }

func (s *shell) must(err error) {
	if err != nil {
		s.Helper()
		s.Fatal(err)
	}
}

func (s *shell) serve(st store.Store, l ops.Limits) *node {
	n := &node{s: s, at: livetest.NewPipes()}
	n.srv = server.New(server.Config{Store: st, Log: slog.New(slog.NewTextHandler(&s.logs, nil)), Now: now, Limits: l})
	n.http = &http.Server{Handler: n.srv, ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)}
	go n.http.Serve(n.at) //nolint:errcheck // it ends with stop
	return n
}

// use has devices go to a node.
func (s *shell) use(n *node) {
	s.node = n
	s.at.Store(n)
}

func (n *node) stop() {
	n.s.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(n.s.ctx), 10*time.Second)
	defer cancel()
	n.s.must(n.http.Shutdown(ctx))
	n.s.must(n.srv.Shutdown(ctx))
}

// phone is a device with its syncer.
type phone struct {
	s     *shell
	dev   store.Device
	token string
	r     *replica.Replica
	y     *replica.Syncer
	end   func() // of the syncer

	mu    sync.Mutex
	times []time.Time // of its dials
}

// dials returns when it dialled.
func (p *phone) dials() []time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.times)
}

// phone makes a device; it syncs with whichever node to says, until end.
func (s *shell) phone(to func() *node) *phone {
	dev, token, err := s.st.CreateDevice(s.ctx, s.member, "phone")
	s.must(err)
	p := &phone{s: s, dev: dev, token: token}
	p.r, err = replica.Open(s.ctx, replica.Config{Path: filepath.Join(s.dir, dev.ID.String()), Member: s.member, Device: dev.ID, Now: now})
	s.must(err)
	p.run(func(ctx context.Context, network, addr string) (net.Conn, error) {
		return to().at.Dial(ctx, network, addr)
	})
	return p
}

func (p *phone) run(dial func(ctx context.Context, network, addr string) (net.Conn, error)) {
	p.y = p.r.NewSyncer(replica.SyncerConfig{
		URL: "ws://trio/v1/sync", Token: p.token, App: "phone/1", Log: slog.New(slog.DiscardHandler),
		Dial: func(ctx context.Context, network, addr string) (net.Conn, error) {
			p.mu.Lock()
			p.times = append(p.times, time.Now())
			p.mu.Unlock()
			return dial(ctx, network, addr)
		},
	})
	ctx, cancel := context.WithCancel(p.s.ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		p.y.Run(ctx) //nolint:errcheck // State tells
	}()
	p.end = func() { cancel(); <-done }
}

func (p *phone) close() {
	p.end()
	p.s.must(p.r.Close())
}

func (p *phone) tap() {
	p.s.Helper()
	_, err := p.r.Log(p.s.ctx, crdt.Entry{Kind: crdt.Share})
	p.s.must(err)
}

func (p *phone) changes() int {
	st, err := p.r.Status(p.s.ctx)
	p.s.must(err)
	return st.Changes
}

// until waits on the bubble's clock until something holds, and returns how long that took.
func (s *shell) until(what string, most time.Duration, holds func() bool) time.Duration {
	s.Helper()
	began := time.Now()
	for synctest.Wait(); !holds(); synctest.Wait() {
		if time.Since(began) > most {
			s.Fatalf("%s: not within %v\n%s", what, most, s.logs.String())
		}
		time.Sleep(50 * time.Millisecond)
	}
	return time.Since(began)
}

// raw is a peer that does as the test says.
func (s *shell) raw(token string, to *node) *websocket.Conn {
	s.Helper()
	d := websocket.Dialer{NetDialContext: to.at.Dial}
	ws, _, err := d.DialContext(s.ctx, "ws://trio/v1/sync", http.Header{"Authorization": {"Bearer " + token}})
	s.must(err)
	return ws
}

func (s *shell) send(ws *websocket.Conn, f wire.Frame) {
	s.Helper()
	b, err := wire.Encode(f)
	s.must(err)
	s.must(ws.WriteMessage(websocket.BinaryMessage, b))
}

// take reads the next frame.
func (s *shell) take(ws *websocket.Conn) wire.Frame {
	s.Helper()
	_, b, err := ws.ReadMessage()
	s.must(err)
	f, err := wire.Decode(b)
	s.must(err)
	return f
}

func (s *shell) greeted(d store.Device, token string, to *node) *websocket.Conn {
	s.Helper()
	ws := s.raw(token, to)
	s.send(ws, &wire.Hello{Version: wire.Version, Member: d.Member, Device: d.ID, App: "raw"})
	if _, ok := s.take(ws).(*wire.Welcome); !ok {
		s.Fatal("no welcome")
	}
	return ws
}

// A connection that has nothing to say is kept, by pings, for as long as both sides are there.
func TestQuietConnectionIsKept(t *testing.T) {
	day := 24 * time.Hour
	if testing.Short() {
		day /= 6
	}
	inShell(t, func(s *shell) {
		p := s.phone(s.at.Load)
		s.until("level", time.Minute, func() bool { return p.y.State().Level })
		time.Sleep(day)
		p.tap()
		if took := s.until("a tap after a day", time.Minute, func() bool { n, err := p.r.UnsentCount(s.ctx); return n == 0 && err == nil }); took > 0 {
			s.Errorf("it took %v", took)
		}
		if len(p.dials()) != 1 {
			s.Errorf("it connected %d times in a day", len(p.dials()))
		}
		p.close()
	})
}

// A device that answers no ping, or that reads nothing at all, is closed after twice the pings' pause.
func TestSilentDevicesAreClosed(t *testing.T) {
	for name, read := range map[string]bool{"reads": true, "does not read": false} {
		t.Run(name, func(t *testing.T) {
			inShell(t, func(s *shell) {
				dev, token, err := s.st.CreateDevice(s.ctx, s.member, "phone")
				s.must(err)
				ws := s.greeted(dev, token, s.node)
				began := time.Now()
				if read {
					ws.SetPingHandler(func(string) error { return nil })
					_, _, err = ws.ReadMessage()
					if err == nil {
						t.Error("it was sent something")
					}
				}
				s.until("closed", 5*time.Minute, func() bool { return s.node.srv.Devices() == 0 })
				if took := time.Since(began); took < 85*time.Second || took > 2*time.Minute {
					t.Errorf("it was closed after %v", took)
				}
				ws.Close()
			})
		})
	}
}

// A server that says nothing more is left after two minutes, and tried again.
func TestSilentServerIsLeft(t *testing.T) {
	inShell(t, func(s *shell) {
		at := livetest.NewPipes()
		srv := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			var up websocket.Upgrader
			ws, err := up.Upgrade(w, r, nil)
			if err != nil {
				return
			}
			defer ws.Close()
			ws.ReadMessage() //nolint:errcheck // the hello
			s.send(ws, &wire.Welcome{Version: wire.Version, Now: now().UnixMilli(), Conn: "x"})
			ws.ReadMessage() //nolint:errcheck // until it leaves
		})}
		go srv.Serve(at) //nolint:errcheck // it ends with Close
		p := s.phone(func() *node { return &node{at: at} })
		time.Sleep(10*time.Minute + 30*time.Second)
		synctest.Wait()
		if n := len(p.dials()); n < 5 || n > 6 {
			s.Errorf("%d connections in ten minutes", n)
		}
		p.close()
		s.must(srv.Close())
	})
}

// Where nothing answers a device tries ever more seldom, up to a minute apart, each time by chance; once something answered
// it begins anew.
func TestBackOff(t *testing.T) {
	inShell(t, func(s *shell) {
		var to atomic.Pointer[node]
		gone := &node{at: livetest.NewPipes()}
		s.must(gone.at.Close())
		to.Store(gone)
		p := s.phone(to.Load)
		time.Sleep(2 * time.Hour)
		synctest.Wait()
		gaps := map[time.Duration]bool{}
		late, long := 0, time.Duration(0)
		for i := 1; i < len(p.dials()); i++ {
			gap, bound := p.dials()[i].Sub(p.dials()[i-1]), time.Minute
			if i < 8 {
				bound = 500 * time.Millisecond << (i - 1)
			}
			if gap > bound {
				s.Errorf("pause %d is %v, at most %v", i, gap, bound)
			}
			if i > 7 {
				late++
				long += gap
			}
			gaps[gap] = true
		}
		if mean := long / time.Duration(max(late, 1)); mean < 22*time.Second || mean > 38*time.Second || len(gaps) < len(p.dials())*9/10 {
			s.Errorf("%d attempts with pauses of %v on average", len(p.dials()), mean)
		}
		to.Store(s.node)
		s.until("level", 2*time.Minute, func() bool { return p.y.State().Level })
		time.Sleep(10 * time.Minute)
		n := len(p.dials())
		to.Store(gone)
		s.node.stop()
		time.Sleep(7 * time.Second) // at most 3.2 that the server asked for as it stopped, then one, then two
		synctest.Wait()
		if len(p.dials())-n < 3 {
			s.Errorf("%d attempts within 7 s after a connection that held", len(p.dials())-n)
		}
		s.use(s.serve(s.st, ops.Limits{}))
		p.close()
	})
}

// What stands before a server says when to come back, and is believed up to a minute.
func TestRetryAfterOfTheHandshake(t *testing.T) {
	for _, tt := range []struct {
		status      int
		after       string
		least, most time.Duration
	}{
		{http.StatusTooManyRequests, "7", 7 * time.Second, 7 * time.Second},
		{http.StatusServiceUnavailable, "3600", time.Minute, time.Minute},
		{http.StatusServiceUnavailable, "", 0, time.Minute},
		{http.StatusNotFound, "7", 0, time.Minute},
	} {
		t.Run(fmt.Sprint(tt.status, tt.after), func(t *testing.T) {
			inShell(t, func(s *shell) {
				at := livetest.NewPipes()
				srv := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
					if tt.after != "" {
						w.Header().Set("Retry-After", tt.after)
					}
					w.WriteHeader(tt.status)
				})}
				go srv.Serve(at) //nolint:errcheck // it ends with Close
				p := s.phone(func() *node { return &node{at: at} })
				time.Sleep(5 * time.Minute)
				synctest.Wait()
				exact := 0
				for i := 1; i < len(p.dials()); i++ {
					gap := p.dials()[i].Sub(p.dials()[i-1])
					if gap < tt.least || gap > tt.most {
						// The device's own pause may be longer than what it was told.
						if gap > time.Minute || gap < tt.least {
							t.Errorf("pause %d is %v", i, gap)
						}
					}
					if gap == tt.least {
						exact++
					}
				}
				if tt.least > 0 && exact == 0 || len(p.dials()) < 4 {
					t.Errorf("%d attempts, %d of them when they were told", len(p.dials()), exact)
				}
				p.close()
				s.must(srv.Close())
			})
		})
	}
}

// A server that goes down tells everybody to come back, and they do within seconds, not all at once. A peer that reads
// nothing does not hold it up longer than it is given.
func TestShutdownAndDrain(t *testing.T) {
	inShell(t, func(s *shell) {
		var ps []*phone
		for range 8 {
			ps = append(ps, s.phone(s.at.Load))
		}
		s.until("all level", time.Minute, func() bool {
			for _, p := range ps {
				if !p.y.State().Level {
					return false
				}
			}
			return s.node.srv.Devices() == len(ps)
		})
		began := time.Now()
		s.node.stop()
		if took := time.Since(began); took > time.Second {
			s.Errorf("it took %v to end with devices that read", took)
		}
		for _, p := range ps {
			p.tap()
		}
		s.use(s.serve(s.st, ops.Limits{}))
		s.until("all back", 10*time.Second, func() bool {
			for _, p := range ps {
				if !p.y.State().Level || p.changes() != len(ps) {
					return false
				}
			}
			return true
		})
		back := map[time.Time]bool{}
		for _, p := range ps {
			back[p.dials()[len(p.dials())-1]] = true
			if len(p.dials()) > 3 {
				s.Errorf("a device connected %d times", len(p.dials()))
			}
		}
		if len(back) < len(ps)-1 {
			s.Errorf("%d devices came back at %d times", len(ps), len(back))
		}

		dev, token, err := s.st.CreateDevice(s.ctx, s.member, "deaf")
		s.must(err)
		ws := s.greeted(dev, token, s.node)
		began = time.Now()
		ctx, cancel := context.WithTimeout(s.ctx, 5*time.Second)
		err = s.node.srv.Shutdown(ctx)
		cancel()
		if took := time.Since(began); !errors.Is(err, context.DeadlineExceeded) || took != 5*time.Second {
			s.Errorf("with a peer that reads nothing it ended after %v with %v", took, err)
		}
		ws.Close()
		s.node.stop()
		s.use(s.serve(s.st, ops.Limits{}))
		for _, p := range ps {
			p.close()
		}
	})
}

// A peer that takes no frame in time is closed; meanwhile the others are served at once.
func TestSlowPeerIsClosed(t *testing.T) {
	inShell(t, func(s *shell) {
		a, b := s.phone(s.at.Load), s.phone(s.at.Load)
		dev, token, err := s.st.CreateDevice(s.ctx, s.member, "slow")
		s.must(err)
		ws := s.greeted(dev, token, s.node)
		s.until("all there", time.Minute, func() bool { return s.node.srv.Devices() == 3 && a.y.State().Level && b.y.State().Level })
		began := time.Now()
		a.tap() // which the slow one does not read
		for n := 2; n < 10; n++ {
			if took := s.until("the tap", time.Minute, func() bool { return b.changes() == n-1 }); took > 0 {
				s.Errorf("beside a slow peer a tap takes %v", took)
			}
			a.tap()
		}
		s.until("closed", time.Minute, func() bool { return s.node.srv.Devices() == 2 })
		if took := time.Since(began); took < 19*time.Second || took > 21*time.Second {
			s.Errorf("the slow peer was closed after %v", took)
		}
		ws.Close()
		a.close()
		b.close()
	})
}

// deaf is a store whose hints are lost.
type deaf struct{ store.Store }

func (deaf) Watch(context.Context, func(store.Hint)) error { return nil }

// What is pushed at one process reaches a device at another: at once by a hint; where hints are lost, when the other asks.
func TestTwoNodes(t *testing.T) {
	taps := 20
	if testing.Short() {
		taps = 8
	}
	for name, tt := range map[string]struct {
		own  bool // the other node has a store of its own on the same file
		deaf bool
		most time.Duration
	}{
		"one store":                 {false, false, 0},
		"two on one file":           {true, false, 2 * time.Second},
		"one store, hints lost":     {false, true, 31 * time.Second},
		"two on one file, the same": {true, true, 31 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			inShell(t, func(s *shell) {
				st := s.st
				if tt.own {
					st = s.open()
				}
				var other store.Store = st
				if tt.deaf {
					other = deaf{st}
				}
				far := s.serve(other, ops.Limits{})
				a, b := s.phone(s.at.Load), s.phone(func() *node { return far })
				s.until("both level", time.Minute, func() bool { return a.y.State().Level && b.y.State().Level })
				var longest time.Duration
				for n := 1; n <= taps; n++ {
					time.Sleep(time.Duration(rand.IntN(20000)) * time.Millisecond)
					a.tap()
					longest = max(longest, s.until("the tap at the other node", tt.most, func() bool { return b.changes() == n }))
				}
				if tt.deaf && longest < 5*time.Second {
					s.Errorf("without hints it took %v at most: what is measured here?", longest)
				}
				if len(a.dials())+len(b.dials()) != 2 {
					s.Errorf("%d connections", len(a.dials())+len(b.dials()))
				}
				a.close()
				b.close()
				far.stop()
				if tt.own {
					s.must(st.Close())
				}
			})
		})
	}
}

// A device that is revoked while it is connected, with work that it has not sent, leaves at once; where the hint is lost, at
// the next ping. What it wrote while it was cut off is kept apart.
func TestRevokedWhileConnected(t *testing.T) {
	for name, lost := range map[string]bool{"told": false, "hint lost": true} {
		t.Run(name, func(t *testing.T) {
			inShell(t, func(s *shell) {
				at := s.node
				if lost {
					at = s.serve(deaf{s.st}, ops.Limits{})
				}
				p := s.phone(func() *node { return at })
				s.until("level", time.Minute, func() bool { return p.y.State().Level })
				p.tap()
				s.until("sent", time.Minute, func() bool { return p.y.State().Level })
				most := 2 * time.Second
				if lost {
					most = time.Minute
				}
				s.must(s.st.RevokeDevice(s.ctx, p.dev.ID))
				s.until("it left", most, func() bool { return p.y.State().Final })
				st, err := p.r.Status(s.ctx)
				s.must(err)
				info, err := s.st.DeviceByID(s.ctx, p.dev.ID)
				s.must(err)
				kept, err := s.st.ParkedOf(s.ctx, p.dev.ID, 0, 10)
				s.must(err)
				if st.Left.IsZero() || info.Left.IsZero() || len(kept) != 0 {
					s.Errorf("device %+v, server %+v, %d kept", st, info, len(kept))
				}
				if e, ok := errors.AsType[*wire.Error](p.y.State().Err); !ok || e.Code != wire.CodeRevoked {
					s.Errorf("it ended with %v", p.y.State().Err)
				}
				p.end()
				// A second time it is refused for good.
				p.run(at.at.Dial)
				s.until("refused", time.Minute, func() bool { return p.y.State().Final })
				p.close()
				if lost {
					at.stop()
				}
			})
		})
	}
}

// The server has no room for what a device that is to leave has: that stays on the device, which asks again.
func TestLeavesOnceThereIsRoom(t *testing.T) {
	inShell(t, func(s *shell) {
		p := s.phone(s.at.Load)
		s.until("level", time.Minute, func() bool { return p.y.State().Level })
		p.end()
		for range 3 {
			p.tap()
		}
		s.must(s.st.SetQuota(s.ctx, p.dev.Tenant, store.Quota{Bytes: 100}.Edit()))
		s.must(s.st.RevokeDevice(s.ctx, p.dev.ID))
		p.run(s.node.at.Dial)
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		e, ok := errors.AsType[*wire.Error](p.y.State().Err)
		if !ok || e.Code != wire.CodeFull || !strings.Contains(e.Text, "until your company makes room") || p.y.State().Final || p.changes() != 3 {
			s.Errorf("without room: %+v with %d changes", p.y.State(), p.changes())
		}
		if n := len(p.dials()); n < 8 || n > 14 {
			s.Errorf("%d attempts in ten minutes", n)
		}
		s.must(s.st.SetQuota(s.ctx, p.dev.Tenant, store.Quota{}.Edit()))
		s.until("it left", 2*time.Minute, func() bool { return p.y.State().Final })
		kept, err := s.st.ParkedOf(s.ctx, p.dev.ID, 0, 10)
		s.must(err)
		if len(kept) != 3 {
			s.Errorf("%d of 3 changes are kept", len(kept))
		}
		p.close()
	})
}

// TestFullDeviceDiskInAConnection fills the disk of a device that is connected, and the server has more behind it: it is told as
// that, what was there stays with its receipts, and with room the pull goes on where it was.
func TestFullDeviceDiskInAConnection(t *testing.T) {
	inShell(t, func(s *shell) {
		p, other := s.phone(s.at.Load), s.phone(s.at.Load)
		for range 20 {
			p.tap()
		}
		level := func() bool { return p.y.State().Level && other.y.State().Level }
		s.until("level", time.Minute, level)
		seq := func(p *phone) uint64 {
			st, err := p.r.Status(s.ctx)
			s.must(err)
			return st.Receipt.Seq
		}
		reopen := func(pages int64) {
			p.close()
			var err error
			p.r, err = replica.Open(s.ctx, replica.Config{
				Path: filepath.Join(s.dir, p.dev.ID.String()), Member: s.member, Device: p.dev.ID, Now: now, MaxPages: pages,
			})
			s.must(err)
			p.run(s.node.at.Dial)
			s.until("level again", time.Minute, level)
		}
		reopen(100)
		before := seq(p)
		people := make([]importer.Person, 150)
		for i := range people {
			people[i] = importer.Person{Key: fmt.Sprint("p:", i), Name: fmt.Sprint("Cid ", i), Note: noise(4000)}
		}
		_, err := other.r.ImportPeople(s.ctx, people)
		s.must(err)
		synctest.Wait() // it came, and there is no room for it
		other.tap()     // and this comes behind it
		s.until("the connection failed", time.Minute, func() bool { return p.y.State().Err != nil })
		if err := p.y.State().Err; !errors.Is(err, replica.ErrFull) {
			s.Errorf("a pull that does not fit: %v", err)
		}
		if n := seq(p); n < before || n < 20 {
			s.Errorf("after it the receipt is up to %d, before %d", n, before)
		}
		reopen(0)
		if a, b := seq(p), seq(other); a != b || a <= before {
			s.Errorf("receipts up to %d and %d", a, b)
		}
		p.close()
		other.close()
	})
}

// What the company sees of a device: after its hello, after its work, when it is quiet, when it has gone, and after the
// server went down.
func TestSightings(t *testing.T) {
	inShell(t, func(s *shell) {
		info := func(p *phone) store.DeviceInfo {
			i, err := s.st.DeviceByID(s.ctx, p.dev.ID)
			s.must(err)
			return i
		}
		p := s.phone(s.at.Load)
		p.end()
		for range 5 {
			p.tap()
		}
		p.run(s.node.at.Dial)
		s.until("a hello is noted", 5*time.Second, func() bool { i := info(p); return i.App == "phone/1" && i.Pending == 5 && i.Receipt == 0 })
		s.until("that all is sent is noted", 2*time.Minute, func() bool { return info(p).Pending == 0 })
		p.tap()
		p.tap()
		s.until("what a later push proves is noted", 2*time.Minute, func() bool { return info(p).Receipt >= 5 })
		time.Sleep(3 * time.Hour)
		synctest.Wait()
		if ago := now().Sub(info(p).Seen); ago > 13*time.Minute {
			s.Errorf("a connected device was last seen %v ago", ago)
		}
		p.end()
		gone := now()
		time.Sleep(5 * time.Second)
		synctest.Wait()
		if d := gone.Sub(info(p).Seen); d > 2*time.Minute || d < -time.Second {
			s.Errorf("a device that went was last seen %v before", d)
		}
		p.run(s.node.at.Dial)
		s.until("level", time.Minute, func() bool { return p.y.State().Level })
		s.node.stop() // within the second that sightings wait for others
		if i := info(p); i.Receipt != 7 || now().Sub(i.Seen) > time.Second {
			s.Errorf("after the server went down: %+v", i)
		}
		s.use(s.serve(s.st, ops.Limits{}))
		p.close()
	})
}

// countedFrames counts the frames that a device sends; pongs are none.
type countedFrames struct {
	net.Conn
	n *atomic.Int64
}

func (c *countedFrames) Write(b []byte) (int, error) {
	if len(b) > 0 && b[0] == 0x80|websocket.BinaryMessage {
		c.n.Add(1)
	}
	return c.Conn.Write(b)
}

// A device that only listens is seen to hold what it was sent: of its first sync, and of what comes later. While nothing
// comes it says nothing.
func TestListenerIsSeen(t *testing.T) {
	inShell(t, func(s *shell) {
		p, q := s.phone(s.at.Load), s.phone(s.at.Load)
		q.end()
		for range 5 {
			p.tap()
		}
		s.until("all is sent", time.Minute, func() bool { return p.y.State().Level })
		holds := func(q *phone, n uint64) func() bool {
			return func() bool {
				i, err := s.st.DeviceByID(s.ctx, q.dev.ID)
				s.must(err)
				return i.Receipt == n
			}
		}
		pushes := s.st.Stats().Pushes
		var frames atomic.Int64
		q.run(func(ctx context.Context, network, addr string) (net.Conn, error) {
			c, err := s.node.at.Dial(ctx, network, addr)
			return &countedFrames{c, &frames}, err
		})
		s.until("the first sync is seen", 10*time.Second, holds(q, 5))
		s.until("so is the own work of the other", 10*time.Second, holds(p, 5))
		p.tap()
		s.until("a change is seen", 10*time.Second, holds(q, 6))
		s.until("on both", 10*time.Second, holds(p, 6))
		if n := s.st.Stats().Pushes - pushes; n != 1 {
			s.Errorf("the store was brought %d pushes, want the tap alone", n)
		}
		before := frames.Load()
		time.Sleep(time.Hour)
		synctest.Wait()
		if n := frames.Load() - before; n != 0 || before == 0 {
			s.Errorf("a device to which nothing came sent %d frames after %d", n, before)
		}
		p.close()
		q.close()
	})
}

// A device that pushes more than its share is read more slowly, nothing of it is refused or lost, and others do not wait
// for it. A server that goes down does not wait for it either.
func TestPaced(t *testing.T) {
	inShell(t, func(s *shell) {
		s.node.stop()
		s.use(s.serve(s.st, ops.Limits{Changes: ops.Rate{PerSecond: 100, Burst: wire.MaxChanges}}))
		dev, token, err := s.st.CreateDevice(s.ctx, s.member, "hasty")
		s.must(err)
		p := s.phone(s.at.Load)
		s.until("level", time.Minute, func() bool { return p.y.State().Level })
		ws := s.greeted(dev, token, s.node)
		ws.SetPingHandler(func(string) error { return nil }) // its answer would have to wait in a buffer, and a pipe has none
		author := storetest.NewAuthor(dev, 1, rand.New(rand.NewPCG(1, 1)))
		var items []wire.Item
		for range 500 {
			it := author.Tap(1)
			items = append(items, wire.Item{Doc: it.Doc, Change: it.Change})
		}
		const pushes = 20 // of the same changes: it is the work that counts
		began := time.Now()
		var slowest time.Duration
		for id := range uint64(pushes) {
			s.send(ws, &wire.Push{ID: id + 1, Items: items})
			for {
				f := s.take(ws)
				if a, ok := f.(*wire.Answer); ok {
					if a.ID != id+1 || len(a.Refused) > 0 {
						s.Fatalf("push %d is answered with %+v", id+1, a)
					}
					break
				} else if _, ok := f.(*wire.Changes); !ok {
					s.Fatalf("push %d: %T", id+1, f)
				}
			}
			if id%5 == 4 { // somebody else, meanwhile
				p.tap()
				slowest = max(slowest, s.until("a tap of another device", time.Minute, func() bool { n, err := p.r.UnsentCount(s.ctx); return n == 0 && err == nil }))
			}
		}
		want := time.Duration(pushes*500-wire.MaxChanges-500) * time.Second / 100 // the last push is answered at once
		if took := time.Since(began); took < want-2*time.Second || took > want+5*time.Second {
			s.Errorf("%d changes take %v, want %v", pushes*500, took, want)
		}
		if slowest > 0 {
			s.Errorf("another device waits %v", slowest)
		}
		s.send(ws, &wire.Push{ID: pushes + 1, Items: items})
		go io.Copy(io.Discard, ws.NetConn()) //nolint:errcheck // until it is closed
		synctest.Wait()
		began = time.Now()
		s.node.stop()
		if took := time.Since(began); took > 3*time.Second {
			s.Errorf("with a device that waits for its turn it took %v to end", took)
		}
		ws.Close()
		s.use(s.serve(s.st, ops.Limits{}))
		p.close()
	})
}

// Whoever is refused is told an id, by which the line of the log is found.
func TestRefusalsHaveAnID(t *testing.T) {
	inShell(t, func(s *shell) {
		dev, token, err := s.st.CreateDevice(s.ctx, s.member, "phone")
		s.must(err)
		lines := func(id string) (found []string) {
			for line := range strings.Lines(s.logs.String()) {
				if strings.Contains(line, "id="+id) {
					found = append(found, line)
				}
			}
			return found
		}
		for name, tt := range map[string]struct {
			token string
			frame []byte
			code  string
		}{
			"unknown token": {"trio_d_wrong", nil, "device"},
			"no frame":      {token, []byte("no frame"), "frame"},
		} {
			ws := s.raw(tt.token, s.node)
			if tt.frame != nil {
				s.must(ws.WriteMessage(websocket.BinaryMessage, tt.frame))
			}
			e, ok := s.take(ws).(*wire.Error)
			if !ok {
				s.Fatalf("%s: not refused", name)
			}
			_, id, ok := strings.Cut(strings.TrimSuffix(e.Text, ")"), " (id ")
			if !ok || len(id) != 8 {
				s.Errorf("%s: told %q", name, e.Text)
			}
			synctest.Wait()
			if got := lines(id); len(got) != 1 || !strings.Contains(got[0], "code="+tt.code) || !strings.Contains(got[0], "conn="+id+"-") {
				s.Errorf("%s: the log has %q of %s", name, got, id)
			}
			ws.Close()
		}

		// Changes that are refused one by one: the first ones are named, the rest counted.
		ws := s.greeted(dev, token, s.node)
		push := &wire.Push{ID: 1}
		stranger := storetest.NewAuthor(store.Device{ID: crdt.DeviceID{7}}, 1, rand.New(rand.NewPCG(1, 1)))
		for range 40 {
			it := stranger.Tap(1)
			push.Items = append(push.Items, wire.Item{Doc: it.Doc, Change: it.Change})
		}
		s.send(ws, push)
		a, ok := s.take(ws).(*wire.Answer)
		if !ok || len(a.Refused) != 40 {
			s.Fatalf("answered %+v", a)
		}
		ws.Close()
		synctest.Wait()
		log := s.logs.String()
		if n := strings.Count(log, `msg="change refused"`); n != 5 || !strings.Contains(log, `msg="changes refused"`) || !strings.Contains(log, "changes=40") {
			s.Errorf("%d refused changes are named:\n%s", n, log)
		}
		if first := a.Refused[0]; !strings.Contains(log, "hash="+first.Hash.String()) || !strings.Contains(log, "code="+first.Code.String()) {
			s.Errorf("change %s is not in the log", first.Hash)
		}
	})
}
