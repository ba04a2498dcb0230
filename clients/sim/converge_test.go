package sim_test

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"trio/crdt"
	"trio/crdt/automerge"
	"trio/ranking"
	"trio/ranking/playbook"
	"trio/replica"
	"trio/replica/importer"
	"trio/server/board"
	"trio/server/hub"
	"trio/server/learn"
	"trio/server/store"
	"trio/server/store/storetest"
)

var (
	seedFlag  = flag.Uint64("seed", 0, "run this one history of a simulation")
	seedsFlag = flag.Int("seeds", 8, "how many histories a simulation runs")
)

// TestDevicesAndServerConverge plays random histories of two to five devices of one member and their server: taps,
// deliveries, cut links, killed devices and servers. In the end all hold the same, nothing that was acknowledged is
// missing, and every action is in the feed once.
func TestDevicesAndServerConverge(t *testing.T) {
	if *seedFlag != 0 {
		converge(t, *seedFlag)
		return
	}
	n := *seedsFlag
	if testing.Short() {
		n = min(n, 2)
	}
	for seed := uint64(1); seed <= uint64(n); seed++ {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			converge(t, seed)
		})
	}
}

// world is a member's devices and the server, moved step by step by one goroutine.
type world struct {
	*testing.T
	ctx    context.Context
	test   string // that -seed is for
	seed   uint64
	rng    *rand.Rand
	dir    string
	files  int
	store  *store.SQLite
	path   string // of the store
	backup string // an older image of it
	tenant store.Tenant
	now    time.Time
	devs   []*device
	logged map[crdt.EntryID]bool // acknowledged actions
	people []crdt.ContactID      // acknowledged contacts
	books  int                   // playbooks published
	script []string
}

type device struct {
	id     store.Device
	path   string
	r      *replica.Replica
	drift  time.Duration // its clock is wrong by this much
	old    string        // an older image of its database
	foldAt int           // how many changes it folds
	link   *link
}

// link is one connection: two sessions and what is on its way between them.
type link struct {
	dev      *replica.Session
	srv      *hub.Session
	up, down [][]byte
}

func (w *world) must(err error) {
	if err != nil {
		w.Helper()
		w.Fatalf("%v\n%s\nreplay: go test ./clients/sim -run %s -seed %d", err, strings.Join(w.script[max(0, len(w.script)-25):], "\n"), w.test, w.seed)
	}
}

func (w *world) say(format string, args ...any) {
	w.script = append(w.script, fmt.Sprintf(format, args...))
}

func (w *world) file(name string) string {
	w.files++
	return filepath.Join(w.dir, fmt.Sprintf("%s-%d.db", name, w.files))
}

func converge(t *testing.T, seed uint64) {
	w := newWorld(t, "Converge", seed)
	defer w.close()
	for range 150 + w.rng.IntN(250) {
		w.step()
	}
	w.heal()
	w.check()
}

// newWorld makes a server and two to five devices of one member.
func newWorld(t *testing.T, test string, seed uint64) *world {
	w := &world{
		T: t, ctx: t.Context(), test: test, seed: seed, rng: rand.New(rand.NewPCG(seed, 1)), dir: t.TempDir(),
		now: time.Date(2026, 11, 20, 9, 0, 0, 0, time.UTC), logged: map[crdt.EntryID]bool{},
	}
	w.path = w.file("server")
	w.openStore()
	var err error
	w.tenant, err = w.store.CreateTenant(w.ctx, "Acme")
	w.must(err)
	member, err := w.store.CreateMember(w.ctx, store.Member{Tenant: w.tenant, Name: "Maya"})
	w.must(err)
	for range 2 + w.rng.IntN(4) {
		id, _, err := w.store.CreateDevice(w.ctx, member, "phone")
		w.must(err)
		d := &device{id: id, path: w.file("device"), drift: time.Duration(w.rng.IntN(7200)-3600) * time.Second, foldAt: 1 + w.rng.IntN(40)}
		w.openDevice(d)
		w.devs = append(w.devs, d)
	}
	return w
}

func (w *world) close() {
	for _, d := range w.devs {
		d.r.Close()
	}
	w.store.Close()
}

