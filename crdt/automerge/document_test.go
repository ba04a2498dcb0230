package automerge_test

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"trio/crdt/automerge"
)

func num(k automerge.Kind, n int64) automerge.Value { return automerge.Value{Kind: k, Num: n} }

func must[T any](v T, err error) func(testing.TB) T {
	return func(tb testing.TB) T {
		tb.Helper()
		if err != nil {
			tb.Fatal(err)
		}
		return v
	}
}

func put(tb testing.TB, d *automerge.Doc, a automerge.ActorID, key string, v automerge.Value) *automerge.Change {
	tb.Helper()
	tx := d.Begin(a)
	if err := tx.Put(key, v); err != nil {
		tb.Fatal(err)
	}
	return must(tx.Commit(1, ""))(tb)
}

func TestDoc(t *testing.T) {
	d := automerge.NewDoc()
	if _, ok := d.Get("k"); ok || len(d.Keys()) != 0 || d.Heads() != nil {
		t.Error("an empty document has something in it")
	}
	tx := d.Begin("a")
	for _, err := range []error{
		tx.Put("k", text("one")), tx.Put("k", text("two")), tx.Put("n", num(automerge.KindCounter, 1)),
		tx.Increment("n", 5), tx.Put("gone", text("x")), tx.Delete("gone"), tx.Delete("never there"),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	if _, ok := d.Get("k"); ok {
		t.Error("the document has what is not committed")
	}
	c := must(tx.Commit(17, "first"))(t)
	if len(c.Ops) != 6 || c.Seq != 1 || c.StartOp != 1 || c.Time != 17 || c.Message != "first" || c.Hash() != d.Heads()[0] {
		t.Errorf("%+v", c)
	}
	if v, _ := d.Get("k"); v != text("two") {
		t.Errorf("k = %v", v)
	}
	if v, _ := d.Get("n"); v != num(automerge.KindCounter, 6) {
		t.Errorf("n = %v", v)
	}
	if got := d.Keys(); !slices.Equal(got, []string{"k", "n"}) {
		t.Errorf("keys %v", got)
	}
	if got := d.Conflicts("k"); len(got) != 1 || got[0].ID != (automerge.OpID{Counter: 2, Actor: "a"}) {
		t.Errorf("conflicts %v", got)
	}

	// Two writers who do not know of each other.
	other := automerge.NewDoc()
	if err := other.Apply(d.Changes()...); err != nil {
		t.Fatal(err)
	}
	ca, cb := put(t, d, "a", "k", text("from a")), put(t, other, "b", "k", text("from b"))
	if err := d.Apply(cb); err != nil {
		t.Fatal(err)
	}
	if err := other.Apply(ca, ca); err != nil {
		t.Fatal(err)
	}
	for _, d := range []*automerge.Doc{d, other} {
		if v, _ := d.Get("k"); v != text("from b") || len(d.Conflicts("k")) != 2 || len(d.Heads()) != 2 {
			t.Errorf("k = %v of %v, heads %v", v, d.Conflicts("k"), d.Heads())
		}
	}
	// Deleting takes both away.
	tx = d.Begin("a")
	if err := tx.Delete("k"); err != nil {
		t.Fatal(err)
	}
	must(tx.Commit(2, ""))(t)
	if len(d.Conflicts("k")) != 0 || len(d.Heads()) != 1 || slices.Contains(d.Keys(), "k") {
		t.Errorf("k has %v, heads %v", d.Conflicts("k"), d.Heads())
	}
}

func TestTxRefused(t *testing.T) {
	d := automerge.NewDoc()
	put(t, d, "a", "k", text("x"))
	tx := d.Begin("a")
	for name, err := range map[string]error{
		"empty key":            tx.Put("", text("x")),
		"count a string":       tx.Increment("k", 1),
		"count nothing":        tx.Increment("none", 1),
		"text that is no text": tx.Put("k", text("\xff")),
		"kind":                 tx.Put("k", automerge.Value{Kind: 99}),
	} {
		if err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	if _, err := tx.Commit(1, ""); err == nil {
		t.Error("committed nothing")
	}
	if err := tx.Put("k", text("y")); err != nil {
		t.Fatal(err)
	}
	put(t, d, "b", "k", text("z"))
	if _, err := tx.Commit(1, ""); err == nil {
		t.Error("committed over a change that the transaction did not see")
	}
	tx = d.Begin("a")
	if err := tx.Put("k", text("y")); err != nil {
		t.Fatal(err)
	}
	must(tx.Commit(1, ""))(t)
	if _, err := tx.Commit(1, ""); err == nil || tx.Put("k", text("y")) == nil || tx.Delete("k") == nil || tx.Increment("k", 1) == nil {
		t.Error("a transaction lives after its commit")
	}
	if err := d.Begin("").Put("k", text("x")); err != nil {
		t.Fatal(err)
	}
}

func TestGraphRefused(t *testing.T) {
	change := func(c automerge.Change) *automerge.Change {
		c.Ops = append(c.Ops, automerge.Op{Key: "k", Action: automerge.Put})
		if err := c.Seal(); err != nil {
			t.Fatal(err)
		}
		return &c
	}
	var g automerge.Graph
	first := change(automerge.Change{Actor: "a", Seq: 1, StartOp: 1})
	if ready, err := g.Add(first); err != nil || len(ready) != 1 || g.Seq("a") != 1 || g.MaxOp() != 1 || !g.Has(first.Hash()) || g.Len() != 1 {
		t.Fatal(ready, err)
	}
	if ready, err := g.Add(first); err != nil || len(ready) != 0 {
		t.Error("a duplicate is not a no-op", ready, err)
	}
	deps := []automerge.Hash{first.Hash()}
	for _, c := range []struct {
		name string
		c    *automerge.Change
		want string
	}{
		{"fork", change(automerge.Change{Actor: "a", Seq: 1, StartOp: 2}), automerge.ErrFork.Error()},
		{"fork that waits", change(automerge.Change{Actor: "a", Seq: 1, StartOp: 2, Deps: []automerge.Hash{{9}}}), automerge.ErrFork.Error()},
		{"gap", change(automerge.Change{Actor: "a", Seq: 3, StartOp: 2, Deps: deps}), "does not follow 1"},
		{"gap at the start", change(automerge.Change{Actor: "b", Seq: 2, StartOp: 2, Deps: deps}), "does not follow 0"},
		{"old numbers", change(automerge.Change{Actor: "b", Seq: 1, StartOp: 1, Deps: deps}), "start op 1 is not after operation 1"},
		{"own old numbers", change(automerge.Change{Actor: "a", Seq: 2, StartOp: 1}), "start op 1 is not after operation 1"},
		{"unsealed", &automerge.Change{Actor: "a", Seq: 2, StartOp: 2}, "seal it first"},
	} {
		ready, err := g.Add(c.c)
		var ce *automerge.ChangeError
		if len(ready) != 0 || err == nil || !strings.Contains(err.Error(), c.want) || !errors.As(err, &ce) || ce.Hash != c.c.Hash() {
			t.Errorf("%s: %v, not %q", c.name, err, c.want)
		}
	}
	// One that waits and turns out bad is named, and what it waited for is applied.
	second := change(automerge.Change{Actor: "a", Seq: 2, StartOp: 2, Deps: deps})
	bad := change(automerge.Change{Actor: "b", Seq: 1, StartOp: 2, Deps: []automerge.Hash{second.Hash()}})
	if ready, err := g.Add(bad); err != nil || len(ready) != 0 || g.Pending() != 1 || !slices.Equal(g.Missing(), []automerge.Hash{second.Hash()}) {
		t.Fatal(ready, err, g.Pending(), g.Missing())
	}
	if _, err := g.Add(bad); err != nil || g.Pending() != 1 {
		t.Error("a duplicate that waits is not a no-op")
	}
	ready, err := g.Add(second)
	var ce *automerge.ChangeError
	if len(ready) != 1 || ready[0] != second || !errors.As(err, &ce) || ce.Hash != bad.Hash() || g.Pending() != 0 || g.Missing() != nil {
		t.Error(ready, err, g.Pending(), g.Missing())
	}
}

func TestGraphPendingIsBounded(t *testing.T) {
	if testing.Short() {
		t.Skip("hashes 72 MiB")
	}
	var g automerge.Graph
	big := strings.Repeat("x", 8<<20)
	for i := range uint64(9) {
		c := &automerge.Change{
			Actor: "a", Seq: i + 2, StartOp: i + 2, Deps: []automerge.Hash{{1}},
			Ops: []automerge.Op{{Key: "k", Action: automerge.Put, Value: text(big)}},
		}
		if err := c.Seal(); err != nil {
			t.Fatal(err)
		}
		if _, err := g.Add(c); (i*uint64(len(big)+100)+uint64(len(big)+100) > automerge.MaxPendingBytes) != errors.Is(err, automerge.ErrPendingFull) {
			t.Errorf("change %d: %v", i, err)
		}
	}
}

// randomDoc writes a flat history of several actors who merge now and then.
func randomDoc(tb testing.TB, seed uint64, steps int) *automerge.Doc {
	r := rand.New(rand.NewPCG(seed, 1))
	docs := []*automerge.Doc{automerge.NewDoc(), automerge.NewDoc(), automerge.NewDoc()}
	var edges []int64 // of clocks, as far apart as a document chunk has room for
	if seed%4 == 3 {
		edges = []int64{1 - 1<<62, -1, 0, 1<<62 - 1}
	}
	merge := func(to, from int) {
		if err := docs[to].Apply(docs[from].Changes()...); err != nil {
			tb.Fatalf("seed %d: %v", seed, err)
		}
	}
	for range steps {
		i := r.IntN(len(docs))
		if r.IntN(4) == 0 {
			merge(i, r.IntN(len(docs)))
			continue
		}
		tx := docs[i].Begin(automerge.ActorID(fmt.Sprint("actor ", i)))
		for range 1 + r.IntN(3) {
			key := fmt.Sprint("key ", r.IntN(4))
			var err error
			switch r.IntN(5) {
			case 0:
				err = tx.Delete(key)
			case 1:
				_ = tx.Increment(key, 1)
			case 2:
				err = tx.Put(key, num(automerge.KindCounter, 10))
			default:
				err = tx.Put(key, text(fmt.Sprint(r.IntN(1000))))
			}
			if err != nil {
				tb.Fatalf("seed %d: %v", seed, err)
			}
		}
		// A transaction that only tried to delete what is not there has nothing to commit.
		at := r.Int64N(1e9)
		if edges != nil && r.IntN(10) == 0 {
			at = edges[r.IntN(len(edges))]
		}
		_, _ = tx.Commit(at, "")
	}
	merge(0, 1)
	merge(0, 2)
	return docs[0]
}

func sameDoc(tb testing.TB, what string, got, want *automerge.Doc) {
	tb.Helper()
	if !slices.Equal(got.Heads(), want.Heads()) {
		tb.Fatalf("%s: heads %v, not %v", what, got.Heads(), want.Heads())
	}
	if !slices.Equal(got.Keys(), want.Keys()) {
		tb.Fatalf("%s: keys %v, not %v", what, got.Keys(), want.Keys())
	}
	for _, key := range want.Keys() {
		if !slices.Equal(got.Conflicts(key), want.Conflicts(key)) {
			tb.Fatalf("%s: %q has %v, not %v", what, key, got.Conflicts(key), want.Conflicts(key))
		}
	}
}

// TestOrderDoesNotMatter applies one history in random orders and reads it from every form of a file.
func TestOrderDoesNotMatter(t *testing.T) {
	base := uint64(time.Now().UnixNano())
	for n := range uint64(40) {
		seed := base + n
		want := randomDoc(t, seed, 60)
		r := rand.New(rand.NewPCG(seed, 2))
		changes := want.Changes()
		var chunks []byte
		for range 5 {
			r.Shuffle(len(changes), func(i, j int) { changes[i], changes[j] = changes[j], changes[i] })
			d := automerge.NewDoc()
			if err := d.Apply(changes...); err != nil {
				t.Fatalf("seed %d: %v", seed, err)
			}
			sameDoc(t, fmt.Sprintf("seed %d, shuffled", seed), d, want)
			chunks = nil
			for _, c := range changes {
				chunks = append(chunks, automerge.Deflate(c.Raw())...)
			}
			saved := must(d.Save())(t)
			if automerge.ChunkType(saved[8]) != automerge.ChunkDocument {
				t.Fatalf("seed %d: saved as chunks", seed)
			}
			sameDoc(t, fmt.Sprintf("seed %d, saved", seed), must(automerge.Load(saved))(t), want)
			both := slices.Concat(chunks[:0], saved, chunks, saved)
			sameDoc(t, fmt.Sprintf("seed %d, twice", seed), must(automerge.Load(both))(t), want)
		}
		sameDoc(t, fmt.Sprintf("seed %d, chunks", seed), must(automerge.Load(chunks))(t), want)
	}
}

func TestSaveKeepsWhatWaits(t *testing.T) {
	d := automerge.NewDoc()
	a, b, c := put(t, d, "a", "k", text("1")), put(t, d, "a", "k", text("2")), put(t, d, "a", "k", text("3"))
	part := automerge.NewDoc()
	if err := part.Apply(a, c); err != nil {
		t.Fatal(err)
	}
	back := must(automerge.Load(must(part.Save())(t)))(t)
	if back.Pending() != 1 || !slices.Equal(back.Missing(), []automerge.Hash{b.Hash()}) {
		t.Fatalf("%d wait for %v", back.Pending(), back.Missing())
	}
	if err := back.Apply(b); err != nil {
		t.Fatal(err)
	}
	sameDoc(t, "completed", back, d)
}

// TestSaveFallsBack has histories that a document chunk cannot hold, though each change is in order.
func TestSaveFallsBack(t *testing.T) {
	pred := []automerge.OpID{{Counter: 1, Actor: "a"}}
	for name, ops := range map[string][]automerge.Op{
		"delete of nothing":       {{Key: "k", Action: automerge.Delete}},
		"delete with a value":     {{Key: "k", Action: automerge.Put}, {Key: "k", Action: automerge.Delete, Pred: pred, Value: text("x")}},
		"predecessor not there":   {{Key: "k", Action: automerge.Put}, {Key: "k", Action: automerge.Put, Pred: []automerge.OpID{{Counter: 1, Actor: "Z"}}}},
		"predecessor elsewhere":   {{Key: "k", Action: automerge.Put}, {Key: "j", Action: automerge.Put, Pred: pred}},
		"predecessor is a delete": {{Key: "k", Action: automerge.Put}, {Key: "k", Action: automerge.Delete, Pred: pred}, {Key: "k", Action: automerge.Put, Pred: []automerge.OpID{{Counter: 2, Actor: "a"}}}},
		"object not there":        {{Key: "k", Action: automerge.MakeMap}, {Obj: automerge.OpID{Counter: 1, Actor: "Z"}, Key: "j", Action: automerge.Put}},
		"object is a scalar":      {{Key: "k", Action: automerge.Put}, {Obj: pred[0], Key: "j", Action: automerge.Put}},
		"object is a delete":      {{Key: "k", Action: automerge.Put}, {Key: "k", Action: automerge.Delete, Pred: pred}, {Obj: automerge.OpID{Counter: 2, Actor: "a"}, Key: "j", Action: automerge.Put}},
		"object with a value":     {{Key: "k", Action: automerge.MakeMap, Value: text("x")}},
		"key in a list":           {{Key: "k", Action: automerge.MakeList}, {Obj: pred[0], Key: "j", Action: automerge.Put}},
		"element in a map":        {{Key: "k", Action: automerge.MakeMap}, {Obj: pred[0], IsList: true, Insert: true, Action: automerge.Put}},
		"element not there":       {{Key: "k", Action: automerge.MakeText}, {Obj: pred[0], IsList: true, Insert: true, Elem: pred[0], Action: automerge.Put}},
		"update of the head":      {{Key: "k", Action: automerge.MakeText}, {Obj: pred[0], IsList: true, Action: automerge.Put}},
		"insertion with preds":    {{Key: "k", Action: automerge.MakeText}, {Obj: pred[0], IsList: true, Insert: true, Action: automerge.Put, Pred: pred}},
		"mark":                    {{Key: "k", Action: automerge.Mark, Mark: "bold"}},
		"expansion of no mark":    {{Key: "k", Action: automerge.Put, Expand: true}},
		"unsigned increment":      {{Key: "k", Action: automerge.Put, Value: num(automerge.KindCounter, 1)}, {Key: "k", Action: automerge.Increment, Value: num(automerge.KindUint, 1), Pred: pred}},
	} {
		c := &automerge.Change{Actor: "a", Seq: 1, StartOp: 1, Ops: ops}
		if err := c.Seal(); err != nil {
			t.Fatal(name, err)
		}
		d := automerge.NewDoc()
		if err := d.Apply(c); err != nil {
			t.Fatal(name, err)
		}
		var ce *automerge.ChangeError
		if b, err := automerge.SaveChanges([]*automerge.Change{c}); !errors.As(err, &ce) || ce.Hash != c.Hash() || b != nil {
			t.Errorf("%s: SaveChanges: %x, %v", name, b, err)
		}
		saved := must(d.Save())(t)
		if !bytes.Equal(saved, c.Raw()) {
			t.Errorf("%s: saved as %x", name, saved)
		}
		sameDoc(t, name, must(automerge.Load(saved))(t), d)
	}
}

func TestSaveChanges(t *testing.T) {
	d := randomDoc(t, 1, 60)
	changes := d.Changes()
	saved := must(automerge.SaveChanges(changes))(t)
	if !bytes.Equal(saved, must(d.Save())(t)) {
		t.Error("Doc.Save saves other bytes")
	}
	if twice := must(automerge.SaveChanges(slices.Concat(changes, changes)))(t); !bytes.Equal(twice, saved) {
		t.Error("changes that come twice are saved twice")
	}
	if none := must(automerge.SaveChanges(nil))(t); !bytes.Equal(none, must(automerge.NewDoc().Save())(t)) {
		t.Errorf("no changes are saved as %x", none)
	}
	for name, c := range map[string]struct {
		changes []*automerge.Change
		want    string
	}{
		"a dependency comes later":  {[]*automerge.Change{changes[0], changes[2], changes[1]}, "does not come before it"},
		"a dependency is not there": {changes[1:], "does not come before it"},
		"not sealed":                {[]*automerge.Change{{Actor: "a", Seq: 1, StartOp: 1}}, "seal it first"},
	} {
		var ce *automerge.ChangeError
		if b, err := automerge.SaveChanges(c.changes); !errors.As(err, &ce) || !strings.Contains(err.Error(), c.want) || b != nil {
			t.Errorf("%s: %x, %v", name, b, err)
		}
	}
}

func TestSaveChangesNil(t *testing.T) {
	if b, err := automerge.SaveChanges([]*automerge.Change{nil}); err == nil || b != nil {
		t.Errorf("%x, %v", b, err)
	}
}

// TestChangesAreTheCallers has changes of one document written to, which the document may not see.
func TestChangesAreTheCallers(t *testing.T) {
	d := randomDoc(t, 2, 30)
	want := must(d.Save())(t)
	for _, c := range d.Changes() {
		for i := range c.Ops {
			c.Ops[i] = automerge.Op{Key: "other"}
		}
		clear(c.Deps)
	}
	if got := must(d.Save())(t); !bytes.Equal(got, want) {
		t.Error("the document has changed")
	}
}

// TestCanonicalAtOnce is for the race detector: readers share a change.
func TestCanonicalAtOnce(t *testing.T) {
	c := must(automerge.ParseChange(randomDoc(t, 3, 30).Changes()[0].Raw()))(t)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			if !c.Canonical() {
				t.Error("not canonical")
			}
		})
	}
	wg.Wait()
}

