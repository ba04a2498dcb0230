package hub

import (
	"bufio"
	"net"
	"net/http"
	"sync"
	"time"
)

// line is the network connection below a WebSocket. What is written can be held back for a moment, so that messages which
// follow one another at once leave with one write: a write to a socket costs more than all else that a small message does.
type line struct {
	net.Conn
	mu       sync.Mutex // never held over I/O
	held     *[]byte    // what is held back; nil when nothing is
	flushing int        // writes of what was held back
	deadline time.Time  // for writing
}

// maxHeld is how many bytes are held back at most, but for the last message.
const maxHeld = 16 << 10

var heldBuffers = sync.Pool{New: func() any { return new(make([]byte, 0, 1<<10)) }}

// lined has the connection that a handler takes over be a line.
type lined struct {
	http.ResponseWriter
	line *line
}

func (w *lined) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	c, rw, err := http.NewResponseController(w.ResponseWriter).Hijack()
	if err != nil {
		return nil, nil, err
	}
	w.line = &line{Conn: c}
	return w.line, rw, nil
}

// hold has what is written from now on wait for flush.
func (l *line) hold() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.held == nil {
		l.held = heldBuffers.Get().(*[]byte)
	}
}

// Write writes, or holds back, a copy of b.
func (l *line) Write(b []byte) (int, error) {
	l.mu.Lock()
	if l.held == nil {
		l.mu.Unlock()
		return l.Conn.Write(b)
	}
	*l.held = append(*l.held, b...)
	full := len(*l.held) > maxHeld
	l.mu.Unlock()
	if full {
		return len(b), l.flush(time.Time{})
	}
	return len(b), nil
}

// SetWriteDeadline sets until when writing may take. While there is something held back, or being flushed, it may only take
// longer: a pong that gives up within a second must not cut off what a slow device has begun to read.
func (l *line) SetWriteDeadline(t time.Time) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if (l.held != nil || l.flushing > 0) && t.Before(l.deadline) {
		return nil
	}
	l.deadline = t
	return l.Conn.SetWriteDeadline(t)
}

// flush writes what was held back, if anything, and holds back no more. It may take until deadline, or for the zero time as
// long as was set last.
func (l *line) flush(deadline time.Time) error {
	l.mu.Lock()
	held := l.held
	l.held = nil
	if held == nil {
		l.mu.Unlock()
		return nil
	}
	l.flushing++
	if !deadline.IsZero() {
		l.deadline = deadline
		l.Conn.SetWriteDeadline(deadline) //nolint:errcheck // the write will say it
	}
	l.mu.Unlock()
	_, err := l.Conn.Write(*held)
	l.mu.Lock()
	l.flushing--
	l.mu.Unlock()
	if cap(*held) <= 2*maxHeld {
		*held = (*held)[:0]
		heldBuffers.Put(held)
	}
	return err
}
