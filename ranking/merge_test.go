package ranking

import (
	"slices"
	"testing"
)

// note is an entry of the log: an event, or what came of the touch named by about.
type note struct {
	id, about uint64
	at        int64 // its time; the day is at/100
	contact   int
	ev        Event
}

// device is a replica as ranking sees it: a set of entries, what was folded from them, and warm rankers.
type device struct {
	notes   map[uint64]note
	facts   []Facts
	acts    [][]Attempt
	member  Member
	today   Day
	rankers [2]Ranker
	changed []int
	ranked  Member
	warm    bool
}

func newDevice(seed uint64, blank []Facts, today Day) *device {
	return &device{
		notes: map[uint64]note{}, facts: slices.Clone(blank), acts: make([][]Attempt, len(blank)), member: Member{Seed: seed}, today: today,
	}
}

// receive takes a batch in, folds those whom it is about again, and counts their acts anew.
func (d *device) receive(blank []Facts, batch []note) {
	touched := map[int]bool{}
	for _, n := range batch {
		d.notes[n.id] = n
		touched[n.contact] = true
	}
	for c := range touched {
		var log []note
		results := map[uint64]Outcome{}
		for _, n := range d.notes {
			switch {
			case n.contact != c:
			case n.about != 0:
				results[n.about] = max(results[n.about], n.ev.Outcome)
			default:
				log = append(log, n)
			}
		}
		slices.SortFunc(log, func(a, b note) int {
			if a.at != b.at {
				return int(a.at - b.at)
			}
			return int(a.id) - int(b.id)
		})
		events := make([]Event, len(log))
		for i, n := range log {
			events[i] = n.ev
			events[i].Outcome = max(events[i].Outcome, results[n.id])
		}
		d.count(c, -1)
		d.facts[c] = blank[c]
		d.facts[c].Fold(events)
		d.acts[c] = AppendAttempts(nil, events)
		d.count(c, 1)
		d.changed = append(d.changed, c)
	}
}

func (d *device) count(c int, n int64) {
	for i := range d.acts[c] {
		if d.acts[c][i].Closed(d.today) {
			d.member.Count(&d.acts[c][i], n)
		}
	}
}

// three ranks both lists, anew or from the warm state.
func (d *device) three(pb *Playbook) (out [2][3]Suggestion) {
	for l := range d.rankers {
		if d.warm && d.ranked == d.member {
			d.rankers[l].Again(d.facts, d.changed, &out[l])
		} else {
			d.rankers[l].Rank(pb, &d.member, d.today, List(l), d.facts, &out[l])
		}
	}
	d.warm, d.ranked, d.changed = true, d.member, nil
	return out
}

// TestAnyOrderDuplicationAndSplitOfEntriesGivesTheSameThree gives two devices the same entries, one all at once, the other
// in batches, in any order and some twice, ranking now and then in between.
func TestAnyOrderDuplicationAndSplitOfEntriesGivesTheSameThree(t *testing.T) {
	cases := 10_000
	if testing.Short() {
		cases = 1000
	}
	picks := 0
	playbooks := []*Playbook{DefaultPlaybook(), fullPlaybook()}
	for seed := uint64(1); seed <= uint64(cases); seed++ {
		d := rng(seed)
		pb := playbooks[seed%2]
		const contacts = 8
		blank := make([]Facts, contacts)
		for i := range blank {
			blank[i] = Facts{Contact: id(seed<<8 + uint64(i)), Stage: Stage(d.below(3)), Channels: uint8(d.below(16)), Created: DateOf(firstDay - Day(d.below(200)))}
		}
		var all []note
		for n := range uint64(d.between(5, 40)) {
			at := int64(firstDay-Day(d.below(120)))*100 + int64(d.below(100))
			e := note{id: n + 1, at: at, contact: d.below(contacts), ev: Event{Day: Day(at / 100)}}
			ev := &e.ev
			switch d.below(9) {
			case 8:
				ev.Kind, ev.Stage = EventKind(d.between(int(EventStage), int(NumEventKinds)-1)), Promoter
			case 0, 1:
				ev.Kind, ev.Cents = EventOrder, 100
			case 2:
				ev.Kind = EventKind(d.between(int(EventForm), int(EventSkipped)))
				ev.For = ev.Day + Day(d.below(4))
			case 3:
				ev.Kind, ev.Trigger = EventDismissed, TriggerID(d.below(int(NumTriggers)))
			case 4:
				if n > 0 { // what came of an earlier entry
					about := all[d.below(len(all))]
					e.about, e.contact, ev.Outcome = about.id, about.contact, Outcome(d.below(int(Enrolled)+1))
				}
			default:
				*ev = Event{
					Kind: EventTouch, Day: ev.Day, Channel: Channel(d.below(4)), Outcome: Outcome(d.below(int(Enrolled))), Prompted: d.percent(80),
					Trigger: TriggerID(d.below(int(NumTriggers))), Content: uint16(d.below(3)), P0: uint16(d.between(1, 65_535)), P1: uint16(d.between(1, 65_535)),
				}
			}
			all = append(all, e)
			if d.percent(10) { // the same act on another device
				e.id += 1000
				all = append(all, e)
			}
		}
		whole := newDevice(seed, blank, firstDay)
		whole.receive(blank, all)
		want := whole.three(pb)

		parts := newDevice(seed, blank, firstDay)
		mixed := slices.Clone(all)
		for _, e := range all {
			if d.percent(20) {
				mixed = append(mixed, e)
			}
		}
		shuffle(&d, mixed)
		for len(mixed) > 0 {
			n := d.between(1, len(mixed))
			parts.receive(blank, mixed[:n])
			mixed = mixed[n:]
			if d.percent(50) {
				parts.three(pb)
			}
		}
		if got := parts.three(pb); got != want || !slices.Equal(parts.facts, whole.facts) || parts.member != whole.member {
			t.Fatalf("seed %d: in another order and other parts\n%+v\ninstead of\n%+v", seed, got, want)
		}
		for l := range want {
			for _, s := range want[l] {
				if s.NReasons > 0 {
					picks++
				}
			}
		}
	}
	t.Logf("%d cases, %d picks", cases, picks)
	if picks < cases {
		t.Errorf("only %d picks in %d cases: the test does not reach far", picks, cases)
	}
}

