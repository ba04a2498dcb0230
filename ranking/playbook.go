package ranking

// MaxContents bounds the contents of one trigger: Facts keeps what was sent in eight bits.
const MaxContents = 8

// Bin is one step of a staircase over a count: numbers below Below (and not in an earlier bin) weigh Score milli-nats.
type Bin struct {
	Below int64
	Score int64
}

// stair looks a number up. Beyond the last bin the last score stays.
func stair(bins []Bin, n int64) int64 {
	for i := range bins {
		if n < bins[i].Below || i == len(bins)-1 {
			return bins[i].Score
		}
	}
	return 0
}

// Repeat says how often a trigger may send a contact the same content.
type Repeat uint8

// Repetitions. A rule whose contents are used up stays silent for that contact.
const (
	RepeatNever      Repeat = iota // never the same message twice to a person
	RepeatNotRunning               // not twice running
	RepeatFree                     // no matter
)

// Phrase is a text in one language.
type Phrase struct {
	Lang string // BCP 47, such as "en" or "pt-BR"
	Text string
}

// Texts is one text in the languages that a company wrote it in, each once; the first stands in for any other. {name} in
// it is the contact's first name, {sender} the promoter's, {days} a number of days. {days|one:# day|other:# days} is that number in
// the form that the language has for it: see PluralOf.
type Texts []Phrase

// Greeting opens what is written or said, by what is known of the two: both first names, only the contact's, only the
// promoter's, neither. A space follows.
type Greeting struct {
	Both, Name, Sender, Neither Texts
}

// Notice is what the promoter is told at once when an event opens a trigger (R60, R62 to R65). As it stands on a rule, there is
// always the rule's step to take (R98).
type Notice struct {
	Minutes int64 // it is worth nothing so many minutes after the event: it is not given any more, or taken back
	Words   Texts
}

// Quantity is a number that a company's own trigger may look at.
type Quantity uint8

// Quantities. The first group are days since something happened; of a day to come they are below zero, and what never
// happened meets no Test. The others are counts.
const (
	SinceCreated Quantity = iota
	SinceStage            // the stage last changed
	SinceForm
	SinceRegistered
	SinceWebinar // the day of the webinar that was registered for
	SinceAttended
	SinceWatched
	SinceClicked
	SinceVisited
	SinceJoined // clicked "join now"
	SinceFirstOrder
	SinceLastOrder
	SinceTouched
	SinceReached
	OrderDays  // days with orders
	SpentCents // in all
	TouchesMade
	TriesMadeSo // touches since the contact was last heard of
	NumQuantities
)

// Test holds while Min <= the quantity <= Max.
type Test struct {
	Of       Quantity
	Min, Max int64
}

// When is the condition of a company's own trigger (Own1 …): all tests hold, the event in Since has a day, and a step of the
// cadence is due. A step of Cadence
// (ascending days since the event in Since) is due from its day on for Open days, until the trigger was done since that
// day or the next step begins. Without a cadence the trigger opens whenever the tests hold.
type When struct {
	Since   Quantity // of the first group
	Cadence []int64
	Open    int64
	Tests   []Test
}

// Limits of When.
const (
	MaxCadence = 16
	MaxTests   = 8
)

// Content is one wording of a rule, without the greeting; see Playbook.Wording. What it says may only be true of some
// openings of the trigger: For, From and Until say of which. Of contents with equal scores one that is written for the
// opening goes before those that always suit.
type Content struct {
	Channels uint8      // bit set of 1<<Channel it is written for
	For      ReasonCode // only when the trigger opened for this reason; NoReason: for any
	Begins   bool       // only from From on, in days after the event …
	Ends     bool       // … and only until Until, that day included
	From     int64      // 0: the day of the event; below it: days before an event to come
	Until    int64
	Arm      [NumChannels]int64 // milli-nats by which it does better than the others, by each channel
	Doubt    int64              // milli-nats: how little the company knows of that, as a standard deviation; see Playbook.Explore

	Write, Say, Meet Texts  // to write, to say on the phone, and face to face; no Meet: Say suits there too
	Piece            string // what to send along, by its name in the company's catalogue; "" for nothing
}

// suits says whether the words are true of an opening.
func (c *Content) suits(o *opening) bool {
	return (c.For == NoReason || c.For == o.why) && (!c.Begins || o.age >= c.From) && (!c.Ends || o.age <= c.Until)
}

// special says whether the words are written for some openings only.
func (c *Content) special() bool { return c.For != NoReason || c.Begins || c.Ends }

