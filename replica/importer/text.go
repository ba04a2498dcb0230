package importer

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// readText reads a whole text file as UTF-8: from UTF-8, UTF-16 (with or without a mark) or, line by line where it is
// not UTF-8, Windows-1252. Memory: at most three times the file.
func readText(r io.Reader, opt *Options) (string, error) {
	b, err := io.ReadAll(&limited{r: r, max: opt.MaxBytes})
	if err != nil {
		return "", err
	}
	if len(b) == 0 {
		return "", errors.New("the file has no rows: it is empty")
	}
	return decodeText(b), nil
}

func decodeText(b []byte) string {
	if order := utf16Order(b); order != nil {
		return decodeUTF16(b, order)
	}
	b = trimBOM(b)
	if utf8.Valid(b) {
		return string(b)
	}
	var out strings.Builder
	out.Grow(len(b) + len(b)/8)
	for len(b) > 0 {
		line := b
		if i := bytes.IndexByte(b, '\n'); i >= 0 {
			line = b[:i+1]
		}
		b = b[len(line):]
		out.WriteString(decodeBytes(line, ""))
	}
	return out.String()
}

func trimBOM(b []byte) []byte {
	if len(b) >= 3 && string(b[:3]) == "\ufeff" {
		return b[3:]
	}
	return b
}

// utf16Order tells the byte order of UTF-16 text, or nil for text that is not: by its mark, else by the zero bytes of
// its first characters.
func utf16Order(b []byte) binary.ByteOrder {
	if len(b) >= 2 && b[0] == 0xFF && b[1] == 0xFE {
		return binary.LittleEndian
	}
	if len(b) >= 2 && b[0] == 0xFE && b[1] == 0xFF {
		return binary.BigEndian
	}
	if len(b) < 4 {
		return nil
	}
	n := min(len(b), 512) &^ 1
	var even, odd int
	for i := 0; i < n; i += 2 {
		if b[i] == 0 {
			even++
		}
		if b[i+1] == 0 {
			odd++
		}
	}
	switch {
	case odd > n/4 && even == 0:
		return binary.LittleEndian
	case even > n/4 && odd == 0:
		return binary.BigEndian
	}
	return nil
}

func decodeUTF16(b []byte, order binary.ByteOrder) string {
	var out strings.Builder
	out.Grow(len(b))
	for i := 0; i+1 < len(b); i += 2 {
		r := rune(order.Uint16(b[i:]))
		if utf16.IsSurrogate(r) && i+3 < len(b) {
			if full := utf16.DecodeRune(r, rune(order.Uint16(b[i+2:]))); full != utf8.RuneError {
				r = full
				i += 2
			}
		}
		if i == 0 && r == '\ufeff' {
			continue
		}
		out.WriteRune(r)
	}
	return out.String()
}

// charset is the upper half of a character set of one byte. The library of all sets would weigh as much as this whole
// package; these are the sets that address books of old telephones name.
type charset string

const (
	windows1252 charset = "€\ufffd‚ƒ„…†‡ˆ‰Š‹Œ\ufffdŽ\ufffd\ufffd‘’“”•–—˜™š›œ\ufffdžŸ" +
		"\u00a0¡¢£¤¥¦§¨©ª«¬\u00ad®¯°±²³´µ¶·¸¹º»¼½¾¿" +
		"ÀÁÂÃÄÅÆÇÈÉÊËÌÍÎÏÐÑÒÓÔÕÖ×ØÙÚÛÜÝÞß" +
		"àáâãäåæçèéêëìíîïðñòóôõö÷øùúûüýþÿ"
	iso8859x2 charset = "\ufffd\ufffd\ufffd\ufffd\ufffd\ufffd\ufffd\ufffd\ufffd\ufffd\ufffd\ufffd\ufffd\ufffd\ufffd\ufffd\ufffd\ufffd\ufffd\ufffd\ufffd\ufffd\ufffd\ufffd\ufffd\ufffd\ufffd\ufffd\ufffd\ufffd\ufffd\ufffd" +
		"\u00a0Ą˘Ł¤ĽŚ§¨ŠŞŤŹ\u00adŽŻ°ą˛ł´ľśˇ¸šşťź˝žż" +
		"ŔÁÂĂÄĹĆÇČÉĘËĚÍÎĎĐŃŇÓÔŐÖ×ŘŮÚŰÜÝŢß" +
		"ŕáâăäĺćçčéęëěíîďđńňóôőö÷řůúűüýţ˙"
	iso8859x15 charset = "\ufffd\ufffd\ufffd\ufffd\ufffd\ufffd\ufffd\ufffd\ufffd\ufffd\ufffd\ufffd\ufffd\ufffd\ufffd\ufffd\ufffd\ufffd\ufffd\ufffd\ufffd\ufffd\ufffd\ufffd\ufffd\ufffd\ufffd\ufffd\ufffd\ufffd\ufffd\ufffd" +
		"\u00a0¡¢£€¥Š§š©ª«¬\u00ad®¯°±²³Žµ¶·ž¹º»ŒœŸ¿" +
		"ÀÁÂÃÄÅÆÇÈÉÊËÌÍÎÏÐÑÒÓÔÕÖ×ØÙÚÛÜÝÞß" +
		"àáâãäåæçèéêëìíîïðñòóôõö÷øùúûüýþÿ"
	windows1250 charset = "€\ufffd‚\ufffd„…†‡\ufffd‰Š‹ŚŤŽŹ\ufffd‘’“”•–—\ufffd™š›śťžź" +
		"\u00a0ˇ˘Ł¤Ą¦§¨©Ş«¬\u00ad®Ż°±˛ł´µ¶·¸ąş»Ľ˝ľż" +
		"ŔÁÂĂÄĹĆÇČÉĘËĚÍÎĎĐŃŇÓÔŐÖ×ŘŮÚŰÜÝŢß" +
		"ŕáâăäĺćçčéęëěíîďđńňóôőö÷řůúűüýţ˙"
	windows1251 charset = "ЂЃ‚ѓ„…†‡€‰Љ‹ЊЌЋЏђ‘’“”•–—\ufffd™љ›њќћџ" +
		"\u00a0ЎўЈ¤Ґ¦§Ё©Є«¬\u00ad®Ї°±Ііґµ¶·ё№є»јЅѕї" +
		"АБВГДЕЖЗИЙКЛМНОПРСТУФХЦЧШЩЪЫЬЭЮЯ" +
		"абвгдежзийклмнопрстуфхцчшщъыьэюя"
	koi8r charset = "\u2500\u2502\u250c\u2510\u2514\u2518\u251c\u2524\u252c\u2534\u253c\u2580\u2584\u2588\u258c\u2590\u2591\u2592\u2593⌠\u25a0∙√≈≤≥\u00a0⌡°²·÷" +
		"\u2550\u2551\u2552ё\u2553\u2554\u2555\u2556\u2557\u2558\u2559\u255a\u255b\u255c\u255d\u255e\u255f\u2560\u2561Ё\u2562\u2563\u2564\u2565\u2566\u2567\u2568\u2569\u256a\u256b\u256c©" +
		"юабцдефгхийклмнопярстужвьызшэщчъ" +
		"ЮАБЦДЕФГХИЙКЛМНОПЯРСТУЖВЬЫЗШЭЩЧЪ"
)

