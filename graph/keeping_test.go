package graph_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"stockbridge/ent/schema/enum"
	"stockbridge/internal/database"
)

// spec 5.1: a cursor before what was deleted is told so, and how to go on; pages of the list go on all the same.
func TestCursorExpired(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.tenants()
		ctx, m := t.Context(), w.alpha.merchant
		old := w.db.Now().Add(-100 * 24 * time.Hour)
		create := make([]int64, 0, database.KeptPerSKU+3)
		for range cap(create) {
			create = append(create, w.rows.Activity.Create().SetMerchantID(m).SetAt(old).SetKind(enum.LevelReported).SetSku("OLD").SaveX(ctx).ID)
		}
		list := `query A($m: ID!, $after: String) { activities(where: {merchantId: $m, sku: "OLD"}, orderBy: {field: AT, direction: ASC}, first: 1, after: $after) { nodes { cursor } pageInfo { endCursor } } }`
		by, v := operator(m), vars{"m": id("Merchant", m)}
		cursors, pages := []any{}, []any{}
		for range 4 {
			page := w.data(by, "activities", list, v)
			v["after"] = at(page, "pageInfo.endCursor")
			cursors, pages = append(cursors, at(page, "nodes.0.cursor")), append(pages, v["after"])
		}
		for at, more := int64(0), true; more; {
			var err error
			if at, more, _, err = w.db.PruneActivities(ctx, old.Add(time.Hour), at); err != nil {
				t.Fatal(err)
			}
		}
		follow := func(merchant int64, after any) answer {
			t.Helper()
			ctx, cancel := context.WithCancel(ctx)
			defer cancel()
			ctx, next, refused := w.begin(ctx, admin, `subscription F($m: ID!, $after: String) { activity(merchantId: $m, sku: "OLD", after: $after) { cursor } }`, vars{"m": id("Merchant", merchant), "after": after})
			if refused != nil {
				return w.read(refused)
			}
			return w.read(next(ctx))
		}
		for i, want := range []string{"CURSOR_EXPIRED after", "CURSOR_EXPIRED after", "", ""} { // 0 to 2 are gone
			got := follow(m, cursors[i])
			if got.refused() != want {
				t.Errorf("after %d: %s", i, got.raw)
			}
			if want != "" && !strings.Contains(got.Errors[0].Message, "activities(where") {
				t.Errorf("after %d: how to go on is not told: %s", i, got.raw)
			}
		}
		if got := at(follow(m, cursors[2]).Data, "activity.cursor"); got != cursors[3] {
			t.Errorf("went on with %v", got)
		}
		v["after"] = pages[0]
		if got := at(w.data(by, "activities", list, v), "nodes.0.cursor"); got != cursors[3] {
			t.Errorf("the page after one that is gone begins with %v, want %v", got, cursors[3])
		}
	})
}
