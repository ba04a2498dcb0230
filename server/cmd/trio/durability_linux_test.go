package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"text/tabwriter"
	"time"
	"unsafe"

	"trio/clients/corporate"
	"trio/crdt"
	"trio/replica"
	"trio/server/intake"
	"trio/server/store"
	"trio/server/store/powerloss"
	"trio/server/store/storetest"
)

// make bench-durability runs TestDurability with -durability: many rounds of each fault, and one table.
var durability = flag.Bool("durability", false, "run each fault many times and print the table")

const (
	unsafeEnv = "TRIO_TEST_UNSAFE" // what a server or store takes in the place of synchronous=FULL
	ext4Env   = "TRIO_TEST_EXT4"   // a folder: be the one who cuts the power of a disk in it
	writeEnv  = "TRIO_TEST_WRITE"  // a folder: be the store in it and who writes to it
)

func init() {
	unsafeStore = os.Getenv(unsafeEnv)
	acts[ext4Env] = cutDisk
	acts[writeEnv] = writeDisk
}

// fault is a line of the table.
type fault struct {
	name    string
	rounds  int
	checked int // acknowledged changes that were looked for
	lost    int
	beside  []string // the same with something else than synchronous=FULL, or without what makes up for it
}

// TestDurability: whatever ends a server, all that it acknowledged is there in the end.
func TestDurability(t *testing.T) {
	seed := rand.Uint64()
	if v := os.Getenv(storetest.SeedEnv); v != "" {
		var err error
		if seed, err = strconv.ParseUint(v, 10, 64); err != nil {
			t.Fatal(err)
		}
	}
	defer func() {
		if t.Failed() {
			t.Logf("to repeat: %s=%d go test -run '^TestDurability$' ./server/cmd/trio", storetest.SeedEnv, seed)
		}
	}()
	kills, restores := 3, 1
	if *durability {
		kills, restores = 25, 6
	}
	var table []fault
	t.Run("Kill", func(t *testing.T) {
		f := killed(t, seed, kills, "")
		f.name = "kill -9 of trio serve"
		if *durability {
			off := killed(t, seed, kills, "OFF")
			f.beside = []string{fmt.Sprintf("OFF: %d of %d (a killed process leaves the system's memory)", off.lost, off.checked)}
		}
		table = append(table, f)
	})
	t.Run("Restore", func(t *testing.T) {
		table = append(table, restored(t, seed, restores))
	})
	if *durability {
		t.Run("PowerLoss", func(t *testing.T) { table = append(table, cutShim(t, seed)) })
		t.Run("Ext4", func(t *testing.T) { table = append(table, cutExt4(t, seed)) })
	}
	for _, f := range table {
		if f.lost > 0 {
			t.Errorf("%s: %d of %d acknowledged changes are lost", f.name, f.lost, f.checked)
		}
		if f.checked == 0 {
			t.Errorf("%s: nothing was acknowledged", f.name)
		}
	}
	if *durability {
		w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
		fmt.Fprintln(w, "fault\trounds\tacknowledged changes checked\tlost\tbeside it, lost")
		for _, f := range table {
			fmt.Fprintf(w, "%s\t%d\t%d\t%d\t%s\n", f.name, f.rounds, f.checked, f.lost, strings.Join(f.beside, "; "))
		}
		w.Flush()
	}
}

// fleet is two members with two devices each, which log as fast as they can.
type fleet struct {
	t    *testing.T
	c    *company
	addr string
	env  []string
	devs []*fleetDevice
	stop func() // of the syncers

	mu     sync.Mutex
	logged map[crdt.EntryID]bool
}

type fleetDevice struct {
	*replica.Replica
	member crdt.MemberID
}

