package automerge

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
)

// DefaultSyncBytes is how many bytes of changes a Sync puts into one message when nothing else is said.
const DefaultSyncBytes = 1 << 20

// DefaultSyncOps is how many operations one change may have that Sync.Receive takes when nothing else is said.
const DefaultSyncOps = 1 << 16

// Sync is what one side of a connection knows about the other: the state machine of Automerge's sync protocol, version 1,
// which any Automerge engine speaks. It is a value without a document, a clock or a connection. It reads the hash graph of
// a document and says which changes go into the next message; where their bytes are kept is for the caller to say. The
// zero value is for a peer that nothing is known about. A Sync is not safe for concurrent use.
//
// Each connection to a peer, for each document, has a Sync of its own on either side, and messages arrive in order or the
// connection ends. After each message that was received, and after each change of the document that came from elsewhere,
// call Generate and send what it returns, if anything:
//
//	m, err := automerge.ParseSyncMessage(b)
//	err = s.Receive(graph, m, func(c *automerge.Change) error {
//		ready, err := graph.Add(c)
//		return errors.Join(err, store(ready))
//	})
//	// commit here what was stored: nobody is told of changes that a power cut could take away
//	reply, err := s.Generate(graph, chunk) // nil when there is nothing to say
//
// The first message tells the peer our heads and, in a few bits for each change, what we have. Changes are sent in causal
// order, at most MaxBytes of them in a message; the next ones go out when the peer has answered. A change that the peer's
// filter holds by mistake is sent when the peer asks for it by name. One side should speak first: when both do, a peer
// that has nothing gets its first changes twice. Two peers that have the same changes fall silent, and so do two of which
// one refuses what the other has. Official engines from before version 2.1 of JavaScript's, automerge-go among them, may
// fall silent too early when a filter held a change by mistake; a new connection helps them.
//
// Before silence each side is told what the other has: who wrote a change learns by that alone that it came. Official
// engines leave that out when the peer's message names just the heads that they have; changes that cross on their way,
// with two messages received before the next Generate, lead there. A Sync says it, once.
//
// When a connection is lost, Save and LoadSync keep what is worth keeping for the next one. All that is kept may be
// forgotten, on either side, and on either side documents may be lost or restored from old backups: the protocol notices
// and sends again.
//
// What a Sync remembers is bounded: by MaxSyncHashes and MaxBloomBytes for what the peer says, and by one hash for each
// change of the document for what was sent. The work for a message grows with the document's changes, times MaxSyncHave
// and MaxBloomProbes at worst. A peer may ask for everything again and again; whoever serves strangers should bound how
// often.
//
// The protocol is described at https://arxiv.org/abs/2012.00472 and https://automerge.org/docs; where they leave something
// open, the official engine decides.
type Sync struct {
	// MaxBytes bounds the bytes of the chunks in one message; a change that is longer than this goes alone. Zero value
	// means DefaultSyncBytes; more than half of MaxSyncMessageBytes means half of it.
	MaxBytes int

	// MaxOps bounds the operations of one change that Receive takes, and its predecessors. Zero value means DefaultSyncOps:
	// 11 MB of memory. A change that holds a longer text needs more, up to the constant MaxOps.
	MaxOps int

	// Waiting, if set, returns what a change depends on that came and waits outside of the graph, as it does with who counts
	// no change as applied before it is stored. What such a change lacks is asked for by name.
	Waiting func(Hash) (deps []Hash, ok bool)

	shared []Hash // changes that both have, ascending; their histories too

	// What we last said.
	responded bool // we have said something
	inFlight  bool // and nothing has come in since, or it would be the same again
	lastHeads []Hash
	lastNeed  []Hash
	lastSync  []Hash
	sent      map[Hash]struct{} // changes that were sent and that the peer's heads do not cover

	// What the peer last said.
	heard    bool // it has said something
	repeated bool // before and after our last message it said the same, and sent nothing
	readOnly bool // it takes no changes
	heads    []Hash
	need     []Hash
	have     []SyncHave
}

