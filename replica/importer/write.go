package importer

import (
	"errors"
	"strings"

	"trio/crdt"
)

// AppendVCard appends a card of version 3.0, which phones and address books of all kinds take. uid is what the person is known by
// for good, "" for none. What is read of it again by ReadVCards is the same person, but for the stage and the consent, which are
// nobody's business but the book's.
func AppendVCard(b []byte, p *Person, uid string) []byte {
	b = appendLine(b, "BEGIN:VCARD")
	b = appendLine(b, "VERSION:3.0")
	first, last := p.Name, ""
	if i := strings.LastIndexByte(p.Name, ' '); i > 0 {
		first, last = p.Name[:i], p.Name[i+1:]
	}
	b = appendLine(b, "N:"+escape(last)+";"+escape(first)+";;;")
	b = appendLine(b, "FN:"+escape(p.Name))
	if p.Company != "" {
		b = appendLine(b, "ORG:"+escape(p.Company))
	}
	for _, x := range p.Phones {
		b = appendLine(b, "TEL"+kindOf(x.Label)+":"+x.Number)
	}
	for _, x := range p.Emails {
		b = appendLine(b, "EMAIL"+kindOf(x.Label)+":"+escape(x.Address))
	}
	if p.Birthday != "" {
		b = appendLine(b, "BDAY:"+p.Birthday)
	}
	if len(p.Tags) > 0 {
		tags := make([]string, len(p.Tags))
		for i, t := range p.Tags {
			tags[i] = escape(t)
		}
		b = appendLine(b, "CATEGORIES:"+strings.Join(tags, ","))
	}
	if p.Note != "" {
		b = appendLine(b, "NOTE:"+escape(p.Note))
	}
	if uid != "" {
		b = appendLine(b, "UID:"+escape(uid))
	}
	return appendLine(b, "END:VCARD")
}

// kindOf is the parameter for what a number is called; other names than these few are left out, as programs do not know them.
func kindOf(label string) string {
	switch strings.ToLower(label) {
	case "mobile", "cell", "movil", "móvil":
		return ";TYPE=CELL"
	case "home", "casa":
		return ";TYPE=HOME"
	case "work", "trabajo":
		return ";TYPE=WORK"
	}
	return ""
}

var escapes = strings.NewReplacer("\\", "\\\\", "\r\n", "\\n", "\n", "\\n", "\r", "\\n", ",", "\\,", ";", "\\;")

func escape(s string) string { return escapes.Replace(s) }

// appendLine appends a property, folded so that no line has more than 75 bytes and no character is cut.
func appendLine(b []byte, line string) []byte {
	for room := 75; len(line) > room; room = 74 {
		n := room
		for n > 0 && line[n]&0xc0 == 0x80 {
			n--
		}
		b = append(append(b, line[:n]...), "\r\n "...)
		line = line[n:]
	}
	return append(append(b, line...), "\r\n"...)
}

// ErrNoCard: a text that is no card of a person.
var ErrNoCard = errors.New("this is no card of a person")

// ReadCard reads the card that a QR code holds: one vCard, or a MECARD as older programs write it. ErrNoCard for other texts.
func ReadCard(text string, opt Options) (Person, []Problem, error) {
	text = strings.TrimSpace(text)
	if rest, ok := cutPrefixFold(text, "MECARD:"); ok {
		text = fromMECARD(rest)
	}
	if _, ok := cutPrefixFold(text, "BEGIN:VCARD"); !ok {
		return Person{}, nil, ErrNoCard
	}
	people, problems, err := ReadVCards(strings.NewReader(text), opt)
	if err == nil && len(people) == 0 {
		err = ErrNoCard
	}
	if err != nil {
		return Person{}, problems, err
	}
	return people[0], problems, nil
}

func cutPrefixFold(s, prefix string) (string, bool) {
	if len(s) < len(prefix) || !strings.EqualFold(s[:len(prefix)], prefix) {
		return s, false
	}
	return s[len(prefix):], true
}

// fromMECARD writes a MECARD as a vCard: the two escape alike.
func fromMECARD(s string) string {
	b := appendLine(nil, "BEGIN:VCARD")
	b = appendLine(b, "VERSION:3.0")
	for _, field := range splitEscaped(s, ';') {
		name, value, ok := strings.Cut(field, ":")
		value = strings.TrimSpace(value)
		if !ok || value == "" {
			continue
		}
		switch name = strings.ToUpper(strings.TrimSpace(name)); name {
		case "N": // family name, comma, given name
			parts := splitEscaped(value, ',')
			family, given := parts[0], ""
			if len(parts) > 1 {
				given = parts[1] + " "
			}
			b = appendLine(b, "FN:"+strings.TrimSpace(given+family))
		case "TEL", "EMAIL", "NOTE", "ORG":
			b = appendLine(b, name+":"+value)
		case "BDAY":
			if len(value) == 8 {
				value = value[:4] + "-" + value[4:6] + "-" + value[6:]
			}
			b = appendLine(b, "BDAY:"+value)
		}
	}
	return string(appendLine(b, "END:VCARD"))
}

// splitEscaped splits at a separator that has no backslash before it; what is escaped stays so.
func splitEscaped(s string, sep byte) (parts []string) {
	from := 0
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' {
			i++
		} else if s[i] == sep {
			parts = append(parts, s[from:i])
			from = i + 1
		}
	}
	return append(parts, s[min(from, len(s)):])
}

// AppendCSV appends a record of a table, as spreadsheets take it. Text that begins like a formula is kept from being one.
func AppendCSV(b []byte, fields ...string) []byte {
	for i, f := range fields {
		if i > 0 {
			b = append(b, ',')
		}
		if f != "" && strings.IndexByte("=@\t\r", f[0]) >= 0 || len(f) > 1 && (f[0] == '+' || f[0] == '-') && !isNumber(f[1:]) {
			f = "'" + f
		}
		if !strings.ContainsAny(f, ",;\"\r\n") {
			b = append(b, f...)
			continue
		}
		b = append(b, '"')
		b = append(b, strings.ReplaceAll(f, "\"", "\"\"")...)
		b = append(b, '"')
	}
	return append(b, "\r\n"...)
}

func isNumber(s string) bool {
	for _, c := range []byte(s) {
		if (c < '0' || c > '9') && c != '.' {
			return false
		}
	}
	return s != ""
}

// FieldsOf returns a card's person as fields of a contact.
func (p *Person) FieldsOf() map[string]string {
	f := map[string]string{crdt.FieldName: p.Name, crdt.FieldCompany: p.Company, crdt.FieldNote: p.Note, crdt.FieldBirthday: p.Birthday}
	for _, x := range p.Phones {
		f[crdt.FieldPhone+x.Number] = x.Label
	}
	for _, x := range p.Emails {
		f[crdt.FieldEmail+x.Address] = x.Label
	}
	for _, t := range p.Tags {
		f[crdt.FieldTag+t] = "yes"
	}
	for k, v := range f {
		if v == "" && !strings.Contains(k, "/") {
			delete(f, k)
		}
	}
	return f
}
