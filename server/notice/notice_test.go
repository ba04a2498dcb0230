package notice

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"trio/crdt"
	"trio/crdt/automerge"
	"trio/crdt/crdttest"
	"trio/crdt/wire"
	"trio/ranking"
	"trio/ranking/playbook"
	"trio/server/notice/pushtest"
	"trio/server/store"
)

// world is a real store with a member, who has a phone and a laptop, a push service, and services that give notices, each as a process has
// one; their loops are turned by hand.
type world struct {
	testing.TB
	path     string
	st       *store.SQLite
	push     *pushtest.Service
	book     *crdttest.Book
	company  store.Tenant
	member   crdt.MemberID
	phone    store.Device
	laptop   store.Device
	sent     int // items of the book that the store has
	log      bytes.Buffer
	mu       sync.Mutex
	now      time.Time
	online   map[crdt.DeviceID]bool
	outcomes map[string]int
	seen     int // messages that a test has looked at
}

// noon is a Tuesday.
var noon = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)

func newWorld(t testing.TB, seed uint64) *world {
	w := &world{TB: t, path: filepath.Join(t.TempDir(), "s.db"), now: noon, online: map[crdt.DeviceID]bool{}, outcomes: map[string]int{}}
	w.push = pushtest.New()
	t.Cleanup(w.push.Close)
	w.st = w.open()
	var err error
	w.company, err = w.st.CreateTenant(t.Context(), "A")
	w.ok(err)
	w.member, err = w.st.CreateMember(t.Context(), store.Member{Tenant: w.company, Name: "Maya"})
	w.ok(err)
	w.book = crdttest.NewBook(w, seed, 0)
	for i, d := range []*store.Device{&w.phone, &w.laptop} {
		*d, _, err = w.st.CreateDevice(t.Context(), w.member, []string{"phone", "laptop"}[i])
		w.ok(err)
		w.book.Devices = append(w.book.Devices, crdt.NewActor(d.ID, 1))
	}
	w.book.Now = noon.AddDate(0, 0, -30)
	return w
}

func (w *world) open() *store.SQLite {
	st, err := store.Open(w.Context(), store.Config{Path: w.path, Logger: slog.New(slog.DiscardHandler), Now: w.clock})
	w.ok(err)
	w.Cleanup(func() { st.Close() }) //nolint:errcheck // closed before
	return st
}

func (w *world) clock() time.Time { w.mu.Lock(); defer w.mu.Unlock(); return w.now }

func (w *world) ok(err error) {
	if err != nil {
		w.Helper()
		w.Fatal(err)
	}
}

// service is a process on a store.
func (w *world) service(st *store.SQLite) *Service {
	w.Helper()
	s, err := New(Config{
		Store: st, Subject: "mailto:ops@example.com", Hosts: Hosts{Names: []string{"*"}, Private: true},
		Log: slog.New(slog.NewTextHandler(&w.log, nil)), Transport: w.push.Transport(), Backoff: time.Millisecond, Tick: time.Hour,
		Now:       w.clock,
		Connected: func(m crdt.MemberID, d crdt.DeviceID) bool { return m == w.member && w.online[d] },
		Count:     func(kind, outcome string) { w.mu.Lock(); w.outcomes[kind+" "+outcome]++; w.mu.Unlock() },
		Rest:      func(context.Context, time.Duration) error { return nil },
	})
	w.ok(err)
	w.ok(st.Watch(w.Context(), s.hint))
	return s
}

func (w *world) subscribe(d store.Device) (browser int) {
	w.Helper()
	n, endpoint, public, secret, err := w.push.Subscribe()
	w.ok(err)
	w.ok(w.st.Subscribe(w.Context(), store.Subscription{Device: d.ID, Endpoint: endpoint, Public: public, Secret: secret}))
	return n
}

// commit has the store have all of the book, and processes be told.
func (w *world) commit(to ...*Service) {
	w.Helper()
	var push []store.Item
	for _, it := range w.book.Items[w.sent:] {
		push = append(push, store.Item{Doc: it.Doc, Change: it.Change})
	}
	w.sent = len(w.book.Items)
	ack, err := w.st.Append(w.Context(), w.member, push)
	w.ok(err)
	if len(ack.Rejected) > 0 {
		w.Fatalf("%+v", ack.Rejected[0])
	}
	for _, s := range to { // a hint may be late: as if it was told of all
		s.hint(store.Hint{Member: w.member, Head: ack.Receipt.Seq})
	}
}

