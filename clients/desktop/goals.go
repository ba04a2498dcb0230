package desktop

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"trio/crdt"
	"trio/ranking"
	"trio/replica"
)

// goalWords are the words of the screen of goals, in English and Spanish; what is said about a day, a metric or a badge
// comes from the rules.
var goalWords = map[bool]struct {
	today, yesterday, week, days, streak, first, none, best, off, weeks, points, badges, next, commit string
	of                                                                                                string
}{
	false: {
		today: "TODAY", yesterday: "YESTERDAY", week: "WEEK", days: "Mo Tu We Th Fr Sa Su", streak: "STREAK  %s in a row, since %s", first: "STREAK  %s, on %s", none: "STREAK  starts with your next goal day",
		best: "; best %d", off: "; days off left this week: %d", weeks: "WEEKS   %s: %s days a week", points: "POINTS  %d, this week %d", badges: "BADGES  ", next: "NEXT    ",
		commit: "no goals yet: trio device goal outreach 3 commits to three new contacts a day", of: "%d of %d",
	},
	true: {
		today: "HOY", yesterday: "AYER", week: "SEMANA", days: "lu ma mi ju vi sá do", streak: "RACHA   %s de seguido, desde el %s", first: "RACHA   %s, el %s", none: "RACHA   empieza con tu próximo día cumplido",
		best: "; la mejor, %d", off: "; días libres esta semana: %d", weeks: "SEMANAS %s: %s días por semana", points: "PUNTOS  %d, esta semana %d", badges: "LOGROS  ", next: "LUEGO   ",
		commit: "todavía sin metas: trio device goal outreach 3 te propone tres contactos nuevos al día", of: "%d de %d",
	},
}

func spanish(lang string) bool {
	return lang == "es" || strings.HasPrefix(lang, "es-") || strings.HasPrefix(lang, "es_")
}

// dots show what became of a day.
var dots = [ranking.NumDayStates]string{
	ranking.NoGoal: " ", ranking.Ahead: "·", ranking.Open: "○", ranking.Grace: "◔", ranking.Met: "●", ranking.Rest: "–", ranking.Skipped: "~", ranking.Partly: "◐", ranking.Blank: "○",
}

// RenderGoals writes how goals stand as text. lang is the member's language; what is not Spanish is English.
func RenderGoals(h replica.Habit, lang string) string {
	words := goalWords[spanish(lang)]
	var b strings.Builder
	rings := func(all []ranking.Ring) {
		for _, x := range all {
			bar, text := "", fmt.Sprint(x.Done)
			if x.Want > 0 {
				bar, text = gauge(x.Done, x.Want), fmt.Sprintf(words.of, x.Done, x.Want)
			}
			fmt.Fprintf(&b, "  %s %s %s\n", pad(h.Rules.Metrics[x.Metric].Words(lang), 24), pad(bar, 10), text)
		}
	}
	if len(h.Yesterday) > 0 {
		fmt.Fprintf(&b, "%s  %s: %s (%02d:%02d)\n", words.yesterday, h.Now.Day-1, ranking.Grace.Words(lang), h.Rules.GraceMinutes/60, h.Rules.GraceMinutes%60)
		rings(h.Yesterday)
	}
	fmt.Fprintf(&b, "%s  %s: %s\n", words.today, h.Now.Day, h.State.Words(lang))
	rings(h.Ring)
	if h.State == ranking.NoGoal {
		fmt.Fprintln(&b, words.commit)
	}
	week := h.Weeks[len(h.Weeks)-1]
	fmt.Fprintf(&b, "%s %s\n        ", pad(words.week, 7), words.days)
	for i, s := range week.Days {
		if i > 0 {
			b.WriteString("  ")
		}
		b.WriteString(dots[s])
	}
	b.WriteString("\n")
	switch {
	case h.Streak.Days == 1:
		fmt.Fprintf(&b, words.first, ranking.GoalDays(1, lang), h.Streak.Since)
	case h.Streak.Days > 1:
		fmt.Fprintf(&b, words.streak, ranking.GoalDays(h.Streak.Days, lang), h.Streak.Since)
	default:
		b.WriteString(words.none)
	}
	if h.Best.Days > h.Streak.Days {
		fmt.Fprintf(&b, words.best, h.Best.Days)
	}
	fmt.Fprintf(&b, words.off+"\n", h.SkipsLeft)
	var full []string
	for _, w := range h.Weeks {
		if w.Full {
			full = append(full, strconv.Itoa(int(w.Met)))
		}
	}
	if h.AverageOf > 0 {
		fmt.Fprintf(&b, words.weeks+"\n", strings.Join(full, " "), fmt.Sprintf("%d.%d", h.Average/10, h.Average%10))
	}
	if h.Points > 0 {
		fmt.Fprintf(&b, words.points+"\n", h.Points, week.Points)
	}
	if names := badges(h, lang); len(names) > 0 {
		fmt.Fprintf(&b, "%s%s\n", words.badges, strings.Join(names, ", "))
	}
	if next := nearest(h, lang, words.of); next != "" {
		fmt.Fprintf(&b, "%s%s\n", words.next, next)
	}
	if s := h.Line.Sentence(lang); s != "" {
		fmt.Fprintf(&b, "“%s”\n", s)
	}
	return b.String()
}

