package automerge_test

import (
	"encoding/hex"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"trio/crdt/automerge"
)

// npmSync is a site of npm's engine, in a child that several sites share.
type npmSync struct {
	child *npmChild
	doc   int
}

func newNpmSync(t testing.TB, child *npmChild, actor automerge.ActorID) *npmSync {
	s := &npmSync{child, child.must(t, npmRequest{Cmd: "new", Actor: hex.EncodeToString([]byte(actor))}).Doc}
	t.Cleanup(func() {
		// What ends with an error has said so already.
		_, _ = child.call(npmRequest{Cmd: "free", Doc: s.doc})
	})
	return s
}

// state is the name of a connection in the child.
func (s *npmSync) state(peer string) string { return fmt.Sprint(s.doc, " with ", peer) }

func (s *npmSync) write(t testing.TB, r *rand.Rand, keys []string) {
	s.put(t, keys[r.IntN(len(keys))], r.Int64N(1e9))
}

func (s *npmSync) put(t testing.TB, key string, n int64) {
	t.Helper()
	s.child.must(t, npmRequest{Cmd: "edit", Doc: s.doc, Ops: []npmOp{{Op: "put", Key: &key, Type: "int", Value: fmt.Sprint(n)}}})
}

func (s *npmSync) open(t testing.TB, peer string, saved []byte) {
	if saved == nil {
		s.child.must(t, npmRequest{Cmd: "syncInit", Peer: s.state(peer)})
		return
	}
	s.child.must(t, npmRequest{Cmd: "decodeSyncState", Peer: s.state(peer), Bytes: saved})
}

func (s *npmSync) save(t testing.TB, peer string) []byte {
	return s.child.must(t, npmRequest{Cmd: "encodeSyncState", Peer: s.state(peer)}).Bytes
}

func (s *npmSync) generate(t testing.TB, peer string) []byte {
	return s.child.must(t, npmRequest{Cmd: "syncGenerate", Doc: s.doc, Peer: s.state(peer)}).Bytes
}

func (s *npmSync) receive(t testing.TB, peer string, b []byte) {
	s.child.must(t, npmRequest{Cmd: "syncReceive", Doc: s.doc, Peer: s.state(peer), Bytes: b})
}

func (s *npmSync) heads(t testing.TB) []string {
	return s.child.must(t, npmRequest{Cmd: "heads", Doc: s.doc}).Heads
}

func (s *npmSync) values(t testing.TB, keys []string) []string {
	winners := map[string]string{}
	for _, k := range s.child.must(t, npmRequest{Cmd: "dump", Doc: s.doc}).Keys {
		winners[k.Key] = k.Values[len(k.Values)-1][1]
	}
	var list []string
	for _, k := range keys {
		if winners[k] == "" {
			winners[k] = "0"
		}
		list = append(list, winners[k])
	}
	return list
}

// TestSyncNpmHistories: sites of ours between sites of npm's engine. Between two of npm's the messages are of version 2,
// which is theirs; each of ours makes them speak version 1.
func TestSyncNpmHistories(t *testing.T) {
	child := startNpm(t)
	syncHistories(t, 50, func(t testing.TB, r *rand.Rand) []syncSite {
		list := []syncSite{randomOurs(r, 0), newNpmSync(t, child, syncActor(r, 1))}
		for i := range r.IntN(4) {
			if r.IntN(2) == 0 {
				list = append(list, randomOurs(r, 2+i))
			} else {
				list = append(list, newNpmSync(t, child, syncActor(r, 2+i)))
			}
		}
		r.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
		return list
	})
}

func TestSyncNpmLost(t *testing.T) {
	child := startNpm(t)
	syncLost(t, func(t testing.TB) syncSite { return newNpmSync(t, child, "a") })
}

// TestSyncNpmMessages: npm's engine reads of our messages what we wrote, and we of its messages what it wrote.
func TestSyncNpmMessages(t *testing.T) {
	child := startNpm(t)
	names := func(list []automerge.Hash) []string {
		var s []string
		for _, h := range list {
			s = append(s, h.String())
		}
		return s
	}
	compare := func(who string, b []byte) {
		t.Helper()
		m, err := automerge.ParseSyncMessage(b)
		if err != nil {
			t.Fatalf("%s: %v\n%x", who, err, b)
		}
		a := child.must(t, npmRequest{Cmd: "decodeSyncMessage", Bytes: b})
		if !slices.Equal(names(m.Heads), a.Heads) || !slices.Equal(names(m.Need), a.Need) || len(m.Have) != len(a.Have) ||
			!slices.EqualFunc(m.Changes, a.Changes, slices.Equal) {
			t.Fatalf("%s: %+v, npm reads %+v", who, m, a)
		}
		for i, h := range m.Have {
			if !slices.Equal(names(h.LastSync), a.Have[i].LastSync) || !slices.Equal(h.Bloom.Append(nil), a.Have[i].Bloom) {
				t.Fatalf("%s: %+v, npm reads %+v", who, h, a.Have[i])
			}
		}
		if got := m.Encode(); !slices.Equal(got, b) {
			t.Fatalf("%s: %x, read and written again %x", who, b, got)
		}
	}
	a, b := newOurSync("a"), newNpmSync(t, child, "b")
	n := pair(a, b)
	l := n.links[0]
	n.connect(t, l)
	both := 0
	for i := range 6 {
		for range 30 {
			a.put(t, "a", automerge.Value{Kind: automerge.KindInt, Num: int64(i)})
			b.put(t, "b", int64(i))
		}
		for range 8 {
			for side, who := range []string{"ours", "npm's"} {
				if n.speak(t, l, side) {
					both |= 1 << side
					compare(who, l.under[1-side][0])
					n.hear(t, l, 1-side)
				}
			}
		}
		n.settle(t, 0)
		n.same(t, []string{"a", "b"})
	}
	if both != 3 {
		t.Error("one of both was silent")
	}
}

// TestSyncNpmVersion2: what two of npm's engine say to each other is refused by its version, or is of version 1.
func TestSyncNpmVersion2(t *testing.T) {
	child := startNpm(t)
	a, b := newNpmSync(t, child, "a"), newNpmSync(t, child, "b")
	a.put(t, "a", 1)
	n := pair(a, b)
	l := n.links[0]
	n.connect(t, l)
	seen := map[byte]int{}
	for range 4 {
		for side := range 2 {
			if !n.speak(t, l, side) {
				continue
			}
			m := l.under[1-side][0]
			seen[m[0]]++
			_, err := automerge.ParseSyncMessage(m)
			if v2 := m[0] == 0x43; v2 != errors.Is(err, automerge.ErrSyncVersion) || !v2 && err != nil {
				t.Errorf("%x: %v", m, err)
			}
			n.hear(t, l, 1-side)
		}
	}
	if seen[0x42] == 0 || seen[0x43] == 0 {
		t.Errorf("messages by their first byte: %v", seen)
	}
}
