package database_test

import (
	"context"
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"stockbridge/ent"
	"stockbridge/ent/schema/enum"
	"stockbridge/internal/database"
	"stockbridge/internal/database/dbtest"
)

// pair is two replicas on one database.
type pair struct {
	*testing.T
	url  string
	a, b *database.DB
	sa   *database.Session // of a
	sb   *database.Session // of b
	c    *ent.Connection   // that counts
}

func twoReplicas(t *testing.T) *pair {
	t.Helper()
	p := &pair{T: t, url: dbtest.URL(t, "postgres")}
	p.a, p.b = dbtest.Reopen(t, p.url, database.Options{}), dbtest.Reopen(t, p.url, database.Options{})
	p.sa, p.sb = p.session(p.a), p.session(p.b)
	ctx := t.Context()
	m := sure(p.a.CreateMerchant(ctx, database.CreateMerchant{Name: "m"}))(t)
	w := sure(p.a.CreateWarehouse(ctx, database.CreateWarehouse{MerchantID: m.ID, Name: "w", Platform: database.PlatformSettings{Platform: enum.Push, Settings: json.RawMessage("{}")}}))(t)
	s := sure(p.a.CreateStore(ctx, database.CreateStore{MerchantID: m.ID, Name: "s", Platform: overHTTP}))(t)
	p.c = sure(p.a.CreateConnection(ctx, database.CreateConnection{MerchantID: m.ID, WarehouseID: w.ID, StoreID: s.ID}))(t)
	if _, _, err := p.a.EnableConnection(ctx, m.ID, p.c.ID); err != nil {
		t.Fatal(err)
	}
	if _, _, err := p.a.EnableInventory(ctx, m.ID, p.c.ID); err != nil {
		t.Fatal(err)
	}
	return p
}

func (p *pair) session(db *database.DB) *database.Session {
	p.Helper()
	s := sure(db.OpenSession(p.Context(), "test"))(p.T)
	p.Cleanup(func() {
		if err := s.Close(); err != nil && !errors.Is(err, database.ErrLost) {
			p.Error(err)
		}
	})
	return s
}

// sever ends the connection under a session, as a network or a server that breaks does. Its process does not know yet.
func (p *pair) sever(s *database.Session) {
	p.Helper()
	conn := sure(pgx.Connect(p.Context(), p.url))(p.T)
	defer conn.Close(p.Context()) //nolint:errcheck // it was only asked
	var ended int
	err := conn.QueryRow(p.Context(), "SELECT count(*) FILTER (WHERE pg_terminate_backend(pid, 10000)) FROM pg_locks WHERE locktype = 'advisory' AND objsubid = 2 AND objid = $1 AND classid = $2 AND database = (SELECT oid FROM pg_database WHERE datname = current_database())", s.ID(), 0x53420100).Scan(&ended)
	if err != nil || ended != 1 {
		p.Fatalf("%d sessions ended, %v", ended, err)
	}
}

// lease takes a lease that is free.
func (p *pair) lease(s *database.Session, kind database.LeaseKind, key int64) *database.Lease {
	p.Helper()
	l, ok, err := s.TryLease(kind, key)
	if err != nil || !ok {
		p.Fatalf("no lease: %v", err)
	}
	return l
}

// One replica has a lease at a time, and another one once it gives it back.
func TestLeaseIsOneReplicasAtATime(t *testing.T) {
	t.Parallel()
	p := twoReplicas(t)
	l := p.lease(p.sa, database.StoreLease, 7)
	if _, ok, err := p.sb.TryLease(database.StoreLease, 7); ok || err != nil {
		t.Fatalf("two have it: %v", err)
	}
	p.lease(p.sb, database.WarehouseLease, 7) // another kind
	if err := l.Release(); err != nil {
		t.Fatal(err)
	}
	ctx, done := p.sa.Guard(t.Context(), l)
	defer done()
	p.lease(p.sb, database.StoreLease, 7)
	if err := p.a.EndPush(ctx, p.c.StoreID); !errors.Is(err, database.ErrLost) {
		t.Errorf("the lease of another was written under: %v", err)
	}
}

