package gen

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"trio/crdt"
	"trio/replica/importer"
)

var today = time.Date(2026, 11, 20, 15, 30, 0, 0, time.UTC)

// TestDigest: the same seed gives the same company on every machine. Who changes the model changes these on purpose.
func TestDigest(t *testing.T) {
	for _, tt := range []struct {
		seed uint64
		size Size
		want string
	}{
		{1, Small, "063e6dff9c870105"},
		{2, Demo, "604cde52ea80aeb7"},
	} {
		b, err := json.Marshal(NewCompany(tt.seed, tt.size, today))
		if err != nil {
			t.Fatal(err)
		}
		sum := sha256.Sum256(b)
		if got := hex.EncodeToString(sum[:8]); got != tt.want {
			t.Errorf("seed %d, %+v: digest %s, want %s", tt.seed, tt.size, got, tt.want)
		}
	}
	if reflect.DeepEqual(NewCompany(1, Small, today), NewCompany(2, Small, today)) {
		t.Error("two seeds give one company")
	}
	// A member does not depend on how many there are.
	a, b := NewCompany(1, Size{Members: 1, Contacts: 30}, today), NewCompany(1, Size{Members: 3, Contacts: 30}, today)
	if !reflect.DeepEqual(a.Members[0], b.Members[0]) {
		t.Error("the first member changes with the number of members")
	}
}

// TestFilesComeBack: what is written is read as the same values, so the demo can go the way that files go.
func TestFilesComeBack(t *testing.T) {
	for _, m := range NewCompany(3, Demo, today).Members {
		var b bytes.Buffer
		if err := WriteVCF(&b, m.People); err != nil {
			t.Fatal(err)
		}
		if importer.Sniff("book", b.Bytes()) != importer.VCardFile {
			t.Error("not taken for vCards")
		}
		for line := range strings.SplitSeq(b.String(), "\r\n") {
			if len(line) > 75 {
				t.Errorf("line of %d bytes: %q", len(line), line)
			}
		}
		people, problems, err := importer.ReadVCards(&b, importer.Options{})
		if err != nil || len(problems) > 0 {
			t.Fatal(err, problems)
		}
		if len(people) != len(m.People) {
			t.Fatalf("%d people came back of %d", len(people), len(m.People))
		}
		for i := range people {
			if !reflect.DeepEqual(people[i], m.People[i]) {
				t.Fatalf("came back as\n%+v, was\n%+v", people[i], m.People[i])
			}
		}
		b.Reset()
		if err := WriteOrdersCSV(&b, m.Orders); err != nil {
			t.Fatal(err)
		}
		if importer.Sniff("orders", b.Bytes()) != importer.OrdersFile {
			t.Error("not taken for orders")
		}
		orders, problems, err := importer.ReadOrders(&b, importer.Options{})
		if err != nil || len(problems) > 0 {
			t.Fatal(err, problems)
		}
		if len(orders) != len(m.Orders) {
			t.Fatalf("%d orders came back of %d", len(orders), len(m.Orders))
		}
		for i := range orders {
			if !reflect.DeepEqual(orders[i], m.Orders[i]) {
				t.Fatalf("came back as\n%+v %+v, was\n%+v %+v", orders[i], orders[i].Person, m.Orders[i], m.Orders[i].Person)
			}
		}
	}
}

// fiction lists the numbers that are nobody's.
var fiction = regexp.MustCompile(`^\+(1[2-9]\d\d55501\d\d|447700900\d{3}|344\d{8}|49(30)23125\d{3}|496990009\d{3}|494066969\d{3}|498999998\d{3}|3363998\d{4}|61[2378]5550\d{4})$`)

// TestValues: everybody can be written as they are, nobody is real, and nothing is in the future.
func TestValues(t *testing.T) {
	c := NewCompany(4, Demo, today)
	address := regexp.MustCompile(`^[a-z][a-z.]*\d*@example\.(com|org|net)$`)
	for _, m := range c.Members {
		if _, err := time.LoadLocation(m.Zone); err != nil {
			t.Error(err)
		}
		keys := map[string]int{}
		for i, p := range m.People {
			keys[p.Key] = i + 1
			if len(p.Phones)+len(p.Emails) == 0 {
				t.Errorf("%s cannot be reached", p.Name)
			}
			for _, ph := range p.Phones {
				if !fiction.MatchString(ph.Number) {
					t.Errorf("number %s may be somebody's", ph.Number)
				}
			}
			for _, e := range p.Emails {
				if !address.MatchString(e.Address) {
					t.Errorf("address %s", e.Address)
				}
			}
		}
		if len(keys) != len(m.People) {
			t.Errorf("%d keys of %d people", len(keys), len(m.People))
		}
		for i, o := range m.Orders {
			p := keys[o.PersonKey] - 1
			if p < 0 || m.People[p].Stage == crdt.StageProspect {
				t.Errorf("order %s of %s", o.Key, o.PersonKey)
			}
			if o.At.After(today) || o.Cents <= 0 || i > 0 && o.At.Before(m.Orders[i-1].At) {
				t.Errorf("order %+v", o)
			}
		}
		for i, touch := range m.Touches {
			e := touch.Entry
			if touch.Person >= len(m.People) || e.At > today.UnixMilli() || i > 0 && e.At < m.Touches[i-1].Entry.At {
				t.Errorf("entry %+v", touch)
			}
			if touch.Person >= 0 {
				e.Contact = crdt.NewContactID()
			}
			if _, err := e.Encode(); err != nil {
				t.Error(err)
			}
		}
	}
}

