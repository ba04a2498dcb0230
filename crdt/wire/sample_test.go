package wire

import (
	"testing"

	"trio/crdt/crdttest"
)

// book makes the changes of a member as devices do.
type book struct{ *crdttest.Book }

func newBook(tb testing.TB, seed uint64, devices int) *book {
	return &book{crdttest.NewBook(tb, seed, devices)}
}

// items returns what was written.
func (b *book) items() (list []Item) {
	for _, it := range b.Items {
		list = append(list, Item(it))
	}
	return list
}

// firstPull is a whole book: 2,000 contacts of 8 fields, 100 contacts a change, and 5,000 entries, one change each.
func firstPull(tb testing.TB) []Item {
	b := newBook(tb, 7, 2)
	b.FirstPull()
	return b.items()
}

// pages cuts items as a server does.
func pages(items []Item, n int) (list [][]Item) {
	for len(items) > 0 {
		n := min(n, len(items))
		list = append(list, items[:n])
		items = items[n:]
	}
	return list
}

func encoded(tb testing.TB, f Frame) []byte {
	tb.Helper()
	b, err := Encode(f)
	if err != nil {
		tb.Fatal(err)
	}
	return b
}

func entries200(tb testing.TB) []Item {
	b := newBook(tb, 1, 2)
	b.Entries(200, 4, b.Contacts(60))
	return b.items()
}

func edits200(tb testing.TB) []Item {
	b := newBook(tb, 2, 2)
	contacts := b.Contacts(60)
	b.Edits(300, contacts)
	return b.items()[100:] // of a book that has been edited before
}
