package store

import (
	"crypto/rand"
	"database/sql/driver"
	"errors"
	"fmt"

	"trio/crdt"
)

// applicationID marks a file as Trio's server store ("Trio" in ASCII); it is what file(1) and we see.
const applicationID = 0x5472696f

// schemaVersion is the newest layout that this build reads and writes.
//
//	1  first
//	2  segments; changes are found by the operations of an actor and no longer by hash
//	3  quotas, teams, sponsors, scopes of keys, invitations, what is known of devices, what is kept of revoked ones;
//	   documents of many writers
//	4  playbooks
//	5  folds; what browsers gave to be sent notices by, and which were given
const schemaVersion = 5

// layouts bring a database from each version to the next; a new one goes through all of them.
var layouts = [schemaVersion]func(*conn) error{
	func(c *conn) error {
		var epoch [16]byte
		_, _ = rand.Read(epoch[:]) // never fails
		return c.exec(layout1 + fmt.Sprintf("INSERT INTO meta VALUES ('epoch', x'%x'), ('health', 0)", epoch))
	},
	func(c *conn) error {
		if err := c.exec(layout2); err != nil {
			return err
		}
		return replay(c)
	},
	func(c *conn) error {
		if err := c.exec(layout3 + crowds); err != nil {
			return err
		}
		return countSegments(c)
	},
	func(c *conn) error { return c.exec(layout4) },
	func(c *conn) error { return c.exec(layout5) },
}

// A change's id is its member's row shifted by seqBits plus its number in the member's order: the rows of a member lie
// side by side, so that a device's delta is one range read and needs no second index. The one index finds a change by
// the first eight bytes of its hash; every query compares the whole hash too. The chain stands beside each change, so
// that a receipt of any age is proved by one read.
//
// writers holds, for each actor and document, the last sequence number and the greatest operation counter it used, and
// the hash of its last change, on which its next one mostly builds. That there is a row says that the actor was found
// to be of a device of the member, or was brought by one.
// members.pushes counts every push, so that each acknowledgement has written something (see the package comment).
// docs gives document names short numbers; rows are added when a name is first used and never change.
const layout1 = `
CREATE TABLE meta (
	key   TEXT PRIMARY KEY,
	value ANY NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE tenants (
	id      INTEGER PRIMARY KEY AUTOINCREMENT,
	name    TEXT NOT NULL,
	created INTEGER NOT NULL
) STRICT;

CREATE TABLE apikeys (
	id      INTEGER PRIMARY KEY AUTOINCREMENT,
	tenant  INTEGER NOT NULL REFERENCES tenants,
	name    TEXT NOT NULL,
	hash    BLOB NOT NULL UNIQUE,
	created INTEGER NOT NULL
) STRICT;

CREATE TABLE members (
	id      INTEGER PRIMARY KEY AUTOINCREMENT,
	uid     BLOB NOT NULL UNIQUE,
	tenant  INTEGER NOT NULL REFERENCES tenants,
	name    TEXT NOT NULL,
	created INTEGER NOT NULL,
	seq     INTEGER NOT NULL,
	chain   BLOB NOT NULL,
	pushes  INTEGER NOT NULL
) STRICT;

CREATE TABLE devices (
	id      INTEGER PRIMARY KEY AUTOINCREMENT,
	uid     BLOB NOT NULL UNIQUE,
	member  INTEGER NOT NULL REFERENCES members,
	name    TEXT NOT NULL,
	created INTEGER NOT NULL,
	revoked INTEGER NOT NULL,
	hash    BLOB NOT NULL UNIQUE
) STRICT;

CREATE TABLE docs (
	id   INTEGER PRIMARY KEY AUTOINCREMENT,
	name TEXT NOT NULL UNIQUE
) STRICT;

CREATE TABLE writers (
	member INTEGER NOT NULL REFERENCES members,
	doc    INTEGER NOT NULL REFERENCES docs,
	actor  BLOB NOT NULL,
	seq    INTEGER NOT NULL,
	maxop  INTEGER NOT NULL,
	last   BLOB NOT NULL,
	PRIMARY KEY (member, doc, actor)
) STRICT, WITHOUT ROWID;

CREATE TABLE changes (
	id    INTEGER PRIMARY KEY,
	doc   INTEGER NOT NULL,
	hash  BLOB NOT NULL,
	chain BLOB NOT NULL,
	maxop INTEGER NOT NULL,
	size  INTEGER NOT NULL,
	data  BLOB NOT NULL
) STRICT;

CREATE INDEX changes_hash ON changes (id >> 32, substr(hash, 1, 8));

CREATE TABLE feed (
	pos     INTEGER PRIMARY KEY AUTOINCREMENT,
	tenant  INTEGER NOT NULL,
	member  INTEGER NOT NULL,
	entry   BLOB NOT NULL,
	device  BLOB NOT NULL,
	arrived INTEGER NOT NULL,
	body    TEXT NOT NULL,
	UNIQUE (member, entry)
) STRICT;

CREATE INDEX feed_tenant ON feed (tenant);
`

