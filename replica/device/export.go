package device

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"

	"trio/crdt"
	"trio/ranking"
	"trio/replica"
	"trio/replica/importer"
)

// File is a file for the person to keep.
type File struct {
	Name string
	Type string // MIME
	Data []byte
	// Changes is how many a file of changes has, and People or entries a readable one.
	Changes int
}

// Export makes a file: "unsent" (what is only on this device) or "all" as changes, which Import of another device of the member
// takes; "people.vcf" and "people.csv" (the book), "log.csv" (what happened), "book.json" (both).
func (d *Device) Export(ctx context.Context, what string) (File, error) {
	day := d.R.Today().String()
	switch what {
	case "unsent", "all":
		b, head, err := d.R.Export(ctx, what == "all")
		return File{"trio-" + day + replica.FileExtension, "application/octet-stream", b, head.Changes}, err
	case "people.vcf":
		f := File{Name: "people-" + day + ".vcf", Type: "text/vcard"}
		err := d.everybody(ctx, func(p *replica.Contact) {
			person := p.Person()
			f.Data = importer.AppendVCard(f.Data, &person, p.ID.String())
			f.Changes++
		})
		return f, err
	case "people.csv":
		f := File{Name: "people-" + day + ".csv", Type: "text/csv"}
		f.Data = importer.AppendCSV(f.Data, "Id", "Name", "Stage", "Phone 1", "Phone 2", "Email 1", "Email 2", "Company", "Birthday", "Consent", "Tags", "Note", "Not before")
		err := d.everybody(ctx, func(p *replica.Contact) {
			at := func(all []replica.Labelled, i int) string {
				if i < len(all) {
					return all[i].Value
				}
				return ""
			}
			tags := ""
			for i, t := range p.Tags {
				if i > 0 {
					tags += ", "
				}
				tags += t
			}
			f.Data = importer.AppendCSV(f.Data, p.ID.String(), p.Display(), p.Stage, at(p.Phones, 0), at(p.Phones, 1), at(p.Emails, 0), at(p.Emails, 1),
				p.Company, p.Birthday, p.Consent, tags, p.Note, p.Snooze)
			f.Changes++
		})
		return f, err
	case "log.csv":
		f := File{Name: "log-" + day + ".csv", Type: "text/csv"}
		names := map[crdt.ContactID]string{}
		if err := d.everybody(ctx, func(p *replica.Contact) { names[p.ID] = p.Display() }); err != nil {
			return f, err
		}
		f.Data = importer.AppendCSV(f.Data, "Id", "Date", "Time", "Kind", "Contact", "Name", "Outcome", "Channel", "Content", "Stage", "Due", "Amount", "Currency", "Minutes", "Count", "Evidence", "Note")
		err := d.R.Journal(ctx, func(e *replica.Logged) error {
			contact := ""
			if !e.Contact.IsZero() {
				contact = e.Contact.String()
			}
			var v crdt.Amount
			if e.Value != nil {
				v = *e.Value
			}
			amount := ""
			if v.Currency != "" || v.Cents != 0 {
				amount = cents(v.Cents)
			}
			date, clock := local(&e.Entry)
			f.Data = importer.AppendCSV(f.Data, e.ID.String(), date, clock, string(e.Kind), contact, names[e.Contact], e.Outcome, e.Channel, e.Content, e.Stage, e.Due,
				amount, v.Currency, some(v.Minutes), some(v.Count), "E"+strconv.Itoa(int(e.Evidence)), e.Note)
			f.Changes++
			return nil
		})
		return f, err
	case "book.json":
		f := File{Name: "book-" + day + ".json", Type: "application/json"}
		c := &call{ctx: ctx, d: d}
		c.open('{')
		c.text("member", d.R.Member().String())
		c.text("saved", day)
		c.name("people")
		c.open('[')
		if err := d.everybody(ctx, func(p *replica.Contact) { c.person(p, true); f.Changes++ }); err != nil {
			return f, err
		}
		c.close(']')
		c.name("log")
		c.open('[')
		err := d.R.Journal(ctx, func(e *replica.Logged) error {
			body, err := e.Encode()
			if err != nil {
				return nil //nolint:nilerr // of a newer version, or one that this app did not write: it has no form here
			}
			c.open('{')
			c.text("id", e.ID.String())
			c.text("day", e.Day.String())
			c.name("entry")
			c.out = append(c.out, body...)
			c.close('}')
			f.Changes++
			return nil
		})
		c.close(']')
		c.close('}')
		f.Data = c.out
		return f, err
	}
	return File{}, fmt.Errorf("there is no file %.40q: want unsent, all, people.vcf, people.csv, log.csv or book.json", what)
}

// everybody calls f with all of the book, by name.
func (d *Device) everybody(ctx context.Context, f func(*replica.Contact)) error {
	for at := 0; ; at += maxLines {
		page, err := d.R.Contacts(ctx, "", at, maxLines)
		for i := range page {
			f(&page[i])
		}
		if err != nil || len(page) < maxLines {
			return err
		}
	}
}

// local is the date and the time of an entry where its writer was.
func local(e *crdt.Entry) (date, clock string) {
	const minute, day = 60_000, 24 * 60
	minutes := (e.At + e.Skew) / minute
	minutes += int64(e.Zone)
	at := minutes % day
	two := func(n int64) string { return string([]byte{'0' + byte(n/10), '0' + byte(n%10)}) }
	return ranking.Day(minutes / day).String(), two(at/60) + ":" + two(at%60)
}

func cents(n int64) string {
	sign := ""
	if n < 0 {
		sign, n = "-", -n
	}
	return sign + strconv.FormatInt(n/100, 10) + "." + string([]byte{'0' + byte(n/10%10), '0' + byte(n%10)})
}

// some is a number, and nothing for zero.
func some(n int64) string {
	if n == 0 {
		return ""
	}
	return strconv.FormatInt(n, 10)
}

func sortedKeys(m map[string]string) []string { return slices.Sorted(maps.Keys(m)) }

// bring takes a file of changes in.
func (d *Device) bring(ctx context.Context, file []byte) (string, error) {
	n, err := d.R.Bring(ctx, file)
	if err != nil {
		return "", err
	}
	var w writer
	w.open('{')
	w.name("changes")
	w.open('{')
	w.number("new", int64(n.New))
	w.number("same", int64(n.Same))
	w.number("waiting", int64(n.Waiting))
	w.number("aside", int64(n.Aside))
	w.number("at", n.At.UnixMilli())
	w.close('}')
	w.close('}')
	return string(w.out), nil
}
