//go:build cgo && (linux || darwin) && (amd64 || arm64)

package witness

import (
	"context"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"trio/crdt"
	"trio/crdt/automerge"
	"trio/crdt/crdttest"
)

// actEnv has the test's own binary be a child, or what a child may turn into.
const actEnv = "TRIO_WITNESS_TEST"

func TestMain(m *testing.M) {
	switch os.Getenv(actEnv) {
	case "child":
		Main()
	case "crash":
		println("thread '<unnamed>' panicked at 'index out of bounds'")
		os.Exit(134)
	case "silent":
		time.Sleep(time.Hour)
	case "greedy":
		if err := lower(syscall.RLIMIT_AS, 1<<30); err != nil {
			panic(err)
		}
		b := make([]byte, 8<<30)
		b[len(b)-1] = 1
	default:
		os.Exit(m.Run())
	}
}

func newWitness(t *testing.T, n int, act string) *Witness {
	t.Helper()
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	w, err := New(program, n, actEnv+"="+act)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.Close)
	return w
}

// written makes a document's changes by two writers who meet now and then: all kinds of values, conflicts, counters, deletions.
func written(t *testing.T, seed uint64) []*automerge.Change {
	t.Helper()
	rnd := rand.New(rand.NewPCG(seed, 1))
	docs := []*automerge.Doc{automerge.NewDoc(), automerge.NewDoc()}
	values := []automerge.Value{
		{Kind: automerge.KindNull},
		{Kind: automerge.KindTrue},
		{Kind: automerge.KindFalse},
		{Kind: automerge.KindUint, Num: 7},
		{Kind: automerge.KindInt, Num: -7},
		{Kind: automerge.KindFloat64, Num: 0x3ff8000000000000},
		{Kind: automerge.KindString, Str: "Åse\n"},
		{Kind: automerge.KindBytes, Str: "\x00\xff"},
		{Kind: automerge.KindCounter, Num: 5},
		{Kind: automerge.KindTimestamp, Num: 1793880000000},
	}
	for round := range 30 {
		for i, d := range docs {
			tx := d.Begin(automerge.ActorID(strings.Repeat(string(rune('a'+i)), 20)))
			for range 1 + rnd.IntN(5) {
				key := string(rune('k' + rnd.IntN(8)))
				var err error
				switch v, ok := d.Get(key); {
				case ok && v.Kind == automerge.KindCounter && rnd.IntN(3) > 0:
					_ = tx.Increment(key, int64(rnd.IntN(9)-4)) // it may have been put anew just now
				case ok && rnd.IntN(6) == 0:
					err = tx.Delete(key)
				default:
					err = tx.Put(key, values[rnd.IntN(len(values))])
				}
				if err != nil {
					t.Fatal(err)
				}
			}
			_, _ = tx.Commit(int64(round), "") // one without operations is none
		}
		if rnd.IntN(3) == 0 {
			if err := docs[0].Apply(docs[1].Changes()...); err != nil {
				t.Fatal(err)
			}
			if err := docs[1].Apply(docs[0].Changes()...); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := docs[0].Apply(docs[1].Changes()...); err != nil {
		t.Fatal(err)
	}
	return docs[0].Changes()
}

func TestWitnessAgrees(t *testing.T) {
	w := newWitness(t, 2, "child")
	seed := rand.Uint64()
	var wg sync.WaitGroup
	for i := range 12 {
		wg.Go(func() {
			if found := w.Look(t.Context(), written(t, seed+uint64(i))); len(found) > 0 {
				t.Errorf("seed %d: %q", seed+uint64(i), found)
			}
		})
	}
	wg.Wait()
	b := crdttest.NewBook(t, seed, 3)
	b.Entries(300, 20, b.Contacts(60))
	docs := map[crdt.DocName][]*automerge.Change{}
	for _, it := range b.Items {
		docs[it.Doc] = append(docs[it.Doc], it.Change)
	}
	for name, changes := range docs {
		if found := w.Look(t.Context(), changes); len(found) > 0 {
			t.Errorf("seed %d, %s: %q", seed, name, found)
		}
	}
	if got := w.Total(); got.Died > 0 || got.Findings > 0 || got.Values < 100 {
		t.Errorf("%+v", got)
	}
}

// TestWitnessDiffers: what one engine reads and the other does not is said.
func TestWitnessDiffers(t *testing.T) {
	doc := automerge.NewDoc()
	tx := doc.Begin(automerge.ActorID("an actor of ours"))
	if err := tx.Put("name", automerge.Value{Kind: automerge.KindString, Str: "Ana"}); err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Commit(0, ""); err != nil {
		t.Fatal(err)
	}
	same := report{Heads: []string{doc.Heads()[0].String()}, Values: map[string]string{"name": winner(doc.Conflicts("name"))}}
	if found := compare(doc, &same); len(found) > 0 {
		t.Fatal(found)
	}
	for _, tt := range []struct {
		change func(*report)
		want   string
	}{
		{func(r *report) { r.Heads = []string{"00"} }, "has heads [00], ours are ["},
		{func(r *report) { r.Values = nil }, `key "name": automerge-go reads nothing, ours is`},
		{func(r *report) { r.Values["name"] = "x" }, `key "name": automerge-go reads x, ours is`},
		{func(r *report) { r.Values["more"] = "x" }, `key "more": automerge-go reads x, ours is nothing`},
	} {
		r := same
		r.Values = map[string]string{"name": same.Values["name"]}
		tt.change(&r)
		if found := compare(doc, &r); len(found) != 1 || !strings.Contains(found[0], tt.want) {
			t.Errorf("%q, want %q", found, tt.want)
		}
	}
}

// TestWitnessDies: a process that ends over a document is that document's finding, and the next one has a new process.
func TestWitnessDies(t *testing.T) {
	changes := written(t, 1)
	for act, want := range map[string]string{"crash": "index out of bounds", "greedy": "out of memory"} {
		if act == "greedy" && memoryLimit == 0 {
			continue // the race detector's own memory is above it
		}
		w := newWitness(t, 1, act)
		for range 2 {
			if found := w.Look(t.Context(), changes); len(found) != 1 || !strings.Contains(found[0], "its process ended over it") || !strings.Contains(found[0], want) {
				t.Errorf("%s: %q", act, found)
			}
		}
		if got := w.Total(); got.Died != 2 || got.Findings != 2 {
			t.Errorf("%+v", got)
		}
		w.env[0] = actEnv + "=child"
		if found := w.Look(t.Context(), changes); len(found) > 0 {
			t.Errorf("after %s: %q", act, found)
		}
	}
	w := newWitness(t, 1, "silent")
	ctx, stop := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer stop()
	began := time.Now()
	if found := w.Look(ctx, changes); len(found) > 0 || time.Since(began) > 30*time.Second {
		t.Errorf("%q after %v", found, time.Since(began))
	}
	if _, err := New("absent", 1); err != nil {
		t.Error(err)
	}
	missing, err := New("/absent/program", 1)
	if err != nil {
		t.Fatal(err)
	}
	defer missing.Close()
	if found := missing.Look(t.Context(), changes); len(found) != 1 || !strings.Contains(found[0], "did not start") {
		t.Errorf("%q", found)
	}
}

// TestChildRefuses: a child that is told nonsense ends with a sentence.
func TestChildRefuses(t *testing.T) {
	if found := read([]byte("no chunk")); found.Err == "" {
		t.Errorf("%+v", found)
	}
	cut := written(t, 3)
	if r := read(slices.Clone(cut[0].Raw())[:20]); r.Err == "" {
		t.Errorf("%+v", r)
	}
}
