package storetest

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"trio/crdt"
	"trio/crdt/automerge"
	"trio/crdt/wire"
	"trio/server/store"
)

// want fails unless an error is the one wanted, nil for none.
func want(t *testing.T, what string, err, wanted error) {
	t.Helper()
	if !errors.Is(err, wanted) {
		t.Errorf("%s: %v, want %v", what, err, wanted)
	}
}

// invalid fails unless an error says what is wrong with an argument.
func invalid(t *testing.T, what string, err error) {
	t.Helper()
	if _, ok := errors.AsType[store.Invalid](err); !ok {
		t.Errorf("%s: %v, want store.Invalid", what, err)
	}
}

func (p *place) invite(m crdt.MemberID, by crdt.DeviceID) (store.Invite, string) {
	p.t.Helper()
	i, code, err := p.CreateInvite(context.Background(), m, by, time.Now().Add(time.Hour))
	p.check(err)
	return i, code
}

func (h Harness) companies(t *testing.T) {
	p, ctx := h.place(t), t.Context()
	one, two := p.tenant(), p.tenant()
	quota := store.Quota{Members: 3, Devices: 2, Bytes: 5000}
	p.check(p.SetQuota(ctx, two, quota.Edit()))
	p.member(two)
	d, _ := p.device(p.member(two))
	p.check(p.RevokeDevice(ctx, d.ID))
	p.device(d.Member)
	check := func() {
		t.Helper()
		list, err := p.Tenants(ctx)
		p.check(err)
		if len(list) != 2 || list[0].ID != one || list[1].ID != two {
			t.Fatalf("companies %+v", list)
		}
		for i, c := range list {
			if got, err := p.TenantByID(ctx, c.ID); err != nil || got != c {
				t.Errorf("company %+v, %v, listed as %+v", got, err, c)
			}
			if c.Name != "a company" || time.Since(c.Created).Abs() > time.Hour {
				t.Errorf("company %+v", c)
			}
			if want := []store.Quota{{}, quota}[i]; c.Quota != want {
				t.Errorf("quota %+v, want %+v", c.Quota, want)
			}
			if n := []int{0, 2}[i]; c.Members != n || c.Devices != n/2 {
				t.Errorf("%d members, %d devices, want %d and %d", c.Members, c.Devices, n, n/2)
			}
		}
	}
	check()
	p.reopen()
	check()
	nobody := one + two + 99
	_, err := p.TenantByID(ctx, nobody)
	want(t, "no company", err, store.ErrNotFound)
	want(t, "quota of no company", p.SetQuota(ctx, nobody, quota.Edit()), store.ErrNotFound)
	_, err = p.Members(ctx, nobody, crdt.MemberID{}, 10)
	want(t, "members of no company", err, store.ErrNotFound)
	_, err = p.APIKeys(ctx, nobody)
	want(t, "keys of no company", err, store.ErrNotFound)
	for _, q := range []store.Quota{{Members: -1}, {Devices: -1}, {Bytes: -1}} {
		invalid(t, fmt.Sprint(q), p.SetQuota(ctx, one, q.Edit()))
	}
}

func (h Harness) keys(t *testing.T) {
	p, ctx := h.place(t), t.Context()
	one, two := p.tenant(), p.tenant()
	reads, readSecret, err := p.CreateAPIKey(ctx, one, "dashboard", store.ScopePeople, store.ScopeFeed, store.ScopePeople)
	p.check(err)
	if !slices.Equal(reads.Scopes, []store.Scope{store.ScopeFeed, store.ScopePeople}) || !reads.Has(store.ScopeFeed) || reads.Has(store.ScopeRead) {
		t.Errorf("scopes %v", reads.Scopes)
	}
	all, allSecret, err := p.CreateAPIKey(ctx, one, "all", store.Scopes...)
	p.check(err)
	_, other, err := p.CreateAPIKey(ctx, two, "other", store.ScopeFeed)
	p.check(err)
	same := func(a, b store.APIKey) bool {
		return slices.Equal(a.Scopes, b.Scopes) && a.ID == b.ID && a.Tenant == b.Tenant && a.Name == b.Name &&
			a.Created.Equal(b.Created) && a.Revoked.Equal(b.Revoked)
	}
	for range 2 {
		for secret, k := range map[string]store.APIKey{readSecret: reads, allSecret: all} {
			if got, err := p.APIKeyBySecret(ctx, secret); err != nil || !same(got, k) {
				t.Errorf("key %+v, %v, want %+v", got, err, k)
			}
		}
		if list, err := p.APIKeys(ctx, one); err != nil || len(list) != 2 || !same(list[0], reads) || !same(list[1], all) {
			t.Errorf("keys %+v, %v", list, err)
		}
		p.reopen()
	}
	want(t, "revoking another company's key", p.RevokeAPIKey(ctx, two, reads.ID), store.ErrNotFound)
	want(t, "revoking no key", p.RevokeAPIKey(ctx, one, reads.ID+99), store.ErrNotFound)
	p.check(p.RevokeAPIKey(ctx, one, reads.ID))
	list, err := p.APIKeys(ctx, one)
	if err != nil || len(list) != 2 || list[0].Revoked.IsZero() || !list[1].Revoked.IsZero() {
		t.Fatalf("keys %+v, %v", list, err)
	}
	p.check(p.RevokeAPIKey(ctx, one, reads.ID))
	if again, err := p.APIKeys(ctx, one); err != nil || !same(again[0], list[0]) {
		t.Errorf("revoked twice: %+v, then %+v, %v", list[0], again, err)
	}
	_, err = p.APIKeyBySecret(ctx, readSecret)
	want(t, "revoked key", err, store.ErrNotFound)
	for _, secret := range []string{allSecret, other} {
		_, err = p.APIKeyBySecret(ctx, secret)
		want(t, "key beside a revoked one", err, nil)
	}
	_, _, err = p.CreateAPIKey(ctx, one, "none")
	invalid(t, "key without a scope", err)
	_, _, err = p.CreateAPIKey(ctx, one, "odd", store.ScopeFeed, "everything")
	invalid(t, "key with an odd scope", err)
	_, _, err = p.CreateAPIKey(ctx, one, "", store.ScopeFeed)
	invalid(t, "key without a name", err)
}

