package importer

import (
	"strings"
	"unicode"

	"trio/crdt"
)

// country is what NormalizePhone knows of one calling code: the prefixes that are dialled inside the country only,
// longest first, and how many digits follow the code.
type country struct {
	code     string
	trunks   string // separated by a space; "-": none, a leading 0 belongs to the number
	min, max int
}

// countries: those of our markets whose rules differ from the common one (a trunk 0, any length), or whose fixed length
// tells a number with its calling code from one without. The full metadata of every numbering plan is larger than the
// device's whole core may be; a number that this table lets through wrongly is still a number, and is dialled as the
// person wrote it. A code that is not listed has trunk 0 and 4 to 14 digits.
var countries = []country{
	{"1", "1", 10, 10},             // USA, Canada, Caribbean
	{"7", "8", 10, 10},             // Russia, Kazakhstan
	{"20", "0", 8, 10},             // Egypt
	{"27", "0", 9, 9},              // South Africa
	{"30", "-", 10, 10},            // Greece
	{"31", "0", 9, 9},              // Netherlands
	{"32", "0", 8, 9},              // Belgium
	{"33", "0", 9, 9},              // France
	{"34", "-", 9, 9},              // Spain
	{"36", "06", 8, 9},             // Hungary
	{"39", "-", 6, 11},             // Italy and the Vatican: the 0 stays
	{"41", "0", 9, 9},              // Switzerland
	{"44", "0", 7, 10},             // United Kingdom
	{"45", "-", 8, 8},              // Denmark
	{"46", "0", 7, 9},              // Sweden
	{"47", "-", 8, 8},              // Norway
	{"48", "-", 9, 9},              // Poland
	{"49", "0", 6, 11},             // Germany
	{"52", "045 044 01 1", 10, 10}, // Mexico: also the 1 of mobile numbers before 2019
	{"55", "0", 10, 11},            // Brazil
	{"56", "0", 9, 9},              // Chile
	{"57", "0", 10, 10},            // Colombia
	{"61", "0", 9, 9},              // Australia
	{"64", "0", 8, 10},             // New Zealand
	{"65", "-", 8, 8},              // Singapore
	{"225", "-", 10, 10},           // Côte d'Ivoire: the 0 stays
	{"241", "0", 7, 8},             // Gabon
	{"242", "-", 9, 9},             // Congo: the 0 stays
	{"351", "-", 9, 9},             // Portugal
	{"353", "0", 7, 9},             // Ireland
	{"370", "8 0", 8, 8},           // Lithuania
	{"378", "-", 6, 10},            // San Marino: the 0 stays
	{"420", "-", 9, 9},             // Czechia
	{"852", "-", 8, 8},             // Hong Kong
}

// NormalizePhone returns a number as + and 7 to 15 digits (E.164), and whether there is one: 00 (in North America 011)
// becomes +, a trunk 0 goes where the country has one (Italy, San Marino, Côte d'Ivoire and Congo keep theirs), an
// extension goes, letters are refused. The calling code, "+34", is for numbers without one; "" refuses those.
func NormalizePhone(s, callingCode string) (string, bool) {
	if len(s) > 200 {
		return "", false
	}
	digits, plus, ok := phoneDigits(s)
	if !ok {
		return "", false
	}
	own, _ := callingDigits(callingCode)
	switch {
	case plus:
	case own == "1" && len(digits) > 11 && strings.HasPrefix(digits, "011"):
		digits, plus = digits[3:], true
	case strings.HasPrefix(digits, "00"):
		digits, plus = digits[2:], true
	}
	if !plus {
		if own == "" {
			return "", false
		}
		c := countryOf(own)
		// The calling code without its +, as address books export it: only when the rest has the right length and the
		// whole has not.
		rest, has := strings.CutPrefix(digits, own)
		if !has || !c.fits(c.national(rest)) || c.fits(c.national(digits)) {
			rest = digits
		}
		digits = own + c.national(rest)
	}
	// Whatever the way, the same end: code, then the number as the country writes it without its trunk prefix.
	for _, n := range []int{1, 2, 3} {
		if len(digits) > n {
			if c := countryOf(digits[:n]); c.known() {
				national := c.national(digits[n:])
				if !c.fits(national) {
					return "", false
				}
				digits = digits[:n] + national
				break
			}
		}
	}
	e164 := "+" + digits
	return e164, crdt.IsE164(e164)
}

// phoneDigits takes the digits out of what a person wrote; ok is false when it is not a phone number.
func phoneDigits(s string) (digits string, plus, ok bool) {
	s = strings.TrimSpace(s)
	if len(s) > 4 && strings.EqualFold(s[:4], "tel:") {
		s = s[4:]
	}
	var b strings.Builder
	for i, r := range s {
		switch {
		case r == '0' && plus && i > 0 && strings.HasPrefix(s[i-1:], "(0)") && countryOf(b.String()).trunks != "-":
			// "+44 (0)20 …": the 0 that is dialled at home.
		case r >= '0' && r <= '9':
			b.WriteRune(r)
		case r == '+' || r == '＋':
			if plus || b.Len() > 0 {
				return "", false, false
			}
			plus = true
		case strings.ContainsRune(" ().-/\u00a0\u2007\u2009\u202f\t'", r), unicode.Is(unicode.Pd, r), unicode.Is(unicode.Cf, r):
		case r == ';' || r == ',' || r == '#' || r == 'x' || r == 'X' || r == '*' || r == '~':
			return b.String(), plus, b.Len() >= 4
		case unicode.IsLetter(r):
			word := strings.ToLower(s[i:])
			for _, ext := range []string{"ext", "int", "durchwahl", "dw", "poste", "ramal", "anexo"} {
				if strings.HasPrefix(word, ext) && strings.ContainsAny(word, "0123456789") {
					return b.String(), plus, b.Len() >= 4
				}
			}
			return "", false, false
		case unicode.IsDigit(r):
			if d, ok := digitOf(r); ok {
				b.WriteByte('0' + d)
				continue
			}
			return "", false, false
		default:
			return "", false, false
		}
	}
	return b.String(), plus, b.Len() >= 4
}

// digitOf reads the digits of other scripts that phones write: Arabic, Persian, Devanagari, full width.
func digitOf(r rune) (byte, bool) {
	for _, zero := range []rune{'٠', '۰', '०', '０'} {
		if r >= zero && r <= zero+9 {
			return byte(r - zero), true
		}
	}
	return 0, false
}

// callingDigits returns the digits of "+34" or "34".
func callingDigits(code string) (string, bool) {
	d := strings.TrimPrefix(strings.TrimSpace(code), "+")
	if len(d) < 1 || len(d) > 3 || d[0] == '0' || strings.Trim(d, "0123456789") != "" {
		return "", false
	}
	return d, true
}

func countryOf(code string) country {
	for _, c := range countries {
		if c.code == code {
			return c
		}
	}
	return country{trunks: "0", min: 4, max: 14}
}

func (c country) known() bool { return c.code != "" }

// national removes the trunk prefixes. Where a number without its prefix could begin with the same digits (Mexico's 1,
// Russia's 8, North America's 1), it goes only from a number that is too long by it.
func (c country) national(digits string) string {
	if c.trunks == "-" {
		return digits
	}
	for trunk := range strings.SplitSeq(c.trunks, " ") {
		for strings.HasPrefix(digits, trunk) && (trunk[0] == '0' || len(digits) > c.max) {
			digits = digits[len(trunk):]
		}
	}
	return digits
}

func (c country) fits(national string) bool {
	return len(national) >= c.min && len(national) <= c.max && (c.code != "1" || national[0] > '1')
}
