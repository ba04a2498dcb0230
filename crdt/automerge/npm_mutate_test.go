package automerge_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"trio/crdt/automerge"
)

// TestNpmMutations changes honest changes at random. Most are refused then; what our checks still take, official engines
// must stand: they apply it, and what they save has the same heads when it is loaded.
func TestNpmMutations(t *testing.T) {
	child := startNpm(t)
	child.must(t, npmRequest{Cmd: "version"})
	histories := 25
	if testing.Short() {
		histories = 4
	}
	react := func([][]byte, []byte, bool) string { return "" }
	if referencePoison != nil {
		react = referencePoison(t)
	}
	taken, all := 0, 0
	for _, seed := range randomSeeds(histories) {
		if !t.Run(fmt.Sprint("seed=", seed), func(t *testing.T) {
			r := rand.New(rand.NewPCG(seed, 2))
			doc := nestedHistory(t, child, r)
			var changes []*automerge.Change
			for _, raw := range child.must(t, npmRequest{Cmd: "changes", Doc: doc}).Changes {
				changes = append(changes, must(automerge.ParseChange(raw))(t))
			}
			child.must(t, npmRequest{Cmd: "free", Doc: doc})
			for i := range changes {
				for range 8 {
					all++
					c := mutated(r, changes[:i], changes[i])
					chunk := automerge.Craft(c)
					if _, err := checkStranger(changes[:i], chunk); err != nil {
						continue
					}
					taken++
					var raw [][]byte
					for _, c := range changes[:i] {
						raw = append(raw, c.Raw())
					}
					if err := stands(child, append(raw, chunk)); err != nil {
						t.Fatalf("npm does not stand what we take: %v\nwas %+v\nis %+v", err, changes[i].Ops, c.Ops)
					}
					if got := react(raw, chunk, false); i > 0 && reactionOf(got) != healthy {
						t.Fatalf("automerge-go does not stand what we take: %s\nwas %+v\nis %+v", got, changes[i].Ops, c.Ops)
					}
				}
			}
		}) {
			return
		}
	}
	t.Logf("%d of %d mutations taken", taken, all)
}

// stands applies changes one by one, saves and loads.
func stands(child *npmChild, chunks [][]byte) error {
	a, err := child.call(npmRequest{Cmd: "new"})
	if err != nil {
		return err
	}
	for _, chunk := range chunks {
		if _, err := child.call(npmRequest{Cmd: "apply", Doc: a.Doc, Changes: [][]byte{chunk}}); err != nil {
			return err
		}
	}
	heads, err := child.call(npmRequest{Cmd: "heads", Doc: a.Doc})
	if err != nil {
		return err
	}
	saved, err := child.call(npmRequest{Cmd: "save", Doc: a.Doc})
	if err != nil {
		return err
	}
	b, err := child.call(npmRequest{Cmd: "load", Bytes: saved.Bytes})
	if err != nil {
		return err
	}
	again, err := child.call(npmRequest{Cmd: "heads", Doc: b.Doc})
	if err != nil {
		return err
	}
	if !slices.Equal(heads.Heads, again.Heads) {
		return errors.New("saved with other heads")
	}
	for _, doc := range []int{a.Doc, b.Doc} {
		if _, err := child.call(npmRequest{Cmd: "tree", Doc: doc}); err != nil {
			return err
		}
		if _, err := child.call(npmRequest{Cmd: "free", Doc: doc}); err != nil {
			return err
		}
	}
	return nil
}

// mutated returns c with one or two of its fields changed.
func mutated(r *rand.Rand, before []*automerge.Change, c *automerge.Change) *automerge.Change {
	m := &automerge.Change{
		Actor: c.Actor, Seq: c.Seq, StartOp: c.StartOp, Time: c.Time, Message: c.Message, Deps: slices.Clone(c.Deps), Ops: slices.Clone(c.Ops),
	}
	var known []automerge.OpID
	var similar []automerge.Op
	for _, b := range append(slices.Clone(before), c) {
		for i := range b.Ops {
			known = append(known, b.OpID(i))
			similar = append(similar, b.Ops[i])
		}
	}
	if len(m.Ops) == 0 {
		return m
	}
	for range 1 + r.IntN(2) {
		op := &m.Ops[r.IntN(len(m.Ops))]
		other, like := known[r.IntN(len(known))], similar[r.IntN(len(similar))]
		switch r.IntN(14) {
		case 0:
			op.Pred = nil
		case 1:
			op.Pred = append(slices.Clone(op.Pred), other)
			slices.SortFunc(op.Pred, automerge.OpID.Compare)
		case 2:
			op.Pred = like.Pred
		case 3:
			op.Pred = []automerge.OpID{other}
		case 4:
			op.Obj = other
		case 5:
			op.Obj = like.Obj
		case 6:
			op.Elem = other
		case 7:
			op.Elem, op.IsList, op.Key, op.Obj = like.Elem, like.IsList, like.Key, like.Obj
		case 8:
			op.Insert = !op.Insert
		case 9:
			op.Action = automerge.Action(r.IntN(8))
		case 10:
			op.Value = randomValue(r)
		case 11:
			op.Mark, op.Expand = like.Mark, like.Expand
		case 12:
			*op = like
		case 13:
			if len(m.Deps) > 0 {
				i := r.IntN(len(m.Deps))
				m.Deps = slices.Delete(m.Deps, i, i+1)
			}
		}
	}
	return m
}
