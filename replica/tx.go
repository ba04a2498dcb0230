package replica

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"trio/crdt"
	"trio/crdt/automerge"
	"trio/crdt/book"
	"trio/crdt/wire"
	"trio/ranking"
	"trio/replica/sql"
)

// objectKind marks a register whose value is an object that is not materialised: objectKind + its automerge.Action.
const objectKind = 64

// tx is one transaction: changes, registers, projections and cursor move together or not at all. What the replica keeps
// in memory is touched only after the commit.
type tx struct {
	ctx    context.Context
	r      *Replica
	now    int64 // ms
	docs   map[crdt.DocName]*document
	actors map[automerge.ActorID]int64 // made in this transaction
	byID   map[int64]automerge.ActorID // the same, the other way round
	cursor wire.Receipt
	skew   int64

	folded  uint64 // see standing
	forgets int
	left    time.Time
	opened  map[uint64]map[automerge.Hash]crdt.DocName // segments, by their last change
	unseen  bool                                       // no query shows the difference

	// what the projections have to look at again
	contacts map[crdt.ContactID]struct{}
	edited   map[contactField]struct{} // by others
	disputed map[contactField]struct{} // have several values
	entries  map[logKey]crdt.EntryID
	rezone   bool
	home     book.Calendar
	goals    goalWork
	held     *held                           // the playbook to go by from now on; nil: as before
	people   map[crdt.ContactID]*book.Person // nil: not to be ranked any more
	stored   *people                         // all of them, as a start reads them; nil: only those above
	lost     []lostOp                        // see fork
	writer   automerge.ActorID
	received received
	waiting  int              // changes of files that wait; see standing
	came     []automerge.Hash // what was stored, while some wait
	admitted int              // of those that waited
}

type contactField struct {
	contact crdt.ContactID
	field   string
}

type logKey struct {
	doc int64
	key string
}

// document is one document within a transaction.
type document struct {
	id    int64
	name  crdt.DocName
	heads []automerge.Hash
	maxOp uint64
	ops   []automerge.Op // of the change that this transaction writes
	moved bool           // heads and maxOp are to be saved
}

// received counts what came from elsewhere in one transaction.
type received struct{ contacts, actions int64 }

// update runs f in a transaction and commits it with the disk synced. The caller does not hold mu.
func (r *Replica) update(ctx context.Context, f func(*tx) error) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.here(); err != nil {
		return err
	}
	// A transaction that has begun is not given up half-way because a screen was closed.
	ctx = context.WithoutCancel(ctx)
	st := r.committed.Load()
	t := &tx{
		ctx: ctx, r: r, now: r.now().UnixMilli(), writer: r.writer, cursor: st.cursor, skew: st.skew, home: st.home,
		folded: st.folded, forgets: st.forgets, waiting: st.waiting,
		docs: map[crdt.DocName]*document{}, actors: map[automerge.ActorID]int64{}, byID: map[int64]automerge.ActorID{},
		contacts: map[crdt.ContactID]struct{}{}, edited: map[contactField]struct{}{}, disputed: map[contactField]struct{}{}, entries: map[logKey]crdt.EntryID{}, people: map[crdt.ContactID]*book.Person{},
	}
	err := t.exec(`BEGIN IMMEDIATE`)
	if err != nil {
		return full(err)
	}
	again, err := t.doneUnder(commandKey(ctx))
	if err == nil && !again {
		err = f(t)
	}
	if err == nil {
		err = t.finish()
	}
	if err == nil {
		err = r.commit(t)
	}
	if err != nil {
		// After some failures (a full disk) SQLite has rolled back by itself and says so.
		if rerr := t.exec(`ROLLBACK`); rerr != nil && !strings.Contains(rerr.Error(), "no transaction is active") {
			err = errors.Join(err, rerr)
		}
		return full(err)
	}
	if !t.unseen {
		r.changed()
	}
	return nil
}

// commit commits a transaction and takes over what is kept of it in memory. Where the replica stands is told the last: who
// sees a receipt is shown all that it covers.
func (r *Replica) commit(t *tx) error {
	r.turn.Lock()
	defer r.turn.Unlock()
	if err := t.exec(`COMMIT`); err != nil {
		return fmt.Errorf("save: %w", err)
	}
	r.writer = t.writer
	if !t.left.IsZero() {
		clear(r.actors)
		clear(r.byActor)
		r.top.clear()
		t.held = r.builtIn()
		t.goals = goalWork{reset: true, plan: &ranking.Plan{}, rules: t.held.doc.Goals}
	}
	if t.held != nil {
		r.held.Store(t.held)
	}
	for a, id := range t.actors {
		r.actors[a], r.byActor[id] = id, a
	}
	if t.stored != nil {
		r.top.fill(t.stored)
	} else {
		r.top.put(t.people)
	}
	r.habits.put(&t.goals)
	r.committed.Store(&standing{cursor: t.cursor, skew: t.skew, home: t.home, folded: t.folded, forgets: t.forgets, left: t.left, waiting: t.waiting})
	return nil
}

