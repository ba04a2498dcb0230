package playbook

import (
	"slices"
	"strings"
	"unicode/utf8"

	"trio/ranking"
)

// maxDepth bounds how deep what is skipped may nest; a document itself is 8 deep.
const maxDepth = 32

// reader reads a document. After JSON itself is broken it is stopped: nothing can be said of what follows.
type reader struct {
	b       []byte
	i       int    // the next byte
	path    []byte // of the value that is being read
	in      *inside
	found   []finding
	stopped bool
}

// inside is the object that is being read: its body is gone through once for each key.
type inside struct {
	key    string
	keyAt  int
	taken  bool   // the key is a field
	n      int    // fields gone by
	seen   uint64 // bit set of fields that were read
	meant  uint64 // … and of those that a misspelt key most likely meant
	absent bool   // all keys are read: look for fields that are not there
	ask    bool   // gather the names alone
	names  []string
	open   int // where the object begins
}

// problem notes what is wrong, unless there are enough.
//
//go:noinline
func (r *reader) problem(at int, path, reason, remedy string) {
	if len(r.found) < MaxProblems {
		r.found = append(r.found, finding{at, path, reason, remedy})
	} else {
		r.stopped = true
	}
}

//go:noinline
func (r *reader) wrong(at int, reason, remedy string) { r.problem(at, string(r.path), reason, remedy) }

// broken notes that the text is no JSON.
//
//go:noinline
func (r *reader) broken(reason, remedy string) {
	if !r.stopped {
		r.wrong(min(r.i, len(r.b)), reason, remedy)
	}
	r.stopped = true
}

// document reads the whole text.
func (r *reader) document(value func()) {
	if b := r.b; len(b) >= 2 && (b[0] == 0xff && b[1] == 0xfe || b[0] == 0xfe && b[1] == 0xff || b[0] == '{' && b[1] == 0 || b[0] == 0 && b[1] == '{') {
		r.broken("the file is UTF-16, as some programs call Unicode", "save the file as UTF-8")
		return
	}
	if len(r.b) >= 3 && string(r.b[:3]) == "\xef\xbb\xbf" {
		r.i = 3
	}
	c, at := r.peek(), r.i
	word := r.bare()
	r.i = at
	switch {
	case c == 0 && at == len(r.b):
		r.broken("the file is empty", "begin with what trio playbook default prints")
		return
	case strings.IndexByte("{[\"-", c) < 0 && !digit(c) && word != "null" && word != "true" && word != "false":
		r.stray("the file is no playbook: it does not begin with {", "save it as plain text, in the form that trio playbook default prints")
		return
	}
	value()
	if !r.stopped && r.peek() != 0 {
		r.broken("something follows the end of the playbook", "take out what stands behind the last brace")
	} else if !r.stopped && r.i < len(r.b) {
		r.broken("a zero byte stands in the text", "save the file as UTF-8")
	}
}

// peek goes over white space and returns the next byte; 0 at the end.
//
//go:noinline
func (r *reader) peek() byte {
	for ; r.i < len(r.b); r.i++ {
		switch c := r.b[r.i]; c {
		case ' ', '\t', '\n', '\r':
		default:
			return c
		}
	}
	return 0
}

// more goes to the next item of an object or array, or over its end.
//
//go:noinline
func (r *reader) more(end byte, first bool) bool {
	if r.stopped {
		return false
	}
	c := r.peek()
	switch {
	case c == end:
		r.i++
		return false
	case first && c != 0:
		return true
	case c != ',':
		if c == 0 {
			r.broken("the text ends too early", "close every { with } and every [ with ]")
		} else {
			r.broken("a comma is missing before this", "put a comma between two items")
		}
		return false
	}
	comma := r.i
	r.i++
	switch r.peek() {
	case end:
		r.i = comma
		r.broken("a comma stands before the end", "take this comma out: none comes after the last item")
		return false
	case ',':
		r.broken("a comma follows another", "take one of the two out")
		return false
	}
	return true
}

