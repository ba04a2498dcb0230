package replica

import (
	"context"
	"errors"
	"fmt"
	"math"

	"trio/crdt"
	"trio/crdt/automerge"
	"trio/crdt/wire"
	"trio/replica/sql"
)

// ErrDamaged: a part of the history that was folded cannot be opened. What screens show is not made from it.
var ErrDamaged = errors.New("a part of this device's stored history is damaged: what it shows is not touched, and the server has all " +
	"of the history; once nothing is left unsent, remove its data and sign in again; if it can no longer send, ask for help before")

// errMoved: what was to be folded is not what it was when it was read.
var errMoved = errors.New("the order of changes was compared anew meanwhile")

const (
	// closedTail is how many changes are folded at least when a month of the log has ended.
	closedTail = 64
	// foldSteps is in how many transactions Config.FoldAt changes are folded: removing 1,000 rows at once would hold a
	// command up for 4 to 14 ms.
	foldSteps = 4
)

// segmentRow is the SELECT of a wire.Segment; scanSegment reads it.
const segmentRow = `SELECT after, after_chain, seq, chain, marks, data FROM segments `

func scanSegment(scan func(...any) error) (*wire.Segment, error) {
	var s wire.Segment
	var from, to int64
	var fromChain, toChain []byte
	if err := scan(&from, &fromChain, &to, &toChain, &s.Marks, &s.Data); err != nil {
		return nil, err
	}
	s.From.Seq, s.To.Seq = uint64(from), uint64(to)
	copy(s.From.Chain[:], fromChain)
	copy(s.To.Chain[:], toChain)
	return &s, nil
}

// openSegment returns the changes of the segment that follows after, or ErrDamaged.
func openSegment(s *wire.Segment, after wire.Receipt) ([]wire.Item, error) {
	if s.From.Seq != after.Seq || s.From.Chain != after.Chain {
		return nil, fmt.Errorf("%w (a segment follows change %d, want %d)", ErrDamaged, s.From.Seq, after.Seq)
	}
	items, err := s.Open()
	if err != nil {
		return nil, fmt.Errorf("%w (%w)", ErrDamaged, err)
	}
	return items, nil
}

// Compact folds changes that the server holds: runs of the member's order become segments, which need a fraction of the
// room, and from which every change comes back as it was. It returns how many changes it folded; most calls find nothing
// to do and cost next to nothing. The folding is done beside what else is going on: a command waits for a short
// transaction at most. Should the disk be full, or the device be killed, what is not in a segment yet stays as it was.
//
// Changes are folded once there are Config.FoldAt of them, or when they hold some of a month of the log that is over.
func (r *Replica) Compact(ctx context.Context) (n int, err error) {
	r.folding.Lock()
	defer r.folding.Unlock()
	st := r.committed.Load()
	until, tail := st.cursor.Seq, st.cursor.Seq-st.folded
	if tail < uint64(r.foldAt) {
		closed, err := r.monthClosed(ctx, st, tail)
		if err != nil || !closed {
			return 0, err
		}
	}
	for st.folded < until {
		folded, err := r.fold(ctx, st, min(until-st.folded, uint64(max(r.foldAt/foldSteps, 1))))
		n += folded
		if err != nil {
			return n, unmoved(err)
		}
		now := r.committed.Load()
		if now.forgets != st.forgets || folded == 0 {
			return n, nil
		}
		st = now
	}
	return n, unmoved(r.join(ctx, st))
}

// unmoved drops errMoved: another call begins anew.
func unmoved(err error) error {
	if errors.Is(err, errMoved) {
		return nil
	}
	return err
}

// fold makes a segment of the next n changes, or of fewer if these are large. It is short, as its transaction removes a row for
// each change.
func (r *Replica) fold(ctx context.Context, st *standing, n uint64) (int, error) {
	rows, err := r.foldable(ctx, st.folded, int(n))
	if err != nil || len(rows) == 0 {
		return 0, err
	}
	from := wire.Receipt{Seq: st.folded}
	if st.folded > 0 {
		var chain []byte
		if err := r.rdb.QueryRowContext(ctx, `SELECT chain FROM segments WHERE seq=?`, int64(st.folded)).Scan(&chain); err != nil {
			return 0, err
		}
		copy(from.Chain[:], chain)
	}
	s, err := wire.NewSegment(from, rows)
	for errors.Is(err, wire.ErrTooLarge) && len(rows) > 1 {
		rows = rows[:len(rows)/2]
		s, err = wire.NewSegment(from, rows)
	}
	if err != nil {
		return 0, fmt.Errorf("fold changes %d to %d: %w", st.folded+1, st.folded+uint64(len(rows)), err)
	}
	if err := r.update(ctx, func(t *tx) error { return t.swap(st, s) }); err != nil {
		return 0, err
	}
	return len(rows), nil
}

