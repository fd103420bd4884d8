package pipeline

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"
	"sync"
	"time"

	"stockbridge/ent"
	"stockbridge/ent/schema/enum"
	"stockbridge/internal/database"
	"stockbridge/internal/fault"
	"stockbridge/internal/inventory"
	"stockbridge/internal/warehouse"
)

// pull is one pull of a warehouse, for all runs of this process that asked for one while it is under way (spec 3.9). A run of
// another replica waits for the lease and pulls then, which finds what came meanwhile and mostly nothing.
type pull struct {
	cancel  context.CancelCauseFunc
	waiting int           // runs that want it; guarded by Pipeline.mu
	done    chan struct{} // closed when it ended; then partial and err stand

	partial error // what did not come through, though something did
	err     error

	mu       sync.Mutex // guards what follows
	step     enum.SyncStep
	counts   database.Counts // reported, changed and rejected
	problems []database.Problem
	more     int64 // problems beyond those kept
}

// pull brings what the warehouse reports into the database and the channel levels up to date with it. partial is what
// did not come through where something did.
func (s *syncing) pull(ctx context.Context) (partial, err error) {
	p, w := s.p, s.conn.Edges.Warehouse
	p.mu.Lock()
	pl := p.pulls[w.ID]
	if pl == nil {
		pl = &pull{done: make(chan struct{}), step: enum.Waiting}
		var shared context.Context
		shared, pl.cancel = context.WithCancelCause(p.base)
		ok := p.background(func() {
			pl.partial, pl.err = p.pullAndPlan(shared, w, s.run.ID, pl)
			p.mu.Lock()
			if p.pulls[w.ID] == pl {
				delete(p.pulls, w.ID)
			}
			p.mu.Unlock()
			pl.cancel(nil)
			close(pl.done)
		})
		if !ok {
			p.mu.Unlock()
			return nil, errStopping
		}
		p.pulls[w.ID] = pl
	}
	pl.waiting++
	p.mu.Unlock()

	stop := s.follow(pl)
	select {
	case <-pl.done:
	case <-ctx.Done():
		p.mu.Lock()
		if pl.waiting--; pl.waiting == 0 {
			pl.cancel(context.Cause(ctx))
			if p.pulls[w.ID] == pl {
				delete(p.pulls, w.ID) // the next one to ask gets a pull of its own
			}
		}
		p.mu.Unlock()
		<-pl.doneIfAlone(p)
	}
	stop()
	if err := context.Cause(ctx); err != nil {
		return nil, err
	}
	pl.mu.Lock()
	problems, more := pl.problems, pl.more
	pl.mu.Unlock()
	s.problems(ctx, problems, more)
	return pl.partial, pl.err
}

// doneIfAlone is what a run that gives up waits for: the pull's end where nobody else wants it, else nothing.
func (pl *pull) doneIfAlone(p *Pipeline) <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	if pl.waiting == 0 {
		return pl.done
	}
	closed := make(chan struct{})
	close(closed)
	return closed
}

// follow tells the pull's progress as the run's own, until the function it returns is called.
func (s *syncing) follow(pl *pull) (stop func()) {
	copyOver := func() {
		pl.mu.Lock()
		step, c := pl.step, pl.counts
		pl.mu.Unlock()
		s.mu.Lock()
		s.step, s.counts.Reported, s.counts.Changed, s.counts.Rejected = step, c.Reported, c.Changed, c.Rejected
		s.mu.Unlock()
	}
	quit := make(chan struct{})
	var done sync.WaitGroup
	done.Go(func() {
		every(quit, reportEvery/2, copyOver)
		copyOver()
	})
	return func() { close(quit); done.Wait() }
}

// every calls f again and again until quit is closed.
func every(quit <-chan struct{}, d time.Duration, f func()) {
	tick := time.NewTicker(d)
	defer tick.Stop()
	for {
		select {
		case <-quit:
			return
		case <-tick.C:
			f()
		}
	}
}

func (pl *pull) enter(step enum.SyncStep) {
	pl.mu.Lock()
	defer pl.mu.Unlock()
	pl.step = step
}

func (pl *pull) count(change func(*database.Counts)) {
	pl.mu.Lock()
	defer pl.mu.Unlock()
	change(&pl.counts)
}

// problem keeps a problem, or counts it when enough are kept.
func (pl *pull) problem(p database.Problem) {
	pl.mu.Lock()
	defer pl.mu.Unlock()
	if len(pl.problems) < database.MaxProblems {
		pl.problems = append(pl.problems, p)
	} else {
		pl.more++
	}
}