func (h Harness) members(t *testing.T) {
	p, ctx := h.place(t), t.Context()
	one, two := p.tenant(), p.tenant()
	add := func(m store.Member) crdt.MemberID {
		t.Helper()
		id, err := p.CreateMember(ctx, m)
		p.check(err)
		return id
	}
	top := add(store.Member{Tenant: one, Name: "Top", Team: "North"})
	mid := add(store.Member{Tenant: one, Name: "Mid", Sponsor: top})
	low := add(store.Member{Tenant: one, Name: "Low", Sponsor: mid})
	foreign := add(store.Member{Tenant: two, Name: "Foreign"})
	var taken store.Invalid
	if id, err := p.CreateMember(ctx, store.Member{ID: top, Tenant: two, Name: "Again"}); !errors.As(err, &taken) {
		t.Errorf("a member with the id of another one: %s, %v", id, err)
	}
	if id := add(store.Member{ID: crdt.MemberID{1}, Tenant: p.tenant(), Name: "Back"}); id != (crdt.MemberID{1}) {
		t.Errorf("a member who comes back is %s", id)
	}
	name, team, none := "Middle", "South", ""
	p.check(p.EditMember(ctx, mid, store.MemberEdit{Name: &name, Team: &team}))
	p.check(p.EditMember(ctx, top, store.MemberEdit{Team: &none}))
	p.check(p.EditMember(ctx, low, store.MemberEdit{}))
	check := func(sponsors ...crdt.MemberID) {
		t.Helper()
		list, err := p.Members(ctx, one, crdt.MemberID{}, 0)
		p.check(err)
		if len(list) != 3 {
			t.Fatalf("members %+v", list)
		}
		for i, w := range []store.Member{{ID: top, Name: "Top"}, {ID: mid, Name: "Middle", Team: "South"}, {ID: low, Name: "Low"}} {
			w.Tenant, w.Sponsor, w.Created = one, sponsors[i], list[i].Created
			if got, err := p.MemberByID(ctx, w.ID); list[i] != w || got != w || err != nil || time.Since(w.Created).Abs() > time.Hour {
				t.Errorf("member %+v, listed as %+v, want %+v, %v", got, list[i], w, err)
			}
		}
	}
	nobody := crdt.MemberID{}
	check(nobody, top, mid)
	for _, tc := range []struct {
		what       string
		m, sponsor crdt.MemberID
	}{
		{"own sponsor", top, top},
		{"sponsor just below", top, mid},
		{"sponsor far below", top, low},
		{"sponsor of another company", top, foreign},
		{"sponsor who is nobody", top, crdt.MemberID{9}},
	} {
		want(t, tc.what, p.EditMember(ctx, tc.m, store.MemberEdit{Team: &team, Sponsor: &tc.sponsor}), store.ErrSponsor)
	}
	check(nobody, top, mid) // the team that came with a wrong sponsor is not there
	for _, s := range []crdt.MemberID{foreign, {9}} {
		_, err := p.CreateMember(ctx, store.Member{Tenant: one, Name: "New", Sponsor: s})
		want(t, "new member with a wrong sponsor", err, store.ErrSponsor)
	}
	p.check(p.EditMember(ctx, mid, store.MemberEdit{Sponsor: &nobody}))
	p.check(p.EditMember(ctx, top, store.MemberEdit{Sponsor: &low}))
	check(low, nobody, mid)
	p.reopen()
	check(low, nobody, mid)

	long := strings.Repeat("x", 1000)
	for _, m := range []store.Member{{Name: ""}, {Name: " "}, {Name: long}, {Name: "New", Team: long}, {Name: "New", Team: " "}} {
		m.Tenant = one
		_, err := p.CreateMember(ctx, m)
		invalid(t, fmt.Sprintf("member %.20q of %.20q", m.Name, m.Team), err)
	}
	invalid(t, "no name", p.EditMember(ctx, top, store.MemberEdit{Name: &none}))
	invalid(t, "long team", p.EditMember(ctx, top, store.MemberEdit{Team: &long}))
	want(t, "editing nobody", p.EditMember(ctx, crdt.MemberID{9}, store.MemberEdit{Name: &name}), store.ErrNotFound)
	_, err := p.MemberByID(ctx, crdt.MemberID{9})
	want(t, "nobody", err, store.ErrNotFound)
	for _, after := range []crdt.MemberID{foreign, {9}} {
		_, err = p.Members(ctx, one, after, 10)
		want(t, "page after a member of another company", err, store.ErrNotFound)
	}

	p.check(p.SetQuota(ctx, two, store.Quota{Members: 2}.Edit()))
	p.member(two)
	_, err = p.CreateMember(ctx, store.Member{Tenant: two, Name: "one more"})
	want(t, "one member more than the quota", err, store.ErrQuota)
	p.member(one)
}

