package ranking

import (
	"encoding/binary"
	"testing"
	"unsafe"
)

func dates(days ...Day) (all [8]Date) {
	for i, d := range days {
		all[i] = DateOf(d)
	}
	return all
}

func TestFoldCountsEachThingOnce(t *testing.T) {
	call := func(day Day, o Outcome) Event { return Event{Kind: EventTouch, Day: day, Channel: Call, Outcome: o} }
	text := Event{Kind: EventTouch, Day: d0 + 2, Channel: Text, Outcome: Replied, Prompted: true, Trigger: Watched, Content: 1}
	p := someone(1, Prospect, d0).with(
		call(d0, NoAnswer), call(d0, NotReady), call(d0, NoAnswer), // three tries of a day, one act
		call(d0+2, NoAnswer), text, text, // a call, and a text that two devices logged
		Event{Kind: EventOrder, Day: d0 + 4, Cents: 1000},
		Event{Kind: EventOrder, Day: d0 + 4, Cents: 500}, // a second basket of the same day
		Event{Kind: EventOrder, Day: d0 + 36, Cents: 700},
	)
	f := &p.Facts
	if f.TouchCount != 3 || f.Touches != dates(d0+2, d0+2, d0) {
		t.Errorf("%d touches %v, want 3", f.TouchCount, f.Touches)
	}
	if f.Tries != [NumChannels]uint8{Call: 2, Text: 1} || f.Answers != [NumChannels]uint8{Call: 1, Text: 1} {
		t.Errorf("tries %v, answers %v", f.Tries, f.Answers)
	}
	if f.Reached != Replied || f.ReachedDay != DateOf(d0+2) {
		t.Errorf("reached %v on %v", f.Reached, f.ReachedDay)
	}
	if f.Past(Watched) != (Past{Done: DateOf(d0 + 2), Sent: 1 << 1, Last: 1}) || f.Past(NewLead) != (Past{}) {
		t.Errorf("pasts %b %v", f.Used, f.Pasts)
	}
	if f.Orders != 2 || f.FirstOrder != DateOf(d0+4) || f.LastOrder() != DateOf(d0+36) || f.GapLog2Sum != 5*One || f.SpentCents != 2200 {
		t.Errorf("orders %d from %v to %v, log2 gaps %d, spent %d", f.Orders, f.FirstOrder, f.LastOrder(), f.GapLog2Sum, f.SpentCents)
	}
	if f.OrderDays != dates(d0+36, d0+4) || f.Stage != Customer || f.StageDay != DateOf(d0+4) {
		t.Errorf("order days %v, %v since %v", f.OrderDays, f.Stage, f.StageDay)
	}
}

func TestTheGreatestOutcomeOfADayCounts(t *testing.T) {
	for _, order := range [][2]Outcome{{Answered, NotReady}, {NotReady, Answered}} {
		p := someone(1, Prospect, d0)
		for i, o := range order {
			p.with(Event{Kind: EventTouch, Day: d0, Channel: Channel(i), Outcome: o})
		}
		if p.Reached != Answered {
			t.Errorf("%v: reached %v", order, p.Reached)
		}
		p.with(Event{Kind: EventTouch, Day: d0 + 1, Channel: Call, Outcome: NoAnswer})
		if p.Reached != Answered || p.ReachedDay != DateOf(d0) {
			t.Errorf("%v, then nobody: reached %v on %v", order, p.Reached, p.ReachedDay)
		}
	}
}

func TestEventsOfANewerVersionAreSkipped(t *testing.T) {
	p := someone(1, Prospect, d0)
	want := p.Facts
	p.with(
		Event{Kind: NumEventKinds, Day: d0},
		Event{Kind: EventTouch, Day: d0, Channel: NumChannels},
		Event{Kind: EventDismissed, Day: d0, Trigger: NumTriggers},
		Event{Kind: EventStage, Day: d0, Stage: Promoter + 1})
	if p.Facts != want {
		t.Errorf("%+v", p.Facts)
	}
}

