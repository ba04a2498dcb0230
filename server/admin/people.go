package admin

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"trio/crdt"
	"trio/server/store"
)

// How long an invitation is good.
const (
	InviteDays    = 7  // of a company, when it does not say
	MaxInviteDays = 30 // at most
	PairTime      = 15 * time.Minute
)

// Member is a promoter as the company sees one.
type Member struct {
	ID      crdt.MemberID `json:"id"`
	Name    string        `json:"name"`
	Team    string        `json:"team,omitempty"`
	Sponsor crdt.MemberID `json:"sponsor,omitzero"`
	Created time.Time     `json:"created"`
	Changes uint64        `json:"changes"` // in the member's order
	Bytes   int64         `json:"bytes"`   // of them
	Devices int           `json:"devices"` // that may sync
}

func member(m store.Member) Member {
	return Member{ID: m.ID, Name: m.Name, Team: m.Team, Sponsor: m.Sponsor, Created: m.Created, Changes: m.Changes, Bytes: m.Bytes, Devices: m.Devices}
}

func aboutMember(m crdt.MemberID) string { return "member " + m.String() }

// memberOf returns a member that the caller sees.
func (s *Service) memberOf(ctx context.Context, by Caller, m crdt.MemberID) (store.Member, error) {
	found, err := s.store.MemberByID(ctx, m)
	if err == nil && !by.sees(found.Tenant) {
		err = store.ErrNotFound
	}
	return found, mended(err, aboutMember(m))
}

// Member returns a member.
func (s *Service) Member(ctx context.Context, by Caller, m crdt.MemberID) (Member, error) {
	found, err := s.memberOf(ctx, by, m)
	return member(found), err
}

// memberAfter reads Page.After where items are named by members.
func (p Page) memberAfter() (m crdt.MemberID, err error) {
	if p.After != "" && m.UnmarshalText([]byte(p.After)) != nil {
		return m, badPage("after", fmt.Sprintf("%.40q is not a member's id", p.After))
	}
	return m, nil
}

// Members returns a company's members in the order of their making.
func (s *Service) Members(ctx context.Context, by Caller, t store.Tenant, p Page) (List[Member], error) {
	if !by.sees(t) {
		return List[Member]{}, notFound(aboutCompany(t))
	}
	limit, err := p.limit()
	if err != nil {
		return List[Member]{}, err
	}
	after, err := p.memberAfter()
	if err != nil {
		return List[Member]{}, err
	}
	if after != (crdt.MemberID{}) {
		if _, err := s.memberOf(ctx, by, after); err != nil {
			return List[Member]{}, err
		}
	}
	ms, err := s.store.Members(ctx, t, after, limit)
	if err != nil {
		return List[Member]{}, mended(err, aboutCompany(t))
	}
	l := cut(ms, limit, member, memberID)
	if len(ms) == limit { // the store takes no more than a page, so ask whether there is another one
		more, err := s.store.Members(ctx, t, ms[limit-1].ID, 1)
		if err != nil {
			return List[Member]{}, err
		}
		if len(more) > 0 {
			l.Next = memberID(ms[limit-1])
		}
	}
	return l, nil
}

func memberID(m store.Member) string { return m.ID.String() }

// NewMember is what a member is made of.
type NewMember struct {
	Name    string
	Team    string        // "" for none
	Sponsor crdt.MemberID // zero for none
	ID      crdt.MemberID // that the member had before a restore; zero: a new one. Of the operator alone
}

// CreateMember makes a member of a company.
func (s *Service) CreateMember(ctx context.Context, by Caller, t store.Tenant, n NewMember) (Member, error) {
	if !by.sees(t) {
		return Member{}, notFound(aboutCompany(t))
	}
	var w wrong
	n.Name, n.Team = w.name("name", n.Name, true), w.name("team", n.Team, false)
	if err := w.err(); err != nil {
		return Member{}, err
	}
	m, err := s.store.CreateMember(ctx, store.Member{ID: n.ID, Tenant: t, Name: n.Name, Team: n.Team, Sponsor: n.Sponsor})
	if invalid, ok := errors.AsType[store.Invalid](err); ok && n.ID != (crdt.MemberID{}) {
		return Member{}, &Error{http.StatusConflict, "member", invalid.Error(), "only a member that is not known here has to be made again"}
	}
	if err != nil {
		return Member{}, mended(err, aboutCompany(t))
	}
	made, err := s.Member(ctx, by, m)
	if err != nil { // it is made, as it was asked for
		made = Member{ID: m, Name: n.Name, Team: n.Team, Sponsor: n.Sponsor, Created: s.now().UTC()}
	}
	return made, nil
}

