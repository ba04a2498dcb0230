// Package device is what screens talk to: named calls with JSON in and JSON out, the same for the browser's worker and for a
// page that a program on a computer serves. It knows a replica and, if there is one, its syncer; it knows no browser.
//
// A command that writes is given with a key, which the screen draws once for what a person did. Given again under that key,
// after the device was replaced under the screen, it is no second write and undoes none: see replica.Once for how long.
package device

import (
	"context"
	"fmt"
	"maps"
	"strings"
	"time"

	"trio/crdt"
	"trio/crdt/leanjson"
	"trio/ranking"
	"trio/replica"
	"trio/replica/importer"
)

// Sync is how the connection stands.
type Sync struct {
	Connected bool
	Level     bool // all that the server had is here, and nothing is unsent
	Since     time.Time
	Trouble   string // why there is no connection; for people
	Final     bool   // the person has to do something
}

// Device answers the calls of screens. Its methods may be called from many goroutines.
type Device struct {
	R *replica.Replica
	// Sync says how the connection stands. Nil: there is none.
	Sync func() Sync
}

// maxArgs bounds the JSON of one call, bytes.
const maxArgs = 256 << 10

// A list of contacts or of a timeline has at most this many lines.
const maxLines = 500

// Call answers a call. args is a JSON object or nothing; key names the command for good, and is needed for those that write.
// What comes back is JSON; an error is a sentence for people.
func (d *Device) Call(ctx context.Context, key, method, args string) (string, error) {
	m, ok := methods[method]
	switch {
	case !ok:
		return "", fmt.Errorf("there is no call %.40q", method)
	case m.writes && (key == "" || len(key) > 80):
		return "", fmt.Errorf("call %s writes: it needs a key of at most 80 characters, drawn once", method)
	case len(args) > maxArgs:
		return "", fmt.Errorf("call %s has %d bytes of arguments: at most %d", method, len(args), maxArgs)
	}
	c := &call{ctx: ctx, d: d, key: key}
	if m.once {
		c.ctx = replica.Once(ctx, method+" "+key)
	}
	if err := c.read(args); err != nil {
		return "", fmt.Errorf("call %s: %w", method, err)
	}
	if err := m.do(c); err != nil {
		return "", err
	}
	if len(c.out) == 0 {
		return "{}", nil
	}
	return string(c.out), nil
}

// call is one call on its way.
type call struct {
	ctx context.Context
	d   *Device
	key string
	args
	writer
}

// args are what calls are given, together: each takes what it needs, and what none knows is refused.
type args struct {
	ID, Contact                               string
	List, Lang, Search                        string
	Offset, Limit                             int64
	Fields                                    replica.Fields
	Entry                                     string // JSON
	Trigger, Channel, Reason, Outcome, Choice string
	Content, P0, P1, Playbook                 int64
	Key, Value, Dimension, Date, Zone, Code   string
	Piece, Text                               string
	Tag                                       string
	Body                                      string // JSON
	Count                                     int64
	Rest                                      bool
}

func (a *args) read(s string) error {
	if strings.TrimSpace(s) == "" {
		return nil
	}
	text := map[string]*string{
		"id": &a.ID, "contact": &a.Contact, "list": &a.List, "lang": &a.Lang, "search": &a.Search, "trigger": &a.Trigger, "channel": &a.Channel,
		"reason": &a.Reason, "outcome": &a.Outcome, "choice": &a.Choice, "key": &a.Key, "value": &a.Value,
		"piece": &a.Piece, "text": &a.Text,
		"dimension": &a.Dimension, "date": &a.Date, "zone": &a.Zone, "code": &a.Code, "tag": &a.Tag,
	}
	number := map[string]*int64{"offset": &a.Offset, "limit": &a.Limit, "content": &a.Content, "p0": &a.P0, "p1": &a.P1, "playbook": &a.Playbook, "count": &a.Count}
	r := leanjson.NewReader(s)
	r.Object(func(key string) {
		switch {
		case text[key] != nil:
			*text[key] = r.String()
		case number[key] != nil:
			*number[key] = r.Int(64)
		case key == "rest":
			a.Rest = r.Bool()
		case key == "fields":
			a.Fields = replica.Fields{}
			r.Object(func(field string) { a.Fields[field] = r.String() })
		case key == "entry":
			a.Entry = r.Raw()
		case key == "body":
			a.Body = r.Raw()
		default:
			r.Fail(fmt.Errorf("%.40q is not an argument of any call", key))
		}
	})
	return r.End()
}

