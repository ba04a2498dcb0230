package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"

	"trio/server/store"
)

// dataFlags are those of a command about a data folder.
type dataFlags struct{ data, config *string }

func addDataFlags(fs *flag.FlagSet) dataFlags {
	return dataFlags{
		fs.String("data", "", "`folder` of the server's data (default: what trio serve would take)"),
		fs.String("config", "", "`file` with the server's settings"),
	}
}

// folder returns the data folder that is meant.
func (d dataFlags) folder() (string, error) {
	if *d.data != "" {
		return *d.data, nil
	}
	var from []string
	if *d.config != "" {
		from = []string{"--config", *d.config}
	}
	c, err := load(flag.NewFlagSet("trio", flag.ContinueOnError), from, os.Environ())
	if err != nil {
		return "", err
	}
	return c.Data, nil
}

// database returns the path of the database in the data folder, which has to be there.
func (d dataFlags) database(command string) (string, error) {
	dir, err := d.folder()
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, dbName)
	if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) {
		return "", &wrong{fmt.Sprintf("there is no server's data in %s", dir), fmt.Sprintf("name the folder: trio %s --data DIR …", command), 1}
	} else if err != nil {
		return "", err
	}
	return filepath.Abs(path)
}

// oneFile is the only argument of a command.
func oneFile(fs *flag.FlagSet) (string, error) {
	switch fs.NArg() {
	case 1:
		return fs.Arg(0), nil
	case 0:
		return "", &wrong{"no file is named", fmt.Sprintf("see %s -h", fs.Name()), 2}
	}
	return "", &wrong{fmt.Sprintf("argument %q is not expected", fs.Arg(1)), fmt.Sprintf("flags stand before the file; see %s -h", fs.Name()), 2}
}

// backup is trio backup.
func backup(ctx context.Context, args []string) error {
	fs := flag.NewFlagSet("trio backup", flag.ContinueOnError)
	d := addDataFlags(fs)
	force := fs.Bool("force", false, "put the backup in the place of a file that is there")
	fs.Usage = func() {
		fmt.Fprint(fs.Output(), `trio backup copies the server's database as it is now; the server may run meanwhile

usage: trio backup [--data DIR | --config FILE] [--force] FILE

The copy is made beside FILE in a folder of its own, checked, and then given its name: what is called FILE is whole. With - for
FILE it goes to standard output. trio restore puts it back, trio verify looks at it closely.

`)
		fs.PrintDefaults()
	}
	if err := parse(fs, args); err != nil {
		return err
	}
	file, err := oneFile(fs)
	if err != nil {
		return err
	}
	path, err := d.database("backup")
	if err != nil {
		return err
	}
	began := time.Now()
	if file == "-" {
		// A reader that goes away is an error of writing, and does not end the program before it has said so.
		signal.Ignore(syscall.SIGPIPE)
		b, err := newWorkbench(os.TempDir())
		if err != nil {
			return err
		}
		defer b.remove() //nolint:errcheck // the next one removes what is left
		copied := filepath.Join(b.dir, dbName)
		k, err := makeCopy(ctx, path, copied)
		if err != nil {
			return err
		}
		f, err := os.Open(copied)
		if err != nil {
			return err
		}
		defer f.Close()
		if runtime.GOOS != "windows" { // from here on it has no name, and nothing of it stays however this ends
			if err := b.remove(); err != nil {
				return err
			}
		}
		if _, err := io.Copy(os.Stdout, f); err != nil {
			return &wrong{fmt.Sprintf("the backup was not written to its end: %v", err), "make it again: what was written is no backup", 1}
		}
		tellCopy(os.Stderr, "Backup written", k, began)
		return nil
	}
	if file, err = filepath.Abs(file); err != nil {
		return err
	}
	info, err := os.Stat(file)
	switch {
	case err == nil && info.IsDir():
		return &wrong{file + " is a folder", "name the file in it that the backup is to become", 2}
	case err == nil && os.SameFile(info, mustStat(path)):
		return &wrong{file + " is the server's database itself", "name another file", 2}
	case err == nil && !*force:
		return &wrong{file + " is there already", "name another file, or take its place with --force", 2}
	case err != nil && !errors.Is(err, os.ErrNotExist):
		return err
	}
	b, err := newWorkbench(filepath.Dir(file))
	if err != nil {
		return err
	}
	defer b.remove() //nolint:errcheck // the next one removes what is left
	fresh := filepath.Join(b.dir, dbName)
	k, err := makeCopy(ctx, path, fresh)
	if err != nil {
		return err
	}
	if err := name(fresh, file, *force); err != nil {
		return err
	}
	tellCopy(os.Stdout, "Backup in "+file, k, began)
	return nil
}