func (w *world) profile(key, text string) {
	w.book.Write(crdt.ProfileDoc, func(t *automerge.Tx) { w.book.Put(t, key, text) })
}

func (w *world) rest(key string, v automerge.Value) {
	w.book.Write(crdt.ProfileDoc, func(t *automerge.Tx) { w.ok(t.Put(key, v)) })
}

// person is somebody with a number, whom the member met some days ago.
func (w *world) person(days int) crdt.ContactID {
	w.book.Now = w.now.AddDate(0, 0, -days)
	c := w.book.Contacts(1)[0]
	w.book.Write(crdt.ContactsDoc, func(t *automerge.Tx) {
		w.book.Put(t, crdt.ContactKey(c, crdt.FieldName), "Priya Raman")
		w.book.Put(t, crdt.ContactKey(c, crdt.FieldPhone+"+34600000000"), "mobile")
		w.ok(t.Put(crdt.ContactKey(c, crdt.FieldCreated), automerge.Value{Kind: automerge.KindTimestamp, Num: w.book.Now.UnixMilli()}))
	})
	w.book.Now = w.now
	return c
}

// logs writes an entry of now.
func (w *world) logs(k crdt.Kind, c crdt.ContactID, ev crdt.Evidence) {
	w.book.Now = w.now
	w.book.Log(crdt.Entry{Kind: k, Contact: c, Evidence: ev})
}

func (w *world) at(t time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = t
}

// turn turns all loops of a process once, and waits until what it gives was sent.
func (w *world) turn(ss ...*Service) {
	w.Helper()
	for _, s := range ss {
		s.stale()
		s.listen(w.Context())
		s.daily(w.Context())
		w.flush(s)
	}
	if strings.Contains(w.log.String(), "level=ERROR") {
		w.Fatalf("logged:\n%s", w.log.String())
	}
}

func (w *world) flush(s *Service) {
	for late := time.Now().Add(time.Minute); s.Waiting() > 0; {
		select {
		case j := <-s.queue.jobs[0]: // there is one push service
			s.deliver(w.Context(), j)
		case <-time.After(time.Millisecond):
		}
		if time.Now().After(late) {
			w.Fatalf("%d notices still wait", s.Waiting())
		}
	}
}

// got checks what browsers were sent since the last time, in any order.
func (w *world) got(why string, want ...string) []pushtest.Message {
	w.Helper()
	all, err := w.push.Messages()
	if err != nil {
		w.Fatalf("%s: the push service does not take it: %v", why, err)
	}
	all, w.seen = all[w.seen:], len(all)
	rest := append([]string(nil), want...)
	for _, m := range all {
		text := fmt.Sprintf("%d: %s %s %s %d", m.Browser, m.Kind, m.Trigger, m.List, m.Count)
		found := false
		for i, x := range rest {
			if found = x == text; found {
				rest = append(rest[:i], rest[i+1:]...)
				break
			}
		}
		if !found {
			w.Errorf("%s: a browser was told %q, want %q", why, text, want)
		}
	}
	if len(rest) > 0 {
		w.Errorf("%s: no browser was told %q; log:\n%s", why, rest, w.log.String())
	}
	return all
}

// TestNoActionNoNotice is the law: there is no way to make a notice without a step.
func TestNoActionNoNotice(t *testing.T) {
	var none Notice
	if b, err := none.message(); err == nil {
		t.Errorf("nothing is told as %s", b)
	}
	if n, ok := newAlert(nil); ok || n != none {
		t.Errorf("an alert without a step: %+v", n)
	}
	if n, ok := newDue([2][]ranking.Suggestion{}, noon); ok || n != none {
		t.Errorf("a notice of the day without a step: %+v", n)
	}
	for f := range reflect.TypeFor[Notice]().Fields() {
		if f.IsExported() {
			t.Errorf("field %s can be set without a step", f.Name)
		}
	}
	n, ok := newDue([2][]ranking.Suggestion{1: {{List: ranking.Members, Trigger: ranking.RefillDue}}}, noon)
	b, err := n.message()
	if want := fmt.Sprintf(`{"v":1,"kind":"due","trigger":"refill_due","list":"members","count":1,"until":%d}`, noon.UnixMilli()); !ok || err != nil || string(b) != want {
		t.Errorf("%s, %v, want %s", b, err, want)
	}
}

