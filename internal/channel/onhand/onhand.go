// Package onhand pushes levels to platforms that keep what lies on the shelf and take their own allocations off again
// (Vendure, Medusa, Saleor, BigCommerce): what is available goes out as available + allocated, by the allocation told just before.
// A platform that keeps what is available (WooCommerce) is pushed to in the same way, with nothing added.
package onhand

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"stockbridge/internal/channel"
	"stockbridge/internal/fault"
	"stockbridge/internal/outbound"
)

// Most is the largest figure that the platforms take: an Int of GraphQL, and an integer of their databases.
const Most = 1<<31 - 1

// Codes of outcomes that are no platform's.
const (
	SKUUnknown      = "SKU_NOT_FOUND"
	SKUAmbiguous    = "SKU_AMBIGUOUS"
	LocationUnknown = "LOCATION_NOT_FOUND"
)

// Shelf is what a platform keeps of one item at one location.
type Shelf struct {
	Location  string // the platform's id
	OnHand    int64
	Allocated int64 // ordered and not yet gone; the platform sells OnHand - Allocated
}

// Item is what a platform sells under a SKU.
type Item struct {
	ID, SKU string
	Shelves []Shelf
	Refusal *Refusal // why it can keep no stock; nil if it can
}

// at is the shelf at a location; ok is false when the item has none there.
func (it Item) at(location string) (shelf Shelf, ok bool) {
	i := slices.IndexFunc(it.Shelves, func(s Shelf) bool { return s.Location == location })
	if i < 0 {
		return Shelf{Location: location}, false
	}
	return it.Shelves[i], true
}

// Row is one figure to write.
type Row struct {
	Item     string // the platform's id
	SKU      string
	Location string
	OnHand   int64 // 0 to Most
	Stocked  bool  // whether the item has a shelf at the location by now
}

// Answer is what a platform says of a row: Refusal, or the shelf as it is after.
type Answer struct {
	Refusal *Refusal
	Again   bool // beside a Refusal: the item was not the right one, and has to be looked up again
	Shelf   Shelf

	// Beside an error of Write:
	Left   bool // nothing is known of the row
	Unsent bool // nor was it sent; Left, too
}

// Platform is a store as this package needs it. Every method makes each of its requests once, with Ask or Graph.Ask, and
// returns their errors as they are. They are used from several goroutines at once.
type Platform interface {
	// Find returns every item that has one of the SKUs, with its shelves; more than were asked for do no harm.
	Find(ctx context.Context, skus []string) ([]Item, error)
	// Write sets rows, distinct by item and location, and returns one answer per row. With an error and no answers none is known to be set;
	// one that makes several requests of it answers for those that came to something, and the error is about what is Left.
	Write(ctx context.Context, rows []Row) ([]Answer, error)
	// Locations lists all.
	Locations(ctx context.Context) ([]channel.Location, error)
}

// Config says how a Pusher works.
type Config struct {
	Platform  Platform
	Location  string            // where levels without a location go; "": the store's only one
	Semantics channel.Semantics // Available writes quantities as they are
	Retry     outbound.Retry
	Peer      *outbound.Peer // whose secrets are kept out of words, and whose pace is held
}

// Pusher is what a Sink of such a platform is made of. It knows no ids from one request to the next, since allocations have to
// be asked for each time and the ids come with them: none can be stale. It is safe for concurrent use.
type Pusher struct {
	cfg    Config
	silent atomic.Int32 // requests in a row without a usable answer

	mu        sync.Mutex         // guards locations
	locations []channel.Location // as they were told last; nil before
}

// New makes a Pusher.
func New(cfg Config) *Pusher { return &Pusher{cfg: cfg} }

// Locations asks for the store's locations, and remembers them.
func (p *Pusher) Locations(ctx context.Context) (locations []channel.Location, err error) {
	err = p.patiently(ctx, func() error {
		locations, err = p.cfg.Platform.Locations(ctx)
		return err
	})
	if err != nil {
		return nil, Plain(err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.locations = locations
	return locations, nil
}

// TestLocations asks for the store's locations, once, and tells in words that it works: who let us in, with which places.
func (p *Pusher) TestLocations(ctx context.Context, who, places string) (string, error) {
	clock := p.cfg.Peer.Clock()
	start := clock.Time()
	locations, err := p.cfg.Platform.Locations(ctx)
	if err != nil {
		return "", fmt.Errorf("test: %w", Plain(err))
	}
	return p.words(fmt.Sprintf("%s let us in, with %s%s, in %s", who, places, List(locations), clock.Time().Sub(start).Round(time.Millisecond))), nil
}

// Close lets go of idle connections.
func (p *Pusher) Close() error {
	p.cfg.Peer.Close()
	return nil
}

func (p *Pusher) known() []channel.Location {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.locations
}

// place finds each level's location, and judges the levels whose location the store does not have. It answers which
// levels are to be sent, and where. An error means that none can be.
func (p *Pusher) place(ctx context.Context, levels []channel.Level, outcomes []channel.Outcome) (todo []int, where []string, err error) {
	where = make([]string, len(levels))
	locations, fresh := p.known(), false
	has := func(id string) bool {
		return slices.ContainsFunc(locations, func(l channel.Location) bool { return l.Code == id })
	}
	ask := func() (err error) {
		locations, err = p.Locations(ctx)
		fresh = err == nil
		return err
	}
	for i, l := range levels {
		where[i] = cmp.Or(l.Location, p.cfg.Location)
		if where[i] == "" && len(locations) != 1 || where[i] != "" && !has(where[i]) {
			if !fresh { // never asked, or there are new ones since
				if err := ask(); err != nil {
					return nil, nil, err
				}
			}
			if where[i] == "" && len(locations) != 1 {
				return nil, nil, fault.At("locationId", fault.Invalid, "the store has %d locations%s; set locationId to one of them, or link our locations to them", len(locations), List(locations))
			}
		}
		if where[i] == "" {
			where[i] = locations[0].Code
		}
		if !has(where[i]) {
			outcomes[i] = channel.Outcome{Verdict: channel.Refused, Code: LocationUnknown, Message: p.words(fmt.Sprintf("the store has no location %s; it has%s", where[i], List(locations)))}
			continue
		}
		todo = append(todo, i)
	}
	return todo, where, nil
}

// List is locations in words, the first ten of them, with a space before; "" for none.
func List(locations []channel.Location) string {
	var b strings.Builder
	for i, l := range locations {
		if i == 10 {
			b.WriteString(" …")
			break
		}
		fmt.Fprintf(&b, " %s (%s)", l.Code, l.Name)
	}
	return b.String()
}

func (p *Pusher) words(text string) string { return p.cfg.Peer.Hide(text) }
