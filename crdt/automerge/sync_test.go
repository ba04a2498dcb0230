package automerge_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"trio/crdt/automerge"
)

// syncSite is a document of one engine with its connections to other sites, which are named by strings.
type syncSite interface {
	// write makes one change of a key, or none.
	write(t testing.TB, r *rand.Rand, keys []string)
	// open begins a connection with what save kept of an earlier one, nil for none.
	open(t testing.TB, peer string, saved []byte)
	save(t testing.TB, peer string) []byte
	// generate returns nil when there is nothing to say.
	generate(t testing.TB, peer string) []byte
	receive(t testing.TB, peer string, message []byte)
	heads(t testing.TB) []string
	values(t testing.TB, keys []string) []string
}

// ourSync keeps its changes as a server does: chunks by hash, some deflated, beside the graph. The document is there for
// the values.
type ourSync struct {
	actor    automerge.ActorID
	doc      *automerge.Doc
	graph    automerge.Graph
	chunks   map[automerge.Hash][]byte
	peers    map[string]*automerge.Sync
	maxBytes int
	timed    bool // no checks of our own and no deflated rows
	rowsOnly bool // no values
}

func newOurSync(actor automerge.ActorID) *ourSync {
	return &ourSync{actor: actor, doc: automerge.NewDoc(), chunks: map[automerge.Hash][]byte{}, peers: map[string]*automerge.Sync{}}
}

func (s *ourSync) add(c *automerge.Change) error {
	ready, err := s.graph.Add(c)
	for _, c := range ready {
		s.chunks[c.Hash()] = c.Raw()
		if len(s.chunks)%3 == 0 && !s.timed {
			s.chunks[c.Hash()] = automerge.Deflate(c.Raw())
		}
	}
	if s.rowsOnly {
		return err
	}
	return errors.Join(err, s.doc.Apply(ready...))
}

func (s *ourSync) chunk(h automerge.Hash) ([]byte, error) {
	if b := s.chunks[h]; b != nil {
		return b, nil
	}
	return nil, fmt.Errorf("no row for %s", h)
}

// put makes a change of its own.
func (s *ourSync) put(t testing.TB, key string, v automerge.Value) *automerge.Change {
	t.Helper()
	tx := s.doc.Begin(s.actor)
	if err := tx.Put(key, v); err != nil {
		t.Fatal(err)
	}
	c, err := tx.Commit(0, "")
	if err != nil {
		t.Fatal(err)
	}
	if err := s.add(c); err != nil {
		t.Fatal(err)
	}
	return c
}

func (s *ourSync) write(t testing.TB, r *rand.Rand, keys []string) {
	s.put(t, keys[r.IntN(len(keys))], automerge.Value{Kind: automerge.KindInt, Num: r.Int64N(1e9)})
}

func (s *ourSync) open(t testing.TB, peer string, saved []byte) {
	s.peers[peer] = &automerge.Sync{MaxBytes: s.maxBytes}
	if saved == nil {
		return
	}
	p, err := automerge.LoadSync(saved)
	if err != nil {
		t.Fatal(err)
	}
	p.MaxBytes = s.maxBytes
	s.peers[peer] = p
}

func (s *ourSync) save(_ testing.TB, peer string) []byte { return s.peers[peer].Save() }

func (s *ourSync) generate(t testing.TB, peer string) []byte {
	m, err := s.peers[peer].Generate(&s.graph, s.chunk)
	if err != nil {
		t.Fatal(err)
	}
	if m == nil {
		return nil
	}
	b := m.Encode()
	if s.timed {
		return b
	}
	again, err := automerge.ParseSyncMessage(b)
	if err != nil || !reflect.DeepEqual(again, m) {
		t.Fatalf("%+v is read as %+v, %v", m, again, err)
	}
	return b
}

func (s *ourSync) receive(t testing.TB, peer string, b []byte) {
	m, err := automerge.ParseSyncMessage(b)
	if err != nil {
		t.Fatalf("%v\n%x", err, b)
	}
	if err := s.peers[peer].Receive(&s.graph, m, s.add); err != nil {
		t.Fatalf("%v\n%x", err, b)
	}
	if s.timed {
		return
	}
	// Nothing of the message may be kept.
	for i := range b {
		b[i] = 0xaa
	}
}

func (s *ourSync) heads(testing.TB) []string {
	var list []string
	for _, h := range s.graph.Heads() {
		list = append(list, h.String())
	}
	return list
}

func (s *ourSync) values(_ testing.TB, keys []string) []string {
	var list []string
	for _, k := range keys {
		v, _ := s.doc.Get(k)
		list = append(list, fmt.Sprint(v.Num))
	}
	return list
}

// syncNet is a set of sites and of connections between them, on which messages are under way.
type syncNet struct {
	sites    []syncSite
	links    []*syncLink
	messages int
	bytes    int
}

type syncLink struct {
	end   [2]int      // sites
	under [2][][]byte // messages on their way to each end
	saved [2][]byte   // what each end kept of the last connection
	told  [2][]string // the heads that each end last said it has, on this connection
	up    bool
}

