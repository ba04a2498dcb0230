package notice

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"

	"trio/crdt"
	"trio/crdt/wire"
	"trio/ranking"
	"trio/server/learn"
	"trio/server/notice/webpush"
	"trio/server/store"
)

// Store is what a Service asks of storage; see store.Store, store.Notices, store.Playbooks and store.Nodes.
type Store interface {
	Head(ctx context.Context, m crdt.MemberID) (wire.Receipt, error)
	Since(ctx context.Context, m crdt.MemberID, after uint64, limit, maxBytes int) (store.Page, error)
	PlaybookOf(ctx context.Context, t store.Tenant, version uint32) (store.Playbook, error)
	PlaybookHeads(ctx context.Context, ts []store.Tenant) (map[store.Tenant]store.PlaybookHead, error)
	store.Notices
	store.Nodes
}

// Config of a Service. Zero fields have the defaults stated behind them.
type Config struct {
	Store   Store
	Subject string // where push services may write to the operator: "mailto:…" or "https://…"; needed
	Hosts   Hosts  // DefaultHosts, on the internet
	Log     *slog.Logger
	Now     func() time.Time // time.Now
	// Connected says whether a device syncs with this process now: it is told by its own app. Nil: none does.
	Connected func(crdt.MemberID, crdt.DeviceID) bool
	// Count is told what became of each notice to a device: its Kind and one of Outcomes. Nil: nobody is.
	Count func(kind, outcome string)
	// Rest is called after a member's documents were read for the notice of the day, or all who are subscribed, with the time that it took. Nil: a
	// quarter of the time is worked at most.
	Rest      func(ctx context.Context, worked time.Duration) error
	Tick      time.Duration   // 15 s between two looks for whom it is time
	Backoff   time.Duration   // 2 s, then 8 s, then 32 s and more, before what failed is tried again
	Transport *http.Transport // http.DefaultTransport: whose TLS settings are taken
}

// CheckSubject says what is wrong with a Subject, "" for nothing.
func CheckSubject(s string) string {
	for _, c := range []byte(s) {
		if c <= ' ' || c >= 0x7f {
			return "want mailto:somebody@example.com or https://example.com"
		}
	}
	if rest, ok := strings.CutPrefix(s, "mailto:"); ok && strings.Contains(rest, "@") {
		return ""
	}
	if rest, ok := strings.CutPrefix(s, "https://"); ok && rest != "" {
		return ""
	}
	return "want mailto:somebody@example.com or https://example.com"
}

// MaxIgnored is how many notices of the day come one after the other upon which a member logs nothing: then they stop, until
// something is logged again.
const MaxIgnored = 3

const (
	lead      = 45 * time.Minute       // before a member's hour the documents are read, one member after the other
	window    = 3 * time.Hour          // after it the notice of the day still comes, when something was late or there were quiet hours
	grace     = 30 * time.Second       // for a device that is connected to show an alert by itself: its app may be asleep
	gap       = time.Minute            // between two alerts of one member: what comes meanwhile is told together
	reload    = time.Minute            // between two looks at who is subscribed
	foreign   = 5 * time.Second        // between two looks at all members upon hints that name none
	maxHeads  = 500                    // members in one question for heads
	newsLimit = 1000                   // changes that are read at a time
	long      = 250 * time.Millisecond // to read a member's documents for an alert, or who is subscribed, as no person's takes
	spell     = 20                     // times as long as that took until they are read again
	furthest  = 72 * time.Hour         // that a reminder is ahead; one that is further was set by a clock that was
)

// watched is a member with a subscription.
type watched struct {
	reminder store.Reminder // as last read
	seq      uint64         // of the member's order was looked at for what systems brought
	told     time.Time      // the last alert
	tired    time.Time      // whose documents took long to read are not read again before
	kept     bool           // in the last look at who is subscribed
}

// ready is what was read of a member before its hour.
type ready struct {
	*news
	next time.Time // of the reminder that it is for
}

// Service gives notices. Its methods may be called from many goroutines.
type Service struct {
	cfg    Config
	client *http.Client
	queue  queue

	mu      sync.Mutex
	pair    *webpush.Key
	books   map[store.Tenant]held
	members map[crdt.MemberID]*watched
	hinted  map[crdt.MemberID]struct{}
	all     bool // a hint that names nobody
	again   map[crdt.MemberID]recheck
	ready   map[crdt.MemberID]ready // of the daily loop alone
	wake    chan struct{}
	renew   bool // who is subscribed is to be read now
	swept   time.Time
	loaded  time.Time
}

// recheck says when a member's alerts are to be looked at again; all: who was connected then is told now.
type recheck struct {
	at  time.Time
	all bool
}