// stray notes that something stands where it cannot.
//
//go:noinline
func (r *reader) stray(reason, remedy string) {
	begins := func(s string) bool { return strings.HasPrefix(string(r.b[r.i:min(r.i+4, len(r.b))]), s) }
	switch {
	case begins("//") || begins("/*") || begins("#"):
		reason, remedy = "a comment cannot stand here", "write your remark as a \"note\" field of an object"
	case begins("\u00a0") || begins("\u202f") || begins("\u200b") || begins("\ufeff"):
		reason, remedy = "a space stands here that is no plain one", "write a plain space: some programs put others in"
	}
	r.broken(reason, remedy)
}

//go:noinline
func (r *reader) colon() bool {
	if r.peek() != ':' {
		r.broken("a colon is missing behind the name", "write \"name\": value")
		return false
	}
	r.i++
	return true
}

// text reads a string.
func (r *reader) text() (string, bool) {
	raw, escaped, ok := r.quoted()
	if !escaped || !ok {
		return string(raw), ok
	}
	out := make([]byte, 0, len(raw))
	for i := 0; i < len(raw); {
		if raw[i] != '\\' {
			out = append(out, raw[i])
			i++
			continue
		}
		c, n := escape(raw[i:])
		out = utf8.AppendRune(out, c)
		i += n
	}
	return string(out), true
}

// quoted goes over a string and returns what stands between its quotation marks, and whether there are backslashes in it.
func (r *reader) quoted() (raw []byte, escaped, ok bool) {
	if r.stopped {
		return nil, false, false
	}
	if r.peek() != '"' {
		r.stray("a name in quotation marks is missing here", "write \"name\": value, with straight quotation marks")
		return nil, false, false
	}
	start := r.i + 1
	for r.i = start; r.i < len(r.b); {
		switch c := r.b[r.i]; {
		case c == '"':
			raw = r.b[start:r.i]
			if !utf8.Valid(raw) {
				r.i = start
				r.broken("the text is not UTF-8", "save the file as UTF-8")
				return nil, false, false
			}
			r.i++
			return raw, escaped, true
		case c == '\n' || c == '\r':
			r.i = start - 1
			r.broken("a text goes on over the end of the line", "close it with a quotation mark")
			return nil, false, false
		case c < ' ':
			r.broken("a tab, or something else that cannot be seen, stands in the text", "write a space in its place")
			return nil, false, false
		case c == '\\':
			_, n := escape(r.b[r.i:])
			if n == 0 {
				r.broken("a backslash stands before something that it cannot stand before", "write \\\\ for a backslash, \\\" for a quotation mark")
				return nil, false, false
			}
			escaped = true
			r.i += n
		default:
			r.i++
		}
	}
	r.i = start - 1
	r.broken("a text has no end", "close it with a quotation mark")
	return nil, false, false
}

// escape reads an escaped character and says how many bytes it takes; 0 when it is none.
func escape(b []byte) (c rune, n int) {
	const plain, means = `"\/bfnrt`, "\"\\/\b\f\n\r\t"
	if len(b) < 2 {
		return 0, 0
	}
	if k := strings.IndexByte(plain, b[1]); k >= 0 {
		return rune(means[k]), 2
	}
	c, ok := hex(b)
	switch {
	case !ok || c >= 0xdc00 && c < 0xe000:
		return 0, 0
	case c >= 0xd800 && c < 0xdc00:
		low, ok := hex(b[6:])
		if !ok || low < 0xdc00 || low >= 0xe000 {
			return 0, 0
		}
		return 0x10000 + (c-0xd800)<<10 + (low - 0xdc00), 12
	}
	return c, 6
}

// hex reads \uXXXX.
func hex(b []byte) (c rune, ok bool) {
	if len(b) < 6 || b[0] != '\\' || b[1] != 'u' {
		return 0, false
	}
	for _, d := range b[2:6] {
		switch {
		case digit(d):
			c = c<<4 + rune(d-'0')
		case d|0x20 >= 'a' && d|0x20 <= 'f':
			c = c<<4 + rune(d|0x20-'a') + 10
		default:
			return 0, false
		}
	}
	return c, true
}

