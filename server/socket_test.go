package server_test

import (
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"trio/server"
	"trio/server/store"
)

// TestNoSocket: a proxy that does not pass on what WebSockets need, or whose page it was, is what the answer speaks of.
func TestNoSocket(t *testing.T) {
	st, err := store.Open(t.Context(), store.Config{Path: filepath.Join(t.TempDir(), "trio.db")})
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close() //nolint:errcheck
	web := httptest.NewServer(server.New(server.Config{Store: st, Log: slog.New(slog.DiscardHandler)}))
	defer web.Close()
	for _, tt := range []struct {
		path, connection, origin string
		status                   int
		code, hint               string
	}{
		{"/v1/sync", "", "", http.StatusBadRequest, "websocket", "headers Upgrade and Connection"},
		{"/v1/repo", "", "", http.StatusBadRequest, "websocket", "headers Upgrade and Connection"},
		{"/v1/sync", "Upgrade", "https://trio.example.com", http.StatusForbidden, "origin", "header Host"},
	} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, web.URL+tt.path, nil)
		if err != nil {
			t.Fatal(err)
		}
		for k, v := range map[string]string{
			"Connection": tt.connection, "Upgrade": "websocket", "Origin": tt.origin, "Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
		} {
			if v != "" {
				req.Header.Set(k, v)
			}
		}
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		var said struct {
			Error struct{ Code, Message, Hint, Request string }
		}
		err = json.NewDecoder(res.Body).Decode(&said)
		res.Body.Close()
		if e := said.Error; err != nil || res.StatusCode != tt.status || e.Code != tt.code || e.Message == "" || !strings.Contains(e.Hint, tt.hint) || e.Request != res.Header.Get("X-Request-Id") {
			t.Errorf("%s %q %q: %s %+v %v", tt.path, tt.connection, tt.origin, res.Status, e, err)
		}
	}
}
