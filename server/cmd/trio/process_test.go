package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"github.com/rogpeppe/go-internal/testscript"

	"trio/clients/corporate"
	"trio/crdt"
	"trio/crdt/wire"
	"trio/replica"
	"trio/server/store"
)

// asMain has the test's own binary be the program.
const asMain = "TRIO_TEST_MAIN"

// acts are what else the test's own binary can be: by an environment variable, whose value it is given.
var acts = map[string]func(string) error{}

func TestMain(m *testing.M) {
	for env, act := range acts {
		if v := os.Getenv(env); v != "" {
			if err := act(v); err != nil {
				fmt.Fprintln(os.Stderr, err)
				os.Exit(1)
			}
			return
		}
	}
	if os.Getenv(asMain) != "" {
		main()
		return
	}
	testscript.Main(m, map[string]func(){"trio": main})
}

// program is a command that runs trio with what the test gives it and nothing of the test's own environment.
func program(args ...string) *exec.Cmd {
	cmd := exec.Command(os.Args[0], args...)
	cmd.Env = []string{asMain + "=1", "GORACE=atexit_sleep_ms=0", "PATH=" + os.Getenv("PATH"), "HOME=" + os.Getenv("HOME"), "TMPDIR=" + os.Getenv("TMPDIR")}
	return cmd
}

// company is who uses a server.
type company struct {
	data, key string
	member    crdt.MemberID
	device    store.Device
	token     string
	lost      store.Device
	revoked   string // its token
}

const companyName, memberName = "Verdant Trail", "Maya Ortega"

func newCompany(t *testing.T) *company {
	t.Helper()
	ctx := t.Context()
	c := &company{data: t.TempDir()}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	st, err := openStore(ctx, c.data, nil, false)
	must(err)
	defer st.Close()
	tenant, err := st.CreateTenant(ctx, companyName)
	must(err)
	_, c.key, err = st.CreateAPIKey(ctx, tenant, "reports", store.ScopeFeed)
	must(err)
	c.member, err = st.CreateMember(ctx, store.Member{Tenant: tenant, Name: memberName})
	must(err)
	c.device, c.token, err = st.CreateDevice(ctx, c.member, "phone")
	must(err)
	c.lost, c.revoked, err = st.CreateDevice(ctx, c.member, "lost")
	must(err)
	must(st.RevokeDevice(ctx, c.lost.ID))
	return c
}

// process is a running trio serve.
type process struct {
	t         *testing.T
	cmd       *exec.Cmd
	addr, ops string // host:port
	tls       *tls.Config
	ended     chan struct{} // the log is read to its end

	mu  sync.Mutex
	log bytes.Buffer
}

// serving starts a server on a company's data and waits until it serves.
func serving(t *testing.T, c *company, args ...string) *process {
	t.Helper()
	return servingEnv(t, c, nil, args...)
}

// servingEnv is serving with more in the environment.
func servingEnv(t *testing.T, c *company, env []string, args ...string) *process {
	t.Helper()
	p := &process{t: t, ended: make(chan struct{})}
	p.cmd = program(append([]string{"serve", "--data", c.data, "--listen", "127.0.0.1:0", "--operator", "127.0.0.1:0", "--log-format", "json", "--log-level", "debug"}, args...)...)
	p.cmd.Env = append(p.cmd.Env, env...)
	stderr, err := p.cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		p.cmd.Process.Kill() //nolint:errcheck // it has ended
		p.cmd.Wait()         //nolint:errcheck // as above
		if t.Failed() {
			t.Log(p.logged())
		}
	})
	up := make(chan struct{})
	go func() {
		defer close(p.ended)
		lines := bufio.NewScanner(stderr)
		for lines.Scan() {
			p.mu.Lock()
			p.log.Write(append(lines.Bytes(), '\n'))
			p.mu.Unlock()
			var l struct{ Msg, Addr string }
			if json.Unmarshal(lines.Bytes(), &l) == nil {
				switch l.Msg {
				case "operator's listener":
					p.ops = l.Addr
				case "serving":
					p.addr = l.Addr
					close(up)
				}
			}
		}
	}()
	select {
	case <-up:
	case <-p.ended:
		t.Fatal("the server ended before it served")
	case <-time.After(time.Minute):
		t.Fatal("the server does not serve")
	}
	return p
}

