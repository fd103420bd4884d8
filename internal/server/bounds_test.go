package server

import (
	"fmt"
	"strings"
	"testing"
)

// spec section 6: too costly or too deep documents are refused with a code, and cheaply.
func TestDocumentBounds(t *testing.T) {
	t.Parallel()
	r := start(t, nil)
	double := func(n int) string { // every fragment spreads the next twice
		var b strings.Builder
		b.WriteString("{ ...F0 }")
		for i := range n {
			fmt.Fprintf(&b, " fragment F%d on Query { a: self { ...F%d } b: self { ...F%d } }", i, i+1, i+1)
		}
		fmt.Fprintf(&b, " fragment F%d on Query { who }", n)
		return b.String()
	}
	for name, tc := range map[string]struct{ query, code string }{
		"at the depth":            {strings.Repeat("{ self ", maxDepth-1) + "{ who }" + strings.Repeat("}", maxDepth-1), ""},
		"too deep":                {strings.Repeat("{ self ", maxDepth) + "{ who }" + strings.Repeat("}", maxDepth), "TOO_DEEP"},
		"far too deep":            {strings.Repeat("{ self ", 3000) + "{ who }" + strings.Repeat("}", 3000), "TOO_DEEP"},
		"deep through fragments":  {double(30), "TOO_DEEP"},
		"doubling fragments":      {double(15), "TOO_COMPLEX"},
		"one field repeated":      {"{" + strings.Repeat(" who", maxFields+1) + "}", "TOO_COMPLEX"},
		"as many as may be":       {"{" + strings.Repeat(" who", maxFields) + "}", ""},
		"aliases":                 {"{" + aliases(maxFields+1) + "}", "TOO_COMPLEX"},
		"an unused fragment":      {"{ who } fragment F on Query {" + strings.Repeat(" who", maxFields+1) + "}", "TOO_COMPLEX"},
		"fragments of one name":   {"{ ...F } fragment F on Query { who } fragment F on Query {" + strings.Repeat(" who", maxFields) + "}", "TOO_COMPLEX"},
		"many operations":         {strings.Repeat("query Q { who } ", maxFields+1), "TOO_COMPLEX"},
		"tokens":                  {"{ who " + strings.Repeat("@include(if: true) ", 4000) + "}", "TOO_COMPLEX"},
		"a cycle of fragments":    {"{ ...A } fragment A on Query { self { ...B } } fragment B on Query { self { ...A } }", "GRAPHQL_VALIDATION_FAILED"},
		"a fragment in itself":    {"{ ...A } fragment A on Query { ...A }", "GRAPHQL_VALIDATION_FAILED"},
		"a fragment that is none": {"{ ...A }", "GRAPHQL_VALIDATION_FAILED"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, body := r.do(t, "POST", "/graphql", quoted(tc.query), signedIn, asJSON)
			if code := codeOf(t, body); code != tc.code {
				t.Errorf("code %q, want %q: %.300s", code, tc.code, body)
			}
		})
	}
}

func aliases(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, " a%d: who", i)
	}
	return b.String()
}

// The introspection query of GraphiQL and other tools is within the bounds.
func TestIntrospectionQueryIsWithinBounds(t *testing.T) {
	t.Parallel()
	r := start(t, nil)
	typeRef := "name"
	for range 9 {
		typeRef = "kind name ofType { " + typeRef + " }"
	}
	query := `query IntrospectionQuery { __schema { description queryType { name kind } mutationType { name kind } subscriptionType { name kind }
		types { ...T } directives { name description isRepeatable locations args(includeDeprecated: true) { ...I } } } }
		fragment T on __Type { kind name description specifiedByURL isOneOf fields(includeDeprecated: true) { name description args(includeDeprecated: true) { ...I } type { ...R } isDeprecated deprecationReason }
		inputFields(includeDeprecated: true) { ...I } interfaces { ...R } enumValues(includeDeprecated: true) { name description isDeprecated deprecationReason } possibleTypes { ...R } }
		fragment I on __InputValue { name description type { ...R } defaultValue isDeprecated deprecationReason }
		fragment R on __Type { ` + typeRef + ` }`
	if _, body := r.do(t, "POST", "/graphql", quoted(query), signedIn, asJSON); codeOf(t, body) != "" {
		t.Error(body)
	}
}
