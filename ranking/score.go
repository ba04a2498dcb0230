package ranking

import "math/bits"

// terms collects the parts of a score. A nil one only lets the scores through, so that ranking and explaining run the
// same code and an explanation cannot differ from the score.
type terms struct {
	list [16]Reason
	n    int
}

func (ts *terms) add(score int64, code ReasonCode, a0, a1, a2 int64) int64 {
	if ts != nil && score != 0 {
		ts.list[ts.n] = Reason{Code: code, Args: [3]int64{a0, a1, a2}, Score: score}
		ts.n++
	}
	return score
}

// score sums what the company knows whatever the channel and content. The trigger's own term comes first and is always
// there.
func (pb *Playbook) score(t TriggerID, today Day, f *Facts, s *state, o *opening, ts *terms) int64 {
	rule := &pb.Rules[t]
	z := rule.Base + rule.Offset + stair(rule.Weights[Age], o.age) + o.extra
	if ts != nil {
		ts.list[0] = Reason{Code: o.why, Args: o.args, Score: z}
		ts.n = 1
	}
	for ft := TriesMade; ft < NumFeatures; ft++ {
		bins := rule.Weights[ft]
		if len(bins) == 0 {
			continue
		}
		v := pb.feature(ft, today, f, s, o)
		score := stair(bins, v)
		switch ft {
		case TriesMade:
			z += ts.add(score, TriesSoFar, v, 0, 0)
		case LastHeard:
			switch v {
			case 0: // the day of no conversation, or of one that a clock ahead dated, would be said wrongly
				z += ts.add(score, NotHeard, 0, 0, 0)
			case 1:
				z += ts.add(score, SpokeAgo, today.since(f.ReachedDay.Day()), 0, 0)
			default:
				z += ts.add(score, MovedAgo, today.since(f.ReachedDay.Day()), 0, 0)
			}
		case Signals:
			code := Interest
			if v == 0 {
				code = NoInterest
			}
			z += ts.add(score, code, v, pb.InterestDays, 0)
		case OrdersSo:
			z += ts.add(score, OrdersSoFar, v, 0, 0)
		}
	}
	if t == RefillDue || t == Lapsed {
		percent := (Sigmoid(s.cycle.Unasked)*100 + One/2) >> 16
		z += ts.add(s.cycle.Unasked, OrderLikely, percent, pb.Reorder.Horizon, 0)
	}
	return z
}

// feature returns what Rule.Weights is looked up by.
func (pb *Playbook) feature(ft Feature, today Day, f *Facts, s *state, o *opening) int64 {
	switch ft {
	case Age:
		return o.age
	case TriesMade:
		return s.tries
	case LastHeard:
		return pb.heard(today, f)
	case Signals:
		if f.Stage == Prospect {
			return int64(bits.OnesCount8(pb.interests(today, f) &^ o.own))
		}
	case OrdersSo:
		return int64(f.Orders)
	}
	return 0
}

// heard tells how the last conversation within Memory days went: 0 none, 1 spoke, 2 took a step forward.
func (pb *Playbook) heard(today Day, f *Facts) int64 {
	ago := today.since(f.ReachedDay.Day())
	switch {
	case f.ReachedDay == 0 || ago < 0 || ago >= pb.Memory || f.Reached < Answered:
		return 0
	case f.Reached < Moved:
		return 1
	}
	return 2
}

// interests returns the kinds of signals within InterestDays, as bits.
func (pb *Playbook) interests(today Day, f *Facts) (kinds uint8) {
	days := [...]Date{f.FormDay, f.RegisteredDay, f.AttendedDay, f.WatchedDay, f.ClickedDay, f.VisitedDay, f.JoinedDay}
	for i, d := range days {
		if ago := today.since(d.Day()); d != 0 && ago >= 0 && ago < pb.InterestDays {
			kinds |= 1 << i
		}
	}
	return kinds
}

// unasked returns the log-odds that a customer orders without the step, when it is one for a refill.
func (pb *Playbook) unasked(t TriggerID, s *state, o *opening) int64 {
	return s.cycle.Unasked + stair(pb.Rules[t].Natural, o.age)
}

// answers says how well a contact answers a channel: (S - E) / (V + L) nats, as Record.offset has it, with S answers in
// n tries, E = n·p expected at the company's rate p, V = n·p·(1-p) and L = AnswerSure. It is a fact about the contact
// that the company has a weight for, no own experience with suggestions.
func (pb *Playbook) answers(f *Facts, ch Channel, ts *terms) int64 {
	n, answered := int64(f.Tries[ch]), int64(f.Answers[ch])
	if n == 0 {
		return 0
	}
	return ts.add(pb.reply(ch, n, answered), AnswersBy, int64(ch), answered, n)
}

// reply is answers, of n tries by a channel.
func (pb *Playbook) reply(ch Channel, n, answered int64) int64 {
	p := min(max(pb.AnswerRate[ch], 1), One-1)
	r := Record{Gain: answered*One - n*p, Info: n * (p * (One - p) >> 16)}
	return r.offset(max(pb.AnswerSure, 1))
}

