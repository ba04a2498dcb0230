package sim

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"trio/clients/corporate"
	"trio/clients/desktop"
	"trio/clients/sim/gen"
	"trio/crdt"
	"trio/crdt/wire"
	"trio/ranking"
	"trio/replica"
	"trio/replica/importer"
)

// Access is what a device needs to join.
type Access struct {
	URL    string // of the sync endpoint, ws://
	Token  string
	Member crdt.MemberID
	Device crdt.DeviceID
}

// Demo is a company's day on one machine. Zero fields have the defaults stated behind them.
type Demo struct {
	Out io.Writer
	Dir string // the devices' databases and the files that they import
	// Enrol makes a member with some devices, whom another one sponsors unless that is zero.
	Enrol func(ctx context.Context, member string, sponsor crdt.MemberID, devices ...string) ([]Access, error)
	// Look has the server's boards follow what came; it does so by itself every few minutes.
	Look func(context.Context) error
	// Feed reads the company's activity as corporate does.
	Feed corporate.Client
	// SetClock moves the clock of server and devices to the day that is played; Now reads it.
	SetClock func(time.Time)
	Now      func() time.Time
	Seed     uint64 // of the made-up company: 0 is a seed like any other
	Members  int    // of the made-up company: 8

	// Orders and Contacts are files of real input; without them the company is made up. Columns names the columns of
	// Orders when they cannot be guessed (importer.ParseColumns).
	Orders, Contacts string
	Columns          string
	CallingCode      string // of phone numbers in these files that have none, "+34"
	PerPromoter      int    // customers of one promoter, for real input: 100

	online         map[*replica.Replica]func() // stops a device's syncer
	read           bool                        // Read was called
	people, bought *desktop.File               // of Contacts and Orders
}

// device is one replica of the demo with its way to the server.
type device struct {
	name   string
	access Access
	*replica.Replica
}

// Run plays the day, says on Out what happens, and returns the member who played the event. It returns an error when
// something that was promised does not hold.
func (d *Demo) Run(ctx context.Context) (crdt.MemberID, error) {
	if d.PerPromoter == 0 {
		d.PerPromoter = 100
	}
	d.online = map[*replica.Replica]func(){}
	defer func() {
		for _, stop := range d.online {
			stop()
		}
	}()
	if err := d.Read(); err != nil {
		return crdt.MemberID{}, err
	}
	if err := os.MkdirAll(d.Dir, 0o700); err != nil {
		return crdt.MemberID{}, err
	}
	if d.Orders != "" || d.Contacts != "" {
		return d.real(ctx)
	}
	return d.madeUp(ctx)
}

// Read reads the files of real input, if there are any, so that what is wrong with them is known before anything is made. Run
// does it when it was not done.
func (d *Demo) Read() (err error) {
	if d.read {
		return nil
	}
	columns, err := importer.ParseColumns(d.Columns)
	if err != nil {
		return err
	}
	if d.Contacts != "" {
		if d.people, err = desktop.ReadFile(d.Contacts, importer.ContactsFile, importer.Options{CallingCode: d.CallingCode}); err != nil {
			return err
		}
	}
	if d.Orders != "" {
		d.bought, err = desktop.ReadFile(d.Orders, importer.OrdersFile, importer.Options{
			CallingCode: d.CallingCode, Columns: columns, Latest: d.Now().Add(48 * time.Hour),
		})
	}
	if err != nil {
		return err
	}
	if d.people == nil && d.bought == nil || d.people != nil && len(d.people.People) > 0 || d.bought != nil && len(d.bought.Orders) > 0 {
		d.read = true
		return nil
	}
	if d.people != nil {
		d.problems(d.Contacts, d.people)
	}
	if d.bought != nil {
		d.problems(d.Orders, d.bought)
	}
	return errors.New("the files hold neither contacts nor orders")
}

func (d *Demo) say(format string, args ...any) { fmt.Fprintf(d.Out, format+"\n", args...) }

