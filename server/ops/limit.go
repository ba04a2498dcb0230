package ops

import (
	"container/list"
	"fmt"
	"math"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"trio/crdt"
	"trio/crdt/wire"
	"trio/server/store"
)

// Rate is how often something may happen: PerSecond in the long run, Burst at once.
type Rate struct {
	PerSecond float64
	Burst     int
}

// Limits of a server towards its callers. Zero fields have the defaults stated behind them.
type Limits struct {
	// Strangers bounds the requests without a valid token or key of one address (of one /64 in IPv6). A valid token always
	// passes: many phones stand behind one address. 5/s, burst 100. An IPv6 /48 has 10 times as much, a /32 100 times.
	Strangers Rate
	// Device bounds the requests of one device, connecting included: 1/s, burst 60.
	Device Rate
	// Company bounds the feed requests of one company: 20/s, burst 100. A request that comes early waits up to MaxPace for
	// its turn; only then is it refused.
	Company Rate
	// Changes bounds the changes that one device pushes: 500/s, burst 20,000. CompanyChanges bounds those of all devices of
	// a company that are connected to this node: 20,000/s, burst 200,000. Who pushes faster is read more slowly; nothing is
	// refused. A burst is at least wire.MaxChanges.
	Changes, CompanyChanges Rate
	// Unknown is how many connections a network (an IPv4 /24, an IPv6 /48) may have that have not yet shown a valid token or
	// key: 256. Beyond, one of an address (an IPv6 /64) that has more than an eighth of them gives way to one that has less;
	// else the oldest that has sent nothing for 300 ms, or has had 3 s to show one; else the new one is closed.
	Unknown int
	// Member is how many connections one member's devices may have at a time; the oldest gives way: 32.
	Member int
}

// MaxPace is how long a feed request waits for its turn before it is refused.
const MaxPace = 5 * time.Second

// maxCallers bounds the callers of each kind that are remembered, about 8 MB a kind; the one that was quiet longest is
// forgotten first. Strangers can be any number, and would be new ones each time: who finds no place shares one bucket.
const maxCallers = 1 << 15

// The limits as metrics and logs name them.
const (
	limitConnections = "connections"
	limitStrangers   = "strangers"
	limitDevice      = "device"
	limitCompany     = "company"
	limitBody        = "body"
)

// Default fills zero fields in.
func (l Limits) Default() Limits {
	fill := func(r *Rate, perSecond float64, burst int) {
		if r.PerSecond == 0 {
			r.PerSecond = perSecond
		}
		if r.Burst == 0 {
			r.Burst = burst
		}
	}
	fill(&l.Strangers, 5, 100)
	fill(&l.Device, 1, 60)
	fill(&l.Company, 20, 100)
	fill(&l.Changes, 500, 20_000)
	fill(&l.CompanyChanges, 20_000, 200_000)
	l.Changes.Burst = max(l.Changes.Burst, wire.MaxChanges)
	l.CompanyChanges.Burst = max(l.CompanyChanges.Burst, wire.MaxChanges)
	if l.Unknown == 0 {
		l.Unknown = 256
	}
	if l.Member == 0 {
		l.Member = 32
	}
	return l
}

// limiter holds a token bucket for each caller of one kind.
type limiter[K comparable] struct {
	rate Rate
	max  int
	rest *rate.Limiter // of all that find no place; nil: there always is one, another caller's

	turns   sync.Mutex // held while a turn is looked for and taken; see ahead
	mu      sync.Mutex
	callers map[K]*list.Element
	recent  *list.List // of *caller[K]; the one that came last in front
}

type caller[K comparable] struct {
	key    K
	bucket *rate.Limiter
}

func newLimiter[K comparable](r Rate) *limiter[K] {
	return &limiter[K]{rate: r, max: maxCallers, callers: map[K]*list.Element{}, recent: list.New()}
}

func (l *limiter[K]) bucket(k K, now time.Time) *rate.Limiter {
	l.mu.Lock()
	defer l.mu.Unlock()
	if e, ok := l.callers[k]; ok {
		l.recent.MoveToFront(e)
		return e.Value.(*caller[K]).bucket
	}
	if l.recent.Len() >= l.max {
		last := l.recent.Back()
		if b := last.Value.(*caller[K]).bucket; l.rest != nil && b.TokensAt(now) < float64(l.rate.Burst) {
			return l.rest // to forget this one would give it its turns back
		}
		delete(l.callers, last.Value.(*caller[K]).key)
		l.recent.Remove(last)
	}
	c := &caller[K]{k, rate.NewLimiter(rate.Limit(l.rate.PerSecond), l.rate.Burst)}
	l.callers[k] = l.recent.PushFront(c)
	return c.bucket
}

