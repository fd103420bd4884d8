package database

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"stockbridge/ent/schema/enum"
	"stockbridge/internal/fault"
	"stockbridge/internal/inventory"
)

// Series is one level through time, or what its store acknowledged of it. It is of a warehouse or of a store.
type Series struct {
	Warehouse, Facility Int // of a warehouse level; Facility absent: reports that name none
	Store, Location     Int // of a channel level; Location absent: none
	SKU                 string
	ChannelSKU          string // of a channel level
	Pushed              bool   // of a channel level: what the store acknowledged, else what it should show
}

// Stand is a series at one moment.
type Stand struct {
	Value    int64 // units: the figure that counts (spec 4.1), the quantity, or what the store acknowledged
	Excluded bool  // held back; Value is what was left standing
}

// Point is a series within one bucket of time.
type Point struct {
	At       time.Time // the bucket's end
	Last     *Stand    // at its end; nil: there was no such level yet, or the time is still to come
	Min, Max *int64    // units within it, what it began with included; nil where it had none
}

// LevelSeries is a series and its points.
type LevelSeries struct {
	Series
	Points []Point
}

// Kept says how far back activities are kept.
type Kept struct {
	// Since is the time from which on all is known; nil: nothing was ever pruned. Where everything was, it is zero.
	Since *time.Time
}

// Complete tells whether all is known from a time on.
func (k Kept) Complete(from time.Time) bool {
	return k.Since == nil || !k.Since.IsZero() && !from.Before(*k.Since)
}

// Times is a stretch of time, cut in equal buckets.
type Times struct {
	From, To time.Time // From before To, at most a century apart
	Buckets  int       // 1 or more
}

// end is where bucket i, from 0, ends: it reaches from the end of the one before, exclusive, to here, inclusive.
func (s Times) end(i int) time.Time {
	d, n := int64(s.To.Sub(s.From)), int64(s.Buckets)
	return s.From.Add(time.Duration(d/n*int64(i+1) + d%n*int64(i+1)/n))
}

// AsOf gives the levels of a merchant's SKUs as they were at a time (spec 2.5), in order: warehouse levels, then channel
// levels. What is pruned is made good from what came after, as far as that tells.
func (db *DB) AsOf(ctx context.Context, merchantID int64, skus []string, at time.Time) (stands map[Series]Stand, kept Kept, err error) {
	err = db.inView(ctx, func(t *tx) error {
		if kept, err = t.kept(ctx, merchantID); err == nil {
			stands, err = t.asOf(ctx, merchantID, skus, at)
		}
		return err
	})
	if err != nil {
		return nil, kept, fmt.Errorf("read levels as of %s: %w", moment(at), err)
	}
	return stands, kept, nil
}

// maxPoints bounds what one history holds: some 16 MB.
const maxPoints = 250_000

// History gives the levels of a merchant's SKUs through time (spec 2.5), for plots. The series come in order: of
// warehouses, then of stores. It reads the SKUs' activities of that time once, and holds no more than the points. Fault:
// TOO_MANY of buckets, where that is too much for as many series as there are.
func (db *DB) History(ctx context.Context, merchantID int64, skus []string, times Times) (all []LevelSeries, kept Kept, err error) {
	err = db.inView(ctx, func(t *tx) error {
		if kept, err = t.kept(ctx, merchantID); err == nil {
			all, err = t.history(ctx, merchantID, skus, times)
		}
		return err
	})
	if err != nil {
		return nil, kept, fmt.Errorf("read the history of levels: %w", err)
	}
	return all, kept, nil
}

