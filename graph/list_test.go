package graph_test

import (
	"fmt"
	"strings"
	"testing"

	"stockbridge/ent/activity"
	"stockbridge/ent/schema/enum"
	"stockbridge/internal/database"
)

// spec 5 and design: nested lists take one statement per level, however many rows there are.
func TestNestedListsTakeOneStatementEach(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.many(50)
		w = w.usual() // a plan takes one for all
		tests := []struct {
			name, document string
			most           int
		}{
			{"products", `{ products { edges { node { sku components { product { sku } } listings { channelSku store { name } } } } } }`, 5},
			{"channel levels", `{ channelLevels { nodes { quantity store { name merchant { name } } listing { name } product { name listings { name } } location { code } } } }`, 7},
			{"channel levels by edges", `{ channelLevels { edges { node { quantity store { name merchant { name } } listing { name } product { name } location { code } } } } }`, 6},
			{"edges and nodes together", `{ channelLevels { edges { node { store { name } } } nodes { store { merchant { name } } } } }`, 3},
			{"through fragments", `{ channelLevels { ...C } } fragment C on ChannelLevelConnection { edges { ... on ChannelLevelEdge { node { ...L } } } } fragment L on ChannelLevel { ... on Node { id } store { ... { name } } }`, 2},
			{"connections", `{ connections { nodes { warehouse { name } store { name } locationLinks { facility { code } location { code } } schedules { mode } lastRun { id connection { name } } } } }`, 9},
			{"warehouse levels", `{ warehouseLevels { nodes { sku product { name } warehouse { merchant { name } } facility { code } } } }`, 5},
			{"activities", `{ activities { nodes { kind merchant { name } warehouse { name } store { name } run { status connection { name } } } } }`, 6},
		}
		for _, tt := range tests {
			var rows int
			made := w.statements.during(func() {
				a := w.ask(operator(w.alpha.merchant), tt.document)
				if len(a.Errors) > 0 {
					t.Fatal(a.raw)
				}
				for _, list := range a.Data {
					for _, l := range []string{"nodes", "edges"} {
						all, _ := at(list, l).([]any)
						rows = max(rows, len(all))
					}
				}
			})
			if len(made) > tt.most || rows < 50 {
				t.Errorf("%s: %d rows take %d statements, of at most %d:\n%s", tt.name, rows, len(made), tt.most, strings.Join(made, "\n"))
			}
		}
	})
}

// spec 5: "totalCount only worked out when asked for".
func TestTotalIsCountedOnlyWhenAskedFor(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.many(60)
		w = w.usual() // a plan's own statement is not among those that are noted
		without := w.statements.during(func() {
			w.data(admin, "", `{ channelLevels(first: 2) { nodes { id } pageInfo { hasNextPage } } }`)
		})
		var total any
		with := w.statements.during(func() {
			total = w.data(admin, "channelLevels.totalCount", `{ channelLevels(first: 2, where: {sku: {prefix: "SKU"}}) { nodes { id } totalCount } }`)
		})
		if len(without) != 1 || len(with) != 2 || total != 60.0 {
			t.Errorf("%d statements without, %d with, total %v", len(without), len(with), total)
		}
		if got := w.data(admin, "channelLevels", `{ channelLevels(where: {sku: {eq: "none"}}) { totalCount nodes { id } pageInfo { hasNextPage hasPreviousPage startCursor endCursor } } }`); brief(got) !=
			`{"nodes":[],"pageInfo":{"endCursor":null,"hasNextPage":false,"hasPreviousPage":false,"startCursor":null},"totalCount":0}` {
			t.Errorf("got %s", brief(got))
		}
	})
}

