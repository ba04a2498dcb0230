package importer

import (
	"strings"
	"unicode"
)

// money reads one column of amounts. Which of point and comma parts the cents is decided by the whole column: learn
// every value, decide, then read.
type money struct {
	votes   map[byte]int // for '.' and ','
	decimal byte         // '.' or ',', or 0: no value has cents, and both only part the thousands
}

// maxCents bounds one amount: a hundred thousand million. What is above is a number of something else.
const maxCents = 10_000_000_000_000

// bare strips an amount to its digits, points and commas; ok is false when it is not an amount.
func bare(s string) (digits, currency string, negative, ok bool) {
	s = strings.TrimSpace(s)
	if s == "" || len(s) > 60 {
		return "", "", false, false
	}
	simple := true
	for i := range len(s) {
		if c := s[i]; (c < '0' || c > '9') && c != '.' && c != ',' {
			simple = false
			break
		}
	}
	if simple {
		return s, "", false, strings.ContainsAny(s, "0123456789")
	}
	if strings.HasPrefix(s, "(") && strings.HasSuffix(s, ")") {
		negative, s = true, s[1:len(s)-1]
	}
	var b, letters strings.Builder
	for _, r := range s {
		switch {
		case r >= '0' && r <= '9' || r == '.' || r == ',':
			if r != '.' || b.Len() > 0 || letters.Len() == 0 { // the point of "kr." or "Rs." is not of the number
				b.WriteRune(r)
			}
		case r == '-' || r == '−' || r == '–':
			if negative {
				return "", "", false, false
			}
			negative = true
		case r == '+' || r == '\'' || r == '’' || unicode.IsSpace(r) || unicode.Is(unicode.Cf, r):
		case unicode.IsLetter(r) || unicode.Is(unicode.Sc, r):
			letters.WriteRune(r)
		default:
			return "", "", false, false
		}
	}
	currency, ok = currencyOf(letters.String())
	digits = b.String()
	return digits, currency, negative, ok && strings.ContainsAny(digits, "0123456789")
}

// currencyOf reads a symbol or code; "$" and "kr" belong to many, so they are "" and leave it to Options.
func currencyOf(s string) (code string, ok bool) {
	switch strings.ToUpper(s) {
	case "", "$", "KR", "¢", "FR":
		return "", true
	case "€", "EUROS", "EURO":
		return "EUR", true
	case "£":
		return "GBP", true
	case "US$", "$US", "USD$":
		return "USD", true
	case "R$":
		return "BRL", true
	case "¥", "￥":
		return "JPY", true
	case "₹", "RS":
		return "INR", true
	case "ZŁ", "ZL":
		return "PLN", true
	case "C$", "CA$":
		return "CAD", true
	case "A$", "AU$":
		return "AUD", true
	case "MX$":
		return "MXN", true
	case "₺", "TL":
		return "TRY", true
	case "₽":
		return "RUB", true
	}
	if isCurrency(strings.ToUpper(s)) {
		return strings.Clone(strings.ToUpper(s)), true
	}
	return "", false
}

func isCurrency(s string) bool {
	return len(s) == 3 && strings.Trim(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") == ""
}

func (m *money) learn(s string) {
	s, _, _, ok := bare(s)
	if !ok {
		return
	}
	point, comma := strings.LastIndexByte(s, '.'), strings.LastIndexByte(s, ',')
	if point < 0 && comma < 0 {
		return
	}
	if m.votes == nil {
		m.votes = map[byte]int{}
	}
	vote := func(last int, c, other byte) {
		head := s[:last]
		switch tail := s[last+1:]; {
		case strings.IndexByte(head, c) >= 0:
			m.votes[other]++ // it comes twice: it parts thousands
		case len(tail) != 3 || last > 3 || last == 0 || head == "0":
			m.votes[c]++
		}
	}
	switch {
	case point > comma && comma >= 0:
		m.votes['.']++
	case comma > point && point >= 0:
		m.votes[',']++
	case point >= 0:
		vote(point, '.', ',')
	default:
		vote(comma, ',', '.')
	}
}

func (m *money) decide() {
	switch point, comma := m.votes['.'], m.votes[',']; {
	case point > 0 && point >= comma:
		m.decimal = '.'
	case comma > 0:
		m.decimal = ','
	}
}

// read returns an amount in hundredths, rounded half away from zero.
func (m *money) read(s string) (cents int64, currency string, ok bool) {
	s, currency, negative, ok := bare(s)
	if !ok {
		return 0, "", false
	}
	whole, fraction := s, ""
	if m.decimal != 0 {
		if i := strings.IndexByte(s, m.decimal); i >= 0 {
			whole, fraction = s[:i], s[i+1:]
			if strings.ContainsAny(fraction, ".,") {
				return 0, "", false
			}
		}
	}
	since := -1 // digits since the last separator of thousands
	for i := range len(whole) {
		c := whole[i]
		if c == '.' || c == ',' {
			if i == 0 || since == 0 {
				return 0, "", false
			}
			since = 0
			continue
		}
		if since >= 0 {
			since++
		}
		if cents = cents*10 + int64(c-'0'); cents > maxCents/100 {
			return 0, "", false
		}
	}
	if since >= 0 && since != 3 {
		return 0, "", false
	}
	cents *= 100
	for i := range len(fraction) {
		switch d := int64(fraction[i] - '0'); {
		case i == 0:
			cents += 10 * d
		case i == 1:
			cents += d
		case i == 2 && d >= 5:
			cents++
		}
	}
	if negative {
		cents = -cents
	}
	return cents, currency, true
}
