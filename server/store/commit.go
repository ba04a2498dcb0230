package store

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"time"

	"trio/crdt"
)

// A job is one write. run is called inside a transaction that may hold other jobs, and again in a transaction of its
// own if that one fails; so it starts from nothing each time and leaves its result in variables of its caller. What is
// wrong with the write itself (no such member, say) is such a result; an error of run is one of the database.
type job struct {
	ctx  context.Context // ended before the job is taken: it is skipped; later it has no influence
	size int             // what it weighs: see weight; at least 1
	// keeps says that run leaves what the writer remembers of members as true as it was.
	keeps bool
	run   func(*writer) error
	err   error // valid once done is closed
	done  chan struct{}
}

// weight is what a job counts for in its group: its changes, or rows, and one more for each 16 KiB of them, as all that a
// transaction writes is held in memory until it is committed.
func weight(changes, bytes int) int { return changes + bytes>>14 }

// do has the committer run a write and waits until it is durable. When ctx ends first, the outcome is unknown.
func (s *SQLite) do(ctx context.Context, size int, run func(*writer) error) error {
	return s.submit(&job{ctx: ctx, size: size, run: run})
}

// submit is do for a job of which ctx, run, and what is not zero of the rest are set.
func (s *SQLite) submit(j *job) error {
	ctx := j.ctx
	if err := ctx.Err(); err != nil {
		return err
	}
	if s.isClosed() {
		return ErrClosed
	}
	j.size, j.done = max(j.size, 1), make(chan struct{})
	select {
	case s.queue <- j:
	default:
		return ErrBusy
	}
	select {
	case <-j.done:
		return j.err
	case <-ctx.Done():
		return fmt.Errorf("outcome unknown, push again: %w", ctx.Err())
	case <-s.done:
		// The committer has ended. It may have done this job last, or never have seen it.
		select {
		case <-j.done:
			return j.err
		default:
			return ErrClosed
		}
	}
}

// commit is the committer: it takes what is queued, up to GroupChanges, and commits it together. While one COMMIT waits
// for the disk the next group gathers, so groups grow with the load and nobody waits for a timer.
func (s *SQLite) commit(w *writer) {
	defer close(s.done)
	look := time.NewTicker(lookEvery)
	defer look.Stop()
	var group []*job
	for {
		group = group[:0]
		select {
		case j := <-s.queue:
			group = append(group, j)
		case <-look.C:
			s.lookAround(w)
			continue
		case <-s.closing:
			select {
			case j := <-s.queue:
				group = append(group, j)
			default:
				// Readers go first: the last connection moves the log into the database and removes it.
				s.err = s.closeReaders()
				if w != nil {
					s.err = errors.Join(s.err, w.Close())
				}
				return
			}
		}
		for size := group[0].size; size < s.cfg.GroupChanges; {
			select {
			case j := <-s.queue:
				group = append(group, j)
				size += j.size
				continue
			default:
			}
			runtime.Gosched() // who has read a push already may bring it first; a lone one finds nobody to wait for
			if len(s.queue) == 0 {
				break
			}
		}
		w = s.commitGroup(w, group)
		clear(group)
	}
}

// commitGroup commits the jobs together, or, when that is known to have stored nothing, one by one. It returns the
// writer, which is another one (or nil) after a failure that leaves the old one in doubt.
func (s *SQLite) commitGroup(w *writer, group []*job) *writer {
	live := group[:0]
	for _, j := range group {
		if j.err = j.ctx.Err(); j.err != nil {
			close(j.done)
			continue
		}
		live = append(live, j)
	}
	group = live
	if len(group) == 0 {
		return w
	}
	var err error
	if w == nil {
		if w, err = s.openWriter(); err != nil {
			s.log.Error("store cannot be opened again", slog.Any("err", err))
			finish(group, fmt.Errorf("store cannot be opened again, nothing of this was stored: %w", translate(err)))
			return nil
		}
		s.watchers.tell(Hint{All: true}) // what was in doubt may be stored
	}
	unknown, err := w.transact(group)
	if err == nil {
		s.stats.committed(w.took)
		s.watchers.tell(w.hints...)
		finish(group, nil)
		return w
	}
	if unknown || w.rollback() != nil {
		if e := w.Close(); e != nil {
			s.log.Warn("closing the writer", slog.Any("err", e))
		}
		w = nil
	}
	switch {
	case unknown:
		s.log.Error("commit failed with unknown outcome, opening again", slog.Any("err", err), slog.Int("pushes", len(group)))
		finish(group, fmt.Errorf("commit: outcome unknown, push again: %w", err))
	case isBusy(err):
		finish(group, translate(err))
	case len(group) > 1:
		// Nothing is stored. Find out whom it concerns: a small push may fit where the group did not.
		for _, j := range group {
			w = s.commitGroup(w, []*job{j})
		}
	default:
		s.log.Error("write failed, nothing of it was stored", slog.Any("err", err))
		if err = translate(err); !errors.Is(err, ErrFull) { // which says it itself
			err = fmt.Errorf("nothing of this was stored: %w", err)
		}
		finish(group, err)
	}
	return w
}

