package bench

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync"
	"time"

	"github.com/google/uuid"

	"trio/clients/sim/gen"
	"trio/crdt"
	"trio/crdt/automerge"
	"trio/crdt/crdttest"
	"trio/crdt/wire"
	"trio/ranking"
	"trio/replica"
)

// rows are the lines of the table, in the order in which they are measured.
func (r *run) rows() []row {
	return []row{
		{"pull", "first pull, 2,000 contacts x 8 fields + 5,000 entries", r.firstPull},
		{"missed", "200 changes missed while away", r.missed},
		{"live", "live: device, server, device; three disks synced", r.live},
		{"push", "50 devices push change by change, each to the disk", r.push},
		{"kill", "kill -9 of the server while 50 devices push", r.killed},
		{"start", "start of the server, 10,000 members stored", r.start},
		{"idle", "10,000 devices with nothing to say", r.idle},
		{"device", "a device with 5,000 contacts", r.device},
	}
}

// fatal turns the failure of a made-up book, which would be a mistake of ours, into an error.
type fatal struct{ err error }

func (f *fatal) Helper() {}

func (f *fatal) Fatal(args ...any) {
	f.err = errors.New(fmt.Sprint(args...))
	panic(f)
}

// book has a made-up book written by a device.
func (r *run) book(d Access, write func(*crdttest.Book)) (items []wire.Item, err error) {
	f := &fatal{}
	defer func() {
		if p := recover(); p != nil && p != any(f) {
			panic(p)
		}
		err = f.err
	}()
	b := crdttest.NewBook(f, r.Seed, 0)
	b.Devices = []automerge.ActorID{crdt.NewActor(d.Device, 1), crdt.NewActor(d.Device, 2)}
	write(b)
	for _, it := range b.Items {
		items = append(items, wire.Item{Doc: it.Doc, Change: it.Change})
	}
	return items, nil
}

func (r *run) firstPull(ctx context.Context) ([]figure, error) {
	if err := r.stop(); err != nil {
		return nil, err
	}
	who, err := r.Ground.Enrol(ctx, 1, 1)
	if err != nil {
		return nil, err
	}
	a := who[0][0]
	items, err := r.book(a, (*crdttest.Book).FirstPull)
	if err != nil {
		return nil, err
	}
	if err := errors.Join(r.Ground.Append(ctx, a.Member, items), r.Ground.Fold(ctx, a.Member)); err != nil {
		return nil, err
	}
	size := 0
	spent := func(pulls int) (time.Duration, error) {
		before, err := cpuTime(r.server.PID)
		for range pulls {
			if err == nil {
				d := &device{Access: a}
				err = d.visit(ctx, r.server.URL)
				size = d.got
			}
		}
		after, err2 := cpuTime(r.server.PID)
		return (after - before) / time.Duration(pulls), errors.Join(err, err2)
	}
	var cold []time.Duration
	for range r.scale(10) {
		if err := errors.Join(r.stop(), r.serve(ctx)); err != nil {
			return nil, err
		}
		if err := settled(ctx, r.server.PID); err != nil {
			return nil, err
		}
		t, err := spent(1)
		if err != nil {
			return nil, err
		}
		cold = append(cold, t)
	}
	warm, err := spent(r.scale(100))
	if err != nil {
		return nil, err
	}
	return []figure{
		{what: "bytes", value: float64(size), unit: "B", limit: 165_000},
		{what: "server CPU, cold (p50)", value: percentile(cold, .5), unit: "ms", limit: 50},
		{what: "server CPU, warm", value: ms(warm), unit: "ms", limit: 50},
	}, nil
}

// settled waits until a process has nothing to do.
func settled(ctx context.Context, pid int) error {
	last := time.Duration(-1)
	for range 100 {
		now, err := cpuTime(pid)
		if err != nil || now-last < time.Millisecond && last >= 0 {
			return err
		}
		last = now
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(100 * time.Millisecond):
		}
	}
	return nil // something goes on in it all the time: then that counts too
}

