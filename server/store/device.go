package store

import (
	"context"
	"crypto/rand"
	"database/sql/driver"
	"encoding/binary"
	"fmt"
	"math"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/google/uuid"

	"trio/crdt"
)

// MaxInvites bounds the invitations of one member that are good at one time.
const MaxInvites = 100

func noDevice(d crdt.DeviceID) error { return fmt.Errorf("device %s: %w", d, ErrNotFound) }

// CreateDevice makes a device of a member and the token it signs in with, which is shown this once.
func (s *SQLite) CreateDevice(ctx context.Context, m crdt.MemberID, name string) (Device, string, error) {
	const what = "create device"
	if err := checkName("the device", name); err != nil {
		return Device{}, "", fmt.Errorf("store: %s: %w", what, err)
	}
	d := Device{ID: crdt.DeviceID(uuid.New()), Member: m, Name: name}
	token, hash := newSecret(DeviceTokenPrefix)
	err := s.act(ctx, what, 1, func(w *writer) (wrong, err error) {
		_, wrong, err = w.makeDevice(&d, nil, hash)
		return wrong, err
	})
	if err != nil {
		return Device{}, "", err
	}
	return d, token, nil
}

// makeDevice stores a device that may sync, and fills in what its member says of it.
func (w *writer) makeDevice(d *Device, pairer driver.Value, hash []byte) (id int64, wrong, err error) {
	row, err := w.member.row(d.Member[:])
	if err != nil || row == nil {
		return 0, noMember(d.Member), err
	}
	if most, has := row[8].(int64), row[9].(int64); most > 0 && has >= most {
		return 0, fmt.Errorf("%w: a member may have %d devices", ErrQuota, most), nil
	}
	r, err := w.addDevice.exec(d.ID[:], row[0], d.Name, w.now.UnixMilli(), hash, int64(0), int64(0), pairer)
	if err != nil {
		return 0, nil, err
	}
	if id, err = r.LastInsertId(); err != nil {
		return 0, nil, err
	}
	d.Tenant, d.MemberName, d.Created = Tenant(row[1].(int64)), row[4].(string), date(w.now.UnixMilli())
	w.hint(Hint{Member: d.Member, People: true})
	return id, nil, w.countDevice(1, row[0], row[1])
}

// countDevice counts devices that may sync.
func (w *writer) countDevice(n int64, member, tenant driver.Value) error {
	if _, err := w.devicesOf.exec(n, member); err != nil {
		return err
	}
	_, err := w.devicesIn.exec(n, tenant)
	return err
}

// AdoptDevice makes a device of a member known again that a restored database does not know, so that what it wrote can
// come back by the member's other devices. It gets no token and cannot connect. A device that is known is left as it is;
// ErrNotFound when there is no such member, or the device is another member's.
func (s *SQLite) AdoptDevice(ctx context.Context, m crdt.MemberID, d crdt.DeviceID) error {
	return s.act(ctx, "adopt device", 1, func(w *writer) (wrong, err error) {
		member, err := w.member.row(m[:])
		if err != nil || member == nil {
			return noMember(m), err
		}
		device, err := w.device.row(d[:])
		if err != nil {
			return nil, err
		}
		if device != nil {
			if device[0] != member[0] {
				wrong = fmt.Errorf("member %s with device %s: %w", m, d, ErrNotFound)
			}
			return wrong, nil
		}
		w.hint(Hint{Member: m, People: true})
		_, hash := newSecret(DeviceTokenPrefix) // of a token that nobody has
		now := w.now.UnixMilli()
		_, err = w.addDevice.exec(d[:], member[0], adopted, now, hash, int64(1), now, nil)
		return nil, err
	})
}

// adopted is the name of devices that are known for what they wrote alone.
const adopted = "adopted"

// ReadmitDevice lets a device that the database does not know, or has adopted, sync again.
func (s *SQLite) ReadmitDevice(ctx context.Context, m crdt.MemberID, d crdt.DeviceID) (string, error) {
	token, hash := newSecret(DeviceTokenPrefix)
	err := s.act(ctx, "readmit device", 1, func(w *writer) (wrong, err error) {
		member, err := w.member.row(m[:])
		if err != nil || member == nil {
			return noMember(m), err
		}
		found, err := w.readmitted.row(d[:])
		if err != nil {
			return nil, err
		}
		now := w.now.UnixMilli()
		switch {
		case found == nil:
			_, err = w.addDevice.exec(d[:], member[0], "readmitted", now, hash, int64(0), int64(0), nil)
		case found[1] != member[0]:
			return fmt.Errorf("member %s with device %s: %w", m, d, ErrNotFound), nil
		case found[2].(int64) == 0:
			return Invalid("the device is known and may sync: it needs no new token"), nil
		case found[3].(string) != adopted:
			return Invalid("the device's access was taken back: invite its member anew"), nil
		default:
			_, err = w.readmit.exec(hash, found[0])
		}
		if err != nil {
			return nil, err
		}
		w.hint(Hint{Member: m, People: true})
		return nil, w.countDevice(1, member[0], member[1])
	})
	if err != nil {
		return "", err
	}
	return token, nil
}

