package store

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"trio/crdt"
	"trio/crdt/wire"
)

// Config says where a SQLite store lives and how much it may hold back. Only Path is needed.
type Config struct {
	// Path of the database file. Its folder must exist; the file is made if it does not. SQLite keeps two more files
	// beside it (-wal and -shm) while the store is open: never copy the one without the others.
	Path string
	// MaxPages bounds the database to that many pages of 4,096 bytes; ErrFull beyond. Zero means no bound but the disk.
	MaxPages int64
	// QueueLen is how many writes may wait for the committer; ErrBusy beyond. Zero means 4096.
	QueueLen int
	// GroupChanges is how many changes one transaction takes before it is committed; a single push may exceed it. It
	// bounds how long a push waits for its neighbours, and, as each 16 KiB count for a change, the memory that a transaction
	// takes. Zero means 512: 8 MB.
	GroupChanges int
	// CacheKiB is the page cache of the writer. Zero means 65536 (64 MiB).
	CacheKiB int
	// Aside is for a second process on the file of a server, such as a command: it does what it is asked and no work of its
	// own in the background, which is the server's.
	Aside bool
	// Now is the clock that dates arrivals and makings. Nil means time.Now.
	Now func() time.Time
	// Logger hears of what the operator should know. Nil means nobody does.
	Logger *slog.Logger
	// VFS names the layer of SQLite that opens files, for tests that cut the power of one (package powerloss). Empty means
	// that of the system.
	VFS string
	// Unsafe takes the place of synchronous=FULL, for tests that show what it is there for: "NORMAL" and "OFF" lose what was
	// acknowledged when the power fails. Empty means FULL.
	Unsafe string
}

const (
	defaultQueueLen     = 4096
	defaultGroupChanges = 512
	defaultCacheKiB     = 64 << 10

	readers        = 4
	readerCacheKiB = 8 << 10
	// busyTimeout is for the operator's command at work on the same file; the server's own writes never meet.
	busyTimeout = 5000 // ms
	// autocheckpoint is when COMMIT also moves the log into the database: 16 MB of log. Fewer pages cost throughput,
	// more make the pause longer; a background checkpoint lets the log grow without end under load.
	autocheckpoint = 4000
)

// Validate names the field that is wrong, or returns nil.
func (c *Config) Validate() error {
	switch {
	case c.Path == "":
		return errors.New("store: Config.Path is empty: name the database file")
	case c.MaxPages < 0:
		return fmt.Errorf("store: Config.MaxPages is %d: want 0 or more", c.MaxPages)
	case c.QueueLen < 0:
		return fmt.Errorf("store: Config.QueueLen is %d: want 0 or more", c.QueueLen)
	case c.GroupChanges < 0:
		return fmt.Errorf("store: Config.GroupChanges is %d: want 0 or more", c.GroupChanges)
	case c.CacheKiB < 0:
		return fmt.Errorf("store: Config.CacheKiB is %d: want 0 or more", c.CacheKiB)
	case c.Unsafe != "" && c.Unsafe != "NORMAL" && c.Unsafe != "OFF":
		return fmt.Errorf("store: Config.Unsafe is %.20q: want nothing, NORMAL or OFF", c.Unsafe)
	}
	return nil
}

// synchronous returns the pragma's value: after FULL (2), COMMIT returns after fsync of the log.
func (c *Config) synchronous() int {
	switch c.Unsafe {
	case "NORMAL":
		return 1
	case "OFF":
		return 0
	}
	return 2
}

// SQLite is the embedded engine of Store. One goroutine, the committer, owns the only connection that writes and
// commits many writes at once; readers have a pool of their own, which never waits for the writer.
type SQLite struct {
	cfg     Config
	log     *slog.Logger
	epoch   wire.Epoch
	open    int          // readers that were opened
	readers chan *reader // those that are free
	docs    sync.Map     // int64 to crdt.DocName: rows of the docs table, which never change
	opened  openSegments
	pasts   pastCache
	// resolving holds those who look at the past of a push, of whom there are fewer than readers.
	resolving chan struct{}
	fold      folder
	stats     stats
	watchers  watchers

	queue   chan *job
	closing chan struct{} // closed by Close
	done    chan struct{} // closed when the committer has ended
	once    sync.Once
	err     error // of the committer's end; read after done
}

var _ Store = (*SQLite)(nil)

