package graph_test

import (
	"fmt"
	"strings"
	"testing"

	"stockbridge/internal/access"
)

// mutation writes a mutation that tells its user errors.
func mutate(name, input string) string {
	return fmt.Sprintf("mutation { %s(input: %s) { userErrors { code field message } } }", name, input)
}

// spec 5 and 6: a named code and the field, and nothing changed.
func TestUserErrors(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.tenants()
		a := w.ids(w.alpha)
		b := w.ids(w.beta)
		otto := operator(w.alpha.merchant)
		fill := strings.NewReplacer("$M", a["Merchant"], "$W", a["Warehouse"], "$S", a["Store"], "$C", a["Connection"], "$P", a["Product"], "$L", a["Listing"], "$T", a["PartitionStrategy"], "$R", a["SyncRun"],
			"$K", a["Token"], "$OTHERM", b["Merchant"], "$OTHERW", b["Warehouse"], "$OTHERS", b["Store"], "$OTHERC", b["Connection"], "$OTHERP", b["Product"], "$OTHERL", b["Listing"],
			"$OTHERT", b["PartitionStrategy"], "$OTHERR", b["SyncRun"], "$F", id("Warehouse", w.alpha.files), "$B", id("Product", w.alpha.bundle), "$URL", w.shop.URL)
		http := `platform: {http: {url: "$URL"}}`
		tests := []struct{ viewer, mutation, input, want string }{
			// another tenant's
			{"otto", "createWarehouse", `{merchantId: "$OTHERM", name: "n", platform: {push: {}}}`, "NOT_FOUND input,merchantId"},
			{"otto", "createStore", `{merchantId: "$OTHERM", name: "n", ` + http + `}`, "NOT_FOUND input,merchantId"},
			{"otto", "createConnection", `{warehouseId: "$OTHERW", storeId: "$S"}`, "NOT_FOUND input,warehouseId"},
			{"otto", "createConnection", `{warehouseId: "$W", storeId: "$OTHERS"}`, "NOT_FOUND input,storeId"},
			{"otto", "createProduct", `{merchantId: "$OTHERM", sku: "n"}`, "NOT_FOUND input,merchantId"},
			{"otto", "createListing", `{storeId: "$OTHERS", sku: "BETA-BIKE"}`, "NOT_FOUND input,storeId"},
			{"otto", "createListing", `{storeId: "$S", sku: "BETA-BIKE"}`, "NOT_FOUND input,sku"},
			{"otto", "createPartitionStrategy", `{warehouseId: "$OTHERW", name: "n"}`, "NOT_FOUND input,warehouseId"},
			{"otto", "createPartitionStrategy", `{warehouseId: "$W", name: "n", shares: [{storeId: "$S"}, {storeId: "$OTHERS"}]}`, "NOT_FOUND input,shares,1,storeId"},
			{"otto", "updateWarehouse", `{warehouseId: "$OTHERW", name: "n"}`, "NOT_FOUND input,warehouseId"},
			{"otto", "updateStore", `{storeId: "$OTHERS", name: "n"}`, "NOT_FOUND input,storeId"},
			{"otto", "updateConnection", `{connectionId: "$OTHERC", name: "n"}`, "NOT_FOUND input,connectionId"},
			{"otto", "updateProduct", `{productId: "$OTHERP", name: "n"}`, "NOT_FOUND input,productId"},
			{"otto", "updateListing", `{listingId: "$OTHERL", name: "n"}`, "NOT_FOUND input,listingId"},
			{"otto", "updatePartitionStrategy", `{partitionStrategyId: "$OTHERT", name: "n"}`, "NOT_FOUND input,partitionStrategyId"},
			{"otto", "deleteWarehouse", `{warehouseId: "$OTHERW"}`, "NOT_FOUND input,warehouseId"},
			{"otto", "deleteStore", `{storeId: "$OTHERS"}`, "NOT_FOUND input,storeId"},
			{"otto", "deleteConnection", `{connectionId: "$OTHERC"}`, "NOT_FOUND input,connectionId"},
			{"otto", "deleteProduct", `{productId: "$OTHERP"}`, "NOT_FOUND input,productId"},
			{"otto", "deleteListing", `{listingId: "$OTHERL"}`, "NOT_FOUND input,listingId"},
			{"otto", "deletePartitionStrategy", `{partitionStrategyId: "$OTHERT"}`, "NOT_FOUND input,partitionStrategyId"},
			{"otto", "setSchedule", `{connectionId: "$OTHERC", mode: SMART, rules: []}`, "NOT_FOUND input,connectionId"},
			{"otto", "setLocationLinks", `{connectionId: "$OTHERC", links: []}`, "NOT_FOUND input,connectionId"},
			{"otto", "setStoreLimits", `{storeId: "$OTHERS", limits: []}`, "NOT_FOUND input,storeId"},
			{"otto", "enableConnection", `{connectionId: "$OTHERC"}`, "NOT_FOUND input,connectionId"},
			{"otto", "disableConnection", `{connectionId: "$OTHERC"}`, "NOT_FOUND input,connectionId"},
			{"otto", "enableInventory", `{connectionId: "$OTHERC"}`, "NOT_FOUND input,connectionId"},
			{"otto", "disableInventory", `{connectionId: "$OTHERC"}`, "NOT_FOUND input,connectionId"},
			{"otto", "testWarehouse", `{warehouseId: "$OTHERW"}`, "NOT_FOUND input,warehouseId"},
			{"otto", "testStore", `{storeId: "$OTHERS"}`, "NOT_FOUND input,storeId"},
			{"otto", "startSync", `{connectionId: "$OTHERC"}`, "NOT_FOUND input,connectionId"},
			{"otto", "cancelSync", `{runId: "$OTHERR"}`, "NOT_FOUND input,runId"},
			{"otto", "reportWarehouseLevels", `{warehouseId: "$OTHERW", levels: []}`, "NOT_FOUND input,warehouseId"},
			// nobody's: garbage, another type, gone
			{"admin", "updateMerchant", `{merchantId: "garbage", name: "n"}`, "NOT_FOUND input,merchantId"},
			{"admin", "deleteMerchant", `{merchantId: "$W"}`, "NOT_FOUND input,merchantId"},
			{"otto", "deleteStore", `{storeId: ""}`, "NOT_FOUND input,storeId"},
			{"otto", "startSync", `{connectionId: 7}`, "NOT_FOUND input,connectionId"},
			{"otto", "createPartitionStrategy", `{warehouseId: "$W", name: "n", buffer: {percentage: "101"}, shares: [{storeId: "x"}]}`, "OUT_OF_RANGE input,buffer,percentage; NOT_FOUND input,shares,0,storeId"},
			{"admin", "createToken", `{name: "n", role: OPERATOR, merchantIds: ["$M", "x"]}`, "NOT_FOUND input,merchantIds,1"},
			{"admin", "createToken", `{name: "n", role: OPERATOR, merchantIds: ["` + id("Merchant", 99) + `"]}`, "NOT_FOUND input,merchantIds,0"},
			{"admin", "revokeToken", `{tokenId: "` + id("Token", 99) + `"}`, "NOT_FOUND input,tokenId"},
			{"admin", "revokeToken", `{tokenId: "$M"}`, "NOT_FOUND input,tokenId"},
			// names and texts
			{"admin", "createMerchant", `{name: "  "}`, "BLANK input,name"},
			{"admin", "createMerchant", `{name: "ALPHA"}`, "TAKEN input,name"},
			{"admin", "createMerchant", `{name: "` + strings.Repeat("n", 256) + `"}`, "TOO_LONG input,name"},
			{"admin", "createMerchant", `{name: "a\u0000"}`, "INVALID input,name"},
			{"otto", "createWarehouse", `{merchantId: "$M", name: "ALPHA house", platform: {push: {}}, maxDropPercent: 101}`, "TAKEN input,name; OUT_OF_RANGE input,maxDropPercent"},
			{"otto", "updateWarehouse", `{warehouseId: "$W", name: ""}`, "BLANK input,name"},
			{"otto", "createProduct", `{merchantId: "$M", sku: " ALPHA-BIKE "}`, "TAKEN input,sku"},
			{"otto", "createListing", `{storeId: "$S", sku: "ALPHA-SET", channelSku: "ALPHA-CH", maxQuantity: -1}`, "TAKEN input,channelSku; OUT_OF_RANGE input,maxQuantity"},
			{"otto", "createConnection", `{warehouseId: "$W", storeId: "$S"}`, "TAKEN input,storeId"},
			{"otto", "createStore", `{merchantId: "$M", name: "n", ` + http + `, limits: [{pattern: "[", action: SEND}], locations: [{code: "a"}, {code: "a"}]}`, "INVALID input,limits,0,pattern; TAKEN input,locations,1,code"},
			{"otto", "setLocationLinks", `{connectionId: "$C", links: [{facilityCode: "F", locationCode: "nowhere"}]}`, "NOT_FOUND input,links,0,locationCode"},
			// bundles
			{"otto", "createProduct", `{merchantId: "$M", sku: "n", components: [{sku: "ALPHA-BIKE", quantity: 1}]}`, "BUNDLE_TOO_SMALL input,components"},
			{"otto", "createProduct", `{merchantId: "$M", sku: "n", components: [{sku: "ALPHA-SET", quantity: 2}]}`, "BUNDLE_NESTED input,components,0,sku"},
			{"otto", "updateProduct", `{productId: "$B", components: [{sku: "ALPHA-SET", quantity: 2}]}`, "BUNDLE_CYCLE input,components,0,sku"},
			{"otto", "deleteProduct", `{productId: "$P"}`, "IN_USE input,productId"},
			{"admin", "deleteMerchant", `{merchantId: "$M"}`, "IN_USE input,merchantId"},
			// zones, schedules, versions, states
			{"otto", "updateConnection", `{connectionId: "$C", timeZone: "Mars/Olympus"}`, "UNKNOWN_TIME_ZONE input,timeZone"},
			{"otto", "setSchedule", `{connectionId: "$C", mode: FULL, timeZone: "Local", rules: [{type: CRON, cron: "0 0 30 2 *"}]}`, "UNKNOWN_TIME_ZONE input,timeZone; INVALID_CRON input,rules,0,cron"},
			{"otto", "setSchedule", `{connectionId: "$C", mode: SMART, rules: [{type: MINUTELY, every: 60}, {type: MINUTELY, every: 4}]}`, "TOO_FREQUENT input,rules,1,every"},
			{"otto", "setSchedule", `{connectionId: "$C", mode: FULL, rules: [{type: DAILY, at: "25:00"}, {type: HOURLY, every: 0, minute: 60}, {type: CRON, every: 3}]}`,
				"INVALID input,rules,0,at; OUT_OF_RANGE input,rules,1,every; OUT_OF_RANGE input,rules,1,minute; BLANK input,rules,2,cron; INVALID input,rules,2,every"},
			{"otto", "updateProduct", `{productId: "$P", expectedVersion: 9, name: "n"}`, "STALE_VERSION input,expectedVersion"},
			{"otto", "setStoreLimits", `{storeId: "$S", expectedVersion: 9, limits: []}`, "STALE_VERSION input,expectedVersion"},
			{"otto", "startSync", `{connectionId: "$C", mode: FULL}`, "CONNECTION_DISABLED input,connectionId"},
			{"otto", "cancelSync", `{runId: "$R"}`, "WRONG_STATE input,runId"},
			{"otto", "reportWarehouseLevels", `{warehouseId: "$F", levels: [{sku: "A", available: 1}]}`, "WRONG_STATE input,warehouseId"},
			{"otto", "reportWarehouseLevels", `{warehouseId: "$W", complete: true, levels: []}`, "HELD"},
			{"admin", "createToken", `{name: "n", role: PARTNER}`, "BLANK input,merchantIds"},
			{"admin", "createToken", `{name: "n", role: ADMIN, documents: []}`, "BLANK input,documents"},
			{"admin", "createToken", `{name: "n", role: ADMIN, documents: ["` + strings.Repeat("a", 64) + `", "{ viewer { name } }"]}`, "INVALID input,documents,1"},
			{"admin", "createToken", `{name: "n", role: ADMIN, documents: [` + strings.Repeat(`"`+strings.Repeat("a", 64)+`", `, 1001) + `]}`, "TOO_MANY input,documents"},
			{"admin", "createToken", `{name: "n", role: ADMIN, expiresAt: "2001-01-01T00:00:00Z"}`, "OUT_OF_RANGE input,expiresAt"},
			// strategies
			{"otto", "createPartitionStrategy", `{warehouseId: "$W", name: "n", buffer: {percentage: 12.345}}`, "OUT_OF_RANGE input,buffer,percentage"},
			{"otto", "createPartitionStrategy", `{warehouseId: "$W", name: "n", buffer: {percentage: -1}}`, "OUT_OF_RANGE input,buffer,percentage"},
			{"otto", "createPartitionStrategy", `{warehouseId: "$W", name: "n", buffer: {quantity: -1}, minimumDistributable: -1}`, "OUT_OF_RANGE input,buffer,quantity; OUT_OF_RANGE input,minimumDistributable"},
			// platforms
			{"otto", "createWarehouse", `{merchantId: "$M", name: "n", platform: {http: {url: "ftp://x"}}}`, "INVALID input,platform,http,url"},
			{"otto", "createWarehouse", `{merchantId: "$M", name: "n", platform: {http: {url: "https://u:p@example.com"}}}`, "INVALID input,platform,http,url"},
			{"otto", "createWarehouse", `{merchantId: "$M", name: "n", platform: {fileExchange: {url: "file:///etc"}}}`, "PATH_REFUSED input,platform,fileExchange,url"},
			{"otto", "createWarehouse", `{merchantId: "$M", name: "n", platform: {fileExchange: {url: "file://` + w.files + `", columns: {sku: "1", available: "1"}}}}`, "TAKEN input,platform,fileExchange,columns,available"},
			{"otto", "createStore", `{merchantId: "$M", name: "n", platform: {http: {url: "$URL", batchSize: 10001}}}`, "OUT_OF_RANGE input,platform,http,batchSize"},
			{"otto", "updateStore", `{storeId: "$S", platform: {http: {url: ""}}}`, "INVALID input,platform,http,url"},
		}
		for _, tt := range tests {
			v := map[string]*access.Viewer{"otto": otto, "admin": admin}[tt.viewer]
			if got := w.faults(v, mutate(tt.mutation, fill.Replace(tt.input))); got != tt.want {
				t.Errorf("%s(%s)\nanswers %q, want %q", tt.mutation, fill.Replace(tt.input), got, tt.want)
			}
		}
		if n := w.rows.Warehouse.Query().CountX(t.Context()) + w.rows.Store.Query().CountX(t.Context()); n != 6 {
			t.Errorf("what was refused changed something: %d warehouses and stores", n)
		}
	})
}

