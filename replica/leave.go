package replica

import (
	"context"
	"errors"
	"fmt"
	"time"

	"trio/crdt"
	"trio/crdt/wire"
)

// ErrLeft: the company took this device's access back, and the device emptied itself.
var ErrLeft = errors.New("this device's access was taken back")

// errForgot: the receipts were dropped by another connection while this one was leaving.
var errForgot = errors.New("the order was compared anew meanwhile: coming back to leave")

// leaving is how far a device has come that was told to leave: it sends what is only on it, is told that this was kept,
// empties itself and says that it did. Nothing of this is noted before it is empty: a device that is killed on the way
// sends the same again, which the server has already.
type leaving struct {
	kept    mark // the server has what is only here up to this
	forgets int  // standing.forgets, when this began
}

// here returns an error once the device has emptied itself.
func (r *Replica) here() error {
	if at := r.committed.Load().left; !at.IsZero() {
		return fmt.Errorf("%w on %s; it is empty", ErrLeft, at.Format(time.DateOnly))
	}
	return nil
}

// onlyHere reads a push of what nobody else has: changes without a receipt, refused ones among them, then those that were
// set aside.
func (s *Session) onlyHere(ctx context.Context) ([]wire.Item, []mark, error) {
	kept := s.leaving.kept
	items, marks, err := s.unsent(ctx, `c.receipt IS NULL AND c.id>?`, kept.id)
	if err != nil || len(items) > 0 {
		return items, marks, err
	}
	return s.read(ctx, `SELECT ?, j.hash, d.name, j.chunk FROM rejected j JOIN documents d ON d.id=j.doc WHERE j.hash>? ORDER BY j.hash LIMIT ?`,
		kept.id, append([]byte{}, kept.rejected...), pushChanges)
}

// kept notes that the server has the last push, and goes on leaving.
func (s *Session) kept(ctx context.Context, a *wire.Answer) ([][]byte, error) {
	if n := len(a.Refused); n > 0 {
		return nil, fmt.Errorf("the server does not keep %d changes that are only on this device, so they stay: %s", n, a.Refused[0].Text)
	}
	s.leaving.pass(s.pushed)
	return s.leave(ctx)
}

// pass notes that all up to m needs no more looking at.
func (l *leaving) pass(m mark) {
	if len(m.rejected) > 0 {
		l.kept.rejected = m.rejected
	} else {
		l.kept.id = m.id
	}
}

// leave empties the device if nothing is only on it any more, and says so to the server.
func (s *Session) leave(ctx context.Context) ([][]byte, error) {
	at := s.r.now()
	if crdt.ValidTime(s.welcome.Now) {
		at = time.UnixMilli(s.welcome.Now)
	}
	if empty, err := s.r.empty(ctx, s.leaving, at); err != nil || !empty {
		return nil, err
	}
	if err := s.r.wipe(ctx); err != nil {
		return nil, err
	}
	b, err := wire.Encode(&wire.Left{})
	return [][]byte{b}, err
}

// emptied are the tables of what is the member's.
var emptied = []string{
	"changes", "segments", "documents", "actors", "writers", "registers", "contacts", "entries", "facts", "rejected", "merges",
	"goal_days", "awards", "voids", "playbooks", "commands", "waiting",
}

// empty removes all that is the member's in one transaction, unless something is here that the server has not said to keep.
func (r *Replica) empty(ctx context.Context, l *leaving, at time.Time) (bool, error) {
	if r.here() != nil {
		return true, nil
	}
	err := r.update(ctx, func(t *tx) error {
		if t.forgets != l.forgets {
			return errForgot
		}
		var open int
		if _, err := t.one([]any{&open}, `SELECT (SELECT count(*) FROM changes WHERE receipt IS NULL AND id>?) + (SELECT count(*) FROM rejected WHERE hash>?)`,
			l.kept.id, append([]byte{}, l.kept.rejected...)); err != nil || open > 0 {
			return err
		}
		for _, table := range emptied {
			if err := t.exec(`DELETE FROM ` + table); err != nil {
				return err
			}
		}
		if err := t.exec(`DELETE FROM meta WHERE key IN ('boards','boards.at','boards.tag','team','team.at','team.tag')`); err != nil {
			return err
		}
		t.cursor, t.folded, t.left = wire.Receipt{}, 0, at
		return t.exec(`INSERT INTO meta VALUES('left', ?)`, at.UnixMilli())
	})
	return r.here() != nil, err
}

// wipe leaves nothing in the files of what empty has removed. A device that was killed before it was through does it when
// it is opened.
func (r *Replica) wipe(ctx context.Context) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.wiped {
		return nil
	}
	ctx = context.WithoutCancel(ctx)
	for _, s := range r.stmts {
		s.Close() // it is prepared again
	}
	clear(r.stmts)
	if _, err := r.conn.ExecContext(ctx, `VACUUM`); err != nil {
		return full(err)
	}
	var busy, pages, moved int
	if err := r.conn.QueryRowContext(ctx, `PRAGMA wal_checkpoint(TRUNCATE)`).Scan(&busy, &pages, &moved); err != nil {
		return full(err)
	}
	if busy != 0 {
		return errors.New("what was removed is still being read: trying again")
	}
	r.wiped = true
	return nil
}
