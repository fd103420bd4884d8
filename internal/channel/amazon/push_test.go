package amazon

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"stockbridge/internal/channel"
	"stockbridge/internal/fault"
	"stockbridge/internal/outbound"
)

// wire.md, "Amazon SP-API": a few levels go by PATCH of their listings, and no feed is used up.
func TestFewLevelsArePatched(t *testing.T) {
	t.Parallel()
	w := setup(t, 20, func(cfg *Config, _ *outbound.Options) { cfg.MarketplaceIDs = []string{east, north} })
	w.stock["Größe 5 (rot)&=,"] = 0
	w.pushed(t, append(levels(19, 5), channel.Level{SKU: "Größe 5 (rot)&=,", Quantity: 3}))
	if w.counted(opPatch) != 20 || w.counted(opFeed) != 0 || w.counted(opToken) != 1 || w.throttled != 0 {
		t.Errorf("%v, %d throttled", w.count, w.throttled)
	}
	if path := w.patched["Größe 5 (rot)&=,"]; !strings.Contains(path, "Gr%C3%B6%C3%9Fe%205%20%28rot%29&=%2C") {
		t.Errorf("path %s", path)
	}
	if w.slept < 1800*time.Millisecond { // 10 at once, the other 10 at 5 a second
		t.Errorf("20 requests went in %s", w.slept)
	}
}

// One more goes as a feed, with one message a level; its report may be packed.
func TestManyLevelsGoAsOneFeed(t *testing.T) {
	t.Parallel()
	for n, packed := range map[int]bool{few + 1: false, maxMessages: true} {
		w := setup(t, n)
		w.gzip = packed
		w.pushed(t, levels(n, 7))
		for op, want := range map[string]int{opDocument: 1, opUpload: 1, opFeed: 1, opGetFeed: 3, opReport: 1, opDownload: 1, opPatch: 0, opToken: 1} {
			if w.counted(op) != want {
				t.Errorf("%s was called %d times, want %d", op, w.counted(op), want)
			}
		}
		if w.slept < firstPoll {
			t.Errorf("it was asked for after %s", w.slept)
		}
	}
}

// spec 6: one bad SKU never holds up its batch. What Amazon finds wrong is told with its code and words.
func TestEachLevelHasItsOwnVerdict(t *testing.T) {
	t.Parallel()
	for _, n := range []int{10, 40} {
		w := setup(t, n)
		w.issues["SKU-1"] = issue{Code: "90220", Severity: "ERROR", Message: "'item_name' is required but not supplied."}
		w.issues["SKU-2"] = issue{Code: "18299", Severity: "WARNING", Message: "The image is small."}
		w.issues["SKU-3"] = issue{Code: "1", Severity: "INFO", Message: "Fine."}
		in := levels(n, 10)
		in[4].Location = "Berlin"
		in[5].Quantity = 1 << 31
		in[6].Quantity = 1<<31 - 1
		outcomes, err := w.store.Push(t.Context(), batch(in))
		if err != nil {
			t.Fatal(err)
		}
		for i, o := range outcomes {
			want := channel.Outcome{Verdict: channel.Acknowledged}
			switch i {
			case 1:
				want = channel.Outcome{Verdict: channel.Refused, Code: "90220", Message: "'item_name' is required but not supplied."}
			case 4:
				want = channel.Outcome{Verdict: channel.Refused, Code: "LOCATION_NOT_FOUND", Message: "a seller at Amazon has one quantity for each SKU; take the link to location Berlin away"}
			case 5:
				want = channel.Outcome{Verdict: channel.Refused, Code: "OUT_OF_RANGE", Message: "2147483648 is not from 0 to 2147483647, what Amazon takes"}
			}
			shown := w.shows(in[i].SKU) == in[i].Quantity
			if o != want || shown != (want.Verdict == channel.Acknowledged) {
				t.Errorf("of %d, level %d: %+v, shown %t", n, i, o, shown)
			}
		}
	}
}

// A SKU that an address might not carry goes in a feed; the others do not wait for it to be patched.
func TestStrangeSKUsGoInAFeed(t *testing.T) {
	t.Parallel()
	w := setup(t, 2)
	in := levels(2, 1)
	for _, sku := range []string{"A/B", "..", ".", "50%25", "A+B", "A#1", "A?b=c", `A\B`, "A;v", "\"A\" <b>", "tab\t"} {
		w.stock[sku] = 0
		in = append(in, channel.Level{SKU: sku, Quantity: 9})
	}
	w.pushed(t, in)
	if w.counted(opPatch) != 3 || w.counted(opFeed) != 1 {
		t.Errorf("%v", w.count)
	}
}