// deep: the tree is walked up only so far, so that no chain of sponsors keeps others waiting.
func (h Harness) deep(t *testing.T) {
	if testing.Short() {
		t.Skip("a thousand members one below the other take half a minute under the race detector; without -short it runs")
	}
	p, ctx := h.place(t), t.Context()
	tenant := p.tenant()
	root := p.member(tenant)
	at := root
	for i := range store.MaxSponsors + 1 {
		m, err := p.CreateMember(ctx, store.Member{Tenant: tenant, Name: "m", Sponsor: at})
		if i == store.MaxSponsors {
			want(t, "member below more than may be", err, store.ErrSponsor)
			break
		}
		p.check(err)
		at = m
	}
	want(t, "circle of all", p.EditMember(ctx, root, store.MemberEdit{Sponsor: &at}), store.ErrSponsor)
}

func (h Harness) invites(t *testing.T) {
	p, ctx := h.place(t), t.Context()
	one, d := p.newDevice()
	two, foreign := p.newDevice()
	m := d.Member
	first, code := p.invite(m, crdt.DeviceID{})
	if parts := strings.Split(code, "-"); len(code) != 14 || len(parts) != 3 || len(parts[0]) != 4 || len(parts[1]) != 4 || code != strings.ToUpper(code) {
		t.Errorf("code %q", code)
	}
	_, twin := p.invite(m, crdt.DeviceID{})
	paired, pairCode := p.invite(m, d.ID)
	if code == pairCode || code == twin {
		t.Error("two invitations have one code")
	}
	list, err := p.Invites(ctx, m)
	p.check(err)
	if len(list) != 3 || list[0] != first || list[2] != paired || paired.By != d.ID || first.By != (crdt.DeviceID{}) {
		t.Errorf("invitations %+v, want %+v first and %+v last", list, first, paired)
	}
	if left := time.Until(first.Expires); left < 59*time.Minute || left > time.Hour || time.Since(first.Created).Abs() > time.Minute {
		t.Errorf("invitation %+v", first)
	}

	// However it is written, once.
	odd := " " + strings.ToLower(strings.ReplaceAll(code, "-", " \u2013 ")) + "\n"
	odd = strings.NewReplacer("0", "o", "1", "l").Replace(odd)
	p.reopen()
	made, token, err := p.Redeem(ctx, odd, "tablet")
	p.check(err)
	if made.Member != m || made.Tenant != one || made.Name != "tablet" || made.MemberName != "a member" || made.Revoked {
		t.Errorf("device %+v", made)
	}
	p.reopen()
	if got, err := p.DeviceByToken(ctx, token); err != nil || got != made {
		t.Errorf("device by its token: %+v, %v, want %+v", got, err, made)
	}
	second, _, err := p.Redeem(ctx, pairCode, "watch")
	p.check(err)
	ds, err := p.Devices(ctx, m)
	p.check(err)
	if len(ds) != 3 || ds[0].Device != d || ds[1].Device != made || ds[2].Device != second || ds[1].Pairer != (crdt.DeviceID{}) || ds[2].Pairer != d.ID {
		t.Errorf("devices %+v", ds)
	}
	list, err = p.Invites(ctx, m)
	p.check(err)
	if list[0].Device != made.ID || list[0].Used.IsZero() || list[2].Device != second.ID || !list[1].Used.IsZero() {
		t.Errorf("invitations %+v", list)
	}
	_, _, err = p.Redeem(ctx, code, "another")
	want(t, "used code", err, store.ErrExpired)
	want(t, "taking a used invitation back", p.RevokeInvite(ctx, one, first.ID), store.ErrExpired)

	want(t, "taking back another company's", p.RevokeInvite(ctx, two, list[1].ID), store.ErrNotFound)
	want(t, "taking back none", p.RevokeInvite(ctx, one, list[2].ID+99), store.ErrNotFound)
	for range 2 {
		p.check(p.RevokeInvite(ctx, one, list[1].ID))
	}
	_, _, err = p.Redeem(ctx, twin, "another")
	want(t, "code that was taken back", err, store.ErrExpired)

	_, short, err := p.CreateInvite(ctx, m, crdt.DeviceID{}, time.Now().Add(50*time.Millisecond))
	p.check(err)
	time.Sleep(60 * time.Millisecond)
	_, _, err = p.Redeem(ctx, short, "late")
	want(t, "late", err, store.ErrExpired)

	_, byWatch := p.invite(m, second.ID)
	p.check(p.RevokeDevice(ctx, second.ID))
	_, _, err = p.Redeem(ctx, byWatch, "another")
	want(t, "code of a device that was revoked", err, store.ErrExpired)
	for _, by := range []crdt.DeviceID{second.ID, foreign.ID, {9}} {
		_, _, err = p.CreateInvite(ctx, m, by, time.Now().Add(time.Hour))
		want(t, "invitation by a device that may not", err, store.ErrNotFound)
	}
	_, _, err = p.CreateInvite(ctx, crdt.MemberID{9}, crdt.DeviceID{}, time.Now().Add(time.Hour))
	want(t, "invitation of nobody", err, store.ErrNotFound)
	_, _, err = p.CreateInvite(ctx, m, crdt.DeviceID{}, time.Now().Add(-time.Second))
	invalid(t, "invitation that has expired", err)
	_, err = p.Invites(ctx, crdt.MemberID{9})
	want(t, "invitations of nobody", err, store.ErrNotFound)

	_, good := p.invite(m, d.ID)
	for _, bad := range []string{"", "-", good[:13], good + "0", good + good, "UUUU-UUUU-UUUU", "0000-0000-0000", token, strings.Repeat(" ", 1<<20) + good, good[:13] + "é"} {
		_, _, err = p.Redeem(ctx, bad, "a phone")
		want(t, fmt.Sprintf("code %.20q", bad), err, store.ErrNotFound)
	}
	_, _, err = p.Redeem(ctx, good, " ")
	invalid(t, "device without a name", err)

	// A quota that is used up leaves the invitation as it is.
	p.check(p.SetQuota(ctx, one, store.Quota{Devices: 2}.Edit()))
	_, _, err = p.Redeem(ctx, good, "a phone")
	want(t, "one device more than the quota", err, store.ErrQuota)
	_, _, err = p.CreateDevice(ctx, m, "a phone")
	want(t, "one device more than the quota", err, store.ErrQuota)
	p.check(p.RevokeDevice(ctx, made.ID))
	_, _, err = p.Redeem(ctx, good, "a phone")
	want(t, "device in the place of a revoked one", err, nil)

	for {
		_, _, err = p.CreateInvite(ctx, foreign.Member, crdt.DeviceID{}, time.Now().Add(time.Hour))
		if err != nil {
			break
		}
	}
	want(t, "very many invitations", err, store.ErrQuota)
	if list, err := p.Invites(ctx, foreign.Member); err != nil || len(list) != store.MaxInvites {
		t.Errorf("%d invitations, %v", len(list), err)
	}
}