func (a *args) lines() int {
	if a.Limit <= 0 || a.Limit > maxLines {
		return maxLines
	}
	return int(a.Limit)
}

type method struct {
	writes bool
	once   bool // it makes nothing that has its id of the key: the key itself is kept
	do     func(*call) error
}

var methods = map[string]method{
	"status":   {false, false, (*call).status},
	"top":      {false, false, (*call).top},
	"ends":     {false, false, (*call).ends},
	"alerts":   {false, false, (*call).alerts},
	"notices":  {false, false, (*call).notices},
	"contacts": {false, false, (*call).contacts},
	"contact":  {false, false, (*call).contact},
	"timeline": {false, false, (*call).timeline},
	"goals":    {false, false, (*call).goals},
	"people":   {false, false, (*call).people},
	"habit":    {false, false, (*call).habit},
	"member":   {false, false, (*call).member},
	"sync":     {false, false, (*call).sync},
	"profile":  {false, false, (*call).profile},
	"unsent":   {false, false, (*call).unsent},
	"merges":   {false, false, (*call).merges},
	"brand":    {false, false, (*call).brand},
	"newcomer": {false, false, (*call).newcomer},
	"next":     {false, false, (*call).next},
	"captured": {false, false, (*call).captured},
	"pieces":   {false, false, (*call).pieces},
	"link":     {false, false, (*call).link},
	"readLink": {false, false, (*call).readLink},
	"card":     {false, false, (*call).card},
	"readCard": {false, false, (*call).readCard},
	"steps":    {false, false, (*call).steps},
	"boards":   {false, false, (*call).boards},
	"team":     {false, false, (*call).team},

	"add":        {true, false, (*call).add},
	"capture":    {true, false, (*call).capture},
	"celebrate":  {true, false, (*call).celebrate},
	"edit":       {true, true, (*call).edit},
	"log":        {true, false, (*call).log},
	"act":        {true, false, (*call).act},
	"share":      {true, false, (*call).share},
	"decline":    {true, false, (*call).decline},
	"promise":    {true, false, (*call).promise},
	"result":     {true, false, (*call).result},
	"alerted":    {true, false, (*call).alerted},
	"takeBack":   {true, true, (*call).takeBack},
	"commit":     {true, true, (*call).commit},
	"rest":       {true, true, (*call).rest},
	"moveHome":   {true, true, (*call).moveHome},
	"setProfile": {true, true, (*call).setProfile},
	"keepBoards": {true, false, (*call).keepBoards},
}

func (c *call) status() error {
	s, err := c.d.R.Status(c.ctx)
	if err != nil {
		return err
	}
	c.open('{')
	c.text("member", c.d.R.Member().String())
	c.text("device", c.d.R.Device().String())
	c.text("today", s.Today.String())
	c.text("zone", c.d.R.HomeZone())
	c.number("changes", int64(s.Changes))
	c.number("unsent", int64(s.Unsent))
	if !s.Left.IsZero() {
		c.number("left", s.Left.UnixMilli())
	}
	if c.d.Sync != nil {
		st := c.d.Sync()
		c.name("sync")
		c.open('{')
		c.truth("connected", st.Connected)
		c.truth("level", st.Level)
		c.truth("final", st.Final)
		if !st.Since.IsZero() { // before the first connection
			c.number("since", st.Since.UnixMilli())
		}
		c.text("trouble", st.Trouble)
		c.close('}')
	}
	c.close('}')
	return nil
}

func (c *call) top() error {
	list, ok := ranking.ParseList(c.List)
	if !ok {
		return fmt.Errorf("list %.20q: want prospects or members", c.List)
	}
	three, err := c.d.R.TopThree(c.ctx, list, c.Lang)
	if err != nil {
		return err
	}
	c.open('[')
	for i := range three {
		quiet, err := c.d.R.QuietUntil(c.ctx, three[i].Contact)
		if err != nil {
			return err
		}
		c.open('{')
		if !quiet.IsZero() {
			c.number("quiet", quiet.UnixMilli()) // no call and no message before
		}
		c.suggests(&three[i])
		c.close('}')
	}
	c.close(']')
	return nil
}

