package main

import (
	"strings"
	"testing"

	"stockbridge/internal/channel/vendure/vendurereal"
	"stockbridge/internal/database/dbtest"
	"stockbridge/internal/warehouse/tryton/trytonreal"
)

// spec 3.3, 3.4, 4.3, 4.4: what a real Tryton has confirmed is what a real Vendure sells: under the warehouse's SKU, under a SKU
// of the store's own, and in a bundle. What customers have ordered meanwhile is theirs.
func TestTrytonFeedsVendure(t *testing.T) {
	t.Parallel()
	erp, shop := trytonreal.Start(t), vendurereal.Start(t)
	for sku, quantity := range map[string]float64{"HELMET": 12, "BIKE": 5} {
		erp.AddProduct(sku)
		erp.SetStock(sku, quantity)
	}
	shop.SetupVariants("HELMET", "BIKE-WEB", "SET")

	s := serve(t, dbtest.URL(t, "sqlite"), "--admin-token", adminToken, "--allow-private-endpoints")
	merchant := s.change(t, "createMerchant", "merchant", map[string]any{"name": "Alpine"})
	warehouse := s.change(t, "createWarehouse", "warehouse", map[string]any{"merchantId": merchant, "name": "Tryton", "platform": map[string]any{
		"tryton": map[string]any{"url": erp.URL, "database": trytonreal.Database, "username": trytonreal.Username, "password": trytonreal.Password}}})
	store := s.change(t, "createStore", "store", map[string]any{"merchantId": merchant, "name": "Vendure", "platform": map[string]any{
		"vendure": map[string]any{"url": shop.Admin, "username": vendurereal.Username, "password": vendurereal.Password}}})
	for _, test := range []struct{ name, object, field, id string }{{"testWarehouse", "warehouse", "warehouseId", warehouse}, {"testStore", "store", "storeId", store}} {
		var got struct{ It struct{ UserErrors []any } }
		s.ask(t, &got, "mutation($id: ID!) { it: "+test.name+"(input: {"+test.field+": $id}) { userErrors { code message } } }", map[string]any{"id": test.id})
		if len(got.It.UserErrors) > 0 {
			t.Fatalf("%s: %v", test.name, got)
		}
	}
	for _, sku := range []string{"BIKE", "HELMET"} {
		s.change(t, "createProduct", "product", map[string]any{"merchantId": merchant, "sku": sku})
	}
	s.change(t, "createProduct", "product", map[string]any{"merchantId": merchant, "sku": "BIKE-SET",
		"components": []any{map[string]any{"sku": "BIKE", "quantity": 1}, map[string]any{"sku": "HELMET", "quantity": 2}}})
	s.change(t, "createListing", "listing", map[string]any{"storeId": store, "sku": "BIKE", "channelSku": "BIKE-WEB"})
	s.change(t, "createListing", "listing", map[string]any{"storeId": store, "sku": "BIKE-SET", "channelSku": "SET"})
	connection := s.change(t, "createConnection", "connection", map[string]any{"warehouseId": warehouse, "storeId": store})
	s.change(t, "enableConnection", "connection", map[string]any{"connectionId": connection})
	s.change(t, "enableInventory", "connection", map[string]any{"connectionId": connection, "startFullSync": false})

	sync := func(mode string) {
		t.Helper()
		run := s.change(t, "startSync", "run", map[string]any{"connectionId": connection, "mode": mode})
		progress := s.listen(t, "subscription($id: ID!) { syncRun(id: $id) { status } }", map[string]any{"id": run})
		for progress.Scan() && !strings.HasPrefix(progress.Text(), "event: complete") {
		}
		var got struct {
			Node struct {
				Status   string
				Error    *string
				Problems struct{ Nodes []struct{ Message string } }
			}
		}
		s.ask(t, &got, "query($id: ID!) { node(id: $id) { ... on SyncRun { status error problems(first: 5) { nodes { message } } } } }", map[string]any{"id": run})
		if got.Node.Status != "SUCCEEDED" {
			t.Fatalf("%s: %+v", mode, got)
		}
	}
	sells := func(when string, want map[string]int) {
		t.Helper()
		for sku, quantity := range want {
			if got := shop.SaleableStock(sku); int(got) != quantity {
				t.Errorf("%s the shop sells %d %s, want %d", when, int(got), sku, quantity)
			}
		}
	}
	sync("FULL")
	sells("at first", map[string]int{"HELMET": 12, "BIKE-WEB": 5, "SET": 5})

	shop.PlaceOrder("HELMET", 3) // allocated there, and not yet known here
	erp.AssignOutgoing("BIKE", 2)
	erp.SetStock("HELMET", 10)
	sync("SMART")
	sells("after orders", map[string]int{"HELMET": 10, "BIKE-WEB": 3, "SET": 3})
}
