package ranking

import (
	"slices"
	"strings"
	"testing"
)

// What is said to take a suggestion off the list does: the event is added to the raw log, which is folded and ranked anew.
func TestWhatEndsASuggestionEndsIt(t *testing.T) {
	var r, alone Ranker
	seen := [NumEnds]int{}
	offered := func(pb *Playbook, day Day, sg *Suggestion, f Facts) bool {
		var out [3]Suggestion
		n := alone.Rank(pb, &Member{Seed: 1}, day, sg.List, []Facts{f}, &out)
		return n > 0 && out[0].Trigger == sg.Trigger
	}
	members, picks := 12, 0
	if testing.Short() {
		members = 2
	}
	for m := range members {
		pb := fullPlaybook()
		b := newBook(uint64(m+1), 40, firstDay)
		for day := firstDay; day < firstDay+120; day++ {
			b.live(pb, &r, day, func(_ List, three []Suggestion) {
				for k := range three {
					if picks++; picks%4 != 0 {
						continue
					}
					sg, i := &three[k], b.find(three[k].Contact)
					after := func(ev Event) Facts {
						ev.Day = day
						f := b.facts[i]
						f.Fold(append(slices.Clone(b.logs[i]), ev))
						return f
					}
					ends := pb.Ends(day, &b.facts[i], sg, nil)
					codes := map[EndCode]bool{}
					for _, e := range ends {
						seen[e.Code]++
						codes[e.Code] = true
						var f Facts
						from := day
						switch e.Code {
						case EndTouch:
							f = after(Event{Kind: EventTouch, Channel: sg.Channel, Prompted: true, Trigger: sg.Trigger, Content: sg.Content})
						case EndOrder:
							f = after(Event{Kind: EventOrder})
						case EndForm:
							f = after(Event{Kind: EventForm})
						case EndWebinar:
							f = after(Event{Kind: EventAttended})
						case EndWatched:
							f = after(Event{Kind: EventWatched})
						case EndCustomer, EndPromoter:
							stage := Customer + Stage(e.Code-EndCustomer)
							f = after(Event{Kind: EventStage, Stage: stage})
							f.Stage = stage
						case EndOptOut:
							f = b.facts[i]
							f.Consent = OptedOut
						case EndDismissed:
							f = after(Event{Kind: EventDismissed, Trigger: sg.Trigger})
						case EndDay:
							f, from = b.facts[i], day+Day(e.Days)+1
						}
						for d := from; d < from+Day(max(e.Days, 1)) && (e.Code != EndDay || d == from); d++ {
							if offered(pb, d, sg, f) {
								t.Fatalf("seed %d, %v: %v is said to be ended by %v (%d), and is offered on %v", m+1, day, sg.Trigger, e.Code, e.Days, d)
							}
						}
						for _, lang := range []string{"en", "es"} {
							if s := e.Sentence(lang); s == "" || strings.Contains(s, "{") {
								t.Fatalf("%v in %s: %q", e.Code, lang, s)
							}
						}
					}
					for _, always := range []EndCode{EndTouch, EndOptOut, EndDismissed} {
						if !codes[always] && !(always == EndDismissed && sg.Trigger == PromisedFollow) {
							t.Fatalf("seed %d, %v: %v does not end %v: %v", m+1, day, always, sg.Trigger, ends)
						}
					}
				}
			})
		}
	}
	for c := EndTouch; c < NumEnds && !testing.Short(); c++ {
		if seen[c] == 0 {
			t.Errorf("%v never ended anything", c)
		}
	}
}

func TestR57JoannaSaysWhatWouldChangeIt(t *testing.T) {
	joanna := someone(1, Customer, firstDay).with(ordered(firstDay)...)
	day := firstDay + 45
	sg := wantOnly(t, top(day, Members, joanna), RefillDue)
	var said []string
	for _, e := range DefaultPlaybook().Ends(day, &joanna.Facts, &sg, nil) {
		said = append(said, e.Sentence("en"))
	}
	for _, want := range []string{"getting in touch: then 14 days of rest", "an order: then ", "asking not to be contacted", "“not this person”: then 14 days of rest"} {
		if !slices.ContainsFunc(said, func(s string) bool { return strings.HasPrefix(s, want) }) {
			t.Errorf("%q is not among %q", want, said)
		}
	}
}
