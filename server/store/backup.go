package store

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/url"
	"os"
	"time"

	"modernc.org/sqlite"

	"trio/crdt/wire"
)

const (
	// backupPages is how much of a database is copied at a time: 1 MB.
	backupPages = 256
	// backupPause is left between, for pushes: measured on 1 GB, the copy takes a third longer by it and half as many
	// pushes more get through meanwhile.
	backupPause = 2 * time.Millisecond
)

// Backup copies a database as it is now into a file, which must not be there, while others have it open: what is written
// during the copy is not in it and waits for nothing, but the log of the database grows until the copy has ended. progress,
// if there is one, hears how many pages of how many are copied. The file is synced, its name is for the caller to make durable.
func Backup(ctx context.Context, path, into string, progress func(done, of int)) error {
	if err := backup(ctx, path, into, progress); err != nil {
		return fmt.Errorf("store: backup %s: %w", path, err)
	}
	return nil
}

func backup(ctx context.Context, path, into string, progress func(done, of int)) (err error) {
	c, err := dialToRead(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.Close()) }()
	if version, err := identify(c); err != nil || version == 0 {
		if err == nil {
			err = errEmpty
		}
		return translate(err)
	}
	f, err := os.OpenFile(into, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	defer func() {
		if e := f.Close(); err == nil {
			err = e
		}
		if err != nil {
			err = errors.Join(err, os.Remove(into)) // half a copy is none
		}
	}()
	// One state of the database for all of the copy: without it each write of others makes it begin anew, without end.
	if err := c.exec("BEGIN; SELECT count(*) FROM meta"); err != nil {
		return translate(err)
	}
	abs := fileURI(into) + "?" + url.Values{"_pragma": {"synchronous(0)", "journal_mode(OFF)"}}.Encode()
	b, err := c.Conn.(interface {
		NewBackup(string) (*sqlite.Backup, error)
	}).NewBackup(abs)
	if err != nil {
		return translate(err)
	}
	for more := true; more && err == nil; {
		if err = ctx.Err(); err != nil {
			break
		}
		if more, err = b.Step(backupPages); err != nil {
			break
		}
		if progress != nil {
			progress(b.PageCount()-b.Remaining(), b.PageCount())
		}
		select {
		case <-ctx.Done():
		case <-time.After(backupPause):
		}
	}
	if err == nil {
		err = ctx.Err()
	}
	if err := errors.Join(err, b.Finish()); err != nil {
		return translate(err)
	}
	return f.Sync()
}

var errEmpty = errors.New("there is nothing in it: name the server's database, or a backup of it")

// Copy says what a closed database or a backup is.
type Copy struct {
	Version int // of its layout
	Epoch   wire.Epoch
	Members int
	Changes int64 // in the orders of all of them
	Bytes   int64 // of the file
}

// Inspect reads a backup, which nobody writes to, from its first page to its last, and says what it is: ErrNewer, or another
// error, when this build could not serve it. It makes no file beside it.
func Inspect(ctx context.Context, path string) (Copy, error) {
	k, err := inspect(ctx, path)
	if err != nil {
		return Copy{}, fmt.Errorf("store: inspect %s: %w", path, err)
	}
	return k, nil
}

func inspect(ctx context.Context, path string) (k Copy, err error) {
	defer guard(&err)
	info, err := os.Stat(path)
	if err != nil {
		return k, err
	}
	c, err := dialURI(fileURI(path)+"?immutable=1", []pragma{{"query_only", 1}})
	if err != nil {
		return k, translate(err)
	}
	defer func() { err = errors.Join(err, c.Close()) }()
	if k.Version, err = identify(c); err != nil || k.Version == 0 {
		if err == nil {
			err = errEmpty
		}
		return k, translate(err)
	}
	for _, query := range []string{"PRAGMA integrity_check(1)", "SELECT coalesce(max(\"table\"), 'ok') FROM pragma_foreign_key_check"} {
		if err := ctx.Err(); err != nil {
			return k, err
		}
		says, err := c.value(query)
		if err != nil {
			return k, translate(err)
		}
		if says != "ok" {
			return k, fmt.Errorf("it is damaged: %v", says)
		}
	}
	epoch, err := c.value("SELECT value FROM meta WHERE key = 'epoch'")
	if err != nil {
		return k, translate(err)
	}
	if b, _ := epoch.([]byte); copy(k.Epoch[:], b) != len(k.Epoch) {
		return k, errors.New("it is damaged: it has no epoch")
	}
	n, err := c.value("SELECT count(*) FROM members")
	if err != nil {
		return k, translate(err)
	}
	changes, err := c.value("SELECT coalesce(sum(seq), 0) FROM members")
	if err != nil {
		return k, translate(err)
	}
	k.Members, k.Changes, k.Bytes = int(n.(int64)), changes.(int64), info.Size()
	return k, nil
}

// Renew gives a database that nobody has open a new epoch, durably, and leaves it as one file.
func Renew(path string) error {
	err := renew(path)
	if err != nil {
		return fmt.Errorf("store: new epoch of %s: %w", path, err)
	}
	return nil
}

func renew(path string) error {
	if _, err := os.Stat(path); err != nil {
		return err
	}
	var epoch wire.Epoch
	_, _ = rand.Read(epoch[:]) // never fails
	c, err := dial(path, "", []pragma{{"journal_mode", "delete"}, {"synchronous", 2}})
	if err != nil {
		return translate(err)
	}
	// The mode of the journal goes back to the store's own, as it stands in the file.
	return translate(errors.Join(c.exec(fmt.Sprintf("UPDATE meta SET value = x'%x' WHERE key = 'epoch'; PRAGMA journal_mode = wal", epoch[:])), c.Close()))
}

// InUse reports whether another connection, of whichever program, has the database open. A file that is no database, or
// none at all, is in nobody's use.
func InUse(path string) bool {
	if _, err := os.Stat(path); err != nil {
		return false
	}
	c, err := dial(path, "", nil)
	if err != nil {
		return false
	}
	// In this mode the first read takes the file for itself alone, which every other connection prevents.
	err = c.exec("PRAGMA locking_mode = EXCLUSIVE; SELECT count(*) FROM sqlite_schema")
	_ = c.Close() // nothing was written
	return isBusy(err)
}
