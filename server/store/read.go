package store

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"

	"trio/crdt"
	"trio/crdt/wire"
)

// A reader is a connection that only reads. Under WAL it sees all that was committed before its query began, and
// neither waits for the writer nor makes it wait.
type reader struct {
	*conn
	member, changes, chain, doc *stmt
	feed, feedHead              *stmt
	deviceByHash, tenantByHash  *stmt
}

func (s *SQLite) openReader() (*reader, error) {
	c, err := dial(s.cfg.Path, []pragma{{"busy_timeout", busyTimeout}, {"query_only", 1}, {"cache_size", -readerCacheKiB}})
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
	return []text{
		{&r.member, "SELECT id, seq, chain FROM members WHERE uid = ?"},
		{&r.changes, "SELECT id, doc, hash, chain, size, data FROM changes WHERE id > ? AND id <= ? ORDER BY id LIMIT 0 + ?"},
		{&r.chain, "SELECT chain FROM changes WHERE id = ?"},
		{&r.doc, "SELECT name FROM docs WHERE id = ?"},
		{&r.feed, "SELECT f.pos, f.entry, m.uid, f.device, f.arrived, f.body FROM feed f JOIN members m ON m.id = f.member " +
			"WHERE f.tenant = ? AND f.pos > ? ORDER BY f.pos LIMIT 0 + ?"},
		{&r.feedHead, "SELECT seq FROM sqlite_sequence WHERE name = 'feed'"},
		{&r.deviceByHash, "SELECT d.hash, d.uid, m.uid, m.tenant, d.name, d.created, d.revoked, m.name " +
			"FROM devices d JOIN members m ON m.id = d.member WHERE d.hash = ?"},
		{&r.tenantByHash, "SELECT hash, tenant FROM apikeys WHERE hash = ?"},
	}
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
		return translate(fn(r))
	case <-ctx.Done():
		return ctx.Err()
	case <-s.closing:
		return ErrClosed
	}
}

// head reads a member's row.
func (r *reader) head(m crdt.MemberID) (id int64, head wire.Receipt, err error) {
	row, err := r.member.row(m[:])
	if err != nil {
		return 0, head, err
	}
	if row == nil {
		return 0, head, fmt.Errorf("member %s: %w", m, ErrNotFound)
	}
	head.Seq = uint64(row[1].(int64))
	copy(head.Chain[:], row[2].([]byte))
	return row[0].(int64), head, nil
}

// Head returns the member's newest receipt.
func (s *SQLite) Head(ctx context.Context, m crdt.MemberID) (wire.Receipt, error) {
	var head wire.Receipt
	err := s.read(ctx, func(r *reader) error {
		var err error
		_, head, err = r.head(m)
		return err
	})
	if err != nil {
		return wire.Receipt{}, fmt.Errorf("store: head: %w", err)
	}
	head.Epoch = s.epoch
	return head, nil
}

// ReceiptAt returns the receipt at a sequence number of the member; see Store.
func (s *SQLite) ReceiptAt(ctx context.Context, m crdt.MemberID, seq uint64) (wire.Receipt, bool, error) {
	at := wire.Receipt{Epoch: s.epoch, Seq: seq}
	var ok bool
	err := s.read(ctx, func(r *reader) error {
		id, head, err := r.head(m)
		if ok = err == nil && seq <= head.Seq; !ok || seq == 0 {
			return err
		}
		if seq == head.Seq {
			at.Chain = head.Chain
			return nil
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

// Since returns the member's changes after seq; see Store. A limit or a number of bytes that is not above zero, or is
// above what one bundle may hold, means that of a bundle. When nothing comes after seq, the receipt is the head.
func (s *SQLite) Since(ctx context.Context, m crdt.MemberID, after uint64, limit, maxBytes int) ([]Stored, wire.Receipt, bool, error) {
	if limit <= 0 || limit > wire.MaxChanges {
		limit = wire.MaxChanges
	}
	if maxBytes <= 0 || maxBytes > wire.MaxInflated {
		maxBytes = wire.MaxInflated
	}
	var cs []Stored
	var at wire.Receipt
	var more bool
	err := s.read(ctx, func(r *reader) error {
		var err error
		cs, at, more, err = s.since(r, m, after, limit, maxBytes)
		return err
	})
	if err != nil {
		return nil, wire.Receipt{}, false, fmt.Errorf("store: since: %w", err)
	}
	at.Epoch = s.epoch
	return cs, at, more, nil
}

func (s *SQLite) since(r *reader, m crdt.MemberID, after uint64, limit, maxBytes int) ([]Stored, wire.Receipt, bool, error) {
	id, at, err := r.head(m)
	if err != nil || after >= at.Seq {
		return nil, at, false, err
	}
	head := at.Seq
	cs := make([]Stored, 0, min(uint64(limit), at.Seq-after))
	var total int
	var bad error
	err = r.changes.each(func(row []driver.Value) bool {
		c := Stored{Seq: uint64(row[0].(int64)) & maxSeq, Raw: row[5].([]byte)}
		size := int(row[4].(int64))
		if total += max(size, len(c.Raw)); len(cs) > 0 && total > maxBytes {
			return false
		}
		if size > 0 {
			c.Raw, bad = inflate(c.Raw, size)
		}
		if bad == nil {
			c.Doc, bad = s.docName(r, row[1].(int64))
		}
		if bad != nil {
			bad = fmt.Errorf("member %s, change %d: %w", m, c.Seq, bad)
			return false
		}
		copy(c.Hash[:], row[2].([]byte))
		at.Seq = c.Seq
		copy(at.Chain[:], row[3].([]byte))
		cs = append(cs, c)
		return true
	}, id<<seqBits|int64(after), id<<seqBits|int64(at.Seq), int64(limit))
	return cs, at, at.Seq < head, errors.Join(err, bad)
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
	s.docs.Store(id, n)
	return n, nil
}
