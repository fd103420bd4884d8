package database

import "stockbridge/ent/schema/enum"

// CreateStore is a new store. Blank enums are their defaults.
type CreateStore struct {
	MerchantID int64
	Name       string           // 1 to 255 bytes, unique among the merchant's stores
	Platform   PlatformSettings // any platform but PUSH
	Scope      enum.StoreScope
	OnExclude  enum.OnExclude
	Limits     []Limit    // at most 1,000
	Locations  []Location // at most 1,000
}

// Limit is one line of a store's ordered list of which SKUs it receives (spec 4.5).
type Limit struct {
	Pattern string
	Action  enum.LimitAction
}

// Location is one place of a store that shows stock of its own.
type Location struct {
	Code string // 1 to 255 bytes, unique in the store
	Name string // up to 255 bytes; blank is the code
}

// UpdateStore changes a store; nil leaves a field as it is.
type UpdateStore struct {
	ExpectedVersion *int64 // the version the change was made against, else STALE_VERSION; nil is any
	Name            *string
	Platform        *PlatformSettings
	Scope           *enum.StoreScope
	OnExclude       *enum.OnExclude
	Limits          *[]Limit // all of them, in order
	// Locations are all the store is to have: those of a new code are added, those of a known one renamed, and those
	// not named go, with their channel levels. One that a location link names stays: IN_USE.
	Locations *[]Location
}

// SetStoreLimits replaces which SKUs a store receives.
type SetStoreLimits struct {
	ExpectedVersion *int64 // the store's version the change was made against, else STALE_VERSION; nil is any
	Scope           *enum.StoreScope
	Limits          []Limit // all of them, in order
}