func (p *process) logged() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.log.String()
}

// get asks a server of its own connection, so that none is left open.
func (p *process) get(addr, path string, header ...string) (*http.Response, string) {
	p.t.Helper()
	scheme := "http"
	if p.tls != nil && addr == p.addr {
		scheme = "https"
	}
	req, err := http.NewRequest(http.MethodGet, scheme+"://"+addr+path, nil)
	if err != nil {
		p.t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	res, err := (&http.Client{Transport: &http.Transport{TLSClientConfig: p.tls, DisableKeepAlives: true}}).Do(req)
	if err != nil {
		p.t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		p.t.Fatal(err)
	}
	return res, string(b)
}

// status asks the public listener and returns the status.
func (p *process) status(path, token string) int {
	p.t.Helper()
	res, _ := p.get(p.addr, path, "Authorization", "Bearer "+token)
	return res.StatusCode
}

// dial connects a device's WebSocket.
func (p *process) dial(token string) (*websocket.Conn, *http.Response, error) {
	u := url.URL{Scheme: "ws", Host: p.addr, Path: "/v1/sync"}
	if p.tls != nil {
		u.Scheme = "wss"
	}
	d := websocket.Dialer{TLSClientConfig: p.tls}
	return d.Dial(u.String(), http.Header{"Authorization": {"Bearer " + token}})
}

// metrics scrapes.
func (p *process) metrics() map[string]*dto.MetricFamily {
	p.t.Helper()
	res, body := p.get(p.ops, "/metrics")
	if res.StatusCode != http.StatusOK {
		p.t.Fatal(res.Status)
	}
	parser := expfmt.NewTextParser(model.LegacyValidation)
	fs, err := parser.TextToMetricFamilies(strings.NewReader(body))
	if err != nil {
		p.t.Fatal(err)
	}
	return fs
}

// value is that of a metric with such labels ("code=busy"); of a histogram its count.
func value(fs map[string]*dto.MetricFamily, name string, labels ...string) float64 {
	for _, m := range fs[name].GetMetric() {
		has := map[string]bool{}
		for _, l := range m.GetLabel() {
			has[l.GetName()+"="+l.GetValue()] = true
		}
		ok := true
		for _, l := range labels {
			ok = ok && has[l]
		}
		if ok {
			return m.GetCounter().GetValue() + m.GetGauge().GetValue() + float64(m.GetHistogram().GetSampleCount())
		}
	}
	return -1
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); !ok(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not within 30 s: %s", what)
		}
	}
}

// hold has the server have a request whose body does not come, so that it does not end by itself for half a minute unless the
// request is let go.
func (p *process) hold() (letGo func()) {
	p.t.Helper()
	c, err := net.Dial("tcp", p.addr)
	if err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(time.Minute)) //nolint:errcheck // the read says it
	fmt.Fprint(c, "POST /v1/join HTTP/1.1\r\nHost: trio\r\nContent-Type: application/json\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n")
	if res, err := http.ReadResponse(bufio.NewReader(c), nil); err != nil || res.StatusCode != http.StatusContinue {
		p.t.Fatalf("the body of a request is not waited for: %v %v", res, err)
	}
	return func() { c.Close() }
}

