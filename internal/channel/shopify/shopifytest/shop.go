// Package shopifytest is a stand-in for Shopify's Admin GraphQL API, for tests: it validates requests against Shopify's own
// schema where it is given, and enforces what Shopify checks at run time (idempotency keys, changeFromQuantity, list
// sizes, items and locations, the budget of points).
package shopifytest

import (
	"crypto/sha256"
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/vektah/gqlparser/v2/ast"
)

// Config says what the shop is like. The zero value is a shop of the Standard plan that takes any token and knows no schema.
type Config struct {
	Token   string                // "": any
	Schema  *ast.Schema           // nil: requests are not validated
	Now     func() time.Time      // nil: the real time
	Latency time.Duration         // between a request and its execution
	Maximum float64               // points in the full bucket; 0: 2000
	Rate    float64               // points restored per second; 0: 100
	Status  int                   // of a reply that says THROTTLED; 0: 200
	Partial bool                  // rows that are right are set although others are wrong; which of both Shopify does is not documented
	Scopes  []string              // nil: all that is needed
	Strange func(q Quantity) *Err // what is wrong with a row by a rule of the test's own, nil for nothing
}

// Quantity is one row of inventorySetQuantities.
type Quantity struct {
	Item, Location string // gids
	Quantity       int64
}

// Err is a user error. Row -1 names no row.
type Err struct{ Code, Message string }

// Call is one request as it came in.
type Call struct {
	Operation string // its name: "Set"
	Key       string // idempotency key
	Body      string
	Rows      []Quantity // of inventorySetQuantities
	Number    int        // from 1, among all requests
}

// Answer is done in place of, or after, the shop's own work.
type Answer func(w http.ResponseWriter, r *http.Request)

// Shop is the stand-in, an http.Handler. It is safe for concurrent use.
type Shop struct {
	cfg Config

	mu        sync.Mutex // guards what follows
	items     map[int64]*stockItem
	bySKU     map[string][]int64 // by lower case
	order     []int64
	places    []place
	calls     []Call
	keep      bool
	count     int
	done      map[string]*attempt // by idempotency key
	available float64
	at        time.Time
	spent     float64
	sets      int
	throttled int
	before    func(Call) Answer
	after     func(Call) Answer
	refuse    func(Call) []Err
}

type stockItem struct {
	id      int64
	sku     string
	levels  map[int64]*level
	mutable bool
}

type level struct {
	quantity int64
	active   bool
}

type place struct {
	id     int64
	name   string
	active bool
}

// attempt is what came of a key.
type attempt struct {
	sum  [sha256.Size]byte // of the variables
	data map[string]any
}

// New makes a shop without items and locations.
func New(cfg Config) *Shop {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Maximum == 0 {
		cfg.Maximum = 2000
	}
	if cfg.Rate == 0 {
		cfg.Rate = 100
	}
	if cfg.Status == 0 {
		cfg.Status = http.StatusOK
	}
	if cfg.Scopes == nil {
		cfg.Scopes = []string{"write_inventory", "read_inventory", "read_locations"}
	}
	return &Shop{cfg: cfg, items: map[int64]*stockItem{}, bySKU: map[string][]int64{}, done: map[string]*attempt{}, available: cfg.Maximum, at: cfg.Now(), keep: true}
}

// AddLocation adds a location.
func (s *Shop) AddLocation(id int64, name string, active bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.places = append(s.places, place{id, name, active})
}

// AddItem adds an inventory item, stocked with 0 at locations, or gives one that is there another SKU.
func (s *Shop) AddItem(id int64, sku string, stockedAt ...int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := s.items[id]
	if i == nil {
		i = &stockItem{id: id, levels: map[int64]*level{}, mutable: true}
		s.items[id] = i
		s.order = append(s.order, id)
	} else {
		s.unlist(i)
	}
	i.sku = sku
	s.bySKU[strings.ToLower(sku)] = append(s.bySKU[strings.ToLower(sku)], id)
	for _, l := range stockedAt {
		i.levels[l] = &level{active: true}
	}
}

func (s *Shop) unlist(i *stockItem) {
	low := strings.ToLower(i.sku)
	s.bySKU[low] = slices.DeleteFunc(s.bySKU[low], func(id int64) bool { return id == i.id })
}

// RemoveItem deletes an item.
func (s *Shop) RemoveItem(id int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.unlist(s.items[id])
	delete(s.items, id)
	s.order = slices.DeleteFunc(s.order, func(other int64) bool { return other == id })
}

// Freeze makes an item one that Shopify counts itself.
func (s *Shop) Freeze(id int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.items[id].mutable = false
}

// Stock is an item's quantity at a location; active is false where it is not stocked.
func (s *Shop) Stock(item, location int64) (quantity int64, active bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if i := s.items[item]; i != nil && i.levels[location] != nil {
		return i.levels[location].quantity, i.levels[location].active
	}
	return 0, false
}

// Calls are the requests so far.
func (s *Shop) Calls() []Call {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.calls)
}

// Forget keeps no requests from now on, for runs of many.
func (s *Shop) Forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.keep, s.calls = false, nil
}

// Spent are the points that requests cost in the end, how many rows were set, and how often a request was throttled.
func (s *Shop) Spent() (points float64, rows, throttled int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.spent, s.sets, s.throttled
}

// Available are the points in the bucket.
func (s *Shop) Available() float64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refill()
	return s.available
}

// Drain takes points out of the bucket, as another program of the same app does.
func (s *Shop) Drain(points float64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refill()
	s.available -= points
}

// Before has requests answered by what f returns, in place of the shop; nil: by the shop.
func (s *Shop) Before(f func(Call) Answer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.before = f
}

// After has requests executed, and then answered by what f returns; nil: by the shop.
func (s *Shop) After(f func(Call) Answer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.after = f
}

// Refuse has inventorySetQuantities answer user errors that name no row.
func (s *Shop) Refuse(f func(Call) []Err) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refuse = f
}

// refill adds what the bucket got back. mu is held.
func (s *Shop) refill() {
	now := s.cfg.Now()
	s.available = min(s.cfg.Maximum, s.available+s.cfg.Rate*now.Sub(s.at).Seconds())
	s.at = now
}

const (
	itemPrefix  = "gid://shopify/InventoryItem/"
	placePrefix = "gid://shopify/Location/"
)

func gid(prefix string, id int64) string { return prefix + strconv.FormatInt(id, 10) }

// number is the id in a gid, 0 for none.
func number(prefix string, v any) int64 {
	text, _ := v.(string)
	rest, ok := strings.CutPrefix(text, prefix)
	if id, err := strconv.ParseInt(rest, 10, 64); err == nil && ok {
		return id
	}
	return 0
}

// whole is an integer of a request, whose numbers are json.Number or, written into the document, int64.
func whole(v any) int64 {
	switch n := v.(type) {
	case json.Number:
		if i, err := n.Int64(); err == nil {
			return i
		}
	case int64:
		return n
	}
	return 0
}
