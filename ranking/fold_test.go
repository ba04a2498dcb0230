package ranking

import "testing"

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
	if f.TouchCount != 3 || f.Touches != [8]Day{d0 + 2, d0 + 2, d0} {
		t.Errorf("%d touches %v, want 3", f.TouchCount, f.Touches)
	}
	if f.Tries != [NumChannels]uint16{Call: 2, Text: 1} || f.Answers != [NumChannels]uint16{Call: 1, Text: 1} {
		t.Errorf("tries %v, answers %v", f.Tries, f.Answers)
	}
	if f.LastOutcome != Replied || f.LastOutcomeDay != d0+2 || f.Reached != Replied || f.ReachedDay != d0+2 {
		t.Errorf("last %v on %v, reached %v on %v", f.LastOutcome, f.LastOutcomeDay, f.Reached, f.ReachedDay)
	}
	if f.Done[Watched] != d0+2 || f.Sent[Watched] != 1<<1 || f.LastSent[Watched] != 1 || f.Done[NewLead] != 0 {
		t.Errorf("done %v, sent %v", f.Done, f.Sent)
	}
	if f.Orders != 2 || f.FirstOrder != d0+4 || f.LastOrder != d0+36 || f.GapLog2Sum != 5*One || f.SpentCents != 2200 {
		t.Errorf("orders %d from %v to %v, log2 gaps %d, spent %d", f.Orders, f.FirstOrder, f.LastOrder, f.GapLog2Sum, f.SpentCents)
	}
	if f.OrderDays != [8]Day{d0 + 36, d0 + 4} || f.Stage != Customer || f.StageDay != d0+4 {
		t.Errorf("order days %v, %v since %v", f.OrderDays, f.Stage, f.StageDay)
	}
}

func TestTheGreatestOutcomeOfADayCounts(t *testing.T) {
	for _, order := range [][2]Outcome{{Answered, NotReady}, {NotReady, Answered}} {
		p := someone(1, Prospect, d0)
		for i, o := range order {
			p.with(Event{Kind: EventTouch, Day: d0, Channel: Channel(i), Outcome: o})
		}
		if p.Reached != Answered || p.LastOutcome != Answered {
			t.Errorf("%v: reached %v, last %v", order, p.Reached, p.LastOutcome)
		}
		p.with(Event{Kind: EventTouch, Day: d0 + 1, Channel: Call, Outcome: NoAnswer})
		if p.Reached != Answered || p.ReachedDay != d0 || p.LastOutcome != NoAnswer {
			t.Errorf("%v, then nobody: reached %v, last %v", order, p.Reached, p.LastOutcome)
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
		Contact: id(1), Stage: Promoter, Channels: personal, Orders: 1000, FirstOrder: -1 << 31, LastOrder: 1,
		GapLog2Sum: 1 << 62, Dismissals: [NumTriggers]uint8{CheckIn: 1}, Dismissed: [NumTriggers]Day{CheckIn: 1<<31 - 1},
	}
	var r Ranker
	var out [3]Suggestion
	for _, today := range []Day{1<<31 - 1, maxSpan + 1, 1, -1 << 30} {
		if n := r.Rank(DefaultPlaybook(), &Member{Seed: 1}, today, Members, []Facts{f}, &out); n != 0 {
			t.Errorf("on %v: %+v", today, out[0])
		}
	}
}
