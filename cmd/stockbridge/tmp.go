package main

import (
	"context"

	"github.com/99designs/gqlgen/graphql"

	"stockbridge/internal/access"
)

func api(a *app, c *serveCommand) graphql.ExecutableSchema                            { return nil }
func who(a *app, i *invocation) func(context.Context, string) (*access.Viewer, error) { return nil }
