package importer

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
)

// ReadOrders reads a table of orders, one row an order or one row a line of it. Which column is what is told by the
// header and by the values, or by Options.Columns. Where there is an order number, rows of one number and one customer
// are one order: their amounts and quantities are added up.
//
// What cannot be an order is left out and reported or counted: no customer, no date or one after Options.Latest,
// cancelled, or an amount below zero (a return). An error means that the columns could not be told, and lists them.
//
// Memory: at most three times the file, and the orders found.
func ReadOrders(r io.Reader, opt Options) ([]Order, []Problem, error) {
	if err := opt.check(); err != nil {
		return nil, nil, err
	}
	data, err := readText(r, &opt)
	if err != nil {
		return nil, nil, fmt.Errorf("orders: %w", err)
	}
	var found problems
	t, err := openTable(data, orderRoles, opt.Columns, &found)
	if err != nil {
		return nil, nil, fmt.Errorf("orders: %w", err)
	}
	if len(t.sample(1)) == 0 {
		return nil, nil, fmt.Errorf("orders: %w", errNoRows(t))
	}
	o, err := newOrderTable(t, &opt)
	if err != nil {
		return nil, nil, fmt.Errorf("orders: %w", err)
	}
	rows := t.rows()
	for n := 0; ; n++ {
		rec, line, ok := rows.next()
		if !ok {
			break
		}
		if n == opt.MaxRows {
			return nil, nil, errRows(opt.MaxRows, "rows")
		}
		o.row(rec, line)
	}
	orders := o.finish()
	return orders, found.all(), nil
}

// orderTable reads rows of orders.
type orderTable struct {
	l        layout
	people   *contactTable
	days     dates
	total    money
	price    money
	currency string // of the amount's header, else of the options
	repeated bool   // each row of an order holds the amount of the whole order
	opt      *Options
	problems *problems

	orders    []openOrder
	byID      map[string]int    // order number and customer to its place in orders
	current   map[string]int    // order number to the order of its last row
	who       []int             // the columns that say who ordered
	words     []byte            // of a row in these columns
	buyers    map[string]*buyer // by these words
	cancelled int
	returned  int
	repeats   int
}

// openOrder is an order to which rows may still be added.
type openOrder struct {
	Order
	by   *buyer
	line int
	id   string
	sum  bool // has an amount
	bad  bool // one of its rows could not be read, so its sum would be wrong
}

func newOrderTable(t *table, opt *Options) (*orderTable, error) {
	sample := t.sample(sampleRows)
	l, err := t.arrange(orderRoles, opt.Columns, func(role string, column int) bool {
		switch role {
		case "date":
			return filled(sample, column) && share(sample, column, func(s string) bool { _, ok := scanDate(s); return ok }) >= 0.6
		case "amount", "price":
			return share(sample, column, isAmount) >= 0.6
		case "units":
			return share(sample, column, isWhole) >= 0.6
		case "email":
			return share(sample, column, isEmail) >= 0.5
		case "phone":
			return share(sample, column, likePhone) >= 0.5
		case "customer", "order":
			return !filled(sample, column) || share(sample, column, looksLikeDate) < 0.5
		case "currency":
			return share(sample, column, func(s string) bool { _, ok := currencyOf(s); return ok }) >= 0.5
		}
		return true
	})
	if err != nil {
		return nil, err
	}
	o := &orderTable{
		l: l, opt: opt, problems: t.problems, currency: opt.Currency,
		byID: map[string]int{}, current: map[string]int{}, buyers: map[string]*buyer{},
	}
	if err := o.settle(t, sample); err != nil {
		return nil, err
	}
	o.people = &contactTable{
		l: layout{"name": l["name"], "first": l["first"], "last": l["last"], "email": l["email"], "phone": l["phone"]}, names: t.names,
		labels: map[int]int{}, headLabel: map[int]string{}, opt: opt, problems: t.problems,
	}
	for _, role := range []string{"customer", "name", "first", "last", "email", "phone"} {
		o.who = append(o.who, l[role]...)
	}
	o.learn(t)
	return o, nil
}

