package importer

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"unicode/utf16"

	govcard "github.com/emersion/go-vcard"

	"trio/crdt"
	"trio/crdt/automerge"
)

func readCards(t *testing.T, s string) ([]Person, []Problem) {
	t.Helper()
	people, problems, err := ReadVCards(strings.NewReader(s), Options{CallingCode: "+34"})
	if err != nil {
		t.Fatal(err)
	}
	checkPeople(t, people)
	return people, problems
}

// checkPeople holds what every reader promises: each value may be written as it is.
func checkPeople(t *testing.T, people []Person) {
	t.Helper()
	keys := map[string]bool{}
	for _, p := range people {
		if keys[p.Key] {
			t.Errorf("two people have the key %q", p.Key)
		}
		keys[p.Key] = true
		checkPerson(t, &p)
	}
}

func checkPerson(t *testing.T, p *Person) {
	t.Helper()
	if p.Key == "" || len(p.Key) > maxKeyBytes || p.Name == "" {
		t.Errorf("person has key %q and name %q", p.Key, p.Name)
	}
	text := func(field, s string) {
		t.Helper()
		if s == "" {
			return
		}
		v := automerge.Value{Kind: automerge.KindString, Str: s}
		if err := crdt.CheckContactField(field, &v); err != nil {
			t.Error(err)
		}
		if strings.ToValidUTF8(s, "") != s || strings.IndexByte(s, 0) >= 0 {
			t.Errorf("%s is not clean: %q", field, s)
		}
	}
	text(crdt.FieldName, p.Name)
	text(crdt.FieldCompany, p.Company)
	text(crdt.FieldNote, p.Note)
	text(crdt.FieldBirthday, p.Birthday)
	text(crdt.FieldStage, p.Stage)
	text(crdt.FieldConsent, p.Consent)
	for _, ph := range p.Phones {
		text(crdt.FieldPhone+ph.Number, ph.Label)
		text(crdt.FieldPhone+ph.Number, "x")
	}
	for _, e := range p.Emails {
		text(crdt.FieldEmail+e.Address, e.Label)
		text(crdt.FieldEmail+e.Address, "x")
	}
	for _, tag := range p.Tags {
		v := automerge.Value{Kind: automerge.KindTrue}
		if err := crdt.CheckContactField(crdt.FieldTag+tag, &v); err != nil {
			t.Error(err)
		}
	}
}

