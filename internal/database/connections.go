package database

// CreateConnection lets a warehouse feed a store, once it is enabled. Its schedules are those of spec 3.7.
type CreateConnection struct {
	MerchantID   int64
	Name         string // up to 255 bytes; blank is "<warehouse> → <store>"
	WarehouseID  int64  // of the merchant
	StoreID      int64  // of the merchant; no second connection of the two
	Priority     int    // lower comes first; within 32 bits
	TimeZone     string // an IANA name; blank is UTC
	PushOnChange bool
}

// UpdateConnection changes a connection; nil leaves a field as it is.
type UpdateConnection struct {
	ExpectedVersion *int64 // the version the change was made against, else STALE_VERSION; nil is any
	Name            *string
	Priority        *int
	TimeZone        *string
	PushOnChange    *bool
	NextRun         NextRun // asked for both schedules where TimeZone changes; nil leaves them without a next run
}