// name gives a whole copy its name, durably; a file that came to be there meanwhile stays without force.
func name(fresh, file string, force bool) error {
	if !force {
		switch err := os.Link(fresh, file); {
		case err == nil:
			return syncFolder(filepath.Dir(file))
		case errors.Is(err, os.ErrExist):
			return &wrong{file + " came to be there meanwhile, and was left", "name another file, or take its place with --force", 1}
		}
		// No links on this file system: a name is then given in two steps.
		if mustStat(file) != nil {
			return &wrong{file + " came to be there meanwhile, and was left", "name another file, or take its place with --force", 1}
		}
	}
	return errors.Join(os.Rename(fresh, file), syncFolder(filepath.Dir(file)))
}

// workPrefix begins the names of folders in which copies are made.
const workPrefix = ".trio-backup-"

// workbench is a folder of one backup alone, in which its copy is made. A lock in it says that somebody is at work.
type workbench struct {
	dir  string
	lock *os.File
}

// newWorkbench makes one in a folder, and removes those of backups that were killed.
func newWorkbench(in string) (*workbench, error) {
	sweep(in)
	for range 10 {
		dir, err := os.MkdirTemp(in, workPrefix)
		if err != nil {
			return nil, err
		}
		lock, ok, err := lockData(dir, true)
		if _, gone := os.Stat(dir); gone == nil && (ok || err != nil) {
			return &workbench{dir, lock}, nil // on a file system without locks its age says that it is at work
		}
		// Another backup swept it before it had its lock.
		if lock != nil {
			lock.Close()
		}
	}
	return nil, &wrong{fmt.Sprintf("no folder to work in is left alone in %s", in), "wait until the other backups there have ended", 1}
}

func (b *workbench) remove() error {
	err := os.RemoveAll(b.dir)
	if b.lock != nil {
		b.lock.Close()
		b.lock = nil
	}
	return err
}

// sweep removes what this user's killed backups left in a folder: of our name, and locked by nobody, or where no lock can say so a day
// old. What cannot be removed stays: that is no reason to have no backup.
func sweep(in string) {
	all, err := os.ReadDir(in)
	if err != nil {
		return
	}
	for _, e := range all {
		info, err := e.Info()
		if err != nil || !e.IsDir() || !strings.HasPrefix(e.Name(), workPrefix) || !mine(info) {
			continue
		}
		dir := filepath.Join(in, e.Name())
		old := time.Since(info.ModTime()) > 24*time.Hour
		if mustStat(filepath.Join(dir, lockName)) == nil && !old {
			continue // it was made just now
		}
		lock, ok, err := lockData(dir, true)
		if ok && locksTell || err != nil && old || ok && old {
			os.RemoveAll(dir)
		}
		if lock != nil {
			lock.Close()
		}
	}
}

func mustStat(path string) os.FileInfo {
	info, err := os.Stat(path)
	if err != nil {
		return nil
	}
	return info
}

