package automerge_test

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"runtime"
	"testing"

	"trio/crdt/automerge"
)

// Two documents as a member of Trio has them: a book of contacts, one change for each contact, and a month of the log,
// one change for each entry.

const (
	benchContacts = 2000
	benchEntries  = 900
)

func benchActor(n uint64) automerge.ActorID {
	b := binary.BigEndian.AppendUint64(nil, 0x0192f3a4b5c60000|n)
	return automerge.ActorID(binary.BigEndian.AppendUint64(b, n*0x9e3779b97f4a7c15))
}

func benchUUID(r *rand.Rand) string {
	return fmt.Sprintf("0192f3a4-%04x-7%03x-8%03x-%012x", r.IntN(1<<16), r.IntN(1<<12), r.IntN(1<<12), r.Int64N(1<<48))
}

func text(s string) automerge.Value { return automerge.Value{Kind: automerge.KindString, Str: s} }

func mustCommit(tb testing.TB, tx *automerge.Tx, time int64) {
	tb.Helper()
	if _, err := tx.Commit(time, ""); err != nil {
		tb.Fatal(err)
	}
}

func contactsDoc(tb testing.TB, contacts int) *automerge.Doc {
	r := rand.New(rand.NewPCG(1, 2))
	d := automerge.NewDoc()
	for i := range contacts {
		id := benchUUID(r)
		tx := d.Begin(benchActor(uint64(i / 1000)))
		for _, f := range [][2]string{
			{"name", fmt.Sprintf("Contact %d of %d", i, r.IntN(1e6))},
			{"stage", "prospect"},
			{"phone/" + fmt.Sprintf("+49170%07d", r.IntN(1e7)), "mobile"},
			{"email/" + fmt.Sprintf("person%d@example.org", i), "home"},
			{"tag/gym", "1"},
			{"birthday", fmt.Sprintf("19%02d-%02d-%02d", r.IntN(100), 1+r.IntN(12), 1+r.IntN(28))},
			{"consent", "2026-01-15"},
			{"note", "met at the market, interested in the starter set"},
		} {
			if err := tx.Put(id+"/"+f[0], text(f[1])); err != nil {
				tb.Fatal(err)
			}
		}
		mustCommit(tb, tx, 1767225600+int64(i)*37)
	}
	return d
}

func logEntry(r *rand.Rand, i int) string {
	return fmt.Sprintf(`{"kind":"message","contact":"%s","channel":"whatsapp","content":"intro-%d","outcome":"sent","at":%d,"zone":120,"offset":%d,"suggested":{"reason":"birthday","taken":true},"playbook":17}`,
		benchUUID(r), r.IntN(20), 1767225600000+int64(i)*977123, r.IntN(500))
}

func logDoc(tb testing.TB, entries int) *automerge.Doc {
	r := rand.New(rand.NewPCG(3, 4))
	d := automerge.NewDoc()
	for i := range entries {
		tx := d.Begin(benchActor(7))
		if err := tx.Put(benchUUID(r), text(logEntry(r, i))); err != nil {
			tb.Fatal(err)
		}
		mustCommit(tb, tx, 1767225600+int64(i)*977)
	}
	return d
}

// sample is a document with the bytes of its changes and of its saved form.
type sample struct {
	name   string
	doc    *automerge.Doc
	chunks [][]byte
	saved  []byte
}

func newSample(tb testing.TB, name string, doc *automerge.Doc) sample {
	saved, err := doc.Save()
	if err != nil {
		tb.Fatal(err)
	}
	return sample{name: name, doc: doc, chunks: rawChunks(doc), saved: saved}
}

func samples(tb testing.TB) []sample {
	return []sample{
		newSample(tb, "contacts", contactsDoc(tb, benchContacts)),
		newSample(tb, "log", logDoc(tb, benchEntries)),
	}
}

// operations are what the engines are compared by:
//
//	apply  from the bytes of all changes to values that can be read
//	save   from a document in memory, which was read from its changes, to a file
//	load   from a saved file to values that can be read
//	edit   one put into a loaded document, committed, and the bytes of the change
var operations = []string{"apply", "save", "load", "edit"}

// work is one operation, ready to be done again and again. turn returns the size of what it made, if it made a file; what
// the engine has to clear away follows untimed in a garbage collection.
type work struct{ turn func() (size int, err error) }

