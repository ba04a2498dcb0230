package automerge

import (
	"errors"
	"fmt"
	"math"
	"unicode/utf8"
)

// Column types: the low three bits of a column's specification.
const (
	colGroup     = 0
	colActor     = 1
	colUint      = 2
	colDelta     = 3
	colBool      = 4
	colString    = 5
	colValueMeta = 6
	colValue     = 7
)

// colDeflate marks a column as deflated; only document chunks may have such columns.
const colDeflate = 8

// Columns of operations. The number is what the chunk says: id<<4 | type.
const (
	opObjActor  = 0<<4 | colActor
	opObjCtr    = 0<<4 | colUint
	opKeyActor  = 1<<4 | colActor
	opKeyCtr    = 1<<4 | colDelta
	opKeyStr    = 1<<4 | colString
	opIDActor   = 2<<4 | colActor // document chunks
	opIDCtr     = 2<<4 | colDelta // document chunks
	opInsert    = 3<<4 | colBool
	opAction    = 4<<4 | colUint
	opValueMeta = 5<<4 | colValueMeta
	opValue     = 5<<4 | colValue
	opPredNum   = 7<<4 | colGroup // change chunks
	opPredActor = 7<<4 | colActor // change chunks
	opPredCtr   = 7<<4 | colDelta // change chunks
	opSuccNum   = 8<<4 | colGroup // document chunks
	opSuccActor = 8<<4 | colActor // document chunks
	opSuccCtr   = 8<<4 | colDelta // document chunks
	opExpand    = 9<<4 | colBool
	opMarkName  = 10<<4 | colString
)

// Columns of changes in a document chunk.
const (
	chActor     = 0<<4 | colActor
	chSeq       = 0<<4 | colDelta
	chMaxOp     = 1<<4 | colDelta
	chTime      = 2<<4 | colDelta
	chMessage   = 3<<4 | colString
	chDepsNum   = 4<<4 | colGroup
	chDepsIndex = 4<<4 | colDelta
	chExtraMeta = 5<<4 | colValueMeta
	chExtra     = 5<<4 | colValue
)

var (
	errColShort   = errors.New("column ends before its rows")
	errColLong    = errors.New("column has more rows than there are operations")
	errColNull    = errors.New("row has no value where one is required")
	errColZeroRun = errors.New("run of no rows")
	errColRun     = errors.New("run is longer than any column may be")
	errColDelta   = errors.New("difference leaves the range of 64 bits")
	errColUTF8    = errors.New("text is not UTF-8")
)

const (
	runNull uint8 = iota
	runSame
	runLiteral
)

// column reads one column row by row and allocates nothing: what a run claims costs nothing until a row is asked for, and
// who asks bounds the rows. An empty column holds nulls without end (false, for booleans). Strings are parts of s.
type column struct {
	name string
	s    string
	base int // where s starts in the chunk, for messages
	pos  int
	left uint64 // rows left of the current run
	mode uint8
	last bool // boolean columns
	run  uint64
	abs  int64 // delta columns: the running sum; run holds the difference
	str  string
}

func (c *column) fail(err error) error {
	return fmt.Errorf("column %s, byte %d: %w", c.name, c.base+c.pos, err)
}

// maxRun bounds the rows that one run may claim, so that sums of runs cannot overflow.
const maxRun = 1 << 32

// head reads the head of the next run and leaves pos at its first value.
func (c *column) head() error {
	if c.pos == len(c.s) {
		return c.fail(errColShort)
	}
	n, pos, err := readLeb(c.s, c.pos)
	if err != nil {
		return c.fail(err)
	}
	switch {
	case n > maxRun || n < -maxRun:
		return c.fail(errColRun)
	case n > 0:
		c.pos, c.mode, c.left = pos, runSame, uint64(n)
	case n < 0:
		// Each value takes a byte at the least.
		if uint64(-n) > uint64(len(c.s)-pos) {
			return c.fail(errColShort)
		}
		c.pos, c.mode, c.left = pos, runLiteral, uint64(-n)
	default:
		m, pos, err := readUleb(c.s, pos)
		if err != nil {
			return c.fail(err)
		}
		if m == 0 {
			return c.fail(errColZeroRun)
		}
		if m > maxRun {
			return c.fail(errColRun)
		}
		c.pos, c.mode, c.left = pos, runNull, m
	}
	return nil
}

// uint returns the next row of an actor, unsigned, group or value metadata column; false is null.
func (c *column) uint() (uint64, bool, error) {
	fresh := false
	if c.left == 0 {
		if len(c.s) == 0 {
			return 0, false, nil
		}
		if err := c.head(); err != nil {
			return 0, false, err
		}
		fresh = true
	}
	c.left--
	switch {
	case c.mode == runNull:
		return 0, false, nil
	case c.mode == runSame && !fresh:
		return c.run, true, nil
	}
	v, pos, err := readUleb(c.s, c.pos)
	if err != nil {
		return 0, false, c.fail(err)
	}
	c.pos, c.run = pos, v
	return v, true, nil
}

// delta returns the next row of a delta column; false is null.
func (c *column) delta() (int64, bool, error) {
	fresh := false
	if c.left == 0 {
		if len(c.s) == 0 {
			return 0, false, nil
		}
		if err := c.head(); err != nil {
			return 0, false, err
		}
		fresh = true
	}
	c.left--
	if c.mode == runNull {
		return 0, false, nil
	}
	if c.mode == runLiteral || fresh {
		d, pos, err := readLeb(c.s, c.pos)
		if err != nil {
			return 0, false, c.fail(err)
		}
		c.pos, c.run = pos, uint64(d)
	}
	d := int64(c.run)
	if d > 0 && c.abs > math.MaxInt64-d || d < 0 && c.abs < math.MinInt64-d {
		return 0, false, c.fail(errColDelta)
	}
	c.abs += d
	return c.abs, true, nil
}

