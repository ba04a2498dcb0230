package feed

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"trio/crdt"
	"trio/server/ops"
	"trio/server/store"
)

// Path is where the feed is served.
const Path = "/v1/feed"

// Limits of one request.
const (
	DefaultLimit = 1000
	MaxLimit     = store.MaxFeedPage
	MaxWait      = 30 * time.Second
)

// poll is how often a waiting request looks: the feed is for reports, not for screens.
const poll = 500 * time.Millisecond

// maxWaiting bounds the requests that wait at one time; beyond, a request is answered at once as if it had not asked
// to wait.
const maxWaiting = 1000

type handler struct {
	stop    <-chan struct{}
	store   store.Store
	log     *slog.Logger
	waiting chan struct{}
}

// An Option changes what a Handler does by default.
type Option func(*handler)

// Log has the handler log there. Without it, it logs to slog.Default.
func Log(l *slog.Logger) Option { return func(h *handler) { h.log = l } }

// Until has requests wait for nothing more once ctx has ended, so that a server that goes down need not wait for them.
func Until(ctx context.Context) Option { return func(h *handler) { h.stop = ctx.Done() } }

// Route is how the guard is to treat requests for the feed.
var Route = ops.Route{Name: "feed", Access: ops.Companies, Scope: store.ScopeFeed}

// Handler serves the feed of whatever company a request's key is of, which the guard before it says.
func Handler(s store.Store, options ...Option) http.Handler {
	h := &handler{store: s, log: slog.Default(), waiting: make(chan struct{}, maxWaiting)}
	for _, o := range options {
		o(h)
	}
	return h
}

// A record is one line of the answer.
type record struct {
	Entry   crdt.EntryID    `json:"entry"`
	Member  crdt.MemberID   `json:"member"`
	Device  crdt.DeviceID   `json:"device"`
	Arrived int64           `json:"arrived"`
	Action  json.RawMessage `json:"action"`
}

// A trailer is the last line of the answer.
type trailer struct {
	Cursor string `json:"cursor"`
	More   bool   `json:"more"`
}

// A problem is what a request gets instead of records.
type problem struct {
	status  int
	Code    string `json:"code"`
	Message string `json:"message"`
	Hint    string `json:"hint"`
}

func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet {
		w.Header().Set("Allow", http.MethodGet)
		refuse(w, &problem{http.StatusMethodNotAllowed, "method", "the feed is only read", "use GET"})
		return
	}
	tenant, p := h.tenant(r)
	if p != nil {
		if p.status == http.StatusUnauthorized {
			w.Header().Set("WWW-Authenticate", "Bearer")
		}
		refuse(w, p)
		return
	}
	q, p := parse(r.URL.Query())
	if p != nil {
		refuse(w, p)
		return
	}
	rs, next, err := h.page(r.Context(), tenant, q)
	if err != nil {
		if r.Context().Err() == nil {
			refuse(w, h.failure(err, tenant))
		}
		return
	}
	w.Header().Set("Content-Type", "application/x-ndjson")
	w.Header().Set("Cache-Control", "no-store")
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	for i := range rs {
		a := &rs[i]
		if err := enc.Encode(record{a.Entry, a.Member, a.Device, a.Arrived.UnixMilli(), json.RawMessage(a.Body)}); err != nil {
			// The reader is gone, or the record is not JSON: it must not get a cursor that lies behind this record.
			h.log.Warn("feed answer was cut", slog.Int64("tenant", int64(tenant)), slog.String("entry", a.Entry.String()), slog.Any("err", err))
			panic(http.ErrAbortHandler)
		}
	}
	// A reader that does not get the last line asks again with its old cursor.
	_ = enc.Encode(trailer{Cursor: next, More: len(rs) == q.limit})
}

// page reads one page, and waits for it if the request asks to.
func (h *handler) page(ctx context.Context, t store.Tenant, q query) ([]store.Activity, string, error) {
	rs, next, err := h.store.Feed(ctx, t, q.cursor, q.limit)
	if err != nil || len(rs) > 0 || q.wait == 0 {
		return rs, next, err
	}
	select {
	case h.waiting <- struct{}{}:
		defer func() { <-h.waiting }()
	default:
		return rs, next, nil
	}
	end := time.NewTimer(q.wait)
	defer end.Stop()
	tick := time.NewTicker(poll)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil, "", ctx.Err()
		case <-end.C:
			return rs, next, nil
		case <-h.stop:
			return rs, next, nil
		case <-tick.C:
		}
		if rs, next, err = h.store.Feed(ctx, t, q.cursor, q.limit); err != nil || len(rs) > 0 {
			return rs, next, err
		}
	}
}

func (h *handler) tenant(r *http.Request) (store.Tenant, *problem) {
	if k, ok := ops.Key(r.Context()); ok {
		return k.Tenant, nil
	}
	if ops.Bearer(r) == "" {
		return 0, &problem{
			http.StatusUnauthorized, "key", "the request carries no key",
			"send the header Authorization: Bearer " + store.APIKeyPrefix + "…",
		}
	}
	return 0, &problem{http.StatusUnauthorized, "key", "the key is not known here", "check the key and the server's address, or make a new key"}
}

// failure says what a reader may know of an error of the store.
func (h *handler) failure(err error, t store.Tenant) *problem {
	if errors.Is(err, store.ErrCursor) {
		return &problem{
			http.StatusBadRequest, "cursor", store.ErrCursor.Error(),
			"pulling again from the start brings records that are here already; they have the same entry and member ids",
		}
	}
	h.log.Error("feed failed", slog.Int64("tenant", int64(t)), slog.Any("err", err))
	return &problem{http.StatusServiceUnavailable, "internal", "the feed cannot be read now", "come back in a minute with the same cursor"}
}

type query struct {
	cursor string
	limit  int
	wait   time.Duration
}

func parse(v url.Values) (query, *problem) {
	q := query{cursor: v.Get("cursor"), limit: DefaultLimit}
	bad := func(message, hint string) (query, *problem) {
		return query{}, &problem{http.StatusBadRequest, "parameter", message, hint}
	}
	if f := v.Get("format"); f != "" && f != "ndjson" {
		return bad(fmt.Sprintf("format %.20q is not known", f), "leave format out, or say ndjson")
	}
	if s := v.Get("limit"); s != "" {
		n, err := strconv.Atoi(s)
		if err != nil || n < 1 || n > MaxLimit {
			return bad(fmt.Sprintf("limit %.20q is not a number of records", s), fmt.Sprintf("give a limit from 1 to %d", MaxLimit))
		}
		q.limit = n
	}
	if s := v.Get("wait"); s != "" {
		n, err := strconv.Atoi(s)
		if err != nil || n < 0 || n > int(MaxWait/time.Second) {
			return bad(fmt.Sprintf("wait %.20q is not a number of seconds", s), fmt.Sprintf("give a wait from 0 to %d", int(MaxWait/time.Second)))
		}
		q.wait = time.Duration(n) * time.Second
	}
	return q, nil
}

func refuse(w http.ResponseWriter, p *problem) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(p.status)
	// Nobody is left to tell when this fails.
	_ = json.NewEncoder(w).Encode(map[string]*problem{"error": p})
}
