package automerge

import (
	"bytes"
	"compress/flate"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
)

// ChunkType says what a chunk holds.
type ChunkType uint8

// Chunk types that we know. A chunk of another type is refused with an error that names its number.
const (
	ChunkDocument   ChunkType = 0 // a whole document
	ChunkChange     ChunkType = 1 // one change
	ChunkCompressed ChunkType = 2 // one change, its contents deflated
)

const (
	// MaxChunkBytes bounds the contents of a change chunk, before and after inflating.
	MaxChunkBytes = 16 << 20

	// MaxDocumentBytes bounds the contents of a document chunk, and the sum of its columns after inflating.
	MaxDocumentBytes = 256 << 20

	// Deflate leaves chunks of up to deflateOver bytes alone, as the official engine does.
	deflateOver = 256

	// What is deflated may inflate to inflateBase bytes and inflateRatio bytes more for each byte that it has. Text
	// deflates to a tenth or a fiftieth; deflate's own limit is one to 1,032.
	inflateBase  = 1 << 20
	inflateRatio = 256
)

// inflateLimit returns how many bytes n deflated ones may become.
func inflateLimit(n int) int { return inflateBase + inflateRatio*n }

const magic = "\x85\x6f\x4a\x83"

// header is what precedes the contents of a chunk: magic, 4 bytes of checksum, type, length.
type header struct {
	typ      ChunkType
	contents int // where the contents start
	end      int // where the chunk ends
}

// minHeader is the shortest header: magic, checksum, type and one byte of length.
const minHeader = 4 + 4 + 1 + 1

// readHeader reads the header of the chunk that b starts with and checks that b holds the chunk.
func readHeader(b []byte) (header, error) {
	if len(b) < minHeader {
		return header{}, fmt.Errorf("chunk is cut off after %d bytes", len(b))
	}
	if string(b[:4]) != magic {
		return header{}, fmt.Errorf("no chunk: it starts with %x", b[:4])
	}
	h := header{typ: ChunkType(b[8])}
	limit := uint64(MaxChunkBytes)
	switch h.typ {
	case ChunkDocument:
		limit = MaxDocumentBytes
	case ChunkChange, ChunkCompressed:
	default:
		return header{}, fmt.Errorf("unknown chunk type %d", b[8])
	}
	n, pos, err := readUleb(string(b[9:min(len(b), 19)]), 0)
	if err != nil {
		return header{}, fmt.Errorf("chunk length: %w", err)
	}
	h.contents = 9 + pos
	if n > limit {
		return header{}, fmt.Errorf("chunk of %d bytes is over the limit of %d", n, limit)
	}
	if n > uint64(len(b)-h.contents) {
		return header{}, fmt.Errorf("chunk is cut off: %d of %d bytes", len(b)-h.contents, n)
	}
	h.end = h.contents + int(n)
	return h, nil
}

// SplitChunks cuts a stream of chunks that lie end to end. It checks magic, type and lengths, not the checksums, which
// ParseChange and Load check. The chunks are parts of b. An error names the offset of the chunk that is wrong; the chunks
// before it are returned with it.
func SplitChunks(b []byte) ([][]byte, error) {
	var chunks [][]byte
	for off := 0; off < len(b); {
		h, err := readHeader(b[off:])
		if err != nil {
			return chunks, fmt.Errorf("chunk at byte %d: %w", off, err)
		}
		chunks = append(chunks, b[off:off+h.end:off+h.end])
		off += h.end
	}
	return chunks, nil
}

// sum returns the hash of a chunk: of its type, length and contents. Its first four bytes are the chunk's checksum.
func sum(chunk []byte) Hash { return sha256.Sum256(chunk[8:]) }

var errChecksum = errors.New("checksum does not fit the contents")

// appendHeader appends the header of a chunk whose checksum is set later with putChecksum.
func appendHeader(dst []byte, typ ChunkType, contents int) []byte {
	dst = append(dst, magic...)
	dst = append(dst, 0, 0, 0, 0, byte(typ))
	return appendUleb(dst, uint64(contents))
}

// seal sets the checksum of a chunk and returns its hash.
func seal(chunk []byte) Hash {
	h := sum(chunk)
	copy(chunk[4:8], h[:4])
	return h
}

var deflaters = sync.Pool{New: func() any {
	w, err := flate.NewWriter(io.Discard, flate.DefaultCompression)
	if err != nil {
		panic(err) // the level is a constant that flate knows
	}
	return w
}}

// deflate appends b deflated to dst.
func deflate(dst, b []byte) []byte {
	buf := bytes.NewBuffer(dst)
	w := deflaters.Get().(*flate.Writer)
	defer deflaters.Put(w)
	w.Reset(buf)
	// A bytes.Buffer does not fail.
	_, _ = w.Write(b)
	_ = w.Close()
	return buf.Bytes()
}

var inflaters = sync.Pool{New: func() any { return flate.NewReader(bytes.NewReader(nil)) }}

