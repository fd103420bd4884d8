package database

import (
	"context"
	"iter"

	"stockbridge/internal/fault"
)

// ProductRow is a product to be created, or changed where its SKU is in the catalog.
type ProductRow struct {
	Line     int64
	SKU      string
	Name     *string // nil leaves it as it is
	UPC      Opt[string]
	ImageURL Opt[string]
}

// Check readies the row and tells what is wrong with it by itself, as CreateProduct would.
func (r *ProductRow) Check() fault.List {
	var c check
	r.SKU = c.name("sku", r.SKU)
	if r.Name != nil {
		r.Name = new(c.text("name", *r.Name, maxText))
	}
	r.UPC.Value = c.upc(r.UPC.Value)
	r.ImageURL.Value = c.webAddress("imageUrl", r.ImageURL.Value)
	return c.faults
}

type storedProduct struct {
	id         int64
	name       string
	upc, image *string
}

// ImportProducts imports checked rows, which come in order of SKU and, of one SKU, of lines. A product bears on no level by
// itself, so nothing is to be planned. Rows are refused with TAKEN of sku, where an earlier line names it.
func (db *DB) ImportProducts(ctx context.Context, im *Import, rows iter.Seq2[ProductRow, error]) error {
	return db.importAll(ctx, im, func(ctx context.Context, i *importer) error {
		var last ProductRow
		return chunks(rows, one, func(chunk []ProductRow) error { return i.products(ctx, chunk, &last) })
	})
}

func (i *importer) products(ctx context.Context, chunk []ProductRow, last *ProductRow) error {
	keys := make([]string, len(chunk))
	for n, r := range chunk {
		keys[n] = r.SKU
	}
	stored := make(map[string]storedProduct, len(chunk))
	from, texts := i.db.foundBy("products", productKey, keys)
	err := i.each(ctx, "SELECT p.sku, p.id, p.name, p.upc, p.image_url FROM "+from, []any{texts, i.MerchantID}, func(scan func(...any) error) error {
		var sku string
		var p storedProduct
		err := scan(&sku, &p.id, &p.name, &p.upc, &p.image)
		stored[sku] = p
		return err
	})
	if err != nil {
		return err
	}
	type change struct {
		sku string
		storedProduct
	}
	var inserts, updates []change
	for _, r := range chunk {
		if r.SKU == last.SKU {
			i.refuse(r.Line, r.SKU, twice("sku", r.SKU, last.Line))
			continue
		}
		*last = r
		was, known := stored[r.SKU]
		to := storedProduct{was.id, was.name, setOr(r.UPC, was.upc), setOr(r.ImageURL, was.image)}
		if r.Name != nil {
			to.name = *r.Name
		}
		switch {
		case !known:
			i.Created++
			inserts = append(inserts, change{r.SKU, to})
		case to.name == was.name && equal(to.upc, was.upc) && equal(to.image, was.image):
			i.Unchanged++
		default:
			i.Updated++
			updates = append(updates, change{r.SKU, to})
		}
	}
	i.report()
	if !i.write {
		return nil
	}
	err = i.insert(ctx, "products", []string{"merchant_id", "sku", "name", "upc", "image_url", "created_at", "updated_at", "version"}, len(inserts), func(n int) []any {
		p := inserts[n]
		return []any{i.MerchantID, p.sku, p.name, p.upc, p.image, i.now, i.now, 1}
	})
	if err != nil {
		return err
	}
	var ids []int64
	var names []string
	var upcs, images []*string
	if i.postgres() {
		for _, p := range updates {
			ids, names, upcs, images = append(ids, p.id), append(names, p.name), append(upcs, p.upc), append(images, p.image)
		}
	}
	return i.update(ctx, `UPDATE products p SET name = v.name, upc = v.upc, image_url = v.image, updated_at = ?, version = p.version + 1
		FROM unnest(?::bigint[], ?::text[], ?::text[], ?::text[]) AS v(id, name, upc, image) WHERE p.id = v.id`, []any{i.now, ids, names, upcs, images},
		"UPDATE products SET name = ?, upc = ?, image_url = ?, updated_at = ?, version = version + 1 WHERE id = ?", len(updates), func(n int) []any {
			p := updates[n]
			return []any{p.name, p.upc, p.image, i.now, p.id}
		})
}

// twice refuses a row whose key an earlier one has.
func twice(field, key string, line int64) fault.List {
	return fault.List{fault.At(field, fault.Taken, "%.80q stands on line %d already: leave one of the two out", key, line)}
}
