package wire

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
)

// A Playbook frame is
//
//	version hash size deflated
//
// hash is the SHA-256 of the document, size its bytes once inflated; both are compared with what came.

// putPlaybook appends what is behind the kind of a Playbook frame.
func putPlaybook(b []byte, f *Playbook) ([]byte, error) {
	switch {
	case f.Version == 0:
		return nil, errors.New("a playbook without a version")
	case len(f.Doc) == 0:
		return nil, errors.New("a playbook without a document")
	case len(f.Doc) > MaxPlaybook:
		return nil, fmt.Errorf("playbook of %d bytes: at most %d", len(f.Doc), MaxPlaybook)
	}
	hash := sha256.Sum256(f.Doc)
	b = binary.AppendUvarint(b, uint64(f.Version))
	b = append(b, hash[:]...)
	b = binary.AppendUvarint(b, uint64(len(f.Doc)))
	z := deflaters.Get().(*deflater)
	z.out = z.out[:0]
	z.w.Reset(z)
	_, err := z.w.Write(f.Doc)
	err = errors.Join(err, z.w.Close())
	b = putBytes(b, z.out)
	if cap(z.out) <= keepBytes {
		deflaters.Put(z)
	}
	return b, err
}

func (r *reader) version() uint32 {
	n := r.uint()
	if n > math.MaxUint32 {
		r.fail(fmt.Errorf("%d as a version: at most %d", n, uint32(math.MaxUint32)))
		return 0
	}
	return uint32(n)
}

func (r *reader) playbook() *Playbook {
	p := &Playbook{Version: r.version()}
	var hash [32]byte
	r.fixed(hash[:])
	size := r.count("bytes of a playbook", MaxPlaybook)
	text := r.bytes("a playbook", MaxFrame)
	if r.err != nil {
		return p
	}
	if p.Version == 0 || size == 0 {
		r.fail(errors.New("a playbook without a version or a document"))
		return p
	}
	doc, err := inflate(nil, text, size)
	if err != nil {
		r.fail(err)
		return p
	}
	if sha256.Sum256(doc) != hash {
		r.fail(errors.New("the playbook was altered on the way: its hash is another"))
		return p
	}
	p.Doc = doc
	return p
}
