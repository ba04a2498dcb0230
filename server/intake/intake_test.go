package intake

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"trio/crdt"
	"trio/crdt/automerge"
	"trio/crdt/wire"
)

// carried says what is wrong when a change that intake takes has no frame that brings it to a device.
func carried(it wire.Item) error {
	b, err := wire.Encode(&wire.Changes{To: wire.Receipt{Seq: 1}, Held: []bool{false}, Items: []wire.Item{it}})
	if err != nil {
		return err
	}
	f, err := wire.Decode(b)
	if err != nil {
		return err
	}
	if h := f.(*wire.Changes).Items[0].Change.Hash(); h != it.Change.Hash() {
		return fmt.Errorf("change %s came as %s", it.Change.Hash(), h)
	}
	_, err = wire.NewSegment(wire.Receipt{}, []wire.Item{it})
	return err
}

func text(s string) automerge.Value {
	return automerge.Value{Kind: automerge.KindString, Str: s}
}

// TestWhatIsTakenIsCarried: a change that no frame carries would keep a member's devices from all that comes after it.
func TestWhatIsTakenIsCarried(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 1))
	noise := func(n int, few bool) string {
		b := make([]byte, n)
		for i := range b {
			if b[i] = byte(rnd.IntN(128)); few {
				b[i] %= 5 // the bytes that a bundle writes as two
			}
		}
		return string(b)
	}
	puts := func(n int, key func(int) string, value string) (ops []automerge.Op) {
		for i := range n {
			ops = append(ops, automerge.Op{Key: key(i), Action: automerge.Put, Value: text(value)})
		}
		return ops
	}
	same := func(s string) func(int) string { return func(int) string { return s } }
	overwrites := func(n int) (ops []automerge.Op) {
		for i := range n {
			op := automerge.Op{Key: "k", Action: automerge.Put, Value: automerge.Value{Kind: automerge.KindInt, Num: rnd.Int64()}}
			if i > 0 {
				op.Pred = []automerge.OpID{{Counter: 1<<30 + uint64(i) - 1, Actor: "a"}}
			}
			ops = append(ops, op)
		}
		return ops
	}
	for _, x := range []struct {
		name string
		ops  []automerge.Op
		take bool
	}{
		{"largest text", puts(1, same("k"), noise(wire.MaxChange-200, false)), true},
		{"largest text of bytes that take two", puts(1, same("k"), noise(wire.MaxChange-200, true)), true},
		{"largest text that is all the same", puts(1, same("k"), strings.Repeat("\x00", wire.MaxChange-200)), true},
		{"larger text", puts(1, same("k"), strings.Repeat("x", wire.MaxChange)), false},
		{"largest key", puts(1, same(noise(64<<10, true)), "v"), true},
		{"many keys", puts(60_000, func(i int) string { return fmt.Sprint(i) }, "v"), true},
		{
			// A key that stands once in the chunk and many times in a frame, beside a value that takes twice its bytes there.
			"a long key again and again", append(puts(1, same("v"), strings.Repeat("\x00", wire.MaxChange-3000)),
				func() (ops []automerge.Op) {
					key := strings.Repeat("\x00", 1000)
					for range 1000 {
						ops = append(ops, automerge.Op{Key: key, Action: automerge.Increment, Value: automerge.Value{Kind: automerge.KindInt}})
					}
					return ops
				}()...), true,
		},
		{"most overwrites", overwrites(90_000), true},
		{"more rows", overwrites(wire.MaxRows/2 + 1), false},
	} {
		t.Run(x.name, func(t *testing.T) {
			c := &automerge.Change{Actor: "a", Seq: 1, StartOp: 1 << 30, Ops: x.ops}
			if err := c.Seal(); err != nil {
				t.Fatal(err)
			}
			it := wire.Item{Doc: crdt.ContactsDoc, Change: c}
			_, refused := Item(crdt.MemberID{1}, crdt.DeviceID{2}, it)
			if refused == nil {
				if err := carried(it); err != nil {
					t.Fatalf("%d bytes were taken and have no frame: %v", c.Len(), err)
				}
			}
			switch {
			case x.take != (refused == nil):
				t.Fatalf("%d bytes: refused %v, want it taken: %v", c.Len(), refused, x.take)
			case refused != nil && (refused.Code != wire.CodeInvalid || !refused.Code.Final() || !strings.Contains(refused.Text, "write less at once")):
				t.Errorf("refused with %v", refused)
			}
		})
	}
}

// FuzzItem: whatever the open door can be brought is refused or has a frame.
func FuzzItem(f *testing.F) {
	for _, ops := range [][]automerge.Op{
		{{Key: "k", Action: automerge.Put, Value: text("v")}},
		{{Key: "k", Action: automerge.MakeText}},
		nil,
	} {
		c := &automerge.Change{Actor: "a", Seq: 1, StartOp: 1, Ops: ops}
		if err := c.Seal(); err != nil {
			f.Fatal(err)
		}
		f.Add(c.Raw())
	}
	f.Fuzz(func(t *testing.T, chunk []byte) {
		c, err := automerge.ParseChangeLimit(chunk, automerge.DefaultSyncOps)
		if err != nil {
			return
		}
		it := wire.Item{Doc: crdt.ContactsDoc, Change: c}
		if _, refused := Item(crdt.MemberID{1}, crdt.DeviceID{2}, it); refused != nil {
			return
		}
		if err := carried(it); err != nil {
			t.Fatal(err)
		}
	})
}
