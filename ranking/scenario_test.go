package ranking

import (
	"slices"
	"strings"
	"testing"
)

// person is a contact with a log, written the short way.
type person struct {
	Facts
	log []Event
}

func someone(n uint64, stage Stage, created Day) *person {
	return &person{Facts: Facts{Contact: id(n), Stage: stage, Channels: personal, Created: DateOf(created)}}
}

func (p *person) with(evs ...Event) *person {
	p.log = append(p.log, evs...)
	p.Fold(p.log)
	return p
}

func ordered(days ...Day) (evs []Event) {
	for _, d := range days {
		evs = append(evs, Event{Kind: EventOrder, Day: d, Cents: 4900})
	}
	return evs
}

func touched(day Day, o Outcome) Event {
	return Event{Kind: EventTouch, Day: day, Channel: Call, Outcome: o}
}

func acted(day Day, s Suggestion, o Outcome) Event {
	return Event{Kind: EventTouch, Day: day, Channel: s.Channel, Outcome: o, Prompted: true, Trigger: s.Trigger, Content: s.Content}
}

func top(day Day, list List, people ...*person) []Suggestion {
	var r Ranker
	var out [3]Suggestion
	facts := make([]Facts, len(people))
	for i, p := range people {
		facts[i] = p.Facts
	}
	return append([]Suggestion(nil), out[:r.Rank(DefaultPlaybook(), &Member{Seed: 1}, day, list, facts, &out)]...)
}

func say(r Reason, lang string) string { return DefaultPlaybook().Sentence(r, lang) }

// wantOnly checks that exactly one suggestion comes, with the trigger, and returns it.
func wantOnly(t *testing.T, three []Suggestion, want TriggerID) Suggestion {
	t.Helper()
	if len(three) != 1 || three[0].Trigger != want {
		t.Fatalf("suggestions %+v, want one of %v", three, want)
	}
	return three[0]
}

func wantNone(t *testing.T, three []Suggestion, why string) {
	t.Helper()
	if len(three) != 0 {
		t.Fatalf("%s: suggestions %+v, want none", why, three)
	}
}

const d0 = firstDay

func TestR58JoannaIsAskedAboutARefillFromDay45(t *testing.T) {
	joanna := func() *person { return someone(1, Customer, d0).with(ordered(d0)...) }

	for _, s := range top(d0+44, Members, joanna()) {
		t.Errorf("on day 44: %v", s.Trigger)
	}
	s := wantOnly(t, top(d0+45, Members, joanna()), RefillDue)
	wantNone(t, top(d0+45, Prospects, joanna()), "on the other list")

	pb := DefaultPlaybook()
	if s.Channel != Text || s.List != Members {
		t.Errorf("by %v on %v, want a text on members", s.Channel, s.List)
	}
	if got := pb.Step(s.Trigger, s.Channel, "en", "Joanna"); got != "Text Joanna about a refill" {
		t.Errorf("step %q", got)
	}
	if got := say(s.Reasons[0], "en"); got != "customers usually reorder after 60 days, last order 45 days ago" {
		t.Errorf("reason %q", got)
	}
	for ct := range pb.Rules[RefillDue].Contents {
		if w := pb.Wording(RefillDue, Text, uint16(ct), "en", "Ann", "Rosa", 5); !strings.Contains(w, "last order") || !strings.Contains(w, "refill") {
			t.Errorf("wording %d asks neither how the order goes nor for a refill: %q", ct, w)
		}
	}
	if s.Deadline != d0+120 || s.Expiry != d0+119 {
		t.Errorf("deadline %v, expiry %v, want when it lapses, %v", s.Deadline, s.Expiry, d0+120)
	}
}

func TestR58JoannaIsClearedByAnOrderATouchOrASnooze(t *testing.T) {
	joanna := func() *person { return someone(1, Customer, d0).with(ordered(d0)...) }
	asked := wantOnly(t, top(d0+45, Members, joanna()), RefillDue)

	wantNone(t, top(d0+45, Members, joanna().with(ordered(d0+45)...)), "ordered")
	for _, touch := range []Event{touched(d0+45, Answered), touched(d0+45, NoOutcome), acted(d0+45, asked, NoOutcome)} {
		p := joanna().with(touch)
		for day := d0 + 45; day < d0+59; day++ {
			wantNone(t, top(day, Members, p), "touched on "+touch.Day.String()+", now "+day.String())
		}
		again := wantOnly(t, top(d0+59, Members, p), RefillDue)
		if touch.Prompted && again.Content == asked.Content {
			t.Error("the same message twice running")
		}
	}
	p := joanna()
	p.Snooze = DateOf(d0 + 50)
	wantNone(t, top(d0+49, Members, p), "snoozed")
	wantOnly(t, top(d0+50, Members, p), RefillDue)

	p = joanna().with(Event{Kind: EventSkipped, Day: d0 + 45})
	wantNone(t, top(d0+45, Members, p), "skipped today")
	wantOnly(t, top(d0+46, Members, p), RefillDue)
}

