package learn

import (
	"context"
	"encoding/json"
	"log/slog"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"trio/crdt"
	"trio/crdt/automerge"
	"trio/crdt/book"
	"trio/crdt/crdttest"
	"trio/ranking"
	"trio/ranking/playbook"
	"trio/server/fit"
	"trio/server/store"
)

// shelf is a Shelf in memory.
type shelf struct {
	sync.Mutex
	docs []*playbook.Doc
}

func (s *shelf) Standing(context.Context, store.Tenant) (st Standing, err error) {
	s.Lock()
	defer s.Unlock()
	if len(s.docs) == 0 {
		return st, ErrNone
	}
	st.Newest, st.Next = s.docs[len(s.docs)-1], uint32(len(s.docs)+1)
	for _, d := range s.docs {
		if d.Fitted == 0 {
			st.Written = d
		}
	}
	return st, nil
}

func (s *shelf) Publish(_ context.Context, _ store.Tenant, st *Standing, doc *playbook.Doc) error {
	s.Lock()
	defer s.Unlock()
	if st.Next != uint32(len(s.docs)+1) {
		return ErrOvertaken
	}
	s.docs = append(s.docs, doc)
	return nil
}

// company is a real store, with members whose acts are made up out of a seed.
type company struct {
	testing.TB
	path  string
	st    *store.SQLite
	row   store.Company
	shelf *shelf
	pb    *ranking.Playbook
	today time.Time
}

func newCompany(t testing.TB) *company {
	c := &company{TB: t, path: filepath.Join(t.TempDir(), "s.db"), today: time.Date(2026, 11, 30, 3, 30, 0, 0, time.UTC), shelf: &shelf{}}
	var err error
	c.st, err = store.Open(t.Context(), store.Config{Path: c.path, Logger: slog.New(slog.DiscardHandler)})
	c.ok(err)
	t.Cleanup(func() { c.st.Close() })
	id, err := c.st.CreateTenant(t.Context(), "A")
	c.ok(err)
	c.row, err = c.st.TenantByID(t.Context(), id)
	c.ok(err)
	first := playbook.Default()
	first.Version, first.Ranking.Version = 1, 1
	c.shelf.docs = []*playbook.Doc{first}
	c.pb = c.shelf.docs[0].Ranking
	return c
}

func (c *company) ok(err error) {
	if err != nil {
		c.Helper()
		c.Fatal(err)
	}
}

