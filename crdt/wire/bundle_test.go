package wire

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"trio/crdt"
	"trio/crdt/automerge"
	"trio/crdt/crdttest"
)

// same reports how two lists of items differ, by the bytes of their changes and by their fields.
func same(want, got []Item) error {
	if len(want) != len(got) {
		return fmt.Errorf("%d items, want %d", len(got), len(want))
	}
	for i := range want {
		w, g := want[i], got[i]
		switch {
		case w.Doc != g.Doc:
			return fmt.Errorf("item %d is of document %q, want %q", i, g.Doc, w.Doc)
		case !bytes.Equal(w.Change.Raw(), g.Change.Raw()):
			return fmt.Errorf("item %d is\n%x, want\n%x", i, g.Change.Raw(), w.Change.Raw())
		case w.Change.Hash() != g.Change.Hash():
			return fmt.Errorf("item %d has hash %s, want %s", i, g.Change.Hash(), w.Change.Hash())
		case g.Change.Check() != nil:
			return fmt.Errorf("item %d: %w", i, g.Change.Check())
		case len(g.Change.Ops) != len(w.Change.Ops):
			return fmt.Errorf("item %d has %d operations, want %d", i, len(g.Change.Ops), len(w.Change.Ops))
		}
		parsed, err := automerge.ParseChange(g.Change.Raw())
		if err != nil {
			return fmt.Errorf("item %d: %w", i, err)
		}
		for j := range parsed.Ops {
			if a, b := parsed.Ops[j], g.Change.Ops[j]; fmt.Sprint(a) != fmt.Sprint(b) {
				return fmt.Errorf("item %d, operation %d: fields are %v, its bytes say %v", i, j, b, a)
			}
		}
	}
	return nil
}

// roundTrip encodes items, decodes them, and encodes them again to the same bytes.
func roundTrip(tb testing.TB, items []Item) []byte {
	tb.Helper()
	b := encoded(tb, &Push{ID: 5, Items: items})
	f, err := Decode(b)
	if err != nil {
		tb.Fatal(err)
	}
	got := f.(*Push).Items
	if err := same(items, got); err != nil {
		tb.Fatal(err)
	}
	if again := encoded(tb, f); !bytes.Equal(again, b) {
		tb.Fatalf("encoded again it is\n%x, was\n%x", again, b)
	}
	return b
}

// stride is the distance of the bits that a test flips: all, or in a short run some of each place in a byte.
func stride() int {
	if testing.Short() {
		return 7
	}
	return 1
}

func sealed(tb testing.TB, c *automerge.Change) *automerge.Change {
	tb.Helper()
	if err := c.Seal(); err != nil {
		tb.Fatal(err)
	}
	return c
}

// scribble makes a text that is hard to fold.
func (b *book) scribble(ids []uuid.UUID) string {
	var s strings.Builder
	for range b.Rnd.IntN(6) {
		switch b.Rnd.IntN(12) {
		case 0:
			s.WriteString(crdttest.Pick(b.Rnd, ids).String())
		case 1:
			s.WriteString(strings.ToUpper(crdttest.Pick(b.Rnd, ids).String()))
		case 2:
			s.WriteString(crdttest.Pick(b.Rnd, ids).String()[:35])
		case 3:
			fmt.Fprint(&s, b.Now.UnixMilli()+b.Rnd.Int64N(9)-4)
		case 4:
			fmt.Fprint(&s, b.Rnd.Int64())
		case 5:
			s.WriteString("0123456789012")
		case 6:
			s.WriteString("\x00\x01\x02\x03\x04\x05"[b.Rnd.IntN(6):])
		case 7:
			s.WriteString("żółć 🙂 \u2028")
		case 8:
			s.WriteString("/")
		case 9:
			s.WriteString("+" + fmt.Sprint(b.Rnd.IntN(1e9)))
		case 10:
			s.WriteString(crdttest.Pick(b.Rnd, ids).String() + "/")
		case 11:
			s.WriteString(strings.Repeat("ab", b.Rnd.IntN(400)))
		}
	}
	return s.String()
}

