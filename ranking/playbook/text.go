package playbook

import (
	"strings"

	"trio/ranking"
)

// kind is what a string has to be.
type kind struct {
	what string // for the remedy: "a name in lower case …"
	max  int    // bytes
	ok   func(string) string
}

// The kinds of strings. ok says what is wrong, or "".
var (
	titleKind = kind{"a name of up to 80 letters", 320, func(s string) string { return line(s, 80) }}
	labelKind = kind{"a name of up to 40 letters", 160, func(s string) string { return line(s, 40) }}
	langKind  = kind{"a language tag such as \"en\", \"es\" or \"pt-BR\"", 16, language}
	slugKind  = kind{"a lower-case letter, then up to 31 letters, digits or hyphens", 32, slug}
	entryKind = kind{"the kind of a log entry, such as \"call\", \"text\" or \"learn\"", 32, entry}
	colorKind = kind{"a color such as \"#0b6e4f\"", 7, color}
	paramKind = kind{"the name of a parameter: up to 32 letters, digits, hyphens, dots or underscores", 32, param}
	urlKind   = kind{"an address that begins with https://", 2000, address}
	logoKind  = kind{"an SVG document (\"<svg …\") or a data URI of a PNG, JPEG or WebP picture, of at most 64 KiB", MaxLogo, logo}
)

// textKind is what a text has to be.
type textKind struct {
	max   int    // characters
	holes string // the names in braces that it may have, with spaces round each; one in capitals has to be there
	need  string // one of them that has to be there
}

const people = " name sender "

var (
	verbTexts    = textKind{80, " name ", "name"}
	bothTexts    = textKind{120, people, "name"}
	nameTexts    = textKind{120, " name ", "name"}
	senderTexts  = textKind{120, " sender ", "sender"}
	plainTexts   = textKind{120, "", ""}
	labelTexts   = textKind{60, "", ""}
	purposeTexts = textKind{120, "", ""}
	becauseTexts = textKind{160, " days ", ""}
	noticeTexts  = textKind{160, " name ", ""}
	messageTexts = textKind{600, people + "days ", ""}
	stepTexts    = textKind{600, "", ""}
	titleTexts   = textKind{120, "", ""}
	summaryTexts = textKind{400, "", ""}
)

// line says what is wrong with a single line of text for people.
func line(s string, most int) string {
	n, seen := 0, false
	for _, c := range s {
		n++
		seen = seen || c != ' ' && !unseen(c)
		if c < ' ' || c == 0x7f || c >= 0x80 && c < 0xa0 || c == 0x2028 || c == 0x2029 {
			return "has a line break or another character that cannot be seen"
		}
	}
	switch {
	case n > most:
		return "has " + number(int64(n)) + " characters, more than " + number(int64(most))
	case strings.TrimSpace(s) == "":
		return "is empty"
	case !seen:
		return "has no character that can be seen"
	case strings.TrimSpace(s) != s:
		return "begins or ends with a space"
	}
	return ""
}

// unseen says whether a character shows nothing by itself: spaces, soft hyphens, joiners, marks of direction, fillers.
func unseen(c rune) bool {
	switch {
	case c == 0xa0, c == 0xad, c == 0x34f, c == 0x61c, c == 0x115f, c == 0x1160, c == 0x1680, c == 0x17b4, c == 0x17b5,
		c >= 0x180b && c <= 0x180f, c >= 0x2000 && c <= 0x200f, c >= 0x202a && c <= 0x202f, c >= 0x205f && c <= 0x206f, c == 0x2800,
		c == 0x3000, c == 0x3164, c >= 0xfe00 && c <= 0xfe0f, c == 0xfeff, c == 0xffa0, c >= 0xe0000 && c <= 0xe0fff:
		return true
	}
	return false
}

func slug(s string) string {
	for i, c := range []byte(s) {
		if !lower(c) && (i == 0 || !digit(c) && c != '-') {
			return "is no such name"
		}
	}
	if s == "" {
		return "is empty"
	}
	return ""
}

func param(s string) string {
	if !all(s, func(c byte) bool { return lower(c) || upper(c) || digit(c) || c == '-' || c == '.' || c == '_' }) {
		return "is no such name"
	}
	if s == "" {
		return "is empty"
	}
	return ""
}

