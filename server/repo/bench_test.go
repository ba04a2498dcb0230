package repo

import (
	"runtime"
	"testing"

	"trio/crdt"
	"trio/crdt/automerge"
	"trio/server/store"
)

// large stores a log of n entries, one change each, partly folded.
func large(b *testing.B, n int) (*place, func() store.Item) {
	p := newPlace(b)
	a := p.author(1)
	for range n / 1000 {
		var items []store.Item
		for range 1000 {
			items = append(items, a.Tap(1))
		}
		p.stored(items...)
	}
	_, err := p.st.Compact(b.Context(), p.dev.Member, 1)
	p.must(err)
	return p, func() store.Item { return a.Tap(1) }
}

// BenchmarkOpen opens a document of 20,000 changes that nobody has open.
func BenchmarkOpen(b *testing.B) {
	const n = 20_000
	p, _ := large(b, n)
	var before, after runtime.MemStats
	for b.Loop() {
		runtime.GC()
		runtime.ReadMemStats(&before)
		book := NewBook(p.st, p.dev.Member)
		d, err := book.take(b.Context(), "log-2026-11")
		p.must(err)
		runtime.GC()
		runtime.ReadMemStats(&after)
		if d.graph.Len() != n {
			b.Fatal(d.graph.Len())
		}
		runtime.KeepAlive(book)
	}
	b.ReportMetric(float64(int64(after.HeapAlloc)-int64(before.HeapAlloc))/n, "B/change-held")
}

// BenchmarkPass is a change of a document of 20,000 until it is the bytes of a message for a client that has the others,
// and the client's answer is worked in; the store's own work is not counted.
func BenchmarkPass(b *testing.B) {
	p, tap := large(b, 20_000)
	c := p.client("a")
	id := formatID(crdt.DocName("log-2026-11").DocumentID(p.dev.Member))
	c.settle(id)
	for b.Loop() {
		b.StopTimer()
		p.stored(tap())
		b.StartTimer()
		out, err := c.Next(b.Context())
		p.must(err)
		b.StopTimer()
		m, err := decode(out)
		p.must(err)
		msg, err := automerge.ParseSyncMessage(m.Data)
		p.must(err)
		h := c.half(id)
		p.must(h.sync.Receive(&h.graph, msg, func(x *automerge.Change) error {
			c.hold(id, x)
			return nil
		}))
		back, err := h.sync.Generate(&h.graph, func(x automerge.Hash) ([]byte, error) { return h.raw[x], nil })
		p.must(err)
		frame := (&message{Type: kindSync, Sender: "a", Target: "server", Doc: id, Data: back.Append(nil)}).encode()
		b.StartTimer()
		if _, err := c.Receive(b.Context(), frame); err != nil {
			b.Fatal(err)
		}
		if out, err = c.Next(b.Context()); out != nil || err != nil {
			b.Fatalf("%d bytes, %v", len(out), err)
		}
	}
}