// redeem: of all who come with one code at a time one gets a device, and as many devices are made as the quota lets.
func (h Harness) redeem(t *testing.T) {
	p, ctx := h.place(t), t.Context()
	tenant, d := p.newDevice()
	const codes, callers, most = 12, 6, 9
	p.check(p.SetQuota(ctx, tenant, store.Quota{Devices: most}.Edit()))
	var wg sync.WaitGroup
	var mu sync.Mutex
	tokens := map[string]store.Device{}
	won := make([]int, codes)
	for i := range codes {
		_, code := p.invite(d.Member, d.ID)
		for range callers {
			wg.Go(func() {
				made, token, err := p.Redeem(ctx, code, "a phone")
				mu.Lock()
				defer mu.Unlock()
				switch {
				case err == nil:
					won[i]++
					tokens[token] = made
				case !errors.Is(err, store.ErrExpired) && !errors.Is(err, store.ErrQuota):
					t.Errorf("redeem: %v", err)
				}
			})
		}
	}
	wg.Wait()
	for i, n := range won {
		if n > 1 {
			t.Errorf("code %d made %d devices", i, n)
		}
	}
	if len(tokens) != most-1 {
		t.Errorf("%d devices were made, the quota has room for %d", len(tokens), most-1)
	}
	for range 2 {
		for token, made := range tokens {
			if got, err := p.DeviceByToken(ctx, token); err != nil || got != made {
				t.Errorf("device by its token: %+v, %v, want %+v", got, err, made)
			}
		}
		if ds, err := p.Devices(ctx, d.Member); err != nil || len(ds) != most {
			t.Errorf("%d devices, %v", len(ds), err)
		}
		p.reopen()
	}
}

