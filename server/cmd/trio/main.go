// Command trio is the one program of the server: it serves, plays the demo, sets companies and devices up, pulls
// activity for corporate, and is a promoter's device on a computer. It only wires rooms together.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"trio/clients/corporate"
	"trio/clients/desktop"
	"trio/clients/sim"
	"trio/crdt"
	"trio/server"
	"trio/server/admin"
	"trio/server/store"
	"trio/server/witness"
)

const usage = `trio tells field promoters the next three things to do, with or without signal

usage: trio COMMAND [FLAG ...]

  serve    the sync server
  config   check: says what is wrong with the settings of serve
  health   asks a server that runs here how it is
  bench    measures this build on this machine
  demo     a company's day on this machine, on made-up or real input; then the server stays up
  backup   a copy of the server's data, while it runs
  restore  puts a backup back
  verify   says what is wrong with the server's data, or a backup
  admin    companies, members, invitations, devices and keys of a data folder
  board    who did most in a week and a month, and how a team stands
  playbook what a company tells its promoters' devices: begin, check, compare, publish
  pull     append a company's new activity to a file
  device   a promoter's book on this computer
  version  which build this is

trio COMMAND -h tells more.
`

func main() {
	ends := []os.Signal{os.Interrupt, syscall.SIGTERM}
	if !signal.Ignored(syscall.SIGHUP) { // as nohup has it
		ends = append(ends, syscall.SIGHUP)
	}
	signaled, stop := signal.NotifyContext(context.Background(), ends...)
	ctx, end := context.WithCancel(context.Background())
	context.AfterFunc(signaled, func() { // a second signal ends the program at once, from before anything says that it ends
		stop()
		end()
	})
	os.Exit(run(ctx, os.Args[1:]))
}

func run(ctx context.Context, args []string) int {
	commands := map[string]func(context.Context, []string) error{
		"serve": serve, "config": configure, "health": health, "version": version, "demo": demo, "admin": administer, "bench": measure,
		"backup": backup, "restore": restore, "verify": verify, "playbook": playbooks, "board": boards,
	}
	if len(args) == 0 {
		fmt.Fprint(os.Stderr, usage)
		return 2
	}
	switch name, rest := args[0], args[1:]; name {
	case "pull":
		return corporate.PullMain(ctx, rest, os.Stdout, os.Stderr)
	case "device":
		return desktop.Main(ctx, rest, os.Stdout, os.Stderr)
	case witness.Command: // nobody's but trio verify's
		witness.Main()
		return 1
	case "help", "-h", "--help":
		fmt.Print(usage)
		return 0
	default:
		f, ok := commands[name]
		if !ok {
			fmt.Fprintf(os.Stderr, "error: command %q is not known\nhint: trio -h lists the commands\n", name)
			return 2
		}
		switch err := f(ctx, rest); {
		case errors.Is(err, flag.ErrHelp):
			return 0
		case errors.Is(err, errUsage):
			return 2
		case err != nil:
			if ws, ok := errors.AsType[wrongs](err); ok {
				for _, w := range ws {
					fmt.Fprintf(os.Stderr, "error: %s\nhint: %s\n", w.msg, w.hint)
				}
				return 2
			}
			fmt.Fprintf(os.Stderr, "error: %v\n", err)
			var w *wrong
			if errors.As(err, &w) {
				fmt.Fprintf(os.Stderr, "hint: %s\n", w.hint)
				return w.status
			}
			if do := remedy(err); do != "" {
				fmt.Fprintf(os.Stderr, "hint: %s\n", do)
			}
			return 1
		}
	}
	return 0
}

// remedy is what to do about what the system says of a file; "" when that is not known.
func remedy(err error) string {
	switch {
	case noSpace(err):
		return "free some space there, then give the command again"
	case errors.Is(err, os.ErrPermission):
		return "run it as the user whose file or folder that is: of a server's data, the user that the server runs as"
	case errors.Is(err, syscall.EROFS):
		return "that is mounted to be read only: mount it to be written, or name another folder"
	case errors.Is(err, syscall.ENOTDIR):
		return "a file stands where a folder has to be: name another"
	case errors.Is(err, os.ErrNotExist):
		return "look at the name, and whether its folder is there"
	}
	return ""
}

// errUsage: the help was printed, as the command was given without its arguments.
var errUsage = errors.New("usage")

// wrong is an error that a person can mend, with how and the exit status: 2 when the arguments are wrong, else 1.
type wrong struct {
	msg, hint string
	status    int
}

func (w *wrong) Error() string { return w.msg }

// parse reads flags. What is wrong with one is said without the whole help, below which nobody would find it.
func parse(fs *flag.FlagSet, args []string) error {
	_, err := parsed(fs, args, func(fs *flag.FlagSet, args []string) ([]string, error) { return nil, fs.Parse(args) })
	return err
}

