package playbook

import (
	"slices"
	"strings"

	"trio/ranking"
)

// Difference is one thing that two documents say differently.
type Difference struct {
	Path     string // of the field; items that have a name or a day by that: "goals.badges.streak.levels"
	Old, New string // as people read it: a number, a text; "" where it is not there
	Warning  string // what goes wrong with it in the log or for members; "" when nothing does
	Fitted   bool   // a number that trio fits: of log-odds, reordering and learning, and a value that it learnt
}

// Diff returns what the second document says differently, what has a warning first, then in the order of the document.
func Diff(a, b *Doc) []Difference {
	x, y := listOf(a), listOf(b)
	warnings := compare(a, b)
	var all []Difference
	add := func(path, old, now string) {
		if len(all) == 0 || all[len(all)-1].Path != path {
			all = append(all, Difference{Path: path, Old: old, New: now, Fitted: fitted(path) || b.Fitted != 0 && b.Ranking.Margin > 0 && strings.HasSuffix(path, ".value_cents")})
		}
	}
	for _, e := range x.entries {
		if now, ok := y.values[e.path]; !ok {
			top := y.missing(e.path)
			add(top, x.told(top, e), "")
		} else if now != e.value {
			add(e.path, e.value, now)
		}
	}
	for _, e := range y.entries {
		if _, ok := x.values[e.path]; !ok {
			top := x.missing(e.path)
			add(top, "", y.told(top, e))
		}
	}
	place := map[string]int{}
	for i, path := range append(y.order, x.order...) {
		if _, ok := place[path]; !ok {
			place[path] = i
		}
	}
	slices.SortStableFunc(all, func(p, q Difference) int { return place[p.Path] - place[q.Path] })
	for i := range all {
		for j := range warnings {
			if w := &warnings[j]; w.Warning != "" && w.Path == all[i].Path {
				w.Fitted = all[i].Fitted
				if w.Old+w.New == "" {
					w.Old, w.New = all[i].Old, all[i].New
				}
				all[i], w.Warning = *w, ""
			}
		}
	}
	warnings = slices.DeleteFunc(warnings, func(d Difference) bool { return d.Warning == "" })
	all = append(warnings, all...)
	slices.SortStableFunc(all, func(p, q Difference) int {
		switch loud, too := p.Warning != "", q.Warning != ""; {
		case loud && !too:
			return -1
		case too && !loud:
			return 1
		}
		return 0
	})
	return all
}

// fitted says whether a field is one of the numbers that are fitted.
func fitted(path string) bool {
	return strings.Contains(path, ".log_odds") || strings.HasSuffix(path, ".doubt") || strings.HasPrefix(path, "reorder") || strings.HasPrefix(path, "learning") || path == "fitted"
}

type said struct{ path, value string }

// lister writes a document as a list of fields and values.
type lister struct {
	w       writer // of single values
	path    string
	entries []said
	values  map[string]string
	inner   map[string]bool // objects and items that are there
	order   []string
}

func listOf(d *Doc) *lister {
	l := &lister{w: writer{langs: d.languages()}, values: map[string]string{}, inner: map[string]bool{}}
	document(l, d)
	for _, e := range l.entries {
		l.values[e.path] = e.value
		for i := range len(e.path) {
			if e.path[i] == '.' || e.path[i] == '[' {
				if p := e.path[:i]; !l.inner[p] {
					l.inner[p] = true
					l.order = append(l.order, p)
				}
			}
		}
		l.order = append(l.order, e.path)
	}
	return l
}

// missing returns the topmost part of a path that is not there.
func (l *lister) missing(path string) string {
	for i := range len(path) {
		if path[i] == '.' || path[i] == '[' {
			if p := path[:i]; !l.inner[p] {
				if _, ok := l.values[p]; !ok {
					return p
				}
			}
		}
	}
	return path
}

// told is what is said of something that is only in one document: its value, or of an object the first text in it, or else its first values.
func (l *lister) told(top string, e said) string {
	if top == e.path {
		return e.value
	}
	for _, name := range [...]string{".label.", ".title.", ".write.", ".words."} {
		for _, e := range l.entries {
			if strings.HasPrefix(e.path, top+name) {
				return e.value
			}
		}
	}
	var all []string
	for _, e := range l.entries {
		name, ok := strings.CutPrefix(e.path, top+".")
		if !ok {
			continue
		}
		if len(all) == 6 {
			return strings.Join(all, "; ") + "; …"
		}
		all = append(all, name+" "+clip(e.value))
	}
	return strings.Join(all, "; ")
}

