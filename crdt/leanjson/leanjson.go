// Package leanjson reads and writes JSON without reflection, for what devices do often and load over slow lines: beside
// encoding/json, with what that brings along, it is some 60 KB less in a browser and several times as fast. It takes and
// refuses what encoding/json does, and writes the same bytes; the tests hold the two against one another.
package leanjson

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// maxDepth bounds how deep values may be nested, as in encoding/json.
const maxDepth = 10_000

// Reader reads a JSON text from front to back. The first error stays; what is read after it is empty. It keeps parts of the
// text.
type Reader struct {
	s     string
	at    int
	depth int
	err   error
}

// NewReader returns a reader of a text.
func NewReader(s string) *Reader { return &Reader{s: s} }

// Err returns what was wrong first.
func (r *Reader) Err() error { return r.err }

// End returns what was wrong first, which may be that the text goes on.
func (r *Reader) End() error {
	if r.space(); r.at < len(r.s) {
		r.wrong("the end")
	}
	return r.err
}

// Fail notes an error at this place, unless there was one before.
func (r *Reader) Fail(err error) {
	if r.err == nil {
		r.err = fmt.Errorf("byte %d: %w", r.at, err)
	}
}

func (r *Reader) wrong(want string) {
	if r.err != nil {
		return
	}
	found := "the end"
	if r.at < len(r.s) {
		found = fmt.Sprintf("%.20q", r.s[r.at:min(len(r.s), r.at+20)])
	}
	r.err = fmt.Errorf("byte %d: %s, want %s", r.at, found, want)
}

func (r *Reader) space() {
	for r.at < len(r.s) {
		switch r.s[r.at] {
		case ' ', '\t', '\n', '\r':
			r.at++
		default:
			return
		}
	}
}

// take reads a character if it comes next.
func (r *Reader) take(c byte) bool {
	r.space()
	if r.err == nil && r.at < len(r.s) && r.s[r.at] == c {
		r.at++
		return true
	}
	return false
}

func (r *Reader) word(w string) bool {
	r.space()
	if r.err == nil && strings.HasPrefix(r.s[r.at:], w) {
		r.at += len(w)
		return true
	}
	return false
}

func (r *Reader) deeper() {
	if r.depth++; r.depth > maxDepth {
		r.wrong("no deeper nesting")
	}
}

// Object reads an object: field is called with each key and must read, or Skip, its value.
func (r *Reader) Object(field func(key string)) {
	if !r.take('{') {
		r.wrong("an object")
		return
	}
	r.deeper()
	defer func() { r.depth-- }()
	if r.take('}') {
		return
	}
	for r.err == nil {
		key := r.String()
		if !r.take(':') {
			r.wrong("a colon")
			return
		}
		field(key)
		if r.take('}') {
			return
		}
		if !r.take(',') {
			r.wrong("a comma or the end of the object")
		}
	}
}

// Array reads an array: element is called before each value and must read, or Skip, it.
func (r *Reader) Array(element func()) {
	if !r.take('[') {
		r.wrong("an array")
		return
	}
	r.deeper()
	defer func() { r.depth-- }()
	if r.take(']') {
		return
	}
	for r.err == nil {
		element()
		if r.take(']') {
			return
		}
		if !r.take(',') {
			r.wrong("a comma or the end of the array")
		}
	}
}

// Null reads null if it comes next.
func (r *Reader) Null() bool { return r.word("null") }

// Bool reads true or false.
func (r *Reader) Bool() bool {
	switch {
	case r.word("true"):
		return true
	case !r.word("false"):
		r.wrong("true or false")
	}
	return false
}

// Int reads an integer that fits into bits.
func (r *Reader) Int(bits int) int64 {
	n, err := strconv.ParseInt(r.number(), 10, bits)
	if err != nil {
		r.wrong("before this an integer that fits")
		return 0
	}
	return n
}

// Uint reads an integer from zero on that fits into bits.
func (r *Reader) Uint(bits int) uint64 {
	n, err := strconv.ParseUint(r.number(), 10, bits)
	if err != nil {
		r.wrong("before this an integer from zero on that fits")
		return 0
	}
	return n
}

// number reads the text of a number.
func (r *Reader) number() string {
	r.space()
	from := r.at
	digits := func() bool {
		start := r.at
		for r.at < len(r.s) && r.s[r.at] >= '0' && r.s[r.at] <= '9' {
			r.at++
		}
		return r.at > start
	}
	is := func(set string) bool {
		if r.at < len(r.s) && strings.IndexByte(set, r.s[r.at]) >= 0 {
			r.at++
			return true
		}
		return false
	}
	is("-")
	if !is("0") && !digits() {
		r.wrong("a number")
		return ""
	}
	if is(".") && !digits() {
		r.wrong("a digit")
		return ""
	}
	if is("eE") {
		if is("+-"); !digits() {
			r.wrong("a digit")
			return ""
		}
	}
	return r.s[from:r.at]
}

