package hub

import (
	"bytes"
	"slices"
	"sync/atomic"

	"trio/crdt/automerge"
)

// maxNames bounds the names that all connections of a hub keep, 64 MB of them: some hundred devices, each with a year of
// changes, that reconcile at the same time.
const maxNames = 4 << 20

// name is as much of a hash as tells changes of one member apart.
type name [16]byte

func nameOf(h automerge.Hash) name { return name(h[:len(name{})]) }

// names are many changes, by a part of their hash. The zero value has none, and shares room with nobody.
type names struct {
	list   []name // in order once sorted
	shared *atomic.Int64
}

// add takes hashes in, unless they are more than there is room for.
func (n *names) add(list []automerge.Hash) (ok bool) {
	if n.shared != nil && n.shared.Add(int64(len(list))) > maxNames {
		n.shared.Add(-int64(len(list)))
		return false
	}
	n.list = slices.Grow(n.list, len(list))
	for _, h := range list {
		n.list = append(n.list, nameOf(h))
	}
	return true
}

func compareNames(a, b name) int { return bytes.Compare(a[:], b[:]) }

// sort is to be called between the last add and the first has.
func (n *names) sort() { slices.SortFunc(n.list, compareNames) }

func (n *names) has(h automerge.Hash) bool {
	_, ok := slices.BinarySearchFunc(n.list, nameOf(h), compareNames)
	return ok
}

// drop forgets all names.
func (n *names) drop() {
	if n.shared != nil {
		n.shared.Add(-int64(len(n.list)))
	}
	n.list = nil
}
