package sim_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"trio/clients/corporate"
	"trio/clients/sim"
	"trio/clients/sim/gen"
	"trio/crdt"
	"trio/replica/importer"
	"trio/server"
	"trio/server/board"
	"trio/server/store"
)

// today is the day of the demos, so that what they print is the same every day.
var today = time.Date(2026, 11, 20, 15, 30, 0, 0, time.UTC)

// play runs a demo against a server of its own and returns what it printed and who played the event.
func play(t *testing.T, set func(*sim.Demo)) (out string, first, player crdt.MemberID) {
	t.Helper()
	ctx := t.Context()
	st, err := store.Open(ctx, store.Config{Path: filepath.Join(t.TempDir(), "trio.db")})
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	var offset atomic.Int64
	offset.Store(int64(time.Until(today)))
	now := func() time.Time { return time.Now().Add(time.Duration(offset.Load())) }
	boards := &board.Boards{Store: st, Now: now}
	srv := server.New(server.Config{Store: st, Log: slog.New(slog.DiscardHandler), Now: now, Boards: boards})
	web := httptest.NewServer(srv)
	defer web.Close()
	defer srv.Shutdown(context.Background()) //nolint:errcheck // the test is over
	tenant, err := st.CreateTenant(ctx, "Demo")
	if err != nil {
		t.Fatal(err)
	}
	_, key, err := st.CreateAPIKey(ctx, tenant, "corporate", store.ScopeFeed)
	if err != nil {
		t.Fatal(err)
	}
	names := make(chan crdt.MemberID, 100)
	var buf bytes.Buffer
	d := sim.Demo{
		Out: &buf, Dir: t.TempDir(), Seed: 7, Feed: corporate.Client{URL: web.URL, Key: key}, Now: now,
		SetClock: func(to time.Time) { offset.Store(int64(time.Until(to))) },
		Look: func(ctx context.Context) error {
			_, err := boards.Fold(ctx, tenant)
			return err
		},
		Enrol: func(ctx context.Context, member string, sponsor crdt.MemberID, devices ...string) (as []sim.Access, err error) {
			m, err := st.CreateMember(ctx, store.Member{Tenant: tenant, Name: member, Sponsor: sponsor})
			if err != nil {
				return nil, err
			}
			if member == "Promoter-1" {
				names <- m
			}
			for _, name := range devices {
				dev, token, err := st.CreateDevice(ctx, m, name)
				if err != nil {
					return nil, err
				}
				as = append(as, sim.Access{URL: "ws" + strings.TrimPrefix(web.URL, "http") + "/v1/sync", Token: token, Member: m, Device: dev.ID})
			}
			return as, nil
		},
	}
	set(&d)
	player, err = d.Run(ctx)
	out = buf.String()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	select {
	case first = <-names:
	default:
	}
	// The records of the feed are JSON; all else is for people.
	told, _, _ := strings.Cut(out, "CORPORATE PULLS")
	for _, bad := range []string{"{", "}", "%!", " 1 changes", " 1 contacts", " 1 orders", " 1 promoters", "_"} {
		if strings.Contains(told, bad) {
			t.Errorf("%q is printed", bad)
		}
	}
	for _, want := range []string{"   PROSPECTS\n", "   MEMBERS\n", "word for word", "Level after", "kept \"met at the fair", "records, each once"} {
		if !strings.Contains(out, want) {
			t.Errorf("%q is not printed", want)
		}
	}
	if t.Failed() {
		t.Log(out)
	}
	return out, first, player
}

func has(t *testing.T, out string, want ...string) {
	t.Helper()
	for _, w := range want {
		if !regexp.MustCompile(w).MatchString(out) {
			t.Errorf("nothing is like %q in:\n%s", w, out)
		}
	}
}

