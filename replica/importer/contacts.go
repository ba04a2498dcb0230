package importer

import (
	"fmt"
	"io"
	"strings"
	"time"

	"trio/crdt"
)

// sampleRows is how many rows are looked at to tell what a column holds.
const sampleRows = 200

// ReadContactsCSV reads a table of people: the exports of Google, Outlook and iCloud's converters, and any other whose
// header says in one of five languages what the columns are. A row that makes no sense is reported and the rest goes
// through; an error means that the columns could not be told, and lists them.
//
// Memory: at most three times the file, and the people found.
func ReadContactsCSV(r io.Reader, opt Options) ([]Person, []Problem, error) {
	if err := opt.check(); err != nil {
		return nil, nil, err
	}
	data, err := readText(r, &opt)
	if err != nil {
		return nil, nil, fmt.Errorf("contacts: %w", err)
	}
	var found problems
	t, err := openTable(data, contactRoles, opt.Columns, &found)
	if err != nil {
		return nil, nil, fmt.Errorf("contacts: %w", err)
	}
	if len(t.sample(1)) == 0 {
		return nil, nil, fmt.Errorf("contacts: %w", errNoRows(t))
	}
	c, err := newContactTable(t, &opt)
	if err != nil {
		return nil, nil, fmt.Errorf("contacts: %w", err)
	}
	var people []Person
	empty := 0
	rows := t.rows()
	for n := 0; ; n++ {
		rec, line, ok := rows.next()
		if !ok {
			break
		}
		if n == opt.MaxRows {
			return nil, nil, errRows(opt.MaxRows, "rows")
		}
		if p, ok := c.person(rec, line); ok {
			people = append(people, p)
		} else {
			empty++
		}
	}
	found.tally("[row has|rows have] no name, number or address and [was|were] left out", empty)
	if c.days.guessed && c.days.numeric > 0 {
		found.tally("[birthday|birthdays] read as "+orderWords(c.days.order)+", as nothing in the file tells; if that is wrong, give the date order", c.days.numeric)
	}
	return mergePeople(people, true, &found), found.all(), nil
}

func orderWords(order string) string {
	if order == "mdy" {
		return "month/day/year"
	}
	return "day/month/year"
}

// contactTable reads rows of people.
type contactTable struct {
	l         layout
	names     []string
	labels    map[int]int    // column of a number or address to the column of its label
	headLabel map[int]string // and the label that the header gives
	negative  bool           // the consent column says "opted out", so yes is no
	strict    bool           // and no means no
	days      dates
	opt       *Options
	problems  *problems
}