func entry(s string) string {
	for i, c := range []byte(s) {
		if !lower(c) && (i == 0 || !digit(c) && c != '-' && c != '_' && c != '.') {
			return "is no such name"
		}
	}
	if s == "" {
		return "is empty"
	}
	return ""
}

// language accepts the usual language tags: "es", "pt-BR", "zh-Hant", "es-419".
func language(s string) string {
	const wrong = "is no language tag"
	parts := strings.Split(s, "-")
	if n := len(parts[0]); n < 2 || n > 3 || !all(parts[0], lower) {
		return wrong
	}
	rest := parts[1:]
	if len(rest) > 0 && len(rest[0]) == 4 {
		if !upper(rest[0][0]) || !all(rest[0][1:], lower) {
			return wrong
		}
		rest = rest[1:]
	}
	if len(rest) > 0 && (len(rest[0]) == 2 && all(rest[0], upper) || len(rest[0]) == 3 && all(rest[0], digit)) {
		rest = rest[1:]
	}
	if len(rest) > 0 {
		return wrong
	}
	return ""
}

func color(s string) string {
	if len(s) != 7 || s[0] != '#' || !all(s[1:], func(c byte) bool { return digit(c) || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F' }) {
		return "is no color"
	}
	return ""
}

// address accepts https addresses with a host and nothing that could be read as anything else.
func address(s string) string {
	rest, ok := strings.CutPrefix(s, "https://")
	if !ok {
		return "does not begin with https://"
	}
	for _, c := range []byte(s) {
		if c <= ' ' || c >= 0x7f || strings.IndexByte("\"<>\\^`{|}", c) >= 0 {
			return "has a character that an address cannot have: write it as %20 and the like"
		}
	}
	host := rest
	if i := strings.IndexAny(rest, "/?#"); i >= 0 {
		host = rest[:i]
	}
	if strings.Contains(host, "@") {
		return "has a user's name before the host"
	}
	host, port, hasPort := strings.Cut(host, ":")
	if !all(host, func(c byte) bool { return lower(c) || upper(c) || digit(c) || c == '-' || c == '.' }) || hasPort && (port == "" || !all(port, digit)) ||
		!strings.Contains(host, ".") || strings.Contains(host, "..") || host[0] == '.' || host[0] == '-' {
		return "has no host such as www.example.com"
	}
	return ""
}

// logo accepts pictures that fetch nothing and run nothing.
func logo(s string) string {
	if rest, ok := strings.CutPrefix(s, "data:image/"); ok {
		for i, form := range [...]string{"png;base64,", "jpeg;base64,", "webp;base64,"} {
			if data, ok := strings.CutPrefix(rest, form); ok {
				body := strings.TrimRight(data, "=")
				if len(data)%4 != 0 || len(data)-len(body) > 2 || body == "" || !all(body, func(c byte) bool { return lower(c) || upper(c) || digit(c) || c == '+' || c == '/' }) {
					return "is a data URI whose base64 is cut or damaged"
				}
				// What such files begin with, in base64; a WebP has its length between.
				if i == 2 && len(body) > 16 && body[12:16] == "RUJQ" {
					body = body[:5]
				}
				if !strings.HasPrefix(body, [...]string{"iVBORw0KGg", "/9j/", "UklGR"}[i]) || i == 2 && len(body) > 5 {
					return "is a data URI of something else than the picture that it says"
				}
				return ""
			}
		}
		return "is a data URI of another type than PNG, JPEG or WebP in base64"
	}
	if !strings.HasPrefix(s, "<svg") || !strings.HasSuffix(strings.TrimRight(s, " \t\r\n"), "</svg>") {
		if strings.Contains(s, "://") && !strings.HasPrefix(s, "<") {
			return "is an address: devices without signal could not show it"
		}
		return "is no picture"
	}
	return svg(s)
}

// What an SVG of ours may be made of: shapes, gradients, masks and words, and what says how they look.
const (
	svgElements = " svg g path rect circle ellipse line polyline polygon defs lineargradient radialgradient stop clippath mask title desc text tspan "
	svgLooks    = " id xmlns xmlns:xlink xml:space version baseprofile viewbox preserveaspectratio width height x y x1 y1 x2 y2 cx cy r rx ry fx fy dx dy d points " +
		"pathlength transform fill fill-opacity fill-rule clip-rule clip-path clippathunits mask maskunits maskcontentunits mask-type opacity color " +
		"stroke stroke-width stroke-opacity stroke-linecap stroke-linejoin stroke-miterlimit stroke-dasharray stroke-dashoffset vector-effect " +
		"gradientunits gradienttransform spreadmethod offset stop-color stop-opacity shape-rendering paint-order display visibility " +
		"font-family font-size font-weight font-style text-anchor dominant-baseline letter-spacing textlength lengthadjust role aria-label aria-hidden focusable "
	svgCalls = " rgb rgba hsl hsla matrix translate scale rotate skewx skewy "
)

// svg says what is wrong with a picture: it is one svg element of what stands above, well-formed, without references to
// anything outside and without entities, behind which anything could hide.
func svg(s string) string {
	const could = " in its SVG, which could fetch or run something"
	const broken = "is an SVG with a tag that is not closed as it was opened"
	if i := strings.IndexByte(s, '&'); i >= 0 {
		return "has \"&\"" + could
	}
	var open []string
	for s = strings.TrimRight(s, " \t\r\n"); s != ""; {
		i := strings.IndexByte(s, '<')
		if i < 0 {
			return broken
		}
		s = s[i+1:]
		end := strings.HasPrefix(s, "/")
		if end {
			s = s[1:]
		}
		name, rest := svgName(s)
		if !strings.Contains(svgElements, " "+name+" ") {
			return "has \"<" + clip(name) + "\"" + could
		}
		s = rest
		closed := false
		for {
			trimmed := strings.TrimLeft(s, " \t\r\n")
			if closed = !end && strings.HasPrefix(trimmed, "/>"); closed || strings.HasPrefix(trimmed, ">") {
				s = trimmed[strings.IndexByte(trimmed, '>')+1:]
				break
			}
			if end || trimmed == s {
				return broken
			}
			var what string
			if s, what = svgAttribute(trimmed); what != "" {
				return "has \"" + clip(what) + "\"" + could
			}
		}
		switch {
		case end && (len(open) == 0 || open[len(open)-1] != name):
			return broken
		case end:
			open = open[:len(open)-1]
		case !closed && len(open) == maxDepth:
			return "is an SVG that is nested too deep"
		case !closed:
			open = append(open, name)
		}
		if len(open) == 0 && s != "" {
			return "is more than one SVG picture"
		}
	}
	if len(open) > 0 {
		return broken
	}
	return ""
}

// svgName reads a name, in lower case, and returns what follows.
func svgName(s string) (name, rest string) {
	n := 0
	for n < len(s) && (lower(s[n]) || upper(s[n]) || digit(s[n]) || s[n] == '-' || s[n] == ':') {
		n++
	}
	return strings.ToLower(s[:n]), s[n:]
}

// svgAttribute reads an attribute and returns what follows, and what of it may not be there.
func svgAttribute(s string) (rest, what string) {
	name, s := svgName(s)
	if !strings.Contains(svgLooks, " "+name+" ") {
		return "", name
	}
	s, ok := strings.CutPrefix(strings.TrimLeft(s, " \t\r\n"), "=")
	s = strings.TrimLeft(s, " \t\r\n")
	if !ok || s == "" || s[0] != '"' && s[0] != '\'' {
		return "", name
	}
	value, rest, ok := strings.Cut(s[1:], s[:1])
	switch {
	case !ok:
		return "", name
	case strings.HasPrefix(name, "xmlns"):
		if value != "http://www.w3.org/2000/svg" && value != "http://www.w3.org/1999/xlink" {
			return "", value
		}
		return rest, ""
	case strings.ContainsAny(value, "<\\@") || strings.Contains(value, "//"):
		return "", value
	case name == "aria-label" || name == "id":
		return rest, ""
	}
	// Of what looks like a call, only colours, moves and a part of this very picture.
	for v := value; ; {
		i := strings.IndexByte(v, '(')
		if i < 0 {
			return rest, ""
		}
		at := i
		for at > 0 && (lower(v[at-1]|0x20) || v[at-1] == '-') {
			at--
		}
		call := strings.ToLower(v[at:i])
		if v = v[i+1:]; call == "url" && !strings.HasPrefix(v, "#") || call != "url" && !strings.Contains(svgCalls, " "+call+" ") {
			return "", value
		}
	}
}

func lower(c byte) bool { return 'a' <= c && c <= 'z' }
func upper(c byte) bool { return 'A' <= c && c <= 'Z' }
func digit(c byte) bool { return '0' <= c && c <= '9' }

func all(s string, f func(byte) bool) bool {
	for i := range len(s) {
		if !f(s[i]) {
			return false
		}
	}
	return true
}

func has(all []string, s string) bool {
	for _, a := range all {
		if a == s {
			return true
		}
	}
	return false
}

// text says what is wrong with a text of a kind, and what to do about it.
func (k *textKind) text(s string) (reason, remedy string) {
	if what := line(s, k.max); what != "" {
		return "the text " + what, "write one line of 1 to " + number(int64(k.max)) + " characters"
	}
	found := false
	for rest := s; ; {
		i := strings.IndexAny(rest, "{}")
		if i < 0 {
			break
		}
		end := strings.IndexByte(rest[i:], '}')
		if rest[i] == '}' || end < 0 {
			return "the text has a brace without its other half", "write " + k.may()
		}
		hole := rest[i+1 : i+end]
		if forms, ok := strings.CutPrefix(hole, "days|"); ok && strings.Contains(k.holes, " days ") {
			if what := counted(forms); what != "" {
				return "{" + clip(hole) + "} " + what, "write the number as # in each form that the language has, as {days|one:# day|other:# days}"
			}
			hole = "days"
		}
		if strings.ContainsAny(hole, " {") || hole == "" || !strings.Contains(k.holes, " "+hole+" ") {
			remedy := "write " + k.may()
			if near := nearest(hole, strings.Fields(k.holes)); near != "" {
				remedy = "did you mean {" + near + "}?"
			}
			return "{" + clip(hole) + "} stands for nothing here", remedy
		}
		found = found || hole == k.need
		rest = rest[i+end+1:]
	}
	if k.need != "" && !found {
		return "the text has no {" + k.need + "}", "put {" + k.need + "} where the name belongs"
	}
	return "", ""
}

// counted says what is wrong with the forms of a number: "one:# day|other:# days".
func counted(forms string) string {
	seen := [ranking.NumPlurals]bool{}
	for _, f := range strings.Split(forms, "|") {
		name, words, ok := strings.Cut(f, ":")
		p, known := ranking.ParsePlural(name)
		switch {
		case !ok || !known:
			return "has a form that is none of zero, one, two, few, many and other"
		case seen[p]:
			return "has two forms for \"" + name + "\""
		case strings.TrimSpace(words) == "":
			return "has no words for \"" + name + "\""
		case strings.Contains(words, "{"):
			return "has a brace within a brace"
		}
		seen[p] = true
	}
	if !seen[ranking.PluralOther] {
		return "has no form for \"other\", which stands in for those that are not there"
	}
	return ""
}

// may says which names in braces a text may have.
func (k *textKind) may() string {
	f := strings.Fields(k.holes)
	if len(f) == 0 {
		return "the text without braces"
	}
	return "names in braces as {" + strings.Join(f, "} or {") + "}"
}

// clip shortens what is quoted in a message.
func clip(s string) string {
	n := 0
	for i := range s {
		if n++; n > 40 {
			return s[:i] + "…"
		}
	}
	return s
}

// nearest returns the name that a misspelt one most likely means, or "".
func nearest(s string, names []string) string {
	best, least := "", 3
	if len(s) <= 3 {
		least = 2
	}
	if len(s) > 64 {
		return ""
	}
	s = strings.ToLower(s)
	for _, name := range names {
		if name == "" || len(name) > 64 {
			continue
		}
		d := distance(s, name)
		// "cooldown" for "cooldown_days": what was begun and not ended.
		if len(s) >= 3 && d > 1 && (strings.HasPrefix(name, s) || strings.HasPrefix(s, name)) {
			d = 1
		}
		if d < least {
			best, least = name, d
		}
	}
	return best
}

// distance counts the letters that have to be put in, taken out, changed or swapped with their neighbour.
func distance(a, b string) int {
	var rows [3][65]int
	for j := range len(b) + 1 {
		rows[0][j] = j
	}
	for i := 1; i <= len(a); i++ {
		now, last, before := &rows[i%3], &rows[(i+2)%3], &rows[(i+1)%3]
		now[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			now[j] = min(last[j]+1, now[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				now[j] = min(now[j], before[j-2]+1)
			}
		}
	}
	return rows[len(a)%3][len(b)]
}
