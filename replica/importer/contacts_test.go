package importer

import (
	"bytes"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"unicode/utf16"

	"golang.org/x/text/encoding/charmap"

	"trio/crdt"
)

func TestContactsCSV(t *testing.T) {
	for _, tt := range []struct {
		name, csv string
		opt       Options
		want      []Person // without keys
	}{
		{
			name: "Google of today",
			csv: "First Name,Middle Name,Last Name,Phonetic First Name,Name Prefix,Nickname,File As,Organization Name,Organization Title,Birthday,Notes,Photo,Labels," +
				"E-mail 1 - Label,E-mail 1 - Value,E-mail 2 - Label,E-mail 2 - Value,Phone 1 - Label,Phone 1 - Value,Phone 2 - Label,Phone 2 - Value,Website 1 - Label,Website 1 - Value\n" +
				"Ana,,García López,,,,,Example,CEO,1985-05-17,\"likes\nblue\",https://example.com/p.jpg,Customers ::: Padel ::: * myContacts,* Home,Ana@Example.org,Work,a@example.com ::: b@example.com," +
				"Mobile,+34 612 345 678 ::: +34 612 345 679,Home Fax,+34 912 345 678,,\n" +
				"Luis,M,Pérez,,,,,,, --02-29,,,* myContacts,,,,,,612345670,,,,\n",
			opt: Options{CallingCode: "+34"},
			want: []Person{
				{
					Name: "Ana García López", Company: "Example", Birthday: "1985-05-17", Note: "likes\nblue", Tags: []string{"Padel"}, Stage: crdt.StageCustomer,
					Phones: []Phone{{"+34612345678", "mobile"}, {"+34612345679", "mobile"}},
					Emails: []Email{{"ana@example.org", "home"}, {"a@example.com", "work"}, {"b@example.com", "work"}},
				},
				{Name: "Luis M Pérez", Birthday: "--02-29", Phones: []Phone{{"+34612345670", ""}}},
			},
		},
		{
			name: "Google of before",
			csv: "Name,Given Name,Additional Name,Family Name,Yomi Name,Birthday,Notes,Group Membership,E-mail 1 - Type,E-mail 1 - Value,Phone 1 - Type,Phone 1 - Value,Organization 1 - Name\n" +
				"Tom Example,Tom,,Example,,,,* myContacts ::: Book fair,* Home,tom@example.com,Mobile,(212) 555-0123,Example Inc\n",
			opt: Options{CallingCode: "+1"},
			want: []Person{{
				Name: "Tom Example", Company: "Example Inc", Tags: []string{"Book fair"}, Phones: []Phone{{"+12125550123", "mobile"}},
				Emails: []Email{{"tom@example.com", "home"}},
			}},
		},
		{
			name: "Outlook",
			csv: "\"First Name\",\"Middle Name\",\"Last Name\",\"Title\",\"Suffix\",\"Company\",\"Department\",\"Job Title\",\"Business Street\",\"Business Fax\",\"Business Phone\",\"Home Phone\"," +
				"\"Mobile Phone\",\"Assistant's Phone\",\"Birthday\",\"Categories\",\"E-mail Address\",\"E-mail Type\",\"E-mail Display Name\",\"E-mail 2 Address\",\"Notes\"\r\n" +
				"\"Joanna\",\"\",\"Example\",\"Dr\",\"\",\"Example Ltd\",\"\",\"\",\"1 Street\",\"\",\"020 7946 0958\",\"\",\"07700 900123\",\"07700 900124\",\"3/25/1980\",\"Tennis;VIP\"," +
				"\"joanna@example.com\",\"SMTP\",\"Joanna (joanna@example.com)\",\"j2@example.org\",\"hello\"\r\n" +
				"\"Tim\",\"\",\"\",\"\",\"\",\"\",\"\",\"\",\"\",\"\",\"\",\"\",\"07700 900125\",\"\",\"0/0/00\",\"\",\"\",\"\",\"\",\"\",\"\"\r\n",
			opt: Options{CallingCode: "+44"},
			want: []Person{
				{
					Name: "Joanna Example", Company: "Example Ltd", Birthday: "1980-03-25", Note: "hello", Tags: []string{"Tennis", "VIP"},
					Phones: []Phone{{"+442079460958", "work"}, {"+447700900123", "mobile"}}, Emails: []Email{{"joanna@example.com", ""}, {"j2@example.org", ""}},
				},
				{Name: "Tim", Phones: []Phone{{"+447700900125", "mobile"}}},
			},
		},
		{
			name: "Spanish, semicolons",
			csv: "Nombre;Apellidos;Teléfono móvil;Correo electrónico;Cumpleaños;Etiquetas;Etapa;Notas;No contactar\n" +
				"Ana;García;612 345 678;ana@example.org;17/05/1985;Feria, Pádel;Cliente;;\nLuis;Pérez;;luis@example.org;;;prospecto;nota;sí\n",
			opt: Options{CallingCode: "+34"},
			want: []Person{
				{
					Name: "Ana García", Birthday: "1985-05-17", Tags: []string{"Feria", "Pádel"}, Stage: crdt.StageCustomer, Phones: []Phone{{"+34612345678", "mobile"}},
					Emails: []Email{{"ana@example.org", ""}},
				},
				{Name: "Luis Pérez", Stage: crdt.StageProspect, Note: "nota", Consent: crdt.ConsentOut, Emails: []Email{{"luis@example.org", ""}}},
			},
		},
		{
			name: "German, name is the surname",
			csv:  "Name\tVorname\tFirma\tHandy\tE-Mail\tGeburtstag\nExempel\tJürgen\tBeispiel GmbH\t0171 3920012\tj@example.org\t17.05.1985\n",
			opt:  Options{CallingCode: "+49"},
			want: []Person{{
				Name: "Jürgen Exempel", Company: "Beispiel GmbH", Birthday: "1985-05-17", Phones: []Phone{{"+491713920012", "mobile"}},
				Emails: []Email{{"j@example.org", ""}},
			}},
		},
		{
			name: "no header",
			csv:  "Ana García,ana@example.org,+34 612 345 678\nLuis Pérez,luis@example.org,+34 612 345 679\n",
			want: []Person{
				{Name: "Ana García", Phones: []Phone{{"+34612345678", ""}}, Emails: []Email{{"ana@example.org", ""}}},
				{Name: "Luis Pérez", Phones: []Phone{{"+34612345679", ""}}, Emails: []Email{{"luis@example.org", ""}}},
			},
		},
		{
			name: "title above, columns given",
			csv:  "Fair of May\n\nwho,reach at,blurb\nAna,ana@example.org,x\n",
			opt:  Options{Columns: map[string]string{"name": "who", "email": "reach at", "note": "blurb"}},
			want: []Person{{Name: "Ana", Note: "x", Emails: []Email{{"ana@example.org", ""}}}},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			people, problems, err := ReadContactsCSV(strings.NewReader(tt.csv), tt.opt)
			if err != nil {
				t.Fatal(err)
			}
			checkPeople(t, people)
			for i := range people {
				people[i].Key = ""
			}
			if !reflect.DeepEqual(people, tt.want) {
				t.Errorf("got  %+v\nwant %+v", people, tt.want)
			}
			for _, p := range problems {
				t.Error(p)
			}
			if k := Sniff("x.csv", []byte(tt.csv)); k != ContactsFile && tt.opt.Columns == nil {
				t.Errorf("Sniff says %v", k)
			}
		})
	}
}

