package ranking

import "math/bits"

// Day is a date in the member's home calendar: days since 1970-01-01. Zero means "never" wherever a Day may be absent.
type Day int32

// ContactID is the 16 bytes of a contact's UUID.
type ContactID [16]byte

// List is one of the two lists on screen.
type List uint8

// The two lists: prospects first; the second holds customers and promoters ("members" on screen).
const (
	Prospects List = iota
	Members
)

// Stage says where a contact stands.
type Stage uint8

// Stages, in the order of the path. A prospect stands on the list of prospects, the others on that of members.
const (
	Prospect Stage = iota
	Customer
	Promoter
)

// Consent says whether the contact agreed to be written to.
type Consent uint8

// What each allows: OptedOut silences the contact everywhere, in both lists, for every trigger, a promise included.
// ConsentUnknown lets Rank suggest that the promoter, who knows the person, calls or writes personally, one to one;
// anything that writes by itself needs ConsentGiven.
const (
	ConsentUnknown Consent = iota
	ConsentGiven
	OptedOut
)

// Channel is a way to reach a contact; a bit set of the ways that are open is kept in Facts.Channels.
type Channel uint8

// Channels.
const (
	Call Channel = iota
	Text
	Email
	InPerson
	NumChannels
)

// Outcome of a touch, as a maximum: late and double entries merge by taking the greatest.
type Outcome uint8

// Outcomes in their order.
const (
	NoOutcome Outcome = iota
	NoAnswer
	NotReady
	Answered
	Replied
	Moved // ordered, booked, came one step further
	Enrolled
)

// Facts is all that ranking knows of one contact: plain numbers, folded from the merged documents, the same whatever
// the order in which they arrived. Fixed size, no pointers: 256 bytes, as a device holds those of all contacts in memory.
type Facts struct {
	Contact   ContactID
	Household ContactID // zero: none known

	// Orders: money in cents of the company's currency, and the sum of log2 of the gaps between order days (Q16, see Log2).
	// The days of at most 65,536 dates cannot bring it beyond 32 bits. The other numbers about orders follow below.
	SpentCents int64
	GapLog2Sum uint32

	// What was done about the contact for each trigger that was ever used: Pasts holds one for each bit of Used, the lowest
	// first.
	Used  uint32
	Pasts [MaxPasts]Past

	Stage    Stage
	Consent  Consent
	Channels uint8 // bit set of 1<<Channel: what the contact can be reached by
	Imported bool  // came with an address book: known to the member, nothing captured about it
	Created  Date  // the day the contact was captured, or of the first entry about it, whichever is earlier
	StageDay Date  // the day the stage last changed
	Snooze   Date  // no suggestion before this day
	Skipped  Date  // "not today": no suggestion on this day
	Promised Date  // a follow-up promised for this day ("call me Tuesday")

	// Count of order days (several orders of one day are one), the first, and the newest ones, the last first.
	Orders     uint16
	FirstOrder Date
	OrderDays  [8]Date

	// Touches by the promoter: their count, and the newest ones, the last first: day, and in TouchOf by what channel and for
	// what trigger, so that the same act logged twice counts once. The last time the contact was reached (NotReady or more),
	// and what came of it: of several outcomes on one day the greatest counts.
	TouchCount uint16
	Touches    [8]Date
	TouchOf    [8]uint8
	Marks      uint8 // on the day Touches[0], as bits: 1<<channel was tried, 16<<channel answered
	Reached    Outcome
	ReachedDay Date

	// Per channel: touches whose outcome is known, and those of them that reached the contact; of the first 255.
	Tries   [NumChannels]uint8
	Answers [NumChannels]uint8

	// Inbound signals, the last day of each (zero: never).
	FormDay       Date  // submitted a capture form
	RegisteredDay Date  // registered for the overview webinar
	WebinarDay    Date  // the day of that webinar
	AttendedDay   Date  // attended it
	WatchedDay    Date  // watched a video to its end
	ClickedDay    Date  // clicked shared content
	VisitedDay    Date  // was on the promoter's website, in a webinar or at a video
	JoinedDay     Date  // clicked "join now" of a webinar
	Live          uint8 // of the last two, as bits (signalVisited, signalJoined): no touch came after it

	// What became of suggestions that were followed: by channel, those whose window is over (see TriggerID.Window), and
	// the newest ones, which may still be open.
	Own     [NumChannels]Outturn
	Waiting [4]Waiting
}

