package graph

import (
	"context"
	"time"

	"stockbridge/ent"
	"stockbridge/ent/connection"
	"stockbridge/ent/schema/enum"
	"stockbridge/graph/model"
	"stockbridge/graph/page"
	"stockbridge/internal/database"
)

func (q query) Connections(ctx context.Context, first *int64, after *string, last *int64, before *string, in *model.ConnectionWhere, orderBy *model.ConnectionOrder) (*model.Page[ent.Connection], error) {
	var w where
	w.id("merchantId", connection.FieldMerchantID, "Merchant", given(in).MerchantID)
	w.id("warehouseId", connection.FieldWarehouseID, "Warehouse", given(in).WarehouseID)
	w.id("storeId", connection.FieldStoreID, "Store", given(in).StoreID)
	w.text("name", connection.FieldName, given(in).Name)
	equal(&w, connection.FieldEnabled, given(in).Enabled)
	equal(&w, connection.FieldInventoryEnabled, given(in).InventoryEnabled)
	rows := q.Reader.Connection.Query()
	if asks(ctx, "Connection", "nextRuns") {
		rows.WithSchedules(func(q *ent.ScheduleQuery) { q.Order(ent.Asc("id")) })
	}
	p, err := list(ctx, rows, w, page.Args{First: first, After: after, Last: last, Before: before},
		ordered(func(c *ent.Connection) int64 { return c.ID }, orderBy, map[model.ConnectionOrderField]*page.Column[ent.Connection]{
			model.ConnectionOrderFieldName:      page.Text(connection.FieldName, func(c *ent.Connection) string { return c.Name }),
			model.ConnectionOrderFieldPriority:  page.Number(connection.FieldPriority, func(c *ent.Connection) int64 { return int64(c.Priority) }),
			model.ConnectionOrderFieldCreatedAt: page.Moment(connection.FieldCreatedAt, func(c *ent.Connection) time.Time { return c.CreatedAt }),
			model.ConnectionOrderFieldUpdatedAt: page.Moment(connection.FieldUpdatedAt, func(c *ent.Connection) time.Time { return c.UpdatedAt }),
		}))
	if err != nil {
		return nil, err
	}
	return p, q.prefetchLastRuns(ctx, p.Nodes())
}

type connectionFields struct{ *resolver }

func (f connectionFields) LastRun(ctx context.Context, c *ent.Connection) (*ent.SyncRun, error) {
	return f.lastRun(ctx, c.ID)
}

func (m mutation) CreateConnection(ctx context.Context, in model.CreateConnectionInput) (out *model.CreateConnectionPayload, err error) {
	out = &model.CreateConnectionPayload{}
	out.UserErrors, err = change(ctx, func() error {
		warehouse, err := find(ctx, "Warehouse", "warehouseId", in.WarehouseID, m.Reader.Warehouse.Get)
		if err != nil {
			return err
		}
		store, err := find(ctx, "Store", "storeId", in.StoreID, m.Reader.Store.Get)
		if err != nil {
			return err
		}
		row, err := m.DB.CreateConnection(ctx, database.CreateConnection{MerchantID: warehouse.MerchantID, Name: given(in.Name), WarehouseID: warehouse.ID, StoreID: store.ID,
			Priority: int(given(in.Priority)), TimeZone: given(in.TimeZone), PushOnChange: given(in.PushOnChange)})
		if err != nil {
			return err
		}
		m.reschedule(ctx, row.ID)
		out.Connection, err = again(ctx, m.Reader.Connection.Query(), row.ID, "connection")
		return err
	})
	return out, err
}

func (m mutation) UpdateConnection(ctx context.Context, in model.UpdateConnectionInput) (out *model.UpdateConnectionPayload, err error) {
	out = &model.UpdateConnectionPayload{}
	out.UserErrors, err = change(ctx, func() error {
		row, err := find(ctx, "Connection", "connectionId", in.ConnectionID, m.Reader.Connection.Get)
		if err != nil {
			return err
		}
		if _, err := m.DB.UpdateConnection(ctx, row.MerchantID, row.ID, database.UpdateConnection{ExpectedVersion: in.ExpectedVersion, Name: in.Name,
			Priority: narrow(in.Priority), TimeZone: in.TimeZone, PushOnChange: in.PushOnChange}); err != nil {
			return err
		}
		out.Replanning = m.replan(ctx, row.MerchantID)
		m.reschedule(ctx, row.ID)
		out.Connection, err = again(ctx, m.Reader.Connection.Query(), row.ID, "connection")
		return err
	})
	return out, err
}

func (m mutation) DeleteConnection(ctx context.Context, in model.DeleteConnectionInput) (out *model.DeleteConnectionPayload, err error) {
	out = &model.DeleteConnectionPayload{}
	out.UserErrors, err = change(ctx, func() error {
		row, err := find(ctx, "Connection", "connectionId", in.ConnectionID, m.Reader.Connection.Get)
		if err != nil {
			return err
		}
		if err := m.DB.DeleteConnection(ctx, row.MerchantID, row.ID); err != nil {
			return err
		}
		out.DeletedID, out.Replanning = &in.ConnectionID, m.replan(ctx, row.MerchantID)
		m.reschedule(ctx, row.ID)
		return nil
	})
	return out, err
}

