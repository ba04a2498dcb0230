package wire

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"trio/crdt/automerge"
)

// errShort is what every read past the end of a frame gets.
var errShort = errors.New("frame is cut short")

// reader takes a frame apart. The first error sticks, and every later read gives zero values.
type reader struct {
	b   []byte
	err error
}

func (r *reader) fail(err error) {
	if r.err == nil {
		r.err = err
		r.b = nil
	}
}

func (r *reader) uint() uint64 {
	v, n := binary.Uvarint(r.b)
	if n <= 0 {
		r.fail(errShort)
		return 0
	}
	if n > 1 && r.b[n-1] == 0 {
		r.fail(errors.New("number is written longer than needed"))
		return 0
	}
	r.b = r.b[n:]
	return v
}

func (r *reader) int() int64 {
	u := r.uint()
	return int64(u>>1) ^ -int64(u&1)
}

// count reads a number of things: at most limit.
func (r *reader) count(what string, limit int) int {
	n := r.uint()
	if n > uint64(limit) {
		r.fail(fmt.Errorf("%d %s: at most %d", n, what, limit))
		return 0
	}
	return int(n)
}

func (r *reader) take(n int) []byte {
	if n > len(r.b) {
		r.fail(errShort)
		return nil
	}
	b := r.b[:n:n]
	r.b = r.b[n:]
	return b
}

func (r *reader) fixed(dst []byte) { copy(dst, r.take(len(dst))) }

func (r *reader) bytes(what string, limit int) []byte {
	return r.take(r.count("bytes of "+what, limit))
}

func (r *reader) text(what string) string {
	s := string(r.bytes(what, maxText))
	if !utf8.ValidString(s) {
		r.fail(fmt.Errorf("%s is not UTF-8", what))
		return ""
	}
	return s
}

func (r *reader) bool() bool {
	b := r.take(1)
	if len(b) == 1 && b[0] > 1 {
		r.fail(fmt.Errorf("flag is %d: want 0 or 1", b[0]))
	}
	return len(b) == 1 && b[0] == 1
}

func (r *reader) receipt() (v Receipt) {
	r.fixed(v.Epoch[:])
	v.Seq = r.uint()
	r.fixed(v.Chain[:])
	return v
}

func (r *reader) hashes(limit int) []automerge.Hash {
	n := r.count("hashes", limit)
	if n*32 > len(r.b) {
		r.fail(errShort)
		return nil
	}
	if n == 0 {
		return nil
	}
	hs := make([]automerge.Hash, n)
	for i := range hs {
		r.fixed(hs[i][:])
	}
	return hs
}

func putInt(b []byte, v int64) []byte {
	return binary.AppendUvarint(b, uint64(v)<<1^uint64(v>>63))
}

func putBytes(b []byte, s []byte) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

