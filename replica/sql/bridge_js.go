package sql

import (
	"encoding/binary"
	"runtime"
	"strconv"
	"unsafe"
)

// The functions of bridge.mjs. Pointers go to Go's memory, which lies still during a call; a string is a pointer and a
// length. What they return is stated there.

//go:wasmimport trio sql_open
func jsOpen(path string) int32

//go:wasmimport trio sql_close
func jsClose(db int32) int32

//go:wasmimport trio sql_in_tx
func jsInTx(db int32) int32

//go:wasmimport trio sql_script
func jsScript(db int32, script string) int32

//go:wasmimport trio sql_prepare
func jsPrepare(db int32, query string) int32

//go:wasmimport trio sql_run
func jsRun(stmt int32, args unsafe.Pointer, argsLen int32, out unsafe.Pointer, size, most int32) int32

//go:wasmimport trio sql_more
func jsMore(stmt int32, out unsafe.Pointer, size int32) int32

//go:wasmimport trio sql_columns
func jsColumns(stmt int32, out unsafe.Pointer, size int32) int32

//go:wasmimport trio sql_reset
func jsReset(stmt int32)

//go:wasmimport trio sql_finalize
func jsFinalize(stmt int32)

//go:wasmimport trio sql_error
func jsError(out unsafe.Pointer, size int32) int32

// Error is what SQLite says.
type Error struct {
	Code int // extended result code
	Text string
}

// Error returns the text with the code behind it, as the native driver does.
func (e *Error) Error() string { return e.Text + " (" + strconv.Itoa(e.Code) + ")" }

// failed fetches the error that a function of the bridge returned the negative code of.
func failed(rc int32) error {
	b := make([]byte, 512)
	n := jsError(unsafe.Pointer(unsafe.SliceData(b)), int32(len(b)))
	runtime.KeepAlive(b)
	return &Error{Code: int(-rc), Text: string(b[:n])}
}

// Sorts of values, in both directions; those of SQLite.
const (
	tagInt   = 1 // 8 bytes
	tagFloat = 2 // 8 bytes
	tagText  = 3 // 4 bytes of length, bytes
	tagBlob  = 4 // likewise
	tagNull  = 5
)

// What an answer begins with.
const (
	headSize = 40

	headRows    = 0  // u32: rows that follow
	headState   = 4  // u32: see below
	headNeed    = 8  // u32: bytes that the next row takes, when none fits
	headColumns = 12 // u32
	headOpen    = 16 // u32: 1 while a transaction is open
	headChanges = 24 // i64
	headLast    = 32 // i64: id of the row inserted last
)

// States of a statement after a call.
const (
	stateDone = 0 // it is over, and reset
	stateMore = 1 // there may be more rows
)

// bufSize holds the rows of one crossing, unless one alone is larger.
const bufSize = 32 << 10

func u32(b []byte, at int) int   { return int(binary.LittleEndian.Uint32(b[at:])) }
func i64(b []byte, at int) int64 { return int64(binary.LittleEndian.Uint64(b[at:])) }