// TestAlertReachesEachDeviceOnce follows a form from a company's page to the browsers of a member, through two processes.
func TestAlertReachesEachDeviceOnce(t *testing.T) {
	w := newWorld(t, 1)
	a, b := w.service(w.st), w.service(w.open())
	phone, laptop := w.subscribe(w.phone), w.subscribe(w.laptop)
	priya := w.person(20)
	w.logs(crdt.Call, priya, crdt.E1)
	w.profile(crdt.ProfileRemind, crdt.RemindOff)
	w.commit()
	w.turn(a, b)
	w.got("nothing happened")
	w.at(noon.Add(time.Minute))
	w.logs(crdt.FormSubmitted, priya, crdt.E1)
	w.commit(a, b)
	w.turn(a, b)
	w.got("typed in by the member")
	w.online[w.laptop.ID] = true
	w.logs(crdt.FormSubmitted, priya, crdt.E3)
	w.commit(a, b)
	w.turn(a, b, a, b)
	for _, m := range w.got("a form", fmt.Sprintf("%d: alert new_lead prospects 1", phone)) {
		if m.Header.Get("Topic") != "alert" || m.Header.Get("Urgency") != "high" || m.TTL <= 0 || m.TTL > 4*time.Hour {
			t.Errorf("headers %v, TTL %v", m.Header, m.TTL)
		}
	}
	w.at(noon.Add(3 * time.Minute))
	w.turn(a, b, a)
	w.got("the laptop's app has said nothing: it sleeps", fmt.Sprintf("%d: alert new_lead prospects 1", laptop))
	w.commit(a, b)
	w.at(noon.Add(30 * time.Minute))
	w.turn(a, b)
	c := w.service(w.open())
	w.turn(c)
	w.commit(c)
	w.turn(c)
	w.got("told already, also by a process that comes later")
	w.logs(crdt.SiteVisited, w.person(3), crdt.E3)
	w.logs(crdt.WebinarJoined, priya, crdt.E4)
	w.online[w.laptop.ID] = false
	w.commit(a, b)
	w.turn(b, a)
	got := w.got("two at once are told together, with what is open still",
		fmt.Sprintf("%d: alert new_lead prospects 3", phone), fmt.Sprintf("%d: alert new_lead prospects 3", laptop))
	if len(got) == 2 && got[0].Until <= w.now.UnixMilli() {
		t.Errorf("it is over at %d", got[0].Until)
	}
	if n := w.outcomes["alert sent"]; n != 4 {
		t.Errorf("outcomes %v", w.outcomes)
	}
	if log := w.log.String(); strings.Contains(log, w.push.URL) || strings.Contains(log, "Priya") {
		t.Errorf("the log tells secrets:\n%s", log)
	}
}

