package hub

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/gorilla/websocket"

	"trio/crdt"
	"trio/crdt/wire"
	"trio/server/store"
)

// Config of a Hub. Zero fields have the defaults stated behind them.
type Config struct {
	Store  store.Store
	Log    *slog.Logger     // slog.Default()
	Now    func() time.Time // time.Now
	Ping   time.Duration    // 45 s between pings, give or take a third; a device that is silent for twice as long is closed
	Write  time.Duration    // 20 s for a device to take one frame; a slower one is closed and comes back
	Member int              // 32 connections at most for one member; the oldest gives way
}

// Hub is the set of live connections.
type Hub struct {
	cfg      Config
	upgrader websocket.Upgrader
	ctx      context.Context // of all work for connections; ends when Shutdown stops waiting
	cancel   context.CancelFunc

	mu      sync.Mutex
	conns   map[crdt.MemberID][]*conn // in the order of arrival
	closing bool
	wg      sync.WaitGroup
}

// New returns a hub without connections.
func New(cfg Config) *Hub {
	if cfg.Log == nil {
		cfg.Log = slog.Default()
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Ping == 0 {
		cfg.Ping = 45 * time.Second
	}
	if cfg.Write == 0 {
		cfg.Write = 20 * time.Second
	}
	if cfg.Member == 0 {
		cfg.Member = 32
	}
	h := &Hub{cfg: cfg, conns: map[crdt.MemberID][]*conn{}}
	// Small buffers and a pool for writing: most connections are idle most of the time.
	h.upgrader = websocket.Upgrader{ReadBufferSize: 512, WriteBufferSize: 4096, WriteBufferPool: &sync.Pool{}}
	h.ctx, h.cancel = context.WithCancel(context.Background())
	return h
}

// ServeHTTP takes a device's WebSocket. The device proves itself by `Authorization: Bearer <device token>`. Whoever may
// not sync is told so in an Error frame, as a browser shows its page nothing of a refused handshake.
func (h *Hub) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	ws, err := h.upgrader.Upgrade(w, r, nil)
	if err != nil {
		return // the upgrader has answered
	}
	ws.SetReadLimit(wire.MaxFrame)
	c := &conn{hub: h, ws: ws, id: uuid.NewString()}
	token, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	dev, err := h.cfg.Store.DeviceByToken(h.ctx, token)
	switch {
	case errors.Is(err, store.ErrNotFound):
		err = &wire.Error{Code: wire.CodeDevice, Text: "this device is not known here: sign in again; what is on it stays on it"}
	case err == nil && dev.Revoked:
		err = revokedError()
	}
	log := h.cfg.Log.With("conn", c.id)
	if err != nil {
		log.Warn("device refused", "err", err)
		c.hangUp(AsError(err))
		go c.drain()
		return
	}
	c.log = log.With("member", dev.Member, "device", dev.ID)
	c.token, c.member = token, dev.Member
	c.session = NewSession(h.cfg.Store, dev, c.id, h.cfg.Now)
	if !h.add(c) {
		c.hangUp(shutdownError())
		go c.drain()
		return
	}
	// The handler returns, and with it go net/http's buffers and the request: an idle connection keeps a goroutine and
	// little else.
	go c.read()
}

func shutdownError() *wire.Error {
	return &wire.Error{
		Code: wire.CodeShutdown, Text: "the server restarts: coming back",
		Wait: 200 + rand.Uint64N(3000), // not all at once
	}
}

func revokedError() *wire.Error {
	return &wire.Error{Code: wire.CodeRevoked, Text: "this device's access was taken back: ask your company; what is on it stays readable"}
}

func (h *Hub) add(c *conn) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closing {
		return false
	}
	h.wg.Add(1)
	list := h.conns[c.member]
	if len(list) >= h.cfg.Member {
		list[0].fail(&wire.Error{Code: wire.CodeBusy, Text: "too many connections of one member", Wait: 60000})
	}
	h.conns[c.member] = append(list, c)
	return true
}

func (h *Hub) remove(c *conn) {
	h.mu.Lock()
	list := h.conns[c.member]
	kept := make([]*conn, 0, len(list))
	for _, x := range list {
		if x != c {
			kept = append(kept, x)
		}
	}
	if h.conns[c.member] = kept; len(kept) == 0 {
		delete(h.conns, c.member)
	}
	h.mu.Unlock()
	h.wg.Done()
}

// wakeOthers tells a member's other connections that its order has grown.
func (h *Hub) wakeOthers(of *conn) {
	h.mu.Lock()
	list := h.conns[of.member]
	h.mu.Unlock()
	for _, c := range list {
		if c != of {
			c.session.Wake()
			c.kick()
		}
	}
}

// Connections returns how many devices are connected.
func (h *Hub) Connections() (n int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, list := range h.conns {
		n += len(list)
	}
	return n
}

// Shutdown tells every device to come back and waits until all connections have ended, or until ctx does.
func (h *Hub) Shutdown(ctx context.Context) error {
	h.mu.Lock()
	h.closing = true
	var all []*conn
	for _, list := range h.conns {
		all = append(all, list...)
	}
	h.mu.Unlock()
	for _, c := range all {
		c.fail(shutdownError())
	}
	done := make(chan struct{})
	go func() {
		h.wg.Wait()
		close(done)
	}()
	defer h.cancel()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		h.cancel() // whoever still waits for the store stops waiting
		for _, c := range all {
			c.ws.Close()
		}
		<-done
		return ctx.Err()
	}
}

