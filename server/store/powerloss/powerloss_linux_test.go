package powerloss_test

import (
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
	"time"

	"trio/server/store/powerloss"
	"trio/server/store/storetest"
)

func seed(t *testing.T) uint64 {
	s := rand.Uint64()
	if v := os.Getenv(storetest.SeedEnv); v != "" {
		var err error
		if s, err = strconv.ParseUint(v, 10, 64); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("to repeat: %s=%d go test -run '^%s$' ./server/store/powerloss", storetest.SeedEnv, s, t.Name())
		}
	})
	return s
}

// TestPowerLoss: whenever the power fails, all that was acknowledged is there, and nothing by halves.
func TestPowerLoss(t *testing.T) {
	tr := powerloss.Trial{Seed: seed(t), Lives: 2, Cuts: 12, Life: 400 * time.Millisecond}
	if testing.Short() {
		tr.Lives = 2
	}
	res, err := tr.Run(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%+v", res)
	if res.First != nil || res.Lost > 0 {
		t.Errorf("%d of %d changes are lost: %v", res.Lost, res.Checked, res.First)
	}
	if res.Acked < 50 || res.Unsynced == 0 {
		t.Errorf("there was too little to lose: %+v", res)
	}
}

// TestPowerLossBites: what does not sync loses what was acknowledged, or the test above would say nothing.
func TestPowerLossBites(t *testing.T) {
	for _, unsafe := range []string{"NORMAL", "OFF"} {
		res, err := powerloss.Trial{Seed: seed(t), Lives: 1, Cuts: 6, Life: 200 * time.Millisecond, Unsafe: unsafe}.Run(t.Context(), t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("%s: %+v", unsafe, res)
		if res.Lost == 0 {
			t.Errorf("synchronous=%s has lost nothing of %d changes", unsafe, res.Checked)
		}
	}
}
