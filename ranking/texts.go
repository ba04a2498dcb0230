package ranking

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// inBoth is a text in the two languages of all that comes with the code.
func inBoth(en, es string) Texts { return Texts{{"en", en}, {"es", es}} }

// In returns the text for somebody who reads a language: in that language exactly, or in another form of it ("es" for
// "es-MX"), or in the first language that there is. It is empty when there are no texts.
func (t Texts) In(lang string) string { return t.pick(lang).Text }

// pick is In, with the language that it came to. Of several forms of a language the plain one goes first, then the order.
func (t Texts) pick(lang string) Phrase {
	best, rank := Phrase{}, 0
	for i, p := range t {
		r := 1
		switch {
		case sameTag(p.Lang, lang):
			return p
		case sameTag(p.Lang, base(lang)):
			r = 3
		case sameTag(base(p.Lang), base(lang)):
			r = 2
		case i > 0:
			r = 0
		}
		if r > rank {
			best, rank = p, r
		}
	}
	return best
}

// same is In, but empty where there is no text in that very language: it goes into a text of that language.
func (t Texts) same(lang string) string {
	if p := t.pick(lang); sameTag(base(p.Lang), base(lang)) {
		return p.Text
	}
	return ""
}

// whole says whether there is a text, and words and language in all of them.
func (t Texts) whole() bool {
	for _, p := range t {
		if p.Lang == "" || p.Text == "" {
			return false
		}
	}
	return len(t) > 0
}

// base returns the language of a tag: "es" of "es-MX" and of "es_MX".
func base(tag string) string {
	if i := strings.IndexAny(tag, "-_"); i >= 0 {
		return tag[:i]
	}
	return tag
}

// sameTag compares two tags, whose case and choice of dash say nothing.
func sameTag(a, b string) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range len(a) {
		if foldTag(a[i]) != foldTag(b[i]) {
			return false
		}
	}
	return true
}

func foldTag(c byte) byte {
	switch {
	case 'A' <= c && c <= 'Z':
		return c + 'a' - 'A'
	case c == '_':
		return '-'
	}
	return c
}

// blanks are what a text's placeholders stand for; days below zero: not known.
type blanks struct {
	name, sender string
	days         int64
	lang         string // of the text: it says in which form days are counted
}

// fill puts names and numbers into a text, once: what a name holds stays as it is. A placeholder that stands for nothing
// goes away with the comma and the space that led to it; where it opened a sentence, with those behind it, and the next
// word opens the sentence. Braces around anything else stay.
func (b *blanks) fill(text string) string {
	if !strings.Contains(text, "{") {
		return text
	}
	out := make([]byte, 0, len(text)+len(b.name)+len(b.sender))
	opens := false // the next letter opens the sentence, as the name that did is not there
	for len(text) > 0 {
		value, n, ok := b.at(text)
		switch {
		case !ok:
			r, n := utf8.DecodeRuneInString(text)
			if opens && unicode.IsLetter(r) {
				out = utf8.AppendRune(out, unicode.ToUpper(r))
			} else {
				out = append(out, text[:n]...)
			}
			opens = opens && !unicode.IsLetter(r)
			text = text[n:]
		case value != "":
			if strings.HasPrefix(text, "{days}") && b.days == 1 {
				text = text[:n] + oneDay(text[n:])
			}
			out = append(out, value...)
			opens, text = false, text[n:]
		default:
			text = text[n:]
			kept := strings.TrimRight(string(out), " ,")
			if last, _ := utf8.DecodeLastRuneInString(kept); kept == "" || strings.ContainsRune(".!?¡¿:…\n", last) {
				text = strings.TrimLeft(text, " ,")
				opens = true
			} else {
				out = out[:len(kept)]
			}
		}
	}
	return string(out)
}

// oneDay puts the word that follows the number of days in the singular, in the languages that this package speaks.
func oneDay(rest string) string {
	for _, unit := range [...]string{" days", " días"} {
		if after, ok := strings.CutPrefix(rest, unit); ok {
			if next, _ := utf8.DecodeRuneInString(after); !unicode.IsLetter(next) {
				return unit[:len(unit)-1] + after
			}
		}
	}
	return rest
}

// at reads a placeholder at the beginning of a text: what it stands for, and its length.
func (b *blanks) at(text string) (value string, n int, ok bool) {
	switch {
	case strings.HasPrefix(text, "{name}"):
		return b.name, len("{name}"), true
	case strings.HasPrefix(text, "{sender}"):
		return b.sender, len("{sender}"), true
	case strings.HasPrefix(text, "{days}"):
		if b.days < 0 {
			return "", len("{days}"), true
		}
		return strconv.FormatInt(b.days, 10), len("{days}"), true
	case strings.HasPrefix(text, "{days|"):
		end := strings.IndexByte(text, '}')
		if end < 0 {
			return "", 0, false
		}
		if b.days < 0 {
			return "", end + 1, true
		}
		return form(text[len("{days|"):end], b.lang, strconv.FormatInt(b.days, 10), b.days), end + 1, true
	}
	return "", 0, false
}
