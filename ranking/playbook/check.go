package playbook

import (
	"strings"

	"trio/ranking"
)

// checker looks for what is wrong between the fields of a document, each of which is sound by itself.
type checker struct {
	r *reader
}

// wrong notes a problem, unless something was said already that may be why.
func (c *checker) wrong(path, reason, remedy string) {
	for i := range c.r.found {
		if p := c.r.found[i].path; p != "" && related(p, path) {
			return
		}
	}
	c.r.problem(-1, path, reason, remedy)
}

func (c *checker) check(d *Doc) {
	if d.Fitted >= d.Version && d.Version > 0 {
		c.wrong("fitted", "the numbers were fitted to version "+number(int64(d.Fitted))+", which is no earlier one", "leave \"fitted\" to trio: take it out of what people write")
	}
	c.languages(d)
	if r := &d.Ranking.Reorder; r.LapseAt <= r.DueFrom {
		c.wrong("reorder.lapsed_percent", "a customer would count as lapsed at "+number(r.LapseAt)+" percent of the cycle, before a refill is due at "+number(r.DueFrom), "write more than "+number(r.DueFrom))
	}
	for i := range d.Pieces {
		for j := range i {
			if d.Pieces[i].Name == d.Pieces[j].Name {
				c.twice(at("pieces", i)+".name", d.Pieces[i].Name)
			}
		}
	}
	c.sharing(d)
	for t := range ranking.NumTriggers {
		c.rule(d, t)
	}
	c.goals(d.Goals)
	c.newcomer(d)
	c.boards(d)
}

// sharing looks whether each of the names is one of its own.
func (c *checker) sharing(d *Doc) {
	s := d.Sharing
	if s.Share != "" && s.Share == s.Sharer {
		c.twice("sharing.share", s.Share)
	}
	if s.Piece != "" && (s.Piece == s.Sharer || s.Piece == s.Share) {
		c.twice("sharing.piece", s.Piece)
	}
}

// at is the path of an item.
func at(path string, i int) string { return path + "[" + number(int64(i)) + "]" }

func (c *checker) twice(path, name string) {
	c.wrong(path, "\""+name+"\" is there twice", "give each a name of its own")
}

func (c *checker) languages(d *Doc) {
	if len(d.Languages) == 0 {
		return // that was said
	}
	all := d.languages()
	wrong := has(all, "") // one that is no language: texts may be in the one that was meant
	for i, lang := range all {
		path := at("languages", i)
		if i >= len(d.Languages) {
			path = at("drafts", i-len(d.Languages))
		}
		if has(all[:i], lang) {
			c.wrong(path, "\""+lang+"\" is there twice", "name each language once, in \"languages\" or in \"drafts\"")
		}
	}
	w := walker{texts: func(path []byte, t *ranking.Texts, _ *textKind) {
		for _, ph := range *t {
			if !wrong && !has(all, ph.Lang) {
				c.wrong(string(path)+"."+ph.Lang, "the playbook is not in \""+ph.Lang+"\"", "add \""+ph.Lang+"\" to \"languages\", or to \"drafts\" until all is translated")
			}
		}
		for _, lang := range d.Languages {
			if len(*t) > 0 && lang != "" && !speaks(*t, lang) {
				c.wrong(string(path), "the text is missing in \""+lang+"\", a language of the playbook", "add \""+lang+"\": \"…\"; or move \""+lang+"\" from \"languages\" to \"drafts\" until all is translated")
			}
		}
	}}
	document(&w, d)
}

func speaks(t ranking.Texts, lang string) bool {
	for _, ph := range t {
		if ph.Lang == lang {
			return true
		}
	}
	return false
}