// gauge is a bar of up to ten parts.
func gauge(done, want int32) string {
	n := min(want, 10)
	full := int32(min(int64(done)*int64(n)/int64(want), int64(n)))
	return strings.Repeat("●", int(full)) + strings.Repeat("○", int(n-full))
}

func pad(s string, width int) string {
	return s + strings.Repeat(" ", max(0, width-utf8.RuneCountInString(s)))
}

// badges names the highest level of each badge.
func badges(h replica.Habit, lang string) (names []string) {
	for i := range h.Rules.Badges {
		b := &h.Rules.Badges[i]
		level := 0
		for _, a := range h.Held {
			if a.Badge == b.Name {
				level = max(level, a.Level)
			}
		}
		switch {
		case level == 0:
		case len(b.Levels) == 1 || level > len(b.Levels):
			names = append(names, b.Words(lang))
		default:
			names = append(names, fmt.Sprintf("%s %d", b.Words(lang), b.Levels[level-1]))
		}
	}
	return names
}

// nearest names the badge that is nearest to its next level, when it is more than half way there.
func nearest(h replica.Habit, lang, of string) string {
	var best ranking.Progress
	for _, p := range h.Next {
		if 2*p.Done > p.Want && (best.Want == 0 || int64(p.Done)*int64(best.Want) > int64(best.Done)*int64(p.Want)) {
			best = p
		}
	}
	b, ok := h.Rules.Badge(best.Badge)
	if !ok {
		return ""
	}
	return fmt.Sprintf("%s, "+of, b.Words(lang), best.Done, best.Want)
}

func (a *app) goals(ctx context.Context) error {
	won, err := a.GiveAwards(ctx)
	if err != nil {
		return err
	}
	h, err := a.Habit(ctx)
	if err != nil {
		return err
	}
	for _, x := range won {
		if b, ok := h.Rules.Badge(x.Badge); ok {
			fmt.Fprintf(a.out, "★ %s\n", b.Words(a.lang))
		}
	}
	fmt.Fprint(a.out, RenderGoals(h, a.lang))
	return a.nudge(ctx)
}

// nudge prints the reminder that is due, once a day on all of the member's devices together.
func (a *app) nudge(ctx context.Context) error {
	n, ok, err := a.Nudge(ctx)
	if err != nil || !ok {
		return err
	}
	said := a.Playbook().Goals.NudgeSentence(n, a.lang)
	if said == "" {
		return nil // a playbook that came meanwhile counts something else
	}
	if _, err := fmt.Fprintf(a.out, "→ %s\n", said); err != nil {
		return err // not seen, so not noted
	}
	return a.Nudged(ctx, n)
}

// weekdays are the days of the week in English and Spanish.
var weekdays = [7][2]string{
	{"sunday", "domingo"},
	{"monday", "lunes"},
	{"tuesday", "martes"},
	{"wednesday", "miércoles"},
	{"thursday", "jueves"},
	{"friday", "viernes"},
	{"saturday", "sábado"},
}