// Who takes over waits for transactions of the holder that are under way.
func TestTakingOverWaitsForTransactions(t *testing.T) {
	t.Parallel()
	p := twoReplicas(t)
	ctx := t.Context()
	p.lease(p.sa, database.StoreLease, 7)
	conn := sure(pgx.Connect(ctx, p.url))(t)
	defer conn.Close(ctx) //nolint:errcheck // it only holds locks
	working := sure(conn.Begin(ctx))(t)
	if _, err := working.Exec(ctx, "SELECT 1 FROM replicas r, leases l WHERE r.id = $1 AND l.replica_id = r.id FOR SHARE", p.sa.ID()); err != nil {
		t.Fatal(err)
	}
	p.sever(p.sa)
	if _, ok, err := p.sb.TryLease(database.StoreLease, 7); ok || err != nil {
		t.Errorf("the lease was had: %v, %v", ok, err)
	}
	if buried, err := p.b.Bury(ctx, p.sa.ID(), "it was lost"); buried || err == nil {
		t.Errorf("buried: %v, %v", buried, err)
	}
	if err := working.Commit(ctx); err != nil {
		t.Fatal(err)
	}
	p.lease(p.sb, database.StoreLease, 7)
	if buried, err := p.b.Bury(ctx, p.sa.ID(), "it was lost"); !buried || err != nil {
		t.Errorf("buried: %v, %v", buried, err)
	}
}

// A holder that does not know that its session broke cannot commit once another replica has its lease, or has buried it.
func TestLostHolderIsFenced(t *testing.T) {
	t.Parallel()
	for name, takeOver := range map[string]func(*pair, *database.Lease){
		"by its lease": func(p *pair, _ *database.Lease) { p.lease(p.sb, database.StoreLease, p.c.StoreID) },
		"by its row": func(p *pair, _ *database.Lease) {
			if dead := sure(p.sb.Beat())(p.T); len(dead) != 1 || dead[0] != p.sa.ID() {
				p.Fatalf("the dead are %v", dead)
			}
			for i, want := range []bool{true, false} {
				if buried := sure(p.b.Bury(p.Context(), p.sa.ID(), "it was lost"))(p.T); buried != want {
					p.Errorf("burial %d: %v", i, buried)
				}
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := twoReplicas(t)
			ctx := t.Context()
			l := p.lease(p.sa, database.StoreLease, p.c.StoreID)
			holding, done := p.sa.Guard(ctx, l)
			defer done()
			if dead := sure(p.sb.Beat())(t); len(dead) != 0 {
				t.Fatalf("%v are dead", dead)
			}
			if _, _, err := p.a.EnqueueRun(ctx, p.c.MerchantID, p.c.ID, enum.Smart, enum.Manual); err != nil {
				t.Fatal(err)
			}
			run := sure(p.a.ClaimRun(holding, p.c.ID))(t)
			if run.ReplicaID == nil || *run.ReplicaID != p.sa.ID() {
				t.Fatalf("the run is %v's", run.ReplicaID)
			}
			if _, err := p.a.BeginPush(holding, p.c.StoreID); err != nil {
				t.Fatal(err)
			}
			catalog := sure(p.a.StartImport(holding, database.NewImport{MerchantID: p.c.MerchantID, Kind: enum.ImportProducts, Format: enum.CSV}))(t)
			p.sever(p.sa)
			if err := p.a.SaveRun(holding, run.ID, enum.Pushing, database.Counts{Pushed: 1}); err != nil {
				t.Fatalf("nobody has taken over yet: %v", err)
			}
			takeOver(p, l)
			if holding.Err() != nil {
				t.Fatal("it knows already: this tests nothing")
			}
			for what, err := range map[string]error{
				"save":   p.a.SaveRun(holding, run.ID, enum.Pushing, database.Counts{Pushed: 2}),
				"finish": p.a.FinishRun(context.WithoutCancel(holding), run.ID, enum.Succeeded, nil, database.Counts{}),
				"push":   p.a.EndPush(context.WithoutCancel(holding), p.c.StoreID),
				"mark":   p.a.Mark(holding, p.c.MerchantID, p.c.StoreID, run.ID, nil),
				"plan":   errOf(p.a.Plan(holding, p.c.MerchantID, database.Int{}, []string{"A"})),
				"record": p.a.Record(holding, &database.Recording{MerchantID: p.c.MerchantID, WarehouseID: p.c.WarehouseID}, []database.ReportedLevel{{LevelKey: database.LevelKey{SKU: "A"}}}, true),
				"import": p.a.ImportProducts(holding, &database.Import{ID: catalog.ID, NewImport: database.NewImport{MerchantID: p.c.MerchantID, Kind: enum.ImportProducts}}, func(func(database.ProductRow, error) bool) {}),
				"claim":  errOf(p.a.ClaimRun(holding, p.c.ID)),
			} {
				if !errors.Is(err, database.ErrLost) {
					t.Errorf("%s after another took over: %v", what, err)
				}
			}
			now := sure(p.b.Run(ctx, run.ID))(t)
			if now.Pushed != 1 {
				t.Errorf("pushed is %d", now.Pushed)
			}
			if want := map[string]enum.SyncStatus{"by its lease": enum.Running, "by its row": enum.Interrupted}[name]; now.Status != want {
				t.Errorf("the run is %s, want %s", now.Status, want)
			}
			imported := sure(p.b.Reader().CatalogImport.Get(ctx, catalog.ID))(t)
			if want := map[string]enum.ImportStatus{"by its lease": enum.ImportRunning, "by its row": enum.ImportFailed}[name]; imported.Status != want {
				t.Errorf("the import is %s, want %s", imported.Status, want)
			}
			if store := sure(p.b.Reader().Store.Get(ctx, p.c.StoreID))(t); !store.Pushing {
				t.Error("what was on its way is forgotten")
			}
			if _, _, err := p.sa.TryLease(database.StoreLease, 1); !errors.Is(err, database.ErrLost) {
				t.Errorf("a lease under a session that broke: %v", err)
			}
			<-holding.Done()
			if !errors.Is(context.Cause(holding), database.ErrLost) {
				t.Error(context.Cause(holding))
			}
		})
	}
}