func finish(group []*job, err error) {
	for _, j := range group {
		j.err = err
		close(j.done)
	}
}

// A writer is the connection that writes, its statements, and what is known only inside a transaction. It belongs to
// the committer.
type writer struct {
	*conn
	clock func() time.Time
	now   time.Time     // of the transaction
	took  time.Duration // the last COMMIT
	docs  map[string]int64
	// fresh are the names added to docs by this transaction; a rollback takes them back.
	fresh []string
	hints []Hint // of this transaction, for those who watch
	// version is what foreign said when the committer last looked around, seen what it said in the last transaction.
	version, seen int64
	known         map[crdt.MemberID]*memberState

	begin, commit, undo  *stmt
	member, head, device *stmt
	docReader
	doc, addDoc, setCrowd               *stmt
	addWriter, setWriter                *stmt
	addChange, addFeed, hashes          *stmt
	folded, setFolded                   *stmt
	dropChanges, dropSegments           *stmt
	addSegment                          *stmt
	addTenant, tenant, setQuota         *stmt
	addKey, revokeKey, newEpoch         *stmt
	addMember, profile, setProfile      *stmt
	above, countMembers                 *stmt
	addDevice, deviceRow, revoke, leave *stmt
	readmitted, readmit                 *stmt
	devicesOf, devicesIn, saw           *stmt
	addInvite, openInvites, invite      *stmt
	revokeInvite, inviteByHash          *stmt
	useInvite                           *stmt
	park, isParked, parkedRow, take     *stmt
	keptBy, keptOf                      *stmt
	waiting, discard                    *stmt
	bookHead, addBook, takeBook         *stmt
	foldRow, dropFold, addFold          *stmt
	skipVersions                        *stmt
	webPushKey, setWebPushKey           *stmt
	subscribe, unsubscribe, endpointOf  *stmt
	byEndpoint, subscribed, failures    *stmt
	remind, reminded, setReminder       *stmt
	noReminder, hasReminder, memberRow  *stmt
	claim, forgetClaims                 *stmt
	probeSave, probe, probeUndo, probed *stmt
	dataVersion                         *stmt
}

func (s *SQLite) openWriter() (*writer, error) {
	vfs, pragmas := s.cfg.VFS, []pragma{{"busy_timeout", busyTimeout}}
	if s.cfg.Unsafe == "" { // gather relies on FULL
		// Making and migrating the tables are transactions of any size: they are written as they grow, by a connection of
		// their own.
		c, err := dial(s.cfg.Path, vfs, pragmas)
		if err != nil {
			return nil, err
		}
		if err := errors.Join(s.setUp(c), c.Close()); err != nil {
			return nil, err
		}
		if vfs, err = gather(vfs); err != nil {
			return nil, err
		}
		pragmas = append(pragmas, pragma{"cache_spill", 0}) // so does it on this
	}
	c, err := dial(s.cfg.Path, vfs, pragmas)
	if err != nil {
		return nil, err
	}
	w := &writer{conn: c, clock: s.cfg.Now, docs: map[string]int64{}, known: map[crdt.MemberID]*memberState{}}
	if err := s.setUp(c); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	if err := c.prepareAll(w.texts()); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	if w.version, err = w.foreign(); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return w, nil
}

