package store_test

import (
	"context"
	"fmt"
	"path/filepath"
	"sync"
	"sync/atomic"

	"trio/server/store"
	"trio/server/store/powerloss"
	"trio/server/store/storetest"
)

// theDisk is one for the process, made when it is first needed.
var theDisk = sync.OnceValues(powerloss.New)

var cuts atomic.Uint64

// onDisk has a harness's stores stand on a disk whose power can be cut.
func onDisk(h *storetest.Harness) {
	h.Open = func(ctx context.Context, dir string) (store.Store, error) {
		disk, err := theDisk()
		if err != nil {
			return nil, err
		}
		return store.Open(ctx, store.Config{Path: file(dir), VFS: disk.Name()})
	}
	cut := func(_ context.Context, dir string, outcome uint64) (string, error) {
		disk, err := theDisk()
		if err != nil {
			return "", err
		}
		next := filepath.Join(filepath.Dir(dir), fmt.Sprintf("after-%d", cuts.Add(1)))
		return next, disk.Cut(dir).Write(next, outcome)
	}
	h.PowerCut = func(ctx context.Context, dir string) (string, error) { return cut(ctx, dir, 2+cuts.Load()) }
	h.Crash = func(ctx context.Context, dir string) (string, error) { return cut(ctx, dir, 1) }
}