// settle corrects by the values what the header alone said, and asks the person where neither tells.
func (o *orderTable) settle(t *table, sample [][]string) error {
	l, named := o.l, o.opt.Columns
	// A shop's export calls the order's number "Name"; it looks like #1001.
	for c, name := range t.names {
		if fold(name) == "name" && named["order"] == "" && named["name"] == "" && filled(sample, c) && share(sample, c, isHashNumber) > 0.8 {
			l["order"] = []int{c}
			if l.first("name") == c {
				delete(l, "name")
			}
		}
	}
	// "Customer" may hold names or addresses.
	if c := l.first("customer"); c >= 0 && named["customer"] == "" && filled(sample, c) {
		switch {
		case share(sample, c, isEmail) > 0.8:
			delete(l, "customer")
			l["email"] = []int{c}
		case share(sample, c, likeName) > 0.6:
			delete(l, "customer")
			l["name"] = []int{c}
		}
	}
	if !l.has("customer") && !l.has("email") {
		for c := range t.names {
			if !l.taken(c) && filled(sample, c) && share(sample, c, isEmail) > 0.8 {
				l["email"] = []int{c}
				break
			}
		}
	}
	whom := func() bool {
		return l.has("customer") || l.has("email") || l.has("phone") || l.has("name") || l.has("first")
	}
	// A lone "id" that comes again and again is the customer's, not the order's.
	if c := l.first("order"); c >= 0 && !whom() && named["order"] == "" && fold(t.names[c]) == "id" && repeats(sample, c) {
		delete(l, "order")
		l["customer"] = []int{c}
	}
	if !l.has("date") {
		var candidates []int
		for c := range t.names {
			if !l.taken(c) && filled(sample, c) && share(sample, c, looksLikeDate) > 0.9 {
				candidates = append(candidates, c)
			}
		}
		if len(candidates) > 1 {
			return fmt.Errorf("several columns could be the order's date (%q, %q); the file has %s: say which, such as date=%s",
				t.names[candidates[0]], t.names[candidates[1]], t.list(), t.names[candidates[0]])
		}
		l["date"] = candidates
	}
	switch {
	case !whom() && !l.has("date"):
		return fmt.Errorf("no telling which columns hold the customer and the date; the file has %s: say which, such as customer=%s,date=…",
			t.list(), t.names[0])
	case !whom():
		return fmt.Errorf("no telling which column holds the customer; the file has %s: say which, such as customer=%s", t.list(), t.names[0])
	case !l.has("date"):
		return fmt.Errorf("no telling which column holds the order's date; the file has %s: say which, such as date=%s", t.list(), t.names[0])
	}
	// The same header twice is a tie that only the person can break.
	for _, role := range []string{"date", "customer", "amount"} {
		if c := l.first(role); c >= 0 && named[role] == "" {
			for other, name := range t.names {
				if other != c && !l.taken(other) && fold(name) == fold(t.names[c]) {
					return fmt.Errorf("columns %d and %d are both called %q; say which holds the %s by its number, such as %s=%d",
						c+1, other+1, name, role, role, c+1)
				}
			}
		}
	}
	o.byContent(t, sample)
	return nil
}

// byContent gives a role to the one column left that can only be the amount or the quantity.
func (o *orderTable) byContent(t *table, sample [][]string) {
	l := o.l
	one := func(want func(string) bool) int {
		found := -1
		for c := range t.names {
			if !l.taken(c) && filled(sample, c) && share(sample, c, want) == 1 {
				if found >= 0 {
					return -1
				}
				found = c
			}
		}
		return found
	}
	if !l.has("amount") && !l.has("price") {
		if c := one(isMoney); c >= 0 {
			l["amount"] = []int{c}
		}
	}
	if !l.has("units") && l.has("amount") {
		if c := one(isSmallCount); c >= 0 && repeats(sample, c) {
			l["units"] = []int{c}
		}
	}
	for _, role := range []string{"amount", "price"} {
		if c := l.first(role); c >= 0 {
			for w := range strings.FieldsFuncSeq(t.names[c], func(r rune) bool { return r == ' ' || r == '(' || r == ')' || r == '[' || r == ']' || r == '_' }) {
				code, ok := currencyOf(w)
				if ok && code != "" && (w == code || len(w) > 3 || strings.ContainsAny(w, "€£")) && knownCurrencies[code] {
					o.currency = code
				}
			}
			break
		}
	}
}

