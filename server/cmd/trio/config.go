package main

import (
	"cmp"
	"crypto/tls"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/pelletier/go-toml/v2"

	"trio/crdt/wire"
	"trio/server/admin"
	"trio/server/notice"
	"trio/server/ops"
)

// config is what trio serve is told.
type config struct {
	Data        string
	Listen      string
	Connections int
	Proxies     []netip.Prefix
	PublicURL   string
	App         string // folder
	Origins     []string
	Operator    string

	TLSCert, TLSKey                     string
	ACMEHosts                           []string
	ACMECache, ACMEEmail, ACMEDirectory string

	Limits ops.Limits

	FitAt       time.Duration // after midnight; below zero: never
	BoardsEvery time.Duration // 0: never

	Notices, NoticePrivate string // on or off
	NoticeSubject          string
	NoticeHosts            []string

	LogLevel  slog.Level
	LogFormat string
	Shutdown  time.Duration

	from map[string]string // where a setting was set: a flag, a variable, a line of the file
}

// A setting is one field of config: a flag, an environment variable and a key of the file, all of one name.
type setting struct {
	group string // heading in the help
	name  string
	arg   string // its form, in the help
	help  string
	want  string // in the hint when set refuses a value
	set   func(string) bool
	def   string
}

// settings returns the settings, which write to c, and gives c the defaults.
func settings(c *config) []setting {
	all := []setting{
		{"data", "data", "FOLDER", "of the server's database; it is made when it is not there", "a folder", text(&c.Data), "data"},

		{"public listener", "listen", "HOST:PORT", "for devices and companies", wantAddr, address(&c.Listen, false), "127.0.0.1:8787"},
		{
			"public listener", "max-connections", "NUMBER", "of connections served at one time; about 14 KB of memory each, 22 with TLS, and one open file",
			"a number from 1 to 1000000", number(&c.Connections, 1, 1_000_000), "10000",
		},
		{
			"public listener", "trusted-proxies", "NETWORKS", "whose X-Forwarded-For says where a request comes from, separated by commas",
			"networks such as 10.0.0.0/8, separated by commas", networks(&c.Proxies), "127.0.0.0/8,::1/128",
		},
		{
			"public listener", "origins", "ORIGINS", "besides the server's own whose pages may sync with a device's cookie, separated by commas",
			"origins such as https://app.example.com, separated by commas", origins(&c.Origins), "",
		},

		{
			"public listener", "public-url", "URL", "that devices reach the server by, for the links of invitations; empty is made of listen and the TLS settings",
			"a URL such as https://trio.example.com", publicURL(&c.PublicURL), "",
		},

		{"public listener", "app", "FOLDER", "of a build of the app of phones to serve under /app/; empty is the one that is built in, off is none", "a folder, or off", text(&c.App), ""},

		{"TLS", "tls-cert", "FILE", "certificate with its chain (PEM); read again when it changes", "a file", text(&c.TLSCert), ""},
		{"TLS", "tls-key", "FILE", "key of the certificate (PEM)", "a file", text(&c.TLSKey), ""},
		{
			"TLS", "acme-hosts", "NAMES", "to get certificates for by ACME, separated by commas, accepting the authority's terms; it must reach this server at port 443",
			"names such as trio.example.com, separated by commas", names(&c.ACMEHosts), "",
		},
		{"TLS", "acme-cache", "FOLDER", "of certificates from ACME; empty is the folder acme in the data folder", "a folder", text(&c.ACMECache), ""},
		{"TLS", "acme-email", "ADDRESS", "for the authority to write to", "an address", text(&c.ACMEEmail), ""},
		{"TLS", "acme-directory", "URL", "of the authority; empty is Let's Encrypt", "a URL that begins with https://", httpsURL(&c.ACMEDirectory), ""},

		{
			"operator's listener", "operator", "HOST:PORT", "for /metrics, /readyz, /healthz and /debug/pprof/, without a password; empty is none",
			wantAddr, address(&c.Operator, true), "127.0.0.1:8788",
		},

		{
			"limits", "stranger-rate", "PER-SECOND", "requests without a valid token, of one address", wantRate,
			rate(&c.Limits.Strangers.PerSecond), "5",
		},
		{"limits", "stranger-burst", "NUMBER", "of them at once", wantBurst, number(&c.Limits.Strangers.Burst, 1, 100_000), "100"},
		{"limits", "device-rate", "PER-SECOND", "requests of one device, connecting included", wantRate, rate(&c.Limits.Device.PerSecond), "1"},
		{"limits", "device-burst", "NUMBER", "of them at once", wantBurst, number(&c.Limits.Device.Burst, 1, 100_000), "60"},
		{
			"limits", "feed-rate", "PER-SECOND", fmt.Sprintf("requests of one company, for its feed or its people; faster ones wait their turn, up to %v", ops.MaxPace), wantRate,
			rate(&c.Limits.Company.PerSecond), "20",
		},
		{"limits", "feed-burst", "NUMBER", "of them at once", wantBurst, number(&c.Limits.Company.Burst, 1, 100_000), "100"},
		{
			"limits", "change-rate", "PER-SECOND", "changes that one device pushes; a faster one is read more slowly, and nothing is refused", wantRate,
			rate(&c.Limits.Changes.PerSecond), "500",
		},
		{"limits", "change-burst", "NUMBER", "of them at once", wantChanges, number(&c.Limits.Changes.Burst, wire.MaxChanges, 100_000_000), "20000"},
		{
			"limits", "company-change-rate", "PER-SECOND", "changes that all devices of one company push to this server, likewise", wantRate,
			rate(&c.Limits.CompanyChanges.PerSecond), "20000",
		},
		{
			"limits", "company-change-burst", "NUMBER", "of them at once", wantChanges,
			number(&c.Limits.CompanyChanges.Burst, wire.MaxChanges, 100_000_000), "200000",
		},
		{
			"limits", "unproved-connections", "NUMBER", "of one network (IPv4 /24, IPv6 /48) that have shown no valid token yet; those of trusted-proxies are not counted",
			"a number from 1 to 1000000", number(&c.Limits.Unknown, 1, 1_000_000), "256",
		},
		{
			"limits", "member-connections", "NUMBER", "of one member's devices at one time; the oldest gives way",
			"a number from 1 to 10000", number(&c.Limits.Member, 1, 10_000), "32",
		},

		{
			"learning", "fit-at", "HH:MM", "of the night, by this machine's clock, at which each company's playbook learns from what its members logged; off: never",
			"a time of day such as 03:30, or off", clock(&c.FitAt), "03:30",
		},

		{
			"boards", "boards-every", "DURATION", "from one look at what members did to the next, for leaderboards and reports to sponsors; 0: only what trio board reads",
			"a duration from 10s to 24h, such as 5m, or 0", func(s string) bool {
				if s == "0" {
					c.BoardsEvery = 0
					return true
				}
				return duration(&c.BoardsEvery, 10*time.Second, 24*time.Hour)(s)
			}, "5m",
		},

		{
			"notices", "notices", "on|off", "devices whose members ask for it are told what is due, by the push services of their browsers",
			"on or off", choice(&c.Notices, "on", "off"), "on",
		},
		{
			"notices", "notice-subject", "URL", "where push services may write to you, mailto: or https:; empty is public-url, and no notices where that is not https",
			"mailto:somebody@example.com or https://example.com", subject(&c.NoticeSubject), "",
		},
		{
			"notices", "notice-hosts", "NAMES", "of push services that notices may be sent to, separated by commas; *.example.net for what ends so, * for any",
			"names such as push.example.net or *.example.net, separated by commas", pushHosts(&c.NoticeHosts), strings.Join(notice.DefaultHosts, ","),
		},
		{
			"notices", "notice-private", "on|off", "push services may have private addresses, and other ports than 443: only for ones of your own",
			"on or off", choice(&c.NoticePrivate, "on", "off"), "off",
		},

		{"logs", "log-level", "LEVEL", "debug, info, warn or error", "debug, info, warn or error", level(&c.LogLevel), "info"},
		{"logs", "log-format", "FORMAT", "text or json", "text or json", choice(&c.LogFormat, "text", "json"), "text"},

		{
			"shutdown", "shutdown", "DURATION", "that a server takes to end at most, such as 10s: devices are told to come back, and all is written",
			"a duration from 1s to 10m", duration(&c.Shutdown, time.Second, 10*time.Minute), "10s",
		},
	}
	for _, s := range all {
		if !s.set(s.def) {
			panic("default of " + s.name) // a test makes all of them
		}
	}
	return all
}

