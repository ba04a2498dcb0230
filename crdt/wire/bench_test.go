package wire

import (
	"testing"

	"trio/crdt/automerge"
)

// change makes a change of two operations, to be sealed.
func change(key, value string, at int64, start uint64, b *book) *automerge.Change {
	return &automerge.Change{Actor: b.Devices[0], Seq: 1, StartOp: start, Time: at, Message: value, Ops: []automerge.Op{
		{Key: key, Action: automerge.Put, Value: automerge.Value{Kind: automerge.KindString, Str: value}},
		{Key: value, Action: automerge.Put, Value: automerge.Value{Kind: automerge.KindTimestamp, Num: at}},
	}}
}

func benchEncode(b *testing.B, list ...[]Item) {
	size := 0
	b.ReportAllocs()
	for b.Loop() {
		size = 0
		for _, items := range list {
			size += len(encoded(b, &Push{ID: 1, Items: items}))
		}
	}
	b.ReportMetric(float64(size), "bytes")
}

func benchDecode(b *testing.B, list ...[]Item) {
	var frames [][]byte
	size := 0
	for _, items := range list {
		frames = append(frames, encoded(b, &Push{ID: 1, Items: items}))
		size += len(frames[len(frames)-1])
	}
	b.ReportAllocs()
	for b.Loop() {
		for _, f := range frames {
			if _, err := Decode(f); err != nil {
				b.Fatal(err)
			}
		}
	}
	b.ReportMetric(float64(size), "bytes")
}

func BenchmarkEncodePush1(b *testing.B) { benchEncode(b, entries200(b)[199:]) }
func BenchmarkDecodePush1(b *testing.B) { benchDecode(b, entries200(b)[199:]) }

// What sealing and parsing the same change costs, for comparison.
func BenchmarkSeal1(b *testing.B) {
	c := entries200(b)[199].Change
	b.ReportAllocs()
	for b.Loop() {
		d := automerge.Change{Actor: c.Actor, Seq: c.Seq, StartOp: c.StartOp, Time: c.Time, Deps: c.Deps, Ops: c.Ops}
		if err := d.Seal(); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkBundle200(b *testing.B) {
	b.Run("encode", func(b *testing.B) { benchEncode(b, entries200(b)) })
	b.Run("decode", func(b *testing.B) { benchDecode(b, entries200(b)) })
}

func BenchmarkFirstPull(b *testing.B) {
	b.Run("encode", func(b *testing.B) { benchEncode(b, pages(firstPull(b), 1000)...) })
	b.Run("decode", func(b *testing.B) { benchDecode(b, pages(firstPull(b), 1000)...) })
}
