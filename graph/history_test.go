package graph_test

import (
	"testing"
	"time"

	"stockbridge/ent/activity"
)

// spec 2.5: levels as of a time, and through time for plots.
func TestLevelsThroughTime(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		h := w.house("Acme")
		ctx := t.Context()
		w.reports(h, "BELL", 8)
		facts := w.rows.Activity.Query().Where(activity.Sku("BELL"), activity.WarehouseID(h.east)).Order(activity.ByID()).AllX(ctx)
		if len(facts) != 2 {
			t.Fatalf("%d facts of BELL at East", len(facts))
		}
		now := time.Now().UTC().Truncate(time.Second)
		past := now.Add(-time.Hour).Format(time.RFC3339)
		soon := now.Add(time.Hour).Format(time.RFC3339)
		ask := `query($m: ID!, $at: Time!) { inventoryItem(merchantId: $m, sku: "BELL") { asOf(at: $at) { complete keptSince
			warehouseLevels { warehouseId warehouse { name } facility { code } sku figure } channelLevels { storeId store { name } location { code } sku channelSku quantity pushedQuantity excluded } } } }`
		m := id("Merchant", h.merchant)
		if got := brief(w.data(partner(h.merchant), "inventoryItem.asOf", ask, vars{"m": m, "at": past})); got != `{"channelLevels":[],"complete":true,"keptSince":null,"warehouseLevels":[]}` {
			t.Errorf("before: %s", got)
		}
		if got := brief(w.data(partner(h.merchant), "inventoryItem.asOf", ask, vars{"m": m, "at": soon})); got != `{"channelLevels":[`+
			`{"channelSku":"BELL","excluded":false,"location":null,"pushedQuantity":null,"quantity":4,"sku":"BELL","store":{"name":"Web"},"storeId":"`+id("Store", h.web)+`"},`+
			`{"channelSku":"WEB-KIT","excluded":false,"location":null,"pushedQuantity":null,"quantity":2,"sku":"KIT","store":{"name":"Web"},"storeId":"`+id("Store", h.web)+`"},`+
			`{"channelSku":"BELL","excluded":false,"location":null,"pushedQuantity":null,"quantity":3,"sku":"BELL","store":{"name":"Outlet"},"storeId":"`+id("Store", h.outlet)+`"}],`+
			`"complete":true,"keptSince":null,"warehouseLevels":[{"facility":null,"figure":8,"sku":"BELL","warehouse":{"name":"East"},"warehouseId":"`+id("Warehouse", h.east)+`"}]}` {
			t.Errorf("now: %s", got)
		}
		plot := `query($m: ID!, $from: Time!, $to: Time!, $n: Int) { levelHistory(merchantId: $m, sku: "BELL", from: $from, to: $to, buckets: $n) { complete
			warehouseLevels { warehouse { name } points { value min max excluded } } channelLevels { store { name } channelSku points { value min max } pushed { value } } } }`
		if got := brief(w.data(partner(h.merchant), "levelHistory", plot, vars{"m": m, "from": past, "to": soon, "n": 1})); got != `{"channelLevels":[`+
			`{"channelSku":"BELL","points":[{"max":9,"min":4,"value":4}],"pushed":[],"store":{"name":"Web"}},`+
			`{"channelSku":"WEB-KIT","points":[{"max":3,"min":2,"value":2}],"pushed":[],"store":{"name":"Web"}},`+
			`{"channelSku":"BELL","points":[{"max":9,"min":3,"value":3}],"pushed":[],"store":{"name":"Outlet"}}],"complete":true,`+
			`"warehouseLevels":[{"points":[{"excluded":false,"max":20,"min":8,"value":8}],"warehouse":{"name":"East"}}]}` {
			t.Errorf("history: %s", got)
		}
		if got := w.data(admin, "levelHistory.warehouseLevels.0.points", plot, vars{"m": m, "from": past, "to": soon}).([]any); len(got) != 100 {
			t.Errorf("%d buckets where none are asked for", len(got))
		}
		w.rows.FeedHorizon.Create().SetMerchantID(h.merchant).SetActivityID(facts[0].ID).SaveX(ctx)
		if got := w.data(admin, "levelHistory.complete", plot, vars{"m": m, "from": past, "to": soon, "n": 1}); got != false {
			t.Error("pruned, and said to be complete")
		}
	})
}

// spec 6: what a history cannot be asked for.
func TestHistoryFaults(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		h, other := w.house("Acme"), w.house("Globex")
		ask := `query($m: ID!, $from: Time!, $to: Time!, $n: Int) { levelHistory(merchantId: $m, sku: "BELL", from: $from, to: $to, buckets: $n) { complete } }`
		for want, v := range map[string]vars{
			"NOT_FOUND merchantId": {"m": id("Merchant", other.merchant), "from": "2026-01-01T00:00:00Z", "to": "2026-01-02T00:00:00Z"},
			"INVALID to":           {"m": id("Merchant", h.merchant), "from": "2026-01-02T00:00:00Z", "to": "2026-01-02T00:00:00Z"},
			"OUT_OF_RANGE from":    {"m": id("Merchant", h.merchant), "from": "0001-01-02T00:00:00Z", "to": "9026-01-02T00:00:00Z"},
			"OUT_OF_RANGE buckets": {"m": id("Merchant", h.merchant), "from": "2026-01-01T00:00:00Z", "to": "2026-01-02T00:00:00Z", "n": 1001},
		} {
			if got := w.ask(operator(h.merchant), ask, v).refused(); got != want {
				t.Errorf("%v: %s, want %s", v, got, want)
			}
		}
	})
}
