// Package storetest is the suite that every engine of store.Store has to pass. Its tests run random operations from
// many goroutines against a model, cut the engine down in various ways, and check after each that nothing
// acknowledged is gone, nothing is there twice, and every order is one order.
//
// It never knows an engine: a Harness opens stores and does to them what only the engine can.
package storetest

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"trio/crdt"
	"trio/crdt/automerge"
	"trio/crdt/wire"
	"trio/server/store"
)

// A Harness is what the suite needs of an engine. dir is an empty folder at first; opening it again opens the same
// store. A nil function skips the tests that need it.
type Harness struct {
	Open func(ctx context.Context, dir string) (store.Store, error)
	// OpenFull opens a store that has room for some hundred kilobytes more, and no more than that.
	OpenFull func(ctx context.Context, dir string) (store.Store, error)
	// MakeNewer marks a closed store as written by a newer build.
	MakeNewer func(dir string) error
	// Nodes says that Open may be called for a folder whose store is open: one store is served by several nodes.
	Nodes bool
	// Faults befall a store while pushes are under way.
	Crash    Fault // its processes die at once: what they have written stays with the system
	PowerCut Fault // so does the system: what was not synced is gone, or is not
	Failover Fault // its machine is gone, and another one takes over
	// Partition cuts the nodes of a store off from each other, or from their database, until heal is called: writes fail or
	// wait, and nothing is acknowledged that the other side could lose.
	Partition func(ctx context.Context, dir string) (heal func() error, err error)
	// Retain drops from a closed store all that old age may drop: every record of the feed.
	Retain func(dir string) error
	// Child returns a command, not started, that opens the store in dir and calls Child with it.
	Child func(dir string) *exec.Cmd
}

// A Fault takes away the stores that are open in a folder, as its name says, and returns the folder in which what is left of
// them opens. From the moment that it is called on their answers do not count any more; they are closed afterwards.
type Fault func(ctx context.Context, dir string) (next string, err error)

// SeedEnv names the environment variable that holds the seed of a run that is to be repeated. The goroutines still meet
// as they like.
const SeedEnv = "STORETEST_SEED"

// Run runs the suite.
func Run(t *testing.T, h Harness) {
	t.Run("Random", func(t *testing.T) { h.random(t) })
	t.Run("Rejections", func(t *testing.T) { h.rejections(t) })
	t.Run("Duplicates", func(t *testing.T) { h.duplicates(t) })
	t.Run("Pages", func(t *testing.T) { h.pages(t) })
	t.Run("Documents", func(t *testing.T) { h.documents(t) })
	t.Run("Compact", func(t *testing.T) { h.compact(t) })
	t.Run("References", func(t *testing.T) { h.references(t) })
	t.Run("Carriers", func(t *testing.T) { h.carriers(t) })
	t.Run("Crowds", func(t *testing.T) { h.crowds(t) })
	t.Run("Honest", func(t *testing.T) { h.honest(t) })
	t.Run("Tenants", func(t *testing.T) { h.tenants(t) })
	t.Run("Tree", func(t *testing.T) { h.tree(t) })
	t.Run("Secrets", func(t *testing.T) { h.secrets(t) })
	t.Run("People", func(t *testing.T) { h.people(t) })
	t.Run("Companies", func(t *testing.T) { h.companies(t) })
	t.Run("Keys", func(t *testing.T) { h.keys(t) })
	t.Run("Members", func(t *testing.T) { h.members(t) })
	t.Run("Deep", func(t *testing.T) { h.deep(t) })
	t.Run("Invites", func(t *testing.T) { h.invites(t) })
	t.Run("Redeem", func(t *testing.T) { h.redeem(t) })
	t.Run("Devices", func(t *testing.T) { h.devices(t) })
	t.Run("Bytes", func(t *testing.T) { h.bytes(t) })
	t.Run("Parked", func(t *testing.T) { h.parked(t) })
	t.Run("TooMuch", func(t *testing.T) { h.tooMuch(t) })
	t.Run("Playbooks", func(t *testing.T) { h.playbooks(t) })
	t.Run("Publishers", func(t *testing.T) { h.publishers(t) })
	t.Run("Folds", func(t *testing.T) { h.folds(t) })
	t.Run("Subscriptions", func(t *testing.T) { h.subscriptions(t) })
	t.Run("Reminders", func(t *testing.T) { h.reminders(t) })
	t.Run("Claims", func(t *testing.T) { h.claims(t) })
	t.Run("Cursors", func(t *testing.T) { h.cursors(t) })
	t.Run("Close", func(t *testing.T) { h.closing(t) })
	t.Run("Full", func(t *testing.T) { h.full(t) })
	t.Run("Newer", func(t *testing.T) { h.newer(t) })
	t.Run("Nodes", func(t *testing.T) { h.nodes(t) })
	t.Run("Retain", func(t *testing.T) { h.retain(t) })
	t.Run("Crash", func(t *testing.T) { h.fault(t, h.Crash) })
	t.Run("PowerCut", func(t *testing.T) { h.fault(t, h.PowerCut) })
	t.Run("Failover", func(t *testing.T) { h.fault(t, h.Failover) })
	t.Run("Partition", func(t *testing.T) { h.partition(t) })
	t.Run("Kill", func(t *testing.T) { h.kill(t) })
}

func seed(t *testing.T) uint64 {
	s := uint64(time.Now().UnixNano())
	if v := os.Getenv(SeedEnv); v != "" {
		var err error
		if s, err = strconv.ParseUint(v, 10, 64); err != nil {
			t.Fatalf("%s: %v", SeedEnv, err)
		}
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("to repeat: %s=%d go test -run '^%s$'", SeedEnv, s, t.Name())
		}
	})
	return s
}

// place is a folder with a store in it, that a test opens and closes.
type place struct {
	t   *testing.T
	h   Harness
	dir string
	store.Store
}

func (h Harness) place(t *testing.T) *place {
	p := &place{t: t, h: h, dir: t.TempDir()}
	p.open(h.Open)
	t.Cleanup(func() {
		if p.Store != nil {
			p.close()
		}
	})
	return p
}

func (p *place) open(fn func(context.Context, string) (store.Store, error)) {
	p.t.Helper()
	s, err := fn(context.Background(), p.dir)
	if err != nil {
		p.t.Fatalf("open: %v", err)
	}
	p.Store = s
}

func (p *place) close() {
	p.t.Helper()
	s := p.Store
	p.Store = nil
	if err := s.Close(); err != nil {
		p.t.Fatalf("close: %v", err)
	}
}

func (p *place) reopen() {
	p.t.Helper()
	p.close()
	p.open(p.h.Open)
}

func (p *place) tenant() store.Tenant {
	p.t.Helper()
	id, err := p.CreateTenant(context.Background(), "a company")
	p.check(err)
	return id
}

func (p *place) member(t store.Tenant) crdt.MemberID {
	p.t.Helper()
	m, err := p.CreateMember(context.Background(), store.Member{Tenant: t, Name: "a member"})
	p.check(err)
	return m
}

func (p *place) device(m crdt.MemberID) (store.Device, string) {
	p.t.Helper()
	d, token, err := p.CreateDevice(context.Background(), m, "a phone")
	p.check(err)
	return d, token
}

// newDevice makes a member of a new company and a device for it.
func (p *place) newDevice() (store.Tenant, store.Device) {
	p.t.Helper()
	t := p.tenant()
	d, _ := p.device(p.member(t))
	return t, d
}

func (p *place) check(err error) {
	p.t.Helper()
	if err != nil {
		p.t.Fatal(err)
	}
}

// push appends what has to be stored whole.
func (p *place) push(m crdt.MemberID, items ...store.Item) store.Ack {
	p.t.Helper()
	ack, err := p.Append(context.Background(), m, items)
	p.check(err)
	if ack.New != len(items) || ack.Dup != 0 || len(ack.Rejected) != 0 {
		p.t.Fatalf("push of %d new changes: ack %+v", len(items), ack)
	}
	return ack
}

// refused appends one item and returns why it was not stored.
func (p *place) refused(m crdt.MemberID, it store.Item) wire.Code {
	p.t.Helper()
	before, err := p.Head(context.Background(), m)
	p.check(err)
	ack, err := p.Append(context.Background(), m, []store.Item{it})
	p.check(err)
	if len(ack.Rejected) != 1 || ack.New+ack.Dup != 0 || ack.Receipt != before {
		p.t.Fatalf("want one rejection and the head %+v, got %+v", before, ack)
	}
	if r := ack.Rejected[0]; r.Index != 0 || r.Text == "" {
		p.t.Fatalf("rejection without a sentence: %+v", r)
	}
	return ack.Rejected[0].Code
}

