package store_test

import (
	"compress/gzip"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"trio/crdt"
	"trio/crdt/automerge"
	"trio/crdt/wire"
	"trio/server/store"
	"trio/server/store/storetest"
)

// An oldDB is a database that a build of an older layout made and closed. Its company has a key and two members: Maya, with
// a phone that wrote four changes and a lost device, which was revoked, and Noor with 50 taps, 40 of which are folded where
// the layout has segments. A second company has a member without a device.
type oldDB struct {
	Company               store.Tenant
	Key, Token, LostToken string
	Maya, Noor            crdt.MemberID
	Phone                 crdt.DeviceID
	MayaHead, NoorHead    wire.Receipt
}

func openOld(t *testing.T, layout int) (dir string, old oldDB) {
	t.Helper()
	name := filepath.Join("testdata", fmt.Sprintf("layout%d", layout))
	f, err := os.Open(name + ".db.gz")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	db, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(name + ".json")
	if err == nil {
		err = json.Unmarshal(text, &old)
	}
	dir = t.TempDir()
	if err = errors.Join(err, os.WriteFile(file(dir), db, 0o600)); err != nil {
		t.Fatal(err)
	}
	return dir, old
}

// Databases of every layout that there was open, keep all that they hold, and what they hold goes on: it can be
// overwritten, folded, counted.
func TestMigration(t *testing.T) {
	for _, layout := range []int{1, 2, 3, 4} {
		t.Run(fmt.Sprint(layout), func(t *testing.T) {
			dir, old := openOld(t, layout)
			// Without room for it nothing is touched.
			db, err := raw(dir)
			if err != nil {
				t.Fatal(err)
			}
			var pages int64
			_, vacuum := db.Exec("VACUUM") // no page is free
			if err := errors.Join(vacuum, db.QueryRow("PRAGMA page_count").Scan(&pages), db.Close()); err != nil {
				t.Fatal(err)
			}
			if s, err := store.Open(t.Context(), store.Config{Path: file(dir), MaxPages: pages}); !errors.Is(err, store.ErrFull) {
				if err == nil {
					_ = s.Close()
				}
				t.Fatalf("opened on a full disk: %v", err)
			}
			began := time.Now()
			s := open(t, store.Config{Path: file(dir)})
			if layout > 2 { // which notes when a device was revoked
				began = made3
			}
			migratedPeople(t, s, old, began)
			migratedPlaybooks(t, s, old)
			migratedNotices(t, s, old)
			migratedChanges(t, s, old)
		})
	}
}

func migratedPeople(t *testing.T, s *store.SQLite, old oldDB, began time.Time) {
	t.Helper()
	ctx := t.Context()
	k, err := s.APIKeyBySecret(ctx, old.Key)
	if err != nil || k.Tenant != old.Company || k.Name != "reports" || !slices.Equal(k.Scopes, []store.Scope{store.ScopeFeed}) {
		t.Errorf("key %+v, %v", k, err)
	}
	phone, err := s.DeviceByToken(ctx, old.Token)
	if err != nil || phone.ID != old.Phone || phone.Member != old.Maya || phone.Revoked || phone.Name != "phone" || phone.MemberName != "Maya" {
		t.Errorf("phone %+v, %v", phone, err)
	}
	lost, err := s.DeviceByToken(ctx, old.LostToken)
	if err != nil || !lost.Revoked {
		t.Errorf("lost device %+v, %v", lost, err)
	}
	ds, err := s.Devices(ctx, old.Maya)
	if err != nil || len(ds) != 2 || ds[0].Device != phone || ds[1].Device != lost || !ds[0].RevokedAt.IsZero() || !ds[0].Seen.IsZero() {
		t.Fatalf("Maya's devices %+v, %v", ds, err)
	}
	if at := ds[1].RevokedAt; at.Before(began.Add(-time.Second)) || at.After(time.Now()) {
		t.Errorf("the lost device was revoked at %v", at)
	}
	ms, err := s.Members(ctx, old.Company, crdt.MemberID{}, 10)
	if err != nil || len(ms) != 2 {
		t.Fatalf("members %+v, %v", ms, err)
	}
	for i, want := range []store.Member{
		{ID: old.Maya, Name: "Maya", Tenant: old.Company, Changes: 4, Devices: 1, Created: ms[0].Created},
		{ID: old.Noor, Name: "Noor", Tenant: old.Company, Changes: 50, Devices: 1, Created: ms[1].Created},
	} {
		for _, c := range changesOf(t, s, want.ID) {
			want.Bytes += int64(len(c.Raw))
		}
		if ms[i] != want || ms[i].Created.IsZero() {
			t.Errorf("member %+v, want %+v", ms[i], want)
		}
	}
	cs, err := s.Tenants(ctx)
	if err != nil || len(cs) != 2 {
		t.Fatalf("companies %+v, %v", cs, err)
	}
	for i, want := range [][2]int{{2, 2}, {1, 0}} {
		if cs[i].Quota != (store.Quota{}) || cs[i].Members != want[0] || cs[i].Devices != want[1] {
			t.Errorf("company %+v, want %v members and devices", cs[i], want)
		}
	}
	rs, _, err := s.Feed(ctx, old.Company, "", 0)
	if err != nil || len(rs) != 53 {
		t.Errorf("feed has %d records, %v", len(rs), err)
	}
	// What is new goes with what is old.
	_, code, err := s.CreateInvite(ctx, old.Maya, old.Phone, time.Now().Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	d, token, err := s.Redeem(ctx, code, "tablet")
	if err != nil || d.Member != old.Maya {
		t.Fatal(d, err)
	}
	if got, err := s.DeviceByToken(ctx, token); err != nil || got != d {
		t.Errorf("device %+v, %v", got, err)
	}
	if err := s.EditMember(ctx, old.Noor, store.MemberEdit{Sponsor: &old.Maya}); err != nil {
		t.Error(err)
	}
}

func changesOf(t *testing.T, s store.Store, m crdt.MemberID) (all []store.Stored) {
	t.Helper()
	for after, more := uint64(0), true; more; {
		cs, at, rest, err := storetest.Since(t.Context(), s, m, after, 0, 0)
		if err != nil {
			t.Fatal(err)
		}
		all, after, more = append(all, cs...), at.Seq, rest
	}
	return all
}

// made3 is when the database of layout 3 was made.
var made3 = time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)