// conn is one live connection: a goroutine that reads, and one that writes while there is something to write.
type conn struct {
	hub     *Hub
	ws      *websocket.Conn
	id      string
	token   string
	member  crdt.MemberID
	session *Session
	log     *slog.Logger

	mu      sync.Mutex
	pumping bool
	again   bool
	failure *wire.Error // why the connection ends; the pump says it and closes
	over    bool
}

// read takes frames until the connection ends.
func (c *conn) read() {
	defer c.hub.remove(c)
	defer c.ws.Close()
	silence := 2 * c.hub.cfg.Ping
	alive := func() error {
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.failure != nil {
			return nil // it has hangUp's time to go, whatever it sends
		}
		return c.ws.SetReadDeadline(time.Now().Add(silence))
	}
	c.ws.SetPongHandler(func(string) error { return alive() })
	alive()           //nolint:errcheck // the read will say it
	var mu sync.Mutex // between the timer's function and the end of the connection
	var ping *time.Timer
	ended := false
	mu.Lock()
	ping = time.AfterFunc(c.pause(), func() {
		dev, err := c.hub.cfg.Store.DeviceByToken(c.hub.ctx, c.token)
		if err == nil && dev.Revoked { // since it connected
			c.fail(revokedError())
			return
		}
		mu.Lock()
		defer mu.Unlock()
		if !ended && c.ws.WriteControl(websocket.PingMessage, nil, time.Now().Add(c.hub.cfg.Write)) == nil {
			ping.Reset(c.pause())
		}
	})
	mu.Unlock()
	defer func() {
		mu.Lock()
		ended = true
		ping.Stop()
		mu.Unlock()
	}()
	c.log.Debug("connected")
	defer c.log.Debug("disconnected")
	for {
		kind, frame, err := c.ws.ReadMessage()
		if err != nil {
			if errors.Is(err, websocket.ErrReadLimit) {
				c.fail(&wire.Error{Code: wire.CodeFrame, Text: "frame is larger than a frame may be"})
			}
			return
		}
		alive() //nolint:errcheck // the next read will say it
		if kind != websocket.BinaryMessage {
			c.fail(&wire.Error{Code: wire.CodeFrame, Text: "want binary messages"})
			continue
		}
		if c.failed() {
			continue // it is told already; what it still sends is not for us
		}
		stored, err := c.session.Receive(c.hub.ctx, frame)
		if err != nil {
			c.log.Warn("frame refused", "err", err)
			c.fail(AsError(err))
			continue
		}
		if stored > 0 {
			c.hub.wakeOthers(c)
		}
		c.kick()
	}
}

// pause returns the time to the next ping, spread so that pings of many devices do not meet.
func (c *conn) pause() time.Duration {
	return c.hub.cfg.Ping*2/3 + rand.N(c.hub.cfg.Ping*2/3)
}

// fail ends the connection for a reason, which is sent first.
func (c *conn) fail(e *wire.Error) {
	c.mu.Lock()
	if c.failure == nil {
		c.failure = e
	}
	c.mu.Unlock()
	c.kick()
}

func (c *conn) failed() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.failure != nil
}

// kick starts the writing goroutine unless it runs.
func (c *conn) kick() {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.over:
	case c.pumping:
		c.again = true
	default:
		c.pumping = true
		go c.pump()
	}
}

// pump writes until there is nothing to write.
func (c *conn) pump() {
	for {
		c.mu.Lock()
		c.again = false
		failure := c.failure
		c.mu.Unlock()
		var frame []byte
		if failure == nil {
			var err error
			if frame, err = c.session.Next(c.hub.ctx); err != nil {
				c.log.Error("nothing to send a device", "err", err)
				c.fail(AsError(err))
				continue
			}
		}
		switch {
		case failure != nil:
			c.mu.Lock()
			c.over = true
			c.mu.Unlock()
			c.hangUp(failure)
			return
		case frame == nil:
			c.mu.Lock()
			if !c.again && c.failure == nil {
				c.pumping = false
				c.mu.Unlock()
				return
			}
			c.mu.Unlock()
		default:
			c.ws.SetWriteDeadline(time.Now().Add(c.hub.cfg.Write)) //nolint:errcheck // the write will say it
			if err := c.ws.WriteMessage(websocket.BinaryMessage, frame); err != nil {
				c.log.Debug("device does not read", "err", err)
				c.mu.Lock()
				c.over = true
				c.mu.Unlock()
				c.ws.Close() // it comes back, and misses nothing
				return
			}
		}
	}
}

// hangUp says why and closes: 1012 and 1013 for those who may come back, 4000 + code for the rest.
func (c *conn) hangUp(e *wire.Error) {
	deadline := time.Now().Add(c.hub.cfg.Write)
	if b, err := wire.Encode(e); err == nil {
		c.ws.SetWriteDeadline(deadline)               //nolint:errcheck // best effort: the connection ends anyway
		c.ws.WriteMessage(websocket.BinaryMessage, b) //nolint:errcheck
	}
	code := 4000 + int(e.Code)
	switch {
	case e.Code == wire.CodeShutdown:
		code = websocket.CloseServiceRestart
	case e.Code.Retry():
		code = websocket.CloseTryAgainLater
	}
	c.ws.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(code, ""), deadline) //nolint:errcheck
	// The close is answered or the read times out; either ends the reading goroutine, which closes the socket.
	c.ws.SetReadDeadline(time.Now().Add(2 * time.Second)) //nolint:errcheck
}

// drain reads what a refused device still sends, so that closing does not cut off what it was told, then closes.
func (c *conn) drain() {
	for {
		if _, _, err := c.ws.NextReader(); err != nil {
			c.ws.Close()
			return
		}
	}
}