// Since reads a page of a member's order, change by change.
func Since(ctx context.Context, s store.Store, m crdt.MemberID, after uint64, limit, maxBytes int) (cs []store.Stored, at wire.Receipt, more bool, err error) {
	p, err := s.Since(ctx, m, after, limit, maxBytes)
	if err != nil || p.Segment == nil {
		return p.Changes, p.At, p.More, err
	}
	items, err := p.Segment.Open()
	if err != nil {
		return nil, at, false, err
	}
	if len(p.Changes) > 0 || p.Segment.From.Seq != after || p.Segment.To != p.At || p.At.Epoch != s.Epoch() {
		return nil, at, false, fmt.Errorf("page after %d with %d changes to %+v and a segment from %+v to %+v", after, len(p.Changes), p.At, p.Segment.From, p.Segment.To)
	}
	for _, it := range items {
		after++
		cs = append(cs, store.Stored{Seq: after, Doc: it.Doc, Hash: it.Change.Hash(), Raw: it.Change.Raw()})
	}
	return cs, p.At, p.More, nil
}

// history reads a member's whole order in pages of random size, and checks what must hold of every order: numbers
// without a gap, the chain, each hash once, every change after those it builds on and after its writer's earlier ones.
func history(s store.Store, m crdt.MemberID, rnd *rand.Rand) ([]store.Stored, error) {
	ctx := context.Background()
	head, err := s.Head(ctx, m)
	if err != nil {
		return nil, err
	}
	var all []store.Stored
	at := wire.Receipt{Epoch: s.Epoch()}
	type actorDoc struct {
		actor automerge.ActorID
		doc   crdt.DocName
	}
	seen := map[automerge.Hash]crdt.DocName{}
	seqs := map[actorDoc]uint64{}
	for {
		cs, r, _, err := Since(ctx, s, m, at.Seq, 1+rnd.IntN(300), 1+rnd.IntN(100_000))
		if err != nil {
			return nil, err
		}
		if len(cs) == 0 {
			if r.Seq != at.Seq {
				return nil, fmt.Errorf("member %s: nothing after %d, yet the head is %d", m, at.Seq, r.Seq)
			}
			break
		}
		for _, c := range cs {
			ch, err := automerge.ParseChange(c.Raw)
			if err != nil {
				return nil, fmt.Errorf("member %s, change %d: %w", m, c.Seq, err)
			}
			at.Seq++
			at.Chain = at.Chain.Next(c.Hash)
			key := actorDoc{ch.Actor, c.Doc}
			_, twice := seen[c.Hash]
			switch {
			case c.Seq != at.Seq:
				return nil, fmt.Errorf("member %s: change %d where %d belongs", m, c.Seq, at.Seq)
			case ch.Hash() != c.Hash:
				return nil, fmt.Errorf("member %s, change %d: bytes have hash %s, stored is %s", m, c.Seq, ch.Hash(), c.Hash)
			case twice:
				return nil, fmt.Errorf("member %s, change %d: %s is there twice", m, c.Seq, c.Hash)
			case ch.Seq != seqs[key]+1:
				return nil, fmt.Errorf("member %s, change %d: writer's %d after its %d", m, c.Seq, ch.Seq, seqs[key])
			}
			for _, h := range ch.Deps {
				if doc, ok := seen[h]; !ok || doc != c.Doc {
					return nil, fmt.Errorf("member %s, change %d: builds on %s, which did not come before", m, c.Seq, h)
				}
			}
			seqs[key] = ch.Seq
			seen[c.Hash] = c.Doc
		}
		if r != at {
			return nil, fmt.Errorf("member %s: receipt %+v of a page, want %+v", m, r, at)
		}
		if got, ok, err := s.ReceiptAt(ctx, m, at.Seq); err != nil || !ok || got != at {
			return nil, fmt.Errorf("member %s: receipt at %d is %+v %v %v, want %+v", m, at.Seq, got, ok, err, at)
		}
		all = append(all, cs...)
	}
	if at.Seq < head.Seq {
		return nil, fmt.Errorf("member %s: order ends at %d, head was %d before", m, at.Seq, head.Seq)
	}
	return all, nil
}

// wholeFeed reads a company's feed from a cursor to its end.
func wholeFeed(s store.Store, t store.Tenant, cursor string, rnd *rand.Rand) (rs []store.Activity, next string, err error) {
	for {
		page, next, err := s.Feed(context.Background(), t, cursor, 1+rnd.IntN(200))
		if err != nil {
			return nil, "", err
		}
		if len(page) == 0 {
			if next != cursor {
				return nil, "", fmt.Errorf("nothing new, yet the cursor moved")
			}
			return rs, next, nil
		}
		rs, cursor = append(rs, page...), next
	}
}

type entryKey struct {
	member crdt.MemberID
	entry  crdt.EntryID
}

// checkFeed says what is wrong with a feed that should hold exactly these records.
func checkFeed(rs []store.Activity, want map[entryKey]store.FeedRecord) error {
	seen := map[entryKey]bool{}
	for _, r := range rs {
		k := entryKey{r.Member, r.Entry}
		w, ok := want[k]
		switch {
		case seen[k]:
			return fmt.Errorf("entry %s of member %s is in the feed twice", r.Entry, r.Member)
		case !ok:
			return fmt.Errorf("entry %s of member %s is in the feed and was not acknowledged", r.Entry, r.Member)
		case r.FeedRecord != w:
			return fmt.Errorf("entry %s: record %+v, want %+v", r.Entry, r.FeedRecord, w)
		case r.Arrived.IsZero() || !json.Valid([]byte(r.Body)) || strings.Contains(r.Body, "private words"):
			return fmt.Errorf("entry %s: bad record %+v", r.Entry, r)
		}
		seen[k] = true
	}
	if len(seen) != len(want) {
		return fmt.Errorf("feed has %d records, want %d", len(seen), len(want))
	}
	return nil
}

// A model is what a member's order must hold.
type model struct {
	mu     sync.Mutex
	member crdt.MemberID
	tenant store.Tenant
	items  []store.Item // acknowledged
	feed   map[entryKey]store.FeedRecord
	heads  map[uint64]wire.Receipt // every receipt that was ever given out
}

func (m *model) stored(items []store.Item, r wire.Receipt) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.items = append(m.items, items...)
	m.heads[r.Seq] = r
	for _, it := range items {
		for _, f := range it.Feed {
			m.feed[entryKey{f.Member, f.Entry}] = f
		}
	}
}

func (m *model) some(rnd *rand.Rand) (store.Item, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.items) == 0 {
		return store.Item{}, false
	}
	return m.items[rnd.IntN(len(m.items))], true
}

func (h Harness) random(t *testing.T) {
	const devices = 3
	steps := 60
	if testing.Short() {
		steps = 20
	}
	s := seed(t)
	p := h.place(t)
	tenants := []store.Tenant{p.tenant(), p.tenant()}
	var models []*model
	for i := range 4 {
		tenant := tenants[i%2]
		models = append(models, &model{
			member: p.member(tenant), tenant: tenant,
			feed: map[entryKey]store.FeedRecord{}, heads: map[uint64]wire.Receipt{},
		})
	}

	// The live readers start before the writers and read on until these have ended.
	written := make(chan struct{})
	live := make([][]store.Activity, len(tenants))
	var readers, writers sync.WaitGroup
	for i, tenant := range tenants {
		rnd := rand.New(rand.NewPCG(s, uint64(1000+i)))
		readers.Go(func() {
			cursor := ""
			for last := false; ; {
				rs, next, err := wholeFeed(p, tenant, cursor, rnd)
				if err != nil {
					t.Error(err)
					return
				}
				live[i], cursor = append(live[i], rs...), next
				if last {
					return
				}
				select {
				case <-written:
					last = true
				case <-time.After(time.Millisecond):
				}
			}
		})
	}
	for i, m := range models {
		for j := range devices {
			d, _ := p.device(m.member)
			rnd := rand.New(rand.NewPCG(s, uint64(i*devices+j)))
			w := &worker{s: p.Store, m: m, a: NewAuthor(d, 1, rnd), rnd: rnd, device: d}
			other := models[(i+1)%len(models)]
			writers.Go(func() {
				for range steps {
					if err := w.step(other); err != nil {
						t.Error(err)
						return
					}
				}
			})
		}
	}
	writers.Wait()
	close(written)
	readers.Wait()
	if t.Failed() {
		return
	}

	rnd := rand.New(rand.NewPCG(s, 1<<32))
	for _, restarted := range []bool{false, true} {
		if restarted {
			epoch := p.Epoch()
			p.reopen()
			if p.Epoch() != epoch {
				t.Fatal("a restart changed the epoch")
			}
		}
		for _, m := range models {
			cs, err := history(p, m.member, rnd)
			p.check(err)
			have := map[automerge.Hash]crdt.DocName{}
			for _, c := range cs {
				have[c.Hash] = c.Doc
			}
			want := map[automerge.Hash]crdt.DocName{}
			for _, it := range m.items {
				want[it.Change.Hash()] = it.Doc
			}
			if !maps.Equal(have, want) {
				t.Fatalf("member %s: %d changes readable, %d acknowledged (restarted: %v)", m.member, len(have), len(want), restarted)
			}
			for seq, r := range m.heads {
				if got, ok, err := p.ReceiptAt(t.Context(), m.member, seq); err != nil || !ok || got != r {
					t.Fatalf("member %s: receipt at %d is %+v %v %v, was given out as %+v", m.member, seq, got, ok, err, r)
				}
			}
		}
		for i, tenant := range tenants {
			want := map[entryKey]store.FeedRecord{}
			for _, m := range models {
				if m.tenant == tenant {
					maps.Copy(want, m.feed)
				}
			}
			rs, _, err := wholeFeed(p, tenant, "", rnd)
			p.check(err)
			p.check(checkFeed(rs, want))
			if !slices.Equal(rs, live[i]) {
				t.Fatalf("the live reader saw %d records in another order than the %d of a later one", len(live[i]), len(rs))
			}
		}
	}
}

