package replica_test

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"trio/crdt"
	"trio/ranking"
	"trio/replica"
	"trio/replica/importer"
)

// TestGoldenThree holds what a device shows of a seeded book, day by day, to one digest, natively and in a browser, on any machine: the
// facts that were folded in SQLite, the three with all their numbers, and today's goals.
func TestGoldenThree(t *testing.T) {
	const want = "c6affe133aa0644feb08990b3b14b10b83e968a98215cac41354e1fae7eed549"
	ctx := t.Context()
	rng := rand.New(rand.NewPCG(7, 3))
	c := &clock{time.Date(2026, 9, 1, 8, 0, 0, 0, time.UTC)}
	r := open(t, replica.Config{Member: crdt.MemberID{1}, Device: crdt.DeviceID{2}, Now: c.now})
	ok(t, r.SetProfile(ctx, crdt.ProfileZone, "Europe/Madrid"))
	ok(t, r.SetProfile(ctx, crdt.ProfileName, "Maya"))
	ok(t, r.Commit(ctx, crdt.GoalOutreach, 2))
	var people []importer.Person
	for i := range 60 {
		people = append(people, importer.Person{
			Key: fmt.Sprint("p", i), Name: fmt.Sprintf("Na%c%c Last", 'a'+i%26, 'a'+i/26),
			Phones: []importer.Phone{{Number: fmt.Sprintf("+346000000%02d", i), Label: "mobile"}},
		})
	}
	_, err := r.ImportPeople(ctx, people)
	ok(t, err)
	var orders []importer.Order
	for i := range 20 {
		for day := 150 + i; day > 10; day -= 20 + rng.IntN(30) {
			orders = append(orders, importer.Order{
				Key: fmt.Sprint("o", i, "-", day), PersonKey: fmt.Sprint("p", i), Customer: people[i].Name, At: c.t.AddDate(0, 0, -day), DateOnly: true,
				Cents: int64(2000 + rng.IntN(5000)), Currency: "EUR",
			})
		}
	}
	_, err = r.ImportOrders(ctx, orders)
	ok(t, err)
	id := func(i int) crdt.ContactID { return crdt.SourceContactID(r.Member(), fmt.Sprint("p", i)) }
	key := 0
	next := func() string { key++; return fmt.Sprint("k", key) }
	kinds := []crdt.Kind{crdt.FormSubmitted, crdt.Watched, crdt.Clicked, crdt.WebinarAttended, crdt.Order}
	var said strings.Builder
	for range 40 {
		for range 3 {
			e := crdt.Entry{Kind: kinds[rng.IntN(len(kinds))], Contact: id(20 + rng.IntN(40)), Evidence: crdt.E3}
			_, err := r.LogOnce(ctx, next(), e)
			ok(t, err)
			c.t = c.t.Add(time.Minute)
		}
		for _, l := range []ranking.List{ranking.Prospects, ranking.Members} {
			three, err := r.TopThree(ctx, l, "en")
			ok(t, err)
			for i := range three {
				s := &three[i]
				fmt.Fprintf(&said, "%s %s %v\n", c.t.Format(time.DateOnly), s.First, s.Suggestion)
				if rng.IntN(2) == 0 {
					_, err := r.ActOnce(ctx, next(), *s, ranking.Outcome(rng.IntN(int(ranking.Moved))))
					ok(t, err)
					c.t = c.t.Add(time.Minute)
				}
			}
		}
		goals, err := r.GoalsToday(ctx)
		ok(t, err)
		fmt.Fprintf(&said, "%v\n", goals)
		c.t = c.t.AddDate(0, 0, 1)
	}
	sum := sha256.Sum256([]byte(said.String()))
	if got := hex.EncodeToString(sum[:]); got != want {
		t.Errorf("the three of this book have the digest %s, want %s: if that is meant, write it here", got, want)
	}
}