// held is a company's playbook.
type held struct {
	version uint32
	pb      *ranking.Playbook
}

// New returns a service, which does nothing until Run. A Subject or a host that is none is an error.
func New(cfg Config) (*Service, error) {
	if bad := CheckSubject(cfg.Subject); bad != "" {
		return nil, errors.New("the subject of notices: " + bad)
	}
	for _, h := range cfg.Hosts.Names {
		if bad := CheckHost(h); bad != "" {
			return nil, errors.New("a host of push services: " + bad)
		}
	}
	if cfg.Log == nil {
		cfg.Log = slog.Default()
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Connected == nil {
		cfg.Connected = func(crdt.MemberID, crdt.DeviceID) bool { return false }
	}
	if cfg.Count == nil {
		cfg.Count = func(string, string) {}
	}
	if cfg.Rest == nil {
		cfg.Rest = learn.Gently(4)
	}
	if cfg.Tick == 0 {
		cfg.Tick = 15 * time.Second
	}
	if cfg.Backoff == 0 {
		cfg.Backoff = 2 * time.Second
	}
	if cfg.Transport == nil {
		cfg.Transport = http.DefaultTransport.(*http.Transport)
	}
	return &Service{
		cfg: cfg, client: newClient(&cfg.Hosts, cfg.Transport), queue: queue{of: make([]int, len(cfg.Hosts.names())), jobs: lines(len(cfg.Hosts.names()))}, books: map[store.Tenant]held{},
		members: map[crdt.MemberID]*watched{}, hinted: map[crdt.MemberID]struct{}{}, again: map[crdt.MemberID]recheck{},
		ready: map[crdt.MemberID]ready{}, wake: make(chan struct{}, 1),
	}, nil
}

// Run gives notices until ctx ends; what waits to be sent then is lost.
func (s *Service) Run(ctx context.Context) {
	for s.cfg.Store.Watch(ctx, s.hint) != nil {
		if !s.sleep(ctx, nil) {
			return
		}
	}
	var wg sync.WaitGroup
	for _, jobs := range s.queue.jobs {
		for range senders {
			wg.Go(func() { s.send(ctx, jobs) })
		}
	}
	wg.Go(func() {
		for s.sleep(ctx, nil) {
			s.daily(ctx)
		}
	})
	for ok := true; ok; ok = s.sleep(ctx, s.wake) {
		s.listen(ctx)
	}
	wg.Wait()
	s.queue.mu.Lock()
	s.queue.stopped = true
	s.queue.mu.Unlock()
}

// sleep waits for a tick, or to be woken; false: ctx has ended.
func (s *Service) sleep(ctx context.Context, wake <-chan struct{}) bool {
	t := time.NewTimer(s.cfg.Tick)
	defer t.Stop()
	select {
	case <-t.C:
	case <-wake:
	case <-ctx.Done():
	}
	return ctx.Err() == nil
}

// Waiting returns how many notices wait to be sent.
func (s *Service) Waiting() int { return s.queue.len() }

// Members returns how many members are subscribed, as far as this process knows.
func (s *Service) Members() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.members)
}

// key returns the key pair, which the store keeps.
func (s *Service) key(ctx context.Context) (webpush.Key, error) {
	s.mu.Lock()
	pair := s.pair
	s.mu.Unlock()
	if pair != nil {
		return *pair, nil
	}
	k, err := webpush.NewKey()
	if err != nil {
		return k, err
	}
	offer, err := k.Bytes()
	if err != nil {
		return k, err
	}
	kept, err := s.cfg.Store.WebPushKey(ctx, offer)
	if err == nil {
		k, err = webpush.ParseKey(kept)
	}
	if err == nil {
		s.mu.Lock()
		s.pair = &k
		s.mu.Unlock()
	}
	return k, err
}

// hint is told what was committed; it must not wait.
func (s *Service) hint(h store.Hint) {
	s.mu.Lock()
	_, ours := s.members[h.Member]
	switch {
	case h.All:
		s.all = true
	case ours && (h.Head > 0 || !h.People):
		s.hinted[h.Member] = struct{}{}
	default:
		s.mu.Unlock()
		return
	}
	s.mu.Unlock()
	s.poke()
}

