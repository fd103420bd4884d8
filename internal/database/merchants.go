package database

// CreateMerchant is a new tenant. Name: 1 to 255 bytes, no other merchant's.
type CreateMerchant struct{ Name string }

// UpdateMerchant changes a merchant; nil leaves a field as it is.
type UpdateMerchant struct {
	ExpectedVersion *int64 // the version the change was made against, else STALE_VERSION; nil is any
	Name            *string
}
