package automerge

import (
	"bytes"
	"reflect"
	"slices"
	"testing"
)

// repair makes the checksums of a stream of chunks fit what the fuzzer did to it, as an attacker would.
func repair(b []byte) []byte {
	b = bytes.Clone(b)
	for off := 0; off < len(b); {
		h, err := readHeader(b[off:])
		if err != nil {
			return b
		}
		chunk := b[off : off+h.end]
		if h.typ == ChunkCompressed {
			if contents, err := inflate(nil, chunk[h.contents:], 1<<20); err == nil {
				plain := append(appendHeader(nil, ChunkChange, len(contents)), contents...)
				s := sum(plain)
				copy(chunk[4:8], s[:4])
			}
		} else {
			seal(chunk)
		}
		off += h.end
	}
	return b
}

// seeds are valid files of each form.
func seeds(tb testing.TB) [][]byte {
	flat, deep := sealed(tb, simple()), sealed(tb, nested())
	a := sealed(tb, &Change{Actor: "a", Seq: 1, StartOp: 1, Ops: []Op{
		{Key: "x", Action: Put, Value: Value{Kind: KindCounter, Num: 1}},
		{Key: "y", Action: Put, Value: Value{Kind: KindString, Str: "text"}},
	}})
	b := sealed(tb, &Change{Actor: "b", Seq: 1, StartOp: 3, Time: 5, Message: "m", Extra: []byte("e"), Deps: []Hash{a.hash}, Ops: []Op{
		{Key: "x", Action: Increment, Value: Value{Kind: KindInt, Num: 1}, Pred: []OpID{{1, "a"}}},
		{Key: "y", Action: Delete, Pred: []OpID{{2, "a"}}},
	}})
	d := NewDoc()
	if err := d.Apply(b, a); err != nil {
		tb.Fatal(err)
	}
	saved, err := d.Save()
	if err != nil || ChunkType(saved[8]) != ChunkDocument {
		tb.Fatal(err)
	}
	list := [][]byte{nil, flat.Raw(), deep.Raw(), saved, slices.Concat(b.Raw(), a.Raw()), compressed(flat.Raw()[11:], nil)}
	if b, err := nestedFile(); err == nil {
		list = append(list, b)
	}
	return list
}

func FuzzSplitChunks(f *testing.F) {
	for _, b := range seeds(f) {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		chunks, err := SplitChunks(b)
		all := bytes.Join(chunks, nil)
		if !bytes.HasPrefix(b, all) || err == nil && len(all) != len(b) {
			t.Fatalf("%x is cut into %x, %v", b, chunks, err)
		}
	})
}

func FuzzParseChange(f *testing.F) {
	for _, b := range seeds(f) {
		f.Add(b, true)
		f.Add(b, false)
	}
	f.Fuzz(func(t *testing.T, b []byte, fix bool) {
		if fix {
			b = repair(b)
		}
		c, err := ParseChange(b)
		if err != nil {
			return
		}
		raw, err := c.Encode()
		if err != nil || !bytes.Equal(raw, c.Raw()) || sum(raw) != c.Hash() {
			t.Fatalf("encodes as %x, %v", raw, err)
		}
		if small, err := ParseChange(Deflate(raw)); err != nil || small.Hash() != c.Hash() {
			t.Fatalf("deflated: %v", err)
		}
		// The fields alone make a change that reads as the same fields and is canonical.
		own := fields(c)
		if err := own.Seal(); err != nil {
			// A chunk may have more rows than the canonical one of its fields may, which is shorter.
			if own.Check() != nil {
				t.Fatalf("the fields of a parsed change do not check: %v", err)
			}
			return
		}
		again, err := ParseChange(own.Raw())
		if err != nil {
			t.Fatalf("our own encoding is refused: %v\n%x", err, own.Raw())
		}
		if !again.Canonical() || !reflect.DeepEqual(fields(again), fields(c)) {
			t.Fatalf("read again as\n%+v\nnot\n%+v", fields(again), fields(c))
		}
		if c.Canonical() != bytes.Equal(own.Raw(), c.Raw()) {
			t.Fatalf("canonical %v, %x, %x", c.Canonical(), own.Raw(), c.Raw())
		}
	})
}

func FuzzLoad(f *testing.F) {
	for _, b := range seeds(f) {
		f.Add(b, true)
		f.Add(b, false)
	}
	f.Fuzz(func(t *testing.T, b []byte, fix bool) {
		if fix {
			b = repair(b)
		}
		d, err := Load(b)
		if err != nil {
			return
		}
		saved, err := d.Save()
		if err != nil {
			t.Fatal(err)
		}
		again, err := Load(saved)
		if err != nil {
			t.Fatalf("what was saved is refused: %v\n%x\n%x", err, b, saved)
		}
		if !slices.Equal(again.Heads(), d.Heads()) || again.Pending() != d.Pending() || !reflect.DeepEqual(again.keys, d.keys) {
			t.Fatalf("saved and loaded differ: heads %v, %v, keys %v, %v", again.Heads(), d.Heads(), again.keys, d.keys)
		}
	})
}

// FuzzHeads has the fuzzer write the columns of a document chunk whose stated heads are then made to fit, so that it gets
// past the check of the heads.
func FuzzHeads(f *testing.F) {
	for _, b := range seeds(f) {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		h, err := readHeader(b)
		if err != nil || h.typ != ChunkDocument || h.end != len(b) {
			return
		}
		l, _, err := loadRows(repair(b))
		if err != nil {
			return
		}
		changes, err := l.sealAll()
		if err != nil {
			return
		}
		d := NewDoc()
		// The graph may refuse: op numbers that a history has used, say.
		_ = d.Apply(changes...)
		saved, err := d.Save()
		if err != nil {
			t.Fatal(err)
		}
		again, err := Load(saved)
		if err != nil || !slices.Equal(again.Heads(), d.Heads()) || !reflect.DeepEqual(again.keys, d.keys) {
			t.Fatalf("saved and loaded differ: %v\n%x", err, saved)
		}
	})
}
