package desktop

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"trio/crdt"
	"trio/ranking"
	"trio/replica"
)

// lastTop is what top printed the last time, so that a number means the same until top is asked again, whatever was done or
// came meanwhile. It holds no name: what a device that emptied itself leaves behind says nothing of anybody.
type lastTop struct {
	Day   ranking.Day `json:"day"`
	Steps []step      `json:"steps"` // by their numbers, the first is 1
}

// step is a suggestion by what a log entry needs of it.
type step struct {
	Contact  crdt.ContactID `json:"contact"`
	Trigger  string         `json:"trigger"`
	Channel  string         `json:"channel"`
	Content  uint16         `json:"content"`
	P0       int64          `json:"p0"`
	P1       int64          `json:"p1"`
	Reason   string         `json:"reason"`
	Playbook uint32         `json:"playbook"`
	Done     bool           `json:"done"` // or declined
}

func stepOf(s *replica.Suggestion) step {
	st := step{
		Contact: s.Contact, Trigger: s.Trigger.String(), Channel: s.Channel.String(), Content: s.Content, P0: s.P0, P1: s.P1,
		Playbook: s.Playbook,
	}
	if s.NReasons > 0 {
		st.Reason = s.Suggestion.Reasons[0].Code.String()
	}
	return st
}

// suggestion is what a step was made of; false when another build wrote what this one does not know.
func (st *step) suggestion() (s replica.Suggestion, ok bool) {
	var known bool
	s.Contact, s.Suggestion.Contact = st.Contact, ranking.ContactID(st.Contact)
	s.Trigger, ok = ranking.ParseTrigger(st.Trigger)
	s.Channel, known = ranking.ParseChannel(st.Channel)
	s.Content, s.P0, s.P1, s.Playbook = st.Content, st.P0, st.P1, st.Playbook
	if code, ok := ranking.ParseReasonCode(st.Reason); ok {
		s.NReasons, s.Suggestion.Reasons[0].Code = 1, code
	}
	return s, ok && known
}

func (a *app) shownFile() string { return filepath.Join(a.dir, "top.json") }

// shown reads what top printed today; nothing when it was not asked yet, or what it left cannot be read: asking again mends
// that.
func (a *app) shown() (sh lastTop) {
	b, err := os.ReadFile(a.shownFile())
	if err != nil || json.Unmarshal(b, &sh) != nil || sh.Day != a.Today() {
		return lastTop{Day: a.Today()}
	}
	return sh
}

func (a *app) keepShown(sh lastTop) error {
	b, err := json.Marshal(sh)
	if err == nil {
		err = replace(a.shownFile(), b)
	}
	return err
}

func (a *app) top(ctx context.Context) error {
	text, top, err := RenderTop(ctx, a.Replica, a.lang)
	if err != nil {
		return err
	}
	sh := lastTop{Day: a.Today()}
	for i := range top {
		for j := range top[i] {
			sh.Steps = append(sh.Steps, stepOf(&top[i][j]))
		}
	}
	fmt.Fprint(a.out, text) // to be read, even where there is no room to know the numbers again
	if err := a.keepShown(sh); err != nil {
		return &userError{msg: fmt.Sprintf("the numbers of these cannot be used: %v", err), hint: "free some space, then ask again: " + a.self + " top", err: err}
	}
	if len(sh.Steps) > 0 {
		a.say("what you do: did N [OUTCOME], later N, not N")
	}
	return a.nudge(ctx)
}