// A segment is a piece of a member's order that was folded (see wire.Segment); its id is that of its last change, whose
// row is gone. The segments of a member follow one another from the start of its order to members.folded, the rows of
// changes from there on. spans says which operations of which actors are in it (see spans).
//
// changes.actor is the mark of the actor of a change that may be overwritten, which is one of any document but a log. With
// it the change that made an operation is found.
//
// changes.whole and writers.whole say that a change builds on all that came before it in its document, as nearly all do.
// Whether one change is in the history of another then takes a few steps at most. segments.partial has the places of those
// that do not. writers.head says that nothing builds on the actor's last change, writers.at is its place.
//
// There are too few rows of changes for an index by hash: each push would pay for what hardly one asks.
const layout2 = `
DROP INDEX changes_hash;

ALTER TABLE members ADD COLUMN folded INTEGER NOT NULL DEFAULT 0;

ALTER TABLE changes ADD COLUMN actor INTEGER;
ALTER TABLE changes ADD COLUMN whole INTEGER NOT NULL DEFAULT 0;
ALTER TABLE writers ADD COLUMN head INTEGER NOT NULL DEFAULT 0;
ALTER TABLE writers ADD COLUMN at INTEGER NOT NULL DEFAULT 0;
ALTER TABLE writers ADD COLUMN whole INTEGER NOT NULL DEFAULT 0;

CREATE INDEX changes_ops ON changes (id >> 32, doc, actor, maxop) WHERE actor IS NOT NULL;

CREATE TABLE segments (
	id      INTEGER PRIMARY KEY,
	after   INTEGER NOT NULL,
	before  BLOB NOT NULL,
	chain   BLOB NOT NULL,
	spans   BLOB NOT NULL,
	partial BLOB NOT NULL,
	marks   BLOB NOT NULL,
	data    BLOB NOT NULL
) STRICT;
`