// madeUp plays the first member of a made-up company.
func (d *Demo) madeUp(ctx context.Context) (member crdt.MemberID, err error) {
	// The day begins at nine where the first member lives.
	home, err := time.LoadLocation(gen.NewCompany(d.Seed, gen.Size{Members: 1}, d.Now()).Members[0].Zone)
	if err != nil {
		return member, err
	}
	y, mon, day := d.Now().In(home).Date()
	nine := time.Date(y, mon, day, 9, 0, 0, 0, home)
	d.SetClock(nine)
	size := gen.Demo
	size.Members = cmp.Or(d.Members, size.Members)
	c := gen.NewCompany(d.Seed, size, nine)
	m := &c.Members[0]
	d.say("Trio · %s (made up, seed %d) · %s\n", c.Name, d.Seed, nine.Format("Monday 2 January 2006"))
	d.say("1  THE BOOK")
	phone, laptop, err := d.pair(ctx, m.Name, crdt.MemberID{})
	if err != nil {
		return member, err
	}
	member = phone.Member()
	defer phone.Close()
	defer laptop.Close()
	vcf, csv := filepath.Join(d.Dir, "contacts.vcf"), filepath.Join(d.Dir, "orders.csv")
	if err := writeFile(vcf, func(w io.Writer) error { return gen.WriteVCF(w, m.People) }); err != nil {
		return member, err
	}
	if err := writeFile(csv, func(w io.Writer) error { return gen.WriteOrdersCSV(w, m.Orders) }); err != nil {
		return member, err
	}
	opt := importer.Options{CallingCode: m.CallingCode, Currency: c.Currency}
	people, err := d.readFile(vcf, importer.ContactsFile, opt)
	if err != nil {
		return member, err
	}
	orders, err := d.readFile(csv, importer.OrdersFile, opt)
	if err != nil {
		return member, err
	}
	start := time.Now()
	err = errors.Join(
		phone.SetProfile(ctx, crdt.ProfileName, strings.Fields(m.Name)[0]),
		phone.SetProfile(ctx, crdt.ProfileZone, m.Zone),
		phone.SetProfile(ctx, crdt.ProfileLanguage, m.Language),
		phone.SetGoal(ctx, crdt.GoalOutreach, phone.Today().String(), 5),
		phone.SetGoal(ctx, crdt.GoalFollowUp, phone.Today().String(), 5),
		d.commit(ctx, phone, m),
	)
	if err != nil {
		return member, err
	}
	np, err := phone.ImportPeople(ctx, people.People)
	if err != nil {
		return member, err
	}
	no, err := phone.ImportOrders(ctx, orders.Orders)
	if err != nil {
		return member, err
	}
	entries := touches(phone.Member(), m)
	if _, err := phone.LogAll(ctx, entries); err != nil {
		return member, err
	}
	d.say("   %s reads contacts.vcf and orders.csv on the phone: %d contacts, %d orders, and %d entries of the", m.Name, np.NewContacts, no.NewOrders, len(entries))
	d.say("   last months, in %s, each on disk before its tap was done.", ms(time.Since(start)))
	again, err := phone.ImportOrders(ctx, orders.Orders)
	if err != nil {
		return member, err
	}
	if again.NewOrders+again.NewContacts > 0 {
		return member, fmt.Errorf("the same file twice brought %+v", again)
	}
	d.say("   The same file again: %d orders known already, nothing changed.", again.SameOrders)
	if err := d.event(ctx, phone, laptop); err != nil {
		return member, err
	}
	if _, err = d.pull(ctx); err != nil {
		return member, err
	}
	return member, d.team(ctx, phone, c.Members)
}

// practised is for how many days the members of a made-up company have had their commitments.
const practised = 42

// commit has a member committed to the goals for as long as the log goes on about them.
func (d *Demo) commit(ctx context.Context, v *device, m *gen.Member) (err error) {
	from := (v.Today() - practised).String()
	for _, g := range m.Goals {
		err = errors.Join(err, v.SetGoal(ctx, g.Dimension, from, int64(g.Count)))
	}
	return err
}

// touches are what a member logged.
func touches(id crdt.MemberID, m *gen.Member) (entries []crdt.Entry) {
	for _, t := range m.Touches {
		e := t.Entry
		if t.Person >= 0 {
			e.Contact = crdt.SourceContactID(id, m.People[t.Person].Key)
		}
		entries = append(entries, e)
	}
	return entries
}

