package store

import (
	"bytes"
	"compress/flate"
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"

	"trio/crdt"
	"trio/crdt/automerge"
	"trio/crdt/wire"
)

// Append stores one push of one member; see Store.
//
// What a push builds on is mostly what was stored last, and the committer looks that up by itself. What was overwritten, or
// stands in a segment, is found out here, outside of the committer, which would keep others waiting: stored facts do not
// change. If the committer still misses something, the push comes round again with all that it names looked up.
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
	ack, err := s.append(ctx, &p)
	if err != nil {
		return Ack{}, fmt.Errorf("store: append: %w", err)
	}
	ack.Receipt.Epoch = s.epoch
	return ack, nil
}

func (s *SQLite) append(ctx context.Context, p *push) (Ack, error) {
	var ack Ack // the committer's, who may still write it when ctx has ended
	if err := s.resolve(ctx, p); err != nil {
		return Ack{}, err
	}
	bytes := 0
	for i := range p.items {
		bytes += len(p.items[i].data)
	}
	for p.rounds = 1; ; p.rounds++ {
		err := s.submit(&job{ctx: ctx, size: weight(len(p.items), bytes), keeps: true, run: func(w *writer) error {
			var err error
			ack, err = w.push(p)
			return err
		}})
		if err == nil {
			err = p.err
		}
		switch {
		case err != nil:
			return Ack{}, err
		case !p.unsure:
			s.stats.pushed(ack.New)
			if ack.Receipt.Seq-p.folded >= foldFrom && !s.cfg.Aside {
				s.fold.want(p.member)
			}
			return ack, nil
		case p.rounds == maxRounds:
			return Ack{}, fmt.Errorf("%w: what this builds on changes all the time", ErrBusy)
		}
		if err := s.resolve(ctx, p); err != nil {
			return Ack{}, err
		}
	}
}

// maxRounds bounds how often a push comes round. The second time all that it names is known; only what was stored or folded
// meanwhile can make a third one necessary.
const maxRounds = 4

// A push is what the committer gets: all that can be done without the database is done.
type push struct {
	member crdt.MemberID
	items  []packed
	known  map[automerge.Hash]place // what resolve found out
	rounds int
	// of the committer
	folded uint64
	unsure bool  // nothing was stored: resolve has to look first
	err    error // what is wrong with the push as a whole
}

// place says where a change is: in which document, "" for nowhere.
type place struct {
	doc   crdt.DocName
	maxop uint64
}

type packed struct {
	Item
	hash    automerge.Hash
	device  crdt.DeviceID // that has to be the member's: of the actor, or the carrier
	carried bool
	actor   driver.Value // its mark, where operations may be overwritten
	data    []byte
	size    int // of the chunk before it was deflated; 0: it was not
	code    wire.Code
	text    string // why it can be rejected without looking
	// What resolve says, once it has looked: what is wrong with the operations that it builds on, and whether its writer's
	// change before it is among what it builds on.
	looked bool
	refs   error
	heir   bool
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
	// Whoever brings it has checked that. A change that no frame carries would keep all that comes after it from devices.
	if err := wire.Fits(it.Change); err != nil {
		p.code, p.text = wire.CodeInvalid, err.Error()
		return p
	}
	device, ok := crdt.ActorDevice(it.Change.Actor)
	if !ok {
		// Of another program: who brings it answers for it.
		if device = it.Carrier; device == (crdt.DeviceID{}) {
			p.code, p.text = wire.CodeActor, fmt.Sprintf("writer %.80s is not a device's: it has to be the device id and a counter of 4 bytes, or a device has to bring it", it.Change.Actor)
			return p
		}
		p.carried = true
	}
	if n := len(it.Change.Actor); n > maxActor {
		p.code, p.text = wire.CodeActor, fmt.Sprintf("writer has a name of %d bytes, at most %d may be: write it under a shorter one", n, maxActor)
		return p
	}
	if err := it.Change.CheckStrict(); err != nil {
		p.code, p.text = wire.CodeInvalid, fmt.Sprintf("%v: no Automerge program could keep the document with this change in it; update the app", err)
		return p
	}
	p.device = device
	p.hash = it.Change.Hash()
	if !it.Doc.IsLog() {
		p.actor = actorMark(it.Change.Actor)
	}
	p.data, p.size = deflate(it.Change.Raw())
	return p
}

