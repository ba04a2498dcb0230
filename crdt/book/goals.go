package book

import (
	"trio/crdt"
	"trio/crdt/automerge"
	"trio/ranking"
)

// Act is a log entry as goals count it: its day and minute are those of the home calendar. Whether it is a contact's first touch
// is the caller's to find out.
func (c Calendar) Act(id crdt.EntryID, e *crdt.Entry) ranking.Act {
	a := UndatedAct(id, e)
	day, minute := c.At(a.At)
	a.Day, a.Minute = day, int16(minute)
	return a
}

// UndatedAct is Act without day and minute, of somebody whose home is not known yet.
func UndatedAct(id crdt.EntryID, e *crdt.Entry) ranking.Act {
	a := ranking.Act{
		ID: ranking.ActID(id), At: e.Time().UnixMilli(), Kind: string(e.Kind), Contact: ranking.ContactID(e.Contact),
		Touch: e.Kind.IsTouch() && !e.Contact.IsZero(), Event: e.Event != "", Evidence: uint8(e.Evidence), About: ranking.ActID(e.About),
	}
	if v := e.Value; v != nil {
		a.Seconds, a.Pieces = v.Minutes*60+v.Seconds, v.Count
	}
	return a
}

// NewPlan reads what a member committed to out of the registers of a profile. What is not a plan's, not of these rules or cannot
// be read is passed over.
func NewPlan(r *ranking.GoalRules, profile []Field) ranking.Plan {
	var p ranking.Plan
	for _, f := range profile {
		if dim, date, ok := crdt.SplitGoalKey(f.Key); ok && f.Value.Kind == automerge.KindInt {
			from, err := ranking.ParseDay(date)
			if m, known := r.Metric(string(dim)); known && err == nil {
				p.Goals = append(p.Goals, ranking.Commitment{From: from, Metric: m, Want: int32(min(max(f.Value.Num, 0), crdt.MaxGoal))})
			}
		} else if date, ok := crdt.SplitRestKey(f.Key); ok && f.Value.Kind == automerge.KindTrue {
			if from, err := ranking.ParseDay(date); err == nil {
				p.Rest = append(p.Rest, from)
			}
		} else if date, ok := crdt.SplitWeeklyRestKey(f.Key); ok && f.Value.Kind == automerge.KindInt {
			if from, err := ranking.ParseDay(date); err == nil {
				p.Weekly = append(p.Weekly, ranking.WeeklyRest{From: from, Days: uint8(f.Value.Num & 127)})
			}
		}
	}
	p.Sort()
	return p
}
