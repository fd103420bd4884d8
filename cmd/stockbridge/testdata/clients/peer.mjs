// A server of graphql-ws that BenchmarkLive compares with: the same subscription over events that come as lines of JSON on standard
// input, handed out by SKU. It prints its port, then for each line "cpu" the processor time it has used, in microseconds.
import { createInterface } from 'node:readline';
import { buildSchema } from 'graphql';
import { useServer } from 'graphql-ws/use/ws';
import { WebSocketServer } from 'ws';

const schema = buildSchema(`
  type Query { ok: Boolean }
  type Activity { sku: String!, kind: String!, at: String!, before: Int, after: Int, cursor: String! }
  type Subscription { activity(merchantId: ID!, sku: String): Activity! }
`);

const followers = new Map(); // sets of what takes events, by SKU; '' takes all

async function* follow(sku) {
  const waiting = [];
  let wake = () => {};
  const take = (event) => {
    waiting.push(event);
    wake();
  };
  if (!followers.has(sku)) followers.set(sku, new Set());
  followers.get(sku).add(take);
  try {
    for (;;) {
      while (waiting.length > 0) yield { activity: waiting.shift() };
      await new Promise((resolve) => (wake = resolve));
    }
  } finally {
    followers.get(sku).delete(take);
  }
}

const server = new WebSocketServer({ host: '127.0.0.1', port: 0, path: '/graphql' });
useServer({ schema, roots: { subscription: { activity: ({ sku }) => follow(sku ?? '') } } }, server);
server.on('listening', () => console.log(server.address().port));

for await (const line of createInterface({ input: process.stdin })) {
  if (line === 'cpu') {
    const { user, system } = process.cpuUsage();
    console.log(user + system);
    continue;
  }
  const event = JSON.parse(line);
  for (const sku of [event.sku, '']) for (const take of followers.get(sku) ?? []) take(event);
}
process.exit(0);
