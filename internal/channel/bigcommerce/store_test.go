package bigcommerce_test

import (
	"errors"
	"fmt"
	"math"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"stockbridge/internal/channel"
	"stockbridge/internal/channel/bigcommerce"
	"stockbridge/internal/channel/onhand/onhandtest"
	"stockbridge/internal/fault"
	"stockbridge/internal/outbound"
)

func connect(t *testing.T, cfg bigcommerce.Config, opts outbound.Options) *bigcommerce.Store {
	t.Helper()
	cfg.StoreHash, cfg.AccessToken = hash, token
	return onhandtest.Open(t, bigcommerce.New, cfg, opts)
}

// bundle is a shop, its stand-in, and a store connected to it.
type bundle struct {
	shop *onhandtest.Shop
	bc   *standIn
	srv  *onhandtest.Server
	st   *bigcommerce.Store
}

func setup(t *testing.T, cfg bigcommerce.Config) *bundle {
	t.Helper()
	b := &bundle{shop: onhandtest.NewShop()}
	b.bc = newStandIn(t, b.shop)
	b.srv = onhandtest.Serve(t, b.bc, kind)
	cfg.Endpoint = b.srv.URL
	b.st = connect(t, cfg, b.srv.Options())
	return b
}

func (b *bundle) push(t *testing.T, levels ...channel.Level) []channel.Outcome {
	t.Helper()
	outcomes, err := b.st.Push(t.Context(), channel.Batch{Key: "k", Levels: levels})
	if err != nil {
		t.Errorf("push: %v", err)
	}
	return outcomes
}

func (b *bundle) did() (lookUps int, writes []string) {
	b.bc.mu.Lock()
	defer b.bc.mu.Unlock()
	lookUps, writes = b.bc.lookUps, b.bc.writes
	b.bc.lookUps, b.bc.writes = 0, nil
	return lookUps, writes
}

// spec 6 and wire.md, by one table for all platforms of this kind.
func TestMisbehaviour(t *testing.T) {
	t.Parallel()
	onhandtest.Misbehaviour(t, onhandtest.Subject{
		Platform: func(t *testing.T, shop *onhandtest.Shop) http.Handler { return newStandIn(t, shop) },
		Kind:     kind,
		Connect: func(t *testing.T, url string, opts outbound.Options) channel.Sink {
			return connect(t, bigcommerce.Config{Endpoint: url + "/"}, opts)
		},
		Blind: true,
	})
}

// wire.md: an adjustment for each location; what BigCommerce holds back is added, by the look-up just before.
func TestManySKUsAtSeveralLocations(t *testing.T) {
	t.Parallel()
	b := setup(t, bigcommerce.Config{LocationID: "2"})
	b.shop.AddLocation("place-2")
	b.bc.page = 30
	var levels []channel.Level
	for i := range 250 {
		sku := fmt.Sprintf("M-%d & more", i)
		b.shop.Add(sku, map[string]onhandtest.Shelf{"place-1": {OnHand: 9, Allocated: 2}, "place-2": {OnHand: 1, Allocated: 3}})
		levels = append(levels, channel.Level{SKU: sku, Location: []string{"1", "2", ""}[i%3], Quantity: int64(i)})
	}
	for i, o := range b.push(t, levels...) {
		at := []string{"place-1", "place-2", "place-2"}[i%3]
		if shelf := b.shop.At(levels[i].SKU, at); o.Verdict != channel.Acknowledged || shelf.OnHand-shelf.Allocated != int64(i) || shelf.Allocated == 0 {
			t.Errorf("%+v: %+v, %+v", levels[i], o, shelf)
		}
	}
	lookUps, writes := b.did()
	if len(writes) != 2 || lookUps != 4+4+2 { // 100 SKUs are 4 pages of 30, twice, and 50
		t.Errorf("%d look-ups, %d writes", lookUps, len(writes))
	}
}