// bare reads a number or one of the three words.
func (r *reader) bare() string {
	start := r.i
	for r.i < len(r.b) && (digit(r.b[r.i]) || lower(r.b[r.i]) || upper(r.b[r.i]) || strings.IndexByte("+-._", r.b[r.i]) >= 0) {
		r.i++
	}
	if r.i-start > 64 {
		return string(r.b[start : start+64])
	}
	return string(r.b[start:r.i])
}

// numeric says whether a word is a number of JSON's, and whether a whole one.
func numeric(s string) (ok, whole bool) {
	d := strings.TrimPrefix(s, "-")
	n := 0
	for n < len(d) && digit(d[n]) {
		n++
	}
	if n == 0 || n > 1 && d[0] == '0' {
		return false, false
	}
	rest := d[n:]
	if rest == "" {
		return true, true
	}
	if f, ok := strings.CutPrefix(rest, "."); ok {
		n = 0
		for n < len(f) && digit(f[n]) {
			n++
		}
		if n == 0 {
			return false, false
		}
		rest = f[n:]
	}
	if rest != "" {
		if rest[0]|0x20 != 'e' {
			return false, false
		}
		e := strings.TrimLeft(rest[1:], "+-")
		if e == "" || len(rest)-1-len(e) > 1 || !all(e, digit) {
			return false, false
		}
	}
	return true, false
}

// skip goes over a value, whatever it is.
func (r *reader) skip() { r.skipAt(0) }

func (r *reader) skipAt(depth int) {
	if r.stopped {
		return
	}
	c := r.peek()
	switch {
	case depth > maxDepth:
		r.broken("this is nested too deep", "see trio playbook schema for what a playbook looks like")
	case c == '"':
		r.quoted()
	case c == '{':
		r.i++
		for more := r.more('}', true); more; more = r.more('}', false) {
			if _, _, ok := r.quoted(); !ok || !r.colon() {
				return
			}
			r.skipAt(depth + 1)
		}
	case c == '[':
		r.i++
		for more := r.more(']', true); more; more = r.more(']', false) {
			r.skipAt(depth + 1)
		}
	default:
		r.scalar()
	}
}

// scalar reads a number, true, false or null as it stands, or stops.
func (r *reader) scalar() string {
	at := r.i
	word := r.bare()
	if ok, _ := numeric(word); ok || word == "true" || word == "false" || word == "null" {
		return word
	}
	r.i = at
	switch {
	case at >= len(r.b):
		r.broken("the text ends too early", "close every { with } and every [ with ]")
	case word == "True" || word == "False" || word == "None" || word == "TRUE" || word == "FALSE" || word == "NULL":
		r.broken(word+" is written in lower case", "write true, false or null")
	case digitish(word):
		r.broken("the number "+clip(word)+" is not written as numbers are here", "write digits alone, with - before a negative number, no zeros in front")
	default:
		reason := "here a value is missing"
		if word != "" {
			reason = clip(word) + " is no value"
		}
		r.stray(reason, "write a number, a text in straight quotation marks, true, false, [ … ] or { … }")
	}
	return ""
}

func digitish(s string) bool {
	return s != "" && (digit(s[0]) || len(s) > 1 && strings.IndexByte("+-.", s[0]) >= 0 && (digit(s[1]) || s[1] == '.'))
}

// unfit notes that a value is of the wrong sort and goes over it.
func (r *reader) unfit(want, remedy string) {
	at := r.i
	is := "a number"
	switch c := r.peek(); {
	case c == '"':
		is = "a text"
	case c == '{':
		is = "an object"
	case c == '[':
		is = "a list"
	case c == 't' || c == 'f':
		is = "true or false"
	case c == 'n':
		is = "null"
	}
	r.skip()
	if !r.stopped {
		r.wrong(at, "this is "+is+", where "+want+" belongs", remedy)
	}
}

