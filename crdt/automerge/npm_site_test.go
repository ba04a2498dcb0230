package automerge_test

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"

	"trio/crdt/automerge"
	"trio/crdt/npmtest"
)

// npmSite is a document in a child. Its values come from the package's own low level, which tells all types apart and
// gives integers over 2^53 as BigInt; the public interface does too, for a key without conflicts.
type npmSite struct {
	child *npmChild
	doc   int
	keys  map[string][][3]string // what dump said, nil when the document has changed since
}

func init() {
	parties = append(parties, func(t *testing.T) (party, bool) {
		if !npmtest.Have(t, npmEngine) {
			return party{}, false
		}
		child := startNpm(t)
		open := func(t *testing.T, r npmRequest) (site, error) {
			a, err := child.call(r)
			if err == nil {
				t.Cleanup(func() { child.must(t, npmRequest{Cmd: "free", Doc: a.Doc}) })
			}
			return &npmSite{child: child, doc: a.Doc}, err
		}
		return party{
			name: "npm",
			new: func(t *testing.T, actor automerge.ActorID) site {
				s, err := open(t, npmRequest{Cmd: "new", Actor: actor.String()})
				if err != nil {
					t.Fatal(err)
				}
				return s
			},
			load: func(t *testing.T, saved []byte) (site, error) {
				return open(t, npmRequest{Cmd: "load", Bytes: saved})
			},
		}, true
	})
}

func (s *npmSite) do(t *testing.T, r npmRequest) npmAnswer {
	t.Helper()
	r.Doc = s.doc
	return s.child.must(t, r)
}

// npmScalar is v as an edit puts it.
func npmScalar(v automerge.Value) (typ, value string) {
	n := strconv.FormatInt(v.Num, 10)
	switch v.Kind {
	case automerge.KindFalse, automerge.KindTrue:
		return "boolean", strconv.FormatBool(v.Kind == automerge.KindTrue)
	case automerge.KindUint:
		return "uint", strconv.FormatUint(uint64(v.Num), 10)
	case automerge.KindInt:
		return "int", n
	case automerge.KindFloat64:
		return "f64", strconv.FormatUint(uint64(v.Num), 10)
	case automerge.KindString:
		return "str", base64.StdEncoding.EncodeToString([]byte(v.Str))
	case automerge.KindBytes:
		return "bytes", base64.StdEncoding.EncodeToString([]byte(v.Str))
	case automerge.KindCounter:
		return "counter", n
	case automerge.KindTimestamp:
		return "timestamp", n
	}
	return "null", "null"
}

var npmKinds = map[string]automerge.Kind{
	"null": automerge.KindNull, "uint": automerge.KindUint, "int": automerge.KindInt, "f64": automerge.KindFloat64,
	"str": automerge.KindString, "bytes": automerge.KindBytes, "counter": automerge.KindCounter, "timestamp": automerge.KindTimestamp,
}

var npmObjects = map[string]automerge.Action{
	"map": automerge.MakeMap, "list": automerge.MakeList, "text": automerge.MakeText, "table": automerge.MakeTable,
}

// npmEntry is what dump said of a value, as we have it.
func npmEntry(t *testing.T, v [3]string) automerge.Entry {
	t.Helper()
	e := automerge.Entry{Action: automerge.Put}
	ctr, actor, _ := strings.Cut(v[2], "@")
	n, err := strconv.ParseUint(ctr, 10, 64)
	if err != nil {
		t.Fatalf("%q: %v", v, err)
	}
	e.ID = automerge.OpID{Counter: n, Actor: actorOf(t, actor)}
	if a, ok := npmObjects[v[0]]; ok {
		e.Action = a
		return e
	}
	switch v[0] {
	case "boolean":
		e.Value.Kind = automerge.KindFalse
		if v[1] == "true" {
			e.Value.Kind = automerge.KindTrue
		}
		return e
	case "str", "bytes":
		b, err := base64.StdEncoding.DecodeString(v[1])
		if err != nil {
			t.Fatal(err)
		}
		e.Value = automerge.Value{Kind: npmKinds[v[0]], Str: string(b)}
		return e
	case "null":
		return e
	}
	kind, ok := npmKinds[v[0]]
	if !ok {
		t.Fatalf("npm has a value of type %q", v[0])
	}
	e.Value.Kind = kind
	if strings.HasPrefix(v[1], "-") {
		e.Value.Num, err = strconv.ParseInt(v[1], 10, 64)
	} else {
		var u uint64
		u, err = strconv.ParseUint(v[1], 10, 64)
		e.Value.Num = int64(u)
	}
	if err != nil {
		t.Fatalf("%q: %v", v, err)
	}
	return e
}

