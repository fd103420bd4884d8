package shopifytest

import (
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/parser"
	"github.com/vektah/gqlparser/v2/validator"
)

// Schema is Shopify's own schema of API 2026-10, as testdata/schema.sh fetches it: named by STOCKBRIDGE_SHOPIFY_SCHEMA, or in the
// user's cache directory. Where it is missing the test is skipped, in CI it fails.
func Schema(t testing.TB) *ast.Schema {
	t.Helper()
	path := os.Getenv("STOCKBRIDGE_SHOPIFY_SCHEMA")
	if path == "" {
		dir, err := os.UserCacheDir()
		if err != nil {
			t.Fatal(err)
		}
		path = filepath.Join(dir, "stockbridge", "admin_2026-10.json.gz")
	}
	schema, err := load(path)
	switch {
	case errors.Is(err, os.ErrNotExist) && os.Getenv("CI") != "true":
		t.Skipf("Shopify's schema is not at %s: fetch it with internal/channel/shopify/testdata/schema.sh", path)
	case err != nil:
		t.Fatal(err)
	}
	return schema
}

// introspection is the answer to an introspection query, as far as validation needs it.
type introspection struct {
	Data struct {
		Schema struct {
			QueryType, MutationType struct{ Name string }
			Types                   []*definition
			Directives              []*directive
		} `json:"__schema"`
	}
}

type definition struct {
	Kind, Name    string
	Fields        []*field
	InputFields   []*field
	Interfaces    []*typeRef
	PossibleTypes []*typeRef
	EnumValues    []struct{ Name string }
}

type directive struct {
	Name      string
	Locations []ast.DirectiveLocation
	Args      []*field
}

type field struct {
	Name         string
	Args         []*field
	Type         *typeRef
	DefaultValue *string
}

type typeRef struct {
	Kind, Name string
	OfType     *typeRef
}

// load reads a gzipped introspection into a schema to validate against.
func load(path string) (schema *ast.Schema, err error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	plain, err := gzip.NewReader(file)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	var in introspection
	if err := json.NewDecoder(plain).Decode(&in); err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	return convert(in)
}

// convert makes a schema of an introspection, which gqlparser itself does not read.
func convert(in introspection) (*ast.Schema, error) {
	c := converter{at: &ast.Position{Src: &ast.Source{Name: "introspection"}, Line: 1}}
	var doc ast.SchemaDocument
	prelude, err := parser.ParseSchema(validator.Prelude)
	if err != nil {
		return nil, err
	}
	doc.Merge(prelude)
	for _, d := range in.Data.Schema.Types {
		if !strings.HasPrefix(d.Name, "__") && prelude.Definitions.ForName(d.Name) == nil {
			doc.Definitions = append(doc.Definitions, c.definition(d))
		}
	}
	for _, d := range in.Data.Schema.Directives {
		if prelude.Directives.ForName(d.Name) == nil {
			doc.Directives = append(doc.Directives, &ast.DirectiveDefinition{Name: d.Name, Arguments: c.arguments(d.Args), Locations: d.Locations, Position: c.at})
		}
	}
	doc.Schema = ast.SchemaDefinitionList{{Position: c.at, OperationTypes: ast.OperationTypeDefinitionList{
		{Operation: ast.Query, Type: in.Data.Schema.QueryType.Name, Position: c.at},
		{Operation: ast.Mutation, Type: in.Data.Schema.MutationType.Name, Position: c.at},
	}}}
	schema, err := validator.ValidateSchemaDocument(&doc)
	return schema, errors.Join(err, c.err)
}

// converter notes the first default value that cannot be read.
type converter struct {
	at  *ast.Position
	err error
}

func (c *converter) definition(d *definition) *ast.Definition {
	def := &ast.Definition{Kind: ast.DefinitionKind(d.Kind), Name: d.Name, Position: c.at}
	for _, f := range append(d.Fields, d.InputFields...) {
		def.Fields = append(def.Fields, &ast.FieldDefinition{Name: f.Name, Arguments: c.arguments(f.Args), DefaultValue: c.value(f.DefaultValue), Type: c.typ(f.Type), Position: c.at})
	}
	for _, i := range d.Interfaces {
		def.Interfaces = append(def.Interfaces, i.Name)
	}
	if def.Kind == ast.Union {
		for _, p := range d.PossibleTypes {
			def.Types = append(def.Types, p.Name)
		}
	}
	for _, v := range d.EnumValues {
		def.EnumValues = append(def.EnumValues, &ast.EnumValueDefinition{Name: v.Name, Position: c.at})
	}
	return def
}

func (c *converter) arguments(args []*field) (list ast.ArgumentDefinitionList) {
	for _, a := range args {
		list = append(list, &ast.ArgumentDefinition{Name: a.Name, DefaultValue: c.value(a.DefaultValue), Type: c.typ(a.Type), Position: c.at})
	}
	return list
}

func (c *converter) typ(t *typeRef) *ast.Type {
	switch t.Kind {
	case "NON_NULL":
		inner := *c.typ(t.OfType)
		inner.NonNull = true
		return &inner
	case "LIST":
		return ast.ListType(c.typ(t.OfType), c.at)
	}
	return ast.NamedType(t.Name, c.at)
}

// value reads a default value, which introspection tells as GraphQL text.
func (c *converter) value(text *string) *ast.Value {
	if text == nil {
		return nil
	}
	doc, err := parser.ParseQuery(&ast.Source{Input: "{f(a:" + *text + ")}"})
	if err != nil {
		c.err = errors.Join(c.err, fmt.Errorf("default value %s: %w", *text, err))
		return nil
	}
	return doc.Operations[0].SelectionSet[0].(*ast.Field).Arguments[0].Value
}
