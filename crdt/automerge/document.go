package automerge

import (
	"errors"
	"fmt"
	"hash/maphash"
	"slices"
	"sync/atomic"
)

// Doc is a document in memory: the bytes of its changes and the registers of its root map. It is made for tests, tools and
// documents that fit; a replica keeps rows instead and uses ApplyOp. The zero value is an empty document. A Doc is not safe
// for concurrent use.
//
// It keeps the uncompressed chunk of each change and some 70 bytes for a change and as many for a key. Operations are not
// kept: they are read from the chunks when somebody asks for changes.
type Doc struct {
	graph     Graph
	raws      []string // chunks (type 1) of the applied changes, by their number in graph
	registers []register
	index     index             // registers by key
	conflicts map[int32][]Entry // of the registers that have more than one entry
	crowds    map[int32]crowd   // of those that have very many
	scratch   []Entry           // for apply
	reading   Change            // for apply, too
	canonical int               // so many of the first changes are known to be canonical
	packed    bool              // a change is known not to be canonical: another engine packed it in its own way
}

// register is a key of the root map with its visible entry. What was deleted stays, without an entry: the history, which
// stays as well, has its key anyway.
type register struct {
	key    string // part of a chunk
	str    string // Value.Str, part of a chunk
	num    int64
	ctr    uint32 // of the entry's id, whose actor is
	writer int32  // this number in graph.writers
	kind   Kind
	action Action
	state  uint8
}

const (
	registerEmpty = iota
	registerOne
	registerMore  // in Doc.conflicts
	registerCrowd // in Doc.crowds
)

// crowd is very many entries of a key. Operations find theirs at once and leave the others alone; who reads sorts them.
type crowd map[OpID]Entry

// A register with more than crowdOver entries is a crowd until crowdUnder are left.
const (
	crowdOver  = 32
	crowdUnder = 16
)

func (m crowd) entries(dst []Entry) []Entry {
	from := len(dst)
	for _, e := range m {
		dst = append(dst, e)
	}
	slices.SortFunc(dst[from:], func(a, b Entry) int { return a.ID.Compare(b.ID) })
	return dst
}

// apply is ApplyOp.
func (m crowd) apply(id OpID, op *Op) {
	if op.Action == Mark {
		return
	}
	for _, p := range op.Pred {
		e, ok := m[p]
		switch {
		case !ok:
		case op.Action == Increment && !e.IsObject() && e.Value.Kind == KindCounter:
			e.Value.Num += op.Value.Num
			m[p] = e
		default:
			delete(m, p)
		}
	}
	if op.Action != Delete && op.Action != Increment {
		m[id] = Entry{ID: id, Action: op.Action, Value: op.Value}
	}
}

// NewDoc returns an empty document.
func NewDoc() *Doc { return &Doc{} }

// Apply adds changes in any order; those whose dependencies are missing wait, as Graph.Add states. A change that is
// refused does not keep the others out; the error names each one that was.
func (d *Doc) Apply(changes ...*Change) error {
	var errs []error
	for _, c := range changes {
		ready, err := d.graph.Add(c)
		if err != nil {
			errs = append(errs, err)
		}
		// What the graph counts as applied takes the numbers that follow.
		for _, c := range ready {
			d.apply(c)
		}
	}
	return errors.Join(errs...)
}

func (d *Doc) apply(c *Change) {
	if d.canonical == len(d.raws) && atomic.LoadUint32(&c.canonical) == canonicalYes {
		d.canonical++
	}
	d.raws = append(d.raws, c.raw)
	if !c.parsed {
		// The strings of this change are from elsewhere. Those of the chunk, which is kept anyway, are kept in their place.
		c = d.read(c.raw, c.hash)
	}
	// The graph's copy of the actor keeps no other bytes.
	id := OpID{Counter: c.StartOp, Actor: d.graph.writers[d.graph.byActor[c.Actor]].id}
	for i := range c.Ops {
		op := &c.Ops[i]
		if !op.Obj.IsRoot() {
			continue
		}
		r := d.register(op.Key)
		id.Counter = c.StartOp + uint64(i)
		if d.registers[r].state == registerCrowd {
			m := d.crowds[r]
			// So few are kept as others are. The map held as many as were taken out since, and costs no more than they did.
			if m.apply(id, op); len(m) <= crowdUnder {
				d.set(r, m.entries(nil))
			}
			continue
		}
		d.scratch = ApplyOp(d.entries(d.scratch[:0], r), id, op)
		d.set(r, d.scratch)
	}
	// A great change, or one key with very many values, is not to leave its size behind.
	if cap(d.reading.Ops) > keepRows {
		d.reading.Ops = nil
	}
	if cap(d.scratch) > keepRows {
		d.scratch = nil
	}
}

// keepRows bounds the operations, and the entries, that a Doc has room for between changes.
const keepRows = 64

// grow makes room for changes and keys that are about to come.
func (d *Doc) grow(changes, keys int) {
	d.graph.grow(changes)
	d.raws, d.registers = slices.Grow(d.raws, changes), slices.Grow(d.registers, keys)
	d.index.grow(len(d.registers)+keys, d.hashOf)
}