func actorOf(t *testing.T, s string) automerge.ActorID {
	t.Helper()
	var b []byte
	if _, err := fmt.Sscanf(s, "%x", &b); err != nil {
		t.Fatalf("actor %q: %v", s, err)
	}
	return automerge.ActorID(b)
}

func (s *npmSite) dump(t *testing.T) map[string][][3]string {
	t.Helper()
	if s.keys == nil {
		s.keys = map[string][][3]string{}
		for _, k := range s.do(t, npmRequest{Cmd: "dump"}).Keys {
			s.keys[k.Key] = k.Values
		}
	}
	return s.keys
}

func (s *npmSite) entries(t *testing.T, key string) []automerge.Entry {
	t.Helper()
	var list []automerge.Entry
	for _, v := range s.dump(t)[key] {
		list = append(list, npmEntry(t, v))
	}
	return list
}

func (s *npmSite) edit(t *testing.T, r *rand.Rand, keys []string) {
	var ops []npmOp
	kinds := map[string]string{} // of the winners, as this change goes on
	for _, key := range keys {
		if all := s.dump(t)[key]; len(all) > 0 {
			kinds[key] = all[len(all)-1][0]
		}
	}
	for range 1 + r.IntN(4) {
		key := keys[r.IntN(len(keys))]
		switch {
		case r.IntN(6) == 0:
			if kinds[key] != "" {
				ops = append(ops, npmOp{Op: "delete", Key: &key})
				delete(kinds, key)
			}
		case kinds[key] == "counter" && r.IntN(4) > 0:
			ops = append(ops, npmOp{Op: "increment", Key: &key, Value: strconv.Itoa(r.IntN(20) - 10)})
		default:
			op := npmOp{Op: "put", Key: &key}
			op.Type, op.Value = npmScalar(randomValue(r))
			kinds[key] = op.Type
			ops = append(ops, op)
		}
	}
	s.do(t, npmRequest{Cmd: "edit", Ops: ops, Time: r.Int64N(2e9), Message: diffStrings[r.IntN(len(diffStrings))]})
	s.keys = nil
}

func (s *npmSite) send(t *testing.T, r *rand.Rand) []byte {
	if r.IntN(2) == 0 {
		return s.do(t, npmRequest{Cmd: "save"}).Bytes
	}
	var b []byte
	for _, raw := range s.do(t, npmRequest{Cmd: "changes"}).Changes {
		c, err := automerge.ParseChange(raw)
		if err != nil {
			t.Fatalf("%x: %v", raw, err)
		}
		if !c.Canonical() {
			t.Fatalf("change %s is not canonical: %x", c.Hash(), raw)
		}
		b = append(b, raw...)
	}
	return b
}

// withoutIdle returns a chunk as it is, unless it is a document that names an actor of which there is no change, as official
// engines save one: npm's panics on loading it ("removal index"), its own as any other's. What we save of the same names none.
func withoutIdle(t *testing.T, chunk []byte) []byte {
	if chunk[8] != byte(automerge.ChunkDocument) {
		return chunk
	}
	d, err := automerge.Load(chunk)
	if err != nil {
		t.Fatal(err)
	}
	busy := map[automerge.ActorID]bool{}
	for _, c := range d.Changes() {
		busy[c.Actor] = true
	}
	rest := chunk[9:]
	_, n := binary.Uvarint(rest) // the length of the chunk
	rest = rest[n:]
	actors, n := binary.Uvarint(rest)
	rest = rest[n:]
	for range actors {
		size, n := binary.Uvarint(rest)
		if !busy[automerge.ActorID(rest[n:n+int(size)])] {
			saved, err := d.Save()
			if err != nil {
				t.Fatal(err)
			}
			return saved
		}
		rest = rest[n+int(size):]
	}
	return chunk
}

