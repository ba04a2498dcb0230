package store

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"net/url"
	"os"
	"runtime"
	"sync"
	"time"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"trio/crdt"
	"trio/crdt/automerge"
	"trio/crdt/wire"
)

// Verify says what to look at and whom to tell.
type Verify struct {
	// Path of the database. Servers may have it open; nothing is written to it.
	Path string
	// Project reads the log entries out of a change, as whoever let it in did; which device brought it is not known here.
	Project func(m crdt.MemberID, carrier crdt.DeviceID, it wire.Item) ([]FeedRecord, error)
	// Document, if there is one, is called with all changes of each document that is whole, in their order.
	Document func(ctx context.Context, m crdt.MemberID, doc crdt.DocName, changes []*automerge.Change)
	// Problem is called with each thing that is wrong, and Progress after each member. Both are called by several goroutines,
	// one at a time.
	Problem  func(Problem)
	Progress func(Verified)
	// Workers is how many members are looked at at a time, each in a read of its own. Zero means one a processor.
	Workers int
}

// Problem is one thing that is wrong with a database. Member, document and change are zero where it is about none.
type Problem struct {
	Member crdt.MemberID
	Doc    crdt.DocName
	Seq    uint64 // of the change in the member's order
	Text   string
}

func (p Problem) String() string {
	s := p.Text
	if p.Seq > 0 {
		s = fmt.Sprintf("change %d: %s", p.Seq, s)
	}
	if p.Doc != "" {
		s = fmt.Sprintf("%s: %s", p.Doc, s)
	}
	if p.Member != (crdt.MemberID{}) {
		s = fmt.Sprintf("member %s: %s", p.Member, s)
	}
	return s
}

// Verified counts what was looked at.
type Verified struct {
	Members, Documents, Changes, Segments, Records int
	Bytes                                          int64 // of changes as they came
	Problems                                       int
	Of                                             int // members there are
}

// maxProblems bounds what is said of one member: one page that is gone spoils thousands of rows.
const maxProblems = 20

// Run looks at everything. The error says that it could not; what is wrong with the data goes to Problem.
//
// Each member is read in one state of the database, a row or a segment at a time. Of a change its hash, its place in the
// history and the entries it logs are remembered while its member is looked at, some 200 bytes.
func (v Verify) Run(ctx context.Context) (Verified, error) {
	k := &verifier{Verify: v}
	if k.Workers <= 0 {
		k.Workers = runtime.GOMAXPROCS(0)
	}
	c, err := dialToRead(v.Path)
	if err != nil {
		return k.total, fmt.Errorf("store: verify %s: %w", v.Path, err)
	}
	err = k.run(ctx, c)
	if err = errors.Join(err, c.Close()); err != nil {
		return k.total, fmt.Errorf("store: verify %s: %w", v.Path, err)
	}
	return k.total, ctx.Err()
}

// dialToRead opens a database to be read alone, and changes nothing that is there: whoever closes the last connection that
// may write moves the log into the database and removes it, so where there is a log none of ours may. One without a log
// that nobody writes to, as a backup on a medium that cannot be written, is read without making any file beside it.
func dialToRead(path string) (*conn, error) {
	if _, err := os.Stat(path); err != nil {
		return nil, err
	}
	for try := 0; ; try++ {
		how, err := howToRead(path)
		if err != nil {
			return nil, err
		}
		c, err := dialAs(path, how)
		if err == nil {
			return c, nil
		}
		if how == usual {
			c, still := dialURI(fileURI(path)+"?"+url.Values{"immutable": {"1"}}.Encode(), []pragma{{"query_only", 1}})
			if still != nil {
				return nil, translate(err)
			}
			return c, nil
		}
		if resultCode(err) != sqlite3.SQLITE_CANTOPEN || try == 10 {
			return nil, translate(err)
		}
		time.Sleep(time.Duration(try) * 5 * time.Millisecond) // who had the log may have closed, and removed it, since we looked
	}
}