// numbered finds the suggestion of a number that top printed, and whose it is.
func (a *app) numbered(ctx context.Context, n string) (sh lastTop, i int, s replica.Suggestion, c replica.Contact, err error) {
	again := a.self + " top shows them with their numbers"
	i, err = strconv.Atoi(n)
	if err != nil {
		return sh, 0, s, c, wrong(again, "%q is not the number of a suggestion", n)
	}
	i--
	sh = a.shown()
	if len(sh.Steps) == 0 {
		return sh, 0, s, c, &userError{msg: "no suggestions were shown here today", hint: again}
	}
	if i < 0 || i >= len(sh.Steps) {
		return sh, 0, s, c, &userError{msg: fmt.Sprintf("%s is none of the %d suggestions that were shown", n, len(sh.Steps)), hint: again}
	}
	s, ok := sh.Steps[i].suggestion()
	if !ok {
		return sh, 0, s, c, &userError{msg: fmt.Sprintf("suggestion %s was shown by another version of trio", n), hint: again}
	}
	if c, err = a.Contact(ctx, s.Contact); err == nil && sh.Steps[i].Done {
		err = &doneAlready{userError{
			msg: fmt.Sprintf("suggestion %s, %s, is done already", n, c.Display()), hint: a.self + " top shows what is next, result N says what came of it, undo takes the last one back",
		}}
	}
	return sh, i, s, c, err
}

// doneAlready refuses to do a suggestion twice.
type doneAlready struct{ userError }

// Unwrap has it told as any error of a person.
func (e *doneAlready) Unwrap() error { return &e.userError }

// did logs that a suggestion was followed.
func (a *app) did(ctx context.Context, args []string) error {
	outcome := ranking.NoOutcome
	if len(args) == 2 {
		var ok bool
		if outcome, ok = outcomeOf(args[1]); !ok {
			return wrong("want "+outcomes, "%q is not an outcome", args[1])
		}
	}
	sh, i, s, c, err := a.numbered(ctx, args[0])
	if err != nil {
		return err
	}
	return a.acted(ctx, sh, i, s, c, outcome)
}

// acted logs the touch that follows a suggestion, and marks it in what was shown, if it stands there.
func (a *app) acted(ctx context.Context, sh lastTop, i int, s replica.Suggestion, c replica.Contact, outcome ranking.Outcome) error {
	if _, err := a.Acted(ctx, s, outcome); err != nil {
		return err
	}
	if i >= 0 {
		sh.Steps[i].Done = true
		if err := a.keepShown(sh); err != nil {
			return err
		}
	}
	a.say("%s with %s logged, as suggested", a.word(string(s.TouchKind())), c.Display()+parens(a.outcome(outcome)))
	a.askWhen(c, outcome)
	return nil
}

// askWhen says how to note the day of the next talk, where this one had better end with one.
func (a *app) askWhen(c replica.Contact, outcome ranking.Outcome) {
	if a.Undated(c.ID, outcome) {
		a.say("when next with %s? log promise %s DAY notes it", c.Display(), strings.ToLower(c.Display()))
	}
}

func parens(s string) string {
	if s == "" {
		return ""
	}
	return " (" + s + ")"
}

// decline logs that a suggestion is not wanted today, or not at all.
func (a *app) decline(ctx context.Context, n string, choice crdt.Choice) error {
	sh, i, s, c, err := a.numbered(ctx, n)
	if err != nil {
		return err
	}
	if err := a.Decline(ctx, s, choice); err != nil {
		return err
	}
	sh.Steps[i].Done = true
	if err := a.keepShown(sh); err != nil {
		return err
	}
	what := a.Playbook().Ranking.Step(s.Trigger, s.Channel, a.lang, ranking.FirstName(c.Name))
	if choice == crdt.Dismissed {
		a.say("not this: %s (%s)", what, c.Display())
	} else {
		a.say("not today: %s (%s)", what, c.Display())
	}
	return nil
}

// outcomes are those of ranking.ParseOutcome, for people.
const outcomes = "no_answer, not_ready, answered, replied, moved or enrolled"

// outcomeOf reads an outcome; "no-answer" is one too.
func outcomeOf(word string) (ranking.Outcome, bool) {
	o, ok := ranking.ParseOutcome(strings.ReplaceAll(strings.ToLower(word), "-", "_"))
	return o, ok && o != ranking.NoOutcome
}