func (l *syncLink) peer(side int) string { return fmt.Sprint("site ", l.end[1-side]) }

func (n *syncNet) connect(t testing.TB, l *syncLink) {
	for side := range 2 {
		n.sites[l.end[side]].open(t, l.peer(side), l.saved[side])
	}
	l.told = [2][]string{}
	l.up = true
}

// cut loses what is under way; what each side keeps of the connection is for keep to say.
func (n *syncNet) cut(t testing.TB, l *syncLink, keep func(side int, saved []byte) []byte) {
	for side := range 2 {
		l.saved[side] = keep(side, n.sites[l.end[side]].save(t, l.peer(side)))
		l.under[side] = nil
	}
	l.up = false
}

// speak has one side say what it has to say.
func (n *syncNet) speak(t testing.TB, l *syncLink, side int) bool {
	m := n.sites[l.end[side]].generate(t, l.peer(side))
	if m == nil {
		return false
	}
	n.messages++
	n.bytes += len(m)
	l.under[1-side] = append(l.under[1-side], m)
	if said, err := automerge.ParseSyncMessage(m); err == nil {
		l.told[side] = nil
		for _, h := range said.Heads {
			l.told[side] = append(l.told[side], h.String())
		}
	}
	return true
}

// hear delivers the oldest message to one side.
func (n *syncNet) hear(t testing.TB, l *syncLink, side int) bool {
	if len(l.under[side]) == 0 {
		return false
	}
	m := l.under[side][0]
	l.under[side] = l.under[side][1:]
	n.sites[l.end[side]].receive(t, l.peer(side), bytes.Clone(m))
	return true
}

// settle lets all talk until none has anything to say, with at most limit messages.
func (n *syncNet) settle(t testing.TB, limit int) {
	t.Helper()
	from := n.messages
	for busy := true; busy; {
		busy = false
		for _, l := range n.links {
			if !l.up {
				continue
			}
			for side := range 2 {
				for n.hear(t, l, side) {
					busy = true
				}
				busy = n.speak(t, l, side) || busy
			}
		}
		if n.messages-from > limit {
			for _, l := range n.links {
				for side := range 2 {
					if len(l.under[side]) > 0 {
						t.Errorf("under way to %d: %x", l.end[side], l.under[side][0])
					}
				}
			}
			t.Fatalf("%d messages and no end", n.messages-from)
		}
	}
}

// mayStall is a site of an engine that is known to fall silent with changes outstanding.
type mayStall interface{ mayStall() }

// stalled reports whether sites differ, where one may.
func (n *syncNet) stalled(t testing.TB) bool {
	may, differ := false, false
	for _, s := range n.sites {
		_, ok := s.(mayStall)
		may = may || ok
		differ = differ || !slices.Equal(s.heads(t), n.sites[0].heads(t))
	}
	return may && differ
}

// same checks that all sites have the same heads and values.
func (n *syncNet) same(t testing.TB, keys []string) {
	t.Helper()
	for i, s := range n.sites[1:] {
		if got, want := s.heads(t), n.sites[0].heads(t); !slices.Equal(got, want) {
			t.Fatalf("site %d (%T) has heads %v, site 0 %v", i+1, s, got, want)
		}
		if got, want := s.values(t, keys), n.sites[0].values(t, keys); !slices.Equal(got, want) {
			t.Fatalf("site %d (%T) has values %v, site 0 %v", i+1, s, got, want)
		}
	}
}

// told checks that each site of ours has told its peers what it has in the end: who wrote a change sees by that that it came.
func (n *syncNet) told(t testing.TB) {
	t.Helper()
	for _, l := range n.links {
		for side := range 2 {
			s, ours := n.sites[l.end[side]].(*ourSync)
			if ours && !slices.Equal(l.told[side], s.heads(t)) {
				t.Errorf("site %d has heads %v and last told %s of %v", l.end[side], s.heads(t), l.peer(side), l.told[side])
			}
		}
	}
}

// shape connects the sites: in a ring, in a line, to the first, or each to each.
func (n *syncNet) shape(r *rand.Rand) {
	link := func(a, b int) { n.links = append(n.links, &syncLink{end: [2]int{a, b}}) }
	last := len(n.sites) - 1
	shape := r.IntN(4)
	for i := 1; i <= last; i++ {
		switch shape {
		case 0, 1:
			link(i-1, i)
		case 2:
			link(0, i)
		case 3:
			for j := range i {
				link(j, i)
			}
		}
	}
	if shape == 0 && last > 1 {
		link(last, 0)
	}
}

// syncHistories runs random histories of what sites makes. Each prints its seed when it fails.
func syncHistories(t *testing.T, histories int, sites func(t testing.TB, r *rand.Rand) []syncSite) {
	t.Helper()
	if testing.Short() {
		histories = (histories + 9) / 10
	}
	base := uint64(time.Now().UnixNano())
	for h := range histories {
		seed := base + uint64(h)
		if !t.Run(fmt.Sprint("seed=", seed), func(t *testing.T) { syncHistory(t, seed, sites) }) {
			return
		}
	}
}

