//go:build cgo

package automerge_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	reference "github.com/automerge/automerge-go"

	"trio/crdt/automerge"
)

// automerge-go is given bytes that our encoder made, and its own, and only calls that were found safe: New, Load,
// LoadIncremental, Save, Heads, Changes without a hash, paths and Commit. What it cannot take ends the whole process.
type theirSite struct{ doc *reference.Doc }

func init() {
	parties = append(parties, func(*testing.T) (party, bool) {
		return party{
			name: "automerge-go",
			new: func(t *testing.T, actor automerge.ActorID) site {
				d := reference.New()
				if err := d.SetActorID(actor.String()); err != nil {
					t.Fatal(err)
				}
				return &theirSite{d}
			},
			load: func(_ *testing.T, saved []byte) (site, error) {
				d, err := reference.Load(saved)
				return &theirSite{d}, err
			},
		}, true
	})
}

func native(v automerge.Value) any {
	switch v.Kind {
	case automerge.KindFalse, automerge.KindTrue:
		return v.Kind == automerge.KindTrue
	case automerge.KindUint:
		return uint64(v.Num)
	case automerge.KindInt:
		return v.Num
	case automerge.KindFloat64:
		return math.Float64frombits(uint64(v.Num))
	case automerge.KindString:
		return v.Str
	case automerge.KindBytes:
		return []byte(v.Str)
	case automerge.KindCounter:
		return reference.NewCounter(v.Num)
	case automerge.KindTimestamp:
		return time.UnixMilli(v.Num)
	}
	return nil
}

