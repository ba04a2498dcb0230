package repo

import (
	"testing"
	"time"
)

// TestJoinedWhileASessionWorks: to make room for another connection the door asks who has joined, and holds its own lock
// meanwhile; it has its answer while a session works on something long.
func TestJoinedWhileASessionWorks(t *testing.T) {
	p := newPlace(t)
	c := p.client("a")
	s := NewSession(SessionConfig{})
	for _, x := range []struct {
		s    *Session
		want bool
	}{{c.Session, true}, {s, false}} {
		x.s.mu.Lock() // as while an answer is made
		said := make(chan bool, 1)
		go func() { said <- x.s.Joined() }()
		select {
		case got := <-said:
			if got != x.want {
				t.Errorf("joined is %v, want %v", got, x.want)
			}
		case <-time.After(30 * time.Second):
			t.Error("the door waits for a session that works")
		}
		x.s.mu.Unlock()
	}
}
