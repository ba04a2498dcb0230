package automerge

import (
	"bytes"
	"flag"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"
	"unsafe"
)

var update = flag.Bool("update", false, "write the golden files anew")

// golden compares got with testdata/name, which -update writes.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.MkdirAll("testdata", 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(got), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s differs:\ngot\n%s\nwant\n%s", name, got, want)
	}
}

// fields returns c without what Seal and ParseChange keep.
func fields(c *Change) Change {
	f := *c
	f.raw, f.hash, f.canonical, f.parsed = "", Hash{}, canonicalUnknown, false
	return f
}

// encoded returns the chunk of fields that nobody checked.
func encoded(c *Change) []byte {
	e := getEncoder()
	defer e.free()
	e.encode(c)
	return bytes.Clone(e.chunk)
}

func TestChangeRoundTrip(t *testing.T) {
	var out strings.Builder
	for _, c := range []struct {
		name   string
		change *Change
	}{
		{"no operations", &Change{Actor: "a", Seq: 1, StartOp: 1}},
		{"one put", &Change{Actor: "a", Seq: 1, StartOp: 1, Ops: []Op{{Key: "k", Action: Put, Value: Value{Kind: KindInt, Num: 1}}}}},
		{"limits", &Change{
			Actor: ActorID(strings.Repeat("x", MaxActorBytes)), Seq: MaxSeq, StartOp: MaxOp, Time: math.MinInt64,
			Ops: []Op{{Key: "k", Action: Increment, Value: Value{Kind: KindUint, Num: -1}}},
		}},
		{"flat", simple()},
		{"nested", nested()},
	} {
		want := *c.change
		raw, err := c.change.Encode()
		if err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		if !c.change.Hash().isZero() || c.change.Raw() != nil || c.change.Canonical() {
			t.Errorf("%s: Encode changed the change", c.name)
		}
		if err := c.change.Seal(); err != nil || !bytes.Equal(c.change.Raw(), raw) || !c.change.Canonical() {
			t.Errorf("%s: sealed to other bytes, %v", c.name, err)
		}
		got, err := ParseChange(raw)
		if err != nil {
			t.Fatalf("%s: %v\n%x", c.name, err, raw)
		}
		if !reflect.DeepEqual(fields(got), want) {
			t.Errorf("%s: parsed as\n%+v\nnot\n%+v", c.name, fields(got), want)
		}
		if !got.Canonical() || got.Hash() != c.change.Hash() {
			t.Errorf("%s: canonical %v, hash %s, not %s", c.name, got.Canonical(), got.Hash(), c.change.Hash())
		}
		if again, err := got.Encode(); err != nil || !bytes.Equal(again, raw) {
			t.Errorf("%s: encodes as other bytes, %v", c.name, err)
		}
		raw[len(raw)-1]++ // the copy is private
		if got.Hash() != sum(got.Raw()) {
			t.Errorf("%s: a parsed change shares its bytes", c.name)
		}
		raw[len(raw)-1]--
		fmt.Fprintf(&out, "%s\n%s\n%x\n\n", c.name, got.Hash(), raw)
	}
	golden(t, "changes.golden", out.String())
}

func (h Hash) isZero() bool { return h == Hash{} }

