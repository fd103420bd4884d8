package pipeline

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"time"

	"stockbridge/ent"
	"stockbridge/internal/database"
	"stockbridge/internal/fault"
	"stockbridge/internal/warehouse"
)

// guard holds a complete report that is empty or would lower too many SKUs to zero (spec 3.10): it is kept with its levels
// for an operator to decide on, and nothing else is changed.
func (p *Pipeline) guard(ctx context.Context, w *ent.Warehouse, name, stamp string, in *spool, rec *database.Recording, rejected *rejects, empty bool) error {
	d, err := p.drops(ctx, rec, in)
	if err != nil {
		return err
	}
	var reason string
	switch {
	case empty || d.known > 0 && d.reported == 0:
		reason = "it is a complete report without a single usable level"
	case d.lowered*100 > int64(w.MaxDropPercent)*d.known:
		reason = fmt.Sprintf("it would lower %d of the %d SKUs known at warehouse %q to zero, more than the %d%% it may (maxDropPercent)", d.lowered, d.known, w.Name, w.MaxDropPercent)
	default:
		return nil
	}
	hold := database.Hold{MerchantID: w.MerchantID, WarehouseID: w.ID, Run: rec.Run, Name: name, Stamp: stamp, Reason: reason, Rejected: slices.Sorted(maps.Keys(rejected.skus))}
	replaced, err := p.db.HoldReport(ctx, hold, in.levels(nil))
	if err != nil {
		return err
	}
	also := ""
	if replaced != nil {
		also = fmt.Sprintf("; it takes the place of %s, which was held since %s", replaced.Name, replaced.CreatedAt.Format(time.RFC3339))
	}
	return held{fault.New(fault.Held, "%s is held, and nothing was changed: %s; release it with releaseSync if it is right, else reject it with rejectSync%s", name, reason, also)}
}

type drops struct{ known, lowered, reported int64 } // SKUs

// drops merges a report with what is stored and counts the SKUs that are known and those it would lower to zero.
func (p *Pipeline) drops(ctx context.Context, rec *database.Recording, in *spool) (d drops, err error) {
	next, stop := iter.Pull2(in.levels(nil))
	defer stop()
	incoming, err, more := next()
	var sku string // the known one at hand, "" before the first
	var before, after int64
	// consume takes reported levels as long as they are wanted, and adds those of the SKU at hand.
	consume := func(wanted func(database.LevelKey) bool) error {
		for more && err == nil && wanted(incoming.LevelKey) {
			d.reported++
			if incoming.SKU == sku {
				after += incoming.Figure(rec.Source)
			}
			incoming, err, more = next()
		}
		return err
	}
	settle := func() error {
		if err := consume(func(k database.LevelKey) bool { return k.SKU <= sku }); err != nil || sku == "" {
			return err
		}
		d.known++
		if before > 0 && after <= 0 {
			d.lowered++
		}
		return nil
	}
	err = errors.Join(err, p.db.ScanLevels(ctx, rec.WarehouseID, func(s database.StoredLevel) error {
		if s.SKU != sku {
			if err := settle(); err != nil {
				return err
			}
			if err := consume(func(k database.LevelKey) bool { return k.SKU < s.SKU }); err != nil {
				return err
			}
			sku, before, after = s.SKU, 0, 0
		}
		before += s.Figure(rec.Source)
		if err := consume(func(k database.LevelKey) bool { return k.Compare(s.LevelKey) < 0 }); err != nil {
			return err
		}
		if more && incoming.LevelKey == s.LevelKey {
			return consume(func(k database.LevelKey) bool { return k == s.LevelKey })
		}
		if !rec.ZeroMissing || rec.Spare[s.SKU] {
			after += s.Figure(rec.Source)
		}
		return nil
	}))
	if err == nil {
		err = settle()
	}
	if err == nil {
		err = consume(func(database.LevelKey) bool { return true })
	}
	return d, err
}

// rejects remembers the SKUs of rows that could not be used: they are named, so they are not missing.
type rejects struct {
	skus map[string]bool
	many bool // more than are remembered: nothing counts as missing then
}

func (r *rejects) add(bad *warehouse.RowError) {
	if bad.SKU == "" || r.many {
		return
	}
	if r.skus == nil {
		r.skus = map[string]bool{}
	}
	r.skus[bad.SKU] = true
	r.many = len(r.skus) > 100_000
}
