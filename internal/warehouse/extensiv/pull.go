package extensiv

import (
	"context"
	"encoding/json"
	"hash/maphash"

	"stockbridge/internal/fault"
	"stockbridge/internal/warehouse"
	"stockbridge/internal/warehouse/paged"
)

// page is a page of stock summaries. Field names are read in any case: older versions of the API begin them with a capital.
type page struct {
	Total     *int       `json:"totalResults"`
	Summaries paged.List `json:"summaries"`
}

// summary is what a facility has of an item and one qualifier of it (a condition or variant that keeps the same SKU).
type summary struct {
	Item struct {
		SKU paged.Text `json:"sku"`
		ID  paged.Text `json:"id"`
	} `json:"itemIdentifier"`
	Qualifier paged.Text `json:"qualifier"`
	Facility  paged.Text `json:"facilityId"`
	Available paged.Text `json:"available"`
	OnHand    paged.Text `json:"onHand"`
	Allocated paged.Text `json:"allocated"`
}

// pull asks for page after page until as many summaries came as the first page told of.
//
// The pages have no order that could be asked for. So a total that changes, a page that is short and a summary that comes
// twice all mean that the list moved while it was read, and that some of it was not seen: the report is given up (BAD_REPLY),
// and the next pull begins anew.
func (s *Source) pull(ctx context.Context, rows *paged.Rows) error {
	sums := newSums()
	for got, number, total := 0, 1, -1; got < total || total < 0; number++ {
		p, err := s.page(ctx, number, pageSize, false)
		n := len(p.Summaries.Items)
		switch {
		case err != nil:
			return err
		case total >= 0 && *p.Total != total:
			return moved("page %d tells of %d summaries, the first page of %d", number, *p.Total, total)
		case n == 0 && *p.Total > 0 || got+n > *p.Total:
			return moved("%d summaries came up to page %d, of %d", got+n, number, *p.Total)
		}
		total = *p.Total
		for _, raw := range p.Summaries.Items {
			if err := sums.add(raw, rows); err != nil {
				return err
			}
		}
		got += n
	}
	return nil
}

func moved(format string, args ...any) error {
	f := fault.New(fault.BadReply, format, args...)
	f.Message = name + " changed its list while it was read (" + f.Message + "): nothing of it is used, the next pull begins anew"
	return f
}

// sums adds up what a facility has of one SKU: its qualifiers are summaries of their own, in any order and on any page. Each
// row passed on holds the sum so far, and the last one counts. About 110 bytes are kept per summary (measured at 200,000), and no text.
type sums struct {
	seed maphash.Seed
	seen map[uint64]bool // facility, item and qualifier
	sum  map[uint64]sum  // facility and SKU
}

type sum struct{ available, onHand, committed warehouse.Quantity }

func newSums() *sums {
	return &sums{seed: maphash.MakeSeed(), seen: map[uint64]bool{}, sum: map[uint64]sum{}}
}

// add passes one summary on.
func (s *sums) add(raw json.RawMessage, rows *paged.Rows) error {
	var it summary
	if err := json.Unmarshal(raw, &it); err != nil {
		return rows.Refuse("", "the stock summary is not as documented: "+err.Error())
	}
	if it.Item.SKU.Odd || it.Facility.Odd {
		return rows.Refuse("", "sku and facilityId are neither text nor numbers")
	}
	key := maphash.Comparable(s.seed, [4]string{it.Facility.S, it.Item.ID.S, it.Item.SKU.S, it.Qualifier.S})
	if s.seen[key] {
		return moved("SKU %s with qualifier %s came twice", warehouse.Excerpt(it.Item.SKU.S), warehouse.Excerpt(it.Qualifier.S))
	}
	s.seen[key] = true
	return rows.Add(warehouse.Row{
		SKU: it.Item.SKU.S, Facility: it.Facility.S, Available: it.Available.S, OnHand: it.OnHand.S, Committed: it.Allocated.S,
	}, func(l *warehouse.Level) {
		key := maphash.Comparable(s.seed, [2]string{l.Facility, l.SKU})
		before := s.sum[key]
		now := sum{plus(before.available, l.Available), plus(before.onHand, l.OnHand), plus(before.committed, l.Committed)}
		s.sum[key] = now
		l.Available, l.OnHand, l.Committed = now.available, now.onHand, now.committed
	})
}

// plus adds figures; one that is unknown adds nothing. The sum stays within the bounds of a report.
func plus(a, b warehouse.Quantity) warehouse.Quantity {
	switch {
	case !a.Known:
		return b
	case !b.Known:
		return a
	}
	return warehouse.Units(min(max(a.Units+b.Units, warehouse.MinQuantity), warehouse.MaxQuantity))
}