func TestVCardVersions(t *testing.T) {
	want := Person{
		Key: "id:4fbe8971-0bc3-424c-9c26-36c3e1eff6b1", Name: "José García", Company: "Example S.L.", Birthday: "1985-05-17",
		Note:   "likes the green one; has two children,\nboth at school",
		Phones: []Phone{{"+34612345678", "mobile"}, {"+34912345678", "work"}},
		Emails: []Email{{"jose@example.org", "home"}},
		Tags:   []string{"Book fair", "Padel"}, Stage: crdt.StageCustomer,
	}
	for name, card := range map[string]string{
		"4.0": `BEGIN:VCARD
VERSION:4.0
UID:urn:uuid:4fbe8971-0bc3-424c-9c26-36c3e1eff6b1
FN:José García
N:García;José;;;
ORG:Example S.L.;Sales
TEL;TYPE="voice,work";PREF=2:tel:+34-91-234-5678
TEL;VALUE=uri;PREF=1;TYPE=cell:tel:+34-612-345-678
EMAIL;TYPE=home:Jose@Example.ORG
BDAY:19850517
NOTE:likes the green one\; has two children\,\nboth at school
CATEGORIES:Book fair,customer,Padel
END:VCARD`,
		"3.0": `BEGIN:VCARD
VERSION:3.0
UID:4fbe8971-0bc3-424c-9c26-36c3e1eff6b1
N:García;José;;;
ORG:Example S.L.
item1.TEL;type=pref:612 34 56 78
item1.X-ABLabel:_$!<Mobile>!$_
TEL;TYPE=WORK,VOICE:912 345 678
TEL;TYPE=WORK,FAX:912 345 679
EMAIL;TYPE=INTERNET;TYPE=HOME:jose@example.org
BDAY;VALUE=date:1985-05-17
NOTE:likes the green
  one\; has two children\,\nboth at sch
 ool
CATEGORIES:Book fair,Customers,Padel
PHOTO;ENCODING=b;TYPE=JPEG:/9j/4AAQSkZJRgABAQ
 AAAQABAAD/2wBDAAMC
END:VCARD`,
		"2.1": `BEGIN:VCARD
VERSION:2.1
UID:4fbe8971-0bc3-424c-9c26-36c3e1eff6b1
N;CHARSET=UTF-8;ENCODING=QUOTED-PRINTABLE:Garc=C3=ADa;Jos=C3=A9;;;
ORG:Example S.L.
TEL;CELL;PREF:612345678
TEL;WORK:912345678
EMAIL;HOME;INTERNET:jose@example.org
BDAY:1985-05-17
NOTE;CHARSET=ISO-8859-1;ENCODING=QUOTED-PRINTABLE:likes the green one; has =
two children,=0D=0Aboth at=
 school
CATEGORIES:Book fair,customer,Padel
END:VCARD`,
	} {
		people, problems := readCards(t, strings.ReplaceAll(card, "\n", "\r\n"))
		if len(problems) > 0 || len(people) != 1 || !reflect.DeepEqual(people[0], want) {
			t.Errorf("version %s:\n got %+v %v\nwant %+v", name, people, problems, want)
		}
	}
}

func TestVCardBirthdays(t *testing.T) {
	for in, want := range map[string]string{
		"BDAY:--0517": "--05-17", "BDAY:--05-17": "--05-17", "BDAY:1985-05-17T00:00:00Z": "1985-05-17", "BDAY:19850517T101010": "1985-05-17",
		"BDAY;X-APPLE-OMIT-YEAR=1604:1604-05-17": "--05-17", "BDAY:--0229": "--02-29", "BDAY:1985-02-30": "", "BDAY:---17": "",
		"BDAY;VALUE=text:circa 1800": "", "BDAY:1985": "", "BDAY:": "",
	} {
		people, problems := readCards(t, "BEGIN:VCARD\nFN:A B\n"+in+"\nEND:VCARD\n")
		if people[0].Birthday != want || (want == "" && in != "BDAY:") != (len(problems) == 1) {
			t.Errorf("%s: got %q %v, want %q", in, people[0].Birthday, problems, want)
		}
	}
}

func TestVCardOddities(t *testing.T) {
	const cards = "\ufeffBEGIN:VCARD\nFN:Cut Off\nTEL:+34612345678\nBEGIN:VCARD\nN:;;;;\nORG:Only Company\nEND:VCARD\n" +
		"BEGIN:VCARD\nKIND:group\nFN:Friends\nEND:VCARD\nBEGIN:VCARD\nEND:VCARD\nno colon here\nBEGIN:VCARD\nEMAIL:x@example.com\nEMAIL:nonsense\nTEL:call me\n" +
		"CATEGORIES:do not contact\nend:vcard\n"
	people, problems := readCards(t, cards)
	var names []string
	for _, p := range people {
		names = append(names, p.Name)
	}
	if want := []string{"Cut Off", "Only Company", "x@example.com"}; !reflect.DeepEqual(names, want) {
		t.Errorf("got %q, want %q", names, want)
	}
	if people[2].Consent != crdt.ConsentOut {
		t.Errorf("consent %q", people[2].Consent)
	}
	if len(problems) != 5 {
		t.Errorf("got %d problems, want 5: %v", len(problems), problems)
	}
}

