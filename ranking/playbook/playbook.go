package playbook

import (
	"crypto/sha256"
	"strings"

	"trio/ranking"
)

// FormatVersion is the version of the document's form. It rises when a field changes its meaning; a new field that may be
// left out changes nothing.
const FormatVersion = 1

// Limits of a document.
const (
	MaxBytes     = 1 << 20 // as it is written
	MaxLogo      = 64 << 10
	MaxLanguages = 16
	MaxPieces    = 500
	MaxSteps     = 270 // of a newcomer
	LastDay      = 90  // of a newcomer's first days
	MaxProblems  = 50
)

// Doc is a company's playbook: all that it tells its promoters' devices.
type Doc struct {
	Version   uint32   // the publisher's, rising
	Fitted    uint32   // 0: written by people; else the version of the written document that the numbers were fitted to
	Name      string   // the company's name for it
	Languages []string // every text is written in all of them; the first stands in for any other
	Drafts    []string // languages that some texts are written in already
	Brand     Brand    // the company's face on the screens
	Ranking   *ranking.Playbook
	Goals     *ranking.GoalRules
	Pieces    []Piece // content that a promoter may send or share, and lessons; by name
	Sharing   Sharing
	Newcomer  Newcomer
	Boards    Boards
}

// Brand is what a company puts on the screens in place of ours (R3). What is empty is ours.
type Brand struct {
	Name   string // of the app
	Colors Colors
	Logo   string // an SVG document, or a data URI of a PNG, JPEG or WebP picture
}

// Colors are "#rrggbb" each. Whether they can be read on one another is for the screens to see to.
type Colors struct {
	Primary, Accent, Background, Text string
}

// PieceKind says what a piece of content is.
type PieceKind uint8

// Kinds of content.
const (
	Article PieceKind = iota
	Testimony
	Story
	Video
	Lesson
	Webinar
	Page // such as a capture page
)

// Piece is one entry of the content catalogue. Its name stands in the log and in links: once used it keeps its meaning.
type Piece struct {
	Name     string
	Kind     PieceKind
	Title    ranking.Texts
	Summary  ranking.Texts // may be empty
	URL      string        // https
	Minutes  int32         // to read or watch; 0: not said
	Share    bool          // a promoter may share it (R89)
	Triggers uint64        // bit set of 1<<TriggerID of the moments that it suits
}

// Sharing says what a piece's address is given when somebody follows a member's link to it, by the names of parameters. What is
// empty is not told.
type Sharing struct {
	Sharer string // the member's id
	Share  string // which of the member's shares it was: ten hexadecimal digits, the beginning of the entry's id
	Piece  string // the piece's name
}

// Target returns the address that a member's link to a piece leads to: the piece's own, with what the playbook says to add.
func (d *Doc) Target(p *Piece, sharer, share string) string {
	address, fragment, has := strings.Cut(p.URL, "#")
	for _, add := range [...][2]string{{d.Sharing.Sharer, sharer}, {d.Sharing.Share, share}, {d.Sharing.Piece, p.Name}} {
		if add[0] == "" {
			continue
		}
		switch {
		case !strings.Contains(address, "?"):
			address += "?"
		case !strings.HasSuffix(address, "?") && !strings.HasSuffix(address, "&"):
			address += "&"
		}
		address += add[0] + "=" + add[1]
	}
	if has {
		address += "#" + fragment
	}
	return address
}

// Boards are what a company shows members of each other: who did most of what, who was recognised, and to sponsors how their team
// stands. A member who wants to be on none is on none, whatever stands here.
type Boards struct {
	Off     bool     // no boards and no recognition
	TeamOff bool     // sponsors get no report of their team
	Metrics []string // names of metrics, or ranking.GoalDaysMetric; none: the usual ones, see ranking.GoalRules.Boards
	Places  int32    // of a board; who shares the last one's is on it too
	Names   NameForm
}

// NameForm says how boards name people.
type NameForm uint8

// Forms of names.
const (
	FirstAndInitial NameForm = iota // Maya T.
	FullName
)

// Bounds of Boards.Places, and what a document that says nothing means.
const (
	LeastPlaces = 3
	UsualPlaces = 10
	MostPlaces  = 50
)

// Newcomer is a member's first 90 days. The first day is 1.
type Newcomer struct {
	Commitments []Commitment // by day, ascending
	Steps       []Step       // by day, ascending
}

// Commitment is what the app proposes from a day on; what a member commits to is the member's own decision (R34).
type Commitment struct {
	Day     int32
	Targets []Target
	Words   ranking.Texts // why, in a sentence
}

// Target is so much of a metric on a goal day.
type Target struct {
	Metric string
	Daily  int32
}

// StepKind says what a newcomer's step is.
type StepKind uint8

// Kinds of steps.
const (
	DoStep    StepKind = iota // an action in the field
	LearnStep                 // a lesson
)

// Step is one small thing for one day.
type Step struct {
	Day    int32
	Kind   StepKind
	Title  ranking.Texts
	Words  ranking.Texts // how, in a few sentences
	Piece  string        // what to look at, by its name in the catalogue; "" for nothing
	Metric string        // what doing it counts for; "" for nothing
}

// Parse reads a document. The error is Problems, all that were found up to MaxProblems. It needs memory of at most
// 16 times the input.
func Parse(b []byte) (*Doc, error) {
	d, r := read(b)
	if !r.stopped {
		c := checker{r: r}
		c.check(d)
	}
	if ps := r.sorted(); len(ps) > 0 {
		return nil, ps
	}
	d.settle()
	if n := len(d.Encode()); n > MaxBytes { // what travels, and is read again
		r.tooLong("laid out as trio writes it, ")
		return nil, r.sorted()
	}
	return d, nil
}

// read reads the fields of a document.
func read(b []byte) (*Doc, *reader) {
	d, r := fresh(), &reader{b: b}
	if len(b) > MaxBytes {
		r.tooLong("")
		return d, r
	}
	r.document(func() { document(r, d) })
	return d, r
}

func (r *reader) tooLong(how string) {
	r.problem(0, "", how+"the playbook has more than "+number(MaxBytes)+" bytes", "make the logo smaller, or take out pieces that nobody uses")
	r.stopped = true
}

// settle fills in what follows from the document.
func (d *Doc) settle() {
	d.Ranking.Version, d.Goals.Version = d.Version, d.Version
	sortTexts(d)
}

// Encode writes the document in its one form: fields in a fixed order, what has its usual value left out, two spaces to
// the level. It is the form that people read, that is hashed and that travels: what somebody looked at is what a device gets.
func (d *Doc) Encode() []byte {
	w := writer{langs: d.languages()}
	document(&w, d)
	return append(layOut(nil, w.b), '\n')
}

// Hash is the SHA-256 of Encode.
func (d *Doc) Hash() [32]byte { return sha256.Sum256(d.Encode()) }

// Piece finds an entry of the catalogue by its name.
func (d *Doc) Piece(name string) (*Piece, bool) {
	for i := range d.Pieces {
		if d.Pieces[i].Name == name {
			return &d.Pieces[i], true
		}
	}
	return nil, false
}

// languages returns the languages and drafts; of a document that names none, those of its texts.
func (d *Doc) languages() []string {
	if len(d.Languages) > 0 {
		return append(append([]string(nil), d.Languages...), d.Drafts...)
	}
	var w walker
	var langs []string
	w.texts = func(_ []byte, t *ranking.Texts, _ *textKind) {
		for _, p := range *t {
			if !has(langs, p.Lang) {
				langs = append(langs, p.Lang)
			}
		}
	}
	document(&w, d)
	return langs
}