func newFleet(t *testing.T, unsafe string) *fleet {
	t.Helper()
	f := &fleet{t: t, c: newCompany(t), logged: map[crdt.EntryID]bool{}}
	if unsafe != "" {
		f.env = []string{unsafeEnv + "=" + unsafe}
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	f.must(err)
	f.addr = l.Addr().String()
	f.must(l.Close())
	st, err := openStore(t.Context(), f.c.data, nil, false)
	f.must(err)
	second, err := st.CreateMember(t.Context(), store.Member{Tenant: f.c.device.Tenant, Name: "Nora Lind"})
	f.must(err)
	ctx, stop := context.WithCancel(t.Context())
	var syncers sync.WaitGroup
	f.stop = sync.OnceFunc(func() { stop(); syncers.Wait() })
	t.Cleanup(f.stop)
	for _, m := range []crdt.MemberID{f.c.member, f.c.member, second, second} {
		d, token, err := st.CreateDevice(t.Context(), m, "phone")
		f.must(err)
		r, err := replica.Open(t.Context(), replica.Config{Path: filepath.Join(t.TempDir(), "replica.db"), Member: m, Device: d.ID})
		f.must(err)
		t.Cleanup(func() { f.stop(); r.Close() })
		f.devs = append(f.devs, &fleetDevice{r, m})
		s := r.NewSyncer(replica.SyncerConfig{
			URL: "ws://" + f.addr + "/v1/sync", Token: token, Log: slog.New(slog.DiscardHandler),
			MinWait: 10 * time.Millisecond, MaxWait: 50 * time.Millisecond,
		})
		syncers.Go(func() { s.Run(ctx) }) //nolint:errcheck // the checks say what did not get through
	}
	f.must(st.Close())
	return f
}

func (f *fleet) must(err error) {
	f.t.Helper()
	if err != nil {
		f.t.Fatal(err)
	}
}

// serve starts the server, which listens where it always does.
func (f *fleet) serve() *process {
	return servingEnv(f.t, f.c, f.env, "--listen", f.addr, "--device-rate", "10000", "--device-burst", "10000", "--stranger-rate", "10000", "--stranger-burst", "10000")
}

// log has all devices log for a while, and what is done meanwhile.
func (f *fleet) log(d time.Duration, meanwhile func()) {
	ctx, enough := context.WithCancel(f.t.Context())
	var taps sync.WaitGroup
	for _, r := range f.devs {
		taps.Go(func() {
			for ctx.Err() == nil {
				id, err := r.Log(f.t.Context(), crdt.Entry{Kind: crdt.Share, Evidence: crdt.E1})
				if err != nil {
					f.t.Error(err)
					return
				}
				f.mu.Lock()
				f.logged[id] = true
				f.mu.Unlock()
			}
		})
	}
	time.Sleep(d)
	meanwhile()
	enough()
	taps.Wait()
}

// receipts returns how many changes of each member are known to be acknowledged.
func (f *fleet) receipts() map[crdt.MemberID]uint64 {
	all := map[crdt.MemberID]uint64{}
	for _, r := range f.devs {
		s, err := r.Status(f.t.Context())
		f.must(err)
		all[r.member] = max(all[r.member], s.Receipt.Seq)
	}
	return all
}

// prove compares the receipts that devices hold with the database of a server that has ended, and returns how many changes
// they prove, and how many of these are gone.
func (f *fleet) prove() (checked, lost int) {
	f.t.Helper()
	ctx := f.t.Context()
	st, err := store.Open(ctx, store.Config{Path: filepath.Join(f.c.data, dbName)})
	f.must(err)
	for i, r := range f.devs {
		s, err := r.Status(ctx)
		f.must(err)
		got, ok, err := st.ReceiptAt(ctx, r.member, s.Receipt.Seq)
		f.must(err)
		head, err := st.Head(ctx, r.member)
		f.must(err)
		switch {
		case !ok:
			lost += int(s.Receipt.Seq - head.Seq)
			f.t.Logf("device %d has a receipt for %d, the server has %d", i, s.Receipt.Seq, head.Seq)
		case got.Chain != s.Receipt.Chain:
			lost++
			f.t.Errorf("device %d has a receipt for %d, which the server's database does not prove", i, s.Receipt.Seq)
		}
	}
	f.must(st.Close())
	for _, n := range f.receipts() {
		checked += int(n)
	}
	f.sound()
	return checked, lost
}

// sound has verify look at the server's database.
func (f *fleet) sound() {
	f.t.Helper()
	_, err := store.Verify{
		Path: filepath.Join(f.c.data, dbName), Project: intake.Project,
		Problem: func(p store.Problem) { f.t.Errorf("verify: %v", p) },
	}.Run(f.t.Context())
	f.must(err)
}

// level waits until all devices and the server have the same, and checks that it is all that was logged. It returns how many
// changes that is, and how many are missing somewhere.
func (f *fleet) level(p *process) (checked, lost int) {
	f.t.Helper()
	ctx := f.t.Context()
	eventually(f.t, "devices are level", func() bool {
		first := map[crdt.MemberID]replica.Status{}
		for _, r := range f.devs {
			s, err := r.Status(ctx)
			f.must(err)
			if other, ok := first[r.member]; s.Unsent > 0 || ok && other.Receipt != s.Receipt {
				return false
			}
			first[r.member] = s
		}
		return true
	})
	dumps := map[crdt.MemberID]string{}
	for i, r := range f.devs {
		var b strings.Builder
		f.must(r.Dump(ctx, &b))
		if other, ok := dumps[r.member]; ok && other != b.String() {
			f.t.Errorf("device %d and the one before it differ", i)
		}
		dumps[r.member] = b.String()
	}
	count := map[crdt.EntryID]int{}
	_, err := (&corporate.Client{URL: "http://" + p.addr, Key: f.c.key}).Pull(ctx, "", func(r corporate.Record) error {
		count[r.Entry]++
		return nil
	})
	f.must(err)
	for id := range f.logged {
		switch n := count[id]; {
		case n == 0:
			lost++
		case n > 1:
			f.t.Errorf("action %s stands %d times in the feed", id, n)
		}
	}
	if len(count) > len(f.logged) {
		f.t.Errorf("%d actions were logged, %d are in the feed", len(f.logged), len(count))
	}
	return len(f.logged), lost
}

func (p *process) kill() {
	p.t.Helper()
	if err := p.cmd.Process.Signal(syscall.SIGKILL); err != nil {
		p.t.Fatal(err)
	}
	<-p.ended
	p.cmd.Wait() //nolint:errcheck // it was killed
}

// killed kills the server while devices push, and now and then while it starts.
func killed(t *testing.T, seed uint64, rounds int, unsafe string) (res fault) {
	rnd := rand.New(rand.NewPCG(seed, 3))
	f := newFleet(t, unsafe)
	for range rounds {
		if rnd.IntN(3) == 0 {
			starting := program("serve", "--data", f.c.data, "--listen", f.addr, "--operator", "")
			f.must(starting.Start())
			time.Sleep(time.Duration(rnd.IntN(60)) * time.Millisecond)
			f.must(starting.Process.Kill())
			starting.Wait() //nolint:errcheck // it was killed
		}
		p := f.serve()
		f.log(time.Duration(50+rnd.IntN(350))*time.Millisecond, p.kill)
		checked, lost := f.prove()
		res.rounds++
		res.checked += checked
		res.lost += lost
	}
	p := f.serve()
	checked, lost := f.level(p)
	t.Logf("%d actions, in the end %d are missing", checked, lost)
	res.lost += lost
	f.must(p.cmd.Process.Signal(syscall.SIGTERM))
	<-p.ended
	if err := p.cmd.Wait(); err != nil {
		t.Errorf("the server did not end well: %v", err)
	}
	f.sound()
	return res
}

// restored puts an older backup back under live devices: what it lacks comes back by them.
func restored(t *testing.T, seed uint64, rounds int) (res fault) {
	res.name = "older backup restored under live devices"
	rnd := rand.New(rand.NewPCG(seed, 4))
	f := newFleet(t, "")
	file := filepath.Join(t.TempDir(), "backup.db")
	lacked := 0
	p := f.serve()
	for range rounds {
		f.log(time.Duration(100+rnd.IntN(200))*time.Millisecond, func() {
			if out, err := program("backup", "--data", f.c.data, "--force", file).CombinedOutput(); err != nil {
				t.Fatalf("%v: %s", err, out)
			}
		})
		f.log(time.Duration(200+rnd.IntN(500))*time.Millisecond, func() {
			out, err := program("restore", "--data", f.c.data, file).CombinedOutput()
			if err == nil || !strings.Contains(string(out), "stop it first") {
				t.Errorf("restored under a running server: %v %s", err, out)
			}
			p.kill()
		})
		acked := 0
		for _, n := range f.receipts() {
			acked += int(n)
		}
		k, err := store.Inspect(t.Context(), file)
		f.must(err)
		if out, err := program("restore", "--data", f.c.data, file).CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		f.sound()
		lacked += acked - int(k.Changes)
		p = f.serve()
		f.log(100*time.Millisecond, func() {})
		_, lost := f.level(p)
		res.rounds++
		res.checked += acked
		res.lost += lost
	}
	p.kill()
	f.sound()
	if aside, err := filepath.Glob(filepath.Join(f.c.data, "before-restore-*", dbName)); err != nil || len(aside) != rounds {
		t.Errorf("%d of %d databases are kept aside: %v", len(aside), rounds, err)
	}
	if lacked == 0 {
		t.Error("the backups lacked nothing")
	}
	res.beside = []string{fmt.Sprintf("without devices to bring it back: %d of %d", lacked, res.checked)}
	return res
}

func cutShim(t *testing.T, seed uint64) fault {
	res := fault{name: "power loss, shim"}
	for _, unsafe := range []string{"", "NORMAL", "OFF"} {
		r, err := powerloss.Trial{Seed: seed, Lives: 4, Cuts: 15, Life: 500 * time.Millisecond, Unsafe: unsafe}.Run(t.Context(), t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		switch {
		case unsafe == "":
			res.rounds, res.checked, res.lost = r.Outcomes, r.Checked, r.Lost
			if r.First != nil {
				t.Error(r.First)
			}
		case r.Lost == 0:
			t.Errorf("%s has lost nothing: the shim does not bite", unsafe)
			fallthrough
		default:
			res.beside = append(res.beside, fmt.Sprintf("%s: %d of %d", unsafe, r.Lost, r.Checked))
		}
	}
	return res
}

// cutExt4 cuts the power of a real file system: ext4 on a loop device in a mount namespace of its own.
func cutExt4(t *testing.T, seed uint64) fault {
	res := fault{name: "power loss, ext4"}
	for i, unsafe := range []string{"", "NORMAL", "OFF"} {
		cmd := program()
		cmd.Env = append(cmd.Env, ext4Env+"="+t.TempDir(), unsafeEnv+"="+unsafe, storetest.SeedEnv+"="+strconv.FormatUint(seed, 10))
		cmd.SysProcAttr = &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS}
		cmd.Stderr = os.Stderr
		out, err := cmd.Output()
		if err != nil && i == 0 {
			t.Skipf("no ext4 to cut the power of: it takes root, loop devices and mkfs.ext4 (%v)", err)
		}
		var r ext4Result
		if err := errors.Join(err, json.Unmarshal(out, &r)); err != nil {
			t.Fatal(err)
		}
		switch {
		case unsafe == "":
			res.rounds, res.checked, res.lost = r.Rounds, r.Checked, r.Lost
			if r.Wrong != "" {
				t.Error(r.Wrong)
			}
		default:
			said := fmt.Sprintf("%s: %d of %d", unsafe, r.Lost, r.Checked)
			if r.Broken > 0 {
				said += fmt.Sprintf(" (%d databases damaged)", r.Broken)
			}
			res.beside = append(res.beside, said)
		}
	}
	return res
}

type ext4Result struct {
	Rounds, Checked, Lost, Broken int
	Wrong                         string
}

const (
	// ext4Shutdown is EXT4_IOC_SHUTDOWN, and noLogFlush its flag that leaves the journal as it is on the disk.
	ext4Shutdown = 0x8004587d
	noLogFlush   = 2
	ext4Rounds   = 5
)

// cutDisk is a process of its own: it makes a file system, has a child write to it, and shuts it down under it.
func cutDisk(dir string) error {
	ctx := context.Background()
	run := func(name string, args ...string) (string, error) {
		out, err := exec.Command(name, args...).CombinedOutput()
		if err != nil {
			return "", fmt.Errorf("%s: %w: %s", name, err, out)
		}
		return strings.TrimSpace(string(out)), nil
	}
	image, mnt := filepath.Join(dir, "disk"), filepath.Join(dir, "mnt")
	if err := errors.Join(os.WriteFile(image, nil, 0o600), os.Truncate(image, 512<<20), os.Mkdir(mnt, 0o700)); err != nil {
		return err
	}
	if _, err := run("mkfs.ext4", "-q", "-F", image); err != nil {
		return err
	}
	loop, err := run("losetup", "-f", "--show", image)
	if err != nil {
		return err
	}
	defer run("losetup", "-d", loop) //nolint:errcheck // nothing else can be done
	seed, err := strconv.ParseUint(os.Getenv(storetest.SeedEnv), 10, 64)
	if err != nil {
		return err
	}
	rnd := rand.New(rand.NewPCG(seed, 5))
	var res ext4Result
	for round := range ext4Rounds {
		if err := cutOnce(ctx, run, loop, mnt, fmt.Sprint("round", round), time.Duration(500+rnd.IntN(1500))*time.Millisecond, &res); err != nil {
			return err
		}
		res.Rounds++
	}
	return json.NewEncoder(os.Stdout).Encode(res)
}

func cutOnce(ctx context.Context, run func(string, ...string) (string, error), loop, mnt, name string, after time.Duration, res *ext4Result) (err error) {
	mount := func() error { return syscall.Mount(loop, mnt, "ext4", 0, "") }
	if err := mount(); err != nil {
		return fmt.Errorf("mount: %w", err)
	}
	mounted := true
	defer func() {
		if mounted {
			err = errors.Join(err, syscall.Unmount(mnt, 0))
		}
	}()
	home := filepath.Join(mnt, name)
	if err := os.Mkdir(home, 0o700); err != nil {
		return err
	}
	path := filepath.Join(home, dbName)
	st, err := store.Open(ctx, store.Config{Path: path})
	if err != nil {
		return err
	}
	tenant, err := st.CreateTenant(ctx, "a company")
	if err != nil {
		return err
	}
	var tokens []string
	for range 8 {
		m, err := st.CreateMember(ctx, store.Member{Tenant: tenant, Name: "a member"})
		if err != nil {
			return err
		}
		_, token, err := st.CreateDevice(ctx, m, "a phone")
		if err != nil {
			return err
		}
		tokens = append(tokens, token)
	}
	if err := st.Close(); err != nil {
		return err
	}
	syscall.Sync() // so that what is there before the load is not what is lost
	cmd := program()
	cmd.Env = append(cmd.Env, writeEnv+"="+home, unsafeEnv+"="+os.Getenv(unsafeEnv), storetest.TokensEnv+"="+strings.Join(tokens, " "))
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	cut := make(chan error, 1)
	time.AfterFunc(after, func() {
		f, err := os.Open(mnt)
		if err == nil {
			how := uint32(noLogFlush)
			if _, _, e := syscall.Syscall(syscall.SYS_IOCTL, f.Fd(), ext4Shutdown, uintptr(unsafe.Pointer(&how))); e != 0 {
				err = e
			}
			err = errors.Join(err, f.Close())
		}
		cut <- errors.Join(err, cmd.Process.Kill())
	})
	acked := map[crdt.MemberID]map[string]bool{}
	for lines := bufio.NewScanner(out); lines.Scan(); {
		w := strings.Fields(lines.Text())
		var m crdt.MemberID
		if len(w) != 3 || len(w[1]) != 64 || m.UnmarshalText([]byte(w[0])) != nil {
			continue // the line that the kill cut
		}
		if acked[m] == nil {
			acked[m] = map[string]bool{}
		}
		acked[m][w[1]] = true
		res.Checked++
	}
	cmd.Wait() //nolint:errcheck // it was killed
	if err := <-cut; err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("shutting the file system down: %w", err)
	}
	mounted = false
	if err := errors.Join(syscall.Unmount(mnt, 0), mount()); err != nil {
		return fmt.Errorf("mounting again: %w", err)
	}
	mounted = true
	before := res.Lost
	wrong := lookAtDisk(ctx, path, acked, res)
	if wrong != nil {
		if res.Lost == before {
			res.Broken++
		}
		res.Wrong = wrong.Error()
	}
	return nil
}

