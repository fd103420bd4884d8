package inventory_test

import (
	"testing"

	"stockbridge/internal/inventory"
)

// TestText shows the sentence that a support agent reads (spec 2.4).
func TestText(t *testing.T) {
	t.Parallel()
	three := []inventory.Connection{connect(1, 1, 1), connect(2, 1, 2), connect(3, 1, 3)}
	tenth := inventory.Buffer{Kind: inventory.PercentageBuffer, Percentage: 10_00}
	capped := list(1, 1, "A", "X")
	capped.MaxQuantity = new(int64(5))
	for name, tt := range map[string]struct {
		world      world
		location   string
		channelSKU string
		want       string
	}{
		"strategy": {
			world:      world{setup: feeding(1, 3, &inventory.Strategy{Buffer: tenth}, three...), levels: []inventory.Level{available(1, "", "A", 40)}},
			channelSKU: "A",
			want:       "12 because MAIN reports 40 available, 10% (4) is held back, and 36 are split equally among 3 stores, of which Web gets 12.",
		},
		"too few": {
			world:      world{setup: feeding(1, 3, &inventory.Strategy{Buffer: tenth, MinimumDistributable: 5}, three...), levels: []inventory.Level{available(1, "", "A", 2)}},
			channelSKU: "A",
			want:       "0 because MAIN reports 2 available, 10% (1) is held back, and 1 is left where no store gets any below 5.",
		},
		"two warehouses and a cap": {
			world: world{
				setup:   feeding(2, 1, nil, connect(1, 1, 1), connect(2, 2, 1)),
				catalog: inventory.Catalog{Listings: []inventory.Listing{capped}},
				levels: []inventory.Level{
					{Warehouse: 1, Facility: "EAST", SKU: "A", OnHand: inventory.Units(9)}, {Warehouse: 1, Facility: "WEST", SKU: "A", OnHand: inventory.Units(-2)},
				},
			},
			channelSKU: "X",
			want:       "5, the most that the listing may show of 7, because MAIN reports 7 on hand in 2 facilities, all of which Web gets; SPARE reports no A that Web draws on.",
		},
		"facilities": {
			world: world{
				setup: feeding(1, 2, &inventory.Strategy{Distribution: inventory.Fixed, Buffer: inventory.Buffer{Kind: inventory.FixedQuantityBuffer, Quantity: 1}, Shares: []inventory.Share{
					{Store: 1, Quantity: new(int64(3))},
				}}, connect(1, 1, 1, inventory.Link{Facility: "EAST", Location: "L1"}, inventory.Link{Facility: "WEST", Location: "L1"}), connect(2, 1, 2)),
				levels: []inventory.Level{available(1, "EAST", "A", 9), available(1, "WEST", "A", -1)},
			},
			location: "L1", channelSKU: "A",
			want: "3 because MAIN at EAST reports 9 available, a buffer of 1 is held back, and 8 are shared out in fixed quantities in order of priority among 2 stores, of which Web gets 3, " +
				"MAIN at WEST reports -1 available (counted as 0), and 0 are shared out in fixed quantities in order of priority among 2 stores, of which Web gets 0.",
		},
		"bundle": {
			world: world{
				setup:   feeding(1, 1, nil, connect(1, 1, 1)),
				catalog: inventory.Catalog{Products: bike, Listings: []inventory.Listing{list(1, 1, "BIKE", "SET")}},
				levels:  []inventory.Level{available(1, "", "FRAME", 10), available(1, "", "WHEEL", 7)},
			},
			channelSKU: "SET",
			want:       "3 because MAIN makes 3 of the bundle: WHEEL limits it (7 ÷ 2: MAIN reports 7 available, all of which Web gets), FRAME would make 10 (10 ÷ 1).",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e, found := inventory.NewRules(tt.world.setup).Explain(tt.world.catalog, tt.world.levels, 1, tt.location, tt.channelSKU)
			if !found {
				t.Fatal("there is no such target")
			}
			names := inventory.Names{
				Warehouse: func(id int64) string { return []string{"MAIN", "SPARE"}[id-1] },
				Store:     func(int64) string { return "Web" },
			}
			if got := e.Text(names); got != tt.want {
				t.Errorf("\n got %s\nwant %s", got, tt.want)
			}
		})
	}
}
