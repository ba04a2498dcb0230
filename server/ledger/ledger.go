// Package ledger reads a member's documents out of the member's order in the store: every change once, and of log entries the one
// that counts. What is made of them is the caller's.
package ledger

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"trio/crdt"
	"trio/crdt/automerge"
	"trio/crdt/wire"
	"trio/server/store"
)

// Orders is what is read of the store.
type Orders interface {
	Head(ctx context.Context, m crdt.MemberID) (wire.Receipt, error)
	Since(ctx context.Context, m crdt.MemberID, after uint64, limit, maxBytes int) (store.Page, error)
}

// Read calls take with every change of a member's order, up to where it stood when Read began, and returns how far that was. A
// change that cannot be read is told to bad, and the rest goes on. An error of take ends it and is returned.
func Read(ctx context.Context, st Orders, id crdt.MemberID, take func(crdt.DocName, *automerge.Change) error, bad func(doc crdt.DocName, why string)) (upto uint64, err error) {
	head, err := st.Head(ctx, id)
	if err != nil {
		return 0, err
	}
	for at := uint64(0); at < head.Seq; {
		page, err := st.Since(ctx, id, at, 0, 0)
		if err != nil {
			return 0, err
		}
		if page.At.Seq <= at {
			return 0, fmt.Errorf("nothing comes after change %d of %d: restore the database from a backup", at, head.Seq)
		}
		at = page.At.Seq
		if page.Segment != nil {
			items, err := page.Segment.Open()
			if err != nil {
				return 0, err
			}
			for i := range items {
				if err := take(items[i].Doc, items[i].Change); err != nil {
					return 0, err
				}
			}
		}
		for _, c := range page.Changes {
			change, err := automerge.ParseChange(c.Raw)
			if err != nil {
				bad(c.Doc, fmt.Sprintf("change %d: %v", c.Seq, err))
				continue
			}
			if err := take(c.Doc, change); err != nil {
				return 0, err
			}
		}
		upto = at
	}
	return upto, nil
}

// Actors keep one copy of each writer's name, and a number for it.
type Actors struct {
	numbers map[automerge.ActorID]uint32
	names   []automerge.ActorID
}

// Number returns the number of a writer.
func (a *Actors) Number(actor automerge.ActorID) uint32 {
	n, ok := a.numbers[actor]
	if !ok {
		if a.numbers == nil {
			a.numbers = map[automerge.ActorID]uint32{}
		}
		actor = automerge.ActorID(strings.Clone(string(actor)))
		n = uint32(len(a.names))
		a.numbers[actor] = n
		a.names = append(a.names, actor)
	}
	return n
}

// Apply applies an operation to the register of a key, and returns how many values and keys more are held. Of a text only the first
// keep bytes are kept, and nothing of the change's bytes is.
func (a *Actors) Apply(registers map[string][]automerge.Entry, key string, id automerge.OpID, op *automerge.Op, keep int) (more int) {
	o := automerge.Op{Action: op.Action, Pred: op.Pred, Value: op.Value}
	o.Value.Str = strings.Clone(op.Value.Str[:min(len(op.Value.Str), keep)])
	id.Actor = a.names[a.Number(id.Actor)]
	was, ok := registers[key]
	is := automerge.ApplyOp(was, id, &o)
	if !ok {
		key = strings.Clone(key)
		more++ // it is held even if all values of it are gone
	}
	registers[key] = is
	return more + max(len(is)-len(was), 0)
}

// Log is the log of a member, an entry once: what was read of it as a T. The zero value is empty.
type Log[T any] struct {
	Actors
	of     map[key]version
	values []T
	months []crdt.DocName
	place  map[crdt.DocName]uint32 // in months: a member may write in as many as there are names
}

type key struct {
	id    crdt.EntryID
	month uint32
}

// version is the value of an entry that wins.
type version struct {
	counter uint64
	actor   uint32
	value   int32 // -1: it cannot be read, and hides what it won against all the same
}

// Len is how much is held.
func (l *Log[T]) Len() int { return max(len(l.values), len(l.of)) }

// Take takes an operation on a month's log in. Entries are written once, which the server sees to: of several writers of one the
// greatest operation wins. What is no entry, and what cannot be read, says nothing.
func (l *Log[T]) Take(doc crdt.DocName, id automerge.OpID, op *automerge.Op, read func(crdt.EntryID, *crdt.Entry) T) {
	entry, err := crdt.ParseEntryID(op.Key)
	if err != nil || op.Action != automerge.Put {
		return
	}
	l.Put(doc, entry, id, func() (v T, ok bool) {
		e, err := crdt.ParseEntry(op.Value.Str)
		if err != nil || op.Value.Kind != automerge.KindString {
			return v, false
		}
		return read(entry, &e), true
	})
}

// Put is Take of an entry that was found already.
func (l *Log[T]) Put(doc crdt.DocName, entry crdt.EntryID, id automerge.OpID, read func() (T, bool)) {
	month, ok := l.place[doc]
	if !ok {
		if l.place == nil {
			l.place = map[crdt.DocName]uint32{}
		}
		month = uint32(len(l.months))
		l.place[doc] = month
		l.months = append(l.months, doc)
	}
	k := key{entry, month}
	v := version{id.Counter, l.Number(id.Actor), -1}
	was, ok := l.of[k]
	if ok && (automerge.OpID{Counter: was.counter, Actor: l.names[was.actor]}).Compare(id) > 0 {
		return
	}
	if value, ok := read(); ok {
		v.value = int32(len(l.values))
		l.values = append(l.values, value)
	}
	if l.of == nil {
		l.of = map[key]version{}
	}
	l.of[k] = v
}

// Has says whether there is an entry, one that cannot be read too.
func (l *Log[T]) Has(entry crdt.EntryID) bool {
	for month := range l.months {
		if _, ok := l.of[key{entry, uint32(month)}]; ok {
			return true
		}
	}
	return false
}

// All calls f with each entry, ascending by id: of two months the earlier one that can be read. Months that without names count as
// not there.
func (l *Log[T]) All(without func(crdt.DocName) bool, f func(crdt.EntryID, *T)) {
	type won struct {
		id    crdt.EntryID
		value int32
		month uint32
	}
	all := make([]won, 0, len(l.of))
	for k, v := range l.of {
		if v.value >= 0 && !without(l.months[k.month]) {
			all = append(all, won{k.id, v.value, k.month})
		}
	}
	slices.SortFunc(all, func(a, b won) int {
		return cmp.Or(slices.Compare(a.id[:], b.id[:]), cmp.Compare(l.months[a.month], l.months[b.month]))
	})
	for i := range all {
		if i == 0 || all[i].id != all[i-1].id {
			f(all[i].id, &l.values[all[i].value])
		}
	}
}
