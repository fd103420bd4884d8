package database

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"stockbridge/ent/schema/enum"
	"stockbridge/internal/inventory"
)

// LevelKey orders the levels of a warehouse: by SKU, then facility, bytewise.
type LevelKey struct{ SKU, Facility string }

// Compare orders keys.
func (k LevelKey) Compare(o LevelKey) int {
	return cmp.Or(strings.Compare(k.SKU, o.SKU), strings.Compare(k.Facility, o.Facility))
}

// Figures are what a warehouse reports of one level.
type Figures struct{ Available, OnHand, Committed Int }

// StoredLevel is a recorded warehouse level.
type StoredLevel struct {
	LevelKey
	Figures
	id int64
}

// ReportedLevel is a level to be recorded.
type ReportedLevel struct {
	LevelKey
	Figures
	At time.Time // as the warehouse tells it; zero for now
}

// Recording records one report, page by page, and learns what it changed. A page is a transaction.
type Recording struct {
	MerchantID, WarehouseID int64
	Source                  inventory.QuantitySource
	Run                     Int // named in the activities
	// ZeroMissing sets levels to zero that are stored and not reported (missingSkuPolicy ZERO on a complete report, spec 3.10).
	ZeroMissing bool
	// Spare are SKUs that are not missing though no level of them comes: their rows could not be used.
	Spare map[string]bool

	// Changed counts levels that differ from what was recorded before.
	Changed int64
	// SKUs are those of the changed levels, each once, in order; more than MaxSKUs of them are not listed: Many is set.
	SKUs []string
	Many bool
	// Mark is the plan mark that stands for all of this recording until it is planned; 0 when nothing changed.
	Mark int64

	at         LevelKey // up to here is recorded
	started    bool
	facilities map[string]int64
}

// MaxSKUs bounds how many changed SKUs a recording lists: beyond it the whole warehouse is planned.
const MaxSKUs = 200_000

// pageRows is how many levels one transaction records.
const pageRows = 10_000

// PageRows is the number of levels that Record wants at a time: the most one transaction records.
func (*Recording) PageRows() int { return pageRows }

// Record records the next levels of a report, which come in strictly ascending order of their keys over all pages. last
// says that none follow.
func (db *DB) Record(ctx context.Context, r *Recording, page []ReportedLevel, last bool) error {
	from := r.at
	var recorded Recording
	err := db.inTx(ctx, func(t *tx) error {
		recorded = *r
		recorded.SKUs = r.SKUs[:len(r.SKUs):len(r.SKUs)]
		return t.record(ctx, &recorded, page, last)
	})
	if err != nil {
		return fmt.Errorf("record levels after %q: %w", from.SKU, err)
	}
	*r = recorded
	return nil
}

var levelColumns = []string{"merchant_id", "warehouse_id", "facility_id", "facility_code", "sku", "available", "on_hand", "committed", "reported_at", "updated_at"}

