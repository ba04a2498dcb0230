package main

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"trio/server/board"
)

// TestBoardCommand: an operator prints boards beside a running server, in words and as JSON.
func TestBoardCommand(t *testing.T) {
	c := newCompany(t)
	p := serving(t, c)
	company := fmt.Sprint(c.device.Tenant)
	after := func(word, text string) string {
		t.Helper()
		words := strings.Fields(text)
		i := slices.Index(words, word)
		if i < 0 || i+1 == len(words) {
			t.Fatalf("no %s in %s", word, text)
		}
		return words[i+1]
	}
	member := strings.TrimSpace(command(t, "admin", "--data", c.data, "member", company, "Rosa Delgado"))
	code := after("code", command(t, "admin", "--data", c.data, "invite", member))
	dir := filepath.Join(t.TempDir(), "device")
	command(t, "device", "--data", dir, "join", "http://"+p.addr, code)
	command(t, "device", "--data", dir, "goal", "share", "1")
	command(t, "device", "--data", dir, "done", "share")
	command(t, "device", "--data", dir, "sync")
	out := command(t, "board", company, "--data", c.data, "--team", member)
	for _, want := range []string{"most shares", "1  Rosa Delgado", "1  noted by hand", "most goal days", "RECOGNISED", "First goal day, level 1", "sponsors nobody"} {
		if !strings.Contains(out, want) {
			t.Errorf("%s\nlacks %s", out, want)
		}
	}
	var v board.View
	if err := json.Unmarshal([]byte(command(t, "board", "--data", c.data, company, "--week", "2020-W53", "--json")), &v); err != nil || v.V != board.ViewVersion ||
		v.Periods[0].From != "2020-12-28" || len(v.Boards[0].Rows) != 0 || v.Waiting != 0 {
		t.Errorf("%+v, %v", v, err)
	}
	for _, args := range [][]string{
		{},
		{"x"},
		{"99"},
		{company, "more"},
		{company, "--week", "2026-W54"},
		{company, "--team", "somebody"},
		{company, "--team", "00000000-0000-7000-8000-000000000000"},
	} {
		cmd := program(append([]string{"board", "--data", c.data}, args...)...)
		if out, err := cmd.CombinedOutput(); err == nil || cmd.ProcessState.ExitCode() != 2 {
			t.Errorf("%q: %v: %s", args, err, out)
		}
	}
}