func TestOwnCycleOpensAtThreeQuartersLapsesAtTwiceAndLetsGo(t *testing.T) {
	var orders []Event
	last := d0
	for i := range 13 {
		last = d0 + Day(28*i)
		orders = append(orders, ordered(last)...)
	}
	p := someone(1, Customer, d0).with(orders...)
	pb := DefaultPlaybook()
	c, _ := pb.Reorder.Cycle(last, &p.Facts)
	// Twelve gaps of 28 days are a rhythm of one's own, in which the company's 60 have no say: three quarters of 28 are 21,
	// twice 28 are 56.
	if c.Gap != 28 || c.Own != 28 || c.Due != last+28 {
		t.Fatalf("cycle %+v, want 28 days", c)
	}
	open := last + 21
	// Before: such a customer may be asked to promote, but not about a refill.
	for _, s := range top(open-1, Members, p) {
		if s.Trigger == RefillDue || s.Trigger == Lapsed {
			t.Errorf("%v a day early", s.Trigger)
		}
	}
	due := func(day Day) (found TriggerID, s Suggestion) {
		// The loyal customer has been asked to promote, so only the cycle speaks.
		q := someone(1, Customer, d0).with(append(orders[:len(orders):len(orders)], Event{Kind: EventDismissed, Day: day - 1, Trigger: AskPromote})...)
		three := top(day, Members, q)
		if len(three) == 0 {
			return NumTriggers, s
		}
		return three[0].Trigger, three[0]
	}
	if got, _ := due(open); got != RefillDue {
		t.Errorf("on %v: %v, want refill_due", open, got)
	}
	if got, s := due(last + 45); got != RefillDue || say(s.Reasons[0], "en") != "usually every 28 days, last 45 days ago" ||
		say(s.Reasons[0], "es") != "suele pedir cada 28 días, la última vez hace 45 días" {
		t.Errorf("on day 45: %v because %q", got, say(s.Reasons[0], "en"))
	}
	if got, _ := due(last + 55); got != RefillDue {
		t.Errorf("a day before twice the cycle: %v, want refill_due", got)
	}
	if got, _ := due(last + 56); got != Lapsed {
		t.Errorf("at twice the cycle: %v, want lapsed", got)
	}
	letGo := Day(0)
	for day := last + 56; day < last+2000; day++ {
		c, _ := pb.Reorder.Cycle(day, &p.Facts)
		if c.Alive < pb.Reorder.LetGo {
			letGo = day
			break
		}
	}
	if letGo == 0 {
		t.Fatal("never let go")
	}
	for day := letGo; day < letGo+800; day += 7 {
		if got, _ := due(day); got != NumTriggers {
			t.Fatalf("%v on %v, after the customer was let go on %v", got, day, letGo)
		}
	}
}

func TestR59TomIsOfferedAnIntroduction(t *testing.T) {
	tom := someone(2, Prospect, d0-40).with(
		touched(d0-20, Answered),
		Event{Kind: EventRegistered, Day: d0 - 3, For: d0},
		Event{Kind: EventAttended, Day: d0})
	s := wantOnly(t, top(d0, Prospects, tom), WebinarFollow)
	if s.Channel != Text {
		t.Errorf("by %v, want a message", s.Channel)
	}
	w := DefaultPlaybook().Wording(s.Trigger, s.Channel, s.Content, "en", "Ann", "Rosa", 5)
	if !strings.Contains(w, "introduce") || !strings.Contains(w, "a moment today") {
		t.Errorf("wording %q offers no introduction or asks for no moment today", w)
	}
	if got := say(s.Reasons[0], "en"); got != "attended the webinar today" {
		t.Errorf("reason %q", got)
	}
	// Enrolled: off the list, history kept, on the other list with what comes next.
	tom.with(touched(d0, Enrolled))
	wantNone(t, top(d0+3, Prospects, tom), "enrolled")
	if tom.Stage != Customer || tom.AttendedDay != DateOf(d0) || tom.TouchCount != 2 {
		t.Errorf("after enrolment: %+v", tom.Facts)
	}
	tom.with(ordered(d0 + 4)...)
	if s := wantOnly(t, top(d0+4, Members, tom), FirstOrder); s.List != Members {
		t.Errorf("on %v", s.List)
	}
}

