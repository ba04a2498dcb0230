//go:build !js

package npmtest_test

import (
	"bufio"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"trio/crdt/npmtest"
)

// TestMissing: without Node.js or a package a test is skipped, and fails where it has to run.
func TestMissing(t *testing.T) {
	if os.Getenv("NPMTEST_NEEDS") != "" {
		npmtest.Need(t, "@trio/absent")
		t.Fatal("it ran")
	}
	for _, path := range []string{os.Getenv("PATH"), t.TempDir()} {
		for env, want := range map[string]string{"CI=": "SKIP", "CI=true": "FAIL"} {
			cmd := exec.Command(os.Args[0], "-test.run", "^TestMissing$", "-test.v")
			cmd.Env = []string{"NPMTEST_NEEDS=1", "PATH=" + path, env}
			out, _ := cmd.CombinedOutput() // which says it
			why := "there is no Node.js"
			if _, err := exec.LookPath("node"); err == nil && path == os.Getenv("PATH") {
				why = "npm's @trio/absent is not installed in js: run make npm"
			}
			if !strings.Contains(string(out), "--- "+want+": TestMissing") || !strings.Contains(string(out), why) {
				t.Errorf("%s: want %s, %q: %s", env, want, why, out)
			}
		}
	}
}

func TestChild(t *testing.T) {
	npmtest.Need(t)
	script := filepath.Join(t.TempDir(), "echo.mjs")
	if err := os.WriteFile(script, []byte("console.error('here'); process.stdin.pipe(process.stdout)"), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := npmtest.Start(script)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Stop()
	if _, err := c.In.Write([]byte("Ana\n")); err != nil {
		t.Fatal(err)
	}
	out := bufio.NewReader(c.Out)
	if line, err := out.ReadString('\n'); line != "Ana\n" {
		t.Fatalf("%q, %v: %s", line, err, c.Said())
	}
	c.Kill()
	if _, err := out.ReadString('\n'); err == nil {
		t.Error("it said more")
	}
	c.Stop()
	if c.Said() != "here\n" {
		t.Errorf("%q", c.Said())
	}
}
