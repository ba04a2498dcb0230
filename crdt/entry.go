package crdt

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"trio/crdt/leanjson"
)

// EntryVersion is the newest schema of log entries that this build writes and fully understands.
//
//	1  first
//
// An entry of a newer version is stored and relayed as it is; only the fields known here are projected.
const EntryVersion = 1

// Limits of one entry. An entry is one register, so it bounds what one tap can cost every device.
const (
	MaxEntryBytes = 8 << 10
	MaxNoteBytes  = 4 << 10
	maxWordBytes  = 120
	// MinTime and MaxTime bound the claimed time (1990 to 2199, ms since 1970), so that a nonsense clock does not make
	// documents of its own.
	MinTime = 631152000000
	MaxTime = 7258118399999
)

// Limits of an Amount: ten billions of money, a day of minutes, a billion things.
const (
	maxCents   = 1e12
	maxMinutes = 24 * 60
	maxCount   = 1e9
	chanceOne  = 1 << 16
)

// ValidTime reports whether a time (ms since 1970) is one that an entry can claim.
func ValidTime(ms int64) bool { return ms >= MinTime && ms <= MaxTime }

// Kind says what happened. A person's own doing comes first, then what others did, then what the app did.
type Kind string

// Kinds of version 1. Learn has its time in Value, and in Value.Count how many lessons were finished. An unknown kind is kept, relayed and fed to corporate; it changes no fact.
const (
	Call    Kind = "call"
	Text    Kind = "text"
	Email   Kind = "email"
	Meet    Kind = "meet"
	Share   Kind = "share"   // a piece of content shared
	Learn   Kind = "learn"   // minutes of skill building
	Present Kind = "present" // a presentation hosted
	Ask     Kind = "ask"     // asked for the order
	Promise Kind = "promise" // a follow-up promised for the day in Due
	Result  Kind = "result"  // what came of the action named in About, known later: Outcome

	Order             Kind = "order"
	FormSubmitted     Kind = "form"
	WebinarRegistered Kind = "webinar.registered" // Due holds the webinar's day
	WebinarAttended   Kind = "webinar.attended"
	Watched           Kind = "video.watched"
	Clicked           Kind = "link.clicked"
	SiteVisited       Kind = "site.visited"   // is on the promoter's website, in a webinar or at a video
	WebinarJoined     Kind = "webinar.joined" // clicked "join now"

	StageChanged Kind = "stage"      // Stage holds the new stage
	Suggestion   Kind = "suggestion" // Choice says what became of it
	Award        Kind = "award"      // a badge was given: Content holds its name, Value.Count its level
	Nudge        Kind = "nudge"      // the member was nudged: Content holds the dimension
	Void         Kind = "void"       // the entry named in About was a slip: it did not happen
)

// IsTouch reports whether the member reached out to the contact.
func (k Kind) IsTouch() bool {
	switch k {
	case Call, Text, Email, Meet, Ask:
		return true
	}
	return false
}

// Choice is what a person did with a suggestion.
type Choice string

// Choices.
const (
	Shown     Choice = "shown"
	Taken     Choice = "taken"
	Skipped   Choice = "skipped"   // later
	Dismissed Choice = "dismissed" // not this person
)

// Evidence says how an entry is known (not what its writer claims).
type Evidence uint8

// Levels of evidence: typed afterwards; composer or dialler opened from the app; corroborated by the device; the
// counterpart acted; system of record.
const (
	E0 Evidence = iota
	E1
	E2
	E3
	E4
)

// MarshalText writes "E0" to "E4".
func (e Evidence) MarshalText() ([]byte, error) {
	if e > E4 {
		return nil, fmt.Errorf("evidence level %d: want 0 to 4", e)
	}
	return []byte{'E', '0' + byte(e)}, nil
}

// UnmarshalText reads "E0" to "E4".
func (e *Evidence) UnmarshalText(b []byte) error {
	if len(b) != 2 || b[0] != 'E' || b[1] < '0' || b[1] > '4' {
		return fmt.Errorf("evidence %.10q: want E0 to E4", b)
	}
	*e = Evidence(b[1] - '0')
	return nil
}

// Amount is money of a system of record, or effort.
type Amount struct {
	Cents    int64  `json:"cents,omitempty"`    // hundredths of the currency's unit
	Currency string `json:"currency,omitempty"` // ISO 4217
	Minutes  int64  `json:"minutes,omitempty"`
	Seconds  int64  `json:"seconds,omitempty"` // beyond the minutes: 0 to 59
	Count    int64  `json:"count,omitempty"`
}