// MaxPasts is of how many triggers Facts remembers what was done. Of more, the one that decides least is forgotten (see
// Past.decides): there are hardly as many that one contact passes through.
const MaxPasts = 13

// Past is what was done about a contact for one trigger.
type Past struct {
	Done      Date  // the last day it was done
	Dismissed Date  // the day of the last dismissal since then
	Sent      uint8 // the contents ever sent (bit set)
	Last      uint8 // the content sent last, and in steps of MaxContents the dismissals since it was last done, 31 at most
}

// forceDays is how long a first dismissal counts as in force when something has to be forgotten; each further one doubles
// it, as Playbook.DismissDays. Facts know no playbook, and few will have more than a year.
const forceDays = 365

// decides says what a past still stands for on a day: 2 for a dismissal in force, which a person gave; 1 for what was sent
// and may not be sent again; 0 for nothing.
func (p Past) decides(day Date) int {
	n := p.dismissals()
	switch {
	case n > 0 && int64(day)-int64(p.Dismissed) < forceDays<<min(n-1, 16):
		return 2
	case p.Done != 0:
		return 1
	}
	return 0
}

func (p Past) lastSent() uint8   { return p.Last % MaxContents }
func (p Past) dismissals() uint8 { return p.Last / MaxContents }

// Past returns what was done for a trigger; the zero value is nothing.
func (f *Facts) Past(t TriggerID) (p Past) {
	bit := uint32(1) << t
	if f.Used&bit == 0 {
		return p
	}
	if i := bits.OnesCount32(f.Used & (bit - 1)); i < MaxPasts { // more are not of our folding
		p = f.Pasts[i]
	}
	return p
}

// use returns what was done for a trigger, to be written on a day.
func (f *Facts) use(t TriggerID, day Date) *Past {
	bit := uint32(1) << t
	if f.Used&bit == 0 {
		n := bits.OnesCount32(f.Used)
		if n == MaxPasts {
			f.forget(day)
			n--
		}
		at := bits.OnesCount32(f.Used & (bit - 1))
		copy(f.Pasts[at+1:n+1], f.Pasts[at:n])
		f.Pasts[at] = Past{}
		f.Used |= bit
	}
	return &f.Pasts[bits.OnesCount32(f.Used&(bit-1))]
}

// forget drops the past that decides least on a day; of several, the one that was not used for longest.
func (f *Facts) forget(day Date) {
	oldest := 0
	for i := range f.Pasts {
		p, q := &f.Pasts[i], &f.Pasts[oldest]
		if a, b := p.decides(day), q.decides(day); a < b || a == b && max(p.Done, p.Dismissed) < max(q.Done, q.Dismissed) {
			oldest = i
		}
	}
	used := f.Used
	for range oldest {
		used &= used - 1
	}
	f.Used &^= used & -used
	copy(f.Pasts[oldest:], f.Pasts[oldest+1:])
	f.Pasts[MaxPasts-1] = Past{}
}

// lastOrder returns the newest order day.
func (f *Facts) LastOrder() Date { return f.OrderDays[0] }

// Outturn is a Record of one contact in 1,024ths: its acts are few.
type Outturn struct {
	Gain int16
	Info uint16
}

// Waiting is an act on a suggestion whose success is not settled yet. The zero value is none.
type Waiting struct {
	Day  Date
	P1   uint16 // Q16: the chance that was given to it, member's experience included
	What uint16 // trigger, content, channel, and whether it succeeded: see act
}

// TriggerID names a trigger of the playbook; the numbers are stable, as log entries carry their names.
type TriggerID uint8