// member makes a member who follows n suggestions about fresh leads by text, each about somebody else, within the 40 days up to
// ten days ago. won says with what chance each is a success. twice has each entry come from two devices, and a slip with each tenth.
func (c *company) member(seed uint64, n int, twice bool, won func(s *ranking.Step) float64) crdt.MemberID {
	ctx := c.Context()
	id, err := c.st.CreateMember(ctx, store.Member{Tenant: c.row.ID, Name: "M"})
	c.ok(err)
	b := crdttest.NewBook(c, seed, 0)
	for range 2 {
		d, _, err := c.st.CreateDevice(ctx, id, "phone")
		c.ok(err)
		b.Devices = append(b.Devices, crdt.NewActor(d.ID, 1))
	}
	first := c.today.AddDate(0, 0, -50)
	at := func(i int) time.Time { return first.AddDate(0, 0, i%40).Add(6 * time.Hour) }
	people := b.Contacts(n)
	b.Write(crdt.ContactsDoc, func(t *automerge.Tx) {
		for i, p := range people {
			b.Put(t, crdt.ContactKey(p, crdt.FieldPhone+"+34600000000"), "mobile")
			c.ok(t.Put(crdt.ContactKey(p, crdt.FieldCreated), automerge.Value{Kind: automerge.KindTimestamp, Num: at(i).UnixMilli()}))
		}
	})
	home := book.NewCalendar(nil)
	for i, p := range people {
		card := book.NewCard(p)
		card.Phone, card.Created = true, at(i).UnixMilli()
		facts := card.Person(home, nil).Facts
		b.Now = at(i).AddDate(0, 0, 1)
		var steps []ranking.Step
		c.pb.Steps(home.Day(b.Now.UnixMilli()), &facts, func(s *ranking.Step) bool {
			if s.Trigger == ranking.NewLead && s.Channel == ranking.Text {
				steps = append(steps, *s)
			}
			return true
		})
		s := crdttest.Pick(b.Rnd, steps)
		p0 := min(max(ranking.Sigmoid(s.Z), 1), ranking.One-1)
		e := crdt.Entry{
			Kind: crdt.Text, Contact: p, Evidence: crdt.E1, Content: book.ContentName(s.Content), Trigger: s.Trigger.String(),
			Playbook: c.pb.Version, P0: p0, P1: p0, Outcome: ranking.NoAnswer.String(),
		}
		late := b.Rnd.Float64() < won(&s)
		done := b.Log(e)
		if twice {
			b.Log(e)
		}
		if late { // it is known a day later
			b.Pass(24 * time.Hour)
			b.Log(crdt.Entry{Kind: crdt.Result, Contact: p, About: done, Outcome: ranking.Moved.String(), Evidence: crdt.E1})
		}
		if twice && i%10 == 0 { // and one that did not happen
			e.Outcome = ranking.Moved.String()
			b.Log(crdt.Entry{Kind: crdt.Void, About: b.Log(e), Evidence: crdt.E1})
		}
	}
	for from := 0; from < len(b.Items); from += 1000 {
		var push []store.Item
		for _, it := range b.Items[from:min(from+1000, len(b.Items))] {
			push = append(push, store.Item{Doc: it.Doc, Change: it.Change})
		}
		ack, err := c.st.Append(ctx, id, push)
		c.ok(err)
		if len(ack.Rejected) > 0 {
			c.Fatalf("%+v", ack.Rejected[0])
		}
	}
	return id
}

func (c *company) night(dry bool) *Report {
	c.Helper()
	l := Learner{Store: c.st, Shelf: c.shelf, Now: func() time.Time { return c.today }}
	r, err := l.Night(c.Context(), c.row, dry)
	c.ok(err)
	return r
}

// arms are the milli-nats of what is said to fresh leads by text.
func arms(pb *ranking.Playbook) (arms []int64) {
	for _, content := range pb.Rules[ranking.NewLead].Contents {
		arms = append(arms, content.Arm[ranking.Text])
	}
	return arms
}

// twiceAsGood: content 1 works twice as well as the others.
func twiceAsGood(s *ranking.Step) float64 {
	if s.Content == 1 {
		return .3
	}
	return .15
}

