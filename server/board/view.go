package board

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strconv"

	"trio/crdt"
	"trio/ranking"
	"trio/ranking/playbook"
	"trio/server/store"
)

// ViewVersion is that of View and Team as JSON. A device that does not know it shows what it has.
//
//	1  first
const ViewVersion = 1

// Bounds of an answer, so that a device can keep it.
const (
	maxTied       = 10 // who share the last place of a board, beyond its places
	maxRecognised = 24
	recentDays    = 7 // an award is told so long
	// maxAnswer bounds an answer to a device, in bytes: devices keep 192 KB. What is more has fewer places, or fewer people of a team.
	maxAnswer = 180 << 10
)

// ErrMember: the member is not of the company.
var ErrMember = errors.New("no such member in this company")

// Period is a week or a month.
type Period struct {
	Kind string `json:"kind"` // week, month
	From string `json:"from"` // dates, both included
	To   string `json:"to"`
	span
}

// Metric is what a board counts.
type Metric struct {
	Name    string            `json:"name"`
	Label   map[string]string `json:"label"`
	Unit    string            `json:"unit"`    // act, contact, minute, piece, day
	Capture map[string]string `json:"capture"` // how it is captured
}

// Row is a place: rank, number in People, how much was done, how much of it was captured rather than reported.
type Row [4]int64

// Board is who did most of a metric in a period.
type Board struct {
	Scope  string `json:"scope"`  // company, team (the sponsor's, who is on it too), downline (the member and all below)
	Period int    `json:"period"` // its place in Periods
	Metric int    `json:"metric"`
	Of     int    `json:"of"` // how many did something
	Rows   []Row  `json:"rows"`
	Me     *Row   `json:"me,omitempty"` // rank 0: nothing yet, or on no board
}

// Recognised is somebody who was given a badge.
type Recognised struct {
	Person  int               `json:"person"`
	Badge   string            `json:"badge"`
	Label   map[string]string `json:"label"`
	Measure string            `json:"measure"` // of the badge: streak and so on
	Level   int               `json:"level"`
	Count   int32             `json:"count"` // what the level took
	Day     string            `json:"day"`
	Near    bool              `json:"near,omitempty"` // of the own team or downline
}

// View is what is shown of boards and recognition.
type View struct {
	V          int             `json:"v"`
	Off        bool            `json:"off,omitempty"` // the company has none
	Today      string          `json:"today,omitempty"`
	Hidden     bool            `json:"hidden,omitempty"` // the member wants to be on none
	Me         int             `json:"me"`               // number in People; -1: nobody asks
	Metrics    []Metric        `json:"metrics"`
	Periods    []Period        `json:"periods"`
	People     []string        `json:"people"`
	IDs        []crdt.MemberID `json:"ids,omitempty"` // of people, for corporate
	Boards     []Board         `json:"boards"`
	Recognised []Recognised    `json:"recognised"`
	Waiting    int             `json:"waiting,omitempty"` // members who did something that is not in it yet, for corporate
}

// periods are the week and the month of a day, each with the one before.
func periods(today ranking.Day) []Period {
	week := today.WeekStart()
	month, next := today.MonthSpan()
	before, _ := (month - 1).MonthSpan()
	return []Period{
		period("week", week, week+6), period("week", week-7, week-1),
		period("month", month, next-1), period("month", before, month-1),
	}
}

func period(kind string, from, to ranking.Day) Period {
	return Period{Kind: kind, From: from.String(), To: to.String(), span: span{from, to}}
}

// viewing is a View while it is made.
type viewing struct {
	*View
	c   *company
	me  *person
	num map[*person]int
	ids bool

	places int // of a board
}

// person returns somebody's number.
func (v *viewing) person(p *person) int {
	n, ok := v.num[p]
	if !ok {
		n = len(v.People)
		v.num[p] = n
		if v.ids {
			v.People, v.IDs = append(v.People, p.name), append(v.IDs, p.id)
		} else {
			v.People = append(v.People, v.c.short(p.name))
		}
	}
	return n
}

