package graph_test

import (
	"fmt"
	"strings"
	"testing"

	"stockbridge/ent/schema/enum"
	"stockbridge/internal/database"
	"stockbridge/internal/platform"
)

// house is a merchant whose East warehouse, with 10% held back, feeds the stores Web and Outlet.
type house struct {
	merchant, east, strategy int64
	web, outlet              int64
	toWeb, toOutlet          int64
	listing, kit             int64
}

func (w *world) house(name string) (h house) {
	w.t.Helper()
	ctx := w.t.Context()
	h.merchant = must(w.db.CreateMerchant(ctx, database.CreateMerchant{Name: name})).ID
	push := must(w.platforms.StoreWarehouse(h.merchant, platform.Warehouse{Push: &platform.Push{}}))
	h.east = must(w.db.CreateWarehouse(ctx, database.CreateWarehouse{MerchantID: h.merchant, Name: "East", Platform: push})).ID
	connect := func(name string) (store, connection int64) {
		http := must(w.platforms.StoreStore(h.merchant, platform.Store{HTTP: &platform.HTTPStore{URL: w.shop.URL}}))
		store = must(w.db.CreateStore(ctx, database.CreateStore{MerchantID: h.merchant, Name: name, Platform: http})).ID
		connection = must(w.db.CreateConnection(ctx, database.CreateConnection{MerchantID: h.merchant, Name: "East to " + name, WarehouseID: h.east, StoreID: store})).ID
		if _, _, err := w.db.EnableConnection(ctx, h.merchant, connection); err != nil {
			w.t.Fatal(err)
		}
		if _, _, err := w.db.EnableInventory(ctx, h.merchant, connection); err != nil {
			w.t.Fatal(err)
		}
		return store, connection
	}
	h.web, h.toWeb = connect("Web")
	h.outlet, h.toOutlet = connect("Outlet")
	for _, sku := range []string{"BIKE", "BELL"} {
		must(w.db.CreateProduct(ctx, database.CreateProduct{MerchantID: h.merchant, SKU: sku}))
	}
	h.kit = must(w.db.CreateProduct(ctx, database.CreateProduct{MerchantID: h.merchant, SKU: "KIT", Components: []database.Component{{SKU: "BIKE", Quantity: 1}, {SKU: "BELL", Quantity: 2}}})).ID
	h.listing = must(w.db.CreateListing(ctx, database.CreateListing{MerchantID: h.merchant, StoreID: h.web, SKU: "KIT", ChannelSKU: "WEB-KIT", MaxQuantity: new(int64(3))})).ID
	h.strategy = must(w.db.CreatePartitionStrategy(ctx, database.CreatePartitionStrategy{MerchantID: h.merchant, WarehouseID: h.east, Name: "Half each", Buffer: database.Buffer{BasisPoints: new(int64(1000))}, Active: true})).ID
	w.reports(h, "BIKE", 40, "BELL", 20)
	return h
}

// reports records what East has, and plans it.
func (w *world) reports(h house, figures ...any) {
	w.t.Helper()
	var levels []vars
	for i := 0; i < len(figures); i += 2 {
		levels = append(levels, vars{"sku": figures[i], "available": figures[i+1]})
	}
	if faults := w.faults(admin, `mutation($in: ReportWarehouseLevelsInput!) { reportWarehouseLevels(input: $in) { userErrors { code field message } } }`,
		vars{"in": vars{"warehouseId": id("Warehouse", h.east), "levels": levels}}); faults != "" {
		w.t.Fatal(faults)
	}
}

const explanations = `query($m: ID!, $sku: String) { channelLevels(where: {merchantId: $m, channelSku: {eq: $sku}}, orderBy: {field: CHANNEL_SKU}) { nodes { channelSku quantity explanation {
	text quantity upToDate total maxQuantity
	contributions { connection { name } warehouse { name } quantitySource strategy { name } quantity
		stock { sku perBundle share bundles limiting units { facility whole levels { facility available onHand figure } sellable buffer distributable tooFew share stores { store { name } share own } } } }
	heldBack { reason text connections { name } limitPosition limitPattern listedAs }
	lastAnswer { at quantity acknowledged message } } } } }`