// pullAndPlan records every report that waits, oldest first, then plans what they changed.
func (p *Pipeline) pullAndPlan(ctx context.Context, w *ent.Warehouse, runID int64, pl *pull) (partial, err error) {
	ctx, release, err := p.hold(ctx, database.WarehouseLease, w.ID)
	if err != nil {
		return nil, err
	}
	defer release()
	var touched changes
	if w.Platform != enum.Push {
		pl.enter(enum.Pulling)
		partial, err = p.recordReports(ctx, w, runID, pl, &touched)
	}
	pl.enter(enum.Planning)
	// What was recorded is planned also when a later report failed.
	if perr := p.planChanges(ctx, w, database.IntOf(runID), &touched); perr != nil {
		return nil, errors.Join(err, perr)
	}
	return partial, err
}

// recordReports takes the reports that wait. A report that cannot be used stays where it is and does not hold up newer
// ones; nor does one that is held, and a newer one that is recorded, or held too, takes its place.
func (p *Pipeline) recordReports(ctx context.Context, w *ent.Warehouse, runID int64, pl *pull, touched *changes) (partial, err error) {
	defer wrap(fmt.Sprintf("pull warehouse %q", w.Name), &err)
	src, err := p.cfg.Source(ctx, w)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, src.Close()) }()
	take := &taking{p: p, w: w, run: runID, pl: pl, touched: touched}
	if err := take.released(ctx); err != nil {
		return nil, err
	}
	for {
		report, err := src.Next(ctx)
		if errors.Is(err, io.EOF) {
			return take.outcome()
		}
		if err == nil {
			err = take.next(ctx, report)
		}
		if err != nil {
			return nil, err
		}
	}
}

// taking is the work on one pull's reports.
type taking struct {
	p       *Pipeline
	w       *ent.Warehouse
	run     int64
	pl      *pull
	touched *changes

	held     *ent.HeldReport  // held before this pull, or by it; nil when nothing is
	let      *ent.HeldReport  // released, and recorded by this pull
	aside    warehouse.Report // the held one, where the warehouse still offers it
	recorded int
	unusable []error
	holding  error // why the held one is held
}

// released records the report that an operator let through, if there is one.
func (t *taking) released(ctx context.Context) (err error) {
	if t.held, err = t.p.db.Held(ctx, t.w.ID); err != nil || t.held == nil {
		return err
	}
	if !t.held.Released {
		t.holding = held{fault.New(fault.Held, "%s is still held: %s", t.held.Name, t.held.Reason)}
		return nil
	}
	t.pl.enter(enum.Recording)
	t.pl.count(func(c *database.Counts) { c.Reported += t.held.Levels })
	named := &rejects{}
	for _, sku := range t.held.Rejected {
		named.add(&warehouse.RowError{SKU: sku})
	}
	if err := t.record(ctx, t.p.recording(t.w, database.IntOf(t.run), true, named), t.p.db.HeldLevels(ctx, t.held.ID)); err != nil {
		return err
	}
	if err := t.p.db.DropHeld(ctx, t.w.ID); err != nil {
		return err
	}
	t.let, t.held = t.held, nil
	t.recorded++
	return nil
}

// same tells whether a report is the one that was held.
func same(h *ent.HeldReport, report warehouse.Report) bool {
	return h != nil && h.Stamp != "" && h.Stamp == report.Stamp() && h.Name == report.Name()
}

// next takes one report.
func (t *taking) next(ctx context.Context, report warehouse.Report) error {
	switch {
	case same(t.let, report):
		return report.Accept(ctx)
	case same(t.held, report):
		t.aside = report
		return nil
	}
	err := t.take(ctx, report)
	var hold held
	switch {
	case err == nil:
		t.recorded++
		return t.supersede(ctx, report, "recorded")
	case errors.As(err, &hold):
		if err := t.supersede(ctx, report, "held in its place"); err != nil {
			return err
		}
		t.pl.problem(describe(report.Name(), err))
		t.holding, t.aside = err, report
		t.held, err = t.p.db.Held(ctx, t.w.ID)
		return err
	case fault.CodeOf(err) != fault.BadReport:
		return fmt.Errorf("report %s: %w", report.Name(), err)
	}
	t.pl.problem(describe(report.Name(), err))
	t.unusable = append(t.unusable, err)
	if err := report.Fail(ctx, err); err != nil {
		return fmt.Errorf("report %s: %w", report.Name(), err)
	}
	return nil
}

// supersede puts the report held so far aside for good: a later one took its place.
func (t *taking) supersede(ctx context.Context, by warehouse.Report, how string) error {
	if t.held == nil {
		return nil
	}
	words := fault.New(fault.Held, "%s was held, and is no more: the later %s was %s", t.held.Name, by.Name(), how)
	t.pl.problem(database.Problem{Kind: enum.ReportProblem, Report: t.held.Name, Code: string(fault.Held), Message: words.Message})
	if how == "recorded" { // else what is held now has replaced it already
		if err := t.p.db.DropHeld(ctx, t.w.ID); err != nil {
			return err
		}
	}
	if t.aside != nil {
		if err := t.aside.Reject(ctx, words); err != nil {
			return err
		}
	}
	t.held, t.aside, t.holding = nil, nil, nil
	return nil
}

