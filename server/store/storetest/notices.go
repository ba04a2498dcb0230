package storetest

import (
	"bytes"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"trio/crdt"
	"trio/server/store"
)

func subscription(d store.Device, endpoint string) store.Subscription {
	return store.Subscription{
		Device: d.ID, Endpoint: "https://push.example.net/" + endpoint,
		Public: bytes.Repeat([]byte{4}, 65), Secret: bytes.Repeat([]byte{7}, 16),
	}
}

// subscribed returns the ends of the endpoints of a member, in order.
func (p *place) subscribed(m crdt.MemberID) string {
	p.t.Helper()
	list, err := p.Subscriptions(p.t.Context(), m)
	p.check(err)
	s := ""
	for _, x := range list {
		if len(x.Public) != 65 || len(x.Secret) != 16 || x.Created.IsZero() || x.Tenant == 0 || x.Member != m {
			p.t.Errorf("subscription %+v", x)
		}
		s += x.Endpoint[strings.LastIndexByte(x.Endpoint, '/')+1:] + " "
	}
	return s
}

// subscriptions: a device has one at most, an endpoint is one device's, and who may not sync is told nothing.
func (h Harness) subscriptions(t *testing.T) {
	p := h.place(t)
	ctx := t.Context()
	company := p.tenant()
	maya, tom := p.member(company), p.member(company)
	phone, _ := p.device(maya)
	tablet, _ := p.device(maya)
	toms, _ := p.device(tom)
	has := func(why string, m crdt.MemberID, want string) {
		t.Helper()
		if got := p.subscribed(m); got != want {
			t.Errorf("%s: subscribed are %q, want %q", why, got, want)
		}
	}
	reminded := func(why string, want int) {
		t.Helper()
		list, err := p.Reminders(ctx, time.Now(), store.Reminder{}, 0)
		if err != nil || len(list) != want {
			t.Errorf("%s: reminders %+v, %v, want %d", why, list, err, want)
		}
	}
	has("nobody", maya, "")
	want(t, "a device that is not there", p.Subscribe(ctx, subscription(store.Device{ID: crdt.DeviceID{1}}, "x")), store.ErrNotFound)
	want(t, "the same", p.Unsubscribe(ctx, crdt.DeviceID{1}, ""), store.ErrNotFound)
	want(t, "the same", p.Delivered(ctx, crdt.DeviceID{1}, "x", true), store.ErrNotFound)
	long := subscription(phone, strings.Repeat("x", store.MaxEndpoint))
	invalid(t, "too long", p.Subscribe(ctx, long))
	invalid(t, "no keys", p.Subscribe(ctx, store.Subscription{Device: phone.ID, Endpoint: "https://push.example.net/"}))
	p.check(p.Unsubscribe(ctx, phone.ID, ""))
	p.check(p.Subscribe(ctx, subscription(phone, "one")))
	p.check(p.Subscribe(ctx, subscription(phone, "two")))
	p.check(p.Subscribe(ctx, subscription(tablet, "three")))
	p.check(p.Subscribe(ctx, subscription(toms, "four")))
	has("each device has one", maya, "two three ")
	reminded("two members", 2)
	p.reopen()
	has("opened again", maya, "two three ")
	p.check(p.Unsubscribe(ctx, phone.ID, subscription(phone, "one").Endpoint))
	has("an old endpoint is taken back", maya, "two three ")
	p.check(p.Subscribe(ctx, subscription(toms, "two")))
	has("the browser became Tom's", maya, "three ")
	has("the browser became Tom's", tom, "two ")
	p.check(p.Unsubscribe(ctx, tablet.ID, ""))
	has("taken back", maya, "")
	reminded("Maya has none", 1)

	// Deliveries that fail one after the other end it; one that does not begins anew.
	at := subscription(toms, "two").Endpoint
	for i := range store.MaxFailures - 1 {
		p.check(p.Delivered(ctx, toms.ID, at, false))
		if list, err := p.Subscriptions(ctx, tom); err != nil || len(list) != 1 || list[0].Failures != i+1 {
			t.Fatalf("after %d failures: %+v, %v", i+1, list, err)
		}
	}
	p.check(p.Delivered(ctx, toms.ID, at, true))
	for range store.MaxFailures {
		p.check(p.Delivered(ctx, toms.ID, "https://push.example.net/four", false)) // which it has not any more
	}
	for range store.MaxFailures {
		has("still there", tom, "two ")
		p.check(p.Delivered(ctx, toms.ID, at, false))
	}
	has("given up", tom, "")
	reminded("nobody", 0)
	p.check(p.Delivered(ctx, toms.ID, at, false))

	// Revoking ends it, and nothing begins it again.
	p.check(p.Subscribe(ctx, subscription(phone, "five")))
	p.check(p.RevokeDevice(ctx, phone.ID))
	has("revoked", maya, "")
	reminded("revoked", 0)
	invalid(t, "revoked", p.Subscribe(ctx, subscription(phone, "six")))
	has("revoked", maya, "")
	p.check(p.LeaveDevice(ctx, phone.ID))
}

