package main

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"testing"
	"time"
)

// TestArguments: what is mistyped is refused, and makes nothing.
func TestArguments(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	for _, tt := range []struct {
		want int
		args []string
	}{
		{2, nil},
		{2, []string{"server"}},
		{0, []string{"help"}},
		{2, []string{"serve", "--data", dir, "now"}},
		{2, []string{"demo", "--data", dir, "orders.csv"}},
		{1, []string{"demo", "--data", dir, "--orders", filepath.Join(dir, "absent.csv")}},
		{1, []string{"demo", "--data", dir, "--contacts", filepath.Join(dir, "absent.vcf"), "--once"}},
		{1, []string{"demo", "--data", dir, "--columns", "shoe=size"}},
		{0, []string{"demo", "-h"}},
		{2, []string{"admin", "--data", dir}},
		{2, []string{"admin", "--data", dir, "company"}},
		{2, []string{"admin", "--data", dir, "promote", "x"}},
		{2, []string{"admin", "--data", dir, "member", "1"}},
		{1, []string{"admin", "--data", dir, "member", "1", "Maya"}},
		{1, []string{"admin", "--data", dir, "restored"}},
	} {
		if got := run(t.Context(), tt.args); got != tt.want {
			t.Errorf("%q: status %d, want %d", tt.args, got, tt.want)
		}
	}
	if _, err := os.Stat(dir); err == nil {
		t.Fatal("a command that was refused made the folder")
	}
	for _, args := range [][]string{{"company", "Acme"}, {"member", "1", "Maya"}} {
		if got := run(t.Context(), append([]string{"admin", "--data", dir}, args...)); got != 0 {
			t.Errorf("%q: status %d", args, got)
		}
	}
}

// TestDemoReadsFirst: files that are not there, or hold nothing, cost no older demo and make no new one.
func TestDemoReadsFirst(t *testing.T) {
	data := t.TempDir()
	for n := range keptDemos {
		dir := filepath.Join(data, fmt.Sprintf("demo-20260101-1200%02d.000", n))
		if err := os.MkdirAll(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "trio.db"), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	empty := filepath.Join(t.TempDir(), "empty.csv")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{filepath.Join(data, "absent.csv"), empty} {
		if got := run(t.Context(), []string{"demo", "--data", data, "--listen", "127.0.0.1:0", "--once", "--orders", file}); got != 1 {
			t.Errorf("%s: status %d, want 1", file, got)
		}
		if all, err := os.ReadDir(data); err != nil || len(all) != keptDemos {
			t.Errorf("%s: %d folders are there, want the %d of before: %v", file, len(all), keptDemos, err)
		}
	}
}

func TestTidy(t *testing.T) {
	data := t.TempDir()
	mk := func(name string, files ...string) {
		if err := os.MkdirAll(filepath.Join(data, name), 0o700); err != nil {
			t.Fatal(err)
		}
		for _, f := range files {
			if err := os.WriteFile(filepath.Join(data, name, f), nil, 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	demo := func(n int) string { return fmt.Sprintf("demo-20260101-1200%02d.000", n) }
	for n := range 3 {
		mk(demo(n), "trio.db")
	}
	mk(demo(3), "trio.db", "trio.db-wal") // its server may be up
	mk(demo(4), "notes.txt")              // no database
	for n := range 2 {
		mk(demo(5+n), "trio.db")
	}
	for _, name := range []string{"demo-old", "demo-20260101", "demo-20260101-120000.000.bak", "demo-20260101-126100.000", "server"} {
		mk(name, "trio.db")
	}
	if err := os.Symlink(filepath.Join(data, "server"), filepath.Join(data, "demo-20250101-120000.000")); err != nil {
		t.Log(err) // not everybody may
	}
	before, err := os.ReadDir(data)
	if err != nil {
		t.Fatal(err)
	}
	got, err := tidy(data, 2)
	if want := []string{demo(0), demo(1), demo(2)}; err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("removed %q, %v, want %q", got, err, want)
	}
	if after, err := os.ReadDir(data); err != nil || len(after) != len(before)-3 {
		t.Errorf("%d of %d folders are left: %v", len(after), len(before), err)
	}
	old := time.Now().Add(-25 * time.Hour)
	if err := os.Chtimes(filepath.Join(data, demo(3), "trio.db-wal"), old, old); err != nil {
		t.Fatal(err)
	}
	if got, err := tidy(data, 2); err != nil || !reflect.DeepEqual(got, []string{demo(3)}) {
		t.Errorf("removed %q, %v", got, err)
	}
	if got, err := tidy(filepath.Join(data, "absent"), 2); err != nil || got != nil {
		t.Errorf("removed %q, %v", got, err)
	}
}
