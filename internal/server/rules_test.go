package server

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"
)

// A document that is wrong all over is told of its first errors alone, each in a few words.
func TestErrorsOfADocumentAreBounded(t *testing.T) {
	t.Parallel()
	r := start(t, nil)
	var unknown, undefined strings.Builder
	for i := range 900 {
		fmt.Fprintf(&unknown, " x%d", i)
		fmt.Fprintf(&undefined, " $v%d", i)
	}
	for name, tc := range map[string]struct {
		query  string
		errors int
	}{
		"fields":              {"{ self {" + unknown.String() + "} }", maxErrors + 1},
		"variables":           {"{ who(a: [" + undefined.String() + "]) }", maxErrors + 1},
		"fields of one kind":  {"{ self { who" + strings.Repeat(" whom", maxErrors+1) + "} }", maxErrors + 1},
		"as many as are told": {"{ self { who" + strings.Repeat(" whom", maxErrors) + "} }", maxErrors},
		"a long value":        {`subscription { ticks(n: "` + strings.Repeat("ö", 50_000) + `") }`, 1},
		"a long name":         {"{ " + strings.Repeat("x", 50_000) + " }", 1},
		"many long names":     {"{ self {" + strings.Repeat(" "+strings.Repeat("x", 1000), 200) + "} }", maxErrors + 1},
	} {
		_, body := r.do(t, "POST", "/graphql", quoted(tc.query), signedIn, asJSON)
		var answer struct{ Errors []struct{ Message string } }
		if err := json.Unmarshal([]byte(body), &answer); err != nil {
			t.Fatal(err)
		}
		if len(answer.Errors) != tc.errors || codeOf(t, body) != "GRAPHQL_VALIDATION_FAILED" || len(body) > 20_000 {
			t.Errorf("%s: %d errors of %d bytes: %.300s", name, len(answer.Errors), len(body), body)
			continue
		}
		if last := answer.Errors[tc.errors-1].Message; (tc.errors > maxErrors) != strings.HasPrefix(last, "There are more errors") {
			t.Errorf("%s: the last is %.300s", name, last)
		}
		for _, e := range answer.Errors {
			if len(e.Message) > maxMessage+len("…") || !utf8.ValidString(e.Message) || strings.Contains(e.Message, "\ufffd") {
				t.Errorf("%s: %q", name, e.Message)
			}
		}
	}
}

// Nothing in a refusal helps to guess the schema, whatever was written almost right.
func TestNothingIsSuggested(t *testing.T) {
	t.Parallel()
	r := start(t, func(c *Config) { c.Schema = toy{ours(t)} })
	for _, query := range []string{
		"{ viewr { name } }",
		"{ viewer }",
		"{ node(id: 1) { nam } }",
		"query($a: Strin) { viewer { name } }",
		"{ activities(frst: 1) { totalCount } }",
		"{ ... on Quer { viewer { name } } }",
		"{ ...A } fragment A on Quer { viewer { name } }",
		"{ viewer { name @inclde(if: true) } }",
		"{ viewer { name @include(iff: true) } }",
		"{ syncRuns(where: {statuss: RUNNING}) { totalCount } }",
		"{ syncRuns(where: {mode: FUL}) { totalCount } }",
		`{ syncRuns(where: {mode: "FULL"}) { totalCount } }`,
		"{ syncRuns(first: FULL) { totalCount } }",
	} {
		if _, body := r.do(t, "POST", "/graphql", quoted(query), signedIn, asJSON); codeOf(t, body) != "GRAPHQL_VALIDATION_FAILED" || strings.Contains(body, "Did you mean") {
			t.Errorf("%s: %s", query, body)
		}
	}
}
