package store

import (
	"context"
	"crypto/sha256"
	"database/sql/driver"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"trio/crdt"
	"trio/crdt/automerge"
	"trio/crdt/wire"
)

const (
	// foldFrom is how many changes may stand one by one at the end of a member's order before they are folded. A change
	// takes some 400 bytes there, and some 35 in a segment.
	foldFrom = 1000
	// foldClosed is the same for a member who has changes of a month that is over.
	foldClosed = 64
	// segmentChanges bounds a segment. The larger, the smaller a change gets; what asks for one change opens all.
	segmentChanges = 4000
	// A segment of fewer than smallSegment changes is taken up by the next, when that makes one of mergedSegment at least.
	smallSegment  = 2000
	mergedSegment = 3000
	// tinySegment is taken up in any case.
	tinySegment = 500
	// openBytes bounds the memory of segments that are kept open.
	openBytes = 64 << 20
	// sweepEvery is how often members whose months have closed are looked for.
	sweepEvery = 6 * time.Hour
)

// A segment is a row of segments.
type segment struct {
	id      int64
	partial []byte
	wire.Segment
}

const segmentColumns = "id, after, before, chain, partial, marks, data"

func scanSegment(row []driver.Value) *segment {
	g := &segment{id: row[0].(int64)}
	g.From.Seq, g.To.Seq = uint64(row[1].(int64)), uint64(g.id)&maxSeq
	copy(g.From.Chain[:], row[2].([]byte))
	copy(g.To.Chain[:], row[3].([]byte))
	g.partial, g.Marks, g.Data = row[4].([]byte), row[5].([]byte), row[6].([]byte)
	return g
}

// seqs returns the ids of a member's changes and segments: those above the first and up to the second.
func seqs(member int64) (after, upto int64) { return member << seqBits, member<<seqBits | maxSeq }

// segmentAfter returns the segment that holds the change after seq.
func (r *reader) segmentAfter(member int64, seq uint64) (*segment, error) {
	_, upto := seqs(member)
	row, err := r.segment.row(member<<seqBits|int64(seq), upto)
	if err != nil {
		return nil, err
	}
	if row == nil {
		return nil, fmt.Errorf("member %d, change %d is in no segment: restore the database from a backup", member, seq+1)
	}
	g := scanSegment(row)
	if g.From.Seq > seq {
		return nil, fmt.Errorf("member %d, change %d is in no segment: restore the database from a backup", member, seq+1)
	}
	return g, nil
}

// openSegments keeps the segments that were opened last.
type openSegments struct {
	mu   sync.Mutex
	list []openSegment // the last one was used last
	n    int           // bytes
}

type openSegment struct {
	id    int64
	after uint64
	items []wire.Item
	n     int
}