func (b *book) value(ids []uuid.UUID) automerge.Value {
	k := automerge.Kind(b.Rnd.IntN(10))
	v := automerge.Value{Kind: k}
	switch k {
	case automerge.KindNull, automerge.KindFalse, automerge.KindTrue:
	case automerge.KindString:
		v.Str = b.scribble(ids)
	case automerge.KindBytes:
		v.Str = b.scribble(ids) + "\xff\x00"
	default:
		v.Num = crdttest.Pick(b.Rnd, []int64{0, 1, -1, 127, math.MaxInt64, math.MinInt64, b.Now.UnixMilli(), b.Rnd.Int64(), 1 << 48})
	}
	return v
}

// history is a random one of several writers and documents, who see each other's changes late.
func history(tb testing.TB, seed uint64) []Item {
	b := newBook(tb, seed, 1+int(seed%4))
	var ids []uuid.UUID
	for _, version := range []byte{4, 5, 7, 7, 7, 0, 15} {
		ids = append(ids, b.UUID(version))
		b.Pass(time.Hour)
	}
	odd := b.UUID(7)
	odd[8] |= 0xc0 // another variant
	far := b.UUID(7)
	copy(far[:], "\xff\xff\xff\xff\xff\xff")
	ids = append(ids, odd, far, uuid.Nil, uuid.Max)
	names := []crdt.DocName{crdt.ContactsDoc, crdt.ProfileDoc, "log-2026-11", "", "dö\x00c"}
	type view struct {
		doc  *automerge.Doc
		seen int
	}
	views := map[string]*view{}
	all := map[crdt.DocName][]*automerge.Change{}
	for range 30 + b.Rnd.IntN(60) {
		name, actor := crdttest.Pick(b.Rnd, names), crdttest.Pick(b.Rnd, b.Devices)
		key := string(name) + string(actor)
		v := views[key]
		if v == nil {
			v = &view{doc: automerge.NewDoc()}
			views[key] = v
		}
		if b.Rnd.IntN(3) == 0 { // catch up
			if err := v.doc.Apply(all[name][v.seen:]...); err != nil {
				tb.Fatal(err)
			}
			v.seen = len(all[name])
		}
		b.Pass(time.Duration(b.Rnd.Int64N(int64(time.Hour))))
		t := v.doc.Begin(actor)
		for range 1 + b.Rnd.IntN(4) {
			k := crdttest.Pick(b.Rnd, ids).String()
			switch b.Rnd.IntN(5) {
			case 0:
				k += "/" + b.scribble(ids)
			case 1:
				k += "/phone/" + b.scribble(ids)
			case 2:
				k = "k" + b.scribble(ids)
			case 3:
				k = uuid.UUID(b.UUID(7)).String()
			}
			if keys := v.doc.Keys(); len(keys) > 0 && b.Rnd.IntN(3) == 0 {
				k = crdttest.Pick(b.Rnd, keys)
			}
			err := t.Put(k, b.value(ids))
			if b.Rnd.IntN(6) == 0 {
				err = errors.Join(err, t.Delete(k))
			}
			if b.Rnd.IntN(6) == 0 {
				err = errors.Join(err, t.Put(k, automerge.Value{Kind: automerge.KindCounter, Num: 5}), t.Increment(k, b.Rnd.Int64N(99)-50))
			}
			if err != nil {
				tb.Fatal(err)
			}
		}
		at := crdttest.Pick(b.Rnd, []int64{b.Now.Unix(), b.Now.Unix(), b.Now.UnixMilli(), 0, -5, math.MinInt64, math.MaxInt64})
		c, err := t.Commit(at, crdttest.Pick(b.Rnd, []string{"", "", "", b.scribble(ids)}))
		if err != nil {
			tb.Fatal(err)
		}
		all[name] = append(all[name], c)
		b.Items = append(b.Items, crdttest.Item{Doc: name, Change: c})
	}
	return b.items()
}

func TestBundleOfRandomHistories(t *testing.T) {
	n := uint64(300)
	if testing.Short() {
		n = 60
	}
	for seed := range n {
		t.Run(fmt.Sprint("seed=", seed), func(t *testing.T) {
			items := history(t, seed)
			roundTrip(t, items)
			r := rand.New(rand.NewPCG(seed, 2))
			from := r.IntN(len(items))
			roundTrip(t, items[from:from+r.IntN(len(items)-from)+1]) // dependencies outside
			r.Shuffle(len(items), func(i, j int) { items[i], items[j] = items[j], items[i] })
			roundTrip(t, append(items, items[:3]...)) // in any order, some twice
		})
	}
}

