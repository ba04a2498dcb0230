package store

import (
	"bytes"
	"compress/flate"
	"context"
	"fmt"
	"io"
	"sync"

	"trio/crdt"
	"trio/crdt/automerge"
	"trio/crdt/wire"
)

// Append stores one push of one member; see Store.
func (s *SQLite) Append(ctx context.Context, m crdt.MemberID, items []Item) (Ack, error) {
	p := push{member: m, items: make([]packed, len(items))}
	for i := range items {
		it := &items[i]
		for j := range it.Feed {
			if it.Feed[j].Member != m {
				return Ack{}, fmt.Errorf("store: append: feed record %s names member %s, the push is of %s", it.Feed[j].Entry, it.Feed[j].Member, m)
			}
		}
		p.items[i] = pack(*it)
	}
	var ack Ack
	err := s.do(ctx, len(items), func(w *writer) error {
		var err error
		ack, err = w.push(&p)
		return err
	})
	if err == nil {
		err = p.err
	}
	if err != nil {
		return Ack{}, fmt.Errorf("store: append: %w", err)
	}
	ack.Receipt.Epoch = s.epoch
	return ack, nil
}

// A push is what the committer gets: all that can be done without the database is done.
type push struct {
	member crdt.MemberID
	items  []packed
	err    error // what is wrong with the push as a whole
}

type packed struct {
	Item
	hash   automerge.Hash
	device crdt.DeviceID
	data   []byte
	size   int // of the chunk before it was deflated; 0: it was not
	code   wire.Code
	text   string // why it can be rejected without looking
}

func pack(it Item) packed {
	p := packed{Item: it}
	if it.Change == nil || it.Change.Len() == 0 {
		p.code, p.text = wire.CodeInvalid, "the change is empty: nothing to store"
		return p
	}
	if !it.Doc.Valid() {
		p.code, p.text = wire.CodeDocument, fmt.Sprintf("there is no document %.40q: want profile, contacts or log-YYYY-MM; update the app", it.Doc)
		return p
	}
	device, ok := crdt.ActorDevice(it.Change.Actor)
	if !ok {
		p.code, p.text = wire.CodeActor, fmt.Sprintf("writer %.80s is not a device's: it has to be the device id and a counter of 4 bytes", it.Change.Actor)
		return p
	}
	p.device = device
	p.hash = it.Change.Hash()
	p.data, p.size = deflate(it.Change.Raw())
	return p
}

// What is known of an actor's work in one document.
type progress struct {
	seq, maxop uint64
	last       automerge.Hash
	changed    bool
}

type actorDoc struct {
	actor automerge.ActorID
	doc   int64
}

// push checks and stores the items, each on its own, and moves the member's head. An item that is rejected has written
// nothing, so there is nothing to take back.
func (w *writer) push(p *push) (Ack, error) {
	var ack Ack
	p.err = nil
	row, err := w.member.row(p.member[:])
	if err != nil {
		return ack, err
	}
	if row == nil {
		p.err = fmt.Errorf("member %s: %w", p.member, ErrNotFound)
		return ack, nil
	}
	member, tenant := row[0].(int64), row[1].(int64)
	ack.Receipt.Seq = uint64(row[2].(int64))
	copy(ack.Receipt.Chain[:], row[3].([]byte))
	if ack.Receipt.Seq+uint64(len(p.items)) > maxSeq {
		p.err = fmt.Errorf("member %s has %d changes: there is no room for more numbers", p.member, ack.Receipt.Seq)
		return ack, nil
	}

	devices := map[crdt.DeviceID]bool{}
	writers := map[actorDoc]*progress{}
	for i := range p.items {
		it := &p.items[i]
		code, text := it.code, it.text
		var dup bool
		var doc int64
		if code == 0 {
			if doc, err = w.docID(string(it.Doc)); err != nil {
				return ack, err
			}
			if dup, code, text, err = w.check(member, doc, it, devices, writers); err != nil {
				return ack, err
			}
		}
		switch {
		case code != 0:
			ack.Rejected = append(ack.Rejected, Rejection{Index: i, Code: code, Text: text})
			continue
		case dup:
			ack.Dup++
			continue
		}
		ack.New++
		ack.Receipt.Seq++
		ack.Receipt.Chain = ack.Receipt.Chain.Next(it.hash)
		id := member<<seqBits | int64(ack.Receipt.Seq)
		if _, err := w.addChange.exec(id, doc, it.hash[:], ack.Receipt.Chain[:],
			int64(it.Change.MaxOp()), int64(it.size), it.data); err != nil {
			return ack, err
		}
		for j := range it.Feed {
			r := &it.Feed[j]
			if _, err := w.addFeed.exec(tenant, member, r.Entry[:], r.Device[:], w.now.UnixMilli(), r.Body); err != nil {
				return ack, err
			}
		}
	}
	for k, pr := range writers {
		if pr.changed {
			if _, err := w.setWriter.exec(member, k.doc, []byte(k.actor), int64(pr.seq), int64(pr.maxop), pr.last[:]); err != nil {
				return ack, err
			}
		}
	}
	_, err = w.head.exec(int64(ack.Receipt.Seq), ack.Receipt.Chain[:], member)
	return ack, err
}