// String reads a string. Halves of surrogate pairs and what is not UTF-8 become U+FFFD.
func (r *Reader) String() string {
	if !r.take('"') {
		r.wrong("a string")
		return ""
	}
	from := r.at
	for r.at < len(r.s) {
		c := r.s[r.at]
		switch {
		case c == '"':
			r.at++
			return r.s[from : r.at-1]
		case c == '\\' || c >= utf8.RuneSelf:
			return r.unquote(from)
		case c < ' ':
			r.wrong("no control character in a string")
			return ""
		}
		r.at++
	}
	r.wrong("the end of the string")
	return ""
}

func (r *Reader) unquote(from int) string {
	var b strings.Builder
	b.WriteString(r.s[from:r.at])
	for r.at < len(r.s) {
		c := r.s[r.at]
		switch {
		case c == '"':
			r.at++
			return b.String()
		case c < ' ':
			r.wrong("no control character in a string")
			return ""
		case c == '\\':
			r.at++
			if r.at == len(r.s) {
				break
			}
			i := strings.IndexByte(`"\/bfnrtu`, r.s[r.at])
			if i < 0 {
				r.wrong("an escape")
				return ""
			}
			if r.at++; i < 8 {
				b.WriteByte("\"\\/\b\f\n\r\t"[i])
				continue
			}
			u, ok := r.hex()
			if !ok {
				r.wrong("four hexadecimal digits")
				return ""
			}
			if utf16.IsSurrogate(u) {
				before := r.at
				low := rune(-1)
				if strings.HasPrefix(r.s[r.at:], `\u`) {
					r.at += 2
					if low, ok = r.hex(); !ok {
						low = -1
					}
				}
				if u = utf16.DecodeRune(u, low); u == utf8.RuneError {
					r.at = before
				}
			}
			b.WriteRune(u)
		case c < utf8.RuneSelf:
			b.WriteByte(c)
			r.at++
		default:
			u, n := utf8.DecodeRuneInString(r.s[r.at:])
			b.WriteRune(u)
			r.at += n
		}
	}
	r.wrong("the end of the string")
	return ""
}

func (r *Reader) hex() (rune, bool) {
	if r.at+4 > len(r.s) {
		return 0, false
	}
	var u rune
	for _, c := range []byte(r.s[r.at : r.at+4]) {
		switch {
		case c >= '0' && c <= '9':
			c -= '0'
		case c >= 'a' && c <= 'f':
			c -= 'a' - 10
		case c >= 'A' && c <= 'F':
			c -= 'A' - 10
		default:
			return 0, false
		}
		u = u<<4 | rune(c)
	}
	r.at += 4
	return u, true
}

// Skip reads any value. It does not call itself, so that no text makes a browser's stack overflow.
func (r *Reader) Skip() {
	var open []byte // what is to be closed
	for r.err == nil {
		switch {
		case r.take('{'):
			if !r.take('}') {
				open = append(open, '}')
				r.key()
				continue
			}
		case r.take('['):
			if !r.take(']') {
				open = append(open, ']')
				continue
			}
		default:
			r.scalar()
		}
		if r.depth+len(open) > maxDepth {
			r.wrong("no deeper nesting")
		}
		for { // a value has ended
			n := len(open) - 1
			if n < 0 || r.err != nil {
				return
			}
			if r.take(open[n]) {
				open = open[:n]
				continue
			}
			if !r.take(',') {
				r.wrong("a comma or the end of the list")
				return
			}
			if open[n] == '}' {
				r.key()
			}
			break
		}
	}
}

// Raw reads any value and returns its text.
func (r *Reader) Raw() string {
	r.space()
	from := r.at
	r.Skip()
	return r.s[from:r.at]
}

func (r *Reader) key() {
	_ = r.String()
	if !r.take(':') {
		r.wrong("a colon")
	}
}

func (r *Reader) scalar() {
	r.space()
	if r.err != nil {
		return
	}
	if r.at == len(r.s) {
		r.wrong("a value")
		return
	}
	switch r.s[r.at] {
	case '"':
		_ = r.String()
	case 't', 'f':
		r.Bool()
	case 'n':
		if !r.Null() {
			r.wrong("a value")
		}
	default:
		r.number()
	}
}

// AppendString appends a JSON string. With html what a browser could take for markup is escaped, as json.Marshal does.
func AppendString(b []byte, s string, html bool) []byte {
	const hex = "0123456789abcdef"
	b = append(b, '"')
	from := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c >= utf8.RuneSelf {
			u, n := utf8.DecodeRuneInString(s[i:])
			switch {
			case u == utf8.RuneError && n == 1:
				b = append(append(b, s[from:i]...), `\ufffd`...)
			case u == '\u2028' || u == '\u2029':
				b = append(append(b, s[from:i]...), `\u202`...)
				b = append(b, hex[u&15])
			default:
				i += n
				continue
			}
			i += n
			from = i
			continue
		}
		if c >= ' ' && c != '"' && c != '\\' && (!html || c != '<' && c != '>' && c != '&') {
			i++
			continue
		}
		b = append(b, s[from:i]...)
		if k := strings.IndexByte("\"\\\b\f\n\r\t", c); k >= 0 {
			b = append(b, '\\', `"\bfnrt`[k])
		} else {
			b = append(b, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
		}
		i++
		from = i
	}
	return append(append(b, s[from:]...), '"')
}
