package desktop

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"trio/crdt"
	"trio/ranking"
	"trio/replica"
)

// goalWords are the words of the screen of goals, in English and Spanish; what is said about a day, a metric or a badge
// comes from the rules.
var goalWords = map[bool]struct {
	today, yesterday, week, days, streak, none, best, off, weeks, points, badges, next, commit string
	of                                                                                         string
}{
	false: {
		today: "TODAY", yesterday: "YESTERDAY", week: "WEEK", days: "Mo Tu We Th Fr Sa Su", streak: "STREAK  %s in a row, since %s", none: "STREAK  starts with your next goal day",
		best: "; best %d", off: "; days off left this week: %d", weeks: "WEEKS   %s: %s days a week", points: "POINTS  %d, this week %d", badges: "BADGES  ", next: "NEXT    ",
		commit: "no goals yet: trio device goal outreach 3 commits to three new contacts a day", of: "%d of %d",
	},
	true: {
		today: "HOY", yesterday: "AYER", week: "SEMANA", days: "lu ma mi ju vi sá do", streak: "RACHA   %s de seguido, desde el %s", none: "RACHA   empieza con tu próximo día cumplido",
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
	if h.Streak.Days > 0 {
		fmt.Fprintf(&b, words.streak, ranking.GoalDays(h.Streak.Days, lang), h.Streak.Since)
	} else {
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
	return nil
}

func (a *app) commit(ctx context.Context, args []string) error {
	n, err := strconv.ParseInt(args[1], 10, 64)
	if err != nil || n < 0 || n > crdt.MaxGoal {
		return wrong(fmt.Sprintf("want a whole number from 0 to %d, a day; 0 ends the goal", crdt.MaxGoal), "%q is not how much a day can take", args[1])
	}
	if err := a.Commit(ctx, crdt.Dimension(args[0]), n); err != nil {
		return err
	}
	return a.goals(ctx)
}

// done logs what needs nobody: a share, a presentation, minutes of learning.
func (a *app) done(ctx context.Context, args []string) error {
	e := crdt.Entry{Kind: crdt.Kind(args[0])}
	switch {
	case e.Kind == crdt.Learn && len(args) == 2:
		m, s, _ := strings.Cut(args[1], ":")
		minutes, err := strconv.ParseInt(m, 10, 64)
		seconds := int64(0)
		if err == nil && s != "" {
			seconds, err = strconv.ParseInt(s, 10, 64)
		}
		if err != nil || minutes < 0 || minutes >= 24*60 || seconds < 0 || seconds > 59 {
			return wrong("want minutes such as 15, or minutes and seconds such as 4:30", "%q is not a time of learning", args[1])
		}
		e.Value = &crdt.Amount{Minutes: minutes, Seconds: seconds}
	case (e.Kind == crdt.Share || e.Kind == crdt.Present) && len(args) == 1:
	default:
		return wrong("want share, present, or learn MINUTES", "%q is not something to note", strings.Join(args, " "))
	}
	if _, err := a.Log(ctx, e); err != nil {
		return err
	}
	return a.goals(ctx)
}
