package replica

import (
	"sync"
	"time"
)

// SyncState is what a screen says about the connection.
type SyncState struct {
	Connected bool
	Level     bool      // all that the server had at the welcome is here, and nothing is unsent
	Since     time.Time // of the state
	Err       error     // why the last connection ended; nil while connected
	Final     bool      // Err says not to come back: the person has to do something
}

// connection is how a Syncer's connection stands, for whoever asks while it runs.
type connection struct {
	r *Replica

	mu    sync.Mutex
	state SyncState
}

// State returns what a screen says about the connection.
func (c *connection) State() SyncState {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.state
}

func (c *connection) set(st SyncState) {
	st.Since = time.Now()
	c.mu.Lock()
	c.state = st
	c.mu.Unlock()
	c.r.changed()
}