func (l *lister) object(body func()) { body() }

func (l *lister) field(name string, lf left, empty bool, value func()) {
	if lf == quiet && empty {
		return
	}
	path := l.path
	if path != "" {
		l.path += "."
	}
	l.path += name
	value()
	l.path = path
}

func (l *lister) list(_, _, n int, _ func(int), item func(int)) {
	path, start := l.path, len(l.entries)
	var line []string
	var keys []string
	for i := range n {
		first := len(l.entries)
		l.path = at(path, i)
		item(i)
		mine := l.entries[first:]
		if len(mine) == 1 && mine[0].path == l.path {
			line = append(line, mine[0].value)
			continue
		}
		// An item that has a name of its own is known by it, wherever it stands.
		if key := keyOf(mine, l.path); key != "" {
			if key = path + "." + key; has(keys, key) {
				key = at(key, i)
			}
			keys = append(keys, key)
			for j := range mine {
				mine[j].path = key + strings.TrimPrefix(mine[j].path, l.path)
			}
		}
	}
	l.path = path
	if len(line) > 0 {
		l.entries = append(l.entries[:start], said{path, strings.Join(line, ", ")})
	}
}

func keyOf(item []said, path string) string {
	for _, name := range [...]string{".name", ".day", ".metric"} {
		for _, e := range item {
			if e.path == path+name {
				if name == ".day" {
					return "day " + e.value
				}
				return e.value
			}
		}
	}
	return ""
}

func (l *lister) say(s string) { l.entries = append(l.entries, said{l.path, s}) }

// raw says a value as it is written.
func (l *lister) raw(write func()) {
	l.w.b = l.w.b[:0]
	write()
	l.say(string(l.w.b))
}

func (l *lister) integer(p *int64, _, _ int64) { l.say(number(*p)) }
func (l *lister) str(p *string, _ *kind)       { l.say(*p) }
func (l *lister) truth(p *bool)                { l.raw(func() { l.w.truth(p) }) }

func (l *lister) choice(p *int64, names []string) {
	if *p >= 0 && *p < int64(len(names)) {
		l.say(names[*p])
	}
}

func (l *lister) choices(p *uint64, names []string) {
	var all []string
	for i, name := range names {
		if *p>>i&1 == 1 {
			all = append(all, name)
		}
	}
	l.say(strings.Join(all, ", "))
}

func (l *lister) clock(p *int64) {
	l.raw(func() { l.w.clock(p) })
	e := &l.entries[len(l.entries)-1]
	e.value = strings.Trim(e.value, "\"")
}

func (l *lister) stairs(p *[]ranking.Bin, lo, hi int64) { l.raw(func() { l.w.stairs(p, lo, hi) }) }

func (l *lister) words(p *ranking.Texts, _ *textKind) {
	path := l.path
	for _, lang := range l.w.langs {
		for _, ph := range *p {
			if ph.Lang == lang {
				l.path = path + "." + lang
				l.say(ph.Text)
			}
		}
	}
	l.path = path
}

// compare returns the warnings of Diff: what the log, links or members know by a name or a place.
func compare(a, b *Doc) (all []Difference) {
	warn := func(path, old, now, warning string) {
		all = append(all, Difference{Path: path, Old: old, New: now, Warning: warning})
	}
	for i, lang := range a.Languages {
		if !has(b.Languages, lang) {
			warn("languages", strings.Join(a.Languages, ", "), strings.Join(b.Languages, ", "), "members who read \""+lang+"\" get \""+b.main()+"\" where it is not written")
		} else if i == 0 && b.Languages[0] != lang {
			warn("languages", strings.Join(a.Languages, ", "), strings.Join(b.Languages, ", "), "members whose language is not there get \""+b.main()+"\" from now on")
		}
	}
	for t := range ranking.NumTriggers {
		compareRule(&a.Ranking.Rules[t], &b.Ranking.Rules[t], t, warn)
	}
	compareGoals(a.Goals, b.Goals, warn)
	for i := range a.Pieces {
		if _, ok := b.Piece(a.Pieces[i].Name); !ok {
			warn("pieces."+a.Pieces[i].Name, a.Pieces[i].Title.In(a.main()), "", "the log and links that were shared know the piece by this name: keep it, or give its successor the name")
		}
	}
	return all
}

