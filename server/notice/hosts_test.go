package notice

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"

	"trio/crdt"
	"trio/server/notice/webpush"
	"trio/server/ops"
	"trio/server/store"
)

func TestEndpoints(t *testing.T) {
	h := &Hosts{}
	for _, ok := range []string{
		"https://fcm.googleapis.com/fcm/send/abc:def", "https://updates.push.services.mozilla.com/wpush/v2/x", "https://web.push.apple.com:443/Q",
		"https://db5p.notify.windows.com/w/?token=x", "https://FCM.googleapis.com/x",
	} {
		if _, err := h.Check(ok); err != nil {
			t.Errorf("%s: %v", ok, err)
		}
	}
	for _, bad := range []string{
		"", "x", "https://", "http://fcm.googleapis.com/x", "https://fcm.googleapis.com:8443/x", "https://user@fcm.googleapis.com/x",
		"https://fcm.googleapis.com.evil.example/x", "https://evilnotify.windows.com/x", "https://push.apple.com/x", "https://127.0.0.1/x", "https://[::1]/x",
		"https://fcm.googleapis.com/x#y", "https://fcm.googleapis.com/\r\nHost: x", "https:fcm.googleapis.com", "https://fcm.googleapis.com/" + strings.Repeat("x", store.MaxEndpoint),
		"https://localhost/x", "https://push.example.net/x", "gopher://fcm.googleapis.com/x",
	} {
		if u, err := h.Check(bad); err == nil {
			t.Errorf("%q is taken as %v", bad, u)
		} else if len(bad) > 60 && strings.Contains(err.Error(), strings.Repeat("x", 20)) {
			t.Errorf("the endpoint is told: %v", err)
		}
	}
	any := &Hosts{Names: []string{"*"}}
	if _, err := any.Check("https://push.example.net/x"); err != nil {
		t.Error(err)
	}
	for _, bad := range []string{"", "*.", "UPPER.example", "a b", "https://x.example", ".x", "x.", "*.*.x"} {
		if CheckHost(bad) == "" {
			t.Errorf("host %q is taken", bad)
		}
	}
	for _, bad := range []string{"", "mailto:", "mailto:x", "http://x", "https://", "mailto:a@b\r\n", "x@y"} {
		if CheckSubject(bad) == "" {
			t.Errorf("subject %q is taken", bad)
		}
	}
}

// TestOnlyTheInternet: wherever a name leads, no address of this network is dialed.
func TestOnlyTheInternet(t *testing.T) {
	for _, a := range []string{
		"127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0", "0.1.2.3", "224.0.0.1", "255.255.255.255", "240.0.0.1",
		"198.18.0.1", "192.0.0.1", "::1", "::", "fe80::1", "fe80::1%eth0", "fc00::1", "fd12::1", "ff02::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1",
		"::127.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::", "2001:db8::1",
	} {
		if (&Hosts{}).dials(netip.AddrPortFrom(netip.MustParseAddr(a), 443).String()) == nil {
			t.Errorf("%s is dialed", a)
		}
	}
	for _, a := range []string{"142.250.184.10", "2a00:1450:4003:80f::200a", "17.57.144.20"} {
		if err := (&Hosts{}).dials(netip.AddrPortFrom(netip.MustParseAddr(a), 443).String()); err != nil {
			t.Errorf("%s: %v", a, err)
		}
	}
	// And by the client itself: the name is allowed, what it leads to is not.
	reached := false
	srv := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached = true }))
	defer srv.Close()
	c := newClient(&Hosts{Names: []string{"*"}}, srv.Client().Transport.(*http.Transport))
	for _, u := range []string{srv.URL, strings.Replace(srv.URL, "127.0.0.1", "localhost", 1)} {
		if res, err := c.Get(u); !errors.Is(err, errPrivate) {
			if err == nil {
				_ = res.Body.Close()
			}
			t.Errorf("%s: %v", u, err)
		}
	}
	if reached {
		t.Error("a private address was reached")
	}
}