// spec 2.1, 2.2 and 5: search and filters.
func TestWhere(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.tenants()
		a, b := w.alpha, w.beta
		for _, sku := range []string{"a%b", "a_b", "A_b", "é1", "é2", "f", "\U0010FFFFx"} {
			w.rows.WarehouseLevel.Create().SetMerchantID(a.merchant).SetWarehouseID(a.warehouse).SetSku(sku).SaveX(t.Context())
		}
		tests := []struct{ list, where, field, want string }{
			{"warehouseLevels", `{merchantId: "` + id("Merchant", b.merchant) + `"}`, "sku", "BETA-BIKE"},
			{"warehouseLevels", `{warehouseId: "` + id("Warehouse", a.files) + `"}`, "sku", ""},
			{"warehouseLevels", `{facilityId: "` + id("Facility", a.facility) + `"}`, "sku", "ALPHA-BIKE"},
			{"warehouseLevels", `{sku: {eq: "a_b"}}`, "sku", "a_b"},
			{"warehouseLevels", `{sku: {eq: "alpha-bike"}}`, "sku", ""},
			{"warehouseLevels", `{sku: {in: ["a_b", "f", "x"]}}`, "sku", "a_b f"},
			{"warehouseLevels", `{sku: {in: []}}`, "sku", ""},
			{"warehouseLevels", `{sku: {in: null}, warehouseId: "` + id("Warehouse", b.warehouse) + `"}`, "sku", "BETA-BIKE"},
			{"warehouseLevels", `{sku: {prefix: "a"}}`, "sku", "a%b a_b"},
			{"warehouseLevels", `{sku: {prefix: "a_"}}`, "sku", "a_b"},
			{"warehouseLevels", `{sku: {prefix: "é"}}`, "sku", "é1 é2"},
			{"warehouseLevels", `{sku: {prefix: "\uDBFF\uDFFF"}}`, "sku", "\U0010FFFFx"},
			{"warehouseLevels", `{sku: {contains: "%"}}`, "sku", "a%b"},
			{"warehouseLevels", `{sku: {contains: "_b"}}`, "sku", "a_b A_b"},
			{"warehouseLevels", `{sku: {contains: "BIKE", prefix: "A"}}`, "sku", "ALPHA-BIKE"},
			{"warehouseLevels", `{sku: {contains: "", prefix: "", eq: "f"}}`, "sku", "f"},
			{"warehouseLevels", `{sku: {eq: "\u0000"}}`, "sku", ""},
			{"warehouseLevels", `{sku: {prefix: "a\u0000"}}`, "sku", ""},
			{"warehouseLevels", `{sku: {contains: "\u0000"}}`, "sku", ""},
			{"warehouseLevels", `{sku: {in: ["\u0000"]}}`, "sku", ""},
			{"channelLevels", `{storeId: "` + id("Store", a.store) + `", channelSku: {eq: "ALPHA-CH"}}`, "sku", "ALPHA-BIKE"},
			{"channelLevels", `{status: {in: [PENDING, EXCLUDED]}, sku: {prefix: "A"}}`, "sku", "ALPHA-SET"},
			{"channelLevels", `{status: {eq: FAILED, in: [PENDING]}}`, "sku", ""},
			{"channelLevels", `{locationId: "` + id("StoreLocation", b.location) + `"}`, "sku", "BETA-BIKE"},
			{"channelLevels", `{listingId: "` + id("Listing", b.listing) + `"}`, "sku", "BETA-BIKE"},
			{"activities", `{merchantId: "` + id("Merchant", a.merchant) + `", sku: "ALPHA-BIKE", storeId: "` + id("Store", a.store) + `", kinds: [CHANNEL_LEVEL_FAILED]}`, "sku", "ALPHA-BIKE"},
			{"activities", `{warehouseId: "` + id("Warehouse", a.warehouse) + `", runId: "` + id("SyncRun", a.run) + `", channelSku: "ALPHA-CH"}`, "sku", "ALPHA-BIKE"},
			{"activities", `{kinds: []}`, "sku", ""},
			{"merchants", `{name: {contains: "ET"}}`, "name", "BETA"},
			{"warehouses", `{platform: FILE_EXCHANGE}`, "name", "ALPHA files BETA files"},
			{"stores", `{platform: HTTP, name: {prefix: "BETA"}}`, "name", "BETA shop"},
			{"connections", `{enabled: false, inventoryEnabled: false, warehouseId: "` + id("Warehouse", a.warehouse) + `", storeId: "` + id("Store", a.store) + `"}`, "name", "ALPHA connection"},
			{"connections", `{enabled: true}`, "name", ""},
			{"products", `{upc: {eq: "BETA upc"}}`, "sku", "BETA-BIKE"},
			{"products", `{name: {prefix: "ALPHA b"}}`, "sku", "ALPHA-BIKE"},
			{"listings", `{sku: {eq: "ALPHA-BIKE"}, inventoryEnabled: true}`, "channelSku", "ALPHA-CH"},
			{"listings", `{sku: {eq: "ALPHA-SET"}}`, "channelSku", ""},
			{"listings", `{productId: "` + id("Product", b.product) + `"}`, "channelSku", "BETA-CH"},
			{"partitionStrategies", `{active: false, warehouseId: "` + id("Warehouse", b.warehouse) + `"}`, "name", "BETA strategy"},
			{"syncRuns", `{connectionId: "` + id("Connection", a.connection) + `", mode: SMART, trigger: MANUAL, status: {in: [PARTIAL]}}`, "error", "ALPHA trouble"},
			{"catalogImports", `{merchantId: "` + id("Merchant", a.merchant) + `", kind: PRODUCTS, status: PARTIAL}`, "error", "ALPHA trouble"},
			{"catalogImports", `{status: RUNNING}`, "error", ""},
			{"tokens", `{merchantId: "` + id("Merchant", a.merchant) + `", role: OPERATOR}`, "name", "ALPHA token"},
		}
		for _, tt := range tests {
			var got []string
			for _, n := range w.data(admin, tt.list+".nodes", fmt.Sprintf("{ %s(where: %s) { nodes { %s } totalCount } }", tt.list, tt.where, tt.field)).([]any) {
				got = append(got, fmt.Sprint(at(n, tt.field)))
			}
			if strings.Join(got, " ") != tt.want {
				t.Errorf("%s(where: %s) gives %q, want %q", tt.list, tt.where, got, tt.want)
			}
		}
		many := make([]string, 1001)
		if got := w.ask(admin, `query($in: [String!]) { listings(where: {sku: {in: $in}}) { totalCount } }`, vars{"in": many}).refused(); got != "TOO_MANY where,sku,in" {
			t.Errorf("1001 SKUs: %q", got)
		}
		if got := w.ask(admin, `query($in: [String!]) { channelLevels(where: {channelSku: {in: $in}}) { totalCount } }`, vars{"in": many[:1000]}).refused(); got != "" {
			t.Errorf("1000 SKUs: %q", got)
		}
		// spec 6: a bad id is a named code and the field.
		for list, where := range map[string]string{"warehouseLevels": `{facilityId: "x"}`, "channelLevels": `{storeId: "` + id("Warehouse", 1) + `"}`, "tokens": `{merchantId: ""}`} {
			field := strings.Trim(strings.SplitN(where, ":", 2)[0], "{")
			if got := w.ask(admin, fmt.Sprintf("{ %s(where: %s) { totalCount } }", list, where)).refused(); got != "NOT_FOUND where,"+field {
				t.Errorf("%s: %q", list, got)
			}
		}
	})
}