// TestAlertThatIsNone: what was followed by a touch, what a device has shown, what is too old, and what came in quiet hours.
func TestAlertThatIsNone(t *testing.T) {
	w, day := newWorld(t, 2), 0
	s := w.service(w.st)
	w.subscribe(w.phone)
	w.profile(crdt.ProfileRemind, crdt.RemindOff)
	for _, x := range []struct {
		name string
		then func(*world, crdt.ContactID)
		want bool
	}{
		{"news", func(*world, crdt.ContactID) {}, true},
		{"called since", func(w *world, c crdt.ContactID) { w.at(w.now.Add(time.Second)); w.logs(crdt.Call, c, crdt.E1) }, false},
		{"opted out", func(w *world, c crdt.ContactID) {
			w.book.Write(crdt.ContactsDoc, func(t *automerge.Tx) { w.book.Put(t, crdt.ContactKey(c, crdt.FieldConsent), crdt.ConsentOut) })
		}, false},
		{"shown on a device", func(w *world, c crdt.ContactID) {
			id := crdt.SourceEntryID(w.member, "notice:new_lead:"+strings.ReplaceAll(c.String(), "-", "")+":"+w.now.Format(time.DateOnly))
			e := crdt.Entry{Version: crdt.EntryVersion, Kind: crdt.Suggestion, Contact: c, Choice: crdt.Shown, At: w.now.UnixMilli(), Trigger: "new_lead", Evidence: crdt.E0}
			text, err := e.Encode()
			w.ok(err)
			w.book.Write(e.Doc(), func(t *automerge.Tx) { w.book.Put(t, id.String(), text) })
		}, false},
		{"over", func(w *world, _ crdt.ContactID) { w.at(w.now.Add(4 * time.Hour)) }, false},
		{"in quiet hours where the contact lives", func(w *world, c crdt.ContactID) {
			w.book.Write(crdt.ContactsDoc, func(t *automerge.Tx) { w.book.Put(t, crdt.ContactKey(c, crdt.FieldZone), "Asia/Tokyo") })
		}, false},
		{"in quiet hours at home", func(w *world, _ crdt.ContactID) { w.profile(crdt.ProfileQuiet, "11:00-12:30") }, false},
	} {
		at := noon.AddDate(0, 0, day)
		day++
		w.at(at)
		c := w.person(20)
		w.commit(s)
		w.turn(s)
		w.logs(crdt.FormSubmitted, c, crdt.E4)
		x.then(w, c)
		w.commit(s)
		w.turn(s)
		var want []string
		if x.want {
			want = []string{"0: alert new_lead prospects 1"}
		}
		w.got(x.name, want...)
		if x.name == "in quiet hours at home" {
			w.at(at.Add(29 * time.Minute))
			w.turn(s)
			w.got("still quiet")
			w.at(at.Add(30 * time.Minute))
			w.turn(s)
			w.got("they are over, and it is still news", "0: alert new_lead prospects 1")
		}
	}
}

// TestDay follows the notice of the day over some days: one a day and for all processes, at the member's hour by the clock at home.
func TestDay(t *testing.T) {
	w := newWorld(t, 3)
	a, b := w.service(w.st), w.service(w.open())
	madrid, err := time.LoadLocation("Europe/Madrid")
	w.ok(err)
	day := func(d, h, m int) time.Time { return time.Date(2026, 11, d, h, m, 0, 0, madrid) }
	w.profile(crdt.ProfileZone, "Europe/Madrid")
	for range 5 {
		w.person(1)
	}
	w.commit()
	w.subscribe(w.phone)
	w.at(day(24, 14, 0))
	w.turn(a, b)
	w.got("just subscribed")
	tell := func(why string, at time.Time, want ...string) {
		t.Helper()
		w.at(at)
		w.turn(a, b, a)
		for _, m := range w.got(why, want...) {
			if m.Header.Get("Topic") != "due" || m.TTL != 12*time.Hour {
				t.Errorf("headers %v, TTL %v", m.Header, m.TTL)
			}
		}
	}
	const due = "0: due new_lead prospects 2"
	tell("before nine", day(25, 8, 59))
	tell("at nine", day(25, 9, 0), due)
	tell("once a day", day(25, 11, 0))
	w.rest(crdt.RestKey("2026-11-26"), automerge.Value{Kind: automerge.KindTrue})
	w.commit(a, b)
	tell("a rest day", day(26, 9, 0))
	tell("later on it", day(26, 11, 59))
	w.at(day(27, 8, 0))
	w.logs(crdt.Call, w.person(1), crdt.E1)
	w.commit(a, b)
	tell("has acted today", day(27, 9, 1))
	tell("a Saturday", day(28, 9, 0), due)
	w.rest(crdt.WeeklyRestKey("2026-11-20"), automerge.Value{Kind: automerge.KindInt, Num: 1 << 6})
	w.commit(a, b)
	tell("a Sunday, on which the member rests", day(29, 9, 0))
	tell("nobody looked for half a day", day(30, 21, 0))
	w.profile(crdt.ProfileRemind, "18:30")
	w.commit(a, b)
	w.at(day(30, 21, 1))
	w.turn(a, b)
	tell("the hour is another", day(31, 9, 0))
	tell("at that hour", day(31, 18, 30), due)
	w.profile(crdt.ProfileRemind, "05:00")
	w.commit(a, b)
	w.turn(a, b)
	tell("in quiet hours", day(32, 5, 0))
	tell("when they are over, they were too long", day(32, 8, 0))
	w.profile(crdt.ProfileRemind, "07:00")
	w.commit(a, b)
	w.turn(a, b)
	tell("in quiet hours", day(33, 7, 0))
	tell("when they are over", day(33, 8, 0), due)
	w.profile(crdt.ProfileRemind, crdt.RemindOff)
	w.commit(a, b)
	w.turn(a, b)
	for h := range 26 {
		tell("off", day(34, h, 0))
	}
	w.profile(crdt.ProfileRemind, "09:00")
	w.profile(crdt.ZoneKey("2026-12-07"), "America/New_York")
	w.at(day(36, 20, 0))
	w.logs(crdt.Call, w.person(1), crdt.E1) // three passed by: without it they stop
	w.person(1)
	w.person(1)
	w.commit(a, b)
	w.turn(a, b)
	tell("nine in Madrid is three in New York", day(37, 9, 0))
	tell("nine in New York", day(37, 15, 0), due)
}

