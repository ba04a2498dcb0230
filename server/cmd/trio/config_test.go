package main

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"flag"
	"log/slog"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"
)

func loaded(args, environ []string) (*config, error) {
	return load(flag.NewFlagSet("trio serve", flag.ContinueOnError), args, environ)
}

func write(t *testing.T, text string) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "trio.toml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// certificate writes a certificate for localhost and its key, valid until then.
func certificate(t *testing.T, dir string, until time.Time) (cert, key string) {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := x509.Certificate{
		SerialNumber: big.NewInt(until.Unix()), NotBefore: until.Add(-48 * time.Hour), NotAfter: until,
		DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	der, err := x509.CreateCertificate(rand.Reader, &tmpl, &tmpl, k.Public(), k)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(k)
	if err != nil {
		t.Fatal(err)
	}
	cert, key = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	for path, b := range map[string]*pem.Block{cert: {Type: "CERTIFICATE", Bytes: der}, key: {Type: "PRIVATE KEY", Bytes: pkcs8}} {
		if err := os.WriteFile(path, pem.EncodeToMemory(b), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return cert, key
}

// TestPrecedence: a flag goes before a variable, a variable before the file, the file before the default.
func TestPrecedence(t *testing.T) {
	file := write(t, "listen = \"127.0.0.1:1\"\nshutdown = \"11s\"\nlog-level = \"warn\"\ntrusted-proxies = [\"10.0.0.0/8\", \"192.0.2.7\"]\nfeed-rate = 0.5\n")
	c, err := loaded([]string{"--listen", "127.0.0.1:3"},
		[]string{"TRIO_CONFIG=" + file, "TRIO_LISTEN=127.0.0.1:2", "TRIO_SHUTDOWN=12s", "TRIO_KEY=x", "TRIO_SERVICE_HOST=x", "TRIO_PORT_8787_TCP=x", "HOME=/"})
	if err != nil {
		t.Fatal(err)
	}
	if c.Listen != "127.0.0.1:3" || c.Shutdown != 12*time.Second || c.LogLevel != slog.LevelWarn || c.Connections != 10000 || c.Limits.Company.PerSecond != .5 || len(c.Proxies) != 2 {
		t.Errorf("%+v", c)
	}
	if want := map[string]string{"listen": "--listen", "shutdown": "TRIO_SHUTDOWN", "log-level": file + ":3", "trusted-proxies": file + ":4", "feed-rate": file + ":5"}; !reflect.DeepEqual(c.from, want) {
		t.Errorf("settings come from %v, want %v", c.from, want)
	}
}

// TestWrongSettings: each is named with its place, and with what to do.
func TestWrongSettings(t *testing.T) {
	dir := t.TempDir()
	cert, _ := certificate(t, dir, time.Now().Add(24*time.Hour))
	_, otherKey := certificate(t, t.TempDir(), time.Now().Add(24*time.Hour))
	old := t.TempDir()
	oldCert, oldKey := certificate(t, old, time.Now().Add(-24*time.Hour))
	for _, tt := range []struct {
		name       string
		file       string
		args, env  []string
		want, hint string // within the messages and the hints
	}{
		{name: "unknown key", file: "# ours\nlistne = \"x\"", want: "trio.toml:2: no setting is named \"listne\"", hint: "write listen"},
		{name: "unknown and far", file: "colour = 1", want: "trio.toml:1: no setting is named \"colour\"", hint: "trio serve --help lists"},
		{name: "table", file: "\n[limits]\nfeed-rate = 1", want: "trio.toml:2: [limits]: settings stand in no table", hint: "without [headings]"},
		{name: "not TOML", file: "listen = \"x\"\nshutdown = 10s", want: "trio.toml:2: not a line of settings", hint: "name = \"text\""},
		{name: "twice", file: "shutdown = \"10s\"\nshutdown = \"11s\"", want: "not a line of settings", hint: "each once"},
		{name: "file absent", args: []string{"--config", filepath.Join(dir, "absent")}, want: "configuration not read", hint: "--config or TRIO_CONFIG"},
		{name: "address", file: "listen = \"8787\"", want: "trio.toml:1: listen is \"8787\"", hint: "want HOST:PORT"},
		{name: "port", args: []string{"--listen", "localhost:http"}, want: "--listen: listen is", hint: "want HOST:PORT"},
		{name: "level", file: "log-level = \"loud\"", want: "log-level is \"loud\"", hint: "debug, info, warn or error"},
		{name: "format", env: []string{"TRIO_LOG_FORMAT=xml"}, want: "TRIO_LOG_FORMAT: log-format is \"xml\"", hint: "text or json"},
		{name: "number", file: "max-connections = 0", want: "max-connections is \"0\"", hint: "from 1 to 1000000"},
		{name: "rate", file: "feed-rate = -1", want: "feed-rate is \"-1\"", hint: "above 0"},
		{name: "rate is nan", file: "feed-rate = nan", want: "feed-rate is \"NaN\"", hint: "above 0"},
		{name: "duration", file: "shutdown = 10", want: "shutdown is \"10\"", hint: "from 1s to 10m"},
		{name: "origin", file: "origins = [\"https://app.example.com\", \"app.example.com/\"]", want: "origins is \"https://app.example.com,app.example.com/\"", hint: "https://app.example.com"},
		{name: "network", file: "trusted-proxies = [\"10.0.0.0/8\", \"lb\"]", want: "trusted-proxies is \"10.0.0.0/8,lb\"", hint: "separated by commas"},
		{name: "host name", file: "acme-hosts = \"https://trio.example.com\"", want: "acme-hosts is", hint: "trio.example.com"},
		{name: "directory", file: "acme-hosts = \"a.b\"\nacme-directory = \"http://a.b\"", want: "trio.toml:2: acme-directory is", hint: "https://"},
		{name: "variable", env: []string{"TRIO_LISTENN=x"}, want: "TRIO_LISTENN: no setting has this name", hint: "write TRIO_LISTEN"},
		{name: "no key", file: "\ntls-cert = '" + cert + "'", want: "trio.toml:2: tls-cert is set and tls-key is not", hint: "tls-key"},
		{name: "no certificate", args: []string{"--tls-key", otherKey}, want: "tls-key is set and tls-cert is not", hint: "tls-cert"},
		{name: "another's key", args: []string{"--tls-cert", cert, "--tls-key", otherKey}, want: "certificate not loaded", hint: "belong together"},
		{name: "ended", args: []string{"--tls-cert", oldCert, "--tls-key", oldKey}, want: "certificate ended on", hint: "renew it"},
		{name: "both", args: []string{"--tls-cert", cert, "--tls-key", cert, "--acme-hosts", "a.b"}, want: "not from both", hint: "remove either"},
		{name: "no hosts", file: "acme-email = \"a@b.c\"", want: "trio.toml:1: acme-email is set and acme-hosts is not", hint: "set acme-hosts"},
		{name: "one address", file: "listen = \"127.0.0.1:1\"\noperator = \"127.0.0.1:1\"", want: "trio.toml:2: operator and listen are the same", hint: "another port"},
		{name: "public address", file: "public-url = \"trio.example.com\"", want: "trio.toml:1: public-url is \"trio.example.com\"", hint: "https://trio.example.com"},
		{name: "public address with a query", args: []string{"--public-url", "https://x/?a=b"}, want: "--public-url: public-url is", hint: "want a URL"},
		{name: "data is a file", args: []string{"--data", cert}, want: "is not a folder", hint: "name a folder"},
		{name: "no data", args: []string{"--data", ""}, want: "data is empty", hint: "name the folder"},
		{name: "flag", args: []string{"--listne", "x"}, want: "-listne", hint: "trio serve --help"},
		{name: "argument", args: []string{"now"}, want: "argument \"now\" is not expected", hint: "trio serve -h"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			args := tt.args
			if tt.file != "" {
				args = append([]string{"--config", write(t, tt.file)}, args...)
			}
			_, err := loaded(args, tt.env)
			ws, _ := errors.AsType[wrongs](err)
			if w, ok := errors.AsType[*wrong](err); ok {
				ws = wrongs{w}
			}
			if len(ws) != 1 || !strings.Contains(ws[0].msg, tt.want) || !strings.Contains(ws[0].hint, tt.hint) || ws[0].status != 2 {
				t.Errorf("%v: %+v", err, ws)
			}
		})
	}
}

// TestPublicURL: what the links of invitations begin with, and when nobody else could follow them.
func TestPublicURL(t *testing.T) {
	cert, key := certificate(t, t.TempDir(), time.Now().Add(24*time.Hour))
	for _, tt := range []struct {
		args   []string
		listen string // "": as in the settings
		want   string
		warn   bool
	}{
		{nil, "", "http://127.0.0.1:8787", false},
		{nil, "127.0.0.1:4321", "http://127.0.0.1:4321", false},
		{[]string{"--listen", "0.0.0.0:8787"}, "[::]:8787", "http://localhost:8787", true},
		{[]string{"--listen", ":8787"}, "", "http://localhost:8787", true},
		{[]string{"--listen", "[::1]:80"}, "", "http://[::1]", false},
		{[]string{"--listen", "192.0.2.7:80"}, "", "http://192.0.2.7", false},
		{[]string{"--listen", "10.1.2.3:443", "--tls-cert", cert, "--tls-key", key}, "", "https://10.1.2.3", false},
		{[]string{"--listen", ":443", "--acme-hosts", "trio.example.com,b.example.com"}, "", "https://trio.example.com", false},
		{[]string{"--listen", ":8443", "--acme-hosts", "trio.example.com"}, "", "https://trio.example.com:8443", false},
		{[]string{"--listen", ":8787", "--public-url", "https://example.com/trio/"}, "", "https://example.com/trio/", false},
		{[]string{"--listen", ":8787", "--public-url", "http://localhost:8787"}, "", "http://localhost:8787", true},
		{[]string{"--trusted-proxies", "127.0.0.1"}, "", "http://127.0.0.1:8787", true},
		{[]string{"--trusted-proxies", "127.0.0.1", "--public-url", "https://trio.example.com"}, "", "https://trio.example.com", false},
		{[]string{"--listen", "10.1.2.3:80", "--trusted-proxies", "10.1.2.4"}, "", "http://10.1.2.3", true},
		{[]string{"--listen", "192.0.2.7:80", "--public-url", "http://192.168.0.2"}, "", "http://192.168.0.2", true},
		{[]string{"--listen", ":443", "--acme-hosts", "a.example.com", "--public-url", "https://10.1.2.3"}, "", "https://10.1.2.3", true},
	} {
		c, err := loaded(tt.args, nil)
		if err != nil {
			t.Fatal(err)
		}
		if tt.listen == "" {
			tt.listen = c.Listen
		}
		if got := c.publicURL(tt.listen); got != tt.want {
			t.Errorf("%q at %s: %s, want %s", tt.args, tt.listen, got, tt.want)
		}
		if got := strings.Contains(strings.Join(c.warnings(), "\n"), "invitations lead to"); got != tt.warn {
			t.Errorf("%q: warned about it: %v, want %v", tt.args, got, tt.warn)
		}
	}
}

// TestAllThatIsWrong: one look at a file says everything.
func TestAllThatIsWrong(t *testing.T) {
	_, err := loaded([]string{"--config", write(t, "colour = 1\nlog-level = \"loud\"\nshutdown = \"1h\"")}, []string{"TRIO_X=1"})
	if ws, _ := errors.AsType[wrongs](err); len(ws) != 4 {
		t.Errorf("%v", err)
	}
}

// TestExample: the example file is accepted, names every setting, and says the defaults.
func TestExample(t *testing.T) {
	const path = "../../../deploy/trio.toml"
	if _, err := loaded([]string{"--config", path}, nil); err != nil {
		t.Error(err)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var c config
	for _, s := range settings(&c) {
		m := regexp.MustCompile(`(?m)^(#?)` + s.name + ` = .*$`).FindSubmatch(b)
		if m == nil {
			t.Errorf("%s is not in the example", s.name)
			continue
		}
		if len(m[1]) == 0 || s.group == "TLS" {
			continue
		}
		file, ws := readFile(write(t, strings.TrimPrefix(string(m[0]), "#")), settings(&c))
		if len(ws) > 0 || file[s.name].value != s.def {
			t.Errorf("%s: the default is %q, not %q: %v", s.name, s.def, file[s.name].value, ws)
		}
	}
	// With TLS it is accepted too, once the files are there.
	cert, key := certificate(t, t.TempDir(), time.Now().Add(24*time.Hour))
	if _, err := loaded([]string{"--config", path, "--tls-cert", cert, "--tls-key", key}, nil); err != nil {
		t.Error(err)
	}
}

func TestHelp(t *testing.T) {
	var b bytes.Buffer
	all := settings(&config{})
	help(&b, flag.NewFlagSet("trio serve", flag.ContinueOnError), all)
	for _, s := range all {
		if !strings.Contains(b.String(), "--"+s.name+" "+s.arg+"\n") || s.def != "" && !strings.Contains(b.String(), "(default "+s.def+")") {
			t.Errorf("%s is not in the help", s.name)
		}
	}
}

// TestCertificateRenewed: connections get the new certificate, and the one before as long as the new one is half there.
func TestCertificateRenewed(t *testing.T) {
	dir := t.TempDir()
	cert, key := certificate(t, dir, time.Now().Add(time.Hour))
	var logged bytes.Buffer
	f := &certFile{cert: cert, key: key, log: slog.New(slog.NewTextHandler(&logged, nil))}
	if err := f.load(); err != nil {
		t.Fatal(err)
	}
	serial := func() int64 {
		f.looked = time.Time{}
		c, err := f.get(nil)
		if err != nil {
			t.Fatal(err)
		}
		return c.Leaf.SerialNumber.Int64()
	}
	first := serial()
	later := time.Now().Add(time.Minute)
	if err := errors.Join(os.WriteFile(cert, []byte("half"), 0o600), os.Chtimes(cert, later, later)); err != nil {
		t.Fatal(err)
	}
	if serial() != first || !strings.Contains(logged.String(), "the one before stays") {
		t.Errorf("a damaged certificate: %s", logged.String())
	}
	certificate(t, dir, time.Now().Add(2*time.Hour))
	if serial() == first || !strings.Contains(logged.String(), "certificate read again") {
		t.Errorf("a new certificate: %s", logged.String())
	}
}

// TestACME: only the named hosts get a certificate, and the challenge is answered on the listener itself.
func TestACME(t *testing.T) {
	c, err := loaded([]string{"--acme-hosts", "trio.example.com, b.example.com", "--data", t.TempDir()}, nil)
	if err != nil {
		t.Fatal(err)
	}
	conf, err := tlsConfig(c, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(strings.Join(conf.NextProtos, " "), "acme-tls/1") {
		t.Errorf("protocols %q", conf.NextProtos)
	}
	if _, err := conf.GetCertificate(&helloFor); err == nil || !strings.Contains(err.Error(), "not configured") {
		t.Errorf("a host that nobody named: %v", err)
	}
}

var helloFor = tls.ClientHelloInfo{
	ServerName: "other.example.com", CipherSuites: []uint16{tls.TLS_AES_128_GCM_SHA256}, SupportedVersions: []uint16{tls.VersionTLS13},
}

// TestNoCertificateIsTold: why the authority gave no certificate is in the log, once for many callers, and nothing of names that
// are not ours.
func TestNoCertificateIsTold(t *testing.T) {
	var out bytes.Buffer
	log := slog.New(slog.NewTextHandler(&out, nil))
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed.Close()
	conf, err := tlsConfig(&config{
		Data: t.TempDir(), ACMEHosts: []string{"trio.example.com"}, ACMEDirectory: "https://" + closed.Addr().String() + "/dir",
	}, log)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"other.example.com", "trio.example.com", "Trio.example.com"} {
		ours, peer := net.Pipe()
		go tls.Client(peer, &tls.Config{ServerName: name, InsecureSkipVerify: true}).Handshake() //nolint:errcheck,gosec // ours says it
		if err := tls.Server(ours, conf).Handshake(); err == nil {
			t.Errorf("%s has a certificate", name)
		}
		ours.Close()
		if told := strings.Count(out.String(), "no certificate by ACME"); (name == "other.example.com") != (told == 0) || told > 1 {
			t.Errorf("%s: told %d times: %s", name, told, out.String())
		}
	}
	if !strings.Contains(out.String(), "connection refused") {
		t.Errorf("the reason is not told: %s", out.String())
	}
}
