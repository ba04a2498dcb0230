package board

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"trio/crdt"
	"trio/crdt/book"
	"trio/ranking"
	"trio/ranking/playbook"
	"trio/server/ledger"
	"trio/server/store"
)

// Store is what boards are made of and where sheets are kept.
type Store interface {
	ledger.Orders
	Tenants(ctx context.Context) ([]store.Company, error)
	Members(ctx context.Context, t store.Tenant, after crdt.MemberID, limit int) ([]store.Member, error)
	Sponsored(ctx context.Context, t store.Tenant, sponsor, after crdt.MemberID, limit int) ([]store.Member, error)
	PlaybookHeads(ctx context.Context, ts []store.Tenant) (map[store.Tenant]store.PlaybookHead, error)
	PlaybookOf(ctx context.Context, t store.Tenant, version uint32) (store.Playbook, error)
	store.Folds
}

// Boards answers for all companies of a store. Its methods may be called from many goroutines.
type Boards struct {
	Store Store
	Now   func() time.Time // nil: time.Now

	// Rest is called between two pages of a member's order, and two members, with the time that was worked since the call before,
	// so that others have room; nil: it takes what it gets. Its error ends the run.
	Rest func(ctx context.Context, worked time.Duration) error

	mu        sync.Mutex
	companies map[store.Tenant]*company
}

// fresh is how old the view of a company may be that a request is answered from.
const fresh = 10 * time.Second

// stale is after how long standings are sorted anew though nobody did anything: a day may have begun.
const stale = 10 * time.Minute

// company is what is in memory of one: some hundred bytes a member, and 8 a metric and day of the last weeks on which the member
// did something.
type company struct {
	turn    sync.Mutex
	id      store.Tenant
	known   bool // a playbook was looked for
	version uint32
	doc     *playbook.Doc
	form    [16]byte
	metrics []int // of boards; -1: goal days
	mark    int64 // of the folds that were read
	at      time.Time
	all     []*person // in the order in which they were made
	of      map[crdt.MemberID]*person
	cache   map[span][][]standing // of the whole company …
	cached  time.Time             // … since then
}

// person is a member as boards need one.
type person struct {
	id      crdt.MemberID
	name    string
	up      *person
	below   []*person
	changes uint64 // in the member's order

	read   bool   // there is a sheet …
	seq    uint64 // … up to this change
	off    bool
	home   book.Calendar
	met    []ranking.Day
	awards []ranking.Award
	days   []ranking.Day
	counts []int32 // of each day, of each metric, what was done and what was captured
}

// span are the days from one to another, both included.
type span struct{ from, to ranking.Day }

// standing is a person with what was done in a span.
type standing struct {
	p *person
	ranking.Standing
}

func (b *Boards) now() time.Time {
	if b.Now != nil {
		return b.Now()
	}
	return time.Now()
}

func (b *Boards) company(t store.Tenant) *company {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.companies == nil {
		b.companies = map[store.Tenant]*company{}
	}
	c := b.companies[t]
	if c == nil {
		c = &company{id: t}
		b.companies[t] = c
	}
	return c
}

// refresh brings a company up to what is stored: its playbook, its members, sheets that were kept since. The caller has its turn.
func (c *company) refresh(ctx context.Context, st Store, now time.Time) error {
	c.at = time.Time{} // half of it is not answered from, should it end in between
	if err := c.playbook(ctx, st); err != nil {
		return err
	}
	if c.of == nil {
		c.of = map[crdt.MemberID]*person{}
	}
	all := make([]*person, 0, len(c.all))
	sponsors := make([]crdt.MemberID, 0, len(c.all))
	var after crdt.MemberID
	for {
		page, err := st.Members(ctx, c.id, after, store.MaxMembersPage)
		if err != nil {
			return err
		}
		for i := range page {
			m := &page[i]
			p := c.of[m.ID]
			if p == nil {
				p = &person{id: m.ID, home: book.NewCalendar(nil)}
				c.of[m.ID] = p
			}
			p.name, p.changes = m.Name, m.Changes
			all, sponsors = append(all, p), append(sponsors, m.Sponsor)
		}
		if len(page) < store.MaxMembersPage {
			break
		}
		after = page[len(page)-1].ID
	}
	for i, p := range all {
		p.up, p.below = c.of[sponsors[i]], p.below[:0]
	}
	for _, p := range all {
		if p.up != nil {
			p.up.below = append(p.up.below, p)
		}
	}
	same := slices.Equal(c.all, all)
	c.all = all
	for {
		list, next, err := st.Folds(ctx, c.id, c.mark, 0)
		if err != nil {
			return err
		}
		same = same && len(list) == 0
		for i := range list {
			f := &list[i]
			p := c.of[f.Member]
			if p == nil || f.Form != c.form {
				continue
			}
			s, err := DecodeSheet(f.Data)
			if err != nil {
				continue // it is made anew
			}
			c.take(p, f.Seq, s, now)
		}
		if c.mark = next; len(list) < store.MaxFoldsPage {
			break
		}
	}
	c.at = now
	if age := now.Sub(c.cached); !same || c.cache == nil || age < 0 || age > stale {
		c.cache, c.cached = map[span][][]standing{}, now
	}
	return nil
}

