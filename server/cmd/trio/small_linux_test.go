package main

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// smallEnv is a folder: mount a small disk there and run the program on it.
const smallEnv = "TRIO_TEST_SMALL"

func init() {
	acts[smallEnv] = func(dir string) error {
		if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=256k"); err != nil {
			return err
		}
		status := run(context.Background(), strings.Fields(os.Getenv(smallEnv+"_ARGS")))
		left, err := filepath.Glob(filepath.Join(dir, "*", "*.db*"))
		if err == nil && len(left) > 0 {
			err = errors.New("left: " + strings.Join(left, " "))
		}
		if err != nil {
			return err
		}
		os.Exit(status)
		return nil
	}
}

// fullEnv is a folder: mount a small disk there, copy a server's data to it, fill it up and run the program.
const fullEnv = "TRIO_TEST_FULL"

func init() {
	acts[fullEnv] = func(dir string) error {
		if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=8m"); err != nil {
			return err
		}
		data := filepath.Join(dir, "data")
		if err := os.CopyFS(data, os.DirFS(os.Getenv(fullEnv+"_DATA"))); err != nil {
			return err
		}
		// The system files that readers need are there, as beside a server that runs.
		st, err := openStore(context.Background(), data, nil, true)
		if err != nil {
			return err
		}
		rest, err := os.Create(filepath.Join(dir, "rest"))
		if err != nil {
			return err
		}
		for b := make([]byte, 4096); err == nil; {
			_, err = rest.Write(b)
		}
		if !errors.Is(err, syscall.ENOSPC) {
			return err
		}
		status := run(context.Background(), append(strings.Fields(os.Getenv(fullEnv+"_ARGS")), "--data", data))
		if err := st.Close(); err != nil && !noSpace(err) {
			return err
		}
		os.Exit(status)
		return nil
	}
}

// mounts skips a test where nothing may be mounted: for who is not root, and for root of most containers.
func mounts(t *testing.T) {
	t.Helper()
	cmd := program("--version")
	cmd.SysProcAttr = &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS}
	if err := cmd.Run(); errors.Is(err, fs.ErrPermission) {
		t.Skipf("mounting a small disk takes root's rights: %v", err)
	}
}

// TestAdminOnAFullDisk: what cannot be written is said once, with what to do.
func TestAdminOnAFullDisk(t *testing.T) {
	mounts(t)
	c := filled(t, 1)
	book := filepath.Join(t.TempDir(), "book.json")
	if err := os.WriteFile(book, []byte(ends(t, program("playbook", "default"), 0)), 0o600); err != nil {
		t.Fatal(err)
	}
	all := []string{"playbook publish " + book, "admin company Globex", "admin member 1 Maya", "admin device " + c.member.String() + " phone"}
	if testing.Short() {
		all = all[:1]
	}
	for _, args := range all {
		cmd := program()
		cmd.Env = append(cmd.Env, fullEnv+"="+t.TempDir(), fullEnv+"_DATA="+c.data, fullEnv+"_ARGS="+args)
		cmd.SysProcAttr = &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS}
		out := ends(t, cmd, 1, "error: the disk of ", " is full: this is not stored", "\nhint: free some space there")
		if n := strings.Count(out, "full"); n != 1 || strings.Count(out, "\n") != 2 {
			t.Errorf("%s says %q", args, out)
		}
	}
}

// TestNoRoom: a backup or a restore that finds no room says so and leaves nothing.
func TestNoRoom(t *testing.T) {
	mounts(t)
	c := filled(t, 200)
	file := filepath.Join(t.TempDir(), "backup.db")
	ends(t, program("backup", "--data", c.data, file), 0)
	small := t.TempDir()
	for _, tt := range []struct{ args, want string }{
		{"backup --data " + c.data + " " + filepath.Join(small, "b.db"), "there is no room for the copy in"},
		{"restore --data " + filepath.Join(small, "data") + " " + file, "there is no room for the backup in"},
	} {
		cmd := program()
		cmd.Env = append(cmd.Env, smallEnv+"="+small, smallEnv+"_ARGS="+tt.args)
		cmd.SysProcAttr = &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS}
		if out := ends(t, cmd, 1, tt.want, "hint: "); strings.Contains(out, "left: ") {
			t.Error(out)
		}
	}
}
