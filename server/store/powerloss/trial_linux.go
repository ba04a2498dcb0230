package powerloss

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"time"

	"trio/crdt"
	"trio/server/store"
	"trio/server/store/storetest"
)

// A Trial cuts the power of a store that eight devices push to, again and again, and compares what is left with what was
// acknowledged. The store folds and moves its log meanwhile, and at the end it is closed, all of which cuts hit.
type Trial struct {
	Seed   uint64
	Lives  int           // of the store: each begins with what a cut has left of the one before
	Cuts   int           // in each life
	Life   time.Duration // of each; the cuts are spread over it
	Unsafe string        // see store.Config
}

// Result is what a Trial saw.
type Result struct {
	Outcomes int // of cuts that were looked at, two for each cut
	Acked    int // changes that were acknowledged, and not only under way, when a cut came
	Checked  int // acknowledged changes that were looked for, in all outcomes together
	Lost     int // of these
	Broken   int // outcomes in which the database was damaged or held what it may not hold
	Unsynced int64
	First    error // the first of what was wrong
}

const dbName = "trio.db"

// Run works in a folder. The error is about the trial itself; what became of the data is in the result.
func (tr Trial) Run(ctx context.Context, dir string) (res Result, err error) {
	rnd := rand.New(rand.NewPCG(tr.Seed, 0))
	var load *storetest.Load
	for life := range tr.Lives {
		home := filepath.Join(dir, fmt.Sprint("life", life))
		cuts, err := tr.live(ctx, home, &load, rnd, &res)
		if err != nil {
			return res, fmt.Errorf("life %d: %w", life, err)
		}
		var wg sync.WaitGroup
		var mu sync.Mutex
		room := make(chan struct{}, 2)
		for i, c := range cuts {
			for j, seed := range []uint64{0, rnd.Uint64() | 2} {
				into := filepath.Join(dir, fmt.Sprintf("cut%d-%d-%d", life, i, j))
				room <- struct{}{}
				wg.Go(func() {
					defer func() { <-room }()
					err := c.image.Write(into, seed)
					lost := 0
					if err == nil {
						lost, err = look(ctx, into, load, c.mark)
					}
					n := load.Changes(c.mark)
					_ = os.RemoveAll(into) // the test's own folder
					mu.Lock()
					defer mu.Unlock()
					res.Outcomes++
					res.Checked += n
					res.Lost += lost
					if err != nil {
						if lost == 0 {
							res.Broken++
						}
						if res.First == nil {
							res.First = fmt.Errorf("life %d, cut %d, outcome %d: %w", life, i, seed, err)
						}
					}
				})
			}
		}
		wg.Wait()
		_ = os.RemoveAll(home) // as above
		last := cuts[len(cuts)-1]
		res.Acked += load.Changes(last.mark)
		if res.First != nil || life == tr.Lives-1 {
			return res, nil
		}
		next := filepath.Join(dir, fmt.Sprint("life", life+1))
		if err := last.image.Write(next, rnd.Uint64()); err != nil {
			return res, err
		}
		st, err := store.Open(ctx, store.Config{Path: filepath.Join(next, dbName)})
		if err != nil {
			return res, err
		}
		res.Acked -= load.Changes(last.mark) // they are counted with the next life's
		if err := errors.Join(load.Settle(st), st.Close()); err != nil {
			return res, err
		}
	}
	return res, nil
}

type cut struct {
	mark  int
	image *Image
}