// TestServed: devices, companies and strangers at a real server, and what its metrics and its log then say.
func TestServed(t *testing.T) {
	c := newCompany(t)
	p := serving(t, c)

	// A device writes and another of its connections is refused for its token.
	r, err := replica.Open(t.Context(), replica.Config{Path: filepath.Join(t.TempDir(), "replica.db"), Member: c.member, Device: c.device.ID})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	const secret = "Joanna Hartwell"
	if _, err := r.Log(t.Context(), crdt.Entry{Kind: crdt.Share, Evidence: crdt.E1, Note: secret}); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	s := r.NewSyncer(replica.SyncerConfig{URL: "ws://" + p.addr + "/v1/sync", Token: c.token, Log: slog.New(slog.DiscardHandler)})
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.Run(ctx) //nolint:errcheck // the checks say what did not get through
	}()
	defer func() { stop(); <-done }()
	eventually(t, "the device is level", func() bool { return s.State().Level })
	for _, token := range []string{"trio_d_wrong", c.revoked} {
		ws, _, err := p.dial(token)
		if err != nil {
			t.Fatal(err)
		}
		if token == c.revoked { // of an app that cannot leave
			hello, err := wire.Encode(&wire.Hello{Version: 1, Member: c.member, Device: c.lost.ID})
			if err != nil || ws.WriteMessage(websocket.BinaryMessage, hello) != nil {
				t.Fatal(err)
			}
		}
		_, frame, err := ws.ReadMessage()
		if err != nil {
			t.Fatal(err)
		}
		if f, err := wire.Decode(frame); err != nil || f.(*wire.Error).Code == wire.CodeInternal {
			t.Errorf("%v %v", f, err)
		}
		ws.Close()
	}
	ws, _, err := p.dial(c.token)
	if err != nil {
		t.Fatal(err)
	}
	if err := ws.WriteMessage(websocket.BinaryMessage, []byte("no frame")); err != nil {
		t.Fatal(err)
	}
	ws.ReadMessage() //nolint:errcheck // the refusal, or the end
	ws.Close()

	// Corporate pulls.
	client := corporate.Client{URL: "http://" + p.addr, Key: c.key}
	records := 0
	if _, err := client.Pull(t.Context(), "", func(corporate.Record) error { records++; return nil }); err != nil || records != 1 {
		t.Errorf("%d records: %v", records, err)
	}

	// What every answer has, and what a stranger gets.
	for _, tt := range []struct {
		path, token, id string
		status          int
	}{
		{"/healthz", "", "lb.1_a-B", 200},
		{"/readyz", "", "", 200},
		{"/v1/device", c.token, strings.Repeat("x", 64), 200},
		{"/v1/device", "trio_d_wrong", "not one: bad", 401},
		{"/v1/device", "", strings.Repeat("x", 65), 401},
		{"/v1/feed", "trio_k_wrong", "", 401},
		{"/v1/sync", c.token, "", 400}, // no WebSocket
		{"/secret/" + c.token, "", "", 404},
		{"/metrics", "", "", 404},
		{"/debug/pprof/", "", "", 404},
	} {
		res, body := p.get(p.addr, tt.path, "Authorization", "Bearer "+tt.token, "X-Request-Id", tt.id)
		if res.StatusCode != tt.status {
			t.Errorf("%s: %s %s, want %d", tt.path, res.Status, body, tt.status)
		}
		id := res.Header.Get("X-Request-Id")
		if sane := tt.id != "" && len(tt.id) <= 64 && !strings.Contains(tt.id, " "); id == "" || (id == tt.id) != sane {
			t.Errorf("%s: request id %q for %q", tt.path, id, tt.id)
		}
		if tt.status == 404 && !strings.Contains(body, `"request":"`+id+`"`) {
			t.Errorf("%s: the refusal does not name its request: %s", tt.path, body)
		}
		h := res.Header
		if h.Get("X-Content-Type-Options") != "nosniff" || h.Get("X-Frame-Options") != "DENY" || !strings.Contains(h.Get("Content-Security-Policy"), "default-src 'none'") {
			t.Errorf("%s: headers %v", tt.path, h)
		}
		if h.Get("Strict-Transport-Security") != "" {
			t.Errorf("%s: HSTS without TLS", tt.path)
		}
		eventually(t, "a line of request "+id, func() bool { return strings.Contains(p.logged(), `"request":"`+id+`"`) })
	}
	res, err := http.Post("http://"+p.addr+"/v1/device", "text/plain", strings.NewReader("x"))
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if res.StatusCode != http.StatusRequestEntityTooLarge {
		t.Errorf("a body where none belongs: %s", res.Status)
	}

	// The operator's listener.
	for _, path := range []string{"/healthz", "/readyz", "/debug/pprof/", "/debug/pprof/goroutine?debug=1"} {
		if res, body := p.get(p.ops, path); res.StatusCode != 200 {
			t.Errorf("%s: %s %s", path, res.Status, body)
		}
	}
	fs := p.metrics()
	for name, f := range fs {
		if f.GetHelp() == "" {
			t.Errorf("%s has no help", name)
		}
		if total := strings.HasSuffix(name, "_total"); strings.HasPrefix(name, "trio_") && total != (f.GetType() == dto.MetricType_COUNTER) {
			t.Errorf("%s is a %v", name, f.GetType())
		}
	}
	for _, tt := range []struct {
		want   float64
		name   string
		labels []string
	}{
		{1, "trio_devices_connected", nil},
		{1, "trio_changes_stored_total", nil},
		{0, "trio_changes_duplicate_total", nil},
		{1, "trio_push_seconds", nil},
		{1, "trio_feed_records_total", nil},
		{1, "trio_device_refusals_total", []string{"code=device"}},
		{1, "trio_device_refusals_total", []string{"code=revoked"}},
		{1, "trio_device_refusals_total", []string{"code=frame"}},
		{0, "trio_changes_refused_total", []string{"code=sequence"}},
		{0, "trio_pushes_failed_total", []string{"reason=full"}},
		{4, "trio_http_requests_total", []string{"route=sync", "status=101"}},
		{2, "trio_http_requests_total", []string{"route=device", "status=401"}},
		{1, "trio_requests_limited_total", []string{"limit=body"}},
		{0, "trio_requests_limited_total", []string{"limit=strangers"}},
		{1, "trio_build_info", nil},
	} {
		if got := value(fs, tt.name, tt.labels...); got != tt.want {
			t.Errorf("%s %v is %v, want %v", tt.name, tt.labels, got, tt.want)
		}
	}
	for _, name := range []string{
		"trio_connections", "trio_received_bytes_total", "trio_sent_bytes_total", "trio_store_bytes", "trio_store_wal_bytes",
		"trio_http_request_seconds", "go_goroutines", "process_start_time_seconds",
	} {
		if got := value(fs, name); got <= 0 {
			t.Errorf("%s is %v", name, got)
		}
	}

	// The log: each line by itself, with ids and nothing else of anybody.
	log := p.logged()
	for line := range strings.Lines(log) {
		var l map[string]any
		if err := json.Unmarshal([]byte(line), &l); err != nil {
			t.Errorf("%v: %s", err, line)
		}
		switch l["msg"] {
		case "connected", "device refused":
			if l["conn"] == nil {
				t.Errorf("no connection is named: %s", line)
			}
		case "request":
			if l["request"] == nil || l["route"] == nil || l["status"] == nil {
				t.Errorf("no request is named: %s", line)
			}
		}
	}
	for _, never := range []string{c.token, c.key, c.revoked, "wrong", companyName, memberName, secret, "not one: bad", "cursor="} {
		if strings.Contains(log, never) {
			t.Errorf("%q is in the log", never)
		}
	}
}

