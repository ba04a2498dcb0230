package ranking

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// card is what the promoter sees of a suggestion: the step, the words, and why.
func card(s Suggestion, name string) string {
	pb := DefaultPlaybook()
	lines := []string{pb.Step(s.Trigger, s.Channel, "en", name), pb.Wording(s.Trigger, s.Channel, s.Content, "en", name, "Rosa", s.Days())}
	for _, r := range s.Reasons[:s.NReasons] {
		lines = append(lines, pb.Sentence(r, "en"))
	}
	return strings.Join(lines, "\n")
}

func wantCard(t *testing.T, s Suggestion, list List, p *person, name, want string) {
	t.Helper()
	if got := card(s, name); s.List != list || s.Contact != p.Contact || got != want {
		t.Errorf("on %v, for %x:\n%s\nwant on %v, for %x:\n%s", s.List, s.Contact, got, list, p.Contact, want)
	}
}

const minute = 60_000 // ms

// told is the notice of the newest entry of a contact's log, told some minutes after it happened.
func told(pb *Playbook, p *person, minutes int64) (Alert, bool) {
	at := int64(1_700_000_000_000)
	return pb.Alert(&Member{Seed: 1}, &p.Facts, &p.log[len(p.log)-1], at, at+minutes*minute)
}

// wantNotice checks what the promoter is told, the step, the words of the step, and for how long it is news.
func wantNotice(t *testing.T, p *person, name string, minutes int64, want ...string) Alert {
	t.Helper()
	pb := DefaultPlaybook()
	a, ok := told(pb, p, 0)
	if !ok {
		t.Fatalf("no notice to say %q", want[0])
	}
	got := []string{pb.NoticeWords(a.Trigger, "en", name), pb.Step(a.Trigger, a.Channel, "en", name)}
	if !slices.Equal(got, want) || a.Contact != p.Contact {
		t.Errorf("told %q, want %q", got, want)
	}
	if words := pb.Wording(a.Trigger, a.Channel, a.Content, "en", name, "Rosa", a.Days()); !strings.HasPrefix(words, "Hi "+name+", it's Rosa. ") {
		t.Errorf("the step has the words %q", words)
	}
	if a.Until != 1_700_000_000_000+minutes*minute {
		t.Errorf("news until %d minutes after, want %d", (a.Until-1_700_000_000_000)/minute, minutes)
	}
	if late, ok := told(pb, p, minutes-1); !ok || late.Key != a.Key || late.Until != a.Until {
		t.Errorf("a minute before its end: %+v, %v", late, ok)
	}
	if _, ok := told(pb, p, minutes); ok {
		t.Error("told although it is no news any more")
	}
	return a
}

func TestR51R52ProspectsOnOneListCustomersAndPromotersOnTheOther(t *testing.T) {
	people := []*person{
		someone(1, Prospect, d0),
		someone(2, Customer, d0-50).with(ordered(d0 - 50)...),
		someone(3, Promoter, d0-90).with(touched(d0-40, Answered)),
	}
	for list, want := range [][]ContactID{Prospects: {id(1)}, Members: {id(2), id(3)}} {
		var got []ContactID
		for _, s := range top(d0, List(list), people...) {
			if s.List != List(list) {
				t.Errorf("%v on %v", s.List, List(list))
			}
			got = append(got, s.Contact)
		}
		slices.SortFunc(got, func(a, b ContactID) int { return slices.Compare(a[8:], b[8:]) })
		if !slices.Equal(got, want) {
			t.Errorf("%v: %x, want %x", List(list), got, want)
		}
	}
}

func TestR53FlippingBetweenTheListsChangesNeither(t *testing.T) {
	b := newBook(3, 300, d0)
	pb := DefaultPlaybook()
	var rankers [2]Ranker
	var first [2][3]Suggestion
	for flip := range 6 {
		l := List(flip % 2)
		var out [3]Suggestion
		n := rankers[l].Rank(pb, &Member{Seed: 3}, d0, l, b.facts, &out)
		if flip < 2 {
			if first[l] = out; n != 3 {
				t.Fatalf("%d on %v", n, l)
			}
		} else if out != first[l] {
			t.Errorf("flip %d: another three on %v", flip, l)
		}
	}
}

func TestR54TheFirstIsWhereAStepDoesMostNow(t *testing.T) {
	cold := someone(1, Prospect, d0-90).with(touched(d0-80, NoAnswer), touched(d0-60, NoAnswer), touched(d0-40, NoAnswer))
	warm := someone(2, Prospect, d0-40).with(touched(d0-30, Answered), Event{Kind: EventWatched, Day: d0 - 6})
	hot := someone(3, Prospect, d0).with(Event{Kind: EventWatched, Day: d0}, Event{Kind: EventForm, Day: d0})
	three := top(d0, Prospects, cold, warm, hot)
	if len(three) < 2 || three[0].Contact != hot.Contact || three[1].Contact != warm.Contact || three[0].EV <= three[1].EV {
		t.Errorf("%+v, want the hot one, then the warm one", three)
	}
	for _, s := range three {
		if strings.Contains(card(s, "Ann"), "$") {
			t.Errorf("a step is shown as money: %q", card(s, "Ann"))
		}
	}
}

