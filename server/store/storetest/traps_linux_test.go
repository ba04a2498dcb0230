package storetest_test

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/base64"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"trio/crdt"
	"trio/crdt/automerge"
	"trio/server/store"
	"trio/server/store/powerloss"
	"trio/server/store/storetest"
)

// The engines below are wrong, each in one way that engines have been wrong in; the suite has to find out every one. Each is
// a sound engine with a little around it, and the sound engine in the same frame passes.

// trapEnv names the wrong engine that TestEngine runs the suite with.
const trapEnv = "STORETEST_TRAP"

// A trap is a wrong engine and the tests that find it out.
type trap struct {
	name  string
	what  string
	tests string // of the suite
	says  string // what one of them says
	make  func(h *harness) func(store.Store, string) store.Store
}

const sound = "sound"

var traps = []trap{
	{
		name: sound, tests: "Random|Nodes|Retain|Crash|PowerCut|Close|Claims|Reminders",
		make: func(*harness) func(store.Store, string) store.Store {
			return func(s store.Store, _ string) store.Store { return s }
		},
	},
	{
		name: "own claims", what: "each node remembers which notices it gave, and none asks the others",
		tests: "Claims", says: `was claimed by \d`,
		make: func(*harness) func(store.Store, string) store.Store {
			return func(s store.Store, _ string) store.Store { return &alone{Store: s, claimed: map[string]bool{}} }
		},
	},
	{
		name: "late claims", what: "a reminder is read, compared and written, and somebody else may write in between",
		tests: "Reminders", says: `was set \d times`,
		make: func(*harness) func(store.Store, string) store.Store {
			return func(s store.Store, _ string) store.Store { return late{s} }
		},
	},
	{
		name: "bigserial", what: "positions of the feed are drawn before the commit, which may come in another order: a live reader passes some by",
		tests: "Random", says: `the live reader saw \d+ records`,
		make: func(*harness) func(store.Store, string) store.Store {
			feeds := map[string]*drawn{}
			return func(s store.Store, dir string) store.Store {
				if feeds[dir] == nil {
					feeds[dir] = &drawn{records: map[store.Tenant][]position{}}
				}
				return &bigserial{s, feeds[dir]}
			}
		},
	},
	{
		name: "normal", what: "what is acknowledged is not synced, as with synchronous=NORMAL",
		tests: "PowerCut", says: `acknowledged changes that are gone: [1-9]`,
		make: func(h *harness) func(store.Store, string) store.Store {
			h.unsafe = "NORMAL"
			return func(s store.Store, _ string) store.Store { return s }
		},
	},
	{
		name: "retry", what: "what comes again is acknowledged at once, though its first copy is not durable yet",
		tests: "PowerCut|Crash", says: `changes were acknowledged with receipt \d+, 0 of them are there`,
		make: func(*harness) func(store.Store, string) store.Store {
			return func(s store.Store, _ string) store.Store {
				return &retryHole{Store: s, underWay: map[automerge.Hash]int{}}
			}
		},
	},
	{
		name: "half", what: "a push is stored in two transactions",
		tests: "PowerCut|Crash", says: `of a push of \d+ changes \d+ are there`,
		make: func(*harness) func(store.Store, string) store.Store {
			return func(s store.Store, _ string) store.Store { return half{s} }
		},
	},
	{
		name: "hints-lost", what: "a wake-up is lost, and nobody says All",
		tests: "Nodes", says: `had no hint, and there was none of All`,
		make: func(*harness) func(store.Store, string) store.Store {
			return func(s store.Store, _ string) store.Store { return deaf{s} }
		},
	},
	{
		name: "hints-believed", what: "heads are what hints have said, which come late or never",
		tests: "Nodes", says: `after change \d+ of .* was acknowledged`,
		make: func(*harness) func(store.Store, string) store.Store {
			return func(s store.Store, _ string) store.Store { return newCredulous(s) }
		},
	},
	{
		name: "reused", what: "a feed that has been emptied counts from the start again",
		tests: "Retain", says: `of three new records|cursor is`,
		make: func(h *harness) func(store.Store, string) store.Store {
			h.forgetful = true
			return func(s store.Store, _ string) store.Store { return s }
		},
	},
}

// harness opens the engines of a trap.
type harness struct {
	disk      *powerloss.Disk
	cuts      atomic.Uint64
	unsafe    string
	forgetful bool
	wrap      func(store.Store, string) store.Store
}

