package live_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gorilla/websocket"

	"trio/crdt/wire"
	"trio/server/live"
	"trio/server/live/livetest"
)

// peer is a connection's state machine: what is put is next, in that order.
type peer struct {
	ws   *websocket.Conn
	last []byte

	mu      sync.Mutex
	queue   [][]byte
	empty   int          // how often there was nothing to write
	fails   func() error // what Next does instead, nil: nothing
	writing bool
	lost    []error
}

func (p *peer) put(bs ...[]byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.queue = append(p.queue, bs...)
}

func (p *peer) Next() ([]byte, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.fails != nil {
		return nil, p.fails()
	}
	if len(p.queue) == 0 {
		p.empty++
		return nil, nil
	}
	b := p.queue[0]
	p.queue = p.queue[1:]
	return b, nil
}

func (p *peer) Send(b []byte) error {
	p.mu.Lock()
	twice := p.writing
	p.writing = true
	p.mu.Unlock()
	if twice {
		return errors.New("two goroutines write at once")
	}
	err := p.ws.WriteMessage(websocket.BinaryMessage, b)
	p.mu.Lock()
	p.writing = false
	p.mu.Unlock()
	return err
}

func (p *peer) Last(*wire.Error) []byte { return p.last }

func (p *peer) Lost(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.lost = append(p.lost, err)
}

func (p *peer) losses() []error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.lost)
}

// link is a connection with both of its ends.
type link struct {
	live.Conn
	*peer
	client *websocket.Conn
}

// open makes a connection over a real socket, whose client has write for taking a message.
func open(t *testing.T, write time.Duration) *link {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return openAt(t, write, ln, (&net.Dialer{}).DialContext)
}

// openAt is open with a listener and the way to it.
func openAt(t *testing.T, write time.Duration, ln net.Listener, dial func(ctx context.Context, network, addr string) (net.Conn, error)) *link {
	t.Helper()
	served := make(chan *websocket.Conn, 1)
	srv := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		u := websocket.Upgrader{}
		ws, err := u.Upgrade(w, r, nil)
		if err != nil {
			t.Error(err)
		}
		served <- ws
	})}
	go srv.Serve(ln) //nolint:errcheck // it ends with the test
	d := websocket.Dialer{NetDialContext: dial}
	client, res, err := d.Dial("ws://"+ln.Addr().String(), nil)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	l := &link{peer: &peer{ws: <-served}, client: client}
	l.Open(l.ws, l.peer, write)
	t.Cleanup(func() {
		client.Close()
		l.ws.Close()
		srv.Close()
	})
	return l
}

// closed reads until the connection ends, and returns what came and the code that it ended with, 0 for none.
func (l *link) closed(t *testing.T) (came []string, code int) {
	t.Helper()
	l.client.SetReadDeadline(time.Now().Add(time.Minute)) //nolint:errcheck // the read says it
	for {
		_, b, err := l.client.ReadMessage()
		if e := (*websocket.CloseError)(nil); errors.As(err, &e) && e.Code != websocket.CloseAbnormalClosure {
			return came, e.Code
		}
		if err != nil {
			return came, 0
		}
		came = append(came, string(b))
	}
}

// within waits until something holds.
func within(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !holds(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%s: not within a minute", what)
		}
	}
}

func ended(l *link) bool {
	select {
	case <-l.Ending():
		return true
	default:
		return false
	}
}

// TestManyKicksLoseNothing: whoever has something to write says so from any goroutine; all of it is written, once and in
// order, by one goroutine at a time, which goes when there is nothing more.
func TestManyKicksLoseNothing(t *testing.T) {
	l := open(t, 10*time.Second)
	before := runtime.NumGoroutine()
	const each, writers = 200, 8
	go func() {
		var all sync.WaitGroup
		for w := range writers {
			all.Go(func() {
				for n := range each {
					l.put([]byte(strconv.Itoa(w*each + n)))
					l.Kick()
				}
			})
		}
		all.Wait()
	}()
	next := make([]int, writers)
	for range each * writers {
		l.client.SetReadDeadline(time.Now().Add(time.Minute)) //nolint:errcheck // the read says it
		_, b, err := l.client.ReadMessage()
		if err != nil {
			t.Fatalf("after %v of each: %v", next, err)
		}
		n, err := strconv.Atoi(string(b))
		if err != nil || n%each != next[n/each] {
			t.Fatalf("%q came after %v of each, %v", b, next, err)
		}
		next[n/each]++
	}
	within(t, "nobody writes when there is nothing", func() bool { return runtime.NumGoroutine() <= before })
	l.put([]byte("later"))
	l.Kick()
	if _, b, err := l.client.ReadMessage(); err != nil || string(b) != "later" {
		t.Errorf("after a pause: %q, %v", b, err)
	}
}

