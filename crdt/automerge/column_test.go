package automerge

import (
	"bytes"
	"encoding/hex"
	"errors"
	"math"
	"testing"
)

// The examples of the format's public description.
func TestColumnExamples(t *testing.T) {
	for name, c := range map[string]struct {
		got  []byte
		want string
	}{
		"uint":     {appendRLE(nil, []uint64{0, 0, 0, 9, 9, 1, 2, 3}, []bool{3: true, 4: true, 7: false}, appendUleb), "030000027d010203"},
		"delta":    {appendDelta(nil, []int64{3, 4, 5, 6, 9, 7, 8}, nil), "7f0303017d037e01"},
		"bool":     {appendBool(nil, []bool{true, true, false, false, false}), "000203"},
		"string":   {appendRLE(nil, []string{"a", "", "", "boo", "boo"}, []bool{2: true, 4: false}, appendText), "7e0161000001" + "0203626f6f"},
		"nulls":    {appendRLE(nil, []uint64{0, 0}, []bool{true, true}, appendUleb), ""},
		"trailing": {appendRLE(nil, []uint64{5, 0, 0}, []bool{false, true, true}, appendUleb), "7f050002"},
		"pairs":    {appendRLE(nil, []uint64{1, 2, 2, 3, 3, 3, 4, 5}, nil, appendUleb), "7f01020203037e0405"},
	} {
		if got := hex.EncodeToString(c.got); got != c.want {
			t.Errorf("%s: %s, not %s", name, got, c.want)
		}
	}
}

// columnRows reads rows of a column and packs them again.
func columnRows(typ int, s string, rows int) (packed []byte, err error) {
	c := column{name: "test", s: s}
	var u []uint64
	var d []int64
	var str []string
	var null, b []bool
	for range rows {
		ok := true
		switch typ {
		case colDelta:
			var v int64
			v, ok, err = c.delta()
			d = append(d, v)
		case colBool:
			var v bool
			v, err = c.bool()
			b = append(b, v)
		case colString:
			var v string
			v, ok, err = c.text()
			str = append(str, v)
		default:
			var v uint64
			v, ok, err = c.uint()
			u = append(u, v)
		}
		if err != nil {
			return nil, err
		}
		null = append(null, !ok)
	}
	if err := c.end(); err != nil {
		return nil, err
	}
	switch typ {
	case colDelta:
		return appendDelta(nil, d, null), nil
	case colBool:
		return appendBool(nil, b), nil
	case colString:
		return appendRLE(nil, str, null, appendText), nil
	}
	return appendRLE(nil, u, null, appendUleb), nil
}

func TestColumnRefused(t *testing.T) {
	for _, c := range []struct {
		name, in string
		typ      int
		rows     int
		want     error
	}{
		{"cut head", "80", colUint, 1, errLEBShort},
		{"no value", "02", colUint, 1, errLEBShort},
		{"too few rows", "0201", colUint, 3, errColShort},
		{"rows left in a run", "0301", colUint, 2, errColLong},
		{"rows left in the column", "7f010201", colUint, 1, errColLong},
		{"null run of no rows", "0000", colUint, 1, errColZeroRun},
		{"literal longer than the column", "7d0102", colUint, 3, errColShort},
		{"huge run", "ffffffffffffff3f01", colUint, 1, errColRun},
		{"huge null run", "00ffffffffffffff3f", colUint, 1, errColRun},
		{"least number as length", "8080808080808080807f01", colUint, 1, errColRun},
		{"overlong value", "7f8000", colUint, 1, errLEBOverlong},
		{"difference overflows", "02" + "ffffffffffffffffff00", colDelta, 2, errColDelta},
		{"text longer than the column", "7f0561", colString, 1, errColShort},
		{"text is not UTF-8", "7f02c328", colString, 1, errColUTF8},
		{"second run of no rows", "010001", colBool, 2, errColZeroRun},
		{"boolean column too short", "01", colBool, 2, errColShort},
		{"boolean column too long", "03", colBool, 2, errColLong},
	} {
		b, err := hex.DecodeString(c.in)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := columnRows(c.typ, string(b), c.rows); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, not %v", c.name, err, c.want)
		}
	}
}

func TestColumnSum(t *testing.T) {
	c := column{name: "test", s: string(appendRLE(nil, []uint64{0, 0, 5, 5, 7, 1}, nil, appendUleb))}
	if rows, total, err := c.sum(18); rows != 6 || total != 18 || err != nil {
		t.Errorf("%d rows, total %d, %v", rows, total, err)
	}
	if _, _, err := c.sum(17); err == nil {
		t.Error("a total over the limit passes")
	}
	for _, s := range []string{
		string(appendUleb(appendLeb(nil, maxRun), math.MaxUint64)),
		string(appendUleb(appendLeb(nil, 2), math.MaxUint64)),
		string(appendUleb(appendLeb(nil, -1), math.MaxUint64)),
		string(appendUleb(appendLeb(nil, maxRun), 0)),
	} {
		c := column{name: "test", s: s}
		if _, _, err := c.sum(1000); err == nil {
			t.Errorf("%x passes", s)
		}
	}
}

func FuzzColumns(f *testing.F) {
	for typ := colActor; typ <= colString; typ++ {
		f.Add(byte(typ), uint16(8), []byte{3, 0, 0, 2, 0x7d, 1, 2, 3})
		f.Add(byte(typ), uint16(5), []byte{0x7e, 1, 'a', 0, 0, 1, 2, 3, 'b', 'o', 'o'})
		f.Add(byte(typ), uint16(5), []byte{0, 2, 3})
	}
	f.Fuzz(func(t *testing.T, typ byte, rows uint16, b []byte) {
		kind, n := int(typ&7), int(rows%4096)
		packed, err := columnRows(kind, string(b), n)
		if err != nil {
			return
		}
		// A column that is left out stands for any number of rows; equal values in a literal become a run, at two bytes more.
		if len(packed) > 3*len(b) && len(b) > 0 {
			t.Fatalf("type %d: %x packs to more bytes: %x", kind, b, packed)
		}
		again, err := columnRows(kind, string(packed), n)
		if err != nil || !bytes.Equal(packed, again) {
			t.Fatalf("type %d: %x packs to %x, which reads as %x, %v", kind, b, packed, again, err)
		}
	})
}