func foreign(tb testing.TB) []Item {
	tb.Helper()
	b, err := os.ReadFile(filepath.Join("..", "automerge", "testdata", "nested.automerge"))
	if err != nil {
		tb.Fatal(err)
	}
	d, err := automerge.Load(b)
	if err != nil {
		tb.Fatal(err)
	}
	var items []Item
	for _, c := range d.Changes() {
		items = append(items, Item{crdt.ContactsDoc, c})
	}
	a, b1 := automerge.ActorID("a"), automerge.ActorID("b")
	for i, c := range []*automerge.Change{
		{Actor: a, Seq: 1, StartOp: 1, Extra: []byte("newer"), Ops: []automerge.Op{{Key: "x", Action: automerge.Put}}},
		{Actor: a, Seq: 2, StartOp: 2, Ops: []automerge.Op{{Key: "x", Action: automerge.Put, Value: automerge.Value{Kind: 12, Str: "?"}}}},
		{Actor: a, Seq: 9, StartOp: 3, Ops: []automerge.Op{{Key: "list", Action: automerge.MakeList}}},
		{Actor: b1, Seq: 1, StartOp: 4, Ops: []automerge.Op{
			{Obj: automerge.OpID{Counter: 3, Actor: a}, Action: automerge.Put, IsList: true, Insert: true},
		}},
		{Actor: b1, Seq: 2, StartOp: 77}, // nothing but a merge
		{Actor: b1, Seq: 3, StartOp: 77, Ops: []automerge.Op{{Key: "", Action: automerge.Put}}},
		{Actor: b1, Seq: automerge.MaxSeq, StartOp: automerge.MaxOp, Ops: []automerge.Op{{Key: "z", Action: automerge.Delete, Pred: []automerge.OpID{
			{Counter: 1, Actor: a}, {Counter: 1, Actor: "c"}, {Counter: automerge.MaxOp - 1, Actor: b1},
		}}}},
	} {
		sealed(tb, c)
		items = append(items, Item{"log-2026-10", c})
		if i > 0 {
			items = append(items, Item{"profile", sealed(tb, &automerge.Change{Actor: b1, Seq: 5, StartOp: 5, Deps: []automerge.Hash{c.Hash()}})})
		}
	}
	return items
}

func TestBundleOfForeignChanges(t *testing.T) {
	items := foreign(t)
	roundTrip(t, items)
	roundTrip(t, append(history(t, 1), items...))
}

func TestBundleFoldsOnlyOneSpelling(t *testing.T) {
	id := "019ab6f2-4c00-7abc-8def-0123456789ab"
	for _, s := range []string{
		id, strings.ToUpper(id), id + id, id[1:], "x" + id, id[:35] + "g", id[:14] + "G" + id[15:], strings.ReplaceAll(id, "-", "_"),
		"1763798400000", "11763798400000", "1763798400000 1763798400000", "0763798400000", "-1763798400000", "1763798400000.5",
		"\x00", "\x01", "\x02", "\x03", "\x04", "\x04\x04", id + "\x01" + id, "a/b/", "a//", "//", "/", "a/b/c/d/" + id, "é/é/é",
	} {
		op := automerge.Op{Key: s, Action: automerge.Put, Value: automerge.Value{Kind: automerge.KindString, Str: s}}
		roundTrip(t, []Item{{"contacts", sealed(t, &automerge.Change{Actor: "a", Seq: 1, StartOp: 1, Message: s, Ops: []automerge.Op{op, op}})}})
	}
}

