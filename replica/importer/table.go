package importer

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// scanner takes a table apart: fields apart by one character, quoted as spreadsheets do, lines ended by \n, \r\n or \r.
// What a spreadsheet would not have written is read as text: nothing here is an error.
type scanner struct {
	data     string
	pos      int
	line     int // of the next record
	comma    byte
	rec      []string
	repairs  int // quotes that were opened and never closed
	problems *problems
}

// maxRepairs bounds the work on a file full of quotes that are never closed: from then on quotes are plain text.
const maxRepairs = 100

// next returns the next record that is not empty, valid until the following call, and its line.
func (s *scanner) next() (rec []string, line int, ok bool) {
	for s.pos < len(s.data) {
		line = s.line
		s.record()
		if len(s.rec) > 1 || strings.TrimSpace(s.rec[0]) != "" {
			return s.rec, line, true
		}
	}
	return nil, s.line, false
}

func (s *scanner) record() {
	s.rec = s.rec[:0]
	for {
		field := s.field()
		if len(field) > MaxFieldBytes {
			s.problems.add(s.line, "[field is|fields are] too long; left empty", "column %d has %d bytes, at most %d fit; left empty",
				len(s.rec)+1, len(field), MaxFieldBytes)
			field = ""
		}
		if len(s.rec) < maxColumns {
			s.rec = append(s.rec, field)
		}
		if s.pos >= len(s.data) {
			return
		}
		switch c := s.data[s.pos]; {
		case c == s.comma:
			s.pos++
			if s.pos == len(s.data) {
				if len(s.rec) < maxColumns {
					s.rec = append(s.rec, "")
				}
				return
			}
		case c == '\r' && s.pos+1 < len(s.data) && s.data[s.pos+1] == '\n':
			s.pos += 2
			s.line++
			return
		default: // \r or \n
			s.pos++
			s.line++
			return
		}
	}
}

// field returns one field and leaves pos at what ended it.
func (s *scanner) field() string {
	start := s.pos
	for start < len(s.data) && s.data[start] == ' ' {
		start++
	}
	if start < len(s.data) && s.data[start] == '"' && s.repairs < maxRepairs {
		if f, end, ok := s.quoted(start + 1); ok {
			s.line += lines(s.data[start:end])
			s.pos = end
			return f
		}
		s.repairs++
		s.problems.add(s.line, "[quote is|quotes are] never closed; read as plain text",
			"column %d opens a quote that is never closed; read as plain text", len(s.rec)+1)
	}
	end := s.pos
	for end < len(s.data) && s.data[end] != s.comma && s.data[end] != '\n' && s.data[end] != '\r' {
		end++
	}
	f := s.data[s.pos:end]
	s.pos = end
	return f
}

// quoted reads from behind the opening quote to behind the closing one. A quote in the middle of words is text; one
// that opens a further field says that this one was never closed.
func (s *scanner) quoted(from int) (field string, end int, ok bool) {
	var parts []byte // only when a quote is inside
	begin := from
	limit := min(len(s.data), begin+2*MaxFieldBytes)
	for from < limit {
		i := strings.IndexByte(s.data[from:limit], '"')
		if i < 0 {
			return "", 0, false
		}
		q := from + i
		if q+1 < len(s.data) && s.data[q+1] == '"' {
			parts = append(append(parts, s.data[begin:q]...), '"')
			from, begin = q+2, q+2
			continue
		}
		end = q + 1
		for end < len(s.data) && s.data[end] == ' ' {
			end++
		}
		if end == len(s.data) || s.data[end] == s.comma || s.data[end] == '\n' || s.data[end] == '\r' {
			if parts == nil {
				return s.data[begin:q], end, true
			}
			return string(append(parts, s.data[begin:q]...)), end, true
		}
		if q > begin && (s.data[q-1] == s.comma || s.data[q-1] == '\n' || s.data[q-1] == '\r') {
			return "", 0, false // the next field opens here: this one was never closed
		}
		from = q + 1
	}
	return "", 0, false
}

func lines(s string) int {
	n := strings.Count(s, "\n")
	if strings.IndexByte(s, '\r') >= 0 {
		n += strings.Count(s, "\r") - strings.Count(s, "\r\n")
	}
	return n
}

