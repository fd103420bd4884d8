package inventory

import (
	"fmt"
	"slices"
	"strings"
)

// Reason is why a store is to show nothing under a channel SKU at a location.
type Reason string

// Reasons. Of several that hold at once the first one counts.
const (
	NoConnection       Reason = "NO_CONNECTION"        // no connection feeds the store
	ConnectionDisabled Reason = "CONNECTION_DISABLED"  // one would, but is disabled, or its inventory is (spec 4.2)
	LocationNotFed     Reason = "LOCATION_NOT_FED"     // the store's connections feed other locations (spec 4.10)
	ListingDisabled    Reason = "LISTING_DISABLED"     // the listing is kept from sending inventory
	ListingRemoved     Reason = "LISTING_REMOVED"      // the store has no listing with the channel SKU any more
	ListedOtherwise    Reason = "LISTED_UNDER_ANOTHER" // so the SKU does not pass through under its own name (spec 4.3)
	SkippedByLimit     Reason = "SKIPPED_BY_LIMIT"     // a limit of the store matches (spec 4.5)
	NotListed          Reason = "NOT_LISTED"           // and the store's scope is LISTED_SKUS (spec 4.5)
	NotReported        Reason = "NOT_REPORTED"         // by any warehouse that feeds the store
)

// HeldBack says why there is no target for a store, location and channel SKU (spec 3.6).
type HeldBack struct {
	Reason      Reason
	Store       int64
	Location    string
	ChannelSKU  string
	SKU         string       // of the product or at the warehouse
	Connections []Connection // that are disabled, by id; of CONNECTION_DISABLED only
	Position    int          // of the limit in the store's list, from 1; of SKIPPED_BY_LIMIT only
	Pattern     string       // of that limit
	ListedAs    []string     // the channel SKUs it is listed under; of LISTED_UNDER_ANOTHER only
}

// HeldBack says why Explain finds no target. sku is the product or warehouse SKU that the
// channel SKU once stood for. Give it all that bears on both.
func (r *Rules) HeldBack(cat Catalog, levels []Level, store int64, location, channelSKU, sku string) HeldBack {
	h := HeldBack{Store: store, Location: location, ChannelSKU: channelSKU, SKU: sku}
	own := slices.IndexFunc(cat.Listings, func(l Listing) bool { return l.Store == store && l.ChannelSKU == channelSKU })
	if own >= 0 {
		h.SKU = cat.Listings[own].SKU
	}
	h.Reason = r.reason(&h, cat, levels, own)
	return h
}

func (r *Rules) reason(h *HeldBack, cat Catalog, levels []Level, own int) Reason {
	s, fed := r.storeAt[h.Store]
	if !fed {
		if h.Connections = r.disabled(h.Store, func(Connection) bool { return true }); h.Connections == nil {
			return NoConnection
		}
		return ConnectionDisabled
	}
	st := &r.stores[s]
	if !slices.Contains(st.locations, h.Location) {
		h.Connections = r.disabled(h.Store, func(c Connection) bool { return slices.Contains(c.locations(), h.Location) })
		if h.Connections == nil {
			return LocationNotFed
		}
		return ConnectionDisabled
	}
	switch {
	case own >= 0 && !cat.Listings[own].InventoryEnabled:
		return ListingDisabled
	case own < 0 && h.SKU != h.ChannelSKU:
		return ListingRemoved
	case own < 0:
		for _, l := range cat.Listings {
			if l.Store == h.Store && l.SKU == h.SKU {
				h.ListedAs = append(h.ListedAs, l.ChannelSKU)
			}
		}
		if h.ListedAs != nil {
			slices.Sort(h.ListedAs)
			return ListedOtherwise
		}
	}
	switch limit, found := st.limits.decide(h.SKU); {
	case found && !limit.send:
		h.Position, h.Pattern = limit.position+1, st.limits.list[limit.position].Pattern
		return SkippedByLimit
	case !found && st.limits.listed && own < 0:
		return NotListed
	}
	h.Connections = r.disabled(h.Store, func(c Connection) bool {
		return slices.ContainsFunc(levels, func(l Level) bool { return l.Warehouse == c.Warehouse && l.SKU == h.SKU })
	})
	if h.Connections != nil {
		return ConnectionDisabled
	}
	return NotReported
}

// disabled gives the connections of a store that do not count though they could, nil for none.
func (r *Rules) disabled(store int64, could func(Connection) bool) (all []Connection) {
	for _, c := range r.idle {
		if c.Store == store && could(c) {
			all = append(all, c)
		}
	}
	return all
}

// Text is the reason in one plain sentence: "Held back because limit 2 of Web skips OLD-*."
func (h *HeldBack) Text(names Names) string {
	return "Held back because " + h.text(names, names.Store(h.Store)) + "."
}

func (h *HeldBack) text(names Names, store string) string {
	switch h.Reason {
	case NoConnection:
		return "no connection feeds " + store
	case ConnectionDisabled:
		parts := make([]string, len(h.Connections))
		for i, c := range h.Connections {
			what := "is disabled"
			if c.Enabled {
				what = "has its inventory disabled"
			}
			parts[i] = fmt.Sprintf("the connection %s from %s %s", names.Connection(c.ID), names.Warehouse(c.Warehouse), what)
		}
		return strings.Join(parts, ", and ")
	case LocationNotFed:
		if h.Location == "" {
			return fmt.Sprintf("every connection that feeds %s has links to locations, so nothing goes out without one", store)
		}
		return fmt.Sprintf("no connection feeds the location %s of %s", h.Location, store)
	case ListingDisabled:
		return fmt.Sprintf("the listing %s of %s has its inventory disabled", h.ChannelSKU, store)
	case ListingRemoved:
		return fmt.Sprintf("%s has no listing %s any more", store, h.ChannelSKU)
	case ListedOtherwise:
		return fmt.Sprintf("%s is listed on %s as %s, and so is not sent under its own SKU", h.SKU, store, strings.Join(h.ListedAs, ", "))
	case SkippedByLimit:
		return fmt.Sprintf("limit %d of %s skips %s, which %s matches", h.Position, store, h.Pattern, h.SKU)
	case NotListed:
		return fmt.Sprintf("%s receives listed SKUs only, and %s is not listed on it", store, h.SKU)
	}
	return fmt.Sprintf("no warehouse that feeds %s reports %s", store, h.SKU)
}
