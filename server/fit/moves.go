package fit

import (
	"cmp"
	"fmt"
	"slices"

	"trio/ranking"
)

// Move is a number of a playbook that is another one in the next.
type Move struct {
	What     string  `json:"what"` // as "new_lead: content 1 by text"
	From, To int64   // milli-nats, cents, or as it is kept
	Far      float64 `json:"-"` // how far it went, where 1 is more than chance moves a number from one night to the next
}

// What is not told from chance: fewer milli-nats than that, of the many bins of a scorecard fewer than that, and a smaller part of a
// number that is no sum of log-odds.
const (
	someNats = 25
	cardNats = 100
	somePart = .1
)

// Moves compares two playbooks of the same contents and returns the numbers that fit moves and that are not the same, the furthest
// moved first. Where none is as Far as 1, the second says nothing that the first does not.
func Moves(old, pb *ranking.Playbook) []Move {
	var all []Move
	note := func(from, to int64, far float64, format string, args ...any) {
		if from != to {
			all = append(all, Move{fmt.Sprintf(format, args...), from, to, max(far, -far)})
		}
	}
	nats := func(from, to int64, format string, args ...any) {
		note(from, to, float64(to-from)/someNats, format, args...)
	}
	part := func(from, to int64, format string, args ...any) {
		note(from, to, float64(to-from)/somePart/float64(max(from, 1)), format, args...)
	}
	stairs := func(a, b []ranking.Bin, some float64, what string) {
		for i := range b {
			from := look(a, b[i].Below-1)
			note(from, b[i].Score, float64(b[i].Score-from)/some, "%s, step %d", what, i+1)
		}
		if len(b) == 0 && len(a) > 0 {
			note(int64(len(a)), 0, 1, "%s", what)
		}
	}
	for t := range ranking.NumTriggers {
		a, b := &old.Rules[t], &pb.Rules[t]
		both := float64(b.Base+b.Offset-a.Base-a.Offset) / someNats // what one gives the other is no news
		note(a.Base, b.Base, both, "%v: base", t)
		note(a.Offset, b.Offset, both, "%v: offset of the last days", t)
		part(a.Value, b.Value, "%v: cents that a success is worth", t)
		for ch := range ranking.NumChannels {
			nats(a.ByWay[ch], b.ByWay[ch], "%v: by %v", t, ch)
		}
		for ct := range min(len(a.Contents), len(b.Contents)) {
			x, y := &a.Contents[ct], &b.Contents[ct]
			for ch := range ranking.NumChannels {
				nats(x.Arm[ch], y.Arm[ch], "%v: content %d by %v", t, ct, ch)
			}
			nats(x.Doubt, y.Doubt, "%v: doubt of content %d", t, ct)
			nats(old.Shared.Words[t][ct], pb.Shared.Words[t][ct], "%v: what all gain by content %d", t, ct)
		}
		for f := range ranking.NumFeatures {
			stairs(a.Weights[f], b.Weights[f], someNats, fmt.Sprintf("%v: %s", t, featureWords[f]))
		}
		stairs(a.Natural, b.Natural, someNats, fmt.Sprintf("%v: orders that nobody asks for", t))
	}
	a, b := &old.Reorder, &pb.Reorder
	part(a.MedianGap, b.MedianGap, "days between orders")
	part(a.Prior, b.Prior, "how many gaps of one's own weigh as much")
	part(a.R, b.R, "orders: r")
	part(a.A, b.A, "orders: a")
	part(a.B, b.B, "orders: b")
	part(a.Alpha, b.Alpha, "orders: alpha")
	part(a.Weight, b.Weight, "orders: weight of the model")
	nats(a.Intercept, b.Intercept, "orders: intercept")
	for r := range a.Card {
		stairs(a.Card[r], b.Card[r], cardNats, fmt.Sprintf("orders: scorecard %d", r+1))
	}
	for ch := range ranking.NumChannels {
		nats(old.Shared.Ways[ch], pb.Shared.Ways[ch], "what all gain by %v", ch)
		nats(old.Shared.Contacts[ch], pb.Shared.Contacts[ch], "what all gain with contacts by %v", ch)
	}
	part(old.Shrink.Member, pb.Shrink.Member, "own experience: of a member")
	part(old.Shrink.Way, pb.Shrink.Way, "own experience: by a channel")
	part(old.Shrink.Words, pb.Shrink.Words, "own experience: with a content")
	part(old.Shrink.Contact, pb.Shrink.Contact, "own experience: with a contact")
	part(old.Shrink.ContactWay, pb.Shrink.ContactWay, "own experience: with a contact by a channel")
	if old.Silent != pb.Silent {
		note(old.Silent, pb.Silent, 1, "one silent week of")
	}
	slices.SortStableFunc(all, func(a, b Move) int { return cmp.Compare(b.Far, a.Far) })
	return all
}

var featureWords = [ranking.NumFeatures]string{"age", "tries", "last heard", "signals", "orders"}