// TestDeviceSubscribes over HTTP, behind the guard as the server has it.
func TestDeviceSubscribes(t *testing.T) {
	w := newWorld(t, 1)
	s := w.service(w.st)
	ctx := t.Context()
	tablet, token, err := w.st.CreateDevice(ctx, w.member, "tablet")
	w.ok(err)
	guard := ops.NewGuard(ops.GuardConfig{Store: w.st, Log: s.cfg.Log, Metrics: ops.NewMetrics()})
	h := guard.Wrap(Route, s)
	ask := func(method, token, body string) (int, string) {
		t.Helper()
		r := httptest.NewRequest(method, Path, strings.NewReader(body))
		r.Header.Set("Authorization", "Bearer "+token)
		rec := httptest.NewRecorder()
		h.ServeHTTP(rec, r)
		return rec.Code, rec.Body.String()
	}
	want := func(why string, status int, says string, gotStatus int, got string) {
		t.Helper()
		if gotStatus != status || !strings.Contains(got, says) {
			t.Errorf("%s: %d %s, want %d with %q", why, gotStatus, got, status, says)
		}
	}
	answer := func(method, token, body string) (a standing) {
		t.Helper()
		code, text := ask(method, token, body)
		if code != http.StatusOK || json.Unmarshal([]byte(text), &a) != nil {
			t.Fatalf("%d %s", code, text)
		}
		return a
	}
	code, text := ask("GET", "trio_d_nobody", "")
	want("nobody", 401, "not known here", code, text)
	at := answer("GET", token, "")
	if key, err := base64.RawURLEncoding.DecodeString(at.Key); err != nil || len(key) != webpush.PublicSize || at.Endpoint != "" {
		t.Errorf("at first: %+v", at)
	}
	_, endpoint, public, secret, err := w.push.Subscribe()
	w.ok(err)
	enc := base64.RawURLEncoding.EncodeToString
	good := `{"endpoint":"` + endpoint + `","expirationTime":null,"keys":{"p256dh":"` + enc(public) + `","auth":"` + enc(secret) + `"}}`
	for why, x := range map[string]struct{ body, says string }{
		"nothing":          {"", "no subscription"},
		"a list":           {"[]", "no subscription"},
		"another field":    {`{"name":1}`, "no subscription"},
		"something behind": {good + "{}", "behind"},
		"no endpoint":      {`{"keys":{}}`, "endpoint: is missing; keys"},
		"http":             {strings.Replace(good, "https:", "http:", 1), "https://"},
		"no key":           {strings.Replace(good, enc(public), enc(public[1:]), 1), "p256dh"},
		"no base64":        {strings.Replace(good, enc(secret), "!!", 1), "auth: is not base64url"},
		"a short auth":     {strings.Replace(good, enc(secret), enc(secret[1:]), 1), "auth has 15 bytes"},
	} {
		body := x.body
		if why == "no endpoint" {
			x.says = "endpoint: is missing"
		}
		code, text := ask("PUT", token, body)
		want(why, 400, x.says, code, text)
		if strings.Contains(text, endpoint) {
			t.Errorf("%s: the endpoint is told: %s", why, text)
		}
	}
	code, text = ask("PUT", token, strings.Repeat(" ", MaxBody)+good)
	want("too large", 413, "", code, text)
	code, text = ask("PUT", token, good)
	want("subscribed", 204, "", code, text)
	if at := answer("GET", token, ""); at.Endpoint != endpoint {
		t.Errorf("then: %+v", at)
	}
	s.listen(ctx)
	if s.Members() != 1 {
		t.Errorf("%d members are watched", s.Members())
	}
	code, text = ask("DELETE", token, "")
	want("taken back", 204, "", code, text)
	if at := answer("GET", token, ""); at.Endpoint != "" {
		t.Errorf("taken back: %+v", at)
	}
	w.ok(w.st.RevokeDevice(ctx, tablet.ID))
	for _, m := range []string{"GET", "PUT", "DELETE"} {
		code, text = ask(m, token, good)
		want("revoked", 403, "taken back", code, text)
	}
	if list, err := w.st.Subscriptions(ctx, w.member); err != nil || len(list) != 0 {
		t.Errorf("subscriptions %+v, %v", list, err)
	}
	if strings.Contains(w.log.String(), endpoint) {
		t.Error("the log tells the endpoint")
	}
}

// FuzzSubscription: whatever a device sends is a subscription that can be sent to, or is refused.
func FuzzSubscription(f *testing.F) {
	b, err := webpush.NewBrowser()
	if err != nil {
		f.Fatal(err)
	}
	public, secret := b.Keys()
	enc := base64.RawURLEncoding.EncodeToString
	f.Add(`{"endpoint":"https://fcm.googleapis.com/fcm/send/x","expirationTime":null,"keys":{"p256dh":"` + enc(public) + `","auth":"` + enc(secret) + `"}}`)
	f.Add(`{"endpoint":"https://fcm.googleapis.com@evil.example/","keys":{"p256dh":"","auth":""}}`)
	f.Add(`{"endpoint":"https://fcm.googleapis.com\\@evil.example/"}`)
	f.Add(`{"endpoint":7}`)
	f.Add(`[`)
	s := &Service{}
	f.Fuzz(func(t *testing.T, body string) {
		sub, err := s.parse([]byte(body))
		if err != nil {
			if _, ok := errors.AsType[*wrong](err); !ok || len(err.Error()) > 1000 {
				t.Fatalf("%q: %v", body, err)
			}
			return
		}
		u, err := s.cfg.Hosts.Check(sub.Endpoint)
		if err != nil {
			t.Fatalf("%q: %v", sub.Endpoint, err)
		}
		r, err := http.NewRequest(http.MethodPost, u.String(), nil)
		if err != nil || !s.cfg.Hosts.allows(strings.ToLower(r.URL.Hostname())) || r.URL.Scheme != "https" {
			t.Fatalf("%q leads to %v, %v", sub.Endpoint, r, err)
		}
		if sub.Device != (crdt.DeviceID{}) {
			t.Fatal("it names a device")
		}
	})
}

// FuzzRetryAfter: no header makes anything wait below zero.
func FuzzRetryAfter(f *testing.F) {
	for _, s := range []string{"", "0", "120", "-1", "99999999999999999999", "Wed, 21 Oct 2026 07:28:00 GMT", "4294967296"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, v string) {
		if d := retryAfter(v, noon); d < 0 {
			t.Fatalf("%q: %v", v, d)
		}
	})
}