func (w *world) openStore() {
	st, err := store.Open(w.ctx, store.Config{Path: w.path, Logger: slog.New(slog.DiscardHandler)})
	w.must(err)
	w.store = st
}

func (w *world) openDevice(d *device) {
	r, err := replica.Open(w.ctx, replica.Config{
		Path: d.path, Member: d.id.Member, Device: d.id.ID, Now: func() time.Time { return w.now.Add(d.drift) },
		FoldAt: d.foldAt,
	})
	w.must(err)
	d.r = r
}

// image copies a database as a killed process leaves it: the file and its write-ahead log.
func (w *world) image(from, to string) {
	for _, ext := range []string{"", "-wal"} {
		b, err := os.ReadFile(from + ext)
		if os.IsNotExist(err) {
			continue
		}
		w.must(err)
		w.must(os.WriteFile(to+ext, b, 0o600))
	}
}

func (w *world) step() {
	w.now = w.now.Add(time.Duration(w.rng.IntN(600)) * time.Second)
	d := w.devs[w.rng.IntN(len(w.devs))]
	n := slices.Index(w.devs, d)
	switch p := w.rng.IntN(100); {
	case p < 35:
		w.tap(d, n)
	case p < 45:
		w.connect(d, n)
	case p < 50:
		w.say("%d: cut", n)
		d.link = nil
	case p < 89:
		w.deliver(d)
	case p < 90:
		w.publish()
	case p < 93:
		n, err := d.r.Compact(w.ctx)
		w.must(err)
		w.say("%d: folded %d", slices.Index(w.devs, d), n)
	case p < 95:
		w.say("%d: killed", n)
		w.reopenDevice(d, d.path)
	case p < 96:
		// A phone that is put back from a backup loses what was only on it; all else must come back.
		unsent, err := d.r.UnsentCount(w.ctx)
		w.must(err)
		switch {
		case d.old == "":
			d.old = w.file("backup")
			w.image(d.path, d.old)
			w.say("%d: backup", n)
		case unsent == 0:
			w.say("%d: put back from its backup", n)
			w.reopenDevice(d, d.old)
		}
	case p < 97:
		folded, err := w.store.Compact(w.ctx, d.id.Member, 1+w.rng.IntN(60))
		w.must(err)
		w.say("server: folded %d", folded)
	case p < 98:
		w.say("server: killed")
		w.reopenStore(w.path)
	case p < 99:
		if w.backup == "" {
			w.say("server: backup")
			w.backup = w.file("backup")
			w.image(w.path, w.backup)
		} else if w.held() {
			w.say("server: put back from its backup")
			w.reopenStore(w.backup)
			w.backup = ""
		}
	default:
		w.say("a day passes")
		w.now = w.now.Add(24 * time.Hour)
	}
}

// reopenDevice opens an image of a device's database in place of the device.
func (w *world) reopenDevice(d *device, from string) {
	d.link = nil
	d.path = w.file("device")
	w.image(from, d.path)
	d.r.Close()
	w.openDevice(d)
}

func (w *world) reopenStore(from string) {
	st := w.store
	w.path = w.file("server")
	w.image(from, w.path)
	st.Close()
	w.openStore()
	for _, d := range w.devs {
		d.link = nil
	}
}

// held reports whether the devices hold all that the server does: a device's backup put back and the server's then lose
// together what was nowhere else, and no protocol brings that back.
func (w *world) held() bool {
	head, err := w.store.Head(w.ctx, w.devs[0].id.Member)
	w.must(err)
	var rows []store.Stored
	for more := true; more; {
		var page []store.Stored
		page, _, more, err = storetest.Since(w.ctx, w.store, w.devs[0].id.Member, uint64(len(rows)), 1<<20, 1<<30)
		w.must(err)
		rows = append(rows, page...)
	}
	if uint64(len(rows)) != head.Seq {
		w.must(fmt.Errorf("%d rows up to %d", len(rows), head.Seq))
	}
	have := map[automerge.Hash]bool{}
	for _, d := range w.devs {
		heads, err := d.r.Heads(w.ctx)
		w.must(err)
		for name := range heads {
			w.must(d.r.Changes(w.ctx, name, func(chunk []byte) error {
				c, err := automerge.ParseChange(chunk)
				if err == nil {
					have[c.Hash()] = true
				}
				return err
			}))
		}
	}
	return !slices.ContainsFunc(rows, func(r store.Stored) bool { return !have[r.Hash] })
}