func syncHistory(t *testing.T, seed uint64, sites func(t testing.TB, r *rand.Rand) []syncSite) {
	r := rand.New(rand.NewPCG(seed, 1))
	keys := []string{"a", "b", "c", "d"}
	n := &syncNet{sites: sites(t, r)}
	n.shape(r)
	for _, l := range n.links {
		n.connect(t, l)
	}
	// Some histories are long enough for filters that hold what they should not.
	burst := 1
	if r.IntN(4) == 0 {
		burst = 150
	}
	writes := 0
	steps := 20 + r.IntN(150)
	for range steps {
		l, side := n.links[r.IntN(len(n.links))], r.IntN(2)
		switch p := r.IntN(20); {
		case p < 6:
			times := 1
			if r.IntN(6) == 0 {
				times = 1 + r.IntN(burst)
			}
			s := n.sites[r.IntN(len(n.sites))]
			for range times {
				s.write(t, r, keys)
				writes++
			}
		case p < 7 && l.up:
			n.cut(t, l, func(side int, saved []byte) []byte {
				switch r.IntN(4) {
				case 0:
					return nil // forgotten
				case 1:
					return l.saved[side] // restored from a backup
				}
				return saved
			})
		case !l.up:
			n.connect(t, l)
		case p < 13:
			n.speak(t, l, side)
		default:
			n.hear(t, l, side)
		}
	}
	for _, l := range n.links {
		if !l.up {
			n.connect(t, l)
		}
	}
	limit := len(n.links) * (2*writes + 60)
	n.settle(t, limit)
	for try := 0; try < 3 && n.stalled(t); try++ {
		t.Log("an old engine has fallen silent: all connect anew")
		for _, l := range n.links {
			n.cut(t, l, func(int, []byte) []byte { return nil })
			n.connect(t, l)
		}
		n.settle(t, limit)
	}
	n.same(t, keys)
	n.told(t)
	before := n.messages
	n.settle(t, 0)
	if n.messages != before {
		t.Errorf("%d messages after all was said", n.messages-before)
	}
	t.Logf("%d sites, %d links, %d changes, %d messages, %d bytes", len(n.sites), len(n.links), writes, n.messages, n.bytes)
}

func syncActor(r *rand.Rand, i int) automerge.ActorID {
	b := make([]byte, 1+r.IntN(16))
	for j := range b {
		b[j] = byte(r.Uint32())
	}
	b[0] = byte(i) // no two alike
	return automerge.ActorID(b)
}

func randomOurs(r *rand.Rand, i int) *ourSync {
	s := newOurSync(syncActor(r, i))
	s.maxBytes = []int{0, 0, 1, 200, 2000}[r.IntN(5)]
	return s
}

func TestSyncHistories(t *testing.T) {
	syncHistories(t, 100, func(_ testing.TB, r *rand.Rand) []syncSite {
		var list []syncSite
		for i := range 2 + r.IntN(4) {
			list = append(list, randomOurs(r, i))
		}
		return list
	})
}

// TestSyncTellsWhatCame: a change crosses ours on its way, and before we speak again the peer has what we have. It is still
// told that we have its change: nothing else says that to who wrote it.
func TestSyncTellsWhatCame(t *testing.T) {
	a, b := newOurSync("a"), newOurSync("b")
	n := pair(a, b)
	l := n.links[0]
	n.connect(t, l)
	a.put(t, "k", automerge.Value{Kind: automerge.KindInt, Num: 1})
	n.settle(t, 10)
	a.put(t, "a", automerge.Value{Kind: automerge.KindInt, Num: 1})
	b.put(t, "b", automerge.Value{Kind: automerge.KindInt, Num: 1})
	n.speak(t, l, 0)
	n.speak(t, l, 1)
	n.hear(t, l, 1)
	n.speak(t, l, 1) // it has both, and says so
	for n.hear(t, l, 0) {
	}
	if len(l.told[1]) != 2 || !slices.Equal(l.told[1], a.heads(t)) {
		t.Fatalf("site 1 told %v, site 0 has %v", l.told[1], a.heads(t))
	}
	if !n.speak(t, l, 0) {
		t.Fatal("site 0 is silent about the change that came")
	}
	n.settle(t, 0)
	n.told(t)
}

func pair(a, b syncSite) *syncNet {
	return &syncNet{sites: []syncSite{a, b}, links: []*syncLink{{end: [2]int{0, 1}}}}
}

func TestSyncLost(t *testing.T) {
	syncLost(t, func(testing.TB) syncSite { return newOurSync("a") })
}

