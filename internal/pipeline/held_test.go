package pipeline_test

import (
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"stockbridge/ent"
	"stockbridge/ent/channellevel"
	"stockbridge/ent/schema/enum"
	"stockbridge/internal/database"
	"stockbridge/internal/fault"
	"stockbridge/internal/warehouse"
)

func (h *house) has(path string) bool {
	_, err := os.Stat(filepath.Join(h.root, path))
	return err == nil
}

// heldFile is a warehouse of files whose second one is held.
func (h *house) heldFile(name string, s *shop) (run *ent.SyncRun, drop func(file, text string)) {
	h.t.Helper()
	w, drop := h.files(name, true, func(in *database.CreateWarehouse) { in.MissingSKUPolicy = enum.Zero })
	c := h.connect(w, h.store(name, s, nil))
	drop("inv_1.csv", "sku,available\nA,1\nB,2\nC,3\nD,4\nE,5\n")
	if got := h.sync(c.ID, enum.Smart); got.Status != enum.Succeeded {
		h.t.Fatal(got.Status)
	}
	drop("inv_2.csv", "sku,available\nA,5\nD,x\n")
	run = h.sync(c.ID, enum.Smart)
	if run.Status != enum.Held {
		h.t.Fatal(run.Status)
	}
	return run, drop
}

// spec 3.10: a held report that is released is recorded as it was read, and pushed; D is named, though its row is bad.
func TestReleasedReportIsRecordedAndPushed(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		s := newShop(t)
		run, _ := h.heldFile("w", s)
		if err := h.Release(t.Context(), h.merchant, run.ID); err != nil {
			t.Fatal(err)
		}
		run = h.ended(run.ID)
		expect(t, run, enum.Succeeded)
		if run.Changed != 4 || run.Pushed != 4 || run.Error != nil {
			t.Errorf("%+v", run)
		}
		shows(t, s, map[string]int64{"A": 5, "B": 0, "C": 0, "D": 4, "E": 0})
		if h.has("w/out/inv_2.csv") || !h.has("w/out/processed/inv_2.csv") {
			t.Error("the released file is not archived")
		}
		if err := h.Release(t.Context(), h.merchant, run.ID); fault.CodeOf(err) != fault.WrongState {
			t.Errorf("released twice: %v", err)
		}
	})
}

// spec 3.10: a held report that is rejected changes nothing, and its file is put aside.
func TestRejectedReportIsPutAside(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		s := newShop(t)
		run, drop := h.heldFile("w", s)
		if err := h.Reject(t.Context(), h.merchant, run.ID); err != nil {
			t.Fatal(err)
		}
		expect(t, h.ended(run.ID), enum.Canceled)
		if h.has("w/out/inv_2.csv") || !h.has("w/out/rejected/inv_2.csv") || !h.has("w/out/rejected/inv_2.csv.error.txt") {
			t.Error("the rejected file is not put aside with the reason")
		}
		drop("inv_3.csv", "sku,available\nA,1\nB,9\nC,3\nD,4\nE,5\n")
		expect(t, h.sync(run.ConnectionID, enum.Smart), enum.Succeeded)
		shows(t, s, map[string]int64{"A": 1, "B": 9, "C": 3, "D": 4, "E": 5})
	})
}

// spec 3.10: a second held report replaces the first and says so; a later one that is recorded replaces it too.
func TestLaterReportTakesThePlaceOfAHeldOne(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		s := newShop(t)
		first, drop := h.heldFile("w", s)
		drop("inv_3.csv", "sku,available\nA,6\n")
		second := h.sync(first.ConnectionID, enum.Smart)
		expect(t, second, enum.Held)
		if !strings.Contains(*second.Error, "takes the place of inv_2.csv") {
			t.Errorf("%s", *second.Error)
		}
		if err := h.Release(t.Context(), h.merchant, first.ID); fault.CodeOf(err) != fault.WrongState {
			t.Errorf("the replaced one was released: %v", err)
		}
		if !h.has("w/out/rejected/inv_2.csv") || !h.has("w/out/inv_3.csv") {
			t.Error("the replaced file is not put aside, or the held one does not stay")
		}
		drop("inv_4.csv", "sku,available\nA,7\nB,2\nC,3\nD,4\nE,5\n")
		expect(t, h.sync(first.ConnectionID, enum.Smart), enum.Succeeded)
		if err := h.Release(t.Context(), h.merchant, second.ID); fault.CodeOf(err) != fault.WrongState {
			t.Errorf("a report older than what is recorded was released: %v", err)
		}
		if !h.has("w/out/rejected/inv_3.csv") {
			t.Error("the file that is too old now is not put aside")
		}
		shows(t, s, map[string]int64{"A": 7, "B": 2, "C": 3, "D": 4, "E": 5})
	})
}