func (w *world) tap(d *device, n int) {
	pick := func() crdt.ContactID { return w.people[w.rng.IntN(len(w.people))] }
	away := func(err error) bool { return err != nil && strings.Contains(err.Error(), "it may have been deleted") }
	known := func(c crdt.ContactID) bool { _, err := d.r.Contact(w.ctx, c); return err == nil }
	what := w.rng.IntN(10)
	if len(w.people) == 0 {
		what = 0
	}
	switch what {
	case 0, 1:
		c, err := d.r.AddContact(w.ctx, replica.Fields{
			crdt.FieldName: fmt.Sprintf("Contact %d", len(w.people)), crdt.FieldPhone + fmt.Sprintf("+1555010%04d", len(w.people)): "mobile",
		})
		w.must(err)
		w.people = append(w.people, c)
		w.say("%d: add %s", n, c)
	case 2, 3, 4:
		c := pick()
		if !known(c) {
			return
		}
		f := replica.Fields{}
		for range 1 + w.rng.IntN(3) {
			switch w.rng.IntN(9) {
			case 0:
				f[crdt.FieldName] = fmt.Sprintf("Name %d", w.rng.IntN(1000))
			case 1:
				f[crdt.FieldTag+fmt.Sprint(w.rng.IntN(3))] = []string{"yes", ""}[w.rng.IntN(2)]
			case 2:
				f[crdt.FieldStage] = crdt.Stages[w.rng.IntN(3)]
			case 3:
				f[crdt.FieldNote] = fmt.Sprintf("note \x01\x00 %d ñ", w.rng.IntN(1000))
			case 4:
				f[crdt.FieldHousehold] = pick().String()
			case 5:
				f[crdt.FieldMergedInto] = []string{pick().String(), ""}[w.rng.IntN(2)]
			case 6:
				f[crdt.FieldDeleted] = []string{"yes", ""}[w.rng.IntN(2)]
			case 7:
				f[crdt.FieldConsent] = []string{"given", "opted-out", ""}[w.rng.IntN(3)]
			case 8:
				f[crdt.FieldSnooze] = []string{w.now.AddDate(0, 0, w.rng.IntN(3)).Format(time.DateOnly), ""}[w.rng.IntN(2)]
			}
		}
		err := d.r.EditContact(w.ctx, c, f)
		if away(err) { // it can be brought back
			f = replica.Fields{crdt.FieldDeleted: ""}
			err = d.r.EditContact(w.ctx, c, f)
		}
		w.must(err)
		w.say("%d: edit %s %v", n, c, f)
	case 5, 6, 7:
		c := pick()
		if !known(c) {
			return
		}
		kinds := []crdt.Kind{
			crdt.Call, crdt.Text, crdt.Meet, crdt.Share, crdt.WebinarAttended, crdt.FormSubmitted, crdt.Promise, crdt.Promise,
			crdt.SiteVisited, crdt.WebinarJoined, crdt.WebinarRegistered, crdt.Watched, crdt.StageChanged,
		}
		e := crdt.Entry{
			Kind: kinds[w.rng.IntN(len(kinds))], Contact: c, Outcome: "answered", Due: w.now.AddDate(0, 0, w.rng.IntN(4)-1).Format(time.DateOnly),
		}
		switch e.Kind {
		case crdt.StageChanged:
			e.Stage = crdt.Stages[w.rng.IntN(3)]
		case crdt.FormSubmitted, crdt.SiteVisited, crdt.WebinarJoined, crdt.WebinarRegistered, crdt.WebinarAttended, crdt.Watched:
			e.Evidence = crdt.E3
		}
		if w.rng.IntN(3) == 0 { // noted afterwards: in the minutes around a midnight of one of the homes
			midnight := w.now.Truncate(24 * time.Hour).Add([]time.Duration{0, -time.Hour, 8 * time.Hour, -9 * time.Hour}[w.rng.IntN(4)])
			e.At = midnight.Add(time.Duration(w.rng.IntN(7)-3) * time.Minute).UnixMilli()
		}
		id, err := d.r.Log(w.ctx, e)
		if away(err) {
			return
		}
		w.must(err)
		w.logged[id] = true
		w.say("%d: log %s %s", n, e.Kind, id)
	case 8:
		var orders []importer.Order
		for i := range 3 {
			orders = append(orders, importer.Order{
				Key: fmt.Sprintf("id:%d", w.rng.IntN(30)), Customer: fmt.Sprint(i), PersonKey: fmt.Sprintf("id:c%d", i),
				At: w.now.AddDate(0, 0, -i*20), Cents: 1999, Currency: "EUR",
			})
		}
		_, err := d.r.ImportOrders(w.ctx, orders)
		w.must(err)
		w.say("%d: import", n)
	case 9:
		switch w.rng.IntN(16) {
		case 0, 1, 2:
			w.must(d.r.SetProfile(w.ctx, crdt.ProfileZone, []string{"Europe/Madrid", "America/Los_Angeles", "Asia/Tokyo"}[w.rng.IntN(3)]))
			w.say("%d: zone", n)
			return
		case 3:
			w.must(d.r.MoveHome(w.ctx, []string{"Europe/Madrid", "America/Los_Angeles", "Asia/Tokyo"}[w.rng.IntN(3)]))
			w.say("%d: move", n)
			return
		case 4, 5:
			w.must(d.r.Commit(w.ctx, []crdt.Dimension{crdt.GoalOutreach, crdt.GoalFollowUp, crdt.GoalShare}[w.rng.IntN(3)], int64(w.rng.IntN(3))))
			w.say("%d: goal", n)
			return
		case 6, 7:
			won, err := d.r.GiveAwards(w.ctx)
			w.must(err)
			w.say("%d: awards %v", n, won)
			return
		case 8:
			tl, err := d.r.Timeline(w.ctx, pick(), 9)
			w.must(err)
			if i := slices.IndexFunc(tl, func(l replica.Logged) bool { return l.Kind.IsTouch() }); i >= 0 {
				w.must(d.r.TakeBack(w.ctx, tl[i].ID))
				w.say("%d: take back %s", n, tl[i].ID)
			}
			return
		case 11, 12:
			due, err := d.r.Alerts(w.ctx, "en")
			w.must(err)
			for _, a := range due {
				w.must(d.r.Alerted(w.ctx, a))
				w.say("%d: shows %s", n, a.Key)
			}
			w.flush(d)
			return
		case 9, 10:
			tl, err := d.r.Timeline(w.ctx, pick(), 9)
			w.must(err)
			if i := slices.IndexFunc(tl, func(l replica.Logged) bool { return l.Kind.IsTouch() }); i >= 0 {
				id, err := d.r.Log(w.ctx, crdt.Entry{
					Kind: crdt.Result, Contact: tl[i].Contact, About: tl[i].ID, Outcome: []string{"replied", "enrolled", "not_ready"}[w.rng.IntN(3)],
				})
				w.must(err)
				w.logged[id] = true
				w.say("%d: result %s of %s", n, id, tl[i].ID)
			}
			return
		}
		for _, l := range []ranking.List{ranking.Prospects, ranking.Members} {
			top, err := d.r.TopThree(w.ctx, l, "en")
			w.must(err)
			if len(top) > 0 && w.rng.IntN(3) == 0 {
				w.must(d.r.Decline(w.ctx, top[0], []crdt.Choice{crdt.Skipped, crdt.Dismissed}[w.rng.IntN(2)]))
				w.say("%d: decline", n)
			} else if len(top) > 0 {
				id, err := d.r.Act(w.ctx, top[0], ranking.NoAnswer)
				w.must(err)
				w.logged[id] = true
				w.say("%d: act %s", n, id)
			}
		}
	}
	w.flush(d)
}

