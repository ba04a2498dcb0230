package automerge

import (
	"errors"
	"fmt"
	"slices"
)

const (
	// MaxSyncMessageBytes bounds one sync message. What carries messages should bound them further.
	MaxSyncMessageBytes = 256 << 20

	// MaxSyncHashes bounds the heads of a message, what it needs, and the last syncs of all that it has, each.
	MaxSyncHashes = 1 << 16

	// MaxSyncHave bounds the entries that say what the sender has. Every engine known sends one or none.
	MaxSyncHave = 16

	// MaxSyncChanges bounds the changes of a message. None is shorter than the header of a chunk.
	MaxSyncChanges = 1 << 20
)

const (
	syncMessageType   = 0x42
	syncMessageTypeV2 = 0x43
	syncStateType     = 0x43
)

// ErrSyncVersion says that a message is of version 2 of the protocol. A peer sends those only to who says that it
// understands them, and a Sync does not say so.
var ErrSyncVersion = errors.New("sync message of version 2: only version 1 is spoken here")

// What a byte of SyncMessage.Flags says when its highest bit is set. Other bytes name the versions that the sender reads.
const (
	syncFlagMark     = 1 << 7
	syncFlagReset    = 1 << 0 // forget what you have sent to me
	syncFlagReadOnly = 1 << 1 // I take no changes
)

// SyncMessage is one message of the sync protocol, version 1. On the wire it is the byte 0x42, then in order: Heads, Need
// (each a count and that many hashes), Have (a count; each is LastSync and the length and bytes of its filter), Changes (a
// count; each is its length and its chunk) and, from writers newer than version 1, the length and bytes of Flags. Counts
// and lengths are unsigned LEB128.
type SyncMessage struct {
	Heads   []Hash     // of the sender's document, ascending
	Need    []Hash     // changes that the sender asks for by name, ascending
	Have    []SyncHave // what the sender has: send me the rest
	Changes [][]byte   // change chunks, of type 1 or 2, in causal order
	Flags   []byte     // nil in a message of an engine that knows none
}

// SyncHave says what the sender of a message has: LastSync and all its history, and what is in Bloom.
type SyncHave struct {
	LastSync []Hash // ascending
	Bloom    Bloom
}

// flag reports whether the message carries a flag.
func (m *SyncMessage) flag(bit byte) bool {
	for _, b := range m.Flags {
		if b&syncFlagMark != 0 && b&bit != 0 {
			return true
		}
	}
	return false
}

// Append appends the message as it goes over the wire.
func (m *SyncMessage) Append(dst []byte) []byte {
	dst = append(dst, syncMessageType)
	dst = appendHashes(dst, m.Heads)
	dst = appendHashes(dst, m.Need)
	dst = appendUleb(dst, uint64(len(m.Have)))
	var filter []byte
	for i := range m.Have {
		dst = appendHashes(dst, m.Have[i].LastSync)
		filter = m.Have[i].Bloom.Append(filter[:0])
		dst = append(appendUleb(dst, uint64(len(filter))), filter...)
	}
	dst = appendUleb(dst, uint64(len(m.Changes)))
	for _, c := range m.Changes {
		dst = append(appendUleb(dst, uint64(len(c))), c...)
	}
	if m.Flags != nil {
		dst = append(appendUleb(dst, uint64(len(m.Flags))), m.Flags...)
	}
	return dst
}

// Encode returns the message as it goes over the wire.
func (m *SyncMessage) Encode() []byte { return m.Append(make([]byte, 0, m.size())) }

// size returns about how many bytes the message takes, and never too few by much.
func (m *SyncMessage) size() int {
	n := 64 + 32*(len(m.Heads)+len(m.Need)) + len(m.Flags)
	for i := range m.Have {
		n += 32 + 32*len(m.Have[i].LastSync) + len(m.Have[i].Bloom.bits)
	}
	for _, c := range m.Changes {
		n += 5 + len(c)
	}
	return n
}

func appendHashes(dst []byte, list []Hash) []byte {
	dst = appendUleb(dst, uint64(len(list)))
	for i := range list {
		dst = append(dst, list[i][:]...)
	}
	return dst
}