// log writes a touch of the one contact that the words find. One that today's suggestions ask for by that way counts as
// acting on it, so that who never says did teaches what works too.
func (a *app) log(ctx context.Context, args []string) error {
	kind := crdt.Kind(args[0])
	if kind == crdt.Promise {
		return a.promise(ctx, args[1:])
	}
	if !kind.IsTouch() {
		return wrong("want call, text, email, meet, ask or promise", "%q is not a way to be in touch", args[0])
	}
	words, outcome := args[1:], ranking.NoOutcome
	if last := len(words) - 1; last > 0 {
		if o, ok := outcomeOf(words[last]); ok {
			words, outcome = words[:last], o
		}
	}
	c, err := a.find(ctx, words)
	if err != nil {
		return err
	}
	sh := a.shown()
	i, s, err := a.asked(ctx, sh, c.ID, kind)
	if err != nil {
		return err
	}
	if s != nil {
		return a.acted(ctx, sh, i, *s, c, outcome)
	}
	e := crdt.Entry{Kind: kind, Contact: c.ID}
	if outcome != ranking.NoOutcome {
		e.Outcome = outcome.String()
	}
	if _, err := a.Log(ctx, e); err != nil {
		return err
	}
	a.say("%s with %s logged", a.word(args[0]), c.Display()+parens(a.outcome(outcome)))
	a.askWhen(c, outcome)
	return nil
}

// promise logs that the member said to get back to somebody on a day: a date, today, tomorrow, the next day of the week of that
// name, or a number of days.
func (a *app) promise(ctx context.Context, args []string) error {
	today := a.Today()
	how := "want a date such as " + (today + 3).String() + ", a day of the week such as friday, or days such as 3"
	if len(args) < 2 {
		return wrong(how, "log promise takes words that find the contact, and the day")
	}
	c, last, err := a.about(ctx, args)
	if err != nil {
		return err
	}
	due, dated := dayOf(last, today)
	days, numeric := strconv.Atoi(last)
	weekday, named := weekday(last)
	switch {
	case dated:
	case numeric == nil && 0 <= days && days <= mostSnoozed:
		due = today + ranking.Day(days)
	case named: // the next one; 1970-01-01 was a Thursday
		due = today + 1
		for (int(due)+int(time.Thursday))%7 != int(weekday) {
			due++
		}
	default:
		return wrong(how, "%q is not a day on which %s hears from you", last, c.Display())
	}
	if due < today || due > today+365 {
		return wrong(how, "%s is not within a year from today", due)
	}
	if _, err := a.Promise(ctx, c.ID, due); err != nil {
		return err
	}
	a.say("promise to %s for %s noted", c.Display(), due.String())
	return nil
}

// result logs what came later of the last touch with somebody: of a suggestion by its number, or of the contact that the words find.
func (a *app) result(ctx context.Context, args []string) error {
	outcome, ok := outcomeOf(args[len(args)-1])
	if !ok {
		return wrong("want "+outcomes, "%q is not an outcome", args[len(args)-1])
	}
	args = args[:len(args)-1]
	var c replica.Contact
	trigger := ""
	if _, err := strconv.Atoi(args[0]); err == nil && len(args) == 1 {
		_, _, s, of, err := a.numbered(ctx, args[0])
		if _, done := errors.AsType[*doneAlready](err); err != nil && !done {
			return err
		}
		c, trigger = of, s.Trigger.String()
	} else if c, err = a.find(ctx, args); err != nil {
		return err
	}
	log, err := a.Timeline(ctx, c.ID, mostLooked)
	if err != nil {
		return err
	}
	was, ok := lastTouch(log, trigger)
	if !ok {
		return &userError{msg: "no call, text, email, meeting or question with " + c.Display() + " is in the log", hint: a.self + " log KIND WORDS " + outcome.String() + " logs it with its outcome"}
	}
	if _, err := a.Result(ctx, was.ID, outcome); err != nil {
		return err
	}
	a.say("%s with %s of %s: %s", a.word(string(was.Kind)), c.Display(), was.Time().Local().Format(time.DateOnly), a.outcome(outcome))
	return nil
}

