package ranking

import "strings"

// Plural is a category of Unicode's CLDR: in which form a language puts what is counted.
type Plural uint8

// Categories; a language has some of them, and PluralOther for what is in none.
const (
	PluralZero Plural = iota
	PluralOne
	PluralTwo
	PluralFew
	PluralMany
	PluralOther
	NumPlurals
)

var pluralNames = [NumPlurals]string{"zero", "one", "two", "few", "many", "other"}

// String returns CLDR's name, such as "few".
func (p Plural) String() string { return nameOf(pluralNames[:], p) }

// ParsePlural reads a category's name.
func ParsePlural(s string) (Plural, bool) { return parse[Plural](pluralNames[:], s) }

// PluralOf returns the category of a count of 0 or more in a language, by the rules of CLDR for whole numbers. A language that
// is not known here has one form for 1 and another for all else, as most have.
func PluralOf(lang string, n int64) Plural {
	ten, hundred := n%10, n%100
	in := func(n, from, to int64) bool { return from <= n && n <= to }
	choose := func(one, few bool, rest Plural) Plural {
		switch {
		case one:
			return PluralOne
		case few:
			return PluralFew
		}
		return rest
	}
	switch strings.ToLower(base(lang)) {
	case "id", "in", "ja", "km", "ko", "lo", "ms", "my", "th", "vi", "yue", "zh":
		return PluralOther
	case "am", "as", "bn", "fa", "fr", "gu", "hi", "hy", "kn", "si", "zu", "ln", "mg", "pa", "ti", "wa":
		return choose(n <= 1, false, PluralOther)
	case "pt":
		return choose(n == 1 || n == 0 && !sameTag(lang, "pt-PT"), false, PluralOther)
	case "da", "nb", "nn", "no":
		return choose(n == 1, false, PluralOther)
	case "is", "mk":
		return choose(ten == 1 && hundred != 11, false, PluralOther)
	case "fil", "tl":
		return choose(in(n, 1, 3) || ten != 4 && ten != 6 && ten != 9, false, PluralOther)
	case "be", "ru", "uk":
		return choose(ten == 1 && hundred != 11, in(ten, 2, 4) && !in(hundred, 12, 14), PluralMany)
	case "pl":
		return choose(n == 1, in(ten, 2, 4) && !in(hundred, 12, 14), PluralMany)
	case "bs", "hr", "sh", "sr":
		return choose(ten == 1 && hundred != 11, in(ten, 2, 4) && !in(hundred, 12, 14), PluralOther)
	case "cs", "sk":
		return choose(n == 1, in(n, 2, 4), PluralOther)
	case "lt":
		return choose(ten == 1 && !in(hundred, 11, 19), ten >= 2 && !in(hundred, 11, 19), PluralOther)
	case "mo", "ro":
		return choose(n == 1, n == 0 || in(hundred, 1, 19), PluralOther)
	case "lv":
		if ten == 0 || in(hundred, 11, 19) {
			return PluralZero
		}
		return choose(ten == 1, false, PluralOther)
	case "sl":
		if hundred == 2 {
			return PluralTwo
		}
		return choose(hundred == 1, in(hundred, 3, 4), PluralOther)
	case "ar":
		switch {
		case n <= 2:
			return Plural(n)
		case in(hundred, 11, 99):
			return PluralMany
		}
		return choose(false, in(hundred, 3, 10), PluralOther)
	case "he", "iw":
		if n == 2 {
			return PluralTwo
		}
	case "ga":
		switch {
		case n == 2:
			return PluralTwo
		case in(n, 7, 10):
			return PluralMany
		}
		return choose(n == 1, in(n, 3, 6), PluralOther)
	case "cy":
		switch {
		case n <= 3:
			return Plural(n)
		case n == 6:
			return PluralMany
		}
		return PluralOther
	case "mt":
		if in(hundred, 11, 19) {
			return PluralMany
		}
		return choose(n == 1, n == 0 || in(hundred, 2, 10), PluralOther)
	}
	return choose(n == 1, false, PluralOther)
}

// form picks the form of a count out of "one:# day|other:# days", where # stands for the number; that of other when a
// language's own is not written.
func form(forms, lang, number string, n int64) string {
	want, other := PluralOf(lang, n).String(), ""
	for forms != "" {
		var f string
		f, forms, _ = strings.Cut(forms, "|")
		name, words, _ := strings.Cut(f, ":")
		if name == want {
			other = words
			break
		}
		if name == "other" {
			other = words
		}
	}
	return strings.ReplaceAll(other, "#", number)
}
