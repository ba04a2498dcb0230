package ops

import (
	"container/list"
	"context"
	"crypto/tls"
	"net"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// A Listener counts the connections of a listener and the bytes on them. It serves up to ListenConfig.Connections at one
// time; whoever is accepted beyond can still be answered over HTTP (see Crowded), and far beyond is closed unread.
//
// Of those that have not yet shown a valid token or key it bounds each network's, so that no single one holds all places with
// silent connections: http.Server.ConnContext must be ConnContext, by which a Guard says who has shown one.
type Listener struct {
	net.Listener
	m       *Metrics
	max     int64
	proxies []netip.Prefix
	unknown int
	patient time.Duration // patience, but in tests
	open    atomic.Int64

	mu       sync.Mutex
	networks map[netip.Prefix]*list.List // of *countedConn that have proved nothing, the oldest in front; none is empty
}

// ListenConfig of a Listener. All but Proxies are needed.
type ListenConfig struct {
	Connections int            // that are served at one time
	Unknown     int            // of them, that one network may have before they show a valid token or key
	Proxies     []netip.Prefix // peers whose connections are of anybody: they are not bounded by network
}

// patience is how long a connection may take to show its token before a newer one of its network may take its place. One
// that is younger keeps it, or a rush of honest devices would close each other's connections again and again.
const patience = 3 * time.Second

// Listen returns a listener on l.
func Listen(l net.Listener, m *Metrics, cfg ListenConfig) *Listener {
	return &Listener{
		Listener: l, m: m, max: int64(cfg.Connections), unknown: cfg.Unknown, proxies: cfg.Proxies, patient: patience,
		networks: map[netip.Prefix]*list.List{},
	}
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
		counted := &countedConn{Conn: c, l: l}
		late, ok := l.admit(counted, time.Now())
		if late != nil {
			l.m.silent.Inc()
			late.Close()
		}
		if !ok {
			l.open.Add(-1)
			l.m.silent.Inc()
			c.Close()
			continue
		}
		l.m.sockets.Inc()
		return counted, nil
	}
}

// admit notes a connection that has proved nothing. When its network has no place left it returns the one that has to give way to it,
// or is not ok: then nothing is noted.
func (l *Listener) admit(c *countedConn, now time.Time) (late *countedConn, ok bool) {
	peer, _ := netip.ParseAddrPort(c.RemoteAddr().String())
	a := peer.Addr().Unmap().WithZone("")
	if slices.ContainsFunc(l.proxies, func(p netip.Prefix) bool { return p.Contains(a) }) {
		return nil, true
	}
	bits := 24
	if a.Is6() {
		bits = 48
	}
	c.network, _ = a.Prefix(bits) // of what has no address: all of them together
	c.since = now
	l.mu.Lock()
	defer l.mu.Unlock()
	all := l.networks[c.network]
	if all == nil {
		all = list.New()
		l.networks[c.network] = all
	}
	if all.Len() >= l.unknown {
		late = all.Front().Value.(*countedConn)
		if now.Sub(late.since) < l.patient {
			return nil, false
		}
		l.forget(late)
	}
	c.place = all.PushBack(c)
	l.networks[c.network] = all // forget may have taken the last one out
	return late, true
}

// forget counts a connection no more among those that have proved nothing. The caller holds mu.
func (l *Listener) forget(c *countedConn) {
	if c.place == nil {
		return
	}
	all := l.networks[c.network]
	all.Remove(c.place)
	c.place = nil
	if all.Len() == 0 {
		delete(l.networks, c.network)
	}
}

type connKey struct{}

// ConnContext is for http.Server: it has requests know the connection that they came on.
func ConnContext(ctx context.Context, c net.Conn) context.Context {
	if t, ok := c.(*tls.Conn); ok {
		c = t.NetConn()
	}
	if counted, ok := c.(*countedConn); ok {
		return context.WithValue(ctx, connKey{}, counted)
	}
	return ctx
}

// proved notes that a request with a valid token or key came on its connection, which may stay as long as it likes from then on.
func proved(ctx context.Context) {
	if c, ok := ctx.Value(connKey{}).(*countedConn); ok {
		c.l.mu.Lock()
		c.l.forget(c)
		c.l.mu.Unlock()
	}
}

type countedConn struct {
	net.Conn
	l    *Listener
	once sync.Once

	network netip.Prefix
	since   time.Time
	place   *list.Element // in l.networks, or nil; under l.mu
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
		c.l.mu.Lock()
		c.l.forget(c)
		c.l.mu.Unlock()
		c.l.open.Add(-1)
		c.l.m.sockets.Dec()
	})
	return c.Conn.Close()
}
