package hub

import (
	"net/http/httptest"
	"testing"
)

// TestToken: programs send a header, and pages what they can.
func TestToken(t *testing.T) {
	for _, c := range []struct{ header, value, want string }{
		{"Authorization", "Bearer abc", "abc"},
		{"Authorization", "bearer abc", "abc"},
		{"Authorization", "Basic abc", ""},
		{"Sec-WebSocket-Protocol", "trio, trio.token.abc", "abc"},
		{"Sec-WebSocket-Protocol", "trio", ""},
		{"X-Else", "abc", ""},
	} {
		r := httptest.NewRequest("GET", "/v1/sync?token=no", nil)
		r.Header.Set(c.header, c.value)
		if got := Token(r); got != c.want {
			t.Errorf("%s: %s gives %q, want %q", c.header, c.value, got, c.want)
		}
	}
}
