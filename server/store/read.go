package store

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"slices"

	"trio/crdt"
	"trio/crdt/wire"
)

// A reader is a connection that only reads. Under WAL it sees all that was committed before its query began, and
// neither waits for the writer nor makes it wait.
type reader struct {
	*conn
	member, changes, chain, doc *stmt
	segment, marks, spans       *stmt
	tail, ops, logOps, docID    *stmt
	docReader
	change, partials         *stmt
	unfolded, begin, commit  *stmt
	documents                *stmt
	feed, feedHead           *stmt
	tenant, tenants          *stmt
	keys, keyByHash          *stmt
	memberByID, memberRow    *stmt
	members, tops, sponsored *stmt
	deviceByHash, deviceByID *stmt
	deviceRow, devices       *stmt
	invites, inviteByHash    *stmt
	parked                   *stmt
	bookHead, bookOf, books  *stmt
	folds, foldOf            *stmt
	webPushKey, subs         *stmt
	reminders                *stmt
}

func (s *SQLite) openReader() (*reader, error) {
	c, err := dial(s.cfg.Path, s.cfg.VFS, []pragma{{"busy_timeout", busyTimeout}, {"query_only", 1}, {"cache_size", -readerCacheKiB}})
	if err != nil {
		return nil, err
	}
	r := &reader{conn: c}
	if err := c.prepareAll(r.texts()); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return r, nil
}

// texts are the statements. A bound LIMIT stands in a sum: alone, SQLite plans the statement anew for each value.
func (r *reader) texts() []text {
	return append(r.docReader.texts(), []text{
		{&r.begin, "BEGIN"},
		{&r.commit, "COMMIT"},
		{&r.member, "SELECT id, seq, chain, folded FROM members WHERE uid = ?"},
		{&r.changes, "SELECT id, doc, hash, chain, size, data FROM changes WHERE id > ? AND id <= ? ORDER BY id LIMIT 0 + ?"},
		{&r.chain, "SELECT chain FROM changes WHERE id = ?"},
		{&r.doc, "SELECT name FROM docs WHERE id = ?"},
		{&r.docID, "SELECT id FROM docs WHERE name = ?"},
		{&r.segment, "SELECT " + segmentColumns + " FROM segments WHERE id > ? AND id <= ? ORDER BY id LIMIT 1"},
		{&r.marks, "SELECT id, after, marks FROM segments WHERE id > ? AND id <= ?"},
		{&r.spans, "SELECT after, spans FROM segments WHERE id > ? AND id <= ?"},
		{&r.tail, "SELECT id, hash, doc, maxop, whole FROM changes WHERE id > ? AND id <= ?"},
		{&r.change, "SELECT id, size, data FROM changes WHERE id = ?"},
		{&r.partials, "SELECT id FROM changes WHERE id > ? AND id <= ? AND whole = 0"},
		{&r.ops, "SELECT id, size, data FROM changes WHERE id >> 32 = ? AND doc = ? AND actor = ? AND maxop >= ? ORDER BY maxop"},
		{&r.logOps, "SELECT id, size, data FROM changes WHERE id > ? AND id <= ? AND doc = ?"},
		{&r.unfolded, "SELECT id, uid FROM members m WHERE id > ? AND (seq - folded >= ? OR seq - folded >= ? AND EXISTS (" +
			"SELECT 1 FROM changes c JOIN docs d ON d.id = c.doc WHERE c.id > (m.id << 32 | m.folded) AND c.id <= (m.id << 32 | m.seq) " +
			"AND d.name LIKE 'log-%' AND d.name < ?)) ORDER BY id LIMIT 0 + ?"},
		{&r.documents, "SELECT DISTINCT doc FROM writers WHERE member = ?"},
		{&r.feed, "SELECT f.pos, f.entry, m.uid, f.device, f.arrived, f.body FROM feed f JOIN members m ON m.id = f.member " +
			"WHERE f.tenant = ? AND f.pos > ? ORDER BY f.pos LIMIT 0 + ?"},
		{&r.feedHead, "SELECT seq FROM sqlite_sequence WHERE name = 'feed'"},
		{&r.tenant, "SELECT " + companyColumns + " FROM tenants WHERE id = ?"},
		{&r.tenants, "SELECT " + companyColumns + " FROM tenants WHERE id > 0 ORDER BY id"},
		{&r.keys, "SELECT " + keyColumns + " FROM apikeys WHERE tenant = ? ORDER BY id"},
		{&r.keyByHash, "SELECT hash, " + keyColumns + " FROM apikeys WHERE hash = ?"},
		{&r.memberByID, "SELECT " + memberColumns + " WHERE m.uid = ?"},
		{&r.memberRow, "SELECT id FROM members WHERE uid = ? AND tenant = ?"},
		{&r.members, "SELECT " + memberColumns + " WHERE m.tenant = ? AND m.id > ? ORDER BY m.id LIMIT 0 + ?"},
		{&r.tops, "SELECT " + memberColumns + " WHERE m.tenant = ? AND m.sponsor IS NULL AND m.id > ? ORDER BY m.id LIMIT 0 + ?"},
		{&r.sponsored, "SELECT " + memberColumns + " WHERE m.sponsor = ? AND m.id > ? ORDER BY m.id LIMIT 0 + ?"},
		{&r.deviceByHash, "SELECT d.hash, " + deviceColumns + " FROM devices d JOIN members m ON m.id = d.member WHERE d.hash = ?"},
		{&r.deviceByID, "SELECT " + infoColumns + " FROM " + infoTables + " WHERE d.uid = ?"},
		{&r.deviceRow, "SELECT id FROM devices WHERE uid = ?"},
		{&r.devices, "SELECT " + infoColumns + " FROM " + infoTables + " WHERE d.member = ? ORDER BY d.id"},
		{&r.invites, "SELECT i.id, p.uid, i.created, i.expires, i.used, d.uid, i.revoked FROM invites i " +
			"LEFT JOIN devices p ON p.id = i.pairer LEFT JOIN devices d ON d.id = i.device WHERE i.member = ? ORDER BY i.id"},
		{&r.inviteByHash, "SELECT hash FROM invites WHERE hash = ?"},
		{&r.bookHead, bookHead},
		{&r.bookOf, "SELECT " + bookColumns + ", size, data FROM playbooks WHERE tenant = ? AND version = ?"},
		{&r.books, "SELECT " + bookColumns + " FROM playbooks WHERE tenant = ? AND version < ? ORDER BY version DESC LIMIT 0 + ?"},
		{&r.folds, "SELECT f.id, m.uid, f.seq, f.form, f.data FROM folds f JOIN members m ON m.id = f.member WHERE f.tenant = ? AND f.id > ? ORDER BY f.id LIMIT 0 + ?"},
		{&r.foldOf, "SELECT f.id, m.uid, f.seq, f.form, f.data FROM folds f JOIN members m ON m.id = f.member WHERE m.uid = ?"},
		{&r.webPushKey, webPushKey},
		{&r.subs, "SELECT d.uid, m.uid, m.tenant, s.endpoint, s.public, s.secret, s.created, s.failures FROM members m " +
			"JOIN subscriptions s ON s.member = m.id JOIN devices d ON d.id = s.device WHERE m.uid = ? AND d.revoked = 0 ORDER BY s.device"},
		{&r.reminders, "SELECT m.uid, m.tenant, r.next, r.given, r.ignored, r.head FROM reminders r JOIN members m ON m.id = r.member " +
			"WHERE (r.next, r.member) > (?, ?) AND r.next <= ? ORDER BY r.next, r.member LIMIT 0 + ?"},
		{&r.parked, "SELECT id, doc, arrived, taken, size, data FROM parked WHERE device = ? AND id > ? ORDER BY id LIMIT 0 + ?"},
	}...)
}

