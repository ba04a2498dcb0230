package store

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"database/sql/driver"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"trio/crdt"
	"trio/crdt/wire"
)

// Prefixes of what we give out once and never see again, so that a person, or a scanner of leaked secrets, can tell.
const (
	DeviceTokenPrefix = "trio_d_"
	APIKeyPrefix      = "trio_k_"
)

const (
	// MaxMembersPage is the most members that one call of Members returns.
	MaxMembersPage = 1000
	// MaxSponsors bounds how many stand above a member in the tree when it gets a sponsor: all of them are looked at.
	MaxSponsors = 1000

	maxName = 200 // bytes
)

// Invalid is what is wrong with an argument, as a sentence for whoever gave it.
type Invalid string

func (e Invalid) Error() string { return string(e) }

func checkName(what, name string) error {
	if strings.TrimSpace(name) == "" {
		return Invalid(fmt.Sprintf("%s has no name: give it one", what))
	}
	if len(name) > maxName {
		return Invalid(fmt.Sprintf("name of %s has %d bytes: shorten it to %d", what, len(name), maxName))
	}
	return nil
}

// checkTeam is checkName for a team, of which there may be none.
func checkTeam(name string) error {
	if name == "" {
		return nil
	}
	return checkName("the team", name)
}

// newSecret returns 256 random bits as text, and their hash.
func newSecret(prefix string) (secret string, hash []byte) {
	var b [32]byte
	_, _ = rand.Read(b[:]) // never fails
	secret = prefix + base64.RawURLEncoding.EncodeToString(b[:])
	return secret, secretHash(secret)
}

// secretHash needs no salt and no stretching: nobody guesses 256 random bits.
func secretHash(secret string) []byte {
	h := sha256.Sum256([]byte(secret))
	return h[:]
}

// foundSecret reports whether a row was found whose first column, the hash, is the one wanted, in constant time.
func foundSecret(row []driver.Value, want []byte) bool {
	return row != nil && subtle.ConstantTimeCompare(row[0].([]byte), want) == 1
}

// date reads a column of milliseconds; 0 is the zero time.
func date(v driver.Value) time.Time {
	ms := v.(int64)
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}

// uid reads a column with an id; NULL is the zero id.
func uid[T ~[16]byte](v driver.Value) (id T) {
	b, _ := v.([]byte)
	copy(id[:], b)
	return id
}

// act has the committer run a write, of so many rows or so, that may turn out to be wrong in itself. run has to find that
// out before it writes anything: others share its transaction.
func (s *SQLite) act(ctx context.Context, what string, size int, run func(*writer) (wrong, err error)) error {
	var wrong error
	err := s.do(ctx, size, func(w *writer) (err error) {
		wrong, err = run(w)
		return err
	})
	if err == nil {
		err = wrong
	}
	if err != nil {
		return fmt.Errorf("store: %s: %w", what, err)
	}
	return nil
}

func noMember(m crdt.MemberID) error { return fmt.Errorf("member %s: %w", m, ErrNotFound) }

func noCompany(t Tenant) error { return fmt.Errorf("company %d: %w", t, ErrNotFound) }

// CreateTenant makes a company.
func (s *SQLite) CreateTenant(ctx context.Context, name string) (Tenant, error) {
	const what = "create company"
	if err := checkName("the company", name); err != nil {
		return 0, fmt.Errorf("store: %s: %w", what, err)
	}
	var id int64
	err := s.act(ctx, what, 1, func(w *writer) (wrong, err error) {
		r, err := w.addTenant.exec(name, w.now.UnixMilli())
		if err != nil {
			return nil, err
		}
		id, err = r.LastInsertId()
		return nil, err
	})
	if err != nil {
		return 0, err
	}
	return Tenant(id), nil
}

