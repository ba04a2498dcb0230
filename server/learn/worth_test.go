package learn

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"trio/crdt"
	"trio/crdt/automerge"
	"trio/crdt/book"
	"trio/crdt/crdttest"
	"trio/ranking"
	"trio/server/fit"
	"trio/server/store"
)

// trade makes a member of whose 20 people 12 become customers, 20 days after they were captured and after a step that was suggested;
// they order each month, and 5 of them become promoters, who go on like that. cents is what an order costs, in a currency.
func (c *company) trade(seed uint64, cents int64, currency string) crdt.MemberID {
	ctx := c.Context()
	id, err := c.st.CreateMember(ctx, store.Member{Tenant: c.row.ID, Name: "M"})
	c.ok(err)
	b := crdttest.NewBook(c, seed, 0)
	d, _, err := c.st.CreateDevice(ctx, id, "phone")
	c.ok(err)
	b.Devices = append(b.Devices, crdt.NewActor(d.ID, 1))
	people := b.Contacts(20)
	began := c.today.AddDate(0, 0, -380)
	b.Write(crdt.ContactsDoc, func(t *automerge.Tx) {
		for _, p := range people {
			b.Put(t, crdt.ContactKey(p, crdt.FieldPhone+"+34600000000"), "mobile")
			c.ok(t.Put(crdt.ContactKey(p, crdt.FieldCreated), automerge.Value{Kind: automerge.KindTimestamp, Num: began.UnixMilli()}))
		}
		for _, p := range people[:5] {
			b.Put(t, crdt.ContactKey(p, crdt.FieldStage), crdt.StagePromoter)
		}
	})
	for i, p := range people {
		b.Now = began.AddDate(0, 0, 1)
		e := crdt.Entry{
			Kind: crdt.Text, Contact: p, Evidence: crdt.E1, Content: book.ContentName(1), Trigger: ranking.NewLead.String(), Playbook: 1,
			P0: 5000, P1: 5000, Outcome: ranking.NoAnswer.String(),
		}
		if i < 16 {
			e.Outcome = ranking.Moved.String()
		}
		b.Log(e)
		for month := range 8 {
			if b.Now = began.AddDate(0, 0, 20+30*month+i%7); i < 12 {
				b.Log(crdt.Entry{Kind: crdt.Order, Contact: p, Evidence: crdt.E4, Value: &crdt.Amount{Cents: cents * int64(90+b.Rnd.IntN(21)) / 100, Currency: currency}})
			}
			if b.Now = b.Now.Add(time.Hour); i < 5 && month == 5 {
				b.Log(crdt.Entry{Kind: crdt.StageChanged, Contact: p, Evidence: crdt.E0, Stage: crdt.StagePromoter})
			}
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

// margin says what of an order is margin.
func (c *company) margin(percent int64) {
	d := *c.shelf.docs[0]
	d.Ranking = copyOf(c.pb)
	d.Ranking.Margin, d.Ranking.Version = percent, 1
	c.shelf.docs, c.pb = c.shelf.docs[:0], d.Ranking
	c.shelf.docs = append(c.shelf.docs, &d)
}

// publishes runs so many nights, each of which has something new.
func (c *company) publishes(nights int) {
	c.Helper()
	for range nights {
		if r := c.night(false); r.Outcome != Published {
			c.Fatalf("%+v", r)
		}
	}
}

func (c *company) newest() *ranking.Playbook { return c.shelf.docs[len(c.shelf.docs)-1].Ranking }

// firstMember is the trigger of the first member on the list who is asked about by a refill or by a question to promote.
func (c *company) firstMember(pb *ranking.Playbook) ranking.TriggerID {
	c.Helper()
	today := ranking.DayOf(c.today.UnixMilli(), 0)
	loyal := ranking.Facts{Contact: ranking.ContactID{1}, Channels: 1 << ranking.Text, Created: ranking.DateOf(today - 400), Stage: ranking.Prospect}
	due := loyal
	due.Contact = ranking.ContactID{2}
	fold := func(f *ranking.Facts, ago ...ranking.Day) {
		var events []ranking.Event
		for _, a := range ago {
			events = append(events, ranking.Event{Kind: ranking.EventOrder, Day: today - a, Cents: 4000})
		}
		f.Fold(events)
	}
	fold(&loyal, 365, 305, 245, 185, 125, 65, 5)
	fold(&due, 240, 180, 120, 60)
	var r ranking.Ranker
	var top [3]ranking.Suggestion
	n := r.Rank(pb, &ranking.Member{}, today, ranking.Members, []ranking.Facts{loyal, due}, &top)
	for _, s := range top[:n] {
		if s.Trigger == ranking.AskPromote || s.Trigger == ranking.RefillDue {
			return s.Trigger
		}
	}
	c.Fatalf("neither is on the list: %+v", top)
	return 0
}

// TestWhatOrdersBringDecides: with the values that people wrote, whose refill is due comes first; a company whose orders bring little
// is first shown who may like to become a promoter.
func TestWhatOrdersBringDecides(t *testing.T) {
	c := newCompany(t)
	for m := range uint64(24) {
		c.trade(m, 2000, "EUR")
	}
	written := c.pb
	if first := c.firstMember(written); first != ranking.RefillDue {
		t.Fatalf("as people wrote it %v is first", first)
	}

	// Nothing is said of a margin: nothing is learnt of what a success is worth.
	c.publishes(1)
	for trigger := range ranking.NumTriggers {
		if was, is := written.Rules[trigger].Value, c.newest().Rules[trigger].Value; was != is {
			t.Errorf("without a margin: %v from %d to %d", trigger, was, is)
		}
	}

	c.margin(50)
	r := c.night(true)
	if r.Outcome != DryRun || r.Earned == nil || r.Currency != "EUR" || r.Earned.Buyers != 24*12 || r.Earned.Reach < .7 || r.Earned.Reach > .8 {
		t.Fatalf("%+v\n%+v", r, r.Earned)
	}
	c.publishes(3)
	pb := c.newest()
	valued := fit.Copy(written)
	for trigger := range valued.Rules {
		valued.Rules[trigger].Value = pb.Rules[trigger].Value
	}
	if first := c.firstMember(valued); first != ranking.AskPromote {
		t.Errorf("by what orders bring %v is first: %+v", first, r.Earned)
	}
	if v := pb.Rules[ranking.RefillDue].Value; v != 2304 { // 4500 less a fifth, three times
		t.Errorf("an order that brings 10.00 is worth %d after three nights", v)
	}
	if v := pb.Rules[ranking.CheckIn].Value; v != written.Rules[ranking.CheckIn].Value {
		t.Errorf("no order says what a chat is worth: %d", v)
	}
	var text strings.Builder
	c.ok(r.Write(&text))
	for _, want := range []string{
		"by orders of 288 customers: an order is 20.", " EUR, of which 50 % are margin", "a customer is worth ", "of 100 prospects ", "of 100 who took a step 75.0",
		"refill_due: 36.00, was 45.00, people wrote 45.00",
	} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("the report does not say %q:\n%s", want, &text)
		}
	}

	// People take the margin out again: at once all is as they wrote it.
	next := *c.shelf.docs[0]
	next.Ranking = copyOf(written)
	next.Version, next.Ranking.Version = uint32(len(c.shelf.docs)+1), uint32(len(c.shelf.docs)+1)
	c.shelf.docs = append(c.shelf.docs, &next)
	c.publishes(1)
	if v := c.newest().Rules[ranking.RefillDue].Value; v != 4500 {
		t.Errorf("a refill is worth %d", v)
	}
}

// TestHostileOrders: of one member whose orders cost millions, and of some who pay in another currency, nobody moves what is learnt by
// more than a sixth.
func TestHostileOrders(t *testing.T) {
	c := newCompany(t)
	for m := range uint64(24) {
		c.trade(m, 8000, "eur")
	}
	c.margin(50)
	clean := c.night(true).Earned
	c.trade(99, 1e11, "EUR")
	for m := range uint64(6) {
		c.trade(50+m, 900_000, "JPY")
	}
	for m := range uint64(3) {
		c.trade(60+m, 8000, "")
	}
	r := c.night(true)
	is := r.Earned
	if r.Currency != "EUR" || is.Buyers < 27*12 || is.Buyers > 28*12 {
		t.Fatalf("%d customers who pay in %q", is.Buyers, r.Currency)
	}
	if x := is.Order / clean.Order; x < .95 || x > 1.17 {
		t.Errorf("an order is %.0f, and was %.0f", is.Order, clean.Order)
	}
	for _, v := range r.Values {
		if d := max(v.Is-v.Was, v.Was-v.Is); 5*d > v.Was+3 {
			t.Errorf("%s moved from %d to %d in a night", v.Trigger, v.Was, v.Is)
		}
	}
}

// TestCurrencies: each member has one vote, whatever it holds.
func TestCurrencies(t *testing.T) {
	var g gathered
	add := func(member byte, n int, orders ...Spent) {
		for i := range n {
			c := customer{member: crdt.MemberID{member}, contact: ranking.ContactID{member, byte(i)}}
			c.spend(orders, 1000)
			g.customers.all = append(g.customers.all, c)
		}
	}
	money := func(code string, day ranking.Day, cents int64) Spent {
		s := Spent{Day: day, Cents: cents}
		copy(s.Currency[:], code)
		return s
	}
	if in := g.currency(); in.String() != "" {
		t.Errorf("nobody pays in %v", in)
	}
	add(1, 200, money("USD", 900, 5))
	add(2, 1, money("EUR", 900, 5))
	add(3, 1, money("EUR", 900, 5), money("EUR", 900, 7), money("USD", 800, 1), money("EUR", 990, 3), money("EUR", 100, 900), money("EUR", 1001, 900))
	add(4, 9, money("", 900, 5))
	if in := g.currency(); in.String() != "EUR" {
		t.Errorf("most pay in %v", in)
	}
	if c := g.customers.all[201]; c.spent != 15 || c.paid != 2 || fmt.Sprint(c.in) != "EUR" {
		t.Errorf("%+v", c)
	}
	if e := g.earned(50, g.currency()); e != nil {
		t.Errorf("four members tell %+v", e)
	}
}