func TestR59TheAbsentGetAnotherPromptOnlyOnceTheWebinarHasPassed(t *testing.T) {
	p := someone(2, Prospect, d0-40).with(
		touched(d0-20, Answered),
		Event{Kind: EventRegistered, Day: d0 - 10, For: d0})
	for _, day := range []Day{d0 - 10, d0 - 1, d0} {
		for _, s := range top(day, Prospects, p) {
			if s.Trigger == WebinarAbsent || s.Trigger == WebinarFollow {
				t.Errorf("%v on %v, before the webinar had passed", s.Trigger, day)
			}
		}
	}
	s := wantOnly(t, top(d0+1, Prospects, p), WebinarAbsent)
	pb := DefaultPlaybook()
	if pb.Wording(s.Trigger, s.Channel, s.Content, "en", "Ann", "Rosa", 5) == pb.Wording(WebinarFollow, s.Channel, 0, "en", "Ann", "Rosa", 5) {
		t.Error("the absent get the words for those who attended")
	}
	p.with(Event{Kind: EventAttended, Day: d0})
	wantOnly(t, top(d0+1, Prospects, p), WebinarFollow)
}

func TestR60ANewLeadIsATopCall(t *testing.T) {
	tom := someone(2, Prospect, d0-40).with(touched(d0-20, Answered), Event{Kind: EventAttended, Day: d0 - 1})
	watcher := someone(3, Prospect, d0-40).with(touched(d0-20, Answered), Event{Kind: EventWatched, Day: d0 - 1})
	for name, lead := range map[string]*person{
		"form":    someone(4, Prospect, d0).with(Event{Kind: EventForm, Day: d0}),
		"capture": someone(4, Prospect, d0),
	} {
		three := top(d0, Prospects, tom, lead, watcher)
		if len(three) != 3 || three[0].Trigger != NewLead || three[0].Channel != Call || three[0].Contact != lead.Contact {
			t.Errorf("%s: %+v, want a call to the new lead first", name, three)
		}
	}
	// A lead that was not reached is tried again after the cool-down, in other words; one that was reached is not new.
	lead := someone(4, Prospect, d0).with(Event{Kind: EventForm, Day: d0})
	first := wantOnly(t, top(d0, Prospects, lead), NewLead)
	lead.with(acted(d0, first, NoAnswer))
	wantNone(t, top(d0+3, Prospects, lead), "in cool-down")
	if again := wantOnly(t, top(d0+4, Prospects, lead), NewLead); again.Content == first.Content {
		t.Error("the same words again")
	}
	lead.with(touched(d0+4, Answered))
	wantNone(t, top(d0+8, Prospects, lead), "reached")
}

func TestR61NotReadyIsInvitedToTheNextStep(t *testing.T) {
	p := someone(5, Prospect, d0-10).with(touched(d0, NotReady))
	for day := d0; day < d0+3; day++ {
		wantNone(t, top(day, Prospects, p), "just touched")
	}
	s := wantOnly(t, top(d0+3, Prospects, p), NextStep)
	pb := DefaultPlaybook()
	words := pb.Wording(NextStep, s.Channel, 0, "en", "Ann", "Rosa", 5) + pb.Wording(NextStep, s.Channel, 1, "en", "Ann", "Rosa", 5)
	if !strings.Contains(words, "video") || !strings.Contains(words, "webinar") {
		t.Errorf("neither video nor webinar: %q", words)
	}
}

func TestR62WatchingBringsAFollowUp(t *testing.T) {
	for kind, want := range map[EventKind]ReasonCode{EventWatched: WatchedAgo, EventClicked: ClickedAgo} {
		p := someone(6, Prospect, d0-40).with(touched(d0-20, Answered), Event{Kind: kind, Day: d0})
		if s := wantOnly(t, top(d0+1, Prospects, p), Watched); s.Reasons[0] != (Reason{Code: want, Args: [3]int64{1}, Score: s.Reasons[0].Score}) {
			t.Errorf("reason %+v, want %v", s.Reasons[0], want)
		}
	}
}

func TestAPromiseStandsAboveScoringOnItsDay(t *testing.T) {
	var people []*person
	for i := range uint64(5) {
		people = append(people, someone(10+i, Prospect, d0).with(Event{Kind: EventForm, Day: d0}))
	}
	// "Call me on Tuesday", said yesterday, after four touches in a month: rest and cap do not hold against it.
	p := someone(7, Prospect, d0-90).with(touched(d0-20, NoAnswer), touched(d0-15, NoAnswer), touched(d0-8, NoAnswer),
		touched(d0-1, Answered), Event{Kind: EventPromise, Day: d0 - 1, For: d0})
	wantNone(t, top(d0-1, Prospects, p), "before its day")
	three := top(d0, Prospects, append(people, p)...)
	if len(three) != 3 || three[0].Contact != p.Contact || three[0].Trigger != PromisedFollow || say(three[0].Reasons[0], "en") != "you promised to get back today" {
		t.Fatalf("%+v, want the promise first", three)
	}
	wantOnly(t, top(d0+2, Prospects, p), PromisedFollow)
	p.with(touched(d0+2, Answered))
	wantNone(t, top(d0+3, Prospects, p), "kept")

	// It also stands above what else could be done for the same contact.
	p = someone(7, Prospect, d0).with(Event{Kind: EventForm, Day: d0}, Event{Kind: EventPromise, Day: d0, For: d0})
	p.Tries[Call] = 8 // calls go unanswered: the promise is worth less than it was
	wantOnly(t, top(d0, Prospects, p), PromisedFollow)

	p = someone(7, Customer, d0-90).with(Event{Kind: EventPromise, Day: d0 - 1, For: d0})
	wantOnly(t, top(d0, Members, p), PromisedFollow)
	p.Consent = OptedOut
	wantNone(t, top(d0, Members, p), "opted out")
}

