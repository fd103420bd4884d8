package outbound

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"stockbridge/internal/fault"
)

// spec 5.5: --allow-private-endpoints is off where stores and warehouses must not reach inside (SSRF).
func TestOnlyPublicAddressesAreDialled(t *testing.T) {
	t.Parallel()
	for addr, want := range map[string]bool{
		"8.8.8.8": true, "1.1.1.1": true, "172.32.0.1": true, "100.128.0.1": true, "192.0.1.1": true,
		"2606:4700:4700::1111": true, "2a00:1450:4001::1": true, "::ffff:8.8.8.8": true,
		"64:ff9b::808:808": true, // 8.8.8.8 by NAT64

		"0.0.0.0": false, "127.0.0.1": false, "127.255.255.254": false, "10.1.2.3": false, "172.16.0.1": false,
		"172.31.255.255": false, "192.168.1.1": false, "169.254.169.254": false, "100.64.0.1": false, "100.127.255.255": false,
		"192.0.0.8": false, "192.0.2.1": false, "198.18.0.1": false, "198.19.255.255": false, "198.51.100.7": false,
		"203.0.113.9": false, "224.0.0.1": false, "240.0.0.1": false, "255.255.255.255": false,
		"::": false, "::1": false, "::127.0.0.1": false, "::ffff:127.0.0.1": false, "::ffff:10.0.0.1": false,
		"::ffff:0:127.0.0.1": false, "64:ff9b::7f00:1": false, "64:ff9b::a00:1": false, "64:ff9b::6440:1": false,
		"64:ff9b:1::7f00:1": false, "100::1": false, "fe80::1": false, "fe80::1%eth0": false, "2606:4700::1%eth0": false,
		"fec0::1": false, "fc00::1": false, "fd12:3456::1": false, "ff02::1": false, "2001:db8::1": false, "2001::1": false,
		"2002:7f00:1::": false, "3fff::1": false, "5f00::1": false,
	} {
		ap := netip.AddrPortFrom(netip.MustParseAddr(addr), 443).String()
		err := Policy{}.Dialer().ControlContext(context.Background(), "tcp", ap, nil)
		if (err == nil) != want || err != nil && fault.CodeOf(err) != fault.AddressRefused {
			t.Errorf("%s: %v", ap, err)
		}
	}
	if err := (Policy{}).Dialer().ControlContext(context.Background(), "tcp", "localhost:80", nil); fault.CodeOf(err) != fault.AddressRefused {
		t.Errorf("an address that is none: %v", err)
	}
}

// The name is not what is checked: one that resolves inside, at once or later (DNS rebinding), is refused.
func TestNameThatResolvesInsideIsRefused(t *testing.T) {
	t.Parallel()
	reached := false
	srv := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached = true }))
	defer srv.Close()
	url := strings.Replace(srv.URL, "127.0.0.1", "localhost", 1)
	client := Policy{}.Client(1, time.Second)
	for _, u := range []string{url, srv.URL, strings.Replace(srv.URL, "127.0.0.1", "[::ffff:127.0.0.1]", 1), strings.Replace(srv.URL, "127.0.0.1", "2130706433", 1)} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, u, nil)
		if err != nil {
			t.Fatal(err)
		}
		r, err := Send(client, req, 100)
		if code := fault.CodeOf(err); code != fault.AddressRefused && (code != fault.Unreachable || !strings.Contains(u, "2130706433")) || r.Sent {
			t.Errorf("%s: %v", u, err)
		}
	}
	if reached {
		t.Error("the server was reached")
	}
}

func TestRedirectsCarryNoSecretElsewhere(t *testing.T) {
	t.Parallel()
	seen := make(chan http.Header, 9)
	end := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { seen <- r.Header }))
	defer end.Close()
	hop := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/home":
			seen <- r.Header
		case "/stay":
			http.Redirect(w, r, "/home", http.StatusFound)
		case "/loop":
			http.Redirect(w, r, "/loop", http.StatusFound)
		default:
			http.Redirect(w, r, end.URL+"/end?token=t", http.StatusTemporaryRedirect)
		}
	}))
	defer hop.Close()
	secure := httptest.NewTLSServer(http.RedirectHandler(end.URL, http.StatusFound))
	defer secure.Close()
	client := Policy{AllowPrivate: true}.Client(4, time.Second)
	client.Transport.(*http.Transport).TLSClientConfig = secure.Client().Transport.(*http.Transport).TLSClientConfig
	send := func(method, url string) (Reply, error) {
		req, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader("{}"))
		if err != nil {
			t.Fatal(err)
		}
		req.Header = http.Header{"Authorization": {"Bearer s"}, "X-Shopify-Access-Token": {"s"}, "Cookie": {"s=s"}, "Accept": {"application/json"}}
		return Send(client, req, 100)
	}
	secrets := func(h http.Header) int {
		return len(h["Authorization"]) + len(h["X-Shopify-Access-Token"]) + len(h["Cookie"]) + len(h["Referer"])
	}

	if r, err := send("GET", hop.URL+"/away"); err != nil || r.Check(time.Now()) != nil {
		t.Fatal(r, err)
	}
	if h := <-seen; secrets(h) != 0 || h.Get("Accept") == "" {
		t.Errorf("elsewhere came %v", h)
	}
	if _, err := send("GET", hop.URL+"/stay"); err != nil {
		t.Fatal(err)
	}
	if h := <-seen; secrets(h) < 3 {
		t.Errorf("at home came %v", h)
	}
	for url, code := range map[string]fault.Code{hop.URL + "/loop": fault.BadReply, secure.URL: fault.BadReply} {
		if _, err := send("GET", url); fault.CodeOf(err) != code {
			t.Errorf("%s: %v", url, err)
		}
	}
	for _, method := range []string{"POST", "PUT"} {
		r, err := send(method, hop.URL+"/away")
		if err == nil {
			err = r.Check(time.Now())
		}
		if words := "moved to " + end.URL + "/end; set the url to it"; fault.CodeOf(err) != fault.Refused || !strings.Contains(err.Error(), words) {
			t.Errorf("%s: %v", method, err)
		}
	}
	if len(seen) != 0 {
		t.Errorf("a body was sent elsewhere: %v", <-seen)
	}
}