func (m mutation) SetLocationLinks(ctx context.Context, in model.SetLocationLinksInput) (out *model.SetLocationLinksPayload, err error) {
	out = &model.SetLocationLinksPayload{}
	out.UserErrors, err = change(ctx, func() error {
		row, err := find(ctx, "Connection", "connectionId", in.ConnectionID, m.Reader.Connection.Get)
		if err != nil {
			return err
		}
		links := database.SetLocationLinks{ExpectedVersion: in.ExpectedVersion, Links: make([]database.LocationLink, len(in.Links))}
		for i, l := range in.Links {
			links.Links[i] = database.LocationLink{FacilityCode: l.FacilityCode, LocationCode: l.LocationCode}
		}
		if _, err := m.DB.SetLocationLinks(ctx, row.MerchantID, row.ID, links); err != nil {
			return err
		}
		out.Replanning = m.replan(ctx, row.MerchantID)
		out.Connection, err = again(ctx, m.Reader.Connection.Query(), row.ID, "connection")
		return err
	})
	return out, err
}

func (m mutation) EnableConnection(ctx context.Context, in model.EnableConnectionInput) (out *model.EnableConnectionPayload, err error) {
	out = &model.EnableConnectionPayload{}
	out.UserErrors, err = change(ctx, func() (err error) {
		out.Connection, out.Replanning, _, err = m.toggle(ctx, in.ConnectionID, m.DB.EnableConnection, nil)
		return err
	})
	return out, err
}

func (m mutation) DisableConnection(ctx context.Context, in model.DisableConnectionInput) (out *model.DisableConnectionPayload, err error) {
	out = &model.DisableConnectionPayload{}
	out.UserErrors, err = change(ctx, func() (err error) {
		out.Connection, out.Replanning, _, err = m.toggle(ctx, in.ConnectionID, m.DB.DisableConnection, m.showZero)
		return err
	})
	return out, err
}

func (m mutation) DisableInventory(ctx context.Context, in model.DisableInventoryInput) (out *model.DisableInventoryPayload, err error) {
	out = &model.DisableInventoryPayload{}
	out.UserErrors, err = change(ctx, func() (err error) {
		out.Connection, out.Replanning, _, err = m.toggle(ctx, in.ConnectionID, m.DB.DisableInventory, m.showZero)
		return err
	})
	return out, err
}

func (m mutation) EnableInventory(ctx context.Context, in model.EnableInventoryInput) (out *model.EnableInventoryPayload, err error) {
	out = &model.EnableInventoryPayload{}
	out.UserErrors, err = change(ctx, func() error {
		var start func(context.Context, *ent.Connection) (*ent.SyncRun, error)
		if in.StartFullSync == nil || *in.StartFullSync {
			start = m.firstSync
		}
		var run *ent.SyncRun
		out.Connection, out.Replanning, run, err = m.toggle(ctx, in.ConnectionID, m.DB.EnableInventory, start)
		if err == nil && run != nil {
			out.Run, err = again(ctx, m.Reader.SyncRun.Query(), run.ID, "run")
		}
		return err
	})
	return out, err
}

// toggle switches a connection, or its inventory, and then starts the sync that follows where that changed anything.
func (m mutation) toggle(ctx context.Context, id string, set func(ctx context.Context, merchantID, id int64) (*ent.Connection, bool, error),
	follow func(context.Context, *ent.Connection) (*ent.SyncRun, error)) (c *ent.Connection, behind bool, run *ent.SyncRun, err error) {
	row, err := find(ctx, "Connection", "connectionId", id, m.Reader.Connection.Get)
	if err != nil {
		return nil, false, nil, err
	}
	now, changed, err := set(ctx, row.MerchantID, row.ID)
	if err != nil {
		return nil, false, nil, err
	}
	if changed {
		behind = m.replan(ctx, row.MerchantID)
		m.reschedule(ctx, row.ID)
		if follow != nil {
			if run, err = follow(context.WithoutCancel(ctx), now); err != nil {
				return nil, false, nil, err
			}
		}
	}
	c, err = again(ctx, m.Reader.Connection.Query(), row.ID, "connection")
	return c, behind, run, err
}

// firstSync begins to let stock flow (spec 3.11).
func (m mutation) firstSync(ctx context.Context, c *ent.Connection) (*ent.SyncRun, error) {
	if !c.Enabled {
		return nil, nil
	}
	return m.Pipeline.Start(ctx, c.MerchantID, c.ID, enum.Full, enum.Enabled)
}

// showZero makes a store show zero, once, for what is held back from now on, if it is to (spec 3.6): no schedule would.
func (m mutation) showZero(ctx context.Context, c *ent.Connection) (*ent.SyncRun, error) {
	s, err := m.Reader.Store.Get(ctx, c.StoreID)
	if err != nil || s.OnExclude != enum.ZeroExcluded {
		return nil, err
	}
	return m.Pipeline.Start(ctx, c.MerchantID, c.ID, enum.Smart, enum.Excluding)
}

func (m mutation) StartSync(ctx context.Context, in model.StartSyncInput) (out *model.StartSyncPayload, err error) {
	out = &model.StartSyncPayload{}
	out.UserErrors, err = change(ctx, func() error {
		row, err := find(ctx, "Connection", "connectionId", in.ConnectionID, m.Reader.Connection.Get)
		if err != nil {
			return err
		}
		mode := enum.Smart
		if in.Mode != nil {
			mode = *in.Mode
		}
		run, err := m.Pipeline.Start(ctx, row.MerchantID, row.ID, mode, enum.Manual)
		if err == nil {
			out.Run, err = again(ctx, m.Reader.SyncRun.Query(), run.ID, "run")
		}
		return err
	})
	return out, err
}
