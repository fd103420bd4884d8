package database

// CreateListing ties a product to a store under a channel SKU.
type CreateListing struct {
	MerchantID       int64
	StoreID          int64   // of the merchant
	SKU              string  // of a product the merchant has
	ChannelSKU       string  // up to 255 bytes, unique in the store; blank is the product's SKU
	InventoryEnabled *bool   // nil is true
	MaxQuantity      *int64  // 0 to 2³¹−1 units per location; nil is no cap
	Name             *string // up to 255 bytes
	Price            *string // a decimal in the store's currency, "19.90"
	Weight           *string // a decimal, with its unit: "1.5 kg"
	ImageURL         *string // http or https, up to 2,048 bytes
	Description      *string // up to 65,535 bytes
}

// UpdateListing changes a listing; nil leaves a field as it is.
type UpdateListing struct {
	ExpectedVersion  *int64  // the version the change was made against, else STALE_VERSION; nil is any
	SKU              *string // of another product the merchant has
	ChannelSKU       *string
	InventoryEnabled *bool
	MaxQuantity      Opt[int64]
	Name             Opt[string]
	Price            Opt[string]
	Weight           Opt[string]
	ImageURL         Opt[string]
	Description      Opt[string]
}
