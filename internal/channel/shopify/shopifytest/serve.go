package shopifytest

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strings"
	"time"

	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/parser"
	"github.com/vektah/gqlparser/v2/validator"
	"github.com/vektah/gqlparser/v2/validator/rules"
)

var path = regexp.MustCompile(`^/admin/api/(20\d\d-\d\d|unstable)/graphql\.json$`)

// problem is an error of a whole request.
type problem struct {
	Message    string         `json:"message"`
	Extensions map[string]any `json:"extensions,omitempty"`
}

func (p *problem) Error() string { return p.Message }

func problemf(code, format string, args ...any) *problem {
	return &problem{fmt.Sprintf(format, args...), map[string]any{"code": code}}
}

// asked is one request being served.
type asked struct {
	version   string
	operation *ast.OperationDefinition
	variables map[string]any
	call      Call
}

// ServeHTTP answers as Shopify does.
func (s *Shop) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // the client went away
	}
	match := path.FindStringSubmatch(r.URL.Path)
	switch {
	case match == nil || r.Method != http.MethodPost:
		reply(w, http.StatusNotFound, map[string]any{"errors": "Not Found"})
		return
	case r.Header.Get("X-Shopify-Access-Token") == "" || s.cfg.Token != "" && r.Header.Get("X-Shopify-Access-Token") != s.cfg.Token:
		reply(w, http.StatusUnauthorized, map[string]any{"errors": "[API] Invalid API key or access token (unrecognized login or wrong password)"})
		return
	case r.Header.Get("Content-Type") != "application/json":
		reply(w, http.StatusBadRequest, map[string]any{"errors": "Content-Type must be application/json"})
		return
	}
	w.Header().Set("X-Shopify-API-Version", match[1])
	a, fault := s.read(body)
	s.mu.Lock()
	s.count++
	a.version, a.call.Number = match[1], s.count
	if s.keep {
		s.calls = append(s.calls, a.call)
	}
	before, after := s.before, s.after
	s.mu.Unlock()
	if fault != nil {
		reply(w, http.StatusOK, map[string]any{"errors": []*problem{fault}})
		return
	}
	if before != nil {
		if answer := before(a.call); answer != nil {
			answer(w, r)
			return
		}
	}
	status, out := s.serve(r.Context(), a)
	if after != nil {
		if answer := after(a.call); answer != nil {
			answer(w, r)
			return
		}
	}
	reply(w, status, out)
}

func reply(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	if err := json.NewEncoder(w).Encode(v); err != nil {
		panic(http.ErrAbortHandler)
	}
}

// read parses and validates a request.
func (s *Shop) read(body []byte) (a asked, fault *problem) {
	a.call.Body = string(body)
	var in struct {
		Query     string         `json:"query"`
		Variables map[string]any `json:"variables"`
	}
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.UseNumber()
	dec.DisallowUnknownFields()
	if err := dec.Decode(&in); err != nil {
		return a, problemf("BAD_REQUEST", "%v", err)
	}
	doc, err := parser.ParseQuery(&ast.Source{Input: in.Query})
	if err != nil {
		return a, problemf("BAD_REQUEST", "syntax error: %v", err)
	}
	if len(doc.Operations) != 1 {
		return a, problemf("BAD_REQUEST", "%d operations", len(doc.Operations))
	}
	a.operation, a.variables = doc.Operations[0], in.Variables
	a.call.Operation = a.operation.Name
	if s.cfg.Schema != nil {
		if errs := validator.ValidateWithRules(s.cfg.Schema, doc, rules.NewDefaultRules()); len(errs) > 0 {
			return a, problemf("BAD_REQUEST", "against Shopify's schema: %v", errs)
		}
		// Coercion writes defaults in, so it gets a copy: whether changeFromQuantity was sent must be seen.
		if _, err := validator.VariableValues(s.cfg.Schema, a.operation, copied(in.Variables)); err != nil {
			return a, problemf("INVALID_VARIABLE", "against Shopify's schema: %v", err)
		}
	}
	for _, f := range fields(a.operation.SelectionSet) {
		if d := f.Directives.ForName("idempotent"); d != nil {
			a.call.Key, _ = argument(d.Arguments, "key", a.variables).(string)
		}
		if f.Name == "inventorySetQuantities" {
			input, _ := argument(f.Arguments, "input", a.variables).(map[string]any)
			list, _ := input["quantities"].([]any)
			for _, v := range list {
				q, _ := v.(map[string]any)
				item, _ := q["inventoryItemId"].(string)
				location, _ := q["locationId"].(string)
				a.call.Rows = append(a.call.Rows, Quantity{item, location, whole(q["quantity"])})
			}
		}
	}
	return a, nil
}

