package storetest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"trio/crdt"
	"trio/server/store"
)

// A crowd is what the store must say of one company. Its steps are made by one goroutine, beside those of other crowds on
// the same store, and each knows what must come of it.
type crowd struct {
	ctx   context.Context
	s     store.Store
	rnd   *rand.Rand
	c     store.Company
	keys  []*keyModel
	all   []*memberModel
	other *crowd // read for ids alone, which must not work here
	mu    sync.Mutex
	ids   struct { // of this crowd, for another one
		member      crdt.MemberID
		invite, key int64
	}
}

type keyModel struct {
	store.APIKey
	secret string
}

type memberModel struct {
	store.Member
	devices []*deviceModel
	invites []*inviteModel
	waits   int64 // bytes kept apart and not taken over
	sponsor *memberModel
}

type deviceModel struct {
	store.DeviceInfo
	token  string
	author *Author
	unsent []store.Item // made and not stored, for want of quota or as it was revoked
	parked []store.Item
	taken  int // of parked, from the first
}

type inviteModel struct {
	store.Invite
	code string
	by   *deviceModel
}

func pick[T any](rnd *rand.Rand, list []T) (x T, ok bool) {
	if len(list) == 0 {
		return x, false
	}
	return list[rnd.IntN(len(list))], true
}

// step does one random thing; an error is what went wrong.
func (w *crowd) step() error {
	if m, ok := pick(w.rnd, w.all); ok && w.rnd.IntN(16) > 0 {
		d, has := pick(w.rnd, m.devices)
		switch w.rnd.IntN(13) {
		case 0:
			return w.edit(m)
		case 1:
			return w.newDevice(m)
		case 2, 3:
			return w.invite(m, d)
		case 4, 5:
			return w.redeem(m)
		case 6:
			return w.takeBack(m)
		case 7:
			if has {
				return w.revoke(m, d)
			}
		case 8:
			if has {
				return w.saw(d)
			}
		case 9, 10, 11:
			if has && d.Revoked {
				return w.park(m, d)
			} else if has {
				return w.push(m, d)
			}
		case 12:
			if has && d.Revoked {
				return w.takeOver(m, d)
			}
		}
		return nil
	}
	switch w.rnd.IntN(6) {
	case 0:
		w.c.Quota = store.Quota{Members: w.rnd.IntN(2) * (1 + w.rnd.IntN(20)), Devices: w.rnd.IntN(2) * (1 + w.rnd.IntN(6)), Bytes: int64(w.rnd.IntN(2) * w.rnd.IntN(20_000))}
		return w.s.SetQuota(w.ctx, w.c.ID, w.c.Quota.Edit())
	case 1:
		return w.key()
	case 2:
		return w.strange()
	default:
		return w.newMember()
	}
}

// outcome says what is wrong when an error is not what it has to be.
func outcome(what string, err, wanted error) error {
	if !errors.Is(err, wanted) {
		return fmt.Errorf("%s: %w, want %w", what, errors.Join(err), errors.Join(wanted))
	}
	return nil
}

func (w *crowd) newMember() error {
	m := &memberModel{Member: store.Member{Tenant: w.c.ID, Name: fmt.Sprint("member ", len(w.all)), Team: fmt.Sprint("team ", w.rnd.IntN(3))}}
	if s, ok := pick(w.rnd, w.all); ok && w.rnd.IntN(3) > 0 {
		m.sponsor, m.Sponsor = s, s.ID
	}
	id, err := w.s.CreateMember(w.ctx, m.Member)
	if q := w.c.Quota.Members; q > 0 && len(w.all) >= q {
		return outcome("member over the quota", err, store.ErrQuota)
	}
	if err != nil {
		return err
	}
	got, err := w.s.MemberByID(w.ctx, id)
	m.ID, m.Created = id, got.Created
	w.all = append(w.all, m)
	w.c.Members++
	w.mu.Lock()
	w.ids.member = id
	w.mu.Unlock()
	return err
}

