package graph

import (
	"github.com/99designs/gqlgen/graphql"

	"stockbridge/graph/generated"
	"stockbridge/graph/plan"
)

// WithoutPlans is New with a reader of lists that knows none.
func WithoutPlans(cfg Config) graphql.ExecutableSchema {
	return guarded{generated.NewExecutableSchema(generated.Config{Resolvers: &resolver{cfg, &plan.Reader{}}})}
}

// Planned tells whether a plan answers a subscription that has begun.
func Planned(t *Track) bool { return t.answer != nil }
