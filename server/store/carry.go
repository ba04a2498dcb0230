package store

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"os"
)

// Carried says what CarryOver has taken over.
type Carried struct {
	Revoked int // devices, keys and invitations whose access was taken back, or that were used, since the backup
	Members int // that were made since
	Devices int
	Kept    int // changes of revoked devices that were kept apart since

	Playbooks int // that were published since
}

// ErrStranger: two databases do not come from one another.
var ErrStranger = errors.New("the database that is replaced is not one that this backup is an older copy of")

// CarryOver brings into a restored copy, which nobody has open yet, what the database that it replaces knows of people and
// what no device has any more: whose access was taken back and which invitations were used since, companies, members,
// devices and keys that were made since, the playbooks that were published since, as devices hold them, and what was kept
// apart of devices that are empty now. Orders of changes and the feed are not touched: devices bring those back. It is one transaction; an error leaves the copy as it was.
//
// Both have to be of the same origin: ids mean the same in both, else ErrStranger.
func CarryOver(ctx context.Context, from, into string) (Carried, error) {
	n, err := carryOver(ctx, from, into)
	if err != nil {
		return Carried{}, fmt.Errorf("store: carry over: %w", err)
	}
	return n, nil
}

func carryOver(ctx context.Context, from, into string) (n Carried, err error) {
	defer guard(&err)
	if err := ctx.Err(); err != nil {
		return n, err
	}
	if _, err := os.Stat(from); err != nil {
		return n, err
	}
	old, err := dialToRead(from)
	if err != nil {
		return n, translate(err)
	}
	version, err := identify(old)
	if err = errors.Join(err, old.Close()); err != nil {
		return n, translate(err)
	}
	if version != schemaVersion {
		return n, fmt.Errorf("the database that is replaced has layout %d, this build's is %d", version, schemaVersion)
	}
	c, err := dial(into, "", []pragma{{"journal_mode", "delete"}, {"synchronous", 2}, {"foreign_keys", 1}})
	if err != nil {
		return n, translate(err)
	}
	defer func() { err = errors.Join(err, translate(c.exec("PRAGMA journal_mode = wal")), c.Close()) }()
	if err := migrate(c); err != nil {
		return n, translate(err)
	}
	attach, err := c.prepare("ATTACH ? AS old")
	if err != nil {
		return n, translate(err)
	}
	if _, err := attach.exec(from); err != nil {
		return n, translate(err)
	}
	defer func() { err = errors.Join(err, translate(c.exec("DETACH old"))) }()
	if err := c.exec("BEGIN IMMEDIATE; PRAGMA defer_foreign_keys = ON"); err != nil {
		return n, translate(err)
	}
	if err = carry(c, &n); err == nil {
		err = c.exec("COMMIT")
	}
	if err != nil {
		return Carried{}, errors.Join(translate(err), ignoreNoTransaction(c.exec("ROLLBACK")))
	}
	return n, nil
}