// Quotas of tenants are 0 for no bound. Counts stand in the rows that are read anyway when something is added: members and
// devices (those that may sync), and of a member the bytes of its changes, and beside them of what is kept apart
// for it (see Parked) and waits. parked.taken is 0 for what waits, when it was taken over, or less than 0: when it was set aside. A change counts the bytes of its chunk as it came, neither deflated nor folded.
//
// Times of what has not happened are 0. A device that was revoked before there was revoked_at has the time of the migration.
const layout3 = `
ALTER TABLE tenants ADD COLUMN max_members INTEGER NOT NULL DEFAULT 0;
ALTER TABLE tenants ADD COLUMN max_devices INTEGER NOT NULL DEFAULT 0;
ALTER TABLE tenants ADD COLUMN max_bytes INTEGER NOT NULL DEFAULT 0;
ALTER TABLE tenants ADD COLUMN members INTEGER NOT NULL DEFAULT 0;
ALTER TABLE tenants ADD COLUMN devices INTEGER NOT NULL DEFAULT 0;

ALTER TABLE apikeys ADD COLUMN scopes TEXT NOT NULL DEFAULT 'feed';
ALTER TABLE apikeys ADD COLUMN revoked INTEGER NOT NULL DEFAULT 0;
CREATE INDEX apikeys_tenant ON apikeys (tenant);

ALTER TABLE members ADD COLUMN team TEXT NOT NULL DEFAULT '';
ALTER TABLE members ADD COLUMN sponsor INTEGER REFERENCES members;
ALTER TABLE members ADD COLUMN bytes INTEGER NOT NULL DEFAULT 0;
ALTER TABLE members ADD COLUMN kept INTEGER NOT NULL DEFAULT 0;
ALTER TABLE members ADD COLUMN devices INTEGER NOT NULL DEFAULT 0;
CREATE INDEX members_tenant ON members (tenant);
CREATE INDEX members_tops ON members (tenant) WHERE sponsor IS NULL;
CREATE INDEX members_sponsor ON members (sponsor) WHERE sponsor IS NOT NULL;

ALTER TABLE devices ADD COLUMN pairer INTEGER REFERENCES devices;
ALTER TABLE devices ADD COLUMN seen INTEGER NOT NULL DEFAULT 0;
ALTER TABLE devices ADD COLUMN app TEXT NOT NULL DEFAULT '';
ALTER TABLE devices ADD COLUMN receipt INTEGER NOT NULL DEFAULT 0;
ALTER TABLE devices ADD COLUMN pending INTEGER NOT NULL DEFAULT 0;
ALTER TABLE devices ADD COLUMN revoked_at INTEGER NOT NULL DEFAULT 0;
ALTER TABLE devices ADD COLUMN left_at INTEGER NOT NULL DEFAULT 0;
ALTER TABLE devices ADD COLUMN kept INTEGER NOT NULL DEFAULT 0;
CREATE INDEX devices_member ON devices (member);

CREATE TABLE invites (
	id      INTEGER PRIMARY KEY AUTOINCREMENT,
	member  INTEGER NOT NULL REFERENCES members,
	pairer  INTEGER REFERENCES devices,
	hash    BLOB NOT NULL UNIQUE,
	created INTEGER NOT NULL,
	expires INTEGER NOT NULL,
	used    INTEGER NOT NULL,
	revoked INTEGER NOT NULL,
	device  INTEGER REFERENCES devices
) STRICT;

CREATE INDEX invites_member ON invites (member);

CREATE TABLE parked (
	id      INTEGER PRIMARY KEY AUTOINCREMENT,
	device  INTEGER NOT NULL REFERENCES devices,
	doc     INTEGER NOT NULL REFERENCES docs,
	hash    BLOB NOT NULL,
	arrived INTEGER NOT NULL,
	taken   INTEGER NOT NULL,
	size    INTEGER NOT NULL,
	data    BLOB NOT NULL,
	UNIQUE (device, hash)
) STRICT;

CREATE INDEX parked_device ON parked (device);
CREATE INDEX parked_open ON parked (device) WHERE taken = 0;

UPDATE devices SET revoked_at = unixepoch() * 1000 WHERE revoked != 0;
UPDATE members SET
	devices = (SELECT count(*) FROM devices d WHERE d.member = members.id AND d.revoked = 0),
	bytes = (SELECT coalesce(sum(iif(c.size = 0, length(c.data), c.size)), 0) FROM changes c
		WHERE c.id > members.id << 32 AND c.id <= members.id << 32 | 0xffffffff);
UPDATE tenants SET
	members = (SELECT count(*) FROM members m WHERE m.tenant = tenants.id),
	devices = (SELECT coalesce(sum(m.devices), 0) FROM members m WHERE m.tenant = tenants.id);
`

// A playbook's rows are written once; the document is deflated as changes are. tenants.playbook_taken is the highest version
// that nobody is to publish any more: that of the newest, or more (see PlaybookHead.Taken).
const layout4 = `
ALTER TABLE tenants ADD COLUMN playbook_taken INTEGER NOT NULL DEFAULT 0;

CREATE TABLE playbooks (
	id        INTEGER PRIMARY KEY AUTOINCREMENT,
	tenant    INTEGER NOT NULL REFERENCES tenants,
	version   INTEGER NOT NULL,
	hash      BLOB NOT NULL,
	fitted    INTEGER NOT NULL,
	published INTEGER NOT NULL,
	author    TEXT NOT NULL,
	size      INTEGER NOT NULL,
	data      BLOB NOT NULL,
	UNIQUE (tenant, version)
) STRICT;
`