func TestR55EachSuggestionNamesContactStepAndWords(t *testing.T) {
	pb := DefaultPlaybook()
	n := 0
	for seed := range uint64(30) {
		b := newBook(seed+1, 60, d0)
		for _, list := range []List{Prospects, Members} {
			var r Ranker
			var out [3]Suggestion
			for _, s := range out[:r.Rank(pb, b.member(d0), d0, list, b.facts, &out)] {
				n++
				lines := strings.Split(card(s, "Joanna"), "\n")
				if b.find(s.Contact) < 0 || !strings.Contains(lines[0], " Joanna ") || !strings.HasPrefix(lines[1], "Hi Joanna") || len(lines) < 3 || lines[2] == "" {
					t.Errorf("seed %d: %q", seed, lines)
				}
			}
		}
	}
	if n < 100 {
		t.Errorf("only %d suggestions", n)
	}
}

func TestR56OnEnrolmentAContactChangesTheListAndKeepsItsHistory(t *testing.T) {
	p := someone(1, Prospect, d0-40).with(
		touched(d0-30, Answered), Event{Kind: EventRegistered, Day: d0 - 9, For: d0 - 7}, Event{Kind: EventAttended, Day: d0 - 7})
	first := wantOnly(t, top(d0-7, Prospects, p), WebinarFollow)
	before := p.Facts
	p = someone(1, Prospect, d0-40).with(append(append(p.log, acted(d0-7, first, Enrolled)), ordered(d0)...)...)
	wantNone(t, top(d0+1, Prospects, p), "enrolled")
	s := wantOnly(t, top(d0+1, Members, p), FirstOrder)
	if p.Stage != Customer || p.StageDay != DateOf(d0-7) || p.AttendedDay != before.AttendedDay || p.TouchCount != before.TouchCount+1 ||
		p.Past(WebinarFollow).Done != DateOf(d0-7) || p.Tries[Call] != before.Tries[Call] || p.Tries[Text] != before.Tries[Text]+1 {
		t.Errorf("history is lost: %+v, was %+v", p.Facts, before)
	}
	wantCard(t, s, Members, p, "Tom", "Text Tom to say thanks and lend a hand\n"+
		"Hi Tom, it's Rosa. Thank you for your first order! Did everything arrive as it should? I'm here if you'd like a tip for getting started.\n"+
		"first order yesterday\ntook a step forward 8 days ago\nanswers texts: 1 of 1")
}

func TestR57WhatIsKnownOfAContactChangesTheStep(t *testing.T) {
	base := []Event{touched(d0-30, Answered)}
	seen := map[TriggerID]bool{}
	for _, evs := range [][]Event{
		{{Kind: EventForm, Day: d0}},
		{{Kind: EventWatched, Day: d0 - 1}},
		{{Kind: EventAttended, Day: d0 - 1}},
		{{Kind: EventRegistered, Day: d0 - 3, For: d0 - 1}},
		{{Kind: EventRegistered, Day: d0 - 1, For: d0 + 2}},
		{{Kind: EventJoined, Day: d0}},
		{{Kind: EventVisited, Day: d0}},
		{touched(d0-4, NotReady)},
		{{Kind: EventPromise, Day: d0 - 3, For: d0}},
		{},
	} {
		p := someone(1, Prospect, d0-60).with(base...).with(evs...)
		three := top(d0, Prospects, p)
		if len(three) != 1 || seen[three[0].Trigger] {
			t.Errorf("%+v: %+v, want a step of its own", evs, three)
			continue
		}
		seen[three[0].Trigger] = true
	}
	// How the contact answers chooses the way.
	p := someone(1, Prospect, d0-60)
	for i := range Day(5) {
		p.with(Event{Kind: EventTouch, Day: d0 - 50 + i, Channel: Call, Outcome: NoAnswer}, Event{Kind: EventTouch, Day: d0 - 50 + i, Channel: Text, Outcome: Replied})
	}
	p.with(Event{Kind: EventForm, Day: d0})
	if s := wantOnly(t, top(d0, Prospects, p), NewLead); s.Channel != Text {
		t.Errorf("by %v, which was never answered", s.Channel)
	}
}

func TestR60TheFormIsToldAtOnceAndACallIsTheFirstStep(t *testing.T) {
	lead := someone(4, Prospect, d0).with(Event{Kind: EventForm, Day: d0})
	wantNotice(t, lead, "Ana", 240, "Ana has just filled in your form: now is the best time to call", "Call Ana to say hello")
	others := []*person{
		lead, someone(2, Prospect, d0-40).with(touched(d0-20, Answered), Event{Kind: EventAttended, Day: d0 - 1}),
		someone(3, Prospect, d0-40).with(touched(d0-20, Answered), Event{Kind: EventWatched, Day: d0 - 1}),
	}
	wantCard(t, top(d0, Prospects, others...)[0], Prospects, lead, "Ana",
		"Call Ana to say hello\nHi Ana, it's Rosa. Thanks for reaching out! What made you curious?\nfilled in your form today")
}