// View is what a member is shown: boards of the company, of the sponsor's team and of the own downline, each with the own place.
// ErrMember.
func (b *Boards) View(ctx context.Context, t store.Tenant, m crdt.MemberID) (*View, error) {
	c, now, err := b.open(ctx, t)
	if err != nil {
		return nil, err
	}
	defer c.turn.Unlock()
	me := c.of[m]
	if me == nil {
		return nil, ErrMember
	}
	if c.doc.Boards.Off {
		return &View{V: ViewVersion, Off: true, Me: -1}, nil
	}
	places := int(c.doc.Boards.Places)
	v := c.view(me, places, now)
	for ; v.size() > maxAnswer && places > playbook.LeastPlaces; v = c.view(me, places, now) {
		places = max(places/2, playbook.LeastPlaces)
	}
	return v.View, nil
}

// size is about how many bytes an answer has, and no fewer.
func (v *viewing) size() int {
	n := 32 << 10 // of metrics, periods and who was recognised
	for _, name := range v.People {
		n += len(strconv.Quote(name)) + 1
	}
	for i := range v.Boards {
		n += 120
		for _, row := range v.Boards[i].Rows {
			n += 6
			for _, x := range row {
				n += len(strconv.FormatInt(x, 10))
			}
		}
	}
	return n
}

// view is what a member is shown with so many places a board.
func (c *company) view(me *person, places int, now int64) *viewing {
	today := me.home.Day(now)
	v := &viewing{View: &View{V: ViewVersion, Today: today.String(), Hidden: me.off, Periods: periods(today)}, c: c, me: me, num: map[*person]int{}, places: places}
	v.Me = v.person(me)
	v.metrics()
	near := map[*person]bool{}
	v.boards("company", c.all, now)
	for scope, people := range map[string][]*person{"team": team(me), "downline": downline(me)} {
		for _, p := range people {
			near[p] = true
		}
		v.boards(scope, people, now)
	}
	slices.SortStableFunc(v.Boards, func(a, b Board) int { return cmp.Compare(scopes[a.Scope], scopes[b.Scope]) })
	v.recognise(c.all, near, now)
	return v
}

var scopes = map[string]int{"company": 0, "team": 1, "downline": 2}

// Choice says what corporate wants to see.
type Choice struct {
	Week  ranking.Day   // any day of it; 0: this one
	Month ranking.Day   // likewise
	Team  crdt.MemberID // this member and all below; zero: the company
}

// Company is what corporate is shown, by the calendar of UTC: what members are shown of each other, with ids. ErrMember.
func (b *Boards) Company(ctx context.Context, t store.Tenant, ask Choice) (*View, error) {
	c, now, err := b.open(ctx, t)
	if err != nil {
		return nil, err
	}
	defer c.turn.Unlock()
	if c.doc.Boards.Off {
		return &View{V: ViewVersion, Off: true, Me: -1}, nil
	}
	scope, people := "company", c.all
	if ask.Team != (crdt.MemberID{}) {
		top := c.of[ask.Team]
		if top == nil {
			return nil, ErrMember
		}
		scope, people = "downline", downline(top)
		if people == nil {
			people = []*person{top}
		}
	}
	today := ranking.DayOf(now, 0)
	all := periods(cmp.Or(ask.Week, today))[:1]
	all = append(all, periods(cmp.Or(ask.Month, today))[2])
	v := &viewing{View: &View{V: ViewVersion, Today: today.String(), Me: -1, Periods: all}, c: c, num: map[*person]int{}, ids: true, places: int(c.doc.Boards.Places)}
	for _, p := range c.all {
		if p.seq != p.changes {
			v.Waiting++
		}
	}
	v.metrics()
	v.boards(scope, people, now)
	v.recognise(people, nil, now)
	return v.View, nil
}