// A worker is one device that does random things and knows for each what has to come of it.
type worker struct {
	s      store.Store
	m      *model
	a      *Author
	rnd    *rand.Rand
	device store.Device
	writer uint32
}

func (w *worker) step(other *model) error {
	ctx := context.Background()
	member := w.m.member
	want := func(what string, items []store.Item, codes ...wire.Code) error {
		ack, err := w.s.Append(ctx, member, items)
		if err != nil {
			return fmt.Errorf("%s: %w", what, err)
		}
		var got []wire.Code
		for _, r := range ack.Rejected {
			got = append(got, r.Code)
		}
		if !slices.Equal(got, codes) {
			return fmt.Errorf("%s: rejections %+v, want codes %v", what, ack.Rejected, codes)
		}
		if r, ok, err := w.s.ReceiptAt(ctx, member, ack.Receipt.Seq); err != nil || !ok || r != ack.Receipt {
			return fmt.Errorf("%s: receipt %+v cannot be proved: %+v %v %v", what, ack.Receipt, r, ok, err)
		}
		return nil
	}
	item := func() store.Item {
		if w.rnd.IntN(3) == 0 {
			return w.a.Edit(1 + w.rnd.IntN(60))
		}
		return w.a.Tap(1 + w.rnd.IntN(2))
	}
	switch w.rnd.IntN(11) {
	default: // new changes, perhaps after having seen one of another device
		if it, ok := w.m.some(w.rnd); ok {
			w.a.See(it.Doc, it.Change)
		}
		var items []store.Item
		for range 1 + w.rnd.IntN(4) {
			items = append(items, item())
			if it, ok := w.m.some(w.rnd); ok && it.Doc == crdt.ContactsDoc && len(it.Change.Ops) > 0 { // over what is there
				w.a.See(it.Doc, it.Change)
				i := w.rnd.IntN(len(it.Change.Ops))
				items = append(items, w.a.Write(it.Doc, []automerge.Op{{
					Key: it.Change.Ops[i].Key, Action: automerge.Put, Pred: []automerge.OpID{it.Change.OpID(i)},
					Value: automerge.Value{Kind: automerge.KindUint, Num: w.rnd.Int64N(1000)},
				}}))
			}
		}
		ack, err := w.s.Append(ctx, member, items)
		if err != nil {
			return fmt.Errorf("push: %w", err)
		}
		if ack.New != len(items) || len(ack.Rejected) > 0 {
			return fmt.Errorf("push of %d: ack %+v", len(items), ack)
		}
		w.m.stored(items, ack.Receipt)
	case 4: // known changes
		var items []store.Item
		for range 1 + w.rnd.IntN(3) {
			if it, ok := w.m.some(w.rnd); ok {
				items = append(items, it)
			}
		}
		return want("duplicates", items)
	case 5: // a change whose dependency is not sent, then one that is sound
		a := w.other()
		a.Edit(1)
		late := a.Edit(1)
		sound := w.other().Tap(1)
		ack, err := w.s.Append(ctx, member, []store.Item{late, sound})
		if err != nil {
			return fmt.Errorf("gap: %w", err)
		}
		if ack.New != 1 || len(ack.Rejected) != 1 || ack.Rejected[0].Index != 0 || ack.Rejected[0].Code != wire.CodeDeps {
			return fmt.Errorf("gap and a sound change: ack %+v", ack)
		}
		w.m.stored([]store.Item{sound}, ack.Receipt)
	case 6: // the same numbers twice
		a := w.other()
		f := a.Fork()
		first := a.Edit(1)
		ack, err := w.s.Append(ctx, member, []store.Item{first})
		if err != nil || ack.New != 1 {
			return fmt.Errorf("first of a fork: %+v %w", ack, err)
		}
		w.m.stored([]store.Item{first}, ack.Receipt)
		return want("fork", []store.Item{f.Edit(1)}, wire.CodeSequence)
	case 7: // somebody else's change
		if it, ok := other.some(w.rnd); ok {
			it.Feed = nil
			return want("foreign", []store.Item{it}, wire.CodeActor)
		}
	case 8:
		_, err := history(w.s, member, w.rnd)
		return err
	case 9:
		_, err := w.s.Compact(ctx, member, 1+w.rnd.IntN(100))
		return err
	}
	return nil
}

// other returns another writer of the same device, or of a program whose changes it brings.
func (w *worker) other() *Author {
	if w.rnd.IntN(2) == 0 {
		return NewProgram(w.device, w.rnd)
	}
	w.writer++
	return NewAuthor(w.device, 1000+w.writer, w.rnd)
}

func (h Harness) rejections(t *testing.T) {
	p := h.place(t)
	rnd := rand.New(rand.NewPCG(1, 1))
	_, d := p.newDevice()
	_, stranger := p.newDevice()
	a := NewAuthor(d, 1, rnd)
	first := a.Edit(1)
	p.push(d.Member, first)

	expect := func(what string, code wire.Code, it store.Item) {
		t.Helper()
		if got := p.refused(d.Member, it); got != code {
			t.Errorf("%s: code %d, want %d", what, got, code)
		}
	}
	expect("a device of another company", wire.CodeActor, NewAuthor(stranger, 1, rnd).Edit(1))
	expect("a device that nobody knows", wire.CodeActor, NewAuthor(store.Device{ID: crdt.DeviceID(a.uuid())}, 1, rnd).Edit(1))

	odd := &automerge.Change{Actor: "short", Seq: 1, StartOp: 1, Ops: first.Change.Ops}
	must(odd.Seal())
	expect("an actor that is no device", wire.CodeActor, store.Item{Doc: crdt.ContactsDoc, Change: odd})

	expect("a fork", wire.CodeSequence, NewAuthor(d, 1, rnd).Edit(1))

	f := a.Fork()
	missing := f.Edit(1)
	late := f.Edit(1)
	expect("a gap", wire.CodeDeps, late)
	b := NewAuthor(d, 2, rnd)
	b.See(crdt.ContactsDoc, missing.Change)
	expect("an unknown dependency", wire.CodeDeps, b.Edit(1))

	x := NewAuthor(d, 3, rnd)
	x.See("log-2026-11", first.Change) // stored, but in another document
	expect("a dependency in another document", wire.CodeDeps, x.Tap(1))

	early := &automerge.Change{
		Actor: crdt.NewActor(d.ID, 4), Seq: 1, StartOp: first.Change.MaxOp(),
		Deps: []automerge.Hash{first.Change.Hash()}, Ops: first.Change.Ops,
	}
	must(early.Seal())
	expect("operations before the dependency's", wire.CodeInvalid, store.Item{Doc: crdt.ContactsDoc, Change: early})

	again := &automerge.Change{Actor: first.Change.Actor, Seq: 2, StartOp: 1, Ops: first.Change.Ops}
	must(again.Seal())
	expect("operations before the writer's own", wire.CodeInvalid, store.Item{Doc: crdt.ContactsDoc, Change: again})

	expect("a document that cannot be", wire.CodeDocument, store.Item{Doc: "log-2026-13", Change: a.Fork().Edit(1).Change})
	expect("the same change in another document", wire.CodeDocument, store.Item{Doc: crdt.ProfileDoc, Change: first.Change})
	// What no frame carries would keep a member's devices from all that comes after it.
	long := &automerge.Change{Actor: crdt.NewActor(d.ID, 7), Seq: 1, StartOp: 1, Ops: []automerge.Op{
		{Key: "x", Action: automerge.Put, Value: automerge.Value{Kind: automerge.KindString, Str: strings.Repeat("x", wire.MaxChange)}},
	}}
	must(long.Seal())
	expect("more bytes than a frame carries", wire.CodeInvalid, store.Item{Doc: crdt.ContactsDoc, Change: long})
	many := &automerge.Change{Actor: crdt.NewActor(d.ID, 7), Seq: 1, StartOp: 1, Ops: make([]automerge.Op, wire.MaxRows+1)}
	for i := range many.Ops {
		many.Ops[i] = automerge.Op{Key: "x", Action: automerge.Put}
	}
	must(many.Seal())
	expect("more operations than a frame carries", wire.CodeInvalid, store.Item{Doc: crdt.ContactsDoc, Change: many})
	expect("nothing", wire.CodeInvalid, store.Item{Doc: crdt.ContactsDoc})
	expect("a change that is not sealed", wire.CodeInvalid, store.Item{Doc: crdt.ContactsDoc, Change: &automerge.Change{Actor: a.actor, Seq: 2}})

	// Bad and good in one push: what depends on the bad is rejected too, the rest goes through.
	g := NewAuthor(d, 5, rnd)
	one, two, tap := g.Edit(1), g.Edit(1), g.Tap(1)
	one.Doc = "nowhere"
	ack, err := p.Append(t.Context(), d.Member, []store.Item{one, first, two, tap})
	p.check(err)
	if ack.New != 1 || ack.Dup != 1 || len(ack.Rejected) != 2 || ack.Rejected[0].Index != 0 || ack.Rejected[1].Index != 2 || ack.Receipt.Seq != 2 {
		t.Errorf("mixed push: %+v", ack)
	}

	// What a revoked device wrote is the member's.
	p.check(p.RevokeDevice(t.Context(), d.ID))
	p.push(d.Member, a.Edit(1))

	if _, err := p.Append(t.Context(), crdt.MemberID(a.uuid()), []store.Item{first}); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("member that is not there: %v, want ErrNotFound", err)
	}
	it := NewAuthor(d, 6, rnd).Tap(1)
	it.Feed[0].Member = stranger.Member
	if _, err := p.Append(t.Context(), d.Member, []store.Item{it}); err == nil {
		t.Error("a feed record of another member was taken")
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := p.Append(gone, d.Member, []store.Item{first}); !errors.Is(err, context.Canceled) {
		t.Errorf("ended context: %v", err)
	}
	_, err = history(p, d.Member, rnd)
	p.check(err)
}

