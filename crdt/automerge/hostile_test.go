package automerge

import (
	"bytes"
	"errors"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"
)

// allocated returns how many bytes f takes from the heap, those that are free again included.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// head builds the contents of a change chunk from its fields, each as the bytes that an attacker writes.
func head(deps, actor, seq, start, time, message, others, rest string) []byte {
	b := []byte(deps + actor + seq + start + time + message + others + rest)
	chunk := append(appendHeader(nil, ChunkChange, len(b)), b...)
	seal(chunk)
	return chunk
}

func uleb(v uint64) string { return string(appendUleb(nil, v)) }
func sleb(v int64) string  { return string(appendLeb(nil, v)) }

// putRows are the columns of n operations {put k: null}.
func putRows(n int64) []col {
	return []col{
		{opKeyStr, sleb(n) + "\x01k"},
		{opInsert, uleb(uint64(n))},
		{opAction, sleb(n) + "\x01"},
		{opValueMeta, sleb(n) + "\x00"},
		{opPredNum, sleb(n) + "\x00"},
	}
}

// document builds a document chunk of one change by actor "a" with one put, with changes to its columns. The heads that it
// states are none, so that it is refused in the end if by nothing else.
func document(specs ...col) []byte {
	cols := map[uint64]string{
		chActor: "\x7f\x00", chSeq: "\x7f\x01", chMaxOp: "\x7f\x01", chTime: "\x7f\x00", chDepsNum: "\x7f\x00", chExtraMeta: "\x7f\x07",
	}
	ops := map[uint64]string{
		opKeyStr: "\x7f\x01k", opIDActor: "\x7f\x00", opIDCtr: "\x7f\x01", opInsert: "\x01", opAction: "\x7f\x01",
		opValueMeta: "\x7f\x00", opSuccNum: "\x7f\x00",
	}
	lie := uint64(0)
	for _, c := range specs {
		switch {
		case c.spec == lying:
			lie = uint64(len(c.data))
		case c.spec&changeColumn != 0:
			cols[c.spec&^changeColumn] = c.data
		default:
			delete(ops, c.spec&^colDeflate)
			ops[c.spec] = c.data
		}
	}
	body := []byte("\x01\x01a\x00")
	var data []byte
	for i, m := range []map[uint64]string{cols, ops} {
		var list []columnSpec
		for spec, s := range m {
			list = append(list, columnSpec{spec, uint64(len(s))})
		}
		slices.SortFunc(list, func(a, b columnSpec) int { return int(a.spec&^colDeflate) - int(b.spec&^colDeflate) })
		for _, spec := range list {
			data = append(data, m[spec.spec]...)
		}
		if i == 1 {
			list[len(list)-1].n += lie
		}
		body = appendSpecs(body, list)
	}
	body = append(body, data...)
	chunk := append(appendHeader(nil, ChunkDocument, len(body)), body...)
	seal(chunk)
	return chunk
}

const (
	changeColumn = 1 << 40 // marks a column of changes for document
	lying        = 1 << 41 // makes the last column of operations longer than it is
)