func TestANightFavoursWhatWorks(t *testing.T) {
	c := newCompany(t)
	for m := range uint64(24) {
		c.member(m, 40, false, twiceAsGood)
	}
	if r := c.night(true); r.Outcome != DryRun || len(c.shelf.docs) != 1 {
		t.Fatalf("%+v", r)
	}
	r := c.night(false)
	if r.Outcome != Published || r.Version != 2 || r.Acts != 24*40 || r.ActMembers != 24 || r.UnreadCount != 0 || r.GateActs == 0 || r.LossNew >= r.LossOld {
		t.Fatalf("%+v", r)
	}
	d := c.shelf.docs[1]
	if a := arms(d.Ranking); a[1] < a[2]+200 || a[1] < a[3]+200 {
		t.Errorf("arms %v", a)
	}
	if d.Fitted != 1 || d.Version != 2 || d.Ranking.Version != 2 || d.Ranking.Silent == 0 {
		t.Errorf("version %d, fitted to %d, %d", d.Version, d.Fitted, d.Ranking.Version)
	}
	// All that people wrote is as it was.
	written := *d
	written.Version, written.Fitted, written.Ranking = 1, 0, c.pb
	if written.Hash() != c.shelf.docs[0].Hash() {
		t.Error("the document is another one")
	}
	for trigger := range ranking.NumTriggers {
		if x, y := d.Ranking.Rules[trigger], c.pb.Rules[trigger]; x.Value != y.Value || x.Stages != y.Stages || x.Cooldown != y.Cooldown {
			t.Errorf("%v: a rule is another one", trigger)
		}
	}
	var text strings.Builder
	c.ok(r.Write(&text))
	for _, want := range []string{"published", "version 2 is out, fitted to version 1", "960 acts of 24 members", "new_lead: content 1 by text: from 0 to ", "log-loss"} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("the report does not say %q:\n%s", want, &text)
		}
	}
	if _, err := json.Marshal(r); err != nil {
		t.Error(err)
	}

	// Without new data there is nothing new, tonight and tomorrow.
	for range 2 {
		if r := c.night(false); r.Outcome != NothingNew {
			t.Errorf("%+v", r)
		}
		c.today = c.today.AddDate(0, 0, 1)
	}

	// People write another one, with a content less and one more: the night starts from that.
	next := *c.shelf.docs[0]
	next.Ranking = copyOf(c.pb)
	next.Version, next.Ranking.Version, next.Name = 3, 3, "Spring"
	lead := &next.Ranking.Rules[ranking.NewLead]
	lead.Contents = append(lead.Contents, lead.Contents[1])
	c.shelf.docs = append(c.shelf.docs, &next)
	r = c.night(false)
	if r.Outcome != Published || r.Version != 4 || r.Written != 3 || c.shelf.docs[3].Name != "Spring" || len(c.shelf.docs[3].Ranking.Rules[ranking.NewLead].Contents) != len(lead.Contents) {
		t.Fatalf("%+v", r)
	}
	if a := arms(c.shelf.docs[3].Ranking); a[1] < a[2]+200 || a[len(a)-1] != 0 {
		t.Errorf("arms %v", a)
	}
}

func copyOf(pb *ranking.Playbook) *ranking.Playbook {
	d := playbook.Default()
	d.Ranking = pb
	d, err := playbook.Parse(d.Encode())
	if err != nil {
		panic(err)
	}
	return d.Ranking
}

// TestWhatIsLoggedTwiceOrByMistakeIsNothingMore: of acts that each came from two devices, with results of a day later and slips
// beside them, each counts once.
func TestWhatIsLoggedTwiceOrByMistakeIsNothingMore(t *testing.T) {
	c := newCompany(t)
	won := 0
	for m := range uint64(20) {
		c.member(m, 10, true, func(*ranking.Step) float64 {
			if m%4 == 0 {
				won++
				return 1
			}
			return 0
		})
	}
	if r := c.night(true); r.Acts != 200 || r.ActMembers != 20 || r.Contacts != 200 {
		t.Errorf("%+v", r)
	}
	g, err := gather(c.Context(), c.st, c.row.ID, c.pb, ranking.DayOf(c.today.UnixMilli(), 0), nil)
	c.ok(err)
	for _, act := range g.acts.all {
		if act.Won {
			won--
		}
	}
	if won != 0 {
		t.Errorf("%d successes are missing", won)
	}
}

// TestAPoisonedMemberIsOneOfMany: who makes up a thousand successes moves no number further than a twentieth of all acts
// being successes would, and passes no gate that is closed.
func TestAPoisonedMemberIsOneOfMany(t *testing.T) {
	c := newCompany(t)
	for m := range uint64(24) {
		c.member(m, 20, false, func(*ranking.Step) float64 { return .25 })
	}
	learnt := func() *ranking.Playbook {
		c.shelf.docs = c.shelf.docs[:1]
		if r := c.night(false); r.Outcome != Published {
			t.Fatalf("%+v", r)
		}
		return c.shelf.docs[1].Ranking
	}
	clean := learnt()
	c.member(99, 1500, false, func(s *ranking.Step) float64 {
		if s.Content == 2 {
			return 1
		}
		return 0
	})
	poisoned := learnt()
	sum := func(pb *ranking.Playbook, ct int) int64 {
		r := &pb.Rules[ranking.NewLead]
		return r.Base + r.Offset + r.ByWay[ranking.Text] + r.Contents[ct].Arm[ranking.Text]
	}
	for ct := range 4 {
		// Of chances of a quarter, a twentieth more or less is 190 or 220 milli-nats.
		if d := sum(poisoned, ct) - sum(clean, ct); d > 230 || d < -230 {
			t.Errorf("content %d moved by %d milli-nats", ct, d)
		}
	}
}

