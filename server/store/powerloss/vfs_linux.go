package powerloss

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"unsafe"

	"modernc.org/libc"
	sqlite3 "modernc.org/sqlite/lib"
)

// A Disk is a VFS by its name. The zero Disk is none: New makes one.
type Disk struct {
	name string
	vfs  uintptr // sqlite3_vfs, ours
	real uintptr // sqlite3_vfs, the system's

	mu    sync.Mutex // held while a file is changed and that is noted, but not while one is synced
	files map[string]*file
}

// New makes a disk and has SQLite know it by a name of its own. It stays known as long as the process runs, since connections
// keep pointers to it: a few hundred bytes.
func New() (*Disk, error) {
	tls := libc.NewTLS()
	defer tls.Close()
	real := sqlite3.Xsqlite3_vfs_find(tls, 0)
	if real == 0 {
		return nil, errors.New("powerloss: SQLite has no VFS of the system")
	}
	d := &Disk{name: fmt.Sprintf("powerloss%d", names.Add(1)), real: real, files: map[string]*file{}}
	v := *at[sqlite3.Tsqlite3_vfs](real)
	name, err := libc.CString(d.name)
	if err != nil {
		return nil, fmt.Errorf("powerloss: %w", err)
	}
	d.vfs = libc.Xmalloc(tls, libc.Tsize_t(unsafe.Sizeof(v)))
	if d.vfs == 0 {
		return nil, errors.New("powerloss: out of memory")
	}
	v.FzName, v.FpNext, v.FpAppData = name, 0, 0
	v.FszOsFile += int32(unsafe.Sizeof(handle{}))
	v.FxOpen, v.FxDelete = pointer(xOpen), pointer(xDelete)
	*at[sqlite3.Tsqlite3_vfs](d.vfs) = v
	disks.Store(d.vfs, d)
	if rc := sqlite3.Xsqlite3_vfs_register(tls, d.vfs, 0); rc != sqlite3.SQLITE_OK {
		return nil, fmt.Errorf("powerloss: registering a VFS: SQLite's code %d", rc)
	}
	return d, nil
}

// Name is what SQLite knows the disk by: store.Config.VFS, or vfs= in a URI.
func (d *Disk) Name() string { return d.name }

var (
	names atomic.Int64
	disks sync.Map // uintptr of a sqlite3_vfs to *Disk
	opens sync.Map // uintptr, the id of an open file, to *opened
	ids   atomic.Uintptr
)

// A handle is what SQLite holds of an open file: ours, and then that of the system's VFS.
type handle struct {
	methods uintptr // sqlite3_io_methods, as SQLite wants it first
	id      uintptr
}

// opened is a file that SQLite has open.
type opened struct {
	disk *Disk
	path string // "" for a file without a name, which no crash leaves
	// The next sync is one of the folder too, as SQLite does it once for a journal or log that it opens to make it.
	folder bool
}

// at takes an address of SQLite's memory, which is not Go's, for what it is.
func at[T any](p uintptr) *T { return *(**T)(unsafe.Pointer(&p)) }

// pointer returns a function as SQLite's translated code calls one; function takes one of its own for what it is.
func pointer(f any) uintptr { return (*(*[2]uintptr)(unsafe.Pointer(&f)))[1] }

func function[F any](p uintptr) F { return *(*F)(unsafe.Pointer(&p)) }

// below returns the system's file in one of ours, and its methods.
func below(pFile uintptr) (real uintptr, m *sqlite3.Tsqlite3_io_methods) {
	real = pFile + unsafe.Sizeof(handle{})
	return real, at[sqlite3.Tsqlite3_io_methods](at[sqlite3.Tsqlite3_file](real).FpMethods)
}

func of(pFile uintptr) *opened {
	o, _ := opens.Load(at[handle](pFile).id)
	return o.(*opened)
}

// methods are those of every open file. Those that change nothing on the disk go straight on.
var methods = sqlite3.Tsqlite3_io_methods{
	FiVersion: 3,
	FxClose:   pointer(xClose), FxRead: pointer(xRead), FxWrite: pointer(xWrite), FxTruncate: pointer(xTruncate), FxSync: pointer(xSync),
	FxFileSize: pointer(xFileSize), FxLock: pointer(xLock), FxUnlock: pointer(xUnlock), FxCheckReservedLock: pointer(xCheckReservedLock),
	FxFileControl: pointer(xFileControl), FxSectorSize: pointer(xSectorSize), FxDeviceCharacteristics: pointer(xDeviceCharacteristics),
	FxShmMap: pointer(xShmMap), FxShmLock: pointer(xShmLock), FxShmBarrier: pointer(xShmBarrier), FxShmUnmap: pointer(xShmUnmap),
	FxFetch: pointer(xFetch), FxUnfetch: pointer(xUnfetch),
}

