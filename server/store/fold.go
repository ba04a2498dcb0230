package store

import (
	"context"
	"database/sql/driver"
	"fmt"
	"slices"

	"trio/crdt"
)

func scanFold(row []driver.Value) Fold {
	f := Fold{Member: uid[crdt.MemberID](row[1]), Seq: uint64(row[2].(int64)), Data: slices.Clone(row[4].([]byte))}
	copy(f.Form[:], row[3].([]byte))
	return f
}

// SaveFolds keeps folds; see Folds.
func (s *SQLite) SaveFolds(ctx context.Context, folds []Fold) error {
	const what = "save folds"
	size := 0
	for i := range folds {
		if n := len(folds[i].Data); n > MaxFoldBytes {
			return fmt.Errorf("store: %s: %w", what, Invalid(fmt.Sprintf("the fold of member %s has %d bytes: at most %d", folds[i].Member, n, MaxFoldBytes)))
		}
		size += weight(1, len(folds[i].Data))
	}
	if len(folds) == 0 {
		return nil
	}
	return s.act(ctx, what, size, func(w *writer) (wrong, err error) {
		for i := range folds {
			f := &folds[i]
			row, err := w.foldRow.row(f.Member[:])
			if err != nil {
				return nil, err
			}
			if row == nil {
				continue
			}
			if seq, ok := row[2].(int64); ok && uint64(seq) > f.Seq && string(row[3].([]byte)) == string(f.Form[:]) {
				continue
			}
			member, tenant := row[0].(int64), row[1].(int64)
			if _, err := w.dropFold.exec(member); err != nil {
				return nil, err
			}
			data := f.Data
			if data == nil {
				data = []byte{}
			}
			if _, err := w.addFold.exec(tenant, member, int64(f.Seq), f.Form[:], data); err != nil {
				return nil, err
			}
		}
		return nil, nil
	})
}

// Folds returns what was saved; see Folds.
func (s *SQLite) Folds(ctx context.Context, t Tenant, after int64, limit int) (list []Fold, next int64, err error) {
	if limit <= 0 || limit > MaxFoldsPage {
		limit = MaxFoldsPage
	}
	next = after
	err = s.read(ctx, func(r *reader) error {
		return r.folds.each(func(row []driver.Value) bool {
			list, next = append(list, scanFold(row)), row[0].(int64)
			return true
		}, int64(t), after, int64(limit))
	})
	if err != nil {
		return nil, after, fmt.Errorf("store: folds: %w", err)
	}
	return list, next, nil
}

// FoldOf returns a member's fold; see Folds.
func (s *SQLite) FoldOf(ctx context.Context, m crdt.MemberID) (f Fold, err error) {
	err = s.read(ctx, func(r *reader) error {
		row, err := r.foldOf.row(m[:])
		if err != nil {
			return err
		}
		if row == nil {
			return noMember(m)
		}
		f = scanFold(row)
		return nil
	})
	if err != nil {
		return Fold{}, fmt.Errorf("store: fold: %w", err)
	}
	return f, nil
}
