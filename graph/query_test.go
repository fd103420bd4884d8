package graph_test

import (
	"strings"
	"testing"
)

// spec 5: "viewer: name, role, merchants".
func TestViewer(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "sqlite").tenants()
	const document = `{ viewer { name role merchants { name } } }`
	if got := brief(w.data(partner(w.beta.merchant), "viewer", document)); got != `{"merchants":[{"name":"BETA"}],"name":"Pia","role":"PARTNER"}` {
		t.Errorf("got %s", got)
	}
	if got := brief(w.data(admin, "viewer", document)); got != `{"merchants":[{"name":"ALPHA"},{"name":"BETA"}],"name":"Ada","role":"ADMIN"}` {
		t.Errorf("got %s", got)
	}
}

// spec 5.2: settings are told, secrets are not.
func TestSettings(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "sqlite").tenants()
	a := w.ask(admin, `{ warehouses(where: {name: {prefix: "ALPHA"}}) { nodes { platform settings { ... on PushWarehouseSettings { note }
		... on FileExchangeWarehouseSettings { url username hasPassword hasPrivateKey hasPassphrase hostKey complete columns { sku } afterImport files } } } }
		stores(first: 1) { nodes { platform settings { ... on HttpStoreSettings { url hasToken hasSigningSecret batchSize concurrency requestsPerSecond } } } } }`)
	for path, want := range map[string]string{
		"warehouses.nodes.0": `{"platform":"PUSH","settings":{"note":"ALPHA note"}}`,
		"warehouses.nodes.1": `{"platform":"FILE_EXCHANGE","settings":{"afterImport":"ARCHIVE","columns":null,"complete":false,"files":"out/inv_*.csv","hasPassphrase":false,"hasPassword":false,` +
			`"hasPrivateKey":false,"hostKey":null,"url":"file://` + w.files + `","username":"ALPHA user"}}`,
		"stores.nodes.0": `{"platform":"HTTP","settings":{"batchSize":250,"concurrency":4,"hasSigningSecret":true,"hasToken":true,"requestsPerSecond":null,"url":"` + w.shop.URL + `"}}`,
	} {
		if got := brief(at(a.Data, path)); got != want {
			t.Errorf("%s is %s\nwant %s", path, got, want)
		}
	}
	if strings.Contains(a.raw, "ALPHA-") {
		t.Errorf("a secret is told: %s", a.raw)
	}
}
