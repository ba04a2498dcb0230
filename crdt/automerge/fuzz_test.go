package automerge

import (
	"bytes"
	"maps"
	"reflect"
	"slices"
	"strings"
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

// registers returns the visible entries of each key.
func registers(d *Doc) map[string][]Entry {
	all := map[string][]Entry{}
	for _, key := range d.Keys() {
		all[key] = d.Conflicts(key)
	}
	return all
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
		d, err := LoadLimit(b, 1<<14) // a few bytes may be millions of rows, which take their time
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
		if !slices.Equal(again.Heads(), d.Heads()) || again.Pending() != d.Pending() || !reflect.DeepEqual(registers(again), registers(d)) {
			t.Fatalf("saved and loaded differ: heads %v, %v, keys %v, %v", again.Heads(), d.Heads(), registers(again), registers(d))
		}
	})
}

// TestEveryByte changes each byte of each form of file in many ways and repairs the checksum. What still loads must save
// and load again as the same.
func TestEveryByte(t *testing.T) {
	loaded := 0
	for n, file := range seeds(t) {
		step := 1
		if testing.Short() {
			step = 7
		}
		for i := 0; i < len(file); i += step {
			for _, change := range []byte{1, 2, 4, 8, 16, 32, 64, 128, 127, 255} {
				b := bytes.Clone(file)
				b[i] ^= change
				b = repair(b)
				d, err := Load(b)
				if err != nil {
					continue
				}
				loaded++
				saved, err := d.Save()
				if err != nil {
					t.Fatalf("file %d, byte %d ^ %d: %v", n, i, change, err)
				}
				again, err := Load(saved)
				if err != nil || !slices.Equal(again.Heads(), d.Heads()) || !reflect.DeepEqual(registers(again), registers(d)) {
					t.Fatalf("file %d, byte %d ^ %d: saved and loaded differ: %v", n, i, change, err)
				}
			}
		}
	}
	if loaded == 0 {
		t.Error("no change of a byte got past the checks: the test tests nothing")
	}
}

