package repo

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"testing"

	"trio/crdt"
	"trio/crdt/automerge"
	"trio/crdt/wire"
	"trio/server/store"
)

// dense returns the chunk of a change of few bytes and many rows, two for each operation, of a writer of its own.
func dense(tb testing.TB, writer, ops int, deps ...automerge.Hash) []byte {
	actor := [16]byte{byte(writer), byte(writer >> 8), 1}
	c := &automerge.Change{Actor: automerge.ActorID(actor[:]), Seq: 1, StartOp: 1, Deps: deps}
	for i := range ops {
		op := automerge.Op{Key: "a", Action: automerge.Put}
		if i > 0 {
			op.Pred = []automerge.OpID{c.OpID(i - 1)}
		}
		c.Ops = append(c.Ops, op)
	}
	if err := c.Seal(); err != nil {
		tb.Fatal(err)
	}
	if c.Len() > 1000 {
		tb.Fatalf("%d operations take %d bytes", ops, c.Len())
	}
	return c.Raw()
}

// weighing is a store that notes the most rows that came at a time, and how often something came.
type weighing struct {
	store.Store
	most, times int
	then        func()
}

func (w *weighing) Append(ctx context.Context, m crdt.MemberID, items []store.Item) (store.Ack, error) {
	rows := 0
	for _, it := range items {
		rows += wire.Rows(it.Change)
	}
	w.most = max(w.most, rows)
	w.times++
	if w.then != nil {
		w.then()
	}
	return w.Store.Append(ctx, m, items)
}

// TestSessionWeighsOperations: a few bytes may be thousands of operations, and are weighed as such wherever they are.
func TestSessionWeighsOperations(t *testing.T) {
	const ops, rows = 32_500, 64_999
	p := newPlace(t)
	var chunks [][]byte
	for i := range 5 {
		chunks = append(chunks, dense(t, i, ops))
	}
	give := func(c *client, chunks ...[]byte) error {
		return c.give(&message{Type: kindSync, Doc: c.url(crdt.ContactsDoc), Data: (&automerge.SyncMessage{Changes: chunks}).Append(nil)})
	}
	refused := func(err error, text string) {
		t.Helper()
		if e := (*wire.Error)(nil); !errors.As(err, &e) || e.Code != wire.CodeFrame || !strings.Contains(e.Text, text) {
			t.Errorf("%v, want %q", err, text)
		}
	}
	stored := func() uint64 {
		head, err := p.st.Head(t.Context(), p.dev.Member)
		p.must(err)
		return head.Seq
	}

	// What waits.
	c := p.client("a")
	for i := range 4 {
		p.must(give(c, dense(t, 10+i, ops, automerge.Hash{1})))
	}
	if c.waiting.rows < 4*rows {
		t.Errorf("%+v waits", c.waiting)
	}
	refused(give(c, dense(t, 14, ops, automerge.Hash{1})), "wait for what they build on")

	// What comes at once. What was in order before is kept, so that who comes back gets on.
	st := &weighing{Store: p.st}
	c = p.client("b")
	c.cfg.Store = st
	refused(give(c, chunks...), "send fewer changes at a time")
	if n := stored(); n != 4 {
		t.Errorf("%d changes are stored, want the 4 that the message may have", n)
	}
	if st.times < 2 || st.most > pushRows+rows {
		t.Errorf("the store was given up to %d rows at a time, in %d pushes", st.most, st.times)
	}
	c = p.client("c")
	p.must(give(c, chunks...))
	if n := stored(); n != 5 {
		t.Errorf("%d changes are stored, want 5", n)
	}

	// What is known is not looked at again, however often it comes; what is not, is work.
	c = p.client("d")
	p.must(give(c))
	c.Worked()
	var again [][]byte
	for range 100 {
		again = append(again, chunks...)
	}
	p.must(give(c, again...))
	if n := c.Worked(); n > 10*rows { // their bytes; looking at them is 500*rowWork*rows
		t.Errorf("changes that are known cost %d", n)
	}
	p.must(give(c, dense(t, 20, ops)))
	if n := c.Worked(); n < rowWork*rows {
		t.Errorf("%d operations cost %d", ops, n)
	}

	// What inflates to more than it may.
	var text strings.Builder
	for i := 0; text.Len() < 15<<20; i++ {
		text.WriteString(strings.Repeat("x", 300))
		text.WriteString(strconv.Itoa(i))
	}
	loose := &automerge.Change{Actor: "0123456789abcdef", Seq: 1, StartOp: 1, Ops: []automerge.Op{{
		Key: "a", Action: automerge.Put, Value: automerge.Value{Kind: automerge.KindString, Str: text.String()},
	}}}
	p.must(loose.Seal())
	tight := automerge.Deflate(loose.Raw())
	refused(give(c, tight, tight, tight, tight, tight, tight), "inflates to more")

	// Who stops waiting need not wait for the rest of a message.
	ctx, cancel := context.WithCancel(t.Context())
	c = p.client("e")
	st = &weighing{Store: p.st, then: cancel}
	c.cfg.Store = st
	var rest [][]byte
	for i := range 3000 {
		rest = append(rest, dense(t, 100+i, 1))
	}
	m := &message{Type: kindSync, Sender: "e", Target: "server", Doc: c.url(crdt.ContactsDoc), Data: (&automerge.SyncMessage{Changes: rest}).Append(nil)}
	if _, err := c.Receive(ctx, m.encode()); !errors.Is(err, context.Canceled) || st.times != 1 {
		t.Errorf("%v after %d pushes, want an end after the first", err, st.times)
	}
}