// spec 2.4: a level says how its quantity came about, figure by figure and in words.
func TestExplanation(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		h := w.house("Acme")
		m := id("Merchant", h.merchant)
		e := w.data(operator(h.merchant), "channelLevels.nodes.0.explanation", explanations, vars{"m": m, "sku": "WEB-KIT"})
		if got, want := at(e, "text"), "3, the most that the listing may show of 4, because East makes 4 of the bundle: BELL limits it (9 ÷ 2: East reports 20 available, 10% (2) is held back, and 18 are split equally among 2 stores, of which Web gets 9), "+
			"BIKE would make 18 (18 ÷ 1). Web has acknowledged nothing yet. 3 goes out with the next sync."; got != want {
			t.Errorf("text\n %s\nwant %s", got, want)
		}
		for path, want := range map[string]string{
			"quantity": "3", "upToDate": "true", "total": "4", "maxQuantity": "3", "heldBack": "null", "lastAnswer": "null",
			"contributions.0.connection.name": `"East to Web"`, "contributions.0.warehouse.name": `"East"`, "contributions.0.strategy.name": `"Half each"`, "contributions.0.quantitySource": `"AVAILABLE"`, "contributions.0.quantity": "4",
			"contributions.0.stock.0": `{"bundles":4,"limiting":true,"perBundle":2,"share":9,"sku":"BELL","units":[{"buffer":2,"distributable":18,"facility":null,"levels":[{"available":20,"facility":null,"figure":20,"onHand":null}],"sellable":20,"share":9,"stores":[{"own":true,"share":9,"store":{"name":"Web"}},{"own":false,"share":9,"store":{"name":"Outlet"}}],"tooFew":false,"whole":true}]}`,
		} {
			if got := brief(at(e, path)); got != want {
				t.Errorf("%s\n %s\nwant %s", path, got, want)
			}
		}
	})
}

// spec 2.4, 3.6: an excluded level says what holds it back.
func TestExplanationOfWhatIsHeldBack(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		h := w.house("Acme")
		m := id("Merchant", h.merchant)
		for _, step := range []struct{ document, channelSKU, reason, text, detail string }{
			{`setStoreLimits(input: {storeId: "` + id("Store", h.web) + `", limits: [{pattern: "B*K*", action: SKIP}]})`, "BIKE", "SKIPPED_BY_LIMIT", "limit 1 of Web skips B*K*, which BIKE matches", `[1,"B*K*",[],[]]`},
			{`setStoreLimits(input: {storeId: "` + id("Store", h.web) + `", scope: LISTED_SKUS, limits: []})`, "BIKE", "NOT_LISTED", "Web receives listed SKUs only, and BIKE is not listed on it", `[null,null,[],[]]`},
			{`updateListing(input: {listingId: "` + id("Listing", h.listing) + `", inventoryEnabled: false})`, "WEB-KIT", "LISTING_DISABLED", "the listing WEB-KIT of Web has its inventory disabled", `[null,null,[],[]]`},
			{`disableConnection(input: {connectionId: "` + id("Connection", h.toWeb) + `"})`, "BIKE", "CONNECTION_DISABLED", "the connection East to Web from East is disabled", `[null,null,[{"name":"East to Web"}],[]]`},
		} {
			if faults := w.faults(admin, "mutation { "+step.document+" { userErrors { code field message } } }"); faults != "" {
				t.Fatal(faults)
			}
			nodes := w.data(admin, "channelLevels.nodes", explanations, vars{"m": m, "sku": step.channelSKU}).([]any)
			e := at(nodes[0], "explanation")
			detail := brief([]any{at(e, "heldBack.limitPosition"), at(e, "heldBack.limitPattern"), at(e, "heldBack.connections"), at(e, "heldBack.listedAs")})
			if at(e, "heldBack.reason") != step.reason || at(e, "heldBack.text") != "Held back because "+step.text+"." || at(e, "quantity") != nil || at(e, "upToDate") != true || detail != step.detail ||
				!strings.HasPrefix(at(e, "text").(string), "Held back because "+step.text+". ") {
				t.Errorf("%s: %s", step.reason, brief(e))
			}
		}
	})
}

