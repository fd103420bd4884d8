package database

import (
	"context"
	"fmt"
)

// BareLevels is the raw limit that benchmarks compare with: n levels into the indexed table, by plain COPY or bare
// inserts, in transactions of the same size.
func (db *DB) BareLevels(ctx context.Context, merchantID, warehouseID int64, n int) error {
	var facility int64
	for from := 0; from < n; from += pageRows {
		err := db.inTx(ctx, func(t *tx) error {
			if facility == 0 {
				r := &Recording{MerchantID: merchantID, WarehouseID: warehouseID}
				if err := t.nameFacilities(ctx, r, []ReportedLevel{{LevelKey: LevelKey{Facility: "EAST"}}}); err != nil {
					return err
				}
				facility = r.facilities["EAST"]
			}
			now := db.Now()
			return t.insert(ctx, "warehouse_levels", levelColumns, min(pageRows, n-from), func(i int) []any {
				return []any{merchantID, warehouseID, facility, "EAST", fmt.Sprintf("SKU-%08d", from+i), IntOf(5), IntOf(9), Int{}, now, now}
			})
		})
		if err != nil {
			return err
		}
	}
	return nil
}
