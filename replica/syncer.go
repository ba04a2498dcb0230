//go:build !js

package replica

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/gorilla/websocket"

	"trio/crdt/wire"
)

// SyncerConfig says where to sync. Zero fields have the defaults stated behind them.
type SyncerConfig struct {
	URL   string // of the server's sync endpoint: ws:// or wss://
	Token string // the device's
	App   string // "trio"
	Log   *slog.Logger
	// Dial makes the connection below the WebSocket. Zero: net.Dialer.
	Dial func(ctx context.Context, network, addr string) (net.Conn, error)
	// MinWait and MaxWait bound the pause between attempts: each is drawn between zero and a bound that doubles from
	// MinWait (500 ms) to MaxWait (60 s) while nothing gets through. A server that says when to come back is believed, up to
	// MaxWait.
	MinWait, MaxWait time.Duration
	// Prove is how long after it has stored what others wrote the device tells the server so, unless a push did, or it leaves
	// before: 5 s.
	Prove time.Duration
	// Silence is how long a connection may say nothing at all before it is given up: 2 minutes. A server pings more often.
	Silence time.Duration
}

// Syncer keeps a replica and a server level while it runs: what is written here goes out at once, what others write
// comes in, and a lost connection is made again.
type Syncer struct {
	connection
	cfg SyncerConfig
}

// NewSyncer returns a syncer that does not run yet.
func (r *Replica) NewSyncer(cfg SyncerConfig) *Syncer {
	if cfg.App == "" {
		cfg.App = "trio"
	}
	if cfg.Log == nil {
		cfg.Log = slog.Default()
	}
	if cfg.MinWait == 0 {
		cfg.MinWait = 500 * time.Millisecond
	}
	if cfg.MaxWait == 0 {
		cfg.MaxWait = time.Minute
	}
	if cfg.Prove == 0 {
		cfg.Prove = 5 * time.Second
	}
	if cfg.Silence == 0 {
		cfg.Silence = 2 * time.Minute
	}
	return &Syncer{connection: connection{r: r}, cfg: cfg}
}

// Run syncs until ctx ends (nil) or the server says not to come back (its *wire.Error).
func (s *Syncer) Run(ctx context.Context) error {
	wait := s.cfg.MinWait
	for {
		start := time.Now()
		err := s.connect(ctx)
		if ctx.Err() != nil {
			s.set(SyncState{Err: s.State().Err}) // what went wrong before says more than that we stopped
			return nil
		}
		var e *wire.Error
		if errors.As(err, &e) && !e.Code.Retry() {
			s.cfg.Log.Warn("sync ended", "device", s.r.device, "err", err)
			s.set(SyncState{Err: err, Final: true})
			return err
		}
		s.cfg.Log.Debug("connection lost", "device", s.r.device, "err", err)
		s.set(SyncState{Err: err})
		if time.Since(start) > 2*wait+10*s.cfg.MinWait { // it held: this is a new trouble, not the last one again
			wait = s.cfg.MinWait
		}
		pause := rand.N(wait)
		if e != nil && e.Wait > 0 { // the server knows when it makes sense
			pause = time.Duration(min(e.Wait, uint64(s.cfg.MaxWait.Milliseconds()))) * time.Millisecond
		}
		if later, ok := errors.AsType[*comeBackError](err); ok { // and so does what stands before it
			pause = max(pause, min(later.after, s.cfg.MaxWait))
		}
		wait = min(2*wait, s.cfg.MaxWait)
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
	}
}

// comeBackError is a refused handshake whose answer says when to try again.
type comeBackError struct {
	error
	after time.Duration
}

// retryAfter returns how long a server asks to wait before the same is asked again; 0 when it does not.
func retryAfter(res *http.Response, now time.Time) time.Duration {
	if res.StatusCode != http.StatusTooManyRequests && res.StatusCode != http.StatusServiceUnavailable {
		return 0
	}
	text := res.Header.Get("Retry-After")
	if n, err := strconv.ParseUint(text, 10, 31); err == nil {
		return time.Duration(n) * time.Second
	}
	if at, err := http.ParseTime(text); err == nil {
		return at.Sub(now)
	}
	return 0
}