// finish seals the changes that were written, projects what was touched and stores the cursor.
func (t *tx) finish() error {
	if err := t.admit(); err != nil {
		return err
	}
	if err := t.rewrite(); err != nil {
		return err
	}
	for _, name := range sortedKeys(t.docs) {
		if err := t.seal(t.docs[name]); err != nil {
			return err
		}
		if t.docs[name].moved { // once for all that came
			if err := t.saveHeads(t.docs[name]); err != nil {
				return err
			}
		}
	}
	if err := t.project(); err != nil {
		return err
	}
	if t.cursor != t.r.committed.Load().cursor {
		if err := t.setCursor(); err != nil {
			return err
		}
	}
	return nil
}

func (t *tx) setCursor() error {
	for _, kv := range []struct {
		key   string
		value any
	}{{"epoch", t.cursor.Epoch[:]}, {"seq", int64(t.cursor.Seq)}, {"chain", t.cursor.Chain[:]}} {
		if err := t.exec(`UPDATE meta SET value=? WHERE key=?`, kv.value, kv.key); err != nil {
			return err
		}
	}
	return nil
}

// stmt returns a statement of the writing connection, prepared once.
func (t *tx) stmt(q string) (*sql.Stmt, error) {
	if s, ok := t.r.stmts[q]; ok {
		return s, nil
	}
	s, err := t.r.conn.PrepareContext(t.ctx, q)
	if err == nil {
		t.r.stmts[q] = s
	}
	return s, err
}

func (t *tx) exec(q string, args ...any) error {
	_, err := t.execResult(q, args...)
	return err
}

func (t *tx) execResult(q string, args ...any) (sql.Result, error) {
	s, err := t.stmt(q)
	if err != nil {
		return nil, err
	}
	return s.ExecContext(t.ctx, args...)
}

