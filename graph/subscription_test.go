package graph_test

import (
	"context"
	"fmt"
	"testing"

	"stockbridge/ent"
	"stockbridge/ent/schema/enum"
	"stockbridge/graph"
	"stockbridge/internal/access"
)

// follow subscribes and returns what waits for the next event: nil when the subscription completed.
func (w *world) follow(ctx context.Context, v *access.Viewer, document string, variables ...vars) func() any {
	w.t.Helper()
	ctx, handler, refused := w.begin(ctx, v, "subscription "+document, variables...)
	if refused != nil {
		w.t.Fatal(brief(refused))
	}
	return func() any {
		w.t.Helper()
		resp := handler(ctx)
		if resp == nil {
			return nil
		}
		a := w.read(resp)
		if len(a.Errors) > 0 {
			w.t.Fatal(a.raw)
		}
		for _, v := range a.Data {
			return v
		}
		return nil
	}
}

// happen records an activity, as a sync does.
func (w *world) happen(t tenant, sku string, set func(*ent.ActivityCreate)) {
	w.t.Helper()
	c := w.rows.Activity.Create().SetMerchantID(t.merchant).SetKind(enum.QuantityChanged).SetSku(sku).SetStoreID(t.store).SetChannelSku(sku)
	if set != nil {
		set(c)
	}
	c.SaveX(w.t.Context())
	w.bell.Ring()
}

// spec 5.1: what comes after a cursor, in order and without gap or repeat, then what happens from now on.
func TestActivitySubscription(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.tenants()
		pia := partner(w.alpha.merchant)
		merchant := id("Merchant", w.alpha.merchant)
		for i := range 3 {
			w.happen(w.alpha, fmt.Sprint("past", i), nil)
			w.happen(w.beta, "other", nil)
		}
		live := w.follow(t.Context(), pia, `($m: ID!) { activity(merchantId: $m) { sku cursor store { name merchant { name } } } }`, vars{"m": merchant})
		w.happen(w.alpha, "now", nil)
		if got := live(); at(got, "sku") != "now" || at(got, "store.name") != "ALPHA shop" {
			t.Errorf("from now on: %s", brief(got))
		}

		cursor := w.data(pia, "activities.nodes.2.cursor", `{ activities(orderBy: {field: AT, direction: ASC}) { nodes { cursor sku } } }`) // past1
		after := w.follow(t.Context(), pia, `($m: ID!, $c: String) { activity(merchantId: $m, after: $c) { sku cursor } }`, vars{"m": merchant, "c": cursor})
		var last any
		for _, want := range []string{"past2", "now"} {
			got := after()
			if at(got, "sku") != want {
				t.Errorf("got %s, want %s", brief(got), want)
			}
			last = at(got, "cursor")
		}
		w.happen(w.alpha, "later", nil)
		if got := after(); at(got, "sku") != "later" {
			t.Errorf("got %s, want what came later", brief(got))
		}
		resumed := w.follow(t.Context(), pia, `($m: ID!, $c: String) { activity(merchantId: $m, after: $c) { sku } }`, vars{"m": merchant, "c": last})
		if got := resumed(); at(got, "sku") != "later" {
			t.Errorf("resumed with %s", brief(got))
		}

		narrow := w.follow(t.Context(), pia, `($m: ID!, $s: ID, $w: ID) { activity(merchantId: $m, sku: "mine", storeId: $s, warehouseId: $w, kinds: [CHANNEL_LEVEL_PUSHED]) { sku kind } }`,
			vars{"m": merchant, "s": id("Store", w.alpha.store), "w": id("Warehouse", w.alpha.warehouse)})
		mine := func(c *ent.ActivityCreate) { c.SetWarehouseID(w.alpha.warehouse).SetKind(enum.QuantityPushed) }
		w.happen(w.alpha, "mine", nil)
		w.happen(w.alpha, "theirs", mine)
		w.happen(w.alpha, "mine", mine)
		if got := narrow(); brief(got) != `{"kind":"CHANNEL_LEVEL_PUSHED","sku":"mine"}` {
			t.Errorf("narrowed: %s", brief(got))
		}

		none := w.follow(graph.WithTrack(t.Context(), &graph.Track{After: last.(string), Once: true}), pia, `($m: ID!) { activity(merchantId: $m, kinds: []) { sku } }`, vars{"m": merchant})
		if got := none(); got != nil {
			t.Errorf("of no kind: %s", brief(got))
		}

		first := w.data(pia, "activities.nodes.0.cursor", `{ activities(orderBy: {field: AT, direction: ASC}) { nodes { cursor } } }`).(string)
		w.rows.FeedHorizon.Create().SetMerchantID(w.alpha.merchant).SetActivityID(w.alpha.activity + 1).SaveX(t.Context()) // what came right after the first is gone
		for document, want := range map[string]string{
			`{ activity(merchantId: "` + merchant + `", after: "` + first + `") { id } }`:                                  "CURSOR_EXPIRED after",
			`{ activity(merchantId: "` + id("Merchant", w.beta.merchant) + `") { id } }`:                                   "NOT_FOUND merchantId",
			`{ activity(merchantId: "` + merchant + `", storeId: "` + id("Store", w.beta.store) + `") { id } }`:            "NOT_FOUND storeId",
			`{ activity(merchantId: "` + merchant + `", warehouseId: "x") { id } }`:                                        "NOT_FOUND warehouseId",
			`{ activity(merchantId: "` + merchant + `", after: "x") { id } }`:                                              "INVALID_CURSOR after",
			`{ activity(merchantId: "` + merchant + `", after: "WyIiLG51bGwsMV0") { id } }`:                                "INVALID_CURSOR after",
			`{ activity(merchantId: "` + merchant + `", sku: " ") { id } }`:                                                "INVALID sku",
			`{ syncRun(id: "` + id("SyncRun", w.beta.run) + `") { id } }`:                                                  "NOT_FOUND id",
			`{ warehouseLevelChanged(merchantId: "` + id("Merchant", w.beta.merchant) + `") { id } }`:                      "NOT_FOUND merchantId",
			`{ channelLevelChanged(merchantId: "` + merchant + `", storeId: "` + id("Store", w.beta.store) + `") { id } }`: "NOT_FOUND storeId",
			`{ activity(merchantId: "` + merchant + `", kinds: [SOLD]) { id } }`:                                           "GRAPHQL_VALIDATION_FAILED",
		} {
			if got := w.ask(pia, "subscription "+document).refused(); got != want {
				t.Errorf("%s\nis refused with %q, want %q", document, got, want)
			}
		}
	})
}