// read lends a free reader to fn. The context bounds the wait for it; what fn reads is bounded in rows.
func (s *SQLite) read(ctx context.Context, fn func(*reader) error) error {
	if s.isClosed() {
		return ErrClosed
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	select {
	case r := <-s.readers:
		defer func() { s.readers <- r }()
		return translate(r.guarded(fn))
	case <-ctx.Done():
		return ctx.Err()
	case <-s.closing:
		return ErrClosed
	}
}

// guarded leaves no transaction open behind a damaged database.
func (r *reader) guarded(fn func(*reader) error) (err error) {
	defer func() {
		if errors.Is(err, ErrDamaged) {
			err = errors.Join(err, ignoreNoTransaction(r.exec("ROLLBACK")))
		}
	}()
	defer guard(&err)
	return fn(r)
}

// readAt is read over one state of the database, whatever is committed meanwhile: what is folded is in its place or in
// the other.
func (s *SQLite) readAt(ctx context.Context, fn func(*reader) error) error {
	return s.read(ctx, func(r *reader) error {
		if _, err := r.begin.exec(); err != nil {
			return err
		}
		err := fn(r)
		_, end := r.commit.exec()
		return errors.Join(err, end)
	})
}

// head reads a member's row: how far its order goes, and how much of it is folded.
func (r *reader) head(m crdt.MemberID) (id int64, head wire.Receipt, folded uint64, err error) {
	row, err := r.member.row(m[:])
	if err != nil {
		return 0, head, 0, err
	}
	if row == nil {
		return 0, head, 0, fmt.Errorf("member %s: %w", m, ErrNotFound)
	}
	head.Seq = uint64(row[1].(int64))
	copy(head.Chain[:], row[2].([]byte))
	return row[0].(int64), head, uint64(row[3].(int64)), nil
}

// Head returns the member's newest receipt.
func (s *SQLite) Head(ctx context.Context, m crdt.MemberID) (wire.Receipt, error) {
	var head wire.Receipt
	err := s.read(ctx, func(r *reader) error {
		var err error
		_, head, _, err = r.head(m)
		return err
	})
	if err != nil {
		return wire.Receipt{}, fmt.Errorf("store: head: %w", err)
	}
	head.Epoch = s.epoch
	return head, nil
}

// Documents returns the names of the member's documents; see Store.
func (s *SQLite) Documents(ctx context.Context, m crdt.MemberID) ([]crdt.DocName, error) {
	var names []crdt.DocName
	err := s.readAt(ctx, func(r *reader) error {
		member, _, _, err := r.head(m)
		if err != nil {
			return err
		}
		var docs []int64
		if err := r.documents.each(func(row []driver.Value) bool {
			docs = append(docs, row[0].(int64))
			return true
		}, member); err != nil {
			return err
		}
		for _, id := range docs {
			n, err := s.docName(r, id)
			if err != nil {
				return err
			}
			names = append(names, n)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("store: documents: %w", err)
	}
	slices.Sort(names)
	return names, nil
}

// ReceiptAt returns the receipt at a sequence number of the member; see Store.
func (s *SQLite) ReceiptAt(ctx context.Context, m crdt.MemberID, seq uint64) (wire.Receipt, bool, error) {
	at := wire.Receipt{Epoch: s.epoch, Seq: seq}
	var ok bool
	err := s.readAt(ctx, func(r *reader) error {
		id, head, folded, err := r.head(m)
		if ok = err == nil && seq <= head.Seq; !ok || seq == 0 {
			return err
		}
		if seq == head.Seq {
			at.Chain = head.Chain
			return nil
		}
		if seq <= folded {
			at.Chain, err = s.chainAt(r, id, seq)
			return err
		}
		row, err := r.chain.row(id<<seqBits | int64(seq))
		if err != nil {
			return err
		}
		if row == nil {
			return fmt.Errorf("member %s, change %d is missing: restore the database from a backup", m, seq)
		}
		copy(at.Chain[:], row[0].([]byte))
		return nil
	})
	if err != nil {
		return wire.Receipt{}, false, fmt.Errorf("store: receipt: %w", err)
	}
	if !ok {
		return wire.Receipt{}, false, nil
	}
	return at, true, nil
}

// Since returns what comes after seq; see Store. A limit or a number of bytes that is not above zero, or is above what one
// bundle may hold, means that of a bundle. When nothing comes after seq, the receipt is the head.
func (s *SQLite) Since(ctx context.Context, m crdt.MemberID, after uint64, limit, maxBytes int) (Page, error) {
	if limit <= 0 || limit > wire.MaxChanges {
		limit = wire.MaxChanges
	}
	if maxBytes <= 0 || maxBytes > wire.MaxInflated {
		maxBytes = wire.MaxInflated
	}
	var p Page
	err := s.readAt(ctx, func(r *reader) error {
		id, head, folded, err := r.head(m)
		switch {
		case err != nil:
			return err
		case after >= head.Seq:
			p = Page{At: head}
		case after < folded:
			p, err = s.folded(r, id, after, limit, maxBytes)
		default:
			p, err = s.rows(r, id, wire.Receipt{Seq: after}, head.Seq, limit, maxBytes)
		}
		p.More = p.At.Seq < head.Seq
		return err
	})
	if err != nil {
		return Page{}, fmt.Errorf("store: since: member %s: %w", m, err)
	}
	p.At.Epoch = s.epoch
	if p.Segment != nil {
		p.Segment.From.Epoch, p.Segment.To.Epoch = s.epoch, s.epoch
	}
	return p, nil
}

// rows returns a page of the changes that stand one by one between two places of a member's order.
func (s *SQLite) rows(r *reader, member int64, from wire.Receipt, upto uint64, limit, maxBytes int) (Page, error) {
	p := Page{Changes: make([]Stored, 0, min(uint64(limit), upto-from.Seq)), At: from}
	var total int
	var bad error
	err := r.changes.each(func(row []driver.Value) bool {
		c := Stored{Seq: uint64(row[0].(int64)) & maxSeq, Raw: row[5].([]byte)}
		size := int(row[4].(int64))
		if total += max(size, len(c.Raw)); len(p.Changes) > 0 && total > maxBytes {
			return false
		}
		if size > 0 {
			c.Raw, bad = inflate(c.Raw, size)
		}
		if bad == nil {
			c.Doc, bad = s.docName(r, row[1].(int64))
		}
		if bad == nil && c.Seq != p.At.Seq+1 {
			bad = fmt.Errorf("it follows change %d: restore the database from a backup", p.At.Seq)
		}
		if bad != nil {
			bad = fmt.Errorf("change %d: %w", c.Seq, bad)
			return false
		}
		copy(c.Hash[:], row[2].([]byte))
		p.At.Seq = c.Seq
		copy(p.At.Chain[:], row[3].([]byte))
		p.Changes = append(p.Changes, c)
		return true
	}, member<<seqBits|int64(from.Seq), member<<seqBits|int64(upto), int64(limit))
	return p, errors.Join(err, bad)
}

// docName returns the name of a row of docs.
func (s *SQLite) docName(r *reader, id int64) (crdt.DocName, error) {
	if n, ok := s.docs.Load(id); ok {
		return n.(crdt.DocName), nil
	}
	row, err := r.doc.row(id)
	if err != nil || row == nil {
		return "", errors.Join(err, fmt.Errorf("document number %d is not known", id))
	}
	n := crdt.DocName(row[0].(string))
	if n.Valid() {
		s.docs.Store(id, n)
	}
	return n, nil
}