// makeCopy copies a database and checks the copy.
func makeCopy(ctx context.Context, path, into string) (store.Copy, error) {
	tick := ticker(os.Stderr)
	err := store.Backup(ctx, path, into, func(done, of int) { tick("%d of %d MB copied", done>>8, of>>8) })
	tick("")
	if err == nil {
		var k store.Copy
		if k, err = store.Inspect(ctx, into); err == nil {
			return k, nil
		}
		err = errors.Join(err, os.Remove(into))
	}
	switch {
	case ctx.Err() != nil:
		return store.Copy{}, &wrong{"ended before the copy was whole; there is none", "make it again", 1}
	case noSpace(err):
		return store.Copy{}, &wrong{fmt.Sprintf("there is no room for the copy in %s", filepath.Dir(into)), fmt.Sprintf("it needs about %d MB; free some space, or name a file elsewhere", sizeOf(path)>>20+1), 1}
	case errors.Is(err, store.ErrNewer):
		return store.Copy{}, &wrong{err.Error(), "take the build that wrote it", 1}
	case errors.Is(err, os.ErrPermission):
		return store.Copy{}, &wrong{err.Error(), "run it as the user that the server runs as", 1}
	}
	return store.Copy{}, err
}

func sizeOf(path string) int64 {
	if info := mustStat(path); info != nil {
		return info.Size()
	}
	return 0
}

func tellCopy(w io.Writer, what string, k store.Copy, began time.Time) {
	fmt.Fprintf(w, "%s: %s, %s, %.1f MB, checked, in %v\n", what, counted(k.Members, "member"), counted(k.Changes, "change"), float64(k.Bytes)/1e6, time.Since(began).Round(time.Millisecond))
}

