// Package livetest has connections without a network, for tests on a clock that stands still while anybody works
// (testing/synctest), which a goroutine that waits for a real socket would stop.
package livetest

import (
	"context"
	"errors"
	"net"
	"sync"
)

// Pipes is a listener whose connections are in memory. They have no buffer: a peer that does not read holds its writer up at
// once.
type Pipes struct {
	conns chan net.Conn
	ended chan struct{}
	once  sync.Once
}

// NewPipes returns a listener that ends with Close.
func NewPipes() *Pipes { return &Pipes{conns: make(chan net.Conn), ended: make(chan struct{})} }

// Accept returns the server's end of the next connection, or net.ErrClosed.
func (p *Pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.ended:
		return nil, net.ErrClosed
	}
}

// Close has nobody listen any more. Connections stay.
func (p *Pipes) Close() error {
	p.once.Do(func() { close(p.ended) })
	return nil
}

// Addr is nowhere.
func (p *Pipes) Addr() net.Addr { return &net.TCPAddr{} }

// Dial returns the client's end of a new connection, whatever network and address it is asked for.
func (p *Pipes) Dial(ctx context.Context, _, _ string) (net.Conn, error) {
	c, s := net.Pipe()
	select {
	case p.conns <- s:
		return c, nil
	case <-p.ended:
		return nil, errors.New("nobody listens")
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}
