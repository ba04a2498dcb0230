package main

import (
	"os/exec"
	"strings"
	"testing"
)

// The first of the README's two commands plays the demo on made-up input, whatever other targets have for variables.
func TestMakeRun(t *testing.T) {
	if _, err := exec.LookPath("make"); err != nil {
		t.Skip("there is no make")
	}
	cmd := exec.Command("make", "-n", "run", "ORDERS=", "COLUMNS=", "CODE=", "ARGS=") // CONTACTS is not asked for either
	cmd.Dir = "../../.."
	cmd.Env = append(cmd.Environ(), "MAKEFLAGS=", "MAKELEVEL=")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	if got := strings.Join(strings.Fields(lines[len(lines)-1]), " "); got != "bin/trio demo" {
		t.Errorf("make run runs %q, want the demo and no flags", got)
	}
}