const (
	wantAddr  = "HOST:PORT, such as 127.0.0.1:8787, or 0.0.0.0:8787 for all of the machine's addresses"
	wantRate  = "a number above 0 and up to 100000"
	wantBurst = "a number from 1 to 100000"

	wantChanges = "a number from 4096, which is the most in one frame, to 100000000"
)

func text(p *string) func(string) bool { return func(s string) bool { *p = s; return true } }

func choice(p *string, of ...string) func(string) bool {
	return func(s string) bool { *p = s; return slices.Contains(of, s) }
}

func level(p *slog.Level) func(string) bool {
	return func(s string) bool {
		return slices.Contains([]string{"debug", "info", "warn", "error"}, s) && p.UnmarshalText([]byte(s)) == nil
	}
}

func number(p *int, least, most int) func(string) bool {
	return func(s string) (ok bool) {
		n, err := strconv.Atoi(s)
		*p = n
		return err == nil && n >= least && n <= most
	}
}

func rate(p *float64) func(string) bool {
	return func(s string) bool {
		n, err := strconv.ParseFloat(s, 64)
		*p = n
		return err == nil && n > 0 && n <= 100_000
	}
}

func duration(p *time.Duration, least, most time.Duration) func(string) bool {
	return func(s string) bool {
		d, err := time.ParseDuration(s)
		*p = d
		return err == nil && d >= least && d <= most
	}
}

