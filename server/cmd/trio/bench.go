package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"time"

	"trio/clients/bench"
	"trio/crdt"
	"trio/crdt/automerge"
	"trio/crdt/wire"
	"trio/server/intake"
	"trio/server/ops"
	"trio/server/store"
)

// measure is trio bench.
func measure(ctx context.Context, args []string) error {
	fs := flag.NewFlagSet("trio bench", flag.ContinueOnError)
	dir := fs.String("dir", "", "`folder` to work in, on the disk that is to be measured (default: the system's for temporary files)")
	seed := fs.Uint64("seed", 7, "of the made-up documents")
	small := fs.Bool("small", false, "a tenth of the load: whether it works, not how fast")
	keep := fs.Bool("keep", false, "leave the data there")
	fs.Usage = func() {
		fmt.Fprint(fs.Output(), `trio bench measures this build on this machine: a server process of its own, real sockets, a real disk

usage: trio bench [FLAG ...] [ROW ...]

`)
		for _, r := range bench.Rows() {
			fmt.Fprintf(fs.Output(), "  %-8s %s\n", r[0], r[1])
		}
		fmt.Fprintln(fs.Output(), "\nwithout a ROW all are measured, in three minutes or so; the exit status is 1 when a number is not what it must be")
		fs.PrintDefaults()
	}
	if err := parse(fs, args); err != nil {
		return err
	}
	known := map[string]bool{}
	for _, r := range bench.Rows() {
		known[r[0]] = true
	}
	for _, name := range fs.Args() {
		if !known[name] {
			return &wrong{fmt.Sprintf("row %q is not known", name), "trio bench -h lists the rows", 2}
		}
	}
	where, err := os.MkdirTemp(*dir, "trio-bench-")
	if err != nil {
		return &wrong{fmt.Sprintf("no folder to work in: %v", err), "name one that is there and may be written: --dir", 1}
	}
	if *keep {
		fmt.Println("Data in", where)
	} else {
		defer os.RemoveAll(where)
	}
	b := ops.ThisBuild()
	fmt.Printf("trio %s, %s %s/%s, %d processors, seed %d\n\n", strings.TrimSpace(b.Version+" "+b.Revision), b.Go, runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), *seed)
	g := &ground{dir: where}
	err = bench.Run(ctx, bench.Config{Out: os.Stdout, Ground: g, Dir: where, Seed: *seed, Rows: fs.Args(), Small: *small})
	return errors.Join(err, g.close())
}

// ground is a data folder that trio bench made: a store of this process, or a server process, has it open.
type ground struct {
	dir    string
	store  *store.SQLite
	tenant store.Tenant
}

func (g *ground) open(ctx context.Context) (*store.SQLite, error) {
	if g.store == nil {
		st, err := store.Open(ctx, store.Config{Path: filepath.Join(g.dir, dbName)})
		if err != nil {
			return nil, err
		}
		g.store = st
	}
	return g.store, nil
}

func (g *ground) close() error {
	st := g.store
	if g.store = nil; st == nil {
		return nil
	}
	return st.Close()
}

func (g *ground) Enrol(ctx context.Context, members, devices int) ([][]bench.Access, error) {
	st, err := g.open(ctx)
	if err == nil && g.tenant == 0 {
		g.tenant, err = st.CreateTenant(ctx, "bench")
	}
	if err != nil {
		return nil, err
	}
	all := make([][]bench.Access, members)
	var wg sync.WaitGroup
	var mu sync.Mutex
	workers := min(members, 128)
	for w := range workers {
		wg.Go(func() {
			for i := w; i < members; i += workers {
				as, e := enrol(ctx, st, g.tenant, devices)
				mu.Lock()
				all[i], err = as, errors.Join(err, e)
				stop := err != nil
				mu.Unlock()
				if stop {
					return
				}
			}
		})
	}
	wg.Wait()
	return all, err
}

func enrol(ctx context.Context, st *store.SQLite, t store.Tenant, devices int) ([]bench.Access, error) {
	m, err := st.CreateMember(ctx, store.Member{Tenant: t, Name: "member"})
	if err != nil {
		return nil, err
	}
	var all []bench.Access
	for range devices {
		d, token, err := st.CreateDevice(ctx, m, "device")
		if err != nil {
			return nil, err
		}
		all = append(all, bench.Access{Token: token, Member: m, Device: d.ID})
	}
	return all, nil
}