// text returns the next row of a string column; false is null.
func (c *column) text() (string, bool, error) {
	fresh := false
	if c.left == 0 {
		if len(c.s) == 0 {
			return "", false, nil
		}
		if err := c.head(); err != nil {
			return "", false, err
		}
		fresh = true
	}
	c.left--
	switch {
	case c.mode == runNull:
		return "", false, nil
	case c.mode == runSame && !fresh:
		return c.str, true, nil
	}
	n, pos, err := readUleb(c.s, c.pos)
	if err != nil {
		return "", false, c.fail(err)
	}
	if n > uint64(len(c.s)-pos) {
		return "", false, c.fail(errColShort)
	}
	if n > MaxKeyBytes {
		return "", false, c.fail(fmt.Errorf("text of %d bytes is over the limit of %d", n, MaxKeyBytes))
	}
	v := c.s[pos : pos+int(n)]
	if !utf8.ValidString(v) {
		return "", false, c.fail(errColUTF8)
	}
	c.pos, c.str = pos+int(n), v
	return v, true, nil
}

// bool returns the next row of a boolean column: alternating runs, the first of them false and perhaps of no rows.
func (c *column) bool() (bool, error) {
	for c.left == 0 {
		if len(c.s) == 0 {
			return false, nil
		}
		if c.pos == len(c.s) {
			return false, c.fail(errColShort)
		}
		n, pos, err := readUleb(c.s, c.pos)
		if err != nil {
			return false, c.fail(err)
		}
		if n > maxRun {
			return false, c.fail(errColRun)
		}
		if n == 0 && c.pos > 0 {
			return false, c.fail(errColZeroRun)
		}
		c.last = c.pos > 0 && !c.last
		c.pos, c.left = pos, n
	}
	c.left--
	return c.last, nil
}

// end reports rows that nobody read.
func (c *column) end() error {
	if c.left > 0 || c.pos < len(c.s) {
		return c.fail(errColLong)
	}
	return nil
}

// sum walks an unsigned column without touching c: how many rows it has and what its values add up to (a null adds
// nothing). It stops with an error as soon as either passes limit, so what it costs is bounded by the bytes.
func (c column) sum(limit uint64) (rows, total uint64, err error) {
	for c.pos < len(c.s) {
		if err := c.head(); err != nil {
			return 0, 0, err
		}
		rows += c.left
		n := c.left
		c.left = 0
		switch c.mode {
		case runSame:
			v, pos, err := readUleb(c.s, c.pos)
			if err != nil {
				return 0, 0, c.fail(err)
			}
			c.pos = pos
			if v > limit {
				v = limit + 1
			}
			if v > 0 && n > limit {
				n = limit + 1
			}
			total += v * n
		case runLiteral:
			for ; n > 0; n-- {
				v, pos, err := readUleb(c.s, c.pos)
				if err != nil {
					return 0, 0, c.fail(err)
				}
				c.pos = pos
				if v > limit {
					v = limit + 1
				}
				total += v
			}
		}
		if rows > limit {
			return 0, 0, c.fail(fmt.Errorf("more than %d rows", limit))
		}
		if total > limit {
			return 0, 0, c.fail(fmt.Errorf("values add up to more than %d", limit))
		}
	}
	return rows, total, nil
}

// appendRLE appends vals run-length encoded as the official encoder packs them: two or more equal values are a run,
// others are gathered into literals, nulls have runs of their own, and a column of nulls alone is empty. A nil null
// means that no row is null.
func appendRLE[T comparable](dst []byte, vals []T, null []bool, put func([]byte, T) []byte) []byte {
	start, n := len(dst), len(vals)
	isNull := func(i int) bool { return null != nil && null[i] }
	for i := 0; i < n; {
		j := i + 1
		if isNull(i) {
			for j < n && isNull(j) {
				j++
			}
			if j == n && i == 0 {
				return dst[:start]
			}
			dst = appendUleb(append(dst, 0), uint64(j-i))
			i = j
			continue
		}
		for j < n && !isNull(j) && vals[j] == vals[i] {
			j++
		}
		if j-i > 1 {
			dst = put(appendLeb(dst, int64(j-i)), vals[i])
			i = j
			continue
		}
		for j < n && !isNull(j) && (j+1 == n || isNull(j+1) || vals[j] != vals[j+1]) {
			j++
		}
		dst = appendLeb(dst, -int64(j-i))
		for ; i < j; i++ {
			dst = put(dst, vals[i])
		}
	}
	return dst
}

// appendDelta appends vals as differences, run-length encoded. vals is overwritten.
func appendDelta(dst []byte, vals []int64, null []bool) []byte {
	var abs int64
	for i, v := range vals {
		if null != nil && null[i] {
			continue
		}
		vals[i], abs = v-abs, v
	}
	return appendRLE(dst, vals, null, appendLeb)
}

// deltaOverflows reports whether a difference of neighbours in vals does not fit in 64 bits: no reader takes such a column.
func deltaOverflows(vals []int64, null []bool) bool {
	var abs int64
	for i, v := range vals {
		if null != nil && null[i] {
			continue
		}
		if d := v - abs; (v^abs)&(v^d) < 0 {
			return true
		}
		abs = v
	}
	return false
}

func appendBool(dst []byte, vals []bool) []byte {
	last, n := false, uint64(0)
	for _, v := range vals {
		if v != last {
			dst = appendUleb(dst, n)
			last, n = v, 0
		}
		n++
	}
	if n > 0 {
		dst = appendUleb(dst, n)
	}
	return dst
}

func appendText(dst []byte, s string) []byte {
	return append(appendUleb(dst, uint64(len(s))), s...)
}