// TestEnd: on SIGTERM a server is ready no more, takes nobody, tells devices to come back, and ends well in time.
func TestEnd(t *testing.T) {
	c := newCompany(t)
	p := serving(t, c, "--shutdown", "20s")
	ws, _, err := p.dial(c.token)
	if err != nil {
		t.Fatal(err)
	}
	defer ws.Close()
	eventually(t, "the device is connected", func() bool { return value(p.metrics(), "trio_devices_connected") == 1 })
	letGo := p.hold()
	began := time.Now()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	eventually(t, "it is ready no more", func() bool {
		res, body := p.get(p.ops, "/readyz")
		return res.StatusCode == http.StatusServiceUnavailable && strings.Contains(body, "draining") && res.Header.Get("Retry-After") != ""
	})
	if res, _ := p.get(p.ops, "/healthz"); res.StatusCode != 200 {
		t.Errorf("it still lives: %s", res.Status)
	}
	eventually(t, "it takes no connections", func() bool {
		ws, _, err := p.dial(c.token)
		if err == nil {
			ws.Close()
		}
		return err != nil
	})
	_, frame, err := ws.ReadMessage()
	if err != nil {
		t.Fatal(err)
	}
	if f, err := wire.Decode(frame); err != nil || f.(*wire.Error).Code != wire.CodeShutdown || f.(*wire.Error).Wait == 0 {
		t.Errorf("%v %v", f, err)
	}
	if _, _, err := ws.ReadMessage(); !websocket.IsCloseError(err, websocket.CloseServiceRestart) {
		t.Errorf("%v", err)
	}
	letGo()
	<-p.ended
	if err := p.cmd.Wait(); err != nil || time.Since(began) > 20*time.Second {
		t.Errorf("ended after %v: %v", time.Since(began), err)
	}
	if _, err := os.Stat(filepath.Join(c.data, dbName+"-wal")); err == nil {
		t.Error("the store was not closed: its log of writes is still there")
	}
}

