package hub_test

import (
	"fmt"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"trio/crdt"
	"trio/crdt/automerge"
	"trio/crdt/wire"
	"trio/server/hub"
	"trio/server/store"
)

// BenchmarkPush is the server's work for one pushed change, from the frame to the answer: decode, check, project, store
// with the disk synced, chain, receipt. 50 devices of 50 members push log entries, one change each, at the same time.
// cpu-µs/op is what the process used in all, user and system.
func BenchmarkPush(b *testing.B) {
	ctx := b.Context()
	st, tenant := newStore(b, filepath.Join(b.TempDir(), "trio.db"))
	defer st.Close()
	const devices = 50
	each := (b.N + devices - 1) / devices
	frames := make([][][]byte, devices)
	sessions := make([]*hub.Session, devices)
	for i := range devices {
		m, err := st.CreateMember(ctx, store.Member{Tenant: tenant, Name: fmt.Sprint(i)})
		if err != nil {
			b.Fatal(err)
		}
		d, _, err := st.CreateDevice(ctx, m, "phone")
		if err != nil {
			b.Fatal(err)
		}
		sessions[i] = greeted(b, st, d)
		frames[i] = pushes(b, d, each)
	}
	b.ResetTimer()
	before := processCPU(b)
	var wg sync.WaitGroup
	for i, s := range sessions {
		wg.Go(func() {
			for _, f := range frames[i] {
				if _, err := s.Receive(ctx, f); err != nil {
					b.Error(err)
					return
				}
				for {
					out, err := s.Next(ctx)
					if err != nil {
						b.Error(err)
						return
					}
					if out == nil {
						break
					}
				}
			}
		})
	}
	wg.Wait()
	b.ReportMetric(float64((processCPU(b)-before).Microseconds())/float64(each*devices), "cpu-µs/op")
}

// BenchmarkRelay is the server's work for one pushed change of a member with several devices connected: that of
// BenchmarkPush, and each of the others reads it from the store and is sent it in a frame of its own.
func BenchmarkRelay(b *testing.B) {
	for _, devices := range []int{2, 10} {
		b.Run(fmt.Sprintf("devices=%d", devices), func(b *testing.B) {
			ctx := b.Context()
			st, tenant := newStore(b, filepath.Join(b.TempDir(), "trio.db"))
			defer st.Close()
			m, err := st.CreateMember(ctx, store.Member{Tenant: tenant, Name: "Maya"})
			if err != nil {
				b.Fatal(err)
			}
			var frames [][]byte
			all := make([]*hub.Session, devices)
			for i := range all {
				d, _, err := st.CreateDevice(ctx, m, "phone")
				if err != nil {
					b.Fatal(err)
				}
				if all[i] = greeted(b, st, d); i == 0 {
					frames = pushes(b, d, b.N)
				}
			}
			send := func(s *hub.Session) (n int) {
				for {
					out, err := s.Next(ctx)
					if err != nil {
						b.Fatal(err)
					}
					if out == nil {
						return n
					}
					n++
				}
			}
			for _, s := range all {
				send(s) // the welcome
			}
			var relayed time.Duration
			b.ResetTimer()
			before := processCPU(b)
			for i, f := range frames {
				if _, err := all[0].Receive(ctx, f); err != nil {
					b.Fatal(err)
				}
				send(all[0])
				start := processCPU(b)
				for _, s := range all[1:] {
					if s.Wake(uint64(i) + 1); send(s) != 1 {
						b.Fatal("a device was not sent the change")
					}
				}
				relayed += processCPU(b) - start
			}
			b.ReportMetric(float64((processCPU(b)-before).Nanoseconds())/1000/float64(b.N), "cpu-µs/op")
			b.ReportMetric(float64(relayed.Nanoseconds())/1000/float64(b.N*(devices-1)), "cpu-µs/receiver")
		})
	}
}

// greeted is a device's session that has said hello.
func greeted(b *testing.B, st store.Store, d store.Device) *hub.Session {
	b.Helper()
	hello, err := wire.Encode(&wire.Hello{Version: wire.Version, Member: d.Member, Device: d.ID})
	if err != nil {
		b.Fatal(err)
	}
	s := hub.NewSession(st, d, "bench", time.Now)
	if _, err := s.Receive(b.Context(), hello); err != nil {
		b.Fatal(err)
	}
	return s
}

// pushes are frames with a log entry each, one on top of the other.
func pushes(b *testing.B, d store.Device, count int) (frames [][]byte) {
	b.Helper()
	var deps []automerge.Hash
	for n := range count {
		e := crdt.Entry{
			Version: crdt.EntryVersion, Kind: crdt.Call, At: 1795000000000 + int64(n), Evidence: crdt.E1,
			Contact: crdt.SourceContactID(d.Member, fmt.Sprint(n%100)), Outcome: "answered", Trigger: "refill_due", Playbook: 1,
		}
		body, err := e.Encode()
		if err != nil {
			b.Fatal(err)
		}
		c := &automerge.Change{
			Actor: crdt.NewActor(d.ID, 1), Seq: uint64(n) + 1, StartOp: uint64(n) + 1, Time: 1795000000, Deps: deps,
			Ops: []automerge.Op{{Key: crdt.NewEntryID().String(), Action: automerge.Put, Value: automerge.Value{Kind: automerge.KindString, Str: body}}},
		}
		if err := c.Seal(); err != nil {
			b.Fatal(err)
		}
		deps = []automerge.Hash{c.Hash()}
		f, err := wire.Encode(&wire.Push{ID: uint64(n), Items: []wire.Item{{Doc: e.Doc(), Change: c}}})
		if err != nil {
			b.Fatal(err)
		}
		frames = append(frames, f)
	}
	return frames
}

// newStore makes a store with a company.
func newStore(b *testing.B, path string) (*store.SQLite, store.Tenant) {
	b.Helper()
	st, err := store.Open(b.Context(), store.Config{Path: path})
	if err != nil {
		b.Fatal(err)
	}
	tenant, err := st.CreateTenant(b.Context(), "Acme")
	if err != nil {
		b.Fatal(err)
	}
	return st, tenant
}
