package gen

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"trio/crdt"
	"trio/replica/importer"
)

// Size says how large a company is.
type Size struct {
	Members  int // at least 1
	Contacts int // of each member, the first one's cast on top
	Others   int // of each member but the first; 0: as many
}

// Sizes for a test and for the demo.
var (
	Small = Size{Members: 2, Contacts: 40}
	Demo  = Size{Members: 8, Contacts: 220, Others: 12}
)

// Company is a whole company at one day: values only.
type Company struct {
	Name     string
	Currency string // of all orders
	Products []Product
	Webinars []Webinar // in their order; the last one is still to come
	Members  []Member
}

// Product is something that is used up.
type Product struct {
	Name  string
	Cents int64
	Cycle int // days that one unit typically lasts
}

// Webinar is a business overview held online.
type Webinar struct {
	Event string // tag of its entries
	At    time.Time
}

// Member is a promoter and all that is in the promoter's book.
type Member struct {
	Name, Language, Zone, CallingCode string
	Email                             string
	Joined                            time.Time
	Goals                             []Goal
	People                            []importer.Person
	Orders                            []importer.Order // by time; PersonKey is the Key of one of People
	Touches                           []Touch          // by time
}

// Goal is a daily commitment.
type Goal struct {
	Dimension crdt.Dimension
	Count     int
}

// Touch is an entry of the member's log: a touch, its outcome, a signal of the contact or the member's own practice.
type Touch struct {
	Person int // of Member.People, or -1 when nobody is concerned
	Entry  crdt.Entry
}

// Parameters of the model, in thousandths; the package comment says what they mean.
var (
	stageMix   = []int{560, 370, 70} // prospects, customers, promoters
	unitMix    = []int{750, 200, 50}
	productMix = []int{300, 250, 200, 150, 100}
	season     = [12]int{1120, 1030, 1000, 980, 1000, 1020, 1060, 1100, 970, 970, 900, 880} // January first: the length of gaps
)

const (
	dropFirst = 150
	dropLater = 70
	history   = 730 // days
	minGap    = 4   // days
)

var products = []Product{
	{"Daily Greens", 4900, 28}, {"Morning Roast", 3600, 35}, {"Clear Skin Set", 6800, 45}, {"Home Care Box", 5400, 60}, {"Sleep Drops", 7900, 90},
}

// builder makes one member.
type builder struct {
	*stream
	today  time.Time // as given
	day    time.Time // its date at midnight UTC
	number int       // of the next customer
	order  int       // of the next order
	home   market
	c      *Company
	m      *Member
	phones map[string]bool
	emails map[string]bool
}

// NewCompany makes a company as it is on a day: the date that today shows in its own location. No entry is later than
// today, and no order than its date; only the last webinar is still to come.
func NewCompany(seed uint64, size Size, today time.Time) *Company {
	y, m, d := today.Date()
	day := time.Date(y, m, d, 0, 0, 0, 0, time.UTC)
	c := &Company{Name: "Verdant Trail", Currency: "USD", Products: slices.Clone(products)}
	// A webinar each week, on the days 2, 9, 16 … before today, and the next in five days.
	for ago := 2 + 7*25; ago >= -5; ago -= 7 {
		at := day.AddDate(0, 0, -ago).Add(18 * time.Hour)
		c.Webinars = append(c.Webinars, Webinar{Event: "overview-" + at.Format(time.DateOnly), At: at})
	}
	for i := range max(size.Members, 1) {
		b := &builder{
			stream: newStream(seed, uint64(i)), today: today, day: day, c: c, phones: map[string]bool{}, emails: map[string]bool{},
			number: i*100_000 + 1, order: i*1_000_000 + 1,
		}
		contacts := size.Contacts
		if i > 0 && size.Others > 0 {
			contacts = size.Others
		}
		c.Members = append(c.Members, b.member(i, contacts))
	}
	return c
}

