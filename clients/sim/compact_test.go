package sim_test

import (
	"bufio"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"trio/crdt"
	"trio/replica"
	"trio/server/store"
)

// compactDir tells the test program that it is the device of TestDeviceKilledWhileItFolds.
const compactDir = "TRIO_TEST_COMPACT_DIR"

// foldingDevice opens the server's store and the one device of TestDeviceKilledWhileItFolds.
func foldingDevice(t *testing.T, dir string) (*rig, store.Device, *replica.Replica) {
	g := &rig{T: t, ctx: t.Context(), path: filepath.Join(dir, "s.db"), clock: time.Now}
	g.open()
	t.Cleanup(func() { g.st.Close() })
	b, err := os.ReadFile(filepath.Join(dir, "device"))
	g.ok(err)
	var d store.Device
	copy(d.Member[:], b)
	copy(d.ID[:], b[16:])
	r, err := replica.Open(g.ctx, replica.Config{Path: filepath.Join(dir, "r.db"), Member: d.Member, Device: d.ID, FoldAt: 8})
	g.ok(err)
	t.Cleanup(func() { r.Close() })
	return g, d, r
}

// TestFoldingDevice is that device: it logs, syncs and folds until it is killed, and says what was acknowledged.
func TestFoldingDevice(t *testing.T) {
	dir := os.Getenv(compactDir)
	if dir == "" {
		t.Skip("run by TestDeviceKilledWhileItFolds")
	}
	g, d, r := foldingDevice(t, dir)
	fmt.Println("ready")
	for {
		for range 3 {
			id, err := r.Log(g.ctx, crdt.Entry{Kind: crdt.Share})
			g.ok(err)
			fmt.Println("logged", id)
		}
		g.ok(g.sync(r, d, nil))
		n, err := r.Compact(g.ctx)
		g.ok(err)
		fmt.Println("folded", n)
	}
}

// TestDeviceKilledWhileItFolds kills a device's process (SIGKILL) again and again while it logs, syncs and folds. What it
// left opens, lacks nothing that was acknowledged, and shows what its changes say.
func TestDeviceKilledWhileItFolds(t *testing.T) {
	dir := t.TempDir()
	g := newRig(t)
	d := g.dev()
	g.ok(g.st.Close())
	image(t, g.path, filepath.Join(dir, "s.db"))
	g.ok(os.WriteFile(filepath.Join(dir, "device"), append(d.Member[:], d.ID[:]...), 0o600))
	rounds := 20
	if testing.Short() {
		rounds = 5
	}
	logged, folded := map[string]bool{}, 0
	for round := range rounds {
		cmd := exec.Command(os.Args[0], "-test.run", "^TestFoldingDevice$")
		cmd.Env = append(os.Environ(), compactDir+"="+dir)
		out, err := cmd.StdoutPipe()
		g.ok(err)
		g.ok(cmd.Start())
		lines := bufio.NewScanner(out)
		from := []string{"logged", "folded"}[round%2] // a slow machine has to come so far
		kill := sync.OnceFunc(func() {
			time.AfterFunc(time.Duration(rand.IntN(150))*time.Millisecond, func() { cmd.Process.Kill() }) //nolint:errcheck // it may have ended
		})
		for lines.Scan() {
			what, rest, _ := strings.Cut(lines.Text(), " ")
			if what == from {
				kill()
			}
			switch what {
			case "ready":
			case "logged":
				logged[rest] = true
			case "folded":
				var n int
				fmt.Sscan(rest, &n)
				folded += n
			default:
				t.Errorf("the device says: %s", lines.Text())
			}
		}
		if err := cmd.Wait(); err == nil || !strings.Contains(err.Error(), "killed") {
			t.Fatalf("round %d: the device ended by itself: %v", round, err)
		}
		t.Run(fmt.Sprint(round), func(t *testing.T) {
			g, d, r := foldingDevice(t, dir)
			var b strings.Builder
			g.ok(r.Dump(g.ctx, &b))
			has := map[string]bool{}
			for line := range strings.Lines(b.String()) {
				if f := strings.Fields(line); f[0] == "entry" {
					has[strings.ToLower(f[1])] = true
				}
			}
			for id := range logged {
				if !has[strings.ReplaceAll(id, "-", "")] {
					t.Errorf("acknowledged action %s is gone", id)
				}
			}
			g.sameAfterRebuild(r)
			g.ok(g.sync(r, d, nil))
			st, err := r.Status(g.ctx)
			g.ok(err)
			head, err := g.st.Head(g.ctx, d.Member)
			g.ok(err)
			if st.Receipt != head || st.Unsent != 0 || st.Changes != int(head.Seq) {
				t.Errorf("device: %+v, server: %d", st, head.Seq)
			}
		})
	}
	if folded == 0 {
		t.Error("nothing was folded: the kills came too early")
	}
	t.Logf("%d kills, %d actions, %d changes folded", rounds, len(logged), folded)
}