// join makes long segments of short ones that follow one another: they need less room.
func (r *Replica) join(ctx context.Context, st *standing) error {
	type piece struct{ after, seq, bytes uint64 }
	pieces, err := queryRows(ctx, r, func(rows *sql.Rows) (p piece, err error) {
		err = rows.Scan(&p.after, &p.seq, &p.bytes)
		return p, err
	}, `SELECT after, seq, length(data) FROM segments ORDER BY seq`)
	for len(pieces) > 0 && err == nil {
		n, bytes := 1, pieces[0].bytes
		for n < len(pieces) && pieces[n].seq-pieces[0].after <= foldMost && bytes+pieces[n].bytes <= wire.MaxFrame/4 {
			bytes += pieces[n].bytes
			n++
		}
		if n > 1 {
			err = r.joinRun(ctx, st, pieces[0].after, pieces[n-1].seq)
		}
		pieces = pieces[n:]
	}
	return err
}

// joinRun makes one segment of those from after to seq. Where one cannot hold them they stay.
func (r *Replica) joinRun(ctx context.Context, st *standing, after, seq uint64) error {
	parts, err := queryRows(ctx, r, func(rows *sql.Rows) (*wire.Segment, error) { return scanSegment(rows.Scan) },
		segmentRow+`WHERE seq>? AND seq<=? ORDER BY seq`, int64(after), int64(seq))
	if err != nil || len(parts) == 0 {
		return err
	}
	from, to := parts[0].From, parts[0].From
	var items []wire.Item
	for _, p := range parts {
		in, err := openSegment(p, to)
		if err != nil {
			return err
		}
		items, to = append(items, in...), p.To
	}
	s, err := wire.NewSegment(from, items)
	switch {
	case errors.Is(err, wire.ErrTooLarge):
		return nil
	case err != nil:
		return fmt.Errorf("fold changes %d to %d: %w", from.Seq+1, to.Seq, err)
	case s.To != to:
		return fmt.Errorf("%w (segments up to %d lead to %d)", ErrDamaged, to.Seq, s.To.Seq)
	}
	return r.update(ctx, func(t *tx) error {
		if t.forgets != st.forgets {
			return errMoved
		}
		if err := t.exec(`DELETE FROM segments WHERE seq>? AND seq<=?`, int64(after), int64(seq)); err != nil {
			return err
		}
		return t.putSegment(s)
	})
}

// foldable reads the n changes that follow place after of the member's order.
func (r *Replica) foldable(ctx context.Context, after uint64, n int) ([]wire.Item, error) {
	rows, err := r.rdb.QueryContext(ctx, `SELECT c.receipt, d.name, c.hash, c.chunk FROM changes c JOIN documents d ON d.id=c.doc
		WHERE c.receipt>? ORDER BY c.receipt LIMIT ?`, int64(after), n)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	items := make([]wire.Item, 0, n)
	for rows.Next() {
		var receipt int64
		var it wire.Item
		var hash, chunk []byte
		if err := rows.Scan(&receipt, &it.Doc, &hash, &chunk); err != nil {
			return nil, err
		}
		after++
		if uint64(receipt) != after {
			return nil, fmt.Errorf("this device lacks change %d of the member's order, and has %d: nothing is folded", after, receipt)
		}
		if it.Change, err = automerge.ParseChange(chunk); err != nil {
			return nil, fmt.Errorf("change %d of %s: %w", receipt, it.Doc, err)
		}
		if h := it.Change.Hash(); string(h[:]) != string(hash) {
			return nil, fmt.Errorf("change %d of %s is not the one that its hash names: nothing is folded", receipt, it.Doc)
		}
		items = append(items, it)
	}
	return items, rows.Err()
}

