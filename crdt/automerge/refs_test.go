package automerge_test

import (
	"cmp"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"

	"trio/crdt/automerge"
)

// checkStranger is what a server does with a change from outside: all that official engines could not stand is refused. It
// is written for small documents; who keeps rows looks operations up.
func checkStranger(have []*automerge.Change, chunk []byte) (*automerge.Change, error) {
	c, err := automerge.ParseChange(chunk)
	if err != nil {
		return nil, err
	}
	if err := c.CheckStrict(); err != nil {
		return c, err
	}
	byHash := map[automerge.Hash]*automerge.Change{}
	var g automerge.Graph
	for _, h := range have {
		byHash[h.Hash()] = h
		if _, err := g.Add(h); err != nil {
			return c, err
		}
	}
	last := g.MaxOp()
	if ready, err := g.Add(c); err != nil || len(ready) == 0 {
		return c, cmp.Or(err, errWaits)
	}
	history := map[automerge.Hash]bool{}
	todo := slices.Clone(c.Deps)
	for len(todo) > 0 {
		h := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		if !history[h] {
			history[h] = true
			todo = append(todo, byHash[h].Deps...)
		}
	}
	found := map[automerge.OpID]*automerge.Op{}
	previous := c.Seq == 1
	for h := range history {
		b := byHash[h]
		previous = previous || b.Actor == c.Actor && b.Seq == c.Seq-1
		for i := range b.Ops {
			found[b.OpID(i)] = &b.Ops[i]
		}
	}
	if !previous {
		return c, errPrevious
	}
	return c, c.CheckRefs(last, func(id automerge.OpID) (*automerge.Op, bool) {
		op, ok := found[id]
		return op, ok
	})
}

var (
	errWaits    = errors.New("waits for what it depends on")
	errPrevious = errors.New("the writer's previous change is not in the history")
)

// strangers checks each change of an honest document on top of those before it.
func strangers(t *testing.T, changes []*automerge.Change) {
	t.Helper()
	for i, c := range changes {
		if _, err := checkStranger(changes[:i], c.Raw()); err != nil {
			t.Fatalf("an honest change is refused: %v\n%+v", err, c)
		}
	}
}

// TestCheckRefsEdges: the greatest counter leaves no gap, and what is not sealed is said to be that.
func TestCheckRefsEdges(t *testing.T) {
	c := &automerge.Change{Actor: "a", Seq: 1, StartOp: 2}
	if err := c.CheckStrict(); err == nil || !strings.Contains(err.Error(), "seal it first") {
		t.Error(err)
	}
	for last, want := range map[uint64]bool{0: false, 1: true, 2: true, math.MaxUint64: true} {
		if err := c.CheckRefs(last, nil); (err == nil) != want {
			t.Errorf("after %d: %v", last, err)
		}
	}
}

func TestCheckRefsLogEntry(t *testing.T) {
	// A new entry of a log names nothing: nobody is asked for anything.
	c := logDoc(t, 2).Changes()[1]
	if c.Refers() {
		t.Fatal("a log entry refers to something")
	}
	if err := c.CheckRefs(1, nil); err != nil {
		t.Error(err)
	}
	if err := c.CheckRefs(0, nil); err == nil {
		t.Error("a gap is taken")
	}
}

func BenchmarkCheckStranger(b *testing.B) {
	for name, d := range map[string]*automerge.Doc{"entry": logDoc(b, 2), "contact": contactsDoc(b, 2)} {
		raw := d.Changes()[1].Raw()
		last := d.Changes()[0].MaxOp()
		b.Run(name+"/parse", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := automerge.ParseChange(raw); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(name+"/parse+checks", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				c, err := automerge.ParseChange(raw)
				if err != nil {
					b.Fatal(err)
				}
				if err := c.CheckStrict(); err != nil {
					b.Fatal(err)
				}
				if err := c.CheckRefs(last, nil); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
