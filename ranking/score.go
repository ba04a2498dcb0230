package ranking

// terms collects the parts of a score. A nil one only lets the scores through, so that ranking and explaining run the
// same code and an explanation cannot differ from the score.
type terms struct {
	list [8]Reason
	n    int
}

func (ts *terms) add(score int64, code ReasonCode, a0, a1, a2 int64) int64 {
	if ts != nil && score != 0 {
		ts.list[ts.n] = Reason{Code: code, Args: [3]int64{a0, a1, a2}, Score: score}
		ts.n++
	}
	return score
}

// score sums the terms that do not depend on channel and content, at most five. The trigger's own comes first and is
// always there.
func (pb *Playbook) score(t TriggerID, today Day, f *Facts, s *state, o *opening, ts *terms) int64 {
	rule := &pb.Rules[t]
	z := rule.Base + stair(rule.Fresh, o.age) + o.extra
	if ts != nil {
		ts.list[0] = Reason{Code: o.why, Args: o.args, Score: z}
		ts.n = 1
	}
	z += ts.add(stair(pb.Tries, s.tries), TriesSoFar, s.tries, 0, 0)

	if ago := today.since(f.ReachedDay); f.ReachedDay != 0 && ago >= 0 && ago < pb.Memory {
		switch {
		case f.Reached >= Moved:
			z += ts.add(pb.Moved, MovedAgo, ago, 0, 0)
		case f.Reached >= Answered:
			z += ts.add(pb.Spoke, SpokeAgo, ago, 0, 0)
		}
	}
	if f.Stage == Prospect {
		n := pb.interest(today, f, o.own)
		z += ts.add(n*pb.Interest, Interest, n, pb.InterestDays, 0)
	}
	if t == RefillDue || t == Lapsed {
		percent := (s.cycle.Buy*100 + One/2) >> 16
		z += ts.add(s.cycle.Logit*pb.Reorder.Weight/milliPerOne, OrderLikely, percent, pb.Reorder.Horizon, 0)
	}
	return z
}

// interest counts the kinds of signals within InterestDays, without those that the trigger speaks of itself.
func (pb *Playbook) interest(today Day, f *Facts, own uint8) (n int64) {
	days := [...]Day{f.FormDay, f.RegisteredDay, f.AttendedDay, f.WatchedDay, f.ClickedDay}
	for i, d := range days {
		if ago := today.since(d); own>>i&1 == 0 && d != 0 && ago >= 0 && ago < pb.InterestDays {
			n++
		}
	}
	return min(n, pb.MaxInterest)
}

// scoreWay sums the terms of a channel: how well it suits the step, and how well this contact answers it.
//
// The latter is the posterior mean of a random intercept after one Newton step: (S - E) / (V + L) nats, with S answers
// in n tries, E = n·p expected at the company's rate p, V = n·p·(1-p) and L = AnswerSure.
func (pb *Playbook) scoreWay(t TriggerID, f *Facts, ch Channel, ts *terms) int64 {
	z := ts.add(pb.Rules[t].ByWay[ch], ByChannel, int64(ch), 0, 0)
	n, answered := int64(f.Tries[ch]), int64(f.Answers[ch])
	if n == 0 {
		return z
	}
	p := min(max(pb.AnswerRate[ch], 1), One-1)
	gained := answered*One - n*p
	known := n*(p*(One-p)>>16) + max(pb.AnswerSure, 1)
	return z + ts.add(gained*1000/known, AnswersBy, int64(ch), answered, n)
}

// explain fills in all terms of a step's score; it says false when the trigger is not open.
func (pb *Playbook) explain(t TriggerID, ch Channel, ct uint16, today Day, f *Facts, ts *terms) bool {
	var s state
	pb.lookAt(today, f, &s)
	pb.weigh(today, f, &s)
	var o opening
	if !pb.open(t, today, f, &s, &o) {
		return false
	}
	pb.score(t, today, f, &s, &o, ts)
	pb.scoreWay(t, f, ch, ts)
	ts.add(pb.Rules[t].Contents[ct].Score, ByContent, int64(ct), 0, 0)
	return true
}

// Terms returns all terms of a suggestion's score, in the order they were added, those that speak against it included;
// their scores add up to Suggestion.Z exactly. It is for those who want to see the whole sum; what a promoter is shown
// are Suggestion.Reasons. The arguments are those that Rank was called with and what it returned; it returns nil when
// they do not fit together.
func (pb *Playbook) Terms(today Day, f *Facts, sg *Suggestion) []Reason {
	if sg.Trigger >= NumTriggers || sg.Channel >= NumChannels || int(sg.Content) >= len(pb.Rules[sg.Trigger].Contents) || f.Stage > Promoter {
		return nil
	}
	var ts terms
	if !pb.explain(sg.Trigger, sg.Channel, sg.Content, today, f, &ts) {
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
func (pb *Playbook) suggest(today Day, list List, f *Facts, c *candidate, out *Suggestion) {
	*out = Suggestion{
		Contact: f.Contact, List: list, Trigger: c.trigger, Channel: c.channel, Content: c.content,
		EV: c.ev, Prob: c.prob, Z: c.z, Deadline: c.deadline, Expiry: c.expiry,
	}
	var ts terms
	pb.explain(c.trigger, c.channel, c.content, today, f, &ts)

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