// weekday reads the name of a day of the week, at least its first two letters.
func weekday(word string) (time.Weekday, bool) {
	word = strings.ToLower(word)
	plain := strings.NewReplacer("á", "a", "é", "e")
	for d, names := range weekdays {
		for _, name := range names {
			if len(word) >= 2 && strings.HasPrefix(plain.Replace(name), plain.Replace(word)) {
				return time.Weekday(d), true
			}
		}
	}
	return 0, false
}

// dayOf reads a date, today or tomorrow.
func dayOf(word string, today ranking.Day) (ranking.Day, bool) {
	switch strings.ToLower(word) {
	case "today", "hoy":
		return today, true
	case "tomorrow", "mañana", "manana":
		return today + 1, true
	}
	day, err := ranking.ParseDay(word)
	return day, err == nil
}

// rest makes today, a date or days of the week rest days, or ends that.
func (a *app) rest(ctx context.Context, args []string) error {
	today := a.Today()
	how := "want a date such as " + (today + 1).String() + ", today, tomorrow, days of the week such as sa su, or none to end the weekly ones"
	if len(args) == 0 {
		args = []string{"today"}
	}
	if args[0] == "none" && len(args) == 1 {
		if err := a.SetWeeklyRest(ctx); err != nil {
			return err
		}
		a.say("no day of the week is a rest day")
		return nil
	}
	off := args[0] == "off"
	if off && len(args) == 2 {
		args = args[1:]
	}
	if day, ok := dayOf(args[0], today); len(args) == 1 && ok {
		if day < today {
			return wrong(how, "%s is over, and no rest day any more", day)
		}
		if err := a.SetRest(ctx, day.String(), !off); err != nil {
			return err
		}
		if off {
			a.say("%s is a day like others", day.String())
		} else {
			a.say("%s is a rest day", day.String())
		}
		return nil
	}
	var days []time.Weekday
	for _, word := range args {
		for _, w := range strings.FieldsFunc(word, func(r rune) bool { return r == ',' }) {
			d, ok := weekday(w)
			if !ok || off {
				return wrong(how, "%q is neither a date nor days of the week", strings.Join(args, " "))
			}
			if !slices.Contains(days, d) {
				days = append(days, d)
			}
		}
	}
	if len(days) == 0 || len(days) > 6 {
		return wrong(how, "%q: at most 6 days of a week are rest days", strings.Join(args, " "))
	}
	if err := a.SetWeeklyRest(ctx, days...); err != nil {
		return err
	}
	slices.SortFunc(days, func(x, y time.Weekday) int { return int(x+6)%7 - int(y+6)%7 })
	var names []string
	for _, d := range days {
		names = append(names, a.word(d.String()))
	}
	a.say("rest days of each week: %s", strings.Join(names, ", "))
	return nil
}

func (a *app) commit(ctx context.Context, args []string) error {
	n, err := strconv.ParseInt(args[1], 10, 64)
	if err != nil || n < 0 || n > crdt.MaxGoal {
		return wrong(fmt.Sprintf("want a whole number from 0 to %d, a day; 0 ends the goal", crdt.MaxGoal), "%q is not how much a day can take", args[1])
	}
	rules := a.Playbook().Goals
	m, ok := rules.Metric(args[0])
	if !ok {
		var names []string
		for _, m := range rules.Metrics {
			names = append(names, m.Name)
		}
		return wrong("want one of "+strings.Join(names, ", "), "%q is not a goal that the company tracks", args[0])
	}
	from, err := a.CommitFrom(ctx, crdt.Dimension(args[0]), n)
	if err != nil {
		return err
	}
	if from > a.Today() {
		a.say("%s: from tomorrow, today is done", rules.Metrics[m].Words(a.lang))
	}
	return a.goals(ctx)
}