func (b *builder) member(i, contacts int) Member {
	home := b.n(len(markets))
	name := pick(b.stream, markets[home].given) + " " + pick(b.stream, markets[home].family)
	if i < len(memberSeeds) {
		home, name = memberSeeds[i].market, memberSeeds[i].name
	}
	b.home = markets[home]
	m := Member{
		Name: name, Language: b.home.language, Zone: b.home.zone, CallingCode: b.home.code, Email: fmt.Sprintf("%s.%d@example.com", plain(name), i+1),
		Joined: b.day.AddDate(0, 0, -b.between(history, history+400)),
		Goals:  []Goal{{crdt.GoalLearn, 10}, {crdt.GoalShare, 1}},
	}
	b.m = &m
	if i == 0 {
		b.cast()
	}
	for range contacts {
		switch b.weighted(stageMix) {
		case 0:
			b.prospect()
		case 1:
			b.customer(crdt.StageCustomer)
		default:
			b.customer(crdt.StagePromoter)
		}
	}
	b.practice(i == 0)
	slices.SortStableFunc(m.Orders, func(a, b importer.Order) int { return a.At.Compare(b.At) })
	slices.SortStableFunc(m.Touches, func(a, b Touch) int {
		return int(min(max(a.Entry.At-b.Entry.At, -1), 1))
	})
	return m
}

// person makes up somebody and returns the place in the book.
func (b *builder) person(stage string) int {
	home := b.home
	if b.chance(200) {
		home = pick(b.stream, markets)
	}
	name := pick(b.stream, home.given) + " " + pick(b.stream, home.family)
	if home.double {
		name += " " + pick(b.stream, home.family)
	}
	p := importer.Person{Name: name, Stage: stage}
	switch b.weighted([]int{700, 200, 100}) { // both, phone only, e-mail only
	case 0:
		b.addPhone(&p, home)
		b.addEmail(&p)
	case 1:
		b.addPhone(&p, home)
	default:
		b.addEmail(&p)
	}
	if len(p.Phones) == 0 && len(p.Emails) == 0 { // all numbers of the market are given out
		b.addEmail(&p)
	}
	if len(p.Phones) == 1 && b.chance(80) {
		b.addPhone(&p, home)
	}
	if b.chance(150) {
		p.Company = pick(b.stream, employers)
	}
	if b.chance(300) {
		p.Note = pick(b.stream, noteBook)
	}
	if b.chance(400) {
		born := time.Date(b.day.Year()-b.between(21, 70), 1, b.between(1, 365), 0, 0, 0, 0, time.UTC)
		p.Birthday = born.Format(time.DateOnly)
		if b.chance(500) {
			p.Birthday = born.Format("--01-02")
		}
	}
	if b.chance(350) {
		p.Tags = append(p.Tags, pick(b.stream, interests))
	}
	if b.chance(250) {
		p.Tags = append(p.Tags, fmt.Sprintf("%s-%d", pick(b.stream, fairs), b.day.Year()-b.n(2)))
	}
	switch b.weighted([]int{30, 250, 720}) {
	case 0:
		p.Consent = crdt.ConsentOut
	case 1:
		p.Consent = crdt.ConsentGiven
	}
	return b.add(p)
}

func (b *builder) add(p importer.Person) int {
	p.Key = fmt.Sprintf("id:T%06d", b.number)
	b.number++
	b.m.People = append(b.m.People, p)
	return len(b.m.People) - 1
}

func (b *builder) addPhone(p *importer.Person, home market) {
	for range 50 {
		if n := home.number(b.stream); !b.phones[n] {
			b.phones[n] = true
			p.Phones = append(p.Phones, importer.Phone{Number: n, Label: []string{"mobile", "home", "work"}[b.weighted([]int{800, 120, 80})]})
			return
		}
	}
}

func (b *builder) addEmail(p *importer.Person) {
	domain := pick(b.stream, []string{"example.com", "example.org", "example.net"})
	address := plain(p.Name) + "@" + domain
	for n := 2; b.emails[address]; n++ {
		address = fmt.Sprintf("%s%d@%s", plain(p.Name), n, domain)
	}
	b.emails[address] = true
	p.Emails = append(p.Emails, importer.Email{Address: address, Label: pick(b.stream, []string{"home", "home", "work", ""})})
}

// plain makes the first two words of a name the local part of an address.
func plain(name string) string {
	var out strings.Builder
	spaces := 0
	for _, r := range strings.ToLower(name) {
		if r == ' ' {
			if spaces++; spaces == 2 {
				break
			}
			r = '.'
		}
		if i := strings.IndexRune(accents, r); i >= 0 && r > 127 {
			r = rune(accents[i+len(string(r))])
		}
		out.WriteRune(r)
	}
	return out.String()
}

// accents pairs each accented letter of the names with its plain one.
const accents = "áaàaâaäaåaéeèeêeëeíiîiïióoòoôoöoúuùuûuüuñnçc"