// What a hostile writer may store must not become a frame of another size than the changes have, nor one that nobody reads.
func TestBundleOfLopsidedChanges(t *testing.T) {
	ops := func(n int, f func(i int) automerge.Op) *automerge.Change {
		c := &automerge.Change{Actor: "a", Seq: 1, StartOp: 1}
		for i := range n {
			c.Ops = append(c.Ops, f(i))
		}
		return sealed(t, c)
	}
	long := strings.Repeat("key", 20_000)
	str := func(s string) automerge.Value { return automerge.Value{Kind: automerge.KindString, Str: s} }
	random := rand.New(rand.NewPCG(1, 2))
	noise := make([]byte, MaxChange-100)
	for i := range noise {
		noise[i] = byte(random.Uint32() & 7)
	}
	for name, c := range map[string]*automerge.Change{
		"one long key in all": ops(16_000, func(int) automerge.Op { return automerge.Op{Key: long, Action: automerge.Put} }),
		"all escapes": ops(1, func(int) automerge.Op {
			return automerge.Op{Key: "k", Value: str(strings.Repeat("\x00", MaxChange-100))}
		}),
		"noise": ops(1, func(int) automerge.Op {
			return automerge.Op{Key: "k", Value: automerge.Value{Kind: automerge.KindBytes, Str: string(noise)}}
		}),
		"many rows": ops(100_000, func(i int) automerge.Op { return automerge.Op{Key: fmt.Sprint(i), Action: automerge.Put} }),
		"no rows":   ops(0, nil),
	} {
		t.Run(name, func(t *testing.T) {
			b := roundTrip(t, []Item{{"contacts", c}})
			if n := len(c.Raw()); len(b) > 2*n+1000 {
				t.Errorf("frame of %d bytes for a change of %d", len(b), n)
			}
		})
	}
}

func TestBundleLimits(t *testing.T) {
	one := sealed(t, &automerge.Change{Actor: "a", Seq: 1, StartOp: 1, Ops: []automerge.Op{{Key: "k", Action: automerge.Put}}})
	var lines []byte // deflates to about a fortieth
	for i := 0; len(lines) < MaxChange; i++ {
		lines = fmt.Appendf(lines, "%07d%s\n", i, strings.Repeat("x", 192))
	}
	big := func(n int) *automerge.Change {
		return sealed(t, &automerge.Change{Actor: "a", Seq: 1, StartOp: 1, Ops: []automerge.Op{{
			Key: "k", Action: automerge.Put, Value: automerge.Value{Kind: automerge.KindString, Str: string(lines[:n])},
		}}})
	}
	many := func(n int, f func(i int) Item) []Item {
		items := make([]Item, n)
		for i := range items {
			items[i] = f(i)
		}
		return items
	}
	rows := &automerge.Change{Actor: "a", Seq: 1, StartOp: 1}
	for range 16_000 {
		rows.Ops = append(rows.Ops, automerge.Op{Key: "k", Action: automerge.Put})
	}
	sealed(t, rows)
	noise := make([]byte, 900_000)
	random := rand.New(rand.NewPCG(1, 2))
	for i := range noise {
		noise[i] = byte(random.Uint32())
	}
	nsy := sealed(t, &automerge.Change{Actor: "a", Seq: 1, StartOp: 1, Ops: []automerge.Op{{
		Key: "k", Action: automerge.Put, Value: automerge.Value{Kind: automerge.KindBytes, Str: string(noise)},
	}}})
	for _, x := range []struct {
		name  string
		items []Item
		cut   bool // fewer changes would do
		want  string
	}{
		{"most changes", many(MaxChanges, func(int) Item { return Item{"profile", one} }), false, ""},
		{"one more", many(MaxChanges+1, func(int) Item { return Item{"profile", one} }), true, "4097 changes"},
		{"most documents", many(maxDocs, func(i int) Item { return Item{crdt.DocName(fmt.Sprint(i)), one} }), false, ""},
		{"one document more", many(maxDocs+1, func(i int) Item { return Item{crdt.DocName(fmt.Sprint(i)), one} }), true, "512 documents"},
		{"largest change", []Item{{"profile", big(MaxChange - 60)}}, false, ""},
		{"larger change", []Item{{"profile", big(MaxChange)}}, false, "at most 1048576"},
		{"most bytes", many(15, func(int) Item { return Item{"profile", big(MaxChange - 60)} }), false, ""},
		{"more bytes", many(17, func(int) Item { return Item{"profile", big(MaxChange - 60)} }), true, "more than 16777216 bytes"},
		{"most rows", many(16, func(int) Item { return Item{"profile", rows} }), false, ""},
		{"more rows", many(17, func(int) Item { return Item{"profile", rows} }), true, "more than 262144 operations"},
		{"more than a frame", many(6, func(int) Item { return Item{"profile", nsy} }), true, "frame is too large"},
		{"unsealed", []Item{{"profile", &automerge.Change{Actor: "a", Seq: 1, StartOp: 1}}}, false, "not sealed"},
		{"nothing", []Item{{"profile", nil}}, false, "not sealed"},
		{"bad name", []Item{{"\xff", one}}, false, "document name"},
		{"long name", []Item{{crdt.DocName(strings.Repeat("n", maxText+1)), one}}, false, "document name"},
	} {
		t.Run(x.name, func(t *testing.T) {
			b, err := Encode(&Push{Items: x.items})
			if x.want == "" {
				if err != nil {
					t.Fatal(err)
				}
				f, err := Decode(b)
				if err != nil {
					t.Fatal(err)
				}
				if n := len(f.(*Push).Items); n != len(x.items) {
					t.Fatalf("%d items, want %d", n, len(x.items))
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), x.want) || errors.Is(err, ErrTooLarge) != x.cut {
				t.Fatalf("error %v, want %q (cut: %v)", err, x.want, x.cut)
			}
		})
	}
}

