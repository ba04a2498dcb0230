package automerge

import (
	"bytes"
	"errors"
	"fmt"
	"hash/maphash"
	"math"
	"slices"
	"strings"
)

const (
	// MaxPending bounds the changes that wait in a Graph for changes that they depend on.
	MaxPending = 1 << 16

	// MaxPendingBytes bounds the memory of those changes: their chunks, their operations and dependencies, and what the
	// Graph notes of the dependencies that they lack.
	MaxPendingBytes = 64 << 20
)

// maxForks bounds the changes of one actor with one sequence number that wait side by side. One of them may turn out to
// be right.
const maxForks = 8

var (
	// ErrFork says that an actor wrote two changes with one sequence number. One of its devices was copied or restored
	// from a backup; the later writer must take a new actor id.
	ErrFork = errors.New("actor has another change with this sequence number")

	// ErrPendingFull says that too many changes wait for others already. Send those that they depend on first.
	ErrPendingFull = errors.New("too many changes wait for changes that they depend on")

	errUnsealed = errors.New("change has no hash: seal it first")
)

// ChangeError is the refusal of one change.
type ChangeError struct {
	Hash Hash
	Err  error
}

func (e *ChangeError) Error() string { return fmt.Sprintf("change %s: %v", e.Hash, e.Err) }
func (e *ChangeError) Unwrap() error { return e.Err }

// Graph knows which changes of a document have been applied and which still wait for others. It keeps no operations, and
// of an applied change some 50 bytes and 4 for each dependency. The zero value is an empty graph. A Graph is not safe for
// concurrent use.
type Graph struct {
	nodes   []node  // applied changes in the order in which they were applied, which is causal
	deps    []int32 // of one node after the other: what it depends on, in the order of the change's Deps
	index   index   // nodes by hash
	writers []writer
	byActor map[ActorID]int32 // into writers
	maxOp   uint64

	covered []bool  // of each node: another depends on it
	tips    []int32 // the nodes that are not covered, and some that are
	heads   int     // how many are not
	sorted  []Hash  // the heads, ascending, where it is known

	waiting      map[Hash]*waiter // changes that lack dependencies
	lacking      map[Hash][]*waiter
	places       map[place][]*waiter // the same by actor and sequence number
	pendingBytes int
	stale        int // entries of lacking whose change waits no more
}

// node is an applied change.
type node struct {
	hash    Hash
	maxOp   uint32 // the greatest op counter of it and its history; at most MaxOp
	depsEnd uint32 // where its dependencies end in deps
}

// writer is an actor with applied changes.
type writer struct {
	id   ActorID
	seq  uint64 // of its last change
	last int32  // that change
}

// maxNodes bounds the changes of a Graph, and their dependencies together.
const maxNodes = math.MaxInt32 - 1

var errGraphFull = errors.New("the document has as many changes or dependencies as it may have")

type waiter struct {
	c       *Change
	missing int // dependencies that are not applied yet
	weight  int // bytes, without what it takes in lacking
}

const (
	waitBytes = 512 // of a change that waits, besides what its fields say
	lackBytes = 192 // of a dependency that it lacks: in lacking, which has it until the dependency comes
)

// Has reports whether the change is applied.
func (g *Graph) Has(h Hash) bool {
	_, ok := g.find(h)
	return ok
}

func (g *Graph) find(h Hash) (int32, bool) {
	return g.index.find(maphash.Bytes(seed, h[:]), func(i int32) bool { return g.nodes[i].hash == h })
}

// hashOf is what index needs to grow.
func (g *Graph) hashOf(i int32) uint64 { return maphash.Bytes(seed, g.nodes[i].hash[:]) }

// grow makes room for n more changes.
func (g *Graph) grow(n int) {
	g.nodes, g.deps, g.covered = slices.Grow(g.nodes, n), slices.Grow(g.deps, n), slices.Grow(g.covered, n)
	g.index.grow(len(g.nodes)+n, g.hashOf)
}

func (g *Graph) depsOf(i int32) []int32 {
	from := uint32(0)
	if i > 0 {
		from = g.nodes[i-1].depsEnd
	}
	return g.deps[from:g.nodes[i].depsEnd]
}

// Len returns the number of applied changes.
func (g *Graph) Len() int { return len(g.nodes) }

// Heads returns the applied changes that no applied change depends on, ascending. The slice is the caller's.
func (g *Graph) Heads() []Hash { return slices.Clone(g.sortedHeads()) }

// sortedHeads is Heads for who does not write to the slice.
func (g *Graph) sortedHeads() []Hash {
	if g.sorted == nil && g.heads > 0 {
		g.prune()
		g.sorted = make([]Hash, len(g.tips))
		for i, n := range g.tips {
			g.sorted[i] = g.nodes[n].hash
		}
		slices.SortFunc(g.sorted, compareHashes)
	}
	return g.sorted
}

