package store_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"trio/crdt"
	"trio/crdt/automerge"
	"trio/crdt/wire"
	"trio/server/store"
	"trio/server/store/storetest"
)

// childEnv has this test binary act as the child of a test: it names what to do, and dirEnv where.
const (
	childEnv = "TRIO_STORE_TEST_CHILD"
	dirEnv   = "TRIO_STORE_TEST_DIR"
)

func TestMain(m *testing.M) {
	switch os.Getenv(childEnv) {
	case "":
		os.Exit(m.Run())
	case "append":
		s, err := openDir(context.Background(), os.Getenv(dirEnv))
		if err == nil {
			err = storetest.Child(s, os.Stdout)
		}
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	default:
		childMore(os.Getenv(childEnv), os.Getenv(dirEnv))
	}
}

func child(what, dir string) *exec.Cmd {
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childEnv+"="+what, dirEnv+"="+dir)
	return cmd
}

func file(dir string) string { return filepath.Join(dir, "trio.db") }

func openDir(ctx context.Context, dir string) (store.Store, error) {
	return store.Open(ctx, store.Config{Path: file(dir)})
}

// raw opens the file as any program could.
func raw(dir string) (*sql.DB, error) { return sql.Open("sqlite", file(dir)) }

func TestConformance(t *testing.T) {
	h := storetest.Harness{
		Open:  openDir,
		Nodes: true,
		OpenFull: func(ctx context.Context, dir string) (store.Store, error) {
			db, err := raw(dir)
			if err != nil {
				return nil, err
			}
			defer func() { _ = db.Close() }()
			var pages int64
			if err := db.QueryRowContext(ctx, "PRAGMA page_count").Scan(&pages); err != nil {
				return nil, err
			}
			return store.Open(ctx, store.Config{Path: file(dir), MaxPages: pages + 60})
		},
		MakeNewer: func(dir string) error {
			db, err := raw(dir)
			if err != nil {
				return err
			}
			_, err = db.Exec("PRAGMA user_version = 99")
			_ = db.Close()
			return err
		},
		Retain: func(dir string) error {
			db, err := raw(dir)
			if err != nil {
				return err
			}
			_, err = db.Exec("DELETE FROM feed")
			return errors.Join(err, db.Close())
		},
		Child: func(dir string) *exec.Cmd { return child("append", dir) },
	}
	onDisk(&h)
	storetest.Run(t, h)
}

func TestOpenRefuses(t *testing.T) {
	for _, tc := range []struct {
		name, want string
		make       func(path string) error
	}{
		{"folder that is not there", "no such file", func(string) error { return nil }},
		{"text", "not a database", func(path string) error {
			return os.WriteFile(path, []byte(strings.Repeat("this is a letter\n", 200)), 0o600)
		}},
		{"other program's database", "another program", func(path string) error {
			db, err := sql.Open("sqlite", path)
			if err != nil {
				return err
			}
			defer func() { _ = db.Close() }()
			_, err = db.Exec("CREATE TABLE t (x)")
			return err
		}},
		{"other program's stamp", "0x7b", func(path string) error {
			db, err := sql.Open("sqlite", path)
			if err != nil {
				return err
			}
			defer func() { _ = db.Close() }()
			_, err = db.Exec("PRAGMA application_id = 123")
			return err
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "other.db")
			if strings.HasPrefix(tc.name, "folder") {
				path = filepath.Join(path, "trio.db")
			}
			if err := tc.make(path); err != nil {
				t.Fatal(err)
			}
			before, _ := os.ReadFile(path)
			s, err := store.Open(t.Context(), store.Config{Path: path})
			if err == nil {
				_ = s.Close()
				t.Fatal("opened")
			}
			if !strings.Contains(err.Error(), tc.want) {
				t.Errorf("error %q does not say %q", err, tc.want)
			}
			if after, _ := os.ReadFile(path); string(after) != string(before) {
				t.Error("the file was changed")
			}
		})
	}
}