// reminders are replaced by one of those who try, at whichever node, and come in order.
func (h Harness) reminders(t *testing.T) {
	p := h.place(t)
	ctx := t.Context()
	nodes := p.nodes()
	defer func() {
		for _, n := range nodes[1:] {
			p.check(n.Close())
		}
	}()
	company := p.tenant()
	begin := time.UnixMilli(1_800_000_000_000)
	var members []crdt.MemberID
	for i := range 5 {
		d, _ := p.device(p.member(company))
		members = append(members, d.Member)
		p.check(p.Subscribe(ctx, subscription(d, fmt.Sprint(i))))
	}
	if ok, err := p.SetReminder(ctx, store.Reminder{Member: p.member(company)}, time.Time{}); ok || err != nil {
		t.Errorf("set for a member without subscriptions: %v, %v", ok, err)
	}
	var mu sync.Mutex
	won := map[string]int{}
	var wg sync.WaitGroup
	for i := range 4 {
		n := nodes[i%len(nodes)]
		wg.Go(func() {
			for round := range 6 {
				was := time.Time{}
				if round > 0 {
					was = begin.Add(time.Duration(round) * time.Hour)
				}
				for j, m := range members {
					next := begin.Add(time.Duration(round+1) * time.Hour)
					ok, err := n.SetReminder(ctx, store.Reminder{Member: m, Next: next, Given: next, Ignored: i, Head: uint64(round)}, was)
					if err != nil {
						t.Error(err)
						return
					}
					if ok {
						mu.Lock()
						won[fmt.Sprint(j, " ", round)]++
						mu.Unlock()
					}
				}
			}
		})
	}
	wg.Wait()
	for j := range members {
		for round := range 6 {
			if n := won[fmt.Sprint(j, " ", round)]; n != 1 {
				t.Errorf("reminder %d of round %d was set %d times", j, round, n)
			}
		}
	}
	for i, m := range members { // two at a time
		ok, err := p.SetReminder(ctx, store.Reminder{Member: m, Next: begin.Add(time.Duration(i/2) * time.Minute), Ignored: i}, begin.Add(6*time.Hour))
		if !ok || err != nil {
			t.Fatal(ok, err)
		}
	}
	p.reopenBeside(nodes)
	var all []store.Reminder
	for after := (store.Reminder{}); ; after = all[len(all)-1] {
		list, err := p.Reminders(ctx, begin.Add(time.Minute), after, 1)
		p.check(err)
		if len(list) == 0 {
			break
		}
		all = append(all, list...)
	}
	if len(all) != 4 {
		t.Fatalf("until the second: %+v", all)
	}
	for i, r := range all {
		if r.Member != members[i] || r.Ignored != i || r.Tenant != company || !r.Given.IsZero() || !r.Next.Equal(begin.Add(time.Duration(i/2)*time.Minute)) {
			t.Errorf("%d: %+v", i, r)
		}
	}
	if list, err := p.Reminders(ctx, begin.Add(-time.Millisecond), store.Reminder{}, 0); err != nil || len(list) != 0 {
		t.Errorf("before the first: %+v, %v", list, err)
	}
}

// reopenBeside opens the place again while other nodes go on, where it has any.
func (p *place) reopenBeside(nodes []store.Store) {
	if len(nodes) == 1 {
		p.reopen()
	}
}

// claims: of those who claim a notice at once, at whichever node, one has it; and they agree on one key.
func (h Harness) claims(t *testing.T) {
	p := h.place(t)
	ctx := t.Context()
	nodes := p.nodes()
	defer func() {
		for _, n := range nodes[1:] {
			p.check(n.Close())
		}
	}()
	_, err := p.WebPushKey(ctx, nil)
	invalid(t, "an empty key", err)
	company := p.tenant()
	a, b := p.member(company), p.member(company)
	_, err = p.ClaimNotice(ctx, crdt.MemberID{1}, "x", time.Now())
	want(t, "a claim for no member", err, store.ErrNotFound)
	_, err = p.ClaimNotice(ctx, a, strings.Repeat("x", store.MaxNoticeKey+1), time.Now())
	invalid(t, "a long key", err)
	_, err = p.ClaimNotice(ctx, a, "", time.Now())
	invalid(t, "no key", err)
	const claimers, notices = 4, 10
	until := time.Now().Add(time.Hour)
	var mu sync.Mutex
	won, keys := map[string]int{}, map[string]bool{}
	var wg sync.WaitGroup
	for i := range claimers {
		n := nodes[i%len(nodes)]
		wg.Go(func() {
			key, err := n.WebPushKey(ctx, bytes.Repeat([]byte{byte(i + 1)}, 32))
			mu.Lock()
			keys[string(key)] = true
			mu.Unlock()
			for j := 0; j < notices && err == nil; j++ {
				for who, m := range []crdt.MemberID{a, b} {
					var ok bool
					if ok, err = n.ClaimNotice(ctx, m, fmt.Sprint("notice ", j), until); ok {
						mu.Lock()
						won[fmt.Sprint(who, j)]++
						mu.Unlock()
					}
				}
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	for k, n := range won {
		if n != 1 {
			t.Errorf("notice %s was claimed by %d", k, n)
		}
	}
	if len(won) != 2*notices || len(keys) != 1 || keys[""] {
		t.Errorf("%d of %d notices were claimed; %d keys", len(won), 2*notices, len(keys))
	}
	p.reopenBeside(nodes)
	if ok, err := p.ClaimNotice(ctx, a, "notice 0", until); ok || err != nil {
		t.Errorf("claimed again: %v, %v", ok, err)
	}
	if key, err := p.WebPushKey(ctx, bytes.Repeat([]byte{9}, 32)); err != nil || !keys[string(key)] {
		t.Errorf("another key %x, %v", key, err)
	}
	// What is over is forgotten with the next claim, at some time.
	if ok, err := p.ClaimNotice(ctx, a, "past", time.Now().Add(-time.Minute)); !ok || err != nil {
		t.Error(ok, err)
	}
	if ok, err := p.ClaimNotice(ctx, b, "other", until); !ok || err != nil {
		t.Error(ok, err)
	}
}
