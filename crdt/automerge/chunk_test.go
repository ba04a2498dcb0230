package automerge

import (
	"bytes"
	"encoding/hex"
	"strings"
	"testing"
)

// simple returns a change that touches what the encoder knows of flat documents.
func simple() *Change {
	return &Change{
		Actor: "actor-1", Seq: 2, StartOp: 10, Time: 1767225600, Message: "grüße",
		Deps: []Hash{{1}, {2}},
		Ops: []Op{
			{Key: "a/name", Action: Put, Value: Value{Kind: KindString, Str: "Zoë"}},
			{Key: "a/name", Action: Put, Value: Value{Kind: KindString, Str: "Zoe"}, Pred: []OpID{{3, "actor-0"}, {4, "actor-2"}, {10, "actor-1"}}},
			{Key: "a/gone", Action: Delete, Pred: []OpID{{9, "actor-1"}}},
			{Key: "count", Action: Put, Value: Value{Kind: KindCounter, Num: -3}},
			{Key: "count", Action: Increment, Value: Value{Kind: KindInt, Num: 300}, Pred: []OpID{{13, "actor-1"}}},
			{Key: "uint", Action: Put, Value: Value{Kind: KindUint, Num: -1}},
			{Key: "float", Action: Put, Value: Value{Kind: KindFloat64, Num: 0x3ff8000000000000}},
			{Key: "bytes", Action: Put, Value: Value{Kind: KindBytes, Str: "\xff\x00"}},
			{Key: "time", Action: Put, Value: Value{Kind: KindTimestamp, Num: 1767225600123}},
			{Key: "true", Action: Put, Value: Value{Kind: KindTrue}},
			{Key: "false", Action: Put, Value: Value{Kind: KindFalse}},
			{Key: "null", Action: Put},
			{Key: "", Action: Put, Value: Value{Kind: 12, Str: "future"}},
		},
	}
}

// nested returns a change that touches what the encoder knows of lists, text and marks.
func nested() *Change {
	return &Change{
		Actor: "b", Seq: 1, StartOp: 5, Extra: []byte("extra"),
		Ops: []Op{
			{Key: "list", Action: MakeList, Pred: []OpID{{1, "a"}}},
			{Obj: OpID{5, "b"}, IsList: true, Insert: true, Action: Put, Value: Value{Kind: KindInt, Num: 1}},
			{Obj: OpID{5, "b"}, IsList: true, Insert: true, Elem: OpID{6, "b"}, Action: MakeMap},
			{Obj: OpID{7, "b"}, Key: "deep", Action: Put, Value: Value{Kind: KindTrue}},
			{Obj: OpID{2, "a"}, IsList: true, Elem: OpID{3, "c"}, Action: Delete, Pred: []OpID{{3, "c"}}},
			{Obj: OpID{2, "a"}, IsList: true, Insert: true, Elem: OpID{3, "c"}, Action: Mark, Expand: true, Mark: "bold", Value: Value{Kind: KindTrue}},
			{Obj: OpID{2, "a"}, IsList: true, Insert: true, Elem: OpID{4, "c"}, Action: Mark},
			{Key: "text", Action: MakeText},
		},
	}
}

func sealed(tb testing.TB, c *Change) *Change {
	tb.Helper()
	if err := c.Seal(); err != nil {
		tb.Fatal(err)
	}
	return c
}

func TestSplitChunks(t *testing.T) {
	a, b := sealed(t, simple()).Raw(), sealed(t, nested()).Raw()
	all := bytes.Join([][]byte{a, Deflate(a), b}, nil)
	chunks, err := SplitChunks(all)
	if err != nil || len(chunks) != 3 || !bytes.Equal(chunks[0], a) || !bytes.Equal(chunks[2], b) {
		t.Fatalf("%d chunks, %v", len(chunks), err)
	}
	if _, err := SplitChunks(nil); err != nil {
		t.Error(err)
	}
	for name, c := range map[string]struct {
		in   []byte
		want string
	}{
		"cut":      {all[:len(all)-1], "chunk is cut off"},
		"head":     {all[:len(a)+5], "chunk is cut off after 5 bytes"},
		"magic":    {append(bytes.Clone(a), "not a chunk at all"...), "no chunk: it starts with 6e6f7420"},
		"type":     {append(bytes.Clone(a), 0x85, 0x6f, 0x4a, 0x83, 0, 0, 0, 0, 9, 0), "unknown chunk type 9"},
		"length":   {[]byte("\x85\x6f\x4a\x83....\x01\xff\xff\xff\xff\x7f"), "over the limit"},
		"overlong": {[]byte("\x85\x6f\x4a\x83....\x01\x80\x00"), errLEBOverlong.Error()},
	} {
		chunks, err := SplitChunks(c.in)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, not %q", name, err, c.want)
		}
		if name == "type" && len(chunks) != 1 {
			t.Errorf("%s: %d chunks precede the error", name, len(chunks))
		}
	}
}

func TestDeflate(t *testing.T) {
	c := simple()
	c.Ops[0].Value.Str = strings.Repeat("long text ", 2000)
	raw := sealed(t, c).Raw()
	small := Deflate(raw)
	if len(small) >= len(raw)/10 || ChunkType(small[8]) != ChunkCompressed {
		t.Fatalf("%d bytes became %d of type %d", len(raw), len(small), small[8])
	}
	back, err := ParseChange(small)
	if err != nil || back.Hash() != c.Hash() || !bytes.Equal(back.Raw(), raw) {
		t.Fatalf("%v", err)
	}
	if got := Deflate(small); !bytes.Equal(got, small) {
		t.Error("a compressed chunk was deflated again")
	}
	short := sealed(t, &Change{Actor: "a", Seq: 1, StartOp: 1}).Raw()
	if got := Deflate(short); !bytes.Equal(got, short) {
		t.Error("a chunk of up to 256 bytes was deflated")
	}
	if got := Deflate([]byte("junk")); string(got) != "junk" {
		t.Error("junk was changed")
	}
}

// compressed wraps contents deflated into a chunk that fits its checksum.
func compressed(contents, tail []byte) []byte {
	plain := append(appendHeader(nil, ChunkChange, len(contents)), contents...)
	seal(plain)
	z := append(deflate(nil, contents), tail...)
	out := append(appendHeader(nil, ChunkCompressed, len(z)), z...)
	copy(out[4:8], plain[4:8])
	return out
}

func TestInflateIsBounded(t *testing.T) {
	for name, c := range map[string]struct {
		in   []byte
		want string
	}{
		"ratio": {compressed(make([]byte, 3<<20), nil), "inflates to more than"},
		"tail":  {compressed(sealed(t, simple()).Raw()[10:], []byte("tail")), "follow what is deflated"},
		"junk":  {append(appendHeader(nil, ChunkCompressed, 4), "junk"...), "inflating"},
	} {
		if _, err := ParseChange(c.in); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, not %q", name, err, c.want)
		}
	}
}

func TestEmptyDocument(t *testing.T) {
	const want = "856f4a83b81a9544000400000000" // the example of the format's description
	b, err := NewDoc().Save()
	if got := hex.EncodeToString(b); err != nil || got != want {
		t.Fatalf("%s, %v", got, err)
	}
	d, err := Load(b)
	if err != nil || len(d.Heads()) != 0 {
		t.Fatal(err)
	}
}
