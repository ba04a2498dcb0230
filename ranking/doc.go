// Package ranking decides which three things a promoter should do next, and says why.
//
// It is the pure middle of Trio: the replica folds the merged log into one Facts per contact, corporate's Playbook says
// what moments matter, and Rank returns at most three Suggestions for each of the two lists. The same package runs in
// the browser's worker, on the desktop and on the server.
//
// # The way of a suggestion
//
//	events of a contact, sorted ── Facts.Fold ──> Facts ── AppendAttempts, Member.Count ──> Member
//	Facts of all contacts, Playbook, Member, Day ── Ranker.Rank ──> at most three Suggestions
//	Suggestion and two first names ── Playbook.Step, Playbook.Wording, Playbook.Sentence ──> what the promoter reads
//
// For each contact, hard rules come first: opted out, snoozed, touched in the last days, touched often this month. Then
// each trigger of the playbook is asked whether its moment is there (Playbook.open), whether it has been done or
// dismissed lately, and which channel and wording do best. A step is worth
//
//	z   = base + offset + sum of W[trigger][feature][bin] + arm[channel][content]     log-odds, milli-nats: the company
//	      + own(member, channel) + own(member, trigger, content)                      this member, shrunk
//	      + own(contact) + own(contact, channel)                                      this contact, shrunk
//	P   = 1 / (1 + e^-z), for reorder triggers less the chance of ordering anyway     Q16
//	EV  = P · value - chance of an opt-out · its loss - cost of the promoter's time   cents
//
// Steps below the playbook's gate are not shown: fewer than three is a good answer, and so is none. Of the others the
// three of the highest EV are taken, with at most two of one trigger and one of a household. A follow-up promised for
// today stands above them all.
//
// An imported contact of whom nothing else is known is worth the gate and no more: it fills the list when there is
// nothing better to do. Meeting in person, which is always possible, is only suggested when there is no other way or when
// it has worked with this contact before.
//
// # Moments right now
//
// Who clicked "join now" or is on the promoter's website today stands in the list until a touch answers; such a step
// does not wait for the rest after the last touch, only for the cap, for dismissals and for its own cool-down. Playbook.Alert
// says of an event that has just arrived whether the promoter is told at once: only with a step to take, only while it is
// news, and once by its key.
//
// # A company's own triggers
//
// Own1 to Own8 open by numbers that the playbook names (When), once or in a cadence of days. They obey every rule that the
// others obey, and their reason is a sentence of the company's. A rule whose Stages are empty is off and costs nothing; one
// that is left to the company's machinery (Rule.Automate) is not suggested, but Playbook.Steps still tells of it.
//
// # What is learnt
//
// Each act on a suggestion is logged with the chances that it was given: by the company, and with what this member had
// taught. When its window is over (TriggerID.Window), what came of it is held against them: own(k) is the gain of k's acts
// over what was expected, divided by what they tell and what the company's word weighs (Record, Shrink). An act that two
// devices logged counts once. Chances of customers to order unasked come from a model of four numbers and a scorecard
// (Reorder); how far asking raises them is known from weeks in which nobody is asked (Playbook.Silent). Messages that the
// company knows little of are tried by whole members and weeks (Playbook.Explore): the same on every device of a member.
// Package server/fit learns the company's numbers.
//
// # Consent
//
// Who opted out is silent everywhere: in both lists, for every trigger, a promise included. While consent is unknown, Rank
// suggests the contact, as what it suggests is done by the promoter personally, one to one. Nothing that writes by itself
// may act on a suggestion unless the consent is ConsentGiven.
//
// # When is a refill due
//
// A company-wide rule ("45 days without an order") mostly lists the customers who have left. Due is the customer's own
// cycle: the log-mean of the own gaps, pulled to the company's median as long as there are few of them, and only while
// the customer is probably still one (Reorder.Cycle). With no gap of one's own the cycle is the company's; from three
// on (Reorder.OwnFrom) it is the customer's alone. The number in the reason is the one that decided.
//
// # What it promises
//
//   - Rank is a function of the set of facts, the playbook, the member, the day and the list, and of nothing else: any two
//     replicas with the same merged log show the same three, to the last bit, on every processor.
//   - All arithmetic is in integers: log-odds in milli-nats, probabilities and logarithms in Q16, money in cents. The
//     tables for logarithms and powers are computed from integers at start.
//   - Whatever the facts say, nothing panics and nothing overflows: spans, counts and money are bounded where they enter.
//   - Every suggestion has a true reason with numbers, whose terms add up to its score (Playbook.Terms). A reason never
//     speaks of what is wrong with a person.
//   - A warm Ranker allocates nothing.
//
// # What it never does
//
// It reads no clock (the day is an argument: the date in the member's home calendar), rolls no dice, uses no floating
// point, ranges over no map, does no I/O, and imports nothing of ours; a test reads the sources and holds it to that.
// It knows no names and no numbers of people. It never shows what a step is worth as money.
package ranking
