package vendure_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"stockbridge/internal/channel"
	"stockbridge/internal/channel/onhand/onhandtest"
	"stockbridge/internal/channel/vendure"
	"stockbridge/internal/channel/vendure/vendurereal"
	"stockbridge/internal/fault"
	"stockbridge/internal/outbound"
)

func connect(t *testing.T, cfg vendure.Config) *vendure.Store {
	t.Helper()
	return onhandtest.Open(t, vendure.New, cfg, outbound.Options{Name: "vendure store", Network: outbound.Policy{AllowPrivate: true}})
}

func batch(levels ...channel.Level) channel.Batch {
	return channel.Batch{Store: "st", Run: "r", Key: "k", Levels: levels}
}

func push(t *testing.T, st channel.Sink, levels ...channel.Level) []channel.Outcome {
	t.Helper()
	outcomes, err := st.Push(t.Context(), batch(levels...))
	if err != nil || len(outcomes) != len(levels) {
		t.Fatalf("%+v, %v", outcomes, err)
	}
	return outcomes
}

func acknowledged(t *testing.T, st channel.Sink, levels ...channel.Level) {
	t.Helper()
	for i, o := range push(t, st, levels...) {
		if o != (channel.Outcome{Verdict: channel.Acknowledged}) {
			t.Errorf("%+v: %+v", levels[i], o)
		}
	}
}

// between is a proxy before an API: asked sees every query before it goes on, and told changes every reply.
func between(t *testing.T, api string, asked func(query string), told func(reply string) string) string {
	t.Helper()
	to, err := url.Parse(api)
	if err != nil {
		t.Fatal(err)
	}
	proxy := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.Out.URL.Scheme, r.Out.URL.Host = to.Scheme, to.Host
			r.Out.Header.Del("Accept-Encoding") // replies are read here
		},
		ModifyResponse: func(r *http.Response) error {
			body, err := io.ReadAll(r.Body)
			if err != nil {
				return err
			}
			changed := told(string(body))
			r.Body = io.NopCloser(strings.NewReader(changed))
			r.ContentLength = int64(len(changed))
			r.Header.Set("Content-Length", strconv.Itoa(len(changed)))
			return nil
		},
	}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		asked(string(body))
		r.Body = io.NopCloser(bytes.NewReader(body))
		proxy.ServeHTTP(w, r)
	}))
	t.Cleanup(srv.Close)
	return srv.URL + to.Path
}

