package server

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"
	"github.com/vektah/gqlparser/v2/validator/rules"

	"stockbridge/internal/access"
	"stockbridge/internal/fault"
)

// ours is the API's schema.
func ours(t *testing.T) *ast.Schema {
	t.Helper()
	sdl, err := os.ReadFile("../../schema.graphqls")
	if err != nil {
		t.Fatal(err)
	}
	return gqlparser.MustLoadSchema(&ast.Source{Input: string(sdl)})
}

func validated(t *testing.T, schema *ast.Schema, document string) *graphql.OperationContext {
	t.Helper()
	doc, errs := gqlparser.LoadQueryWithRules(schema, document, rules.NewDefaultRules())
	if errs != nil {
		t.Fatalf("%s: %v", document, errs)
	}
	return &graphql.OperationContext{Operation: doc.Operations[0], Variables: map[string]any{"n": int64(250)}}
}

// The formula of docs/guide/limits.md: scalars nothing, objects 1, pages 2 and their rows, mutations 10.
func TestCostOfADocument(t *testing.T) {
	t.Parallel()
	schema := ours(t)
	for document, want := range map[string]int64{
		`{__typename}`:                              1, // at the least
		`{viewer{name}}`:                            1,
		`{viewer{name merchants{name}}}`:            1 + 10,
		`{stores(first:3){nodes{name}}}`:            2 + 3,
		`{stores(last:3){edges{cursor}}}`:           2 + 3,
		`{stores(first:3){edges{node{name}}}}`:      2 + 3,
		`{stores{nodes{name} pageInfo{endCursor}}}`: 2 + 50,
		`{stores(first:3){totalCount}}`:             2 + 10,
		`{stores(first:0){nodes{name}}}`:            2 + 1,
		`{channelLevels(first:50){edges{node{id channelSku quantity product{name sku} store{name}}} pageInfo{hasNextPage endCursor}}}`: 2 + 50*3,
		`query($n:Int){stores(first:$n){nodes{merchant{name}}}}`:                                                                       2 + 250*2,
		`{stores(first:2){...A}} fragment A on StoreConnection{nodes{...B} totalCount} fragment B on Store{name merchant{name}}`:       2 + 10 + 2*2,
		`{a:viewer{name} b:viewer{name}}`:                                                                                           2,
		`{syncRuns(first:2){nodes{problems(first:5){nodes{message}}}}}`:                                                             2 + 2*(1+2+5),
		`{__schema{queryType{name}} __type(name:"Query"){name}}`:                                                                    200,
		`mutation{createMerchant(input:{name:"A"}){merchant{name} userErrors{message}}}`:                                            10 + 1,
		`mutation{a:createMerchant(input:{name:"A"}){userErrors{message}} b:createMerchant(input:{name:"B"}){userErrors{message}}}`: 20,
		`subscription{activity(merchantId:"x"){sku store{name}}}`:                                                                   10 + 1,
		`{stores(first:3){nodes{remoteLocations{code storeLocation{name}}}}}`:                                                       2 + 3*(1+500+10*2),
		`{stores(first:3){nodes{...A}}} fragment A on Store{x:remoteLocations{code} y:remoteLocations{code}}`:                       2 + 3*(1+2*(500+10)),
		`{connections(first:1){nodes{nextRuns(first:7){at}}}}`:                                                                      2 + 1 + 7,
	} {
		if got, err := checkCost(validated(t, schema, document), maxCost); err != nil || got != want {
			t.Errorf("%s costs %d, want %d (%v)", document, got, want, err)
		}
	}
}