func (h Harness) duplicates(t *testing.T) {
	p := h.place(t)
	rnd := rand.New(rand.NewPCG(2, 2))
	tenant, d := p.newDevice()
	second, _ := p.device(d.Member)
	a, b := NewAuthor(d, 1, rnd), NewAuthor(second, 1, rnd)
	items := []store.Item{a.Tap(2), a.Tap(1), a.Edit(3)}
	head := p.push(d.Member, items...).Receipt
	want := map[entryKey]store.FeedRecord{}
	for _, it := range items {
		for _, f := range it.Feed {
			want[entryKey{f.Member, f.Entry}] = f
		}
	}
	again := func(items ...store.Item) {
		t.Helper()
		ack, err := p.Append(t.Context(), d.Member, items)
		p.check(err)
		if ack.New != 0 || ack.Dup != len(items) || len(ack.Rejected) != 0 || ack.Receipt != head {
			t.Fatalf("duplicates: %+v, want the head %+v", ack, head)
		}
	}
	again(items...)
	again(items[2], items[0])
	p.reopen()
	again(items[1], items[1])

	// One push that holds a change twice.
	twice := a.Tap(1)
	ack, err := p.Append(t.Context(), d.Member, []store.Item{twice, twice})
	p.check(err)
	if ack.New != 1 || ack.Dup != 1 {
		t.Fatalf("the same change twice in a push: %+v", ack)
	}
	want[entryKey{d.Member, twice.Feed[0].Entry}] = twice.Feed[0]
	head = ack.Receipt

	// An entry that two devices bring is one in the feed, and its first record stays.
	other := b.Tap(1)
	other.Feed[0].Entry = twice.Feed[0].Entry
	p.push(d.Member, other)
	rs, _, err := wholeFeed(p, tenant, "", rnd)
	p.check(err)
	p.check(checkFeed(rs, want))

	// The same push from many connections at once is stored once.
	racing := []store.Item{a.Tap(1), a.Tap(1)}
	var wg sync.WaitGroup
	acks := make([]store.Ack, 8)
	for i := range acks {
		wg.Go(func() {
			var err error
			if acks[i], err = p.Append(t.Context(), d.Member, racing); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	stored := 0
	for _, ack := range acks {
		stored += ack.New
		if ack.New+ack.Dup != len(racing) || ack.Receipt != acks[0].Receipt {
			t.Errorf("racing push: %+v", ack)
		}
	}
	if stored != len(racing) {
		t.Errorf("%d changes stored, want %d", stored, len(racing))
	}
}

func (h Harness) pages(t *testing.T) {
	p := h.place(t)
	rnd := rand.New(rand.NewPCG(3, 3))
	tenant, d := p.newDevice()
	a := NewAuthor(d, 1, rnd)
	var items []store.Item
	size := map[automerge.Hash]int{}
	for i := range 50 {
		it := a.Edit(1 + i%7*40) // up to some 12 kilobytes: small ones and such as may be stored compressed
		items = append(items, it)
		size[it.Change.Hash()] = len(it.Change.Raw())
	}
	head := p.push(d.Member, items...).Receipt
	_, err := history(p, d.Member, rnd)
	p.check(err)

	for range 200 {
		after, limit, maxBytes := uint64(rnd.IntN(52)), 1+rnd.IntN(60), 1+rnd.IntN(60_000)
		cs, r, more, err := Since(t.Context(), p, d.Member, after, limit, maxBytes)
		p.check(err)
		if more != (r.Seq < head.Seq) {
			t.Fatalf("after %d up to %d of %d: more is %v", after, r.Seq, head.Seq, more)
		}
		if after >= head.Seq {
			if len(cs) != 0 || r != head {
				t.Fatalf("nothing after %d: %d changes, %+v", after, len(cs), r)
			}
			continue
		}
		total := 0
		for i, c := range cs {
			total += len(c.Raw)
			if want := items[after+uint64(i)]; string(c.Raw) != string(want.Change.Raw()) || c.Hash != want.Change.Hash() || c.Doc != want.Doc {
				t.Fatalf("change %d is not what was stored", c.Seq)
			}
		}
		if len(cs) == 0 || len(cs) > limit || len(cs) > 1 && total > maxBytes || r.Seq != after+uint64(len(cs)) {
			t.Fatalf("since %d, limit %d, bytes %d: %d changes of %d bytes, to %d", after, limit, maxBytes, len(cs), total, r.Seq)
		}
		if full := len(cs) == limit || r.Seq == head.Seq || total+size[items[r.Seq].Change.Hash()] > maxBytes; !full {
			t.Fatalf("since %d, limit %d, bytes %d: only %d changes of %d bytes", after, limit, maxBytes, len(cs), total)
		}
	}
	if cs, r, _, err := Since(t.Context(), p, d.Member, 0, 0, 0); err != nil || len(cs) != len(items) || r != head {
		t.Errorf("no limits: %d changes, %+v, %v", len(cs), r, err)
	}
	if r, ok, err := p.ReceiptAt(t.Context(), d.Member, 0); err != nil || !ok || r != (wire.Receipt{Epoch: p.Epoch()}) {
		t.Errorf("receipt at 0: %+v %v %v", r, ok, err)
	}
	for _, seq := range []uint64{head.Seq + 1, 1 << 32, 1<<64 - 1} {
		if _, ok, err := p.ReceiptAt(t.Context(), d.Member, seq); err != nil || ok {
			t.Errorf("receipt beyond the head at %d: %v %v", seq, ok, err)
		}
		if cs, r, _, err := Since(t.Context(), p, d.Member, seq, 10, 0); err != nil || len(cs) != 0 || r != head {
			t.Errorf("since %d: %d changes, %+v, %v", seq, len(cs), r, err)
		}
	}
	nobody := crdt.MemberID(a.uuid())
	if _, err := p.Head(t.Context(), nobody); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("head of nobody: %v", err)
	}
	if _, _, _, err := Since(t.Context(), p, nobody, 0, 1, 1); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("since of nobody: %v", err)
	}
	if _, _, err := p.ReceiptAt(t.Context(), nobody, 0); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("receipt of nobody: %v", err)
	}
	if rs, next, err := p.Feed(t.Context(), tenant, "", 10); err != nil || len(rs) != 0 || next != "" {
		t.Errorf("feed of nothing: %d records, %q, %v", len(rs), next, err)
	}
	p.check(p.Health(t.Context()))
}

// documents: a member's documents are those that somebody has written, whoever else has what.
func (h Harness) documents(t *testing.T) {
	p := h.place(t)
	ctx := context.Background()
	tenant := p.tenant()
	m, other := p.member(tenant), p.member(tenant)
	d, _ := p.device(m)
	o, _ := p.device(other)
	want := func(m crdt.MemberID, want ...crdt.DocName) {
		t.Helper()
		got, err := p.Store.Documents(ctx, m)
		p.check(err)
		if !slices.Equal(got, want) {
			t.Errorf("documents %q, want %q", got, want)
		}
	}
	want(m)
	a, b := NewAuthor(d, 1, rand.New(rand.NewPCG(1, 1))), NewAuthor(o, 1, rand.New(rand.NewPCG(2, 1)))
	_, err := p.Append(ctx, m, []store.Item{a.Tap(1), a.Edit(1), a.Tap(1)})
	p.check(err)
	_, err = p.Append(ctx, other, []store.Item{b.Edit(1)})
	p.check(err)
	b.Tap(1)
	lost := b.Tap(1) // builds on what nobody stored
	lost.Doc, lost.Feed = crdt.ProfileDoc, nil
	if ack, err := p.Append(ctx, m, []store.Item{lost}); err != nil || len(ack.Rejected) != 1 {
		t.Errorf("%+v, %v", ack, err)
	}
	for range 2 {
		want(m, crdt.ContactsDoc, "log-2026-11")
		want(other, crdt.ContactsDoc)
		_, err = p.Compact(ctx, m, 1)
		p.check(err)
		p.reopen()
	}
	if _, err := p.Store.Documents(ctx, crdt.MemberID{1}); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("documents of nobody: %v", err)
	}
}