// monthClosed reports whether what follows the last segment is worth folding though it is short: a month of the log that
// is over will hardly grow any more.
func (r *Replica) monthClosed(ctx context.Context, st *standing, tail uint64) (closed bool, err error) {
	if tail < min(closedTail, uint64(r.foldAt)) {
		return false, nil
	}
	month := crdt.LogDoc(r.now())
	if r.asked.month == month && st.cursor.Seq-r.asked.seq < closedTail {
		return false, nil // nothing is likely to have changed since
	}
	err = r.rdb.QueryRowContext(ctx, `SELECT EXISTS(SELECT 1 FROM changes WHERE receipt>? AND doc IN (
		SELECT id FROM documents WHERE name>='log-' AND name<?))`, int64(st.folded), string(month)).Scan(&closed)
	if err == nil && !closed {
		r.asked.month, r.asked.seq = month, st.cursor.Seq
	}
	return closed, err
}

// swap puts a segment in the place of its changes, which follow the last segment. Since st none of them can have lost its
// place but by forgetReceipts.
func (t *tx) swap(st *standing, s *wire.Segment) error {
	if t.folded != st.folded || t.forgets != st.forgets {
		return errMoved
	}
	if s.To.Seq > t.cursor.Seq || s.To.Seq == t.cursor.Seq && s.To.Chain != t.cursor.Chain {
		return fmt.Errorf("changes up to %d do not lead to where this device stands: nothing is folded", s.To.Seq)
	}
	res, err := t.execResult(`DELETE FROM changes WHERE receipt>? AND receipt<=?`, int64(st.folded), int64(s.To.Seq))
	if err != nil {
		return err
	}
	if gone, err := res.RowsAffected(); err != nil || gone != int64(s.Len()) {
		return errors.Join(fmt.Errorf("%d changes where %d were folded", gone, s.Len()), err)
	}
	t.folded = s.To.Seq
	return t.putSegment(s)
}

func (t *tx) putSegment(s *wire.Segment) error {
	t.unseen = true
	return t.exec(`INSERT INTO segments(seq, after, after_chain, chain, marks, data) VALUES(?,?,?,?,?,?)`,
		int64(s.To.Seq), int64(s.From.Seq), s.From.Chain[:], s.To.Chain[:], s.Marks, s.Data)
}

// unfold makes rows of all segments, before all other rows: the ids are free ones below theirs. As no change of the
// member's order depends on one that comes later or has no place, the order of ids stays one in which each change
// follows those that it depends on. When this device got a change is not kept in a segment: it is what the writer says.
func (t *tx) unfold() error {
	var id int64
	if _, err := t.one([]any{&id}, `SELECT min(coalesce(min(id), 1), 1) FROM changes`); err != nil {
		return err
	}
	id -= int64(t.folded)
	err := t.segments(func(items []wire.Item) error {
		for i := range items {
			c := items[i].Change
			d, err := t.doc(items[i].Doc)
			if err != nil {
				return err
			}
			actor, err := t.actor(c.Actor)
			if err != nil {
				return err
			}
			at := t.now
			if c.Time > 0 && c.Time < t.now/1000 {
				at = c.Time * 1000
			}
			if err := t.insert(id, d, c, actor, at, nil); err != nil {
				return err
			}
			id++
		}
		return nil
	})
	if err != nil {
		return err
	}
	t.folded = 0
	return t.exec(`DELETE FROM segments`)
}

// segments calls f with the changes of each segment, in the member's order.
func (t *tx) segments(f func(items []wire.Item) error) error {
	for at := (wire.Receipt{}); at.Seq < t.folded; {
		s, err := t.segment(`WHERE seq>? ORDER BY seq LIMIT 1`, at.Seq)
		if err != nil {
			return err
		}
		items, err := openSegment(s, at)
		if err != nil {
			return err
		}
		if err := f(items); err != nil {
			return err
		}
		at = s.To
	}
	return nil
}

func (t *tx) segment(where string, seq uint64) (*wire.Segment, error) {
	s, err := scanSegment(func(dst ...any) error {
		found, err := t.one(dst, segmentRow+where, int64(seq))
		if err == nil && !found {
			err = fmt.Errorf("%w (no segment holds change %d)", ErrDamaged, seq+1)
		}
		return err
	})
	return s, err
}

