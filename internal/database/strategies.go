package database

import "stockbridge/ent/schema/enum"

// CreatePartitionStrategy says how a warehouse's stock is split (spec 4.6 to 4.8). Blank enums are EQUAL and SPREAD.
type CreatePartitionStrategy struct {
	MerchantID           int64
	WarehouseID          int64  // of the merchant
	Name                 string // 1 to 255 bytes, unique in the warehouse
	Buffer               Buffer
	MinimumDistributable int64 // 0 to 2³¹−1 units
	Distribution         enum.Distribution
	Remainder            enum.Remainder
	Shares               []Share // at most 1,000, each store once
	Active               bool    // the warehouse's strategy that was active until now is so no more
}

// Buffer is the stock that no store gets: a percentage, or a number of units, or neither.
type Buffer struct {
	BasisPoints *int64 // hundredths of a per cent, 0 to 10,000; the API's field "percentage"
	Quantity    *int64 // 0 to 2³¹−1 units
}

// Share is what a strategy says of one store; nil is the default of spec 4.8.
type Share struct {
	StoreID  int64  // of the merchant
	Weight   *int64 // 0 to 1,000,000
	Cap      *int64 // 0 to 2³¹−1 units
	Quantity *int64 // 0 to 2³¹−1 units
}

// UpdatePartitionStrategy changes a strategy; nil leaves a field as it is.
type UpdatePartitionStrategy struct {
	ExpectedVersion      *int64 // the version the change was made against, else STALE_VERSION; nil is any
	Name                 *string
	Buffer               *Buffer // an empty one holds nothing back
	MinimumDistributable *int64
	Distribution         *enum.Distribution
	Remainder            *enum.Remainder
	Shares               *[]Share // all of them
	Active               *bool
}
