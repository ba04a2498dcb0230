package hub

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"trio/crdt/wire"
	"trio/server/store"
)

const (
	// A new playbook goes to bookBatch devices at a time with bookPause between, 2,000 a second: what is pushed meanwhile
	// does not wait behind it.
	bookBatch, bookPause = 20, 10 * time.Millisecond
)

// books are the newest playbooks of companies, each as the frame that all of its devices are sent.
type books struct {
	store Store
	log   *slog.Logger

	mu sync.Mutex
	of map[store.Tenant]*book
}

// book is a company's. Its mutex is held while it is read from the store, once a version: whoever else wants it then waits
// for the same bytes.
type book struct {
	sync.Mutex
	read  bool
	head  store.PlaybookHead
	frame []byte // nil: not made yet
}

func newBooks(st Store, log *slog.Logger) *books {
	return &books{store: st, log: log, of: map[store.Tenant]*book{}}
}

func (b *books) get(t store.Tenant) *book {
	b.mu.Lock()
	defer b.mu.Unlock()
	k := b.of[t]
	if k == nil {
		k = &book{}
		b.of[t] = k
	}
	return k
}

// head returns how far a company's versions went when it was last asked for.
func (b *books) head(ctx context.Context, t store.Tenant) (store.PlaybookHead, error) {
	k := b.get(t)
	k.Lock()
	defer k.Unlock()
	if k.read {
		return k.head, nil
	}
	heads, err := b.store.PlaybookHeads(ctx, []store.Tenant{t})
	if err == nil {
		k.head, k.read = heads[t], true
	}
	return k.head, err
}

// frame returns the company's newest playbook, ready to be sent.
func (b *books) frame(ctx context.Context, t store.Tenant) (version uint32, frame []byte, err error) {
	k := b.get(t)
	k.Lock()
	defer k.Unlock()
	if k.frame != nil {
		return k.head.Version, k.frame, nil
	}
	p, err := b.store.PlaybookOf(ctx, t, 0)
	if err != nil {
		return 0, nil, err
	}
	if k.frame, err = wire.Encode(&wire.Playbook{Version: p.Version, Doc: p.Doc}); err != nil {
		return 0, nil, err
	}
	k.read = true
	k.head.Version, k.head.Hash, k.head.Taken = p.Version, p.Hash, max(k.head.Taken, p.Version)
	return p.Version, k.frame, nil
}

// renew asks for the heads of companies anew. Of those that are not among ts nothing is kept if all is set.
func (b *books) renew(ctx context.Context, ts []store.Tenant, all bool) (map[store.Tenant]store.PlaybookHead, error) {
	heads, err := b.store.PlaybookHeads(ctx, ts)
	if err != nil {
		return nil, err
	}
	if all {
		b.mu.Lock()
		for t := range b.of {
			if _, ok := heads[t]; !ok {
				delete(b.of, t)
			}
		}
		b.mu.Unlock()
	}
	for t, head := range heads {
		k := b.get(t)
		k.Lock()
		if head.Version > k.head.Version {
			k.frame = nil
		}
		if head.Version >= k.head.Version { // else it was read after we asked
			k.head, k.read = head, true
		}
		k.Unlock()
	}
	return heads, nil
}

// held notes that a device holds a version that may be higher than any that is known here, as after a backup was put back:
// that number is not to be given to another playbook. It is noted once; what fails is noted at the next hello.
func (b *books) held(ctx context.Context, t store.Tenant, head store.PlaybookHead, version uint32) {
	if version = head.Counts(version); version <= head.Taken || b.store.TakePlaybook(ctx, t, version) != nil {
		return
	}
	k := b.get(t)
	k.Lock()
	k.head.Taken = max(k.head.Taken, version)
	k.Unlock()
}

// playbookOf notes what a device of protocol 3 holds, and returns the version of the newest playbook.
func (s *Session) playbookOf(ctx context.Context, h *wire.Hello) (newest, has uint32, err error) {
	head, err := s.books.head(ctx, s.dev.Tenant)
	if err != nil {
		return 0, 0, err
	}
	has = h.Playbook.Version
	s.books.held(ctx, s.dev.Tenant, head, has)
	if has > 0 && has == head.Version && h.Playbook.Hash != head.Hash {
		has-- // another one of the same number, as of before a backup was put back
	}
	return head.Version, has, nil
}

// WakePlaybook tells the session which playbook is the company's newest. It reports whether there may be something to send.
func (s *Session) WakePlaybook(version uint32) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.newest = max(s.newest, version)
	return s.streaming && s.newest > s.has
}

// playbook returns the company's playbook if the device needs it, when there is nothing else to be sent: what other devices
// wrote goes before it.
func (s *Session) playbook(ctx context.Context) ([]byte, error) {
	s.mu.Lock()
	needs := s.greeted && s.streaming && s.newest > s.has
	s.mu.Unlock()
	if !needs {
		return nil, nil
	}
	version, frame, err := s.books.frame(ctx, s.dev.Tenant)
	if ctx.Err() != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil { // no reason to keep back what else the device sends and gets: it is tried again when it comes again
		s.books.log.Error("playbook not sent", "conn", s.conn, "company", int64(s.dev.Tenant), "err", err)
		s.has = max(s.has, s.newest)
		return nil, nil
	}
	s.newest = version
	if version <= s.has {
		return nil, nil
	}
	s.has = version
	return frame, nil
}

// published has the playbooks of a company, or of all, looked at and sent to who needs them. It waits for nothing.
func (h *Hub) published(t store.Tenant) {
	h.mu.Lock()
	if t == 0 {
		h.allBooks = true
	} else {
		h.newBooks[t] = struct{}{}
	}
	h.mu.Unlock()
	select {
	case h.spreads <- struct{}{}:
	default:
	}
}

// spread sends playbooks that were published to the devices that are connected, by and by.
func (h *Hub) spread() {
	for {
		select {
		case <-h.ctx.Done():
			return
		case <-h.spreads:
		}
		h.mu.Lock()
		some, all := h.newBooks, h.allBooks
		h.newBooks, h.allBooks = map[store.Tenant]struct{}{}, false
		h.mu.Unlock()
		conns := map[store.Tenant][]*conn{}
		for _, c := range h.everybody() {
			conns[c.session.dev.Tenant] = append(conns[c.session.dev.Tenant], c)
		}
		var ts []store.Tenant
		for t := range conns {
			if _, ok := some[t]; ok || all {
				ts = append(ts, t)
			}
		}
		for t := range some { // nobody of it is here: who comes next asks anew
			if conns[t] == nil {
				h.books.forget(t)
			}
		}
		if len(ts) == 0 && !all {
			continue
		}
		heads, err := h.books.renew(h.ctx, ts, all)
		if err != nil {
			if h.ctx.Err() == nil {
				h.cfg.Log.Warn("playbooks not read", "err", err)
			}
			continue // the next poll asks again
		}
		for t, head := range heads {
			n := 0
			for _, c := range conns[t] {
				if !c.session.WakePlaybook(head.Version) {
					continue
				}
				c.Kick()
				if n++; n%bookBatch == 0 {
					select {
					case <-h.ctx.Done():
						return
					case <-time.After(bookPause):
					}
				}
			}
			if n > 0 {
				h.cfg.Log.Info("playbook sent", "company", int64(t), "version", head.Version, "connections", n)
			}
		}
	}
}

// forget has a company's playbook read anew when it is next asked for.
func (b *books) forget(t store.Tenant) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.of, t)
}
