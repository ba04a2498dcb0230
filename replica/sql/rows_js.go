package sql

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"reflect"
	"strconv"
	"strings"
	"unsafe"
)

// Rows are the rows of an answer. They must be closed, which reading them to the end does.
type Rows struct {
	s             *statement
	buf           []byte
	at            int // of the next row in buf
	left          int // rows in buf
	state         int
	cols          []value
	last, changes int64
	open          bool
	err           error
	over          func(open bool)
}

// value is a column of the row that is being read.
type value struct {
	tag byte
	num int64
	b   []byte // within the buffer
}

// took reads the head of what a call left in the buffer.
func (r *Rows) took(rc int32) {
	b := r.buf
	r.left, r.state, r.at = u32(b, headRows), u32(b, headState), headSize
	r.open, r.changes, r.last = b[headOpen] != 0, i64(b, headChanges), i64(b, headLast)
	if rc < 0 {
		r.err, r.state, r.left = failed(rc), stateDone, 0
		return
	}
	if n := u32(b, headColumns); len(r.cols) != n {
		r.cols = make([]value, n)
	}
	for r.left == 0 && r.state == stateMore && r.err == nil { // the next row is larger than the buffer
		need := headSize + u32(b, headNeed)
		if need < len(b) || need > math.MaxInt32 {
			r.err = errors.New("a row does not fit into memory")
			return
		}
		r.buf = make([]byte, need)
		r.more()
	}
}

func (r *Rows) more() {
	r.took(jsMore(r.s.id, unsafe.Pointer(unsafe.SliceData(r.buf)), int32(len(r.buf))))
}

// Next goes to the next row. It returns false after the last one and after an error.
func (r *Rows) Next() bool {
	if r.over == nil {
		return false
	}
	if r.left == 0 && r.state == stateMore {
		r.more()
	}
	if r.left == 0 || r.err != nil {
		r.Close()
		return false
	}
	r.left--
	for i := range r.cols {
		v := value{tag: r.buf[r.at]}
		r.at++
		switch v.tag {
		case tagInt, tagFloat:
			v.num = i64(r.buf, r.at)
			r.at += 8
		case tagText, tagBlob:
			n := u32(r.buf, r.at)
			v.b = r.buf[r.at+4 : r.at+4+n : r.at+4+n]
			r.at += 4 + n
		}
		r.cols[i] = v
	}
	return true
}

// Err returns what went wrong while reading.
func (r *Rows) Err() error { return r.err }

// Close lets go of the rows.
func (r *Rows) Close() error {
	if r.over == nil {
		return r.err
	}
	if r.state == stateMore {
		jsReset(r.s.id)
	}
	r.s.f.free(r.buf)
	r.over(r.open)
	r.over, r.buf, r.left = nil, nil, 0
	return r.err
}

// Columns returns the names of the columns.
func (r *Rows) Columns() ([]string, error) {
	if r.over == nil {
		return nil, errors.New("the rows are closed")
	}
	b := make([]byte, 64*(len(r.cols)+1))
	n := jsColumns(r.s.id, unsafe.Pointer(unsafe.SliceData(b)), int32(len(b)))
	return strings.SplitN(string(b[:n]), "\n", len(r.cols)), nil
}

// Scan copies the columns of the row into what dst points to.
func (r *Rows) Scan(dst ...any) error {
	if r.over == nil {
		return errors.New("no row to read: call Next first")
	}
	if len(dst) != len(r.cols) {
		return fmt.Errorf("%d columns are read into %d variables", len(r.cols), len(dst))
	}
	for i := range dst {
		if err := r.cols[i].scan(dst[i]); err != nil {
			return fmt.Errorf("column %d: %w", i, err)
		}
	}
	return nil
}

// NullInt64 is an integer, or NULL when it is not Valid.
type NullInt64 struct {
	Int64 int64
	Valid bool
}

// NullBool is a truth, or NULL when it is not Valid.
type NullBool struct{ Bool, Valid bool }

// NullString is a text, or NULL when it is not Valid.
type NullString struct {
	String string
	Valid  bool
}