func (w *crowd) edit(m *memberModel) error {
	var e store.MemberEdit
	want := m.Member
	if w.rnd.IntN(2) == 0 {
		want.Name = fmt.Sprint("renamed ", w.rnd.IntN(100))
		e.Name = &want.Name
	}
	if w.rnd.IntN(2) == 0 {
		want.Team = strings.Repeat("t", w.rnd.IntN(3))
		e.Team = &want.Team
	}
	s := m.sponsor
	if w.rnd.IntN(2) == 0 {
		if s, _ = pick(w.rnd, w.all); w.rnd.IntN(4) == 0 {
			s = nil
		}
		want.Sponsor = crdt.MemberID{}
		if s != nil {
			want.Sponsor = s.ID
		}
		e.Sponsor = &want.Sponsor
	}
	err := w.s.EditMember(w.ctx, m.ID, e)
	for at := s; e.Sponsor != nil && at != nil; at = at.sponsor {
		if at == m {
			return outcome("circle of sponsors", err, store.ErrSponsor)
		}
	}
	if err == nil {
		m.Member, m.sponsor = want, s
	}
	return err
}

func (w *crowd) fullOfDevices(m *memberModel) bool {
	return w.c.Quota.Devices > 0 && m.Devices >= w.c.Quota.Devices
}

func (w *crowd) made(m *memberModel, d store.Device, token string, by *deviceModel) error {
	dev := &deviceModel{DeviceInfo: store.DeviceInfo{Device: d}, token: token, author: NewAuthor(d, 1, w.rnd)}
	if by != nil {
		dev.Pairer = by.ID
	}
	m.devices = append(m.devices, dev)
	m.Devices++
	w.c.Devices++
	if d.Member != m.ID || d.Tenant != w.c.ID || d.MemberName != m.Name {
		return fmt.Errorf("device %+v of member %+v", d, m.Member)
	}
	return nil
}

func (w *crowd) newDevice(m *memberModel) error {
	d, token, err := w.s.CreateDevice(w.ctx, m.ID, "a phone")
	if w.fullOfDevices(m) {
		return outcome("device over the quota", err, store.ErrQuota)
	}
	if err != nil {
		return err
	}
	return w.made(m, d, token, nil)
}

func (w *crowd) invite(m *memberModel, by *deviceModel) error {
	var id crdt.DeviceID
	if w.rnd.IntN(2) == 0 {
		by = nil
	}
	if by != nil {
		id = by.ID
	}
	i, code, err := w.s.CreateInvite(w.ctx, m.ID, id, time.Now().Add(time.Hour))
	if by != nil && by.Revoked {
		return outcome("invitation by a revoked device", err, store.ErrNotFound)
	}
	open := 0
	for _, x := range m.invites {
		if x.Used.IsZero() && x.Revoked.IsZero() {
			open++
		}
	}
	if open >= store.MaxInvites {
		return outcome("very many invitations", err, store.ErrQuota)
	}
	if err != nil {
		return err
	}
	m.invites = append(m.invites, &inviteModel{Invite: i, code: code, by: by})
	w.mu.Lock()
	w.ids.invite = i.ID
	w.mu.Unlock()
	return nil
}

func (w *crowd) redeem(m *memberModel) error {
	i, ok := pick(w.rnd, m.invites)
	if !ok {
		return nil
	}
	code := i.code
	if w.rnd.IntN(2) == 0 {
		code = strings.ToLower(strings.ReplaceAll(code, "-", " "))
	}
	d, token, err := w.s.Redeem(w.ctx, code, "a tablet")
	switch {
	case !i.Used.IsZero() || !i.Revoked.IsZero() || i.by != nil && i.by.Revoked:
		return outcome("invitation that is not good", err, store.ErrExpired)
	case w.fullOfDevices(m):
		return outcome("device over the quota", err, store.ErrQuota)
	case err != nil:
		return err
	}
	i.Device, i.Used = d.ID, d.Created
	return w.made(m, d, token, i.by)
}

