package ranking

import (
	"testing"
	"unsafe"
)

// portfolio is a member's book of 5,000 contacts, most of them with something to suggest.
func portfolio() (*Playbook, []Facts) {
	b := newBook(11, 5000, firstDay)
	for i := range b.facts {
		b.facts[i].Consent = ConsentGiven
		b.facts[i].Channels = personal
	}
	return fullPlaybook(), b.facts
}

// BenchmarkRank5000 ranks both lists of 5,000 contacts.
func BenchmarkRank5000(b *testing.B) {
	pb, facts := portfolio()
	var r Ranker
	var out [3]Suggestion
	both := func(day Day) int {
		return r.Rank(pb, &Member{Seed: 1}, day, Prospects, facts, &out) + r.Rank(pb, &Member{Seed: 1}, day, Members, facts, &out)
	}
	if both(firstDay) != 6 {
		b.Fatal("fewer than six suggestions among 5,000 contacts")
	}
	b.ReportAllocs()
	for b.Loop() {
		both(firstDay)
	}
}

func TestAWarmRankerAllocatesNothing(t *testing.T) {
	pb, facts := portfolio()
	var r Ranker
	var out [3]Suggestion
	r.Rank(pb, &Member{Seed: 1}, firstDay, Members, facts, &out)
	r.Rank(pb, &Member{Seed: 1}, firstDay, Prospects, facts, &out)
	if n := testing.AllocsPerRun(10, func() {
		r.Rank(pb, &Member{Seed: 1}, firstDay, Prospects, facts, &out)
		r.Rank(pb, &Member{Seed: 1}, firstDay, Members, facts, &out)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// factsBytes is the size of a contact in memory.
const factsBytes = unsafe.Sizeof(Facts{})
