package server

import (
	"os"
	"strings"
	"testing"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2"
	"github.com/vektah/gqlparser/v2/ast"
)

// spec 5, section 6: a document that may answer too many objects is refused before it runs, however short it is.
func TestCostlyDocumentIsRefused(t *testing.T) {
	t.Parallel()
	sdl, err := os.ReadFile("../../schema.graphqls")
	if err != nil {
		t.Fatal(err)
	}
	schema := gqlparser.MustLoadSchema(&ast.Source{Input: string(sdl)})
	round := func(n int) string {
		return "{warehouses(first:1){nodes{" + strings.Repeat("connections{warehouse{", n) + "id" + strings.Repeat("}}", n) + "}}}"
	}
	for document, refused := range map[string]bool{
		`{products(first:250){nodes{sku listings{channelSku store{name}}}}}`:                                                              false,
		`{channelLevels(first:250){totalCount nodes{channelSku quantity store{name merchant{name}} location{code} listing{channelSku}}}}`: false,
		`{connections{nodes{warehouse{name} store{name locations{code}} locationLinks{facility{code} location{code}} schedules{mode}}}}`:  false,
		`{warehouses{nodes{connections{store{limits{pattern}}} partitionStrategies{shares{store{name}}}}}}`:                               false,
		`{syncRuns(first:250){nodes{problems(first:250){nodes{message}}}}}`:                                                               true,
		`query($n:Int){syncRuns(first:$n){nodes{problems(first:$n){nodes{message}}}}}`:                                                    true,
		round(2): false,
		round(4): true,
		`{warehouses{nodes{...A}}} fragment A on Warehouse{connections{warehouse{...B}}} fragment B on Warehouse{connections{warehouse{...C}}} fragment C on Warehouse{connections{warehouse{id}}}`: true,
	} {
		doc, errs := gqlparser.LoadQuery(schema, document)
		if errs != nil {
			t.Fatalf("%s: %v", document, errs)
		}
		op := &graphql.OperationContext{Operation: doc.Operations[0], Variables: map[string]any{"n": int64(250)}}
		err := checkCost(op)
		if (err != nil) != refused || err != nil && err.Extensions["code"] != string(tooComplex) {
			t.Errorf("%s: %v", document, err)
		}
	}
}