// flush sends what the device wants to send, as the syncer's loop does.
func (w *world) flush(d *device) {
	if d.link == nil {
		return
	}
	b, err := d.link.dev.Next(w.ctx)
	w.must(err)
	if b == nil { // as the syncer does some seconds later
		b, err = d.link.dev.Prove()
		w.must(err)
	}
	if b != nil {
		d.link.up = append(d.link.up, b)
	}
}

func (w *world) connect(d *device, n int) {
	if d.link != nil {
		return
	}
	w.say("%d: connect", n)
	info, err := w.store.DeviceByID(w.ctx, d.id.ID)
	w.must(err)
	l := &link{dev: d.r.NewSession("sim"), srv: hub.NewSession(w.store, info.Device, "sim", func() time.Time { return w.now })}
	hello, err := l.dev.Hello(w.ctx)
	w.must(err)
	l.up = [][]byte{hello}
	d.link = l
}

// deliver moves one frame, if one is on its way; it reports whether anything moved.
func (w *world) deliver(d *device) bool {
	l := d.link
	if l == nil {
		return false
	}
	up := len(l.up) > 0 && (len(l.down) == 0 || w.rng.IntN(2) == 0)
	switch {
	case up:
		f := l.up[0]
		l.up = l.up[1:]
		got, err := l.srv.Receive(w.ctx, f)
		w.must(err)
		if got.Head > 0 {
			for _, o := range w.devs {
				if o != d && o.link != nil {
					o.link.srv.Wake(got.Head)
				}
			}
		}
	case len(l.down) > 0:
		f := l.down[0]
		l.down = l.down[1:]
		out, err := l.dev.Receive(w.ctx, f)
		w.must(err)
		l.up = append(l.up, out...)
		w.flush(d)
	default:
		b, err := l.srv.Next(w.ctx)
		w.must(err)
		if b == nil {
			return false
		}
		l.down = append(l.down, b)
	}
	return true
}

