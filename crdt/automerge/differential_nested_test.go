//go:build cgo

package automerge_test

import (
	"encoding/hex"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	reference "github.com/automerge/automerge-go"

	"trio/crdt/automerge"
)

// place is what an operation works on: a key of a map or an element of a list.
type place struct {
	obj  automerge.OpID
	key  string
	elem automerge.OpID
}

// author writes whatever the format has, nested and marked, straight into changes: what Doc does not write.
type author struct {
	actor   automerge.ActorID
	graph   automerge.Graph
	changes []*automerge.Change
	visible map[place][]automerge.Entry
	places  []place // all that there ever were, in the order in which they were made
	objects []automerge.Entry
	elems   map[automerge.OpID][]automerge.OpID // of each list
}

func newAuthor(actor automerge.ActorID) *author {
	return &author{
		actor: actor, visible: map[place][]automerge.Entry{}, elems: map[automerge.OpID][]automerge.OpID{},
		objects: []automerge.Entry{{Action: automerge.MakeMap}},
	}
}

func (a *author) op(id automerge.OpID, op *automerge.Op) {
	p := place{op.Obj, op.Key, op.Elem}
	if op.Insert {
		p.elem = id
		a.elems[op.Obj] = append(a.elems[op.Obj], id)
	}
	if op.Action == automerge.Mark {
		return
	}
	if _, ok := a.visible[p]; !ok {
		a.places = append(a.places, p)
	}
	a.visible[p] = automerge.ApplyOp(a.visible[p], id, op)
	switch op.Action {
	case automerge.MakeMap, automerge.MakeList, automerge.MakeText, automerge.MakeTable:
		a.objects = append(a.objects, automerge.Entry{ID: id, Action: op.Action})
	}
}

func (a *author) apply(tb testing.TB, changes ...*automerge.Change) {
	for _, c := range changes {
		ready, err := a.graph.Add(c)
		if err != nil {
			tb.Fatal(err)
		}
		for _, c := range ready {
			a.changes = append(a.changes, c)
			for i := range c.Ops {
				a.op(c.OpID(i), &c.Ops[i])
			}
		}
	}
}

// write makes one change of n operations or some more.
func (a *author) write(tb testing.TB, r *rand.Rand, n int) {
	c := &automerge.Change{
		Actor: a.actor, Seq: a.graph.Seq(a.actor) + 1, StartOp: a.graph.MaxOp() + 1, Deps: a.graph.Heads(), Time: r.Int64N(2e9),
	}
	// The change is applied as it grows, so that its operations see each other; the graph gets it in the end.
	add := func(op automerge.Op) {
		for _, e := range a.visible[place{op.Obj, op.Key, op.Elem}] {
			if !op.Insert {
				op.Pred = append(op.Pred, e.ID)
			}
		}
		c.Ops = append(c.Ops, op)
		a.op(c.OpID(len(c.Ops)-1), &op)
	}
	value := func(op automerge.Op) automerge.Op {
		if op.Action = []automerge.Action{automerge.MakeMap, automerge.MakeList, automerge.MakeText, automerge.MakeTable}[r.IntN(4)]; r.IntN(5) > 0 {
			op.Action, op.Value = automerge.Put, randomValue(r)
		}
		return op
	}
	for len(c.Ops) < n {
		o := a.objects[r.IntN(len(a.objects))]
		isList := o.Action == automerge.MakeList || o.Action == automerge.MakeText
		op := automerge.Op{Obj: o.ID, IsList: isList}
		elem := func() automerge.OpID {
			if n := len(a.elems[o.ID]); n > 0 && r.IntN(6) > 0 {
				return a.elems[o.ID][n-1-r.IntN(min(n, 1+r.IntN(n)))]
			}
			return automerge.OpID{}
		}
		if !isList {
			op.Key = []string{"a", "b", "k", "ключ", "🔑", "z"}[r.IntN(6)]
		} else if op.Elem = elem(); op.Elem.IsRoot() || r.IntN(3) > 0 {
			op.Insert = true
		}
		entries := a.visible[place{op.Obj, op.Key, op.Elem}]
		switch {
		case op.Insert && r.IntN(8) == 0 && len(a.elems[o.ID]) > 0:
			op.Action, op.Mark, op.Expand = automerge.Mark, []string{"bold", "link"}[r.IntN(2)], r.IntN(2) == 0
			op.Value = randomValue(r)
			add(op)
			add(automerge.Op{Obj: o.ID, IsList: true, Insert: true, Elem: elem(), Action: automerge.Mark, Expand: r.IntN(2) == 0})
		case o.Action == automerge.MakeText && op.Insert:
			for range 1 + r.IntN(8) {
				op.Action, op.Value = automerge.Put, text([]string{"a", "b", "ä", "日", "🙂", "\n"}[r.IntN(6)])
				add(op)
				op.Elem = c.OpID(len(c.Ops) - 1)
			}
		case op.Insert:
			add(value(op))
		case len(entries) == 0 && isList:
			// What is gone from a list stays gone.
		case len(entries) > 0 && (r.IntN(4) == 0 || o.Action == automerge.MakeText):
			op.Action = automerge.Delete
			add(op)
		case len(entries) > 0 && entries[len(entries)-1].Value.Kind == automerge.KindCounter && r.IntN(4) > 0:
			op.Action, op.Value = automerge.Increment, num(automerge.KindInt, int64(r.IntN(20)-10))
			add(op)
		default:
			add(value(op))
		}
	}
	if err := c.Seal(); err != nil {
		tb.Fatal(err)
	}
	if _, err := a.graph.Add(c); err != nil {
		tb.Fatal(err)
	}
	a.changes = append(a.changes, c)
}

