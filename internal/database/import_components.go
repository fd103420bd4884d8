package database

import (
	"context"
	"iter"
	"slices"
	"strconv"

	"stockbridge/internal/fault"
)

// ComponentRow is one component of a bundle. All rows of one bundle together replace what it consisted of.
type ComponentRow struct {
	Line      int64
	BundleSKU string
	Component
	Refused bool // counted out already: it keeps the other rows of its bundle from coming in
}

// Check readies the row and tells what is wrong with it by itself, as CreateProduct would.
func (r *ComponentRow) Check() fault.List {
	var c check
	r.BundleSKU = c.name("bundleSku", r.BundleSKU)
	r.SKU = c.part("", r.Component).sku
	for _, f := range c.faults {
		f.Field = inComponentRow(f.Field)
	}
	return c.faults
}

// inComponentRow is the column of what the API calls components.N.sku.
func inComponentRow(field []string) []string {
	switch name := field[len(field)-1]; name {
	case "sku":
		return []string{"componentSku"}
	case "components":
		return nil
	default:
		return []string{name}
	}
}

// ImportComponents imports checked rows, which come in order of bundle and line and can be gone through several times, and marks
// what has to be planned anew. Bundles do not nest once all is in, whatever contains what before (spec 6). The rows of a
// bundle come in together or not at all. Rows are refused with the faults of CreateProduct's components, NOT_FOUND
// of bundleSku, and CONFLICT where another row of the bundle is refused.
func (db *DB) ImportComponents(ctx context.Context, im *Import, rows iter.Seq2[ComponentRow, error]) error {
	return db.importAll(ctx, im, func(ctx context.Context, i *importer) error {
		c := composer{importer: i, named: map[int64][]int64{}, refused: map[int64]bool{}, freed: map[int64][]int64{}, left: map[int64]bool{}}
		for _, pass := range []func(context.Context, bundleRows, *composition){c.note, c.judge} {
			if err := c.each(ctx, rows, pass); err != nil {
				return err
			}
		}
		c.settle()
		return chunks(bundles(rows), bundleRows.size, func(chunk []bundleRows) error { return c.compose(ctx, chunk) })
	})
}

// bundleRows are the rows of one bundle.
type bundleRows struct {
	sku  string
	rows []ComponentRow
	more int64 // rows beyond those that a bundle can have
}

func (b bundleRows) size() int { return len(b.rows) }

func (b bundleRows) components() []Component {
	out := make([]Component, len(b.rows))
	for n, r := range b.rows {
		out[n] = r.Component
	}
	return out
}

// bundles puts neighbours of one bundle together.
func bundles(rows iter.Seq2[ComponentRow, error]) iter.Seq2[bundleRows, error] {
	return func(yield func(bundleRows, error) bool) {
		var b bundleRows
		for r, err := range rows {
			if err != nil {
				yield(b, err)
				return
			}
			if len(b.rows) > 0 && r.BundleSKU != b.sku {
				if !yield(b, nil) {
					return
				}
				b = bundleRows{}
			}
			b.sku = r.BundleSKU
			if len(b.rows) > maxItems {
				if !r.Refused {
					b.more++
				}
				continue
			}
			b.rows = append(b.rows, r)
		}
		if len(b.rows) > 0 {
			yield(b, nil)
		}
	}
}

// composer judges bundles by what all will consist of. It holds ids alone, some 10 bytes a row.
type composer struct {
	*importer
	named   map[int64][]int64 // what the file says bundles consist of
	refused map[int64]bool    // bundles that stay as they are
	freed   map[int64][]int64 // bundles of the file, and those that contain them no longer, if these come in
	left    map[int64]bool    // refused because one of the latter does not come in; their rows are still to be told
}

// composition is what is stored of the products that a chunk of bundles names.
type composition struct {
	products map[string]candidate // by SKU
	parts    map[int64][]part     // of the bundles
	within   map[int64]map[int64]string
}