// done logs what a metric counts, by its name. One that needs somebody is a touch of the contact that the words find.
func (a *app) done(ctx context.Context, args []string) error {
	rules := a.Playbook().Goals
	i, ok := rules.Metric(args[0])
	if !ok {
		return wrong("want one of "+strings.Join(a.notable(), ", "), "%q is not something to note", args[0])
	}
	m := &rules.Metrics[i]
	kind := noted(m)
	words := args[1:]
	switch {
	case kind == "" && m.NeedsContact:
		return wrong(a.self+" log KIND NAME logs a call, text, email, meet or ask, and it counts", "%s can be done in several ways", m.Name)
	case kind == "" || m.MinEvidence > uint8(crdt.E0):
		return &userError{msg: fmt.Sprintf("%s is not noted by hand: it is %s", m.Name, m.Capture("en")), hint: "want one of " + strings.Join(a.notable(), ", ")}
	case kind.IsTouch() && len(words) == 0:
		return wrong("such as "+a.self+" done "+m.Name+" ana", "%s needs somebody: words that find the contact", m.Name)
	case kind.IsTouch() && !m.Event:
		return a.log(ctx, append([]string{string(kind)}, words...))
	case kind.IsTouch():
		c, err := a.find(ctx, words)
		if err != nil {
			return err
		}
		// Those who were met on one day were met at one event, unless a screen that knows its name says otherwise.
		if _, err := a.Log(ctx, crdt.Entry{Kind: kind, Contact: c.ID, Event: "event-" + a.Today().String()}); err != nil {
			return err
		}
		a.say("%s with %s logged", a.word(string(kind)), c.Display())
		return a.goals(ctx)
	}
	e := crdt.Entry{Kind: kind}
	switch {
	case m.Unit == ranking.PerMinute && len(words) == 1:
		v, err := timeOf(words[0])
		if err != nil {
			return err
		}
		e.Value = v
	case m.Unit == ranking.PerMinute:
		return wrong("such as "+a.self+" done "+m.Name+" 15, or 4:30", "%s takes minutes", m.Name)
	case m.Unit == ranking.PerPiece && len(words) <= 1:
		n := int64(1)
		if len(words) == 1 {
			var err error
			if n, err = strconv.ParseInt(words[0], 10, 64); err != nil || n < 1 || n > 1000 {
				return wrong("want a whole number from 1 to 1000", "%q is not how many", words[0])
			}
		}
		e.Value = &crdt.Amount{Count: n}
	case len(words) > 0:
		return wrong("once for each: "+a.self+" done "+m.Name, "%s takes no argument", m.Name)
	}
	if _, err := a.Log(ctx, e); err != nil {
		return err
	}
	return a.goals(ctx)
}

// noted is the kind of entry by which a member notes a metric; "" where there is none, or no telling which.
func noted(m *ranking.Metric) crdt.Kind {
	if m.Event && slices.Contains(m.Kinds, string(crdt.Meet)) {
		return crdt.Meet
	}
	if len(m.Kinds) != 1 {
		return ""
	}
	switch k := crdt.Kind(m.Kinds[0]); k {
	case crdt.Share, crdt.Learn, crdt.Present:
		return k
	default:
		if k.IsTouch() {
			return k
		}
		return ""
	}
}

// notable are the names of the metrics that done takes.
func (a *app) notable() (names []string) {
	rules := a.Playbook().Goals
	for i := range rules.Metrics {
		if m := &rules.Metrics[i]; noted(m) != "" && m.MinEvidence == 0 {
			names = append(names, m.Name)
		}
	}
	return names
}

// timeOf reads minutes, or minutes and seconds.
func timeOf(word string) (*crdt.Amount, error) {
	m, s, _ := strings.Cut(word, ":")
	minutes, err := strconv.ParseInt(m, 10, 64)
	seconds := int64(0)
	if err == nil && s != "" {
		seconds, err = strconv.ParseInt(s, 10, 64)
	}
	if err != nil || minutes < 0 || minutes >= 24*60 || seconds < 0 || seconds > 59 {
		return nil, wrong("want minutes such as 15, or minutes and seconds such as 4:30", "%q is not a time", word)
	}
	return &crdt.Amount{Minutes: minutes, Seconds: seconds}, nil
}
