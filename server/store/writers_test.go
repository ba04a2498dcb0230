package store

import (
	"database/sql/driver"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"trio/crdt"
	"trio/crdt/automerge"
)

// hand is one writer of the tests here.
type hand struct {
	actor automerge.ActorID
	seq   uint64
	last  automerge.Hash
}

// a crowdBench is a document that many write, and what its heads are.
type crowdBench struct {
	*bench
	rnd   *rand.Rand
	hands []*hand
	heads []automerge.Hash
	top   uint64
}

// next returns a change of a writer that builds on all heads, on one of them (and on its own last), or on nothing but that.
func (b *crowdBench) next(h *hand, on int) Item {
	c := &automerge.Change{Actor: h.actor, Seq: h.seq + 1, Time: 1, Ops: b.put(fmt.Sprintf("k%d", b.rnd.IntN(1000))), StartOp: b.top + 1}
	switch {
	case on < 0 || on >= len(b.heads):
		c.Deps = slices.Clone(b.heads)
	default:
		c.Deps = slices.Clone(b.heads[on : on+1])
	}
	if h.seq > 0 && len(c.Deps) != len(b.heads) && !slices.Contains(c.Deps, h.last) {
		c.Deps = append(c.Deps, h.last)
	}
	slices.SortFunc(c.Deps, func(a, b automerge.Hash) int { return slices.Compare(a[:], b[:]) })
	if err := c.Seal(); err != nil {
		b.Fatal(err)
	}
	b.heads = slices.DeleteFunc(b.heads, func(x automerge.Hash) bool { return slices.Contains(c.Deps, x) })
	b.heads = append(b.heads, c.Hash())
	h.seq, h.last, b.top = c.Seq, c.Hash(), c.MaxOp()
	return Item{Doc: crdt.ContactsDoc, Change: c, Carrier: b.device}
}

func (b *crowdBench) newHand() *hand {
	actor := make([]byte, 16)
	for i := range actor {
		actor[i] = byte(b.rnd.Uint32())
	}
	h := &hand{actor: automerge.ActorID(actor)}
	b.hands = append(b.hands, h)
	return h
}

// A database in which crowds were like all other documents, as they were before there was such a thing, is brought to what
// it would be now.
func TestCrowdsOfBefore(t *testing.T) {
	b := &crowdBench{bench: newBench(t), rnd: rand.New(rand.NewPCG(1, 1))}
	for range 60 {
		b.push(b.next(b.newHand(), b.rnd.IntN(len(b.heads)+1)))
	}
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	c, err := dial(b.cfg.Path, "", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	look := func() driver.Value {
		t.Helper()
		v, err := c.value("SELECT group_concat(x, char(10)) FROM (" +
			"SELECT concat_ws(' ', member, doc, hex(actor), seq, maxop, hex(last), head, at, whole) x FROM writers UNION ALL " +
			"SELECT concat_ws(' ', 'crowd', member, doc, writers, heads, top) FROM crowds)")
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	before := look()
	if err := c.exec("DROP INDEX writers_heads; DROP TABLE crowds; UPDATE writers SET head = 1 WHERE head = 2;" + crowds); err != nil {
		t.Fatal(err)
	}
	if after := look(); after != before {
		t.Errorf("writers are\n%s\nwere\n%s", after, before)
	}
}

// What is kept of a crowd is what its writers add up to, whoever writes on whatever, in pushes of any size, folded or not.
func TestCrowdAddsUp(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	b := &crowdBench{bench: newBench(t), rnd: rand.New(rand.NewPCG(seed, 1))}
	c, err := dial(b.cfg.Path, "", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	for i := range 300 {
		var items []Item
		for range 1 + b.rnd.IntN(4) {
			var h *hand
			if len(b.hands) == 0 || b.rnd.IntN(3) == 0 {
				h = b.newHand()
			} else {
				h = b.hands[b.rnd.IntN(len(b.hands))]
			}
			on := b.rnd.IntN(len(b.heads) + 1)
			if len(b.heads) > 40 {
				on = -1
			}
			items = append(items, b.next(h, on))
		}
		b.push(items...)
		if i%40 == 39 {
			if _, err := b.Compact(t.Context(), b.member, 1); err != nil {
				t.Fatal(err)
			}
		}
		n, heads, top, stored := int64(0), int64(0), int64(0), int64(0)
		for _, x := range []struct {
			to   *int64
			text string
		}{
			{&n, "SELECT count(*) FROM writers"},
			{&heads, "SELECT count(*) FROM writers WHERE head <> 0"},
			{&top, "SELECT max(maxop) FROM writers"},
			{&stored, fmt.Sprintf("SELECT count(*) FROM crowds WHERE writers = %d AND heads = %d AND top = %d", len(b.hands), len(b.heads), b.top)},
		} {
			v, err := c.value(x.text)
			if err != nil {
				t.Fatal(err)
			}
			*x.to = v.(int64)
		}
		crowd := int64(0)
		if len(b.hands) > fewWriters {
			crowd = 1
		}
		if int(n) != len(b.hands) || int(heads) != len(b.heads) || uint64(top) != b.top || stored != crowd {
			t.Fatalf("after push %d: %d writers, %d heads, operations up to %d, %d rows of crowds that say so; want %d, %d, %d, %d",
				i, n, heads, top, stored, len(b.hands), len(b.heads), b.top, crowd)
		}
		wrong, err := c.value(fmt.Sprintf("SELECT count(*) FROM writers WHERE head = %d", 2-crowd))
		if err != nil || wrong.(int64) != 0 {
			t.Fatalf("after push %d: %d heads are marked wrongly, %v", i, wrong, err)
		}
	}
}