// Amazon advises 10 MiB a feed at most; what its place of documents finds too long goes in halves.
func TestLongFeedsAreParted(t *testing.T) {
	t.Parallel()
	w := setup(t, 0)
	var in []channel.Level
	for i := range 900 {
		in = append(in, channel.Level{SKU: fmt.Sprintf("%s%d", strings.Repeat("<", 2000), i), Quantity: 1}) // < takes 6 bytes in JSON
		w.stock[in[i].SKU] = 0
	}
	w.pushed(t, in)
	if n := w.counted(opFeed); n != 2 || slices.ContainsFunc(w.submitted, func(f []byte) bool { return len(f) > 10<<20 }) {
		t.Errorf("%d feeds", n)
	}
	w = setup(t, 3000)
	w.misbehave(first(opUpload, answer(400, `<Error><Code>EntityTooLarge</Code><Message>Your proposed upload exceeds the maximum allowed size</Message></Error>`)), nil)
	w.pushed(t, levels(3000, 2))
	if n := w.counted(opFeed); n != 2 {
		t.Errorf("%d feeds", n)
	}
}

// Amazon takes 5 feeds of an application for a seller in 5 minutes. They are spaced across pushes.
func TestFeedsKeepToFiveInFiveMinutes(t *testing.T) {
	t.Parallel()
	w := setup(t, 30)
	for n := range int64(17) {
		w.pushed(t, levels(30, n))
	}
	if w.throttled != 0 || len(w.handed) != 17 || w.slept < 15*time.Minute || w.slept > 20*time.Minute {
		t.Errorf("%d requests too many, %d feeds in %s", w.throttled, len(w.handed), w.slept)
	}
}

// And across goroutines: of whatever comes together, no 6 go within 5 minutes, and none later than it must.
func TestTurnsOfFeedsAreSharedByAll(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := newLimits(outbound.Clock{}).createFeed
		start := time.Now()
		var mu sync.Mutex
		var went []time.Duration
		var all sync.WaitGroup
		for range 17 {
			all.Go(func() {
				if err := l.wait(t.Context()); err != nil {
					t.Error(err)
				}
				mu.Lock()
				defer mu.Unlock()
				went = append(went, time.Since(start).Round(time.Millisecond))
			})
		}
		all.Wait()
		slices.Sort(went)
		for i, d := range went {
			if want := time.Duration(i/5) * feedWindow; d != want {
				t.Errorf("feed %d went after %s, want %s", i, d, want)
			}
		}
		// Who gives up gives its turn back.
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		time.Sleep(time.Hour)
		for range 5 {
			if err := l.wait(ctx); !errors.Is(err, context.Canceled) {
				t.Error(err)
			}
		}
		before := time.Now()
		for range 5 {
			if err := l.wait(t.Context()); err != nil || time.Since(before) != 0 {
				t.Errorf("%v after %s", err, time.Since(before))
			}
		}
	})
}

// Feeds that others hand in with the same application count too: Amazon's 429 is waited out.
func TestQuotaUsedUpByOthersIsWaitedFor(t *testing.T) {
	t.Parallel()
	w := setup(t, 30)
	for range 5 {
		w.handed = append(w.handed, w.at)
	}
	w.pushed(t, levels(30, 1))
	if w.throttled == 0 || w.slept < 5*time.Minute || w.counted(opUpload) != 1 {
		t.Errorf("%d times too many, waited %s", w.throttled, w.slept)
	}
}

// The rate of PATCH is what Amazon tells with each answer.
func TestPatchesGoAtTheRateTold(t *testing.T) {
	t.Parallel()
	w := setup(t, 1)
	for told, want := range map[string]float64{"12.5": 12.5, "0.5": 0.5, "": 0.5, "none": 0.5, "-1": 0.5, "1e9": 100, "NaN": 0.5, "0.001": 0.1} {
		w.store.limits.patch.learn(map[string][]string{"X-Amzn-Ratelimit-Limit": {"0.5"}})
		w.store.limits.patch.learn(map[string][]string{"X-Amzn-Ratelimit-Limit": {told}})
		if got := float64(w.store.limits.patch.lanes[0].Limit()); got != want {
			t.Errorf("%q: %g", told, got)
		}
	}
}

