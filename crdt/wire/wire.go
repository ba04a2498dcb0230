package wire

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"slices"

	"trio/crdt"
	"trio/crdt/automerge"
)

// Protocol versions. A server answers a Hello with the highest version that both speak.
//
//	1  first
//	2  Welcome.Leave, Left
//	3  Hello.Playbook, Welcome.Playbook, Playbook
const (
	Version    = 3
	MinVersion = 1
)

// Limits of a frame. A peer that breaks one is answered with an Error of CodeFrame and closed.
const (
	MaxFrame    = 4 << 20  // bytes on the WebSocket
	MaxChange   = 1 << 20  // bytes of the uncompressed chunk of one change; writers stay far below it
	MaxInflated = 16 << 20 // bytes of a bundle's text once inflated, of its change chunks, and of the strings in them
	MaxChanges  = 4096     // changes in one bundle
	MaxHave     = 16384    // hashes in one Have
	maxText     = 1 << 10  // bytes of a name or a sentence
	maxDocs     = 512      // documents in one bundle
	MaxPlaybook = 1 << 20  // bytes of a company's playbook
	MaxRows     = 1 << 18  // operations, predecessors and dependencies of one bundle, together
)

// ErrTooLarge says that a frame breaks a limit that fewer changes or hashes would keep: cut it into several.
var ErrTooLarge = errors.New("frame is too large: cut it into several")

// Epoch names one incarnation of a server's store; a restore from a backup makes a new one.
type Epoch [16]byte

// Chain folds the hashes of a member's changes in their order, so that two sides that agree on (Seq, Chain) hold the
// same changes up to there. Chain n = the first 16 bytes of SHA-256(chain n-1, change hash n); chain 0 is zero.
type Chain [16]byte

// Next returns the chain with one more change.
func (c Chain) Next(h automerge.Hash) Chain {
	var b [16 + 32]byte
	copy(b[:], c[:])
	copy(b[16:], h[:])
	s := sha256.Sum256(b[:])
	return Chain(s[:16])
}

func (e Epoch) String() string { return hex.EncodeToString(e[:]) }
func (c Chain) String() string { return hex.EncodeToString(c[:]) }

// Receipt says that a store holds, durably, the member's changes 1 to Seq. It is the acknowledgement of a push and the
// cursor of a device in one. The zero Receipt is the start of every member's order.
type Receipt struct {
	Epoch Epoch
	Seq   uint64
	Chain Chain
}

// Code says what went wrong, for programs. Codes are never reused.
type Code uint16

// Codes of an Error frame and of a refused change. Those from 100 on refuse one change, not a connection.
const (
	CodeFrame    Code = 1 // a frame that cannot be read or breaks a limit
	CodeVersion  Code = 2 // no protocol version in common
	CodeDevice   Code = 3 // the device of the Hello is not the token's, or is revoked
	CodeOrder    Code = 4 // a frame that is not expected now
	CodeInternal Code = 5 // the server's fault: come back
	CodeBusy     Code = 6 // too much to do: come back later
	CodeFull     Code = 7 // the server's storage is full: come back later
	CodeShutdown Code = 8 // the server goes down: come back
	CodeRevoked  Code = 10

	CodeActor    Code = 100 // the writer is not one of the member's devices
	CodeDeps     Code = 101 // a change that it builds on is not here
	CodeSequence Code = 102 // the writer has already used this sequence number for something else
	CodeDocument Code = 103 // no such document can exist
	CodeInvalid  Code = 104 // the change breaks a rule of the format or a limit
	CodeSchema   Code = 105 // what the server projects from it cannot be read
)

// codeNames are the codes as logs and metrics name them.
var codeNames = map[Code]string{
	CodeFrame: "frame", CodeVersion: "version", CodeDevice: "device", CodeOrder: "order", CodeInternal: "internal", CodeBusy: "busy",
	CodeFull: "full", CodeShutdown: "shutdown", CodeRevoked: "revoked",
	CodeActor: "actor", CodeDeps: "dependencies", CodeSequence: "sequence", CodeDocument: "document", CodeInvalid: "invalid",
	CodeSchema: "schema",
}

// Codes returns all codes.
func Codes() []Code { return slices.Sorted(maps.Keys(codeNames)) }

// String is the code's name, or "other".
func (c Code) String() string { return cmp.Or(codeNames[c], "other") }

// Retry reports whether the same device may come back with the same data.
func (c Code) Retry() bool {
	switch c {
	case CodeInternal, CodeBusy, CodeFull, CodeShutdown, CodeFrame, CodeOrder:
		return true
	}
	return false
}