// TestModel holds the company to what the package comment says of it.
func TestModel(t *testing.T) {
	c := NewCompany(5, Size{Members: 20, Contacts: 500}, today)
	people, customers, lapsed, once, orders := 0, 0, 0, 0, 0
	var ratios []int // gap to the customer's median gap, in thousandths
	stages, consents, months := map[string]int{}, map[string]int{}, map[time.Month]int{}
	for _, m := range c.Members {
		days := map[string][]time.Time{}
		for _, o := range m.Orders {
			days[o.PersonKey] = append(days[o.PersonKey], o.At)
			months[o.At.Month()]++
			orders++
		}
		for _, p := range m.People {
			people++
			stages[p.Stage]++
			consents[p.Consent]++
			at := days[p.Key]
			if len(at) == 0 {
				continue
			}
			customers++
			if len(at) == 1 {
				once++
			}
			var gaps []int
			for i := 1; i < len(at); i++ {
				gaps = append(gaps, int(at[i].Sub(at[i-1]).Hours()/24+.5))
			}
			if len(gaps) >= 5 {
				s := slices.Sorted(slices.Values(gaps))
				for _, g := range gaps {
					ratios = append(ratios, g*1000/s[len(s)/2])
				}
			}
			median := 45
			if len(gaps) > 0 {
				s := slices.Sorted(slices.Values(gaps))
				median = s[len(s)/2]
			}
			if today.Sub(at[len(at)-1]).Hours()/24 > float64(2*median) {
				lapsed++
			}
		}
	}
	slices.Sort(ratios)
	q := func(p int) int { return ratios[len(ratios)*p/100] }
	t.Logf("%d people, %v, consent %v; %d orders of %d customers, once %d‰, lapsed %d‰; gaps to the median: 10%% %d, 90%% %d",
		people, stages, consents, orders, customers, once*1000/customers, lapsed*1000/customers, q(10), q(90))
	in := func(what string, got, lo, hi int) {
		t.Helper()
		if got < lo || got > hi {
			t.Errorf("%s: %d, want %d to %d", what, got, lo, hi)
		}
	}
	in("prospects of 1,000", stages[crdt.StageProspect]*1000/people, 530, 590)
	in("promoters of 1,000", stages[crdt.StagePromoter]*1000/people, 55, 85)
	in("opted out of 1,000", consents[crdt.ConsentOut]*1000/people, 20, 40)
	in("lapsed customers of 1,000", lapsed*1000/customers, 300, 550)
	in("gap at 10 %", q(10), 450, 650)
	in("gap at 90 %", q(90), 1350, 1750)
}

// TestCast: the people of the cast are as the list says, on the day.
func TestCast(t *testing.T) {
	m := NewCompany(6, Small, today).Members[0]
	ago := func(at time.Time) int {
		return int(today.Truncate(24*time.Hour).Sub(at.Truncate(24*time.Hour)).Hours() / 24)
	}
	orders := map[string][]int{}
	for _, o := range m.Orders {
		orders[o.PersonKey] = append(orders[o.PersonKey], ago(o.At))
	}
	kinds := map[int][]crdt.Kind{}
	for _, touch := range m.Touches {
		kinds[touch.Person] = append(kinds[touch.Person], touch.Entry.Kind)
	}
	last := func(i int) int {
		days := orders[m.People[i].Key]
		return days[len(days)-1]
	}
	for i, name := range Cast {
		if m.People[i].Name != name {
			t.Fatalf("person %d is %s, want %s", i, m.People[i].Name, name)
		}
	}
	for i, want := range map[int]int{0: 45, 4: 75, 8: 4, 10: 6, 11: 20, 12: 20} {
		if last(i) != want {
			t.Errorf("%s ordered %d days ago, want %d", Cast[i], last(i), want)
		}
	}
	for i, want := range map[int][]crdt.Kind{
		1: {crdt.WebinarRegistered, crdt.WebinarAttended}, 2: {crdt.FormSubmitted}, 3: {crdt.Call, crdt.Promise}, 6: {crdt.WebinarRegistered}, 7: {crdt.Call},
		9: {crdt.Watched}, 13: {crdt.Text, crdt.SiteVisited}, 14: {crdt.WebinarRegistered, crdt.WebinarJoined},
	} {
		if !slices.Equal(kinds[i], want) {
			t.Errorf("%s: %v, want %v", Cast[i], kinds[i], want)
		}
	}
	if m.People[5].Consent != crdt.ConsentOut || m.People[12].Birthday != today.Format("--01-02") {
		t.Error("Omar or Aiko")
	}
	// Weeks of the first member, the oldest first: days on which something was learnt and shared.
	learnt := map[int]bool{}
	for _, touch := range m.Touches {
		if touch.Entry.Kind == crdt.Learn {
			local := time.UnixMilli(touch.Entry.At).UTC().Add(time.Duration(touch.Entry.Zone) * time.Minute)
			learnt[ago(local)] = true
		}
	}
	var weeks []int
	for w := range 6 {
		n := 0
		for d := range 7 {
			if learnt[42-7*w-d] {
				n++
			}
		}
		weeks = append(weeks, n)
	}
	if want := []int{2, 3, 3, 4, 4, 5}; !slices.Equal(weeks, want) {
		t.Errorf("goal days of the weeks %v, want %v", weeks, want)
	}
}
