package ranking

// EventKind says what happened.
type EventKind uint8

// Kinds of events; behind each, the fields of Event that it reads besides Kind and Day.
const (
	EventTouch      EventKind = iota // Channel, Outcome; when it acted on a suggestion: Prompted, Trigger, Content, P0, P1
	EventOrder                       // Cents
	EventForm                        // a capture form was submitted
	EventRegistered                  // For: the day of the webinar
	EventAttended                    // the overview webinar was attended
	EventWatched                     // a video was watched to its end
	EventClicked                     // shared content was opened
	EventSkipped                     // "not today"
	EventDismissed                   // Trigger: "do not suggest this"
	EventPromise                     // For: the day a follow-up was promised for
	EventStage                       // Stage
	NumEventKinds
)

// Event is one entry of the log as far as ranking cares. An outcome that was logged later, as an entry of its own, is
// first put into the touch that it belongs to; of several the greatest.
type Event struct {
	Kind     EventKind
	Day      Day // when it happened, in the member's home calendar
	For      Day // the day that it is about, see EventKind
	Channel  Channel
	Outcome  Outcome
	Prompted bool // the touch acted on a suggestion: Trigger and Content say which
	Trigger  TriggerID
	Stage    Stage
	Content  uint16
	P0, P1   uint16 // what Suggestion said, Q16; zero: not known, the act teaches nothing
	Cents    int64
}

// Fold fills in all that the log tells of a contact. It keeps what comes from the contact's own fields (Contact,
// Household, Stage, Consent, Channels, Created, Imported, Snooze) and starts the rest from zero, so that folding again
// gives the same. The events must be all of the contact's, without duplicates, sorted by (time, id); then any two replicas with
// the same set of entries get the same Facts. Entries that say the same act twice (two devices, one call) do no harm:
// orders and dismissals count once a day, touches once a day for each (channel, trigger).
func (f *Facts) Fold(events []Event) {
	*f = Facts{
		Contact: f.Contact, Household: f.Household, Stage: f.Stage, Consent: f.Consent, Channels: f.Channels,
		Created: f.Created, Imported: f.Imported, Snooze: f.Snooze,
	}
	for i := range events {
		f.Apply(events[i])
	}
}

// Apply adds the next event of the contact's log; its day is not before the day of any event applied earlier. An event
// with an unknown kind, channel or trigger is skipped: a newer version may have written it.
func (f *Facts) Apply(ev Event) {
	if ev.Day < f.Created { // known before the book was: an imported address is no new lead
		f.Created = ev.Day
	}
	switch ev.Kind {
	case EventTouch:
		f.touch(ev)
	case EventOrder:
		f.order(ev.Day, ev.Cents)
	case EventForm:
		f.FormDay = max(f.FormDay, ev.Day)
	case EventRegistered:
		f.RegisteredDay = max(f.RegisteredDay, ev.Day)
		f.WebinarDay = ev.For
	case EventAttended:
		f.AttendedDay = max(f.AttendedDay, ev.Day)
	case EventWatched:
		f.WatchedDay = max(f.WatchedDay, ev.Day)
	case EventClicked:
		f.ClickedDay = max(f.ClickedDay, ev.Day)
	case EventSkipped:
		f.Skipped = max(f.Skipped, ev.Day)
	case EventDismissed:
		if t := ev.Trigger; t < NumTriggers && f.Dismissed[t] != ev.Day {
			f.Dismissed[t] = ev.Day
			f.Dismissals[t] = min(f.Dismissals[t], 254) + 1
		}
	case EventPromise:
		f.Promised = ev.For
	case EventStage:
		f.moveTo(ev.Stage, ev.Day)
	}
}

func (f *Facts) touch(ev Event) {
	const triggers = int(NumTriggers) + 1
	if ev.Channel >= NumChannels {
		return
	}
	if f.TouchCount == 0 || f.Touches[0] != ev.Day {
		f.Acts = 0
	}
	slot := triggers - 1
	if ev.Prompted && ev.Trigger < NumTriggers {
		t := ev.Trigger
		slot = int(t)
		f.Done[t] = ev.Day
		f.Dismissals[t] = 0
		f.Dismissed[t] = 0
		if ev.Content < MaxContents {
			f.Sent[t] |= 1 << ev.Content
			f.LastSent[t] = uint8(ev.Content)
		}
	}
	if a, ok := actOf(&ev); ok {
		f.await(a)
	}
	if f.mark(int(ev.Channel)*triggers + slot) {
		copy(f.Touches[1:], f.Touches[:])
		f.Touches[0] = ev.Day
		f.TouchCount++
	}
	if ev.Outcome == NoOutcome {
		return
	}
	if f.mark(4*triggers + int(ev.Channel)) {
		f.Tries[ev.Channel] = min(f.Tries[ev.Channel], 1<<16-2) + 1
	}
	if ev.Day != f.LastOutcomeDay || ev.Outcome > f.LastOutcome {
		f.LastOutcome, f.LastOutcomeDay = ev.Outcome, ev.Day
	}
	if ev.Outcome < NotReady {
		return
	}
	if f.mark(4*triggers + int(NumChannels) + int(ev.Channel)) {
		f.Answers[ev.Channel] = min(f.Answers[ev.Channel], 1<<16-2) + 1
	}
	if ev.Day != f.ReachedDay || ev.Outcome > f.Reached {
		f.Reached, f.ReachedDay = ev.Outcome, ev.Day
	}
	if ev.Outcome >= Enrolled && f.Stage == Prospect {
		f.moveTo(Customer, ev.Day)
	}
}

// mark sets a bit of Acts and says whether it was clear.
func (f *Facts) mark(bit int) bool {
	clear := f.Acts>>bit&1 == 0
	f.Acts |= 1 << bit
	return clear
}

// order counts a day with an order; a first order makes a prospect a customer.
func (f *Facts) order(day Day, cents int64) {
	f.SpentCents += cents
	f.bought(day)
	if f.Stage == Prospect {
		f.moveTo(Customer, day)
	}
	if f.Orders > 0 && f.LastOrder == day {
		return
	}
	if f.Orders == 0 {
		f.FirstOrder = day
	} else {
		f.GapLog2Sum += Log2(day.since(f.LastOrder))
	}
	f.Orders++
	f.LastOrder = day
	copy(f.OrderDays[1:], f.OrderDays[:])
	f.OrderDays[0] = day
}

func (f *Facts) moveTo(s Stage, day Day) {
	if s > Promoter || f.Stage == s {
		return
	}
	f.Stage, f.StageDay = s, day
}