// counted is a number of things, of one too.
func counted[N int | int64](n N, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// ticker returns a function that keeps one line of a terminal up to date, a few times a second; "" clears it. Elsewhere it
// writes nothing. Several goroutines may call it.
func ticker(f *os.File) func(format string, args ...any) {
	info, err := f.Stat()
	if err != nil || info.Mode()&os.ModeCharDevice == 0 {
		return func(string, ...any) {}
	}
	var mu sync.Mutex
	var last time.Time
	return func(format string, args ...any) {
		mu.Lock()
		defer mu.Unlock()
		if format != "" && time.Since(last) < 200*time.Millisecond {
			return
		}
		last = time.Now()
		fmt.Fprintf(f, "\r\x1b[K"+format, args...)
	}
}

// syncFolder makes names in a folder durable.
func syncFolder(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	_ = f.Sync() // not every system can, and nobody could mend that
	return f.Close()
}

// restoringName is a file that stands in a data folder while a restore puts files into their places. A server does not start
// then: half of what was there beside half of what comes would be taken for data.
const restoringName = "trio.restoring"

// checkRestored refuses a folder in which a restore was cut off.
func checkRestored(dir string) error {
	if _, err := os.Stat(filepath.Join(dir, restoringName)); err == nil {
		return &wrong{
			fmt.Sprintf("a restore into %s was cut off", dir),
			"run it again: trio restore --data " + dir + " FILE; what was there before it is in a folder beside, before-restore-…", 1,
		}
	}
	return nil
}

// restore is trio restore.
func restore(ctx context.Context, args []string) error {
	fs := flag.NewFlagSet("trio restore", flag.ContinueOnError)
	d := addDataFlags(fs)
	fs.Usage = func() {
		fmt.Fprint(fs.Output(), `trio restore puts a backup in the place of the server's database; the server has to be stopped

usage: trio restore [--data DIR | --config FILE] FILE

FILE is checked first and not changed. What is in the folder is moved aside, never deleted. Devices bring back by themselves
what the backup lacks; corporate pulls its feed anew.

`)
		fs.PrintDefaults()
	}
	if err := parse(fs, args); err != nil {
		return err
	}
	file, err := oneFile(fs)
	if err != nil {
		return err
	}
	dir, err := d.folder()
	if err != nil {
		return err
	}
	if dir, err = filepath.Abs(dir); err != nil {
		return err
	}
	if file, err = filepath.Abs(file); err != nil {
		return err
	}
	if info, err := os.Stat(file); err != nil || info.IsDir() {
		return &wrong{fmt.Sprintf("there is no backup %s", file), "name the file that trio backup wrote", 1}
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	path := filepath.Join(dir, dbName)
	if a, b := mustStat(file), mustStat(path); b != nil && os.SameFile(a, b) {
		return &wrong{file + " is the database that is to be replaced", "name a backup", 2}
	}
	lock, ok, err := lockData(dir, true)
	if err != nil {
		return err
	}
	if !ok || inUse(path) {
		return errors.Join(&wrong{fmt.Sprintf("a server has the data in %s open, or another program its database", dir), "stop it first", 1}, closeLock(lock))
	}
	defer lock.Close()
	began := time.Now()
	fresh := path + ".new"
	left := []string{fresh, fresh + "-journal", fresh + "-wal", fresh + "-shm"} // of a restore that was cut off
	for _, f := range left {
		if a, b := mustStat(file), mustStat(f); b != nil && os.SameFile(a, b) {
			return &wrong{file + " stands where a restore makes its copy", "give it another name, or move it elsewhere, and name that", 2}
		}
	}
	for _, f := range left {
		if err := os.Remove(f); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	k, err := takeCopy(ctx, file, fresh)
	if err != nil {
		return errors.Join(err, removeIf(fresh))
	}
	// The new epoch is in the copy before the copy is in its place: no moment has old cursors pass.
	if err := store.Renew(fresh); err != nil {
		return errors.Join(err, removeIf(fresh))
	}
	people, err := carryOver(ctx, path, fresh)
	if err != nil {
		return errors.Join(err, removeIf(fresh))
	}
	aside, err := putInPlace(dir, fresh)
	if err != nil {
		return err
	}
	tellCopy(os.Stdout, "Restored "+file, k, began)
	if aside != "" {
		fmt.Printf("What was there is in %s; remove it when all is well.\n", aside)
	}
	fmt.Print(people)
	fmt.Printf(`
Next:
  trio verify --data %[1]s   looks at it closely
  trio serve --data %[1]s   devices then bring back by themselves what the backup lacks, within minutes of their next contact

Corporate's cursors are refused from now on: trio pull says how it begins anew.
A device that is not known any more is told to sign in again; trio device status shows its ids: trio admin --data %[1]s readmit MEMBER DEVICE lets it
in again with all that is on it; trio admin --data %[1]s remember COMPANY MEMBER NAME first, if its member is not known either.
`, dir)
	return nil
}

func noRoom(err error) bool { return noSpace(err) || errors.Is(err, store.ErrFull) }

func noRoomFor(file, into string) error {
	return &wrong{
		fmt.Sprintf("there is no room for the backup in %s: nothing was touched", filepath.Dir(into)),
		fmt.Sprintf("free %d MB", sizeOf(file)>>20+1), 1,
	}
}

// carryOver brings into a copy what the database that it replaces knows of people, and returns what to say of it. Without that
// database who was revoked since the backup may sync again, and no invitation is to be believed.
func carryOver(ctx context.Context, path, fresh string) (says string, err error) {
	why := "there is no database in its place"
	if mustStat(path) != nil {
		n, err := store.CarryOver(ctx, path, fresh)
		if err == nil {
			return fmt.Sprintf("From the database in its place: %d revocations and used invitations, %d new members, %d new devices, %d changes kept apart of revoked devices, %d playbooks.\n",
				n.Revoked, n.Members, n.Devices, n.Kept, n.Playbooks), nil
		}
		if ctx.Err() != nil {
			return "", &wrong{"ended before anything was restored", "run it again", 1}
		}
		if noRoom(err) {
			return "", noRoomFor(fresh, fresh)
		}
		why = err.Error()
	}
	n, err := store.ExpireInvites(fresh)
	if noRoom(err) {
		return "", noRoomFor(fresh, fresh)
	}
	if err != nil {
		return "", err
	}
	if err := store.SkipVersions(fresh); err != nil {
		if noRoom(err) {
			return "", noRoomFor(fresh, fresh)
		}
		return "", err
	}
	return fmt.Sprintf("Who was revoked since the backup is not known (%s):\n"+
		"  devices and keys that were revoked since may sync again: revoke them again before the server starts (trio admin devices, keys)\n"+
		"  %d open invitations are good no more: they may have been used since\n"+
		"  playbooks that were published since are not here; devices go on by them: publish again (trio playbook publish)\n", why, n), nil
}

func closeLock(f *os.File) error {
	if f == nil {
		return nil
	}
	return f.Close()
}

func removeIf(path string) error {
	if err := os.Remove(path); !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}

// takeCopy brings a backup into a folder under another name, durably, and says what it is.
func takeCopy(ctx context.Context, file, into string) (k store.Copy, err error) {
	refuse := func(err error) error {
		switch {
		case ctx.Err() != nil:
			return &wrong{"ended before anything was restored", "run it again", 1}
		case errors.Is(err, store.ErrNewer):
			return &wrong{strings.ReplaceAll(err.Error(), into, file) + ": nothing was touched", "restore it with the newer build", 1}
		case noSpace(err):
			return noRoomFor(file, into)
		}
		return &wrong{strings.ReplaceAll(err.Error(), into, file) + ": nothing was touched", "take another backup; trio verify FILE says all that is wrong with this one", 1}
	}
	if _, err := os.Stat(file + "-wal"); err == nil {
		// A folder that was copied as it was: what its log holds belongs to it.
		if err := store.Backup(ctx, file, into, nil); err != nil {
			return k, refuse(err)
		}
	} else if err := copyFile(ctx, file, into); err != nil {
		return k, refuse(err)
	}
	if k, err = store.Inspect(ctx, into); err != nil {
		return k, refuse(err)
	}
	return k, nil
}

func copyFile(ctx context.Context, from, into string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(into, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, readerFunc(func(b []byte) (int, error) {
		if err := ctx.Err(); err != nil {
			return 0, err
		}
		return in.Read(b)
	}))
	return errors.Join(err, out.Sync(), out.Close())
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(b []byte) (int, error) { return f(b) }

// putInPlace moves what a folder has of a database into a new folder in it, and the new database into its place. Whatever
// happens meanwhile, nothing is lost and no server takes half of it for data: see restoringName.
func putInPlace(dir, fresh string) (aside string, err error) {
	mark := filepath.Join(dir, restoringName)
	o := ownerOf(dir)
	if err := o.give(fresh); err != nil {
		return "", err
	}
	if err := errors.Join(os.WriteFile(mark, nil, 0o600), o.give(mark), syncFolder(dir)); err != nil {
		return "", err
	}
	aside = filepath.Join(dir, "before-restore-"+time.Now().UTC().Format("20060102-150405.000"))
	moved := false
	for _, name := range []string{dbName, dbName + "-wal", dbName + "-shm", dbName + "-journal"} {
		if mustStat(filepath.Join(dir, name)) == nil {
			continue
		}
		if !moved {
			if err := errors.Join(os.Mkdir(aside, 0o700), o.give(aside)); err != nil {
				return "", err
			}
			moved = true
		}
		if err := os.Rename(filepath.Join(dir, name), filepath.Join(aside, name)); err != nil {
			return "", err
		}
	}
	if moved {
		err = syncFolder(aside)
	} else {
		aside = ""
	}
	err = errors.Join(err, syncFolder(dir))
	if err == nil {
		err = errors.Join(os.Rename(fresh, filepath.Join(dir, dbName)), syncFolder(dir))
	}
	if err == nil {
		err = errors.Join(os.Remove(mark), syncFolder(dir))
	}
	return aside, err
}