// charsetOf finds a set by its name; "": it is not known, or UTF-8.
func charsetOf(name string) charset {
	switch strings.ToLower(name) {
	case "iso-8859-1", "latin1", "us-ascii", "windows-1252", "cp1252":
		return windows1252 // as browsers read them
	case "iso-8859-2":
		return iso8859x2
	case "iso-8859-15":
		return iso8859x15
	case "windows-1250":
		return windows1250
	case "windows-1251":
		return windows1251
	case "koi8-r":
		return koi8r
	}
	return ""
}

// decodeBytes reads bytes in a charset; "": UTF-8, and Windows-1252 when they are not that.
func decodeBytes(b []byte, cs charset) string {
	if cs == "" {
		if utf8.Valid(b) {
			return string(b)
		}
		cs = windows1252
	}
	half := []rune(cs)
	var out strings.Builder
	out.Grow(len(b) + len(b)/4)
	for _, c := range b {
		if c < utf8.RuneSelf {
			out.WriteByte(c)
		} else {
			out.WriteRune(half[c-utf8.RuneSelf])
		}
	}
	return out.String()
}

// fold brings a header or a word to one spelling: lower case, no accents, words apart by one space. "InvoiceDate",
// "invoice_date" and "Invoice  date" are one; so are "Teléfono móvil" and "telefono movil".
func fold(s string) string {
	var b strings.Builder
	gap, lower := false, false
	for i, r := range s {
		if i > 200 {
			break
		}
		if !unicode.IsLetter(r) && !unicode.IsDigit(r) {
			gap, lower = true, false
			continue
		}
		if unicode.IsUpper(r) && lower {
			gap = true
		}
		lower = unicode.IsLower(r)
		if gap && b.Len() > 0 {
			b.WriteByte(' ')
		}
		gap = false
		r = unicode.ToLower(r)
		if plain, ok := plainLetters[r]; ok {
			b.WriteString(plain)
		} else {
			b.WriteRune(r)
		}
	}
	return b.String()
}

// plainLetters maps the accented letters of the languages whose headers are known.
var plainLetters = func() map[rune]string {
	m := map[rune]string{'ß': "ss", 'æ': "ae", 'œ': "oe", 'ø': "o", 'ł': "l", 'đ': "d"}
	for _, group := range []string{
		"aáàâäãåāă", "cçćč", "eéèêëēěę", "iíìîïī", "nñńň", "oóòôöõō", "uúùûüūů", "yýÿ", "sśšş", "zźżž", "rř", "tťţ", "gğ",
	} {
		plain := group[:1]
		for _, r := range group[1:] {
			m[r] = plain
		}
	}
	return m
}()

// clean makes text fit for a register: valid UTF-8, no control or direction characters, no space around it, at most
// max bytes (whole characters). Line breaks stay when multiline is set.
func clean(s string, limit int, multiline bool) string {
	plain := true
	for i := range len(s) {
		if s[i] < ' ' || s[i] >= 0x7f {
			plain = false
			break
		}
	}
	if !plain {
		s = strings.Map(func(r rune) rune {
			switch {
			case r == '\n' && multiline:
				return r
			case r == '\t' || r == '\n' || r == '\u00a0' || r == '\u202f':
				return ' '
			case r == utf8.RuneError || unicode.IsControl(r) || r >= 0x200e && r <= 0x200f || r >= 0x202a && r <= 0x202e ||
				r >= 0x2066 && r <= 0x2069 || r == 0xfeff:
				return -1
			}
			return r
		}, strings.ReplaceAll(s, "\r\n", "\n"))
	}
	s = strings.TrimSpace(s)
	if !multiline && strings.Contains(s, "  ") {
		s = strings.Join(strings.Fields(s), " ")
	}
	if len(s) > limit {
		s = s[:limit]
		for !utf8.ValidString(s) {
			s = s[:len(s)-1]
		}
		s = strings.TrimSpace(s)
	}
	return s
}