// dialAs opens a database to be read in one way.
func dialAs(path string, how reading) (*conn, error) {
	pragmas := []pragma{{"busy_timeout", busyTimeout}, {"query_only", 1}, {"cache_size", -readerCacheKiB}}
	if how == alone {
		// First of all, as it has SQLite keep the index of the log in memory.
		pragmas = append([]pragma{{"locking_mode", "exclusive"}}, pragmas...)
	}
	c, err := dialURI(fileURI(path)+string(how), pragmas)
	if err != nil {
		return nil, err
	}
	if how == alone {
		_, err = c.Conn.(sqlite.FileControl).FileControlPersistWAL("main", 1) // an empty log stays too
	}
	if err == nil {
		_, err = c.value("SELECT count(*) FROM sqlite_schema")
	}
	if err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return c, nil
}

// reading is how a database is opened to be read: options of its URI.
type reading string

const (
	// usual makes a log and its index, and removes both at the end.
	usual reading = ""
	// beside leaves the log and its index to whoever has them open; when nobody has, SQLite takes the index from the log
	// into memory.
	beside reading = "?mode=ro&readonly_shm=1"
	// alone is for a log without an index, which nobody has open: no lock is needed, and none can be taken on a file
	// that is opened to be read.
	alone reading = "?mode=ro&vfs=unix-none"
)

func howToRead(path string) (reading, error) {
	wal, err := exists(path + "-wal")
	if err != nil || !wal {
		return usual, err
	}
	shm, err := exists(path + "-shm")
	switch {
	case err != nil:
		return usual, err
	case shm:
		return beside, nil
	case runtime.GOOS == "windows":
		return usual, nil // which has no way but that
	}
	return alone, nil
}

func exists(path string) (bool, error) {
	_, err := os.Stat(path)
	if errors.Is(err, os.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}

type verifier struct {
	Verify
	mu    sync.Mutex
	total Verified
}

func (k *verifier) wrong(p Problem) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.total.Problems++
	k.Problem(p)
}

func (k *verifier) wrongf(format string, args ...any) {
	k.wrong(Problem{Text: fmt.Sprintf(format, args...)})
}

func (k *verifier) run(ctx context.Context, c *conn) error {
	version, err := identify(c)
	switch {
	case err != nil:
		return translate(err)
	case version == 0:
		return errors.New("there is nothing in it: name the server's database, or a backup of it")
	case version != schemaVersion:
		return fmt.Errorf("it has version %d and this build looks at version %d: have this build open it once (trio serve), or take the build that wrote it", version, schemaVersion)
	}
	type row struct {
		id  int64
		uid crdt.MemberID
	}
	members := make(chan row, k.Workers)
	workers, stop := context.WithCancel(ctx)
	defer stop()
	errs := make([]error, k.Workers)
	var wg sync.WaitGroup
	for i := range k.Workers {
		wg.Go(func() {
			mv, err := k.newMemberVerifier()
			for m := range members {
				if err == nil && workers.Err() == nil {
					err = mv.verify(workers, m.id, m.uid)
				}
				if err != nil {
					stop() // one that cannot go on ends all
				}
			}
			if mv != nil {
				err = errors.Join(err, mv.c.Close())
			}
			errs[i] = err
		})
	}
	// SQLite's own look is taken beside, as it takes as long as ours.
	wg.Go(func() {
		c, err := dialToRead(k.Path)
		if err == nil {
			err = errors.Join(k.whole(workers, c), c.Close())
		}
		if err != nil && workers.Err() == nil {
			k.wrongf("the database cannot be read through: %v", err)
		}
	})
	list := func() (err error) {
		defer guard(&err)
		n, err := c.value("SELECT count(*) FROM members")
		if err != nil {
			return err
		}
		k.mu.Lock()
		k.total.Of = int(n.(int64))
		k.mu.Unlock()
		page, err := c.prepare("SELECT id, uid FROM members WHERE id > ? ORDER BY id LIMIT 500")
		if err != nil {
			return err
		}
		for last, more := int64(-1), true; more && workers.Err() == nil; {
			var rows []row
			if err := page.each(func(r []driver.Value) bool {
				rows = append(rows, row{id: r[0].(int64)})
				copy(rows[len(rows)-1].uid[:], r[1].([]byte))
				return true
			}, last); err != nil {
				return err
			}
			for _, r := range rows {
				last = r.id
				select {
				case members <- r:
				case <-workers.Done():
				}
			}
			more = len(rows) > 0
		}
		return nil
	}()
	close(members)
	if list != nil {
		k.wrongf("members cannot be listed: %v", list)
	}
	wg.Wait()
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return errors.Join(errs...)
}

