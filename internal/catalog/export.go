package catalog

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	"stockbridge/ent"
	"stockbridge/ent/channellevel"
	"stockbridge/ent/listing"
	"stockbridge/ent/predicate"
	"stockbridge/ent/product"
	"stockbridge/ent/schema/enum"
	"stockbridge/ent/store"
	"stockbridge/ent/warehouse"
	"stockbridge/ent/warehouselevel"
	"stockbridge/internal/fault"
	"stockbridge/internal/globalid"
)

// Subjects are what can be exported. The first three are what imports take.
var subjects = []string{"products", "components", "listings", "warehouse-levels", "channel-levels"}

// Export is one file of a merchant's rows, in an order that says nothing of when or where they were written.
type Export struct {
	Subject  string // one of products, components, listings, warehouse-levels and channel-levels
	Format   enum.ImportFormat
	merchant int64
	store    int64 // 0 is all
	reader   *ent.Client
}

// Open makes an export of a merchant, and of one of its stores where storeID is not blank, both global ids. Faults: NOT_FOUND
// of subject, of merchantId and of storeId, where the reader does not see them too; INVALID of storeId where no store is concerned.
func Open(ctx context.Context, reader *ent.Client, subject string, format enum.ImportFormat, merchantID, storeID string) (*Export, error) {
	e := &Export{Subject: subject, Format: format, reader: reader}
	if !slices.Contains(subjects, subject) || format != enum.CSV && format != enum.JSONLines {
		return nil, fault.At("subject", fault.NotFound, "there is no export of this name: write one of %s, as CSV or JSON Lines", strings.Join(subjects, ", "))
	}
	var err error
	if e.merchant, err = globalid.Of("Merchant", merchantID); err != nil {
		return nil, fault.At("merchantId", fault.NotFound, "%s", fault.Message(err))
	}
	if _, err := reader.Merchant.Get(ctx, e.merchant); ent.IsNotFound(err) {
		return nil, fault.At("merchantId", fault.NotFound, "no merchant that you may see has the id %.80q", merchantID)
	} else if err != nil {
		return nil, fmt.Errorf("export: %w", err)
	}
	if storeID == "" {
		return e, nil
	}
	if subject != "listings" && subject != "channel-levels" {
		return nil, fault.At("storeId", fault.Invalid, "%s belong to no store: leave storeId out", subject)
	}
	if e.store, err = globalid.Of("Store", storeID); err != nil {
		return nil, fault.At("storeId", fault.NotFound, "%s", fault.Message(err))
	}
	if found, err := reader.Store.Query().Where(store.ID(e.store), store.MerchantID(e.merchant)).Exist(ctx); err != nil {
		return nil, fmt.Errorf("export: %w", err)
	} else if !found {
		return nil, fault.At("storeId", fault.NotFound, "the merchant has no store with the id %.80q", storeID)
	}
	return e, nil
}

// pageRows is how many rows an export reads at a time.
const pageRows = 1000

// Write streams the file. What changes meanwhile may be in it as it was or as it became, row by row.
func (e *Export) Write(ctx context.Context, to io.Writer) error {
	var columns []string
	var each func(context.Context, func(...any) error) error
	switch e.Subject {
	case "products":
		k, _ := kinds(enum.ImportProducts)
		columns, each = k.columns, e.products
	case "components":
		k, _ := kinds(enum.ImportComponents)
		columns, each = k.columns, e.components
	case "listings":
		k, _ := kinds(enum.ImportListings)
		columns, each = k.columns, e.listings
	case "warehouse-levels":
		columns, each = []string{"warehouse", "facility", "sku", "available", "onHand", "committed", "reportedAt", "updatedAt"}, e.warehouseLevels
	case "channel-levels":
		columns, each = []string{"store", "location", "channelSku", "sku", "quantity", "pushedQuantity", "status", "lastError", "lastPushedAt", "updatedAt"}, e.channelLevels
	}
	out := newWriter(to, e.Format, columns)
	err := each(ctx, out.row)
	if err == nil {
		err = out.flush()
	}
	if err != nil {
		return fmt.Errorf("export %s: %w", e.Subject, err)
	}
	return nil
}

// pages reads page after page, each from after the last row of the one before, and hands the rows over.
func pages[T any](read func(last *T) ([]*T, error), row func(*T) error) error {
	var last *T
	for {
		page, err := read(last)
		if err != nil {
			return err
		}
		for _, r := range page {
			if err := row(r); err != nil {
				return err
			}
		}
		if len(page) < pageRows {
			return nil
		}
		last = page[len(page)-1]
	}
}

func (e *Export) productsAfter(ctx context.Context, last *ent.Product, q *ent.ProductQuery) ([]*ent.Product, error) {
	q.Where(product.MerchantID(e.merchant)).Order(product.BySku()).Limit(pageRows)
	if last != nil {
		q.Where(product.SkuGT(last.Sku))
	}
	return q.All(ctx)
}

func (e *Export) products(ctx context.Context, row func(...any) error) error {
	return pages(func(last *ent.Product) ([]*ent.Product, error) {
		return e.productsAfter(ctx, last, e.reader.Product.Query())
	},
		func(p *ent.Product) error { return row(p.Sku, p.Name, p.Upc, p.ImageURL) })
}