// guessComma finds what parts the columns: "sep=;" in the first line, else the character by which most of the first
// lines fall into equally many columns.
func guessComma(data string) (comma byte, rest int) {
	if len(data) > 5 && strings.EqualFold(data[:4], "sep=") && strings.IndexByte(",;\t|", data[4]) >= 0 {
		if i := strings.IndexAny(data, "\r\n"); i == 5 {
			return data[4], len(data) - len(strings.TrimLeft(data[i:], "\r\n"))
		}
	}
	best, comma := 0, byte(',')
	for _, c := range []byte{',', ';', '\t', '|'} {
		s := scanner{data: data, line: 1, comma: c, problems: &problems{}}
		counts := map[int]int{}
		top, columns := 0, 1
		for range 30 {
			rec, _, ok := s.next()
			if !ok {
				break
			}
			n := len(rec)
			if counts[n]++; n > 1 && (counts[n] > top || counts[n] == top && n > columns) {
				top, columns = counts[n], n
			}
		}
		if score := top * min(columns, 8); columns > 1 && score > best {
			best, comma = score, c
		}
	}
	return comma, 0
}

// table is a file of rows under a header.
type table struct {
	data     string
	comma    byte
	names    []string // of the columns; "column 3" where the file has no header
	first    int      // offset of the first row
	line     int      // its line
	problems *problems
}

// maxPreamble is how many lines of title may stand above the header.
const maxPreamble = 20

// openTable finds the delimiter and the header: the line among the first ones that names most of the wanted roles, or
// columns that the person named; else the first line, when it holds no values.
func openTable(data string, roles []role, named map[string]string, found *problems) (*table, error) {
	comma, start := guessComma(data)
	s := scanner{data: data, pos: start, line: 1 + lines(data[:start]), comma: comma, problems: new(problems)}
	t := &table{data: data, comma: comma, problems: found}
	use := func(rec []string) {
		t.names = t.names[:0]
		for c, name := range rec {
			if name = clean(name, 100, false); name == "" {
				name = fmt.Sprintf("column %d", c+1)
			}
			t.names = append(t.names, name)
		}
		t.first, t.line = s.pos, s.line
	}
	top := 0
	for i := range maxPreamble {
		first, line := s.pos, s.line
		rec, _, ok := s.next()
		if !ok {
			break
		}
		score, values := 0, 0
		for _, name := range rec {
			switch {
			case hasData(name):
				values++
			case isNamed(name, named):
				score += 2
			case len(name) < 100:
				if _, n := bestRole(fold(name), roles); n > 0 {
					score++
				}
			}
		}
		if i == 0 {
			use(rec)
			if values > 0 {
				for c := range t.names {
					t.names[c] = fmt.Sprintf("column %d", c+1)
				}
				t.first, t.line = first, line
			}
		}
		// One hit in a line of many columns is a word by chance, in a line of up to three it is the header.
		if score > top && values == 0 && (score > 1 || len(rec) <= 3) {
			top = score
			use(rec)
		}
	}
	if len(t.names) == 0 {
		return nil, errors.New("the file has no rows")
	}
	return t, nil
}

func isNamed(name string, named map[string]string) bool {
	for _, n := range named { // any order: the answer is the same
		if fold(n) != "" && fold(n) == fold(name) {
			return true
		}
	}
	return false
}

// hasData reports whether a cell holds a value, not the name of a column.
func hasData(s string) bool {
	s = strings.TrimSpace(s)
	return strings.Contains(s, "@") || s != "" && strings.Trim(s, "0123456789.,-+/: ") == ""
}

func (t *table) rows() *scanner {
	return &scanner{data: t.data, pos: t.first, line: t.line, comma: t.comma, problems: t.problems}
}

// sample returns the first rows, copied.
func (t *table) sample(n int) [][]string {
	s := t.rows()
	s.problems = &problems{}
	var rows [][]string
	for len(rows) < n {
		rec, _, ok := s.next()
		if !ok {
			break
		}
		rows = append(rows, append([]string(nil), rec...))
	}
	return rows
}

// column returns the position of a column that a person named: by its name, or by its number from 1.
func (t *table) column(name string) (int, error) {
	want := fold(name)
	for i, n := range t.names {
		if n == name || want != "" && fold(n) == want {
			return i, nil
		}
	}
	if n, err := strconv.Atoi(name); err == nil && n >= 1 && n <= len(t.names) {
		return n - 1, nil
	}
	return 0, fmt.Errorf("file has no column %.60q; it has %s", name, t.list())
}

// list names the columns for a person.
func (t *table) list() string {
	var b strings.Builder
	for i, n := range t.names {
		if i > 0 {
			b.WriteString(", ")
		}
		if i == 40 {
			fmt.Fprintf(&b, "and %d more", len(t.names)-i)
			break
		}
		fmt.Fprintf(&b, "%q", n)
	}
	return b.String()
}

func at(rec []string, column int) string {
	if column < 0 || column >= len(rec) {
		return ""
	}
	return rec[column]
}