// pack makes a bundle as a hostile peer would, of any columns; the digest is that of the changes that come out, if any.
func pack(n uint64, cols map[int]string, raw string) []byte {
	var text, all []byte
	for i := range columns {
		text = binary.AppendUvarint(text, uint64(len(cols[i])))
		all = append(all, cols[i]...)
	}
	return packText(n, append(text, all...), raw, true)
}

func deflated(text []byte) deflater {
	z := deflaters.New().(*deflater)
	z.w.Reset(z)
	z.w.Write(text)
	z.w.Close()
	return *z
}

func packText(n uint64, text []byte, raw string, squeeze bool) []byte {
	b := binary.AppendUvarint([]byte{kindPush, 1}, n)
	var z deflater
	if squeeze {
		z = deflated(text)
	}
	if squeeze && len(text) <= inflateLimit(len(z.out)) {
		b = append(b, methodDeflate)
		b = binary.AppendUvarint(b, uint64(len(text)))
		b = putBytes(b, z.out)
	} else {
		b = append(b, methodPlain)
		b = binary.AppendUvarint(b, uint64(len(text)))
		b = putBytes(b, text)
	}
	b = putBytes(b, []byte(raw))
	b = append(b, make([]byte, 8)...)
	fixDigest(b)
	return b
}

// fixDigest repairs the digest of a Push frame where its changes can be read, as an attacker would.
func fixDigest(b []byte) {
	if len(b) < 8 || b[0] != kindPush {
		return
	}
	r := &reader{b: b[1:]}
	r.uint()
	n := r.count("changes", MaxChanges)
	method := r.take(1)
	size := r.count("bytes", MaxInflated)
	text := r.bytes("text", MaxFrame)
	raw := r.bytes("raw", MaxFrame)
	if r.err != nil || len(r.b) != 8 || n == 0 {
		return
	}
	if method[0] == methodDeflate {
		var err error
		if text, err = inflate(nil, text, min(size, 1<<20)); err != nil {
			return
		}
	}
	u := &unfolder{raw: raw, bytes: MaxInflated, built: MaxInflated, rows: MaxRows}
	u.proof.reset()
	if _, err := u.items(text, n); err == nil {
		copy(r.b, u.proof.sum())
	}
}