// parsed is parse by another way to read them.
func parsed(fs *flag.FlagSet, args []string, by func(*flag.FlagSet, []string) ([]string, error)) ([]string, error) {
	help := fs.Usage
	fs.Usage = func() {}
	fs.SetOutput(io.Discard)
	list, err := by(fs, args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		fs.SetOutput(os.Stdout)
		help()
		return nil, err
	case err != nil:
		return nil, &wrong{err.Error(), fmt.Sprintf("see %s -h", fs.Name()), 2}
	}
	return list, nil
}

// parseAll is parse for a command that takes no arguments behind its flags.
func parseAll(fs *flag.FlagSet, args []string) error {
	if err := parse(fs, args); err != nil {
		return err
	}
	return noMore(fs)
}

// noMore refuses arguments behind the flags.
func noMore(fs *flag.FlagSet) error {
	if fs.NArg() == 0 {
		return nil
	}
	return &wrong{fmt.Sprintf("argument %q is not expected", fs.Arg(0)), fmt.Sprintf("see %s -h", fs.Name()), 2}
}

// dbName is the server's database in its data folder.
const dbName = "trio.db"

// openStore opens the database of a data folder, and makes both when they are not there. Aside, a server may have it open.
func openStore(ctx context.Context, dir string, now func() time.Time, aside bool) (*openedStore, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	lock, ok, err := lockData(dir, false)
	switch {
	case err != nil:
		return nil, err
	case !ok:
		return nil, &wrong{fmt.Sprintf("a backup is being restored into %s", dir), "wait until that has ended", 1}
	}
	if err := checkRestored(dir); err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	if err := makeDatabase(dir); err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	log := slog.Default()
	if aside {
		log = slog.New(slog.DiscardHandler) // a command says itself what went wrong
	}
	st, err := store.Open(ctx, store.Config{Path: filepath.Join(dir, dbName), Now: now, Logger: log, Unsafe: unsafeStore, Aside: aside})
	if err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	return &openedStore{st, lock}, nil
}

// makeDatabase makes an empty database where root's command is about to, for the user whose folder it is: SQLite gives its
// other files to the owner of that one.
func makeDatabase(dir string) error {
	o := ownerOf(dir)
	if !o.ok {
		return nil
	}
	path := filepath.Join(dir, dbName)
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
	if errors.Is(err, os.ErrExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close(), o.give(path), syncFolder(dir))
}

// openedStore is a store and the lock on its folder.
type openedStore struct {
	*store.SQLite
	lock *os.File
}

func (s *openedStore) Close() error { return errors.Join(s.SQLite.Close(), s.lock.Close()) }

// unsafeStore is for the tests that show what a store loses that does not sync; see store.Config.
var unsafeStore string