// TestDayStopsByItself: who lets the notices pass gets no more of them, and does again after the next thing that is logged.
func TestDayStopsByItself(t *testing.T) {
	w := newWorld(t, 4)
	s := w.service(w.st)
	for range 9 {
		w.person(1)
	}
	w.commit()
	w.subscribe(w.phone)
	w.turn(s)
	nine := func(d int) time.Time { return time.Date(2026, 11, d, 9, 0, 0, 0, time.UTC) }
	told := func(from, to int) (n int) {
		t.Helper()
		for d := from; d < to; d++ {
			w.at(nine(d))
			w.turn(s)
			all, err := w.push.Messages()
			w.ok(err)
			n += len(all) - w.seen
			w.seen = len(all)
		}
		return n
	}
	if n := told(25, 35); n != MaxIgnored {
		t.Errorf("%d notices upon which nothing was done, want %d", n, MaxIgnored)
	}
	w.at(nine(35).Add(8 * time.Hour))
	w.logs(crdt.Call, w.person(1), crdt.E1)
	w.commit(s)
	w.turn(s)
	if n := told(36, 38); n != 2 {
		t.Errorf("%d notices after something was logged, want 2", n)
	}
	// Nobody at all is due: nothing.
	w = newWorld(t, 5)
	s = w.service(w.st)
	w.subscribe(w.phone)
	w.turn(s)
	if n := told(25, 30); n != 0 {
		t.Errorf("%d notices of nothing", n)
	}
}

// TestReadBeforehand: the documents are read before the hour, and again only of who committed something since.
func TestReadBeforehand(t *testing.T) {
	w := newWorld(t, 6)
	s := w.service(w.st)
	c := w.person(1)
	w.commit()
	w.subscribe(w.phone)
	w.turn(s)
	nine := time.Date(2026, 11, 25, 9, 0, 0, 0, time.UTC)
	w.at(nine.Add(-lead))
	w.turn(s)
	if len(s.ready) != 1 {
		t.Fatalf("%d members are ready", len(s.ready))
	}
	w.at(nine.Add(-time.Minute))
	w.logs(crdt.Call, c, crdt.E1)
	w.commit(s)
	w.at(nine)
	w.turn(s)
	w.got("acted since it was read")
	w.at(nine.AddDate(0, 0, 1).Add(-lead))
	for range 3 {
		w.person(1)
	}
	w.commit(s)
	w.turn(s)
	if len(s.ready) != 1 {
		t.Fatalf("%d members are ready", len(s.ready))
	}
	w.at(nine.AddDate(0, 0, 1))
	w.turn(s)
	w.got("the next day", "0: due new_lead prospects 2")
	if len(s.ready) != 0 {
		t.Errorf("%d members are kept", len(s.ready))
	}
}