// scoreWay sums the terms of a channel: how well it suits the step, how well this contact answers it, what this member
// and this contact did better with it than the company expected.
func (l *lens) scoreWay(t TriggerID, f *Facts, ch Channel, own *ownContact, ts *terms) int64 {
	z := ts.add(l.Rules[t].ByWay[ch], ByChannel, int64(ch), 0, 0) + l.answers(f, ch, ts)
	z += ts.add(l.way[ch], OwnWay, int64(ch), 0, 0)
	return z + ts.add(own.all, OwnContact, 0, 0, 0) + ts.add(own.way[ch], OwnContactWay, int64(ch), 0, 0)
}

// scoreWords sums the terms of a content: how well it does by the channel, what this member did better with it, and what
// is added or taken away this week to try it.
func (l *lens) scoreWords(t TriggerID, ch Channel, ct int, ts *terms) int64 {
	z := ts.add(l.Rules[t].Contents[ct].Arm[ch], ByContent, int64(ct), 0, 0)
	return z + ts.add(l.word[t][ct], OwnWords, int64(ct), 0, 0) + ts.add(l.trial[t][ct], Tried, int64(ct), 0, 0)
}

// explain fills in all terms of a step's score; it says false when the trigger is not open.
func (l *lens) explain(t TriggerID, ch Channel, ct uint16, f *Facts, ts *terms) bool {
	var s state
	l.lookAt(l.today, f, &s)
	l.weigh(l.today, f, &s)
	var o opening
	if !l.open(t, f, &s, &o) {
		return false
	}
	l.score(t, l.today, f, &s, &o, ts)
	var own ownContact
	l.ownOf(f, &own)
	l.scoreWay(t, f, ch, &own, ts)
	l.scoreWords(t, ch, int(ct), ts)
	return true
}

// Terms returns all terms of a suggestion's score, in the order they were added, those that speak against it included;
// their scores add up to Suggestion.Z exactly. It is for those who want to see the whole sum; what a promoter is shown
// are Suggestion.Reasons. The arguments are those that Rank was called with and what it returned; it returns nil when
// they do not fit together.
func (pb *Playbook) Terms(m *Member, today Day, f *Facts, sg *Suggestion) []Reason {
	if sg.Trigger >= NumTriggers || sg.Channel >= NumChannels || int(sg.Content) >= len(pb.Rules[sg.Trigger].Contents) || f.Stage > Promoter {
		return nil
	}
	var ts terms
	l := new(lens)
	l.set(pb, m, today)
	if !l.explain(sg.Trigger, sg.Channel, sg.Content, f, &ts) {
		return nil
	}
	return append([]Reason(nil), ts.list[:ts.n]...)
}

// worthSaying is the least score of a term that is shown beside the trigger's own: odds better by a sixth.
const worthSaying = 150

// beside says whether a term may be shown beside the trigger's own sentence. How likely an order is without asking would
// read as a reason not to ask. An earlier conversation is left out when it is the very event that the trigger tells of,
// or when the trigger says in other words when the two were last in touch.
func beside(r, own *Reason) bool {
	switch r.Code {
	case SpokeAgo, MovedAgo:
		if r.Code == SpokeAgo && (own.Code == QuietDays || own.Code == NeverContacted || own.Code == CapturedAgo) {
			return false
		}
		since := own.Args[0]
		if own.Code == UsualCycle || own.Code == CompanyCycle || own.Code == LoyalOrders {
			since = own.Args[1]
		}
		return r.Args[0] != since
	}
	return r.Code < OrderLikely
}

// suggest writes a candidate out, with its reasons: the trigger's sentence, then the two strongest terms that speak for
// the step. Ties keep the order of the terms.
func (l *lens) suggest(list List, f *Facts, c *candidate, out *Suggestion) {
	*out = Suggestion{
		Contact: f.Contact, List: list, Trigger: c.trigger, Channel: c.channel, Content: c.content,
		EV: c.ev, Prob: c.prob, Z: c.z, Deadline: c.deadline, Expiry: c.expiry,
	}
	var ts terms
	l.explain(c.trigger, c.channel, c.content, f, &ts)
	out.P0, out.P1 = ts.expected()

	out.Reasons[0] = ts.list[0]
	out.NReasons = 1
	taken := 0
	for int(out.NReasons) < len(out.Reasons) {
		best := 0
		for i := 1; i < ts.n; i++ {
			r := &ts.list[i]
			if i != taken && r.Score >= worthSaying && beside(r, &ts.list[0]) && (best == 0 || r.Score > ts.list[best].Score) {
				best = i
			}
		}
		if best == 0 {
			return
		}
		out.Reasons[out.NReasons] = ts.list[best]
		out.NReasons++
		taken = best
	}
}

// expected returns the two chances of a step that own experience is measured by: what the company expects, and what it
// expects of this member. They leave out what only this contact taught, and what is added to try a message. Neither is
// 0 or One, so that each act tells something.
func (ts *terms) expected() (p0, p1 int64) {
	company, member := int64(0), int64(0)
	for _, r := range ts.list[:ts.n] {
		switch r.Code {
		case OwnWay, OwnWords:
			member += r.Score
		case OwnContact, OwnContactWay, Tried:
		default:
			company += r.Score
		}
	}
	inside := func(p int64) int64 { return min(max(p, 1), One-1) }
	return inside(Sigmoid(company)), inside(Sigmoid(company + member))
}
