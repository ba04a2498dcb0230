package store

import (
	"errors"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"trio/crdt"
	"trio/crdt/automerge"
)

// A member with a device, and changes of its contacts written by hand.
type bench struct {
	*testing.T
	*SQLite
	member crdt.MemberID
	device crdt.DeviceID
}

func newBench(t *testing.T) *bench {
	ctx := t.Context()
	s, err := Open(ctx, Config{Path: filepath.Join(t.TempDir(), "trio.db")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	tenant, err := s.CreateTenant(ctx, "a company")
	if err != nil {
		t.Fatal(err)
	}
	m, err := s.CreateMember(ctx, Member{Tenant: tenant, Name: "a member"})
	if err != nil {
		t.Fatal(err)
	}
	d, _, err := s.CreateDevice(ctx, m, "a phone")
	if err != nil {
		t.Fatal(err)
	}
	return &bench{t, s, m, d.ID}
}

func (b *bench) item(writer uint32, seq, start uint64, ops []automerge.Op, deps ...automerge.Hash) Item {
	b.Helper()
	c := &automerge.Change{Actor: crdt.NewActor(b.device, writer), Seq: seq, StartOp: start, Time: 1, Deps: deps, Ops: ops}
	if err := c.Seal(); err != nil {
		b.Fatal(err)
	}
	return Item{Doc: crdt.ContactsDoc, Change: c}
}

func (b *bench) put(key string) []automerge.Op {
	return []automerge.Op{{Key: key, Action: automerge.Put, Value: automerge.Value{Kind: automerge.KindString, Str: "v"}}}
}

func (b *bench) push(items ...Item) {
	b.Helper()
	if ack, err := b.Append(b.Context(), b.member, items); err != nil || ack.New != len(items) {
		b.Fatal(ack, err)
	}
}

// A push that is run a second time, because its group failed for another's fault, is not refused for what nobody looked up.
func TestRunAgain(t *testing.T) {
	b := newBench(t)
	third := b.item(3, 1, 1, b.put("c")) // beside the others
	a1 := b.item(1, 1, 1, b.put("a"))
	b1 := b.item(2, 1, 2, b.put("b"), a1.Change.Hash())
	a2 := b.item(1, 2, 3, b.put("d"), b1.Change.Hash()) // names heads alone
	b.push(third, a1, b1)
	hold := make(chan struct{}) // so that the next two come into one group
	go func() { _ = b.do(t.Context(), 1, func(*writer) error { <-hold; return nil }) }()
	time.Sleep(50 * time.Millisecond)
	type result struct {
		ack Ack
		err error
	}
	got := make(chan result)
	go func() {
		ack, err := b.Append(t.Context(), b.member, []Item{a2})
		got <- result{ack, err}
	}()
	time.Sleep(50 * time.Millisecond)
	go func() { _ = b.do(t.Context(), 1, func(*writer) error { return errors.New("no room for this one") }) }()
	time.Sleep(50 * time.Millisecond)
	close(hold)
	if r := <-got; r.err != nil || r.ack.New != 1 {
		t.Fatalf("%+v %v", r.ack, r.err)
	}
}

// Changes of a hundred bytes and thousands of operations: no more of them are kept, or folded at once, than memory is meant
// for.
func TestOpenSegmentsAreBounded(t *testing.T) {
	if testing.Short() {
		t.Skip("what it measures is memory, which is another's under the race detector; without -short it runs")
	}
	b := newBench(t)
	list := b.item(1, 1, 1, []automerge.Op{{Key: "list", Action: automerge.MakeList}})
	b.push(list)
	last, start := list.Change.Hash(), uint64(2)
	for i := range 150 {
		ops := make([]automerge.Op, 16000)
		for j := range ops {
			ops[j] = automerge.Op{Obj: list.Change.OpID(0), IsList: true, Insert: true, Action: automerge.Put}
		}
		it := b.item(1, uint64(i+2), start, ops, last)
		last, start = it.Change.Hash(), start+uint64(len(ops))
		b.push(it)
	}
	for {
		n, err := b.Compact(t.Context(), b.member, 1)
		if err != nil {
			t.Fatal(err)
		}
		if n == 0 {
			break
		}
	}
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	for seq := uint64(1); seq <= 151; seq++ {
		if _, _, err := b.ReceiptAt(t.Context(), b.member, seq); err != nil {
			t.Fatal(err)
		}
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	if n := int64(after.HeapAlloc) - int64(before.HeapAlloc); n > 2*openBytes {
		t.Errorf("open segments hold %d MB", n>>20)
	}
	runtime.KeepAlive(b)
}
