package server

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/gorilla/websocket"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"stockbridge/internal/fault"
)

// Media types of answers.
const (
	plainJSON   = "application/json"
	graphqlJSON = "application/graphql-response+json"
	eventStream = "text/event-stream"

	anyType, anyApplication = "*/*", "application/*" // what Accept may say
)

// graphql serves /graphql, however the client speaks: https://graphql.github.io/graphql-over-http, the distinct
// connections of graphql-sse, and graphql-transport-ws.
func (s *Server) graphql(w http.ResponseWriter, r *http.Request) {
	if s.crossOrigin(w, r, "GET, POST") {
		return
	}
	w.Header().Set("Cache-Control", "no-store")
	leave, ok := s.enter()
	if !ok {
		refuse(w, http.StatusServiceUnavailable, internal, "the server is stopping; try again")
		return
	}
	defer leave()
	if websocket.IsWebSocketUpgrade(r) {
		s.socket(w, r)
		return
	}
	ctx, secret, err := s.signIn(r.Context(), r.Header.Values("Authorization"))
	if err != nil {
		s.refuseSignIn(w, r, err)
		return
	}
	var files uploads
	defer func() { files.close() }()
	params, bad := s.params(w, r, &files)
	if bad != nil {
		refuse(w, bad.status, bad.code, bad.message)
		return
	}
	requestOf(ctx).operation = fmt.Sprintf("%.100s", params.OperationName)
	w.Header().Add("Vary", "Accept")
	accepted := accept(r.Header.Values("Accept"))
	if len(accepted) == 0 {
		refuse(w, http.StatusNotAcceptable, badRequest, "answers are application/graphql-response+json, application/json or text/event-stream: accept one of them")
		return
	}
	ctx, op, refused := s.exec.prepare(ctx, params)
	kind := ast.Query
	if op != nil {
		kind = op.Operation.Operation
	}
	switch {
	case kind == ast.Subscription && !slices.Contains(accepted, eventStream):
		s.exec.release(ctx)
		refuse(w, http.StatusNotAcceptable, badRequest, "a subscription is a stream: accept text/event-stream, or connect by WebSocket (graphql-transport-ws)")
	case kind == ast.Subscription:
		s.stream(ctx, w, secret, op)
	case kind == ast.Mutation && r.Method == http.MethodGet:
		s.exec.release(ctx)
		w.Header().Set("Allow", "POST")
		refuse(w, http.StatusMethodNotAllowed, badRequest, "GET is for queries alone: send a mutation by POST")
	default:
		// Clients of plain JSON cannot tell a proxy's 4xx from ours, so there a well-formed request is answered with 200.
		status := http.StatusBadRequest
		if refused == nil {
			refused, status = s.answer(ctx, w.Header(), r, params, op)
		} else if seconds := retryAfter(refused); seconds > 0 {
			w.Header().Set("Retry-After", strconv.FormatInt(seconds, 10))
			status = http.StatusTooManyRequests
		}
		if accepted[0] != graphqlJSON {
			status = http.StatusOK
		}
		text := encode(refused)
		if accepted[0] == eventStream {
			text = append(event(text), complete...)
		}
		w.Header().Set("Content-Type", accepted[0]+"; charset=utf-8")
		w.Header().Set("Content-Length", strconv.Itoa(len(text))) // else long answers go out in chunks
		w.WriteHeader(status)
		_, _ = w.Write(text) // a client that is gone needs no answer
	}
}

// malformed is a request that is none of GraphQL.
type malformed struct {
	status  int
	code    fault.Code
	message string
}

// document is a request of GraphQL as clients write it.
type document struct {
	Query, OperationName  *string // nil where it is left out or null
	Variables, Extensions map[string]any
}

// asks tells whether there is something to run: a text, or the hash of one.
func (d document) asks() bool {
	_, _, byHash := named(d.Extensions)
	return d.Query != nil && *d.Query != "" || byHash
}

func (d document) params(head http.Header) *graphql.RawParams {
	p := &graphql.RawParams{Variables: d.Variables, Extensions: d.Extensions, Headers: head}
	if d.Query != nil {
		p.Query = *d.Query
	}
	if d.OperationName != nil {
		p.OperationName = *d.OperationName
	}
	return p
}

