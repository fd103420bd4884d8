package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/parser"

	"stockbridge/internal/database/dbtest"
)

// Every GraphQL block of the guide runs, on a server with a small world: with the variables of a JSON block that follows,
// in which "$merchant", "$MERCHANT" or "<merchantId>" stands for the id of the world's merchant, and so on (names). Blocks of a page
// run in order. None may end with errors or user errors. A JSON block that begins with "data" is what is
// answered, at the least. Subscriptions must deliver something when the warehouse reports.
func TestGuide(t *testing.T) {
	t.Parallel()
	pages, err := filepath.Glob("../../docs/guide/*.md")
	if err != nil || len(pages) == 0 {
		t.Fatal("no pages", err)
	}
	for _, page := range pages {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		examples := examplesOf(t, string(text))
		if len(examples) == 0 {
			continue
		}
		t.Run(filepath.Base(page), func(t *testing.T) {
			t.Parallel()
			g := newGuide(t)
			for _, e := range examples {
				g.run(t, e)
			}
		})
	}
}

// example is a document of a page.
type example struct {
	query     string
	variables string // "" is none
	answer    string // "" is not said
}

var fenced = regexp.MustCompile("(?ms)^```([a-z]*)[^\n]*\n(.*?)^```$")

func examplesOf(t *testing.T, page string) (all []example) {
	t.Helper()
	follows := false // a GraphQL block
	for _, block := range fenced.FindAllStringSubmatch(page, -1) {
		language, text := block[1], strings.TrimSpace(block[2])
		switch {
		case language == "graphql":
			all = append(all, example{query: text})
		case language != "json" || !follows:
		case strings.HasPrefix(text, `{"data"`):
			all[len(all)-1].answer = text
		default:
			all[len(all)-1].variables = text
		}
		follows = language == "graphql" || language == "json" && follows
	}
	return all
}

// guide is the world that pages speak of: a PUSH warehouse that feeds a store with HELMET, BELL and a bundle of both.
type guide struct {
	*instance
	names map[string]string
}

func newGuide(t *testing.T) *guide {
	t.Helper()
	s := serve(t, dbtest.URL(t, "sqlite"), "--admin-token", adminToken, "--allow-private-endpoints")
	merchant, warehouse, store, connection := s.connect(t, openShop(t, nil))
	g := &guide{s, map[string]string{"merchant": merchant, "warehouse": warehouse, "store": store, "connection": connection, "sku": "HELMET"}}
	g.names["product"] = s.change(t, "createProduct", "product", map[string]any{"merchantId": merchant, "sku": "HELMET", "name": "Helmet"})
	s.change(t, "createProduct", "product", map[string]any{"merchantId": merchant, "sku": "BELL"})
	g.names["bundle"] = s.change(t, "createProduct", "product", map[string]any{"merchantId": merchant, "sku": "BIKE-SET", "components": []any{map[string]any{"sku": "HELMET", "quantity": 1}, map[string]any{"sku": "BELL", "quantity": 2}}})
	g.names["listing"] = s.change(t, "createListing", "listing", map[string]any{"storeId": store, "sku": "BIKE-SET", "channelSku": "SET-1"})
	g.names["strategy"] = s.change(t, "createPartitionStrategy", "partitionStrategy", map[string]any{"warehouseId": warehouse, "name": "Even", "distribution": "EQUAL"})
	g.names["import"] = s.change(t, "importCatalog", "import", map[string]any{"merchantId": merchant, "kind": "PRODUCTS", "text": "sku\nBELL\n"})
	s.report(t, warehouse, "HELMET", 12)
	s.report(t, warehouse, "BELL", 30)
	g.names["run"] = s.change(t, "startSync", "run", map[string]any{"connectionId": connection, "mode": "SMART"})
	var levels struct {
		ChannelLevels, WarehouseLevels struct{ Nodes []struct{ ID string } }
	}
	s.ask(t, &levels, "{ channelLevels(first: 1) { nodes { id } } warehouseLevels(first: 1) { nodes { id } } }", nil)
	g.names["channellevel"], g.names["warehouselevel"] = levels.ChannelLevels.Nodes[0].ID, levels.WarehouseLevels.Nodes[0].ID
	return g
}

