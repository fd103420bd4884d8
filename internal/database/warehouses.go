package database

import "stockbridge/ent/schema/enum"

// CreateWarehouse is a new warehouse. Blank enums are their defaults.
type CreateWarehouse struct {
	MerchantID       int64
	Name             string // 1 to 255 bytes, unique among the merchant's warehouses
	Platform         PlatformSettings
	QuantitySource   enum.QuantitySource
	MissingSKUPolicy enum.MissingSKUPolicy
	MaxDropPercent   *int // 0 to 100; nil is 50
}

// UpdateWarehouse changes a warehouse; nil leaves a field as it is.
type UpdateWarehouse struct {
	ExpectedVersion  *int64 // the version the change was made against, else STALE_VERSION; nil is any
	Name             *string
	Platform         *PlatformSettings
	QuantitySource   *enum.QuantitySource
	MissingSKUPolicy *enum.MissingSKUPolicy
	MaxDropPercent   *int
}
