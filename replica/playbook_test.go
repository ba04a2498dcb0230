package replica_test

import (
	"bytes"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"trio/crdt"
	"trio/crdt/wire"
	"trio/ranking"
	"trio/ranking/playbook"
	"trio/replica"
	"trio/replica/sql"
)

// texting is a playbook that has new contacts texted where ours has them called, whose goals give a day without grace, and whose metrics
// have other numbers than ours.
func texting(version uint32) *playbook.Doc {
	d := playbook.Default()
	d.Version, d.Name, d.Brand.Name = version, "Autumn", "Sol"
	d.Ranking.Rules[ranking.NewLead].Channels = 1 << ranking.Text
	d.Goals.GraceMinutes = 0
	d.Goals.Metrics[0], d.Goals.Metrics[1] = d.Goals.Metrics[1], d.Goals.Metrics[0]
	d, err := playbook.Parse(d.Encode())
	if err != nil {
		panic(err)
	}
	return d
}

// talk is a connection to a server that has nothing but playbooks.
func talk(t *testing.T, r *replica.Replica) (s *replica.Session, has wire.PlaybookID) {
	t.Helper()
	s = r.NewSession("test")
	b, err := s.Hello(t.Context())
	ok(t, err)
	f, err := wire.Decode(b)
	ok(t, err)
	st, err := r.Status(t.Context())
	ok(t, err)
	_, err = s.Receive(t.Context(), frameOf(t, &wire.Welcome{Version: 3, Head: st.Receipt}))
	ok(t, err)
	return s, f.(*wire.Hello).Playbook
}

func frameOf(t *testing.T, f wire.Frame) []byte {
	t.Helper()
	b, err := wire.Encode(f)
	ok(t, err)
	return b
}

func published(d *playbook.Doc) *wire.Playbook {
	return &wire.Playbook{Version: d.Version, Doc: d.Encode()}
}

func steps(t *testing.T, r *replica.Replica) string {
	t.Helper()
	var b strings.Builder
	for _, l := range []ranking.List{ranking.Prospects, ranking.Members} {
		top, err := r.TopThree(t.Context(), l, "en")
		ok(t, err)
		for _, s := range top {
			fmt.Fprintf(&b, "%s by %d\n", s.Step, s.Playbook)
		}
	}
	return b.String()
}

