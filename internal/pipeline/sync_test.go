package pipeline_test

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"stockbridge/ent"
	"stockbridge/ent/schema/enum"
	"stockbridge/internal/database"
	"stockbridge/internal/fault"
	"stockbridge/internal/warehouse"
)

func expect(t *testing.T, run *ent.SyncRun, status enum.SyncStatus) {
	t.Helper()
	if run.Status != status {
		words := ""
		if run.Error != nil {
			words = *run.Error
		}
		t.Fatalf("%s sync ended %s, want %s: %s", run.Mode, run.Status, status, words)
	}
}

func shows(t *testing.T, s *shop, want map[string]int64) {
	t.Helper()
	if got := s.showing(); !maps.Equal(got, want) {
		t.Errorf("the store shows %v, want %v", got, want)
	}
}

func (s *shop) heard() map[string]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.told)
}

func (h *house) level(sku string) *ent.ChannelLevel {
	h.t.Helper()
	for _, l := range must(h.db.Reader().ChannelLevel.Query().All(h.t.Context())) {
		if l.ChannelSku == sku {
			return l
		}
	}
	h.t.Fatalf("no level %s", sku)
	return nil
}

// spec 3.8
func TestStartWhileSyncing(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		s := newShop(t)
		w := h.warehouse("w", nil)
		c := h.connect(w, h.store("s", s, nil))
		h.report(w, warehouse.Row{SKU: "A", Available: "1"})
		reached, release := make(chan struct{}), make(chan struct{})
		s.as(func(http.ResponseWriter, *http.Request, []told) bool {
			s.as(nil)
			close(reached)
			<-release
			return false
		})
		ctx := t.Context()
		smart := must(h.Start(ctx, h.merchant, c.ID, enum.Smart, enum.Manual))
		<-reached
		if again := must(h.Start(ctx, h.merchant, c.ID, enum.Smart, enum.Manual)); again.ID != smart.ID || again.Status != enum.Running {
			t.Errorf("a second Smart Sync: run %d %s, want the running %d", again.ID, again.Status, smart.ID)
		}
		full := must(h.Start(ctx, h.merchant, c.ID, enum.Full, enum.Manual))
		if full.ID == smart.ID || full.Status != enum.Queued {
			t.Errorf("a Full asked for during a Smart: %+v, want it queued", full)
		}
		if once := must(h.Start(ctx, h.merchant, c.ID, enum.Full, enum.Manual)); once.ID != full.ID {
			t.Errorf("the Full Sync was queued twice")
		}
		close(release)
		expect(t, h.ended(smart.ID), enum.Succeeded)
		expect(t, h.ended(full.ID), enum.Succeeded)
	})
}

// spec 3.9
func TestPullsOfOneWarehouseAreOnePull(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		asked, release := make(chan struct{}, 10), make(chan struct{})
		server := serve(t, func(w http.ResponseWriter, _ *http.Request) {
			asked <- struct{}{}
			<-release
			fmt.Fprint(w, `{"levels":[{"sku":"A","available":4}],"nextCursor":null,"complete":true}`)
		})
		w := h.pulled("w", server.URL)
		a, b := newShop(t), newShop(t)
		ca, cb := h.connect(w, h.store("a", a, nil)), h.connect(w, h.store("b", b, nil))
		ra := must(h.Start(t.Context(), h.merchant, ca.ID, enum.Smart, enum.Manual))
		<-asked
		rb := must(h.Start(t.Context(), h.merchant, cb.ID, enum.Smart, enum.Manual))
		for h.step(rb.ID) != enum.Pulling {
		}
		close(release)
		for _, id := range []int64{ra.ID, rb.ID} {
			run := h.ended(id)
			expect(t, run, enum.Succeeded)
			if run.Reported != 1 {
				t.Errorf("run %d: %+v", id, run)
			}
		}
		if len(asked) != 0 {
			t.Errorf("the warehouse was asked %d times more", len(asked))
		}
		shows(t, a, map[string]int64{"A": 4})
		shows(t, b, map[string]int64{"A": 4})
	})
}

