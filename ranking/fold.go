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
	EventVisited                     // is on the promoter's website, in a webinar or at a video
	EventJoined                      // clicked "join now" of a webinar
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
	day := DateOf(ev.Day)
	if day < f.Created { // known before the book was: an imported address is no new lead
		f.Created = day
	}
	switch ev.Kind {
	case EventTouch:
		f.touch(ev, day)
	case EventOrder:
		f.order(ev.Day, ev.Cents)
	case EventForm:
		f.FormDay = max(f.FormDay, day)
	case EventRegistered:
		f.RegisteredDay = max(f.RegisteredDay, day)
		f.WebinarDay = DateOf(ev.For)
	case EventAttended:
		f.AttendedDay = max(f.AttendedDay, day)
	case EventWatched:
		f.WatchedDay = max(f.WatchedDay, day)
	case EventClicked:
		f.ClickedDay = max(f.ClickedDay, day)
	case EventSkipped:
		f.Skipped = max(f.Skipped, day)
	case EventDismissed:
		if ev.Trigger >= NumTriggers {
			return
		}
		if p := f.use(ev.Trigger, day); p.Dismissed != day {
			p.Dismissed = day
			if p.dismissals() < 31 {
				p.Last += MaxContents
			}
		}
	case EventPromise:
		f.Promised = DateOf(ev.For)
	case EventStage:
		if f.Stage == ev.Stage && f.StageDay == 0 { // the stage is known already, the log dates it
			f.StageDay = day
		}
		f.moveTo(ev.Stage, day)
	case EventVisited:
		f.VisitedDay = max(f.VisitedDay, day)
		f.Live |= signalVisited
	case EventJoined:
		f.JoinedDay = max(f.JoinedDay, day)
		f.Live |= signalJoined
	}
}

// untold is the trigger of a touch that acted on no suggestion, in Facts.TouchOf; the channel stands in the bits above.
const (
	untold       = 31
	touchChannel = 5
)

func (f *Facts) touch(ev Event, day Date) {
	if ev.Channel >= NumChannels {
		return
	}
	if f.Touches[0] != day {
		f.Marks = 0
	}
	f.Live = 0
	what := uint8(ev.Channel)<<touchChannel | untold
	if ev.Prompted && ev.Trigger < NumTriggers {
		what = uint8(ev.Channel)<<touchChannel | uint8(ev.Trigger)
		p := f.use(ev.Trigger, day)
		p.Done, p.Dismissed, p.Last = day, 0, p.lastSent()
		if ev.Content < MaxContents {
			p.Sent |= 1 << ev.Content
			p.Last = uint8(ev.Content)
		}
	}
	if a, ok := actOf(&ev); ok {
		f.await(a)
	}
	if f.isNew(day, what) {
		copy(f.Touches[1:], f.Touches[:])
		copy(f.TouchOf[1:], f.TouchOf[:])
		f.Touches[0], f.TouchOf[0] = day, what
		f.TouchCount = min(f.TouchCount, 1<<16-2) + 1
	}
	if ev.Outcome == NoOutcome {
		return
	}
	answered := uint8(1<<NumChannels) << ev.Channel
	if f.mark(1 << ev.Channel) {
		if f.Tries[ev.Channel] < 255 {
			f.Tries[ev.Channel]++
		} else {
			f.Marks |= answered // its answer is not counted either
		}
	}
	if ev.Outcome < NotReady {
		return
	}
	if f.mark(answered) {
		f.Answers[ev.Channel]++
	}
	if day != f.ReachedDay || ev.Outcome > f.Reached {
		f.Reached, f.ReachedDay = ev.Outcome, day
	}
	if ev.Outcome >= Enrolled && f.Stage == Prospect {
		f.moveTo(Customer, day)
	}
}

// isNew says whether a touch is not one of those known of its day. More than eight different ones on a day are eight.
func (f *Facts) isNew(day Date, what uint8) bool {
	for i := range known(f) {
		if f.Touches[i] != day {
			return true
		}
		if f.TouchOf[i] == what {
			return false
		}
	}
	return known(f) < len(f.Touches)
}

// mark sets a bit of Marks and says whether it was clear.
func (f *Facts) mark(bit uint8) bool {
	clear := f.Marks&bit == 0
	f.Marks |= bit
	return clear
}

// order counts a day with an order; a first order makes a prospect a customer.
func (f *Facts) order(d Day, cents int64) {
	day, last := DateOf(d), f.LastOrder()
	f.SpentCents += cents
	f.bought(d)
	if f.Stage == Prospect {
		f.moveTo(Customer, day)
	}
	if f.Orders > 0 && last == day || f.Orders == 1<<16-1 {
		return
	}
	if f.Orders == 0 {
		f.FirstOrder = day
	} else {
		f.GapLog2Sum = uint32(min(int64(f.GapLog2Sum)+Log2(int64(day)-int64(last)), 1<<32-1))
	}
	f.Orders++
	copy(f.OrderDays[1:], f.OrderDays[:])
	f.OrderDays[0] = day
}

func (f *Facts) moveTo(s Stage, day Date) {
	if s > Promoter || f.Stage == s {
		return
	}
	f.Stage, f.StageDay = s, day
}
