package corporate_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"trio/clients/corporate"
)

// TestRetryAfter: a page that is refused for now is asked for again when the server says so, in seconds or by date; not
// before, not without end, and not after other refusals.
func TestRetryAfter(t *testing.T) {
	const limit = `{"error":{"code":"limit","message":"requests come too often","hint":"pull with one program"}}`
	for name, tt := range map[string]struct {
		status   int
		after    func() string // nil: the header is not there
		refusals int
		patience time.Duration
		want     int // requests
		ok       bool
		least    time.Duration
	}{
		"seconds":       {http.StatusTooManyRequests, func() string { return "1" }, 2, 0, 3, true, 2 * time.Second},
		"at once":       {http.StatusServiceUnavailable, func() string { return "0" }, 1, 0, 2, true, time.Second},
		"date":          {http.StatusServiceUnavailable, func() string { return time.Now().Add(2 * time.Second).UTC().Format(http.TimeFormat) }, 1, 0, 2, true, time.Second},
		"too long":      {http.StatusTooManyRequests, func() string { return "86400" }, 9, 0, 1, false, 0},
		"too often":     {http.StatusTooManyRequests, func() string { return "1" }, 9, 2500 * time.Millisecond, 3, false, 2 * time.Second},
		"impatient":     {http.StatusTooManyRequests, func() string { return "1" }, 9, -1, 1, false, 0},
		"nonsense":      {http.StatusTooManyRequests, func() string { return "soon" }, 9, 0, 1, false, 0},
		"not said":      {http.StatusServiceUnavailable, nil, 9, 0, 1, false, 0},
		"other refusal": {http.StatusUnauthorized, func() string { return "1" }, 9, 0, 1, false, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n := 0
			srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				if n++; n > tt.refusals {
					_, _ = io.WriteString(w, `{"cursor":"c","more":false}`+"\n")
					return
				}
				if tt.after != nil {
					w.Header().Set("Retry-After", tt.after())
				}
				w.WriteHeader(tt.status)
				_, _ = io.WriteString(w, limit)
			}))
			defer srv.Close()
			began := time.Now()
			c := corporate.Client{URL: srv.URL, Key: "trio_k_x", Patience: tt.patience}
			next, err := c.Pull(t.Context(), "", func(corporate.Record) error { return nil })
			if n != tt.want || (err == nil) != tt.ok || tt.ok && next != "c" {
				t.Errorf("%d requests, want %d; cursor %q, %v", n, tt.want, next, err)
			}
			if e, ok := errors.AsType[*corporate.Error](err); !tt.ok && (!ok || e.Message != "requests come too often") {
				t.Errorf("error %v", err)
			}
			if took := time.Since(began); took < tt.least || took > tt.least+5*time.Second {
				t.Errorf("took %v, want %v", took, tt.least)
			}
		})
	}
}

// A pull that is to end does not wait for the server's time.
func TestRetryAfterEnds(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "60")
		w.WriteHeader(http.StatusTooManyRequests)
	}))
	defer srv.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	began := time.Now()
	c := corporate.Client{URL: srv.URL, Key: "trio_k_x"}
	if _, err := c.Pull(ctx, "", func(corporate.Record) error { return nil }); !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("it took %v to end", took)
	}
}
