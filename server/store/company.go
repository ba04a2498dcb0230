package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"trio/crdt"
)

// Errors of people and their devices.
var (
	// ErrQuota: a company or a member has as much as the company's quota lets it have; nothing was stored.
	ErrQuota = errors.New("quota is used up")
	// ErrExpired: the invitation was good once: its time is over, it was used, or it was taken back.
	ErrExpired = errors.New("invitation is not good any more: ask for a new one")
	// ErrSponsor: the sponsor is of another company, or stands below the member in the tree.
	ErrSponsor = errors.New("sponsor cannot be: it has to be a member of the same company who does not stand below")
	// ErrOvertaken: the newest playbook is not the one that the publisher knew; nothing was published.
	ErrOvertaken = errors.New("another playbook was published meanwhile")
	// ErrTaken: the newest playbook is the one that the publisher knew, but the version is not to be published any more, as
	// devices hold it: publish the same with a higher one.
	ErrTaken = errors.New("the playbook's version is taken")
)

// Quota bounds a company. Zero fields bound nothing.
type Quota struct {
	Members int   // members of the company
	Devices int   // devices of one member that may sync
	Bytes   int64 // of one member's changes as they came; as much again may be kept apart of its revoked devices
}

// Edit is the change of a quota that makes it this one, whatever it was.
func (q Quota) Edit() QuotaEdit { return QuotaEdit{&q.Members, &q.Devices, &q.Bytes} }

// QuotaEdit changes what is not nil.
type QuotaEdit struct {
	Members *int
	Devices *int
	Bytes   *int64
}

// Company is a tenant as an operator sees it.
type Company struct {
	ID      Tenant
	Name    string
	Created time.Time
	Quota   Quota
	Members int
	Devices int // that may sync
}

// Scope is one thing that an API key may do in its company.
type Scope string

// The scopes. What a key may not do is refused with the scope that it lacks.
const (
	ScopeFeed      Scope = "feed"      // read the company's activity
	ScopeRead      Scope = "read"      // read members, devices, invitations, keys (not their secrets) and what was kept apart
	ScopePeople    Scope = "people"    // make and change members, invite, revoke
	ScopePlaybook  Scope = "playbook"  // publish the company's playbook, and read what was published
	ScopeKeys      Scope = "keys"      // make keys with no more scopes than its own, and revoke such keys
	ScopeCompanies Scope = "companies" // make companies, with a first key each, and set quotas; made on the command line only
)

// APIKey is what is known of a key; its secret is shown once, when it is made.
type APIKey struct {
	ID      int64
	Tenant  Tenant
	Name    string
	Scopes  []Scope // in the order above, each once
	Created time.Time
	Revoked time.Time // zero: not
}

// Member is a promoter as the company sees one.
type Member struct {
	ID      crdt.MemberID
	Tenant  Tenant
	Name    string
	Team    string        // "" for none
	Sponsor crdt.MemberID // zero for none
	Created time.Time
	Changes uint64 // in the member's order
	Bytes   int64  // of them, as they came
	Devices int    // that may sync
}

// MemberEdit changes what is not nil.
type MemberEdit struct {
	Name    *string
	Team    *string
	Sponsor *crdt.MemberID // zero takes the sponsor away
}

// DeviceInfo is a device as the company, and its member, see it.
type DeviceInfo struct {
	Device
	Pairer    crdt.DeviceID // the member's device that invited it; zero: the company did
	Seen      time.Time     // last heard of; zero: never
	App       string        // name and version of the program, as it says
	Receipt   uint64        // the last receipt that is known to be on it, as a number in the member's order
	Pending   uint64        // changes that were only on it when it was last heard of
	RevokedAt time.Time     // zero: not revoked
	Left      time.Time     // a revoked device said that it is empty; zero: it has not
	Parked    int           // changes that it had not sent before it was revoked, and nobody has taken over or set aside
}

// Sighting is what a live connection learned of a device.
type Sighting struct {
	Device  crdt.DeviceID
	At      time.Time
	App     string
	Receipt uint64
	Pending uint64
}

// Invite asks somebody to make a device of a member: a new member's first one, or a further one.
type Invite struct {
	ID      int64
	Member  crdt.MemberID
	By      crdt.DeviceID // the member's own device; zero: the company
	Created time.Time
	Expires time.Time
	Used    time.Time     // zero: not
	Device  crdt.DeviceID // that it became
	Revoked time.Time     // zero: not
}