func TestAFreshCompanyReleasesNothing(t *testing.T) {
	c := newCompany(t)
	if r := c.night(false); r.Outcome != TooLittle || !strings.Contains(r.Why, "fewer than 50 acts and 20 members") {
		t.Errorf("%+v", r)
	}
	for m := range uint64(5) {
		c.member(m, 40, false, twiceAsGood)
	}
	if r := c.night(false); r.Outcome != TooLittle || r.Acts != 200 || len(c.shelf.docs) != 1 {
		t.Errorf("%+v", r)
	}
	c.shelf.docs = nil
	if r := c.night(false); r.Outcome != NoPlaybook {
		t.Errorf("%+v", r)
	}
}

// TestAWorseModelOfOrdersStaysBehind: nobody orders any more, which the playbook that is out says and a fit to all of the past year does not
// yet. The rest is released, and the report says what stayed.
func TestAWorseModelOfOrdersStaysBehind(t *testing.T) {
	c := newCompany(t)
	for m := range uint64(20) {
		c.customers(m, 5)
	}
	learnt := *c.shelf.docs[0]
	learnt.Version, learnt.Fitted, learnt.Ranking = 2, 1, fit.Copy(learnt.Ranking)
	learnt.Ranking.Reorder.Intercept, learnt.Ranking.Reorder.Weight = -8000, 0
	c.shelf.docs = append(c.shelf.docs, &learnt)
	r := c.night(false)
	if r.Outcome != Published || !r.OrdersKept || r.GateOrders != 200 || r.OrderLossNew <= r.OrderLossOld || !strings.Contains(r.Why, "the model of orders stays as it was") {
		t.Fatalf("%+v", r)
	}
	d := c.shelf.docs[2]
	if d.Ranking.Reorder.Intercept != -8000 || d.Ranking.Reorder.Card[ranking.Ratio] != nil || d.Ranking.Silent != fit.SilentEvery {
		t.Errorf("released is %+v", d.Ranking.Reorder)
	}
	if r := c.night(false); r.Outcome != Worse || len(c.shelf.docs) != 3 {
		t.Errorf("with nothing else to release: %+v", r)
	}
	// Where the one that is out does no better, the fitted one goes out, however far its numbers go.
	c.shelf.docs = c.shelf.docs[:1]
	if r := c.night(false); r.Outcome != Published || r.OrdersKept || r.OrderLossNew >= r.OrderLossOld {
		t.Errorf("%+v", r)
	}
}

// customers makes a member with n customers who ordered each week until 40 days ago.
func (c *company) customers(seed uint64, n int) {
	ctx := c.Context()
	id, err := c.st.CreateMember(ctx, store.Member{Tenant: c.row.ID, Name: "M"})
	c.ok(err)
	b := crdttest.NewBook(c, seed, 0)
	d, _, err := c.st.CreateDevice(ctx, id, "phone")
	c.ok(err)
	b.Devices = append(b.Devices, crdt.NewActor(d.ID, 1))
	people := b.Contacts(n)
	b.Write(crdt.ContactsDoc, func(t *automerge.Tx) {
		for _, p := range people {
			c.ok(t.Put(crdt.ContactKey(p, crdt.FieldCreated), automerge.Value{Kind: automerge.KindTimestamp, Num: c.today.AddDate(0, 0, -130).UnixMilli()}))
		}
	})
	for week := range 12 {
		for i, p := range people {
			b.Now = c.today.AddDate(0, 0, -40-7*(11-week)+i%3)
			b.Log(crdt.Entry{Kind: crdt.Order, Contact: p, Evidence: crdt.E1})
		}
	}
	var push []store.Item
	for _, it := range b.Items {
		push = append(push, store.Item{Doc: it.Doc, Change: it.Change})
	}
	ack, err := c.st.Append(ctx, id, push)
	c.ok(err)
	if len(ack.Rejected) > 0 {
		c.Fatalf("%+v", ack.Rejected[0])
	}
}