func (c *checker) rule(d *Doc, t ranking.TriggerID) {
	r, path := &d.Ranking.Rules[t], "triggers."+t.String()
	for i := range r.Contents {
		o := &r.Contents[i]
		if o.Begins && o.Ends && o.Until < o.From {
			c.wrong(at(path+".contents", i)+".until_days", "the content ends after "+number(o.Until)+" days, before it begins after "+number(o.From), "write at least "+number(o.From)+", or leave it out for no end")
		}
		if _, ok := d.Piece(o.Piece); o.Piece != "" && !ok {
			c.noPiece(d, at(path+".contents", i)+".piece", o.Piece)
		}
	}
	if r.When != nil {
		c.when(r.When, path+".when")
	}
	if r.Notice != nil && r.Automate {
		c.wrong(path+".notice", "nobody would have a step to take: the trigger's mode is \"automate\"", "take the notice out, or set the mode to \"suggest\": a notice without a step is noise")
	}
	if r.Stages == 0 {
		return
	}
	if r.Stages == noStages {
		c.wrong(path, "\"stages\" is missing: whom is the trigger for?", "add \"stages\": [\"prospect\"], [\"customer\"], [\"promoter\"] or several; or set the mode to \"off\"")
		return
	}
	need := func(t ranking.Texts, name, why string) {
		if len(t) == 0 {
			c.wrong(path, "\""+name+"\" is missing: "+why, "add \""+name+"\": { \""+d.main()+"\": \"…\" }")
		}
	}
	need(r.Label, "label", "the words that people know the moment by")
	need(r.Purpose, "purpose", "what follows the verb and the name in a step, such as \"about a refill\"")
	if isOwn(t) {
		need(r.Because, "because", "the reason that the promoter reads")
		if r.When == nil {
			c.wrong(path, "\"when\" is missing: when does the moment come?", "add \"when\" with a cadence or tests; or set the mode to \"off\"")
		}
	}
	if r.Deadline > r.Expiry && r.Expiry > 0 {
		c.wrong(path+".deadline_days", "the chance is mostly gone after "+number(r.Deadline)+" days, but the step is withdrawn after "+number(r.Expiry), "write at most "+number(r.Expiry)+", or raise \"expiry_days\"")
	}
	if w := r.When; w != nil && len(w.Cadence) > 0 && w.Open > 0 && r.Deadline >= w.Open {
		c.wrong(path+".deadline_days", "the chance is mostly gone after "+number(r.Deadline)+" days, but a step is open for "+number(w.Open)+", its first day included", "write at most "+number(w.Open-1)+", or raise \"open_days\"")
	}
	const machines = 1<<ranking.Text | 1<<ranking.Email
	switch {
	case r.Channels == 0:
		c.wrong(path, "\"channels\" is missing: how is the step taken?", "add \"channels\": one or more of "+listed(channelNames))
		return
	case len(r.Contents) == 0:
		c.wrong(path, "\"contents\" is missing: what is written or said?", "add \"contents\" with at least one wording; or set the mode to \"off\"")
		return
	case r.Automate && r.Channels&machines == 0:
		c.wrong(path+".channels", "the mode is \"automate\", but no machine calls or visits people", "add \"text\" or \"email\", or set the mode to \"suggest\"")
	}
	c.contents(r, path)
}

// contents checks that there are words for each channel.
func (c *checker) contents(r *ranking.Rule, path string) {
	covered := uint8(0)
	for i := range r.Contents {
		o, here := &r.Contents[i], at(path+".contents", i)
		ways := o.Channels & r.Channels
		covered |= ways
		const written, spoken = 1<<ranking.Text | 1<<ranking.Email, 1 << ranking.Call
		switch {
		case ways == 0:
			c.wrong(here+".channels", "the content suits none of the trigger's channels", "add one of "+listed(chosen(r.Channels))+", or add a channel to the trigger")
		case ways&written != 0 && len(o.Write) == 0:
			c.wrong(here, "\"write\" is missing: the content may go by "+listed(chosen(ways&written)), "add \"write\", or leave "+listed(chosen(ways&written))+" out of its \"channels\"")
		case ways&spoken != 0 && len(o.Say) == 0:
			c.wrong(here, "\"say\" is missing: the content may go by call", "add \"say\", or leave call out of its \"channels\"")
		case ways&^written != 0 && len(o.Say)+len(o.Meet) == 0:
			c.wrong(here, "\"meet\" is missing: the content may go in person", "add \"meet\" or \"say\", or leave in_person out of its \"channels\"")
		}
	}
	if missing := r.Channels &^ covered; missing != 0 {
		c.wrong(path+".channels", "no content may go by "+listed(chosen(missing)), "add a content for it, or take it out of the trigger's channels")
	}
}

