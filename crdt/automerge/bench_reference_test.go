//go:build cgo

package automerge_test

import (
	"bytes"
	"runtime"
	"testing"

	reference "github.com/automerge/automerge-go"
)

func init() {
	engines = append(engines, engine{
		name: "automerge-go",
		apply: func(b *testing.B, s *sample) {
			all, key := bytes.Join(s.chunks, nil), s.doc.Keys()[0]
			for b.Loop() {
				doc, err := reference.Load(all)
				if err != nil {
					b.Fatal(err)
				}
				if v, err := doc.Path(key).Get(); err != nil || v.IsVoid() {
					b.Fatal(v, err)
				}
				freeReference(b)
			}
		},
		save: func(b *testing.B, s *sample) {
			doc, err := reference.Load(bytes.Join(s.chunks, nil))
			if err != nil {
				b.Fatal(err)
			}
			for b.Loop() {
				b.ReportMetric(float64(len(doc.Save())), "bytes")
				freeReference(b)
			}
		},
		load: func(b *testing.B, s *sample) {
			for b.Loop() {
				if _, err := reference.Load(s.saved); err != nil {
					b.Fatal(err)
				}
				freeReference(b)
			}
		},
	})
}

// freeReference runs untimed between turns: the reference's memory is outside of Go's heap (so that what is reported of
// it counts little) and is freed by finalizers.
func freeReference(b *testing.B) {
	b.StopTimer()
	runtime.GC()
	runtime.GC()
	b.StartTimer()
}