func TestR50ThreeAtMostTwoOfATriggerOneOfAHousehold(t *testing.T) {
	var people []*person
	for i := range uint64(20) {
		people = append(people, someone(i, Prospect, d0))
	}
	if three := top(d0, Prospects, people...); len(three) != 2 {
		t.Errorf("%d suggestions of one trigger, want 2", len(three))
	}
	for i := range uint64(20) {
		people = append(people, someone(100+i, Prospect, d0-40).with(touched(d0-20, Answered), Event{Kind: EventAttended, Day: d0 - 1}))
	}
	if three := top(d0, Prospects, people...); len(three) != 3 || three[2].Trigger != WebinarFollow {
		t.Errorf("%+v, want two new leads and a follow-up", three)
	}
	for _, p := range people {
		p.Household = id(999)
	}
	if three := top(d0, Prospects, people...); len(three) != 1 {
		t.Errorf("%d of one household, want 1", len(three))
	}
	// A household named after one of its members is the same as that member's own.
	a, b := someone(1, Prospect, d0), someone(2, Prospect, d0)
	b.Household = a.Contact
	if three := top(d0, Prospects, a, b); len(three) != 1 {
		t.Errorf("%d of one household, want 1", len(three))
	}
}

func TestR50FewerThanThreeAboveTheGateAreFewerAndNoneIsNone(t *testing.T) {
	wantNone(t, top(d0, Prospects), "no contacts")
	cold := someone(1, Prospect, d0-400)
	wantNone(t, top(d0, Prospects, cold), "cold for a year")
	wantOnly(t, top(d0, Prospects, cold, someone(2, Prospect, d0)), NewLead)
}

func TestHardRules(t *testing.T) {
	lead := func() *person { return someone(1, Prospect, d0-5).with(Event{Kind: EventForm, Day: d0}) }
	wantOnly(t, top(d0, Prospects, lead()), NewLead)

	p := lead()
	p.Consent = OptedOut
	wantNone(t, top(d0, Prospects, p), "opted out")
	p = lead()
	p.Channels = 0
	wantNone(t, top(d0, Prospects, p), "no way to reach")
	p = lead()
	p.Channels = 1 << Text
	if s := wantOnly(t, top(d0, Prospects, p), NewLead); s.Channel != Text {
		t.Errorf("by %v, want the only way there is", s.Channel)
	}

	touchedAt := func(days ...Day) *person {
		p := someone(1, Prospect, d0-50)
		for _, d := range days {
			p.with(touched(d, NoAnswer))
		}
		return p.with(Event{Kind: EventForm, Day: d0})
	}
	wantNone(t, top(d0, Prospects, touchedAt(d0-2)), "two days after a touch")
	wantOnly(t, top(d0, Prospects, touchedAt(d0-3)), NewLead)
	wantNone(t, top(d0, Prospects, touchedAt(d0-29, d0-20, d0-12, d0-4)), "four touches in 30 days")
	wantOnly(t, top(d0, Prospects, touchedAt(d0-30, d0-20, d0-12, d0-4)), NewLead)

	dismiss := func(p *person, d Day) *person { return p.with(Event{Kind: EventDismissed, Day: d, Trigger: RefillDue}) }
	p = dismiss(someone(2, Customer, d0).with(ordered(d0)...), d0+45)
	wantNone(t, top(d0+58, Members, p), "dismissed 13 days ago")
	wantOnly(t, top(d0+59, Members, p), RefillDue)
	dismiss(dismiss(p, d0+59), d0+59) // on two devices: once
	wantNone(t, top(d0+86, Members, p), "dismissed for the second time 27 days ago")
	wantOnly(t, top(d0+87, Members, p), RefillDue)
}

func TestTiesGoToTheEarlierDeadlineThenTakeTurns(t *testing.T) {
	first := map[ContactID]int{}
	for day := d0; day < d0+200; day++ {
		var people []*person
		for i := range uint64(4) {
			people = append(people, someone(i, Prospect, day))
		}
		first[top(day, Prospects, people...)[0].Contact]++
	}
	for i := range uint64(4) {
		if n := first[id(i)]; n < 30 || n > 70 {
			t.Errorf("contact %d was first on %d of 200 days, want about 50", i, n)
		}
	}
	facts := []Facts{{Contact: id(1)}, {Contact: id(2)}}
	early, late, none := candidate{ev: 5, deadline: 10}, candidate{fact: 1, ev: 5, deadline: 11}, candidate{fact: 1, ev: 5}
	for _, later := range []*candidate{&late, &none} {
		if !before(1, d0, facts, &early, later) || before(1, d0, facts, later, &early) {
			t.Errorf("the deadline %v does not come before %v", early.deadline, later.deadline)
		}
	}
}