// open returns the changes of a segment; they are shared and not to be modified.
func (o *openSegments) open(g *segment) ([]wire.Item, error) {
	o.mu.Lock()
	i := slices.IndexFunc(o.list, func(x openSegment) bool { return x.id == g.id && x.after == g.From.Seq })
	if i >= 0 {
		x := o.list[i]
		o.list = append(slices.Delete(o.list, i, i+1), x)
		o.mu.Unlock()
		return x.items, nil
	}
	o.mu.Unlock()
	items, err := g.Open()
	if err != nil {
		return nil, fmt.Errorf("member %d: %w: restore the database from a backup", g.id>>seqBits, err)
	}
	x := openSegment{id: g.id, after: g.From.Seq, items: items}
	for _, it := range items {
		x.n += 300 + it.Change.Len() + rowBytes*wire.Rows(it.Change)
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.list = append(o.list, x)
	for o.n += x.n; o.n > openBytes; {
		o.n -= o.list[0].n
		o.list = slices.Delete(o.list, 0, 1)
	}
	return items, nil
}

// rowBytes is what an operation takes in memory, at most.
const rowBytes = 170

// chainAt returns the chain of a member at a change that was folded.
func (s *SQLite) chainAt(r *reader, member int64, seq uint64) (wire.Chain, error) {
	g, err := r.segmentAfter(member, seq-1)
	if err != nil || g.To.Seq == seq {
		if err != nil {
			return wire.Chain{}, err
		}
		return g.To.Chain, nil
	}
	items, err := s.opened.open(g)
	if err != nil {
		return wire.Chain{}, err
	}
	chain := g.From.Chain
	for _, it := range items[:seq-g.From.Seq] {
		chain = chain.Next(it.Change.Hash())
	}
	return chain, nil
}

// folded returns a page out of a segment.
func (s *SQLite) folded(r *reader, member int64, after uint64, limit, maxBytes int) (Page, error) {
	g, err := r.segmentAfter(member, after)
	if err != nil {
		return Page{}, err
	}
	if g.From.Seq == after && g.Len() <= limit {
		return Page{Segment: &g.Segment, At: g.To}, nil
	}
	items, err := s.opened.open(g)
	if err != nil {
		return Page{}, err
	}
	p := Page{At: g.From}
	bytes := 0
	for _, it := range items {
		h := it.Change.Hash()
		if p.At.Seq >= after {
			if bytes += it.Change.Len(); len(p.Changes) == limit || len(p.Changes) > 0 && bytes > maxBytes {
				break
			}
			p.Changes = append(p.Changes, Stored{Seq: p.At.Seq + 1, Doc: it.Doc, Hash: h, Raw: it.Change.Raw()})
		}
		p.At.Seq++
		p.At.Chain = p.At.Chain.Next(h)
	}
	return p, nil
}

// actorMark stands for an actor where only few can be meant: the first bytes of its SHA-256.
func actorMark(a automerge.ActorID) int64 {
	h := sha256.Sum256([]byte(a))
	return int64(binary.BigEndian.Uint64(h[:]))
}

// Compact folds the end of a member's order; see Store.
func (s *SQLite) Compact(ctx context.Context, m crdt.MemberID, least int) (int, error) {
	n, err := s.compact(ctx, m, least)
	if err != nil {
		return 0, fmt.Errorf("store: compact: %w", err)
	}
	return n, nil
}

// A folding is a segment that is to take the place of rows.
type folding struct {
	member  int64
	folded  uint64 // what members.folded has to be still
	seg     *wire.Segment
	spans   []byte
	partial []byte
}

func (s *SQLite) compact(ctx context.Context, m crdt.MemberID, least int) (n int, err error) {
	f := folding{}
	if err := s.readAt(ctx, func(r *reader) error {
		member, head, folded, err := r.head(m)
		if err != nil || head.Seq-folded < uint64(max(least, 1)) {
			return err
		}
		f.member, f.folded = member, folded
		n, err = s.gather(r, &f, head.Seq)
		return err
	}); err != nil || n == 0 {
		return 0, err
	}
	folded := n // the committer's, who may still write it when ctx has ended
	if err := s.submit(&job{ctx: ctx, size: weight(1, len(f.seg.Data)+len(f.partial)), keeps: true, run: func(w *writer) error {
		delete(w.known, m)
		return w.replace(&f, &folded)
	}}); err != nil {
		return 0, err
	}
	return folded, nil
}

// gather folds changes that stand one by one, and small segments before them, and says how many of the former.
func (s *SQLite) gather(r *reader, f *folding, head uint64) (n int, err error) {
	var rows []wire.Item
	from := wire.Receipt{Seq: f.folded}
	if f.folded > 0 {
		if from.Chain, err = s.chainAt(r, f.member, f.folded); err != nil {
			return 0, err
		}
	}
	page, err := s.rows(r, f.member, from, head, segmentChanges, wire.MaxInflated)
	if err != nil {
		return 0, err
	}
	total := 0
	for _, c := range page.Changes {
		ch, err := automerge.ParseChange(c.Raw)
		if err != nil {
			return 0, fmt.Errorf("change %d: %w", c.Seq, err)
		}
		// A few bytes may be thousands of operations.
		if total += wire.Rows(ch); total > wire.MaxRows && len(rows) > 0 {
			break
		}
		rows = append(rows, wire.Item{Doc: c.Doc, Change: ch})
	}
	partial := make([]bool, len(rows))
	if err := r.partials.each(func(row []driver.Value) bool {
		partial[uint64(row[0].(int64))&maxSeq-f.folded-1] = true
		return true
	}, f.member<<seqBits|int64(f.folded), f.member<<seqBits|int64(f.folded)+int64(len(rows))); err != nil {
		return 0, err
	}
	items, itemsFrom, before, err := s.takeUp(r, f.member, f.folded, len(rows))
	if err != nil {
		return 0, err
	}
	if len(items) > 0 {
		items, partial = append(items, rows...), append(before, partial...)
		f.seg, err = wire.NewSegment(itemsFrom, items)
		if errors.Is(err, wire.ErrTooLarge) {
			partial = partial[len(before):]
		} else if err != nil {
			return 0, err
		}
	}
	if f.seg == nil {
		items = rows
		for {
			f.seg, err = wire.NewSegment(from, items)
			if !errors.Is(err, wire.ErrTooLarge) || len(items) == 1 {
				break
			}
			items = items[:len(items)/2]
		}
		if err != nil {
			return 0, err
		}
	}
	f.partial = packPartial(partial[:len(items)])
	f.spans, err = s.spansOf(r, items)
	return int(f.seg.To.Seq - f.folded), err
}

// takeUp returns the changes of the small segments at the end that are to be folded again with so many more.
func (s *SQLite) takeUp(r *reader, member int64, folded uint64, more int) (items []wire.Item, from wire.Receipt, partial []bool, err error) {
	var list []*segment
	total := more
	for at := folded; at > 0; {
		g, err := r.segmentAfter(member, at-1)
		if err != nil {
			return nil, from, nil, err
		}
		if g.Len() >= smallSegment || total+g.Len() > segmentChanges {
			break
		}
		list = append(list, g)
		total += g.Len()
		at = g.From.Seq
	}
	if total < mergedSegment {
		if len(list) == 0 || list[0].Len() >= tinySegment {
			return nil, from, nil, nil
		}
		list = list[:1]
	}
	for _, g := range slices.Backward(list) {
		if len(items) == 0 {
			from = g.From
		}
		opened, err := g.Open()
		if err != nil {
			return nil, from, nil, fmt.Errorf("%w: restore the database from a backup", err)
		}
		for i := range opened {
			partial = append(partial, g.isPartial(i))
		}
		items = append(items, opened...)
	}
	return items, from, partial, nil
}

func (s *SQLite) spansOf(r *reader, items []wire.Item) ([]byte, error) {
	var list []span
	type actorDoc struct {
		doc   crdt.DocName
		actor automerge.ActorID
	}
	index := map[actorDoc]int{}
	for _, it := range items {
		c := it.Change
		if len(c.Ops) == 0 {
			continue
		}
		k := actorDoc{it.Doc, c.Actor}
		i, ok := index[k]
		if !ok {
			row, err := r.docID.row(string(it.Doc))
			if err != nil || row == nil {
				return nil, errors.Join(err, fmt.Errorf("document %s has no number", it.Doc))
			}
			i = len(list)
			index[k] = i
			list = append(list, span{row[0].(int64), actorMark(c.Actor), c.StartOp, c.MaxOp()})
		}
		list[i].first, list[i].last = min(list[i].first, c.StartOp), max(list[i].last, c.MaxOp())
	}
	return appendSpans(nil, list), nil
}

// replace puts a segment in the place of its rows, unless another one has come first; then n becomes 0.
func (w *writer) replace(f *folding, n *int) error {
	*n = int(f.seg.To.Seq - f.folded)
	row, err := w.folded.row(f.member)
	if err != nil {
		return err
	}
	if row == nil || uint64(row[0].(int64)) != f.folded {
		*n = 0
		return nil
	}
	from, to := f.member<<seqBits|int64(f.seg.From.Seq), f.member<<seqBits|int64(f.seg.To.Seq)
	for _, st := range []*stmt{w.dropSegments, w.dropChanges} {
		if _, err := st.exec(from, to); err != nil {
			return err
		}
	}
	if _, err := w.addSegment.exec(to, int64(f.seg.From.Seq), f.seg.From.Chain[:], f.seg.To.Chain[:], f.spans, f.partial, f.seg.Marks, f.seg.Data); err != nil {
		return err
	}
	_, err = w.setFolded.exec(int64(f.seg.To.Seq), f.member)
	return err
}

// A folder folds in the background: members whose orders have grown, as Append says, and those whose months have closed.
type folder struct {
	mu   sync.Mutex
	set  map[crdt.MemberID]struct{}
	wake chan struct{}
	done chan struct{}
}

func (f *folder) want(m crdt.MemberID) {
	f.mu.Lock()
	f.set[m] = struct{}{}
	f.mu.Unlock()
	select {
	case f.wake <- struct{}{}:
	default:
	}
}

func (f *folder) take() (m crdt.MemberID, ok bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for m = range f.set {
		delete(f.set, m)
		return m, true
	}
	return m, false
}

// run ends when the store is closed.
func (f *folder) run(s *SQLite) {
	defer close(f.done)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go func() {
		<-s.closing
		cancel()
	}()
	sweep := time.NewTimer(0)
	defer sweep.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-sweep.C:
			s.sweep(ctx)
			sweep.Reset(sweepEvery)
		case <-f.wake:
			for m, ok := f.take(); ok && ctx.Err() == nil; m, ok = f.take() {
				s.foldAll(ctx, m, foldFrom)
			}
		}
	}
}

