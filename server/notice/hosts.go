package notice

import (
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"trio/server/store"
)

// DefaultHosts are the push services of browsers: Chrome and what stems from it, Firefox, Safari, Edge on Windows.
var DefaultHosts = []string{"fcm.googleapis.com", "*.push.services.mozilla.com", "*.push.apple.com", "*.notify.windows.com"}

// Hosts says where notices may be sent.
type Hosts struct {
	Names   []string // "push.example.net", "*.example.net" for what ends so, or "*" for any; none: DefaultHosts
	Private bool     // addresses that are not of the internet, and other ports than 443: push services of one's own, tests
}

// CheckHost says what is wrong with a name in Hosts, "" for nothing.
func CheckHost(name string) string {
	host := strings.TrimPrefix(name, "*.")
	if name == "*" {
		return ""
	}
	for _, c := range []byte(host) {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' && c != '.' {
			return "want a name in small letters such as push.example.net or *.example.net"
		}
	}
	if host == "" || host[0] == '.' || strings.HasSuffix(host, ".") {
		return "want a name such as push.example.net or *.example.net"
	}
	return ""
}

// Check parses an endpoint; what is wrong with it is said for the device's log, without the endpoint, which is a secret.
func (h *Hosts) Check(endpoint string) (*url.URL, error) {
	if len(endpoint) > store.MaxEndpoint {
		return nil, fmt.Errorf("has %d bytes: at most %d", len(endpoint), store.MaxEndpoint)
	}
	for _, c := range []byte(endpoint) {
		if c <= ' ' || c >= 0x7f {
			return nil, fmt.Errorf("has characters that no URL has")
		}
	}
	u, err := url.Parse(endpoint)
	switch {
	case err != nil || u.Host == "" || u.Opaque != "":
		return nil, fmt.Errorf("is no URL")
	case u.Scheme != "https":
		return nil, fmt.Errorf("has to begin with https://")
	case u.User != nil || u.Fragment != "":
		return nil, fmt.Errorf("has a user or a fragment, as no push service's has")
	case u.Port() != "" && u.Port() != "443" && !h.Private:
		return nil, fmt.Errorf("has another port than 443")
	}
	host := strings.ToLower(u.Hostname())
	if h.allows(host) {
		return u, nil
	}
	return nil, fmt.Errorf("is of %.80q, which is none of the push services that this server sends to", host)
}

func (h *Hosts) names() []string {
	if len(h.Names) == 0 {
		return DefaultHosts
	}
	return h.Names
}

func (h *Hosts) allows(host string) bool { return h.number(host) >= 0 }

// number is the place among the names of the one that a host goes by; -1: it may not be sent to.
func (h *Hosts) number(host string) int {
	return slices.IndexFunc(h.names(), func(name string) bool {
		end, ok := strings.CutPrefix(name, "*.")
		return name == "*" || name == host || ok && strings.HasSuffix(host, "."+end)
	})
}

// service is the number of the push service of an endpoint; 0 too where it is of none, which is found when it is sent to.
func (h *Hosts) service(endpoint string) int {
	u, err := url.Parse(endpoint)
	if err != nil {
		return 0
	}
	return max(h.number(strings.ToLower(u.Hostname())), 0)
}

// reserved are networks that are not of the internet, beside those that netip knows, and those that lead into others.
var reserved = func() (all []netip.Prefix) {
	for _, s := range []string{
		"0.0.0.0/8", "100.64.0.0/10", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "240.0.0.0/4",
		"::/96", "64:ff9b::/96", "64:ff9b:1::/48", "100::/64", "2001::/23", "2001:db8::/32", "2002::/16", "fec0::/10",
	} {
		all = append(all, netip.MustParsePrefix(s))
	}
	return all
}()

// dials says whether a connection to an address that a name was resolved to may be opened.
func (h *Hosts) dials(address string) error {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return err
	}
	a, err := netip.ParseAddr(host)
	if err != nil {
		return err
	}
	if a = a.Unmap().WithZone(""); h.Private || public(a) {
		return nil
	}
	return errPrivate
}

// errPrivate does not name the address: what a name resolves to here is nobody's business.
var errPrivate = fmt.Errorf("the push service's name leads to an address that is not of the internet")

func public(a netip.Addr) bool {
	if !a.IsGlobalUnicast() || a.IsPrivate() || a.IsLoopback() || a.IsLinkLocalUnicast() {
		return false
	}
	for _, p := range reserved {
		if p.Contains(a) {
			return false
		}
	}
	return true
}