func TestReasonsSpeakForTheStepWithNumbers(t *testing.T) {
	p := someone(1, Prospect, d0-100)
	for i := range Day(4) {
		o := Answered
		if i == 0 {
			o = NoAnswer
		}
		p.with(Event{Kind: EventTouch, Day: d0 - 90 + 10*i, Channel: Text, Outcome: o})
	}
	p.with(Event{Kind: EventClicked, Day: d0 - 5}, Event{Kind: EventAttended, Day: d0})
	s := wantOnly(t, top(d0, Prospects, p), WebinarFollow)
	var got []string
	for _, r := range s.Reasons[:s.NReasons] {
		got = append(got, say(r, "en"), say(r, "es-MX"))
	}
	want := "attended the webinar today|asistió al webinar hoy|last conversation 60 days ago|última conversación hace 60 días|" +
		"answers texts: 3 of 4|responde por mensaje: 3 de 4"
	if strings.Join(got, "|") != want {
		t.Errorf("reasons %q, want %q", got, strings.Split(want, "|"))
	}
}

func TestTermsOfChannelAndWordsAreNeverShown(t *testing.T) {
	pb := DefaultPlaybook()
	pb.Rules[NewLead].Contents[2].Arm[Call] = 900
	facts := []Facts{someone(1, Prospect, d0).Facts}
	var r Ranker
	var out [3]Suggestion
	if n := r.Rank(pb, &Member{Seed: 1}, d0, Prospects, facts, &out); n != 1 || out[0].Content != 2 {
		t.Fatalf("%+v, want the better content", out[:n])
	}
	terms := pb.Terms(&Member{Seed: 1}, d0, &facts[0], &out[0])
	if len(terms) != 2 || terms[1] != (Reason{Code: ByContent, Args: [3]int64{2}, Score: 900}) || out[0].NReasons != 1 {
		t.Errorf("terms %+v, reasons %+v", terms, out[0].Reasons)
	}
	out[0].Content = 99
	if pb.Terms(&Member{Seed: 1}, d0, &facts[0], &out[0]) != nil || pb.Terms(&Member{Seed: 1}, d0, &facts[0], &Suggestion{Trigger: RefillDue}) != nil {
		t.Error("terms of a suggestion that cannot be")
	}
}

func TestImportedContactWithAPastIsNoNewLead(t *testing.T) {
	fresh := someone(1, Prospect, d0)
	wantOnly(t, top(d0, Prospects, fresh), NewLead)
	known := someone(1, Prospect, d0).with(Event{Kind: EventTouch, Day: d0 - 60, Channel: Call, Outcome: Answered})
	for _, s := range top(d0, Prospects, known) {
		if s.Trigger == NewLead {
			t.Errorf("a contact spoken to 60 days before the import is greeted as a new lead: %+v", s)
		}
	}
}

// few returns a customer who ordered every gap days, the last time on d0.
func few(orders int, gap Day) *person {
	p := someone(1, Customer, d0-Day(orders-1)*gap)
	for i := range orders {
		p.with(ordered(d0 - Day(orders-1-i)*gap)...)
	}
	return p
}

func TestTheNumberShownExplainsWhyItIsDue(t *testing.T) {
	for _, c := range []struct {
		orders int
		gap    Day
		due    Day // days after the last order
		want   string
	}{
		// Three gaps of 20 decide alone: 75 % of 20 are 15 days.
		{4, 20, 15, "usually every 20 days, last 15 days ago"},
		// One gap of 20 and two of the company's 60: 20^(1/3)·60^(2/3) = 41.6, 75 % of 42 are 31.5 days.
		{2, 20, 32, "customers with orders like these usually reorder after 42 days, last order 32 days ago"},
		// Two gaps of 50 and two of 60: (50·60)^(1/2) = 54.8, within a fifth of 50; 75 % of 55 are 41.25 days.
		{3, 50, 42, "usually every 50 days, last 42 days ago"},
		{1, 0, 45, "customers usually reorder after 60 days, last order 45 days ago"},
	} {
		for _, s := range top(d0+c.due-1, Members, few(c.orders, c.gap)) {
			if s.Trigger == RefillDue {
				t.Errorf("%d orders, %d days apart: due a day before day %d", c.orders, c.gap, c.due)
			}
		}
		s := wantOnly(t, top(d0+c.due, Members, few(c.orders, c.gap)), RefillDue)
		if got := say(s.Reasons[0], "en"); got != c.want {
			t.Errorf("%d orders, %d days apart: %q, want %q", c.orders, c.gap, got, c.want)
		}
		for _, r := range s.Reasons[:s.NReasons] {
			if r.Code == OrderLikely {
				t.Error("tells how likely an order is without asking")
			}
		}
	}
}