// TestEndInTime: a device that does not go holds nobody up, and nothing is amiss.
func TestEndInTime(t *testing.T) {
	wrong := ""
	for range 5 { // a machine that stands still for half a second proves nothing
		if wrong = endsInTime(t); wrong == "" {
			return
		}
	}
	t.Error(wrong)
}

// endsInTime says what was not as it has to be.
func endsInTime(t *testing.T) string {
	c := newCompany(t)
	p := serving(t, c, "--shutdown", "1s")
	ws, _, err := p.dial(c.token)
	if err != nil {
		t.Fatal(err)
	}
	defer ws.Close()
	eventually(t, "the device is connected", func() bool { return value(p.metrics(), "trio_devices_connected") == 1 })
	began := time.Now()
	if err := p.cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	<-p.ended
	if err := p.cmd.Wait(); err != nil || time.Since(began) > 1500*time.Millisecond {
		return fmt.Sprintf("ended after %v: %v", time.Since(began), err)
	}
	if !strings.Contains(p.logged(), "connections were cut") {
		return "the log does not say that it cut"
	}
	return ""
}

// TestSecondSignal ends the program at once.
func TestSecondSignal(t *testing.T) {
	c := newCompany(t)
	p := serving(t, c, "--shutdown", "1m")
	ws, _, err := p.dial(c.token)
	if err != nil {
		t.Fatal(err)
	}
	defer ws.Close()
	eventually(t, "the device is connected", func() bool { return value(p.metrics(), "trio_devices_connected") == 1 })
	p.hold()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	eventually(t, "it goes down", func() bool { return strings.Contains(p.logged(), "shutting down") })
	began := time.Now()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	<-p.ended
	if err := p.cmd.Wait(); err == nil || time.Since(began) > 10*time.Second {
		t.Errorf("ended after %v: %v", time.Since(began), err)
	}
}

