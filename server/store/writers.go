package store

import (
	"database/sql/driver"
	"fmt"
	"slices"

	"trio/crdt/automerge"
)

// fewWriters is how many writers of a document are read at each push. Devices are few; of a crowd, as other programs make
// that draw a new name each time they load the document, only those are read that a push is about. Databases depend on it.
const fewWriters = 16

// What is known of an actor's work in one document: its last sequence number, greatest operation counter and last change,
// the place of that in the member's order, whether nothing builds on it yet (head), and whether it builds on all that
// came before it in the document (whole).
type progress struct {
	seq, maxop, at uint64
	last           automerge.Hash
	head, whole    bool
	stored         bool // there is a row
	changed        bool // it is to be written
}

// scanWriter reads a row of writers from its actor on.
func scanWriter(row []driver.Value) (automerge.ActorID, *progress) {
	return automerge.ActorID(row[0].([]byte)), &progress{
		seq: uint64(row[1].(int64)), maxop: uint64(row[2].(int64)), last: automerge.Hash(row[3].([]byte)),
		head: row[4].(int64) != 0, at: uint64(row[5].(int64)), whole: row[6].(int64) != 0, stored: true,
	}
}

const writerColumns = "actor, seq, maxop, last, head, at, whole"

func flag(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

// docReader reads who has written a document, and how far. Committer and readers have one each.
type docReader struct {
	firstWriters, crowd, writerOf, headOf *stmt
}

func (q *docReader) texts() []text {
	of := "SELECT " + writerColumns + " FROM writers"
	return []text{
		{&q.firstWriters, of + fmt.Sprintf(" WHERE member = ? AND doc = ? LIMIT %d", fewWriters+1)},
		{&q.crowd, "SELECT writers, heads, top FROM crowds WHERE member = ? AND doc = ?"},
		{&q.writerOf, of + " WHERE member = ? AND doc = ? AND actor = ?"},
		{&q.headOf, of + " INDEXED BY writers_heads WHERE member = ? AND doc = ? AND last = ? AND head = 2"}, // not by the key: it would read all
	}
}

// docState is a document of the member, with the items so far.
type docState struct {
	writers map[automerge.ActorID]*progress // all of them, or of a crowd those that were asked for
	byLast  map[automerge.Hash]*progress
	count   int    // writers
	heads   int    // of them
	top     uint64 // the greatest operation counter
	crowd   bool   // in the database
	changed bool
}

func newDocState() *docState {
	return &docState{writers: map[automerge.ActorID]*progress{}, byLast: map[automerge.Hash]*progress{}}
}

func (d *docState) put(actor automerge.ActorID, w *progress) {
	d.writers[actor], d.byLast[w.last] = w, w
}

// read returns a document as it is stored.
func (q *docReader) read(member, doc int64) (*docState, error) {
	d := newDocState()
	if err := q.firstWriters.each(func(row []driver.Value) bool {
		actor, w := scanWriter(row)
		d.put(actor, w)
		d.count++
		d.top = max(d.top, w.maxop)
		if w.head {
			d.heads++
		}
		return true
	}, member, doc); err != nil || d.count <= fewWriters {
		return d, err
	}
	row, err := q.crowd.row(member, doc)
	if err != nil {
		return nil, err
	}
	if row == nil {
		return nil, fmt.Errorf("document %d of member %d has lost the count of its writers: restore the database from a backup", doc, member)
	}
	d.crowd, d.count, d.heads, d.top = true, int(row[0].(int64)), int(row[1].(int64)), uint64(row[2].(int64))
	return d, nil
}

// learn reads what d has to know of a crowd to judge a change: its writer, and which heads it builds on. What was read
// before has counted items since, so the database is not asked again.
func (q *docReader) learn(d *docState, member, doc int64, c *automerge.Change) error {
	if !d.crowd {
		return nil
	}
	ask := func(st *stmt, key []byte) error {
		row, err := st.row(member, doc, key)
		if err != nil || row == nil {
			return err
		}
		if actor, w := scanWriter(row); d.writers[actor] == nil {
			d.put(actor, w)
		}
		return nil
	}
	if d.writers[c.Actor] == nil {
		if err := ask(q.writerOf, []byte(c.Actor)); err != nil {
			return err
		}
	}
	for _, h := range c.Deps[:min(len(c.Deps), maxDeps)] {
		if d.byLast[h] == nil {
			if err := ask(q.headOf, h[:]); err != nil {
				return err
			}
		}
	}
	return nil
}

// isWhole reports whether deps, which differ, are all the heads of the document.
func (d *docState) isWhole(deps []automerge.Hash) bool {
	if len(deps) != d.heads {
		return false
	}
	return !slices.ContainsFunc(deps, func(h automerge.Hash) bool {
		w := d.byLast[h]
		return w == nil || !w.head
	})
}

// add counts a change as stored; its place is for the caller to set.
func (d *docState) add(c *automerge.Change) *progress {
	whole := d.isWhole(c.Deps)
	for _, h := range c.Deps {
		if w := d.byLast[h]; w != nil && w.head {
			w.head, w.changed = false, true
			d.heads--
		}
	}
	w := d.writers[c.Actor]
	if w == nil {
		w = &progress{}
		d.writers[c.Actor] = w
		d.count++
	}
	if w.head {
		d.heads-- // what its writer has forgotten, as old databases may say
	}
	delete(d.byLast, w.last)
	w.seq, w.maxop, w.last, w.head, w.whole, w.changed = c.Seq, max(w.maxop, c.MaxOp()), c.Hash(), true, whole, true
	d.byLast[w.last] = w
	d.heads++
	d.top = max(d.top, w.maxop)
	d.changed = true
	return w
}

// grow has all heads written anew when the document has become one of a crowd.
func (d *docState) grow() {
	if d.crowd || d.count <= fewWriters {
		return
	}
	for _, w := range d.writers {
		w.changed = w.changed || w.head
	}
}

// headValue is what stands in writers.head: 2, which is in an index, for the head of a crowd.
func (d *docState) headValue(w *progress) int64 {
	if w.head && d.count > fewWriters {
		return 2
	}
	return flag(w.head)
}