func (h Harness) devices(t *testing.T) {
	p, ctx := h.place(t), t.Context()
	tenant, d := p.newDevice()
	e, _ := p.device(d.Member)
	info, err := p.DeviceByID(ctx, d.ID)
	if err != nil || info != (store.DeviceInfo{Device: d}) {
		t.Errorf("new device %+v, %v", info, err)
	}
	at := time.UnixMilli(1_700_000_000_123).UTC()
	odd := strings.Repeat("trio \xff\n", 100)
	p.check(p.Saw(ctx, nil))
	p.check(p.Saw(ctx, []store.Sighting{
		{Device: d.ID, At: at, App: "trio 1.2", Receipt: 7, Pending: 3},
		{Device: crdt.DeviceID{9}, At: at, App: "unknown"},
		{Device: e.ID, At: at.Add(time.Second), App: odd, Receipt: math.MaxUint64, Pending: math.MaxUint64},
		{Device: d.ID, At: at.Add(time.Second), App: "trio 1.3", Receipt: 8, Pending: 2},
		{Device: d.ID, At: at, App: "trio 1.2", Receipt: 7, Pending: 3},
	}))
	p.check(p.Saw(ctx, []store.Sighting{{Device: d.ID, At: at.Add(-time.Hour), App: "trio 1.1"}, {Device: e.ID}}))
	p.reopen()
	seen := store.DeviceInfo{Device: d, Seen: at.Add(time.Second), App: "trio 1.3", Receipt: 8, Pending: 2}
	if info, err = p.DeviceByID(ctx, d.ID); err != nil || info != seen {
		t.Errorf("device %+v, %v, want %+v", info, err, seen)
	}
	info, err = p.DeviceByID(ctx, e.ID)
	if err != nil || !info.Seen.Equal(at.Add(time.Second)) || len(info.App) > 200 || !strings.HasPrefix(info.App, "trio trio ") ||
		info.Receipt < 1<<62 || info.Pending < 1<<62 {
		t.Errorf("device that says odd things: %+v, %v", info, err)
	}
	invalid(t, "device that may sync leaves", p.LeaveDevice(ctx, d.ID))
	for range 2 {
		p.check(p.RevokeDevice(ctx, d.ID))
	}
	revoked, err := p.DeviceByID(ctx, d.ID)
	if err != nil || !revoked.Revoked || time.Since(revoked.RevokedAt).Abs() > time.Minute || !revoked.Left.IsZero() {
		t.Errorf("revoked device %+v, %v", revoked, err)
	}
	p.check(p.LeaveDevice(ctx, d.ID))
	left, err := p.DeviceByID(ctx, d.ID)
	if err != nil || left.Left.Before(left.RevokedAt) || time.Since(left.Left).Abs() > time.Minute || left.RevokedAt != revoked.RevokedAt {
		t.Errorf("device that has left %+v, %v", left, err)
	}
	time.Sleep(2 * time.Millisecond)
	p.check(p.LeaveDevice(ctx, d.ID))
	p.check(p.RevokeDevice(ctx, d.ID))
	if again, err := p.DeviceByID(ctx, d.ID); err != nil || again != left {
		t.Errorf("revoked and left twice: %+v, %v, before %+v", again, err, left)
	}
	adopted := crdt.DeviceID{7}
	p.check(p.AdoptDevice(ctx, d.Member, adopted))
	ds, err := p.Devices(ctx, d.Member)
	if err != nil || len(ds) != 3 || ds[0] != left || ds[2].ID != adopted || !ds[2].Revoked || ds[2].RevokedAt.IsZero() {
		t.Errorf("devices %+v, %v", ds, err)
	}
	if m, err := p.MemberByID(ctx, d.Member); err != nil || m.Devices != 1 {
		t.Errorf("member %+v, %v, want one device that may sync", m, err)
	}
	if c, err := p.TenantByID(ctx, tenant); err != nil || c.Devices != 1 {
		t.Errorf("company %+v, %v, want one device that may sync", c, err)
	}
	_, err = p.DeviceByID(ctx, crdt.DeviceID{9})
	want(t, "no device", err, store.ErrNotFound)
	_, err = p.Devices(ctx, crdt.MemberID{9})
	want(t, "devices of nobody", err, store.ErrNotFound)
	want(t, "no device leaves", p.LeaveDevice(ctx, crdt.DeviceID{9}), store.ErrNotFound)
}