// Spans are bounded at a million days. Beyond, a cycle could seem due that has long ended.
func TestAnOrderBeyondTheCalendarBringsNoRefill(t *testing.T) {
	f := Facts{
		Contact: id(1), Stage: Promoter, Channels: personal, Orders: 1000, FirstOrder: 1, OrderDays: [8]Date{1},
		GapLog2Sum: 1<<32 - 1,
	}
	var r Ranker
	var out [3]Suggestion
	for _, today := range []Day{1<<31 - 1, maxSpan + 1, 1, -1 << 30} {
		if n := r.Rank(DefaultPlaybook(), &Member{Seed: 1}, today, Members, []Facts{f}, &out); n != 0 && out[0].Trigger != CheckIn {
			t.Errorf("on %v: %+v", today, out[0])
		}
	}
}

func TestDatesAreClampedToTheirSixteenBits(t *testing.T) {
	for _, c := range []struct{ day, want Day }{
		{0, 0},
		{day("1989-12-31"), day("1990-01-01")},
		{-1 << 31, day("1990-01-01")},
		{day("1990-01-01"), day("1990-01-01")},
		{day("2026-11-22"), day("2026-11-22")},
		{day("2169-06-05"), day("2169-06-05")},
		{day("2169-06-08"), day("2169-06-05")},
		{1<<31 - 1, day("2169-06-05")},
	} {
		if got := DateOf(c.day).Day(); got != c.want || DateOf(c.day).String() != c.want.String() {
			t.Errorf("%v is kept as %v, want %v", c.day, got, c.want)
		}
	}
	for d := Date(1); d != 0; d++ {
		if DateOf(d.Day()) != d {
			t.Fatalf("%d is kept as %d", d, DateOf(d.Day()))
		}
	}
}

func TestAContactTakes256Bytes(t *testing.T) {
	if n := unsafe.Sizeof(Facts{}); n > 256 {
		t.Errorf("%d bytes in memory", n)
	}
	if n := binary.Size(Facts{}); n > 256 {
		t.Errorf("%d bytes on disk", n)
	}
}

func TestCountsStopAtTheirEnds(t *testing.T) {
	p := someone(1, Customer, d0)
	var log []Event
	for i := range Day(300) {
		log = append(log, Event{Kind: EventTouch, Day: d0 + i, Channel: Text, Outcome: NoAnswer}, Event{Kind: EventDismissed, Day: d0 + i, Trigger: CheckIn})
	}
	// After 255 tries without an answer a hundred answers are not counted either, so that the share stays true.
	for i := range Day(100) {
		log = append(log, Event{Kind: EventTouch, Day: d0 + 300 + i, Channel: Text, Outcome: Replied})
	}
	p.with(log...)
	if p.Tries[Text] != 255 || p.Answers[Text] != 0 || p.TouchCount != 400 {
		t.Errorf("%d tries, %d answers, %d touches", p.Tries[Text], p.Answers[Text], p.TouchCount)
	}
	if q := p.Past(CheckIn); q.dismissals() != 31 || q.lastSent() != 0 {
		t.Errorf("%d dismissals, sent %d", q.dismissals(), q.lastSent())
	}
	// An order a day through all of the calendar: the sum of the gaps fits, the count stays at its end.
	f := Facts{Contact: id(1)}
	for d := day("1989-12-01"); d < day("2169-12-01"); d++ {
		f.Apply(Event{Kind: EventOrder, Day: d, Cents: 1})
	}
	if f.Orders != 65_535 || f.GapLog2Sum != 0 || f.FirstOrder != 1 || f.LastOrder() != 65_535 {
		t.Errorf("%d orders from %v to %v, log2 gaps %d", f.Orders, f.FirstOrder, f.LastOrder(), f.GapLog2Sum)
	}
	f = Facts{Contact: id(1)}
	for d := day("1990-01-01"); d < day("2169-06-05"); d += 3 { // the gap with the greatest log2 a day
		f.Apply(Event{Kind: EventOrder, Day: d})
	}
	if want := int64(f.Orders-1) * Log2(3); int64(f.GapLog2Sum) != want {
		t.Errorf("log2 gaps %d, want %d", f.GapLog2Sum, want)
	}
}