func xOpen(tls *libc.TLS, pVfs, zName, pFile uintptr, flags int32, pOutFlags uintptr) int32 {
	v, _ := disks.Load(pVfs)
	d := v.(*Disk)
	real := pFile + unsafe.Sizeof(handle{})
	*at[handle](pFile) = handle{}
	at[sqlite3.Tsqlite3_file](real).FpMethods = 0
	o := &opened{disk: d}
	if zName != 0 {
		o.path = libc.GoString(zName)
		o.folder = flags&sqlite3.SQLITE_OPEN_CREATE != 0 &&
			flags&(sqlite3.SQLITE_OPEN_MAIN_JOURNAL|sqlite3.SQLITE_OPEN_SUPER_JOURNAL|sqlite3.SQLITE_OPEN_WAL) != 0
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	_, known := d.files[o.path]
	var before []byte
	found := false
	if o.path != "" && !known {
		b, err := os.ReadFile(o.path)
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return sqlite3.SQLITE_CANTOPEN
		}
		before, found = b, err == nil
	}
	rc := function[func(*libc.TLS, uintptr, uintptr, uintptr, int32, uintptr) int32](
		at[sqlite3.Tsqlite3_vfs](d.real).FxOpen)(tls, d.real, zName, real, flags, pOutFlags)
	if at[sqlite3.Tsqlite3_file](real).FpMethods == 0 {
		return rc
	}
	if o.path != "" && !known {
		d.files[o.path] = &file{durable: before, made: found}
	} else if f := d.files[o.path]; f != nil && f.deleted {
		d.files[o.path] = &file{before: f}
	}
	id := ids.Add(1)
	opens.Store(id, o)
	*at[handle](pFile) = handle{uintptr(unsafe.Pointer(&methods)), id}
	return rc
}

func xDelete(tls *libc.TLS, pVfs, zName uintptr, syncDir int32) int32 {
	v, _ := disks.Load(pVfs)
	d := v.(*Disk)
	d.mu.Lock()
	defer d.mu.Unlock()
	rc := function[func(*libc.TLS, uintptr, uintptr, int32) int32](at[sqlite3.Tsqlite3_vfs](d.real).FxDelete)(tls, d.real, zName, syncDir)
	if rc == sqlite3.SQLITE_OK {
		path := libc.GoString(zName)
		if f := d.files[path]; f != nil {
			f.deleted = true
		}
		if syncDir != 0 {
			d.forget(d.deletedIn(filepath.Dir(path)))
		}
	}
	return rc
}

func xClose(tls *libc.TLS, pFile uintptr) int32 {
	real, m := below(pFile)
	opens.Delete(at[handle](pFile).id)
	return function[func(*libc.TLS, uintptr) int32](m.FxClose)(tls, real)
}

func xRead(tls *libc.TLS, pFile, zBuf uintptr, amount int32, offset int64) int32 {
	real, m := below(pFile)
	return function[func(*libc.TLS, uintptr, uintptr, int32, int64) int32](m.FxRead)(tls, real, zBuf, amount, offset)
}

func xWrite(tls *libc.TLS, pFile, zBuf uintptr, amount int32, offset int64) int32 {
	real, m := below(pFile)
	o := of(pFile)
	o.disk.mu.Lock()
	defer o.disk.mu.Unlock()
	rc := function[func(*libc.TLS, uintptr, uintptr, int32, int64) int32](m.FxWrite)(tls, real, zBuf, amount, offset)
	// A write that failed may have been done in part; it is noted whole, of which an image keeps what it likes.
	if f := o.disk.files[o.path]; f != nil {
		f.add(op{offset: offset, data: append([]byte(nil), unsafe.Slice(at[byte](zBuf), amount)...)})
	}
	return rc
}

func xTruncate(tls *libc.TLS, pFile uintptr, size int64) int32 {
	real, m := below(pFile)
	o := of(pFile)
	o.disk.mu.Lock()
	defer o.disk.mu.Unlock()
	rc := function[func(*libc.TLS, uintptr, int64) int32](m.FxTruncate)(tls, real, size)
	if f := o.disk.files[o.path]; f != nil {
		f.add(op{offset: size, truncate: true})
	}
	return rc
}

