package importer

import (
	"bufio"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"trio/crdt"
)

// cardLine is one property of a card, unfolded, its value decoded but not unescaped.
type cardLine struct {
	no      int
	group   string // "item1" of item1.TEL, in lower case
	name    string // upper case
	params  []param
	value   string
	tooLong bool
}

type param struct{ key, value string }

func (l *cardLine) param(key string) string {
	for _, p := range l.params {
		if p.key == key {
			return p.value
		}
	}
	return ""
}

// types lists the TYPE words of a property; version 2.1 writes them bare.
func (l *cardLine) types(yield func(string) bool) {
	for _, p := range l.params {
		if p.key == "TYPE" || p.key == "" {
			for t := range strings.SplitSeq(strings.ToLower(p.value), ",") {
				if !yield(t) {
					return
				}
			}
		}
	}
}

// cardReader reads a vCard file property by property. It holds one property at a time, and of a long one (a photo) no
// more than its name.
type cardReader struct {
	r      *bufio.Reader
	no     int    // lines read
	next   []byte // the following line, read ahead to see whether it continues this one
	nextOK bool
	long   bool // next was cut
	err    error
	buf    []byte
}

func newCardReader(r io.Reader, opt *Options) *cardReader {
	l := &limited{r: r, max: opt.MaxBytes}
	br := bufio.NewReaderSize(l, 64<<10)
	head, _ := br.Peek(512)
	if order := utf16Order(head); order != nil {
		br = bufio.NewReaderSize(&utf16Reader{r: br, order: order}, 64<<10)
	} else if len(trimBOM(head)) < len(head) {
		_, _ = br.Discard(3)
	}
	c := &cardReader{r: br}
	c.advance()
	return c
}

// advance reads the next line into next, up to the limit of a field; what is beyond is read past.
func (c *cardReader) advance() {
	c.next, c.nextOK, c.long = c.next[:0], false, false
	if c.err != nil {
		return
	}
	for {
		b, err := c.r.ReadByte()
		if err != nil {
			c.err = err
			if errors.Is(err, io.EOF) && len(c.next) > 0 {
				c.nextOK = true
				c.no++
			}
			return
		}
		if b == '\n' || b == '\r' {
			if b == '\r' {
				if p, _ := c.r.Peek(1); len(p) == 1 && p[0] == '\n' {
					_, _ = c.r.Discard(1)
				}
			}
			c.nextOK = true
			c.no++
			return
		}
		if len(c.next) < MaxFieldBytes {
			c.next = append(c.next, b)
		} else {
			c.long = true
		}
	}
}

// property returns the next unfolded property; false at the end of the file or at an error.
func (c *cardReader) property() (l cardLine, ok bool) {
	for c.nextOK {
		l = cardLine{no: c.no, tooLong: c.long}
		c.buf = append(c.buf[:0], c.next...)
		soft, bulk := isQuotedPrintable(c.buf), isBulk(c.buf)
		for c.advance(); c.nextOK; c.advance() {
			more := c.next
			if n := len(c.buf); soft && n > 0 && c.buf[n-1] == '=' {
				c.buf = c.buf[:n-1]
			} else if len(more) > 0 && (more[0] == ' ' || more[0] == '\t') {
				more = more[1:]
			} else {
				break
			}
			switch {
			case bulk:
			case c.long || len(c.buf)+len(more) > MaxFieldBytes:
				l.tooLong = true
			default:
				c.buf = append(c.buf, more...)
			}
		}
		if l.parse(c.buf) {
			return l, true
		}
	}
	return l, false
}

func isQuotedPrintable(line []byte) bool {
	head, _, _ := strings.Cut(string(line[:min(len(line), 300)]), ":")
	return strings.Contains(strings.ToUpper(head), "QUOTED-PRINTABLE")
}

// isBulk reports whether a property is one that is large and of no use here.
func isBulk(line []byte) bool {
	head := strings.ToUpper(string(line[:min(len(line), 40)]))
	if i := strings.IndexAny(head, ";:"); i >= 0 {
		head = head[:i]
	}
	if i := strings.LastIndexByte(head, '.'); i >= 0 {
		head = head[i+1:]
	}
	switch head {
	case "PHOTO", "LOGO", "SOUND", "KEY":
		return true
	}
	return false
}