func (c *composer) each(ctx context.Context, rows iter.Seq2[ComponentRow, error], f func(context.Context, bundleRows, *composition)) error {
	return chunks(bundles(rows), bundleRows.size, func(chunk []bundleRows) error {
		stored, err := c.stored(ctx, chunk)
		if err != nil {
			return err
		}
		for _, b := range chunk {
			f(ctx, b, stored)
		}
		return nil
	})
}

func (c *composer) stored(ctx context.Context, chunk []bundleRows) (*composition, error) {
	s := &composition{products: map[string]candidate{}, parts: map[int64][]part{}, within: map[int64]map[int64]string{}}
	var all, own []string
	for _, b := range chunk {
		own = append(own, b.sku)
		for _, r := range b.rows {
			all = append(all, r.SKU)
		}
	}
	from, texts := c.db.foundBy("products", productKey, append(all, own...))
	err := c.importer.each(ctx, "SELECT p.id, p.sku FROM "+from, []any{texts, c.MerchantID}, func(scan func(...any) error) error {
		var sku string
		var p candidate
		err := scan(&p.id, &sku)
		s.products[sku] = p
		return err
	})
	if err != nil {
		return nil, err
	}
	err = c.importer.each(ctx, "SELECT p.sku, x.component_id, of.sku, x.quantity FROM "+from+" JOIN bundle_components x ON x.bundle_id = p.id JOIN products of ON of.id = x.component_id",
		[]any{texts, c.MerchantID}, func(scan func(...any) error) error {
			var sku string
			var x part
			err := scan(&sku, &x.product, &x.sku, &x.quantity)
			b := s.products[sku]
			b.components = append(b.components, x.product)
			s.products[sku], s.parts[b.id] = b, append(s.parts[b.id], x)
			return err
		})
	if err != nil {
		return nil, err
	}
	from, texts = c.db.foundBy("products", productKey, own)
	err = c.importer.each(ctx, "SELECT p.id, b.id, b.sku FROM "+from+" JOIN bundle_components x ON x.component_id = p.id JOIN products b ON b.id = x.bundle_id",
		[]any{texts, c.MerchantID}, func(scan func(...any) error) error {
			var id, bundle int64
			var sku string
			err := scan(&id, &bundle, &sku)
			if s.within[id] == nil {
				s.within[id] = map[int64]string{}
			}
			s.within[id][bundle] = sku
			return err
		})
	if err != nil {
		return nil, err
	}
	for sku, p := range s.products { // as the file will have it
		if parts, ok := c.named[p.id]; ok {
			p.components = parts
			s.products[sku] = p
		}
	}
	return s, nil
}

// note notes what the file says a bundle consists of.
func (c *composer) note(_ context.Context, b bundleRows, stored *composition) {
	bundle, ok := stored.products[b.sku]
	if !ok {
		return
	}
	ids := make([]int64, 0, len(b.rows))
	for _, r := range b.rows {
		ids = append(ids, stored.products[r.SKU].id) // 0, no product's, where there is none
	}
	c.named[bundle.id] = ids
}

// judge refuses a bundle that cannot be.
func (c *composer) judge(_ context.Context, b bundleRows, stored *composition) {
	var all check
	bundle, ok := stored.products[b.sku]
	if !ok {
		all.add("bundleSku", fault.NotFound, "the catalog has no product with the SKU %.80q: create it first", b.sku)
	}
	if bad := slices.IndexFunc(b.rows, func(r ComponentRow) bool { return r.Refused }); bad >= 0 {
		c.leave(b, bundle.id, bad, nil)
		return
	}
	parts := all.parts(b.components())
	cycle := all.compose(bundle.id, b.sku, parts, stored.products)
	var names []string
	for id, sku := range stored.within[bundle.id] {
		if named, ok := c.named[id]; !ok || slices.Contains(named, bundle.id) {
			names = append(names, sku)
		} else {
			c.freed[bundle.id] = append(c.freed[bundle.id], id)
		}
	}
	if !cycle {
		slices.Sort(names)
		all.uncontained(someBundles(names))
	}
	if len(all.faults) > 0 {
		c.leave(b, bundle.id, len(b.rows), all.faults)
	}
}