func (w *crowd) takeBack(m *memberModel) error {
	i, ok := pick(w.rnd, m.invites)
	if !ok {
		return nil
	}
	err := w.s.RevokeInvite(w.ctx, w.c.ID, i.ID)
	if !i.Used.IsZero() {
		return outcome("taking a used invitation back", err, store.ErrExpired)
	}
	if err == nil && i.Revoked.IsZero() {
		i.Revoked = someTime
	}
	return err
}

// someTime stands for a time that the store gave and the model does not know.
var someTime = time.UnixMilli(1).UTC()

// known has a time be someTime if it is not zero.
func known(at *time.Time) {
	if !at.IsZero() {
		*at = someTime
	}
}

func (w *crowd) revoke(m *memberModel, d *deviceModel) error {
	if w.rnd.IntN(2) > 0 && !d.Revoked {
		return nil
	}
	if d.Revoked && w.rnd.IntN(2) == 0 {
		d.Left = someTime
		return w.s.LeaveDevice(w.ctx, d.ID)
	}
	if !d.Revoked {
		m.Devices--
		w.c.Devices--
	}
	d.Revoked, d.RevokedAt = true, someTime
	return w.s.RevokeDevice(w.ctx, d.ID)
}

func (w *crowd) saw(d *deviceModel) error {
	g := store.Sighting{
		Device: d.ID, At: time.UnixMilli(1 + w.rnd.Int64N(1000)).UTC(), App: fmt.Sprint("trio ", w.rnd.IntN(10)),
		Receipt: w.rnd.Uint64N(1000), Pending: w.rnd.Uint64N(10),
	}
	if !g.At.Before(d.Seen) {
		d.Seen, d.App, d.Receipt, d.Pending = g.At, g.App, g.Receipt, g.Pending
	}
	return w.s.Saw(w.ctx, []store.Sighting{g, {Device: crdt.DeviceID{9}, At: g.At}})
}

func sizeOf(items []store.Item) (n int64) {
	for _, it := range items {
		n += int64(it.Change.Len())
	}
	return n
}

func (w *crowd) overBytes(m *memberModel, more int64) bool {
	return w.c.Quota.Bytes > 0 && more > 0 && m.Bytes+more > w.c.Quota.Bytes
}

func (w *crowd) push(m *memberModel, d *deviceModel) error {
	for range 1 + w.rnd.IntN(3) {
		d.unsent = append(d.unsent, d.author.Tap(1))
	}
	ack, err := w.s.Append(w.ctx, m.ID, d.unsent)
	if w.overBytes(m, sizeOf(d.unsent)) {
		return outcome("push over the quota", err, store.ErrQuota)
	}
	if err != nil {
		return err
	}
	if ack.New != len(d.unsent) {
		return fmt.Errorf("push of %d: %+v", len(d.unsent), ack)
	}
	m.Changes += uint64(ack.New)
	m.Bytes += sizeOf(d.unsent)
	d.unsent = nil
	return nil
}

func (w *crowd) park(m *memberModel, d *deviceModel) error {
	if w.rnd.IntN(3) > 0 {
		d.unsent = append(d.unsent, d.author.Tap(1))
	}
	err := w.s.Park(w.ctx, d.ID, append(slices.Clone(d.parked), d.unsent...))
	if more := sizeOf(d.unsent); w.c.Quota.Bytes > 0 && more > 0 && m.waits+more > w.c.Quota.Bytes {
		return outcome("keeping over the quota", err, store.ErrQuota)
	}
	if err != nil {
		return err
	}
	m.waits += sizeOf(d.unsent)
	d.parked, d.unsent = append(d.parked, d.unsent...), nil
	d.Parked = len(d.parked) - d.taken
	return nil
}

func (w *crowd) takeOver(m *memberModel, d *deviceModel) error {
	n := w.rnd.IntN(len(d.parked) - d.taken + 1)
	items := d.parked[d.taken : d.taken+n]
	ack, err := w.s.Append(w.ctx, m.ID, items)
	if w.overBytes(m, sizeOf(items)) {
		return outcome("taking over more than the quota", err, store.ErrQuota)
	}
	if err != nil || ack.New != n {
		return fmt.Errorf("taking %d over: %+v, %w", n, ack, err)
	}
	kept, err := parkedOf(w.s, d.ID, w.rnd)
	if err != nil {
		return err
	}
	var ids []int64
	for _, k := range kept[:d.taken+n] {
		ids = append(ids, k.ID)
	}
	m.Changes += uint64(n)
	m.Bytes += sizeOf(items)
	m.waits -= sizeOf(items)
	d.taken += n
	d.Parked -= n
	return w.s.TakeParked(w.ctx, d.ID, ids)
}

