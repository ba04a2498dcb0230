package importer

import (
	"bytes"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"
)

func readOrders(t *testing.T, csv string, opt Options) ([]Order, []Problem) {
	t.Helper()
	orders, problems, err := ReadOrders(strings.NewReader(csv), opt)
	if err != nil {
		t.Fatal(err)
	}
	checkOrders(t, orders)
	return orders, problems
}

func checkOrders(t *testing.T, orders []Order) {
	t.Helper()
	keys := map[string]bool{}
	for _, o := range orders {
		if o.Key == "" || len(o.Key) > maxKeyBytes || keys[o.Key] {
			t.Errorf("order key %q is empty, too long or there twice", o.Key)
		}
		keys[o.Key] = true
		if o.Customer == "" || o.PersonKey == "" || len(o.PersonKey) > maxKeyBytes || o.Cents < 0 || o.Units < 0 {
			t.Errorf("order %+v", o)
		}
		if y := o.At.Year(); y < minYear-1 || y > maxYear+1 {
			t.Errorf("order of the year %d", y)
		}
		if o.Currency != "" && !isCurrency(o.Currency) {
			t.Errorf("currency %q", o.Currency)
		}
		if o.Person != nil {
			checkPerson(t, o.Person)
			if o.Person.Key != o.PersonKey {
				t.Errorf("person %q of an order of %q", o.Person.Key, o.PersonKey)
			}
		}
	}
}

// brief writes an order on one line.
func brief(o Order) string {
	when := o.At.Format("2006-01-02T15:04")
	if o.DateOnly {
		when = o.At.Format(time.DateOnly)
	}
	s := fmt.Sprintf("%s %s %s %d%s x%d", o.Key, o.Customer, when, o.Cents, o.Currency, o.Units)
	if o.Person != nil {
		s += " " + o.Person.Name
	}
	return s
}

