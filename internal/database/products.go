package database

import (
	"context"
	"strings"

	"stockbridge/ent"
	"stockbridge/ent/bundlecomponent"
	"stockbridge/ent/product"
	"stockbridge/internal/fault"
)

// CreateProduct is a new catalog record: a bundle if it has components.
type CreateProduct struct {
	MerchantID int64
	SKU        string      // 1 to 255 bytes, unique in the merchant's catalog
	Name       string      // up to 255 bytes
	UPC        *string     // up to 64 bytes
	ImageURL   *string     // http or https, up to 2,048 bytes
	Components []Component // at most 1,000, each product once, two units or more in total
}

// UpdateProduct changes a product; nil leaves a field as it is.
type UpdateProduct struct {
	ExpectedVersion *int64 // the version the change was made against, else STALE_VERSION; nil is any
	SKU             *string
	Name            *string
	UPC             Opt[string]
	ImageURL        Opt[string]
	Components      *[]Component // all of them; an empty list makes a plain product
}

// CreateProduct adds a product. Faults: NOT_FOUND of merchantId; BLANK, TOO_LONG, INVALID or TAKEN of sku; TOO_LONG or
// INVALID of name, upc and imageUrl; TOO_MANY, BUNDLE_TOO_SMALL or BUNDLE_NESTED of components; BLANK, TOO_LONG,
// INVALID, NOT_FOUND, TAKEN, BUNDLE_NESTED or BUNDLE_CYCLE of components.N.sku; OUT_OF_RANGE of components.N.quantity.
func (db *DB) CreateProduct(ctx context.Context, in CreateProduct) (*ent.Product, error) {
	return change(ctx, db, in.MerchantID, "create a product", func(t *tx) (*ent.Product, error) {
		if _, err := t.merchant(ctx, in.MerchantID); err != nil {
			return nil, err
		}
		var c check
		sku, err := t.newSKU(ctx, &c, in.MerchantID, in.SKU, 0)
		if err != nil {
			return nil, err
		}
		name := c.text("name", in.Name, maxText)
		upc := c.upc(in.UPC)
		image := c.webAddress("imageUrl", in.ImageURL)
		parts, err := t.parts(ctx, &c, &ent.Product{MerchantID: in.MerchantID}, sku, in.Components)
		if err != nil {
			return nil, err
		}
		if err := c.faults.Or(); err != nil {
			return nil, err
		}
		now := db.Now()
		row, err := t.ent.Product.Create().SetMerchantID(in.MerchantID).SetSku(sku).SetName(name).
			SetNillableUpc(upc).SetNillableImageURL(image).SetCreatedAt(now).SetUpdatedAt(now).Save(ctx)
		if err != nil {
			return nil, err
		}
		if len(parts) == 0 {
			return row, nil // says nothing of any level until it is listed
		}
		if err := t.addParts(ctx, row, parts); err != nil {
			return nil, err
		}
		return row, t.markSKUs(ctx, in.MerchantID, append(skus(parts), sku)...)
	})
}