func (t *tx) record(ctx context.Context, r *Recording, page []ReportedLevel, last bool) error {
	if err := t.nameFacilities(ctx, r, page); err != nil {
		return err
	}
	now := t.db.Now()
	var inserts []ReportedLevel
	type change struct {
		StoredLevel
		to Figures
		at time.Time
	}
	var changes []change
	reported := func(l ReportedLevel, stored *StoredLevel) {
		if l.At.IsZero() {
			l.At = now
		}
		switch {
		case stored == nil:
			inserts = append(inserts, l)
		case stored.Figures != l.Figures:
			changes = append(changes, change{*stored, l.Figures, l.At})
		}
	}
	missing := func(stored StoredLevel) {
		to := Figures{zeroed(stored.Available), zeroed(stored.OnHand), zeroed(stored.Committed)}
		if r.ZeroMissing && !r.Spare[stored.SKU] && to != stored.Figures {
			changes = append(changes, change{stored, to, now})
		}
	}
	if err := t.match(ctx, r, page, last, reported, missing); err != nil {
		return err
	}
	if len(page) > 0 {
		r.at, r.started = page[len(page)-1].LevelKey, true
	}
	if len(inserts)+len(changes) == 0 {
		return nil
	}
	if r.Mark == 0 {
		if err := t.QueryRowContext(ctx, t.db.rebind("INSERT INTO plan_marks (merchant_id, sku, warehouse_id, replica_id) VALUES (?, '', ?, ?) RETURNING id"), r.MerchantID, r.WarehouseID, replicaOf(ctx)).Scan(&r.Mark); err != nil {
			return fmt.Errorf("mark a warehouse to be planned: %w", err)
		}
	}

	err := t.insert(ctx, "warehouse_levels", levelColumns, len(inserts), func(i int) []any {
		l := &inserts[i]
		return []any{r.MerchantID, r.WarehouseID, r.facility(l.Facility), l.Facility, l.SKU, l.Available, l.OnHand, l.Committed, l.At, now}
	})
	if err != nil {
		return err
	}
	var ids []int64
	var available, onHand, committed []Int
	var at []time.Time
	if t.postgres() {
		for _, c := range changes {
			ids, at = append(ids, c.id), append(at, c.at)
			available, onHand, committed = append(available, c.to.Available), append(onHand, c.to.OnHand), append(committed, c.to.Committed)
		}
	}
	err = t.update(ctx, `UPDATE warehouse_levels w SET available = v.available, on_hand = v.on_hand, committed = v.committed, reported_at = v.at, updated_at = ?
		FROM unnest(?::bigint[], ?::bigint[], ?::bigint[], ?::bigint[], ?::timestamptz[]) AS v(id, available, on_hand, committed, at) WHERE w.id = v.id`,
		[]any{now, ids, available, onHand, committed, at},
		"UPDATE warehouse_levels SET available = ?, on_hand = ?, committed = ?, reported_at = ?, updated_at = ? WHERE id = ?", len(changes), func(i int) []any {
			c := &changes[i]
			return []any{c.to.Available, c.to.OnHand, c.to.Committed, c.at, now, c.id}
		})
	if err != nil {
		return fmt.Errorf("update warehouse levels: %w", err)
	}

	facts := make([]Fact, 0, len(inserts)+len(changes))
	skus := make([]string, 0, len(inserts)+len(changes))
	for _, l := range inserts {
		skus = append(skus, l.SKU)
		facts = append(facts, Fact{Kind: enum.LevelReported, SKU: l.SKU, Warehouse: IntOf(r.WarehouseID), Facility: r.facility(l.Facility), Run: r.Run, After: IntOf(l.Figure(r.Source))})
	}
	for _, c := range changes {
		skus = append(skus, c.SKU)
		f := Fact{Kind: enum.LevelReported, SKU: c.SKU, Warehouse: IntOf(r.WarehouseID), Facility: r.facility(c.Facility), Run: r.Run, Before: IntOf(c.Figure(r.Source)), After: IntOf(c.to.Figure(r.Source))}
		if f.Before == f.After {
			f.Message = c.Figures.difference(c.to)
		}
		facts = append(facts, f)
	}
	slices.SortStableFunc(facts, func(a, b Fact) int { return strings.Compare(a.SKU, b.SKU) })
	r.changed(skus)
	return t.tell(ctx, r.MerchantID, now, facts)
}

// changed notes SKUs of one page; pages come in order, so only the border between two can repeat one.
func (r *Recording) changed(skus []string) {
	r.Changed += int64(len(skus))
	slices.Sort(skus)
	skus = slices.Compact(skus)
	if n := len(r.SKUs); n > 0 && len(skus) > 0 && r.SKUs[n-1] == skus[0] {
		skus = skus[1:]
	}
	if r.Many = r.Many || len(r.SKUs)+len(skus) > MaxSKUs; r.Many {
		r.SKUs = nil
		return
	}
	r.SKUs = append(r.SKUs, skus...)
}

func (r *Recording) facility(code string) Int {
	if code == "" {
		return Int{}
	}
	return IntOf(r.facilities[code])
}

// nameFacilities makes the facilities that a report names for the first time (spec 1).
func (t *tx) nameFacilities(ctx context.Context, r *Recording, page []ReportedLevel) error {
	known := make(map[string]int64, len(r.facilities))
	for code, id := range r.facilities {
		known[code] = id
	}
	r.facilities = known
	for i := range page {
		code := page[i].Facility
		if _, ok := known[code]; ok || code == "" {
			continue
		}
		var id int64
		err := t.QueryRowContext(ctx, t.db.rebind(`INSERT INTO facilities (merchant_id, warehouse_id, code, created_at) VALUES (?, ?, ?, ?)
			ON CONFLICT (warehouse_id, code) DO UPDATE SET code = excluded.code RETURNING id`), r.MerchantID, r.WarehouseID, code, t.db.Now()).Scan(&id)
		if err != nil {
			return fmt.Errorf("name facility %q: %w", code, err)
		}
		known[code] = id
	}
	return nil
}

const storedColumns = "SELECT id, sku, facility_code, available, on_hand, committed FROM warehouse_levels "

func scanStored(scan func(...any) error) (s StoredLevel, err error) {
	err = scan(&s.id, &s.SKU, &s.Facility, &s.Available, &s.OnHand, &s.Committed)
	return s, err
}

