// The page holds no data. The token stays in this tab (session storage) and goes out as the Authorization header of
// requests and in connection_init of the WebSocket. A link may bring it, and a document, behind the #, which browsers do
// not send: /graphiql#token=…&query=…
'use strict';
(() => {
  const form = document.getElementById('sign-in');
  const field = document.getElementById('token');
  const said = document.getElementById('said');
  const link = new URLSearchParams(location.hash.slice(1));
  if (link.has('token')) sessionStorage.setItem('token', link.get('token'));
  if (location.hash) history.replaceState(null, '', location.pathname);

  const token = () => sessionStorage.getItem('token') || '';
  const headers = () => (token() ? { Authorization: 'Bearer ' + token() } : {});
  const url = new URL('/graphql', location.href);
  const socketURL = new URL(url);
  socketURL.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:';

  let root;
  // Making GraphiQL anew makes it read the schema anew, as whoever is signed in now.
  const show = () => {
    field.value = token();
    said.textContent = token() ? '' : 'Sign in to see the schema.';
    const wsClient = graphqlWs.createClient({ url: socketURL.href, connectionParams: headers });
    const send = GraphiQL.createFetcher({ url: url.href, wsClient });
    const fetcher = (params, opts) => send(params, { ...opts, headers: { ...headers(), ...(opts && opts.headers) } });
    if (root) root.unmount();
    root = ReactDOM.createRoot(document.getElementById('graphiql'));
    root.render(React.createElement(GraphiQL, {
      fetcher,
      query: link.get('query') || undefined,
      defaultQuery: '{ viewer { name role } }\n',
      isHeadersEditorEnabled: true,
    }));
  };
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    sessionStorage.setItem('token', field.value.trim());
    show();
  });
  show();
})();
