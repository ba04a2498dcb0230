package store_test

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"testing"
	"time"

	"trio/crdt"
	"trio/server/store"
	"trio/server/store/storetest"
)

// TestCarryOver: a backup is put in the place of a database in which people went on: whoever was revoked stays so, used
// invitations stay used, who came since is there, and what was kept apart is not lost.
func TestCarryOver(t *testing.T) {
	ctx := t.Context()
	dir := t.TempDir()
	path, copied := filepath.Join(dir, "trio.db"), filepath.Join(dir, "copy.db")
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	open := func(path string) *store.SQLite {
		t.Helper()
		s, err := store.Open(ctx, store.Config{Path: path, Aside: true})
		must(err)
		return s
	}
	s := open(path)
	tenant, err := s.CreateTenant(ctx, "Acme")
	must(err)
	maya, err := s.CreateMember(ctx, store.Member{Tenant: tenant, Name: "Maya"})
	must(err)
	phone, phoneToken, err := s.CreateDevice(ctx, maya, "phone")
	must(err)
	laptop, laptopToken, err := s.CreateDevice(ctx, maya, "laptop")
	must(err)
	key, secret, err := s.CreateAPIKey(ctx, tenant, "reports", store.ScopeFeed)
	must(err)
	_, code, err := s.CreateInvite(ctx, maya, crdt.DeviceID{}, time.Now().Add(time.Hour))
	must(err)
	_, open2, err := s.CreateInvite(ctx, maya, crdt.DeviceID{}, time.Now().Add(time.Hour))
	must(err)
	author := storetest.NewAuthor(phone, 1, rand.New(rand.NewPCG(1, 1)))
	_, err = s.Append(ctx, maya, []store.Item{author.Edit(1)})
	must(err)

	publish := func(s *store.SQLite, version, after uint32, text string) {
		t.Helper()
		_, err := s.PublishPlaybook(ctx, store.Playbook{Tenant: tenant, Version: version, Hash: sha256.Sum256([]byte(text)), By: "Ann", Doc: []byte(text)}, after)
		must(err)
	}
	publish(s, 1, 0, "one")

	subscribe := func(d store.Device) {
		t.Helper()
		must(s.Subscribe(ctx, store.Subscription{Device: d.ID, Endpoint: "https://push.example.net/" + d.Name, Public: make([]byte, 65), Secret: make([]byte, 16)}))
	}
	subscribe(phone)
	subscribe(laptop)
	quiet, _, err := s.CreateDevice(ctx, maya, "quiet")
	must(err)
	subscribe(quiet)
	must(store.Backup(ctx, path, copied, nil))
	webPush, err := s.WebPushKey(ctx, []byte("a key"))
	must(err)
	given := time.UnixMilli(1_800_000_000_000)
	for _, r := range []bool{true, false} {
		if ok, err := s.SetReminder(ctx, store.Reminder{Member: maya, Next: given, Given: given}, time.Time{}); ok != r || err != nil {
			t.Fatal(ok, err)
		}
	}
	publish(s, 2, 1, "two")
	must(s.TakePlaybook(ctx, tenant, 7))
	must(s.Unsubscribe(ctx, quiet.ID, ""))
	must(s.RevokeDevice(ctx, phone.ID))
	must(s.Park(ctx, phone.ID, []store.Item{author.Edit(1)}))
	must(s.LeaveDevice(ctx, phone.ID))
	must(s.RevokeAPIKey(ctx, tenant, key.ID))
	_, tabletToken, err := s.Redeem(ctx, code, "tablet")
	must(err)
	tom, err := s.CreateMember(ctx, store.Member{Tenant: tenant, Name: "Tom", Sponsor: maya})
	must(err)
	_, tomToken, err := s.CreateDevice(ctx, tom, "phone")
	must(err)
	must(s.Close())

	n, err := store.CarryOver(ctx, path, copied)
	must(err)
	if want := (store.Carried{Revoked: 3, Members: 1, Devices: 2, Kept: 1, Playbooks: 1}); n != want {
		t.Errorf("carried over %+v, want %+v", n, want)
	}
	if again, err := store.CarryOver(ctx, path, copied); err != nil || again != (store.Carried{}) {
		t.Errorf("a second time: %+v, %v", again, err)
	}
	s = open(copied)
	if d, err := s.DeviceByToken(ctx, phoneToken); err != nil || !d.Revoked {
		t.Errorf("the revoked phone: %+v, %v", d, err)
	}
	if info, err := s.DeviceByID(ctx, phone.ID); err != nil || info.Left.IsZero() || info.Parked != 1 {
		t.Errorf("the revoked phone: %+v, %v", info, err)
	}
	for what, token := range map[string]string{"laptop": laptopToken, "tablet": tabletToken, "Tom's": tomToken} {
		if d, err := s.DeviceByToken(ctx, token); err != nil || d.Revoked {
			t.Errorf("%s: %+v, %v", what, d, err)
		}
	}
	if _, err := s.APIKeyBySecret(ctx, secret); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("the revoked key: %v", err)
	}
	if _, _, err := s.Redeem(ctx, code, "thief"); !errors.Is(err, store.ErrExpired) {
		t.Errorf("the used code: %v", err)
	}
	if _, _, err := s.Redeem(ctx, open2, "watch"); err != nil {
		t.Errorf("the open code: %v", err)
	}
	if m, err := s.MemberByID(ctx, tom); err != nil || m.Sponsor != maya || m.Devices != 1 || m.Changes != 0 {
		t.Errorf("the new member: %+v, %v", m, err)
	}
	if p, err := s.PlaybookOf(ctx, tenant, 0); err != nil || p.Version != 2 || string(p.Doc) != "two" {
		t.Errorf("the playbook: %+v, %v", p, err)
	}
	if heads, err := s.PlaybookHeads(ctx, []store.Tenant{tenant}); err != nil || heads[tenant].Taken != 7 {
		t.Errorf("playbooks: %+v, %v", heads, err)
	}
	if key, err := s.WebPushKey(ctx, []byte("another")); err != nil || string(key) != string(webPush) {
		t.Errorf("the key for web push: %q, %v", key, err)
	}
	if list, err := s.Subscriptions(ctx, maya); err != nil || len(list) != 1 || list[0].Device != laptop.ID {
		t.Errorf("subscribed: %+v, %v", list, err)
	}
	if list, err := s.Reminders(ctx, given, store.Reminder{}, 0); err != nil || len(list) != 1 || !list[0].Given.Equal(given) {
		t.Errorf("the reminder, which was given since: %+v, %v", list, err)
	}
	if c, err := s.TenantByID(ctx, tenant); err != nil || c.Members != 2 || c.Devices != 5 {
		t.Errorf("the company: %+v, %v", c, err)
	}
	must(s.Close())

	// A database of another origin has the same numbers for others.
	other := filepath.Join(dir, "other.db")
	s = open(other)
	tenant, err = s.CreateTenant(ctx, "Other")
	must(err)
	_, err = s.CreateMember(ctx, store.Member{Tenant: tenant, Name: "Eve"})
	must(err)
	must(s.Close())
	if n, err := store.CarryOver(ctx, other, copied); !errors.Is(err, store.ErrStranger) || n != (store.Carried{}) {
		t.Errorf("a stranger: %+v, %v", n, err)
	}
	s = open(copied)
	if _, err := s.MemberByID(ctx, tom); err != nil {
		t.Error(err)
	}
	_, code, err = s.CreateInvite(ctx, tom, crdt.DeviceID{}, time.Now().Add(time.Hour))
	must(err)
	must(s.Close())
	if n, err := store.ExpireInvites(copied); n != 1 || err != nil {
		t.Errorf("%d invitations expired, %v", n, err)
	}
	must(store.SkipVersions(copied))
	s = open(copied)
	defer s.Close()
	if _, _, err := s.Redeem(ctx, code, "phone"); !errors.Is(err, store.ErrExpired) {
		t.Errorf("an expired code: %v", err)
	}
	if heads, err := s.PlaybookHeads(ctx, []store.Tenant{1}); err != nil || heads[1].Version != 2 || heads[1].Taken != 7+store.MaxPlaybookAhead {
		t.Errorf("playbooks of a backup in whose place there was nothing: %+v, %v", heads, err)
	}
}