// TestLimits: strangers and devices that come too often are told when to come back, and keep nobody else out.
func TestLimits(t *testing.T) {
	c := newCompany(t)
	p := serving(t, c, "--stranger-burst", "3", "--stranger-rate", "0.01", "--device-burst", "5", "--device-rate", "0.01", "--max-connections", "4")
	for range 3 {
		if got := p.status("/v1/device", "trio_d_wrong"); got != http.StatusUnauthorized {
			t.Errorf("status %d", got)
		}
	}
	for _, path := range []string{"/v1/device", "/v1/feed", "/v1/sync", "/nothing"} {
		res, body := p.get(p.addr, path)
		wait, err := strconv.Atoi(res.Header.Get("Retry-After"))
		if res.StatusCode != http.StatusTooManyRequests || err != nil || wait < 1 || wait > 100 || !strings.Contains(body, `"request":"`) {
			t.Errorf("%s: %s, Retry-After %d, %s", path, res.Status, wait, body)
		}
	}
	// Those whom the server knows share the address and are served; so is another address behind the proxy.
	if got := p.status("/v1/feed", c.key); got != http.StatusOK {
		t.Errorf("the company's status is %d", got)
	}
	if got := p.status("/healthz", ""); got != http.StatusOK {
		t.Errorf("health's status is %d", got)
	}
	if res, _ := p.get(p.addr, "/nothing", "X-Forwarded-For", "127.0.0.1, 203.0.113.9"); res.StatusCode != http.StatusNotFound {
		t.Errorf("another's status is %s", res.Status)
	}
	none := func() bool { return value(p.metrics(), "trio_connections") == 0 }
	eventually(t, "the connections are gone", none)
	var all []*websocket.Conn
	for i := range 4 {
		ws, _, err := p.dial(c.token)
		if err != nil {
			t.Fatal(i, err)
		}
		defer ws.Close()
		all = append(all, ws)
	}
	// As many are open as are served; but health is always told, and whose token is good may use the spare ones.
	res, _ := p.get(p.addr, "/v1/device", "Authorization", "Bearer trio_d_wrong")
	if res.StatusCode != http.StatusServiceUnavailable || res.Header.Get("Retry-After") == "" {
		t.Errorf("too many connections: %s", res.Status)
	}
	if got := p.status("/healthz", ""); got != http.StatusOK {
		t.Errorf("health's status is %d", got)
	}
	for _, ws := range all {
		ws.Close()
	}
	eventually(t, "the connections are gone", none)
	if got := p.status("/v1/device", c.token); got != http.StatusOK {
		t.Errorf("the device's fifth: status %d", got)
	}
	if _, res, err := p.dial(c.token); err == nil || res.StatusCode != http.StatusTooManyRequests || res.Header.Get("Retry-After") == "" {
		t.Errorf("the device's sixth: %v", err)
	}
	fs := p.metrics()
	for limit, want := range map[string]float64{"strangers": 4, "device": 1, "connections": 1, "company": 0} {
		if got := value(fs, "trio_requests_limited_total", "limit="+limit); got != want {
			t.Errorf("limit %s: %v refused, want %v", limit, got, want)
		}
	}
}

// TestTLS: health, devices and companies over TLS, and nobody by an old version of it.
func TestTLS(t *testing.T) {
	c := newCompany(t)
	cert, key := certificate(t, t.TempDir(), time.Now().Add(time.Hour))
	p := serving(t, c, "--tls-cert", cert, "--tls-key", key)
	pem, err := os.ReadFile(cert)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	p.tls = &tls.Config{RootCAs: roots}
	res, body := p.get(p.addr, "/healthz")
	if res.StatusCode != 200 || res.Header.Get("Strict-Transport-Security") == "" {
		t.Errorf("%s %s %v", res.Status, body, res.Header)
	}
	if got := p.status("/v1/feed", c.key); got != http.StatusOK {
		t.Errorf("the company's status is %d", got)
	}
	ws, _, err := p.dial(c.token)
	if err != nil {
		t.Fatal(err)
	}
	defer ws.Close()
	eventually(t, "the device is connected", func() bool { return value(p.metrics(), "trio_devices_connected") == 1 })
	old := &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11} //nolint:gosec // to be refused
	if conn, err := tls.Dial("tcp", p.addr, old); err == nil {
		conn.Close()
		t.Error("TLS 1.1 was spoken")
	}
	out, err := program("health", "--listen", p.addr, "--tls-cert", cert, "--tls-key", key).CombinedOutput()
	if err != nil || !strings.Contains(string(out), `"ok"`) {
		t.Errorf("trio health: %v %s", err, out)
	}
}