func TestR61NotReadyIsInvitedToAVideoOrAWebinar(t *testing.T) {
	p := someone(5, Prospect, d0-10).with(touched(d0, NotReady))
	if _, ok := told(DefaultPlaybook(), p, 0); ok {
		t.Error("a notice of what the promoter did")
	}
	s := wantOnly(t, top(d0+3, Prospects, p), NextStep)
	wantCard(t, s, Prospects, p, "Tom", "Text Tom with an easy next step\n"+
		"Hi Tom, it's Rosa. Thanks for being honest that it's not the moment. May I send you a short video, to watch whenever it suits you?\n"+
		"said “not yet” 3 days ago: a small next step may suit")
	p.with(acted(d0+3, s, NoOutcome))
	for day := d0 + 3; day < d0+10; day++ {
		wantNone(t, top(day, Prospects, p), "invited")
	}
	if w := card(wantOnly(t, top(d0+10, Prospects, p), NextStep), "Tom"); !strings.Contains(w, "webinar") {
		t.Errorf("the second invitation is %q", w)
	}
}

// TestR61WhoHasBeenAtTheWebinarIsNotInvitedToIt: the next step after it is another one.
func TestR61WhoHasBeenAtTheWebinarIsNotInvitedToIt(t *testing.T) {
	for _, been := range []EventKind{EventAttended, EventJoined} {
		p := someone(5, Prospect, d0-10).with(Event{Kind: EventRegistered, Day: d0 - 9, For: d0 - 6}, Event{Kind: been, Day: d0 - 6}, touched(d0, NotReady))
		s := wantOnly(t, top(d0+3, Prospects, p), NextStep)
		wantCard(t, s, Prospects, p, "Tom", "Text Tom with an easy next step\n"+
			"Hi Tom, it's Rosa. Thanks for coming to the webinar, and for being honest that it's not the moment. May I send you a short video about what people ask most?\n"+
			"said “not yet” 3 days ago, after the webinar: a small next step may suit\nother signs of interest in the last 30 days: 2")
		p.with(acted(d0+3, s, NoAnswer))
		s = wantOnly(t, top(d0+10, Prospects, p), NextStep)
		if w := card(s, "Tom"); !strings.Contains(w, "Shall I introduce you?") {
			t.Errorf("the second step is %q", w)
		}
		p.with(acted(d0+10, s, NoAnswer))
		wantNone(t, top(d0+20, Prospects, p), "both were offered")
	}
}

func TestR62WhoWatchesOrAttendsIsToldWithTheFollowUp(t *testing.T) {
	// The promoter sent the video yesterday: the notice does not wait for the rest after that touch, the list does.
	p := someone(6, Prospect, d0-40).with(touched(d0-1, NotReady), Event{Kind: EventWatched, Day: d0})
	wantNotice(t, p, "Tom", 120, "Tom has just looked at what you shared: ask what stood out", "Call Tom about what caught their eye")
	wantNone(t, top(d0, Prospects, p), "touched yesterday")
	wantCard(t, wantOnly(t, top(d0+2, Prospects, p), Watched), Prospects, p, "Tom",
		"Call Tom about what caught their eye\nHi Tom, it's Rosa. Thanks for taking a look! What did you like best?\nwatched the video 2 days ago\nanswers calls: 1 of 1")

	p = someone(6, Prospect, d0-40).with(touched(d0-20, Answered), Event{Kind: EventAttended, Day: d0})
	a := wantNotice(t, p, "Tom", 240, "Tom was at the webinar: a good moment to ask what stood out", "Text Tom about the webinar and offer an introduction")
	p.with(acted(d0, a.Suggestion, Answered))
	wantNone(t, top(d0+4, Prospects, p), "followed up")
}