// first is the text by which people know a content.
func first(c *ranking.Content) string {
	for _, t := range [...]ranking.Texts{c.Write, c.Say, c.Meet} {
		if len(t) > 0 {
			return t[0].Text
		}
	}
	return ""
}

func compareRule(a, b *ranking.Rule, t ranking.TriggerID, warn func(path, old, now, warning string)) {
	path := "triggers." + t.String()
	for i := range a.Contents {
		here := at(path+".contents", i)
		old := first(&a.Contents[i])
		if i >= len(b.Contents) {
			warn(here, old, "", "the log knows contents by their place: a content that was removed cannot come back as another, and what was sent is forgotten. Keep it, and let it go by no channel that is used")
			continue
		}
		now := first(&b.Contents[i])
		if old == now || old == "" {
			continue
		}
		for j := range b.Contents {
			if j != i && first(&b.Contents[j]) == old {
				warn(here, old, now, "the contents stand in another order: the log knows them by their place, and would take one for the other. Put new ones at the end")
				break
			}
		}
	}
	if isOwn(t) && !blank(a) && !blank(b) && len(a.Label) > 0 && len(b.Label) > 0 && a.Label[0] != b.Label[0] {
		warn(path+".label."+b.Label[0].Lang, a.Label[0].Text, b.Label[0].Text, "the log knows this moment as "+t.String()+": for another moment take another number")
	}
}

func compareGoals(a, b *ranking.GoalRules, warn func(path, old, now, warning string)) {
	for i := range a.Metrics {
		m := &a.Metrics[i]
		path := "goals.metrics." + m.Name
		j, ok := b.Metric(m.Name)
		if !ok {
			warn(path, m.Label.In(""), "", "members committed to this metric, and badges and sums know it by its name and place: keep it")
			continue
		}
		n := &b.Metrics[j]
		if i != j {
			warn(path, "place "+number(int64(i+1)), "place "+number(int64(j+1)), "stored sums know metrics by their place: put new ones at the end")
		}
		const streaks = "past days are counted anew: streaks and goal days of members may change"
		if m.Unit != n.Unit {
			warn(path+".unit", unitNames[m.Unit], unitNames[n.Unit], streaks)
		}
		if m.Which != n.Which {
			warn(path+".which", whichNames[m.Which], whichNames[n.Which], streaks)
		}
		if !slices.Equal(m.Kinds, n.Kinds) {
			warn(path+".kinds", strings.Join(m.Kinds, ", "), strings.Join(n.Kinds, ", "), streaks)
		}
		if m.Event != n.Event {
			warn(path+".event", "", "", streaks)
		}
		if m.MinEvidence != n.MinEvidence {
			warn(path+".least_evidence", number(int64(m.MinEvidence)), number(int64(n.MinEvidence)), streaks)
		}
	}
	const runs = "past days and weeks are looked at anew: streaks of members may grow or end"
	if a.SkipsPerWeek != b.SkipsPerWeek {
		warn("goals.skips_a_week", number(int64(a.SkipsPerWeek)), number(int64(b.SkipsPerWeek)), runs)
	}
	if a.GraceMinutes != b.GraceMinutes {
		warn("goals.grace_minutes", number(int64(a.GraceMinutes)), number(int64(b.GraceMinutes)), runs)
	}
	if a.GoodWeek != b.GoodWeek {
		warn("goals.good_week_days", number(int64(a.GoodWeek)), number(int64(b.GoodWeek)), runs)
	}
	for i := range a.Badges {
		o := &a.Badges[i]
		path := "goals.badges." + o.Name
		n, ok := b.Badge(o.Name)
		switch {
		case !ok:
			warn(path, o.Label.In(""), "", "members have this badge by its name: what was given would have no words any more. Keep it")
		case o.Measure != n.Measure || o.Metric != n.Metric:
			warn(path+".measure", measureNames[o.Measure]+" "+o.Metric, measureNames[n.Measure]+" "+n.Metric, "what was given for one thing would stand for another: give the new badge a new name")
		case len(n.Levels) < len(o.Levels) || !slices.Equal(o.Levels, n.Levels[:len(o.Levels)]):
			warn(path+".levels", levels(o), levels(n), "levels that were given are known by their place: add new ones at the end")
		}
	}
}

func levels(b *ranking.Badge) string {
	var all []string
	for _, n := range b.Levels {
		all = append(all, number(int64(n)))
	}
	return strings.Join(all, ", ")
}
