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