// Columns in the order in which scanCompany, scanKey and scanMember read them.
const (
	companyColumns = "id, name, created, max_members, max_devices, max_bytes, members, devices"
	keyColumns     = "id, tenant, name, scopes, created, revoked"
	memberColumns  = "m.uid, m.tenant, m.name, m.team, s.uid, m.created, m.seq, m.bytes, m.devices " +
		"FROM members m LEFT JOIN members s ON s.id = m.sponsor"
)

func scanCompany(row []driver.Value) Company {
	return Company{
		ID: Tenant(row[0].(int64)), Name: row[1].(string), Created: date(row[2]),
		Quota:   Quota{Members: int(row[3].(int64)), Devices: int(row[4].(int64)), Bytes: row[5].(int64)},
		Members: int(row[6].(int64)), Devices: int(row[7].(int64)),
	}
}

// Tenants returns all companies.
func (s *SQLite) Tenants(ctx context.Context) ([]Company, error) {
	var list []Company
	err := s.read(ctx, func(r *reader) error {
		return r.tenants.each(func(row []driver.Value) bool {
			list = append(list, scanCompany(row))
			return true
		})
	})
	if err != nil {
		return nil, fmt.Errorf("store: companies: %w", err)
	}
	return list, nil
}

// TenantByID returns a company.
func (s *SQLite) TenantByID(ctx context.Context, t Tenant) (c Company, err error) {
	err = s.read(ctx, func(r *reader) error {
		row, err := r.tenant.row(int64(t))
		if err != nil {
			return err
		}
		if row == nil {
			return noCompany(t)
		}
		c = scanCompany(row)
		return nil
	})
	if err != nil {
		return Company{}, fmt.Errorf("store: company: %w", err)
	}
	return c, nil
}

// SetQuota bounds a company from now on. What is there already stays, even if it is more.
func (s *SQLite) SetQuota(ctx context.Context, t Tenant, e QuotaEdit) error {
	const what = "set quota"
	if e.Members != nil && *e.Members < 0 || e.Devices != nil && *e.Devices < 0 || e.Bytes != nil && *e.Bytes < 0 {
		return fmt.Errorf("store: %s: %w", what, Invalid("a quota is below zero: give 0 for no bound"))
	}
	return s.act(ctx, what, 1, func(w *writer) (wrong, err error) {
		r, err := w.setQuota.exec(orNull(e.Members), orNull(e.Devices), orNull(e.Bytes), int64(t))
		if err != nil {
			return nil, err
		}
		if n, err := r.RowsAffected(); err != nil || n == 0 {
			return noCompany(t), err
		}
		return nil, nil
	})
}

// orNull is NULL for nil.
func orNull[T int | int64](n *T) driver.Value {
	if n == nil {
		return nil
	}
	return int64(*n)
}

// NewEpoch says that the database was put back from a backup. Cursors of the feed that were given before are refused from
// now on (ErrCursor), as their positions are used again for other records; and versions of playbooks are left out that may
// have been published since the backup. No other process may have the database open.
func (s *SQLite) NewEpoch(ctx context.Context) error {
	var epoch wire.Epoch
	_, _ = rand.Read(epoch[:]) // never fails
	return s.act(ctx, "new epoch", 1, func(w *writer) (wrong, err error) {
		if _, err := w.newEpoch.exec(epoch[:]); err != nil {
			return nil, err
		}
		_, err = w.skipVersions.exec(int64(MaxPlaybookAhead))
		return nil, err
	})
}

// Scopes are all that there are, in their order.
var Scopes = []Scope{ScopeFeed, ScopeRead, ScopePeople, ScopePlaybook, ScopeKeys, ScopeCompanies}

// Has reports whether the key may do what needs a scope.
func (k APIKey) Has(s Scope) bool { return slices.Contains(k.Scopes, s) }