// syncLost: a site that lost all, or that was restored from a backup, gets everything again from the site that keeper
// makes, whichever side kept what was shared, and what it made since is not lost to the other.
func syncLost(t *testing.T, keeper func(testing.TB) syncSite) {
	for _, aKeeps := range []bool{true, false} {
		for _, bKeeps := range []bool{true, false} {
			for _, backup := range []int{0, 7} {
				t.Run(fmt.Sprintf("keeps=%v,%v,backup=%d", aKeeps, bKeeps, backup), func(t *testing.T) {
					r := rand.New(rand.NewPCG(1, 1))
					a, b := keeper(t), newOurSync("b")
					n := pair(a, b)
					n.connect(t, n.links[0])
					var old []*automerge.Change
					for i := range 20 {
						if i == backup {
							old = b.doc.Changes()
						}
						a.write(t, r, []string{"k"})
						n.settle(t, 10)
					}
					n.cut(t, n.links[0], func(side int, saved []byte) []byte {
						if side == 0 && aKeeps || side == 1 && bKeeps {
							return saved
						}
						return nil
					})
					fresh := newOurSync("new")
					for _, c := range old {
						if err := fresh.add(c); err != nil {
							t.Fatal(err)
						}
					}
					fresh.write(t, r, []string{"new"})
					n.sites[1] = fresh
					n.connect(t, n.links[0])
					n.settle(t, 10)
					n.same(t, []string{"k", "new"})
				})
			}
		}
	}
}

// heldByMistake makes a change of key by s that the filter of the others' changes holds by mistake.
func heldByMistake(t *testing.T, s *ourSync, others []automerge.Hash, key string) *automerge.Change {
	t.Helper()
	f := automerge.NewBloom(others)
	for i := range int64(100_000) {
		c := &automerge.Change{Actor: s.actor, Seq: s.graph.Seq(s.actor) + 1, StartOp: s.graph.MaxOp() + 1, Deps: s.graph.Heads()}
		c.Ops = []automerge.Op{
			{Key: key, Action: automerge.Put, Value: automerge.Value{Kind: automerge.KindInt, Num: i}},
		}
		for _, e := range s.doc.Conflicts(key) {
			c.Ops[0].Pred = append(c.Ops[0].Pred, e.ID)
		}
		if err := c.Seal(); err != nil {
			t.Fatal(err)
		}
		if f.Has(c.Hash()) {
			if err := s.add(c); err != nil {
				t.Fatal(err)
			}
			return c
		}
	}
	t.Fatal("no change that the filter holds")
	return nil
}

// TestSyncHeld has filters hold changes by mistake: heads, and whole chains of changes.
func TestSyncHeld(t *testing.T) {
	for _, chain := range []int{1, 2, 5} {
		for _, after := range []int{0, 1, 3} {
			a, b := newOurSync("a"), newOurSync("b")
			var others []automerge.Hash
			for i := range 3 {
				others = append(others, b.put(t, "b", automerge.Value{Kind: automerge.KindInt, Num: int64(i)}).Hash())
			}
			var lost []automerge.Hash
			for range chain {
				lost = append(lost, heldByMistake(t, a, others, "a").Hash())
			}
			for i := range after {
				a.put(t, "a", automerge.Value{Kind: automerge.KindInt, Num: int64(i)})
			}
			n := pair(a, b)
			n.connect(t, n.links[0])
			// b speaks first, so that its filter decides what a sends.
			n.speak(t, n.links[0], 1)
			n.hear(t, n.links[0], 0)
			n.speak(t, n.links[0], 0)
			m, err := automerge.ParseSyncMessage(n.links[0].under[1][0])
			if err != nil {
				t.Fatal(err)
			}
			for _, chunk := range m.Changes {
				c, err := automerge.ParseChange(chunk)
				if err != nil {
					t.Fatal(err)
				}
				if slices.Contains(lost, c.Hash()) {
					t.Fatalf("change %s is sent: the filter does not hold it", c.Hash())
				}
			}
			n.settle(t, 2*chain+8)
			n.same(t, []string{"a", "b"})
		}
	}
}

// TestSyncOrphan: a change that waits for others, which a third site has, does not keep two sites from what they have.
func TestSyncOrphan(t *testing.T) {
	a, b, c := newOurSync("a"), newOurSync("b"), newOurSync("c")
	c.put(t, "c", automerge.Value{Kind: automerge.KindInt, Num: 1})
	orphan := c.put(t, "c", automerge.Value{Kind: automerge.KindInt, Num: 2})
	if err := a.add(orphan); err != nil {
		t.Fatal(err)
	}
	for i := range 30 {
		a.put(t, "a", automerge.Value{Kind: automerge.KindInt, Num: int64(i)})
		b.put(t, "b", automerge.Value{Kind: automerge.KindInt, Num: int64(i)})
	}
	n := pair(a, b)
	n.connect(t, n.links[0])
	n.settle(t, 8)
	n.same(t, []string{"a", "b", "c"})
	if a.graph.Pending() != 1 {
		t.Fatalf("%d changes wait", a.graph.Pending())
	}
	n = pair(b, c)
	n.links = append(n.links, &syncLink{end: [2]int{0, 2}})
	n.sites = append(n.sites, a)
	n.connect(t, n.links[0])
	n.connect(t, n.links[1])
	n.settle(t, 20)
	n.same(t, []string{"a", "b", "c"})
}