// maxJump bounds how far the operations of a change may start beyond those it builds on. An honest writer leaves no gap,
// or a small one (official engines do when they write at older heads); a large one would use up the counters, 2^31 of a
// document, and stop everybody from writing. With this bound that takes two million changes.
const maxJump = 1 << 10

// check says what becomes of an item: a duplicate, rejected (code is not 0), or to be stored, and then it is counted in
// writers already.
func (w *writer) check(member, doc int64, it *packed, devices map[crdt.DeviceID]bool, writers map[actorDoc]*progress) (
	dup bool, code wire.Code, text string, err error,
) {
	c := it.Change
	key := actorDoc{c.Actor, doc}
	pr := writers[key]
	if pr == nil {
		if pr, err = w.progress(member, key); err != nil {
			return false, 0, "", err
		}
		writers[key] = pr
	}
	// What was stored before has a number that is used. The other look-up is for the same bytes in two documents: a hash
	// must name one thing. Only a change that builds on nothing can get there, as the others need their dependencies.
	if c.Seq <= pr.seq || len(c.Deps) == 0 {
		switch have, _, ok, err := w.lookup(member, it.hash); {
		case err != nil:
			return false, 0, "", err
		case ok && have == doc:
			return true, 0, "", nil
		case ok:
			return false, wire.CodeDocument, "this change is stored in another document: send it for that one", nil
		}
	}
	if pr.seq == 0 {
		own, ok := devices[it.device]
		if !ok {
			row, err := w.device.row(it.device[:])
			if err != nil {
				return false, 0, "", err
			}
			own = row != nil && row[0].(int64) == member
			devices[it.device] = own
		}
		if !own {
			return false, wire.CodeActor, fmt.Sprintf("device %s, which wrote this, is not one of this member's: sign in on that device with this account", it.device), nil
		}
	}
	switch {
	case c.Seq <= pr.seq:
		return false, wire.CodeSequence, fmt.Sprintf("this device has already stored something else as its change %d of %s, "+
			"as happens when a copy of it was restored: write it again under a new writer", c.Seq, it.Doc), nil
	case c.Seq > pr.seq+1:
		return false, wire.CodeDeps, fmt.Sprintf("this is change %d of its writer in %s, change %d is missing: send that first", c.Seq, it.Doc, pr.seq+1), nil
	}
	var top uint64
	for _, h := range c.Deps {
		if pr.seq > 0 && h == pr.last {
			top = max(top, pr.maxop)
			continue
		}
		have, maxop, ok, err := w.lookup(member, h)
		if err != nil {
			return false, 0, "", err
		}
		if !ok || have != doc {
			return false, wire.CodeDeps, fmt.Sprintf("change %.12s… of %s, on which this one builds, is missing: send that first", h, it.Doc), nil
		}
		top = max(top, maxop)
	}
	if c.StartOp <= top || c.StartOp <= pr.maxop {
		return false, wire.CodeInvalid, fmt.Sprintf("operations start at %d, want more than %d, the last that came before: update the app", c.StartOp, max(top, pr.maxop)), nil
	}
	if c.StartOp-max(top, pr.maxop) > maxJump {
		return false, wire.CodeInvalid, fmt.Sprintf("operations start at %d, far beyond %d, the last that came before: "+
			"a document's counters are not to be used up; update the app", c.StartOp, max(top, pr.maxop)), nil
	}
	pr.seq, pr.maxop, pr.last, pr.changed = c.Seq, max(pr.maxop, c.MaxOp()), it.hash, true
	return false, 0, "", nil
}