func TestBundleHostile(t *testing.T) {
	rep := strings.Repeat
	huge := string(binary.AppendUvarint(nil, math.MaxUint64))
	// A change of one operation that deletes the key "k", whole but for what a case changes.
	base := func(change map[int]string) map[int]string {
		cols := map[int]string{
			colNames: "\x01d\x01a", colDoc: "\x00", colForm: string(rune(formDeps)), colActor: "\x00", colMore: "\x00", colOp: "0", colPred: "\x00",
			colKey: "\x00", colKeyText: "k\x00", colTime: "\x00",
		}
		for col, s := range change {
			cols[col] = s
		}
		return cols
	}
	if _, err := Decode(pack(1, base(nil), "")); err != nil {
		t.Fatal("the sound one: ", err)
	}
	rows := &automerge.Change{Actor: "a", Seq: 1, StartOp: 1}
	for range 16_000 {
		rows.Ops = append(rows.Ops, automerge.Op{Key: "k", Action: automerge.Put})
	}
	chunk := string(sealed(t, rows).Raw())
	zipped := string(automerge.Deflate(sealed(t, &automerge.Change{Actor: "a", Seq: 1, StartOp: 1, Message: rep("m", 500)}).Raw()))
	len2 := func(n int) string { return string(binary.AppendUvarint(nil, uint64(n))) }
	for _, x := range []struct {
		name string
		b    []byte
		want string
	}{
		{"more changes than forms", pack(2, base(nil), ""), "cut short"},
		{"huge number of changes", pack(math.MaxUint64, base(nil), ""), "at most 4096"},
		{"document of none", pack(1, base(map[int]string{colDoc: "\x01"}), ""), "document 1 of 0"},
		{"document name of huge length", pack(1, base(map[int]string{colNames: huge}), ""), "name of"},
		{"document name not UTF-8", pack(1, base(map[int]string{colNames: "\x01\xff\x01a"}), ""), "not UTF-8"},
		{"actor of none", pack(1, base(map[int]string{colActor: "\x01"}), ""), "actor 1 of 0"},
		{"actor without bytes", pack(1, base(map[int]string{colNames: "\x01d\x00"}), ""), "actor id has 0 bytes"},
		{"unknown form", pack(1, base(map[int]string{colForm: "\x40"}), ""), "form 64"},
		{"whole and more", pack(1, base(map[int]string{colForm: "\x03"}), ""), "form 3"},
		{"huge dependencies", pack(1, base(map[int]string{colMore: huge}), ""), "dependencies: at most 0"},
		{"dependency on itself", pack(1, base(map[int]string{colForm: "\x00", colMore: "", colDep: "\x01"}), ""), "1 changes back of 0"},
		{"dependency without its hash", pack(1, base(map[int]string{colForm: "\x00", colMore: "", colDep: "\x00"}), "short"), "raw part"},
		{"huge operations", pack(1, base(map[int]string{colForm: "\x30", colMore: huge + "\x00"}), ""), "operations: at most 1"},
		{"huge sequence", pack(1, base(map[int]string{colForm: "\x22", colMore: huge + "\x00"}), ""), "sequence number"},
		{"sequence 0", pack(1, base(map[int]string{colForm: "\x22", colMore: "\x00\x00"}), ""), "sequence number 0"},
		{"huge start", pack(1, base(map[int]string{colForm: "\x24", colMore: huge + "\x00"}), ""), "start op"},
		{"unknown action", pack(1, base(map[int]string{colOp: "\x80\x01"}), ""), "not known"},
		{"unknown kind", pack(1, base(map[int]string{colOp: "\x1a"}), ""), "not known"},
		{"increment by text", pack(1, base(map[int]string{colOp: "\x56", colValue: "\x00", colText: "\x00"}), ""), "increment"},
		{"huge predecessors", pack(1, base(map[int]string{colPred: huge}), ""), "predecessors: at most 0"},
		{"predecessor below zero", pack(1, base(map[int]string{colPred: "\x01\x05", colPredBy: "\x00"}), ""), "not older"},
		{"predecessor of itself", pack(1, base(map[int]string{colPred: "\x01\x00", colPredBy: "\x00"}), ""), "not older"},
		{"predecessor 0", pack(1, base(map[int]string{colPred: "\x01\x01", colPredBy: "\x00"}), ""), "not older"},
		{"text without an end", pack(1, base(map[int]string{colKeyText: "k"}), ""), "text: "},
		{"text that ends in an escape", pack(1, base(map[int]string{colKeyText: "k\x04"}), ""), "text: "},
		{"wrong escape", pack(1, base(map[int]string{colKeyText: "k\x04k\x00"}), ""), "wrong escape"},
		{"text of none", pack(1, base(map[int]string{colKey: "\x02"}), ""), "text 0 of 0"},
		{"tail in a tail", pack(1, base(map[int]string{colKeyText: "\x03\x00", colTail: "\x00", colTailText: "\x03\x00"}), ""), "no key"},
		{"id of none", pack(1, base(map[int]string{colKeyText: "\x01\x00", colKeyID: "\x03"}), ""), "id 3 of 0"},
		{"last id of none", pack(1, base(map[int]string{colKeyText: "\x01\x00", colKeyID: "\x02"}), ""), "id 2 of 0"},
		{"id in a far time", pack(1, base(map[int]string{colKeyText: "\x01\x00", colKeyID: "\x00", colEntry: huge, colEntryMid: "m", colEntryLow: "l"}), "123456789"), "out of range"},
		{"id cut short", pack(1, base(map[int]string{colKeyText: "\x01\x00", colKeyID: "\x01"}), "123"), "raw part"},
		{"time of 12 digits", pack(1, base(map[int]string{colKeyText: "\x02\x00", colStamp: "\x08"}), ""), "13 digits"},
		{"key not UTF-8", pack(1, base(map[int]string{colKeyText: "\xff\x00"}), ""), "UTF-8"},
		{"left over in a column", pack(1, base(map[int]string{colKeyText: "k\x00k\x00"}), ""), "left over"},
		{"left over in raw", pack(1, base(nil), "x"), "left over"},
		{"whole cut short", pack(1, base(map[int]string{colForm: "\x01", colMore: "\x05"}), "1234"), "raw part"},
		{"whole of huge length", pack(1, base(map[int]string{colForm: "\x01", colMore: huge}), "1234"), "at most 1048576"},
		{"whole no change", pack(1, base(map[int]string{colForm: "\x01", colMore: "\x04"}), "1234"), "chunk"},
		{"whole deflated", pack(1, base(map[int]string{colForm: "\x01", colMore: len2(len(zipped))}), zipped), "not compressed"},
		{"rows beyond the limit in tiny changes", pack(100, map[int]string{
			colNames: "\x01d", colDoc: rep("\x00", 100), colForm: rep("\x01", 100), colMore: rep(len2(len(chunk)), 100),
		}, rep(chunk, 100)), "operations that it may have here"},
		{"one text many times", pack(1, base(map[int]string{
			colForm: "\x30", colMore: len2(1<<18-1) + "\x00", colOp: rep("\x16", 1<<18-1), colPred: rep("\x00", 1<<18-1), colKey: "\x00" + rep("\x02", 1<<18-2),
			colKeyText: rep("k", maxRepeat) + "\x00", colValue: "\x00" + rep("\x02", 1<<18-2), colText: rep("v", maxRepeat) + "\x00",
		}), ""), "strings of more than"},
		{"ids from one byte each", pack(1, base(map[int]string{
			colKeyText: rep("\x01", 1<<19) + "\x00", colKeyID: "\x01" + rep("\x03", 1<<19-1),
		}), "0123456789abcdef"), "strings of more than"},
		{"operations of nothing", pack(1, base(map[int]string{
			colForm: "\x30", colMore: len2(1<<18-1) + "\x00", colOp: rep("0", 1<<18-1),
		}), ""), "cut short"},
		{"columns of huge length", packText(1, []byte(rep(huge, columns)), "", true), "bytes of a column"},
		{"columns cut short", packText(1, []byte(rep("\x10", columns)), "", true), "columns: "},
		{"no columns", packText(1, nil, "", false), "columns: "},
	} {
		t.Run(x.name, func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			_, err := Decode(x.b)
			runtime.ReadMemStats(&after)
			if err == nil || !strings.Contains(err.Error(), x.want) {
				t.Errorf("error %v, want %q", err, x.want)
			}
			if n := after.TotalAlloc - before.TotalAlloc; n > 160<<20 {
				t.Errorf("%d bytes took %d MB", len(x.b), n>>20)
			} else {
				t.Logf("%d bytes took %d KB", len(x.b), n>>10)
			}
		})
	}
}