// TestSyncRefused: two that refuse each other's changes fall silent, whether the refusal is shown or not.
func TestSyncRefused(t *testing.T) {
	a, b := newOurSync("same"), newOurSync("same")
	a.put(t, "k", automerge.Value{Kind: automerge.KindInt, Num: 1})
	b.put(t, "k", automerge.Value{Kind: automerge.KindInt, Num: 2})
	n := pair(a, b)
	n.connect(t, n.links[0])
	n.speak(t, n.links[0], 0)
	n.hear(t, n.links[0], 1)
	n.speak(t, n.links[0], 1)
	m, err := automerge.ParseSyncMessage(n.links[0].under[0][0])
	if err != nil {
		t.Fatal(err)
	}
	saved := a.peers["site 1"].Save()
	if err := a.peers["site 1"].Receive(&a.graph, m, a.add); !errors.Is(err, automerge.ErrFork) {
		t.Fatal(err)
	}
	if !bytes.Equal(a.peers["site 1"].Save(), saved) {
		t.Fatal("a message that was refused left something")
	}

	sites := []*ourSync{a, b}
	var peers [2]automerge.Sync
	messages := 0
	for quiet := 0; quiet < 2; {
		quiet = 0
		for i, s := range sites {
			m, err := peers[i].Generate(&s.graph, s.chunk)
			if err != nil {
				t.Fatal(err)
			}
			if m == nil {
				quiet++
				continue
			}
			if messages++; messages > 12 {
				t.Fatalf("%d messages and no end", messages)
			}
			if i == 0 {
				peers[1].Received(&b.graph, m) // that it refuses them was found out before
			} else if err := peers[0].Receive(&a.graph, m, func(*automerge.Change) error { return nil }); err != nil {
				t.Fatal(err)
			}
		}
	}
	// Something new is said all the same, and only that.
	c := a.put(t, "k", automerge.Value{Kind: automerge.KindInt, Num: 3})
	m, err = peers[0].Generate(&a.graph, a.chunk)
	if err != nil || m == nil || len(m.Changes) != 1 || !bytes.Equal(m.Changes[0], c.Raw()) {
		t.Fatalf("%+v, %v", m, err)
	}
}

// TestSyncMaxBytes: a message holds no more than it may, and a change that is longer goes alone.
func TestSyncMaxBytes(t *testing.T) {
	a, b := newOurSync("a"), newOurSync("b")
	a.maxBytes = 1000
	for i := range 40 {
		v := automerge.Value{Kind: automerge.KindString, Str: strings.Repeat("x", 100)}
		if i%10 == 5 {
			v.Str = strings.Repeat("x", 3000)
		}
		a.put(t, "k", v)
	}
	n := pair(a, b)
	l := n.links[0]
	n.connect(t, l)
	total := 0
	for range 100 {
		n.speak(t, l, 1)
		n.hear(t, l, 0)
		if !n.speak(t, l, 0) {
			break
		}
		m, err := automerge.ParseSyncMessage(l.under[1][0])
		if err != nil {
			t.Fatal(err)
		}
		size := 0
		for _, c := range m.Changes {
			size += len(c)
		}
		if size > 1000 && len(m.Changes) > 1 {
			t.Fatalf("%d changes of %d bytes", len(m.Changes), size)
		}
		total += len(m.Changes)
		n.hear(t, l, 1)
	}
	if total != 40 {
		t.Errorf("%d changes were sent, not 40", total)
	}
	n.settle(t, 2)
	n.same(t, []string{"k"})
}

// TestSyncFlags: newer engines say more behind a message, and what concerns version 1 is heeded.
func TestSyncFlags(t *testing.T) {
	a := newOurSync("a")
	a.put(t, "k", automerge.Value{Kind: automerge.KindInt, Num: 1})
	ask := automerge.SyncMessage{Have: []automerge.SyncHave{{}}}
	send := func(s *automerge.Sync, flags ...byte) int {
		t.Helper()
		m := ask
		m.Flags = flags
		read, err := automerge.ParseSyncMessage(append(m.Encode(), "what may follow"[:3*min(1, len(flags))]...))
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Receive(&a.graph, read, a.add); err != nil {
			t.Fatal(err)
		}
		out, err := s.Generate(&a.graph, a.chunk)
		if err != nil || out == nil {
			t.Fatal(out, err)
		}
		if out.Flags != nil {
			t.Errorf("our message has flags %x", out.Flags)
		}
		return len(out.Changes)
	}
	for _, test := range []struct {
		flags []byte
		want  int
	}{
		{nil, 1},
		{[]byte{}, 1},
		{[]byte{1, 2}, 1},          // an engine that reads versions 1 and 2
		{[]byte{2, 0x84}, 1},       // one that knows flags
		{[]byte{2, 0x82}, 0},       // and takes no changes
		{[]byte{2, 0x80, 0x82}, 0}, // in another byte
		{[]byte{2, 2}, 1},
	} {
		if got := send(new(automerge.Sync), test.flags...); got != test.want {
			t.Errorf("flags %x: %d changes, not %d", test.flags, got, test.want)
		}
	}
	// A peer that has something, and asks for all of it again.
	b := newOurSync("b")
	ask.Heads = []automerge.Hash{b.put(t, "b", automerge.Value{}).Hash()}
	var s automerge.Sync
	for i, test := range []struct {
		flag byte
		want int
	}{{0x80, 1}, {0x80, 0}, {0x81, 1}, {0x82, 0}, {0x80, 0}, {0x81, 1}} {
		// A change of our own, so that there is something to say.
		if got := send(&s, 2, test.flag); got != test.want {
			t.Errorf("message %d: %d changes, not %d", i, got, test.want)
		}
		ask.Need = []automerge.Hash{numbered(i)}
	}
}

