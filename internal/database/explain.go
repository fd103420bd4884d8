package database

import (
	"context"
	"fmt"
	"time"

	"stockbridge/ent"
	"stockbridge/ent/schema/enum"
	"stockbridge/internal/inventory"
)

// Explained says how a channel level came about (spec 2.4): the rules by what is stored now, then what became of it at the store.
type Explained struct {
	inventory.Explanation                     // zero where the level is held back
	HeldBack              *inventory.HeldBack // why there is no quantity; nil where there is
	// UpToDate says that the level is what the rules make of what is stored. It is not while a change is being worked out.
	UpToDate   bool
	Strategies map[int64]int64 // the active one's id, by warehouse
	LastAnswer *StoreAnswer    // nil before the first
	Why        string          // the level is held back, in one sentence; "" where it is not
	Text       string          // all of it in one paragraph; it begins with the quantity, where there is one
}

// StoreAnswer is what a store said to a push.
type StoreAnswer struct {
	Acknowledged bool
	At           *time.Time // nil where that is no longer kept
	Quantity     *int64     // that was sent; nil where that is no longer kept
	Words        string     // of the store, where it did not acknowledge
}

// Explain explains channel levels of a merchant, in their order, by what is stored at one moment. However many levels, it
// makes some fifteen statements; a page of 250 is what it is made for.
func (db *DB) Explain(ctx context.Context, merchantID int64, levels []*ent.ChannelLevel) (all []*Explained, err error) {
	if len(levels) == 0 {
		return nil, nil
	}
	err = db.inView(ctx, func(t *tx) error {
		all, err = t.explain(ctx, merchantID, levels)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("explain %d levels of merchant %d: %w", len(levels), merchantID, err)
	}
	return all, nil
}

func (t *tx) explain(ctx context.Context, merchantID int64, levels []*ent.ChannelLevel) ([]*Explained, error) {
	w, err := t.world(ctx, merchantID)
	if err != nil {
		return nil, fmt.Errorf("read the setup: %w", err)
	}
	var skus []string
	for _, l := range levels {
		skus = append(skus, l.Sku, l.ChannelSku)
	}
	related, cat, err := t.bearing(ctx, merchantID, skus, map[string]inventory.Product{}, supposed{})
	if err != nil {
		return nil, err
	}
	figures, err := t.levelsOf(ctx, merchantID, related)
	if err != nil {
		return nil, err
	}
	refusals, err := t.refusals(ctx, merchantID, levels)
	if err != nil {
		return nil, err
	}
	rules, names := inventory.NewRules(w.setup), w.names()
	explainer := rules.Explainer(cat, figures)
	all := make([]*Explained, len(levels))
	for i, l := range levels {
		e := &Explained{Strategies: w.strategies}
		switch {
		case l.LastError != nil:
			answer := refusals[refusalOf(l)]
			answer.Words = *l.LastError
			e.LastAnswer = &answer
		case l.LastPushedAt != nil:
			e.LastAnswer = &StoreAnswer{Acknowledged: true, At: l.LastPushedAt, Quantity: l.PushedQuantity}
		}
		var found bool
		if e.Explanation, found = explainer.Explain(l.StoreID, l.LocationCode, l.ChannelSku); found {
			e.UpToDate = l.Status != enum.LevelExcluded && l.Quantity == e.Target.Quantity
			e.Text = e.Explanation.Text(names)
		} else {
			why := rules.HeldBack(cat, figures, l.StoreID, l.LocationCode, l.ChannelSku, l.Sku)
			e.HeldBack, e.UpToDate = &why, l.Status == enum.LevelExcluded
			e.Why = why.Text(names)
			e.Text = e.Why
		}
		e.Text += " " + e.pushed(l, w.storeName(l.StoreID))
		all[i] = e
	}
	return all, nil
}

func (w *world) names() inventory.Names {
	return inventory.Names{
		Warehouse:  func(id int64) string { return w.warehouses[id].Name },
		Store:      w.storeName,
		Connection: func(id int64) string { return w.connections[id].Name },
	}
}

// storeName also serves a level that was read just before its store was deleted.
func (w *world) storeName(id int64) string {
	if s := w.stores[id]; s != nil {
		return s.Name
	}
	return "the store, which is gone,"
}

// refusal names a level as activities do.
type refusal struct {
	store      int64
	channelSKU string
	location   Int
}

func refusalOf(l *ent.ChannelLevel) refusal {
	r := refusal{store: l.StoreID, channelSKU: l.ChannelSku}
	if l.LocationID != nil {
		r.location = IntOf(*l.LocationID)
	}
	return r
}

// refusals reads when stores last refused those levels that they refused, and which quantity. The levels hold all other
// answers themselves.
func (t *tx) refusals(ctx context.Context, merchantID int64, levels []*ent.ChannelLevel) (map[refusal]StoreAnswer, error) {
	var skus []string
	for _, l := range levels {
		if l.LastError != nil {
			skus = append(skus, l.Sku)
		}
	}
	if skus == nil {
		return nil, nil
	}
	among, arg := t.db.among("sku", skus)
	answers := map[refusal]StoreAnswer{}
	err := t.each(ctx, `SELECT coalesce(store_id, 0), coalesce(channel_sku, ''), location_id, coalesce(after, 0), at FROM activities WHERE id IN (
		SELECT max(id) FROM activities WHERE merchant_id = ? AND `+among+` AND kind = 'CHANNEL_LEVEL_FAILED' GROUP BY store_id, channel_sku, location_id)`,
		[]any{merchantID, arg}, func(scan func(...any) error) error {
			var r refusal
			var at time.Time
			var sent int64
			err := scan(&r.store, &r.channelSKU, &r.location, &sent, &at)
			answers[r] = StoreAnswer{At: &at, Quantity: &sent}
			return err
		})
	if err != nil {
		return nil, fmt.Errorf("read what stores refused: %w", err)
	}
	return answers, nil
}

// pushed says in a sentence or two what became of a level at its store.
func (e *Explained) pushed(l *ent.ChannelLevel, store string) string {
	text := store + " has acknowledged nothing yet."
	if l.PushedQuantity != nil {
		text = fmt.Sprintf("%s last acknowledged %d", store, *l.PushedQuantity)
		if l.LastPushedAt != nil {
			text += " at " + moment(*l.LastPushedAt)
		}
		text += "."
	}
	switch {
	case l.Status == enum.PushFailed && l.LastError != nil:
		text += fmt.Sprintf(" It did not take %d", l.Quantity)
		if at := e.LastAnswer.At; at != nil {
			text += " at " + moment(*at)
		}
		text += fmt.Sprintf(": %q. The next sync tries again.", *l.LastError)
	case l.Status == enum.LevelExcluded && l.Due:
		text += fmt.Sprintf(" It is to be told %d once more.", l.Quantity)
	case l.Status == enum.LevelExcluded:
		text += " Nothing more is sent."
	case l.Status == enum.Pending:
		text += fmt.Sprintf(" %d goes out with the next sync.", l.Quantity)
	}
	if !e.UpToDate {
		text += fmt.Sprintf(" A change is being worked out: the level still stands at %d.", l.Quantity)
	}
	return text
}

func moment(t time.Time) string { return t.UTC().Format(time.RFC3339) }
