package gen

import (
	"bufio"
	"encoding/csv"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"trio/crdt"
	"trio/replica/importer"
)

var vcardText = strings.NewReplacer(`\`, `\\`, "\n", `\n`, ",", `\,`, ";", `\;`)

// WriteVCF writes people as vCards of version 3.0, which every telephone reads. The stage and consent are categories,
// as address books have no place for them. Keys are to have the importer's form "id:…".
func WriteVCF(w io.Writer, people []importer.Person) error {
	b := bufio.NewWriter(w)
	for _, p := range people {
		line := func(head string, values ...string) {
			for i, v := range values {
				values[i] = vcardText.Replace(v)
			}
			fold(b, head+":"+strings.Join(values, ","))
		}
		line("BEGIN", "VCARD")
		line("VERSION", "3.0")
		line("UID", strings.TrimPrefix(p.Key, "id:"))
		line("FN", p.Name)
		given, family, _ := strings.Cut(p.Name, " ")
		fold(b, "N:"+vcardText.Replace(family)+";"+vcardText.Replace(given)+";;;")
		if p.Company != "" {
			line("ORG", p.Company)
		}
		for _, t := range p.Phones {
			line("TEL"+vcardType(t.Label), t.Number)
		}
		for _, e := range p.Emails {
			line("EMAIL"+vcardType(e.Label), e.Address)
		}
		if p.Birthday != "" {
			line("BDAY", p.Birthday)
		}
		if p.Note != "" {
			line("NOTE", p.Note)
		}
		categories := append([]string(nil), p.Tags...)
		if p.Stage != "" {
			categories = append(categories, p.Stage)
		}
		switch p.Consent {
		case crdt.ConsentOut:
			categories = append(categories, "Opted out")
		case crdt.ConsentGiven:
			categories = append(categories, "Opted in")
		}
		if len(categories) > 0 {
			line("CATEGORIES", categories...)
		}
		line("END", "VCARD")
	}
	if err := b.Flush(); err != nil {
		return fmt.Errorf("write vcards: %w", err)
	}
	return nil
}

func vcardType(label string) string {
	switch label {
	case "":
		return ""
	case "mobile":
		return ";TYPE=CELL"
	}
	return ";TYPE=" + strings.ToUpper(label)
}

// fold writes a line in pieces of at most 75 bytes, never through a character. The writer keeps its first error.
func fold(b *bufio.Writer, s string) {
	for room := 75; len(s) > room; room = 74 {
		n := room
		for !utf8.RuneStart(s[n]) {
			n--
		}
		_, _ = b.WriteString(s[:n] + "\r\n ")
		s = s[n:]
	}
	_, _ = b.WriteString(s + "\r\n")
}

// WriteOrdersCSV writes orders as a shop's export, one row an order. Keys are to have the importer's form "id:…".
func WriteOrdersCSV(w io.Writer, orders []importer.Order) error {
	c := csv.NewWriter(w)
	rows := [][]string{{"order_id", "customer_id", "customer_name", "email", "phone", "date", "units", "amount", "currency"}}
	for _, o := range orders {
		row := make([]string, 9)
		row[0], row[1] = strings.TrimPrefix(o.Key, "id:"), o.Customer
		if p := o.Person; p != nil {
			row[2] = p.Name
			if len(p.Emails) > 0 {
				row[3] = p.Emails[0].Address
			}
			if len(p.Phones) > 0 {
				row[4] = p.Phones[0].Number
			}
		}
		row[5] = o.At.Format(time.DateOnly)
		if !o.DateOnly {
			row[5] = o.At.Format(time.RFC3339)
		}
		row[6], row[7], row[8] = strconv.FormatInt(o.Units, 10), fmt.Sprintf("%d.%02d", o.Cents/100, o.Cents%100), o.Currency
		rows = append(rows, row)
	}
	if err := c.WriteAll(rows); err != nil {
		return fmt.Errorf("write orders: %w", err)
	}
	return nil
}