// query calls row for each row of the answer; row must not query by itself.
func (t *tx) query(row func(*sql.Rows) error, q string, args ...any) error {
	s, err := t.stmt(q)
	if err != nil {
		return err
	}
	rows, err := s.QueryContext(t.ctx, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := row(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}

// contactIDs reads a column of contacts' ids.
func (t *tx) contactIDs(q string, args ...any) (ids []crdt.ContactID, err error) {
	err = t.query(func(rows *sql.Rows) error {
		var b []byte
		err := rows.Scan(&b)
		if err == nil {
			ids = append(ids, crdt.ContactID(b))
		}
		return err
	}, q, args...)
	return ids, err
}

// one reads a single row; found is false when there is none.
func (t *tx) one(dst []any, q string, args ...any) (found bool, err error) {
	s, err := t.stmt(q)
	if err != nil {
		return false, err
	}
	err = s.QueryRowContext(t.ctx, args...).Scan(dst...)
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	return err == nil, err
}

// doc returns the document, making it when it is not there yet.
func (t *tx) doc(name crdt.DocName) (*document, error) {
	if d, ok := t.docs[name]; ok {
		return d, nil
	}
	d := &document{name: name}
	var heads []byte
	found, err := t.one([]any{&d.id, &heads, &d.maxOp}, `SELECT id, heads, max_op FROM documents WHERE name=?`, string(name))
	if err != nil {
		return nil, err
	}
	if !found {
		res, err := t.execResult(`INSERT INTO documents(name, heads, max_op) VALUES(?, zeroblob(0), 0)`, string(name))
		if err != nil {
			return nil, err
		}
		if d.id, err = res.LastInsertId(); err != nil {
			return nil, err
		}
	}
	for len(heads) >= 32 {
		d.heads = append(d.heads, automerge.Hash(heads[:32]))
		heads = heads[32:]
	}
	t.docs[name] = d
	return d, nil
}

func (t *tx) actor(a automerge.ActorID) (int64, error) {
	if id, ok := t.r.actors[a]; ok {
		return id, nil
	}
	if id, ok := t.actors[a]; ok {
		return id, nil
	}
	res, err := t.execResult(`INSERT INTO actors(actor) VALUES(?)`, []byte(a))
	if err != nil {
		return 0, err
	}
	id, err := res.LastInsertId()
	t.actors[a], t.byID[id] = id, a
	return id, err
}

func (t *tx) actorOf(id int64) automerge.ActorID {
	if a, ok := t.r.byActor[id]; ok {
		return a
	}
	return t.byID[id]
}

// put writes a register, over all values that are visible now.
func (t *tx) put(name crdt.DocName, key string, v automerge.Value) error {
	return t.write(name, automerge.Op{Key: key, Action: automerge.Put, Value: v})
}

// del deletes a register; deleting what is not there writes nothing.
func (t *tx) del(name crdt.DocName, key string) error {
	return t.write(name, automerge.Op{Key: key, Action: automerge.Delete})
}

func (t *tx) write(name crdt.DocName, op automerge.Op) error {
	d, err := t.doc(name)
	if err != nil {
		return err
	}
	values, err := t.visible(d, op.Key)
	if err != nil {
		return err
	}
	switch {
	case op.Action == automerge.Delete && len(values) == 0:
		return nil
	case op.Action == automerge.Put && len(values) == 1 && values[0].value == op.Value:
		return nil // it says so already
	}
	for _, v := range values {
		op.Pred = append(op.Pred, v.id)
	}
	if len(d.ops) == 0 {
		if err := t.joinHeads(d); err != nil {
			return err
		}
	}
	id := automerge.OpID{Counter: d.maxOp + 1 + uint64(len(d.ops)), Actor: t.writer}
	d.ops = append(d.ops, op)
	return t.apply(d, id, &op, false)
}

// register is one visible value of a key.
type register struct {
	id    automerge.OpID
	value automerge.Value // Kind >= objectKind: an object
}

func scanRegister(t *tx, rows *sql.Rows, more ...any) (register, error) {
	var v register
	var actor int64
	var str []byte
	if err := rows.Scan(append(more, &v.id.Counter, &actor, &v.value.Kind, &v.value.Num, &str)...); err != nil {
		return v, err
	}
	v.id.Actor, v.value.Str = t.actorOf(actor), string(str)
	return v, nil
}

// visible returns the values of a key, ascending: the last one wins.
func (t *tx) visible(d *document, key string) ([]register, error) {
	var vs []register
	err := t.query(func(rows *sql.Rows) error {
		v, err := scanRegister(t, rows)
		vs = append(vs, v)
		return err
	}, `SELECT ctr, actor, kind, num, str FROM registers WHERE doc=? AND key=?`, d.id, key)
	slices.SortFunc(vs, func(a, b register) int { return a.id.Compare(b.id) })
	return vs, err
}

// keys returns the keys of a document from one up to another, ascending.
func (t *tx) keys(d *document, from, to string) (keys []string, err error) {
	err = t.query(func(rows *sql.Rows) error {
		var key string
		err := rows.Scan(&key)
		keys = append(keys, key)
		return err
	}, `SELECT DISTINCT key FROM registers WHERE doc=? AND key>=? AND key<? ORDER BY key`, d.id, from, to)
	return keys, err
}

// apply brings one operation into the registers by Automerge's rule, as automerge.ApplyOp does in memory: what it names in
// Pred is no longer visible, but that an increment adds to the counters that it names. Operations on objects that we do not materialise change no register.
func (t *tx) apply(d *document, id automerge.OpID, op *automerge.Op, remote bool) error {
	if !op.Obj.IsRoot() || op.IsList {
		return nil
	}
	actor, err := t.actor(id.Actor)
	if err != nil {
		return err
	}
	for _, p := range op.Pred {
		pa, err := t.actor(p.Actor)
		if err != nil {
			return err
		}
		if op.Action == automerge.Increment {
			added, err := t.increment(d.id, op.Key, p.Counter, pa, op.Value.Num)
			if err != nil {
				return err
			}
			if added {
				continue
			}
		}
		err = t.exec(`DELETE FROM registers WHERE doc=? AND key=? AND ctr=? AND actor=?`, d.id, op.Key, int64(p.Counter), pa)
		if err != nil {
			return err
		}
	}
	kind := int64(op.Value.Kind)
	switch op.Action {
	case automerge.Put:
	case automerge.MakeMap, automerge.MakeList, automerge.MakeText, automerge.MakeTable:
		kind = objectKind + int64(op.Action)
	default: // deletes and increments leave no value of their own
		return t.touch(d, op.Key, remote)
	}
	if err := t.exec(`INSERT INTO registers(doc, key, ctr, actor, kind, num, str) VALUES(?,?,?,?,?,?,?)`,
		d.id, op.Key, int64(id.Counter), actor, kind, op.Value.Num, []byte(op.Value.Str)); err != nil {
		return err
	}
	return t.touch(d, op.Key, remote)
}

// increment adds to a counter, if that is what the value is. The sum wraps, which SQLite's would not.
func (t *tx) increment(doc int64, key string, ctr uint64, actor, by int64) (added bool, err error) {
	var num int64
	const counter = int64(automerge.KindCounter)
	found, err := t.one([]any{&num}, `SELECT num FROM registers WHERE doc=? AND key=? AND ctr=? AND actor=? AND kind=?`, doc, key, int64(ctr), actor, counter)
	if err != nil || !found {
		return false, err
	}
	return true, t.exec(`UPDATE registers SET num=? WHERE doc=? AND key=? AND ctr=? AND actor=?`, num+by, doc, key, int64(ctr), actor)
}

// touch notes what the projections have to look at again.
func (t *tx) touch(d *document, key string, remote bool) error {
	switch {
	case d.name == crdt.ContactsDoc:
		c, field, err := crdt.SplitContactKey(key)
		if err != nil {
			return nil // not ours to show
		}
		if _, ok := t.contacts[c]; !ok && remote {
			t.received.contacts++
		}
		t.contacts[c] = struct{}{}
		if remote && field != crdt.FieldCreated && field != crdt.FieldSource { // which nobody typed
			t.edited[contactField{c, field}] = struct{}{}
		}
	case d.name.IsLog():
		if e, err := crdt.ParseEntryID(key); err == nil {
			k := logKey{d.id, key}
			if _, ok := t.entries[k]; !ok && remote {
				t.received.actions++
			}
			t.entries[k] = e
		}
	case d.name == crdt.ProfileDoc:
		if _, ok := crdt.SplitZoneKey(key); ok {
			t.rezone = true
		} else {
			t.goals.replan = true
		}
	}
	return nil
}

// maxHeads is how many changes a change of ours builds on at most. Servers take few more, and each change names all.
const maxHeads = 64

// joinHeads brings the heads of a document down to maxHeads by changes without operations, each of which builds on some. A writer
// of their own writes them: each has to build on what its writer wrote before, and nobody knows which head that of this
// device is under.
func (t *tx) joinHeads(d *document) error {
	if len(d.heads) <= maxHeads {
		return nil
	}
	writer := crdt.NewActor(t.r.device, newWriter())
	actor, err := t.actor(writer)
	if err != nil {
		return err
	}
	var last []automerge.Hash
	for seq := uint64(1); len(d.heads) > maxHeads; seq++ {
		deps := slices.Clone(last)
		for _, h := range d.heads {
			if len(deps) == maxHeads {
				break
			}
			if !slices.Contains(last, h) {
				deps = append(deps, h)
			}
		}
		slices.SortFunc(deps, func(a, b automerge.Hash) int { return bytes.Compare(a[:], b[:]) })
		c := &automerge.Change{Actor: writer, Seq: seq, StartOp: d.maxOp + 1, Time: t.now / 1000, Deps: deps}
		if err := c.Seal(); err != nil {
			return fmt.Errorf("join what was written to %s at the same time: %w", d.name, err)
		}
		if err := t.store(d, c, actor, nil); err != nil {
			return err
		}
		last = []automerge.Hash{c.Hash()}
	}
	return nil
}

// seal writes the change that this transaction made of a document, if it made one.
func (t *tx) seal(d *document) error {
	if len(d.ops) == 0 {
		return nil
	}
	actor, err := t.actor(t.writer)
	if err != nil {
		return err
	}
	var seq int64
	if _, err := t.one([]any{&seq}, `SELECT seq FROM writers WHERE doc=? AND actor=?`, d.id, actor); err != nil {
		return err
	}
	c := &automerge.Change{
		Actor: t.writer, Seq: uint64(seq) + 1, StartOp: d.maxOp + 1, Time: t.now / 1000, Deps: slices.Clone(d.heads), Ops: d.ops,
	}
	if err := c.Seal(); err != nil {
		return fmt.Errorf("write %s: %w", d.name, err)
	}
	if c.Len() > wire.MaxChange {
		return fmt.Errorf("this writes %d bytes at once into %s: do it in smaller parts of at most %d", c.Len(), d.name, wire.MaxChange)
	}
	return t.store(d, c, actor, nil)
}

// store writes the row of a change and moves the document's heads. receipt is its place in the member's order, if known.
func (t *tx) store(d *document, c *automerge.Change, actor int64, receipt any) error {
	if err := t.insert(nil, d, c, actor, t.now, receipt); err != nil {
		return err
	}
	if t.waiting > 0 {
		t.came = append(t.came, c.Hash())
	}
	d.ops, d.moved = nil, true
	return t.advance(d, c, actor)
}

// insert writes the row of a change; a nil id is the next one.
func (t *tx) insert(id any, d *document, c *automerge.Change, actor, at int64, receipt any) error {
	h := c.Hash()
	return t.exec(`INSERT INTO changes(id, doc, hash, actor, seq, max_op, chunk, at, receipt) VALUES(?,?,?,?,?,?,?,?,?)`,
		id, d.id, h[:], actor, int64(c.Seq), int64(c.MaxOp()), c.Raw(), at, receipt)
}

// advance moves the heads of a document and the sequence of a writer past a change.
func (t *tx) advance(d *document, c *automerge.Change, actor int64) error {
	h := c.Hash()
	d.maxOp = max(d.maxOp, c.MaxOp())
	d.heads = slices.DeleteFunc(d.heads, func(x automerge.Hash) bool { return slices.Contains(c.Deps, x) })
	at, _ := slices.BinarySearchFunc(d.heads, h, func(a, b automerge.Hash) int { return bytes.Compare(a[:], b[:]) })
	d.heads = slices.Insert(slices.Clip(d.heads), at, h)
	return t.exec(`INSERT INTO writers(doc, actor, seq) VALUES(?,?,?) ON CONFLICT(doc, actor) DO UPDATE SET seq=excluded.seq`,
		d.id, actor, int64(c.Seq))
}

func (t *tx) saveHeads(d *document) error {
	heads := []byte{}
	for _, x := range d.heads {
		heads = append(heads, x[:]...)
	}
	return t.exec(`UPDATE documents SET heads=?, max_op=? WHERE id=?`, heads, int64(d.maxOp), d.id)
}

// replay makes the registers of documents anew from their changes, and has all that they show projected again.
func (t *tx) replay(ds ...*document) error {
	docs := map[crdt.DocName]*document{}
	for _, d := range ds {
		err := t.query(func(rows *sql.Rows) error { // what is there now may not be there afterwards
			var key string
			if err := rows.Scan(&key); err != nil {
				return err
			}
			return t.touch(d, key, false)
		}, `SELECT DISTINCT key FROM registers WHERE doc=?`, d.id)
		if err != nil {
			return err
		}
		for _, q := range []string{`DELETE FROM registers WHERE doc=?`, `DELETE FROM writers WHERE doc=?`} {
			if err := t.exec(q, d.id); err != nil {
				return err
			}
		}
		d.heads, d.maxOp, d.ops = nil, 0, nil
		docs[d.name] = d
	}
	err := t.history(docs, func(d *document, c *automerge.Change) error {
		actor, err := t.actor(c.Actor)
		if err != nil {
			return err
		}
		for i := range c.Ops {
			if err := t.apply(d, c.OpID(i), &c.Ops[i], false); err != nil {
				return err
			}
		}
		return t.advance(d, c, actor)
	})
	if err != nil {
		return err
	}
	for _, d := range ds {
		if err := t.saveHeads(d); err != nil {
			return err
		}
	}
	return nil
}

// Rebuild makes everything but the changes themselves anew from them. Its rows equal those that were kept up to date
// change by change.
func (r *Replica) Rebuild(ctx context.Context) error {
	return r.update(ctx, (*tx).rebuild)
}

func (t *tx) rebuild() error {
	var names []crdt.DocName
	err := t.query(func(rows *sql.Rows) error {
		var n crdt.DocName
		err := rows.Scan(&n)
		names = append(names, n)
		return err
	}, `SELECT name FROM documents`)
	if err != nil {
		return err
	}
	t.goals.all = true
	for _, q := range []string{`DELETE FROM contacts`, `DELETE FROM entries`, `DELETE FROM facts`, `DELETE FROM awards`, `DELETE FROM voids`} {
		if err := t.exec(q); err != nil {
			return err
		}
	}
	ds := make([]*document, len(names))
	for i, n := range names {
		if ds[i], err = t.doc(n); err != nil {
			return err
		}
	}
	return t.replay(ds...)
}