// setUp looks first whose file it is: the journal mode is a property of the file, and not ours to change in another's.
func (s *SQLite) setUp(c *conn) error {
	if err := c.exec("BEGIN"); err != nil { // another process may make the tables between two looks
		return err
	}
	version, err := identify(c)
	if err := errors.Join(err, c.exec("COMMIT")); err != nil {
		return err
	}
	if err := c.setWAL(); err != nil {
		return err
	}
	pragmas := []pragma{
		{"synchronous", s.cfg.synchronous()},
		{"wal_autocheckpoint", autocheckpoint},
		{"foreign_keys", 1},
		{"cache_size", -s.cfg.CacheKiB},
	}
	if s.cfg.MaxPages > 0 {
		pragmas = append(pragmas, pragma{"max_page_count", s.cfg.MaxPages})
	}
	for _, p := range pragmas {
		if err := c.set(p); err != nil {
			return err
		}
	}
	if version < schemaVersion {
		return migrate(c)
	}
	return nil
}

func (w *writer) texts() []text {
	return append(w.docReader.texts(), []text{
		{&w.begin, "BEGIN IMMEDIATE"},
		{&w.commit, "COMMIT"},
		{&w.undo, "ROLLBACK"},
		{&w.member, "SELECT m.id, m.tenant, m.seq, m.chain, m.name, m.folded, m.bytes, t.max_bytes, t.max_devices, m.devices " +
			"FROM members m JOIN tenants t ON t.id = m.tenant WHERE m.uid = ?"},
		{&w.head, "UPDATE members SET seq = ?, chain = ?, bytes = bytes + ?, pushes = pushes + 1 WHERE id = ?"},
		{&w.device, "SELECT member FROM devices WHERE uid = ?"},
		{&w.doc, "SELECT id FROM docs WHERE name = ?"},
		{&w.addDoc, "INSERT INTO docs (name) VALUES (?)"},
		{&w.addWriter, "INSERT INTO writers (seq, maxop, last, head, at, whole, member, doc, actor) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"},
		{&w.setWriter, "UPDATE writers SET seq = ?, maxop = ?, last = ?, head = ?, at = ?, whole = ? WHERE member = ? AND doc = ? AND actor = ?"},
		{&w.setCrowd, "INSERT OR REPLACE INTO crowds VALUES (?, ?, ?, ?, ?)"},
		{&w.hashes, "SELECT hash, doc, maxop FROM changes WHERE id > ? AND id <= ?"},
		{&w.addChange, "INSERT INTO changes VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"},
		{&w.folded, "SELECT folded FROM members WHERE id = ?"},
		{&w.setFolded, "UPDATE members SET folded = ? WHERE id = ?"},
		{&w.dropChanges, "DELETE FROM changes WHERE id > ? AND id <= ?"},
		{&w.dropSegments, "DELETE FROM segments WHERE id > ? AND id <= ?"},
		{&w.addSegment, "INSERT INTO segments VALUES (?, ?, ?, ?, ?, ?, ?, ?)"},
		{&w.addFeed, "INSERT INTO feed (tenant, member, entry, device, arrived, body) VALUES (?, ?, ?, ?, ?, ?) " +
			"ON CONFLICT DO NOTHING"},
		{&w.addTenant, "INSERT INTO tenants (name, created) VALUES (?, ?)"},
		{&w.tenant, "SELECT max_members, members FROM tenants WHERE id = ?"},
		{&w.setQuota, "UPDATE tenants SET max_members = coalesce(?, max_members), max_devices = coalesce(?, max_devices), " +
			"max_bytes = coalesce(?, max_bytes) WHERE id = ?"},
		{&w.newEpoch, "UPDATE meta SET value = ? WHERE key = 'epoch'"},
		{&w.addKey, "INSERT INTO apikeys (tenant, name, hash, created, scopes) VALUES (?, ?, ?, ?, ?)"},
		{&w.revokeKey, "UPDATE apikeys SET revoked = iif(revoked = 0, ?, revoked) WHERE id = ? AND tenant = ?"},
		{&w.addMember, "INSERT INTO members (uid, tenant, name, created, seq, chain, pushes, team, sponsor) VALUES (?, ?, ?, ?, 0, ?, 0, ?, ?)"},
		{&w.countMembers, "UPDATE tenants SET members = members + ? WHERE id = ?"},
		{&w.profile, "SELECT id, tenant, name, team, sponsor FROM members WHERE uid = ?"},
		{&w.setProfile, "UPDATE members SET name = ?, team = ?, sponsor = ? WHERE id = ?"},
		{&w.above, "WITH RECURSIVE up (id, n) AS (VALUES (?, 0) UNION ALL SELECT m.sponsor, n + 1 FROM up JOIN members m ON m.id = up.id " +
			"WHERE m.sponsor IS NOT NULL AND n < ?) SELECT max(n), max(id = ?) FROM up"},
		{&w.readmitted, "SELECT id, member, revoked, name FROM devices WHERE uid = ?"},
		{&w.readmit, "UPDATE devices SET name = 'readmitted', hash = ?, revoked = 0, revoked_at = 0, left_at = 0 WHERE id = ?"},
		{&w.addDevice, "INSERT INTO devices (uid, member, name, created, hash, revoked, revoked_at, pairer) VALUES (?, ?, ?, ?, ?, ?, ?, ?)"},
		{&w.deviceRow, "SELECT d.id, d.member, d.revoked, d.kept, m.tenant, m.kept, t.max_bytes, m.uid " +
			"FROM devices d JOIN members m ON m.id = d.member JOIN tenants t ON t.id = m.tenant WHERE d.uid = ?"},
		{&w.devicesOf, "UPDATE members SET devices = devices + ? WHERE id = ?"},
		{&w.devicesIn, "UPDATE tenants SET devices = devices + ? WHERE id = ?"},
		{&w.revoke, "UPDATE devices SET revoked = 1, revoked_at = iif(revoked = 0, ?, revoked_at) WHERE id = ?"},
		{&w.leave, "UPDATE devices SET left_at = iif(left_at = 0, ?, left_at) WHERE id = ?"},
		{&w.saw, "UPDATE devices SET seen = ?, app = ?, receipt = ?, pending = ? WHERE uid = ? AND seen <= ?"},
		{&w.addInvite, "INSERT INTO invites (member, pairer, hash, created, expires, used, revoked) VALUES (?, ?, ?, ?, ?, 0, 0)"},
		{&w.openInvites, "SELECT count(*) FROM invites WHERE member = ? AND expires > ? AND used = 0 AND revoked = 0"},
		{&w.invite, "SELECT i.used FROM invites i JOIN members m ON m.id = i.member WHERE i.id = ? AND m.tenant = ?"},
		{&w.revokeInvite, "UPDATE invites SET revoked = iif(revoked = 0, ?, revoked) WHERE id = ?"},
		{&w.inviteByHash, "SELECT i.hash, i.id, m.uid, i.pairer, i.expires, i.used, i.revoked, d.revoked FROM invites i " +
			"JOIN members m ON m.id = i.member LEFT JOIN devices d ON d.id = i.pairer WHERE i.hash = ?"},
		{&w.useInvite, "UPDATE invites SET used = ?, device = ? WHERE id = ?"},
		{&w.park, "INSERT INTO parked (device, doc, hash, arrived, taken, size, data) VALUES (?, ?, ?, ?, 0, ?, ?)"},
		{&w.isParked, "SELECT 1 FROM parked WHERE device = ? AND hash = ?"},
		{&w.parkedRow, "SELECT taken, iif(size = 0, length(data), size) FROM parked WHERE id = ? AND device = ?"},
		{&w.take, "UPDATE parked SET taken = ? WHERE id = ?"},
		{&w.waiting, "SELECT id, iif(size = 0, length(data), size) FROM parked WHERE device = ? AND taken = 0 ORDER BY id LIMIT 0 + ?"},
		{&w.discard, "UPDATE parked SET taken = -? WHERE device = ? AND taken = 0 AND id <= ?"},
		{&w.keptBy, "UPDATE devices SET kept = kept + ? WHERE id = ?"},
		{&w.keptOf, "UPDATE members SET kept = kept + ? WHERE id = ?"},
		{&w.bookHead, bookHead},
		{&w.addBook, "INSERT INTO playbooks (tenant, version, hash, fitted, published, author, size, data) VALUES (?, ?, ?, ?, ?, ?, ?, ?)"},
		{&w.takeBook, "UPDATE tenants SET playbook_taken = max(playbook_taken, ?) WHERE id = ?"},
		{&w.foldRow, "SELECT m.id, m.tenant, f.seq, f.form FROM members m LEFT JOIN folds f ON f.member = m.id WHERE m.uid = ?"},
		{&w.dropFold, "DELETE FROM folds WHERE member = ?"},
		{&w.addFold, "INSERT INTO folds (tenant, member, seq, form, data) VALUES (?, ?, ?, ?, ?)"},
		{&w.skipVersions, skipVersions},
		{&w.webPushKey, webPushKey},
		{&w.setWebPushKey, "INSERT INTO meta VALUES ('web push', ?)"},
		{&w.subscribe, "INSERT OR REPLACE INTO subscriptions VALUES (?, ?, ?, ?, ?, ?, 0)"},
		{&w.endpointOf, "SELECT member, endpoint, failures FROM subscriptions WHERE device = ?"},
		{&w.byEndpoint, "SELECT device FROM subscriptions WHERE endpoint = ?"},
		{&w.unsubscribe, "DELETE FROM subscriptions WHERE device = ?"},
		{&w.subscribed, "SELECT 1 FROM subscriptions WHERE member = ? LIMIT 1"},
		{&w.failures, "UPDATE subscriptions SET failures = ? WHERE device = ?"},
		{&w.hasReminder, "SELECT 1 FROM reminders WHERE member = ?"},
		{&w.remind, "INSERT INTO reminders VALUES (?, 0, 0, 0, 0)"},
		{&w.noReminder, "DELETE FROM reminders WHERE member = ?"},
		{&w.reminded, "SELECT m.id, r.next FROM members m JOIN reminders r ON r.member = m.id WHERE m.uid = ?"},
		{&w.setReminder, "UPDATE reminders SET next = ?, given = ?, ignored = ?, head = ? WHERE member = ?"},
		{&w.memberRow, "SELECT id FROM members WHERE uid = ?"},
		{&w.claim, "INSERT INTO notices VALUES (?, ?, ?) ON CONFLICT DO NOTHING"},
		{&w.forgetClaims, "DELETE FROM notices WHERE (member, key) IN (SELECT member, key FROM notices WHERE until < ? LIMIT 100)"},
		{&w.probeSave, "SAVEPOINT probe"},
		{&w.probe, "INSERT INTO meta VALUES ('probe', zeroblob(20000))"},
		{&w.probeUndo, "ROLLBACK TO probe"},
		{&w.dataVersion, "PRAGMA data_version"},
		{&w.probed, "UPDATE meta SET value = value + 1 WHERE key = 'health'"},
	}...)
}