// playbook takes up what the company published last. Another set of boards, or another way to count, lets go of all sheets.
func (c *company) playbook(ctx context.Context, st Store) error {
	heads, err := st.PlaybookHeads(ctx, []store.Tenant{c.id})
	if err != nil {
		return err
	}
	head := heads[c.id]
	if c.known && head.Version == c.version {
		return nil
	}
	doc := playbook.Default()
	if head.Version > 0 {
		p, err := st.PlaybookOf(ctx, c.id, head.Version)
		if err != nil {
			return err
		}
		if doc, err = playbook.Parse(p.Doc); err != nil {
			return fmt.Errorf("playbook %d of company %d cannot be read by this build: %w", head.Version, c.id, err)
		}
	}
	metrics := doc.Goals.Boards(doc.Boards.Metrics)
	if f := form(doc.Goals); f != c.form || !slices.Equal(metrics, c.metrics) {
		c.form, c.metrics, c.mark, c.of = f, metrics, 0, nil
	}
	c.known, c.version, c.doc = true, head.Version, doc
	return nil
}

// take keeps what boards need of a sheet.
func (c *company) take(p *person, seq uint64, s *Sheet, now time.Time) {
	p.read, p.seq, p.off, p.home = !s.Unread, seq, s.Off, s.Home()
	p.met, p.days, p.counts, p.awards = s.Met, nil, nil, nil
	today := p.home.Day(now.UnixMilli())
	for i := range s.Days {
		t := &s.Days[i]
		if t.Day < today-keptDays {
			continue
		}
		p.days = append(p.days, t.Day)
		for _, m := range c.metrics {
			var done, captured int32
			if m >= 0 {
				done, captured = c.doc.Goals.Counted(t, m)
			}
			p.counts = append(p.counts, done, captured)
		}
	}
	for _, a := range s.Awards {
		if a.Day > today-keptDays {
			p.awards = append(p.awards, a)
		}
	}
}

// done says how much of the i-th board's metric was done in a span, and how much of it was captured. Days that have not begun for the
// member do not count.
func (c *company) done(p *person, i int, s span, now int64) (done, captured int64) {
	s.to = min(s.to, p.home.Day(now))
	if c.metrics[i] < 0 {
		from, _ := slices.BinarySearch(p.met, s.from)
		to, there := slices.BinarySearch(p.met, s.to)
		if there {
			to++
		}
		n := int64(max(to-from, 0))
		return n, n
	}
	from, _ := slices.BinarySearch(p.days, s.from)
	for d := from; d < len(p.days) && p.days[d] <= s.to; d++ {
		at := 2 * (d*len(c.metrics) + i)
		done += int64(p.counts[at])
		captured += int64(p.counts[at+1])
	}
	return done, captured
}

// leaders are the standings of a span, one list a board, of those who want to be seen and did something, each sorted.
func (c *company) leaders(people []*person, s span, now int64) [][]standing {
	whole := len(people) == len(c.all)
	if whole && c.cache[s] != nil {
		return c.cache[s]
	}
	lists := make([][]standing, len(c.metrics))
	for i := range c.metrics {
		var all []ranking.Standing
		for _, p := range people {
			if !p.read || p.off {
				continue
			}
			done, captured := c.done(p, i, s, now)
			all = append(all, ranking.Standing{Member: p.id, Done: done, Captured: captured})
		}
		all = ranking.Leaders(all, len(all))
		lists[i] = make([]standing, len(all))
		for j, x := range all {
			lists[i][j] = standing{c.of[crdt.MemberID(x.Member)], x}
		}
	}
	if whole && len(c.cache) < 64 {
		c.cache[s] = lists
	}
	return lists
}

// team are those whom the same member sponsors, with that sponsor; nil for who has none.
func team(p *person) []*person {
	if p.up == nil {
		return nil
	}
	return append([]*person{p.up}, p.up.below...)
}

// downline are a member and all below; nil when there is nobody.
func downline(p *person) []*person {
	if len(p.below) == 0 {
		return nil
	}
	all, seen := []*person{p}, map[*person]bool{p: true}
	for i := 0; i < len(all); i++ {
		for _, q := range all[i].below {
			if !seen[q] { // the store lets nobody stand below himself
				seen[q] = true
				all = append(all, q)
			}
		}
	}
	return all
}

// short is a name as boards write it.
func (c *company) short(name string) string {
	if c.doc.Boards.Names == playbook.FullName {
		return name
	}
	words := strings.Fields(name)
	if len(words) < 2 {
		return name
	}
	r, _ := utf8.DecodeRuneInString(words[len(words)-1])
	return words[0] + " " + string(r) + "."
}

