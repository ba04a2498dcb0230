package device

import (
	"errors"
	"fmt"
	"strings"

	"trio/crdt"
	"trio/ranking/playbook"
	"trio/replica/importer"
)

// sharedDays is how far back the pieces say how often they were shared, days.
const sharedDays = 90

// pieceKinds are the kinds of pieces as screens know them.
var pieceKinds = [...]string{
	playbook.Article: "article", playbook.Testimony: "testimony", playbook.Story: "story", playbook.Video: "video",
	playbook.Lesson: "lesson", playbook.Webinar: "webinar", playbook.Page: "page",
}

// pieces are what the member may share, in the playbook's order.
func (c *call) pieces() error {
	shared, err := c.d.R.Shared(c.ctx, c.d.R.Today()-sharedDays)
	if err != nil {
		return err
	}
	d := c.d.R.Playbook()
	c.open('[')
	for i := range d.Pieces {
		p := &d.Pieces[i]
		if !p.Share {
			continue
		}
		c.open('{')
		c.text("name", p.Name)
		c.text("kind", pieceKinds[p.Kind])
		c.text("title", p.Title.In(c.Lang))
		c.text("summary", p.Summary.In(c.Lang))
		c.number("minutes", int64(p.Minutes))
		c.number("shared", int64(shared[p.Name]))
		c.close('}')
	}
	c.close(']')
	return nil
}

// sharable returns a piece that may be shared now.
func (c *call) sharable() (*playbook.Piece, error) {
	p, ok := c.d.R.Playbook().Piece(c.Piece)
	if !ok || !p.Share {
		return nil, fmt.Errorf("%.40q is not offered for sharing any more: choose another piece", c.Piece)
	}
	return p, nil
}

// link is the personal link of the share that is going to be logged under the same key: the code behind /s/ of the server.
func (c *call) link() error {
	p, err := c.sharable()
	if err != nil {
		return err
	}
	if c.key == "" {
		return errors.New("a link needs the key of the share that it is for")
	}
	c.open('{')
	c.text("code", crdt.NewLink(c.d.R.Member(), c.d.R.EntryUnder(c.key), p.Name).Code())
	c.close('}')
	return nil
}

// share logs that a piece was shared, with somebody or for all to see: that the app handed it over is what is known.
func (c *call) share() error {
	p, err := c.sharable()
	if err != nil {
		return err
	}
	e := crdt.Entry{Kind: crdt.Share, Content: p.Name, Evidence: crdt.E1, Playbook: c.d.R.Playbook().Version}
	if c.Contact != "" {
		if e.Contact, err = crdt.ParseContactID(c.Contact); err != nil {
			return err
		}
	}
	id, err := c.d.R.LogOnce(c.ctx, c.key, e)
	c.made(id.String())
	return err
}

// readLink says what a code of a shared link is for.
func (c *call) readLink() error {
	l, err := crdt.ReadLink(c.Text)
	if err != nil {
		return err
	}
	c.open('{')
	c.truth("own", l.Member == c.d.R.Member())
	d := c.d.R.Playbook()
	for i := range d.Pieces {
		if crdt.TagOf(d.Pieces[i].Name) == l.Piece {
			c.text("piece", d.Pieces[i].Name)
			c.text("title", d.Pieces[i].Title.In(c.Lang))
			break
		}
	}
	c.close('}')
	return nil
}

// card is the member's own, as a QR code holds it.
func (c *call) card() error {
	var p importer.Person
	name, err := c.d.R.Profile(c.ctx, crdt.ProfileName)
	if err != nil {
		return err
	}
	phone, err := c.d.R.Profile(c.ctx, crdt.ProfilePhone)
	if err != nil {
		return err
	}
	email, err := c.d.R.Profile(c.ctx, crdt.ProfileEmail)
	if err != nil {
		return err
	}
	p.Name = name
	if phone != "" {
		p.Phones = []importer.Phone{{Number: oneLine(phone), Label: "mobile"}}
	}
	if email != "" {
		p.Emails = []importer.Email{{Address: oneLine(email)}}
	}
	c.open('{')
	c.text("name", name)
	c.text("phone", phone)
	c.text("email", email)
	if name != "" && phone+email != "" {
		c.text("vcard", string(importer.AppendVCard(nil, &p, "")))
	}
	c.close('}')
	return nil
}

// oneLine keeps what somebody typed from being a property of its own.
func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

// readCard reads the card that a QR code holds as fields to be captured. Nothing is written.
func (c *call) readCard() error {
	p, problems, err := importer.ReadCard(c.Text, importer.Options{CallingCode: c.Code})
	if err != nil {
		return err
	}
	c.open('{')
	c.text("name", p.Name)
	c.name("fields")
	c.open('{')
	f := p.FieldsOf()
	for _, key := range sortedKeys(f) {
		c.name(key)
		c.string(f[key])
	}
	c.close('}')
	c.name("problems")
	c.open('[')
	for _, x := range problems[:min(len(problems), 5)] {
		c.string(x.Text)
	}
	c.close(']')
	c.close('}')
	return nil
}

// steps are what is to be done on a day: promises, and who comes back from a pause.
func (c *call) steps() error {
	all, err := c.d.R.Steps(c.ctx, c.lines())
	if err != nil {
		return err
	}
	c.open('[')
	for i := range all {
		s := &all[i]
		c.open('{')
		c.text("contact", s.Contact.ID.String())
		c.text("name", s.Contact.Display())
		c.text("date", s.Date)
		c.truth("promised", s.Promised)
		if len(s.Contact.Phones) > 0 {
			c.text("phone", s.Contact.Phones[0].Value)
		}
		c.close('}')
	}
	c.close(']')
	return nil
}