// parse takes "item1.TEL;TYPE=cell:+34…" apart.
func (l *cardLine) parse(b []byte) bool {
	quoted := false
	colon := -1
	for i, c := range b {
		if c == '"' {
			quoted = !quoted
		} else if c == ':' && !quoted {
			colon = i
			break
		}
	}
	if colon <= 0 {
		return false
	}
	head := decodeBytes(b[:colon], "")
	var name string
	name, head = cutParam(head)
	if i := strings.LastIndexByte(name, '.'); i >= 0 {
		l.group, name = strings.ToLower(name[:i]), name[i+1:]
	}
	l.name = strings.ToUpper(strings.TrimSpace(name))
	for head != "" && len(l.params) < 50 {
		var p string
		p, head = cutParam(head)
		key, value, ok := strings.Cut(p, "=")
		if !ok {
			key, value = "", p
		}
		l.params = append(l.params, param{strings.ToUpper(strings.TrimSpace(key)), strings.ReplaceAll(strings.TrimSpace(value), `"`, "")})
	}
	l.value = l.decode(b[colon+1:])
	return l.name != ""
}

// cutParam cuts at the first ; outside quotes.
func cutParam(s string) (head, tail string) {
	quoted := false
	for i := range len(s) {
		switch {
		case s[i] == '"':
			quoted = !quoted
		case s[i] == ';' && !quoted:
			return s[:i], s[i+1:]
		}
	}
	return s, ""
}

// decode undoes the transfer encodings and charsets of version 2.1 (and of writers of 3.0 who use them).
func (l *cardLine) decode(b []byte) string {
	cs := charsetOf(l.param("CHARSET"))
	encoding := strings.ToUpper(l.param("ENCODING"))
	for _, p := range l.params {
		if p.key == "" && (strings.EqualFold(p.value, "QUOTED-PRINTABLE") || strings.EqualFold(p.value, "BASE64")) {
			encoding = strings.ToUpper(p.value)
		}
	}
	switch encoding {
	case "QUOTED-PRINTABLE":
		b = unquotePrintable(b)
	case "B", "BASE64":
		if d, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(string(b)), "")); err == nil && utf8.Valid(d) {
			b = d
		}
	}
	return decodeBytes(b, cs)
}

// unquotePrintable is lenient: what is not a code stays as it is.
func unquotePrintable(b []byte) []byte {
	out := make([]byte, 0, len(b))
	for i := 0; i < len(b); i++ {
		if b[i] == '=' && i+2 < len(b) {
			if v, err := strconv.ParseUint(string(b[i+1:i+3]), 16, 8); err == nil {
				out = append(out, byte(v))
				i += 2
				continue
			}
		}
		out = append(out, b[i])
	}
	return out
}

// utf16Reader turns UTF-16 into UTF-8 as it reads.
type utf16Reader struct {
	r     io.Reader
	order binary.ByteOrder
	in    [4096]byte
	have  int
	out   []byte
	err   error
}

func (u *utf16Reader) Read(p []byte) (int, error) {
	for len(u.out) == 0 {
		if u.err != nil {
			return 0, u.err
		}
		var n int
		n, u.err = u.r.Read(u.in[u.have:])
		u.have += n
		use := u.have &^ 1
		if u.err == nil && use >= 2 {
			// The first half of a pair waits for the second.
			if v := u.order.Uint16(u.in[use-2:]); v >= 0xd800 && v < 0xdc00 {
				use -= 2
			}
		}
		u.out = append(u.out[:0], decodeUTF16(u.in[:use], u.order)...)
		u.have = copy(u.in[:], u.in[use:u.have])
	}
	n := copy(p, u.out)
	u.out = u.out[n:]
	return n, nil
}

// splitValue splits at a separator that is not escaped and unescapes the parts.
func splitValue(s string, sep byte) []string {
	var parts []string
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '\\' && i+1 < len(s):
			i++
			switch s[i] {
			case 'n', 'N':
				b.WriteByte('\n')
			case ';', ',', '\\', ':':
				b.WriteByte(s[i])
			default:
				b.WriteByte('\\')
				b.WriteByte(s[i])
			}
		case s[i] == sep && sep != 0:
			parts = append(parts, b.String())
			b.Reset()
		default:
			b.WriteByte(s[i])
		}
	}
	return append(parts, b.String())
}

func unescape(s string) string { return splitValue(s, 0)[0] }

// card is what is gathered between BEGIN and END.
type card struct {
	line     int
	p        Person
	formal   string // of N, when there is no FN
	nick     string
	uid      string
	group    bool // a list of people, not a person
	tels     []cardLine
	emails   []cardLine
	labels   map[string]string // of groups: item1 is "Mobile"
	problems *problems
}