// engine is one side of the comparison; where there is a C compiler the reference is another.
type engine struct {
	name    string
	prepare func(operation string, s *sample) (work, error)
	hold    func(saved []byte) (any, error) // loads a document, to be kept in memory

	// An engine that runs outside of this process measures itself: an operation of those above, or "memory". The others
	// leave this nil.
	measure func(operation string, s *sample) (measurement, error)
}

var engines = []engine{{
	name: "ours",
	prepare: func(operation string, s *sample) (work, error) {
		switch operation {
		case "apply":
			return work{func() (int, error) {
				_, err := applyChunks(s.chunks)
				return 0, err
			}}, nil
		case "load":
			return work{func() (int, error) {
				_, err := automerge.Load(s.saved)
				return 0, err
			}}, nil
		case "save":
			doc, err := applyChunks(s.chunks)
			return work{func() (int, error) {
				saved, err := doc.Save()
				return len(saved), err
			}}, err
		case "edit":
			doc, err := automerge.Load(s.saved)
			n := 0
			return work{func() (int, error) {
				n++
				tx := doc.Begin(benchActor(99))
				if err := tx.Put(fmt.Sprint("edit/", n), text("an edit")); err != nil {
					return 0, err
				}
				c, err := tx.Commit(1767225600, "")
				if err != nil {
					return 0, err
				}
				raw, err := c.Encode()
				return len(raw), err
			}}, err
		}
		return work{}, fmt.Errorf("no operation %q", operation)
	},
	hold: func(saved []byte) (any, error) { return automerge.Load(saved) },
}}

func applyChunks(chunks [][]byte) (*automerge.Doc, error) {
	doc := automerge.NewDoc()
	for _, chunk := range chunks {
		c, err := automerge.ParseChange(chunk)
		if err != nil {
			return nil, err
		}
		if err := doc.Apply(c); err != nil {
			return nil, err
		}
	}
	return doc, nil
}

func benchmark(b *testing.B, operation string) {
	for _, s := range samples(b) {
		for _, e := range engines {
			if e.prepare == nil {
				continue
			}
			b.Run(s.name+"/"+e.name, func(b *testing.B) {
				w, err := e.prepare(operation, &s)
				if err != nil {
					b.Fatal(err)
				}
				b.ReportAllocs()
				for b.Loop() {
					size, err := w.turn()
					if err != nil {
						b.Fatal(err)
					}
					if size > 0 {
						b.ReportMetric(float64(size), "bytes")
					}
					if e.name != "ours" && operation != "edit" {
						// The reference's memory is outside of Go's heap and is freed by finalizers.
						b.StopTimer()
						runtime.GC()
						runtime.GC()
						b.StartTimer()
					}
				}
			})
		}
	}
}

func BenchmarkApply(b *testing.B) { benchmark(b, "apply") }
func BenchmarkSave(b *testing.B)  { benchmark(b, "save") }
func BenchmarkLoad(b *testing.B)  { benchmark(b, "load") }
func BenchmarkEdit(b *testing.B)  { benchmark(b, "edit") }

func rawChunks(d *automerge.Doc) [][]byte {
	var chunks [][]byte
	for _, c := range d.Changes() {
		chunks = append(chunks, c.Raw())
	}
	return chunks
}

func BenchmarkParseChange(b *testing.B) {
	entry := rawChunks(logDoc(b, 2))[1]
	contact := rawChunks(contactsDoc(b, 2))[1]
	for name, chunk := range map[string][]byte{
		"entry": entry, "entry-deflated": automerge.Deflate(entry), "contact": contact, "contact-deflated": automerge.Deflate(contact),
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(chunk)))
			for b.Loop() {
				if _, err := automerge.ParseChange(chunk); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkSeal(b *testing.B) {
	for name, d := range map[string]*automerge.Doc{"entry": logDoc(b, 2), "contact": contactsDoc(b, 2)} {
		made := d.Changes()[1]
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				c := automerge.Change{
					Actor: made.Actor, Seq: made.Seq, StartOp: made.StartOp, Time: made.Time, Deps: made.Deps, Ops: made.Ops,
				}
				if err := c.Seal(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkDeflate(b *testing.B) {
	entry := rawChunks(logDoc(b, 2))[1]
	b.ReportAllocs()
	for b.Loop() {
		automerge.Deflate(entry)
	}
}
