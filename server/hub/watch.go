package hub

import (
	"context"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"trio/crdt"
	"trio/server/store"
)

const (
	// headsPage is how many members one question for heads is about.
	headsPage = 500
	// lookPause is the least time between two times that everybody is looked up, which costs a read each.
	lookPause = 10 * time.Second
)

// hint takes a hint of the store. It waits for nothing: what concerns nobody here is dropped, the rest is kept, once for a
// member, until attend comes to it.
func (h *Hub) hint(x store.Hint) {
	if x.Playbook != 0 {
		h.published(x.Playbook)
		return
	}
	h.mu.Lock()
	if x.All {
		h.all = true
	} else {
		if len(h.conns[x.Member]) == 0 {
			h.mu.Unlock()
			return
		}
		old := h.hints[x.Member]
		x.Head, x.People = max(x.Head, old.Head), x.People || old.People
		h.hints[x.Member] = x
	}
	h.mu.Unlock()
	select {
	case h.hinted <- struct{}{}:
	default:
	}
}

// attend wakes connections for what was committed elsewhere: by hints, which may be lost, and by asking now and then.
func (h *Hub) attend() {
	pause := func() time.Duration { return h.cfg.Poll + rand.N(h.cfg.Poll) }
	poll := time.NewTimer(pause())
	defer poll.Stop()
	watching := false
	watch := func() {
		if watching {
			return
		}
		if err := h.cfg.Store.Watch(h.ctx, h.hint); err != nil {
			h.cfg.Log.Warn("no hints from the store: asking it instead", "err", err)
			return
		}
		watching = true
	}
	watch()
	var looked time.Time
	look := false // everybody is to be looked up
	for {
		all := false
		select {
		case <-h.ctx.Done():
			return
		case <-poll.C:
			watch()
			all = true
			poll.Reset(pause())
		case <-h.hinted:
		}
		h.mu.Lock()
		hints := h.hints
		h.hints = make(map[crdt.MemberID]store.Hint, len(hints)/4)
		if h.all {
			all, look = true, true
		}
		h.all = false
		h.mu.Unlock()
		for m, x := range hints {
			if x.Head > 0 || !x.People {
				h.wake(m, x.Head, nil)
			}
			if x.People {
				h.lookUp(h.of(m))
			}
		}
		if all {
			h.published(0)
			h.askHeads()
		}
		if look && time.Since(looked) >= lookPause {
			look, looked = false, time.Now()
			everybody := h.everybody()
			h.tasks.Go(func() { h.lookUp(everybody) })
		}
	}
}

// wake tells a member's connections, but for one, that its order has grown to head; 0 says that it may have grown.
func (h *Hub) wake(m crdt.MemberID, head uint64, but *conn) {
	for _, c := range h.of(m) {
		if c != but && c.session.Wake(head) {
			c.Kick()
		}
	}
}

func (h *Hub) lookUp(list []*conn) {
	for _, c := range list {
		if h.ctx.Err() != nil {
			return
		}
		c.lookUp()
	}
}

// askHeads reads how far the orders of all connected members have come, and wakes the devices that are behind.
func (h *Hub) askHeads() {
	h.mu.Lock()
	ms := make([]crdt.MemberID, 0, len(h.conns))
	for m := range h.conns {
		ms = append(ms, m)
	}
	h.mu.Unlock()
	for page := range slices.Chunk(ms, headsPage) {
		heads, err := h.cfg.Store.Heads(h.ctx, page)
		if err != nil {
			if h.ctx.Err() == nil {
				h.cfg.Log.Warn("heads not read", "err", err)
			}
			return
		}
		for m, head := range heads {
			h.wake(m, head, nil)
		}
	}
}

const (
	// sightBatch is how many sightings are written at once, and maxSightings how many may wait while the store takes none.
	sightBatch, maxSightings = 1000, 1 << 14
	// sightPause is how long the first sighting waits for others; sightRetry the same when the store took none.
	sightPause, sightRetry = time.Second, 10 * time.Second
	// sightEvery is how often connected devices are gone through for what has changed.
	sightEvery = time.Minute
	// sightQuiet is how old the sighting of a connected device of which nothing else changed may get.
	sightQuiet = 10 * time.Minute
)

// sightings are what is to be written of devices.
type sightings struct {
	mu   sync.Mutex
	list map[crdt.DeviceID]store.Sighting
	some chan struct{}
	end  chan struct{} // closed when no more come
	once sync.Once
}

// put adds a sighting; of a device the last one counts.
func (s *sightings) put(x store.Sighting) {
	s.mu.Lock()
	if _, ok := s.list[x.Device]; ok || len(s.list) < maxSightings {
		s.list[x.Device] = x
	}
	s.mu.Unlock()
	s.wake()
}

func (s *sightings) wake() {
	select {
	case s.some <- struct{}{}:
	default:
	}
}

func (s *sightings) take() (batch []store.Sighting) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for d, x := range s.list {
		if len(batch) == sightBatch {
			break
		}
		batch = append(batch, x)
		delete(s.list, d)
	}
	return batch
}

// putBack returns what was not written, unless something newer has come.
func (s *sightings) putBack(batch []store.Sighting) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, x := range batch {
		if _, ok := s.list[x.Device]; !ok && len(s.list) < maxSightings {
			s.list[x.Device] = x
		}
	}
}

func (s *sightings) finish() { s.once.Do(func() { close(s.end) }) }

// noteSightings writes what was seen of devices, many at a time: it is for people to look at, and no push waits for it.
func (h *Hub) noteSightings() {
	every := time.NewTicker(sightEvery)
	defer every.Stop()
	pause := time.Duration(0)
	for ended := false; !ended; {
		select {
		case <-h.sighted.end:
			ended = true
		case <-every.C:
			h.glance()
			continue
		case <-h.sighted.some:
			wait := time.NewTimer(max(sightPause, pause))
			select {
			case <-h.sighted.end:
				ended = true
			case <-wait.C:
			}
			wait.Stop()
		}
		pause = 0
		for {
			batch := h.sighted.take()
			if len(batch) == 0 {
				break
			}
			ctx, cancel := context.WithTimeout(context.WithoutCancel(h.ctx), sightRetry)
			err := h.cfg.Store.Saw(ctx, batch)
			cancel()
			if err != nil {
				h.cfg.Log.Warn("what was seen of devices is not written", "devices", len(batch), "err", err)
				h.sighted.putBack(batch)
				h.sighted.wake()
				pause = sightRetry
				break
			}
		}
	}
}

// glance notes the connected devices of which something has changed.
func (h *Hub) glance() {
	for _, c := range h.everybody() {
		c.sight(sightQuiet)
	}
}
