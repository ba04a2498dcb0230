package importer

import (
	"strings"
	"testing"
	"time"
)

func TestNoRows(t *testing.T) {
	for _, csv := range []string{"", "order_id,customer_id,date,amount\n", "order_id;customer_id;date;amount", "when,who,worth\n\n"} {
		if _, _, err := ReadOrders(strings.NewReader(csv), Options{}); err == nil || !strings.Contains(err.Error(), "the file has no rows: ") {
			t.Errorf("orders %q: %v", csv, err)
		}
	}
	for _, csv := range []string{"", "Name,Phone\n"} {
		if _, _, err := ReadContactsCSV(strings.NewReader(csv), Options{}); err == nil || !strings.Contains(err.Error(), "the file has no rows: ") {
			t.Errorf("contacts %q: %v", csv, err)
		}
	}
}

func TestOrdersOfTheFuture(t *testing.T) {
	const csv = "customer,date,amount\nc1,2026-01-05,10.00\nc1,2026-01-08,10.00\nc1,2027-01-08,10.00\n"
	latest := time.Date(2026, 1, 7, 0, 0, 0, 0, time.UTC)
	for _, tt := range []struct {
		latest           time.Time
		orders, problems int
	}{{time.Time{}, 3, 0}, {latest, 1, 2}, {latest.AddDate(0, 0, 2), 2, 1}} {
		orders, problems, err := ReadOrders(strings.NewReader(csv), Options{Latest: tt.latest})
		if err != nil || len(orders) != tt.orders || len(problems) != tt.problems {
			t.Errorf("until %s: %d orders, %v, %v", tt.latest, len(orders), problems, err)
		}
		if tt.problems > 0 && !strings.Contains(problems[tt.problems-1].String(), `line 4: date "2027-01-08" is in the future; left out`) {
			t.Errorf("problems are %v", problems)
		}
	}
}

func TestTally(t *testing.T) {
	const sort = "more: [row has|rows have] no customer; [was|were] left out"
	var p problems
	for n := range 3 {
		p.tally(sort, n)
	}
	p.tally("plain", 7)
	want := []Problem{{0, "1 more: row has no customer; was left out"}, {0, "2 more: rows have no customer; were left out"}, {0, "7 plain"}}
	if len(p.list) != len(want) {
		t.Fatalf("got %v", p.list)
	}
	for i := range want {
		if p.list[i] != want[i] {
			t.Errorf("got %q, want %q", p.list[i], want[i])
		}
	}
}
