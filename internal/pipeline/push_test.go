package pipeline_test

import (
	"fmt"
	"maps"
	"net/http"
	"strings"
	"testing"

	"stockbridge/ent/schema/enum"
	"stockbridge/internal/database"
	"stockbridge/internal/fault"
	"stockbridge/internal/warehouse"
)

// spec 3.3, 3.4, 3.5
func TestSmartPushesWhatDiffersAndFullPushesAll(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		s := newShop(t)
		w, drop := h.files("w", false, nil)
		c := h.connect(w, h.store("s", s, nil))
		drop("inv_1.csv", "sku,available\nA,1\nB,2\nC,3\n")
		run := h.sync(c.ID, enum.Full)
		expect(t, run, enum.Succeeded)
		if run.Reported != 3 || run.Changed != 3 || run.Planned != 3 || run.Pushed != 3 || run.Unchanged != 0 || run.Failed != 0 {
			t.Errorf("counts: %+v", run)
		}
		shows(t, s, map[string]int64{"A": 1, "B": 2, "C": 3})

		drop("inv_2.csv", "sku,available\nA,1\nB,5\n")
		run = h.sync(c.ID, enum.Smart)
		expect(t, run, enum.Succeeded)
		if run.Reported != 2 || run.Changed != 1 || run.Pushed != 1 || run.Unchanged != 2 {
			t.Errorf("counts: %+v", run)
		}
		if got := s.heard(); !maps.Equal(got, map[string]int{"B": 1}) {
			t.Errorf("a Smart Sync told the store %v, want B alone", got)
		}
		shows(t, s, map[string]int64{"A": 1, "B": 5, "C": 3})

		s.take([]told{{SKU: "C", Quantity: 99}}) // somebody changed the store
		expect(t, h.sync(c.ID, enum.Full), enum.Succeeded)
		shows(t, s, map[string]int64{"A": 1, "B": 5, "C": 3})
		if l := h.level("C"); l.Status != enum.Pushed || *l.PushedQuantity != 3 || l.LastPushedAt == nil {
			t.Errorf("after the push: %+v", l)
		}
	})
}

// spec 3.8: a pull that finds nothing new is a success, and pushing goes on from what is stored; 3.3: what a changed
// strategy moved goes out with a Smart Sync.
func TestNothingNewStillPushesWhatMoved(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		s := newShop(t)
		w, drop := h.files("w", false, nil)
		c := h.connect(w, h.store("s", s, nil))
		drop("inv_1.csv", "sku,available\nA,10\n")
		expect(t, h.sync(c.ID, enum.Smart), enum.Succeeded)
		must(h.db.CreatePartitionStrategy(t.Context(), database.CreatePartitionStrategy{MerchantID: h.merchant, WarehouseID: w.ID, Name: "p", Buffer: database.Buffer{BasisPoints: percentage("10")}, Active: true}))
		if behind, err := h.Replan(t.Context(), h.merchant); behind || err != nil {
			t.Fatal(behind, err)
		}
		if l := h.level("A"); l.Quantity != 9 || *l.PushedQuantity != 10 || l.Status != enum.Pending {
			t.Errorf("after the change of strategy: %+v", l)
		}
		run := h.sync(c.ID, enum.Smart)
		expect(t, run, enum.Succeeded)
		if run.Reported != 0 || run.Pushed != 1 {
			t.Errorf("counts: %+v", run)
		}
		shows(t, s, map[string]int64{"A": 9})
	})
}

// spec 3.5, section 6: a reply that says 200 but refuses items is believed item by item.
func TestRefusedLevelFailsAloneAndIsTriedAgain(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		s := newShop(t)
		w := h.warehouse("w", nil)
		c := h.connect(w, h.store("s", s, nil))
		h.report(w, warehouse.Row{SKU: "A", Available: "1"}, warehouse.Row{SKU: "B", Available: "2"})
		expect(t, h.sync(c.ID, enum.Smart), enum.Succeeded)
		h.report(w, warehouse.Row{SKU: "A", Available: "3"}, warehouse.Row{SKU: "B", Available: "4"})
		s.as(func(w http.ResponseWriter, _ *http.Request, levels []told) bool {
			s.take([]told{levels[1]})
			fmt.Fprint(w, `{"results":[{"sku":"A","location":null,"status":"error","code":"ARCHIVED","message":"A is archived"}]}`)
			return true
		})
		run := h.sync(c.ID, enum.Smart)
		expect(t, run, enum.Partial)
		if run.Pushed != 1 || run.Failed != 1 {
			t.Errorf("counts: %+v", run)
		}
		if l := h.level("A"); l.Status != enum.PushFailed || *l.PushedQuantity != 1 || l.LastError == nil || !strings.Contains(*l.LastError, "A is archived") {
			t.Errorf("the refused level: %+v", l)
		}
		if got := h.problems(run); !strings.Contains(got, "LEVEL :0 A ARCHIVED A is archived") {
			t.Errorf("problems: %s", got)
		}
		s.as(nil)
		run = h.sync(c.ID, enum.Smart)
		expect(t, run, enum.Succeeded)
		if run.Pushed != 1 || h.level("A").LastError != nil {
			t.Errorf("tried again: %+v", run)
		}
		shows(t, s, map[string]int64{"A": 3, "B": 4})
	})
}