// Save returns what is worth keeping between connections to one peer: the byte 0x43, a count in unsigned LEB128, and that
// many hashes of changes that both are known to have. The official engines read and write the same.
func (s *Sync) Save() []byte {
	return appendHashes(append(make([]byte, 0, 11+32*len(s.shared)), syncStateType), s.shared)
}

// LoadSync returns a Sync for a new connection to a peer, with what Save kept of an earlier one. There may be at most
// MaxSyncHashes hashes; those that the graph does not hold any more are dropped later. Bytes that follow are ignored.
func LoadSync(b []byte) (*Sync, error) {
	if len(b) == 0 {
		return nil, errors.New("saved sync state is empty")
	}
	if b[0] != syncStateType {
		return nil, fmt.Errorf("no saved sync state: it starts with %#x", b[0])
	}
	r := syncReader{b: b, pos: 1}
	shared, err := r.hashes("shared heads", MaxSyncHashes)
	if err != nil {
		return nil, fmt.Errorf("saved sync state: %w", err)
	}
	return &Sync{shared: shared}, nil
}

// Generate returns the next message to the peer, nil when there is nothing to say until a message or a change comes in.
// chunk returns the bytes of an applied change, as a chunk of type 1 or 2; those of type 2 are inflated, since engines
// exist that read no others in a message. The message is the caller's; the chunks in it are what chunk returned.
//
// An error is one of chunk's, or says that the graph has more heads than a message may have. It leaves s as it was.
func (s *Sync) Generate(g *Graph, chunk func(Hash) ([]byte, error)) (*SyncMessage, error) {
	heads := g.Heads()
	if len(heads) > MaxSyncHashes {
		return nil, fmt.Errorf("document has %d heads; a sync message may have %d", len(heads), MaxSyncHashes)
	}
	unchanged := s.responded && slices.Equal(heads, s.lastHeads)
	if unchanged && s.inFlight {
		return nil, nil
	}
	m := &SyncMessage{Heads: slices.Clone(heads)}
	var shared, hashes []Hash
	reset := s.mustReset(g)
	if !reset {
		// What was restored from a backup may lack what we once shared; to name it would hide from the peer what we lack.
		for _, h := range s.shared {
			if g.Has(h) {
				shared = append(shared, h)
			}
		}
		m.Need = g.missingFrom(s.heads, s.Waiting)
		hashes = s.unsent(g)
		if unchanged && len(hashes) == 0 && s.heard && slices.Equal(s.heads, heads) {
			return nil, nil
		}
	}
	if unchanged && len(hashes) == 0 && s.repeated && slices.Equal(m.Need, s.lastNeed) && slices.Equal(shared, s.lastSync) {
		// The peer's answer to this was what it had said before. So it would be again: one of us refuses what the other has.
		s.inFlight = true
		return nil, nil
	}
	sent, err := s.collect(m, hashes, chunk)
	if err != nil {
		return nil, err
	}
	switch {
	case reset:
		// An empty filter asks for everything: only so do we surely get what we lost.
		m.Have = []SyncHave{{}}
	case !slices.ContainsFunc(m.Need, func(h Hash) bool { return !containsHash(s.heads, h) }):
		m.Have = []SyncHave{{LastSync: slices.Clone(shared), Bloom: NewBloom(g.Since(shared))}}
		s.shared = shared
	default:
		// We lack changes below the peer's heads: a filter held them by mistake. First those, by name.
	}
	if s.sent == nil {
		s.sent = make(map[Hash]struct{}, len(sent))
	}
	for _, h := range sent {
		s.sent[h] = struct{}{}
	}
	s.responded, s.inFlight = true, true
	s.lastHeads, s.lastNeed, s.lastSync = heads, slices.Clone(m.Need), shared
	return m, nil
}

// mustReset reports whether the peer counts from changes that we do not have: then we lost some.
func (s *Sync) mustReset(g *Graph) bool {
	return len(s.have) > 0 && slices.ContainsFunc(s.have[0].LastSync, func(h Hash) bool { return !g.Has(h) })
}