func TestOrders(t *testing.T) {
	for _, tt := range []struct {
		name, csv string
		opt       Options
		want      []string
		problems  int
	}{
		{
			name: "no order number: equal rows are two orders",
			csv:  "customer_id,date,amount\n7,2026-01-05,20.50\n7,2026-01-05,20.50\n8,2026-01-06,1\n",
			want: []string{
				"row:7|2026-01-05|2050#1 7 2026-01-05 2050 x0", "row:7|2026-01-05|2050#2 7 2026-01-05 2050 x0",
				"row:8|2026-01-06|100#1 8 2026-01-06 100 x0",
			},
		},
		{
			name: "lines of an invoice, price and quantity, returns",
			csv: "Invoice,StockCode,Description,Quantity,InvoiceDate,Price,Customer ID,Country\n" +
				"491725,85048,\"BALL, RED\",12,2009-12-01 07:45:00,6.95,13085,UK\n491725,79323,X,2,2009-12-01 07:45:00,0.5,13085,UK\n" +
				"C491726,79323,X,-2,2009-12-01 08:45:00,0.5,13085,UK\n491727,79323,X,1,2009-12-01 09:00:00,0.5,,UK\n",
			opt:      Options{Currency: "GBP"},
			want:     []string{"id:491725 13085 2009-12-01T07:45 8440GBP x14"},
			problems: 2,
		},
		{
			name: "a shop's export: names of orders, blanks on further lines, cancelled",
			csv: "Name,Email,Financial Status,Paid at,Currency,Subtotal,Shipping,Taxes,Total,Discount Amount,Created at,Lineitem quantity,Lineitem name,Lineitem price,Billing Name,Phone,Cancelled at,Id\n" +
				"#1001,ana@example.org,paid,2026-01-05 10:00:00 +0100,EUR,40.00,5.00,0,45.00,0,2026-01-05 09:59:00 +0100,1,Tea,20.00,Ana García,'+34612345678,,1\n" +
				"#1001,ana@example.org,,,,,,,,,2026-01-05 09:59:00 +0100,2,Mug,10.00,,,,\n" +
				"#1002,luis@example.org,refunded,,EUR,10,0,0,10.00,0,2026-01-06 10:00:00 +0100,1,Tea,10.00,Luis,,,2\n" +
				"#1003,luis@example.org,paid,,EUR,10,0,0,10.00,0,2026-01-06 11:00:00 +0100,1,Tea,10.00,Luis,,2026-01-07,3\n",
			want:     []string{"id:#1001 ana@example.org 2026-01-05T08:59 4500EUR x3 Ana García"},
			problems: 1,
		},
		{
			name: "the order's total on every line",
			csv: "Order Number,Order Date,Customer Name,Order Total,Item,Qty\n1,2026-01-05,Ana G,30.00,a,1\n1,2026-01-05,Ana G,30.00,b,2\n" +
				"2,2026-01-06,Luis P,12.50,a,1\n2,2026-01-06,Luis P,12.50,c,1\n3,2026-01-07,Ana G,5,a,1\n",
			want: []string{
				"id:1 Ana G 2026-01-05 3000 x3 Ana G", "id:2 Luis P 2026-01-06 1250 x2 Luis P", "id:3 Ana G 2026-01-07 500 x1 Ana G",
			},
			problems: 1,
		},
		{
			name: "Spanish: day first, comma for cents",
			csv:  "Nº pedido;Cliente;Fecha;Importe;Unidades\nA1;C7;03/04/2026;1.234,50 €;2\nA2;C8;25/04/2026;7,5 €;1\n",
			want: []string{"id:A1 C7 2026-04-03 123450EUR x2", "id:A2 C8 2026-04-25 750EUR x1"},
		},
		{
			name: "American: month first, told by one row",
			csv:  "Order ID,Customer ID,Order Date,Sales\nA1,C7,03/04/2026,\"$1,234\"\nA2,C8,04/25/26,$7\n",
			opt:  Options{Currency: "USD"},
			want: []string{"id:A1 C7 2026-03-04 123400USD x0", "id:A2 C8 2026-04-25 700USD x0"},
		},
		{
			name: "told by the rows being sorted",
			csv:  "client no,when,total\n1,03/04/2026,5\n1,04/04/2026,5\n1,01/05/2026,5\n1,02/05/2026,5\n",
			want: []string{
				"row:1|2026-04-03|500#1 1 2026-04-03 500 x0", "row:1|2026-04-04|500#1 1 2026-04-04 500 x0",
				"row:1|2026-05-01|500#1 1 2026-05-01 500 x0", "row:1|2026-05-02|500#1 1 2026-05-02 500 x0",
			},
		},
		{
			name:     "told by nothing: convention, and said so",
			csv:      "customer,date\nc1,03/04/2026\nc2,03/04/2026\n",
			want:     []string{"row:c1|2026-04-03|0#1 c1 2026-04-03 0 x0", "row:c2|2026-04-03|0#1 c2 2026-04-03 0 x0"},
			problems: 1,
		},
		{
			name: "told by the person",
			csv:  "customer,date\nc1,03/04/2026\n",
			opt:  Options{DateOrder: "mdy"},
			want: []string{"row:c1|2026-03-04|0#1 c1 2026-03-04 0 x0"},
		},
		{
			name:     "German dates and words",
			csv:      "Kundennummer;Rechnungsdatum;Rechnungsnummer;Gesamtbetrag\n7;3.4.2026;R1;12,00\n7;03.05.26;R2;-3,00\n",
			want:     []string{"id:R1 7 2026-04-03 1200 x0"},
			problems: 1,
		},
		{
			name: "days of a spreadsheet, with and without a time",
			csv:  "customer,order date,total (EUR)\nc1,46115,5\nc2,46115.5,5\n",
			want: []string{"row:c1|2026-04-03|500#1 c1 2026-04-03 500EUR x0", "row:c2|2026-04-03T12:00:00|500#1 c2 2026-04-03T12:00 500EUR x0"},
		},
		{
			name: "names of months",
			csv:  "buyer,placed\nc1,3 abr 2026\nc1,\"Apr 5, 2026 9:05 PM\"\nc1,7 de mayo de 2026\nc1,12-Dez-2026\n",
			want: []string{
				"row:c1|2026-04-03|0#1 c1 2026-04-03 0 x0", "row:c1|2026-04-05T21:05:00|0#1 c1 2026-04-05T21:05 0 x0",
				"row:c1|2026-05-07|0#1 c1 2026-05-07 0 x0", "row:c1|2026-12-12|0#1 c1 2026-12-12 0 x0",
			},
		},
		{
			name: "columns given by name and number",
			csv:  "client_no,when,x,total\n1,2026-01-05,9,5\n",
			opt:  Options{Columns: map[string]string{"customer": "client_no", "date": "2", "amount": "x"}},
			want: []string{"row:1|2026-01-05|900#1 1 2026-01-05 900 x0"},
		},
		{
			name: "no header at all",
			csv:  "ana@example.org,2026-01-05,12.50\nluis@example.org,2026-01-06,3.00\n",
			want: []string{
				"row:p:* ana@example.org 2026-01-05 1250 x0 ana@example.org", "row:p:* luis@example.org 2026-01-06 300 x0 luis@example.org",
			},
		},
		{
			name:     "what cannot be read is named",
			csv:      "order,customer,date,amount\n1,a,2026-01-05,x\n2,a,2026-13-05,1\n3,a,,1\n4,a,1950-01-01,1\n5,a,2026-01-05,1\n5,b,2026-01-05,1\n6,a,2026-01-05,2\n",
			want:     []string{"id:5 a 2026-01-05 100 x0", "id:5 of b b 2026-01-05 100 x0", "id:6 a 2026-01-05 200 x0"},
			problems: 6,
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			orders, problems := readOrders(t, tt.csv, tt.opt)
			var got []string
			for i, o := range orders {
				s := brief(o)
				if i < len(tt.want) && strings.HasPrefix(tt.want[i], "row:p:*") {
					s = "row:p:*" + s[strings.Index(s, " "):]
				}
				got = append(got, s)
			}
			if !reflect.DeepEqual(got, tt.want) {
				t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(tt.want, "\n"))
			}
			if len(problems) != tt.problems {
				t.Errorf("got %d problems, want %d: %v", len(problems), tt.problems, problems)
			}
			if k := Sniff("x.csv", []byte(tt.csv)); k != OrdersFile && tt.opt.Columns == nil {
				t.Errorf("Sniff says %v", k)
			}
		})
	}
}