// compact folds orders in pieces and asks everything again that was asked before.
func (h Harness) compact(t *testing.T) {
	p := h.place(t)
	rnd := rand.New(rand.NewPCG(5, seed(t)))
	ctx := t.Context()
	tenant, d := p.newDevice()
	other, _ := p.device(d.Member)
	a, b := NewAuthor(d, 1, rnd), NewAuthor(other, 1, rnd)
	a.Log = "log-2199-12" // a month that is not over: no store folds it unasked, and what is folded can be counted
	var items []store.Item
	receipts := []wire.Receipt{{Epoch: p.Epoch()}}
	push := func(it store.Item) {
		t.Helper()
		items = append(items, it)
		receipts = append(receipts, p.push(d.Member, it).Receipt)
		a.See(it.Doc, it.Change)
	}
	check := func(what string) {
		t.Helper()
		all, err := history(p, d.Member, rnd)
		p.check(err)
		if len(all) != len(items) {
			t.Fatalf("%s: %d changes, want %d", what, len(all), len(items))
		}
		for i, c := range all {
			if c.Hash != items[i].Change.Hash() || c.Doc != items[i].Doc || string(c.Raw) != string(items[i].Change.Raw()) {
				t.Fatalf("%s: change %d is not what was stored", what, i+1)
			}
		}
		for range 20 {
			seq := uint64(rnd.IntN(len(receipts)))
			if r, ok, err := p.ReceiptAt(ctx, d.Member, seq); err != nil || !ok || r != receipts[seq] {
				t.Fatalf("%s: receipt at %d is %+v %v %v, want %+v", what, seq, r, ok, err, receipts[seq])
			}
			// A page that starts anywhere and has any length.
			cs, r, more, err := Since(ctx, p, d.Member, seq, 1+rnd.IntN(40), 1+rnd.IntN(20_000))
			p.check(err)
			if r != receipts[r.Seq] || more != (int(r.Seq) < len(items)) || len(cs) != int(r.Seq-seq) || len(cs) == 0 && int(seq) < len(items) {
				t.Fatalf("%s: %d changes after %d, to %+v, more %v", what, len(cs), seq, r, more)
			}
			for i, c := range cs {
				if c.Hash != items[int(seq)+i].Change.Hash() || c.Seq != seq+uint64(i)+1 {
					t.Fatalf("%s: change %d of a page after %d is not what was stored", what, c.Seq, seq)
				}
			}
		}
		again := items[rnd.IntN(len(items)):]
		ack, err := p.Append(ctx, d.Member, again[:min(len(again), 30)])
		p.check(err)
		if ack.New != 0 || len(ack.Rejected) > 0 || ack.Receipt != receipts[len(items)] {
			t.Fatalf("%s: pushed again: %+v", what, ack)
		}
	}

	if n, err := p.Compact(ctx, d.Member, 0); err != nil || n != 0 {
		t.Fatalf("nothing to fold: %d, %v", n, err)
	}
	forkLog, forkBook := a.Fork(), a.Fork()
	first := b.Edit(2) // a writer that then falls silent
	push(first)
	silent := b.Fork()
	total, rounds := 0, 30
	if testing.Short() {
		rounds = 10
	}
	for round := range rounds {
		for range 1 + rnd.IntN(60) {
			if it := a.Tap(1); rnd.IntN(3) > 0 {
				push(it)
			} else {
				push(it)
				push(a.Edit(1 + rnd.IntN(9)))
			}
		}
		n, err := p.Compact(ctx, d.Member, 1+rnd.IntN(90))
		p.check(err)
		total += n
		if round%10 == 9 {
			p.reopen()
		}
		if round%5 == 4 {
			check(fmt.Sprint("round ", round))
		}
	}
	n, err := p.Compact(ctx, d.Member, 1)
	p.check(err)
	if total += n; total != len(items) {
		t.Fatalf("%d changes were folded, want %d", total, len(items))
	}
	check("all folded")
	if page, err := p.Since(ctx, d.Member, 0, 0, 0); err != nil || page.Segment == nil {
		t.Fatalf("a device that has nothing is sent no segment: %v", err)
	}

	// What is folded is still known: numbers that were used, dependencies, the place of a change.
	for _, it := range []store.Item{forkLog.Tap(1), forkBook.Edit(1)} {
		it.Feed = nil
		if code := p.refused(d.Member, it); code != wire.CodeSequence {
			t.Errorf("a number that stands in a segment is used again: code %d", code)
		}
	}
	moved := first
	moved.Doc = crdt.ProfileDoc
	if code := p.refused(d.Member, moved); code != wire.CodeDocument {
		t.Errorf("a folded change in another document: code %d", code)
	}
	push(silent.Edit(1)) // builds on a change that nobody wrote last
	third, _ := p.device(d.Member)
	c := NewAuthor(third, 1, rnd)
	for range 5 { // builds on any change
		c.See(crdt.ContactsDoc, items[0].Change)
		i := rnd.IntN(len(items))
		c.See(items[i].Doc, items[i].Change)
		if items[i].Doc.IsLog() {
			push(c.Tap(1))
		} else {
			push(c.Edit(1))
		}
	}
	missing := NewAuthor(third, 2, rnd)
	missing.See(crdt.ContactsDoc, NewAuthor(third, 3, rnd).Edit(1).Change)
	if code := p.refused(d.Member, missing.Edit(1)); code != wire.CodeDeps {
		t.Errorf("a dependency that is nowhere: code %d", code)
	}
	check("more after folding")

	want := map[entryKey]store.FeedRecord{}
	for _, it := range items {
		for _, f := range it.Feed {
			want[entryKey{f.Member, f.Entry}] = f
		}
	}
	rs, _, err := wholeFeed(p, tenant, "", rnd)
	p.check(err)
	p.check(checkFeed(rs, want))

	// Many at once: each change is folded once.
	for range 100 {
		push(a.Tap(1))
	}
	var wg sync.WaitGroup
	folded := make([]int, 8)
	for i := range folded {
		wg.Go(func() {
			var err error
			if folded[i], err = p.Compact(ctx, d.Member, 1); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	sum := 0
	for _, n := range folded {
		sum += n
	}
	if sum != 106 {
		t.Errorf("%d changes were folded by many at once, want 106", sum)
	}
	check("many at once")
	if _, err := p.Compact(ctx, crdt.MemberID(a.uuid()), 1); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("compact nobody: %v", err)
	}
}

// references overwrites values that stand in the same push, by themselves, and in segments, and such as are not there.
func (h Harness) references(t *testing.T) {
	p := h.place(t)
	rnd := rand.New(rand.NewPCG(6, 6))
	_, d := p.newDevice()
	a := NewAuthor(d, 1, rnd)
	text := func(s string) automerge.Value { return automerge.Value{Kind: automerge.KindString, Str: s} }
	put := func(key, value string, pred ...automerge.OpID) automerge.Op {
		return automerge.Op{Key: key, Action: automerge.Put, Value: text(value), Pred: pred}
	}
	id := func(it store.Item, i int) automerge.OpID { return it.Change.OpID(i) }
	mine := a.Write(crdt.ProfileDoc, []automerge.Op{put("zone", "UTC"), put("language", "en")})
	list := a.Write(crdt.ContactsDoc, []automerge.Op{{Key: "list", Action: automerge.MakeList}, put("other", "x")})
	p.push(d.Member, mine, list)
	for _, place := range []string{"rows", "segments"} {
		if place == "segments" {
			for range 30 {
				p.push(d.Member, a.Tap(1))
			}
			n, err := p.Compact(t.Context(), d.Member, 1)
			p.check(err)
			if n < 30 {
				t.Fatalf("%d changes were folded", n)
			}
		}
		next := func(doc crdt.DocName, ops ...automerge.Op) store.Item {
			return a.Fork().Write(doc, ops)
		}
		one := next(crdt.ContactsDoc, automerge.Op{Obj: id(list, 0), IsList: true, Insert: true, Action: automerge.Put, Value: text("first")})
		for what, it := range map[string]store.Item{
			"nothing is there":             next(crdt.ProfileDoc, put("zone", "CET", automerge.OpID{Counter: 1, Actor: "nobody's"})),
			"it is of another key":         next(crdt.ProfileDoc, put("zone", "CET", id(mine, 1))),
			"an object that is a text":     next(crdt.ContactsDoc, automerge.Op{Obj: id(list, 1), Key: "k", Action: automerge.Put, Value: text("x")}),
			"a key of a list":              next(crdt.ContactsDoc, automerge.Op{Obj: id(list, 0), Key: "k", Action: automerge.Put, Value: text("x")}),
			"an element of no list":        next(crdt.ContactsDoc, automerge.Op{Obj: id(list, 0), IsList: true, Elem: id(list, 1), Insert: true, Action: automerge.Put, Value: text("x")}),
			"an object that is not there":  next(crdt.ContactsDoc, automerge.Op{Obj: automerge.OpID{Counter: 1, Actor: "nobody's"}, Key: "k", Action: automerge.Put, Value: text("x")}),
			"one of a log is not there":    next("log-2026-11", put("w", "v"), put("x", "y", automerge.OpID{Counter: 1, Actor: "nobody's"})),
			"a delete of what is no value": next(crdt.ProfileDoc, automerge.Op{Key: "zone", Action: automerge.Delete, Pred: []automerge.OpID{id(mine, 1)}}),
		} {
			if code := p.refused(d.Member, it); code != wire.CodeInvalid {
				t.Errorf("%s, %s: code %d", place, what, code)
			}
		}
		// What is in the document and not in the history of the change: given without it, it is poison all the same.
		beside := NewAuthor(d, uint32(100+len(place)), rnd)
		first := beside.Write(crdt.ProfileDoc, []automerge.Op{put("a", "1"), put("b", "2"), put("c", "3")})
		p.push(d.Member, first)
		unseen := a.Fork()
		if code := p.refused(d.Member, unseen.Write(crdt.ProfileDoc, []automerge.Op{put("x", "1"), put("y", "1"), put("z", "1"), put("zz", "1"), put("a", "2", id(first, 0))})); code != wire.CodeInvalid {
			t.Errorf("%s, it is written over and not built on: code %d", place, code)
		}
		// A writer that forgets its own last change.
		late := NewAuthor(d, uint32(100+len(place)), rnd)
		late.See(crdt.ProfileDoc, mine.Change)
		forgets := late.Write(crdt.ProfileDoc, []automerge.Op{put("d", "4")})
		c := &automerge.Change{Actor: forgets.Change.Actor, Seq: 2, StartOp: 20, Time: 1, Deps: forgets.Change.Deps, Ops: forgets.Change.Ops}
		c.StartOp = first.Change.MaxOp() + 1
		c.StartOp = max(c.StartOp, mine.Change.MaxOp()+1)
		must(c.Seal())
		if code := p.refused(d.Member, store.Item{Doc: crdt.ProfileDoc, Change: c}); code != wire.CodeInvalid {
			t.Errorf("%s, a writer that forgets what it wrote: code %d", place, code)
		}
		a.See(crdt.ProfileDoc, first.Change)
		zone := a.Write(crdt.ProfileDoc, []automerge.Op{put("zone", "CET", id(mine, 0)), put("new", "1")})
		again := a.Write(crdt.ProfileDoc, []automerge.Op{put("zone", "EET", id(zone, 0)), {Key: "new", Action: automerge.Delete, Pred: []automerge.OpID{id(zone, 1)}}})
		p.push(d.Member, zone, again) // the second builds on what comes in the same push
		p.push(d.Member, a.Write(crdt.ContactsDoc, one.Change.Ops))
		mine = a.Write(crdt.ProfileDoc, []automerge.Op{put("zone", "UTC", id(again, 0)), put("language", "es", id(mine, 1))})
		p.push(d.Member, mine)
		_, err := history(p, d.Member, rnd)
		p.check(err)
	}
}

// honest pushes what devices really write, in shapes that are hard to see through: none of it may be refused.
func (h Harness) honest(t *testing.T) {
	shapes := 0 // in short two, drawn by the order of the map
	put := func(key, value string, pred ...automerge.OpID) automerge.Op {
		return automerge.Op{Key: key, Action: automerge.Put, Value: automerge.Value{Kind: automerge.KindString, Str: value}, Pred: pred}
	}
	for name, f := range map[string]func(p *place, d store.Device, rnd *rand.Rand){
		"a push with what is stored": func(p *place, d store.Device, rnd *rand.Rand) {
			a, b := NewAuthor(d, 1, rnd), NewAuthor(d, 2, rnd)
			first := a.Write(crdt.ContactsDoc, []automerge.Op{put("k", "1")})
			b.See(crdt.ContactsDoc, first.Change)
			answer := b.Write(crdt.ContactsDoc, []automerge.Op{put("l", "1")})
			p.push(d.Member, first, answer)
			a.See(crdt.ContactsDoc, answer.Change)
			over := a.Write(crdt.ContactsDoc, []automerge.Op{put("k", "2", first.Change.OpID(0))})
			ack, err := p.Append(t.Context(), d.Member, []store.Item{first, over})
			p.check(err)
			if ack.New != 1 || ack.Dup != 1 {
				t.Errorf("ack %+v", ack)
			}
		},
		"two writers beside each other": func(p *place, d store.Device, rnd *rand.Rand) {
			root := NewAuthor(d, 1, rnd).Write(crdt.ContactsDoc, []automerge.Op{put("0", ""), put("1", "")})
			p.push(d.Member, root)
			var push []store.Item
			var w [2]*Author
			last := [2]automerge.OpID{root.Change.OpID(0), root.Change.OpID(1)}
			for i := range w {
				w[i] = NewAuthor(d, uint32(2+i), rnd)
				w[i].See(crdt.ContactsDoc, root.Change)
			}
			for n := range 500 {
				for i := range w {
					it := w[i].Write(crdt.ContactsDoc, []automerge.Op{put(fmt.Sprint(i), fmt.Sprint(n), last[i])})
					last[i] = it.Change.OpID(0)
					push = append(push, it)
				}
			}
			p.push(d.Member, push[:600]...)
			_, err := p.Compact(t.Context(), d.Member, 1)
			p.check(err)
			p.push(d.Member, push[600:]...)
			w[0].See(crdt.ContactsDoc, push[999].Change) // and together again
			p.push(d.Member, w[0].Write(crdt.ContactsDoc, []automerge.Op{put("1", "end", last[1]), put("0", "end", last[0])}))
		},
		"two documents in turn": func(p *place, d store.Device, rnd *rand.Rand) {
			a := NewAuthor(d, 1, rnd)
			last := map[crdt.DocName][]automerge.OpID{}
			var push []store.Item
			for n := range 500 {
				for _, doc := range []crdt.DocName{crdt.ContactsDoc, crdt.ProfileDoc} {
					it := a.Write(doc, []automerge.Op{put("k", fmt.Sprint(doc, n), last[doc]...)})
					last[doc] = []automerge.OpID{it.Change.OpID(0)}
					push = append(push, it)
				}
			}
			p.push(d.Member, push...)
		},
		"two writers who answer each other, beside a third": func(p *place, d store.Device, rnd *rand.Rand) {
			a, b, c := NewAuthor(d, 1, rnd), NewAuthor(d, 2, rnd), NewAuthor(d, 3, rnd)
			p.push(d.Member, c.Tap(1))
			var push []store.Item
			for range 500 {
				x := a.Tap(1)
				b.See(x.Doc, x.Change)
				y := b.Tap(1)
				a.See(y.Doc, y.Change)
				push = append(push, x, y)
			}
			p.push(d.Member, push...)
		},
		"many fields of long ago at once": func(p *place, d store.Device, rnd *rand.Rand) {
			a := NewAuthor(d, 1, rnd)
			book := a.Edit(5000)
			p.push(d.Member, book)
			_, err := p.Compact(t.Context(), d.Member, 1)
			p.check(err)
			var rows []store.Item
			for range 900 {
				rows = append(rows, a.Edit(1))
			}
			p.push(d.Member, rows...)
			var ops []automerge.Op
			for i := range book.Change.Ops {
				ops = append(ops, put(book.Change.Ops[i].Key, "x", book.Change.OpID(i)))
			}
			start := time.Now()
			p.push(d.Member, a.Write(crdt.ContactsDoc, ops))
			t.Log("5,000 fields overwritten in", time.Since(start))
		},
		"many writers at once": func(p *place, d store.Device, rnd *rand.Rand) {
			last := NewAuthor(d, 999, rnd)
			var push []store.Item
			for w := range 60 {
				it := NewAuthor(d, uint32(w), rnd).Edit(1)
				last.See(it.Doc, it.Change)
				push = append(push, it)
			}
			p.push(d.Member, push...)
			p.push(d.Member, last.Edit(1), last.Edit(1))
		},
	} {
		if shapes++; testing.Short() && shapes > 2 {
			break
		}
		t.Run(name, func(t *testing.T) {
			p := h.place(t)
			_, d := p.newDevice()
			rnd := rand.New(rand.NewPCG(7, 7))
			f(p, d, rnd)
			_, err := history(p, d.Member, rnd)
			p.check(err)
		})
	}
}

func (h Harness) tenants(t *testing.T) {
	p := h.place(t)
	rnd := rand.New(rand.NewPCG(4, 4))
	one, d := p.newDevice()
	two, e := p.newDevice()
	a, b := NewAuthor(d, 1, rnd), NewAuthor(e, 1, rnd)
	tap := a.Tap(1)
	p.push(d.Member, tap)
	own := b.Tap(1)
	own.Feed[0].Entry = tap.Feed[0].Entry // the same id in two companies is two entries
	p.push(e.Member, own, b.Tap(1))
	for _, x := range []struct {
		t store.Tenant
		m crdt.MemberID
		n int
	}{{one, d.Member, 1}, {two, e.Member, 2}} {
		rs, next, err := p.Feed(t.Context(), x.t, "", 10)
		p.check(err)
		if len(rs) != x.n {
			t.Errorf("company %d: %d records, want %d", x.t, len(rs), x.n)
		}
		for _, r := range rs {
			if r.Member != x.m {
				t.Errorf("company %d reads a record of member %s", x.t, r.Member)
			}
		}
		if _, _, err := p.Feed(t.Context(), one+two-x.t, next, 10); !errors.Is(err, store.ErrCursor) {
			t.Errorf("another company's cursor: %v, want ErrCursor", err)
		}
	}
	if _, err := p.CreateMember(t.Context(), store.Member{Tenant: one + two + 99, Name: "a member"}); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("member of no company: %v", err)
	}
	if _, _, err := p.CreateDevice(t.Context(), crdt.MemberID(a.uuid()), "a phone"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("device of nobody: %v", err)
	}
	if _, _, err := p.CreateAPIKey(t.Context(), one+two+99, "a key", store.ScopeFeed); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("key of no company: %v", err)
	}
	if err := p.RevokeDevice(t.Context(), crdt.DeviceID(a.uuid())); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("revoking no device: %v", err)
	}
	for _, name := range []string{"", " ", strings.Repeat("x", 1000)} {
		if _, err := p.CreateTenant(t.Context(), name); err == nil {
			t.Errorf("company of name %.10q was made", name)
		}
	}
}