func TestDemoMadeUp(t *testing.T) {
	size := gen.Demo
	if testing.Short() { // three times as slow under the race detector, which has seen it all by then
		size.Members = 5
	}
	out, _, player := play(t, func(d *sim.Demo) { d.Members = size.Members })
	if player == (crdt.MemberID{}) {
		t.Error("nobody played the event")
	}
	has(t, out, `236 contacts, 486 orders`, `Text Tilda while the interest is fresh`, `Call Yusuf about the first steps`, `The laptop shows the same six, word for word`, `phone +received 4 entries of the log`,
		`laptop +received 4 contacts, new or changed`, `Goals of today: outreach \d+ of 5, follow-ups 2 of 5, 0 of 10 minutes of learning, 0 of 1 shares\.`,
		`1033 records, each once: .*order 486, .*site\.visited 1, .*suggestion 2, .*webinar\.joined 23`)
	// Those whom Rosa sponsors are there, those below them are not, and a board of the company has all; what each did stands in the log.
	team, boards, _ := strings.Cut(out[strings.Index(out, "6  THE TEAM"):], "\n\n")
	for i, name := range gen.NewCompany(7, size, today).Members {
		if below := i >= 1 && i <= 3; strings.Contains(team, "\n   "+name.Name+" ") != below {
			t.Errorf("%s in the team: want %v\n%s", name.Name, below, team)
		}
		if first := strings.Fields(name.Name)[0]; !strings.Contains(boards, " "+first+" ") {
			t.Errorf("%s is on no board\n%s", first, boards)
		}
	}
	has(t, out, `   \S.* (\d/7 ){5}\d/\d  minutes of learning \d+/\d+, shares \d+/\d+`, `SHARES · company · week`, `\d  Rosa W\. ←`, `STREAK  \d+ goal days in a row`,
		`“2 days a week then, \d days a week (four|five) weeks later, great work”`)
	if n := strings.Count(out, "received"); n != 3 {
		t.Errorf("%d lines of what was received, want 3: what came before the event is no news\n%s", n, out)
	}
}

// write makes a file for a demo to read.
func write(t *testing.T, name string, content []byte) string {
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestDemoOrders plays 250 customers of an export of orders: three promoters, of whom two are worked on side by side.
func TestDemoOrders(t *testing.T) {
	if testing.Short() {
		t.Skip("the other demos run the same at once; without -short it runs")
	}
	var orders []importer.Order
	for i := range 250 {
		who := &importer.Person{Name: fmt.Sprintf("Zoe Customer%d", i), Phones: []importer.Phone{{Number: fmt.Sprintf("+1212555%04d", i)}}}
		for k := range 3 {
			orders = append(orders, importer.Order{
				Key: fmt.Sprintf("id:%d-%d", i, k), Customer: fmt.Sprint("c", i), Person: who, At: today.AddDate(0, 0, -1-i%40-30*k), DateOnly: true,
				Cents: 4990, Currency: "EUR", Units: 1,
			})
		}
	}
	future := orders[0]
	future.Key, future.At = "id:future", today.AddDate(1, 0, 0)
	var file bytes.Buffer
	if err := gen.WriteOrdersCSV(&file, append(orders, future)); err != nil {
		t.Fatal(err)
	}
	path := write(t, "orders.csv", file.Bytes())
	out, first, player := play(t, func(d *sim.Demo) { d.Orders = path })
	if player != first {
		t.Errorf("%s played the event, want the first promoter, %s", player, first)
	}
	has(t, out, `line 752: date ".*" is in the future; left out`, `750 orders and 0 contacts in the files, dealt out to 3 promoters of 100`,
		`250 contacts and 750 orders are in the books`, `all 2 other promoters show the same two lists`, `prospects: nobody needs anything today`,
		`members: \d of 2 lists hold a full three`, `× a refill is due`, `both +edit Zoe Customer`, `75\d records, each once: .*order 750`)
	if strings.Contains(out, "more than once") || strings.Contains(out, "Left out") {
		t.Errorf("counts of nothing are printed:\n%s", out)
	}
}

// TestDemoContacts plays a book without orders, whose names all come behind those that the phone captures, so that only
// the phone knows the first of the book at the end.
func TestDemoContacts(t *testing.T) {
	path := write(t, "contacts.csv", []byte("Name,Phone\nMara Stone,612 345 678\nZoe Quinn,612 345 679\n"))
	out, _, _ := play(t, func(d *sim.Demo) { d.Contacts, d.CallingCode = path, "+34" })
	has(t, out, `0 orders and 2 contacts in the files, dealt out to 1 promoter of 100`, `both +edit Mara Stone`,
		`The laptop shows the same( one| two| three| four| five), word for word`)
	if strings.Contains(out, "calling code") || strings.Contains(out, "other promoter") {
		t.Errorf("printed:\n%s", out)
	}
}