// carry runs inside the transaction of CarryOver.
func carry(c *conn, n *Carried) error {
	strangers, err := c.value(`SELECT
		(SELECT count(*) FROM old.tenants o JOIN main.tenants m USING (id) WHERE o.created != m.created) +
		(SELECT count(*) FROM old.members o JOIN main.members m USING (id) WHERE o.uid != m.uid) +
		(SELECT count(*) FROM old.devices o JOIN main.devices m USING (id) WHERE o.uid != m.uid) +
		(SELECT count(*) FROM old.apikeys o JOIN main.apikeys m USING (id) WHERE o.hash != m.hash) +
		(SELECT count(*) FROM old.invites o JOIN main.invites m USING (id) WHERE o.hash != m.hash) +
		(SELECT count(*) FROM old.playbooks o JOIN main.playbooks m USING (tenant, version) WHERE o.hash != m.hash)`)
	if err != nil {
		return err
	}
	if strangers != int64(0) {
		return ErrStranger
	}
	for _, step := range []struct {
		count *int
		text  string
	}{
		{nil, `INSERT INTO main.tenants SELECT * FROM old.tenants WHERE id NOT IN (SELECT id FROM main.tenants)`},
		{&n.Playbooks, `INSERT INTO main.playbooks (tenant, version, hash, fitted, published, author, size, data)
			SELECT tenant, version, hash, fitted, published, author, size, data FROM old.playbooks o
			WHERE NOT EXISTS (SELECT 1 FROM main.playbooks m WHERE m.tenant = o.tenant AND m.version = o.version) ORDER BY o.id`},
		{nil, `UPDATE main.tenants AS t SET playbook_taken = max(t.playbook_taken, o.playbook_taken) FROM old.tenants o WHERE o.id = t.id`},
		// A member that was made since has no changes here: its devices bring them.
		{&n.Members, `INSERT INTO main.members (id, uid, tenant, name, created, seq, chain, pushes, team, sponsor)
			SELECT id, uid, tenant, name, created, 0, zeroblob(16), 0, team, sponsor FROM old.members
			WHERE id NOT IN (SELECT id FROM main.members)`},
		{&n.Devices, `INSERT INTO main.devices SELECT * FROM old.devices WHERE id NOT IN (SELECT id FROM main.devices)`},
		{nil, `INSERT INTO main.apikeys SELECT * FROM old.apikeys WHERE id NOT IN (SELECT id FROM main.apikeys)`},
		{nil, `INSERT INTO main.invites SELECT * FROM old.invites WHERE id NOT IN (SELECT id FROM main.invites)`},
		{&n.Revoked, `UPDATE main.devices AS d SET revoked = 1, revoked_at = o.revoked_at, left_at = o.left_at
			FROM old.devices o WHERE o.id = d.id AND o.revoked != 0 AND (d.revoked = 0 OR d.left_at != o.left_at)`},
		// Who subscribed since says so again when the app is next opened, and who took that back is told nothing; what was given
		// since is not given twice.
		{nil, `INSERT INTO main.meta SELECT * FROM old.meta WHERE key = 'web push' AND key NOT IN (SELECT key FROM main.meta)`},
		{nil, `DELETE FROM main.subscriptions WHERE device IN (SELECT id FROM main.devices WHERE revoked != 0)
			OR NOT EXISTS (SELECT 1 FROM old.subscriptions o WHERE o.device = main.subscriptions.device)`},
		{nil, `DELETE FROM main.reminders WHERE member NOT IN (SELECT member FROM main.subscriptions)`},
		{nil, `INSERT INTO main.notices SELECT * FROM old.notices WHERE true ON CONFLICT DO NOTHING`},
		{nil, `UPDATE main.reminders AS r SET next = o.next, given = o.given, ignored = o.ignored, head = o.head FROM old.reminders o WHERE o.member = r.member`},
		{&n.Revoked, `UPDATE main.apikeys AS k SET revoked = o.revoked FROM old.apikeys o WHERE o.id = k.id AND o.revoked != 0 AND k.revoked = 0`},
		{&n.Revoked, `UPDATE main.invites AS i SET used = o.used, device = o.device, revoked = o.revoked
			FROM old.invites o WHERE o.id = i.id AND (o.used != 0 AND i.used = 0 OR o.revoked != 0 AND i.revoked = 0)`},
		// What was taken over meanwhile may be lost with the order it went to: it is offered again, and counts once. What was set
		// aside for good (below zero) stays so.
		{nil, `INSERT INTO main.docs (name) SELECT DISTINCT d.name FROM old.parked p JOIN old.docs d ON d.id = p.doc
			WHERE d.name NOT IN (SELECT name FROM main.docs)`},
		{&n.Kept, `INSERT INTO main.parked (device, doc, hash, arrived, taken, size, data)
			SELECT p.device, m.id, p.hash, p.arrived, min(p.taken, 0), p.size, p.data
			FROM old.parked p JOIN old.docs d ON d.id = p.doc JOIN main.docs m ON m.name = d.name
			WHERE NOT EXISTS (SELECT 1 FROM main.parked q WHERE q.device = p.device AND q.hash = p.hash) ORDER BY p.id`},
		{nil, `UPDATE main.devices SET kept = (SELECT coalesce(sum(iif(p.size = 0, length(p.data), p.size)), 0)
			FROM main.parked p WHERE p.device = devices.id AND p.taken = 0)`},
		{nil, `UPDATE main.members SET
			kept = (SELECT coalesce(sum(d.kept), 0) FROM main.devices d WHERE d.member = members.id),
			devices = (SELECT count(*) FROM main.devices d WHERE d.member = members.id AND d.revoked = 0)`},
		{nil, `UPDATE main.tenants SET
			members = (SELECT count(*) FROM main.members m WHERE m.tenant = tenants.id),
			devices = (SELECT coalesce(sum(m.devices), 0) FROM main.members m WHERE m.tenant = tenants.id)`},
	} {
		st, err := c.prepare(step.text)
		if err != nil {
			return err
		}
		r, err := st.exec()
		if err != nil {
			return err
		}
		if step.count != nil {
			rows, err := r.RowsAffected()
			if err != nil {
				return err
			}
			*step.count += int(rows)
		}
	}
	return nil
}

// ExpireInvites has all open invitations of a closed database be good no more: in a backup they may have been used since.
func ExpireInvites(path string) (n int, err error) {
	return mend(path, "expire invitations", "UPDATE invites SET revoked = unixepoch() * 1000 WHERE used = 0 AND revoked = 0")
}

// SkipVersions has the next playbooks of a closed database get versions that nobody can have published since the backup
// that it is: devices may hold those, with other content.
func SkipVersions(path string) error {
	_, err := mend(path, "skip versions", skipVersions, int64(MaxPlaybookAhead))
	return err
}

// mend runs a statement in a closed database, and says how many rows it changed.
func mend(path, what, text string, args ...driver.Value) (n int, err error) {
	c, err := dial(path, "", []pragma{{"journal_mode", "delete"}, {"synchronous", 2}})
	if err != nil {
		return 0, fmt.Errorf("store: %s: %w", what, translate(err))
	}
	defer func() { err = errors.Join(err, translate(c.exec("PRAGMA journal_mode = wal")), c.Close()) }()
	if err := migrate(c); err != nil {
		return 0, fmt.Errorf("store: %s: %w", what, translate(err))
	}
	st, err := c.prepare(text)
	if err != nil {
		return 0, fmt.Errorf("store: %s: %w", what, translate(err))
	}
	r, err := st.exec(args...)
	if err != nil {
		return 0, fmt.Errorf("store: %s: %w", what, translate(err))
	}
	rows, err := r.RowsAffected()
	return int(rows), err
}
