package notice

import (
	"errors"
	"strconv"
	"time"

	"trio/ranking"
)

// Kind says why a notice is given.
type Kind string

// Kinds of notices.
const (
	Alert Kind = "alert" // a system brought something that asks for a step now
	Due   Kind = "due"   // the notice of the day
)

// Notice is what a member is told: that steps are due. It cannot be without one: its fields are what steps say, and only newAlert and
// newDue set them. The zero value is none, and is not sent.
type Notice struct {
	kind    Kind
	trigger ranking.TriggerID // of the best step
	list    ranking.List      // that it stands on
	count   int               // of steps, at least 1
	until   time.Time         // from then on it is not worth being told
}

// maxCount bounds the count that a notice says: of more than a screen shows "many" is as good.
const maxCount = 99

// newAlert makes a notice of steps that events call for, the best first; false when there is none.
func newAlert(steps []ranking.Alert) (Notice, bool) {
	if len(steps) == 0 {
		return Notice{}, false
	}
	best := &steps[0]
	n := Notice{kind: Alert, trigger: best.Trigger, list: best.List, count: min(len(steps), maxCount)}
	for _, s := range steps {
		if t := time.UnixMilli(s.Until); t.After(n.until) {
			n.until = t
		}
	}
	return n, true
}

// newDue makes the notice of the day of the steps on both lists, each the best first; false when there is none.
func newDue(lists [2][]ranking.Suggestion, until time.Time) (Notice, bool) {
	var best *ranking.Suggestion
	for l := range lists {
		for i := range lists[l] {
			if s := &lists[l][i]; best == nil || s.EV > best.EV {
				best = s
			}
		}
	}
	if best == nil {
		return Notice{}, false
	}
	return Notice{kind: Due, trigger: best.Trigger, list: best.List, count: min(len(lists[0])+len(lists[1]), maxCount), until: until}, true
}

// MessageVersion is the version of what devices are sent.
const MessageVersion = 1

// message is what a device is sent: numbers and names out of fixed lists, nobody's own words.
func (n *Notice) message() ([]byte, error) {
	if n.count < 1 || n.kind == "" {
		return nil, errors.New("a notice without an action")
	}
	b := append([]byte(`{"v":`), strconv.Itoa(MessageVersion)...)
	b = append(append(b, `,"kind":"`...), n.kind...)
	b = append(append(b, `","trigger":"`...), n.trigger.String()...)
	b = append(append(b, `","list":"`...), n.list.String()...)
	b = strconv.AppendInt(append(b, `","count":`...), int64(n.count), 10)
	b = strconv.AppendInt(append(b, `,"until":`...), n.until.UnixMilli(), 10)
	return append(b, '}'), nil
}
