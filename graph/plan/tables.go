package plan

import (
	"strings"
	"unicode"
)

// tables are the types of objects that plans read, by name: nothing else is read by a plan. Their columns are named as the
// fields of the API are, in snake case.
type tables map[string]table

type table struct {
	name   string
	fields map[string]string // the columns of scalars, by field
	edges  map[string]edge   // the objects that a row leads to, by field
}

// edge leads to the one row of a type whose columns equal columns of this row.
type edge struct {
	to string
	on []pair
}

type pair struct{ own, other string }

func newTables() tables {
	scalars := func(names string) map[string]string {
		fields := map[string]string{}
		for _, name := range strings.Fields(names) {
			fields[name] = snake(name)
		}
		return fields
	}
	merchant := by("Merchant", "merchant_id")
	product := edge{"Product", []pair{{"merchant_id", "merchant_id"}, {"sku", "sku"}}}
	return tables{
		"Activity": {"", scalars("id cursor at kind sku channelSku before after message"), nil}, // read elsewhere: Object
		"ChannelLevel": {"channel_levels", scalars("id channelSku sku quantity pushedQuantity committed status lastError lastPushedAt updatedAt"), map[string]edge{
			"merchant": merchant, "store": by("Store", "store_id"), "location": by("StoreLocation", "location_id"), "listing": by("Listing", "listing_id"), "product": product}},
		"WarehouseLevel": {"warehouse_levels", scalars("id sku available onHand committed reportedAt updatedAt"), map[string]edge{
			"merchant": merchant, "warehouse": by("Warehouse", "warehouse_id"), "facility": by("Facility", "facility_id"), "product": product}},
		"Merchant": {"merchants", scalars("id name createdAt updatedAt version"), nil},
		"Warehouse": {"warehouses", scalars("id name platform quantitySource missingSkuPolicy maxDropPercent createdAt updatedAt version"), map[string]edge{
			"merchant": merchant}},
		"Facility":      {"facilities", scalars("id code createdAt"), map[string]edge{"warehouse": by("Warehouse", "warehouse_id")}},
		"Store":         {"stores", scalars("id name platform scope onExclude createdAt updatedAt version"), map[string]edge{"merchant": merchant}},
		"StoreLocation": {"store_locations", scalars("id code name"), map[string]edge{"store": by("Store", "store_id")}},
		"Product":       {"products", scalars("id sku name upc imageUrl createdAt updatedAt version"), map[string]edge{"merchant": merchant}},
		"Listing": {"listings", scalars("id channelSku inventoryEnabled maxQuantity name price weight imageUrl description createdAt updatedAt version"), map[string]edge{
			"merchant": merchant, "store": by("Store", "store_id"), "product": by("Product", "product_id")}},
	}
}

// by is the edge to the row whose id stands in a column.
func by(to, column string) edge { return edge{to, []pair{{column, "id"}}} }

// snake writes channelSku as channel_sku.
func snake(name string) string {
	var b strings.Builder
	for _, r := range name {
		if unicode.IsUpper(r) {
			b.WriteByte('_')
		}
		b.WriteRune(unicode.ToLower(r))
	}
	return b.String()
}