var placeholder = regexp.MustCompile(`"(?:\$[A-Za-z_]+|<[A-Za-z_]+>)"`)

// fill writes the world's ids into a text.
func (g *guide) fill(t *testing.T, text string) string {
	t.Helper()
	return placeholder.ReplaceAllStringFunc(text, func(s string) string {
		name := strings.ToLower(strings.ReplaceAll(strings.Trim(s, `"$<>`), "_", ""))
		id, ok := g.names[strings.TrimSuffix(name, "id")]
		if !ok {
			t.Fatalf("the world has no %s", s)
		}
		return `"` + id + `"`
	})
}

func (g *guide) run(t *testing.T, e example) {
	t.Helper()
	query := g.fill(t, e.query)
	doc, perr := parser.ParseQuery(&ast.Source{Input: query})
	if perr != nil || len(doc.Operations) != 1 {
		t.Fatalf("want one operation: %v\n%s", perr, query)
	}
	var variables map[string]any
	if e.variables != "" {
		if err := json.Unmarshal([]byte(g.fill(t, e.variables)), &variables); err != nil {
			t.Fatalf("variables: %v\n%s", err, e.variables)
		}
	}
	var data any
	if doc.Operations[0].Operation == ast.Subscription {
		data = g.deliver(t, query, variables)
	} else {
		g.ask(t, &data, query, variables)
	}
	if faults := userErrors(data); len(faults) > 0 {
		t.Errorf("%s\nanswers %v", query, faults)
	}
	if e.answer == "" {
		return
	}
	var want struct{ Data any }
	if err := json.Unmarshal([]byte(g.fill(t, e.answer)), &want); err != nil {
		t.Fatalf("answer: %v\n%s", err, e.answer)
	}
	if !holds(data, want.Data) {
		t.Errorf("%s\nanswers %v\nthe page says %v", query, data, want.Data)
	}
}

// deliver is the first data of a subscription, the warehouse reporting something new as soon as it began.
func (g *guide) deliver(t *testing.T, query string, variables map[string]any) any {
	t.Helper()
	late := time.AfterFunc(time.Minute, func() { _ = g.stop() })
	defer late.Stop()
	s := g.listen(t, query, variables)
	g.report(t, g.names["warehouse"], g.names["sku"], 1000+len(query))
	g.sync(t, g.names["connection"])
	for s.Scan() {
		text, ok := bytes.CutPrefix(s.Bytes(), []byte("data: "))
		if !ok {
			continue
		}
		var got struct {
			Data   any
			Errors []any
		}
		if err := json.Unmarshal(text, &got); err != nil || len(got.Errors) > 0 {
			t.Fatalf("%s\ndelivers %s: %v", query, text, err)
		}
		return got.Data
	}
	t.Fatalf("%s\ndelivers nothing: %v", query, context.Cause(t.Context()))
	return nil
}

// userErrors are those anywhere in an answer.
func userErrors(v any) (all []any) {
	switch v := v.(type) {
	case map[string]any:
		for name, field := range v {
			if list, ok := field.([]any); ok && name == "userErrors" {
				all = append(all, list...)
			} else {
				all = append(all, userErrors(field)...)
			}
		}
	case []any:
		for _, item := range v {
			all = append(all, userErrors(item)...)
		}
	}
	return all
}

// holds tells whether an answer has all that a page says of it; "…" is any text.
func holds(got, want any) bool {
	switch want := want.(type) {
	case map[string]any:
		object, ok := got.(map[string]any)
		for name, field := range want {
			ok = ok && holds(object[name], field)
		}
		return ok
	case []any:
		list, ok := got.([]any)
		ok = ok && len(list) == len(want)
		for n := 0; ok && n < len(want); n++ {
			ok = holds(list[n], want[n])
		}
		return ok
	case string:
		text, ok := got.(string)
		return ok && (want == "…" || text == want)
	}
	return got == want
}