// spec 3.5: pushedQuantity is what was sent; a level that moved meanwhile stays pending and goes out again.
func TestLevelThatMovedWhileOnItsWayGoesOutAgain(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		s := newShop(t)
		w := h.warehouse("w", nil)
		c := h.connect(w, h.store("s", s, nil))
		h.report(w, warehouse.Row{SKU: "A", Available: "1"})
		expect(t, h.sync(c.ID, enum.Smart), enum.Succeeded)
		// Away and back: what is on its way is 2, while the level is 1 again, which is what the store last acknowledged.
		for _, back := range []string{"3", "1"} {
			h.report(w, warehouse.Row{SKU: "A", Available: "2"})
			s.as(func(_ http.ResponseWriter, _ *http.Request, levels []told) bool {
				h.report(w, warehouse.Row{SKU: "A", Available: back})
				s.as(nil)
				return false
			})
			expect(t, h.sync(c.ID, enum.Smart), enum.Succeeded)
			shows(t, s, map[string]int64{"A": 2})
			if l := h.level("A"); l.Status != enum.Pending || *l.PushedQuantity != 2 {
				t.Errorf("moved to %s meanwhile: %+v", back, l)
			}
			expect(t, h.sync(c.ID, enum.Smart), enum.Succeeded)
			if l := h.level("A"); l.Status != enum.Pushed || fmt.Sprint(l.Quantity) != back {
				t.Errorf("gone out again: %+v", l)
			}
		}
		shows(t, s, map[string]int64{"A": 1})
	})
}

// The store takes a push and dies before it answers; then the level goes back to what was acknowledged before. Only a
// push brings the store right.
func TestLostReplyIsPushedAgainEvenWhenNothingSeemsToDiffer(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		s := newShop(t)
		w := h.warehouse("w", nil)
		c := h.connect(w, h.store("s", s, nil))
		h.report(w, warehouse.Row{SKU: "A", Available: "1"})
		expect(t, h.sync(c.ID, enum.Smart), enum.Succeeded)
		h.report(w, warehouse.Row{SKU: "A", Available: "9"})
		s.as(func(w http.ResponseWriter, _ *http.Request, levels []told) bool {
			s.take(levels)
			fmt.Fprint(w, `{"results":[`) // cut off
			return true
		})
		run := h.sync(c.ID, enum.Smart)
		expect(t, run, enum.Failed) // spec 3.13: nothing came back that can be believed
		if l := h.level("A"); l.Status != enum.PushFailed || *l.PushedQuantity != 1 {
			t.Errorf("after a truncated reply: %+v", l)
		}
		s.as(nil)
		h.report(w, warehouse.Row{SKU: "A", Available: "1"})
		expect(t, h.sync(c.ID, enum.Smart), enum.Succeeded)
		shows(t, s, map[string]int64{"A": 1})
	})
}

// spec 3.6: LEAVE leaves what the store shows, ZERO sets it to 0 once.
func TestExcludedLevel(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		for _, policy := range []enum.OnExclude{enum.LeaveExcluded, enum.ZeroExcluded} {
			s := newShop(t)
			w := h.warehouse("w "+string(policy), nil)
			st := h.store("s "+string(policy), s, func(in *database.CreateStore) { in.OnExclude = policy })
			c := h.connect(w, st)
			h.report(w, warehouse.Row{SKU: "A", Available: "1"}, warehouse.Row{SKU: "B", Available: "2"})
			expect(t, h.sync(c.ID, enum.Smart), enum.Succeeded)
			limit := func(limits ...database.Limit) {
				must(h.db.SetStoreLimits(t.Context(), h.merchant, st.ID, database.SetStoreLimits{Limits: limits}))
				must(h.Replan(t.Context(), h.merchant))
			}
			limit(database.Limit{Pattern: "A", Action: enum.Skip})
			want := map[enum.OnExclude]int64{enum.LeaveExcluded: 1, enum.ZeroExcluded: 0}[policy]
			for range 2 {
				s.showing()
				run := h.sync(c.ID, enum.Smart)
				expect(t, run, enum.Succeeded)
				if run.Excluded != 1 || run.Planned != 1 {
					t.Errorf("%s: counts %+v", policy, run)
				}
				if _, told := s.heard()["B"]; told {
					t.Errorf("%s: B was pushed though nothing differs", policy)
				}
			}
			if _, again := s.heard()["A"]; again {
				t.Errorf("%s: what is held back was pushed again", policy)
			}
			shows(t, s, map[string]int64{"A": want, "B": 2})
			expect(t, h.sync(c.ID, enum.Full), enum.Succeeded)
			if _, again := s.heard()["A"]; again {
				t.Errorf("%s: a Full Sync pushed what is held back", policy)
			}
			limit()
			expect(t, h.sync(c.ID, enum.Smart), enum.Succeeded)
			shows(t, s, map[string]int64{"A": 1, "B": 2})
		}
	})
}

// spec section 6, 3.13
func TestStoreThatCannotBeUsed(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		s := newShop(t)
		w := h.warehouse("w", nil)
		c := h.connect(w, h.store("s", s, nil))
		h.report(w, warehouse.Row{SKU: "A", Available: "1"})
		s.as(func(w http.ResponseWriter, _ *http.Request, _ []told) bool {
			http.Error(w, "key revoked", http.StatusUnauthorized)
			return true
		})
		run := h.sync(c.ID, enum.Smart)
		expect(t, run, enum.Failed)
		if *run.ErrorCode != string(fault.CredentialsRefused) || !strings.Contains(*run.Error, "credentials refused") {
			t.Errorf("%s %s", *run.ErrorCode, *run.Error)
		}
		if l := h.level("A"); l.Status != enum.PushFailed || l.PushedQuantity != nil {
			t.Errorf("%+v", l)
		}
		s.as(nil)
		expect(t, h.sync(c.ID, enum.Smart), enum.Succeeded)
		shows(t, s, map[string]int64{"A": 1})
	})
}