// Parked is a change that a revoked device had not sent when it was revoked. It is kept apart from the member's documents
// until somebody takes it over, or sets it aside for good.
type Parked struct {
	ID        int64
	Item      Item // Doc and Change
	Arrived   time.Time
	Taken     time.Time // zero: not
	Discarded time.Time // set aside for good; zero: not
}

// Waits reports whether it is still to be decided what becomes of it. Only then its bytes count.
func (p Parked) Waits() bool { return p.Taken.IsZero() && p.Discarded.IsZero() }

// People is who may sync, and as whom. Tokens and keys are 256 random bits, codes of invitations 60; only hashes of them
// are stored. Lists are in the order of making; after is the last one of the page before, zero for the first page.
type People interface {
	CreateTenant(ctx context.Context, name string) (Tenant, error)
	// Tenants returns all companies.
	Tenants(ctx context.Context) ([]Company, error)
	// TenantByID returns one; ErrNotFound for none.
	TenantByID(ctx context.Context, t Tenant) (Company, error)
	// SetQuota changes a company's quota; of two at a time that change different things both count.
	SetQuota(ctx context.Context, t Tenant, e QuotaEdit) error

	// CreateAPIKey makes a key and returns it, once.
	CreateAPIKey(ctx context.Context, t Tenant, name string, scopes ...Scope) (k APIKey, secret string, err error)
	APIKeys(ctx context.Context, t Tenant) ([]APIKey, error)
	// RevokeAPIKey takes a key of the company back, for good; ErrNotFound for one of another company.
	RevokeAPIKey(ctx context.Context, t Tenant, id int64) error
	// APIKeyBySecret returns the key; ErrNotFound for any other text, and for a revoked one.
	APIKeyBySecret(ctx context.Context, secret string) (APIKey, error)

	// CreateMember makes a member; ErrQuota, ErrSponsor, ErrNotFound when there is no such company. Of m, Tenant, Name, Team
	// and Sponsor count, and ID, if it is not zero: that of a member whom a restored database does not know any more.
	CreateMember(ctx context.Context, m Member) (crdt.MemberID, error)
	// EditMember changes a member; ErrSponsor when the tree would get a circle.
	EditMember(ctx context.Context, m crdt.MemberID, e MemberEdit) error
	MemberByID(ctx context.Context, m crdt.MemberID) (Member, error)
	Members(ctx context.Context, t Tenant, after crdt.MemberID, limit int) ([]Member, error)
	// Sponsored returns those members of a company whose sponsor is one of its members; for zero those that have none.
	Sponsored(ctx context.Context, t Tenant, sponsor, after crdt.MemberID, limit int) ([]Member, error)

	// CreateInvite makes an invitation to make a device of m, which is good until it expires or was used once, and returns
	// its code. by is the member's device that pairs another one; zero when the company invites.
	CreateInvite(ctx context.Context, m crdt.MemberID, by crdt.DeviceID, expires time.Time) (i Invite, code string, err error)
	Invites(ctx context.Context, m crdt.MemberID) ([]Invite, error)
	// RevokeInvite takes an invitation of a member of the company back.
	RevokeInvite(ctx context.Context, t Tenant, id int64) error
	// Redeem makes the device that an invitation is for; only one caller gets it. ErrNotFound for a code that never was,
	// ErrExpired, ErrQuota. The form of the code (case, dashes, letters that look like digits) does not matter.
	Redeem(ctx context.Context, code, device string) (d Device, token string, err error)

	// CreateDevice makes a device without an invitation; ErrQuota.
	CreateDevice(ctx context.Context, m crdt.MemberID, name string) (d Device, token string, err error)
	// AdoptDevice makes a device known again that a restored database does not know; see SQLite.
	AdoptDevice(ctx context.Context, m crdt.MemberID, d crdt.DeviceID) error
	// ReadmitDevice makes a device that the database does not know, or has adopted, one that may sync, with a new token: a
	// device that was made after the backup that was put back comes in again with all that is on it. A device that is known
	// otherwise is left as it is: Invalid, or ErrNotFound when it is another member's.
	ReadmitDevice(ctx context.Context, m crdt.MemberID, d crdt.DeviceID) (token string, err error)
	// DeviceByToken returns the device, revoked ones included; ErrNotFound for any other text.
	DeviceByToken(ctx context.Context, token string) (Device, error)
	DeviceByID(ctx context.Context, d crdt.DeviceID) (DeviceInfo, error)
	Devices(ctx context.Context, m crdt.MemberID) ([]DeviceInfo, error)
	// RevokeDevice takes a device its right to sync, for good. It may still come once to bring what it had not sent (Park)
	// and to say that it is empty (Leave).
	RevokeDevice(ctx context.Context, d crdt.DeviceID) error
	// Saw notes what connections learned, in one write; of two sightings of a device the later one counts.
	Saw(ctx context.Context, list []Sighting) error
	// Park keeps changes of a revoked device apart, durably; those that it has kept already are skipped, set aside or not.
	// What is kept takes no room from the member's own devices. ErrQuota when MaxParkedBytes of the device are kept, or of
	// the member MaxParkedMember or its quota: the device then keeps them. The document may be one that no member can have
	// (see MayKeep), so that a device whose app is newer than the server can leave: whoever takes it over is refused that.
	Park(ctx context.Context, d crdt.DeviceID, items []Item) error
	// ParkedOf returns what is kept of a device, also when it was taken over or set aside.
	ParkedOf(ctx context.Context, d crdt.DeviceID, after int64, limit int) ([]Parked, error)
	// TakeParked marks what was kept as taken over: it is in the member's documents now. What was set
	// aside stays so.
	TakeParked(ctx context.Context, d crdt.DeviceID, ids []int64) error
	// DiscardParked sets aside for good what is kept of a device and was not taken over, the oldest MaxParkedPage changes of
	// it, and returns how many. They are kept and shown, and count no more. Nothing does so but somebody's explicit wish.
	DiscardParked(ctx context.Context, d crdt.DeviceID) (int, error)
	// LeaveDevice notes that a revoked device said that it is empty.
	LeaveDevice(ctx context.Context, d crdt.DeviceID) error
}