// RevokeDevice takes a device its right to sync; doing so twice is no error.
func (s *SQLite) RevokeDevice(ctx context.Context, d crdt.DeviceID) error {
	return s.act(ctx, "revoke device", 1, func(w *writer) (wrong, err error) {
		row, err := w.deviceRow.row(d[:])
		if err != nil || row == nil {
			return noDevice(d), err
		}
		w.hint(Hint{Member: uid[crdt.MemberID](row[7]), People: true})
		if err := w.dropSubscription(row[0], row[1]); err != nil {
			return nil, err
		}
		// Written the second time too: who hears of it may rely on it.
		if _, err := w.revoke.exec(w.now.UnixMilli(), row[0]); err != nil || row[2].(int64) != 0 {
			return nil, err
		}
		return nil, w.countDevice(-1, row[1], row[4])
	})
}

// DeviceByToken returns the device that a token was made for, revoked ones included.
func (s *SQLite) DeviceByToken(ctx context.Context, token string) (d Device, err error) {
	if !strings.HasPrefix(token, DeviceTokenPrefix) {
		return Device{}, fmt.Errorf("store: device by token: %w", ErrNotFound)
	}
	want := secretHash(token)
	err = s.read(ctx, func(r *reader) error {
		row, err := r.deviceByHash.row(want)
		if err != nil {
			return err
		}
		if !foundSecret(row, want) {
			return ErrNotFound
		}
		d = scanDevice(row[1:])
		return nil
	})
	if err != nil {
		return Device{}, fmt.Errorf("store: device by token: %w", err)
	}
	return d, nil
}

const (
	deviceColumns = "d.uid, m.uid, m.tenant, d.name, d.created, d.revoked, m.name"
	infoColumns   = deviceColumns + ", p.uid, d.seen, d.app, d.receipt, d.pending, d.revoked_at, d.left_at, " +
		"(SELECT count(*) FROM parked k WHERE k.device = d.id AND k.taken = 0)"
	infoTables = "devices d JOIN members m ON m.id = d.member LEFT JOIN devices p ON p.id = d.pairer"
)

// scanDevice reads deviceColumns.
func scanDevice(row []driver.Value) Device {
	return Device{
		ID: uid[crdt.DeviceID](row[0]), Member: uid[crdt.MemberID](row[1]), Tenant: Tenant(row[2].(int64)),
		Name: row[3].(string), Created: date(row[4]), Revoked: row[5].(int64) != 0, MemberName: row[6].(string),
	}
}

// scanInfo reads infoColumns.
func scanInfo(row []driver.Value) DeviceInfo {
	return DeviceInfo{
		Device: scanDevice(row), Pairer: uid[crdt.DeviceID](row[7]), Seen: date(row[8]), App: row[9].(string),
		Receipt: uint64(row[10].(int64)), Pending: uint64(row[11].(int64)),
		RevokedAt: date(row[12]), Left: date(row[13]), Parked: int(row[14].(int64)),
	}
}

// DeviceByID returns a device; ErrNotFound for none.
func (s *SQLite) DeviceByID(ctx context.Context, d crdt.DeviceID) (info DeviceInfo, err error) {
	err = s.read(ctx, func(r *reader) error {
		row, err := r.deviceByID.row(d[:])
		if err != nil {
			return err
		}
		if row == nil {
			return noDevice(d)
		}
		info = scanInfo(row)
		return nil
	})
	if err != nil {
		return DeviceInfo{}, fmt.Errorf("store: device: %w", err)
	}
	return info, nil
}

// Devices returns a member's devices, revoked ones included; ErrNotFound when there is no such member.
func (s *SQLite) Devices(ctx context.Context, m crdt.MemberID) ([]DeviceInfo, error) {
	var list []DeviceInfo
	err := s.read(ctx, func(r *reader) error {
		id, _, _, err := r.head(m)
		if err != nil {
			return err
		}
		return r.devices.each(func(row []driver.Value) bool {
			list = append(list, scanInfo(row))
			return true
		}, id)
	})
	if err != nil {
		return nil, fmt.Errorf("store: devices: %w", err)
	}
	return list, nil
}

