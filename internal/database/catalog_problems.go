package database

import (
	"context"
	"fmt"
	"slices"
	"strings"
)

// CatalogProblemKind says what is about to go wrong.
type CatalogProblemKind string

// The kinds, in the order they are listed in.
const (
	ComponentNotReported CatalogProblemKind = "COMPONENT_NOT_REPORTED" // of a bundle, by any warehouse
	ListingNotReported   CatalogProblemKind = "LISTING_NOT_REPORTED"   // the product of, which is no bundle, by any warehouse
	ChannelSKUShadows    CatalogProblemKind = "CHANNEL_SKU_SHADOWS"    // a reported SKU that would pass through otherwise (spec 4.3)
	SKULooksAlike        CatalogProblemKind = "SKU_LOOKS_ALIKE"        // but for case or spaces
	ShareWithoutPart     CatalogProblemKind = "SHARE_WITHOUT_PART"     // of a strategy, whose store no counting connection feeds (spec 4.6)
)

// CatalogProblemKinds are all kinds, in order.
func CatalogProblemKinds() []CatalogProblemKind {
	return []CatalogProblemKind{ComponentNotReported, ListingNotReported, ChannelSKUShadows, SKULooksAlike, ShareWithoutPart}
}

// CatalogProblem is one thing that is about to go wrong. Kind, SKU and ID together are its place in the list.
type CatalogProblem struct {
	Kind     CatalogProblemKind
	SKU      string // "" for none
	ID       int64
	OtherSKU string // "" for none
	// Rows it concerns, absent where they do not bear on the kind.
	Product, Bundle, Listing, Store, Warehouse, Strategy Int
}

// catalogProblems finds the problems of each kind: statements with the columns of CatalogProblem after Kind, whose every ?
// is the merchant. Within a kind (sku, id) is the order, and every row's own.
var catalogProblems = map[CatalogProblemKind]string{
	ComponentNotReported: `SELECT p.sku AS sku, c.id AS id, '' AS other, p.id AS product, c.bundle_id AS bundle, NULL AS listing, NULL AS store, NULL AS warehouse, NULL AS strategy
		FROM products p JOIN bundle_components c ON c.component_id = p.id
		WHERE p.merchant_id = ? AND NOT EXISTS (SELECT 1 FROM warehouse_levels w WHERE w.merchant_id = p.merchant_id AND w.sku = p.sku)`,

	ListingNotReported: `SELECT p.sku AS sku, l.id AS id, '' AS other, p.id AS product, NULL AS bundle, l.id AS listing, l.store_id AS store, NULL AS warehouse, NULL AS strategy
		FROM products p JOIN listings l ON l.product_id = p.id
		WHERE p.merchant_id = ? AND NOT EXISTS (SELECT 1 FROM bundle_components c WHERE c.bundle_id = p.id)
		AND NOT EXISTS (SELECT 1 FROM warehouse_levels w WHERE w.merchant_id = p.merchant_id AND w.sku = p.sku)`,

	// A SKU that is listed on the store itself does not pass through, so nothing shadows it.
	ChannelSKUShadows: `SELECT l.channel_sku AS sku, l.id AS id, '' AS other, l.product_id AS product, NULL AS bundle, l.id AS listing, l.store_id AS store, NULL AS warehouse, NULL AS strategy
		FROM listings l JOIN products p ON p.id = l.product_id
		WHERE l.merchant_id = ? AND p.sku <> l.channel_sku
		AND EXISTS (SELECT 1 FROM connections c JOIN warehouse_levels w ON w.warehouse_id = c.warehouse_id WHERE c.store_id = l.store_id AND w.sku = l.channel_sku)
		AND NOT EXISTS (SELECT 1 FROM products q JOIN listings o ON o.product_id = q.id WHERE q.merchant_id = l.merchant_id AND q.sku = l.channel_sku AND o.store_id = l.store_id)`,

	// Of a SKU that several look like the first is named, and with the first the last.
	SKULooksAlike: `SELECT s.sku AS sku, 0 AS id, CASE WHEN s.sku = g.first THEN g.last ELSE g.first END AS other, p.id AS product, NULL AS bundle, NULL AS listing, NULL AS store, NULL AS warehouse, NULL AS strategy
		FROM (SELECT sku, ` + looks + ` AS looks FROM products WHERE merchant_id = ? UNION SELECT sku, ` + looks + ` FROM warehouse_levels WHERE merchant_id = ?) AS s
		JOIN (SELECT looks, min(sku) AS first, max(sku) AS last FROM (SELECT sku, ` + looks + ` AS looks FROM products WHERE merchant_id = ?
			UNION SELECT sku, ` + looks + ` FROM warehouse_levels WHERE merchant_id = ?) AS a GROUP BY looks HAVING count(*) > 1) AS g ON g.looks = s.looks
		LEFT JOIN products p ON p.merchant_id = ? AND p.sku = s.sku`,

	ShareWithoutPart: `SELECT '' AS sku, s.id AS id, '' AS other, NULL AS product, NULL AS bundle, NULL AS listing, s.store_id AS store, p.warehouse_id AS warehouse, p.id AS strategy
		FROM warehouses w JOIN partition_strategies p ON p.warehouse_id = w.id JOIN partition_shares s ON s.strategy_id = p.id
		WHERE w.merchant_id = ? AND NOT EXISTS (SELECT 1 FROM connections c WHERE c.warehouse_id = p.warehouse_id AND c.store_id = s.store_id AND c.enabled AND c.inventory_enabled)`,
}