// knownCurrencies are those that a header may name ("Total EUR"): not every three letters in it are a currency.
var knownCurrencies = map[string]bool{
	"EUR": true, "USD": true, "GBP": true, "CHF": true, "MXN": true, "CAD": true, "AUD": true, "NZD": true, "BRL": true, "ARS": true, "CLP": true,
	"COP": true, "PEN": true, "SEK": true, "NOK": true, "DKK": true, "PLN": true, "CZK": true, "HUF": true, "JPY": true, "INR": true, "ZAR": true,
	"TRY": true, "RON": true, "PHP": true, "IDR": true, "MYR": true, "SGD": true, "HKD": true, "THB": true, "KRW": true, "CNY": true, "ILS": true,
}

// learn looks at every row once, so that the forms of dates and amounts are those of the whole column.
func (o *orderTable) learn(t *table) {
	date, amount, price, order := o.l.first("date"), o.l.first("amount"), o.l.first("price"), o.l.first("order")
	o.days.loc = o.opt.Location
	type lines struct {
		amount string
		n      int
	}
	orders := map[string]lines{}
	same, differ := 0, 0
	whole := amount >= 0 && order >= 0 && wholeOrder(fold(t.names[amount]))
	rows := t.rows()
	rows.problems = &problems{}
	for n := 0; n <= o.opt.MaxRows; n++ {
		rec, _, ok := rows.next()
		if !ok {
			break
		}
		o.days.learn(at(rec, date))
		o.total.learn(at(rec, amount))
		o.price.learn(at(rec, price))
		if whole {
			id, a := at(rec, order), strings.TrimSpace(at(rec, amount))
			if was := orders[id]; was.n == 0 {
				orders[id] = lines{a, 1}
			} else {
				if was.n == 1 && was.amount == a && a != "" {
					same++
				}
				if was.amount != a {
					differ++
				}
				was.n++
				orders[id] = was
			}
		}
	}
	o.days.decide(o.opt)
	o.total.decide()
	o.price.decide()
	o.repeated = same >= 2 && differ == 0
	if o.days.guessed {
		o.problems.tally("[date|dates] read as "+orderWords(o.days.order)+", as nothing in the file tells; if that is wrong, give the date order", o.days.numeric)
	}
}

// wholeOrder reports whether an amount's header speaks of the order, not of a line of it.
func wholeOrder(header string) bool {
	h := " " + header + " "
	for _, w := range []string{" line ", " item ", " lineitem ", " unit ", " linea "} {
		if strings.Contains(h, w) {
			return false
		}
	}
	for _, w := range []string{" total ", " order ", " invoice ", " pedido ", " factura ", " gesamt", " bestell", " rechnung", " commande "} {
		if strings.Contains(h, w) {
			return true
		}
	}
	return false
}

func isAmount(s string) bool { _, _, _, ok := bare(s); return ok && !looksLikeDate(s) }

func isMoney(s string) bool { return isAmount(s) && strings.ContainsAny(s, ".,$€£") }

func isWhole(s string) bool {
	_, err := strconv.ParseFloat(strings.TrimSpace(s), 64)
	return err == nil
}

func isSmallCount(s string) bool {
	n, err := strconv.Atoi(strings.TrimSpace(s))
	return err == nil && n >= 0 && n < 10000
}

func isHashNumber(s string) bool {
	s, ok := strings.CutPrefix(strings.TrimSpace(s), "#")
	return ok && s != "" && strings.ContainsAny(s, "0123456789")
}

// repeats reports whether a column's values come more than once.
func repeats(sample [][]string, column int) bool {
	seen := map[string]bool{}
	n := 0
	for _, rec := range sample {
		seen[at(rec, column)] = true
		n++
	}
	return len(seen) < n
}