// A decision is what becomes of an item.
type decision struct {
	dup    bool
	code   wire.Code // 0: stored or a duplicate
	text   string
	doc    int64
	writer *progress
	whole  bool
}

// push checks the items, each on its own, stores those that pass and moves the member's head. When it has to know more of
// the past it writes nothing and sets p.unsure.
func (w *writer) push(p *push) (Ack, error) {
	var ack Ack
	p.err, p.unsure = nil, false
	st, err := w.recall(p.member)
	if err != nil {
		return ack, err
	}
	if st == nil {
		p.err = fmt.Errorf("member %s: %w", p.member, ErrNotFound)
		return ack, nil
	}
	member := st.id
	ack.Receipt.Seq, ack.Receipt.Chain = st.seq, st.chain
	p.folded = st.folded
	if ack.Receipt.Seq+uint64(len(p.items)) > maxSeq {
		p.err = fmt.Errorf("member %s has %d changes: there is no room for more numbers", p.member, ack.Receipt.Seq)
		return ack, nil
	}

	k := &checker{
		writer: w, push: p, member: member, devices: map[crdt.DeviceID]bool{}, docs: st.docs,
		fresh: map[automerge.Hash]place{},
	}
	decisions := make([]decision, len(p.items))
	for i := range p.items {
		if decisions[i], err = k.check(&p.items[i]); err != nil {
			return ack, err
		}
	}
	if p.unsure {
		return Ack{}, nil
	}
	var size int64 // of what is new, as it came
	for i := range p.items {
		if d := &decisions[i]; d.code == 0 && !d.dup {
			size += int64(p.items[i].Change.Len())
		}
	}
	if size > 0 && st.most > 0 && st.has+size > st.most {
		p.err = overQuota(st.most)
		return Ack{}, nil
	}
	for i := range p.items {
		it, d := &p.items[i], &decisions[i]
		switch {
		case d.code != 0:
			ack.Rejected = append(ack.Rejected, Rejection{Index: i, Code: d.code, Text: d.text})
			continue
		case d.dup:
			ack.Dup++
			continue
		}
		ack.New++
		ack.Receipt.Seq++
		ack.Receipt.Chain = ack.Receipt.Chain.Next(it.hash)
		id := member<<seqBits | int64(ack.Receipt.Seq)
		if _, err := w.addChange.exec(id, d.doc, it.hash[:], ack.Receipt.Chain[:],
			int64(it.Change.MaxOp()), int64(it.size), it.data, it.actor, flag(d.whole)); err != nil {
			return ack, err
		}
		d.writer.at, d.writer.whole = ack.Receipt.Seq, d.whole
		for j := range it.Feed {
			r := &it.Feed[j]
			if _, err := w.addFeed.exec(st.tenant, member, r.Entry[:], r.Device[:], w.now.UnixMilli(), r.Body); err != nil {
				return ack, err
			}
		}
	}
	for doc, d := range k.docs {
		d.grow()
		for actor, pr := range d.writers {
			if pr.changed {
				put := w.addWriter
				if pr.stored { // half the price of putting the row anew
					put = w.setWriter
				}
				if _, err := put.exec(int64(pr.seq), int64(pr.maxop), pr.last[:], d.headValue(pr), int64(pr.at), flag(pr.whole), member, doc, []byte(actor)); err != nil {
					return ack, err
				}
				pr.stored, pr.changed = true, false
			}
		}
		if d.count > fewWriters && d.changed {
			if _, err := w.setCrowd.exec(member, doc, int64(d.count), int64(d.heads), int64(d.top)); err != nil {
				return ack, err
			}
		}
		d.changed = false
	}
	if ack.New > 0 {
		w.hint(Hint{Member: p.member, Head: ack.Receipt.Seq})
	}
	if _, err = w.head.exec(int64(ack.Receipt.Seq), ack.Receipt.Chain[:], size, member); err != nil {
		return ack, err
	}
	st.seq, st.chain, st.has = ack.Receipt.Seq, ack.Receipt.Chain, st.has+size
	w.keep(p.member, st)
	return ack, nil
}