func (h *harness) open(ctx context.Context, dir string) (store.Store, error) {
	s, err := store.Open(ctx, store.Config{Path: filepath.Join(dir, "trio.db"), VFS: h.disk.Name(), Unsafe: h.unsafe})
	if err != nil {
		return nil, err
	}
	return h.wrap(s, dir), nil
}

func (h *harness) cut(dir string, outcome uint64) (string, error) {
	next := filepath.Join(filepath.Dir(dir), fmt.Sprintf("after-%d", h.cuts.Add(1)))
	return next, h.disk.Cut(dir).Write(next, outcome)
}

func (h *harness) retain(dir string) error {
	db, err := sql.Open("sqlite", filepath.Join(dir, "trio.db"))
	if err != nil {
		return err
	}
	_, err = db.Exec("DELETE FROM feed")
	if err == nil && h.forgetful {
		_, err = db.Exec("DELETE FROM sqlite_sequence WHERE name = 'feed'")
	}
	return errors.Join(err, db.Close())
}

// TestEngine runs the suite with the engine that trapEnv names; TestTraps does so in a process of its own.
func TestEngine(t *testing.T) {
	i := slices.IndexFunc(traps, func(tr trap) bool { return tr.name == os.Getenv(trapEnv) })
	if i < 0 {
		t.Skipf("%s names no engine", trapEnv)
	}
	disk, err := powerloss.New()
	if err != nil {
		t.Fatal(err)
	}
	h := &harness{disk: disk}
	h.wrap = traps[i].make(h)
	storetest.Run(t, storetest.Harness{
		Open: h.open, Nodes: true, Retain: h.retain,
		PowerCut: func(_ context.Context, dir string) (string, error) { return h.cut(dir, 2+h.cuts.Load()) },
		Crash:    func(_ context.Context, dir string) (string, error) { return h.cut(dir, 1) },
	})
}

// TestTraps demands that the suite fails with every wrong engine, for the reason that it is wrong, and passes with the sound
// one.
func TestTraps(t *testing.T) {
	for _, tr := range traps {
		t.Run(tr.name, func(t *testing.T) {
			// What is wrong shows when goroutines meet: not always at the first try.
			const tries = 10
			var out []byte
			for try := range tries {
				cmd := exec.Command(os.Args[0], "-test.run=^TestEngine$/^("+tr.tests+")$", "-test.v", "-test.short")
				cmd.Env = append(os.Environ(), trapEnv+"="+tr.name, storetest.SeedEnv+"="+strconv.Itoa(try+1))
				var err error
				out, err = cmd.CombinedOutput()
				switch {
				case tr.name == sound && err == nil:
					return
				case tr.name == sound:
					t.Fatalf("the suite fails with a sound engine: %v\n%s", err, out)
				case err != nil && regexp.MustCompile(tr.says).Match(out):
					return
				case err != nil:
					t.Fatalf("%s: the suite fails for another reason, want %q:\n%s", tr.what, tr.says, out)
				}
			}
			t.Fatalf("%s: the suite did not notice in %d tries:\n%s", tr.what, tries, out)
		})
	}
}

// bigserial draws the positions of feed records before they are committed.
type bigserial struct {
	store.Store
	*drawn
}

type drawn struct {
	mu      sync.Mutex
	last    int64
	records map[store.Tenant][]position // ascending
	owners  sync.Map                    // members to companies
}

type position struct {
	at int64
	store.Activity
}

func (b *bigserial) CreateDevice(ctx context.Context, m crdt.MemberID, name string) (store.Device, string, error) {
	d, token, err := b.Store.CreateDevice(ctx, m, name)
	b.owners.Store(m, d.Tenant)
	return d, token, err
}

func (b *bigserial) Append(ctx context.Context, m crdt.MemberID, items []store.Item) (store.Ack, error) {
	b.mu.Lock()
	first := b.last + 1
	for _, it := range items {
		b.last += int64(len(it.Feed))
	}
	b.mu.Unlock()
	if rand.IntN(4) == 0 {
		time.Sleep(3 * time.Millisecond)
	}
	ack, err := b.Store.Append(ctx, m, items)
	if err != nil {
		return ack, err
	}
	owner, _ := b.owners.Load(m)
	b.mu.Lock()
	defer b.mu.Unlock()
	list := b.records[owner.(store.Tenant)]
	for i, it := range items {
		refused := slices.ContainsFunc(ack.Rejected, func(r store.Rejection) bool { return r.Index == i })
		for _, r := range it.Feed {
			if !refused && !slices.ContainsFunc(list, func(p position) bool { return p.Member == r.Member && p.Entry == r.Entry }) {
				list = append(list, position{first, store.Activity{FeedRecord: r, Arrived: time.Now()}})
			}
			first++
		}
	}
	slices.SortFunc(list, func(x, y position) int { return cmp.Compare(x.at, y.at) })
	b.records[owner.(store.Tenant)] = list
	return ack, nil
}

