package store

import (
	"context"
	"crypto/sha256"
	"database/sql/driver"
	"errors"
	"fmt"
	"math"

	"trio/crdt/wire"
)

// MaxPlaybooksPage is the most playbooks that one call of PlaybookHistory returns.
const MaxPlaybooksPage = 1001 // one more than whoever shows pages of 1,000 asks for, to see whether there is a next one

const (
	// bookColumns are those that scanBook reads.
	bookColumns = "version, hash, fitted, published, author, iif(size = 0, length(data), size)"

	bookHead = "SELECT t.playbook_taken, p.version, p.hash FROM tenants t LEFT JOIN playbooks p ON p.tenant = t.id " +
		"AND p.version = (SELECT max(version) FROM playbooks q WHERE q.tenant = t.id) WHERE t.id = ?"

	// skipVersions leaves out so many versions as may have been published by somebody else.
	skipVersions = "UPDATE tenants AS t SET playbook_taken = min(4294967295, " +
		"? + max(playbook_taken, coalesce((SELECT max(version) FROM playbooks p WHERE p.tenant = t.id), 0)))"
)

func scanHead(row []driver.Value) (h PlaybookHead) {
	h.Taken = uint32(row[0].(int64))
	if v, ok := row[1].(int64); ok {
		h.Version = uint32(v)
		copy(h.Hash[:], row[2].([]byte))
	}
	return h
}

func scanBook(t Tenant, row []driver.Value) Playbook {
	p := Playbook{
		Tenant: t, Version: uint32(row[0].(int64)), Fitted: uint32(row[2].(int64)), Published: date(row[3]), By: row[4].(string), Size: int(row[5].(int64)),
	}
	copy(p.Hash[:], row[1].([]byte))
	return p
}

func noPlaybook(t Tenant, version uint32) error {
	if version == 0 {
		return fmt.Errorf("playbook of company %d: %w", t, ErrNotFound)
	}
	return fmt.Errorf("playbook %d of company %d: %w", version, t, ErrNotFound)
}

// PublishPlaybook makes a playbook the company's newest one; see Playbooks.
func (s *SQLite) PublishPlaybook(ctx context.Context, p Playbook, after uint32) (Playbook, error) {
	const what = "publish playbook"
	err := checkName("the publisher", p.By)
	switch {
	case err != nil:
	case len(p.Doc) == 0:
		err = Invalid("the playbook is empty")
	case len(p.Doc) > wire.MaxPlaybook:
		err = Invalid(fmt.Sprintf("the playbook has %d bytes: at most %d", len(p.Doc), wire.MaxPlaybook))
	case sha256.Sum256(p.Doc) != p.Hash:
		err = Invalid("the playbook's hash is not that of its bytes")
	}
	if err != nil {
		return Playbook{}, fmt.Errorf("store: %s: %w", what, err)
	}
	p.Size = len(p.Doc)
	data, size := deflate(p.Doc)
	err = s.act(ctx, what, weight(1, len(data)), func(w *writer) (wrong, err error) {
		row, err := w.bookHead.row(int64(p.Tenant))
		if err != nil || row == nil {
			return noCompany(p.Tenant), err
		}
		switch h := scanHead(row); {
		case h.Version != after:
			return fmt.Errorf("%w: the newest is version %d", ErrOvertaken, h.Version), nil
		case p.Version <= h.Taken:
			return fmt.Errorf("%w: version %d; the next one is %d", ErrTaken, p.Version, h.Taken+1), nil
		case p.Version-h.Taken > MaxPlaybookAhead:
			return Invalid(fmt.Sprintf("version %d leaves out too many: the next one is %d", p.Version, h.Taken+1)), nil
		}
		now := w.now.UnixMilli()
		if _, err := w.addBook.exec(int64(p.Tenant), int64(p.Version), p.Hash[:], int64(p.Fitted), now, p.By, int64(size), data); err != nil {
			return nil, err
		}
		p.Published = date(now)
		w.hint(Hint{Playbook: p.Tenant})
		_, err = w.takeBook.exec(int64(p.Version), int64(p.Tenant))
		return nil, err
	})
	if err != nil {
		return Playbook{}, err
	}
	return p, nil
}

