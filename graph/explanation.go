package graph

import (
	"context"

	"github.com/99designs/gqlgen/graphql"

	"stockbridge/ent"
	"stockbridge/ent/connection"
	"stockbridge/ent/schema/enum"
	"stockbridge/graph/model"
	"stockbridge/internal/database"
	"stockbridge/internal/inventory"
)

// Explanation says how the level came about (spec 2.4).
func (f channelLevelFields) Explanation(ctx context.Context, l *ent.ChannelLevel) (*model.Explanation, error) {
	pre := prefetch(ctx)
	pre.mu.Lock()
	e := pre.explanations[l.ID]
	pre.mu.Unlock()
	if e == nil {
		all, err := f.DB.Explain(ctx, l.MerchantID, []*ent.ChannelLevel{l})
		if err != nil {
			return nil, err
		}
		e = all[0]
	}
	return explained(e), nil
}

// prefetchExplanations explains the levels on the page that is being resolved at once, if the document asks for it.
func (r *resolver) prefetchExplanations(ctx context.Context, levels []*ent.ChannelLevel) error {
	if !asks(ctx, "ChannelLevel", "explanation") {
		return nil
	}
	perMerchant := map[int64][]*ent.ChannelLevel{}
	for _, l := range levels {
		perMerchant[l.MerchantID] = append(perMerchant[l.MerchantID], l)
	}
	pre := prefetch(ctx)
	for merchantID, levels := range perMerchant {
		all, err := r.DB.Explain(ctx, merchantID, levels)
		if err != nil {
			return err
		}
		pre.mu.Lock()
		for i, e := range all {
			pre.explanations[levels[i].ID] = e
		}
		pre.mu.Unlock()
	}
	return nil
}

func explained(e *database.Explained) *model.Explanation {
	out := &model.Explanation{Text: e.Text, UpToDate: e.UpToDate, Total: e.Sum, MaxQuantity: e.Max, Contributions: make([]*model.ExplainedContribution, len(e.Contributions))}
	if a := e.LastAnswer; a != nil {
		out.LastAnswer = &model.StoreAnswer{At: a.At, Quantity: a.Quantity, Acknowledged: a.Acknowledged, Message: present(a.Words)}
	}
	if h := e.HeldBack; h != nil {
		out.HeldBack = &model.HeldBack{Reason: h.Reason, Text: e.Why, LimitPattern: present(h.Pattern), ListedAs: append([]string{}, h.ListedAs...)}
		if h.Position > 0 {
			out.HeldBack.LimitPosition = new(int64(h.Position))
		}
		for _, c := range h.Connections {
			out.HeldBack.ConnectionIDs = append(out.HeldBack.ConnectionIDs, c.ID)
		}
		return out
	}
	out.Quantity = &e.Target.Quantity
	for i := range e.Contributions {
		c := &e.Contributions[i]
		to := &model.ExplainedContribution{ConnectionID: c.Connection, WarehouseID: c.Warehouse, QuantitySource: enum.QuantitySource(c.Source), Quantity: c.Quantity, Stock: make([]*model.ExplainedStock, len(c.Stock))}
		if id, ok := e.Strategies[c.Warehouse]; ok {
			to.StrategyID = &id
		}
		for j := range c.Stock {
			to.Stock[j] = explainedStock(&c.Stock[j], c.Source, e.Target.Store)
		}
		out.Contributions[i] = to
	}
	return out
}

func explainedStock(s *inventory.Stock, source inventory.QuantitySource, store int64) *model.ExplainedStock {
	out := &model.ExplainedStock{SKU: s.SKU, Share: s.Share, Limiting: s.Limiting, Units: make([]*model.ExplainedUnit, len(s.Units))}
	if s.PerBundle > 0 {
		out.PerBundle, out.Bundles = &s.PerBundle, &s.Bundles
	}
	for i := range s.Units {
		u := &s.Units[i]
		unit := &model.ExplainedUnit{Facility: present(u.Facility), Whole: u.Whole, Sellable: u.Sellable, Buffer: u.Buffer, Distributable: u.Distributable, TooFew: u.TooFew, Share: u.Share,
			Levels: make([]*model.ExplainedFigures, len(u.Levels)), Stores: make([]*model.ExplainedShare, len(u.Stores))}
		for j := range u.Levels {
			l := &u.Levels[j]
			unit.Levels[j] = &model.ExplainedFigures{Facility: present(l.Facility), Available: units(l.Available), OnHand: units(l.OnHand), Committed: units(l.Committed), Figure: l.Figure(source)}
		}
		for j, x := range u.Stores {
			unit.Stores[j] = &model.ExplainedShare{StoreID: x.Store, Share: x.Share, Own: x.Store == store}
		}
		out.Units[i] = unit
	}
	return out
}

// present is a text that may be missing; blank is.
func present(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

func units(f inventory.Figure) *int64 {
	if !f.Known {
		return nil
	}
	return &f.Units
}

func number(n database.Int) *int64 {
	if !n.Valid {
		return nil
	}
	return &n.Int64
}

type explainedFields struct{ *resolver }

func (f explainedFields) Connection(ctx context.Context, c *model.ExplainedContribution) (*ent.Connection, error) {
	return named(ctx, f.Reader.Connection.Query(), &c.ConnectionID)
}

func (f explainedFields) Warehouse(ctx context.Context, c *model.ExplainedContribution) (*ent.Warehouse, error) {
	return named(ctx, f.Reader.Warehouse.Query(), &c.WarehouseID)
}

func (f explainedFields) Strategy(ctx context.Context, c *model.ExplainedContribution) (*ent.PartitionStrategy, error) {
	return named(ctx, f.Reader.PartitionStrategy.Query(), c.StrategyID)
}

type explainedShareFields struct{ *resolver }

func (f explainedShareFields) Store(ctx context.Context, s *model.ExplainedShare) (*ent.Store, error) {
	return named(ctx, f.Reader.Store.Query(), &s.StoreID)
}

type heldBackFields struct{ *resolver }

func (f heldBackFields) Connections(ctx context.Context, h *model.HeldBack) ([]*ent.Connection, error) {
	if len(h.ConnectionIDs) == 0 {
		return nil, nil
	}
	return f.Reader.Connection.Query().Where(connection.IDIn(h.ConnectionIDs...)).Order(ent.Asc(connection.FieldID)).Collect(ctx, graphql.GetFieldContext(ctx).Field.Selections).All(ctx)
}
