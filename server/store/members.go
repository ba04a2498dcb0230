package store

import (
	"trio/crdt"
	"trio/crdt/wire"
)

const (
	// maxKnown bounds the members that the writer remembers, about 2 KB each.
	maxKnown = 2048
	// maxKnownDocs bounds the documents of one of them: profile, contacts and the months that are written to.
	maxKnownDocs = 8
)

// memberState is what a push has to know of its member. The writer remembers it from one push to the next, which saves both
// reads of most pushes.
//
// Invariant: what is remembered is what the database says, or what the open transaction has made of it. So it is forgotten
// when a transaction fails, when a push stores nothing or is in doubt, before any job that may change it otherwise, and when
// another connection has committed, which is found out in the transaction, where no other can.
type memberState struct {
	id, tenant  int64
	seq, folded uint64
	chain       wire.Chain
	has, most   int64 // bytes of changes, and how many there may be; 0 for no bound
	docs        map[int64]*docState
}

// recall returns the state of a member, nil if there is none. It is no longer remembered: keep it, once all of it is stored.
func (w *writer) recall(m crdt.MemberID) (*memberState, error) {
	if st := w.known[m]; st != nil {
		delete(w.known, m)
		return st, nil
	}
	row, err := w.member.row(m[:])
	if err != nil || row == nil {
		return nil, err
	}
	st := &memberState{
		id: row[0].(int64), tenant: row[1].(int64), seq: uint64(row[2].(int64)), folded: uint64(row[5].(int64)),
		has: row[6].(int64), most: row[7].(int64), docs: map[int64]*docState{},
	}
	copy(st.chain[:], row[3].([]byte))
	return st, nil
}

// keep remembers the state of a member, but for documents of crowds, of which only a part was read.
func (w *writer) keep(m crdt.MemberID, st *memberState) {
	for doc, d := range st.docs {
		if d.count > fewWriters || len(st.docs) > maxKnownDocs {
			delete(st.docs, doc)
		}
	}
	if len(w.known) >= maxKnown {
		for other := range w.known { // any one
			delete(w.known, other)
			break
		}
	}
	w.known[m] = st
}