// PlaybookOf returns a version of a company's playbook; see Playbooks.
func (s *SQLite) PlaybookOf(ctx context.Context, t Tenant, version uint32) (p Playbook, err error) {
	err = s.readAt(ctx, func(r *reader) error {
		v := version
		if v == 0 {
			row, err := r.bookHead.row(int64(t))
			if err != nil {
				return err
			}
			if row != nil {
				v = scanHead(row).Version
			}
		}
		row, err := r.bookOf.row(int64(t), int64(v))
		if err != nil || row == nil {
			return errors.Join(err, noPlaybook(t, version))
		}
		p = scanBook(t, row)
		p.Doc = row[7].([]byte)
		if size := row[6].(int64); size > 0 {
			if p.Doc, err = inflate(p.Doc, int(size)); err != nil {
				return fmt.Errorf("playbook %d of company %d: %w", v, t, err)
			}
		}
		if sha256.Sum256(p.Doc) != p.Hash {
			return fmt.Errorf("playbook %d of company %d is damaged: restore the database from a backup", v, t)
		}
		return nil
	})
	if err != nil {
		return Playbook{}, fmt.Errorf("store: playbook: %w", err)
	}
	return p, nil
}

// PlaybookHistory returns what a company has published; see Playbooks. A limit that is not above zero, or is above
// MaxPlaybooksPage, means MaxPlaybooksPage.
func (s *SQLite) PlaybookHistory(ctx context.Context, t Tenant, before uint32, limit int) (list []Playbook, err error) {
	if limit <= 0 || limit > MaxPlaybooksPage {
		limit = MaxPlaybooksPage
	}
	below := int64(before)
	if before == 0 {
		below = math.MaxInt64
	}
	err = s.read(ctx, func(r *reader) error {
		if row, err := r.tenant.row(int64(t)); err != nil || row == nil {
			return errors.Join(err, noCompany(t))
		}
		return r.books.each(func(row []driver.Value) bool {
			list = append(list, scanBook(t, row))
			return true
		}, int64(t), below, int64(limit))
	})
	if err != nil {
		return nil, fmt.Errorf("store: playbooks: %w", err)
	}
	return list, nil
}

// PlaybookHeads returns how far the versions of companies go; see Playbooks.
func (s *SQLite) PlaybookHeads(ctx context.Context, ts []Tenant) (map[Tenant]PlaybookHead, error) {
	heads := make(map[Tenant]PlaybookHead, len(ts))
	err := s.read(ctx, func(r *reader) error {
		for _, t := range ts {
			if err := ctx.Err(); err != nil {
				return err
			}
			row, err := r.bookHead.row(int64(t))
			if err != nil {
				return err
			}
			if row != nil {
				heads[t] = scanHead(row)
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("store: playbook heads: %w", err)
	}
	return heads, nil
}

// TakePlaybook has a version not be published any more; see Playbooks.
func (s *SQLite) TakePlaybook(ctx context.Context, t Tenant, version uint32) error {
	return s.act(ctx, "take version", 1, func(w *writer) (wrong, err error) {
		row, err := w.bookHead.row(int64(t))
		if err != nil || row == nil {
			return noCompany(t), err
		}
		_, err = w.takeBook.exec(int64(scanHead(row).Counts(version)), int64(t))
		return nil, err
	})
}

// playbooks looks at every playbook that was published.
func (k *verifier) playbooks(ctx context.Context, c *conn) (err error) {
	defer guard(&err)
	next, err := c.prepare("SELECT id, tenant, version, hash, size, data FROM playbooks WHERE id > ? ORDER BY id LIMIT 1")
	if err != nil {
		return err
	}
	for id := int64(-1); ctx.Err() == nil; {
		row, err := next.row(id)
		if err != nil || row == nil {
			return err
		}
		id = row[0].(int64)
		doc := row[5].([]byte)
		if size := row[4].(int64); size > 0 {
			doc, err = inflate(doc, int(size))
		}
		if sum := sha256.Sum256(doc); err != nil || string(sum[:]) != string(row[3].([]byte)) {
			k.wrongf("company %d: playbook %d is not what was published", row[1], row[2])
		}
	}
	return nil
}