// mostLooked is how many entries of a contact are looked at for the last touch.
const mostLooked = 200

// lastTouch finds the newest touch, of a trigger if one is named.
func lastTouch(log []replica.Logged, trigger string) (l replica.Logged, ok bool) {
	i := slices.IndexFunc(log, func(l replica.Logged) bool { return l.Kind.IsTouch() && (trigger == "" || l.Trigger == trigger) })
	if i < 0 {
		return l, false
	}
	return log[i], true
}

// asked finds the suggestion that a touch follows: one that top showed today, which number i-1 stands for, or else one of
// today's three as they are now, which the member's other devices show; i is negative then. Nil: it follows none.
func (a *app) asked(ctx context.Context, sh lastTop, id crdt.ContactID, kind crdt.Kind) (i int, s *replica.Suggestion, err error) {
	for i := range sh.Steps {
		s, ok := sh.Steps[i].suggestion()
		if ok && !sh.Steps[i].Done && s.Contact == id && s.TouchKind() == kind {
			return i, &s, nil
		}
	}
	for _, l := range []ranking.List{ranking.Prospects, ranking.Members} {
		top, err := a.TopThree(ctx, l, a.lang)
		if err != nil {
			return 0, nil, err
		}
		for i := range top {
			if top[i].Contact == id && top[i].TouchKind() == kind {
				return -1, &top[i], nil
			}
		}
	}
	return -1, nil, nil
}

// find returns the one contact that words find.
func (a *app) find(ctx context.Context, args []string) (c replica.Contact, err error) {
	words := strings.Join(args, " ")
	cs, err := a.Contacts(ctx, words, 0, everybody)
	if err != nil {
		return c, err
	}
	cs = closest(cs, args)
	if len(cs) == 0 {
		return c, &userError{msg: fmt.Sprintf("%q finds nobody", words), hint: a.self + " list shows who is in the book"}
	}
	if len(cs) > 1 {
		var found []string
		for i, c := range cs {
			if i == 5 {
				found = append(found, fmt.Sprintf("and %d more", len(cs)-i))
				break
			}
			name := c.Name
			if w := ways(c); len(w) > 0 {
				name += " (" + w[0] + ")"
			}
			found = append(found, name)
		}
		return c, &userError{
			msg:  fmt.Sprintf("%q finds several contacts: %s", words, strings.Join(found, ", ")),
			hint: "add a word that only one of them has: of the name, number, address or a tag",
		}
	}
	return cs[0], nil
}

// closest are those whom the words name: Ana by the whole of her name, although there is an Ana Ruiz; else Ana Ruiz by a whole word
// of it, although there is a Hana. Where that leaves no one contact, it is all of them.
func closest(cs []replica.Contact, words []string) []replica.Contact {
	name := strings.Join(words, " ")
	for _, fits := range []func(c *replica.Contact) bool{
		func(c *replica.Contact) bool { return strings.EqualFold(c.Name, name) },
		func(c *replica.Contact) bool {
			parts := strings.Fields(c.Name)
			for _, w := range strings.Fields(name) {
				if !slices.ContainsFunc(parts, func(part string) bool { return strings.EqualFold(part, w) }) {
					return false
				}
			}
			return true
		},
	} {
		if i := slices.IndexFunc(cs, func(c replica.Contact) bool { return fits(&c) }); i >= 0 &&
			!slices.ContainsFunc(cs[i+1:], func(c replica.Contact) bool { return fits(&c) }) {
			return cs[i : i+1]
		}
	}
	return cs
}

// about splits arguments into the contact that all but the last find, and the last.
func (a *app) about(ctx context.Context, args []string) (c replica.Contact, last string, err error) {
	n := len(args) - 1
	c, err = a.find(ctx, args[:n])
	return c, args[n], err
}