// A device has one subscription, and an endpoint is one device's. reminders has a row for each member who has one, and none for others:
// reminders.next is what processes compare and set, so that one of them gives a day's notice. A row of notices is one that was given; it
// is of no use once the notice would be given no more. The key for web push is a row of meta.
//
// A fold is made of a member's documents and can be made anew, so nothing is lost with the table. A fold that is saved again gets
// a new id, so that the ids of a company say what was saved since.
const layout5 = `
CREATE TABLE folds (
	id     INTEGER PRIMARY KEY AUTOINCREMENT,
	tenant INTEGER NOT NULL REFERENCES tenants,
	member INTEGER NOT NULL UNIQUE REFERENCES members,
	seq    INTEGER NOT NULL,
	form   BLOB NOT NULL,
	data   BLOB NOT NULL
) STRICT;

CREATE INDEX folds_tenant ON folds (tenant, id);

CREATE TABLE subscriptions (
	device   INTEGER PRIMARY KEY REFERENCES devices,
	member   INTEGER NOT NULL REFERENCES members,
	endpoint TEXT NOT NULL UNIQUE,
	public   BLOB NOT NULL,
	secret   BLOB NOT NULL,
	created  INTEGER NOT NULL,
	failures INTEGER NOT NULL
) STRICT;

CREATE INDEX subscriptions_member ON subscriptions (member);

CREATE TABLE reminders (
	member  INTEGER PRIMARY KEY REFERENCES members,
	next    INTEGER NOT NULL,
	given   INTEGER NOT NULL,
	ignored INTEGER NOT NULL,
	head    INTEGER NOT NULL
) STRICT;

CREATE INDEX reminders_next ON reminders (next, member);

CREATE TABLE notices (
	member INTEGER NOT NULL REFERENCES members,
	key    TEXT NOT NULL,
	until  INTEGER NOT NULL,
	PRIMARY KEY (member, key)
) STRICT, WITHOUT ROWID;

CREATE INDEX notices_until ON notices (until);
`

// crowds has the documents of more than fewWriters writers: how many they are, how many of them nothing builds on, and the
// greatest operation counter. In such a document writers.head is 2 where it is 1 elsewhere, and only these are in an index:
// the documents of all others pay nothing for it.
var crowds = fmt.Sprintf(`
CREATE TABLE crowds (
	member  INTEGER NOT NULL REFERENCES members,
	doc     INTEGER NOT NULL REFERENCES docs,
	writers INTEGER NOT NULL,
	heads   INTEGER NOT NULL,
	top     INTEGER NOT NULL,
	PRIMARY KEY (member, doc)
) STRICT, WITHOUT ROWID;

CREATE INDEX writers_heads ON writers (member, doc, last) WHERE head = 2;

INSERT INTO crowds SELECT member, doc, count(*), sum(head <> 0), max(maxop) FROM writers GROUP BY member, doc HAVING count(*) > %d;
UPDATE writers SET head = 2 WHERE head <> 0 AND EXISTS (SELECT 1 FROM crowds c WHERE c.member = writers.member AND c.doc = writers.doc);
`, fewWriters)

// seqBits is the room for a member's sequence number in the id of a change; 31 bits are left for the member.
const seqBits = 32

const (
	maxSeq    = 1<<seqBits - 1
	maxMember = 1<<(63-seqBits) - 1
)

// identify says whether the database is ours and which version it has; 0 is a file without anything.
func identify(c *conn) (version int, err error) {
	var n [3]int64
	for i, query := range []string{"PRAGMA application_id", "PRAGMA user_version", "SELECT count(*) FROM sqlite_schema"} {
		v, err := c.value(query)
		if err != nil {
			return 0, err
		}
		n[i], _ = v.(int64)
	}
	app, has, tables := n[0], n[1], n[2]
	switch {
	case app == 0 && has == 0 && tables == 0:
		return 0, nil
	case app != applicationID:
		return 0, fmt.Errorf("a database of another program (application id %#x): name another file", app)
	case has > schemaVersion:
		return 0, fmt.Errorf("%w (file has version %d, this build knows %d)", ErrNewer, has, schemaVersion)
	case has < 1:
		return 0, fmt.Errorf("database has version %d, which no build wrote: restore it from a backup", has)
	}
	return int(has), nil
}

