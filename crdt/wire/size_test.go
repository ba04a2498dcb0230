package wire

import "testing"

// The sizes that a bundle has to keep; the samples are what devices write. Pages are what a server sends at once: what is
// named in one has to be named again in the next.
func TestSize(t *testing.T) {
	for _, x := range []struct {
		name  string
		items []Item
		page  int
		limit int
	}{
		{"one entry", entries200(t)[199:], 1, 300},
		{"200 entries", entries200(t), 200, 5_000},
		{"200 field edits", edits200(t), 200, 4_000},
		{"first pull, pages of 1000", firstPull(t), 1000, 170_000},
		{"first pull, pages of 4000", firstPull(t), 4000, 145_000},
	} {
		size, chunks := 0, 0
		for i, items := range pages(x.items, x.page) {
			n := len(encoded(t, &Push{ID: uint64(i), Items: items}))
			size += n
			t.Logf("%s: frame %d: %d", x.name, i, n)
		}
		for _, it := range x.items {
			chunks += len(it.Change.Raw())
		}
		t.Logf("%s: %d bytes on the wire for %d bytes of changes", x.name, size, chunks)
		if size > x.limit {
			t.Errorf("%s: %d bytes: want at most %d", x.name, size, x.limit)
		}
	}
}
