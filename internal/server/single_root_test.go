package server

import (
	"strings"
	"testing"

	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/parser"
	"github.com/vektah/gqlparser/v2/validator"
)

// GraphQL 5.2.3.1: a subscription has one field at its top, which always stands. What is not so is refused before anything
// runs.
func TestSubscriptionHasOneRootField(t *testing.T) {
	t.Parallel()
	schema := newToy().schema
	for query, want := range map[string]string{
		"subscription { ticks(n: -1) }":                                          "",
		"subscription { t: ticks(n: -1) }":                                       "",
		"subscription { ticks(n: -1) ticks(n: -1) }":                             "", // they are one
		"subscription { ...A ...A } fragment A on Subscription { ticks(n: -1) }": "",
		"subscription { a: ticks(n: -1) b: ticks(n: -1) }":                       `this has "a" and "b"`,
		"subscription { ticks(n: -1) ... { b: ticks(n: -1) } }":                  `this has "ticks" and "b"`,
		"subscription { ...A a: ticks(n: -1) } fragment A on Subscription { ...B } fragment B on Subscription { ticks(n: -1) }": `this has "ticks" and "a"`,
		"subscription { a: ticks(n: -1) b: ticks(n: -1) c: ticks(n: -1) }":                                                      `this has "a" and "b"`,
		"subscription { __typename }":                                                               `"__typename" cannot be subscribed to`,
		"subscription { ticks: __typename }":                                                        `"__typename" cannot be subscribed to`,
		"subscription { ticks(n: -1) @skip(if: false) }":                                            "@skip may not stand at the top of a subscription",
		"subscription($a: Boolean = true) { ticks(n: -1) @include(if: $a) }":                        "@include may not stand at the top of a subscription",
		"subscription { ... @skip(if: true) { ticks(n: -1) } }":                                     "@skip may not stand at the top of a subscription",
		"subscription { ...A @include(if: true) } fragment A on Subscription { ticks(n: -1) }":      "@include may not stand at the top of a subscription",
		"subscription { ...A } fragment A on Subscription { ticks(n: -1) @include(if: true) }":      "@include may not stand at the top of a subscription",
		"query Q { a: who b: who @skip(if: true) } subscription S { ticks(n: -1) @skip(if: true) }": "@skip may not stand at the top of a subscription",
	} {
		doc, err := parser.ParseQuery(&ast.Source{Input: query})
		if err != nil {
			t.Fatal(err)
		}
		errs := validator.ValidateWithRules(schema, doc, newRules())
		if want == "" {
			if errs != nil {
				t.Errorf("%s: %v", query, errs)
			}
			continue
		}
		if len(errs) != 1 || !strings.HasPrefix(errs[0].Message, "Single Root Field: ") || !strings.Contains(errs[0].Message, want) || errs[0].Locations == nil {
			t.Errorf("%s: %v", query, errs)
		}
	}
}

// On its way over the transports it is the client's mistake, and not one of ours that is logged.
func TestSecondRootFieldIsRefused(t *testing.T) {
	t.Parallel()
	r := start(t, nil)
	for _, query := range []string{"subscription { a: ticks(n: -1) b: ticks(n: -1) }", "subscription { ticks(n: -1) @skip(if: true) }"} {
		if _, body := r.do(t, "POST", "/graphql", quoted(query), signedIn, asJSON, events); !strings.Contains(body, `"code":"GRAPHQL_VALIDATION_FAILED"`) {
			t.Errorf("%s: %s", query, body)
		}
	}
	c := r.ready(t)
	c.send(`{"type":"subscribe","id":"1","payload":` + quoted("subscription { a: ticks(n: -1) b: ticks(n: -1) }") + `}`)
	c.expect(`{"id":"1","type":"error","payload":[{"message":"Single Root Field: a subscription has one field at its top, and this has \"a\" and \"b\". Write a subscription for each.",` +
		`"locations":[{"line":1,"column":32}],"extensions":{"code":"GRAPHQL_VALIDATION_FAILED"}}]}`)
	if log := r.log.String(); strings.Contains(log, `"level":"ERROR"`) {
		t.Error(log)
	}
}
