package store

import (
	"errors"
	"fmt"
	"sync"
	"unsafe"

	"modernc.org/libc"
	sqlite3 "modernc.org/sqlite/lib"
)

// SQLite writes each page that a transaction has touched to its log with two calls, one for 24 bytes before the page: some
// 130 for a group of 20 pushes, which cost more than all the searching in the pages. gather keeps what is written to a log
// until it is synced, and then writes it in a few calls.
//
// Nothing is weaker by it. With synchronous=FULL, SQLite tells nobody of what it has written before it has synced it: not
// who waits for COMMIT, nor, by the index that connections share, who reads; its own reads write out first what is kept.
// Bytes come to the file in the order in which they were written, and what could not be written has the sync fail as the
// write would have. A connection with another setting must not have it, and needs cache_spill=OFF beside: then a
// transaction writes to its log when it commits and not before. What one wrote that was taken back would be kept here, and
// come to the log over what another process committed there meanwhile.

const (
	// gatherMost is how many bytes are kept at most; what a transaction writes beyond is written before.
	gatherMost = 1 << 20
	// gatherWrite is how many are written with one call; the system's VFS takes less than 128 KiB.
	gatherWrite = 64 << 10
)

// gathering is a VFS that gathers, above another one.
type gathering struct {
	name    string
	real    uintptr  // sqlite3_vfs
	methods sync.Map // uintptr of the sqlite3_io_methods of a log of the other VFS to ours
}

// gathered is what is kept for an open log, which one connection has.
type gathered struct {
	file uintptr // sqlite3_file
	real *sqlite3.Tsqlite3_io_methods
	at   int64   // where in the file it begins
	n    int     // how many bytes it is
	data uintptr // SQLite's memory, gatherMost bytes
}

var (
	gatherings struct {
		sync.Mutex
		of map[string]*gathering // by the name of the VFS below
	}
	gatheringAt sync.Map // uintptr of our sqlite3_vfs to *gathering
	gatherOpen  sync.Map // uintptr of an open file to *gathered
)

// gather returns the name of a VFS that gathers what is written to logs, above another one; "" is the system's. It stays
// known as long as the process runs.
func gather(below string) (string, error) {
	gatherings.Lock()
	defer gatherings.Unlock()
	if g := gatherings.of[below]; g != nil {
		return g.name, nil
	}
	tls := libc.NewTLS()
	defer tls.Close()
	var find uintptr
	if below != "" {
		name, err := libc.CString(below)
		if err != nil {
			return "", fmt.Errorf("naming a VFS: %w", err)
		}
		defer libc.Xfree(tls, name)
		find = name
	}
	real := sqlite3.Xsqlite3_vfs_find(tls, find)
	if real == 0 {
		return "", fmt.Errorf("SQLite has no VFS %q", below)
	}
	g := &gathering{name: "trio-gather-" + below, real: real}
	v := *at[sqlite3.Tsqlite3_vfs](real)
	name, err := libc.CString(g.name)
	if err != nil {
		return "", fmt.Errorf("naming a VFS: %w", err)
	}
	vfs := libc.Xmalloc(tls, libc.Tsize_t(unsafe.Sizeof(v)))
	if vfs == 0 {
		return "", errors.New("out of memory")
	}
	v.FzName, v.FpNext, v.FxOpen, v.FxDelete = name, 0, pointer(gatherXOpen), pointer(gatherXDelete)
	*at[sqlite3.Tsqlite3_vfs](vfs) = v
	gatheringAt.Store(vfs, g)
	if rc := sqlite3.Xsqlite3_vfs_register(tls, vfs, 0); rc != sqlite3.SQLITE_OK {
		return "", fmt.Errorf("registering a VFS: SQLite's code %d", rc)
	}
	if gatherings.of == nil {
		gatherings.of = map[string]*gathering{}
	}
	gatherings.of[below] = g
	return g.name, nil
}

// at takes an address of SQLite's memory, which is not Go's, for what it is.
func at[T any](p uintptr) *T { return *(**T)(unsafe.Pointer(&p)) }

// pointer returns a function as SQLite's translated code calls one; function takes one of its own for what it is.
func pointer(f any) uintptr { return (*(*[2]uintptr)(unsafe.Pointer(&f)))[1] }

func function[F any](p uintptr) F { return *(*F)(unsafe.Pointer(&p)) }