// TestHostile has input whose checksums fit and that is wrong in one way; each must get an error that says in which, at a
// cost in memory that its size accounts for.
func TestHostile(t *testing.T) {
	const mib = 1 << 20
	zeros := make([]byte, 3*mib)
	incompressible := string(bytes.Repeat([]byte("0123456789abcdef"), 64))
	for _, c := range []struct {
		name string
		in   []byte
		want string
		cost uint64 // bytes besides 16 for each of the input's; 64 KiB if nothing is stated
	}{
		// Bombs: few bytes that claim or become many.
		{"2^32 rows", craftedCols(nil, putRows(1<<32)...), "more than the ", 0},
		{"2^33 rows", craftedCols(nil, putRows(1<<33)...), "run is longer than any column may be", 0},
		{"2^62 rows", craftedCols(nil, putRows(1<<62)...), "run is longer than any column may be", 0},
		{"as many rows as a run may have, null", craftedCols(nil, onePut(col{opAction, "\x00" + uleb(1<<32)})...), "more than the ", 0},
		{"2^40 predecessors", craftedCols(nil, onePut(col{opPredNum, "\x7f" + uleb(1<<40)})...), "values add up to more", 0},
		{"change of zeros", compressed(zeros, nil), "it inflates to more than", 12 * mib},
		{"deflated twice", compressed(compressed(zeros, nil)[9:], nil), "cut off", 12 * mib},
		{"column of zeros", document(col{opKeyStr | colDeflate, string(deflate(nil, zeros))}), "it inflates to more than", 20 * mib},
		{"value column that is promised to be great", document(col{opValueMeta, "\x7f" + uleb(200*mib<<4|uint64(KindBytes))},
			col{opValue | colDeflate, string(deflate(nil, []byte(incompressible)))}), "column value", 2 * mib},
		{"rows of a document", document(col{opAction, sleb(1<<31) + "\x01"}), "more than the ", 0},
		{"successors of a document", document(col{opSuccNum, "\x7f" + uleb(1<<40)}), "values add up to more", 0},
		{"changes of a document", document(col{changeColumn | chActor, sleb(1<<31) + "\x00"}), "more than the ", 0},
		{"dependencies of a document", document(col{changeColumn | chDepsNum, "\x7f" + uleb(1<<40)}), "values add up to more", 0},

		// Counters near the end of their range.
		{"start op 2^31", head("\x00", "\x01a", "\x01", uleb(1<<31), "\x00", "\x00", "\x00", "\x00"), "start op, byte 14: 2147483648 is over the limit", 0},
		{"start op 2^64-1", head("\x00", "\x01a", "\x01", uleb(math.MaxUint64), "\x00", "\x00", "\x00", "\x00"), "over the limit of 2147483647", 0},
		{"start op of 11 bytes", head("\x00", "\x01a", "\x01", strings.Repeat("\xff", 10)+"\x01", "\x00", "\x00", "\x00", "\x00"), "does not fit 64 bits", 0},
		{"operations past the last number", encoded(&Change{Actor: "a", Seq: 1, StartOp: MaxOp, Ops: []Op{{Key: "k"}, {Key: "l"}}}), "last operation 2147483648 is over the limit", 0},
		{"sequence number 2^31", head("\x00", "\x01a", uleb(1<<31), "\x01", "\x00", "\x00", "\x00", "\x00"), "over the limit of 2147483647", 0},
		{"sequence number 0", head("\x00", "\x01a", "\x00", "\x01", "\x00", "\x00", "\x00", "\x00"), "sequence number 0 is not between", 0},
		{"predecessor 2^31", craftedCols(nil, onePut(col{opPredNum, "\x7f\x01"}, col{opPredActor, "\x7f\x00"}, col{opPredCtr, "\x7f" + sleb(1<<31)})...), "counter 2147483648 is not between", 0},
		{"predecessor -2^63", craftedCols(nil, onePut(col{opPredNum, "\x7f\x01"}, col{opPredActor, "\x7f\x00"}, col{opPredCtr, "\x7f" + sleb(math.MinInt64)})...), "is not between", 0},
		{"differences that overflow", craftedCols(nil, onePut(col{opPredNum, "\x7f\x02"}, col{opPredActor, "\x02\x00"}, col{opPredCtr, "\x7e\x01" + sleb(math.MaxInt64)})...), "leaves the range of 64 bits", 0},
		{"max op past the last number", document(col{changeColumn | chMaxOp, "\x7f" + sleb(1<<31)}), "max op 2147483648 is not between", 0},
		{"id past the last number", document(col{opIDCtr, "\x7f" + sleb(1<<40)}), "is not between 1 and", 0},

		// Indexes without a thing.
		{"object by actor 1 of 1", craftedCols(nil, onePut(col{opObjActor, "\x7f\x01"}, col{opObjCtr, "\x7f\x01"})...), "no actor 1: there are 1", 0},
		{"element by actor 2^63", craftedCols(nil, onePut(col{opKeyStr, "-"}, col{opObjActor, "\x7f\x00"}, col{opObjCtr, "\x7f\x01"},
			col{opKeyActor, "\x7f" + uleb(1<<63)}, col{opKeyCtr, "\x7f\x01"})...), "no actor 9223372036854775808", 0},
		{"predecessor by actor 7 of 2", craftedCols([]ActorID{"c"}, onePut(col{opPredNum, "\x7f\x01"}, col{opPredActor, "\x7f\x07"}, col{opPredCtr, "\x7f\x01"})...), "no actor 7: there are 2", 0},
		{"change by actor 1 of 1", document(col{changeColumn | chActor, "\x7f\x01"}), "no actor 1: there are 1", 0},
		{"row by actor 1 of 1", document(col{opIDActor, "\x7f\x01"}), "no actor 1: there are 1", 0},
		{"successor by actor 1 of 1", document(col{opSuccNum, "\x7f\x01"}, col{opSuccActor, "\x7f\x01"}, col{opSuccCtr, "\x7f\x02"}), "no actor 1: there are 1", 0},
		{"dependency on itself", document(col{changeColumn | chDepsNum, "\x7f\x01"}, col{changeColumn | chDepsIndex, "\x7f\x00"}), "depends on change 0, which is not before it", 0},
		{"dependency on change -1", document(col{changeColumn | chDepsNum, "\x7f\x01"}, col{changeColumn | chDepsIndex, "\x7f\x7f"}), "depends on change -1", 0},
		{"dependency on change 2^40", document(col{changeColumn | chDepsNum, "\x7f\x01"}, col{changeColumn | chDepsIndex, "\x7f" + sleb(1<<40)}), "which is not before it", 0},

		// Lengths that lie.
		{"column longer than the chunk", crafted(nil, []columnSpec{{opAction, 100}}, []byte("\x7f\x01")), "columns, byte 21: cut off", 0},
		{"column of 256 MiB", crafted(nil, []columnSpec{{opAction, MaxDocumentBytes}}, nil), "cut off", 0},
		{"column of 2^63 bytes", crafted(nil, []columnSpec{{opAction, 1 << 63}}, nil), "over the limit", 0},
		{"column shorter than its rows", craftedCols(nil, onePut(col{opKeyStr, "\x7f\x05k"})...), "column ends before its rows", 0},
		{"value longer than its column", craftedCols(nil, onePut(col{opValueMeta, "\x7f" + uleb(100<<4|uint64(KindBytes))}, col{opValue, "x"})...), "column value, byte", 0},
		{"value of 2^59 bytes", craftedCols(nil, onePut(col{opValueMeta, "\x7f" + uleb(math.MaxUint64&^15|uint64(KindBytes))})...), "column value", 0},
		{"bytes that no value takes", craftedCols(nil, onePut(col{opValue, "x"})...), "more rows than there are operations", 0},
		{"column of a document", document(col{lying, strings.Repeat("x", 50)}), "cut off", 0},
		{"4096 dependencies in no bytes", head(uleb(4096), "", "", "", "", "", "", ""), "dependencies, byte 12: cut off", 0},
		{"2^60 dependencies", head(uleb(1<<60), "", "", "", "", "", "", ""), "over the limit of 4096", 0},
		{"actor longer than the chunk", head("\x00", "\x7fa", "", "", "", "", "", ""), "actor, byte 12: cut off", 0},
		{"message of 64 KiB in no bytes", head("\x00", "\x01a", "\x01", "\x01", "\x00", uleb(MaxMessageBytes), "", ""), "message, byte 19: cut off", 0},
		{"65,536 actors in no bytes", head("\x00", "\x01a", "\x01", "\x01", "\x00", "\x00", uleb(MaxActors), ""), "cut off", 0},
		{"columns without end", head("\x00", "\x01a", "\x01", "\x01", "\x00", "\x00", "\x00", uleb(1<<40)), "over the limit of 64", 0},

		// What refers to itself.
		{"predecessor that is itself", encoded(&Change{Actor: "a", Seq: 1, StartOp: 1, Ops: []Op{{Key: "k", Action: Put, Pred: []OpID{{1, "a"}}}}}), "predecessor 1@61 is not older than the operation", 0},
		{"predecessor that comes later", encoded(&Change{Actor: "a", Seq: 1, StartOp: 1, Ops: []Op{{Key: "k", Action: Put, Pred: []OpID{{2, "a"}}}, {Key: "k", Action: Put}}}), "predecessor 2@61 is not older", 0},
		{"object that is itself", encoded(&Change{Actor: "a", Seq: 1, StartOp: 1, Ops: []Op{{Obj: OpID{1, "a"}, Key: "k", Action: MakeMap}}}), "object 1@61 is not older", 0},
		{"element that is itself", encoded(&Change{Actor: "a", Seq: 1, StartOp: 1, Ops: []Op{{Key: "l", Action: MakeList}, {Obj: OpID{1, "a"}, IsList: true, Insert: true, Elem: OpID{2, "a"}, Action: Put}}}), "element 2@61 is not older", 0},
		{"own successor", document(col{opSuccNum, "\x7f\x01"}, col{opSuccActor, "\x7f\x00"}, col{opSuccCtr, "\x7f\x01"}), "is not older than the operation", 0},

		// One thing, two spellings.
		{"length that is spelled longer", overlong(sealedRaw(t)), "number is longer than it needs to be", 0},
		{"number that is spelled longer", head("\x00", "\x01a", "\x81\x00", "\x01", "\x00", "\x00", "\x00", "\x00"), "number is longer than it needs to be", 0},
		{"compressed with a checksum of its own", ownChecksum(compressed(sealedRaw(t)[10:], nil)), "checksum does not fit", 0},
		{"compressed with bytes behind", compressed(sealedRaw(t)[10:], []byte("x")), "1 bytes follow what is deflated", 0},
		{"change with the type of a document", retyped(sealedRaw(t), ChunkDocument), "document", 0},
		{"no heads for its changes", document(), "heads that the document states", 0},
		{"sequence number of a second change twice", document(
			col{changeColumn | chActor, "\x02\x00"}, col{changeColumn | chSeq, "\x7e\x01\x00"}, col{changeColumn | chMaxOp, "\x7e\x01\x00"},
			col{changeColumn | chTime, "\x02\x00"}, col{changeColumn | chDepsNum, "\x02\x00"}, col{changeColumn | chExtraMeta, "\x02\x07"},
		), "change 2 of its writer has the sequence number 1", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			for path, load := range map[string]func() (*Doc, error){
				"Load":      func() (*Doc, error) { return Load(c.in) },
				"LoadLimit": func() (*Doc, error) { return LoadLimit(c.in, strangersRows) },
			} {
				var err error
				cost := allocated(func() { _, err = load() })
				if err == nil || !strings.Contains(err.Error(), c.want) {
					t.Errorf("%s: %v, not %q", path, err, c.want)
				}
				limit := 16*uint64(len(c.in)) + max(c.cost, 64<<10)
				if cost > limit && !raceEnabled {
					t.Errorf("%s: %d bytes taken for %d, over %d", path, cost, len(c.in), limit)
				}
			}
		})
	}
}

