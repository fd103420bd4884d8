package pipeline_test

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/Shopify/toxiproxy/v2"
	"github.com/rs/zerolog"

	"stockbridge/ent"
	"stockbridge/ent/schema/enum"
	"stockbridge/internal/activity"
	"stockbridge/internal/database"
	"stockbridge/internal/database/dbtest"
	"stockbridge/internal/warehouse"
)

// midway is a replica in the middle of a push, whose batch is with the shop.
type midway struct {
	*testing.T
	url    string
	first  *house
	shop   *shop
	w      *ent.Warehouse
	c      *ent.Connection
	run    *ent.SyncRun
	child  *process
	answer chan struct{} // close it and the shop answers the batch, which it took
	gone   chan struct{} // closed once nobody waits for that answer any more
}

// midwayThrough brings a replica there that reaches the database by the address that by makes of its own.
func midwayThrough(t *testing.T, by func(url string) string) *midway {
	t.Helper()
	m := &midway{T: t, url: dbtest.URL(t, "postgres"), shop: newShop(t), answer: make(chan struct{}), gone: make(chan struct{})}
	m.first = houseOn(t, m.url)
	m.w = m.first.warehouse("w", nil)
	m.c = m.first.connect(m.w, m.first.store("s", m.shop, nil))
	m.first.report(m.w, warehouse.Row{SKU: "A", Available: "1"}, warehouse.Row{SKU: "B", Available: "2"})
	m.first.close() // so that the other one has it all
	reached := make(chan struct{})
	m.shop.as(func(_ http.ResponseWriter, r *http.Request, levels []told) bool {
		m.shop.as(nil)
		m.shop.take(levels)
		close(reached)
		select {
		case <-m.answer:
		case <-r.Context().Done():
			close(m.gone)
		}
		return true
	})
	m.child = m.first.spawn(by(m.url))
	run, _, err := m.first.db.EnqueueRun(t.Context(), m.first.merchant, m.c.ID, enum.Full, enum.Manual)
	if err != nil {
		t.Fatal(err)
	}
	m.run = run
	<-reached
	return m
}

// takeOver is the only other replica, which does not wait for half a minute: it ends the run of the silent one, has its leases,
// and does its work.
func (m *midway) takeOver() *house {
	m.Helper()
	h := &house{t: m.T, bell: &activity.Bell{}, root: m.first.root, merchant: m.first.merchant}
	h.db = dbtest.Reopen(m.T, m.url, database.Options{Committed: h.bell.Ring, HungAfter: 3 * time.Second})
	h.platforms = platforms(h.db, h.root)
	h.Pipeline = h.pipeline()
	h.until(func() bool { return must(h.db.Run(m.Context(), m.run.ID)).Status.Ended() })
	expect(m.T, must(h.db.Run(m.Context(), m.run.ID)), enum.Interrupted)
	if n := h.Totals().TakenOver; n != 1 {
		m.Errorf("took over %d times", n)
	}
	h.report(m.w, warehouse.Row{SKU: "A", Available: "5"})
	expect(m.T, h.sync(m.c.ID, enum.Smart), enum.Succeeded)
	shows(m.T, m.shop, map[string]int64{"A": 5, "B": 2})
	return h
}

// rows is all that a sync may write.
func (h *house) rows() string {
	h.t.Helper()
	ctx, r := h.t.Context(), h.db.Reader()
	var b strings.Builder
	line := func(row any) { fmt.Fprintln(&b, row) }
	for _, row := range must(r.ChannelLevel.Query().Order(ent.Asc("id")).All(ctx)) {
		line(row)
	}
	for _, row := range must(r.WarehouseLevel.Query().Order(ent.Asc("id")).All(ctx)) {
		line(row)
	}
	for _, row := range must(r.SyncRun.Query().Order(ent.Asc("id")).All(ctx)) {
		line(row)
	}
	for _, row := range must(r.Store.Query().Order(ent.Asc("id")).All(ctx)) {
		line(row)
	}
	for _, row := range must(r.PlanMark.Query().Order(ent.Asc("id")).All(ctx)) {
		line(row)
	}
	line(must(r.Activity.Query().Order(ent.Asc("id")).IDs(ctx)))
	line(must(r.RunProblem.Query().Count(ctx)))
	return b.String()
}

