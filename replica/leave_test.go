package replica_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"trio/crdt"
	"trio/crdt/automerge"
	"trio/crdt/wire"
	"trio/ranking"
	"trio/replica"
	"trio/replica/sql"
)

// farewell is a server that tells a device to leave, and keeps what it sends.
type farewell struct {
	kept      map[automerge.Hash]bool
	hello     *wire.Hello
	reconcile bool
	answer    func(*wire.Push) wire.Frame // nil: everything is kept
}

// meet runs one connection; left says whether the device said that it is empty.
func (f *farewell) meet(r *replica.Replica) (left bool, err error) {
	ctx := context.Background()
	s := r.NewSession("test")
	b, err := s.Hello(ctx)
	if err != nil {
		return false, err
	}
	got, err := wire.Decode(b)
	if err != nil {
		return false, err
	}
	f.hello = got.(*wire.Hello)
	if f.kept == nil {
		f.kept = map[automerge.Hash]bool{}
	}
	frame := wire.Frame(&wire.Welcome{Version: wire.Version, Now: noon.UnixMilli(), Leave: true, Reconcile: f.reconcile})
	for frame != nil {
		b, err := wire.Encode(frame)
		if err != nil {
			return false, err
		}
		up, err := s.Receive(ctx, b)
		if err != nil {
			return false, err
		}
		if b, err = s.Next(ctx); err != nil {
			return false, err
		} else if b != nil {
			up = append(up, b)
		}
		if level, err := s.Level(ctx); level || err != nil {
			return false, fmt.Errorf("a device that leaves is level: %v, %w", level, err)
		}
		frame = nil
		for _, b := range up {
			got, err := wire.Decode(b)
			if err != nil {
				return false, err
			}
			switch got := got.(type) {
			case *wire.Left:
				left = true
			case *wire.Push:
				if left || frame != nil {
					return false, fmt.Errorf("a push too many")
				}
				frame = &wire.Answer{ID: got.ID}
				if f.answer != nil {
					frame = f.answer(got)
				}
				if a, ok := frame.(*wire.Answer); ok && len(a.Refused) == 0 {
					for _, it := range got.Items {
						f.kept[it.Change.Hash()] = true
					}
				}
			default:
				return false, fmt.Errorf("%T from a device that leaves", got)
			}
		}
	}
	return left, nil
}

// legible reports which file of a database has a text in it.
func legible(t *testing.T, path, text string) (in []string) {
	t.Helper()
	files, err := filepath.Glob(path + "*")
	ok(t, err)
	for _, name := range files {
		b, err := os.ReadFile(name)
		ok(t, err)
		if bytes.Contains(b, []byte(text)) {
			in = append(in, filepath.Base(name))
		}
	}
	return in
}

// gone checks that a device left: it opens, says so, and nothing of the member is on it.
func gone(t *testing.T, r *replica.Replica) {
	t.Helper()
	ctx := t.Context()
	st := status(t, r)
	if !st.Left.Equal(noon) || st.Changes != 0 || st.Unsent != 0 || st.Receipt != (wire.Receipt{}) {
		t.Errorf("status of a device that left: %+v", st)
	}
	for what, call := range map[string]func() error{
		"contacts":  func() error { _, err := r.Contacts(ctx, "", 0, 10); return err },
		"contact":   func() error { _, err := r.Contact(ctx, crdt.NewContactID()); return err },
		"timeline":  func() error { _, err := r.Timeline(ctx, crdt.NewContactID(), 10); return err },
		"goals":     func() error { _, err := r.GoalsToday(ctx); return err },
		"top three": func() error { _, err := r.TopThree(ctx, ranking.Prospects, "en"); return err },
		"profile":   func() error { _, err := r.Profile(ctx, crdt.ProfileName); return err },
		"unsent":    func() error { _, err := r.Unsent(ctx); return err },
		"count":     func() error { _, err := r.UnsentCount(ctx); return err },
		"merges":    func() error { _, err := r.Merges(ctx, 10); return err },
		"heads":     func() error { _, err := r.Heads(ctx); return err },
		"dump":      func() error { return r.Dump(ctx, &strings.Builder{}) },
		"changes":   func() error { return r.Changes(ctx, crdt.ContactsDoc, func([]byte) error { return nil }) },
		"add":       func() error { _, err := r.AddContact(ctx, replica.Fields{crdt.FieldName: "Ben"}); return err },
		"log":       func() error { _, err := r.Log(ctx, crdt.Entry{Kind: crdt.Share}); return err },
		"name":      func() error { return r.SetProfile(ctx, crdt.ProfileName, "Maya") },
		"rebuild":   func() error { return r.Rebuild(ctx) },
	} {
		if err := call(); !errors.Is(err, replica.ErrLeft) || !strings.Contains(err.Error(), "taken back on "+noon.Local().Format(time.DateOnly)+"; it is empty") {
			t.Errorf("%s: %v", what, err)
		}
	}
	if n, err := r.Compact(ctx); n != 0 || err != nil {
		t.Errorf("folding: %d, %v", n, err)
	}
}

