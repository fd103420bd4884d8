// What a dashboard or partner does, with the client named on the command line: a query, a mutation, a subscription, and going on
// after the connection broke off. Prints what the subscription told as JSON. The server is told in the environment.
import { gql } from '@apollo/client/core'
import { print } from 'graphql'
import WebSocket from 'ws'
import * as clients from './clients.mjs'

const { STOCKBRIDGE_URL: url, STOCKBRIDGE_TOKEN: token, MERCHANT: merchantId, WAREHOUSE: warehouseId } = process.env
const [, , name] = process.argv
const sku = `FOR-${name}`

const check = (ok, ...words) => {
  if (!ok) throw new Error(words.map((w) => (typeof w === 'string' ? w : JSON.stringify(w))).join(' '))
}

// Sockets that this client has open, to cut them off as a lost network does.
const open = new Set()
class Cuttable extends WebSocket {
  constructor(...args) {
    super(...args)
    open.add(this)
    this.on('close', () => open.delete(this))
  }
}
const cut = () => {
  check(open.size > 0, 'no socket is open')
  for (const socket of open) socket.terminate()
}

const client = clients[name]({ url, token, webSocket: Cuttable })

const REPORT = gql`
  mutation Report($input: ReportWarehouseLevelsInput!) {
    reportWarehouseLevels(input: $input) { userErrors { code field message } }
  }
`
const report = async (available) => {
  const input = { warehouseId, complete: false, levels: [{ sku, available }] }
  const { data, errors } = await client.mutate(REPORT, { input })
  check(!errors && data.reportWarehouseLevels.userErrors.length === 0, 'report:', { data, errors })
}

// A query, with what it must not get: another's object reads as not found, an unknown field as an error with a code.
const viewer = await client.query(gql`query Viewer { viewer { role merchants { id name } } }`, {})
check(viewer.data?.viewer.role === 'OPERATOR' && viewer.data.viewer.merchants.length === 1, 'viewer:', viewer)
const unknown = await client.query(gql`query Unknown { nothing }`, {})
check(unknown.errors?.[0]?.extensions?.code === 'GRAPHQL_VALIDATION_FAILED', 'unknown field:', unknown)

// A mutation, and one that says what the user can mend.
const CREATE = gql`
  mutation Create($input: CreateProductInput!) {
    createProduct(input: $input) { product { __typename id sku } userErrors { code field message } }
  }
`
const created = await client.mutate(CREATE, { input: { merchantId, sku } })
check(created.data?.createProduct.product?.sku === sku, 'create:', created)
const again = await client.mutate(CREATE, { input: { merchantId, sku } })
check(again.data?.createProduct.product === null && again.data.createProduct.userErrors[0].code === 'TAKEN', 'create again:', again)

// A subscription that loses nothing: it begins after the newest activity, keeps the cursor of the last one it has seen, and begins
// again after that when the connection breaks off.
const NEWEST = gql`query Newest($merchantId: ID!) { activities(first: 1, where: { merchantId: $merchantId }) { nodes { cursor } } }`
const FOLLOW = gql`
  subscription Follow($merchantId: ID!, $sku: String!, $after: String) {
    activity(merchantId: $merchantId, sku: $sku, kinds: [WAREHOUSE_LEVEL_CHANGED], after: $after) { cursor kind sku after }
  }
`
let breaks = 0
async function* follow(after, whenBroken) {
  for (;;) {
    try {
      for await (const { data, errors } of client.subscribe(FOLLOW, { merchantId, sku, after })) {
        check(!errors, 'follow:', errors)
        after = data.activity.cursor
        yield data.activity
      }
      return
    } catch (e) {
      breaks++
      check(breaks < 5, 'follow keeps breaking off:', String(e?.message ?? e), e)
      await whenBroken()
    }
  }
}

const newest = await client.query(NEWEST, { merchantId })
// Nothing need have happened yet; then the first report makes a beginning.
if (newest.data.activities.nodes.length === 0) await report(1000)
const start = (newest.data.activities.nodes[0] ?? (await client.query(NEWEST, { merchantId })).data.activities.nodes[0]).cursor

const seen = []
await report(1)
for await (const a of follow(start, async () => { for (const n of [3, 4, 5]) await report(n) })) {
  check(a.sku === sku && a.after === seen.length + 1, 'want', seen.length + 1, 'have', a)
  seen.push(a)
  if (seen.length === 1) await report(2)
  if (seen.length === 2) name === 'sse' ? client.cut() : cut()
  if (seen.length === 5) await report(6)
  if (seen.length === 6) break
}
check(breaks === 1, 'the connection broke off', breaks, 'times')
await client.close()
console.log(JSON.stringify({ document: print(FOLLOW), start, seen }))