func (r *run) missed(ctx context.Context) ([]figure, error) {
	if err := r.stop(); err != nil {
		return nil, err
	}
	who, err := r.Ground.Enrol(ctx, 2, 2)
	if err != nil {
		return nil, err
	}
	figures := make([]figure, 0, 2)
	for i, kind := range []string{"200 log entries", "200 edits of contacts"} {
		a, b := who[i][0], who[i][1]
		var split int
		items, err := r.book(a, func(b *crdttest.Book) {
			people := b.Import(200)
			split = len(b.Items)
			if i == 0 {
				b.Entries(200, 2, people)
			} else {
				b.Edits(200, people)
			}
		})
		if err != nil {
			return nil, err
		}
		if err := errors.Join(r.stop(), r.Ground.Append(ctx, a.Member, items[:split]), r.serve(ctx)); err != nil {
			return nil, err
		}
		away := &device{Access: b}
		if err := away.visit(ctx, r.server.URL); err != nil {
			return nil, err
		}
		if err := errors.Join(r.stop(), r.Ground.Append(ctx, a.Member, items[split:]), r.serve(ctx)); err != nil {
			return nil, err
		}
		away.got = 0
		if err := away.visit(ctx, r.server.URL); err != nil {
			return nil, err
		}
		figures = append(figures, figure{what: kind, value: float64(away.got), unit: "B", limit: 12_000})
	}
	return figures, nil
}

// visit connects, is sent what the device lacks, and leaves.
func (d *device) visit(ctx context.Context, url string) error {
	defer d.close()
	w, err := d.connect(ctx, url, 0)
	if err != nil {
		return err
	}
	return d.level(w.Head.Seq)
}

// live taps on one real device until it is on the other one's disk.
func (r *run) live(ctx context.Context) ([]figure, error) {
	if err := r.stop(); err != nil {
		return nil, err
	}
	who, err := r.Ground.Enrol(ctx, 1, 2)
	if err != nil {
		return nil, err
	}
	if err := r.serve(ctx); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	var running sync.WaitGroup
	defer running.Wait()
	defer cancel()
	var devs [2]*replica.Replica
	for i, a := range who[0] {
		d, err := replica.Open(ctx, replica.Config{Path: filepath.Join(r.Dir, a.Device.String()), Member: a.Member, Device: a.Device})
		if err != nil {
			return nil, err
		}
		devs[i] = d
		s := d.NewSyncer(replica.SyncerConfig{URL: r.server.URL, Token: a.Token, Log: slog.New(slog.DiscardHandler)})
		running.Go(func() {
			s.Run(ctx) //nolint:errcheck // what it misses is waited for in vain below
			d.Close()  //nolint:errcheck // a measurement's data
		})
	}
	var took []time.Duration
	taps := r.scale(1000)
	for n := 1; n <= taps; n++ {
		start := time.Now()
		if _, err := devs[0].Log(ctx, crdt.Entry{Kind: crdt.Share}); err != nil {
			return nil, err
		}
		if err := arrived(ctx, devs[1], n); err != nil {
			return nil, err
		}
		if n > taps/20 { // until all is warm
			took = append(took, time.Since(start))
		}
	}
	return []figure{
		{what: "p50", value: percentile(took, .5), unit: "ms", limit: 5},
		{what: "p99", value: percentile(took, .99), unit: "ms", limit: 50},
	}, nil
}

// device works on a book of 5,000 contacts, without a server.
func (r *run) device(ctx context.Context) ([]figure, error) {
	m := gen.NewCompany(r.Seed, gen.Size{Members: 1, Contacts: 5000}, time.Now()).Members[0]
	cfg := replica.Config{Path: filepath.Join(r.Dir, "device"), Member: crdt.MemberID(uuid.New()), Device: crdt.DeviceID(uuid.New())}
	d, err := replica.Open(ctx, cfg)
	if err != nil {
		return nil, err
	}
	defer func() { d.Close() }() //nolint:errcheck // a measurement's data
	if _, err := d.ImportPeople(ctx, m.People); err != nil {
		return nil, err
	}
	people, err := d.Contacts(ctx, "", 0, 5000)
	if err != nil {
		return nil, err
	}
	if len(people) == 0 {
		return nil, errors.New("no contacts were made")
	}
	both := func() error {
		for _, l := range []ranking.List{ranking.Prospects, ranking.Members} {
			if _, err := d.TopThree(ctx, l, "en"); err != nil {
				return err
			}
		}
		return nil
	}
	var taps, lists, opens []time.Duration
	for i := range r.scale(1000) {
		start := time.Now()
		if _, err := d.Log(ctx, crdt.Entry{Kind: crdt.Call, Contact: people[i%len(people)].ID, Outcome: "answered"}); err != nil {
			return nil, err
		}
		tapped := time.Now()
		if err := both(); err != nil {
			return nil, err
		}
		taps, lists = append(taps, tapped.Sub(start)), append(lists, time.Since(tapped))
	}
	for range max(r.scale(10), 3) {
		if err := d.Close(); err != nil {
			return nil, err
		}
		start := time.Now()
		again, err := replica.Open(ctx, cfg)
		if err != nil {
			return nil, err
		}
		d = again
		if err := both(); err != nil {
			return nil, err
		}
		opens = append(opens, time.Since(start))
	}
	return []figure{
		{what: "both lists with wording, p50", value: percentile(lists, .5), unit: "ms", limit: 2},
		{what: "a tap, to the disk, p50", value: percentile(taps, .5), unit: "ms", open: true},
		{what: "opened to both lists, p50", value: percentile(opens, .5), unit: "ms", open: true},
	}, nil
}

