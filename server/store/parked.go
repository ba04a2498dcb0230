package store

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"unicode/utf8"

	"trio/crdt"
	"trio/crdt/automerge"
	"trio/crdt/wire"
)

// MaxParkedPage is the most changes that one call of ParkedOf returns.
const MaxParkedPage = 1000

// MayKeep reports whether Park takes changes of a document of this name: also of one that no member can have, or not yet.
func MayKeep(name crdt.DocName) bool {
	return len(name) <= MaxParkedName && utf8.ValidString(string(name))
}

// Park keeps changes of a revoked device apart; see People. They are stored as they are: what they build on, and whether
// the member has them already, is looked at by whoever takes them over. Their bytes count apart from the member's: a stolen
// device is not to take the room of the others.
func (s *SQLite) Park(ctx context.Context, d crdt.DeviceID, items []Item) error {
	const what = "park"
	type chunk struct {
		hash automerge.Hash
		data []byte
		size int
		kept bool
	}
	chunks := make([]chunk, len(items))
	bytes := 0
	seen := make(map[automerge.Hash]bool, len(items))
	for i := range items {
		it := &items[i]
		switch {
		case it.Change == nil || it.Change.Len() == 0:
			return fmt.Errorf("store: %s: %w", what, Invalid("the change is empty: nothing to keep"))
		case !MayKeep(it.Doc):
			return fmt.Errorf("store: %s: %w", what, Invalid(fmt.Sprintf("a document's name is %.40q: want UTF-8 text of at most %d bytes", it.Doc, MaxParkedName)))
		}
		c := &chunks[i]
		if c.hash = it.Change.Hash(); seen[c.hash] {
			c.kept = true
			continue
		}
		seen[c.hash] = true
		c.data, c.size = deflate(it.Change.Raw())
		bytes += len(c.data)
	}
	return s.act(ctx, what, weight(len(items), bytes), func(w *writer) (wrong, err error) {
		row, err := w.deviceRow.row(d[:])
		switch {
		case err != nil || row == nil:
			return noDevice(d), err
		case row[2].(int64) == 0:
			return notRevoked(d), nil
		}
		device, kept, all, most := row[0], row[3].(int64), row[5].(int64), row[6].(int64)
		var fresh []int
		var bytes int64
		for i := range chunks {
			if chunks[i].kept {
				continue
			}
			old, err := w.isParked.row(device, chunks[i].hash[:])
			if err != nil {
				return nil, err
			}
			if old == nil {
				fresh, bytes = append(fresh, i), bytes+int64(items[i].Change.Len())
			}
		}
		switch {
		case bytes > 0 && most > 0 && all+bytes > most:
			return fmt.Errorf("%w: %d bytes may be kept of a member's revoked devices", ErrQuota, most), nil
		case bytes > 0 && all+bytes > MaxParkedMember:
			return fmt.Errorf("%w: %d bytes may be kept of a member's revoked devices", ErrQuota, MaxParkedMember), nil
		case bytes > 0 && kept+bytes > MaxParkedBytes:
			return fmt.Errorf("%w: %d bytes may be kept of a revoked device", ErrQuota, MaxParkedBytes), nil
		}
		for _, i := range fresh {
			doc, err := w.docID(string(items[i].Doc))
			if err != nil {
				return nil, err
			}
			c := &chunks[i]
			if _, err := w.park.exec(device, doc, c.hash[:], w.now.UnixMilli(), int64(c.size), c.data); err != nil {
				return nil, err
			}
		}
		// Written even if all was kept before: whoever hears of it empties the device.
		return nil, w.countKept(bytes, device, row[1])
	})
}

// countKept counts the bytes that are kept apart.
func (w *writer) countKept(bytes int64, device, member driver.Value) error {
	if _, err := w.keptBy.exec(bytes, device); err != nil {
		return err
	}
	_, err := w.keptOf.exec(bytes, member)
	return err
}

func overQuota(most int64) error {
	return fmt.Errorf("%w: a member may store %d bytes", ErrQuota, most)
}

