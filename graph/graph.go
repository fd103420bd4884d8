// Package graph answers the public API (schema.graphqls). Its resolvers are thin: queries read through a client that is
// narrowed to the viewer, mutations call internal/database or the pipeline, subscriptions follow the activity feed.
package graph

import (
	"context"
	"log/slog"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"

	"stockbridge/ent"
	"stockbridge/graph/generated"
	"stockbridge/graph/model"
	"stockbridge/graph/plan"
	"stockbridge/internal/access"
	"stockbridge/internal/activity"
	"stockbridge/internal/catalog"
	"stockbridge/internal/cron"
	"stockbridge/internal/database"
	"stockbridge/internal/pipeline"
	"stockbridge/internal/platform"
)

// Config is what the API works with.
type Config struct {
	Reader    *ent.Client // narrowed by access.Scope
	DB        *database.DB
	Pipeline  *pipeline.Pipeline
	Platforms *platform.Platforms
	Feed      *activity.Feed
	Imports   *catalog.Importer
	Cron      *cron.Cron
	Log       *slog.Logger
	// SmartFloor is the least time between two runs of a Smart schedule (spec 3.7); 0 is none.
	SmartFloor time.Duration
	// NoPlans has resolvers answer what plans could (graph/plan): to compare with.
	NoPlans bool
}

// New makes the API. Requests are answered for the viewer in their context; without one they fail with UNAUTHENTICATED.
// Errors are fit for clients only once ErrorPresenter has seen them.
func New(cfg Config) API {
	r := &resolver{cfg, plan.New(cfg.DB)}
	if cfg.NoPlans {
		r.plans = &plan.Reader{} // knows none
	}
	return guarded{generated.NewExecutableSchema(generated.Config{Resolvers: r}), cfg.Feed}
}

// API is a schema whose subscriptions are executed once for all who ask the same.
type API interface {
	graphql.ExecutableSchema
	// Sharing is how clients may share the subscription of that name.
	Sharing(field string) Sharing
	// Newest is the position after all that is committed.
	Newest(ctx context.Context) (int64, error)
}

// guarded lets only those operations through that a viewer asks for and whose variables are sound.
type guarded struct {
	graphql.ExecutableSchema
	feed *activity.Feed
}

// Exec executes the operation in the context.
func (g guarded) Exec(ctx context.Context) graphql.ResponseHandler {
	if _, err := access.From(ctx); err != nil {
		return refuse(ctx, err)
	}
	op := graphql.GetOperationContext(ctx)
	if err := checkVariables(g.Schema(), op.Operation, op.Variables); err != nil {
		return refuse(ctx, err)
	}
	if op.Operation.Operation == ast.Subscription {
		return g.follow(ctx)
	}
	letPlansAnswer(op)
	answer := g.ExecutableSchema.Exec(withPrefetch(ctx))
	return func(ctx context.Context) *graphql.Response { return answer(withPrefetch(ctx)) }
}

func refuse(ctx context.Context, err error) graphql.ResponseHandler {
	graphql.AddError(ctx, err)
	return graphql.OneShot(&graphql.Response{})
}

// resolver is the root of all resolvers.
type resolver struct {
	Config
	plans *plan.Reader
}

func (r *resolver) Query() generated.QueryResolver                         { return query{r} }
func (r *resolver) Mutation() generated.MutationResolver                   { return mutation{r} }
func (r *resolver) Subscription() generated.SubscriptionResolver           { return subscription{r} }
func (r *resolver) Activity() generated.ActivityResolver                   { return activityFields{} }
func (r *resolver) CatalogImport() generated.CatalogImportResolver         { return catalogImportFields{r} }
func (r *resolver) ChannelLevel() generated.ChannelLevelResolver           { return channelLevelFields{r} }
func (r *resolver) Connection() generated.ConnectionResolver               { return connectionFields{r} }
func (r *resolver) ImportProblem() generated.ImportProblemResolver         { return importProblemFields{} }
func (r *resolver) InventoryItem() generated.InventoryItemResolver         { return inventoryItemFields{r} }
func (r *resolver) PartitionStrategy() generated.PartitionStrategyResolver { return strategyFields{} }
func (r *resolver) Schedule() generated.ScheduleResolver                   { return scheduleFields{} }
func (r *resolver) Store() generated.StoreResolver                         { return storeFields{r} }
func (r *resolver) SyncRun() generated.SyncRunResolver                     { return syncRunFields{r} }
func (r *resolver) Token() generated.TokenResolver                         { return tokenFields{} }
func (r *resolver) Viewer() generated.ViewerResolver                       { return viewerFields{r} }
func (r *resolver) Warehouse() generated.WarehouseResolver                 { return warehouseFields{} }
func (r *resolver) WarehouseLevel() generated.WarehouseLevelResolver       { return warehouseLevelFields{r} }

func (r *resolver) ExplainedContribution() generated.ExplainedContributionResolver {
	return explainedFields{r}
}
func (r *resolver) ExplainedShare() generated.ExplainedShareResolver { return explainedShareFields{r} }
func (r *resolver) HeldBack() generated.HeldBackResolver             { return heldBackFields{r} }
func (r *resolver) LevelChange() generated.LevelChangeResolver       { return levelChangeFields{r} }
func (r *resolver) WarehouseLevelSeries() generated.WarehouseLevelSeriesResolver {
	return placeFields[model.WarehouseLevelSeries]{r, func(l *model.WarehouseLevelSeries) *model.LevelPlace { return &l.LevelPlace }}
}
func (r *resolver) ChannelLevelSeries() generated.ChannelLevelSeriesResolver {
	return placeFields[model.ChannelLevelSeries]{r, func(l *model.ChannelLevelSeries) *model.LevelPlace { return &l.LevelPlace }}
}
func (r *resolver) WarehouseLevelAsOf() generated.WarehouseLevelAsOfResolver {
	return placeFields[model.WarehouseLevelAsOf]{r, func(l *model.WarehouseLevelAsOf) *model.LevelPlace { return &l.LevelPlace }}
}
func (r *resolver) ChannelLevelAsOf() generated.ChannelLevelAsOfResolver {
	return placeFields[model.ChannelLevelAsOf]{r, func(l *model.ChannelLevelAsOf) *model.LevelPlace { return &l.LevelPlace }}
}

type (
	query        struct{ *resolver }
	mutation     struct{ *resolver }
	subscription struct{ *resolver }
)
