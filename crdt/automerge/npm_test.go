package automerge_test

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"testing"
	"time"

	"trio/crdt/npmtest"
)

// npmChild is the official engine of the npm registry in a Node process of its own (js/engine.mjs). One child serves one
// goroutine; tests that run at the same time start one each.
type npmChild struct{ *npmtest.Child }

const npmEngine = "@automerge/automerge"

// startNpm starts a child that ends with the test; the test does without where there is none to start, as npmtest.Need says.
func startNpm(tb testing.TB) *npmChild {
	tb.Helper()
	npmtest.Need(tb, npmEngine)
	c, err := newNpm()
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(c.Stop)
	return c
}

func newNpm() (*npmChild, error) {
	c, err := npmtest.Start("--expose-gc", filepath.Join("js", "engine.mjs"))
	return &npmChild{c}, err
}

// npmRequest has the fields of all commands of js/engine.mjs; each uses its own.
type npmRequest struct {
	Cmd     string    `json:"cmd"`
	Doc     int       `json:"doc,omitempty"`
	Actor   string    `json:"actor,omitempty"`
	Bytes   []byte    `json:"bytes,omitempty"`
	Changes [][]byte  `json:"changes,omitempty"`
	Heads   []string  `json:"heads,omitempty"`
	Need    []string  `json:"need,omitempty"`
	Have    []npmHave `json:"have,omitempty"`
	Ops     []npmOp   `json:"ops,omitempty"`
	Message string    `json:"message,omitempty"`
	Time    int64     `json:"time,omitempty"`
	Peer    string    `json:"peer,omitempty"`
	Name    string    `json:"name,omitempty"`
	Key     string    `json:"key,omitempty"`
	What    string    `json:"what,omitempty"`
	N       int       `json:"n,omitempty"`
}

// npmOp is one edit. Path leads from the root map to the object by keys (string) and indexes (int).
type npmOp struct {
	Op     string  `json:"op"` // put, make, insert, insertMake, delete, increment, splice, mark, unmark
	Path   []any   `json:"path,omitempty"`
	Key    *string `json:"key,omitempty"` // map key, or the name of a mark
	Index  int     `json:"index"`
	Del    int     `json:"del"`
	End    int     `json:"end"`
	Type   string  `json:"type,omitempty"`
	Value  string  `json:"value"`
	Text   string  `json:"text"`
	Expand string  `json:"expand,omitempty"`
}

type npmHave struct {
	LastSync []string `json:"lastSync"`
	Bloom    []byte   `json:"bloom"`
}

// npmKey is one key of the root map: its visible values as [type, value, id], or the ids of its conflict.
type npmKey struct {
	Key    string      `json:"key"`
	Values [][3]string `json:"values"`
	IDs    []string    `json:"ids"`
}

type npmAnswer struct {
	Error   string    `json:"error"`
	Crash   bool      `json:"crash"`
	Version string    `json:"version"`
	Doc     int       `json:"doc"`
	Bytes   []byte    `json:"bytes"`
	Changes [][]byte  `json:"changes"`
	Heads   []string  `json:"heads"`
	Need    []string  `json:"need"`
	Have    []npmHave `json:"have"`
	Keys    []npmKey  `json:"keys"`
	Text    string    `json:"text"`
	Hash    string    `json:"hash"`
	Turns   []float64 `json:"turns"` // nanoseconds of each
	Size    int       `json:"size"`
	Peak    int       `json:"peak"`
}

// errNpmGone says that the child is of no more use: it panicked, it ended, or it was killed because it took too long.
var errNpmGone = errors.New("npm's engine is gone")

// npmTimeout bounds one call; whoever measures asks for more.
const npmTimeout = 60 * time.Second

// call asks one thing. What the engine itself refuses is an error; errNpmGone is in the chain when nothing more can be
// asked.
func (c *npmChild) call(r npmRequest) (npmAnswer, error) { return c.callWithin(npmTimeout, r) }

