package main

import (
	"bytes"
	"crypto/sha256"
	"database/sql"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"trio/server/store"
	"trio/server/store/storetest"
)

// filled is a company with some changes in its database.
func filled(t *testing.T, changes int) *company {
	t.Helper()
	c := newCompany(t)
	st, err := store.Open(t.Context(), store.Config{Path: filepath.Join(c.data, dbName)})
	if err != nil {
		t.Fatal(err)
	}
	a := storetest.NewAuthor(c.device, 1, rand.New(rand.NewPCG(1, 1)))
	for range changes {
		if ack, err := st.Append(t.Context(), c.member, []store.Item{a.Tap(1), a.Edit(2)}); err != nil || ack.New != 2 {
			t.Fatal(ack, err)
		}
	}
	if err := st.Close(); err != nil {
		t.Fatal(err)
	}
	return c
}

// ends runs a command and wants such a status and text.
func ends(t *testing.T, cmd *exec.Cmd, status int, want ...string) string {
	t.Helper()
	out, _ := cmd.CombinedOutput() // the status says it
	if got := cmd.ProcessState.ExitCode(); got != status {
		t.Errorf("%q: status %d, want %d: %s", cmd.Args[1:], got, status, out)
	}
	for _, w := range want {
		if !strings.Contains(string(out), w) {
			t.Errorf("%q: %q is not in: %s", cmd.Args[1:], w, out)
		}
	}
	return string(out)
}