func TestAnActCountsOnceAndOnlyWhenItsWindowIsOver(t *testing.T) {
	pb := DefaultPlaybook()
	act := Event{Kind: EventTouch, Day: d0, Channel: Text, Prompted: true, Trigger: RefillDue, P0: One / 4, P1: One / 2}
	p := few(4, 20)
	m := func(today Day) (m Member) {
		for _, a := range AppendAttempts(nil, p.log) {
			if a.Closed(today) {
				m.Count(&a, 1)
			}
		}
		return m
	}
	own := func(today Day) int64 {
		var l lens
		l.set(pb, &Member{}, today)
		var own ownContact
		l.ownOf(&p.Facts, &own)
		return own.all
	}
	p.with(act, act) // two devices, one act
	if m(d0+7) != (Member{}) || own(d0+7) != 0 {
		t.Error("an act counts while its window is open")
	}
	if got := m(d0 + 8); got.Ways[Text] != (Record{-One / 4, One * 3 / 16}) || got.Words[RefillDue][0] != got.Ways[Text] {
		t.Errorf("after a week without an order: %+v", got.Ways)
	}
	if own(d0+8) >= 0 {
		t.Error("who did not order is no less likely to")
	}
	p.with(ordered(d0 + 7)...)
	if got := m(d0 + 8); got.Ways[Text] != (Record{One * 3 / 4, One * 3 / 16}) || own(d0+8) <= 0 {
		t.Errorf("after an order on the seventh day: %+v", got.Ways)
	}
	// Once another event has settled it, it counts the same.
	before := own(d0 + 30)
	p.with(Event{Kind: EventClicked, Day: d0 + 20}, Event{Kind: EventTouch, Day: d0 + 25, Channel: Call, Prompted: true, Trigger: CheckIn, P0: 9, P1: 9})
	if p.Own[Text] == (Outturn{}) || own(d0+30) != before {
		t.Errorf("settled %+v; %d, was %d", p.Own, own(d0+30), before)
	}
	// Without chances an act teaches nothing: entries of an older version.
	q := few(4, 20).with(Event{Kind: EventTouch, Day: d0 + 1, Channel: Text, Prompted: true, Trigger: RefillDue})
	if AppendAttempts(nil, q.log) != nil || q.Waiting != ([4]Waiting{}) {
		t.Error("an act without chances is counted")
	}
	// Of more than four in a week the oldest is settled early; nothing is lost.
	q = few(4, 20)
	for i := range 6 {
		e := act
		e.Trigger = TriggerID(i)
		q.with(e)
	}
	if q.Own[Text].Gain != -1024 || q.Waiting[3].act().Trigger != 5 {
		t.Errorf("%+v, waiting %+v", q.Own, q.Waiting)
	}
}

