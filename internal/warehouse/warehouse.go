// Package warehouse says what Stockbridge asks of a system that reports stock:
// a Source hands over its reports one after the other, each as a stream of levels.
// One leaf package per platform implements it.
package warehouse

import (
	"context"
	"fmt"
	"time"
)

// Bounds of what a report may hold (spec section 6).
const (
	MaxSKUBytes = 255
	MaxQuantity = 1<<31 - 1
	MinQuantity = -1 << 31
)

// Quantity is one figure of a level: a whole number of units, or absent.
type Quantity struct {
	Units int64
	Known bool
}

// Units makes a known quantity.
func Units(n int64) Quantity { return Quantity{Units: n, Known: true} }

// Level is one row of a report: what the warehouse has of a SKU at a facility.
type Level struct {
	SKU       string // trimmed, 1 to 255 bytes
	Facility  string // trimmed; "" when the report names none
	Available Quantity
	OnHand    Quantity
	Committed Quantity
	UpdatedAt time.Time // as the warehouse tells it; zero when it does not
	Line      int       // 1-based line or item in the report, for problems
	Note      string    // what was lost in reading ("available 2.5 was floored to 2"), else ""
}

// RowError is a row that cannot be used. Reading goes on after it.
type RowError struct {
	Line   int    // 1-based line or item in the report
	SKU    string // "" when it could not be read
	Reason string // what is wrong and how to mend it
}

func (e *RowError) Error() string {
	if e.SKU == "" {
		return fmt.Sprintf("line %d: %s", e.Line, e.Reason)
	}
	return fmt.Sprintf("line %d: SKU %s: %s", e.Line, e.SKU, e.Reason)
}

// Source is a connected warehouse. A Source is used by one goroutine at a time.
type Source interface {
	// Next opens the oldest report not yet taken, or answers io.EOF when nothing (more) waits.
	// A report that was neither accepted nor rejected is not offered again by the same Source.
	// Errors carry fault codes CREDENTIALS_REFUSED, UNREACHABLE, ADDRESS_REFUSED, HOST_KEY_MISMATCH, PATH_REFUSED or BAD_REPLY.
	Next(ctx context.Context) (Report, error)
	// Test makes one harmless authenticated request and says in words what came back.
	Test(ctx context.Context) (string, error)
	// Close lets go of connections. It does not wait for the warehouse.
	Close() error
}

// Report is one statement of a warehouse: all its stock, or some of it.
type Report interface {
	// Name tells the report apart in problems and logs, a file's name for instance.
	Name() string
	// Stamp tells this very report apart from a later one of its name: a file's size and time. "" where every pull is a
	// report anew.
	Stamp() string
	// Read yields every level in the order reported, exactly once, never holding the whole report. It returns nil at a
	// proper end only. yield gets either a level or a *RowError; an error it returns stops the reading and is
	// returned. Any other error (BAD_REPORT: no usable header, changed while read, not text, truncated, empty, the
	// last with ErrEmpty in its chain; or THROTTLED, or one of Next's codes) means that nothing of the report may be recorded.
	Read(ctx context.Context, yield func(Level, *RowError) error) error
	// Complete tells, once Read returned nil, whether every SKU the warehouse has is named.
	Complete() bool
	// Accept says that the report is recorded: a file is archived.
	Accept(ctx context.Context) error
	// Fail says that the report could not be used: it stays where it is, with the reason beside it where the platform has a place for one.
	Fail(ctx context.Context, reason error) error
	// Reject says that an operator turned the report down: a file is moved aside with the reason.
	Reject(ctx context.Context, reason error) error
}
