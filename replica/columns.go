package replica

import (
	"strings"
	"unicode"

	"trio/crdt/leanjson"
)

// Lists of a contact are JSON in one column: pairs [["+34…","mobile"],…] and texts.

func labelledColumn(all []Labelled) string {
	b := []byte{'['}
	for i, l := range all {
		if i > 0 {
			b = append(b, ',')
		}
		b = leanjson.AppendString(append(b, '['), l.Value, true)
		b = append(leanjson.AppendString(append(b, ','), l.Label, true), ']')
	}
	return string(append(b, ']'))
}

func readLabelled(column string) (all []Labelled, err error) {
	r := leanjson.NewReader(column)
	r.Array(func() {
		var pair [2]string
		i := 0
		r.Array(func() {
			if s := r.String(); i < 2 {
				pair[i] = s
			}
			i++
		})
		all = append(all, Labelled{pair[0], pair[1]})
	})
	return all, r.End()
}

func textsColumn(all []string) string {
	b := []byte{'['}
	for i, s := range all {
		if i > 0 {
			b = append(b, ',')
		}
		b = leanjson.AppendString(b, s, true)
	}
	return string(append(b, ']'))
}

func readTexts(column string) (all []string, err error) {
	r := leanjson.NewReader(column)
	r.Array(func() { all = append(all, r.String()) })
	return all, r.End()
}

// fold makes text comparable for a search: lower case, without accents, single spaces.
func fold(s string) string {
	var b strings.Builder
	space := false
	for _, c := range decomposed(s) {
		switch {
		case unicode.Is(unicode.Mn, c):
		case unicode.IsSpace(c):
			space = b.Len() > 0
		default:
			if space {
				b.WriteByte(' ')
				space = false
			}
			b.WriteRune(unicode.ToLower(c))
		}
	}
	return b.String()
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= 0x80 {
			return false
		}
	}
	return true
}
