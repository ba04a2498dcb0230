package ops

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"trio/crdt"
	"trio/server/store"
)

// Access says who may call a route.
type Access int

// Kinds of access. A route of devices or companies is told who calls (Caller, Key), and refuses the unknown itself: this
// package bounds how often, and refuses keys that lack the route's scope.
const (
	Anybody Access = iota
	Devices
	Companies
)

// Route is one endpoint.
type Route struct {
	Name   string // in logs and metrics
	Access Access
	Scope  store.Scope // that a company's key needs: "" for none
	Body   int64       // bytes that a request may bring: 0 for none
	Quiet  bool        // logged for debugging only: it is asked all the time
	Public bool        // the same for everybody, out of memory: many phones behind one address of an event ask at once, and none is kept out
	// Token returns the token or key that a request carries; nil is Bearer. What it looks at besides the header is not logged.
	Token func(*http.Request) string
	// Share sets what lets pages of other origins read the answers, the guard's refusals too; nil: none may.
	Share func(http.ResponseWriter, *http.Request)
}

// Guard stands before the routes of a server: ids, headers, limits, log lines, metrics.
type Guard struct {
	store   store.Store
	log     *slog.Logger
	m       *Metrics
	proxies []netip.Prefix
	hsts    bool
	crowded func() bool

	strangers strangers
	devices   *limiter[crdt.DeviceID]
	companies *limiter[store.Tenant]
}

// GuardConfig of a Guard. All but Proxies, HSTS and Crowded are needed.
type GuardConfig struct {
	Store   store.Store
	Log     *slog.Logger
	Metrics *Metrics
	Limits  Limits
	Proxies []netip.Prefix // peers whose X-Forwarded-For is believed
	HSTS    bool           // answers tell browsers to come by TLS only
	Crowded func() bool    // more connections are open than are served
}

// NewGuard returns a guard that has seen nobody yet.
func NewGuard(cfg GuardConfig) *Guard {
	l := cfg.Limits.Default()
	if cfg.Crowded == nil {
		cfg.Crowded = func() bool { return false }
	}
	return &Guard{
		store: cfg.Store, log: cfg.Log, m: cfg.Metrics, proxies: cfg.Proxies, hsts: cfg.HSTS, crowded: cfg.Crowded,
		strangers: newStrangers(l.Strangers), devices: newLimiter[crdt.DeviceID](l.Device),
		companies: newLimiter[store.Tenant](l.Company),
	}
}

type (
	requestKey struct{}
	deviceKey  struct{}
	apiKey     struct{}
)

// RequestID returns the id of the request that ctx is of, or "".
func RequestID(ctx context.Context) string {
	id, _ := ctx.Value(requestKey{}).(string)
	return id
}

// Caller returns the device that a request to a route of Devices proved to be of, revoked or not.
func Caller(ctx context.Context) (store.Device, bool) {
	d, ok := ctx.Value(deviceKey{}).(store.Device)
	return d, ok
}

// Key returns the company's key that a request to a route of Companies carries; it has the route's scope.
func Key(ctx context.Context) (store.APIKey, bool) {
	k, ok := ctx.Value(apiKey{}).(store.APIKey)
	return k, ok
}

// Wrap puts the guard before a route's handler.
func (g *Guard) Wrap(rt Route, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		began := time.Now()
		id := r.Header.Get("X-Request-Id")
		if !saneID(id) {
			id = uuid.NewString()
		}
		a := &answer{ResponseWriter: w}
		secure(w.Header(), g.hsts)
		w.Header().Set("X-Request-Id", id)
		if rt.Share != nil {
			rt.Share(w, r)
		}
		log := g.log.With("request", id, "route", rt.Name)
		addr := g.addr(r)
		defer func() {
			p := recover()
			if p != nil && p != http.ErrAbortHandler { //nolint:errorlint // net/http compares it so
				log.Error("request failed", "panic", p, "stack", string(debug.Stack()))
				if a.status == 0 {
					Refuse(a, r, http.StatusInternalServerError, "internal", "the server could not do that", "try again; if it stays so, tell support the request's id")
				}
			}
			if a.status == 0 {
				a.status = http.StatusOK
			}
			took := time.Since(began)
			g.m.answered(rt.Name, a.status, took)
			level := slog.LevelInfo
			if rt.Quiet && a.status < 400 {
				level = slog.LevelDebug
			}
			attrs := []slog.Attr{
				slog.String("method", method(r.Method)), slog.Int("status", a.status),
				slog.Int64("bytes", a.bytes), slog.Float64("ms", float64(took.Microseconds())/1000),
			}
			if a.limit != "" {
				attrs = append(attrs, slog.String("limit", a.limit))
			}
			switch a.status {
			case http.StatusUnauthorized, http.StatusTooManyRequests:
				attrs = append(attrs, slog.String("addr", addr.String()))
			}
			log.LogAttrs(r.Context(), level, "request", attrs...)
			if p == http.ErrAbortHandler { //nolint:errorlint // as above
				panic(p)
			}
		}()
		r = r.WithContext(context.WithValue(r.Context(), requestKey{}, id))
		if admitted := g.admit(a, r, rt, addr); admitted != nil {
			next.ServeHTTP(a, admitted)
		}
	})
}