// Open opens the store, or makes a new one where there is no file. A context that has ended opens nothing.
func Open(ctx context.Context, cfg Config) (*SQLite, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if cfg.QueueLen == 0 {
		cfg.QueueLen = defaultQueueLen
	}
	if cfg.GroupChanges == 0 {
		cfg.GroupChanges = defaultGroupChanges
	}
	if cfg.CacheKiB == 0 {
		cfg.CacheKiB = defaultCacheKiB
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	path, err := filepath.Abs(cfg.Path)
	if err != nil {
		return nil, fmt.Errorf("store: open: %w", err)
	}
	cfg.Path = path
	if err := makeFile(path); err != nil {
		return nil, fmt.Errorf("store: open: %w", err)
	}
	s := &SQLite{
		cfg:     cfg,
		log:     cfg.Logger,
		readers: make(chan *reader, readers),

		resolving: make(chan struct{}, readers/2),
		queue:     make(chan *job, cfg.QueueLen),
		closing:   make(chan struct{}),
		done:      make(chan struct{}),
		fold:      folder{set: map[crdt.MemberID]struct{}{}, wake: make(chan struct{}, 1), done: make(chan struct{})},
	}
	w, err := s.openWriter()
	if err != nil {
		return nil, fmt.Errorf("store: open %s: %w", path, translate(err))
	}
	if err := s.openReaders(); err != nil {
		return nil, errors.Join(fmt.Errorf("store: open %s: %w", path, translate(err)), w.Close())
	}
	go s.commit(w)
	if cfg.Aside {
		close(s.fold.done)
	} else {
		go s.fold.run(s)
	}
	return s, nil
}

// makeFile makes the database file for its owner alone (SQLite gives its other files the same rights) and makes its
// name in the folder durable, which SQLite leaves to whoever makes the file.
func makeFile(path string) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
	if errors.Is(err, os.ErrExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if err := errors.Join(f.Sync(), f.Close()); err != nil {
		return err
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	// Not every system can sync a folder; where it cannot, this is not an error that a person could mend.
	_ = dir.Sync()
	return dir.Close()
}

func (s *SQLite) openReaders() error {
	for range readers {
		r, err := s.openReader()
		if err != nil {
			return errors.Join(err, s.closeReaders())
		}
		s.open++
		s.readers <- r
	}
	r := <-s.readers
	defer func() { s.readers <- r }()
	epoch, err := r.value("SELECT value FROM meta WHERE key = 'epoch'")
	if err == nil {
		if b, _ := epoch.([]byte); copy(s.epoch[:], b) != len(s.epoch) {
			err = errors.New("database has lost its epoch: restore it from a backup")
		}
	}
	return err
}

// closeReaders waits for the readers at work and closes all.
func (s *SQLite) closeReaders() error {
	var err error
	for range s.open {
		err = errors.Join(err, (<-s.readers).Close())
	}
	return err
}

// Epoch names this incarnation of the store.
func (s *SQLite) Epoch() wire.Epoch { return s.epoch }

// Close lets the committer finish what is queued, and ends it; nobody who watches is called after it returns. Writes that come later get ErrClosed.
func (s *SQLite) Close() error {
	s.once.Do(func() { close(s.closing) })
	<-s.done
	<-s.fold.done
	s.watchers.close()
	return s.err
}

// stats is Stats as it is counted.
type stats struct {
	groups, pushes, changes atomic.Uint64
	slowest                 atomic.Int64 // nanoseconds
}

func (c *stats) pushed(changes int) {
	c.pushes.Add(1)
	c.changes.Add(uint64(changes))
}

// committed is called by the committer alone.
func (c *stats) committed(took time.Duration) {
	c.groups.Add(1)
	for old := c.slowest.Load(); int64(took) > old && !c.slowest.CompareAndSwap(old, int64(took)); {
		old = c.slowest.Load()
	}
}

// Stats says how the store does. A push is counted when it is acknowledged; Changes are new ones.
func (s *SQLite) Stats() Stats {
	return Stats{
		Queued: len(s.queue), Groups: s.stats.groups.Load(), Pushes: s.stats.pushes.Load(), Changes: s.stats.changes.Load(),
		Slowest: time.Duration(s.stats.slowest.Swap(0)),
	}
}

// isClosed reports whether Close was called.
func (s *SQLite) isClosed() bool {
	select {
	case <-s.closing:
		return true
	default:
		return false
	}
}
