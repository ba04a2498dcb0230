package repo

import (
	"fmt"

	"github.com/fxamacker/cbor/v2"

	"trio/crdt/wire"
)

// protocolVersion is the version of automerge-repo's network protocol that is spoken here.
const protocolVersion = "1"

// Limits of one message.
const (
	// MaxMessage bounds a message in bytes. A program that was offline, or that brings back what a restored server lacks,
	// sends all changes of a document in one.
	MaxMessage = 64 << 20
	// maxName bounds the ids of peers, of sessions and of storages, in bytes.
	maxName = 256
	// maxEphemeral bounds the data of an ephemeral message.
	maxEphemeral = 64 << 10
	// maxRest bounds what a message has besides its data, fields that are not known here too, in bytes.
	maxRest = 64 << 10
)

// Kinds of messages.
const (
	kindJoin        = "join"
	kindPeer        = "peer"
	kindLeave       = "leave"
	kindRequest     = "request"
	kindSync        = "sync"
	kindUnavailable = "doc-unavailable"
	kindEphemeral   = "ephemeral"
	kindError       = "error"
)

// message has the fields of all kinds; each uses its own.
type message struct {
	Type     string    `cbor:"type"`
	Sender   string    `cbor:"senderId,omitempty"`
	Target   string    `cbor:"targetId,omitempty"`
	Doc      string    `cbor:"documentId,omitempty"`
	Data     []byte    `cbor:"data,omitempty"`
	Versions []string  `cbor:"supportedProtocolVersions,omitempty"` // join
	Version  string    `cbor:"selectedProtocolVersion,omitempty"`   // peer
	Metadata *metadata `cbor:"peerMetadata,omitempty"`              // peer
	Count    uint64    `cbor:"count,omitempty"`                     // ephemeral: ascends within a session
	Session  string    `cbor:"sessionId,omitempty"`                 // ephemeral
	Message  string    `cbor:"message,omitempty"`                   // error
}

// metadata says what a peer stores. Clients that store too keep what they know of a peer under its StorageID.
type metadata struct {
	StorageID string `cbor:"storageId,omitempty"`
	Ephemeral bool   `cbor:"isEphemeral"`
}

// Refusal is what the data of an ephemeral message says, in CBOR, when the server refused changes of its document. Such
// messages come from the server's own peer id.
type Refusal struct {
	Type    string          `cbor:"type"` // "trio-refused"
	Conn    string          `cbor:"conn"` // of the server's log, for support
	Changes []RefusedChange `cbor:"changes"`
}

// RefusedChange says why a change was refused.
type RefusedChange struct {
	Hash string    `cbor:"hash"`
	Code wire.Code `cbor:"code"`
	Text string    `cbor:"text"`
}

const refusalType = "trio-refused"

var decoding = func() cbor.DecMode {
	m, err := cbor.DecOptions{
		DupMapKey: cbor.DupMapKeyEnforcedAPF, MaxNestedLevels: 8, MaxArrayElements: 1024, MaxMapPairs: 256,
		FieldNameMatching: cbor.FieldNameMatchingCaseSensitive,
	}.DecMode()
	if err != nil {
		panic(err) // the options are constants
	}
	return m
}()

// decode reads a message and checks what it can without knowing who says it. Fields that are not known here are skipped.
func decode(b []byte) (*message, error) {
	var m message
	if err := decoding.Unmarshal(b, &m); err != nil {
		return nil, fmt.Errorf("message is not one of automerge-repo's: %w", err)
	}
	for name, s := range map[string]string{"type": m.Type, "senderId": m.Sender, "targetId": m.Target, "sessionId": m.Session} {
		if len(s) > maxName {
			return nil, fmt.Errorf("%s has %d bytes, at most %d are taken", name, len(s), maxName)
		}
	}
	if n := len(b) - len(m.Data); n > maxRest {
		return nil, fmt.Errorf("message has %d bytes besides its data, at most %d are taken", n, maxRest)
	}
	if m.Type == "" {
		return nil, fmt.Errorf("message has no type")
	}
	return &m, nil
}

func (m *message) encode() []byte {
	b, err := cbor.Marshal(m)
	if err != nil {
		panic(err) // of a message, which has nothing that cannot be encoded
	}
	return b
}