// Entry is one immutable record of the action log. Its id is its key in the log document; its canonical form is this
// struct's JSON with the fields in this order, empty ones left out, nothing escaped for HTML.
//
// Time is a claim: At is the writer's wall clock, Zone its offset from UTC then and there, and Skew what the device
// measured at its last sync as server clock minus own clock. Rules take At+Skew in the member's home calendar.
type Entry struct {
	Version  int       `json:"v"`
	Kind     Kind      `json:"kind"`
	At       int64     `json:"at"`             // ms since 1970
	Zone     int       `json:"zone,omitempty"` // minutes east of UTC
	Skew     int64     `json:"skew,omitempty"` // ms
	Evidence Evidence  `json:"evidence"`
	Contact  ContactID `json:"contact,omitzero"`
	About    EntryID   `json:"about,omitzero"` // the entry that a Result belongs to
	Channel  string    `json:"channel,omitempty"`
	Content  string    `json:"content,omitempty"`
	Outcome  string    `json:"outcome,omitempty"`
	Stage    string    `json:"stage,omitempty"`
	Due      string    `json:"due,omitempty"` // a date, YYYY-MM-DD
	Trigger  string    `json:"trigger,omitempty"`
	Choice   Choice    `json:"choice,omitempty"`
	Reason   string    `json:"reason,omitempty"`
	Playbook uint32    `json:"playbook,omitempty"`
	P0       int64     `json:"p0,omitempty"` // Q16: the chance of success that the playbook gave the suggestion followed …
	P1       int64     `json:"p1,omitempty"` // … and with what this member had taught; zero: not known
	Value    *Amount   `json:"value,omitempty"`
	Event    string    `json:"event,omitempty"`  // tag of the event at which it happened
	Source   string    `json:"source,omitempty"` // what imported it, and its key there
	Note     string    `json:"note,omitempty"`   // the member's own words: never leaves for corporate
}

// Time is the instant the entry claims, corrected by the measured offset of its device's clock.
func (e *Entry) Time() time.Time { return time.UnixMilli(e.At + e.Skew) }

// Doc is the log document that the entry belongs to.
func (e *Entry) Doc() DocName { return LogDoc(time.UnixMilli(e.At)) }

// Check says what is wrong with an entry that is about to be written, or nil.
func (e *Entry) Check() error {
	switch {
	case e.Version != EntryVersion:
		return fmt.Errorf("entry version %d: this build writes %d", e.Version, EntryVersion)
	case e.Kind == "":
		return errors.New("entry has no kind: say what happened")
	case e.Kind.IsTouch() && e.Contact == (ContactID{}):
		return fmt.Errorf("entry of kind %q has no contact: say who was reached", e.Kind)
	case e.Kind == Result && (e.About == (EntryID{}) || e.Outcome == ""):
		return errors.New("result names no action or no outcome: say which action, and what came of it")
	case e.Kind == Void && e.About == (EntryID{}):
		return errors.New("correction names no entry: say which one did not happen")
	case (e.Kind == Award || e.Kind == Nudge) && e.Content == "":
		return fmt.Errorf("entry of kind %q has no content: say which badge, or which goal", e.Kind)
	case e.Kind == Suggestion && !slices.Contains([]Choice{Shown, Taken, Skipped, Dismissed}, e.Choice):
		return fmt.Errorf("suggestion entry has choice %q: want shown, taken, skipped or dismissed", e.Choice)
	case len(e.Note) > MaxNoteBytes:
		return fmt.Errorf("note of %d bytes: shorten it to %d", len(e.Note), MaxNoteBytes)
	}
	if e.Due != "" {
		if _, err := time.Parse(time.DateOnly, e.Due); err != nil {
			return fmt.Errorf("due date %.20q: want YYYY-MM-DD", e.Due)
		}
	}
	if e.Stage != "" && !slices.Contains(Stages, e.Stage) {
		return fmt.Errorf("stage %.20q: want one of %v", e.Stage, Stages)
	}
	return e.checkForm()
}