// Bounds of what is kept apart and waits to be taken over or set aside, in bytes as they came.
const (
	MaxParkedBytes  = 64 << 20           // of one revoked device
	MaxParkedMember = 4 * MaxParkedBytes // of all of a member's

	// MaxParkedName is the most bytes of a document's name that is kept: with it the smallest change takes about twice its
	// room, which is not counted.
	MaxParkedName = 128
)

// Playbook is one that a company has published. It never changes.
type Playbook struct {
	Tenant    Tenant
	Version   uint32   // 1 or more; the newest is the company's
	Hash      [32]byte // SHA-256 of Doc
	Fitted    uint32   // as the document says: 0 when people wrote its numbers
	By        string   // who published it, for people
	Published time.Time
	Size      int    // bytes of Doc
	Doc       []byte // canonical JSON; nil where only what is known of it was asked for
}

// PlaybookHead says how far a company's versions go. The zero value is that of a company without a playbook.
type PlaybookHead struct {
	Version uint32 // of the newest; 0: none
	Hash    [32]byte
	// Taken is the highest version that is never to be published any more: the newest, or a higher one that devices may hold
	// from before the database was put back from a backup.
	Taken uint32
}

// Playbooks are what companies have published. What is published is immutable and is never removed.
type Playbooks interface {
	// PublishPlaybook makes a playbook the company's newest one. Of p, Tenant, Version, Hash, Fitted, By and Doc count; its
	// Version has to be above Taken, by MaxPlaybookAhead at most, and after is the one that was the newest when it was made, 0
	// for none. Of several publishers at a time one succeeds and the others get ErrOvertaken, also when they give the same
	// again: who does not know what became of it looks. ErrTaken when devices took the version meanwhile. ErrNotFound: no such
	// company. Invalid.
	PublishPlaybook(ctx context.Context, p Playbook, after uint32) (Playbook, error)
	// PlaybookOf returns a version of a company's playbook, 0 for the newest; ErrNotFound for none.
	PlaybookOf(ctx context.Context, t Tenant, version uint32) (Playbook, error)
	// PlaybookHistory returns those before a version, or for 0 from the newest on, the newest first and without their Doc;
	// at most limit. ErrNotFound: no such company.
	PlaybookHistory(ctx context.Context, t Tenant, before uint32, limit int) ([]Playbook, error)
	// PlaybookHeads returns how far the versions of companies go, in one read; a company that is not there is left out. Each
	// is at least as new as every acknowledgement before the call, by whichever process. It is what makes up for lost hints.
	PlaybookHeads(ctx context.Context, ts []Tenant) (map[Tenant]PlaybookHead, error)
	// TakePlaybook notes that devices hold a version that the store may not know, so that it is not given to another
	// playbook; of it that counts which PlaybookHead.Counts says.
	TakePlaybook(ctx context.Context, t Tenant, version uint32) error
}

