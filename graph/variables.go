package graph

import (
	"fmt"
	"slices"

	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"github.com/99designs/gqlgen/graphql/errcode"
)

// checkVariables refuses what the validator lets through in variables, though not in documents: values of enums in
// another case, and objects of @oneOf types with none of their fields, several, or null.
func checkVariables(schema *ast.Schema, op *ast.OperationDefinition, values map[string]any) error {
	for _, v := range op.VariableDefinitions {
		path := ast.Path{ast.PathName("variable"), ast.PathName(v.Variable)}
		if value, ok := values[v.Variable]; ok {
			if err := checkValue(schema, path, v.Type, value); err != nil {
				return err
			}
		}
	}
	return nil
}

func checkValue(schema *ast.Schema, path ast.Path, typ *ast.Type, value any) error {
	if value == nil {
		return nil
	}
	if typ.Elem != nil {
		items, ok := value.([]any)
		if !ok {
			return checkValue(schema, path, typ.Elem, value)
		}
		for i, item := range items {
			if err := checkValue(schema, append(slices.Clip(path), ast.PathIndex(i)), typ.Elem, item); err != nil {
				return err
			}
		}
		return nil
	}
	def := schema.Types[typ.NamedType]
	switch def.Kind {
	case ast.Enum:
		if def.EnumValues.ForName(fmt.Sprint(value)) == nil {
			return variableFault(path, "%.80q is not a value of %s", fmt.Sprint(value), def.Name)
		}
	case ast.InputObject:
		fields, ok := value.(map[string]any)
		if !ok {
			return variableFault(path, "an object of type %s is needed", def.Name)
		}
		if def.Directives.ForName("oneOf") != nil {
			if len(fields) != 1 {
				return variableFault(path, "exactly one field of %s is needed", def.Name)
			}
			for name, v := range fields {
				if v == nil {
					return variableFault(append(slices.Clip(path), ast.PathName(name)), "null is no choice for the one field of %s", def.Name)
				}
			}
		}
		for _, f := range def.Fields {
			if v, ok := fields[f.Name]; ok {
				if err := checkValue(schema, append(slices.Clip(path), ast.PathName(f.Name)), f.Type, v); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

func variableFault(path ast.Path, format string, args ...any) error {
	err := gqlerror.ErrorPathf(path, format, args...)
	errcode.Set(err, errcode.ValidationFailed)
	return err
}
