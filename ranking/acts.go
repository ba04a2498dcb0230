package ranking

// Attempt is a suggestion that was followed, and what came of it.
type Attempt struct {
	Day     Day
	Trigger TriggerID
	Channel Channel
	Content uint8
	Won     bool   // a step forward came of it, or an order within its window
	P0, P1  uint16 // Q16: what Suggestion said when it was made
}

// Window is how many days after an act of the trigger an order still counts as its success. Before they are over the act
// counts nowhere.
func (t TriggerID) Window() int64 {
	switch t {
	case NewLead, NextStep, Watched, PromisedFollow, Nurture, Registered, Joined, Visiting:
		return 3
	}
	return 7
}

// mostWindow is the longest Window.
const mostWindow = 7

// Closed says whether the window of the act is over.
func (a *Attempt) Closed(today Day) bool { return today.since(a.Day) > a.Trigger.Window() }

// same says whether two entries tell of one act: what is done twice on a day with one content is done once.
func (a *Attempt) same(b *Attempt) bool {
	return a.Day == b.Day && a.Trigger == b.Trigger && a.Content == b.Content
}

// bought says whether an order makes a success of the act.
func (a *Attempt) bought(day Day) bool { return day >= a.Day && !a.Closed(day) }

// actOf reads an act out of a touch; ok is false when it followed no suggestion, or one whose chances are not known.
func actOf(ev *Event) (a Attempt, ok bool) {
	ok = ev.Kind == EventTouch && ev.Prompted && ev.Trigger < NumTriggers && ev.Channel < NumChannels && ev.Content < MaxContents &&
		ev.P0 != 0 && ev.P1 != 0
	return Attempt{
		Day: ev.Day, Trigger: ev.Trigger, Channel: ev.Channel, Content: uint8(ev.Content), Won: ev.Outcome >= Moved && ev.Outcome <= Enrolled,
		P0: ev.P0, P1: ev.P1,
	}, ok
}

// AppendAttempts appends the acts that a contact's log tells of, those whose window is open included. The events are those
// of Facts.Fold.
func AppendAttempts(acts []Attempt, events []Event) []Attempt {
	from := len(acts)
next:
	for i := range events {
		ev := &events[i]
		if ev.Kind == EventOrder {
			for j := len(acts) - 1; j >= from && ev.Day.since(acts[j].Day) <= mostWindow; j-- { // not all of a long log for each
				acts[j].Won = acts[j].Won || acts[j].bought(ev.Day)
			}
			continue
		}
		a, ok := actOf(ev)
		if !ok {
			continue
		}
		for j := len(acts) - 1; j >= from && acts[j].Day == a.Day; j-- {
			if acts[j].same(&a) {
				acts[j].Won = acts[j].Won || a.Won
				continue next
			}
		}
		acts = append(acts, a)
	}
	return acts
}

// What a Waiting says of its act, in bits: content, channel, trigger, success, and one that is always set.
const (
	actChannel = 3
	actTrigger = 5
	actWon     = 1 << 10
	actKnown   = 1 << 11
)

func (w *Waiting) act() Attempt {
	return Attempt{
		Day: w.Day.Day(), Content: uint8(w.What & (MaxContents - 1)), Channel: Channel(w.What >> actChannel & 3),
		Trigger: TriggerID(w.What >> actTrigger & 31), Won: w.What&actWon != 0, P1: w.P1,
	}
}

// await takes an act in. Of more than four at a time the oldest is settled early.
func (f *Facts) await(a Attempt) {
	f.settle(a.Day)
	n := 0
	for ; n < len(f.Waiting) && f.Waiting[n] != (Waiting{}); n++ {
		if b := f.Waiting[n].act(); b.same(&a) {
			if a.Won {
				f.Waiting[n].What |= actWon
			}
			return
		}
	}
	if n == len(f.Waiting) {
		f.count(f.Waiting[0].act())
		n--
		copy(f.Waiting[:], f.Waiting[1:])
	}
	f.Waiting[n] = Waiting{Day: DateOf(a.Day), P1: a.P1, What: uint16(a.Content) | uint16(a.Channel)<<actChannel | uint16(a.Trigger)<<actTrigger | actKnown}
	if a.Won {
		f.Waiting[n].What |= actWon
	}
}

// settle counts the acts whose window is over.
func (f *Facts) settle(today Day) {
	n := 0
	for i, w := range f.Waiting {
		if a := w.act(); w != (Waiting{}) && a.Closed(today) {
			f.count(a)
			continue
		}
		f.Waiting[n] = f.Waiting[i]
		n++
	}
	clear(f.Waiting[n:])
}

// outturn is what the act says of its contact.
func (a *Attempt) outturn() (gain, info int64) {
	p := int64(a.P1)
	if a.Won {
		gain = One
	}
	return (gain - p + 32) >> 6, (p*(One-p)>>16 + 32) >> 6
}

// record returns what an Outturn stands for.
func (o *Outturn) record() Record { return Record{int64(o.Gain) << 6, int64(o.Info) << 6} }

// count adds an act to the contact's own records; 250 acts by one channel fit, and more where the chances are small.
func (f *Facts) count(a Attempt) {
	const limit = 1<<15 - 1
	o := &f.Own[a.Channel]
	gain, info := a.outturn()
	*o = Outturn{int16(min(max(int64(o.Gain)+gain, -limit), limit)), uint16(min(int64(o.Info)+info, 2*limit))}
}

// bought makes a success of the acts that an order came after.
func (f *Facts) bought(day Day) {
	for i := range f.Waiting {
		if a := f.Waiting[i].act(); f.Waiting[i] != (Waiting{}) && a.bought(day) {
			f.Waiting[i].What |= actWon
		}
	}
}