// spec 5, section 6: a document that may answer too many objects is refused before it runs, however short it is.
func TestCostlyDocumentIsRefused(t *testing.T) {
	t.Parallel()
	schema := ours(t)
	round := func(n int) string {
		return "{warehouses(first:1){nodes{" + strings.Repeat("connections{warehouse{", n) + "id" + strings.Repeat("}}", n) + "}}}"
	}
	for document, refused := range map[string]bool{
		`{products(first:250){nodes{sku listings{channelSku store{name}}}}}`:                                                              false,
		`{channelLevels(first:250){totalCount nodes{channelSku quantity store{name merchant{name}} location{code} listing{channelSku}}}}`: false,
		`{connections{nodes{warehouse{name} store{name locations{code}} locationLinks{facility{code} location{code}} schedules{mode}}}}`:  false,
		`{warehouses{nodes{connections{store{limits{pattern}}} partitionStrategies{shares{store{name}}}}}}`:                               false,
		`{stores(first:39){nodes{remoteLocations{code}}}}`:                                                                                false,
		`{stores{nodes{remoteLocations{code}}}}`:                                                                                          true, // 50 platforms at once
		`{syncRuns(first:250){nodes{problems(first:250){nodes{message}}}}}`:                                                               true,
		`query($n:Int){syncRuns(first:$n){nodes{problems(first:$n){nodes{message}}}}}`:                                                    true,
		round(2): false,
		round(4): true,
		`{warehouses{nodes{...A}}} fragment A on Warehouse{connections{warehouse{...B}}} fragment B on Warehouse{connections{warehouse{...C}}} fragment C on Warehouse{connections{warehouse{id}}}`: true,
	} {
		_, err := checkCost(validated(t, schema, document), maxCost)
		if (err != nil) != refused || err != nil && err.Extensions["code"] != string(tooComplex) {
			t.Errorf("%s: %v", document, err)
		}
	}
}

// Fragments that spread each other twofold cost twofold at every level, and are looked at once.
func TestCostTakesTimeInProportionToTheText(t *testing.T) {
	t.Parallel()
	schema := ours(t)
	const levels = 60
	var b strings.Builder
	b.WriteString("{stores(first:1){nodes{...F0}}}")
	for i := range levels {
		fmt.Fprintf(&b, " fragment F%d on Store{...F%d ...F%d}", i, i+1, i+1)
	}
	fmt.Fprintf(&b, " fragment F%d on Store{merchant{name}}", levels)
	// Validation is not asked: it would not end, and the bounds refuse this before.
	doc, err := gqlparser.LoadQueryWithRules(schema, b.String(), rules.NewRules(rules.KnownTypeNamesRule))
	if err != nil {
		t.Fatal(err)
	}
	c := costs{fragments: map[*ast.FragmentDefinition]weight{}}
	if w := c.selections(doc.Operations[0].SelectionSet); w.fixed != enough || c.visited > 3*levels {
		t.Errorf("%+v, %d parts were looked at", w, c.visited)
	}
}

// What a page has is only counted where the page's field says how many rows it has.
func TestEveryPageHasASize(t *testing.T) {
	t.Parallel()
	for _, def := range ours(t).Types {
		for _, f := range def.Fields {
			if typ := f.Type.Name(); typ != "Connection" && strings.HasSuffix(typ, "Connection") && f.Arguments.ForName("first") == nil {
				t.Errorf("%s.%s is a page without first", def.Name, f.Name)
			}
		}
	}
}

