package platform

import (
	"encoding/json"
	"fmt"
	"slices"

	"stockbridge/ent/schema/enum"
)

// kind is what is to be known of a platform's settings without looking into them. Settings are JSON with the names of the
// API's input, and those are the names of the leaf package's Config.
type kind struct {
	platform enum.Platform
	field    string   // of the API's input, and of Store or Warehouse
	secrets  []string // sealed, and never shown
	// leads are the settings that say where secrets go. Only while they lead to the same place does an update that leaves a secret out
	// keep it: a credential never goes to another host than the one it was entered for (spec 5.2).
	leads []string
	pins  []string // in the open, but kept and forgotten as secrets are
	unset fields   // what a setting is that nobody set, where that is not the zero value of the leaf package's Config
	brief bool     // every use connects by itself: what it has is a session, which does not last until the next
}

var truth = json.RawMessage("true")

// stores are the platforms of stores.
var stores = []kind{
	{platform: enum.HTTP, field: "http", secrets: []string{"token", "signingSecret"}, leads: []string{"url"}},
	{platform: enum.FileExchange, field: "fileExchange", secrets: []string{"password", "privateKey", "passphrase"}, leads: []string{"url"}, pins: []string{"hostKey"}, brief: true},
	{platform: enum.Shopify, field: "shopify", secrets: []string{"accessToken"}, leads: []string{"shop", "endpoint"}},
	{platform: enum.WooCommerce, field: "wooCommerce", secrets: []string{"consumerKey", "consumerSecret"}, leads: []string{"url"}},
	{platform: enum.BigCommerce, field: "bigCommerce", secrets: []string{"accessToken"}, leads: []string{"storeHash", "endpoint"}},
	{platform: enum.Vendure, field: "vendure", secrets: []string{"password", "apiKey"}, leads: []string{"url"}},
	{platform: enum.Medusa, field: "medusa", secrets: []string{"secretKey"}, leads: []string{"url"}},
	{platform: enum.Saleor, field: "saleor", secrets: []string{"token"}, leads: []string{"url"}},
	{platform: enum.Amazon, field: "amazon", secrets: []string{"clientSecret", "refreshToken"}, leads: []string{"endpoint", "tokenEndpoint"}},
}

// warehouses are the platforms of warehouses.
var warehouses = []kind{
	{platform: enum.FileExchange, field: "fileExchange", secrets: []string{"password", "privateKey", "passphrase"}, leads: []string{"url"}, pins: []string{"hostKey"}, brief: true},
	{platform: enum.HTTP, field: "http", secrets: []string{"token"}, leads: []string{"url"}, brief: true},
	{platform: enum.Push, field: "push", brief: true},
	{platform: enum.Extensiv, field: "extensiv", secrets: []string{"clientSecret"}, leads: []string{"endpoint"}},
	{platform: enum.ShipHero, field: "shipHero", secrets: []string{"refreshToken", "accessToken"}, leads: []string{"endpoint"}, unset: fields{"snapshot": truth}},
	{platform: enum.ShipBob, field: "shipBob", secrets: []string{"token"}, leads: []string{"endpoint"}, unset: fields{"byLocation": truth}},
	{platform: enum.Tryton, field: "tryton", secrets: []string{"password"}, leads: []string{"url"}},
}

// side is what tells stores from warehouses.
type side struct {
	name  string // for words, and a part of what ties secrets to their place
	kinds []kind
}

var (
	storeSide     = side{"store", stores}
	warehouseSide = side{"warehouse", warehouses}
)

// place ties sealed secrets to what they are for and whose they are.
func (s side) place(merchantID int64) string {
	return fmt.Sprintf("%s of merchant %d", s.name, merchantID)
}

func (s side) kind(platform enum.Platform) (kind, error) {
	i := slices.IndexFunc(s.kinds, func(k kind) bool { return k.platform == platform })
	if i < 0 {
		return kind{}, fmt.Errorf("a %s has the unknown platform %q", s.name, platform)
	}
	return s.kinds[i], nil
}