// ReadVCards reads a file of vCards, version 2.1, 3.0 or 4.0. A card that is cut off, or a property that makes no
// sense, is reported and the rest goes through; an error means that the file as a whole is not one.
//
// Memory: the people found, and one property of at most 64 KiB; photos are read past.
func ReadVCards(r io.Reader, opt Options) ([]Person, []Problem, error) {
	if err := opt.check(); err != nil {
		return nil, nil, err
	}
	var found problems
	var people []Person
	c := newCardReader(r, &opt)
	var cur *card
	cards, groups, empty := 0, 0, 0
	end := func() {
		if cur.group {
			groups++
		} else if p, ok := cur.person(&opt); ok {
			people = append(people, p)
		} else {
			empty++
		}
		cur = nil
	}
	for {
		l, ok := c.property()
		if !ok {
			break
		}
		switch {
		case l.name == "BEGIN" && strings.EqualFold(strings.TrimSpace(l.value), "VCARD"):
			if cur != nil {
				found.add(cur.line, "cards without an end", "card has no end; what it holds was taken")
				end()
			}
			if cards++; cards > opt.MaxRows {
				return nil, nil, errRows(opt.MaxRows, "cards")
			}
			cur = &card{line: l.no, problems: &found}
		case cur == nil:
		case l.name == "END" && strings.EqualFold(strings.TrimSpace(l.value), "VCARD"):
			end()
		default:
			cur.add(l)
		}
	}
	if !errors.Is(c.err, io.EOF) {
		return nil, nil, fmt.Errorf("vcard: %w", c.err)
	}
	if cur != nil {
		found.add(cur.line, "cards without an end", "card has no end; what it holds was taken")
		end()
	}
	if cards == 0 {
		return nil, nil, errors.New("file holds no vCard: want lines from BEGIN:VCARD to END:VCARD; export the contacts again as vCard (.vcf)")
	}
	found.tally("[card is a group, not a person, and was|cards are groups, not people, and were] left out", groups)
	found.tally("[card has|cards have] no name, number or address and [was|were] left out", empty)
	people = mergePeople(people, false, &found)
	return people, found.all(), nil
}

func (c *card) add(l cardLine) {
	if isBulk([]byte(l.name + ":")) {
		return
	}
	if l.tooLong {
		c.problems.add(l.no, "[property is|properties are] too long; left out", "%.40s has more than %d bytes; left out", l.name, MaxFieldBytes)
		return
	}
	text := func() string { return clean(unescape(l.value), crdt.MaxFieldBytes, false) }
	switch l.name {
	case "FN":
		if c.p.Name == "" {
			c.p.Name = text()
		}
	case "N":
		n := splitValue(l.value, ';')
		var w []string
		for _, i := range []int{1, 2, 0} {
			if i < len(n) && strings.TrimSpace(n[i]) != "" {
				w = append(w, n[i])
			}
		}
		if c.formal == "" {
			c.formal = clean(strings.Join(w, " "), crdt.MaxFieldBytes, false)
		}
	case "NICKNAME":
		c.nick = text()
	case "ORG":
		if c.p.Company == "" {
			c.p.Company = clean(splitValue(l.value, ';')[0], crdt.MaxFieldBytes, false)
		}
	case "NOTE":
		c.p.addNote(clean(unescape(l.value), crdt.MaxFieldBytes, true))
	case "CATEGORIES":
		c.p.addTags(unescape(l.value)) // some writers escape the commas between them
	case "UID":
		uid := clean(l.value, MaxFieldBytes, false)
		if len(uid) > 9 && strings.EqualFold(uid[:9], "urn:uuid:") {
			uid = uid[9:]
		}
		c.uid = uid
	case "BDAY":
		if b, ok := cardBirthday(&l); ok {
			c.p.Birthday = b
		} else if strings.TrimSpace(l.value) != "" {
			c.problems.add(l.no, "[birthday is no date|birthdays are not dates]; left out", "birthday %.40q is not a date; left out", l.value)
		}
	case "TEL":
		if len(c.tels) < 2*maxPhones {
			c.tels = append(c.tels, l)
		}
	case "EMAIL":
		if len(c.emails) < 2*maxEmails {
			c.emails = append(c.emails, l)
		}
	case "X-ABLABEL":
		if l.group != "" && len(c.labels) < 100 {
			if c.labels == nil {
				c.labels = map[string]string{}
			}
			c.labels[l.group] = strings.TrimSuffix(strings.TrimPrefix(unescape(l.value), "_$!<"), ">!$_")
		}
	case "KIND", "X-ADDRESSBOOKSERVER-KIND":
		c.group = strings.EqualFold(strings.TrimSpace(l.value), "group")
	}
}