// CreateAPIKey makes a key for programs of a company, which is shown this once.
func (s *SQLite) CreateAPIKey(ctx context.Context, t Tenant, name string, scopes ...Scope) (APIKey, string, error) {
	const what = "create key"
	k := APIKey{Tenant: t, Name: name}
	var words []string // as they are stored
	for _, sc := range Scopes {
		if slices.Contains(scopes, sc) {
			k.Scopes, words = append(k.Scopes, sc), append(words, string(sc))
		}
	}
	err := checkName("the key", name)
	for _, sc := range scopes {
		if err == nil && !slices.Contains(Scopes, sc) {
			err = Invalid(fmt.Sprintf("scope %.20q is not known: want some of %s", string(sc), joinScopes(Scopes)))
		}
	}
	if err == nil && len(k.Scopes) == 0 {
		err = Invalid("the key has no scope: give it some of " + joinScopes(Scopes))
	}
	if err != nil {
		return APIKey{}, "", fmt.Errorf("store: %s: %w", what, err)
	}
	secret, hash := newSecret(APIKeyPrefix)
	err = s.act(ctx, what, 1, func(w *writer) (wrong, err error) {
		row, err := w.tenant.row(int64(t))
		if err != nil || row == nil {
			return noCompany(t), err
		}
		r, err := w.addKey.exec(int64(t), name, hash, w.now.UnixMilli(), strings.Join(words, " "))
		if err != nil {
			return nil, err
		}
		k.Created = date(w.now.UnixMilli())
		k.ID, err = r.LastInsertId()
		return nil, err
	})
	if err != nil {
		return APIKey{}, "", err
	}
	return k, secret, nil
}

func joinScopes(list []Scope) string {
	words := make([]string, len(list))
	for i, s := range list {
		words[i] = string(s)
	}
	return strings.Join(words, ", ")
}

func scanKey(row []driver.Value) APIKey {
	k := APIKey{ID: row[0].(int64), Tenant: Tenant(row[1].(int64)), Name: row[2].(string), Created: date(row[4]), Revoked: date(row[5])}
	for _, w := range strings.Fields(row[3].(string)) {
		k.Scopes = append(k.Scopes, Scope(w))
	}
	return k
}

// APIKeys returns a company's keys, revoked ones included.
func (s *SQLite) APIKeys(ctx context.Context, t Tenant) ([]APIKey, error) {
	var list []APIKey
	err := s.read(ctx, func(r *reader) error {
		if row, err := r.tenant.row(int64(t)); err != nil || row == nil {
			return errors.Join(err, noCompany(t))
		}
		return r.keys.each(func(row []driver.Value) bool {
			list = append(list, scanKey(row))
			return true
		}, int64(t))
	})
	if err != nil {
		return nil, fmt.Errorf("store: keys: %w", err)
	}
	return list, nil
}

// RevokeAPIKey takes a key back; doing so twice is no error.
func (s *SQLite) RevokeAPIKey(ctx context.Context, t Tenant, id int64) error {
	return s.act(ctx, "revoke key", 1, func(w *writer) (wrong, err error) {
		r, err := w.revokeKey.exec(w.now.UnixMilli(), id, int64(t))
		if err != nil {
			return nil, err
		}
		if n, err := r.RowsAffected(); err != nil || n == 0 {
			return fmt.Errorf("key %d of company %d: %w", id, t, ErrNotFound), err
		}
		return nil, nil
	})
}

// APIKeyBySecret returns the key that a text is.
func (s *SQLite) APIKeyBySecret(ctx context.Context, secret string) (k APIKey, err error) {
	if !strings.HasPrefix(secret, APIKeyPrefix) {
		return APIKey{}, fmt.Errorf("store: key: %w", ErrNotFound)
	}
	want := secretHash(secret)
	err = s.read(ctx, func(r *reader) error {
		row, err := r.keyByHash.row(want)
		if err != nil {
			return err
		}
		if !foundSecret(row, want) {
			return ErrNotFound
		}
		if k = scanKey(row[1:]); !k.Revoked.IsZero() {
			return ErrNotFound
		}
		return nil
	})
	if err != nil {
		return APIKey{}, fmt.Errorf("store: key: %w", err)
	}
	return k, nil
}

