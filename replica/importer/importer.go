package importer

import (
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
)

// Limits of one file. They are far above any address book and bound what a wrong file can cost a phone.
const (
	MaxFileBytes  = 64 << 20
	MaxRows       = 1_000_000 // rows of a table, cards of a vCard file
	MaxFieldBytes = 64 << 10  // one field; a longer one is left empty and reported
	maxColumns    = 1000
	maxProblems   = 20 // reported in full for each sort of problem; the rest is counted
	maxKeyBytes   = 100
)

// Kind is what a file holds.
type Kind uint8

// Kinds of files.
const (
	UnknownFile Kind = iota
	VCardFile
	ContactsFile // a table of people
	OrdersFile   // a table of orders
)

func (k Kind) String() string {
	switch k {
	case VCardFile:
		return "vcard"
	case ContactsFile:
		return "contacts"
	case OrdersFile:
		return "orders"
	}
	return "unknown"
}

// Person is one contact of a file, normalised: every field passes crdt.CheckContactField as it is.
type Person struct {
	// Key is what the source knows the person by, at most 100 bytes: "id:" and the UID of a card or the customer
	// number of a table, else "p:" and a digest of the name with the first phone number (or e-mail address, or the name
	// alone). The same file gives the same keys again, here and on any other device.
	Key      string
	Name     string // never empty: the company, address or number stands in for a name that is not there
	Company  string
	Note     string
	Birthday string // YYYY-MM-DD, or --MM-DD when the year is not known
	Phones   []Phone
	Emails   []Email
	Tags     []string
	Stage    string // "" or a word of crdt.Stages, when the file says
	Consent  string // "" or crdt.ConsentGiven or crdt.ConsentOut, when the file says
}

// Phone is a number in the international form (E.164) and what the file calls it.
type Phone struct{ Number, Label string }

// Email is an address in lower case and what the file calls it.
type Email struct{ Address, Label string }

// Order is one order of a file: evidence of a system of record.
type Order struct {
	// Key is what the source knows the order by, at most 100 bytes: "id:" and its number; without one "row:" and
	// customer, date, amount and "#k" for the k-th row of the file that is equal in all three.
	Key       string
	Customer  string // as the file writes it: a number, else an e-mail address, phone number or name
	PersonKey string // the Key of that customer's Person, also when the file holds no more than a number
	At        time.Time
	DateOnly  bool // the file gives no time of day: At is noon in Options.Location
	Cents     int64
	Currency  string // ISO 4217, "" when nobody says
	Units     int64  // 0 when the file does not say
	// Person is what the contact columns of the row say (name, e-mail, phone), nil without such columns. Orders whose
	// rows say the same share one value: it is not to be changed.
	Person *Person
}

// Problem is something in a file that could not be used: what is wrong and what to do. The rest of the file went
// through.
type Problem struct {
	Line int // of the file, from 1; 0: the file as a whole
	Text string
}

func (p Problem) String() string {
	if p.Line == 0 {
		return p.Text
	}
	return fmt.Sprintf("line %d: %s", p.Line, p.Text)
}

// Options say what a file does not.
type Options struct {
	CallingCode string            // of national phone numbers, "+34"; "": such numbers are reported and left out
	Currency    string            // of amounts that name none, ISO 4217
	Columns     map[string]string // role to column name (or its number, from 1), see ParseColumns; overrides guessing
	DateOrder   string            // "dmy" or "mdy" for 03/04/2026; "": the whole column decides
	Location    *time.Location    // of dates without a zone; nil: UTC
	Latest      time.Time         // an order of a later time is reported and left out; zero: any time is taken

	// Limits; zero means MaxFileBytes and MaxRows.
	MaxBytes int64
	MaxRows  int
}