// wire.md: 422 names bad items. The rest is sent again, and what names none is halved.
func TestBadItemsDoNotHoldUpTheirBatch(t *testing.T) {
	t.Parallel()
	for style, most := range map[string]int{"title": 2, "sku": 2, "index": 2, "": 13} {
		t.Run("named by "+style, func(t *testing.T) {
			t.Parallel()
			b := setup(t, bigcommerce.Config{})
			b.shop.Add("SKU-33", map[string]onhandtest.Shelf{}) // is not SKU-3
			b.bc.style = style
			b.bc.byNumber = map[string]bool{"SKU-3": true, "SKU-8": true}
			levels := append(onhandtest.Levels(10, 20), channel.Level{SKU: "SKU-33", Quantity: 5})
			for i, o := range b.push(t, levels...) {
				bad := i == 3 || i == 8
				if shelf := b.shop.At(levels[i].SKU, onhandtest.Place); (o.Verdict == channel.Acknowledged) == bad || bad && (o.Verdict != channel.Refused || o.Code != "HTTP_422" || o.Message == "") || !bad && shelf.OnHand-shelf.Allocated != levels[i].Quantity {
					t.Errorf("%s: %+v", levels[i].SKU, o)
				}
			}
			if _, writes := b.did(); len(writes) > most {
				t.Errorf("%d adjustments: %q", len(writes), writes)
			}
		})
	}
}

// A refusal of items at one location does not keep those of another.
func TestLocationsDoNotHoldUpEachOther(t *testing.T) {
	t.Parallel()
	b := setup(t, bigcommerce.Config{})
	b.shop.AddLocation("place-2")
	b.bc.byNumber["SKU-0"] = true
	levels := onhandtest.Levels(3, 7)
	levels[1].Location, levels[2].Location = "2", "3"
	outcomes := b.push(t, levels...)
	if outcomes[0].Code != "HTTP_422" || outcomes[1].Verdict != channel.Acknowledged || outcomes[2].Code != "LOCATION_NOT_FOUND" || !strings.Contains(outcomes[2].Message, "1 (Shelf 1) 2 (Shelf 2)") {
		t.Errorf("%+v", outcomes)
	}
	if shelf := b.shop.At("SKU-1", "place-2"); shelf.OnHand != 8 {
		t.Errorf("%+v", shelf)
	}
}

// AVAILABLE writes figures as they are, needs no look-up, and learns of SKUs that are not there from the 422.
func TestFiguresAreWrittenAsIsWhenSaidSo(t *testing.T) {
	t.Parallel()
	b := setup(t, bigcommerce.Config{QuantitySemantics: channel.Available})
	b.bc.style = "sku"
	b.shop.Add("A,B", map[string]onhandtest.Shelf{})
	outcomes := b.push(t, append(onhandtest.Levels(2, 9), channel.Level{SKU: "NO-SUCH", Quantity: 1}, channel.Level{SKU: "A,B", Quantity: 4})...)
	if outcomes[0].Verdict != channel.Acknowledged || outcomes[2].Verdict != channel.Refused || !strings.Contains(outcomes[2].Message, "NO-SUCH") || outcomes[3].Verdict != channel.Acknowledged {
		t.Errorf("%+v", outcomes)
	}
	if lookUps, writes := b.did(); lookUps != 0 || len(writes) != 2 || b.shop.At("SKU-1", onhandtest.Place).OnHand != 10 || b.shop.At("A,B", onhandtest.Place).OnHand != 4 {
		t.Errorf("%d look-ups, %q, %+v", lookUps, writes, b.shop.At("SKU-1", onhandtest.Place))
	}
	if c := b.st.Capabilities(); c.MaxBatch != 2000 || c.Concurrency != 1 || c.Semantics != channel.Available {
		t.Errorf("%+v", c)
	}
}

// SKUs that cannot be asked for or are not sure, and figures beyond BigCommerce's.
func TestLevelsThatCannotBe(t *testing.T) {
	t.Parallel()
	b := setup(t, bigcommerce.Config{})
	b.shop.Add("A,B", map[string]onhandtest.Shelf{})
	b.shop.Add("SKU-1", map[string]onhandtest.Shelf{})
	for i, o := range b.push(t, channel.Level{SKU: "A,B", Quantity: 1}, channel.Level{SKU: "SKU-1", Quantity: 1}, channel.Level{SKU: "SKU-2", Quantity: math.MaxInt32}, channel.Level{SKU: "sku-3", Quantity: 1}, channel.Level{SKU: "SKU-4", Quantity: math.MaxInt32 - 1}) {
		want := []string{"SKU_WITH_COMMA", "SKU_AMBIGUOUS", "OUT_OF_RANGE", "SKU_NOT_FOUND", ""}[i]
		if o.Code != want || (o.Verdict == channel.Acknowledged) != (want == "") || want != "" && o.Verdict != channel.Refused {
			t.Errorf("%d: %+v, want %s", i, o, want)
		}
	}
}

