package pipeline_test

import (
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"stockbridge/ent/schema/enum"
	"stockbridge/internal/database"
	"stockbridge/internal/fault"
	"stockbridge/internal/warehouse"
)

// A store that fails on and on is left alone: its levels stay pending and the runs that are not let through end PARTIAL, with the reason.
// spec 3.13: runs that found out that it could not be reached have FAILED. Changed settings, or a test that succeeds, heal it at once.
func TestPausedStoreKeepsItsLevelsPending(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		s := newShop(t)
		w := h.warehouse("w", nil)
		store := h.store("s", s, nil)
		c := h.connect(w, store)
		h.report(w, warehouse.Row{SKU: "A", Available: "1"})
		var asked atomic.Int32
		refuse := func(w http.ResponseWriter, _ *http.Request, _ []told) bool {
			asked.Add(1)
			http.Error(w, "key revoked", http.StatusUnauthorized)
			return true
		}
		fail := func() {
			t.Helper()
			s.as(refuse)
			for range 3 {
				expect(t, h.sync(c.ID, enum.Smart), enum.Failed)
			}
			asked.Store(0)
		}
		fail()
		h.report(w, warehouse.Row{SKU: "B", Available: "2"})
		for _, mode := range []enum.SyncMode{enum.Smart, enum.Full} {
			run := h.sync(c.ID, mode)
			expect(t, run, enum.Partial)
			if *run.ErrorCode != string(fault.StorePaused) || !strings.Contains(*run.Error, "left alone until") || !strings.Contains(*run.Error, "key revoked") || asked.Load() > 0 {
				t.Errorf("%s %s after %d requests", *run.ErrorCode, *run.Error, asked.Load())
			}
			if run.Failed != 0 || run.Pushed != 0 || h.problems(run) != "" {
				t.Errorf("%d pushed, %d failed, problems %s", run.Pushed, run.Failed, h.problems(run))
			}
		}
		if l := h.level("B"); l.Status != enum.Pending || l.PushedQuantity != nil {
			t.Errorf("%+v", l)
		}

		// A test is let through, and ends it.
		if _, _, err := h.TestStore(t.Context(), store); fault.CodeOf(err) != fault.CredentialsRefused || asked.Load() != 1 {
			t.Errorf("%v after %d requests", err, asked.Load())
		}
		s.as(nil)
		if _, _, err := h.TestStore(t.Context(), store); err != nil {
			t.Error(err)
		}
		expect(t, h.sync(c.ID, enum.Smart), enum.Succeeded)
		shows(t, s, map[string]int64{"A": 1, "B": 2})

		// So do changed settings.
		h.report(w, warehouse.Row{SKU: "A", Available: "5"})
		fail()
		expect(t, h.sync(c.ID, enum.Smart), enum.Partial)
		s.as(nil)
		must(h.db.UpdateStore(t.Context(), h.merchant, store.ID, database.UpdateStore{Name: new("s, with a new key")}))
		expect(t, h.sync(c.ID, enum.Smart), enum.Succeeded)
		shows(t, s, map[string]int64{"A": 5, "B": 2})
	})
}
