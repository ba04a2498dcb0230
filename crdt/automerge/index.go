package automerge

import (
	"hash/maphash"
	"math/bits"
)

// index finds the number of a thing by the thing's hash: open addressing over numbers alone, some six bytes for each. The
// things stay with the caller, who numbers them from 0; none is ever taken out.
type index struct {
	slots []int32 // number + 1, or 0; as many as a power of two
	n     int
}

// seed keeps strangers from choosing keys that all fall on one slot.
var seed = maphash.MakeSeed()

// find returns the number with this hash that equal confirms.
func (x *index) find(hash uint64, equal func(int32) bool) (int32, bool) {
	if len(x.slots) == 0 {
		return 0, false
	}
	mask := uint64(len(x.slots) - 1)
	for i := hash & mask; x.slots[i] != 0; i = (i + 1) & mask {
		if n := x.slots[i] - 1; equal(n) {
			return n, true
		}
	}
	return 0, false
}

// add enters the next number, which is not there. hashOf returns the hash of one that was entered before.
func (x *index) add(hash uint64, hashOf func(int32) uint64) {
	if 4*(x.n+1) > 3*len(x.slots) {
		x.grow(x.n+1, hashOf)
	}
	x.enter(hash, int32(x.n))
	x.n++
}

func (x *index) enter(hash uint64, number int32) {
	mask := uint64(len(x.slots) - 1)
	i := hash & mask
	for x.slots[i] != 0 {
		i = (i + 1) & mask
	}
	x.slots[i] = number + 1
}

// grow makes room for n numbers in all.
func (x *index) grow(n int, hashOf func(int32) uint64) {
	size := 1 << bits.Len(uint(max(n+n/3, 4)))
	if size <= len(x.slots) {
		return
	}
	x.slots = make([]int32, size)
	for i := range int32(x.n) {
		x.enter(hashOf(i), i)
	}
}