// spec 5: every list in every order, without a word of doubt from the database.
func TestOrders(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.tenants()
		for _, f := range w.schema.Schema().Query.Fields {
			order := f.Arguments.ForName("orderBy")
			if order == nil {
				continue
			}
			fields := w.schema.Schema().Types[order.Type.Name()].Fields.ForName("field").Type.Name()
			for _, field := range w.schema.Schema().Types[fields].EnumValues {
				var asc, desc []any
				for direction, to := range map[string]*[]any{"ASC": &asc, "DESC": &desc} {
					*to = w.data(admin, f.Name+".nodes", fmt.Sprintf("{ %s(orderBy: {field: %s, direction: %s}) { nodes { __typename ... on Node { id } } } }", f.Name, field.Name, direction)).([]any)
				}
				if len(asc) < 2 || len(asc) != len(desc) {
					t.Fatalf("%s by %s: %d and %d rows", f.Name, field.Name, len(asc), len(desc))
				}
				for i := range asc {
					if brief(asc[i]) != brief(desc[len(desc)-1-i]) {
						t.Errorf("%s by %s: %s is not the reverse of %s", f.Name, field.Name, brief(desc), brief(asc))
						break
					}
				}
				paged := w.data(admin, f.Name+".edges", fmt.Sprintf("{ %s(first: 1, orderBy: {field: %s}) { edges { cursor } } }", f.Name, field.Name))
				next := w.data(admin, f.Name+".nodes.0", fmt.Sprintf("{ %s(first: 1, after: %q, orderBy: {field: %s}) { nodes { __typename ... on Node { id } } } }", f.Name, at(paged, "0.cursor"), field.Name))
				if brief(next) != brief(asc[1]) {
					t.Errorf("%s by %s: after the first comes %s, want %s", f.Name, field.Name, brief(next), brief(asc[1]))
				}
			}
		}
		w.rows.Activity.Create().SetMerchantID(99).SetKind(enum.QuantityChanged).SetSku("lost").SaveX(t.Context())
		if lost := w.data(admin, "activities.nodes.0", `{ activities(first: 1) { nodes { sku merchant { name } } } }`); brief(lost) != `{"merchant":null,"sku":"lost"}` {
			t.Errorf("a fact that outlived its merchant: %s", brief(lost))
		}
		w.rows.Activity.Delete().Where(activity.Sku("lost")).ExecX(t.Context())
		newest := w.data(admin, "activities.nodes.0.sku", `{ activities { nodes { sku } } }`)
		if newest != "BETA-BIKE" {
			t.Errorf("activities begin with %v, want the newest first", newest)
		}
		for document, want := range map[string]string{
			`{ channelLevels(first: 251) { totalCount } }`:                            "PAGE_TOO_LARGE first",
			`{ channelLevels(first: 1, after: "x") { totalCount } }`:                  "INVALID_CURSOR after",
			`{ syncRuns { nodes { problems(first: 300) { nodes { line } } } } }`:      "PAGE_TOO_LARGE first",
			`{ channelLevels(first: 3000000000) { totalCount } }`:                     "OUT_OF_RANGE first",
			`{ channelLevels(orderBy: {field: PRICE}) { totalCount } }`:               "GRAPHQL_VALIDATION_FAILED",
			`{ inventoryItem(merchantId: "x", sku: "A") { sku } }`:                    "NOT_FOUND merchantId",
			`{ node(id: "garbage") { id } }`:                                          "NOT_FOUND id",
			`{ node(id: "` + id("RunProblem", 1) + `") { id } }`:                      "NOT_FOUND id",
			`{ node(id: "` + strings.TrimRight(id("Store", 1), "E") + `==") { id } }`: "NOT_FOUND id",
		} {
			if got := w.ask(admin, document).refused(); got != want {
				t.Errorf("%s\nis refused with %q, want %q", document, got, want)
			}
		}
	})
}

