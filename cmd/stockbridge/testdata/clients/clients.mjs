// The clients, each as its documentation sets it up, behind one face: query, mutate, subscribe (an async iterable), close.
import { ApolloClient, ApolloLink, CombinedGraphQLErrors, HttpLink, InMemoryCache } from '@apollo/client/core'
import { GraphQLWsLink } from '@apollo/client/link/subscriptions'
import { OperationTypeNode, print } from 'graphql'
import { createClient as createSSE } from 'graphql-sse'
import { createClient } from 'graphql-ws'
import { Client, fetchExchange, subscriptionExchange } from 'urql'

// One request at a time over one socket, which is opened with the first subscription and never again by itself: who subscribes
// decides where to go on.
const socketOf = ({ url, token, webSocket }) =>
  createClient({ url: url.replace(/^http/, 'ws'), webSocketImpl: webSocket, retryAttempts: 0, connectionParams: { Authorization: `Bearer ${token}` } })

// What is pushed into it comes out of an async iterator; fail and end end that.
const queue = () => {
  const waiting = []
  let wake = () => {}
  const put = (item) => { waiting.push(item); wake() }
  return {
    next: (value) => put({ value }),
    error: (error) => put({ error }),
    complete: () => put({ done: true }),
    async *items(stop) {
      try {
        for (;;) {
          while (waiting.length === 0) await new Promise((resolve) => { wake = resolve })
          const { value, error, done } = waiting.shift()
          if (error) throw error
          if (done) return
          yield value
        }
      } finally {
        stop()
      }
    },
  }
}

// graphql-ws by itself carries all three kinds of operation.
export const ws = (server) => {
  const client = socketOf(server)
  const once = async (query, variables) => {
    for await (const result of client.iterate({ query: print(query), variables })) return result
  }
  return {
    query: (q, v) => once(q, v).catch((errors) => ({ errors })),
    mutate: (q, v) => once(q, v),
    subscribe: (q, variables) => client.iterate({ query: print(q), variables }),
    close: () => client.dispose(),
  }
}

export const apollo = (server) => {
  const socket = socketOf(server)
  const link = ApolloLink.split(
    ({ operationType }) => operationType === OperationTypeNode.SUBSCRIPTION,
    new GraphQLWsLink(socket),
    new HttpLink({ uri: server.url, headers: { authorization: `Bearer ${server.token}` } }),
  )
  const client = new ApolloClient({ link, cache: new InMemoryCache(), defaultOptions: { query: { fetchPolicy: 'network-only' } } })
  return {
    query: (query, variables) => client.query({ query, variables }).catch((e) => ({ errors: CombinedGraphQLErrors.is(e) ? e.errors : [e] })),
    mutate: (mutation, variables) => client.mutate({ mutation, variables }),
    subscribe: (query, variables) => {
      const q = queue()
      const subscription = client.subscribe({ query, variables }).subscribe({
        next: (result) => (result.error && !CombinedGraphQLErrors.is(result.error) ? q.error(result.error) : q.next({ data: result.data, errors: result.error?.errors })),
        error: q.error,
        complete: q.complete,
      })
      return q.items(() => subscription.unsubscribe())
    },
    close: () => { client.stop(); return socket.dispose() },
  }
}

export const urql = (server) => {
  const socket = socketOf(server)
  const client = new Client({
    url: server.url,
    preferGetMethod: false,
    fetchOptions: { headers: { authorization: `Bearer ${server.token}` } },
    exchanges: [
      fetchExchange,
      subscriptionExchange({
        forwardSubscription: (request) => ({
          subscribe: (sink) => ({ unsubscribe: socket.subscribe({ query: request.query ?? '', variables: request.variables }, sink) }),
        }),
      }),
    ],
  })
  const told = ({ data, error }) => ({ data, errors: error?.graphQLErrors?.length ? error.graphQLErrors : error ? [error] : undefined })
  return {
    query: async (q, v) => told(await client.query(q, v, { requestPolicy: 'network-only' }).toPromise()),
    mutate: async (q, v) => told(await client.mutation(q, v).toPromise()),
    subscribe: (query, variables) => {
      const q = queue()
      const { unsubscribe } = client.subscription(query, variables).subscribe(({ data, error }) => (error && !error.graphQLErrors?.length ? q.error(error) : data === undefined && error ? q.error(error) : q.next(told({ data, error }))))
      return q.items(unsubscribe)
    },
    close: () => socket.dispose(),
  }
}

// Server-sent events, each operation over a connection of its own.
export const sse = (server) => {
  let abort = new AbortController()
  const client = createSSE({
    url: server.url,
    singleConnection: false,
    retryAttempts: 0,
    headers: { Authorization: `Bearer ${server.token}` },
    fetchFn: (input, init) => fetch(input, { ...init, signal: AbortSignal.any([init.signal, abort.signal]) }),
  })
  const once = async (query, variables) => {
    for await (const result of client.iterate({ query: print(query), variables })) return result
  }
  return {
    query: (q, v) => once(q, v).catch((errors) => ({ errors })),
    mutate: (q, v) => once(q, v),
    subscribe: (q, variables) => client.iterate({ query: print(q), variables }),
    cut: () => { abort.abort(); abort = new AbortController() },
    close: () => client.dispose(),
  }
}