// TestOfTwoNightsAtATimeOneReleases: the other one says so.
func TestOfTwoNightsAtATimeOneReleases(t *testing.T) {
	c := newCompany(t)
	for m := range uint64(20) {
		c.member(m, 20, false, twiceAsGood)
	}
	var both sync.WaitGroup
	at := make(chan struct{}, 2)
	var reports [2]*Report
	for i := range reports {
		l := Learner{Store: c.st, Shelf: c.shelf, Now: func() time.Time { return c.today }}
		met := false
		l.Rest = func(context.Context, time.Duration) error { // both have read where the playbook stands
			if !met {
				met = true
				at <- struct{}{}
				for len(at) < 2 {
					time.Sleep(time.Millisecond)
				}
			}
			return nil
		}
		both.Go(func() {
			r, err := l.Night(c.Context(), c.row, false)
			c.ok(err)
			reports[i] = r
		})
	}
	both.Wait()
	a, b := reports[0], reports[1]
	if a.Outcome == Overtaken {
		a, b = b, a
	}
	if a.Outcome != Published || b.Outcome != Overtaken || len(c.shelf.docs) != 2 {
		t.Errorf("%+v\n%+v", a, b)
	}

	// A member whose documents are damaged, or hold more than a person's, is left out by name; the others count.
	bad := c.member(77, 20, false, twiceAsGood)
	c.shelf.docs = c.shelf.docs[:1]
	l := Learner{Store: damaged{c.st, bad}, Shelf: c.shelf, Now: func() time.Time { return c.today }}
	r, err := l.Night(c.Context(), c.row, false)
	c.ok(err)
	if r.Members != 21 || r.UnreadCount != 1 || r.Unread[0].Member != bad || !r.Unread[0].Doc.IsLog() || r.Outcome != Published {
		t.Errorf("%+v", r)
	}
	var text strings.Builder
	c.ok(r.Write(&text))
	if !strings.Contains(text.String(), "member "+bad.String()+", log-2026-1") {
		t.Error(text.String())
	}
}

// damaged has a change of a member's log that is none.
type damaged struct {
	*store.SQLite
	bad crdt.MemberID
}

func (d damaged) Since(ctx context.Context, m crdt.MemberID, after uint64, limit, maxBytes int) (store.Page, error) {
	p, err := d.SQLite.Since(ctx, m, after, limit, maxBytes)
	if m == d.bad {
		for i := range p.Changes {
			if p.Changes[i].Doc.IsLog() {
				p.Changes[i].Raw = []byte("none")
				break
			}
		}
	}
	return p, err
}

func TestSamplesAreFairAndBounded(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 1))
	s := sample[uint64]{most: 1000, salt: 1, key: func(salt uint64, v *uint64) uint64 { return mix(salt, *v) }}
	all := make([]uint64, 50_000)
	for i := range all {
		all[i] = uint64(i)
	}
	rnd.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	for i := 0; i < len(all); i += 700 {
		s.add(all[i:min(i+700, len(all))])
	}
	sum := 0.0
	for _, v := range s.all {
		sum += float64(v)
	}
	if mean := sum / float64(len(s.all)); len(s.all) > 1000 || len(s.all) < 500 || s.seen != len(all) || mean < 23_000 || mean > 27_000 {
		t.Errorf("%d kept of %d, mean %.0f", len(s.all), s.seen, mean)
	}
}
