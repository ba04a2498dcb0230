// Package server puts the rooms of the sync server together behind one HTTP handler: the WebSocket of devices (hub),
// corporate's feed (feed) and the health of the store.
package server

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"time"

	"github.com/gorilla/mux"

	"trio/server/feed"
	"trio/server/hub"
	"trio/server/store"
)

// Config of a Server. Zero fields have the defaults stated behind them.
type Config struct {
	Store store.Store
	Log   *slog.Logger     // slog.Default()
	Now   func() time.Time // time.Now
}

// Server answers devices and corporate over HTTP.
type Server struct {
	hub    *hub.Hub
	router *mux.Router
}

// New returns a server on a store, which stays the caller's to close, after Shutdown.
func New(cfg Config) *Server {
	if cfg.Log == nil {
		cfg.Log = slog.Default()
	}
	s := &Server{hub: hub.New(hub.Config{Store: cfg.Store, Log: cfg.Log, Now: cfg.Now}), router: mux.NewRouter()}
	s.router.Handle("/v1/sync", s.hub).Methods(http.MethodGet)
	s.router.Handle("/v1/feed", feed.Handler(cfg.Store)).Methods(http.MethodGet)
	s.router.HandleFunc("/healthz", func(w http.ResponseWriter, r *http.Request) {
		status, word := http.StatusOK, "ok"
		if err := cfg.Store.Health(r.Context()); err != nil {
			cfg.Log.Error("store is not healthy", "err", err)
			status, word = http.StatusServiceUnavailable, "the store does not take writes"
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		json.NewEncoder(w).Encode(map[string]any{"status": word, "connections": s.hub.Connections()}) //nolint:errcheck // the caller left
	}).Methods(http.MethodGet)
	return s
}

// ServeHTTP answers one request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.router.ServeHTTP(w, r) }

// Shutdown tells every connected device to come back and waits for the connections to end. Call it before
// http.Server.Shutdown, which leaves WebSockets open.
func (s *Server) Shutdown(ctx context.Context) error { return s.hub.Shutdown(ctx) }
