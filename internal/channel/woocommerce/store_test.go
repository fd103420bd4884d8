package woocommerce_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"stockbridge/internal/channel"
	"stockbridge/internal/channel/onhand/onhandtest"
	"stockbridge/internal/channel/woocommerce"
	"stockbridge/internal/fault"
	"stockbridge/internal/outbound"
)

func connect(t *testing.T, url string, opts outbound.Options) *woocommerce.Store {
	t.Helper()
	return onhandtest.Open(t, woocommerce.New, woocommerce.Config{URL: url, ConsumerKey: key, ConsumerSecret: secret}, opts)
}

// bundle is a shop, its stand-in, and a store connected to it.
type bundle struct {
	shop *onhandtest.Shop
	woo  *standIn
	srv  *onhandtest.Server
	st   *woocommerce.Store
}

func setup(t *testing.T) *bundle {
	t.Helper()
	b := &bundle{shop: onhandtest.NewPlainShop()}
	b.woo = newStandIn(t, b.shop)
	b.srv = onhandtest.Serve(t, b.woo, kind)
	b.st = connect(t, b.srv.URL, b.srv.Options())
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

// did is what was asked since the last time, and forgets it.
func (b *bundle) did() (lookUps, batches []string) {
	b.woo.mu.Lock()
	defer b.woo.mu.Unlock()
	lookUps, batches = b.woo.lookUps, b.woo.batches
	b.woo.lookUps, b.woo.batches = nil, nil
	return lookUps, batches
}

func (b *bundle) has(sku string) int64 { return b.shop.At(sku, onhandtest.Place).OnHand }

// spec 6 and wire.md, by the table for all platforms whose SKUs are looked up: once with products, once with the variations of one.
func TestMisbehaviour(t *testing.T) {
	t.Parallel()
	for name, parent := range map[string]int64{"products": 0, "variations": 77} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			onhandtest.Misbehaviour(t, onhandtest.Subject{
				Plain: true, Kind: kind,
				Platform: func(t *testing.T, shop *onhandtest.Shop) http.Handler {
					woo := newStandIn(t, shop)
					for _, it := range shop.All() {
						woo.parents[it.SKU] = parent
					}
					return woo
				},
				Connect: func(t *testing.T, url string, opts outbound.Options) channel.Sink { return connect(t, url+"/", opts) },
			})
		})
	}
}

// wire.md: row failures sit inside a 200, and the returned quantity is compared with the one sent.
func TestRowsAreBelievedOneByOne(t *testing.T) {
	t.Parallel()
	b := setup(t)
	reply := `{"update":[{"id":100,"sku":"SKU-0","stock_quantity":20},
		{"id":101,"error":{"code":"woocommerce_rest_cannot_edit","message":"Sorry, you are not allowed.","data":{"status":401}}},
		{"id":102,"sku":"SKU-2","stock_quantity":3},
		{"id":103,"sku":"SKU-3","manage_stock":false,"stock_quantity":null},
		{"id":104,"sku":"SKU-4","stock_quantity":24.5},
		{"id":106,"sku":"SKU-6","stock_quantity":26.0}]}`
	b.srv.Misbehave(func(k onhandtest.Kind, _ int) onhandtest.Fault {
		if k != onhandtest.Write {
			return nil
		}
		return onhandtest.Status(200, reply)
	})
	outcomes := b.push(t, onhandtest.Levels(7, 20)...)
	for i, want := range []channel.Outcome{
		{Verdict: channel.Acknowledged},
		{Verdict: channel.Refused, Code: "woocommerce_rest_cannot_edit", Message: "Sorry, you are not allowed."},
		{Verdict: channel.Unknown, Code: "BAD_REPLY", Message: "has 3 on hand where it was sent 22"},
		{Verdict: channel.Refused, Code: "STOCK_NOT_MANAGED", Message: "null"},
		{Verdict: channel.Unknown, Code: "BAD_REPLY", Message: "104, 105"},
		{Verdict: channel.Unknown, Code: "BAD_REPLY", Message: "104, 105"},
		{Verdict: channel.Acknowledged},
	} {
		if o := outcomes[i]; o.Verdict != want.Verdict || o.Code != want.Code || !strings.Contains(o.Message, want.Message) {
			t.Errorf("%d: %+v, want %+v", i, o, want)
		}
	}
}

