package ops

import (
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"

	"trio/crdt"
	"trio/server/store"
)

// BenchmarkGuard is what the guard adds to a request of a device that it knows, log line included.
func BenchmarkGuard(b *testing.B) {
	g := NewGuard(GuardConfig{
		Store: &fake{}, Log: slog.New(slog.NewJSONHandler(io.Discard, nil)), Metrics: NewMetrics(),
		Limits: Limits{Device: Rate{PerSecond: 1e9, Burst: 1e9}},
	})
	h := g.Wrap(Route{Name: "device", Access: Devices}, http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	r := httptest.NewRequest(http.MethodGet, "/v1/device", nil)
	r.Header.Set("Authorization", "Bearer token")
	b.ReportAllocs()
	for b.Loop() {
		h.ServeHTTP(httptest.NewRecorder(), r)
	}
}

// BenchmarkMeter is what counting adds to a push.
func BenchmarkMeter(b *testing.B) {
	st := Meter(&fake{ack: store.Ack{New: 1}}, NewMetrics())
	b.ReportAllocs()
	for b.Loop() {
		if _, err := st.Append(b.Context(), crdt.MemberID{}, nil); err != nil {
			b.Fatal(err)
		}
	}
}