func (e *Export) components(ctx context.Context, row func(...any) error) error {
	return pages(func(last *ent.Product) ([]*ent.Product, error) {
		return e.productsAfter(ctx, last, e.reader.Product.Query().Where(product.HasComponents()).WithComponents(func(q *ent.BundleComponentQuery) { q.WithComponent() }))
	}, func(p *ent.Product) error {
		parts := p.Edges.Components
		slices.SortFunc(parts, func(a, b *ent.BundleComponent) int {
			return strings.Compare(a.Edges.Component.Sku, b.Edges.Component.Sku)
		})
		for _, part := range parts {
			if err := row(p.Sku, part.Edges.Component.Sku, part.Quantity); err != nil {
				return err
			}
		}
		return nil
	})
}

// stores are those concerned, by name.
func (e *Export) stores(ctx context.Context, f func(*ent.Store) error) error {
	q := e.reader.Store.Query().Where(store.MerchantID(e.merchant)).Order(store.ByName())
	if e.store != 0 {
		q.Where(store.ID(e.store))
	}
	all, err := q.All(ctx)
	if err != nil {
		return err
	}
	for _, s := range all {
		if err := f(s); err != nil {
			return err
		}
	}
	return nil
}

func (e *Export) listings(ctx context.Context, row func(...any) error) error {
	return e.stores(ctx, func(s *ent.Store) error {
		return pages(func(last *ent.Listing) ([]*ent.Listing, error) {
			q := e.reader.Listing.Query().Where(listing.MerchantID(e.merchant), listing.StoreID(s.ID)).WithProduct().Order(listing.ByChannelSku()).Limit(pageRows)
			if last != nil {
				q.Where(listing.ChannelSkuGT(last.ChannelSku))
			}
			return q.All(ctx)
		}, func(l *ent.Listing) error {
			return row(s.Name, l.Edges.Product.Sku, l.ChannelSku, l.InventoryEnabled, l.MaxQuantity, l.Name, l.Price, l.Weight, l.ImageURL, l.Description)
		})
	})
}

func (e *Export) warehouseLevels(ctx context.Context, row func(...any) error) error {
	all, err := e.reader.Warehouse.Query().Where(warehouse.MerchantID(e.merchant)).Order(warehouse.ByName()).All(ctx)
	if err != nil {
		return err
	}
	for _, w := range all {
		err := pages(func(last *ent.WarehouseLevel) ([]*ent.WarehouseLevel, error) {
			q := e.reader.WarehouseLevel.Query().Where(warehouselevel.MerchantID(e.merchant), warehouselevel.WarehouseID(w.ID)).
				Order(warehouselevel.BySku(), warehouselevel.ByFacilityCode()).Limit(pageRows)
			if last != nil {
				q.Where(beyond(last.Sku, last.FacilityCode, warehouselevel.SkuGTE, warehouselevel.SkuGT, warehouselevel.FacilityCodeGT, warehouselevel.Or, warehouselevel.And))
			}
			return q.All(ctx)
		}, func(l *ent.WarehouseLevel) error {
			return row(w.Name, l.FacilityCode, l.Sku, l.Available, l.OnHand, l.Committed, l.ReportedAt, l.UpdatedAt)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (e *Export) channelLevels(ctx context.Context, row func(...any) error) error {
	return e.stores(ctx, func(s *ent.Store) error {
		return pages(func(last *ent.ChannelLevel) ([]*ent.ChannelLevel, error) {
			q := e.reader.ChannelLevel.Query().Where(channellevel.MerchantID(e.merchant), channellevel.StoreID(s.ID)).
				Order(channellevel.ByChannelSku(), channellevel.ByLocationCode()).Limit(pageRows)
			if last != nil {
				q.Where(beyond(last.ChannelSku, last.LocationCode, channellevel.ChannelSkuGTE, channellevel.ChannelSkuGT, channellevel.LocationCodeGT, channellevel.Or, channellevel.And))
			}
			return q.All(ctx)
		}, func(l *ent.ChannelLevel) error {
			return row(s.Name, l.LocationCode, l.ChannelSku, l.Sku, l.Quantity, l.PushedQuantity, string(l.Status), l.LastError, l.LastPushedAt, l.UpdatedAt)
		})
	})
}

// beyond is what comes after a row in the order of two columns. The first condition alone lets an index seek.
func beyond[P predicate.WarehouseLevel | predicate.ChannelLevel](first, second string, from, after, then func(string) P, or, and func(...P) P) P {
	return and(from(first), or(after(first), then(second)))
}

// Name is what to call the file.
func (e *Export) Name() string {
	if e.Format == enum.CSV {
		return e.Subject + ".csv"
	}
	return e.Subject + ".jsonl"
}

// ContentType is the media type of the file.
func (e *Export) ContentType() string {
	if e.Format == enum.CSV {
		return "text/csv; charset=utf-8; header=present"
	}
	return "application/jsonl; charset=utf-8"
}

// FormatOf tells a file's format by the end of its name.
func FormatOf(name string) (subject string, format enum.ImportFormat) {
	subject, end, _ := strings.Cut(name, ".")
	return subject, map[string]enum.ImportFormat{"csv": enum.CSV, "jsonl": enum.JSONLines}[end]
}