// ParkedOf returns a page of what is kept of a device. A limit that is not above zero, or is above MaxParkedPage, means
// MaxParkedPage; a page of large changes has fewer, and at least one. ErrNotFound when there is no such device.
func (s *SQLite) ParkedOf(ctx context.Context, d crdt.DeviceID, after int64, limit int) ([]Parked, error) {
	if limit <= 0 || limit > MaxParkedPage {
		limit = MaxParkedPage
	}
	var list []Parked
	err := s.read(ctx, func(r *reader) error {
		row, err := r.deviceRow.row(d[:])
		if err != nil || row == nil {
			return errors.Join(err, noDevice(d))
		}
		bytes, rows := 0, 0
		var bad error
		err = r.parked.each(func(row []driver.Value) bool {
			p := Parked{ID: row[0].(int64), Arrived: date(row[2])}
			if when := row[3].(int64); when < 0 {
				p.Discarded = date(-when)
			} else {
				p.Taken = date(when)
			}
			if p.Item.Change, bad = parseRow(row[5].([]byte), int(row[4].(int64))); bad == nil {
				p.Item.Doc, bad = s.docName(r, row[1].(int64))
			}
			if bad != nil {
				bad = fmt.Errorf("kept change %d: %w: restore the database from a backup", p.ID, bad)
				return false
			}
			// A few bytes may be thousands of operations.
			bytes, rows = bytes+p.Item.Change.Len(), rows+wire.Rows(p.Item.Change)
			if len(list) > 0 && (bytes > wire.MaxInflated || rows > wire.MaxRows) {
				return false
			}
			list = append(list, p)
			return true
		}, row[0], after, int64(limit))
		return errors.Join(err, bad)
	})
	if err != nil {
		return nil, fmt.Errorf("store: parked: %w", err)
	}
	return list, nil
}

// TakeParked marks what was kept as taken over; doing so twice is no error. ErrNotFound when one is not of the device: then
// nothing is marked.
func (s *SQLite) TakeParked(ctx context.Context, d crdt.DeviceID, ids []int64) error {
	return s.act(ctx, "take parked", len(ids), func(w *writer) (wrong, err error) {
		device, err := w.deviceRow.row(d[:])
		if err != nil || device == nil {
			return noDevice(d), err
		}
		open := map[int64]int64{} // bytes of those that were not taken over
		for _, id := range ids {
			row, err := w.parkedRow.row(id, device[0])
			if err != nil || row == nil {
				return fmt.Errorf("kept change %d of device %s: %w", id, d, ErrNotFound), err
			}
			if row[0].(int64) == 0 {
				open[id] = row[1].(int64)
			}
		}
		var bytes int64
		for id, n := range open {
			if _, err := w.take.exec(w.now.UnixMilli(), id); err != nil {
				return nil, err
			}
			bytes += n
		}
		return nil, w.countKept(-bytes, device[0], device[1])
	})
}

// DiscardParked sets aside what is kept; see People. ErrNotFound when there is no such device.
func (s *SQLite) DiscardParked(ctx context.Context, d crdt.DeviceID) (int, error) {
	var n int // the committer's, who may still write it when ctx has ended
	err := s.act(ctx, "discard parked", MaxParkedPage, func(w *writer) (wrong, err error) {
		n = 0
		device, err := w.deviceRow.row(d[:])
		if err != nil || device == nil {
			return noDevice(d), err
		}
		var upto, bytes int64
		if err := w.waiting.each(func(row []driver.Value) bool {
			n, upto, bytes = n+1, row[0].(int64), bytes+row[1].(int64)
			return true
		}, device[0], int64(MaxParkedPage)); err != nil {
			return nil, err
		}
		if _, err := w.discard.exec(w.now.UnixMilli(), device[0], upto); err != nil {
			return nil, err
		}
		return nil, w.countKept(-bytes, device[0], device[1])
	})
	if err != nil {
		return 0, err
	}
	return n, nil
}