// TestLeave: a device whose access was taken back sends all that is only on it: what was never sent, what was refused
// for now and what was set aside. Until all of that is kept nothing is removed; then nothing legible is left.
func TestLeave(t *testing.T) {
	ctx := t.Context()
	path := filepath.Join(t.TempDir(), "replica.db")
	c := &clock{noon}
	r := open(t, replica.Config{Path: path, Now: c.now, FoldAt: 10})
	var o order
	day(t, r, 40)
	ok(t, o.sync(r))
	if n, err := r.Compact(ctx); n == 0 || err != nil {
		t.Fatal(n, err)
	}
	var only []automerge.Hash // what is nowhere else
	refused := func(name string, code wire.Code) {
		_, err := r.AddContact(ctx, replica.Fields{crdt.FieldName: name})
		ok(t, err)
		s := r.NewSession("test")
		_, err = s.Hello(ctx)
		ok(t, err)
		b, err := wire.Encode(&wire.Welcome{Version: 1, Now: c.t.UnixMilli()})
		ok(t, err)
		_, err = s.Receive(ctx, b)
		ok(t, err)
		b, err = s.Next(ctx)
		ok(t, err)
		f, err := wire.Decode(b)
		ok(t, err)
		a := &wire.Answer{ID: f.(*wire.Push).ID}
		for _, it := range f.(*wire.Push).Items {
			a.Refused = append(a.Refused, wire.Refusal{Hash: it.Change.Hash(), Code: code, Text: "no"})
		}
		last := a.Refused[len(a.Refused)-1].Hash
		only = append(only, last)
		b, err = wire.Encode(a)
		ok(t, err)
		_, err = s.Receive(ctx, b)
		ok(t, err)
	}
	refused("Secretive Setaside", wire.CodeInvalid)
	refused("Secretive Refused", wire.CodeActor)
	for i := range 1100 { // more than one push
		_, err := r.AddContact(ctx, replica.Fields{crdt.FieldName: fmt.Sprint("Secretive Ana ", i)})
		ok(t, err)
	}
	unsent := status(t, r).Unsent
	if unsent != 1102 {
		t.Fatalf("%d changes are only here", unsent)
	}

	before := dump(t, r)
	stays := func(why string, f *farewell) {
		t.Helper()
		left, err := f.meet(r)
		if left || err == nil {
			t.Errorf("%s: left %v, %v", why, left, err)
		}
		if dump(t, r) != before || status(t, r).Unsent != unsent {
			t.Errorf("%s: something was removed", why)
		}
	}
	n := 0
	stays("quota", &farewell{answer: func(p *wire.Push) wire.Frame {
		if n++; n < 2 {
			return &wire.Answer{ID: p.ID}
		}
		return &wire.Error{Code: wire.CodeFull, Text: "quota is used up"}
	}})
	stays("one refused", &farewell{answer: func(p *wire.Push) wire.Frame {
		return &wire.Answer{ID: p.ID, Refused: []wire.Refusal{{Hash: p.Items[0].Change.Hash(), Code: wire.CodeInvalid, Text: "no"}}}
	}})

	late := false
	f := &farewell{}
	f.answer = func(p *wire.Push) wire.Frame {
		if !late { // a tap while the device leaves
			late = true
			_, err := r.Log(ctx, crdt.Entry{Kind: crdt.Share})
			ok(t, err)
		}
		return &wire.Answer{ID: p.ID}
	}
	left, err := f.meet(r)
	if !left || err != nil || len(f.kept) != unsent+1 {
		t.Fatalf("left %v with %d of %d kept: %v", left, len(f.kept), unsent+1, err)
	}
	if f.hello.Pending != uint64(unsent) {
		t.Errorf("hello says %d pending", f.hello.Pending)
	}
	for _, h := range only {
		if !f.kept[h] {
			t.Errorf("change %s is lost", h)
		}
	}
	gone(t, r)
	if in := legible(t, path, "Secretive"); in != nil {
		t.Errorf("names are still in %q", in)
	}
	// The server did not hear it, say.
	again := &farewell{}
	if left, err := again.meet(r); !left || err != nil || len(again.kept) != 0 {
		t.Errorf("a second time: left %v, %d sent, %v", left, len(again.kept), err)
	}
	ok(t, r.Close())
	r = open(t, replica.Config{Path: path, Member: r.Member(), Device: r.Device(), Now: c.now})
	gone(t, r)
	if left, err := again.meet(r); !left || err != nil || len(again.kept) != 0 {
		t.Errorf("opened again: left %v, %d sent, %v", left, len(again.kept), err)
	}
}