// Saw notes sightings of devices; those of devices that are not known are skipped.
func (s *SQLite) Saw(ctx context.Context, list []Sighting) error {
	if len(list) == 0 {
		return nil
	}
	err := s.submit(&job{ctx: ctx, size: len(list), keeps: true, run: func(w *writer) error {
		for i := range list {
			g := &list[i]
			at := g.At.UnixMilli()
			if _, err := w.saw.exec(at, clip(g.App), count(g.Receipt), count(g.Pending), g.Device[:], at); err != nil {
				return err
			}
		}
		return nil
	}})
	if err != nil {
		return fmt.Errorf("store: sightings: %w", err)
	}
	return nil
}

// clip makes any bytes a text that may be shown, of maxName bytes at most.
func clip(s string) string {
	s = strings.ToValidUTF8(s[:min(len(s), maxName)], "")
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return -1
	}, s)
}

// count is a number that a device says of itself.
func count(n uint64) int64 { return int64(min(n, math.MaxInt64)) }

// LeaveDevice notes that a revoked device is empty; the first time counts.
func (s *SQLite) LeaveDevice(ctx context.Context, d crdt.DeviceID) error {
	return s.act(ctx, "device leaves", 1, func(w *writer) (wrong, err error) {
		row, err := w.deviceRow.row(d[:])
		switch {
		case err != nil || row == nil:
			return noDevice(d), err
		case row[2].(int64) == 0:
			return notRevoked(d), nil
		}
		w.hint(Hint{Member: uid[crdt.MemberID](row[7]), People: true})
		if err := w.dropSubscription(row[0], row[1]); err != nil {
			return nil, err
		}
		_, err = w.leave.exec(w.now.UnixMilli(), row[0])
		return nil, err
	})
}

// notRevoked refuses what only revoked devices do.
func notRevoked(d crdt.DeviceID) error {
	return Invalid(fmt.Sprintf("device %s was not revoked: it may sync", d))
}

// The code of an invitation is 60 random bits in Crockford's base32. Whoever has a copy of the database and time for 2^60
// hashes finds codes that have long expired. Whoever asks a server gets 50 codes a second looked up that do not exist, with all
// others who guess (admin.Misses): with 10,000 invitations open, one is found in 70,000 years.
const (
	codeDigits = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
	codeLen    = 12
	// maxCodeText is more than anybody makes of a code with blanks and dashes.
	maxCodeText = 100 // bytes
)

func newCode() string {
	var b [8]byte
	_, _ = rand.Read(b[:]) // never fails
	n := binary.BigEndian.Uint64(b[:])
	code := make([]byte, codeLen)
	for i := range code {
		code[i] = codeDigits[n%32]
		n /= 32
	}
	return string(code)
}

// showCode is a code as people get it.
func showCode(code string) string { return code[:4] + "-" + code[4:8] + "-" + code[8:] }

// parseCode returns the code that a text means, in digits alone.
func parseCode(text string) (code string, ok bool) {
	if len(text) > maxCodeText {
		return "", false
	}
	digits := make([]byte, 0, codeLen)
	for _, r := range text {
		switch {
		case unicode.IsSpace(r) || unicode.Is(unicode.Pd, r):
			continue
		case r >= utf8.RuneSelf || len(digits) == codeLen:
			return "", false
		case 'a' <= r && r <= 'z':
			r -= 'a' - 'A'
		}
		switch r {
		case 'O':
			r = '0'
		case 'I', 'L':
			r = '1'
		}
		if !strings.ContainsRune(codeDigits, r) {
			return "", false
		}
		digits = append(digits, byte(r))
	}
	return string(digits), len(digits) == codeLen
}

