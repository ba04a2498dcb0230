package automerge_test

import (
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"trio/crdt/automerge"
)

// Several engines take part in one random history, a site each or more: ours, automerge-go where there is a C compiler,
// and npm's where there is Node. Integers of all 64 bits are compared with all of them.

type site interface {
	// edit makes one change; it may turn out to be none.
	edit(t *testing.T, r *rand.Rand, keys []string)
	// send returns what the site knows, in one of several forms.
	send(t *testing.T, r *rand.Rand) []byte
	receive(t *testing.T, r *rand.Rand, from site)
	heads() []string
	value(t *testing.T, key string) string
	// conflicts returns all visible values of a key, ascending; ok is false for an engine that does not tell.
	conflicts(t *testing.T, key string) (all []string, ok bool)
}

// party is an engine that takes part.
type party struct {
	name string
	new  func(t *testing.T, actor automerge.ActorID) site
	load func(t *testing.T, saved []byte) (site, error)
}

// parties gather here; one that cannot take part in this build or on this machine returns false.
var parties = []func(t *testing.T) (party, bool){func(*testing.T) (party, bool) {
	return party{
		name: "ours",
		new: func(_ *testing.T, actor automerge.ActorID) site {
			return &ourSite{automerge.NewDoc(), actor}
		},
		load: func(_ *testing.T, saved []byte) (site, error) {
			d, err := automerge.Load(saved)
			return &ourSite{doc: d}, err
		},
	}, true
}}

func present(t *testing.T) []party {
	var list []party
	for _, f := range parties {
		if p, ok := f(t); ok {
			list = append(list, p)
		}
	}
	return list
}

type ourSite struct {
	doc   *automerge.Doc
	actor automerge.ActorID
}

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
		floats := []float64{0, math.Copysign(0, -1), 1.5, -math.MaxFloat64, math.Inf(1), math.SmallestNonzeroFloat64, math.Float64frombits(0x7ff8 << 48), r.NormFloat64()}
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

// showWinner shows what readers of a key see.
func showWinner(visible []automerge.Entry) string {
	e, ok := automerge.Winner(visible)
	switch {
	case !ok:
		return "none"
	case e.IsObject():
		return fmt.Sprint("object ", e.Action)
	}
	return show(e.Value)
}

func (s *ourSite) value(_ *testing.T, key string) string {
	return showWinner(s.doc.Conflicts(key))
}

func (s *ourSite) conflicts(_ *testing.T, key string) ([]string, bool) {
	return showEntries(s.doc.Conflicts(key)), true
}

func showEntries(entries []automerge.Entry) []string {
	list := []string{}
	for _, e := range entries {
		value := show(e.Value)
		if e.IsObject() {
			value = fmt.Sprint("object ", e.Action)
		}
		list = append(list, fmt.Sprintf("%d@%s=%s", e.ID.Counter, e.ID.Actor, value))
	}
	return list
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

// newSites makes a site of ours and others by turns.
func newSites(t *testing.T, r *rand.Rand, all []party) []site {
	var sites []site
	first := r.IntN(len(all))
	for i := range 2 + r.IntN(4) {
		actor := make([]byte, 1+r.IntN(20))
		for j := range actor {
			actor[j] = byte(r.Uint32())
		}
		actor[0] = byte(i) // no two alike
		p := all[0]
		if i%2 > 0 || i > 0 && r.IntN(2) == 0 {
			p = all[(first+i)%len(all)]
		}
		sites = append(sites, p.new(t, automerge.ActorID(actor)))
	}
	return sites
}

var onlySeed = flag.Uint64("seed", 0, "run the one random history that has this seed")

// randomSeeds returns n new seeds, or the one that -seed gives.
func randomSeeds(n int) []uint64 {
	if *onlySeed != 0 {
		return []uint64{*onlySeed}
	}
	list := make([]uint64, n)
	base := uint64(time.Now().UnixNano())
	for i := range list {
		list[i] = base + uint64(i)
	}
	return list
}

func TestDifferential(t *testing.T) {
	histories := 150
	if testing.Short() {
		histories = 20
	}
	all := present(t)
	for _, seed := range randomSeeds(histories) {
		if !t.Run(fmt.Sprint("seed=", seed), func(t *testing.T) { differential(t, seed, all) }) {
			return
		}
	}
}

func differential(t *testing.T, seed uint64, all []party) {
	r := rand.New(rand.NewPCG(seed, 0))
	keys := []string{"a", "b", "key", "ключ", "🔑", "zz/" + strings.Repeat("k", r.IntN(300))}
	keys = keys[:1+r.IntN(len(keys))]
	sites := newSites(t, r, all)
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
	for _, p := range all {
		s, err := p.load(t, saved)
		if err != nil {
			t.Fatalf("%s does not load what we saved: %v\n%x", p.name, err, saved)
		}
		sites = append(sites, s)
	}
	for i, s := range sites[1:] {
		if got, want := s.heads(), sites[0].heads(); !slices.Equal(got, want) {
			t.Fatalf("site %d has heads %v, site 0 %v", i+1, got, want)
		}
		for _, key := range keys {
			if got, want := s.value(t, key), sites[0].value(t, key); got != want {
				t.Fatalf("site %d (%T) has %q = %s, site 0 %s\nconflicts %v", i+1, s, key, got, want, ours.doc.Conflicts(key))
			}
			want, _ := sites[0].conflicts(t, key)
			if got, ok := s.conflicts(t, key); ok && !slices.Equal(got, want) {
				t.Fatalf("site %d (%T) has for %q %v, site 0 %v", i+1, s, key, got, want)
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
	strangers(t, ours.doc.Changes())
}
