package graph_test

import (
	"strings"
	"testing"

	"stockbridge/ent/schema/enum"
	"stockbridge/internal/database"
)

const importing = `mutation($in: ImportCatalogInput!) { importCatalog(input: $in) {
	import { id status kind format onError dryRun rows created updated unchanged failed error errorCode merchant { name } problems { nodes { line sku field code message } totalCount } }
	userErrors { code field message } } }`

// spec 5: importCatalog tells each row that cannot be used, and changes levels that its rows bear on (spec 3.2).
func TestImportCatalog(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.tenants()
		otto := operator(w.alpha.merchant)
		in := func(kind, text string) vars {
			return vars{"in": vars{"merchantId": id("Merchant", w.alpha.merchant), "kind": kind, "text": text}}
		}
		got := w.data(otto, "importCatalog.import", importing, in("PRODUCTS", "sku,name\nNEW,New\nALPHA-BIKE,ALPHA bike\n"))
		for path, want := range map[string]any{"status": "SUCCEEDED", "rows": 2.0, "created": 1.0, "unchanged": 1.0, "failed": 0.0, "error": nil, "onError": "REJECT_ALL", "format": "CSV", "merchant.name": "ALPHA"} {
			if at(got, path) != want {
				t.Errorf("%s is %v, want %v: %s", path, at(got, path), want, brief(got))
			}
		}
		got = w.data(otto, "importCatalog.import", importing, in("LISTINGS", "store,sku,maxQuantity\nALPHA shop,NONE,\nALPHA shop,ALPHA-BIKE,x\n"))
		if at(got, "status") != "FAILED" || at(got, "errorCode") != "INVALID" || at(got, "problems.totalCount") != 2.0 || at(got, "problems.nodes.0.line") != 2.0 {
			t.Errorf("%s", brief(got))
		}
		got = w.data(otto, "importCatalog.import", importing, in("LISTINGS", "price,sku\n1,2\n"))
		if at(got, "status") != "FAILED" || at(got, "errorCode") != "BAD_FILE" || at(got, "problems.nodes.0.code") != "BAD_FILE" || at(got, "problems.nodes.0.field") != "store" {
			t.Errorf("%s", brief(got))
		}
		for _, tc := range []struct {
			in   vars
			want string
		}{
			{vars{"merchantId": id("Merchant", w.beta.merchant), "kind": "PRODUCTS", "text": "sku\n"}, "NOT_FOUND input,merchantId"},
			{vars{"merchantId": "x", "kind": "PRODUCTS", "text": "sku\n"}, "NOT_FOUND input,merchantId"},
			{vars{"merchantId": id("Merchant", w.alpha.merchant), "kind": "PRODUCTS"}, "BLANK input,file"},
		} {
			if got := w.faults(otto, `mutation($in: ImportCatalogInput!) { importCatalog(input: $in) { import { id } userErrors { code field message } } }`, vars{"in": tc.in}); got != tc.want {
				t.Errorf("%v: %q, want %q", tc.in, got, tc.want)
			}
		}
		if got := w.ask(partner(w.alpha.merchant), importing, in("PRODUCTS", "sku\n")).refused(); got != "FORBIDDEN" {
			t.Error(got)
		}
		if got := w.ask(otto, importing, vars{"in": vars{"merchantId": id("Merchant", w.alpha.merchant), "kind": "STORES"}}).refused(); !strings.HasPrefix(got, "GRAPHQL_VALIDATION_FAILED") {
			t.Error(got)
		}
		if got := w.ask(otto, importing, vars{"in": vars{"merchantId": id("Merchant", w.alpha.merchant), "kind": "PRODUCTS", "file": "sku\n"}}); len(got.Errors) == 0 {
			t.Error("a text is taken for a file")
		}
	})
}

// An import is followed from how it stands to its end.
func TestCatalogImportIsFollowed(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.tenants()
		row := must(w.db.StartImport(t.Context(), database.NewImport{MerchantID: w.alpha.merchant, Kind: enum.ImportProducts, Format: enum.CSV}))
		document := `subscription { catalogImport(id: "` + id("CatalogImport", row.ID) + `") { status error } }`
		ctx, next, refused := w.begin(t.Context(), partner(w.alpha.merchant), document)
		if refused != nil {
			t.Fatal(w.read(refused).raw)
		}
		if a := w.read(next(ctx)); at(a.Data, "catalogImport.status") != "RUNNING" {
			t.Fatal(a.raw)
		}
		if err := w.imports.Recover(t.Context()); err != nil {
			t.Fatal(err)
		}
		if a := w.read(next(ctx)); at(a.Data, "catalogImport.status") != "FAILED" {
			t.Fatal(a.raw)
		}
		if resp := next(ctx); resp != nil {
			t.Errorf("after the end comes %s", w.read(resp).raw)
		}
		ctx, next, refused = w.begin(t.Context(), partner(w.beta.merchant), document)
		if refused == nil {
			refused = next(ctx)
		}
		if got := w.read(refused).refused(); got != "NOT_FOUND id" {
			t.Errorf("another tenant's: %q", got)
		}
	})
}
