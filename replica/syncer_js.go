package replica

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"syscall/js"
	"time"

	"trio/crdt/wire"
)

// SyncerConfig says where to sync. Zero fields have the defaults stated behind them.
type SyncerConfig struct {
	URL   string // of the server's sync endpoint: ws:// or wss://
	Token string // the device's
	App   string // "trio"
	// MinWait and MaxWait bound the pause between attempts: each is drawn between zero and a bound that doubles from
	// MinWait (500 ms) to MaxWait (60 s) while nothing gets through.
	MinWait, MaxWait time.Duration
	// Prove is how long after it has stored what others wrote the device tells the server so, unless a push did, or it leaves
	// before: 5 s.
	Prove time.Duration
	// Warn is told what a person need not do anything about. Zero: nobody is.
	Warn func(error)
}

// Syncer keeps a replica and a server level while it runs, over the WebSocket of a browser. The browser answers the
// server's pings.
type Syncer struct {
	connection
	cfg  SyncerConfig
	wake chan struct{}
}

// NewSyncer returns a syncer that does not run yet.
func (r *Replica) NewSyncer(cfg SyncerConfig) *Syncer {
	if cfg.App == "" {
		cfg.App = "trio"
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
	if cfg.Warn == nil {
		cfg.Warn = func(error) {}
	}
	return &Syncer{connection: connection{r: r}, cfg: cfg, wake: make(chan struct{}, 1)}
}

// Wake ends the pause between two attempts: the page became visible, or the network came back.
func (s *Syncer) Wake() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
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
			s.set(SyncState{Err: err, Final: true})
			return err
		}
		s.set(SyncState{Err: err})
		if time.Since(start) > 2*wait+10*s.cfg.MinWait { // it held: this is a new trouble, not the last one again
			wait = s.cfg.MinWait
		}
		pause := rand.N(wait)
		wake := s.wake
		if e != nil && e.Wait > 0 { // the server knows when it makes sense
			pause = time.Duration(min(e.Wait, uint64(s.cfg.MaxWait.Milliseconds()))) * time.Millisecond
			wake = nil
		}
		wait = min(2*wait, s.cfg.MaxWait)
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		case <-wake:
			wait = s.cfg.MinWait
		}
	}
}

// socket is a WebSocket of the browser's.
type socket struct {
	ws       js.Value
	opened   chan struct{}
	frames   chan []byte
	ended    chan error
	handlers []js.Func
}

// maxWaiting bounds the frames that came and were not looked at yet: a browser's WebSocket cannot be read more slowly. The
// server sends a few at a time.
const maxWaiting = 256

func dial(url, token string) (s *socket, err error) {
	defer func() {
		if e := recover(); e != nil {
			s, err = nil, fmt.Errorf("connect to %s: %v", url, e)
		}
	}()
	s = &socket{opened: make(chan struct{}), frames: make(chan []byte, maxWaiting), ended: make(chan error, 1)}
	s.ws = js.Global().Get("WebSocket").New(url, []any{"trio", "trio.token." + token})
	s.ws.Set("binaryType", "arraybuffer")
	end := func(err error) {
		select {
		case s.ended <- err:
		default:
		}
	}
	on := func(name string, f func(event js.Value)) {
		h := js.FuncOf(func(_ js.Value, args []js.Value) any {
			f(args[0])
			return nil
		})
		s.handlers = append(s.handlers, h)
		s.ws.Set("on"+name, h)
	}
	on("open", func(js.Value) { close(s.opened) })
	on("close", func(e js.Value) { end(fmt.Errorf("the connection ended (%d)", e.Get("code").Int())) })
	on("error", func(js.Value) { end(fmt.Errorf("connect to %s: the server cannot be reached", url)) })
	on("message", func(e js.Value) {
		data := e.Get("data")
		if data.Type() != js.TypeObject {
			end(errors.New("from the server: a frame of text"))
			return
		}
		a := js.Global().Get("Uint8Array").New(data)
		if a.Length() > wire.MaxFrame {
			end(fmt.Errorf("from the server: a frame of %d bytes", a.Length()))
			return
		}
		b := make([]byte, a.Length())
		js.CopyBytesToGo(b, a)
		select {
		case s.frames <- b:
		default:
			end(errors.New("from the server: more than this device keeps up with"))
		}
	})
	return s, nil
}

func (s *socket) send(bs ...[]byte) error {
	for _, b := range bs {
		if s.ws.Get("readyState").Int() != 1 {
			return errors.New("the connection ended")
		}
		a := js.Global().Get("Uint8Array").New(len(b))
		js.CopyBytesToJS(a, b)
		s.ws.Call("send", a)
	}
	return nil
}

func (s *socket) close() {
	for _, name := range []string{"open", "close", "error", "message"} {
		s.ws.Set("on"+name, nil)
	}
	s.ws.Call("close")
	for _, h := range s.handlers {
		h.Release()
	}
}

// connect makes one connection and keeps it until it ends.
func (s *Syncer) connect(ctx context.Context) error {
	ws, err := dial(s.cfg.URL, s.cfg.Token)
	if err != nil {
		return err
	}
	defer ws.close()
	select {
	case <-ws.opened:
	case err := <-ws.ended:
		return err
	case <-time.After(20 * time.Second):
		return fmt.Errorf("connect to %s: no answer", s.cfg.URL)
	case <-ctx.Done():
		return ctx.Err()
	}
	changed, unwatch := s.r.Watch()
	defer unwatch()
	session, worked := s.r.NewSession(s.cfg.App), false
	prove := func() error {
		b, err := session.Prove()
		if err == nil && b != nil {
			err = ws.send(b)
		}
		return err
	}
	var due <-chan time.Time // nil while there is nothing to prove
	hello, err := session.Hello(ctx)
	if err == nil {
		err = ws.send(hello)
	}
	receive := func(b []byte) error {
		out, err := session.Receive(ctx, b)
		if err != nil {
			return err
		}
		return ws.send(out...)
	}
	for err == nil {
		came := true
		select {
		case b := <-ws.frames: // what came is looked at before the news that the connection ended
			err = receive(b)
		default:
			select {
			case <-ctx.Done():
				err = ctx.Err()
				continue
			case b := <-ws.frames:
				err = receive(b)
			case <-changed:
				came = false
			case <-due:
				due, came = nil, false
				err = prove()
			case err = <-ws.ended:
				for len(ws.frames) > 0 { // what the server said last explains more
					if e := receive(<-ws.frames); e != nil {
						return e
					}
				}
				continue
			}
		}
		if err == nil && due == nil && session.Unproved() {
			due = time.After(s.cfg.Prove)
		}
		if err == nil && !worked && session.Connected != "" {
			worked = true
			s.set(SyncState{Connected: true})
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
				err = ws.send(b)
			}
		}
		if err == nil && came && len(ws.frames) == 0 { // there is one thread: what came first
			if _, ferr := s.r.Compact(ctx); ferr != nil && ctx.Err() == nil {
				s.cfg.Warn(ferr)
			}
		}
	}
	if ctx.Err() != nil {
		prove() //nolint:errcheck // the next hello says the same
	}
	return err
}
