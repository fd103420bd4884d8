package shopify

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"stockbridge/internal/channel"
	"stockbridge/internal/channel/shopify/shopifytest"
)

// Every document there is, with variables of every form, against Shopify's own schema.
func TestRequestsAreAsShopifysSchemaHasThem(t *testing.T) {
	t.Parallel()
	schema := shopifytest.Schema(t)
	off, seen := false, map[string]bool{}
	for _, cfg := range []Config{{LocationID: "-"}, {LocationID: "2"}, {LocationID: "1", Activate: &off}, {APIVersion: "2026-07"}} {
		w := setup(t, 12, shopifytest.Config{Schema: schema, Strange: strange(2)}, cfg)
		if _, err := w.store.Test(t.Context()); err != nil {
			t.Error(err)
		}
		for i := range 300 { // two pages
			w.AddLocation(int64(i+10), "Shop", true)
		}
		if all, err := w.store.Locations(t.Context()); err != nil || len(all) != 302 {
			t.Errorf("%d, %v", len(all), err)
		}
		for i := range 30 { // more pages of items
			w.AddItem(int64(i+100), "sku-3", 1)
		}
		b := batchOf(12)
		for n := range b.Levels {
			b.Levels[n].Location = "2"
		}
		outcomes, err := w.store.Push(t.Context(), b)
		for n, o := range outcomes {
			want := channel.Acknowledged
			if n == 1 {
				want = channel.Refused
			}
			if o.Verdict != want {
				t.Errorf("%+v: %d: %+v, %v", cfg, n, o, err)
			}
		}
		for _, name := range w.operations() {
			seen[name] = true
		}
	}
	for _, name := range []string{"Test", "Locations", "Items", "Stocked", "Activate", "Set"} {
		if !seen[name] {
			t.Errorf("no request %s was made", name)
		}
	}

}

// The stand-in refuses what Shopify refuses, by the schema and by its run-time rules; else the other tests would prove nothing.
func TestStandInRefusesWhatShopifyRefuses(t *testing.T) {
	t.Parallel()
	shop := shopifytest.New(shopifytest.Config{Schema: shopifytest.Schema(t), Token: token})
	shop.AddLocation(1, "East", true)
	shop.AddItem(1, "A", 1)
	srv := httptest.NewServer(shop)
	defer srv.Close()
	const row = `{"inventoryItemId":"gid://shopify/InventoryItem/1","locationId":"gid://shopify/Location/1","quantity":5,"changeFromQuantity":null}`
	set := func(document, rows, key string) string {
		return `{"query":"` + document + `","variables":{"input":{"name":"available","reason":"correction","quantities":[` + rows + `]},"key":"` + key + `"}}`
	}
	for name, c := range map[string]struct{ body, want string }{
		"right":             {set(setDocument, row, "k1"), `"userErrors":[]`},
		"no directive":      {set(strings.Replace(strings.Replace(setDocument, "@idempotent(key:$key)", "", 1), ",$key:String!", "", 1), row, "k2"), "@idempotent directive is required"},
		"blank key":         {set(setDocument, row, " "), "blank"},
		"no change from":    {set(setDocument, strings.Replace(row, `,"changeFromQuantity":null`, "", 1), "k3"), "changeFromQuantity must be given"},
		"too many rows":     {set(setDocument, strings.Repeat(row+",", 250)+row, "k4"), "MAX_INPUT_SIZE_EXCEEDED"},
		"twice":             {set(setDocument, row+","+row, "k5"), "NO_DUPLICATE_INVENTORY_ITEM_ID_GROUP_ID_PAIR"},
		"old field":         {set(setDocument, strings.Replace(row, "changeFromQuantity", "compareQuantity", 1), "k6"), "INVALID_VARIABLE"},
		"no quantity":       {set(setDocument, strings.Replace(row, `"quantity":5,`, "", 1), "k7"), "INVALID_VARIABLE"},
		"text for a number": {set(setDocument, strings.Replace(row, `5`, `"five"`, 1), "k8"), "INVALID_VARIABLE"},
		"unknown field":     {`{"query":"{inventoryItems(first:1){nodes{skuu}}}"}`, "skuu"},
		"unknown argument":  {`{"query":"{locations(firsst:1){nodes{id}}}"}`, "firsst"},
		"too dear":          {`{"query":"{inventoryItems(first:250,query:\"sku:A\"){nodes{id inventoryLevels(first:50){nodes{id}}}}}"}`, "MAX_COST_EXCEEDED"},
		"bare special":      {`{"query":"{inventoryItems(first:1,query:\"sku:a:b\"){nodes{id}}}"}`, "special character"},
		"open quote":        {`{"query":"{inventoryItems(first:1,query:\"sku:'a\"){nodes{id}}}"}`, "not closed"},
	} {
		if got := post(t, srv.URL, c.body); !strings.Contains(got, c.want) {
			t.Errorf("%s: %s", name, got)
		}
	}
	for _, c := range []struct{ body, want string }{
		{set(setDocument, row, "k1"), `"userErrors":[]`},
		{set(setDocument, strings.Replace(row, "5", "6", 1), "k1"), "IDEMPOTENCY_KEY_PARAMETER_MISMATCH"},
	} {
		if got := post(t, srv.URL, c.body); !strings.Contains(got, c.want) {
			t.Errorf("%s: %s", c.body, got)
		}
	}
	if _, rows, _ := shop.Spent(); rows != 1 {
		t.Errorf("%d rows set by one key", rows)
	}
}

func post(t *testing.T, url, body string) string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url+"/admin/api/2026-10/graphql.json", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("X-Shopify-Access-Token", token)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	if err := resp.Body.Close(); err != nil {
		t.Fatal(err)
	}
	return string(text)
}