// spec 2.4: what the store answered is part of it.
func TestExplanationTellsWhatTheStoreAnswered(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		h := w.house("Acme")
		ctx := t.Context()
		push := func(a database.Answer) {
			for _, d := range must(w.db.ToPush(ctx, h.web, true, nil, 100)) {
				if a.Demand = d; d.ChannelSKU == "BIKE" {
					if err := w.db.Mark(ctx, h.merchant, h.web, 7, []database.Answer{a}); err != nil {
						t.Fatal(err)
					}
				}
			}
		}
		answer := func() (string, string) {
			nodes := w.data(admin, "channelLevels.nodes", explanations, vars{"m": id("Merchant", h.merchant), "sku": "BIKE"}).([]any)
			a := at(nodes[0], "explanation.lastAnswer")
			return at(nodes[0], "explanation.text").(string), brief([]any{at(a, "quantity"), at(a, "acknowledged"), at(a, "message")})
		}
		push(database.Answer{Acknowledged: true})
		if text, a := answer(); a != "[18,true,null]" || !strings.Contains(text, ". Web last acknowledged 18 at 20") {
			t.Errorf("%s: %s", a, text)
		}
		w.reports(h, "BIKE", 20)
		push(database.Answer{Words: "no such item"})
		if text, a := answer(); a != `[9,false,"no such item"]` || !strings.HasPrefix(text, "9 because ") || !strings.Contains(text, "Web last acknowledged 18 at ") || !strings.HasSuffix(text, `: "no such item". The next sync tries again.`) {
			t.Errorf("%s: %s", a, text)
		}
	})
}

// spec 2.4: a page of explanations costs no statement per level.
func TestExplanationsOfAPageAreReadTogether(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		h := w.house("Acme")
		var figures []any
		for i := range 40 {
			figures = append(figures, fmt.Sprintf("SKU-%02d", i), i)
		}
		w.reports(h, figures...)
		all := w.statements.during(func() {
			if nodes := w.data(admin, "channelLevels.nodes", explanations[:strings.Index(explanations, "(where")]+`(where: {merchantId: $m, sku: {prefix: $sku}}, first: 100`+explanations[strings.Index(explanations, ", orderBy"):],
				vars{"m": id("Merchant", h.merchant), "sku": "SKU-"}).([]any); len(nodes) != 80 {
				t.Fatalf("%d levels", len(nodes))
			}
		})
		if len(all) > 10 {
			t.Errorf("%d statements for 80 levels:\n%s", len(all), strings.Join(all, "\n"))
		}
	})
}

// spec 5: another tenant's level has no explanation, for it is not there.
func TestExplanationIsTheTenantsAlone(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		h, other := w.house("Acme"), w.house("Globex")
		level := w.rows.ChannelLevel.Query().FirstX(t.Context())
		ask := `query($id: ID!) { node(id: $id) { ... on ChannelLevel { status explanation { text } } } }`
		if got := w.data(partner(h.merchant), "node.explanation.text", ask, vars{"id": id("ChannelLevel", level.ID)}); level.Status == enum.LevelExcluded || !strings.Contains(fmt.Sprint(got), " because East ") {
			t.Errorf("its own: %v", got)
		}
		if got := w.data(partner(other.merchant), "node", ask, vars{"id": id("ChannelLevel", level.ID)}); got != nil {
			t.Errorf("another's: %v", got)
		}
	})
}
