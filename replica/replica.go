package replica

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"trio/crdt"
	"trio/crdt/automerge"
	"trio/crdt/book"
	"trio/crdt/wire"
	"trio/ranking"
	"trio/ranking/playbook"
	"trio/replica/sql"
)

// Config says which replica to open. Zero fields have the defaults stated behind them.
type Config struct {
	// Path of the database file. It is made when absent; then Member and Device must be given. In a browser ":memory:" is
	// one that is gone when it is closed.
	Path string
	// Member and Device own the replica. When given for an existing one they must be its own, else ErrOther.
	Member crdt.MemberID
	Device crdt.DeviceID
	// Adopt has the data of the same member under another device's id be this device's from now on: it joined anew, as the
	// server does not know it any more. What was not sent yet is written again by this device.
	Adopt bool
	// Playbook is used until the company's own has come. Zero: playbook.Default.
	Playbook *playbook.Doc
	// Now is the device's clock. Zero: time.Now.
	Now func() time.Time
	// MaxPages bounds the database (pages of 4 KiB). Zero: the disk does.
	MaxPages int64
	// FoldAt is how many changes Compact waits for. Zero: 1,000.
	FoldAt int
}

// Replica is a member's documents on one device. All methods may be called from many goroutines; commands and arriving
// changes take turns. Close it before the process ends to leave no write-ahead log behind; a crash loses nothing.
type Replica struct {
	db     *sql.DB
	conn   *sql.Conn // the one connection that writes, under mu
	rdb    *sql.DB   // connections that read meanwhile
	member crdt.MemberID
	device crdt.DeviceID
	now    func() time.Time
	first  *playbook.Doc // Config.Playbook

	mu      sync.Mutex // one writer; guards what follows
	stmts   map[string]*sql.Stmt
	actors  map[automerge.ActorID]int64
	byActor map[int64]automerge.ActorID
	writer  automerge.ActorID
	lock    io.Closer // on the data, against another process
	wiped   bool      // since it left

	before crdt.DeviceID // whose data it was until this Open; zero: its own

	foldAt  int
	folding sync.Mutex // one Compact at a time; taken before mu; guards asked
	asked   struct {   // when no month of the log was found closed
		month crdt.DocName
		seq   uint64
	}

	// now committed: what commands start from and screens read without waiting for them
	turn      sync.RWMutex // a commit holds it from the database to what is in memory, Status while it reads both
	committed atomic.Pointer[standing]
	held      atomic.Pointer[held]

	top    topThree
	habits habits

	watch struct {
		sync.Mutex
		subs map[chan struct{}]struct{}
	}
}

// standing is where a replica stands: replaced as a whole after each commit.
type standing struct {
	cursor wire.Receipt
	skew   int64         // ms, server clock minus own
	home   book.Calendar // the member's

	folded  uint64 // the last change that is in a segment: these hold all from the first on
	forgets int    // how often changes lost their places

	waiting int // changes of files that wait for others

	left time.Time // when the device emptied itself; zero: it has not
}

// Open opens or makes the replica at cfg.Path. A database of a newer schema, of another program or of another member is
// refused with an error that says what to do, and is not touched.
func Open(ctx context.Context, cfg Config) (*Replica, error) {
	if cfg.Path == "" {
		return nil, errors.New("replica has no path: say where its data lies")
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Playbook != nil {
		if err := cfg.Playbook.Goals.Check(); err != nil {
			return nil, err
		}
	}
	db, err := sql.Open(cfg.Path)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", cfg.Path, err)
	}
	rdb, err := sql.Open(cfg.Path)
	if err != nil {
		db.Close()
		return nil, fmt.Errorf("open %s: %w", cfg.Path, err)
	}
	rdb.SetMaxOpenConns(readers)
	r := &Replica{
		db: db, rdb: rdb, now: cfg.Now, first: cfg.Playbook,
		stmts:  map[string]*sql.Stmt{},
		actors: map[automerge.ActorID]int64{}, byActor: map[int64]automerge.ActorID{},
	}
	if r.foldAt = cfg.FoldAt; r.foldAt <= 0 {
		r.foldAt = 1000
	}
	r.watch.subs = map[chan struct{}]struct{}{}
	if err := r.open(ctx, cfg); err != nil {
		return nil, errors.Join(fmt.Errorf("open %s: %w", cfg.Path, err), r.Close())
	}
	return r, nil
}

