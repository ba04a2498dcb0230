package main

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"trio/clients/bench"
	"trio/crdt"
	"trio/crdt/automerge"
)

// TestBench measures a little on a real server process: all rows have their numbers, nothing that was acknowledged is
// lost, and nothing stays behind. In short it measures those rows where many do something at once.
func TestBench(t *testing.T) {
	dir := t.TempDir()
	args := []string{"bench", "--small", "--dir", dir}
	says := []string{"p99", "server CPU a change", "server memory each"}
	if testing.Short() {
		args = append(args, "live", "push", "idle")
	} else {
		says = append(says, "first pull", "200 edits", "acknowledged, 2 kills", "device level", "both lists")
	}
	cmd := program(args...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, want := range says {
		if !strings.Contains(string(out), want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
	for line := range strings.Lines(string(out)) {
		if strings.Contains(line, "lost of") && strings.Contains(line, "missed") {
			t.Error(line)
		}
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("%v is left behind, %v", left, err)
	}
	cmd = program("bench", "nonsense")
	if out, err := cmd.CombinedOutput(); err == nil || !strings.Contains(string(out), `row "nonsense" is not known`) {
		t.Errorf("%v\n%s", err, out)
	}
}

// TestBenchDataIsSound: what bench stores beside a server is what a server would have stored.
func TestBenchDataIsSound(t *testing.T) {
	if testing.Short() {
		t.Skip("without -short it runs")
	}
	dir := t.TempDir()
	out := ends(t, program("bench", "--small", "--keep", "--dir", dir, "pull", "missed"), 0, "Data in ")
	_, data, _ := strings.Cut(out, "Data in ")
	data, _, _ = strings.Cut(data, "\n")
	ends(t, program("verify", "--data", data), 0, "All is sound.")
}

// forgetful is a ground whose server has lost one acknowledged change of each member.
type forgetful struct{ *ground }

func (g forgetful) Holds(ctx context.Context, m crdt.MemberID) (map[automerge.Hash]bool, error) {
	has, err := g.ground.Holds(ctx, m)
	for h := range has {
		delete(has, h)
		break
	}
	return has, err
}

// TestBenchCountsLosses: a small run too ends with an error when a change is lost that was acknowledged.
func TestBenchCountsLosses(t *testing.T) {
	t.Setenv(asMain, "1") // for the server
	for _, lossy := range []bool{false, true} {
		g := &ground{dir: t.TempDir()}
		cfg := bench.Config{Out: io.Discard, Ground: g, Dir: g.dir, Rows: []string{"kill"}, Small: true}
		if lossy {
			cfg.Ground = forgetful{g}
		}
		if err := errors.Join(bench.Run(t.Context(), cfg), g.close()); errors.Is(err, bench.ErrMissed) != lossy || !lossy && err != nil {
			t.Errorf("lossy %v: %v", lossy, err)
		}
	}
}

// TestBenchEndsWithItsTerminal: when its terminal closes, neither its server nor its folder stays behind.
func TestBenchEndsWithItsTerminal(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("no terminal says so here")
	}
	dir := t.TempDir()
	cmd := program("bench", "--small", "--dir", dir, "push", "live", "idle", "kill") // more than it comes to
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the server is up", func() bool {
		up, err := filepath.Glob(filepath.Join(dir, "*", "serve.log"))
		return err == nil && len(up) == 1
	})
	if err := cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err == nil {
		t.Error("it ended as if it had measured all")
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("%v is left behind, %v", left, err)
	}
}
