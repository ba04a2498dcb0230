package repo

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"trio/crdt"
	"trio/crdt/automerge"
	"trio/server/store"
)

// Pages in which a member's order is read.
const (
	pageChanges = 4000
	pageBytes   = 3 << 20
)

// A Book holds the hash graphs of a member's documents that sessions have open: some 100 bytes for each change of these
// documents, however many sessions there are; of the other documents only where they stand in the member's order. The first
// document that is opened costs reading the whole order once, a further one the part where it stands. A Book may be used by
// many goroutines.
type Book struct {
	store  store.Store
	member crdt.MemberID

	behind  atomic.Bool   // the order may have grown since it was read
	reading chan struct{} // holds an element while somebody reads the order

	mu    sync.Mutex // guards what follows; never held over I/O
	at    uint64     // how far the order was read
	open  map[crdt.DocName]*document
	spans map[crdt.DocName]*span // of all documents, up to at
}

// document is one document that sessions have open.
type document struct {
	name  crdt.DocName
	users int // guarded by reading
	// Guarded by the Book's mu.
	graph automerge.Graph
	seqs  []uint64 // of each change of the graph, its number in the member's order
}

// span says where the changes of a document stand.
type span struct{ first, last uint64 }

// NewBook returns the book of a member that nobody has anything open of.
func NewBook(st store.Store, m crdt.MemberID) *Book {
	b := &Book{
		store: st, member: m, reading: make(chan struct{}, 1),
		open: map[crdt.DocName]*document{}, spans: map[crdt.DocName]*span{},
	}
	b.behind.Store(true)
	return b
}

// Stale notes that the member's order may have grown.
func (b *Book) Stale() { b.behind.Store(true) }

// behindOf reports whether the order was not read up to head, where anybody reads it.
func (b *Book) behindOf(head uint64) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.open) > 0 && b.at < head
}

func (b *Book) lock(ctx context.Context) error {
	select {
	case b.reading <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (b *Book) unlock() { <-b.reading }

// take opens a document; release closes it again.
func (b *Book) take(ctx context.Context, name crdt.DocName) (*document, error) {
	if err := b.lock(ctx); err != nil {
		return nil, err
	}
	defer b.unlock()
	if d := b.open[name]; d != nil { // only who reads writes to the map
		d.users++
		return d, nil
	}
	d := &document{name: name, users: 1}
	if at := b.at; at > 0 {
		if s := b.spans[name]; s != nil {
			if err := b.read(ctx, s.first-1, func(seq uint64, doc crdt.DocName, c *automerge.Change) error {
				if doc == name && seq <= at {
					return d.add(seq, c)
				}
				return nil
			}, func(next uint64) bool { return next < s.last }); err != nil {
				return nil, err
			}
		}
	}
	b.mu.Lock()
	b.open[name] = d
	b.mu.Unlock()
	if err := b.forward(ctx); err != nil {
		b.mu.Lock()
		delete(b.open, name)
		b.mu.Unlock()
		return nil, err
	}
	return d, nil
}

// release closes a document, which goes when nobody has it open.
func (b *Book) release(d *document) {
	b.reading <- struct{}{}
	defer b.unlock()
	if d.users--; d.users == 0 {
		b.mu.Lock()
		delete(b.open, d.name)
		b.mu.Unlock()
	}
}

// catchUp reads what was committed since the order was last read, if anybody said that something was.
func (b *Book) catchUp(ctx context.Context) error {
	if !b.behind.Load() && len(b.reading) == 0 {
		return nil
	}
	if err := b.lock(ctx); err != nil {
		return err
	}
	defer b.unlock()
	return b.forward(ctx)
}

// forward reads what is new; for who holds reading.
func (b *Book) forward(ctx context.Context) error {
	if !b.behind.Swap(false) {
		return nil
	}
	err := b.read(ctx, b.at, func(seq uint64, name crdt.DocName, c *automerge.Change) error {
		b.mu.Lock()
		defer b.mu.Unlock()
		if d := b.open[name]; d != nil {
			if err := d.add(seq, c); err != nil {
				return err
			}
		}
		if s := b.spans[name]; s != nil {
			s.last = seq
		} else {
			b.spans[name] = &span{first: seq, last: seq}
		}
		b.at = seq
		return nil
	}, func(uint64) bool { return true })
	if err != nil {
		b.behind.Store(true)
	}
	return err
}

// read gives the changes after a place of the order to f, as long as more wants them.
func (b *Book) read(ctx context.Context, after uint64, f func(uint64, crdt.DocName, *automerge.Change) error, more func(next uint64) bool) error {
	for {
		p, err := b.store.Since(ctx, b.member, after, pageChanges, pageBytes)
		if err != nil {
			return err
		}
		if err := each(&p, func(x *piece) error {
			c, err := x.parsed()
			if err != nil {
				return err
			}
			return f(x.seq, x.doc, c)
		}); err != nil {
			return fmt.Errorf("stored changes of member %s: %w", b.member, err)
		}
		if after = p.At.Seq; !p.More || !more(after) {
			return nil
		}
	}
}

// piece is a stored change, parsed or as a chunk.
type piece struct {
	seq    uint64
	doc    crdt.DocName
	hash   automerge.Hash
	change *automerge.Change
	chunk  []byte
}

func (x *piece) parsed() (*automerge.Change, error) {
	if x.change != nil {
		return x.change, nil
	}
	c, err := automerge.ParseChange(x.chunk)
	if err != nil {
		err = fmt.Errorf("change %d: %w", x.seq, err)
	}
	return c, err
}

// each gives the changes of a page to f one by one.
func each(p *store.Page, f func(*piece) error) error {
	if p.Segment != nil {
		items, err := p.Segment.Open()
		if err != nil {
			return err
		}
		for i, it := range items {
			x := piece{seq: p.Segment.From.Seq + uint64(i) + 1, doc: it.Doc, hash: it.Change.Hash(), change: it.Change}
			if err := f(&x); err != nil {
				return err
			}
		}
	}
	for _, row := range p.Changes {
		if err := f(&piece{seq: row.Seq, doc: row.Doc, hash: row.Hash, chunk: row.Raw}); err != nil {
			return err
		}
	}
	return nil
}

// add takes a stored change in; its dependencies were stored before it.
func (d *document) add(seq uint64, c *automerge.Change) error {
	ready, err := d.graph.Add(c)
	if err != nil {
		return fmt.Errorf("%s: %w", d.name, err)
	}
	if len(ready) != 1 {
		return fmt.Errorf("%s: change %s stands before what it builds on, or twice: restore the database from a backup", d.name, c.Hash())
	}
	d.seqs = append(d.seqs, seq)
	return nil
}

// chunks gathers the chunks of a document's changes from a place of the order on, as many as one page has.
func (b *Book) chunks(ctx context.Context, name crdt.DocName, seq uint64, into map[automerge.Hash][]byte) error {
	p, err := b.store.Since(ctx, b.member, seq-1, pageChanges, pageBytes)
	if err != nil {
		return err
	}
	if p.At.Seq < seq {
		return errors.New("the member's order has become shorter: restart the server after a restore")
	}
	return each(&p, func(x *piece) error {
		switch {
		case x.doc != name:
		case x.change != nil:
			into[x.hash] = x.change.Raw()
		default:
			into[x.hash] = x.chunk
		}
		return nil
	})
}