func (r *reader) object(body func()) {
	if r.stopped {
		return
	}
	if r.peek() != '{' {
		r.unfit("an object", "write { \"name\": value, … }")
		return
	}
	outer, in := r.in, inside{open: r.i}
	defer func() { r.in = outer }()
	r.i++
	for more := r.more('}', true); more; more = r.more('}', false) {
		r.peek()
		in.keyAt = r.i
		key, ok := r.text()
		if !ok || !r.colon() {
			return
		}
		in.key, in.taken, in.n = key, false, 0
		r.peek()
		r.in = &in
		body()
		r.in = &in
		if !in.taken && !r.stopped {
			r.other(&in, body)
		}
	}
	if !r.stopped {
		in.absent, in.n = true, 0
		r.in = &in
		body()
	}
}

// other takes a key that is no field: a note, the name of the schema, or a slip.
func (r *reader) other(in *inside, body func()) {
	if in.key == "note" || in.key == "$schema" && len(r.path) == 0 {
		if r.peek() != '"' {
			r.unfit("a text", "write your remark in quotation marks")
			return
		}
		r.skip()
		if bit := uint64(1) << (63 - len(in.key)&1); in.seen&bit != 0 && !r.stopped {
			r.wrong(in.keyAt, "\""+in.key+"\" is there twice", "keep one of the two")
		} else {
			in.seen |= bit
		}
		return
	}
	at := in.keyAt
	r.skip()
	if r.stopped {
		return
	}
	names := inside{ask: true}
	r.in = &names
	body()
	r.in = in
	remedy := "take it out; a remark of yours is written as \"note\""
	if near := nearest(in.key, names.names); near != "" {
		remedy = "did you mean \"" + near + "\"?"
		in.meant |= 1 << slices.Index(names.names, near)
	} else if string(r.path) == "triggers" {
		remedy = "a trigger of your own is \"own1\" to \"own8\": its \"label\" is the name that people read"
	} else if len(names.names) > 0 && len(names.names) <= 12 {
		remedy = "what may stand here: " + strings.Join(names.names, ", ")
	}
	r.wrong(at, "\""+clip(in.key)+"\" is not known here", remedy)
}

func (r *reader) field(name string, l left, _ bool, value func()) {
	in := r.in
	if in == nil || r.stopped {
		return
	}
	bit := uint64(1) << (in.n & 63)
	in.n++
	switch {
	case in.ask:
		in.names = append(in.names, name)
	case in.absent:
		if l == must && (in.seen|in.meant)&bit == 0 {
			r.wrong(in.open, "\""+name+"\" is missing", "add \""+name+"\"; see trio playbook schema for what it says")
		}
	case name == in.key:
		in.taken = true
		if in.seen&bit != 0 {
			r.skip()
			if !r.stopped {
				r.wrong(in.keyAt, "\""+name+"\" is there twice", "keep one of the two")
			}
			return
		}
		in.seen |= bit
		n := len(r.path)
		if n > 0 {
			r.path = append(r.path, '.')
		}
		r.path = append(r.path, name...)
		value()
		r.path = r.path[:n]
	}
}

func (r *reader) list(lo, hi, _ int, resize func(int), item func(int)) {
	if r.stopped {
		return
	}
	if r.peek() != '[' {
		r.unfit("a list", "write [ … ]")
		return
	}
	at, n := r.i, 0
	r.i++
	outer := r.in
	defer func() { r.in = outer }()
	resize(0)
	for more := r.more(']', true); more; more = r.more(']', false) {
		if n >= hi {
			r.peek()
			if n == hi {
				r.wrong(r.i, "the list has more than "+number(int64(hi))+" items", "take out what is too much")
			}
			n++
			r.skip()
			continue
		}
		resize(n + 1)
		length := len(r.path)
		r.path = append(append(append(r.path, '['), number(int64(n))...), ']')
		r.peek()
		item(n)
		r.path = r.path[:length]
		n++
	}
	if n < lo && !r.stopped {
		r.wrong(at, "the list has "+number(int64(n))+" items, fewer than "+number(int64(lo)), "add what is missing")
	}
}

