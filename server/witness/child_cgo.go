//go:build cgo && (linux || darwin) && (amd64 || arm64)

package witness

import (
	"encoding/binary"
	"encoding/gob"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"syscall"

	reference "github.com/automerge/automerge-go"

	"trio/crdt/automerge"
)

func available() error { return nil }

// serve reads documents from in and says on out what automerge-go finds in each, until in ends. It puts limits on the process
// first, which stay.
func serve(in io.Reader, out io.Writer) error {
	for what, n := range map[int]uint64{syscall.RLIMIT_AS: memoryLimit, syscall.RLIMIT_CPU: maxCPU, syscall.RLIMIT_CORE: 0} {
		if n > 0 || what == syscall.RLIMIT_CORE {
			if err := lower(what, n); err != nil {
				return fmt.Errorf("limits of the process: %w", err)
			}
		}
	}
	enc := gob.NewEncoder(out)
	for {
		var head [8]byte
		if _, err := io.ReadFull(in, head[:]); err != nil {
			if errors.Is(err, io.EOF) {
				return nil
			}
			return err
		}
		n := binary.BigEndian.Uint64(head[:])
		if n > maxAnswer {
			return fmt.Errorf("document of %d bytes: too large for this machine's witness", n)
		}
		b := make([]byte, n)
		if _, err := io.ReadFull(in, b); err != nil {
			return err
		}
		r := read(b)
		var used syscall.Rusage
		if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err == nil {
			r.Last = used.Utime.Sec+used.Stime.Sec >= tired
		}
		if err := enc.Encode(r); err != nil || r.Last {
			return err
		}
	}
}

// lower takes a limit down, for good.
func lower(what int, n uint64) error {
	var l syscall.Rlimit
	if err := syscall.Getrlimit(what, &l); err != nil {
		return err
	}
	l.Cur, l.Max = min(l.Cur, n), min(l.Max, n)
	return syscall.Setrlimit(what, &l)
}

// read has the engine apply the changes, save the document and load what it saved: what it cannot keep shows only there.
func read(changes []byte) (r report) {
	fail := func(what string, err error) report { return report{Err: fmt.Sprintf("%s: %v", what, err)} }
	applied := reference.New()
	if err := applied.LoadIncremental(changes); err != nil {
		return fail("it does not apply the changes", err)
	}
	d, err := reference.Load(applied.Save())
	if err != nil {
		return fail("it does not load what it saved of the document", err)
	}
	for _, h := range d.Heads() {
		r.Heads = append(r.Heads, h.String())
	}
	keys, err := d.RootMap().Keys()
	if err != nil {
		return fail("it does not tell the keys", err)
	}
	r.Values = make(map[string]string, len(keys))
	for _, key := range keys {
		if r.Values[key], err = value(d, key); err != nil {
			return fail(fmt.Sprintf("it does not read key %.100q", key), err)
		}
	}
	return r
}

// value shows what the engine reads, as show does.
func value(d *reference.Doc, key string) (string, error) {
	v, err := d.Path(key).Get()
	if err != nil {
		return "", err
	}
	var w automerge.Value
	switch v.Kind() {
	case reference.KindVoid:
		return "nothing", nil
	case reference.KindNull:
	case reference.KindBool:
		w.Kind = automerge.KindFalse
		if v.Bool() {
			w.Kind = automerge.KindTrue
		}
	case reference.KindUint64:
		w = automerge.Value{Kind: automerge.KindUint, Num: int64(v.Uint64())}
	case reference.KindInt64:
		w = automerge.Value{Kind: automerge.KindInt, Num: v.Int64()}
	case reference.KindFloat64:
		w = automerge.Value{Kind: automerge.KindFloat64, Num: int64(math.Float64bits(v.Float64()))}
	case reference.KindStr:
		w = automerge.Value{Kind: automerge.KindString, Str: v.Str()}
	case reference.KindBytes:
		w = automerge.Value{Kind: automerge.KindBytes, Str: string(v.Bytes())}
	case reference.KindCounter:
		n, err := d.Path(key).Counter().Get()
		if err != nil {
			return "", err
		}
		w = automerge.Value{Kind: automerge.KindCounter, Num: n}
	case reference.KindTime:
		w = automerge.Value{Kind: automerge.KindTimestamp, Num: v.Time().UnixMilli()}
	case reference.KindMap:
		return fmt.Sprint("object ", automerge.MakeMap), nil
	case reference.KindList:
		return fmt.Sprint("object ", automerge.MakeList), nil
	case reference.KindText:
		return fmt.Sprint("object ", automerge.MakeText), nil
	default:
		return fmt.Sprint("a value of kind ", v.Kind()), nil
	}
	return show(w), nil
}

// Main is the whole of the process: it never returns.
func Main() {
	if err := serve(os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}
