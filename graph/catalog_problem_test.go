package graph_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"stockbridge/internal/database"
)

const askProblems = `query P($merchant: ID!, $kinds: [CatalogProblemKind!], $first: Int, $after: String) {
	catalogProblems(merchantId: $merchant, kinds: $kinds, first: $first, after: $after) {
		nodes { kind sku otherSku message product { sku } bundle { sku } listing { channelSku } store { name } warehouse { name } partitionStrategy { name } }
		pageInfo { hasNextPage hasPreviousPage endCursor } totalCount } }`

// problems are all that the API lists, paged by size.
func (w *world) problems(merchant int64, size int, kinds ...string) (all []string) {
	w.t.Helper()
	v := vars{"merchant": id("Merchant", merchant), "first": size}
	if kinds != nil {
		v["kinds"] = kinds
	}
	for {
		page := w.data(operator(merchant), "catalogProblems", askProblems, v)
		for _, n := range at(page, "nodes").([]any) {
			text := fmt.Sprint(at(n, "kind"))
			for _, link := range []string{"sku", "otherSku", "product.sku", "bundle.sku", "listing.channelSku", "store.name", "warehouse.name", "partitionStrategy.name"} {
				if v := at(n, link); v != nil {
					text += fmt.Sprintf(" %s=%v", strings.Split(link, ".")[0], v)
				}
			}
			if at(n, "message") == "" {
				w.t.Errorf("%s has no words", text)
			}
			all = append(all, text)
		}
		if at(page, "pageInfo.hasNextPage") != true {
			if n := at(page, "totalCount").(float64); int(n) != len(all) {
				w.t.Errorf("%d are listed, %v counted", len(all), n)
			}
			return all
		}
		v["after"] = at(page, "pageInfo.endCursor")
	}
}

// spec 4.3, 4.4, 4.6: what would show 0, nothing or something else is told before it does.
func TestCatalogProblems(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.tenants() // each lists BIKE, which is reported, as CH; the strategy's share is for a store that is not enabled
		ctx := t.Context()
		m, now := w.alpha.merchant, w.db.Now()
		report := func(merchant, warehouse int64, skus ...string) {
			for _, sku := range skus {
				w.rows.WarehouseLevel.Create().SetMerchantID(merchant).SetWarehouseID(warehouse).SetSku(sku).SetAvailable(1).SetReportedAt(now).SetUpdatedAt(now).SaveX(ctx)
			}
		}
		make := func(sku string, of ...string) {
			in := database.CreateProduct{MerchantID: m, SKU: sku}
			for _, c := range of {
				in.Components = append(in.Components, database.Component{SKU: c, Quantity: 2})
			}
			must(w.db.CreateProduct(ctx, in))
		}
		list := func(sku, channel string) {
			must(w.db.CreateListing(ctx, database.CreateListing{MerchantID: m, StoreID: w.alpha.store, SKU: sku, ChannelSKU: channel}))
		}
		make("GHOST")
		make("KIT", "GHOST", "ALPHA-BIKE")
		list("GHOST", "GHOST-CH")
		list("KIT", "KIT-CH") // a bundle need not be reported
		report(m, w.alpha.warehouse, "PUMP", "LISTED", "Lock 1", "lock1", "LOCK 1")
		make("LISTED")
		list("ALPHA-BIKE", "PUMP")
		list("LISTED", "LISTED-CH")
		list("ALPHA-BIKE", "LISTED") // shadows nothing: LISTED is not sent under its own SKU anyway
		report(m, w.alpha.files, "OTHER")
		list("ALPHA-BIKE", "OTHER") // reported by a warehouse that does not feed the store
		report(w.beta.merchant, w.beta.warehouse, "GHOST", "ghost")

		want := []string{
			"COMPONENT_NOT_REPORTED sku=GHOST product=GHOST bundle=KIT",
			"LISTING_NOT_REPORTED sku=GHOST product=GHOST listing=GHOST-CH store=ALPHA shop",
			"CHANNEL_SKU_SHADOWS sku=PUMP product=ALPHA-BIKE listing=PUMP store=ALPHA shop",
			"SKU_LOOKS_ALIKE sku=LOCK 1 otherSku=lock1",
			"SKU_LOOKS_ALIKE sku=Lock 1 otherSku=LOCK 1",
			"SKU_LOOKS_ALIKE sku=lock1 otherSku=LOCK 1",
			"SHARE_WITHOUT_PART store=ALPHA shop warehouse=ALPHA house partitionStrategy=ALPHA strategy",
		}
		for _, size := range []int{1, 2, 250} {
			if got := w.problems(m, size); !slices.Equal(got, want) {
				t.Errorf("pages of %d: %s", size, strings.Join(got, "\n"))
			}
		}
		if got := w.problems(m, 2, "SHARE_WITHOUT_PART", "LISTING_NOT_REPORTED"); !slices.Equal(got, []string{want[1], want[6]}) {
			t.Errorf("two kinds: %q", got)
		}
		if got := w.problems(m, 2, []string{}...); len(got) != 0 {
			t.Errorf("of no kind: %q", got)
		}
		for _, refused := range []struct {
			vars vars
			want string
		}{
			{vars{"merchant": id("Merchant", w.beta.merchant)}, "NOT_FOUND merchantId"},
			{vars{"merchant": "x"}, "NOT_FOUND merchantId"},
			{vars{"merchant": id("Merchant", m), "first": 251}, "PAGE_TOO_LARGE first"},
			{vars{"merchant": id("Merchant", m), "after": "x"}, "INVALID_CURSOR after"},
		} {
			if got := w.ask(partner(m), askProblems, refused.vars).refused(); got != refused.want {
				t.Errorf("%v is refused with %q", refused.vars, got)
			}
		}

		_, _, err1 := w.db.EnableConnection(ctx, m, w.alpha.connection)
		_, _, err2 := w.db.EnableInventory(ctx, m, w.alpha.connection)
		report(m, w.alpha.warehouse, "GHOST")
		if got := w.problems(m, 50); !slices.Equal(got, want[2:6]) || err1 != nil || err2 != nil {
			t.Errorf("mended: %q, %v, %v", got, err1, err2)
		}
	})
}