// TestChangeRefused takes a good change, breaks one thing and wants the same refusal from Seal, Check and ParseChange.
func TestChangeRefused(t *testing.T) {
	self := OpID{5, "b"}
	for _, c := range []struct {
		name  string
		spoil func(c *Change)
		want  string
		parse string // what ParseChange says, if it is something else
	}{
		{"no actor", func(c *Change) { c.Actor = "" }, "actor id has 0 bytes", "an actor id has a byte at least"},
		{"long actor", func(c *Change) { c.Actor = ActorID(make([]byte, 129)) }, "actor id has 129 bytes", "over the limit of 128"},
		{"no seq", func(c *Change) { c.Seq = 0 }, "sequence number 0", ""},
		{"great seq", func(c *Change) { c.Seq = MaxSeq + 1 }, "sequence number 2147483648", "over the limit"},
		{"no start op", func(c *Change) { c.StartOp = 0 }, "start op 0", ""},
		{"great start op", func(c *Change) { c.StartOp = MaxOp + 1 }, "start op 2147483648", "over the limit"},
		{"last op", func(c *Change) { c.StartOp = MaxOp }, "last operation 2147483654", ""},
		{"deps descend", func(c *Change) { c.Deps = []Hash{{2}, {1}} }, "do not ascend", ""},
		{"deps twice", func(c *Change) { c.Deps = []Hash{{1}, {1}} }, "do not ascend", ""},
		{"deps", func(c *Change) {
			c.Deps = make([]Hash, MaxDeps+1)
			for i := range c.Deps {
				c.Deps[i][0], c.Deps[i][1] = byte(i>>8), byte(i)
			}
		}, "4097 dependencies", "over the limit"},
		{"message", func(c *Change) { c.Message = strings.Repeat("x", MaxMessageBytes+1) }, "message of 65537 bytes", "over the limit"},
		{"message text", func(c *Change) { c.Message = "\xff" }, "message is not UTF-8", "text is not UTF-8"},
		{"key text", func(c *Change) { c.Ops[0].Key = "\xc3(" }, "not UTF-8", ""},
		{"key", func(c *Change) { c.Ops[0].Key = strings.Repeat("x", MaxKeyBytes+1) }, "the limit is 65536", "over the limit"},
		{"mark", func(c *Change) { c.Ops[5].Mark = strings.Repeat("x", MaxKeyBytes+1) }, "the limit is 65536", "over the limit"},
		{"action", func(c *Change) { c.Ops[0].Action = 8 }, "operation 0: unknown action 8", "unknown action 8"},
		{"increment by text", func(c *Change) { c.Ops[0] = Op{Key: "k", Action: Increment, Value: Value{Kind: KindString}} }, "increment by a value of kind 6", ""},
		{"string text", func(c *Change) { c.Ops[1].Value = Value{Kind: KindString, Str: "\xff"} }, "string is not UTF-8", "text is not UTF-8"},
		{"object of the future", func(c *Change) { c.Ops[4].Obj = OpID{9, "b"} }, "object 9@62 is not older", ""},
		{"object is itself", func(c *Change) { c.Ops[0].Obj = self }, "object 5@62 is not older", ""},
		{"element of the future", func(c *Change) { c.Ops[4].Elem = OpID{10, "a"} }, "element 10@61 is not older", ""},
		{"root as a list", func(c *Change) { c.Ops[0] = Op{IsList: true, Action: Put} }, "the root map has no list elements", ""},
		{"insertion into a map", func(c *Change) { c.Ops[0].Insert = true }, "insertion into a map", ""},
		{"predecessor of the future", func(c *Change) { c.Ops[0].Pred = []OpID{{5, "c"}} }, "predecessor 5@63 is not older", ""},
		{"predecessors descend", func(c *Change) { c.Ops[4].Pred = []OpID{{3, "c"}, {3, "b"}} }, "predecessors do not ascend", ""},
		{"predecessor twice", func(c *Change) { c.Ops[4].Pred = []OpID{{3, "c"}, {3, "c"}} }, "predecessors do not ascend", ""},
		{"predecessor of a long actor", func(c *Change) { c.Ops[0].Pred = []OpID{{1, ActorID(make([]byte, 129))}} }, "actor id has 129 bytes", "over the limit"},
	} {
		ch := nested()
		c.spoil(ch)
		if c.parse == "" {
			c.parse = c.want
		}
		raw := encoded(ch)
		if _, err := ParseChange(raw); err == nil || !strings.Contains(err.Error(), c.parse) {
			t.Errorf("%s: parsing: %v, not %q", c.name, err, c.parse)
		}
		for what, err := range map[string]error{"Check": ch.Check(), "Seal": ch.Seal()} {
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%s: %s: %v, not %q", c.name, what, err, c.want)
			}
		}
		if _, err := ch.Encode(); err == nil || ch.Raw() != nil {
			t.Errorf("%s: encodes, %v", c.name, err)
		}
	}
}