// CreateMember makes a member of a company.
func (s *SQLite) CreateMember(ctx context.Context, m Member) (crdt.MemberID, error) {
	const what = "create member"
	err := checkName("the member", m.Name)
	if err == nil {
		err = checkTeam(m.Team)
	}
	if err != nil {
		return crdt.MemberID{}, fmt.Errorf("store: %s: %w", what, err)
	}
	id := m.ID
	if id == (crdt.MemberID{}) {
		id = crdt.MemberID(uuid.New())
	}
	err = s.act(ctx, what, 1, func(w *writer) (wrong, err error) {
		row, err := w.tenant.row(int64(m.Tenant))
		if err != nil || row == nil {
			return noCompany(m.Tenant), err
		}
		if most, has := row[0].(int64), row[1].(int64); most > 0 && has >= most {
			return fmt.Errorf("%w: the company may have %d members", ErrQuota, most), nil
		}
		sponsor, wrong, err := w.sponsor(m.Tenant, m.Sponsor, 0)
		if wrong != nil || err != nil {
			return wrong, err
		}
		if known, err := w.member.row(id[:]); err != nil || known != nil {
			return Invalid(fmt.Sprintf("member %s is there already", id)), err
		}
		r, err := w.addMember.exec(id[:], int64(m.Tenant), m.Name, w.now.UnixMilli(), make([]byte, len(wire.Chain{})), m.Team, sponsor)
		if err != nil {
			return nil, err
		}
		if id, err := r.LastInsertId(); err != nil || id > maxMember {
			return nil, errors.Join(err, fmt.Errorf("member number %d: at most %d", id, int64(maxMember)))
		}
		_, err = w.countMembers.exec(int64(1), int64(m.Tenant))
		return nil, err
	})
	if err != nil {
		return crdt.MemberID{}, err
	}
	return id, nil
}

// sponsor returns the row of a member who may be the sponsor of another one, given by its row (0 for a new one), in the
// same company; NULL for the zero id. The tree is walked up from the sponsor: the other one must not stand there.
func (w *writer) sponsor(t Tenant, sponsor crdt.MemberID, of int64) (id driver.Value, wrong, err error) {
	if sponsor == (crdt.MemberID{}) {
		return nil, nil, nil
	}
	row, err := w.member.row(sponsor[:])
	if err != nil {
		return nil, nil, err
	}
	if row == nil || Tenant(row[1].(int64)) != t {
		return nil, fmt.Errorf("member %s: %w", sponsor, ErrSponsor), nil
	}
	up, err := w.above.row(row[0], int64(MaxSponsors), of)
	if err != nil {
		return nil, nil, err
	}
	switch n, circle := up[0].(int64), up[1].(int64) != 0; {
	case circle:
		return nil, fmt.Errorf("member %s: %w", sponsor, ErrSponsor), nil
	case n >= MaxSponsors:
		return nil, fmt.Errorf("%w: member %s has %d or more above", ErrSponsor, sponsor, MaxSponsors), nil
	}
	return row[0], nil, nil
}

// EditMember changes what of a member is not nil.
func (s *SQLite) EditMember(ctx context.Context, m crdt.MemberID, e MemberEdit) error {
	const what = "edit member"
	var err error
	if e.Name != nil {
		err = checkName("the member", *e.Name)
	}
	if err == nil && e.Team != nil {
		err = checkTeam(*e.Team)
	}
	if err != nil {
		return fmt.Errorf("store: %s: %w", what, err)
	}
	return s.act(ctx, what, 1, func(w *writer) (wrong, err error) {
		row, err := w.profile.row(m[:])
		if err != nil || row == nil {
			return noMember(m), err
		}
		id, name, team, sponsor := row[0].(int64), row[2], row[3], row[4]
		if e.Name != nil {
			name = *e.Name
		}
		if e.Team != nil {
			team = *e.Team
		}
		if e.Sponsor != nil {
			if sponsor, wrong, err = w.sponsor(Tenant(row[1].(int64)), *e.Sponsor, id); wrong != nil || err != nil {
				return wrong, err
			}
		}
		_, err = w.setProfile.exec(name, team, sponsor, id)
		return nil, err
	})
}

