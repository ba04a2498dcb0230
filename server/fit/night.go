package fit

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"trio/ranking"
)

// Log is what a night learns from, of all members: the newest first or in any order, the result is the same.
type Log struct {
	Orders   []Orders // of all customers
	Tuples   []Tuple  // with the Extra of the playbook released last, see NewTuple
	Controls []Control
	Earned   *Earned // by the company's orders; nil: too little is known, or it is not asked for
	Today    ranking.Day
}

// SilentEvery is how many contact-weeks have one that is left unasked, in a company whose playbook is fitted.
const SilentEvery = 20

// Night fits a candidate to all that is known: weights, arms and the correction of the last days, what own experience may
// say, reordering and natural orders, and what a success is worth, if people gave a margin. The parent is the playbook that people wrote, old the one released
// last, with the same contents and bins. The candidate has the parent's words and rules, whatever old has. It is not
// released yet, see Release.
func Night(parent, old *ranking.Playbook, log *Log) *ranking.Playbook {
	log.Tuples = sortTuples(log.Tuples)
	pb := Weights(parent, old, log.Tuples, log.Today)
	pb = Shrink(pb, log.Tuples)
	pb = Natural(pb, log.Controls, log.Today)
	if len(log.Orders) > 0 {
		pb.Reorder = Reorder(pb.Reorder, byDays(log.Orders), log.Today-1)
	}
	Values(pb, parent, old, log.Earned)
	pb = own(parent, pb)
	pb.Version, pb.Silent = old.Version, cmp.Or(parent.Silent, SilentEvery)
	return pb
}

// Bounds of what a playbook may say.
const (
	mostNats  = 12_000  // milli-nats
	mostModel = 1 << 24 // of the numbers of the reorder model
	mostInfo  = 1 << 30 // of what own experience is held to
)

// own returns what people wrote with the numbers that are fitted, within their bounds.
func own(written, fitted *ranking.Playbook) *ranking.Playbook {
	pb := Copy(written)
	nats := func(v int64) int64 { return min(max(v, -mostNats), mostNats) }
	stairs := func(dst *[]ranking.Bin, bins []ranking.Bin) {
		*dst = slices.Clone(bins)
		for i := range *dst {
			(*dst)[i].Score = nats((*dst)[i].Score)
		}
	}
	for t := range pb.Rules {
		r, f := &pb.Rules[t], &fitted.Rules[t]
		r.Base, r.Offset = nats(f.Base), nats(f.Offset)
		if pb.Margin > 0 {
			r.Value = worthOf(r.Value, f.Value)
		}
		for ch := range r.ByWay {
			r.ByWay[ch] = min(nats(f.ByWay[ch]), 0)
		}
		for i := range r.Contents {
			for ch := range r.Contents[i].Arm {
				r.Contents[i].Arm[ch] = nats(f.Contents[i].Arm[ch])
			}
			r.Contents[i].Doubt = f.Contents[i].Doubt
		}
		for ft := range r.Weights {
			stairs(&r.Weights[ft], f.Weights[ft])
		}
		stairs(&r.Natural, f.Natural)
	}
	model := func(v int64) int64 { return min(max(v, 1), mostModel) }
	r, f := &pb.Reorder, &fitted.Reorder
	r.MedianGap, r.Prior, r.OwnFrom = min(max(f.MedianGap, 1), 3650), model(f.Prior), f.OwnFrom
	r.R, r.A, r.B, r.Alpha = model(f.R), model(f.A), model(f.B), model(f.Alpha)
	r.Intercept, r.Weight = nats(f.Intercept), min(max(f.Weight, 0), 10_000)
	for i := range r.Card {
		stairs(&r.Card[i], f.Card[i])
	}
	pb.Shrink, pb.Shared = fitted.Shrink, fitted.Shared
	for ch := range pb.Shared.Ways {
		pb.Shared.Ways[ch], pb.Shared.Contacts[ch] = nats(pb.Shared.Ways[ch]), nats(pb.Shared.Contacts[ch])
	}
	for t := range pb.Shared.Words {
		for ct := range pb.Shared.Words[t] {
			pb.Shared.Words[t][ct] = nats(pb.Shared.Words[t][ct])
		}
	}
	return pb
}

// byDays puts customers into an order of their own.
func byDays(orders []Orders) []Orders {
	sorted := slices.Clone(orders)
	slices.SortFunc(sorted, func(a, b Orders) int { return slices.Compare(a, b) })
	return sorted
}

// ErrWorse: a candidate does worse than the playbook it would follow.
var ErrWorse = errors.New("the fitted playbook is not released")

const (
	gateDays  = 14
	gateWorse = 1.005
)

