//go:build cgo

package automerge_test

import (
	"bytes"
	"runtime"
	"testing"

	reference "github.com/automerge/automerge-go"
)

// The reference's side of the benchmarks. Its memory is outside Go's heap and is freed by finalizers, so a collection,
// which is not timed, precedes each turn.

func freeReference(b *testing.B) {
	b.StopTimer()
	runtime.GC()
	runtime.GC()
	b.StartTimer()
}

func BenchmarkApplyReference(b *testing.B) {
	for name, d := range benchDocs(b) {
		all := bytes.Join(rawChunks(d), nil)
		key := d.Keys()[0]
		b.Run(name+"/automerge-go", func(b *testing.B) {
			for b.Loop() {
				doc := reference.New()
				if err := doc.LoadIncremental(all); err != nil {
					b.Fatal(err)
				}
				if v, err := doc.Path(key).Get(); err != nil || v.IsVoid() {
					b.Fatal(v, err)
				}
				freeReference(b)
			}
		})
		b.Run(name+"/automerge-go-load", func(b *testing.B) {
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
		})
	}
}

func BenchmarkSaveReference(b *testing.B) {
	for name, d := range benchDocs(b) {
		doc, err := reference.Load(bytes.Join(rawChunks(d), nil))
		if err != nil {
			b.Fatal(err)
		}
		b.Run(name+"/automerge-go", func(b *testing.B) {
			for b.Loop() {
				b.ReportMetric(float64(len(doc.Save())), "bytes")
				freeReference(b)
			}
		})
	}
}

func BenchmarkLoadReference(b *testing.B) {
	for name, d := range benchDocs(b) {
		saved, err := d.Save()
		if err != nil {
			b.Fatal(err)
		}
		b.Run(name+"/automerge-go", func(b *testing.B) {
			for b.Loop() {
				if _, err := reference.Load(saved); err != nil {
					b.Fatal(err)
				}
				freeReference(b)
			}
		})
	}
}
