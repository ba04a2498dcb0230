package ledger

import (
	"testing"
	"time"

	"trio/crdt"
	"trio/crdt/automerge"
)

// TestMonthsWithoutEnd: a member may write in each month that has a name, and no two of them are taken for one.
func TestMonthsWithoutEnd(t *testing.T) {
	var l Log[int]
	n, id := 0, crdt.EntryID{6: 0x40, 8: 0x80}
	began := time.Now()
	for year := 1; year < 6000; year++ {
		for month := time.January; month <= time.December; month++ {
			at := n
			l.Put(crdt.LogDoc(time.Date(year, month, 1, 0, 0, 0, 0, time.UTC)), id, automerge.OpID{Counter: uint64(n)}, func() (int, bool) { return at, true })
			n++
		}
	}
	if l.Len() != n || !l.Has(id) {
		t.Errorf("%d entries in %d months", l.Len(), n)
	}
	first := -1
	l.All(func(doc crdt.DocName) bool { return doc == "log-0001-01" }, func(_ crdt.EntryID, v *int) { first = *v })
	if first != 1 {
		t.Errorf("of one entry in many months number %d is taken, not the earliest that can be read", first)
	}
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("that took %v", took)
	}
}