func TestSyncMessageRefused(t *testing.T) {
	hash := strings.Repeat("00", 32)
	for _, test := range []struct{ b, err string }{
		{"", "empty"},
		{"41", "starts with 0x41"},
		{"43", "version 2"},
		{"42", "cut off"},
		{"4201", "cut off"},
		{"4201" + hash, "need"},
		{"42818004" + hash, "65537 is over the limit"},
		{"42ffffffffffffffffff01", "over the limit"},
		{"42ffffffffffffffffff7f", "64 bits"},
		{"42808004" + hash, "cut off"},
		{"42000011", "have, byte 3: 17 is over the limit"},
		{"42000001", "last sync"},
		{"4200000100", "filter"},
		{"420000010001", "filter, byte 6: cut off"},
		{"42000001000401080712", "changes"},
		{"42000001000401000712", "no bits"},
		{"420000010004ff080712", "has 0 bytes, not 1008"},
		{"42000000", "changes"},
		{"42000000818040", "1048577 is over the limit"},
		{"42000000ffff3f", "cut off"},
		{"42000000010b" + strings.Repeat("00", 10), "cut off"},
		{"420000000109" + strings.Repeat("00", 10), "9 bytes are no chunk"},
		{"42000000000200", "flags"},
		{"4200000000ff", "flags"},
	} {
		b, err := hex.DecodeString(test.b)
		if err != nil {
			t.Fatal(err)
		}
		if m, err := automerge.ParseSyncMessage(b); err == nil || !strings.Contains(err.Error(), test.err) {
			t.Errorf("%s: %+v, %v, not %q", test.b, m, err, test.err)
		}
	}
	if _, err := automerge.ParseSyncMessage([]byte{0x43, 0, 0, 0, 0}); !errors.Is(err, automerge.ErrSyncVersion) {
		t.Error(err)
	}
	for _, test := range []struct{ b, err string }{
		{"", "empty"}, {"42", "starts with 0x42"}, {"43", "cut off"}, {"4301", "cut off"}, {"43818004", "over the limit"},
	} {
		b, err := hex.DecodeString(test.b)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := automerge.LoadSync(b); err == nil || !strings.Contains(err.Error(), test.err) {
			t.Errorf("state %s: %v, not %q", test.b, err, test.err)
		}
	}
}

// TestSyncChangeRefused: what is no change is refused by Receive, and a chunk function that errs by Generate; both leave the
// state as it was.
func TestSyncChangeRefused(t *testing.T) {
	a := newOurSync("a")
	c := a.put(t, "k", automerge.Value{Kind: automerge.KindInt, Num: 1})
	saved, err := a.doc.Save()
	if err != nil {
		t.Fatal(err)
	}
	for name, chunk := range map[string][]byte{
		"document": saved,
		"two":      append(c.Raw(), c.Raw()...),
		"checksum": append(c.Raw()[:c.Len()-1], 0xff),
		"nothing":  {},
	} {
		var s automerge.Sync
		m := &automerge.SyncMessage{Heads: []automerge.Hash{c.Hash()}, Changes: [][]byte{chunk}}
		if err := s.Receive(&a.graph, m, a.add); err == nil || !strings.Contains(err.Error(), "change 1 of 1") {
			t.Errorf("%s: %v", name, err)
		}
		if !reflect.DeepEqual(s, automerge.Sync{}) {
			t.Errorf("%s left something", name)
		}
	}
	two := newOurSync("b").doc.Begin("b")
	for _, key := range []string{"x", "y"} {
		if err := two.Put(key, automerge.Value{}); err != nil {
			t.Fatal(err)
		}
	}
	large, err := two.Commit(0, "")
	if err != nil {
		t.Fatal(err)
	}
	for limit, want := range map[int]bool{0: true, 1: false, 2: true} {
		s := automerge.Sync{MaxOps: limit}
		m := &automerge.SyncMessage{Changes: [][]byte{large.Raw()}}
		if err := s.Receive(&a.graph, m, func(*automerge.Change) error { return nil }); (err == nil) != want {
			t.Errorf("2 operations of %d: %v", limit, err)
		}
	}
	var s automerge.Sync
	if err := s.Receive(&a.graph, &automerge.SyncMessage{Have: []automerge.SyncHave{{}}}, a.add); err != nil {
		t.Fatal(err)
	}
	other := newOurSync("b").put(t, "k", automerge.Value{Kind: automerge.KindInt, Num: 1})
	for name, chunk := range map[string]func(automerge.Hash) ([]byte, error){
		"error":    func(automerge.Hash) ([]byte, error) { return nil, errors.New("disk") },
		"nothing":  func(automerge.Hash) ([]byte, error) { return nil, nil },
		"another":  func(automerge.Hash) ([]byte, error) { return other.Raw(), nil },
		"two":      func(automerge.Hash) ([]byte, error) { return append(c.Raw(), c.Raw()...), nil },
		"document": func(automerge.Hash) ([]byte, error) { return saved, nil },
	} {
		if m, err := s.Generate(&a.graph, chunk); err == nil || m != nil {
			t.Errorf("%s: %+v, %v", name, m, err)
		}
	}
	if m, err := s.Generate(&a.graph, a.chunk); err != nil || len(m.Changes) != 1 {
		t.Errorf("after errors: %+v, %v", m, err)
	}
}

