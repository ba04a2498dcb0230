package replica

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"
	"unicode/utf8"

	"trio/crdt"
	"trio/crdt/automerge"
	"trio/crdt/wire"
	"trio/replica/sql"
)

// A file of changes carries what is only on one device to another one of the same member without a server: by a share sheet, a
// cable, a mail to oneself. It is
//
//	"TrioBook", version, member (16 bytes), device (16), time (ms), name of the member, number of changes
//	frames: length, then a wire.Push as on the WebSocket, which is deflated; a length of 0 ends them
//	SHA-256 of all before
//
// Numbers are varints, texts have their length before them. The changes are those of the log of changes themselves, so
// files may be brought twice, in any order, by several ways at once and beside syncing: what is there is there.
const (
	fileMagic   = "TrioBook"
	fileVersion = 1
	// MaxFile bounds a file, bytes: it is held in memory. The whole book of 5,000 people and 20,000 entries has some 2 MB.
	MaxFile = 32 << 20
	// maxFileName bounds the member's name in a file, bytes.
	maxFileName = 120
	// FileExtension is how the names of such files end.
	FileExtension = ".trio"
)

// maxAwaiting bounds the changes of files that wait for others that they build on.
const maxAwaiting = 1 << 16

// Errors of Bring that callers tell apart; what is wrapped round them says more.
var (
	ErrFile      = errors.New("the file is damaged or cut off: save it once more where it comes from, and bring that one")
	ErrNotFile   = errors.New("this is no file of changes that Trio saved")
	ErrOtherBook = errors.New("the file is of another member's book")
)

// errFileTooLarge: more changes than one file is to hold.
var errFileTooLarge = fmt.Errorf("this is more than one file takes (%d MB): let the device sync, or save only what is not safe yet", MaxFile>>20)

// maxUnpacked bounds the bytes of a file's changes once unpacked: a book's are some four times what the file has.
var maxUnpacked = 8 * MaxFile // but for tests

// FileHead says whose changes a file has.
type FileHead struct {
	Member  crdt.MemberID
	Device  crdt.DeviceID // that saved it
	At      time.Time
	Name    string // of the member, "" when the device did not know it
	Changes int
}

// IsFile reports whether a file looks like one of changes.
func IsFile(b []byte) bool {
	return len(b) >= len(fileMagic) && string(b[:len(fileMagic)]) == fileMagic
}

// Export returns a file of the changes that are only on this device, refused ones included, or of all that it has.
func (r *Replica) Export(ctx context.Context, all bool) ([]byte, FileHead, error) {
	head := FileHead{Member: r.member, Device: r.device, At: r.now()}
	if err := r.here(); err != nil {
		return nil, head, err
	}
	var err error
	if head.Name, err = r.Profile(ctx, crdt.ProfileName); err != nil {
		return nil, head, err
	}
	var frames []byte
	put := func(items []wire.Item) error {
		for len(items) > 0 {
			n := len(items)
			b, err := wire.Encode(&wire.Push{ID: 1, Items: items})
			for errors.Is(err, wire.ErrTooLarge) && n > 1 {
				n /= 2
				b, err = wire.Encode(&wire.Push{ID: 1, Items: items[:n]})
			}
			if err != nil {
				return err
			}
			if len(frames)+len(b) > MaxFile-1024 {
				return errFileTooLarge
			}
			frames = append(binary.AppendUvarint(frames, uint64(len(b))), b...)
			head.Changes += n
			items = items[n:]
		}
		return nil
	}
	// What leaves with a device that is revoked is what a person may take along.
	s := &Session{r: r, leaving: &leaving{kept: mark{id: math.MinInt64}}}
	if all {
		if err := r.everything(ctx, put); err != nil {
			return nil, head, err
		}
		s.leaving.kept.id = math.MaxInt64
	}
	for {
		items, marks, err := s.onlyHere(ctx)
		if err == nil {
			err = put(items)
		}
		if err != nil {
			return nil, head, err
		}
		if len(items) == 0 {
			break
		}
		s.leaving.pass(marks[len(marks)-1])
	}
	name := head.Name[:min(len(head.Name), maxFileName)]
	for !utf8.ValidString(name) {
		name = name[:len(name)-1]
	}
	b := append([]byte(fileMagic), fileVersion)
	b = append(append(b, r.member[:]...), r.device[:]...)
	b = binary.AppendUvarint(b, uint64(max(head.At.UnixMilli(), 0)))
	b = append(binary.AppendUvarint(b, uint64(len(name))), name...)
	b = binary.AppendUvarint(b, uint64(head.Changes))
	b = append(append(b, frames...), 0)
	sum := sha256.Sum256(b)
	return append(b, sum[:]...), head, nil
}

