// Package outbound is how Stockbridge reaches other systems: every dial is checked
// against the address it really goes to, redirects and re-resolved names included,
// and replies and failures are judged by one rule.
package outbound

import (
	"context"
	"net"
	"net/http"
	"net/netip"
	"syscall"
	"time"

	"stockbridge/internal/fault"
)

// Policy says which addresses may be dialled.
type Policy struct {
	// AllowPrivate lets stores and warehouses live on private, loopback and link-local addresses.
	AllowPrivate bool
}

// Dialer refuses addresses the policy forbids after the name was resolved, so a
// name that points inside, or comes to do so later, is refused too (SSRF).
func (p Policy) Dialer() *net.Dialer {
	d := &net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second}
	if !p.AllowPrivate {
		d.ControlContext = func(_ context.Context, _, address string, _ syscall.RawConn) error {
			ap, err := netip.ParseAddrPort(address)
			if err != nil {
				return fault.Wrap(err, fault.AddressRefused, "address %s cannot be checked", address)
			}
			if !public(ap.Addr()) {
				return fault.New(fault.AddressRefused, "address %s is not a public one; start the server with --allow-private-endpoints to let warehouses and stores live there", ap.Addr())
			}
			return nil
		}
	}
	return d
}

// Client makes an HTTP client that keeps connections, up to perHost of them, and
// gives up on a reply whose header does not come within wait. It uses no proxy, since that would dial unchecked.
//
// Only GET and HEAD follow redirects, five at most and never from https to http;
// to another origin they carry no header that may hold a secret. Other methods get the redirecting reply itself.
func (p Policy) Client(perHost int, wait time.Duration) *http.Client {
	return &http.Client{CheckRedirect: follow, Transport: &http.Transport{
		DialContext:           p.Dialer().DialContext,
		ForceAttemptHTTP2:     true,
		MaxIdleConns:          perHost,
		MaxIdleConnsPerHost:   perHost,
		MaxConnsPerHost:       perHost,
		IdleConnTimeout:       90 * time.Second,
		TLSHandshakeTimeout:   10 * time.Second,
		ResponseHeaderTimeout: wait,
		ExpectContinueTimeout: time.Second,
	}}
}

func follow(req *http.Request, via []*http.Request) error {
	first := via[0]
	if first.Method != http.MethodGet && first.Method != http.MethodHead {
		return http.ErrUseLastResponse
	}
	if len(via) > 5 {
		return fault.New(fault.BadReply, "redirected more than five times, last to %s; set the url to where it leads", shown(req.URL))
	}
	if first.URL.Scheme == "https" && req.URL.Scheme != "https" {
		return fault.New(fault.BadReply, "redirected from https to %s, which is not encrypted", shown(req.URL))
	}
	if req.URL.Host != first.URL.Host || req.URL.Scheme != first.URL.Scheme {
		// net/http takes Authorization and cookies off, but not the headers in which platforms want their tokens.
		kept := http.Header{}
		for _, name := range []string{"Accept", "User-Agent"} {
			if v := req.Header.Values(name); v != nil {
				kept[name] = v
			}
		}
		req.Header = kept
	}
	return nil
}

// nat64 carries an IPv4 address in its last four bytes (RFC 6052): on networks that have IPv6 only, every IPv4 host has such
// an address, so the address inside decides.
var nat64 = netip.MustParsePrefix("64:ff9b::/96")

// globalV6 is all that is given out as global unicast addresses so far (RFC 4291, IANA registry).
var globalV6 = netip.MustParsePrefix("2000::/3")

// Prefixes that netip does not class as private but that are not the public internet (RFC 6890 and its registries).
var special = []netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"), netip.MustParsePrefix("100.64.0.0/10"), netip.MustParsePrefix("192.0.0.0/24"),
	netip.MustParsePrefix("192.0.2.0/24"), netip.MustParsePrefix("192.88.99.0/24"), netip.MustParsePrefix("198.18.0.0/15"),
	netip.MustParsePrefix("198.51.100.0/24"), netip.MustParsePrefix("203.0.113.0/24"), netip.MustParsePrefix("240.0.0.0/4"),
	netip.MustParsePrefix("2001::/23"), netip.MustParsePrefix("2001:db8::/32"), netip.MustParsePrefix("2002::/16"),
	netip.MustParsePrefix("3fff::/20"),
}

func public(a netip.Addr) bool {
	a = a.Unmap()
	if nat64.Contains(a) {
		b := a.As16()
		a = netip.AddrFrom4([4]byte(b[12:]))
	}
	if !a.IsGlobalUnicast() || a.IsPrivate() || a.Zone() != "" || a.Is6() && !globalV6.Contains(a) {
		return false
	}
	for _, p := range special {
		if p.Contains(a) {
			return false
		}
	}
	return true
}
