package main

import (
	"context"
	"crypto/tls"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"time"

	"trio/clients/phone"
	"trio/clients/qr"
	"trio/server"
	"trio/server/board"
	"trio/server/ops"
	"trio/server/store"
)

// Limits of a request that are the same everywhere. A feed request waits for its turn and for news before it is
// answered, and its reader may be slow.
const (
	headerTime = 10 * time.Second // to send its header
	readTime   = 30 * time.Second // to come in whole
	writeTime  = 3 * time.Minute  // to be answered
	idleTime   = 2 * time.Minute  // between two on one connection
	maxHeader  = 16 << 10         // bytes
)

// spareHeap is what a server's heap may always grow by, in bytes, before garbage is collected.
const spareHeap = 8 << 20

// running is a server on its listeners.
type running struct {
	addr     net.Addr
	http     *http.Server
	trio     *server.Server
	operator *http.Server // nil without one
	metrics  *ops.Metrics
	grace    time.Duration
	log      *slog.Logger
	ended    chan error
}

// appOf is the app of phones by the setting: the one that is built in, another build, or none.
func appOf(setting string) (fs.FS, error) {
	switch setting {
	case "":
		return phone.App(), nil
	case "off":
		return nil, nil
	}
	files, err := server.OpenApp(setting)
	if err != nil {
		return nil, &wrong{"the app of phones: " + err.Error(), "build it with make phone, and name its folder: --app clients/phone/dist; without --app the one that is built in is served", 1}
	}
	return files, nil
}

// start serves a store as c says, on clock now.
func start(st store.Store, b *board.Boards, c *config, now func() time.Time, log *slog.Logger) (*running, error) {
	t, err := tlsConfig(c, log)
	if err != nil {
		return nil, err
	}
	phones, err := appOf(c.App)
	if err != nil {
		return nil, err
	}
	l, err := listen(c.Listen, "listen")
	if err != nil {
		return nil, err
	}
	m := ops.NewMetrics()
	m.WatchFile("store_bytes", "Size of the database file in bytes.", filepath.Join(c.Data, dbName))
	m.WatchFile("store_wal_bytes", "Size of the database's log of writes in bytes.", filepath.Join(c.Data, dbName+"-wal"))
	counted := ops.Listen(l, m, ops.ListenConfig{Connections: c.Connections, Unknown: c.Limits.Unknown, Proxies: c.Proxies})
	s := server.New(server.Config{
		Store: st, Log: log, Now: now, Metrics: m, Limits: c.Limits, Proxies: c.Proxies, Origins: c.Origins, HSTS: t != nil, Crowded: counted.Crowded,
		PublicURL: c.publicURL(l.Addr().String()), QR: qr.SVG, Boards: b, App: phones, Notices: c.notices(),
	})
	// Of a caller's mistakes, TLS handshakes of strangers mostly: nothing that an operator can mend.
	quiet := slog.NewLogLogger(log.Handler(), slog.LevelDebug)
	r := &running{
		addr: l.Addr(), trio: s, metrics: m, grace: c.Shutdown * 3 / 4, log: log, ended: make(chan error, 2),
		http: &http.Server{
			Handler: s, TLSConfig: t, ErrorLog: quiet, ConnContext: ops.ConnContext,
			ReadHeaderTimeout: headerTime, ReadTimeout: readTime, WriteTimeout: writeTime, IdleTimeout: idleTime, MaxHeaderBytes: maxHeader,
		},
	}
	if c.Operator != "" {
		ol, err := listen(c.Operator, "operator")
		switch {
		case err == nil:
			// No limit on writing: a profile takes as long as it is asked to.
			r.operator = &http.Server{
				Handler: ops.Operator(m, s.Health()), ErrorLog: quiet,
				ReadHeaderTimeout: headerTime, ReadTimeout: readTime, IdleTimeout: idleTime, MaxHeaderBytes: maxHeader,
			}
			log.Info("operator's listener", "addr", ol.Addr().String())
			go func() { r.ended <- r.operator.Serve(ol) }()
		case c.from["operator"] != "":
			l.Close()
			return nil, err
		default: // nobody asked for it
			log.Warn("no operator's listener: its default address is taken", "err", err)
		}
	}
	go func() {
		if t != nil {
			r.ended <- r.http.ServeTLS(counted, "", "")
		} else {
			r.ended <- r.http.Serve(counted)
		}
	}()
	return r, nil
}