// spec 3.10
func TestMissingSKUPolicy(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		for _, policy := range []enum.MissingSKUPolicy{enum.Keep, enum.Zero} {
			s := newShop(t)
			w, drop := h.files(string(policy), true, func(in *database.CreateWarehouse) { in.MissingSKUPolicy = policy })
			c := h.connect(w, h.store(string(policy), s, nil))
			drop("inv_1.csv", "sku,facility,available\nA,E,1\nA,W,1\nB,,2\nC,,3\nD,,4\n")
			expect(t, h.sync(c.ID, enum.Smart), enum.Succeeded)
			drop("inv_2.csv", "sku,facility,available\nA,E,5\nB,,2\nD,,many\n") // A at W and C are missing; D is named
			run := h.sync(c.ID, enum.Smart)
			expect(t, run, enum.Partial)
			want := map[string]int64{"A": 5, "B": 2, "C": 0, "D": 4}
			if policy == enum.Keep {
				want = map[string]int64{"A": 6, "B": 2, "C": 3, "D": 4}
			}
			shows(t, s, want)
		}
	})
}

// spec 3.10: too great a drop, and an empty complete report, are held and change nothing.
func TestReportThatDropsTooMuchIsHeld(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		for name, text := range map[string]string{
			"zeroed":  "sku,available\nA,0\nB,0\nC,0\nD,4\n",
			"missing": "sku,available\nA,1\n",
			"header":  "sku,available\n",
			"nothing": "",
		} {
			s := newShop(t)
			w, drop := h.files(name, true, func(in *database.CreateWarehouse) { in.MissingSKUPolicy = enum.Zero })
			c := h.connect(w, h.store(name, s, nil))
			drop("inv_1.csv", "sku,available\nA,1\nB,2\nC,3\nD,4\nE,0\n")
			expect(t, h.sync(c.ID, enum.Smart), enum.Succeeded)
			drop("inv_2.csv", text)
			run := h.sync(c.ID, enum.Smart)
			expect(t, run, enum.Held)
			if run.Changed != 0 || run.ErrorCode == nil || *run.ErrorCode != string(fault.Held) {
				t.Errorf("%s: %+v", name, run)
			}
			shows(t, s, map[string]int64{"A": 1, "B": 2, "C": 3, "D": 4, "E": 0})
			if _, err := os.Stat(filepath.Join(h.root, name, "out", "inv_2.csv")); err != nil {
				t.Errorf("%s: the held file does not stay: %v", name, err)
			}
			// It stays held, while pushing goes on, until somebody decides.
			if again := h.sync(c.ID, enum.Smart); again.Status != enum.Held || !strings.Contains(*again.Error, "still held") {
				t.Errorf("%s: the sync after it: %+v", name, again)
			}
		}
	})
}

// spec 3.10: half of the known SKUs and no more is let through.
func TestDropAtTheLimitIsNotHeld(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		s := newShop(t)
		w, drop := h.files("w", true, nil)
		c := h.connect(w, h.store("s", s, nil))
		drop("inv_1.csv", "sku,available\nA,1\nB,2\nC,3\nD,4\n")
		expect(t, h.sync(c.ID, enum.Smart), enum.Succeeded)
		drop("inv_2.csv", "sku,available\nA,0\nB,-3\nC,3\nD,4\n")
		expect(t, h.sync(c.ID, enum.Smart), enum.Succeeded)
		shows(t, s, map[string]int64{"A": 0, "B": 0, "C": 3, "D": 4})
	})
}

// spec section 6: rows that cannot be used are rejected with line and reason, the others count; of two rows with one key
// the last counts, noted.
func TestBadRowsAreRejectedAndTheOthersCount(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		s := newShop(t)
		w, drop := h.files("w", false, nil)
		c := h.connect(w, h.store("s", s, nil))
		drop("inv_1.csv", "sku,available\nA,1\n,2\nB,many\nC,2147483648\nA,7\nD,2.9\n"+strings.Repeat("x", 256)+",1\n")
		run := h.sync(c.ID, enum.Smart)
		expect(t, run, enum.Partial)
		if run.Reported != 7 || run.Rejected != 4 || run.Changed != 2 || run.ProblemCount != 6 {
			t.Errorf("counts: %+v", run)
		}
		got := h.problems(run)
		for _, want := range []string{"ROW inv_1.csv:3", "ROW inv_1.csv:4 B", "ROW inv_1.csv:5 C", "ROW inv_1.csv:8", "NOTE inv_1.csv:2 A", "NOTE inv_1.csv:7 D"} {
			if !strings.Contains(got, want) {
				t.Errorf("problems lack %q:\n%s", want, got)
			}
		}
		shows(t, s, map[string]int64{"A": 7, "D": 2})
		if _, err := os.Stat(filepath.Join(h.root, "w", "out", "processed", "inv_1.csv")); err != nil {
			t.Error(err)
		}
	})
}