func copied(v map[string]any) map[string]any {
	raw, err := json.Marshal(v)
	if err != nil {
		return v
	}
	var c map[string]any
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	if dec.Decode(&c) != nil || c == nil {
		return map[string]any{}
	}
	return c
}

// serve takes the points, executes, and gives back what was not used.
func (s *Shop) serve(ctx context.Context, a asked) (status int, out map[string]any) {
	requested := asks(a)
	told := func(actual any) map[string]any {
		return map[string]any{"cost": map[string]any{"requestedQueryCost": requested, "actualQueryCost": actual, "throttleStatus": map[string]any{
			"maximumAvailable": s.cfg.Maximum, "currentlyAvailable": s.available, "restoreRate": s.cfg.Rate,
		}}}
	}
	if requested > 1000 {
		return http.StatusOK, map[string]any{"errors": []*problem{problemf("MAX_COST_EXCEEDED", "Query cost is %v, which exceeds the single query max cost limit (1000).", requested)}}
	}
	s.mu.Lock()
	s.refill()
	if s.available < requested {
		s.throttled++
		out = map[string]any{"errors": []*problem{problemf("THROTTLED", "Throttled")}, "extensions": told(nil)}
		s.mu.Unlock()
		return s.cfg.Status, out
	}
	s.available -= requested
	s.mu.Unlock()
	if s.cfg.Latency > 0 {
		select {
		case <-time.After(s.cfg.Latency):
		case <-ctx.Done(): // it is carried out all the same
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	data, fault := s.execute(a)
	s.refill()
	actual := 0.0
	if fault == nil {
		actual = costs(a, data)
	}
	s.available = min(s.cfg.Maximum, s.available+requested-actual)
	s.spent += actual
	if fault != nil {
		return http.StatusOK, map[string]any{"errors": []*problem{fault}, "extensions": told(actual)}
	}
	return http.StatusOK, map[string]any{"data": pick(a.operation.SelectionSet, data), "extensions": told(actual)}
}

func fields(set ast.SelectionSet) (all []*ast.Field) {
	for _, sel := range set {
		if f, ok := sel.(*ast.Field); ok {
			all = append(all, f)
		}
	}
	return all
}

func argument(list ast.ArgumentList, name string, variables map[string]any) any {
	a := list.ForName(name)
	if a == nil {
		return nil
	}
	v, err := a.Value.Value(variables)
	if err != nil {
		return nil
	}
	return v
}

// pick leaves of a value what a selection asks for.
func pick(set ast.SelectionSet, v any) any {
	switch v := v.(type) {
	case map[string]any:
		if v == nil {
			return nil
		}
		out := map[string]any{}
		for _, f := range fields(set) {
			child, ok := v[f.Name]
			if !ok {
				panic("the stand-in has no field " + f.Name + " in " + strings.Join(keys(v), ", "))
			}
			if len(f.SelectionSet) > 0 {
				child = pick(f.SelectionSet, child)
			}
			out[f.Alias] = child
		}
		return out
	case []any:
		out := make([]any, len(v))
		for n := range v {
			out[n] = pick(set, v[n])
		}
		return out
	}
	return v
}

func keys(m map[string]any) (all []string) {
	for k := range m {
		all = append(all, k)
	}
	return all
}