func xSync(tls *libc.TLS, pFile uintptr, flags int32) int32 {
	real, m := below(pFile)
	o := of(pFile)
	o.disk.mu.Lock()
	f := o.disk.files[o.path]
	upto := 0
	var gone []*file
	if f != nil {
		upto = f.first + len(f.since)
		if o.folder {
			gone = o.disk.deletedIn(filepath.Dir(o.path))
		}
	}
	o.disk.mu.Unlock()
	rc := function[func(*libc.TLS, uintptr, int32) int32](m.FxSync)(tls, real, flags)
	if f != nil && rc == sqlite3.SQLITE_OK {
		o.disk.mu.Lock()
		defer o.disk.mu.Unlock()
		f.synced(upto)
		o.disk.forget(gone)
		o.folder = false
	}
	return rc
}

func xFileSize(tls *libc.TLS, pFile, pSize uintptr) int32 {
	real, m := below(pFile)
	return function[func(*libc.TLS, uintptr, uintptr) int32](m.FxFileSize)(tls, real, pSize)
}

func xLock(tls *libc.TLS, pFile uintptr, lock int32) int32 {
	real, m := below(pFile)
	return function[func(*libc.TLS, uintptr, int32) int32](m.FxLock)(tls, real, lock)
}

func xUnlock(tls *libc.TLS, pFile uintptr, lock int32) int32 {
	real, m := below(pFile)
	return function[func(*libc.TLS, uintptr, int32) int32](m.FxUnlock)(tls, real, lock)
}

func xCheckReservedLock(tls *libc.TLS, pFile, pOut uintptr) int32 {
	real, m := below(pFile)
	return function[func(*libc.TLS, uintptr, uintptr) int32](m.FxCheckReservedLock)(tls, real, pOut)
}

func xFileControl(tls *libc.TLS, pFile uintptr, what int32, pArg uintptr) int32 {
	real, m := below(pFile)
	return function[func(*libc.TLS, uintptr, int32, uintptr) int32](m.FxFileControl)(tls, real, what, pArg)
}

func xSectorSize(tls *libc.TLS, pFile uintptr) int32 {
	real, m := below(pFile)
	return function[func(*libc.TLS, uintptr) int32](m.FxSectorSize)(tls, real)
}

func xDeviceCharacteristics(tls *libc.TLS, pFile uintptr) int32 {
	real, m := below(pFile)
	return function[func(*libc.TLS, uintptr) int32](m.FxDeviceCharacteristics)(tls, real)
}

func xShmMap(tls *libc.TLS, pFile uintptr, page, size, extend int32, pp uintptr) int32 {
	real, m := below(pFile)
	return function[func(*libc.TLS, uintptr, int32, int32, int32, uintptr) int32](m.FxShmMap)(tls, real, page, size, extend, pp)
}

func xShmLock(tls *libc.TLS, pFile uintptr, offset, n, flags int32) int32 {
	real, m := below(pFile)
	return function[func(*libc.TLS, uintptr, int32, int32, int32) int32](m.FxShmLock)(tls, real, offset, n, flags)
}

func xShmBarrier(tls *libc.TLS, pFile uintptr) {
	real, m := below(pFile)
	function[func(*libc.TLS, uintptr)](m.FxShmBarrier)(tls, real)
}

func xShmUnmap(tls *libc.TLS, pFile uintptr, drop int32) int32 {
	real, m := below(pFile)
	return function[func(*libc.TLS, uintptr, int32) int32](m.FxShmUnmap)(tls, real, drop)
}

func xFetch(tls *libc.TLS, pFile uintptr, offset int64, amount int32, pp uintptr) int32 {
	real, m := below(pFile)
	return function[func(*libc.TLS, uintptr, int64, int32, uintptr) int32](m.FxFetch)(tls, real, offset, amount, pp)
}

func xUnfetch(tls *libc.TLS, pFile uintptr, offset int64, p uintptr) int32 {
	real, m := below(pFile)
	return function[func(*libc.TLS, uintptr, int64, uintptr) int32](m.FxUnfetch)(tls, real, offset, p)
}

// isShm: shared memory is no file that a disk keeps.
func isShm(path string) bool { return strings.HasSuffix(path, "-shm") }