// TestFieldsRefused has what a caller can write and bytes cannot say.
func TestFieldsRefused(t *testing.T) {
	for name, op := range map[string]Op{
		"key and element":    {Obj: OpID{1, "a"}, Key: "k", IsList: true, Action: Put},
		"element of a map":   {Key: "k", Elem: OpID{1, "a"}, Action: Put},
		"root with an actor": {Obj: OpID{0, "a"}, Key: "k", Action: Put},
		"head with an actor": {Obj: OpID{1, "a"}, IsList: true, Elem: OpID{0, "a"}, Action: Put},
		"null with a number": {Key: "k", Action: Put, Value: Value{Num: 1}},
		"null with a string": {Key: "k", Action: Put, Value: Value{Str: "x"}},
		"number and string":  {Key: "k", Action: Put, Value: Value{Kind: KindInt, Str: "x"}},
		"string and number":  {Key: "k", Action: Put, Value: Value{Kind: KindString, Num: 1}},
		"kind 16":            {Key: "k", Action: Put, Value: Value{Kind: 16}},
	} {
		c := Change{Actor: "b", Seq: 1, StartOp: 5, Ops: []Op{op}}
		if err := c.Seal(); err == nil {
			t.Errorf("%s: sealed", name)
		}
	}
	if err := (&Change{Actor: "a", Seq: 1, StartOp: 1, Ops: make([]Op, MaxOps+1)}).Check(); err == nil {
		t.Error("more operations than the limit pass")
	}
}

// crafted builds a chunk whose checksum fits from columns that are written by hand.
func crafted(actors []ActorID, specs []columnSpec, cols []byte) []byte {
	b := []byte{0}            // dependencies
	b = append(b, 1, 'b')     // actor
	b = append(b, 1, 5, 0, 0) // sequence number, start op, time, message
	b = appendUleb(b, uint64(len(actors)))
	for _, a := range actors {
		b = appendText(b, string(a))
	}
	b = append(appendSpecs(b, specs), cols...)
	chunk := append(appendHeader(nil, ChunkChange, len(b)), b...)
	seal(chunk)
	return chunk
}

type col struct {
	spec uint64
	data string
}

func craftedCols(actors []ActorID, cols ...col) []byte {
	var specs []columnSpec
	var data []byte
	for _, c := range cols {
		specs = append(specs, columnSpec{c.spec, uint64(len(c.data))})
		data = append(data, c.data...)
	}
	return crafted(actors, specs, data)
}

// onePut are the columns of {put k: null}, with changes to them: a column of "-" is left out.
func onePut(changes ...col) []col {
	cols := []col{
		{opKeyStr, "\x7f\x01k"}, {opInsert, "\x01"}, {opAction, "\x7f\x01"}, {opValueMeta, "\x7f\x00"}, {opPredNum, "\x7f\x00"},
	}
	for _, c := range changes {
		i, found := slices.BinarySearchFunc(cols, c, func(a, b col) int { return int(a.spec) - int(b.spec) })
		switch {
		case c.data == "-":
			cols = slices.Delete(cols, i, i+1)
		case found:
			cols[i] = c
		default:
			cols = slices.Insert(cols, i, c)
		}
	}
	return cols
}