func (s *npmSite) receive(t *testing.T, r *rand.Rand, from site) {
	b := from.send(t, r)
	chunks, err := automerge.SplitChunks(b)
	if err != nil {
		t.Fatal(err)
	}
	// npm's loadIncremental panics on a document without changes, which official engines save when they have an actor.
	if d, err := automerge.Load(b); err != nil || len(d.Changes()) == 0 {
		if err != nil {
			t.Fatal(err)
		}
		return
	}
	for i := range chunks {
		chunks[i] = withoutIdle(t, chunks[i])
	}
	b = slices.Concat(chunks...)
	whole := func(chunk []byte) bool { return chunk[8] == byte(automerge.ChunkDocument) }
	if r.IntN(2) == 0 || slices.ContainsFunc(chunks, whole) {
		if _, err := s.child.call(npmRequest{Cmd: "loadIncremental", Doc: s.doc, Bytes: b}); err != nil {
			t.Fatalf("%v: %x", err, b)
		}
	} else {
		r.Shuffle(len(chunks), func(i, j int) { chunks[i], chunks[j] = chunks[j], chunks[i] })
		s.do(t, npmRequest{Cmd: "apply", Changes: chunks})
	}
	if missing := s.do(t, npmRequest{Cmd: "missing"}).Heads; len(missing) > 0 {
		t.Fatalf("npm misses %v", missing)
	}
	s.keys = nil
}

func (s *npmSite) heads() []string {
	a, err := s.child.call(npmRequest{Cmd: "heads", Doc: s.doc})
	if err != nil {
		return []string{err.Error()}
	}
	return a.Heads
}

func (s *npmSite) value(t *testing.T, key string) string {
	return showWinner(s.entries(t, key))
}

func (s *npmSite) conflicts(t *testing.T, key string) ([]string, bool) {
	all := s.entries(t, key)
	// What getConflicts of the public interface says must be of one mind with it.
	for _, k := range s.do(t, npmRequest{Cmd: "conflicts"}).Keys {
		if k.Key != key || len(all) < 2 {
			if k.Key == key && len(k.IDs) > 0 {
				t.Fatalf("getConflicts of %q names %v, and there is %v", key, k.IDs, all)
			}
			continue
		}
		var ids []string
		for _, e := range all {
			ids = append(ids, fmt.Sprintf("%d@%s", e.ID.Counter, e.ID.Actor))
		}
		if slices.Sort(ids); !slices.Equal(ids, slices.Sorted(slices.Values(k.IDs))) {
			t.Fatalf("getConflicts of %q names %v, not %v", key, k.IDs, ids)
		}
	}
	return showEntries(all), true
}

// TestNpmNested has npm write lists, text, maps and marks at random, which we carry and do not materialise.
func TestNpmNested(t *testing.T) {
	child := startNpm(t)
	histories := 40
	if testing.Short() {
		histories = 5
	}
	for _, seed := range randomSeeds(histories) {
		if !t.Run(fmt.Sprint("seed=", seed), func(t *testing.T) { npmNested(t, child, seed) }) {
			return
		}
	}
}

func npmNested(t *testing.T, child *npmChild, seed uint64) {
	r := rand.New(rand.NewPCG(seed, 1))
	doc := nestedHistory(t, child, r)
	defer child.must(t, npmRequest{Cmd: "free", Doc: doc})
	heads := child.must(t, npmRequest{Cmd: "heads", Doc: doc}).Heads
	tree := child.must(t, npmRequest{Cmd: "tree", Doc: doc}).Text
	root := &npmSite{child: child, doc: doc}
	var chunks []byte
	for _, raw := range child.must(t, npmRequest{Cmd: "changes", Doc: doc}).Changes {
		chunks = append(chunks, raw...)
	}
	for name, b := range map[string][]byte{"changes": chunks, "document": child.must(t, npmRequest{Cmd: "save", Doc: doc}).Bytes} {
		d, err := automerge.Load(b)
		if err != nil {
			t.Fatalf("%s: %v\n%x", name, err, b)
		}
		ours := &ourSite{doc: d}
		if got := ours.heads(); !slices.Equal(got, heads) {
			t.Fatalf("%s: heads %v, not %v", name, got, heads)
		}
		for _, key := range nestedKeys {
			got, _ := ours.conflicts(t, key)
			if want, _ := root.conflicts(t, key); !slices.Equal(got, want) {
				t.Errorf("%s: %s has %v, not %v", name, key, got, want)
			}
		}
		for _, c := range d.Changes() {
			if !c.Canonical() {
				t.Errorf("%s: change %s is not canonical", name, c.Hash())
			}
		}
		strangers(t, d.Changes())
		saved, err := d.Save()
		if err != nil {
			t.Fatal(err)
		}
		again := child.must(t, npmRequest{Cmd: "load", Bytes: saved}).Doc
		if got := child.must(t, npmRequest{Cmd: "heads", Doc: again}).Heads; !slices.Equal(got, heads) {
			t.Errorf("%s: saved with heads %v, not %v", name, got, heads)
		}
		if got := child.must(t, npmRequest{Cmd: "tree", Doc: again}).Text; got != tree {
			t.Errorf("%s: saved as\n%s\nnot\n%s", name, got, tree)
		}
		child.must(t, npmRequest{Cmd: "free", Doc: again})
	}
}

