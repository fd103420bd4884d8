package inventory_test

import (
	"encoding/json"
	"os"
	"testing"

	"stockbridge/internal/inventory"
)

// vector is a worked case of spec section 4, as testdata/levels.json writes it. What it
// leaves out has the default of the spec.
type vector struct {
	Name  string `json:"name"`
	World struct {
		Warehouses []struct {
			ID             string                   `json:"id"`
			QuantitySource inventory.QuantitySource `json:"quantitySource"`
		} `json:"warehouses"`
		Stores []struct {
			ID     string            `json:"id"`
			Scope  inventory.Scope   `json:"scope"`
			Limits []inventory.Limit `json:"limits"`
		} `json:"stores"`
		Connections []struct {
			Warehouse        string           `json:"warehouse"`
			Store            string           `json:"store"`
			Priority         int              `json:"priority"`
			Enabled          *bool            `json:"enabled"`
			InventoryEnabled *bool            `json:"inventoryEnabled"`
			LocationLinks    []inventory.Link `json:"locationLinks"`
		} `json:"connections"`
		Products []inventory.Product `json:"products"`
		Listings []struct {
			Store            string `json:"store"`
			Product          string `json:"product"`
			ChannelSKU       string `json:"channelSku"`
			InventoryEnabled *bool  `json:"inventoryEnabled"`
			MaxQuantity      *int64 `json:"maxQuantity"`
		} `json:"listings"`
		Levels []struct {
			Warehouse string  `json:"warehouse"`
			Facility  *string `json:"facility"`
			SKU       string  `json:"sku"`
			Available *int64  `json:"available"`
			OnHand    *int64  `json:"onHand"`
			Committed *int64  `json:"committed"`
		} `json:"levels"`
		Strategies []struct {
			Warehouse string `json:"warehouse"`
			Active    *bool  `json:"active"`
			Buffer    *struct {
				Type       inventory.BufferKind `json:"type"`
				Percentage string               `json:"percentage"`
				Quantity   int64                `json:"quantity"`
			} `json:"buffer"`
			MinimumDistributable int64                  `json:"minimumDistributable"`
			Distribution         inventory.Distribution `json:"distribution"`
			Remainder            inventory.Remainder    `json:"remainder"`
			Shares               []struct {
				Store    string `json:"store"`
				Weight   *int64 `json:"weight"`
				Cap      *int64 `json:"cap"`
				Quantity *int64 `json:"quantity"`
			} `json:"shares"`
		} `json:"strategies"`
	} `json:"world"`
	Expect []struct {
		Store      string  `json:"store"`
		Location   *string `json:"location"`
		ChannelSKU string  `json:"channelSku"`
		Quantity   int64   `json:"quantity"`
	} `json:"expect"`
}

// TestVectors holds the rules against every worked case: each level they name must come
// out, and no other.
func TestVectors(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("testdata/levels.json")
	if err != nil {
		t.Fatal(err)
	}
	var vectors []vector
	if err := json.Unmarshal(text, &vectors); err != nil {
		t.Fatal(err)
	}
	if len(vectors) == 0 {
		t.Fatal("no vectors")
	}
	for _, v := range vectors {
		t.Run(v.Name, func(t *testing.T) {
			t.Parallel()
			w, stores := v.read(t)
			got := map[place]int64{}
			for _, x := range w.plan(nil) {
				got[placeOf(x)] = x.Quantity
			}
			for _, x := range v.Expect {
				want := place{store: stores[x.Store], channelSKU: x.ChannelSKU}
				if x.Location != nil {
					want.location = *x.Location
				}
				quantity, found := got[want]
				switch {
				case !found:
					t.Errorf("missing: %s %q %s = %d", x.Store, want.location, x.ChannelSKU, x.Quantity)
				case quantity != x.Quantity:
					t.Errorf("%s %q %s = %d, want %d", x.Store, want.location, x.ChannelSKU, quantity, x.Quantity)
				}
				delete(got, want)
			}
			for p, quantity := range got {
				t.Errorf("not wanted: %+v = %d", p, quantity)
			}
		})
	}
}

// read turns a vector into a world; ids are positions, counted from 1.
func (v vector) read(t *testing.T) (world, map[string]int64) {
	t.Helper()
	var w world
	warehouses, stores := map[string]int64{}, map[string]int64{}
	for i, x := range v.World.Warehouses {
		warehouses[x.ID] = int64(i + 1)
		w.setup.Warehouses = append(w.setup.Warehouses, inventory.Warehouse{ID: int64(i + 1), Source: x.QuantitySource})
	}
	for i, x := range v.World.Stores {
		stores[x.ID] = int64(i + 1)
		w.setup.Stores = append(w.setup.Stores, inventory.Store{ID: int64(i + 1), Scope: x.Scope, Limits: x.Limits})
	}
	for i, x := range v.World.Connections {
		w.setup.Connections = append(w.setup.Connections, inventory.Connection{
			ID: int64(i + 1), Warehouse: warehouses[x.Warehouse], Store: stores[x.Store], Priority: x.Priority,
			Enabled: yes(x.Enabled), InventoryEnabled: yes(x.InventoryEnabled), Links: x.LocationLinks,
		})
	}
	w.catalog.Products = v.World.Products
	for i, x := range v.World.Listings {
		w.catalog.Listings = append(w.catalog.Listings, inventory.Listing{
			ID: int64(i + 1), Store: stores[x.Store], SKU: x.Product, ChannelSKU: x.ChannelSKU,
			InventoryEnabled: yes(x.InventoryEnabled), MaxQuantity: x.MaxQuantity,
		})
	}
	for _, x := range v.World.Levels {
		l := inventory.Level{
			Warehouse: warehouses[x.Warehouse], SKU: x.SKU,
			Available: figure(x.Available), OnHand: figure(x.OnHand), Committed: figure(x.Committed),
		}
		if x.Facility != nil {
			l.Facility = *x.Facility
		}
		w.levels = append(w.levels, l)
	}
	for _, x := range v.World.Strategies {
		if !yes(x.Active) {
			continue
		}
		s := &inventory.Strategy{MinimumDistributable: x.MinimumDistributable, Distribution: x.Distribution, Remainder: x.Remainder}
		if x.Buffer != nil {
			s.Buffer = inventory.Buffer{Kind: x.Buffer.Type, Quantity: x.Buffer.Quantity}
			if x.Buffer.Percentage != "" {
				var err error
				if s.Buffer.Percentage, err = inventory.ParsePercentage(x.Buffer.Percentage); err != nil {
					t.Fatal(err)
				}
			}
		}
		for _, share := range x.Shares {
			s.Shares = append(s.Shares, inventory.Share{Store: stores[share.Store], Weight: share.Weight, Cap: share.Cap, Quantity: share.Quantity})
		}
		w.setup.Warehouses[warehouses[x.Warehouse]-1].Strategy = s
	}
	return w, stores
}

func yes(given *bool) bool { return given == nil || *given }

func figure(units *int64) inventory.Figure {
	if units == nil {
		return inventory.Figure{}
	}
	return inventory.Units(*units)
}