// wire.md, "Vendure", against a real one. The parts share a shop, since it takes seconds to start, and use SKUs of their own.
func TestRealVendure(t *testing.T) {
	t.Parallel()
	shop := vendurereal.Start(t)
	cfg := vendure.Config{URL: shop.Admin, Username: vendurereal.Username, Password: vendurereal.Password}

	t.Run("what is pushed can be sold", func(t *testing.T) {
		shop.SetupVariant("SELL")
		st := connect(t, cfg)
		for _, n := range []int64{12, 0, 7} {
			acknowledged(t, st, channel.Level{SKU: "SELL", Quantity: n})
			if got := shop.SaleableStock("SELL"); got != n {
				t.Errorf("pushed %d, for sale are %d", n, got)
			}
		}
	})

	// The trap of wire.md: Vendure takes its own allocations off what it is told.
	t.Run("what is allocated is added back", func(t *testing.T) {
		shop.SetupVariant("ORDERED")
		st := connect(t, cfg)
		acknowledged(t, st, channel.Level{SKU: "ORDERED", Quantity: 10})
		order := shop.PlaceOrder("ORDERED", 4)
		if onHand, allocated := shop.Level("ORDERED", "1"); onHand != 10 || allocated != 4 {
			t.Fatalf("after the order %d on hand, %d allocated", onHand, allocated)
		}
		acknowledged(t, st, channel.Level{SKU: "ORDERED", Quantity: 9})
		if onHand, allocated := shop.Level("ORDERED", "1"); onHand != 13 || allocated != 4 || shop.SaleableStock("ORDERED") != 9 {
			t.Errorf("%d on hand, %d allocated, %d for sale; want 13, 4 and 9", onHand, allocated, shop.SaleableStock("ORDERED"))
		}
		shop.Ship(order)
		if got := shop.SaleableStock("ORDERED"); got != 9 {
			t.Errorf("shipping changed what is for sale to %d", got)
		}
		acknowledged(t, st, channel.Level{SKU: "ORDERED", Quantity: 5})
		if onHand, allocated := shop.Level("ORDERED", "1"); onHand != 5 || allocated != 0 {
			t.Errorf("%d on hand, %d allocated; want 5 and 0", onHand, allocated)
		}
	})

	t.Run("AVAILABLE writes as is", func(t *testing.T) {
		shop.SetupVariant("ASIS")
		as := cfg
		as.QuantitySemantics = channel.Available
		st := connect(t, as)
		acknowledged(t, st, channel.Level{SKU: "ASIS", Quantity: 10})
		shop.PlaceOrder("ASIS", 3)
		acknowledged(t, st, channel.Level{SKU: "ASIS", Quantity: 10})
		if got := shop.SaleableStock("ASIS"); got != 7 {
			t.Errorf("%d for sale", got)
		}
	})

	t.Run("SKUs unknown and ambiguous are refused by themselves", func(t *testing.T) {
		shop.SetupVariants("GOOD", "TWIN", "TWIN")
		gone := shop.SetupVariant("GONE")
		shop.DeleteVariant(gone)
		outcomes := push(t, connect(t, cfg),
			channel.Level{SKU: "NONE", Quantity: 1}, channel.Level{SKU: "TWIN", Quantity: 1}, channel.Level{SKU: "GOOD", Quantity: 3},
			channel.Level{SKU: "GONE", Quantity: 1}, channel.Level{SKU: "good", Quantity: 1}, channel.Level{SKU: "GOOD ", Quantity: 1})
		want := []string{"SKU_NOT_FOUND", "SKU_AMBIGUOUS", "", "SKU_NOT_FOUND", "SKU_NOT_FOUND", "SKU_NOT_FOUND"}
		for i, o := range outcomes {
			if o.Code != want[i] || (o.Verdict == channel.Acknowledged) != (want[i] == "") || (o.Message == "") != (want[i] == "") {
				t.Errorf("%d: %+v, want %s", i, o, want[i])
			}
		}
		if got := shop.SaleableStock("GOOD"); got != 3 {
			t.Errorf("%d for sale", got)
		}
	})

	t.Run("a list longer than the shop's pages", func(t *testing.T) {
		var skus []string
		var levels []channel.Level
		for i := range vendurereal.ListLimit + 5 {
			skus = append(skus, fmt.Sprintf("PAGE-%d", i))
			levels = append(levels, channel.Level{SKU: skus[i], Quantity: int64(i)})
		}
		shop.SetupVariants(skus...)
		acknowledged(t, connect(t, cfg), levels...)
		if got := shop.SaleableStock(skus[len(skus)-1]); got != int64(len(skus)-1) {
			t.Errorf("%d of the last one are for sale", got)
		}
	})

	t.Run("stock locations", func(t *testing.T) {
		shop.SetupVariant("TWO-PLACES")
		before := connect(t, cfg)
		acknowledged(t, before, channel.Level{SKU: "TWO-PLACES", Quantity: 1}) // the only location
		east := shop.SetupLocation("East")
		st := connect(t, cfg)
		locations, err := st.Locations(t.Context())
		if want := []channel.Location{{Code: "1", Name: "Default Stock Location"}, {Code: east, Name: "East"}}; err != nil || !slices.Equal(locations, want) {
			t.Fatalf("%v, %v; want %v", locations, err, want)
		}
		acknowledged(t, st, channel.Level{SKU: "TWO-PLACES", Location: "1", Quantity: 5}, channel.Level{SKU: "TWO-PLACES", Location: east, Quantity: 8})
		acknowledged(t, before, channel.Level{SKU: "TWO-PLACES", Location: east, Quantity: 6}) // which it had not heard of
		if got := shop.SaleableStock("TWO-PLACES"); got != 11 {
			t.Errorf("%d for sale", got)
		}
		outcomes, err := st.Push(t.Context(), batch(channel.Level{SKU: "TWO-PLACES", Quantity: 1}))
		if fault.CodeOf(err) != fault.Invalid || !strings.Contains(err.Error(), "locationId") || outcomes[0].Verdict != channel.Unsent {
			t.Errorf("no location set: %+v, %v", outcomes, err)
		}
		set := cfg
		set.LocationID = east
		outcomes = push(t, connect(t, set), channel.Level{SKU: "TWO-PLACES", Quantity: 2}, channel.Level{SKU: "TWO-PLACES", Location: "77", Quantity: 2})
		if outcomes[0].Verdict != channel.Acknowledged || outcomes[1].Verdict != channel.Refused || outcomes[1].Code != "LOCATION_NOT_FOUND" {
			t.Errorf("%+v", outcomes)
		}
		if onHand, _ := shop.Level("TWO-PLACES", east); onHand != 2 {
			t.Errorf("%d at the location that is set", onHand)
		}
	})
	cfg.LocationID = "1"

	t.Run("credentials", func(t *testing.T) {
		shop.SetupVariant("KEY")
		wrong := cfg
		wrong.Password = "open sesame 99"
		for name, c := range map[string]vendure.Config{"wrong password": wrong, "wrong key": {URL: shop.Admin, APIKey: "vendure-key-unknown", LocationID: "1"}} {
			st := connect(t, c)
			outcomes, err := st.Push(t.Context(), batch(channel.Level{SKU: "KEY", Quantity: 1}))
			if fault.CodeOf(err) != fault.CredentialsRefused || outcomes[0].Verdict != channel.Refused || outcomes[0].Code != string(fault.CredentialsRefused) {
				t.Errorf("%s: %+v, %v", name, outcomes, err)
			}
			if _, err := st.Test(t.Context()); fault.CodeOf(err) != fault.CredentialsRefused || strings.Contains(err.Error(), "sesame") {
				t.Errorf("%s: tested: %v", name, err)
			}
		}
		st := connect(t, vendure.Config{URL: shop.Admin, APIKey: shop.APIKey(), LocationID: "1"})
		acknowledged(t, st, channel.Level{SKU: "KEY", Quantity: 21})
		words, err := st.Test(t.Context())
		if err != nil || !strings.Contains(words, "__default_channel__") || !strings.Contains(words, "1 (Default Stock Location)") {
			t.Errorf("%q, %v", words, err)
		}
		if got := shop.SaleableStock("KEY"); got != 21 {
			t.Errorf("%d for sale", got)
		}
	})

	t.Run("the rights that the documentation names", func(t *testing.T) {
		shop.SetupVariant("RIGHTS")
		shop.SetupAdministrator("all@example.com", "all the rights 1", "ReadCatalog", "UpdateCatalog", "ReadStockLocation")
		shop.SetupAdministrator("few@example.com", "few of them 23", "ReadCatalog", "ReadStockLocation")
		c := cfg
		c.Username, c.Password = "all@example.com", "all the rights 1"
		acknowledged(t, connect(t, c), channel.Level{SKU: "RIGHTS", Quantity: 4})
		c.Username, c.Password = "few@example.com", "few of them 23"
		st := connect(t, c)
		if _, err := st.Test(t.Context()); err != nil {
			t.Error(err)
		}
		outcomes, err := st.Push(t.Context(), batch(channel.Level{SKU: "RIGHTS", Quantity: 5}))
		if fault.CodeOf(err) != fault.CredentialsRefused || outcomes[0].Verdict != channel.Refused || !strings.Contains(outcomes[0].Message, "UpdateCatalog") {
			t.Errorf("%+v, %v", outcomes, err)
		}
		if got := shop.SaleableStock("RIGHTS"); got != 4 {
			t.Errorf("%d for sale", got)
		}
	})

	t.Run("a session that ended is renewed", func(t *testing.T) {
		shop.SetupVariant("SESSION")
		st := connect(t, cfg)
		acknowledged(t, st, channel.Level{SKU: "SESSION", Quantity: 1})
		shop.EndSessions()
		acknowledged(t, st, channel.Level{SKU: "SESSION", Quantity: 2})
		shop.EndSessions()
		if _, err := st.Test(t.Context()); err != nil {
			t.Error(err)
		}
	})

	// The look-up's answer is changed on its way, so that the mutation has an id that is not there, each time.
	t.Run("one bad id does not hold up its batch", func(t *testing.T) {
		skus := []string{"ID-0", "ID-1", "ID-2", "ID-3", "ID-4"}
		ids := shop.SetupVariants(skus...)
		front := between(t, shop.Admin, func(string) {}, func(reply string) string {
			return strings.Replace(reply, fmt.Sprintf(`{"id":"%s","sku":"ID-3"`, ids[3]), `{"id":"987654","sku":"ID-3"`, 1)
		})
		c := cfg
		c.URL = front
		var levels []channel.Level
		for i, sku := range skus {
			levels = append(levels, channel.Level{SKU: sku, Quantity: int64(i + 1)})
		}
		for i, o := range push(t, connect(t, c), levels...) {
			if bad := i == 3; (o.Verdict == channel.Refused) != bad || (o.Code == "ENTITY_NOT_FOUND" && strings.Contains(o.Message, "987654")) != bad || (o.Verdict == channel.Acknowledged) == bad {
				t.Errorf("%s: %+v", skus[i], o)
			}
			if onHand, _ := shop.Level(skus[i], "1"); (onHand == int64(i+1)) != (i != 3) {
				t.Errorf("%s: %d on hand", skus[i], onHand)
			}
		}
		acknowledged(t, connect(t, cfg), levels...) // the next push heals
	})

	t.Run("what is deleted between look-up and write", func(t *testing.T) {
		ids := shop.SetupVariants("STAYS", "GOES")
		once := false
		c := cfg
		c.URL = between(t, shop.Admin, func(query string) {
			if strings.Contains(query, "updateProductVariants") && !once {
				once = true
				shop.DeleteVariant(ids[1])
			}
		}, func(reply string) string { return reply })
		outcomes := push(t, connect(t, c), channel.Level{SKU: "STAYS", Quantity: 3}, channel.Level{SKU: "GOES", Quantity: 3})
		if outcomes[0].Verdict != channel.Acknowledged || outcomes[1].Verdict != channel.Refused || !once {
			t.Errorf("%+v", outcomes)
		}
	})

	t.Run("what is shipped between look-up and write", func(t *testing.T) {
		shop.SetupVariant("SHIPS")
		acknowledged(t, connect(t, cfg), channel.Level{SKU: "SHIPS", Quantity: 10})
		order := shop.PlaceOrder("SHIPS", 4)
		once := false
		c := cfg
		c.URL = between(t, shop.Admin, func(query string) {
			if strings.Contains(query, "updateProductVariants") && !once {
				once = true
				shop.Ship(order)
			}
		}, func(reply string) string { return reply })
		acknowledged(t, connect(t, c), channel.Level{SKU: "SHIPS", Quantity: 6})
		if got := shop.SaleableStock("SHIPS"); got != 6 || !once {
			t.Errorf("%d for sale", got)
		}
	})

	t.Run("batches at once", func(t *testing.T) {
		var skus []string
		for i := range 60 {
			skus = append(skus, fmt.Sprintf("MANY-%d", i))
		}
		shop.SetupVariants(skus...)
		st := connect(t, cfg)
		var wg sync.WaitGroup
		errs := make([]error, st.Capabilities().Concurrency)
		for w := range errs {
			wg.Go(func() {
				for from := w * 10; from < len(skus); from += 10 * len(errs) {
					var levels []channel.Level
					for i := from; i < from+10; i++ {
						levels = append(levels, channel.Level{SKU: skus[i], Quantity: int64(i + 1)})
					}
					outcomes, err := st.Push(t.Context(), batch(levels...))
					errs[w] = errors.Join(errs[w], err)
					for i, o := range outcomes {
						if o.Verdict != channel.Acknowledged {
							errs[w] = errors.Join(errs[w], fmt.Errorf("%s: %+v", levels[i].SKU, o))
						}
					}
				}
			})
		}
		wg.Wait()
		if err := errors.Join(errs...); err != nil {
			t.Fatal(err)
		}
		for i, sku := range skus {
			if onHand, _ := shop.Level(sku, "1"); onHand != int64(i+1) {
				t.Errorf("%s: %d on hand", sku, onHand)
			}
		}
	})

	t.Run("a number that Vendure cannot keep", func(t *testing.T) {
		shop.SetupVariants("BIG", "SMALL")
		outcomes := push(t, connect(t, cfg), channel.Level{SKU: "BIG", Quantity: 1 << 31}, channel.Level{SKU: "SMALL", Quantity: 1<<31 - 1})
		if outcomes[0].Verdict != channel.Refused || outcomes[0].Code != string(fault.OutOfRange) || outcomes[1].Verdict != channel.Acknowledged {
			t.Errorf("%+v", outcomes)
		}
	})
}
