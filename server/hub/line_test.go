package hub

import (
	"io"
	"net"
	"testing"
	"time"
)

// TestAPongCutsNoFlush: a device that reads slowly and pings meanwhile gets all that was held back for it, whether the ping
// comes before that is flushed or while.
func TestAPongCutsNoFlush(t *testing.T) {
	const soon = 30 * time.Millisecond
	for _, before := range []bool{true, false} {
		near, far := net.Pipe()
		l := &line{Conn: near}
		l.hold()
		l.SetWriteDeadline(time.Now().Add(time.Minute)) //nolint:errcheck // the write says it
		if _, err := l.Write([]byte("a message")); err != nil {
			t.Fatal(err)
		}
		pong := func() { l.SetWriteDeadline(time.Now().Add(soon)) } //nolint:errcheck // as websocket.Conn.WriteControl does
		if before {
			pong()
		}
		flushed := make(chan error, 1)
		go func() { flushed <- l.flush(time.Now().Add(time.Minute)) }()
		b := make([]byte, 9)
		if _, err := io.ReadFull(far, b[:1]); err != nil { // it has begun
			t.Fatal(err)
		}
		if !before {
			pong()
		}
		time.Sleep(2 * soon)
		if _, err := io.ReadFull(far, b[1:]); err != nil || string(b) != "a message" {
			t.Errorf("%q, %v", b, err)
		}
		if err := <-flushed; err != nil {
			t.Errorf("ping before the flush %v: %v", before, err)
		}
		if pong(); !l.deadline.Before(time.Now().Add(time.Second)) {
			t.Error("nothing is flushed, and a deadline does not count")
		}
		near.Close()
		far.Close()
	}
}