// TestSlowPeer: who does not take a message in time is given up, with nothing said that it would not take either.
func TestSlowPeer(t *testing.T) {
	l := open(t, 100*time.Millisecond)
	began := time.Now()
	l.put(slices.Repeat([][]byte{make([]byte, 1<<20)}, 64)...) // more than a socket's buffers take
	l.Kick()
	select {
	case <-l.Ending():
	case <-time.After(time.Minute):
		t.Fatal("it goes on")
	}
	if took := time.Since(began); took < 100*time.Millisecond {
		t.Errorf("given up after %v", took)
	}
	if n := len(l.losses()); n != 1 {
		t.Errorf("told of %d losses: %v", n, l.losses())
	}
	if l.Failed() {
		t.Error("it failed for a reason, which nobody gave")
	}
	// The reading side hears of it, and nothing is written any more.
	if _, _, err := l.ws.ReadMessage(); err == nil {
		t.Error("the socket is open")
	}
	l.Kick()
	l.Fail(&wire.Error{Code: wire.CodeBusy})
	l.Kick()
	if _, code := l.closed(t); code != 0 {
		t.Errorf("it is told %d", code)
	}
	if n := len(l.losses()); n != 1 {
		t.Errorf("told of %d losses", n)
	}
}

// TestSilentPeer: who answers pings stays; who answers none ends with the time that it had.
func TestSilentPeer(t *testing.T) {
	const every, patience = 100 * time.Millisecond, 1500 * time.Millisecond
	for _, answers := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) { // a machine that stands still is no peer that does
			at := livetest.NewPipes()
			l := openAt(t, time.Second, at, at.Dial)
			var pings atomic.Int32
			pong := l.client.PingHandler()
			l.client.SetPingHandler(func(data string) error {
				pings.Add(1)
				if answers {
					return pong(data)
				}
				return nil
			})
			go l.closed(t)
			l.ws.SetPongHandler(func(string) error { return l.Within(patience) })
			began := time.Now()
			if err := l.Within(patience); err != nil {
				t.Fatal(err)
			}
			stop := l.Pings(every, func() bool { return true })
			silent := make(chan error, 1)
			go func() {
				_, _, err := l.ws.ReadMessage()
				silent <- err
			}()
			if !answers {
				if err := <-silent; err == nil {
					t.Error("it said something")
				}
				if took := time.Since(began); took < patience || pings.Load() == 0 {
					t.Errorf("answers=%v: given up after %v and %d pings", answers, took, pings.Load())
				}
				stop()
				return
			}
			time.Sleep(patience + 5*every)
			select {
			case err := <-silent:
				t.Fatalf("it answers, and ended: %v", err)
			default:
			}
			if n := time.Duration(pings.Load()); n == 0 || n > time.Since(began)/(every*2/3) {
				t.Errorf("%d pings in %v", n, time.Since(began))
			}
			stop()
			stop() // as often as one likes
			n := pings.Load()
			time.Sleep(3 * every)
			if more := pings.Load() - n; more > 1 { // one may have been on its way
				t.Errorf("%d pings after the end", more)
			}
			l.ws.Close()
			<-silent
		})
	}
}

// TestPingsLookFirst: a connection that may not go on is pinged no more.
func TestPingsLookFirst(t *testing.T) {
	l := open(t, time.Second)
	var pings, looks atomic.Int32
	l.client.SetPingHandler(func(string) error { pings.Add(1); return nil })
	go l.closed(t)
	defer l.Pings(10*time.Millisecond, func() bool { return looks.Add(1) < 3 })()
	within(t, "three looks, and the pings of two", func() bool { return looks.Load() == 3 && pings.Load() == 2 })
	time.Sleep(50 * time.Millisecond)
	if looks.Load() != 3 || pings.Load() != 2 {
		t.Errorf("%d looks and %d pings", looks.Load(), pings.Load())
	}
}