func (g *ground) Append(ctx context.Context, m crdt.MemberID, items []wire.Item) error {
	st, err := g.open(ctx)
	if err != nil {
		return err
	}
	list := make([]store.Item, len(items))
	for i, it := range items {
		// Through the same gate as a push, which reads the feed's records out of it: the feed is part of what is measured.
		var refused *wire.Error
		if list[i], refused = intake.Item(m, crdt.DeviceID{}, it); refused != nil {
			return refused
		}
	}
	ack, err := st.Append(ctx, m, list)
	if err == nil && len(ack.Rejected) > 0 {
		err = errors.New(ack.Rejected[0].Text)
	}
	return err
}

func (g *ground) Fold(ctx context.Context, m crdt.MemberID) error {
	st, err := g.open(ctx)
	for n := 1; err == nil && n > 0; {
		n, err = st.Compact(ctx, m, 1)
	}
	return err
}

func (g *ground) Holds(ctx context.Context, m crdt.MemberID) (map[automerge.Hash]bool, error) {
	st, err := g.open(ctx)
	if err != nil {
		return nil, err
	}
	has := map[automerge.Hash]bool{}
	for after := uint64(0); ; {
		p, err := st.Since(ctx, m, after, 4000, 4<<20)
		if err != nil {
			return nil, err
		}
		if p.Segment != nil {
			items, err := p.Segment.Open()
			if err != nil {
				return nil, err
			}
			for _, it := range items {
				has[it.Change.Hash()] = true
			}
		}
		for _, c := range p.Changes {
			has[c.Hash] = true
		}
		if !p.More {
			return has, nil
		}
		after = p.At.Seq
	}
}

// Serve starts trio serve on the folder, as an operator would, but for the limits that keep one address from acting as
// thousands of devices.
func (g *ground) Serve(ctx context.Context) (*bench.Server, error) {
	if err := g.close(); err != nil {
		return nil, err
	}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	listen, err := freeAddr()
	if err != nil {
		return nil, err
	}
	operator, err := freeAddr()
	if err != nil {
		return nil, err
	}
	log, err := os.OpenFile(filepath.Join(g.dir, "serve.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(self, "serve", "--data", g.dir, "--listen", listen, "--operator", operator, "--log-level", "warn",
		"--max-connections", "20000", "--device-rate", "100000", "--device-burst", "100000") //nolint:gosec // this program itself
	for _, e := range os.Environ() {
		if !strings.HasPrefix(e, "TRIO_") || notOurs.MatchString(e) { // no settings but those above
			cmd.Env = append(cmd.Env, e)
		}
	}
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = withParent()
	s := &bench.Server{URL: "ws://" + listen + "/v1/sync", Began: time.Now()}
	if err := errors.Join(cmd.Start(), log.Close()); err != nil {
		return nil, err
	}
	s.PID = cmd.Process.Pid
	ended := make(chan struct{})
	var how error
	go func() {
		how = cmd.Wait()
		close(ended)
	}()
	s.Stop = func() error {
		if err := cmd.Process.Signal(os.Interrupt); err != nil && !errors.Is(err, os.ErrProcessDone) {
			return err
		}
		<-ended
		return how
	}
	s.Kill = func() error {
		if err := cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
			return err
		}
		<-ended
		return nil
	}
	s.Rest = func(ctx context.Context) error { return collect(ctx, "http://"+operator+"/debug/pprof/heap?gc=1") }
	for {
		c, err := net.DialTimeout("tcp", listen, time.Second)
		if err == nil {
			return s, c.Close()
		}
		select {
		case <-ended:
			return nil, fmt.Errorf("server did not start: %w; see %s", how, log.Name())
		case <-ctx.Done():
			return nil, errors.Join(ctx.Err(), s.Kill())
		case <-time.After(time.Millisecond):
		}
	}
}

// freeAddr returns an address of this machine at which nobody listens now.
func freeAddr() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}

// collect has the server collect its garbage.
func collect(ctx context.Context, url string) error {
	for range 3 {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			return err
		}
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			return err
		}
		_, err = io.Copy(io.Discard, res.Body)
		if err = errors.Join(err, res.Body.Close()); err != nil {
			return err
		}
		time.Sleep(200 * time.Millisecond)
	}
	return nil
}
