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
// silent connections; of those that have it bounds each device's and each company's that are not WebSockets, so that no
// single token does: http.Server.ConnContext must be ConnContext, by which a Guard says who has shown one.
type Listener struct {
	net.Listener
	m       *Metrics
	max     int64
	proxies []netip.Prefix
	unknown int
	patient time.Duration // patience, but in tests
	silent  time.Duration // silence, but in tests
	open    atomic.Int64

	mu       sync.Mutex
	networks map[netip.Prefix]*list.List // of *countedConn that have proved nothing, the oldest in front; none is empty
	callers  map[any]int                 // connections that stay open, by whose they are; none is 0
}

// ListenConfig of a Listener. All but Proxies are needed.
type ListenConfig struct {
	Connections int            // that are served at one time
	Unknown     int            // of them, that one network may have before they show a valid token or key
	Proxies     []netip.Prefix // peers whose connections are of anybody: they are not bounded by network
}

// kept is how many connections over which HTTP is spoken stay open of one device, or of one company's keys; further ones are
// closed once answered. WebSockets do not count: whoever serves them bounds those of a member.
const kept = 16

// patience is how long a connection may take to show its token before a newer one of its network may take its place, and
// silence how long one may that has not sent a byte: a device's first bytes follow its connection at once. One that is younger
// keeps its place, or a rush of honest devices would close each other's connections again and again.
const (
	patience = 3 * time.Second
	silence  = 300 * time.Millisecond
)

// share is the part of a network's places that each address of it has for itself: what others have beyond theirs gives way to
// it at once.
const share = 8

// Listen returns a listener on l.
func Listen(l net.Listener, m *Metrics, cfg ListenConfig) *Listener {
	return &Listener{
		Listener: l, m: m, max: int64(cfg.Connections), unknown: cfg.Unknown, proxies: cfg.Proxies, patient: patience, silent: silence,
		networks: map[netip.Prefix]*list.List{}, callers: map[any]int{},
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
		c.shared = true
		return nil, true
	}
	bits := 24
	if a.Is6() {
		bits = 48
	}
	c.network, _ = a.Prefix(bits) // of what has no address: all of them together
	c.address = network(a)
	c.since = now
	l.mu.Lock()
	defer l.mu.Unlock()
	all := l.networks[c.network]
	if all == nil {
		all = list.New()
		l.networks[c.network] = all
	}
	if all.Len() >= l.unknown {
		if late = l.yields(all, c.address, now); late == nil {
			return nil, false
		}
		l.forget(late)
	}
	c.place = all.PushBack(c)
	l.networks[c.network] = all // forget may have taken the last one out
	return late, true
}

// yields returns which connection of a network that has no place left gives way to one of an address, or nil. An address that
// has less than its share takes a place of the one that has most, if that has more than its share. Else places change hands
// with time only, and not to an address that has more from one that has less: first those of who says nothing, then those of
// who is slow.
func (l *Listener) yields(all *list.List, to netip.Prefix, now time.Time) *countedConn {
	has := map[netip.Prefix]int{}
	most := 0
	for e := all.Front(); e != nil; e = e.Next() {
		a := e.Value.(*countedConn).address
		has[a]++
		most = max(most, has[a])
	}
	own, least := max(1, l.unknown/share), has[to]
	over := least < own && most > own
	if over {
		least = most
	}
	var mute, oldest *countedConn
	for e := all.Front(); e != nil; e = e.Next() {
		c := e.Value.(*countedConn)
		if has[c.address] < least {
			continue
		}
		if oldest == nil {
			oldest = c
		}
		if mute == nil && !c.spoke.Load() {
			mute = c
		}
	}
	switch {
	case mute != nil && (over || now.Sub(mute.since) >= l.silent):
		return mute
	case over || now.Sub(oldest.since) >= l.patient:
		return oldest
	}
	return nil
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

// proved notes that a request came on its connection that showed whose it is: it may stay as long as it likes from then on. It
// is not ok when who has as many as may stay already; then the connection is to be closed once answered.
func proved(ctx context.Context, who any) (ok bool) {
	c, ok := ctx.Value(connKey{}).(*countedConn)
	if !ok {
		return true
	}
	c.l.mu.Lock()
	defer c.l.mu.Unlock()
	switch {
	case c.shared || c.closed || c.caller != nil:
		return true
	case c.l.callers[who] >= kept:
		return false
	}
	c.l.callers[who]++
	c.caller = who
	c.l.forget(c)
	return true
}

// upgraded notes that a connection of a caller that has shown whose it is became a WebSocket, which others bound.
func upgraded(ctx context.Context) {
	if c, ok := ctx.Value(connKey{}).(*countedConn); ok {
		c.l.mu.Lock()
		c.l.forget(c)
		c.l.release(c)
		c.l.mu.Unlock()
	}
}

// release counts a connection no more among those of its caller. The caller of it holds mu.
func (l *Listener) release(c *countedConn) {
	if c.caller == nil {
		return
	}
	if l.callers[c.caller]--; l.callers[c.caller] == 0 {
		delete(l.callers, c.caller)
	}
	c.caller = nil
}

type countedConn struct {
	net.Conn
	l    *Listener
	once sync.Once

	network netip.Prefix // whose places are counted
	address netip.Prefix // within it
	shared  bool         // a proxy's: of anybody
	since   time.Time
	spoke   atomic.Bool // a byte came
	// Guarded by l.mu: in l.networks, or nil; in l.callers, or nil; no more to be counted anywhere.
	place  *list.Element
	caller any
	closed bool
}

func (c *countedConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.l.m.received.Add(float64(n))
	if n > 0 && !c.spoke.Load() {
		c.spoke.Store(true)
	}
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
		c.l.release(c)
		c.closed = true
		c.l.mu.Unlock()
		c.l.open.Add(-1)
		c.l.m.sockets.Dec()
	})
	return c.Conn.Close()
}