func chosen(channels uint8) (names []string) {
	for i, name := range channelNames {
		if channels>>i&1 == 1 {
			names = append(names, name)
		}
	}
	return names
}

// main is the language that stands in for any other.
func (d *Doc) main() string {
	if len(d.Languages) > 0 {
		return d.Languages[0]
	}
	return "en"
}

func (c *checker) when(w *ranking.When, path string) {
	for i := 1; i < len(w.Cadence); i++ {
		if w.Cadence[i] <= w.Cadence[i-1] {
			c.wrong(at(path+".cadence_days", i), "day "+number(w.Cadence[i])+" does not come after day "+number(w.Cadence[i-1]), "write the days in rising order")
		}
	}
	switch {
	case len(w.Cadence) > 0 && w.Open == 0:
		c.wrong(path, "\"open_days\" is missing: for how many days is a step of the cadence due?", "add \"open_days\": 7")
	case len(w.Cadence) == 0 && w.Open > 0:
		c.wrong(path+".open_days", "there is no cadence whose steps could be open", "add \"cadence_days\", or take this out")
	case len(w.Cadence)+len(w.Tests) == 0:
		c.wrong(path, "the moment would never end: there is neither a cadence nor a test", "add \"cadence_days\" or \"tests\"")
	}
	for i, t := range w.Tests {
		if t.Min > t.Max {
			c.wrong(at(path+".tests", i), "the least, "+number(t.Min)+", is above the most, "+number(t.Max), "write \"min\" no greater than \"max\"")
		}
		if t.Min == 0 && t.Max > maxCount && t.Of >= firstCount {
			c.wrong(at(path+".tests", i), "the test holds for everybody", "add \"min\" or \"max\"")
		}
	}
}

func (c *checker) goals(g *ranking.GoalRules) {
	if len(g.Metrics) == 0 {
		return // that was said
	}
	var names []string
	for i := range g.Metrics {
		m := &g.Metrics[i]
		if has(names, m.Name) {
			c.twice(at("goals.metrics", i)+".name", m.Name)
		}
		names = append(names, m.Name)
		for j, kind := range m.Kinds {
			if has(m.Kinds[:j], kind) {
				c.wrong(at(at("goals.metrics", i)+".kinds", j), "\""+kind+"\" is there twice", "keep one of the two")
			}
		}
	}
	if g.Core > len(g.Metrics) {
		c.wrong("goals.core", "the first "+number(int64(g.Core))+" metrics stand on every screen, but there are "+number(int64(len(g.Metrics))), "write at most "+number(int64(len(g.Metrics))))
	}
	if g.NudgeFrom > g.NudgeUntil {
		c.wrong("goals.nudge_until", "nudges would end before they begin", "write a later time than \"nudge_from\"")
	}
	for i := range g.Badges {
		b, path := &g.Badges[i], at("goals.badges", i)
		for j := range i {
			if g.Badges[j].Name == b.Name {
				c.twice(path+".name", b.Name)
			}
		}
		switch byMetric := b.Measure <= ranking.ByDay; {
		case byMetric && b.Metric == "":
			c.wrong(path, "\"metric\" is missing: what does the badge count?", "add \"metric\": one of "+listed(names))
		case byMetric && !has(names, b.Metric):
			c.noMetric(names, path+".metric", b.Metric)
		case !byMetric && b.Metric != "":
			c.wrong(path+".metric", "a badge for "+measureNames[b.Measure]+" counts no metric", "take it out, or write \"measure\": \"total\"")
		}
		for j := 1; j < len(b.Levels); j++ {
			if b.Levels[j] <= b.Levels[j-1] {
				c.wrong(at(path+".levels", j), number(int64(b.Levels[j]))+" is not above "+number(int64(b.Levels[j-1])), "write the levels in rising order")
			}
		}
	}
	if err := g.Check(); err != nil { // what this file does not know
		c.wrong("goals", strings.TrimPrefix(err.Error(), "goal rules: "), "see trio playbook schema for the fields of goals")
	}
}