// EditMember changes what of a member is not nil.
func (s *Service) EditMember(ctx context.Context, by Caller, m crdt.MemberID, e store.MemberEdit) (Member, error) {
	if _, err := s.memberOf(ctx, by, m); err != nil {
		return Member{}, err
	}
	var w wrong
	if e.Name != nil {
		*e.Name = w.name("name", *e.Name, true)
	}
	if e.Team != nil {
		*e.Team = w.name("team", *e.Team, false)
	}
	if err := w.err(); err != nil {
		return Member{}, err
	}
	if err := s.store.EditMember(ctx, m, e); err != nil {
		return Member{}, mended(err, aboutMember(m))
	}
	done, err := s.Member(ctx, by, m)
	return done, unread(err)
}

// MaxDepth bounds how far down a tree is asked for.
const MaxDepth = 1000

// Branch is a member in the sponsor tree: Depth 0 is the root that was asked for, or who has no sponsor.
type Branch struct {
	Depth int `json:"depth"`
	Member
}

// Tree returns the members below root, itself first, down to a depth; each stands behind its sponsor, and who was made
// earlier goes first. A zero root is the whole company. The tree is read as the page needs it, so its size does not matter.
func (s *Service) Tree(ctx context.Context, by Caller, t store.Tenant, root crdt.MemberID, depth int, p Page) (List[Branch], error) {
	if !by.sees(t) {
		return List[Branch]{}, notFound(aboutCompany(t))
	}
	if depth < 0 || depth > MaxDepth {
		return List[Branch]{}, &Error{http.StatusBadRequest, "parameter", fmt.Sprintf("depth: is %d: want 0 to %d", depth, MaxDepth), "0 is the root alone"}
	}
	limit, err := p.limit()
	if err != nil {
		return List[Branch]{}, err
	}
	after, err := p.memberAfter()
	if err != nil {
		return List[Branch]{}, err
	}
	walk := &walk{store: s.store, tenant: t, depth: depth}
	l := List[Branch]{Items: []Branch{}}
	add := func(b Branch) (full bool) {
		if len(l.Items) == limit {
			l.Next = l.Items[limit-1].ID.String()
			return true
		}
		l.Items = append(l.Items, b)
		return false
	}
	switch {
	case after != (crdt.MemberID{}):
		if err := walk.resume(ctx, root, after); err != nil {
			return List[Branch]{}, mended(err, "after: "+aboutMember(after)+" in this tree")
		}
	case root != (crdt.MemberID{}):
		m, err := s.memberOf(ctx, by, root)
		if err == nil && m.Tenant != t {
			err = notFound(aboutMember(root))
		}
		if err != nil {
			return List[Branch]{}, err
		}
		add(Branch{0, member(m)})
		walk.down(root, 0)
	default:
		walk.down(root, -1)
	}
	for {
		b, ok, err := walk.next(ctx)
		if err != nil {
			return List[Branch]{}, mended(err, aboutCompany(t))
		}
		if !ok || add(b) {
			return l, nil
		}
	}
}

// walk goes through a tree from sponsors to those they brought, reading a few of these at a time.
type walk struct {
	store  store.Store
	tenant store.Tenant
	depth  int
	levels []level
}

// level is where a walk stands among those whom one member sponsors.
type level struct {
	sponsor, last crdt.MemberID
	depth         int // of those sponsored
	ahead         []store.Member
	done          bool // nothing comes after ahead
}

// down has the walk go on among those whom a member at a depth sponsors.
func (w *walk) down(sponsor crdt.MemberID, depth int) {
	if depth < w.depth {
		w.levels = append(w.levels, level{sponsor: sponsor, depth: depth + 1})
	}
}

// resume has the walk go on behind a member, which must stand below root, or be it; ErrNotFound if it does not.
func (w *walk) resume(ctx context.Context, root, after crdt.MemberID) error {
	var up []store.Member // from after to the root
	for at := after; ; {
		m, err := w.store.MemberByID(ctx, at)
		if err != nil {
			return err
		}
		if m.Tenant != w.tenant || len(up) > store.MaxSponsors {
			return store.ErrNotFound
		}
		up = append(up, m)
		if at == root || root == (crdt.MemberID{}) && m.Sponsor == root {
			break
		}
		if at = m.Sponsor; at == (crdt.MemberID{}) {
			return store.ErrNotFound
		}
	}
	top := len(up) - 1
	for i := top; i >= 0; i-- {
		if depth := top - i; root == (crdt.MemberID{}) || i < top {
			w.levels = append(w.levels, level{sponsor: up[i].Sponsor, depth: depth, last: up[i].ID})
		}
	}
	w.down(after, top)
	return nil
}