// admit returns the request with what is known of its caller, or nil when it has refused it.
func (g *Guard) admit(w *answer, r *http.Request, rt Route, addr netip.Addr) *http.Request {
	limited := func(status int, limit string, wait time.Duration, message, hint string) *http.Request {
		g.m.limited.WithLabelValues(limit).Inc()
		w.limit = limit
		if wait > 0 {
			w.Header().Set("Retry-After", retryAfter(wait))
		}
		Refuse(w, r, status, "limit", message, hint)
		return nil
	}
	// Whose token is good may use the connections that are spare, within its rate; of the others none stays open, whatever it
	// is told.
	crowded := g.crowded()
	if crowded {
		w.Header().Set("Connection", "close")
	}
	if r.ContentLength > rt.Body {
		w.Header().Set("Connection", "close") // rather than read it all
		return limited(http.StatusRequestEntityTooLarge, limitBody, 0, "the request's body is larger than is taken here", "send less")
	}
	r.Body = http.MaxBytesReader(w.ResponseWriter, r.Body, rt.Body) // by net/http's own writer: only that one answers at once, not when the body has ended

	failed := func(err error) *http.Request {
		g.log.Error("caller not looked up", "request", RequestID(r.Context()), "err", err)
		Refuse(w, r, http.StatusServiceUnavailable, "internal", "the server could not do that", "come back later")
		return nil
	}
	full := func() *http.Request {
		return limited(http.StatusServiceUnavailable, limitConnections, 30*time.Second,
			"the server has as many connections as it takes", "come back later")
	}
	const often = "requests come too often"
	if rt.Token == nil {
		rt.Token = Bearer
	}
	token := rt.Token(r)
	switch {
	case rt.Access == Devices && token != "":
		d, err := g.store.DeviceByToken(r.Context(), token)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return failed(err)
		}
		if err == nil {
			if wait, ok := g.devices.take(d.ID, time.Now(), 0); !ok {
				return limited(http.StatusTooManyRequests, limitDevice, wait, often, "come back later")
			}
			switch {
			case !d.Revoked:
				w.keep(r.Context(), d.ID)
			case crowded:
				return full()
			}
			return r.WithContext(context.WithValue(r.Context(), deviceKey{}, d))
		}
	case rt.Access == Companies && token != "":
		key, err := g.store.APIKeyBySecret(r.Context(), token)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return failed(err)
		}
		if err == nil {
			wait, ok := g.companies.take(key.Tenant, time.Now(), MaxPace)
			if !ok {
				return limited(http.StatusTooManyRequests, limitCompany, wait, often, "pull with one program, in larger pages")
			}
			if rt.Scope != "" && !key.Has(rt.Scope) {
				Refuse(w, r, http.StatusForbidden, "scope", fmt.Sprintf("the key lacks the scope %q", rt.Scope), "use a key of the company that has it, or make one")
				return nil
			}
			w.keep(r.Context(), key.Tenant)
			select {
			case <-time.After(wait):
				return r.WithContext(context.WithValue(r.Context(), apiKey{}, key))
			case <-r.Context().Done():
				return nil
			}
		}
	}
	if crowded && !rt.Quiet {
		return full()
	}
	if rt.Quiet || rt.Public {
		return r // costs nothing, and whoever restarts servers by it must get its answer
	}
	if wait, ok := g.strangers.take(addr, time.Now()); !ok {
		return limited(http.StatusTooManyRequests, limitStrangers, wait, often+" without a token that is known here", "come back later, with a valid token")
	}
	return r
}

