package wire

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"trio/crdt"
	"trio/crdt/automerge"
)

var update = flag.Bool("update", false, "write the golden files anew")

func receipt(seq uint64) Receipt {
	return Receipt{Epoch: Epoch{1, 2, 3}, Seq: seq, Chain: Chain{}.Next(automerge.Hash{byte(seq)})}
}

// sampleBook is not one: frames carry whatever was published.
var sampleBook = []byte(`{"version":301,"words":["` + strings.Repeat("a refill, ", 40) + `"]}`)

type named struct {
	name  string
	frame Frame
}

// frames returns frames of every kind, the usual ones and those at a limit. Those of the first kind are in the golden
// file.
func frames(tb testing.TB) (usual, extreme []named) {
	entries := entries200(tb)
	refused := Refusal{Hash: automerge.Hash{9}, Code: CodeSchema, Text: "log entry is not text"}
	usual = []named{
		{"hello", &Hello{Version: 1, Member: crdt.MemberID{1}, Device: crdt.DeviceID{2}, Receipt: receipt(300), Pending: 7, Now: 1763798400000, App: "trio/1"}},
		{"welcome", &Welcome{Version: 1, Head: receipt(301), Now: 1763798400001, Conn: "c-1"}},
		{"welcome to reconcile", &Welcome{Version: 1, Head: receipt(301), Now: 1763798400001, Conn: "c-1", Reconcile: true}},
		{"have", &Have{Hashes: []automerge.Hash{{1}, {2}}, More: true}},
		{"push", &Push{ID: 1, Items: entries[:1]}},
		{"push of many", &Push{ID: 2, Items: entries[:8]}},
		{"push of foreign changes", &Push{ID: 3, Items: foreign(tb)}},
		{"answer", &Answer{ID: 1}},
		{"answer with refusals", &Answer{ID: 1, Refused: []Refusal{refused, refused}}},
		{"changes", &Changes{From: receipt(0), To: receipt(2), Held: []bool{false, false}, Items: entries[:2]}},
		{"changes that are held", &Changes{
			From: receipt(2), To: receipt(12), Held: []bool{true, false, true, true, true, true, true, true, true, true},
			Hashes: make([]automerge.Hash, 9), Items: entries[1:2],
		}},
		{"error", &Error{Code: CodeBusy, Text: "come back later", Wait: 2000}},
		{"welcome of version 2", &Welcome{Version: 2, Head: receipt(301), Now: 1763798400001, Conn: "c-1"}},
		{"welcome to leave", &Welcome{Version: 2, Head: receipt(301), Now: 1763798400001, Conn: "c-1", Leave: true}},
		{"left", &Left{}},
		{"hello without a playbook", &Hello{Version: 3, Member: crdt.MemberID{1}, Device: crdt.DeviceID{2}, Receipt: receipt(300), App: "trio/1"}},
		{"hello with a playbook", &Hello{
			Version: 3, Member: crdt.MemberID{1}, Device: crdt.DeviceID{2}, Receipt: receipt(300), Pending: 7, Now: 1763798400000, App: "trio/1",
			Playbook: PlaybookID{Version: 300, Hash: [32]byte{1, 31: 9}},
		}},
		{"welcome of version 3", &Welcome{Version: 3, Head: receipt(301), Now: 1763798400001, Conn: "c-1", Playbook: 301}},
		{"playbook", &Playbook{Version: 301, Doc: sampleBook}},
	}
	held := make([]bool, MaxChanges)
	for i := range held {
		held[i] = true
	}
	extreme = []named{
		{"zero hello", &Hello{}},
		{"last hello", &Hello{Version: Version, Receipt: receipt(math.MaxUint64), Pending: math.MaxUint64, Now: math.MinInt64, App: strings.Repeat("é", maxText/2)}},
		{"zero welcome", &Welcome{}},
		{"last welcome", &Welcome{Version: math.MaxUint64, Head: receipt(math.MaxUint64), Now: math.MaxInt64, Conn: "\x00", Reconcile: true, Leave: true}},
		{"zero have", &Have{}},
		{"last have", &Have{Hashes: make([]automerge.Hash, MaxHave)}},
		{"zero push", &Push{}},
		{"last push", &Push{ID: math.MaxUint64}},
		{"zero answer", &Answer{}},
		{"last answer", &Answer{ID: math.MaxUint64, Refused: []Refusal{{Code: math.MaxUint16, Text: strings.Repeat("x", maxText)}}}},
		{"zero changes", &Changes{}},
		{"last changes", &Changes{From: receipt(math.MaxUint64), To: receipt(math.MaxUint64), Held: held, Hashes: make([]automerge.Hash, MaxChanges)}},
		{"zero error", &Error{}},
		{"least playbook", &Playbook{Version: 1, Doc: []byte("{")}},
		{"last playbook", &Playbook{Version: math.MaxUint32, Doc: []byte("}")}},
		{"last error", &Error{Code: math.MaxUint16, Text: "🙂", Wait: math.MaxUint64}},
	}
	return usual, extreme
}