func scanMember(row []driver.Value) Member {
	return Member{
		ID: uid[crdt.MemberID](row[0]), Tenant: Tenant(row[1].(int64)), Name: row[2].(string), Team: row[3].(string),
		Sponsor: uid[crdt.MemberID](row[4]), Created: date(row[5]),
		Changes: uint64(row[6].(int64)), Bytes: row[7].(int64), Devices: int(row[8].(int64)),
	}
}

// MemberByID returns a member; ErrNotFound for none.
func (s *SQLite) MemberByID(ctx context.Context, m crdt.MemberID) (found Member, err error) {
	err = s.read(ctx, func(r *reader) error {
		row, err := r.memberByID.row(m[:])
		if err != nil {
			return err
		}
		if row == nil {
			return noMember(m)
		}
		found = scanMember(row)
		return nil
	})
	if err != nil {
		return Member{}, fmt.Errorf("store: member: %w", err)
	}
	return found, nil
}

// Members returns a page of a company's members. A limit that is not above zero, or is above MaxMembersPage, means
// MaxMembersPage. ErrNotFound when there is no such company, or after is not of it.
func (s *SQLite) Members(ctx context.Context, t Tenant, after crdt.MemberID, limit int) ([]Member, error) {
	if limit <= 0 || limit > MaxMembersPage {
		limit = MaxMembersPage
	}
	var list []Member
	err := s.read(ctx, func(r *reader) error {
		if row, err := r.tenant.row(int64(t)); err != nil || row == nil {
			return errors.Join(err, noCompany(t))
		}
		from := int64(0)
		if after != (crdt.MemberID{}) {
			row, err := r.memberRow.row(after[:], int64(t))
			if err != nil || row == nil {
				return errors.Join(err, noMember(after))
			}
			from = row[0].(int64)
		}
		return r.members.each(func(row []driver.Value) bool {
			list = append(list, scanMember(row))
			return true
		}, int64(t), from, int64(limit))
	})
	if err != nil {
		return nil, fmt.Errorf("store: members: %w", err)
	}
	return list, nil
}

// Sponsored returns a page of those whom a member sponsors, or of those who have no sponsor, as Members does; ErrNotFound
// when there is no such company, or the sponsor, or the member to go on after, is not of it.
func (s *SQLite) Sponsored(ctx context.Context, t Tenant, sponsor, after crdt.MemberID, limit int) ([]Member, error) {
	if limit <= 0 || limit > MaxMembersPage {
		limit = MaxMembersPage
	}
	var list []Member
	err := s.read(ctx, func(r *reader) error {
		if row, err := r.tenant.row(int64(t)); err != nil || row == nil {
			return errors.Join(err, noCompany(t))
		}
		row := func(m crdt.MemberID) (int64, error) {
			if m == (crdt.MemberID{}) {
				return 0, nil
			}
			row, err := r.memberRow.row(m[:], int64(t))
			if err != nil || row == nil {
				return 0, errors.Join(err, noMember(m))
			}
			return row[0].(int64), nil
		}
		up, err := row(sponsor)
		if err != nil {
			return err
		}
		from, err := row(after)
		if err != nil {
			return err
		}
		below, of := r.sponsored, up
		if up == 0 {
			below, of = r.tops, int64(t)
		}
		return below.each(func(row []driver.Value) bool {
			list = append(list, scanMember(row))
			return true
		}, of, from, int64(limit))
	})
	if err != nil {
		return nil, fmt.Errorf("store: sponsored: %w", err)
	}
	return list, nil
}