// bytes: a member stores as much as the quota lets, and what is stored is answered for even when it is used up.
func (h Harness) bytes(t *testing.T) {
	p, ctx := h.place(t), t.Context()
	rnd := rand.New(rand.NewPCG(5, 5))
	tenant, d := p.newDevice()
	a := NewAuthor(d, 1, rnd)
	one, two, three := a.Tap(1), a.Edit(60), a.Tap(1)
	size := func(items ...store.Item) (n int64) {
		for _, it := range items {
			n += int64(it.Change.Len())
		}
		return n
	}
	holds := func(n int64, items int) {
		t.Helper()
		if m, err := p.MemberByID(ctx, d.Member); err != nil || m.Bytes != n || m.Changes != uint64(items) {
			t.Errorf("member %+v, %v, want %d bytes of %d changes", m, err, n, items)
		}
	}
	p.check(p.SetQuota(ctx, tenant, store.Quota{Bytes: size(one, two)}.Edit()))
	p.push(d.Member, one)
	_, err := p.Append(ctx, d.Member, []store.Item{one, two, three})
	want(t, "push that is more than the quota", err, store.ErrQuota)
	holds(size(one), 1)
	p.push(d.Member, two)
	holds(size(one, two), 2)
	ack, err := p.Append(ctx, d.Member, []store.Item{one, two})
	if err != nil || ack.Dup != 2 || ack.Receipt.Seq != 2 {
		t.Errorf("duplicates when the quota is used up: %+v, %v", ack, err)
	}
	_, err = p.Append(ctx, d.Member, []store.Item{one, two, three})
	want(t, "one change more than the quota", err, store.ErrQuota)
	if _, err := p.Compact(ctx, d.Member, 1); err != nil {
		t.Error(err)
	}
	holds(size(one, two), 2) // as they came, folded or not
	// A smaller quota takes nothing away; another member has its own.
	p.check(p.SetQuota(ctx, tenant, store.Quota{Bytes: size(three)}.Edit()))
	ack, err = p.Append(ctx, d.Member, []store.Item{two, one})
	if err != nil || ack.Dup != 2 {
		t.Errorf("duplicates over a quota that was made smaller: %+v, %v", ack, err)
	}
	other, _ := p.device(p.member(tenant))
	p.push(other.Member, NewAuthor(other, 1, rnd).Tap(1))
	p.check(p.SetQuota(ctx, tenant, store.Quota{}.Edit()))
	p.reopen()
	p.push(d.Member, three)
	holds(size(one, two, three), 3)
}