// team plays those whom the first member sponsors and those below, each on a phone, and shows how they stand as the first member
// sees it.
func (d *Demo) team(ctx context.Context, first *device, members []gen.Member) error {
	d.say("\n6  THE TEAM, as %s sees it", members[0].Name)
	ids := []crdt.MemberID{first.Member()}
	if _, err := first.GiveAwards(ctx); err != nil {
		return err
	}
	for i := range members[1:] {
		m := &members[i+1]
		// Each sponsors three: the first member the first three, and so on.
		as, err := d.Enrol(ctx, m.Name, ids[i/3], "phone")
		if err != nil {
			return err
		}
		v, err := d.open(ctx, "phone", as[0])
		if err != nil {
			return err
		}
		ids = append(ids, as[0].Member)
		if err := errors.Join(d.practise(ctx, v, m), v.Close()); err != nil {
			return err
		}
	}
	if _, err := d.level(ctx, first); err != nil {
		return err
	}
	if err := d.Look(ctx); err != nil {
		return err
	}
	var b strings.Builder
	if err := desktop.Together(ctx, &b, first.Replica, first.access.URL, first.access.Token, "en"); err != nil {
		return err
	}
	h, err := first.Habit(ctx)
	if err != nil {
		return err
	}
	fmt.Fprintf(&b, "\n%s", desktop.RenderGoals(h, "en"))
	for line := range strings.Lines(b.String()) {
		fmt.Fprint(d.Out, strings.TrimRight("   "+line, " \n"), "\n")
	}
	return nil
}

// practise brings what a member did to the server.
func (d *Demo) practise(ctx context.Context, v *device, m *gen.Member) error {
	err := errors.Join(
		v.SetProfile(ctx, crdt.ProfileName, strings.Fields(m.Name)[0]),
		v.SetProfile(ctx, crdt.ProfileZone, m.Zone),
		v.SetProfile(ctx, crdt.ProfileLanguage, m.Language),
		d.commit(ctx, v, m),
	)
	if err != nil {
		return err
	}
	if _, err := v.ImportPeople(ctx, m.People); err != nil {
		return err
	}
	if _, err := v.LogAll(ctx, touches(v.Member(), m)); err != nil {
		return err
	}
	if _, err := v.GiveAwards(ctx); err != nil {
		return err
	}
	d.goOnline(ctx, v)
	defer d.goOffline(v)
	_, err = d.level(ctx, v)
	return err
}

// pair enrols a promoter with a phone and a laptop.
func (d *Demo) pair(ctx context.Context, name string, sponsor crdt.MemberID) (phone, laptop *device, err error) {
	as, err := d.Enrol(ctx, name, sponsor, "phone", "laptop")
	if err != nil {
		return nil, nil, err
	}
	if phone, err = d.open(ctx, "phone", as[0]); err != nil {
		return nil, nil, err
	}
	if laptop, err = d.open(ctx, "laptop", as[1]); err != nil {
		phone.Close()
		return nil, nil, err
	}
	return phone, laptop, nil
}

func (d *Demo) open(ctx context.Context, name string, a Access) (*device, error) {
	r, err := replica.Open(ctx, replica.Config{
		Path: filepath.Join(d.Dir, a.Device.String()+".db"), Member: a.Member, Device: a.Device, Now: d.Now,
	})
	return &device{name, a, r}, err
}

// goOnline starts a device's syncer.
func (d *Demo) goOnline(ctx context.Context, v *device) {
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	s := v.NewSyncer(replica.SyncerConfig{URL: v.access.URL, Token: v.access.Token, App: "trio demo", Log: slog.New(slog.DiscardHandler)})
	go func() {
		defer close(done)
		s.Run(ctx) //nolint:errcheck // level says what did not get through
	}()
	d.online[v.Replica] = func() {
		cancel()
		<-done
	}
}

func (d *Demo) goOffline(v *device) {
	d.online[v.Replica]()
	delete(d.online, v.Replica)
}

