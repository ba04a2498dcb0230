//go:build cgo

package automerge_test

import (
	"encoding/hex"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	reference "github.com/automerge/automerge-go"

	"trio/crdt/automerge"
)

// Two engines take part in one random history: some sites write with ours, some with automerge-go. It is given bytes
// that our encoder made, and its own, and only calls that were found safe: New, Load, LoadIncremental, Save, Heads,
// Changes without a hash, paths and Commit.

type site interface {
	// edit makes one change; it may turn out to be none.
	edit(t *testing.T, r *rand.Rand, keys []string)
	// send returns what the site knows, in one of several forms.
	send(t *testing.T, r *rand.Rand) []byte
	receive(t *testing.T, r *rand.Rand, from site)
	heads() []string
	value(t *testing.T, key string) string
}

type ourSite struct {
	doc   *automerge.Doc
	actor automerge.ActorID
}

type theirSite struct{ doc *reference.Doc }

var diffStrings = []string{"", "a", "Zoë", "日本語", "🙂👍🏽", "x\x00y", "line\nline", strings.Repeat("long ", 100), "\u202eabc", "é"}

func randomValue(r *rand.Rand) automerge.Value {
	v := automerge.Value{Kind: automerge.Kind(r.IntN(10))}
	ints := []int64{0, 1, -1, 63, 64, -64, -65, 8191, 8192, 1 << 53, math.MaxInt64, math.MinInt64, r.Int64(), int64(r.Uint64())}
	switch v.Kind {
	case automerge.KindUint, automerge.KindInt:
		v.Num = ints[r.IntN(len(ints))]
	case automerge.KindCounter:
		v.Num = int64(r.IntN(2000) - 1000)
	case automerge.KindTimestamp:
		v.Num = r.Int64N(4e12) - 2e12
	case automerge.KindFloat64:
		floats := []float64{0, math.Copysign(0, -1), 1.5, -math.MaxFloat64, math.Inf(1), math.SmallestNonzeroFloat64, r.NormFloat64()}
		v.Num = int64(math.Float64bits(floats[r.IntN(len(floats))]))
	case automerge.KindString:
		v.Str = diffStrings[r.IntN(len(diffStrings))]
	case automerge.KindBytes:
		b := make([]byte, r.IntN(20))
		for i := range b {
			b[i] = byte(r.Uint32())
		}
		v.Str = string(b)
	}
	return v
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

func show(v automerge.Value) string { return fmt.Sprintf("%d:%d:%x", v.Kind, v.Num, v.Str) }

func (s *ourSite) edit(t *testing.T, r *rand.Rand, keys []string) {
	tx := s.doc.Begin(s.actor)
	for range 1 + r.IntN(4) {
		key := keys[r.IntN(len(keys))]
		var err error
		switch e := s.doc.Conflicts(key); {
		case r.IntN(6) == 0:
			err = tx.Delete(key)
		case len(e) > 0 && e[len(e)-1].Value.Kind == automerge.KindCounter && r.IntN(4) > 0:
			// The transaction may have put another value over it: then there is nothing to count.
			_ = tx.Increment(key, int64(r.IntN(20)-10))
		default:
			err = tx.Put(key, randomValue(r))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if _, err := tx.Commit(r.Int64N(2e9), diffStrings[r.IntN(len(diffStrings))]); err != nil && err.Error() != "transaction has no operations" {
		t.Fatal(err)
	}
}

func (s *ourSite) send(t *testing.T, r *rand.Rand) []byte {
	if r.IntN(3) == 0 {
		b, err := s.doc.Save()
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	var b []byte
	for _, c := range s.doc.Changes() {
		if r.IntN(2) == 0 {
			b = append(b, automerge.Deflate(c.Raw())...)
		} else {
			b = append(b, c.Raw()...)
		}
	}
	return b
}

func (s *ourSite) receive(t *testing.T, r *rand.Rand, from site) {
	b := from.send(t, r)
	d, err := automerge.Load(b)
	if err != nil {
		t.Fatalf("loading %x: %v", b, err)
	}
	changes := d.Changes()
	r.Shuffle(len(changes), func(i, j int) { changes[i], changes[j] = changes[j], changes[i] })
	if err := s.doc.Apply(changes...); err != nil {
		t.Fatal(err)
	}
	if s.doc.Pending() != 0 {
		t.Fatalf("%d changes wait for %v", s.doc.Pending(), s.doc.Missing())
	}
}

func (s *ourSite) heads() []string {
	var list []string
	for _, h := range s.doc.Heads() {
		list = append(list, h.String())
	}
	return list
}

func (s *ourSite) value(t *testing.T, key string) string {
	e, ok := automerge.Winner(s.doc.Conflicts(key))
	switch {
	case !ok:
		return "none"
	case e.IsObject():
		return fmt.Sprint("object ", e.Action)
	}
	return show(e.Value)
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

// modelConflicts says which values of a key are visible, from all operations at once and not one after the other.
func modelConflicts(changes []*automerge.Change, key string) []automerge.Entry {
	type put struct {
		automerge.Entry
		gone bool
	}
	puts := map[automerge.OpID]*put{}
	for _, c := range changes {
		for i, op := range c.Ops {
			if op.Obj.IsRoot() && op.Key == key && op.Action != automerge.Delete && op.Action != automerge.Increment {
				puts[c.OpID(i)] = &put{Entry: automerge.Entry{ID: c.OpID(i), Action: op.Action, Value: op.Value}}
			}
		}
	}
	for _, c := range changes {
		for _, op := range c.Ops {
			for _, p := range op.Pred {
				switch e := puts[p]; {
				case e == nil:
				case op.Action == automerge.Increment && e.Value.Kind == automerge.KindCounter:
					e.Value.Num += op.Value.Num
				default:
					e.gone = true
				}
			}
		}
	}
	var list []automerge.Entry
	for _, e := range puts {
		if !e.gone {
			list = append(list, e.Entry)
		}
	}
	slices.SortFunc(list, func(a, b automerge.Entry) int { return a.ID.Compare(b.ID) })
	return list
}

func newSites(t *testing.T, r *rand.Rand) []site {
	var sites []site
	for i := range 2 + r.IntN(4) {
		actor := make([]byte, 1+r.IntN(20))
		for j := range actor {
			actor[j] = byte(r.Uint32())
		}
		actor[0] = byte(i) // no two alike
		if i%2 == 0 {
			sites = append(sites, &ourSite{automerge.NewDoc(), automerge.ActorID(actor)})
			continue
		}
		d := reference.New()
		if err := d.SetActorID(hex.EncodeToString(actor)); err != nil {
			t.Fatal(err)
		}
		sites = append(sites, &theirSite{d})
	}
	return sites
}

func TestDifferential(t *testing.T) {
	histories := 150
	if testing.Short() {
		histories = 20
	}
	base := uint64(time.Now().UnixNano())
	for h := range histories {
		seed := base + uint64(h)
		if !t.Run(fmt.Sprint("seed=", seed), func(t *testing.T) { differential(t, seed) }) {
			return
		}
	}
}

func differential(t *testing.T, seed uint64) {
	r := rand.New(rand.NewPCG(seed, 0))
	keys := []string{"a", "b", "key", "ключ", "🔑", "zz/" + strings.Repeat("k", r.IntN(300))}
	keys = keys[:1+r.IntN(len(keys))]
	sites := newSites(t, r)
	for range 5 + r.IntN(40) {
		s := sites[r.IntN(len(sites))]
		if from := sites[r.IntN(len(sites))]; r.IntN(3) == 0 && from != s {
			s.receive(t, r, from)
		} else {
			s.edit(t, r, keys)
		}
	}
	// Heal: everything to the first, from there to all.
	for _, s := range sites[1:] {
		sites[0].receive(t, r, s)
	}
	for _, s := range sites[1:] {
		s.receive(t, r, sites[0])
	}
	ours := sites[0].(*ourSite)
	saved, err := ours.doc.Save()
	if err != nil {
		t.Fatal(err)
	}
	if len(ours.doc.Changes()) > 0 && saved[8] != byte(automerge.ChunkDocument) {
		t.Fatalf("saved as a chunk of type %d", saved[8])
	}
	theirs, err := reference.Load(saved)
	if err != nil {
		t.Fatalf("reference does not load what we saved: %v\n%x", err, saved)
	}
	again, err := automerge.Load(saved)
	if err != nil {
		t.Fatalf("we do not load what we saved: %v\n%x", err, saved)
	}
	sites = append(sites, &theirSite{theirs}, &ourSite{doc: again})
	for i, s := range sites[1:] {
		if got, want := s.heads(), sites[0].heads(); !slices.Equal(got, want) {
			t.Fatalf("site %d has heads %v, site 0 %v", i+1, got, want)
		}
		for _, key := range keys {
			if got, want := s.value(t, key), sites[0].value(t, key); got != want {
				t.Fatalf("site %d (%T) has %q = %s, site 0 %s\nconflicts %v", i+1, s, key, got, want, ours.doc.Conflicts(key))
			}
		}
	}
	for _, key := range keys {
		if got, want := ours.doc.Conflicts(key), modelConflicts(ours.doc.Changes(), key); !slices.Equal(got, want) {
			t.Fatalf("key %q: conflicts %v, the model says %v", key, got, want)
		}
	}
	for _, c := range ours.doc.Changes() {
		if !c.Canonical() {
			t.Fatalf("change %s is not canonical", c.Hash())
		}
	}
}

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
		saved, err := doc.Save()
		do(err)
		if saved[8] == byte(automerge.ChunkDocument) {
			t.Errorf("%s: saved as a document chunk", name)
		}
		back, err := reference.Load(saved)
		do(err)
		if got, want := (&theirSite{back}).heads(), theirs.heads(); !slices.Equal(got, want) {
			t.Errorf("%s: saved with heads %v, not %v", name, got, want)
		}
	}
}
