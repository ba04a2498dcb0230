package main

import (
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// TestRootGivesAway: what root's commands make in a folder of the server's user is that user's, so that the server can open it.
func TestRootGivesAway(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("root alone can give files away")
	}
	const user, group = 61234, 61235
	check := func(dir, after string) {
		t.Helper()
		if err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			info, err := e.Info()
			if err != nil {
				return err
			}
			if st := info.Sys().(*syscall.Stat_t); st.Uid != user || st.Gid != group {
				t.Errorf("after %s: %s belongs to %d:%d", after, path, st.Uid, st.Gid)
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
	}
	dir := t.TempDir()
	if err := os.Chown(dir, user, group); err != nil {
		t.Fatal(err)
	}
	ends(t, program("admin", "--data", dir, "company", "Acme"), 0)
	check(dir, "admin company")
	p := serving(t, &company{data: dir})
	check(dir, "serve, while it runs")
	if err := p.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	<-p.ended
	p.cmd.Wait() //nolint:errcheck // it was killed
	good := filepath.Join(t.TempDir(), "backup.db")
	ends(t, program("backup", "--data", dir, good), 0)
	ends(t, program("verify", "--data", dir), 0)
	check(dir, "backup and verify")
	ends(t, program("restore", "--data", dir, good), 0, "What was there is in")
	check(dir, "restore")

	// The folder is root's, the database is not.
	dir = t.TempDir()
	ends(t, program("admin", "--data", dir, "company", "Acme"), 0)
	if err := os.Chown(filepath.Join(dir, dbName), user, group); err != nil {
		t.Fatal(err)
	}
	ends(t, program("restore", "--data", dir, good), 0)
	var st syscall.Stat_t
	if err := syscall.Stat(filepath.Join(dir, dbName), &st); err != nil || st.Uid != user || st.Gid != group {
		t.Errorf("the database belongs to %d:%d, %v", st.Uid, st.Gid, err)
	}

	// A new disk, whose folder is there already.
	dir = t.TempDir()
	if err := os.Chown(dir, user, group); err != nil {
		t.Fatal(err)
	}
	ends(t, program("restore", "--data", dir, good), 0)
	check(dir, "restore on a new disk")

	// What the folder's owner linked to a file of root's stays root's.
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(dir, "link")
	for _, make := range []func(string, string) error{os.Symlink, os.Link} {
		if err := make(secret, link); err != nil {
			t.Fatal(err)
		}
		_ = ownerOf(dir).give(link) // an error or not: it gives nothing away
		if err := syscall.Stat(secret, &st); err != nil || st.Uid != 0 {
			t.Errorf("a file of root's belongs to %d, %v", st.Uid, err)
		}
		if err := os.Remove(link); err != nil {
			t.Fatal(err)
		}
	}
}