// looks is what two SKUs have in common that people may take for one: letters of ASCII in either case, blanks and no-break
// spaces or none.
const looks = "lower(replace(replace(replace(sku, ' ', ''), '\u00a0', ''), '\t', ''))"

// CatalogProblems lists what is about to go wrong with a merchant's catalog: problems of some kinds, after a place in the list
// (the zero value: from the start), n at most.
func (db *DB) CatalogProblems(ctx context.Context, merchantID int64, kinds []CatalogProblemKind, after CatalogProblem, n int) ([]CatalogProblem, error) {
	var all []CatalogProblem
	behind := after.Kind != "" // the kind of after
	for _, kind := range CatalogProblemKinds() {
		at := CatalogProblem{}
		if kind == after.Kind {
			at, behind = after, false
		}
		if behind || len(all) == n || !slices.Contains(kinds, kind) {
			continue
		}
		query, args := problemsOf(kind, merchantID)
		err := db.scan(ctx, "SELECT * FROM ("+query+") AS x WHERE x.sku >= ? AND (x.sku > ? OR x.id > ?) ORDER BY x.sku, x.id LIMIT ?",
			append(args, at.SKU, at.SKU, at.ID, n-len(all)), func(scan func(...any) error) error {
				p := CatalogProblem{Kind: kind}
				err := scan(&p.SKU, &p.ID, &p.OtherSKU, &p.Product, &p.Bundle, &p.Listing, &p.Store, &p.Warehouse, &p.Strategy)
				all = append(all, p)
				return err
			})
		if err != nil {
			return nil, fmt.Errorf("list catalog problems: %w", err)
		}
	}
	return all, nil
}

// CountCatalogProblems counts all problems of some kinds.
func (db *DB) CountCatalogProblems(ctx context.Context, merchantID int64, kinds []CatalogProblemKind) (all int, err error) {
	for _, kind := range CatalogProblemKinds() {
		if !slices.Contains(kinds, kind) {
			continue
		}
		query, args := problemsOf(kind, merchantID)
		var n int
		if err := db.read.QueryRowContext(ctx, db.rebind("SELECT count(*) FROM ("+query+") AS x"), args...).Scan(&n); err != nil {
			return 0, fmt.Errorf("count catalog problems: %w", err)
		}
		all += n
	}
	return all, nil
}

func problemsOf(kind CatalogProblemKind, merchantID int64) (query string, args []any) {
	query = catalogProblems[kind]
	return query, slices.Repeat([]any{merchantID}, strings.Count(query, "?"))
}