// comesBack waits until the replica found out by itself that it lost its work and its session, and has another; sees that it wrote
// nothing since before; and gives it work, which it does as ever.
func (m *midway) comesBack(h *house, before string) {
	m.Helper()
	m.child.says(m.T, `msg="sync ends"`, 1)
	m.child.says(m.T, "lost the session in the database", 1)
	m.child.says(m.T, "joined the replicas of this database", 2)
	if after := h.rows(); after != before {
		m.Errorf("it wrote though it had been taken over from; before:\n%s\nafter:\n%s", before, after)
	}
	h.close() // so that all is left to the other one
	h.hears()
	m.shop.showing()
	run, _, err := h.db.EnqueueRun(m.Context(), h.merchant, m.c.ID, enum.Full, enum.Manual)
	if err != nil {
		m.Fatal(err)
	}
	expect(m.T, h.ended(run.ID), enum.Succeeded)
	if owner := must(h.db.Run(m.Context(), run.ID)).ReplicaID; owner == nil || *owner == *must(h.db.Run(m.Context(), m.run.ID)).ReplicaID {
		m.Errorf("the run is that of replica %v", owner)
	}
	if got := m.shop.heard(); got["A"] != 1 || got["B"] != 1 {
		m.Errorf("the store was told %v", got)
	}
	shows(m.T, m.shop, map[string]int64{"A": 5, "B": 2})
}

// spec 3.8, 3.13, 3.14: a process that hangs in the middle of a push is taken over from. When it goes on it has the store's answer
// at hand, and may not write it: another one has written what is newer.
func TestHungReplicaIsTakenOver(t *testing.T) {
	t.Parallel()
	m := midwayThrough(t, func(url string) string { return url })
	signal := func(s syscall.Signal) {
		t.Helper()
		if err := m.child.Process.Signal(s); err != nil {
			t.Fatal(err)
		}
	}
	signal(syscall.SIGSTOP)
	h := m.takeOver()
	before := h.rows()
	close(m.answer)
	signal(syscall.SIGCONT)
	m.comesBack(h, before)
	if log := m.child.logged(); !strings.Contains(log, "a sync was lost; another replica ends it") {
		t.Errorf("it does not know that the run was taken from it:\n%s", log)
	}
}

// spec 3.8, 3.13, 3.14: a replica that the network keeps from the database, without a word to either, stops by itself what it does,
// is taken over from, and comes back when the network does.
func TestCutOffReplicaIsTakenOver(t *testing.T) {
	t.Parallel()
	var wire *toxiproxy.Proxy
	m := midwayThrough(t, func(direct string) string {
		to := must(url.Parse(direct))
		wire = toxiproxy.NewProxy(toxiproxy.NewServer(toxiproxy.NewMetricsContainer(nil), zerolog.Nop()), "database", "127.0.0.1:0", to.Host)
		if err := wire.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(wire.Stop)
		to.Host = wire.Listen
		return to.String()
	})
	for _, stream := range []string{"upstream", "downstream"} {
		if _, err := wire.Toxics.AddToxicJson(strings.NewReader(fmt.Sprintf(`{"type":"timeout","stream":%q,"attributes":{"timeout":0}}`, stream))); err != nil {
			t.Fatal(err)
		}
	}
	h := m.takeOver()
	<-m.gone // it stopped by itself, and is still there
	m.child.says(t, "lost the session in the database", 1)
	m.child.says(t, "cannot join the replicas of this database again; trying every second", 1)
	before := h.rows()
	wire.Toxics.ResetToxics(context.Background())
	m.comesBack(h, before)
}
