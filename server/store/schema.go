package store

import (
	"crypto/rand"
	"errors"
	"fmt"
)

// applicationID marks a file as Trio's server store ("Trio" in ASCII); it is what file(1) and we see.
const applicationID = 0x5472696f

// schemaVersion is the newest layout that this build reads and writes.
//
//	1  first
const schemaVersion = 1

// schema is layout 1.
//
// A change's id is its member's row shifted by seqBits plus its number in the member's order: the rows of a member lie
// side by side, so that a device's delta is one range read and needs no second index. The one index finds a change by
// the first eight bytes of its hash; every query compares the whole hash too. The chain stands beside each change, so
// that a receipt of any age is proved by one read.
//
// writers holds, for each actor and document, the last sequence number and the greatest operation counter it used, and
// the hash of its last change, on which its next one mostly builds. That there is a row says that the actor was found
// to be of a device of the member.
// members.pushes counts every push, so that each acknowledgement has written something (see the package comment).
// docs gives document names short numbers; rows are added when a name is first used and never change.
const schema = `
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

// seqBits is the room for a member's sequence number in the id of a change; 31 bits are left for the member.
const seqBits = 32

const (
	maxSeq    = 1<<seqBits - 1
	maxMember = 1<<(63-seqBits) - 1
)

// identify says whether the database is ours and of a version we know; empty is a file without anything.
func identify(c *conn) (empty bool, err error) {
	var n [3]int64
	for i, query := range []string{"PRAGMA application_id", "PRAGMA user_version", "SELECT count(*) FROM sqlite_schema"} {
		v, err := c.value(query)
		if err != nil {
			return false, err
		}
		n[i], _ = v.(int64)
	}
	app, version, tables := n[0], n[1], n[2]
	switch {
	case app == 0 && version == 0 && tables == 0:
		return true, nil
	case app != applicationID:
		return false, fmt.Errorf("a database of another program (application id %#x): name another file", app)
	case version > schemaVersion:
		return false, fmt.Errorf("%w (file has version %d, this build knows %d)", ErrNewer, version, schemaVersion)
	case version != schemaVersion:
		return false, fmt.Errorf("database has version %d, which no build wrote: restore it from a backup", version)
	}
	return false, nil
}

// createIfEmpty makes the tables, unless another process has done so since identify looked.
func createIfEmpty(c *conn) error {
	if err := c.exec("BEGIN IMMEDIATE"); err != nil {
		return err
	}
	empty, err := identify(c)
	if err == nil && empty {
		err = create(c)
	}
	if err == nil {
		err = c.exec("COMMIT")
	}
	if err != nil {
		return errors.Join(err, ignoreNoTransaction(c.exec("ROLLBACK")))
	}
	return nil
}

func create(c *conn) error {
	if err := c.exec(schema); err != nil {
		return err
	}
	var epoch [16]byte
	_, _ = rand.Read(epoch[:]) // never fails
	return c.exec(fmt.Sprintf("INSERT INTO meta VALUES ('epoch', x'%x'), ('health', 0);"+
		"PRAGMA application_id = %d; PRAGMA user_version = %d", epoch, applicationID, schemaVersion))
}