// spec 3.10, where every pull is a report anew.
func TestHeldReplyIsKeptUntilDecided(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		var reply atomic.Value
		reply.Store(`{"levels":[{"sku":"A","available":4},{"sku":"B","available":4}],"complete":true}`)
		server := serve(t, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, reply.Load()) })
		w, s := h.pulled("w", server.URL), newShop(t)
		c := h.connect(w, h.store("s", s, nil))
		expect(t, h.sync(c.ID, enum.Smart), enum.Succeeded)
		reply.Store(`{"levels":[{"sku":"A","available":0},{"sku":"B","available":0}],"complete":true}`)
		first := h.sync(c.ID, enum.Smart)
		expect(t, first, enum.Held)
		second := h.sync(c.ID, enum.Smart)
		expect(t, second, enum.Held)
		if err := h.Release(t.Context(), h.merchant, first.ID); fault.CodeOf(err) != fault.WrongState {
			t.Errorf("%v", err)
		}
		if err := h.Release(t.Context(), h.merchant, second.ID); err != nil {
			t.Fatal(err)
		}
		expect(t, h.ended(second.ID), enum.Succeeded)
		shows(t, s, map[string]int64{"A": 0, "B": 0})
	})
}

// spec 3.10, 3.12: reported stock is guarded too.
func TestReportedStockThatDropsTooMuchIsHeld(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		ctx := t.Context()
		w := h.warehouse("w", func(in *database.CreateWarehouse) { in.MissingSKUPolicy = enum.Zero })
		s := h.store("s", newShop(t), nil)
		h.connect(w, s)
		h.report(w, warehouse.Row{SKU: "A", Available: "1"}, warehouse.Row{SKU: "B", Available: "2"}, warehouse.Row{SKU: "C", Available: "3"})
		hold := func() {
			t.Helper()
			if _, err := h.Report(ctx, w, true, []warehouse.Row{{SKU: "A", Available: "9"}}); fault.CodeOf(err) != fault.Held {
				t.Fatalf("reported: %v", err)
			}
			if got := h.levels(s.ID); !maps.Equal(got, map[string]int64{"A": 1, "B": 2, "C": 3}) {
				t.Errorf("a held report changed %v", got)
			}
		}
		hold()
		if err := h.RejectReported(ctx, w); err != nil {
			t.Fatal(err)
		}
		if _, err := h.ReleaseReported(ctx, w); fault.CodeOf(err) != fault.WrongState {
			t.Errorf("released what was rejected: %v", err)
		}
		hold()
		r := must(h.ReleaseReported(ctx, w))
		if r.Counts.Changed != 3 {
			t.Errorf("%+v", r.Counts)
		}
		if got := h.levels(s.ID); !maps.Equal(got, map[string]int64{"A": 9, "B": 0, "C": 0}) {
			t.Errorf("released: %v", got)
		}
	})
}

// spec 3.12: what a warehouse reports is pushed by itself where the connection says so; many reports go out together, and
// none is lost that comes while a push is under way.
func TestReportedStockIsPushedOnChange(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		s, quiet := newShop(t), newShop(t)
		w := h.warehouse("w", nil)
		c := h.connect(w, h.store("s", s, nil))
		h.connect(w, h.store("quiet", quiet, nil))
		on := true
		must(h.db.UpdateConnection(t.Context(), h.merchant, c.ID, database.UpdateConnection{PushOnChange: &on}))
		reached, release := make(chan struct{}), make(chan struct{})
		s.as(func(http.ResponseWriter, *http.Request, []told) bool {
			s.as(nil)
			close(reached)
			<-release
			return false
		})
		for i := range 5 {
			h.report(w, warehouse.Row{SKU: "A", Available: fmt.Sprint(i)})
		}
		<-reached
		h.report(w, warehouse.Row{SKU: "A", Available: "7"})
		close(release)
		for want := int64(7); ; {
			changed := h.bell.Next()
			if l := must(h.db.Reader().ChannelLevel.Query().Where(channellevel.StoreID(c.StoreID)).Only(t.Context())); l.PushedQuantity != nil && *l.PushedQuantity == want {
				break
			}
			<-changed
		}
		shows(t, s, map[string]int64{"A": 7})
		s.mu.Lock()
		if s.batches != 2 {
			t.Errorf("%d pushes, want two", s.batches)
		}
		s.mu.Unlock()
		shows(t, quiet, map[string]int64{})
	})
}
