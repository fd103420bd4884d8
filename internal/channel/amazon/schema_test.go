package amazon

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"stockbridge/internal/channel"
)

// schemas are Amazon's JSON Schemas of a listings feed and its report (v2), as testdata/schema.sh fetches them. Where they are missing the
// test is skipped, in CI it fails.
func schemas(t *testing.T) (feed, report *jsonschema.Schema) {
	t.Helper()
	path := os.Getenv("STOCKBRIDGE_AMAZON_SCHEMA")
	if path == "" {
		dir, err := os.UserCacheDir()
		if err != nil {
			t.Fatal(err)
		}
		path = filepath.Join(dir, "stockbridge", "amazon_listings_feed_v2.json")
	}
	raw, err := os.ReadFile(path)
	switch {
	case errors.Is(err, os.ErrNotExist) && os.Getenv("CI") != "true":
		t.Skipf("Amazon's schemas are not at %s: fetch them with internal/channel/amazon/testdata/schema.sh", path)
	case err != nil:
		t.Fatal(err)
	}
	both, err := jsonschema.UnmarshalJSON(bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("amazon.json", both); err != nil {
		t.Fatal(err)
	}
	return c.MustCompile("amazon.json#/feed"), c.MustCompile("amazon.json#/report")
}

func validate(t *testing.T, schema *jsonschema.Schema, document []byte) error {
	t.Helper()
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(document))
	if err != nil {
		t.Fatal(err)
	}
	return schema.Validate(v)
}

// Every feed is as Amazon's own schema has it, and so is every report that the stand-in makes: else the other tests would prove nothing.
func TestFeedsAreAsAmazonsSchemaHasThem(t *testing.T) {
	t.Parallel()
	feed, report := schemas(t)
	w := setup(t, 500)
	w.stock["A/1 \"<&>\" 😀"] = 0
	w.pushed(t, levels(500, 0))
	w.issues["SKU-3"] = issue{Code: "90220", Severity: "ERROR", Message: "it needs a name"}
	w.issues["SKU-4"] = issue{Code: "18299", Severity: "WARNING", Message: "small"}
	if _, err := w.store.Push(t.Context(), batch(levels(few+1, 1<<31-30))); err != nil {
		t.Fatal(err)
	}
	w.pushed(t, []channel.Level{{SKU: "A/1 \"<&>\" 😀", Quantity: 0}})
	w.with(func() { w.end = "FATAL" })
	if _, err := w.store.Push(t.Context(), batch(levels(few+1, 9))); err != nil {
		t.Fatal(err)
	}
	if len(w.submitted) != 4 || len(w.reports) != 4 {
		t.Fatalf("%d feeds, %d reports", len(w.submitted), len(w.reports))
	}
	for i, body := range w.submitted {
		if err := validate(t, feed, body); err != nil {
			t.Errorf("feed %d: %v", i, err)
		}
		if err := validate(t, report, w.reports[i]); err != nil {
			t.Errorf("report %d: %v", i, err)
		}
	}
	// The schema is one that finds fault.
	body := string(w.submitted[2])
	for _, change := range [][2]string{
		{`"operationType":"PATCH"`, `"operationType":"MERGE"`}, {`"op":"merge"`, `"op":"move"`}, {`"version":"2.0"`, `"version":"1.0"`}, {`"messageId":1`, `"messageId":0`},
		{`"patches"`, `"attributes":{"a":1},"patches"`}, {`"productType":"PRODUCT",`, ``}, {`"sellerId"`, `"seller"`},
	} {
		if wrong := strings.Replace(body, change[0], change[1], 1); wrong == body || validate(t, feed, []byte(wrong)) == nil {
			t.Errorf("with %s in place of %s it is valid: %s", change[1], change[0], wrong)
		}
	}
	if most := *feed.Properties["messages"].MaxItems; most != maxMessages {
		t.Errorf("a feed takes %d messages, and gets %d", most, maxMessages)
	}
}

// The stand-in refuses what the documentation does not have.
func TestStandInIsStrict(t *testing.T) {
	t.Parallel()
	w := setup(t, 1)
	for name, body := range map[string]string{
		"unknown field":  `{"productType":"PRODUCT","patches":[{"op":"merge","path":"/attributes/fulfillment_availability","value":[{"fulfillment_channel_code":"DEFAULT","quantity":1}]}],"mode":"x"}`,
		"no patches":     `{"productType":"PRODUCT"}`,
		"no quantity":    `{"productType":"PRODUCT","patches":[{"op":"merge","path":"/attributes/fulfillment_availability","value":[{"fulfillment_channel_code":"DEFAULT"}]}]}`,
		"another path":   `{"productType":"PRODUCT","patches":[{"op":"merge","path":"/attributes/price","value":[{"fulfillment_channel_code":"DEFAULT","quantity":1}]}]}`,
		"not JSON":       `productType=PRODUCT`,
		"negative":       `{"productType":"PRODUCT","patches":[{"op":"merge","path":"/attributes/fulfillment_availability","value":[{"fulfillment_channel_code":"DEFAULT","quantity":-1}]}]}`,
		"unknown nested": `{"productType":"PRODUCT","patches":[{"op":"merge","from":"","path":"/attributes/fulfillment_availability","value":[{"fulfillment_channel_code":"DEFAULT","quantity":1}]}]}`,
	} {
		var answer map[string]any
		_, err := w.store.ask(t.Context(), call{peer: w.store.items, limit: w.store.limits.patch, method: "PATCH", path: w.store.itemsPath() + "/SKU-0?marketplaceIds=" + east, body: json.RawMessage(rawOr(body)), into: &answer})
		if err == nil || !strings.Contains(err.Error(), "InvalidInput") {
			t.Errorf("%s: %v, %v", name, answer, err)
		}
	}
	for _, query := range []string{"", "?marketplaceIds=US", "?marketplaceIds=" + east + "&mode=VALIDATION_PREVIEW"} {
		var answer map[string]any
		_, err := w.store.ask(t.Context(), call{peer: w.store.items, limit: w.store.limits.patch, method: "PATCH", path: w.store.itemsPath() + "/SKU-0" + query, body: map[string]int{}, into: &answer})
		if err == nil || !strings.Contains(err.Error(), "InvalidInput") {
			t.Errorf("%q: %v, %v", query, answer, err)
		}
	}
	if w.shows("SKU-0") != 0 {
		t.Error("it took one of them")
	}
}

// rawOr is a text as JSON: as it is, or else as a string.
func rawOr(text string) string {
	if json.Valid([]byte(text)) {
		return text
	}
	return `"` + text + `"`
}
