// Asks the server at URL, with the bearer token TOKEN, all audits of graphql-http, and writes one JSON line for each:
// {id, name, status: ok | notice | warn | error, reason}. What they mean: https://graphql.github.io/graphql-over-http
import { auditServer } from 'graphql-http';

const { URL: url, TOKEN: token } = process.env;
const results = await auditServer({
  url,
  fetchFn: (target, init = {}) => fetch(target, { ...init, headers: { ...init.headers, authorization: `Bearer ${token}` } }),
});
for (const { id, name, status, reason } of results) {
  console.log(JSON.stringify({ id, name, status, reason }));
}