// clock reads a time of day, as what passes from midnight on; -1 for off.
func clock(p *time.Duration) func(string) bool {
	return func(s string) bool {
		if s == "off" {
			*p = -1
			return true
		}
		t, err := time.Parse("15:04", s)
		*p = time.Duration(t.Hour())*time.Hour + time.Duration(t.Minute())*time.Minute
		return err == nil && len(s) == len("15:04")
	}
}

func address(p *string, empty bool) func(string) bool {
	return func(s string) bool {
		*p = s
		if s == "" {
			return empty
		}
		_, port, err := net.SplitHostPort(s)
		if err != nil {
			return false
		}
		_, err = strconv.ParseUint(port, 10, 16)
		return err == nil
	}
}

func httpsURL(p *string) func(string) bool {
	return func(s string) bool { *p = s; return s == "" || strings.HasPrefix(s, "https://") }
}

func publicURL(p *string) func(string) bool {
	return func(s string) bool {
		*p = s
		_, err := admin.ParsePublicURL(s)
		return s == "" || err == nil
	}
}

func subject(p *string) func(string) bool {
	return func(s string) bool { *p = s; return s == "" || notice.CheckSubject(s) == "" }
}

func pushHosts(p *[]string) func(string) bool {
	return func(s string) bool {
		*p = parts(s)
		return !slices.ContainsFunc(*p, func(h string) bool { return notice.CheckHost(h) != "" })
	}
}

// notices says how devices are told what is due; nil: they are not.
func (c *config) notices() *notice.Config {
	to := c.NoticeSubject
	if to == "" && strings.HasPrefix(c.PublicURL, "https://") && notice.CheckSubject(c.PublicURL) == "" {
		to = c.PublicURL
	}
	if c.Notices != "on" || to == "" {
		return nil
	}
	return &notice.Config{Subject: to, Hosts: notice.Hosts{Names: c.NoticeHosts, Private: c.NoticePrivate == "on"}}
}

// parts splits a list at its commas.
func parts(s string) (list []string) {
	for p := range strings.SplitSeq(s, ",") {
		if p = strings.TrimSpace(p); p != "" {
			list = append(list, p)
		}
	}
	return list
}

var hostName = regexp.MustCompile(`^[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+$`)

func names(p *[]string) func(string) bool {
	return func(s string) bool {
		*p = parts(s)
		return !slices.ContainsFunc(*p, func(n string) bool { return !hostName.MatchString(n) })
	}
}

func origins(p *[]string) func(string) bool {
	return func(s string) bool {
		*p = parts(s)
		return !slices.ContainsFunc(*p, func(o string) bool {
			u, err := url.Parse(o)
			return err != nil || u.Host == "" || o != u.Scheme+"://"+u.Host || u.Scheme != "https" && u.Scheme != "http"
		})
	}
}

func networks(p *[]netip.Prefix) func(string) bool {
	return func(s string) bool {
		*p = nil
		for _, part := range parts(s) {
			n, err := netip.ParsePrefix(part)
			if err != nil {
				a, err := netip.ParseAddr(part)
				if err != nil {
					return false
				}
				n = netip.PrefixFrom(a, a.BitLen())
			}
			*p = append(*p, n)
		}
		return true
	}
}