func TestSyncSave(t *testing.T) {
	a, b := newOurSync("a"), newOurSync("b")
	n := pair(a, b)
	n.connect(t, n.links[0])
	if got := a.save(t, "site 1"); !bytes.Equal(got, []byte{0x43, 0}) {
		t.Errorf("%x", got)
	}
	c := a.put(t, "k", automerge.Value{Kind: automerge.KindInt, Num: 1})
	n.settle(t, 5)
	h := c.Hash()
	want := append([]byte{0x43, 1}, h[:]...)
	if got := a.save(t, "site 1"); !bytes.Equal(got, want) {
		t.Errorf("%x, not %x", got, want)
	}
	s, err := automerge.LoadSync(append(want, "later"...))
	if err != nil || !bytes.Equal(s.Save(), want) {
		t.Errorf("%v, %+v", err, s)
	}
	// A connection that begins with what was kept costs one message each.
	n.cut(t, n.links[0], func(_ int, saved []byte) []byte { return saved })
	n.connect(t, n.links[0])
	from := n.bytes
	n.settle(t, 2)
	if got := n.bytes - from; got > 200 {
		t.Errorf("%d bytes to say that nothing is new", got)
	}
}

// TestSyncSortsHashes: a peer whose hashes do not ascend is understood.
func TestSyncSortsHashes(t *testing.T) {
	x, y := numbered(1), numbered(2)
	list := []automerge.Hash{x, y, x}
	m := automerge.SyncMessage{Heads: list, Need: list, Have: []automerge.SyncHave{{LastSync: list}}}
	got, err := automerge.ParseSyncMessage(m.Encode())
	if err != nil {
		t.Fatal(err)
	}
	want := []automerge.Hash{x, y}
	slices.SortFunc(want, func(a, b automerge.Hash) int { return bytes.Compare(a[:], b[:]) })
	for _, l := range [][]automerge.Hash{got.Heads, got.Need, got.Have[0].LastSync} {
		if !slices.Equal(l, want) {
			t.Errorf("%v, not %v", l, want)
		}
	}
}

// TestSyncGolden replays a conversation between two documents of automerge-go (testdata/sync.golden, which the reference
// test writes) with ours: each message and each saved state has the same bytes.
func TestSyncGolden(t *testing.T) {
	b, err := os.ReadFile(filepath.Join("testdata", "sync.golden"))
	if err != nil {
		t.Fatal(err)
	}
	sites := map[string]*ourSync{"a": newOurSync("a"), "b": newOurSync("b")}
	other := map[string]string{"a": "b", "b": "a"}
	said := 0
	for i, line := range strings.Split(strings.TrimSpace(string(b)), "\n") {
		f := strings.Fields(line)
		what, who := f[0], f[1]
		s := sites[who]
		var data []byte
		if len(f) > 2 {
			if data, err = hex.DecodeString(f[2]); err != nil {
				t.Fatalf("line %d: %v", i+1, err)
			}
		}
		switch what {
		case "change":
			c, err := automerge.ParseChange(data)
			if err != nil {
				t.Fatalf("line %d: %v", i+1, err)
			}
			if err := s.add(c); err != nil {
				t.Fatalf("line %d: %v", i+1, err)
			}
		case "open":
			s.open(t, other[who], data)
		case "save":
			if got := s.save(t, other[who]); !bytes.Equal(got, data) {
				t.Fatalf("line %d: %s saves %x, not %x", i+1, who, got, data)
			}
		case "quiet":
			if got := s.generate(t, other[who]); got != nil {
				t.Fatalf("line %d: %s says %x, and should be quiet", i+1, who, got)
			}
		case "say":
			said++
			m, err := automerge.ParseSyncMessage(data)
			if err != nil || !bytes.Equal(m.Encode(), data) {
				t.Fatalf("line %d: %v", i+1, err)
			}
			if got := s.generate(t, other[who]); !bytes.Equal(got, data) {
				t.Fatalf("line %d: %s says\n%x, not\n%x", i+1, who, got, data)
			}
			sites[other[who]].receive(t, who, data)
		default:
			t.Fatalf("line %d: %q", i+1, line)
		}
	}
	if said < 8 {
		t.Errorf("only %d messages", said)
	}
}