// unsent returns the changes that the peer lacks and that were not sent: first those that it asks for by name and that
// its filters hold, then those that they do not hold with all that depends on them, in causal order.
func (s *Sync) unsent(g *Graph) []Hash {
	if !s.heard || s.readOnly {
		return nil
	}
	var last []Hash
	for i := range s.have {
		last = append(last, s.have[i].LastSync...)
	}
	last = append(last, s.heads...) // what the peer's heads cover it has, whatever it asks for
	lacks := map[Hash]struct{}{}
	var list []Hash
	if len(s.have) > 0 {
		for _, h := range g.Since(last) {
			if s.peerHas(h) && !dependsOn(g, h, lacks) {
				continue
			}
			lacks[h] = struct{}{}
			if _, ok := s.sent[h]; !ok {
				list = append(list, h)
			}
		}
	}
	var named []Hash
	for _, h := range s.need {
		_, listed := lacks[h]
		if _, ok := s.sent[h]; !ok && !listed && g.Has(h) {
			named = append(named, h)
		}
	}
	return append(named, list...)
}

// peerHas reports whether one of the peer's filters holds h.
func (s *Sync) peerHas(h Hash) bool {
	for i := range s.have {
		if s.have[i].Bloom.Has(h) {
			return true
		}
	}
	return false
}

func dependsOn(g *Graph, h Hash, set map[Hash]struct{}) bool {
	if len(set) == 0 {
		return false
	}
	deps, _ := g.Deps(h)
	for _, d := range deps {
		if _, ok := set[d]; ok {
			return true
		}
	}
	return false
}

// collect puts the chunks of as many of the hashes into m as it may hold, one at least, and returns those hashes.
func (s *Sync) collect(m *SyncMessage, hashes []Hash, chunk func(Hash) ([]byte, error)) ([]Hash, error) {
	left := s.MaxBytes
	if left <= 0 {
		left = DefaultSyncBytes
	}
	left = min(left, MaxSyncMessageBytes/2)
	hashes = hashes[:min(len(hashes), MaxSyncChanges)]
	for i, h := range hashes {
		b, err := plainChunk(h, chunk)
		if err != nil {
			return nil, fmt.Errorf("change %s: %w", h, err)
		}
		if left -= len(b); left < 0 && i > 0 {
			return hashes[:i], nil
		}
		m.Changes = append(m.Changes, b)
	}
	return hashes, nil
}

// plainChunk returns the uncompressed chunk of h.
func plainChunk(h Hash, chunk func(Hash) ([]byte, error)) ([]byte, error) {
	b, err := chunk(h)
	if err != nil {
		return nil, err
	}
	head, err := readHeader(b)
	switch {
	case err != nil:
		return nil, err
	case head.end != len(b) || !bytes.Equal(b[4:8], h[:4]):
		return nil, errors.New("the chunk that is kept for it is another")
	case head.typ == ChunkChange:
		return b, nil
	}
	raw, _, _, err := unpack(b)
	return []byte(raw), err
}

// Receive takes in a message of the peer. It parses the changes one after the other and hands each to add, which adds it
// to g and keeps what became ready. It keeps nothing of m's bytes.
//
// An error is the first of add's, or says which change of the message is wrong; s is then as it was, what was added before
// stays added, and the connection should end. An add that wants to go on without a change that it refuses returns nil: the
// peer does not send it twice on this connection, and the two fall silent with it outstanding.
func (s *Sync) Receive(g *Graph, m *SyncMessage, add func(*Change) error) error {
	maxOps := s.MaxOps
	if maxOps <= 0 {
		maxOps = DefaultSyncOps
	}
	before := g.Heads()
	came := make(map[Hash]struct{}, len(m.Changes))
	for i, chunk := range m.Changes {
		c, err := ParseChangeLimit(chunk, maxOps)
		if err != nil {
			return fmt.Errorf("change %d of %d in a sync message: %w", i+1, len(m.Changes), err)
		}
		came[c.Hash()] = struct{}{}
		if err := add(c); err != nil {
			return err
		}
	}
	s.received(g, m, before, came)
	return nil
}

// Received is Receive for who has dealt with the changes of the message before: those that it took are in g, or come into it
// later. None of them is looked at.
func (s *Sync) Received(g *Graph, m *SyncMessage) { s.received(g, m, g.Heads(), nil) }

