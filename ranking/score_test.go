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
