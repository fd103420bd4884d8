package model

import (
	"stockbridge/ent/schema/enum"
	"stockbridge/internal/inventory"
)

// Explanation says how a channel level came about.
type Explanation struct {
	Text          string
	Quantity      *int64
	UpToDate      bool
	Contributions []*ExplainedContribution
	Total         int64
	MaxQuantity   *int64
	HeldBack      *HeldBack
	LastAnswer    *StoreAnswer
}

// ExplainedContribution is what one connection adds.
type ExplainedContribution struct {
	ConnectionID, WarehouseID int64
	StrategyID                *int64
	QuantitySource            enum.QuantitySource
	Quantity                  int64
	Stock                     []*ExplainedStock
}

// ExplainedShare is what a store gets.
type ExplainedShare struct {
	StoreID int64
	Share   int64
	Own     bool
}

// HeldBack says why a level is held back.
type HeldBack struct {
	Reason        inventory.Reason
	Text          string
	ConnectionIDs []int64
	LimitPosition *int64
	LimitPattern  *string
	ListedAs      []string
}

// LevelPlace is where a level of a SKU stands; ids that do not concern it are nil.
type LevelPlace struct {
	WarehouseRow, FacilityRow, StoreRow, LocationRow *int64
	WarehouseID, StoreID                             string // global
	SKU, ChannelSKU                                  string
}

// WarehouseLevelSeries is a warehouse level through time.
type WarehouseLevelSeries struct {
	LevelPlace
	Points []*LevelPoint
}

// ChannelLevelSeries is a channel level through time.
type ChannelLevelSeries struct {
	LevelPlace
	Points, Pushed []*LevelPoint
}

// WarehouseLevelAsOf is a warehouse level as it was.
type WarehouseLevelAsOf struct {
	LevelPlace
	Figure int64
}

// ChannelLevelAsOf is a channel level as it was.
type ChannelLevelAsOf struct {
	LevelPlace
	Quantity, PushedQuantity *int64
	Excluded                 bool
}