func (o *Options) check() error {
	if o.CallingCode != "" {
		if _, ok := callingDigits(o.CallingCode); !ok {
			return fmt.Errorf("calling code %.12q: want + and 1 to 3 digits, such as +34", o.CallingCode)
		}
	}
	if o.Currency != "" && !isCurrency(o.Currency) {
		return fmt.Errorf("currency %.12q: want three letters, such as EUR", o.Currency)
	}
	if o.DateOrder != "" && o.DateOrder != "dmy" && o.DateOrder != "mdy" {
		return fmt.Errorf("date order %.12q: want dmy or mdy", o.DateOrder)
	}
	if o.Location == nil {
		o.Location = time.UTC
	}
	if o.MaxBytes <= 0 {
		o.MaxBytes = MaxFileBytes
	}
	if o.MaxRows <= 0 {
		o.MaxRows = MaxRows
	}
	return nil
}

// ParseColumns reads what a person types to name the columns: "customer=client_no,date=when,amount=total". Roles of
// orders are order, customer, name, first, last, email, phone, date, amount, price, units, currency and status; of
// contacts id, name, first, last, company, email, phone, birthday, note, tags, stage and consent.
func ParseColumns(s string) (map[string]string, error) {
	columns := map[string]string{}
	for part := range strings.SplitSeq(s, ",") {
		if strings.TrimSpace(part) == "" {
			continue
		}
		role, column, ok := strings.Cut(part, "=")
		role, column = strings.ToLower(strings.TrimSpace(role)), strings.TrimSpace(column)
		if !ok || column == "" {
			return nil, fmt.Errorf("columns: %.60q is not role=column, such as date=when", strings.TrimSpace(part))
		}
		if !isRole(role) {
			return nil, fmt.Errorf("columns: %.60q is not a role; for orders %s; for contacts %s", role,
				strings.Join(roleNames(orderRoles), ", "), strings.Join(roleNames(contactRoles), ", "))
		}
		if columns[role] != "" {
			return nil, fmt.Errorf("columns: role %q is given twice", role)
		}
		columns[role] = column
	}
	return columns, nil
}

// problems collects what went wrong, sort by sort, so that a million bad rows are a few lines.
type problems struct {
	list  []Problem
	count map[string]int
	last  []string // sorts in the order of their first problem
}

// add reports a problem of a sort; the sort is also the sentence for those that are only counted, as tally has it.
func (p *problems) add(line int, sort, format string, args ...any) {
	if p.count == nil {
		p.count = map[string]int{}
	}
	if p.count[sort]++; p.count[sort] == 1 {
		p.last = append(p.last, sort)
	}
	if p.count[sort] <= maxProblems {
		p.list = append(p.list, Problem{line, fmt.Sprintf(format, args...)})
	}
}

// tally counts only: the sentence is written once, with the number in front. Where it depends on the number it has both
// forms: "[row has|rows have] no date".
func (p *problems) tally(sort string, n int) {
	if n <= 0 {
		return
	}
	text := strconv.Itoa(n) + " "
	for sort != "" {
		plain, rest, _ := strings.Cut(sort, "[")
		forms, after, _ := strings.Cut(rest, "]")
		one, many, _ := strings.Cut(forms, "|")
		if n == 1 {
			many = one
		}
		text, sort = text+plain+many, after
	}
	p.list = append(p.list, Problem{0, text})
}

func (p *problems) all() []Problem {
	for _, sort := range p.last {
		p.tally("more: "+sort, p.count[sort]-maxProblems)
	}
	p.last = nil
	return p.list
}

// limited reads at most max bytes and then fails, in place of pretending that the file ended there.
type limited struct {
	r   io.Reader
	n   int64
	max int64
}

var errTooBig = errors.New("file is too big")

func (l *limited) Read(b []byte) (int, error) {
	if int64(len(b)) > l.max-l.n+1 {
		b = b[:l.max-l.n+1]
	}
	n, err := l.r.Read(b)
	if l.n += int64(n); l.n > l.max {
		return 0, fmt.Errorf("%w: more than %d bytes; split it and import the parts", errTooBig, l.max)
	}
	return n, err
}

// errNoRows says that a table ends with its header.
func errNoRows(t *table) error {
	return fmt.Errorf("the file has no rows: it ends after the header %s", t.list())
}

func errRows(rows int, what string) error {
	return fmt.Errorf("file has more than %d %s; split it and import the parts", rows, what)
}