// everything calls put with all changes that this device applied, each after those that it depends on.
func (r *Replica) everything(ctx context.Context, put func([]wire.Item) error) error {
	heads, err := r.Heads(ctx)
	if err != nil {
		return err
	}
	var items []wire.Item
	size := 0
	for _, doc := range sortedKeys(heads) {
		err := r.Changes(ctx, doc, func(chunk []byte) error {
			c, err := automerge.ParseChange(slices.Clone(chunk))
			if err != nil {
				return fmt.Errorf("a change of %s on this device cannot be read: %w", doc, err)
			}
			items, size = append(items, wire.Item{Doc: doc, Change: c}), size+c.Len()
			if len(items) < pushChanges && size < pushBytes {
				return nil
			}
			err = put(items)
			items, size = nil, 0
			return err
		})
		if err != nil {
			return err
		}
	}
	return put(items)
}

// ReadFile reads a file of changes and calls frame with its changes, piece by piece; a nil frame reads the head alone. The
// file as a whole is checked before the first call. It needs memory for one frame beside the file.
func ReadFile(b []byte, frame func([]wire.Item) error) (h FileHead, err error) {
	const sum = sha256.Size
	switch {
	case len(b) > MaxFile:
		return h, fmt.Errorf("the file has %d MB: at most %d are taken", len(b)>>20, MaxFile>>20)
	case !IsFile(b):
		return h, ErrNotFile
	case len(b) <= len(fileMagic)+sum:
		return h, ErrFile
	case b[len(fileMagic)] > fileVersion:
		return h, fmt.Errorf("the file was saved by a newer version of the app (form %d, this one reads %d): update the app", b[len(fileMagic)], fileVersion)
	}
	body := b[:len(b)-sum]
	if got := sha256.Sum256(body); string(got[:]) != string(b[len(body):]) {
		return h, ErrFile
	}
	if b[len(fileMagic)] == 0 {
		return h, ErrFile
	}
	rest := body[len(fileMagic)+1:]
	bad := false
	take := func(n uint64) (x []byte) {
		if n > uint64(len(rest)) {
			bad = true
			return make([]byte, min(n, 16))
		}
		x, rest = rest[:n], rest[n:]
		return x
	}
	number := func() uint64 {
		v, n := binary.Uvarint(rest)
		if n <= 0 {
			bad = true
			return 0
		}
		rest = rest[n:]
		return v
	}
	copy(h.Member[:], take(16))
	copy(h.Device[:], take(16))
	h.At = time.UnixMilli(int64(min(number(), crdt.MaxTime)))
	name := string(take(min(number(), maxFileName+1)))
	changes := number()
	if bad || len(name) > maxFileName || !utf8.ValidString(name) || changes > MaxFile {
		return FileHead{}, ErrFile
	}
	h.Name, h.Changes = name, int(changes)
	if frame == nil {
		return h, nil
	}
	seen, size := 0, 0
	for {
		n := number()
		if n == 0 || bad {
			break
		}
		f, err := wire.Decode(take(n))
		p, ok := f.(*wire.Push)
		if bad || err != nil || !ok {
			return h, ErrFile
		}
		for i := range p.Items {
			it := &p.Items[i]
			if !it.Doc.Valid() {
				return h, fmt.Errorf("%w (document %.40q)", ErrFile, it.Doc)
			}
			if err := errors.Join(wire.Fits(it.Change), it.Change.CheckStrict()); err != nil {
				return h, fmt.Errorf("%w (%w)", ErrFile, err)
			}
			size += it.Change.Len()
		}
		if size > maxUnpacked {
			return h, fmt.Errorf("the file has more changes than a book (over %d MB unpacked), so no more of it was taken: bring one that Trio saved on a device of yours", maxUnpacked>>20)
		}
		if err := frame(p.Items); err != nil {
			return h, err
		}
		seen += len(p.Items)
	}
	if bad || len(rest) > 0 || seen != h.Changes {
		return h, ErrFile
	}
	return h, nil
}