// A phone that is put back from a backup of before its history was folded, and the server from one of after.
func TestPutBackToBeforeItWasFolded(t *testing.T) {
	g := newRig(t)
	a, b := g.dev(), g.dev()
	path := filepath.Join(t.TempDir(), "a.db")
	open := func() *replica.Replica {
		r, err := replica.Open(g.ctx, replica.Config{Path: path, Member: a.Member, Device: a.ID, FoldAt: 10})
		g.ok(err)
		return r
	}
	ra, rb := open(), g.replica(b, "")
	tap := func(r *replica.Replica, n int) {
		for range n {
			_, err := r.Log(g.ctx, crdt.Entry{Kind: crdt.Share})
			g.ok(err)
		}
	}
	fold := func(want int) {
		t.Helper()
		if n, err := ra.Compact(g.ctx); n != want || err != nil {
			t.Errorf("folded %d, want %d: %v", n, want, err)
		}
	}
	tap(ra, 30)
	g.ok(g.sync(ra, a, nil))
	g.ok(g.sync(rb, b, nil))
	phone, server := filepath.Join(t.TempDir(), "phone.db"), filepath.Join(t.TempDir(), "server.db")
	image(t, path, phone)
	tap(ra, 25)
	tap(rb, 25)
	g.ok(g.sync(ra, a, nil))
	g.ok(g.sync(rb, b, nil))
	g.ok(g.sync(ra, a, nil))
	fold(80)
	image(t, g.path, server)
	tap(ra, 15)
	g.ok(g.sync(ra, a, nil))
	g.ok(g.sync(rb, b, nil))
	fold(15)
	g.ok(ra.Close())

	path = phone
	ra = open()
	tap(ra, 5) // before it hears that it wrote more than it knows of
	g.ok(g.sync(ra, a, nil))
	fold(96) // the five were written again as one change, by a new writer
	g.sameAfterRebuild(ra)
	g.ok(g.sync(rb, b, nil))

	g.ok(g.st.Close())
	g.path = server
	g.open()
	for range 2 {
		g.ok(g.sync(ra, a, nil))
		g.ok(g.sync(rb, b, nil))
	}
	fold(96)
	g.sameAfterRebuild(ra)
	defer ra.Close()
	var x, y strings.Builder
	g.ok(ra.Dump(g.ctx, &x))
	g.ok(rb.Dump(g.ctx, &y))
	if x.String() != y.String() {
		t.Errorf("devices differ:\n%.600s", diff(x.String(), y.String()))
	}
	if n := strings.Count("\n"+x.String(), "\nentry "); n != 100 {
		t.Errorf("%d actions of 100", n)
	}
}

// A syncer folds by itself what the server has, on the device that wrote it and on the one that got it, while taps go on.
func TestSyncerFolds(t *testing.T) {
	l := newLive(t)
	for range 1100 {
		_, err := l.devs[0].Log(t.Context(), crdt.Entry{Kind: crdt.Share})
		l.must(err)
	}
	for _, r := range l.devs {
		folded := func() bool {
			st, err := r.Status(t.Context())
			l.must(err)
			return st.Folded >= 1000 && st.Changes == 1100
		}
		l.wait("the history is folded", r, folded)
	}
}