// Triggers.
const (
	NewLead        TriggerID = iota // captured or form submitted, not yet reached
	WebinarFollow                   // attended the overview webinar, not enrolled (Tom)
	WebinarAbsent                   // registered, the day passed, did not attend
	NextStep                        // said "not ready": invite to the next step
	Watched                         // watched or clicked: follow up
	PromisedFollow                  // a follow-up promised for a day
	Nurture                         // a prospect gone quiet
	RefillDue                       // a customer's own reorder cycle says due (Joanna)
	Lapsed                          // overdue by twice the own cycle, still likely alive
	FirstOrder                      // thank and help after the first order
	AskPromote                      // a loyal customer who might become a promoter
	CheckIn                         // a promoter gone quiet
	Registered                      // registered for the overview webinar, its day has not passed
	Joined                          // clicked "join now" today, the webinar is live
	Visiting                        // was seen on the website today
	Own1                            // a company's own triggers, see Rule.When …
	Own2
	Own3
	Own4
	Own5
	Own6
	Own7
	Own8 // … up to here
	NumTriggers
)

// ReasonCode names a reason; Reason.Sentence writes it out from the code and its numbers.
type ReasonCode uint8

// Reason codes; behind each, its arguments. The first group are the triggers' own sentences, of which every suggestion
// has one, first. The second group are further terms, shown when they speak for the step. The third group only completes
// the sum in Playbook.Terms and is never shown with a suggestion.
const (
	NoReason       ReasonCode = iota
	CapturedAgo               // days since the contact was captured
	FormAgo                   // days since the form was submitted
	AttendedAgo               // days since the webinar attended
	AbsentAgo                 // days since the webinar that was missed
	NotReadyAgo               // days since "not ready"
	WatchedAgo                // days since the video was watched
	ClickedAgo                // days since shared content was opened
	PromisedAgo               // days since the promised day; 0: it is today
	QuietDays                 // days since the last touch
	NeverContacted            // days since the capture, without any touch; 1: imported
	UsualCycle                // days between the customer's own orders so far, days since the last
	CompanyCycle              // days of the company's usual cycle, days since the last order, own gaps that moved it
	FirstOrderAgo             // days since the first order
	LoyalOrders               // order days so far, days since the last
	RegisteredAgo             // days since the registration, days until the webinar
	WebinarToday              // days since the registration
	JoinedAgo                 // days since "join now" was clicked
	VisitedAgo                // days since the visit
	OwnMoment                 // days from or to the event, which of the own triggers (1 to 8)
	NotReached                // days since the last touch, when the log knows of no conversation
	NotReadySeen              // days since "not ready", of somebody who has been at a webinar

	AnswersBy   // channel, answered, tried
	SpokeAgo    // days since the contact was last reached
	MovedAgo    // days since the contact last took a step forward
	Interest    // further signs of interest, in the last so many days
	OrderLikely // of 100 such customers this many order by themselves, within so many days; never shown

	TriesSoFar // touches since the contact was last heard of
	ByChannel  // channel
	ByContent  // content

	OwnWay        // channel: how this member does with it
	OwnWords      // content: how this member does with it
	OwnContact    // how this contact responds
	OwnContactWay // channel: how this contact responds to it
	Tried         // content: tried or spared this week
	OrdersSoFar   // order days so far
	NotHeard      // not reached within the playbook's memory
	NoInterest    // no further sign of interest; the number of them, 0, in the last so many days
	NumReasons
)

// Reason is a code with up to three integers, and the exact part of the score that it stands for.
type Reason struct {
	Code  ReasonCode
	Args  [3]int64
	Score int64 // milli-nats
}

// Suggestion is one of the three.
type Suggestion struct {
	Contact  ContactID
	List     List
	Trigger  TriggerID
	Channel  Channel
	Content  uint16 // index into the trigger's contents in the playbook
	EV       int64  // expected value in cents, the sort key
	Prob     int64  // Q16: that the step succeeds; of a reorder trigger, by how much it makes an order likelier
	Z        int64  // log-odds of success in milli-nats, the sum of all terms (see Playbook.Terms)
	P0, P1   int64  // Q16, for the log: the chance as the company sees it; with what this member taught
	Deadline Day    // after this day the chance is mostly gone; zero: none
	Expiry   Day    // the suggestion is withdrawn after this day
	Reasons  [3]Reason
	NReasons uint8
}

// Days returns the days that {days} stands for in the words of the step: since the event that the first reason tells of.
func (s *Suggestion) Days() int64 { return s.Reasons[0].days() }

func (r *Reason) days() int64 {
	switch r.Code {
	case UsualCycle, CompanyCycle, LoyalOrders:
		return r.Args[1]
	}
	return r.Args[0]
}
