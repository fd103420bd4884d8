package database

import (
	"encoding/json"

	"stockbridge/ent/schema/enum"
)

// What people set comes in as one plain struct a change; its texts are trimmed here. Where it is refused, the error holds
// a fault.List with everything that is wrong with it, or a single *fault.Error; fields are named as the API names
// them, relative to the input ("name", "components.1.quantity"). An update or deletion that names a row which is not
// there, or is another merchant's, is a fault NOT_FOUND of "id" (where the API names it so, of "connectionId", "storeId"
// or "tokenId"). Rows come back as they are after the change. They belong to a transaction that is over: read their
// fields, and load what they refer to through a Reader.

// Opt is a nullable field of an update: left as it is (the zero value), set, or cleared (Set without a Value).
type Opt[T any] struct {
	Set   bool
	Value *T
}

// PlatformSettings say how a warehouse or a store is reached. They are checked and sealed by who makes them.
type PlatformSettings struct {
	Platform enum.Platform
	Settings json.RawMessage // an object in the open; nil is {}
	// Secrets are sealed. On an update nil keeps those stored, if the platform stays the same; empty ones clear them.
	Secrets []byte
}

// Bounds of what people set.
const (
	maxText  = 255       // bytes of a name, a code or a SKU
	maxItems = 1000      // limits, locations, links, components or shares of one thing
	maxUnits = 1<<31 - 1 // of a quantity
)
