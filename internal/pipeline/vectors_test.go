package pipeline_test

import (
	"encoding/json"
	"maps"
	"os"
	"strconv"
	"strings"
	"testing"

	"stockbridge/ent"
	"stockbridge/ent/schema/enum"
	"stockbridge/internal/database"
	"stockbridge/internal/warehouse"
)

// vector is a worked case of spec section 4.
type vector struct {
	Name  string
	World struct {
		Warehouses []struct {
			ID             string
			QuantitySource enum.QuantitySource
		}
		Stores []struct {
			ID     string
			Scope  enum.StoreScope
			Limits []struct {
				Pattern string
				Action  enum.LimitAction
			}
		}
		Connections []struct {
			ID, Warehouse, Store      string
			Priority                  int
			Enabled, InventoryEnabled *bool
			LocationLinks             []struct{ Facility, Location string }
		}
		Products []struct {
			SKU        string
			Components []struct {
				SKU      string
				Quantity int64
			}
		}
		Listings []struct {
			Store, Product, ChannelSKU string
			InventoryEnabled           *bool
			MaxQuantity                *int64
		}
		Levels []struct {
			Warehouse, SKU               string
			Facility                     *string
			Available, OnHand, Committed *int64
		}
		Strategies []struct {
			Warehouse string
			Active    *bool
			Buffer    *struct {
				Type       string
				Percentage string
				Quantity   int64
			}
			MinimumDistributable int64
			Distribution         enum.Distribution
			Remainder            enum.Remainder
			Shares               []struct {
				Store                 string
				Weight, Cap, Quantity *int64
			}
		}
	}
	Expect []struct {
		Store, ChannelSKU string
		Location          *string
		Quantity          int64
	}
}

func vectors(t *testing.T) (all []vector) {
	t.Helper()
	raw, err := os.ReadFile("../inventory/testdata/levels.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(raw, &all); err != nil {
		t.Fatal(err)
	}
	return all
}

// spec 3.1, 3.2, 3.4, 4.1, 4.11 and the rest of section 4: every worked case, loaded through the database and the pipeline, ends in exactly the right levels, and
// its stores are told exactly these.
func TestWorkedCasesEndInTheRightLevelsAtEveryStore(t *testing.T) {
	t.Parallel()
	for i, v := range vectors(t) {
		dialects := []string{"sqlite", "postgres"}
		if testing.Short() {
			dialects = dialects[i%2:][:1]
		}
		for _, dialect := range dialects {
			t.Run(dialect+"/"+v.Name, func(t *testing.T) {
				t.Parallel()
				playVector(t, newHouse(t, dialect), v, i%2 == 0)
			})
		}
	}
}

