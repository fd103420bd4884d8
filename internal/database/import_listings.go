package database

import (
	"context"
	"iter"

	"stockbridge/internal/fault"
)

// ListingRow is a listing to be created, or changed where its store has the channel SKU.
type ListingRow struct {
	Line             int64
	StoreID          int64
	SKU              string // of a product the merchant has
	ChannelSKU       string // blank is the product's SKU
	InventoryEnabled *bool  // nil leaves it as it is, and is true for a new listing
	MaxQuantity      Opt[int64]
	Name             Opt[string]
	Price            Opt[string]
	Weight           Opt[string]
	ImageURL         Opt[string]
	Description      Opt[string]
}

// Check readies the row and tells what is wrong with it by itself, as CreateListing would.
func (r *ListingRow) Check() fault.List {
	var c check
	r.SKU = c.name("sku", r.SKU)
	if r.ChannelSKU = c.text("channelSku", r.ChannelSKU, maxText); r.ChannelSKU == "" {
		r.ChannelSKU = r.SKU
	}
	within(&c, "maxQuantity", r.MaxQuantity.Value, 0, maxUnits)
	r.Name.Value = c.optional("name", r.Name.Value, maxText)
	r.Price.Value = c.price(r.Price.Value)
	r.Weight.Value = c.weight(r.Weight.Value)
	r.ImageURL.Value = c.webAddress("imageUrl", r.ImageURL.Value)
	r.Description.Value = c.description(r.Description.Value)
	return c.faults
}

type storedListing struct {
	id, product                             int64
	sku                                     string // of the product
	enabled                                 bool
	limit                                   *int64
	name, price, weight, image, description *string
}

// bears is what planning looks at.
func (l *storedListing) bears(o *storedListing) bool {
	return l.product == o.product && l.enabled == o.enabled && equal(l.limit, o.limit)
}

func (l *storedListing) equal(o *storedListing) bool {
	return l.bears(o) && equal(l.name, o.name) && equal(l.price, o.price) && equal(l.weight, o.weight) && equal(l.image, o.image) && equal(l.description, o.description)
}

// ImportListings imports checked rows, which come in order of store, channel SKU and line, and marks what has to be planned
// anew. Rows are refused with NOT_FOUND of store or sku, and TAKEN of channelSku, where an earlier line names it.
func (db *DB) ImportListings(ctx context.Context, im *Import, rows iter.Seq2[ListingRow, error]) error {
	return db.importAll(ctx, im, func(ctx context.Context, i *importer) error {
		stores := map[int64]bool{}
		err := i.each(ctx, "SELECT id FROM stores WHERE merchant_id = ?", []any{i.MerchantID}, func(scan func(...any) error) error {
			var id int64
			err := scan(&id)
			stores[id] = true
			return err
		})
		if err != nil {
			return err
		}
		var last ListingRow
		return chunks(rows, one, func(chunk []ListingRow) error { return i.listings(ctx, chunk, &last, stores) })
	})
}

type listingKey struct {
	store int64
	sku   string
}