// foldAll folds as long as there is enough. What goes wrong is only said: the rows stay as they are.
func (s *SQLite) foldAll(ctx context.Context, m crdt.MemberID, least int) {
	for {
		n, err := s.Compact(ctx, m, least)
		switch {
		case ctx.Err() != nil || errors.Is(err, ErrClosed):
			return
		case err != nil:
			s.log.Warn("changes cannot be folded; they stay as they are", slog.String("member", m.String()), slog.Any("err", err))
			return
		case n == 0:
			return
		}
	}
}

// sweep folds what is left of months that are over, and what nobody folded before the store was last closed.
func (s *SQLite) sweep(ctx context.Context) {
	open := "log-" + s.cfg.Now().UTC().Format("2006-01")
	for member := int64(0); ctx.Err() == nil; {
		var list []crdt.MemberID
		err := s.read(ctx, func(r *reader) error {
			const page = 1000
			return r.unfolded.each(func(row []driver.Value) bool {
				member = row[0].(int64)
				list = append(list, crdt.MemberID(row[1].([]byte)))
				return true
			}, member, int64(foldFrom), int64(foldClosed), open, int64(page))
		})
		if err != nil || len(list) == 0 {
			if err != nil && ctx.Err() == nil && !errors.Is(err, ErrClosed) {
				s.log.Warn("looking for months to fold", slog.Any("err", err))
			}
			return
		}
		for _, m := range list {
			s.foldAll(ctx, m, foldClosed)
		}
	}
}
