package replica

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"trio/replica/sql"
)

// applicationID is stamped into the database header ("Trio" in ASCII), so that a foreign file is refused in one line.
const applicationID = 0x5472696f

// schemaVersion is the newest layout that this build knows.
//
//	1  first
//	2  segments; changes are found by their place in the member's order, and no more by (document, writer, sequence),
//	   which nothing asked for and the table of writers keeps unique
//	3  what goals need: sums of days, badges given, entries that were slips
//	4  the company's playbook; the keys of commands that were done
//	5  changes of files that wait for others that they build on
const schemaVersion = 5

const schema = `
-- what this device is and how far it has come
CREATE TABLE meta(key TEXT PRIMARY KEY, value ANY NOT NULL) STRICT, WITHOUT ROWID;
INSERT INTO meta VALUES('epoch', zeroblob(16)),('seq', 0),('chain', zeroblob(16)),('skew', 0);

-- the truth: every change of every document, in the order in which this device applied them, but for those that were
-- folded into segments
CREATE TABLE changes(
	id      INTEGER PRIMARY KEY AUTOINCREMENT, -- never used again: it is also how far was pushed
	doc     INTEGER NOT NULL,
	hash    BLOB NOT NULL,
	actor   INTEGER NOT NULL,
	seq     INTEGER NOT NULL,
	max_op  INTEGER NOT NULL,
	chunk   BLOB NOT NULL,             -- uncompressed change chunk
	at      INTEGER NOT NULL,          -- ms, when this device got it; for people only
	receipt INTEGER,                   -- place in the member's order; NULL: only on this device
	refused INTEGER,                   -- wire code of the server's refusal
	reason  TEXT
) STRICT;
CREATE UNIQUE INDEX changes_hash ON changes(hash);
CREATE INDEX changes_unsent ON changes(id) WHERE receipt IS NULL;
` + schemaSegments + `

CREATE TABLE documents(
	id     INTEGER PRIMARY KEY,
	name   TEXT NOT NULL UNIQUE,
	heads  BLOB NOT NULL,              -- hashes, ascending
	max_op INTEGER NOT NULL
) STRICT;
CREATE TABLE actors(id INTEGER PRIMARY KEY, actor BLOB NOT NULL UNIQUE) STRICT;
CREATE TABLE writers(doc INTEGER, actor INTEGER, seq INTEGER NOT NULL, PRIMARY KEY(doc, actor)) STRICT, WITHOUT ROWID;

-- the visible values: one row a value, several rows of one key are a conflict, the greatest (ctr, actor bytes) wins
CREATE TABLE registers(
	doc   INTEGER NOT NULL,
	key   TEXT NOT NULL,
	ctr   INTEGER NOT NULL,
	actor INTEGER NOT NULL,
	kind  INTEGER NOT NULL,            -- automerge.Kind, or 64 + action for an object that is not materialised
	num   INTEGER NOT NULL,
	str   BLOB NOT NULL,
	PRIMARY KEY(doc, key, ctr, actor)
) STRICT, WITHOUT ROWID;

-- projections: what screens read
CREATE TABLE contacts(
	id        BLOB PRIMARY KEY,
	name      TEXT NOT NULL,
	said      TEXT NOT NULL,           -- the stage that the member gave
	stage     TEXT NOT NULL,           -- the stage that it is: an order makes a customer
	company   TEXT NOT NULL,
	phones    TEXT NOT NULL,           -- JSON [["+34…","mobile"],…], ascending
	emails    TEXT NOT NULL,           -- JSON
	tags      TEXT NOT NULL,           -- JSON ["…"]
	consent   TEXT NOT NULL,
	snooze    TEXT NOT NULL,
	birthday  TEXT NOT NULL,
	note      TEXT NOT NULL,
	household BLOB,
	root      BLOB,                    -- the contact that this one was merged into
	source    TEXT NOT NULL,
	created   INTEGER NOT NULL,        -- ms, the contact's own claim
	deleted   INTEGER NOT NULL,
	search    TEXT NOT NULL            -- folded words that a search looks at
) STRICT, WITHOUT ROWID;
CREATE INDEX contacts_name ON contacts(name);
CREATE INDEX contacts_root ON contacts(root) WHERE root IS NOT NULL;

CREATE TABLE entries(
	id      BLOB PRIMARY KEY,
	doc     INTEGER NOT NULL,
	contact BLOB,
	at      INTEGER NOT NULL,          -- ms, the claimed time corrected by the measured skew
	day     INTEGER NOT NULL,          -- in the member's home calendar, days since 1970
	kind    TEXT NOT NULL,
	minutes INTEGER NOT NULL,
	actor   INTEGER NOT NULL,
	body    TEXT NOT NULL              -- crdt.Entry as it is in the log
) STRICT, WITHOUT ROWID;
CREATE INDEX entries_contact ON entries(contact, at, id) WHERE contact IS NOT NULL;
CREATE INDEX entries_day ON entries(day, kind);

CREATE TABLE facts(contact BLOB PRIMARY KEY, facts BLOB NOT NULL) STRICT, WITHOUT ROWID;

-- what the server will never take: kept for the person to see, with the reason
CREATE TABLE rejected(
	hash   BLOB PRIMARY KEY,
	doc    INTEGER NOT NULL,
	at     INTEGER NOT NULL,
	code   INTEGER NOT NULL,           -- wire code
	reason TEXT NOT NULL,
	chunk  BLOB NOT NULL
) STRICT, WITHOUT ROWID;

-- what came from elsewhere, for "what merged while you were away"; the newest maxMerges are kept
CREATE TABLE merges(
	id      INTEGER PRIMARY KEY,
	at      INTEGER NOT NULL,
	what    TEXT NOT NULL,             -- conflict, received
	contact BLOB,
	field   TEXT NOT NULL,
	kept    TEXT NOT NULL,
	other   TEXT NOT NULL,
	n       INTEGER NOT NULL
) STRICT;
` + schemaGoals + schemaPlaybooks + schemaCommands + schemaWaiting + `
`