func (s *Service) poke() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// listen looks at what was committed, by this process or others, and at what waited for its time.
func (s *Service) listen(ctx context.Context) {
	now := s.cfg.Now()
	s.mu.Lock()
	renew := s.renew
	s.renew = false
	s.mu.Unlock()
	if renew || now.Sub(s.loaded) >= reload || now.Before(s.loaded) {
		began := time.Now()
		if err := s.load(ctx); err != nil {
			s.failed(ctx, "subscriptions not read", err)
			return
		}
		s.loaded = now
		if took := time.Since(began); took > long && s.cfg.Rest(ctx, took) != nil { // a device that subscribes all the time has it read as often
			return
		}
	}
	s.mu.Lock()
	var look []crdt.MemberID
	for m := range s.hinted {
		look = append(look, m)
	}
	clear(s.hinted)
	sweep := s.all && (now.Sub(s.swept) >= foreign || now.Before(s.swept))
	if sweep {
		s.all, s.swept = false, now
	}
	due := map[crdt.MemberID]bool{}
	for m, r := range s.again {
		if !r.at.After(now) {
			due[m] = r.all
			delete(s.again, m)
		}
	}
	s.mu.Unlock()
	if sweep {
		more, err := s.behind(ctx)
		if err != nil {
			s.failed(ctx, "heads not read", err)
		}
		look = append(look, more...)
	}
	for _, m := range look {
		if ctx.Err() != nil {
			return
		}
		brought, err := s.read(ctx, m)
		if err != nil {
			s.failed(ctx, "changes not looked at", err)
			continue
		}
		if _, again := due[m]; brought && !again {
			due[m] = false
		}
	}
	for m, all := range due {
		if err := s.alert(ctx, m, all); err != nil {
			s.failed(ctx, "alerts not looked at", err)
		}
	}
}

func (s *Service) failed(ctx context.Context, what string, err error) {
	if ctx.Err() == nil && !errors.Is(err, store.ErrClosed) {
		s.cfg.Log.Error(what, "err", err)
	}
}

// load reads who is subscribed. Of whoever is new only what comes from now on is looked at.
func (s *Service) load(ctx context.Context) error {
	fresh := map[crdt.MemberID]*watched{}
	s.mu.Lock()
	for _, w := range s.members {
		w.kept = false
	}
	s.mu.Unlock()
	const ever = 1 << 42 // ms since 1970: the year 2109
	for after := (store.Reminder{}); ; {
		page, err := s.cfg.Store.Reminders(ctx, time.UnixMilli(ever), after, store.MaxRemindersPage)
		if errors.Is(err, store.ErrNotFound) || err == nil && len(page) == 0 {
			break
		}
		if err != nil {
			return err
		}
		after = page[len(page)-1]
		for i := range page {
			if page[i].Next.Sub(s.cfg.Now()) > furthest {
				if err := s.nearer(ctx, &page[i]); err != nil {
					return err
				}
			}
		}
		s.mu.Lock()
		for _, r := range page {
			if w := s.members[r.Member]; w != nil {
				w.reminder, w.kept = r, true
			} else {
				fresh[r.Member] = &watched{reminder: r, kept: true}
			}
		}
		s.mu.Unlock()
	}
	err := s.heads(ctx, keys(fresh), func(m crdt.MemberID, head uint64) { fresh[m].seq = head })
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for m, w := range s.members {
		if !w.kept {
			delete(s.members, m)
			delete(s.again, m)
		}
	}
	for m, w := range fresh {
		s.members[m] = w
	}
	return nil
}

func keys[V any](of map[crdt.MemberID]V) []crdt.MemberID {
	all := make([]crdt.MemberID, 0, len(of))
	for m := range of {
		all = append(all, m)
	}
	return all
}

func (s *Service) heads(ctx context.Context, of []crdt.MemberID, f func(crdt.MemberID, uint64)) error {
	for len(of) > 0 {
		n := min(len(of), maxHeads)
		heads, err := s.cfg.Store.Heads(ctx, of[:n])
		if err != nil {
			return err
		}
		for m, h := range heads {
			f(m, h)
		}
		of = of[n:]
	}
	return nil
}

// behind returns the members of whom something was committed that was not looked at.
func (s *Service) behind(ctx context.Context) (list []crdt.MemberID, err error) {
	s.mu.Lock()
	seqs := make(map[crdt.MemberID]uint64, len(s.members))
	for m, w := range s.members {
		seqs[m] = w.seq
	}
	s.mu.Unlock()
	err = s.heads(ctx, keys(seqs), func(m crdt.MemberID, head uint64) {
		if head > seqs[m] {
			list = append(list, m)
		}
	})
	return list, err
}

