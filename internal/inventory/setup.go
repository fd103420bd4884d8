package inventory

// Setup is everything a merchant has set that bears on quantities. Ids are the
// caller's and unique per kind. A connection to a warehouse or store that is not
// in the setup counts for nothing.
type Setup struct {
	Warehouses  []Warehouse
	Stores      []Store
	Connections []Connection
}

// QuantitySource says which reported figure of a warehouse counts first (spec 4.1).
type QuantitySource string

// Quantity sources; the zero value stands for SourceAvailable.
const (
	SourceAvailable QuantitySource = "AVAILABLE"
	SourceOnHand    QuantitySource = "ON_HAND"
)

// Warehouse is what the rules know of a warehouse.
type Warehouse struct {
	ID       int64
	Source   QuantitySource
	Strategy *Strategy // the active one; nil: every store gets the full sellable quantity (spec 4.6)
}

// Scope decides what a store receives where no limit matches (spec 4.5).
type Scope string

// Scopes; the zero value stands for AllSKUs.
const (
	AllSKUs    Scope = "ALL_SKUS"
	ListedSKUs Scope = "LISTED_SKUS"
)

// Action is what a limit does with the SKUs it matches (spec 4.5).
type Action string

// Actions of a limit.
const (
	Send Action = "SEND"
	Skip Action = "SKIP"
)

// Limit sends or skips the SKUs that match Pattern; see ValidatePattern for its form.
// A malformed pattern matches nothing.
type Limit struct {
	Pattern string
	Action  Action
}

// Store is what the rules know of a store. Of its limits the first that matches the
// product's (not the channel's) SKU decides.
type Store struct {
	ID     int64
	Scope  Scope
	Limits []Limit
}

// Connection is one warehouse feeding one store, at most one per pair. The lower ID is
// the older connection, which breaks ties of priority (spec 4.6). Without links it
// feeds the store's level with no location.
type Connection struct {
	ID               int64
	Warehouse        int64
	Store            int64
	Priority         int // lower first
	Enabled          bool
	InventoryEnabled bool
	Links            []Link
}

// Link feeds a facility's stock to a store location (spec 4.10).
type Link struct {
	Facility string
	Location string
}

// Figure is a reported number of units, within ±2³¹ (spec 6), or none. Only Known
// figures have units.
type Figure struct {
	Units int64
	Known bool
}

// Units is the figure of a reported number of units.
func Units(n int64) Figure { return Figure{Units: n, Known: true} }

// Level is the last report for a warehouse, facility and SKU; there is at most one
// for each. Facility is empty where the report named none.
type Level struct {
	Warehouse int64
	Facility  string
	SKU       string
	Available Figure
	OnHand    Figure
	Committed Figure
}

// Figure is the number that counts (spec 4.1).
func (l *Level) Figure(source QuantitySource) int64 {
	units, _ := l.figure(source)
	return units
}

// figure is the number that counts and whether it is the one on hand (spec 4.1).
func (l *Level) figure(source QuantitySource) (units int64, onHand bool) {
	if l.OnHand.Known && (source == SourceOnHand || !l.Available.Known) {
		return l.OnHand.Units, true
	}
	if l.Available.Known {
		return l.Available.Units, false
	}
	return 0, false
}
