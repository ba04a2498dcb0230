// Package server puts the rooms of the sync server together behind one HTTP handler: the WebSocket of devices (hub), that
// of programs that speak automerge-repo's protocol (repo), corporate's feed (feed), companies with their people (admin), the
// links that members share (links) and the health of the store. Each route stands behind ops.Guard, which bounds, counts and logs.
package server

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"time"

	"github.com/gorilla/mux"

	"trio/server/admin"
	"trio/server/board"
	"trio/server/feed"
	"trio/server/hub"
	"trio/server/links"
	"trio/server/notice"
	"trio/server/ops"
	"trio/server/repo"
	"trio/server/store"
)

// Config of a Server. Zero fields have the defaults stated behind them.
type Config struct {
	Store   store.Store
	Log     *slog.Logger     // slog.Default()
	Now     func() time.Time // time.Now
	Metrics *ops.Metrics     // ones of its own, which nobody reads
	Limits  ops.Limits       // as stated there
	Proxies []netip.Prefix   // none: proxies whose X-Forwarded-For is believed
	Origins []string         // none: origins whose pages may come by repo with a device's cookie
	HSTS    bool             // false: browsers are told to come by TLS only
	Crowded func() bool      // never: more connections are open than are to be served
	// PublicURL is how devices reach the server, in the links of invitations: http://localhost:8787.
	PublicURL string
	QR        func(link string) (svg string, err error) // draws the links of invitations; nil: they come without
	Boards    *board.Boards                             // one of its own, which reads nobody: boards are as others left them
	App       fs.FS                                     // the app of phones, see OpenApp; nil: none is served
	// Notices says how devices are told what is due; of it Subject, Hosts and what is for tests count. nil: they are not.
	Notices *notice.Config
}

// Server answers devices and corporate over HTTP.
type Server struct {
	hub    *hub.Hub
	repo   *repo.Door
	board  *board.Boards
	health *ops.Health
	router *mux.Router
	stop   context.CancelFunc // ends requests that wait
	tasks  sync.WaitGroup     // of the rooms that have none of their own
}

// New returns a server on a store, which stays the caller's to close, after Shutdown. It panics when PublicURL is not one
// that admin.ParsePublicURL takes, or Notices cannot be (see notice.New).
func New(cfg Config) *Server {
	if cfg.Log == nil {
		cfg.Log = slog.Default()
	}
	if cfg.Metrics == nil {
		cfg.Metrics = ops.NewMetrics()
	}
	if cfg.Boards == nil {
		cfg.Boards = &board.Boards{Store: cfg.Store, Now: cfg.Now}
	}
	cfg.Limits = cfg.Limits.Default()
	st := ops.Meter(cfg.Store, cfg.Metrics)
	pacer := ops.NewPacer(cfg.Limits)
	stopping, stop := context.WithCancel(context.Background())
	s := &Server{
		// A path that is not clean is not known: the redirect would pass the guard by, and repeat a token of the query.
		stop: stop, board: cfg.Boards, health: ops.NewHealth(st, cfg.Log), router: mux.NewRouter().SkipClean(true),
		hub: hub.New(hub.Config{
			Store: st, Now: cfg.Now, Member: cfg.Limits.Member, Log: cfg.Log,
			Caller: caller, Pace: pacer.Turn, Refused: cfg.Metrics.CountRefusal, NoSocket: noSocket,
		}),
		repo: repo.New(repo.Config{
			Store: st, Member: cfg.Limits.Member, Log: cfg.Log, Refused: cfg.Metrics.CountRefusal, Origins: cfg.Origins,
			Pace: pacer.Turn, NoSocket: noSocket,
		}),
	}
	cfg.Metrics.Watch("devices_connected", "Devices that sync now; one that is connected twice counts once.",
		func() float64 { return float64(s.hub.Devices()) })
	cfg.Metrics.WatchStore(st.Stats)
	cfg.Metrics.Watch("repo_clients_connected", "Programs that sync now by automerge-repo's protocol.",
		func() float64 { return float64(s.repo.Connections()) })
	guard := ops.NewGuard(ops.GuardConfig{
		Store: st, Log: cfg.Log, Metrics: cfg.Metrics, Limits: cfg.Limits, Proxies: cfg.Proxies, HSTS: cfg.HSTS, Crowded: cfg.Crowded,
	})
	people, err := admin.New(admin.Config{Store: st, PublicURL: cfg.PublicURL, Now: cfg.Now, QR: cfg.QR, App: cfg.App != nil})
	if err != nil {
		panic(err)
	}
	get := func(path string, rt ops.Route, h http.Handler) admin.Route {
		return admin.Route{Method: http.MethodGet, Path: path, Route: rt, Handler: h}
	}
	look := func(path string, rt ops.Route, h http.Handler) admin.Route {
		return admin.Route{Method: http.MethodHead, Path: path, Route: rt, Handler: h}
	}
	shared := links.Handler(st, cfg.Log)
	routes := append([]admin.Route{
		get("/v1/sync", ops.Route{Name: "sync", Access: ops.Devices, Token: hub.Token}, s.hub),
		get("/v1/device", ops.Route{Name: "device", Access: ops.Devices}, http.HandlerFunc(device)),
		get(boardsPath, ops.Route{Name: "boards", Access: ops.Devices}, s.boards()),
		get(teamPath, ops.Route{Name: "team", Access: ops.Devices}, s.team()),
		get(companyPath, ops.Route{Name: "admin-boards", Access: ops.Companies, Scope: store.ScopeRead}, http.HandlerFunc(s.companyBoards)),
		get(repo.Path, ops.Route{Name: "repo", Access: ops.Devices, Token: repo.Token}, s.repo),
		get(repo.DocumentsPath, ops.Route{Name: "documents", Access: ops.Devices, Token: repo.Token, Share: s.repo.Share}, http.HandlerFunc(s.repo.Documents)),
		{Method: http.MethodOptions, Path: repo.DocumentsPath, Route: ops.Route{Name: "documents", Share: s.repo.Share}, Handler: http.HandlerFunc(s.repo.Preflight)},
		get(feed.Path, feed.Route, feed.Handler(st, feed.Log(cfg.Log), feed.Until(stopping))),
		get(links.Path, links.Route, shared),
		look(links.Path, links.Route, shared), // what shows a link to people before they follow it
		get("/healthz", ops.Route{Name: "healthz", Quiet: true}, http.HandlerFunc(s.health.Alive)),
		get("/readyz", ops.Route{Name: "readyz", Quiet: true}, http.HandlerFunc(s.health.Ready)),
	}, people.Routes(cfg.Log)...)
	if cfg.Notices != nil {
		n := *cfg.Notices
		n.Store, n.Log, n.Now, n.Connected, n.Count = st, cfg.Log, cfg.Now, s.hub.Connected, cfg.Metrics.Noticed
		notices, err := notice.New(n)
		if err != nil {
			panic(err)
		}
		cfg.Metrics.NoticeOutcomes([]string{string(notice.Alert), string(notice.Due)}, notice.Outcomes)
		cfg.Metrics.Watch("notices_waiting", "Notices that wait to be sent, or to be sent again.", func() float64 { return float64(notices.Waiting()) })
		cfg.Metrics.Watch("notices_members", "Members of whom a device asked for notices.", func() float64 { return float64(notices.Members()) })
		empty := notice.Route
		empty.Body = 0
		routes = append(routes, get(notice.Path, empty, notices),
			admin.Route{Method: http.MethodPut, Path: notice.Path, Route: notice.Route, Handler: notices},
			admin.Route{Method: http.MethodDelete, Path: notice.Path, Route: empty, Handler: notices})
		s.tasks.Go(func() { notices.Run(stopping) })
	}
	if cfg.App != nil {
		files, rt := app(cfg.App), ops.Route{Name: "app", Public: true}
		routes = append(routes, get(AppPath+"{file:.*}", rt, files), look(AppPath+"{file:.*}", rt, files),
			get(strings.TrimSuffix(AppPath, "/"), rt, http.HandlerFunc(toApp))) // as people type it
	}
	methods := map[string][]string{}
	for _, rt := range routes {
		s.router.Handle(rt.Path, guard.Wrap(rt.Route, rt.Handler)).Methods(rt.Method)
		methods[rt.Path] = append(methods[rt.Path], rt.Method)
	}
	for path, allowed := range methods { // behind those that take the method
		allowed := strings.Join(allowed, ", ")
		s.router.Handle(path, guard.Wrap(ops.Route{Name: "unknown"}, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Allow", allowed)
			ops.Refuse(w, r, http.StatusMethodNotAllowed, "method", "this path does not take the method", "use "+allowed)
		})))
	}
	s.router.NotFoundHandler = guard.Wrap(ops.Route{Name: "unknown"}, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ops.Refuse(w, r, http.StatusNotFound, "path", "nothing is served at this path", "devices sync at /v1/sync, programs that speak automerge-repo's protocol at "+repo.Path+", companies read "+feed.Path+" and look after their people under /v1/admin/")
	}))
	return s
}