func (h Harness) secrets(t *testing.T) {
	p := h.place(t)
	tenant := p.tenant()
	d, token := p.device(p.member(tenant))
	_, key, err := p.CreateAPIKey(t.Context(), tenant, "nightly", store.ScopeFeed)
	p.check(err)
	if !strings.HasPrefix(token, store.DeviceTokenPrefix) || !strings.HasPrefix(key, store.APIKeyPrefix) {
		t.Errorf("token %.7s, key %.7s: wrong prefixes", token, key)
	}
	check := func() {
		t.Helper()
		got, err := p.DeviceByToken(t.Context(), token)
		p.check(err)
		if got != d {
			t.Errorf("device by token: %+v, want %+v", got, d)
		}
		if got, err := p.APIKeyBySecret(t.Context(), key); err != nil || got.Tenant != tenant {
			t.Errorf("key: %+v %v, want one of company %d", got, err, tenant)
		}
	}
	check()
	p.check(p.RevokeDevice(t.Context(), d.ID))
	p.check(p.RevokeDevice(t.Context(), d.ID))
	d.Revoked = true
	check()
	p.reopen()
	check()
	for _, s := range []string{"", key, token + "x", token[:len(token)-1], strings.ToUpper(token), store.DeviceTokenPrefix, "x"} {
		if _, err := p.DeviceByToken(t.Context(), s); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("device by %.10q…: %v, want ErrNotFound", s, err)
		}
	}
	for _, s := range []string{"", token, key + "x", store.APIKeyPrefix} {
		if _, err := p.APIKeyBySecret(t.Context(), s); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("key by %.10q…: %v, want ErrNotFound", s, err)
		}
	}
}

