package notice

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"syscall"
	"time"

	"trio/server/notice/webpush"
	"trio/server/store"
)

// What became of a notice to one device.
const (
	Sent    = "sent"
	Gone    = "gone"    // nobody listens there any more, as the push service says, who is forgotten then, or as the subscription was taken back meanwhile
	Refused = "refused" // the push service does not take it, and will not
	Failed  = "failed"  // the push service could not be reached, or had no time for it, as often as was tried
	Late    = "late"    // it was not worth being told any more
	Dropped = "dropped" // too many wait
)

// Outcomes are all that can become of a notice.
var Outcomes = []string{Sent, Gone, Refused, Failed, Late, Dropped}

const (
	maxQueue  = 8192 // notices that wait to be sent or to be tried again, 2 KB each at most
	senders   = 8    // at one time, of each push service: one that hangs holds up none of the others
	tries     = 4    // of one notice
	maxRetry  = 30 * time.Minute
	sendTime  = 15 * time.Second
	maxAnswer = 4 << 10 // bytes that are read of an answer
)

// job is one notice to one device.
type job struct {
	sub     store.Subscription
	notice  Notice
	service int // of the push services, by number
	try     int
}

// post gives the push service one notice, and says what became of it. again: it may be tried again, after so long at least.
func (s *Service) post(ctx context.Context, j *job, key webpush.Key) (outcome string, again bool, after time.Duration) {
	now := s.cfg.Now()
	ttl := j.notice.until.Sub(now) / time.Second
	if ttl <= 0 {
		return Late, false, 0
	}
	u, err := s.cfg.Hosts.Check(j.sub.Endpoint) // the setting may be another than when it was taken
	if err != nil {
		return Refused, false, 0
	}
	keys, err := webpush.ParseKeys(j.sub.Public, j.sub.Secret)
	if err != nil {
		return Refused, false, 0
	}
	message, err := j.notice.message()
	if err != nil {
		s.cfg.Log.Error("notice not sent", "err", err)
		return Refused, false, 0
	}
	body, err := keys.Seal(message)
	if err != nil {
		return Refused, false, 0
	}
	auth, err := key.Authorization("https://"+u.Host, s.cfg.Subject, now)
	if err != nil {
		return Failed, true, 0
	}
	ctx, cancel := context.WithTimeout(ctx, sendTime)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, u.String(), bytes.NewReader(body))
	if err != nil {
		return Refused, false, 0
	}
	h := req.Header
	h.Set("Authorization", auth)
	h.Set("Content-Type", "application/octet-stream")
	h.Set("Content-Encoding", "aes128gcm")
	h.Set("TTL", strconv.Itoa(int(ttl)))
	h.Set("Topic", string(j.notice.kind)) // one that was not delivered yet gives way to the next
	h.Set("Urgency", "normal")
	if j.notice.kind == Alert {
		h.Set("Urgency", "high")
	}
	h.Set("User-Agent", "trio")
	res, err := s.client.Do(req)
	if errors.Is(err, errPrivate) {
		return Refused, false, 0
	}
	if err != nil {
		return Failed, true, 0
	}
	defer res.Body.Close()                           //nolint:errcheck // it was only read
	_, _ = io.CopyN(io.Discard, res.Body, maxAnswer) // so that the connection can be used again
	switch code := res.StatusCode; {
	case code >= 200 && code < 300:
		return Sent, false, 0
	case code == http.StatusNotFound || code == http.StatusGone:
		return Gone, false, 0
	case code == http.StatusTooManyRequests || code == http.StatusRequestTimeout || code >= 500:
		return Failed, true, retryAfter(res.Header.Get("Retry-After"), now)
	default: // a redirect too: who is subscribed for another key, most likely
		s.cfg.Log.Warn("push service refuses a notice", "device", j.sub.Device, "host", u.Hostname(), "status", code)
		return Refused, false, 0
	}
}

// retryAfter reads the header, seconds or a date; 0 for none.
func retryAfter(v string, now time.Time) time.Duration {
	if n, err := strconv.ParseUint(v, 10, 31); err == nil {
		return time.Duration(n) * time.Second
	}
	if t, err := http.ParseTime(v); err == nil {
		return max(0, t.Sub(now))
	}
	return 0
}