// TestReadmit: a member and a device that a restored database does not know come in again under their own ids.
func TestReadmit(t *testing.T) {
	ctx := t.Context()
	s, err := store.Open(ctx, store.Config{Path: filepath.Join(t.TempDir(), "trio.db")})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	tenant, err := s.CreateTenant(ctx, "Acme")
	if err != nil {
		t.Fatal(err)
	}
	id := crdt.MemberID(crdt.NewContactID()) // any id
	var invalid store.Invalid
	if m, err := s.CreateMember(ctx, store.Member{ID: id, Tenant: tenant, Name: "Maya"}); err != nil || m != id {
		t.Fatal(m, err)
	}
	if _, err := s.CreateMember(ctx, store.Member{ID: id, Tenant: tenant, Name: "Maya"}); !errors.As(err, &invalid) {
		t.Errorf("the same member twice: %v", err)
	}
	other, err := s.CreateMember(ctx, store.Member{Tenant: tenant, Name: "Tom"})
	if err != nil {
		t.Fatal(err)
	}
	lost, adopted := crdt.DeviceID(crdt.NewContactID()), crdt.DeviceID(crdt.NewContactID())
	if err := s.AdoptDevice(ctx, id, adopted); err != nil {
		t.Fatal(err)
	}
	for _, d := range []crdt.DeviceID{lost, adopted} {
		token, err := s.ReadmitDevice(ctx, id, d)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := s.DeviceByToken(ctx, token); err != nil || got.ID != d || got.Member != id || got.Revoked {
			t.Errorf("readmitted: %+v, %v", got, err)
		}
		if _, err := s.ReadmitDevice(ctx, id, d); !errors.As(err, &invalid) {
			t.Errorf("a device that may sync: %v", err)
		}
		if _, err := s.ReadmitDevice(ctx, other, d); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("another member's device: %v", err)
		}
	}
	if m, err := s.MemberByID(ctx, id); err != nil || m.Devices != 2 {
		t.Errorf("%+v, %v", m, err)
	}
	if err := s.RevokeDevice(ctx, lost); err != nil {
		t.Fatal(err)
	}
	if _, err := s.ReadmitDevice(ctx, id, lost); !errors.As(err, &invalid) {
		t.Errorf("a revoked device: %v", err)
	}
}

