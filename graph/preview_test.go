package graph_test

import (
	"fmt"
	"strings"
	"testing"
)

const changed = `{ nodes { effect sku channelSku store { name } location { code } listing { channelSku } before { quantity status } after { quantity status } } edges { cursor } pageInfo { hasNextPage hasPreviousPage endCursor } totalCount }`

// told is what a preview tells, "EFFECT channel SKU @ store: before → after" each.
func told(data any) string {
	var out []string
	for _, n := range at(data, "nodes").([]any) {
		out = append(out, fmt.Sprint(at(n, "effect"), " ", at(n, "channelSku"), " @ ", at(n, "store.name"), ": ", at(n, "before.quantity"), " → ", at(n, "after.quantity")))
	}
	return strings.Join(out, "; ")
}

// spec 5: previews show every level that would change, before and after, and nothing changes.
func TestPreviews(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		h := w.house("Acme")
		strategy, listing, web, kit := id("PartitionStrategy", h.strategy), id("Listing", h.listing), id("Store", h.web), id("Product", h.kit)
		levels := `{ channelLevels { nodes { channelSku quantity status updatedAt } } partitionStrategies { nodes { name version } } listings { nodes { channelSku version } } }`
		before := w.ask(admin, levels).raw
		for query, want := range map[string]string{
			`previewPartitionStrategy(input: {partitionStrategyId: "` + strategy + `", active: false})`: "CHANGES BELL @ Web: 9 → 20; CHANGES BELL @ Outlet: 9 → 20; CHANGES BIKE @ Web: 18 → 40; CHANGES BIKE @ Outlet: 18 → 40",
			`previewPartitionStrategy(input: {partitionStrategyId: "` + strategy + `", buffer: null})`:  "CHANGES BELL @ Web: 9 → 10; CHANGES BELL @ Outlet: 9 → 10; CHANGES BIKE @ Web: 18 → 20; CHANGES BIKE @ Outlet: 18 → 20",
			`previewPartitionStrategy(input: {warehouseId: "` + id("Warehouse", h.east) + `", name: "New", distribution: PRIORITY, shares: [{storeId: "` + web + `", cap: 1}]})`://
			"CHANGES BELL @ Web: 9 → 1; CHANGES BELL @ Outlet: 9 → 19; CHANGES BIKE @ Web: 18 → 1; CHANGES BIKE @ Outlet: 18 → 39; CHANGES WEB-KIT @ Web: 3 → 0",
			`previewPartitionStrategy(input: {warehouseId: "` + id("Warehouse", h.east) + `", active: false})`:                                       "",
			`previewPartitionStrategy(where: {storeId: "` + web + `"}, input: {partitionStrategyId: "` + strategy + `", active: false})`:             "CHANGES BELL @ Web: 9 → 20; CHANGES BIKE @ Web: 18 → 40",
			`previewListing(input: {create: {storeId: "` + id("Store", h.outlet) + `", sku: "KIT", channelSku: "O-KIT"}})`:                           "APPEARS O-KIT @ Outlet: <nil> → 4",
			`previewListing(input: {update: {listingId: "` + listing + `", maxQuantity: null}})`:                                                     "CHANGES WEB-KIT @ Web: 3 → 4",
			`previewListing(input: {delete: {listingId: "` + listing + `"}})`:                                                                        "EXCLUDED WEB-KIT @ Web: 3 → 3",
			`previewBundle(input: {productId: "` + kit + `", components: [{sku: "BELL", quantity: 9}]})`:                                             "CHANGES WEB-KIT @ Web: 3 → 1",
			`previewStoreLimits(input: {storeId: "` + web + `", limits: [{pattern: "BELL", action: SKIP}, {pattern: "KIT", action: SKIP}]})`:         "EXCLUDED BELL @ Web: 9 → 9; CHANGES BELL @ Outlet: 9 → 18; EXCLUDED WEB-KIT @ Web: 3 → 3",
			`previewStoreLimits(input: {storeId: "` + web + `", scope: LISTED_SKUS, limits: []}, where: {storeId: "` + id("Store", h.outlet) + `"})`: "",
		} {
			a := w.ask(partner(h.merchant), "{ preview: "+query+changed+" }")
			if got := told(at(a.Data, "preview")); len(a.Errors) > 0 || got != want || at(a.Data, "preview.totalCount") != float64(strings.Count(want, "@")) {
				t.Errorf("%s\ntells %s\nwant %s\n%s", query, got, want, a.raw)
			}
		}
		if after := w.ask(admin, levels).raw; after != before {
			t.Errorf("changed from %s\nto %s", before, after)
		}
	})
}

