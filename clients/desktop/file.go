package desktop

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"trio/crdt"
	"trio/ranking"
	"trio/replica"
	"trio/replica/importer"
)

// File is what a file that a person brings holds: people or orders.
type File struct {
	Kind     importer.Kind
	People   []importer.Person
	Orders   []importer.Order
	Problems []importer.Problem // what could not be used
}

// ReadFile reads a vCard file, a table of contacts or an export of orders. What it is, the file's name and first bytes
// tell, unless want says: importer.OrdersFile, or importer.ContactsFile for contacts of either form. A file in which
// nothing could be used and nothing is reported has no rows: that is an error.
func ReadFile(path string, want importer.Kind, opt importer.Options) (*File, error) {
	r, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	head := make([]byte, 4096)
	n, _ := io.ReadFull(r, head) // a short file is no error
	head = head[:n]
	if _, err := r.Seek(0, io.SeekStart); err != nil {
		return nil, err
	}
	whole := n < cap(head)
	if whole && len(bytes.TrimSpace(head)) == 0 {
		return nil, fmt.Errorf("%s: the file has no rows", filepath.Base(path))
	}
	f := &File{Kind: importer.Sniff(path, head)}
	if want == importer.OrdersFile || want == importer.ContactsFile && f.Kind != importer.VCardFile {
		f.Kind = want
	}
	switch f.Kind {
	case importer.VCardFile:
		f.People, f.Problems, err = importer.ReadVCards(r, opt)
	case importer.ContactsFile:
		f.People, f.Problems, err = importer.ReadContactsCSV(r, opt)
	case importer.OrdersFile:
		f.Orders, f.Problems, err = importer.ReadOrders(r, opt)
	default:
		if whole && !bytes.ContainsRune(head, 0) && !bytes.ContainsAny(bytes.TrimSpace(head), "\r\n") { // a header, at most
			return nil, fmt.Errorf("%s: the file has no rows", filepath.Base(path))
		}
		return nil, &userError{
			msg:  filepath.Base(path) + " is neither a vCard file nor a table of contacts or orders",
			hint: "save it as CSV or vCard (.vcf), with a first line that names the columns",
		}
	}
	if err == nil && len(f.People)+len(f.Orders)+len(f.Problems) == 0 {
		err = errors.New("the file has no rows")
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", filepath.Base(path), err)
	}
	return f, nil
}

// phrases of the screens, in English and Spanish. All other words come from the playbook.
var phrases = map[bool]struct {
	lists     [2]string // by ranking.List
	why, none string
	now       string // before a notice that is due
	until     string
}{
	false: {lists: [2]string{"PROSPECTS", "MEMBERS"}, why: "why:", none: "nothing needed today", now: "NOW", until: "until"},
	true:  {lists: [2]string{"PROSPECTOS", "MIEMBROS"}, why: "por qué:", none: "hoy no hace falta nada", now: "AHORA", until: "hasta las"},
}

// giveAlerts writes the notices that are due, with the step that each asks for, and logs that they were shown. It says how many
// there were.
func (a *app) giveAlerts(ctx context.Context) (int, error) {
	p, err := a.readProfile(ctx)
	if err != nil {
		return 0, err
	}
	lang := p[crdt.ProfileLanguage]
	words := phrases[spanish(lang)]
	all, err := a.Alerts(ctx, lang)
	if err != nil {
		return 0, err
	}
	for _, x := range all {
		fmt.Fprintf(a.out, "%s %s (%s %s)\n  %s  (%s)\n  “%s”\n", words.now, x.Notice, words.until, x.Until.Local().Format("15:04"), x.Step, x.Name, x.Wording)
		if err := a.Alerted(ctx, x); err != nil {
			return 0, err
		}
	}
	return len(all), nil
}

// RenderTop writes the two lists of three as text, numbered on from the first to the second, and returns them too. lang is the member's language; what is not
// Spanish is English.
func RenderTop(ctx context.Context, r *replica.Replica, lang string) (text string, top [2][]replica.Suggestion, err error) {
	words := phrases[spanish(lang)]
	var b strings.Builder
	number := 0
	for i, l := range []ranking.List{ranking.Prospects, ranking.Members} {
		if top[i], err = r.TopThree(ctx, l, lang); err != nil {
			return "", top, err
		}
		fmt.Fprintln(&b, words.lists[i])
		for _, s := range top[i] {
			number++
			fmt.Fprintf(&b, "%d %s  (%s)\n  %s %s\n  “%s”\n", number, s.Step, s.Name, words.why, strings.Join(s.Reasons, "; "), s.Wording)
		}
		if len(top[i]) == 0 {
			fmt.Fprintf(&b, "  %s\n", words.none)
		}
	}
	return b.String(), top, nil
}
