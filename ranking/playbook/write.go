package playbook

import (
	"unicode/utf8"

	"trio/ranking"
)

// writer writes a document without white space.
type writer struct {
	b     []byte
	langs []string
}

func (w *writer) object(body func()) {
	w.b = append(w.b, '{')
	n := len(w.b)
	body()
	w.end(n, '}')
}

// end replaces the comma behind the last item, if there is one, by the closing bracket.
func (w *writer) end(n int, c byte) {
	if len(w.b) > n {
		w.b[len(w.b)-1] = c
	} else {
		w.b = append(w.b, c)
	}
}

func (w *writer) field(name string, l left, empty bool, value func()) {
	if l == quiet && empty {
		return
	}
	w.quote(name)
	w.b = append(w.b, ':')
	value()
	w.b = append(w.b, ',')
}

func (w *writer) list(_, _, n int, _ func(int), item func(int)) {
	w.b = append(w.b, '[')
	start := len(w.b)
	for i := range n {
		item(i)
		w.b = append(w.b, ',')
	}
	w.end(start, ']')
}

func (w *writer) integer(p *int64, _, _ int64) { w.b = append(w.b, number(*p)...) }

func (w *writer) truth(p *bool) {
	if *p {
		w.b = append(w.b, "true"...)
	} else {
		w.b = append(w.b, "false"...)
	}
}

func (w *writer) str(p *string, _ *kind) { w.quote(*p) }

func (w *writer) choice(p *int64, names []string) {
	name := ""
	if *p >= 0 && *p < int64(len(names)) {
		name = names[*p]
	}
	w.quote(name)
}

func (w *writer) choices(p *uint64, names []string) {
	w.b = append(w.b, '[')
	n := len(w.b)
	for i, name := range names {
		if *p>>i&1 == 1 {
			w.quote(name)
			w.b = append(w.b, ',')
		}
	}
	w.end(n, ']')
}

func (w *writer) clock(p *int64) {
	m := min(max(*p, 0), 24*60)
	w.quote(string([]byte{byte('0' + m/600), byte('0' + m/60%10), ':', byte('0' + m%60/10), byte('0' + m%10)}))
}

func (w *writer) words(p *ranking.Texts, _ *textKind) {
	w.b = append(w.b, '{')
	n := len(w.b)
	for _, lang := range w.langs {
		for _, ph := range *p {
			if ph.Lang == lang {
				w.quote(lang)
				w.b = append(w.b, ':')
				w.quote(ph.Text)
				w.b = append(w.b, ',')
				break
			}
		}
	}
	w.end(n, '}')
}

func (w *writer) stairs(p *[]ranking.Bin, _, _ int64) {
	w.b = append(w.b, '[')
	for i, bin := range *p {
		if i > 0 {
			w.b = append(w.b, ',')
		}
		w.b = append(w.b, '[')
		if i == len(*p)-1 {
			w.b = append(w.b, "null"...) // beyond the last step its score stays
		} else {
			w.b = append(w.b, number(bin.Below)...)
		}
		w.b = append(append(append(w.b, ','), number(bin.Score)...), ']')
	}
	w.b = append(w.b, ']')
}