// Rule is what the playbook says of one trigger. Log-odds are in milli-nats, money in cents, times in days.
type Rule struct {
	Stages   uint8 // bit set of 1<<Stage it is for; zero switches the rule off
	Base     int64 // log-odds that a step succeeds at the reference age of its event
	Offset   int64 // … and what the last days taught about all of them alike
	Weights  [NumFeatures][]Bin
	Natural  []Bin // RefillDue, Lapsed: how much likelier an unasked order is than Reorder says, by hundredths of the cycle
	Value    int64 // what a success is worth
	Rest     int64 // no suggestion within so many days of any touch; at least Playbook.Rest counts
	Cooldown int64 // … and of the last time that this was done
	Opens    int64 // days of silence after which Nurture and CheckIn open
	Deadline int64 // the chance is mostly gone so many days after the event
	Expiry   int64 // the suggestion is withdrawn so many days after the event (Nurture, CheckIn, Lapsed: after today)

	Channels uint8              // bit set of the channels that suit the step
	ByWay    [NumChannels]int64 // log-odds relative to the best channel; no entry above zero
	Contents []Content          // at most MaxContents; new ones go to the end, as the log knows them by number
	Repeat   Repeat

	Label    Texts   // names the moment for people who look through the playbook: "A refill is due"
	Purpose  Texts   // what follows the verb and the name in a step: "about a refill"
	Because  Texts   // of a company's own trigger: the reason, as "{days} days since the first order"
	Automate bool    // the company's own machinery takes the step: the promoter is not asked to (R100)
	Notice   *Notice // nil: it waits for the list
	When     *When   // of a company's own triggers; nil for all others, whose moments are known to Playbook.open
}

// Feature is something about a contact on a day that Rule.Weights gives log-odds for.
type Feature uint8

// Features. A rule without bins for one does not look at it.
const (
	Age       Feature = iota // days since the event; of the reorder triggers, hundredths of the cycle since the last order
	TriesMade                // touches since the contact was last heard of
	LastHeard                // within Playbook.Memory days: 0 not reached, 1 spoke, 2 took a step forward
	Signals                  // further kinds of interest, of prospects only
	OrdersSo                 // order days so far
	NumFeatures
)

// Reorder is what the company knows of reordering before it knows the customer.
type Reorder struct {
	MedianGap int64 // days between orders of a typical customer (M)
	Prior     int64 // in 1/256: how many gaps of one's own weigh as much as M (k)

	// The four numbers of the MBG/NBD model, the first three in Q16, Alpha in 1/256 days: R and Alpha say how often
	// customers order, A and B how soon they are lost. None may be below 1.
	R, A, B, Alpha int64

	OwnFrom int64 // so many gaps of one's own decide without M; zero: never

	Horizon int64 // days within which an order counts as one that would have come anyway
	DueFrom int64 // hundredths of the cycle after which RefillDue opens
	LapseAt int64 // … after which it becomes Lapsed
	LetGo   int64 // Q16: below this chance of being alive the customer is let go
	// The log-odds of an order within Horizon that nobody asked for: Intercept, Weight thousandths of Cycle.Logit, and
	// the scorecard, which knows what the model of four numbers does not.
	Intercept int64
	Weight    int64
	Card      [NumRhythms][]Bin
}

// Rhythm is something about a customer's orders that Reorder.Card gives log-odds for.
type Rhythm uint8

// Rhythms.
const (
	Repeats      Rhythm = iota // order days after the first
	Ratio                      // hundredths of the customer's cycle since the last order
	Elapsed                    // days since the last order
	Tenure                     // days since the first order
	Recent                     // order days within 90 days, 8 at most
	RepeatsRatio               // RepeatClass · 10,000 and Ratio, 9,999 at most
	NumRhythms
)