// sameRows wants two documents to be the same but for the deflated form of their columns.
func sameRows(t *testing.T, got, want []byte) {
	t.Helper()
	a, err := automerge.Inflated(got)
	if err != nil {
		t.Fatal(err)
	}
	b, err := automerge.Inflated(want)
	if err != nil {
		t.Fatal(err)
	}
	if a != b {
		t.Fatalf("saved as\n%s\nnot\n%s", a, b)
	}
}

// TestDifferentialSaveNested writes random histories with our encoder and saves them; the reference has to load what we
// saved, with the same heads, and to save it as the same rows and columns.
func TestDifferentialSaveNested(t *testing.T) {
	histories := 120
	if testing.Short() {
		histories = 15
	}
	base := uint64(time.Now().UnixNano())
	for h := range histories {
		seed := base + uint64(h)
		if !t.Run(fmt.Sprint("seed=", seed), func(t *testing.T) { differentialSave(t, seed) }) {
			return
		}
	}
}

func differentialSave(t *testing.T, seed uint64) {
	r := rand.New(rand.NewPCG(seed, 0))
	var authors []*author
	for i := range 1 + r.IntN(4) {
		actor := []byte{byte(r.Uint32()), byte(i)}
		authors = append(authors, newAuthor(automerge.ActorID(actor[:1+r.IntN(2)])+automerge.ActorID(fmt.Sprint(i))))
	}
	for range 5 + r.IntN(30) {
		a := authors[r.IntN(len(authors))]
		if from := authors[r.IntN(len(authors))]; r.IntN(3) == 0 {
			a.apply(t, from.changes...)
		} else {
			a.write(t, r, 1+r.IntN(12))
		}
	}
	a := authors[0]
	for _, from := range authors[1:] {
		a.apply(t, from.changes...)
	}
	if len(a.changes) == 0 {
		a.write(t, r, 3)
	}
	saved, err := automerge.SaveChanges(a.changes)
	if err != nil {
		t.Fatal(err)
	}
	theirs, err := reference.Load(saved)
	if err != nil {
		t.Fatalf("reference does not load what we saved: %v\n%x", err, saved)
	}
	var want []string
	for _, h := range a.graph.Heads() {
		want = append(want, h.String())
	}
	if got := (&theirSite{theirs}).heads(); !slices.Equal(got, want) {
		t.Fatalf("heads %v, not %v", got, want)
	}
	sameRows(t, saved, theirs.Save())

	ours, err := automerge.Load(saved)
	if err != nil {
		t.Fatal(err)
	}
	again, err := ours.Save()
	if err != nil || string(again) != string(saved) {
		t.Fatalf("loaded and saved as other bytes, %v", err)
	}
	for i, c := range ours.Changes() {
		if c.Hash() != a.changes[i].Hash() {
			t.Fatalf("change %d is %s, not %s", i, c.Hash(), a.changes[i].Hash())
		}
	}
	// Element for element: what the reference reads on the way of any key or index is what the operations say.
	for _, p := range a.places {
		if !p.obj.IsRoot() {
			continue
		}
		e, ok := automerge.Winner(a.visible[p])
		if got := (&theirSite{theirs}).value(t, p.key); ok && e.Action == automerge.Put && got != show(e.Value) || !ok && got != "none" {
			t.Fatalf("key %q is %s, not %v of %v", p.key, got, e, a.visible[p])
		}
	}
}