// TestSkipAgain: a backup that was made between one restore and the next publication is put back; no version is given out that
// devices may hold, whether the operator or a device says so.
func TestSkipAgain(t *testing.T) {
	ctx := t.Context()
	path := filepath.Join(t.TempDir(), "s.db")
	copied := path + ".backup"
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	open := func(path string) *store.SQLite {
		s, err := store.Open(ctx, store.Config{Path: path})
		must(err)
		t.Cleanup(func() { s.Close() })
		return s
	}
	s := open(path)
	company, err := s.CreateTenant(ctx, "A")
	must(err)
	head := func() store.PlaybookHead {
		t.Helper()
		heads, err := s.PlaybookHeads(ctx, []store.Tenant{company})
		must(err)
		return heads[company]
	}
	publish := func() uint32 {
		t.Helper()
		h := head()
		text := fmt.Sprint("after ", h.Taken)
		p, err := s.PublishPlaybook(ctx, store.Playbook{Tenant: company, Version: h.Taken + 1, Hash: sha256.Sum256([]byte(text)), By: "Ann", Doc: []byte(text)}, h.Version)
		must(err)
		return p.Version
	}
	publish()
	must(s.NewEpoch(ctx))
	must(store.Backup(ctx, path, copied, nil))
	publish()
	lost := publish() // with the disk
	must(s.Close())

	s = open(copied)
	must(s.TakePlaybook(ctx, company, lost)) // the operator has copied the file only; a device says what it holds
	if h := head(); h.Taken < lost {
		t.Errorf("a device holds %d, and the next version is %d", lost, h.Taken+1)
	}
	must(s.Close())
	must(store.SkipVersions(copied))
	s = open(copied)
	if v := publish(); v <= lost+store.MaxPlaybookAhead/2 {
		t.Errorf("version %d is published after a restore; %d was before it, and others may have been", v, lost)
	}
}