// spec 2.3: the SKU page shows translated SKUs and bundles that use the SKU.
func TestInventoryItem(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.tenants()
		document := `query($m: ID!, $sku: String!) { inventoryItem(merchantId: $m, sku: $sku) { sku merchant { name } product { name }
			warehouseLevels { nodes { available product { name } } totalCount } channelLevels(orderBy: {field: CHANNEL_SKU}) { nodes { channelSku sku product { name } } } activities(first: 1) { nodes { kind } } } }`
		alpha := id("Merchant", w.alpha.merchant)
		got := w.data(operator(w.alpha.merchant), "inventoryItem", document, vars{"m": alpha, "sku": " ALPHA-BIKE "})
		want := `{"activities":{"nodes":[{"kind":"CHANNEL_LEVEL_FAILED"}]},"channelLevels":{"nodes":[{"channelSku":"ALPHA-CH","product":{"name":"ALPHA bike"},"sku":"ALPHA-BIKE"},` +
			`{"channelSku":"ALPHA-SET","product":{"name":"ALPHA set"},"sku":"ALPHA-SET"}]},"merchant":{"name":"ALPHA"},"product":{"name":"ALPHA bike"},"sku":"ALPHA-BIKE",` +
			`"warehouseLevels":{"nodes":[{"available":8,"product":{"name":"ALPHA bike"}}],"totalCount":1}}`
		if brief(got) != want {
			t.Errorf("got  %s\nwant %s", brief(got), want)
		}
		for _, sku := range []string{"alpha-bike", "BETA-BIKE", "", "\x00", "ALPHA-CH"} {
			if got := w.data(admin, "inventoryItem", document, vars{"m": alpha, "sku": sku}); got != nil {
				t.Errorf("%q: got %s", sku, brief(got))
			}
		}
		w.rows.WarehouseLevel.Create().SetMerchantID(w.alpha.merchant).SetWarehouseID(w.alpha.warehouse).SetSku("plain").SetOnHand(1).SaveX(t.Context())
		if got := w.data(admin, "inventoryItem", document, vars{"m": alpha, "sku": "plain"}); at(got, "product") != nil || at(got, "warehouseLevels.totalCount") != 1.0 {
			t.Errorf("plain stock flows without a product: %s", brief(got))
		}
		if got := w.data(operator(w.beta.merchant), "inventoryItem", document, vars{"m": alpha, "sku": "ALPHA-BIKE"}); got != nil {
			t.Errorf("another tenant finds %s", brief(got))
		}
	})
}

