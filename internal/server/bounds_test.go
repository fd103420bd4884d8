package server

import (
	"fmt"
	"strings"
	"testing"

	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/parser"
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
	nest := func(open, shut string, n int) string { return strings.Repeat(open, n) + strings.Repeat(shut, n) }
	for name, tc := range map[string]struct{ query, code string }{
		"at the depth":               {strings.Repeat("{ self ", maxDepth-1) + "{ who }" + strings.Repeat("}", maxDepth-1), ""},
		"too deep":                   {strings.Repeat("{ self ", maxDepth) + "{ who }" + strings.Repeat("}", maxDepth), "TOO_DEEP"},
		"far too deep":               {strings.Repeat("{ self ", 3000) + "{ who }" + strings.Repeat("}", 3000), "TOO_DEEP"},
		"deep through fragments":     {double(30), "TOO_DEEP"},
		"doubling fragments":         {double(15), "TOO_COMPLEX"},
		"25 doublings":               {flatDouble(25), "TOO_COMPLEX"},
		"one field repeated":         {"{ self {" + strings.Repeat(" who", maxFields) + "} }", "TOO_COMPLEX"},
		"4,000 repeats of one field": {"{" + strings.Repeat(" who", 4000) + "}", "TOO_COMPLEX"},
		"as many as may be":          {"{ self {" + strings.Repeat(" who", maxFields-1) + "} }", ""},
		"aliases":                    {"{ self {" + aliases(maxAliases+1) + "} }", "TOO_MANY_ALIASES"},
		"aliases that may be":        {"{ self {" + aliases(maxAliases) + "} }", ""},
		"aliases in fragments":       {"{ self { ...A } s: self { ...A } } fragment A on Query {" + aliases(maxAliases/2) + "}", "TOO_MANY_ALIASES"},
		"fields at the top":          {"{" + strings.Repeat(" who", maxRootFields+1) + "}", "TOO_MANY_ROOT_FIELDS"},
		"fields at the top, spread":  {"{ ...A ...A } fragment A on Query {" + strings.Repeat(" who", maxRootFields/2+1) + "}", "TOO_MANY_ROOT_FIELDS"},
		"top that may be":            {"{" + strings.Repeat(" who", maxRootFields) + "}", ""},
		"an unused fragment":         {"{ who } fragment F on Query {" + strings.Repeat(" who", maxFields+1) + "}", "TOO_COMPLEX"},
		"fragments of one name":      {"{ ...F } fragment F on Query { who } fragment F on Query {" + strings.Repeat(" who", maxFields) + "}", "TOO_COMPLEX"},
		"spreads of one fragment":    {"{" + strings.Repeat(" ...A", maxSpreads/3) + "} fragment A on Query { ... on Query { ...G } }", "TOO_MANY_FRAGMENTS"},
		"spreads of an unknown end":  {spreads(98, 4) + " fragment F98 on Query { ...G }", "TOO_MANY_FRAGMENTS"},
		"spreads that may be":        {"{ who" + strings.Repeat(" ... on Query { who }", maxRootFields-1) + strings.Repeat(" ...A", maxSpreads-maxRootFields) + "}", "GRAPHQL_VALIDATION_FAILED"},
		"a long document":            {"{ who #" + strings.Repeat("x", maxText) + "\n}", "TOO_COMPLEX"},
		"a long value":               {"{ who(a: \"" + strings.Repeat("x", maxText-100) + "\") }", "GRAPHQL_VALIDATION_FAILED"},
		"a long value multiplied":    {"{ ...A } fragment A on Query { self { ...B } ...B } fragment B on Query { self { ...C } ...C } fragment C on Query { who(a: \"" + strings.Repeat("x", maxText-1000) + "\") }", "TOO_COMPLEX"},
		"values multiplied":          {"{ a: self { ...A } } fragment A on Query {" + strings.Repeat(" ...B", 6) + "} fragment B on Query { who(a: [" + strings.Repeat("$a ", 5000) + "]) }", "TOO_COMPLEX"},
		"values of directives":       {"{ a: self { ...A } } fragment A on Query {" + strings.Repeat(" ...B", 6) + "} fragment B on Query { ...C @include(if: [" + strings.Repeat("$a ", 5000) + "]) } fragment C on Query { who }", "TOO_COMPLEX"},
		"many cycles":                {"{" + strings.Repeat(" ...F0", 4500) + "}" + rings(98, 20), "GRAPHQL_VALIDATION_FAILED"},
		"fragments":                  {"{ who }" + fragments(maxFragments+1), "TOO_MANY_FRAGMENTS"},
		"many operations":            {strings.Repeat("query Q { who } ", maxRequests+1), "TOO_MANY_OPERATIONS"},
		"tokens":                     {"{ who " + strings.Repeat("@include(if: true) ", 10_000) + "}", "TOO_COMPLEX"},
		"directives in one place":    {"{ who " + strings.Repeat("@a", 1000) + " }", "TOO_MANY_DIRECTIVES"},
		"directives on fragments":    {"{ ...F " + strings.Repeat("@a", maxDirectivesAt+1) + " } fragment F on Query { who }", "TOO_MANY_DIRECTIVES"},
		"directives on an operation": {"query " + strings.Repeat("@a", maxDirectivesAt+1) + " { who }", "TOO_MANY_DIRECTIVES"},
		"directives on a variable":   {"query($a: Int " + strings.Repeat("@a", maxDirectivesAt+1) + ") { who }", "TOO_MANY_DIRECTIVES"},
		"directives in all":          {"{ self {" + strings.Repeat(" who @include(if: true)", maxDirectives+1) + "} }", "TOO_MANY_DIRECTIVES"},
		"directives that may be":     {"{ self {" + strings.Repeat(" who @include(if: true)", maxDirectives) + "} }", ""},
		"lists in lists":             {"{ who(a: " + nest("[", "]", maxInputDepth+2) + ") }", "TOO_DEEP"},
		"objects in objects":         {"{ who(a: " + strings.Repeat("{a: ", 900) + "1" + strings.Repeat("}", 900) + ") }", "TOO_DEEP"},
		"lists in a directive":       {"{ who @include(if: " + nest("[", "]", maxInputDepth+2) + ") }", "TOO_DEEP"},
		"lists in a default":         {"query($a: [Int] = " + nest("[", "]", maxInputDepth+2) + ") { who }", "TOO_DEEP"},
		"lists beyond the parser":    {"{ who(a: " + nest("[", "]", 5000) + ") }", "TOO_DEEP"},
		"a cycle of fragments":       {"{ ...A } fragment A on Query { self { ...B } } fragment B on Query { self { ...A } }", "GRAPHQL_VALIDATION_FAILED"},
		"a fragment in itself":       {"{ ...A } fragment A on Query { ...A }", "GRAPHQL_VALIDATION_FAILED"},
		"a fragment that is none":    {"{ ...A }", "GRAPHQL_VALIDATION_FAILED"},
		"nested introspection":       {"{ __schema { types { fields { type { fields { type { fields { type { fields { name } } } } } } } } } }", "GRAPHQL_VALIDATION_FAILED"},
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

// A cycle is told of once, with its place, and not for each spread in it.
func TestCycleOfFragmentsIsToldOnce(t *testing.T) {
	t.Parallel()
	r := start(t, nil)
	_, body := r.do(t, "POST", "/graphql", quoted("{ ...A }\nfragment A on Query { self {\n ...B } }\nfragment B on Query { self { ...A ...A ...B } }"), signedIn, asJSON)
	if want := `{"errors":[{"message":"Cannot spread fragment \"A\" within itself.","locations":[{"line":4,"column":33}],"extensions":{"code":"GRAPHQL_VALIDATION_FAILED"}}]}`; body != want {
		t.Errorf("got  %s\nwant %s", body, want)
	}
}

// Whatever its form, no part of a document is looked at more than twice: as it stands, and for the first who spreads it.
func TestBoundsTakeTimeInProportionToTheText(t *testing.T) {
	t.Parallel()
	for name, query := range map[string]string{
		"doubling":   flatDouble(90),
		"a cycle":    "{ ...A } fragment A on Query { self { ...B ...B } } fragment B on Query { self { ...A ...A } }",
		"directives": "{ who " + strings.Repeat("@a(a: [1, 2, {b: 3}])", 500) + " }",
		"all spread": "{" + strings.Repeat(" ...F0", 500) + "}" + fragments(maxFragments),
	} {
		doc, err := parser.ParseQuery(&ast.Source{Input: query})
		if err != nil {
			t.Fatal(name, err)
		}
		m, _ := measured(doc)
		if m.visited > 2*len(strings.FieldsFunc(query, func(r rune) bool { return strings.ContainsRune(" {}@,:[]()", r) })) {
			t.Errorf("%s: %d parts were looked at", name, m.visited)
		}
	}
}

// Variables are bounded by the body, and told nothing of in refusals.
func TestHugeVariables(t *testing.T) {
	t.Parallel()
	r := start(t, nil)
	deep := `{"query":"query($n: Int!) { who }","variables":{"n":` + strings.Repeat("[", 9000) + strings.Repeat("]", 9000) + "}}"
	for name, tc := range map[string]struct {
		body, code string
	}{
		"too large":      {`{"query":"{ who }","variables":{"a":"` + strings.Repeat("x", 1<<20) + `"}}`, "TOO_LARGE"},
		"deep":           {deep, "GRAPHQL_VALIDATION_FAILED"},
		"deeper than Go": {strings.ReplaceAll(deep, strings.Repeat("[", 9000), strings.Repeat("[", 20_000)), "BAD_REQUEST"},
	} {
		if _, body := r.do(t, "POST", "/graphql", tc.body, signedIn, asJSON); codeOf(t, body) != tc.code || len(body) > 1000 {
			t.Errorf("%s: %.300s", name, body)
		}
	}
}

// flatDouble is a document of fragments that spread the next twice, no deeper than one field.
func flatDouble(n int) string {
	var b strings.Builder
	b.WriteString("{ self { ...F0 } }")
	for i := range n {
		fmt.Fprintf(&b, " fragment F%d on Query { ...F%d ...F%d }", i, i+1, i+1)
	}
	fmt.Fprintf(&b, " fragment F%d on Query { who }", n)
	return b.String()
}

// spreads is a chain of n fragments that spread the next so many times. The last one is missing.
func spreads(n, times int) string {
	var b strings.Builder
	b.WriteString("{ ...F0 }")
	for i := range n {
		fmt.Fprintf(&b, " fragment F%d on Query {%s }", i, strings.Repeat(fmt.Sprintf(" ...F%d", i+1), times))
	}
	return b.String()
}

// rings are n fragments that each spread so many others, in circles.
func rings(n, others int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, " fragment F%d on Query {", i)
		for j := range others {
			fmt.Fprintf(&b, " ...F%d", (i*7+j)%n)
		}
		b.WriteString(" }")
	}
	return b.String()
}

func fragments(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, " fragment F%d on Query { who }", i)
	}
	return b.String()
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