// params reads the request, and the files that come with it. The message never repeats what was sent.
func (s *Server) params(w http.ResponseWriter, r *http.Request, files *uploads) (*graphql.RawParams, *malformed) {
	var raw document
	switch r.Method {
	case http.MethodGet:
		q := r.URL.Query()
		for name, to := range map[string]**string{"query": &raw.Query, "operationName": &raw.OperationName} {
			if q.Has(name) {
				*to = new(q.Get(name))
			}
		}
		for name, to := range map[string]*map[string]any{"variables": &raw.Variables, "extensions": &raw.Extensions} {
			if text := q.Get(name); text != "" {
				if err := decode(strings.NewReader(text), to); err != nil {
					return nil, &malformed{http.StatusBadRequest, badRequest, name + " is not a JSON object"}
				}
			}
		}
	case http.MethodPost:
		media, how, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
		charset, stated := how["charset"]
		if err == nil && media == "multipart/form-data" {
			if bad := s.multipart(w, r, how["boundary"], &raw, files); bad != nil {
				return nil, bad
			}
			break
		}
		if err != nil || media != plainJSON || stated && !strings.EqualFold(charset, "utf-8") || r.Header.Get("Content-Encoding") != "" {
			return nil, &malformed{http.StatusUnsupportedMediaType, badRequest, "send JSON in UTF-8 with the header Content-Type: application/json, or files as multipart/form-data"}
		}
		err = decode(http.MaxBytesReader(w, r.Body, s.MaxBody), &raw)
		var large *http.MaxBytesError
		if errors.As(err, &large) {
			return nil, &malformed{http.StatusRequestEntityTooLarge, tooLarge, fmt.Sprintf("the request is larger than %d bytes; send it in parts", s.MaxBody)}
		}
		if err != nil {
			return nil, &malformed{http.StatusBadRequest, badRequest, `the body is not one JSON object {"query": "…", "operationName": "…", "variables": {…}}`}
		}
	default:
		w.Header().Set("Allow", "GET, POST, OPTIONS")
		return nil, &malformed{http.StatusMethodNotAllowed, badRequest, "use POST, or GET for queries"}
	}
	_ = http.NewResponseController(w).SetReadDeadline(time.Time{}) // from here on reading only tells whether the client is gone
	if !raw.asks() {
		return nil, &malformed{http.StatusBadRequest, badRequest, "query is missing: it holds the GraphQL document"}
	}
	return raw.params(r.Header), nil
}

// decode reads exactly one JSON value and keeps numbers as they are written.
func decode(r io.Reader, into any) error {
	d := json.NewDecoder(r)
	d.UseNumber()
	if err := d.Decode(into); err != nil {
		return err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errors.Join(errors.New("more than one value"), err)
	}
	return nil
}

// accept lists the media types for an answer that the client takes and we can give, best first. A client that does not
// say takes application/json.
func accept(headers []string) []string {
	header := strings.Join(headers, ",")
	if strings.TrimSpace(header) == "" {
		return []string{plainJSON}
	}
	quality := map[string]float64{} // 0 is for what the client does not take
	var named []string
	for part := range strings.SplitSeq(header, ",") {
		name, how, err := mime.ParseMediaType(strings.TrimSpace(part))
		charset, stated := how["charset"]
		if err != nil || stated && !strings.EqualFold(charset, "utf-8") {
			continue
		}
		q := 1.0
		if text, ok := how["q"]; ok {
			if q, err = strconv.ParseFloat(text, 64); err != nil {
				continue
			}
		}
		switch name {
		case anyType, anyApplication, plainJSON, graphqlJSON, eventStream:
		default:
			continue
		}
		if _, again := quality[name]; !again {
			quality[name] = q
			named = append(named, name)
		}
	}
	isNamed := func(name string) bool { _, ok := quality[name]; return ok }
	var media []string
	for _, name := range named {
		q, meant := quality[name], []string{name}
		switch { // the more specific range decides (RFC 9110, 12.5.1); streams are for who asks for them by name
		case name == anyType && isNamed(anyApplication):
			continue
		case name == anyType || name == anyApplication:
			meant = slices.DeleteFunc([]string{plainJSON, graphqlJSON}, isNamed)
		}
		for _, name := range meant {
			if quality[name] = q; q > 0 {
				media = append(media, name)
			}
		}
	}
	slices.SortStableFunc(media, func(a, b string) int { return cmp.Compare(quality[b], quality[a]) })
	return media
}

