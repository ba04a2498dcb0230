package ranking

import "strings"

// EndCode names what would take a suggestion off the list.
type EndCode uint8

// Ends; behind each, its arguments.
const (
	NoEnd        EndCode = iota
	EndTouch             // the promoter reached out: days for which this trigger is silent then
	EndOrder             // an order: likewise
	EndForm              // a form submitted
	EndWebinar           // the webinar attended
	EndWatched           // a video watched
	EndCustomer          // became a customer
	EndPromoter          // became a promoter
	EndOptOut            // wants no more contact
	EndDismissed         // "do not suggest this": days for which the trigger is silent then
	EndDay               // nothing happens: days after today until it is offered for the last time, at most
	NumEnds
)

// End is something that would take a suggestion off the list, a code with an integer.
type End struct {
	Code EndCode
	Days int64
}

var endNames = [NumEnds]string{
	"none", "touch", "order", "form", "webinar", "watched", "customer", "promoter", "opt_out", "dismissed", "day",
}

// String returns the stable name, such as "dismissed".
func (c EndCode) String() string { return nameOf(endNames[:], c) }

var endWords = [NumEnds]phrase{
	EndTouch:     {"getting in touch: then {days} of rest", "ponerte en contacto: luego {days} de descanso"},
	EndOrder:     {"an order: then {days} of rest", "un pedido: luego {days} de descanso"},
	EndForm:      {"a form filled in", "un formulario enviado"},
	EndWebinar:   {"attending the webinar", "asistir al webinar"},
	EndWatched:   {"watching the video", "ver el video"},
	EndCustomer:  {"becoming a customer", "hacerse cliente"},
	EndPromoter:  {"becoming a promoter", "hacerse promotor"},
	EndOptOut:    {"asking not to be contacted", "pedir que no se le contacte"},
	EndDismissed: {"“not this person”: then {days} of rest", "«esta persona no»: luego {days} de descanso"},
	EndDay:       {"time passing: {days} more at most", "el paso del tiempo: {days} más como mucho"},
}

// Sentence writes an end out in English or Spanish, without a full stop.
func (e End) Sentence(lang string) string {
	if e.Code >= NumEnds {
		return ""
	}
	if e.Code == EndDay && e.Days == 0 {
		return phrase{"time passing: it is for today only", "el paso del tiempo: es solo para hoy"}[tongue(lang)]
	}
	l := tongue(lang)
	return strings.ReplaceAll(endWords[e.Code][l], "{days}", days(e.Days, l))
}

// endsLooked is how many days ahead Ends looks; what lasts longer is said to last so long.
const endsLooked = 90

// Ends appends what would take a suggestion off the list, found by trying: each event is applied to the contact's facts of
// today, and only what then offers the trigger no more, by any channel, is said. It is for who looks at one suggestion, not
// for ranking: it costs some hundred times as much as weighing the contact once.
func (pb *Playbook) Ends(today Day, f *Facts, sg *Suggestion, out []End) []End {
	offered := func(g *Facts, day Day) bool {
		found := false
		pb.Steps(day, g, func(s *Step) bool { found = s.Trigger == sg.Trigger; return !found })
		return found
	}
	if !offered(f, today) {
		return out
	}
	rest := func(g *Facts) (days int64) {
		for days < endsLooked && !offered(g, today+Day(days)) {
			days++
		}
		return days
	}
	try := func(code EndCode, counted bool, ev Event) {
		g := *f
		ev.Day = today
		g.Apply(ev)
		if days := rest(&g); days > 0 {
			if !counted {
				days = 0
			}
			out = append(out, End{code, days})
		}
	}
	try(EndTouch, true, Event{Kind: EventTouch, Channel: sg.Channel, Prompted: true, Trigger: sg.Trigger, Content: sg.Content})
	try(EndOrder, true, Event{Kind: EventOrder})
	try(EndForm, false, Event{Kind: EventForm})
	try(EndWebinar, false, Event{Kind: EventAttended})
	try(EndWatched, false, Event{Kind: EventWatched})
	for s := f.Stage + 1; s <= Promoter; s++ {
		g := *f
		g.Apply(Event{Kind: EventStage, Day: today, Stage: s})
		g.Stage = s // the caller of Fold keeps it level with the contact's own field
		if !offered(&g, today) {
			out = append(out, End{Code: EndCustomer + EndCode(s-Customer)})
		}
	}
	g := *f
	g.Consent = OptedOut
	if !offered(&g, today) {
		out = append(out, End{Code: EndOptOut})
	}
	try(EndDismissed, true, Event{Kind: EventDismissed, Trigger: sg.Trigger})
	last := int64(0)
	for last < endsLooked && offered(f, today+Day(last)+1) {
		last++
	}
	if last < endsLooked {
		out = append(out, End{EndDay, last})
	}
	return out
}