func TestR63WhoRegistersIsConfirmedAndRemindedOnTheDay(t *testing.T) {
	p := someone(7, Prospect, d0-40).with(touched(d0-20, Answered), Event{Kind: EventRegistered, Day: d0, For: d0 + 9})
	a := wantNotice(t, p, "Tom", 720, "Tom signed up for the webinar: say that the seat is saved", "Text Tom about their seat at the webinar")
	s := wantOnly(t, top(d0, Prospects, p), Registered)
	if s != a.Suggestion {
		t.Errorf("the notice has the step %+v, the list %+v", a.Suggestion, s)
	}
	wantCard(t, s, Prospects, p, "Tom", "Text Tom about their seat at the webinar\n"+
		"Hi Tom, it's Rosa. Your seat at the webinar is saved, and I'm glad you're coming. Is there anything you'd like to know beforehand?\n"+
		"signed up today for a webinar in 9 days\nlast conversation 20 days ago")
	if s.Deadline != d0+9 || s.Expiry != d0+9 {
		t.Errorf("deadline %v, expiry %v, want the webinar's day", s.Deadline, s.Expiry)
	}
	p.with(acted(d0, s, Answered))
	for day := d0; day < d0+9; day++ {
		wantNone(t, top(day, Prospects, p), "spoken to since")
	}
	wantCard(t, wantOnly(t, top(d0+9, Prospects, p), Registered), Prospects, p, "Tom", "Text Tom about their seat at the webinar\n"+
		"Hi Tom, it's Rosa. The webinar is today and your seat is waiting for you. Shall I send you the link again, so that you have it at hand?\n"+
		"signed up for the webinar, which is today\nanswers texts: 1 of 1")
	// Its day has passed: there is nothing to remind of.
	for _, s := range top(d0+10, Prospects, p) {
		if s.Trigger == Registered {
			t.Error("reminded of a webinar that is over")
		}
	}
	// A date that nobody wrote down is none.
	q := someone(7, Prospect, d0-40).with(touched(d0-20, Answered), Event{Kind: EventRegistered, Day: d0})
	wantNone(t, top(d0, Prospects, q), "no date")
}

func TestR64WhoJoinsIsToldASecondTimeWhileTheWebinarIsLive(t *testing.T) {
	p := someone(8, Prospect, d0-40).with(touched(d0-20, Answered), Event{Kind: EventRegistered, Day: d0 - 1, For: d0})
	first := wantNotice(t, p, "Tom", 720, "Tom signed up for the webinar: say that the seat is saved", "Text Tom about their seat at the webinar")
	p.with(acted(d0-1, first.Suggestion, NoOutcome), Event{Kind: EventJoined, Day: d0})
	second := wantNotice(t, p, "Tom", 60, "Tom is joining the webinar right now: a short hello goes a long way", "Text Tom while the webinar is on")
	if first.Key == second.Key {
		t.Error("both notices have one key")
	}
	// Yesterday's text does not silence who is there now, and the step is the first of all.
	lead := someone(9, Prospect, d0).with(Event{Kind: EventForm, Day: d0})
	s := top(d0, Prospects, lead, p)[0]
	wantCard(t, s, Prospects, p, "Tom", "Text Tom while the webinar is on\n"+
		"Hi Tom, it's Rosa. So good that you're at the webinar! I'm close by the whole time: if a question comes up, just reply here.\n"+
		"joined the webinar today\nlast conversation 20 days ago")
	// A touch answers, told of the step or not; so does the end of the day.
	q := someone(8, Prospect, d0).with(append(slices.Clone(p.log), touched(d0, NoOutcome))...)
	wantNone(t, top(d0, Prospects, q), "called from elsewhere")
	q = someone(8, Prospect, d0).with(append(slices.Clone(p.log), acted(d0, s, NoOutcome))...)
	wantNone(t, top(d0, Prospects, q), "done")
	if s := wantOnly(t, top(d0+2, Prospects, p), WebinarFollow); say(s.Reasons[0], "en") != "joined the webinar 2 days ago" {
		t.Errorf("two days later: %q", say(s.Reasons[0], "en"))
	}
	for day := d0 + 1; day < d0+20; day++ {
		for _, s := range top(day, Prospects, p) {
			if s.Trigger == WebinarAbsent || s.Trigger == Joined {
				t.Errorf("%v of somebody who was there", s.Trigger)
			}
		}
	}
}

func TestR65WhoIsOnTheWebsiteIsSeenToday(t *testing.T) {
	for stage, list := range map[Stage]List{Prospect: Prospects, Customer: Members} {
		p := someone(9, stage, d0-40).with(touched(d0-1, NoAnswer), Event{Kind: EventVisited, Day: d0})
		a := wantNotice(t, p, "Ana", 20, "Ana is on your website right now: a good moment to say hello", "Text Ana while the interest is fresh")
		s := wantOnly(t, top(d0, list, p), Visiting)
		wantCard(t, s, list, p, "Ana", "Text Ana while the interest is fresh\n"+
			"Hi Ana, it's Rosa. Thanks for stopping by my page! If there's anything you'd like to ask, I'm right here.\n"+
			"was on your website today")
		if s.Expiry != d0 || s != a.Suggestion {
			t.Errorf("expires on %v; the notice has the step %+v", s.Expiry, a.Suggestion)
		}
		wantNone(t, top(d0+1, list, p), "the next day")
		// Seen again this week, the contact is left alone: nobody likes to feel watched.
		p.with(acted(d0, s, NoOutcome), Event{Kind: EventVisited, Day: d0 + 4})
		wantNone(t, top(d0+4, list, p), "greeted four days ago")
		if _, ok := told(DefaultPlaybook(), p, 0); ok {
			t.Error("told again after four days")
		}
	}
}

