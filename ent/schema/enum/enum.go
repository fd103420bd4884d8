// Package enum holds the closed sets of values that columns and API enums share.
// Every value is spelled as the API spells it.
package enum

// A value set is listed by its Values method, which ent turns into a check on writing.

// Platform of a warehouse or a store (spec section 5, WarehousePlatformInput and StorePlatformInput).
type Platform string

const (
	FileExchange Platform = "FILE_EXCHANGE"
	HTTP         Platform = "HTTP"
	Push         Platform = "PUSH"

	// Stores.
	Shopify     Platform = "SHOPIFY"
	WooCommerce Platform = "WOO_COMMERCE"
	BigCommerce Platform = "BIG_COMMERCE"
	Amazon      Platform = "AMAZON"
	Vendure     Platform = "VENDURE"
	Medusa      Platform = "MEDUSA"
	Saleor      Platform = "SALEOR"

	// Warehouses.
	Extensiv Platform = "EXTENSIV"
	ShipHero Platform = "SHIP_HERO"
	ShipBob  Platform = "SHIP_BOB"
	Tryton   Platform = "TRYTON"
)

// Values lists the set.
func (Platform) Values() []string {
	return []string{"FILE_EXCHANGE", "HTTP", "PUSH", "SHOPIFY", "WOO_COMMERCE", "BIG_COMMERCE", "AMAZON", "VENDURE", "MEDUSA", "SALEOR", "EXTENSIV", "SHIP_HERO", "SHIP_BOB", "TRYTON"}
}

// QuantitySource says which reported figure a warehouse's stock is read from (spec 4.1).
type QuantitySource string

const (
	Available QuantitySource = "AVAILABLE"
	OnHand    QuantitySource = "ON_HAND"
)

// Values lists the set.
func (QuantitySource) Values() []string { return []string{"AVAILABLE", "ON_HAND"} }

// MissingSKUPolicy says what becomes of a SKU that a complete report no longer names (spec 3.10).
type MissingSKUPolicy string

const (
	Keep MissingSKUPolicy = "KEEP"
	Zero MissingSKUPolicy = "ZERO"
)

// Values lists the set.
func (MissingSKUPolicy) Values() []string { return []string{"KEEP", "ZERO"} }

// OnExclude says what a store shows of a level that is held back (spec 3.6).
type OnExclude string

const (
	LeaveExcluded OnExclude = "LEAVE"
	ZeroExcluded  OnExclude = "ZERO"
)

// Values lists the set.
func (OnExclude) Values() []string { return []string{"LEAVE", "ZERO"} }

// StoreScope decides for SKUs that no limit matches (spec 4.5).
type StoreScope string

const (
	AllSKUs    StoreScope = "ALL_SKUS"
	ListedSKUs StoreScope = "LISTED_SKUS"
)

// Values lists the set.
func (StoreScope) Values() []string { return []string{"ALL_SKUS", "LISTED_SKUS"} }

// LimitAction is what a matching limit does (spec 4.5).
type LimitAction string

const (
	Send LimitAction = "SEND"
	Skip LimitAction = "SKIP"
)

// Values lists the set.
func (LimitAction) Values() []string { return []string{"SEND", "SKIP"} }

// BufferType is the kind of a strategy's safety stock (spec 4.7).
type BufferType string

const (
	NoBuffer         BufferType = "NONE"
	PercentageBuffer BufferType = "PERCENTAGE"
	FixedBuffer      BufferType = "FIXED_QUANTITY"
)

// Values lists the set.
func (BufferType) Values() []string { return []string{"NONE", "PERCENTAGE", "FIXED_QUANTITY"} }

// Distribution is how a strategy splits what is distributable (spec 4.8).
type Distribution string

const (
	Equal    Distribution = "EQUAL"
	Weighted Distribution = "WEIGHTED"
	Priority Distribution = "PRIORITY"
	Fixed    Distribution = "FIXED"
)

// Values lists the set.
func (Distribution) Values() []string { return []string{"EQUAL", "WEIGHTED", "PRIORITY", "FIXED"} }

// Remainder says where the units go that a split leaves over (spec 4.8).
type Remainder string

const (
	Spread   Remainder = "SPREAD"
	HoldBack Remainder = "HOLD_BACK"
)

// Values lists the set.
func (Remainder) Values() []string { return []string{"SPREAD", "HOLD_BACK"} }

// SyncMode tells Smart from Full Sync (spec 3.3, 3.4).
type SyncMode string

const (
	Smart SyncMode = "SMART"
	Full  SyncMode = "FULL"
)

// Values lists the set.
func (SyncMode) Values() []string { return []string{"SMART", "FULL"} }

// SyncTrigger says what started a run.
type SyncTrigger string

const (
	Manual    SyncTrigger = "MANUAL"    // startSync, or the command line
	Scheduled SyncTrigger = "SCHEDULE"  // spec 3.7
	Enabled   SyncTrigger = "ENABLED"   // the first Full Sync of 3.11
	Reported  SyncTrigger = "REPORTED"  // pushOnChange, 3.12
	Excluding SyncTrigger = "EXCLUSION" // to show 0 once for what is held back, 3.6
)

// Values lists the set.
func (SyncTrigger) Values() []string {
	return []string{"MANUAL", "SCHEDULE", "ENABLED", "REPORTED", "EXCLUSION"}
}

