package shopify

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"stockbridge/internal/fault"
	"stockbridge/internal/outbound"
)

// itemKey is a SKU at a location; the location is "" where it does not matter whether the item is stocked.
type itemKey struct{ sku, place string }

// item is what is remembered of an inventory item.
type item struct {
	id      int64 // of gid://shopify/InventoryItem/<id>
	stocked bool  // at the key's location
	until   time.Time
}

const itemPrefix = "gid://shopify/InventoryItem/"

func (i item) gid() string { return itemPrefix + strconv.FormatInt(i.id, 10) }

// key is what an item is remembered under.
func (s *Store) key(sku, place string) itemKey {
	if !s.activate {
		place = ""
	}
	return itemKey{sku, place}
}

// remembered is what is known of a SKU and not too old.
func (s *Store) remembered(k itemKey) (item, bool) {
	i, ok := s.items.Get(k)
	return i, ok && s.peer.Clock().Time().Before(i.until)
}

// found is what a look-up tells of one SKU: an item, or why there is none to be sure of.
type found struct {
	item item
	code string // "" beside an item
	why  string
}

// Codes of SKUs that lead to no item. Shopify has none of its own for these.
const (
	noSuchSKU  = "SKU_NOT_FOUND"
	manySKUs   = "SKU_NOT_UNIQUE"
	searchWide = "SKU_SEARCH_TOO_WIDE"
)

const (
	// morePages are what a search may bring beside the items wanted: Shopify's does not mind case, and matches more than what was asked
	// for where a SKU holds a wildcard.
	morePages = 4
	spare     = 10 // nodes asked for beside one per SKU, so that a SKU twice needs no second page
)

// A level of the item at the location is asked for only where it would be activated: it doubles the cost. An inactive level is
// left out by default (API 2026-04 and later), and setting its quantity does not make it active.
const (
	itemsDocument   = `query Items($q:String!,$n:Int!,$after:String){inventoryItems(first:$n,after:$after,query:$q){nodes{id sku} pageInfo{hasNextPage endCursor}}}`
	stockedDocument = `query Stocked($q:String!,$n:Int!,$after:String,$place:ID!){inventoryItems(first:$n,after:$after,query:$q){nodes{id sku inventoryLevel(locationId:$place){id}} pageInfo{hasNextPage endCursor}}}`
)

// quoted is a value for Shopify's search: in single quotes, with a backslash before a backslash and a single quote, so that
// colons, spaces, brackets, wildcards and OR are but text.
func quoted(value string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(value) + "'"
}

// lookUp finds the items of distinct SKUs, at most 250, and remembers those that are sure. A refusal that may be one SKU's doing
// is looked into by halves, so that it is that one's alone; SKUs with what may be a wildcard are looked up each by itself. Errors are those of ask.
func (p *push) lookUp(ctx context.Context, place string, skus []string, into map[string]found) (reply outbound.Reply, err error) {
	var plain, wild [][]string
	for _, sku := range skus {
		if strings.Contains(sku, "*") && len(skus) > 1 {
			wild = append(wild, []string{sku})
		} else if plain == nil {
			plain = [][]string{{sku}}
		} else {
			plain[0] = append(plain[0], sku)
		}
	}
	for groups := append(plain, wild...); len(groups) > 0; {
		group := groups[0]
		groups = groups[1:]
		var wide bool
		if reply, wide, err = p.search(ctx, place, group, into); err == nil && !wide {
			continue
		}
		var f *failure
		if err != nil && !(errors.As(err, &f) && f.sent) {
			return reply, err
		}
		if p.refusals++; len(group) > 1 && p.refusals <= mostRefusals {
			groups = append([][]string{group[:len(group)/2], group[len(group)/2:]}, groups...)
			continue
		}
		why := found{code: searchWide, why: fmt.Sprintf("Shopify finds more than %d items for the SKU, and cannot tell them apart; change it", morePages*(len(group)+spare))}
		if err != nil {
			o := p.refusal(err)
			why = found{code: o.Code, why: o.Message}
		}
		for _, sku := range group {
			into[sku] = why
		}
	}
	return reply, nil
}

// search makes one search, page by page. wide tells that it does not end.
func (s *Store) search(ctx context.Context, place string, skus []string, into map[string]found) (reply outbound.Reply, wide bool, err error) {
	terms := make([]string, len(skus))
	ids := make(map[string][]item, len(skus))
	for n, sku := range skus {
		terms[n] = "sku:" + quoted(sku)
		ids[sku] = nil
	}
	size := min(len(skus)+spare, maxRows)
	r := request{name: "Items", document: itemsDocument, size: size, cost: float64(2 + size)}
	vars := map[string]any{"q": strings.Join(terms, " OR "), "n": size, "after": nil}
	if s.activate {
		vars["place"] = place
		r.name, r.document, r.cost = "Stocked", stockedDocument, float64(2+2*size)
	}
	until := s.peer.Clock().Time().Add(cacheLife)
	for page := 0; ; page++ {
		if page == morePages {
			return reply, true, nil
		}
		var data struct {
			InventoryItems *struct {
				Nodes []struct {
					ID             string
					SKU            *string
					InventoryLevel *struct{ ID string }
				}
				PageInfo pageInfo
			}
		}
		r.variables, r.into = vars, &data
		r.check = func() error {
			if data.InventoryItems == nil {
				return &failure{fault: fault.New(fault.BadReply, "the reply holds no inventory items")}
			}
			return nil
		}
		if reply, err = s.ask(ctx, r); err != nil {
			return reply, false, err
		}
		for _, n := range data.InventoryItems.Nodes {
			if n.SKU == nil {
				continue
			}
			all, wanted := ids[*n.SKU] // exactly, with case
			if !wanted {
				continue
			}
			id, err := strconv.ParseInt(strings.TrimPrefix(n.ID, itemPrefix), 10, 64)
			if err != nil {
				return reply, false, &failure{fault: fault.Wrap(err, fault.BadReply, "the reply names an inventory item %.80q", n.ID)}
			}
			if !slices.ContainsFunc(all, func(i item) bool { return i.id == id }) { // pages may overlap when items come in between
				ids[*n.SKU] = append(all, item{id, n.InventoryLevel != nil, until})
			}
		}
		if !data.InventoryItems.PageInfo.HasNextPage {
			break
		}
		vars["after"] = data.InventoryItems.PageInfo.EndCursor
	}
	for _, sku := range skus {
		switch all := ids[sku]; len(all) {
		case 0:
			into[sku] = found{code: noSuchSKU, why: fmt.Sprintf("no inventory item of the shop has the SKU %.80q, in exactly this spelling", sku)}
		case 1:
			s.items.Add(s.key(sku, place), all[0])
			into[sku] = found{item: all[0]}
		default:
			into[sku] = found{code: manySKUs, why: fmt.Sprintf("%d inventory items of the shop have the SKU %.80q; give each its own", len(all), sku)}
		}
	}
	return reply, false, nil
}