// TestDifferentialSaveTheirs has the reference write random nested histories. What it saves, and what it saves as single
// changes, we save as the same rows and columns.
func TestDifferentialSaveTheirs(t *testing.T) {
	histories := 60
	if testing.Short() {
		histories = 8
	}
	base := uint64(time.Now().UnixNano())
	for h := range histories {
		seed := base + uint64(h)
		t.Run(fmt.Sprint("seed=", seed), func(t *testing.T) { differentialTheirs(t, seed) })
	}
}

func differentialTheirs(t *testing.T, seed uint64) {
	r := rand.New(rand.NewPCG(seed, 0))
	var docs []*reference.Doc
	for i := range 1 + r.IntN(3) {
		d := reference.New()
		if err := d.SetActorID(hex.EncodeToString([]byte{byte(r.Uint32()), byte(i)})); err != nil {
			t.Fatal(err)
		}
		// The reference lists an actor that began to write and wrote nothing; each writes something.
		if err := d.Path("first").Set(i); err != nil {
			t.Fatal(err)
		}
		if _, err := d.Commit(""); err != nil {
			t.Fatal(err)
		}
		docs = append(docs, d)
	}
	for range 5 + r.IntN(25) {
		d := docs[r.IntN(len(docs))]
		if from := docs[r.IntN(len(docs))]; r.IntN(3) == 0 && from != d {
			if err := d.LoadIncremental(from.Save()); err != nil {
				t.Fatal(err)
			}
			continue
		}
		for range 1 + r.IntN(4) {
			if err := editNested(d, r); err != nil {
				t.Fatal(err)
			}
		}
		// Edits that turned out to be none make no change, which is an error there.
		_, _ = d.Commit("")
	}
	d := docs[0]
	changes, err := d.Changes()
	if err != nil {
		t.Fatal(err)
	}
	saved := d.Save()
	ours, err := automerge.Load(saved)
	if err != nil {
		t.Fatalf("%v\n%x", err, saved)
	}
	sameRows(t, must(ours.Save())(t), saved)
	var list []*automerge.Change
	for _, c := range changes {
		list = append(list, must(automerge.ParseChange(slices.Clone(c.Save())))(t))
	}
	sameRows(t, must(automerge.SaveChanges(list))(t), saved)
}

func editNested(d *reference.Doc, r *rand.Rand) error {
	switch r.IntN(8) {
	case 0:
		return d.Path("list").Set([]any{1, "two", nil, []any{true}, map[string]any{"in": "list"}})
	case 1:
		return d.Path("map").Set(map[string]any{"b": 1, "a": map[string]any{"deep": "x", "n": reference.NewCounter(2)}})
	case 2:
		return d.Path("text").Set(reference.NewText("hello"))
	case 3, 4:
		v, err := d.Path("text").Get()
		if err != nil || v.Kind() != reference.KindText {
			return err
		}
		n := v.Text().Len()
		at := r.IntN(n + 1)
		return d.Path("text").Text().Splice(at, r.IntN(min(n-at, 2)+1), []string{"", "Ä", "xy", "日本"}[r.IntN(4)])
	case 5:
		v, err := d.Path("list").Get()
		if err != nil || v.Kind() != reference.KindList {
			return err
		}
		l := v.List()
		switch n := l.Len(); {
		case n > 0 && r.IntN(3) == 0:
			return l.Delete(r.IntN(n))
		case n > 0 && r.IntN(2) == 0:
			return l.Set(r.IntN(n), native(randomValue(r)))
		default:
			return l.Insert(r.IntN(n+1), native(randomValue(r)))
		}
	case 6:
		v, err := d.Path("map", "a", "n").Get()
		if err != nil || v.Kind() != reference.KindCounter {
			return err
		}
		return d.Path("map", "a", "n").Counter().Inc(3)
	default:
		return errors.Join(d.Path("map", "b").Set(native(randomValue(r))), d.Path("map", "k").Set("x"), d.Path("map", "k").Delete())
	}
}