// MaxFoldBytes bounds a fold, and MaxFoldsPage how many one call of Folds returns.
const (
	MaxFoldBytes = 1 << 20
	MaxFoldsPage = 256
)

// Fold is what somebody made of a member's documents, so that they need not be read again until the member has done something. The
// store does not read it, and it may be thrown away at any time.
type Fold struct {
	Member crdt.MemberID
	Seq    uint64   // of the member's order, up to which it was read
	Form   [16]byte // names how it was made: one that was made in another way is to be made anew
	Data   []byte
}

// Folds are what was made of members' documents.
type Folds interface {
	// SaveFolds keeps folds in place of those of before, all or none. One that was read less far than what is kept of the same
	// form is left out, so that of several processes none takes back what another has done. A member that is not there is left
	// out. Invalid: one is larger than MaxFoldBytes.
	SaveFolds(ctx context.Context, folds []Fold) error
	// Folds returns the folds of a company that were saved after a mark, in the order in which they were saved, at most limit
	// and MaxFoldsPage, and the mark after the last one; 0 is the mark before all. A company that is not there has none.
	Folds(ctx context.Context, t Tenant, after int64, limit int) (list []Fold, next int64, err error)
	// FoldOf returns a member's fold; ErrNotFound for none.
	FoldOf(ctx context.Context, m crdt.MemberID) (Fold, error)
}

// NewestWritten returns the number of the newest version before one, or for 0 of all, that people wrote; ErrNotFound for none.
func NewestWritten(ctx context.Context, st interface {
	PlaybookHistory(ctx context.Context, t Tenant, before uint32, limit int) ([]Playbook, error)
}, t Tenant, before uint32,
) (uint32, error) {
	for {
		list, err := st.PlaybookHistory(ctx, t, before, 100)
		if err != nil {
			return 0, err
		}
		if len(list) == 0 {
			return 0, fmt.Errorf("playbook of company %d that people wrote: %w", t, ErrNotFound)
		}
		for _, p := range list {
			if p.Fitted == 0 {
				return p.Version, nil
			}
			before = p.Version
		}
	}
}

// MaxPlaybookAhead is how many versions may be lost with what a backup lacks: more than two years of nightly fits.
const MaxPlaybookAhead = 1000

// maxClaimed is how far above the newest version devices can have versions left out, however often they say so: who does it
// after every publication needs more than 60,000 of them to use all numbers up.
const maxClaimed = 64 * MaxPlaybookAhead

// Counts returns which version is to be taken when a device says that it holds one: that, but not more than MaxPlaybookAhead
// above what was taken before, as the newest and more may be lost, and never so many that a device spoils all numbers.
func (h PlaybookHead) Counts(version uint32) uint32 {
	taken := uint64(max(h.Version, h.Taken))
	return uint32(max(taken, min(uint64(version), taken+MaxPlaybookAhead, uint64(h.Version)+maxClaimed)))
}

// Subscription is where a device's browser is sent notices.
type Subscription struct {
	Device   crdt.DeviceID
	Member   crdt.MemberID
	Tenant   Tenant
	Endpoint string // a secret: who knows it, and the server's key, can make the device ring
	Public   []byte // p256dh
	Secret   []byte // auth
	Created  time.Time
	Failures int // deliveries that failed one after the other
}

// MaxEndpoint bounds the bytes of an endpoint, those of browsers have some 200. MaxFailures is how many deliveries fail one after the
// other before a subscription is given up.
const (
	MaxEndpoint = 1024
	MaxFailures = 10
)

