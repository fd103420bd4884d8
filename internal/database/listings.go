package database

import (
	"context"
	"regexp"

	"stockbridge/ent"
	"stockbridge/ent/listing"
	"stockbridge/ent/product"
	"stockbridge/internal/fault"
)

// CreateListing ties a product to a store under a channel SKU.
type CreateListing struct {
	MerchantID       int64
	StoreID          int64   // of the merchant
	SKU              string  // of a product the merchant has
	ChannelSKU       string  // up to 255 bytes, unique in the store; blank is the product's SKU
	InventoryEnabled *bool   // nil is true
	MaxQuantity      *int64  // 0 to 2³¹−1 units per location; nil is no cap
	Name             *string // up to 255 bytes
	Price            *string // a decimal in the store's currency: "19.90"
	Weight           *string // a decimal with its unit: "1.5 kg"
	ImageURL         *string // http or https, up to 2,048 bytes
	Description      *string // up to 65,535 bytes
}

// UpdateListing changes a listing; nil leaves a field as it is.
type UpdateListing struct {
	ExpectedVersion  *int64  // the version the change was made against, else STALE_VERSION; nil is any
	SKU              *string // of the product it is to be of
	ChannelSKU       *string
	InventoryEnabled *bool
	MaxQuantity      Opt[int64]
	Name             Opt[string]
	Price            Opt[string]
	Weight           Opt[string]
	ImageURL         Opt[string]
	Description      Opt[string]
}

// CreateListing adds a listing. Faults: NOT_FOUND of storeId; BLANK or NOT_FOUND of sku; TOO_LONG, INVALID or TAKEN of
// channelSku; OUT_OF_RANGE of maxQuantity; TOO_LONG or INVALID of name, price, weight, imageUrl and description.
func (db *DB) CreateListing(ctx context.Context, in CreateListing) (*ent.Listing, error) {
	return change(ctx, db, in.MerchantID, "create a listing", func(t *tx) (*ent.Listing, error) {
		var c check
		if _, err := t.store(ctx, in.MerchantID, in.StoreID); c.keep(err) != nil {
			return nil, err
		}
		p, err := t.listed(ctx, &c, in.MerchantID, in.SKU)
		if err != nil {
			return nil, err
		}
		channelSKU, err := t.channelSKU(ctx, &c, &ent.Listing{MerchantID: in.MerchantID, StoreID: in.StoreID}, p, in.ChannelSKU)
		if err != nil {
			return nil, err
		}
		within(&c, "maxQuantity", in.MaxQuantity, 0, maxUnits)
		create := t.ent.Listing.Create().SetMerchantID(in.MerchantID).SetStoreID(in.StoreID).SetChannelSku(channelSKU).
			SetNillableInventoryEnabled(in.InventoryEnabled).SetNillableMaxQuantity(in.MaxQuantity).
			SetNillableName(c.optional("name", in.Name, maxText)).SetNillablePrice(c.price(in.Price)).
			SetNillableWeight(c.weight(in.Weight)).SetNillableImageURL(c.webAddress("imageUrl", in.ImageURL)).
			SetNillableDescription(c.description(in.Description))
		if err := c.faults.Or(); err != nil {
			return nil, err
		}
		if err := t.markSKUs(ctx, in.MerchantID, p.Sku, channelSKU); err != nil {
			return nil, err
		}
		now := db.Now()
		return create.SetProductID(p.ID).SetCreatedAt(now).SetUpdatedAt(now).Save(ctx)
	})
}

