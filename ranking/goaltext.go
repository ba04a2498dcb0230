package ranking

import (
	"strconv"
	"strings"
)

// This file holds every word that is said about goals, in English and Spanish. What may be said: what was done, how much
// is left today, what went up, that somebody is back. What may not: what was missed, lost or broken, what somebody else
// did better, what should have been. A test reads all of them for it.

// In the sentences of lines, {0} {1} stand for numbers, {days} and {days1} for the first and second argument as "1 day a
// week", "5 days a week", {row} and {more} for the first and second as "1 goal day", "5 goal days", {weeks} and {weeks2}
// for the first and third as a number of weeks in words, {name} for the member's first name.
var lineTexts = [NumLines]struct{ member, coach phrase }{
	GainLine: {
		phrase{"{days} then, {days1} {weeks2} later, great work", "antes {days}, {weeks2} después {days1}: ¡gran trabajo!"},
		phrase{"{name}: {days} then, {days1} {weeks2} later. Great work, worth a call to say so", "{name}: antes {days}, {weeks2} después {days1}. ¡Gran trabajo! Merece una llamada para decírselo"},
	},
	LongestLine: {
		phrase{"{row} in a row, your longest run so far", "{row} de seguido, tu mejor racha hasta ahora"},
		phrase{"{name}: {row} in a row, the longest run so far", "{name}: {row} de seguido, la mejor racha hasta ahora"},
	},
	SteadyLine: {
		phrase{"{1} or more goal days in each of the last {weeks}: that is a habit", "{1} o más días cumplidos en cada una de las últimas {weeks}: eso es un hábito"},
		phrase{"{name}: {1} or more goal days in each of the last {weeks}", "{name}: {1} o más días cumplidos en cada una de las últimas {weeks}"},
	},
	WeekUpLine: {
		phrase{"{row} last week, {1} more than the week before", "{row} la semana pasada, {1} más que la anterior"},
		phrase{"{name}: {row} last week, {1} more than the week before", "{name}: {row} la semana pasada, {1} más que la anterior"},
	},
	BackLine: {
		phrase{"good to have you back: {row} already", "qué bueno tenerte de vuelta: ya van {row}"},
		phrase{"{name} is back: {row} already", "{name} está de vuelta: ya van {row}"},
	},
	FirstDayLine: {
		phrase{"your first goal day is done, great start", "tu primer día cumplido, ¡gran comienzo!"},
		phrase{"{name}: the first goal day is done, great start", "{name}: primer día cumplido, ¡gran comienzo!"},
	},
}

// Sentence writes the line out for the member; empty for NoLine.
func (l Line) Sentence(lang string) string {
	if l.Code >= NumLines {
		return ""
	}
	return l.write(lineTexts[l.Code].member, lang, "")
}

// ForCoach writes the line out for the member's coach. name is the member's first name.
func (l Line) ForCoach(lang, name string) string {
	if l.Code >= NumLines {
		return ""
	}
	if name = oneLine(name); name == "" {
		name = phrase{"Your team member", "Tu compañero de equipo"}[tongue(lang)]
	}
	return l.write(lineTexts[l.Code].coach, lang, name)
}

func (l Line) write(p phrase, lang, name string) string {
	t := tongue(lang)
	return strings.NewReplacer(
		"{0}", number(l.Args[0]), "{1}", number(l.Args[1]), "{name}", name,
		"{days}", aWeek(l.Args[0], t), "{days1}", aWeek(l.Args[1], t),
		"{row}", goalDays(l.Args[0], t),
		"{weeks}", inWeeks(l.Args[0], t), "{weeks2}", inWeeks(l.Args[2], t),
	).Replace(p[t])
}

func number(n int32) string { return strconv.FormatInt(int64(n), 10) }

func aWeek(n int32, t int) string {
	return plural(n, t, phrase{" day a week", " día por semana"}, phrase{" days a week", " días por semana"})
}

func goalDays(n int32, t int) string {
	return plural(n, t, phrase{" goal day", " día cumplido"}, phrase{" goal days", " días cumplidos"})
}

// GoalDays writes a number of goal days: "1 goal day", "5 goal days".
func GoalDays(n int32, lang string) string { return goalDays(n, tongue(lang)) }

func plural(n int32, t int, one, many phrase) string {
	if n == 1 {
		return number(n) + one[t]
	}
	return number(n) + many[t]
}

var inWords = [13]phrase{
	1: {"one", "una"}, 2: {"two", "dos"}, 3: {"three", "tres"}, 4: {"four", "cuatro"}, 5: {"five", "cinco"}, 6: {"six", "seis"},
	7: {"seven", "siete"}, 8: {"eight", "ocho"}, 9: {"nine", "nueve"}, 10: {"ten", "diez"}, 11: {"eleven", "once"}, 12: {"twelve", "doce"},
}

func inWeeks(n int32, t int) string {
	unit := phrase{" weeks", " semanas"}[t]
	if n == 1 {
		unit = phrase{" week", " semana"}[t]
	}
	if n > 0 && int(n) < len(inWords) {
		return inWords[n][t] + unit
	}
	return number(n) + unit
}

var dayStateTexts = [NumDayStates]phrase{
	NoGoal:  {"free day", "día libre"},
	Ahead:   {"to come", "por venir"},
	Open:    {"under way", "en marcha"},
	Grace:   {"open for a little longer", "abierto un poco más"},
	Met:     {"done", "cumplido"},
	Rest:    {"rest day", "día de descanso"},
	Skipped: {"day off, the streak goes on", "pausa, la racha sigue"},
	Partly:  {"partly done", "hecho en parte"},
	Blank:   {"quiet day", "día tranquilo"},
}

// Words says what a day is.
func (s DayState) Words(lang string) string {
	if s >= NumDayStates {
		return ""
	}
	return dayStateTexts[s][tongue(lang)]
}

// captureTexts say how a metric is known, by its level of evidence (R46).
var captureTexts = [5]phrase{
	{"noted by you", "lo anotas tú"},
	{"counted when you start it from the app", "se cuenta cuando lo haces desde la app"},
	{"timed by the app", "lo mide la app"},
	{"counted when the other person takes part", "se cuenta cuando la otra persona participa"},
	{"from the company's records", "de los registros de la empresa"},
}

// Capture says how what the metric counts is captured, for people.
func (m *Metric) Capture(lang string) string {
	return captureTexts[min(int(m.Captured), len(captureTexts)-1)][tongue(lang)]
}

// Words is the metric's label.
func (m *Metric) Words(lang string) string { return m.Label.In(lang) }

// Words is the badge's label.
func (b *Badge) Words(lang string) string { return b.Label.In(lang) }

// NudgeSentence writes a nudge out: what is left, and until when. It is empty when the rules know the metric no more.
func (r *GoalRules) NudgeSentence(n Nudge, lang string) string {
	m, ok := r.Metric(n.Metric)
	if !ok {
		return ""
	}
	t := tongue(lang)
	hour := string(appendPadded(appendPadded(nil, int64(n.Until/60), 2), int64(n.Until%60), 2))
	return strings.NewReplacer("{n}", number(n.Left), "{what}", r.Metrics[m].Label.In(lang), "{hour}", hour[:2]+":"+hour[2:]).Replace(phrase{
		"{what}: {n} to go today, there is time until {hour}", "{what}: {n} más por hoy, hay tiempo hasta las {hour}",
	}[t])
}
