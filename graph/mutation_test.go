package graph_test

import (
	"fmt"
	"strings"
	"testing"

	"stockbridge/ent/schema/enum"
	"stockbridge/ent/syncrun"
	"stockbridge/internal/access"
)

// do runs a mutation that must come through and returns what stands at a path in its payload.
func (w *world) do(v *access.Viewer, mutation, input, payload, path string) any {
	w.t.Helper()
	got := w.data(v, mutation, fmt.Sprintf("mutation { %s(input: %s) { %s userErrors { code field message } } }", mutation, input, payload))
	if errs := at(got, "userErrors").([]any); len(errs) > 0 {
		w.t.Fatalf("%s(%s) answers %s", mutation, input, brief(errs))
	}
	return at(got, path)
}

// spec 5: from nothing to stock that flows, by mutations alone.
func TestEveryMutationComesThrough(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		merchant := w.do(admin, "createMerchant", `{name: " Acme "}`, "merchant { id name version }", "merchant.id").(string)
		if got := w.do(admin, "updateMerchant", `{merchantId: "`+merchant+`", name: "Acme Inc", expectedVersion: 1}`, "merchant { name version }", "merchant"); brief(got) != `{"name":"Acme Inc","version":2}` {
			t.Errorf("updateMerchant: %s", brief(got))
		}
		otto := operator(1)

		house := w.do(otto, "createWarehouse", `{merchantId: "`+merchant+`", name: "House", platform: {push: {}}}`,
			"warehouse { id platform quantitySource missingSkuPolicy maxDropPercent merchant { name } settings { ... on PushWarehouseSettings { note } } }", "warehouse")
		warehouse := at(house, "id").(string)
		if at(house, "quantitySource") != "AVAILABLE" || at(house, "maxDropPercent") != 50.0 || at(house, "merchant.name") != "Acme Inc" {
			t.Errorf("createWarehouse: %s", brief(house))
		}
		if got := w.do(otto, "updateWarehouse", `{warehouseId: "`+warehouse+`", name: "Main", missingSkuPolicy: ZERO, maxDropPercent: 10}`, "replanning warehouse { name missingSkuPolicy maxDropPercent quantitySource }", "warehouse"); brief(got) !=
			`{"maxDropPercent":10,"missingSkuPolicy":"ZERO","name":"Main","quantitySource":"AVAILABLE"}` {
			t.Errorf("updateWarehouse: %s", brief(got))
		}
		if got := w.do(otto, "testWarehouse", `{warehouseId: "`+warehouse+`"}`, "ok message durationMs", "ok"); got != true {
			t.Errorf("testWarehouse: %v", got)
		}

		shop := w.do(otto, "createStore", `{merchantId: "`+merchant+`", name: "Shop", scope: ALL_SKUS, limits: [{pattern: "X*", action: SKIP}], locations: [{code: "L1", name: "One"}, {code: "L2"}],
			platform: {http: {url: "`+w.shop.URL+`", token: "t", signingSecret: "s", batchSize: 10, requestsPerSecond: 2.5}}}`,
			"store { id scope onExclude limits { pattern action } locations { code name } settings { ... on HttpStoreSettings { hasToken hasSigningSecret batchSize concurrency requestsPerSecond } } }", "store")
		store := at(shop, "id").(string)
		if brief(at(shop, "settings")) != `{"batchSize":10,"concurrency":4,"hasSigningSecret":true,"hasToken":true,"requestsPerSecond":2.5}` || brief(at(shop, "locations")) != `[{"code":"L1","name":"One"},{"code":"L2","name":"L2"}]` {
			t.Errorf("createStore: %s", brief(shop))
		}
		if got := w.do(otto, "testStore", `{storeId: "`+store+`"}`, "ok message durationMs", "ok"); got != true {
			t.Errorf("testStore: %v", got)
		}
		if got := w.do(otto, "updateStore", `{storeId: "`+store+`", onExclude: ZERO, locations: [{code: "L1", name: "Uno"}]}`, "store { name onExclude locations { name } limits { pattern } }", "store"); brief(got) !=
			`{"limits":[{"pattern":"X*"}],"locations":[{"name":"Uno"}],"name":"Shop","onExclude":"ZERO"}` {
			t.Errorf("updateStore: %s", brief(got))
		}
		if got := w.do(otto, "setStoreLimits", `{storeId: "`+store+`", limits: [{pattern: "A*", action: SEND}, {pattern: "*-USED", action: SKIP}]}`, "store { scope limits { pattern action } }", "store"); brief(got) !=
			`{"limits":[{"action":"SEND","pattern":"A*"},{"action":"SKIP","pattern":"*-USED"}],"scope":"ALL_SKUS"}` {
			t.Errorf("setStoreLimits: %s", brief(got))
		}

		connection := w.do(otto, "createConnection", `{warehouseId: "`+warehouse+`", storeId: "`+store+`", timeZone: "Europe/Berlin", pushOnChange: true}`, "connection { id name enabled schedules { mode rules { type every } } }", "connection.id").(string)
		if got := w.do(otto, "updateConnection", `{connectionId: "`+connection+`", name: "C", priority: 7}`, "connection { name priority timeZone enabled }", "connection"); brief(got) != `{"enabled":false,"name":"C","priority":7,"timeZone":"Europe/Berlin"}` {
			t.Errorf("updateConnection: %s", brief(got))
		}
		rules := w.do(otto, "setSchedule", `{connectionId: "`+connection+`", mode: FULL, timeZone: "America/New_York", rules: [{type: DAILY, at: "02:30"}, {type: HOURLY, every: 6, minute: 15},
			{type: FLEXIBLE, every: 30, unit: MINUTES, startHour: 9, endHour: 17, weekdays: [MONDAY, FRIDAY]}, {type: CRON, cron: "0 4 * * 0"}, {type: MINUTELY, every: 90}]}`,
			"connection { timeZone schedules { mode nextRunAt rules { type every minute at unit startHour endHour weekdays cron } } }", "connection")
		want := `[{"at":"02:30","cron":null,"endHour":null,"every":null,"minute":null,"startHour":null,"type":"DAILY","unit":null,"weekdays":null},` +
			`{"at":null,"cron":null,"endHour":null,"every":6,"minute":15,"startHour":null,"type":"HOURLY","unit":null,"weekdays":null},` +
			`{"at":null,"cron":null,"endHour":17,"every":30,"minute":null,"startHour":9,"type":"FLEXIBLE","unit":"MINUTES","weekdays":["MONDAY","FRIDAY"]},` +
			`{"at":null,"cron":"0 4 * * 0","endHour":null,"every":null,"minute":null,"startHour":null,"type":"CRON","unit":null,"weekdays":null},` +
			`{"at":null,"cron":null,"endHour":null,"every":90,"minute":null,"startHour":null,"type":"MINUTELY","unit":null,"weekdays":null}]`
		if brief(at(rules, "schedules.1.rules")) != want || at(rules, "schedules.1.nextRunAt") == nil || at(rules, "timeZone") != "America/New_York" {
			t.Errorf("setSchedule: %s", brief(rules))
		}
		if got := w.do(otto, "setSchedule", `{connectionId: "`+connection+`", mode: FULL, rules: []}`, "connection { schedules { mode nextRunAt rules { type } } }", "connection.schedules.1"); brief(got) != `{"mode":"FULL","nextRunAt":null,"rules":[]}` {
			t.Errorf("setSchedule to never: %s", brief(got))
		}

		product := w.do(otto, "createProduct", `{merchantId: "`+merchant+`", sku: "A1", name: "Bike", upc: "012", imageUrl: "https://example.com/a.png"}`, "replanning product { id sku }", "product.id").(string)
		if got := w.do(otto, "updateProduct", `{productId: "`+product+`", upc: null, name: "Velo"}`, "product { sku name upc imageUrl }", "product"); brief(got) != `{"imageUrl":"https://example.com/a.png","name":"Velo","sku":"A1","upc":null}` {
			t.Errorf("updateProduct: %s", brief(got))
		}
		bundle := w.do(otto, "createProduct", `{merchantId: "`+merchant+`", sku: "SET", components: [{sku: "A1", quantity: 2}]}`, "product { id components { product { name } quantity } }", "product")
		if brief(at(bundle, "components")) != `[{"product":{"name":"Velo"},"quantity":2}]` {
			t.Errorf("createProduct: %s", brief(bundle))
		}
		listing := w.do(otto, "createListing", `{storeId: "`+store+`", sku: "A1", channelSku: "C-A1", maxQuantity: 5, price: 19.90, weight: "1.5 kg"}`, "listing { id price maxQuantity product { sku } store { name } }", "listing")
		if at(listing, "maxQuantity") != 5.0 || at(listing, "product.sku") != "A1" {
			t.Errorf("createListing: %s", brief(listing))
		}
		if got := w.do(otto, "updateListing", fmt.Sprintf(`{listingId: %q, maxQuantity: null, price: "18.00", inventoryEnabled: false}`, at(listing, "id")), "listing { maxQuantity price weight inventoryEnabled channelSku }", "listing"); brief(got) !=
			`{"channelSku":"C-A1","inventoryEnabled":false,"maxQuantity":null,"price":"18.00","weight":"1.5 kg"}` {
			t.Errorf("updateListing: %s", brief(got))
		}
		strategy := w.do(otto, "createPartitionStrategy", `{warehouseId: "`+warehouse+`", name: "S", buffer: {percentage: 12.5}, minimumDistributable: 1, distribution: WEIGHTED, shares: [{storeId: "`+store+`", weight: 2}], active: true}`,
			"partitionStrategy { id buffer { percentage quantity } distribution remainder minimumDistributable active shares { store { name } weight cap quantity } }", "partitionStrategy")
		if brief(at(strategy, "buffer")) != `{"percentage":"12.5","quantity":null}` || at(strategy, "remainder") != "SPREAD" || brief(at(strategy, "shares")) != `[{"cap":null,"quantity":null,"store":{"name":"Shop"},"weight":2}]` {
			t.Errorf("createPartitionStrategy: %s", brief(strategy))
		}
		for _, step := range [][2]string{{`buffer: {quantity: 3}`, `{"percentage":null,"quantity":3}`}, {`name: "T"`, `{"percentage":null,"quantity":3}`}, {`buffer: null, shares: []`, `null`}} {
			got := w.do(otto, "updatePartitionStrategy", fmt.Sprintf(`{partitionStrategyId: %q, %s}`, at(strategy, "id"), step[0]), "partitionStrategy { buffer { percentage quantity } active shares { weight } }", "partitionStrategy")
			if brief(at(got, "buffer")) != step[1] || at(got, "active") != true {
				t.Errorf("updatePartitionStrategy %s: %s", step[0], brief(got))
			}
		}

		report := w.do(otto, "reportWarehouseLevels", `{warehouseId: "`+warehouse+`", levels: [{sku: " A1 ", available: 10}, {sku: "A1", facility: "EAST", onHand: "4.5"}, {sku: "", available: 1}, {sku: "A2", available: "many"}, {sku: "A3", available: 3000000000}]}`,
			"reported changed rejected problems { kind line sku message }", "")
		if at(report, "reported") != 5.0 || at(report, "changed") != 2.0 || at(report, "rejected") != 3.0 || len(at(report, "problems").([]any)) != 4 {
			t.Errorf("reportWarehouseLevels: %s", brief(report))
		}

		if got := w.do(otto, "enableConnection", `{connectionId: "`+connection+`"}`, "connection { enabled inventoryEnabled }", "connection"); brief(got) != `{"enabled":true,"inventoryEnabled":false}` {
			t.Errorf("enableConnection: %s", brief(got))
		}
		if got := w.do(otto, "enableInventory", `{connectionId: "`+connection+`", startFullSync: false}`, "connection { inventoryEnabled } run { id }", ""); at(got, "connection.inventoryEnabled") != true || at(got, "run") != nil {
			t.Errorf("enableInventory without a sync: %s", brief(got))
		}
		if got := w.do(otto, "disableInventory", `{connectionId: "`+connection+`"}`, "connection { inventoryEnabled }", "connection.inventoryEnabled"); got != false {
			t.Errorf("disableInventory: %v", got)
		}
		w.settled()
		run := w.do(otto, "enableInventory", `{connectionId: "`+connection+`"}`, "run { id mode trigger connection { name } }", "run")
		if at(run, "mode") != "FULL" || at(run, "trigger") != "ENABLED" || at(run, "connection.name") != "C" {
			t.Errorf("enableInventory: %s", brief(run))
		}
		w.settled()
		started := w.do(otto, "startSync", `{connectionId: "`+connection+`", mode: SMART}`, "run { id mode status }", "run")
		if at(started, "mode") != "SMART" {
			t.Errorf("startSync: %s", brief(started))
		}
		w.settled()
		if got := w.data(otto, "node.status", `query($id: ID!) { node(id: $id) { ... on SyncRun { status } } }`, vars{"id": at(run, "id")}); got != "SUCCEEDED" {
			t.Errorf("the first sync ended %v: %s", got, w.log)
		}
		w.do(otto, "setLocationLinks", `{connectionId: "`+connection+`", links: [{facilityCode: "EAST", locationCode: "L1"}, {facilityCode: "NEW", locationCode: "L1"}]}`, "replanning connection { locationLinks { facility { code } location { code } } }", "")
		levels := w.data(otto, "channelLevels.nodes", `{ channelLevels(where: {status: {in: [PENDING]}}) { nodes { channelSku quantity status location { code } } } }`)
		if brief(levels) != `[]` && !strings.Contains(brief(levels), "L1") {
			t.Errorf("links are planned: %s", brief(levels))
		}
		if got := w.do(otto, "disableConnection", `{connectionId: "`+connection+`"}`, "connection { enabled }", "connection.enabled"); got != false {
			t.Errorf("disableConnection: %v", got)
		}
		w.settled()
		if trigger := w.data(otto, "syncRuns.nodes.0.trigger", `{ syncRuns(first: 1) { nodes { trigger } } }`); trigger != "EXCLUSION" { // spec 3.6, ZERO
			t.Errorf("the last run's trigger is %v", trigger)
		}

		token := w.do(admin, "createToken", `{name: "T", role: PARTNER, merchantIds: ["`+merchant+`"], expiresAt: "2099-01-01T00:00:00+01:00"}`, "secret token { id name role hint merchants { name } expiresAt revokedAt }", "")
		secret := at(token, "secret").(string)
		if access.CheckSecret(secret) != nil || !strings.HasSuffix(secret, at(token, "token.hint").(string)) || at(token, "token.expiresAt") != "2098-12-31T23:00:00Z" || at(token, "token.merchants.0.name") != "Acme Inc" {
			t.Errorf("createToken: %s", brief(token))
		}
		hash := strings.Repeat("0A", 32)
		bound := w.do(admin, "createToken", `{name: "B", role: ADMIN, documents: ["`+strings.Repeat("f0", 32)+`", "`+hash+`", "`+strings.ToLower(hash)+`"]}`, "token { documents }", "token.documents")
		if brief(bound) != brief([]any{strings.ToLower(hash), strings.Repeat("f0", 32)}) || at(token, "token.documents") != nil {
			t.Errorf("createToken with documents: %s", brief(bound))
		}
		if got := w.do(admin, "revokeToken", fmt.Sprintf(`{tokenId: %q}`, at(token, "token.id")), "token { revokedAt }", "token.revokedAt"); got == nil {
			t.Error("revokeToken: not revoked")
		}

		for _, d := range [][3]string{{"deletePartitionStrategy", "partitionStrategyId", at(strategy, "id").(string)}, {"deleteListing", "listingId", at(listing, "id").(string)},
			{"deleteProduct", "productId", at(bundle, "id").(string)}, {"deleteProduct", "productId", product}, {"deleteConnection", "connectionId", connection},
			{"deleteStore", "storeId", store}, {"deleteWarehouse", "warehouseId", warehouse}, {"deleteMerchant", "merchantId", merchant}} {
			if got := w.do(admin, d[0], fmt.Sprintf(`{%s: %q}`, d[1], d[2]), "deletedId", "deletedId"); got != d[2] {
				t.Errorf("%s: %v", d[0], got)
			}
			if got := w.data(admin, "node", `query($id: ID!) { node(id: $id) { id } }`, vars{"id": d[2]}); got != nil {
				t.Errorf("%s leaves %v", d[0], got)
			}
		}
	})
}

// settled waits until no run is under way.
func (w *world) settled() {
	w.t.Helper()
	for {
		changed := w.feed.Changed()
		n := w.rows.SyncRun.Query().Where(syncrun.StatusIn(enum.Queued, enum.Running)).CountX(w.t.Context())
		if n == 0 {
			return
		}
		select {
		case <-changed:
		case <-w.t.Context().Done():
			w.t.Fatal("runs did not end")
		}
	}
}