// suggests writes the fields of a suggestion.
func (c *call) suggests(s *replica.Suggestion) {
	c.text("contact", s.Contact.String())
	c.text("name", s.Name)
	c.text("first", s.First)
	c.text("phone", s.Phone)
	c.text("email", s.Email)
	c.number("playbook", int64(s.Playbook))
	c.text("trigger", s.Trigger.String())
	c.text("channel", s.Channel.String())
	c.number("content", int64(s.Content))
	c.number("p0", s.P0)
	c.number("p1", s.P1)
	c.text("step", s.Step)
	c.text("wording", s.Wording)
	c.text("message", s.Message)
	if s.Deadline != 0 {
		c.text("deadline", s.Deadline.String())
	}
	c.text("expiry", s.Expiry.String())
	c.name("reasons")
	c.open('[')
	for j, sentence := range s.Reasons {
		c.open('{')
		c.text("code", s.Suggestion.Reasons[j].Code.String())
		c.text("text", sentence)
		c.close('}')
	}
	c.close(']')
}

// ends are what would take a suggestion off the list: codes with days, and sentences.
func (c *call) ends() error {
	s, err := c.suggestion()
	if err != nil {
		return err
	}
	c.open('[')
	for _, e := range c.d.R.Ends(s) {
		c.open('{')
		c.text("code", e.Code.String())
		c.number("days", e.Days)
		c.text("text", e.Sentence(c.Lang))
		c.close('}')
	}
	c.close(']')
	return nil
}

// alerts are the notices that are due: suggestions, each with what happened, until when it is news (ms), and its key.
func (c *call) alerts() error {
	all, err := c.d.R.Alerts(c.ctx, c.Lang)
	if err != nil {
		return err
	}
	c.open('[')
	for i := range all {
		c.open('{')
		c.text("key", all[i].Key)
		c.text("notice", all[i].Notice)
		c.number("until", all[i].Until.UnixMilli())
		c.suggests(&all[i].Suggestion)
		c.close('}')
	}
	c.close(']')
	return nil
}

// notices are what notices say while no app is open that could name anybody, by trigger.
func (c *call) notices() error {
	pb := c.d.R.Playbook().Ranking
	c.open('{')
	for t := range ranking.NumTriggers {
		c.text(t.String(), pb.NoticeWords(t, c.Lang, ""))
	}
	c.close('}')
	return nil
}

// alerted says that the notice of a key was shown. One that is not due any more needs no word: no device shows it.
func (c *call) alerted() error {
	all, err := c.d.R.Alerts(c.ctx, c.Lang)
	if err != nil {
		return err
	}
	for _, a := range all {
		if a.Key == c.args.Key {
			return c.d.R.Alerted(c.ctx, a)
		}
	}
	return nil
}

func (c *call) contacts() error {
	all, err := c.d.R.Contacts(c.ctx, c.Search, int(max(c.Offset, 0)), c.lines())
	if err != nil {
		return err
	}
	c.open('[')
	for i := range all {
		c.person(&all[i], false)
	}
	c.close(']')
	return nil
}

func (c *call) contact() error {
	id, err := crdt.ParseContactID(c.ID)
	if err != nil {
		return err
	}
	p, err := c.d.R.Contact(c.ctx, id)
	if err == nil {
		c.person(&p, true)
	}
	return err
}

func (c *call) person(p *replica.Contact, whole bool) {
	labelled := func(name string, all []replica.Labelled) {
		c.name(name)
		c.open('[')
		for _, l := range all {
			c.open('[')
			c.string(l.Value)
			c.string(l.Label)
			c.close(']')
		}
		c.close(']')
	}
	c.open('{')
	c.text("id", p.ID.String())
	c.text("name", p.Name)
	c.text("display", p.Display())
	c.text("stage", p.Stage)
	c.text("company", p.Company)
	labelled("phones", p.Phones)
	labelled("emails", p.Emails)
	c.name("tags")
	c.open('[')
	for _, t := range p.Tags {
		c.string(t)
	}
	c.close(']')
	c.text("snooze", p.Snooze)
	if whole {
		c.text("consent", p.Consent)
		c.text("birthday", p.Birthday)
		c.text("note", p.Note)
		if !p.Created.IsZero() {
			c.number("created", p.Created.UnixMilli())
		}
	}
	c.close('}')
}