func demo(ctx context.Context, args []string) error {
	fs := flag.NewFlagSet("trio demo", flag.ContinueOnError)
	data := fs.String("data", "data", "`folder` under which the demo makes one of its own")
	listen := fs.String("listen", "127.0.0.1:8787", "`address` to listen on; if it is taken, a free port")
	seed := fs.Uint64("seed", 7, "of the made-up company")
	orders := fs.String("orders", "", "`file` with an export of orders (CSV) to play instead of the made-up company")
	contacts := fs.String("contacts", "", "`file` with contacts (vCard or CSV)")
	columns := fs.String("columns", "", "columns of the orders when they cannot be guessed: customer=…,date=…,amount=…")
	code := fs.String("code", "", "calling `code` of phone numbers in the files that have none, such as +34")
	phones := fs.String("app", "", "`folder` of a build of the app of phones to serve under /app/; empty is the one that is built in, off is none")
	once := fs.Bool("once", false, "stop when the day is played instead of staying up as a server")
	fs.Usage = func() {
		fmt.Fprint(fs.Output(), `trio demo plays a company's day on this machine; then the server stays up for real devices

usage: trio demo [--orders FILE] [--contacts FILE] [FLAG ...]

Without files the company is made up. With --orders, --contacts or both it is yours: customers are dealt out to promoters of a
hundred. The files are read before anything is made. What a demo leaves lies in a folder of its own under that of --data; the
newest three are kept.

`)
		fs.PrintDefaults()
	}
	if err := parseAll(fs, args); err != nil {
		return err
	}
	slog.SetLogLoggerLevel(slog.LevelWarn)
	// The demo's clock: the difference to the real one, so that a day of the past can be played.
	var offset atomic.Int64
	now := func() time.Time { return time.Now().Add(time.Duration(offset.Load())) }
	// The files come first: what is wrong with them costs no older demo, and leaves no folder and no server.
	d := sim.Demo{
		Out: os.Stdout, Seed: *seed, Orders: *orders, Contacts: *contacts, Columns: *columns, CallingCode: *code, Now: now,
		SetClock: func(t time.Time) { offset.Store(int64(time.Until(t))) },
	}
	if err := d.Read(); errors.Is(err, os.ErrNotExist) {
		return &wrong{err.Error(), "check the names of the files; nothing was made", 1}
	} else if err != nil {
		return err
	}
	removed, err := tidy(*data, keptDemos-1)
	for _, name := range removed {
		fmt.Printf("Removed %s: the newest %d demos are kept\n", filepath.Join(*data, name), keptDemos)
	}
	if err != nil {
		return err
	}
	dir := filepath.Join(*data, demoPrefix+time.Now().Format(demoTime))
	st, err := openStore(ctx, dir, now, false)
	if err != nil {
		return err
	}
	defer st.Close()
	c := &config{}
	settings(c) // all of them as they are by default, and no listener for an operator
	c.Data, c.Listen, c.Operator, c.App = dir, *listen, "", *phones
	boards := newBoards(st.SQLite, now)
	r, err := start(st, boards, c, now, slog.Default())
	if err != nil {
		c.Listen = "127.0.0.1:0"
		if r, err = start(st, boards, c, now, slog.Default()); err != nil {
			return err
		}
	}
	looking, end := context.WithCancel(ctx)
	defer end()
	go keepBoards(looking, boards, c, slog.Default())
	url := "http://" + r.addr.String()
	fmt.Printf("Server at %s, data in %s\n\n", url, dir)
	tenant, err := st.CreateTenant(ctx, "Demo")
	if err != nil {
		return err
	}
	_, key, err := st.CreateAPIKey(ctx, tenant, "corporate", store.ScopeFeed)
	if err != nil {
		return err
	}
	d.Dir, d.Feed = filepath.Join(dir, "devices"), corporate.Client{URL: url, Key: key}
	d.Look = func(ctx context.Context) error {
		_, err := boards.Fold(ctx, tenant)
		return err
	}
	d.Enrol = func(ctx context.Context, member string, sponsor crdt.MemberID, devices ...string) ([]sim.Access, error) {
		m, err := st.CreateMember(ctx, store.Member{Tenant: tenant, Name: member, Sponsor: sponsor})
		if err != nil {
			return nil, err
		}
		var as []sim.Access
		for _, name := range devices {
			dev, token, err := st.CreateDevice(ctx, m, name)
			if err != nil {
				return nil, err
			}
			as = append(as, sim.Access{URL: "ws://" + r.addr.String() + "/v1/sync", Token: token, Member: m, Device: dev.ID})
		}
		return as, nil
	}
	player, err := d.Run(ctx)
	if err != nil || *once {
		return errors.Join(err, r.stop())
	}
	offset.Store(0)
	people, err := admin.New(admin.Config{Store: st, PublicURL: url})
	if err != nil {
		return err
	}
	yours, err := people.Invite(ctx, admin.Operator(), player, 0)
	if err != nil {
		return err
	}
	if c.App != "off" {
		phone, err := people.Invite(ctx, admin.Operator(), player, 0)
		if err != nil {
			return err
		}
		fmt.Printf("\nTheir book in a browser, as on a phone, without signal too once it is there:\n\n  %s%s#/join/%s\n", url, server.AppPath, phone.Code)
	}
	fmt.Printf(`
The server stays up (Ctrl-C ends it). In another terminal, as one more device of the same promoter, and as corporate:

  bin/trio device --data %[1]s/mine join "%[2]s"
  bin/trio device --data %[1]s/mine top
  bin/trio device --data %[1]s/mine pair
  bin/trio admin --data %[1]s devices %[5]s
  TRIO_KEY=%[3]s bin/trio pull --server %[4]s --format csv
`, dir, yours.Link, key, url, player)
	return r.wait(ctx)
}

// A demo's folder is named by the time it began.
const (
	demoPrefix = "demo-"
	demoTime   = "20060102-150405.000"
	keptDemos  = 3
)

// tidy removes the folders of older demos but for the newest few, and returns their names. A folder is a demo's when its
// name is of the exact form and a server's database is in it. One that has a log of writes that is not a day old yet is
// left: its server may still be up.
func tidy(data string, keep int) (removed []string, err error) {
	all, err := os.ReadDir(data) // by name, so by time
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var demos []string
	for _, e := range all {
		began, ok := strings.CutPrefix(e.Name(), demoPrefix)
		at, err := time.Parse(demoTime, began)
		if !ok || err != nil || at.Format(demoTime) != began || !e.IsDir() {
			continue
		}
		if info, err := os.Stat(filepath.Join(data, e.Name(), "trio.db")); err == nil && info.Mode().IsRegular() {
			demos = append(demos, e.Name())
		}
	}
	for _, name := range demos[:max(0, len(demos)-keep)] {
		dir := filepath.Join(data, name)
		if wal, err := os.Stat(filepath.Join(dir, "trio.db-wal")); err == nil && time.Since(wal.ModTime()) < 24*time.Hour {
			continue
		}
		if err := os.RemoveAll(dir); err != nil {
			return removed, err
		}
		removed = append(removed, name)
	}
	return removed, nil
}
