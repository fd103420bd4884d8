package server

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/vektah/gqlparser/v2"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/parser"
	"github.com/vektah/gqlparser/v2/validator"
	"github.com/vektah/gqlparser/v2/validator/rules"
)

// pets is a schema that has all that merging asks for.
const pets = `
type Query { pet(n: Int, in: In): Pet! dog(n: Int, in: In): Dog cats: [Cat!]! }
input In { a: Int b: [Int] c: In }
interface Pet { name: String friend(n: Int): Pet }
type Dog implements Pet { name: String friend(n: Int): Pet age: Int id: ID! house: House barks: Boolean }
type Cat implements Pet { name: String friend(n: Int): Pet age: String id: ID! house: House! barks: Pet }
type House { name: String! owner: Pet at: Dog }
`

// conflicts are what a rule says of a document.
func conflicts(t *testing.T, schema *ast.Schema, document string, own bool) []string {
	t.Helper()
	doc, err := parser.ParseQuery(&ast.Source{Input: document})
	if err != nil {
		t.Fatalf("%v: %s", err, document)
	}
	rule := rules.OverlappingFieldsCanBeMergedRule
	if own {
		rule = overlappingFields()
	}
	var told []string
	for _, e := range validator.ValidateWithRules(schema, doc, rules.NewRules(rule)) {
		told = append(told, e.Message)
	}
	return told
}

// GraphQL 5.3.2: fields of one name have to be one.
func TestFieldsOfOneNameAreOne(t *testing.T) {
	t.Parallel()
	schema := gqlparser.MustLoadSchema(&ast.Source{Input: pets})
	for document, want := range map[string]string{
		`{ pet { name name } pet { friend { name } } }`:                                                                                             "",
		`{ pet { name a: name } }`:                                                                                                                  "",
		`{ pet { a: name a: friend { name } } }`:                                                                                                    `Fields "a" conflict because "name" and "friend" are different fields`,
		`{ pet { name: __typename name } }`:                                                                                                         `Fields "name" conflict because "__typename" and "name" are different fields`,
		`{ dog { a: id } dog { ... on Dog { a: barks } } }`:                                                                                         `Fields "a" conflict because "id" and "barks" are different fields`,
		`{ p: pet { name } p: pet(n: 1) { name } }`:                                                                                                 `Fields "p" conflict because they have differing arguments`,
		`{ pet(n: 1, in: {a: 1, b: [1, 2]}) { name } pet(in: {b: [1, 2], a: 1}, n: 1) { name } }`:                                                   "",
		`{ pet(in: {b: [1, 2]}) { name } pet(in: {b: [2, 1]}) { name } }`:                                                                           `Fields "pet" conflict because they have differing arguments`,
		`query($n: Int) { pet(n: $n) { name } pet(n: 1) { name } }`:                                                                                 `Fields "pet" conflict because they have differing arguments`,
		`{ pet { ... on Dog { x: name } ... on Cat { x: friend { name } } } }`:                                                                      `Fields "x" conflict because they return conflicting types "String" and "Pet"`,
		`{ pet { ... on Dog { house { name } } ... on Cat { house { name } } } }`:                                                                   `Fields "house" conflict because they return conflicting types "House" and "House!"`,
		`{ pet { ... on Dog { friend(n: 1) { name } } ... on Cat { friend(n: 2) { name } } } }`:                                                     "",
		`{ pet { friend(n: 1) { name } ... on Cat { friend(n: 2) { name } } } }`:                                                                    `Fields "friend" conflict because they have differing arguments`,
		`{ pet { ... on Dog { friend { a: name } } ... on Cat { friend { a: friend { name } } } } }`:                                                `Fields "a" conflict because they return conflicting types "String" and "Pet"`,
		`{ pet { ...A ...B } } fragment A on Pet { x: name } fragment B on Pet { ...C } fragment C on Pet { x: friend { name } }`:                   `Fields "x" conflict because "name" and "friend" are different fields`,
		`{ pet { friend { ...A } friend { ...B } } } fragment A on Pet { f: friend(n: 1) { name } } fragment B on Pet { f: friend(n: 2) { name } }`: `Fields "f" conflict because they have differing arguments`,
	} {
		told := conflicts(t, schema, document, true)
		if len(told) > 1 || !strings.HasPrefix(strings.Join(told, ""), want) || (want == "") != (told == nil) {
			t.Errorf("%s: %q, want %q", document, told, want)
		}
		if theirs := conflicts(t, schema, document, false); (theirs == nil) != (want == "") {
			t.Errorf("%s: gqlparser says %q", document, theirs)
		}
	}
}