// playVector loads a world. levelsFirst says whether stock is reported before or after the rest is set.
func playVector(t *testing.T, h *house, v vector, levelsFirst bool) {
	warehouses, stores, shops := map[string]*ent.Warehouse{}, map[string]*ent.Store{}, map[string]*shop{}
	ctx := t.Context()
	for _, w := range v.World.Warehouses {
		warehouses[w.ID] = h.warehouse(w.ID, func(in *database.CreateWarehouse) { in.QuantitySource = w.QuantitySource })
	}
	report := func() {
		rows := map[string][]warehouse.Row{}
		for _, l := range v.World.Levels {
			row := warehouse.Row{SKU: l.SKU, Available: decimal(l.Available), OnHand: decimal(l.OnHand), Committed: decimal(l.Committed)}
			if l.Facility != nil {
				row.Facility = *l.Facility
			}
			rows[l.Warehouse] = append(rows[l.Warehouse], row)
		}
		for id, rows := range rows {
			if r := h.report(warehouses[id], rows...); r.Counts.Rejected > 0 {
				t.Fatalf("rejected: %v", r.Problems)
			}
		}
	}
	if levelsFirst {
		report()
	}
	links := map[string]map[string]bool{}
	for _, c := range v.World.Connections {
		for _, l := range c.LocationLinks {
			if links[c.Store] == nil {
				links[c.Store] = map[string]bool{}
			}
			links[c.Store][l.Location] = true
		}
	}
	for _, s := range v.World.Stores {
		shops[s.ID] = newShop(t)
		stores[s.ID] = h.store(s.ID, shops[s.ID], func(in *database.CreateStore) {
			in.Scope = s.Scope
			for _, l := range s.Limits {
				in.Limits = append(in.Limits, database.Limit{Pattern: l.Pattern, Action: l.Action})
			}
			for code := range maps.Keys(links[s.ID]) {
				in.Locations = append(in.Locations, database.Location{Code: code, Name: code})
			}
		})
	}
	for _, p := range v.World.Products {
		in := database.CreateProduct{MerchantID: h.merchant, SKU: p.SKU}
		for _, c := range p.Components {
			in.Components = append(in.Components, database.Component{SKU: c.SKU, Quantity: c.Quantity})
		}
		must(h.db.CreateProduct(ctx, in))
	}
	for _, l := range v.World.Listings {
		must(h.db.CreateListing(ctx, database.CreateListing{MerchantID: h.merchant, StoreID: stores[l.Store].ID, SKU: l.Product, ChannelSKU: l.ChannelSKU, InventoryEnabled: l.InventoryEnabled, MaxQuantity: l.MaxQuantity}))
	}
	var counting []int64
	for _, c := range v.World.Connections {
		conn := must(h.db.CreateConnection(ctx, database.CreateConnection{MerchantID: h.merchant, WarehouseID: warehouses[c.Warehouse].ID, StoreID: stores[c.Store].ID, Priority: c.Priority}))
		if len(c.LocationLinks) > 0 {
			var in database.SetLocationLinks
			for _, l := range c.LocationLinks {
				in.Links = append(in.Links, database.LocationLink{FacilityCode: l.Facility, LocationCode: l.Location})
			}
			must(h.db.SetLocationLinks(ctx, h.merchant, conn.ID, in))
		}
		on := func(b *bool) bool { return b == nil || *b }
		if on(c.Enabled) {
			if _, _, err := h.db.EnableConnection(ctx, h.merchant, conn.ID); err != nil {
				t.Fatal(err)
			}
		}
		if on(c.InventoryEnabled) {
			if _, _, err := h.db.EnableInventory(ctx, h.merchant, conn.ID); err != nil {
				t.Fatal(err)
			}
		}
		if on(c.Enabled) && on(c.InventoryEnabled) {
			counting = append(counting, conn.ID)
		}
	}
	for i, s := range v.World.Strategies {
		in := database.CreatePartitionStrategy{MerchantID: h.merchant, WarehouseID: warehouses[s.Warehouse].ID, Name: strconv.Itoa(i), MinimumDistributable: s.MinimumDistributable,
			Distribution: s.Distribution, Remainder: s.Remainder, Active: s.Active == nil || *s.Active}
		if b := s.Buffer; b != nil && b.Type == "PERCENTAGE" {
			in.Buffer.BasisPoints = percentage(b.Percentage)
		} else if b != nil {
			in.Buffer.Quantity = &b.Quantity
		}
		for _, sh := range s.Shares {
			in.Shares = append(in.Shares, database.Share{StoreID: stores[sh.Store].ID, Weight: sh.Weight, Cap: sh.Cap, Quantity: sh.Quantity})
		}
		must(h.db.CreatePartitionStrategy(ctx, in))
	}
	if !levelsFirst {
		report()
	} else if _, err := h.Replan(ctx, h.merchant); err != nil {
		t.Fatal(err)
	}

	want := map[string]map[string]int64{}
	for id := range stores {
		want[id] = map[string]int64{}
	}
	for _, e := range v.Expect {
		key := e.ChannelSKU
		if e.Location != nil {
			key += "@" + *e.Location
		}
		want[e.Store][key] = e.Quantity
	}
	for id, s := range stores {
		if got := h.levels(s.ID); !maps.Equal(got, want[id]) {
			t.Errorf("levels of %s: %v, want %v", id, got, want[id])
		}
	}
	h.explained(t)
	for _, id := range counting {
		if run := h.sync(id, enum.Full); run.Status != enum.Succeeded {
			t.Errorf("sync: %s: %s", run.Status, *run.Error)
		}
	}
	for id, s := range shops {
		if got := s.showing(); !maps.Equal(got, want[id]) {
			t.Errorf("%s was told %v, want %v", id, got, want[id])
		}
	}
}

// explained checks that every level that counts is what its explanation makes of it, and that all others say why they do
// not (spec 2.4).
func (h *house) explained(t *testing.T) {
	t.Helper()
	rows := must(h.db.Reader().ChannelLevel.Query().All(t.Context()))
	for i, e := range must(h.db.Explain(t.Context(), h.merchant, rows)) {
		l := rows[i]
		begins := strconv.FormatInt(l.Quantity, 10)
		if l.Status == enum.LevelExcluded {
			begins = "Held back because "
		}
		if !e.UpToDate || (e.HeldBack != nil) != (l.Status == enum.LevelExcluded) || e.HeldBack == nil && e.Target.Quantity != l.Quantity || !strings.HasPrefix(e.Text, begins) {
			t.Errorf("%d of %s at %q (%s) is explained as: %s", l.Quantity, l.ChannelSku, l.LocationCode, l.Status, e.Text)
		}
	}
}

func decimal(n *int64) string {
	if n == nil {
		return ""
	}
	return strconv.FormatInt(*n, 10)
}
