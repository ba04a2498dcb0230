package device

import (
	"strconv"

	"trio/crdt/leanjson"
)

// writer writes JSON. Texts that are empty are left out of objects.
type writer struct{ out []byte }

// comma separates what follows from a value before it.
func (w *writer) comma() {
	if n := len(w.out); n > 0 && w.out[n-1] != '{' && w.out[n-1] != '[' && w.out[n-1] != ':' {
		w.out = append(w.out, ',')
	}
}

func (w *writer) open(c byte) {
	w.comma()
	w.out = append(w.out, c)
}

func (w *writer) close(c byte) { w.out = append(w.out, c) }

func (w *writer) name(s string) {
	w.string(s)
	w.out = append(w.out, ':')
}

func (w *writer) string(s string) {
	w.comma()
	w.out = leanjson.AppendString(w.out, s, false)
}

func (w *writer) text(name, s string) {
	if s != "" {
		w.name(name)
		w.string(s)
	}
}

func (w *writer) number(name string, n int64) {
	w.name(name)
	w.out = strconv.AppendInt(w.out, n, 10)
}

func (w *writer) truth(name string, b bool) {
	w.name(name)
	w.out = strconv.AppendBool(w.out, b)
}