// page is how many a walk reads at once.
const walkPage = 64

func (w *walk) next(ctx context.Context) (b Branch, ok bool, err error) {
	for len(w.levels) > 0 {
		l := &w.levels[len(w.levels)-1]
		if len(l.ahead) == 0 && !l.done {
			if l.ahead, err = w.store.Sponsored(ctx, w.tenant, l.sponsor, l.last, walkPage); err != nil {
				return b, false, err
			}
			l.done = len(l.ahead) < walkPage
		}
		if len(l.ahead) == 0 {
			w.levels = w.levels[:len(w.levels)-1]
			continue
		}
		m := l.ahead[0]
		l.ahead, l.last = l.ahead[1:], m.ID
		b = Branch{l.depth, member(m)}
		w.down(m.ID, b.Depth)
		return b, true, nil
	}
	return b, false, nil
}

// Invite is an invitation to make a device of a member.
type Invite struct {
	ID      int64         `json:"id"`
	Member  crdt.MemberID `json:"member"`
	By      crdt.DeviceID `json:"by,omitzero"` // the member's device that invites; none: the company
	Created time.Time     `json:"created"`
	Expires time.Time     `json:"expires"`
	State   string        `json:"state"` // open, used, revoked or expired
	Used    time.Time     `json:"used,omitzero"`
	Device  crdt.DeviceID `json:"device,omitzero"` // that it became
	Revoked time.Time     `json:"revoked,omitzero"`
}

// NewInvite is an invitation with what to give to the person; it is shown this once.
type NewInvite struct {
	Invite
	Code string `json:"code"`
	Link string `json:"link"`
	QR   string `json:"qr"` // of the link, as SVG
}

func (s *Service) invite(i store.Invite) Invite {
	v := Invite{ID: i.ID, Member: i.Member, By: i.By, Created: i.Created, Expires: i.Expires, Used: i.Used, Device: i.Device, Revoked: i.Revoked}
	switch {
	case !i.Used.IsZero():
		v.State = "used"
	case !i.Revoked.IsZero():
		v.State = "revoked"
	case !s.now().Before(i.Expires):
		v.State = "expired"
	default:
		v.State = "open"
	}
	return v
}

// Invite invites a member to make a device: its first one, or a further one. It is good for so many days, 0 for
// InviteDays.
func (s *Service) Invite(ctx context.Context, by Caller, m crdt.MemberID, days int) (NewInvite, error) {
	if _, err := s.memberOf(ctx, by, m); err != nil {
		return NewInvite{}, err
	}
	var w wrong
	if days == 0 {
		days = InviteDays
	}
	if days < 1 || days > MaxInviteDays {
		w.add("days", "is %d: want 1 to %d", days, MaxInviteDays)
	}
	if err := w.err(); err != nil {
		return NewInvite{}, err
	}
	return s.makeInvite(ctx, m, crdt.DeviceID{}, time.Duration(days)*24*time.Hour)
}

func (s *Service) makeInvite(ctx context.Context, m crdt.MemberID, by crdt.DeviceID, good time.Duration) (NewInvite, error) {
	i, code, err := s.store.CreateInvite(ctx, m, by, s.now().Add(good))
	if err != nil {
		return NewInvite{}, mended(err, aboutMember(m))
	}
	n := NewInvite{Invite: s.invite(i), Code: code, Link: s.Link(code)}
	if s.draw == nil {
		return n, nil
	}
	n.QR, err = s.draw(n.Link)
	return n, err
}

// Invites returns a member's invitations, old ones included.
func (s *Service) Invites(ctx context.Context, by Caller, m crdt.MemberID, p Page) (List[Invite], error) {
	if _, err := s.memberOf(ctx, by, m); err != nil {
		return List[Invite]{}, err
	}
	all, err := s.store.Invites(ctx, m)
	if err != nil {
		return List[Invite]{}, mended(err, aboutMember(m))
	}
	return page(p, all, s.invite, func(i store.Invite) int64 { return i.ID })
}

// RevokeInvite takes an invitation of a company back.
func (s *Service) RevokeInvite(ctx context.Context, by Caller, t store.Tenant, id int64) error {
	about := fmt.Sprintf("invitation %d", id)
	if !by.sees(t) {
		return notFound(about)
	}
	return mended(s.store.RevokeInvite(ctx, t, id), about)
}
