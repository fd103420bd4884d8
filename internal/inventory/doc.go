// Package inventory holds the pure rules of spec section 4: from what warehouses
// report to what every store is to show. It has no context, clock, database or log.
//
// NewRules compiles a merchant's settings once. Plan then works out targets for any
// number of SKUs, and Explain says of one target how its quantity came about, by the
// same steps:
//
//	reception  does the store receive the SKU, listed or passing through? (4.2-4.5)
//	partition  what does each unit of a warehouse's stock give the stores
//	           that take part in it? (4.6-4.10)
//	assembly   how many of a bundle do those shares make? (4.4)
//	target     the sum over the store's connections, capped (4.11)
package inventory