// tree lists the files of a folder with their contents.
func tree(t *testing.T, dir string) map[string]string {
	t.Helper()
	all := map[string]string{}
	if err := filepath.WalkDir(dir, func(path string, e os.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		all[path] = string(b)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	return all
}

func TestBackupCommand(t *testing.T) {
	c := filled(t, 20)
	dir := t.TempDir()
	file := filepath.Join(dir, "backup.db")
	p := serving(t, c)
	ends(t, program("backup", "--data", c.data, file), 0, "Backup in "+file, "1 member, 40 changes", "checked")
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v %v", info.Mode(), err)
	}
	ends(t, program("backup", "--data", c.data, file), 2, "is there already", "--force")
	if err := os.WriteFile(file+".new", []byte("somebody's"), 0o600); err != nil {
		t.Fatal(err)
	}
	ends(t, program("backup", "--data", c.data, "--force", file), 0, "Backup in")
	if b, err := os.ReadFile(file + ".new"); err != nil || string(b) != "somebody's" {
		t.Errorf("somebody's file is %q, %v", b, err)
	}
	if err := os.Remove(file + ".new"); err != nil {
		t.Fatal(err)
	}
	ends(t, program("backup", "--data", c.data, dir), 2, "is a folder")
	ends(t, program("backup", "--data", c.data, "--force", filepath.Join(c.data, dbName)), 2, "is the server's database itself")
	ends(t, program("backup", "--data", c.data), 2, "no file is named")
	ends(t, program("backup", "--data", c.data, file, "--force"), 2, "flags stand before the file")
	ends(t, program("backup", "--data", t.TempDir(), file+"2"), 1, "there is no server's data in", "hint: name the folder")
	ends(t, program("backup", "--data", c.data, filepath.Join(dir, "no", "folder")), 1, "no such file or directory")
	ends(t, program("backup", "-h"), 0, "usage: trio backup")
	cmd := program("backup", "--data", c.data, "-")
	var out, says bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &says
	if err := cmd.Run(); err != nil || !strings.Contains(says.String(), "40 changes") {
		t.Fatal(err, says.String())
	}
	piped := filepath.Join(dir, "piped.db")
	if err := os.WriteFile(piped, out.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, f := range []string{file, piped} {
		ends(t, program("verify", f), 0, "All is sound.", "1 member", "40 changes")
	}
	if left, err := filepath.Glob(filepath.Join(dir, "*")); err != nil || len(left) != 2 {
		t.Error(left, err)
	}
	ends(t, program("verify", "--data", c.data), 0, "All is sound.")
	if got := p.status("/readyz", ""); got != 200 {
		t.Errorf("the server's health is %d", got)
	}
}

func TestRestoreCommand(t *testing.T) {
	c := filled(t, 20)
	dir := t.TempDir()
	good := filepath.Join(dir, "backup.db")
	ends(t, program("backup", "--data", c.data, good), 0)
	whole, err := os.ReadFile(good)
	if err != nil {
		t.Fatal(err)
	}
	bad := func(name string, b []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	newer := bad("newer.db", whole)
	db, err := sql.Open("sqlite", newer)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.Exec("PRAGMA user_version = 99"); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	other := filepath.Join(dir, "other.db")
	if db, err = sql.Open("sqlite", other); err != nil {
		t.Fatal(err)
	}
	if _, err := db.Exec("CREATE TABLE t (x)"); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	torn := bytes.Clone(whole)
	for i := 3 * 4096; i < len(torn); i += 4096 {
		clear(torn[i : i+64])
	}
	ends(t, program("admin", "--data", c.data, "member", "1", "Ana"), 0) // there is a lock file from here on
	before := tree(t, c.data)
	for _, tt := range []struct {
		file string
		want []string
	}{
		{filepath.Join(dir, "absent.db"), []string{"there is no backup", "hint: name the file"}},
		{dir, []string{"there is no backup"}},
		{bad("text.db", []byte(strings.Repeat("a letter\n", 1000))), []string{"not a database", "nothing was touched"}},
		{bad("empty.db", nil), []string{"there is nothing in it", "nothing was touched"}},
		{bad("cut.db", whole[:len(whole)/2]), []string{"nothing was touched", "hint: take another backup"}},
		{bad("torn.db", torn), []string{"nothing was touched", "hint: take another backup"}},
		{newer, []string{"newer", "hint: restore it with the newer build"}},
		{other, []string{"a database of another program", "nothing was touched"}},
	} {
		ends(t, program("restore", "--data", c.data, tt.file), 1, tt.want...)
	}
	ends(t, program("restore", "--data", c.data, filepath.Join(c.data, dbName)), 2, "is the database that is to be replaced")
	ends(t, program("restore", "--data", c.data), 2, "no file is named")
	for path, b := range tree(t, c.data) {
		if before[path] != b {
			t.Errorf("%s was touched", path)
		}
		delete(before, path)
	}
	if len(before) > 0 {
		t.Errorf("gone: %v", before)
	}

	// A server that runs keeps its data; one that was killed keeps nobody out.
	p := serving(t, c)
	ends(t, program("restore", "--data", c.data, good), 1, "a server has the data in", "hint: stop it first")
	if err := p.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	<-p.ended
	p.cmd.Wait() //nolint:errcheck // it was killed
	db, err = sql.Open("sqlite", filepath.Join(c.data, dbName))
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Ping(); err != nil {
		t.Fatal(err)
	}
	var n int
	if err := db.QueryRow("SELECT count(*) FROM members").Scan(&n); err != nil || n != 2 {
		t.Fatal(n, err)
	}
	ends(t, program("restore", "--data", c.data, good), 1, "or another program its database")
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	old, err := store.Inspect(t.Context(), good)
	if err != nil {
		t.Fatal(err)
	}
	out := ends(t, program("restore", "--data", c.data, good), 0, "Restored", "40 changes", "Next:", "trio verify", "readmit MEMBER DEVICE", "1 new members", "What was there is in ")
	aside, _, _ := strings.Cut(out[strings.Index(out, "What was there is in ")+len("What was there is in "):], ";")
	if k, err := store.Inspect(t.Context(), filepath.Join(aside, dbName)); err != nil || k.Members != 2 {
		t.Errorf("aside is %+v %v", k, err)
	}
	k, err := store.Inspect(t.Context(), filepath.Join(c.data, dbName))
	if err != nil || k.Members != 2 || k.Changes != 40 || k.Epoch == old.Epoch {
		t.Errorf("%+v %v", k, err)
	}
	if b, err := os.ReadFile(good); err != nil || !bytes.Equal(b, whole) {
		t.Error("the backup was changed", err)
	}
	ends(t, program("verify", "--data", c.data), 0, "All is sound.")

	// The disk is lost: there is not even a folder.
	lost := filepath.Join(t.TempDir(), "new", "data")
	if out := ends(t, program("restore", "--data", lost, good), 0, "Restored"); strings.Contains(out, "What was there") {
		t.Error(out)
	}
	ends(t, program("verify", "--data", lost), 0, "All is sound.", "40 changes")
	// A folder that was copied as it was, with its log.
	st, err := store.Open(t.Context(), store.Config{Path: filepath.Join(lost, dbName)})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := st.Append(t.Context(), c.member, []store.Item{storetest.NewAuthor(c.device, 2, rand.New(rand.NewPCG(2, 2))).Tap(1)}); err != nil {
		t.Fatal(err)
	}
	copied := t.TempDir()
	for _, name := range []string{dbName, dbName + "-wal"} {
		b, err := os.ReadFile(filepath.Join(lost, name))
		if err == nil {
			err = os.WriteFile(filepath.Join(copied, name), b, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := st.Close(); err != nil {
		t.Fatal(err)
	}
	ends(t, program("restore", "--data", c.data, filepath.Join(copied, dbName)), 0, "41 changes")
}

// TestRestoreKilled kills a restore at any moment: no server then takes what is there for data unless it is whole, nothing is
// lost, and running it again mends it.
func TestRestoreKilled(t *testing.T) {
	c := filled(t, 30)
	seed := rand.Uint64()
	rnd := rand.New(rand.NewPCG(seed, 1))
	defer func() {
		if t.Failed() {
			t.Logf("seed %d", seed)
		}
	}()
	good := filepath.Join(t.TempDir(), "backup.db")
	ends(t, program("backup", "--data", c.data, good), 0)
	began := time.Now()
	ends(t, program("restore", "--data", c.data, good), 0)
	took := time.Since(began)
	rounds, cut := 12, 0
	if testing.Short() {
		rounds = 6
	}
	for i := range rounds {
		cmd := program("restore", "--data", c.data, good)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Duration(rnd.Int64N(int64(took) * 5 / 4)))
		cmd.Process.Kill() //nolint:errcheck // it may have ended
		cmd.Wait()         //nolint:errcheck // as above
		if _, err := os.Stat(filepath.Join(c.data, restoringName)); err == nil {
			cut++
			ends(t, program("admin", "--data", c.data, "company", "Other"), 1, "was cut off", "hint: run it again")
			ends(t, program("serve", "--data", c.data, "--listen", "127.0.0.1:0"), 1, "was cut off")
		} else if k, err := store.Inspect(t.Context(), filepath.Join(c.data, dbName)); err != nil || k.Changes != 60 {
			t.Fatalf("round %d: %+v %v", i, k, err)
		}
		if i%4 == 3 || i == rounds-1 {
			ends(t, program("restore", "--data", c.data, good), 0)
			ends(t, program("verify", "--data", c.data), 0, "60 changes")
		}
	}
	// Each database that was ever there is there, whole.
	all, err := filepath.Glob(filepath.Join(c.data, "before-restore-*", dbName))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range all {
		if k, err := store.Inspect(t.Context(), path); err != nil || k.Changes != 60 {
			t.Errorf("%s: %+v %v", path, k, err)
		}
	}
	t.Logf("%d databases aside, %d restores cut in between", len(all), cut)
}

func TestVerifyCommand(t *testing.T) {
	c := filled(t, 20)
	ends(t, program("verify", "--data", c.data), 0, "All is sound.", "1 member, 2 documents, 40 changes")
	ends(t, program("verify", "--data", t.TempDir()), 1, "there is no server's data in")
	ends(t, program("verify", filepath.Join(c.data, "absent")), 1, "there is no file")
	ends(t, program("verify", "--workers", "-1", "--data", c.data), 2, "workers is -1")
	ends(t, program("verify", "a", "b"), 2, "is not expected")
	if reference {
		ends(t, program("verify", "--reference", "--data", c.data), 0, "All is sound.", "automerge-go has loaded 2 documents and read 60 values; it ended over 0 of them")
	} else {
		ends(t, program("verify", "--reference", "--data", c.data), 1, "this build has no automerge-go in it", "CGO_ENABLED=1 go build")
	}
	db, err := sql.Open("sqlite", filepath.Join(c.data, dbName))
	if err != nil {
		t.Fatal(err)
	}
	for _, q := range []string{"DELETE FROM feed WHERE pos = 7", "UPDATE writers SET seq = seq + 1 WHERE doc = 1"} {
		if _, err := db.Exec(q); err != nil {
			t.Fatal(err)
		}
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	out := ends(t, program("verify", "--data", c.data), 1,
		"member "+c.member.String()+": change 13: entry ", "is not in the feed: corporate has not heard of it",
		"member "+c.member.String()+": log-2026-11: change 39: the table of writers has number 21",
		"error: the data is damaged: see the 2 lines above", "hint: keep a copy of the folder; restore the newest backup")
	if strings.Contains(out, "All is sound.") {
		t.Error(out)
	}
}

// leftByKill is a company whose server was killed with writes in its log.
func leftByKill(t *testing.T) *company {
	t.Helper()
	c := filled(t, 20)
	p := serving(t, c)
	ends(t, program("admin", "--data", c.data, "member", "1", "Ana"), 0)
	if err := p.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	<-p.ended
	p.cmd.Wait() //nolint:errcheck // it was killed
	if info, err := os.Stat(filepath.Join(c.data, dbName+"-wal")); err != nil || info.Size() == 0 {
		t.Fatal("the killed server left no log", err)
	}
	return c
}

// copied is a folder with some of the files of another.
func copied(t *testing.T, from string, names ...string) string {
	t.Helper()
	dir := t.TempDir()
	for _, name := range names {
		b, err := os.ReadFile(filepath.Join(from, name))
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, name), b, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// unchanged fails when a folder does not have the files that it had, byte by byte.
func unchanged(t *testing.T, dir, what string, before map[string]string) {
	t.Helper()
	after := tree(t, dir)
	for path, b := range after {
		if was, ok := before[path]; !ok {
			t.Errorf("%s: %s is new", what, path)
		} else if sha256.Sum256([]byte(was)) != sha256.Sum256([]byte(b)) {
			t.Errorf("%s: %s was changed", what, path)
		}
	}
	for path := range before {
		if _, ok := after[path]; !ok {
			t.Errorf("%s: %s is gone", what, path)
		}
	}
}

// TestLeftAsItWas: what a killed server left is read, its log too, and no byte of it changes.
func TestLeftAsItWas(t *testing.T) {
	c := leftByKill(t)
	other := filled(t, 1)
	ends(t, program("admin", "--data", other.data, "member", "1", "Zoe"), 0) // there is a lock file from here on
	for _, tt := range []struct {
		name  string
		files []string
	}{
		{"with the index of its log", []string{dbName, dbName + "-wal", dbName + "-shm"}},
		{"without that", []string{dbName, dbName + "-wal"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := copied(t, c.data, tt.files...)
			file := filepath.Join(dir, dbName)
			before := tree(t, dir)
			ends(t, program("verify", file), 0, "All is sound.", "2 members")
			unchanged(t, dir, "verify FILE", before)
			ends(t, program("verify", "--data", dir), 0, "All is sound.", "2 members")
			unchanged(t, dir, "verify --data", before)
			ends(t, program("backup", "--data", dir, filepath.Join(t.TempDir(), "backup.db")), 0, "2 members")
			unchanged(t, dir, "backup", before)
			ends(t, program("restore", "--data", t.TempDir(), file), 0, "2 members")
			unchanged(t, dir, "restore FILE", before)
		})
	}
	t.Run("an empty log", func(t *testing.T) {
		dir := copied(t, other.data, dbName)
		if err := os.WriteFile(filepath.Join(dir, dbName+"-wal"), nil, 0o600); err != nil {
			t.Fatal(err)
		}
		before := tree(t, dir)
		ends(t, program("verify", filepath.Join(dir, dbName)), 0, "All is sound.", "2 members")
		unchanged(t, dir, "verify FILE", before)
	})
	// A restore that is refused touches nothing of the folder either.
	bad := filepath.Join(t.TempDir(), "bad.db")
	if err := os.WriteFile(bad, []byte(strings.Repeat("a letter\n", 1000)), 0o600); err != nil {
		t.Fatal(err)
	}
	before := tree(t, c.data)
	ends(t, program("restore", "--data", c.data, bad), 1, "nothing was touched")
	unchanged(t, c.data, "restore", before)
	ends(t, program("verify", "--data", c.data), 0, "All is sound.", "2 members")
	unchanged(t, c.data, "verify", before)
}

// TestRestoreKeepsItsArgument: a backup that has the name of the copy to come is not removed for it.
func TestRestoreKeepsItsArgument(t *testing.T) {
	c := filled(t, 3)
	for _, name := range []string{dbName + ".new", dbName + ".new-wal", dbName + ".new-journal", dbName + ".new-shm"} {
		file := filepath.Join(c.data, name)
		ends(t, program("backup", "--data", c.data, file), 0)
		before, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		ends(t, program("restore", "--data", c.data, file), 2, "stands where a restore makes its copy", "hint: give it another name")
		if after, err := os.ReadFile(file); err != nil || !bytes.Equal(before, after) {
			t.Errorf("%s was changed or removed: %v", name, err)
		}
		if err := os.Remove(file); err != nil {
			t.Fatal(err)
		}
	}
}

// TestBackupsAtOnce: several to one name do not disturb each other, and what has the name is whole.
func TestBackupsAtOnce(t *testing.T) {
	c := filled(t, 20)
	dir := t.TempDir()
	file := filepath.Join(dir, "backup.db")
	var cmds []*exec.Cmd
	for range 6 {
		cmd := program("backup", "--data", c.data, "--force", file)
		cmd.Stderr = new(bytes.Buffer)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		cmds = append(cmds, cmd)
	}
	for _, cmd := range cmds {
		if err := cmd.Wait(); err != nil {
			t.Errorf("%v: %s", err, cmd.Stderr)
		}
	}
	ends(t, program("verify", file), 0, "All is sound.", "40 changes")
	if left, err := os.ReadDir(dir); err != nil || len(left) != 1 {
		t.Errorf("%v is there, %v", left, err)
	}
}

// TestBackupSweeps: the next backup removes what a killed one left, and nothing of one at work or of anybody else.
func TestBackupSweeps(t *testing.T) {
	c := filled(t, 3)
	dir := t.TempDir()
	dead, err := newWorkbench(dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dead.dir, dbName), []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := dead.lock.Close(); err != nil {
		t.Fatal(err)
	}
	atWork, err := newWorkbench(t.TempDir())
	if err == nil {
		err = os.Rename(atWork.dir, filepath.Join(dir, filepath.Base(atWork.dir)))
	}
	if err == nil {
		err = os.Mkdir(filepath.Join(dir, "trio-backup-1"), 0o700)
	}
	if err != nil {
		t.Fatal(err)
	}
	defer atWork.lock.Close()
	ends(t, program("backup", "--data", c.data, filepath.Join(dir, "a.db")), 0)
	for name, want := range map[string]bool{filepath.Base(dead.dir): !locksTell, filepath.Base(atWork.dir): true, "trio-backup-1": true, "a.db": true} {
		if got := mustStat(filepath.Join(dir, name)) != nil; got != want {
			t.Errorf("%s is there: %v, want %v", name, got, want)
		}
	}
}

// TestBackupPiped: a reader that ends early hears no lie, and nothing stays in the folder for temporary files.
func TestBackupPiped(t *testing.T) {
	c := filled(t, 200)
	dir := t.TempDir()
	cmd := program("backup", "--data", c.data, "-")
	cmd.Env = append(cmd.Env, "TMPDIR="+dir, "TMP="+dir)
	var says bytes.Buffer
	cmd.Stderr = &says
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stdout = w
	if err := errors.Join(cmd.Start(), w.Close()); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(r, make([]byte, 16)); err != nil {
		t.Fatal(err)
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	cmd.Wait() //nolint:errcheck // the status says it
	if got := cmd.ProcessState.ExitCode(); got != 1 || !strings.Contains(says.String(), "was not written to its end") {
		t.Errorf("status %d: %s", got, says.String())
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("%v is left behind, %v", left, err)
	}
}
