package device

import (
	"cmp"

	"trio/crdt"
	"trio/ranking"
	"trio/replica"
)

// people is a page of the book: whom a row is about, and what happened last.
func (c *call) people() error {
	page, total, err := c.d.R.People(c.ctx, c.Search, int(max(c.Offset, 0)), c.lines())
	if err != nil {
		return err
	}
	c.open('{')
	c.number("total", int64(total))
	c.name("rows")
	c.open('[')
	for i := range page {
		p := &page[i]
		c.open('{')
		c.text("id", p.ID.String())
		c.text("name", p.Display())
		c.text("stage", p.Stage)
		if p.Last != "" {
			c.text("last", string(p.Last))
			c.number("at", p.At.UnixMilli())
		}
		c.close('}')
	}
	c.close(']')
	c.close('}')
	return nil
}

// member says whose book this is.
func (c *call) member() error {
	st, err := c.d.R.Status(c.ctx)
	if err != nil {
		return err
	}
	c.open('{')
	c.text("member", c.d.R.Member().String())
	c.text("device", c.d.R.Device().String())
	if !st.Left.IsZero() { // there is nothing here any more
		c.number("left", st.Left.UnixMilli())
		c.close('}')
		return nil
	}
	for _, key := range []string{crdt.ProfileName, crdt.ProfileLanguage, crdt.ProfileBoards, crdt.ProfileRemind} {
		s, err := c.d.R.Profile(c.ctx, key)
		if err != nil {
			return err
		}
		c.text(key, s)
	}
	quiet, err := c.d.R.Profile(c.ctx, crdt.ProfileQuiet)
	if err != nil {
		return err
	}
	c.text(crdt.ProfileQuiet, cmp.Or(quiet, crdt.QuietDefault))
	c.text("zone", c.d.R.HomeZone())
	c.close('}')
	return nil
}

// sync says how safe the book is.
func (c *call) sync() error {
	s, err := c.d.R.Status(c.ctx)
	if err != nil {
		return err
	}
	state, trouble := "off", ""
	if c.d.Sync != nil {
		st := c.d.Sync()
		switch {
		case st.Final:
			state = "ended"
		case st.Level && s.Unsent == 0:
			state = "level"
		case st.Connected:
			state = "connected"
		default:
			state = "connecting"
		}
		trouble = st.Trouble
	}
	if !s.Left.IsZero() {
		state = "left"
	}
	c.open('{')
	c.text("state", state)
	c.number("unsent", int64(s.Unsent))
	c.number("changes", int64(s.Changes))
	c.text("trouble", trouble)
	if s.Playbook.Newer > 0 {
		c.number("newer", int64(s.Playbook.Newer)) // a playbook that this build cannot read
	}
	c.close('}')
	return nil
}

// habit is all that the screen of goals shows.
func (c *call) habit() error {
	h, err := c.d.R.Habit(c.ctx)
	if err != nil {
		return err
	}
	c.open('{')
	c.text("date", h.Now.Day.String())
	c.text("state", h.State.String())
	c.name("rings")
	c.open('[')
	for _, x := range h.Ring {
		m := &h.Rules.Metrics[x.Metric]
		c.open('{')
		c.text("metric", m.Name)
		c.text("label", m.Words(c.Lang))
		c.number("want", int64(x.Want))
		c.number("done", int64(x.Done))
		c.number("left", int64(x.Left))
		c.close('}')
	}
	c.close(']')
	c.number("streak", int64(h.Streak.Days))
	c.number("best", int64(h.Best.Days))
	c.name("week")
	c.open('[')
	week := h.Weeks[len(h.Weeks)-1]
	for i, s := range week.Days {
		c.open('{')
		c.text("date", (week.Monday + ranking.Day(i)).String())
		c.text("state", s.String())
		c.close('}')
	}
	c.close(']')
	c.number("average", int64(h.Average))
	c.number("averageOf", int64(h.AverageOf))
	c.number("skipsLeft", int64(h.SkipsLeft))
	c.number("points", h.Points)
	c.text("line", h.Line.Sentence(c.Lang))
	c.name("badges")
	c.open('[')
	for i := range h.Rules.Badges {
		c.badge(&h, &h.Rules.Badges[i])
	}
	c.close(']')
	c.close('}')
	return nil
}

func (c *call) badge(h *replica.Habit, b *ranking.Badge) {
	level := 0
	for _, a := range h.Held {
		if a.Badge == b.Name {
			level = max(level, a.Level)
		}
	}
	c.open('{')
	c.text("name", b.Name)
	c.text("label", b.Words(c.Lang))
	c.number("level", int64(level))
	c.number("of", int64(len(b.Levels)))
	for _, p := range h.Next {
		if p.Badge == b.Name {
			c.number("done", int64(p.Done))
			c.number("want", int64(p.Want))
		}
	}
	c.close('}')
}

// celebrate gives the badges that the log proves and returns them, to be shown once.
func (c *call) celebrate() error {
	won, err := c.d.R.GiveAwards(c.ctx)
	if err != nil {
		return err
	}
	rules := c.d.R.Playbook().Goals
	c.open('[')
	for _, a := range won {
		c.open('{')
		c.text("badge", a.Badge)
		if b, ok := rules.Badge(a.Badge); ok {
			c.text("label", b.Words(c.Lang))
		}
		c.number("level", int64(a.Level))
		c.close('}')
	}
	c.close(']')
	return nil
}
