package main

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
)

// TestBenchKilled: the server of a bench that is killed ends too.
func TestBenchKilled(t *testing.T) {
	dir := t.TempDir()
	cmd := program("bench", "--small", "--dir", dir, "push")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	servers := func() (n int) {
		all, err := filepath.Glob("/proc/[0-9]*/cmdline")
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range all {
			if b, err := os.ReadFile(f); err == nil && bytes.Contains(b, []byte("\x00serve\x00--data\x00"+dir)) {
				n++
			}
		}
		return n
	}
	eventually(t, "the server is up", func() bool { return servers() == 1 })
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	cmd.Wait() //nolint:errcheck // it was killed
	eventually(t, "the server has ended", func() bool { return servers() == 0 })
}