// connect makes one connection and keeps it until it ends.
func (s *Syncer) connect(ctx context.Context) error {
	dialer := websocket.Dialer{NetDialContext: s.cfg.Dial, HandshakeTimeout: 20 * time.Second, Proxy: http.ProxyFromEnvironment}
	ws, res, err := dialer.DialContext(ctx, s.cfg.URL, http.Header{"Authorization": {"Bearer " + s.cfg.Token}})
	if err != nil {
		if res != nil {
			err = fmt.Errorf("connect to %s: %w (HTTP %s)", s.cfg.URL, err, res.Status)
			if after := retryAfter(res, time.Now()); after > 0 {
				err = &comeBackError{err, after}
			}
			return err
		}
		return fmt.Errorf("connect to %s: %w", s.cfg.URL, err)
	}
	var helpers sync.WaitGroup
	defer helpers.Wait()
	defer ws.Close()
	ws.SetReadLimit(wire.MaxFrame)
	alive := func() error { return ws.SetReadDeadline(time.Now().Add(s.cfg.Silence)) }
	pong := ws.PingHandler()
	ws.SetPingHandler(func(data string) error {
		alive() //nolint:errcheck // the read will say it
		return pong(data)
	})

	frames, ended := make(chan []byte), make(chan error, 1)
	stop := make(chan struct{})
	defer close(stop)
	helpers.Go(func() {
		for {
			alive() //nolint:errcheck // the read will say it
			_, b, err := ws.ReadMessage()
			if err != nil {
				ended <- err
				return
			}
			select {
			case frames <- b:
			case <-stop:
				return
			}
		}
	})

	// History is folded beside the connection, whenever something came: in a long pull also, so that the data does not
	// first grow by all of it.
	came := make(chan struct{}, 1)
	defer close(came)
	foldCtx, stopFolding := context.WithCancel(ctx)
	defer stopFolding()
	helpers.Go(func() {
		for range came {
			if _, err := s.r.Compact(foldCtx); err != nil && foldCtx.Err() == nil {
				s.cfg.Log.Warn("history is not folded", "device", s.r.device, "err", err)
			}
		}
	})

	// A peer that does not read must not keep us when we are to end.
	defer context.AfterFunc(ctx, func() {
		ws.NetConn().SetWriteDeadline(time.Now().Add(time.Second)) //nolint:errcheck // the write says it
	})()
	send := func(bs ...[]byte) error {
		for _, b := range bs {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			ws.SetWriteDeadline(time.Now().Add(s.cfg.Silence)) //nolint:errcheck // the write will say it
			if err := ws.WriteMessage(websocket.BinaryMessage, b); err != nil {
				return err
			}
		}
		return nil
	}
	changed, unwatch := s.r.Watch()
	defer unwatch()
	session, worked := s.r.NewSession(s.cfg.App), false
	var prove <-chan time.Time // nil while there is nothing to prove
	hello, err := session.Hello(ctx)
	if err == nil {
		err = send(hello)
	}
	for err == nil {
		select {
		case <-ctx.Done():
			err = ctx.Err()
			continue
		case err = <-ended:
			continue
		case b := <-frames:
			var out [][]byte
			if out, err = session.Receive(ctx, b); err == nil {
				err = send(out...)
			}
			select {
			case came <- struct{}{}:
			default:
			}
			if err == nil && !worked && session.Connected != "" {
				worked = true
				s.set(SyncState{Connected: true})
			}
		case <-changed:
		case <-prove:
			prove = nil
			var b []byte
			if b, err = session.Prove(); err == nil && b != nil {
				err = send(b)
			}
		}
		if err == nil && prove == nil && session.Unproved() {
			prove = time.After(s.cfg.Prove)
		}
		if err == nil && worked {
			var level bool
			if level, err = session.Level(ctx); level != s.State().Level && err == nil {
				s.set(SyncState{Connected: true, Level: level})
			}
		}
		if err == nil {
			var b []byte
			if b, err = session.Next(ctx); err == nil && b != nil {
				err = send(b)
			}
		}
	}
	if ctx.Err() != nil {
		// A device that comes, syncs and leaves would else never have proved what it has: it does not wait for Prove.
		b, perr := session.Prove()
		told := perr == nil && b != nil && ws.WriteMessage(websocket.BinaryMessage, b) == nil
		ws.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(websocket.CloseGoingAway, ""), time.Now().Add(time.Second)) //nolint:errcheck
		// To close with frames unread could take back what was just sent.
		for late := time.After(time.Second); told; {
			select {
			case <-frames:
			case <-ended:
				told = false
			case <-late:
				told = false
			}
		}
		return ctx.Err()
	}
	if _, ok := errors.AsType[*wire.Error](err); !ok {
		// What the server said last explains more than the broken pipe. Changes are not for a session that failed: they do not
		// continue what it could not keep.
		select {
		case b := <-frames:
			f, _ := wire.Decode(b)
			if e, ok := f.(*wire.Error); ok {
				err = e
			}
		case <-time.After(100 * time.Millisecond):
		}
	}
	return err
}
