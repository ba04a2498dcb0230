package admin

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"trio/crdt"
	"trio/crdt/automerge"
	"trio/crdt/wire"
	"trio/server/intake"
	"trio/server/store"
)

// Device is a device as its company, and its member, see it.
type Device struct {
	ID      crdt.DeviceID `json:"id"`
	Member  crdt.MemberID `json:"member"`
	Name    string        `json:"name"`
	State   string        `json:"state"` // active, revoked, or left: revoked, and it said that it is empty
	Created time.Time     `json:"created"`
	By      crdt.DeviceID `json:"by,omitzero"` // the member's device that invited it; none: the company did
	App     string        `json:"app,omitempty"`
	Seen    time.Time     `json:"seen,omitzero"` // none: it never came, or only by the open door, where none says what it has
	Receipt uint64        `json:"receipt"`       // the last one that it has proved to have, as a number in the member's order; 0: it has proved nothing
	Pending uint64        `json:"pending"`       // changes that were only on it when it was last seen
	Revoked time.Time     `json:"revoked,omitzero"`
	Left    time.Time     `json:"left,omitzero"`
	Unsent  int           `json:"unsent"` // changes kept apart that nobody has taken over or set aside
}

func device(d store.DeviceInfo) Device {
	v := Device{
		ID: d.ID, Member: d.Member, Name: d.Name, State: "active", Created: d.Created, By: d.Pairer, App: d.App, Seen: d.Seen, Receipt: d.Receipt,
		Pending: d.Pending, Revoked: d.RevokedAt, Left: d.Left, Unsent: d.Parked,
	}
	switch {
	case !d.Left.IsZero():
		v.State = "left"
	case d.Revoked:
		v.State = "revoked"
	}
	return v
}

func aboutDevice(d crdt.DeviceID) string { return "device " + d.String() }

// deviceOf returns a device that the caller sees.
func (s *Service) deviceOf(ctx context.Context, by Caller, d crdt.DeviceID) (store.DeviceInfo, error) {
	found, err := s.store.DeviceByID(ctx, d)
	if err == nil && !by.sees(found.Tenant) {
		err = store.ErrNotFound
	}
	return found, mended(err, aboutDevice(d))
}

// Device returns a device.
func (s *Service) Device(ctx context.Context, by Caller, d crdt.DeviceID) (Device, error) {
	found, err := s.deviceOf(ctx, by, d)
	return device(found), err
}

// Devices returns a member's devices, revoked ones included.
func (s *Service) Devices(ctx context.Context, by Caller, m crdt.MemberID, p Page) (List[Device], error) {
	if _, err := s.memberOf(ctx, by, m); err != nil {
		return List[Device]{}, err
	}
	return s.devices(ctx, m, p)
}

func (s *Service) devices(ctx context.Context, m crdt.MemberID, p Page) (List[Device], error) {
	limit, err := p.limit()
	if err != nil {
		return List[Device]{}, err
	}
	all, err := s.store.Devices(ctx, m)
	if err != nil {
		return List[Device]{}, mended(err, aboutMember(m))
	}
	if p.After != "" {
		i := slices.IndexFunc(all, func(d store.DeviceInfo) bool { return d.ID.String() == p.After })
		if i < 0 {
			return List[Device]{}, badPage("after", fmt.Sprintf("%.40q is not a device of the member", p.After))
		}
		all = all[i+1:]
	}
	return cut(all, limit, device, func(d store.DeviceInfo) string { return d.ID.String() }), nil
}

// NewDevice is a device with the token that it signs in with, which is shown this once.
type NewDevice struct {
	Device
	Token string `json:"token"`
}

// CreateDevice makes a device without an invitation.
func (s *Service) CreateDevice(ctx context.Context, by Caller, m crdt.MemberID, name string) (NewDevice, error) {
	if _, err := s.memberOf(ctx, by, m); err != nil {
		return NewDevice{}, err
	}
	var w wrong
	name = w.name("name", name, true)
	if err := w.err(); err != nil {
		return NewDevice{}, err
	}
	d, token, err := s.store.CreateDevice(ctx, m, name)
	return NewDevice{device(store.DeviceInfo{Device: d}), token}, mended(err, aboutMember(m))
}

// Revoke takes a device's right to sync, for good. When it comes again it brings what it had not sent, empties itself and
// says so.
func (s *Service) Revoke(ctx context.Context, by Caller, d crdt.DeviceID) (Device, error) {
	if _, err := s.deviceOf(ctx, by, d); err != nil {
		return Device{}, err
	}
	if err := s.store.RevokeDevice(ctx, d); err != nil {
		return Device{}, mended(err, aboutDevice(d))
	}
	done, err := s.Device(ctx, by, d)
	return done, unread(err)
}

