package inventory

import (
	"fmt"
	"strings"
)

// Names tell what a merchant calls its warehouses, stores and connections.
type Names struct {
	Warehouse  func(id int64) string
	Store      func(id int64) string
	Connection func(id int64) string
}

// Text is the explanation in one plain sentence: "12 because EAST reports 40 available,
// 10% (4) is held back, and 36 are split equally among 3 stores, of which Web gets 12."
func (e *Explanation) Text(names Names) string {
	var parts []string
	for i := range e.Contributions {
		parts = append(parts, e.Contributions[i].text(names, names.Store(e.Target.Store)))
	}
	capped := ""
	if e.Target.Quantity < e.Sum {
		capped = fmt.Sprintf(", the most that the listing may show of %d,", e.Sum)
	}
	return fmt.Sprintf("%d%s because %s.", e.Target.Quantity, capped, strings.Join(parts, "; "))
}

func (c *Contribution) text(names Names, store string) string {
	warehouse := names.Warehouse(c.Warehouse)
	if c.Stock[0].PerBundle == 0 {
		return c.Stock[0].text(c, warehouse, store)
	}
	var limiting, others []string
	for i := range c.Stock {
		s := &c.Stock[i]
		if s.Limiting {
			limiting = append(limiting, fmt.Sprintf("%s limits it (%d ÷ %d: %s)", s.SKU, s.Share, s.PerBundle, s.text(c, warehouse, store)))
		} else {
			others = append(others, fmt.Sprintf("%s would make %d (%d ÷ %d)", s.SKU, s.Bundles, s.Share, s.PerBundle))
		}
	}
	return fmt.Sprintf("%s makes %d of the bundle: %s", warehouse, c.Quantity, strings.Join(append(limiting, others...), ", "))
}

func (s *Stock) text(c *Contribution, warehouse, store string) string {
	if len(s.Units) == 0 {
		return fmt.Sprintf("%s reports no %s that %s draws on", warehouse, s.SKU, store)
	}
	var parts []string
	for i := range s.Units {
		u := &s.Units[i]
		parts = append(parts, fmt.Sprintf("%s reports %s", u.where(warehouse), u.reported(c.Source)), u.divided(c.Strategy, store))
	}
	return strings.Join(parts, ", ")
}

func (u *Unit) where(warehouse string) string {
	if u.Whole || u.Facility == "" {
		return warehouse
	}
	return warehouse + " at " + u.Facility
}

// reported says what the levels add up to, and which of their figures that is.
func (u *Unit) reported(source QuantitySource) string {
	var sum int64
	var available, onHand bool
	for i := range u.Levels {
		units, fromOnHand := u.Levels[i].figure(source)
		sum += units
		onHand = onHand || fromOnHand
		available = available || !fromOnHand && u.Levels[i].Available.Known
	}
	var what string
	switch {
	case available && onHand:
		what = fmt.Sprintf("%d available or on hand", sum)
	case available:
		what = fmt.Sprintf("%d available", sum)
	case onHand:
		what = fmt.Sprintf("%d on hand", sum)
	default:
		what = "no figure"
	}
	if len(u.Levels) > 1 {
		what += fmt.Sprintf(" in %d facilities", len(u.Levels))
	}
	if sum < 0 {
		what += " (counted as 0)"
	}
	return what
}

// divided says how the store comes to its share.
func (u *Unit) divided(s *Strategy, store string) string {
	if s == nil {
		return fmt.Sprintf("all of which %s gets", store)
	}
	var held string
	switch {
	case u.Buffer > 0 && s.Buffer.Kind == PercentageBuffer:
		held = fmt.Sprintf("%s%% (%d) is held back, ", s.Buffer.Percentage, u.Buffer)
	case u.Buffer > 0:
		held = fmt.Sprintf("a buffer of %d is held back, ", u.Buffer)
	}
	left := fmt.Sprintf("%d are", u.Distributable)
	if u.Distributable == 1 {
		left = "1 is"
	}
	if u.TooFew {
		return fmt.Sprintf("%sand %s left where no store gets any below %d", held, left, s.MinimumDistributable)
	}
	among := fmt.Sprintf("among %d stores", len(u.Stores))
	if len(u.Stores) == 1 {
		among = "among 1 store"
	}
	switch s.Distribution {
	case Weighted:
		left += " split by weight " + among
	case InPriority:
		left += " shared out in order of priority, each up to its cap, " + among
	case Fixed:
		left += " shared out in fixed quantities in order of priority " + among
	default:
		left += " split equally " + among
	}
	return fmt.Sprintf("%sand %s, of which %s gets %d", held, left, store, u.Share)
}