// strangersRows is how many rows the tests allow to strangers.
const strangersRows = 16 << 10

func sealedRaw(tb testing.TB) []byte {
	return sealed(tb, &Change{Actor: "a", Seq: 1, StartOp: 1, Ops: []Op{{Key: "k", Action: Put}}}).Raw()
}

// overlong spells the length of a short chunk in two bytes; the hash is of what is written.
func overlong(chunk []byte) []byte {
	b := slices.Concat(chunk[:9], []byte{chunk[9] | 0x80, 0}, chunk[10:])
	seal(b)
	return b
}

func ownChecksum(chunk []byte) []byte {
	seal(chunk)
	return chunk
}

func retyped(chunk []byte, typ ChunkType) []byte {
	chunk[8] = byte(typ)
	seal(chunk)
	return chunk
}

// rowsChunk returns a change of many rows in few bytes, each but the first with a predecessor.
func rowsChunk(rows uint64) []byte {
	n := int64(rows)
	return craftedCols(nil, append(putRows(n)[:4:4], col{opPredNum, sleb(n) + "\x01"}, col{opPredActor, sleb(n) + "\x00"},
		col{opPredCtr, "\x7f\x01" + sleb(n-1) + "\x00"})...)
}

// TestHostileRows takes the most rows that a change may have: they are read, for the memory that ParseChange and
// ParseChangeLimit state, and one more is refused for next to none.
func TestHostileRows(t *testing.T) {
	if testing.Short() {
		t.Skip("takes 90 MB")
	}
	for _, limit := range []int{1000, strangersRows, DefaultSyncOps, MaxOps} {
		in := rowsChunk(uint64(limit))
		if len(in) > 100 {
			t.Fatalf("%d bytes", len(in))
		}
		var c *Change
		var err error
		cost := allocated(func() { c, err = ParseChangeLimit(in, limit) })
		if err != nil || len(c.Ops) != limit {
			t.Fatalf("%d rows in %d bytes: %v", limit, len(in), err)
		}
		if stated := 170*uint64(limit) + 4*uint64(len(in)) + 64<<10; (cost > stated || cost > 91<<20) && !raceEnabled {
			t.Errorf("%d rows in %d bytes take %d bytes, over %d", limit, len(in), cost, stated)
		}
		for what, parse := range map[string]func() error{
			"one row more":       func() error { _, err := ParseChangeLimit(rowsChunk(uint64(limit)+1), limit); return err },
			"a lower limit":      func() error { _, err := ParseChangeLimit(in, limit-1); return err },
			"no rows":            func() error { _, err := ParseChangeLimit(in, -1); return err },
			"in a file":          func() error { _, err := LoadLimit(in, limit-1); return err },
			"over MaxOps":        func() error { _, err := ParseChange(rowsChunk(MaxOps + 1)); return err },
			"over any limit":     func() error { _, err := ParseChangeLimit(rowsChunk(MaxOps+1), math.MaxInt); return err },
			"over MaxOps, saved": func() error { _, err := Load(rowsChunk(MaxOps + 1)); return err },
		} {
			cost := allocated(func() { err = parse() })
			if err == nil || !strings.Contains(err.Error(), "more than the ") || cost > 8*uint64(len(in))+64<<10 && !raceEnabled {
				t.Errorf("%s in %d bytes: %v, for %d bytes", what, len(in), err, cost)
			}
		}
	}
	if c, err := ParseChangeLimit(sealedRaw(t), 1); err != nil || len(c.Ops) != 1 {
		t.Error(err)
	}
}

