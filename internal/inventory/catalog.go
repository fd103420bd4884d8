package inventory

// Catalog is what is known of SKUs beyond their stock.
type Catalog struct {
	Products []Product
	Listings []Listing
}

// Product is a catalog record. Only bundles need be given: other SKUs flow without one.
type Product struct {
	SKU        string      // unique
	Components []Component // none: not a bundle
}

// Component is a product that a bundle holds Quantity (≥ 1) of. It is never a bundle
// itself; were it one, its own reported figure would count.
type Component struct {
	SKU      string
	Quantity int64
}

// Listing offers a product on a store under a channel SKU, which is unique per store.
type Listing struct {
	ID               int64
	Store            int64
	SKU              string // of the product
	ChannelSKU       string
	InventoryEnabled bool
	MaxQuantity      *int64 // units, ≥ 0, per location (spec 4.11); nil: no cap
}

// Bundles tells which SKUs bear on each other through bundles.
type Bundles struct {
	components map[string][]string // by bundle
	within     map[string][]string // bundles by component
}

// NewBundles indexes the bundles among products.
func NewBundles(products []Product) *Bundles {
	b := &Bundles{components: map[string][]string{}, within: map[string][]string{}}
	for _, p := range products {
		for _, c := range p.Components {
			b.components[p.SKU] = append(b.components[p.SKU], c.SKU)
			b.within[c.SKU] = append(b.within[c.SKU], p.SKU)
		}
	}
	return b
}

// Related gives the SKUs that bear on the given ones, sorted and with them: their
// components, and the bundles that contain any of those, since a store takes part in a
// SKU through a bundle (spec 4.6).
//
// The relation holds both ways. Related(outputs) are the SKUs whose products, levels and
// listings Plan has to be given for outputs; Related(changed) are the SKUs to plan anew
// when changed are reported, listed or put together differently. (Where a listing comes,
// goes or changes its channel SKU, that channel SKU counts as changed too; where a
// bundle's components change, take Related before and after.)
func (b *Bundles) Related(skus []string) []string {
	var related []string
	for _, sku := range skus {
		related = append(append(related, sku), b.components[sku]...)
	}
	for _, sku := range related {
		related = append(related, b.within[sku]...)
	}
	return sorted(related)
}
