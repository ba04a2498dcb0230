package automerge

import "slices"

// Entry is one visible value of a key.
type Entry struct {
	ID     OpID   // the operation that put it
	Action Action // Put for a scalar; MakeMap, MakeList, MakeText or MakeTable for an object, which ID names
	Value  Value  // the scalar; of a counter, with the increments so far added
}

// IsObject reports whether the entry is an object, which this package carries and does not materialise.
func (e Entry) IsObject() bool { return e.Action != Put }

// ApplyOp applies one operation on a key to the visible entries of that key, by Automerge's rule, and returns those that
// are visible afterwards, ascending by ID, so that the last one wins. It looks at Action, Value and Pred of op only;
// which object and key they belong to is the caller's business. Operations are applied in causal order, each once; among
// concurrent ones any order gives the same result.
//
//   - put, make: the entries named in Pred go, the new one is inserted
//   - delete: the entries named in Pred go
//   - increment: is added to each entry named in Pred that is a counter (two's complement: it wraps); an entry named
//     there that is no counter goes, as in the official engine
//   - mark: nothing
//
// ApplyOp takes visible over, as append does: it may write to its array, and the caller uses only what is returned.
func ApplyOp(visible []Entry, id OpID, op *Op) []Entry {
	if op.Action == Mark {
		return visible
	}
	if len(op.Pred) > 0 {
		kept := visible[:0]
		for _, e := range visible {
			if _, named := slices.BinarySearchFunc(op.Pred, e.ID, OpID.Compare); named {
				if op.Action != Increment || e.IsObject() || e.Value.Kind != KindCounter {
					continue
				}
				e.Value.Num += op.Value.Num
			}
			kept = append(kept, e)
		}
		visible = kept
	}
	if op.Action == Delete || op.Action == Increment {
		return visible
	}
	i := len(visible)
	for i > 0 && visible[i-1].ID.Compare(id) > 0 {
		i--
	}
	return slices.Insert(visible, i, Entry{ID: id, Action: op.Action, Value: op.Value})
}

// Winner returns the entry that readers of the key see: the last. It is false when none is visible.
func Winner(visible []Entry) (Entry, bool) {
	if len(visible) == 0 {
		return Entry{}, false
	}
	return visible[len(visible)-1], true
}
