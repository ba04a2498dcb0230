package ranking

import (
	"math/bits"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Alert is a notice that is due: the promoter is told now, with a step to take.
type Alert struct {
	Suggestion        // the step; who follows it logs it like any other
	Key        string // names it among all of the member's: what has this key was given
	Until      int64  // ms since 1970: from then on it is not given any more, or taken back
}

// Alert returns the notice that an event calls for which has just arrived; false when there is none. f are the contact's
// facts after the event, at is the event's time and now the time of telling, both in ms since 1970.
//
// It is given when the event opens a trigger whose rule has a notice, while it is news, and when there is a step to take that
// stands above the gate. It does not wait for the rest after a touch nor for the cap of touches: the contact has come to
// the promoter. Whoever is silent for another reason is silent here too: opted out, snoozed, "not today", dismissed, done
// within the rule's cool-down, no words left, nothing to reach the contact by; and so is a rule that is off or left to the
// company's machinery. Of several rules the one whose step is worth most counts.
//
// It is the same on every device, so the caller gives it once by its key: the same trigger for the same contact on the same
// day is one notice. Quiet hours are the caller's, who knows the clock on the wall.
func (pb *Playbook) Alert(m *Member, f *Facts, ev *Event, at, now int64) (Alert, bool) {
	at = min(at, now) // an event of a clock that is ahead happened now
	var l lens
	l.set(pb, m, ev.Day)
	if f.Stage > Promoter || l.hushed(f) {
		return Alert{}, false
	}
	var s state
	l.lookAt(l.today, f, &s)
	l.weigh(l.today, f, &s)
	var own ownContact
	l.ownOf(f, &own)
	var best candidate
	until, found := int64(0), false
	for ask := l.asks[f.Stage]; ask != 0; ask &= ask - 1 {
		t := TriggerID(bits.TrailingZeros32(ask))
		notice := pb.Rules[t].Notice
		var o opening
		if notice == nil || !l.rested(t, f) || !l.open(t, f, &s, &o) || !o.newBy(ev.Kind, pb.Rules[t].When) {
			continue
		}
		end := at + min(max(notice.Minutes, 0), maxSpan)*60_000
		var c candidate
		if now >= end || !l.bestWay(t, f, &s, &o, &own, l.score(t, l.today, f, &s, &o, nil), l.MinEV-1, &c) {
			continue
		}
		if !found || c.ev > best.ev {
			best, until, found = c, end, true
		}
	}
	if !found {
		return Alert{}, false
	}
	list := Members
	if f.Stage == Prospect {
		list = Prospects
	}
	a := Alert{Until: until, Key: "notice:" + best.trigger.String() + ":" + f.Contact.hex() + ":" + ev.Day.String()}
	l.suggest(list, f, &best, &a.Suggestion)
	return a, true
}

// newBy says whether a trigger opened by an event of a kind, today.
func (o *opening) newBy(kind EventKind, w *When) bool {
	if o.age != 0 {
		return false
	}
	switch o.why {
	case FormAgo:
		return kind == EventForm
	case RegisteredAgo, WebinarToday:
		return kind == EventRegistered
	case JoinedAgo:
		return kind == EventJoined
	case AttendedAgo:
		return kind == EventAttended
	case WatchedAgo:
		return kind == EventWatched
	case ClickedAgo:
		return kind == EventClicked
	case VisitedAgo:
		return kind == EventVisited
	case FirstOrderAgo, LoyalOrders:
		return kind == EventOrder
	case OwnMoment:
		return w.Since.began(kind)
	}
	return false
}

// began says whether an event of a kind makes the days of a quantity begin. What the promoter does is no news to the
// promoter.
func (q Quantity) began(kind EventKind) bool {
	switch kind {
	case EventForm:
		return q == SinceForm
	case EventRegistered:
		return q == SinceRegistered
	case EventAttended:
		return q == SinceAttended
	case EventWatched:
		return q == SinceWatched
	case EventClicked:
		return q == SinceClicked
	case EventVisited:
		return q == SinceVisited
	case EventJoined:
		return q == SinceJoined
	case EventOrder:
		return q == SinceFirstOrder || q == SinceLastOrder
	case EventStage:
		return q == SinceStage
	}
	return false
}

// NoticeWords returns what the promoter is told, in one sentence without a full stop; "" when the trigger has no notice. An
// empty name makes it "A contact …".
func (pb *Playbook) NoticeWords(t TriggerID, lang, name string) string {
	if t >= NumTriggers || pb.Rules[t].Notice == nil {
		return ""
	}
	p := pb.Rules[t].Notice.Words.pick(lang)
	b := blanks{name: oneLine(name)}
	if b.name == "" {
		if b.name = pb.Unnamed.same(p.Lang); b.name == "" {
			b.name = inStead(someContact, p.Lang)
		} else if strings.HasPrefix(p.Text, "{name}") {
			r, n := utf8.DecodeRuneInString(b.name)
			b.name = string(unicode.ToUpper(r)) + b.name[n:]
		}
	}
	return b.fill(p.Text)
}

// hex writes an id as 32 digits.
func (c ContactID) hex() string {
	const digits = "0123456789abcdef"
	var b [2 * len(c)]byte
	for i, x := range c {
		b[2*i], b[2*i+1] = digits[x>>4], digits[x&15]
	}
	return string(b[:])
}
