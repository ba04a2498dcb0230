package automerge

import (
	"encoding/hex"
	"errors"
	"math"
	"testing"
)

func TestLEB(t *testing.T) {
	for _, v := range []int64{
		0, 1, -1, 63, 64, -64, -65, 127, 128, 8191, 8192, -8192, -8193, math.MaxInt32, math.MinInt32,
		1 << 62, -1 << 62, math.MaxInt64, math.MinInt64,
	} {
		b := appendLeb(nil, v)
		if got, n, err := readLeb(string(b), 0); err != nil || got != v || n != len(b) || n != lebLen(v) {
			t.Errorf("leb %d: %x reads as %d, %d bytes of %d, lebLen %d, %v", v, b, got, n, len(b), lebLen(v), err)
		}
		u := uint64(v)
		b = appendUleb(nil, u)
		if got, n, err := readUleb(string(b), 0); err != nil || got != u || n != len(b) || n != ulebLen(u) {
			t.Errorf("uleb %d: %x reads as %d, %d bytes of %d, ulebLen %d, %v", u, b, got, n, len(b), ulebLen(u), err)
		}
	}
}

func TestLEBRefused(t *testing.T) {
	for _, c := range []struct {
		in     string
		u, s   error
		uv, sv int64
	}{
		{in: "", u: errLEBShort, s: errLEBShort},
		{in: "80", u: errLEBShort, s: errLEBShort},
		{in: "8000", u: errLEBOverlong, s: errLEBOverlong},
		{in: "ff7f", uv: 1<<14 - 1, s: errLEBOverlong},
		{in: "ff00", u: errLEBOverlong, sv: 127},
		{in: "bf7f", uv: 1<<14 - 65, sv: -65},
		{in: "c07f", uv: 1<<14 - 64, s: errLEBOverlong},
		{in: "ffffffffffffffffff01", uv: -1, s: errLEBRange},
		{in: "ffffffffffffffffff02", u: errLEBRange, s: errLEBRange},
		{in: "8080808080808080807f", u: errLEBRange, sv: math.MinInt64},
		{in: "ffffffffffffffffff00", u: errLEBOverlong, sv: math.MaxInt64},
		{in: "ffffffffffffffffffff01", u: errLEBRange, s: errLEBRange},
		{in: "80808080808080808000", u: errLEBOverlong, s: errLEBOverlong},
	} {
		b, err := hex.DecodeString(c.in)
		if err != nil {
			t.Fatal(err)
		}
		if u, _, err := readUleb(string(b), 0); !errors.Is(err, c.u) || err == nil && int64(u) != c.uv {
			t.Errorf("uleb %s: %d, %v; want %d, %v", c.in, u, err, c.uv, c.u)
		}
		if s, _, err := readLeb(string(b), 0); !errors.Is(err, c.s) || err == nil && s != c.sv {
			t.Errorf("leb %s: %d, %v; want %d, %v", c.in, s, err, c.sv, c.s)
		}
	}
}