// What is followed of a merchant has positions; what is followed of one object is told as it stands.
func TestSharing(t *testing.T) {
	t.Parallel()
	api := graph.New(newWorld(t, "sqlite").config)
	for _, f := range api.Schema().Subscription.Fields {
		want := graph.Stream
		if f.Arguments.ForName("id") != nil {
			want = graph.State
		}
		if got := api.Sharing(f.Name); got != want {
			t.Errorf("%s is shared as %d, want %d", f.Name, got, want)
		}
	}
}

// What activities lead to is read for many at once by who catches up, and is what a query tells.
func TestActivitiesAreToldWithWhatTheyLeadTo(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.tenants()
		begin := w.data(admin, "activities.nodes.0.cursor", `{ activities { nodes { cursor } } }`)
		const count = 40
		for i := range count {
			w.happen(w.alpha, fmt.Sprint("sku", i), func(c *ent.ActivityCreate) { c.SetWarehouseID(w.alpha.warehouse + int64(i%2)<<40) }) // every other one is gone
		}
		asked := `{ sku merchant { name } warehouse { name } store { name merchant { name } } run { id } }`
		want := w.data(partner(w.alpha.merchant), "activities.nodes", `{ activities(first: 40, orderBy: {field: AT, direction: ASC}, where: {kinds: [CHANNEL_LEVEL_CHANGED]}) { nodes `+asked+` } }`).([]any)
		next := w.follow(t.Context(), partner(w.alpha.merchant), `($m: ID!, $c: String) { activity(merchantId: $m, after: $c, kinds: [CHANNEL_LEVEL_CHANGED]) `+asked+` }`,
			vars{"m": id("Merchant", w.alpha.merchant), "c": begin})
		var got []any
		made := w.statements.during(func() {
			for range count {
				got = append(got, next())
			}
		})
		if brief(got) != brief(want[len(want)-count:]) {
			t.Errorf("got  %s\nwant %s", brief(got), brief(want))
		}
		if len(made) > 20 {
			t.Errorf("%d statements for %d activities: %q", len(made), count, made[:20])
		}
	})
}

// A subscription ends with its context, and not before.
func TestSubscriptionEndsWithItsContext(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "sqlite").tenants()
	ctx, cancel := context.WithCancel(t.Context())
	for _, field := range []string{"activity", "warehouseLevelChanged", "channelLevelChanged"} {
		next := w.follow(ctx, admin, fmt.Sprintf(`{ %s(merchantId: %q) { id } }`, field, id("Merchant", w.alpha.merchant)))
		defer func() {
			if got := next(); got != nil {
				t.Errorf("%s goes on with %s", field, brief(got))
			}
		}()
	}
	cancel()
}