// live runs a store with its load for a while and returns the cuts.
func (tr Trial) live(ctx context.Context, home string, load **storetest.Load, rnd *rand.Rand, res *Result) (cuts []cut, err error) {
	if err := os.MkdirAll(home, 0o700); err != nil {
		return nil, err
	}
	d, err := New()
	if err != nil {
		return nil, err
	}
	path := filepath.Join(home, dbName)
	st, err := store.Open(ctx, store.Config{Path: path, VFS: d.Name(), Unsafe: tr.Unsafe})
	if err != nil {
		return nil, err
	}
	if *load == nil {
		if *load, err = storetest.NewLoad(ctx, st, 4, 2, tr.Seed); err != nil {
			return nil, errors.Join(err, st.Close())
		}
		if tr.Unsafe != "" {
			if err := checkpoint(ctx, path, d.Name(), "TRUNCATE"); err != nil { // so that there is something to lose from
				return nil, errors.Join(err, st.Close())
			}
		}
	}
	l := *load
	running, stop := context.WithTimeout(ctx, tr.Life)
	defer stop()
	var wg sync.WaitGroup
	var pushed, stirred error
	wg.Go(func() { pushed = l.Run(running, st) })
	stirRnd := rand.New(rand.NewPCG(tr.Seed, rnd.Uint64()))
	wg.Go(func() { stirred = stir(running, st, l.Members(), path, d.Name(), stirRnd) })
	take := func() {
		mark := l.Mark() // first: what is acknowledged later may be in the image or not
		im := d.Cut(home)
		res.Unsynced += im.Unsynced()
		cuts = append(cuts, cut{mark, im})
	}
	closing := tr.Cuts / 6
	for range tr.Cuts - closing {
		time.Sleep(time.Duration(rnd.Int64N(2 * int64(tr.Life) / int64(tr.Cuts+1))))
		take()
	}
	stop()
	wg.Wait()
	closed := make(chan error, 1)
	go func() { closed <- st.Close() }()
	for range closing {
		time.Sleep(time.Duration(rnd.Int64N(int64(4 * time.Millisecond))))
		take()
	}
	return cuts, errors.Join(pushed, stirred, <-closed)
}

// stir folds members' orders and moves the log into the database, of which a short life has too little by itself.
func stir(ctx context.Context, st store.Store, members []crdt.MemberID, path, vfs string, rnd *rand.Rand) error {
	modes := []string{"PASSIVE", "FULL", "RESTART", "TRUNCATE"}
	for ctx.Err() == nil {
		err := checkpoint(ctx, path, vfs, modes[rnd.IntN(len(modes))])
		if err == nil && rnd.IntN(2) == 0 {
			_, err = st.Compact(ctx, members[rnd.IntN(len(members))], 1+rnd.IntN(100))
		}
		if err != nil && ctx.Err() == nil {
			return err
		}
		time.Sleep(time.Duration(rnd.Int64N(int64(20 * time.Millisecond))))
	}
	return nil
}

func checkpoint(ctx context.Context, path, vfs, mode string) error {
	db, err := sql.Open("sqlite", "file://"+(&url.URL{Path: path}).EscapedPath()+"?vfs="+vfs)
	if err != nil {
		return err
	}
	defer db.Close()
	var busy, log, moved int
	// Busy is an answer, not an error: there are readers.
	return db.QueryRowContext(ctx, "PRAGMA wal_checkpoint("+mode+")").Scan(&busy, &log, &moved)
}

// look opens what a cut has left.
func look(ctx context.Context, dir string, load *storetest.Load, mark int) (lost int, err error) {
	path := filepath.Join(dir, dbName)
	st, err := store.Open(ctx, store.Config{Path: path, Unsafe: "OFF"}) // what it writes is thrown away
	if err != nil {
		return load.Changes(mark), err
	}
	lost, err = load.Check(st, mark)
	if err := errors.Join(err, st.Close()); err != nil {
		return lost, err
	}
	return lost, sound(ctx, path)
}

// sound asks SQLite whether a database is.
func sound(ctx context.Context, path string) error {
	db, err := sql.Open("sqlite", "file://"+(&url.URL{Path: path}).EscapedPath())
	if err != nil {
		return err
	}
	defer db.Close()
	var says string
	if err := db.QueryRowContext(ctx, "PRAGMA integrity_check").Scan(&says); err != nil {
		return err
	}
	if says != "ok" {
		return fmt.Errorf("integrity check: %s", says)
	}
	var n int
	if err := db.QueryRowContext(ctx, "SELECT count(*) FROM pragma_foreign_key_check").Scan(&n); err != nil || n > 0 {
		return errors.Join(err, fmt.Errorf("%d rows name a row that is not there", n))
	}
	return nil
}
