package playbook

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// Problem is one thing that is wrong with a document, and what to do about it.
type Problem struct {
	Line, Column int    // from 1 on; the column counts characters
	Path         string // of the field, such as "triggers.refill_due.contents[1].write.es"
	Reason       string
	Remedy       string
}

// Problems are all that was found, in the order of the document.
type Problems []Problem

// Error writes them out, each with its place, reason and remedy.
func (ps Problems) Error() string {
	var b strings.Builder
	for i, p := range ps {
		if i > 0 {
			b.WriteString("; ")
		}
		b.WriteString(p.String())
	}
	return b.String()
}

// String is one line: "12:5: reason: remedy".
func (p Problem) String() string {
	return strconv.Itoa(p.Line) + ":" + strconv.Itoa(p.Column) + ": " + p.Said() + "; " + p.Remedy
}

// Said is the reason with the field that it is about.
func (p Problem) Said() string {
	if p.Path == "" {
		return p.Reason
	}
	return p.Path + ": " + p.Reason
}

func number(n int64) string { return strconv.FormatInt(n, 10) }

// finding is a problem before its line is known.
type finding struct {
	at             int // byte; -1: not known yet, the path says where
	path           string
	reason, remedy string
}

// sorted returns what was found, with lines and columns, by place.
func (r *reader) sorted() Problems {
	for i := range r.found {
		if f := &r.found[i]; f.at < 0 {
			f.at = locate(r.b, f.path)
		}
	}
	for i := range r.found { // there are few, and the sorts of slices are 9 KB of program
		for j := i; j > 0 && r.found[j].at < r.found[j-1].at; j-- {
			r.found[j], r.found[j-1] = r.found[j-1], r.found[j]
		}
	}
	var ps Problems
	line, start, at := 1, 0, 0
	for _, f := range r.found {
		for ; at < f.at && at < len(r.b); at++ {
			if r.b[at] == '\n' {
				line, start = line+1, at+1
			}
		}
		ps = append(ps, Problem{line, utf8.RuneCount(r.b[start:min(f.at, len(r.b))]) + 1, f.path, f.reason, f.remedy})
	}
	return ps
}

// related says whether one path is the other or lies within it.
func related(a, b string) bool {
	if len(a) > len(b) {
		a, b = b, a
	}
	return strings.HasPrefix(b, a) && (len(a) == len(b) || a == "" || b[len(a)] == '.' || b[len(a)] == '[')
}

// locate returns the byte at which the value of a path begins, or of what is nearest above it. The document is sound JSON.
func locate(b []byte, path string) int {
	r := reader{b: b}
	r.peek()
	at := r.i
	for path != "" && !r.stopped {
		i := strings.IndexAny(path[1:], ".[")
		step := path
		if i >= 0 {
			step, path = path[:i+1], path[i+1:]
		} else {
			path = ""
		}
		step = strings.Trim(step, ".[]")
		if !r.into(step) {
			break
		}
		r.peek()
		at = r.i
	}
	return at
}

// into moves to a field or an item of the value that comes next, and says whether it is there.
func (r *reader) into(step string) bool {
	switch r.peek() {
	case '{':
		r.i++
		for more := r.more('}', true); more; more = r.more('}', false) {
			key, ok := r.text()
			if !ok || !r.colon() {
				return false
			}
			if key == step {
				return true
			}
			r.skip()
		}
	case '[':
		n, err := strconv.Atoi(step)
		if err != nil {
			return false
		}
		r.i++
		for more := r.more(']', true); more; more = r.more(']', false) {
			if n == 0 {
				return true
			}
			n--
			r.skip()
		}
	}
	return false
}