// The rule refuses what gqlparser's refuses, and nothing else.
func TestMergingAgreesWithThePairwiseRule(t *testing.T) {
	t.Parallel()
	schema := gqlparser.MustLoadSchema(&ast.Source{Input: pets})
	random := rand.New(rand.NewPCG(1, 2))
	refused := 0
	const documents = 5000
	for range documents {
		document := scribble(random)
		ours, theirs := conflicts(t, schema, document, true), conflicts(t, schema, document, false)
		if (ours == nil) != (theirs == nil) {
			t.Fatalf("%s\nours %q\ntheirs %q", document, ours, theirs)
		}
		if ours != nil {
			refused++
		}
	}
	if refused < documents/10 || refused > documents*9/10 {
		t.Errorf("%d of %d were refused: that shows little", refused, documents)
	}
}

// scribble makes a document of pets whose fields exist, and whose fragments are all used by its operation, in no circle.
func scribble(random *rand.Rand) string {
	fragmentsOn := []string{"Pet", "Dog", "Cat", "House"}
	var b strings.Builder
	var set func(typ string, depth, from int)
	field := func(typ string, depth, from int) {
		type of struct{ name, typ string }
		n := []string{"", "", "", "(n: 1)", "(n: 2)"}[random.IntN(5)]
		choices := map[string][]of{
			"Query": {{"pet" + n, "Pet"}, {"dog" + n, "Dog"}, {"cats", "Cat"}},
			"Pet":   {{"name", ""}, {"friend" + n, "Pet"}, {"__typename", ""}},
			"Dog":   {{"name", ""}, {"friend" + n, "Pet"}, {"age", ""}, {"id", ""}, {"house", "House"}, {"barks", ""}},
			"Cat":   {{"name", ""}, {"friend" + n, "Pet"}, {"age", ""}, {"id", ""}, {"house", "House"}, {"barks", "Pet"}},
			"House": {{"name", ""}, {"owner", "Pet"}, {"at", "Dog"}},
		}[typ]
		f := choices[random.IntN(len(choices))]
		if random.IntN(8) == 0 {
			b.WriteString([]string{"a: ", "b: "}[random.IntN(2)])
		}
		b.WriteString(f.name)
		if f.typ != "" {
			set(f.typ, depth+1, from)
		}
		b.WriteByte(' ')
	}
	set = func(typ string, depth, from int) {
		b.WriteString(" { ")
		for range 1 + random.IntN(3) {
			switch pick := random.IntN(6); {
			case depth > 3:
				b.WriteString("__typename ")
			case pick == 0 && typ != "Query" && typ != "House":
				on := []string{"Pet", "Dog", "Cat"}[random.IntN(3)]
				b.WriteString("... on " + on)
				set(on, depth+1, from)
				b.WriteByte(' ')
			case pick == 1 && from < len(fragmentsOn) && typ != "Query":
				fmt.Fprintf(&b, "...F%d ", from+random.IntN(len(fragmentsOn)-from))
			default:
				field(typ, depth, from)
			}
		}
		b.WriteByte('}')
	}
	set("Query", 0, 0)
	for i, typ := range fragmentsOn {
		fmt.Fprintf(&b, " fragment F%d on %s", i, typ)
		set(typ, 2, i+1)
	}
	return strings.Replace(b.String(), "{", "{ u0: pet { ...F0 } u1: dog { ...F1 } u2: cats { ...F2 house { ...F3 } }", 1) // all are used
}

