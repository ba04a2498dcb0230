package crdt

import (
	"crypto/sha256"
	"encoding/base64"
	"errors"
)

// Link is what the personal link of a share says: who shared, by which entry of the log, and what. A device mints it
// without asking anybody, and the server reads it (GET /s/CODE).
//
// It holds nothing of a contact and opens nothing: the member's id is a pseudonym that is no key to anything, and whoever alters
// a code changes at most to whose credit a click goes. The ids in it are drawn and hashed, so from one link no other can be told.
type Link struct {
	Member MemberID
	Share  ShareTag
	Piece  PieceTag
}

// ShareTag is the beginning of the id of the entry that the share is in the log.
type ShareTag [5]byte

// PieceTag stands for a piece of the playbook: the beginning of the hash of its name, so that a piece keeps its links for as
// long as it keeps its name.
type PieceTag [5]byte

// LinkVersion is the version of codes that this build mints, and the only one that it reads.
const LinkVersion = 1

// LinkLen is how many characters a code has: 30 bytes (version, member, share, piece, checksum) in base64's alphabet for
// addresses, so that each character counts and there is one code for one link.
const LinkLen = 40

const (
	linkBytes = LinkLen / 4 * 3
	linkCheck = 3 // bytes of the checksum: it finds what was typed wrongly or cut, and keeps nobody from making one
)

// ErrLink: a code that was cut, mistyped or never one.
var ErrLink = errors.New("this link is damaged: ask for it again")

// TagOf returns the tag of a piece by its name in the playbook.
func TagOf(piece string) (t PieceTag) {
	sum := sha256.Sum256([]byte("trio piece " + piece))
	copy(t[:], sum[:])
	return t
}

// NewLink returns the link of a share that is, or is going to be, in the member's log.
func NewLink(m MemberID, share EntryID, piece string) Link {
	return Link{Member: m, Share: ShareTag(share[:len(ShareTag{})]), Piece: TagOf(piece)}
}

// Code returns the link as it stands in an address: LinkLen letters, digits, hyphens and underscores.
func (l Link) Code() string {
	b := make([]byte, 0, linkBytes)
	b = append(b, LinkVersion)
	b = append(b, l.Member[:]...)
	b = append(b, l.Share[:]...)
	b = append(b, l.Piece[:]...)
	sum := linkSum(b)
	return base64.RawURLEncoding.EncodeToString(append(b, sum[:linkCheck]...))
}

// ReadLink reads a code; ErrLink for what is none.
func ReadLink(code string) (l Link, err error) {
	var b [linkBytes]byte
	if len(code) != LinkLen {
		return l, ErrLink
	}
	if n, err := base64.RawURLEncoding.Decode(b[:], []byte(code)); err != nil || n != linkBytes { // line ends are skipped, so bytes can be missing
		return l, ErrLink
	}
	body := b[:linkBytes-linkCheck]
	if sum := linkSum(body); b[0] != LinkVersion || string(sum[:linkCheck]) != string(b[len(body):]) {
		return l, ErrLink
	}
	n := 1 + copy(l.Member[:], b[1:])
	n += copy(l.Share[:], b[n:])
	copy(l.Piece[:], b[n:])
	return l, nil
}

func linkSum(b []byte) [32]byte { return sha256.Sum256(append([]byte("trio link "), b...)) }