// wire.md: one call at a time per store, however many push; the stand-in watches.
func TestOneCallAtATime(t *testing.T) {
	t.Parallel()
	b := setup(t, bigcommerce.Config{})
	var pushes sync.WaitGroup
	for range 4 {
		pushes.Go(func() {
			for _, o := range b.push(t, onhandtest.Levels(10, 5)...) {
				if o.Verdict != channel.Acknowledged {
					t.Errorf("%+v", o)
				}
			}
		})
	}
	pushes.Wait()
}

// Waits follow X-Rate-Limit-Time-Reset-Ms: after a 429, and before one when no requests are left.
func TestWaitsForTheWindowToEnd(t *testing.T) {
	t.Parallel()
	b := setup(t, bigcommerce.Config{})
	b.srv.Misbehave(func(k onhandtest.Kind, n int) onhandtest.Fault {
		switch {
		case k == onhandtest.Write && n == 1:
			return onhandtest.Status(429, `{"status":429,"title":"Too many requests"}`, "X-Rate-Limit-Time-Reset-Ms", "12500")
		case k == onhandtest.Write:
			return func(w http.ResponseWriter, r *http.Request, platform http.Handler) {
				w.Header().Set("X-Rate-Limit-Requests-Left", "0")
				w.Header().Set("X-Rate-Limit-Time-Reset-Ms", "4000")
				platform.ServeHTTP(w, r)
			}
		}
		return nil
	})
	if o := b.push(t, onhandtest.Levels(1, 5)...)[0]; o.Verdict != channel.Acknowledged {
		t.Errorf("%+v", o)
	}
	first := b.srv.Waited()
	if first < 12500*time.Millisecond || first > 14*time.Second {
		t.Errorf("after a 429 waited %s", first)
	}
	b.push(t, onhandtest.Levels(1, 6)...)
	if waited := b.srv.Waited() - first; waited < 3900*time.Millisecond {
		t.Errorf("with no requests left waited %s", waited)
	}
}

func TestTokenRefusedStopsTheStore(t *testing.T) {
	t.Parallel()
	b := setup(t, bigcommerce.Config{})
	words, err := b.st.Test(t.Context())
	locations, wrong := b.st.Locations(t.Context())
	if err != nil || wrong != nil || !strings.Contains(words, "1 (Shelf 1)") || fmt.Sprint(locations) != "[{1 Shelf 1}]" {
		t.Errorf("%q, %v, %v, %v", words, err, locations, wrong)
	}
	st, err := bigcommerce.New(bigcommerce.Config{StoreHash: hash, AccessToken: "token-of-another", Endpoint: b.srv.URL}, b.srv.Options())
	if err != nil {
		t.Fatal(err)
	}
	outcomes, err := st.Push(t.Context(), channel.Batch{Levels: onhandtest.Levels(1, 9)})
	if fault.CodeOf(err) != fault.CredentialsRefused || outcomes[0].Verdict != channel.Refused {
		t.Errorf("%+v, %v", outcomes, err)
	}
	if _, err := st.Test(t.Context()); fault.CodeOf(err) != fault.CredentialsRefused {
		t.Errorf("tested: %v", err)
	}
	if err := st.Close(); err != nil {
		t.Error(err)
	}
}

func TestConfigurationIsChecked(t *testing.T) {
	t.Parallel()
	good := bigcommerce.Config{StoreHash: hash, AccessToken: token}
	with := func(change func(*bigcommerce.Config)) bigcommerce.Config {
		c := good
		change(&c)
		return c
	}
	for name, c := range map[string]struct {
		cfg    bigcommerce.Config
		fields []string
	}{
		"right":     {good, nil},
		"nothing":   {bigcommerce.Config{}, []string{"storeHash", "accessToken"}},
		"a path":    {with(func(c *bigcommerce.Config) { c.StoreHash = "stores/abc" }), []string{"storeHash"}},
		"lines":     {with(func(c *bigcommerce.Config) { c.AccessToken = "hunter2\n" }), []string{"accessToken"}},
		"location":  {with(func(c *bigcommerce.Config) { c.LocationID = "EAST" }), []string{"locationId"}},
		"semantics": {with(func(c *bigcommerce.Config) { c.QuantitySemantics = "SOLD" }), []string{"quantitySemantics"}},
		"endpoint":  {with(func(c *bigcommerce.Config) { c.Endpoint = "https://u:hunter2@host" }), []string{"endpoint"}},
	} {
		_, err := bigcommerce.New(c.cfg, outbound.Options{})
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