func TestColumnsRefused(t *testing.T) {
	if c, err := ParseChange(craftedCols(nil, onePut()...)); err != nil || !c.Canonical() {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name   string
		actors []ActorID
		cols   []col
		want   string
	}{
		{"no insert", nil, onePut(col{opInsert, "-"}), "needs a row for each"},
		{"no metadata", nil, onePut(col{opValueMeta, "-"}), "needs a row for each"},
		{"no groups", nil, onePut(col{opPredNum, "-"}), "needs a row for each"},
		{"no key", nil, onePut(col{opKeyStr, "-"}), "column key counter"},
		{"no action", nil, onePut(col{opAction, "-"}), "more rows than there are operations"},
		{"null action", nil, onePut(col{opAction, "\x00\x01"}), "column action"},
		{"null metadata", nil, onePut(col{opValueMeta, "\x00\x01"}), "column value metadata"},
		{"null group", nil, onePut(col{opPredNum, "\x00\x01"}), "column predecessor group"},
		{"group of too many", nil, onePut(col{opPredNum, "\x7f\xff\xff\xff\xff\x0f"}), "values add up to more"},
		{"more keys", nil, onePut(col{opKeyStr, "\x02\x01k"}), "column key, byte"},
		{"more groups", nil, onePut(col{opPredNum, "\x02\x00"}), "needs a row for each"},
		{"key and element", []ActorID{"c"}, onePut(col{opKeyActor, "\x7f\x01"}, col{opKeyCtr, "\x7f\x01"}), "both a key and an element"},
		{"key and head", nil, onePut(col{opKeyCtr, "\x7f\x00"}), "both a key and an element"},
		{"element without actor", nil, onePut(col{opKeyStr, "-"}, col{opKeyCtr, "\x7f\x01"}), "column key actor"},
		{"element without counter", nil, onePut(col{opKeyStr, "-"}, col{opKeyActor, "\x7f\x00"}), "column key counter"},
		{"object without actor", nil, onePut(col{opObjCtr, "\x7f\x01"}), "column object actor"},
		{"object without counter", nil, onePut(col{opObjActor, "\x7f\x00"}), "column object counter"},
		{"object counter of 0", nil, onePut(col{opObjActor, "\x7f\x00"}, col{opObjCtr, "\x7f\x00"}), "counter 0 is not between"},
		{"great object counter", nil, onePut(col{opObjActor, "\x7f\x00"}, col{opObjCtr, "\x7f\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"}), "is not between"},
		{"no such actor", nil, onePut(col{opObjActor, "\x7f\x01"}, col{opObjCtr, "\x7f\x01"}), "no actor 1: there are 1"},
		{"predecessor of counter -1", nil, onePut(col{opPredNum, "\x7f\x01"}, col{opPredActor, "\x7f\x00"}, col{opPredCtr, "\x7f\x7f"}), "counter -1"},
		{"predecessor without actor", nil, onePut(col{opPredNum, "\x7f\x01"}, col{opPredCtr, "\x7f\x01"}), "column predecessor actor"},
		{"predecessor without counter", nil, onePut(col{opPredNum, "\x7f\x01"}, col{opPredActor, "\x7f\x00"}), "column predecessor counter"},
		{"actors descend", []ActorID{"d", "c"}, onePut(), "do not ascend"},
		{"actor twice", []ActorID{"c", "c"}, onePut(), "do not ascend"},
		{"writer among the others", []ActorID{"b"}, onePut(), "the writer is listed"},
		{"columns descend", nil, []col{{opKeyCtr, ""}, {opKeyActor, ""}}, "do not ascend"},
		{"column twice", nil, []col{{opKeyCtr, ""}, {opKeyCtr, ""}}, "do not ascend"},
		{"deflated column", nil, []col{{opKeyCtr | colDeflate, ""}}, "is deflated"},
		{"float of 4 bytes", nil, onePut(col{opValueMeta, "\x7f\x45"}, col{opValue, "1234"}), "a float has 8 bytes"},
		{"null of 1 byte", nil, onePut(col{opValueMeta, "\x7f\x10"}, col{opValue, "1"}), "has no bytes, not 1"},
		{"number with a tail", nil, onePut(col{opValueMeta, "\x7f\x24"}, col{opValue, "\x01\x01"}), "number takes 1 of 2 bytes"},
		{"overlong number", nil, onePut(col{opValueMeta, "\x7f\x23"}, col{opValue, "\x81\x00"}), errLEBOverlong.Error()},
		{"value too long", nil, onePut(col{opValueMeta, "\x7f\xf7\xff\xff\xff\xff\xff\xff\xff\xff\x01"}), errColShort.Error()},
		{"values left", nil, onePut(col{opValue, "x"}), "column value, byte"},
	} {
		_, err := ParseChange(craftedCols(c.actors, c.cols...))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, not %q", c.name, err, c.want)
		}
	}
}