// read looks at the changes of a member that are new: whether systems brought something that may be news. A change of the
// profile has the member's hour be looked up again.
func (s *Service) read(ctx context.Context, m crdt.MemberID) (brought bool, err error) {
	s.mu.Lock()
	w := s.members[m]
	var seq uint64
	if w != nil {
		seq = w.seq
	}
	s.mu.Unlock()
	if w == nil {
		return false, nil
	}
	profile := false
	for {
		page, err := s.cfg.Store.Since(ctx, m, seq, newsLimit, 0)
		if err != nil {
			return false, err
		}
		if page.At.Seq <= seq {
			break
		}
		seq = page.At.Seq
		p, b := scan(&page, s.cfg.Now().Add(-maxNews))
		profile, brought = profile || p, brought || b
		if !page.More {
			break
		}
	}
	s.mu.Lock()
	w.seq = max(w.seq, seq)
	r := w.reminder
	s.mu.Unlock()
	if profile {
		err = s.lookUp(ctx, m, r)
	}
	return brought, err
}

// lookUp has a member's hour be looked up again. r is the reminder as it was last seen: another process may have set it since.
func (s *Service) lookUp(ctx context.Context, m crdt.MemberID, r store.Reminder) error {
	for range 2 {
		was := r.Next
		if was.IsZero() {
			return nil
		}
		r.Next = time.Time{}
		ok, err := s.cfg.Store.SetReminder(ctx, r, was)
		if err != nil {
			return err
		}
		if ok {
			s.noted(r)
			return nil
		}
		if err := s.load(ctx); err != nil {
			return err
		}
		s.mu.Lock()
		w := s.members[m]
		if w == nil {
			s.mu.Unlock()
			return nil
		}
		r = w.reminder
		s.mu.Unlock()
	}
	return nil // whoever sets it all the time looks at it too
}

// nearer has a reminder looked at now that a clock set which was ahead; if another process has set it meanwhile, it is as that one says.
func (s *Service) nearer(ctx context.Context, r *store.Reminder) error {
	n := *r
	n.Next = time.Time{}
	ok, err := s.cfg.Store.SetReminder(ctx, n, r.Next)
	if ok {
		*r = n
	}
	return err
}

// noted keeps a reminder that was set.
func (s *Service) noted(r store.Reminder) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if w := s.members[r.Member]; w != nil {
		w.reminder = r
	}
}

// alert tells a member of what systems brought, if there is a step to take, each device once. A device that syncs with this process
// now shows it by itself, and is told only when it has not done so a little later (all): its app may be asleep.
func (s *Service) alert(ctx context.Context, m crdt.MemberID, all bool) error {
	now := s.cfg.Now()
	s.mu.Lock()
	w := s.members[m]
	if w == nil {
		s.mu.Unlock()
		return nil
	}
	for _, next := range []time.Time{w.told.Add(gap), w.tired} {
		if now.Before(next) && next.Sub(now) <= time.Hour { // else the clock was ahead
			s.later(m, recheck{next, all})
			s.mu.Unlock()
			return nil
		}
	}
	tenant := w.reminder.Tenant
	s.mu.Unlock()
	to, err := s.cfg.Store.Subscriptions(ctx, m)
	if err != nil || len(to) == 0 {
		return err
	}
	began := time.Now()
	x, err := s.look(ctx, m, tenant, now)
	if took := time.Since(began); took > long {
		s.mu.Lock()
		w.tired = now.Add(spell * took)
		s.mu.Unlock()
	}
	if err != nil {
		return err
	}
	if !x.asleep.IsZero() {
		s.mu.Lock()
		s.later(m, recheck{x.asleep, false})
		s.mu.Unlock()
	}
	n, ok := newAlert(x.alerts)
	if !ok {
		return nil
	}
	for _, sub := range to {
		if !all && s.cfg.Connected(m, sub.Device) {
			s.mu.Lock()
			s.later(m, recheck{now.Add(grace), true})
			s.mu.Unlock()
			continue
		}
		fresh := false
		for _, a := range x.alerts {
			ok, err := s.cfg.Store.ClaimNotice(ctx, m, sub.Device.String()+" "+a.Key, time.UnixMilli(a.Until))
			if err != nil {
				return err
			}
			fresh = fresh || ok
		}
		if fresh {
			s.mu.Lock()
			w.told = now
			s.mu.Unlock()
			s.give([]store.Subscription{sub}, n)
		}
	}
	return nil
}

// later has a member's alerts be looked at again; the caller holds mu.
func (s *Service) later(m crdt.MemberID, r recheck) {
	if was, ok := s.again[m]; ok {
		r.all = r.all || was.all
		if was.at.Before(r.at) {
			r.at = was.at
		}
	}
	s.again[m] = r
}

// give has devices be sent a notice.
func (s *Service) give(to []store.Subscription, n Notice) {
	for _, sub := range to {
		if !s.queue.put(&job{sub: sub, notice: n, service: s.cfg.Hosts.service(sub.Endpoint)}) {
			s.cfg.Count(string(n.kind), Dropped)
		}
	}
}