// lookAtDisk counts what is gone of what was acknowledged.
func lookAtDisk(ctx context.Context, path string, acked map[crdt.MemberID]map[string]bool, res *ext4Result) error {
	all := 0
	for _, hs := range acked {
		all += len(hs)
	}
	st, err := store.Open(ctx, store.Config{Path: path})
	if err != nil {
		res.Lost += all
		return err
	}
	for m, hashes := range acked {
		left := len(hashes)
		for at := uint64(0); ; {
			cs, r, more, err := storetest.Since(ctx, st, m, at, 0, 0)
			if err != nil {
				break // what cannot be read is lost
			}
			for _, c := range cs {
				if hashes[c.Hash.String()] {
					left--
				}
			}
			if at = r.Seq; !more {
				break
			}
		}
		res.Lost += left
	}
	if err := st.Close(); err != nil {
		return err
	}
	var first error
	_, err = store.Verify{
		Path: path, Project: intake.Project,
		Problem: func(p store.Problem) {
			if first == nil {
				first = errors.New(p.String())
			}
		},
	}.Run(ctx)
	return errors.Join(first, err)
}

// writeDisk is the process that is killed.
func writeDisk(dir string) error {
	st, err := store.Open(context.Background(), store.Config{Path: filepath.Join(dir, dbName), Unsafe: unsafeStore})
	if err != nil {
		return err
	}
	_ = storetest.Child(st, os.Stdout) // it ends when the disk is gone, which is the point
	return nil
}