func TestWhoIsDueIsNotAskedToPromote(t *testing.T) {
	p := few(5, 28)
	wantOnly(t, top(d0+20, Members, p), AskPromote)
	for day := d0 + 21; day < d0+60; day++ { // 75 % of 28 are 21
		for _, s := range top(day, Members, p) {
			if s.Trigger == AskPromote {
				t.Fatalf("asked to promote on day %d of 28", day-d0)
			}
		}
	}
}

func TestItHasBeenAWhileOnlyAfterThirtyDaysWithoutATouch(t *testing.T) {
	p := few(5, 28).with(touched(d0+40, NoAnswer)) // lapsed from day 56 on
	for day := d0 + 56; day < d0+70; day++ {
		wantNone(t, top(day, Members, p), "in touch "+say(Reason{Code: QuietDays, Args: [3]int64{int64(day - d0 - 40)}}, "en"))
	}
	wantOnly(t, top(d0+70, Members, p), Lapsed)
}

func TestImportsOnlyFillTheList(t *testing.T) {
	var people []*person
	for i := range uint64(50) {
		p := someone(100+i, Prospect, d0)
		p.Imported = true
		people = append(people, p.with())
	}
	three := top(d0, Prospects, people...)
	if len(three) != 2 || three[0].Trigger != Nurture || three[1].Trigger != Nurture {
		t.Fatalf("%+v, want two of the import, no new lead", three)
	}
	s := three[0]
	pb := DefaultPlaybook()
	if en, es := say(s.Reasons[0], "en"), say(s.Reasons[0], "es"); en != "in your book, not yet contacted" || es != "en tu agenda, todavía sin contactar" {
		t.Errorf("reason %q, %q", en, es)
	}
	if w := pb.Wording(s.Trigger, s.Channel, s.Content, "en", "Ann", "Rosa", 5); w != "Hi Ann, it's Rosa. I've been meaning to get in touch with you. How are things with you?" {
		t.Errorf("wording %q", w)
	}
	fresh := someone(1, Prospect, d0)
	if three = top(d0, Prospects, append(people, fresh)...); len(three) != 3 || three[0].Contact != fresh.Contact || three[0].Trigger != NewLead {
		t.Errorf("%+v, want the captured contact first, then two of the import", three)
	}
	// Whoever was captured or came to the webinar stands above every import for as long as it is shown at all.
	for kind, others := range map[string]*person{
		"capture": someone(1, Prospect, d0),
		"mail":    {Facts: Facts{Contact: id(1), Channels: 1 << Email, Created: DateOf(d0)}},
		"webinar": someone(1, Prospect, d0).with(Event{Kind: EventAttended, Day: d0}),
	} {
		for day := d0; day < d0+31; day++ {
			if len(top(day, Prospects, others)) == 0 {
				continue
			}
			if three := top(day, Prospects, append(people, others)...); three[0].Contact != others.Contact {
				t.Fatalf("%s after %d days: %+v, want it before the imports", kind, day-d0, three)
			}
		}
	}
	// With a form it is a lead like any other; once contacted it rests like any other.
	p := someone(1, Prospect, d0-100)
	p.Imported = true
	wantOnly(t, top(d0, Prospects, p.with(Event{Kind: EventForm, Day: d0})), NewLead)
	p = someone(1, Prospect, d0)
	p.Imported = true
	p.with(touched(d0, NoAnswer))
	for day := d0; day < d0+21; day++ {
		wantNone(t, top(day, Prospects, p), "an import that was called")
	}
	if s := wantOnly(t, top(d0+21, Prospects, p), Nurture); say(s.Reasons[0], "en") != "last try 21 days ago, no conversation noted yet" {
		t.Errorf("reason %q", say(s.Reasons[0], "en"))
	}
}

func TestThanksForTheInterestGoesToWhoFilledInAForm(t *testing.T) {
	pb := DefaultPlaybook()
	for _, c := range []struct {
		p    *person
		want string
	}{
		{someone(1, Prospect, d0).with(Event{Kind: EventForm, Day: d0}), "Thanks for reaching out!"},
		{someone(1, Prospect, d0), "It was good to meet you!"},
	} {
		seen := map[uint16]bool{}
		for day := d0; day < d0+30; day++ {
			for _, s := range top(day, Prospects, c.p) {
				if s.Trigger != NewLead {
					continue
				}
				w := pb.Wording(s.Trigger, s.Channel, s.Content, "en", "Ann", "Rosa", 5)
				if seen[s.Content] || strings.Contains(w, c.want) != (len(seen) == 0) || strings.Contains(w, "Thanks for") != (len(seen) == 0 && c.p.FormDay != 0) {
					t.Errorf("after %d other messages: %q", len(seen), w)
				}
				seen[s.Content] = true
				c.p.with(acted(day, s, NoAnswer))
			}
		}
		if len(seen) != 3 {
			t.Errorf("%d messages, want 3", len(seen))
		}
	}
}