func (h Harness) cursors(t *testing.T) {
	p := h.place(t)
	rnd := rand.New(rand.NewPCG(5, 5))
	tenant, d := p.newDevice()
	a := NewAuthor(d, 1, rnd)
	want := map[entryKey]store.FeedRecord{}
	more := func(n int) {
		for range n {
			it := a.Tap(1)
			p.push(d.Member, it)
			want[entryKey{d.Member, it.Feed[0].Entry}] = it.Feed[0]
		}
	}
	more(20)
	var got []store.Activity
	cursor := ""
	for range 12 {
		rs, next, err := p.Feed(t.Context(), tenant, cursor, 3)
		p.check(err)
		got, cursor = append(got, rs...), next
		p.reopen()
		more(1)
	}
	rs, end, err := wholeFeed(p, tenant, cursor, rnd)
	p.check(err)
	p.check(checkFeed(append(got, rs...), want))

	for _, bad := range []string{"x", "!", end + "A", end[:len(end)-1], "B" + end[1:], strings.ToLower(end), end[:20] + "AAAA" + end[24:]} {
		if _, _, err := p.Feed(t.Context(), tenant, bad, 3); !errors.Is(err, store.ErrCursor) {
			t.Errorf("cursor %.60q: %v, want ErrCursor", bad, err)
		}
	}

	// A cursor of another store.
	q := h.place(t)
	tenant2, d2 := q.newDevice()
	q.push(d2.Member, NewAuthor(d2, 1, rnd).Tap(1))
	_, foreign, err := q.Feed(t.Context(), tenant2, "", 10)
	p.check(err)
	if _, _, err := p.Feed(t.Context(), tenant, foreign, 3); tenant == tenant2 && !errors.Is(err, store.ErrCursor) {
		t.Errorf("cursor of another store: %v, want ErrCursor", err)
	}
	if p.Epoch() == q.Epoch() {
		t.Error("two stores have one epoch")
	}
}

// closing closes the store under load: what was acknowledged is there, the rest got an error that says so.
func (h Harness) closing(t *testing.T) {
	s := seed(t)
	p := h.place(t)
	var mu sync.Mutex
	acked := map[crdt.MemberID][]automerge.Hash{}
	var wg sync.WaitGroup
	started := make(chan struct{}, 1000)
	for i := range 8 {
		_, d := p.newDevice()
		a := NewAuthor(d, 1, rand.New(rand.NewPCG(s, uint64(i))))
		st := p.Store
		wg.Go(func() {
			for {
				it := a.Tap(1)
				_, err := st.Append(context.Background(), d.Member, []store.Item{it})
				if err != nil {
					if !errors.Is(err, store.ErrClosed) {
						t.Errorf("append while closing: %v", err)
					}
					return
				}
				mu.Lock()
				acked[d.Member] = append(acked[d.Member], it.Change.Hash())
				mu.Unlock()
				select {
				case started <- struct{}{}:
				default:
				}
			}
		})
	}
	for range 50 {
		<-started
	}
	old := p.Store
	p.close()
	wg.Wait()
	if err := old.Close(); err != nil {
		t.Errorf("closing twice: %v", err)
	}
	for m := range acked {
		if _, err := old.Head(t.Context(), m); !errors.Is(err, store.ErrClosed) {
			t.Errorf("head of a closed store: %v", err)
		}
	}
	if err := old.Health(t.Context()); !errors.Is(err, store.ErrClosed) {
		t.Errorf("health of a closed store: %v", err)
	}
	p.open(h.Open)
	p.holds(acked)
}

// holds checks that every acknowledged change is readable.
func (p *place) holds(acked map[crdt.MemberID][]automerge.Hash) {
	p.t.Helper()
	rnd := rand.New(rand.NewPCG(6, 6))
	for m, hashes := range acked {
		cs, err := history(p, m, rnd)
		p.check(err)
		have := map[automerge.Hash]bool{}
		for _, c := range cs {
			have[c.Hash] = true
		}
		for _, h := range hashes {
			if !have[h] {
				p.t.Fatalf("member %s: change %s was acknowledged and is gone", m, h)
			}
		}
	}
}