// Final reports whether a change refused with the code will never be taken as it is, by this server or another one that
// knows no more.
func (c Code) Final() bool { return c == CodeDocument || c == CodeInvalid || c == CodeSchema }

// Item is one change of one document.
type Item struct {
	Doc    crdt.DocName
	Change *automerge.Change
}

// Hello opens a connection, device to server.
type Hello struct {
	Version uint64
	Member  crdt.MemberID
	Device  crdt.DeviceID
	Receipt Receipt
	Pending uint64 // changes without a receipt
	Now     int64  // the device's clock, ms since 1970
	App     string // name and version of the program
	// Playbook (version 3) is the company's playbook that the device holds.
	Playbook PlaybookID
}

// PlaybookID names a published playbook. The zero value says that there is none.
type PlaybookID struct {
	Version uint32
	Hash    [32]byte // SHA-256 of its bytes; zero when Version is
}

// Welcome answers a Hello. Reconcile says that the Receipt of the Hello does not prove anything here: the device forgets
// its receipts, names what it holds in Have frames, and is sent the whole order again (what it holds as hashes).
//
// Leave (version 2) says that the device's access was taken back: it pushes what is only on it, which is kept apart, empties
// itself once that was answered, and says so with Left. Nothing else is sent to it. A device of version 1 gets an Error.
//
// Playbook (version 3) is the version of the company's newest playbook, 0 when there is none; if the device needs it, it
// follows once the device was sent what the order has.
type Welcome struct {
	Version   uint64
	Head      Receipt
	Now       int64 // the server's clock, ms since 1970
	Conn      string
	Reconcile bool
	Leave     bool
	Playbook  uint32
}

// Left says that a device that was told to leave is empty (version 2). The server closes the connection with CodeRevoked.
type Left struct{}

// Have names changes that a device holds, after a Welcome that asked to reconcile. The frame without More is the last.
type Have struct {
	Hashes []automerge.Hash
	More   bool
}

// Push carries changes from a device. ID is the device's own, answered by an Answer; at most one Push is under way. A Push
// without items brings nothing but what its ID says: up to which number the device has stored the member's order. (Servers
// that know no such thing answer it, too.)
type Push struct {
	ID    uint64
	Items []Item
}

// Refusal says why one change of a push was not stored.
type Refusal struct {
	Hash automerge.Hash
	Code Code
	Text string
}

// Answer ends a Push: every change of it that is not refused is durable and at or below the Receipt of the Changes
// frames that came before.
type Answer struct {
	ID      uint64
	Refused []Refusal
}

// Changes carries a piece of the member's order, server to device: what comes after From.Seq, up to To. Held[i] says
// that the device already holds the i-th change, whose hash alone is in Hashes then; the others are in Items, in order.
type Changes struct {
	From   Receipt
	To     Receipt
	Held   []bool
	Hashes []automerge.Hash
	Items  []Item
}

// Playbook (version 3) carries the company's newest playbook, server to device: at the connection, when the device holds an
// older one, none, or another of the same version, and whenever one is published. It is sent between pieces of the order
// and never to a device that is to leave; the device keeps the highest version.
type Playbook struct {
	Version uint32 // 1 or more
	Doc     []byte // as it was published: canonical JSON. The decoder has compared its hash
}

// ID returns the playbook's name.
func (p *Playbook) ID() PlaybookID { return PlaybookID{p.Version, sha256.Sum256(p.Doc)} }

// Error says why a connection is about to be closed.
type Error struct {
	Code Code
	Text string // for people: what is wrong and what to do
	Wait uint64 // ms to wait before coming back, if Code.Retry; 0: the device's own back-off
}

func (e *Error) Error() string { return fmt.Sprintf("%s (code %d)", e.Text, e.Code) }

// Frame is one of *Hello, *Welcome, *Have, *Push, *Answer, *Changes, *Error, *Left, *Playbook.
type Frame interface{ kind() byte }

const (
	kindHello    = 1
	kindWelcome  = 2
	kindHave     = 3
	kindPush     = 4
	kindAnswer   = 5
	kindChanges  = 6
	kindError    = 7
	kindLeft     = 8
	kindPlaybook = 9
)

func (*Hello) kind() byte    { return kindHello }
func (*Welcome) kind() byte  { return kindWelcome }
func (*Have) kind() byte     { return kindHave }
func (*Push) kind() byte     { return kindPush }
func (*Answer) kind() byte   { return kindAnswer }
func (*Changes) kind() byte  { return kindChanges }
func (*Error) kind() byte    { return kindError }
func (*Left) kind() byte     { return kindLeft }
func (*Playbook) kind() byte { return kindPlaybook }