// schemaPlaybooks and schemaCommands are what version 4 added.
const schemaPlaybooks = `
CREATE TABLE playbooks(version INTEGER PRIMARY KEY, frame BLOB NOT NULL, at INTEGER NOT NULL) STRICT; -- wire.Playbook as it came; ms
`

const schemaCommands = `
-- what was done under a key and is not to be done again; the newest maxCommands are kept
CREATE TABLE commands(id INTEGER PRIMARY KEY AUTOINCREMENT, key TEXT NOT NULL UNIQUE) STRICT;
`

// schemaWaiting is what version 5 added.
const schemaWaiting = `
-- changes that came by a file before others that they build on, each under one of those
CREATE TABLE waiting(hash BLOB PRIMARY KEY, doc TEXT NOT NULL, dep BLOB NOT NULL, chunk BLOB NOT NULL) STRICT, WITHOUT ROWID;
CREATE INDEX waiting_dep ON waiting(dep);
`

// schemaGoals is what version 3 added.
const schemaGoals = `
CREATE TABLE goal_days(day INTEGER PRIMARY KEY, tally BLOB NOT NULL) STRICT; -- in the member's home calendar; ranking.Tally
CREATE TABLE awards(entry BLOB PRIMARY KEY, badge TEXT NOT NULL, level INTEGER NOT NULL, day INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE voids(about BLOB NOT NULL, entry BLOB NOT NULL, PRIMARY KEY(about, entry)) STRICT, WITHOUT ROWID;
`

// schemaSegments is what version 2 added.
const schemaSegments = `
CREATE INDEX changes_order ON changes(receipt) WHERE receipt IS NOT NULL;

-- the beginning of the member's order, folded: each follows the one before, the first begins with the first change
CREATE TABLE segments(
	seq         INTEGER PRIMARY KEY,   -- place of the last change
	after       INTEGER NOT NULL,      -- the place before the first
	after_chain BLOB NOT NULL,
	chain       BLOB NOT NULL,
	marks       BLOB NOT NULL,         -- wire.Segment
	data        BLOB NOT NULL
) STRICT;
`

// migrations holds the steps from each version to the next, from version 1 on.
var migrations = []string{
	`DROP INDEX changes_seq;` + schemaSegments,
	schemaGoals,
	schemaPlaybooks + schemaCommands,
	schemaWaiting,
}

// Errors of Open that callers tell apart.
var (
	// ErrNewer: a newer build wrote the database.
	ErrNewer = errors.New("this data was written by a newer version of the app: update the app, nothing is lost")
	// ErrForeign: the file is not a replica.
	ErrForeign = errors.New("this file is not a Trio database: choose another data folder")
	// ErrOther: the replica belongs to somebody else.
	ErrOther = errors.New("this data belongs to another member or device: sign in as its owner, or choose another data folder")
	// ErrInUse: another process has the data open.
	ErrInUse = errors.New("another program has this data open: close it, then try again")
	// ErrFull: the disk has no room.
	ErrFull = errors.New("storage is full; free some space and tap again")
)

// migrate brings the database to schemaVersion, or says why it must not be touched.
func migrate(ctx context.Context, db *sql.Conn) error {
	var app, version, tables int64
	for q, dst := range map[string]*int64{
		`PRAGMA application_id`:              &app,
		`PRAGMA user_version`:                &version,
		`SELECT count(*) FROM sqlite_master`: &tables,
	} {
		if err := db.QueryRowContext(ctx, q).Scan(dst); err != nil {
			if strings.Contains(err.Error(), "not a database") {
				return ErrForeign
			}
			return fmt.Errorf("read the database header: %w", err)
		}
	}
	switch {
	case app != applicationID && (app != 0 || tables > 0):
		return ErrForeign
	case app == applicationID && version > schemaVersion:
		return fmt.Errorf("%w (data has schema %d, this version knows %d)", ErrNewer, version, schemaVersion)
	case app == applicationID && version == schemaVersion:
		return nil
	}
	steps, what := []string{schema, fmt.Sprintf(`PRAGMA application_id=%d`, applicationID)}, "create the database"
	if app == applicationID {
		if version < 1 {
			return ErrForeign
		}
		steps, what = migrations[version-1:], "bring the database to this version of the app, which left it as it was"
	}
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback() //nolint:errcheck // after Commit it says so
	for _, q := range append(slices.Clone(steps), fmt.Sprintf(`PRAGMA user_version=%d`, schemaVersion)) {
		if _, err := tx.ExecContext(ctx, q); err != nil {
			return fmt.Errorf("%s: %w", what, full(err))
		}
	}
	return full(tx.Commit())
}

// full names the error of a disk without room for what it is.
func full(err error) error {
	if err != nil && (strings.Contains(err.Error(), "database or disk is full") || strings.Contains(err.Error(), "(13)")) {
		return fmt.Errorf("%w (%w)", ErrFull, err)
	}
	return err
}
