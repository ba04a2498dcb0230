package ops

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/pprof"
	"sync"
	"sync/atomic"
	"time"

	"trio/server/store"
)

// Health answers whether a server lives and whether it is ready for work.
type Health struct {
	store    store.Store
	log      *slog.Logger
	draining atomic.Bool

	mu   sync.Mutex // held while the store is asked, so that it is asked once
	last time.Time
	err  error
}

// The store is asked by writing to it, so at most once in checkEvery, for checkTime at most.
const (
	checkEvery = time.Second
	checkTime  = 5 * time.Second
)

// NewHealth returns the health of a server that is not draining.
func NewHealth(st store.Store, log *slog.Logger) *Health { return &Health{store: st, log: log} }

// Drain has the server be ready no more: it goes down.
func (h *Health) Drain() { h.draining.Store(true) }

var errDraining = errors.New("the server goes down")

func (h *Health) check() error {
	if h.draining.Load() {
		return errDraining
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if time.Since(h.last) > checkEvery {
		ctx, cancel := context.WithTimeout(context.Background(), checkTime)
		defer cancel()
		if h.err = h.store.Health(ctx); h.err != nil {
			h.log.Error("store is not healthy", "err", h.err)
		}
		h.last = time.Now()
	}
	return h.err
}

// Alive answers 200 as long as the process answers at all.
func (h *Health) Alive(w http.ResponseWriter, _ *http.Request) {
	Answer(w, http.StatusOK, map[string]string{"status": "ok"})
}

// Ready answers 200 when a push would now be taken, else 503.
func (h *Health) Ready(w http.ResponseWriter, _ *http.Request) {
	switch err := h.check(); {
	case err == nil:
		Answer(w, http.StatusOK, map[string]string{"status": "ok"})
	case errors.Is(err, errDraining):
		w.Header().Set("Retry-After", "10")
		Answer(w, http.StatusServiceUnavailable, map[string]string{"status": "draining"})
	default:
		w.Header().Set("Retry-After", "10")
		Answer(w, http.StatusServiceUnavailable, map[string]string{"status": "the store does not take writes"})
	}
}

// Operator is what the operator's own listener serves: /metrics, /healthz, /readyz and /debug/pprof/. It asks for no
// password: it must listen where only the operator comes.
func Operator(m *Metrics, h *Health) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", m.Handler())
	mux.HandleFunc("GET /healthz", h.Alive)
	mux.HandleFunc("GET /readyz", h.Ready)
	mux.HandleFunc("GET /debug/pprof/", pprof.Index)
	mux.HandleFunc("GET /debug/pprof/cmdline", pprof.Cmdline)
	mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("GET /debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		secure(w.Header(), false)
		mux.ServeHTTP(w, r)
	})
}
