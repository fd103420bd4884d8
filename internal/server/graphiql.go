package server

import (
	"embed"
	"io/fs"
	"net/http"
)

// page is GraphiQL and what it needs, so that nothing is loaded from elsewhere: graphiql 3.9.0, react and react-dom
// 18.3.1, graphql-ws 6.4.2, as their npm packages have them, with their licences in graphiql/assets/LICENSES.
//
//go:embed graphiql
var page embed.FS

// graphiql serves the page and its assets. They hold no data: the page asks for a token.
func (s *Server) graphiql(w http.ResponseWriter, r *http.Request) {
	// GraphiQL's editor sets styles on elements; scripts and connections are ours alone.
	w.Header().Set("Content-Security-Policy", "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; font-src data:; img-src 'self' data:; "+
		"connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'")
	w.Header().Set("Cache-Control", "no-cache") // a newer server may have newer ones
	name := r.PathValue("asset")
	for _, path := range []string{"graphiql/assets/" + name, "graphiql/" + name} {
		if info, err := fs.Stat(page, path); name != "" && err == nil && !info.IsDir() {
			http.ServeFileFS(w, r, page, path)
			return
		}
	}
	if name != "" {
		http.NotFound(w, r)
		return
	}
	http.ServeFileFS(w, r, page, "graphiql/index.html")
}