// A receipt that proves nothing is none: the server was put back, and may not have what it had confirmed.
func TestLeaveAServerThatWasPutBack(t *testing.T) {
	r := open(t, replica.Config{FoldAt: 10, Now: (&clock{noon}).now})
	var o order
	day(t, r, 40)
	ok(t, o.sync(r))
	if n, err := r.Compact(t.Context()); n == 0 || err != nil {
		t.Fatal(n, err)
	}
	day(t, r, 3)
	all := status(t, r).Changes
	f := &farewell{reconcile: true}
	if left, err := f.meet(r); !left || err != nil || len(f.kept) != all {
		t.Errorf("left %v, %d of %d kept, %v", left, len(f.kept), all, err)
	}
	gone(t, r)
}

// Two connections of one device may be told to leave at the same time: one empties it, both say so. One that was not told
// ends, and the clock that dates it is the server's, however wrong the device's is.
func TestLeaveByTwoConnections(t *testing.T) {
	ctx := t.Context()
	c := &clock{noon.AddDate(-30, 0, 0)}
	r := open(t, replica.Config{Now: c.now})
	day(t, r, 3)
	receive := func(s *replica.Session, f wire.Frame) [][]byte {
		t.Helper()
		b, err := wire.Encode(f)
		ok(t, err)
		up, err := s.Receive(ctx, b)
		ok(t, err)
		return up
	}
	var ss []*replica.Session
	for i := range 3 {
		s := r.NewSession("test")
		_, err := s.Hello(ctx)
		ok(t, err)
		receive(s, &wire.Welcome{Version: wire.Version, Now: noon.UnixMilli(), Leave: i < 2})
		b, err := s.Next(ctx)
		ok(t, err)
		if b == nil {
			t.Fatal("nothing is pushed")
		}
		ss = append(ss, s)
	}
	for i, s := range ss[:2] {
		if up := receive(s, &wire.Answer{ID: 1}); len(up) != 1 || len(up[0]) != 1 {
			t.Errorf("connection %d sends %x, want that it left", i, up)
		}
		if b, err := s.Next(ctx); b != nil || err != nil {
			t.Errorf("connection %d goes on: %x, %v", i, b, err)
		}
	}
	gone(t, r)
	b, err := wire.Encode(&wire.Answer{ID: 1})
	ok(t, err)
	if _, err := ss[2].Receive(ctx, b); !errors.Is(err, replica.ErrLeft) {
		t.Errorf("a connection that was not told ends with %v", err)
	}
}

