package storetest

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"

	"github.com/google/uuid"

	"trio/crdt"
	"trio/crdt/automerge"
	"trio/server/store"
)

// An Author makes changes as a device does: one actor, with a sequence of its own in each document, building on the
// heads that it has seen. It is for one goroutine at a time.
type Author struct {
	Log crdt.DocName // the log that Tap writes to: of November 2026

	member crdt.MemberID
	device crdt.DeviceID
	actor  automerge.ActorID
	// carrier brings what it writes; zero: not said, as its actor is a device's.
	carrier crdt.DeviceID
	rnd     *rand.Rand
	docs    map[crdt.DocName]*view
}

// A view is what an author knows of one document.
type view struct {
	seq, maxop uint64
	heads      []automerge.Hash
	seen       map[automerge.Hash]bool
}

// NewAuthor returns the writer of a device with a writer counter (see crdt.NewActor). What it makes depends on rnd alone.
func NewAuthor(d store.Device, writer uint32, rnd *rand.Rand) *Author {
	return &Author{
		member: d.Member, device: d.ID, actor: crdt.NewActor(d.ID, writer), rnd: rnd,
		docs: map[crdt.DocName]*view{}, Log: "log-2026-11",
	}
}

// NewProgram returns a writer of another program that speaks Automerge's protocol: its actor is random, and the device brings
// what it writes.
func NewProgram(d store.Device, rnd *rand.Rand) *Author {
	a := NewAuthor(d, 0, rnd)
	u := a.uuid()
	a.actor, a.carrier = automerge.ActorID(u[:]), d.ID
	return a
}

func (a *Author) view(doc crdt.DocName) *view {
	v := a.docs[doc]
	if v == nil {
		v = &view{seen: map[automerge.Hash]bool{}}
		a.docs[doc] = v
	}
	return v
}

// See has the author build on a change from now on.
func (a *Author) See(doc crdt.DocName, c *automerge.Change) { a.view(doc).see(c) }

// Load has the author build on all that another one knows, as a program does that loads the documents.
func (a *Author) Load(b *Author) {
	for doc, v := range b.docs {
		a.docs[doc] = &view{maxop: v.maxop, heads: slices.Clone(v.heads), seen: maps.Clone(v.seen)}
	}
}

func (v *view) see(c *automerge.Change) {
	if v.seen[c.Hash()] {
		return
	}
	v.seen[c.Hash()] = true
	v.heads = slices.DeleteFunc(v.heads, func(h automerge.Hash) bool { return slices.Contains(c.Deps, h) })
	v.heads = append(v.heads, c.Hash())
	v.maxop = max(v.maxop, c.MaxOp())
}

// entryTime is the claimed time of all entries: 2026-11-05 12:00 UTC.
const entryTime = 1793880000000

// Entry returns a random entry of the log and its id.
func (a *Author) Entry() (crdt.EntryID, crdt.Entry) {
	kinds := []crdt.Kind{crdt.Call, crdt.Text, crdt.Email, crdt.Meet}
	return crdt.EntryID(a.uuid()), crdt.Entry{
		Version: crdt.EntryVersion, Kind: kinds[a.rnd.IntN(len(kinds))], At: entryTime + a.rnd.Int64N(86400000), Zone: 60,
		Evidence: crdt.E1, Contact: crdt.ContactID(a.uuid()), Channel: "phone", Outcome: "reached",
		Note: fmt.Sprintf("private words %d", a.rnd.Uint32()),
	}
}

// Tap returns a change that logs n random entries, as an item of a push with its feed records.
func (a *Author) Tap(n int) store.Item {
	var ops []automerge.Op
	var feed []store.FeedRecord
	for range n {
		id, e := a.Entry()
		body, err := e.Encode()
		must(err)
		public, err := e.ForCorporate()
		must(err)
		ops = append(ops, automerge.Op{Key: id.String(), Action: automerge.Put, Value: automerge.Value{Kind: automerge.KindString, Str: body}})
		feed = append(feed, store.FeedRecord{Entry: id, Member: a.member, Device: a.device, Body: public})
	}
	it := a.Write(a.Log, ops)
	it.Feed = feed
	return it
}

// Edit returns a change of n fields in the contacts document.
func (a *Author) Edit(n int) store.Item {
	var ops []automerge.Op
	for range n {
		ops = append(ops, automerge.Op{
			Key: crdt.ContactKey(crdt.ContactID(a.uuid()), crdt.FieldName), Action: automerge.Put,
			Value: automerge.Value{Kind: automerge.KindString, Str: fmt.Sprintf("person %d", a.rnd.Uint32())},
		})
	}
	return a.Write(crdt.ContactsDoc, ops)
}

// Write returns a change of one document with the operations given.
func (a *Author) Write(doc crdt.DocName, ops []automerge.Op) store.Item {
	v := a.view(doc)
	c := &automerge.Change{
		Actor: a.actor, Seq: v.seq + 1, StartOp: v.maxop + 1, Time: entryTime / 1000,
		Deps: slices.SortedFunc(slices.Values(v.heads), func(a, b automerge.Hash) int { return slices.Compare(a[:], b[:]) }), Ops: ops,
	}
	must(c.Seal())
	v.seq = c.Seq
	v.see(c)
	return store.Item{Doc: doc, Change: c, Carrier: a.carrier}
}

// Fork returns an author that will write the same sequence numbers again, as a restored copy of a device would.
func (a *Author) Fork() *Author {
	f := *a
	f.docs = map[crdt.DocName]*view{}
	for doc, v := range a.docs {
		w := *v
		w.heads = slices.Clone(v.heads)
		w.seen = map[automerge.Hash]bool{}
		for h := range v.seen {
			w.seen[h] = true
		}
		f.docs[doc] = &w
	}
	return &f
}

func (a *Author) uuid() (u uuid.UUID) {
	for i := range u {
		u[i] = byte(a.rnd.Uint32())
	}
	u[6], u[8] = u[6]&0x0f|0x70, u[8]&0x3f|0x80
	return u
}

// must is for what can fail only if this package is wrong.
func must(err error) {
	if err != nil {
		panic(fmt.Sprintf("storetest: %v", err))
	}
}
