package pipeline

import (
	"context"
	"slices"
	"time"

	"stockbridge/ent"
	"stockbridge/internal/database"
)

// planRows is how many SKUs one planning transaction takes.
const planRows = 2000

// own notes a plan mark that a recording under way meets itself, so that nobody else plans the whole warehouse for it.
func (p *Pipeline) own(mark int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.marks[mark] = true
}

func (p *Pipeline) disown(marks []int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, m := range marks {
		delete(p.marks, m)
	}
}

// leaveBe gives up to meet the marks of recordings, so that others can.
func (p *Pipeline) leaveBe(ctx context.Context, marks []int64) {
	p.disown(marks)
	if len(marks) == 0 {
		return
	}
	if err := p.db.LeaveMarks(context.WithoutCancel(ctx), marks...); err != nil {
		p.log.WarnContext(ctx, "what was recorded is planned only with this process's next sync or when it is gone", "error", err)
	}
}

// planChanges plans what recordings changed, takes their marks away, and then meets all other marks of the merchant. A
// recording that is not planned to the end leaves its mark behind: the next one to plan does the whole warehouse.
func (p *Pipeline) planChanges(ctx context.Context, w *ent.Warehouse, run database.Int, c *changes) (err error) {
	defer func() {
		if err != nil {
			p.leaveBe(ctx, c.marks)
		} else {
			p.disown(c.marks)
		}
	}()
	if c.many {
		if err := p.planWhole(ctx, w.MerchantID, w.ID, run); err != nil {
			return err
		}
	} else if err := p.planSKUs(ctx, w.MerchantID, run, c.skus); err != nil {
		return err
	}
	if err := p.db.Planned(ctx, c.marks...); err != nil {
		return err
	}
	return p.planMarks(ctx, w.MerchantID, run)
}

func (p *Pipeline) planSKUs(ctx context.Context, merchantID int64, run database.Int, skus []string) error {
	for chunk := range slices.Chunk(skus, planRows) {
		if _, err := p.db.Plan(ctx, merchantID, run, chunk); err != nil {
			return err
		}
	}
	return nil
}

// planWhole plans everything a warehouse feeds, or with warehouse 0 everything of the merchant.
func (p *Pipeline) planWhole(ctx context.Context, merchantID, warehouseID int64, run database.Int) error {
	for after := ""; ; {
		skus, err := p.db.SKUsToPlan(ctx, merchantID, warehouseID, after, planRows)
		if err != nil || len(skus) == 0 {
			return err
		}
		if _, err := p.db.Plan(ctx, merchantID, run, skus); err != nil {
			return err
		}
		after = skus[len(skus)-1]
	}
}

// demands are a merchant's plan marks, sorted out.
type demands struct {
	skus       []string
	warehouses []int64
	merchant   bool
	ids        []int64
}

// demands reads a batch of marks, without those that a recording under way meets itself.
func (p *Pipeline) demands(ctx context.Context, merchantID int64) (d demands, err error) {
	marks, err := p.db.PlanMarks(ctx, merchantID, 20_000)
	if err != nil {
		return d, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, m := range marks {
		switch {
		case p.marks[m.ID]:
			continue
		case m.SKU != "":
			d.skus = append(d.skus, m.SKU)
		case m.Warehouse.Valid:
			d.warehouses = append(d.warehouses, m.Warehouse.Int64)
		default:
			d.merchant = true
		}
		d.ids = append(d.ids, m.ID)
	}
	slices.Sort(d.skus)
	d.skus = slices.Compact(d.skus)
	slices.Sort(d.warehouses)
	d.warehouses = slices.Compact(d.warehouses)
	return d, nil
}

// planMarks meets a merchant's plan marks until none is left.
func (p *Pipeline) planMarks(ctx context.Context, merchantID int64, run database.Int) error {
	ctx, release, err := p.hold(ctx, database.MerchantLease, merchantID)
	if err != nil {
		return err
	}
	defer release()
	for {
		d, err := p.demands(ctx, merchantID)
		if err != nil || len(d.ids) == 0 {
			return err
		}
		if err := p.meet(ctx, merchantID, run, d); err != nil {
			return err
		}
	}
}

func (p *Pipeline) meet(ctx context.Context, merchantID int64, run database.Int, d demands) error {
	if d.merchant {
		d.warehouses, d.skus = []int64{0}, nil
	}
	for _, id := range d.warehouses {
		if err := p.planWhole(ctx, merchantID, id, run); err != nil {
			return err
		}
	}
	if err := p.planSKUs(ctx, merchantID, run, d.skus); err != nil {
		return err
	}
	return p.db.Planned(ctx, d.ids...)
}

// inRequest is how many SKUs a request plans before it answers; more go on behind it.
const inRequest = 5000

// Replan works off what a change of settings marked to be planned. A few thousand SKUs are planned before it returns;
// more go on behind, and it answers true.
func (p *Pipeline) Replan(ctx context.Context, merchantID int64) (behind bool, err error) {
	d, err := p.demands(ctx, merchantID)
	if err != nil || len(d.ids) == 0 {
		return false, err
	}
	size := len(d.skus)
	if d.merchant {
		d.warehouses = []int64{0}
	}
	for _, id := range d.warehouses {
		whole, err := p.db.SKUsToPlan(ctx, merchantID, id, "", inRequest+1)
		if err != nil {
			return false, err
		}
		size += len(whole)
	}
	if size > inRequest {
		p.planBehind(merchantID)
		return true, nil
	}
	return false, p.meet(ctx, merchantID, database.Int{}, d)
}

// planBehind plans what is marked of a merchant in the background, and again when it is asked for meanwhile. What fails
// is tried again after a while; the marks stay until it comes through.
func (p *Pipeline) planBehind(merchantID int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if _, ok := p.behind[merchantID]; ok {
		p.behind[merchantID] = true
		return
	}
	p.behind[merchantID] = false
	ok := p.background(func() {
		for {
			err := p.planMarks(p.base, merchantID, database.Int{})
			if err != nil && p.base.Err() == nil {
				p.log.Error("planning behind a request failed; trying again", "merchant", merchantID, "error", err)
				select {
				case <-time.After(5 * time.Second):
				case <-p.base.Done():
				}
			}
			p.mu.Lock()
			again := (p.behind[merchantID] || err != nil) && p.base.Err() == nil && !p.closed
			if !again {
				delete(p.behind, merchantID)
			} else {
				p.behind[merchantID] = false
			}
			p.mu.Unlock()
			if !again {
				return
			}
		}
	})
	if !ok {
		delete(p.behind, merchantID)
	}
}