// whole looks at what is no member's alone.
func (k *verifier) whole(ctx context.Context, c *conn) (err error) {
	defer guard(&err)
	if err := k.playbooks(ctx, c); err != nil {
		return err
	}
	for _, q := range []struct{ query, text string }{
		{"PRAGMA integrity_check(20)", "SQLite finds the file damaged: "},
		{"SELECT \"table\" || ' ' || coalesce(rowid, '') || ' names a row of ' || parent || ' that is not there' FROM pragma_foreign_key_check LIMIT 20", ""},
		{
			"SELECT 'change ' || (id & 0xffffffff) || ' of a member with number ' || (id >> 32) || ', who is not there' FROM changes " +
				"WHERE id >> 32 NOT IN (SELECT id FROM members) LIMIT 5", "",
		},
		{
			"SELECT 'segment up to ' || (id & 0xffffffff) || ' of a member with number ' || (id >> 32) || ', who is not there' FROM segments " +
				"WHERE id >> 32 NOT IN (SELECT id FROM members) LIMIT 5", "",
		},
		{
			"SELECT 'record ' || pos || ' of the feed is of a member with number ' || member || ', who is not there' FROM feed " +
				"WHERE member NOT IN (SELECT id FROM members) LIMIT 5", "",
		},
		{
			"SELECT 'the feed has a record at ' || max(pos) || ', and would give out ' || (SELECT seq + 1 FROM sqlite_sequence WHERE name = 'feed') || ' next' " +
				"FROM feed HAVING max(pos) > coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'feed'), 0)", "",
		},
		{
			"SELECT 'device with number ' || id || ': what is kept of it is counted wrongly' FROM devices d WHERE kept != (" +
				"SELECT coalesce(sum(iif(size = 0, length(data), size)), 0) FROM parked p WHERE p.device = d.id AND taken = 0) LIMIT 5", "",
		},
		{
			"SELECT 'member ' || id || ' in its order of making: its devices or what is kept of them are counted wrongly' FROM members m " +
				"WHERE devices != (SELECT count(*) FROM devices d WHERE d.member = m.id AND d.revoked = 0) " +
				"OR kept != (SELECT coalesce(sum(d.kept), 0) FROM devices d WHERE d.member = m.id) LIMIT 5", "",
		},
		{
			"SELECT 'company ' || id || ': its members or devices are counted wrongly' FROM tenants t " +
				"WHERE members != (SELECT count(*) FROM members m WHERE m.tenant = t.id) " +
				"OR devices != (SELECT coalesce(sum(m.devices), 0) FROM members m WHERE m.tenant = t.id) LIMIT 5", "",
		},
		{
			"SELECT 'company ' || id || ': its playbooks go further than the versions that count as taken' FROM tenants t " +
				"WHERE playbook_taken < (SELECT coalesce(max(version), 0) FROM playbooks p WHERE p.tenant = t.id) LIMIT 5", "",
		},
		{
			"SELECT 'the fold of the member with number ' || f.member || ' was read up to change ' || f.seq || ' of ' || m.seq FROM folds f " +
				"JOIN members m ON m.id = f.member WHERE f.seq > m.seq OR f.tenant != m.tenant LIMIT 5", "",
		},
		{
			"SELECT 'the subscription of the device with number ' || s.device || ' is another member''s than the device' FROM subscriptions s " +
				"JOIN devices d ON d.id = s.device WHERE d.member != s.member LIMIT 5", "",
		},
		{
			"SELECT 'the member with number ' || member || ' has subscriptions without a reminder, or a reminder without subscriptions' FROM (" +
				"SELECT member FROM subscriptions UNION SELECT member FROM reminders) " +
				"WHERE member NOT IN (SELECT member FROM reminders) OR member NOT IN (SELECT member FROM subscriptions) LIMIT 5", "",
		},
		{
			"SELECT 'the database has lost its epoch' WHERE NOT EXISTS (" +
				"SELECT 1 FROM meta WHERE key = 'epoch' AND typeof(value) = 'blob' AND length(value) = 16)", "",
		},
	} {
		if ctx.Err() != nil {
			return nil
		}
		st, err := c.prepare(q.query)
		if err != nil {
			return err
		}
		if err := st.each(func(row []driver.Value) bool {
			if row[0] != "ok" {
				k.wrongf("%s%v", q.text, row[0])
			}
			return true
		}); err != nil {
			return err
		}
	}
	return nil
}