func (t *tx) history(ctx context.Context, merchantID int64, skus []string, times Times) ([]LevelSeries, error) {
	stands, err := t.asOf(ctx, merchantID, skus, times.From)
	if err != nil {
		return nil, err
	}
	plots := map[Series]*plot{}
	begin := func(s Series, stand *Stand) error {
		if plots[s] = (&plot{times: times, last: stand}); len(plots)*times.Buckets > maxPoints {
			return fault.At("buckets", fault.TooMany, "%d buckets of that many levels are more than one answer holds: ask for %d at most", times.Buckets, max(maxPoints/(2*len(plots)), 1))
		}
		return nil
	}
	for s, stand := range stands {
		if err := begin(s, &stand); err != nil {
			return nil, err
		}
	}
	among, arg := t.db.among("sku", skus)
	err = t.each(ctx, factsOfLevels+"AND "+among+" AND at > ? AND at <= ? ORDER BY id", []any{merchantID, arg, times.From.UTC(), times.To.UTC()}, func(scan func(...any) error) error {
		f, err := scanFact(scan)
		if err != nil {
			return err
		}
		if plots[f.Series] == nil {
			if err := begin(f.Series, nil); err != nil {
				return err
			}
		}
		plots[f.Series].add(f)
		return nil
	})
	if err != nil {
		return nil, err
	}
	now := t.db.Now()
	all := make([]LevelSeries, 0, len(plots))
	for s, p := range plots {
		all = append(all, LevelSeries{s, p.finish(now)})
	}
	slices.SortFunc(all, func(a, b LevelSeries) int { return a.Compare(b.Series) })
	return all, nil
}

// plot is a series in the making. Facts come in the order of their ids, in which times may step back by a little: what
// belongs to a bucket that is closed counts in the one that is open.
type plot struct {
	times    Times
	points   []Point
	last     *Stand
	min, max *int64
}

func (p *plot) add(f levelFact) {
	for len(p.points) < p.times.Buckets-1 && f.at.After(p.times.end(len(p.points))) {
		p.close()
	}
	p.reach()
	p.last = f.after
	p.reach()
}

// reach widens the open bucket to what holds now.
func (p *plot) reach() {
	if p.last == nil || p.last.Excluded {
		return
	}
	v := p.last.Value
	if p.min == nil {
		p.min, p.max = &v, &v
		return
	}
	p.min, p.max = new(min(*p.min, v)), new(max(*p.max, v))
}

func (p *plot) close() {
	p.reach()
	p.points = append(p.points, Point{p.times.end(len(p.points)), p.last, p.min, p.max})
	p.min, p.max = nil, nil
}

// finish closes all buckets. Those that begin after now have nothing yet.
func (p *plot) finish(now time.Time) []Point {
	for len(p.points) < p.times.Buckets {
		if n := len(p.points); n > 0 && p.points[n-1].At.After(now) || n == 0 && p.times.From.After(now) {
			p.last, p.min, p.max = nil, nil, nil
		}
		p.close()
	}
	return p.points
}

// levelFact is an activity that moved a level.
type levelFact struct {
	Series
	at            time.Time
	before, after *Stand
}

const (
	levelKinds    = "('WAREHOUSE_LEVEL_CHANGED', 'CHANNEL_LEVEL_CHANGED', 'CHANNEL_LEVEL_PUSHED', 'CHANNEL_LEVEL_EXCLUDED')"
	factsOfLevels = "SELECT kind, at, warehouse_id, facility_id, store_id, location_id, sku, coalesce(channel_sku, ''), before, after FROM activities WHERE merchant_id = ? AND kind IN " + levelKinds + " "
	perSeries     = "GROUP BY warehouse_id, facility_id, store_id, location_id, sku, channel_sku, kind = 'CHANNEL_LEVEL_PUSHED'"
)

func scanFact(scan func(...any) error) (f levelFact, err error) {
	var kind enum.ActivityKind
	var before, after Int
	err = scan(&kind, &f.at, &f.Warehouse, &f.Facility, &f.Store, &f.Location, &f.SKU, &f.ChannelSKU, &before, &after)
	f.Pushed = kind == enum.QuantityPushed
	if before.Valid {
		f.before = &Stand{Value: before.Int64}
	}
	if after.Valid {
		f.after = &Stand{after.Int64, kind == enum.QuantityExcluded}
	}
	return f, err
}