// migratedPlaybooks: none was published, and the first one can be.
func migratedPlaybooks(t *testing.T, s *store.SQLite, old oldDB) {
	t.Helper()
	heads, err := s.PlaybookHeads(t.Context(), []store.Tenant{old.Company})
	if head, ok := heads[old.Company]; err != nil || !ok || head != (store.PlaybookHead{}) {
		t.Errorf("playbooks go to %v, %v", heads, err)
	}
	doc := []byte("{}")
	if _, err := s.PublishPlaybook(t.Context(), store.Playbook{Tenant: old.Company, Version: 1, Hash: sha256.Sum256(doc), By: "Ann", Doc: doc}, 0); err != nil {
		t.Error(err)
	}
}

// migratedNotices: nobody asked for any, and now they can.
func migratedNotices(t *testing.T, s *store.SQLite, old oldDB) {
	t.Helper()
	ctx := t.Context()
	sub := store.Subscription{Device: old.Phone, Endpoint: "https://push.example.net/1", Public: make([]byte, 65), Secret: make([]byte, 16)}
	if err := s.Subscribe(ctx, sub); err != nil {
		t.Error(err)
	}
	if list, err := s.Subscriptions(ctx, old.Maya); err != nil || len(list) != 1 || list[0].Endpoint != sub.Endpoint {
		t.Errorf("subscriptions %+v, %v", list, err)
	}
}

func migratedChanges(t *testing.T, s *store.SQLite, old oldDB) {
	t.Helper()
	for m, want := range map[crdt.MemberID]wire.Receipt{old.Maya: old.MayaHead, old.Noor: old.NoorHead} {
		if head, err := s.Head(t.Context(), m); err != nil || head != want || len(changesOf(t, s, m)) != int(want.Seq) {
			t.Fatalf("head %+v, want %+v, %v", head, want, err)
		}
	}
	d := store.Device{ID: old.Phone, Member: old.Maya}
	a := storetest.NewAuthor(d, 1, rand.New(rand.NewPCG(1, 1))) // as when it was made
	large := a.Edit(100)                                        // stored deflated
	cs := changesOf(t, s, old.Maya)
	for i, it := range []store.Item{large, a.Edit(2), a.Tap(1), a.Tap(2)} {
		if cs[i].Hash != it.Change.Hash() {
			t.Fatalf("change %d is another", i+1)
		}
	}
	overwrite := a.Write(crdt.ContactsDoc, []automerge.Op{{
		Key: large.Change.Ops[70].Key, Action: automerge.Put, Pred: []automerge.OpID{large.Change.OpID(70)},
		Value: automerge.Value{Kind: automerge.KindString, Str: "new"},
	}})
	if ack, err := s.Append(t.Context(), d.Member, []store.Item{overwrite}); err != nil || ack.New != 1 {
		t.Fatal(ack, err)
	}
	// A change beside those there are, and one of the same writer that goes on with it: what the first one says of heads is
	// as it would have been without the migration.
	b := storetest.NewAuthor(d, 2, rand.New(rand.NewPCG(2, 1)))
	b.See(crdt.ContactsDoc, large.Change)
	beside := b.Edit(1)
	more := b.Write(crdt.ContactsDoc, []automerge.Op{{
		Key: large.Change.Ops[71].Key, Action: automerge.Put, Pred: []automerge.OpID{large.Change.OpID(71)},
		Value: automerge.Value{Kind: automerge.KindString, Str: "new"},
	}})
	if ack, err := s.Append(t.Context(), d.Member, []store.Item{beside, more}); err != nil || ack.New != 2 {
		t.Fatal(ack, err)
	}
	if n, err := s.Compact(t.Context(), d.Member, 1); err != nil || n != 7 {
		t.Fatal(n, err)
	}
}

// A segment that cannot be opened does not keep a server from its database: it counts as it is stored.
func TestMigrationOfDamaged(t *testing.T) {
	dir, old := openOld(t, 2)
	execAll(t, dir, "UPDATE segments SET data = substr(data, 1, 40)")
	s := open(t, store.Config{Path: file(dir)})
	m, err := s.MemberByID(t.Context(), old.Noor)
	if err != nil || m.Changes != 50 || m.Bytes < 10*100 {
		t.Errorf("%+v, %v", m, err)
	}
	if _, _, _, err := storetest.Since(t.Context(), s, old.Noor, 0, 0, 0); err == nil {
		t.Error("a damaged segment is read")
	}
}
