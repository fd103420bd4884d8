//go:build ignore

// Generates the ent code. See generate.go.
package main

import (
	"log"

	"entgo.io/ent/entc"
	"entgo.io/ent/entc/gen"
)

func main() {
	err := entc.Generate("./schema", &gen.Config{Features: []gen.Feature{gen.FeatureIntercept, gen.FeatureVersionedMigration}},
		entc.TemplateDir("./template"))
	if err != nil {
		log.Fatalf("entc: %v", err)
	}
}
