package graph

import (
	"context"
	"errors"
	"time"

	"github.com/99designs/gqlgen/graphql"

	"stockbridge/ent"
	"stockbridge/ent/storelocation"
	"stockbridge/graph/model"
	"stockbridge/internal/access"
	"stockbridge/internal/channel"
	"stockbridge/internal/fault"
)

// askWithin bounds how long a store is waited for when a query asks it.
const askWithin = 30 * time.Second

// RemoteLocations asks the store itself.
func (f storeFields) RemoteLocations(ctx context.Context, s *ent.Store) (out []*model.RemoteLocation, err error) {
	v, err := access.From(ctx)
	if err != nil {
		return nil, err
	}
	if v.Role != access.Admin && v.Role != access.Operator {
		return nil, fault.New(fault.Forbidden, "a %s may not ask a store's platform; read locations instead", v.Role)
	}
	sink, err := f.Platforms.Sink(ctx, s)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, sink.Close()) }()
	locator, ok := sink.(channel.Locator)
	if !ok {
		return []*model.RemoteLocation{}, nil
	}
	within, cancel := context.WithTimeout(ctx, askWithin)
	defer cancel()
	locations, err := locator.Locations(within)
	if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
		err = fault.Wrap(err, fault.Unreachable, "the store did not tell its locations within %s; try again later", askWithin)
	}
	if err != nil {
		return nil, err
	}
	known, err := f.locationsByCode(ctx, s)
	if err != nil {
		return nil, err
	}
	out = make([]*model.RemoteLocation, len(locations))
	for i, l := range locations {
		out[i] = &model.RemoteLocation{Code: l.Code, Name: l.Name, StoreLocation: known[l.Code]}
	}
	return out, nil
}

// locationsByCode are a store's locations, if the document asks for them.
func (f storeFields) locationsByCode(ctx context.Context, s *ent.Store) (map[string]*ent.StoreLocation, error) {
	known := map[string]*ent.StoreLocation{}
	for _, field := range graphql.CollectFields(graphql.GetOperationContext(ctx), graphql.GetFieldContext(ctx).Field.Selections, []string{"RemoteLocation"}) {
		if field.Name != "storeLocation" {
			continue
		}
		rows, err := f.Reader.StoreLocation.Query().Where(storelocation.StoreID(s.ID)).Collect(ctx, field.Selections).All(ctx)
		if err != nil {
			return nil, err
		}
		for _, row := range rows {
			known[row.Code] = row
		}
	}
	return known, nil
}

// Capabilities dials nobody.
func (f storeFields) Capabilities(ctx context.Context, s *ent.Store) (*model.StoreCapabilities, error) {
	sink, err := f.Platforms.Sink(ctx, s)
	if err != nil {
		return nil, err
	}
	c := sink.Capabilities()
	if c.Semantics == "" {
		c.Semantics = channel.Available
	}
	return &model.StoreCapabilities{MaxBatch: int64(c.MaxBatch), Concurrency: int64(c.Concurrency), QuantitySemantics: c.Semantics}, sink.Close()
}