// Due times are settled once, in whichever replica; one that was changed meanwhile is not due by what was.
func TestDueTimeIsSettledOnce(t *testing.T) {
	t.Parallel()
	p := twoReplicas(t)
	ctx := t.Context()
	var smart *ent.Schedule
	for _, s := range sure(p.a.Schedules(ctx, p.c.ID))(t) {
		if s.Mode == enum.Smart {
			smart = s
		}
	}
	next := smart.NextRunAt.Add(time.Hour)
	due := database.Due{ScheduleID: smart.ID, Version: smart.Version, MerchantID: p.c.MerchantID, ConnectionID: p.c.ID, Mode: enum.Smart, By: *smart.NextRunAt, Next: &next}
	settle := func(db *database.DB, d database.Due) bool {
		t.Helper()
		_, due, err := db.EnqueueDue(ctx, d)
		if err != nil {
			t.Error(err)
		}
		return due
	}
	stale, soon := due, due
	stale.Version--
	soon.By = soon.By.Add(-1000)
	if settle(p.a, stale) || settle(p.a, soon) {
		t.Error("what is not due was begun")
	}
	begun := 0
	for _, d := range []bool{settle(p.b, due), settle(p.a, due)} {
		if d {
			begun++
		}
	}
	if runs := sure(p.a.Reader().SyncRun.Query().Count(ctx))(t); begun != 1 || runs != 1 {
		t.Errorf("begun %d times, %d runs", begun, runs)
	}
}

// What a recording under way will meet is not planned by another replica, until that replica is gone.
func TestMarksOfRecordingsGoWithTheirReplica(t *testing.T) {
	t.Parallel()
	p := twoReplicas(t)
	ctx := t.Context()
	marks := func(ctx context.Context, db *database.DB) int {
		t.Helper()
		return len(sure(db.PlanMarks(ctx, p.c.MerchantID, 100))(t))
	}
	if _, err := p.a.Plan(ctx, p.c.MerchantID, database.Int{}, nil); err != nil {
		t.Fatal(err)
	}
	for id := range sure(p.a.MerchantsToPlan(ctx))(t) { // those of making the connection
		for _, m := range sure(p.a.PlanMarks(ctx, id, 100))(t) {
			if err := p.a.Planned(ctx, m.ID); err != nil {
				t.Fatal(err)
			}
		}
	}
	asA, doneA := p.sa.Guard(ctx)
	defer doneA()
	asB, doneB := p.sb.Guard(ctx)
	defer doneB()
	rec := &database.Recording{MerchantID: p.c.MerchantID, WarehouseID: p.c.WarehouseID}
	if err := p.a.Record(asA, rec, []database.ReportedLevel{{LevelKey: database.LevelKey{SKU: "A"}, Figures: database.Figures{Available: database.IntOf(1)}}}, true); err != nil {
		t.Fatal(err)
	}
	if a, b := marks(asA, p.a), marks(asB, p.b); a != 1 || b != 0 {
		t.Fatalf("a sees %d marks and b %d", a, b)
	}
	p.sever(p.sa)
	for _, id := range sure(p.sb.Beat())(t) {
		if _, err := p.b.Bury(ctx, id, "it was lost"); err != nil {
			t.Fatal(err)
		}
	}
	if b := marks(asB, p.b); b != 1 {
		t.Errorf("b sees %d marks of the dead", b)
	}
}