// TestKilledBetween: what a process had claimed when it was killed is lost, and nothing comes twice.
func TestKilledBetween(t *testing.T) {
	w := newWorld(t, 7)
	a, b := w.service(w.st), w.service(w.open())
	for range 4 {
		w.person(1)
	}
	c := w.person(20)
	w.commit()
	w.subscribe(w.phone)
	w.turn(a, b)
	w.logs(crdt.FormSubmitted, c, crdt.E3)
	w.commit(a, b)
	a.listen(t.Context()) // and is killed before it sends
	if a.Waiting() != 1 {
		t.Fatalf("%d notices wait", a.Waiting())
	}
	w.turn(b)
	w.got("killed after the claim")
	w.at(time.Date(2026, 11, 25, 9, 0, 0, 0, time.UTC))
	a.daily(t.Context())
	w.turn(b)
	w.got("killed after the claim of the day")
	w.at(w.now.AddDate(0, 0, 1))
	w.turn(b)
	w.got("the next day", "0: due new_lead prospects 2")
}

// TestRevokedIsToldNothing: neither is who took the subscription back.
func TestRevokedIsToldNothing(t *testing.T) {
	w := newWorld(t, 8)
	s := w.service(w.st)
	c := w.person(20)
	w.commit()
	w.subscribe(w.phone)
	laptop := w.subscribe(w.laptop)
	w.turn(s)
	w.ok(w.st.RevokeDevice(t.Context(), w.phone.ID))
	w.logs(crdt.FormSubmitted, c, crdt.E3)
	w.book.Devices = w.book.Devices[1:]
	w.commit(s)
	w.turn(s)
	w.got("the phone was revoked", fmt.Sprintf("%d: alert new_lead prospects 1", laptop))
	w.ok(w.st.Unsubscribe(t.Context(), w.laptop.ID, ""))
	w.turn(s)
	if s.Members() != 0 {
		t.Errorf("%d members are watched", s.Members())
	}
	w.at(w.now.Add(time.Hour))
	w.logs(crdt.FormSubmitted, w.person(20), crdt.E3)
	w.commit(s)
	w.turn(s)
	w.got("nobody is subscribed")
}

// TestRevokedWhileItWaits: what waits, for its first time or to be tried again, does not reach a device whose access has ended.
func TestRevokedWhileItWaits(t *testing.T) {
	w := newWorld(t, 12)
	s := w.service(w.st)
	c := w.person(20)
	w.commit()
	w.subscribe(w.phone)
	w.turn(s)
	w.push.Answer(func(rw http.ResponseWriter, _, _ int) bool {
		rw.WriteHeader(http.StatusServiceUnavailable)
		return true
	})
	w.logs(crdt.FormSubmitted, c, crdt.E3)
	w.commit(s)
	s.stale()
	s.listen(t.Context())
	s.deliver(t.Context(), <-s.queue.jobs[0])
	w.ok(w.st.RevokeDevice(t.Context(), w.phone.ID))
	w.flush(s)
	if n := w.push.Asked(); n != 1 || w.outcomes["alert gone"] != 1 {
		t.Errorf("the push service was asked %d times; %v", n, w.outcomes)
	}
	w.turn(s)
}

// slow is a store from which a member's documents are read slowly.
type slow struct {
	*store.SQLite
	looks int
	torn  bool // the profile too
}

func (x *slow) Head(ctx context.Context, m crdt.MemberID) (wire.Receipt, error) {
	x.looks++
	time.Sleep(long + 10*time.Millisecond)
	return x.SQLite.Head(ctx, m)
}

func (x *slow) Since(ctx context.Context, m crdt.MemberID, after uint64, limit, size int) (store.Page, error) {
	p, err := x.SQLite.Since(ctx, m, after, limit, size)
	if err == nil && x.torn && after == 0 {
		p.Changes = append(p.Changes, store.Stored{Doc: crdt.ProfileDoc, Raw: []byte("torn")})
	}
	return p, err
}

