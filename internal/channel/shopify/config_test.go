package shopify

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"stockbridge/internal/channel/shopify/shopifytest"
	"stockbridge/internal/fault"
	"stockbridge/internal/outbound"
)

func TestSettingsAreChecked(t *testing.T) {
	t.Parallel()
	right := Config{Shop: "teapots.myshopify.com", AccessToken: "shpat_x"}
	with := func(f func(*Config)) Config {
		c := right
		f(&c)
		return c
	}
	for name, c := range map[string]struct {
		cfg    Config
		fields []string
	}{
		"right":    {right, nil},
		"capitals": {with(func(c *Config) { c.Shop = " Teapots.MyShopify.com " }), nil},
		"all": {with(func(c *Config) {
			c.APIVersion, c.LocationID, c.Endpoint = "unstable", "gid://shopify/Location/12", "http://[::1]:80/"
		}), nil},
		"number":           {with(func(c *Config) { c.APIVersion, c.LocationID = "2027-01", "12" }), nil},
		"nothing":          {Config{}, []string{"shop", "accessToken"}},
		"address":          {with(func(c *Config) { c.Shop = "https://teapots.myshopify.com" }), []string{"shop"}},
		"other host":       {with(func(c *Config) { c.Shop = "teapots.example.com" }), []string{"shop"}},
		"path":             {with(func(c *Config) { c.Shop = "teapots.myshopify.com/admin" }), []string{"shop"}},
		"token of lines":   {with(func(c *Config) { c.AccessToken = "hunter2\r\nX: y" }), []string{"accessToken"}},
		"version":          {with(func(c *Config) { c.APIVersion = "2026-11" }), []string{"apiVersion"}},
		"version too old":  {with(func(c *Config) { c.APIVersion = "2025-10" }), []string{"apiVersion"}},
		"location":         {with(func(c *Config) { c.LocationID = "East" }), []string{"locationId"}},
		"location of none": {with(func(c *Config) { c.LocationID = "gid://shopify/Location/" }), []string{"locationId"}},
		"endpoint":         {with(func(c *Config) { c.Endpoint = "ftp://u:hunter2@x" }), []string{"endpoint"}},
		"password":         {with(func(c *Config) { c.Endpoint = "https://u:hunter2@x" }), []string{"endpoint"}},
		"everything wrong": {Config{Shop: "x", AccessToken: " ", APIVersion: "1", LocationID: "y", Endpoint: "z"}, []string{"shop", "accessToken", "apiVersion", "locationId", "endpoint"}},
	} {
		st, err := New(c.cfg, outbound.Options{})
		var list fault.List
		errors.As(err, &list)
		var fields []string
		for _, f := range list {
			fields = append(fields, f.Field...)
		}
		if !slices.Equal(fields, c.fields) || err != nil && strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v", name, err)
		}
		if err == nil {
			if err := st.Close(); err != nil {
				t.Error(err)
			}
		}
	}
}

func TestTestTellsWhoAnsweredAndWhatIsMissing(t *testing.T) {
	t.Parallel()
	w := setup(t, 0, shopifytest.Config{}, Config{})
	words, err := w.store.Test(t.Context())
	if err != nil || !strings.Contains(words, "Teapots (teapots.myshopify.com)") || !strings.Contains(words, "200 OK") {
		t.Errorf("%q, %v", words, err)
	}
	for missing, scopes := range map[string][]string{
		"":                                   {"write_inventory"}, // who writes may read, locations too
		"write_inventory":                    {"read_inventory", "read_locations"},
		"write_inventory and read_inventory": {"write_locations", "read_products"},
	} {
		w := setup(t, 0, shopifytest.Config{Scopes: scopes}, Config{})
		words, err := w.store.Test(t.Context())
		if (missing == "") != (err == nil) || err != nil && (fault.CodeOf(err) != fault.CredentialsRefused || !strings.Contains(err.Error(), "lacks "+missing+";")) {
			t.Errorf("%s: %q, %v", missing, words, err)
		}
	}
	for want, how := range map[fault.Code]shopifytest.Answer{
		fault.CredentialsRefused: answer(401, ""), fault.Refused: answer(404, ""), fault.Unreachable: answer(500, ""), fault.Throttled: answer(429, ""), fault.BadReply: answer(200, "hello"),
	} {
		w := setup(t, 0, shopifytest.Config{}, Config{})
		w.Before(func(shopifytest.Call) shopifytest.Answer { return how })
		if _, err := w.store.Test(t.Context()); fault.CodeOf(err) != want || len(w.Calls()) != 1 || w.slept() != 0 {
			t.Errorf("%s: %v after %d requests", want, err, len(w.Calls()))
		}
	}
	later := setup(t, 0, shopifytest.Config{}, Config{})
	later.Before(func(shopifytest.Call) shopifytest.Answer {
		return answer(200, `{"data":{"shop":{"name":"T","myshopifyDomain":"t"},"currentAppInstallation":null}}`, "X-Shopify-Api-Version", "2027-10")
	})
	if words, err := later.store.Test(t.Context()); err != nil || !strings.Contains(words, "used 2027-10") {
		t.Errorf("%q, %v", words, err)
	}
}