// spec 5.2: who may do what. Being refused as a whole comes before anything is said of the input.
func TestRoles(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.tenants()
		adminOnly := map[string]bool{"createMerchant": true, "updateMerchant": true, "deleteMerchant": true, "createToken": true, "revokeToken": true}
		for _, f := range w.schema.Schema().Mutation.Fields {
			document := fmt.Sprintf("mutation { %s%s { userErrors { code } } }", f.Name, w.arguments(f, w.alpha))
			for _, v := range []*access.Viewer{partner(w.alpha.merchant), partner(), {Name: "odd", Role: "ROOT", MerchantIDs: []int64{w.alpha.merchant}}} {
				if got := w.ask(v, document).refused(); got != "FORBIDDEN" {
					t.Errorf("%s: %s answers %q", v.Role, f.Name, got)
				}
			}
			got := w.ask(operator(), document).refused()
			if want := map[bool]string{true: "FORBIDDEN"}[adminOnly[f.Name]]; got != want {
				t.Errorf("OPERATOR: %s answers %q, want %q", f.Name, got, want)
			}
		}
		for _, v := range []*access.Viewer{operator(w.alpha.merchant), partner(w.alpha.merchant)} {
			if got := w.ask(v, `{ tokens { totalCount } }`).refused(); got != "FORBIDDEN" {
				t.Errorf("%s: tokens answers %q", v.Role, got)
			}
		}
		if got := w.ask(&access.Viewer{Role: "ROOT"}, `{ merchants { totalCount } }`).refused(); got != "FORBIDDEN" {
			t.Errorf("an odd role sees merchants: %q", got)
		}
	})
}

