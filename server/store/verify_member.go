package store

import (
	"bytes"
	"context"
	"crypto/sha256"
	"database/sql/driver"
	"errors"
	"fmt"
	"slices"

	"trio/crdt"
	"trio/crdt/automerge"
	"trio/crdt/wire"
)

// A memberVerifier looks at members one after another, with a connection of its own.
type memberVerifier struct {
	*verifier
	c *conn

	begin, end, member, segments, changes *stmt
	writers, feed, docs, docID, devices   *stmt
	parked, crowds                        *stmt
	names                                 map[int64]crdt.DocName
}

func (k *verifier) newMemberVerifier() (*memberVerifier, error) {
	c, err := dialToRead(k.Path)
	if err != nil {
		return nil, err
	}
	v := &memberVerifier{verifier: k, c: c, names: map[int64]crdt.DocName{}}
	return v, c.prepareAll([]text{
		{&v.begin, "BEGIN"},
		{&v.end, "COMMIT"},
		{&v.member, "SELECT seq, chain, folded, tenant, bytes FROM members WHERE id = ?"},
		{&v.segments, "SELECT " + segmentColumns + ", spans FROM segments WHERE id > ? AND id <= ? ORDER BY id LIMIT 1"},
		{&v.changes, "SELECT id, doc, hash, chain, maxop, size, data, actor, whole FROM changes WHERE id > ? AND id <= ? ORDER BY id"},
		{&v.writers, "SELECT doc, " + writerColumns + " FROM writers WHERE member = ?"},
		{&v.feed, "SELECT pos, tenant, entry, device, body FROM feed WHERE member = ?"},
		{&v.docs, "SELECT name FROM docs WHERE id = ?"},
		{&v.docID, "SELECT id FROM docs WHERE name = ?"},
		{
			&v.parked, "SELECT p.id, p.doc, p.hash, p.size, p.data FROM parked p JOIN devices d ON d.id = p.device " +
				"WHERE d.member = ? ORDER BY p.id",
		},
		{&v.crowds, "SELECT doc, writers, heads, top FROM crowds WHERE member = ?"},
		{&v.devices, "SELECT uid FROM devices WHERE member = ?"},
	})
}