func (r *reader) integer(p *int64, lo, hi int64) {
	if r.stopped {
		return
	}
	c := r.peek()
	if c == '"' || c == '{' || c == '[' || c == 't' || c == 'f' || c == 'n' {
		what := "a whole number from " + number(lo) + " to " + number(hi)
		if lo == hi {
			what = number(lo)
		}
		r.unfit("a whole number", "write "+what+", without quotation marks")
		return
	}
	at := r.i
	word := r.scalar()
	if r.stopped {
		return
	}
	remedy := "write a whole number from " + number(lo) + " to " + number(hi)
	if lo == hi {
		remedy = "write " + number(lo) + ": a higher one takes a newer trio"
	}
	if _, whole := numeric(word); !whole {
		r.wrong(at, clip(word)+" is no whole number", remedy)
		return
	}
	n, ok := int64(0), len(word) <= 18
	for _, d := range []byte(strings.TrimPrefix(word, "-")) {
		if ok {
			n = n*10 + int64(d-'0')
		}
	}
	if word[0] == '-' {
		n = -n
	}
	switch {
	case !ok && word[0] == '-' || ok && n < lo:
		r.wrong(at, clip(word)+" is below "+number(lo), remedy)
	case !ok || n > hi:
		r.wrong(at, clip(word)+" is above "+number(hi), remedy)
	default:
		*p = n
	}
}

func (r *reader) truth(p *bool) {
	if r.stopped {
		return
	}
	if c := r.peek(); c != 't' && c != 'f' {
		r.unfit("true or false", "write true or false, without quotation marks")
		return
	}
	if word := r.scalar(); word != "" {
		*p = word == "true"
	}
}

// read reads a string that has to be one, and says where it stood.
func (r *reader) read(what string) (s string, at int, ok bool) {
	if r.stopped {
		return "", 0, false
	}
	if r.peek() != '"' {
		r.unfit("a text", "write "+what+", in quotation marks")
		return "", 0, false
	}
	at = r.i
	s, ok = r.text()
	return s, at, ok
}

func (r *reader) str(p *string, k *kind) {
	s, at, ok := r.read(k.what)
	if !ok {
		return
	}
	reason := ""
	if len(s) > k.max {
		reason = "has " + number(int64(len(s))) + " bytes, more than " + number(int64(k.max))
	} else {
		reason = k.ok(s)
	}
	if reason != "" {
		remedy := "write " + k.what
		if low := strings.ToLower(s); low != s && k.ok(low) == "" {
			remedy = "did you mean \"" + clip(low) + "\"?"
		}
		r.wrong(at, "\""+clip(s)+"\" "+reason, remedy)
		return
	}
	*p = s
}

// pick reads one of names.
func (r *reader) pick(names []string) (n int, ok bool) {
	s, at, ok := r.read("one of " + listed(names))
	if !ok {
		return 0, false
	}
	for i, name := range names {
		if s == name && name != "" {
			return i, true
		}
	}
	remedy := "write one of " + listed(names)
	if near := nearest(s, names); near != "" {
		remedy = "did you mean \"" + near + "\"?"
	}
	r.wrong(at, "\""+clip(s)+"\" is not known here", remedy)
	return 0, false
}

func listed(names []string) string {
	var b strings.Builder
	for _, name := range names {
		if name != "" {
			if b.Len() > 0 {
				b.WriteString(", ")
			}
			b.WriteString(name)
		}
	}
	return b.String()
}

func (r *reader) choice(p *int64, names []string) {
	if n, ok := r.pick(names); ok {
		*p = int64(n)
	}
}

func (r *reader) choices(p *uint64, names []string) {
	*p = 0
	r.list(0, len(names), 0, func(int) {}, func(int) {
		at := r.i
		n, ok := r.pick(names)
		switch {
		case !ok:
		case *p>>n&1 == 1:
			r.wrong(at, "\""+names[n]+"\" is there twice", "keep one of the two")
		default:
			*p |= 1 << n
		}
	})
}