// inflate appends b inflated to dst, which it returns with or without an error: at most limit bytes, and no more than the
// ratio above allows. The buffer doubles as bytes really come out, so what it takes on the way is less than four times that.
func inflate(dst, b []byte, limit int) ([]byte, error) {
	buf := bytes.NewBuffer(dst)
	err := inflateFrom(bytes.NewReader(b), limit, buf.ReadFrom)
	return buf.Bytes(), err
}

// inflateFrom hands what src inflates to, within the limits that inflate states, to read.
func inflateFrom(src interface {
	io.Reader
	Len() int
}, limit int, read func(io.Reader) (int64, error),
) error {
	limit = min(limit, inflateLimit(src.Len()))
	r := inflaters.Get().(io.ReadCloser)
	defer inflaters.Put(r)
	if err := r.(flate.Resetter).Reset(src, nil); err != nil {
		return err
	}
	n, err := read(io.LimitReader(r, int64(limit)+1))
	if err == nil && n > int64(limit) {
		err = fmt.Errorf("it inflates to more than %d bytes", limit)
	}
	if err == nil && src.Len() > 0 {
		err = fmt.Errorf("%d bytes follow what is deflated", src.Len())
	}
	if err != nil {
		return fmt.Errorf("inflating: %w", err)
	}
	return nil
}

// inflateString is inflate for a column of a document. size is what it is expected to be, or 0: memory for a great column
// is taken at once, as far as the limits allow it, and the column does not grow in steps.
func inflateString(s string, limit, size int) (string, error) {
	buf := scratch.Get().(*[]byte)
	defer func() {
		if cap(*buf) <= keepBytes {
			scratch.Put(buf)
		}
	}()
	src := strings.NewReader(s)
	if size <= keepBytes/16 {
		out := bytes.NewBuffer((*buf)[:0])
		err := inflateFrom(src, limit, out.ReadFrom)
		*buf = out.Bytes()
		if err != nil {
			return "", err
		}
		return out.String(), nil
	}
	var out strings.Builder
	out.Grow(min(size, limit, inflateLimit(len(s))))
	err := inflateFrom(src, limit, func(r io.Reader) (int64, error) {
		*buf = slices.Grow((*buf)[:0], 32<<10)
		return io.CopyBuffer(&out, r, (*buf)[:32<<10])
	})
	return out.String(), err // no copy
}

// Deflate turns a change chunk (type 1) into a compressed one (type 2) when it has more than 256 bytes and that makes it
// smaller. Otherwise, for bytes that are no change chunk, and where the result would inflate to more for its size than
// ParseChange allows, it returns raw as it is. Hash and checksum stay the same.
func Deflate(raw []byte) []byte {
	h, err := readHeader(raw)
	if err != nil || h.typ != ChunkChange || h.end != len(raw) || len(raw) <= deflateOver {
		return raw
	}
	// The length is known last and takes 5 bytes at most; the contents wait behind room for it.
	const room = 9 + 5
	out := deflate(make([]byte, room, room+len(raw)/2), raw[h.contents:])
	n := len(out) - room
	head := room - 9 - ulebLen(uint64(n))
	if len(out)-head >= len(raw) || len(raw)-h.contents > inflateLimit(n) {
		return raw
	}
	copy(out[head:], raw[:8])
	out[head+8] = byte(ChunkCompressed)
	appendUleb(out[:head+9], uint64(n))
	return out[head:]
}

// scratch buffers take what is inflated until its chunk is known.
var scratch = sync.Pool{New: func() any { return new([]byte) }}

// unpack returns the uncompressed chunk (type 1) of a change chunk as a private copy, its checksum verified, with its
// hash and where its contents start.
func unpack(chunk []byte) (raw string, hash Hash, contents int, err error) {
	h, err := readHeader(chunk)
	if err != nil {
		return "", Hash{}, 0, err
	}
	if h.end != len(chunk) {
		return "", Hash{}, 0, fmt.Errorf("%d bytes follow the chunk", len(chunk)-h.end)
	}
	plain := chunk
	contents = h.contents
	switch h.typ {
	case ChunkChange:
	case ChunkCompressed:
		// As in Deflate: the contents wait behind room for a header, whose length is known last.
		const room = 9 + 5
		buf := scratch.Get().(*[]byte)
		*buf, err = inflate(append((*buf)[:0], make([]byte, room)...), chunk[h.contents:], MaxChunkBytes)
		plain = *buf
		if cap(plain) <= keepBytes {
			defer scratch.Put(buf)
		}
		if err != nil {
			return "", Hash{}, 0, fmt.Errorf("compressed change: %w", err)
		}
		n := len(plain) - room
		head := room - 9 - ulebLen(uint64(n))
		plain = plain[head:]
		copy(plain, chunk[:8])
		plain[8] = byte(ChunkChange)
		appendUleb(plain[:9], uint64(n))
		contents = room - head
	default:
		return "", Hash{}, 0, fmt.Errorf("chunk of type %d is no change", h.typ)
	}
	hash = sum(plain)
	if string(hash[:4]) != string(plain[4:8]) {
		return "", Hash{}, 0, errChecksum
	}
	return string(plain), hash, contents, nil
}