func TestBundleSizesLie(t *testing.T) {
	text := bytes.Repeat([]byte("bomb"), 4<<20)
	z := deflated(text)
	frame := func(method byte, size uint64, body []byte) []byte {
		b := append([]byte{kindPush, 1, 1}, method)
		b = putBytes(binary.AppendUvarint(b, size), body)
		return append(putBytes(b, nil), make([]byte, 8)...)
	}
	small := []byte("\x4b\x04\x00") // "a", deflated
	for _, x := range []struct {
		name string
		b    []byte
		want string
	}{
		{"bomb", frame(methodDeflate, uint64(len(text)), z.out), "at most"},
		{"bomb of less", frame(methodDeflate, 1000, z.out), "to more"},
		{"over the limit", frame(methodDeflate, MaxInflated+1, z.out), "at most"},
		{"less than stated", frame(methodDeflate, 60_000, small), "inflates to 1"},
		{"bytes behind", frame(methodDeflate, 1, append(small, 0)), "follow what is deflated"},
		{"not deflated", frame(methodDeflate, 5, []byte("hello")), "inflate"},
		{"cut", frame(methodDeflate, 1, small[:1]), "inflate"},
		{"plain and short", frame(methodPlain, 5, []byte("hell")), "states 5 bytes and has 4"},
		{"plain and long", frame(methodPlain, 3, []byte("hell")), "states 3 bytes and has 4"},
		{"unknown method", frame(2, 4, []byte("hell")), "method 2"},
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := Decode(x.b)
		runtime.ReadMemStats(&after)
		if err == nil || !strings.Contains(err.Error(), x.want) {
			t.Errorf("%s: error %v, want %q", x.name, err, x.want)
		}
		if n := after.TotalAlloc - before.TotalAlloc; n > 2<<20 {
			t.Errorf("%s: %d bytes took %d KB", x.name, len(x.b), n>>10)
		}
	}
}