// prune takes what is covered out of tips.
func (g *Graph) prune() {
	g.tips = slices.DeleteFunc(g.tips, func(n int32) bool { return g.covered[n] })
}

// cover notes that something depends on node n.
func (g *Graph) cover(n int32) {
	if !g.covered[n] {
		g.covered[n] = true
		g.heads--
	}
}

// MaxOp returns the greatest op counter of the applied changes; a new change starts after it.
func (g *Graph) MaxOp() uint64 { return g.maxOp }

// Seq returns the sequence number of the actor's last applied change, 0 when there is none.
func (g *Graph) Seq(a ActorID) uint64 {
	if i, ok := g.byActor[a]; ok {
		return g.writers[i].seq
	}
	return 0
}

// Pending returns how many changes wait for others.
func (g *Graph) Pending() int { return len(g.waiting) }

// Missing returns, ascending, the changes that pending ones depend on and that are neither applied nor pending.
func (g *Graph) Missing() []Hash {
	var list []Hash
	for h, by := range g.lacking {
		if g.waiting[h] == nil && slices.ContainsFunc(by, func(w *waiter) bool { return w.c != nil }) {
			list = append(list, h)
		}
	}
	slices.SortFunc(list, compareHashes)
	return list
}

// Deps returns what an applied change depends on, ascending; ok is false for one that is not applied.
func (g *Graph) Deps(h Hash) (deps []Hash, ok bool) {
	i, ok := g.find(h)
	if !ok {
		return nil, false
	}
	for _, d := range g.depsOf(i) {
		deps = append(deps, g.nodes[d].hash)
	}
	return deps, true
}

// Place returns how many changes were applied before h; ok is false for one that is not applied. Who keeps something of
// each change keeps it in that order and needs no map.
func (g *Graph) Place(h Hash) (n int, ok bool) {
	i, ok := g.find(h)
	return int(i), ok
}

// Since returns the applied changes that are neither in have nor in the history of one that is, in causal order. Hashes
// in have that are not applied are ignored; without any, all changes are returned.
func (g *Graph) Since(have []Hash) []Hash {
	known := make([]bool, len(g.nodes))
	last := -1
	for _, h := range have {
		if i, ok := g.find(h); ok {
			known[i] = true
			last = max(last, int(i))
		}
	}
	// Dependencies come before what depends on them, so one walk back from the last marks all of the history.
	for i := last; i >= 0; i-- {
		if known[i] {
			for _, d := range g.depsOf(int32(i)) {
				known[d] = true
			}
		}
	}
	var list []Hash
	for i := range g.nodes {
		if !known[i] {
			list = append(list, g.nodes[i].hash)
		}
	}
	return list
}

// place is where a change stands among those of its actor.
type place struct {
	actor ActorID
	seq   uint64
}

func compareHashes(a, b Hash) int { return bytes.Compare(a[:], b[:]) }

// Add takes a sealed or parsed change and returns the changes that are ready to be applied because of it, in causal order:
// the change itself and those that waited for it, or none while it lacks dependencies. A change that is known is no error
// and makes nothing ready. The graph counts what it returns as applied.
//
// An error is a *ChangeError, or several joined, each naming the change that was refused: it forks its actor (ErrFork),
// leaves a gap in its actor's sequence, uses operation numbers that its history has used, or finds no room to wait
// (ErrPendingFull). Nothing is kept of a refused change; ready is to be applied whatever the error says, since a refused
// change may have waited for one that is fine.
func (g *Graph) Add(c *Change) (ready []*Change, err error) {
	if c.raw == "" {
		return nil, &ChangeError{c.hash, errUnsealed}
	}
	if g.Has(c.hash) || g.waiting[c.hash] != nil {
		return nil, nil
	}
	missing := 0
	for _, d := range c.Deps {
		if !g.Has(d) {
			missing++
		}
	}
	if missing > 0 {
		if err := g.wait(c, missing); err != nil {
			return nil, &ChangeError{c.hash, err}
		}
		return nil, nil
	}
	if err := g.apply(c); err != nil {
		return nil, &ChangeError{c.hash, err}
	}
	ready = append(ready, c)
	var errs []error
	for i := 0; i < len(ready) && len(g.waiting) > 0; i++ {
		at := place{ready[i].Actor, ready[i].Seq}
		for _, w := range g.places[at] { // their place is taken: they will never be ready
			errs = append(errs, &ChangeError{w.c.hash, ErrFork})
			g.forget(w)
		}
		delete(g.places, at)
		h := ready[i].hash
		list := g.lacking[h]
		delete(g.lacking, h)
		g.pendingBytes -= len(list) * lackBytes
		for _, w := range list {
			w.missing--
			if w.c == nil {
				g.stale--
				continue
			}
			if w.missing > 0 {
				continue
			}
			c := w.c
			g.forget(w)
			at := place{c.Actor, c.Seq}
			if g.places[at] = slices.DeleteFunc(g.places[at], func(x *waiter) bool { return x == w }); len(g.places[at]) == 0 {
				delete(g.places, at)
			}
			if err := g.apply(c); err != nil {
				errs = append(errs, &ChangeError{c.hash, err})
				continue
			}
			ready = append(ready, c)
		}
	}
	return ready, errors.Join(errs...)
}

