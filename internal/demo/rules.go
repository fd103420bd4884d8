package demo

import (
	"fmt"
	"maps"
	"strings"
)

// The stores, in the order of their connections' priority.
const (
	webShop     = iota // all under the warehouse's own SKUs, and the bundle
	marketplace        // what is listed there, under SKUs of its own
	outlet             // neither e-bikes nor bikes
)

var (
	names = []string{webShop: "Web shop", marketplace: "Marketplace", outlet: "Outlet"}
	// listed are the marketplace's own SKUs.
	listed = map[string]string{"E-BIKE": "MKT-4711", "HELMET-M": "MKT-5001", "HELMET-L": "MKT-5002", "LIGHT-FRONT": "MKT-6001"}
)

// safety is the share of sellable stock, in percent, that no store gets.
const safety = 10

// takes tells whether a store takes part in the split of a SKU.
func takes(store int, sku string) bool {
	switch store {
	case marketplace:
		return listed[sku] != ""
	case outlet:
		return !strings.HasPrefix(sku, "E-") && !strings.HasSuffix(sku, "-BIKE")
	}
	return true
}

// expected is what each store should show by channel SKU, worked out once more from the rules (spec 4.3 to 4.8) for this
// one case, so that the demonstration does not believe the server that it demonstrates.
func expected(items []item) []map[string]int64 {
	shares := make([]map[string]int64, len(names)) // by warehouse SKU
	for store := range shares {
		shares[store] = map[string]int64{}
	}
	for _, i := range items {
		var takers []int
		for store := range names {
			if takes(store, i.sku) {
				takers = append(takers, store)
			}
		}
		buffer := (i.stock*safety + 99) / 100
		d, n := i.stock-buffer, int64(len(takers))
		for at, store := range takers {
			shares[store][i.sku] = d / n
			if int64(at) < d%n { // left over: one unit each, in the order of priority
				shares[store][i.sku]++
			}
		}
	}
	web := maps.Clone(shares[webShop])
	web[bundle] = min(web[bike], web[battery]/batteries)
	market := map[string]int64{}
	for sku, units := range shares[marketplace] {
		market[listed[sku]] = units
	}
	return []map[string]int64{web, market, shares[outlet]}
}

// differences tells in words where what a store shows is not what it should.
func differences(shows, should map[string]int64) []string {
	var words []string
	all := maps.Clone(should)
	maps.Copy(all, shows)
	for _, sku := range sortedKeys(all) {
		got, shown := shows[sku]
		want, due := should[sku]
		switch {
		case !shown:
			words = append(words, fmt.Sprintf("%s is not shown, should be %d", sku, want))
		case !due:
			words = append(words, fmt.Sprintf("%s is shown (%d) and should not be", sku, got))
		case got != want:
			words = append(words, fmt.Sprintf("%s shows %d, should be %d", sku, got, want))
		}
	}
	return words
}