// Release returns the candidate as the version after the old one, or says why it must not be: on the acts of the last 14
// days its log-loss may be half a percent above the old one's at most, and no weight may have moved by more than 500
// milli-nats. What the two playbooks say of an act is measured with the acts' Extra, so the reorder model is not: GateOrders measures
// that.
func Release(old, candidate *ranking.Playbook, tuples []Tuple, today ranking.Day) (*ranking.Playbook, error) {
	n, was, is := Losses(old, candidate, tuples, today)
	if n > 0 && is > was*gateWorse {
		return nil, fmt.Errorf("%w: on the %d acts of the last %d days its log-loss is %.4f, that of version %d %.4f: look at what changed, or wait for more acts",
			ErrWorse, n, gateDays, is, old.Version, was)
	}
	for t := range ranking.NumTriggers {
		a, b := &old.Rules[t], &candidate.Rules[t]
		if where := leap(a, b); where != "" {
			return nil, fmt.Errorf("%w: %v: %s moved by more than %d milli-nats since version %d", ErrWorse, t, where, mostMove, old.Version)
		}
	}
	pb := Copy(candidate)
	pb.Version = old.Version + 1
	return pb, nil
}

// OrderGate is how two models of orders do on what customers did last.
type OrderGate struct {
	Customers int     // customers on days, each as it was known then
	Was, Is   float64 // mean log-loss of the old model and of the candidate's
	Kept      bool    // the old one stays
}

// GateOrders returns the candidate, or when its model of orders does worse than the old one's, the candidate with that of the old one.
// Both are measured on who ordered within the horizon, at the ends of the last two such windows within 14 days that are over; the
// candidate's log-loss may be half a percent above the old one's at most.
//
// That is all that holds it: the model is fitted whole, not moved step by step as the weights are. Its numbers stand for
// one another (bins of a customer's rhythms add up with the intercept), so that a number alone may go far while what they say together
// hardly moves, and half of a way between two good models is none.
func GateOrders(old, candidate *ranking.Playbook, customers []Orders, today ranking.Day) (*ranking.Playbook, OrderGate) {
	var g OrderGate
	a, b := &old.Reorder, &candidate.Reorder
	for day := today - 1 - ranking.Day(b.Horizon); day >= today-1-ranking.Day(b.Horizon)-gateDays; day -= every {
		for _, o := range customers {
			past := o.before(day)
			if len(past) == 0 {
				continue
			}
			f, y := past.facts(), truth(o.within(day, b.Horizon))
			was, _ := a.Cycle(day, &f)
			is, _ := b.Cycle(day, &f)
			g.Was += logLoss(float64(was.Unasked)/1000, y)
			g.Is += logLoss(float64(is.Unasked)/1000, y)
			g.Customers++
		}
	}
	if g.Customers == 0 {
		return candidate, g
	}
	g.Was /= float64(g.Customers)
	g.Is /= float64(g.Customers)
	if g.Kept = g.Is > g.Was*gateWorse; !g.Kept {
		return candidate, g
	}
	pb := Copy(candidate)
	pb.Reorder = Copy(old).Reorder
	return pb, g
}

// Losses measures two playbooks on the acts of the last 14 days: how many there are, and the mean log-loss of each playbook on
// them, no member being more than its part of a trigger. Without acts the losses are zero.
func Losses(old, candidate *ranking.Playbook, tuples []Tuple, today ranking.Day) (n int, was, is float64) {
	tuples = sortTuples(tuples)
	day := func(t Tuple, d ranking.Day) int { return cmp.Compare(t.Day, d) }
	from, _ := slices.BinarySearchFunc(tuples, today-gateDays, day)
	to, _ := slices.BinarySearchFunc(tuples, today, day)
	tuples = tuples[from:max(from, to)]
	share := shares(len(tuples), func(i int) (uint8, MemberID) { return uint8(tuples[i].Trigger), tuples[i].Member }, func(int) float64 { return 1 })
	all := 0.0
	for i := range tuples {
		was += share[i] * logLoss(tuples[i].z(old), tuples[i].y())
		is += share[i] * logLoss(tuples[i].z(candidate), tuples[i].y())
		all += share[i]
	}
	if all == 0 {
		return 0, 0, 0
	}
	return len(tuples), was / all, is / all
}

// leap names a number of a rule that moved too far.
func leap(a, b *ranking.Rule) string {
	far := func(x, y int64) bool { return x-y > mostMove || y-x > mostMove }
	if far(a.Base, b.Base) {
		return "base"
	}
	if far(a.Offset, b.Offset) {
		return "offset"
	}
	for ch := range a.ByWay {
		if far(a.ByWay[ch], b.ByWay[ch]) {
			return "channel " + ranking.Channel(ch).String()
		}
	}
	if len(a.Contents) == len(b.Contents) {
		for ct := range a.Contents {
			for ch := range a.Contents[ct].Arm {
				if far(a.Contents[ct].Arm[ch], b.Contents[ct].Arm[ch]) {
					return fmt.Sprintf("content %d by %v", ct, ranking.Channel(ch))
				}
			}
		}
	}
	for f := range a.Weights {
		if len(a.Weights[f]) == len(b.Weights[f]) {
			for i := range a.Weights[f] {
				if far(a.Weights[f][i].Score, b.Weights[f][i].Score) {
					return fmt.Sprintf("bin %d of feature %d", i, f)
				}
			}
		}
	}
	return ""
}
