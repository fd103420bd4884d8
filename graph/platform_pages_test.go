package graph_test

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/vektah/gqlparser/v2"
	gql "github.com/vektah/gqlparser/v2/ast"
)

var graphqlBlock = regexp.MustCompile("(?ms)^```graphql[^\n]*\n(.*?)^```$")

// Every input to paste is a valid mutation, and every page of a platform has one.
func TestPlatformPagesHoldValidInputs(t *testing.T) {
	t.Parallel()
	schema := contract(t)
	pages, err := filepath.Glob("../docs/platforms/*.md")
	if err != nil || len(pages) == 0 {
		t.Fatal("no pages", err)
	}
	for _, page := range pages {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		blocks := graphqlBlock.FindAllSubmatch(text, -1)
		if len(blocks) == 0 && filepath.Base(page) != "README.md" {
			t.Errorf("%s holds no input to paste", page)
		}
		for _, block := range blocks {
			document, err := gqlparser.LoadQueryWithRules(schema, string(block[1]), nil)
			if err != nil {
				t.Errorf("%s: %v\n%s", page, err, block[1])
				continue
			}
			for _, op := range document.Operations {
				if op.Operation != gql.Mutation {
					t.Errorf("%s holds a %s", page, op.Operation)
				}
			}
		}
	}
}