func TestPeopleAreMetOnlyWhenThereIsNoOtherWayOrItHasWorked(t *testing.T) {
	for have := range uint8(1 << NumChannels) {
		p := someone(1, Prospect, d0)
		p.Channels = have
		for _, s := range top(d0, Prospects, p) {
			if s.Channel == InPerson && have != 1<<InPerson {
				t.Errorf("to be seen in person, although the ways are %04b", have)
			}
		}
	}
	p := someone(1, Prospect, d0)
	p.Channels = 1 << InPerson
	if s := wantOnly(t, top(d0, Prospects, p), NewLead); s.Channel != InPerson {
		t.Errorf("by %v", s.Channel)
	}
	// Calls were never answered, a meeting was.
	p = someone(1, Prospect, d0-60)
	for i := range Day(6) {
		p.with(touched(d0-60+i, NoAnswer))
	}
	p.with(Event{Kind: EventTouch, Day: d0 - 50, Channel: InPerson, Outcome: Answered},
		Event{Kind: EventPromise, Day: d0 - 50, For: d0})
	p.Channels = 1<<Call | 1<<InPerson
	if s := wantOnly(t, top(d0, Prospects, p), PromisedFollow); s.Channel != InPerson {
		t.Errorf("by %v, want in person", s.Channel)
	}
}

func TestTheWebinarIsNoNewsAfterAWeek(t *testing.T) {
	pb := DefaultPlaybook()
	for _, evs := range [][]Event{
		{{Kind: EventAttended, Day: d0}},
		{{Kind: EventRegistered, Day: d0 - 1, For: d0}},
	} {
		for day := d0 + 1; day < d0+20; day++ {
			p := someone(1, Prospect, d0-40).with(touched(d0-20, Answered)).with(evs...)
			s := wantOnly(t, top(day, Prospects, p), []TriggerID{EventAttended: WebinarFollow, EventRegistered: WebinarAbsent}[evs[0].Kind])
			if want := day-d0 <= 7; (s.Content == 0) != want {
				w := pb.Wording(s.Trigger, s.Channel, s.Content, "en", "Tom", "Rosa", 5)
				t.Errorf("%d days later: %q", day-d0, w)
			}
		}
	}
}

func TestAConversationIsNotToldTwice(t *testing.T) {
	codes := func(s Suggestion) (all []ReasonCode) {
		for _, r := range s.Reasons[:s.NReasons] {
			all = append(all, r.Code)
		}
		return all
	}
	p := someone(1, Prospect, d0-100).with(touched(d0-40, Answered), touched(d0-30, NoAnswer))
	if s := wantOnly(t, top(d0-8, Prospects, p), Nurture); s.Reasons[0].Args[0] != 22 || slices.Contains(codes(s), SpokeAgo) {
		t.Errorf("reasons %+v", s.Reasons)
	}
	// What the contact did is no contact: last in touch is the touch.
	p = someone(1, Promoter, d0-100).with(touched(d0-50, Answered)).with(ordered(d0 - 25)...)
	p.with(Event{Kind: EventDismissed, Day: d0 - 1, Trigger: RefillDue})
	if s := wantOnly(t, top(d0, Members, p), CheckIn); say(s.Reasons[0], "en") != "last in touch 50 days ago" {
		t.Errorf("reason %q", say(s.Reasons[0], "en"))
	}
	// The order on the day of the call is the step forward.
	p = someone(1, Customer, d0-100).with(ordered(d0 - 5)[0], touched(d0-5, Moved))
	if s := wantOnly(t, top(d0, Members, p), FirstOrder); slices.Contains(codes(s), MovedAgo) {
		t.Errorf("reasons %+v", s.Reasons)
	}
	own := Reason{Code: FirstOrderAgo, Args: [3]int64{5}}
	if beside(&Reason{Code: MovedAgo, Args: [3]int64{5}}, &own) || !beside(&Reason{Code: MovedAgo, Args: [3]int64{6}}, &own) {
		t.Error("a step forward is told twice or not at all")
	}
}

func TestConsent(t *testing.T) {
	people := func(c Consent) []*person {
		all := []*person{
			someone(1, Prospect, d0), someone(2, Prospect, d0-40).with(Event{Kind: EventAttended, Day: d0}),
			someone(3, Customer, d0-60).with(ordered(d0 - 50)...),
			someone(4, Promoter, d0-60).with(Event{Kind: EventPromise, Day: d0 - 4, For: d0}),
		}
		for _, p := range all {
			p.Consent = c
		}
		return all
	}
	for _, list := range []List{Prospects, Members} {
		if n := len(top(d0, list, people(ConsentUnknown)...)); n != 2 {
			t.Errorf("%d of 2 suggested on %v while consent is unknown", n, list)
		}
		wantNone(t, top(d0, list, people(OptedOut)...), "opted out")
	}
}