// addr returns the caller's address: the last one of X-Forwarded-For that is not of a trusted proxy, when the peer is one.
func (g *Guard) addr(r *http.Request) netip.Addr {
	peer, _ := netip.ParseAddrPort(r.RemoteAddr)
	a := peer.Addr().Unmap().WithZone("")
	trusted := func(a netip.Addr) bool {
		return slices.ContainsFunc(g.proxies, func(p netip.Prefix) bool { return p.Contains(a) })
	}
	hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for i := len(hops) - 1; i >= 0 && trusted(a); i-- {
		hop, err := parseHop(strings.TrimSpace(hops[i]))
		if err != nil {
			break
		}
		a = hop.Unmap().WithZone("")
	}
	return a
}

// parseHop reads an address as proxies write it: some add the port, and some put IPv6 into brackets.
func parseHop(s string) (netip.Addr, error) {
	if p, err := netip.ParseAddrPort(s); err == nil {
		return p.Addr(), nil
	}
	if strings.HasPrefix(s, "[") {
		s = strings.TrimSuffix(s[1:], "]")
	}
	return netip.ParseAddr(s)
}

// Bearer returns the token or key that a request carries, or "".
func Bearer(r *http.Request) string {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return ""
	}
	return token
}

// Refuse answers a request with an error that names the request, so that support finds its line in the log.
func Refuse(w http.ResponseWriter, r *http.Request, status int, code, message, hint string) {
	Answer(w, status, map[string]any{"error": map[string]string{
		"code": code, "message": message, "hint": hint, "request": RequestID(r.Context()),
	}})
}

// Answer answers a request with JSON.
func Answer(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(v) //nolint:errcheck // the caller left
}

// secure sets what every answer says to browsers: nothing here is a page, and nobody may frame or guess it.
func secure(h http.Header, hsts bool) {
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
	h.Set("Referrer-Policy", "no-referrer")
	if hsts {
		h.Set("Strict-Transport-Security", "max-age=31536000")
	}
}

// saneID reports whether a caller's id may stand in our log: up to 64 letters, digits, dots, dashes and underscores.
func saneID(id string) bool {
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("._-", r)
	}
	return id != "" && len(id) <= 64 && strings.IndexFunc(id, func(r rune) bool { return !plain(r) }) < 0
}

// method is a request's method as the log names it: whatever else a caller makes up is "other".
func method(m string) string {
	switch m {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions:
		return m
	}
	return "other"
}

// answer notes what becomes of a request.
type answer struct {
	http.ResponseWriter
	status int
	bytes  int64
	limit  string
	caller context.Context // of the request, when it may stay; nil: it may not
}

// keep has the connection stay open of a caller that has shown who it is and comes within its rate, if it has not as many as it
// may keep: else it is closed once answered.
func (a *answer) keep(ctx context.Context, who any) {
	a.caller = ctx
	if proved(ctx, who) {
		a.Header().Del("Connection")
	} else {
		a.Header().Set("Connection", "close")
	}
}

func (a *answer) WriteHeader(status int) {
	if a.status == 0 {
		a.status = status
	}
	h := a.Header()
	if (status == http.StatusServiceUnavailable || status == http.StatusTooManyRequests) && h.Get("Retry-After") == "" {
		h.Set("Retry-After", "10")
	}
	switch status {
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusTooManyRequests:
		h.Set("Connection", "close") // who is refused holds no place
	}
	a.ResponseWriter.WriteHeader(status)
}

func (a *answer) Write(b []byte) (int, error) {
	if a.status == 0 {
		a.status = http.StatusOK
	}
	n, err := a.ResponseWriter.Write(b)
	a.bytes += int64(n)
	return n, err
}

// Unwrap is for http.ResponseController.
func (a *answer) Unwrap() http.ResponseWriter { return a.ResponseWriter }

// Hijack hands the connection to a WebSocket.
func (a *answer) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	c, rw, err := http.NewResponseController(a.ResponseWriter).Hijack()
	if err == nil {
		a.status = http.StatusSwitchingProtocols
		if a.caller != nil {
			upgraded(a.caller)
		}
	}
	return c, rw, err
}
