package book

import (
	"slices"
	"strings"

	"trio/crdt"
	"trio/crdt/automerge"
	"trio/ranking"
)

// SourceImport is the source of contacts that came with a file.
const SourceImport = "import"

// Card is what a contact's registers tell ranking.
type Card struct {
	Contact   crdt.ContactID
	Stage     string // as the member gave it, one of crdt.Stages
	Consent   string
	Snooze    string
	Household crdt.ContactID // zero: none
	Into      crdt.ContactID // what it was merged into; zero: nothing
	Source    string
	Created   int64 // ms since 1970, the contact's own claim; zero: not known
	Deleted   bool
	Phone     bool // there is a number
	Email     bool // there is an address
}

// NewCard returns the card of a contact of whom nothing is known.
func NewCard(c crdt.ContactID) Card { return Card{Contact: c, Stage: crdt.StageProspect} }

// Family takes a contact's field apart: of "phone/+34600000000" the family is "phone/". Of most fields there is no more than the
// family.
func Family(field string) (family, tail string) {
	if i := strings.IndexByte(field, '/'); i >= 0 {
		return field[:i+1], field[i+1:]
	}
	return field, ""
}

// Set takes a field in, with the value of it that wins.
func (c *Card) Set(field string, v automerge.Value) {
	family, _ := Family(field)
	switch family {
	case crdt.FieldStage:
		if slices.Contains(crdt.Stages, v.Str) {
			c.Stage = v.Str
		}
	case crdt.FieldConsent:
		c.Consent = v.Str
	case crdt.FieldSnooze:
		c.Snooze = v.Str
	case crdt.FieldSource:
		c.Source = v.Str
	case crdt.FieldCreated:
		c.Created = v.Num
	case crdt.FieldDeleted:
		c.Deleted = v.Kind == automerge.KindTrue
	case crdt.FieldHousehold:
		c.Household, _ = crdt.ParseContactID(v.Str)
	case crdt.FieldMergedInto:
		if c.Into, _ = crdt.ParseContactID(v.Str); c.Into == c.Contact {
			c.Into = crdt.ContactID{}
		}
	case crdt.FieldPhone:
		c.Phone = true
	case crdt.FieldEmail:
		c.Email = true
	}
}

// facts are those that come from no entry.
func (c *Card) facts(home Calendar) ranking.Facts {
	f := ranking.Facts{
		Contact: ranking.ContactID(c.Contact), Household: ranking.ContactID(c.Household), Imported: c.Source == SourceImport,
		Channels: 1 << ranking.InPerson,
	}
	f.Stage, _ = ranking.ParseStage(c.Stage)
	switch c.Consent {
	case crdt.ConsentGiven:
		f.Consent = ranking.ConsentGiven
	case crdt.ConsentOut:
		f.Consent = ranking.OptedOut
	}
	until, _ := ranking.ParseDay(c.Snooze)
	f.Snooze = ranking.DateOf(until)
	if c.Phone {
		f.Channels |= 1<<ranking.Call | 1<<ranking.Text
	}
	if c.Email {
		f.Channels |= 1 << ranking.Email
	}
	if c.Created > 0 {
		f.Created = ranking.DateOf(home.Day(c.Created))
	}
	return f
}

// Person folds a card and the events of all that is one with it. The events are those of Events.
func (c *Card) Person(home Calendar, events []ranking.Event) *Person {
	f := c.facts(home)
	// The stage is what the member says, which the log only dates; but an order or an enrolment makes a customer. Of two
	// devices that gave it different ones one is kept, and it has the day on which the log says that it began.
	stage := f.Stage
	for i := range events {
		ev := &events[i]
		if ev.Kind == ranking.EventOrder || ev.Kind == ranking.EventTouch && ev.Outcome >= ranking.Enrolled {
			stage = max(stage, ranking.Customer)
		}
	}
	f.Fold(nil)
	var began [ranking.Promoter + 1]ranking.Date
	for i := range events {
		f.Apply(events[i])
		began[f.Stage] = f.StageDay
	}
	if f.Stage != stage {
		f.Stage, f.StageDay = stage, began[stage]
	}
	return &Person{Facts: f, Acts: ranking.AppendAttempts(nil, events)}
}

// maxChain bounds how long a chain of merges may be: beyond, a contact stands for itself. No person makes such a chain.
const maxChain = 64

// Merges says what a contact was merged into; zero: nothing, or it is not there.
type Merges func(crdt.ContactID) (crdt.ContactID, error)

// Way follows merges from a contact until they end, come back to where they were, or grow too many.
func (m Merges) Way(c crdt.ContactID) ([]crdt.ContactID, error) {
	if c.IsZero() {
		return nil, nil
	}
	way := []crdt.ContactID{c}
	for len(way) <= maxChain {
		into, err := m(c)
		if err != nil || into.IsZero() {
			return way, err
		}
		c = into
		way = append(way, c)
		if slices.Contains(way[:len(way)-1], c) {
			break
		}
	}
	return way, nil
}

// Root returns the contact that a contact was merged into in the end: itself, when that is nothing. Should devices have merged in
// a circle, the smallest id of it is the end, so that all agree. Whose root is another one is not ranked.
func (m Merges) Root(c crdt.ContactID) (crdt.ContactID, error) {
	way, err := m.Way(c)
	if err != nil || len(way) == 0 {
		return c, err
	}
	root := way[len(way)-1]
	if i := slices.Index(way, root); i < len(way)-1 {
		root = slices.MinFunc(way[i:], CompareContacts)
	} else if len(way) > maxChain {
		root = c
	}
	return root, nil
}

// Group returns the contact and all that were merged into it, directly or not, along chains that are not too long. merged
// returns those that were merged into one directly.
func Group(c crdt.ContactID, merged func(crdt.ContactID) ([]crdt.ContactID, error)) ([]crdt.ContactID, error) {
	all, seen := []crdt.ContactID{c}, map[crdt.ContactID]bool{c: true}
	for depth, from := 0, 0; depth < maxChain && from < len(all); depth++ {
		to := len(all)
		for ; from < to; from++ {
			ms, err := merged(all[from])
			if err != nil {
				return nil, err
			}
			for _, m := range ms {
				if !seen[m] {
					seen[m] = true
					all = append(all, m)
				}
			}
		}
	}
	return all, nil
}

// CompareContacts puts ids into their order.
func CompareContacts(a, b crdt.ContactID) int { return slices.Compare(a[:], b[:]) }
