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
		hello, err := wire.Encode(&wire.Hello{Version: wire.Version, Member: m, Device: d.ID})
		if err != nil {
			b.Fatal(err)
		}
		sessions[i] = hub.NewSession(st, d, "bench", time.Now)
		if _, err := sessions[i].Receive(ctx, hello); err != nil {
			b.Fatal(err)
		}
		var deps []automerge.Hash
		for n := range each {
			e := crdt.Entry{
				Version: crdt.EntryVersion, Kind: crdt.Call, At: 1795000000000 + int64(n), Evidence: crdt.E1,
				Contact: crdt.SourceContactID(m, fmt.Sprint(n%100)), Outcome: "answered", Trigger: "refill_due", Playbook: 1,
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
			frames[i] = append(frames[i], f)
		}
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
