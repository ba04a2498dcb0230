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

const maxName = 200 // bytes

func checkName(what, name string) error {
	if strings.TrimSpace(name) == "" {
		return fmt.Errorf("%s has no name: give it one", what)
	}
	if len(name) > maxName {
		return fmt.Errorf("name of %s has %d bytes: shorten it to %d", what, len(name), maxName)
	}
	return nil
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

// CreateTenant makes a company.
func (s *SQLite) CreateTenant(ctx context.Context, name string) (Tenant, error) {
	if err := checkName("the company", name); err != nil {
		return 0, fmt.Errorf("store: create company: %w", err)
	}
	var id int64
	err := s.do(ctx, 1, func(w *writer) error {
		r, err := w.addTenant.exec(name, w.now.UnixMilli())
		if err != nil {
			return err
		}
		id, err = r.LastInsertId()
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("store: create company: %w", err)
	}
	return Tenant(id), nil
}

// hasTenant reports whether there is such a company.
func (w *writer) hasTenant(t Tenant) (bool, error) {
	row, err := w.tenant.row(int64(t))
	return row != nil, err
}

// CreateMember makes a member of a company; ErrNotFound when there is no such company.
func (s *SQLite) CreateMember(ctx context.Context, t Tenant, name string) (crdt.MemberID, error) {
	if err := checkName("the member", name); err != nil {
		return crdt.MemberID{}, fmt.Errorf("store: create member: %w", err)
	}
	m := crdt.MemberID(uuid.New())
	var found bool
	err := s.do(ctx, 1, func(w *writer) error {
		var err error
		if found, err = w.hasTenant(t); !found {
			return err
		}
		r, err := w.addMember.exec(m[:], int64(t), name, w.now.UnixMilli(), make([]byte, len(wire.Chain{})))
		if err != nil {
			return err
		}
		if id, err := r.LastInsertId(); err != nil || id > maxMember {
			return errors.Join(err, fmt.Errorf("member number %d: at most %d", id, int64(maxMember)))
		}
		return nil
	})
	if err == nil && !found {
		err = fmt.Errorf("company %d: %w", t, ErrNotFound)
	}
	if err != nil {
		return crdt.MemberID{}, fmt.Errorf("store: create member: %w", err)
	}
	return m, nil
}

// CreateDevice makes a device of a member and the token it signs in with, which is shown this once; ErrNotFound when
// there is no such member.
func (s *SQLite) CreateDevice(ctx context.Context, m crdt.MemberID, name string) (Device, string, error) {
	if err := checkName("the device", name); err != nil {
		return Device{}, "", fmt.Errorf("store: create device: %w", err)
	}
	d := Device{ID: crdt.DeviceID(uuid.New()), Member: m, Name: name}
	token, hash := newSecret(DeviceTokenPrefix)
	var found bool
	err := s.do(ctx, 1, func(w *writer) error {
		row, err := w.member.row(m[:])
		if found = row != nil; !found {
			return err
		}
		d.Tenant = Tenant(row[1].(int64))
		d.MemberName = row[4].(string)
		d.Created = time.UnixMilli(w.now.UnixMilli()).UTC()
		_, err = w.addDevice.exec(d.ID[:], row[0], name, w.now.UnixMilli(), hash)
		return err
	})
	if err == nil && !found {
		err = fmt.Errorf("member %s: %w", m, ErrNotFound)
	}
	if err != nil {
		return Device{}, "", fmt.Errorf("store: create device: %w", err)
	}
	return d, token, nil
}

// AdoptDevice makes a device of a member known again that a restored database does not know, so that what it wrote can
// come back by the member's other devices. It gets no token and cannot connect. A device that is known is left as it is;
// ErrNotFound when there is no such member, or the device is another member's.
func (s *SQLite) AdoptDevice(ctx context.Context, m crdt.MemberID, d crdt.DeviceID) error {
	ok := false
	err := s.do(ctx, 1, func(w *writer) error {
		member, err := w.member.row(m[:])
		if err != nil || member == nil {
			return err
		}
		device, err := w.device.row(d[:])
		if err != nil {
			return err
		}
		if ok = device == nil || device[0] == member[0]; !ok || device != nil {
			return nil
		}
		_, hash := newSecret(DeviceTokenPrefix) // of a token that nobody has
		if _, err := w.addDevice.exec(d[:], member[0], "adopted", w.now.UnixMilli(), hash); err != nil {
			return err
		}
		_, err = w.revoke.exec(d[:])
		return err
	})
	if err == nil && !ok {
		err = fmt.Errorf("member %s with device %s: %w", m, d, ErrNotFound)
	}
	if err != nil {
		return fmt.Errorf("store: adopt device: %w", err)
	}
	return nil
}

// NewEpoch says that the database was put back from a backup. Cursors of the feed that were given before are refused from
// now on (ErrCursor), as their positions are used again for other records. No other process may have the database open.
func (s *SQLite) NewEpoch(ctx context.Context) error {
	var epoch wire.Epoch
	_, _ = rand.Read(epoch[:]) // never fails
	err := s.do(ctx, 1, func(w *writer) error {
		_, err := w.newEpoch.exec(epoch[:])
		return err
	})
	if err != nil {
		return fmt.Errorf("store: new epoch: %w", err)
	}
	return nil
}

// RevokeDevice takes a device its right to connect, for good; doing so twice is no error.
func (s *SQLite) RevokeDevice(ctx context.Context, d crdt.DeviceID) error {
	var n int64
	err := s.do(ctx, 1, func(w *writer) error {
		r, err := w.revoke.exec(d[:])
		if err != nil {
			return err
		}
		n, err = r.RowsAffected()
		return err
	})
	if err == nil && n == 0 {
		err = fmt.Errorf("device %s: %w", d, ErrNotFound)
	}
	if err != nil {
		return fmt.Errorf("store: revoke device: %w", err)
	}
	return nil
}

// DeviceByToken returns the device that a token was made for, revoked ones included; ErrNotFound for any other text.
func (s *SQLite) DeviceByToken(ctx context.Context, token string) (Device, error) {
	if !strings.HasPrefix(token, DeviceTokenPrefix) {
		return Device{}, fmt.Errorf("store: device by token: %w", ErrNotFound)
	}
	var d Device
	want := secretHash(token)
	err := s.read(ctx, func(r *reader) error {
		row, err := r.deviceByHash.row(want)
		if err != nil {
			return err
		}
		if !foundSecret(row, want) {
			return ErrNotFound
		}
		copy(d.ID[:], row[1].([]byte))
		copy(d.Member[:], row[2].([]byte))
		d.Tenant = Tenant(row[3].(int64))
		d.Name = row[4].(string)
		d.Created = time.UnixMilli(row[5].(int64)).UTC()
		d.Revoked = row[6].(int64) != 0
		d.MemberName = row[7].(string)
		return nil
	})
	if err != nil {
		return Device{}, fmt.Errorf("store: device by token: %w", err)
	}
	return d, nil
}

// CreateAPIKey makes a key with which a company reads its feed, which is shown this once; ErrNotFound when there is no
// such company.
func (s *SQLite) CreateAPIKey(ctx context.Context, t Tenant, name string) (string, error) {
	if err := checkName("the key", name); err != nil {
		return "", fmt.Errorf("store: create key: %w", err)
	}
	key, hash := newSecret(APIKeyPrefix)
	var found bool
	err := s.do(ctx, 1, func(w *writer) error {
		var err error
		if found, err = w.hasTenant(t); !found {
			return err
		}
		_, err = w.addKey.exec(int64(t), name, hash, w.now.UnixMilli())
		return err
	})
	if err == nil && !found {
		err = fmt.Errorf("company %d: %w", t, ErrNotFound)
	}
	if err != nil {
		return "", fmt.Errorf("store: create key: %w", err)
	}
	return key, nil
}

// TenantByAPIKey returns the company of a key; ErrNotFound for any other text.
func (s *SQLite) TenantByAPIKey(ctx context.Context, key string) (Tenant, error) {
	if !strings.HasPrefix(key, APIKeyPrefix) {
		return 0, fmt.Errorf("store: company by key: %w", ErrNotFound)
	}
	var t Tenant
	want := secretHash(key)
	err := s.read(ctx, func(r *reader) error {
		row, err := r.tenantByHash.row(want)
		if err != nil {
			return err
		}
		if !foundSecret(row, want) {
			return ErrNotFound
		}
		t = Tenant(row[1].(int64))
		return nil
	})
	if err != nil {
		return 0, fmt.Errorf("store: company by key: %w", err)
	}
	return t, nil
}

// foundSecret reports whether a row was found whose first column, the hash, is the one wanted, in constant time.
func foundSecret(row []driver.Value, want []byte) bool {
	return row != nil && subtle.ConstantTimeCompare(row[0].([]byte), want) == 1
}