func TestMoreActsOnADayThanAreKnownCountAsEight(t *testing.T) {
	p := someone(1, Prospect, d0)
	var log []Event
	for ch := range NumChannels {
		for tr := range TriggerID(5) {
			log = append(log, Event{Kind: EventTouch, Day: d0, Channel: ch, Prompted: true, Trigger: tr})
		}
	}
	if p.with(append(log, log...)...); p.TouchCount != 8 {
		t.Errorf("%d touches", p.TouchCount)
	}
	if p.with(Event{Kind: EventTouch, Day: d0 + 1}); p.TouchCount != 9 || p.Touches[1] != DateOf(d0) {
		t.Errorf("%d touches", p.TouchCount)
	}
}

// What was done for a trigger is packed: it is held against one entry for each trigger.
func TestThePastOfEveryTriggerIsFound(t *testing.T) {
	for seed := uint64(1); seed <= 300; seed++ {
		d := rng(seed)
		f := Facts{Contact: id(1)}
		want := map[TriggerID]Past{}
		used := d.between(1, MaxPasts)
		first := d.below(int(NumTriggers))
		for day := d0; day < d0+60; day++ {
			tr := TriggerID((first + d.below(used)) % int(NumTriggers))
			p := want[tr]
			if d.percent(60) {
				ct := uint16(d.below(MaxContents))
				f.Apply(Event{Kind: EventTouch, Day: day, Prompted: true, Trigger: tr, Content: ct})
				p = Past{Done: DateOf(day), Sent: p.Sent | 1<<ct, Last: uint8(ct)}
			} else {
				f.Apply(Event{Kind: EventDismissed, Day: day, Trigger: tr})
				p.Dismissed = DateOf(day)
				p.Last += MaxContents
			}
			want[tr] = p
			for tr := range NumTriggers {
				if got := f.Past(tr); got != want[tr] {
					t.Fatalf("seed %d, %v: %+v, want %+v", seed, tr, got, want[tr])
				}
			}
		}
	}
}

// Beyond the triggers that facts have room for, a dismissal in force outlives older and newer things that were done.
func TestADismissalInForceIsNotForgotten(t *testing.T) {
	const today = firstDay
	events := []Event{{Kind: EventTouch, Channel: Text, Prompted: true, Trigger: Watched, Day: today - 900}}
	for i := range Day(9) {
		events = append(events, Event{Kind: EventDismissed, Trigger: Watched, Day: today - 800 + i})
	}
	events = append(events, Event{Kind: EventDismissed, Trigger: Visiting, Day: today - 790}) // in force no more, and nothing sent
	for k := range TriggerID(MaxPasts - 1) {
		if k != Watched && k != Visiting {
			events = append(events, Event{Kind: EventTouch, Channel: Text, Prompted: true, Trigger: k, Day: today - 400 + Day(k)*20})
		}
	}
	f := folded(Facts{Created: DateOf(today - 3000)}, events...)
	if f.Used>>Visiting&1 == 0 {
		t.Fatal("the test has room left")
	}
	f.Apply(Event{Kind: EventTouch, Channel: Text, Prompted: true, Trigger: Own1, Day: today - 2})
	if f.Used>>Visiting&1 != 0 || f.Used>>Watched&1 == 0 || f.Past(NewLead).Sent == 0 {
		t.Errorf("what decides nothing any more was kept, or what does was forgotten: %v", f.Used)
	}
	f.Apply(Event{Kind: EventTouch, Channel: Text, Prompted: true, Trigger: Own2, Day: today - 1})
	f.Apply(Event{Kind: EventWatched, Day: today + 9})
	if n := f.Past(Watched).dismissals(); n != 9 || f.Past(Watched).Sent != 1 {
		t.Errorf("dismissed %d times, want 9; sent %b", n, f.Past(Watched).Sent)
	}
	var r Ranker
	var out [3]Suggestion
	for i := range r.Rank(DefaultPlaybook(), &Member{}, today+10, Prospects, []Facts{f}, &out) {
		if out[i].Trigger == Watched {
			t.Error("what was dismissed nine times is suggested")
		}
	}
}