// sound says whether nothing is wrong within a path: what is named elsewhere is only looked for in lists that are sound.
func (c *checker) sound(path string) bool {
	for i := range c.r.found {
		if p := c.r.found[i].path; p == "" || strings.HasPrefix(p, path) {
			return false
		}
	}
	return true
}

func (c *checker) noMetric(names []string, path, name string) {
	if !c.sound("goals.metrics") {
		return
	}
	remedy := "write one of " + listed(names)
	if near := nearest(name, names); near != "" {
		remedy = "did you mean \"" + near + "\"?"
	}
	c.wrong(path, "\""+name+"\" is no metric of goals.metrics", remedy)
}

func (c *checker) noPiece(d *Doc, path, name string) {
	if !c.sound("pieces") {
		return
	}
	var names []string
	for i := range d.Pieces {
		names = append(names, d.Pieces[i].Name)
	}
	remedy := "add it to \"pieces\", or take it out here"
	if near := nearest(name, names); near != "" {
		remedy = "did you mean \"" + near + "\"?"
	}
	c.wrong(path, "\""+name+"\" is no piece of \"pieces\"", remedy)
}

func (c *checker) boards(d *Doc) {
	names := []string{ranking.GoalDaysMetric}
	for i := range d.Goals.Metrics {
		names = append(names, d.Goals.Metrics[i].Name)
	}
	for i, name := range d.Boards.Metrics {
		path := at("boards.metrics", i)
		if has(d.Boards.Metrics[:i], name) {
			c.wrong(path, "\""+name+"\" is there twice", "keep one of the two")
		} else if !has(names, name) {
			c.noMetric(names, path, name)
		}
	}
}

func (c *checker) newcomer(d *Doc) {
	var metrics []string
	for i := range d.Goals.Metrics {
		metrics = append(metrics, d.Goals.Metrics[i].Name)
	}
	last := int32(0)
	for i := range d.Newcomer.Commitments {
		m, path := &d.Newcomer.Commitments[i], at("newcomer.commitments", i)
		if m.Day <= last {
			c.wrong(path+".day", "day "+number(int64(m.Day))+" does not come after day "+number(int64(last)), "write the commitments by day, one for each day on which something changes")
		}
		last = m.Day
		for j, t := range m.Targets {
			if !has(metrics, t.Metric) {
				c.noMetric(metrics, at(path+".targets", j)+".metric", t.Metric)
			}
			for _, o := range m.Targets[:j] {
				if o.Metric == t.Metric {
					c.twice(at(path+".targets", j)+".metric", t.Metric)
				}
			}
		}
	}
	last = 0
	for i := range d.Newcomer.Steps {
		s, path := &d.Newcomer.Steps[i], at("newcomer.steps", i)
		if s.Day < last {
			c.wrong(path+".day", "day "+number(int64(s.Day))+" comes before day "+number(int64(last)), "write the steps by day")
		}
		last = s.Day
		if _, ok := d.Piece(s.Piece); s.Piece != "" && !ok {
			c.noPiece(d, path+".piece", s.Piece)
		}
		if s.Metric != "" && !has(metrics, s.Metric) {
			c.noMetric(metrics, path+".metric", s.Metric)
		}
	}
}