func (c *npmChild) callWithin(limit time.Duration, r npmRequest) (npmAnswer, error) {
	var a npmAnswer
	b, err := json.Marshal(r)
	if err != nil {
		return a, err
	}
	killed := time.AfterFunc(limit, c.Kill)
	defer killed.Stop()
	gone := func(err error) (npmAnswer, error) {
		return a, fmt.Errorf("%s: %w: %w\n%s", r.Cmd, errNpmGone, err, c.Said())
	}
	if _, err := c.In.Write(append(binary.BigEndian.AppendUint32(nil, uint32(len(b))), b...)); err != nil {
		return gone(err)
	}
	var head [4]byte
	if _, err := io.ReadFull(c.Out, head[:]); err != nil {
		return gone(err)
	}
	b = make([]byte, binary.BigEndian.Uint32(head[:]))
	if _, err := io.ReadFull(c.Out, b); err != nil {
		return gone(err)
	}
	if err := json.Unmarshal(b, &a); err != nil {
		return gone(err)
	}
	switch {
	case a.Crash:
		return gone(errors.New(a.Error))
	case a.Error != "":
		return a, fmt.Errorf("%s: %s", r.Cmd, a.Error)
	}
	return a, nil
}

// must asks what may not fail.
func (c *npmChild) must(tb testing.TB, r npmRequest) npmAnswer {
	tb.Helper()
	a, err := c.call(r)
	if err != nil {
		tb.Fatal(err)
	}
	return a
}

func TestNpmChild(t *testing.T) {
	c := startNpm(t)
	if v := c.must(t, npmRequest{Cmd: "version"}).Version; v == "" {
		t.Error("no version")
	}
	if _, err := c.call(npmRequest{Cmd: "save", Doc: 99}); err == nil || errors.Is(err, errNpmGone) {
		t.Errorf("saving no document: %v", err)
	}
	// Two documents of npm's own by its sync protocol.
	key := "k"
	one, two := c.must(t, npmRequest{Cmd: "new", Actor: "01"}).Doc, c.must(t, npmRequest{Cmd: "new", Actor: "02"}).Doc
	c.must(t, npmRequest{Cmd: "edit", Doc: one, Ops: []npmOp{{Op: "put", Key: &key, Type: "int", Value: "9223372036854775807"}}})
	c.must(t, npmRequest{Cmd: "syncInit", Peer: "one"})
	c.must(t, npmRequest{Cmd: "syncInit", Peer: "two"})
	for quiet := 0; quiet < 2; {
		quiet = 0
		for from, to := range map[string]string{"one": "two", "two": "one"} {
			docs := map[string]int{"one": one, "two": two}
			m := c.must(t, npmRequest{Cmd: "syncGenerate", Doc: docs[from], Peer: from}).Bytes
			if m == nil {
				quiet++
				continue
			}
			d := c.must(t, npmRequest{Cmd: "decodeSyncMessage", Bytes: m})
			again := npmRequest{Cmd: "encodeSyncMessage", Heads: d.Heads, Need: d.Need, Have: d.Have, Changes: d.Changes}
			c.must(t, npmRequest{Cmd: "decodeSyncMessage", Bytes: c.must(t, again).Bytes})
			c.must(t, npmRequest{Cmd: "syncReceive", Doc: docs[to], Peer: to, Bytes: m})
		}
	}
	state := c.must(t, npmRequest{Cmd: "encodeSyncState", Peer: "one"}).Bytes
	c.must(t, npmRequest{Cmd: "decodeSyncState", Peer: "again", Bytes: state})
	got := c.must(t, npmRequest{Cmd: "dump", Doc: two}).Keys
	if len(got) != 1 || got[0].Key != "k" || len(got[0].Values) != 1 || got[0].Values[0] != [3]string{"int", "9223372036854775807", "1@01"} {
		t.Errorf("%+v", got)
	}
	// A child that does not answer is killed.
	if _, err := c.callWithin(0, npmRequest{Cmd: "version"}); err == nil {
		if _, err = c.call(npmRequest{Cmd: "version"}); !errors.Is(err, errNpmGone) {
			t.Errorf("after it was killed: %v", err)
		}
	} else if !errors.Is(err, errNpmGone) {
		t.Error(err)
	}
}