// TestTooMuchToRead: a member whose documents take long to read does not have them read upon each change; and of one whose profile
// cannot be read it is not known whether anything is wanted.
func TestTooMuchToRead(t *testing.T) {
	w := newWorld(t, 15)
	s := w.service(w.st)
	x := &slow{SQLite: w.st}
	s.cfg.Store = x
	c := w.person(20)
	w.commit()
	w.subscribe(w.phone)
	s.stale()
	s.listen(t.Context())
	for range 5 {
		w.logs(crdt.Order, w.person(1), crdt.E3) // there is no notice of it
		w.commit(s)
		s.listen(t.Context())
	}
	if x.looks != 1 {
		t.Errorf("five changes had the documents read %d times", x.looks)
	}
	w.logs(crdt.FormSubmitted, c, crdt.E3)
	w.commit(s)
	w.at(w.now.Add(time.Minute))
	s.listen(t.Context())
	w.flush(s)
	if x.looks != 2 {
		t.Errorf("after a while they were read %d times", x.looks)
	}
	w.got("late, but it comes", "0: alert new_lead prospects 1")
	x.torn = true
	w.at(w.now.Add(5 * time.Minute))
	w.logs(crdt.FormSubmitted, w.person(20), crdt.E3)
	w.commit(s)
	s.listen(t.Context())
	w.flush(s)
	if !strings.Contains(w.log.String(), "cannot be read, so nothing is told") {
		t.Errorf("of a torn profile the log says %s", w.log.String())
	}
	w.got("the profile is torn")
}

// TestClockThatWasAhead: a server whose clock was years ahead when it looked at a member gives notices again once it is right.
func TestClockThatWasAhead(t *testing.T) {
	w := newWorld(t, 13)
	s := w.service(w.st)
	w.person(1)
	w.commit()
	w.subscribe(w.phone)
	w.turn(s)
	w.at(time.Date(2030, 11, 24, 9, 0, 0, 0, time.UTC))
	w.turn(s)
	w.person(1)
	w.commit(s)
	w.at(w.now.AddDate(0, 0, 1))
	w.turn(s)
	if all, err := w.push.Messages(); err != nil || len(all) == 0 {
		t.Fatalf("nothing was given by the clock that was ahead: %v", err)
	} else {
		w.seen = len(all)
	}
	w.at(noon)
	w.turn(s)
	w.got("the clock is right again, and the day's hour is over")
	w.at(time.Date(2026, 11, 25, 9, 0, 0, 0, time.UTC))
	w.turn(s)
	w.got("at nine the next day", "0: due new_lead prospects 1")
}

// TestOneServiceHangs: a push service that does not answer holds up its own notices, and none of another's.
func TestOneServiceHangs(t *testing.T) {
	w := newWorld(t, 14)
	slow, err := net.Listen("tcp", "127.0.0.1:0") // it is connected to, and says nothing
	w.ok(err)
	t.Cleanup(func() { slow.Close() }) //nolint:errcheck // nothing was written
	s, err := New(Config{
		Store: w.st, Subject: "mailto:ops@example.com", Hosts: Hosts{Names: []string{"localhost", "127.0.0.1"}, Private: true},
		Log: slog.New(slog.DiscardHandler), Transport: w.push.Transport(), Tick: time.Hour,
	})
	w.ok(err)
	n, endpoint, public, secret, err := w.push.Subscribe()
	w.ok(err)
	good := store.Subscription{Device: w.laptop.ID, Member: w.member, Endpoint: endpoint, Public: public, Secret: secret}
	bad := good
	bad.Device, bad.Endpoint = w.phone.ID, strings.Replace("https://"+slow.Addr().String(), "127.0.0.1", "localhost", 1)+"/wpush/1"
	w.ok(w.st.Subscribe(t.Context(), good))
	w.ok(w.st.Subscribe(t.Context(), bad))
	ctx, end := context.WithCancel(t.Context())
	var done sync.WaitGroup
	done.Go(func() { s.Run(ctx) })
	notice := Notice{kind: Due, count: 1, until: time.Now().Add(time.Hour)}
	for range 4 * senders {
		s.give([]store.Subscription{bad}, notice)
	}
	s.give([]store.Subscription{good}, notice)
	for late := time.Now().Add(14 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		if all, err := w.push.Messages(); err != nil || len(all) > 0 {
			if err != nil || all[0].Browser != n {
				t.Errorf("%+v, %v", all, err)
			}
			break
		}
		if time.Now().After(late) {
			t.Error("behind those that hang nothing is sent")
			break
		}
	}
	end()
	done.Wait()
}