func parkedOf(s store.Store, d crdt.DeviceID, rnd *rand.Rand) (all []store.Parked, err error) {
	for after := int64(0); ; {
		page, err := s.ParkedOf(context.Background(), d, after, 1+rnd.IntN(4))
		if err != nil || len(page) == 0 {
			return all, err
		}
		all, after = append(all, page...), page[len(page)-1].ID
	}
}

func (w *crowd) key() error {
	if k, ok := pick(w.rnd, w.keys); ok && w.rnd.IntN(2) == 0 {
		k.Revoked = someTime
		return w.s.RevokeAPIKey(w.ctx, w.c.ID, k.ID)
	}
	scopes := []store.Scope{store.Scopes[w.rnd.IntN(len(store.Scopes))]}
	k, secret, err := w.s.CreateAPIKey(w.ctx, w.c.ID, "a key", scopes...)
	if err != nil {
		return err
	}
	w.keys = append(w.keys, &keyModel{k, secret})
	w.mu.Lock()
	w.ids.key = k.ID
	w.mu.Unlock()
	return nil
}

// strange tries what is another company's.
func (w *crowd) strange() error {
	w.other.mu.Lock()
	ids := w.other.ids
	w.other.mu.Unlock()
	_, err := w.s.Members(w.ctx, w.c.ID, ids.member, 10)
	if ids.member == (crdt.MemberID{}) {
		err = store.ErrNotFound
	}
	wrong := outcome("page after another company's member", err, store.ErrNotFound)
	wrong = errors.Join(wrong, outcome("another company's invitation", w.s.RevokeInvite(w.ctx, w.c.ID, ids.invite), store.ErrNotFound))
	wrong = errors.Join(wrong, outcome("another company's key", w.s.RevokeAPIKey(w.ctx, w.c.ID, ids.key), store.ErrNotFound))
	if m, ok := pick(w.rnd, w.all); ok && ids.member != (crdt.MemberID{}) {
		wrong = errors.Join(wrong, outcome("another company's sponsor", w.s.EditMember(w.ctx, m.ID, store.MemberEdit{Sponsor: &ids.member}), store.ErrSponsor))
	}
	return wrong
}

// check compares all that the store says of the company with the model.
func (w *crowd) check() error {
	c, err := w.s.TenantByID(w.ctx, w.c.ID)
	if err != nil || c != w.c {
		return fmt.Errorf("company %+v, %w, want %+v", c, err, w.c)
	}
	keys, err := w.s.APIKeys(w.ctx, w.c.ID)
	if err != nil || len(keys) != len(w.keys) {
		return fmt.Errorf("%d keys, %w, want %d", len(keys), err, len(w.keys))
	}
	for i, k := range w.keys {
		known(&keys[i].Revoked)
		if !reflect.DeepEqual(keys[i], k.APIKey) {
			return fmt.Errorf("key %+v, want %+v", keys[i], k.APIKey)
		}
		got, err := w.s.APIKeyBySecret(w.ctx, k.secret)
		if !k.Revoked.IsZero() {
			err = outcome("revoked key", err, store.ErrNotFound)
		} else if err == nil && !reflect.DeepEqual(got, k.APIKey) {
			err = fmt.Errorf("key by its secret %+v, want %+v", got, k.APIKey)
		}
		if err != nil {
			return err
		}
	}
	var ms []store.Member
	for after := (crdt.MemberID{}); ; after = ms[len(ms)-1].ID {
		page, err := w.s.Members(w.ctx, w.c.ID, after, 1+w.rnd.IntN(5))
		if err != nil {
			return err
		}
		if len(page) == 0 {
			break
		}
		ms = append(ms, page...)
	}
	if len(ms) != len(w.all) {
		return fmt.Errorf("%d members, want %d", len(ms), len(w.all))
	}
	for i, m := range w.all {
		if ms[i] != m.Member {
			return fmt.Errorf("member %+v, want %+v", ms[i], m.Member)
		}
		if err := w.checkMember(m); err != nil {
			return err
		}
	}
	return nil
}