func (i *importer) listings(ctx context.Context, chunk []ListingRow, last *ListingRow, stores map[int64]bool) error {
	products, stored, err := i.storedListings(ctx, chunk)
	if err != nil {
		return err
	}
	type change struct {
		listingKey
		storedListing
	}
	var inserts, updates []change
	for _, r := range chunk {
		if r.StoreID == last.StoreID && r.ChannelSKU == last.ChannelSKU {
			i.refuse(r.Line, r.SKU, twice("channelSku", r.ChannelSKU, last.Line))
			continue
		}
		*last = r
		var c check
		if !stores[r.StoreID] {
			c.add("store", fault.NotFound, "the store is gone: leave its rows out")
		}
		product, found := products[r.SKU]
		if !found {
			c.noProduct(r.SKU)
		}
		if len(c.faults) > 0 {
			i.refuse(r.Line, r.SKU, c.faults)
			continue
		}
		key := listingKey{r.StoreID, r.ChannelSKU}
		was, known := stored[key]
		to := storedListing{was.id, product, r.SKU, was.enabled || !known, setOr(r.MaxQuantity, was.limit), setOr(r.Name, was.name), setOr(r.Price, was.price),
			setOr(r.Weight, was.weight), setOr(r.ImageURL, was.image), setOr(r.Description, was.description)}
		if r.InventoryEnabled != nil {
			to.enabled = *r.InventoryEnabled
		}
		switch {
		case !known:
			i.Created++
			i.mark(r.SKU, r.ChannelSKU)
			inserts = append(inserts, change{key, to})
		case to.equal(&was):
			i.Unchanged++
		default:
			i.Updated++
			if !to.bears(&was) {
				i.mark(was.sku, r.SKU, r.ChannelSKU)
			}
			updates = append(updates, change{key, to})
		}
	}
	i.report()
	if !i.write {
		return nil
	}
	err = i.insert(ctx, "listings", []string{"merchant_id", "store_id", "channel_sku", "product_id", "inventory_enabled", "max_quantity", "name", "price", "weight", "image_url", "description",
		"created_at", "updated_at", "version"}, len(inserts), func(n int) []any {
		l := inserts[n]
		return []any{i.MerchantID, l.store, l.listingKey.sku, l.product, l.enabled, l.limit, l.name, l.price, l.weight, l.image, l.description, i.now, i.now, 1}
	})
	if err != nil {
		return err
	}
	var ids, productIDs []int64
	var enabled []bool
	var limits []*int64
	var names, prices, weights, images, descriptions []*string
	if i.postgres() {
		for _, l := range updates {
			ids, productIDs, enabled, limits = append(ids, l.id), append(productIDs, l.product), append(enabled, l.enabled), append(limits, l.limit)
			names, prices, weights = append(names, l.name), append(prices, l.price), append(weights, l.weight)
			images, descriptions = append(images, l.image), append(descriptions, l.description)
		}
	}
	return i.update(ctx, `UPDATE listings l SET product_id = v.product, inventory_enabled = v.enabled, max_quantity = v.most, name = v.name, price = v.price, weight = v.weight,
		image_url = v.image, description = v.description, updated_at = ?, version = l.version + 1
		FROM unnest(?::bigint[], ?::bigint[], ?::bool[], ?::bigint[], ?::text[], ?::text[], ?::text[], ?::text[], ?::text[])
			AS v(id, product, enabled, most, name, price, weight, image, description) WHERE l.id = v.id`,
		[]any{i.now, ids, productIDs, enabled, limits, names, prices, weights, images, descriptions},
		`UPDATE listings SET product_id = ?, inventory_enabled = ?, max_quantity = ?, name = ?, price = ?, weight = ?, image_url = ?, description = ?,
		updated_at = ?, version = version + 1 WHERE id = ?`, len(updates), func(n int) []any {
			l := updates[n]
			return []any{l.product, l.enabled, l.limit, l.name, l.price, l.weight, l.image, l.description, i.now, l.id}
		})
}

// storedListings reads the products that rows list, by SKU, and what is stored of the listings.
func (i *importer) storedListings(ctx context.Context, chunk []ListingRow) (products map[string]int64, stored map[listingKey]storedListing, err error) {
	products, stored = map[string]int64{}, make(map[listingKey]storedListing, len(chunk))
	skus := make([]string, len(chunk))
	byStore := map[int64][]string{}
	for n, r := range chunk {
		skus[n] = r.SKU
		byStore[r.StoreID] = append(byStore[r.StoreID], r.ChannelSKU)
	}
	from, texts := i.db.foundBy("products", productKey, skus)
	err = i.each(ctx, "SELECT p.id, p.sku FROM "+from, []any{texts, i.MerchantID}, func(scan func(...any) error) error {
		var id int64
		var sku string
		err := scan(&id, &sku)
		products[sku] = id
		return err
	})
	if err != nil {
		return nil, nil, err
	}
	for id, channelSKUs := range byStore {
		from, texts := i.db.foundBy("listings", "p.store_id = ? AND p.channel_sku = k.v", channelSKUs)
		err = i.each(ctx, `SELECT p.channel_sku, p.id, p.product_id, of.sku, p.inventory_enabled, p.max_quantity, p.name, p.price, p.weight, p.image_url, p.description
			FROM `+from+" JOIN products of ON of.id = p.product_id", []any{texts, id}, func(scan func(...any) error) error {
			key := listingKey{store: id}
			var l storedListing
			err := scan(&key.sku, &l.id, &l.product, &l.sku, &l.enabled, &l.limit, &l.name, &l.price, &l.weight, &l.image, &l.description)
			stored[key] = l
			return err
		})
		if err != nil {
			return nil, nil, err
		}
	}
	return products, stored, nil
}