func TestPlaybookIsUsedAsItComes(t *testing.T) {
	ctx := t.Context()
	c := &clock{noon}
	path := filepath.Join(t.TempDir(), "r.db")
	r := open(t, replica.Config{Path: path, Now: c.now})
	twin := texting(5) // what counts with the company's rules from the first
	r2 := open(t, replica.Config{Now: c.now, Member: r.Member(), Device: crdt.DeviceID{2}, Playbook: twin})
	for i := range 6 {
		f := replica.Fields{crdt.FieldName: fmt.Sprint("Ana ", i), crdt.FieldPhone + fmt.Sprint("+3460000000", i): "mobile"}
		id, err := r.AddContact(ctx, f)
		ok(t, err)
		for day := range 4 {
			c.t = noon.Add(time.Duration(day-5)*24*time.Hour + 13*time.Hour) // one in the morning, within the grace
			_, err := r.Log(ctx, crdt.Entry{Kind: crdt.Call, Contact: id, Outcome: "answered"})
			ok(t, err)
		}
	}
	for i := range 3 { // to be suggested
		_, err := r.AddContact(ctx, replica.Fields{crdt.FieldName: fmt.Sprint("Bea ", i), crdt.FieldPhone + fmt.Sprint("+3461000000", i): "mobile"})
		ok(t, err)
	}
	ok(t, r.SetGoal(ctx, "outreach", "2026-11-01", 2))
	ok(t, r.SetGoal(ctx, "followup", "2026-11-01", 3))
	c.t = noon
	before, built := steps(t, r), playbook.Default().Version
	if !strings.Contains(before, "Call Bea") || strings.Contains(before, "Text") {
		t.Fatalf("at first:\n%s", before)
	}
	st, err := r.Status(ctx)
	ok(t, err)
	if st.Playbook.Version != 0 || st.Playbook.Name == "" {
		t.Errorf("at first: %+v", st.Playbook)
	}
	facts := dump(t, r)

	changed, stop := r.Watch()
	defer stop()
	for len(changed) > 0 {
		<-changed
	}
	s, has := talk(t, r)
	if has != (wire.PlaybookID{}) {
		t.Errorf("a device without one says that it holds %+v", has)
	}
	_, err = s.Receive(ctx, frameOf(t, published(twin)))
	ok(t, err)
	select {
	case <-changed:
	default:
		t.Error("nobody is told")
	}
	after := strings.ReplaceAll(before, "Call Bea", "Text Bea")
	if after = strings.ReplaceAll(after, fmt.Sprintf("by %d", built), "by 5"); steps(t, r) != after {
		t.Errorf("the three are\n%swant\n%s", steps(t, r), after)
	}
	st, err = r.Status(ctx)
	ok(t, err)
	if want := (replica.PlaybookStatus{Version: 5, Name: "Autumn", Brand: "Sol", Since: st.Playbook.Since}); st.Playbook != want || st.Playbook.Since.IsZero() {
		t.Errorf("status %+v", st.Playbook)
	}
	o := order{clock: c}
	ok(t, o.sync(r))
	ok(t, o.sync(r2))
	same := func(when string, a, b *replica.Replica) {
		t.Helper()
		x, err := a.Habit(ctx)
		ok(t, err)
		y, err := b.Habit(ctx)
		ok(t, err)
		if fmt.Sprintf("%+v", x.Habit) != fmt.Sprintf("%+v", y.Habit) || fmt.Sprintf("%+v", x.Rules) != fmt.Sprintf("%+v", y.Rules) {
			t.Errorf("%s goals are %+v, want %+v", when, x.Habit, y.Habit)
		}
		if a, b := dump(t, a), dump(t, b); a != b {
			t.Errorf("%s rows are\n%s\nwant\n%s", when, a, b)
		}
	}
	same("come later,", r, r2)
	before, _, _ = strings.Cut(facts, "goal")
	if now := dump(t, r); !strings.HasPrefix(now, before) || before == "" {
		t.Error("what is no goal has changed")
	}

	// What is written by a suggestion has the version that it was made by, whatever came meanwhile.
	top, err := r.TopThree(ctx, ranking.Prospects, "en")
	ok(t, err)
	next := texting(6)
	next.Goals.GoodWeek++ // counts the same, and says something else
	for range 2 {
		_, err = s.Receive(ctx, frameOf(t, published(next)))
		ok(t, err)
	}
	act, err := r.Act(ctx, top[0], ranking.NoOutcome)
	ok(t, err)
	line, err := r.Timeline(ctx, top[0].Contact, 1)
	ok(t, err)
	if line[0].Playbook != 5 {
		t.Errorf("entry %s was logged by %+v", act, line[0])
	}
	r3 := open(t, replica.Config{Now: c.now, Member: r.Member(), Device: crdt.DeviceID{3}, Playbook: next})
	ok(t, o.sync(r))
	ok(t, o.sync(r3))
	same("counted the same,", r, r3)
	ok(t, r.Commit(ctx, "outreach", 4))

	// Opened again it is the same; an older one is not taken, nor one that says of itself that it is another.
	ok(t, r.Close())
	r = open(t, replica.Config{Path: path, Now: c.now, Member: r.Member(), Device: r.Device()})
	ok(t, o.sync(r))
	ok(t, o.sync(r3))
	same("opened again,", r, r3)
	s, has = talk(t, r)
	if has != published(next).ID() {
		t.Errorf("opened again it says that it holds %+v", has)
	}
	_, err = s.Receive(ctx, frameOf(t, published(texting(5))))
	ok(t, err)
	if v := r.Playbook().Version; v != 6 {
		t.Errorf("an older playbook, %d, takes the place of 6", v)
	}

	// Another one of the same number is the server's after a backup was put back there: it is what others get.
	again := texting(6)
	again.Name = "Winter"
	_, err = s.Receive(ctx, frameOf(t, published(again)))
	ok(t, err)
	if d := r.Playbook(); d.Name != "Winter" {
		t.Errorf("the playbook is %q", d.Name)
	}
}