// TestPushServiceSays what it does, and what comes of that.
func TestPushServiceSays(t *testing.T) {
	w := newWorld(t, 9)
	s := w.service(w.st)
	for _, x := range []struct {
		name     string
		answer   func(w http.ResponseWriter, asked int) bool // false: it is taken
		asked    int
		outcome  string
		left     int // subscriptions
		failures int
	}{
		{"taken", func(http.ResponseWriter, int) bool { return false }, 1, Sent, 1, 0},
		{"gone", func(w http.ResponseWriter, _ int) bool { w.WriteHeader(http.StatusGone); return true }, 1, Gone, 0, 0},
		{"not found", func(w http.ResponseWriter, _ int) bool { w.WriteHeader(http.StatusNotFound); return true }, 1, Gone, 0, 0},
		{"too many, each time", func(w http.ResponseWriter, _ int) bool {
			w.Header().Set("Retry-After", "0")
			w.WriteHeader(http.StatusTooManyRequests)
			return true
		}, tries, Failed, 1, 1},
		{"busy twice", func(w http.ResponseWriter, asked int) bool {
			if asked > 2 {
				return false
			}
			w.WriteHeader(http.StatusServiceUnavailable)
			return true
		}, 3, Sent, 1, 0},
		{"comes back tomorrow", func(w http.ResponseWriter, _ int) bool {
			w.Header().Set("Retry-After", "86400")
			w.WriteHeader(http.StatusServiceUnavailable)
			return true
		}, 1, Failed, 1, 1},
		{"leads elsewhere", func(w http.ResponseWriter, _ int) bool {
			w.Header().Set("Location", "/wpush/0")
			w.WriteHeader(http.StatusTemporaryRedirect)
			return true
		}, 1, Refused, 1, 1},
		{"another key", func(w http.ResponseWriter, _ int) bool { w.WriteHeader(http.StatusForbidden); return true }, 1, Refused, 1, 1},
		{"talks without end", func(w http.ResponseWriter, _ int) bool {
			w.WriteHeader(http.StatusCreated)
			for range 64 {
				_, _ = w.Write(make([]byte, 16<<10))
			}
			return true
		}, 1, Sent, 1, 0},
	} {
		w.at(w.now.Add(5 * time.Minute))
		w.subscribe(w.phone)
		w.turn(s)
		w.push.Answer(func(rw http.ResponseWriter, _, asked int) bool { return x.answer(rw, asked) })
		clear(w.outcomes)
		w.logs(crdt.FormSubmitted, w.person(20), crdt.E3)
		w.commit(s)
		w.turn(s)
		if n := w.push.Asked(); n != x.asked || w.outcomes["alert "+x.outcome] != 1 || len(w.outcomes) != 1 {
			t.Errorf("%s: asked %d times, want %d; %v, want %s", x.name, n, x.asked, w.outcomes, x.outcome)
		}
		list, err := w.st.Subscriptions(t.Context(), w.member)
		if err != nil || len(list) != x.left || x.left > 0 && list[0].Failures != x.failures {
			t.Errorf("%s: subscriptions %+v, %v, want %d with %d failures", x.name, list, err, x.left, x.failures)
		}
	}
}

// TestPlaybookOfTheCompany: the rules are those that devices go by.
func TestPlaybookOfTheCompany(t *testing.T) {
	w := newWorld(t, 10)
	s := w.service(w.st)
	doc := playbook.Default()
	doc.Version++
	doc.Ranking.Version = doc.Version
	doc.Ranking.Rules[ranking.NewLead].Notice = nil
	_, err := w.st.PublishPlaybook(t.Context(), store.Playbook{Tenant: w.company, Version: doc.Version, Hash: doc.Hash(), By: "Ann", Doc: doc.Encode()}, 0)
	w.ok(err)
	c := w.person(20)
	w.commit()
	w.subscribe(w.phone)
	w.turn(s)
	w.logs(crdt.FormSubmitted, c, crdt.E3)
	w.commit(s)
	w.turn(s)
	w.got("the company wants no notice of forms")
}