// caller tells the hub what the guard knows of a request: its id is the connection's.
func caller(r *http.Request) (id string, dev store.Device, err error) {
	dev, ok := ops.Caller(r.Context())
	if !ok {
		err = store.ErrNotFound
	}
	return ops.RequestID(r.Context()), dev, err
}

// noSocket tells who comes by HTTP alone that WebSockets are served there. Nearly always a proxy is in between that does not pass on what it has to.
func noSocket(w http.ResponseWriter, r *http.Request, status int, why error) {
	if status == http.StatusForbidden {
		ops.Refuse(w, r, status, "origin", "pages of other origins may not sync here", "if the page is this server's own, have the proxy in front pass the header Host on as it came")
		return
	}
	ops.Refuse(w, r, status, "websocket", strings.TrimPrefix(why.Error(), "websocket: "), "this path takes WebSockets alone: a proxy in front has to pass the headers Upgrade and Connection on")
}

// device tells a device who it is.
func device(w http.ResponseWriter, r *http.Request) {
	if dev, ok := ops.Caller(r.Context()); ok {
		ops.Answer(w, http.StatusOK, map[string]any{"member": dev.Member, "device": dev.ID, "name": dev.MemberName, "revoked": dev.Revoked})
		return
	}
	ops.Refuse(w, r, http.StatusUnauthorized, "device", "the device token is not known here", "ask your company for a new invitation")
}

// ServeHTTP answers one request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.router.ServeHTTP(w, r) }

// Devices returns how many devices are connected.
func (s *Server) Devices() int { return s.hub.Devices() }

// Health returns the server's, for the operator's listener.
func (s *Server) Health() *ops.Health { return s.health }

// Shutdown has the server be ready no more, tells every connected device to come back and waits for the connections to
// end. http.Server.Shutdown leaves WebSockets open; call both.
func (s *Server) Shutdown(ctx context.Context) error {
	s.health.Drain()
	s.stop()
	door := make(chan error, 1)
	go func() { door <- s.repo.Shutdown(ctx) }()
	err := errors.Join(s.hub.Shutdown(ctx), <-door)
	s.tasks.Wait()
	return err
}