// Own devices: what a device may ask for its member. A device whose access was taken back may nothing any more.

func stillIn(d store.Device) error {
	if d.Revoked {
		return &Error{http.StatusForbidden, "revoked", "the access of this device was taken back", "ask for a new invitation"}
	}
	return nil
}

// Pair invites a further device of the member of the device that asks. The code is good for PairTime.
func (s *Service) Pair(ctx context.Context, d store.Device) (NewInvite, error) {
	if err := stillIn(d); err != nil {
		return NewInvite{}, err
	}
	return s.makeInvite(ctx, d.Member, d.ID, PairTime)
}

// OwnDevices returns the devices of the member of the device that asks.
func (s *Service) OwnDevices(ctx context.Context, d store.Device, p Page) (List[Device], error) {
	if err := stillIn(d); err != nil {
		return List[Device]{}, err
	}
	return s.devices(ctx, d.Member, p)
}

// RevokeOwn takes a device of the member of the device that asks its right to sync: a lost one, or itself to sign out.
func (s *Service) RevokeOwn(ctx context.Context, d store.Device, lost crdt.DeviceID) (Device, error) {
	if err := stillIn(d); err != nil {
		return Device{}, err
	}
	found, err := s.store.DeviceByID(ctx, lost)
	if err == nil && found.Member != d.Member {
		err = store.ErrNotFound
	}
	if err == nil {
		err = s.store.RevokeDevice(ctx, lost)
	}
	if err == nil {
		found, err = s.store.DeviceByID(ctx, lost)
		err = unread(err)
	}
	return device(found), mended(err, aboutDevice(lost))
}

// Joined is what a device gets for a code.
type Joined struct {
	Token  string        `json:"token"` // shown this once
	Device crdt.DeviceID `json:"device"`
	Member crdt.MemberID `json:"member"`
	Name   string        `json:"name"` // the member's
	URL    string        `json:"url"`  // where the device syncs
}

// Join makes the device that an invitation is for. Who has a code needs nothing else.
func (s *Service) Join(ctx context.Context, code, name string) (Joined, error) {
	var w wrong
	if strings.TrimSpace(code) == "" {
		w.add("code", "is missing: give the one of the invitation")
	}
	name = w.name("device", name, true)
	if err := w.err(); err != nil {
		return Joined{}, err
	}
	now := s.now()
	turn := s.misses.ReserveN(now, 1)
	if turn.DelayFrom(now) > 0 {
		turn.CancelAt(now)
		return Joined{}, &Error{http.StatusTooManyRequests, "limit", "codes that do not exist are tried too often, maybe by others", "come back in a minute"}
	}
	d, token, err := s.store.Redeem(ctx, code, name)
	if !errors.Is(err, store.ErrNotFound) {
		turn.CancelAt(now) // it was no miss
	}
	if err != nil {
		return Joined{}, mended(err, "this code")
	}
	return Joined{Token: token, Device: d.ID, Member: d.Member, Name: d.MemberName, URL: s.syncURL()}, nil
}

// Kept is a change that a revoked device had not sent, as a company may see it: what and when, no names, numbers or notes.
type Kept struct {
	ID       int64        `json:"id"`
	Document crdt.DocName `json:"document"`
	Written  time.Time    `json:"written"` // as the device says
	Arrived  time.Time    `json:"arrived"`
	Taken    time.Time    `json:"taken,omitzero"`     // it was taken over
	Aside    time.Time    `json:"discarded,omitzero"` // it was set aside for good
	Bytes    int          `json:"bytes"`
	Entries  []KeptEntry  `json:"entries,omitempty"`  // of the log that it writes, the first MaxKeptEntries
	Logged   int          `json:"logged,omitempty"`   // how many entries it writes in all
	Contacts int          `json:"contacts,omitempty"` // that it changes
	Fields   []string     `json:"fields,omitempty"`   // of contacts or of the profile that it changes
	What     string       `json:"what"`               // all of this in words
}

// KeptEntry is an entry of the log that was kept apart.
type KeptEntry struct {
	Kind string    `json:"kind"`
	At   time.Time `json:"at"`
}

// MaxKeptEntries is how many entries of one change are told one by one.
const MaxKeptEntries = 20