// newClient returns a client that goes nowhere else than where it is sent.
func newClient(h *Hosts, base *http.Transport) *http.Client {
	t := base.Clone()
	d := &net.Dialer{Timeout: 10 * time.Second, Control: func(_, address string, _ syscall.RawConn) error { return h.dials(address) }}
	t.Proxy, t.DialContext, t.DialTLSContext = nil, d.DialContext, nil
	t.MaxIdleConns, t.MaxIdleConnsPerHost, t.IdleConnTimeout = 2*senders*len(h.names()), senders, time.Minute
	t.ResponseHeaderTimeout, t.MaxResponseHeaderBytes = sendTime, 16<<10
	return &http.Client{
		Transport: t, Timeout: sendTime,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// queue holds the notices that wait, those that are to be tried again included.
type queue struct {
	mu      sync.Mutex
	n       int
	of      []int       // of each push service; none has more than half of the room, unless it is the only one
	jobs    []chan *job // likewise
	stopped bool
}

// lines are those of push services.
func lines(services int) []chan *job {
	all := make([]chan *job, services)
	for i := range all {
		all[i] = make(chan *job, maxQueue) // each has room for all
	}
	return all
}

// put takes a notice in, unless too many wait.
func (q *queue) put(j *job) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.n >= maxQueue || len(q.of) > 1 && q.of[j.service] >= maxQueue/2 || q.stopped {
		return false
	}
	q.n++
	q.of[j.service]++
	q.jobs[j.service] <- j
	return true
}

// back puts a notice in that was taken out, which counts all the while.
func (q *queue) back(j *job) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if !q.stopped {
		q.jobs[j.service] <- j
	}
}

func (q *queue) done(j *job) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.n--
	q.of[j.service]--
}

func (q *queue) len() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.n
}

// send takes notices for one push service out of the queue until ctx ends.
func (s *Service) send(ctx context.Context, jobs <-chan *job) {
	for {
		select {
		case <-ctx.Done():
			return
		case j := <-jobs:
			s.deliver(ctx, j)
		}
	}
}

// stands says whether a device still wants what it was given: a notice may have waited for long, and access ends at once.
func (s *Service) stands(ctx context.Context, sub *store.Subscription) (bool, error) {
	list, err := s.cfg.Store.Subscriptions(ctx, sub.Member)
	return slices.ContainsFunc(list, func(x store.Subscription) bool { return x.Device == sub.Device && x.Endpoint == sub.Endpoint }), err
}

// deliver sends one notice, notes how it went, and has it tried again where that may help.
func (s *Service) deliver(ctx context.Context, j *job) {
	outcome, again, after := Failed, true, time.Duration(0)
	key, err := s.key(ctx)
	stands := false
	if err == nil {
		stands, err = s.stands(ctx, &j.sub)
	}
	switch {
	case err != nil:
	case stands:
		outcome, again, after = s.post(ctx, j, key)
	default:
		outcome, again = Gone, false
	}
	if ctx.Err() != nil {
		return
	}
	if j.try++; again && j.try < tries {
		wait := max(after, s.cfg.Backoff<<(2*(j.try-1))+rand.N(s.cfg.Backoff))
		if wait <= maxRetry && s.cfg.Now().Add(wait).Before(j.notice.until) {
			time.AfterFunc(wait, func() { s.queue.back(j) })
			return
		}
	}
	defer s.queue.done(j)
	s.cfg.Count(string(j.notice.kind), outcome)
	switch {
	case outcome == Gone && stands:
		err = s.cfg.Store.Unsubscribe(ctx, j.sub.Device, j.sub.Endpoint)
	case outcome == Sent && j.sub.Failures > 0, outcome == Failed, outcome == Refused:
		err = s.cfg.Store.Delivered(ctx, j.sub.Device, j.sub.Endpoint, outcome == Sent)
	}
	if err != nil && ctx.Err() == nil {
		s.cfg.Log.Error("delivery not noted", "device", j.sub.Device, "err", err)
	}
}
