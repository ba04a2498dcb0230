package store

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"time"

	"trio/crdt"
)

// MaxRemindersPage is the most reminders that one call of Reminders returns.
const MaxRemindersPage = 1000

const webPushKey = "SELECT value FROM meta WHERE key = 'web push'"

// maxKeyBytes bounds what is read of a browser's keys: those of P-256 have 65 and 16 bytes.
const maxKeyBytes = 256

// stamp is a time as it is stored, ms since 1970; 0 is none.
func stamp(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

// WebPushKey returns the store's key, made of the first offer; see Notices.
func (s *SQLite) WebPushKey(ctx context.Context, offer []byte) (key []byte, err error) {
	err = s.read(ctx, func(r *reader) error {
		row, err := r.webPushKey.row()
		if row != nil {
			key, _ = row[0].([]byte)
		}
		return err
	})
	if err != nil || key != nil {
		return key, err
	}
	if len(offer) == 0 || len(offer) > maxKeyBytes {
		return nil, fmt.Errorf("store: key for web push: %w", Invalid(fmt.Sprintf("the key has %d bytes: want 1 to %d", len(offer), maxKeyBytes)))
	}
	var kept []byte // the committer's, who may still write it when ctx has ended
	err = s.act(ctx, "key for web push", 1, func(w *writer) (wrong, err error) {
		row, err := w.webPushKey.row()
		if err != nil {
			return nil, err
		}
		if row != nil { // another one was first
			kept, _ = row[0].([]byte)
			return nil, nil
		}
		kept = offer
		_, err = w.setWebPushKey.exec(offer)
		return nil, err
	})
	if err != nil {
		return nil, err
	}
	return kept, nil
}

// Subscribe keeps where a device is sent notices; see Notices.
func (s *SQLite) Subscribe(ctx context.Context, sub Subscription) error {
	const what = "subscribe"
	switch {
	case sub.Endpoint == "" || len(sub.Endpoint) > MaxEndpoint:
		return fmt.Errorf("store: %s: %w", what, Invalid(fmt.Sprintf("the endpoint has %d bytes: want 1 to %d", len(sub.Endpoint), MaxEndpoint)))
	case len(sub.Public) == 0 || len(sub.Public) > maxKeyBytes || len(sub.Secret) == 0 || len(sub.Secret) > maxKeyBytes:
		return fmt.Errorf("store: %s: %w", what, Invalid(fmt.Sprintf("the keys have %d and %d bytes: want 1 to %d", len(sub.Public), len(sub.Secret), maxKeyBytes)))
	}
	return s.act(ctx, what, 1, func(w *writer) (wrong, err error) {
		row, err := w.deviceRow.row(sub.Device[:])
		switch {
		case err != nil || row == nil:
			return noDevice(sub.Device), err
		case row[2].(int64) != 0:
			return Invalid(fmt.Sprintf("device %s was revoked: it is told nothing more", sub.Device)), nil
		}
		before, err := w.byEndpoint.row(sub.Endpoint)
		if err != nil {
			return nil, err
		}
		if before != nil && before[0] != row[0] {
			of, err := w.endpointOf.row(before[0])
			if err != nil {
				return nil, err
			}
			if err := w.dropSubscription(before[0], of[0]); err != nil {
				return nil, err
			}
		}
		if _, err := w.subscribe.exec(row[0], row[1], sub.Endpoint, sub.Public, sub.Secret, w.now.UnixMilli()); err != nil {
			return nil, err
		}
		if has, err := w.hasReminder.row(row[1]); err != nil || has != nil {
			return nil, err
		}
		_, err = w.remind.exec(row[1])
		return nil, err
	})
}

// dropSubscription forgets a device's subscription, and with the last one of its member the reminder.
func (w *writer) dropSubscription(device, member driver.Value) error {
	if _, err := w.unsubscribe.exec(device); err != nil {
		return err
	}
	if row, err := w.subscribed.row(member); err != nil || row != nil {
		return err
	}
	_, err := w.noReminder.exec(member)
	return err
}

// Unsubscribe forgets a device's subscription; see Notices.
func (s *SQLite) Unsubscribe(ctx context.Context, d crdt.DeviceID, endpoint string) error {
	return s.act(ctx, "unsubscribe", 1, func(w *writer) (wrong, err error) {
		row, err := w.deviceRow.row(d[:])
		if err != nil || row == nil {
			return noDevice(d), err
		}
		has, err := w.endpointOf.row(row[0])
		if err != nil || has == nil || endpoint != "" && has[1] != endpoint {
			return nil, err
		}
		return nil, w.dropSubscription(row[0], row[1])
	})
}

// Subscriptions returns those of a member's devices; see Notices.
func (s *SQLite) Subscriptions(ctx context.Context, m crdt.MemberID) (list []Subscription, err error) {
	err = s.read(ctx, func(r *reader) error {
		return r.subs.each(func(row []driver.Value) bool {
			list = append(list, Subscription{
				Device: uid[crdt.DeviceID](row[0]), Member: uid[crdt.MemberID](row[1]), Tenant: Tenant(row[2].(int64)), Endpoint: row[3].(string),
				Public: row[4].([]byte), Secret: row[5].([]byte), Created: date(row[6]), Failures: int(row[7].(int64)),
			})
			return true
		}, m[:])
	})
	if err != nil {
		return nil, fmt.Errorf("store: subscriptions: %w", err)
	}
	return list, nil
}

// Delivered notes how a delivery went; see Notices.
func (s *SQLite) Delivered(ctx context.Context, d crdt.DeviceID, endpoint string, ok bool) error {
	return s.act(ctx, "note delivery", 1, func(w *writer) (wrong, err error) {
		row, err := w.deviceRow.row(d[:])
		if err != nil || row == nil {
			return noDevice(d), err
		}
		has, err := w.endpointOf.row(row[0])
		if err != nil || has == nil || has[1] != endpoint {
			return nil, err
		}
		failures := has[2].(int64) + 1
		if ok {
			failures = 0
		}
		switch {
		case failures == has[2].(int64):
			return nil, nil
		case failures >= MaxFailures:
			return nil, w.dropSubscription(row[0], row[1])
		}
		_, err = w.failures.exec(failures, row[0])
		return nil, err
	})
}

// Reminders returns those to be looked at until a time; see Notices. A limit that is not above zero, or is above MaxRemindersPage,
// means MaxRemindersPage.
func (s *SQLite) Reminders(ctx context.Context, until time.Time, after Reminder, limit int) (list []Reminder, err error) {
	if limit <= 0 || limit > MaxRemindersPage {
		limit = MaxRemindersPage
	}
	err = s.read(ctx, func(r *reader) error {
		from, member := int64(-1), int64(0)
		if after.Member != (crdt.MemberID{}) {
			row, err := r.member.row(after.Member[:])
			if err != nil || row == nil {
				return errors.Join(err, noMember(after.Member))
			}
			from, member = stamp(after.Next), row[0].(int64)
		}
		return r.reminders.each(func(row []driver.Value) bool {
			list = append(list, Reminder{
				Member: uid[crdt.MemberID](row[0]), Tenant: Tenant(row[1].(int64)), Next: date(row[2]), Given: date(row[3]),
				Ignored: int(row[4].(int64)), Head: uint64(row[5].(int64)),
			})
			return true
		}, from, member, until.UnixMilli(), int64(limit))
	})
	if err != nil {
		return nil, fmt.Errorf("store: reminders: %w", err)
	}
	return list, nil
}

// SetReminder replaces a member's reminder if nobody else has; see Notices.
func (s *SQLite) SetReminder(ctx context.Context, n Reminder, was time.Time) (bool, error) {
	var ok bool // the committer's, who may still write it when ctx has ended
	err := s.act(ctx, "set reminder", 1, func(w *writer) (wrong, err error) {
		row, err := w.reminded.row(n.Member[:])
		if ok = err == nil && row != nil && row[1].(int64) == stamp(was); !ok {
			return nil, err
		}
		_, err = w.setReminder.exec(stamp(n.Next), stamp(n.Given), int64(max(n.Ignored, 0)), count(n.Head), row[0])
		return nil, err
	})
	return err == nil && ok, err
}

// ClaimNotice claims a notice; see Notices.
func (s *SQLite) ClaimNotice(ctx context.Context, m crdt.MemberID, key string, until time.Time) (bool, error) {
	if key == "" || len(key) > MaxNoticeKey {
		return false, fmt.Errorf("store: claim notice: %w", Invalid(fmt.Sprintf("the key has %d bytes: want 1 to %d", len(key), MaxNoticeKey)))
	}
	var ok bool // as above
	err := s.act(ctx, "claim notice", 1, func(w *writer) (wrong, err error) {
		row, err := w.memberRow.row(m[:])
		if err != nil || row == nil {
			return noMember(m), err
		}
		if _, err := w.forgetClaims.exec(w.now.UnixMilli()); err != nil {
			return nil, err
		}
		res, err := w.claim.exec(row[0], key, until.UnixMilli())
		if err != nil {
			return nil, err
		}
		n, err := res.RowsAffected()
		ok = n == 1
		return nil, err
	})
	return err == nil && ok, err
}