// wrongs are all that is wrong with a configuration.
type wrongs []*wrong

func (ws wrongs) Error() string {
	if len(ws) == 1 {
		return ws[0].msg
	}
	return fmt.Sprintf("%s, and %d more", ws[0].msg, len(ws)-1)
}

// given is a value with where it comes from.
type given struct {
	value, where string
	line         int // of the file
}

// load reads settings from args, else the environment, else the file that --config or TRIO_CONFIG names, else the
// defaults. It reports all that is wrong with them at once.
func load(fs *flag.FlagSet, args, environ []string) (*config, error) {
	c := &config{from: map[string]string{}}
	all := settings(c)
	env, ws := variables(all, environ)
	flags := map[string]given{}
	for _, name := range append([]string{"config"}, namesOf(all)...) {
		fs.Func(name, "", func(v string) error {
			flags[name] = given{value: v, where: "--" + name}
			return nil
		})
	}
	out := fs.Output()
	fs.SetOutput(io.Discard)
	fs.Usage = func() {}
	switch err := fs.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		if fs.Name() != "trio serve" {
			all = nil // trio serve lists them
		}
		help(os.Stdout, fs, all)
		return nil, err
	case err != nil:
		return nil, &wrong{err.Error(), fmt.Sprintf("see %s --help", fs.Name()), 2}
	}
	fs.SetOutput(out)
	if err := noMore(fs); err != nil {
		return nil, err
	}
	file := map[string]given{}
	path := cmp.Or(flags["config"].value, env["config"].value)
	if path != "" {
		var more wrongs
		file, more = readFile(path, all)
		ws = append(ws, more...)
	}
	bad := map[string]bool{}
	for _, s := range all {
		g, ok := flags[s.name]
		if !ok {
			g, ok = env[s.name]
		}
		if !ok {
			g, ok = file[s.name]
		}
		if !ok {
			continue
		}
		c.from[s.name] = g.where
		if !s.set(g.value) {
			bad[s.name] = true
			ws = append(ws, &wrong{fmt.Sprintf("%s: %s is %.60q", g.where, s.name, g.value), "want " + s.want, 2})
		}
	}
	if len(bad) == 0 {
		ws = append(ws, c.check()...)
	}
	if len(ws) > 0 {
		return c, ws
	}
	return c, nil
}

func namesOf(all []setting) (list []string) {
	for _, s := range all {
		list = append(list, s.name)
	}
	return list
}

// variable is the environment variable of a setting.
func variable(name string) string {
	return "TRIO_" + strings.ToUpper(strings.ReplaceAll(name, "-", "_"))
}

// notOurs are variables that begin like ours: of trio pull, of tests, and those that a cluster makes for a service named trio.
var notOurs = regexp.MustCompile(`^TRIO_KEY$|^TRIO_TEST_|(_SERVICE_(HOST|PORT)|_PORT)(_|$)`)

func variables(all []setting, environ []string) (map[string]given, wrongs) {
	known := map[string]string{}
	for _, name := range append([]string{"config"}, namesOf(all)...) {
		known[variable(name)] = name
	}
	env, ws := map[string]given{}, wrongs(nil)
	for _, e := range environ {
		k, v, _ := strings.Cut(e, "=")
		switch name, ok := known[k]; {
		case ok:
			env[name] = given{value: v, where: k}
		case strings.HasPrefix(k, "TRIO_") && !notOurs.MatchString(k):
			ws = append(ws, &wrong{fmt.Sprintf("%s: no setting has this name", k), "unset it" + meant(k, known), 2})
		}
	}
	return env, ws
}