// publish publishes a playbook that counts and suggests in another way than the last one. Some of who is connected is told.
func (w *world) publish() {
	heads, err := w.store.PlaybookHeads(w.ctx, []store.Tenant{w.tenant})
	w.must(err)
	head := heads[w.tenant]
	doc := playbook.Default()
	doc.Version = max(head.Taken, doc.Version) + 1
	doc.Goals.GraceMinutes = w.rng.IntN(3) * 60
	i := w.rng.IntN(len(doc.Goals.Metrics))
	doc.Goals.Metrics[0], doc.Goals.Metrics[i] = doc.Goals.Metrics[i], doc.Goals.Metrics[0]
	doc.Ranking.Rules[ranking.NewLead].Value += int64(w.rng.IntN(10)) * 1000
	doc.Ranking.Rules[ranking.Own3].When.Since = []ranking.Quantity{ranking.SinceVisited, ranking.SinceLastOrder, ranking.SinceStage}[w.rng.IntN(3)]
	doc.Ranking.Rules[ranking.Own3].When.Cadence[0] = int64(w.rng.IntN(3))
	p, err := w.store.PublishPlaybook(w.ctx, store.Playbook{Tenant: w.tenant, Version: doc.Version, Hash: doc.Hash(), By: "Ann", Doc: doc.Encode()}, head.Version)
	w.must(err)
	w.books++
	w.say("server: publish playbook %d", p.Version)
	for _, d := range w.devs {
		if d.link != nil && w.rng.IntN(2) == 0 {
			d.link.srv.WakePlaybook(p.Version)
		}
	}
}

// heal has all devices come, and once more when there were playbooks: a server that was put back from its backup hears by
// the first time which versions it has lost, and the second time brings one to all.
func (w *world) heal() {
	w.meet()
	if w.books > 0 {
		w.publish()
		w.meet()
		heads, err := w.store.PlaybookHeads(w.ctx, []store.Tenant{w.tenant})
		w.must(err)
		for i, d := range w.devs {
			if got, want := d.r.Playbook(), heads[w.tenant]; got.Version != want.Version || got.Hash() != want.Hash {
				w.must(fmt.Errorf("device %d goes by playbook %d, the newest is %d", i, got.Version, want.Version))
			}
		}
	}
}

func (w *world) meet() {
	w.say("heal")
	for i, d := range w.devs {
		d.link = nil // a fresh hello measures the clock again, without the simulation's hours between two frames
		w.connect(d, i)
		w.flush(d)
	}
	for moved := true; moved; {
		moved = false
		for _, d := range w.devs {
			for w.deliver(d) {
				moved = true
			}
		}
	}
}

