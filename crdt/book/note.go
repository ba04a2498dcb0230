package book

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"trio/crdt"
	"trio/ranking"
)

// Note is what a log entry tells ranking, in a hundred bytes.
type Note struct {
	ID      crdt.EntryID
	Contact crdt.ContactID // zero: nobody
	About   crdt.EntryID   // of a result or a slip: the entry that it is about
	At      int64          // ms since 1970, the claimed time corrected by the measured skew
	What    What
	Paid    Currency      // of an order whose amount names one
	Event   ranking.Event // its Day is the caller's to set; of a result only Outcome counts
}

// Currency is an ISO 4217 code in capitals; zero: none is named.
type Currency [3]byte

// String returns the code; "" for none.
func (c Currency) String() string {
	if c == (Currency{}) {
		return ""
	}
	return string(c[:])
}

// currencyOf reads a code; what is none is not named.
func currencyOf(s string) (c Currency) {
	if len(s) != len(c) {
		return c
	}
	for i := range c {
		if c[i] = s[i] &^ 0x20; c[i] < 'A' || c[i] > 'Z' {
			return Currency{}
		}
	}
	return c
}

// What says how a Note is to be read.
type What uint8

// What there is. Of a slip nothing counts, nor does a slip of a slip bring anything back.
const (
	Nothing What = iota // it tells ranking nothing
	Event               // something happened
	Result              // what came of the touch in About, known later
	Slip                // the entry in About did not happen
)

// NewNote reads an entry.
func NewNote(id crdt.EntryID, e *crdt.Entry) Note {
	n := Note{ID: id, Contact: e.Contact, At: e.Time().UnixMilli()}
	switch e.Kind {
	case crdt.Void:
		n.What, n.About = Slip, e.About
	case crdt.Result:
		if o, ok := ranking.ParseOutcome(e.Outcome); ok {
			n.What, n.About, n.Event.Outcome = Result, e.About, o
		}
	default:
		if event(&n.Event, e) {
			n.What = Event
		}
		if e.Kind == crdt.Order && e.Value != nil {
			n.Paid = currencyOf(e.Value.Currency)
		}
	}
	return n
}

// Events returns what the log tells of one person, as ranking wants it: sorted by time and id, results put into the touches
// that they belong to. The notes are all that are about the contacts of a Group, each once, with their days, without those of
// which a Slip says that they did not happen. They are sorted in place.
func Events(notes []Note) []ranking.Event {
	slices.SortFunc(notes, func(a, b Note) int {
		return cmp.Or(cmp.Compare(a.At, b.At), slices.Compare(a.ID[:], b.ID[:]))
	})
	results := map[crdt.EntryID]ranking.Outcome{}
	events := make([]ranking.Event, 0, len(notes))
	for i := range notes {
		if n := &notes[i]; n.What == Result {
			results[n.About] = max(results[n.About], n.Event.Outcome)
		}
	}
	for i := range notes {
		n := &notes[i]
		if n.What != Event {
			continue
		}
		ev := n.Event
		if ev.Kind == ranking.EventTouch {
			ev.Outcome = max(ev.Outcome, results[n.ID])
		}
		events = append(events, ev)
	}
	return events
}

// TouchChannels are the ways that entries of these kinds went.
var TouchChannels = map[crdt.Kind]ranking.Channel{
	crdt.Call: ranking.Call, crdt.Text: ranking.Text, crdt.Email: ranking.Email, crdt.Meet: ranking.InPerson,
}

// event translates an entry; false means that it tells ranking nothing.
func event(ev *ranking.Event, e *crdt.Entry) bool {
	ev.Outcome, _ = ranking.ParseOutcome(e.Outcome)
	ev.Trigger, ev.Prompted = ranking.ParseTrigger(e.Trigger)
	switch e.Kind {
	case crdt.Call, crdt.Text, crdt.Email, crdt.Meet:
		ev.Kind, ev.Channel = ranking.EventTouch, TouchChannels[e.Kind]
		if n, ok := contentNumber(e.Content); ok {
			ev.Content = n
		} else {
			ev.Content = ranking.MaxContents // not one of the playbook's
		}
		ev.P0, ev.P1 = uint16(e.P0), uint16(e.P1)
	case crdt.Ask:
		ev.Kind = ranking.EventTouch
		if c, ok := ranking.ParseChannel(e.Channel); ok {
			ev.Channel = c
		} else {
			ev.Channel = ranking.InPerson
		}
		ev.Content = ranking.MaxContents
	case crdt.Order:
		ev.Kind = ranking.EventOrder
		if e.Value != nil {
			ev.Cents = e.Value.Cents
		}
	case crdt.FormSubmitted:
		ev.Kind = ranking.EventForm
	case crdt.WebinarRegistered:
		ev.Kind = ranking.EventRegistered
		ev.For, _ = ranking.ParseDay(e.Due)
	case crdt.WebinarAttended:
		ev.Kind = ranking.EventAttended
	case crdt.Watched:
		ev.Kind = ranking.EventWatched
	case crdt.Clicked:
		ev.Kind = ranking.EventClicked
	case crdt.SiteVisited:
		ev.Kind = ranking.EventVisited
	case crdt.WebinarJoined:
		ev.Kind = ranking.EventJoined
	case crdt.Promise:
		ev.Kind = ranking.EventPromise
		ev.For, _ = ranking.ParseDay(e.Due)
	case crdt.StageChanged:
		st, ok := ranking.ParseStage(e.Stage)
		ev.Kind, ev.Stage = ranking.EventStage, st
		return ok
	case crdt.Suggestion:
		switch e.Choice {
		case crdt.Skipped:
			ev.Kind = ranking.EventSkipped
		case crdt.Dismissed:
			ev.Kind = ranking.EventDismissed
			return ev.Prompted
		default:
			return false
		}
	default:
		return false
	}
	return true
}

// Contents of the playbook have numbers; in the log they are "playbook/<n>", beside content that people named.
const contentPrefix = "playbook/"

// ContentName is how the log names a content of the playbook.
func ContentName(n uint16) string { return contentPrefix + strconv.Itoa(int(n)) }

func contentNumber(s string) (uint16, bool) {
	rest, ok := strings.CutPrefix(s, contentPrefix)
	n, err := strconv.ParseUint(rest, 10, 16)
	return uint16(n), ok && err == nil
}