const (
	// maxWriters bounds the writers of one document. Devices keep the names of all in memory, and a saved document cannot
	// name more (automerge.MaxActors). A device becomes a new writer when it is put back from a backup or a change of it
	// is refused, another program each time that it loads the document.
	maxWriters = automerge.MaxActors
	// maxActor bounds the name of a writer. Ours have 20 bytes, official engines draw 16.
	maxActor = 64
	// maxDeps bounds what a change may build on: what others have written at the same time, one change of each. A device
	// that has more heads joins some first.
	maxDeps = 256
)

// A checker goes through the items of one push in their order.
type checker struct {
	*writer
	push    *push
	member  int64
	devices map[crdt.DeviceID]bool
	docs    map[int64]*docState
	fresh   map[automerge.Hash]place // items that will be stored
	tail    map[automerge.Hash]inDoc // changes that stand one by one; nil until one is asked for
}

// inDoc is place as the committer knows it.
type inDoc struct {
	doc   int64
	maxop uint64
}

// check says what becomes of an item; one that is to be stored counts from then on.
func (k *checker) check(it *packed) (d decision, err error) {
	if it.code != 0 {
		return decision{code: it.code, text: it.text}, nil
	}
	reject := func(code wire.Code, format string, args ...any) (decision, error) {
		return decision{code: code, text: fmt.Sprintf(format, args...)}, nil
	}
	if d.doc, err = k.docID(string(it.Doc)); err != nil {
		return d, err
	}
	c := it.Change
	doc, err := k.state(d.doc)
	if err != nil {
		return d, err
	}
	if err := k.learn(doc, k.member, d.doc, c); err != nil {
		return d, err
	}
	pr := doc.writers[c.Actor]
	if pr == nil {
		pr = &progress{}
	}
	// What was stored before has a number that is used. The other look-up is for the same bytes in two documents: a hash
	// must name one thing. Only a change that builds on nothing can get there, as the others need their dependencies.
	if c.Seq <= pr.seq || len(c.Deps) == 0 {
		switch at, ok, err := k.lookup(d.doc, it.Doc, it.hash); {
		case err != nil:
			return d, err
		case ok && at.doc == it.Doc:
			d.dup = true
			return d, nil
		case ok:
			return reject(wire.CodeDocument, "this change is stored in another document: send it for that one")
		}
	}
	if pr.seq == 0 || it.carried {
		own, ok := k.devices[it.device]
		if !ok {
			row, err := k.device.row(it.device[:])
			if err != nil {
				return d, err
			}
			own = row != nil && row[0].(int64) == k.member
			k.devices[it.device] = own
		}
		if !own && it.carried {
			return reject(wire.CodeActor, "device %s, which brings this, is not one of this member's: sign in on that device with this account", it.device)
		}
		if !own {
			return reject(wire.CodeActor, "device %s, which wrote this, is not one of this member's: sign in on that device with this account", it.device)
		}
	}
	if pr.seq == 0 && doc.count >= maxWriters {
		return reject(wire.CodeActor, "%d writers have written %s: there may be no more; go on under a name that has", maxWriters, it.Doc)
	}
	switch {
	case c.Seq <= pr.seq:
		return reject(wire.CodeSequence, "this device has already stored something else as its change %d of %s, "+
			"as happens when a copy of it was restored: write it again under a new writer", c.Seq, it.Doc)
	case c.Seq > pr.seq+1:
		return reject(wire.CodeDeps, "this is change %d of its writer in %s, change %d is missing: send that first", c.Seq, it.Doc, pr.seq+1)
	}
	if len(c.Deps) > maxDeps {
		return reject(wire.CodeInvalid, "the change builds on %d others at once, at most %d may be: write once on a device of yours, which joins them", len(c.Deps), maxDeps)
	}
	var top uint64
	for _, h := range c.Deps {
		if pr.seq > 0 && h == pr.last {
			top = max(top, pr.maxop)
			continue
		}
		at, ok, err := k.lookup(d.doc, it.Doc, h)
		if err != nil {
			return d, err
		}
		if !ok || at.doc != it.Doc {
			return reject(wire.CodeDeps, "change %.12s… of %s, on which this one builds, is missing: send that first", h, it.Doc)
		}
		top = max(top, at.maxop)
	}
	if c.StartOp <= top || c.StartOp <= pr.maxop {
		return reject(wire.CodeInvalid, "operations start at %d, want more than %d, the last that came before: update the app", c.StartOp, max(top, pr.maxop))
	}
	if top = max(top, pr.maxop); c.StartOp > top+1 {
		// Whoever has seen others' changes and builds on his own alone goes on behind them, as official engines do at
		// older heads. A gap behind all would use up the document's counters, of which there are 2^31.
		if top = doc.top; c.StartOp > top+1 {
			return reject(wire.CodeInvalid, "operations start at %d and leave a gap after %d, the last of the document: update the app", c.StartOp, top)
		}
	}
	d.whole = doc.isWhole(c.Deps)
	heir := pr.seq == 0 || d.whole || slices.Contains(c.Deps, pr.last)
	wrong := it.refs
	switch {
	case !it.looked && (!heir || c.Refers()):
		// It may come to be refused for good, so it is to be looked at with all that it builds on, which is here now. The
		// items after it are checked as if it were fine: they may have questions of their own.
		k.push.unsure = true
	case wrong == nil && !heir && !it.heir:
		wrong = errors.New("the change does not build on the one that its writer made before")
	}
	if wrong != nil {
		return reject(wire.CodeInvalid, "%v: no Automerge program could keep the document with this change in it; update the app", wrong)
	}
	d.writer = doc.add(c)
	k.fresh[it.hash] = place{it.Doc, c.MaxOp()}
	return d, nil
}