// putText writes a sentence for people: one that is too long or not UTF-8 is better mended than refused.
func putText(b []byte, s string) []byte {
	s = strings.ToValidUTF8(s[:min(len(s), maxText+utf8.UTFMax)], "?")
	for len(s) > maxText {
		_, n := utf8.DecodeLastRuneInString(s)
		s = s[:len(s)-n]
	}
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

func putBool(b []byte, v bool) []byte {
	if v {
		return append(b, 1)
	}
	return append(b, 0)
}

// maxReceipt is how many bytes of a frame a receipt takes at most.
const maxReceipt = len(Receipt{}.Epoch) + binary.MaxVarintLen64 + len(Receipt{}.Chain)

func putReceipt(b []byte, v Receipt) []byte {
	b = append(b, v.Epoch[:]...)
	b = binary.AppendUvarint(b, v.Seq)
	return append(b, v.Chain[:]...)
}

func putHashes(b []byte, hs []automerge.Hash) []byte {
	b = slices.Grow(b, binary.MaxVarintLen64+len(hs)*len(automerge.Hash{}))
	b = binary.AppendUvarint(b, uint64(len(hs)))
	for _, h := range hs {
		b = append(b, h[:]...)
	}
	return b
}

// Encode returns the frame as one WebSocket message: a kind byte and the fields in their order, numbers as LEB128. It
// fails when the frame breaks a limit: with ErrTooLarge when fewer changes or hashes would do.
func Encode(f Frame) ([]byte, error) {
	b := []byte{f.kind()}
	var err error
	switch f := f.(type) {
	case *Hello:
		b = binary.AppendUvarint(b, f.Version)
		b = append(b, f.Member[:]...)
		b = append(b, f.Device[:]...)
		b = putReceipt(b, f.Receipt)
		b = binary.AppendUvarint(b, f.Pending)
		b = putInt(b, f.Now)
		b = putText(b, f.App)
		if f.Version >= 3 {
			if b = binary.AppendUvarint(b, uint64(f.Playbook.Version)); f.Playbook.Version > 0 {
				b = append(b, f.Playbook.Hash[:]...)
			}
		}
	case *Welcome:
		b = binary.AppendUvarint(b, f.Version)
		b = putReceipt(b, f.Head)
		b = putInt(b, f.Now)
		b = putText(b, f.Conn)
		b = putBool(b, f.Reconcile)
		if f.Version >= 2 {
			b = putBool(b, f.Leave)
		}
		if f.Version >= 3 {
			b = binary.AppendUvarint(b, uint64(f.Playbook))
		}
	case *Have:
		if len(f.Hashes) > MaxHave {
			return nil, fmt.Errorf("%w: %d hashes, at most %d", ErrTooLarge, len(f.Hashes), MaxHave)
		}
		b = putBool(b, f.More)
		b = putHashes(b, f.Hashes)
	case *Push:
		b = binary.AppendUvarint(b, f.ID)
		b, err = appendBundle(b, f.Items)
	case *Answer:
		if len(f.Refused) > MaxChanges {
			return nil, fmt.Errorf("%w: %d refusals, at most %d", ErrTooLarge, len(f.Refused), MaxChanges)
		}
		b = binary.AppendUvarint(b, f.ID)
		b = binary.AppendUvarint(b, uint64(len(f.Refused)))
		for _, x := range f.Refused {
			b = append(b, x.Hash[:]...)
			b = binary.AppendUvarint(b, uint64(x.Code))
			b = putText(b, x.Text)
		}
	case *Changes:
		if len(f.Held) > MaxChanges {
			return nil, fmt.Errorf("%w: %d changes, at most %d", ErrTooLarge, len(f.Held), MaxChanges)
		}
		held := 0
		for _, h := range f.Held {
			if h {
				held++
			}
		}
		if err := fits(len(f.Held), held, f); err != nil {
			return nil, err
		}
		b = putChanges(b, f)
		b, err = appendBundle(b, f.Items)
	case *Playbook:
		b, err = putPlaybook(b, f)
	case *Error:
		b = binary.AppendUvarint(b, uint64(f.Code))
		b = binary.AppendUvarint(b, f.Wait)
		b = putText(b, f.Text)
	}
	if err != nil {
		return nil, err
	}
	if len(b) > MaxFrame {
		return nil, fmt.Errorf("%w: %d bytes, at most %d", ErrTooLarge, len(b), MaxFrame)
	}
	return b, nil
}

// putChanges appends what comes before the bundle of a Changes frame.
func putChanges(b []byte, f *Changes) []byte {
	b = slices.Grow(b, 2*maxReceipt+binary.MaxVarintLen64+(len(f.Held)+7)/8+binary.MaxVarintLen64+len(f.Hashes)*len(automerge.Hash{}))
	b = putReceipt(b, f.From)
	b = putReceipt(b, f.To)
	b = binary.AppendUvarint(b, uint64(len(f.Held)))
	for i, h := range f.Held {
		if i%8 == 0 {
			b = append(b, 0)
		}
		if h {
			b[len(b)-1] |= 1 << (i % 8)
		}
	}
	return putHashes(b, f.Hashes)
}

// fits reports what is wrong with a frame that says that it has n changes, of which the device holds some.
func fits(n, held int, f *Changes) error {
	if len(f.Hashes) != held || len(f.Items) != n-held {
		return fmt.Errorf("%d changes, of which %d held, come with %d hashes and %d bodies", n, held, len(f.Hashes), len(f.Items))
	}
	return nil
}

// Decode reads one WebSocket message. An error says what is wrong. The changes of a bundle are sealed: their hashes are
// computed here, not believed.
//
// What it allocates is bounded by what came in: text, chunks and strings by MaxInflated each and by 256 bytes for each
// byte of the frame (and 64 KiB), rows by one for each byte of the text and by 2^18, of some 200 bytes. A change that is
// carried whole takes what automerge.ParseChange states. A playbook takes MaxPlaybook at most, whatever it inflates from.
func Decode(b []byte) (Frame, error) {
	if len(b) > MaxFrame {
		return nil, fmt.Errorf("frame of %d bytes: at most %d", len(b), MaxFrame)
	}
	if len(b) == 0 {
		return nil, errShort
	}
	r := &reader{b: b[1:]}
	var f Frame
	switch b[0] {
	case kindHello:
		h := &Hello{Version: r.uint()}
		r.fixed(h.Member[:])
		r.fixed(h.Device[:])
		h.Receipt = r.receipt()
		h.Pending = r.uint()
		h.Now = r.int()
		h.App = r.text("the program's name")
		if h.Version >= 3 {
			if h.Playbook.Version = r.version(); h.Playbook.Version > 0 {
				r.fixed(h.Playbook.Hash[:])
			}
		}
		if r.err == nil && h.Version > Version {
			r.b = nil // a newer Hello may say more
		}
		f = h
	case kindWelcome:
		w := &Welcome{Version: r.uint(), Head: r.receipt(), Now: r.int(), Conn: r.text("the connection's name"), Reconcile: r.bool()}
		if w.Version >= 2 {
			w.Leave = r.bool()
		}
		if w.Version >= 3 {
			w.Playbook = r.version()
		}
		f = w
	case kindLeft:
		f = &Left{}
	case kindPlaybook:
		f = r.playbook()
	case kindHave:
		f = &Have{More: r.bool(), Hashes: r.hashes(MaxHave)}
	case kindPush:
		f = &Push{ID: r.uint(), Items: r.bundle()}
	case kindAnswer:
		a := &Answer{ID: r.uint()}
		for range r.count("refusals", MaxChanges) {
			var x Refusal
			r.fixed(x.Hash[:])
			x.Code = Code(r.count("as a code", 1<<16-1))
			x.Text = r.text("a sentence")
			if r.err != nil {
				break
			}
			a.Refused = append(a.Refused, x)
		}
		f = a
	case kindChanges:
		c := &Changes{From: r.receipt(), To: r.receipt()}
		n := r.count("changes", MaxChanges)
		bitmap := r.take((n + 7) / 8)
		held := 0
		if r.err == nil && n > 0 {
			c.Held = make([]bool, n)
			for i := range c.Held {
				if c.Held[i] = bitmap[i/8]&(1<<(i%8)) != 0; c.Held[i] {
					held++
				}
			}
			if n%8 > 0 && bitmap[n/8]>>(n%8) != 0 {
				r.fail(fmt.Errorf("bits are set behind %d changes", n))
			}
		}
		c.Hashes = r.hashes(MaxChanges)
		c.Items = r.bundle()
		if err := fits(n, held, c); err != nil {
			r.fail(err)
		}
		f = c
	case kindError:
		f = &Error{Code: Code(r.count("as a code", 1<<16-1)), Wait: r.uint(), Text: r.text("a sentence")}
	default:
		return nil, fmt.Errorf("frame kind %d is not known: update the program", b[0])
	}
	if r.err == nil && len(r.b) > 0 {
		r.fail(fmt.Errorf("%d bytes follow the frame", len(r.b)))
	}
	if r.err != nil {
		return nil, fmt.Errorf("frame of kind %d: %w", b[0], r.err)
	}
	return f, nil
}