// arrived waits until a device has n changes.
func arrived(ctx context.Context, d *replica.Replica, n int) error {
	changed, stop := d.Watch()
	defer stop()
	for deadline := time.After(patience); ; {
		st, err := d.Status(ctx)
		if err != nil || st.Changes >= n {
			return err
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		case <-deadline:
			return fmt.Errorf("a tap has not arrived within %v", patience)
		}
	}
}

// crowd connects a device of each member.
func (r *run) crowd(ctx context.Context, n int) ([]*device, error) {
	if err := r.stop(); err != nil {
		return nil, err
	}
	who, err := r.Ground.Enrol(ctx, n, 1)
	if err != nil {
		return nil, err
	}
	if err := r.serve(ctx); err != nil {
		return nil, err
	}
	devs := make([]*device, n)
	for i := range devs {
		devs[i] = &device{Access: who[i][0]}
	}
	return devs, each(n, 64, func(i int) error {
		_, err := devs[i].connect(ctx, r.server.URL, i)
		return err
	})
}

func closeAll(devs []*device) {
	for _, d := range devs {
		if d != nil {
			d.close()
		}
	}
}

func (r *run) push(ctx context.Context) ([]figure, error) {
	const writers = 50
	devs, err := r.crowd(ctx, writers)
	defer closeAll(devs)
	if err != nil {
		return nil, err
	}
	var mu sync.Mutex
	var took []time.Duration
	work := func(n int) error {
		return each(writers, writers, func(i int) error {
			for range n {
				it, err := devs[i].tap(time.Now())
				if err != nil {
					return err
				}
				start := time.Now()
				if err := devs[i].push([]wire.Item{it}); err != nil {
					return err
				}
				mu.Lock()
				took = append(took, time.Since(start))
				mu.Unlock()
			}
			return nil
		})
	}
	if err := work(20); err != nil { // until all is warm
		return nil, err
	}
	took = nil
	n := r.scale(400)
	before, err := cpuTime(r.server.PID)
	if err != nil {
		return nil, err
	}
	start := time.Now()
	if err := work(n); err != nil {
		return nil, err
	}
	wall := time.Since(start)
	after, err := cpuTime(r.server.PID)
	if err != nil {
		return nil, err
	}
	return []figure{
		{what: "server CPU a change", value: ms(after-before) * 1000 / float64(n*writers), unit: "µs", limit: 100},
		{what: "changes a second", value: float64(n*writers) / wall.Seconds(), open: true},
		{what: "push to answer, p50", value: percentile(took, .5), unit: "ms", open: true},
		{what: "push to answer, p99", value: percentile(took, .99), unit: "ms", open: true},
	}, nil
}