// checkForm is what holds for entries of every version: it is what a projection relies on.
func (e *Entry) checkForm() error {
	switch {
	case e.Version < 1:
		return fmt.Errorf("entry version %d: want 1 or more", e.Version)
	case !ValidTime(e.At):
		return fmt.Errorf("entry time %d ms is outside the years 1990 to 2199: set the clock", e.At)
	case e.Skew < -MaxTime || e.Skew > MaxTime || !ValidTime(e.At+e.Skew):
		return fmt.Errorf("entry time %d ms with a clock offset of %d ms is outside the years 1990 to 2199: set the clock", e.At, e.Skew)
	case e.Zone < -18*60 || e.Zone > 18*60:
		return fmt.Errorf("entry zone %d minutes: want -1080 to 1080", e.Zone)
	case e.P0 < 0 || e.P0 >= chanceOne || e.P1 < 0 || e.P1 >= chanceOne:
		return fmt.Errorf("entry chances %d and %d: want 0 to %d, in 65,536ths", e.P0, e.P1, chanceOne-1)
	}
	currency := ""
	if v := e.Value; v != nil {
		currency = v.Currency
		if v.Cents < -maxCents || v.Cents > maxCents || v.Minutes < 0 || v.Minutes > maxMinutes || v.Seconds < 0 || v.Seconds >= 60 || v.Count < -maxCount || v.Count > maxCount {
			return fmt.Errorf("entry value %+v is beyond what one entry can say: at most %d cents, %d minutes and 59 seconds, %d things", *v, int64(maxCents), maxMinutes, int64(maxCount))
		}
	}
	for _, w := range [...]string{
		string(e.Kind), e.Channel, e.Content, e.Outcome, e.Stage, e.Due, e.Trigger,
		string(e.Choice), e.Reason, e.Event, e.Source, currency,
	} {
		if len(w) > maxWordBytes {
			return fmt.Errorf("entry field %.20q… has %d bytes: at most %d", w, len(w), maxWordBytes)
		}
		if !utf8.ValidString(w) {
			return fmt.Errorf("entry field %.20q is not UTF-8", w)
		}
	}
	if !utf8.ValidString(e.Note) {
		return errors.New("note is not UTF-8")
	}
	return nil
}

// Encode returns the canonical form, after Check.
func (e *Entry) Encode() (string, error) {
	if err := e.Check(); err != nil {
		return "", err
	}
	return e.encode()
}

func (e *Entry) encode() (string, error) {
	if e.Evidence > E4 {
		return "", fmt.Errorf("entry: evidence level %d: want 0 to 4", e.Evidence)
	}
	b := make([]byte, 0, 256)
	num := func(name string, n int64) {
		if n != 0 {
			b = strconv.AppendInt(append(b, name...), n, 10)
		}
	}
	text := func(name, s string) {
		if s != "" {
			b = leanjson.AppendString(append(b, name...), s, false)
		}
	}
	b = strconv.AppendInt(append(b, `{"v":`...), int64(e.Version), 10)
	b = leanjson.AppendString(append(b, `,"kind":`...), string(e.Kind), false)
	b = strconv.AppendInt(append(b, `,"at":`...), e.At, 10)
	num(`,"zone":`, int64(e.Zone))
	num(`,"skew":`, e.Skew)
	b = append(append(b, `,"evidence":"E`...), '0'+byte(e.Evidence), '"')
	if !e.Contact.IsZero() {
		text(`,"contact":`, e.Contact.String())
	}
	if e.About != (EntryID{}) {
		text(`,"about":`, e.About.String())
	}
	text(`,"channel":`, e.Channel)
	text(`,"content":`, e.Content)
	text(`,"outcome":`, e.Outcome)
	text(`,"stage":`, e.Stage)
	text(`,"due":`, e.Due)
	text(`,"trigger":`, e.Trigger)
	text(`,"choice":`, string(e.Choice))
	text(`,"reason":`, e.Reason)
	num(`,"playbook":`, int64(e.Playbook))
	num(`,"p0":`, e.P0)
	num(`,"p1":`, e.P1)
	if v := e.Value; v != nil {
		b = append(b, `,"value":{`...)
		start := len(b)
		num(`,"cents":`, v.Cents)
		text(`,"currency":`, v.Currency)
		num(`,"minutes":`, v.Minutes)
		num(`,"seconds":`, v.Seconds)
		num(`,"count":`, v.Count)
		if len(b) > start {
			b = slices.Delete(b, start, start+1) // the first comma
		}
		b = append(b, '}')
	}
	text(`,"event":`, e.Event)
	text(`,"source":`, e.Source)
	text(`,"note":`, e.Note)
	if b = append(b, '}'); len(b) > MaxEntryBytes {
		return "", fmt.Errorf("entry of %d bytes: at most %d", len(b), MaxEntryBytes)
	}
	return string(b), nil
}

// NewerEntry reports whether s is an entry of a version that this build does not know, and may not be able to read.
func NewerEntry(s string) bool {
	version := int64(0)
	if len(s) > MaxEntryBytes {
		return false
	}
	r := leanjson.NewReader(s)
	if r.Null() {
		return false
	}
	r.Object(func(key string) {
		if strings.EqualFold(key, "v") && !r.Null() {
			version = r.Int(64)
		} else if !strings.EqualFold(key, "v") {
			r.Skip()
		}
	})
	return r.End() == nil && version > EntryVersion
}