// quote writes a string with as few escapes as there can be.
func (w *writer) quote(s string) {
	const hex = "0123456789abcdef"
	w.b = append(w.b, '"')
	for _, c := range s {
		switch {
		case c == '"' || c == '\\':
			w.b = append(w.b, '\\', byte(c))
		case c == '\n':
			w.b = append(w.b, '\\', 'n')
		case c == '\t':
			w.b = append(w.b, '\\', 't')
		case c < ' ' || c == 0x7f:
			w.b = append(w.b, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
		default:
			w.b = utf8.AppendRune(w.b, c)
		}
	}
	w.b = append(w.b, '"')
}

// width is how long a line may be before an object or list is written over several, in characters.
const width = 120

// layOut writes JSON without white space for people: what fits on the line stands on it.
func layOut(dst, src []byte) []byte {
	l := layout{dst: dst, src: src}
	l.value(0, 0, true)
	return l.dst
}

type layout struct {
	dst, src []byte
	i        int
}

// value writes the value that comes next, indented by so many levels, behind so many characters of its line.
func (l *layout) value(level, before int, root bool) {
	c := l.src[l.i]
	if c != '{' && c != '[' {
		end := l.end(l.i)
		l.dst = append(l.dst, l.src[l.i:end]...)
		l.i = end
		return
	}
	end := l.end(l.i)
	if l.i+2 == end || !root && l.fits(end, before) {
		l.line(end)
		return
	}
	l.dst = append(l.dst, c)
	l.i++
	for {
		l.dst = append(l.dst, '\n')
		for range level + 1 {
			l.dst = append(l.dst, ' ', ' ')
		}
		start := len(l.dst)
		if c == '{' {
			end := l.end(l.i)
			l.dst = append(append(l.dst, l.src[l.i:end]...), ": "...)
			l.i = end + 1
		}
		l.value(level+1, 2*level+2+utf8.RuneCount(l.dst[start:]), false)
		sep := l.src[l.i]
		l.i++
		if sep != ',' {
			l.dst = append(l.dst, '\n')
			for range level {
				l.dst = append(l.dst, ' ', ' ')
			}
			l.dst = append(l.dst, sep)
			return
		}
		l.dst = append(l.dst, ',')
	}
}

// end returns where the value that begins at a byte ends.
func (l *layout) end(i int) int {
	depth := 0
	for {
		switch l.src[i] {
		case '"':
			for i++; l.src[i] != '"'; i++ {
				if l.src[i] == '\\' {
					i++
				}
			}
		case '{', '[':
			depth++
		case '}', ']':
			depth--
		}
		i++
		if depth == 0 && (i == len(l.src) || l.src[i-1] == '"' || l.src[i-1] == '}' || l.src[i-1] == ']' || l.src[i] == ',' || l.src[i] == '}' || l.src[i] == ']' || l.src[i] == ':') {
			return i
		}
	}
}

// fits says whether the value up to a byte fits on the line.
func (l *layout) fits(end, before int) bool {
	if end-l.i > 4*width {
		return false
	}
	n := utf8.RuneCount(l.src[l.i:end])
	text := false
	for i := l.i; i < end; i++ {
		switch c := l.src[i]; {
		case text && c == '\\':
			i++
		case c == '"':
			text = !text
		case !text && (c == ',' || c == ':'):
			n++
		}
	}
	return before+n < width
}

// line writes the value up to a byte on one line.
func (l *layout) line(end int) {
	text := false
	for ; l.i < end; l.i++ {
		c := l.src[l.i]
		l.dst = append(l.dst, c)
		switch {
		case text && c == '\\':
			l.i++
			l.dst = append(l.dst, l.src[l.i])
		case c == '"':
			text = !text
		case !text && (c == ',' || c == ':'):
			l.dst = append(l.dst, ' ')
		}
	}
}

// walker goes over the texts of a document, with their paths.
type walker struct {
	path  []byte
	texts func(path []byte, t *ranking.Texts, k *textKind)
}

func (w *walker) object(body func()) { body() }

func (w *walker) field(name string, l left, empty bool, value func()) {
	if l == quiet && empty {
		return
	}
	n := len(w.path)
	if n > 0 {
		w.path = append(w.path, '.')
	}
	w.path = append(w.path, name...)
	value()
	w.path = w.path[:n]
}

func (w *walker) list(_, _, n int, _ func(int), item func(int)) {
	at := len(w.path)
	for i := range n {
		w.path = append(append(append(w.path, '['), number(int64(i))...), ']')
		item(i)
		w.path = w.path[:at]
	}
}

func (w *walker) words(p *ranking.Texts, k *textKind) { w.texts(w.path, p, k) }

func (w *walker) integer(*int64, int64, int64)        {}
func (w *walker) truth(*bool)                         {}
func (w *walker) str(*string, *kind)                  {}
func (w *walker) choice(*int64, []string)             {}
func (w *walker) choices(*uint64, []string)           {}
func (w *walker) clock(*int64)                        {}
func (w *walker) stairs(*[]ranking.Bin, int64, int64) {}

// sortTexts puts the languages of all texts into the document's order.
func sortTexts(d *Doc) {
	langs := d.languages()
	w := walker{texts: func(_ []byte, t *ranking.Texts, _ *textKind) {
		sorted := make(ranking.Texts, 0, len(*t))
		for _, lang := range langs {
			for _, ph := range *t {
				if ph.Lang == lang {
					sorted = append(sorted, ph)
				}
			}
		}
		*t = sorted
	}}
	document(&w, d)
}