// TestVCardSamePerson: the same person twice is one, with one key, whatever the order of the cards.
func TestVCardSamePerson(t *testing.T) {
	cards := []string{
		"BEGIN:VCARD\nUID:b\nFN:Ana Pérez\nTEL:612345678\nEND:VCARD\n",
		"BEGIN:VCARD\nFN:PEREZ\\, ana\nTEL:+34 612 345 678\nEMAIL:ana@example.org\nEND:VCARD\n",
		"BEGIN:VCARD\nUID:a\nFN:Ana Perez\nEMAIL:ANA@example.org\nNOTE:met at the fair\nEND:VCARD\n",
	}
	for _, order := range [][]int{{0, 1, 2}, {2, 1, 0}, {1, 0, 2}} {
		var s string
		for _, i := range order {
			s += cards[i]
		}
		people, problems := readCards(t, s)
		if len(people) != 1 || people[0].Key != "id:a" || len(people[0].Phones) != 1 || len(people[0].Emails) != 1 ||
			people[0].Note != "met at the fair" || len(problems) != 1 {
			t.Errorf("order %v: got %+v %v", order, people, problems)
		}
	}
	// A household's telephone does not make two people one.
	people, _ := readCards(t, "BEGIN:VCARD\nFN:Ana Pérez\nTEL:612345678\nEND:VCARD\nBEGIN:VCARD\nFN:Luis Pérez\nTEL:612345678\nEND:VCARD\n")
	if len(people) != 2 {
		t.Errorf("got %d people, want 2", len(people))
	}
}

func TestVCardUTF16(t *testing.T) {
	s := "BEGIN:VCARD\r\nFN:Zoë 😀 Ångström\r\nEND:VCARD\r\n"
	for _, order := range []binary.AppendByteOrder{binary.LittleEndian, binary.BigEndian} {
		var b []byte
		for _, u := range utf16.Encode([]rune("\ufeff" + s)) {
			b = order.AppendUint16(b, u)
		}
		people, _, err := ReadVCards(iotestOneByte{bytes.NewReader(b)}, Options{})
		if err != nil || len(people) != 1 || people[0].Name != "Zoë 😀 Ångström" {
			t.Errorf("%v: %+v %v", order, people, err)
		}
	}
}

type iotestOneByte struct{ r io.Reader }

func (o iotestOneByte) Read(b []byte) (int, error) { return o.r.Read(b[:min(1, len(b))]) }