// gatherXOpen opens a file of the VFS below. A log gets methods of ours in front of that one's, all other files stay as
// they are.
func gatherXOpen(tls *libc.TLS, pVfs, zName, pFile uintptr, flags int32, pOutFlags uintptr) int32 {
	v, _ := gatheringAt.Load(pVfs)
	g := v.(*gathering)
	rc := function[func(*libc.TLS, uintptr, uintptr, uintptr, int32, uintptr) int32](
		at[sqlite3.Tsqlite3_vfs](g.real).FxOpen)(tls, g.real, zName, pFile, flags, pOutFlags)
	if rc != sqlite3.SQLITE_OK || flags&sqlite3.SQLITE_OPEN_WAL == 0 {
		return rc
	}
	methods := &at[sqlite3.Tsqlite3_file](pFile).FpMethods
	real := at[sqlite3.Tsqlite3_io_methods](*methods)
	ours, ok := g.methods.Load(*methods)
	if !ok {
		table := libc.Xmalloc(tls, libc.Tsize_t(unsafe.Sizeof(*real)))
		if table == 0 {
			function[func(*libc.TLS, uintptr) int32](real.FxClose)(tls, pFile)
			*methods = 0
			return sqlite3.SQLITE_NOMEM
		}
		m := at[sqlite3.Tsqlite3_io_methods](table)
		*m = *real
		m.FxClose, m.FxRead, m.FxWrite = pointer(gatherXClose), pointer(gatherXRead), pointer(gatherXWrite)
		m.FxTruncate, m.FxSync, m.FxFileSize = pointer(gatherXTruncate), pointer(gatherXSync), pointer(gatherXFileSize)
		ours, _ = g.methods.LoadOrStore(*methods, table)
	}
	data := libc.Xmalloc(tls, gatherMost) // what is not used of it takes no memory
	if data == 0 {
		function[func(*libc.TLS, uintptr) int32](real.FxClose)(tls, pFile)
		*methods = 0
		return sqlite3.SQLITE_NOMEM
	}
	gatherOpen.Store(pFile, &gathered{file: pFile, real: real, data: data})
	*methods = ours.(uintptr)
	return rc
}

// gatherXDelete deletes a file of the VFS below, which has to know itself.
func gatherXDelete(tls *libc.TLS, pVfs, zName uintptr, syncDir int32) int32 {
	v, _ := gatheringAt.Load(pVfs)
	real := v.(*gathering).real
	return function[func(*libc.TLS, uintptr, uintptr, int32) int32](at[sqlite3.Tsqlite3_vfs](real).FxDelete)(tls, real, zName, syncDir)
}

func gatheredOf(pFile uintptr) *gathered {
	v, _ := gatherOpen.Load(pFile)
	return v.(*gathered)
}

// write writes what is kept to the file. After an error nothing is kept: as after a write that failed, SQLite takes the
// transaction back.
func (g *gathered) write(tls *libc.TLS) int32 {
	kept := g.n
	g.n = 0
	for done := 0; done < kept; done += gatherWrite {
		rc := function[func(*libc.TLS, uintptr, uintptr, int32, int64) int32](g.real.FxWrite)(
			tls, g.file, g.data+uintptr(done), int32(min(kept-done, gatherWrite)), g.at+int64(done))
		if rc != sqlite3.SQLITE_OK {
			return rc
		}
	}
	return sqlite3.SQLITE_OK
}

func gatherXWrite(tls *libc.TLS, pFile, zBuf uintptr, amount int32, offset int64) int32 {
	g, n := gatheredOf(pFile), int(amount)
	if g.n > 0 && (offset != g.at+int64(g.n) || g.n+n > gatherMost) {
		if rc := g.write(tls); rc != sqlite3.SQLITE_OK {
			return rc
		}
	}
	if n > gatherMost {
		return function[func(*libc.TLS, uintptr, uintptr, int32, int64) int32](g.real.FxWrite)(tls, pFile, zBuf, amount, offset)
	}
	if g.n == 0 {
		g.at = offset
	}
	copy(unsafe.Slice(at[byte](g.data), gatherMost)[g.n:], unsafe.Slice(at[byte](zBuf), n))
	g.n += n
	return sqlite3.SQLITE_OK
}

func gatherXSync(tls *libc.TLS, pFile uintptr, flags int32) int32 {
	g := gatheredOf(pFile)
	if rc := g.write(tls); rc != sqlite3.SQLITE_OK {
		return rc
	}
	return function[func(*libc.TLS, uintptr, int32) int32](g.real.FxSync)(tls, pFile, flags)
}

func gatherXRead(tls *libc.TLS, pFile, zBuf uintptr, amount int32, offset int64) int32 {
	g := gatheredOf(pFile)
	if rc := g.write(tls); rc != sqlite3.SQLITE_OK {
		return rc
	}
	return function[func(*libc.TLS, uintptr, uintptr, int32, int64) int32](g.real.FxRead)(tls, pFile, zBuf, amount, offset)
}

func gatherXTruncate(tls *libc.TLS, pFile uintptr, size int64) int32 {
	g := gatheredOf(pFile)
	if rc := g.write(tls); rc != sqlite3.SQLITE_OK {
		return rc
	}
	return function[func(*libc.TLS, uintptr, int64) int32](g.real.FxTruncate)(tls, pFile, size)
}

func gatherXFileSize(tls *libc.TLS, pFile, pSize uintptr) int32 {
	g := gatheredOf(pFile)
	if rc := g.write(tls); rc != sqlite3.SQLITE_OK {
		return rc
	}
	return function[func(*libc.TLS, uintptr, uintptr) int32](g.real.FxFileSize)(tls, pFile, pSize)
}

func gatherXClose(tls *libc.TLS, pFile uintptr) int32 {
	g := gatheredOf(pFile) // what is kept is of a transaction that did not commit, if anything
	gatherOpen.Delete(pFile)
	libc.Xfree(tls, g.data)
	return function[func(*libc.TLS, uintptr) int32](g.real.FxClose)(tls, pFile)
}