func TestNotCanonical(t *testing.T) {
	for name, chunk := range map[string][]byte{
		"unknown column":    craftedCols(nil, append(onePut(), col{200<<4 | colUint, "\x01\x01"})...),
		"unknown type":      craftedCols(nil, onePut(col{opObjActor + 3, "junk"})...),
		"run of one":        craftedCols(nil, onePut(col{opAction, "\x01\x01"})...),
		"explicit nulls":    craftedCols(nil, onePut(col{opObjCtr, "\x00\x01"})...),
		"actor of no use":   craftedCols([]ActorID{"c"}, onePut()...),
		"empty column":      craftedCols(nil, onePut(col{opObjCtr, ""})...),
		"written-out false": craftedCols(nil, onePut(col{opExpand, "\x01"})...),
	} {
		c, err := ParseChange(chunk)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		raw, err := c.Encode()
		if err != nil || c.Canonical() || !bytes.Equal(raw, chunk) || !bytes.Equal(c.Raw(), chunk) || c.Hash() != sum(chunk) {
			t.Errorf("%s: canonical %v, %v", name, c.Canonical(), err)
		}
		if len(c.Ops) != 1 || c.Ops[0].Key != "k" {
			t.Errorf("%s: %+v", name, c.Ops)
		}
		// Such a change takes part in a document, which is saved as its chunks then.
		d := NewDoc()
		if err := d.Apply(c); err != nil && c.Seq == 1 {
			t.Errorf("%s: %v", name, err)
		}
		saved, err := d.Save()
		if err != nil || !bytes.Equal(saved, Deflate(chunk)) {
			t.Errorf("%s: saved as %x, %v", name, saved, err)
		}
	}
}

// TestRunsCostNothing feeds chunks that claim rows without end.
func TestRunsCostNothing(t *testing.T) {
	many := func(n int64) string { return string(appendLeb(nil, n)) }
	rows := func(n int64) []byte {
		return craftedCols(nil,
			col{opKeyStr, many(n) + "\x01k"}, col{opInsert, string(appendUleb(nil, uint64(n)))},
			col{opAction, many(n) + "\x01"}, col{opValueMeta, many(n) + "\x00"}, col{opPredNum, many(n) + "\x00"})
	}
	const limit = 16 << 10
	if c, err := ParseChangeLimit(rows(limit), limit); err != nil || len(c.Ops) != limit || !c.Canonical() {
		t.Errorf("%v", err)
	}
	for name, chunk := range map[string][]byte{
		"over the limit": rows(limit + 1),
		"2^32 rows":      rows(1 << 32),
		"2^60 rows":      rows(1 << 60),
		"predecessors": craftedCols(nil, onePut(col{opPredNum, "\x7f\xff\xff\x0f"}, col{opPredActor, many(1<<18-1) + "\x00"},
			col{opPredCtr, many(1<<18-1) + "\x00"})...),
		"deflated":        compressed(rows(limit + 3000)[11:], nil),
		"zeros, deflated": compressed(make([]byte, MaxChunkBytes), nil),
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := ParseChangeLimit(chunk, limit)
		runtime.ReadMemStats(&after)
		if err == nil {
			t.Errorf("%s: parsed", name)
		}
		// What inflating may take, and what a chunk of few bytes may cost besides.
		if n, limit := after.TotalAlloc-before.TotalAlloc, uint64(4*inflateLimit(len(chunk))+1<<20); n > limit {
			t.Errorf("%s: %d bytes allocated for %d, over %d: %v", name, n, len(chunk), limit, err)
		}
	}
	// What we make we read back, however few bytes it has.
	c := &Change{Actor: "b", Seq: 1, StartOp: 1, Ops: make([]Op, MaxOps)}
	for i := range c.Ops {
		c.Ops[i] = Op{Key: "k", Action: Put}
	}
	if err := c.Seal(); err != nil {
		t.Fatal(err)
	}
	if back, err := ParseChange(Deflate(c.Raw())); err != nil || len(back.Ops) != MaxOps {
		t.Error(err)
	}
	if op, id := unsafe.Sizeof(Op{}), unsafe.Sizeof(OpID{}); op > opBytes || id > idBytes {
		t.Errorf("an operation takes %d bytes, its predecessor %d", op, id)
	}
}

func TestOpIDs(t *testing.T) {
	c := simple()
	if c.MaxOp() != 22 || c.OpID(2) != (OpID{12, "actor-1"}) {
		t.Errorf("max op %d, third op %v", c.MaxOp(), c.OpID(2))
	}
	if (&Change{StartOp: 7}).MaxOp() != 6 {
		t.Error("a change without operations has the max op before its start")
	}
}