// TestLoadLimit counts what a file has in all of its chunks.
func TestLoadLimit(t *testing.T) {
	one := sealed(t, &Change{Actor: "a", Seq: 1, StartOp: 1, Ops: []Op{{Key: "x", Action: Put}, {Key: "y", Action: Put}}})
	two := sealed(t, &Change{
		Actor: "a", Seq: 2, StartOp: 3, Deps: []Hash{one.Hash()}, Ops: []Op{{Key: "x", Action: Delete, Pred: []OpID{{1, "a"}}}},
	})
	saved, err := SaveChanges([]*Change{one, two})
	if err != nil {
		t.Fatal(err)
	}
	for name, in := range map[string][]byte{"changes": slices.Concat(one.Raw(), two.Raw()), "document": saved} {
		if d, err := LoadLimit(in, 3); err != nil || !slices.Equal(d.Heads(), []Hash{two.Hash()}) {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := LoadLimit(slices.Concat(in, rowsChunk(1)), 3); err == nil || !strings.Contains(err.Error(), "more than the 0") {
			t.Errorf("%s and a row: %v", name, err)
		}
		if _, err := LoadLimit(in, 1); err == nil {
			t.Errorf("%s: loaded", name)
		}
	}
}

// TestFewBytes: documents that have many rows in next to no bytes are sealed, saved, parsed and loaded.
func TestFewBytes(t *testing.T) {
	const n = 20000
	list := func(made Action, n int, v func(i int) Value) *Change {
		c := &Change{Actor: "a", Seq: 1, StartOp: 1, Ops: []Op{{Key: "l", Action: made}}}
		for i := range n {
			op := Op{Obj: OpID{1, "a"}, IsList: true, Insert: true, Action: Put, Value: v(i)}
			if i > 0 {
				op.Elem = OpID{uint64(i) + 1, "a"}
			}
			c.Ops = append(c.Ops, op)
		}
		return sealed(t, c)
	}
	letter := func(int) Value { return Value{Kind: KindString, Str: "x"} }
	typed := list(MakeText, n, letter)
	cleared := &Change{Actor: "a", Seq: 2, StartOp: typed.MaxOp() + 1, Deps: []Hash{typed.Hash()}}
	for i := range n {
		id := OpID{uint64(i) + 2, "a"}
		cleared.Ops = append(cleared.Ops, Op{Obj: OpID{1, "a"}, IsList: true, Elem: id, Action: Delete, Pred: []OpID{id}})
	}
	for name, changes := range map[string][]*Change{
		"text that was cleared": {typed, sealed(t, cleared)},
		"booleans":              {list(MakeList, n, func(int) Value { return Value{Kind: KindTrue} })},
		"equal letters":         {list(MakeText, 10*n, letter)},
	} {
		saved, err := SaveChanges(changes)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		var chunks []byte
		for _, c := range changes {
			if back, err := ParseChange(c.Raw()); err != nil || len(back.Ops) != len(c.Ops) {
				t.Errorf("%s: %v", name, err)
			}
			chunks = append(chunks, Deflate(c.Raw())...)
		}
		for form, in := range map[string][]byte{"document": saved, "changes": chunks} {
			d, err := Load(in)
			if err != nil || !slices.Equal(d.Heads(), []Hash{changes[len(changes)-1].Hash()}) {
				t.Errorf("%s as %s: %v", name, form, err)
				continue
			}
			if again, err := d.Save(); err != nil || !bytes.Equal(again, saved) {
				t.Errorf("%s as %s: saved as other bytes, %v", name, form, err)
			}
		}
		if len(saved) > 2000 {
			t.Errorf("%s: %d bytes are not few", name, len(saved))
		}
	}
}

// TestHostileNesting has 20,000 maps, each in the one before: nothing that we do goes down into them.
func TestHostileNesting(t *testing.T) {
	const depth = 20000
	c := &Change{Actor: "a", Seq: 1, StartOp: 1}
	for i := range depth {
		op := Op{Key: "k", Action: MakeMap}
		if i > 0 {
			op.Obj = OpID{uint64(i), "a"}
		}
		c.Ops = append(c.Ops, op)
	}
	raw := sealed(t, c).Raw()
	var saved []byte
	cost := allocated(func() {
		d, err := Load(raw)
		if err != nil {
			t.Fatal(err)
		}
		if saved, err = d.Save(); err != nil || ChunkType(saved[8]) != ChunkDocument {
			t.Fatalf("saved as a chunk of type %d, %v", saved[8], err)
		}
		back, err := Load(saved)
		if err != nil || !slices.Equal(back.Heads(), d.Heads()) {
			t.Fatal(err)
		}
	})
	if limit := uint64(depth * 2000); cost > limit && !raceEnabled {
		t.Errorf("%d bytes for %d maps, over %d", cost, depth, limit)
	}
	// A list as long, each element after the one before, and all after the head.
	for _, chain := range []bool{true, false} {
		c := &Change{Actor: "a", Seq: 1, StartOp: 1, Ops: []Op{{Key: "l", Action: MakeText}}}
		for i := range depth {
			op := Op{Obj: OpID{1, "a"}, IsList: true, Insert: true, Action: Put, Value: Value{Kind: KindString, Str: "x"}}
			if chain && i > 0 {
				op.Elem = OpID{uint64(i) + 1, "a"}
			}
			c.Ops = append(c.Ops, op)
		}
		saved, err := SaveChanges([]*Change{sealed(t, c)})
		if err != nil {
			t.Fatal(err)
		}
		if d, err := Load(saved); err != nil || !slices.Equal(d.Heads(), []Hash{c.Hash()}) {
			t.Error(err)
		}
	}
}

// TestHostileForms has one change in forms that differ in their bytes and not in their hash: they are one change, and what is
// kept of them is the same.
func TestHostileForms(t *testing.T) {
	c := simple()
	c.Ops[0].Value.Str = strings.Repeat("long text ", 100)
	plain := sealed(t, c).Raw()
	h, err := readHeader(plain)
	if err != nil {
		t.Fatal(err)
	}
	// Stored, not deflated: the length of the block, its complement, the bytes.
	n := len(plain) - h.contents
	stored := append([]byte{1, byte(n), byte(n >> 8), ^byte(n), ^byte(n >> 8)}, plain[h.contents:]...)
	chunk := append(appendHeader(nil, ChunkCompressed, len(stored)), stored...)
	copy(chunk[4:8], plain[4:8])
	var g Graph
	applied := 0
	for name, form := range map[string][]byte{"plain": plain, "deflated": Deflate(plain), "stored": chunk} {
		got, err := ParseChange(form)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if got.Hash() != c.Hash() || !bytes.Equal(got.Raw(), plain) {
			t.Errorf("%s: another change", name)
		}
		got.Deps, got.Seq = nil, 1 // as far as the graph is concerned
		ready, err := g.Add(got)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		applied += len(ready)
	}
	if applied != 1 {
		t.Errorf("applied %d times", applied)
	}
	// A second change with the sequence number of the first is another matter.
	other := sealed(t, &Change{Actor: c.Actor, Seq: 1, StartOp: 50})
	if _, err := g.Add(other); !errors.Is(err, ErrFork) {
		t.Errorf("%v, not %v", err, ErrFork)
	}
}

func numberedActor(i int) ActorID {
	return ActorID([]byte{0, byte(i >> 24), byte(i >> 16), byte(i >> 8), byte(i)})
}

// linear reports work that grows much faster than its size: four times as much of it may take ten times as long.
func linear(t *testing.T, what string, n int, work func(n int) func()) {
	t.Helper()
	least := [2]time.Duration{time.Hour, time.Hour}
	works := [2]func(){work(n), work(4 * n)}
	for round := 1; ; round++ { // what others do on the machine takes time too
		for i, f := range works {
			start := time.Now()
			f()
			least[i] = min(least[i], time.Since(start))
		}
		// What is quadratic takes 16 times as long.
		good := least[1] <= 10*least[0]+200*time.Millisecond
		if good && round >= 2 {
			break
		}
		if !good && round == 6 {
			t.Errorf("%s: %v for %d, %v for %d", what, least[0], n, least[1], 4*n)
			break
		}
	}
	t.Logf("%s: %v, four times as much: %v", what, least[0], least[1])
}

// TestHostileConflicts has keys with very many values: each operation is to cost the same.
func TestHostileConflicts(t *testing.T) {
	loads := func(in []byte) func() {
		return func() {
			if _, err := Load(in); err != nil {
				t.Fatal(err)
			}
		}
	}
	linear(t, "puts of one key", 16000, func(n int) func() { return loads(craftedCols(nil, putRows(int64(n))...)) })
	// Each value of the second change goes before all of the first.
	linear(t, "puts before others", 16000, func(n int) func() {
		var in []byte
		for i, start := range []int{n + 1, 1} {
			c := &Change{Actor: numberedActor(i), Seq: 1, StartOp: uint64(start)}
			for range n {
				c.Ops = append(c.Ops, Op{Key: "x", Action: Put})
			}
			in = append(in, sealed(t, c).Raw()...)
		}
		return loads(in)
	})
	if testing.Short() {
		return
	}
	linear(t, "changes of keys with a thousand values", 8000, func(n int) func() {
		var list []*Change
		var deps []Hash
		for i := range n {
			c := sealed(t, &Change{
				Actor: "a", Seq: uint64(i + 1), StartOp: uint64(i + 1), Deps: deps, Ops: []Op{{Key: string(rune('a' + i%(n/1000))), Action: Put}},
			})
			list, deps = append(list, c), []Hash{c.Hash()}
		}
		in, err := SaveChanges(list)
		if err != nil {
			t.Fatal(err)
		}
		return loads(in)
	})
}

// TestCrowd holds keys of many values, which come and go, against ApplyOp.
func TestCrowd(t *testing.T) {
	for seed := range uint64(30) {
		r := rand.New(rand.NewPCG(seed, 3))
		d := NewDoc()
		var want []Entry
		seqs, last := map[ActorID]uint64{}, map[ActorID]uint64{}
		grow := true
		for i := range 400 {
			a := numberedActor(r.IntN(5))
			c := &Change{Actor: a, Seq: seqs[a] + 1, StartOp: last[a] + 1 + r.Uint64N(20), Deps: d.Heads()}
			c.StartOp = max(c.StartOp, d.graph.MaxOp()+1)
			grow = grow && len(want) < 80 || len(want) < 5
			for j := range 1 + r.IntN(4) {
				op := Op{Key: "k", Action: []Action{Put, Put, Put, MakeMap, Increment, Delete}[r.IntN(6)]}
				switch {
				case op.Action == Put:
					op.Value = Value{Kind: KindCounter, Num: int64(i)}
					if r.IntN(3) == 0 {
						op.Value = Value{Kind: KindTrue}
					}
				case op.Action == Increment:
					op.Value = Value{Kind: KindInt, Num: 3}
				}
				for _, e := range want {
					if r.IntN(40) == 0 || !grow && r.IntN(4) == 0 {
						op.Pred = append(op.Pred, e.ID)
					}
				}
				c.Ops = append(c.Ops, op)
				want = ApplyOp(want, c.OpID(j), &c.Ops[j])
			}
			sealed(t, c)
			seqs[a], last[a] = c.Seq, c.MaxOp()
			if err := d.Apply(c); err != nil {
				t.Fatal(err)
			}
			if got := d.Conflicts("k"); !slices.Equal(got, want) {
				t.Fatalf("seed %d, change %d: %d entries, not %d:\n%v\n%v", seed, i, len(got), len(want), got, want)
			}
		}
		if len(d.crowds)+len(d.conflicts) > 1 {
			t.Errorf("%d crowds, %d conflicts for one key", len(d.crowds), len(d.conflicts))
		}
	}
}

// TestHostileHeads has changes that all stand side by side.
func TestHostileHeads(t *testing.T) {
	var list []*Change
	var want []Hash
	for i := range 40000 {
		c := sealed(t, &Change{Actor: numberedActor(i), Seq: 1, StartOp: 1})
		list, want = append(list, c), append(want, c.Hash())
	}
	slices.SortFunc(want, compareHashes)
	var g Graph
	linear(t, "heads", 10000, func(n int) func() {
		return func() {
			g = Graph{}
			for _, c := range list[:n] {
				if _, err := g.Add(c); err != nil {
					t.Fatal(err)
				}
			}
		}
	})
	if !slices.Equal(g.Heads(), want) {
		t.Error("other heads")
	}
	// Those that are covered go, whenever somebody asks.
	for i := 0; len(want) > 1; i++ {
		n := min(1+i*97%MaxDeps, len(want))
		c := sealed(t, &Change{Actor: "b", Seq: uint64(i + 1), StartOp: uint64(i + 1), Deps: slices.Clone(want[:n])})
		if _, err := g.Add(c); err != nil {
			t.Fatal(err)
		}
		want = append(want[n:], c.Hash())
		slices.SortFunc(want, compareHashes)
		if i%3 == 0 && !slices.Equal(g.Heads(), want) {
			t.Fatalf("other heads after %d merges", i)
		}
	}
	if !slices.Equal(g.Heads(), want) || g.heads != 1 || len(g.tips) > 100 {
		t.Errorf("%d heads, %d tips", g.heads, len(g.tips))
	}
}

// TestHostilePending fills a graph with changes that wait for as much as they may: what MaxPendingBytes bounds is memory.
func TestHostilePending(t *testing.T) {
	if testing.Short() {
		t.Skip("takes 64 MiB")
	}
	heap := func() int64 {
		runtime.GC()
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	for _, deps := range []int{1, MaxDeps} {
		var g Graph
		before := heap()
		var err error
		for i := 0; err == nil; i++ {
			c := &Change{Actor: numberedActor(i), Seq: 1, StartOp: 1}
			for j := range deps {
				c.Deps = append(c.Deps, Hash{byte(i >> 16), byte(i >> 8), byte(i), byte(j >> 8), byte(j), 1})
			}
			var p *Change
			if p, err = ParseChange(encoded(c)); err == nil {
				_, err = g.Add(p)
			}
		}
		took := heap() - before
		if !errors.Is(err, ErrPendingFull) {
			t.Fatal(err)
		}
		t.Logf("%d changes with %d dependencies: %d bytes, counted %d", g.Pending(), deps, took, g.pendingBytes)
		if took > int64(g.pendingBytes)*11/10 || g.pendingBytes > MaxPendingBytes {
			t.Errorf("%d changes take %d bytes, counted as %d", g.Pending(), took, g.pendingBytes)
		}
		runtime.KeepAlive(&g)
	}
	// Forks that were dropped make room, whether what they lacked comes or not.
	var g Graph
	for i := range 200 {
		fork := &Change{Actor: numberedActor(i), Seq: 1, StartOp: 1}
		for j := range MaxDeps {
			fork.Deps = append(fork.Deps, Hash{byte(i), byte(j >> 8), byte(j), 1})
		}
		if _, err := g.Add(sealed(t, fork)); err != nil {
			t.Fatalf("fork %d: %v", i, err)
		}
		if _, err := g.Add(sealed(t, &Change{Actor: numberedActor(i), Seq: 1, StartOp: 1})); !errors.Is(err, ErrFork) {
			t.Fatal(err)
		}
	}
	if g.Pending() != 0 || g.pendingBytes != g.stale*lackBytes {
		t.Errorf("%d wait, %d bytes, %d stale", g.Pending(), g.pendingBytes, g.stale)
	}
	if g.sweep(); g.pendingBytes != 0 || len(g.lacking) > 0 {
		t.Errorf("%d bytes, %d lacking", g.pendingBytes, len(g.lacking))
	}
	// What came in the end is not counted any more.
	g = Graph{}
	a := sealed(t, &Change{Actor: "a", Seq: 1, StartOp: 1})
	b := sealed(t, &Change{Actor: "b", Seq: 1, StartOp: 1})
	both := []Hash{a.Hash(), b.Hash()}
	slices.SortFunc(both, compareHashes)
	c := sealed(t, &Change{Actor: "c", Seq: 1, StartOp: 1, Deps: both})
	d := sealed(t, &Change{Actor: "a", Seq: 1, StartOp: 1, Time: 1, Deps: []Hash{b.Hash()}}) // a fork of a
	for _, c := range []*Change{c, d, a, b} {
		_, _ = g.Add(c)
	}
	if g.Pending() != 0 || g.pendingBytes != 0 || g.stale != 0 || len(g.lacking) > 0 {
		t.Errorf("%d wait, %d bytes, %d lacking", g.Pending(), g.pendingBytes, len(g.lacking))
	}
}

// TestSaveTimes has clocks that are further apart than a difference can say.
func TestSaveTimes(t *testing.T) {
	for _, times := range [][2]int64{
		{math.MinInt64, math.MaxInt64},
		{math.MaxInt64, math.MinInt64},
		{1, math.MinInt64},
		{-1, math.MaxInt64},
		{0, math.MinInt64},
		{0, math.MaxInt64},
	} {
		a := sealed(t, &Change{Actor: "a", Seq: 1, StartOp: 1, Time: times[0], Ops: []Op{{Key: "x", Action: Put}}})
		b := sealed(t, &Change{Actor: "a", Seq: 2, StartOp: 2, Time: times[1], Deps: []Hash{a.Hash()}, Ops: []Op{{Key: "y", Action: Put}}})
		saved, err := SaveChanges([]*Change{a, b})
		fits := times[0] == 0
		if fits != (err == nil) || !fits && !errors.Is(err, errColDelta) {
			t.Errorf("times %v: %v", times, err)
		}
		d := NewDoc()
		if err := d.Apply(a, b); err != nil {
			t.Fatal(err)
		}
		again, err := d.Save()
		if err != nil || fits && !bytes.Equal(again, saved) {
			t.Errorf("times %v: %v", times, err)
		}
		if back, err := Load(again); err != nil || !slices.Equal(back.Heads(), d.Heads()) {
			t.Errorf("times %v: %v", times, err)
		}
	}
}