// TestEndIsTold: the reason comes first, then a close whose code says whether to come back. What waits is not written any more,
// and a second reason is none.
func TestEndIsTold(t *testing.T) {
	for _, tt := range []struct {
		code wire.Code
		last string
		want int
	}{
		{wire.CodeShutdown, "the server restarts", websocket.CloseServiceRestart},
		{wire.CodeBusy, "too many", websocket.CloseTryAgainLater},
		{wire.CodeRevoked, "taken back", 4000 + int(wire.CodeRevoked)},
		{wire.CodeDevice, "", 4000 + int(wire.CodeDevice)}, // nothing to say but the code
	} {
		for _, kicked := range []bool{true, false} {
			l := open(t, time.Second)
			if tt.last != "" {
				l.last = []byte(tt.last)
			}
			e := &wire.Error{Code: tt.code}
			if kicked {
				l.put([]byte("before"))
				l.Kick()
				if _, b, err := l.client.ReadMessage(); err != nil || string(b) != "before" {
					t.Fatal(string(b), err)
				}
				within(t, "all is written", func() bool { l.peer.mu.Lock(); defer l.peer.mu.Unlock(); return l.empty == 1 })
				l.put([]byte("late"))
				if !l.Fail(e) || l.Fail(&wire.Error{Code: wire.CodeFull}) || !l.Failed() || !ended(l) {
					t.Errorf("%v: failed %v, ended %v", tt.code, l.Failed(), ended(l))
				}
				l.Kick()
				l.Kick()
			} else {
				l.HangUp(e)
			}
			// What the peer still sends takes nothing back.
			if err := l.client.WriteMessage(websocket.BinaryMessage, make([]byte, 100_000)); err != nil {
				t.Error(err)
			}
			drained := make(chan struct{})
			go func() {
				defer close(drained)
				l.Drain()
			}()
			came, code := l.closed(t)
			if code != tt.want || strings.Join(came, "|") != tt.last {
				t.Errorf("%v: it is told %q and %d, want %q and %d", tt.code, came, code, tt.last, tt.want)
			}
			select {
			case <-drained:
			case <-time.After(time.Minute):
				t.Errorf("%v: the socket stays", tt.code)
			}
		}
	}
}

// TestEndOfAPeerThatStays: who does not answer the close is left after two seconds, whatever it has been promised before.
func TestEndOfAPeerThatStays(t *testing.T) {
	t.Parallel()
	l := open(t, time.Second)
	if err := l.Within(time.Hour); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	l.Fail(&wire.Error{Code: wire.CodeBusy})
	l.Kick()
	if err := l.Within(time.Hour); err != nil { // a pong that comes now gives it no time
		t.Fatal(err)
	}
	l.Drain()
	if took := time.Since(began); took > 30*time.Second {
		t.Errorf("it stayed %v", took)
	}
}

// TestNextFails: a state machine that has nothing to send, as it failed, has the reason told.
func TestNextFails(t *testing.T) {
	l := open(t, time.Second)
	l.last = []byte("the store is gone")
	l.fails = func() error {
		l.Fail(&wire.Error{Code: wire.CodeInternal})
		return errors.New("the store is gone")
	}
	l.Kick()
	if came, code := l.closed(t); strings.Join(came, "") != "the store is gone" || code == 0 {
		t.Errorf("it is told %q and %d", came, code)
	}
}

// TestManyWait: whoever waits for a turn goes on when the connection is to end, all at once; a wait that is short ends by itself.
func TestManyWait(t *testing.T) {
	l := open(t, time.Second)
	if !l.Wait(time.Millisecond) {
		t.Error("a wait ended with a connection that goes on")
	}
	var waits, first atomic.Int32
	var all sync.WaitGroup
	for range 200 {
		all.Go(func() {
			waits.Add(1)
			if l.Wait(time.Hour) {
				t.Error("an hour went by")
			}
			if l.Fail(&wire.Error{Code: wire.CodeFull}) {
				first.Add(1)
			}
			l.Kick()
		})
	}
	within(t, "all wait", func() bool { return waits.Load() == 200 })
	began := time.Now()
	if !l.Fail(&wire.Error{Code: wire.CodeBusy}) {
		t.Error("it had failed")
	}
	all.Wait()
	if took := time.Since(began); took > 30*time.Second || first.Load() > 0 {
		t.Errorf("it took %v, and %d had the first reason too", took, first.Load())
	}
	if _, code := l.closed(t); code != websocket.CloseTryAgainLater {
		t.Errorf("it is told %d", code)
	}
	if l.Wait(time.Hour) {
		t.Error("a wait after the end")
	}
}

// TestNobodyWritesAfterTheEnd: who reads and ends waits for who writes, so that what the peer stands on may go then.
func TestNobodyWritesAfterTheEnd(t *testing.T) {
	l := open(t, time.Second)
	asked, free, calls := make(chan struct{}), make(chan struct{}), 0 // which nobody guards: the calls are over
	l.fails = func() error {
		close(asked)
		<-free
		calls++
		l.Fail(&wire.Error{Code: wire.CodeInternal})
		return errors.New("no more")
	}
	l.Kick()
	<-asked
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		l.Close()
		if calls != 1 {
			t.Errorf("the peer is still asked: %d calls ended", calls)
		}
	}()
	if came, code := l.closed(t); len(came) > 0 || code != 0 {
		t.Errorf("told %q and %d by a socket that is closed", came, code)
	}
	close(free)
	<-gone
	l.Kick() // asked once more it would close a closed channel
}
