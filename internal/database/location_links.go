package database

// LocationLink lets a facility of a connection's warehouse feed a location of its store.
type LocationLink struct {
	FacilityCode string // 1 to 255 bytes; a facility no report has named yet is made
	LocationCode string // of a location the store has
}

// SetLocationLinks replaces the links of a connection.
type SetLocationLinks struct {
	ExpectedVersion *int64         // the connection's version the change was made against, else STALE_VERSION; nil is any
	Links           []LocationLink // at most 1,000, each facility once
}
