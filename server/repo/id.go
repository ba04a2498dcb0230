package repo

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"time"

	"trio/crdt"
)

// URL returns the name that automerge-repo has for a document.
func URL(id crdt.DocumentID) string { return urlPrefix + formatID(id) }

const (
	urlPrefix = "automerge:"

	// A document's id is written as base58check: 16 bytes and the first 4 of their twice-hashed SHA-256, in base 58.
	alphabet    = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
	checkBytes  = 4
	idBytes     = len(crdt.DocumentID{}) + checkBytes
	maxIDLetter = 28 // 20 bytes of 255
)

var errID = errors.New("want the base58check form of 16 bytes, as in an automerge: URL")

func checksum(id crdt.DocumentID) []byte {
	once := sha256.Sum256(id[:])
	twice := sha256.Sum256(once[:])
	return twice[:checkBytes]
}

func formatID(id crdt.DocumentID) string {
	raw := append(id[:len(id):len(id)], checksum(id)...)
	out := make([]byte, 0, maxIDLetter)
	for n := slices.Clone(raw); len(n) > 0; {
		// One long division by 58.
		rest := 0
		for i, b := range n {
			rest = rest<<8 | int(b)
			n[i], rest = byte(rest/58), rest%58
		}
		out = append(out, alphabet[rest])
		n = bytes.TrimLeft(n, "\x00")
	}
	for _, b := range raw {
		if b != 0 {
			break
		}
		out = append(out, alphabet[0])
	}
	slices.Reverse(out)
	return string(out)
}

func parseID(s string) (id crdt.DocumentID, err error) {
	wrong := func() (crdt.DocumentID, error) {
		return crdt.DocumentID{}, fmt.Errorf("document id %.40q: %w", s, errID)
	}
	if len(s) == 0 || len(s) > maxIDLetter {
		return wrong()
	}
	var raw [idBytes]byte
	for i := range len(s) {
		rest := bytes.IndexByte([]byte(alphabet), s[i])
		if rest < 0 {
			return wrong()
		}
		for j := len(raw) - 1; j >= 0; j-- {
			rest += int(raw[j]) * 58
			raw[j], rest = byte(rest), rest>>8
		}
		if rest > 0 {
			return wrong()
		}
	}
	copy(id[:], raw[:])
	if !bytes.Equal(raw[len(id):], checksum(id)) || formatID(id) != s {
		return wrong()
	}
	return id, nil
}

// docOf returns the document of a member that has an id; ok is false when none can have it, as with the documents of
// others. It computes the ids of all documents that a member can have, some 2,500.
func docOf(m crdt.MemberID, id crdt.DocumentID) (crdt.DocName, bool) {
	for _, n := range []crdt.DocName{crdt.ContactsDoc, crdt.ProfileDoc} {
		if n.DocumentID(m) == id {
			return n, true
		}
	}
	last := time.UnixMilli(crdt.MaxTime).UTC()
	for at := time.UnixMilli(crdt.MinTime).UTC(); !at.After(last); at = at.AddDate(0, 1, 0) {
		if n := crdt.LogDoc(at); n.DocumentID(m) == id {
			return n, true
		}
	}
	return "", false
}