// transact runs the jobs in one transaction. unknown says that an error leaves it open whether they are stored: only
// COMMIT can do so, and not when there was no room, as the record that commits is the last to be written.
func (w *writer) transact(group []*job) (unknown bool, err error) {
	if _, err := w.begin.exec(); err != nil {
		return false, err
	}
	w.now, w.hints = w.clock(), w.hints[:0]
	seen, err := w.foreign()
	if err != nil {
		return false, err
	}
	if seen != w.seen {
		clear(w.known) // another process may have written of any of them
		w.seen = seen
	}
	for _, j := range group {
		if !j.keeps {
			clear(w.known)
		}
		if err := w.guarded(j.run); err != nil {
			return false, err
		}
	}
	began := time.Now()
	if _, err := w.commit.exec(); err != nil {
		return !isFull(err), err
	}
	w.took = time.Since(began)
	w.fresh = w.fresh[:0]
	return false, nil
}

func (w *writer) guarded(run func(*writer) error) (err error) {
	defer guard(&err)
	return run(w)
}

func (w *writer) rollback() error {
	for _, name := range w.fresh {
		delete(w.docs, name)
	}
	w.fresh = w.fresh[:0]
	clear(w.known)
	// SQLite has rolled back by itself when it met a full disk.
	_, err := w.undo.exec()
	return ignoreNoTransaction(err)
}

// Health returns nil when a write would now be acknowledged: it makes one, through the queue and to the disk, and makes
// sure that there is room for more.
func (s *SQLite) Health(ctx context.Context) error {
	err := s.do(ctx, 1, func(w *writer) error {
		for _, st := range []*stmt{w.probeSave, w.probe, w.probeUndo, w.probed} {
			if _, err := st.exec(); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("store: health: %w", err)
	}
	return nil
}