func TestContactsEncodings(t *testing.T) {
	const csv = "Nombre;Teléfono\r\nÁngela Muñoz – «X»;+34 612 345 678\r\n"
	latin, err := charmap.Windows1252.NewEncoder().String(csv)
	if err != nil {
		t.Fatal(err)
	}
	utf16le := func(s string) string {
		var b strings.Builder
		for _, u := range utf16.Encode([]rune(s)) {
			b.Write([]byte{byte(u), byte(u >> 8)})
		}
		return b.String()
	}
	for name, s := range map[string]string{
		"UTF-8": csv, "UTF-8 with mark": "\ufeff" + csv, "Windows-1252": latin, "UTF-16": utf16le("\ufeff" + csv), "UTF-16 without mark": utf16le(csv),
		"old line ends": strings.ReplaceAll(csv, "\r\n", "\r"), "Excel's first line": "sep=;\r\n" + csv,
	} {
		people, problems, err := ReadContactsCSV(strings.NewReader(s), Options{})
		if err != nil || len(people) != 1 || people[0].Name != "Ángela Muñoz – «X»" || len(people[0].Phones) != 1 || len(problems) > 0 {
			t.Errorf("%s: %+v %v %v", name, people, problems, err)
		}
	}
}

// TestCharsets holds the tables against the library of all sets.
func TestCharsets(t *testing.T) {
	for name, want := range map[string]*charmap.Charmap{
		"iso-8859-1": charmap.Windows1252, "ISO-8859-2": charmap.ISO8859_2, "iso-8859-15": charmap.ISO8859_15, "windows-1250": charmap.Windows1250,
		"windows-1251": charmap.Windows1251, "koi8-r": charmap.KOI8R,
	} {
		for c := range 256 {
			if got := decodeBytes([]byte{byte(c)}, charsetOf(name)); got != string(want.DecodeByte(byte(c))) {
				t.Errorf("%s: byte %#x is %q, want %q", name, c, got, want.DecodeByte(byte(c)))
			}
		}
	}
}