// spec section 6: a report that cannot be used fails the run, records nothing and stays; a newer one is not held up.
func TestUnusableReportFailsAndStays(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		s := newShop(t)
		w, drop := h.files("w", false, nil)
		c := h.connect(w, h.store("s", s, nil))
		drop("inv_1.csv", "name,colour\nA,red\n")
		run := h.sync(c.ID, enum.Smart)
		expect(t, run, enum.Failed)
		if run.ErrorCode == nil || *run.ErrorCode != string(fault.BadReport) || run.Changed != 0 {
			t.Errorf("%+v", run)
		}
		for _, name := range []string{"out/inv_1.csv", "out/rejected/inv_1.csv.error.txt"} {
			if _, err := os.Stat(filepath.Join(h.root, "w", name)); err != nil {
				t.Error(err)
			}
		}
		drop("inv_2.csv", "sku,available\nA,3\n")
		expect(t, h.sync(c.ID, enum.Smart), enum.Partial)
		shows(t, s, map[string]int64{"A": 3})
		drop("inv_1.csv", "sku,available\nA,4\n")
		expect(t, h.sync(c.ID, enum.Smart), enum.Succeeded)
		shows(t, s, map[string]int64{"A": 4})
	})
}

// A run that is canceled stores what came back, and the next Smart Sync sends the rest.
func TestCanceledSyncLosesNothing(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		s := newShop(t)
		w := h.warehouse("w", nil)
		c := h.connect(w, h.store("s", s, nil))
		h.report(w, warehouse.Row{SKU: "A", Available: "1"})
		reached := make(chan struct{})
		s.as(func(_ http.ResponseWriter, r *http.Request, levels []told) bool {
			s.take(levels) // taken, but the answer never comes
			close(reached)
			<-r.Context().Done()
			return true
		})
		run := must(h.Start(t.Context(), h.merchant, c.ID, enum.Smart, enum.Manual))
		<-reached
		must(h.Cancel(t.Context(), h.merchant, run.ID))
		expect(t, h.ended(run.ID), enum.Canceled)
		if _, err := h.Cancel(t.Context(), h.merchant, run.ID); fault.CodeOf(err) != fault.WrongState {
			t.Errorf("canceled twice: %v", err)
		}
		if l := h.level("A"); l.Status != enum.Pending || !l.Due {
			t.Errorf("%+v", l)
		}
		s.as(nil)
		expect(t, h.sync(c.ID, enum.Smart), enum.Succeeded)
		shows(t, s, map[string]int64{"A": 1})
	})
}

// spec 3.13: a server that stops lets syncs end, or ends them INTERRUPTED.
func TestStoppedServerInterruptsSyncs(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		s := newShop(t)
		w := h.warehouse("w", nil)
		c := h.connect(w, h.store("s", s, nil))
		h.report(w, warehouse.Row{SKU: "A", Available: "1"})
		reached := make(chan struct{})
		s.as(func(_ http.ResponseWriter, r *http.Request, _ []told) bool {
			close(reached)
			<-r.Context().Done()
			return true
		})
		run := must(h.Start(t.Context(), h.merchant, c.ID, enum.Smart, enum.Manual))
		<-reached
		now, cancel := context.WithCancel(t.Context())
		cancel()
		h.Close(now)
		expect(t, h.ended(run.ID), enum.Interrupted)
		s.as(nil)
		h.Pipeline = h.pipeline()
		expect(t, h.sync(c.ID, enum.Smart), enum.Succeeded)
		shows(t, s, map[string]int64{"A": 1})
	})
}
