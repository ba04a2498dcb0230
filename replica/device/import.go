package device

import (
	"bytes"
	"context"
	"fmt"

	"trio/replica"
	"trio/replica/importer"
)

// maxImport bounds the file of one import, bytes: a browser holds all of it in memory, here and on the way.
const maxImport = 16 << 20

// Import brings a file of contacts (vCard, or a table), of orders, or of changes that another device of the member saved into the book, and returns JSON that says what came of it. code is the
// calling code of phone numbers without one, such as +34, or nothing. The same file twice changes nothing.
func (d *Device) Import(ctx context.Context, name, code string, file []byte) (string, error) {
	if replica.IsFile(file) {
		return d.bring(ctx, file)
	}
	if len(file) > maxImport {
		return "", fmt.Errorf("the file has %d MB: at most %d are taken on a phone; bring it in parts, or on a computer", len(file)>>20, maxImport>>20)
	}
	opt := importer.Options{CallingCode: code}
	var n replica.Imported
	var problems []importer.Problem
	var err error
	kind := importer.Sniff(name, file[:min(len(file), 4096)])
	switch kind {
	case importer.VCardFile, importer.ContactsFile:
		read := importer.ReadVCards
		if kind == importer.ContactsFile {
			read = importer.ReadContactsCSV
		}
		var people []importer.Person
		if people, problems, err = read(bytes.NewReader(file), opt); err == nil {
			n, err = d.R.ImportPeople(ctx, people)
		}
	case importer.OrdersFile:
		var orders []importer.Order
		if orders, problems, err = importer.ReadOrders(bytes.NewReader(file), opt); err == nil {
			n, err = d.R.ImportOrders(ctx, orders)
		}
	default:
		return "", fmt.Errorf("%.60q is neither a vCard file nor a table of contacts or orders: save it as vCard (.vcf) or CSV, with a first line that names the columns", name)
	}
	if err != nil {
		return "", err
	}
	var w writer
	w.open('{')
	w.number("newContacts", int64(n.NewContacts))
	w.number("sameContacts", int64(n.SameContacts))
	w.number("newOrders", int64(n.NewOrders))
	w.number("sameOrders", int64(n.SameOrders))
	w.number("unknown", int64(n.Unknown))
	w.name("problems")
	w.open('[')
	for _, p := range problems[:min(len(problems), 20)] {
		w.string(p.String())
	}
	w.close(']')
	w.close('}')
	return string(w.out), nil
}
