package desktop_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"trio/crdt"
)

// TestDevicePromise: who is promised a call for today comes first with that reason; a day of the week is the next one; it is taken back
// like anything else.
func TestDevicePromise(t *testing.T) {
	s := newSite(t)
	s.ok(cmd("join", s.url, s.newDevice(s.member)))
	names := []string{"Ana López", "Ben Okoro", "Carla Ruiz", "Dmitri Novak", "Elif Kaya"}
	for i, name := range names {
		s.ok(append(cmd("add"), name, "+3461234567"+string(rune('0'+i))))
	}
	// Of five who are as new, one who is not among the three.
	first := s.ok(cmd("top"))
	name := names[slices.IndexFunc(names, func(n string) bool { return !strings.Contains(first, n) })]
	who, _, _ := strings.Cut(strings.ToLower(name), " ")
	today := time.Now().UTC()
	s.fails(cmd("log", "promise", who), 2, true, "words that find the contact, and the day")
	s.fails(cmd("log", "promise", who, "someday"), 2, true, `"someday" is not a day on which `+name+` hears from you`, "friday")
	s.fails(cmd("log", "promise", who, today.AddDate(0, 0, -2).Format(time.DateOnly)), 2, true, "is not within a year from today")
	s.fails(cmd("log", "promise", who, today.AddDate(2, 0, 0).Format(time.DateOnly)), 2, true, "is not within a year from today")
	s.fails(cmd("log", "promise", "nobody", "friday"), 1, true, `"nobody" finds nobody`)
	friday := today.AddDate(0, 0, 1)
	for friday.Weekday() != time.Friday {
		friday = friday.AddDate(0, 0, 1)
	}
	s.ok(cmd("log", "promise", who, "friday"), "promise to "+name+" for "+friday.Format(time.DateOnly)+" noted")
	s.ok(cmd("undo"), "taken back: promise, "+name)
	s.ok(cmd("log", "promise", who, "2"), "for "+today.AddDate(0, 0, 2).Format(time.DateOnly))
	if out := s.ok(cmd("top")); out != first {
		t.Errorf("before the day:\n%s", out)
	}
	s.ok(cmd("log", "promise", who, "today"), "noted")
	s.ok(cmd("top"), "PROSPECTS\n1 Call "+strings.Fields(name)[0]+" as you promised  ("+name+")", "why: you promised to get back today")
	s.ok(cmd("undo"), "taken back: promise, "+name)
	if out := s.ok(cmd("top")); strings.Contains(out, "as you promised") {
		t.Errorf("taken back:\n%s", out)
	}
	s.ok(cmd("profile", "language=es"))
	s.ok(cmd("log", "promise", who, "viernes"), "anotado: prometido a "+name+" para el "+friday.Format(time.DateOnly))
}

// TestDeviceAsksWhen: after a talk without a day for the next one the line that notes it is shown, and it works as it stands.
func TestDeviceAsksWhen(t *testing.T) {
	s := newSite(t)
	s.ok(cmd("join", s.url, s.newDevice(s.member)))
	s.ok(cmd("add", "Ana López", "+34612345670"))
	s.ok(cmd("top"))
	line := find(t, `\nwhen next with Ana López\? (log promise ana lópez) DAY notes it\n$`, s.ok(cmd("did", "1", "answered"), "(talked) logged"))
	s.ok(append(cmd(strings.Fields(line)...), "friday"), "promise to Ana López for ")
	if out := s.ok(cmd("log", "call", "ana", "answered")); strings.Contains(out, "when next") {
		t.Errorf("promised: %s", out)
	}
	s.ok(cmd("undo"))
	s.ok(cmd("undo"), "taken back: promise")
	if out := s.ok(cmd("log", "call", "ana", "no-answer")); strings.Contains(out, "when next") {
		t.Errorf("nobody answered: %s", out)
	}
	s.ok(cmd("profile", "language=es"))
	s.ok(cmd("log", "meet", "ana", "answered"), "¿cuándo otra vez con Ana López? log promise ana lópez DÍA lo anota")
}

// TestDeviceResult: what came of a suggestion or of a call is said later; the greatest counts, and it is taken back alone.
func TestDeviceResult(t *testing.T) {
	s := newSite(t)
	s.ok(cmd("join", s.url, s.newDevice(s.member)))
	s.ok(cmd("add", "Ana López", "+34612345670"))
	s.ok(cmd("add", "Ben Okoro", "+34612345671"))
	s.fails(cmd("result", "ana", "replied"), 1, true, "no call, text, email, meeting or question with Ana López is in the log", "log KIND WORDS replied")
	who := find(t, `(?m)^1 .*\((.*)\)$`, s.ok(cmd("top")))
	s.ok(cmd("did", "1"), "logged, as suggested")
	s.fails(cmd("did", "1"), 1, true, "is done already", "result N says what came of it")
	s.fails(cmd("result", "1", "perhaps"), 2, true, `"perhaps" is not an outcome`, "no_answer")
	s.fails(cmd("result", "9", "moved"), 1, true, "9 is none of the 2")
	s.ok(cmd("result", "1", "answered"), "with "+who+" of ", ": talked")
	s.ok(cmd("result", strings.ToLower(who), "moved"), "with "+who+" of ", ": a step forward")
	results := func() (all []string) {
		_, log := s.timeline(who)
		for _, l := range log {
			if l.Kind == crdt.Result {
				all = append(all, l.Outcome)
			}
		}
		return all
	}
	if got := results(); strings.Join(got, " ") != "moved answered" {
		t.Errorf("results %v", got)
	}
	s.ok(cmd("undo"), "taken back: result, "+who)
	if got := results(); strings.Join(got, " ") != "answered" {
		t.Errorf("results %v", got)
	}
	_, log := s.timeline(who)
	if touches, prompted, taken := follows(log); touches != 1 || prompted != 1 || taken != 1 {
		t.Errorf("%d touches, %d as suggested, %d taken", touches, prompted, taken)
	}
}