// open has the turn of a company, which is fresh then. now is in ms.
func (b *Boards) open(ctx context.Context, t store.Tenant) (c *company, now int64, err error) {
	at := b.now()
	c = b.company(t)
	c.turn.Lock()
	if age := at.Sub(c.at); !c.known || age < 0 || age > fresh {
		if err := c.refresh(ctx, b.Store, at); err != nil {
			c.turn.Unlock()
			return nil, 0, err
		}
	}
	return c, at.UnixMilli(), nil
}

func (v *viewing) metrics() {
	r := v.c.doc.Goals
	for _, m := range v.c.metrics {
		x := Metric{Name: ranking.GoalDaysMetric, Label: goalDayWords, Unit: "day", Capture: goalDayCapture}
		if m >= 0 {
			x = Metric{Name: r.Metrics[m].Name, Label: words(v.c.doc, r.Metrics[m].Label), Capture: capture(&r.Metrics[m])}
			unit, err := r.Metrics[m].Unit.MarshalText()
			if err == nil {
				x.Unit = string(unit)
			}
		}
		v.Metrics = append(v.Metrics, x)
	}
}

var (
	goalDayWords   = map[string]string{"en": "goal days", "es": "días cumplidos"}
	goalDayCapture = map[string]string{"en": "days on which all that was committed to was done", "es": "días en que se hizo todo lo comprometido"}
)

func capture(m *ranking.Metric) map[string]string {
	return map[string]string{"en": m.Capture("en"), "es": m.Capture("es")}
}

// boards adds those of a scope.
func (v *viewing) boards(scope string, people []*person, now int64) {
	if len(people) == 0 {
		return
	}
	places := v.places
	for i := range v.Periods {
		s := v.Periods[i].span
		for m, list := range v.c.leaders(people, s, now) {
			b := Board{Scope: scope, Period: i, Metric: m, Of: len(list), Rows: []Row{}}
			if v.me != nil {
				done, captured := v.c.done(v.me, m, s, now)
				b.Me = &Row{0, int64(v.Me), done, captured}
			}
			for j := range list {
				x := &list[j]
				if x.Rank <= places && j < places+maxTied {
					b.Rows = append(b.Rows, Row{int64(x.Rank), int64(v.person(x.p)), x.Done, x.Captured})
				}
				if x.p == v.me {
					b.Me[0] = int64(x.Rank)
				}
			}
			v.Boards = append(v.Boards, b)
		}
	}
}

// recognise tells of the badges that were given in the last days, what is near first, then the newest and highest.
func (v *viewing) recognise(people []*person, near map[*person]bool, now int64) {
	type given struct {
		p *person
		ranking.Recognition
	}
	var all []given
	for _, p := range people {
		if p.off || !p.read {
			continue
		}
		today := p.home.Day(now)
		for _, a := range p.awards {
			if r, ok := v.c.doc.Goals.Recognition(a); ok && a.Day > today-recentDays && a.Day <= today {
				all = append(all, given{p, r})
			}
		}
	}
	slices.SortFunc(all, func(a, b given) int {
		return cmp.Or(-compare(near[a.p], near[b.p]), cmp.Compare(b.Day, a.Day), cmp.Compare(b.Level, a.Level), slices.Compare(a.p.id[:], b.p.id[:]), cmp.Compare(a.Key, b.Key))
	})
	v.Recognised = []Recognised{}
	for _, g := range all[:min(len(all), maxRecognised)] {
		b, _ := v.c.doc.Goals.Badge(g.Badge)
		measure, err := b.Measure.MarshalText()
		if err != nil {
			continue
		}
		v.Recognised = append(v.Recognised, Recognised{
			Person: v.person(g.p), Badge: g.Badge, Label: words(v.c.doc, b.Label), Measure: string(measure), Level: g.Level, Count: g.Count, Day: g.Day.String(), Near: near[g.p],
		})
	}
}

func compare(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return 1
	}
	return -1
}