// ParseSyncMessage reads one message. Changes, filters and Flags are parts of b, which is not to be modified; the lists
// beside them take less than three times the bytes of b. Changes are not looked into: Sync.Receive does, one by one.
//
// Hashes that do not ascend are sorted. What follows the flags is ignored: that is how the protocol makes room for newer
// versions. A message of version 2 is refused with ErrSyncVersion.
func ParseSyncMessage(b []byte) (*SyncMessage, error) {
	if len(b) > MaxSyncMessageBytes {
		return nil, fmt.Errorf("sync message of %d bytes is over the limit of %d", len(b), MaxSyncMessageBytes)
	}
	if len(b) == 0 {
		return nil, errors.New("sync message is empty")
	}
	switch b[0] {
	case syncMessageType:
	case syncMessageTypeV2:
		return nil, ErrSyncVersion
	default:
		return nil, fmt.Errorf("no sync message: it starts with %#x", b[0])
	}
	m, err := parseSyncMessage(b)
	if err != nil {
		return nil, fmt.Errorf("sync message: %w", err)
	}
	return m, nil
}

func parseSyncMessage(b []byte) (*SyncMessage, error) {
	r := syncReader{b: b, pos: 1}
	var m SyncMessage
	var err error
	if m.Heads, err = r.hashes("heads", MaxSyncHashes); err != nil {
		return nil, err
	}
	if m.Need, err = r.hashes("need", MaxSyncHashes); err != nil {
		return nil, err
	}
	n, err := r.uleb("have", MaxSyncHave)
	if err != nil {
		return nil, err
	}
	hashes, filters := 0, 0
	for range n {
		var h SyncHave
		if h.LastSync, err = r.hashes("last sync", uint64(MaxSyncHashes-hashes)); err != nil {
			return nil, err
		}
		hashes += len(h.LastSync)
		filter, err := r.bytes("filter", uint64(MaxBloomBytes-filters))
		if err != nil {
			return nil, err
		}
		filters += len(filter)
		if h.Bloom, err = ParseBloom(filter); err != nil {
			return nil, err
		}
		m.Have = append(m.Have, h)
	}
	if n, err = r.uleb("changes", MaxSyncChanges); err != nil {
		return nil, err
	}
	if n*(1+minHeader) > uint64(len(b)-r.pos) {
		return nil, r.fail("changes", errShort)
	}
	if n > 0 {
		m.Changes = make([][]byte, n)
	}
	for i := range m.Changes {
		if m.Changes[i], err = r.bytes("change", MaxSyncMessageBytes); err != nil {
			return nil, err
		}
		if n := len(m.Changes[i]); n < minHeader {
			return nil, r.fail("change", fmt.Errorf("%d bytes are no chunk", n))
		}
	}
	if r.pos < len(b) {
		if m.Flags, err = r.bytes("flags", MaxSyncMessageBytes); err != nil {
			return nil, err
		}
	}
	return &m, nil
}

// syncReader reads the parts of a message, of a filter and of a saved state.
type syncReader struct {
	b   []byte
	pos int
}

func (r *syncReader) fail(what string, err error) error {
	return fmt.Errorf("%s, byte %d: %w", what, r.pos, err)
}

func (r *syncReader) uleb(what string, limit uint64) (uint64, error) {
	// Ten bytes say whether a number is too long; the copy of them stays on the stack.
	v, n, err := readUleb(string(r.b[r.pos:min(len(r.b), r.pos+10)]), 0)
	if err != nil {
		return 0, r.fail(what, err)
	}
	if v > limit {
		return 0, r.fail(what, fmt.Errorf("%d is over the limit of %d", v, limit))
	}
	r.pos += n
	return v, nil
}

// bytes reads a length and that many bytes, which stay part of the input and are never nil.
func (r *syncReader) bytes(what string, limit uint64) ([]byte, error) {
	n, err := r.uleb(what, limit)
	if err != nil {
		return nil, err
	}
	if n > uint64(len(r.b)-r.pos) {
		return nil, r.fail(what, errShort)
	}
	end := r.pos + int(n)
	v := r.b[r.pos:end:end]
	r.pos = end
	return v, nil
}

// hashes reads a counted list of hashes and returns it ascending and without duplicates.
func (r *syncReader) hashes(what string, limit uint64) ([]Hash, error) {
	n, err := r.uleb(what, limit)
	if err != nil || n == 0 {
		return nil, err
	}
	if n*32 > uint64(len(r.b)-r.pos) {
		return nil, r.fail(what, errShort)
	}
	list := make([]Hash, n)
	for i := range list {
		r.pos += copy(list[i][:], r.b[r.pos:])
	}
	return sortHashes(list), nil
}

// sortHashes sorts list in place and drops what is there twice.
func sortHashes(list []Hash) []Hash {
	if !slices.IsSortedFunc(list, compareHashes) {
		slices.SortFunc(list, compareHashes)
	}
	return slices.Compact(list)
}
