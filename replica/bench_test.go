package replica_test

import (
	"fmt"
	"testing"

	"trio/crdt"
	"trio/ranking"
	"trio/replica"
	"trio/replica/importer"
)

// BenchmarkTap is one logged call on a device with a book: from the command to the disk.
func BenchmarkTap(b *testing.B) {
	for _, n := range []int{500, 5000} {
		b.Run(fmt.Sprintf("contacts=%d", n), func(b *testing.B) {
			r := open(b, replica.Config{})
			ids := fill(b, r, n)
			b.ResetTimer()
			for i := range b.N {
				if _, err := r.Log(b.Context(), crdt.Entry{Kind: crdt.Call, Contact: ids[i%len(ids)], Outcome: "answered"}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkTopThree is what a screen waits for after a tap: both lists, with names and wording.
func BenchmarkTopThree(b *testing.B) {
	r := open(b, replica.Config{})
	fill(b, r, 5000)
	b.ResetTimer()
	for range b.N {
		for _, l := range []ranking.List{ranking.Prospects, ranking.Members} {
			if _, err := r.TopThree(b.Context(), l, "en"); err != nil {
				b.Fatal(err)
			}
		}
	}
}

// BenchmarkSearch is one keystroke in a book of 5,000.
func BenchmarkSearch(b *testing.B) {
	r := open(b, replica.Config{})
	fill(b, r, 5000)
	b.ResetTimer()
	for range b.N {
		if _, err := r.Contacts(b.Context(), "contact 49", 0, 30); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkOpen is a cold start up to the first list.
func BenchmarkOpen(b *testing.B) {
	path := b.TempDir() + "/r.db"
	r := open(b, replica.Config{Path: path})
	fill(b, r, 5000)
	cfg := replica.Config{Path: path, Member: r.Member(), Device: r.Device()}
	r.Close()
	b.ResetTimer()
	for range b.N {
		r, err := replica.Open(b.Context(), cfg)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := r.TopThree(b.Context(), ranking.Prospects, "en"); err != nil {
			b.Fatal(err)
		}
		r.Close()
	}
}

func fill(b *testing.B, r *replica.Replica, n int) (ids []crdt.ContactID) {
	people := make([]importer.Person, n)
	for i := range people {
		people[i] = importer.Person{
			Key: fmt.Sprintf("id:%d", i), Name: fmt.Sprintf("Contact %d", i), Stage: crdt.Stages[i%3],
			Phones: []importer.Phone{{Number: fmt.Sprintf("+1555%07d", i), Label: "mobile"}},
		}
		ids = append(ids, crdt.SourceContactID(r.Member(), people[i].Key))
	}
	if _, err := r.ImportPeople(b.Context(), people); err != nil {
		b.Fatal(err)
	}
	return ids
}