func TestOwnExperienceMovesTheScoreAsMuchAsItsShareAllows(t *testing.T) {
	r := Record{Gain: 2 * One, Info: 4 * One}
	if got := r.offset(4 * One); got != 250 {
		t.Errorf("two more successes than expected at V = 4 and L = 4: %d milli-nats, want 250", got)
	}
	if r.offset(0) != 0 || (Record{}).offset(One) != 0 {
		t.Error("a level that is switched off, or without acts, says something")
	}
	if got := r.without(250); got != (Record{Gain: One, Info: 4 * One}) {
		t.Errorf("beyond 250 milli-nats: %+v", got)
	}
	// What all members gained is not this one's own.
	pb := DefaultPlaybook()
	m := &Member{}
	m.Ways[Call], m.Words[NewLead][3] = r, r
	var l lens
	l.set(pb, m, d0)
	if l.way[Call] <= 0 || l.word[NewLead][3] <= 0 || l.way[Text] <= 0 {
		t.Errorf("%v %v", l.way, l.word[NewLead])
	}
	pb.Shared.Ways[Call], pb.Shared.Words[NewLead][3] = 500, 500
	l.set(pb, m, d0)
	if l.way != ([NumChannels]int64{}) || l.word[NewLead][3] != 0 {
		t.Errorf("%v %v", l.way, l.word[NewLead])
	}
	extreme := Record{Gain: -1 << 63, Info: 1<<63 - 1}
	extreme.without(1 << 62).offset(1)
}

func TestWordsTheCompanyKnowsLittleOfAreTriedByWeekAndMember(t *testing.T) {
	pb := DefaultPlaybook()
	for ct := range 3 {
		pb.Rules[NewLead].Contents[ct] = Content{Channels: personal, Doubt: 500}
	}
	chosen := [3]int{}
	for seed := range uint64(300) {
		f := []Facts{someone(1, Prospect, d0).Facts}
		var r Ranker
		var out [3]Suggestion
		r.Rank(pb, &Member{Seed: seed}, d0, Prospects, f, &out)
		again := out
		if out[0].Content < 3 {
			chosen[out[0].Content]++
		}
		monday := d0
		for !monday.Monday() {
			monday--
		}
		for day := monday; day < monday+7; day++ { // the same all week
			f[0].Created = DateOf(day)
			r.Rank(pb, &Member{Seed: seed}, day, Prospects, f, &out)
			if out[0].Content != again[0].Content {
				t.Fatalf("member %d tries %d on %v and %d on %v", seed, again[0].Content, d0, out[0].Content, day)
			}
		}
	}
	for ct, n := range chosen {
		if n < 60 {
			t.Errorf("content %d was tried by %d of 300 members", ct, n)
		}
	}
	sum, squares := 0.0, 0.0
	for i := range uint64(10_000) {
		x := float64(bell(mix(i))) / One
		sum += x
		squares += x * x
	}
	if sum/1e4 < -.03 || sum/1e4 > .03 || squares/1e4 < .96 || squares/1e4 > 1.04 {
		t.Errorf("mean %.3f, variance %.3f, want 0 and 1", sum/1e4, squares/1e4)
	}
}

func TestOneContactWeekOfTwentyIsLeftUnasked(t *testing.T) {
	pb := DefaultPlaybook()
	asked := pb.Silenced(1, d0, id(1))
	pb.Silent = 20
	quiet, weeks := 0, 0
	for c := range uint64(400) {
		for week := range Day(10) {
			monday := d0 + 7*week
			for !monday.Monday() {
				monday++
			}
			weeks++
			if pb.Silenced(5, monday+1, id(c)) {
				quiet++
				for day := monday; day <= monday+7; day++ {
					if !pb.Silenced(5, day, id(c)) {
						t.Fatalf("asked on %v of a week from %v on", day, monday)
					}
				}
			}
		}
	}
	if asked || quiet < weeks/25 || quiet > weeks/16 {
		t.Errorf("%d of %d contact-weeks, want a twentieth", quiet, weeks)
	}
	var r Ranker
	var out [3]Suggestion
	for c := range uint64(200) {
		p := someone(c, Customer, d0-45).with(ordered(d0 - 45)...)
		n := r.Rank(pb, &Member{Seed: 5}, d0, Members, []Facts{p.Facts}, &out)
		if want := !pb.Silenced(5, d0, id(c)); (n == 1) != want {
			t.Errorf("contact %d: %d suggestions, unasked %v", c, n, !want)
		}
	}
}