// CreateInvite makes an invitation; see People. ErrNotFound when there is no such member, or by is not a device of it that
// may sync; ErrQuota when the member has MaxInvites that are good.
func (s *SQLite) CreateInvite(ctx context.Context, m crdt.MemberID, by crdt.DeviceID, expires time.Time) (Invite, string, error) {
	i := Invite{Member: m, By: by, Expires: date(expires.UnixMilli())}
	code := newCode()
	err := s.act(ctx, "create invitation", 1, func(w *writer) (wrong, err error) {
		now := w.now.UnixMilli()
		member, err := w.member.row(m[:])
		if err != nil || member == nil {
			return noMember(m), err
		}
		if expires.UnixMilli() <= now {
			return Invalid("the invitation would have expired before it is made: give a time to come"), nil
		}
		var pairer driver.Value
		if by != (crdt.DeviceID{}) {
			row, err := w.deviceRow.row(by[:])
			if err != nil {
				return nil, err
			}
			if row == nil || row[1] != member[0] || row[2].(int64) != 0 {
				return fmt.Errorf("device %s of member %s that may sync: %w", by, m, ErrNotFound), nil
			}
			pairer = row[0]
		}
		open, err := w.openInvites.row(member[0], now)
		if err != nil {
			return nil, err
		}
		if n := open[0].(int64); n >= MaxInvites {
			return fmt.Errorf("%w: the member has %d open invitations, revoke some or wait until they expire", ErrQuota, n), nil
		}
		r, err := w.addInvite.exec(member[0], pairer, secretHash(code), now, expires.UnixMilli())
		if err != nil {
			return nil, err
		}
		i.Created = date(now)
		i.ID, err = r.LastInsertId()
		return nil, err
	})
	if err != nil {
		return Invite{}, "", err
	}
	return i, showCode(code), nil
}

// Invites returns a member's invitations, old ones included; ErrNotFound when there is no such member.
func (s *SQLite) Invites(ctx context.Context, m crdt.MemberID) ([]Invite, error) {
	var list []Invite
	err := s.read(ctx, func(r *reader) error {
		id, _, _, err := r.head(m)
		if err != nil {
			return err
		}
		return r.invites.each(func(row []driver.Value) bool {
			list = append(list, Invite{
				ID: row[0].(int64), Member: m, By: uid[crdt.DeviceID](row[1]), Created: date(row[2]), Expires: date(row[3]),
				Used: date(row[4]), Device: uid[crdt.DeviceID](row[5]), Revoked: date(row[6]),
			})
			return true
		}, id)
	})
	if err != nil {
		return nil, fmt.Errorf("store: invitations: %w", err)
	}
	return list, nil
}

// RevokeInvite takes an invitation back; doing so twice is no error. ErrExpired when it was used: what is to be revoked
// then is the device.
func (s *SQLite) RevokeInvite(ctx context.Context, t Tenant, id int64) error {
	return s.act(ctx, "revoke invitation", 1, func(w *writer) (wrong, err error) {
		row, err := w.invite.row(id, int64(t))
		switch {
		case err != nil || row == nil:
			return fmt.Errorf("invitation %d of company %d: %w", id, t, ErrNotFound), err
		case row[0].(int64) != 0:
			return ErrExpired, nil
		}
		_, err = w.revokeInvite.exec(w.now.UnixMilli(), id)
		return nil, err
	})
}

// Redeem makes the device that an invitation is for; see People. An invitation of a device that was revoked meanwhile is
// not good any more.
func (s *SQLite) Redeem(ctx context.Context, code, device string) (Device, string, error) {
	const what = "redeem invitation"
	if err := checkName("the device", device); err != nil {
		return Device{}, "", fmt.Errorf("store: %s: %w", what, err)
	}
	digits, ok := parseCode(code)
	if !ok {
		return Device{}, "", fmt.Errorf("store: %s: %w", what, ErrNotFound)
	}
	want := secretHash(digits)
	// Whoever guesses is not to keep the committer busy.
	err := s.read(ctx, func(r *reader) error {
		row, err := r.inviteByHash.row(want)
		if err == nil && !foundSecret(row, want) {
			err = ErrNotFound
		}
		return err
	})
	if err != nil {
		return Device{}, "", fmt.Errorf("store: %s: %w", what, err)
	}
	d := Device{ID: crdt.DeviceID(uuid.New()), Name: device}
	token, hash := newSecret(DeviceTokenPrefix)
	err = s.act(ctx, what, 1, func(w *writer) (wrong, err error) {
		row, err := w.inviteByHash.row(want)
		if err != nil {
			return nil, err
		}
		if !foundSecret(row, want) {
			return ErrNotFound, nil
		}
		id, pairer, now := row[1], row[3], w.now.UnixMilli()
		expires, used, revoked := row[4].(int64), row[5].(int64), row[6].(int64)
		if by, ok := row[7].(int64); now >= expires || used != 0 || revoked != 0 || ok && by != 0 {
			return ErrExpired, nil
		}
		d.Member = uid[crdt.MemberID](row[2])
		made, wrong, err := w.makeDevice(&d, pairer, hash)
		if wrong != nil || err != nil {
			return wrong, err
		}
		_, err = w.useInvite.exec(now, made, id)
		return nil, err
	})
	if err != nil {
		return Device{}, "", err
	}
	return d, token, nil
}
