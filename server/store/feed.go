package store

import (
	"context"
	"crypto/sha256"
	"database/sql/driver"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"math"
	"strings"
	"time"

	"trio/crdt/wire"
)

// MaxFeedPage is the most records that one call of Feed returns.
const MaxFeedPage = 10000

// Feed returns the tenant's records after a cursor; see Store. A limit that is not above zero, or is above MaxFeedPage,
// means MaxFeedPage.
func (s *SQLite) Feed(ctx context.Context, t Tenant, cursor string, limit int) ([]Activity, string, error) {
	pos, err := parseCursor(cursor, s.epoch, t)
	if err != nil {
		return nil, "", fmt.Errorf("store: feed: %w", err)
	}
	if limit <= 0 || limit > MaxFeedPage {
		limit = MaxFeedPage
	}
	var rs []Activity
	err = s.read(ctx, func(r *reader) error {
		var err error
		rs, pos, err = r.page(t, pos, limit)
		return err
	})
	switch {
	case err != nil:
		return nil, "", fmt.Errorf("store: feed: %w", err)
	case len(rs) == 0:
		return nil, cursor, nil
	}
	return rs, formatCursor(s.epoch, t, pos), nil
}

// page returns records after a position, and the position of the last one.
func (r *reader) page(t Tenant, pos int64, limit int) (rs []Activity, last int64, err error) {
	err = r.feed.each(func(row []driver.Value) bool {
		var a Activity
		last = row[0].(int64)
		copy(a.Entry[:], row[1].([]byte))
		copy(a.Member[:], row[2].([]byte))
		copy(a.Device[:], row[3].([]byte))
		a.Arrived = time.UnixMilli(row[4].(int64)).UTC()
		a.Body = row[5].(string)
		rs = append(rs, a)
		return true
	}, int64(t), pos, int64(limit))
	if err != nil || len(rs) > 0 || pos == 0 {
		return rs, last, err
	}
	// Nothing came after. A position that this store has not given yet must not wait in silence until it is reached:
	// everything up to there would be left out.
	row, err := r.feedHead.row()
	if err != nil {
		return nil, 0, err
	}
	if row == nil || pos > row[0].(int64) {
		return nil, 0, fmt.Errorf("cursor is ahead of the feed, which an older copy of the server's data would explain: %w", ErrCursor)
	}
	return nil, pos, nil
}

// A cursor is base64url of: version, epoch, position (big endian), and four bytes of a SHA-256 over these and the
// tenant. The sum catches what a spreadsheet or a person does to a cursor, and that of another company; it is no
// secret, as a cursor gives no right that the key does not give.
//
//	1  first
const cursorVersion = 1

const cursorLen = 1 + 16 + 8 + 4

func formatCursor(e wire.Epoch, t Tenant, pos int64) string {
	b := make([]byte, 0, cursorLen)
	b = append(b, cursorVersion)
	b = append(b, e[:]...)
	b = binary.BigEndian.AppendUint64(b, uint64(pos))
	b = append(b, cursorSum(b, t)...)
	return base64.RawURLEncoding.EncodeToString(b)
}

func cursorSum(b []byte, t Tenant) []byte {
	h := sha256.New()
	_, _ = h.Write(b) // a hash does not fail
	_, _ = h.Write(binary.BigEndian.AppendUint64(nil, uint64(t)))
	return h.Sum(nil)[:4]
}

// parseCursor returns the position of a cursor; that of "" is 0.
func parseCursor(s string, e wire.Epoch, t Tenant) (int64, error) {
	if s == "" {
		return 0, nil
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(s)
	switch {
	case err != nil || len(b) == 0 || strings.ContainsAny(s, "\r\n"): // the decoder skips those
		return 0, fmt.Errorf("cursor is not what the feed gave out: %w", ErrCursor)
	case b[0] != cursorVersion:
		return 0, fmt.Errorf("cursor has version %d, this build reads %d: %w", b[0], cursorVersion, ErrCursor)
	case len(b) != cursorLen:
		return 0, fmt.Errorf("cursor has %d bytes, want %d: %w", len(b), cursorLen, ErrCursor)
	case string(b[cursorLen-4:]) != string(cursorSum(b[:cursorLen-4], t)):
		return 0, fmt.Errorf("cursor is damaged or another company's: %w", ErrCursor)
	case wire.Epoch(b[1:17]) != e:
		return 0, fmt.Errorf("cursor is of another incarnation of the store: %w", ErrCursor)
	}
	pos := binary.BigEndian.Uint64(b[17:])
	if pos > math.MaxInt64 {
		return 0, fmt.Errorf("cursor is out of range: %w", ErrCursor)
	}
	return int64(pos), nil
}