// SyncStatus is the state of a run (spec 3.13).
type SyncStatus string

const (
	Queued      SyncStatus = "QUEUED"
	Running     SyncStatus = "RUNNING"
	Succeeded   SyncStatus = "SUCCEEDED"
	Partial     SyncStatus = "PARTIAL"
	Failed      SyncStatus = "FAILED"
	Held        SyncStatus = "HELD"
	Canceled    SyncStatus = "CANCELED"
	Interrupted SyncStatus = "INTERRUPTED"
)

// Values lists the set.
func (SyncStatus) Values() []string {
	return []string{"QUEUED", "RUNNING", "SUCCEEDED", "PARTIAL", "FAILED", "HELD", "CANCELED", "INTERRUPTED"}
}

// Ended tells whether a run in this state goes on no more.
func (s SyncStatus) Ended() bool { return s != Queued && s != Running }

// SyncStep is what a running sync is at.
type SyncStep string

const (
	Waiting   SyncStep = "WAITING" // for its turn at the warehouse or the store
	Pulling   SyncStep = "PULLING"
	Recording SyncStep = "RECORDING"
	Planning  SyncStep = "PLANNING"
	Pushing   SyncStep = "PUSHING"
	Done      SyncStep = "DONE"
)

// Values lists the set.
func (SyncStep) Values() []string {
	return []string{"WAITING", "PULLING", "RECORDING", "PLANNING", "PUSHING", "DONE"}
}

// LevelStatus is the state of a channel level (spec 3.6).
type LevelStatus string

const (
	Pending       LevelStatus = "PENDING"
	Pushed        LevelStatus = "PUSHED"
	PushFailed    LevelStatus = "FAILED"
	LevelExcluded LevelStatus = "EXCLUDED"
)

// Values lists the set.
func (LevelStatus) Values() []string { return []string{"PENDING", "PUSHED", "FAILED", "EXCLUDED"} }

// ActivityKind is what kind of fact an activity tells.
type ActivityKind string

const (
	LevelReported    ActivityKind = "WAREHOUSE_LEVEL_CHANGED" // before and after are the figure of 4.1
	QuantityChanged  ActivityKind = "CHANNEL_LEVEL_CHANGED"   // before and after are what the store should show
	QuantityPushed   ActivityKind = "CHANNEL_LEVEL_PUSHED"    // before and after are what the store shows
	QuantityFailed   ActivityKind = "CHANNEL_LEVEL_FAILED"    // after is what was refused, message the store's words
	QuantityExcluded ActivityKind = "CHANNEL_LEVEL_EXCLUDED"  // held back from now on
)

// Values lists the set.
func (ActivityKind) Values() []string {
	return []string{"WAREHOUSE_LEVEL_CHANGED", "CHANNEL_LEVEL_CHANGED", "CHANNEL_LEVEL_PUSHED", "CHANNEL_LEVEL_FAILED", "CHANNEL_LEVEL_EXCLUDED"}
}

// ProblemKind says what a problem of a run is about.
type ProblemKind string

const (
	ReportProblem ProblemKind = "REPORT" // a report as a whole
	RowProblem    ProblemKind = "ROW"    // a row that was rejected
	RowNote       ProblemKind = "NOTE"   // a row that counts, with something lost or overridden
	LevelProblem  ProblemKind = "LEVEL"  // a level the store did not take
)

// Values lists the set.
func (ProblemKind) Values() []string { return []string{"REPORT", "ROW", "NOTE", "LEVEL"} }

// Role of a token (spec 5.2).
type Role string

const (
	Admin    Role = "ADMIN"
	Operator Role = "OPERATOR"
	Partner  Role = "PARTNER"
)

// Values lists the set.
func (Role) Values() []string { return []string{"ADMIN", "OPERATOR", "PARTNER"} }

// ImportKind is what a catalog import brings.
type ImportKind string

const (
	ImportProducts   ImportKind = "PRODUCTS"
	ImportComponents ImportKind = "COMPONENTS"
	ImportListings   ImportKind = "LISTINGS"
)

// Values lists the set.
func (ImportKind) Values() []string { return []string{"PRODUCTS", "COMPONENTS", "LISTINGS"} }

// ImportFormat is how an import or export is written.
type ImportFormat string

const (
	CSV       ImportFormat = "CSV"
	JSONLines ImportFormat = "JSON_LINES"
)

// Values lists the set.
func (ImportFormat) Values() []string { return []string{"CSV", "JSON_LINES"} }

// ImportOnError says what one bad row does to an import.
type ImportOnError string

const (
	RejectAll ImportOnError = "REJECT_ALL"
	SkipRows  ImportOnError = "SKIP_ROWS"
)

// Values lists the set.
func (ImportOnError) Values() []string { return []string{"REJECT_ALL", "SKIP_ROWS"} }

// ImportStatus is the state of an import.
type ImportStatus string

const (
	ImportRunning   ImportStatus = "RUNNING"
	ImportSucceeded ImportStatus = "SUCCEEDED"
	ImportPartial   ImportStatus = "PARTIAL"
	ImportFailed    ImportStatus = "FAILED"
)

// Values lists the set.
func (ImportStatus) Values() []string { return []string{"RUNNING", "SUCCEEDED", "PARTIAL", "FAILED"} }
