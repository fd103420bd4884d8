package saleor_test

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"stockbridge/internal/channel"
	"stockbridge/internal/channel/onhand/onhandtest"
	"stockbridge/internal/channel/saleor"
	"stockbridge/internal/fault"
	"stockbridge/internal/outbound"
)

func connect(t *testing.T, cfg saleor.Config, opts outbound.Options) *saleor.Store {
	t.Helper()
	return onhandtest.Open(t, saleor.New, cfg, opts)
}

// spec 6 and wire.md, by one table for all platforms of this kind.
func TestMisbehaviour(t *testing.T) {
	t.Parallel()
	onhandtest.Misbehaviour(t, onhandtest.Subject{
		Platform: func(t *testing.T, shop *onhandtest.Shop) http.Handler { return newStandIn(t, shop) },
		Kind:     kind,
		Connect: func(t *testing.T, url string, opts outbound.Options) channel.Sink {
			return connect(t, saleor.Config{URL: url, Token: token}, opts)
		},
	})
}

// wire.md, "Saleor": results are believed row by row; what is not stocked in a warehouse yet is put there.
func TestRowsAreBelievedOneByOne(t *testing.T) {
	t.Parallel()
	shop := onhandtest.NewShop()
	shop.AddLocation("place-2")
	shop.Add("TWIN", map[string]onhandtest.Shelf{})
	shop.Add("TWIN", map[string]onhandtest.Shelf{})
	platform := newStandIn(t, shop)
	platform.pageSize = 3
	srv := onhandtest.Serve(t, platform, kind)
	st := connect(t, saleor.Config{URL: srv.URL, Token: token, LocationID: onhandtest.Place}, srv.Options())
	srv.Misbehave(func(k onhandtest.Kind, n int) onhandtest.Fault {
		if k != onhandtest.Write {
			return nil
		}
		return func(w http.ResponseWriter, r *http.Request, platform http.Handler) {
			if n == 1 { // SKU-2 leaves the warehouse at the last moment
				shop.Change(shop.Find([]string{"SKU-2"})[0].ID, func(it *onhandtest.Item) { delete(it.Shelves, onhandtest.Place) })
			}
			platform.ServeHTTP(w, r)
		}
	})
	levels := append(onhandtest.Levels(8, 5),
		channel.Level{SKU: "TWIN", Quantity: 1}, channel.Level{SKU: "SKU-8", Location: "place-2", Quantity: 4}, channel.Level{SKU: "SKU-9", Location: "place-3", Quantity: 4})
	outcomes, err := st.Push(t.Context(), channel.Batch{Key: "k", Levels: levels})
	if err != nil {
		t.Fatal(err)
	}
	want := map[int]string{2: "NOT_FOUND", 8: "SKU_AMBIGUOUS", 10: "LOCATION_NOT_FOUND"}
	for i, o := range outcomes {
		if o.Code != want[i] || (o.Verdict == channel.Acknowledged) != (want[i] == "") {
			t.Errorf("%+v: %+v, want %q", levels[i], o, want[i])
		}
	}
	if got := shop.At("SKU-8", "place-2"); got != (onhandtest.Shelf{OnHand: 4}) {
		t.Errorf("in the new warehouse %+v", got)
	}
	outcomes, err = st.Push(t.Context(), channel.Batch{Key: "k2", Levels: levels[2:3]})
	if err != nil || outcomes[0].Verdict != channel.Acknowledged || shop.At("SKU-2", onhandtest.Place).OnHand != 7 {
		t.Errorf("the next push: %+v, %v, %+v", outcomes, err, shop.At("SKU-2", onhandtest.Place))
	}
}

func TestFiguresAreWrittenAsIsWhenSaidSo(t *testing.T) {
	t.Parallel()
	no := false
	for name, cfg := range map[string]saleor.Config{"AVAILABLE": {QuantitySemantics: channel.Available}, "no look-up": {AllocatedLookup: &no}} {
		shop := onhandtest.NewShop()
		srv := onhandtest.Serve(t, newStandIn(t, shop), kind)
		cfg.URL, cfg.Token = srv.URL, token
		st := connect(t, cfg, srv.Options())
		outcomes, err := st.Push(t.Context(), channel.Batch{Levels: onhandtest.Levels(1, 9)})
		if err != nil || outcomes[0].Verdict != channel.Acknowledged || shop.At("SKU-0", onhandtest.Place).OnHand != 9 || st.Capabilities().Semantics != channel.Available {
			t.Errorf("%s: %+v, %v, %+v", name, outcomes, err, shop.At("SKU-0", onhandtest.Place))
		}
	}
}

func TestTokenRefusedStopsTheStore(t *testing.T) {
	t.Parallel()
	srv := onhandtest.Serve(t, newStandIn(t, onhandtest.NewShop()), kind)
	st := connect(t, saleor.Config{URL: srv.URL, Token: "another-token"}, srv.Options())
	outcomes, err := st.Push(t.Context(), channel.Batch{Levels: onhandtest.Levels(1, 9)})
	if fault.CodeOf(err) != fault.CredentialsRefused || outcomes[0].Verdict != channel.Refused || !strings.Contains(outcomes[0].Message, "MANAGE_PRODUCTS") {
		t.Errorf("%+v, %v", outcomes, err)
	}
	if _, err := st.Test(t.Context()); fault.CodeOf(err) != fault.CredentialsRefused {
		t.Errorf("tested: %v", err)
	}
	good := connect(t, saleor.Config{URL: srv.URL, Token: token}, srv.Options())
	words, err := good.Test(t.Context())
	locations, _ := good.Locations(t.Context())
	if err != nil || !strings.Contains(words, onhandtest.Place) || fmt.Sprint(locations) != "[{place-1 Shelf}]" {
		t.Errorf("%q, %v, %v", words, locations, err)
	}
}

func TestConfigurationIsChecked(t *testing.T) {
	t.Parallel()
	const u = "https://shop.example.com/graphql/"
	for name, c := range map[string]struct {
		cfg    saleor.Config
		fields []string
	}{
		"right":          {saleor.Config{URL: u, Token: "t"}, nil},
		"nothing":        {saleor.Config{}, []string{"url", "token"}},
		"token of lines": {saleor.Config{URL: u, Token: "hunter2\r\nX: y"}, []string{"token"}},
		"semantics":      {saleor.Config{URL: u, Token: "t", QuantitySemantics: "SOLD"}, []string{"quantitySemantics"}},
		"query":          {saleor.Config{URL: u + "?a=hunter2", Token: "t"}, []string{"url"}},
	} {
		_, err := saleor.New(c.cfg, outbound.Options{})
		var list fault.List
		var fields []string
		if errors.As(err, &list) {
			for _, f := range list {
				fields = append(fields, f.Field[0])
			}
		}
		if !slices.Equal(fields, c.fields) || err != nil && strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