// Brought is what came of a file.
type Brought struct {
	FileHead
	New     int // that were not here
	Same    int // that were
	Waiting int // that build on others, which this file does not have: they are applied once these come, by a file or from the server
	Aside   int // that the book has something else in the place of: kept among what is not sent, with the reason
}

// Bring applies the changes of a file that another device of the member saved. They are only on this device then, until the
// server has them. Brought once more it changes nothing. ErrNotFile, ErrFile, ErrOtherBook.
func (r *Replica) Bring(ctx context.Context, file []byte) (n Brought, err error) {
	if err := r.here(); err != nil {
		return n, err
	}
	if n.FileHead, err = ReadFile(file, nil); err != nil {
		return n, err
	}
	if n.Member != r.member {
		name, err := r.Profile(ctx, crdt.ProfileName)
		if err != nil {
			return n, err
		}
		return n, fmt.Errorf("%w: it is %s, and this device has %s", ErrOtherBook, bookOf(n.Name), bookOf(name))
	}
	_, err = ReadFile(file, func(items []wire.Item) error {
		part := n
		err := r.update(ctx, func(t *tx) error {
			part = n // should it be done again
			for i := range items {
				what, err := t.bring(&items[i])
				if err != nil {
					return err
				}
				switch what {
				case isNew:
					part.New++
				case isHere:
					part.Same++
				case isWaiting:
					part.Waiting++
				case isAside:
					part.Aside++
				}
			}
			before := t.admitted
			if err := t.admit(); err != nil {
				return err
			}
			part.New += t.admitted - before
			part.Waiting = max(part.Waiting-(t.admitted-before), 0)
			return nil
		})
		if err == nil {
			n = part
		}
		return err
	})
	return n, err
}

func bookOf(name string) string {
	if name == "" {
		return "a book without a name"
	}
	return name + "'s book"
}

// What became of a change of a file.
type fate uint8

const (
	isNew fate = iota
	isHere
	isWaiting
	isAside
)

// counterLeap is how far the counters of a change may be ahead of all that it builds on, as on the server.
const counterLeap = 1024

// bring applies a change that came by a file, if all that it builds on is here; else it waits.
func (t *tx) bring(it *wire.Item) (fate, error) {
	c, h := it.Change, it.Change.Hash()
	d, err := t.doc(it.Doc)
	if err != nil {
		return 0, err
	}
	if held, err := t.holds(d, h); err != nil || held {
		return isHere, err
	}
	var n int
	if _, err := t.one([]any{&n}, `SELECT count(*) FROM rejected WHERE hash=?`, h[:]); err != nil || n > 0 {
		return isHere, err
	}
	for _, dep := range c.Deps {
		held, err := t.holds(d, dep)
		if err != nil {
			return 0, err
		}
		if !held {
			return t.wait(it, dep)
		}
	}
	actor, err := t.actor(c.Actor)
	if err != nil {
		return 0, err
	}
	var last int64
	if _, err := t.one([]any{&last}, `SELECT seq FROM writers WHERE doc=? AND actor=?`, d.id, actor); err != nil {
		return 0, err
	}
	if uint64(last) >= c.Seq {
		// Its place is taken: this device, or the one that saved the file, was put back from a backup. What has no receipt
		// is written again by another writer; what the server has stays.
		var safe int
		if _, err := t.one([]any{&safe}, `SELECT count(*) FROM changes WHERE doc=? AND actor=? AND seq=? AND receipt IS NULL`, d.id, actor, int64(c.Seq)); err != nil {
			return 0, err
		}
		if safe == 0 {
			return isAside, t.setAside(d, it, wire.CodeSequence, "the book has another change in its place: the device that saved it was put back from a backup")
		}
		if err := t.fork(d, c); err != nil {
			return 0, err
		}
		last = int64(c.Seq) - 1
	}
	if uint64(last)+1 != c.Seq || c.StartOp > d.maxOp+1+counterLeap {
		return isAside, t.setAside(d, it, wire.CodeInvalid, "it does not continue what its writer wrote before")
	}
	for i := range c.Ops {
		if err := t.apply(d, c.OpID(i), &c.Ops[i], true); err != nil {
			return 0, err
		}
	}
	return isNew, t.store(d, c, actor, nil)
}

