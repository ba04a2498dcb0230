//go:build cgo

package automerge_test

import (
	"encoding/hex"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	reference "github.com/automerge/automerge-go"

	"trio/crdt/automerge"
)

// referenceSync is a site of automerge-go. It is given messages that our encoder made, and its own.
type referenceSync struct {
	theirSite
	peers map[string]*reference.SyncState
}

func newReferenceSync(t testing.TB, actor automerge.ActorID) *referenceSync {
	d := reference.New()
	if err := d.SetActorID(hex.EncodeToString([]byte(actor))); err != nil {
		t.Fatal(err)
	}
	return &referenceSync{theirSite{d}, map[string]*reference.SyncState{}}
}

func (s *referenceSync) write(t testing.TB, r *rand.Rand, keys []string) {
	s.put(t, keys[r.IntN(len(keys))], r.Int64N(1e9))
}

func (s *referenceSync) put(t testing.TB, key string, n int64) reference.ChangeHash {
	t.Helper()
	if err := s.doc.Path(key).Set(n); err != nil {
		t.Fatal(err)
	}
	at := time.UnixMilli(0)
	h, err := s.doc.Commit("", reference.CommitOptions{Time: &at})
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func (s *referenceSync) chunk(t testing.TB, h reference.ChangeHash) []byte {
	t.Helper()
	changes, err := s.doc.Changes()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range changes {
		if c.Hash() == h {
			return slices.Clone(c.Save())
		}
	}
	t.Fatalf("no change %s", h)
	return nil
}

func (s *referenceSync) open(t testing.TB, peer string, saved []byte) {
	if saved == nil {
		s.peers[peer] = reference.NewSyncState(s.doc)
		return
	}
	p, err := reference.LoadSyncState(s.doc, saved)
	if err != nil {
		t.Fatal(err)
	}
	s.peers[peer] = p
}

func (s *referenceSync) save(_ testing.TB, peer string) []byte {
	return slices.Clone(s.peers[peer].Save())
}

func (s *referenceSync) generate(_ testing.TB, peer string) []byte {
	m, ok := s.peers[peer].GenerateMessage()
	if !ok {
		return nil
	}
	return slices.Clone(m.Bytes())
}

func (s *referenceSync) receive(t testing.TB, peer string, b []byte) {
	if _, err := s.peers[peer].ReceiveMessage(b); err != nil {
		t.Fatalf("automerge-go: %v\n%x", err, b)
	}
}

// mayStall: this release waits for an answer that covers all it has sent, and says nothing meanwhile unless its heads
// change. Where a filter held a change by mistake, they do not change, and it never asks for that change. Two of its own
// documents stall likewise; later releases do not.
func (s *referenceSync) mayStall() {}

func (s *referenceSync) heads(testing.TB) []string { return s.theirSite.heads() }

func (s *referenceSync) values(t testing.TB, keys []string) []string {
	var list []string
	for _, k := range keys {
		v, err := s.doc.Path(k).Get()
		if err != nil {
			t.Fatal(err)
		}
		n := int64(0)
		if v.Kind() != reference.KindVoid {
			n = v.Int64()
		}
		list = append(list, fmt.Sprint(n))
	}
	return list
}

func TestSyncReferenceHistories(t *testing.T) {
	syncHistories(t, 100, func(t testing.TB, r *rand.Rand) []syncSite {
		list := []syncSite{randomOurs(r, 0), newReferenceSync(t, syncActor(r, 1))}
		for i := range r.IntN(4) {
			if r.IntN(2) == 0 {
				list = append(list, randomOurs(r, 2+i))
			} else {
				list = append(list, newReferenceSync(t, syncActor(r, 2+i)))
			}
		}
		r.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
		return list
	})
}

func TestSyncReferenceLost(t *testing.T) {
	syncLost(t, func(t testing.TB) syncSite { return newReferenceSync(t, "a") })
}

// TestSyncReferenceGolden has two documents of automerge-go talk. TestSyncGolden replays it with ours.
func TestSyncReferenceGolden(t *testing.T) {
	sites := map[string]*referenceSync{"a": newReferenceSync(t, "a"), "b": newReferenceSync(t, "b")}
	other := map[string]string{"a": "b", "b": "a"}
	var log strings.Builder
	note := func(what, who string, data []byte) {
		if data == nil {
			fmt.Fprintf(&log, "%s %s\n", what, who)
			return
		}
		fmt.Fprintf(&log, "%s %s %x\n", what, who, data)
	}
	next := int64(0)
	write := func(who string, times int) {
		for range times {
			h := sites[who].put(t, fmt.Sprint("key ", next%3), next)
			note("change", who, sites[who].chunk(t, h))
			next++
		}
	}
	open := func(saved map[string][]byte) {
		for _, who := range []string{"a", "b"} {
			note("open", who, saved[who])
			sites[who].open(t, other[who], saved[who])
		}
	}
	talk := func() {
		t.Helper()
		for range 20 {
			quiet := 0
			for _, who := range []string{"a", "b"} {
				m := sites[who].generate(t, other[who])
				if m == nil {
					note("quiet", who, nil)
					quiet++
					continue
				}
				note("say", who, m)
				sites[other[who]].receive(t, who, m)
			}
			if quiet == 2 {
				return
			}
		}
		t.Fatal("they do not come to an end")
	}
	write("a", 5)
	open(nil)
	talk() // b has nothing
	write("a", 1)
	write("b", 2)
	talk() // both have something
	saved := map[string][]byte{}
	for _, who := range []string{"a", "b"} {
		saved[who] = sites[who].save(t, other[who])
		note("save", who, saved[who])
	}
	write("a", 40)
	write("b", 30)
	open(saved)
	talk()
	write("b", 3)
	open(map[string][]byte{"a": saved["a"]}) // b forgot
	talk()
	write("a", 30)
	open(nil) // both did: filters over everything
	talk()
	path := filepath.Join("testdata", "sync.golden")
	if flag.Lookup("update").Value.String() == "true" {
		if err := os.WriteFile(path, []byte(log.String()), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if log.String() != string(want) {
		t.Errorf("automerge-go talks otherwise than %s says:\n%s", path, log.String())
	}
}

func init() {
	syncEngines = append(syncEngines, syncEngine{
		name: "automerge-go",
		site: func(b *testing.B, log []*automerge.Change) syncSite {
			s := newReferenceSync(b, "x")
			var chunks []byte
			for _, c := range log {
				chunks = append(chunks, c.Raw()...)
			}
			if err := s.doc.LoadIncremental(chunks); err != nil {
				b.Fatal(err)
			}
			return s
		},
		free: func(*testing.B) {
			runtime.GC()
			runtime.GC()
		},
	})
}
