package storetest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"trio/crdt"
	"trio/server/store"
)

// tree: whom a member sponsors is told page by page, in the order of their making, wherever members were moved to
// meanwhile; and no company is told of another one's.
func (h Harness) tree(t *testing.T) {
	ctx := context.Background()
	s := seed(t)
	rnd := rand.New(rand.NewPCG(s, 0))
	p := h.place(t)
	type company struct {
		id      store.Tenant
		members []crdt.MemberID
		sponsor map[crdt.MemberID]crdt.MemberID
	}
	companies := make([]*company, 2)
	for i := range companies {
		id, err := p.CreateTenant(ctx, fmt.Sprintf("company %d", i))
		if err != nil {
			t.Fatal(err)
		}
		companies[i] = &company{id: id, sponsor: map[crdt.MemberID]crdt.MemberID{}}
	}
	anyOf := func(c *company) (m crdt.MemberID) {
		if n := len(c.members); n > 0 && rnd.IntN(5) > 0 {
			m = c.members[rnd.IntN(n)]
		}
		return m
	}
	for i := range 60 {
		c := companies[rnd.IntN(2)]
		up := anyOf(c)
		if i%3 == 2 && len(c.members) > 0 { // somebody gets another sponsor
			m := c.members[rnd.IntN(len(c.members))]
			below := false
			for at := up; at != (crdt.MemberID{}); at = c.sponsor[at] {
				below = below || at == m
			}
			err := p.EditMember(ctx, m, store.MemberEdit{Sponsor: &up})
			if below != errors.Is(err, store.ErrSponsor) || !below && err != nil {
				t.Fatalf("a circle: %v, told %v", below, err)
			}
			if !below {
				c.sponsor[m] = up
			}
			continue
		}
		m, err := p.CreateMember(ctx, store.Member{Tenant: c.id, Name: fmt.Sprintf("member %d", i), Sponsor: up})
		if err != nil {
			t.Fatal(err)
		}
		c.members = append(c.members, m)
		c.sponsor[m] = up
	}
	for _, c := range companies {
		for _, up := range append([]crdt.MemberID{{}}, c.members...) {
			var want, got []crdt.MemberID
			for _, m := range c.members {
				if c.sponsor[m] == up {
					want = append(want, m)
				}
			}
			for limit, after := 1+rnd.IntN(4), (crdt.MemberID{}); ; {
				page, err := p.Sponsored(ctx, c.id, up, after, limit)
				if err != nil || len(page) > limit {
					t.Fatalf("%d of %d: %v", len(page), limit, err)
				}
				if len(page) == 0 {
					break
				}
				for _, m := range page {
					if m.Sponsor != up || m.Tenant != c.id {
						t.Fatalf("%+v is told of %v", m, up)
					}
					got = append(got, m.ID)
				}
				after = got[len(got)-1]
			}
			if !slices.Equal(got, want) {
				t.Fatalf("%v sponsors %v, told %v", up, want, got)
			}
		}
	}
	a, b := companies[0], companies[1]
	for _, tt := range []struct {
		t             store.Tenant
		sponsor, next crdt.MemberID
	}{{a.id, b.members[0], crdt.MemberID{}}, {a.id, a.members[0], b.members[0]}, {a.id, crdt.MemberID{1}, crdt.MemberID{}}, {1 << 40, crdt.MemberID{}, crdt.MemberID{}}} {
		if page, err := p.Sponsored(ctx, tt.t, tt.sponsor, tt.next, 10); !errors.Is(err, store.ErrNotFound) || page != nil {
			t.Errorf("company %d, sponsor %v, after %v: %v, %v", tt.t, tt.sponsor, tt.next, page, err)
		}
	}
}