var nestedKeys = []string{"list", "text", "map", "scalar"}

// nestedHistory has up to three writers edit and merge, and returns the document in which all meet.
func nestedHistory(t *testing.T, child *npmChild, r *rand.Rand) int {
	var docs []int
	for i := range 1 + r.IntN(3) {
		docs = append(docs, child.must(t, npmRequest{Cmd: "new", Actor: fmt.Sprintf("%02x%04x", i, r.IntN(1<<16))}).Doc)
	}
	merge := func(to, from int) {
		child.must(t, npmRequest{Cmd: "apply", Doc: to, Changes: child.must(t, npmRequest{Cmd: "changes", Doc: from}).Changes})
	}
	for range 5 + r.IntN(30) {
		d := docs[r.IntN(len(docs))]
		if from := docs[r.IntN(len(docs))]; from != d && r.IntN(3) == 0 {
			merge(d, from)
			continue
		}
		if r.IntN(20) == 0 {
			child.must(t, npmRequest{Cmd: "emptyChange", Doc: d, Message: "nothing"})
		}
		var ops []npmOp
		for range 1 + r.IntN(4) {
			ops = append(ops, nestedOp(r))
		}
		// An edit may not fit what is there (an index beyond the end, an object that another has written over): then npm
		// refuses it and keeps those before it.
		if _, err := child.call(npmRequest{Cmd: "edit", Doc: d, Ops: ops, Time: r.Int64N(2e9)}); errors.Is(err, errNpmGone) {
			t.Fatal(err)
		}
	}
	for _, d := range docs[1:] {
		merge(docs[0], d)
		child.must(t, npmRequest{Cmd: "free", Doc: d})
	}
	return docs[0]
}

func nestedOp(r *rand.Rand) npmOp {
	key := []string{"list", "list", "text", "text", "text", "map", "map", "scalar"}[r.IntN(8)]
	inner := fmt.Sprint("k", r.IntN(3))
	typ, value := npmScalar(randomValue(r))
	at := r.IntN(4)
	path := []any{key}
	switch n := r.IntN(8); {
	case key == "scalar" || n == 0 && r.IntN(3) == 0:
		return npmOp{Op: "put", Key: &key, Type: typ, Value: value}
	case n <= 1:
		return npmOp{Op: "make", Key: &key, Type: key}
	case key == "text" && n <= 4:
		return npmOp{Op: "splice", Path: path, Index: at, Del: r.IntN(2), Text: diffStrings[r.IntN(len(diffStrings))]}
	case key == "text" && n == 5:
		return npmOp{Op: "unmark", Path: path, Index: at, End: at + 1 + r.IntN(4), Key: &inner, Expand: "none"}
	case key == "text":
		return npmOp{
			Op: "mark", Path: path, Index: at, End: at + 1 + r.IntN(4), Key: &inner, Type: "boolean", Value: "true",
			Expand: []string{"none", "before", "after", "both"}[r.IntN(4)],
		}
	case key == "list" && n <= 3:
		return npmOp{Op: "insert", Path: path, Index: at, Type: typ, Value: value}
	case key == "list" && n == 4:
		return npmOp{Op: "insertMake", Path: path, Index: at, Type: []string{"map", "list", "text"}[r.IntN(3)]}
	case key == "list" && n == 5:
		return npmOp{Op: "put", Path: path, Index: at, Type: typ, Value: value}
	case key == "list" && n == 6:
		return npmOp{Op: "put", Path: []any{"list", at}, Key: &inner, Type: typ, Value: value}
	case key == "list":
		return npmOp{Op: "delete", Path: path, Index: at}
	case n <= 4:
		return npmOp{Op: "put", Path: path, Key: &inner, Type: typ, Value: value}
	case n == 5:
		return npmOp{Op: "increment", Path: path, Key: &inner, Value: "3"}
	case n == 6:
		return npmOp{Op: "make", Path: path, Key: &inner, Type: []string{"map", "list", "text"}[r.IntN(3)]}
	}
	return npmOp{Op: "delete", Path: path, Key: &inner}
}