// contactFields are the fields of contacts in words. A field's key may hold a number or an address behind the slash, so what
// is not here is not told.
var contactFields = map[string]string{
	crdt.FieldName: "name", crdt.FieldStage: "stage", crdt.FieldPhone: "phone number", crdt.FieldEmail: "e-mail address", crdt.FieldTag: "tag",
	crdt.FieldBirthday: "birthday", crdt.FieldConsent: "consent", crdt.FieldSnooze: "snooze", crdt.FieldMergedInto: "merge", crdt.FieldHousehold: "household",
	crdt.FieldCompany: "company", crdt.FieldNote: "note", crdt.FieldZone: "time zone", crdt.FieldSource: "source", crdt.FieldCreated: "creation", crdt.FieldDeleted: "deletion",
}

// family is a field without what may stand behind its slash.
func family(field string) string {
	if i := strings.IndexByte(field, '/'); i >= 0 {
		return field[:i+1]
	}
	return field
}

func kept(p store.Parked) Kept {
	c := p.Item.Change
	k := Kept{ID: p.ID, Document: p.Item.Doc, Arrived: p.Arrived, Taken: p.Taken, Aside: p.Discarded, Bytes: c.Len()}
	if c.Time > 0 && c.Time <= crdt.MaxTime/1000 { // of seconds
		k.Written = time.Unix(c.Time, 0).UTC()
	}
	contacts, fields := map[crdt.ContactID]bool{}, map[string]bool{}
	for i := range c.Ops {
		op := &c.Ops[i]
		if !op.Obj.IsRoot() || op.IsList {
			continue
		}
		switch {
		case p.Item.Doc.IsLog():
			k.Logged++
			if e, err := crdt.ParseEntry(op.Value.Str); op.Value.Kind == automerge.KindString && err == nil && len(k.Entries) < MaxKeptEntries {
				k.Entries = append(k.Entries, KeptEntry{string(e.Kind), time.UnixMilli(e.At).UTC()})
			}
		case p.Item.Doc == crdt.ContactsDoc:
			if id, field, err := crdt.SplitContactKey(op.Key); err == nil {
				contacts[id] = true
				if word, ok := contactFields[family(field)]; ok {
					fields[word] = true
				} else {
					fields["another field"] = true
				}
			}
		case p.Item.Doc == crdt.ProfileDoc:
			fields["profile"] = true
		}
	}
	k.Contacts = len(contacts)
	k.Fields = slices.Sorted(maps.Keys(fields))
	k.What = k.words()
	return k
}

// words says what a change is.
func (k *Kept) words() string {
	switch {
	case k.Document.IsLog():
		var list []string
		for _, e := range k.Entries {
			list = append(list, fmt.Sprintf("%s on %s", e.Kind, e.At.Format("2 Jan 2006 15:04")))
		}
		if more := k.Logged - len(k.Entries); more > 0 {
			list = append(list, fmt.Sprintf("%d more", more))
		}
		return fmt.Sprintf("%s: %s (UTC)", count(k.Logged, "log entry", "log entries"), strings.Join(list, ", "))
	case k.Document == crdt.ContactsDoc:
		return fmt.Sprintf("%s changed: %s", count(k.Contacts, "contact", "contacts"), strings.Join(k.Fields, ", "))
	}
	if k.Document == crdt.ProfileDoc {
		return "the member's own profile changed"
	}
	return "a document changed that this server does not know: it may be one of a newer app"
}

func count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

// Unsent returns what a revoked device had not sent before, taken over or not.
func (s *Service) Unsent(ctx context.Context, by Caller, d crdt.DeviceID, p Page) (List[Kept], error) {
	if _, err := s.deviceOf(ctx, by, d); err != nil {
		return List[Kept]{}, err
	}
	limit, err := p.limit()
	if err != nil {
		return List[Kept]{}, err
	}
	after, err := p.number()
	if err != nil {
		return List[Kept]{}, err
	}
	l := List[Kept]{Items: []Kept{}}
	for {
		list, err := s.store.ParkedOf(ctx, d, after, limit+1-len(l.Items))
		if err != nil || len(list) == 0 {
			return l, mended(err, aboutDevice(d))
		}
		for _, k := range list {
			if len(l.Items) == limit {
				l.Next = fmt.Sprint(after)
				return l, nil
			}
			l.Items, after = append(l.Items, kept(k)), k.ID
		}
	}
}