// Playbook is all that a company tells the ranker: rules, values, caps. Its wording is found with Wording and Step.
// It is a value to be read: once handed to a Ranker it is never changed; a new version is a new Playbook.
type Playbook struct {
	Version  uint32
	Greeting Greeting
	Verbs    [NumChannels]Texts // "Call {name}"
	Unnamed  Texts              // what stands for a name that is not known: "this contact"; empty: ours, in our languages
	Rules    [NumTriggers]Rule
	Reorder  Reorder

	// Terms that several rules share, in milli-nats.
	Form       int64              // NewLead: a form was submitted
	AnswerRate [NumChannels]int64 // Q16: the share of touches that reach a contact
	AnswerSure int64              // how much information (sum of p(1-p), Q16) counts as much as the company's rate

	// What own experience adds to all this, and how much of it counts as much as the company's (sum of p(1-p), Q16: the
	// inverse of the variance in nats); zero: it adds nothing.
	Shrink Shrink
	// What the acts of all members gained over the chances they were given at their time. It is in the numbers above by
	// now, so own experience is what goes beyond it.
	Shared Shared

	Explore int64 // thousandths of Content.Doubt by which a message is tried or spared, drawn for each member and week
	Silent  int64 // one contact-week of so many gets no RefillDue and no Lapsed, to learn who orders unasked; zero: none

	// What of an order is margin, in percent: what a success is worth is then learnt from orders (Rule.Value is a start); zero: it
	// stays as people wrote it.
	Margin int64

	Memory       int64 // days
	InterestDays int64

	MinEV  int64              // cents: what is worth less is not shown
	OptOut [5]int64           // Q16: chance that one more touch makes a contact opt out, by touches in OptOutDays
	Loss   [3]int64           // cents lost with an opt-out, by Stage
	Cost   [NumChannels]int64 // cents of the promoter's time

	Rest         int64 // days after any touch
	CapTouches   int64 // this many touches within CapDays silence a contact
	CapDays      int64 // at most 8 touches are known, see Facts.Touches
	OptOutDays   int64
	DismissDays  int64 // a dismissal silences a trigger for so many days, twice as long each further time
	PerTrigger   int   // suggestions of one trigger among the three
	PromiseGrace int64 // a promise not kept on its day stays open for so many days
}

// Shrink bounds what each level of own experience may say, see Record.
type Shrink struct {
	Member     int64 // this member, whatever the step
	Way        int64 // this member by a channel
	Words      int64 // this member with a content
	Contact    int64 // this contact
	ContactWay int64 // this contact by a channel
}

// Shared is the company's share of what records gained: milli-nats, see Record.
type Shared struct {
	Ways     [NumChannels]int64
	Words    [NumTriggers][MaxContents]int64
	Contacts [NumChannels]int64
}

const (
	allStages   = 1<<Prospect | 1<<Customer | 1<<Promoter
	personal    = 1<<Call | 1<<Text | 1<<Email | 1<<InPerson
	written     = 1<<Text | 1<<Email
	never       = 1 << 62
	milliPerOne = 1000
	priorShrink = One * 100 / 15
)

// contents returns n contents for all channels, none better than the others, and then those that are given.
func contents(n int, special ...Content) []Content {
	c := append(make([]Content, n), special...)
	for i := range c {
		c[i].Channels = personal
	}
	return c
}

// of restricts a content, by its number, to openings for a reason and, with days above 0, to some days after the event.
func of(all []Content, number int, why ReasonCode, from, until int64) []Content {
	c := &all[number]
	c.For, c.From, c.Until = why, from, until
	c.Begins, c.Ends = from != 0, until != 0
	return all
}

// atSteps returns a content for each step of a cadence.
func atSteps(days ...int64) []Content {
	c := contents(len(days))
	for i, d := range days {
		c[i].Begins, c[i].From = true, d
		if i+1 < len(days) {
			c[i].Ends, c[i].Until = true, days[i+1]-1
		}
	}
	return c
}