// person makes the card a person.
func (c *card) person(opt *Options) (Person, bool) {
	if c.p.Name == "" {
		c.p.Name = c.formal
	}
	if c.p.Name == "" {
		c.p.Name = c.nick
	}
	if c.uid != "" {
		c.p.Key = idKey(c.uid)
	}
	byPreference(c.tels)
	byPreference(c.emails)
	for i := range c.tels {
		l := &c.tels[i]
		label, use := c.label(l)
		raw := unescape(l.value)
		if !use || strings.TrimSpace(raw) == "" {
			continue
		}
		if n, ok := NormalizePhone(raw, opt.CallingCode); ok {
			c.p.addPhone(n, label)
		} else {
			c.problems.phone(l.no, raw, opt)
		}
	}
	for i := range c.emails {
		l := &c.emails[i]
		label, _ := c.label(l)
		if raw := unescape(l.value); strings.TrimSpace(raw) != "" && !c.p.addEmail(raw, label) {
			c.problems.add(l.no, "[e-mail address is|e-mail addresses are] not valid; left out", "%.60q is not an e-mail address; left out", raw)
		}
	}
	ok := c.p.finish()
	return c.p, ok
}

// phone reports a number that could not be read, and why.
func (p *problems) phone(line int, raw string, opt *Options) {
	if opt.CallingCode == "" {
		p.add(line, "[phone number has|phone numbers have] no calling code; left out: give the country's, such as +34",
			"phone number %.40q has no calling code; left out: give the country's, such as +34", raw)
		return
	}
	p.add(line, "[phone number is|phone numbers are] not valid; left out", "%.40q is not a phone number; left out", raw)
}

// byPreference puts the preferred properties first: PREF=1 of version 4, TYPE=pref of the others.
func byPreference(lines []cardLine) {
	rank := func(l cardLine) int {
		if v, err := strconv.Atoi(l.param("PREF")); err == nil && v >= 1 && v <= 100 {
			return v
		}
		for t := range l.types {
			if t == "pref" {
				return 1
			}
		}
		return 101
	}
	for i := 1; i < len(lines); i++ {
		for j := i; j > 0 && rank(lines[j]) < rank(lines[j-1]); j-- {
			lines[j], lines[j-1] = lines[j-1], lines[j]
		}
	}
}

// label says what a number or address is called; use is false for what nobody answers: fax and pager.
func (c *card) label(l *cardLine) (label string, use bool) {
	if own := c.labels[l.group]; own != "" && l.group != "" {
		return own, !strings.Contains(strings.ToLower(own), "fax")
	}
	use = true
	for t := range l.types {
		switch t {
		case "fax", "pager", "modem", "bbs":
			use = false
		case "cell", "iphone":
			label = "mobile"
		case "home", "work", "main":
			if label == "" {
				label = t
			}
		case "", "pref", "voice", "internet", "text", "video", "msg", "quoted-printable", "other", "x-mobile":
		default:
			if label == "" && !strings.HasPrefix(t, "x-") && !strings.Contains(t, "=") {
				label = t
			}
		}
	}
	return label, use
}

// cardBirthday reads the forms of versions 3 and 4; an omitted year is Apple's 1604, or two hyphens.
func cardBirthday(l *cardLine) (string, bool) {
	s := strings.TrimSpace(l.value)
	if day, _, ok := strings.Cut(s, "T"); ok && len(day) >= 4 {
		s = day
	}
	if omit := l.param("X-APPLE-OMIT-YEAR"); omit != "" && strings.HasPrefix(s, omit) {
		s = "--" + strings.TrimPrefix(s[len(omit):], "-")
	}
	return birthday(s)
}

// birthday reads a date that is surely one: 1985-05-17, 19850517, --05-17, --0517.
func birthday(s string) (string, bool) {
	s = strings.TrimSpace(s)
	if rest, ok := strings.CutPrefix(s, "--"); ok {
		rest = strings.Replace(rest, "-", "", 1)
		if len(rest) == 4 {
			if t, err := time.Parse("20060102", "2000"+rest); err == nil {
				return t.Format("--01-02"), true
			}
		}
		return "", false
	}
	p, ok := scanDate(s)
	if !ok || p.form != 'y' || p.n[0] != 0 && p.n[0] != 1604 && (p.n[0] < 1850 || p.n[0] > maxYear) {
		return "", false
	}
	return birthdayOf(p.n[0], p.n[1], p.n[2])
}

func birthdayOf(y, m, d int) (string, bool) {
	if y == 0 || y == 1604 {
		if !validDate(2000, m, d) {
			return "", false
		}
		return fmt.Sprintf("--%02d-%02d", m, d), true
	}
	if !validDate(y, m, d) {
		return "", false
	}
	return fmt.Sprintf("%04d-%02d-%02d", y, m, d), true
}
