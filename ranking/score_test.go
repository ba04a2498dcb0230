package ranking

import (
	"strings"
	"testing"
)

// Fitting may find that those who were never spoken to, or gave no other sign, do better. That is no reason to show.
func TestWhatNeverHappenedIsNoReason(t *testing.T) {
	const today = firstDay
	pb := DefaultPlaybook()
	weights := &pb.Rules[PromisedFollow].Weights
	weights[LastHeard] = []Bin{{1, 400}, {2, 300}, {never, 200}}
	weights[Signals] = []Bin{{1, 400}, {never, 0}}
	for name, reached := range map[string]Date{"never": 0, "on a day to come": DateOf(today + 1), "long ago": DateOf(today - 3000)} {
		f := Facts{Contact: ContactID{1}, Channels: personal, Created: DateOf(today - 3100), Promised: DateOf(today)}
		if reached != 0 {
			f.Reached, f.ReachedDay = Answered, reached
		}
		var r Ranker
		var out [3]Suggestion
		if r.Rank(pb, &Member{}, today, Prospects, []Facts{f}, &out) != 1 || out[0].NReasons != 1 {
			t.Errorf("reached %s: want a suggestion with the promise as its only reason, got %+v", name, out[0])
		}
		terms := pb.Terms(&Member{}, today, &f, &out[0])
		if len(terms) < 3 {
			t.Fatalf("reached %s: the test does not reach both terms: %v", name, terms)
		}
		for _, r := range terms[1:] {
			if s := pb.Sentence(r, "en"); s == "" || strings.ContainsAny(s, "-") || strings.Contains(s, "ago") || strings.HasSuffix(s, ": 0") {
				t.Errorf("reached %s: a term says %q", name, s)
			}
		}
	}
}

// A call that a wrong clock dated years ahead does not silence the contact until then.
func TestATouchDatedAheadHoldsNothingBack(t *testing.T) {
	pb := DefaultPlaybook()
	pb.Silent = 0
	const today = firstDay
	order := func(ago Day) Event { return Event{Kind: EventOrder, Day: today - ago} }
	for _, ahead := range []Day{0, 1, 2, 300, 40_000} {
		call := Event{Kind: EventTouch, Channel: Call, Outcome: Answered, Day: today + ahead}
		acted := Event{Kind: EventTouch, Channel: Call, Outcome: Answered, Day: today + ahead, Prompted: true, Trigger: Watched}
		for name, f := range map[string]Facts{
			"a refill":         folded(Facts{Stage: Customer}, order(100), order(60), order(20), call),
			"what was watched": folded(Facts{}, Event{Kind: EventWatched, Day: today - 1}, acted, acted, acted, acted),
			"silence":          folded(Facts{}, Event{Kind: EventWatched, Day: today - 40}, call),
		} {
			f.Created = DateOf(today - 400)
			list := Prospects
			if f.Stage != Prospect {
				list = Members
			}
			var r Ranker
			var out [3]Suggestion
			n := r.Rank(pb, &Member{}, today+20, list, []Facts{f}, &out)
			if ahead >= 22 && n != 1 {
				t.Errorf("%s, with a call dated %d days ahead: nothing is suggested", name, ahead)
			}
			if days := out[0].Reasons[0].Args[0]; n == 1 && (days < 0 || days > 400) {
				t.Errorf("%s, with a call dated %d days ahead: %q", name, ahead, pb.Sentence(out[0].Reasons[0], "en"))
			}
			// On the day itself and the day before, it is a touch like others.
			if n = r.Rank(pb, &Member{}, today, list, []Facts{f}, &out); n != 0 && ahead < 2 {
				t.Errorf("%s, touched %d days ahead: %v is suggested", name, ahead, out[0].Trigger)
			}
		}
	}
}

func folded(f Facts, events ...Event) Facts {
	f.Contact, f.Channels = ContactID{1}, personal
	f.Fold(events)
	return f
}

// Words for the day itself, and for the days before it until the day, are not said on others.
func TestWordsForTheDayItself(t *testing.T) {
	const today = firstDay
	words := func(s string) Content { return Content{Channels: personal, Write: inBoth(s, s), Say: inBoth(s, s)} }
	soon, now, after := words("see you soon"), words("today is the day"), words("thanks for coming")
	soon.Ends, soon.Until = true, -1
	now.Begins, now.Ends = true, true
	after.Begins, after.From = true, 1
	untilNow := words("it begins")
	untilNow.Begins, untilNow.From, untilNow.Ends = true, -7, true
	for days, want := range map[Day][]string{
		-7: {"see you soon", "it begins"}, -1: {"see you soon", "it begins"}, 0: {"today is the day", "it begins"}, 1: {"thanks for coming"}, 4: {"thanks for coming"},
	} {
		for i, all := range [][]Content{{soon, now, after}, {untilNow}} {
			pb := DefaultPlaybook()
			pb.Rules = [NumTriggers]Rule{Own4: {
				Stages: allStages, Value: 6000, Channels: personal, Contents: all,
				When: &When{Since: SinceWebinar, Cadence: []int64{-7, -1, 0, 1}, Open: 5},
			}}
			f := folded(Facts{Stage: Customer, Created: DateOf(today - 40)}, Event{Kind: EventRegistered, Day: today - 10, For: today - days})
			var r Ranker
			var out [3]Suggestion
			n, said := r.Rank(pb, &Member{}, today, Members, []Facts{f}, &out), ""
			if n == 1 {
				said = all[out[0].Content].Say.In("en")
			}
			if i < len(want) && said != want[i] || i >= len(want) && n != 0 {
				t.Errorf("%d days after the event, of %d wordings: %q is said, want %v", days, len(all), said, want)
			}
		}
	}
}
