package database

import (
	"context"
	"fmt"
	"slices"

	"stockbridge/ent"
	"stockbridge/ent/bundlecomponent"
	"stockbridge/ent/product"
	"stockbridge/internal/fault"
)

// Component is a product that a bundle holds Quantity of. It is no bundle itself.
type Component struct {
	SKU      string // of a product the merchant has
	Quantity int64  // 1 to 1,000,000
}

// part is a Component whose product is found.
type part struct {
	product  int64
	sku      string
	quantity int64
}

func skus(parts []part) []string {
	out := make([]string, len(parts))
	for i, p := range parts {
		out[i] = p.sku
	}
	return out
}

// sameParts compares without regard to the order.
func sameParts(a, b []part) bool {
	return len(a) == len(b) && !slices.ContainsFunc(a, func(p part) bool { return !slices.Contains(b, p) })
}

// partsOf gives a product's components as they are stored.
func (t *tx) partsOf(ctx context.Context, bundle *ent.Product) ([]part, error) {
	rows, err := bundle.QueryComponents().WithComponent().Order(bundlecomponent.ByID()).All(ctx)
	if err != nil {
		return nil, err
	}
	parts := make([]part, len(rows))
	for i, r := range rows {
		parts[i] = part{r.ComponentID, r.Edges.Component.Sku, r.Quantity}
	}
	return parts, nil
}

func (t *tx) addParts(ctx context.Context, bundle *ent.Product, parts []part) error {
	return t.ent.BundleComponent.MapCreateBulk(parts, func(c *ent.BundleComponentCreate, i int) {
		c.SetMerchantID(bundle.MerchantID).SetBundleID(bundle.ID).SetComponentID(parts[i].product).SetQuantity(parts[i].quantity)
	}).Exec(ctx)
}

// candidate is a product that is to be a component.
type candidate struct {
	id         int64
	components []int64 // what it consists of, if it is a bundle
}

// parts readies what a product is to consist of, the product being called sku from now on. Its ID is 0 if it is new.
func (t *tx) parts(ctx context.Context, c *check, bundle *ent.Product, sku string, in []Component) ([]part, error) {
	parts := c.parts(in)
	if len(parts) == 0 {
		return nil, nil
	}
	products, err := t.ent.Product.Query().Where(product.MerchantID(bundle.MerchantID), product.SkuIn(skus(parts)...)).WithComponents().All(ctx)
	if err != nil {
		return nil, err
	}
	bySKU := make(map[string]candidate, len(products))
	for _, p := range products {
		x := candidate{id: p.ID}
		for _, b := range p.Edges.Components {
			x.components = append(x.components, b.ComponentID)
		}
		bySKU[p.Sku] = x
	}
	cycle := c.compose(bundle.ID, sku, parts, bySKU)
	if bundle.ID == 0 || cycle {
		return parts, nil
	}
	bundles, err := t.bundlesOf(ctx, bundle)
	c.uncontained(bundles)
	return parts, err
}

// part readies one component; at begins the names of its fields.
func (c *check) part(at string, x Component) part {
	within(c, at+"quantity", &x.Quantity, 1, 1_000_000)
	return part{sku: c.name(at+"sku", x.SKU), quantity: x.Quantity}
}

// parts readies a list of components by itself; it is nil if there are none or too many.
func (c *check) parts(in []Component) []part {
	if len(in) == 0 || !c.few("components", len(in)) {
		return nil
	}
	parts := make([]part, len(in))
	for i, x := range in {
		at := fmt.Sprintf("components.%d.", i)
		parts[i] = c.part(at, x)
		twice := func(o part) bool { return o.sku == parts[i].sku }
		if parts[i].sku != "" && slices.ContainsFunc(parts[:i], twice) {
			c.add(at+"sku", fault.Taken, "the component %.80q is named twice: name it once, with the sum of the quantities", parts[i].sku)
		}
	}
	if len(in) == 1 && in[0].Quantity == 1 {
		c.add("components", fault.BundleTooFew, "one unit of one product is no bundle: write two component units or more in total, or list the product under another channel SKU")
	}
	return parts
}

// compose finds the products of parts among the candidates, by SKU, and refuses what cannot be in the bundle with this id
// (0 if it is new) and SKU. It tells whether that is because of a cycle.
func (c *check) compose(id int64, sku string, parts []part, products map[string]candidate) (cycle bool) {
	for i, x := range parts {
		at := fmt.Sprintf("components.%d.sku", i)
		p, ok := products[x.sku]
		switch {
		case x.sku == "":
		case x.sku == sku, ok && p.id == id:
			cycle = true
			c.add(at, fault.BundleCycle, "a bundle cannot contain itself: name other products")
		case !ok:
			c.add(at, fault.NotFound, "the catalog has no product with the SKU %.80q: create it first", x.sku)
		case slices.Contains(p.components, id):
			cycle = true
			c.add(at, fault.BundleCycle, "%.80q is a bundle that contains this product: the two cannot contain each other", x.sku)
		case len(p.components) > 0:
			c.add(at, fault.BundleNested, "%.80q is a bundle, and bundles do not nest: name its components instead", x.sku)
		default:
			parts[i].product = p.id
		}
	}
	return cycle
}

// uncontained refuses a bundle that is a component of bundles; "" names none.
func (c *check) uncontained(bundles string) {
	if bundles != "" {
		c.add("components", fault.BundleNested, "the product is a component of %s, and bundles do not nest: take it out there first", bundles)
	}
}