// Reminder says how a member with subscriptions stands with the notice of the day.
type Reminder struct {
	Member  crdt.MemberID
	Tenant  Tenant
	Next    time.Time // when it is to be looked at again; zero: now
	Given   time.Time // the last notice; zero: none yet
	Ignored int       // notices one after the other upon which nothing was done
	Head    uint64    // the member's newest change when it was looked at last
}

// MaxNoticeKey bounds the bytes of a notice's key.
const MaxNoticeKey = 128

// Notices are whom to tell of what is due, and what was told.
type Notices interface {
	// WebPushKey returns the store's private key for web push. The first caller's offer is kept for good, and all others get
	// that one, at whichever node: it is durable before anybody is shown it.
	WebPushKey(ctx context.Context, offer []byte) ([]byte, error)
	// Subscribe keeps where a device is sent notices, in place of what it had, and takes it from whichever device had the same
	// endpoint: the browser was made another device. Of s, Device, Endpoint, Public and Secret count. A member's first one
	// makes a Reminder that is to be looked at now. ErrNotFound: no such device. Invalid for a revoked one, and for
	// what is too long or empty.
	Subscribe(ctx context.Context, s Subscription) error
	// Unsubscribe forgets a device's subscription if it has that endpoint, or for "" any; that there is none is no error.
	// Revoking a device and its leaving do so too, in the same write; with the last one of a member goes the Reminder.
	Unsubscribe(ctx context.Context, d crdt.DeviceID, endpoint string) error
	// Subscriptions returns those of a member's devices, but of revoked ones, in the order of the devices.
	Subscriptions(ctx context.Context, m crdt.MemberID) ([]Subscription, error)
	// Delivered notes how a delivery went: of a subscription that failed MaxFailures times one after the other nothing is kept. Of
	// another endpoint than the device's, which is gone, nothing is noted.
	Delivered(ctx context.Context, d crdt.DeviceID, endpoint string, ok bool) error

	// Reminders returns those to be looked at until a time, the earliest first, behind one of the page before; the zero
	// value begins. At most limit.
	Reminders(ctx context.Context, until time.Time, after Reminder, limit int) ([]Reminder, error)
	// SetReminder replaces a member's Reminder if its Next is still was, and says whether it did: of several who ask, at whichever
	// node, one is told true, and what it is told is durable. It may then give the notice. Whoever gets an error
	// does not know, and must not. A member without subscriptions has none.
	SetReminder(ctx context.Context, r Reminder, was time.Time) (bool, error)
	// ClaimNotice says whether the caller is the first to claim a notice of a member by its key, in the same way. A claim is
	// kept until a time at least. ErrNotFound: no such member.
	ClaimNotice(ctx context.Context, m crdt.MemberID, key string, until time.Time) (bool, error)
}

// Hint says that something about a member, or a company, may have changed. It may be lost, repeated or late: the store is
// the truth.
type Hint struct {
	Member   crdt.MemberID
	Head     uint64 // of its order; 0: not said
	People   bool   // its devices, as one was made, revoked or adopted, or has left: look them up again
	Playbook Tenant // not about a member: this company's playbook; 0: it is about a member
	All      bool   // everything may have changed: look everybody up again
}

// Nodes is what several processes on one store need to serve the same members.
type Nodes interface {
	// Watch has f called with hints of what is committed from the time that it returns, by whichever process, until ctx or
	// the store ends. f is called by one goroutine at a time, must not wait for anything, and must not close the store. A
	// hint comes after the commit, may come after the acknowledgement, and several of one member may come as one. Who
	// cannot be told of everything, as he is slow or the way to another process was cut, is told All once he can be told
	// again. ErrClosed.
	Watch(ctx context.Context, f func(Hint)) error
	// Heads returns the numbers of the newest changes of members, in one read; a member that is not there is left out. Each
	// is at least as new as every acknowledgement before the call, by whichever process, and is never taken from hints. It
	// is what makes up for lost hints: whoever serves members asks now and then.
	Heads(ctx context.Context, ms []crdt.MemberID) (map[crdt.MemberID]uint64, error)
}

// Stats is how a store does, for metrics.
type Stats struct {
	Queued  int           // writes that wait
	Groups  uint64        // transactions committed
	Pushes  uint64        // pushes in them
	Changes uint64        // changes in these
	Slowest time.Duration // longest commit since the last Stats
}
