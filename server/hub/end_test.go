package hub_test

import (
	"context"
	"math/rand/v2"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"trio/crdt"
	"trio/crdt/wire"
	"trio/server/hub"
	"trio/server/store"
	"trio/server/store/storetest"
)

// endless answers what comes after a change when nobody waits any more.
type endless struct {
	*store.SQLite
	asked chan struct{}
	under atomic.Int32
}

func (s *endless) Since(ctx context.Context, _ crdt.MemberID, _ uint64, _, _ int) (store.Page, error) {
	s.under.Add(1)
	defer s.under.Add(-1)
	close(s.asked)
	<-ctx.Done()
	return store.Page{}, ctx.Err()
}

// A device that has gone while it was being read for is no failure, and nothing is read for it once the hub is shut down: the
// store may be closed then.
func TestNothingIsReadAfterShutdown(t *testing.T) {
	st := &endless{asked: make(chan struct{})}
	s := newServed(t, hub.Config{Store: st})
	a := storetest.NewAuthor(s.dev, 1, rand.New(rand.NewPCG(1, 1)))
	if _, err := s.st.Append(t.Context(), s.dev.Member, []store.Item{a.Tap(1)}); err != nil {
		t.Fatal(err)
	}
	ws := s.dial()
	s.say(ws, &wire.Hello{Version: wire.Version, Member: s.dev.Member, Device: s.dev.ID})
	s.hear(ws)
	<-st.asked
	ws.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond) // within which the hub sees that the device has gone
	defer cancel()
	if err := s.hub.Shutdown(ctx); err == nil {
		t.Error("shut down in time, with a read under way that does not end")
	}
	if n := st.under.Load(); n != 0 {
		t.Errorf("%d reads under way after Shutdown", n)
	}
	if log := s.logs.String(); strings.Contains(log, "refused") {
		t.Errorf("logged: %s", log)
	}
}