func dump(w *world, r *replica.Replica) string {
	var b strings.Builder
	w.must(r.Dump(w.ctx, &b))
	return b.String()
}

// habit returns what a device shows of goals but for the minute.
func habit(w *world, r *replica.Replica) string {
	h, err := r.Habit(w.ctx)
	w.must(err)
	h.Now.Minute = 0
	return fmt.Sprintf("goals %+v %v", h.Habit, h.Held)
}

func (w *world) check() {
	first := w.devs[0]
	want := dump(w, first.r)
	head, err := w.store.Head(w.ctx, first.id.Member)
	w.must(err)
	var wantTop []string
	for i, d := range w.devs {
		st, err := d.r.Status(w.ctx)
		w.must(err)
		if st.Unsent != 0 || st.Receipt != head {
			w.must(fmt.Errorf("device %d: %d unsent, receipt %d; server at %d", i, st.Unsent, st.Receipt.Seq, head.Seq))
		}
		if x, ok := d.link.srv.Sighting(w.now); !ok || x.Receipt != head.Seq || x.Pending != 0 {
			w.must(fmt.Errorf("device %d: the server knows that it holds %d changes and has %d to send; it holds all %d", i, x.Receipt, x.Pending, head.Seq))
		}
		if got := dump(w, d.r); got != want {
			w.must(fmt.Errorf("device %d differs from device 0:\n%s", i, diff(want, got)))
		}
		var top []string
		for _, l := range []ranking.List{ranking.Prospects, ranking.Members} {
			three, err := d.r.TopThree(w.ctx, l, "en")
			w.must(err)
			for _, s := range three {
				top = append(top, fmt.Sprintf("%s %s %s %v %d", l, s.Step, s.Name, s.Reasons, s.EV))
			}
		}
		goals := habit(w, d.r)
		top = append(top, goals)
		if i == 0 {
			wantTop = top
		} else if !slices.Equal(top, wantTop) {
			w.must(fmt.Errorf("device %d suggests\n%s\ndevice 0\n%s", i, strings.Join(top, "\n"), strings.Join(wantTop, "\n")))
		}
		w.must(d.r.Rebuild(w.ctx))
		if got := dump(w, d.r); got != want {
			w.must(fmt.Errorf("device %d: rebuilt rows differ:\n%s", i, diff(want, got)))
		}
		if got := habit(w, d.r); got != goals {
			w.must(fmt.Errorf("device %d: goals were\n%s\nrebuilt\n%s", i, goals, got))
		}
	}
	w.checkEngine(want)
	if got, want := serverReads(w.ctx, w.store, first.id.Member, w.must), factsOf(want); got != want {
		w.must(fmt.Errorf("the server reads other facts than devices:\n%s", diff(want, got)))
	}
	if got, want := serverCounts(w.ctx, w.store, first.r, w.must), habitOf(w.ctx, first.r, w.must); got != want {
		w.must(fmt.Errorf("the server counts goals as\n%s\na device as\n%s", got, want))
	}

	// The feed: every action once, in the order of the cursor, whatever the size of a page.
	count := map[crdt.EntryID]int{}
	for cursor := ""; ; {
		rs, next, err := w.store.Feed(w.ctx, w.tenant, cursor, 1+w.rng.IntN(20))
		w.must(err)
		for _, r := range rs {
			count[r.Entry]++
			var e map[string]any
			w.must(json.Unmarshal([]byte(r.Body), &e))
		}
		if next == cursor {
			break
		}
		cursor = next
	}
	for id, n := range count {
		if n != 1 {
			w.must(fmt.Errorf("entry %s stands %d times in the feed", id, n))
		}
	}
	for id := range w.logged {
		if count[id] != 1 {
			w.must(fmt.Errorf("acknowledged action %s is not in the feed", id))
		}
	}
	if n := strings.Count("\n"+want, "\nentry "); n != len(count) {
		w.must(fmt.Errorf("devices hold %d entries, the feed %d", n, len(count)))
	}
	for _, c := range w.people {
		_, err := first.r.Contact(w.ctx, c)
		w.must(err)
	}
}