// read parses a chunk that was checked before, into memory that the next call uses again.
func (d *Doc) read(raw string, hash Hash) *Change {
	c := &d.reading
	*c = Change{raw: raw, hash: hash, Deps: c.Deps[:0], Ops: c.Ops[:0], parsed: true}
	c.reparse()
	return c
}

// register returns the number of a key's register, which it makes if there is none.
func (d *Doc) register(key string) int32 {
	hash := maphash.String(seed, key)
	i, ok := d.index.find(hash, func(i int32) bool { return d.registers[i].key == key })
	if !ok {
		i = int32(len(d.registers))
		d.index.add(hash, d.hashOf)
		d.registers = append(d.registers, register{key: key})
	}
	return i
}

func (d *Doc) hashOf(i int32) uint64 { return maphash.String(seed, d.registers[i].key) }

// visible returns a copy of the entries of a key.
func (d *Doc) visible(key string) []Entry {
	i, ok := d.index.find(maphash.String(seed, key), func(i int32) bool { return d.registers[i].key == key })
	if !ok {
		return nil
	}
	return d.entries(nil, i)
}

// entries appends the entries of a register to dst.
func (d *Doc) entries(dst []Entry, i int32) []Entry {
	switch r := &d.registers[i]; r.state {
	case registerOne:
		return append(dst, Entry{
			ID:     OpID{Counter: uint64(r.ctr), Actor: d.graph.writers[r.writer].id},
			Action: r.action,
			Value:  Value{Kind: r.kind, Num: r.num, Str: r.str},
		})
	case registerMore:
		return append(dst, d.conflicts[i]...)
	case registerCrowd:
		return d.crowds[i].entries(dst)
	}
	return dst
}

func (d *Doc) set(i int32, entries []Entry) {
	r := &d.registers[i]
	switch r.state {
	case registerMore:
		if len(entries) > 1 && len(entries) <= crowdOver {
			d.conflicts[i] = append(d.conflicts[i][:0], entries...)
			return
		}
		delete(d.conflicts, i)
	case registerCrowd:
		delete(d.crowds, i)
	}
	*r = register{key: r.key}
	switch n := len(entries); {
	case n == 0:
	case n > crowdOver:
		m := make(crowd, 2*n)
		for _, e := range entries {
			m[e.ID] = e
		}
		if d.crowds == nil {
			d.crowds = map[int32]crowd{}
		}
		r.state, d.crowds[i] = registerCrowd, m
	case n == 1:
		e := &entries[0]
		r.state, r.action, r.kind, r.num, r.str = registerOne, e.Action, e.Value.Kind, e.Value.Num, e.Value.Str
		r.ctr, r.writer = uint32(e.ID.Counter), d.graph.byActor[e.ID.Actor]
	default:
		if d.conflicts == nil {
			d.conflicts = map[int32][]Entry{}
		}
		r.state, d.conflicts[i] = registerMore, slices.Clone(entries)
	}
}

// Get returns the winning value of a key of the root map. It is false when the key has none or when the winner is an
// object; Conflicts tells these apart.
func (d *Doc) Get(key string) (Value, bool) {
	e, ok := Winner(d.visible(key))
	if !ok || e.IsObject() {
		return Value{}, false
	}
	return e.Value, true
}

// Conflicts returns all visible entries of a key, ascending, the winner last. The slice is the caller's.
func (d *Doc) Conflicts(key string) []Entry { return d.visible(key) }

// Keys returns the keys of the root map that have a value, ascending by their bytes.
func (d *Doc) Keys() []string {
	keys := make([]string, 0, len(d.registers))
	for i := range d.registers {
		if r := &d.registers[i]; r.state != registerEmpty {
			keys = append(keys, r.key)
		}
	}
	slices.Sort(keys)
	return keys
}

// Heads returns the heads of the document, ascending.
func (d *Doc) Heads() []Hash { return d.graph.Heads() }

// Pending returns how many changes wait for others; Missing says for which.
func (d *Doc) Pending() int { return d.graph.Pending() }

// Missing returns the changes that pending ones wait for.
func (d *Doc) Missing() []Hash { return d.graph.Missing() }

// Changes returns the applied changes in causal order. They are parsed anew for each call and are the caller's, all of them
// in one piece of memory.
func (d *Doc) Changes() []*Change {
	slab := d.parsed()
	changes := make([]*Change, len(slab))
	for i := range slab {
		changes[i] = &slab[i]
	}
	return changes
}

func (d *Doc) parsed() []Change {
	slab := make([]Change, len(d.raws))
	for i, raw := range d.raws {
		c := &slab[i]
		c.raw, c.hash, c.parsed = raw, d.graph.nodes[i].hash, true
		c.reparse()
		if i < d.canonical {
			c.canonical = canonicalYes
		}
	}
	return slab
}

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
		at:  len(d.raws),
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
	return t.doc.visible(key)
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
	t.keys[op.Key] = ApplyOp(visible, id, &op)
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
	case len(t.doc.raws) != t.at:
		return nil, errStale
	case len(t.change.Ops) == 0:
		return nil, errEmpty
	}
	c := t.change
	c.Time, c.Message = time, message
	if err := c.seal(true); err != nil {
		return nil, err
	}
	if err := t.doc.Apply(&c); err != nil {
		return nil, err
	}
	t.doc = nil
	return &c, nil
}