// DefaultPlaybook returns the playbook that a company starts with, before anything is fitted to its own log: a fresh
// copy at each call. Where a number comes from public data, its comment says which; the others are judgement, chosen so
// that the scenarios R58–R68 rank as a top leader would rank them, and are the first to be replaced by fitted ones.
func DefaultPlaybook() *Playbook {
	// Wins per 1,000 leads and day in the Olist funnel (8,000 leads): 4.4 on days 0-3, 4.5 on 4-7, 2.7 on 8-14, 1.05 on
	// 15-30, 0.41 on 31-60, 0.20 on 61-90; made isotonic, as ln(rate / rate on days 8-14).
	fresh := []Bin{{8, 494}, {15, 0}, {31, -944}, {61, -1885}, {never, -2603}}

	// The yes-rate of a first call in the bank-marketing set is 13.0 % and Olist's funnel wins 10.5 % of its leads: a
	// fresh contact with no other sign stands near 11 %, ln-odds -2.1, hence -2.6 at the reference age.
	const lead = -2600

	pb := &Playbook{
		Version: 6,
		Rules: [NumTriggers]Rule{
			NewLead: {
				// On the first two days the chance is greatest, by far (Oldroyd 2007: direction sure, size not ours): a
				// captured contact stands above everyone but those who have shown more than one interest (R60).
				Stages: 1 << Prospect, Base: lead, Weights: [NumFeatures][]Bin{Age: {{2, 1800}, {8, 494}, {15, 0}, {31, -944}, {never, -1885}}},
				Value: 6000, Cooldown: 4, Deadline: 7, Expiry: 30,
				// A call, while the interest is warm (R60).
				Channels: personal, ByWay: [NumChannels]int64{0, -500, -900, -300}, Notice: &Notice{Minutes: 4 * 60},
				// Thanks for the interest to whoever filled in a form; "good to meet you" to a captured contact.
				Contents: of(contents(3, Content{For: CapturedAgo}), 0, FormAgo, 0, 0),
			},
			WebinarFollow: {
				Stages: 1 << Prospect, Base: lead + 700, Weights: [NumFeatures][]Bin{Age: fresh},
				Value: 6000, Cooldown: 5, Deadline: 7, Expiry: 30,
				Channels: personal, ByWay: [NumChannels]int64{-200, 0, -400, -300}, Notice: &Notice{Minutes: 4 * 60},
				// "So glad you made it" in the first week only, then the third.
				Contents: of(contents(2, Content{Begins: true, From: 8}), 0, NoReason, 0, 7),
			},
			WebinarAbsent: {
				Stages: 1 << Prospect, Base: lead + 200, Weights: [NumFeatures][]Bin{Age: fresh},
				Value: 6000, Cooldown: 5, Deadline: 7, Expiry: 21,
				Channels: personal &^ (1 << InPerson), ByWay: [NumChannels]int64{-300, 0, -300, 0},
				Contents: of(contents(2, Content{Begins: true, From: 8}), 0, NoReason, 0, 7),
			},
			NextStep: {
				// An earlier "no" still says yes later 1.7 times as often as a stranger (bank: 14 % against 8.8 %): +523.
				Stages: 1 << Prospect, Base: lead + 523, Weights: [NumFeatures][]Bin{Age: fresh},
				Value: 6000, Cooldown: 7, Deadline: 14, Expiry: 45,
				Channels: personal, ByWay: [NumChannels]int64{-400, 0, -100, -300},
				// A video or a webinar; to who has been at the webinar, a video or an introduction.
				Contents: contents(0, Content{For: NotReadyAgo}, Content{For: NotReadyAgo}, Content{For: NotReadySeen}, Content{For: NotReadySeen}),
			},
			Watched: {
				Stages: 1 << Prospect, Base: lead + 400, Weights: [NumFeatures][]Bin{Age: fresh},
				Value: 6000, Cooldown: 5, Deadline: 7, Expiry: 14,
				Channels: personal &^ (1 << InPerson), ByWay: [NumChannels]int64{-100, 0, -400, 0}, Contents: contents(3), Notice: &Notice{Minutes: 2 * 60},
			},
			PromisedFollow: {
				// Whoever names a day has said half a yes: as a contact with an earlier success, at half its weight.
				Stages: allStages, Base: -900, Weights: [NumFeatures][]Bin{Age: {{1, 400}, {4, 0}, {never, -400}}},
				Value: 6000, Cooldown: 1,
				Channels: personal, ByWay: [NumChannels]int64{0, -200, -500, -100}, Contents: contents(1), Repeat: RepeatFree,
			},
			Nurture: {
				Stages: 1 << Prospect, Base: lead, Weights: [NumFeatures][]Bin{Age: fresh},
				Value: 6000, Rest: 21, Cooldown: 21, Opens: 21, Expiry: 6,
				Channels: personal, ByWay: [NumChannels]int64{-300, 0, -300, -200},
				// "It's been a while" is for those with whom there was a conversation, "once more" for whom there was none.
				Contents: of(of(contents(3, Content{For: NeverContacted}, Content{For: NotReached}, Content{For: NotReached}), 0, QuietDays, 0, 0), 1, QuietDays, 0, 0),
			},
			RefillDue: {
				// By how much a friendly question raises the odds of an order within the week; most around the customer's own day.
				Stages: 1<<Customer | 1<<Promoter, Base: 1000, Weights: [NumFeatures][]Bin{Age: {{100, 300}, {150, 400}, {never, 250}}},
				Value: 4500, Rest: 14, Cooldown: 14,
				Channels: personal, ByWay: [NumChannels]int64{-150, 0, -250, -150}, Contents: contents(2), Repeat: RepeatNotRunning,
			},
			Lapsed: {
				Stages: 1<<Customer | 1<<Promoter, Base: 1000, Weights: [NumFeatures][]Bin{Age: {{300, 200}, {never, 0}}},
				Value: 6000, Rest: 30, Cooldown: 30, Expiry: 6, // it asks after a long time
				Channels: personal, ByWay: [NumChannels]int64{-50, 0, -300, -200}, Contents: contents(2), Repeat: RepeatNotRunning,
			},
			FirstOrder: {
				// Of the customers of the public sets 29 % (retail), 36 % (grocery) and 50 % (CDNOW) ordered on one day only:
				// help in the first weeks is worth a part of a second order.
				Stages: 1<<Customer | 1<<Promoter, Base: -1300, Weights: [NumFeatures][]Bin{Age: {{3, 0}, {15, 200}, {never, -300}}},
				Value: 2000, Cooldown: 14, Deadline: 14, Expiry: 21,
				Channels: personal, ByWay: [NumChannels]int64{0, 0, -300, -100}, Contents: contents(2),
			},
			AskPromote: {
				Stages: 1 << Customer, Base: -3600, Weights: [NumFeatures][]Bin{Age: {{31, 300}, {61, 0}, {never, -600}}},
				Value: 15000, Rest: 14, Cooldown: 60, Opens: 4, Expiry: 60,
				Channels: personal, ByWay: [NumChannels]int64{0, -100, -500, 0}, Contents: contents(2),
			},
			CheckIn: {
				Stages: 1 << Promoter, Base: -1400, Weights: [NumFeatures][]Bin{Age: {{31, 0}, {61, -300}, {91, -800}, {never, -1600}}},
				Value: 3000, Rest: 14, Cooldown: 21, Opens: 21, Expiry: 6,
				Channels: personal, ByWay: [NumChannels]int64{0, -100, -600, 0}, Contents: contents(2), Repeat: RepeatNotRunning,
			},
			Registered: {
				// Whoever signs up has taken a step; a confirmation and a word on the day make it likelier that they come (R63).
				Stages: 1 << Prospect, Base: lead + 500, Weights: [NumFeatures][]Bin{Age: {{2, 300}, {15, 0}, {never, -300}}},
				Value: 6000, Cooldown: 2, Expiry: 90,
				Channels: personal &^ (1 << InPerson), ByWay: [NumChannels]int64{-300, 0, -200, 0}, Notice: &Notice{Minutes: 12 * 60},
				Contents: of(of(contents(2, Content{For: RegisteredAgo, Begins: true, From: 3}), 0, RegisteredAgo, 0, 0), 1, WebinarToday, 0, 0),
			},
			Joined: {
				// Live, so above all but what was promised (R64). A call would ring into the webinar.
				Stages: 1 << Prospect, Base: lead + 2200, Value: 6000, Cooldown: 3,
				Channels: personal &^ (1 << InPerson), ByWay: [NumChannels]int64{-900, 0, -600, 0}, Notice: &Notice{Minutes: 60},
				Contents: contents(2),
			},
			Visiting: {
				// A hello while somebody looks around, at most once a week: nobody likes to feel watched (R65).
				Stages: 1<<Prospect | 1<<Customer, Base: lead + 1000, Value: 6000, Cooldown: 7,
				Channels: personal &^ (1 << InPerson), ByWay: [NumChannels]int64{-200, 0, -600, 0}, Notice: &Notice{Minutes: 20},
				Contents: contents(2),
			},
			// The company's own triggers that come with the playbook: a newcomer's first 90 days …
			Own1: {
				Stages: 1 << Promoter, Base: -1000, Value: 3000, Cooldown: 2,
				Channels: personal, ByWay: [NumChannels]int64{0, -100, -600, 0},
				Contents: atSteps(2, 7, 14), When: &When{Since: SinceStage, Cadence: []int64{2, 7, 14}, Open: 5},
			},
			Own2: {
				Stages: 1 << Promoter, Base: -1200, Value: 3000, Cooldown: 2,
				Channels: personal, ByWay: [NumChannels]int64{0, -100, -600, 0},
				Contents: atSteps(30, 60, 90), When: &When{Since: SinceStage, Cadence: []int64{30, 60, 90}, Open: 7},
			},
			// … and a thank-you to whoever still orders (R68).
			Own3: {
				Stages: 1 << Customer, Base: -1600, Value: 2500, Cooldown: 60,
				Channels: personal, ByWay: [NumChannels]int64{0, -200, -500, 0},
				Contents: atSteps(180, 365, 730), When: &When{
					Since: SinceFirstOrder, Cadence: []int64{180, 365, 730}, Open: 14,
					Tests: []Test{{Of: OrderDays, Min: 2, Max: 10_000}, {Of: SinceLastOrder, Min: 0, Max: 60}},
				},
			},
			// A customer of whom no order is known: where the company sends no orders yet, and before the first one is logged. All
			// that is about orders stays shut then, and whoever has just enrolled would be forgotten.
			Own4: {
				Stages: 1 << Customer, Base: -1500, Value: 2000, Rest: 5, Cooldown: 30, Expiry: 6,
				Channels: personal, ByWay: [NumChannels]int64{-150, 0, -300, -100}, Contents: contents(2), Repeat: RepeatNotRunning,
				When: &When{Since: SinceCreated, Tests: []Test{{Of: OrderDays, Min: 0, Max: 0}, {Of: SinceCreated, Min: 3, Max: 36_500}}},
			},
		},
		// A form is filled in by someone who waits for an answer: on its day the top of the list (R60).
		Form: 700,
		Reorder: Reorder{
			// A refill lasts about two months: three quarters of the cycle are R58's 45 days.
			MedianGap: 60,
			// k measured 1.3, 2.5 and 11.6 (grocery, retail, CDNOW); refills are nearest to the first two.
			Prior: 2 * 256,
			// Fitted by likelihood (r, alpha, a, b): grocery 1.21, 42 days, 0.36, 0.72; retail 0.77, 71 days, 0.16, 8.7; CDNOW
			// 0.60, 54 days, 0.73, 1.34. Here: one order in 60 days (alpha/r = M), one in five lost with each order.
			R: One, A: One * 4 / 10, B: One * 16 / 10, Alpha: 60 * 256,
			// Three gaps are a rhythm of one's own, and the number that the promoter is told is then the one that decides.
			OwnFrom: 3,
			Horizon: 7, DueFrom: 75, LapseAt: 200, LetGo: One * 15 / 100, Weight: milliPerOne,
		},
		Memory: 180, InterestDays: 30,
		AnswerRate: [NumChannels]int64{One * 35 / 100, One * 45 / 100, One * 20 / 100, One * 80 / 100},
		AnswerSure: 3 * One,
		// Before anything is known of how much members and contacts differ: a variance of .15 (nats squared).
		Shrink:  Shrink{priorShrink, priorShrink, priorShrink, priorShrink, priorShrink},
		Explore: 250,

		// Gate, opt-outs and losses are product choices: no public figures. The simulator's gate removed a fifth of all acts
		// at 2 % of the value.
		MinEV:  40,
		OptOut: [5]int64{One * 2 / 1000, One * 5 / 1000, One * 12 / 1000, One * 25 / 1000, One * 50 / 1000},
		Loss:   [3]int64{3000, 9000, 20000},
		Cost:   [NumChannels]int64{40, 10, 10, 120},

		Rest: 3, CapTouches: 4, CapDays: 30, OptOutDays: 14, DismissDays: 14, PerTrigger: 2, PromiseGrace: 7,
	}
	pb.speak()
	for t := range pb.Rules {
		if pb.Rules[t].Stages == 0 {
			continue
		}
		w := &pb.Rules[t].Weights
		// Yes-rate by attempt in the bank set: 13.0, 11.5, 10.8, 9.4, 7.5, 7.7, 6.0, 4.3 … 2.2 % from the twelfth; made
		// isotonic, as the difference of ln-odds to the first attempt. (Observational: hard cases remain.)
		w[TriesMade] = []Bin{{1, 0}, {2, -140}, {3, -210}, {4, -365}, {6, -600}, {7, -850}, {8, -1202}, {never, -1890}}
		// Earlier success in the bank set: 65 % against 8.8 %, +2957; half of it, as our "moved" is a smaller step. Having
		// spoken at all: 14 % against 8.8 %, +523, rounded down.
		w[LastHeard] = []Bin{{1, 0}, {2, 400}, {never, 1480}}
		if pb.Rules[t].Stages>>Prospect&1 == 1 {
			w[Signals] = []Bin{{1, 0}, {2, 250}, {3, 500}, {never, 750}}
		}
	}
	return pb
}