// TestKilledWhileLeaving has the device die at every point of emptying itself: what is left is a whole device or an empty
// one, and an empty one holds nothing legible once it is opened.
func TestKilledWhileLeaving(t *testing.T) {
	if runtime.GOOS == "js" {
		t.Skip("one connection has the files for itself there: no reader can keep the log of writes")
	}
	ctx := t.Context()
	dir := t.TempDir()
	path := filepath.Join(dir, "replica.db")
	c := &clock{noon}
	r := open(t, replica.Config{Path: path, Now: c.now})
	const name = "Secretive Ana"
	for range 60 {
		_, err := r.AddContact(ctx, replica.Fields{crdt.FieldName: name, crdt.FieldNote: strings.Repeat("x", 500)})
		ok(t, err)
	}
	// A reader has the log of writes stay: the files are as after a kill between the steps.
	db, err := sql.Open(path)
	ok(t, err)
	defer db.Close() //nolint:errcheck // it only read
	rows, err := db.QueryContext(ctx, `SELECT id FROM changes`)
	ok(t, err)
	defer rows.Close()
	if !rows.Next() {
		t.Fatal("nothing is there")
	}
	f := &farewell{}
	if left, err := f.meet(r); left || err == nil || len(f.kept) != 60 {
		t.Fatalf("left %v although its files are in use, %d kept, %v", left, len(f.kept), err)
	}
	gone(t, r)
	main, err := os.ReadFile(path)
	ok(t, err)
	wal, err := os.ReadFile(path + "-wal")
	ok(t, err)
	if !bytes.Contains(wal, []byte(name)) {
		t.Fatal("nothing is legible in what a kill leaves: the test shows nothing")
	}
	ok(t, rows.Close())
	if left, err := f.meet(r); !left || err != nil {
		t.Errorf("later: left %v, %v", left, err)
	}
	if in := legible(t, path, name); in != nil {
		t.Errorf("names are still in %q", in)
	}

	whole, empty := 0, 0
	const frame = 24 + 4096
	step := frame * 7 / 5
	if testing.Short() {
		step *= 3
	}
	for cut := len(wal); cut > 0; cut -= step {
		p := filepath.Join(dir, fmt.Sprintf("cut-%d.db", cut))
		ok(t, os.WriteFile(p, main, 0o600))
		ok(t, os.WriteFile(p+"-wal", wal[:cut], 0o600))
		if whole > 3 {
			break // of taps, which other tests cut
		}
		x, err := replica.Open(ctx, replica.Config{Path: p, Member: r.Member(), Device: r.Device(), Now: c.now})
		if err != nil {
			t.Fatalf("cut at %d: %v", cut, err)
		}
		if st := status(t, x); st.Left.IsZero() {
			whole++
			if st.Changes != st.Unsent {
				t.Errorf("cut at %d: %+v", cut, st)
			}
		} else {
			empty++
			gone(t, x)
		}
		again := &farewell{}
		n := status(t, x).Unsent
		if left, err := again.meet(x); !left || err != nil || len(again.kept) != n {
			t.Errorf("cut at %d: left %v, %d of %d kept, %v", cut, left, len(again.kept), n, err)
		}
		if in := legible(t, p, name); in != nil {
			t.Errorf("cut at %d: names are still in %q", cut, in)
		}
		ok(t, x.Close())
	}
	if whole == 0 || empty == 0 {
		t.Errorf("%d cuts left a whole device, %d an empty one", whole, empty)
	}
}
