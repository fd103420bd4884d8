package graph_test

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// spec 5: testWarehouse and testStore make one real request, and tell what was tried, how long it took and what came back.
func TestTestsTellWhatCameBack(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.tenants()
		by := operator(w.alpha.merchant)
		const fields = "{ ok tried message durationMs userErrors { code message } }"
		test := func(typ string, row int64, want ...string) {
			t.Helper()
			field := strings.ToLower(typ) + "Id"
			got := brief(w.data(by, "test"+typ, "mutation T($id: ID!) { test"+typ+"(input: {"+field+": $id}) "+fields+" }", vars{"id": id(typ, row)}))
			for _, part := range want {
				if !strings.Contains(got, part) {
					t.Errorf("%s %d: %s has no %s", typ, row, got, part)
				}
			}
			if strings.Contains(got, "ALPHA-token") || strings.Contains(got, "ALPHA-secret") {
				t.Errorf("%s %d: a secret in %s", typ, row, got)
			}
		}
		w.shop.answer(http.StatusOK)
		test("Warehouse", w.alpha.warehouse, `"ok":true`, `"tried":null`, "reportWarehouseLevels")
		if err := os.MkdirAll(filepath.Join(w.files, "out"), 0o700); err != nil {
			t.Fatal(err)
		}
		test("Warehouse", w.alpha.files, `"ok":true`, "the list of reports that wait, at file://", "out/inv_", `"durationMs":`)
		w.shop.answer(http.StatusUnauthorized)
		test("Store", w.alpha.store, `"ok":false`, "a push without levels, at http://127.0.0.1", "CREDENTIALS_REFUSED", `"durationMs":`)
		w.shop.answer(http.StatusServiceUnavailable)
		test("Store", w.alpha.store, `"ok":false`, "503")
	})
}