// mostSnoozed bounds a snooze in days: ten years.
const mostSnoozed = 3660

func (a *app) snooze(ctx context.Context, args []string) error {
	c, last, err := a.about(ctx, args)
	if err != nil {
		return err
	}
	today := a.Today()
	until, err := ranking.ParseDay(last)
	if days, e := strconv.Atoi(last); e == nil && days >= 0 && days <= mostSnoozed {
		until, err = today+ranking.Day(days), nil
	}
	switch {
	case err != nil || until > today+mostSnoozed:
		return wrong("want a date such as "+(today+7).String()+", or days such as 7; 0 ends it", "%q is not how long %s can wait", last, c.Display())
	case until < today:
		return wrong("want a date after "+today.String()+", or 0 to end it", "%s is over", last)
	case until == today:
		if err := a.Snooze(ctx, c.ID, ""); err != nil {
			return err
		}
		a.say("%s may be suggested again", c.Display())
		return nil
	}
	if err := a.Snooze(ctx, c.ID, until.String()); err != nil {
		return err
	}
	a.say("%s is not suggested before %s", c.Display(), until.String())
	return nil
}

func (a *app) stage(ctx context.Context, args []string) error {
	c, stage, err := a.about(ctx, args)
	if err != nil {
		return err
	}
	if !slices.Contains(crdt.Stages, stage) {
		return wrong("want prospect, customer or promoter", "%q is not a stage", stage)
	}
	if stage != c.Stage {
		if _, err := a.Log(ctx, crdt.Entry{Kind: crdt.StageChanged, Contact: c.ID, Stage: stage}); err != nil {
			return err
		}
		if c, err = a.Contact(ctx, c.ID); err != nil {
			return err
		}
	}
	if c.Stage != stage {
		a.say("%s stays a %s: the log has an order or an enrolment", c.Display(), a.word(c.Stage))
		return nil
	}
	a.say("%s is now a %s", c.Display(), a.word(stage))
	return nil
}

func (a *app) consent(ctx context.Context, args []string) error {
	c, word, err := a.about(ctx, args)
	if err != nil {
		return err
	}
	consent, line := "", "whether %s may be contacted is not known"
	switch strings.ReplaceAll(word, "_", "-") {
	case crdt.ConsentGiven:
		consent, line = crdt.ConsentGiven, "%s may be contacted"
	case crdt.ConsentOut:
		consent, line = crdt.ConsentOut, "%s is not suggested any more"
	case "unknown":
	default:
		return wrong("want given, opted_out or unknown", "%q is not a consent", word)
	}
	if err := a.EditContact(ctx, c.ID, replica.Fields{crdt.FieldConsent: consent}); err != nil {
		return err
	}
	a.say(line, c.Display())
	return nil
}

// undo takes back the last entry that was logged here.
func (a *app) undo(ctx context.Context) error {
	l, ok, err := a.LastOwn(ctx)
	if err != nil {
		return err
	}
	if !ok {
		return &userError{msg: "nothing was logged here within a day that could be taken back", hint: "what another device logged is taken back there"}
	}
	if err := a.TakeBack(ctx, l.ID); err != nil {
		return err
	}
	what := a.word(string(l.Kind))
	if l.Choice != "" {
		what = a.word(string(l.Choice))
	}
	if !l.Contact.IsZero() {
		c, err := a.Contact(ctx, l.Contact)
		if err != nil && !errors.Is(err, replica.ErrLeft) {
			return err
		}
		what += ", " + c.Display()
	}
	sh := a.shown()
	for i := range sh.Steps {
		if l.Trigger != "" && sh.Steps[i].Contact == l.Contact && sh.Steps[i].Trigger == l.Trigger {
			sh.Steps[i].Done = false
			if err := a.keepShown(sh); err != nil {
				return err
			}
		}
	}
	a.say("taken back: %s, of %s", what, l.Time().Local().Format(time.DateTime))
	return nil
}
