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
	LastAnswer *StoreAnswer    // nil before the first, or where it is no longer kept
	Why        string          // the level is held back, in one sentence; "" where it is not
	Text       string          // all of it in one paragraph; it begins with the quantity, where there is one
}

// StoreAnswer is what a store said to a push.
type StoreAnswer struct {
	At           time.Time
	Quantity     int64 // that was sent
	Acknowledged bool
	Words        string // of the store, where it did not acknowledge
	Run          Int
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
	answers, err := t.lastAnswers(ctx, merchantID, levels)
	if err != nil {
		return nil, err
	}
	rules, names := inventory.NewRules(w.setup), w.names()
	all := make([]*Explained, len(levels))
	for i, l := range levels {
		e := &Explained{Strategies: w.strategies}
		if answer, ok := answers[channelKey{l.StoreID, l.ChannelSku, l.LocationCode}]; ok {
			e.LastAnswer = &answer
		}
		var found bool
		if e.Explanation, found = rules.Explain(cat, figures, l.StoreID, l.LocationCode, l.ChannelSku); found {
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

// lastAnswers reads what the stores last said of levels, by key.
func (t *tx) lastAnswers(ctx context.Context, merchantID int64, levels []*ent.ChannelLevel) (map[channelKey]StoreAnswer, error) {
	type place struct {
		store    int64
		sku      string
		location Int
	}
	keys := map[place]channelKey{}
	var skus []string
	for _, l := range levels {
		p := place{l.StoreID, l.ChannelSku, Int{}}
		if l.LocationID != nil {
			p.location = IntOf(*l.LocationID)
		}
		keys[p] = channelKey{l.StoreID, l.ChannelSku, l.LocationCode}
		skus = append(skus, l.Sku)
	}
	among, arg := t.db.among("sku", skus)
	answers := map[channelKey]StoreAnswer{}
	err := t.each(ctx, `SELECT store_id, channel_sku, location_id, kind, after, at, coalesce(message, ''), run_id FROM activities WHERE id IN (
		SELECT max(id) FROM activities WHERE merchant_id = ? AND `+among+` AND kind IN ('CHANNEL_LEVEL_PUSHED', 'CHANNEL_LEVEL_FAILED') GROUP BY store_id, channel_sku, location_id)`,
		[]any{merchantID, arg}, func(scan func(...any) error) error {
			var store, sent Int
			var channelSKU *string
			var location Int
			var kind enum.ActivityKind
			var a StoreAnswer
			if err := scan(&store, &channelSKU, &location, &kind, &sent, &a.At, &a.Words, &a.Run); err != nil {
				return err
			}
			if channelSKU == nil {
				return nil
			}
			a.Quantity, a.Acknowledged = sent.Int64, kind == enum.QuantityPushed
			if key, ok := keys[place{store.Int64, *channelSKU, location}]; ok {
				answers[key] = a
			}
			return nil
		})
	if err != nil {
		return nil, fmt.Errorf("read what stores last answered: %w", err)
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
	case l.Status == enum.PushFailed && e.LastAnswer != nil && !e.LastAnswer.Acknowledged:
		text += fmt.Sprintf(" It did not take %d at %s: %q. The next sync tries again.", e.LastAnswer.Quantity, moment(e.LastAnswer.At), e.LastAnswer.Words)
	case l.Status == enum.PushFailed && l.LastError != nil:
		text += fmt.Sprintf(" It did not take %d: %q. The next sync tries again.", l.Quantity, *l.LastError)
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
