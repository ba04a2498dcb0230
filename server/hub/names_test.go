package hub

import (
	"math/rand/v2"
	"sync/atomic"
	"testing"

	"trio/crdt/automerge"
)

func TestNames(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 1))
	hashes := make([]automerge.Hash, 1000)
	for i := range hashes {
		for j := range hashes[i] {
			hashes[i][j] = byte(rnd.Uint32())
		}
	}
	var shared atomic.Int64
	a, b := names{shared: &shared}, names{shared: &shared}
	for i := 0; i < 500; i += 100 {
		if !a.add(hashes[i : i+100]) {
			t.Fatal("no room")
		}
	}
	a.sort()
	for i, h := range hashes {
		if a.has(h) != (i < 500) {
			t.Errorf("has hash %d: %v", i, a.has(h))
		}
	}
	shared.Add(maxNames - 1000)
	if b.add(hashes[:501]) || b.has(hashes[0]) {
		t.Error("more is kept than there is room for")
	}
	if !b.add(hashes[:500]) || b.add(hashes[:1]) {
		t.Error("not as much is kept as there is room for")
	}
	a.drop()
	a.drop()
	if a.has(hashes[0]) || shared.Load() != maxNames-500 {
		t.Errorf("%d names are left, want %d", shared.Load(), maxNames-500)
	}
	if !b.add(hashes[500:]) {
		t.Error("what was dropped makes no room")
	}
}