// progress reads what an actor has stored in a document.
func (w *writer) progress(member int64, k actorDoc) (*progress, error) {
	row, err := w.writerOf.row(member, k.doc, []byte(k.actor))
	if err != nil || row == nil {
		return &progress{}, err
	}
	pr := &progress{seq: uint64(row[0].(int64)), maxop: uint64(row[1].(int64))}
	copy(pr.last[:], row[2].([]byte))
	return pr, nil
}

// lookup finds a change of the member by its hash.
func (w *writer) lookup(member int64, h automerge.Hash) (doc int64, maxop uint64, ok bool, err error) {
	row, err := w.find.row(member, h[:8], h[:])
	if err != nil || row == nil {
		return 0, 0, false, err
	}
	return row[0].(int64), uint64(row[1].(int64)), true, nil
}

// docID returns the number of a document name, new ones included.
func (w *writer) docID(name string) (int64, error) {
	if id, ok := w.docs[name]; ok {
		return id, nil
	}
	row, err := w.doc.row(name)
	if err != nil {
		return 0, err
	}
	var id int64
	if row != nil {
		id = row[0].(int64)
	} else {
		r, err := w.addDoc.exec(name)
		if err != nil {
			return 0, err
		}
		if id, err = r.LastInsertId(); err != nil {
			return 0, err
		}
		w.fresh = append(w.fresh, name)
	}
	w.docs[name] = id
	return id, nil
}

// deflateOver is the size above which a chunk is stored deflated, if that makes it smaller by an eighth. A tap has about
// 300 bytes; deflating would save a fifth of them and cost a third of all the CPU time of its push, and as much again at
// every read. From a kilobyte on, as imports and bulk edits are, it saves a half to three quarters.
const deflateOver = 1 << 10

var deflaters = sync.Pool{New: func() any {
	w, err := flate.NewWriter(io.Discard, flate.BestSpeed)
	if err != nil {
		panic(err) // the level is a constant that flate knows
	}
	return w
}}

// deflate returns what to store of a chunk, and its size if that is deflated, 0 if it is the chunk as it is.
func deflate(raw []byte) (data []byte, size int) {
	if len(raw) < deflateOver {
		return raw, 0
	}
	var b bytes.Buffer
	b.Grow(len(raw))
	f := deflaters.Get().(*flate.Writer)
	defer deflaters.Put(f)
	f.Reset(&b)
	// A bytes.Buffer does not fail.
	_, _ = f.Write(raw)
	_ = f.Close()
	if b.Len() >= len(raw)-len(raw)/8 {
		return raw, 0
	}
	return b.Bytes(), len(raw)
}

var inflaters = sync.Pool{New: func() any { return flate.NewReader(bytes.NewReader(nil)) }}

// inflate is the reverse of deflate, for a size above 0.
func inflate(data []byte, size int) ([]byte, error) {
	f := inflaters.Get().(io.ReadCloser)
	defer inflaters.Put(f)
	if err := f.(flate.Resetter).Reset(bytes.NewReader(data), nil); err != nil {
		return nil, err
	}
	raw := make([]byte, size)
	if _, err := io.ReadFull(f, raw); err != nil {
		return nil, fmt.Errorf("stored change cannot be inflated: %w", err)
	}
	return raw, nil
}