// listen takes the address that a setting names.
func listen(addr, setting string) (net.Listener, error) {
	l, err := net.Listen("tcp", addr)
	if errors.Is(err, syscall.EADDRINUSE) {
		_, port, _ := net.SplitHostPort(addr)
		return nil, &wrong{
			addr + " is taken by another program, maybe a trio serve that still runs, or a proxy",
			fmt.Sprintf("see which one it is (ss -ltnp 'sport = :%s', or lsof -i :%s) and end it, or take another port: --%s HOST:PORT", port, port, setting), 1,
		}
	}
	switch {
	case errors.Is(err, os.ErrPermission):
		return nil, &wrong{err.Error(), fmt.Sprintf("ports below 1024 take a right of their own (CAP_NET_BIND_SERVICE, as in deploy/trio.service): give it, or take another port: --%s HOST:PORT", setting), 1}
	case err != nil:
		return nil, &wrong{err.Error(), fmt.Sprintf("name an address that this machine has: --%s HOST:PORT, with 0.0.0.0 for all that it has", setting), 1}
	}
	return l, nil
}

// stop is ready no more, takes no connections, tells devices to come back and lets requests end, within the grace.
func (r *running) stop() error {
	r.trio.Health().Drain()
	ctx, cancel := context.WithTimeout(context.Background(), r.grace)
	defer cancel()
	requests := make(chan error, 1)
	go func() { requests <- r.http.Shutdown(ctx) }() // closes the listener first
	err := errors.Join(r.trio.Shutdown(ctx), <-requests)
	if errors.Is(err, context.DeadlineExceeded) {
		r.log.Warn("connections were cut: they did not end in time; devices miss nothing")
		err = r.http.Close()
	}
	return err
}

// wait serves until ctx ends or a listener fails.
func (r *running) wait(ctx context.Context) error {
	select {
	case <-ctx.Done():
		r.log.Info("shutting down", "devices", r.trio.Devices())
		return r.stop()
	case err := <-r.ended:
		return errors.Join(err, r.stop())
	}
}

// close ends the operator's listener, which answers until the last.
func (r *running) close() error {
	if r.operator == nil {
		return nil
	}
	return r.operator.Close()
}

func serve(ctx context.Context, args []string) error {
	fs := flag.NewFlagSet("trio serve", flag.ContinueOnError)
	c, err := load(fs, args, os.Environ())
	if err != nil {
		return err
	}
	log := logger(c, os.Stderr)
	slog.SetDefault(log)
	for _, w := range c.warnings() {
		log.Warn(w)
	}
	// Garbage is collected when the heap has doubled: of a small server each few hundred pushes, for some percent of their
	// work. These bytes count as heap and are never touched, so they take no memory; what they let lie until it is collected
	// does, and is as much at most.
	spare := make([]byte, spareHeap)
	defer runtime.KeepAlive(spare)
	st, err := openStore(ctx, c.Data, nil, false)
	if err != nil {
		return err
	}
	b := newBoards(st.SQLite, time.Now)
	r, err := start(st, b, c, time.Now, log)
	if err != nil {
		return errors.Join(err, st.Close())
	}
	nights, endNights := context.WithCancel(ctx)
	defer endNights()
	go learnNightly(nights, st.SQLite, c, r.metrics, log)
	go keepBoards(nights, b, c, log)
	log.Info("serving", "addr", r.addr.String(), "tls", c.tls(), "data", c.Data, "version", ops.ThisBuild().Version)
	err = r.wait(ctx)
	endNights() // a night that is cut short has published nothing
	err = errors.Join(err, closeWithin(st, c.Shutdown/4), r.close())
	if err == nil {
		log.Info("ended")
	}
	return err
}