func (v *value) scan(dst any) error {
	null := v.tag == tagNull
	switch d := dst.(type) {
	case *any:
		switch v.tag {
		case tagInt:
			*d = v.num
		case tagFloat:
			*d = math.Float64frombits(uint64(v.num))
		case tagText:
			*d = string(v.b)
		case tagBlob:
			*d = append([]byte{}, v.b...)
		default:
			*d = nil
		}
		return nil
	case *[]byte:
		*d = nil
		if !null {
			*d = append([]byte{}, v.text()...)
		}
		return nil
	case *string:
		if !null {
			*d = string(v.text())
			return nil
		}
	case *int64:
		if !null {
			n, err := v.int()
			*d = n
			return err
		}
	case *NullInt64:
		if d.Valid = !null; d.Valid {
			return v.scan(&d.Int64)
		}
		return nil
	case *NullBool:
		if d.Valid = !null; d.Valid {
			return v.scan(&d.Bool)
		}
		return nil
	case *NullString:
		if d.Valid = !null; d.Valid {
			return v.scan(&d.String)
		}
		return nil
	}
	p := reflect.ValueOf(dst)
	if p.Kind() != reflect.Pointer || p.IsNil() {
		return fmt.Errorf("%T is nothing to read into", dst)
	}
	p = p.Elem()
	if null {
		return fmt.Errorf("NULL cannot be read into %s", p.Type())
	}
	switch p.Kind() {
	case reflect.String:
		p.SetString(string(v.text()))
		return nil
	case reflect.Bool:
		b, err := v.bool()
		p.SetBool(b)
		return err
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		n, err := v.int()
		if err == nil && p.OverflowInt(n) {
			err = fmt.Errorf("%d does not fit into %s", n, p.Type())
		}
		if err == nil {
			p.SetInt(n)
		}
		return err
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		n, err := v.int()
		if err == nil && (n < 0 || p.OverflowUint(uint64(n))) {
			err = fmt.Errorf("%d does not fit into %s", n, p.Type())
		}
		if err == nil {
			p.SetUint(uint64(n))
		}
		return err
	}
	return fmt.Errorf("a column cannot be read into %s", p.Type())
}

// text returns the value as text: its own bytes, or a number as it is written.
func (v *value) text() []byte {
	switch v.tag {
	case tagInt:
		return strconv.AppendInt(nil, v.num, 10)
	case tagFloat:
		return strconv.AppendFloat(nil, math.Float64frombits(uint64(v.num)), 'g', -1, 64)
	}
	return v.b
}

func (v *value) int() (int64, error) {
	if v.tag == tagInt {
		return v.num, nil
	}
	n, err := strconv.ParseInt(string(v.text()), 10, 64)
	if err != nil {
		return 0, fmt.Errorf("%.30q is no integer", v.text())
	}
	return n, nil
}

func (v *value) bool() (bool, error) {
	b, err := strconv.ParseBool(string(v.text()))
	if err != nil {
		return false, fmt.Errorf("%.30q is neither true nor false", v.text())
	}
	return b, nil
}

// appendArgs writes the parameters of a statement: for each a tag and what belongs to it.
func appendArgs(b []byte, args []any) ([]byte, error) {
	b = binary.LittleEndian.AppendUint32(b, uint32(len(args)))
	for i, a := range args {
		switch a := a.(type) {
		case nil:
			b = append(b, tagNull)
		case int64:
			b = appendInt(b, a)
		case int:
			b = appendInt(b, int64(a))
		case string:
			b = binary.LittleEndian.AppendUint32(append(b, tagText), uint32(len(a)))
			b = append(b, a...)
		case []byte:
			if a == nil {
				b = append(b, tagNull)
				break
			}
			b = binary.LittleEndian.AppendUint32(append(b, tagBlob), uint32(len(a)))
			b = append(b, a...)
		case bool:
			n := int64(0)
			if a {
				n = 1
			}
			b = appendInt(b, n)
		default:
			v := reflect.ValueOf(a)
			switch v.Kind() {
			case reflect.String:
				s := v.String()
				b = binary.LittleEndian.AppendUint32(append(b, tagText), uint32(len(s)))
				b = append(b, s...)
			case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
				b = appendInt(b, v.Int())
			case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
				if v.Uint() > math.MaxInt64 {
					return b, fmt.Errorf("parameter %d: %d is more than SQLite counts", i+1, v.Uint())
				}
				b = appendInt(b, int64(v.Uint()))
			default:
				return b, fmt.Errorf("parameter %d: %T cannot be stored", i+1, a)
			}
		}
		if len(b) > math.MaxInt32/2 {
			return b, errors.New("parameters do not fit into memory")
		}
	}
	return b, nil
}

func appendInt(b []byte, n int64) []byte {
	return binary.LittleEndian.AppendUint64(append(b, tagInt), uint64(n))
}