func newContactTable(t *table, opt *Options) (*contactTable, error) {
	sample := t.sample(sampleRows)
	l, err := t.arrange(contactRoles, opt.Columns, func(role string, column int) bool {
		switch role {
		case "email":
			return share(sample, column, isEmail) >= 0.5
		case "phone":
			return share(sample, column, likePhone) >= 0.5
		case "name", "first":
			return share(sample, column, isEmail) < 0.5
		}
		return true
	})
	if err != nil {
		return nil, err
	}
	// What no header says, the values may: addresses and numbers are plain to see, and so is the name beside them.
	for c := range t.names {
		switch {
		case l.taken(c) || !filled(sample, c):
		case !l.has("email") && share(sample, c, isEmail) > 0.5 && !strings.Contains(fold(t.names[c]), "display"):
			l["email"] = append(l["email"], c)
		case !l.has("phone") && share(sample, c, surePhone) > 0.7:
			l["phone"] = append(l["phone"], c)
		}
	}
	named := l.has("name") || l.has("first") || l.has("last")
	if !named && (l.has("email") || l.has("phone")) {
		for c := range t.names {
			if !l.taken(c) && filled(sample, c) && share(sample, c, likeName) > 0.5 {
				l["name"] = []int{c}
				break
			}
		}
	}
	if !named && !l.has("name") && !l.has("email") && !l.has("phone") {
		return nil, fmt.Errorf("no telling which columns hold the name, phone number or e-mail address; the file has %s: "+
			"say which, such as name=%s", t.list(), t.names[0])
	}
	c := &contactTable{l: l, names: t.names, labels: map[int]int{}, headLabel: map[int]string{}, opt: opt, problems: t.problems}
	for _, role := range []string{"phone", "email"} {
		for _, col := range l[role] {
			header := fold(t.names[col])
			c.headLabel[col] = headerLabel(header)
			// "Phone 1 - Type" stands beside "Phone 1 - Value".
			stem := strings.TrimSuffix(header, " value")
			for other, name := range t.names {
				if h := fold(name); h == stem+" type" || h == stem+" label" || h == stem+" tipo" {
					c.labels[col] = other
				}
			}
		}
	}
	if col := l.first("consent"); col >= 0 {
		h := " " + fold(t.names[col]) + " "
		for _, w := range []string{" out ", " opted out ", " unsubscribed ", " not ", " no "} {
			c.negative = c.negative || strings.Contains(h, w)
		}
		c.strict = strings.Contains(h, " consent") || strings.Contains(h, " einwilligung ")
	}
	c.days.loc = opt.Location
	if col := l.first("birthday"); col >= 0 {
		rows := t.rows()
		rows.problems = &problems{}
		for {
			rec, _, ok := rows.next()
			if !ok {
				break
			}
			c.days.learn(at(rec, col))
		}
	}
	c.days.decide(opt)
	return c, nil
}

// headerLabel takes the label out of "Mobile Phone" or "Teléfono del trabajo".
func headerLabel(header string) string {
	switch l := labelOf(header); l {
	case "mobile", "home", "work", "main", "other":
		return l
	}
	return ""
}

// share is how much of the filled cells of a column is as wanted; 1 when none is filled.
func share(sample [][]string, column int, want func(string) bool) float64 {
	filled, good := 0, 0
	for _, rec := range sample {
		if s := strings.TrimSpace(at(rec, column)); s != "" {
			filled++
			if want(s) {
				good++
			}
		}
	}
	if filled == 0 {
		return 1
	}
	return float64(good) / float64(filled)
}

// filled reports whether any of the sampled cells of a column holds something.
func filled(sample [][]string, column int) bool {
	for _, rec := range sample {
		if strings.TrimSpace(at(rec, column)) != "" {
			return true
		}
	}
	return false
}

func isEmail(s string) bool {
	s, _, _ = strings.Cut(s, ":::")
	_, ok := normalizeEmail(s)
	return ok
}

func likePhone(s string) bool {
	s, _, _ = strings.Cut(s, ":::")
	digits, _, ok := phoneDigits(s)
	return ok && len(digits) >= 4
}

// surePhone is for a column that no header calls a phone number.
func surePhone(s string) bool {
	digits, plus, ok := phoneDigits(s)
	return ok && (plus && len(digits) >= 8 || len(digits) >= 9 && len(digits) <= 15 && strings.Trim(s, "0123456789.") != "") && !looksLikeDate(s)
}

// likeName is for a column that no header calls a name.
func likeName(s string) bool {
	return strings.Contains(strings.TrimSpace(s), " ") && !strings.ContainsAny(s, "0123456789@:/") && len(s) < 80
}

func (c *contactTable) text(rec []string, role string) string {
	return clean(at(rec, c.l.first(role)), crdt.MaxFieldBytes, false)
}

