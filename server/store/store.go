package store

import (
	"context"
	"errors"
	"time"

	"trio/crdt"
	"trio/crdt/automerge"
	"trio/crdt/wire"
)

// Errors that callers tell apart. After these nothing of a write was stored. Every other error of a write, that of an ended
// context among them, means that its outcome is unknown: acknowledge nothing, let the device push again.
var (
	// ErrBusy: the queue of the committer is full; nothing was stored; the device is to come back.
	ErrBusy = errors.New("store is busy: come back")
	// ErrFull: the disk (or the page limit) is full; nothing of the write was stored; what was stored before is safe.
	ErrFull = errors.New("server storage is full: nothing of this was stored")
	// ErrNotFound: no such member, device, company, key or invitation.
	ErrNotFound = errors.New("not found")
	// ErrCursor: the cursor was not made by this feed.
	ErrCursor = errors.New("cursor is not one of this feed: pull again from the start, or from a cursor that it gave")
	// ErrNewer: the database was written by a newer build.
	ErrNewer  = errors.New("database is of a newer version: run the newer build")
	ErrClosed = errors.New("store is closed")
)

// Tenant names a company.
type Tenant int64

// Device is one installation that may sync.
type Device struct {
	ID         crdt.DeviceID
	Member     crdt.MemberID
	MemberName string
	Tenant     Tenant
	Name       string
	Created    time.Time
	Revoked    bool
}

// FeedRecord is one entry of a member's log as corporate sees it: ids, no names, no notes.
type FeedRecord struct {
	Entry  crdt.EntryID
	Member crdt.MemberID
	Device crdt.DeviceID // of the actor that wrote it; of the carrier when that is none of ours
	Body   string        // crdt.Entry.ForCorporate
}

// Item is one change of a push.
type Item struct {
	Doc    crdt.DocName
	Change *automerge.Change // parsed and checked
	// Carrier is the member's device that brings the change. The actor of a change is a device of the member (which need not
	// be the one that brings it), or, as of other programs that speak Automerge's protocol, none of ours: a name of 1 to 64
	// bytes that is not as long as crdt.NewActor's. Then the carrier answers for it; whether that may sync still is the
	// caller's question. Zero: nobody does, and only actors of devices are taken.
	Carrier crdt.DeviceID
	Feed    []FeedRecord // what the change adds to the feed; deduplicated by (member, entry) in the store
}

// Rejection says why one item of a push was not stored. The codes are wire's.
type Rejection struct {
	Index int
	Code  wire.Code
	Text  string
}

// Ack is what became of a push: Receipt covers every item that is stored and not rejected, duplicates included.
type Ack struct {
	Receipt  wire.Receipt
	New      int
	Dup      int
	Rejected []Rejection
}

// Stored is one change in the member's order.
type Stored struct {
	Seq  uint64
	Doc  crdt.DocName
	Hash automerge.Hash
	Raw  []byte // uncompressed change chunk
}

// Page is a piece of a member's order, from the change after a given one to At. It is either a whole segment as it is
// stored, or changes one by one; both are empty when nothing comes after.
type Page struct {
	Segment *wire.Segment
	Changes []Stored
	At      wire.Receipt // of the last change of the page
	More    bool         // there are changes after At
}

// Activity is one record of the feed with the time of its arrival.
type Activity struct {
	FeedRecord
	Arrived time.Time
}

// Store is all that the sync server knows of storage. All methods may be called from many goroutines, and of several
// processes where an engine can (see Nodes).
//
// Durable: a nil error from a method that writes means that what it wrote survives a power cut, and the loss of a machine
// where an engine has several. What a read shows is as durable: nobody is ever shown what could be lost. Reads see every
// write that was acknowledged before they began, at whichever node.
//
// A context that ends stops a caller's waiting, and never a write that was begun.
type Store interface {
	// Append stores one push of one member: new changes in their causal order, the chain over them, their feed records. It
	// is stored whole or not at all, whatever fails, but for items that are rejected: an item whose dependencies are not
	// stored, whose sequence number is not its actor's next, whose actor is not of one of the member's devices (see
	// Item.Carrier), or that overwrites what is not there, is rejected; what depends on it in the same push is too; the
	// others go through. Rejections are part of the answer and no error.
	//
	// A push may be repeated at any time, in parts and by another device: known hashes are skipped and counted (Dup), a feed
	// record of a (member, entry) that is there already is left out. It never answers for a duplicate before its first copy
	// is durable. Numbers of the order are never given twice.
	//
	// ErrNotFound: no such member. ErrQuota when what is new is more than the member may store: duplicates alone are
	// answered even then. ErrBusy, ErrFull, ErrClosed.
	Append(ctx context.Context, m crdt.MemberID, items []Item) (Ack, error)
	// Since returns what comes after seq in the member's order: a segment, when one of at most limit changes starts there,
	// or else at most limit changes and about maxBytes of chunks, at least one change. There are no gaps, whatever is being
	// written meanwhile. Beyond the head there is an empty page at the head. ErrNotFound: no such member.
	Since(ctx context.Context, m crdt.MemberID, after uint64, limit, maxBytes int) (Page, error)
	// Compact folds the changes that stand one by one at the end of the member's order into a segment, if there are at
	// least so many (and at least one) of them, and says how many it folded: as many as a segment holds, 0 when there is
	// nothing to do, or somebody else has done it. Everything that is asked has the same answer before and after, so it does
	// not matter whether it was done when it fails, and it may be repeated. ErrNotFound, ErrBusy, ErrFull, ErrClosed.
	Compact(ctx context.Context, m crdt.MemberID, least int) (int, error)
	// ReceiptAt returns the receipt at a sequence number of the member, the same for ever; ok is false when seq is beyond
	// the head. Seq 0 is the empty chain. ErrNotFound: no such member.
	ReceiptAt(ctx context.Context, m crdt.MemberID, seq uint64) (r wire.Receipt, ok bool, err error)
	// Head returns the member's newest receipt; ErrNotFound.
	Head(ctx context.Context, m crdt.MemberID) (wire.Receipt, error)

	// Documents returns the names of the member's documents that somebody has written, ascending.
	Documents(ctx context.Context, m crdt.MemberID) ([]crdt.DocName, error)

	// Feed returns the tenant's records after a cursor in commit order, and the cursor after the last one: no gap, no
	// duplicate, in one order for all who read, across restarts and faults, until NewEpoch. "" is the start; next equals
	// cursor when there is nothing new. ErrCursor. A company that is not there has no records.
	Feed(ctx context.Context, t Tenant, cursor string, limit int) (rs []Activity, next string, err error)

	// People are the members, devices and keys of companies.
	People

	// Playbooks are what companies have published.
	Playbooks

	// Folds are what was made of members' documents.
	Folds

	// Notices are whom to tell of what, and what was told.
	Notices

	// Nodes are the processes that serve one store.
	Nodes

	// NewEpoch says that the store was put back from a backup: cursors of the feed of before are refused from the next Open
	// on. Each call makes another epoch. ErrBusy, ErrFull, ErrClosed.
	NewEpoch(ctx context.Context) error
	// Epoch names this incarnation, from Open to Close; a restore from a backup must change it (NewEpoch).
	Epoch() wire.Epoch
	// Stats says how this node does; it costs nothing, and Slowest begins anew.
	Stats() Stats
	// Health makes a write and returns nil when it is durable: a push would now be acknowledged.
	Health(ctx context.Context) error
	// Close finishes what is queued, waits for all that the store has begun, and may be called twice. Whoever comes later
	// gets ErrClosed.
	Close() error
}
