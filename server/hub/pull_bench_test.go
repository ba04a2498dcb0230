package hub_test

import (
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"trio/crdt"
	"trio/crdt/automerge"
	"trio/crdt/crdttest"
	"trio/crdt/wire"
	"trio/server/hub"
	"trio/server/store"
)

// BenchmarkFirstPull is what a new device of an established member costs the server: 2,000 contacts of 8 fields and 5,000
// entries, from its hello to the last frame. They are folded; with a tail there are 999 entries more that are not yet, which
// is the most that stays so. Cold opens the database first. cpu-ms/op is the CPU time of the process, user and system.
func BenchmarkFirstPull(b *testing.B) {
	for name, tail := range map[string]int{"folded": 0, "tail": 999} {
		path := filepath.Join(b.TempDir(), "trio.db")
		d := establish(b, path, tail)
		for _, cold := range []bool{true, false} {
			temper := "warm"
			if cold {
				temper = "cold"
			}
			b.Run(name+"/"+temper, func(b *testing.B) {
				var st *store.SQLite
				open := func() {
					var err error
					if st, err = store.Open(b.Context(), store.Config{Path: path}); err != nil {
						b.Fatal(err)
					}
				}
				size := 0
				if !cold {
					open()
					size = pull(b, st, d)
				}
				before, n := processCPU(b), 0
				for b.Loop() {
					n++
					if cold {
						open()
					}
					size = pull(b, st, d)
					if cold {
						_ = st.Close()
					}
				}
				b.ReportMetric(float64((processCPU(b)-before).Microseconds())/1000/float64(n), "cpu-ms/op")
				b.ReportMetric(float64(size), "bytes")
				if !cold {
					_ = st.Close()
				}
			})
		}
	}
}

func processCPU(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// establish makes a store with the documents of one member, folded but for a tail.
func establish(b *testing.B, path string, tail int) store.Device {
	st, t := newStore(b, path)
	defer st.Close()
	m, err := st.CreateMember(b.Context(), store.Member{Tenant: t, Name: "member"})
	if err != nil {
		b.Fatal(err)
	}
	d, _, err := st.CreateDevice(b.Context(), m, "phone")
	if err != nil {
		b.Fatal(err)
	}
	book := crdttest.NewBook(b, 7, 0)
	book.Devices = []automerge.ActorID{crdt.NewActor(d.ID, 1), crdt.NewActor(d.ID, 2)}
	book.FirstPull()
	book.Entries(tail, 20, book.Contacts(200))
	var items []store.Item
	for _, it := range book.Items {
		items = append(items, store.Item{Doc: it.Doc, Change: it.Change})
	}
	add := func(items []store.Item) {
		if ack, err := st.Append(b.Context(), m, items); err != nil || ack.New != len(items) {
			b.Fatal(ack, err)
		}
	}
	add(items[:len(items)-tail])
	for n := 1; n > 0; {
		if n, err = st.Compact(b.Context(), m, 1); err != nil {
			b.Fatal(err)
		}
	}
	add(items[len(items)-tail:])
	return d
}

// pull takes all that a device which has nothing is sent, and returns how many bytes that is.
func pull(b *testing.B, st store.Store, d store.Device) (size int) {
	hello, err := wire.Encode(&wire.Hello{Version: wire.Version, Member: d.Member, Device: d.ID})
	if err != nil {
		b.Fatal(err)
	}
	s := hub.NewSession(st, d, "bench", time.Now)
	if _, err := s.Receive(b.Context(), hello); err != nil {
		b.Fatal(err)
	}
	for {
		out, err := s.Next(b.Context())
		if err != nil {
			b.Fatal(err)
		}
		if out == nil {
			return size
		}
		size += len(out)
	}
}