// TestVCardPhotos: photos of many megabytes in folded lines cost neither memory nor time.
func TestVCardPhotos(t *testing.T) {
	line := " " + strings.Repeat("A", 74) + "\r\n"
	card := "BEGIN:VCARD\r\nFN:Person %d\r\nPHOTO;ENCODING=b;TYPE=JPEG:AAAA\r\n" + strings.Repeat(line, 40000) + "TEL:+346123456%02d\r\nEND:VCARD\r\n"
	var readers []io.Reader
	for i := range 10 {
		readers = append(readers, strings.NewReader(fmt.Sprintf(card, i, i)))
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	people, problems, err := ReadVCards(io.MultiReader(readers...), Options{})
	runtime.ReadMemStats(&after)
	if err != nil || len(people) != 10 || len(problems) > 0 || len(people[9].Phones) != 1 {
		t.Fatalf("%d people, %v, %v", len(people), problems, err)
	}
	if used := after.TotalAlloc - before.TotalAlloc; used > 4<<20 {
		t.Errorf("30 MB of photos allocated %d bytes", used)
	}
}

func TestVCardLimits(t *testing.T) {
	big := "BEGIN:VCARD\nFN:A\nNOTE:" + strings.Repeat("x", MaxFieldBytes+1) + "\nEND:VCARD\n"
	people, problems := readCards(t, big)
	if len(people) != 1 || people[0].Note != "" || len(problems) != 1 {
		t.Errorf("%d people, %v", len(people), problems)
	}
	if _, _, err := ReadVCards(strings.NewReader(big), Options{MaxBytes: 1000}); !errors.Is(err, errTooBig) {
		t.Errorf("got %v, want errTooBig", err)
	}
	if _, _, err := ReadVCards(strings.NewReader(strings.Repeat("BEGIN:VCARD\nFN:A\nEND:VCARD\n", 4)), Options{MaxRows: 3}); err == nil {
		t.Error("four cards are within a limit of three")
	}
	if _, _, err := ReadVCards(strings.NewReader("name,phone\nA,1\n"), Options{}); err == nil {
		t.Error("a table is no vCard file")
	}
}

// TestVCardAgainstEncoder reads what another library writes.
func TestVCardAgainstEncoder(t *testing.T) {
	var b bytes.Buffer
	enc := govcard.NewEncoder(&b)
	for i := range 20 {
		c := govcard.Card{}
		c.SetValue(govcard.FieldFormattedName, fmt.Sprintf("Ana, the %d; \\ \"quoted\"", i))
		c.SetName(&govcard.Name{FamilyName: "Family; name", GivenName: fmt.Sprint("Ana ", i)})
		c.AddValue(govcard.FieldTelephone, fmt.Sprintf("+3461234%04d", i))
		c.AddValue(govcard.FieldEmail, fmt.Sprintf("ana%d@example.org", i))
		c.SetCategories([]string{"Fair", "Padel"})
		c.SetValue(govcard.FieldNote, "one\ntwo, three")
		govcard.ToV4(c)
		if err := enc.Encode(c); err != nil {
			t.Fatal(err)
		}
	}
	people, problems := readCards(t, b.String())
	if len(people) != 20 || len(problems) > 0 {
		t.Fatalf("%d people, %v", len(people), problems)
	}
	for i, p := range people {
		want := Person{
			Name: fmt.Sprintf("Ana, the %d; \\ \"quoted\"", i), Note: "one\ntwo, three", Phones: []Phone{{fmt.Sprintf("+3461234%04d", i), ""}},
			Emails: []Email{{fmt.Sprintf("ana%d@example.org", i), ""}}, Tags: []string{"Fair", "Padel"}, Key: p.Key,
		}
		if !reflect.DeepEqual(p, want) {
			t.Fatalf("got  %+v\nwant %+v", p, want)
		}
	}
}

func FuzzVCard(f *testing.F) {
	f.Add([]byte("BEGIN:VCARD\r\nVERSION:3.0\r\nFN:A\r\nitem1.TEL;type=pref:612 34\r\n 56 78\r\nitem1.X-ABLabel:_$!<Mobile>!$_\r\nEND:VCARD\r\n"))
	f.Add([]byte("BEGIN:VCARD\nN;CHARSET=KOI8-R;ENCODING=QUOTED-PRINTABLE:=C3=\n=A9;B\nBDAY:--0229\nCATEGORIES:a,customer\nPHOTO;BASE64:AAA\n AAA\nEND:VCARD"))
	f.Add([]byte("\xff\xfeB\x00E\x00G\x00I\x00N\x00:\x00V\x00C\x00A\x00R\x00D\x00\n\x00F\x00N\x00:\x00A\x00"))
	f.Add([]byte("BEGIN:VCARD\nNOTE;ENCODING=B:QUJD\nUID:urn:uuid:x\nTEL;TYPE=\"a:b;c\":tel:+1-212-555-0123\nKIND:group\nEND:VCARD\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		people, _, err := ReadVCards(bytes.NewReader(b), Options{CallingCode: "+34"})
		if err != nil {
			return
		}
		checkAllPeople(t, people)
		again, _, err := ReadVCards(bytes.NewReader(b), Options{CallingCode: "+34"})
		if err != nil || !reflect.DeepEqual(people, again) {
			t.Fatalf("the same file gave something else: %v", err)
		}
	})
}

// checkAllPeople is checkPeople without the keys: a file may claim one UID for two.
func checkAllPeople(t *testing.T, people []Person) {
	t.Helper()
	for i := range people {
		checkPerson(t, &people[i])
	}
}
