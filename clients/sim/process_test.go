package sim_test

import (
	"bufio"
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"trio/clients/corporate"
	"trio/crdt"
	"trio/replica"
	"trio/server/store"
)

// program builds the trio binary once for all tests.
var program = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "trio-test")
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "trio")
	out, err := exec.Command("go", "build", "-o", path, "trio/server/cmd/trio").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("build trio: %w\n%s", err, out)
	}
	return path, nil
})

func TestMain(m *testing.M) {
	code := m.Run()
	if path, err := program(); err == nil {
		os.RemoveAll(filepath.Dir(path))
	}
	os.Exit(code)
}

// serve starts the real server program and waits until it listens.
func serve(t *testing.T, dir, addr string) *exec.Cmd {
	t.Helper()
	path, err := program()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(path, "serve", "--data", dir, "--listen", addr)
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(stderr)
	for lines.Scan() {
		if strings.Contains(lines.Text(), "serving") {
			go func() {
				for lines.Scan() { // keep the pipe empty
				}
			}()
			return cmd
		}
		t.Log(lines.Text())
	}
	t.Fatal("the server ended before it served")
	return nil
}

func freeAddr(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// TestServerKilledWhileDevicesPush kills the real server process (SIGKILL) again and again while two devices of a member
// log actions as fast as they can. After each kill, every receipt that a device holds must be in the database that the
// process left; in the end nothing is missing anywhere, and every action is in the feed once.
func TestServerKilledWhileDevicesPush(t *testing.T) {
	ctx := t.Context()
	seed := *seedFlag
	if seed == 0 {
		seed = rand.Uint64()
	}
	defer func() {
		if t.Failed() {
			t.Logf("replay: go test ./clients/sim -run Killed -seed %d", seed)
		}
	}()
	rng := rand.New(rand.NewPCG(seed, 2))
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	dir := t.TempDir()
	db := filepath.Join(dir, "trio.db")
	openStore := func() *store.SQLite {
		st, err := store.Open(ctx, store.Config{Path: db})
		must(err)
		return st
	}
	st := openStore()
	tenant, err := st.CreateTenant(ctx, "Acme")
	must(err)
	_, key, err := st.CreateAPIKey(ctx, tenant, "test", store.ScopeFeed)
	must(err)
	member, err := st.CreateMember(ctx, store.Member{Tenant: tenant, Name: "Maya"})
	must(err)
	addr := freeAddr(t)
	var devs []*replica.Replica
	runCtx, stop := context.WithCancel(ctx)
	var syncers sync.WaitGroup
	defer syncers.Wait()
	defer stop()
	for i := range 2 {
		d, token, err := st.CreateDevice(ctx, member, fmt.Sprint(i))
		must(err)
		r, err := replica.Open(ctx, replica.Config{Path: filepath.Join(t.TempDir(), "replica.db"), Member: member, Device: d.ID})
		must(err)
		t.Cleanup(func() { r.Close() })
		devs = append(devs, r)
		s := r.NewSyncer(replica.SyncerConfig{
			URL: "ws://" + addr + "/v1/sync", Token: token, Log: slog.New(slog.DiscardHandler),
			MinWait: 10 * time.Millisecond, MaxWait: 50 * time.Millisecond,
		})
		syncers.Go(func() { s.Run(runCtx) }) //nolint:errcheck // the checks say what did not get through
	}
	must(st.Close())

	var mu sync.Mutex
	logged := map[crdt.EntryID]bool{}
	rounds := 12
	if testing.Short() {
		rounds = 4
	}
	receipts := uint64(0)
	for range rounds {
		cmd := serve(t, dir, addr)
		tapping, enough := context.WithCancel(ctx)
		var taps sync.WaitGroup
		for _, r := range devs {
			taps.Go(func() {
				for tapping.Err() == nil {
					id, err := r.Log(ctx, crdt.Entry{Kind: crdt.Share, Evidence: crdt.E1})
					if err != nil {
						t.Error(err)
						return
					}
					mu.Lock()
					logged[id] = true
					mu.Unlock()
				}
			})
		}
		time.Sleep(time.Duration(50+rng.IntN(400)) * time.Millisecond)
		must(cmd.Process.Signal(syscall.SIGKILL))
		cmd.Wait() //nolint:errcheck // killed
		enough()
		taps.Wait()
		st := openStore()
		for i, r := range devs {
			s, err := r.Status(ctx)
			must(err)
			got, ok, err := st.ReceiptAt(ctx, member, s.Receipt.Seq)
			must(err)
			if !ok || got.Chain != s.Receipt.Chain {
				t.Fatalf("device %d has a receipt for %d, which the killed server's database does not prove", i, s.Receipt.Seq)
			}
			receipts = max(receipts, s.Receipt.Seq)
		}
		must(st.Close())
	}

	cmd := serve(t, dir, addr)
	deadline := time.Now().Add(time.Minute)
	for {
		a, err := devs[0].Status(ctx)
		must(err)
		b, err := devs[1].Status(ctx)
		must(err)
		if a.Unsent == 0 && b.Unsent == 0 && a.Receipt == b.Receipt {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("devices do not come level: %+v, %+v", a, b)
		}
		time.Sleep(20 * time.Millisecond)
	}
	var a, b strings.Builder
	must(devs[0].Dump(ctx, &a))
	must(devs[1].Dump(ctx, &b))
	if a.String() != b.String() {
		t.Errorf("devices differ:\n%s", diff(a.String(), b.String()))
	}
	count := map[crdt.EntryID]int{}
	client := corporate.Client{URL: "http://" + addr, Key: key}
	_, err = client.Pull(ctx, "", func(r corporate.Record) error {
		count[r.Entry]++
		return nil
	})
	must(err)
	for id := range logged {
		if count[id] != 1 {
			t.Errorf("action %s stands %d times in the feed", id, count[id])
		}
	}
	if len(count) != len(logged) {
		t.Errorf("%d actions were logged, %d are in the feed", len(logged), len(count))
	}
	t.Logf("%d kills, %d actions logged, receipts up to %d held", rounds, len(logged), receipts)

	// An orderly end: the server tells its devices to come back and stops by itself.
	must(cmd.Process.Signal(syscall.SIGTERM))
	if err := cmd.Wait(); err != nil {
		t.Errorf("the server did not end well on SIGTERM: %v", err)
	}
}