// TestOrderKeysAreStable: a second import gives the same keys, also when the zone of the device is another, and a longer
// export of the same rows gives the old rows their old keys.
func TestOrderKeysAreStable(t *testing.T) {
	csv := "customer,date,amount\n7,2026-01-05 10:00,20.50\n7,2026-01-05 10:00,20.50\n8,2026-01-06T10:00:00+02:00,1\n"
	a, _ := readOrders(t, csv, Options{})
	b, _ := readOrders(t, csv+"7,2026-01-05 10:00,20.50\n", Options{Location: time.FixedZone("", 9*3600)})
	if len(a) != 3 || len(b) != 4 {
		t.Fatalf("%d and %d orders", len(a), len(b))
	}
	for i := range a {
		if a[i].Key != b[i].Key {
			t.Errorf("row %d has keys %q and %q", i, a[i].Key, b[i].Key)
		}
	}
}

// TestOrdersLinkToContacts: orders and contacts of one source meet in their keys.
// People are called by the name in the file, also where most have one word; codes are no names.
func TestCustomersOfOneWordKeepTheirNames(t *testing.T) {
	orders, _ := readOrders(t, "Customer,Phone,Date,Amount\nJoanna,+34622000088,2026-01-01,5.00\nAna Ruiz,+34622000089,2026-01-02,6.00\nŁucja,,2026-01-03,7.00\nKX12,+34622000090,2026-01-03,7.00\n", Options{})
	var got []string
	for _, o := range orders {
		got = append(got, o.Person.Name+"|"+o.Person.Key)
	}
	if want := "Joanna|id:Joanna, Ana Ruiz|id:Ana Ruiz, Łucja|id:Łucja, +34622000090|id:KX12"; strings.Join(got, ", ") != want {
		t.Errorf("%s\nwant %s", strings.Join(got, ", "), want)
	}
	orders, _ = readOrders(t, "Customer,Name,Date,Amount\nabcd,Rosa,2026-01-01,5.00\n", Options{})
	if p := orders[0].Person; p == nil || p.Name != "Rosa" {
		t.Errorf("%+v", p)
	}
}

