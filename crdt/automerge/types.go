package automerge

import (
	"cmp"
	"encoding/hex"
)

// Hash is the SHA-256 of a change chunk (type byte 1, length, contents), whichever way the chunk was compressed.
type Hash [32]byte

// String returns the hash in lower-case hexadecimal.
func (h Hash) String() string { return hex.EncodeToString(h[:]) }

// ActorID names one writer: raw bytes held in a string so that it compares and keys maps. 1 to MaxActorBytes bytes.
type ActorID string

// String returns the actor in lower-case hexadecimal, as Automerge prints it.
func (a ActorID) String() string { return hex.EncodeToString([]byte(a)) }

// OpID names one operation: a Lamport counter and its writer. The zero OpID names the root map.
type OpID struct {
	Counter uint64
	Actor   ActorID
}

// Root is the object id of the root map.
var Root = OpID{}

// IsRoot reports whether o names the root map.
func (o OpID) IsRoot() bool { return o.Counter == 0 }

// Compare orders operations as Automerge does: by counter, then by actor bytes. The greatest wins a conflict.
func (o OpID) Compare(p OpID) int {
	if c := cmp.Compare(o.Counter, p.Counter); c != 0 {
		return c
	}
	return cmp.Compare(o.Actor, p.Actor)
}

// Action is what an operation does; the numbers are those of the storage format.
type Action uint8

// Actions of the storage format.
const (
	MakeMap   Action = 0
	Put       Action = 1
	MakeList  Action = 2
	Delete    Action = 3
	MakeText  Action = 4
	Increment Action = 5
	MakeTable Action = 6
	Mark      Action = 7
)

// Kind is the type of a scalar; the numbers are those of the value metadata column.
type Kind uint8

// Kinds of the storage format. Kinds above KindTimestamp are unknown to us and carried as bytes.
const (
	KindNull      Kind = 0
	KindFalse     Kind = 1
	KindTrue      Kind = 2
	KindUint      Kind = 3
	KindInt       Kind = 4
	KindFloat64   Kind = 5
	KindString    Kind = 6
	KindBytes     Kind = 7
	KindCounter   Kind = 8
	KindTimestamp Kind = 9
)

// Value is one scalar. Exactly one of Num and Str carries it:
//
//	KindUint                            Num holds the bits of a uint64
//	KindInt, KindCounter, KindTimestamp Num holds an int64 (a timestamp is in ms since 1970)
//	KindFloat64                         Num holds the IEEE 754 bits
//	KindString                          Str holds UTF-8
//	KindBytes and unknown kinds         Str holds the raw bytes (the format has room for kinds up to 15)
//	KindNull, KindFalse, KindTrue       neither: both are zero
//
// Values are comparable with ==.
type Value struct {
	Kind Kind
	Num  int64
	Str  string
}

// Op is one operation of a change. Its id is (Change.StartOp + index, Change.Actor).
type Op struct {
	Obj    OpID   // the object written to; zero means the root map
	Key    string // map key, which may be empty; "" when Elem addresses a list element
	Elem   OpID   // list element; zero means the head
	Value  Value
	Pred   []OpID // the operations that this one overwrites, ascending by OpID
	Mark   string // of a mark: its name; "" ends one
	Action Action
	IsList bool // the operation addresses Elem in a list or text, not Key in a map
	Insert bool // the operation makes a new list element after Elem
	Expand bool // of a mark: whether text written at its edge takes it on
}

// Change is the decoded form of one change chunk. A Change that came out of ParseChange, or that was sealed, is not to be
// modified: its hash and its bytes are kept with it.
type Change struct {
	Actor   ActorID
	Seq     uint64 // 1 for an actor's first change of a document, then without a gap
	StartOp uint64 // counter of the first operation, at least 1
	Time    int64  // writer's clock, a claim: most engines write seconds since 1970, automerge-go milliseconds
	Message string
	Deps    []Hash // ascending, no duplicates
	Ops     []Op
	Extra   []byte // bytes after the columns, kept for writers newer than us

	// What ParseChange and Seal keep; hash is zero and raw empty before.
	hash      Hash
	raw       string // the uncompressed chunk (type 1), canonical or not; a string, so that parts of it are strings
	canonical uint32 // what Canonical found out; atomic, since readers of a sealed change may ask at the same time
	parsed    bool   // keys and values are parts of raw
}