// many gives the world a merchant with n of everything that has lists.
func (w *world) many(n int) {
	w.t.Helper()
	ctx := w.t.Context()
	w.tenants()
	t := w.alpha
	for i := range n {
		sku := fmt.Sprintf("SKU%03d", i)
		p := w.rows.Product.Create().SetMerchantID(t.merchant).SetSku(sku).SaveX(ctx)
		w.rows.BundleComponent.Create().SetMerchantID(t.merchant).SetBundleID(p.ID).SetComponentID(t.product).SetQuantity(2).SaveX(ctx)
		l := w.rows.Listing.Create().SetMerchantID(t.merchant).SetStoreID(t.store).SetProductID(p.ID).SetChannelSku(sku).SaveX(ctx)
		loc := w.rows.StoreLocation.Create().SetMerchantID(t.merchant).SetStoreID(t.store).SetCode(sku).SetName(sku).SaveX(ctx)
		w.rows.ChannelLevel.Create().SetMerchantID(t.merchant).SetStoreID(t.store).SetLocationID(loc.ID).SetLocationCode(sku).SetChannelSku(sku).SetSku(sku).SetListingID(l.ID).
			SetQuantity(1).SetStatus(enum.Pending).SaveX(ctx)
		f := w.rows.Facility.Create().SetMerchantID(t.merchant).SetWarehouseID(t.warehouse).SetCode(sku).SaveX(ctx)
		w.rows.WarehouseLevel.Create().SetMerchantID(t.merchant).SetWarehouseID(t.warehouse).SetFacilityID(f.ID).SetFacilityCode(sku).SetSku(sku).SaveX(ctx)
		s := w.rows.Store.Create().SetMerchantID(t.merchant).SetName(sku).SetPlatform(enum.HTTP).SetSettings([]byte("{}")).SaveX(ctx)
		c := must(w.db.CreateConnection(ctx, database.CreateConnection{MerchantID: t.merchant, WarehouseID: t.warehouse, StoreID: s.ID}))
		w.rows.LocationLink.Create().SetMerchantID(t.merchant).SetConnectionID(c.ID).SetFacilityID(f.ID).SetLocationID(loc.ID).SaveX(ctx)
		var run int64
		for range 2 {
			run = w.rows.SyncRun.Create().SetMerchantID(t.merchant).SetConnectionID(c.ID).SetMode(enum.Smart).SetTrigger(enum.Manual).SetStatus(enum.Succeeded).SaveX(ctx).ID
		}
		w.rows.Activity.Create().SetMerchantID(t.merchant).SetKind(enum.QuantityChanged).SetSku(sku).SetStoreID(t.store).SetWarehouseID(t.warehouse).SetRunID(run).SaveX(ctx)
	}
}