// What was asked for and is not there costs nothing.
func TestCostOfAnAnswer(t *testing.T) {
	t.Parallel()
	schema := ours(t)
	const page = `{stores(first:3){totalCount edges{node{name ...A}} pageInfo{endCursor}}} fragment A on Store{merchant{name} limits{pattern}}`
	for _, tc := range []struct {
		document, data string
		want           int64
	}{
		{`{__typename}`, `{"__typename":"Query"}`, 1},
		{`{viewer{name}}`, `null`, 1},
		{`{viewer{name}}`, ``, 1},
		{`{viewer{name}}`, `{"viewer":{"name":"{\"viewer\":{}} \\"}}`, 1},
		{`{v:viewer{name ms:merchants{name}}}`, `{ "v" : { "name" : "a", "ms" : [ {"name":"x"} , {"name":"y"} ] } }`, 3},
		{page, `{"stores":{"totalCount":0,"edges":[],"pageInfo":{"endCursor":null}}}`, 12},
		{page, `{"stores":{"totalCount":2,"edges":[{"node":{"name":"a","merchant":{"name":"m"},"limits":[{"pattern":"*"},{"pattern":"?"}]}},{"node":{"name":"b","merchant":{"name":"m"},"limits":[]}}],"pageInfo":{"endCursor":"x"}}}`, 12 + 2*2 + 2},
		{`{stores(first:3){nodes{name} nodes{merchant{name}} x:nodes{name}}}`, `{"stores":{"nodes":[{"name":"a","merchant":{"name":"m"}}],"x":[{"name":"a"}]}}`, 2 + 2 + 1},
		{`{stores(first:3){nodes{remoteLocations{code}}}}`, `{"stores":{"nodes":[{"remoteLocations":[]},{"remoteLocations":[{"code":"a"},{"code":"b"}]}]}}`, 2 + 2*(1+500) + 2},
		{`{__schema{types{name}}}`, `{"__schema":{"types":[{"name":"A"},{"name":"B"}]}}`, 100},
		{`mutation{createMerchant(input:{name:"A"}){merchant{name} userErrors{message}}}`, `{"createMerchant":{"merchant":null,"userErrors":[{"message":"x"}]}}`, 10},
		{`mutation{createMerchant(input:{name:"A"}){merchant{name} userErrors{message}}}`, `{"createMerchant":{"merchant":{"name":"A"},"userErrors":[]}}`, 11},
	} {
		if got := spent(validated(t, schema, tc.document), []byte(tc.data), false); got != tc.want {
			t.Errorf("%s\n%s\ncosts %d, want %d", tc.document, tc.data, got, tc.want)
		}
	}
}

// Who asks platforms that fail pays for having asked; what merely failed is paid for by what is there.
func TestAskingPlatformsIsPaidThoughTheyFail(t *testing.T) {
	t.Parallel()
	schema := ours(t)
	for document, want := range map[string]int64{
		`{stores(first:3){nodes{...A}}} fragment A on Store{remoteLocations{code}}`: 2 + 3*(1+500+10),
		`{stores(first:3){nodes{merchant{name}}}}`:                                  1,
	} {
		e := &engine{budgets: newBudgets(Budget{Max: 40_000, Restore: 4000})}
		op := validated(t, schema, document)
		cost, err := checkCost(op, maxCost)
		ctx, refused := e.charge(access.With(t.Context(), &access.Viewer{TokenID: 1}), cost)
		if err != nil || refused != nil {
			t.Fatal(err, refused)
		}
		resp := &graphql.Response{Data: []byte("null"), Errors: gqlerror.List{fail(fault.Unreachable, "no answer")}}
		e.settle(ctx, op, resp)
		if told, ok := resp.Extensions["cost"].(costTold); !ok || *told.Actual != want {
			t.Errorf("%s: told %+v, want %d", document, resp.Extensions, want)
		}
	}
}

// Reading an answer ends, whatever it is.
func FuzzCostOfAnAnswer(f *testing.F) {
	for _, text := range []string{`{"a":{"who":"x"},"b":[1,{"who":null}]}`, `{`, `{"`, `{"a"`, `[`, `[}`, `{"a":tru`, `"\"`, `{"a":}`} {
		f.Add([]byte(text))
	}
	schema := newToy().schema
	doc, errs := gqlparser.LoadQueryWithRules(schema, `{a:self{who} b:self{who}}`, rules.NewDefaultRules())
	if errs != nil {
		f.Fatal(errs)
	}
	op := &graphql.OperationContext{Operation: doc.Operations[0]}
	f.Fuzz(func(t *testing.T, data []byte) {
		if cost := spent(op, data, false); cost < 1 || cost > int64(len(data)+1) {
			t.Error(cost)
		}
	})
}