// words are a text in the languages of a playbook.
func words(doc *playbook.Doc, t ranking.Texts) map[string]string {
	all := map[string]string{}
	for _, lang := range doc.Languages {
		all[lang] = t.In(lang)
	}
	return all
}

// Report says what a run did for a company.
type Report struct {
	Company store.Tenant  `json:"company"`
	Members int           `json:"members"`
	Folded  int           `json:"folded"`           // members who were read, as they did something since
	Unread  int           `json:"unread,omitempty"` // of them, whose documents could not be read
	Why     string        `json:"why,omitempty"`    // … of the first one
	Took    time.Duration `json:"took_ns"`
}

// batch is how many sheets are kept with one write.
const batch = 32

// paced reads members' orders with rests: one that holds as much as a member may takes seconds.
type paced struct {
	ledger.Orders
	rest  func(context.Context, time.Duration) error
	since time.Time
	err   error // of a rest
}

func (p *paced) pause(ctx context.Context) error {
	if p.rest != nil {
		p.err = p.rest(ctx, time.Since(p.since))
		p.since = time.Now()
	}
	return p.err
}

func (p *paced) Since(ctx context.Context, m crdt.MemberID, after uint64, limit, maxBytes int) (store.Page, error) {
	if err := p.pause(ctx); err != nil {
		return store.Page{}, err
	}
	return p.Orders.Since(ctx, m, after, limit, maxBytes)
}

// Fold reads the members of a company who did something since they were read last, and keeps their sheets.
func (b *Boards) Fold(ctx context.Context, t store.Tenant) (r Report, err error) {
	began := time.Now()
	r.Company = t
	defer func() { r.Took = time.Since(began) }()
	c := b.company(t)
	rules, f, behind, err := b.behind(ctx, c, &r)
	if err != nil {
		return r, err
	}
	var done []store.Fold
	orders := &paced{Orders: b.Store, rest: b.Rest, since: time.Now()}
	for i, id := range behind {
		var data []byte
		s, seq, err := ReadSheet(ctx, orders, rules.Goals, id, b.now().UnixMilli())
		if err := cmp.Or(ctx.Err(), orders.err); err != nil {
			return r, err
		}
		if err == nil {
			if data = s.Encode(); len(data) > store.MaxFoldBytes {
				err = fmt.Errorf("%w: a sheet of %d bytes", ErrTooMuch, len(data))
			}
		}
		if err != nil {
			if r.Unread++; r.Why == "" {
				r.Why = fmt.Sprintf("member %s: %v", id, err)
			}
		}
		if errors.Is(err, ErrTooMuch) { // it is not read again before the member does something
			head, err := b.Store.Head(ctx, id)
			if err != nil {
				return r, err
			}
			data, seq = (&Sheet{Unread: true}).Encode(), head.Seq
		}
		if data != nil {
			r.Folded++
			done = append(done, store.Fold{Member: id, Seq: seq, Form: f, Data: data})
		}
		if len(done) == batch || i == len(behind)-1 {
			if err := b.Store.SaveFolds(ctx, done); err != nil {
				return r, err
			}
			done = done[:0]
		}
		if err := orders.pause(ctx); err != nil {
			return r, err
		}
	}
	if len(behind) > 0 {
		_, _, _, err = b.behind(ctx, c, &r)
	}
	return r, err
}

// behind brings a company up to what is stored, and says which members did something that is in no sheet, and by which rules theirs are made.
func (b *Boards) behind(ctx context.Context, c *company, r *Report) (rules *playbook.Doc, f [16]byte, list []crdt.MemberID, err error) {
	c.turn.Lock()
	defer c.turn.Unlock()
	if err := c.refresh(ctx, b.Store, b.now()); err != nil {
		return nil, f, nil, err
	}
	for _, p := range c.all {
		if p.seq != p.changes {
			list = append(list, p.id)
		}
	}
	r.Members = len(c.all)
	return c.doc, c.form, list, nil
}

// Every folds all companies, again and again, with so much time from one beginning to the next, until ctx ends. What goes wrong with
// one company is told and does not keep the others from theirs.
func (b *Boards) Every(ctx context.Context, every time.Duration, told func(Report, error)) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		companies, err := b.Store.Tenants(ctx)
		if err != nil && ctx.Err() == nil {
			told(Report{}, err)
		}
		for _, c := range companies {
			r, err := b.guarded(ctx, c.ID)
			if ctx.Err() != nil {
				return
			}
			told(r, err)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// guarded is Fold, but that a panic is an error.
func (b *Boards) guarded(ctx context.Context, t store.Tenant) (r Report, err error) {
	defer func() {
		if p := recover(); p != nil {
			r, err = Report{Company: t}, fmt.Errorf("panic: %v", p)
		}
	}()
	return b.Fold(ctx, t)
}