// asOf gives what held at a time: what the last fact until then left; else what the next one found; else, where there is
// none at all, what is stored.
func (t *tx) asOf(ctx context.Context, merchantID int64, skus []string, at time.Time) (map[Series]Stand, error) {
	among, arg := t.db.among("sku", skus)
	stands, told := map[Series]Stand{}, map[Series]bool{}
	for _, side := range []struct {
		edge string
		of   func(levelFact) *Stand
	}{
		{"max(id) FROM activities WHERE at <= ?", func(f levelFact) *Stand { return f.after }},
		{"min(id) FROM activities WHERE at > ?", func(f levelFact) *Stand { return f.before }},
	} {
		err := t.each(ctx, factsOfLevels+"AND id IN (SELECT "+side.edge+" AND merchant_id = ? AND "+among+" AND kind IN "+levelKinds+" "+perSeries+")", []any{merchantID, at.UTC(), merchantID, arg}, func(scan func(...any) error) error {
			f, err := scanFact(scan)
			if stand := side.of(f); err == nil && !told[f.Series] && stand != nil {
				stands[f.Series] = *stand
			}
			told[f.Series] = true
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	now, err := t.standing(ctx, merchantID, skus)
	for s, stand := range now {
		if !told[s] {
			stands[s] = stand
		}
	}
	return stands, err
}

// standing gives what is stored.
func (t *tx) standing(ctx context.Context, merchantID int64, skus []string) (map[Series]Stand, error) {
	among, arg := t.db.among("sku", skus)
	stands := map[Series]Stand{}
	err := t.each(ctx, "SELECT l.warehouse_id, l.facility_id, l.sku, l.available, l.on_hand, w.quantity_source FROM warehouse_levels l JOIN warehouses w ON w.id = l.warehouse_id WHERE l.merchant_id = ? AND l."+among,
		[]any{merchantID, arg}, func(scan func(...any) error) error {
			var s Series
			var f Figures
			var source enum.QuantitySource
			err := scan(&s.Warehouse, &s.Facility, &s.SKU, &f.Available, &f.OnHand, &source)
			stands[s] = Stand{Value: f.Figure(inventory.QuantitySource(source))}
			return err
		})
	if err != nil {
		return nil, err
	}
	err = t.each(ctx, "SELECT store_id, location_id, sku, channel_sku, quantity, pushed_quantity, status FROM channel_levels WHERE merchant_id = ? AND "+among,
		[]any{merchantID, arg}, func(scan func(...any) error) error {
			var s Series
			var quantity int64
			var pushed Int
			var status enum.LevelStatus
			err := scan(&s.Store, &s.Location, &s.SKU, &s.ChannelSKU, &quantity, &pushed, &status)
			stands[s] = Stand{quantity, status == enum.LevelExcluded}
			if s.Pushed = true; pushed.Valid {
				stands[s] = Stand{Value: pushed.Int64}
			}
			return err
		})
	return stands, err
}

// kept finds out how far back a merchant's activities go: after the horizon, the first fact that is kept says from when on.
func (t *tx) kept(ctx context.Context, merchantID int64) (k Kept, err error) {
	var horizon Int
	err = t.each(ctx, "SELECT activity_id FROM feed_horizons WHERE merchant_id = ?", []any{merchantID}, func(scan func(...any) error) error { return scan(&horizon) })
	if err != nil || !horizon.Valid {
		return k, err
	}
	k.Since = new(time.Time)
	err = t.each(ctx, "SELECT at FROM activities WHERE merchant_id = ? AND id > ? ORDER BY id LIMIT 1", []any{merchantID, horizon}, func(scan func(...any) error) error { return scan(k.Since) })
	return k, err
}

// Compare orders series: of warehouses, then of stores; by SKU, and what should show before what does.
func (s Series) Compare(o Series) int {
	pushed := func(b bool) int {
		if b {
			return 1
		}
		return 0
	}
	return cmp.Or(cmp.Compare(s.Store.Int64, o.Store.Int64), cmp.Compare(s.Warehouse.Int64, o.Warehouse.Int64), cmp.Compare(s.Facility.Int64, o.Facility.Int64),
		cmp.Compare(s.SKU, o.SKU), cmp.Compare(s.ChannelSKU, o.ChannelSKU), cmp.Compare(s.Location.Int64, o.Location.Int64), pushed(s.Pushed)-pushed(o.Pushed))
}