// verify looks at one member. An error says that the look could not be taken; damage is none.
func (v *memberVerifier) verify(ctx context.Context, id int64, uid crdt.MemberID) error {
	if _, err := v.begin.exec(); err != nil {
		return err
	}
	o := &order{
		memberVerifier: v, ctx: ctx, member: id, uid: uid,
		nodes: map[automerge.Hash]verNode{}, docs: map[int64]*verDoc{}, entries: map[crdt.EntryID]verEntry{},
	}
	err := o.run()
	if _, e := v.end.exec(); e != nil {
		return errors.Join(err, e)
	}
	switch {
	case ctx.Err() != nil:
		return nil
	case errors.Is(err, ErrDamaged) || resultCode(err) != 0:
		o.wrong("", 0, "what is stored of this member cannot be read: %v", err)
	case err != nil:
		return err
	}
	if v.Document != nil && !o.spoiled {
		for doc, list := range o.raw {
			v.Document(ctx, uid, doc, list)
		}
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.total.Members++
	v.total.Documents += len(o.docs)
	if v.Progress != nil {
		v.Progress(v.total)
	}
	return nil
}

// order is one member's while it is gone through.
type order struct {
	*memberVerifier
	ctx    context.Context
	member int64
	uid    crdt.MemberID

	at      wire.Receipt // of the last change
	bytes   int64
	nodes   map[automerge.Hash]verNode
	docs    map[int64]*verDoc
	entries map[crdt.EntryID]verEntry
	raw     map[crdt.DocName][]*automerge.Change // for Document
	said    int
	spoiled bool // something is wrong with the changes, so that more would be said for the same cause
}

// verNode is a change that came before.
type verNode struct {
	doc   int64
	maxop uint64
}

// verDoc is what is known of a document from its changes alone.
type verDoc struct {
	name    crdt.DocName
	writers map[automerge.ActorID]*verWriter
	last    map[automerge.Hash]*verWriter
	heads   int
}

// verWriter is a row of writers as it has to be.
type verWriter struct {
	seq, maxop, at uint64
	last           automerge.Hash
	head, whole    bool
	seen           bool // in the table
}

// verEntry is a record of the feed as it has to be.
type verEntry struct {
	seq    uint64 // of the change that logs it
	device crdt.DeviceID
	body   [sha256.Size]byte
	seen   bool
}

func (o *order) wrong(doc crdt.DocName, seq uint64, format string, args ...any) {
	if o.said++; o.said > maxProblems {
		if o.said == maxProblems+1 {
			o.verifier.wrong(Problem{Member: o.uid, Text: "and more of this member"})
		}
		return
	}
	o.verifier.wrong(Problem{o.uid, doc, seq, fmt.Sprintf(format, args...)})
}

// broken is wrong about a change, after which other findings would be of the same cause.
func (o *order) broken(doc crdt.DocName, seq uint64, format string, args ...any) {
	o.spoiled = true
	o.wrong(doc, seq, format, args...)
}

func (o *order) run() (err error) {
	defer guard(&err)
	row, err := o.memberVerifier.member.row(o.member)
	if err != nil || row == nil {
		return err // gone since the list was read: there is no way to delete one, but it is no damage either
	}
	head := wire.Receipt{Seq: uint64(row[0].(int64)), Chain: chainOf(row[1])}
	folded, tenant := uint64(row[2].(int64)), row[3].(int64)
	if o.Document != nil {
		o.raw = map[crdt.DocName][]*automerge.Change{}
	}
	if err := o.folded(folded); err != nil {
		return err
	}
	if err := o.single(); err != nil {
		return err
	}
	if o.ctx.Err() != nil {
		return nil
	}
	switch {
	case o.at.Seq != head.Seq:
		o.broken("", 0, "there are changes up to %d, the member's row says %d", o.at.Seq, head.Seq)
	case o.at.Chain != head.Chain && !o.spoiled:
		o.broken("", 0, "the member's row has chain %s at %d, its changes lead to %s", head.Chain, head.Seq, o.at.Chain)
	}
	if err := o.checkParked(); err != nil {
		return err
	}
	if o.spoiled {
		return nil // what follows from the changes cannot be said
	}
	if n := row[4].(int64); n != o.bytes {
		o.wrong("", 0, "its changes have %d bytes, the member's row says %d: its quota is counted wrongly", o.bytes, n)
	}
	if err := o.checkWriters(); err != nil {
		return err
	}
	return o.checkFeed(tenant)
}

func chainOf(v driver.Value) (c wire.Chain) {
	if b := v.([]byte); len(b) == len(c) {
		copy(c[:], b)
	}
	return c
}

// folded goes through the segments.
func (o *order) folded(upto uint64) error {
	_, last := seqs(o.member)
	for o.ctx.Err() == nil {
		row, err := o.segments.row(o.member<<seqBits|int64(o.at.Seq), last)
		if err != nil {
			return err
		}
		if row == nil {
			break
		}
		g := scanSegment(row)
		name := fmt.Sprintf("segment %d to %d", g.From.Seq+1, g.To.Seq)
		switch {
		case g.From.Seq != o.at.Seq:
			o.broken("", 0, "%s does not follow change %d", name, o.at.Seq)
		case g.From.Chain != o.at.Chain:
			o.broken("", 0, "%s begins at chain %s, what comes before leads to %s", name, g.From.Chain, o.at.Chain)
		}
		items, err := g.Open()
		if err != nil {
			o.broken("", 0, "%v", err)
			o.at = g.To
			continue
		}
		var partial []bool
		for i, it := range items {
			h := it.Change.Hash()
			o.at.Seq++
			o.at.Chain = o.at.Chain.Next(h)
			if len(g.Marks) >= 8*(i+1) && !bytes.Equal(g.Marks[8*i:8*i+8], h[:8]) {
				o.wrong(it.Doc, o.at.Seq, "it is not found by its hash: %s has another mark for it", name)
			}
			doc, err := o.docNumber(it.Doc)
			if err != nil {
				return err
			}
			if doc == 0 {
				if doc = -1; o.docs[doc] == nil {
					o.broken(it.Doc, o.at.Seq, "the document has no number")
				}
			}
			partial = append(partial, !o.change(doc, it.Doc, it.Change))
		}
		o.mu.Lock()
		o.total.Segments++
		o.mu.Unlock()
		if !bytes.Equal(bytes.TrimRight(g.partial, "\x00"), packPartial(partial)) {
			o.wrong("", 0, "%s says wrongly which of its changes build on all before them", name)
		}
		if spans, _ := row[7].([]byte); !bytes.Equal(spans, o.spansOf(items)) {
			o.wrong("", 0, "%s says wrongly whose operations are in it", name)
		}
	}
	if o.at.Seq != upto && o.ctx.Err() == nil {
		o.broken("", 0, "segments go up to change %d, the member's row says %d", o.at.Seq, upto)
	}
	return nil
}

func (o *order) spansOf(items []wire.Item) []byte {
	var list []span
	type actorDoc struct {
		doc   int64
		actor automerge.ActorID
	}
	index := map[actorDoc]int{}
	for _, it := range items {
		c := it.Change
		if len(c.Ops) == 0 {
			continue
		}
		doc, _ := o.docNumber(it.Doc) // it was looked up before
		k := actorDoc{doc, c.Actor}
		i, ok := index[k]
		if !ok {
			i = len(list)
			index[k] = i
			list = append(list, span{doc, actorMark(c.Actor), c.StartOp, c.MaxOp()})
		}
		list[i].first, list[i].last = min(list[i].first, c.StartOp), max(list[i].last, c.MaxOp())
	}
	return appendSpans(nil, list)
}

// docNumber returns the number of a document's name, 0 for none.
func (o *order) docNumber(name crdt.DocName) (int64, error) {
	for id, n := range o.names {
		if n == name {
			return id, nil
		}
	}
	row, err := o.docID.row(string(name))
	if err != nil || row == nil {
		return 0, err
	}
	id := row[0].(int64)
	o.names[id] = name
	return id, nil
}

// docName is the reverse.
func (o *order) docName(id int64) (crdt.DocName, error) {
	if n, ok := o.names[id]; ok {
		return n, nil
	}
	row, err := o.memberVerifier.docs.row(id)
	if err != nil || row == nil {
		return "", err
	}
	o.names[id] = crdt.DocName(row[0].(string))
	return o.names[id], nil
}

// single goes through the changes that stand one by one.
func (o *order) single() error {
	_, last := seqs(o.member)
	var bad error
	err := o.changes.each(func(row []driver.Value) bool {
		seq := uint64(row[0].(int64)) & maxSeq
		if o.at.Seq+1 != seq {
			o.broken("", seq, "it follows change %d: what was between them is gone", o.at.Seq)
			o.at.Seq = seq - 1
		}
		o.at.Seq = seq
		var name crdt.DocName
		if name, bad = o.docName(row[1].(int64)); bad != nil {
			return false
		}
		stored := row[2].([]byte)
		chain := chainOf(row[3])
		c, err := parseRow(row[6].([]byte), int(row[5].(int64)))
		if err != nil {
			o.broken(name, seq, "its bytes are damaged: %v", err)
			o.at.Chain = chain
			return o.ctx.Err() == nil
		}
		h := c.Hash()
		switch at := o.at.Chain.Next(h); {
		case !bytes.Equal(stored, h[:]):
			o.broken(name, seq, "its bytes have hash %s, stored is %x", h, stored)
		case chain != at:
			o.broken(name, seq, "it has chain %s, the changes up to it lead to %s", chain, at)
		}
		o.at.Chain = chain // so that one that is wrong does not make all after it so
		if name == "" {
			o.broken("", seq, "it is of document number %d, which is not there", row[1])
		}
		if row[5].(int64) < 0 {
			o.wrong(name, seq, "stored is a length of %d", row[5])
		}
		whole := o.change(row[1].(int64), name, c)
		if row[4].(int64) != int64(c.MaxOp()) {
			o.wrong(name, seq, "its operations go up to %d, stored is %d", c.MaxOp(), row[4])
		}
		if whole != (row[8].(int64) != 0) && !o.spoiled {
			o.wrong(name, seq, "it builds on all before it: %v, stored is the contrary", whole)
		}
		var mark driver.Value
		if !name.IsLog() {
			mark = actorMark(c.Actor)
		}
		if row[7] != mark {
			o.wrong(name, seq, "it is not found by its writer: stored is another mark")
		}
		return o.ctx.Err() == nil
	}, o.member<<seqBits|int64(o.at.Seq), last)
	return errors.Join(err, bad)
}

// change puts a change behind those before it and reports whether it builds on all of its document.
func (o *order) change(id int64, name crdt.DocName, c *automerge.Change) (whole bool) {
	seq, h := o.at.Seq, c.Hash()
	o.bytes += int64(c.Len())
	o.mu.Lock()
	o.total.Changes++
	o.total.Bytes += int64(c.Len())
	o.mu.Unlock()
	if _, twice := o.nodes[h]; twice {
		o.broken(name, seq, "%s is there twice", h)
		return false
	}
	d := o.docs[id]
	if d == nil {
		d = &verDoc{name: name, writers: map[automerge.ActorID]*verWriter{}, last: map[automerge.Hash]*verWriter{}}
		o.docs[id] = d
	}
	w := d.writers[c.Actor]
	if w == nil {
		w = &verWriter{}
		d.writers[c.Actor] = w
	}
	if c.Seq != w.seq+1 {
		o.broken(name, seq, "it is number %d of its writer, whose number %d came before", c.Seq, w.seq)
	}
	top := w.maxop
	heads := 0
	for _, dep := range c.Deps {
		n, ok := o.nodes[dep]
		if !ok || n.doc != id {
			o.broken(name, seq, "it builds on %s, which did not come before it", dep)
		}
		top = max(top, n.maxop)
		if x := d.last[dep]; x != nil && x.head {
			heads++
		}
	}
	if c.StartOp <= top {
		o.broken(name, seq, "its operations start at %d, those before it go up to %d", c.StartOp, top)
	}
	if err := c.CheckStrict(); err != nil {
		o.broken(name, seq, "%v", err)
	}
	whole = heads == len(c.Deps) && heads == d.heads
	for _, dep := range c.Deps {
		if x := d.last[dep]; x != nil && x.head {
			x.head = false
			d.heads--
		}
	}
	if w.head {
		d.heads--
	}
	delete(d.last, w.last)
	w.seq, w.maxop, w.at, w.last, w.head, w.whole = c.Seq, max(w.maxop, c.MaxOp()), seq, h, true, whole
	d.last[h] = w
	d.heads++
	o.nodes[h] = verNode{id, c.MaxOp()}
	o.log(name, c)
	if o.raw != nil {
		o.raw[name] = append(o.raw[name], c)
	}
	return whole
}

// log notes what a change adds to the feed.
func (o *order) log(name crdt.DocName, c *automerge.Change) {
	if o.spoiled {
		return
	}
	rs, err := o.Project(o.uid, crdt.DeviceID{}, wire.Item{Doc: name, Change: c})
	if err != nil {
		o.wrong(name, o.at.Seq, "it is not what a log holds: %v", err)
	}
	for i := range rs {
		// Of the same entry, written twice, the first counts.
		if _, ok := o.entries[rs[i].Entry]; !ok {
			o.entries[rs[i].Entry] = verEntry{seq: o.at.Seq, device: rs[i].Device, body: sha256.Sum256([]byte(rs[i].Body))}
		}
	}
}

// checkWriters compares the rows of writers with what the changes say.
func (o *order) checkWriters() error {
	var bad error
	if err := o.writers.each(func(row []driver.Value) bool {
		var name crdt.DocName
		if name, bad = o.docName(row[0].(int64)); bad != nil {
			return false
		}
		actor, got := scanWriter(row[1:])
		d := o.docs[row[0].(int64)]
		var w *verWriter
		if d != nil {
			w = d.writers[actor]
		}
		if w == nil {
			o.wrong(name, 0, "writer %s is in the table of writers and has written nothing there", actor)
			return true
		}
		w.seen = true
		if got.seq != w.seq || got.maxop != w.maxop || got.last != w.last || got.at != w.at || got.head != w.head || got.whole != w.whole {
			o.wrong(name, w.at, "the table of writers has number %d, operation %d, change %s at %d for its writer; its changes say %d, %d, %s at %d",
				got.seq, got.maxop, short(got.last), got.at, w.seq, w.maxop, short(w.last), w.at)
		} else if crowd := len(d.writers) > fewWriters; w.head && crowd != (row[5] == int64(2)) {
			o.wrong(name, w.at, "the table of writers has its writer as one of a crowd: %v, stored is the contrary", crowd)
		}
		return o.ctx.Err() == nil
	}, o.member); err != nil || bad != nil {
		return errors.Join(err, bad)
	}
	for _, d := range o.docs {
		for actor, w := range d.writers {
			if !w.seen {
				o.wrong(d.name, w.at, "writer %s is not in the table of writers", actor)
			}
		}
	}
	return o.checkCrowds()
}

// checkCrowds compares the counts of documents of many writers with what the changes say.
func (o *order) checkCrowds() error {
	counted := map[int64]bool{}
	var bad error
	if err := o.crowds.each(func(row []driver.Value) bool {
		doc := row[0].(int64)
		counted[doc] = true
		var name crdt.DocName
		if name, bad = o.docName(doc); bad != nil {
			return false
		}
		var writers, heads int
		var top uint64
		if d := o.docs[doc]; d != nil {
			writers, heads = len(d.writers), d.heads
			for _, w := range d.writers {
				top = max(top, w.maxop)
			}
		}
		if row[1] != int64(writers) || row[2] != int64(heads) || row[3] != int64(top) {
			o.wrong(name, 0, "it counts as one of %d writers, %d heads and %d operations; its changes say %d, %d and %d", row[1], row[2], row[3], writers, heads, top)
		}
		return o.ctx.Err() == nil
	}, o.member); err != nil || bad != nil {
		return errors.Join(err, bad)
	}
	for doc, d := range o.docs {
		if len(d.writers) > fewWriters && !counted[doc] {
			o.wrong(d.name, 0, "the count of its %d writers is lost", len(d.writers))
		}
	}
	return nil
}

func short(h automerge.Hash) string { return h.String()[:12] }

// checkFeed compares the member's records with the entries that its changes log.
func (o *order) checkFeed(tenant int64) error {
	var devices []crdt.DeviceID
	if err := o.devices.each(func(row []driver.Value) bool {
		devices = append(devices, crdt.DeviceID(row[0].([]byte)))
		return true
	}, o.member); err != nil {
		return err
	}
	records := 0
	if err := o.feed.each(func(row []driver.Value) bool {
		records++
		pos, id := row[0].(int64), crdt.EntryID(row[2].([]byte))
		e, ok := o.entries[id]
		switch dev := crdt.DeviceID(row[3].([]byte)); {
		case !ok:
			o.wrong("", 0, "record %d of the feed is of entry %s, which no change logs", pos, id)
			return true
		case row[1].(int64) != tenant:
			o.wrong("", e.seq, "record %d of the feed, of entry %s, is another company's", pos, id)
		case sha256.Sum256([]byte(row[4].(string))) != e.body:
			o.wrong("", e.seq, "record %d of the feed is not what entry %s says", pos, id)
		case e.device != dev && (e.device != crdt.DeviceID{} || !slices.Contains(devices, dev)):
			o.wrong("", e.seq, "record %d of the feed says that device %s wrote entry %s, it was %s", pos, dev, id, e.device)
		}
		e.seen = true
		o.entries[id] = e
		return o.ctx.Err() == nil
	}, o.member); err != nil {
		return err
	}
	o.mu.Lock()
	o.total.Records += records
	o.mu.Unlock()
	for id, e := range o.entries {
		if !e.seen && o.ctx.Err() == nil {
			o.wrong("", e.seq, "entry %s is not in the feed: corporate has not heard of it", id)
		}
	}
	return nil
}

// checkParked looks at what revoked devices had not sent, which is no part of the order.
func (o *order) checkParked() error {
	var bad error
	return errors.Join(o.parked.each(func(row []driver.Value) bool {
		var name crdt.DocName
		if name, bad = o.docName(row[1].(int64)); bad != nil {
			return false
		}
		c, err := parseRow(row[4].([]byte), int(row[3].(int64)))
		if err != nil {
			o.wrong(name, 0, "kept change %d of a revoked device: its bytes are damaged: %v", row[0], err)
		} else if h := c.Hash(); !bytes.Equal(h[:], row[2].([]byte)) {
			o.wrong(name, 0, "kept change %d of a revoked device: its bytes have hash %s, stored is %x", row[0], h, row[2])
		}
		return o.ctx.Err() == nil
	}, o.member), bad)
}
