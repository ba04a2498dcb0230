package notice

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"

	"trio/server/notice/webpush"
	"trio/server/ops"
	"trio/server/store"
)

// Path is where devices ask for notices.
const Path = "/v1/push"

// MaxBody bounds what a device sends, bytes: an endpoint and two keys.
const MaxBody = 4 << 10

// Route is the guard's for all of its methods but GET, which brings no body.
var Route = ops.Route{Name: "push", Access: ops.Devices, Body: MaxBody}

// standing is what GET answers.
type standing struct {
	Key      string `json:"key"`                // for PushManager.subscribe, base64url
	Endpoint string `json:"endpoint,omitempty"` // of the device's own subscription; none: it has none
}

// ServeHTTP lets a device see (GET), give (PUT) and take back (DELETE) its subscription.
func (s *Service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	dev, ok := ops.Caller(r.Context())
	switch {
	case !ok:
		w.Header().Set("WWW-Authenticate", "Bearer")
		ops.Refuse(w, r, http.StatusUnauthorized, "device", "the device token is not known here", "ask your company for a new invitation")
		return
	case dev.Revoked:
		ops.Refuse(w, r, http.StatusForbidden, "revoked", "this device's access was taken back: it is told nothing more", "ask your company for a new invitation")
		return
	}
	var err error
	switch r.Method {
	case http.MethodGet:
		var at standing
		if at, err = s.standing(r, dev); err == nil {
			ops.Answer(w, http.StatusOK, at)
			return
		}
	case http.MethodPut:
		var sub store.Subscription
		if sub, err = s.subscription(r); err == nil {
			sub.Device = dev.ID
			err = s.cfg.Store.Subscribe(r.Context(), sub)
		}
	case http.MethodDelete:
		err = s.cfg.Store.Unsubscribe(r.Context(), dev.ID, "")
	}
	if err == nil {
		s.cfg.Log.Info("subscription changed", "request", ops.RequestID(r.Context()), "method", r.Method, "device", dev.ID)
		s.stale()
		w.WriteHeader(http.StatusNoContent)
		return
	}
	if wrong, ok := errors.AsType[*wrong](err); ok {
		ops.Refuse(w, r, wrong.status, "field", strings.Join(wrong.what, "; "), "send what PushSubscription.toJSON() gives")
		return
	}
	if bad, ok := errors.AsType[store.Invalid](err); ok {
		ops.Refuse(w, r, http.StatusBadRequest, "field", string(bad), "send what PushSubscription.toJSON() gives")
		return
	}
	if r.Context().Err() == nil {
		s.cfg.Log.Error("subscription not changed", "request", ops.RequestID(r.Context()), "err", err)
		ops.Refuse(w, r, http.StatusServiceUnavailable, "internal", "the server could not do that", "try again; if it stays so, tell support the request's id")
	}
}

// stale has the members who are subscribed be read again.
func (s *Service) stale() {
	s.mu.Lock()
	s.renew = true
	s.mu.Unlock()
	s.poke()
}

func (s *Service) standing(r *http.Request, dev store.Device) (at standing, err error) {
	key, err := s.key(r.Context())
	if err != nil {
		return at, err
	}
	public, err := key.Public()
	if err != nil {
		return at, err
	}
	list, err := s.cfg.Store.Subscriptions(r.Context(), dev.Member)
	if i := slices.IndexFunc(list, func(x store.Subscription) bool { return x.Device == dev.ID }); i >= 0 {
		at.Endpoint = list[i].Endpoint
	}
	at.Key = base64.RawURLEncoding.EncodeToString(public)
	return at, err
}

// wrong is what is wrong with what a device sent.
type wrong struct {
	status int
	what   []string
}

func (w *wrong) Error() string { return strings.Join(w.what, "; ") }

func (s *Service) subscription(r *http.Request) (store.Subscription, error) {
	b, err := io.ReadAll(r.Body)
	if big, ok := errors.AsType[*http.MaxBytesError](err); ok && big != nil {
		return store.Subscription{}, &wrong{http.StatusRequestEntityTooLarge, []string{"the request's body is too large"}}
	}
	if err != nil {
		return store.Subscription{}, &wrong{http.StatusBadRequest, []string{"the request's body did not come to its end"}}
	}
	return s.parse(b)
}

// parse reads a subscription as browsers write one, and says all that is wrong with it.
func (s *Service) parse(b []byte) (sub store.Subscription, err error) {
	var body struct {
		Endpoint *string  `json:"endpoint"`
		Expires  *float64 `json:"expirationTime"` // push services end subscriptions by an answer
		Keys     struct {
			Public string `json:"p256dh"`
			Secret string `json:"auth"`
		} `json:"keys"`
	}
	d := json.NewDecoder(strings.NewReader(string(b)))
	d.DisallowUnknownFields()
	if err := d.Decode(&body); err != nil {
		return sub, &wrong{http.StatusBadRequest, []string{"the request's body is no subscription: want endpoint, expirationTime and keys with p256dh and auth"}}
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return sub, &wrong{http.StatusBadRequest, []string{"something stands behind the JSON object"}}
	}
	var what []string
	bytes := func(name, text string) []byte {
		v, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(text, "="))
		if err != nil {
			what = append(what, name+": is not base64url")
		}
		return v
	}
	if body.Endpoint == nil {
		what = append(what, "endpoint: is missing")
	} else if _, err := s.cfg.Hosts.Check(*body.Endpoint); err != nil {
		what = append(what, "endpoint: "+err.Error())
	} else {
		sub.Endpoint = *body.Endpoint
	}
	sub.Public, sub.Secret = bytes("p256dh", body.Keys.Public), bytes("auth", body.Keys.Secret)
	if len(what) == 0 {
		if _, err := webpush.ParseKeys(sub.Public, sub.Secret); err != nil {
			what = append(what, "keys: "+err.Error())
		}
	}
	if len(what) > 0 {
		return store.Subscription{}, &wrong{http.StatusBadRequest, what}
	}
	return sub, nil
}