func TestContactsBirthdays(t *testing.T) {
	for column, want := range map[string]string{
		"25/12/65 1/2/09 3/4/2015":         "1965-12-25 2009-02-01 2015-04-03",
		"12/25/65 1/2/1950":                "1965-12-25 1950-01-02",
		"24000 30000":                      "1965-09-15 1982-02-18",
		"3-may-65 3-may-1965":              "1965-05-03 1965-05-03",
		"1965-05-03 19650503 --05-03 65":   "1965-05-03 1965-05-03 --05-03 ",
		"31.2.1980 1.3.1700 tomorrow 1/13": "   ",
	} {
		csv := "name;birthday\n"
		for i, s := range strings.Fields(column) {
			csv += fmt.Sprintf("N %d;%s\n", i, s)
		}
		people, _, err := ReadContactsCSV(strings.NewReader(csv), Options{})
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, p := range people {
			got = append(got, p.Birthday)
		}
		if s := strings.Join(got, " "); s != want {
			t.Errorf("%s: got %q, want %q", column, s, want)
		}
	}
}

func TestContactsDamaged(t *testing.T) {
	const csv = "name,phone,email\n\"Ana,612345678,ana@example.org\nLuis,call me,luis@example.org\n,,\n" +
		"\"Eva \"\"la\"\" X\",612345679,eva@example.org,extra,\nLuis,,luis@example.org\nx,y\n"
	people, problems, err := ReadContactsCSV(strings.NewReader(csv), Options{CallingCode: "+34"})
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, p := range people {
		names = append(names, p.Name)
	}
	if want := []string{"\"Ana", "Luis", "Eva \"la\" X", "x"}; !reflect.DeepEqual(names, want) {
		t.Errorf("got %q, want %q", names, want)
	}
	var b strings.Builder
	for _, p := range problems {
		b.WriteString(p.String() + "\n")
	}
	const want = "line 2: column 1 opens a quote that is never closed; read as plain text\n" +
		"line 3: \"call me\" is not a phone number; left out\n" +
		"line 7: \"y\" is not a phone number; left out\n" +
		"1 row has no name, number or address and was left out\n" +
		"1 entry was of a person whom the file already has, and went into that one\n"
	if b.String() != want {
		t.Errorf("got problems\n%swant\n%s", b.String(), want)
	}
}

func TestContactsUnknownColumns(t *testing.T) {
	_, _, err := ReadContactsCSV(strings.NewReader("alpha,beta\n1,2\n3,4\n"), Options{})
	if err == nil || !strings.Contains(err.Error(), `"alpha", "beta"`) || !strings.Contains(err.Error(), "name=alpha") {
		t.Errorf("got %v", err)
	}
	_, _, err = ReadContactsCSV(strings.NewReader("alpha,beta\nA,2\n"), Options{Columns: map[string]string{"name": "gamma"}})
	if err == nil || !strings.Contains(err.Error(), `"gamma"`) {
		t.Errorf("got %v", err)
	}
	if _, _, err = ReadContactsCSV(strings.NewReader(""), Options{}); err == nil {
		t.Error("an empty file is no table")
	}
	if _, _, err = ReadContactsCSV(strings.NewReader("name\nA\n"), Options{CallingCode: "34x"}); err == nil {
		t.Error("34x is no calling code")
	}
}

func TestContactsKeys(t *testing.T) {
	read := func(s string) []Person {
		t.Helper()
		people, _, err := ReadContactsCSV(strings.NewReader(s), Options{CallingCode: "+34"})
		if err != nil {
			t.Fatal(err)
		}
		return people
	}
	a := read("name,phone\nAna García,612 345 678\n")
	b := read("Apellidos;Nombre;Móvil\nGARCIA;Ana;+34612345678\n")
	if a[0].Key != b[0].Key {
		t.Errorf("the same person has keys %q and %q", a[0].Key, b[0].Key)
	}
	c := read("customer_id,name,email\n00012,Ana,a@example.org\n00013,Ana,a@example.org\n")
	if len(c) != 2 || c[0].Key != "id:00012" || c[1].Key != "id:00013" {
		t.Errorf("customers with numbers of their own: %+v", c)
	}
}

func FuzzContactsCSV(f *testing.F) {
	f.Add([]byte("name,phone,email\nAna,612345678,ana@example.org\n\"Eva \"\"la\"\" X\",\"\n"), "")
	f.Add([]byte("Nombre;Apellidos;Cumpleaños;Etiquetas;Etapa;No contactar\nA;B;1/2/85;a, b;cliente;si\n"), "")
	f.Add([]byte("\xff\xfen\x00a\x00m\x00e\x00\n\x00A\x00"), "")
	f.Add([]byte("sep=|\nFirst Name|Phone 1 - Type|Phone 1 - Value\nA|x|+1 212 555 0123 ::: 1\r\r"), "name=1,tags=2")
	f.Fuzz(func(t *testing.T, b []byte, columns string) {
		opt := Options{CallingCode: "+34"}
		opt.Columns, _ = ParseColumns(columns)
		people, _, err := ReadContactsCSV(bytes.NewReader(b), opt)
		Sniff("x", b)
		if err != nil {
			return
		}
		checkAllPeople(t, people)
		again, _, err := ReadContactsCSV(bytes.NewReader(b), opt)
		if err != nil || !reflect.DeepEqual(people, again) {
			t.Fatalf("the same file gave something else: %v", err)
		}
	})
}