// outcome is what did not come through: partial where the sync goes on.
func (t *taking) outcome() (partial, err error) {
	switch {
	case t.holding != nil:
		return t.holding, nil
	case len(t.unusable) == 0:
		return nil, nil
	case t.recorded == 0:
		return nil, t.unusable[0]
	default:
		return partially{t.unusable[0]}, nil
	}
}

// take reads one report to its end and only then records it.
func (t *taking) take(ctx context.Context, report warehouse.Report) (err error) {
	pl := t.pl
	in := newSpool()
	defer func() { err = errors.Join(err, in.close()) }()
	pl.enter(enum.Pulling)
	rejected := &rejects{}
	err = report.Read(ctx, func(l warehouse.Level, bad *warehouse.RowError) error {
		if bad != nil {
			rejected.add(bad)
			pl.count(func(c *database.Counts) { c.Reported++; c.Rejected++ })
			pl.problem(database.Problem{Kind: enum.RowProblem, Report: report.Name(), Line: bad.Line, SKU: bad.SKU, Message: bad.Reason})
			return nil
		}
		if l.Note != "" {
			pl.problem(database.Problem{Kind: enum.RowNote, Report: report.Name(), Line: l.Line, SKU: l.SKU, Message: l.Note})
		}
		pl.count(func(c *database.Counts) { c.Reported++ })
		return in.add(l)
	})
	complete := report.Complete()
	empty := complete && errors.Is(err, warehouse.ErrEmpty)
	if err != nil && !empty {
		return err
	}
	pl.enter(enum.Recording)
	rec := t.p.recording(t.w, database.IntOf(t.run), complete, rejected)
	if complete {
		if err := t.p.guard(ctx, t.w, report.Name(), report.Stamp(), in, rec, rejected, empty); err != nil {
			return err
		}
	}
	overridden := func(k database.LevelKey, line int64) {
		pl.problem(database.Problem{Kind: enum.RowNote, Report: report.Name(), Line: int(line), SKU: k.SKU, Message: "the same SKU and facility come again further down; the last row counts"})
	}
	if err := t.record(ctx, rec, in.levels(overridden)); err != nil {
		return err
	}
	if err := report.Accept(ctx); err != nil {
		return fmt.Errorf("recorded, but not put away (it is read again at the next pull, which does no harm): %w", err)
	}
	return nil
}

func (t *taking) record(ctx context.Context, rec *database.Recording, levels iter.Seq2[database.ReportedLevel, error]) error {
	before := rec.Changed
	err := t.p.record(ctx, rec, levels, func() {
		moved := rec.Changed - before
		before = rec.Changed
		t.pl.count(func(c *database.Counts) { c.Changed += moved })
	})
	t.touched.add(rec)
	return err
}

// recording prepares to record a report of a warehouse.
func (p *Pipeline) recording(w *ent.Warehouse, run database.Int, complete bool, rejected *rejects) *database.Recording {
	return &database.Recording{MerchantID: w.MerchantID, WarehouseID: w.ID, Source: inventory.QuantitySource(w.QuantitySource), Run: run,
		ZeroMissing: complete && w.MissingSkuPolicy == enum.Zero && !rejected.many, Spare: rejected.skus}
}

// record hands a sorted report to the database, page by page.
func (p *Pipeline) record(ctx context.Context, rec *database.Recording, levels iter.Seq2[database.ReportedLevel, error], recorded func()) error {
	page := make([]database.ReportedLevel, 0, rec.PageRows())
	flush := func(last bool) error {
		mark := rec.Mark
		if err := p.db.Record(ctx, rec, page, last); err != nil {
			return err
		}
		if rec.Mark != mark {
			p.own(rec.Mark)
		}
		recorded()
		page = page[:0]
		return nil
	}
	for l, err := range levels {
		if err != nil {
			return err
		}
		if len(page) == cap(page) {
			if err := flush(false); err != nil {
				return err
			}
		}
		page = append(page, l)
	}
	return flush(true)
}

// changes gathers what several reports changed, to be planned once.
type changes struct {
	skus  []string
	many  bool
	marks []int64
}

func (c *changes) add(rec *database.Recording) {
	if rec.Mark != 0 {
		c.marks = append(c.marks, rec.Mark)
	}
	c.many = c.many || rec.Many || len(c.skus)+len(rec.SKUs) > database.MaxSKUs
	if c.many {
		c.skus = nil
		return
	}
	c.skus = append(c.skus, rec.SKUs...)
	slices.Sort(c.skus)
	c.skus = slices.Compact(c.skus)
}