func (r *Replica) open(ctx context.Context, cfg Config) error {
	var err error
	if r.lock, err = lockData(ctx, cfg.Path); err != nil {
		return err
	}
	if r.conn, err = r.db.Conn(ctx); err != nil {
		return err
	}
	if err := migrate(ctx, r.conn); err != nil {
		return err
	}
	if err := r.pragmas(ctx, cfg); err != nil {
		return err
	}
	if err := r.own(ctx, cfg); err != nil {
		return err
	}
	return r.load(ctx)
}

// pragmas sets what durability rests on and reads it back: a setting that did not take must not go unnoticed.
func (r *Replica) pragmas(ctx context.Context, cfg Config) error {
	journal := "wal"
	if cfg.Path == inMemory {
		journal = "memory"
	}
	for _, p := range []struct{ set, get, want string }{
		{`PRAGMA journal_mode=WAL`, `PRAGMA journal_mode`, journal},
		{`PRAGMA synchronous=FULL`, `PRAGMA synchronous`, "2"},
		{`PRAGMA busy_timeout=5000`, `PRAGMA busy_timeout`, "5000"},
	} {
		var got string
		if _, err := r.conn.ExecContext(ctx, p.set); err != nil {
			return full(err)
		}
		if err := r.conn.QueryRowContext(ctx, p.get).Scan(&got); err != nil {
			return err
		}
		if got != p.want {
			return fmt.Errorf("%s answers %q: want %q", p.get, got, p.want)
		}
	}
	if cfg.MaxPages > 0 {
		if _, err := r.conn.ExecContext(ctx, fmt.Sprintf(`PRAGMA max_page_count=%d`, cfg.MaxPages)); err != nil {
			return err
		}
	}
	return nil
}

// own reads whose replica this is, or makes it cfg's.
func (r *Replica) own(ctx context.Context, cfg Config) error {
	var member, device []byte
	err := r.conn.QueryRowContext(ctx, `SELECT m.value, d.value FROM meta m, meta d WHERE m.key='member' AND d.key='device'`).Scan(&member, &device)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		if cfg.Member == (crdt.MemberID{}) || cfg.Device == (crdt.DeviceID{}) {
			return errors.New("there is no data here yet: sign in first (member and device are needed to make it)")
		}
		_, err = r.conn.ExecContext(ctx, `INSERT INTO meta VALUES('member',?),('device',?),('writer',?)`, cfg.Member[:], cfg.Device[:], int64(newWriter()))
		if err != nil {
			return full(err)
		}
		r.member, r.device = cfg.Member, cfg.Device
	case err != nil:
		return err
	default:
		copy(r.member[:], member)
		copy(r.device[:], device)
		if cfg.Adopt && cfg.Member == r.member && cfg.Device != (crdt.DeviceID{}) && cfg.Device != r.device {
			r.before, r.device = r.device, cfg.Device
			return nil
		}
		if cfg.Member != (crdt.MemberID{}) && cfg.Member != r.member || cfg.Device != (crdt.DeviceID{}) && cfg.Device != r.device {
			return ErrOther
		}
	}
	return nil
}

// adopt makes the data this device's, if it was another's: see Config.Adopt.
func (t *tx) adopt() error {
	if t.r.before == (crdt.DeviceID{}) {
		return nil
	}
	w := newWriter()
	t.writer = crdt.NewActor(t.r.device, w)
	if err := t.exec(`UPDATE meta SET value=? WHERE key='device'`, t.r.device[:]); err != nil {
		return err
	}
	if err := t.exec(`UPDATE meta SET value=? WHERE key='writer'`, int64(w)); err != nil {
		return err
	}
	var docs []crdt.DocName
	err := t.query(func(rows *sql.Rows) error {
		var name crdt.DocName
		err := rows.Scan(&name)
		docs = append(docs, name)
		return err
	}, `SELECT name FROM documents WHERE id IN (SELECT doc FROM changes WHERE receipt IS NULL) ORDER BY name`)
	for _, name := range docs {
		d, derr := t.doc(name)
		if err = errors.Join(err, derr); err != nil {
			break
		}
		err = errors.Join(err, t.takeOut(d, automerge.Hash{}, func(c *automerge.Change) bool {
			by, ok := crdt.ActorDevice(c.Actor)
			return ok && by == t.r.before
		}))
	}
	return err
}