// row takes in one row.
func (o *orderTable) row(rec []string, line int) {
	if c := o.l.first("status"); c >= 0 && isCancelled(fold(at(rec, c))) || isSet(at(rec, o.l.first("cancelled"))) {
		o.cancelled++
		return
	}
	id := clean(at(rec, o.l.first("order")), MaxFieldBytes, false)
	by := o.buyer(rec, line)
	i, known := o.current[id]
	known = known && id != ""
	if by.customer == "" {
		if !known {
			o.problems.add(line, "[row has|rows have] no customer; left out", "row has no customer; left out")
			return
		}
		by = o.orders[i].by
	}
	raw := at(rec, o.l.first("date"))
	when, dateOnly, ok := o.days.read(raw)
	if !ok {
		if !known || strings.TrimSpace(raw) != "" {
			o.problems.add(line, "[date|dates] could not be read; left out", "%s; left out", o.dateProblem(raw))
			return
		}
		when, dateOnly = o.orders[i].At, o.orders[i].DateOnly
	}
	if latest := o.opt.Latest; !latest.IsZero() && when.After(latest) {
		o.problems.add(line, "[order is|orders are] dated in the future; left out", "date %.40q is in the future; left out", strings.TrimSpace(raw))
		return
	}
	cents, currency, units, has, ok := o.amount(rec, line)
	if id != "" {
		key := id + "\x00" + by.customer
		if i, known = o.byID[key]; known {
			o.current[id] = i
			o.orders[i].addRow(cents, units, has, o.repeated, !ok)
			if o.repeated {
				o.repeats++
			}
			return
		}
		name := id
		if i, clash := o.current[id]; clash {
			o.problems.add(line, "[row has|rows have] an order number of another customer; taken as [an order of its|orders of their] own",
				"order number %.40q is that of another customer in line %d; taken as an order of its own", id, o.orders[i].line)
			name += " of " + by.customer
		}
		o.byID[key], o.current[id] = len(o.orders), len(o.orders)
		id = name
	}
	if !ok && id == "" {
		return
	}
	o.orders = append(o.orders, openOrder{
		Order: Order{
			Customer: by.customer, PersonKey: by.key, At: when, DateOnly: dateOnly, Cents: cents, Currency: currency, Units: units,
			Person: by.person,
		},
		by: by, line: line, id: strings.Clone(id), sum: has, bad: !ok,
	})
}

func (o *openOrder) addRow(cents, units int64, has, repeated, bad bool) {
	o.Units = min(o.Units+units, maxCents)
	o.bad = o.bad || bad
	if !has || repeated && o.sum {
		return
	}
	o.sum = true
	o.Cents += cents
	if o.Cents > maxCents || o.Cents < -maxCents {
		o.bad = true
	}
}

func (o *orderTable) dateProblem(raw string) string {
	raw = strings.TrimSpace(raw)
	switch {
	case raw == "":
		return "row has no date"
	case looksLikeDate(raw):
		if o.days.numeric > 0 {
			return fmt.Sprintf("date %.40q is not a %s of the years %d to %d, as the rest of the column is", raw, orderWords(o.days.order), minYear, maxYear)
		}
		return fmt.Sprintf("date %.40q is not of the years %d to %d", raw, minYear, maxYear)
	}
	return fmt.Sprintf("%.40q is not a date", raw)
}

// buyer is who ordered.
type buyer struct {
	customer, key string
	person        *Person
}

// buyer says who ordered: the customer's number, else who the contact columns say. Rows that say it in the same words
// get the same value.
func (o *orderTable) buyer(rec []string, line int) *buyer {
	o.words = o.words[:0]
	for _, c := range o.who {
		o.words = append(append(o.words, at(rec, c)...), 0)
	}
	if b, ok := o.buyers[string(o.words)]; ok {
		return b
	}
	b := &buyer{}
	o.buyers[string(o.words)] = b
	number := clean(at(rec, o.l.first("customer")), MaxFieldBytes, false)
	if number != "" {
		b.customer, b.key = strings.Clone(clean(number, maxKeyBytes, false)), idKey(number)
	}
	p, ok := o.people.person(rec, line)
	if !o.l.has("name") && !o.l.has("first") && !o.l.has("last") && likeWord(number) {
		p.Name, ok = number, true // "Customer" holds names of one word, and no other column has any
	}
	if !ok {
		return b
	}
	b.person = &p
	switch {
	case number != "":
		p.Key = b.key
	case len(p.Emails) > 0:
		b.customer, b.key = p.Emails[0].Address, p.Key
	case len(p.Phones) > 0:
		b.customer, b.key = p.Phones[0].Number, p.Key
	default:
		b.customer, b.key = clean(p.Name, maxKeyBytes, false), p.Key
	}
	return b
}