// Words to somebody with whom there was no conversation do not speak of one, nor of a meeting.
func TestWordsAfterSilenceAreTrue(t *testing.T) {
	pb := DefaultPlaybook()
	before := []string{"It's been a while", "talked", "catch up", "again", "once more", "Cuánto tiempo", "hablamos", "sin hablar", "otra vez", "de nuevo", "al día"}
	bought := ordered(d0-330, d0-280, d0-230, d0-180)
	for name, x := range map[string]struct {
		p      *person
		tr     TriggerID
		reason string
		least  int  // so many contents at least, so that a second and a third try have words of their own
		again  bool // they heard from the promoter before, though nothing came of it
		spoke  bool // … and there was a conversation
	}{
		"prospect, never contacted": {p: someone(1, Prospect, d0-60), tr: Nurture, reason: "added 60 days ago, not yet contacted", least: 2},
		"prospect, tried": {
			p: someone(1, Prospect, d0-200).with(touched(d0-60, NoAnswer)), tr: Nurture, least: 3, again: true,
			reason: "last try 60 days ago, no conversation noted yet",
		},
		"prospect, written to without an outcome": {
			p: someone(1, Prospect, d0-200).with(touched(d0-60, NoOutcome)), tr: Nurture, least: 3, again: true,
			reason: "last try 60 days ago, no conversation noted yet",
		},
		"prospect, spoken to": {
			p: someone(1, Prospect, d0-200).with(touched(d0-60, Answered)), tr: Nurture, least: 3, again: true, spoke: true,
			reason: "last in touch 60 days ago",
		},
		"customer, never contacted": {p: someone(1, Customer, d0-330).with(bought...), tr: Lapsed, least: 2},
		"customer, tried":           {p: someone(1, Customer, d0-330).with(bought...).with(touched(d0-90, NoAnswer)), tr: Lapsed, least: 2, again: true},
		"customer, spoken to":       {p: someone(1, Customer, d0-330).with(bought...).with(touched(d0-90, Answered)), tr: Lapsed, least: 2, again: true, spoke: true},
		"promoter, never contacted": {p: someone(1, Promoter, d0-60), tr: CheckIn, least: 2},
		"promoter, tried": {
			p: someone(1, Promoter, d0-200).with(touched(d0-60, NoAnswer)), tr: CheckIn, least: 2, again: true,
			reason: "last try 60 days ago, no conversation noted yet",
		},
	} {
		contents := map[uint16]bool{}
		said := false
		pb.Steps(d0, &x.p.Facts, func(s *Step) bool {
			if s.Trigger != x.tr {
				return true
			}
			contents[s.Content] = true
			for _, lang := range []string{"en", "es"} {
				words := pb.Wording(s.Trigger, s.Channel, s.Content, lang, "Ana", "Rosa", 60)
				for _, w := range before {
					if !strings.Contains(words, w) {
						continue
					}
					said = true
					if !x.spoke && (!x.again || w != "once more" && w != "otra vez") {
						t.Errorf("%s: %q", name, words)
					}
				}
			}
			return true
		})
		if len(contents) < x.least {
			t.Errorf("%s: contents %v, want %d", name, contents, x.least)
		}
		if x.spoke && x.tr == Nurture && !said {
			t.Errorf("%s: no words say that it was a while", name)
		}
		if x.reason == "" {
			continue
		}
		list := Members
		if x.tr == Nurture {
			list = Prospects
		}
		if got := say(wantOnly(t, top(d0, list, x.p), x.tr).Reasons[0], "en"); got != x.reason {
			t.Errorf("%s: reason %q, want %q", name, got, x.reason)
		}
	}
}

// Which words go first is learnt, so none that may be the first on the day itself speak of a try, or of days, that were not.
func TestFirstWordsAreTrueWhicheverGoFirst(t *testing.T) {
	pb := DefaultPlaybook()
	for name, p := range map[string]*person{
		"form":        someone(1, Prospect, d0).with(Event{Kind: EventForm, Day: d0}),
		"captured":    someone(2, Prospect, d0).with(),
		"first order": someone(3, Customer, d0).with(ordered(d0)...),
		"attended":    someone(4, Prospect, d0-9).with(Event{Kind: EventAttended, Day: d0}),
		"watched":     someone(5, Prospect, d0-9).with(Event{Kind: EventWatched, Day: d0}),
	} {
		said := 0
		pb.Steps(d0, &p.Facts, func(s *Step) bool {
			for _, lang := range []string{"en", "es"} {
				words := pb.Wording(s.Trigger, s.Channel, s.Content, lang, "Ana", "Rosa", 0)
				said++
				for _, w := range []string{"tried", "while ago", "first days", "once more", "Intenté", "hace unos días", "primeros días", "otra vez."} {
					if strings.Contains(words, w) {
						t.Errorf("%s, on its day: %q", name, words)
					}
				}
			}
			return true
		})
		if said == 0 {
			t.Errorf("%s: nothing is said", name)
		}
	}
}