// at is a time of day so many days ago, in the member's zone.
func (b *builder) at(ago, hour, minute int) int64 {
	return b.day.AddDate(0, 0, -ago).Add(time.Duration(hour*60+minute-b.home.offset) * time.Minute).UnixMilli()
}

func (b *builder) log(person int, e crdt.Entry) {
	e.Version, e.Zone = crdt.EntryVersion, b.home.offset
	e.At = min(e.At, b.today.UnixMilli()) // an evening in the west may not be over yet
	b.m.Touches = append(b.m.Touches, Touch{person, e})
}

// date is the day so many days ago.
func (b *builder) date(ago int) string { return b.day.AddDate(0, 0, -ago).Format(time.DateOnly) }

// Outcomes of a touch, as entries write them.
const (
	NoAnswer = "no_answer"
	NotReady = "not_ready"
	Answered = "answered"
	Replied  = "replied"
	Moved    = "moved"
)

// touch logs that the member reached out, at an hour when people do.
func (b *builder) touch(person, ago int, kind crdt.Kind, outcome string) {
	e := crdt.Entry{Kind: kind, At: b.at(ago, b.between(9, 19), b.n(60)), Channel: string(kind), Outcome: outcome, Evidence: crdt.E1}
	switch b.weighted([]int{200, 500, 300}) {
	case 0:
		e.Evidence = crdt.E0
	case 1:
		e.Evidence = crdt.E2
	}
	b.log(person, e)
}

// reach is a touch by whatever way is open, with an outcome by chance.
func (b *builder) reach(person, ago int) {
	kinds := []crdt.Kind{crdt.Email}
	if len(b.m.People[person].Phones) > 0 {
		kinds = []crdt.Kind{crdt.Text, crdt.Text, crdt.Call, crdt.Meet}
	}
	kind := pick(b.stream, kinds)
	outcome := []string{NoAnswer, Answered, NotReady, Moved}[b.weighted([]int{480, 380, 100, 40})]
	if outcome == Answered && kind != crdt.Call && kind != crdt.Meet {
		outcome = Replied
	}
	b.touch(person, ago, kind, outcome)
}

// orders logs purchases on the given days ago.
func (b *builder) orders(person int, product Product, ago ...int) {
	p := &b.m.People[person]
	who := &importer.Person{Key: p.Key, Name: p.Name}
	if len(p.Phones) > 0 {
		who.Phones = []importer.Phone{{Number: p.Phones[0].Number}}
	}
	if len(p.Emails) > 0 {
		who.Emails = []importer.Email{{Address: p.Emails[0].Address}}
	}
	for i, a := range ago {
		units := int64(1 + b.weighted(unitMix))
		b.m.Orders = append(b.m.Orders, importer.Order{
			Key: fmt.Sprintf("id:V%07d", b.order), Customer: strings.TrimPrefix(p.Key, "id:"), PersonKey: p.Key,
			At: b.day.AddDate(0, 0, -a).Add(12 * time.Hour), DateOnly: true, Cents: units * product.Cents, Currency: b.c.Currency, Units: units, Person: who,
		})
		b.order++
		if i == 0 {
			b.log(person, crdt.Entry{Kind: crdt.StageChanged, At: b.at(a, 12, 0), Stage: crdt.StageCustomer, Evidence: crdt.E4})
		}
	}
}

// customer makes up somebody who buys, from the first order to today or to the day they stopped.
func (b *builder) customer(stage string) {
	person := b.person(stage)
	product := products[b.weighted(productMix)]
	cycle := product.Cycle * b.draw(&own) // thousandths of days
	// The larger of two draws twice in three: denser towards today.
	first := b.n(history)
	if b.chance(667) {
		first = min(first, b.n(history))
	}
	var days []int
	for ago, drop := first, dropFirst; ago >= 0; drop = dropLater {
		days = append(days, ago)
		if b.chance(drop) {
			break
		}
		month := b.day.AddDate(0, 0, -ago).Month()
		gap := int(int64(cycle) * int64(b.draw(&noise)) * int64(season[month-1]) / 1_000_000_000)
		ago -= max(gap, minGap)
	}
	b.orders(person, product, days...)
	for _, ago := range days {
		// Some orders are thanked for, some are asked for.
		if ago > 3 && b.chance(250) {
			b.reach(person, ago-b.between(1, 3))
		}
	}
	if stage == crdt.StagePromoter {
		b.log(person, crdt.Entry{Kind: crdt.StageChanged, At: b.at(min(first, days[len(days)-1]), 17, 0), Stage: crdt.StagePromoter, Evidence: crdt.E4})
		if b.chance(600) {
			b.touch(person, b.between(1, 40), crdt.Meet, Answered)
		}
	}
}

