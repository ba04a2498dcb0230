// Package live is what connections of devices and of other programs share once a WebSocket is there: a goroutine that
// writes only while there is something to write, pings, and an end that is told before it comes. What is said is the Peer's.
package live

import (
	"math/rand/v2"
	"sync"
	"time"

	"github.com/gorilla/websocket"

	"trio/crdt/wire"
)

// Peer is whose connection it is. Its methods are called by the writing goroutine alone.
type Peer interface {
	// Next returns the next message to write, nil when there is none for now. Its error is for Fail, which it has called.
	Next() ([]byte, error)
	// Send writes a message, within the deadline that is set.
	Send([]byte) error
	// Last returns the message that says why the connection ends, nil for none.
	Last(*wire.Error) []byte
	// Lost is told that the peer took no message in time.
	Lost(error)
}

// Conn is a live connection. Its methods may be called by any goroutine.
type Conn struct {
	ws    *websocket.Conn
	peer  Peer
	write time.Duration // for one message

	pumps   sync.WaitGroup // the writing goroutine; grows under mu, while not over
	mu      sync.Mutex
	pumping bool
	again   bool
	over    bool          // nothing is written any more
	failure *wire.Error   // why the connection ends; the pump says it and closes
	ending  chan struct{} // closed when there is a failure, or it is over
}

// Open makes c the connection of a peer, who has write for taking one message. Nothing is written before Kick.
func (c *Conn) Open(ws *websocket.Conn, peer Peer, write time.Duration) {
	c.ws, c.peer, c.write, c.ending = ws, peer, write, make(chan struct{})
}

// Ending is closed when the connection is to end.
func (c *Conn) Ending() <-chan struct{} { return c.ending }

// Wait waits, and reports false when the connection is to end.
func (c *Conn) Wait(d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-c.ending:
		return false
	}
}

// Within gives the peer a time for what it is to send next. Once the connection is to end it has HangUp's time, whatever it sends.
func (c *Conn) Within(d time.Duration) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.failure != nil {
		return nil
	}
	return c.ws.SetReadDeadline(time.Now().Add(d))
}

// Pings pings at intervals of two to four thirds of every, spread so that pings of many do not meet, as long as look says so
// before and until stop.
func (c *Conn) Pings(every time.Duration, look func() bool) (stop func()) {
	var mu sync.Mutex // between the timer's function and the end of the connection
	var ping *time.Timer
	ended := false
	pause := func() time.Duration { return every*2/3 + rand.N(every*2/3) }
	mu.Lock()
	ping = time.AfterFunc(pause(), func() {
		if !look() {
			return
		}
		mu.Lock()
		defer mu.Unlock()
		if !ended && c.ws.WriteControl(websocket.PingMessage, nil, time.Now().Add(c.write)) == nil {
			ping.Reset(pause())
		}
	})
	mu.Unlock()
	return func() {
		mu.Lock()
		ended = true
		ping.Stop()
		mu.Unlock()
	}
}

// Fail has the connection end for a reason, which the next Kick has it say, and reports whether it is the first.
func (c *Conn) Fail(e *wire.Error) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.failure != nil {
		return false
	}
	c.failure = e
	c.end()
	return true
}

// Failed reports whether the connection is to end for a reason.
func (c *Conn) Failed() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.failure != nil
}

// end has whoever waits go on; the caller holds mu.
func (c *Conn) end() {
	select {
	case <-c.ending:
	default:
		close(c.ending)
	}
}

// Kick starts the writing goroutine unless it runs.
func (c *Conn) Kick() {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.over:
	case c.pumping:
		c.again = true
	default:
		c.pumping = true
		c.pumps.Go(c.pump)
	}
}

// Close closes the socket, and waits until nobody writes any more: from then on the peer's methods are not called. It is for the
// end of the reading goroutine.
func (c *Conn) Close() {
	c.ws.Close()
	c.mu.Lock()
	c.over = true
	c.end()
	c.mu.Unlock()
	c.pumps.Wait()
}

// pump writes until there is nothing to write.
func (c *Conn) pump() {
	for {
		c.mu.Lock()
		c.again = false
		failure, over := c.failure, c.over
		c.over = over || failure != nil
		c.mu.Unlock()
		if failure != nil {
			c.HangUp(failure)
			return
		}
		if over {
			return
		}
		b, err := c.peer.Next()
		switch {
		case err != nil:
			continue // it failed
		case b == nil:
			c.mu.Lock()
			if !c.again && c.failure == nil {
				c.pumping = false
				c.mu.Unlock()
				return
			}
			c.mu.Unlock()
			continue
		}
		c.ws.SetWriteDeadline(time.Now().Add(c.write)) //nolint:errcheck // the write will say it
		if err := c.peer.Send(b); err != nil {
			c.peer.Lost(err)
			c.mu.Lock()
			c.over = true
			c.end()
			c.mu.Unlock()
			c.ws.Close() // it comes back, and misses nothing
			return
		}
	}
}

// HangUp says why and closes: 1012 and 1013 for those who may come back, 4000 + code for the rest. It is for connections that
// were never kicked; Fail and Kick end the others.
func (c *Conn) HangUp(e *wire.Error) {
	deadline := time.Now().Add(c.write)
	if b := c.peer.Last(e); b != nil {
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

// Drain reads what a refused peer still sends, so that closing does not cut off what it was told, then closes.
func (c *Conn) Drain() {
	for {
		if _, _, err := c.ws.NextReader(); err != nil {
			c.ws.Close()
			return
		}
	}
}