func (r *run) killed(ctx context.Context) ([]figure, error) {
	const writers = 50
	devs, err := r.crowd(ctx, writers)
	defer func() { closeAll(devs) }()
	if err != nil {
		return nil, err
	}
	acked := make([][]automerge.Hash, writers)
	last := make([]*wire.Item, writers) // without an answer yet
	rounds := max(r.scale(10), 2)
	for round := range rounds {
		after := 200*time.Millisecond + time.Duration(round)*37*time.Millisecond
		server := r.server
		kill := time.AfterFunc(after, func() { server.Kill() }) //nolint:errcheck // the devices notice
		err := each(writers, writers, func(i int) error {
			for ctx.Err() == nil {
				if last[i] == nil {
					it, err := devs[i].tap(time.Now())
					if err != nil {
						return err
					}
					last[i] = &it
				}
				if devs[i].push([]wire.Item{*last[i]}) != nil {
					return nil // it was killed
				}
				acked[i] = append(acked[i], last[i].Change.Hash())
				last[i] = nil
			}
			return ctx.Err()
		})
		kill.Stop()
		closeAll(devs)
		if err != nil {
			return nil, err
		}
		if err := errors.Join(r.kill(), r.serve(ctx)); err != nil {
			return nil, err
		}
		if err := each(writers, 16, func(i int) error {
			_, err := devs[i].connect(ctx, r.server.URL, i)
			return err
		}); err != nil {
			return nil, err
		}
	}
	closeAll(devs)
	if err := r.stop(); err != nil {
		return nil, err
	}
	lost, total := 0, 0
	for i, d := range devs {
		has, err := r.Ground.Holds(ctx, d.Member)
		if err != nil {
			return nil, err
		}
		for _, h := range acked[i] {
			total++
			if !has[h] {
				lost++
			}
		}
	}
	return []figure{
		{what: fmt.Sprintf("lost of %s acknowledged, %d kills", group(int64(total)), rounds), value: float64(lost)},
	}, nil
}

func (r *run) start(ctx context.Context) ([]figure, error) {
	if err := r.stop(); err != nil {
		return nil, err
	}
	n := r.scale(10_000)
	who, err := r.Ground.Enrol(ctx, n, 1)
	if err != nil {
		return nil, err
	}
	if err := each(n, 256, func(i int) error {
		d := &device{Access: who[i][0]}
		items := make([]wire.Item, 5)
		for j := range items {
			var err error
			if items[j], err = d.tap(time.Now()); err != nil {
				return err
			}
		}
		return r.Ground.Append(ctx, d.Member, items)
	}); err != nil {
		return nil, err
	}
	var took []time.Duration
	for i := range max(r.scale(10), 3) {
		if err := errors.Join(r.stop(), r.serve(ctx)); err != nil {
			return nil, err
		}
		d := &device{Access: who[i*n/20][0]}
		if err := d.visit(ctx, r.server.URL); err != nil {
			return nil, err
		}
		took = append(took, time.Since(r.server.Began))
	}
	return []figure{{what: "process begins to first device level", value: percentile(took, .5), unit: "ms", limit: 200}}, nil
}

// idle has devices connect, be silent and leave, and then come back all at once after the server was restarted.
func (r *run) idle(ctx context.Context) ([]figure, error) {
	if err := r.stop(); err != nil {
		return nil, err
	}
	n := r.scale(10_000)
	who, err := r.Ground.Enrol(ctx, n, 1)
	if err != nil {
		return nil, err
	}
	if err := r.serve(ctx); err != nil {
		return nil, err
	}
	quiet := func() (float64, error) {
		if err := settled(ctx, r.server.PID); err != nil {
			return 0, err
		}
		if err := r.server.Rest(ctx); err != nil {
			return 0, err
		}
		b, err := resident(r.server.PID)
		return float64(b) / 1000, err
	}
	devs := make([]*device, n)
	defer func() { closeAll(devs) }()
	came := make([]time.Duration, n)
	arrive := func(atOnce int) (time.Duration, error) {
		start := time.Now()
		err := each(n, atOnce, func(i int) error {
			devs[i] = &device{Access: who[i][0]}
			_, err := devs[i].connect(ctx, r.server.URL, i)
			came[i] = time.Since(start)
			return err
		})
		return time.Since(start), err
	}
	before, err := quiet()
	if err != nil {
		return nil, err
	}
	if _, err := arrive(64); err != nil {
		return nil, err
	}
	with, err := quiet()
	if err != nil {
		return nil, err
	}
	// What is kept after they have left shows when they come once more: freed memory stays with the process for a while.
	closeAll(devs)
	if _, err := arrive(64); err != nil {
		return nil, err
	}
	again, err := quiet()
	if err != nil {
		return nil, err
	}
	closeAll(devs)
	if err := errors.Join(r.stop(), r.serve(ctx)); err != nil {
		return nil, err
	}
	all, err := arrive(1000)
	if err != nil {
		return nil, err
	}
	return []figure{
		{what: "server memory each", value: (with - before) / float64(n), unit: "KB", limit: 30},
		{what: "more when they come once more", value: max(again-with, 0) / float64(n), unit: "KB", limit: 3},
		{what: "all back after a restart", value: all.Seconds(), unit: "s", open: true},
		{what: "p99 of one's coming back", value: percentile(came, .99) / 1000, unit: "s", limit: 5},
	}, nil
}
