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
		want, err := t.newListing(ctx, in)
		if err != nil {
			return nil, err
		}
		if err := t.markSKUs(ctx, in.MerchantID, want.Edges.Product.Sku, want.ChannelSku); err != nil {
			return nil, err
		}
		now := db.Now()
		return t.ent.Listing.Create().SetMerchantID(want.MerchantID).SetStoreID(want.StoreID).SetProductID(want.ProductID).SetChannelSku(want.ChannelSku).
			SetInventoryEnabled(want.InventoryEnabled).SetNillableMaxQuantity(want.MaxQuantity).
			SetNillableName(want.Name).SetNillablePrice(want.Price).SetNillableWeight(want.Weight).SetNillableImageURL(want.ImageURL).
			SetNillableDescription(want.Description).SetCreatedAt(now).SetUpdatedAt(now).Save(ctx)
	})
}

// newListing checks a listing and makes it ready for storing. It comes with its product.
func (t *tx) newListing(ctx context.Context, in CreateListing) (*ent.Listing, error) {
	var c check
	if _, err := t.store(ctx, in.MerchantID, in.StoreID); c.keep(err) != nil {
		return nil, err
	}
	want := &ent.Listing{MerchantID: in.MerchantID, StoreID: in.StoreID, InventoryEnabled: in.InventoryEnabled == nil || *in.InventoryEnabled, MaxQuantity: in.MaxQuantity}
	p, err := t.listed(ctx, &c, in.MerchantID, in.SKU)
	if err != nil {
		return nil, err
	}
	if want.ChannelSku, err = t.channelSKU(ctx, &c, want, p, in.ChannelSKU); err != nil {
		return nil, err
	}
	within(&c, "maxQuantity", in.MaxQuantity, 0, maxUnits)
	want.Name, want.Price, want.Weight = c.optional("name", in.Name, maxText), c.price(in.Price), c.weight(in.Weight)
	want.ImageURL, want.Description = c.webAddress("imageUrl", in.ImageURL), c.optional("description", in.Description, 65535)
	if err := c.faults.Or(); err != nil {
		return nil, err
	}
	want.ProductID, want.Edges.Product = p.ID, p
	return want, nil
}

// UpdateListing changes a listing. Faults: those of CreateListing, NOT_FOUND and STALE_VERSION.
func (db *DB) UpdateListing(ctx context.Context, merchantID, id int64, in UpdateListing) (*ent.Listing, error) {
	return change(ctx, db, merchantID, "update a listing", func(t *tx) (*ent.Listing, error) {
		row, err := t.listing(ctx, merchantID, id)
		if err != nil {
			return nil, err
		}
		want, err := t.changedListing(ctx, row, in)
		if err != nil {
			return nil, err
		}
		if want.ProductID != row.ProductID || want.ChannelSku != row.ChannelSku || want.InventoryEnabled != row.InventoryEnabled || !equal(want.MaxQuantity, row.MaxQuantity) {
			if err := t.markSKUs(ctx, merchantID, row.Edges.Product.Sku, want.Edges.Product.Sku, row.ChannelSku, want.ChannelSku); err != nil {
				return nil, err
			}
		}
		u := row.Update().SetUpdatedAt(db.Now()).AddVersion(1).SetProductID(want.ProductID).SetChannelSku(want.ChannelSku).SetInventoryEnabled(want.InventoryEnabled)
		put(want.MaxQuantity, u.SetMaxQuantity, u.ClearMaxQuantity)
		put(want.Name, u.SetName, u.ClearName)
		put(want.Price, u.SetPrice, u.ClearPrice)
		put(want.Weight, u.SetWeight, u.ClearWeight)
		put(want.ImageURL, u.SetImageURL, u.ClearImageURL)
		put(want.Description, u.SetDescription, u.ClearDescription)
		return u.Save(ctx)
	})
}

// changedListing checks a change, and gives the listing as it is to be, with its product.
func (t *tx) changedListing(ctx context.Context, row *ent.Listing, in UpdateListing) (*ent.Listing, error) {
	if err := upToDate(in.ExpectedVersion, row.Version); err != nil {
		return nil, err
	}
	var c check
	want := *row
	if in.SKU != nil {
		p, err := t.listed(ctx, &c, row.MerchantID, *in.SKU)
		if err != nil {
			return nil, err
		}
		if want.Edges.Product = p; p != nil {
			want.ProductID = p.ID
		}
	}
	if in.ChannelSKU != nil {
		var err error
		if want.ChannelSku, err = t.channelSKU(ctx, &c, row, want.Edges.Product, *in.ChannelSKU); err != nil {
			return nil, err
		}
	}
	if in.InventoryEnabled != nil {
		want.InventoryEnabled = *in.InventoryEnabled
	}
	if in.MaxQuantity.Set {
		want.MaxQuantity = in.MaxQuantity.Value
		within(&c, "maxQuantity", want.MaxQuantity, 0, maxUnits)
	}
	if in.Name.Set {
		want.Name = c.optional("name", in.Name.Value, maxText)
	}
	if in.Price.Set {
		want.Price = c.price(in.Price.Value)
	}
	if in.Weight.Set {
		want.Weight = c.weight(in.Weight.Value)
	}
	if in.ImageURL.Set {
		want.ImageURL = c.webAddress("imageUrl", in.ImageURL.Value)
	}
	if in.Description.Set {
		want.Description = c.optional("description", in.Description.Value, 65535)
	}
	return &want, c.faults.Or()
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