// newWriter returns the writer counter of a store that starts anew. It is drawn, not counted: a device whose storage was
// cleared or put back from a backup does not know which counters it used.
func newWriter() uint32 {
	var b [4]byte
	for {
		rand.Read(b[:]) //nolint:errcheck // never fails
		if w := binary.BigEndian.Uint32(b[:]); w != 0 {
			return w
		}
	}
}

// load reads the little that stays in memory: names of writers, the cursor, the home zone, the facts for ranking.
func (r *Replica) load(ctx context.Context) error {
	var writer, seq, folded int64
	var left sql.NullInt64
	var epoch, chain []byte
	st := standing{home: book.NewCalendar(nil)}
	err := r.conn.QueryRowContext(ctx, `SELECT
		(SELECT value FROM meta WHERE key='writer'), (SELECT value FROM meta WHERE key='epoch'),
		(SELECT value FROM meta WHERE key='seq'), (SELECT value FROM meta WHERE key='chain'),
		(SELECT value FROM meta WHERE key='skew'), (SELECT coalesce(max(seq), 0) FROM segments),
		(SELECT value FROM meta WHERE key='left'), (SELECT count(*) FROM waiting)`).
		Scan(&writer, &epoch, &seq, &chain, &st.skew, &folded, &left, &st.waiting)
	if err != nil {
		return fmt.Errorf("read the replica's state: %w", err)
	}
	r.writer = crdt.NewActor(r.device, uint32(writer))
	st.cursor.Seq, st.folded = uint64(seq), uint64(folded)
	copy(st.cursor.Epoch[:], epoch)
	copy(st.cursor.Chain[:], chain)
	if left.Valid {
		st.left = time.UnixMilli(left.Int64)
	}
	r.committed.Store(&st)
	if err := r.loadPlaybook(ctx); err != nil {
		return fmt.Errorf("read the playbook: %w", err)
	}
	clear(r.actors)
	clear(r.byActor)
	rows, err := r.conn.QueryContext(ctx, `SELECT id, actor FROM actors`)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var id int64
		var actor []byte
		if err := rows.Scan(&id, &actor); err != nil {
			return err
		}
		r.actors[automerge.ActorID(actor)] = id
		r.byActor[id] = automerge.ActorID(actor)
	}
	if err := rows.Err(); err != nil {
		return err
	}
	rows.Close()
	if r.here() != nil {
		_ = r.wipe(ctx) // what hinders it now is tried again before the server is told that this device is empty
		return nil
	}

	return r.update(ctx, func(t *tx) error {
		if err := t.loadHome(); err != nil {
			return err
		}
		if err := t.adopt(); err != nil {
			return err
		}
		if err := t.ensureFacts(); err != nil {
			return err
		}
		if err := t.ensureGoals(); err != nil {
			return err
		}
		return t.loadFacts()
	})
}

// Close waits for the command under way and closes the database.
func (r *Replica) Close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.rdb.Close() // nothing of a reader can be lost
	for _, s := range r.stmts {
		s.Close() // goes with the connection
	}
	if r.conn != nil {
		r.conn.Close() // back to the pool, which closes it
	}
	err := r.db.Close()
	if r.lock != nil {
		err = errors.Join(err, r.lock.Close())
	}
	return err
}

// Member returns whose replica this is.
func (r *Replica) Member() crdt.MemberID { return r.member }

// Device returns the device that this replica is.
func (r *Replica) Device() crdt.DeviceID { return r.device }

// Today returns the date in the member's home calendar, by the device's clock corrected by the measured skew.
func (r *Replica) Today() ranking.Day {
	return r.moment().Day
}

// moment returns the date and the minute of it, likewise.
func (r *Replica) moment() ranking.Moment {
	st := r.committed.Load()
	day, minute := st.home.At(r.now().UnixMilli() + st.skew)
	return ranking.Moment{Day: day, Minute: minute}
}

// Watch returns a channel that is told (without a value to lose) whenever something that a query shows has changed, and
// a function that ends it. Several changes may become one message.
func (r *Replica) Watch() (<-chan struct{}, func()) {
	ch := make(chan struct{}, 1)
	r.watch.Lock()
	r.watch.subs[ch] = struct{}{}
	r.watch.Unlock()
	return ch, func() {
		r.watch.Lock()
		delete(r.watch.subs, ch)
		r.watch.Unlock()
	}
}

func (r *Replica) changed() {
	r.watch.Lock()
	defer r.watch.Unlock()
	for ch := range r.watch.subs {
		select {
		case ch <- struct{}{}:
		default:
		}
	}
}