func (s *theirSite) edit(t *testing.T, r *rand.Rand, keys []string) {
	for range 1 + r.IntN(4) {
		key := keys[r.IntN(len(keys))]
		v, err := s.doc.Path(key).Get()
		if err != nil {
			t.Fatal(err)
		}
		switch {
		case r.IntN(6) == 0:
			if v.Kind() != reference.KindVoid {
				err = s.doc.Path(key).Delete()
			}
		case v.Kind() == reference.KindCounter && r.IntN(4) > 0:
			err = s.doc.Path(key).Counter().Inc(int64(r.IntN(20) - 10))
		default:
			err = s.doc.Path(key).Set(native(randomValue(r)))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	// A commit without operations is an error there and no change.
	_, _ = s.doc.Commit(diffStrings[1+r.IntN(len(diffStrings)-1)])
}

func (s *theirSite) send(t *testing.T, r *rand.Rand) []byte {
	if r.IntN(2) == 0 {
		return s.doc.Save()
	}
	changes, err := s.doc.Changes()
	if err != nil {
		t.Fatal(err)
	}
	var b []byte
	for _, c := range changes {
		raw := slices.Clone(c.Save())
		ours, err := automerge.ParseChange(raw)
		if err != nil {
			t.Fatalf("%x: %v", raw, err)
		}
		if ours.Hash() != automerge.Hash(c.Hash()) || !ours.Canonical() {
			t.Fatalf("change %s became %s, canonical %v: %x", c.Hash(), ours.Hash(), ours.Canonical(), raw)
		}
		b = append(b, raw...)
	}
	return b
}

func (s *theirSite) receive(t *testing.T, r *rand.Rand, from site) {
	if err := s.doc.LoadIncremental(from.send(t, r)); err != nil {
		t.Fatal(err)
	}
}

func (s *theirSite) heads() []string {
	var list []string
	for _, h := range s.doc.Heads() {
		list = append(list, h.String())
	}
	slices.Sort(list)
	return list
}

func (s *theirSite) value(t *testing.T, key string) string {
	v, err := s.doc.Path(key).Get()
	if err != nil {
		t.Fatal(err)
	}
	var w automerge.Value
	switch v.Kind() {
	case reference.KindVoid:
		return "none"
	case reference.KindNull:
	case reference.KindBool:
		w.Kind = automerge.KindFalse
		if v.Bool() {
			w.Kind = automerge.KindTrue
		}
	case reference.KindUint64:
		w = automerge.Value{Kind: automerge.KindUint, Num: int64(v.Uint64())}
	case reference.KindInt64:
		w = automerge.Value{Kind: automerge.KindInt, Num: v.Int64()}
	case reference.KindFloat64:
		w = automerge.Value{Kind: automerge.KindFloat64, Num: int64(math.Float64bits(v.Float64()))}
	case reference.KindStr:
		w = automerge.Value{Kind: automerge.KindString, Str: v.Str()}
	case reference.KindBytes:
		w = automerge.Value{Kind: automerge.KindBytes, Str: string(v.Bytes())}
	case reference.KindCounter:
		n, err := s.doc.Path(key).Counter().Get()
		if err != nil {
			t.Fatal(err)
		}
		w = automerge.Value{Kind: automerge.KindCounter, Num: n}
	case reference.KindTime:
		w = automerge.Value{Kind: automerge.KindTimestamp, Num: v.Time().UnixMilli()}
	case reference.KindMap:
		return fmt.Sprint("object ", automerge.MakeMap)
	case reference.KindList:
		return fmt.Sprint("object ", automerge.MakeList)
	case reference.KindText:
		return fmt.Sprint("object ", automerge.MakeText)
	default:
		t.Fatalf("kind %v", v.Kind())
	}
	return show(w)
}

// conflicts are nothing that automerge-go tells.
func (s *theirSite) conflicts(*testing.T, string) ([]string, bool) { return nil, false }

// TestDifferentialNested has the reference write lists, maps, text and what else we carry and do not materialise.
func TestDifferentialNested(t *testing.T) {
	d, other := reference.New(), reference.New()
	if err := d.SetActorID("20"); err != nil {
		t.Fatal(err)
	}
	if err := other.SetActorID("10"); err != nil {
		t.Fatal(err)
	}
	do := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	for i := range 8 {
		do(d.Path("list").Set([]any{1, "two", 3.5, nil, true, []byte{1}}))
		do(d.Path("map").Set(map[string]any{"q": 1, "deep": map[string]any{"er": "x"}}))
		if i == 0 {
			do(d.Path("text").Set(reference.NewText("hello world, and more of it")))
		} else {
			do(d.Path("text").Text().Splice(i, 3, "ÄÖÜ"))
			do(d.Path("list", 1).Delete())
			do(d.Path("map", "deep", "er").Delete())
			do(d.Path("map", "q").Set(reference.NewCounter(3)))
			do(d.Path("map", "q").Counter().Inc(4))
		}
		_, err := d.Commit(fmt.Sprint("change ", i))
		do(err)
		// A second writer takes turns, so that changes name other actors.
		do(other.LoadIncremental(d.Save()))
		do(other.Path("text").Text().Splice(0, 2, "xy"))
		do(other.Path("list", 0).Set(i))
		_, err = other.Commit("other")
		do(err)
		do(d.LoadIncremental(other.Save()))
	}
	changes, err := d.Changes()
	do(err)
	var chunks []byte
	for _, c := range changes {
		chunks = append(chunks, c.Save()...)
	}
	theirs := &theirSite{d}
	do(automerge.UpdateNested(d.Save()))
	for name, b := range map[string][]byte{"changes": chunks, "document": d.Save()} {
		doc, err := automerge.Load(b)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		ours := &ourSite{doc: doc}
		if got, want := ours.heads(), theirs.heads(); !slices.Equal(got, want) {
			t.Fatalf("%s: heads %v, not %v", name, got, want)
		}
		for _, key := range []string{"list", "map", "text"} {
			if got, want := ours.value(t, key), theirs.value(t, key); got != want {
				t.Errorf("%s: %s = %s, not %s", name, key, got, want)
			}
		}
		for _, c := range doc.Changes() {
			if !c.Canonical() {
				t.Errorf("%s: change %s is not canonical", name, c.Hash())
			}
		}
		strangers(t, doc.Changes())
		saved, err := doc.Save()
		do(err)
		if saved[8] != byte(automerge.ChunkDocument) {
			t.Errorf("%s: saved as chunks", name)
		}
		back, err := reference.Load(saved)
		do(err)
		if got, want := (&theirSite{back}).heads(), theirs.heads(); !slices.Equal(got, want) {
			t.Errorf("%s: saved with heads %v, not %v", name, got, want)
		}
	}
}
