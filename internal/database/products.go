package database

// CreateProduct is a new catalog record: a bundle if it has components.
type CreateProduct struct {
	MerchantID int64
	SKU        string  // 1 to 255 bytes, unique in the merchant's catalog
	Name       string  // up to 255 bytes
	UPC        *string // up to 64 bytes
	ImageURL   *string // http or https, up to 2,048 bytes
	Components []Component
}

// Component is a product that a bundle holds Quantity of. It is no bundle itself.
type Component struct {
	SKU      string // of a product the merchant has
	Quantity int64  // 1 to 1,000,000
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