func (w *crowd) checkMember(m *memberModel) error {
	is, err := w.s.Invites(w.ctx, m.ID)
	if err != nil || len(is) != len(m.invites) {
		return fmt.Errorf("%d invitations, %w, want %d", len(is), err, len(m.invites))
	}
	for i, x := range m.invites {
		known(&is[i].Revoked)
		if is[i] != x.Invite {
			return fmt.Errorf("invitation %+v, want %+v", is[i], x.Invite)
		}
	}
	ds, err := w.s.Devices(w.ctx, m.ID)
	if err != nil || len(ds) != len(m.devices) {
		return fmt.Errorf("%d devices, %w, want %d", len(ds), err, len(m.devices))
	}
	for i, d := range m.devices {
		d.MemberName = m.Name
		if one, err := w.s.DeviceByID(w.ctx, d.ID); err != nil || one != ds[i] {
			return fmt.Errorf("device %+v, %w, listed as %+v", one, err, ds[i])
		}
		if got, err := w.s.DeviceByToken(w.ctx, d.token); err != nil || got != d.Device {
			return fmt.Errorf("device by its token %+v, %w, want %+v", got, err, d.Device)
		}
		known(&ds[i].RevokedAt)
		known(&ds[i].Left)
		if ds[i] != d.DeviceInfo {
			return fmt.Errorf("device %+v, want %+v", ds[i], d.DeviceInfo)
		}
		kept, err := parkedOf(w.s, d.ID, w.rnd)
		if err != nil || len(kept) != len(d.parked) {
			return fmt.Errorf("%d changes are kept, %w, want %d", len(kept), err, len(d.parked))
		}
		for i, k := range kept {
			if k.Item.Change.Hash() != d.parked[i].Change.Hash() || k.Item.Doc != d.parked[i].Doc || k.Taken.IsZero() == (i < d.taken) {
				return fmt.Errorf("kept change %d %+v, want %d of %d taken over", i, k, d.taken, len(kept))
			}
		}
	}
	return nil
}

// people: companies that do what they like beside one another are each as their own model says, before and after the store
// is opened again.
func (h Harness) people(t *testing.T) {
	const companies = 4
	rounds, steps := 4, 150
	if testing.Short() {
		rounds, steps = 2, 60
	}
	s := seed(t)
	p := h.place(t)
	crowds := make([]*crowd, companies)
	for i := range crowds {
		c, err := p.TenantByID(t.Context(), p.tenant())
		p.check(err)
		crowds[i] = &crowd{ctx: context.Background(), rnd: rand.New(rand.NewPCG(s, uint64(i))), c: c}
	}
	for i, w := range crowds {
		w.other = crowds[(i+1)%companies]
	}
	for round := range rounds {
		var wg sync.WaitGroup
		errs := make([]error, companies)
		for i, w := range crowds {
			w.s = p.Store
			wg.Go(func() {
				for n := range steps {
					if err := w.step(); err != nil {
						errs[i] = fmt.Errorf("round %d, company %d, step %d: %w", round, i, n, err)
						return
					}
				}
				errs[i] = w.check()
			})
		}
		wg.Wait()
		p.check(errors.Join(errs...))
		p.reopen()
		for _, w := range crowds {
			w.s = p.Store
			p.check(w.check())
		}
	}
	n := map[string]int{}
	for _, w := range crowds {
		n["members"] += len(w.all)
		for _, m := range w.all {
			n["devices"], n["invitations"] = n["devices"]+len(m.devices), n["invitations"]+len(m.invites)
			for _, d := range m.devices {
				n["parked"], n["taken over"] = n["parked"]+len(d.parked), n["taken over"]+d.taken
			}
		}
	}
	t.Log(n)
}
