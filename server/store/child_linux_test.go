package store_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/signal"
	"syscall"
	"testing"

	"trio/crdt/automerge"
	"trio/server/store"
	"trio/server/store/storetest"
)

// A limit on the size of files makes a write of the log fail in the middle of a COMMIT with an error that is not a full
// disk, which no function of ours could fake as well. It holds for a whole process, so a child does it.
func childMore(what, dir string) {
	if what != "write error" {
		panic("no such child: " + what)
	}
	if err := writeError(dir); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

func writeError(dir string) error {
	signal.Ignore(syscall.SIGXFSZ)
	ctx := context.Background()
	s, err := openDir(ctx, dir)
	if err != nil {
		return err
	}
	tenant, err := s.CreateTenant(ctx, "a company")
	if err != nil {
		return err
	}
	m, err := s.CreateMember(ctx, store.Member{Tenant: tenant, Name: "a member"})
	if err != nil {
		return err
	}
	d, _, err := s.CreateDevice(ctx, m, "a phone")
	if err != nil {
		return err
	}
	a := storetest.NewAuthor(d, 1, rand.New(rand.NewPCG(1, 1)))
	before := a.Tap(1)
	if _, err := s.Append(ctx, m, []store.Item{before}); err != nil {
		return err
	}

	var old syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &old); err != nil {
		return err
	}
	info, err := os.Stat(file(dir) + "-wal")
	if err != nil {
		return err
	}
	low := syscall.Rlimit{Cur: uint64(info.Size()) + 6000, Max: old.Max} // room for one page and no more
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &low); err != nil {
		return err
	}
	during := a.Tap(1)
	ack, failed := s.Append(ctx, m, []store.Item{during})
	if failed == nil || errors.Is(failed, store.ErrFull) || errors.Is(failed, store.ErrBusy) {
		return fmt.Errorf("append with a log that cannot grow: %+v, %w; want an unknown outcome", ack, failed)
	}
	if err := s.Health(ctx); err == nil {
		return errors.New("healthy with a log that cannot grow")
	}
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &old); err != nil {
		return err
	}

	// The same store works again, and the push is sent again.
	after := a.Tap(1)
	ack, err = s.Append(ctx, m, []store.Item{during, after})
	if err != nil {
		return fmt.Errorf("append after the write error: %w", err)
	}
	if ack.New+ack.Dup != 2 || ack.Receipt.Seq != 3 {
		return fmt.Errorf("append after the write error: %+v", ack)
	}
	if err := s.Close(); err != nil {
		return err
	}
	if s, err = openDir(ctx, dir); err != nil {
		return err
	}
	cs, _, _, err := storetest.Since(ctx, s, m, 0, 0, 0)
	if err != nil {
		return err
	}
	if len(cs) != 3 {
		return fmt.Errorf("%d changes, want 3", len(cs))
	}
	for i, it := range []store.Item{before, during, after} {
		if cs[i].Hash != it.Change.Hash() {
			return fmt.Errorf("change %d is %s", i+1, cs[i].Hash)
		}
		if _, err := automerge.ParseChange(cs[i].Raw); err != nil {
			return err
		}
	}
	rs, _, err := s.Feed(ctx, tenant, "", 10)
	if err != nil || len(rs) != 3 {
		return fmt.Errorf("feed has %d records: %w", len(rs), err)
	}
	return s.Close()
}

func TestWriteError(t *testing.T) {
	out, err := child("write error", t.TempDir()).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}
