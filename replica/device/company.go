package device

import (
	"trio/crdt"
	"trio/ranking/playbook"
)

// brand is the company's face: what it says in its playbook, and the playbook's version. What is not there is ours.
func (c *call) brand() error {
	doc := c.d.R.Playbook()
	b := &doc.Brand
	c.open('{')
	c.number("version", int64(doc.Version))
	c.text("name", b.Name)
	c.text("primary", b.Colors.Primary)
	c.text("accent", b.Colors.Accent)
	c.text("background", b.Colors.Background)
	c.text("text", b.Colors.Text)
	c.text("logo", b.Logo)
	c.close('}')
	return nil
}

// stepDays is for how many days a newcomer's step is offered, its own included: who missed a day finds it on the next.
const stepDays = 2

// newcomer is what the playbook has for the member's first days: on which of them this is (1 is that of the first
// commitment, 0: there was none yet), what it proposes to commit to, and the steps of the day. After the last day it is all
// that is past.
func (c *call) newcomer() error {
	doc := c.d.R.Playbook()
	day := int64(0)
	if first, ok := c.d.R.FirstGoalDay(); ok {
		day = int64(c.d.R.Today()-first) + 1
	}
	on := max(day, 1) // what somebody who is about to begin is shown
	c.open('{')
	c.number("day", day)
	c.number("last", playbook.LastDay)
	var now *playbook.Commitment
	for i := range doc.Newcomer.Commitments {
		if m := &doc.Newcomer.Commitments[i]; int64(m.Day) <= on {
			now = m
		}
	}
	c.name("targets")
	c.open('[')
	if now != nil {
		for _, t := range now.Targets {
			c.open('{')
			c.text("metric", t.Metric)
			c.number("daily", int64(t.Daily))
			c.close('}')
		}
	}
	c.close(']')
	if now != nil {
		c.text("words", now.Words.In(c.Lang))
	}
	newest := int32(0)
	for i := range doc.Newcomer.Steps {
		if d := doc.Newcomer.Steps[i].Day; int64(d) <= on && int64(d) > on-stepDays {
			newest = d
		}
	}
	c.name("steps")
	c.open('[')
	for i := range doc.Newcomer.Steps {
		if s := &doc.Newcomer.Steps[i]; s.Day == newest {
			c.step(doc, s)
		}
	}
	c.close(']')
	c.close('}')
	return nil
}

func (c *call) step(doc *playbook.Doc, s *playbook.Step) {
	c.open('{')
	c.number("day", int64(s.Day))
	c.truth("learn", s.Kind == playbook.LearnStep)
	c.text("title", s.Title.In(c.Lang))
	c.text("words", s.Words.In(c.Lang))
	c.text("metric", s.Metric)
	if p, ok := doc.Piece(s.Piece); ok {
		c.text("piece", p.Name)
		c.text("pieceTitle", p.Title.In(c.Lang))
		c.text("url", p.URL)
		c.number("minutes", int64(p.Minutes))
	}
	c.close('}')
}

// next is the best step with one contact; {} when there is none.
func (c *call) next() error {
	id, err := crdt.ParseContactID(c.ID)
	if err != nil {
		return err
	}
	s, ok, err := c.d.R.NextStep(c.ctx, id, c.Lang)
	if err != nil || !ok {
		return err
	}
	quiet, err := c.d.R.QuietUntil(c.ctx, s.Contact)
	if err != nil {
		return err
	}
	c.open('{')
	if !quiet.IsZero() {
		c.number("quiet", quiet.UnixMilli())
	}
	c.suggests(&s)
	c.close('}')
	return nil
}

// capturedDays is how far back captured looks, today included: an event may last a weekend.
const capturedDays = 4

// captured is whom the member met on the last days, each with the day.
func (c *call) captured() error {
	all, err := c.d.R.Captured(c.ctx, capturedDays)
	if err != nil {
		return err
	}
	c.open('[')
	for i := range all {
		c.open('{')
		c.text("day", all[i].Day.String())
		c.name("contact")
		c.person(&all[i].Contact, true)
		c.close('}')
	}
	c.close(']')
	return nil
}