func (c *call) timeline() error {
	id, err := crdt.ParseContactID(c.ID)
	if err != nil {
		return err
	}
	all, err := c.d.R.Timeline(c.ctx, id, c.lines())
	if err != nil {
		return err
	}
	c.open('[')
	for i := range all {
		e := &all[i]
		c.open('{')
		c.text("id", e.ID.String())
		c.text("day", e.Day.String())
		c.text("kind", string(e.Kind))
		c.truth("own", replica.MayTakeBack(e.Kind))
		c.number("at", e.Time().UnixMilli())
		c.text("outcome", e.Outcome)
		c.text("channel", e.Channel)
		c.text("content", e.Content)
		c.text("stage", e.Stage)
		c.text("due", e.Due)
		c.text("note", e.Note)
		c.number("evidence", int64(e.Evidence))
		if v := e.Value; v != nil {
			c.number("cents", v.Cents)
			c.text("currency", v.Currency)
			c.number("minutes", v.Minutes)
			c.number("count", v.Count)
		}
		c.close('}')
	}
	c.close(']')
	return nil
}

func (c *call) goals() error {
	goals, err := c.d.R.GoalsToday(c.ctx)
	if err != nil {
		return err
	}
	c.open('[')
	for _, g := range goals {
		c.open('{')
		c.text("dimension", string(g.Dimension))
		c.number("want", g.Want)
		c.number("done", g.Done)
		c.close('}')
	}
	c.close(']')
	return nil
}

func (c *call) profile() error {
	s, err := c.d.R.Profile(c.ctx, c.args.Key)
	c.string(s)
	return err
}

func (c *call) unsent() error {
	all, err := c.d.R.Unsent(c.ctx)
	if err != nil {
		return err
	}
	c.open('[')
	for _, u := range all {
		c.open('{')
		c.text("document", string(u.Doc))
		c.number("at", u.At.UnixMilli())
		c.number("keys", int64(u.Keys))
		c.number("refused", int64(u.Refused))
		c.text("reason", u.Reason)
		c.close('}')
	}
	c.close(']')
	return nil
}

func (c *call) merges() error {
	all, err := c.d.R.Merges(c.ctx, c.lines())
	if err != nil {
		return err
	}
	c.open('[')
	for _, m := range all {
		c.open('{')
		c.number("at", m.At.UnixMilli())
		c.text("what", m.What)
		if !m.Contact.IsZero() {
			c.text("contact", m.Contact.String())
			p, err := c.d.R.Contact(c.ctx, m.Contact)
			if err != nil {
				return err
			}
			c.text("name", p.Display())
		}
		c.text("field", m.Field)
		c.text("kept", m.Kept)
		c.text("other", m.Other)
		c.number("count", m.Count)
		c.close('}')
	}
	c.close(']')
	return nil
}

func (c *call) add() error {
	id, err := c.d.R.AddContactOnce(c.ctx, c.key, c.Fields)
	c.made(id.String())
	return err
}

func (c *call) made(id string) {
	c.open('{')
	c.text("id", id)
	c.close('}')
}

// touched is made of a touch, and says whether it had better be followed by a promise: see replica.Undated.
func (c *call) touched(id crdt.EntryID, contact crdt.ContactID, o ranking.Outcome) {
	c.open('{')
	c.text("id", id.String())
	if c.d.R.Undated(contact, o) {
		c.truth("undated", true)
	}
	c.close('}')
}

func (c *call) edit() error {
	id, err := crdt.ParseContactID(c.ID)
	if err != nil {
		return err
	}
	return c.d.R.EditContact(c.ctx, id, c.Fields)
}

func (c *call) log() error {
	e, err := crdt.ReadEntry(c.Entry)
	if err != nil {
		return err
	}
	id, err := c.d.R.LogOnce(c.ctx, c.key, e)
	if o, ok := ranking.ParseOutcome(e.Outcome); ok && e.Kind.IsTouch() && err == nil {
		c.touched(id, e.Contact, o)
		return nil
	}
	c.made(id.String())
	return err
}

