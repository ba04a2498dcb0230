// Package fit learns the playbook's numbers from what became of suggestions: values in, a Playbook out.
//
//	contacts' logs ── Observe ──> Tuple, Control
//	parent Playbook and a Log of these ── Night ──> candidate ── GateOrders, Release ──> the next version, or why not
//	what people write next ── Carry ──> the same with what was learnt
//
// It is the server's side of package ranking. There all is integers, as every device must get the same; here floating
// point is fine, as only what is rounded leaves: weights in milli-nats, probabilities in Q16. The same input gives the
// same playbook in any order, on one kind of machine.
//
// # What is learnt, and from what
//
//   - Weights: base, arms and bins of each trigger, by ridge regression from the parent's numbers, with a half-life of 90
//     days and no member above a twentieth of a trigger's weight. Few members or few acts leave the parent's number. An
//     offset of each trigger follows the last days.
//   - Shrink: how far members and contacts differ, by moments, so how far own experience is believed.
//   - Reorder: gaps, the MBG/NBD model, the scorecard of orders that nobody asks for. It is fitted whole each night, not moved
//     step by step, as its numbers stand for one another: GateOrders holds it by what it says of the last orders.
//   - Natural: the same, corrected by weeks in which nobody was asked. Without them the worth of asking cannot be known.
//   - Values: what success is worth, where people say what of an order is margin (Playbook.Margin): from Spend, from what
//     customers and promoters order in their first year, and from the chain of stages (Earn). A value moves by a fifth a night at
//     most, and is never more than three times what people wrote, nor less than a third. Without a margin all are as written.
//
// # What it never does
//
// It reads no feed, no database and no clock, and it knows no names: who calls it brings values.
package fit