// ParseEntry reads an entry of any version, as far as this build knows its fields. The limits are those of Encode.
func ParseEntry(s string) (Entry, error) {
	var e Entry
	if len(s) > MaxEntryBytes {
		return e, fmt.Errorf("entry of %d bytes: at most %d", len(s), MaxEntryBytes)
	}
	if !utf8.ValidString(s) {
		return e, errors.New("entry is not UTF-8")
	}
	e, err := ReadEntry(s)
	if err != nil {
		return e, err
	}
	return e, e.checkForm()
}

// ReadEntry reads the fields of an entry that is yet to be written: it need not be whole.
func ReadEntry(s string) (Entry, error) {
	var e Entry
	r := leanjson.NewReader(s)
	if !r.Null() {
		r.Object(func(key string) { e.read(r, key, true) })
	}
	if err := r.End(); err != nil {
		return Entry{}, fmt.Errorf("entry is not what a log holds: %w", err)
	}
	return e, nil
}

// entryKeys are the names that read knows, for those who write them in other letters: as encoding/json does, which the first
// entries were read with.
var entryKeys = []string{
	"v", "kind", "at", "zone", "skew", "evidence", "contact", "about", "channel", "content", "outcome", "stage", "due", "trigger",
	"choice", "reason", "playbook", "p0", "p1", "value", "event", "source", "note",
}

var amountKeys = []string{"cents", "currency", "minutes", "seconds", "count"}

// known returns the name that a key is another spelling of.
func known(names []string, key string) (string, bool) {
	i := slices.IndexFunc(names, func(n string) bool { return strings.EqualFold(n, key) })
	if i < 0 {
		return "", false
	}
	return names[i], true
}

// read reads one field; null leaves it as it is.
func (e *Entry) read(r *leanjson.Reader, key string, again bool) {
	var to *string
	switch key {
	case "v":
		readInt(r, &e.Version)
	case "kind":
		to = (*string)(&e.Kind)
	case "at":
		readInt(r, &e.At)
	case "zone":
		readInt(r, &e.Zone)
	case "skew":
		readInt(r, &e.Skew)
	case "evidence":
		readText(r, &e.Evidence)
	case "contact":
		readText(r, &e.Contact)
	case "about":
		readText(r, &e.About)
	case "channel":
		to = &e.Channel
	case "content":
		to = &e.Content
	case "outcome":
		to = &e.Outcome
	case "stage":
		to = &e.Stage
	case "due":
		to = &e.Due
	case "trigger":
		to = &e.Trigger
	case "choice":
		to = (*string)(&e.Choice)
	case "reason":
		to = &e.Reason
	case "playbook":
		if !r.Null() {
			e.Playbook = uint32(r.Uint(32))
		}
	case "p0":
		readInt(r, &e.P0)
	case "p1":
		readInt(r, &e.P1)
	case "value":
		if r.Null() {
			e.Value = nil
			break
		}
		if e.Value == nil {
			e.Value = &Amount{}
		}
		r.Object(func(key string) { e.Value.read(r, key, true) })
	case "event":
		to = &e.Event
	case "source":
		to = &e.Source
	case "note":
		to = &e.Note
	default:
		if name, ok := known(entryKeys, key); ok && again {
			e.read(r, name, false)
		} else {
			r.Skip()
		}
	}
	if to != nil && !r.Null() {
		*to = r.String()
	}
}

func (a *Amount) read(r *leanjson.Reader, key string, again bool) {
	switch key {
	case "cents":
		readInt(r, &a.Cents)
	case "currency":
		if !r.Null() {
			a.Currency = r.String()
		}
	case "minutes":
		readInt(r, &a.Minutes)
	case "seconds":
		readInt(r, &a.Seconds)
	case "count":
		readInt(r, &a.Count)
	default:
		if name, ok := known(amountKeys, key); ok && again {
			a.read(r, name, false)
		} else {
			r.Skip()
		}
	}
}

func readInt[T int | int64](r *leanjson.Reader, to *T) {
	if !r.Null() {
		*to = T(r.Int(64))
	}
}

func readText(r *leanjson.Reader, to interface{ UnmarshalText([]byte) error }) {
	if r.Null() {
		return
	}
	s := r.String()
	if r.Err() == nil {
		if err := to.UnmarshalText([]byte(s)); err != nil {
			r.Fail(err)
		}
	}
}

// ForCorporate returns the canonical form of what corporate may see: pseudonymous ids, no note, only known fields.
func (e Entry) ForCorporate() (string, error) {
	e.Note = ""
	return e.encode()
}
