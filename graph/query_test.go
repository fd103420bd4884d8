package graph_test

import "testing"

// spec 5: every list, every nested object.
func TestQueries(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.tenants()
		a := w.ask(admin, `{ viewer { name role merchants { name } }
			merchants(where: {name: {prefix: "A"}}) { nodes { id name version createdAt } totalCount pageInfo { hasNextPage startCursor } }
			warehouses { edges { cursor node { id name platform settings { __typename ... on PushWarehouseSettings { note } ... on FileExchangeWarehouseSettings { url username hasPassword complete columns { sku } afterImport files } } facilities { code } connections { name } partitionStrategies { name buffer { percentage quantity } shares { store { name } weight } } } } }
			stores { nodes { name settings { __typename ... on HttpStoreSettings { url hasToken hasSigningSecret batchSize concurrency requestsPerSecond } } limits { pattern action } locations { code name } } }
			connections { nodes { name warehouse { name } store { name } locationLinks { facility { code } location { code } } schedules { mode rules { type every } nextRunAt } lastRun { id status } } }
			products { nodes { sku components { product { sku } quantity } listings { channelSku store { name } } } }
			syncRuns { nodes { status error problems(first: 5) { nodes { kind line sku message } totalCount } } }
			tokens { nodes { name role hint merchants { name } expiresAt } }
			channelLevels { nodes { channelSku quantity status lastError product { sku } listing { channelSku } location { code } } }
			warehouseLevels { nodes { sku available onHand product { name } facility { code } } }
			activities { nodes { cursor kind sku before after run { status } } }
		}`)
		t.Log(a.raw)
		t.Log(w.log)
	})
}
