package demo

import (
	"context"
	"fmt"
	"path/filepath"
)

// setUp makes everything through the API and returns the ids of the merchant and of the connections, by store.
func setUp(ctx context.Context, a api, dir string, items []item, stores []*store) (merchant string, connections []string, err error) {
	if merchant, err = a.mutate(ctx, "createMerchant", "merchant", map[string]any{"name": "Alpine Bikes"}); err != nil {
		return "", nil, err
	}
	warehouse, err := a.mutate(ctx, "createWarehouse", "warehouse", map[string]any{
		"merchantId": merchant, "name": "Valley warehouse", "platform": map[string]any{"fileExchange": map[string]any{"url": "file://" + filepath.ToSlash(dir)}},
	})
	if err != nil {
		return "", nil, err
	}
	for _, i := range items {
		if i.name == "" {
			continue
		}
		if _, err := a.mutate(ctx, "createProduct", "product", map[string]any{"merchantId": merchant, "sku": i.sku, "name": i.name}); err != nil {
			return "", nil, err
		}
	}
	if _, err := a.mutate(ctx, "createProduct", "product", map[string]any{"merchantId": merchant, "sku": bundle, "name": "E-bike with two batteries",
		"components": []any{map[string]any{"sku": bike, "quantity": 1}, map[string]any{"sku": battery, "quantity": batteries}}}); err != nil {
		return "", nil, err
	}
	for at, s := range stores {
		input := map[string]any{"merchantId": merchant, "name": s.name,
			"platform": map[string]any{"http": map[string]any{"url": s.url, "token": s.token, "signingSecret": s.secret}}}
		switch at {
		case marketplace:
			input["scope"] = "LISTED_SKUS"
		case outlet:
			input["limits"] = []any{map[string]any{"pattern": "E-*", "action": "SKIP"}, map[string]any{"pattern": "*-BIKE", "action": "SKIP"}}
		}
		id, err := a.mutate(ctx, "createStore", "store", input)
		if err != nil {
			return "", nil, err
		}
		listings := map[string]string{}
		switch at {
		case webShop:
			listings[bundle] = bundle
		case marketplace:
			listings = listed
		}
		for sku, channelSKU := range listings {
			if _, err := a.mutate(ctx, "createListing", "listing", map[string]any{"storeId": id, "sku": sku, "channelSku": channelSKU}); err != nil {
				return "", nil, err
			}
		}
		connection, err := a.mutate(ctx, "createConnection", "connection", map[string]any{"warehouseId": warehouse, "storeId": id, "priority": at})
		if err != nil {
			return "", nil, err
		}
		connections = append(connections, connection)
	}
	if _, err := a.mutate(ctx, "createPartitionStrategy", "partitionStrategy", map[string]any{"warehouseId": warehouse, "name": "Equal shares",
		"buffer": map[string]any{"percentage": fmt.Sprint(safety)}, "distribution": "EQUAL", "active": true}); err != nil {
		return "", nil, err
	}
	for _, id := range connections {
		if _, err := a.mutate(ctx, "enableConnection", "connection", map[string]any{"connectionId": id}); err != nil {
			return "", nil, err
		}
		if _, err := a.mutate(ctx, "enableInventory", "connection", map[string]any{"connectionId": id, "startFullSync": false}); err != nil {
			return "", nil, err
		}
	}
	return merchant, connections, nil
}
