package main

import (
	"os"
	"strings"
	"testing"
)

// TestBench measures a little on a real server process: all rows have their numbers, nothing that was acknowledged is
// lost, and nothing stays behind.
func TestBench(t *testing.T) {
	dir := t.TempDir()
	cmd := program("bench", "--small", "--dir", dir)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, want := range []string{"first pull", "200 edits", "p99", "server CPU a change", "acknowledged, 2 kills", "device level", "server memory each", "both lists"} {
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