// A site whose filter allows less than 100 rows refuses them with 413: halves are sent, and only of what was too large.
func TestBatchTooLargeIsHalved(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.woo.most = 3
	b.woo.parents = map[string]int64{"SKU-8": 7, "SKU-9": 7}
	for i, o := range b.push(t, onhandtest.Levels(10, 20)...) {
		if o.Verdict != channel.Acknowledged {
			t.Errorf("%d: %+v", i, o)
		}
	}
	lookUps, batches := b.did()
	if len(lookUps) != 1 || len(batches) != 1+1+6 { // 8, the variations, 4 4 and 2 2 2 2
		t.Errorf("%q, %q", lookUps, batches)
	}
}

// A product whose update makes PHP fail does not hold up other requests of its batch; a shop that fails at every one is left alone.
func TestOneBadProductDoesNotHoldUpItsBatch(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for i := range 10 {
		b.woo.parents[fmt.Sprintf("SKU-%d", i)] = int64(500 + i)
	}
	broken := func(bad func(path string) bool) {
		b.srv.Misbehave(func(k onhandtest.Kind, _ int) onhandtest.Fault {
			if k != onhandtest.Write {
				return nil
			}
			return func(w http.ResponseWriter, r *http.Request, platform http.Handler) {
				if bad(r.URL.Path) {
					onhandtest.Status(500, `{"code":"internal_server_error","message":"There has been a critical error on this website."}`)(w, r, platform)
					return
				}
				platform.ServeHTTP(w, r)
			}
		})
	}
	broken(func(path string) bool { return strings.Contains(path, "/502/") })
	for i, o := range b.push(t, onhandtest.Levels(10, 20)...) {
		if bad := i == 2; (o.Verdict == channel.Acknowledged) == bad || bad && (o.Verdict != channel.Unknown || o.Code != "HTTP_500" || !strings.Contains(o.Message, "critical error")) {
			t.Errorf("%d: %+v", i, o)
		}
	}
	if n := b.srv.Count(onhandtest.Write); n != 10+3 {
		t.Errorf("%d requests", n)
	}
	broken(func(string) bool { return true })
	for i, o := range b.push(t, onhandtest.Levels(10, 40)...) {
		want := channel.Unknown
		if i >= 3 { // was never sent
			want = channel.Unsent
		}
		if o.Verdict != want {
			t.Errorf("%d: %+v", i, o)
		}
	}
	b.srv.Misbehave(nil)
	for i, o := range b.push(t, onhandtest.Levels(10, 60)...) {
		if o.Verdict != channel.Acknowledged {
			t.Errorf("%d: %+v", i, o)
		}
	}
}

// Eight levels refused with the same words are the shop's doing only where it took none: one that is good is found behind them.
func TestGoodProductIsFoundBehindBadOnes(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.shop.Add("PLAIN", map[string]onhandtest.Shelf{})
	for i := range 10 {
		b.woo.parents[fmt.Sprintf("SKU-%d", i)] = 7
	}
	b.srv.Misbehave(func(k onhandtest.Kind, _ int) onhandtest.Fault {
		if k != onhandtest.Write {
			return nil
		}
		return func(w http.ResponseWriter, r *http.Request, platform http.Handler) {
			body, err := io.ReadAll(r.Body)
			if err != nil {
				t.Error(err)
			}
			r.Body = io.NopCloser(bytes.NewReader(body))
			if bytes.Contains(body, []byte(`"id":10`)) { // 100 to 108
				onhandtest.Status(400, `{"code":"rest_invalid_param","message":"Invalid parameter(s): update"}`)(w, r, platform)
				return
			}
			platform.ServeHTTP(w, r)
		}
	})
	levels := append(onhandtest.Levels(9, 20), channel.Level{SKU: "PLAIN", Quantity: 1}, channel.Level{SKU: "SKU-9", Quantity: 2})
	b.shop.Change("item-9", func(it *onhandtest.Item) { it.SKU = "gone" })
	b.shop.Add("SKU-9", map[string]onhandtest.Shelf{}) // with an id that is not refused
	for i, o := range b.push(t, levels...) {
		if bad := i < 9; (o.Verdict == channel.Acknowledged) == bad || bad && (o.Verdict != channel.Refused || o.Code != "rest_invalid_param") {
			t.Errorf("%s: %+v", levels[i].SKU, o)
		}
	}
}