// UpdateProduct changes a product. Faults: those of CreateProduct, NOT_FOUND and STALE_VERSION.
func (db *DB) UpdateProduct(ctx context.Context, merchantID, id int64, in UpdateProduct) (*ent.Product, error) {
	return change(ctx, db, merchantID, "update a product", func(t *tx) (*ent.Product, error) {
		row, err := t.product(ctx, merchantID, id)
		if err != nil {
			return nil, err
		}
		if err := upToDate(in.ExpectedVersion, row.Version); err != nil {
			return nil, err
		}
		var c check
		u := row.Update().SetUpdatedAt(db.Now()).AddVersion(1)
		sku := row.Sku
		if in.SKU != nil {
			if sku, err = t.newSKU(ctx, &c, merchantID, *in.SKU, id); err != nil {
				return nil, err
			}
		}
		if in.Name != nil {
			u.SetName(c.text("name", *in.Name, maxText))
		}
		if in.UPC.Set {
			put(c.upc(in.UPC.Value), u.SetUpc, u.ClearUpc)
		}
		if in.ImageURL.Set {
			put(c.webAddress("imageUrl", in.ImageURL.Value), u.SetImageURL, u.ClearImageURL)
		}
		old, err := t.partsOf(ctx, row)
		if err != nil {
			return nil, err
		}
		parts := old
		if in.Components != nil {
			if parts, err = t.parts(ctx, &c, row, sku, *in.Components); err != nil {
				return nil, err
			}
		}
		if err := c.faults.Or(); err != nil {
			return nil, err
		}
		recomposed := !sameParts(old, parts)
		if recomposed {
			if _, err := t.ent.BundleComponent.Delete().Where(bundlecomponent.BundleID(id)).Exec(ctx); err != nil {
				return nil, err
			}
			if err := t.addParts(ctx, row, parts); err != nil {
				return nil, err
			}
		}
		if recomposed || sku != row.Sku {
			if err := t.markSKUs(ctx, merchantID, append(append(skus(old), skus(parts)...), row.Sku, sku)...); err != nil {
				return nil, err
			}
		}
		return u.SetSku(sku).Save(ctx)
	})
}

// DeleteProduct takes a product away with its listings. Faults: NOT_FOUND, and IN_USE while it is a component.
func (db *DB) DeleteProduct(ctx context.Context, merchantID, id int64) error {
	return remove(ctx, db, merchantID, "delete a product", func(t *tx) error {
		row, err := t.product(ctx, merchantID, id)
		if err != nil {
			return err
		}
		bundles, err := t.bundlesOf(ctx, row)
		if err != nil {
			return err
		}
		if bundles != "" {
			return fault.At("productId", fault.InUse, "the product is a component of %s: take it out there first", bundles)
		}
		parts, err := t.partsOf(ctx, row)
		if err != nil {
			return err
		}
		listings, err := row.QueryListings().All(ctx)
		if err != nil {
			return err
		}
		bearing := skus(parts)
		for _, l := range listings {
			bearing = append(bearing, l.ChannelSku)
		}
		if len(bearing) > 0 {
			if err := t.markSKUs(ctx, merchantID, append(bearing, row.Sku)...); err != nil {
				return err
			}
		}
		return t.ent.Product.DeleteOne(row).Exec(ctx)
	})
}

func (t *tx) product(ctx context.Context, merchantID, id int64) (*ent.Product, error) {
	row, err := t.ent.Product.Query().Where(product.ID(id), product.MerchantID(merchantID)).Only(ctx)
	return row, found(err, "productId", "product")
}

// newSKU readies the SKU of the product with this id, 0 for a new one.
func (t *tx) newSKU(ctx context.Context, c *check, merchantID int64, sku string, id int64) (string, error) {
	sku = c.name("sku", sku)
	taken, err := t.ent.Product.Query().Where(product.MerchantID(merchantID), product.Sku(sku), product.IDNEQ(id)).Exist(ctx)
	if taken {
		c.add("sku", fault.Taken, "the catalog has a product with the SKU %.80q already: change that one, or choose another SKU", sku)
	}
	return sku, err
}

// bundlesOf names bundles that contain a product, a few of them; "" is none.
func (t *tx) bundlesOf(ctx context.Context, p *ent.Product) (string, error) {
	bundles, err := p.QueryBundles().QueryBundle().Order(product.BySku()).Limit(4).All(ctx)
	if err != nil {
		return "", err
	}
	names := make([]string, len(bundles))
	for i, b := range bundles {
		names[i] = b.Sku
	}
	return someBundles(names), nil
}

func someBundles(names []string) string {
	if len(names) == 0 {
		return ""
	}
	if len(names) > 3 {
		names = append(names[:3:3], "…")
	}
	return "the bundle " + strings.Join(names, ", ")
}

func (c *check) upc(s *string) *string { return c.optional("upc", s, 64) }
