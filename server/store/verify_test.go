package store_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"modernc.org/sqlite"

	"trio/crdt"
	"trio/crdt/automerge"
	"trio/server/intake"
	"trio/server/store"
	"trio/server/store/storetest"
)

// look verifies a database and returns what is wrong with it, a line each.
func look(t testing.TB, path string) (store.Verified, []string, error) {
	t.Helper()
	var lines []string
	s, err := store.Verify{
		Path: path, Workers: 2, Project: intake.Project,
		Problem: func(p store.Problem) { lines = append(lines, p.String()) },
	}.Run(t.Context())
	if err == nil && s.Problems != len(lines) {
		t.Errorf("%d lines, %d problems", len(lines), s.Problems)
	}
	return s, lines, err
}

// verifiable makes a database of two members with documents of several writers, segments and single changes, and closes it.
func verifiable(t testing.TB, path string) []store.Device {
	t.Helper()
	st, err := store.Open(t.Context(), store.Config{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	load, err := storetest.NewLoad(t.Context(), st, 2, 2, 1)
	if err != nil {
		t.Fatal(err)
	}
	devices := load.Devices()
	for i := range 3 {
		rnd := rand.New(rand.NewPCG(uint64(i), 9))
		for j, d := range devices {
			a, b := storetest.NewAuthor(d, uint32(10*i+1), rnd), storetest.NewAuthor(d, uint32(10*i+2), rnd)
			for k := range 12 {
				x, y := a.Tap(1), b.Edit(3)
				items := []store.Item{x, y}
				if k%3 == j%3 {
					b.See(x.Doc, x.Change)
					items = append(items, b.Tap(1))
					a.See(items[2].Doc, items[2].Change)
				}
				if ack, err := st.Append(t.Context(), d.Member, items); err != nil || ack.New != len(items) {
					t.Fatal(ack, err)
				}
			}
			if i < 2 {
				if _, err := st.Compact(t.Context(), d.Member, 1); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	// A crowd of writers in the log of both members.
	for i := range 12 {
		for _, d := range devices {
			if _, err := st.Append(t.Context(), d.Member, []store.Item{storetest.NewAuthor(d, uint32(500+i), rand.New(rand.NewPCG(uint64(i), 11))).Tap(1)}); err != nil {
				t.Fatal(err)
			}
		}
	}
	lost, _, err := st.CreateDevice(t.Context(), devices[0].Member, "lost")
	if err == nil {
		err = st.RevokeDevice(t.Context(), lost.ID)
	}
	if err == nil {
		err = st.Park(t.Context(), lost.ID, []store.Item{storetest.NewAuthor(lost, 1, rand.New(rand.NewPCG(3, 9))).Tap(1)})
	}
	if err == nil {
		doc := bytes.Repeat([]byte("a refill, "), 100)
		_, err = st.PublishPlaybook(t.Context(), store.Playbook{Tenant: devices[0].Tenant, Version: 1, Hash: sha256.Sum256(doc), By: "Ann", Doc: doc}, 0)
	}
	if err := errors.Join(err, st.Close()); err != nil {
		t.Fatal(err)
	}
	return devices
}

func copyOf(t testing.TB, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	into := filepath.Join(t.TempDir(), "copy.db")
	if err := os.WriteFile(into, b, 0o600); err != nil {
		t.Fatal(err)
	}
	return into
}

func init() {
	sqlite.MustRegisterDeterministicScalarFunction("flip", 2, func(_ *sqlite.FunctionContext, args []driver.Value) (driver.Value, error) {
		b := slices.Clone(args[0].([]byte))
		b[args[1].(int64)] ^= 0xff
		return b, nil
	})
}

// TestVerify damages a database in every way that verify looks for, and wants to hear of it.
func TestVerify(t *testing.T) {
	path := filepath.Join(t.TempDir(), "trio.db")
	devices := verifiable(t, path)
	s, lines, err := look(t, path)
	if err != nil || len(lines) > 0 {
		t.Fatalf("%v, %q", err, lines)
	}
	if s.Members != 2 || s.Of != 2 || s.Documents != 4 || s.Changes < 300 || s.Segments != 2 || s.Bytes == 0 || s.Records < 100 {
		t.Errorf("%+v", s)
	}
	member := devices[0].Member.String()
	// Of the first member: a change that stands by itself, in the contacts and in the log, and the last one.
	const (
		one   = "(SELECT id FROM changes WHERE doc = (SELECT id FROM docs WHERE name = 'contacts') ORDER BY id LIMIT 1 OFFSET 3)"
		last  = "(SELECT max(id) FROM changes WHERE id >> 32 = 1)"
		where = " WHERE id = " + one
		seg   = " WHERE id = (SELECT min(id) FROM segments)"
		wr    = " WHERE member = 1 AND doc = (SELECT id FROM docs WHERE name = 'contacts') AND actor = (SELECT min(actor) FROM writers WHERE member = 1 AND doc = (SELECT id FROM docs WHERE name = 'contacts'))"
		rec   = " WHERE pos = (SELECT pos FROM feed WHERE member = 1 LIMIT 1 OFFSET 7)"
	)
	// flip stands for a blob with the bits of one byte turned.
	flip := func(column string, at int) string { return fmt.Sprintf("flip(%s, %d)", column, at) }
	for _, tt := range []struct {
		name, damage string
		want         []string
	}{
		{"chunk", "UPDATE changes SET data = " + flip("data", 30) + where, []string{member, "contacts: change ", "its bytes"}},
		{"start of a chunk", "UPDATE changes SET data = " + flip("data", 0) + where, []string{member, "contacts: change ", "its bytes are damaged"}},
		{"chunk cut short", "UPDATE changes SET data = substr(data, 1, 20)" + where, []string{"contacts: change ", "its bytes are damaged"}},
		{"no chunk", "UPDATE changes SET data = x''" + where, []string{"contacts: change ", "its bytes are damaged"}},
		{"hash", "UPDATE changes SET hash = " + flip("hash", 3) + where, []string{"its bytes have hash", "stored is"}},
		{"short hash", "UPDATE changes SET hash = x'00'" + where, []string{"its bytes have hash", "stored is 00"}},
		{"chain", "UPDATE changes SET chain = " + flip("chain", 3) + where, []string{"it has chain", "lead to"}},
		{"size", "UPDATE changes SET size = size + 1" + where, []string{"its bytes are damaged"}},
		{"negative size", "UPDATE changes SET size = -5" + where, []string{"stored is a length of -5"}},
		{"huge size", "UPDATE changes SET size = 1 << 40" + where, []string{"its bytes are damaged"}},
		{"operations", "UPDATE changes SET maxop = maxop + 1" + where, []string{"its operations go up to"}},
		{"whole", "UPDATE changes SET whole = 1 - whole" + where, []string{"it builds on all before it", "stored is the contrary"}},
		{"mark", "UPDATE changes SET actor = actor + 1" + where, []string{"it is not found by its writer"}},
		{"document", "UPDATE changes SET doc = (SELECT id FROM docs WHERE name LIKE 'log%')" + where, []string{"log-2026-11: change "}},
		{"document that is not there", "UPDATE changes SET doc = 99" + where, []string{"document number 99, which is not there"}},
		{"name of a document", "UPDATE docs SET name = 'log-2026-12' WHERE name LIKE 'log%'", []string{"log-2026-11: change 1: the document has no number"}},
		{"a change is gone", "DELETE FROM changes" + where, []string{"it follows change"}},
		{"the last change is gone", "DELETE FROM changes WHERE id = " + last, []string{"there are changes up to", "the member's row says"}},
		{"rows are swapped", "UPDATE changes SET id = -1 WHERE id = " + last + "; UPDATE changes SET id = id + 1 WHERE id = " + last +
			"; UPDATE changes SET id = " + last + " - 1 WHERE id = -1", []string{member, "it has chain", "lead to"}},
		{"contents are swapped", "UPDATE changes SET (hash, data, size, doc, maxop, actor, whole) = (SELECT hash, data, size, doc, maxop, actor, whole FROM changes c WHERE c.id = changes.id + 1)" + where, []string{"lead to"}},
		{"head's chain", "UPDATE members SET chain = zeroblob(16) WHERE id = 1", []string{"the member's row has chain 0000"}},
		{"head's number", "UPDATE members SET seq = seq - 1 WHERE id = 1", []string{"there are changes up to", "the member's row says"}},
		{"folded", "UPDATE members SET folded = folded - 1 WHERE id = 1", []string{"segments go up to change", "the member's row says"}},
		{"writer's number", "UPDATE writers SET seq = seq + 1" + wr, []string{member + ": contacts: change ", "the table of writers has number"}},
		{"writer's operation", "UPDATE writers SET maxop = maxop + 1" + wr, []string{"the table of writers has number"}},
		{"writer's last change", "UPDATE writers SET last = zeroblob(32)" + wr, []string{"the table of writers has number", "change 000000000000"}},
		{"writer's place", "UPDATE writers SET at = at - 1" + wr, []string{"the table of writers has number"}},
		{"writer's head", "UPDATE writers SET head = 1 - (head > 0)" + wr, []string{"the table of writers has number"}},
		{"writer's whole", "UPDATE writers SET whole = 1 - whole" + wr, []string{"the table of writers has number"}},
		{"a writer is gone", "DELETE FROM writers" + wr, []string{"is not in the table of writers"}},
		{"a writer too many", "INSERT INTO writers SELECT member, doc, zeroblob(20), seq, maxop, last, head, at, whole FROM writers" + wr, []string{"has written nothing there"}},
		{"segment", "UPDATE segments SET data = " + flip("data", 200) + seg, []string{member + ": segment 1 to ", "is damaged"}},
		{"form of a segment", "UPDATE segments SET data = " + flip("data", 0) + seg, []string{member, "segment"}},
		{"no segment", "UPDATE segments SET data = x''" + seg, []string{"segment of form 0"}},
		{"segment's chain", "UPDATE segments SET chain = zeroblob(16)" + seg, []string{"is damaged", "do not lead"}},
		{"segment's start", "UPDATE segments SET before = randomblob(16)" + seg, []string{"segment 1 to ", "begins at chain"}},
		{"segment's place", "UPDATE segments SET after = after + 1" + seg, []string{"does not follow change 0"}},
		{"segment's marks", "UPDATE segments SET marks = " + flip("marks", 17) + seg, []string{"change 3: it is not found by its hash"}},
		{"segment's marks cut", "UPDATE segments SET marks = x''" + seg, []string{"is damaged"}},
		{"segment's spans", "UPDATE segments SET spans = " + flip("spans", 3) + seg, []string{"says wrongly whose operations"}},
		{"segment's partial", "UPDATE segments SET partial = x'ffff01'" + seg, []string{"says wrongly which of its changes build on all"}},
		{"a segment is gone", "DELETE FROM segments" + seg, []string{member, "change"}},
		{"body of a record", "UPDATE feed SET body = replace(body, '\"v\":1', '\"v\":2')" + rec, []string{member + ": change ", "is not what entry", "says"}},
		{"entry of a record", "UPDATE feed SET entry = randomblob(16)" + rec, []string{"which no change logs"}},
		{"device of a record", "UPDATE feed SET device = zeroblob(16)" + rec, []string{"says that device 00000000-0000-0000-0000-000000000000 wrote entry"}},
		{"company of a record", "UPDATE feed SET tenant = 77" + rec, []string{"is another company's"}},
		{"a record is gone", "DELETE FROM feed" + rec, []string{"is not in the feed: corporate has not heard of it"}},
		{"a record too many", "INSERT INTO feed (tenant, member, entry, device, arrived, body) SELECT tenant, member, randomblob(16), device, arrived, body FROM feed" + rec, []string{"which no change logs"}},
		{"a record of nobody", "UPDATE feed SET member = 77" + rec, []string{"is of a member with number 77, who is not there", "corporate has not heard of it"}},
		{"bodies are swapped", "UPDATE feed SET body = (SELECT body FROM feed f WHERE f.pos = feed.pos + 1)" + rec, []string{"is not what entry"}},
		{"positions again", "UPDATE sqlite_sequence SET seq = 1 WHERE name = 'feed'", []string{"the feed has a record at", "would give out 2 next"}},
		{"a member is gone", "PRAGMA foreign_keys = OFF; DELETE FROM members WHERE id = 1", []string{"of a member with number 1, who is not there", "names a row of members that is not there"}},
		{"member of no company", "PRAGMA foreign_keys = OFF; UPDATE members SET tenant = 99 WHERE id = 1", []string{"members 1 names a row of tenants that is not there"}},
		{"bytes of a member", "UPDATE members SET bytes = bytes + 1 WHERE id = 1", []string{member + ": its changes have", "its quota is counted wrongly"}},
		{"devices of a member", "UPDATE members SET devices = devices + 1 WHERE id = 1", []string{"member 1 in its order of making: its devices"}},
		{"members of a company", "UPDATE tenants SET members = 9", []string{"company 1: its members or devices are counted wrongly"}},
		{"bytes of a playbook", "UPDATE playbooks SET data = " + flip("data", 30), []string{"company 1: playbook 1 is not what was published"}},
		{"size of a playbook", "UPDATE playbooks SET size = 1 << 40", []string{"company 1: playbook 1 is not what was published"}},
		{"hash of a playbook", "UPDATE playbooks SET hash = " + flip("hash", 3), []string{"company 1: playbook 1 is not what was published"}},
		{"versions of playbooks", "UPDATE tenants SET playbook_taken = 0", []string{"company 1: its playbooks go further"}},
		{"kept of a device", "UPDATE devices SET kept = 5 WHERE id = 1", []string{"device with number 1: what is kept of it is counted wrongly"}},
		{"kept change", "UPDATE parked SET data = " + flip("data", 30), []string{member + ": log-2026-11: kept change 1 of a revoked device: its bytes"}},
		{"hash of a kept change", "UPDATE parked SET hash = " + flip("hash", 3), []string{"kept change 1 of a revoked device: its bytes have hash"}},
		{"count of a crowd", "UPDATE crowds SET writers = writers + 1 WHERE member = 1", []string{"it counts as one of", "its changes say"}},
		{"heads of a crowd", "UPDATE crowds SET heads = heads + 1 WHERE member = 1", []string{"it counts as one of", "its changes say"}},
		{"a count is gone", "DELETE FROM crowds WHERE member = 1", []string{"the count of its", "writers is lost"}},
		{"a count too many", "INSERT INTO crowds SELECT 1, id, 20, 1, 5 FROM docs WHERE name = 'contacts'", []string{"contacts: it counts as one of 20 writers"}},
		{"one of a crowd", "UPDATE writers SET head = 1 WHERE head = 2 AND member = 1", []string{"as one of a crowd: true, stored is the contrary"}},
		{"a fold of what is not there", "INSERT INTO folds SELECT 1, tenant, id, seq + 1, zeroblob(16), x'' FROM members WHERE id = 1", []string{"the fold of the member with number 1 was read up to change"}},
		{"another's subscription", "INSERT INTO subscriptions SELECT id, 3 - member, 'https://push.example.net/1', x'00', x'00', 1, 0 FROM devices WHERE id = 1; INSERT INTO reminders SELECT member, 0, 0, 0, 0 FROM subscriptions", []string{"is another member's than the device"}},
		{"subscription without a reminder", "INSERT INTO subscriptions SELECT id, member, 'https://push.example.net/1', x'00', x'00', 1, 0 FROM devices WHERE id = 1", []string{"has subscriptions without a reminder"}},
		{"reminder without a subscription", "INSERT INTO reminders VALUES (2, 0, 0, 0, 0)", []string{"or a reminder without subscriptions"}},
		{"epoch", "DELETE FROM meta WHERE key = 'epoch'", []string{"has lost its epoch"}},
		{"index", "PRAGMA writable_schema = ON; UPDATE sqlite_schema SET sql = 'CREATE INDEX feed_tenant ON feed (device)' WHERE name = 'feed_tenant'", []string{"SQLite finds the file damaged"}},
	} {
		if testing.Short() && rand.IntN(4) > 0 {
			continue // another day
		}
		t.Run(tt.name, func(t *testing.T) {
			copied := copyOf(t, path)
			db, err := sql.Open("sqlite", copied)
			if err != nil {
				t.Fatal(err)
			}
			db.SetMaxOpenConns(1)
			if _, err := db.Exec(tt.damage); err != nil {
				t.Fatal(err)
			}
			if err := db.Close(); err != nil {
				t.Fatal(err)
			}
			_, lines, err := look(t, copied)
			if err != nil {
				t.Fatal(err)
			}
			all := strings.Join(lines, "\n")
			if len(lines) == 0 || len(lines) > 60 {
				t.Errorf("%d lines: %s", len(lines), all)
			}
			for _, want := range tt.want {
				if !strings.Contains(all, want) {
					t.Errorf("%q is not in: %s", want, all)
				}
			}
			// The other member is none of it, but for what is of all.
			if other := devices[2].Member.String(); strings.Contains(all, other) && !strings.Contains(tt.name, "document") {
				t.Errorf("the other member is named: %s", all)
			}
		})
	}
}

// TestVerifyFlips: whatever bits of the file are turned, verify ends and says so or not, and the store does not end the
// process either.
func TestVerifyFlips(t *testing.T) {
	path := filepath.Join(t.TempDir(), "trio.db")
	devices := verifiable(t, path)
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	seed := rand.Uint64()
	rnd := rand.New(rand.NewPCG(seed, 1))
	defer func() {
		if t.Failed() || recover() != nil {
			t.Errorf("seed %d", seed)
		}
	}()
	rounds, found := 30, 0
	if testing.Short() {
		rounds = 10
	}
	for range rounds {
		damaged := append([]byte(nil), b...)
		for range 1 + rnd.IntN(40) {
			damaged[100+rnd.IntN(len(damaged)-100)] ^= 1 << rnd.IntN(8)
		}
		into := filepath.Join(t.TempDir(), "flipped.db")
		if err := os.WriteFile(into, damaged, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, lines, err := look(t, into); err != nil || len(lines) > 0 {
			found++
		}
		st, err := store.Open(t.Context(), store.Config{Path: into})
		if err != nil {
			continue
		}
		for _, d := range devices {
			_, _, _, _ = storetest.Since(t.Context(), st, d.Member, 0, 0, 0) // an error, or not
			_, _ = st.Compact(t.Context(), d.Member, 1)
			a := storetest.NewAuthor(d, 77, rnd)
			_, _ = st.Append(t.Context(), d.Member, []store.Item{a.Tap(1), a.Edit(2)})
			_, _, _ = st.Feed(t.Context(), d.Tenant, "", 10)
		}
		_ = st.Close()
	}
	t.Logf("found in %d of %d", found, rounds)
	if found < rounds/2 {
		t.Error("too few are found")
	}
}

// TestVerifyBeside: devices push meanwhile; what is found then is nothing.
func TestVerifyBeside(t *testing.T) {
	path := filepath.Join(t.TempDir(), "trio.db")
	st := open(t, store.Config{Path: path})
	load, err := storetest.NewLoad(t.Context(), st, 3, 2, 5)
	if err != nil {
		t.Fatal(err)
	}
	running, stop := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := load.Run(running, st); err != nil {
			t.Error(err)
		}
	})
	defer wg.Wait()
	defer stop()
	for i := range 8 {
		if _, err := st.Compact(t.Context(), load.Members()[i%3], 1); err != nil {
			t.Fatal(err)
		}
		docs := 0
		var mu sync.Mutex
		s, err := store.Verify{
			Path: path, Workers: 2, Project: intake.Project,
			Problem: func(p store.Problem) { t.Error(p) },
			Document: func(_ context.Context, _ crdt.MemberID, _ crdt.DocName, changes []*automerge.Change) {
				d := automerge.NewDoc()
				if err := d.Apply(changes...); err != nil || d.Pending() > 0 {
					t.Errorf("document of %d changes: %v", len(changes), err)
				}
				mu.Lock()
				docs++
				mu.Unlock()
			},
		}.Run(t.Context())
		if err != nil || s.Members != 3 || docs != s.Documents {
			t.Fatalf("%+v, %d documents: %v", s, docs, err)
		}
	}
}

// TestVerifyRefuses: what is no database of this build's is said, and nothing is made.
func TestVerifyRefuses(t *testing.T) {
	dir := t.TempDir()
	if _, _, err := look(t, filepath.Join(dir, "absent.db")); !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
	text := filepath.Join(dir, "text.db")
	if err := os.WriteFile(text, []byte(strings.Repeat("this is a letter\n", 400)), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, _, err := look(t, text); err == nil || !strings.Contains(err.Error(), "not a database") {
		t.Error(err)
	}
	empty := filepath.Join(dir, "empty.db")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, _, err := look(t, empty); err == nil || !strings.Contains(err.Error(), "nothing in it") {
		t.Error(err)
	}
	newer := filepath.Join(dir, "trio.db")
	verifiable(t, newer)
	db, err := sql.Open("sqlite", newer)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.Exec("PRAGMA user_version = 99"); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if _, _, err := look(t, newer); !errors.Is(err, store.ErrNewer) {
		t.Error(err)
	}
	if left, err := filepath.Glob(filepath.Join(dir, "absent*")); err != nil || len(left) > 0 {
		t.Error(left, err)
	}
}

// TestBackup: beside a store that devices push to, each copy is one state of it.
func TestBackup(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "trio.db")
	st := open(t, store.Config{Path: path})
	load, err := storetest.NewLoad(t.Context(), st, 3, 2, 5)
	if err != nil {
		t.Fatal(err)
	}
	running, stop := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := load.Run(running, st); err != nil {
			t.Error(err)
		}
	})
	defer wg.Wait()
	defer stop()
	for i := range 6 {
		into := filepath.Join(dir, fmt.Sprint("copy", i))
		mark := load.Mark()
		if err := store.Backup(t.Context(), path, into, nil); err != nil {
			t.Fatal(err)
		}
		k, err := store.Inspect(t.Context(), into)
		if err != nil || k.Members != 3 || k.Changes < int64(load.Changes(mark)) || k.Epoch != st.Epoch() {
			t.Fatalf("%+v %v", k, err)
		}
		if _, lines, err := look(t, into); err != nil || len(lines) > 0 {
			t.Fatalf("%v %q", err, lines)
		}
		copied := open(t, store.Config{Path: into})
		if _, err := load.Check(copied, mark); err != nil {
			t.Fatal(err)
		}
		if !store.InUse(into) || !store.InUse(path) {
			t.Error("open, and not in use")
		}
		if err := copied.Close(); err != nil {
			t.Fatal(err)
		}
		if store.InUse(into) {
			t.Error("closed, and in use")
		}
		if err := store.Backup(t.Context(), path, into, nil); !errors.Is(err, os.ErrExist) {
			t.Errorf("over a file that is there: %v", err)
		}
		if err := store.Renew(into); err != nil {
			t.Fatal(err)
		}
		if r, err := store.Inspect(t.Context(), into); err != nil || r.Epoch == k.Epoch || r.Changes != k.Changes {
			t.Errorf("%+v %v", r, err)
		}
	}
	cut, cancel := context.WithCancel(t.Context())
	into := filepath.Join(dir, "cut")
	if err := store.Backup(cut, path, into, func(int, int) { cancel() }); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if _, err := os.Stat(into); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("half a copy is left: %v", err)
	}
	names, err := os.ReadDir(dir)
	if err != nil || len(names) != 9 { // six copies, the database and its two files
		t.Error(names, err)
	}
}