func itemsOf(f Frame) *[]Item {
	switch f := f.(type) {
	case *Push:
		return &f.Items
	case *Changes:
		return &f.Items
	}
	return nil
}

// sameFrame reports how two frames differ; items by their bytes.
func sameFrame(want, got Frame) error {
	if a, b := itemsOf(want), itemsOf(got); a != nil && b != nil {
		if err := same(*a, *b); err != nil {
			return err
		}
		keep := *b
		defer func() { *b = keep }()
		*b = *a
	}
	if !reflect.DeepEqual(want, got) {
		return fmt.Errorf("frame is %+v, want %+v", got, want)
	}
	return nil
}

func TestFrames(t *testing.T) {
	usual, extreme := frames(t)
	for _, x := range append(usual, extreme...) {
		b := encoded(t, x.frame)
		f, err := Decode(b)
		if err != nil {
			t.Errorf("%s: %v", x.name, err)
			continue
		}
		if err := sameFrame(x.frame, f); err != nil {
			t.Errorf("%s: %v", x.name, err)
		}
		if again := encoded(t, f); !bytes.Equal(again, b) {
			t.Errorf("%s: encoded again it is\n%x, was\n%x", x.name, again, b)
		}
		if len(b) > 10_000 {
			continue
		}
		for n := range b {
			if f, err := Decode(b[:n]); err == nil {
				t.Errorf("%s: cut to %d of %d bytes it is read as %+v", x.name, n, len(b), f)
			}
		}
		if f, err := Decode(append(b, 0)); err == nil {
			t.Errorf("%s: with a byte behind it is read as %+v", x.name, f)
		}
		for bit := 0; bit < 8*len(b); bit += stride() {
			c := bytes.Clone(b)
			c[bit/8] ^= 1 << (bit % 8)
			f, err := Decode(c)
			if err != nil {
				continue
			}
			// Whatever it says now, it says it in one way; the changes of a bundle are those that were sent.
			again := encoded(t, f)
			if p, ok := f.(*Playbook); ok { // bits that deflate does not look at
				if q := x.frame.(*Playbook); !bytes.Equal(p.Doc, q.Doc) {
					t.Fatalf("%s, bit %d: the document is %.60q", x.name, bit, p.Doc)
				}
				continue
			}
			if h, ok := f.(*Hello); itemsOf(f) == nil && !bytes.Equal(again, c) && !(ok && h.Version > Version) {
				t.Fatalf("%s, bit %d: read and written again it is\n%x, was\n%x", x.name, bit, again, c)
			}
			if a, b := itemsOf(x.frame), itemsOf(f); a != nil && b != nil {
				if err := same(*a, *b); err != nil {
					t.Fatalf("%s, bit %d: %v", x.name, bit, err)
				}
			}
		}
	}
}

// The golden file pins the versions of the protocol: when a frame of it changes, devices that are out there no longer
// understand. The frames of it are read, as what a new build writes may be deflated in another way.
func TestGolden(t *testing.T) {
	usual, _ := frames(t)
	path := filepath.Join("testdata", "frames.golden")
	if *update {
		var out bytes.Buffer
		for _, x := range usual {
			fmt.Fprintf(&out, "%s\n%x\n\n", x.name, encoded(t, x.frame))
		}
		if err := os.MkdirAll("testdata", 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, out.Bytes(), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(b)), "\n")
	if len(lines) != 3*len(usual)-1 {
		t.Fatalf("%s has %d lines, want %d: go test -update writes it anew", path, len(lines), 3*len(usual)-1)
	}
	for i, x := range usual {
		name, text := lines[3*i], lines[3*i+1]
		frame, err := hex.DecodeString(text)
		if err != nil || name != x.name {
			t.Fatalf("%s: %q, want %q: %v", path, name, x.name, err)
		}
		f, err := Decode(frame)
		if err == nil {
			err = sameFrame(x.frame, f)
		}
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if now := encoded(t, x.frame); !bytes.Equal(now, frame) {
			t.Errorf("%s is\n%x, want\n%x", name, now, frame)
		}
	}
}

