package automerge

import (
	"errors"
	"fmt"
	"maps"
	"slices"
)

// Doc is a document in memory: its changes and the registers of its root map. It is made for tests, tools and documents
// that fit; a replica keeps rows instead and uses ApplyOp. The zero value is not ready; use NewDoc or Load. A Doc is not
// safe for concurrent use.
type Doc struct {
	graph   Graph
	changes []*Change
	keys    map[string][]Entry
}

// NewDoc returns an empty document.
func NewDoc() *Doc { return &Doc{keys: map[string][]Entry{}} }

// Apply adds changes in any order; those whose dependencies are missing wait, as Graph.Add states. A change that is
// refused does not keep the others out; the error names each one that was.
func (d *Doc) Apply(changes ...*Change) error {
	var errs []error
	for _, c := range changes {
		ready, err := d.graph.Add(c)
		if err != nil {
			errs = append(errs, err)
		}
		for _, c := range ready {
			d.apply(c)
		}
	}
	return errors.Join(errs...)
}

func (d *Doc) apply(c *Change) {
	d.changes = append(d.changes, c)
	for i := range c.Ops {
		op := &c.Ops[i]
		if !op.Obj.IsRoot() {
			continue
		}
		old := d.keys[op.Key]
		if visible := ApplyOp(old, c.OpID(i), op); len(visible) > 0 {
			d.keys[op.Key] = visible
		} else if len(old) > 0 {
			delete(d.keys, op.Key)
		}
	}
}

// Get returns the winning value of a key of the root map. It is false when the key has none or when the winner is an
// object; Conflicts tells these apart.
func (d *Doc) Get(key string) (Value, bool) {
	e, ok := Winner(d.keys[key])
	if !ok || e.IsObject() {
		return Value{}, false
	}
	return e.Value, true
}

// Conflicts returns all visible entries of a key, ascending, the winner last. The slice is the caller's.
func (d *Doc) Conflicts(key string) []Entry { return slices.Clone(d.keys[key]) }

// Keys returns the keys of the root map that have a value, ascending by their bytes.
func (d *Doc) Keys() []string { return slices.Sorted(maps.Keys(d.keys)) }

// Heads returns the heads of the document, ascending.
func (d *Doc) Heads() []Hash { return d.graph.Heads() }

// Pending returns how many changes wait for others; Missing says for which.
func (d *Doc) Pending() int { return d.graph.Pending() }

// Missing returns the changes that pending ones wait for.
func (d *Doc) Missing() []Hash { return d.graph.Missing() }

// Changes returns the applied changes in causal order. The slice is the caller's, the changes are shared.
func (d *Doc) Changes() []*Change { return slices.Clone(d.changes) }

// Tx collects operations of one actor for one change. Reads of the document do not see them before Commit.
type Tx struct {
	doc    *Doc
	at     int // how many changes the document had
	change Change
	keys   map[string][]Entry // keys written by this transaction
}

var (
	errStale = errors.New("document has changed since the transaction began")
	errEmpty = errors.New("transaction has no operations")
	errDone  = errors.New("transaction is committed already")
)

// Begin starts a change of one actor. The document may not change until Commit, which says so if it did.
func (d *Doc) Begin(actor ActorID) *Tx {
	return &Tx{
		doc: d,
		at:  len(d.changes),
		change: Change{
			Actor:   actor,
			Seq:     d.graph.Seq(actor) + 1,
			StartOp: d.graph.MaxOp() + 1,
			Deps:    d.graph.Heads(),
		},
		keys: map[string][]Entry{},
	}
}

func (t *Tx) visible(key string) []Entry {
	if v, ok := t.keys[key]; ok {
		return v
	}
	return t.doc.keys[key]
}

func (t *Tx) add(op Op) error {
	if t.doc == nil {
		return errDone
	}
	if op.Key == "" {
		return errors.New("key is empty")
	}
	visible := t.visible(op.Key)
	for _, e := range visible {
		op.Pred = append(op.Pred, e.ID)
	}
	id := t.change.OpID(len(t.change.Ops))
	if err := op.check(id); err != nil {
		return err
	}
	t.keys[op.Key] = ApplyOp(slices.Clone(visible), id, &op)
	t.change.Ops = append(t.change.Ops, op)
	return nil
}

// Put sets a key of the root map, over all values that are visible.
func (t *Tx) Put(key string, v Value) error {
	return t.add(Op{Key: key, Action: Put, Value: v})
}

// Delete removes a key of the root map. Where nothing is visible there is nothing to delete, and no operation is made.
func (t *Tx) Delete(key string) error {
	if t.doc != nil && len(t.visible(key)) == 0 {
		return nil
	}
	return t.add(Op{Key: key, Action: Delete})
}

// Increment adds to the counter under a key of the root map. The winner must be a counter; of concurrent values, the other
// counters grow with it, and values that are no counters go.
func (t *Tx) Increment(key string, by int64) error {
	if t.doc == nil {
		return errDone
	}
	if e, ok := Winner(t.visible(key)); !ok || e.IsObject() || e.Value.Kind != KindCounter {
		return fmt.Errorf("key %q holds no counter", key)
	}
	return t.add(Op{Key: key, Action: Increment, Value: Value{Kind: KindInt, Num: by}})
}

// Commit seals the change, applies it to the document and returns it. time is the writer's clock, as in Change. A
// transaction without operations is an error, and so is a document that changed since Begin.
func (t *Tx) Commit(time int64, message string) (*Change, error) {
	switch {
	case t.doc == nil:
		return nil, errDone
	case len(t.doc.changes) != t.at:
		return nil, errStale
	case len(t.change.Ops) == 0:
		return nil, errEmpty
	}
	c := t.change
	c.Time, c.Message = time, message
	if err := c.Seal(); err != nil {
		return nil, err
	}
	if err := t.doc.Apply(&c); err != nil {
		return nil, err
	}
	t.doc = nil
	return &c, nil
}