// ahead is how long n turns of a bucket are away. Who finds them too far away takes none: turns that are taken and given back are
// lost in part when others were taken in between, and of many callers at once few would get what all of them may have.
func ahead(b *rate.Limiter, now time.Time, n int) time.Duration {
	missing := float64(n) - b.TokensAt(now)
	if missing <= 0 {
		return 0
	}
	return time.Duration(missing / float64(b.Limit()) * float64(time.Second))
}

// take takes one turn of a caller that must come within pace of now. It returns how long to wait for the turn; not ok, it
// took none, and the wait is until it makes sense to come back.
func (l *limiter[K]) take(k K, now time.Time, pace time.Duration) (wait time.Duration, ok bool) {
	b := l.bucket(k, now)
	l.turns.Lock()
	defer l.turns.Unlock()
	if wait = ahead(b, now, 1); wait > pace {
		return wait, false
	}
	return b.ReserveN(now, 1).DelayFrom(now), true
}

// strangers holds the buckets of callers without a token: of each network, and of the larger ones that it is in, as
// whoever has a /48 has 65,536 networks.
type strangers [3]*limiter[netip.Prefix]

// wider are the IPv6 networks whose strangers are counted together, the widest first, and how much more they may than one.
var wider = [...]struct{ bits, times int }{{32, 100}, {48, 10}, {64, 1}}

func newStrangers(r Rate) (s strangers) {
	for i, n := range wider {
		s[i] = newLimiter[netip.Prefix](Rate{r.PerSecond * float64(n.times), r.Burst * n.times})
		s[i].rest = rate.NewLimiter(rate.Limit(s[i].rate.PerSecond), s[i].rate.Burst)
	}
	return s
}

// take takes one turn of a stranger, and of all networks that it is in, or none. Wide networks go first: who is refused
// there takes no place among the narrow ones.
func (s *strangers) take(a netip.Addr, now time.Time) (wait time.Duration, ok bool) {
	turns := &s[0].turns // of all three
	turns.Lock()
	defer turns.Unlock()
	var all []*rate.Limiter
	for i, n := range wider {
		p := network(a)
		if n.bits < 64 {
			if !a.Is6() {
				continue
			}
			p, _ = a.Prefix(n.bits)
		}
		b := s[i].bucket(p, now)
		if wait := ahead(b, now, 1); wait > 0 {
			return wait, false
		}
		all = append(all, b)
	}
	for _, b := range all {
		b.AllowN(now, 1)
	}
	return 0, true
}

// maxAhead is how far ahead of its time a turn to push is given out: the next device to ask waits at most about as long
// once the rush is over.
const maxAhead = 10 * time.Second

// Pacer gives out turns to devices that push, so that neither one device nor one company has the store for itself.
type Pacer struct {
	turns     sync.Mutex // held while a turn is looked for and taken; see ahead
	devices   *limiter[crdt.DeviceID]
	companies *limiter[store.Tenant]
}

// NewPacer returns a pacer of one node.
func NewPacer(l Limits) *Pacer {
	l = l.Default()
	return &Pacer{devices: newLimiter[crdt.DeviceID](l.Changes), companies: newLimiter[store.Tenant](l.CompanyChanges)}
}

// Turn takes a turn for changes that a device has pushed, wire.MaxChanges at most, and returns how long nothing more is to
// be read from it. Not ok, it took none, and is to be asked again after the wait.
func (p *Pacer) Turn(dev store.Device, changes int) (wait time.Duration, ok bool) {
	now := time.Now()
	d, c := p.devices.bucket(dev.ID, now), p.companies.bucket(dev.Tenant, now)
	p.turns.Lock()
	defer p.turns.Unlock()
	if wait = max(ahead(d, now, changes), ahead(c, now, changes)); wait > maxAhead {
		return min(wait-maxAhead, maxAhead), false
	}
	return max(d.ReserveN(now, changes).DelayFrom(now), c.ReserveN(now, changes).DelayFrom(now)), true
}

// retryAfter is a wait as Retry-After states it: whole seconds, at least one.
func retryAfter(wait time.Duration) string {
	return fmt.Sprintf("%.0f", max(1, math.Ceil(wait.Seconds())))
}

// network is what the limits of strangers count as one caller: an IPv4 address, or an IPv6 network of one customer.
func network(a netip.Addr) netip.Prefix {
	bits := 32
	if a.Is6() {
		bits = 64
	}
	p, _ := a.Prefix(bits) // of an invalid address: all of them together
	return p
}