func TestOrdersLinkToContacts(t *testing.T) {
	opt := Options{CallingCode: "+34"}
	people, _, err := ReadContactsCSV(strings.NewReader("customer no,name,phone\n007,Ana García,612345678\n"), opt)
	if err != nil {
		t.Fatal(err)
	}
	orders, _ := readOrders(t, "customer no,date\n007,2026-01-05\n", opt)
	if orders[0].PersonKey != people[0].Key || orders[0].Customer != "007" {
		t.Errorf("order of %q, person %q", orders[0].PersonKey, people[0].Key)
	}
	people, _, err = ReadContactsCSV(strings.NewReader("name,phone\nAna García,612345678\n"), opt)
	if err != nil {
		t.Fatal(err)
	}
	orders, _ = readOrders(t, "customer name,phone,date\nAna García,612 345 678,2026-01-05\n", opt)
	if orders[0].PersonKey != people[0].Key {
		t.Errorf("order of %q, person %q", orders[0].PersonKey, people[0].Key)
	}
}

func TestOrdersAskForColumns(t *testing.T) {
	for csv, want := range map[string]string{
		"foo,bar\nx,y\n":                                `no telling which columns hold the customer and the date; the file has "foo", "bar"`,
		"customer,foo\nx,y\n":                           `no telling which column holds the order's date; the file has "customer", "foo": say which, such as date=customer`,
		"date,foo\n2026-01-05,y\n":                      `no telling which column holds the customer`,
		"customer,a,b\nx,2026-01-05,2026-01-06\n":       `several columns could be the order's date ("a", "b")`,
		"customer,date,date\nx,2026-01-05,2026-01-06\n": `columns 2 and 3 are both called "date"; say which holds the date by its number, such as date=2`,
	} {
		_, _, err := ReadOrders(strings.NewReader(csv), Options{})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q:\n got %v\nwant %s", csv, err, want)
		}
	}
}

func TestOrderLimits(t *testing.T) {
	const csv = "customer,date\na,2026-01-05\nb,2026-01-05\nc,2026-01-05\n"
	if _, _, err := ReadOrders(strings.NewReader(csv), Options{MaxRows: 2}); err == nil || !strings.Contains(err.Error(), "split it") {
		t.Errorf("got %v", err)
	}
	if _, _, err := ReadOrders(strings.NewReader(csv), Options{MaxBytes: 20}); err == nil || !strings.Contains(err.Error(), "split it") {
		t.Errorf("got %v", err)
	}
	// A thousand bad rows are few problems.
	_, problems := readOrders(t, csv+strings.Repeat("d,2026-01-05\n", 200)+strings.Repeat("d,soon\n", 1000), Options{})
	if n := len(problems); n != maxProblems+1 || problems[n-1].Text != "980 more: dates could not be read; left out" {
		t.Errorf("%d problems, the last %v", n, problems[n-1])
	}
	// A file full of opened quotes is read in reasonable time.
	if _, _, err := ReadOrders(strings.NewReader("customer,date\n"+strings.Repeat("\"a,2026-01-05\n", 200000)), Options{}); err != nil {
		t.Error(err)
	}
}

