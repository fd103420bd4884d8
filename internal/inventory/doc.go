// Package inventory holds the pure rules of spec section 4: from what warehouses
// report to what every store is to show. It has no context, clock, database or log.
package inventory