func (h Harness) parked(t *testing.T) {
	p, ctx := h.place(t), t.Context()
	rnd := rand.New(rand.NewPCG(6, 6))
	tenant, d := p.newDevice()
	e, _ := p.device(d.Member)
	_, foreign := p.newDevice()
	a := NewAuthor(d, 1, rnd)
	sent := a.Tap(1)
	p.push(d.Member, sent)
	kept := []store.Item{a.Tap(1), a.Edit(100), a.Edit(1), a.Tap(2)}
	invalid(t, "keeping apart what may be pushed", p.Park(ctx, d.ID, kept))
	p.check(p.RevokeDevice(ctx, d.ID))
	p.check(p.Park(ctx, d.ID, kept[:2]))
	p.check(p.Park(ctx, d.ID, append(slices.Clone(kept), kept...)))
	p.check(p.Park(ctx, d.ID, kept))
	p.check(p.Park(ctx, d.ID, nil))
	read := func(limit int) (all []store.Parked) {
		t.Helper()
		for after := int64(0); ; {
			page, err := p.ParkedOf(ctx, d.ID, after, limit)
			p.check(err)
			if limit > 0 && len(page) > limit {
				t.Fatalf("page of %d, asked for %d", len(page), limit)
			}
			if len(page) == 0 {
				return all
			}
			all, after = append(all, page...), page[len(page)-1].ID
		}
	}
	check := func(taken int) (all []store.Parked) {
		t.Helper()
		for _, limit := range []int{0, 1, 3} {
			if all = read(limit); len(all) != len(kept) {
				t.Fatalf("%d changes are kept, want %d", len(all), len(kept))
			}
			for i, k := range all {
				if k.Item.Doc != kept[i].Doc || k.Item.Change.Hash() != kept[i].Change.Hash() || string(k.Item.Change.Raw()) != string(kept[i].Change.Raw()) {
					t.Errorf("kept change %d is another", i)
				}
				if k.Taken.IsZero() == (i < taken) || time.Since(k.Arrived).Abs() > time.Minute {
					t.Errorf("kept change %d: %+v, want %d taken over", i, k, taken)
				}
			}
		}
		if info, err := p.DeviceByID(ctx, d.ID); err != nil || info.Parked != len(kept)-taken {
			t.Errorf("device %+v, %v, want %d parked", info, err, len(kept)-taken)
		}
		return all
	}
	all := check(0)
	p.reopen()
	check(0)
	if head, err := p.Head(ctx, d.Member); err != nil || head.Seq != 1 {
		t.Errorf("head %+v, %v: what is kept apart is not the member's", head, err)
	}
	// Taken over: it is pushed, then marked.
	p.push(d.Member, kept[:2]...)
	for range 2 {
		p.check(p.TakeParked(ctx, d.ID, []int64{all[0].ID, all[1].ID, all[0].ID}))
		check(2)
	}
	want(t, "taking what is another device's", p.TakeParked(ctx, e.ID, []int64{all[2].ID}), store.ErrNotFound)
	want(t, "taking what is not kept", p.TakeParked(ctx, d.ID, []int64{all[2].ID, all[3].ID + 99}), store.ErrNotFound)
	want(t, "taking of no device", p.TakeParked(ctx, crdt.DeviceID{9}, nil), store.ErrNotFound)
	check(2)
	// A device that brings it once more changes nothing.
	p.check(p.Park(ctx, d.ID, kept))
	check(2)
	want(t, "keeping of no device", p.Park(ctx, crdt.DeviceID{9}, kept), store.ErrNotFound)
	_, err := p.ParkedOf(ctx, crdt.DeviceID{9}, 0, 10)
	want(t, "kept of no device", err, store.ErrNotFound)
	invalid(t, "keeping nothing", p.Park(ctx, d.ID, []store.Item{{Doc: crdt.ContactsDoc}}))
	for _, name := range []crdt.DocName{"log-2026-11\xff", crdt.DocName(strings.Repeat("n", store.MaxParkedName+1))} {
		invalid(t, "keeping of a document without a proper name", p.Park(ctx, d.ID, []store.Item{{Doc: name, Change: a.Tap(4).Change}}))
	}
	if list, err := p.ParkedOf(ctx, e.ID, 0, 10); err != nil || len(list) != 0 {
		t.Errorf("kept of a device that may sync: %+v, %v", list, err)
	}
	// Devices of two companies may have the same bytes: each has its own.
	p.check(p.RevokeDevice(ctx, foreign.ID))
	p.check(p.Park(ctx, foreign.ID, kept[:1]))
	if list, err := p.ParkedOf(ctx, foreign.ID, 0, 10); err != nil || len(list) != 1 {
		t.Errorf("kept of another company's device: %+v, %v", list, err)
	}
	check(2)

	// What is kept takes no room from the member's other devices, and can be taken over as long as there is room for it.
	m, err := p.MemberByID(ctx, d.Member)
	p.check(err)
	waits := int64(kept[2].Change.Len() + kept[3].Change.Len())
	more := a.Tap(3)
	p.check(p.SetQuota(ctx, tenant, store.Quota{Bytes: waits + int64(more.Change.Len()) - 1}.Edit()))
	want(t, "keeping more than the quota", p.Park(ctx, d.ID, []store.Item{more}), store.ErrQuota)
	p.check(p.Park(ctx, d.ID, kept))
	f := NewAuthor(e, 1, rnd)
	mine := f.Tap(1)
	p.check(p.SetQuota(ctx, tenant, store.Quota{Bytes: m.Bytes + waits + int64(mine.Change.Len())}.Edit()))
	p.push(d.Member, mine)
	_, err = p.Append(ctx, d.Member, []store.Item{kept[2], kept[3], f.Tap(1)})
	want(t, "taking over more than there is room for", err, store.ErrQuota)
	check(2)
	p.push(d.Member, kept[2:]...)
	p.check(p.TakeParked(ctx, d.ID, []int64{all[2].ID, all[3].ID}))
	check(4)
	p.check(p.SetQuota(ctx, tenant, store.Quota{}.Edit()))

	// Set aside for good: it is shown, and counts no more.
	p.check(p.RevokeDevice(ctx, e.ID))
	aside := []store.Item{f.Tap(1), f.Tap(1), f.Tap(1)}
	p.check(p.SetQuota(ctx, tenant, store.Quota{Bytes: sizeOf(aside)}.Edit()))
	p.check(p.Park(ctx, e.ID, aside[:2]))
	for _, n := range []int{2, 0} {
		if got, err := p.DiscardParked(ctx, e.ID); err != nil || got != n {
			t.Errorf("%d set aside, %v, want %d", got, err, n)
		}
	}
	p.check(p.Park(ctx, e.ID, aside)) // what was set aside does not come back
	p.reopen()
	list, err := p.ParkedOf(ctx, e.ID, 0, 0)
	p.check(err)
	for i, k := range list {
		if len(list) != 3 || k.Discarded.IsZero() == (i < 2) || !k.Taken.IsZero() || k.Waits() != (i == 2) || k.Item.Change.Hash() != aside[i].Change.Hash() {
			t.Errorf("set aside, and not: %d of %d: %+v", i, len(list), k)
		}
	}
	if info, err := p.DeviceByID(ctx, e.ID); err != nil || info.Parked != 1 {
		t.Errorf("device %+v, %v, want 1 parked", info, err)
	}
	p.check(p.TakeParked(ctx, e.ID, []int64{list[0].ID}))
	if again, err := p.ParkedOf(ctx, e.ID, 0, 1); err != nil || again[0].Discarded.IsZero() {
		t.Errorf("set aside and taken over: %+v, %v", again, err)
	}
	// Of documents that no member can have: kept, and refused to whoever takes them over.
	_, g := p.newDevice()
	p.check(p.RevokeDevice(ctx, g.ID))
	odd, of := []store.Item(nil), NewAuthor(g, 1, rnd)
	for _, name := range []crdt.DocName{"diary", "", "a\x00b\n", crdt.DocName(strings.Repeat("é", store.MaxParkedName/2)), "diary"} {
		odd = append(odd, of.Write(name, []automerge.Op{{Key: fmt.Sprint(len(odd)), Action: automerge.Put, Value: automerge.Value{Kind: automerge.KindInt}}}))
	}
	p.check(p.Park(ctx, g.ID, odd[:2]))
	p.check(p.Park(ctx, g.ID, odd))
	p.reopen()
	list, err = p.ParkedOf(ctx, g.ID, 0, 0)
	p.check(err)
	for i, k := range list {
		if len(list) != len(odd) || k.Item.Doc != odd[i].Doc || k.Item.Change.Hash() != odd[i].Change.Hash() {
			t.Errorf("kept of an odd document: %d of %d: %q", i, len(list), k.Item.Doc)
		}
		ack, err := p.Append(ctx, g.Member, []store.Item{{Doc: k.Item.Doc, Change: k.Item.Change, Carrier: g.ID}})
		if err != nil || len(ack.Rejected) != 1 || ack.Rejected[0].Code != wire.CodeDocument {
			t.Errorf("taking over %q: %+v, %v", k.Item.Doc, ack, err)
		}
	}
	_, err = p.DiscardParked(ctx, crdt.DeviceID{9})
	want(t, "setting aside of no device", err, store.ErrNotFound)
	check(4)
}

