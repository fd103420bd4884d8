// Package channel says what Stockbridge asks of a store: a Sink takes batches of
// levels and tells the outcome of each. One leaf package per platform implements it.
package channel

import "context"

// Level is one figure to be shown by a store.
type Level struct {
	SKU      string // the channel SKU, exactly as the store knows it
	Location string // the store location's code; "" for none
	Quantity int64  // units, 0 or more
}

// Batch is one request's worth of levels, at most Capabilities.MaxBatch.
type Batch struct {
	Store string // the store's public id
	Run   string // the run's public id
	Key   string // idempotency key: the same for every attempt at this batch
	// Levels are distinct by SKU and location.
	Levels []Level
}

// Verdict is what became of one level.
type Verdict int

// Verdicts. Unknown is the zero value, so that what nobody judged is never taken for acknowledged.
const (
	Unknown      Verdict = iota // sent, but no answer can be trusted: the store may or may not show it
	Acknowledged                // the store shows the quantity sent
	Refused                     // the store said no and shows what it showed before
	Unsent                      // never left: the store shows what it showed before
)

// Outcome is the verdict on one level, with the store's own words where it gave any.
type Outcome struct {
	Verdict Verdict
	Code    string // the platform's code, HTTP_<status>, or a fault code; "" when acknowledged or canceled
	Message string // the store's words, at most 300 characters; "" when acknowledged
}

// Capabilities are the bounds a store sets.
type Capabilities struct {
	MaxBatch    int // levels per request, 1 or more
	Concurrency int // requests under way at once, 1 or more
	// Semantics is what the store takes a quantity for. Levels always hold what is available; a sink of an ON_HAND store adds what
	// the store has allocated itself.
	Semantics Semantics
}

// Semantics says which number a store keeps (wire.md, "which number?").
type Semantics string

// Semantics.
const (
	Available Semantics = "AVAILABLE" // what can be sold
	OnHand    Semantics = "ON_HAND"   // what is on the shelf: the store takes its own allocations off again
)

// Location is a place that a store keeps stock at.
type Location struct {
	Code string // what Level.Location names, as the store knows it
	Name string
}

// Locator is a Sink of a store that can tell its locations.
type Locator interface {
	// Locations asks the store. Errors are those of Push.
	Locations(ctx context.Context) ([]Location, error)
}

// Sink is a connected store. Push may be called from several goroutines at once, up to Capabilities.Concurrency.
type Sink interface {
	Capabilities() Capabilities
	// Push sends one batch, waiting and retrying as the platform demands, and returns one outcome per level in the
	// batch's order. An error means that the store as a whole cannot be used now (CREDENTIALS_REFUSED, UNREACHABLE,
	// ADDRESS_REFUSED, …): the outcomes returned with it still hold, and pushing further batches is pointless.
	// A canceled context returns at once with what is known and the context's error.
	Push(ctx context.Context, batch Batch) ([]Outcome, error)
	// Test makes one harmless authenticated request and says in words what came back.
	Test(ctx context.Context) (string, error)
	// Close lets go of connections.
	Close() error
}