func TestConfig(t *testing.T) {
	for _, tc := range []struct {
		field string
		cfg   store.Config
	}{
		{"Path", store.Config{}},
		{"MaxPages", store.Config{Path: "x", MaxPages: -1}},
		{"QueueLen", store.Config{Path: "x", QueueLen: -1}},
		{"GroupChanges", store.Config{Path: "x", GroupChanges: -1}},
		{"CacheKiB", store.Config{Path: "x", CacheKiB: -1}},
	} {
		if err := tc.cfg.Validate(); err == nil || !strings.Contains(err.Error(), "Config."+tc.field) {
			t.Errorf("%+v: %v, want one that names %s", tc.cfg, err, tc.field)
		}
	}
}

// A path may hold what means something in a URI, and the file is for its owner alone.
func TestPath(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("its file names may not hold such characters, and its rights are others")
	}
	path := filepath.Join(t.TempDir(), "50% of a?b#c&mode=ro.db")
	open(t, store.Config{Path: path})
	for _, p := range []string{path, path + "-wal", path + "-shm"} {
		info, err := os.Stat(p)
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %v", filepath.Base(p), info.Mode())
		}
	}
}

// A write waits in a bounded queue; when that is full the caller hears so, and nothing is stored.
func TestBusy(t *testing.T) {
	s := open(t, store.Config{QueueLen: 1, GroupChanges: 1})
	d := newDevice(t, s, newTenant(t, s))
	var busy, stored atomic.Int64
	var wg sync.WaitGroup
	for i := range 16 {
		wg.Go(func() {
			a := storetest.NewAuthor(d, uint32(i), rand.New(rand.NewPCG(1, uint64(i))))
			for range 20 {
				switch _, err := s.Append(t.Context(), d.Member, []store.Item{a.Tap(1)}); {
				case err == nil:
					stored.Add(1)
				case errors.Is(err, store.ErrBusy):
					busy.Add(1)
					return
				default:
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	head, err := s.Head(t.Context(), d.Member)
	if err != nil {
		t.Fatal(err)
	}
	if busy.Load() == 0 || head.Seq != uint64(stored.Load()) {
		t.Errorf("%d busy, %d acknowledged, head %d", busy.Load(), stored.Load(), head.Seq)
	}
}

// What a transaction holds in memory is bounded by the bytes of the pushes in it, too.
func TestGroupsOfLargePushes(t *testing.T) {
	s := open(t, store.Config{})
	company := newTenant(t, s)
	const pushes, size = 24, 800 << 10
	value := make([]byte, size)
	rnd := rand.NewChaCha8([32]byte{1})
	_, _ = rnd.Read(value) // never fails
	devices := make([]store.Device, pushes)
	for i := range devices {
		devices[i] = newDevice(t, s, company)
	}
	before := s.Stats().Groups
	release := s.Hold(t.Context())
	var all sync.WaitGroup
	for i, d := range devices {
		a := storetest.NewAuthor(d, 1, rand.New(rand.NewPCG(1, uint64(i))))
		it := a.Write(crdt.ContactsDoc, []automerge.Op{{
			Key: crdt.ContactKey(crdt.ContactID(d.ID), "name"), Action: automerge.Put, Value: automerge.Value{Kind: automerge.KindBytes, Str: string(value)},
		}})
		all.Go(func() {
			if ack, err := s.Append(t.Context(), d.Member, []store.Item{it}); err != nil || ack.New != 1 {
				t.Errorf("%+v, %v", ack, err)
			}
		})
	}
	for s.Stats().Queued < pushes {
		time.Sleep(time.Millisecond)
	}
	release()
	all.Wait()
	if n := s.Stats().Groups - before - 1; n < pushes*size>>23 || n > pushes/4 {
		t.Errorf("%d pushes of %d KB are committed in %d groups", pushes, size>>10, n)
	}
}

// A push that brings nothing new must reach the disk too: the copy it finds may be in memory only, written by a process
// that was killed before its fsync.
func TestDuplicateWrites(t *testing.T) {
	dir := t.TempDir()
	s := open(t, store.Config{Path: file(dir)})
	d := newDevice(t, s, newTenant(t, s))
	items := []store.Item{storetest.NewAuthor(d, 1, rand.New(rand.NewPCG(1, 1))).Tap(1)}
	size := func() int64 {
		info, err := os.Stat(file(dir) + "-wal")
		if err != nil {
			t.Fatal(err)
		}
		return info.Size()
	}
	for i := range 3 {
		before := size()
		if _, err := s.Append(t.Context(), d.Member, items); err != nil {
			t.Fatal(err)
		}
		if size() == before {
			t.Errorf("push %d wrote nothing", i)
		}
	}
}

// The operator's command works on the file of a running server.
func TestTwoOpen(t *testing.T) {
	dir := t.TempDir()
	one, two := open(t, store.Config{Path: file(dir)}), open(t, store.Config{Path: file(dir)})
	d := newDevice(t, two, newTenant(t, one))
	rnd := rand.New(rand.NewPCG(1, 1))
	var wg sync.WaitGroup
	for i, s := range []store.Store{one, two} {
		a := storetest.NewAuthor(d, uint32(i), rand.New(rand.NewPCG(1, rnd.Uint64())))
		wg.Go(func() {
			for range 50 {
				if ack, err := s.Append(t.Context(), d.Member, []store.Item{a.Tap(1), a.Edit(1)}); err != nil || ack.New != 2 {
					t.Error(ack, err)
				}
				if _, err := s.Compact(t.Context(), d.Member, 20); err != nil && !errors.Is(err, store.ErrBusy) {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	for _, s := range []store.Store{one, two} {
		n := uint64(0)
		for more := true; more; {
			cs, at, rest, err := storetest.Since(t.Context(), s, d.Member, n, 0, 0)
			if err != nil || at.Seq != n+uint64(len(cs)) {
				t.Fatalf("%d changes after %d up to %d, %v", len(cs), n, at.Seq, err)
			}
			n, more = at.Seq, rest
		}
		if n != 200 {
			t.Errorf("%d changes", n)
		}
	}
}

// A server and its operator's commands may all be the first on a database.
func TestFirstTogether(t *testing.T) {
	for range 20 {
		path := file(t.TempDir())
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				s, err := store.Open(t.Context(), store.Config{Path: path})
				if err != nil {
					t.Error(err)
					return
				}
				if err := s.Close(); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
	}
}

// What the committer remembers of a member is not believed when somebody else may have written: another process, another
// kind of write, or a transaction that was taken back.
func TestNothingStaleIsRemembered(t *testing.T) {
	dir := t.TempDir()
	s := open(t, store.Config{Path: file(dir)})
	tenant := newTenant(t, s)
	d := newDevice(t, s, tenant)
	a := storetest.NewAuthor(d, 1, rand.New(rand.NewPCG(1, 1)))
	want := uint64(0)
	push := func(s store.Store, items ...store.Item) {
		t.Helper()
		want += uint64(len(items))
		if ack, err := s.Append(t.Context(), d.Member, items); err != nil || ack.Receipt.Seq != want || len(ack.Rejected) > 0 {
			t.Fatalf("got %+v, %v, want the order up to change %d", ack, err, want)
		}
	}
	push(s, a.Tap(1))
	push(s, a.Tap(1), a.Edit(2))
	aside := open(t, store.Config{Path: file(dir), Aside: true})
	push(aside, a.Tap(1))
	push(s, a.Tap(1))
	late := a.Fork()
	push(aside, a.Edit(1))
	if ack, err := s.Append(t.Context(), d.Member, []store.Item{late.Edit(1)}); err != nil || len(ack.Rejected) != 1 || ack.Rejected[0].Code != wire.CodeSequence {
		t.Errorf("a number that the other process has stored is given again: %+v, %v", ack, err)
	}
	if n, err := aside.Compact(t.Context(), d.Member, 1); err != nil || n == 0 {
		t.Fatal(n, err)
	}
	push(s, a.Tap(1), a.Edit(1))
	if n, err := s.Compact(t.Context(), d.Member, 1); err != nil || n == 0 {
		t.Fatal(n, err)
	}
	push(s, a.Tap(1))

	one := int64(1)
	for _, other := range []*store.SQLite{aside, s} {
		if err := other.SetQuota(t.Context(), tenant, store.QuotaEdit{Bytes: &one}); err != nil {
			t.Fatal(err)
		}
		full := a.Fork()
		if _, err := s.Append(t.Context(), d.Member, []store.Item{full.Tap(1)}); !errors.Is(err, store.ErrQuota) {
			t.Errorf("a quota that was set a moment ago: %v", err)
		}
		zero := int64(0)
		if err := other.SetQuota(t.Context(), tenant, store.QuotaEdit{Bytes: &zero}); err != nil {
			t.Fatal(err)
		}
		push(s, a.Tap(1))
	}
}

// A transaction may be larger than the page cache.
func TestLargerThanTheCache(t *testing.T) {
	s := open(t, store.Config{CacheKiB: 64})
	d := newDevice(t, s, newTenant(t, s))
	a := storetest.NewAuthor(d, 1, rand.New(rand.NewPCG(1, 1)))
	var items []store.Item
	for range 2000 {
		items = append(items, a.Tap(1), a.Edit(3))
	}
	if ack, err := s.Append(t.Context(), d.Member, items); err != nil || ack.New != len(items) {
		t.Fatal(ack.New, err)
	}
	n := uint64(0)
	for more := true; more; {
		cs, at, rest, err := storetest.Since(t.Context(), s, d.Member, n, 0, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range cs {
			if c.Hash != items[c.Seq-1].Change.Hash() {
				t.Fatalf("change %d is another one", c.Seq)
			}
		}
		n, more = at.Seq, rest
	}
	if n != uint64(len(items)) {
		t.Errorf("%d changes of %d", n, len(items))
	}
}

// Aside, a store works beside another one and folds nothing by itself, whatever there is to fold.
func TestAside(t *testing.T) {
	dir := t.TempDir()
	serving := open(t, store.Config{Path: file(dir), Aside: true})
	aside, err := store.Open(t.Context(), store.Config{Path: file(dir), Aside: true})
	if err != nil {
		t.Fatal(err)
	}
	d := newDevice(t, aside, newTenant(t, serving))
	a := storetest.NewAuthor(d, 1, rand.New(rand.NewPCG(1, 1)))
	for range 12 {
		var items []store.Item
		for range 100 {
			items = append(items, a.Tap(1))
		}
		if ack, err := aside.Append(t.Context(), d.Member, items); err != nil || ack.New != 100 {
			t.Fatal(ack, err)
		}
	}
	if err := aside.Close(); err != nil {
		t.Fatal(err)
	}
	if n, err := serving.Compact(t.Context(), d.Member, 1000); err != nil || n != 1200 {
		t.Errorf("%d changes were left to fold, %v", n, err)
	}
}

// Stats count what was made durable; the slowest commit is asked for once.
func TestStats(t *testing.T) {
	s := open(t, store.Config{})
	before := s.Stats()
	d := newDevice(t, s, newTenant(t, s))
	a := storetest.NewAuthor(d, 1, rand.New(rand.NewPCG(1, 1)))
	items := []store.Item{a.Tap(1), a.Tap(1), a.Tap(1)}
	for range 2 { // the second time they are duplicates
		if _, err := s.Append(t.Context(), d.Member, items); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.Append(t.Context(), crdt.MemberID{9}, items); err == nil {
		t.Fatal("push of nobody")
	}
	got := s.Stats()
	if got.Groups-before.Groups != 5 || got.Pushes != 2 || got.Changes != 3 || got.Queued != 0 || got.Slowest <= 0 || got.Slowest > time.Minute {
		t.Errorf("%+v, before %+v", got, before)
	}
	if again := s.Stats(); again.Slowest != 0 || again.Groups != got.Groups {
		t.Errorf("asked again: %+v", again)
	}
}

func open(tb testing.TB, cfg store.Config) *store.SQLite {
	tb.Helper()
	if cfg.Path == "" {
		cfg.Path = filepath.Join(tb.TempDir(), "trio.db")
	}
	s, err := store.Open(tb.Context(), cfg)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := s.Close(); err != nil {
			tb.Error(err)
		}
	})
	return s
}

func newDevice(tb testing.TB, s store.Store, t store.Tenant) store.Device {
	tb.Helper()
	m, err := s.CreateMember(tb.Context(), store.Member{Tenant: t, Name: "a member"})
	if err != nil {
		tb.Fatal(err)
	}
	d, _, err := s.CreateDevice(tb.Context(), m, "a phone")
	if err != nil {
		tb.Fatal(err)
	}
	return d
}

func newTenant(tb testing.TB, s store.Store) store.Tenant {
	tb.Helper()
	t, err := s.CreateTenant(tb.Context(), "a company")
	if err != nil {
		tb.Fatal(err)
	}
	return t
}

// What a transaction wrote before it was taken back never comes to the log after what another process committed meanwhile.
func TestNothingLateInTheLog(t *testing.T) {
	dir := t.TempDir()
	s := open(t, store.Config{Path: file(dir), CacheKiB: 64, MaxPages: 200})
	d := newDevice(t, s, newTenant(t, s))
	a := storetest.NewAuthor(d, 1, rand.New(rand.NewPCG(1, 1)))
	aside := open(t, store.Config{Path: file(dir), Aside: true})
	for round := range 4 {
		full := a.Fork()
		var items []store.Item
		for range 2000 {
			items = append(items, full.Tap(1), full.Edit(3))
		}
		if ack, err := s.Append(t.Context(), d.Member, items); err == nil {
			t.Fatalf("round %d: a push that the disk has no room for is taken: %+v", round, ack.Receipt)
		}
		for range 3 {
			if ack, err := aside.Append(t.Context(), d.Member, []store.Item{a.Tap(1), a.Tap(1)}); err != nil || ack.New != 2 {
				t.Fatal(ack.New, err)
			}
		}
		if ack, err := s.Append(t.Context(), d.Member, []store.Item{a.Tap(1)}); err != nil || ack.New != 1 {
			t.Fatal(ack.New, err)
		}
	}
	if err := errors.Join(s.Close(), aside.Close()); err != nil {
		t.Fatal(err)
	}
	v, problems, err := look(t, file(dir))
	if err != nil || len(problems) > 0 || v.Changes != 4*7 {
		t.Errorf("%d changes of %d are left: %v %q", v.Changes, 4*7, err, problems)
	}
}

// TestRevokedByAnOlderBuild: one that knows of no subscriptions may run beside this one for a while, and revoke devices that have some.
func TestRevokedByAnOlderBuild(t *testing.T) {
	dir, ctx := t.TempDir(), t.Context()
	s, err := openDir(ctx, dir)
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(err)
	defer s.Close() //nolint:errcheck
	tenant, err := s.CreateTenant(ctx, "A")
	must(err)
	maya, err := s.CreateMember(ctx, store.Member{Tenant: tenant, Name: "Maya"})
	must(err)
	phone, _, err := s.CreateDevice(ctx, maya, "phone")
	must(err)
	must(s.Subscribe(ctx, store.Subscription{Device: phone.ID, Endpoint: "https://push.example.net/1", Public: make([]byte, 65), Secret: make([]byte, 16)}))
	db, err := raw(dir)
	must(err)
	defer db.Close() //nolint:errcheck
	_, err = db.Exec("UPDATE devices SET revoked = 1")
	must(err)
	if list, err := s.Subscriptions(ctx, maya); err != nil || len(list) != 0 {
		t.Errorf("a revoked device is told: %+v, %v", list, err)
	}
}
