package fit

import (
	"cmp"
	"slices"

	"trio/ranking"
)

// Carry returns a playbook that people wrote with what was learnt on top of the one that they wrote before: to each number that is
// fitted comes what fitting made of it there, within the bounds of numbers. What only one of the three has of triggers,
// contents (by number) and bins stays as it is written; so do words and rules, and what a success is worth where people wrote
// another value than before, or want none learnt. Version and all else are those of written. None of the three is changed.
func Carry(before, fitted, written *ranking.Playbook) *ranking.Playbook {
	sum := Copy(written)
	add := func(v *int64, was, learnt int64) { *v += learnt - was }
	for t := range sum.Rules {
		r, was, learnt := &sum.Rules[t], &before.Rules[t], &fitted.Rules[t]
		n := min(len(r.Contents), len(was.Contents), len(learnt.Contents))
		if n == 0 { // it is not in all of them: nothing is learnt of what says nothing
			continue
		}
		if r.Value == was.Value && written.Margin > 0 {
			r.Value = learnt.Value
		}
		add(&r.Base, was.Base, learnt.Base)
		add(&r.Offset, was.Offset, learnt.Offset)
		for ch := range r.ByWay {
			add(&r.ByWay[ch], was.ByWay[ch], learnt.ByWay[ch])
		}
		for ct := range n {
			c, x, y := &r.Contents[ct], &was.Contents[ct], &learnt.Contents[ct]
			for ch := range c.Arm {
				add(&c.Arm[ch], x.Arm[ch], y.Arm[ch])
			}
			add(&c.Doubt, x.Doubt, y.Doubt)
			c.Doubt = min(max(c.Doubt, 0), mostNats)
			add(&sum.Shared.Words[t][ct], before.Shared.Words[t][ct], fitted.Shared.Words[t][ct])
		}
		for f := range r.Weights {
			r.Weights[f] = carryBins(was.Weights[f], learnt.Weights[f], r.Weights[f])
		}
		r.Natural = carryBins(was.Natural, learnt.Natural, r.Natural)
	}
	r, was, learnt := &sum.Reorder, &before.Reorder, &fitted.Reorder
	add(&r.MedianGap, was.MedianGap, learnt.MedianGap)
	add(&r.Prior, was.Prior, learnt.Prior)
	add(&r.R, was.R, learnt.R)
	add(&r.A, was.A, learnt.A)
	add(&r.B, was.B, learnt.B)
	add(&r.Alpha, was.Alpha, learnt.Alpha)
	add(&r.OwnFrom, was.OwnFrom, learnt.OwnFrom)
	r.OwnFrom = min(max(r.OwnFrom, 0), 1000)
	add(&r.Intercept, was.Intercept, learnt.Intercept)
	add(&r.Weight, was.Weight, learnt.Weight)
	for i := range r.Card {
		r.Card[i] = carryBins(was.Card[i], learnt.Card[i], r.Card[i])
	}
	info := func(v *int64, was, learnt int64) {
		add(v, was, learnt)
		*v = min(max(*v, 0), mostInfo)
	}
	s, x, y := &sum.Shrink, &before.Shrink, &fitted.Shrink
	info(&s.Member, x.Member, y.Member)
	info(&s.Way, x.Way, y.Way)
	info(&s.Words, x.Words, y.Words)
	info(&s.Contact, x.Contact, y.Contact)
	info(&s.ContactWay, x.ContactWay, y.ContactWay)
	for ch := range sum.Shared.Ways {
		add(&sum.Shared.Ways[ch], before.Shared.Ways[ch], fitted.Shared.Ways[ch])
		add(&sum.Shared.Contacts[ch], before.Shared.Contacts[ch], fitted.Shared.Contacts[ch])
	}
	pb := own(written, sum)
	pb.Silent = cmp.Or(written.Silent, fitted.Silent)
	return pb
}

// carryBins adds what was learnt of a staircase to one that people wrote. Where fitting keeps people's bins, these keep theirs, and
// those that both have are moved; where it has bins of its own, as of orders, these stand in the result.
func carryBins(before, fitted, written []ranking.Bin) []ranking.Bin {
	same := func(a, b ranking.Bin) bool { return a.Below == b.Below }
	if !slices.EqualFunc(before, fitted, same) {
		bins := slices.Clone(fitted)
		for i := range bins {
			below := bins[i].Below - 1
			bins[i].Score += look(written, below) - look(before, below)
		}
		return bins
	}
	bins := slices.Clone(written)
	for i := range bins {
		if j := slices.IndexFunc(before, func(b ranking.Bin) bool { return same(b, bins[i]) }); j >= 0 {
			bins[i].Score += fitted[j].Score - before[j].Score
		}
	}
	return bins
}
