package sim_test

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"trio/crdt"
	"trio/replica"
	"trio/server"
	"trio/server/store"
)

// live is two devices of one member that sync with a server on a real socket.
type live struct {
	testing.TB
	addr    string
	st      *store.SQLite
	srv     *server.Server
	http    *http.Server
	dir     string
	devs    [2]*replica.Replica
	paths   [2]string
	syncers [2]*replica.Syncer
	away    [2]func() // ends a device's syncer
}

func newLive(tb testing.TB) *live {
	l := &live{TB: tb}
	ctx := tb.Context()
	l.dir = tb.TempDir()
	var err error
	l.st, err = store.Open(ctx, store.Config{Path: filepath.Join(l.dir, "trio.db")})
	l.must(err)
	tb.Cleanup(func() { l.st.Close() })
	l.serve("127.0.0.1:0")
	tenant, err := l.st.CreateTenant(ctx, "Acme")
	l.must(err)
	member, err := l.st.CreateMember(ctx, store.Member{Tenant: tenant, Name: "Maya"})
	l.must(err)
	tb.Cleanup(func() {
		for i := range l.devs {
			l.leave(i)
		}
		for _, d := range l.devs {
			d.Close()
		}
		l.stop()
	})
	for i := range l.devs {
		d, token, err := l.st.CreateDevice(ctx, member, "device")
		l.must(err)
		l.paths[i] = filepath.Join(l.dir, d.ID.String())
		l.devs[i], err = replica.Open(ctx, replica.Config{Path: l.paths[i], Member: member, Device: d.ID})
		l.must(err)
		l.syncers[i] = l.devs[i].NewSyncer(replica.SyncerConfig{
			URL: "ws://" + l.addr + "/v1/sync", Token: token, Log: slog.New(slog.DiscardHandler),
			MinWait: 10 * time.Millisecond, MaxWait: 100 * time.Millisecond,
		})
		l.come(i)
	}
	return l
}

// come has a device sync until it leaves.
func (l *live) come(i int) {
	run, stop := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { l.syncers[i].Run(run) }) //nolint:errcheck // State tells
	l.away[i] = func() {
		stop()
		running.Wait()
	}
}

// leave returns once a device does not sync any more.
func (l *live) leave(i int) { l.away[i]() }

func (l *live) must(err error) {
	if err != nil {
		l.Helper()
		l.Fatal(err)
	}
}

func (l *live) serve(addr string) {
	ln, err := net.Listen("tcp", addr)
	l.must(err)
	l.addr = ln.Addr().String()
	l.srv = server.New(server.Config{Store: l.st, Log: slog.New(slog.DiscardHandler)})
	l.http = &http.Server{Handler: l.srv}
	go l.http.Serve(ln) //nolint:errcheck // it ends with stop
}

func (l *live) stop() {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	l.must(l.srv.Shutdown(ctx))
	l.must(l.http.Shutdown(ctx))
}

// wait returns once something holds, and how long it took.
func (l *live) wait(what string, r *replica.Replica, holds func() bool) time.Duration {
	l.Helper()
	start := time.Now()
	changed, stop := r.Watch()
	defer stop()
	for !holds() {
		if time.Since(start) > time.Minute {
			l.Fatalf("%s: not within a minute", what)
		}
		select {
		case <-changed:
		case <-time.After(100 * time.Millisecond):
		}
	}
	return time.Since(start)
}

func (l *live) entries(r *replica.Replica) int {
	st, err := r.Status(l.Context())
	l.must(err)
	return st.Changes
}

func TestLiveFanOutAndComeBackAfterAShutdown(t *testing.T) {
	l := newLive(t)
	tap := func(r *replica.Replica) {
		_, err := r.Log(t.Context(), crdt.Entry{Kind: crdt.Share})
		l.must(err)
	}
	tap(l.devs[0])
	l.wait("a tap on the other device", l.devs[1], func() bool { return l.entries(l.devs[1]) == 1 })

	addr := l.addr
	l.stop()
	l.wait("the device notices", l.devs[0], func() bool { return !l.syncers[0].State().Connected })
	if st := l.syncers[0].State(); st.Final {
		t.Errorf("a shutdown is taken for good: %+v", st)
	}
	tap(l.devs[0])
	tap(l.devs[1])
	l.serve(addr)
	for _, r := range l.devs {
		l.wait("both level after the restart", r, func() bool {
			n, err := r.UnsentCount(t.Context())
			l.must(err)
			return n == 0 && l.entries(r) == 3
		})
	}
}

// BenchmarkLive is a tap on one device until it is on the other's disk: two syncs of the senders' disks, the server's and
// the receiver's included.
func BenchmarkLive(b *testing.B) {
	l := newLive(b)
	for i := range l.devs {
		l.wait("connected", l.devs[i], func() bool { return l.syncers[i].State().Connected })
	}
	var took []time.Duration
	n := 0
	for b.Loop() {
		n++
		start := time.Now()
		_, err := l.devs[0].Log(b.Context(), crdt.Entry{Kind: crdt.Share})
		l.must(err)
		l.wait("the tap", l.devs[1], func() bool { return l.entries(l.devs[1]) == n })
		took = append(took, time.Since(start))
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "p50-ms")
	b.ReportMetric(float64(took[len(took)*99/100].Microseconds())/1000, "p99-ms")
}