func TestR66EveryMomentOfTheCatalogueHasANameAndEveryNoticeAStep(t *testing.T) {
	pb := DefaultPlaybook()
	notices := 0
	for tr := range NumTriggers {
		rule := &pb.Rules[tr]
		if rule.Stages == 0 {
			if len(rule.Contents) != 0 || rule.Notice != nil || tr < Own5 {
				t.Errorf("%v is off", tr)
			}
			continue
		}
		if rule.Label.In("en") == "" || rule.Label.In("es") == rule.Label.In("en") {
			t.Errorf("%v has no name", tr)
		}
		if rule.Notice == nil {
			continue
		}
		notices++
		for _, lang := range []string{"en", "es"} {
			for name, begins := range map[string]string{"Ana": "Ana ", "": map[string]string{"en": "A contact ", "es": "Un contacto "}[lang]} {
				w := pb.NoticeWords(tr, lang, name)
				if !strings.HasPrefix(w, begins) || flaws.MatchString(w) || strings.HasSuffix(w, ".") {
					t.Errorf("%v in %s: %q", tr, lang, w)
				}
			}
		}
		if rule.Notice.Minutes <= 0 || rule.Channels == 0 {
			t.Errorf("%v tells and asks for nothing", tr)
		}
	}
	if notices != 6 || pb.NoticeWords(RefillDue, "en", "Ana") != "" || pb.NoticeWords(NumTriggers, "en", "Ana") != "" {
		t.Errorf("%d notices", notices)
	}
}

// TestR68ACustomerWithoutOrdersIsNotForgotten: where the company sends no orders, customers are asked after all the same, and no more
// once an order is known.
func TestR68ACustomerWithoutOrdersIsNotForgotten(t *testing.T) {
	p := someone(1, Prospect, d0-40).with(touched(d0, Enrolled))
	for day := d0; day < d0+5; day++ {
		wantNone(t, top(day, Members, p), "just enrolled")
	}
	s := wantOnly(t, top(d0+5, Members, p), Own4)
	wantCard(t, s, Members, p, "Hana", "Text Hana to ask how it's going with the products\n"+
		"Hi Hana, it's Rosa. How are you getting on with our products? If there's anything you'd like to know, or to try next, I'm right here.\n"+
		"no order in your book yet\ntook a step forward 5 days ago")
	ordering := someone(1, Prospect, d0-40).with(append(slices.Clone(p.log), ordered(d0+2)...)...)
	wantOnly(t, top(d0+5, Members, ordering), FirstOrder)

	p.with(acted(d0+5, s, Replied))
	for day := d0 + 5; day < d0+35; day++ {
		wantNone(t, top(day, Members, p), "asked within 30 days")
	}
	if again := wantOnly(t, top(d0+35, Members, p), Own4); again.Content == s.Content {
		t.Error("the same words twice running")
	}

	// Who is captured today is not asked today; who came with an address book has no known day, and is asked soon.
	for _, imported := range []bool{false, true} {
		q := someone(2, Customer, d0)
		q.Imported = imported
		for day := d0; day < d0+3; day++ {
			wantNone(t, top(day, Members, q), "captured")
		}
		wantOnly(t, top(d0+3, Members, q), Own4)
	}
}

// ownPlaybook has one own trigger, on Own4.
func ownPlaybook(w When, edit func(*Rule)) *Playbook {
	pb := DefaultPlaybook()
	pb.Rules[Own4] = Rule{
		Stages: allStages, Base: 500, Value: 20_000, Expiry: 2, Channels: personal, Contents: contents(2), Repeat: RepeatFree,
		Purpose: inBoth("about the party", "por la fiesta"), Because: inBoth("{days} days since the form", "{days} días desde el formulario"),
		When: &w,
	}
	for ct := range pb.Rules[Own4].Contents {
		pb.Rules[Own4].Contents[ct].Write = inBoth("Shall we plan your party?", "¿Planeamos tu fiesta?")
		pb.Rules[Own4].Contents[ct].Say = pb.Rules[Own4].Contents[ct].Write
	}
	if edit != nil {
		edit(&pb.Rules[Own4])
	}
	return pb
}

func topOf(pb *Playbook, day Day, list List, people ...*person) []Suggestion {
	var r Ranker
	var out [3]Suggestion
	var facts []Facts
	for _, p := range people {
		facts = append(facts, p.Facts)
	}
	return append([]Suggestion(nil), out[:r.Rank(pb, &Member{Seed: 1}, day, list, facts, &out)]...)
}

// opens lists the days, from d0 on, on which the own trigger is suggested.
func opens(pb *Playbook, list List, p *person, until Day) (days []Day) {
	for day := d0; day < until; day++ {
		for _, s := range topOf(pb, day, list, p) {
			if s.Trigger == Own4 {
				days = append(days, day-d0)
			}
		}
	}
	return days
}