// likeWord tells a name from a customer's number or code: it has small letters, more than one, and no digit.
func likeWord(s string) bool {
	return len(s) > 2 && !strings.ContainsAny(s, "0123456789@:/_#") && strings.ToUpper(s) != s
}

// amount reads what a row is worth; has is false when it does not say, ok when what it says cannot be read.
func (o *orderTable) amount(rec []string, line int) (cents int64, currency string, units int64, has, ok bool) {
	ok = true
	if s := strings.TrimSpace(at(rec, o.l.first("units"))); s != "" {
		v, err := strconv.ParseFloat(strings.Replace(s, ",", ".", 1), 64)
		if err != nil || v > 1e9 || v < -1e9 || v != v {
			o.problems.add(line, "[quantity|quantities] could not be read; taken as unknown", "quantity %.40q is not a number; taken as unknown", s)
		} else {
			units = int64(v)
		}
	}
	column, reader := o.l.first("amount"), &o.total
	if column < 0 {
		column, reader = o.l.first("price"), &o.price
	}
	currency = o.currency
	if s := strings.TrimSpace(at(rec, column)); s != "" {
		var own string
		cents, own, ok = reader.read(s)
		if !ok {
			o.problems.add(line, "[amount|amounts] could not be read; left out", "amount %.40q is not a number as the rest of the column writes them; left out", s)
			return 0, currency, units, false, false
		}
		has = true
		if own != "" {
			currency = own
		}
		if column == o.l.first("price") && o.l.has("units") {
			if n := max(units, -units); n > 0 && max(cents, -cents) > maxCents/n {
				o.problems.add(line, "[amount is|amounts are] too large; left out", "amount %.40q times %d is too large; left out", s, units)
				return 0, currency, units, false, false
			}
			cents *= units
		}
	}
	if code, known := currencyOf(strings.TrimSpace(at(rec, o.l.first("currency")))); known && code != "" {
		currency = code
	}
	return cents, currency, units, has, ok
}

func isCancelled(folded string) bool {
	switch folded {
	case "cancelled", "canceled", "refunded", "voided", "void", "failed", "returned", "expired", "declined", "trash",
		"cancelado", "cancelada", "anulado", "anulada", "devuelto", "devuelta", "reembolsado", "fallido", "fallida",
		"storniert", "abgebrochen", "erstattet", "fehlgeschlagen", "annule", "annulee", "rembourse", "remboursee", "reembolsada":
		return true
	}
	return false
}

func isSet(s string) bool {
	s = strings.TrimSpace(s)
	return s != "" && !isNo(fold(s)) && s != "-"
}

// finish closes the orders: it leaves out returns and gives each a key.
func (o *orderTable) finish() []Order {
	equal := map[string]int{}
	out := make([]Order, 0, len(o.orders))
	for i := range o.orders {
		r := &o.orders[i]
		switch {
		case r.bad:
			if r.id != "" {
				o.problems.add(r.line, "[order has|orders have] an amount that cannot be read; left out", "order %.40q has an amount that cannot be read; left out", r.id)
			}
			continue
		case r.Cents < 0:
			o.returned++
			continue
		}
		r.Units = max(r.Units, 0)
		if r.id != "" {
			r.Key = idKey(r.id)
		} else {
			r.Key = rowKey(&r.Order)
			equal[r.Key]++
			r.Key += "#" + strconv.Itoa(equal[r.Key])
		}
		out = append(out, r.Order)
	}
	o.problems.tally("[row is|rows are] of cancelled or refunded orders and [was|were] left out", o.cancelled)
	o.problems.tally("[order has|orders have] an amount below zero ([a return|returns]) and [was|were] left out", o.returned)
	o.problems.tally("further [row repeats|rows repeat] the total of [its|their] order; it was counted once", o.repeats)
	return out
}

// rowKey is the key of an order without a number: its customer, date and amount. The wall clock is that of the file, so
// that the zone of the device that imports does not matter.
func rowKey(o *Order) string {
	when := o.At.Format("2006-01-02T15:04:05")
	if o.DateOnly {
		when = o.At.Format(time.DateOnly)
	}
	k := strings.TrimPrefix(o.PersonKey, "id:") + "|" + when + "|" + strconv.FormatInt(o.Cents, 10)
	if len(k) > maxKeyBytes-12 {
		k = digest(k)
	}
	return "row:" + k
}