// tooMuch: a revoked device cannot fill the store, nor can all of a member's.
func (h Harness) tooMuch(t *testing.T) {
	if testing.Short() {
		t.Skip("keeps 256 MiB")
	}
	p, ctx := h.place(t), t.Context()
	_, d := p.newDevice()
	p.check(p.RevokeDevice(ctx, d.ID))
	a := NewAuthor(d, 1, rand.New(rand.NewPCG(7, 7)))
	text := strings.Repeat("0123456789abcdef", 50_000)
	total := 0
	var last store.Item
	var all []store.Item
	for i := 0; ; i++ {
		last = a.Write(crdt.ProfileDoc, []automerge.Op{{
			Key: fmt.Sprint(i), Action: automerge.Put, Value: automerge.Value{Kind: automerge.KindString, Str: text},
		}})
		err := p.Park(ctx, d.ID, []store.Item{last})
		if total += last.Change.Len(); total > store.MaxParkedBytes {
			want(t, "keeping more than may be kept", err, store.ErrQuota)
			break
		}
		p.check(err)
		all = append(all, last)
	}
	n := 0
	for after := int64(0); ; {
		page, err := p.ParkedOf(ctx, d.ID, after, 0)
		p.check(err)
		if len(page) == 0 {
			break
		}
		bytes := 0
		for _, k := range page {
			bytes += k.Item.Change.Len()
		}
		if n, after = n+bytes, page[len(page)-1].ID; bytes > 40<<20 {
			t.Errorf("a page has %d bytes", bytes)
		}
	}
	if n != total-last.Change.Len() {
		t.Errorf("%d bytes are kept, want %d", n, total-last.Change.Len())
	}

	// The member's others may bring what is left of MaxParkedMember, and then no more, however little.
	var others []store.Device
	for left := store.MaxParkedMember - n; left > 0; {
		e, _ := p.device(d.Member)
		p.check(p.RevokeDevice(ctx, e.ID))
		others = append(others, e)
		for _, it := range all {
			err := p.Park(ctx, e.ID, []store.Item{it})
			if left -= it.Change.Len(); left < 0 {
				want(t, "keeping more than may be kept of a member", err, store.ErrQuota)
				break
			}
			p.check(err)
		}
	}
	if len(others) != store.MaxParkedMember/store.MaxParkedBytes {
		t.Errorf("the member's room was used up by %d more devices", len(others))
	}
	_, foreign := p.newDevice()
	p.check(p.RevokeDevice(ctx, foreign.ID))
	p.check(p.Park(ctx, foreign.ID, all[:1])) // of another member
	for {
		done, err := p.DiscardParked(ctx, others[0].ID)
		if p.check(err); done == 0 {
			break
		}
	}
	p.check(p.Park(ctx, others[len(others)-1].ID, []store.Item{last})) // there is room again
}