// suggestion is what a screen was shown, as it gives it back.
func (c *call) suggestion() (s replica.Suggestion, err error) {
	if s.Contact, err = crdt.ParseContactID(c.Contact); err != nil {
		return s, err
	}
	s.Suggestion.Contact = ranking.ContactID(s.Contact)
	var ok1, ok2 bool
	s.Trigger, ok1 = ranking.ParseTrigger(c.Trigger)
	s.Channel, ok2 = ranking.ParseChannel(c.Channel)
	if !ok1 || !ok2 || c.Content < 0 || c.Content > 1<<16-1 || c.Playbook < 0 || c.Playbook > 1<<32-1 {
		return s, fmt.Errorf("suggestion %.20q by %.20q with content %d of playbook %d is not one of this app's", c.Trigger, c.Channel, c.Content, c.Playbook)
	}
	s.Content, s.P0, s.P1, s.Playbook = uint16(c.Content), c.P0, c.P1, uint32(c.Playbook)
	if code, ok := ranking.ParseReasonCode(c.Reason); ok {
		s.NReasons, s.Suggestion.Reasons[0].Code = 1, code
	}
	return s, nil
}

func (c *call) act() error {
	s, err := c.suggestion()
	if err != nil {
		return err
	}
	outcome, err := c.outcome()
	if err != nil {
		return err
	}
	id, err := c.d.R.ActOnce(c.ctx, c.key, s, outcome)
	if err == nil {
		c.touched(id, s.Contact, outcome)
	}
	return err
}

func (c *call) outcome() (ranking.Outcome, error) {
	if c.Outcome == "" {
		return ranking.NoOutcome, nil
	}
	o, ok := ranking.ParseOutcome(c.Outcome)
	if !ok {
		return o, fmt.Errorf("outcome %.20q is not one of this app's", c.Outcome)
	}
	return o, nil
}

// promise logs that the member said to get back to a contact on a date.
func (c *call) promise() error {
	contact, err := crdt.ParseContactID(c.Contact)
	if err != nil {
		return err
	}
	due, err := ranking.ParseDay(c.Date)
	if err != nil {
		return err
	}
	id, err := c.d.R.PromiseOnce(c.ctx, c.key, contact, due)
	c.made(id.String())
	return err
}

// result logs what came of the touch in id, known later.
func (c *call) result() error {
	touch, err := crdt.ParseEntryID(c.ID)
	if err != nil {
		return err
	}
	outcome, err := c.outcome()
	if err != nil {
		return err
	}
	id, err := c.d.R.ResultOnce(c.ctx, c.key, touch, outcome)
	c.made(id.String())
	return err
}

// capture keeps what was typed of a person so far. A phone number is kept once it is one, in the form that it is dialled by
// from everywhere; until then it waits in the note, so that nothing that was typed is lost.
func (c *call) capture() error {
	f := maps.Clone(c.Fields)
	if f == nil {
		f = replica.Fields{}
	}
	if typed := strings.TrimSpace(f[typedPhone]); typed != "" {
		if n, ok := importer.NormalizePhone(typed, c.Code); ok {
			f[crdt.FieldPhone+n] = ""
		} else {
			f[crdt.FieldNote] = strings.TrimSpace(typed + "\n" + f[crdt.FieldNote])
			if strings.TrimSpace(f[crdt.FieldName]) == "" {
				f[crdt.FieldName] = typed
			}
		}
	}
	delete(f, typedPhone)
	id, err := c.d.R.Capture(c.ctx, c.key, f)
	c.made(id.String())
	return err
}

// typedPhone is the field of a number as it was typed.
const typedPhone = "phone"

func (c *call) decline() error {
	s, err := c.suggestion()
	if err != nil {
		return err
	}
	return c.d.R.DeclineOnce(c.ctx, c.key, s, crdt.Choice(c.Choice))
}

func (c *call) takeBack() error {
	id, err := crdt.ParseEntryID(c.ID)
	if err != nil {
		return err
	}
	return c.d.R.TakeBack(c.ctx, id)
}

func (c *call) commit() error {
	from, err := c.d.R.CommitFrom(c.ctx, crdt.Dimension(c.Dimension), c.Count)
	c.open('{')
	c.text("from", from.String()) // tomorrow where today is done and would not be
	c.close('}')
	return err
}

func (c *call) rest() error { return c.d.R.SetRest(c.ctx, c.Date, c.Rest) }

func (c *call) moveHome() error { return c.d.R.MoveHome(c.ctx, c.Zone) }

func (c *call) setProfile() error { return c.d.R.SetProfile(c.ctx, c.args.Key, c.Value) }