// level waits until nothing is unsent anywhere and all devices have the same receipt.
func (d *Demo) level(ctx context.Context, vs ...*device) (time.Duration, error) {
	start := time.Now()
	changed, stop := vs[0].Watch()
	defer stop()
	ctx, cancel := context.WithTimeout(ctx, 5*time.Minute)
	defer cancel()
	for {
		level := true
		var first wire.Receipt
		for i, v := range vs {
			st, err := v.Status(ctx)
			if err != nil {
				return 0, err
			}
			if i == 0 {
				first = st.Receipt
			}
			level = level && st.Unsent == 0 && st.Receipt == first && st.Receipt.Seq > 0
		}
		if level {
			return time.Since(start), nil
		}
		select {
		case <-ctx.Done():
			return 0, fmt.Errorf("devices do not come level: %w", ctx.Err())
		case <-changed:
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// event plays an event without signal on a promoter's two devices, and shows that both end with the same.
func (d *Demo) event(ctx context.Context, phone, laptop *device) error {
	d.goOnline(ctx, phone)
	sent, err := d.level(ctx, phone)
	if err != nil {
		return err
	}
	d.goOnline(ctx, laptop)
	joined, err := d.level(ctx, phone, laptop)
	if err != nil {
		return err
	}
	st, err := phone.Status(ctx)
	if err != nil {
		return err
	}
	d.say("   Sent in %s; the laptop joins and has all %d changes in %s.\n", ms(sent), st.Changes, ms(joined))

	d.say("2  BEFORE THE EVENT, on the phone")
	if _, _, err := d.lists(ctx, phone, true); err != nil {
		return err
	}

	d.say("3  AT THE EVENT, no signal, phone and laptop apart")
	// Whom both will edit: somebody whom both have, as they are level.
	common, err := laptop.Contacts(ctx, "", 0, 1)
	if err != nil {
		return err
	}
	d.goOffline(phone)
	d.goOffline(laptop)
	d.SetClock(d.Now().Add(6 * time.Hour))
	top, err := d.best(ctx, laptop)
	if err != nil {
		return err
	}
	captured := []string{"Noor Aziz", "Felix Braun", "Carmen Ibáñez"}
	for i, name := range captured {
		_, err := phone.AddContact(ctx, replica.Fields{
			crdt.FieldName: name, crdt.FieldPhone + fmt.Sprintf("+1555010%04d", 177+i): "mobile",
			crdt.FieldTag + "autumn-fair": "yes", crdt.FieldConsent: crdt.ConsentGiven,
		})
		if err != nil {
			return err
		}
		d.say("   phone    captures %s", name)
	}
	for _, s := range top {
		if _, err := laptop.Act(ctx, s, ranking.Answered); err != nil {
			return err
		}
		d.say("   laptop   %s, and logs the answer", lower(s.Step))
	}
	for _, both := range common {
		err := errors.Join(
			phone.EditContact(ctx, both.ID, replica.Fields{crdt.FieldNote: "met at the fair, asks for the catalogue", crdt.FieldTag + "warm": "yes"}),
			laptop.EditContact(ctx, both.ID, replica.Fields{crdt.FieldNote: "moved to Lisbon", crdt.FieldCompany: "Sol e Mar"}),
		)
		if err != nil {
			return err
		}
		d.say("   both     edit %s: the phone the note and a tag, the laptop the note and the company", both.Name)
	}
	for _, v := range []*device{phone, laptop} {
		n, err := v.UnsentCount(ctx)
		if err != nil {
			return err
		}
		d.say("   %-8s %s only on this device", v.name, count(int64(n), "changes"))
	}

	d.say("\n4  SIGNAL AGAIN")
	again := d.Now().Truncate(time.Millisecond)
	d.goOnline(ctx, phone)
	d.goOnline(ctx, laptop)
	took, err := d.level(ctx, phone, laptop)
	if err != nil {
		return err
	}
	d.say("   Level after %s; nothing left unsent on either.", ms(took))
	for _, v := range []*device{phone, laptop} {
		if err := d.merged(ctx, v, again); err != nil {
			return err
		}
	}
	a, n, err := d.lists(ctx, phone, true)
	if err != nil {
		return err
	}
	b, _, err := d.lists(ctx, laptop, false)
	if err != nil {
		return err
	}
	if a != b {
		return fmt.Errorf("the two devices suggest different things:\n%s\n%s", a, b)
	}
	d.say("   The laptop shows the same%s, word for word.", []string{"", " one", " two", " three", " four", " five", " six"}[n])
	return d.goals(ctx, phone)
}

// merged says what came to a device since a time.
func (d *Demo) merged(ctx context.Context, v *device, since time.Time) error {
	all, err := v.Merges(ctx, 100)
	if err != nil {
		return err
	}
	var entries, contacts int64
	var conflicts []replica.Merge
	for _, m := range slices.Backward(all) { // the newest is the first
		switch {
		case m.At.Before(since):
		case m.What == "conflict":
			conflicts = append(conflicts, m)
		case m.Field == "contacts":
			contacts += m.Count
		default:
			entries += m.Count
		}
	}
	if entries > 0 {
		what := "entries"
		if entries == 1 {
			what = "entry"
		}
		d.say("   %-8s received %d %s of the log", v.name, entries, what)
	}
	if contacts > 0 {
		d.say("   %-8s received %s, new or changed", v.name, count(contacts, "contacts"))
	}
	for _, m := range conflicts {
		c, err := v.Contact(ctx, m.Contact)
		if err != nil {
			return err
		}
		d.say("   %-8s %s, %s: kept %q, the other device wrote %q", v.name, c.Name, m.Field, m.Kept, m.Other)
	}
	return nil
}

// goalWords says what was done of what was wanted.
var goalWords = map[crdt.Dimension]string{
	crdt.GoalOutreach: "outreach %d of %d", crdt.GoalFollowUp: "follow-ups %d of %d", crdt.GoalLearn: "%d of %d minutes of learning",
	crdt.GoalShare: "%d of %d shares",
}

func (d *Demo) goals(ctx context.Context, v *device) error {
	gs, err := v.GoalsToday(ctx)
	if err != nil {
		return err
	}
	var parts []string
	for _, g := range gs {
		if words, ok := goalWords[g.Dimension]; ok && g.Want > 0 {
			parts = append(parts, fmt.Sprintf(words, g.Done, g.Want))
		}
	}
	if len(parts) > 0 {
		d.say("   Goals of today: %s.", strings.Join(parts, ", "))
	}
	return nil
}

// best returns the best suggestions of both lists, two in all.
func (d *Demo) best(ctx context.Context, v *device) (out []replica.Suggestion, err error) {
	for _, l := range []ranking.List{ranking.Prospects, ranking.Members} {
		top, err := v.TopThree(ctx, l, "en")
		if err != nil {
			return nil, err
		}
		out = append(out, top[:min(len(top), 1)]...)
	}
	return out, nil
}

// lists returns the two lists of three as text and how many stand in them, and prints them when asked to.
func (d *Demo) lists(ctx context.Context, v *device, show bool) (text string, n int, err error) {
	text, top, err := desktop.RenderTop(ctx, v.Replica, "en")
	if err != nil {
		return "", 0, err
	}
	for line := range strings.Lines(text) {
		if show {
			fmt.Fprint(d.Out, "   ", line)
		}
	}
	if show {
		d.say("")
	}
	return text, len(top[0]) + len(top[1]), nil
}

// pull reads the company's activity as corporate does, and checks that no entry comes twice.
func (d *Demo) pull(ctx context.Context) (int, error) {
	d.say("\n5  CORPORATE PULLS the merged activity: ids, no names, no notes")
	kinds := map[crdt.Kind]int{}
	seen := map[crdt.EntryID]bool{}
	var last []corporate.Record
	_, err := d.Feed.Pull(ctx, "", func(r corporate.Record) error {
		if seen[r.Entry] {
			return fmt.Errorf("entry %s comes twice", r.Entry)
		}
		seen[r.Entry] = true
		e, err := r.Parse()
		if err != nil {
			return err
		}
		kinds[e.Kind]++
		if last = append(last, r); len(last) > 2 {
			last = last[1:]
		}
		return nil
	})
	if err != nil {
		return 0, err
	}
	var parts []string
	for _, k := range slices.Sorted(maps.Keys(kinds)) {
		parts = append(parts, fmt.Sprintf("%s %d", k, kinds[k]))
	}
	d.say("   %d records, each once: %s", len(seen), strings.Join(parts, ", "))
	for _, r := range last {
		d.say("   %s", r.Line)
	}
	return len(seen), nil
}

// count writes a number and what it counts, given in the plural.
func count(n int64, what string) string {
	if n == 1 {
		what = strings.TrimSuffix(what, "s")
	}
	return fmt.Sprintf("%d %s", n, what)
}

func lower(s string) string { return strings.ToLower(s[:1]) + s[1:] }

func ms(t time.Duration) string {
	if t < time.Second {
		return fmt.Sprintf("%d ms", t.Milliseconds())
	}
	return fmt.Sprintf("%.1f s", t.Seconds())
}

func writeFile(path string, f func(io.Writer) error) error {
	w, err := os.Create(path)
	if err != nil {
		return err
	}
	return errors.Join(f(w), w.Close())
}

// readFile reads one file of input and says what could not be used.
func (d *Demo) readFile(path string, kind importer.Kind, opt importer.Options) (*desktop.File, error) {
	f, err := desktop.ReadFile(path, kind, opt)
	if err != nil {
		return nil, err
	}
	d.problems(path, f)
	return f, nil
}

// problems says what could not be used of a file.
func (d *Demo) problems(path string, f *desktop.File) {
	for i, p := range f.Problems {
		if i == 5 {
			d.say("   … and %d more", len(f.Problems)-i)
			break
		}
		d.say("   %s: %s", filepath.Base(path), p)
	}
}

// promoter is a part of real input: some customers with their orders.
type promoter struct {
	name   string
	people []importer.Person
	orders []importer.Order
}

// deal gives the customers of real input out to promoters, in the order in which the files name them.
func (d *Demo) deal(people []importer.Person, orders []importer.Order) []*promoter {
	var all []*promoter
	of := map[string]*promoter{}
	find := func(key string) *promoter {
		p, ok := of[key]
		if !ok {
			if len(of)%d.PerPromoter == 0 {
				all = append(all, &promoter{name: fmt.Sprintf("Promoter-%d", len(all)+1)})
			}
			p = all[len(all)-1]
			of[key] = p
		}
		return p
	}
	for _, o := range orders {
		p := find(o.PersonKey)
		p.orders = append(p.orders, o)
	}
	for _, x := range people {
		p := find(x.Key)
		p.people = append(p.people, x)
	}
	return all
}

// real plays real input: every promoter's book on two devices, and the event for the first of them.
func (d *Demo) real(ctx context.Context) (member crdt.MemberID, err error) {
	d.say("Trio · real input\n")
	d.say("1  THE BOOKS")
	var people []importer.Person
	var orders []importer.Order
	if d.people != nil {
		d.problems(d.Contacts, d.people)
		people = d.people.People
	}
	if d.bought != nil {
		d.problems(d.Orders, d.bought)
		orders = d.bought.Orders
	}
	all := d.deal(people, orders)
	if len(all) == 0 {
		return member, errors.New("the files hold neither contacts nor orders")
	}
	var newest time.Time
	for _, o := range orders {
		if o.At.After(newest) {
			newest = o.At
		}
	}
	if d.Now().Sub(newest) > 30*24*time.Hour && !newest.IsZero() {
		d.SetClock(newest.AddDate(0, 0, 1))
		d.say("   The newest order is of %s, so the day that is played is the one after it.", newest.Format(time.DateOnly))
	}
	d.say("   %s and %s in the files, dealt out to %s of %d.", count(int64(len(orders)), "orders"), count(int64(len(people)), "contacts"),
		count(int64(len(all)), "promoters"), d.PerPromoter)

	start := time.Now()
	var mu sync.Mutex
	triggers := map[string]int{}
	var sum replica.Imported
	var used, full [2]int // lists that suggest anybody, and those of three; by ranking.List
	jobs := make(chan *promoter)
	errs := make(chan error, 4)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var wg sync.WaitGroup
	for range cap(errs) {
		wg.Go(func() {
			one := *d // its own devices
			one.online = map[*replica.Replica]func(){}
			for p := range jobs {
				n, top, err := one.book(ctx, p)
				if err != nil {
					errs <- fmt.Errorf("%s: %w", p.name, err)
					cancel()
					return
				}
				mu.Lock()
				sum.NewContacts += n.NewContacts
				sum.NewOrders += n.NewOrders
				sum.SameOrders += n.SameOrders
				sum.Unknown += n.Unknown
				for i, l := range top {
					if len(l) > 0 {
						used[i]++
					}
					if len(l) == 3 {
						full[i]++
					}
					for _, s := range l {
						triggers[s.Trigger.String()]++
					}
				}
				mu.Unlock()
			}
		})
	}
	for _, p := range all[1:] {
		select {
		case jobs <- p:
		case <-ctx.Done():
		}
	}
	close(jobs)
	wg.Wait()
	close(errs)
	if err := <-errs; err != nil {
		return member, err
	}

	p := all[0]
	phone, laptop, err := d.pair(ctx, p.name, crdt.MemberID{})
	if err != nil {
		return member, err
	}
	member = phone.Member()
	defer phone.Close()
	defer laptop.Close()
	n, err := bring(ctx, phone, p)
	if err != nil {
		return member, err
	}
	sum.NewContacts += n.NewContacts
	sum.NewOrders += n.NewOrders
	sum.SameOrders += n.SameOrders
	sum.Unknown += n.Unknown
	d.say("   %s and %s are in the books after %s%s.", count(int64(sum.NewContacts), "contacts"), count(int64(sum.NewOrders), "orders"),
		ms(time.Since(start)), map[bool]string{true: ", sent, and pulled by the second device of every promoter but the first"}[len(all) > 1])
	if sum.SameOrders > 0 {
		d.say("   In the files more than once, and counted once: %s.", count(int64(sum.SameOrders), "orders"))
	}
	if sum.Unknown > 0 {
		d.say("   Left out, as nothing says whose they are: %s.", count(int64(sum.Unknown), "orders"))
	}
	if others := len(all) - 1; others > 0 {
		d.say("   Both devices of %s show the same two lists:", map[bool]string{true: "the other promoter", false: fmt.Sprintf("all %d other promoters", others)}[others == 1])
		for i, n := range used {
			l := ranking.List(i)
			if n == 0 {
				d.say("     %s: nobody needs anything today", l)
				continue
			}
			d.say("     %s: %d of %d lists hold a full three", l, full[i], others)
		}
		for _, t := range slices.Sorted(maps.Keys(triggers)) {
			d.say("     %5d × %s", triggers[t], cmp.Or(triggerWords[t], t))
		}
	}
	d.say("   %s plays the event:", p.name)
	if err := d.event(ctx, phone, laptop); err != nil {
		return member, err
	}
	records, err := d.pull(ctx)
	if err != nil {
		return member, err
	}
	if records < sum.NewOrders {
		return member, fmt.Errorf("the feed holds %d records, the books %d orders", records, sum.NewOrders)
	}
	return member, nil
}

// triggerWords says why a contact is suggested, by the trigger's name in the log.
var triggerWords = map[string]string{
	"new_lead": "say hello to a new contact", "webinar_follow": "follow up after a webinar", "webinar_absent": "missed a webinar",
	"next_step": "an easy next step", "watched": "looked at something that was shared", "promised_follow": "a promise to get back",
	"nurture": "catch up after a while", "refill_due": "a refill is due", "lapsed": "has not ordered for long",
	"first_order": "thanks for a first order", "ask_promote": "might like to promote", "check_in": "see how a promoter is going",
}

// bring puts a promoter's part into a book.
func bring(ctx context.Context, v *device, p *promoter) (replica.Imported, error) {
	if err := v.SetProfile(ctx, crdt.ProfileName, p.name); err != nil {
		return replica.Imported{}, err
	}
	a, err := v.ImportPeople(ctx, p.people)
	if err != nil {
		return a, err
	}
	b, err := v.ImportOrders(ctx, p.orders)
	b.NewContacts += a.NewContacts
	return b, err
}

// book brings one promoter's part to one device, through the server to a second one, and compares what both suggest.
func (d *Demo) book(ctx context.Context, p *promoter) (n replica.Imported, top [2][]replica.Suggestion, err error) {
	phone, laptop, err := d.pair(ctx, p.name, crdt.MemberID{})
	if err != nil {
		return n, top, err
	}
	defer phone.Close()
	defer laptop.Close()
	if n, err = bring(ctx, phone, p); err != nil {
		return n, top, err
	}
	for _, v := range []*device{phone, laptop} {
		d.goOnline(ctx, v)
		defer d.goOffline(v)
	}
	if _, err := d.level(ctx, phone, laptop); err != nil {
		return n, top, err
	}
	a, top, err := desktop.RenderTop(ctx, phone.Replica, "en")
	if err != nil {
		return n, top, err
	}
	b, _, err := desktop.RenderTop(ctx, laptop.Replica, "en")
	if err == nil && a != b {
		err = fmt.Errorf("the two devices suggest different things:\n%s\n%s", a, b)
	}
	return n, top, err
}