// leave refuses all rows of a bundle: those at fault for their faults, and the others for their company. bad is a row that
// was refused before, if there is one.
func (c *composer) leave(b bundleRows, id int64, bad int, faults fault.List) {
	byRow := make([]fault.List, len(b.rows))
	for _, f := range faults {
		row := 0
		if len(f.Field) == 3 { // components.N.sku
			row, _ = strconv.Atoi(f.Field[1]) // check wrote it
		}
		bad = min(bad, row)
		f.Field = inComponentRow(f.Field)
		byRow[row] = append(byRow[row], f)
	}
	c.refused[id] = true
	for n, r := range b.rows {
		switch {
		case r.Refused:
		case byRow[n] != nil:
			c.refuse(r.Line, b.sku, byRow[n])
		default:
			c.refuse(r.Line, b.sku, fault.List{fault.New(fault.Conflict, "line %d, a row of the same bundle, cannot be used, and the rows of a bundle come in together", b.rows[bad].Line)})
		}
	}
	c.Failed += b.more
}

// settle refuses bundles that a bundle contains which was to let them go, and is refused itself; and so on.
func (c *composer) settle() {
	for again := true; again; {
		again = false
		for id, containers := range c.freed {
			if !c.refused[id] && slices.ContainsFunc(containers, func(container int64) bool { return c.refused[container] }) {
				c.refused[id], c.left[id], again = true, true, true
			}
		}
	}
}

// compose writes the bundles of a chunk that were not refused.
func (c *composer) compose(ctx context.Context, chunk []bundleRows) error {
	stored, err := c.stored(ctx, chunk)
	if err != nil {
		return err
	}
	var changed []int64
	var added []part
	var to []int64 // the bundle of each added part
	for _, b := range chunk {
		id := stored.products[b.sku].id
		if c.left[id] {
			for _, r := range b.rows {
				c.refuse(r.Line, b.sku, fault.List{fault.At("bundleSku", fault.BundleNested, "a bundle contains this product, and its own rows, which end that, cannot be used: mend them, for bundles do not nest")})
			}
		}
		if c.refused[id] {
			continue
		}
		var none check // judged before
		parts := none.parts(b.components())
		none.compose(id, b.sku, parts, stored.products)
		old := stored.parts[id]
		switch {
		case sameParts(old, parts):
			c.Unchanged += int64(len(parts))
			continue
		case len(old) == 0:
			c.Created += int64(len(parts))
		default:
			c.Updated += int64(len(parts))
		}
		c.mark(append(append(skus(old), skus(parts)...), b.sku)...)
		changed = append(changed, id)
		for _, p := range parts {
			added, to = append(added, p), append(to, id)
		}
	}
	c.report()
	if !c.write {
		return nil
	}
	err = c.update(ctx, "DELETE FROM bundle_components WHERE bundle_id = ANY(?)", []any{changed}, "DELETE FROM bundle_components WHERE bundle_id = ?", len(changed), func(n int) []any { return []any{changed[n]} })
	if err != nil {
		return err
	}
	err = c.insert(ctx, "bundle_components", []string{"merchant_id", "bundle_id", "component_id", "quantity"}, len(added), func(n int) []any {
		return []any{c.MerchantID, to[n], added[n].product, added[n].quantity}
	})
	if err != nil {
		return err
	}
	return c.update(ctx, "UPDATE products SET updated_at = ?, version = version + 1 WHERE id = ANY(?)", []any{c.now, changed},
		"UPDATE products SET updated_at = ?, version = version + 1 WHERE id = ?", len(changed), func(n int) []any { return []any{c.now, changed[n]} })
}
