package hub

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gorilla/websocket"

	"trio/crdt/wire"
	"trio/server/live"
)

// maxRefusals is how many refused changes of one connection are logged one by one.
const maxRefusals = 5

// conn is one live connection: a goroutine that reads, and one that writes while there is something to write.
type conn struct {
	live.Conn
	hub     *Hub
	ws      *websocket.Conn
	line    *line
	id      string // in logs
	token   string
	session *Session
	log     *slog.Logger
	seen    atomic.Int64 // ms since 1970, when it was last heard of
	refused int          // changes; the reading goroutine's
	// Guarded by the Hub's mu: it does not count as one of the member's any more, and its socket was closed.
	gone, cut bool

	mu   sync.Mutex
	told sight // of it, to the store
}

// shortID is the id of a connection as a person may read it out: the first part of a UUID, or what a caller chose.
func shortID(id string) string {
	if first, _, ok := strings.Cut(id, "-"); ok && len(id) == 36 && len(first) == 8 {
		return first
	}
	return id
}

// refuse logs and counts that the device is refused, for what reason the server has.
func (c *conn) refuse(e *wire.Error, why error) {
	level := slog.LevelWarn
	if e.Code == wire.CodeInternal {
		level = slog.LevelError
	}
	c.log.Log(c.hub.ctx, level, "device refused", "id", shortID(c.id), "code", e.Code.String(), "err", why)
	c.hub.cfg.Refused(e.Code)
}

// note logs changes that were refused one by one: the first of a connection, then only how many there are. The sentence for
// the device stays out of the log: it may quote the change, and with it whom the member knows.
func (c *conn) note(list []wire.Refusal) {
	for _, x := range list {
		if c.refused++; c.refused <= maxRefusals {
			c.log.Info("change refused", "id", shortID(c.id), "hash", x.Hash.String(), "code", x.Code.String())
		}
	}
}

// read takes frames until the connection ends.
func (c *conn) read() {
	defer c.hub.remove(c)
	defer c.Close()
	silence := 2 * c.hub.cfg.Ping
	alive := func() error {
		c.seen.Store(c.hub.cfg.Now().UnixMilli())
		return c.Within(silence)
	}
	c.ws.SetPongHandler(func(string) error { return alive() })
	alive() //nolint:errcheck // the read will say it
	stop := c.Pings(c.hub.cfg.Ping, func() bool { c.lookUp(); return true })
	defer func() {
		stop()
		if c.refused > maxRefusals {
			c.log.Info("changes refused", "id", shortID(c.id), "changes", c.refused)
		}
		c.sight(0)
	}()
	c.log.Debug("connected")
	defer c.log.Debug("disconnected")
	for {
		kind, frame, err := c.ws.ReadMessage()
		if err != nil {
			if errors.Is(err, websocket.ErrReadLimit) {
				c.failOf(&wire.Error{Code: wire.CodeFrame, Text: "frame is larger than a frame may be"})
			}
			return
		}
		alive() //nolint:errcheck // the next read will say it
		if kind != websocket.BinaryMessage {
			c.failOf(&wire.Error{Code: wire.CodeFrame, Text: "want binary messages"})
			continue
		}
		if c.Failed() {
			continue // it is told already; what it still sends is not for us
		}
		got, err := c.session.Receive(c.hub.ctx, frame)
		c.note(got.Refused)
		switch {
		case got.Left:
			c.log.Info("device left: its access was taken back, and it is empty")
			c.fail(AsError(err), nil)
			continue
		case err != nil:
			c.failOf(err)
			continue
		case got.Hello, got.Proved:
			c.sight(0)
		}
		if got.Head > 0 {
			c.hub.wake(c.session.dev.Member, got.Head, c)
		}
		c.Kick()
		if got.Changes > 0 && c.pace(got.Changes) {
			alive() //nolint:errcheck // the next read will say it
		}
	}
}

// sight is what was noted last of a connected device.
type sight struct {
	receipt, pending uint64
	at               int64 // ms since 1970
}

// sight has it noted what is known of the device, if something has changed or the last note is older than quiet.
func (c *conn) sight(quiet time.Duration) {
	x, ok := c.session.Sighting(time.UnixMilli(c.seen.Load()))
	if !ok {
		return
	}
	now := sight{x.Receipt, x.Pending, x.At.UnixMilli()}
	c.mu.Lock()
	same := now.receipt == c.told.receipt && now.pending == c.told.pending && now.at-c.told.at < quiet.Milliseconds()
	if !same {
		c.told = now
	}
	c.mu.Unlock()
	if !same {
		c.hub.sighted.put(x)
	}
}

// pace waits until the device may push more, and reports whether it had to. Others are served meanwhile, this one too: only
// its next frame is not read.
func (c *conn) pace(changes int) (waited bool) {
	for {
		wait, ok := c.hub.cfg.Pace(c.session.dev, changes)
		if wait > 0 {
			waited = true
			if !c.Wait(wait) {
				return true
			}
		}
		if ok {
			return waited
		}
	}
}

// lookUp has a device whose access was taken back since it connected come back, so that it is told how to leave.
func (c *conn) lookUp() {
	if c.session.dev.Revoked {
		return // it leaves already
	}
	dev, err := c.hub.cfg.Store.DeviceByToken(c.hub.ctx, c.token)
	if err == nil && dev.Revoked {
		c.fail(changedError(), nil)
	}
}

// failOf ends the connection for an error, which is a refusal.
func (c *conn) failOf(err error) { c.fail(AsError(err), err) }

// fail ends the connection for a reason, which is sent first. why is what the server has to say of a refusal; nil when it is
// none.
func (c *conn) fail(e *wire.Error, why error) {
	if c.Fail(e) && why != nil {
		c.refuse(e, why)
	}
	c.Kick()
}

// Next is for package live, as the next three.
func (c *conn) Next() ([]byte, error) {
	frame, err := c.session.Next(c.hub.ctx)
	if err != nil {
		c.failOf(fmt.Errorf("nothing to send: %w", err))
	}
	return frame, err
}

func (c *conn) Send(frame []byte) error {
	more := c.session.Ready()
	if more {
		c.line.hold()
	}
	err := c.ws.WriteMessage(websocket.BinaryMessage, frame)
	if err == nil && !more {
		err = c.line.flush(time.Now().Add(c.hub.cfg.Write))
	}
	return err
}

func (c *conn) Lost(err error) { c.log.Debug("device does not read", "err", err) }

// maxReason bounds the sentence of an Error, so that the id behind it is not cut off.
const maxReason = 800

// Last ends a refusal with the id by which support finds it in the log.
func (c *conn) Last(e *wire.Error) []byte {
	c.line.flush(time.Now().Add(c.hub.cfg.Write)) //nolint:errcheck // the connection ends anyway
	said := *e
	if e.Code != wire.CodeShutdown {
		said.Text = fmt.Sprintf("%s (id %s)", strings.ToValidUTF8(e.Text[:min(len(e.Text), maxReason)], ""), shortID(c.id))
	}
	b, err := wire.Encode(&said)
	if err != nil {
		return nil
	}
	return b
}
