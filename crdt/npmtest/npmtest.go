// Package npmtest runs programs under Node.js that use npm's packages, for tests that hold ours against those. It is for tests alone.
//
// Where Node.js or the packages are missing, tests are skipped, so that Go alone is enough to work here. CI has to have
// them: there the tests fail.
package npmtest

import (
	"bytes"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync"
	"testing"
	"time"
)

// Missing says why programs that need packages of npm in folder js cannot run, "" when they can.
func Missing(packages ...string) string {
	if _, err := exec.LookPath("node"); err != nil {
		return "there is no Node.js"
	}
	for _, p := range packages {
		if _, err := os.Stat(filepath.Join("js", "node_modules", filepath.FromSlash(p))); err != nil {
			return "npm's " + p + " is not installed in js: run make npm"
		}
	}
	return ""
}

// Have reports whether programs that need packages of npm can run, and logs why not. In CI, where CI is true,
// the test fails instead, except in a browser's build, which starts no programs.
func Have(tb testing.TB, packages ...string) bool {
	tb.Helper()
	why := Missing(packages...)
	if why == "" {
		return true
	}
	if runtime.GOOS != "js" && os.Getenv("CI") == "true" {
		tb.Fatal(why + ": in CI no test is left out")
	}
	tb.Log(why)
	return false
}

// Need is Have for a test that is nothing without them: it is skipped.
func Need(tb testing.TB, packages ...string) {
	tb.Helper()
	if !Have(tb, packages...) {
		tb.SkipNow()
	}
}

// Child is a program under Node.js.
type Child struct {
	In  io.WriteCloser // its standard input
	Out io.Reader      // its standard output

	cmd  *exec.Cmd
	said said
}

// Start runs node with arguments, the last of which are a script and its own. It runs until Stop.
func Start(args ...string) (*Child, error) {
	c := &Child{cmd: exec.Command("node", args...)}
	c.cmd.Stderr = &c.said
	c.cmd.WaitDelay = 5 * time.Second
	var err error
	if c.In, err = c.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	if c.Out, err = c.cmd.StdoutPipe(); err != nil {
		return nil, err
	}
	return c, c.cmd.Start()
}

// Kill ends the program, so that its output ends; Stop has to follow.
func (c *Child) Kill() { _ = c.cmd.Process.Kill() } // it may have ended

// Stop ends the program and waits for it. Nobody may read its output meanwhile: it is closed.
func (c *Child) Stop() {
	_ = c.In.Close()
	c.Kill()
	_ = c.cmd.Wait() // it was killed
}

// Said is what it wrote to standard error so far.
func (c *Child) Said() string {
	c.said.mu.Lock()
	defer c.said.mu.Unlock()
	return c.said.b.String()
}

// said takes what a program says while it runs.
type said struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *said) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}