func (r *reader) clock(p *int64) {
	s, at, ok := r.read("a time such as \"17:30\"")
	if !ok {
		return
	}
	if len(s) == 5 && s[2] == ':' && digit(s[0]) && digit(s[1]) && digit(s[3]) && digit(s[4]) {
		hour, minute := int64(s[0]-'0')*10+int64(s[1]-'0'), int64(s[3]-'0')*10+int64(s[4]-'0')
		if minute < 60 && hour*60+minute <= 24*60 {
			*p = hour*60 + minute
			return
		}
	}
	r.wrong(at, "\""+clip(s)+"\" is no time of day", "write a time such as \"17:30\", from \"00:00\" to \"24:00\"")
}

func (r *reader) words(p *ranking.Texts, k *textKind) {
	if r.stopped {
		return
	}
	if r.peek() != '{' {
		r.unfit("a text by its languages", "write { \"en\": \"…\", … }")
		return
	}
	open := r.i
	r.i++
	for more := r.more('}', true); more; more = r.more('}', false) {
		r.peek()
		at := r.i
		lang, ok := r.text()
		if !ok || !r.colon() {
			return
		}
		r.peek()
		n := len(r.path)
		r.path = append(append(r.path, '.'), clip(lang)...)
		r.phrase(p, k, at, lang)
		r.path = r.path[:n]
	}
	if len(*p) == 0 && !r.stopped {
		r.wrong(open, "the text is in no language", "write { \"en\": \"…\", … }")
	}
}

// phrase reads a text in one language.
func (r *reader) phrase(p *ranking.Texts, k *textKind, at int, lang string) {
	if lang == "note" && r.peek() == '"' {
		r.skip()
		return
	}
	if what := language(lang); what != "" {
		if c := r.peek(); c != '"' {
			r.i = at
			r.broken("\""+clip(lang)+"\" stands among the languages of a text", "close the text that stands above with }")
			return
		}
		r.skip()
		if !r.stopped {
			r.wrong(at, "\""+clip(lang)+"\" "+what, "write "+langKind.what)
		}
		return
	}
	s, begin, ok := r.read("the text")
	if !ok {
		return
	}
	for _, ph := range *p {
		if ph.Lang == lang {
			r.wrong(at, "\""+lang+"\" is there twice", "keep one of the two")
			return
		}
	}
	if len(*p) >= 2*MaxLanguages {
		r.wrong(at, "the text is in too many languages", "keep those of \"languages\" and \"drafts\"")
		return
	}
	// A text that is wrong is kept all the same, so that it is not also said to be missing.
	*p = append(*p, ranking.Phrase{Lang: lang, Text: s})
	if reason, remedy := k.text(s); reason != "" {
		r.wrong(begin, reason, remedy)
	}
}

func (r *reader) stairs(p *[]ranking.Bin, lo, hi int64) {
	*p = nil
	r.list(1, maxBins, 0, func(n int) {
		for len(*p) < n {
			*p = append(*p, ranking.Bin{})
		}
	}, func(i int) {
		bin, at := &(*p)[i], r.i
		length := 0
		r.list(2, 2, 0, func(n int) { length = n }, func(j int) {
			switch {
			case j == 1:
				r.integer(&bin.Score, lo, hi)
			case r.peek() == 'n':
				if r.scalar() == "null" {
					bin.Below = noEnd
				}
			default:
				r.integer(&bin.Below, -maxCount, maxCount)
			}
		})
		if length == 2 && i > 0 && bin.Below <= (*p)[i-1].Below && !r.stopped && !r.failed() {
			reason := number(bin.Below) + " is not above " + number((*p)[i-1].Below) + " of the step before"
			if (*p)[i-1].Below == noEnd {
				reason = "a step follows the one without an end"
			}
			r.wrong(at, reason, "write the steps in rising order, the last one with null")
		}
	})
	if n := len(*p); n > 0 && (*p)[n-1].Below != noEnd && !r.stopped && !r.failed() {
		r.wrong(r.i-1, "the last step has an end", "write null in place of "+number((*p)[n-1].Below)+": what lies beyond counts as the last step")
	}
}

// failed says whether something is wrong already in the value that is read.
//
//go:noinline
func (r *reader) failed() bool {
	for i := range r.found {
		if related(r.found[i].path, string(r.path)) {
			return true
		}
	}
	return false
}
