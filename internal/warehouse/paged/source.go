// Package paged is what warehouses have in common that are asked for their stock page by page: every pull is one complete
// report, asked for in JSON over one outbound.Peer.
package paged

import (
	"context"
	"io"

	"stockbridge/internal/fault"
	"stockbridge/internal/outbound"
	"stockbridge/internal/warehouse"
)

// Pull lists all that a warehouse has, from the first page to the last. It returns nil at a proper end only. Its errors are
// those of warehouse.Report.Read.
type Pull func(ctx context.Context, rows *Rows) error

// Listing offers the reports of a warehouse.Source: Next answers one, then io.EOF, then one again. Reaching the warehouse is
// left to Read.
type Listing struct {
	name    string
	pull    Pull
	offered bool
}

// NewListing makes a Listing; name tells the warehouse apart in problems.
func NewListing(name string, pull Pull) *Listing { return &Listing{name: name, pull: pull} }

// Anew makes another Listing of the same warehouse, which has a place of its own: Sources that are kept from one pull to the next
// hand one out to each.
func (l *Listing) Anew() *Listing { return NewListing(l.name, l.pull) }

// Next answers the report of this pull.
func (l *Listing) Next(context.Context) (warehouse.Report, error) {
	if l.offered = !l.offered; !l.offered {
		return nil, io.EOF
	}
	return &report{listing: l}, nil
}

// report is what the warehouse says in one pull.
type report struct {
	listing  *Listing
	complete bool
}

func (r *report) Name() string { return r.listing.name }

// Stamp is empty: every pull is a report anew.
func (r *report) Stamp() string { return "" }

// Read pulls. A warehouse that lists nothing at all is BAD_REPORT around warehouse.ErrEmpty: such a report is held.
func (r *report) Read(ctx context.Context, yield func(warehouse.Level, *warehouse.RowError) error) error {
	rows := &Rows{yield: yield}
	if err := r.listing.pull(ctx, rows); err != nil {
		return err
	}
	r.complete = true
	if rows.items == 0 {
		return fault.Wrap(warehouse.ErrEmpty, fault.BadReport, "%s lists no stock at all", r.listing.name)
	}
	return nil
}

func (r *report) Complete() bool { return r.complete }

// These platforms have no place to note what became of a report.

func (r *report) Accept(context.Context) error        { return nil }
func (r *report) Fail(context.Context, error) error   { return nil }
func (r *report) Reject(context.Context, error) error { return nil }

// Rows takes what a pull lists, numbered from 1.
type Rows struct {
	yield func(warehouse.Level, *warehouse.RowError) error
	items int
}

// Add judges a row and passes it on. finish, if not nil, may change a level that is usable.
func (r *Rows) Add(row warehouse.Row, finish func(*warehouse.Level)) error {
	row.Line = r.items + 1
	level, refused := row.Level()
	if refused == nil && finish != nil {
		finish(&level)
	}
	return r.pass(level, refused)
}

// Refuse passes on that an item cannot be used; sku is "" where none is known. Both may be as the warehouse wrote them.
func (r *Rows) Refuse(sku, reason string) error {
	level, _ := warehouse.Row{SKU: sku}.Level() // without SKU if it cannot name one
	return r.pass(warehouse.Level{}, &warehouse.RowError{Line: r.items + 1, SKU: level.SKU, Reason: outbound.Excerpt([]byte(reason))})
}

// pass ends the pull with yield's own error, which is not of the warehouse's making.
func (r *Rows) pass(level warehouse.Level, refused *warehouse.RowError) error {
	r.items++
	return r.yield(level, refused)
}