// TestDocumentRefused breaks one field of a document and makes the checksum fit.
func TestDocumentRefused(t *testing.T) {
	d := NewDoc()
	for i := range 3 {
		tx := d.Begin("a")
		if err := tx.Put("k", Value{Kind: KindInt, Num: int64(i)}); err != nil {
			t.Fatal(err)
		}
		if _, err := tx.Commit(1, ""); err != nil {
			t.Fatal(err)
		}
	}
	build := func(spoil func(body []byte, change, op map[uint64]string) []byte) []byte {
		change := map[uint64]string{
			chActor: "\x03\x00", chSeq: "\x03\x01", chMaxOp: "\x03\x01", chTime: "\x7f\x01\x02\x00",
			chDepsNum: "\x7f\x00\x02\x01", chDepsIndex: "\x7e\x00\x01", chExtraMeta: "\x03\x07",
		}
		op := map[uint64]string{
			opKeyStr: "\x03\x01k", opIDActor: "\x03\x00", opIDCtr: "\x03\x01", opInsert: "\x03", opAction: "\x03\x01",
			opValueMeta: "\x03\x14", opValue: "\x00\x01\x02", opSuccNum: "\x02\x01\x7f\x00", opSuccActor: "\x02\x00",
			opSuccCtr: "\x7e\x02\x01",
		}
		body := append([]byte{1, 1, 'a', 1}, d.graph.sortedHeads()[0][:]...)
		tail := spoil(body, change, op)
		var data []byte
		for _, cols := range []map[uint64]string{change, op} {
			var specs []columnSpec
			for _, spec := range slices.Sorted(maps.Keys(cols)) {
				specs = append(specs, columnSpec{spec, uint64(len(cols[spec]))})
				data = append(data, cols[spec]...)
			}
			body = appendSpecs(body, specs)
		}
		body = append(append(body, data...), tail...)
		chunk := append(appendHeader(nil, ChunkDocument, len(body)), body...)
		seal(chunk)
		return chunk
	}
	type cols = map[uint64]string
	fine := build(func([]byte, cols, cols) []byte { return []byte{2} })
	saved, err := d.Save()
	if err != nil || !bytes.Equal(saved, fine) {
		t.Fatalf("saved as\n%x\nnot\n%x", saved, fine)
	}
	if _, err := Load(build(func([]byte, cols, cols) []byte { return nil })); err != nil {
		t.Errorf("without an index of heads: %v", err)
	}
	for _, c := range []struct {
		name, want string
		spoil      func(body []byte, change, op cols) []byte
	}{
		{"head", "heads that the document states", func(b []byte, _, _ cols) []byte { b[4]++; return nil }},
		{"actors", "no actor 1: there are 1", func(b []byte, change, _ cols) []byte { change[chActor] = "\x03\x01"; return nil }},
		{"index of heads", "heads that the document states", func([]byte, cols, cols) []byte { return []byte{1} }},
		{"index of heads out of range", "heads that the document states", func([]byte, cols, cols) []byte { return []byte{3} }},
		{"tail", "bytes follow", func([]byte, cols, cols) []byte { return []byte{2, 2} }},
		{"gap in the sequence", "change 2 of its writer has the sequence number 3", func(_ []byte, c, _ cols) []byte { c[chSeq] = "\x7d\x01\x02\x01"; return nil }},
		{"max op descends", "do not ascend", func(_ []byte, c, _ cols) []byte { c[chMaxOp] = "\x7d\x01\x01\x7f"; return nil }},
		{"max op is negative", "max op -1", func(_ []byte, c, _ cols) []byte { c[chMaxOp] = "\x7d\x7f\x01\x7f"; return nil }},
		{"dependency on what follows", "not before it", func(_ []byte, c, _ cols) []byte { c[chDepsIndex] = "\x7e\x01\x01"; return nil }},
		{"no dependency groups", "0 rows for 3 changes", func(_ []byte, c, _ cols) []byte { delete(c, chDepsNum); return nil }},
		{"more times than changes", "column time", func(_ []byte, c, _ cols) []byte { c[chTime] = "\x04\x01"; return nil }},
		{"extra is no bytes", "value of kind 6 where bytes belong", func(_ []byte, c, _ cols) []byte { c[chExtraMeta] = "\x03\x06"; return nil }},
		{"another time", "heads that the document states", func(_ []byte, c, _ cols) []byte { c[chTime] = "\x03\x01"; return nil }},
		{"another value", "heads that the document states", func(_ []byte, _, o cols) []byte { o[opValue] = "\x00\x01\x03"; return nil }},
		{"operation of no change", "operation 4@61 is of no change", func(_ []byte, _, o cols) []byte { o[opIDCtr] = "\x7d\x01\x01\x02"; return nil }},
		{"operation twice", "two rows for operation 2", func(_ []byte, _, o cols) []byte { o[opIDCtr] = "\x7d\x01\x01\x00"; return nil }},
		{"missing operation", "change 2 has 1 operations from 3 and the max op 4", func(_ []byte, c, _ cols) []byte { c[chMaxOp] = "\x02\x01\x7f\x02"; return nil }},
		{"successor of no change", "operation 9@61 is of no change", func(_ []byte, _, o cols) []byte { o[opSuccCtr] = "\x7e\x02\x07"; return nil }},
		{"own successor", "is not older than the operation", func(_ []byte, _, o cols) []byte { o[opSuccCtr] = "\x7e\x01\x02"; return nil }},
		{"explicit delete", "a delete has no row", func(_ []byte, _, o cols) []byte { o[opAction] = "\x03\x03"; return nil }},
		{"groups for fewer rows", "2 rows for 3 operations", func(_ []byte, _, o cols) []byte { o[opSuccNum] = "\x02\x01"; return nil }},
		{"column that does not inflate", "inflating", func(_ []byte, _, o cols) []byte { o[opValue|colDeflate] = "junk"; delete(o, opValue); return nil }},
	} {
		_, err := Load(build(c.spoil))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, not %q", c.name, err, c.want)
		}
	}
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
		l, _, err := loadRows(repair(b), MaxDocumentOps)
		if err != nil {
			return
		}
		d := NewDoc()
		// The graph may refuse some: op numbers that a history has used, say.
		if _, _, err := l.seal(d); err != nil {
			return
		}
		saved, err := d.Save()
		if err != nil {
			t.Fatal(err)
		}
		again, err := Load(saved)
		if err != nil || !slices.Equal(again.Heads(), d.Heads()) || !reflect.DeepEqual(registers(again), registers(d)) {
			t.Fatalf("saved and loaded differ: %v\n%x", err, saved)
		}
	})
}