func TestPlaybookThatCannotBeRead(t *testing.T) {
	ctx := t.Context()
	path := filepath.Join(t.TempDir(), "r.db")
	r := open(t, replica.Config{Path: path})
	cfg := replica.Config{Path: path, Member: r.Member(), Device: r.Device()}
	s, _ := talk(t, r)
	good := texting(5)
	_, err := s.Receive(ctx, frameOf(t, published(good)))
	ok(t, err)
	kept := &wire.Playbook{Version: 9, Doc: bytes.Replace(texting(9).Encode(), []byte(`"format": 1`), []byte(`"format": 77`), 1)}
	_, err = s.Receive(ctx, frameOf(t, kept))
	ok(t, err)
	is := func(when string, version, newer uint32, has wire.PlaybookID) {
		t.Helper()
		st, err := r.Status(ctx)
		ok(t, err)
		if st.Playbook.Version != version || st.Playbook.Newer != newer || (st.Playbook.Why == "") != (newer == 0) || version > 0 && r.Playbook().Version != version {
			t.Errorf("%s it is %+v", when, st.Playbook)
		}
		if _, got := talk(t, r); got != has {
			t.Errorf("%s the server is told of %d %x", when, got.Version, got.Hash[:4])
		}
	}
	is("kept apart,", 5, 9, kept.ID())
	_, err = s.Receive(ctx, frameOf(t, &wire.Playbook{Version: 5, Doc: []byte("{}")}))
	ok(t, err)
	is("with nonsense in its place,", 5, 9, kept.ID())
	ok(t, r.Close())
	r = open(t, cfg)
	is("opened again,", 5, 9, kept.ID())

	// A build that can read it uses it: here its bytes are exchanged for such.
	raw := func(q string, args ...any) {
		t.Helper()
		ok(t, r.Close())
		db, err := sql.Open(path)
		ok(t, err)
		_, err = db.ExecContext(ctx, q, args...)
		ok(t, err)
		ok(t, db.Close())
		r = open(t, cfg)
	}
	raw(`UPDATE playbooks SET frame=? WHERE version=9`, frameOf(t, published(texting(9))))
	is("read by a newer build,", 9, 0, published(texting(9)).ID())
	raw(`UPDATE playbooks SET frame=substr(frame, 1, 60) WHERE version=9`)
	is("damaged on the disk,", 5, 0, published(good).ID())
	raw(`DELETE FROM playbooks`)
	is("lost,", 0, 0, wire.PlaybookID{})

	// Between two that can be read nothing is left of one that could not.
	s, _ = talk(t, r)
	for _, f := range []*wire.Playbook{kept, published(texting(10))} {
		_, err = s.Receive(ctx, frameOf(t, f))
		ok(t, err)
	}
	is("with a later one,", 10, 0, published(texting(10)).ID())
	lies := published(texting(12))
	lies.Version = 11
	_, err = s.Receive(ctx, frameOf(t, lies))
	ok(t, err)
	is("sent one that says that it is another,", 10, 11, lies.ID())

	// Damaged on the way it ends the connection, and nothing is taken.
	b := frameOf(t, published(texting(13)))
	b[len(b)-9] ^= 4
	if _, err := s.Receive(ctx, b); err == nil {
		t.Error("a damaged frame is taken")
	}
	is("after a damaged one,", 10, 11, lies.ID())
}

// Level waits for the playbook that the server has said it has.
func TestLevelWaitsForThePlaybook(t *testing.T) {
	ctx := t.Context()
	r := open(t, replica.Config{})
	s := r.NewSession("test")
	_, err := s.Hello(ctx)
	ok(t, err)
	_, err = s.Receive(ctx, frameOf(t, &wire.Welcome{Version: 3, Now: time.Now().UnixMilli(), Playbook: 5}))
	ok(t, err)
	if level, err := s.Level(ctx); level || err != nil {
		t.Errorf("level before the playbook has come: %v %v", level, err)
	}
	_, err = s.Receive(ctx, frameOf(t, published(texting(5))))
	ok(t, err)
	if level, err := s.Level(ctx); !level || err != nil {
		t.Errorf("level after: %v %v", level, err)
	}
}

// An older build that is put back, and cannot read the newest playbook, goes by the company's last that it can read.
func TestAnOlderBuildGoesByThePlaybookBefore(t *testing.T) {
	ctx := t.Context()
	path := filepath.Join(t.TempDir(), "r.db")
	r := open(t, replica.Config{Path: path})
	cfg := replica.Config{Path: path, Member: r.Member(), Device: r.Device()}
	s, _ := talk(t, r)
	for _, v := range []uint32{5, 7, 9} {
		_, err := s.Receive(ctx, frameOf(t, published(texting(v))))
		ok(t, err)
	}
	ok(t, r.Close())
	db, err := sql.Open(path)
	ok(t, err)
	var n int
	ok(t, db.QueryRowContext(ctx, `SELECT count(*) FROM playbooks`).Scan(&n))
	if n != 2 {
		t.Errorf("%d playbooks are kept, want the newest and the one before", n)
	}
	doc := bytes.Replace(texting(9).Encode(), []byte(`"format": 1`), []byte(`"format": 2`), 1) // what the older build does not know
	_, err = db.ExecContext(ctx, `UPDATE playbooks SET frame=? WHERE version=9`, frameOf(t, &wire.Playbook{Version: 9, Doc: doc}))
	ok(t, err)
	ok(t, db.Close())
	r = open(t, cfg)
	st, err := r.Status(ctx)
	ok(t, err)
	if st.Playbook.Version != 7 || st.Playbook.Newer != 9 || st.Playbook.Why == "" {
		t.Errorf("the older build goes by %+v, want version 7 and to know of 9", st.Playbook)
	}
}