// Whatever stands in a document within the bounds, its fields are merged in time that is in proportion to it, and with one
// error.
func TestMergingLooksAtLittle(t *testing.T) {
	t.Parallel()
	schema := gqlparser.MustLoadSchema(&ast.Source{Input: pets})
	arguments := func(n int) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, " friend(n: %d) { name }", i)
		}
		return b.String()
	}
	nested := "name"
	for range 7 {
		nested = fmt.Sprintf("friend { %s } friend { %s }", nested, nested)
	}
	for name, tc := range map[string]struct {
		document string
		errors   int
	}{
		"one field":      {"{ pet {" + strings.Repeat(" name", 990) + "} }", 0},
		"one object":     {"{ pet {" + strings.Repeat(" friend { name }", 490) + "} }", 0},
		"two fields":     {"{ dog {" + strings.Repeat(" name name: age", 490) + "} }", 1},
		"all arguments":  {"{ pet {" + arguments(490) + "} }", 1},
		"doubling":       {"{ pet { " + nested + "} }", 0},
		"all spread":     {"{ pet {" + strings.Repeat(" ...A", 400) + "} } fragment A on Pet { name friend { name } }", 0},
		"in two objects": {"{ pet { ... on Dog {" + strings.Repeat(" name", 490) + "} ... on Cat {" + strings.Repeat(" name", 490) + "} } }", 0},
	} {
		doc, err := parser.ParseQuery(&ast.Source{Input: tc.document})
		if err != nil {
			t.Fatal(name, err)
		}
		if errs := validator.ValidateWithRules(schema, doc, rules.NewRules(overlappingFields())); len(errs) != tc.errors {
			t.Errorf("%s: %v", name, errs)
		}
		m := &merging{schema: schema}
		all := m.collect([]ast.SelectionSet{doc.Operations[0].SelectionSet})
		m.fields(all)
		m.shapes(all)
		if text := len(strings.Fields(tc.document)); m.looked > 3*text {
			t.Errorf("%s: %d parts were looked at, of %d words", name, m.looked, text)
		}
	}
}

// What would grow beyond all bounds is refused: object types inside each other, each with fields of the interface beside.
func TestMergingEnds(t *testing.T) {
	t.Parallel()
	schema := gqlparser.MustLoadSchema(&ast.Source{Input: pets})
	deep := "name"
	for range 18 {
		deep = "friend { " + deep + " } ... on Dog { friend { ... on Dog { name } ... on Cat { name } } } ... on Cat { friend { ... on Cat { id } } }"
	}
	if told := conflicts(t, schema, "{ pet { "+deep+" } }", true); len(told) > 1 || len(told) == 1 && !strings.HasPrefix(told[0], "Too many fields") {
		t.Errorf("%q", told)
	}
}

// Many conflicts of one name are told of once: 2.9 KB of them once gave 9.7 MB of errors, one for each pair.
func TestConflictIsToldOnce(t *testing.T) {
	t.Parallel()
	r := start(t, nil)
	_, body := r.do(t, "POST", "/graphql", quoted("{ self {"+strings.Repeat(" who who: late", 195)+"} }"), signedIn, asJSON)
	want := `{"errors":[{"message":"Fields \"who\" conflict because \"who\" and \"late\" are different fields. Use different aliases on the fields to fetch both if this was intentional.",` +
		`"locations":[{"line":1,"column":10},{"line":1,"column":14}],"extensions":{"code":"GRAPHQL_VALIDATION_FAILED"}}]}`
	if body != want {
		t.Errorf("got  %.500s\nwant %s", body, want)
	}
}