func (c *contactTable) person(rec []string, line int) (p Person, ok bool) {
	p.Name = fullName(c.text(rec, "name"), c.text(rec, "first"), c.text(rec, "middle"), c.joined(rec, "last"))
	p.Company = c.text(rec, "company")
	if id := clean(at(rec, c.l.first("id")), MaxFieldBytes, false); id != "" {
		p.Key = idKey(id)
	}
	for _, col := range c.l["phone"] {
		for raw := range strings.SplitSeq(at(rec, col), ":::") {
			if raw = strings.TrimSpace(raw); raw == "" {
				continue
			}
			label := c.headLabel[col]
			if lc, ok := c.labels[col]; ok {
				label = strings.TrimSpace(at(rec, lc))
			}
			if strings.Contains(strings.ToLower(label), "fax") {
				continue
			}
			if n, ok := NormalizePhone(raw, c.opt.CallingCode); ok {
				p.addPhone(n, label)
			} else {
				c.problems.phone(line, raw, c.opt)
			}
		}
	}
	for _, col := range c.l["email"] {
		for raw := range strings.SplitSeq(at(rec, col), ":::") {
			if strings.TrimSpace(raw) == "" {
				continue
			}
			label := c.headLabel[col]
			if lc, ok := c.labels[col]; ok {
				label = strings.TrimSpace(at(rec, lc))
			}
			if !p.addEmail(raw, label) {
				c.problems.add(line, "[e-mail address is|e-mail addresses are] not valid; left out", "%.60q is not an e-mail address; left out", raw)
			}
		}
	}
	if raw := strings.TrimSpace(at(rec, c.l.first("birthday"))); raw != "" && raw != "0/0/00" {
		if b, ok := c.birthday(raw); ok {
			p.Birthday = b
		} else {
			c.problems.add(line, "[birthday is no date|birthdays are not dates]; left out", "birthday %.40q is not a date; left out", raw)
		}
	}
	for _, col := range c.l["note"] {
		p.addNote(clean(at(rec, col), crdt.MaxFieldBytes, true))
	}
	for _, col := range c.l["tags"] {
		p.addTags(at(rec, col))
	}
	if s := c.text(rec, "stage"); s != "" {
		p.raiseStage(stageOf(fold(s)))
	}
	p.setConsentFrom(c.consent(c.text(rec, "consent")))
	ok = p.finish()
	return p, ok
}

func (c *contactTable) joined(rec []string, role string) string {
	var w []string
	for _, col := range c.l[role] {
		if s := clean(at(rec, col), crdt.MaxFieldBytes, false); s != "" {
			w = append(w, s)
		}
	}
	return strings.Join(w, " ")
}

// fullName joins what the columns hold. Where a file has first names and a column called just "name", that one is the
// surname unless it contains the first name.
func fullName(name, first, middle, last string) string {
	if name != "" && (first == "" || last != "" || strings.Contains(fold(name), fold(first))) {
		return name
	}
	if last == "" {
		last = name
	}
	return clean(first+" "+middle+" "+last, crdt.MaxFieldBytes, false)
}

// birthday reads a date as the column writes it. A year of two digits is of the last century, as a book holds few people
// under sixteen: 65 is 1965 here, where it would be 2065 for an order.
func (c *contactTable) birthday(s string) (string, bool) {
	if p, ok := scanDate(s); ok && (p.form != 'y' || p.short) {
		y, m, d := p.n[0], p.n[1], p.n[2]
		switch p.form {
		case 's':
			if !c.days.serialsAllowed || p.number < 1 || p.number >= 109936 {
				return "", false
			}
			return time.Date(1899, 12, 30+int(p.number), 0, 0, 0, 0, time.UTC).Format(time.DateOnly), true
		case 'n', '.':
			d, m, y = p.n[0], p.n[1], p.n[2]
			if p.form == 'n' && c.days.order == "mdy" {
				d, m = m, d
			}
		}
		if p.short && y > 2010 {
			y -= 100
		}
		if y < 1850 || y > maxYear {
			return "", false
		}
		return birthdayOf(y, m, d)
	}
	return birthday(s)
}

// consent reads a cell: a word that says it, or yes and no to what the header asks.
func (c *contactTable) consent(s string) string {
	word := fold(s)
	if said := consentOf(word); said != "" {
		return said
	}
	yes, no := isYes(word), isNo(word)
	switch {
	case yes && c.negative, no && c.strict && !c.negative:
		return crdt.ConsentOut
	case yes && !c.negative:
		return crdt.ConsentGiven
	}
	return ""
}