// restorePeer is one of three peers that lose changes now and then and come back from a backup under another name.
type restorePeer struct {
	graph *automerge.Graph
	raw   map[automerge.Hash][]byte
	order []automerge.Hash
	actor automerge.ActorID
	syncs [3]*automerge.Sync
	saved [3][]byte
}

func (p *restorePeer) add(c *automerge.Change) error {
	ready, err := p.graph.Add(c)
	for _, c := range ready {
		p.raw[c.Hash()] = automerge.Deflate(c.Raw())
		p.order = append(p.order, c.Hash())
	}
	return err
}

// restore puts p back to its first n changes.
func (p *restorePeer) restore(t *testing.T, n int, actor automerge.ActorID) {
	order, raw := p.order[:n], p.raw
	p.graph, p.raw, p.order, p.actor = &automerge.Graph{}, map[automerge.Hash][]byte{}, nil, actor
	for _, h := range order {
		if err := p.add(must(automerge.ParseChange(raw[h]))(t)); err != nil {
			t.Fatal(err)
		}
	}
}

func (p *restorePeer) edit(t *testing.T, r *rand.Rand) {
	for range 1 + r.IntN(6) {
		c := &automerge.Change{
			Actor: p.actor, Seq: p.graph.Seq(p.actor) + 1, StartOp: p.graph.MaxOp() + 1, Deps: p.graph.Heads(),
			Ops: []automerge.Op{{Key: fmt.Sprint(r.Int()), Action: automerge.Put}},
		}
		if err := c.Seal(); err != nil {
			t.Fatal(err)
		}
		if err := p.add(c); err != nil {
			t.Fatal(err)
		}
	}
}

// TestSyncRestored: peers whose history does not fit into a message, and who are restored from backups, are level in the end
// on the connections that they have.
func TestSyncRestored(t *testing.T) {
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 7))
		actors := 0
		actor := func() automerge.ActorID {
			actors++
			return automerge.ActorID(fmt.Sprintf("actor %03d", actors))
		}
		var peers [3]*restorePeer
		link := func(i, j int, keep bool) {
			for _, side := range [][2]int{{i, j}, {j, i}} {
				p, to := peers[side[0]], side[1]
				if s := p.syncs[to]; s != nil {
					p.saved[to] = s.Save()
				}
				s := &automerge.Sync{}
				if b := p.saved[to]; b != nil && keep {
					s = must(automerge.LoadSync(b))(t)
				}
				s.MaxBytes = []int{0, 1, 200, 1000}[r.IntN(4)]
				p.syncs[to] = s
			}
		}
		step := func(from, to int) bool {
			p, q := peers[from], peers[to]
			m := must(p.syncs[to].Generate(p.graph, func(h automerge.Hash) ([]byte, error) { return p.raw[h], nil }))(t)
			if m == nil {
				return false
			}
			back := must(automerge.ParseSyncMessage(m.Encode()))(t)
			if err := q.syncs[from].Receive(q.graph, back, q.add); err != nil {
				t.Fatalf("seed %d: %v", seed, err)
			}
			return true
		}
		for i := range peers {
			peers[i] = &restorePeer{graph: &automerge.Graph{}, raw: map[automerge.Hash][]byte{}, actor: actor()}
			for j := range i {
				link(i, j, false)
			}
		}
		for range 60 {
			i := r.IntN(3)
			j := (i + 1 + r.IntN(2)) % 3
			switch k := r.IntN(20); {
			case k < 5:
				peers[i].edit(t, r)
			case k < 6:
				link(i, j, r.IntN(2) > 0)
			case k == 6:
				// The connections are lost too; what was saved of them survives or does not.
				peers[i].restore(t, r.IntN(len(peers[i].order)+1), actor())
				link(i, (i+1)%3, r.IntN(2) > 0)
				link(i, (i+2)%3, r.IntN(2) > 0)
			default:
				step(i, j)
			}
		}
		steps := 0
		for again := true; again; {
			if again = false; steps > 3000 {
				t.Fatalf("seed %d: no end after %d steps", seed, steps)
			}
			for i := range peers {
				for j := range peers {
					if i != j {
						steps++
						again = step(i, j) || again
					}
				}
			}
		}
		for _, p := range peers[1:] {
			if !slices.Equal(p.graph.Heads(), peers[0].graph.Heads()) {
				t.Errorf("seed %d: not level with %d and %d changes", seed, peers[0].graph.Len(), p.graph.Len())
			}
		}
	}
}