func TestLoadNamesTheChunk(t *testing.T) {
	d := automerge.NewDoc()
	a, b := put(t, d, "a", "k", text("1")), put(t, d, "a", "k", text("2"))
	file := slices.Concat(a.Raw(), b.Raw())
	file[len(file)-1] ^= 1
	_, err := automerge.Load(file)
	if want := fmt.Sprintf("chunk at byte %d: checksum does not fit the contents", len(a.Raw())); err == nil || err.Error() != want {
		t.Errorf("%v, not %q", err, want)
	}
	saved := must(d.Save())(t)
	saved[20] ^= 1
	if _, err := automerge.Load(saved); err == nil || !strings.Contains(err.Error(), "document: checksum") {
		t.Error(err)
	}
}

// TestApplyMany is about time and memory that grow with the history and not with its square.
func TestApplyMany(t *testing.T) {
	entries := 20000
	if testing.Short() {
		entries = 2000
	}
	d := logDoc(t, entries)
	changes := d.Changes()
	slices.Reverse(changes) // all but the last wait
	back := automerge.NewDoc()
	if err := back.Apply(changes...); err != nil {
		t.Fatal(err)
	}
	if back.Pending() != 0 || !slices.Equal(back.Heads(), d.Heads()) {
		t.Errorf("%d wait", back.Pending())
	}
	one := automerge.NewDoc() // one key, over and over
	for i := range int64(5000) {
		put(t, one, "a", "k", num(automerge.KindInt, i))
	}
	sameDoc(t, "one key", must(automerge.Load(must(one.Save())(t)))(t), one)
}

// TestDocMemory holds a Doc to what it says that it keeps: the chunks, and some bytes for each change and key.
func TestDocMemory(t *testing.T) {
	heap := func() uint64 {
		runtime.GC()
		runtime.GC() // what pools held is free after the second
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	for name, d := range map[string]*automerge.Doc{"contacts": contactsDoc(t, 500), "log": logDoc(t, benchEntries)} {
		saved := must(d.Save())(t)
		raw := uint64(0)
		for _, c := range d.Changes() {
			raw += uint64(c.Len())
		}
		docs := make([]*automerge.Doc, 8)
		before := heap()
		for i := range docs {
			docs[i] = must(automerge.Load(saved))(t)
		}
		kept := (heap() - before) / uint64(len(docs))
		runtime.KeepAlive(docs)
		runtime.KeepAlive(d)
		runtime.KeepAlive(saved)
		// The allocator rounds up what the chunks take, by an eighth at most.
		if limit := raw + raw/8 + 80*uint64(len(d.Changes())+len(d.Keys())); kept > limit || kept < raw {
			t.Errorf("%s: %d bytes kept for %d of chunks, over %d", name, kept, raw, limit)
		}
	}
}
