package sim_test

import (
	"errors"
	"path/filepath"
	"testing"

	"trio/crdt"
	"trio/replica"
)

// TestFullDeviceDiskInAPull fills the disk while another device's changes come in: what was there stays, taps are refused
// with the reason, and once there is room everything arrives.
func TestFullDeviceDiskInAPull(t *testing.T) {
	g := newRig(t)
	a, b := g.dev(), g.dev()
	ra := g.replica(a, "")
	_, err := ra.AddContact(g.ctx, replica.Fields{crdt.FieldName: "Ana"})
	g.ok(err)
	g.ok(g.sync(ra, a, nil))

	cfg := replica.Config{Path: filepath.Join(t.TempDir(), "b.db"), Member: b.Member, Device: b.ID, MaxPages: 80}
	rb, err := replica.Open(g.ctx, cfg)
	g.ok(err)
	_, err = rb.AddContact(g.ctx, replica.Fields{crdt.FieldName: "Ben"})
	g.ok(err)
	g.ok(g.sync(rb, b, nil))
	before := status(g, rb)

	for range 300 {
		_, err := ra.AddContact(g.ctx, replica.Fields{crdt.FieldName: "Cid", crdt.FieldNote: noise(2000)})
		g.ok(err)
	}
	g.ok(g.sync(ra, a, nil))
	for range 2 { // and again: the failed transaction left nothing behind in memory
		if err := g.sync(rb, b, nil); !errors.Is(err, replica.ErrFull) {
			t.Errorf("a pull that does not fit: %v", err)
		}
		if st := status(g, rb); st != before {
			t.Errorf("after the failed pull %+v, before %+v", st, before)
		}
	}
	g.sameAfterRebuild(rb)
	g.ok(rb.Close())

	cfg.MaxPages = 0
	rb, err = replica.Open(g.ctx, cfg)
	g.ok(err)
	defer rb.Close()
	g.ok(g.sync(rb, b, nil))
	g.ok(g.sync(ra, a, nil))
	cs, err := rb.Contacts(g.ctx, "", 0, 1000)
	g.ok(err)
	if len(cs) != 302 || status(g, ra).Receipt != status(g, rb).Receipt {
		t.Errorf("%d contacts of 302", len(cs))
	}
}

func status(g *rig, r *replica.Replica) replica.Status {
	g.Helper()
	st, err := r.Status(g.ctx)
	g.ok(err)
	return st
}