// closeWithin closes the store, which writes what is queued, and waits so long for it.
func closeWithin(st store.Store, d time.Duration) error {
	done := make(chan error, 1)
	go func() { done <- st.Close() }()
	select {
	case err := <-done:
		return err
	case <-time.After(d):
		return &wrong{"the store did not close in time; what was acknowledged is safe", "give it more time: shutdown", 1}
	}
}

func logger(c *config, w io.Writer) *slog.Logger {
	opts := &slog.HandlerOptions{Level: c.LogLevel}
	if c.LogFormat == "json" {
		return slog.New(slog.NewJSONHandler(w, opts))
	}
	return slog.New(slog.NewTextHandler(w, opts))
}

// configure is trio config.
func configure(_ context.Context, args []string) error {
	const usage = "usage: trio config check [--config FILE] [--SETTING VALUE ...]\n\nsays what is wrong with the settings of trio serve, as it would find them\n"
	if len(args) == 0 || args[0] == "-h" || args[0] == "--help" {
		fmt.Fprint(os.Stderr, usage)
		return errUsage
	}
	if args[0] != "check" {
		return &wrong{fmt.Sprintf("command %q is not known", args[0]), "see trio config -h", 2}
	}
	c, err := load(flag.NewFlagSet("trio config check", flag.ContinueOnError), args[1:], os.Environ())
	if err != nil {
		return err
	}
	for _, w := range c.warnings() {
		fmt.Fprintf(os.Stderr, "warning: %s\n", w)
	}
	for _, s := range settings(&config{}) {
		if from := c.from[s.name]; from != "" {
			fmt.Printf("%-20s from %s\n", s.name, from)
		}
	}
	fmt.Println("The settings are sound.")
	return nil
}

// health asks the server that has the same settings how it is: the end of the command says it.
func health(ctx context.Context, args []string) error {
	fs := flag.NewFlagSet("trio health", flag.ContinueOnError)
	ready := fs.Bool("ready", false, "ask whether it would take a push now, not only whether it lives")
	c, err := load(fs, args, os.Environ())
	if err != nil {
		return err
	}
	host, port, _ := net.SplitHostPort(c.Listen) // load has checked it
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "localhost"
	}
	u, t := "http://", &tls.Config{InsecureSkipVerify: true} //nolint:gosec // its own certificate is for another name; nothing is told
	if c.tls() {
		u = "https://"
	}
	if len(c.ACMEHosts) > 0 {
		t.ServerName = c.ACMEHosts[0]
	}
	u += net.JoinHostPort(host, port) + "/healthz"
	if *ready {
		u = u[:len(u)-len("/healthz")] + "/readyz"
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u, nil)
	if err != nil {
		return err
	}
	client := http.Client{Transport: &http.Transport{TLSClientConfig: t}}
	res, err := client.Do(req)
	if err != nil {
		return &wrong{fmt.Sprintf("server not reached: %v", err), "is it running, with the same settings?", 1}
	}
	defer res.Body.Close()
	body, _ := io.ReadAll(io.LimitReader(res.Body, 4<<10)) // the status says it
	fmt.Printf("%s", body)
	if res.StatusCode != http.StatusOK {
		return &wrong{"server answers " + res.Status, "its log says why", 1}
	}
	return nil
}

func version(_ context.Context, args []string) error {
	if len(args) > 0 {
		return &wrong{fmt.Sprintf("argument %q is not expected", args[0]), "trio version takes none", 2}
	}
	b := ops.ThisBuild()
	fmt.Printf("trio %s\n", b.Version)
	if b.Revision != "" {
		fmt.Printf("revision %s of %s\n", b.Revision, b.Time)
	}
	fmt.Printf("%s %s/%s\n", b.Go, runtime.GOOS, runtime.GOARCH)
	return nil
}