// spec 5: progress, then completes when the run ends.
func TestSyncRunSubscription(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.tenants()
		run := w.rows.SyncRun.Create().SetMerchantID(w.alpha.merchant).SetConnectionID(w.alpha.connection).SetMode(enum.Full).SetTrigger(enum.Manual).SetStatus(enum.Running).SaveX(t.Context())
		next := w.follow(t.Context(), partner(w.alpha.merchant), fmt.Sprintf(`{ syncRun(id: %q) { status step pushed connection { name } } }`, id("SyncRun", run.ID)))
		if got := next(); brief(got) != `{"connection":{"name":"ALPHA connection"},"pushed":0,"status":"RUNNING","step":"WAITING"}` {
			t.Errorf("at first: %s", brief(got))
		}
		w.bell.Ring() // nothing changed: nothing is told
		run.Update().SetStep(enum.Pushing).SetPushed(7).ExecX(t.Context())
		w.bell.Ring()
		if got := next(); at(got, "pushed") != 7.0 || at(got, "step") != "PUSHING" {
			t.Errorf("then: %s", brief(got))
		}
		run.Update().SetStep(enum.Done).SetStatus(enum.Succeeded).ExecX(t.Context())
		w.bell.Ring()
		if got := next(); at(got, "status") != "SUCCEEDED" {
			t.Errorf("at last: %s", brief(got))
		}
		if got := next(); got != nil {
			t.Errorf("it goes on with %s", brief(got))
		}
		ended := w.follow(t.Context(), admin, fmt.Sprintf(`{ syncRun(id: %q) { status } }`, id("SyncRun", w.alpha.run)))
		if got := ended(); at(got, "status") != "PARTIAL" || ended() != nil {
			t.Errorf("a run that ended: %s", brief(got))
		}
		deleted := w.rows.SyncRun.Create().SetMerchantID(w.alpha.merchant).SetConnectionID(w.alpha.connection).SetMode(enum.Smart).SetTrigger(enum.Manual).SetStatus(enum.Queued).SaveX(t.Context())
		gone := w.follow(t.Context(), admin, fmt.Sprintf(`{ syncRun(id: %q) { status } }`, id("SyncRun", deleted.ID)))
		gone()
		w.rows.SyncRun.DeleteOne(deleted).ExecX(t.Context())
		w.bell.Ring()
		if got := gone(); got != nil {
			t.Errorf("a run that is gone: %s", brief(got))
		}
	})
}

// spec 5: levels as they stand after what changed them.
func TestLevelSubscriptions(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.tenants()
		pia, merchant := partner(w.alpha.merchant), id("Merchant", w.alpha.merchant)
		stock := w.follow(t.Context(), pia, fmt.Sprintf(`{ warehouseLevelChanged(merchantId: %q) { sku available facility { code } product { name } warehouse { name } } }`, merchant))
		shown := w.follow(t.Context(), pia, fmt.Sprintf(`{ channelLevelChanged(merchantId: %q, storeId: %q) { channelSku quantity location { code } listing { name } product { name } } }`, merchant, id("Store", w.alpha.store)))
		w.happen(w.alpha, "ALPHA-BIKE", func(c *ent.ActivityCreate) { c.SetKind(enum.LevelReported).SetWarehouseID(w.alpha.warehouse) }) // at no facility: gone by now
		w.happen(w.alpha, "ALPHA-BIKE", func(c *ent.ActivityCreate) {
			c.SetKind(enum.LevelReported).SetWarehouseID(w.alpha.warehouse).SetFacilityID(w.alpha.facility)
		})
		if got := stock(); brief(got) != `{"available":8,"facility":{"code":"ALPHA-F1"},"product":{"name":"ALPHA bike"},"sku":"ALPHA-BIKE","warehouse":{"name":"ALPHA house"}}` {
			t.Errorf("warehouse level: %s", brief(got))
		}
		w.happen(w.alpha, "ALPHA-BIKE", func(c *ent.ActivityCreate) {
			c.SetKind(enum.QuantityFailed).SetChannelSku("ALPHA-CH").SetLocationID(w.alpha.location)
		})
		w.happen(w.alpha, "ALPHA-SET", nil)
		if got := shown(); brief(got) != `{"channelSku":"ALPHA-CH","listing":{"name":"ALPHA listing"},"location":{"code":"ALPHA-L1"},"product":{"name":"ALPHA bike"},"quantity":7}` {
			t.Errorf("channel level: %s", brief(got))
		}
		if got := shown(); at(got, "channelSku") != "ALPHA-SET" || at(got, "location") != nil {
			t.Errorf("channel level: %s", brief(got))
		}
	})
}

// spec 5: who is far behind is told of each level once, as it stands.
func TestLevelsAreToldOnceToWhoIsBehind(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.tenants()
		shown := w.follow(t.Context(), admin, fmt.Sprintf(`{ channelLevelChanged(merchantId: %q) { channelSku quantity } }`, id("Merchant", w.alpha.merchant)))
		const changes = 400
		var rows []*ent.ActivityCreate
		for range changes {
			rows = append(rows, w.rows.Activity.Create().SetMerchantID(w.alpha.merchant).SetKind(enum.QuantityChanged).SetSku("ALPHA-BIKE").SetStoreID(w.alpha.store).
				SetChannelSku("ALPHA-CH").SetLocationID(w.alpha.location))
		}
		w.rows.Activity.CreateBulk(rows...).ExecX(t.Context())
		w.happen(w.alpha, "ALPHA-SET", nil)
		told := 0
		for got := shown(); at(got, "channelSku") != "ALPHA-SET"; got = shown() {
			if told++; at(got, "channelSku") != "ALPHA-CH" || at(got, "quantity") != 7.0 {
				t.Fatalf("got %s", brief(got))
			}
		}
		if told == 0 || told > 5 {
			t.Errorf("%d changes of one level were told %d times", changes, told)
		}
	})
}
