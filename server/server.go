// Package server puts the rooms of the sync server together behind one HTTP handler: the WebSocket of devices (hub),
// corporate's feed (feed) and the health of the store.
package server

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"strings"
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
	stop   context.CancelFunc // ends requests that wait
}

// New returns a server on a store, which stays the caller's to close, after Shutdown.
func New(cfg Config) *Server {
	if cfg.Log == nil {
		cfg.Log = slog.Default()
	}
	stopping, stop := context.WithCancel(context.Background())
	s := &Server{stop: stop, hub: hub.New(hub.Config{Store: cfg.Store, Log: cfg.Log, Now: cfg.Now}), router: mux.NewRouter()}
	s.router.Handle("/v1/sync", s.hub).Methods(http.MethodGet)
	s.router.Handle(feed.Path, feed.Handler(cfg.Store, feed.Log(cfg.Log), feed.Until(stopping))).Methods(http.MethodGet)
	s.router.HandleFunc("/v1/device", func(w http.ResponseWriter, r *http.Request) {
		token, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
		dev, err := cfg.Store.DeviceByToken(r.Context(), token)
		switch {
		case errors.Is(err, store.ErrNotFound):
			answer(w, http.StatusUnauthorized, map[string]any{"error": "the device token is not known here"})
		case err != nil:
			cfg.Log.Error("device not read", "err", err)
			answer(w, http.StatusInternalServerError, map[string]any{"error": "the server could not do that: try again"})
		default:
			answer(w, http.StatusOK, map[string]any{"member": dev.Member, "device": dev.ID, "name": dev.MemberName, "revoked": dev.Revoked})
		}
	}).Methods(http.MethodGet)
	s.router.HandleFunc("/healthz", func(w http.ResponseWriter, r *http.Request) {
		status, word := http.StatusOK, "ok"
		if err := cfg.Store.Health(r.Context()); err != nil {
			cfg.Log.Error("store is not healthy", "err", err)
			status, word = http.StatusServiceUnavailable, "the store does not take writes"
		}
		answer(w, status, map[string]any{"status": word, "connections": s.hub.Connections()})
	}).Methods(http.MethodGet)
	return s
}

func answer(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(v) //nolint:errcheck // the caller left
}

// ServeHTTP answers one request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.router.ServeHTTP(w, r) }

// Shutdown tells every connected device to come back and waits for the connections to end. Call it before
// http.Server.Shutdown, which leaves WebSockets open.
func (s *Server) Shutdown(ctx context.Context) error {
	s.stop()
	return s.hub.Shutdown(ctx)
}