// readFile reads settings from a TOML file without tables.
func readFile(path string, all []setting) (map[string]given, wrongs) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, wrongs{{fmt.Sprintf("configuration not read: %v", err), "name a file that is there with --config or TRIO_CONFIG", 2}}
	}
	values := map[string]any{}
	if err := toml.Unmarshal(b, &values); err != nil {
		where := path
		if e, ok := errors.AsType[*toml.DecodeError](err); ok {
			line, _ := e.Position()
			where = fmt.Sprintf("%s:%d", path, line)
		}
		return nil, wrongs{{
			fmt.Sprintf("%s: not a line of settings: %s", where, strings.TrimPrefix(err.Error(), "toml: ")),
			`write one a line: name = "text", name = 12 or name = ["one", "two"], each once`, 2,
		}}
	}
	known := map[string]string{}
	for _, name := range namesOf(all) {
		known[name] = name
	}
	file, ws := map[string]given{}, wrongs(nil)
	for name, v := range values {
		g := given{where: path, line: lineOf(b, name)}
		if g.line > 0 {
			g.where = fmt.Sprintf("%s:%d", path, g.line)
		}
		_, table := v.(map[string]any)
		switch {
		case table && known[name] == "":
			ws = append(ws, &wrong{fmt.Sprintf("%s: [%s]: settings stand in no table", g.where, name), "write them without [headings] and dots", 2})
		case known[name] == "":
			ws = append(ws, &wrong{fmt.Sprintf("%s: no setting is named %.60q", g.where, name), "remove the line" + meant(name, known), 2})
		default:
			g.value = plain(v)
			file[name] = g
		}
	}
	slices.SortFunc(ws, func(a, b *wrong) int { return cmp.Compare(a.msg, b.msg) })
	return file, ws
}

// plain is a value of the file as a flag would give it.
func plain(v any) string {
	list, ok := v.([]any)
	if !ok {
		return fmt.Sprint(v)
	}
	words := make([]string, len(list))
	for i := range list {
		words[i] = fmt.Sprint(list[i])
	}
	return strings.Join(words, ",")
}

// lineOf returns the line on which a key or table stands, or 0.
func lineOf(b []byte, name string) int {
	begins := regexp.MustCompile(`^\s*\[*\s*["']?` + regexp.QuoteMeta(name) + `["']?\s*[]=.]`)
	n := 0
	for line := range strings.Lines(string(b)) {
		if n++; begins.MatchString(line) {
			return n
		}
	}
	return 0
}

// meant suggests the known name that is nearest to a mistyped one, if one is near.
func meant(name string, known map[string]string) string {
	best, least := "", 3
	for k := range known {
		if d := distance(name, k); d < least || d == least && k < best {
			best, least = k, d
		}
	}
	if best == "" {
		return "; trio serve --help lists the settings"
	}
	return fmt.Sprintf(", or write %s", best)
}

// distance is how many letters to add, drop or change to make b of a.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}

// check says what is wrong with settings that are each well-formed: with several together, or with what they name.
func (c *config) check() (ws wrongs) {
	bad := func(name, hint, format string, args ...any) {
		where := ""
		if at := c.from[name]; at != "" {
			where = at + ": "
		}
		ws = append(ws, &wrong{where + fmt.Sprintf(format, args...), hint, 2})
	}
	switch {
	case c.Data == "":
		bad("data", "name the folder of the server's data", "data is empty")
	default:
		if info, err := os.Stat(c.Data); err == nil && !info.IsDir() {
			bad("data", "name a folder", "data: %s is not a folder", c.Data)
		}
	}
	if c.Operator != "" && c.Operator == c.Listen && !strings.HasSuffix(c.Listen, ":0") {
		bad("operator", "give the operator's listener another port", "operator and listen are the same address")
	}
	switch {
	case len(c.ACMEHosts) > 0 && c.TLSCert+c.TLSKey != "":
		bad("acme-hosts", "remove either", "certificates come from acme-hosts or from tls-cert and tls-key, not from both")
	case c.TLSCert != "" && c.TLSKey == "":
		bad("tls-cert", "name the file of its key: tls-key", "tls-cert is set and tls-key is not")
	case c.TLSKey != "" && c.TLSCert == "":
		bad("tls-key", "name the file of its certificate: tls-cert", "tls-key is set and tls-cert is not")
	case c.TLSCert != "":
		pair, err := tls.LoadX509KeyPair(c.TLSCert, c.TLSKey)
		switch {
		case err != nil:
			bad("tls-cert", "name files in PEM form that belong together and that the server may read", "certificate not loaded: %v", err)
		case time.Now().After(pair.Leaf.NotAfter):
			bad("tls-cert", "renew it", "certificate ended on %s", pair.Leaf.NotAfter.Format(time.DateOnly))
		}
	}
	if len(c.ACMEHosts) == 0 {
		for name, v := range map[string]string{"acme-cache": c.ACMECache, "acme-email": c.ACMEEmail, "acme-directory": c.ACMEDirectory} {
			if v != "" {
				bad(name, "set acme-hosts too, or remove it", "%s is set and acme-hosts is not", name)
			}
		}
	}
	slices.SortFunc(ws, func(a, b *wrong) int { return cmp.Compare(a.msg, b.msg) })
	return ws
}

