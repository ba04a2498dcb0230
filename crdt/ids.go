package crdt

import (
	"encoding/binary"
	"fmt"
	"time"

	"github.com/google/uuid"

	"trio/crdt/automerge"
)

// MemberID names a member: the app's user, who owns documents.
type MemberID uuid.UUID

// DeviceID names one installation of the app.
type DeviceID uuid.UUID

// ContactID names a person in a member's book.
type ContactID uuid.UUID

// EntryID names one entry of the action log. Entries made on a device have a UUIDv7; what comes from outside has the
// UUIDv5 of its source key, so that arriving twice, or on two devices, is one.
type EntryID uuid.UUID

// DocumentID names one document of one member.
type DocumentID uuid.UUID

func (id MemberID) String() string   { return uuid.UUID(id).String() }
func (id DeviceID) String() string   { return uuid.UUID(id).String() }
func (id ContactID) String() string  { return uuid.UUID(id).String() }
func (id EntryID) String() string    { return uuid.UUID(id).String() }
func (id DocumentID) String() string { return uuid.UUID(id).String() }

// MarshalText writes the canonical form, so that ids are plain strings in JSON.
func (id MemberID) MarshalText() ([]byte, error)  { return uuid.UUID(id).MarshalText() }
func (id DeviceID) MarshalText() ([]byte, error)  { return uuid.UUID(id).MarshalText() }
func (id ContactID) MarshalText() ([]byte, error) { return uuid.UUID(id).MarshalText() }
func (id EntryID) MarshalText() ([]byte, error)   { return uuid.UUID(id).MarshalText() }

// UnmarshalText reads the canonical form only.
func (id *MemberID) UnmarshalText(b []byte) error  { return unmarshalID((*uuid.UUID)(id), b) }
func (id *DeviceID) UnmarshalText(b []byte) error  { return unmarshalID((*uuid.UUID)(id), b) }
func (id *ContactID) UnmarshalText(b []byte) error { return unmarshalID((*uuid.UUID)(id), b) }
func (id *EntryID) UnmarshalText(b []byte) error   { return unmarshalID((*uuid.UUID)(id), b) }

func unmarshalID(id *uuid.UUID, b []byte) error {
	u, err := ParseUUID(string(b))
	if err == nil {
		*id = u
	}
	return err
}

// ParseUUID reads the canonical form: 36 characters, lower case. One id must not have two spellings, as ids are keys.
func ParseUUID(s string) (uuid.UUID, error) {
	if len(s) == 36 {
		if u, err := uuid.Parse(s); err == nil && u.String() == s {
			return u, nil
		}
	}
	return uuid.UUID{}, fmt.Errorf("%.40q is not an id: want a UUID of 36 characters in lower case", s)
}

// NewContactID returns an id that sorts by time of creation (UUIDv7).
func NewContactID() ContactID { return ContactID(uuid.Must(uuid.NewV7())) }

// NewEntryID returns an id that sorts by time of creation (UUIDv7).
func NewEntryID() EntryID { return EntryID(uuid.Must(uuid.NewV7())) }

// namespace is the UUIDv5 name space of everything that Trio derives.
var namespace = uuid.NewSHA1(uuid.NameSpaceURL, []byte("https://trio.invalid/ns/1"))

// SourceContactID derives a contact's id from the member and the key that the source knows it by ("csv:customer:12346").
func SourceContactID(m MemberID, key string) ContactID {
	return ContactID(uuid.NewSHA1(uuid.NewSHA1(namespace, m[:]), []byte("contact:"+key)))
}

// SourceEntryID derives an entry's id from the member and its source key ("csv:order:491725").
func SourceEntryID(m MemberID, key string) EntryID {
	return EntryID(uuid.NewSHA1(uuid.NewSHA1(namespace, m[:]), []byte("entry:"+key)))
}

// DocName names a document within a member: "profile", "contacts", "log-2026-11".
type DocName string

// The documents of a member that do not grow with time.
const (
	ProfileDoc  DocName = "profile"
	ContactsDoc DocName = "contacts"
)

const logLayout = "log-2006-01"

// LogDoc names the log document of the UTC month of a time.
func LogDoc(at time.Time) DocName { return DocName(at.UTC().Format(logLayout)) }

// IsLog reports whether the document is a month of the action log.
func (n DocName) IsLog() bool {
	if len(n) != len(logLayout) || n[:4] != "log-" || n[8] != '-' {
		return false
	}
	for i := 4; i < len(n); i++ {
		if i != 8 && (n[i] < '0' || n[i] > '9') {
			return false
		}
	}
	month := (n[9]-'0')*10 + n[10] - '0' // by hand: each push asks four times, and package time takes a quarter of a microsecond
	return 1 <= month && month <= 12
}

// Valid reports whether the name is one that a member can have.
func (n DocName) Valid() bool { return n == ProfileDoc || n == ContactsDoc || n.IsLog() }

// DocumentID derives a document's id, so that two devices that are offline make the same one.
func (n DocName) DocumentID(m MemberID) DocumentID {
	return DocumentID(uuid.NewSHA1(uuid.NewSHA1(namespace, m[:]), []byte("document:"+string(n))))
}

// NewActor returns the writer of a device: its id and a writer counter (big endian, 4 bytes). A device takes a new
// counter whenever its store may not remember all that it wrote, as one actor must never write a sequence number twice.
func NewActor(d DeviceID, writer uint32) automerge.ActorID {
	return automerge.ActorID(binary.BigEndian.AppendUint32(d[:len(d):len(d)], writer))
}

// ActorDevice returns the device of an actor.
func ActorDevice(a automerge.ActorID) (DeviceID, bool) {
	if len(a) != len(DeviceID{})+4 {
		return DeviceID{}, false
	}
	return DeviceID([]byte(a[:len(DeviceID{})])), true
}
