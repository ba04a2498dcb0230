package store

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"trio/crdt"
)

const (
	// maxHints bounds the members that a watcher is behind by; more become one Hint of All.
	maxHints = 1 << 14
	// lookEvery is how often the committer looks whether another process has committed, while somebody watches.
	lookEvery = time.Second
)

// Watch has f called with hints; see Nodes. It returns as soon as it watches. f is called by a goroutine of its own, which
// the committer never waits for: what f is slow to take is one hint a member, or All. What another process commits, as the
// operator's commands do, shows within a second, as All.
func (s *SQLite) Watch(ctx context.Context, f func(Hint)) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("store: watch: %w", err)
	}
	w := &watcher{wake: make(chan struct{}, 1), hints: map[crdt.MemberID]Hint{}, books: map[Tenant]struct{}{}}
	if !s.watchers.add(w) {
		return fmt.Errorf("store: watch: %w", ErrClosed)
	}
	go func() {
		defer s.watchers.remove(w)
		for {
			select {
			case <-ctx.Done():
				return
			case <-s.closing:
				return
			case <-w.wake:
			}
			for _, h := range w.take() {
				if ctx.Err() != nil {
					return
				}
				f(h)
			}
		}
	}()
	return nil
}

// Heads returns the numbers of the newest changes of members; see Nodes. Each is as new as the call, or newer.
func (s *SQLite) Heads(ctx context.Context, ms []crdt.MemberID) (map[crdt.MemberID]uint64, error) {
	heads := make(map[crdt.MemberID]uint64, len(ms))
	err := s.read(ctx, func(r *reader) error {
		for _, m := range ms {
			if err := ctx.Err(); err != nil {
				return err
			}
			row, err := r.member.row(m[:])
			if err != nil {
				return err
			}
			if row != nil {
				heads[m] = uint64(row[1].(int64))
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("store: heads: %w", err)
	}
	return heads, nil
}

// A watcher holds what is to be told to one caller of Watch.
type watcher struct {
	wake chan struct{}

	mu    sync.Mutex
	hints map[crdt.MemberID]Hint
	books map[Tenant]struct{} // companies with a new playbook
	all   bool                // instead of hints and books
}

// put adds to what is to be told; of a member the newest head is told, and once.
func (w *watcher) put(list []Hint) {
	w.mu.Lock()
	for _, h := range list {
		switch {
		case w.all:
		case h.All || len(w.hints)+len(w.books) == maxHints:
			w.all = true
			clear(w.hints)
			clear(w.books)
		case h.Playbook != 0:
			w.books[h.Playbook] = struct{}{}
		default:
			old := w.hints[h.Member]
			h.Head, h.People = max(h.Head, old.Head), h.People || old.People
			w.hints[h.Member] = h
		}
	}
	w.mu.Unlock()
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

func (w *watcher) take() []Hint {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.all {
		w.all = false
		return []Hint{{All: true}}
	}
	list := make([]Hint, 0, len(w.hints)+len(w.books))
	for _, h := range w.hints {
		list = append(list, h)
	}
	for t := range w.books {
		list = append(list, Hint{Playbook: t})
	}
	clear(w.hints)
	clear(w.books)
	return list
}

// watchers are those who watch.
type watchers struct {
	mu     sync.Mutex
	list   []*watcher
	closed bool
	wg     sync.WaitGroup
}

func (ws *watchers) add(w *watcher) bool {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	if ws.closed {
		return false
	}
	ws.list = append(ws.list, w)
	ws.wg.Add(1)
	return true
}

func (ws *watchers) remove(w *watcher) {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	for i, x := range ws.list {
		if x == w {
			ws.list = append(ws.list[:i:i], ws.list[i+1:]...)
			break
		}
	}
	ws.wg.Done()
}

func (ws *watchers) tell(list ...Hint) {
	if len(list) == 0 {
		return
	}
	ws.mu.Lock()
	defer ws.mu.Unlock()
	for _, w := range ws.list {
		w.put(list)
	}
}

func (ws *watchers) none() bool {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	return len(ws.list) == 0
}

// close waits until all have ended, as they do once the store is closing.
func (ws *watchers) close() {
	ws.mu.Lock()
	ws.closed = true
	ws.mu.Unlock()
	ws.wg.Wait()
}

// hint has those who watch told, once the transaction is committed.
func (w *writer) hint(h Hint) { w.hints = append(w.hints, h) }

// lookAround tells those who watch when another connection has committed. SQLite counts these for each connection.
func (s *SQLite) lookAround(w *writer) {
	if w == nil || s.watchers.none() {
		return
	}
	v, err := w.foreign()
	if err != nil {
		s.log.Warn("looking for what other processes have committed", slog.Any("err", err))
		return
	}
	if v != w.version {
		w.version = v
		s.watchers.tell(Hint{All: true})
	}
}

// foreign returns a number that is another one after another connection has committed.
func (w *writer) foreign() (int64, error) {
	row, err := w.dataVersion.row()
	if err != nil {
		return 0, err
	}
	return row[0].(int64), nil
}
