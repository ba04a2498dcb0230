package powerloss

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Sector is how much of a file a disk writes whole, in bytes.
const Sector = 512

// A file is what a disk holds of one, and what it may hold.
type file struct {
	durable []byte
	made    bool  // it is in its folder for good
	deleted bool  // and may be back after a cut
	before  *file // of the same name, deleted and not known to be gone
	first   int   // number of the first of since
	since   []op  // not synced, in order
}

// An op is a write, or a truncation to offset.
type op struct {
	offset   int64
	data     []byte
	truncate bool
}

func (f *file) add(o op) { f.since = append(f.since, o) }

// synced: what was done before number upto is durable, and so is the file in its folder.
func (f *file) synced(upto int) {
	n := max(upto-f.first, 0)
	for _, o := range f.since[:n] {
		f.durable = o.apply(f.durable)
	}
	f.since = slices.Delete(f.since, 0, n)
	f.first += n
	f.made, f.before = true, nil
}

// deletedIn returns what was deleted in a folder and may still be back.
func (d *Disk) deletedIn(dir string) (list []*file) {
	for path, f := range d.files {
		if filepath.Dir(path) != dir {
			continue
		}
		if f.deleted {
			list = append(list, f)
		}
		for f = f.before; f != nil; f = f.before {
			list = append(list, f)
		}
	}
	return list
}

// forget: the folder was synced, and these are gone for good.
func (d *Disk) forget(gone []*file) {
	for path, f := range d.files {
		switch {
		case slices.Contains(gone, f):
			delete(d.files, path)
		case slices.Contains(gone, f.before):
			f.before = nil
		}
	}
}

func (o op) apply(b []byte) []byte {
	if o.truncate {
		return resize(b, o.offset)
	}
	if end := o.offset + int64(len(o.data)); end > int64(len(b)) {
		b = resize(b, end)
	}
	copy(b[o.offset:], o.data)
	return b
}

func resize(b []byte, n int64) []byte {
	if n <= int64(len(b)) {
		return b[:n]
	}
	was := len(b)
	b = slices.Grow(b, int(n)-was)[:n]
	clear(b[was:])
	return b
}

// An Image is the state of the files of a folder at the moment of a cut: one of many outcomes is what a disk holds.
type Image struct {
	dir   string
	files map[string]*file // by their names in the folder
}

// Cut takes the state of the files in a folder that SQLite had open on this disk at any time, and goes on as if nothing had
// happened. Whatever was acknowledged before the call is durable in every outcome, or it was acknowledged too early.
func (d *Disk) Cut(dir string) *Image {
	d.mu.Lock()
	defer d.mu.Unlock()
	im := &Image{dir: dir, files: map[string]*file{}}
	for path, f := range d.files {
		if name, err := filepath.Rel(dir, path); err == nil && !strings.HasPrefix(name, "..") && !isShm(path) {
			im.files[name] = f.clone()
		}
	}
	return im
}

func (f *file) clone() *file {
	if f == nil {
		return nil
	}
	c := *f
	c.durable, c.since, c.before = slices.Clone(f.durable), slices.Clone(f.since), f.before.clone()
	return &c
}

// Unsynced is how many bytes were written and not synced: what is at stake.
func (im *Image) Unsynced() (n int64) {
	for _, f := range im.files {
		for _, o := range f.since {
			n += int64(len(o.data))
		}
	}
	return n
}

// Write puts one outcome into a folder, which it makes. The same seed gives the same one: seed 0 nothing that was not synced,
// seed 1 all of it; of the others, one in three what was done first, up to a sector, and the rest any sectors.
func (im *Image) Write(dir string, seed uint64) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("powerloss: %w", err)
	}
	rnd := rand.New(rand.NewPCG(seed, 0x506f7765724c6f73))
	names := make([]string, 0, len(im.files))
	for name := range im.files {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		b, ok := im.files[name].outcome(fateOf(seed, rnd), rnd)
		path := filepath.Join(dir, name)
		err := os.Remove(path)
		if err == nil || errors.Is(err, os.ErrNotExist) {
			err = nil
			if ok {
				err = os.WriteFile(path, b, 0o600)
			}
		}
		if err != nil {
			return fmt.Errorf("powerloss: %w", err)
		}
	}
	return nil
}

// fate says what becomes of what was not synced.
type fate struct {
	keep   float64 // chance of each sector, truncation, making and deletion
	prefix bool    // keep a first part instead
}

func fateOf(seed uint64, rnd *rand.Rand) fate {
	switch {
	case seed == 0:
		return fate{}
	case seed == 1:
		return fate{keep: 1}
	case seed%3 == 0:
		return fate{keep: rnd.Float64(), prefix: true}
	}
	return fate{keep: []float64{0, .1, .5, .9, 1}[rnd.IntN(5)]}
}

// outcome returns what is left of a file; ok is false when there is none.
func (f *file) outcome(x fate, rnd *rand.Rand) (b []byte, ok bool) {
	if f.deleted && rnd.Float64() < x.keep {
		return nil, false
	}
	if !f.made && rnd.Float64() >= x.keep {
		if f.before == nil {
			return nil, false
		}
		return f.before.outcome(x, rnd)
	}
	b = slices.Clone(f.durable)
	if x.prefix {
		n := int(x.keep * float64(len(f.since)+1))
		for _, o := range f.since[:n] {
			b = o.apply(b)
		}
		if n < len(f.since) {
			parts := f.since[n].sectors() // of a truncation there are none
			for _, part := range parts[:rnd.IntN(len(parts)+1)] {
				b = part.apply(b)
			}
		}
		return b, true
	}
	for _, o := range f.since {
		switch {
		case o.truncate && rnd.Float64() < x.keep:
			b = o.apply(b)
		case o.truncate:
		default:
			for _, part := range o.sectors() {
				if rnd.Float64() < x.keep {
					b = part.apply(b)
				}
			}
		}
	}
	return b, true
}

// sectors cuts a write where sectors of the disk end.
func (o op) sectors() (list []op) {
	for data, at := o.data, o.offset; len(data) > 0; {
		n := min(int64(len(data)), Sector-at%Sector)
		list = append(list, op{offset: at, data: data[:n]})
		data, at = data[n:], at+n
	}
	return list
}