// lookup finds a change of the member by its hash: among those of this push, the last ones of each actor, on which most
// build, those that stand one by one, and what is known of the segments.
func (k *checker) lookup(doc int64, name crdt.DocName, h automerge.Hash) (at place, ok bool, err error) {
	if at, ok = k.fresh[h]; ok {
		return at, true, nil
	}
	st, err := k.state(doc)
	if err != nil {
		return place{}, false, err
	}
	if w := st.byLast[h]; w != nil {
		return place{name, w.maxop}, true, nil
	}
	if k.tail == nil {
		k.tail = map[automerge.Hash]inDoc{}
		_, upto := seqs(k.member)
		if err := k.hashes.each(func(row []driver.Value) bool {
			k.tail[automerge.Hash(row[0].([]byte))] = inDoc{row[1].(int64), uint64(row[2].(int64))}
			return true
		}, k.member<<seqBits|int64(k.push.folded), upto); err != nil {
			return place{}, false, err
		}
	}
	if in, ok := k.tail[h]; ok {
		at.maxop = in.maxop
		if at.doc = name; in.doc != doc {
			at.doc = "another"
		}
		return at, true, nil
	}
	if k.push.folded == 0 {
		return place{}, false, nil
	}
	if at, ok = k.push.known[h]; !ok {
		k.push.unsure = true
	}
	return at, at.doc != "", nil
}

// state reads who has written a document, and how far.
func (k *checker) state(doc int64) (*docState, error) {
	if d := k.docs[doc]; d != nil {
		return d, nil
	}
	d, err := k.read(k.member, doc)
	k.docs[doc] = d
	return d, err
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
	// Of those that members can have there are few. What revoked devices made up is not remembered.
	if crdt.DocName(name).Valid() {
		w.docs[name] = id
	}
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

// parseRow parses the chunk of a row of changes.
func parseRow(data []byte, size int) (*automerge.Change, error) {
	if size > 0 {
		var err error
		if data, err = inflate(data, size); err != nil {
			return nil, err
		}
	}
	return automerge.ParseChange(data)
}

// inflate is the reverse of deflate, for a size above 0.
func inflate(data []byte, size int) ([]byte, error) {
	if size > wire.MaxInflated {
		return nil, fmt.Errorf("stored data of %d bytes cannot be ours: at most %d", size, wire.MaxInflated)
	}
	f := inflaters.Get().(io.ReadCloser)
	defer inflaters.Put(f)
	if err := f.(flate.Resetter).Reset(bytes.NewReader(data), nil); err != nil {
		return nil, err
	}
	raw := make([]byte, size)
	if _, err := io.ReadFull(f, raw); err != nil {
		return nil, fmt.Errorf("stored data cannot be inflated: %w", err)
	}
	return raw, nil
}
