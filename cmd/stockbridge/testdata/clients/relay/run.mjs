// Runs what relay-compiler made of app.js, and looks at what came into Relay's store.
import { createClient } from 'graphql-ws'
import relay from 'relay-runtime'
import WebSocket from 'ws'

import levelsQuery from './__generated__/appLevelsQuery.graphql.js'
import nodeQuery from './__generated__/appNodeQuery.graphql.js'
import renameMutation from './__generated__/appRenameMutation.graphql.js'
import followSubscription from './__generated__/appFollowSubscription.graphql.js'

const { commitMutation, Environment, fetchQuery, Network, Observable, RecordSource, requestSubscription, Store } = relay
const { STOCKBRIDGE_URL: url, STOCKBRIDGE_TOKEN: token, MERCHANT: merchantId, WAREHOUSE: warehouseId, PRODUCT: productId } = process.env
const check = (ok, ...words) => {
  if (!ok) throw new Error(words.map((w) => (typeof w === 'string' ? w : JSON.stringify(w))).join(' '))
}
const ask = async ({ text: query }, variables) =>
  (await fetch(url, { method: 'POST', headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' }, body: JSON.stringify({ query, variables }) })).json()
const socket = createClient({ url: url.replace(/^http/, 'ws'), webSocketImpl: WebSocket, connectionParams: { Authorization: `Bearer ${token}` } })
const follow = ({ text: query }, variables) => Observable.create((sink) => socket.subscribe({ query, variables }, sink))
const environment = new Environment({ network: Network.create(ask, follow), store: new Store(new RecordSource()) })
const stored = (id) => environment.getStore().getSource().get(id)

// Two pages of one connection, as usePaginationFragment asks for them, are one list in the store.
let after = null
for (let page = 0; page < 2; page++) {
  await fetchQuery(environment, levelsQuery, { merchantId, first: 2, after }).toPromise()
  const list = stored(`client:root:__app_warehouseLevels_connection(where:{"merchantId":"${merchantId}"})`)
  check(list, 'no connection in the store:', environment.getStore().getSource().getRecordIDs())
  const edges = list.edges.__refs.map((ref) => stored(ref))
  check(edges.length === 2 * (page + 1), 'edges:', edges)
  check(new Set(edges.map((e) => stored(e.node.__ref).sku)).size === edges.length, 'a SKU twice')
  const info = stored(list.pageInfo.__ref)
  check(info.hasNextPage === (page === 0), 'page info:', info)
  after = info.endCursor
}

await fetchQuery(environment, nodeQuery, { id: productId }).toPromise()
check(stored(productId)?.__typename === 'Product', 'node(id):', stored(productId))
await new Promise((onCompleted, onError) =>
  commitMutation(environment, { mutation: renameMutation, variables: { input: { productId, name: 'Renamed' } }, onCompleted, onError }))
check(stored(productId).name === 'Renamed', 'the mutation did not reach the store:', stored(productId))

// The subscription updates the very record that the list shows.
const report = (available) =>
  ask({ text: 'mutation($i: ReportWarehouseLevelsInput!) { reportWarehouseLevels(input: $i) { userErrors { message } } }' }, { i: { warehouseId, complete: false, levels: [{ sku: 'RELAY-1', available }] } })
let available = 76
const reporting = setInterval(() => report(++available), 100) // nothing says when a subscription has begun
const told = await new Promise((onNext, onError) => requestSubscription(environment, { subscription: followSubscription, variables: { merchantId }, onNext, onError }))
clearInterval(reporting)
const shown = environment.getStore().getSource().getRecordIDs().map(stored).filter((r) => r?.__typename === 'WarehouseLevel' && r.sku === 'RELAY-1')
check(shown.length === 1 && shown[0].available >= told.warehouseLevelChanged.available, 'the subscription did not reach the store:', shown)
await socket.dispose()
console.log('ok')