// TestCommands: what the other commands of an operator print, and how they end.
func TestCommands(t *testing.T) {
	c := newCompany(t)
	p := serving(t, c)
	free := "127.0.0.1:1"
	port := p.addr[strings.LastIndexByte(p.addr, ':')+1:]
	file := write(t, "data = '"+c.data+"'\nlisten = \"0.0.0.0:"+port+"\"\noperator = \"0.0.0.0:1\"\n")
	bad := write(t, "listen = \"x\"\ncolour = 1\n")
	for _, tt := range []struct {
		args   string
		env    string
		status int
		want   []string
	}{
		{"version", "", 0, []string{"trio ", "go1."}},
		{"version x", "", 2, []string{"error: "}},
		{"health --config " + file, "", 0, []string{`{"status":"ok"}`}},
		{"health --ready", "TRIO_LISTEN=" + p.addr, 0, []string{`{"status":"ok"}`}},
		{"health --listen " + free, "", 1, []string{"error: server not reached", "hint: "}},
		{"config", "", 2, []string{"usage: "}},
		{"config chekc", "", 2, []string{"error: command \"chekc\" is not known"}},
		{"config check --config " + file, "", 0, []string{"listen               from " + file + ":2", "The settings are sound.", "warning: operator's listener has no password"}},
		{"config check --config " + bad, "", 2, []string{bad + ":1: listen is \"x\"", "hint: want HOST:PORT", bad + ":2: no setting is named \"colour\""}},
		{"serve --config " + bad, "", 2, []string{bad + ":2: no setting is named \"colour\""}},
		{"serve --help", "", 0, []string{"--max-connections NUMBER", "(default 10000)"}},
		{"backup --forse x", "", 2, []string{"error: flag provided but not defined: -forse\nhint: see trio backup -h\n"}},
		{"demo --onse x", "", 2, []string{"error: flag provided but not defined: -onse\nhint: see trio demo -h\n"}},
		{"board --week 1 1", "", 2, []string{"error: invalid value \"1\" for flag -week", "\nhint: see trio board -h\n"}},
		{"verify --data " + file, "", 1, []string{"hint: a file stands where a folder has to be"}},
		{"serve --data " + t.TempDir() + " --listen " + p.addr, "", 1, []string{"error: " + p.addr + " is taken by another program, maybe a trio serve that still runs", "hint: see which one it is (ss -ltnp 'sport = :" + port + "'", "--listen HOST:PORT"}},
		{"health -h", "", 0, []string{"usage: trio health", "--ready\n", "trio serve --help lists them"}},
		{"config check -h", "", 0, []string{"usage: trio config check", "--config FILE", "trio serve --help lists them"}},
		{"serve --data " + t.TempDir() + " --listen 127.0.0.1:0 --operator " + p.ops, "", 1, []string{"error: " + p.ops + " is taken", "--operator HOST:PORT"}},
		{"admin member 1 Ana", "TRIO_CONFIG=" + file, 0, []string{"-"}},
		{"admin member 1 Ana", "TRIO_DATA=" + c.data, 0, []string{"-"}},
		{"admin --config " + file + " member 1 Ana", "", 0, []string{"-"}},
		{"admin --config " + bad + " member 1 Ana", "", 2, []string{"colour"}},
	} {
		t.Run(tt.args, func(t *testing.T) {
			cmd := program(strings.Fields(tt.args)...)
			cmd.Dir = t.TempDir()
			if tt.env != "" {
				cmd.Env = append(cmd.Env, tt.env)
			}
			out, _ := cmd.CombinedOutput() // the status says it
			if got := cmd.ProcessState.ExitCode(); got != tt.status {
				t.Errorf("status %d, want %d: %s", got, tt.status, out)
			}
			for _, want := range tt.want {
				if !strings.Contains(string(out), want) {
					t.Errorf("%q is not in: %s", want, out)
				}
			}
			if strings.HasSuffix(tt.args, " -h") && strings.Contains(string(out), "--max-connections") {
				t.Errorf("it prints settings that it does not use: %s", out)
			}
		})
	}
}

// TestOperatorPortTaken: by default a second server on a machine does without an operator's listener, and says so.
func TestOperatorPortTaken(t *testing.T) {
	var all config
	settings(&all)
	if l, err := net.Listen("tcp", all.Operator); err == nil { // else another program has it, and it is taken all the same
		defer l.Close()
	}
	cmd := program("serve", "--listen", "127.0.0.1:0", "--data", t.TempDir())
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer cmd.Wait()         //nolint:errcheck // it was killed
	defer cmd.Process.Kill() //nolint:errcheck // as above
	var log strings.Builder
	for lines := bufio.NewScanner(stderr); !strings.Contains(log.String(), "msg=serving") && lines.Scan(); {
		log.WriteString(lines.Text() + "\n")
	}
	if !strings.Contains(log.String(), "its default address is taken") || !strings.Contains(log.String(), "msg=serving") {
		t.Errorf("%s", log.String())
	}
}
