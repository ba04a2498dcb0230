package automerge

import (
	"encoding/binary"
	"errors"
	"fmt"
)

const (
	// MaxBloomBytes bounds the filters of one sync message together: at ten bits a change, three million changes.
	MaxBloomBytes = 4 << 20

	// MaxBloomProbes bounds the probes of one filter. Every engine known uses seven.
	MaxBloomProbes = 32

	// What our own filters have; together they give one false positive in a hundred. A filter states its own numbers.
	bloomBitsPerEntry = 10
	bloomProbes       = 7

	maxBloomHeader = 3 * 5
)

var errBloomNoBits = errors.New("filter has entries and no bits")

// Bloom is a set of changes that says "surely not" or "probably". The zero value is the empty set. A Bloom is not modified
// after NewBloom and ParseBloom.
type Bloom struct {
	entries      uint32
	bitsPerEntry uint32
	probes       uint32
	bits         []byte // ceil(entries * bitsPerEntry / 8), at least 1 unless entries is 0; bit i is bits[i/8]>>(i%8)&1
}

// NewBloom returns the filter of hashes, whose order does not matter: with ten bits and seven probes for each, as the
// official engine makes it, or with fewer bits where MaxBloomBytes would not hold those.
func NewBloom(hashes []Hash) Bloom {
	if len(hashes) == 0 {
		return Bloom{}
	}
	f := Bloom{entries: uint32(len(hashes)), probes: bloomProbes}
	f.bitsPerEntry = uint32(max(1, min(bloomBitsPerEntry, 8*(MaxBloomBytes-maxBloomHeader)/len(hashes))))
	f.bits = make([]byte, f.size())
	for i := range hashes {
		for p := f.first(&hashes[i]); p.left > 0; p.next() {
			f.bits[p.x/8] |= 1 << (p.x % 8)
		}
	}
	return f
}

// Has reports whether h is probably in the set: always for what is in it, rarely for what is not.
func (f *Bloom) Has(h Hash) bool {
	if f.entries == 0 {
		return false
	}
	for p := f.first(&h); p.left > 0; p.next() {
		if f.bits[p.x/8]>>(p.x%8)&1 == 0 {
			return false
		}
	}
	return true
}

// size returns how many bytes the entries take: more than any message has, when they claim so.
func (f *Bloom) size() uint64 { return (uint64(f.entries)*uint64(f.bitsPerEntry) + 7) / 8 }

// probe walks over the bits of one hash. Its numbers stay below modulo, the number of bits.
type probe struct {
	x, y, z, modulo uint32
	left            uint32
}

// first starts at the first probe of h. There is always one, also in a filter that says it has none: so the official
// engine counts. The three numbers that the walk starts from are the first twelve bytes of the hash, little endian.
func (f *Bloom) first(h *Hash) probe {
	m := 8 * uint32(len(f.bits)) // at most 8 * MaxBloomBytes, 1<<25
	return probe{
		x:      binary.LittleEndian.Uint32(h[0:]) % m,
		y:      binary.LittleEndian.Uint32(h[4:]) % m,
		z:      binary.LittleEndian.Uint32(h[8:]) % m,
		modulo: m,
		left:   max(f.probes, 1),
	}
}

func (p *probe) next() {
	if p.x += p.y; p.x >= p.modulo {
		p.x -= p.modulo
	}
	if p.y += p.z; p.y >= p.modulo {
		p.y -= p.modulo
	}
	p.left--
}

// Append appends the filter as messages carry it: entries, bits per entry and probes, each unsigned LEB128, then the bits.
// The empty filter is no bytes.
func (f *Bloom) Append(dst []byte) []byte {
	if f.entries == 0 {
		return dst
	}
	dst = appendUleb(dst, uint64(f.entries))
	dst = appendUleb(dst, uint64(f.bitsPerEntry))
	dst = appendUleb(dst, uint64(f.probes))
	return append(dst, f.bits...)
}

// ParseBloom reads what Append writes. The filter's bits are part of b, so it takes no memory of its own. Numbers that do
// not fit 32 bits, entries without bits, entries that claim more bits than there are, and more than MaxBloomProbes are
// refused. Bytes after the bits are ignored, as is all that follows a count of no entries.
func ParseBloom(b []byte) (Bloom, error) {
	if len(b) == 0 {
		return Bloom{}, nil
	}
	if len(b) > MaxBloomBytes {
		return Bloom{}, fmt.Errorf("filter of %d bytes is over the limit of %d", len(b), MaxBloomBytes)
	}
	r := syncReader{b: b}
	var n [3]uint32
	for i, what := range [...]string{"entries of a filter", "bits per entry", "probes"} {
		v, err := r.uleb(what, 1<<32-1)
		if err != nil {
			return Bloom{}, err
		}
		n[i] = uint32(v)
	}
	f := Bloom{entries: n[0], bitsPerEntry: n[1], probes: n[2]}
	if f.entries == 0 {
		return Bloom{}, nil
	}
	size := f.size()
	switch {
	case size == 0:
		return Bloom{}, errBloomNoBits
	case size > uint64(len(b)-r.pos):
		return Bloom{}, fmt.Errorf("filter of %d entries at %d bits has %d bytes, not %d", f.entries, f.bitsPerEntry, len(b)-r.pos, size)
	case f.probes > MaxBloomProbes:
		return Bloom{}, fmt.Errorf("%d probes are over the limit of %d", f.probes, MaxBloomProbes)
	}
	f.bits = b[r.pos : r.pos+int(size) : r.pos+int(size)]
	return f, nil
}