// UpdateListing changes a listing. Faults: those of CreateListing, NOT_FOUND and STALE_VERSION.
func (db *DB) UpdateListing(ctx context.Context, merchantID, id int64, in UpdateListing) (*ent.Listing, error) {
	return change(ctx, db, merchantID, "update a listing", func(t *tx) (*ent.Listing, error) {
		row, err := t.listing(ctx, merchantID, id)
		if err != nil {
			return nil, err
		}
		if err := upToDate(in.ExpectedVersion, row.Version); err != nil {
			return nil, err
		}
		var c check
		u := row.Update().SetUpdatedAt(db.Now()).AddVersion(1)
		p, channelSKU := row.Edges.Product, row.ChannelSku
		if in.SKU != nil {
			if p, err = t.listed(ctx, &c, merchantID, *in.SKU); err != nil {
				return nil, err
			}
		}
		if in.ChannelSKU != nil {
			if channelSKU, err = t.channelSKU(ctx, &c, row, p, *in.ChannelSKU); err != nil {
				return nil, err
			}
		}
		enabled := row.InventoryEnabled
		if in.InventoryEnabled != nil {
			enabled = *in.InventoryEnabled
		}
		limit := row.MaxQuantity
		if in.MaxQuantity.Set {
			limit = in.MaxQuantity.Value
			within(&c, "maxQuantity", limit, 0, maxUnits)
			put(limit, u.SetMaxQuantity, u.ClearMaxQuantity)
		}
		if in.Name.Set {
			put(c.optional("name", in.Name.Value, maxText), u.SetName, u.ClearName)
		}
		if in.Price.Set {
			put(c.price(in.Price.Value), u.SetPrice, u.ClearPrice)
		}
		if in.Weight.Set {
			put(c.weight(in.Weight.Value), u.SetWeight, u.ClearWeight)
		}
		if in.ImageURL.Set {
			put(c.webAddress("imageUrl", in.ImageURL.Value), u.SetImageURL, u.ClearImageURL)
		}
		if in.Description.Set {
			put(c.description(in.Description.Value), u.SetDescription, u.ClearDescription)
		}
		if err := c.faults.Or(); err != nil {
			return nil, err
		}
		if p.ID != row.ProductID || channelSKU != row.ChannelSku || enabled != row.InventoryEnabled || !equal(limit, row.MaxQuantity) {
			if err := t.markSKUs(ctx, merchantID, row.Edges.Product.Sku, p.Sku, row.ChannelSku, channelSKU); err != nil {
				return nil, err
			}
		}
		return u.SetProductID(p.ID).SetChannelSku(channelSKU).SetInventoryEnabled(enabled).Save(ctx)
	})
}

// DeleteListing takes a listing away. Fault: NOT_FOUND.
func (db *DB) DeleteListing(ctx context.Context, merchantID, id int64) error {
	return remove(ctx, db, merchantID, "delete a listing", func(t *tx) error {
		row, err := t.listing(ctx, merchantID, id)
		if err != nil {
			return err
		}
		if err := t.markSKUs(ctx, merchantID, row.Edges.Product.Sku, row.ChannelSku); err != nil {
			return err
		}
		return t.ent.Listing.DeleteOne(row).Exec(ctx)
	})
}

// listing comes with its product.
func (t *tx) listing(ctx context.Context, merchantID, id int64) (*ent.Listing, error) {
	row, err := t.ent.Listing.Query().Where(listing.ID(id), listing.MerchantID(merchantID)).WithProduct().Only(ctx)
	return row, found(err, "listingId", "listing")
}

// listed finds the product to list; it is nil if a fault says why.
func (t *tx) listed(ctx context.Context, c *check, merchantID int64, sku string) (*ent.Product, error) {
	sku = c.name("sku", sku)
	p, err := t.ent.Product.Query().Where(product.MerchantID(merchantID), product.Sku(sku)).Only(ctx)
	if sku != "" && ent.IsNotFound(err) {
		c.noProduct(sku)
	}
	return p, ent.MaskNotFound(err)
}

// channelSKU readies the channel SKU of l, whose ID is 0 if it is new, to be a listing of p, which may be nil.
func (t *tx) channelSKU(ctx context.Context, c *check, l *ent.Listing, p *ent.Product, sku string) (string, error) {
	sku = c.text("channelSku", sku, maxText)
	if sku == "" && p != nil {
		sku = p.Sku
	}
	other, err := t.ent.Listing.Query().Where(listing.StoreID(l.StoreID), listing.MerchantID(l.MerchantID), listing.ChannelSku(sku), listing.IDNEQ(l.ID)).WithProduct().Only(ctx)
	if other != nil {
		c.add("channelSku", fault.Taken, "the store lists the product %.80q under %.80q already: choose another channel SKU", other.Edges.Product.Sku, sku)
	}
	return sku, ent.MaskNotFound(err)
}

var (
	decimal  = regexp.MustCompile(`^[0-9]{1,15}(\.[0-9]{1,6})?$`)
	measured = regexp.MustCompile(`^[0-9]{1,15}(\.[0-9]{1,6})?( ?[A-Za-z]{1,8})?$`)
)

func (c *check) price(s *string) *string {
	s = c.optional("price", s, 32)
	if s != nil && !decimal.MatchString(*s) {
		c.add("price", fault.Invalid, "%.40q is no price: write a decimal such as 19.90, without a currency", *s)
	}
	return s
}

func (c *check) weight(s *string) *string {
	s = c.optional("weight", s, 32)
	if s != nil && !measured.MatchString(*s) {
		c.add("weight", fault.Invalid, "%.40q is no weight: write a decimal with its unit, such as 1.5 kg", *s)
	}
	return s
}

func (c *check) description(s *string) *string { return c.optional("description", s, 65535) }

// noProduct refuses to list what the catalog does not have.
func (c *check) noProduct(sku string) {
	c.add("sku", fault.NotFound, "the catalog has no product with the SKU %.80q: create it first", sku)
}

func equal[T comparable](a, b *T) bool {
	return a == nil && b == nil || a != nil && b != nil && *a == *b
}