func TestDecodeRefuses(t *testing.T) {
	hash := strings.Repeat("h", 32)
	head := strings.Repeat("r", 16) + "\x05" + strings.Repeat("c", 16)
	book := string(encoded(t, &Playbook{Version: 5, Doc: sampleBook}))
	for _, x := range []struct{ name, frame, want string }{
		{"nothing", "", "cut short"},
		{"unknown kind", "\x63", "frame kind 99 is not known: update the program"},
		{"kind 0", "\x00", "not known"},
		{"too long", "\x03\x00" + strings.Repeat("x", MaxFrame), "at most 4194304"},
		{"long number", "\x05\x81\x00\x00", "longer than needed"},
		{"number beyond 64 bits", "\x05\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02\x00", "cut short"},
		{"flag of two", "\x03\x02\x00", "flag is 2"},
		{"more hashes than bytes", "\x03\x00\x02" + hash, "cut short"},
		{"leave of two", "\x02\x02" + head + "\x00\x00\x00\x02", "flag is 2"},
		{"leave missing", "\x02\x02" + head + "\x00\x00\x00", "cut short"},
		{"leave in version 1", "\x02\x01" + head + "\x00\x00\x00\x01", "1 bytes"},
		{"left with more", "\x08\x01", "1 bytes"},
		{"playbook in the welcome of version 2", "\x02\x02" + head + "\x00\x00\x00\x00\x07", "1 bytes"},
		{"playbook missing in a welcome", "\x02\x03" + head + "\x00\x00\x00\x00", "cut short"},
		{"playbook of a version beyond 32 bits", "\x09\x80\x80\x80\x80\x10" + hash + "\x01\x00", "at most 4294967295"},
		{"playbook without a version", "\x09\x00" + book[2:], "without a version"},
		{"playbook without a document", "\x09\x01" + hash + "\x00\x00", "without a version or a document"},
		{"playbook too large", "\x09\x01" + hash + "\x81\x80\x40\x00", "at most 1048576"},
		{"playbook of other bytes", book[:2] + hash + book[34:], "altered on the way"},
		{"playbook that is longer", book[:34] + "\x01" + book[36:], "states 1 bytes and inflates to more"},
		{"playbook that is no deflate", "\x09\x01" + hash + "\x05\x03\xff\xff\xff", "does not inflate"},
		{"too many hashes", "\x03\x00\x81\x80\x01", "at most 16384"},
		{"too many refusals", "\x05\x00\x81\x20", "at most 4096"},
		{"refusals of nothing", "\x05\x00\x80\x20", "cut short"},
		{"code too big", "\x07\x80\x80\x04\x00\x00", "at most 65535"},
		{"text too long", "\x07\x01\x00\x81\x08" + strings.Repeat("x", 1025), "at most 1024"},
		{"text not UTF-8", "\x07\x01\x00\x01\xff", "not UTF-8"},
		{"too many changes", "\x06" + head + head + "\x81\x20", "at most 4096"},
		{"bits behind the last", "\x06" + head + head + "\x01\x03\x02" + hash + hash + "\x00", "bits are set behind 1"},
		{"held without a hash", "\x06" + head + head + "\x01\x01\x00\x00", "0 hashes and 0 bodies"},
		{"not held without a body", "\x06" + head + head + "\x01\x00\x00\x00", "0 hashes and 0 bodies"},
		{"hash of what is not held", "\x06" + head + head + "\x01\x00\x01" + hash + "\x00", "1 hashes and 0 bodies"},
	} {
		if f, err := Decode([]byte(x.frame)); err == nil || !strings.Contains(err.Error(), x.want) {
			t.Errorf("%s: %+v, error %v: want %q", x.name, f, err, x.want)
		}
	}
}

func TestLargestPlaybook(t *testing.T) {
	for _, doc := range [][]byte{bytes.Repeat([]byte{' '}, MaxPlaybook), bytes.Repeat(sampleBook, MaxPlaybook/len(sampleBook))} {
		f, err := Decode(encoded(t, &Playbook{Version: 1, Doc: doc}))
		if err != nil || !bytes.Equal(f.(*Playbook).Doc, doc) {
			t.Errorf("of %d bytes: %v", len(doc), err)
		}
	}
}