// A frame that lost or changed a bit on the way gives an error, or says the same; only what is outside the bundle (the ID
// of a push) may differ.
func TestBundleBitFlips(t *testing.T) {
	for name, items := range map[string][]Item{
		"one entry": entries200(t)[199:], "entries": entries200(t)[:12], "foreign": foreign(t), "random": history(t, 3)[:12],
	} {
		b := encoded(t, &Push{ID: 5, Items: items})
		for bit := 0; bit < 8*len(b); bit += stride() {
			c := bytes.Clone(b)
			c[bit/8] ^= 1 << (bit % 8)
			f, err := Decode(c)
			if err != nil {
				continue
			}
			p, ok := f.(*Push)
			if !ok {
				t.Fatalf("%s, bit %d: became a %T", name, bit, f)
			}
			if err := same(items, p.Items); err != nil {
				t.Fatalf("%s, bit %d: %v", name, bit, err)
			}
		}
		for n := range b {
			if _, err := Decode(b[:n]); err == nil {
				t.Fatalf("%s: cut to %d bytes it is still read", name, n)
			}
		}
		if _, err := Decode(append(b, 0)); err == nil {
			t.Errorf("%s: a byte behind it is not seen", name)
		}
	}
}

// The digest holds documents and order together with the changes.
func TestBundleProvesDocuments(t *testing.T) {
	items := []Item{{"contacts", entries200(t)[0].Change}}
	b := encoded(t, &Push{ID: 1, Items: items})
	i := bytes.Index(b, []byte("contacts"))
	if i < 0 {
		t.Fatal("the name is not in the plain text: ", hex.EncodeToString(b))
	}
	b[i] = 'k'
	if _, err := Decode(b); err == nil || !strings.Contains(err.Error(), "digest") {
		t.Errorf("error %v, want one of the digest", err)
	}
}

func TestBundlesAtOnce(t *testing.T) {
	for i := range 8 {
		t.Run("", func(t *testing.T) {
			t.Parallel()
			for j := range 5 {
				roundTrip(t, history(t, uint64(10*i+j)))
			}
		})
	}
}

func TestItemsAreTheCallers(t *testing.T) {
	b := encoded(t, &Push{Items: entries200(t)})
	f, err := Decode(b)
	if err != nil {
		t.Fatal(err)
	}
	clear(b)
	for seed := range uint64(5) {
		roundTrip(t, history(t, seed)) // uses what the first one gave back
	}
	if err := same(entries200(t), f.(*Push).Items); err != nil {
		t.Error(err)
	}
	if !reflect.DeepEqual(encoded(t, f), encoded(t, &Push{Items: entries200(t)})) {
		t.Error("frames differ")
	}
}