// warnings are what an operator should know of settings that are not wrong.
func (c *config) warnings() (list []string) {
	if host, _, err := net.SplitHostPort(c.Operator); err == nil {
		if a, err := netip.ParseAddr(host); (err != nil || !a.IsLoopback()) && host != "localhost" {
			list = append(list, "operator's listener has no password: let only the operator reach "+c.Operator)
		}
	}
	if w := c.badLinks(); w != "" {
		list = append(list, w)
	}
	if n := openFiles(); n > 0 && uint64(c.Connections)+100 > n {
		list = append(list, fmt.Sprintf("only %d files may be open, too few for %d connections: raise the limit (ulimit -n, LimitNOFILE=)", n, c.Connections))
	}
	return list
}

// badLinks says that links of invitations lead where devices cannot follow, "" when nothing speaks for it: to this machine itself although
// the server listens for others, or to a private network although it has a public name or address, or a proxy before
// it that the settings name.
func (c *config) badLinks() string {
	u, err := url.Parse(c.publicURL(c.Listen))
	host, _, err2 := net.SplitHostPort(c.Listen)
	if err != nil || err2 != nil {
		return ""
	}
	listen, _ := netip.ParseAddr(host)
	public := len(c.ACMEHosts) > 0 || c.from["trusted-proxies"] != "" || listen.IsGlobalUnicast() && !listen.IsPrivate()
	switch a, err := netip.ParseAddr(u.Hostname()); {
	case loopback(u.Hostname()) && (public || !loopback(host)):
		return fmt.Sprintf("invitations lead to %s, which other machines cannot reach: set public-url", u)
	case err == nil && a.IsPrivate() && public:
		return fmt.Sprintf("invitations lead to %s, which only machines of that network can reach: set public-url", u)
	}
	return ""
}

// loopback reports whether a host is this machine for itself alone.
func loopback(host string) bool {
	a, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && a.IsLoopback()
}

// publicURL is what devices reach the server by that listens at an address, as far as the settings tell.
func (c *config) publicURL(listen string) string {
	if c.PublicURL != "" {
		return c.PublicURL
	}
	u := url.URL{Scheme: "http", Host: listen}
	host, port, err := net.SplitHostPort(listen)
	if err != nil {
		return u.String()
	}
	if c.tls() {
		u.Scheme = "https"
	}
	if a, err := netip.ParseAddr(host); host == "" || err == nil && a.IsUnspecified() {
		host = "localhost"
	}
	if len(c.ACMEHosts) > 0 {
		host = c.ACMEHosts[0]
	}
	if u.Host = net.JoinHostPort(host, port); port == map[string]string{"http": "80", "https": "443"}[u.Scheme] {
		u.Host = strings.TrimSuffix(u.Host, ":"+port)
	}
	return u.String()
}

// tls reports whether the public listener speaks TLS.
func (c *config) tls() bool { return c.TLSCert != "" || len(c.ACMEHosts) > 0 }

// help tells of a command's own flags and of its settings: none where it only takes those of trio serve.
func help(w io.Writer, fs *flag.FlagSet, all []setting) {
	fmt.Fprintf(w, "usage: %s [--config FILE] [--SETTING VALUE ...]\n\n", fs.Name())
	if len(all) == 0 {
		fmt.Fprintln(w, "It takes the settings of trio serve, so that both mean the same server; trio serve --help lists them.")
	} else {
		fmt.Fprintf(w, `Each setting is a flag, or else an environment variable (%s for listen), or else a line of the file
(listen = "127.0.0.1:8787"), or else its default. trio config check says what is wrong with them.
`, variable("listen"))
	}
	fmt.Fprint(w, "\n  --config FILE\n        with settings, in TOML\n")
	fs.VisitAll(func(f *flag.Flag) {
		if f.Usage != "" {
			fmt.Fprintf(w, "  --%s\n        %s\n", f.Name, f.Usage)
		}
	})
	group := ""
	for _, s := range all {
		if s.group != group {
			group = s.group
			fmt.Fprintf(w, "\n%s\n", group)
		}
		def := "empty"
		if s.def != "" {
			def = s.def
		}
		fmt.Fprintf(w, "  --%s %s\n        %s (default %s)\n", s.name, s.arg, s.help, def)
	}
}