// received takes in what a message says, of which these changes came and g had these heads before.
func (s *Sync) received(g *Graph, m *SyncMessage, before []Hash, came map[Hash]struct{}) {
	if m.Flags != nil {
		s.readOnly = m.flag(syncFlagReadOnly)
		if m.flag(syncFlagReset) {
			s.sent = nil
		}
	}
	if len(m.Changes) > 0 {
		s.advance(before, g.Heads(), came)
	}
	known := slices.DeleteFunc(slices.Clone(m.Heads), func(h Hash) bool { return !g.Has(h) })
	s.forget(g, known)
	switch {
	case len(m.Heads) == 0:
		// The peer has nothing, or lost it all.
		s.shared, s.lastHeads, s.sent = nil, nil, nil
	case len(known) == len(m.Heads):
		s.shared = known
	default:
		all := sortHashes(slices.Concat(s.shared, known))
		if len(all) > MaxSyncHashes {
			all = known // any part of what is shared will do
		}
		s.shared = all
	}
	s.repeated = s.inFlight && s.heard && len(m.Changes) == 0 && slices.Equal(s.heads, m.Heads) && slices.Equal(s.need, m.Need) &&
		slices.EqualFunc(s.have, m.Have, SyncHave.equal)
	s.heard, s.inFlight = true, false
	s.heads, s.need, s.have = slices.Clone(m.Heads), slices.Clone(m.Need), nil
	for _, h := range m.Have {
		s.have = append(s.have, h.clone())
	}
}

// advance counts new heads that the peer sent as shared. Old ones that are no heads any more are then dropped: what is
// shared need not be complete.
func (s *Sync) advance(before, after []Hash, came map[Hash]struct{}) {
	var fresh []Hash
	for _, h := range after {
		if _, ok := came[h]; ok && !containsHash(before, h) {
			fresh = append(fresh, h)
		}
	}
	if len(fresh) == 0 {
		return
	}
	for _, h := range s.shared {
		if containsHash(after, h) {
			fresh = append(fresh, h)
		}
	}
	s.shared = sortHashes(fresh)
}

// forget drops from what was sent all that the peer's heads cover.
func (s *Sync) forget(g *Graph, heads []Hash) {
	if len(s.sent) == 0 || len(heads) == 0 {
		return
	}
	left := map[Hash]struct{}{}
	for _, h := range g.Since(heads) {
		if _, ok := s.sent[h]; ok {
			left[h] = struct{}{}
		}
	}
	s.sent = left
}

func (h SyncHave) equal(o SyncHave) bool {
	return slices.Equal(h.LastSync, o.LastSync) && h.Bloom.entries == o.Bloom.entries &&
		h.Bloom.bitsPerEntry == o.Bloom.bitsPerEntry && h.Bloom.probes == o.Bloom.probes && bytes.Equal(h.Bloom.bits, o.Bloom.bits)
}

func (h SyncHave) clone() SyncHave {
	h.LastSync, h.Bloom.bits = slices.Clone(h.LastSync), bytes.Clone(h.Bloom.bits)
	return h
}

func containsHash(ascending []Hash, h Hash) bool {
	_, ok := slices.BinarySearchFunc(ascending, h, compareHashes)
	return ok
}

// missingFrom returns, ascending, what the graph lacks of start and its history, as far as that is known from changes that
// wait: at most MaxSyncHashes hashes. What other waiting changes lack does not count; the peer that start is of may not
// have that.
func (g *Graph) missingFrom(start []Hash, waiting func(Hash) ([]Hash, bool)) []Hash {
	var missing []Hash
	seen := map[Hash]struct{}{}
	stack := slices.Clone(start)
	for len(stack) > 0 {
		h := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		if _, ok := seen[h]; ok || g.Has(h) {
			continue
		}
		seen[h] = struct{}{}
		if w := g.waiting[h]; w != nil {
			stack = append(stack, w.c.Deps...)
			continue
		}
		if waiting != nil {
			if deps, ok := waiting(h); ok {
				stack = append(stack, deps...)
				continue
			}
		}
		missing = append(missing, h)
	}
	slices.SortFunc(missing, compareHashes)
	return missing[:min(len(missing), MaxSyncHashes)]
}