// setAside keeps a change that cannot be part of the book, for the person to see.
func (t *tx) setAside(d *document, it *wire.Item, code wire.Code, why string) error {
	h := it.Change.Hash()
	return t.exec(`INSERT INTO rejected(hash, doc, at, code, reason, chunk) VALUES(?,?,?,?,?,?) ON CONFLICT DO NOTHING`,
		h[:], d.id, t.now, int64(code), why, it.Change.Raw())
}

// wait keeps a change until one that it builds on, and that is not here, comes.
func (t *tx) wait(it *wire.Item, dep automerge.Hash) (fate, error) {
	h := it.Change.Hash()
	res, err := t.execResult(`INSERT INTO waiting(hash, doc, dep, chunk) VALUES(?,?,?,?) ON CONFLICT(hash) DO UPDATE SET dep=excluded.dep WHERE dep<>excluded.dep`,
		h[:], string(it.Doc), dep[:], it.Change.Raw())
	if err != nil {
		return 0, err
	}
	if n, err := res.RowsAffected(); err != nil || n == 0 {
		return isWaiting, err // it waits already
	}
	if _, err := t.one([]any{&t.waiting}, `SELECT count(*) FROM waiting`); err != nil {
		return 0, err
	}
	if t.waiting > maxAwaiting {
		return 0, fmt.Errorf("more than %d changes wait for others that they build on: bring the files that were saved before, or let the device sync", maxAwaiting)
	}
	return isWaiting, nil
}

// admit applies what waited for changes that this transaction stored, and what waited for that.
func (t *tx) admit() error {
	for len(t.came) > 0 && t.waiting > 0 {
		h := t.came[0]
		t.came = t.came[1:]
		if err := t.unwait(h); err != nil { // it came by another way
			return err
		}
		var items []wire.Item
		err := t.query(func(rows *sql.Rows) error {
			var doc string
			var chunk []byte
			if err := rows.Scan(&doc, &chunk); err != nil {
				return err
			}
			c, err := automerge.ParseChange(slices.Clone(chunk))
			if err != nil {
				return fmt.Errorf("a change of %s that waits on this device cannot be read: %w", doc, err)
			}
			items = append(items, wire.Item{Doc: crdt.DocName(doc), Change: c})
			return nil
		}, `SELECT doc, chunk FROM waiting WHERE dep=? ORDER BY hash`, h[:])
		if err != nil {
			return err
		}
		for i := range items {
			what, err := t.bring(&items[i])
			if err != nil {
				return err
			}
			if what == isWaiting {
				continue // for another one
			}
			if what == isNew {
				t.admitted++
			}
			if err := t.unwait(items[i].Change.Hash()); err != nil {
				return err
			}
		}
	}
	t.came = nil
	return nil
}

func (t *tx) unwait(h automerge.Hash) error {
	res, err := t.execResult(`DELETE FROM waiting WHERE hash=?`, h[:])
	if err != nil {
		return err
	}
	n, err := res.RowsAffected()
	t.waiting -= int(n)
	return err
}