// spec 6: what is wrong with a request as a whole has a named code, and the field where there is one.
func TestRequestErrors(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "sqlite").tenants()
	const create = `mutation($input: CreateWarehouseInput!) { createWarehouse(input: $input) { userErrors { code } } }`
	const strategy = `mutation($input: CreatePartitionStrategyInput!) { createPartitionStrategy(input: $input) { userErrors { code } } }`
	m := w.ids(w.alpha)
	warehouse := func(platform any) vars {
		return vars{"input": vars{"merchantId": m["Merchant"], "name": "n", "platform": platform}}
	}
	tests := []struct {
		name, document string
		variables      vars
		want           string
	}{
		{"syntax", `{`, nil, "GRAPHQL_PARSE_FAILED"},
		{"unknown field", `{ viewer { password } }`, nil, "GRAPHQL_VALIDATION_FAILED"},
		{"missing variable", create, vars{}, "GRAPHQL_VALIDATION_FAILED input"},
		{"missing field", create, vars{"input": vars{"merchantId": m["Merchant"], "name": "n"}}, "GRAPHQL_VALIDATION_FAILED input,platform"},
		{"unknown input field", create, warehouse(vars{"push": vars{}, "pull": vars{}}), "GRAPHQL_VALIDATION_FAILED input,platform,pull"},
		{"no platform", create, warehouse(vars{}), "GRAPHQL_VALIDATION_FAILED input,platform"},
		{"two platforms", create, warehouse(vars{"push": vars{}, "http": vars{"url": "https://example.com"}}), "GRAPHQL_VALIDATION_FAILED input,platform"},
		{"two platforms, one null", create, warehouse(vars{"push": vars{}, "http": nil}), "GRAPHQL_VALIDATION_FAILED input,platform"},
		{"null platform", create, warehouse(vars{"push": nil}), "GRAPHQL_VALIDATION_FAILED input,platform,push"},
		{"platform is text", create, warehouse("push"), "GRAPHQL_VALIDATION_FAILED input,platform"},
		{"no platform in a literal", `mutation { createWarehouse(input: {merchantId: "x", name: "n", platform: {}}) { userErrors { code } } }`, nil, "GRAPHQL_VALIDATION_FAILED"},
		{"two platforms in a literal", `mutation { createWarehouse(input: {merchantId: "x", name: "n", platform: {push: {}, http: {url: "u"}}}) { userErrors { code } } }`, nil, "GRAPHQL_VALIDATION_FAILED"},
		{"nullable variable of oneOf", `mutation($p: PushWarehouseInput) { createWarehouse(input: {merchantId: "x", name: "n", platform: {push: $p}}) { userErrors { code } } }`, vars{"p": nil}, "GRAPHQL_VALIDATION_FAILED"},
		{"unknown enum value", create, vars{"input": vars{"merchantId": "x", "name": "n", "platform": vars{"push": vars{}}, "quantitySource": "SOLD"}}, "GRAPHQL_VALIDATION_FAILED input,quantitySource"},
		{"enum value in lower case", create, vars{"input": vars{"merchantId": "x", "name": "n", "platform": vars{"push": vars{}}, "quantitySource": "on_hand"}}, "GRAPHQL_VALIDATION_FAILED input,quantitySource"},
		{"enum in a list", `query($s: [ChannelLevelStatus!]) { channelLevels(where: {status: {in: $s}}) { totalCount } }`, vars{"s": []any{"PENDING", "pushed"}}, "GRAPHQL_VALIDATION_FAILED s,1"},
		{"unknown enum value in a literal", `{ channelLevels(where: {status: {in: [SOLD]}}) { totalCount } }`, nil, "GRAPHQL_VALIDATION_FAILED"},
		{"number out of 32 bits", strategy, vars{"input": vars{"warehouseId": m["Warehouse"], "name": "n", "minimumDistributable": 1 << 31}}, "OUT_OF_RANGE input,minimumDistributable"},
		{"a fraction", strategy, vars{"input": vars{"warehouseId": m["Warehouse"], "name": "n", "minimumDistributable": 1.5}}, "GRAPHQL_VALIDATION_FAILED input,minimumDistributable"},
		{"no decimal", strategy, vars{"input": vars{"warehouseId": m["Warehouse"], "name": "n", "buffer": vars{"percentage": "ten"}}}, "INVALID input,buffer,percentage"},
		{"decimal with exponent", strategy, vars{"input": vars{"warehouseId": m["Warehouse"], "name": "n", "buffer": vars{"percentage": "1e1"}}}, "INVALID input,buffer,percentage"},
		{"no time", `mutation($e: Time) { createToken(input: {name: "n", role: ADMIN, expiresAt: $e}) { userErrors { code } } }`, vars{"e": "tomorrow"}, "INVALID input,expiresAt"},
		{"a time without offset", `mutation { createToken(input: {name: "n", role: ADMIN, expiresAt: "2099-01-01T00:00:00"}) { userErrors { code } } }`, nil, "INVALID input,expiresAt"},
		{"a number that nothing holds", `mutation { reportWarehouseLevels(input: {warehouseId: "x", levels: [{sku: "A", available: 99999999999999999999}]}) { userErrors { code } } }`, nil, "GRAPHQL_VALIDATION_FAILED"},
		{"a fraction that nothing holds", `mutation { createListing(input: {storeId: "x", sku: "A", price: 1e999}) { userErrors { code } } }`, nil, "GRAPHQL_VALIDATION_FAILED"},
		{"subscription of what is not seen", `subscription { activity(merchantId: "x") { id } }`, nil, "NOT_FOUND merchantId"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var variables []vars
			if tt.variables != nil {
				variables = append(variables, tt.variables)
			}
			a := w.ask(admin, tt.document, variables...)
			if got := a.refused(); got != tt.want {
				t.Errorf("got %q, want %q: %s", got, tt.want, a.raw)
			}
			if len(a.Errors) > 0 && a.Errors[0].Message == "" {
				t.Error("it does not say why")
			}
		})
	}
}

// spec 5 and style: what is not the caller's fault is told by a reference, and logged in full.
func TestInternalErrorsAreLoggedNotTold(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "sqlite").tenants()
	w.rows.Warehouse.UpdateOneID(w.alpha.warehouse).SetSettings([]byte(`"secret"`)).ExecX(t.Context())
	a := w.ask(admin, `{ warehouses(first: 1) { nodes { name settings { __typename } } } }`)
	if a.refused() != "INTERNAL" || strings.Contains(a.raw, "unmarshal") || strings.Contains(a.raw, "secret") {
		t.Errorf("got %s", a.raw)
	}
	ref, _ := a.Errors[0].Extensions["reference"].(string)
	if ref == "" || !strings.Contains(a.Errors[0].Message, ref) || !strings.Contains(w.log.String(), ref) || !strings.Contains(w.log.String(), "unmarshal") {
		t.Errorf("reference %q; the log says %s", ref, w.log)
	}
}
