package main

import (
	"context"
	"errors"
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

// TestNoRoom: a backup or a restore that finds no room says so and leaves nothing.
func TestNoRoom(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("mounting a small disk takes root")
	}
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