func TestConfigurationIsChecked(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change func(*Config)
		fields string
	}{
		"right":              {func(*Config) {}, ""},
		"Europe":             {func(c *Config) { c.Region = "EU"; c.FulfillmentChannelCode = "STORE_1" }, ""},
		"nothing":            {func(c *Config) { *c = Config{} }, "sellerId marketplaceIds clientId clientSecret refreshToken"},
		"seller":             {func(c *Config) { c.SellerID = "a/b" }, "sellerId"},
		"too many":           {func(c *Config) { c.MarketplaceIDs = slices.Repeat([]string{east}, 26) }, "marketplaceIds"},
		"a country":          {func(c *Config) { c.MarketplaceIDs = []string{"US"} }, "marketplaceIds"},
		"region":             {func(c *Config) { c.Region = "us-east-1" }, "region"},
		"Amazon's channel":   {func(c *Config) { c.FulfillmentChannelCode = "AMAZON_NA" }, "fulfillmentChannelCode"},
		"channel":            {func(c *Config) { c.FulfillmentChannelCode = "a b" }, "fulfillmentChannelCode"},
		"secret with a line": {func(c *Config) { c.ClientSecret = "hunter2\nX: y" }, "clientSecret"},
		"endpoints":          {func(c *Config) { c.Endpoint = "ftp://x"; c.TokenEndpoint = "https://u:hunter2@x/" }, "endpoint tokenEndpoint"},
	} {
		cfg := config()
		c.change(&cfg)
		_, err := New(cfg, outbound.Options{})
		var list fault.List
		var fields []string
		if errors.As(err, &list) {
			for _, f := range list {
				fields = append(fields, f.Field[0])
			}
		}
		if strings.Join(fields, " ") != c.fields || err != nil && strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v", name, err)
		}
	}
	for region, host := range regions() {
		cfg := config()
		cfg.Region = region
		st, err := New(cfg, outbound.Options{})
		if err != nil || st.base != host || st.cfg.TokenEndpoint != "https://api.amazon.com/auth/o2/token" {
			t.Errorf("%s: %v", region, err)
		}
		// Where the API is not in the open, documents are not either.
		if st.checkDocument("https://tortuga.example.com/x?y") != nil || st.checkDocument("http://tortuga.example.com/x") == nil || st.checkDocument("") == nil {
			t.Errorf("%s: documents", region)
		}
	}
	if caps := setup(t, 0).store.Capabilities(); caps != (channel.Capabilities{MaxBatch: 25_000, Concurrency: 4, Semantics: channel.Available}) {
		t.Errorf("%+v", caps)
	}
}

func TestTestTellsOfTheSeller(t *testing.T) {
	t.Parallel()
	w := setup(t, 12)
	words, err := w.store.Test(t.Context())
	if err != nil || !strings.Contains(words, "seller A2SELLER12345 has 12 listings in marketplace ATVPDKIKX0DER") || w.counted(opSearch) != 1 {
		t.Errorf("%q, %v", words, err)
	}
	for status, code := range map[int]fault.Code{403: fault.CredentialsRefused, 404: fault.Refused, 429: fault.Throttled, 500: fault.Unreachable} {
		w.misbehave(at(opSearch, answer(status, `{"errors":[{"code":"X","message":"no"}]}`)), nil)
		if words, err := w.store.Test(t.Context()); fault.CodeOf(err) != code || !strings.Contains(err.Error(), "no") || w.counted(opSearch) != 1 {
			t.Errorf("%d: %q, %v, %v", status, words, err, w.count)
		}
	}
	w.misbehave(at(opSearch, answer(200, `{}`)), nil)
	if _, err := w.store.Test(t.Context()); fault.CodeOf(err) != fault.BadReply {
		t.Errorf("%v", err)
	}
}

// No feed holds more than what was said, byte by byte.
func TestFeedIsAsDocumented(t *testing.T) {
	t.Parallel()
	w := setup(t, 1)
	w.stock["A/1"] = 0
	w.pushed(t, []channel.Level{{SKU: "A/1", Quantity: 10}})
	if want := `{"header":{"sellerId":"A2SELLER12345","version":"2.0"},"messages":[{"messageId":1,"sku":"A/1","operationType":"PATCH","productType":"PRODUCT",` +
		`"patches":[{"op":"merge","path":"/attributes/fulfillment_availability","value":[{"fulfillment_channel_code":"DEFAULT","quantity":10}]}]}]}`; !bytes.Equal(w.submitted[0], []byte(want)) {
		t.Errorf("%s", w.submitted[0])
	}
}