func TestR67ACompanysOwnTriggerOpensWhenItsConditionHolds(t *testing.T) {
	form := func() *person { return someone(1, Prospect, d0-9).with(Event{Kind: EventForm, Day: d0}) }
	cadence := When{Since: SinceForm, Cadence: []int64{3, 10, 12}, Open: 4}
	for name, c := range map[string]struct {
		w    When
		p    *person
		want []Day
	}{
		"cadence":        {cadence, form(), []Day{3, 4, 5, 6, 10, 11, 12, 13, 14, 15}},
		"never happened": {cadence, someone(1, Prospect, d0), nil},
		"done": {
			cadence, form().with(Event{Kind: EventTouch, Day: d0 + 4, Prompted: true, Trigger: Own4, Channel: Text}), []Day{3, 10, 11, 12, 13, 14, 15},
		}, // judged after the fact: on day 3 it had not been done
		"tests": {
			When{Since: SinceForm, Tests: []Test{{SinceForm, 2, 5}, {SinceCreated, 0, 12}}}, form(), []Day{2, 3},
		},
		"unmet":           {When{Since: SinceForm, Tests: []Test{{OrderDays, 1, 9}}}, form(), nil},
		"unknown":         {When{Since: SinceForm, Tests: []Test{{SinceAttended, 0, 1e6}}}, form(), nil},
		"no such thing":   {When{Since: NumQuantities}, form(), nil},
		"before the day":  {When{Since: SinceWebinar, Cadence: []int64{-2}, Open: 1}, someone(1, Prospect, d0-20).with(Event{Kind: EventRegistered, Day: d0, For: d0 + 8}), []Day{6}},
		"nothing is open": {When{Since: SinceForm, Cadence: []int64{3}}, form(), nil},
	} {
		pb := ownPlaybook(c.w, nil)
		got := opens(pb, Prospects, c.p, d0+20)
		if name == "done" {
			got = slices.DeleteFunc(got, func(d Day) bool { return d < 4 })
			c.want = c.want[1:]
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: open on days %v, want %v", name, got, c.want)
		}
	}
	// What the promoter sees.
	pb := ownPlaybook(cadence, nil)
	p := form()
	s := topOf(pb, d0+11, Prospects, p)[0]
	got := []string{
		pb.Step(s.Trigger, s.Channel, "es", "Ana"), pb.Wording(s.Trigger, s.Channel, s.Content, "es-MX", "Ana", "Rosa", s.Days()), pb.Sentence(s.Reasons[0], "es"),
	}
	if want := []string{"Escribe a Ana por la fiesta", "Hola, Ana, soy Rosa. ¿Planeamos tu fiesta?", "11 días desde el formulario"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	if s.Expiry != d0+11 || topOf(pb, d0+12, Prospects, p)[0].Expiry != d0+15 || topOf(pb, d0+3, Prospects, p)[0].Expiry != d0+6 {
		t.Errorf("expiry %v, want the end of the step", s.Expiry)
	}
	// A notice of its own, when the event itself opens it.
	pb = ownPlaybook(When{Since: SinceForm}, func(r *Rule) { r.Notice = &Notice{5, inBoth("{name} asks for a party", "{name} pide una fiesta")} })
	if a, ok := told(pb, p, 4); !ok || a.Trigger != Own4 || pb.NoticeWords(a.Trigger, "en", "Ana") != "Ana asks for a party" {
		t.Errorf("%+v, %v", a, ok)
	}
}

func TestR67HardRulesHoldForOwnTriggers(t *testing.T) {
	w := When{Since: SinceForm}
	pb := ownPlaybook(w, func(r *Rule) { r.Cooldown, r.Rest = 6, 5 })
	only := func(why string, p *person, day Day, want bool) {
		t.Helper()
		three := topOf(pb, day, Prospects, p)
		found := slices.ContainsFunc(three, func(s Suggestion) bool { return s.Trigger == Own4 })
		if found != want {
			t.Errorf("%s: suggested %v, want %v (%+v)", why, found, want, three)
		}
	}
	form := Event{Kind: EventForm, Day: d0 - 60}
	p := func() *person { return someone(1, Prospect, d0-60).with(form) }
	only("free", p(), d0, true)
	q := p()
	q.Consent = OptedOut
	only("opted out", q, d0, false)
	q = p()
	q.Snooze = DateOf(d0 + 1)
	only("snoozed", q, d0, false)
	only("after the snooze", q, d0+1, true)
	q = p()
	q.Channels = 0
	only("no way", q, d0, false)
	only("not today", p().with(Event{Kind: EventSkipped, Day: d0}), d0, false)
	only("rest of the rule", p().with(touched(d0-4, NoAnswer)), d0, false)
	only("rested", p().with(touched(d0-5, NoAnswer)), d0, true)
	only("cap", p().with(touched(d0-25, NoAnswer), touched(d0-20, NoAnswer), touched(d0-15, NoAnswer), touched(d0-6, NoAnswer)), d0, false)
	done := Event{Kind: EventTouch, Day: d0 - 5, Prompted: true, Trigger: Own4, Channel: Text}
	only("cool-down", p().with(done), d0, false)
	only("cooled down", p().with(done), d0+1, true)
	dismissal := Event{Kind: EventDismissed, Day: d0, Trigger: Own4}
	only("dismissed", p().with(dismissal), d0+13, false)
	only("dismissed 14 days ago", p().with(dismissal), d0+14, true)

	pb = ownPlaybook(w, func(r *Rule) { r.Repeat = RepeatNever })
	for ct := range uint16(2) {
		done.Day, done.Content = d0-20+Day(ct)*10, ct
		form = Event{Kind: EventForm, Day: d0 - 60}
		q = p().with(done)
	}
	only("one of two messages sent", q, d0, true)
	first := done
	first.Content, first.Day = 0, d0-20
	only("all messages sent", p().with(first, done), d0, false)

	people := []*person{someone(1, Prospect, d0-9).with(Event{Kind: EventForm, Day: d0 - 9}), someone(2, Prospect, d0-9).with(Event{Kind: EventForm, Day: d0 - 9}), someone(3, Prospect, d0-9).with(Event{Kind: EventForm, Day: d0 - 9})}
	pb = ownPlaybook(w, nil)
	count := func() (n int) {
		for _, s := range topOf(pb, d0, Prospects, people...) {
			if s.Trigger == Own4 {
				n++
			}
		}
		return n
	}
	if n := count(); n != 2 {
		t.Errorf("%d of one trigger, want 2", n)
	}
	for _, p := range people {
		p.Household = id(99)
	}
	if n := count(); n != 1 {
		t.Errorf("%d of one household, want 1", n)
	}
}

func TestR68ANewcomersFirst90DaysAndAThankYouToALoyalCustomer(t *testing.T) {
	// On each day the promoter does what is suggested.
	live := func(p *person, days Day) (got []string) {
		for day := d0; day < d0+days; day++ {
			for _, s := range top(day, Members, p) {
				if s.Trigger >= Own1 {
					got = append(got, fmt.Sprintf("%d: %s", day-d0, strings.ReplaceAll(card(s, "Ana"), "\n", " | ")))
				}
				p.with(acted(day, s, NoOutcome))
			}
		}
		return got
	}
	want := []string{
		"2: Call Ana about the first steps | Hi Ana, it's Rosa. I'm so glad you're on the team! What would you like to begin with? Let's choose one small step together. | 2 days on the team",
		"7: Call Ana about the first steps | Hi Ana, it's Rosa. How was your first week? What went well, and where can I lend you a hand? | 7 days on the team",
		"14: Call Ana about the first steps | Hi Ana, it's Rosa. Two weeks already! What has been easier than you thought, and what would you like to practise together? | 14 days on the team",
		"30: Call Ana about what comes next | Hi Ana, it's Rosa. You've been on the team for a month. What are you proud of, and what comes next? | 30 days on the team",
		"60: Call Ana about what comes next | Hi Ana, it's Rosa. Two months on the team already. What works well for you, and where would you like support? | 60 days on the team",
		"90: Call Ana about what comes next | Hi Ana, it's Rosa. It's been three months. Looking back, what are you glad you did? And what is your next goal? | 90 days on the team",
	}
	// Nothing else stands in between: the check-ins of CheckIn were dismissed for good.
	p := someone(1, Customer, d0-90).with(Event{Kind: EventStage, Day: d0, Stage: Promoter})
	for i := range Day(16) {
		p.with(Event{Kind: EventDismissed, Day: d0 - 30 + i, Trigger: CheckIn})
	}
	slices.SortStableFunc(p.log, func(a, b Event) int { return int(a.Day - b.Day) })
	if got := live(p.with(), 200); !slices.Equal(got, want) {
		t.Errorf("a newcomer:\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	// Who orders every seven weeks is thanked half a year and a year after the first order, between the refills.
	p = someone(2, Customer, d0)
	var got []string
	for day := d0; day < d0+400; day++ {
		if (day-d0)%49 == 0 {
			p.with(ordered(day)...)
		}
		for _, s := range top(day, Members, p) {
			if s.Trigger == Own3 {
				got = append(got, fmt.Sprintf("%d: %s", day-d0, strings.ReplaceAll(card(s, "Ana"), "\n", " | ")))
				p.with(acted(day, s, NoOutcome))
			}
		}
	}
	if len(got) != 2 || !strings.HasPrefix(got[0], "18") || !strings.Contains(got[0], "half a year since your first order") ||
		!strings.HasPrefix(got[1], "37") || !strings.Contains(got[1], "It's a year since your first order") {
		t.Errorf("a loyal customer:\n%s", strings.Join(got, "\n"))
	}
	// Who has not come back is not thanked for staying.
	p = someone(3, Customer, d0-200).with(ordered(d0-181, d0-120)...)
	for _, s := range top(d0, Members, p) {
		if s.Trigger == Own3 {
			t.Error("thanked for staying, four months after the last order")
		}
	}
}

func TestR97R98ANoticeOnlyWithAStepToTake(t *testing.T) {
	pb := DefaultPlaybook()
	lead := func() *person { return someone(4, Prospect, d0).with(Event{Kind: EventForm, Day: d0}) }
	never := func(why string, pb *Playbook, p *person) {
		t.Helper()
		if a, ok := told(pb, p, 0); ok {
			t.Errorf("%s: told %+v", why, a)
		}
	}
	a, ok := told(pb, lead(), 0)
	if !ok || a.Key != "notice:new_lead:"+a.Contact.hex()+":2024-10-04" {
		t.Fatalf("%+v, %v", a, ok)
	}
	// On another device, a little later, after more has happened: the same notice.
	again := lead().with(Event{Kind: EventClicked, Day: d0}, Event{Kind: EventForm, Day: d0})
	if b, ok := told(pb, again, 100); !ok || b.Key != a.Key {
		t.Errorf("key %q, want %q", b.Key, a.Key)
	}
	p := lead()
	p.Consent = OptedOut
	never("opted out", pb, p)
	p = lead()
	p.Snooze = DateOf(d0 + 3)
	never("snoozed", pb, p)
	p = lead()
	p.Channels = 0
	never("no way to reach", pb, p)
	never("dismissed", pb, someone(4, Prospect, d0).with(Event{Kind: EventDismissed, Day: d0, Trigger: NewLead}, Event{Kind: EventForm, Day: d0}))
	never("not today", pb, someone(4, Prospect, d0).with(Event{Kind: EventSkipped, Day: d0}, Event{Kind: EventForm, Day: d0}))
	never("reached already", pb, lead().with(touched(d0, Answered), Event{Kind: EventForm, Day: d0}))
	never("another event", pb, lead().with(Event{Kind: EventOrder, Day: d0}))
	never("on the members' list", pb, someone(4, Promoter, d0).with(Event{Kind: EventVisited, Day: d0}))
	for why, edit := range map[string]func(*Playbook){
		"off":            func(pb *Playbook) { pb.Rules[NewLead].Stages = 0 },
		"automated":      func(pb *Playbook) { pb.Rules[NewLead].Automate = true },
		"no notice":      func(pb *Playbook) { pb.Rules[NewLead].Notice = nil },
		"no time":        func(pb *Playbook) { pb.Rules[NewLead].Notice.Minutes = 0 },
		"below the gate": func(pb *Playbook) { pb.MinEV = 1_000_000 },
		"no words":       func(pb *Playbook) { pb.Rules[NewLead].Contents = nil },
	} {
		pb := DefaultPlaybook()
		edit(pb)
		never(why, pb, lead())
	}
	// A clock that is ahead makes no notice that lasts.
	ev := Event{Kind: EventForm, Day: d0}
	if a, ok := pb.Alert(&Member{}, &lead().Facts, &ev, 1<<62, 1000); !ok || a.Until != 1000+240*minute {
		t.Errorf("%+v, %v", a, ok)
	}
}

func TestR100WhatTheCompanyAutomatesIsNotSuggestedButStillAStep(t *testing.T) {
	pb := DefaultPlaybook()
	p := someone(1, Customer, d0-45).with(ordered(d0 - 45)...)
	pb.Rules[RefillDue].Automate = true
	if three := topOf(pb, d0, Members, p); len(three) != 0 {
		t.Errorf("%+v", three)
	}
	steps := 0
	pb.Steps(d0, &p.Facts, func(s *Step) bool {
		if s.Trigger == RefillDue {
			steps++
		}
		return true
	})
	if steps == 0 {
		t.Error("no step for the company's machinery")
	}
}

func TestAFirstContactIsNotToldThatItHasBeenAWhile(t *testing.T) {
	again := []string{"a while", "how long", "Cuánto tiempo", "Hace tiempo", "tiempo que ha", "tanto tiempo", "otra vez", "see you again"}
	pb := DefaultPlaybook()
	n := 0
	for _, imported := range []bool{false, true} {
		for seed := range uint64(40) {
			p := someone(seed, Prospect, d0-25)
			p.Imported = imported
			for ct := range pb.Rules[Nurture].Contents { // whatever the company's numbers say of the words
				for ch := range NumChannels {
					pb.Rules[Nurture].Contents[ct].Arm[ch] = int64(mix(seed*64+uint64(ct)*8+uint64(ch)) % 900)
				}
			}
			for _, s := range topOf(pb, d0, Prospects, p) {
				for ch := range NumChannels {
					for _, lang := range []string{"en", "es"} {
						w := pb.Wording(s.Trigger, ch, s.Content, lang, "Ana", "Rosa", s.Days())
						n++
						for _, bad := range again {
							if strings.Contains(w, bad) {
								t.Errorf("%v, imported %v: %q", s.Trigger, imported, w)
							}
						}
					}
				}
			}
		}
	}
	if n < 300 {
		t.Errorf("only %d wordings", n)
	}
}

func TestAStageThatTheProfileToldIsDatedByTheLog(t *testing.T) {
	p := someone(1, Promoter, d0-30).with(Event{Kind: EventStage, Day: d0 - 7, Stage: Promoter}, Event{Kind: EventStage, Day: d0 - 2, Stage: Promoter})
	if p.StageDay != DateOf(d0-7) {
		t.Errorf("promoter since %v, want since %v", p.StageDay, d0-7)
	}
}