// migrate brings the database to schemaVersion in one transaction, unless another process has done so since identify
// looked.
func migrate(c *conn) error {
	if err := c.exec("BEGIN IMMEDIATE"); err != nil {
		return err
	}
	version, err := identify(c)
	for ; err == nil && version < schemaVersion; version++ {
		err = layouts[version](c)
	}
	if err == nil {
		err = c.exec(fmt.Sprintf("PRAGMA application_id = %d; PRAGMA user_version = %d", applicationID, schemaVersion))
	}
	if err == nil {
		err = c.exec("COMMIT")
	}
	if err != nil {
		return errors.Join(err, ignoreNoTransaction(c.exec("ROLLBACK")))
	}
	return nil
}

// replay fills in what layout 2 says of the changes of layout 1.
func replay(c *conn) error {
	next, err := c.prepare("SELECT c.id, c.doc, d.name, c.size, c.data FROM changes c JOIN docs d ON d.id = c.doc " +
		"WHERE c.id > ? ORDER BY c.id LIMIT 1")
	if err != nil {
		return err
	}
	change, err := c.prepare("UPDATE changes SET actor = ?, whole = ? WHERE id = ?")
	if err != nil {
		return err
	}
	last, err := c.prepare("UPDATE writers SET head = ?, at = ?, whole = ? WHERE member = ? AND doc = ? AND actor = ?")
	if err != nil {
		return err
	}
	docs := map[int64]*docState{} // of one member
	finish := func(member int64) error {
		for doc, d := range docs {
			for actor, w := range d.writers {
				if _, err := last.exec(flag(w.head), int64(w.at), flag(w.whole), member, doc, []byte(actor)); err != nil {
					return err
				}
			}
		}
		clear(docs)
		return nil
	}
	for id := int64(-1); ; {
		row, err := next.row(id)
		if err != nil {
			return err
		}
		if id >= 0 && (row == nil || row[0].(int64)>>seqBits != id>>seqBits) {
			if err := finish(id >> seqBits); err != nil {
				return err
			}
		}
		if row == nil {
			return nil
		}
		id = row[0].(int64)
		ch, err := parseRow(row[4].([]byte), int(row[3].(int64)))
		if err != nil {
			return fmt.Errorf("change %d of member %d: %w", id&maxSeq, id>>seqBits, err)
		}
		doc := row[1].(int64)
		if docs[doc] == nil {
			docs[doc] = newDocState()
		}
		var mark driver.Value
		if !crdt.DocName(row[2].(string)).IsLog() {
			mark = actorMark(ch.Actor)
		}
		w := docs[doc].add(ch)
		w.at = uint64(id) & maxSeq
		if _, err := change.exec(mark, flag(w.whole), id); err != nil {
			return err
		}
	}
}

// countSegments adds to members.bytes what is folded. A segment that cannot be opened, as whoever reads it will be told,
// counts as it is stored.
func countSegments(c *conn) error {
	next, err := c.prepare("SELECT " + segmentColumns + " FROM segments WHERE id > ? ORDER BY id LIMIT 1")
	if err != nil {
		return err
	}
	add, err := c.prepare("UPDATE members SET bytes = bytes + ? WHERE id = ?")
	if err != nil {
		return err
	}
	for id := int64(-1); ; {
		row, err := next.row(id)
		if err != nil || row == nil {
			return err
		}
		g := scanSegment(row)
		id = g.id
		n := len(g.Data)
		if items, err := g.Open(); err == nil {
			n = 0
			for _, it := range items {
				n += it.Change.Len()
			}
		}
		if _, err := add.exec(int64(n), id>>seqBits); err != nil {
			return err
		}
	}
}