// match pairs a page with what is stored. It reads the stored rows by key range and merges, which is the fastest where
// most of a warehouse is reported; where the range holds far more rows than the page, it looks the rest up key by key.
func (t *tx) match(ctx context.Context, r *Recording, page []ReportedLevel, last bool, reported func(ReportedLevel, *StoredLevel), missing func(StoredLevel)) error {
	query, args := storedColumns+"WHERE warehouse_id = ?", []any{r.WarehouseID}
	if r.started {
		query, args = query+" AND (sku, facility_code) > (?, ?)", append(args, r.at.SKU, r.at.Facility)
	} else if !r.ZeroMissing && len(page) > 0 {
		query, args = query+" AND (sku, facility_code) >= (?, ?)", append(args, page[0].SKU, page[0].Facility)
	}
	switch {
	case len(page) == 0 && !(last && r.ZeroMissing):
		return nil
	case !last || !r.ZeroMissing:
		end := page[len(page)-1]
		query, args = query+" AND (sku, facility_code) <= (?, ?)", append(args, end.SKU, end.Facility)
	}
	query += " ORDER BY sku, facility_code"
	budget := -1
	if !r.ZeroMissing {
		budget = 4*len(page) + 1000
		query += fmt.Sprintf(" LIMIT %d", budget)
	}
	i, seen := 0, 0
	err := t.each(ctx, query, args, func(scan func(...any) error) error {
		s, err := scanStored(scan)
		if err != nil {
			return err
		}
		seen++
		for i < len(page) && page[i].Compare(s.LevelKey) < 0 {
			reported(page[i], nil)
			i++
		}
		if i < len(page) && page[i].LevelKey == s.LevelKey {
			reported(page[i], &s)
			i++
		} else {
			missing(s)
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("read stored levels: %w", err)
	}
	rest := page[i:]
	if seen < budget || budget < 0 { // everything stored in the range was seen
		for _, l := range rest {
			reported(l, nil)
		}
		return nil
	}
	return t.lookUp(ctx, r, rest, reported)
}

// lookUp pairs levels with what is stored, by SKU.
func (t *tx) lookUp(ctx context.Context, r *Recording, levels []ReportedLevel, reported func(ReportedLevel, *StoredLevel)) error {
	for chunk := range slices.Chunk(levels, 2000) {
		skus := make([]string, len(chunk))
		for i := range chunk {
			skus[i] = chunk[i].SKU
		}
		where, arg := t.db.among("sku", slices.Compact(skus))
		found := make(map[LevelKey]StoredLevel, len(chunk))
		err := t.each(ctx, storedColumns+"WHERE warehouse_id = ? AND "+where, []any{r.WarehouseID, arg}, func(scan func(...any) error) error {
			s, err := scanStored(scan)
			found[s.LevelKey] = s
			return err
		})
		if err != nil {
			return fmt.Errorf("look up stored levels: %w", err)
		}
		for _, l := range chunk {
			if s, ok := found[l.LevelKey]; ok {
				reported(l, &s)
			} else {
				reported(l, nil)
			}
		}
	}
	return nil
}

// ScanLevels reads all recorded levels of a warehouse in key order. It holds one at a time; yield may stop it with an error.
func (db *DB) ScanLevels(ctx context.Context, warehouseID int64, yield func(StoredLevel) error) (err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("read the levels of warehouse %d: %w", warehouseID, err)
		}
	}()
	rows, err := db.read.QueryContext(ctx, db.rebind(storedColumns+"WHERE warehouse_id = ? ORDER BY sku, facility_code"), warehouseID)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		s, err := scanStored(rows.Scan)
		if err != nil {
			return err
		}
		if err := yield(s); err != nil {
			return err
		}
	}
	return rows.Err()
}

// Figure is the one that counts by spec 4.1.
func (f Figures) Figure(source inventory.QuantitySource) int64 {
	l := f.Level()
	return l.Figure(source)
}

// Level is the figures as the rules take them.
func (f Figures) Level() inventory.Level {
	return inventory.Level{Available: ruleFigure(f.Available), OnHand: ruleFigure(f.OnHand), Committed: ruleFigure(f.Committed)}
}

func ruleFigure(n Int) inventory.Figure { return inventory.Figure{Units: n.Int64, Known: n.Valid} }

func zeroed(n Int) Int { return Int{Valid: n.Valid} }

// difference says in words which figures moved.
func (f Figures) difference(to Figures) string {
	var parts []string
	for _, p := range []struct {
		name     string
		was, now Int
	}{{"available", f.Available, to.Available}, {"on hand", f.OnHand, to.OnHand}, {"committed", f.Committed, to.Committed}} {
		if p.was != p.now {
			parts = append(parts, fmt.Sprintf("%s %s → %s", p.name, inWords(p.was), inWords(p.now)))
		}
	}
	return strings.Join(parts, ", ")
}

func inWords(n Int) string {
	if !n.Valid {
		return "not reported"
	}
	return fmt.Sprint(n.Int64)
}
