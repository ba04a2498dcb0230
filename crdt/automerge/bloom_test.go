package automerge_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"reflect"
	"strings"
	"testing"

	"trio/crdt/automerge"
)

// numbered returns a hash that is no change's.
func numbered(n int) automerge.Hash {
	return sha256.Sum256(binary.LittleEndian.AppendUint64(nil, uint64(n)))
}

func TestBloom(t *testing.T) {
	for _, n := range []int{0, 1, 2, 7, 100, 10_000} {
		var in []automerge.Hash
		for i := range n {
			in = append(in, numbered(i))
		}
		f := automerge.NewBloom(in)
		b := f.Append(nil)
		if n == 0 && len(b) > 0 {
			t.Errorf("the empty filter is %x", b)
		}
		again, err := automerge.ParseBloom(b)
		if err != nil || !reflect.DeepEqual(again, f) {
			t.Fatalf("%d entries: %v, read again as %+v", n, err, again)
		}
		for _, h := range in {
			if !again.Has(h) {
				t.Fatalf("%d entries: %s is lost", n, h)
			}
		}
		wrong := 0
		for i := range 10_000 {
			if again.Has(numbered(n + i)) {
				wrong++
			}
		}
		// One in a hundred is expected of a large filter; the hashes are always the same ones.
		if wrong > 150 && n >= 100 || n == 0 && wrong > 0 || n >= 100 && wrong < 50 {
			t.Errorf("%d entries: %d of 10000 others are held", n, wrong)
		}
	}
}

// TestBloomBits pins the walk over the bits with one that was made by hand: ten bits in two bytes, so modulo 16; x is 3,
// y is 5 and z is 1 (each number 16 times as large as that and the rest).
func TestBloomBits(t *testing.T) {
	var h automerge.Hash
	copy(h[:], []byte{0x13, 0, 0, 0, 0xf5, 0xff, 0xff, 0xff, 0x01, 0, 0, 0x80})
	// 3, then 3+5=8, y 6: 14, y 7: 21=5, y 8: 13, y 9: 22=6, y 10: 0.
	want := []byte{1, 10, 7, 1<<3 | 1<<5 | 1<<6 | 1<<0, 1<<0 | 1<<6 | 1<<5}
	f := automerge.NewBloom([]automerge.Hash{h})
	if got := f.Append(nil); !bytes.Equal(got, want) {
		t.Fatalf("%x, not %x", got, want)
	}
}

func TestBloomHostile(t *testing.T) {
	full := bytes.Repeat([]byte{0xff}, 64)
	cat := func(parts ...[]byte) []byte { return bytes.Join(parts, nil) }
	most := []byte{0xff, 0xff, 0xff, 0xff, 0x0f} // 2^32-1
	for _, test := range []struct {
		name string
		b    []byte
		err  string
		has  bool
	}{
		{"no bytes", nil, "", false},
		{"no entries", []byte{0, 10, 7}, "", false},
		{"no entries and bits", cat([]byte{0, 10, 7}, full), "", false},
		{"no bits", cat([]byte{1, 0, 7}, full), "no bits", false},
		{"no probes count as one", []byte{1, 8, 0, 0xff}, "", true},
		{"no probes, no bit", []byte{1, 8, 0, 0}, "", false},
		{"most probes", cat([]byte{1, 8}, most, full), "probes are over the limit", false},
		{"too many probes", cat([]byte{1, 8, automerge.MaxBloomProbes + 1}, full), "probes are over the limit", false},
		{"as many probes as may be", cat([]byte{1, 8, automerge.MaxBloomProbes}, full), "", true},
		{"number beyond 32 bits", []byte{0x80, 0x80, 0x80, 0x80, 0x10, 10, 7}, "over the limit", false},
		{"most entries", cat(most, []byte{10, 7}, full), "has 64 bytes", false},
		{"most of both", cat(most, most, []byte{7}, full), "has 64 bytes", false},
		{"a bit too few", cat([]byte{8, 64, 7}, full[1:]), "has 63 bytes, not 64", false},
		{"bytes that follow", cat([]byte{1, 10, 7}, full), "", true},
		{"cut off", []byte{1, 10}, "cut off", false},
		{"long form", []byte{0x81, 0, 10, 7, 0xff, 0xff}, "longer than", false},
		{"too long", make([]byte, automerge.MaxBloomBytes+1), "over the limit", false},
	} {
		f, err := automerge.ParseBloom(test.b)
		switch {
		case test.err == "" && err != nil, test.err != "" && (err == nil || !strings.Contains(err.Error(), test.err)):
			t.Errorf("%s: %v, not %q", test.name, err, test.err)
		case f.Has(numbered(1)) != test.has:
			t.Errorf("%s: has %v", test.name, !test.has)
		}
	}
}

// TestBloomOfMany holds what we make to what we read.
func TestBloomOfMany(t *testing.T) {
	if testing.Short() {
		t.Skip("takes a hundred megabytes")
	}
	in := make([]automerge.Hash, 3_500_000) // all but one the same, which is quick
	in[len(in)-1] = numbered(1)
	f := automerge.NewBloom(in)
	b := f.Append(nil)
	again, err := automerge.ParseBloom(b)
	if err != nil || len(b) > automerge.MaxBloomBytes || len(b) < automerge.MaxBloomBytes*3/4 {
		t.Fatalf("%d bytes, %v", len(b), err)
	}
	if !again.Has(in[0]) || !again.Has(in[len(in)-1]) || again.Has(numbered(2)) {
		t.Error("it holds other hashes")
	}
}