func (b *bigserial) Feed(_ context.Context, t store.Tenant, cursor string, limit int) (rs []store.Activity, next string, err error) {
	pos := int64(0)
	if cursor != "" {
		text, _ := base64.StdEncoding.DecodeString(cursor)
		pos, _ = strconv.ParseInt(string(text), 10, 64)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, r := range b.records[t] {
		if r.at > pos && len(rs) < limit {
			rs, next = append(rs, r.Activity), base64.StdEncoding.EncodeToString([]byte(strconv.FormatInt(r.at, 10)))
		}
	}
	if len(rs) == 0 {
		next = cursor
	}
	return rs, next, nil
}

// retryHole answers a push that is under way already as one that is stored.
type retryHole struct {
	store.Store
	mu       sync.Mutex
	underWay map[automerge.Hash]int
}

func (r *retryHole) Append(ctx context.Context, m crdt.MemberID, items []store.Item) (store.Ack, error) {
	again := len(items) > 0
	count := func(n int) {
		r.mu.Lock()
		defer r.mu.Unlock()
		for _, it := range items {
			if it.Change != nil && it.Change.Len() > 0 {
				again = again && r.underWay[it.Change.Hash()] > 0
				r.underWay[it.Change.Hash()] += n
			}
		}
	}
	count(1)
	defer count(-1)
	if again {
		head, err := r.Head(ctx, m)
		return store.Ack{Receipt: head, Dup: len(items)}, err
	}
	time.Sleep(5 * time.Millisecond) // the standby is slow
	return r.Store.Append(ctx, m, items)
}

// half stores a push in two halves.
type half struct{ store.Store }

func (h half) Append(ctx context.Context, m crdt.MemberID, items []store.Item) (store.Ack, error) {
	n := len(items) / 2
	one, err := h.Store.Append(ctx, m, items[:n])
	if err != nil {
		return one, err
	}
	two, err := h.Store.Append(ctx, m, items[n:])
	for i := range two.Rejected {
		two.Rejected[i].Index += n
	}
	two.New, two.Dup, two.Rejected = two.New+one.New, two.Dup+one.Dup, append(one.Rejected, two.Rejected...)
	return two, err
}

// deaf loses the hints of some members.
type deaf struct{ store.Store }

func (d deaf) Watch(ctx context.Context, f func(store.Hint)) error {
	return d.Store.Watch(ctx, func(h store.Hint) {
		if !h.All && h.Member[15]%2 == 0 {
			f(h)
		}
	})
}

// credulous answers for heads with what hints have said.
type credulous struct {
	store.Store
	mu    sync.Mutex
	heads map[crdt.MemberID]uint64
}

func newCredulous(s store.Store) *credulous {
	c := &credulous{Store: s, heads: map[crdt.MemberID]uint64{}}
	if err := c.Watch(context.Background(), func(h store.Hint) {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.heads[h.Member] = max(c.heads[h.Member], h.Head)
	}); err != nil {
		panic(err)
	}
	return c
}

func (c *credulous) Heads(_ context.Context, ms []crdt.MemberID) (map[crdt.MemberID]uint64, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	heads := map[crdt.MemberID]uint64{}
	for _, m := range ms {
		if n := c.heads[m]; n > 0 {
			heads[m] = n
		}
	}
	return heads, nil
}

// alone claims notices by itself.
type alone struct {
	store.Store
	mu      sync.Mutex
	claimed map[string]bool
}

func (a *alone) ClaimNotice(ctx context.Context, m crdt.MemberID, key string, until time.Time) (bool, error) {
	if ok, err := a.Store.ClaimNotice(ctx, m, key+" ", until); err != nil {
		return ok, err // what is refused is refused
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	k := string(m[:]) + key
	ok := !a.claimed[k]
	a.claimed[k] = true
	return ok, nil
}

// late compares reminders before it sets them.
type late struct{ store.Store }

func (l late) SetReminder(ctx context.Context, r store.Reminder, was time.Time) (bool, error) {
	list, err := l.Reminders(ctx, time.UnixMilli(1<<41), store.Reminder{}, 0)
	if err != nil {
		return false, err
	}
	for _, x := range list {
		if x.Member == r.Member && x.Next.Equal(was) {
			time.Sleep(time.Millisecond)
			_, err := l.Store.SetReminder(ctx, r, was)
			return err == nil, err
		}
	}
	return false, nil
}
