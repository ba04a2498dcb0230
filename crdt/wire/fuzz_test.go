package wire

import (
	"bytes"
	"testing"
)

func FuzzDecode(f *testing.F) {
	usual, extreme := frames(f)
	for _, x := range append(usual, extreme...) {
		if b := encoded(f, x.frame); len(b) < 4096 {
			f.Add(b)
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) { decodeTwice(t, b) })
}

// decodeTwice holds what must be so of every frame that can be read: written again it says the same, and written once
// more it has the same bytes.
func decodeTwice(t *testing.T, b []byte) {
	f, err := Decode(b)
	if err != nil {
		return
	}
	again, err := Encode(f)
	if err != nil {
		t.Fatalf("%x is read as %+v, which cannot be written: %v", b, f, err)
	}
	g, err := Decode(again)
	if err == nil {
		err = sameFrame(f, g)
	}
	if err != nil {
		t.Fatalf("%x is written as\n%x: %v", b, again, err)
	}
	if third := encoded(t, g); !bytes.Equal(third, again) {
		t.Fatalf("%x, then %x", again, third)
	}
}

// unpack returns the text and the raw section of a frame with a bundle.
func unpack(tb testing.TB, b []byte) (n uint64, text, raw []byte) {
	r := &reader{b: b[1:]}
	r.uint()
	n = r.uint()
	method := r.take(1)
	size := r.count("bytes", MaxInflated)
	text, raw = r.bytes("text", MaxFrame), r.bytes("raw", MaxFrame)
	if method[0] == methodDeflate {
		var err error
		if text, err = inflate(nil, text, size); err != nil {
			tb.Fatal(err)
		}
	}
	return n, text, raw
}

// FuzzBundle changes what is inside of valid bundles, and repairs size and digest.
func FuzzBundle(f *testing.F) {
	for _, items := range [][]Item{entries200(f)[:1], entries200(f)[:5], edits200(f)[:5], foreign(f), history(f, 3)[:9], history(f, 6)[:9]} {
		n, text, raw := unpack(f, encoded(f, &Push{ID: 1, Items: items}))
		f.Add(uint16(n), text, raw)
	}
	f.Fuzz(func(t *testing.T, n uint16, text, raw []byte) {
		decodeTwice(t, packText(uint64(n), text, string(raw), false))
	})
}

// FuzzFold writes texts of all sorts and reads them back.
func FuzzFold(f *testing.F) {
	f.Add("019ab6f2-4c00-7abc-8def-0123456789ab/phone/+34600123456", `{"at":1763798400000}`, int64(1763798400), uint64(1))
	f.Add("a\x00\x01\x02\x03\x04//", "\x04", int64(-1), uint64(1<<31-1))
	f.Fuzz(func(t *testing.T, key, value string, at int64, start uint64) {
		b := newBook(t, 1, 1)
		c := change(key, value, at, start, b)
		if c.Seal() != nil {
			return
		}
		roundTrip(t, []Item{{"contacts", c}, {"contacts", c}})
	})
}