func (g *Graph) wait(c *Change, missing int) error {
	if c.Seq <= g.Seq(c.Actor) {
		return ErrFork
	}
	weight := waitBytes + len(c.raw) + len(c.Ops)*opBytes + len(c.Deps)*len(Hash{})
	for i := range c.Ops {
		weight += len(c.Ops[i].Pred) * idBytes
	}
	room := weight + missing*lackBytes
	if g.pendingBytes+room > MaxPendingBytes && g.stale > MaxPendingBytes/lackBytes/8 {
		g.sweep() // not for less, so that it is seldom
	}
	if len(g.places[place{c.Actor, c.Seq}]) >= maxForks {
		return ErrFork
	}
	if len(g.waiting) >= MaxPending || g.pendingBytes+room > MaxPendingBytes {
		return ErrPendingFull
	}
	if g.waiting == nil {
		g.waiting, g.lacking, g.places = map[Hash]*waiter{}, map[Hash][]*waiter{}, map[place][]*waiter{}
	}
	w := &waiter{c: c, missing: missing, weight: weight}
	for _, d := range c.Deps {
		if !g.Has(d) {
			g.lacking[d] = append(g.lacking[d], w)
		}
	}
	g.waiting[c.hash] = w
	at := place{c.Actor, c.Seq}
	g.places[at] = append(g.places[at], w)
	g.pendingBytes += room
	return nil
}

// forget takes a change out of those that wait. What it lacks may still name it, without its change.
func (g *Graph) forget(w *waiter) {
	delete(g.waiting, w.c.hash)
	g.pendingBytes -= w.weight
	g.stale += w.missing
	w.c = nil
}

// sweep makes room: it takes out of lacking what names changes that wait no more.
func (g *Graph) sweep() {
	for h, list := range g.lacking {
		kept := slices.DeleteFunc(list, func(w *waiter) bool { return w.c == nil })
		g.pendingBytes -= (len(list) - len(kept)) * lackBytes
		if g.lacking[h] = kept; len(kept) == 0 {
			delete(g.lacking, h)
		}
	}
	g.stale = 0
}

// apply checks c, whose dependencies are all applied, against its history and makes it a head.
func (g *Graph) apply(c *Change) error {
	w, known := g.byActor[c.Actor]
	switch n := g.Seq(c.Actor); {
	case c.Seq <= n:
		return ErrFork
	case c.Seq > n+1:
		return fmt.Errorf("sequence number %d of actor %s does not follow %d", c.Seq, c.Actor, n)
	}
	if len(g.nodes) >= maxNodes || len(g.deps)+len(c.Deps) > maxNodes {
		return errGraphFull
	}
	var history uint64
	from := len(g.deps)
	for _, d := range c.Deps {
		i, _ := g.find(d)
		g.deps = append(g.deps, i)
		history = max(history, uint64(g.nodes[i].maxOp))
	}
	if known {
		// An actor's earlier changes are part of its history whether it names them or not: its op ids must be new.
		history = max(history, uint64(g.nodes[g.writers[w].last].maxOp))
	}
	if c.StartOp <= history {
		g.deps = g.deps[:from]
		return fmt.Errorf("start op %d is not after operation %d of its history", c.StartOp, history)
	}
	at := int32(len(g.nodes))
	maxOp := max(history, c.MaxOp())
	g.index.add(maphash.Bytes(seed, c.hash[:]), g.hashOf)
	g.nodes = append(g.nodes, node{hash: c.hash, maxOp: uint32(maxOp), depsEnd: uint32(len(g.deps))})
	g.maxOp = max(g.maxOp, maxOp)
	if !known {
		if g.byActor == nil {
			g.byActor = map[ActorID]int32{}
		}
		w = int32(len(g.writers))
		actor := ActorID(strings.Clone(string(c.Actor))) // not to keep the chunk that it is part of
		g.writers = append(g.writers, writer{id: actor})
		g.byActor[actor] = w
	}
	g.writers[w].seq, g.writers[w].last = c.Seq, at
	for _, d := range g.deps[from:] {
		g.cover(d)
	}
	g.covered, g.tips = append(g.covered, false), append(g.tips, at)
	g.heads++
	g.sorted = nil
	// As many have come since the last time as are left then, so that each costs the same.
	if len(g.tips) > 2*g.heads+16 {
		g.prune()
	}
	return nil
}