// WordPress prints PHP's warnings before the JSON where a site is set so: what was done is not known.
func TestWarningsBeforeTheReplyAreNoReply(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.srv.Misbehave(func(k onhandtest.Kind, _ int) onhandtest.Fault {
		if k != onhandtest.Write {
			return nil
		}
		return func(w http.ResponseWriter, r *http.Request, platform http.Handler) {
			rec := httptest.NewRecorder()
			platform.ServeHTTP(rec, r)
			if _, err := fmt.Fprintf(w, "<br />\n<b>Warning</b>: Undefined array key in <b>x.php</b><br />\n%s", rec.Body); err != nil {
				t.Error(err)
			}
		}
	})
	if o := b.push(t, onhandtest.Levels(1, 9)...)[0]; o.Verdict != channel.Unknown || o.Code != "BAD_REPLY" || !strings.Contains(o.Message, "Undefined array key") {
		t.Errorf("%+v", o)
	}
}

func TestThereAreNoLocations(t *testing.T) {
	t.Parallel()
	b := setup(t)
	var sink channel.Sink = b.st
	if _, ok := sink.(channel.Locator); ok {
		t.Error("tells locations")
	}
	o := b.push(t, channel.Level{SKU: "SKU-0", Location: "EAST", Quantity: 1})[0]
	if o.Verdict != channel.Refused || o.Code != "LOCATION_NOT_FOUND" || !strings.Contains(o.Message, "take the location links") {
		t.Errorf("%+v", o)
	}
	if c := b.st.Capabilities(); c.MaxBatch != 100 || c.Semantics != channel.Available {
		t.Errorf("%+v", c)
	}
}

func TestConnectionIsTestedByAnEmptyBatch(t *testing.T) {
	t.Parallel()
	b := setup(t)
	words, err := b.st.Test(t.Context())
	if _, batches := b.did(); err != nil || !strings.Contains(words, "let us in") || !slices.Equal(batches, []string{"/products/batch"}) {
		t.Errorf("%q, %v, %q", words, err, batches)
	}
	b.srv.Misbehave(func(onhandtest.Kind, int) onhandtest.Fault {
		return onhandtest.Status(401, `{"code":"woocommerce_rest_authentication_error","message":"The API key provided does not have write permissions.","data":{"status":401}}`)
	})
	if _, err := b.st.Test(t.Context()); fault.CodeOf(err) != fault.CredentialsRefused || !strings.Contains(err.Error(), "does not have write permissions") {
		t.Errorf("a key that may read: %v", err)
	}
	if n := b.srv.Count(onhandtest.Write); n != 1 {
		t.Errorf("tested %d times", n)
	}
}

func TestConfigurationIsChecked(t *testing.T) {
	t.Parallel()
	const u = "https://shop.example.com"
	for name, c := range map[string]struct {
		cfg    woocommerce.Config
		fields []string
	}{
		"right":    {woocommerce.Config{URL: u, ConsumerKey: key, ConsumerSecret: secret}, nil},
		"nothing":  {woocommerce.Config{}, []string{"url", "consumerKey", "consumerSecret"}},
		"swapped":  {woocommerce.Config{URL: u, ConsumerKey: "cs_hunter2", ConsumerSecret: "ck_hunter2"}, []string{"consumerKey", "consumerSecret"}},
		"lines":    {woocommerce.Config{URL: u, ConsumerKey: "ck_hunter2\n", ConsumerSecret: secret}, []string{"consumerKey"}},
		"password": {woocommerce.Config{URL: "https://u:hunter2@shop.example.com", ConsumerKey: key, ConsumerSecret: secret}, []string{"url"}},
	} {
		_, err := woocommerce.New(c.cfg, outbound.Options{})
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