func (h Harness) full(t *testing.T) {
	if h.OpenFull == nil {
		t.Skip("the harness cannot fill its disk")
	}
	p := h.place(t)
	rnd := rand.New(rand.NewPCG(7, 7))
	tenant, d := p.newDevice()
	a := NewAuthor(d, 1, rnd)
	p.push(d.Member, a.Tap(1))
	p.close()
	p.open(h.OpenFull)
	acked := map[crdt.MemberID][]automerge.Hash{}
	feed := 1
	var refused store.Item
	for i := 0; ; i++ {
		it := a.Tap(5)
		ack, err := p.Append(t.Context(), d.Member, []store.Item{it})
		if err != nil {
			if !errors.Is(err, store.ErrFull) {
				t.Fatalf("full disk: %v, want ErrFull", err)
			}
			refused = it
			break
		}
		if i > 10_000 {
			t.Fatal("the disk is never full")
		}
		acked[d.Member] = append(acked[d.Member], it.Change.Hash())
		feed += 5
		if ack.New != 1 {
			t.Fatalf("ack %+v", ack)
		}
	}
	if len(acked[d.Member]) < 3 {
		t.Fatalf("only %d pushes before the disk was full", len(acked[d.Member]))
	}
	if err := p.Health(t.Context()); !errors.Is(err, store.ErrFull) {
		t.Errorf("health on a full disk: %v, want ErrFull", err)
	}
	p.holds(acked)
	// Folding makes room, and needs some first: it happens or it does not, and nothing is lost either way.
	if _, err := p.Compact(t.Context(), d.Member, 1); err != nil && !errors.Is(err, store.ErrFull) {
		t.Errorf("folding on a full disk: %v, want ErrFull", err)
	}
	p.holds(acked)
	rs, _, err := wholeFeed(p, tenant, "", rnd)
	p.check(err)
	if len(rs) != feed {
		t.Errorf("feed has %d records, want %d: a push is all or nothing", len(rs), feed)
	}
	// Big pushes fail together with small ones, and must not take these with them: a small one may or may not fit.
	var wg sync.WaitGroup
	for i := range 6 {
		b := NewAuthor(d, uint32(10+i), rnd)
		var items []store.Item
		for range 1 + i%2*400 {
			items = append(items, b.Edit(1))
		}
		wg.Go(func() {
			ack, err := p.Append(t.Context(), d.Member, items)
			if err != nil && !errors.Is(err, store.ErrFull) {
				t.Errorf("full disk: %v, want ErrFull", err)
			}
			if err == nil && ack.New != len(items) {
				t.Errorf("ack %+v", ack)
			}
		})
	}
	wg.Wait()
	p.holds(acked)
	p.reopen()
	p.holds(acked)
	p.push(d.Member, refused)
	p.check(p.Health(t.Context()))
}

func (h Harness) newer(t *testing.T) {
	if h.MakeNewer == nil {
		t.Skip("the harness cannot make a newer store")
	}
	p := h.place(t)
	p.close()
	p.check(h.MakeNewer(p.dir))
	s, err := h.Open(t.Context(), p.dir)
	if err == nil {
		_ = s.Close()
	}
	if !errors.Is(err, store.ErrNewer) {
		t.Errorf("newer store: %v, want ErrNewer", err)
	}
}

// TokensEnv names the environment variable by which the parent of Child hands over device tokens.
const TokensEnv = "STORETEST_TOKENS"

// Child pushes taps for the devices whose tokens are in TokensEnv, one goroutine each, until it is killed. It writes a
// line to out after each acknowledgement: the member, the change's hash and the entry's id. Now and then it pairs another
// device of the member; the line is then "paired", the code and the new device's token.
func Child(s store.Store, out io.Writer) error {
	var wg sync.WaitGroup
	tokens := strings.Fields(os.Getenv(TokensEnv))
	errs := make([]error, len(tokens))
	var mu sync.Mutex
	for i, token := range tokens {
		wg.Go(func() {
			errs[i] = func() error {
				d, err := s.DeviceByToken(context.Background(), token)
				if err != nil {
					return err
				}
				// A process that was killed does not know what it wrote last, so it writes as a new writer.
				now := uint64(time.Now().UnixNano())
				a := NewAuthor(d, uint32(now/1000), rand.New(rand.NewPCG(now, uint64(i))))
				for n := 0; ; n++ {
					if n%50 == 49 { // the kill may come in the middle of it
						if _, err := s.Compact(context.Background(), d.Member, 20); err != nil {
							return err
						}
					}
					if n%20 == 5 {
						_, code, err := s.CreateInvite(context.Background(), d.Member, d.ID, time.Now().Add(time.Hour))
						if err != nil {
							return err
						}
						_, token, err := s.Redeem(context.Background(), code, "paired")
						if err == nil {
							mu.Lock()
							_, err = fmt.Fprintf(out, "paired %s %s\n", code, token)
							mu.Unlock()
						}
						if err != nil {
							return err
						}
					}
					it := a.Tap(1)
					ack, err := s.Append(context.Background(), d.Member, []store.Item{it})
					if err != nil {
						return err
					}
					if ack.New != 1 {
						return fmt.Errorf("ack %+v", ack)
					}
					mu.Lock()
					_, err = fmt.Fprintf(out, "%s %s %s\n", d.Member, it.Change.Hash(), it.Feed[0].Entry)
					mu.Unlock()
					if err != nil {
						return err
					}
				}
			}()
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

func (h Harness) kill(t *testing.T) {
	if h.Child == nil {
		t.Skip("the harness has no child process")
	}
	rounds := 6
	if testing.Short() {
		rounds = 2
	}
	s := seed(t)
	rnd := rand.New(rand.NewPCG(s, 0))
	p := h.place(t)
	tenant := p.tenant()
	var tokens []string
	for range 3 {
		m := p.member(tenant)
		for range 2 {
			_, token := p.device(m)
			tokens = append(tokens, token)
		}
	}
	acked := map[crdt.MemberID][]automerge.Hash{}
	paired := map[string]string{} // code by token
	told := map[entryKey]bool{}
	cursor := ""
	var feed []store.Activity
	for round := range rounds {
		p.close()
		cmd := h.Child(p.dir)
		cmd.Env = append(cmd.Environ(), TokensEnv+"="+strings.Join(tokens, " "))
		lines := runUntilKilled(t, cmd, time.Duration(20+rnd.IntN(250))*time.Millisecond)
		for _, l := range lines {
			var m crdt.MemberID
			var e crdt.EntryID
			f := strings.Fields(l)
			if f[0] == "paired" {
				paired[f[2]] = f[1]
				continue
			}
			p.check(m.UnmarshalText([]byte(f[0])))
			p.check(e.UnmarshalText([]byte(f[2])))
			acked[m] = append(acked[m], parseHash(t, f[1]))
			told[entryKey{m, e}] = true
		}
		p.open(h.Open)
		p.holds(acked)
		for token, code := range paired {
			d, err := p.DeviceByToken(t.Context(), token)
			if err != nil || d.Name != "paired" || d.Tenant != tenant {
				t.Fatalf("round %d: device of a token that was handed out: %+v, %v", round, d, err)
			}
			_, _, err = p.Redeem(t.Context(), code, "again")
			want(t, "code that was used before the kill", err, store.ErrExpired)
		}
		rs, next, err := wholeFeed(p, tenant, cursor, rnd)
		p.check(err)
		feed, cursor = append(feed, rs...), next
		all, _, err := wholeFeed(p, tenant, "", rnd)
		p.check(err)
		if !slices.Equal(all, feed) {
			t.Fatalf("round %d: a reader that kept its cursor has %d records, the feed has %d", round, len(feed), len(all))
		}
		seen := map[entryKey]bool{}
		for _, r := range all {
			k := entryKey{r.Member, r.Entry}
			if seen[k] {
				t.Fatalf("round %d: entry %s is in the feed twice", round, r.Entry)
			}
			seen[k] = true
		}
		for k := range told {
			if !seen[k] {
				t.Fatalf("round %d: entry %s was acknowledged and is not in the feed", round, k.entry)
			}
		}
		// What the child may have sent without hearing of it is sent again: nothing is stored twice.
		for m := range acked {
			head, err := p.Head(t.Context(), m)
			p.check(err)
			cs, _, _, err := Since(t.Context(), p, m, head.Seq-min(head.Seq, 3), 0, 0)
			p.check(err)
			var items []store.Item
			for _, c := range cs {
				ch, err := automerge.ParseChange(c.Raw)
				p.check(err)
				items = append(items, store.Item{Doc: c.Doc, Change: ch})
			}
			ack, err := p.Append(t.Context(), m, items)
			p.check(err)
			if ack.Dup != len(items) || ack.Receipt != head {
				t.Fatalf("round %d: pushed again: %+v, head %+v", round, ack, head)
			}
		}
	}
	n := 0
	for _, hs := range acked {
		n += len(hs)
	}
	t.Logf("%d changes acknowledged and %d devices paired over %d kills, none lost", n, len(paired), rounds)
	if n == 0 || len(paired) == 0 {
		t.Error("no change was acknowledged in any round")
	}
}

// runUntilKilled starts the child, kills it some time after its first line, and returns the lines it wrote.
func runUntilKilled(t *testing.T, cmd *exec.Cmd, after time.Duration) []string {
	t.Helper()
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var stderr strings.Builder
	cmd.Stderr = &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var lines []string
	var text strings.Builder
	buf := make([]byte, 32<<10)
	for first := true; ; first = false {
		n, err := out.Read(buf)
		text.Write(buf[:n])
		if first && n > 0 {
			time.AfterFunc(after, func() { _ = cmd.Process.Kill() })
		}
		if err != nil {
			break
		}
	}
	err = cmd.Wait()
	if stderr.Len() > 0 || err == nil {
		t.Fatalf("child ended by itself: %v %s", err, stderr.String())
	}
	for l := range strings.Lines(text.String()) {
		// The line that the kill cut was not told.
		if strings.HasSuffix(l, "\n") {
			lines = append(lines, l)
		}
	}
	return lines
}

func parseHash(t *testing.T, s string) (h automerge.Hash) {
	t.Helper()
	if n, err := hex.Decode(h[:], []byte(s)); n != len(h) || err != nil {
		t.Fatalf("hash %q: %v", s, err)
	}
	return h
}