// past is the webinar so many weeks ago: 0 was two days ago.
func (b *builder) past(weeks int) (w Webinar, ago int) {
	w = b.c.Webinars[len(b.c.Webinars)-2-weeks]
	return w, 2 + 7*weeks
}

func (b *builder) registered(person, weeks int) {
	w, ago := b.past(weeks)
	b.log(person, crdt.Entry{
		Kind: crdt.WebinarRegistered, At: b.at(ago+b.between(1, 5), b.between(8, 21), b.n(60)), Evidence: crdt.E3, Due: w.At.Format(time.DateOnly), Event: w.Event,
	})
}

// joined logs a click on "join now", in the minutes around the webinar's beginning.
func (b *builder) joined(person, weeks int) {
	w, _ := b.past(weeks)
	b.log(person, crdt.Entry{
		Kind: crdt.WebinarJoined, At: w.At.Add(time.Duration(b.between(-5, 15)) * time.Minute).UnixMilli(), Evidence: crdt.E3, Event: w.Event,
	})
}

func (b *builder) attended(person, weeks int) {
	w, _ := b.past(weeks)
	b.log(person, crdt.Entry{
		Kind: crdt.WebinarAttended, At: w.At.Add(time.Duration(b.between(20, 55)) * time.Minute).UnixMilli(), Evidence: crdt.E4, Event: w.Event,
		Value: &crdt.Amount{Minutes: int64(b.between(20, 55))},
	})
}

// prospect makes up somebody who has bought nothing yet.
func (b *builder) prospect() {
	person := b.person(crdt.StageProspect)
	since := b.between(1, 180)
	for range b.weighted([]int{350, 300, 200, 100, 50}) {
		b.reach(person, b.between(min(since, 3), since))
	}
	switch b.weighted([]int{120, 110, 90, 60, 60, 70, 490}) {
	case 0:
		b.log(person, crdt.Entry{Kind: crdt.FormSubmitted, At: b.at(since, b.between(8, 22), b.n(60)), Evidence: crdt.E3, Event: "capture-page"})
	case 1:
		weeks := b.n(12)
		b.registered(person, weeks)
		b.joined(person, weeks)
		b.attended(person, weeks)
	case 2:
		b.registered(person, b.n(12))
	case 3:
		b.log(person, crdt.Entry{Kind: crdt.Watched, At: b.at(since, b.between(8, 22), b.n(60)), Evidence: crdt.E3, Content: "story-video"})
	case 4:
		at := b.at(since, b.between(8, 22), b.n(60))
		b.log(person, crdt.Entry{Kind: crdt.Clicked, At: at, Evidence: crdt.E3, Content: "article-mornings"})
		if b.chance(400) { // and had a look around
			b.log(person, crdt.Entry{Kind: crdt.SiteVisited, At: at + int64(b.between(1, 10))*60_000, Evidence: crdt.E3, Event: "capture-page"})
		}
	case 5:
		b.touch(person, since, crdt.Call, NotReady)
	}
}

// practice logs the member's own learning and sharing of six weeks. The first member keeps the commitment on 2, 3, 3,
// 4, 4 and 5 days of these weeks, the oldest first; the others now and then.
func (b *builder) practice(steady bool) {
	for week, days := range []int{2, 3, 3, 4, 4, 5} {
		for d := range 7 {
			ago := 42 - 7*week - d
			switch {
			case steady && d*days%7 < days: // spread evenly: as many of the seven days as wanted
			case !steady && b.chance(450):
			default:
				continue
			}
			minutes := int64(b.between(10, 25))
			b.log(-1, crdt.Entry{Kind: crdt.Learn, At: b.at(ago, b.between(7, 9), b.n(60)), Evidence: crdt.E2, Value: &crdt.Amount{Minutes: minutes}})
			b.log(-1, crdt.Entry{Kind: crdt.Share, At: b.at(ago, b.between(18, 21), b.n(60)), Evidence: crdt.E1, Channel: "link", Content: "article-mornings"})
		}
	}
}