// once runs a query or mutation within MaxTime, and settles what it cost.
func (s *Server) once(ctx context.Context, op *graphql.OperationContext) *graphql.Response {
	ctx, cancel := context.WithTimeout(ctx, s.MaxTime)
	defer cancel()
	next, ctx := s.exec.DispatchOperation(ctx, op)
	resp := next(ctx)
	if resp == nil {
		resp = &graphql.Response{}
	}
	if ctx.Err() != nil && (len(resp.Errors) > 0 || resp.Data == nil) {
		late := fail(timedOut, fmt.Sprintf("not done within %v; ask for less at once. What a mutation changed by then stays changed", s.MaxTime))
		resp.Errors = append(gqlerror.List{late}, resp.Errors...)
	}
	s.exec.settle(ctx, op, resp)
	return resp
}

// encode writes a response without reading its data once more. A request that was refused has no data entry.
func encode(resp *graphql.Response) []byte {
	out := append(make([]byte, 0, len(resp.Data)+128), '{')
	entry := func(name string, value []byte) {
		if len(out) > 1 {
			out = append(out, ',')
		}
		out = append(append(append(out, '"'), name...), `":`...)
		out = append(out, value...)
	}
	marshal := func(v any) []byte {
		b, err := json.Marshal(v)
		if err != nil {
			panic(fmt.Errorf("encode a response: %w", err)) // errors and extensions hold nothing but JSON
		}
		return b
	}
	if len(resp.Errors) > 0 {
		entry("errors", marshal(resp.Errors))
	}
	if resp.Data != nil {
		entry("data", resp.Data)
	}
	if len(resp.Extensions) > 0 {
		entry("extensions", marshal(resp.Extensions))
	}
	return append(out, '}')
}

// refuse answers a request that no operation was run for.
func refuse(w http.ResponseWriter, status int, code fault.Code, message string) {
	w.Header().Set("Content-Type", plainJSON+"; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write(encode(&graphql.Response{Errors: gqlerror.List{fail(code, message)}})) // a client that is gone needs no answer
}

// originAllowed tells whether the page that sends a request may: one of the server's own, or of Origins. Programs send
// no origin. It matters for WebSockets, which browsers let any page open.
func (s *Server) originAllowed(r *http.Request) bool {
	origin := r.Header.Get("Origin")
	_, host, _ := strings.Cut(origin, "://")
	return origin == "" || strings.EqualFold(host, r.Host) || slices.Contains(s.Origins, "*") ||
		slices.ContainsFunc(s.Origins, func(o string) bool { return strings.EqualFold(strings.TrimSuffix(o, "/"), origin) })
}

// crossOrigin lets pages of allowed origins use what is answered, and answers the question whether they may: then it is
// done.
func (s *Server) crossOrigin(w http.ResponseWriter, r *http.Request, methods string) (done bool) {
	if origin := r.Header.Get("Origin"); origin != "" && s.originAllowed(r) {
		w.Header().Set("Access-Control-Allow-Origin", origin)
		w.Header().Set("Access-Control-Expose-Headers", replayedHeader+", Retry-After")
	}
	w.Header().Add("Vary", "Origin")
	if r.Method != http.MethodOptions {
		return false
	}
	w.Header().Set("Access-Control-Allow-Methods", methods)
	w.Header().Set("Access-Control-Allow-Headers", "Authorization, Content-Type, Accept, Last-Event-ID, "+keyHeader)
	w.Header().Set("Access-Control-Max-Age", "600")
	w.Header().Set("Allow", methods+", OPTIONS")
	w.WriteHeader(http.StatusNoContent)
	return true
}
