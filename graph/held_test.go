package graph_test

import (
	"testing"

	"stockbridge/ent/schema/enum"
)

// spec 3.10, 5: reported stock that drops too much is held, shown, and released or rejected through the API.
func TestHeldReportIsReleasedOrRejected(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.tenants()
		otto := operator(w.alpha.merchant)
		report := func(levels string) string {
			return w.faults(otto, `mutation { reportWarehouseLevels(input: {warehouseId: "`+id("Warehouse", w.alpha.warehouse)+`", complete: true, levels: [`+levels+`]}) { userErrors { code field message } } }`)
		}
		if got := report(`{sku: "A", available: 1}, {sku: "B", available: 1}`); got != "" {
			t.Fatal(got)
		}
		held := func() any {
			a := w.ask(otto, `{ node(id: "`+id("Warehouse", w.alpha.warehouse)+`") { ... on Warehouse { heldReport { name reason levels released run { id } } } } }`)
			return at(a.Data, "node.heldReport")
		}
		decide := func(mutation string) string {
			return w.faults(otto, `mutation { `+mutation+`(input: {warehouseId: "`+id("Warehouse", w.alpha.warehouse)+`"}) { userErrors { code field message } } }`)
		}
		for _, mutation := range []string{"rejectSync", "releaseSync"} {
			if got := report(`{sku: "A", available: 0}, {sku: "B", available: 0}, {sku: "ALPHA-BIKE", available: 0}`); got != "HELD" {
				t.Fatalf("reported: %q", got)
			}
			if held() == nil {
				t.Error("the held report is not shown")
			}
			if got := w.faults(operator(w.beta.merchant), `mutation { `+mutation+`(input: {warehouseId: "`+id("Warehouse", w.alpha.warehouse)+`"}) { userErrors { code field message } } }`); got != "NOT_FOUND input,warehouseId" {
				t.Errorf("a stranger: %q", got)
			}
			if got := decide(mutation); got != "" {
				t.Errorf("%s: %q", mutation, got)
			}
			if got := decide(mutation); got != "WRONG_STATE input,warehouseId" || held() != nil {
				t.Errorf("%s again: %q, held %v", mutation, got, held())
			}
		}
		if got := w.faults(otto, `mutation { releaseSync(input: {runId: "`+id("SyncRun", w.alpha.run)+`"}) { userErrors { code field message } } }`); got != "WRONG_STATE input,runId" {
			t.Errorf("a run that is not %s: %q", enum.Held, got)
		}
	})
}