// spec 5: a preview is paged by keyset cursors.
func TestPreviewPages(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		h := w.house("Acme")
		ask := `query($s: ID!, $after: String) { preview: previewPartitionStrategy(input: {partitionStrategyId: $s, active: false}, first: 3, after: $after) ` + changed + ` }`
		v := vars{"s": id("PartitionStrategy", h.strategy)}
		first := w.data(admin, "preview", ask, v)
		v["after"] = at(first, "pageInfo.endCursor")
		second := w.data(admin, "preview", ask, v)
		back := w.data(admin, "preview", strings.ReplaceAll(strings.ReplaceAll(ask, "first: 3", "last: 2"), "after: $after", "before: $after"), vars{"s": v["s"], "after": at(second, "edges.0.cursor")})
		if got := told(first) + " | " + told(second); got != "CHANGES BELL @ Web: 9 → 20; CHANGES BELL @ Outlet: 9 → 20; CHANGES BIKE @ Web: 18 → 40 | CHANGES BIKE @ Outlet: 18 → 40" ||
			told(back) != "CHANGES BELL @ Outlet: 9 → 20; CHANGES BIKE @ Web: 18 → 40" || at(back, "pageInfo.hasNextPage") != true || at(back, "pageInfo.hasPreviousPage") != true ||
			at(first, "pageInfo.hasNextPage") != true || at(second, "pageInfo.hasNextPage") != false || at(second, "totalCount") != 4.0 {
			t.Errorf("%s\n%s\n%s", got, brief(first), brief(second))
		}
	})
}

// spec 5, 6: what is wrong with a preview's input is told by code and field; another tenant's objects are not found.
func TestPreviewFaults(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		h, other := w.house("Acme"), w.house("Globex")
		strategy, web := id("PartitionStrategy", h.strategy), id("Store", h.web)
		for query, want := range map[string]string{
			`previewPartitionStrategy(input: {})`:                                                                                               "BLANK input,warehouseId",
			`previewPartitionStrategy(input: {warehouseId: "` + id("Warehouse", other.east) + `"})`:                                             "NOT_FOUND input,warehouseId",
			`previewPartitionStrategy(input: {partitionStrategyId: "` + id("PartitionStrategy", other.strategy) + `"})`:                         "NOT_FOUND input,partitionStrategyId",
			`previewPartitionStrategy(input: {partitionStrategyId: "` + strategy + `", warehouseId: "` + id("Warehouse", other.east) + `"})`:    "INVALID input,warehouseId",
			`previewPartitionStrategy(input: {partitionStrategyId: "` + strategy + `", expectedVersion: 9})`:                                    "STALE_VERSION input,expectedVersion",
			`previewPartitionStrategy(input: {partitionStrategyId: "` + strategy + `", buffer: {percentage: "100.5"}})`:                         "OUT_OF_RANGE input,buffer,percentage",
			`previewPartitionStrategy(input: {partitionStrategyId: "` + strategy + `", shares: [{storeId: "` + id("Store", other.web) + `"}]})`: "NOT_FOUND input,shares,0,storeId",
			`previewPartitionStrategy(input: {warehouseId: "` + id("Warehouse", h.east) + `", name: "Half each"})`:                              "TAKEN input,name",
			`previewPartitionStrategy(input: {partitionStrategyId: "` + strategy + `"}, first: 251)`:                                            "PAGE_TOO_LARGE first",
			`previewPartitionStrategy(input: {partitionStrategyId: "` + strategy + `"}, after: "x")`:                                            "INVALID_CURSOR after",
			`previewPartitionStrategy(input: {partitionStrategyId: "` + strategy + `"}, where: {storeId: "x"})`:                                 "NOT_FOUND where,storeId",
			`previewListing(input: {create: {storeId: "` + web + `", sku: "NONE"}})`:                                                            "NOT_FOUND input,create,sku",
			`previewListing(input: {update: {listingId: "` + id("Listing", other.listing) + `"}})`:                                              "NOT_FOUND input,update,listingId",
			`previewBundle(input: {productId: "` + id("Product", h.kit) + `", components: [{sku: "KIT", quantity: 2}]})`:                        "BUNDLE_CYCLE input,components,0,sku",
			`previewStoreLimits(input: {storeId: "` + web + `", limits: [{pattern: "[", action: SKIP}]})`:                                       "INVALID input,limits,0,pattern",
		} {
			if got := w.ask(operator(h.merchant), "{ preview: "+query+changed+" }").refused(); got != want {
				t.Errorf("%s\nis refused with %s, want %s", query, got, want)
			}
		}
	})
}