// A Hello of a newer version may say more than this build knows.
func TestNewerHello(t *testing.T) {
	h := &Hello{Version: Version + 1, App: "trio/9"}
	f, err := Decode(append(encoded(t, h), "more"...))
	if err != nil || !reflect.DeepEqual(f, h) {
		t.Errorf("%+v, %v", f, err)
	}
}

func TestEncodeRefuses(t *testing.T) {
	for _, x := range []struct {
		name  string
		frame Frame
		cut   bool
		want  string
	}{
		{"hashes", &Have{Hashes: make([]automerge.Hash, MaxHave+1)}, true, "16385 hashes"},
		{"refusals", &Answer{Refused: make([]Refusal, MaxChanges+1)}, true, "4097 refusals"},
		{"changes", &Changes{Held: make([]bool, MaxChanges+1)}, true, "4097 changes"},
		{"playbook", &Playbook{Version: 1, Doc: make([]byte, MaxPlaybook+1)}, false, "at most 1048576"},
		{"no playbook", &Playbook{Version: 1}, false, "without a document"},
		{"version missing", &Playbook{Doc: sampleBook}, false, "without a version"},
		{"bodies missing", &Changes{Held: make([]bool, 1)}, false, "0 bodies"},
		{"hashes missing", &Changes{Held: []bool{true}}, false, "0 hashes"},
	} {
		b, err := Encode(x.frame)
		if b != nil || err == nil || !strings.Contains(err.Error(), x.want) || errors.Is(err, ErrTooLarge) != x.cut {
			t.Errorf("%s: %d bytes, error %v: want %q", x.name, len(b), err, x.want)
		}
	}
}

func TestSentencesAreMended(t *testing.T) {
	for in, want := range map[string]string{
		"fine":                            "fine",
		"bro\xffken":                      "bro?ken",
		strings.Repeat("é", maxText):      strings.Repeat("é", maxText/2),
		"x" + strings.Repeat("é", 2000):   "x" + strings.Repeat("é", maxText/2-1),
		strings.Repeat("\xff", 3*maxText): "?",
	} {
		f, err := Decode(encoded(t, &Error{Text: in}))
		if err != nil {
			t.Fatal(err)
		}
		if got := f.(*Error).Text; got != want {
			t.Errorf("%.30q becomes %.30q of %d bytes, want %.30q of %d", in, got, len(got), want, len(want))
		}
	}
}

func TestRetry(t *testing.T) {
	for code, want := range map[Code]bool{
		CodeBusy: true, CodeFull: true, CodeInternal: true, CodeShutdown: true, CodeOrder: true, CodeFrame: true,
		CodeRevoked: false, CodeDevice: false, CodeVersion: false, CodeInvalid: false, 0: false,
	} {
		if code.Retry() != want {
			t.Errorf("code %d: retry %v", code, !want)
		}
	}
	names := map[string]bool{}
	for _, c := range Codes() {
		names[c.String()] = true
	}
	if len(names) != len(Codes()) || names["other"] || Code(99).String() != "other" {
		t.Errorf("codes are named %v", names)
	}
	if s := (&Error{Code: CodeFull, Text: "full"}).Error(); s != "full (code 7)" {
		t.Error(s)
	}
}

// The chain is part of what devices keep.
func TestChain(t *testing.T) {
	c := Chain{}.Next(automerge.Hash{1}).Next(automerge.Hash{2})
	if got, want := c.String(), "908a0f5e3c4762d214d449cbaf36dbc2"; got != want {
		t.Errorf("chain %s, want %s", got, want)
	}
	if (Epoch{0xab}).String() != "ab000000000000000000000000000000" {
		t.Error(Epoch{0xab})
	}
	if c == (Chain{}).Next(automerge.Hash{2}).Next(automerge.Hash{1}) {
		t.Error("the order does not matter")
	}
}

func TestLimitsFitFrames(t *testing.T) {
	if MaxHave*32+100 > MaxFrame || MaxChange+1000 > MaxFrame {
		t.Error("a limit cannot be reached within a frame")
	}
	if b := encoded(t, &Push{}); len(b) != 3 || binary.MaxVarintLen64 < len(b) {
		t.Errorf("an empty push has %d bytes", len(b))
	}
}
