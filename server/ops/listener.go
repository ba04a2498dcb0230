package ops

import (
	"net"
	"sync"
	"sync/atomic"
)

// A Listener counts the connections of a listener and the bytes on them. It serves up to max at one time; whoever is
// accepted beyond can still be answered over HTTP (see Crowded), and far beyond is closed unread.
type Listener struct {
	net.Listener
	m    *Metrics
	max  int64
	open atomic.Int64
}

// Listen returns a listener on l.
func Listen(l net.Listener, m *Metrics, max int) *Listener {
	return &Listener{Listener: l, m: m, max: int64(max)}
}

// Crowded reports whether more connections are open than are served.
func (l *Listener) Crowded() bool { return l.open.Load() > l.max }

// Accept waits for the next connection.
func (l *Listener) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		// A refusal needs a connection too: a sixteenth more than are served, and at least 16.
		if n := l.open.Add(1); n > l.max+max(16, l.max/16) {
			l.open.Add(-1)
			l.m.turnedAway.Inc()
			c.Close()
			continue
		}
		l.m.sockets.Inc()
		return &countedConn{Conn: c, l: l}, nil
	}
}

type countedConn struct {
	net.Conn
	l    *Listener
	once sync.Once
}

func (c *countedConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.l.m.received.Add(float64(n))
	return n, err
}

func (c *countedConn) Write(b []byte) (int, error) {
	n, err := c.Conn.Write(b)
	c.l.m.sent.Add(float64(n))
	return n, err
}

func (c *countedConn) Close() error {
	c.once.Do(func() {
		c.l.open.Add(-1)
		c.l.m.sockets.Dec()
	})
	return c.Conn.Close()
}
