package graph

import (
	"stockbridge/graph/generated"
	"stockbridge/graph/plan"
)

// WithoutPlans is New with a reader of lists that knows none.
func WithoutPlans(cfg Config) API {
	return guarded{generated.NewExecutableSchema(generated.Config{Resolvers: &resolver{cfg, &plan.Reader{}}}), cfg.Feed}
}