// history calls f with every change of some documents, each after those that it depends on.
func (t *tx) history(docs map[crdt.DocName]*document, f func(*document, *automerge.Change) error) error {
	err := t.segments(func(items []wire.Item) error {
		for i := range items {
			if d := docs[items[i].Doc]; d != nil {
				if err := f(d, items[i].Change); err != nil {
					return err
				}
			}
		}
		return nil
	})
	type row struct {
		d     *document
		chunk []byte
	}
	for after, page := int64(math.MinInt64), []row(nil); err == nil; {
		n := 0
		page = page[:0]
		err = t.query(func(rows *sql.Rows) error {
			n++
			var name crdt.DocName
			var chunk []byte
			err := rows.Scan(&after, &name, &chunk)
			if d := docs[name]; d != nil {
				page = append(page, row{d, chunk})
			}
			return err
		}, `SELECT c.id, d.name, c.chunk FROM changes c JOIN documents d ON d.id=c.doc WHERE c.id>? ORDER BY c.id LIMIT 500`, after)
		if err != nil || n == 0 {
			break
		}
		for _, x := range page {
			c, err := automerge.ParseChange(x.chunk)
			if err != nil {
				return fmt.Errorf("a change of %s on this device cannot be read: %w", x.d.name, err)
			}
			if err := f(x.d, c); err != nil {
				return err
			}
		}
	}
	return err
}

// holds reports whether a change of a document is here: as a head, in a row of its own or in a segment.
func (t *tx) holds(d *document, h automerge.Hash) (bool, error) {
	for i := range d.heads {
		if d.heads[i] == h {
			return true, nil
		}
	}
	var n int
	if _, err := t.one([]any{&n}, `SELECT count(*) FROM changes WHERE hash=? AND doc=?`, h[:], d.id); err != nil || n > 0 {
		return n > 0, err
	}
	var likely []uint64
	err := t.query(func(rows *sql.Rows) error {
		var seq int64
		var s wire.Segment
		err := rows.Scan(&seq, &s.Marks)
		if err == nil && len(s.Find(h)) > 0 {
			likely = append(likely, uint64(seq))
		}
		return err
	}, `SELECT seq, marks FROM segments`)
	for _, seq := range likely {
		in, ok := t.opened[seq]
		if !ok && err == nil {
			if in, err = t.open(seq); err != nil {
				return false, err
			}
		}
		if doc, ok := in[h]; ok && doc == d.name {
			return true, nil
		}
	}
	return false, err
}

// open returns the hashes in a segment and their documents, and keeps them until the transaction ends.
func (t *tx) open(seq uint64) (map[automerge.Hash]crdt.DocName, error) {
	s, err := t.segment(`WHERE seq=?`, seq)
	if err != nil {
		return nil, err
	}
	items, err := openSegment(s, s.From)
	if err != nil {
		return nil, err
	}
	in := make(map[automerge.Hash]crdt.DocName, len(items))
	for i := range items {
		in[items[i].Change.Hash()] = items[i].Doc
	}
	if t.opened == nil {
		t.opened = map[uint64]map[automerge.Hash]crdt.DocName{}
	}
	t.opened[seq] = in
	return in, nil
}

// changesOf calls f with the chunks of a document's changes, as one statement sees them: nothing is folded in between.
func (r *Replica) changesOf(ctx context.Context, doc crdt.DocName, f func(chunk []byte) error) error {
	if err := r.here(); err != nil {
		return err
	}
	rows, err := r.rdb.QueryContext(ctx, `SELECT 0, seq, after, after_chain, chain, marks, data FROM segments
		UNION ALL SELECT 1, c.id, 0, x'', x'', x'', c.chunk FROM changes c JOIN documents d ON d.id=c.doc WHERE d.name=?
		ORDER BY 1, 2`, string(doc))
	if err != nil {
		return err
	}
	defer rows.Close()
	var at wire.Receipt
	for rows.Next() {
		var sort, id, after int64
		var fromChain, toChain, marks, data []byte
		if err := rows.Scan(&sort, &id, &after, &fromChain, &toChain, &marks, &data); err != nil {
			return err
		}
		if sort == 1 {
			if err := f(data); err != nil {
				return err
			}
			continue
		}
		s := &wire.Segment{From: wire.Receipt{Seq: uint64(after)}, To: wire.Receipt{Seq: uint64(id)}, Marks: marks, Data: data}
		copy(s.From.Chain[:], fromChain)
		copy(s.To.Chain[:], toChain)
		items, err := openSegment(s, at)
		if err != nil {
			return err
		}
		at = s.To
		for i := range items {
			if items[i].Doc == doc {
				if err := f(items[i].Change.Raw()); err != nil {
					return err
				}
			}
		}
	}
	return rows.Err()
}