func TestMoney(t *testing.T) {
	for _, tt := range []struct {
		column []string
		want   []int64 // -1: refused
	}{
		{[]string{"1,234.56", "1,234", "12", "-5", "(5.00)", "5-"}, []int64{123456, 123400, 1200, -500, -500, -500}},
		{[]string{"1.234,56", "1.234", "12", "12,5"}, []int64{123456, 123400, 1200, 1250}},
		{[]string{"1 234,56", "1'234,5", "1\u00a0234,50 €"}, []int64{123456, 123450, 123450}},
		{[]string{"$12", "US$ 12.34", "EUR 3", "3 kr", "R$ 7"}, []int64{1200, 1234, 300, 300, 700}},
		{[]string{"1.234", "5.678"}, []int64{123400, 567800}}, // no cents anywhere: thousands
		{[]string{"0.500", "1.250"}, []int64{50, 125}},
		{[]string{"1.234.567", "12"}, []int64{123456700, 1200}},
		{[]string{"1,23,456.00", "12,34.5", "1.2.3", "abc", "", "--5", "12 apples"}, []int64{12345600, -1, -1, -1, -1, -1, -1}},
		{[]string{"99999999999999999999"}, []int64{-1}},
	} {
		var m money
		for _, s := range tt.column {
			m.learn(s)
		}
		m.decide()
		for i, s := range tt.column {
			cents, _, ok := m.read(s)
			if !ok {
				cents = -1
			}
			if cents != tt.want[i] {
				t.Errorf("column %q: %q is %d, want %d", tt.column, s, cents, tt.want[i])
			}
		}
	}
}

func TestParseColumns(t *testing.T) {
	got, err := ParseColumns(" customer = client_no, date=when ,amount=Total EUR,")
	if want := map[string]string{"customer": "client_no", "date": "when", "amount": "Total EUR"}; err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %v %v", got, err)
	}
	for _, s := range []string{"customer", "custmer=a", "date=", "date=a,date=b"} {
		if _, err := ParseColumns(s); err == nil {
			t.Errorf("%q is taken", s)
		}
	}
}

func TestSniff(t *testing.T) {
	for _, tt := range []struct {
		name, head string
		want       Kind
	}{
		{"a.vcf", "", VCardFile},
		{"a.txt", "\ufeffbegin:vcard\n", VCardFile},
		{"a.csv", "customer_id,date\n3,2006-01-01\n", OrdersFile},
		{"a.csv", "First Name,Last Name,Email,Phone,Date Registered,Orders,Total Spend\nA,B,a@example.org,+34612345678,2026-01-05,3,45.00\n", ContactsFile},
		{"a.xlsx", "PK\x03\x04\x00\x00\x00\x00\x01\x02\x03", UnknownFile},
		{"a.txt", "Dear all, this is a letter.\n", UnknownFile},
		{"a.csv", "", UnknownFile},
	} {
		if got := Sniff(tt.name, []byte(tt.head)); got != tt.want {
			t.Errorf("Sniff(%q, %q) = %v, want %v", tt.name, tt.head, got, tt.want)
		}
	}
}

func FuzzOrders(f *testing.F) {
	f.Add([]byte("order,customer,date,amount,qty\n1,a,03/04/2026,\"1,234.50\",2\n1,a,25/04/2026,-1,1\n2,b,46115.5,(5),x\n"), "")
	f.Add([]byte("Name,Email,Financial Status,Total,Created at,Lineitem quantity\n#1,a@example.org,paid,5 €,2026-01-05 10:00:00 +0100,1\n"), "")
	f.Add([]byte("Kundennummer;Rechnungsdatum;Preis;Menge\n7;3.4.2026;1.234,5;-3\n7;7 de mayo de 2026;;\n"), "customer=1,date=2")
	f.Add([]byte("a@example.org,20260314T101500Z,1767571200\n"), "date=3,amount=2")
	f.Add([]byte("\"c\"\"\",\"\n"), "customer=1,date=1,order=1,units=1,price=1")
	f.Fuzz(func(t *testing.T, b []byte, columns string) {
		opt := Options{CallingCode: "+1"}
		opt.Columns, _ = ParseColumns(columns)
		orders, _, err := ReadOrders(bytes.NewReader(b), opt)
		if err != nil {
			return
		}
		checkOrders(t, orders)
		again, _, err := ReadOrders(bytes.NewReader(b), opt)
		if err != nil || !reflect.DeepEqual(orders, again) {
			t.Fatalf("the same file gave something else: %v", err)
		}
	})
}