// Accepted is what became of what was kept apart.
type Accepted struct {
	Taken   int       `json:"taken"` // changes that are in the member's documents now
	Refused []Refused `json:"refused"`
	Next    string    `json:"next,omitempty"`   // there is more: accept again
	Failed  *Failure  `json:"failed,omitempty"` // what ended it before its time; what was taken stays so
}

// Refused is a change that stays apart, and why.
type Refused struct {
	ID       int64        `json:"id"`
	Document crdt.DocName `json:"document"`
	Why      string       `json:"why"`
}

// Limits of taking over: one call is answered in time, and no push is larger than a device's own may be.
const (
	maxAccepted = 20_000 // changes of one call
	acceptPage  = 500    // of one push
)

// Accept takes over what a revoked device had not sent: it becomes a part of the member's documents, as if the device had
// sent it in time. What is refused stays apart with the reason. after is what an earlier answer named as next.
func (s *Service) Accept(ctx context.Context, by Caller, d crdt.DeviceID, p Page) (Accepted, error) {
	out := Accepted{Refused: []Refused{}}
	dev, err := s.deviceOf(ctx, by, d)
	if err != nil {
		return out, err
	}
	after, err := p.number()
	if err != nil {
		return out, err
	}
	for seen := 0; ; {
		list, err := s.store.ParkedOf(ctx, d, after, acceptPage)
		if err != nil || len(list) == 0 {
			return out, mended(err, aboutDevice(d))
		}
		if seen >= maxAccepted || len(out.Refused) >= MaxPage {
			out.Next = fmt.Sprint(after)
			return out, nil
		}
		seen += len(list)
		after = list[len(list)-1].ID
		if err := s.accept(ctx, dev.Device, list, &out); err != nil {
			return out, mended(err, aboutDevice(d))
		}
	}
}

// accept takes one page over: first they are stored, then they are marked.
func (s *Service) accept(ctx context.Context, d store.Device, list []store.Parked, out *Accepted) error {
	var items []store.Item
	var from []store.Parked
	before := len(out.Refused)
	refuse := func(k store.Parked, why string) {
		out.Refused = append(out.Refused, Refused{k.ID, k.Item.Doc, why})
	}
	for _, k := range list {
		if !k.Waits() {
			continue
		}
		it, refusal := intake.Item(d.Member, d.ID, wire.Item{Doc: k.Item.Doc, Change: k.Item.Change})
		if refusal != nil {
			refuse(k, refusal.Text)
			continue
		}
		items, from = append(items, it), append(from, k)
	}
	if len(items) == 0 {
		return nil
	}
	ack, err := s.store.Append(ctx, d.Member, items)
	if errors.Is(err, store.ErrQuota) && len(list) > 1 { // as much as there is room for
		out.Refused = out.Refused[:before]
		for _, half := range [][]store.Parked{list[:len(list)/2], list[len(list)/2:]} {
			if err := s.accept(ctx, d, half, out); err != nil {
				return err
			}
		}
		return nil
	}
	if err != nil {
		return err
	}
	no := map[int]bool{}
	for _, r := range ack.Rejected {
		no[r.Index] = true
		refuse(from[r.Index], r.Text)
	}
	slices.SortFunc(out.Refused, func(a, b Refused) int { return cmp.Compare(a.ID, b.ID) })
	var ids []int64
	for i, k := range from {
		if !no[i] {
			ids = append(ids, k.ID)
		}
	}
	out.Taken += len(ids)
	if len(ids) > 0 {
		if err := s.store.TakeParked(ctx, d.ID, ids); err != nil {
			return err
		}
	}
	return nil
}

// Discarded is how many changes were set aside.
type Discarded struct {
	Discarded int      `json:"discarded"`
	Failed    *Failure `json:"failed,omitempty"` // what ended it before its time
}

// maxDiscards bounds the writes of one call: more than MaxParkedBytes can be, even of a device that sends on meanwhile.
const maxDiscards = 1000

// Discard sets aside for good what is kept of a device and was not taken over: it is still shown, and counts no more. It is
// nobody's but a person's to decide.
func (s *Service) Discard(ctx context.Context, by Caller, d crdt.DeviceID) (Discarded, error) {
	var out Discarded
	if _, err := s.deviceOf(ctx, by, d); err != nil {
		return out, err
	}
	for range maxDiscards {
		n, err := s.store.DiscardParked(ctx, d)
		out.Discarded += n
		if err != nil {
			return out, mended(err, aboutDevice(d))
		}
		if n < store.MaxParkedPage {
			break
		}
	}
	return out, nil
}
