package importer

import (
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/emersion/go-vcard"
)

// What is written is read as the same person again, by us and by another reader.
func TestVCardWrittenAndRead(t *testing.T) {
	for _, p := range []Person{
		{Name: "Ana"},
		{
			Name: "Maya Ñandú Reyes", Company: "Sol; y, Luna\\", Note: "two\nlines, and; more", Birthday: "1990-04-05", Tags: []string{"fair north", "hot"},
			Phones: []Phone{{"+34600000001", "mobile"}, {"+34600000002", ""}}, Emails: []Email{{"a@example.com", "work"}},
		},
		{Name: strings.Repeat("Ñandú ", 40) + "Ω", Birthday: "--12-24", Phones: []Phone{{"+34600000003", "home"}}},
	} {
		b := AppendVCard(nil, &p, "0197-id")
		for line := range strings.SplitSeq(string(b), "\r\n") {
			if len(line) > 75 {
				t.Errorf("a line of %d bytes: %q", len(line), line)
			}
		}
		got, problems, err := ReadVCards(strings.NewReader(string(b)), Options{})
		if err != nil || len(got) != 1 || len(problems) > 0 {
			t.Fatalf("%s: %v, %v, %v", b, got, problems, err)
		}
		p.Key = "id:0197-id"
		p.Name = strings.Join(strings.Fields(p.Name), " ")
		if !reflect.DeepEqual(got[0], p) {
			t.Errorf("read %+v\nwas %+v\n%s", got[0], p, b)
		}
		card, err := vcard.NewDecoder(strings.NewReader(string(b))).Decode()
		if err != nil || strings.Join(strings.Fields(card.Value(vcard.FieldFormattedName)), " ") != p.Name || len(card[vcard.FieldTelephone]) != len(p.Phones) {
			t.Errorf("another reader: %v, %v", card, err)
		}
	}
}

func TestReadCard(t *testing.T) {
	for _, c := range []struct{ text, name, fields string }{
		{"BEGIN:VCARD\nVERSION:4.0\nFN:Ana Torres\nTEL;VALUE=uri:tel:+34600000001\nEND:VCARD", "Ana Torres", "phone/+34600000001"},
		{" MECARD:N:Owen,Sean;TEL:+34600000002;EMAIL:Sean@Example.com;NOTE:a\\;b;BDAY:19900405;;", "Sean Owen", "birthday email/sean@example.com note phone/+34600000002"},
		{"mecard:N:Ana;TEL:600 000 003;;", "Ana", "phone/+34600000003"},
		{"begin:vcard\nFN:Ben\nEND:VCARD", "Ben", ""},
	} {
		p, _, err := ReadCard(c.text, Options{CallingCode: "+34"})
		if err != nil || p.Name != c.name {
			t.Errorf("%q: %+v, %v", c.text, p, err)
			continue
		}
		f := p.FieldsOf()
		for _, want := range strings.Fields(c.fields) {
			if _, ok := f[want]; !ok {
				t.Errorf("%q: %v lacks %s", c.text, f, want)
			}
		}
	}
	for _, bad := range []string{"", "https://evil.example", "MECARD:", "BEGIN:VCARD\nEND:VCARD", "WIFI:S:x;;"} {
		if p, _, err := ReadCard(bad, Options{}); !errors.Is(err, ErrNoCard) {
			t.Errorf("%q: %+v, %v", bad, p, err)
		}
	}
}

func FuzzReadCard(f *testing.F) {
	f.Add("MECARD:N:Owen\\,,Sean;TEL:+34600000002;NOTE:\\")
	f.Add("BEGIN:VCARD\nFN:Ana\\;\nTEL:+34600000001\nNOTE:x\\ny\nEND:VCARD")
	f.Fuzz(func(t *testing.T, text string) {
		p, _, err := ReadCard(text, Options{CallingCode: "+34"})
		if err != nil {
			return
		}
		again, _, err := ReadCard(string(AppendVCard(nil, &p, "")), Options{})
		if err != nil || len(again.Phones) != len(p.Phones) || len(again.Emails) != len(p.Emails) {
			t.Fatalf("%q is read as %+v, written and read as %+v, %v", text, p, again, err)
		}
	})
}

// A table that is opened in a spreadsheet computes nothing that somebody wrote into a note.
func TestCSVIsText(t *testing.T) {
	got := string(AppendCSV(nil, "=1+1", "@x", "+34600000001", "-2.50", "-cmd|x", "a\"b", "x,y", "two\nlines", "", "plain"))
	if want := "'=1+1,'@x,+34600000001,-2.50,'-cmd|x,\"a\"\"b\",\"x,y\",\"two\nlines\",,plain\r\n"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}