// checkEngine compares the rows with what the engine's own in-memory document makes of the same changes.
func (w *world) checkEngine(rows string) {
	heads, err := w.devs[0].r.Heads(w.ctx)
	w.must(err)
	registers := 0
	for name, hs := range heads {
		doc := automerge.NewDoc()
		w.must(w.devs[0].r.Changes(w.ctx, name, func(chunk []byte) error {
			c, err := automerge.ParseChange(chunk)
			if err != nil {
				return err
			}
			return doc.Apply(c)
		}))
		if !slices.Equal(doc.Heads(), hs) {
			w.must(fmt.Errorf("%s: heads of the rows differ from the engine's", name))
		}
		for _, key := range doc.Keys() {
			for _, e := range doc.Conflicts(key) {
				registers++
				line := fmt.Sprintf("register %s %s %d %X %d %d %X\n", name, key, e.ID.Counter, string(e.ID.Actor), e.Value.Kind, e.Value.Num, e.Value.Str)
				if !strings.Contains(rows, line) {
					w.must(fmt.Errorf("no row for the engine's value: %s", line))
				}
			}
		}
	}
	if n := strings.Count("\n"+rows, "\nregister "); n != registers {
		w.must(fmt.Errorf("%d registers in rows, %d in the engine", n, registers))
	}
}

// factsOf are the rows of a dump that ranking reads.
func factsOf(dump string) string {
	var rows []string
	for _, row := range strings.Split(dump, "\n") {
		if strings.HasPrefix(row, "facts ") {
			rows = append(rows, row)
		}
	}
	slices.Sort(rows)
	return strings.Join(rows, "\n")
}

// serverReads returns the same as the server reads it from its store, to learn from.
func serverReads(ctx context.Context, st *store.SQLite, m crdt.MemberID, must func(error)) string {
	var rows []string
	unread, err := learn.Read(ctx, st, m, func(p *learn.Person) error {
		rows = append(rows, fmt.Sprintf("facts %X %X", p.Facts.Contact, p.Encode()))
		return nil
	})
	must(err)
	if len(unread) > 0 {
		must(fmt.Errorf("the server cannot read %+v", unread))
	}
	slices.Sort(rows)
	return strings.Join(rows, "\n")
}

// habitOf is what a device shows of goals and of the badges that were given.
func habitOf(ctx context.Context, r *replica.Replica, must func(error)) string {
	h, err := r.Habit(ctx)
	must(err)
	return fmt.Sprintf("%+v\n%v", h.Habit, h.Held)
}

// serverCounts is the same as the server counts it from its store, for boards, after a sheet was kept and read again.
func serverCounts(ctx context.Context, st *store.SQLite, r *replica.Replica, must func(error)) string {
	h, err := r.Habit(ctx)
	must(err)
	made, _, err := board.ReadSheet(ctx, st, h.Rules, r.Member(), 0)
	must(err)
	s, err := board.DecodeSheet(made.Encode())
	must(err)
	if !slices.Equal(made.Days, s.Days) || !slices.Equal(made.Awards, s.Awards) {
		must(errors.New("a sheet that was kept is another one"))
	}
	is := s.Keeper(h.Rules).At(h.Now)
	held := slices.Clone(is.Awards)
	for _, a := range s.Awards {
		if !slices.ContainsFunc(held, func(o ranking.Award) bool { return o.Badge == a.Badge && o.Level == a.Level }) {
			held = append(held, a)
		}
	}
	slices.SortStableFunc(held, func(a, b ranking.Award) int {
		return cmp.Or(cmp.Compare(a.Day, b.Day), cmp.Compare(a.Badge, b.Badge), cmp.Compare(a.Level, b.Level))
	})
	return fmt.Sprintf("%+v\n%v", is, held)
}

func diff(a, b string) string {
	as, bs := strings.Split(a, "\n"), strings.Split(b, "\n")
	var out strings.Builder
	for _, x := range as {
		if !slices.Contains(bs, x) {
			fmt.Fprintln(&out, "-", x)
		}
	}
	for _, x := range bs {
		if !slices.Contains(as, x) {
			fmt.Fprintln(&out, "+", x)
		}
	}
	s := out.String()
	return s[:min(len(s), 4000)]
}
